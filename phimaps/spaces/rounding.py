"""Sums with directed rounding, and the words for large counts."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nextafter
from typing import Any

import numpy as np

__all__ = ["count_text", "directed", "norms", "outward", "square_gaps"]

MOST = float(np.finfo(np.float64).max)


def outward(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """Bounds for a + b, elementwise: both are the sum where that is representable.

    The rounding error of a floating-point sum is itself representable (Knuth's TwoSum).

    Examples
    --------
    >>> low, high = outward(np.array([1.0, 1.0]), np.array([2.0, 1e-30]))
    >>> (high > low).tolist()
    [False, True]
    """
    a, b = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    with np.errstate(invalid="ignore", over="ignore"):
        total = a + b
        back = total - a
        error = (a - (total - back)) + (b - back)
    finite = np.isfinite(a) & np.isfinite(b)
    error = np.where(finite, error, 0.0)
    with np.errstate(over="ignore"):
        low = np.where(error < 0, np.nextafter(total, -inf), total)
        high = np.where(error > 0, np.nextafter(total, inf), total)
    # What overflows lies beyond the greatest number.
    over = finite & np.isinf(total)
    return np.where(over & (total > 0), MOST, low), np.where(over & (total < 0), -MOST, high)


def directed(exact: Fraction, up: bool) -> float:
    """A fraction as a float, rounded up or down."""
    try:
        near = float(exact)
    except OverflowError:
        near = inf if exact > 0 else -inf
        return near if (exact > 0) == up else (MOST if exact > 0 else -MOST)
    if Fraction(near) == exact:
        return near
    if up:
        return near if Fraction(near) > exact else nextafter(near, inf)
    return near if Fraction(near) < exact else nextafter(near, -inf)


def norms(rows: np.ndarray) -> np.ndarray:
    """The lengths of the rows; squares that over- or underflow are avoided by scaling."""
    with np.errstate(all="ignore"):
        found = np.asarray(np.linalg.norm(rows, axis=1))
        odd = ~((found > 1e-140) & (found < 1e150))
        if odd.any():
            most = np.abs(rows[odd]).max(axis=1, initial=0.0, keepdims=True)
            scale = np.where((most > 0) & np.isfinite(most), most, 1.0)
            found[odd] = np.linalg.norm(rows[odd] / scale, axis=1) * scale[:, 0]
    return found


def square_gaps(points: np.ndarray, center: np.ndarray, radius: float) -> list[Fraction]:
    """|x - center|² - radius² for each point, exactly."""
    middle = [Fraction(float(v)) for v in center.ravel()]
    square = Fraction(radius) ** 2
    return [
        sum(((Fraction(float(a)) - b) ** 2 for a, b in zip(x, middle, strict=True)), -square)
        for x in points.reshape(len(points), len(middle))
    ]


def count_text(count: int) -> str:
    """A count in words that stay short however large it is.

    Examples
    --------
    >>> count_text(1234), count_text(10**50)
    ('1,234', 'about 10^50')
    """
    if count < 10**15:
        return f"{count:,}"
    return f"about 10^{int((count.bit_length() - 1) * 0.30103 + 0.5)}"
