"""Kernels of the inner product."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from math import comb, factorial
from numbers import Integral
from typing import Any, ClassVar, final

import numpy as np
import scipy.sparse
import torch

from ..errors import ParameterError, show
from ..map.term import Fact
from ..proof import Reason
from ..property import (
    Characteristic,
    Continuous,
    NonVanishing,
    PositiveDefinite,
    StrictlyPositiveDefinite,
    Universal,
)
from ..spaces import Space
from .base import Kernel
from .configurations import collinear, opposite
from .geometry import flat, products, square_norms
from .known import at_zero, homogeneous, lost, without_zero
from .scale import check_number, ones, scale_gamma

__all__ = ["Constant", "Cosine", "Dot", "Exponential", "Linear", "PolynomialKernel"]


class Dot(Kernel):
    """k(x, y) = Σ_n a_n (x·y)^n with a_n >= 0; abstract."""

    __slots__ = ()
    sparse: ClassVar[Any] = True

    @abstractmethod
    def profile(self, products: torch.Tensor) -> torch.Tensor:
        """Σ_n a_n t^n of the inner products t; it may write into one that needs no gradient."""

    def between(self, x: Any, y: Any) -> torch.Tensor:
        return self.profile(products(flat(x), flat(y)))

    def diagonal(self, x: Any) -> torch.Tensor:
        return self.profile(square_norms(flat(x)))


@final
class Linear(Dot):
    """k(x, y) = x·y.

    Examples
    --------
    >>> Linear()([[1.0, 2.0]], [[3.0, 4.0]])
    array([[11.]])
    """

    def profile(self, products: torch.Tensor) -> torch.Tensor:
        return products

    def series(self, n: int) -> np.ndarray:
        return (np.arange(n + 1) == 1).astype(np.float64)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield PositiveDefinite, "an inner product"
        yield Continuous, "an inner product"
        yield from at_zero(on)
        yield from _half_space(on)


@final
class Constant(Dot):
    """k(x, y) = c, a constant; written as a number in a sum.

    Parameters
    ----------
    value : float, default 1.0
        c, positive.

    Examples
    --------
    >>> (Linear() + 2)([[1.0]], [[3.0]])
    array([[5.]])
    """

    value: float = 1.0

    def check_parameters(self) -> None:
        super().check_parameters()
        check_number(self, "value")

    def profile(self, products: torch.Tensor) -> torch.Tensor:
        return torch.full_like(products, float(self.value))

    def between(self, x: Any, y: Any) -> torch.Tensor:
        return torch.outer(self.diagonal(x), ones(y))

    def diagonal(self, x: Any) -> torch.Tensor:
        return ones(x) * float(self.value)

    def series(self, n: int) -> np.ndarray:
        return float(self.value) * (np.arange(n + 1) == 0)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield PositiveDefinite, "c > 0"
        yield Continuous, "a constant"
        yield NonVanishing, "the functions are the constants"
        if on.single:
            yield Universal, "a constant is every function on one point"
        pair = collinear(on, 2)
        members = on.enumerate() if pair is None else None
        if members is not None and len(members) > 1:
            pair = members[:2]
        if pair is not None:
            yield from lost(pair, [1.0, -1.0], "k(x, ·) is the same for all x")


class _Scaled(Dot):
    """A kernel of γ x·y; abstract."""

    __slots__ = ()

    def check_parameters(self) -> None:
        super().check_parameters()
        value = self.gamma  # type: ignore[attr-defined]
        if isinstance(value, str) and value in ("scale", "auto"):
            return
        if isinstance(value, str):
            raise ParameterError(
                f"The 'gamma' parameter of {type(self).__name__} does not name a way to find a "
                f"scale. Got {show(value)} instead.",
                got=f"gamma={show(value)}",
                need="a finite number > 0, 'scale' or 'auto'",
                do=f"{type(self).__name__}(gamma=1.0)",
            )
        check_number(self, "gamma")

    @property
    def closed(self) -> bool:
        return not isinstance(self.gamma, str)  # type: ignore[attr-defined]

    def close(self, x: Any) -> Any:
        rows = x if scipy.sparse.issparse(x) else x.detach().flatten(1)
        auto = self.gamma == "auto"  # type: ignore[attr-defined]
        return self.with_parameters(gamma=1.0 / rows.shape[1] if auto else scale_gamma(rows))


@final
class PolynomialKernel(_Scaled):
    """k(x, y) = (γ x·y + c)^p, the polynomial kernel.

    Parameters
    ----------
    degree : int, default 3
        p, at least 1.
    gamma : float, "scale" or "auto", default 1.0
        γ; "scale" is 1 / (d Var X), "auto" is 1 / d, both as in scikit-learn.
    coef0 : float, default 1.0
        c >= 0; a negative one would make some kernel matrices indefinite.

    References
    ----------
    Its functions are the polynomials of degree p: never dense on an infinite set.

    Examples
    --------
    >>> PolynomialKernel(degree=2)([[1.0, 2.0]], [[3.0, 4.0]])
    array([[144.]])
    """

    degree: int = 3
    gamma: Any = 1.0
    coef0: float = 1.0

    def check_parameters(self) -> None:
        super().check_parameters()
        whole = isinstance(self.degree, Integral) and not isinstance(self.degree, bool)
        if not whole or self.degree < 1:
            raise ParameterError(
                f"The 'degree' parameter of PolynomialKernel must be an int >= 1. Got "
                f"{show(self.degree)} instead.",
                got=f"degree={show(self.degree)}",
                need="an int >= 1",
                do="PolynomialKernel(degree=2)",
            )
        check_number(self, "coef0", included=True)

    def profile(self, products: torch.Tensor) -> torch.Tensor:
        self.require_closed()
        base, p = float(self.gamma) * products + float(self.coef0), int(self.degree)
        return base if p == 1 else base.square() if p == 2 else base**p

    def series(self, n: int) -> np.ndarray:
        self.require_closed()
        p, g, c = int(self.degree), float(self.gamma), float(self.coef0)
        return np.array([comb(p, k) * g**k * c ** (p - k) if k <= p else 0.0 for k in range(n + 1)])

    def facts(self, on: Space) -> Iterator[Fact]:
        yield PositiveDefinite, "a polynomial of an inner product with coefficients >= 0"
        yield Continuous, "a polynomial of an inner product"
        if self.coef0:
            yield NonVanishing, "k - c^p is positive definite, so the constants are in the space"
        else:
            yield from at_zero(on)
            yield from _half_space(on)


@final
class Exponential(_Scaled):
    """k(x, y) = exp(γ x·y), the exponential or softmax kernel.

    Parameters
    ----------
    gamma : float, "scale" or "auto", default 1.0
        γ; "scale" is 1 / (d Var X), "auto" is 1 / d.

    References
    ----------
    Steinwart (2001), On the influence of the kernel on the consistency of support vector machines:
    a power series with positive coefficients is universal.

    Examples
    --------
    >>> Exponential()([[1.0, 0.0]], [[1.0, 5.0]]).round(4)
    array([[2.7183]])
    """

    gamma: Any = 1.0

    def profile(self, products: torch.Tensor) -> torch.Tensor:
        self.require_closed()
        return torch.exp(float(self.gamma) * products)

    def series(self, n: int) -> np.ndarray:
        self.require_closed()
        return np.array([float(self.gamma) ** k / factorial(k) for k in range(n + 1)])

    def facts(self, on: Space) -> Iterator[Fact]:
        yield PositiveDefinite, "a power series of an inner product with coefficients > 0"
        yield Continuous, "an exponential of an inner product"
        text = (
            "k(x, y) = h(x) h(y) exp(-γ|x - y|²/2) with h(x) = exp(γ|x|²/2) > 0: the functions of "
            "the Gaussian kernel times h, and ∫ k dν = 0 gives hν = 0"
        )
        cite = "by its power series: Steinwart 2001"
        yield Universal, Reason(text, cite=cite)
        yield Characteristic, Reason(text)


@final
class Cosine(Kernel):
    """k(x, y) = x·y / (|x| |y|), the cosine of the angle; 0 where a row is 0.

    Examples
    --------
    >>> Cosine()([[1.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]).round(4)
    array([[0.7071, 0.    ]])
    """

    sparse: ClassVar[Any] = True

    def between(self, x: Any, y: Any) -> torch.Tensor:
        return products(directions(flat(x)), directions(flat(y)))

    def diagonal(self, x: Any) -> torch.Tensor:
        rows = flat(x)
        return ones(rows) * (square_norms(rows) > 0)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield PositiveDefinite, "the inner product of directions"
        if without_zero(on):
            yield Continuous, "the inner product of directions"
            yield from _half_space(on)
        yield from homogeneous(on, 0)
        if (pair := opposite(on)) is not None:
            yield from lost(pair, [1.0, 1.0], "k(-x, ·) = -k(x, ·)")
        zero = np.zeros((1, *on.shape))
        if bool(on.surely_contains(zero).all()):
            yield from lost(zero, [1.0], "k(0, ·) = 0")
        if on.infinite:
            text = "the functions have d dimensions, and more points than d + 1 are dependent"
            yield ~StrictlyPositiveDefinite, text
            yield ~Characteristic, text


def _half_space(on: Space) -> Iterator[Fact]:
    """Of a kernel whose space has every coordinate, a power of it or a positive multiple of it."""
    low, high = on.bounds()
    if (low > 0).any() or (high < 0).any():
        yield NonVanishing, "some coordinate has no zero"


def directions(x: Any) -> Any:
    """The rows divided by their norms; rows of zeros stay."""
    if scipy.sparse.issparse(x):
        most = np.abs(x).max(axis=1).toarray().ravel().astype(np.float64)
        x = scipy.sparse.diags_array(1.0 / np.where(most > 0, most, 1.0)).tocsr() @ x
        norms = np.sqrt(square_norms(x).numpy().astype(np.float64))
        return (scipy.sparse.diags_array(1.0 / np.where(norms > 0, norms, 1.0)).tocsr() @ x).astype(
            x.dtype
        )
    # Numbers near the ends of the floating-point range have squares outside it.
    most = x.detach().abs().amax(1, keepdim=True)
    x = x / torch.where(most > 0, most, 1.0)
    squares = x.square().sum(1, keepdim=True)
    return x / torch.where(squares > 0, squares, 1.0).sqrt()
