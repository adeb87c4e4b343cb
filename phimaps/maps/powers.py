"""Elementwise functions with a domain: logarithm, root, powers; and the waves."""

from __future__ import annotations

from math import floor, inf, pi
from typing import Any, ClassVar, final

import numpy as np
import torch
from sklearn.utils._param_validation import Interval as Range
from sklearn.utils._param_validation import Real, StrOptions

from ..map import FeatureMap
from ..spaces import Image, Space
from .curve import Curve

__all__ = ["Cos", "Log", "Power", "Sin", "Sqrt"]

ON_ERROR = {
    "on_domain_error": [StrOptions({"raise", "nan"}), Range(Real, None, None, closed="neither")]
}


def guarded(
    owner: Curve, x: torch.Tensor, bad: torch.Tensor, safe: float, value: Any
) -> torch.Tensor:
    """σ where it is defined; elsewhere an error, NaN or a number, with a gradient of 0."""
    if not bool(bad.any()):
        return value(x)
    policy = owner.on_domain_error  # type: ignore[attr-defined]
    if policy == "raise":
        raise owner.refuse(x, bad)
    fill = float("nan") if policy == "nan" else float(policy)
    # The inner where keeps the undefined branch out of the gradient.
    inside = value(torch.where(bad, torch.full_like(x, safe), x))
    return torch.where(bad, torch.full_like(x, fill), inside)


@final
class Log(Curve):
    """x ↦ log x, for x > 0.

    Parameters
    ----------
    on_domain_error : {"raise", "nan"} or float, default "raise"
        What becomes of x <= 0: an error that names the row, NaN, or this number.

    Examples
    --------
    >>> Log().fit_transform([[1.0]])
    array([[0.]])
    """

    on_domain_error: str | float = "raise"

    _parameter_constraints = ON_ERROR
    start = 0.0
    start_open = True
    slope_ends = (0.0, 0.0)
    title = "log"

    def reference(self, x: np.ndarray) -> np.ndarray:
        # 0 may be the end of a range that does not contain it.
        with np.errstate(divide="ignore"):
            return np.log(x)

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return guarded(self, x, x <= 0, 1.0, torch.log)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return 1.0 / x

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(on_domain_error=0.0)


@final
class Sqrt(Curve):
    """x ↦ √x, for x >= 0.

    Parameters
    ----------
    on_domain_error : {"raise", "nan"} or float, default "raise"
        What becomes of x < 0: an error that names the row, NaN, or this number.

    Examples
    --------
    >>> Sqrt().fit_transform([[4.0]])
    array([[2.]])
    """

    on_domain_error: str | float = "raise"

    _parameter_constraints = ON_ERROR
    start = 0.0
    ends = (0.0, inf)
    slope_ends = (0.0, 0.0)
    verticals = (0.0,)
    cusps = ((0.0, 0),)
    degree = 0.5
    title = "sqrt"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return guarded(self, x, x < 0, 1.0, torch.sqrt)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return 0.5 / np.sqrt(x)

    @property
    def positive(self) -> bool:
        return self.on_domain_error == "raise"


@final
class Power(Curve):
    """x ↦ x^p.

    Parameters
    ----------
    p : float, default 2
        Integers >= 0 take every x, negative integers x ≠ 0, other numbers x > 0 (x >= 0 for
        p > 0).
    on_domain_error : {"raise", "nan"} or float, default "raise"
        What becomes of other x: an error that names the row, NaN, or this number.

    Examples
    --------
    >>> Power(2).fit_transform([[-3.0]])
    array([[9.]])
    """

    p: float = 2
    on_domain_error: str | float = "raise"

    _parameter_constraints = {"p": [Range(Real, None, None, closed="neither")], **ON_ERROR}

    @property
    def whole(self) -> bool:
        """Whether p is an integer."""
        return float(self.p).is_integer()

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"power{self.p:g}"

    @property
    def start(self) -> float:  # type: ignore[override]
        return -inf if self.whole else 0.0

    @property
    def start_open(self) -> bool:  # type: ignore[override]
        return not self.whole and self.p < 0

    @property
    def turns(self) -> tuple[float, ...]:  # type: ignore[override]
        return (0.0,) if self.whole and self.p != 1 else ()

    @property
    def ways(self) -> tuple[int, ...]:  # type: ignore[override]
        if not self.turns:
            return (1 if self.p > 0 else -1,)
        sign = int(np.sign(self.p))
        return (-sign, sign) if self.p % 2 == 0 else (sign, sign)

    @property
    def ends(self) -> tuple[float, float]:  # type: ignore[override]
        if self.p == 0:
            return (1.0, 1.0)
        if self.p < 0:
            return (0.0, 0.0)
        return (-inf if self.whole and self.p % 2 else inf if self.whole else 0.0, inf)

    @property
    def flats(self) -> tuple[float, ...]:  # type: ignore[override]
        return (0.0,) if self.p > 1 else ()

    @property
    def bends(self) -> tuple[float, ...]:  # type: ignore[override]
        return (0.0,) if self.p >= 1 else ()

    @property
    def verticals(self) -> tuple[float, ...]:  # type: ignore[override]
        return (0.0,) if 0 < self.p < 1 else ()

    @property
    def cusps(self) -> tuple[tuple[float, int], ...]:  # type: ignore[override]
        # The derivative of order k is a multiple of x^(p - k), which is unbounded for k > p.
        return () if self.whole or self.p < 0 else ((0.0, floor(self.p)),)

    @property
    def even(self) -> bool:  # type: ignore[override]
        return self.whole and self.p % 2 == 0

    @property
    def degree(self) -> float:  # type: ignore[override]
        return self.p

    @property
    def exact(self) -> bool:  # type: ignore[override]
        return self.p in (0, 1)

    @property
    def piece_slopes(self) -> tuple[float, ...]:  # type: ignore[override]
        return {0.0: (0.0, 0.0), 1.0: (1.0,)}.get(float(self.p), ())

    @property
    def slope_ends(self) -> tuple[float, float]:  # type: ignore[override]
        return (inf, inf) if self.p > 1 else (0.0, 0.0)

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        if self.whole:
            exponent = int(self.p)
            if exponent >= 0:
                return x**exponent
            return guarded(self, x, x == 0, 1.0, lambda t: t**exponent)
        bad = x < 0 if self.p > 0 else x <= 0
        return guarded(self, x, bad, 1.0, lambda t: t ** float(self.p))

    def reference(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", over="ignore"):
            return np.power(x, float(self.p))

    def range_over(
        self, low: np.ndarray, high: np.ndarray, margin: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        # A range that ends at 0 without containing it meets one side of the pole.
        return super().range_over(low + 0.0, np.where(high == 0, -0.0, high), margin)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        p = float(self.p)
        with np.errstate(all="ignore"):
            return p * np.power(x, p - 1)

    def undefined(self, on: Space) -> str | None:
        if self.whole and self.p < 0:
            (low, high), (first, last) = on.bounds(), on.attains()
            bad = ((low < 0) | ((low == 0) & first)) & ((high > 0) | ((high == 0) & last))
            if bad.any():
                where = tuple(map(int, np.argwhere(bad)[0]))
                index = where[0] if len(where) == 1 else where
                return f"coordinate {index} may be 0, {self.title} needs x ≠ 0"
            return None
        return super().undefined(on)

    def merge(self, low: float, high: float) -> tuple[float, float, bool]:
        if self.p == 0:
            low = max(low, min(high, 0.0) - 1.0)
            return low, min(high, low + 1.0), True
        reach = min(-low, high, 1.0)
        return -reach, reach, True


class Wave(Curve):
    """A sine wave; abstract. Its turning points are the multiples of π, shifted."""

    __slots__ = ()
    shift: ClassVar[float] = 0.0
    ends: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    margin: ClassVar[float] = 1e-12

    def _first_turn(self, low: np.ndarray) -> np.ndarray:
        """The number k of the least turning point kπ + shift above `low`."""
        return np.floor((low - self.shift) / pi) + 1

    def strictly_monotone(self, low: np.ndarray, high: np.ndarray, margin: float) -> np.ndarray:
        # Far from 0 the multiples of π are known only up to rounding.
        with np.errstate(invalid="ignore", over="ignore"):
            turn = self._first_turn(low - margin * np.abs(low)) * pi + self.shift
            ends = np.isfinite(low) & np.isfinite(high)
            return (turn >= high + margin * np.abs(high)) & ends

    def _contains(
        self, low: np.ndarray, high: np.ndarray, start: float, period: float, margin: float
    ) -> np.ndarray:
        """Whether a point start + k·period lies in [low, high], moved outward by `margin`."""
        with np.errstate(invalid="ignore", over="ignore"):
            first = np.ceil((low - margin * np.abs(low) - start) / period) * period + start
            return np.isinf(low) | np.isinf(high) | (first <= high + margin * np.abs(high))

    def range_over(
        self, low: np.ndarray, high: np.ndarray, margin: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        a = self._values(np.where(np.isinf(low), 0.0, low))
        b = self._values(np.where(np.isinf(high), 0.0, high))
        peak = self._contains(low, high, self.shift, 2 * pi, margin)
        dip = self._contains(low, high, self.shift + pi, 2 * pi, margin)
        return np.where(dip, -1.0, np.minimum(a, b)), np.where(peak, 1.0, np.maximum(a, b))

    def image(self, on: Space) -> Image:
        image = super().image(on)
        # Farther out a turning point may be missed by so much that its value is not the extreme.
        far = max(float(np.abs(b).max()) for b in on.bounds()) > 1e4
        return Image(image.outer, None if far else image.inner)

    def slopes(
        self, low: np.ndarray, high: np.ndarray, margin: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        a = np.abs(self.derivative(np.where(np.isinf(low), 0.0, low)))
        b = np.abs(self.derivative(np.where(np.isinf(high), 0.0, high)))
        steep = self._contains(low, high, self.shift + pi / 2, pi, margin)
        flat = self._contains(low, high, self.shift, pi, margin)
        return np.where(flat, 0.0, np.minimum(a, b)), np.where(steep, 1.0, np.maximum(a, b))

    def merge(self, low: float, high: float) -> tuple[float, float, bool]:
        low = low if low > -inf else (high - 8.0 if high < inf else -4.0)
        high = min(high, low + 8.0)
        turn = float(self._first_turn(np.array(low + self.margin))) * pi + self.shift
        reach = min(turn - low, high - turn)
        return turn - reach, turn + reach, turn == 0.0


@final
class Cos(Wave):
    """x ↦ cos x.

    Examples
    --------
    >>> Cos().fit_transform([[0.0]])
    array([[1.]])
    """

    title = "cos"
    even = True

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cos(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return -np.sin(x)


@final
class Sin(Wave):
    """x ↦ sin x.

    Examples
    --------
    >>> Sin().fit_transform([[0.0]])
    array([[0.]])
    """

    shift: ClassVar[float] = pi / 2
    title = "sin"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return np.cos(x)
