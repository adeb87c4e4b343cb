"""The spectral law of a stationary kernel: the frequencies whose cosines have it as their mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

__all__ = ["Spectral"]


@final
@dataclass(frozen=True)
class Spectral:
    """The law of w for which k(x, y) = E cos(w·(x - y)).

    Every draw goes through uniform numbers, so that independent, stratified and quasi-random points
    serve alike.

    Parameters
    ----------
    kind : {"radial", "separable"}
        ``"radial"``: w = q(u) g / length, where g is standard normal in R^d and u one uniform
        number in (0, 1) for each frequency: a Gaussian mixture of scales. ``"separable"``:
        coordinate j of w is q(u_j) / length_j with independent uniform u_j.
    quantile : callable
        q, from an array of numbers in (0, 1) to an array of that shape.
    length : float or ndarray of shape (d,), default 1
        Length scales, one for all coordinates or one each.
    heavy : bool, default False
        Whether q has no second moment: the phases are then large, and are computed in float64.

    References
    ----------
    Bochner's theorem; Rahimi and Recht (2007), Random features for large-scale kernel machines,
    Theorem 1.
    """

    kind: Literal["radial", "separable"]
    quantile: Callable[[np.ndarray], np.ndarray]
    length: float | np.ndarray = 1.0
    heavy: bool = False
