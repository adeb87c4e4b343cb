"""The simplex of the non-negative vectors with a given sum."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import ceil, comb, inf, lgamma, log, sqrt
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from ..interval import EPS, root_sum_squares
from .base import Plan, Space, farthest_corner
from .boxes import brief
from .subspace import Subspace

__all__ = ["Simplex"]


@final
@dataclass(frozen=True, eq=False)
class Simplex(Space):
    """{p in R^n : p_i >= 0, p_1 + ... + p_n = total}, the probability vectors for total 1.

    Sums are rounded, so `contains` takes a non-negative p for a point of the simplex when
    |p_1 + ... + p_n - total| <= 4 n ε total, where ε = 2^-52 and the sum is the computed one.

    Parameters
    ----------
    n : int
        The number of coordinates, at least 2.
    total : float, default 1
        Positive and finite.

    Raises
    ------
    ParameterError
        When n is below 2 or the total not positive.

    Examples
    --------
    >>> Simplex(3).contains([[0.2, 0.3, 0.5], [0.2, 0.3, 0.6]])
    array([ True, False])
    >>> Simplex(3).dimension
    2
    """

    n: int
    total: float = 1.0

    def __post_init__(self) -> None:
        whole = isinstance(self.n, int | np.integer) and not isinstance(self.n, bool)
        try:
            total = float(self.total)
        except (TypeError, ValueError):
            total = 0.0
        if not whole or self.n < 2 or not 0 < total < inf:
            raise ParameterError(
                "The number of coordinates and the total do not make a simplex.",
                got=f"n={show(self.n)}, total={show(self.total)}",
                need="an int n >= 2, a positive finite total",
                do="Simplex(3)",
            )
        object.__setattr__(self, "n", int(self.n))
        object.__setattr__(self, "total", total)

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.n,)

    @property
    def dimension(self) -> int:
        return self.n - 1

    @property
    def is_closed(self) -> bool:
        return True

    @property
    def compact(self) -> bool:
        return True

    @property
    def infinite(self) -> bool:
        return True

    @property
    def interior(self) -> bool:
        return False

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(self.n), np.full(self.n, self.total)

    def attains(self) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(self.n, dtype=bool), np.ones(self.n, dtype=bool)

    def inner_box(self) -> None:
        return None

    def chords(self) -> None:
        return None

    def contains(self, points: Any) -> np.ndarray:
        array = self.points(points)
        with np.errstate(over="ignore", invalid="ignore"):
            off = np.abs(array.sum(axis=1) - self.total)
            # Shares of the least positive number are rounded to it, or to 0.
            near = off <= 4 * self.n * (EPS * self.total + 5e-324)
        return np.asarray(near & ((array >= 0) & (array <= self.total)).all(axis=1))

    def surely_contains(self, points: Any) -> np.ndarray:
        array = self.points(points)
        inside = self.contains(array)
        total = Fraction(self.total)
        sums = (sum(map(Fraction, row)) for row in array[inside].tolist())
        inside[inside] = [value == total for value in sums]
        return inside

    def nearest(self, points: Any) -> np.ndarray:
        array = self.points(points)
        inside = self.contains(array)[:, None]
        # The largest coordinates, lowered by one number, are what is left (Held, Wolfe and
        # Crowder 1974). Far out the differences alone matter, so the greatest is taken to 0.
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.nan_to_num((array - array.max(axis=1, keepdims=True)) / self.total)
            scaled = np.maximum(scaled, -1e150)
        falling = -np.sort(-scaled, axis=1)
        excess = (np.cumsum(falling, axis=1) - 1) / np.arange(1, self.n + 1)
        kept = (falling > excess).sum(axis=1)
        lower = np.take_along_axis(excess, kept[:, None] - 1, axis=1)
        return np.where(inside, array, self._scaled(np.maximum(scaled - lower, 0.0)))

    def _scaled(self, weights: np.ndarray) -> np.ndarray:
        """Non-negative vectors, divided by their sums."""
        shares = weights / weights.sum(axis=1, keepdims=True)
        return np.minimum(shares * self.total, self.total)

    def reach(self, point: Any) -> float:
        center = np.asarray(point, dtype=np.float64)
        return max(
            farthest_corner(vertex, vertex, center) for vertex in np.eye(self.n) * self.total
        )

    def _includes(self, other: Space) -> bool:
        if isinstance(other, Simplex):
            return self.total == other.total
        if isinstance(other, Subspace) and (other.bounds()[0] >= 0).all():
            low, high = other.functional(np.ones(self.n))
            return low == high == self.total
        return False

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        rng = np.random.default_rng(random_state)
        weights = rng.standard_exponential((n, self.n))
        # Half of the points lie on faces, down to vertices.
        lost = rng.random((n, self.n)) < rng.choice([0.0, 0.0, 0.3, 0.9], (n, 1))
        lost[np.arange(n), rng.integers(self.n, size=n)] = False
        return self._scaled(np.where(lost, 0.0, np.maximum(weights, 1e-9)))

    @property
    def diameter(self) -> float:
        return root_sum_squares([self.total, self.total], up=True)

    def _net(self, h: float) -> Plan:
        # Of the points with coordinates in (total / m) Z the nearest one is found by rounding down
        # all coordinates but those with the greatest remainders. The squared error is a convex
        # function of the remainders, greatest at a vertex: a(n - a)/n with a = n // 2, in units.
        lost = 32 * EPS * self.n * self.total
        if h <= 2 * lost:
            raise self._too_fine(h, 2 * lost)
        half = self.n // 2
        error = sqrt(half * (self.n - half) / self.n) * (1 + 1e-9)
        parts = max(1, ceil(min(error * (self.total / (h - lost)), 1e12)))
        digits = (lgamma(parts + self.n) - lgamma(self.n) - lgamma(parts + 1)) / log(10)
        count = comb(parts + self.n - 1, self.n - 1) if digits < 15 else 10 ** int(digits)
        return count, lambda: self._lattice(parts)

    def _lattice(self, parts: int) -> np.ndarray:
        # Bars between the stars: n - 1 bars among parts + n - 1 places.
        bars = np.array(list(combinations(range(parts + self.n - 1), self.n - 1)), dtype=float)
        ends = np.full((len(bars), 1), parts + self.n - 1.0)
        shares = np.diff(np.concatenate([-np.ones_like(ends), bars, ends], axis=1), axis=1) - 1
        return np.minimum(shares / parts * self.total, self.total)

    def __repr__(self) -> str:
        total = "" if self.total == 1 else f", total={brief(np.array([self.total]))[1:-1]}"
        return f"Simplex({self.n}{total})"
