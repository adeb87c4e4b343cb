"""The point of a polyhedron that is closest to a target: a linear program, or an interior point."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, Self, final

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from ..interval import EPS
from .fibre_rank import Normal

__all__ = ["Polyhedron", "closest", "closest_in_l1", "kept_exactly"]

# The weight of rows that are fixed, beside the objective. Each correction shrinks by it what they
# miss.
STIFF = 1e11
ITERATIONS, CORRECTIONS = 40, 40
# Slacks and multipliers stay above it.
TINY = 1e-30


@final
@dataclass(frozen=True)
class Polyhedron:
    """{y : Wy = a where fixed, Wy <= upper elsewhere, low <= y <= high}.

    Parameters
    ----------
    matrix : scipy.sparse.csr_array of shape (m, n)
    fixed : ndarray of bool, shape (m,)
    value, upper : ndarray of shape (m,)
        Of the rows that are fixed, and of the others.
    low, high : ndarray of shape (n,)
    """

    matrix: Any
    fixed: np.ndarray
    value: np.ndarray
    upper: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def slice(self, x: np.ndarray, index: np.ndarray) -> Polyhedron:
        """The points that differ from x in some coordinates only, by those coordinates."""
        part = sp.csr_array(self.matrix[:, index])
        touched = np.diff(part.indptr) > 0
        part = sp.csr_array(part[touched])
        others = (self.matrix @ x)[touched] - part @ x[index]
        return Polyhedron(
            part,
            self.fixed[touched],
            self.value[touched] - others,
            self.upper[touched] - others,
            self.low[index],
            self.high[index],
        )


def closest_in_l1(set_: Polyhedron, target: np.ndarray) -> np.ndarray | None:
    """The point closest to a target in l1, by linear programming; for few variables.

    Returns
    -------
    ndarray of shape (n,), or None when the solver gives up
        Right up to the rounding of the solver.

    Examples
    --------
    >>> box = np.zeros(2), np.ones(2)
    >>> line = Polyhedron(sp.csr_array([[1.0, 1.0]]), np.array([True]), *np.full((2, 1), 0.5), *box)
    >>> closest_in_l1(line, np.array([1.0, 0.0]))
    array([0.5, 0. ])
    """
    n = len(target)
    eye, below = sp.eye_array(n), ~set_.fixed & np.isfinite(set_.upper)
    # The variables are y and s; minimising the sum of s >= |y - target| makes them equal.
    upper = sp.block_array(
        [[eye, -eye], [-eye, -eye], [set_.matrix[below], sp.csr_array((int(below.sum()), n))]]
    )
    equal = sp.hstack([set_.matrix[set_.fixed], sp.csr_array((int(set_.fixed.sum()), n))])
    answer = linprog(
        np.repeat([0.0, 1.0], n),
        sp.csr_array(upper),
        np.concatenate([target, -target, set_.upper[below]]),
        sp.csr_array(equal) if set_.fixed.any() else None,
        set_.value[set_.fixed] if set_.fixed.any() else None,
        bounds=[*zip(set_.low, set_.high, strict=True)] + [(0.0, None)] * n,
        method="highs",
    )
    return np.clip(answer.x[:n], set_.low, set_.high) if answer.status == 0 else None


@final
@dataclass
class _Slacks:
    """s >= 0 with Cy + s = d, and their multipliers."""

    s: np.ndarray
    multiplier: np.ndarray

    @classmethod
    def of(cls, room: np.ndarray, start: float) -> Self:
        s = np.maximum(room, start)
        return cls(s, start / s)

    def longest(self, ds: np.ndarray, dm: np.ndarray) -> float:
        """The longest step, up to 2, that keeps both from below 0."""
        best = 2.0
        for v, d in ((self.s, ds), (self.multiplier, dm)):
            # Only there is the step the longer of the two, so that nothing overflows.
            down = -d > v / 2
            best = min(best, float((-v[down] / d[down]).min(initial=2.0)))
        return best


@final
@dataclass(frozen=True)
class _Bounded:
    """C: the rows that are bounded above, the coordinates, and the coordinates from below."""

    w: Any
    wt: Any
    below: np.ndarray
    up: np.ndarray
    down: np.ndarray

    def of(self, v: np.ndarray) -> list[np.ndarray]:
        """Cv, in three parts."""
        return [(self.w @ v)[self.below], v[self.up], -v[self.down]]

    def back(self, parts: list[np.ndarray]) -> np.ndarray:
        """Cᵀ of three parts."""
        full = np.zeros(self.w.shape[0])
        full[self.below] = parts[0]
        result = self.wt @ full
        result[self.up] += parts[1]
        result[self.down] -= parts[2]
        return result


@final
@dataclass(frozen=True)
class _Sides:
    """What the conditions of the minimum still miss: of the slope, the rows and the slacks."""

    slope: np.ndarray
    off: np.ndarray
    free: list[np.ndarray]
    slacks: list[_Slacks]


@final
@dataclass(frozen=True)
class _System:
    """The linear equations of one step, with the factor of the matrix without multipliers."""

    bounded: _Bounded
    factor: np.ndarray
    fixed: np.ndarray
    diagonal: np.ndarray
    plain: np.ndarray

    def step(
        self, sides: _Sides, cross: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
        """The changes of y, of the multipliers of the fixed rows, and of the slacks."""
        w, wt, stiff = self.bounded.w, self.bounded.wt, np.where(self.fixed, STIFF, 0.0)
        groups = [*zip(cross, sides.slacks, sides.free, strict=True)]
        right = -sides.slope - self.bounded.back(
            [(-c + s.multiplier * f) / s.s for c, s, f in groups]
        )
        dy, dn = np.zeros(len(right)), np.zeros(len(stiff))
        # The second round removes most of what the first one rounds.
        for _ in range(2):
            moved = w @ dy
            left = right - self.diagonal * dy - wt @ (self.plain * moved + dn)
            short = np.where(self.fixed, sides.off - moved, 0.0)
            more = Normal.solve(self.factor, left + wt @ (stiff * short))
            dn = dn + stiff * (w @ more - short)
            dy = dy + more
        ds = [-f - v for f, v in zip(sides.free, self.bounded.of(dy), strict=True)]
        dm = [(-c - s.multiplier * d) / s.s for (c, s, _), d in zip(groups, ds, strict=True)]
        return dy, dn, [*zip(ds, dm, strict=True)]


def closest(
    set_: Polyhedron, start: np.ndarray, target: np.ndarray, normal: Normal | None = None
) -> np.ndarray:
    """The point closest to a target in l2, by a primal-dual interior point method.

    Parameters
    ----------
    set_ : Polyhedron
    start, target : ndarray of shape (n,)
        The start need not lie in the set.
    normal : Normal, optional
        Of its matrix.

    Returns
    -------
    ndarray of shape (n,)
        Right up to the residuals of the method: correct it, and verify it.

    References
    ----------
    Mehrotra (1992), On the implementation of a primal-dual interior point method.
    """
    w, fixed = set_.matrix, set_.fixed
    wt, normal = sp.csr_array(w.T), normal or Normal(w)
    below = np.flatnonzero(~fixed & np.isfinite(set_.upper))
    up, down = np.isfinite(set_.high), np.isfinite(set_.low)
    stiff = np.where(fixed, STIFF, 0.0)
    y, nu, n = start.astype(float), np.zeros(len(fixed)), len(start)

    bounded = _Bounded(w, wt, below, up, down)
    ends = [set_.upper[below], set_.high[up], -set_.low[down]]
    slacks = [_Slacks.of(d - v, 1e-2) for d, v in zip(ends, bounded.of(y), strict=True)]
    count = max(1, sum(len(s.s) for s in slacks))
    for _ in range(ITERATIONS):
        free = [v + s.s - d for v, s, d in zip(bounded.of(y), slacks, ends, strict=True)]
        off = np.where(fixed, set_.value - w @ y, 0.0)
        slope = y - target + wt @ nu + bounded.back([s.multiplier for s in slacks])
        mu = sum(float(s.s @ s.multiplier) for s in slacks) / count
        worst = max(float(np.abs(v).max(initial=0.0)) for v in (off, *free))
        if mu < 1e-6 and worst < 1e-8:
            break
        ratios = [s.multiplier / s.s for s in slacks]
        weight, diagonal = stiff.copy(), np.ones(n)
        weight[below] = ratios[0]
        diagonal[up] += ratios[1]
        diagonal[down] += ratios[2]
        factor = normal.factor(diagonal, weight)
        if factor is None:
            break
        system = _System(bounded, factor, fixed, diagonal, np.where(fixed, 0.0, weight))
        sides = _Sides(slope, off, free, slacks)
        plan = system.step(sides, [s.s * s.multiplier for s in slacks])[2]
        reach = min(1.0, *(s.longest(*d) for s, d in zip(slacks, plan, strict=True)))
        after = sum(
            float((s.s + reach * ds) @ (s.multiplier + reach * dm))
            for s, (ds, dm) in zip(slacks, plan, strict=True)
        )
        centre = mu * (after / count / mu) ** 3 if mu > 0 else 0.0
        cross = [
            s.s * s.multiplier + ds * dm - centre for s, (ds, dm) in zip(slacks, plan, strict=True)
        ]
        dy, dn, plan = system.step(sides, cross)
        reach = min(1.0, *(0.99 * s.longest(*d) for s, d in zip(slacks, plan, strict=True)))
        if not np.isfinite(dy).all() or reach < 1e-6:
            break
        y, nu = y + reach * dy, nu + reach * dn
        for s, (ds, dm) in zip(slacks, plan, strict=True):
            s.s = np.maximum(s.s + reach * ds, TINY)
            s.multiplier = np.maximum(s.multiplier + reach * dm, TINY)
    return y


def kept_exactly(
    set_: Polyhedron, x: np.ndarray, y: np.ndarray, normal: Normal | None = None
) -> np.ndarray:
    """A point of the set near y, up to rounding, on a segment that starts at a point x of it.

    The difference y - x is projected on what the fixed rows do not see; rows and bounds that would
    soon be crossed are fixed as well, and the step is as long as the rest allows.

    Parameters
    ----------
    set_ : Polyhedron
    x, y : ndarray of shape (n,)
    normal : Normal, optional
        Of its matrix.

    Returns
    -------
    ndarray of shape (n,)
    """
    w, normal = set_.matrix, normal or Normal(set_.matrix)
    wt = sp.csr_array(w.T)
    pinned, still = set_.fixed.copy(), np.zeros(len(x), dtype=bool)
    room = np.where(set_.fixed, inf, np.maximum(set_.upper - w @ x, 0.0))
    d, best, best_length = np.clip(y, set_.low, set_.high) - x, x, 0.0
    # As in the rounding of a sum with the terms of a row.
    terms = np.diff(w.indptr)
    size = abs(w) @ np.maximum(np.abs(x), np.abs(y))
    rounding = (2 * terms + 6) * EPS * (size + np.abs(set_.value))
    short = np.where(set_.fixed, set_.value - w @ x, 0.0)
    for _ in range(8):
        weight = np.where(pinned, STIFF, 0.0)
        factor = normal.factor(1 + 1e8 * still, weight)
        if factor is None:
            break
        goal, nu = np.where(still, 0.0, d), np.zeros(len(pinned))
        d, miss, worst = np.zeros(len(x)), np.where(pinned, short, 0.0), inf
        for _ in range(CORRECTIONS):
            more = Normal.solve(factor, goal - d - wt @ nu + wt @ (weight * miss))
            nu = nu + weight * (w @ more - miss)
            d = np.where(still, 0.0, d + more)
            miss = np.where(pinned, short - w @ d, 0.0)
            # Within the bound of rounding, and no longer shrinking.
            worst, before = float(np.abs(miss).max(initial=0.0)), worst
            if worst == 0 or ((np.abs(miss) <= rounding).all() and worst > before / 2):
                break
        along = w @ d
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rows = np.where((along > 0) & ~pinned, room / along, inf)
            end = np.where(d > 0, (set_.high - x) / d, np.where(d < 0, (set_.low - x) / d, inf))
        end = np.where(still, inf, end)
        reach = max(0.0, min(1.0, float(rows.min(initial=inf)), float(end.min(initial=inf))))
        length = float(np.linalg.norm(d)) * reach
        kept = (np.abs(miss[set_.fixed]) <= 4 * rounding[set_.fixed]).all()
        if kept and length > best_length:
            best, best_length = np.clip(x + reach * d, set_.low, set_.high), length
        if reach > 0.98:
            break
        pinned, still = pinned | (rows < 0.98), still | (end < 0.98)
    return best
