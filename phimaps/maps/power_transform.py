"""Power transforms with an exponent for each coordinate: Yeo-Johnson and Box-Cox."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import exp, inf, isinf, log, log1p
from typing import Any, ClassVar, final

import numpy as np
import torch

from ..errors import DomainError
from ..interval import EPS
from ..map import FeatureMap
from ..spaces import Space
from .coordinatewise import Coordinatewise, Stretch

__all__ = ["BoxCox", "YeoJohnson"]

TINY = float(np.finfo(np.float64).tiny)
MOST = float(np.finfo(np.float64).max)


class PowerTransform(Coordinatewise):
    """x ↦ (ψ(p_i, x_i))_i, strictly increasing curves whose slope is monotone; abstract."""

    __slots__ = ()
    power: Any
    arrays: ClassVar[dict[str, int]] = {"power": 1}

    @abstractmethod
    def exponent(self, p: float, x: float) -> float:
        """log ψ'(p, x) at a finite point inside the domain."""

    @abstractmethod
    def limits(self, p: float) -> tuple[float, float]:
        """The limits of ψ' at the lower and the upper end of the domain."""

    @abstractmethod
    def range(self, p: float) -> tuple[float, float]:
        """The limits of ψ at the lower and the upper end of the domain."""

    @property
    def width(self) -> int:
        return int(self.array("power").shape[0])

    def blocks(self) -> list[int]:
        return [1] * self.width

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return names

    # The lower end of the domain.
    start: ClassVar[float] = -inf

    def _slope(self, p: float, x: float, up: bool) -> float:
        """ψ'(p, x), rounded; a limit at an end of the domain."""
        if x <= self.start or isinf(x):
            return self.limits(p)[int(x > 0)] if x != self.start else self.limits(p)[0]
        e = self.exponent(p, x)
        if e == 0:
            return 1.0
        # An exponent is rounded relatively, and its rounding multiplies the result.
        slack = 16 * EPS * (1 + abs(e))
        if e > 700:
            return inf if up else exp(700.0)
        if e < -700:
            return exp(-700.0) if up else 0.0
        return exp(e) * (1 + slack if up else 1 - slack)

    def stretch(self, i: int, low: float, high: float) -> Stretch:
        p = float(self.array("power")[i])
        ends = [(self._slope(p, v, up=False), self._slope(p, v, up=True)) for v in (low, high)]
        straight = p == 1
        smooth = self.order(p, low, high)
        return Stretch(
            steady=True,
            parted=True,
            straight=straight,
            steepest=max(e[1] for e in ends),
            flattest=min(e[0] for e in ends),
            smooth=smooth,
            bent=not straight,
            steep=max(e[0] for e in ends),
            flat=min(e[1] for e in ends),
            rough=smooth,
        )

    def order(self, p: float, low: float, high: float) -> float:
        """How often ψ is continuously differentiable on [low, high], exactly."""
        return inf

    def _ends(self, i: int, low: float, high: float) -> list[tuple[float, float]]:
        """Enclosures of the values at the two ends."""
        p = float(self.array("power")[i])
        found = []
        for k, v in enumerate((low, high)):
            if v <= self.start or isinf(v):
                found.append((self.range(p)[k],) * 2)
                continue
            rows = np.ones((1, self.width))
            rows[0, i] = v
            with torch.no_grad():
                value = float(self.evaluate(torch.from_numpy(rows))[0, i])
            if isinf(value):
                # What overflows is finite, and is not reached by the number itself.
                found.append((min(value, MOST), max(value, -MOST)))
                continue
            size = abs(p) + 2
            slack = 32 * EPS * (1 + size * abs(self._log(v))) * abs(value) + 64 * TINY
            found.append((value - slack, value + slack))
        return found

    @staticmethod
    @abstractmethod
    def _log(x: float) -> float:
        """The logarithm that is multiplied by the exponent."""

    def reach(self, i: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        (a, _), (_, b) = self._ends(i, low, high)
        least, most = self.range(float(self.array("power")[i]))
        return np.array([max(a, least)]), np.array([min(b, most)])

    def filled(self, i: int, low: float, high: float) -> tuple[float, float] | None:
        (_, a), (b, _) = self._ends(i, low, high)
        # A finite limit is not reached.
        step = 1e-9 * (1 + min(abs(a), abs(b)))
        a = a + step if low <= self.start and a > -inf else a
        b = b - step if isinf(high) and b < inf else b
        return (a, b) if a < b else None


def _powers(log: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """(exp(p log) - 1) / p, and log for p = 0."""
    # Below that the two agree in every digit.
    zero = p.abs() < 1e-200
    safe = torch.where(zero, torch.ones_like(p), p)
    return torch.where(zero, log, torch.expm1(safe * log) / safe)


@final
class YeoJohnson(PowerTransform):
    """x ↦ ((1 + x)^p - 1) / p for x >= 0, -((1 - x)^(2 - p) - 1) / (2 - p) for x < 0.

    Logarithms stand for the exponent 0. Strictly increasing on R, twice continuously
    differentiable, and the identity for p = 1.

    Parameters
    ----------
    power : array-like of shape (d,)
        p, one for each coordinate.

    References
    ----------
    Yeo and Johnson (2000), A new family of power transformations to improve normality or symmetry.

    Examples
    --------
    >>> YeoJohnson([2.0]).fit_transform([[3.0]])
    array([[7.5]])
    """

    power: Any

    title: ClassVar[str] = "the Yeo-Johnson curve"

    def evaluate(self, x: torch.Tensor) -> torch.Tensor:
        (p,) = self.weights(x)
        negative = x < 0
        # The side that is not taken is kept at 0, out of the gradient's way.
        right = torch.where(negative, torch.zeros_like(x), x)
        left = torch.where(negative, -x, torch.zeros_like(x))
        up, down = _powers(torch.log1p(right), p), -_powers(torch.log1p(left), 2 - p)
        return torch.where(negative, down, up)

    def exponent(self, p: float, x: float) -> float:
        return (p - 1) * log1p(x) if x >= 0 else (1 - p) * log1p(-x)

    @staticmethod
    def _log(x: float) -> float:
        return log1p(abs(x))

    def limits(self, p: float) -> tuple[float, float]:
        return (1.0, 1.0) if p == 1 else (0.0, inf) if p > 1 else (inf, 0.0)

    def range(self, p: float) -> tuple[float, float]:
        low = -inf if p <= 2 else float(np.nextafter(1 / (2 - p), -inf))
        return low, inf if p >= 0 else float(np.nextafter(-1 / p, inf))

    def order(self, p: float, low: float, high: float) -> float:
        # At 0 the third derivatives of the two sides are (p-1)(p-2) and (p-1)p.
        return 2.0 if low < 0 < high and p != 1 else inf

    @classmethod
    def example(cls) -> FeatureMap:
        from sklearn.preprocessing import PowerTransformer

        from .foreign import Transformer

        return Transformer(PowerTransformer(standardize=False))


@final
class BoxCox(PowerTransform):
    """x ↦ (x^p - 1) / p, and log x for p = 0, for x > 0.

    Parameters
    ----------
    power : array-like of shape (d,)
        p, one for each coordinate.

    References
    ----------
    Box and Cox (1964), An analysis of transformations.

    Examples
    --------
    >>> BoxCox([2.0]).fit_transform([[3.0]])
    array([[4.]])
    """

    power: Any

    title: ClassVar[str] = "the Box-Cox curve"
    start: ClassVar[float] = 0.0

    @property
    def positive(self) -> bool:
        return True

    def evaluate(self, x: torch.Tensor) -> torch.Tensor:
        (p,) = self.weights(x)
        bad = x <= 0
        if bool(bad.any()):
            row, i = (int(k) for k in bad.nonzero()[0])
            raise DomainError(
                f"The Box-Cox curve is not defined at {float(x[row, i]):g}.",
                got=f"x = {float(x[row, i]):g} in row {row}, coordinate {i}",
                need="x > 0",
                do="drop the row, shift the data, or YeoJohnson",
            )
        return _powers(torch.log(x), p)

    def undefined(self, on: Space) -> str | None:
        low, high = on.bounds()
        bad = (low < 0) | ((low == 0) & on.attains()[0])
        if not bad.any():
            return None
        i = int(np.flatnonzero(bad)[0])
        return f"coordinate {i} ranges over [{low[i]:g}, {high[i]:g}], Box-Cox needs x > 0"

    def exponent(self, p: float, x: float) -> float:
        return (p - 1) * log(x)

    @staticmethod
    def _log(x: float) -> float:
        return log(x)

    def limits(self, p: float) -> tuple[float, float]:
        return (1.0, 1.0) if p == 1 else (0.0, inf) if p > 1 else (inf, 0.0)

    def range(self, p: float) -> tuple[float, float]:
        low = -inf if p <= 0 else float(np.nextafter(-1 / p, -inf))
        return low, inf if p >= 0 else float(np.nextafter(-1 / p, inf))

    @classmethod
    def example(cls) -> FeatureMap:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, PowerTransformer, SplineTransformer

        from .foreign import Transformer

        # The first step says that it needs two rows, the second makes all data positive.
        line = SplineTransformer(n_knots=2, degree=1, include_bias=False)
        curve = PowerTransformer(method="box-cox", standardize=False)
        return Transformer(make_pipeline(line, FunctionTransformer(np.exp), curve))
