"""Kernels of the Euclidean distance, each a mixture of Gaussians."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from math import inf, isinf, sqrt
from typing import Any, ClassVar, final

import numpy as np
import scipy.special
import torch

from ..errors import ParameterError, show
from ..map.term import Fact
from ..spaces import Space
from .bessel import matern
from .geometry import flat, square_distances
from .known import full_spectrum
from .scale import Stationary, as_fixed, check_number
from .spectral import Spectral

__all__ = ["RBF", "Cauchy", "InverseMultiquadric", "Matern", "Radial", "RationalQuadratic"]


class Radial(Stationary):
    """k(x, y) = f(r²) with r² = Σ_j ((x_j - y_j) / l_j)²; abstract."""

    __slots__ = ()
    sparse: ClassVar[Any] = True

    @abstractmethod
    def profile(self, squares: torch.Tensor) -> torch.Tensor:
        """f(r²); it may write into a tensor that needs no gradient."""

    @abstractmethod
    def mixture(self) -> Callable[[np.ndarray], np.ndarray]:
        """The quantile function of the scale that multiplies a standard normal frequency."""

    @property
    def rough(self) -> bool:
        """Whether f has no finite slope at 0."""
        return False

    @property
    def heavy(self) -> bool:
        """Whether the frequencies have no second moment."""
        return False

    def between(self, x: Any, y: Any) -> torch.Tensor:
        x, y = flat(x), flat(y)
        return self.profile(square_distances(x, y, self.fitting(x), self.rough))

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from full_spectrum(
            "the frequencies have a positive density, a mixture of normal ones"
        )

    def spectral(self) -> tuple[Spectral, ...]:
        return (Spectral("radial", self.mixture(), as_fixed(self.lengths), self.heavy),)


@final
class RBF(Radial):
    """k(x, y) = exp(-γ |x - y|²) = exp(-r²/2), the Gaussian kernel.

    Parameters
    ----------
    gamma : float, "scale", "median", "auto" or None, default None
        γ = 1 / (2 length_scale²). "scale", and None without a `length_scale`, is 1 / (d Var X);
        "median" makes the median distance of at most 1000 rows the length scale; "auto" is 1 / d.
    length_scale : float or array-like of shape (d,), optional
        One scale for all coordinates, or one each, r² = Σ_j ((x_j - y_j) / l_j)².

    References
    ----------
    Universal and characteristic on compact sets: Micchelli, Xu and Zhang (2006), Universal kernels.

    Examples
    --------
    >>> RBF(gamma=0.5)([[0.0, 0.0]], [[1.0, 1.0]]).round(4)
    array([[0.3679]])
    """

    gamma: Any = None
    length_scale: Any = None

    def profile(self, squares: torch.Tensor) -> torch.Tensor:
        if squares.requires_grad:
            return torch.exp(-0.5 * squares)
        return squares.mul_(-0.5).exp_()

    def mixture(self) -> Callable[[np.ndarray], np.ndarray]:
        return np.ones_like


@final
class Matern(Radial):
    """k(x, y) = 2^(1-ν)/Γ(ν) z^ν K_ν(z), z = √(2ν) r, the Matérn kernel.

    For ν = 1/2 it is exp(-r), for ν = 3/2 (1 + √3 r) exp(-√3 r), for ν = 5/2
    (1 + √5 r + 5r²/3) exp(-√5 r), for ν = ∞ the Gaussian kernel exp(-r²/2). Other ν go through the
    Bessel function K_ν, evaluated on the CPU.

    Parameters
    ----------
    nu : float, default 1.5
        ν, positive; at most 100, or ``inf``.
    gamma, length_scale
        As of `RBF`.

    References
    ----------
    Rasmussen and Williams (2006), Gaussian processes for machine learning, equation (4.14); its
    spectral law is a multivariate t with 2ν degrees of freedom, ibid. (4.15).

    Examples
    --------
    >>> Matern(nu=0.5, length_scale=2.0)([[0.0]], [[2.0]]).round(4)
    array([[0.3679]])
    """

    nu: float = 1.5
    gamma: Any = None
    length_scale: Any = None

    def check_parameters(self) -> None:
        if not (isinstance(self.nu, float) and isinf(self.nu) and self.nu > 0):
            check_number(self, "nu")
            if self.nu > 100:
                raise ParameterError(
                    f"The 'nu' parameter of Matern is too great for its Bessel function: "
                    f"{show(self.nu)}.",
                    got=f"nu={show(self.nu)}",
                    need="nu <= 100, or inf",
                    do="Matern(nu=float('inf')), which differs by less than 1 / nu",
                )
        super().check_parameters()

    @property
    def rough(self) -> bool:
        return self.nu <= 1

    @property
    def heavy(self) -> bool:
        return self.nu <= 1

    def profile(self, squares: torch.Tensor) -> torch.Tensor:
        nu = float(self.nu)
        if nu == inf:
            return torch.exp(-0.5 * squares)
        if nu not in (0.5, 1.5, 2.5):
            return matern(squares, nu)
        z = _root(squares, sqrt(2.0 * nu))
        decay = torch.exp(-z)
        if nu == 0.5:
            return decay
        if nu == 1.5:
            return torch.addcmul(decay, z, decay)
        return (1.0 + z + z.square() / 3.0) * decay

    def mixture(self) -> Callable[[np.ndarray], np.ndarray]:
        nu = float(self.nu)
        if nu == inf:
            return np.ones_like
        return lambda u: np.sqrt(nu / scipy.special.gammainccinv(nu, u))


@final
class RationalQuadratic(Radial):
    """k(x, y) = (1 + r²/(2α))^(-α), a Gamma mixture of Gaussian kernels.

    Parameters
    ----------
    alpha : float, default 1.0
        α, positive.
    gamma, length_scale
        As of `RBF`.

    References
    ----------
    Rasmussen and Williams (2006), Gaussian processes for machine learning, equation (4.19).

    Examples
    --------
    >>> RationalQuadratic(alpha=1.0, length_scale=1.0)([[0.0]], [[2.0]]).round(4)
    array([[0.3333]])
    """

    alpha: float = 1.0
    gamma: Any = None
    length_scale: Any = None

    def check_parameters(self) -> None:
        check_number(self, "alpha")
        super().check_parameters()

    def profile(self, squares: torch.Tensor) -> torch.Tensor:
        alpha = float(self.alpha)
        return torch.exp(-alpha * torch.log1p(squares / (2.0 * alpha)))

    def mixture(self) -> Callable[[np.ndarray], np.ndarray]:
        alpha = float(self.alpha)
        return lambda u: np.sqrt(scipy.special.gammaincinv(alpha, u) / alpha)


@final
class Cauchy(Radial):
    """k(x, y) = 1 / (1 + γ |x - y|²), the rational quadratic kernel with α = 1.

    Parameters
    ----------
    gamma, length_scale
        As of `RBF`, γ = 1 / (2 length_scale²).

    References
    ----------
    Rasmussen and Williams (2006), Gaussian processes for machine learning, equation (4.19).

    Examples
    --------
    >>> Cauchy(gamma=1.0)([[0.0]], [[1.0]])
    array([[0.5]])
    """

    gamma: Any = None
    length_scale: Any = None

    def profile(self, squares: torch.Tensor) -> torch.Tensor:
        return 1.0 / (1.0 + 0.5 * squares)

    def mixture(self) -> Callable[[np.ndarray], np.ndarray]:
        return lambda u: np.sqrt(-np.log1p(-u))


@final
class InverseMultiquadric(Radial):
    """k(x, y) = (1 + γ |x - y|²)^(-1/2).

    Parameters
    ----------
    gamma, length_scale
        As of `RBF`, γ = 1 / (2 length_scale²).

    References
    ----------
    Micchelli (1986), Interpolation of scattered data: distance matrices and conditionally positive
    definite functions.

    Examples
    --------
    >>> InverseMultiquadric(gamma=3.0)([[0.0]], [[1.0]])
    array([[0.5]])
    """

    gamma: Any = None
    length_scale: Any = None

    def profile(self, squares: torch.Tensor) -> torch.Tensor:
        return torch.rsqrt(1.0 + 0.5 * squares)

    def mixture(self) -> Callable[[np.ndarray], np.ndarray]:
        return lambda u: np.sqrt(scipy.special.gammaincinv(0.5, u))


def _root(squares: torch.Tensor, factor: float) -> torch.Tensor:
    """factor √s, with slope 0 at 0, where it has none."""
    if not squares.requires_grad:
        return squares.sqrt_().mul_(factor)
    away = squares > 0
    return torch.where(away, squares, 1.0).sqrt() * away * factor
