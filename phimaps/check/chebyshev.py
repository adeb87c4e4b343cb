"""The best uniform approximation of values by a linear span, with a measure that proves it best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.linalg import qr, svd
from scipy.optimize import linprog

from ..errors import InputError, ShapeError, show

__all__ = ["Best", "chebyshev"]

# Columns that rounding makes dependent are left out: what they add is lost in the noise.
DEPENDENT = 1e-11
# How far a row may exceed the error of the rows solved for, of a target of size 1.
CLOSED = 1e-11
EXCHANGES = 500
METHODS = ("highs-ds", "highs-ipm", "highs")


@final
@dataclass(frozen=True, eq=False)
class Best:
    """min over w of max_i |Φ_i w - g_i|, from above and from below.

    Parameters
    ----------
    weights : ndarray of shape (p,)
        They attain `error`.
    error : float
        max_i |Φ_i w - g_i|, computed from the weights.
    measure : ndarray of shape (n,)
        c with Σ|c_i| = 1 and Φ'c = 0 up to `residual`: a measure that annihilates the span.
    lower : float
        |Σ c_i g_i|, rounded down: what no weights can go below, were the residual 0; see
        `at_least`.
    residual : float
        max_j |Σ_i c_i Φ_ij|, rounded up.
    rank : int
        The dimension of the span up to rounding.
    """

    weights: np.ndarray
    error: float
    measure: np.ndarray
    lower: float
    residual: float
    rank: int

    @property
    def gap(self) -> float:
        """error - lower: 0 but for rounding, by the duality of linear programs."""
        return self.error - self.lower

    def at_least(self, weight_sum: float) -> float:
        """A bound from below on the error of all weights with Σ|w_j| <= `weight_sum`.

        max |Φw - g| >= |Σ c_i (g_i - Φ_i w)| >= |c·g| - Σ|w_j| · max_j |Φ'c|_j for every w.
        """
        return max(0.0, (self.lower - weight_sum * self.residual) * (1 - 1e-12))


def chebyshev(features: Any, target: Any) -> Best:
    """min over w of max_i |Φ_i w - g_i|, the linear Chebyshev approximation on n points.

    Solved as a linear program on orthonormal combinations of the columns, on some of the rows; rows
    that exceed its error join them until none does, so that the last program is as good as that of
    all rows. Its dual is a measure on at most rank + 1 points that annihilates the span.

    Parameters
    ----------
    features : array-like of shape (n, p)
        The functions at the points, the constant among them if it is in the span.
    target : array-like of shape (n,)

    Returns
    -------
    Best

    Raises
    ------
    ShapeError, InputError
        When the shapes do not fit, or an entry is not finite.

    References
    ----------
    Cheney (1966), Introduction to approximation theory, chapter 2: the characterisation of best
    approximations by annihilating measures.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 101)
    >>> best = chebyshev(np.vander(x, 2), np.abs(x))
    >>> float(round(best.error, 12)), float(round(best.lower, 12))
    (0.5, 0.5)
    >>> x[np.abs(best.measure) > 1e-9]
    array([-1.,  0.,  1.])
    """
    matrix, values = _checked(features, target)
    n = len(values)
    q, r, order = qr(matrix, mode="economic", pivoting=True)
    sizes = np.abs(np.diag(r))
    rank = int((sizes > DEPENDENT * sizes[0]).sum()) if sizes.size and sizes[0] > 0 else 0
    basis = q[:, :rank] * np.sqrt(n)
    rest = values - basis @ (basis.T @ values) / n
    rest -= basis @ (basis.T @ rest) / n
    scale = float(np.abs(rest).max())
    if scale <= 64 * np.finfo(float).eps * float(np.abs(values).max()) or rank >= n:
        coefficients, measure = basis.T @ values / n, _annihilator(basis, np.arange(n))
    else:
        step, measure = _solved(basis, rest / scale)
        coefficients = basis.T @ values / n + scale * step
    weights = np.zeros(matrix.shape[1])
    weights[order[:rank]] = np.linalg.solve(r[:rank, :rank], np.sqrt(n) * coefficients)
    error = float(np.abs(matrix @ weights - values).max())
    if not measure.any():
        return Best(weights, error, measure, 0.0, 0.0, rank)
    if measure @ values < 0:
        measure = -measure
    # Rounded outwards: a sum of products errs by at most a unit for each that is not 0, of their
    # absolute sum, which is at most the greatest factor, as the masses sum to 1.
    unit = 2 * np.count_nonzero(measure) * float(np.finfo(float).eps)
    lower = float(measure @ values) - unit * float(np.abs(values).max())
    moved = np.abs(matrix.T @ measure) + unit * np.abs(matrix).max(axis=0)
    return Best(weights, error, measure, min(max(lower, 0.0), error), float(moved.max()), rank)


def _checked(features: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    matrix, values = np.array(features, dtype=np.float64), np.array(target, dtype=np.float64)
    if matrix.ndim != 2 or values.ndim != 1 or len(matrix) != len(values) or not matrix.size:
        raise ShapeError(
            "A best approximation needs the values of functions at points, and a target there.",
            got=f"features={show(matrix)}, target={show(values)}",
            need="features of shape (n, p) and a target of shape (n,), both not empty",
            do="chebyshev(phi(points), g(points))",
        )
    if not np.isfinite(matrix).all() or not np.isfinite(values).all():
        name = "features" if not np.isfinite(matrix).all() else "target"
        raise InputError(
            "A best approximation needs finite numbers.",
            got=f"{name} with NaN or infinity",
            need="finite features and a finite target",
            do="leave out the points where a function is not defined",
        )
    return matrix, values


def _solved(basis: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best coefficients for a target of size 1 that is orthogonal to the basis; the measure."""
    n, rank = basis.shape
    rows = np.zeros(n, dtype=bool)
    rows[np.argsort(-np.abs(rest))[: 2 * rank + 2]] = True
    # Rows from which every function of the span can be told, so that the program is bounded.
    rows[qr(basis.T, mode="r", pivoting=True)[1][: rank + 1]] = True
    while True:
        chosen = np.flatnonzero(rows)
        step, error, dual = _program(basis[chosen], rest[chosen])
        over = np.abs(rest - basis @ step) - error
        over[chosen] = -np.inf
        if rows.all() or over.max() <= CLOSED:
            break
        worst = np.argsort(-over)[: rank + 1]
        rows[worst[over[worst] > CLOSED]] = True
    measure = np.zeros(n)
    measure[chosen] = dual
    return _exchanged(basis, rest, step, measure)


def _program(basis: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Minimise t with |rest - basis w| <= t: w, t, and the dual measure."""
    ones = np.ones((len(rest), 1))
    upper = np.vstack([np.hstack([basis, -ones]), np.hstack([-basis, -ones])])
    cost = np.append(np.zeros(basis.shape[1]), 1.0)
    free = [(None, None)] * basis.shape[1] + [(0, None)]
    for method in METHODS:
        # A solver may stop with numerical difficulties that another does not have.
        found = linprog(cost, upper, np.append(rest, -rest), bounds=free, method=method)
        if found.status == 0:
            break
    else:
        raise InputError(
            "No linear program solver finished: the features are too near to dependent.",
            got=f"{found.message}",
            need="features that differ by more than rounding",
            do="fewer features, or other points",
        )
    dual = -found.ineqlin.marginals
    return found.x[:-1], float(found.fun), dual[len(rest) :] - dual[: len(rest)]


def _exchanged(
    basis: np.ndarray, rest: np.ndarray, step: np.ndarray, measure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same to the last digits: exchange steps from the support that a solver stopped at.

    A solver leaves what it takes for feasible within 1e-7. Each step solves for equal errors of
    alternating sign on rank + 1 rows, and lets in the row that exceeds them most.
    """
    rank = basis.shape[1]
    best, proof = step, measure - basis @ (basis.T @ measure) / len(basis)
    error, least = np.abs(rest - basis @ step).max(), 0.0
    rows = _reference(basis, measure)
    signs = np.where(measure[rows] < 0, -1.0, 1.0)
    for _ in range(EXCHANGES):
        signed = basis[rows] * signs[:, None]
        system = np.vstack([signed.T, np.ones(rank + 1)])
        try:
            mass = np.linalg.solve(system, np.append(np.zeros(rank), 1.0))
            level = np.linalg.solve(np.hstack([signed, np.ones((rank + 1, 1))]), signs * rest[rows])
        except np.linalg.LinAlgError:
            break
        found = rest - basis @ level[:-1]
        worst = int(np.abs(found).argmax())
        if np.abs(found[worst]) < error:
            best, error = level[:-1], np.abs(found[worst])
        if mass.min() >= -CLOSED and level[-1] > least:
            least, proof = level[-1], np.zeros(len(basis))
            proof[rows] = mass * signs
        if np.abs(found[worst]) <= level[-1] * (1 + 1e-13) or worst in rows:
            break
        sign = np.sign(found[worst])
        move = np.linalg.solve(system, np.append(-sign * basis[worst], -1.0))
        down = np.flatnonzero(move < 0)
        out = down[np.argmin(np.maximum(mass[down], 0.0) / -move[down])]
        rows[out], signs[out] = worst, sign
    return best, proof / np.abs(proof).sum()


def _reference(basis: np.ndarray, measure: np.ndarray) -> np.ndarray:
    """Rank + 1 rows that begin with the support of the measure and span all functions."""
    size = np.abs(measure) / np.abs(measure).max()
    # Scaled by weight, the pivots take the support first and fill it up with other rows.
    signs = np.where(measure < 0, -1.0, 1.0)
    weighted = np.column_stack([basis, signs]) * np.maximum(size, 1e-6)[:, None]
    return qr(weighted.T, mode="r", pivoting=True)[1][: basis.shape[1] + 1].copy()


def _annihilator(basis: np.ndarray, support: np.ndarray) -> np.ndarray:
    """A measure on some rows that annihilates the basis, with Σ|c_i| = 1; 0 if there is none."""
    measure = np.zeros(len(basis))
    if len(support) > basis.shape[1]:
        measure[support] = svd(basis[support].T)[2][-1]
        measure /= np.abs(measure).sum()
    return measure
