"""Intervals of real numbers with outward rounding.

An interval is a pair (low, high) with low <= high, whose ends may be infinite: then it stands for
the finite numbers up to there. Sums, products and quotients are rounded through exact rationals;
transcendental functions are widened by more than any platform's error.

References
----------
Moore, Kearfott, Cloud (2009), Introduction to Interval Analysis, chapters 5 and 6.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, inf, isinf, nextafter, pi

import numpy as np

from ..interval import add, multiply, widen

__all__ = [
    "Interval",
    "corners",
    "hull",
    "increasing",
    "minus",
    "over",
    "plus",
    "power",
    "size",
    "times",
    "wave",
]

Interval = tuple[float, float]

TOP = float(np.finfo(np.float64).max)
# Up to here a power is bounded by exact products; the numbers grow in length with each factor.
LARGEST_EXACT = 64
# From here on the period of sin and cos can no longer be told apart reliably.
LARGEST_ANGLE = 1e6


def plus(a: Interval, b: Interval) -> Interval:
    """a + b."""
    return add([a[0], b[0]], up=False), add([a[1], b[1]], up=True)


def minus(a: Interval) -> Interval:
    """-a."""
    return -a[1], -a[0]


def _multiple(a: float, b: float, up: bool) -> float:
    # An infinite end is never reached, so 0 times it is 0, as `multiply` has it.
    if (a < 0) == (b < 0):
        return multiply([abs(a), abs(b)], up)
    return -multiply([abs(a), abs(b)], not up)


def times(a: Interval, b: Interval) -> Interval:
    """a * b for independent operands.

    Examples
    --------
    >>> times((-1.0, 2.0), (3.0, inf))
    (-inf, inf)
    """
    pairs = [(u, v) for u in a for v in b]
    return min(_multiple(u, v, False) for u, v in pairs), max(
        _multiple(u, v, True) for u, v in pairs
    )


def _quotient(a: float, b: float, up: bool, positive: bool) -> float:
    if isinf(b) or a == 0:
        return 0.0
    if b == 0:
        return inf if (a > 0) == positive else -inf
    if isinf(a):
        return a if b > 0 else -a
    near = a / b
    if isinf(near):
        return near if (near > 0) == up else (TOP if near > 0 else -TOP)
    exact = Fraction(a) / Fraction(b)
    if (near < exact) == up and near != exact:
        return nextafter(near, inf if up else -inf)
    return near


def over(a: Interval, b: Interval) -> Interval:
    """a / b for b on one side of 0; an end 0 is what a positive number was rounded to."""
    pairs = [(u, v) for u in a for v in b]
    low = min(_quotient(u, v, False, b[1] > 0 or b[0] >= 0) for u, v in pairs)
    high = max(_quotient(u, v, True, b[1] > 0 or b[0] >= 0) for u, v in pairs)
    return min(low, TOP), max(high, -TOP)


def hull(a: Interval, b: Interval) -> Interval:
    """The smallest interval that contains both."""
    return min(a[0], b[0]), max(a[1], b[1])


def size(a: Interval) -> Interval:
    """The range of |x|."""
    least = 0.0 if a[0] <= 0 <= a[1] else min(abs(a[0]), abs(a[1]))
    return least, max(abs(a[0]), abs(a[1]))


# The arguments at which a function's floating-point value is its exact value.
EXACT_AT = {"exp": 0.0, "cos": 0.0, "log": 1.0, "log10": 1.0}


def _at(function: str, x: float, up: bool) -> float:
    with np.errstate(all="ignore"):
        y = float(getattr(np, function)(x))
    # The limit of arctan is the only one that is not a floating-point number.
    if x == EXACT_AT.get(function, 0.0) or (isinf(x) and function != "arctan"):
        return y
    if isinf(y):
        return y if (y > 0) == up else (TOP if y > 0 else -TOP)
    return float(widen(np.array(y), up))


def increasing(function: str, x: Interval, least: float = -inf, most: float = inf) -> Interval:
    """The range of an increasing function with known bounds."""
    return max(_at(function, x[0], False), least), min(_at(function, x[1], True), most)


def power(x: Interval, n: int) -> Interval:
    """The range of x ** n for n >= 0."""
    if n == 0:
        return 1.0, 1.0
    if n % 2 == 0:
        least, most = size(x)
        return _magnitude(least, n, False), _magnitude(most, n, True)
    low, high = x
    return (
        _magnitude(low, n, False) if low >= 0 else -_magnitude(-low, n, True),
        _magnitude(high, n, True) if high >= 0 else -_magnitude(-high, n, False),
    )


def _magnitude(x: float, n: int, up: bool) -> float:
    return multiply([x] * n, up) if n <= LARGEST_EXACT else _real_power(x, float(n), up)


def _real_power(x: float, p: float, up: bool) -> float:
    """x ** p for x >= 0."""
    with np.errstate(all="ignore"):
        y = float(np.power(np.float64(x), p))
    if x in (0.0, 1.0) or p in (0.0, 1.0) or isinf(x) or isinf(p):
        return y
    if isinf(y):
        return y if up else TOP
    return max(float(widen(np.array(y), up)), 0.0)


def corners(base: Interval, exponent: Interval) -> Interval:
    """The range of b ** e for b >= 0: monotone in each, so the corners are extreme."""
    ends = [(b, e) for b in base for e in exponent]
    low = min(_real_power(b, e, False) for b, e in ends)
    return min(low, TOP), max(_real_power(b, e, True) for b, e in ends)


def wave(x: Interval, quarter: float) -> Interval:
    """The range of cos(x - quarter * π/2)."""
    low, high = x
    if not (abs(low) < LARGEST_ANGLE and abs(high) < LARGEST_ANGLE and high - low < 6):
        return -1.0, 1.0
    function = "sin" if quarter else "cos"
    ends = [_at(function, v, up) for v in x for up in (False, True)]
    # A margin wider than any rounding: a peak that is only nearly reached counts as reached.
    first, last = (low - 1e-6) / pi - quarter / 2, (high + 1e-6) / pi - quarter / 2
    top = floor(last / 2) > floor(first / 2) or first % 2 == 0
    bottom = floor((last + 1) / 2) > floor((first + 1) / 2) or (first + 1) % 2 == 0
    return (
        -1.0 if bottom else max(min(ends), -1.0),
        1.0 if top else min(max(ends), 1.0),
    )
