"""The exact features of a polynomial kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import comb, inf, isqrt, nextafter, sqrt
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Interval, Real

from .. import kernels
from ..errors import ParameterError
from ..interval import multiply, widen
from ..map import Fact, FeatureMap, Given
from ..map.items import rows_only
from ..proof import Reason, Strength
from ..property import (
    Bounded,
    Continuous,
    Lipschitz,
    LowerLipschitz,
    PositivelyHomogeneous,
    Smooth,
)
from ..spaces import Box, Image, Space
from .monomial_plan import MonomialPlan
from .monomials import separation
from .polynomial import Polynomial

__all__ = ["ExplicitPolynomial"]


@final
class ExplicitPolynomial(FeatureMap):
    """x ↦ (√(a_k |a|! / (a_1! ⋯ a_d!)) x^a)_{|a| = k <= p}, with (γ t + c)^p = Σ a_k t^k.

    The inner product of two features is the polynomial kernel (γ x·y + c)^p exactly. For d
    coordinates there are C(d + p, p) features, and C(d + p - 1, p) if c = 0; see `width` and
    `nbytes`, which compute nothing else.

    Parameters
    ----------
    degree : int, default 2
        p >= 1.
    gamma : float, default 1.0
        γ > 0.
    coef0 : float, default 1.0
        c >= 0.
    max_bytes : int or None, default 4294967296
        The greatest size of a result; data for which it would be greater are refused before
        anything is computed. None refuses none.

    Notes
    -----
    The derivative at x has the norm √(pγ s^(p-1) + p(p-1)γ² s^(p-2) |x|²) with s = γ|x|² + c, which
    grows with |x|. For c > 0, √(pγc^(p-1)) x is among the features, so the map is injective. For
    c = 0 all features have the degree p: φ(x) = φ(y) only for y = x or, if p is even, for y = -x.

    References
    ----------
    Shawe-Taylor and Cristianini (2004), Kernel methods for pattern analysis, Section 9.1.

    Examples
    --------
    >>> phi = ExplicitPolynomial(degree=2, coef0=1.0)
    >>> phi.transform([[1.0, 2.0]]) @ phi.transform([[3.0, -1.0]]).T
    array([[4.]])
    >>> phi.width(64), phi.nbytes(10_000, 64)
    (2145, 171600000)
    """

    degree: int = 2
    gamma: float = 1.0
    coef0: float = 1.0
    max_bytes: int | None = 2**32

    _parameter_constraints = {
        "degree": [Interval(Integral, 1, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "coef0": [Real],
        "max_bytes": [Interval(Integral, 1, None, closed="left"), None],
    }

    def check_parameters(self) -> None:
        super().check_parameters()
        if not 0 <= float(self.coef0) < inf:
            raise ParameterError(
                "The 'coef0' parameter of ExplicitPolynomial must be a finite number >= 0. Got "
                f"{self.coef0!r} instead.",
                got=f"coef0={self.coef0!r}",
                need="c >= 0: for c < 0, (γ x·y + c)^p is no positive definite kernel",
                do="ExplicitPolynomial(coef0=0.0), or shift the data instead",
            )
        largest = [a * sqrt(comb(int(self.degree), k)) for k, a in enumerate(self._sizes())]
        if not np.isfinite(largest).all():
            raise ParameterError(
                "The coefficients of the polynomial leave the range of numbers.",
                got=f"degree={self.degree}, gamma={self.gamma!r}, coef0={self.coef0!r}",
                need="powers of gamma and coef0 that are finite",
                do="a smaller degree, or smaller numbers",
            )

    def _sizes(self) -> list[float]:
        """a_0, ..., a_p."""
        p, gamma, c = int(self.degree), float(self.gamma), float(self.coef0)
        try:
            return [comb(p, k) * gamma**k * c ** (p - k) for k in range(p + 1)]
        except OverflowError:
            return [inf]

    @property
    def sparse(self) -> bool:
        return True

    @property
    def estimates(self) -> Any:
        """The kernel that the inner products are."""
        return kernels.PolynomialKernel(int(self.degree), float(self.gamma), float(self.coef0))

    # --- size --------------------------------------------------------------------------------
    def width(self, d: int) -> int:
        """The number of features for d coordinates.

        Parameters
        ----------
        d : int

        Returns
        -------
        int
        """
        p = int(self.degree)
        return comb(d + p, p) if self.coef0 > 0 else comb(d + p - 1, p)

    def nbytes(self, n: int, d: int, dtype: Any = np.float64) -> int:
        """The bytes of the features of n rows of d coordinates.

        Parameters
        ----------
        n, d : int
        dtype : dtype, default float64

        Returns
        -------
        int
        """
        return n * self.width(d) * np.dtype(dtype).itemsize

    def _check_size(self, n: int, shape: Sequence[int], itemsize: int) -> None:
        rows_only(self, (n, *shape))
        d = int(shape[0])
        size = n * self.width(d) * itemsize
        if self.max_bytes is not None and size > self.max_bytes:
            raise ParameterError(
                f"ExplicitPolynomial would give {self.width(d)} features, {size} bytes for "
                f"{n} row{'s' * (n != 1)}.",
                got=f"degree={self.degree} on {d} coordinates, max_bytes={self.max_bytes}",
                need=f"at most {self.max_bytes} bytes",
                do="pm.ProductSketch or pm.TensorSketch, a smaller degree, or a greater max_bytes",
            )

    def bound(self, x: Any, given: Given) -> Any:
        closed = super().bound(x, given)
        self._check_size(x.shape[0], x.shape[1:], x.dtype.itemsize)
        return closed

    def transform(self, X: Any, out: Any = None) -> Any:
        """Evaluate the map, after its size is checked; see `FeatureMap.transform`."""
        shape: tuple[int, ...] = getattr(X, "shape", ())
        if len(shape) == 2:
            single = str(getattr(X, "dtype", "")).removeprefix("torch.") == "float32"
            self._check_size(int(shape[0]), shape[1:], 4 if single else 8)
        return super().transform(X, out=out)

    # --- values ------------------------------------------------------------------------------
    def _plan(self, d: int) -> MonomialPlan:
        if ("plan", d) not in self._cache:
            self._check_size(1, (d,), 4)
            sizes, p = self._sizes()[1:], int(self.degree)
            if self.coef0 > 0:
                plan = MonomialPlan(d, p, kernel=tuple(sizes))
            else:
                # What is only computed on the way has any scale.
                plan = MonomialPlan(d, p, least=p, kernel=(*[1.0] * (p - 1), sizes[-1]))
            self._cache["plan", d] = plan
        return self._cache["plan", d]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._check_size(1, x.shape[1:], 4)
        n, d = x.shape
        if not (x.requires_grad and torch.is_grad_enabled()):
            out = x.new_empty((n, self.width(d)))
            self.write(x, out)
            return out
        first = [x.new_full((n, 1), sqrt(self._sizes()[0]))] if self.coef0 > 0 else []
        return torch.cat([*first, self._plan(d).tracked(x)], dim=1)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        self._check_size(1, x.shape[1:], 4)
        constant = int(self.coef0 > 0)
        if constant:
            out[:, 0] = sqrt(self._sizes()[0])
        self._plan(x.shape[1]).write(x, out[:, constant:])

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        return self._plan(shape[0]).rows(itemsize) if len(shape) == 1 else None

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (self.width(int(np.prod(shape))),)

    def _monomials(self) -> Polynomial:
        p, constant = int(self.degree), bool(self.coef0 > 0)
        return Polynomial((1 if constant else p, p), include_bias=constant)

    def weights_of(self, d: int) -> np.ndarray:
        """The factors of the monomials of d coordinates, in the order of the features."""
        with torch.no_grad():
            return self.forward(torch.ones((1, d), dtype=torch.float64))[0].numpy()

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        plain = self._monomials().names_out(names, shape, label)
        factors = self.weights_of(len(names))
        shown = [f"{w:.6g}" for w in factors]
        return [n if w == "1" else f"{w} {n}" for n, w in zip(plain, shown, strict=True)]

    # --- facts -------------------------------------------------------------------------------
    def image(self, on: Space) -> Image:
        if self.width(on.size) > 20_000:
            return super().image(on)
        ends = [b.ravel() for b in self._monomials().image(on).outer.bounds()]
        factors, slack = self.weights_of(on.size), 8 * (int(self.degree) + 1)
        with np.errstate(over="ignore"):
            low, high = (np.where(e == 0, 0.0, e * factors) for e in ends)
        return Image(Box(widen(low, False, slack), widen(high, True, slack)))

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "its coordinates are multiples of monomials"
        yield Smooth(inf), "its coordinates are multiples of monomials"
        p, gamma, c = int(self.degree), Fraction(float(self.gamma)), Fraction(float(self.coef0))
        least = p * gamma * (c ** (p - 1) if p > 1 else 1)
        if least > 0:
            bottom = _root(least, up=False)
            text = f"{bottom:.6g} x is among the coordinates"
            yield LowerLipschitz(bottom), Reason(text, Strength.DEFINITION)
        else:
            factor = _root(gamma**p, up=False)
            for claim, why in separation(self._monomials(), on):
                scaled = claim.bound is not None and claim.base == LowerLipschitz
                if scaled:
                    claim = LowerLipschitz(multiply([claim.number, factor], up=False))
                yield claim, why
        if c == 0:
            yield PositivelyHomogeneous(p), "all coordinates have the degree p"
        reach = on.reach(np.zeros(on.shape))
        if reach < inf:
            square = Fraction(reach) ** 2
            steep, size = self._slope(square), (gamma * square + c) ** p
            why = Reason("the norm of the derivative grows with |x|", Strength.COMPUTED)
            yield Lipschitz(_root(steep, up=True)), why
            yield Bounded(_root(size, up=True)), Reason("|φ(x)|² = (γ|x|² + c)^p", why.strength)
        yield from self._attained(on, least)

    def _slope(self, square: Fraction) -> Fraction:
        """The squared norm of the derivative where |x|² has this value."""
        p, gamma, c = int(self.degree), Fraction(float(self.gamma)), Fraction(float(self.coef0))
        s = gamma * square + c
        if p == 1:
            return gamma
        return p * gamma * s ** (p - 1) + p * (p - 1) * gamma**2 * s ** (p - 2) * square

    def _attained(self, on: Space, least: Fraction) -> Iterator[Fact]:
        box, p = on.inner_box(), int(self.degree)
        if box is None:
            return
        low, high = box.low.ravel(), box.high.ravel()
        far = np.maximum(np.abs(low), np.abs(high))
        why = Reason("the norm of the derivative comes near it", Strength.COMPUTED)
        if np.isinf(far).any():
            if p > 1:
                yield (~Lipschitz)(inf), "the norm of the derivative grows without bound"
        else:
            square = sum((Fraction(float(v)) ** 2 for v in far), Fraction(0))
            yield (~Lipschitz)(_root(self._slope(square), up=False)), why
        if (low < 0).all() and (high > 0).all():
            yield (~LowerLipschitz)(_root(least, up=True)), "the slope at 0"


def _root(exact: Fraction, up: bool) -> float:
    """The square root, rounded up or down."""
    if exact == 0:
        return 0.0
    # Scaled by a power of 4 to an integer of some 128 bits.
    shift = 64 - (exact.numerator.bit_length() - exact.denominator.bit_length()) // 2
    whole = isqrt(int(exact * Fraction(4) ** shift))
    # An isqrt that is rounded down is within 1 of the root.
    near = Fraction(whole + up) / Fraction(2) ** shift
    try:
        value = float(near)
    except OverflowError:
        return inf if up else float(np.finfo(np.float64).max)
    if up:
        return value if Fraction(value) >= near else nextafter(value, inf)
    return value if Fraction(value) <= near else nextafter(value, 0.0)
