"""What the active rows of a rectified affine map keep, cell by cell, in exact arithmetic.

The hyperplanes on which units change sign cut a box into cells. The search splits the box by signs;
that a combination of signs does not occur is shown by a positive combination of inequalities, found
by linear programming and verified over the rationals.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import final

import numpy as np
from scipy.optimize import linprog

from ..interval import singular_values

__all__ = ["Cells", "least_gain", "nullspace"]

# More inputs or units than this are not searched, nor are more linear programs solved.
WIDEST, MOST_UNITS, BUDGET = 12, 96, 300
# Numbers whose squares or products may over- or underflow are not searched either.
HUGE = 1e100
# A branch ends when its rows keep this part of what those of the worst cell seen keep: first to
# find that there is a bound at all, then to make it sharp.
PARTS = (0.25, 0.98)


@final
@dataclass(frozen=True)
class Cells:
    """Units x ↦ w_j x + b_j on a box with interior, with exact numbers.

    Parameters
    ----------
    rows : ndarray of shape (m, n)
        The w_j.
    bias : list of Fraction
        The b_j.
    low, high : ndarray of shape (n,)
        The ends of the box, low < high, which may be infinite.
    """

    rows: np.ndarray
    bias: list[Fraction]
    low: np.ndarray
    high: np.ndarray

    def points(self, count: int) -> np.ndarray:
        """Points of the box, some of them far from its middle."""
        rng, n = np.random.default_rng(0), self.rows.shape[1]
        reach = max(1.0, *(abs(float(b)) for b in self.bias), 1.0)
        low = np.where(np.isinf(self.low), np.where(np.isinf(self.high), 0, self.high) - 10 * reach,
                       self.low)  # fmt: skip
        high = np.where(np.isinf(self.high), low + 20 * reach, self.high)
        away = rng.uniform(-1, 1, (count, n)) * rng.choice([0.05, 0.5, 1.0], (count, 1))
        return np.clip((low + high) / 2 + away * (high - low) / 2, low, high)

    def gain(self, active: np.ndarray) -> tuple[float, float]:
        """Bounds for the least |W_A d| / |d| over the rows chosen."""
        if active.sum() < self.rows.shape[1]:
            return 0.0, 0.0
        low, high = singular_values(self.rows[active])
        return float(low[-1]), float(high[-1])

    def signs(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values of the units at a point, and how far they may be wrong."""
        bias = np.array([float(b) for b in self.bias])
        size = np.abs(self.rows) @ np.abs(z) + np.abs(bias)
        return self.rows @ z + bias, 4 * (len(z) + 4) * np.finfo(np.float64).eps * size


def least_gain(cells: Cells) -> float | None:
    """A certified bound from below for min over the cells of σ_min(W_A), A the active units.

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    float or None
        None where it is 0 or the search was given up.
    """
    n, kept = cells.rows.shape[1], np.flatnonzero(cells.rows.any(axis=1))
    if not 0 < n <= WIDEST or len(kept) > MOST_UNITS or len(kept) < n:
        return None
    # A unit with w = 0 is the same everywhere and keeps nothing.
    cells = Cells(cells.rows[kept], [cells.bias[j] for j in kept], cells.low, cells.high)
    ends = np.concatenate([cells.low, cells.high])
    size = np.abs(cells.rows).max(axis=1)
    largest = max(float(size.max()), *(float(abs(b)) for b in cells.bias))
    if (
        largest > HUGE
        or float(size.min()) < 1 / HUGE
        or (np.abs(ends[np.isfinite(ends)]) > HUGE).any()
    ):
        return None
    best, aim = None, inf
    for part in PARTS:
        search = _Search(cells, part, aim)
        found = search.run()
        if found is None:
            break
        best, aim = max(found, best or 0.0), search.aim
    return best


@final
class _Search:
    """Depth first through the signs of the units, 0 standing for one not yet fixed."""

    def __init__(self, cells: Cells, part: float, aim: float):
        self.cells, self.part, self.aim = cells, part, aim
        self.programs, self.least = 0, inf

    def run(self) -> float | None:
        """A bound for what every cell keeps, or None."""
        cells = self.cells
        points = cells.points(256)
        if self.aim == inf:
            for z in points:
                self._see(z)
        pending = [(_fixed(cells), points[0])]
        while pending:
            if self.programs > BUDGET or not self.aim > 0:
                return None
            signs, z = pending.pop()
            gain = cells.gain(signs > 0)[0]
            if gain < self.part * self.aim and (signs == 0).any():
                pending += self._split(signs, z)
            elif gain > 0:
                self.least = min(self.least, gain)
            else:
                return None
        return self.least if self.least < inf else None

    def _see(self, z: np.ndarray) -> None:
        value, error = self.cells.signs(z)
        if (np.abs(value) > error).all():
            self.aim = min(self.aim, self.cells.gain(value > 0)[0])

    def _split(self, signs: np.ndarray, z: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The box split by the unit that is farthest from changing its sign at the point."""
        value, _ = self.cells.signs(z)
        far = np.abs(value) / np.linalg.norm(self.cells.rows, axis=1)
        j = int(np.where(signs == 0, far, -1.0).argmax())
        here, there = signs.copy(), signs.copy()
        here[j], there[j] = (1, -1) if value[j] > 0 else (-1, 1)
        result = [(here, z)]
        self.programs += 1
        depth, other, multipliers = _deepest(self.cells, there)
        if depth > 0:
            self._see(other)
            result.append((there, other))
        elif not _excluded(self.cells, there, multipliers):
            result.append((there, z))
        return result


def _fixed(cells: Cells) -> np.ndarray:
    """The signs of the units that have one sign on the whole box, computed exactly."""
    signs = np.zeros(len(cells.rows), dtype=int)
    for j, (row, b) in enumerate(zip(cells.rows, cells.bias, strict=True)):
        for sign in (1, -1):
            ends = np.where(sign * row > 0, cells.low, cells.high)
            used = np.flatnonzero(row)
            if not np.isinf(ends[used]).any():
                worst = b + sum(Fraction(float(row[k])) * Fraction(float(ends[k])) for k in used)
                signs[j] = sign if sign * worst >= 0 else signs[j]
    return signs


def _deepest(
    cells: Cells, signs: np.ndarray
) -> tuple[float, np.ndarray, dict[tuple[str, int], float]]:
    """The point where the inequalities hold with most room, with the multipliers that prove it."""
    used = np.flatnonzero(signs)
    rows, n = -signs[used, None] * cells.rows[used], cells.rows.shape[1]
    bias = np.array([-s * float(cells.bias[j]) for j, s in zip(used, signs[used], strict=True)])
    norms = np.linalg.norm(rows, axis=1)
    faces = [(e, k) for k in range(n) for e in ("low", "high") if np.isfinite(getattr(cells, e)[k])]
    matrix, limit = [np.column_stack([rows, norms])], [-bias]
    for end, k in faces:
        way = -1.0 if end == "low" else 1.0
        matrix.append(np.eye(n + 1)[k : k + 1] * way + np.eye(n + 1)[n : n + 1])
        limit.append(np.array([way * getattr(cells, end)[k]]))
    goal = np.zeros(n + 1)
    goal[-1] = -1.0
    top = max(1.0, float(np.abs(bias / norms).max(initial=0.0)))
    found = linprog(
        goal, np.concatenate(matrix), np.concatenate(limit),
        bounds=[(None, None)] * n + [(None, top)], method="highs-ds",
    )  # fmt: skip
    if found.x is None:
        return 0.0, np.zeros(n), {}
    names = [*(("unit", int(j)) for j in used), *faces]
    multipliers = dict(zip(names, np.abs(found.ineqlin.marginals), strict=True))
    # Less room than this is rounding; whether there is none is decided exactly.
    return float(found.x[-1]) - 1e-9 * top, np.clip(found.x[:n], cells.low, cells.high), multipliers


def _excluded(cells: Cells, signs: np.ndarray, multipliers: dict[tuple[str, int], float]) -> bool:
    """Whether no point inside the box has these signs: verified over the rationals.

    Functions that are negative there, by what they stand for, are combined with weights >= 0, not
    all 0, to a constant >= 0.
    """
    top = max(multipliers.values(), default=0.0)
    names = sorted(
        (k for k, v in multipliers.items() if v > 1e-9 * top), key=multipliers.__getitem__
    )
    while names:
        negative = [_negative(cells, signs, *name) for name in names]
        kernel = nullspace(
            [list(column) for column in zip(*(f[:-1] for f in negative), strict=True)]
        )
        if len(kernel) == 1:
            weights = kernel[0] if sum(kernel[0]) > 0 else [-v for v in kernel[0]]
            constant = sum(v * f[-1] for v, f in zip(weights, negative, strict=True))
            return min(weights) >= 0 and constant >= 0
        if not kernel:
            return False
        names = names[1:]
    return False


def _negative(cells: Cells, signs: np.ndarray, kind: str, index: int) -> list[Fraction]:
    """The coefficients and the constant of a function that is negative at inner points."""
    if kind == "unit":
        sign = -int(signs[index])
        return [*(sign * Fraction(float(v)) for v in cells.rows[index]), sign * cells.bias[index]]
    way = -1 if kind == "low" else 1
    face = [Fraction(0)] * cells.rows.shape[1]
    face[index] = Fraction(way)
    return [*face, -way * Fraction(float(getattr(cells, kind)[index]))]


def nullspace(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    """A basis of {v : A v = 0} over the rationals.

    Examples
    --------
    >>> nullspace([[Fraction(1), Fraction(2)]])
    [[Fraction(-2, 1), Fraction(1, 1)]]
    """
    rows, width, pivots = [list(r) for r in matrix], len(matrix[0]), list[int]()
    for column in range(width):
        lead = next((r for r in range(len(pivots), len(rows)) if rows[r][column]), None)
        if lead is None:
            continue
        at = len(pivots)
        rows[at], rows[lead] = rows[lead], rows[at]
        rows[at] = [v / rows[at][column] for v in rows[at]]
        for r in range(len(rows)):
            if r != at and rows[r][column]:
                factor = rows[r][column]
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[at], strict=True)]
        pivots.append(column)
    basis = []
    for free in (c for c in range(width) if c not in pivots):
        v = [Fraction(0)] * width
        v[free] = Fraction(1)
        for r, column in enumerate(pivots):
            v[column] = -rows[r][free]
        basis.append(v)
    return basis
