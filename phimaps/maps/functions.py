"""Elementwise functions of analysis that are not used as activations."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import ClassVar, final

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, Real

from ..map import FeatureMap, combinators
from .curve import Curve
from .powers import ON_ERROR, guarded

__all__ = ["Arcsinh", "Cbrt", "Expm1", "Log1p", "Shift"]


@final
class Shift(Curve):
    """x ↦ x + c, with the same number in every coordinate; written ``phi + c``.

    Parameters
    ----------
    offset : float
        The c, finite.

    Examples
    --------
    >>> import phimaps as pm
    >>> pm.decide(pm.Sqrt() @ (1 + pm.Power(2)), pm.Continuous, on=pm.Euclidean(1)).holds
    True
    """

    offset: float

    _parameter_constraints = {"offset": [Interval(Real, None, None, closed="neither")]}
    piece_slopes: ClassVar[tuple[float, ...]] = (1.0,)
    title = "shift"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return x + float(self.offset)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return [f"{name} + {float(self.offset):g}" for name in names]

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(1.5)


combinators["shift"] = Shift


@final
class Log1p(Curve):
    """x ↦ log(1 + x), for x > -1, without loss of digits near 0.

    Parameters
    ----------
    on_domain_error : {"raise", "nan"} or float, default "raise"
        What becomes of x <= -1: an error that names the row, NaN, or this number.

    Examples
    --------
    >>> Log1p().fit_transform([[1e-20]])
    array([[1.e-20]])
    """

    on_domain_error: str | float = "raise"

    _parameter_constraints = ON_ERROR
    start = -1.0
    start_open = True
    title = "log1p"

    def reference(self, x: np.ndarray) -> np.ndarray:
        # -1 may be the end of a range that does not contain it.
        with np.errstate(divide="ignore"):
            return np.log1p(x)

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return guarded(self, x, x <= -1, 1.0, torch.log1p)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + x)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(on_domain_error=0.0)


@final
class Expm1(Curve):
    """x ↦ exp(x) - 1, without loss of digits near 0.

    Examples
    --------
    >>> Expm1().fit_transform([[1e-20]])
    array([[1.e-20]])
    """

    ends = (-1.0, inf)
    slope_ends = (0.0, inf)
    title = "expm1"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.expm1(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.exp(x)


@final
class Cbrt(Curve):
    """x ↦ ∛x, the real cube root, vertical at 0.

    Examples
    --------
    >>> Cbrt().fit_transform([[-8.0]])
    array([[-2.]])
    """

    bends = (0.0,)
    verticals = (0.0,)
    cusps = ((0.0, 0),)
    degree = 1 / 3
    title = "cbrt"

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.cbrt(x)

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        size = x.abs()
        safe = torch.where(size > 0, size, torch.ones_like(size))
        root = torch.sign(x) * safe ** (1 / 3)
        # A step of Newton's method, as the exponent 1/3 is rounded.
        root = root - (root - x / torch.where(size > 0, root, torch.ones_like(root)) ** 2) / 3
        return torch.where(size > 0, root, x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return 1.0 / (3.0 * np.cbrt(x) ** 2)


@final
class Arcsinh(Curve):
    """x ↦ arsinh x = log(x + √(1 + x²)), the inverse of the hyperbolic sine.

    Examples
    --------
    >>> Arcsinh().fit_transform([[0.0]])
    array([[0.]])
    """

    bends = (0.0,)
    title = "arcsinh"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.asinh(x)

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.arcsinh(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return 1.0 / np.hypot(1.0, x)
