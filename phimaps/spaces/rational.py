"""Affine functions on boxes, with rational numbers and so without rounding."""

from __future__ import annotations

from fractions import Fraction
from math import inf
from typing import Any

import numpy as np

from .boxes import Boxlike
from .rounding import directed

__all__ = ["Matrix", "Range", "dot", "down", "fits", "form_range", "fractions", "inverse_in", "up"]

Matrix = list[list[Fraction]]
# Least and greatest value, each followed by whether it is attained.
Range = tuple[Fraction | float, bool, Fraction | float, bool]


def fractions(matrix: np.ndarray) -> Matrix:
    """The entries as fractions."""
    return [[Fraction(float(v)) for v in row] for row in matrix]


def dot(a: Any, b: Any) -> Fraction:
    """a · b."""
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def down(value: Fraction | float) -> float:
    """As a float, rounded down."""
    return directed(value, up=False) if isinstance(value, Fraction) else value


def up(value: Fraction | float) -> float:
    """As a float, rounded up."""
    return directed(value, up=True) if isinstance(value, Fraction) else value


def form_range(weights: list[Fraction], constant: Fraction, box: Boxlike | None) -> Range:
    """The range of t ↦ weights · t + constant over the box, with whether its ends are attained."""
    low: Fraction | float = constant
    high: Fraction | float = constant
    low_in = high_in = True
    for i, w in enumerate(weights):
        if box is None or not w:
            continue
        inside = box.attains()
        ends = [(float(v[i]), bool(a[i])) for v, a in zip((box.low, box.high), inside, strict=True)]
        (a, a_in), (b, b_in) = ends if w > 0 else ends[::-1]
        low = -inf if np.isinf(a) or low == -inf else low + w * Fraction(a)
        high = inf if np.isinf(b) or high == inf else high + w * Fraction(b)
        low_in, high_in = low_in and a_in, high_in and b_in
    return low, low_in, high, high_in


def fits(found: Range, box: Boxlike, i: int) -> bool:
    """Whether a range lies in the i-th interval of the box."""
    low, low_in, high, high_in = found
    (low_closed, high_closed), least, most = box.attains(), box.low[i], box.high[i]
    below = low > least or (low == least and (low_closed[i] or not low_in))
    above = high < most or (high == most and (high_closed[i] or not high_in))
    return bool(below and above)


def inverse_in(rows: Matrix) -> tuple[list[int], Matrix]:
    """Columns in which the independent rows stay independent, and the inverse of that square."""
    k, n = len(rows), len(rows[0])
    work = [[*row, *(Fraction(int(i == j)) for j in range(k))] for i, row in enumerate(rows)]
    chosen: list[int] = []
    for column in range(n):
        place = len(chosen)
        pivot = next((r for r in range(place, k) if work[r][column]), None)
        if pivot is None:
            continue
        work[place], work[pivot] = work[pivot], work[place]
        lead = work[place][column]
        work[place] = [v / lead for v in work[place]]
        for r in range(k):
            factor = work[r][column]
            if r != place and factor:
                work[r] = [x - factor * y for x, y in zip(work[r], work[place], strict=True)]
        chosen.append(column)
        if len(chosen) == k:
            break
    return chosen, [row[n:] for row in work]
