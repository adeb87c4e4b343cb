"""A lower bound on approximation errors in exact arithmetic: integers, no rounding at all."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Any, final

import numpy as np
from scipy.linalg import qr

from ..errors import InputError, ShapeError, show

__all__ = ["Exact", "exactly"]


@final
@dataclass(frozen=True)
class Exact:
    """Integers c_i with Σ c_i Φ_i = 0 exactly, and what they prove of a target.

    Parameters
    ----------
    rows : tuple of int
        Which points.
    coefficients : tuple of int
        c_i, one for each of them.
    bound : Fraction
        |Σ c_i g_i| / Σ|c_i|: max_i |Φ_i w - g_i| is no less for any weights w, of the features and
        the target as the rational numbers that the floating-point ones are.
    """

    rows: tuple[int, ...]
    coefficients: tuple[int, ...]
    bound: Fraction

    def verify(self, features: Any, target: Any) -> bool:
        """Recompute both sums in rational arithmetic.

        Parameters
        ----------
        features : array-like of shape (n, p)
        target : array-like of shape (n,)
        """
        matrix, values = _checked(features, target)
        if not any(self.coefficients):
            return False
        for column in matrix[list(self.rows)].T:
            if _dot(self.coefficients, column):
                return False
        total = sum(map(abs, self.coefficients))
        return abs(_dot(self.coefficients, values[list(self.rows)])) / total == self.bound

    def to_dict(self) -> dict[str, Any]:
        """The certificate as plain JSON-serialisable data; the bound as "numerator/denominator"."""
        return {
            "kind": "exact annihilator",
            "rows": list(self.rows),
            "coefficients": [str(c) for c in self.coefficients],
            "bound": str(self.bound),
        }


def exactly(features: Any, target: Any, measure: Any) -> Exact | None:
    """A measure near a given one that annihilates the features without rounding; or None.

    Floating-point numbers are rational, so the null vector of the rows that carry most of the
    measure is too. It is worked out by elimination without fractions.

    Parameters
    ----------
    features : array-like of shape (n, p)
        Φ, with the constant among its columns if it is in the span.
    target : array-like of shape (n,)
    measure : array-like of shape (n,)
        As `chebyshev` finds it.

    Returns
    -------
    Exact, or None where the rows chosen are independent

    References
    ----------
    Bareiss (1968), Sylvester's identity and multistep integer-preserving Gaussian elimination.

    Examples
    --------
    >>> import numpy as np
    >>> from phimaps.check import chebyshev
    >>> x = np.linspace(-1, 1, 9)
    >>> features = np.vander(x, 2)
    >>> found = exactly(features, np.abs(x), chebyshev(features, np.abs(x)).measure)
    >>> found.coefficients, found.bound, found.verify(features, np.abs(x))
    ((1, -2, 1), Fraction(1, 2), True)
    """
    matrix, values = _checked(features, target)
    weights = np.asarray(measure, dtype=np.float64)
    if weights.shape != values.shape:
        raise ShapeError(
            "A measure has a mass for each point.",
            got=f"measure={show(weights)} for {len(values)} points",
            need=f"shape ({len(values)},)",
            do="chebyshev(features, target).measure",
        )
    if not weights.any():
        return None
    # The support first, then rows that make what it spans complete.
    size = np.maximum(np.abs(weights) / np.abs(weights).max(), 1e-9)
    scale = np.abs(matrix).max(axis=0)
    scaled = matrix / np.where(scale > 0, scale, 1.0)
    order = qr((scaled * size[:, None]).T, mode="r", pivoting=True)[1]
    rank = int(np.linalg.matrix_rank(scaled))
    support = [int(i) for i in np.argsort(-np.abs(weights)) if weights[i]]
    rows = list(dict.fromkeys([int(i) for i in order[:rank]]))
    rows += [i for i in support if i not in rows]
    null = _null_vector([_integers(matrix[rows, j]) for j in range(matrix.shape[1])])
    if null is None:
        return None
    kept = [(r, c) for r, c in zip(rows, null, strict=True) if c]
    kept.sort()
    chosen, coefficients = zip(*kept, strict=True)
    if next(c for c in coefficients if c) < 0:
        coefficients = tuple(-c for c in coefficients)
    top = _dot(coefficients, values[list(chosen)])
    return Exact(chosen, coefficients, abs(top) / sum(map(abs, coefficients)))


def _checked(features: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    matrix, values = np.array(features, dtype=np.float64), np.array(target, dtype=np.float64)
    if matrix.ndim != 2 or values.shape != matrix.shape[:1]:
        raise ShapeError(
            "A certificate is about the values of functions at points, and a target there.",
            got=f"features={show(matrix)}, target={show(values)}",
            need="features of shape (n, p) and a target of shape (n,)",
            do="exactly(phi(points), g(points), measure)",
        )
    if not np.isfinite(matrix).all() or not np.isfinite(values).all():
        raise InputError(
            "A certificate is about finite numbers.",
            got="NaN or infinity among the features or the target",
            need="finite features and a finite target",
            do="leave out the points where a function is not defined",
        )
    return matrix, values


def _dot(coefficients: Any, column: np.ndarray) -> Fraction:
    terms = (c * Fraction(float(v)) for c, v in zip(coefficients, column, strict=True))
    return sum(terms, Fraction(0))


def _integers(column: np.ndarray) -> list[int]:
    """A column times the power of two that makes all its numbers whole."""
    exact = [Fraction(float(v)) for v in column]
    common = max(f.denominator for f in exact)
    return [int(f * common) for f in exact]


def _null_vector(equations: list[list[int]]) -> list[int] | None:
    """Whole numbers c, not all 0 and without a common factor, with Σ_i c_i E_ji = 0 for each j."""
    rows, width = [np.array(e, dtype=object) for e in equations], len(equations[0])
    pivots: list[int] = []
    previous = 1
    for column in range(width):
        place = len(pivots)
        found = next((k for k in range(place, len(rows)) if rows[k][column]), None)
        if found is None:
            return _solved(rows, pivots, column)
        rows[place], rows[found] = rows[found], rows[place]
        lead = rows[place][column]
        for k in range(place + 1, len(rows)):
            # Every division is exact: the entries are minors of the matrix.
            rows[k] = (lead * rows[k] - rows[k][column] * rows[place]) // previous
        previous = lead
        pivots.append(column)
    return None


def _solved(rows: list[np.ndarray], pivots: list[int], free: int) -> list[int]:
    """The null vector with the first column that has no pivot as its free part."""
    solution: dict[int, Fraction] = {free: Fraction(1)}
    for k in reversed(range(len(pivots))):
        known = sum((value * rows[k][j] for j, value in solution.items()), Fraction(0))
        solution[pivots[k]] = -known / Fraction(int(rows[k][pivots[k]]))
    common = lcm(*(value.denominator for value in solution.values()))
    whole = [int(solution.get(j, Fraction(0)) * common) for j in range(len(rows[0]))]
    shared = gcd(*whole)
    return [w // shared for w in whole]
