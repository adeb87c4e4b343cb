"""An increasing function of each coordinate that stays within a bounded distance of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, tanh
from typing import Any, ClassVar, final

import numpy as np
import torch

from ..errors import ParameterError
from ..interval import add, widen
from ..map import Fact, FeatureMap
from ..property import Continuous, Injective, Lipschitz, LowerLipschitz, Smooth
from ..spaces import Box, Image, Space
from .affine import Standardize
from .invertible import Invertible, check_width, enclosing

__all__ = ["MonotoneResidual"]

NEWTON_STEPS = 64


def bent(x: torch.Tensor, height: torch.Tensor) -> torch.Tensor:
    """x + a ⊙ tanh(x)."""
    return x + height * torch.tanh(x)


def straightened(y: torch.Tensor, height: torch.Tensor) -> torch.Tensor:
    """The x with x + a ⊙ tanh(x) = y."""
    # On x >= 0 the function is concave and increasing, so that Newton's method started below the
    # root climbs to it and never passes it; |y| / (1 + a) and |y| - a are below.
    far = y.abs()
    x = torch.maximum(far / (1 + height), far - height)
    for _ in range(NEWTON_STEPS):
        t = torch.tanh(x)
        x = x + (far - x - height * t) / (1 + height * (1 - t) * (1 + t))
    return torch.copysign(x, y)


@final
class MonotoneResidual(Invertible):
    """x ↦ x + a ⊙ tanh(x) with a >= 0, increasing in each coordinate.

    Its derivatives lie between 1 and 1 + a_i, so it is a diffeomorphism of R^d.

    Parameters
    ----------
    height : array-like or tensor of shape (d,)
        The a, nowhere negative.

    Raises
    ------
    ParameterError
        When an entry is negative or not finite; on first use.

    Examples
    --------
    >>> phi = MonotoneResidual([1.0, 0.0])
    >>> y = phi(np.array([[0.5, 3.0]]))
    >>> y.round(4), phi.inverse(y)
    (array([[0.9621, 3.    ]]), array([[0.5, 3. ]]))
    """

    height: Any

    arrays: ClassVar[dict[str, int]] = {"height": 1}

    def check_parameters(self) -> None:
        super().check_parameters()
        check_height(self, self.array("height"))

    @property
    def takes(self) -> tuple[int, ...] | None:
        return self.array("height").shape

    @property
    def gives(self) -> tuple[int, ...] | None:
        return self.takes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_width(self, x.shape)
        return bent(x, *self.weights(x))

    def undo(self, y: torch.Tensor) -> torch.Tensor:
        return straightened(y, *self.weights(y))

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return [f"{label}({n})" for n in names]

    def image(self, on: Space) -> Image:
        height, box = self.array("height"), on.inner_box()

        def ends(low: np.ndarray, high: np.ndarray, outward: bool) -> tuple[np.ndarray, ...]:
            # The function increases, so its ends are those of the interval.
            with np.errstate(over="ignore"):
                a, b = (v + height * np.tanh(v) for v in (low, high))
            # The sum has one sign only, so no digits cancel.
            return widen(a, not outward), widen(b, outward)

        outer = enclosing(*ends(*on.bounds(), outward=True))
        if box is None:
            return Image(outer)
        # What overflows is finite, and nothing beyond it is reached.
        most = float(np.finfo(np.float64).max)
        low, high = (
            np.where(np.isfinite(given), np.clip(found, -most, most), found)
            for given, found in zip(
                (box.low, box.high), ends(box.low, box.high, outward=False), strict=True
            )
        )
        return Image(outer, Box(low, high) if (low < high).all() else None)

    def facts(self, on: Space) -> Iterator[Fact]:
        height = self.array("height")
        why = "each coordinate t ↦ t + a tanh(t) increases, with slopes from 1 to 1 + a"
        yield Continuous, why
        yield Injective, why
        yield Smooth(inf), "tanh has derivatives of all orders"
        yield Lipschitz(add([1.0, float(height.max())], up=True)), why
        yield LowerLipschitz(1.0), why
        chords = on.chords()
        if chords is None:
            return
        for low, high, a in zip(chords[0], chords[1], height, strict=True):
            if low < high:
                text = "the slope of a coordinate at a point of the space"
                near = min(max(0.0, low), high)
                yield (~Lipschitz)(_slope(near, a, False)), text
                far = max(abs(low), abs(high))
                yield (~LowerLipschitz)(_slope(far, a, True)), text

    @classmethod
    def example(cls) -> FeatureMap:
        return Standardize()


def _slope(t: float, a: float, up: bool) -> float:
    """1 + a (1 - tanh²(t)), rounded to a side; never beyond the extremes that are known."""
    steep = tanh(min(abs(t), 1e3))
    # 1 - tanh loses digits where it is small: 16 units of rounding of 1 are allowed for.
    rest = (1 - steep) * (1 + steep) + (1 if up else -1) * 1e-14
    return float(widen(np.array(1 + a * min(max(rest, 0.0), 1.0)), up))


def check_height(owner: Any, height: np.ndarray) -> None:
    """Raise ParameterError where a height is negative."""
    if (height < 0).any():
        worst = int(height.argmin())
        raise ParameterError(
            f"The heights of {type(owner).__name__} must not be negative.",
            got=f"height[{worst}] = {height[worst]:g}",
            need="a >= 0, so that x + a tanh(x) increases",
            do=f"{type(owner).__name__}(...) with np.abs(height)",
        )
