"""Arithmetic whose result is certain: directed rounding and certified linear algebra.

A proof that rests on a computation is only as good as the bound on its rounding error. Scalars are
rounded through exact rationals, so a result that is exactly representable stays exact; matrices are
bounded a posteriori, from residuals.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import inf, isfinite, isinf, nextafter, sqrt
from typing import Any

import numpy as np

__all__ = [
    "add",
    "affine_range",
    "column_rank",
    "grown",
    "multiply",
    "norm_bound",
    "root_sum_squares",
    "scaled",
    "singular_values",
    "widen",
]

EPS = float(np.finfo(np.float64).eps)
# No supported platform's exp, tanh, erf, ... is further than this from the truth.
ULPS = 16


def _round(exact: Fraction, up: bool) -> float:
    try:
        near = float(exact)
    except OverflowError:
        top = float(np.finfo(np.float64).max)
        big = inf if exact > 0 else -inf
        return big if (exact > 0) == up else (top if exact > 0 else -top)
    if isinf(near) or Fraction(near) == exact:
        return near
    if up:
        return near if Fraction(near) > exact else nextafter(near, inf)
    return near if Fraction(near) < exact else nextafter(near, -inf)


def add(numbers: Iterable[float], up: bool) -> float:
    """The sum, rounded up or down.

    Examples
    --------
    >>> add([0.5, 0.25], up=True)
    0.75
    >>> add([0.1, 0.2], up=True) >= 0.3 >= add([0.1, 0.2], up=False)
    True
    """
    numbers = list(numbers)
    if any(isinf(v) for v in numbers):
        return sum(numbers)
    return _round(sum((Fraction(v) for v in numbers), Fraction(0)), up)


def multiply(numbers: Iterable[float], up: bool) -> float:
    """The product of numbers >= 0, rounded up or down; 0 times inf is 0.

    Examples
    --------
    >>> multiply([3.0, 0.5], up=True)
    1.5
    """
    numbers = list(numbers)
    if any(v == 0 for v in numbers):
        return 0.0
    if any(isinf(v) for v in numbers):
        return inf
    exact = Fraction(1)
    for v in numbers:
        exact *= Fraction(v)
    return _round(exact, up)


def root_sum_squares(numbers: Iterable[float], up: bool) -> float:
    """The square root of the sum of squares, rounded up or down.

    Examples
    --------
    >>> root_sum_squares([3.0, 4.0], up=True)
    5.0
    """
    numbers = list(numbers)
    if any(isinf(v) for v in numbers):
        return inf
    exact = sum((Fraction(v) ** 2 for v in numbers), Fraction(0))
    # Scaled by a power of 4 into the middle of the range, where nothing under- or overflows.
    shift = (exact.denominator.bit_length() - exact.numerator.bit_length()) // 2
    near = sqrt(float(exact * Fraction(4) ** shift))
    try:
        near = float(Fraction(near) / Fraction(2) ** shift) if near < 2**60 else near
    except OverflowError:
        near = inf
    if not isfinite(near):
        return inf if up else float(np.finfo(np.float64).max)
    # sqrt is correctly rounded, so the truth is at most one step away.
    while up and Fraction(near) ** 2 < exact:
        near = nextafter(near, inf)
    while not up and Fraction(near) ** 2 > exact:
        near = nextafter(near, -inf)
    return near


def widen(values: np.ndarray, up: bool, ulps: int = ULPS) -> np.ndarray:
    """Move values by a few units in the last place; ``ulps=0`` says that they are exact."""
    values = np.asarray(values, dtype=np.float64)
    if not ulps:
        return values
    step = ulps * np.maximum(np.abs(values) * EPS, np.finfo(np.float64).tiny)
    with np.errstate(invalid="ignore", over="ignore"):
        moved = values + step if up else values - step
    return np.where(np.isinf(values), values, moved)


def _product_error(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A bound for the rounding error of the floating-point product a @ b (Higham's γ_n)."""
    n = a.shape[-1]
    return (2 * n + 4) * EPS * (np.abs(a) @ np.abs(b)) + np.finfo(np.float64).tiny * n


def norm_bound(a: np.ndarray) -> float:
    """The Frobenius norm of a matrix of moderate size, rounded up.

    Examples
    --------
    >>> 1e-200 <= norm_bound(np.array([[1e-200]])) <= 1.001e-200
    True
    """
    # Beside the greatest entry no square overflows, and what underflows is nothing.
    top = float(np.abs(a).max(initial=0.0))
    if not 0 < top < inf:
        return top
    found = top * float(np.linalg.norm(a / top)) * (1 + 8 * EPS * (2 + sqrt(a.size)))
    # Among the smallest numbers rounding is not relative.
    return found if found > 1e-290 else found + float(np.finfo(np.float64).tiny)


def scaled(weight: np.ndarray) -> tuple[np.ndarray, int]:
    """The weight and a power of 2 taken out of it, so that nothing over- or underflows.

    Examples
    --------
    >>> scaled(np.array([4.0, 1.0]))
    (array([0.5  , 0.125]), 3)
    """
    power = int(np.frexp(np.abs(weight).max())[1])
    return np.ldexp(weight, -power), power


def grown(values: Any, power: int, up: bool) -> np.ndarray:
    """Numbers that are not negative times a power of 2, rounded up or down.

    Examples
    --------
    >>> grown([0.5, 0.0], 3, up=True)
    array([4., 0.])
    """
    real, given = np.finfo(np.float64), np.asarray(values, dtype=np.float64)
    with np.errstate(over="ignore", under="ignore"):
        moved = np.ldexp(given, power)
    if not up:
        moved = np.where(np.isinf(moved) & np.isfinite(given), real.max, moved)
    # Among the smallest numbers the shift itself rounds.
    return np.where((moved < real.tiny) & (given > 0), real.tiny if up else 0.0, moved)


def singular_values(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Certified bounds (lower, upper) for the singular values, greatest first.

    From W ≈ UΣVᵀ: perturbing by the residual W - UΣVᵀ moves a singular value by at most its norm
    (Weyl), and replacing U and V by matrices that are orthogonal up to a defect changes them by a
    factor within sqrt((1 ± δ_U)(1 ± δ_V)) (Ostrowski). Both defects are computed and bounded with
    the rounding error of the products, so the bounds hold whatever the SVD routine returned.

    Parameters
    ----------
    weight : ndarray of shape (m, n), float64

    Returns
    -------
    lower, upper : ndarray of shape (min(m, n),)

    References
    ----------
    Rump (2011), Verified bounds for singular values.

    Examples
    --------
    >>> low, high = singular_values(np.diag([3.0, 2.0]))
    >>> bool(low[0] <= 3 <= high[0] and high[0] - low[0] < 1e-12)
    True
    """
    w = np.asarray(weight, dtype=np.float64)
    if not w.any():
        return np.zeros(min(w.shape)), np.zeros(min(w.shape))
    w, power = scaled(w)
    u, s, vt = np.linalg.svd(w, full_matrices=False)
    us = u * s
    residual = norm_bound(
        np.abs(w - us @ vt) + _product_error(us, vt) + EPS * (np.abs(us) @ np.abs(vt))
    )
    eye = np.eye(len(s))
    defect_u = norm_bound(np.abs(u.T @ u - eye) + _product_error(u.T, u))
    defect_v = norm_bound(np.abs(vt @ vt.T - eye) + _product_error(vt, vt.T))
    grow = sqrt((1 + defect_u) * (1 + defect_v)) * (1 + 4 * EPS)
    shrink = sqrt(max(0.0, (1 - defect_u) * (1 - defect_v))) * (1 - 4 * EPS)
    low, high = np.maximum(0.0, s * shrink - residual), s * grow + residual
    return grown(low, power, up=False), grown(high, power, up=True)


def column_rank(weight: np.ndarray, limit: int = 48) -> int | None:
    """The exact rank over the rationals, or None when the matrix is too large to be worth it."""
    w = np.asarray(weight, dtype=np.float64)
    if w.size * min(w.shape) > limit**3:
        return None
    rows = [[Fraction(float(v)) for v in row] for row in w]
    rank = 0
    for column in range(w.shape[1]):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        lead = rows[rank]
        for r in range(rank + 1, len(rows)):
            if rows[r][column]:
                factor = rows[r][column] / lead[column]
                rows[r] = [x - factor * y for x, y in zip(rows[r], lead, strict=True)]
        rank += 1
    return rank


def affine_range(
    low: np.ndarray, high: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """An enclosure of {x W + b : low <= x <= high}, exact up to the outward rounding.

    Parameters
    ----------
    low, high : ndarray of shape (d_in,)
        Bounds, which may be infinite.
    weight : ndarray of shape (d_in, d_out)
    bias : ndarray of shape (d_out,)

    Returns
    -------
    low, high : ndarray of shape (d_out,)

    Examples
    --------
    >>> affine_range(np.array([-1.0]), np.array([np.inf]), np.array([[2.0]]), np.array([0.0]))[1]
    array([inf])
    """
    finite_low = np.where(np.isinf(low), 0.0, low)
    finite_high = np.where(np.isinf(high), 0.0, high)
    pos, neg = np.maximum(weight, 0), np.minimum(weight, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        a = finite_low @ pos + finite_high @ neg + bias
        b = finite_high @ pos + finite_low @ neg + bias
        reach = np.maximum(np.abs(finite_low), np.abs(finite_high))
        size = reach @ np.abs(weight) + np.abs(bias)
        # Where products underflow, their error is not relative.
        tiny = ((reach > 0) @ (weight != 0)) * np.finfo(np.float64).tiny
        error = (2 * len(low) + 6) * EPS * size + 4 * tiny
        a, b = np.where(np.isfinite(size), [a - error, b + error], [[-inf], [inf]])
    down = np.isinf(low) @ (weight > 0) + np.isinf(high) @ (weight < 0)
    up = np.isinf(high) @ (weight > 0) + np.isinf(low) @ (weight < 0)
    return np.where(down > 0, -inf, a), np.where(up > 0, inf, b)


def affine_reach(
    low: np.ndarray,
    high: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    memo: dict[Any, Any] | None = None,
) -> tuple[np.ndarray, np.ndarray] | None:
    """A box that {x W + b : low <= x <= high} certainly covers, or None where none is found.

    With an approximate right inverse, P W = I + E, every y = c W + b + z (I + E) is the value at
    c + z P. In the sup norm with the weights r_j, the inverse of I + E grows z by at most
    1 / (1 - |E|), so y within r_j of the centre is reached by x within (r |P|)_i / (1 - |E|) of c.

    Parameters
    ----------
    low, high : ndarray of shape (d_in,)
        Bounds, which may be infinite.
    weight : ndarray of shape (d_in, d_out)
    bias : ndarray of shape (d_out,)
    memo : dict, optional
        Where to keep the inverse of this weight.

    Returns
    -------
    (low, high) of shape (d_out,), or None

    Examples
    --------
    >>> low, high = affine_reach(np.zeros(1), np.ones(1), np.array([[2.0]]), np.array([1.0]))
    >>> bool(1 <= low[0] < 1 + 1e-6 and 3 - 1e-6 < high[0] <= 3)
    True
    """
    n, m = weight.shape
    if m > n or n * m > 2**16 or not (low < high).all():
        return None
    whole = bool(np.isinf(low).all() and np.isinf(high).all())
    # Part of an unbounded box is box enough.
    start = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high - 100.0, -100.0))
    end = np.where(np.isfinite(high), high, np.where(np.isfinite(low), low + 100.0, 100.0))
    with np.errstate(all="ignore"):
        centre = start / 2 + end / 2
        half = np.minimum(centre - start, end - centre) * (1 - 4 * EPS)
        wish = half @ np.abs(weight)
    if not (np.isfinite(wish) & (wish > 0) & (wish < 1e150)).all() or not (half > 1e-150).all():
        return None
    known = {} if memo is None else memo
    if "inverse" not in known:
        # What overflows is no inverse, and is refused below.
        with np.errstate(all="ignore"):
            try:
                inverse = np.linalg.pinv(weight)
            except np.linalg.LinAlgError:
                inverse = np.zeros((m, n))
            error = np.abs(inverse @ weight - np.eye(m)) + _product_error(inverse, weight)
        known["inverse"] = inverse, error
    inverse, error = known["inverse"]
    with np.errstate(all="ignore"):
        needed = wish @ np.abs(inverse)
    if not (np.isfinite(needed) & (needed > 0)).any():
        return None
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = float(np.min(np.where(needed > 0, half / needed, inf)))
        defect = float(((wish @ error) / wish).max())
    if not defect < 1e-9 or not 0 < scale < inf:
        return None
    if whole:
        return np.full(m, -inf), np.full(m, inf)
    with np.errstate(all="ignore"):
        middle = centre @ weight + bias
        slack = (2 * n + 6) * EPS * (np.abs(centre) @ np.abs(weight) + np.abs(bias))
        radius = wish * scale * (1 - 1e-8) - 2 * slack - np.finfo(np.float64).tiny
        low, high = middle - radius, middle + radius
    sure = (radius > 0) & np.isfinite(low) & np.isfinite(high)
    return (low, high) if sure.all() else None
