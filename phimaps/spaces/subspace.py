"""Flat pieces of R^n: points that depend affinely on a few parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product as pairs
from math import inf
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from ..interval import EPS, affine_range, column_rank, root_sum_squares, singular_values
from .base import Plan, Space
from .boxes import Box, Boxlike
from .grid import grid, rounding_unit
from .named import Euclidean
from .rational import Matrix, dot, down, fits, form_range, fractions, inverse_in, up

__all__ = ["Subspace"]

# Beyond this many entries of the basis rational arithmetic is not worth its time.
EXACT = 2500
# The diameter is found by looking at 2^(k-1) directions up to this k.
CORNERS = 12
# Numbers of sizes between its inverse and this are taken.
FAR = 1e100


@final
@dataclass(frozen=True, eq=False)
class Subspace(Space):
    """{offset + t_1 b_1 + ... + t_k b_k : t in within}, a piece of an affine subspace of R^n.

    It is the image of `within` under t ↦ t @ basis + offset, so a map φ on it is the map
    φ ∘ Affine(basis, offset) on `within`. Points are rounded, so `contains` takes x for a point of
    it when no coordinate of x - (t @ basis + offset) exceeds 64 (n + k) κ ε s for some t in
    `within`, where s is the size of x, offset and |t| @ |basis|, κ is the condition number of the
    basis (at most 10^10), and ε = 2^-52.

    Parameters
    ----------
    basis : array-like of shape (k, n)
        Linearly independent rows b_1, ..., b_k.
    offset : array-like of shape (n,), optional
        Default: 0.
    within : Space, optional
        The box of the parameters t, with k coordinates and more than one point. Default: R^k.

    Raises
    ------
    ParameterError
        When the rows are not finite, or not shown to be linearly independent; when `offset` or
        `within` do not fit them.

    Examples
    --------
    >>> diagonal = Subspace([[1.0, 1.0]], within=Box([0], [2]))
    >>> diagonal.contains([[0.5, 0.5], [0.5, 0.6], [3.0, 3.0]])
    array([ True, False, False])
    >>> diagonal.bounds()
    (array([0., 0.]), array([2., 2.]))
    """

    basis: np.ndarray
    offset: np.ndarray | None = None
    within: Boxlike | None = None

    def __post_init__(self) -> None:
        basis = _numbers(self.basis)
        if basis.ndim != 2 or not basis.size or not np.isfinite(basis).all():
            raise ParameterError(
                "The basis of a subspace is a matrix.",
                got=f"basis={show(self.basis)}",
                need="finite numbers of shape (k, n), one row for each direction",
                do="Subspace([[1.0, 1.0]])",
            )
        k, n = basis.shape
        if not _independent(basis):
            raise ParameterError(
                f"The {k} rows of length {n} are not shown to be linearly independent.",
                got=f"basis={show(self.basis)}",
                need="linearly independent rows",
                do="leave out rows that are combinations of the others",
            )
        offset = np.zeros(n) if self.offset is None else _numbers(self.offset)
        if offset.shape != (n,) or not np.isfinite(offset).all():
            raise ParameterError(
                "The offset is no point of the space around the subspace.",
                got=f"offset={show(self.offset)}",
                need=f"{n} finite numbers, as many as a row of the basis",
                do="Subspace(basis, offset=point)",
            )
        within = Euclidean((k,)) if self.within is None else self.within
        if not isinstance(within, Boxlike) or within.shape != (k,) or not within.infinite:
            raise ParameterError(
                "The parameters of a subspace range over a box.",
                got=f"within={show(self.within)}",
                need=f"a box of {k} coordinates, with more than one point",
                do="Subspace(basis, within=pm.Box(low, high)), or Finite for a single point",
            )
        ends = np.concatenate([within.low, within.high])
        largest = max(float(np.abs(v).max()) for v in (basis, offset, _finite_ends(ends)))
        smallest = float(np.abs(basis).max(axis=1).min())
        if largest > FAR or smallest < 1 / FAR:
            size = largest if largest > FAR else smallest
            raise ParameterError(
                f"Points of the subspace over- or underflow where {size:g} is multiplied.",
                got=f"a number of size {size:g} in the basis, the offset or the parameters",
                need=f"rows, an offset and finite ends of sizes between {1 / FAR:g} and {FAR:g}",
                do="scale the rows of the basis and the parameters against each other",
            )
        for array in (basis, offset):
            array.setflags(write=False)
        object.__setattr__(self, "basis", basis)
        object.__setattr__(self, "offset", offset)
        object.__setattr__(self, "within", within)

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.basis.shape[1:]

    @property
    def _box(self) -> Boxlike:
        assert self.within is not None
        return self.within

    @property
    def _start(self) -> np.ndarray:
        assert self.offset is not None
        return self.offset

    @property
    def dimension(self) -> int:
        return self._box.dimension

    @property
    def is_closed(self) -> bool:
        return self._box.is_closed

    @property
    def compact(self) -> bool:
        return self._box.compact

    @property
    def infinite(self) -> bool:
        return True

    @property
    def interior(self) -> bool:
        return self._box.interior and len(self.basis) == self.size

    # --- exactly --------------------------------------------------------------------------------
    @cached_property
    def _exact(self) -> tuple[Matrix, list[Fraction]]:
        return fractions(self.basis), [Fraction(float(v)) for v in self._start]

    def functional(self, weights: Any) -> tuple[float, float]:
        """The least and greatest value (infimum, supremum) of x ↦ weights · x, rounded outward.

        Parameters
        ----------
        weights : array-like of shape (n,)
        """
        rows, offset = self._exact
        w = [Fraction(float(v)) for v in np.asarray(weights, dtype=np.float64)]
        low, _, high, _ = form_range([dot(row, w) for row in rows], dot(offset, w), self._box)
        return down(low), up(high)

    @cached_property
    def _ranges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Low, high, whether low is attained, whether high is."""
        box = self._box
        if self.basis.size > EXACT:
            low, high = affine_range(box.low, box.high, self.basis, self._start)
            return low, high, np.isfinite(low), np.isfinite(high)
        rows, offset = self._exact
        found = [form_range([row[i] for row in rows], offset[i], box) for i in range(self.size)]
        lows, highs = np.array([down(f[0]) for f in found]), np.array([up(f[2]) for f in found])
        # An end that is not representable was rounded to where no point is.
        low_in = [f[1] and Fraction(v) == f[0] for f, v in zip(found, lows.tolist(), strict=True)]
        high_in = [f[3] and Fraction(v) == f[2] for f, v in zip(found, highs.tolist(), strict=True)]
        return lows, highs, np.array(low_in), np.array(high_in)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self._ranges[:2]

    def attains(self) -> tuple[np.ndarray, np.ndarray]:
        return self._ranges[2:]

    @cached_property
    def _solved(self) -> tuple[list[int], Matrix]:
        return inverse_in(self._exact[0])

    def _solve(self, point: list[Fraction]) -> list[Fraction] | None:
        """The t with t @ basis = point, if there is one."""
        chosen, inverse = self._solved
        t = [dot([point[c] for c in chosen], column) for column in zip(*inverse, strict=True)]
        back = [dot(t, column) for column in zip(*self._exact[0], strict=True)]
        return t if back == point else None

    def surely_contains(self, points: Any) -> np.ndarray:
        array = self.points(points)
        inside = self.contains(array)
        if self.basis.size > EXACT:
            return np.zeros_like(inside)
        inside[inside] = [self._holds([Fraction(v)] for v in x) for x in array[inside].tolist()]
        return inside

    def _includes(self, other: Space) -> bool:
        if self.basis.size > EXACT:
            return False
        flat = _flat(other)
        if flat is None:
            whole = not np.isfinite([self._box.low, self._box.high]).any()
            return whole and len(self.basis) == self.size
        rows, offset, box = flat
        forms = [[row[i] for row in (*rows, offset)] for i in range(self.size)]
        return self._holds(forms, box)

    def _holds(self, forms: Iterable[list[Fraction]], box: Boxlike | None = None) -> bool:
        """Whether the points with these coordinates, affine functions on a box, lie inside.

        Each is given by its coefficients, the constant last; without a box it is a constant.
        """
        *rows, offset = (list(row) for row in zip(*forms, strict=True))
        base = self._solve([a - b for a, b in zip(offset, self._exact[1], strict=True)])
        steps = [self._solve(row) for row in rows]
        if base is None or any(s is None for s in steps):
            return False
        found = (
            form_range([s[i] for s in steps if s is not None], constant, box)
            for i, constant in enumerate(base)
        )
        return all(fits(f, self._box, i) for i, f in enumerate(found))

    def inner_box(self) -> Box | None:
        if not self.interior or self.size > CORNERS:
            return None
        low, high = self._box.ends
        with np.errstate(invalid="ignore", over="ignore"):
            room = np.minimum(self._box.centre - low, high - self._box.centre)
            need = np.abs(np.linalg.inv(self.basis)).sum(axis=0)
            side = float((room / need).min()) * (1 - 1e-9)
            centre = self.at(self._box.centre[None])[0]
            low, high = centre - side, centre + side
        if not (low < high).all() or np.isposinf(low).any() or np.isneginf(high).any():
            return None
        box = Box(low, high)
        return box if self._includes(box) else None

    def chords(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        box = self.inner_box()
        return None if box is None else box.chords()

    # --- up to rounding -------------------------------------------------------------------------
    def at(self, t: Any) -> np.ndarray:
        """The points t @ basis + offset, shape (m, k) in, (m, n) out."""
        return np.clip(np.asarray(t, dtype=np.float64) @ self.basis + self._start, *self.bounds())

    @cached_property
    def _pseudo(self) -> np.ndarray:
        return np.linalg.pinv(self.basis)

    def _parameters(self, array: np.ndarray) -> np.ndarray:
        """Parameters of the nearest points of the affine subspace, moved into `within`."""
        # Farther out than points of the subspace are computed, only the direction matters.
        offset = np.clip(array, -FAR * FAR, FAR * FAR) - self._start
        with np.errstate(over="ignore", invalid="ignore"):
            t = np.clip(np.nan_to_num(offset @ self._pseudo), -FAR * FAR, FAR * FAR)
            # What the first solution leaves is solved for once more.
            t = t + np.nan_to_num((offset - t @ self.basis) @ self._pseudo)
        return self._box.nearest(np.clip(t, -FAR * FAR, FAR * FAR))

    def contains(self, points: Any) -> np.ndarray:
        array = self.points(points)
        t = self._parameters(array)
        size = np.abs(t) @ np.abs(self.basis) + np.abs(self._start) + np.abs(array)
        # pinv has been computed already, and its norm times that of the basis is the condition.
        condition = np.linalg.norm(self.basis, 2) * np.linalg.norm(self._pseudo, 2)
        slack = 64 * sum(self.basis.shape) * min(float(condition), 1e10) * EPS
        off = np.abs(array - self.at(t)).max(axis=1)
        return np.asarray(off <= slack * size.max(axis=1))

    def nearest(self, points: Any) -> np.ndarray:
        array = self.points(points)
        inside = self.contains(array)[:, None]
        return np.where(inside, array, self.at(self._parameters(array)))

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        return self.at(self._box.sample(n, random_state))

    @cached_property
    def _stretch(self) -> float:
        """The greatest singular value of the basis, rounded up."""
        return float(singular_values(self.basis)[1].max())

    @cached_property
    def diameter(self) -> float:  # type: ignore[override]
        if not np.isfinite([self._box.low, self._box.high]).all():
            return inf
        low, high = self.bounds()
        around = Box(low, high).diameter
        wide = np.flatnonzero(self._box.low < self._box.high)
        width = (self._box.high - self._box.low)[wide]
        if len(wide) > CORNERS:
            apart = root_sum_squares(width.tolist(), up=True) * (1 + 4 * EPS)
            return min(around, self._stretch * apart * (1 + 4 * EPS))
        # The greatest distance is that of two opposite corners.
        signs = np.array([(1.0, *rest) for rest in pairs([-1.0, 1.0], repeat=len(wide) - 1)])
        ways = (signs * width) @ self.basis[wide]
        size = np.abs(width) @ np.abs(self.basis[wide])
        slack = 4 * sum(self.basis.shape) * EPS * float(np.linalg.norm(size))
        return min(around, float(np.linalg.norm(ways, axis=1).max()) + slack)

    def _net(self, h: float) -> Plan:
        # |(s - t) @ basis| <= σ |(s - t) ⊙ lengths| with σ of the rows divided by their lengths.
        lengths = np.linalg.norm(self.basis, axis=1)
        sigma = float(singular_values(self.basis / lengths[:, None])[1].max()) * (1 + 1e-9)
        low, high = self._box.low, self._box.high
        size = np.maximum(np.abs(low), np.abs(high)) @ np.abs(self.basis) + np.abs(self._start)
        lost = 8 * (len(self.basis) + 4) * EPS * float(np.linalg.norm(size))
        unit = float((rounding_unit(low, high) * lengths).max())
        least = 2 * lost + 4 * sigma * unit * len(lengths) ** 0.5
        if h <= least:
            raise self._too_fine(h, least)
        count, build = grid(low, high, (h - lost) / sigma, lengths)
        if count < 0:
            raise self._too_fine(h, least)
        return count, lambda: self.at(build())

    def __repr__(self) -> str:
        offset = "" if not self._start.any() else f", offset={_brief(self._start)}"
        free = isinstance(self.within, Euclidean)
        within = "" if free else f", within={self.within!r}"
        return f"Subspace({_brief(self.basis)}{offset}{within})"


def _brief(array: Any) -> str:
    return show(array.tolist()) if array.size <= 12 else show(array)


def _numbers(values: Any) -> np.ndarray:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        return np.zeros(0)


def _finite_ends(ends: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(ends), 0.0, ends)


def _independent(basis: np.ndarray) -> bool:
    if len(basis) > basis.shape[1]:
        return False
    rank = column_rank(basis)
    if rank is not None:
        return rank == len(basis)
    return bool(singular_values(basis)[0].min() > 0)


def _flat(space: Space) -> tuple[Matrix, list[Fraction], Boxlike] | None:
    """A space as a piece of an affine subspace: rows, offset, and the box of the parameters."""
    if isinstance(space, Subspace):
        return *space._exact, space._box
    if not isinstance(space, Boxlike):
        return None
    wide = np.flatnonzero(space.low < space.high)
    offset = np.where(space.low < space.high, 0.0, space.low)
    rows = np.eye(space.size)[wide]
    box = Box(space.low[wide], space.high[wide], closed=space.closed)
    return fractions(rows), [Fraction(float(v)) for v in offset], box
