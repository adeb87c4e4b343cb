"""Features of the additive χ² kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import cosh, inf, pi, sqrt
from typing import final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Real
from sklearn.utils._param_validation import Interval as Range

from ..errors import DomainError
from ..interval import EPS
from ..map import Fact, FeatureMap
from ..property import Continuous, Injective, Lipschitz, LowerLipschitz, Smooth
from ..spaces import Box, Image, Space

__all__ = ["AdditiveChi2"]


@final
class AdditiveChi2(FeatureMap):
    """x ↦ (√(Lx), √(2Lx / cosh(πjL)) (cos(jL log x), sin(jL log x))_{0<j<n}), for x >= 0.

    The kernel Σ_i 2 x_i y_i / (x_i + y_i) is sampled at multiples of L, so that its features are
    approximated. √x is among them, so the map is injective; each coordinate runs through a curve
    of speed C / √x.

    Parameters
    ----------
    steps : int, default 2
        n, the number of samples.
    interval : float, default 0.5
        L, their distance.

    References
    ----------
    Vedaldi and Zisserman (2012), Efficient additive kernels via explicit feature maps.

    Examples
    --------
    >>> AdditiveChi2(steps=1, interval=1.0).fit_transform([[4.0]])
    array([[2.]])
    """

    steps: int = 2
    interval: float = 0.5

    _parameter_constraints = {
        "steps": [Range(Integral, 1, None, closed="left")],
        "interval": [Range(Real, 0, None, closed="neither")],
    }

    @property
    def positive(self) -> bool:
        return True

    def _sizes(self) -> list[float]:
        """2L / cosh(πjL) for each j."""
        step = float(self.interval)
        return [2 * step / cosh(min(pi * j * step, 700.0)) for j in range(1, int(self.steps))]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat, step = x.flatten(1), float(self.interval)
        bad = flat < 0
        if bool(bad.any()):
            row, i = (int(k) for k in bad.nonzero()[0])
            raise DomainError(
                f"The additive χ² features are not defined at {float(flat[row, i]):g}.",
                got=f"x = {float(flat[row, i]):g} in row {row}, coordinate {i}",
                need="x >= 0",
                do="drop the row, or shift the data",
            )
        zero = flat == 0
        # The root and the logarithm are kept off 0, where they have no slope.
        safe = torch.where(zero, torch.ones_like(flat), flat)
        root, angle = torch.sqrt(safe), step * torch.log(safe)
        values = [sqrt(step) * root]
        for j, size in enumerate(self._sizes(), 1):
            values += [sqrt(size) * root * torch.cos(j * angle)]
            values += [sqrt(size) * root * torch.sin(j * angle)]
        return torch.cat([torch.where(zero, torch.zeros_like(v), v) for v in values], dim=1)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (int(np.prod(shape)) * (2 * int(self.steps) - 1),)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        waves = [f"{w}{j}" for j in range(1, int(self.steps)) for w in ("cos", "sin")]
        return [f"{label}_{n}_{w}" for w in ("sqrt", *waves) for n in names]

    def undefined(self, on: Space) -> str | None:
        low, high = (b.ravel() for b in on.bounds())
        if not (low < 0).any():
            return None
        i = int(np.flatnonzero(low < 0)[0])
        return f"coordinate {i} ranges over [{low[i]:g}, {high[i]:g}], χ² features need x >= 0"

    def image(self, on: Space) -> Image:
        if self.undefined(on) is not None:
            return super().image(on)
        low, high = (np.sqrt(b.ravel()) for b in on.bounds())
        step = sqrt(float(self.interval))
        lows, highs = [low * step], [high * step]
        for size in self._sizes():
            lows += [-high * sqrt(size)] * 2
            highs += [high * sqrt(size)] * 2
        least, most = np.concatenate(lows), np.concatenate(highs)
        return Image(
            Box(least - 8 * EPS * _finite_size(least), most + 8 * EPS * _finite_size(most))
        )

    def _speed(self) -> float:
        """C, for which the curve of a coordinate has the speed C / √x at x."""
        step = float(self.interval)
        waves = (s * (0.25 + (j * step) ** 2) for j, s in enumerate(self._sizes(), 1))
        return sqrt(step / 4 + sum(waves))

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.undefined(on) is not None:
            return
        yield Continuous, "√x cos(log x) goes to 0 with x"
        yield Injective, "√x is among the features, up to a factor"
        low, high = (b.ravel() for b in on.bounds())
        slack = 64 * int(self.steps) * EPS
        start, end = float(low.min()), float(high.max())
        if start > 0:
            top = self._speed() / sqrt(start) * (1 + slack)
            yield Lipschitz(top), f"the speed C / √x is at most {top:.6g}"
            yield Smooth(inf), "√x and log x are smooth for x > 0"
        if end < inf and end > 0:
            bottom = sqrt(float(self.interval) / end) / 2 * (1 - slack)
            yield LowerLipschitz(bottom), f"the slope of √(Lx) is at least {bottom:.6g}"
        chords = on.chords()
        if chords is None:
            return
        low, high = (np.asarray(c).ravel() for c in chords[:2])
        real = low < high
        if not real.any():
            return
        first = float(low[real].min())
        if first == 0:
            yield (~Lipschitz)(inf), "√x is vertical at 0"
            yield (~Smooth)(0.0), "√x is vertical at 0"
        else:
            steep = self._speed() / sqrt(first) * (1 - slack)
            yield (~Lipschitz)(steep), f"the speed C / √x comes near {steep:.6g}"
        if np.isinf(high[real]).any():
            yield (~LowerLipschitz)(0.0), "the speed C / √x goes to 0"


def _finite_size(values: np.ndarray) -> np.ndarray:
    """|values|, with 0 for the infinite ones, which are not rounded."""
    return np.where(np.isinf(values), 0.0, np.abs(values))
