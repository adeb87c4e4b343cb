"""Features of the additive χ² kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import cosh, inf, pi, sqrt
from typing import Any, final

import numpy as np
import scipy.sparse
import torch
from sklearn.utils._param_validation import Integral, Real
from sklearn.utils._param_validation import Interval as Range

from ..errors import DomainError, ParameterError
from ..interval import EPS
from ..map import Fact, FeatureMap
from ..property import Continuous, Injective, Lipschitz, LowerLipschitz, Smooth
from ..spaces import Box, Image, Space

__all__ = ["AdditiveChi2"]

# The distances that suit 1, 2 and 3 samples: Vedaldi and Zisserman (2012), figure 2 c).
USUAL = {1: 0.8, 2: 0.5, 3: 0.4}
# Bytes of the features that are worked on at a time.
CHUNK = 2**21


@final
class AdditiveChi2(FeatureMap):
    """x ↦ (√(Lx), √(2Lx / cosh(πjL)) (cos(jL log x), sin(jL log x))_{0<j<n}), for x >= 0.

    The kernel Σ_i 2 x_i y_i / (x_i + y_i) is sampled at multiples of L, so that its features are
    approximated. √x is among them, so the map is injective; each coordinate runs through a curve
    of speed C / √x. `PiecewiseLinearEmbedding` has exact features for data on a grid of levels.

    Parameters
    ----------
    sample_steps : int, default 2
        n, the number of samples.
    sample_interval : float or None, default None
        L, their distance. None is 0.8, 0.5 or 0.4 for n = 1, 2 or 3, and nothing beyond.

    Notes
    -----
    Sparse rows stay sparse, as 0 has the features 0.

    References
    ----------
    Vedaldi and Zisserman (2012), Efficient additive kernels via explicit feature maps.

    Examples
    --------
    >>> AdditiveChi2(sample_steps=1, sample_interval=1.0).fit_transform([[4.0]])
    array([[2.]])
    """

    sample_steps: int = 2
    sample_interval: float | None = None

    _parameter_constraints = {
        "sample_steps": [Range(Integral, 1, None, closed="left")],
        "sample_interval": [Range(Real, 0, None, closed="neither"), None],
    }

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.sample_interval is None and self.sample_steps not in USUAL:
            raise ParameterError(
                f"AdditiveChi2 has no usual 'sample_interval' for {self.sample_steps} steps.",
                got=f"sample_steps={self.sample_steps}, sample_interval=None",
                need="the distance of the samples, if there are more than 3",
                do="set_params(sample_interval=0.3)",
            )

    @property
    def step(self) -> float:
        """L."""
        given = self.sample_interval
        return USUAL[int(self.sample_steps)] if given is None else float(given)

    @property
    def positive(self) -> bool:
        return True

    @property
    def sparse(self) -> bool:
        return True

    def _sizes(self) -> list[float]:
        """2L / cosh(πjL) for each j."""
        step = self.step
        return [2 * step / cosh(min(pi * j * step, 700.0)) for j in range(1, self.sample_steps)]

    def _check_values(self, x: torch.Tensor) -> None:
        bad = x < 0
        if bool(bad.any()):
            row, i = (int(k) for k in bad.nonzero()[0])
            raise DomainError(
                f"The additive χ² features are not defined at {float(x[row, i]):g}.",
                got=f"x = {float(x[row, i]):g} in row {row}, coordinate {i}",
                need="x >= 0",
                do="drop the row, or shift the data",
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat, step = x.flatten(1), self.step
        if not (x.requires_grad and torch.is_grad_enabled()):
            out = x.new_empty((len(x), *self.out_shape(x.shape[1:])))
            self.write(x, out)
            return out
        self._check_values(flat)
        zero = flat == 0
        # The root and the logarithm are kept off 0, where they have no slope.
        safe = torch.where(zero, torch.ones_like(flat), flat)
        root, angle = torch.sqrt(safe), step * torch.log(safe)
        values = [sqrt(step) * root]
        for j, size in enumerate(self._sizes(), 1):
            values += [sqrt(size) * root * torch.cos(j * angle)]
            values += [sqrt(size) * root * torch.sin(j * angle)]
        return torch.cat([torch.where(zero, torch.zeros_like(v), v) for v in values], dim=1)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        flat = x.flatten(1)
        if flat.numel() and bool(flat.amin() < 0):
            self._check_values(flat)
        d = flat.shape[1]
        rows = max(1, CHUNK // (d * (2 * int(self.sample_steps) + 3) * x.element_size()))
        for start in range(0, len(x), rows):
            part = out[start : start + rows]
            self._fill(flat[start : start + rows], part.split(d, dim=1))

    def _fill(self, x: torch.Tensor, parts: Sequence[torch.Tensor]) -> None:
        """Write each kind of feature of the numbers x into its part."""
        step, root = self.step, torch.sqrt(x)
        torch.mul(root, sqrt(step), out=parts[0])
        if self.sample_steps == 1:
            return
        # The logarithm of the least number is finite, and its features are multiplied by √0.
        least = torch.finfo(x.dtype).smallest_normal * torch.finfo(x.dtype).eps
        angle = torch.log(x.clamp_min(least)).mul_(step)
        first = torch.cos(angle), torch.sin(angle)
        cos, sin = first
        for j, size in enumerate(self._sizes(), 1):
            if j > 1:
                # The angles add up: products cost less than further cosines.
                cos, sin = (
                    (cos * first[0]).addcmul_(sin, first[1], value=-1),
                    (sin * first[0]).addcmul_(cos, first[1]),
                )
            scaled = root * sqrt(size)
            torch.mul(cos, scaled, out=parts[2 * j - 1])
            torch.mul(sin, scaled, out=parts[2 * j])

    def forward_sparse(self, x: Any) -> Any:
        stored = torch.from_numpy(np.ascontiguousarray(x.data))
        if bool((stored < 0).any()):
            row, i = (int(v[np.flatnonzero(x.data < 0)[0]]) for v in x.tocoo().coords)
            raise DomainError(
                f"The additive χ² features are not defined at {float(x[row, i]):g}.",
                got=f"x = {float(x[row, i]):g} in row {row}, coordinate {i}",
                need="x >= 0",
                do="drop the row, or shift the data",
            )
        n, d = x.shape
        kinds = 2 * int(self.sample_steps) - 1
        values = torch.empty((kinds, len(stored)), dtype=stored.dtype)
        self._fill(stored, values.unbind(0))
        # In each row the kinds of features stand side by side.
        counts = np.diff(x.indptr)
        length = np.repeat(counts, counts)
        place = np.arange(len(stored)) + (kinds - 1) * np.repeat(x.indptr[:-1], counts)
        data = np.empty(kinds * len(stored), dtype=x.dtype)
        indices = np.empty(kinds * len(stored), dtype=x.indices.dtype)
        for kind in range(kinds):
            data[place] = values[kind].numpy()
            indices[place] = x.indices + kind * d
            place += length
        return scipy.sparse.csr_array((data, indices, kinds * x.indptr), shape=(n, kinds * d))

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (int(np.prod(shape)) * (2 * int(self.sample_steps) - 1),)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        waves = [f"{w}{j}" for j in range(1, int(self.sample_steps)) for w in ("cos", "sin")]
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
        step = sqrt(self.step)
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
        step = self.step
        waves = (s * (0.25 + (j * step) ** 2) for j, s in enumerate(self._sizes(), 1))
        return sqrt(step / 4 + sum(waves))

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.undefined(on) is not None:
            return
        yield Continuous, "√x cos(log x) goes to 0 with x"
        yield Injective, "√x is among the features, up to a factor"
        low, high = (b.ravel() for b in on.bounds())
        slack = 64 * int(self.sample_steps) * EPS
        start, end = float(low.min()), float(high.max())
        if start > 0:
            top = self._speed() / sqrt(start) * (1 + slack)
            yield Lipschitz(top), f"the speed C / √x is at most {top:.6g}"
            yield Smooth(inf), "√x and log x are smooth for x > 0"
        if end < inf and end > 0:
            bottom = sqrt(self.step / end) / 2 * (1 - slack)
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
