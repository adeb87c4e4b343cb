"""Stationary kernels that are products over the coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf, pi
from typing import Any, ClassVar, final

import numpy as np
import scipy.special
import torch

from ..map.term import Fact
from ..property import Characteristic, Continuous, NonVanishing, PositiveDefinite, Universal
from ..spaces import Space
from .base import Kernel
from .configurations import period
from .geometry import city_distances, flat, like, square_distances
from .known import full_spectrum, lost, narrower
from .scale import Stationary, as_fixed, as_length, check_length, check_width, ones
from .spectral import Spectral

__all__ = ["Laplacian", "Periodic"]


@final
class Laplacian(Stationary):
    """k(x, y) = exp(-Σ_j |x_j - y_j| / l_j), the Laplacian kernel of the l1 distance.

    Parameters
    ----------
    gamma : float, "scale", "median", "auto" or None, default None
        γ = 1 / length_scale. "scale", and None without a `length_scale`, is 1 / (d std X);
        "median" makes the median l1 distance of at most 1000 rows the length scale; "auto" is
        1 / d.
    length_scale : float or array-like of shape (d,), optional
        One scale for all coordinates, or one each.

    References
    ----------
    Rahimi and Recht (2007), Random features for large-scale kernel machines, Figure 1.

    Examples
    --------
    >>> Laplacian(gamma=0.5)([[0.0, 0.0]], [[1.0, -1.0]]).round(4)
    array([[0.3679]])
    """

    gamma: Any = None
    length_scale: Any = None
    linear: ClassVar[bool] = True

    def between(self, x: Any, y: Any) -> torch.Tensor:
        x, y = flat(x), flat(y)
        length = self.fitting(x)
        # The common point is subtracted before the scale rounds the numbers.
        centre = y.detach().mean(0)
        each = length if isinstance(length, float) else like(length, x)
        return torch.exp(-city_distances((x - centre) / each, (y - centre) / each))

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from full_spectrum(
            "the frequencies have a positive density, a product of Cauchy ones"
        )

    def spectral(self) -> tuple[Spectral, ...]:
        return (Spectral("separable", _cauchy, as_fixed(self.lengths), heavy=True),)


def _cauchy(u: np.ndarray) -> np.ndarray:
    return np.tan(pi * (u - 0.5))


@final
class Periodic(Kernel):
    """k(x, y) = Π_j exp(-2 sin²(π (x_j - y_j) / p_j) / l_j²), of period p in every coordinate.

    In one coordinate it is scikit-learn's ``ExpSineSquared``; in more of them that one, a function
    of the Euclidean distance, is not positive definite, and this one is.

    Parameters
    ----------
    period : float or array-like of shape (d,), default 1.0
        p, one for all coordinates or one each.
    length_scale : float or array-like of shape (d,), default 1.0
        l, one for all coordinates or one each.

    References
    ----------
    Rasmussen and Williams (2006), Gaussian processes for machine learning, equation (4.31), for one
    coordinate and period 2π.

    Examples
    --------
    >>> Periodic(period=2.0)([[0.0]], [[2.0], [1.0]]).round(4)
    array([[1.    , 0.1353]])
    """

    period: Any = 1.0
    length_scale: Any = 1.0

    def check_parameters(self) -> None:
        super().check_parameters()
        check_length(self, "period")
        check_length(self, "length_scale")

    def between(self, x: Any, y: Any) -> torch.Tensor:
        x, y = flat(x), flat(y)
        centre = y.detach().mean(0)
        squares = square_distances(self._wound(x - centre), self._wound(y - centre))
        return torch.exp(-0.5 * squares)

    def _wound(self, x: torch.Tensor) -> torch.Tensor:
        """The rows on circles of radius 1/l, whose squared chords are 4 sin²(π δ/p) / l²."""
        each, length = (
            like(check_width(self, name, as_length(getattr(self, name)), x), x)
            for name in ("period", "length_scale")
        )
        turns = x / each
        angle = 2.0 * pi * (turns - turns.detach().round())
        return torch.cat((angle.cos() / length, angle.sin() / length), dim=1)

    def diagonal(self, x: Any) -> torch.Tensor:
        return ones(x)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield PositiveDefinite, "the Gaussian kernel of points on circles"
        yield Continuous, "a continuous function of sines"
        yield NonVanishing, "k(·, y) > 0"
        periods = np.ravel(as_fixed(self.period))
        if periods.size not in (1, on.size):
            return
        if narrower(on, periods):
            text = (
                "the Gaussian kernel after winding each coordinate around a circle, which is "
                "injective where the space is narrower than the period"
            )
            yield Universal, text
            yield Characteristic, text
        shape = np.broadcast_to(periods, (on.size,)).reshape(on.shape)
        pair = period(on, shape)
        if pair is not None:
            yield from lost(pair, [1.0, -1.0], "k(x + p, ·) = k(x, ·)")

    def spectral(self) -> tuple[Spectral, ...]:
        turn, length = (as_fixed(v) for v in (self.period, self.length_scale))
        if isinstance(length, float):
            return (Spectral("separable", _harmonics(1.0 / length**2), turn / (2.0 * pi)),)
        # Coordinates of one length scale share a law; an infinite length leaves the others out.
        laws = []
        for value in np.unique(np.asarray(length)):
            reach = np.where(np.asarray(length) == value, turn / (2.0 * pi), inf)
            laws.append(Spectral("separable", _harmonics(1.0 / float(value) ** 2), reach))
        return tuple(laws)


def _harmonics(z: float) -> Callable[[np.ndarray], np.ndarray]:
    """The quantile function of the integers k with weights e^{-z} I_k(z).

    They are the Fourier coefficients of exp(z (cos t - 1)).
    """
    most = int(np.ceil(40.0 + z**0.5 * 40.0 if z > 1 else 40.0))
    k = np.arange(-most, most + 1)
    steps = np.cumsum(scipy.special.ive(np.abs(k), z))
    steps /= steps[-1]

    def quantile(u: np.ndarray) -> np.ndarray:
        return k[np.minimum(np.searchsorted(steps, u), len(k) - 1)].astype(np.float64)

    return quantile
