"""Monomials up to a degree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement
from math import comb, inf
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Interval

from ..errors import ParameterError, show
from ..interval import root_sum_squares
from ..kernels import Exponential, Kernel
from ..map import Fact, FeatureMap
from ..map.items import rows_only
from ..proof import Reason, Strength
from ..property import Continuous, Lipschitz, LowerLipschitz, PositivelyHomogeneous, Smooth
from ..spaces import Box, Image, Space
from .monomial_plan import MonomialPlan
from .monomials import separation

__all__ = ["Polynomial"]

# Beyond this width the output is refused before anything is computed.
WIDEST = 2_000_000
MOST = float(np.finfo(np.float64).max)


@final
class Polynomial(FeatureMap):
    """x ↦ (x^a)_{m <= |a| <= degree}, all monomials of degrees in a range.

    Parameters
    ----------
    degree : int or tuple of (int, int), default 2
        The greatest degree, or the least (m) and the greatest. An int stands for m = 1.
    interaction_only : bool, default False
        Whether each coordinate occurs at most once in a monomial.
    include_bias : bool, default True
        Whether the constant monomial 1 is among them.

    Notes
    -----
    The monomials stand in the order of scikit-learn's ``PolynomialFeatures``: by degree, then
    lexicographically. For m <= 1, x itself is among them, so the map is injective and shrinks no
    distance. For m >= 2 it is injective if an odd degree is among them, as each x_i^k is then; an
    even degree alone gives φ(x) = φ(-x), and φ(x) = φ(y) only for y = ±x. Interactions alone do not
    see points with fewer than m coordinates other than 0.

    Examples
    --------
    >>> Polynomial().fit_transform([[2.0, 3.0]])
    array([[1., 2., 3., 4., 6., 9.]])
    >>> Polynomial((2, 2), include_bias=False).fit_transform([[2.0, 3.0]])
    array([[4., 6., 9.]])
    """

    degree: Any = 2
    interaction_only: bool = False
    include_bias: bool = True

    _parameter_constraints = {
        "degree": [Interval(Integral, 0, None, closed="left"), tuple, list],
        "interaction_only": ["boolean"],
        "include_bias": ["boolean"],
    }

    def check_parameters(self) -> None:
        super().check_parameters()
        pair = (0, self.degree) if isinstance(self.degree, Integral) else tuple(self.degree)
        whole = all(isinstance(k, Integral) and not isinstance(k, bool) for k in pair)
        if len(pair) != 2 or not whole or not 0 <= pair[0] <= pair[1]:
            raise ParameterError(
                "The 'degree' parameter of Polynomial is no range of degrees.",
                got=f"degree={show(self.degree)}",
                need="an int >= 0, or a pair of them, the smaller first",
                do="Polynomial(3) or Polynomial((2, 3))",
            )
        if pair[1] == 0 and not self.include_bias:
            raise ParameterError(
                "Polynomial has no monomials.",
                got=f"degree={show(self.degree)}, include_bias=False",
                need="a degree of at least 1, or the constant",
                do="Polynomial(2)",
            )

    def spans(self, d: int) -> Kernel | None:
        # All monomials are functions of this kernel, whose power series has no coefficient 0.
        every = isinstance(self.degree, Integral) and not self.interaction_only
        return Exponential(gamma=1.0) if every else None

    def degrees(self, d: int) -> range:
        """The degrees of the monomials of d coordinates, the constant aside."""
        whole = isinstance(self.degree, Integral)
        least, most = (1, self.degree) if whole else self.degree  # type: ignore[misc]
        most = min(int(most), d) if self.interaction_only else int(most)
        return range(max(1, int(least)), most + 1)

    def _count(self, d: int, k: int) -> int:
        return comb(d, k) if self.interaction_only else comb(d + k - 1, k)

    def width(self, d: int) -> int:
        """The number of monomials for d coordinates."""
        return sum(self._count(d, k) for k in self.degrees(d)) + bool(self.include_bias)

    def _check_width(self, d: int) -> None:
        # Those of smaller degrees are computed on the way.
        width = sum(self._count(d, k) for k in range(1, self.degrees(d).stop)) + 1
        if width > WIDEST or not self.width(d):
            raise ParameterError(
                f"Polynomial would give {width if self.width(d) else 0} features.",
                got=f"degree={self.degree} on {d} coordinates",
                need=f"at least 1 and at most {WIDEST} features",
                do="a smaller degree, interaction_only=True, or fewer columns (pm.Select)"
                if self.width(d)
                else "a smaller least degree, or include_bias=True",
            )

    def monomials(self, d: int) -> list[tuple[int, ...]]:
        """The coordinates in each monomial, with repetition."""
        self._check_width(d)
        choose: Any = combinations if self.interaction_only else combinations_with_replacement
        bias: list[tuple[int, ...]] = [()] if self.include_bias else []
        return bias + [c for k in self.degrees(d) for c in choose(range(d), k)]

    def _plan(self, d: int) -> MonomialPlan:
        if ("plan", d) not in self._cache:
            self._check_width(d)
            degrees = self.degrees(d)
            self._cache["plan", d] = MonomialPlan(
                d, degrees.stop - 1, bool(self.interaction_only), degrees.start
            )
        return self._cache["plan", d]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows_only(self, x.shape)
        n, d = x.shape
        plan = self._plan(d)
        if not (x.requires_grad and torch.is_grad_enabled()):
            out = x.new_empty((n, self.width(d)))
            self.write(x, out)
            return out
        bias = [x.new_ones((n, 1))] if self.include_bias else []
        return torch.cat([*bias, plan.tracked(x) if self.degrees(d) else x[:, :0]], dim=1)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        rows_only(self, x.shape)
        plan = self._plan(x.shape[1])
        if self.include_bias:
            out[:, 0] = 1
        if self.degrees(x.shape[1]):
            plan.write(x, out[:, int(self.include_bias) :])

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        return self._plan(shape[0]).rows(itemsize) if len(shape) == 1 else None

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (self.width(shape[0]),)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        result = []
        for monomial in self.monomials(len(names)):
            powers = [(i, monomial.count(i)) for i in sorted(set(monomial))]
            result.append(" ".join(names[i] + f"^{k}" * (k > 1) for i, k in powers) or "1")
        return result

    def image(self, on: Space) -> Image:
        low, high = (b.ravel() for b in on.bounds())
        top, real = self.degrees(on.size).stop, np.finfo(np.float64)
        ranges = [_power_ranges(low, high, k) for k in range(top)]
        # Of numbers that underflow the signs are left.
        signs = [_power_ranges(np.sign(low), np.sign(high), k) for k in range(top)]
        lows, highs = [], []
        for monomial in self.monomials(on.size):
            a, b = _product_range(monomial, ranges)
            # The constant and the coordinates themselves are not rounded.
            if len(monomial) > 1:
                least, most = _product_range(monomial, signs)
                slack = 4 * top * real.eps
                a = a - slack * abs(a) - (real.tiny if least and abs(a) < 1e-290 else 0.0)
                b = b + slack * abs(b) + (real.tiny if most and abs(b) < 1e-290 else 0.0)
            lows.append(a)
            highs.append(b)
        return Image(Box(np.array(lows), np.array(highs)))

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "its coordinates are monomials"
        yield Smooth(inf), "its coordinates are monomials"
        d = on.size
        degrees = self.degrees(d)
        if degrees.start == 1 and degrees:
            itself = Reason("x itself is among the coordinates", Strength.DEFINITION)
            yield LowerLipschitz(1.0), itself
        elif degrees:
            yield from separation(self, on)
        if len(degrees) == 1 and not self.include_bias:
            yield PositivelyHomogeneous(degrees.start), "all monomials have one degree"
        low, high = (b.ravel() for b in on.bounds())
        size = np.maximum(np.abs(low), np.abs(high))
        if np.isfinite(size).all() and self.width(d) <= 20_000:
            yield Lipschitz(lambda: self._steepness(size)), "the Frobenius norm of the derivative"

    def _steepness(self, size: np.ndarray) -> float:
        slopes = []
        with np.errstate(over="ignore"):
            for monomial in self.monomials(len(size)):
                for i in set(monomial):
                    k = monomial.count(i)
                    rest = [size[j] for j in monomial if j != i]
                    slope = float(k * np.prod([size[i] ** (k - 1), *rest]))
                    # What underflows is not 0.
                    tiny = slope < 1e-290 and all(size[j] > 0 for j in monomial)
                    slopes.append(slope + np.finfo(np.float64).tiny * tiny)
        eps = 8 * self.degrees(len(size)).stop * np.finfo(np.float64).eps
        if not all(map(np.isfinite, slopes)):
            return inf
        return root_sum_squares([s * (1 + eps) for s in slopes], up=True)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(degree=3)


def _power_ranges(low: np.ndarray, high: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(over="ignore"):
        a, b = low**k, high**k
    least, most = np.minimum(a, b), np.maximum(a, b)
    if k % 2 == 0 and k > 0:
        least = np.where((low < 0) & (high > 0), 0.0, least)
    return np.minimum(least, MOST), np.maximum(most, -MOST)


def _product_range(monomial: tuple[int, ...], ranges: list[Any]) -> tuple[float, float]:
    a, b = 1.0, 1.0
    for i in set(monomial):
        c, d = (float(side[i]) for side in ranges[monomial.count(i)])
        corners = [_times(u, v) for u in (a, b) for v in (c, d)]
        # What overflows lies beyond the greatest number, and may yet be multiplied by little.
        a, b = min(*corners, MOST), max(*corners, -MOST)
    return a, b


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else min(max(a * b, -inf), inf)
