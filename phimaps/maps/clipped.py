"""Elementwise activations that are made of straight pieces and have no jump."""

from __future__ import annotations

from math import inf
from typing import final

import torch
from sklearn.utils._param_validation import Interval as Range
from sklearn.utils._param_validation import Real
from torch.nn import functional

from ..errors import ParameterError
from ..map import show
from ..spaces import Space
from .curve import Curve
from .elementwise import fits_float32

__all__ = ["Hardsigmoid", "Hardtanh", "Relu6", "Softshrink"]


@final
class Relu6(Curve):
    """x ↦ min(max(x, 0), 6).

    Injective only where every coordinate stays between 0 and 6.

    Examples
    --------
    >>> Relu6().fit_transform([[-1.0, 2.0, 7.0]])
    array([[0., 2., 6.]])
    """

    turns = (0.0, 6.0)
    ways = (0, 1, 0)
    ends = (0.0, 6.0)
    piece_slopes = (0.0, 1.0, 0.0)
    exact = True
    title = "relu6"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu6(x)


@final
class Hardtanh(Curve):
    """x ↦ min(max(x, low), high), the identity clipped to an interval.

    Injective only where every coordinate stays between the ends.

    Parameters
    ----------
    low, high : float, default -1 and 1
        With low < high.

    Examples
    --------
    >>> Hardtanh(-1, 3).fit_transform([[-2.0, 2.0, 7.0]])
    array([[-1.,  2.,  3.]])
    """

    low: float = -1.0
    high: float = 1.0

    _parameter_constraints = {
        "low": [Range(Real, None, None, closed="neither")],
        "high": [Range(Real, None, None, closed="neither")],
    }
    ways = (0, 1, 0)
    piece_slopes = (0.0, 1.0, 0.0)
    exact = True
    title = "hardtanh"

    def check_parameters(self) -> None:
        super().check_parameters()
        if not self.low < self.high:
            raise ParameterError(
                "The ends of Hardtanh leave nothing between them.",
                got=f"low={show(self.low)}, high={show(self.high)}",
                need="low < high",
                do="exchange the ends, or use 0 * pm.Identity() for a constant map",
            )

    def rounds(self, on: Space) -> bool:
        return not fits_float32(float(self.low), float(self.high))

    @property
    def turns(self) -> tuple[float, ...]:  # type: ignore[override]
        return (float(self.low), float(self.high))

    @property
    def ends(self) -> tuple[float, float]:  # type: ignore[override]
        return (float(self.low), float(self.high))

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return functional.hardtanh(x, float(self.low), float(self.high))


@final
class Hardsigmoid(Curve):
    """x ↦ min(max(x + 3, 0), 6) / 6.

    Injective only where every coordinate stays between -3 and 3.

    Examples
    --------
    >>> Hardsigmoid().fit_transform([[-4.0, 0.0, 4.0]])
    array([[0. , 0.5, 1. ]])
    """

    turns = (-3.0, 3.0)
    ways = (0, 1, 0)
    ends = (0.0, 1.0)
    piece_slopes = (0.0, 1 / 6, 0.0)
    exact_slopes = False
    title = "hardsigmoid"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        # torch's own multiplies by a float32 1/6 on an accelerator, whatever the dtype of x.
        return (x + 3).clamp(0, 6) / 6


@final
class Softshrink(Curve):
    """x ↦ x - λ for x > λ, x + λ for x < -λ, 0 between: soft thresholding.

    Injective only where no coordinate ranges over an interval between -λ and λ.

    Parameters
    ----------
    lambd : float, default 0.5
        The threshold λ, at least 0.

    Examples
    --------
    >>> Softshrink().fit_transform([[-2.0, 0.25, 2.0]])
    array([[-1.5,  0. ,  1.5]])
    """

    lambd: float = 0.5

    _parameter_constraints = {"lambd": [Range(Real, 0, None, closed="left")]}
    ends = (-inf, inf)
    title = "softshrink"

    @property
    def turns(self) -> tuple[float, ...]:  # type: ignore[override]
        return (-float(self.lambd), float(self.lambd)) if self.lambd else ()

    @property
    def ways(self) -> tuple[int, ...]:  # type: ignore[override]
        return (1, 0, 1) if self.lambd else (1,)

    @property
    def piece_slopes(self) -> tuple[float, ...]:  # type: ignore[override]
        return (1.0, 0.0, 1.0) if self.lambd else (1.0,)

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return functional.softshrink(x, float(self.lambd))
