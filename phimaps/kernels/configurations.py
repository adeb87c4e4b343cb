"""Points of a space in the positions at which kernels lose functions.

Each function returns points that certainly lie in the space, or None where it finds none; a kernel
that loses something at such points states it as an `AnnihilatingMeasure`.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from math import ceil, floor, frexp

import numpy as np

from ..spaces import Space, Sphere

__all__ = ["collinear", "multiple", "opposite", "period", "polygon", "rectangle"]

# Kernels that stand in one expression ask for the same points of the same space.
REMEMBERED = 128
# Finite spaces of up to this many points are searched through.
FEW = 64
# Ratios t of two points x and tx; with few binary digits, so that tx is not rounded.
RATIOS = (2.0, 0.5, 1.5, 1.25, 1.125, 1.0625, 1.03125)


@lru_cache(REMEMBERED)
def opposite(on: Space) -> np.ndarray | None:
    """Two points x and -x, x ≠ 0, of shape (2, *on.shape)."""
    # Adding 0 leaves no negative zero.
    return _first(on, [np.stack([x, -x]) + 0.0 for x in _some(on) if x.any()])


@lru_cache(REMEMBERED)
def multiple(on: Space) -> tuple[np.ndarray, float] | None:
    """Two points x ≠ 0 and tx, t ≠ 1 positive, of shape (2, *on.shape), and t."""
    for t in RATIOS:
        with np.errstate(over="ignore"):
            # What overflows is no point, and is left out below.
            pairs = [np.stack([x, t * x]) for x in _some(on) if x.any()]
        found = _first(on, [p for p in pairs if np.array_equal(p[1] / t, p[0])])
        if found is not None:
            return found, t
    return None


@lru_cache(REMEMBERED)
def rectangle(on: Space) -> np.ndarray | None:
    """Corners (a, c), (b, c), (b, d), (a, d) in two coordinates, the others being held.

    With alternating signs they annihilate every sum of functions of fewer coordinates each than
    these two together.
    """
    members = _members(on)
    if members is not None:
        listed = {x.tobytes() for x in members}
        for x, y in combinations(members, 2):
            differ = np.flatnonzero(x != y)
            if len(differ) == 2:
                corners = np.stack([x, x, y, y])
                corners[1, differ[0]], corners[3, differ[0]] = y[differ[0]], x[differ[0]]
                if {corners[1].tobytes(), corners[3].tobytes()} <= listed:
                    return corners
        return None
    box = on.inner_box()
    if box is None or len(on.shape) != 1 or on.size < 2:
        return None
    corners = np.tile(_low(box), (4, 1))
    high = _high(box)
    corners[[1, 2], 0], corners[[2, 3], 1] = high[0], high[1]
    return _first(on, [corners])


@lru_cache(REMEMBERED)
def polygon(on: Space, n: int) -> tuple[np.ndarray, bool] | None:
    """The n corners of a regular polygon around 0, and whether they are these exactly.

    On a sphere around 0 the corners of a square lie exactly, those of others up to rounding; the
    polygon of real numbers lies in the space.
    """
    if len(on.shape) != 1 or on.size < 2:
        return None
    if isinstance(on, Sphere):
        if on.center.any():
            return None
        radius = on.radius
    else:
        box = on.inner_box()
        if box is None:
            return None
        room = float(np.minimum(-box.low, box.high)[:2].min())
        if not room > 0 or (box.low[2:] > 0).any() or (box.high[2:] < 0).any():
            return None
        # A power of two below it, so that the corners of a square are exact.
        radius = 2.0 ** (frexp(min(room, 1.0))[1] - 1)
    if n == 4:
        plane = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    else:
        angles = 2 * np.pi * np.arange(n) / n
        plane = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    corners = np.zeros((n, on.size))
    corners[:, :2] = radius * plane
    return corners, n == 4


@lru_cache(REMEMBERED)
def collinear(on: Space, n: int) -> np.ndarray | None:
    """n equally spaced points on a line along an axis, exactly."""
    box = on.inner_box() if not on.chords() else on.chords()
    if box is None:
        return None
    low, high, point = box if isinstance(box, tuple) else (box.low, box.high, _low(box))
    low = np.where(np.isfinite(low), low, np.minimum(high, 1.0) - 1.0)
    high = np.where(np.isfinite(high), high, low + n + 1.0)
    with np.errstate(over="ignore"):
        sides = np.ravel(high - low)
    axis = int(np.argmax(sides))
    first, width = float(np.ravel(low)[axis]), float(sides[axis])
    if not width > 0:
        return None
    step = 2.0 ** floor(np.log2(min(width / (n + 1), 1.0)))
    if abs(first) / step > 2.0**52 - n:
        # So far out neighbouring multiples of the step are one number.
        return None
    points = np.tile(np.asarray(point, dtype=np.float64), (n, *[1] * len(on.shape)))
    points.reshape(n, -1)[:, axis] = step * (ceil(first / step) + np.arange(n))
    return _first(on, [points])


def period(on: Space, periods: np.ndarray) -> np.ndarray | None:
    """Two points that differ by whole periods in some coordinate, exactly."""
    chords = on.chords()
    members = _members(on)
    if members is not None:
        for x, y in combinations(members, 2):
            if _whole_periods(x, y, periods):
                return np.stack([x, y])
        return None
    if chords is None:
        return None
    low, high, point = chords
    for axis in np.ndindex(on.shape):
        p = float(np.broadcast_to(periods, on.shape)[axis])
        start = max(float(low[axis]), -p) if low[axis] > -np.inf else min(float(high[axis]) - p, 0)
        # Multiples of the period are exact where the start is one of them.
        for first in (p * ceil(start / p), start):
            pair = np.tile(np.asarray(point, dtype=np.float64), (2, *[1] * len(on.shape)))
            pair[(0, *axis)], pair[(1, *axis)] = first, first + p
            if not _whole_periods(pair[0], pair[1], periods):
                continue
            if (found := _first(on, [pair])) is not None:
                return found
    return None


def _whole_periods(x: np.ndarray, y: np.ndarray, periods: np.ndarray) -> bool:
    """Whether two points differ by whole periods in every coordinate, without any rounding."""
    each = np.broadcast_to(periods, x.shape).ravel().tolist()
    pairs = zip(x.ravel().tolist(), y.ravel().tolist(), each, strict=True)
    ratios = [(Fraction(a) - Fraction(b)) / Fraction(p) for a, b, p in pairs]
    return all(r.denominator == 1 for r in ratios)


def _first(on: Space, configurations: list[np.ndarray]) -> np.ndarray | None:
    for points in configurations:
        if np.isfinite(points).all() and bool(on.surely_contains(points).all()):
            return points
    return None


def _some(on: Space) -> list[np.ndarray]:
    """Points of the space to start from, those with few digits first."""
    members = _members(on)
    if members is not None:
        return list(members)
    found = []
    box = on.inner_box()
    if box is not None:
        low, high = _low(box), _high(box)
        found += [_short(low / 2 + high / 2), low, high, _short(0.75 * low + 0.25 * high)]
        found += [np.where(np.arange(on.size).reshape(on.shape) == 0, high, 0.0)]
    return found + list(on.sample(64, 0))


def _members(on: Space) -> np.ndarray | None:
    members = on.enumerate()
    return None if members is None or len(members) > FEW else members


def _short(x: np.ndarray) -> np.ndarray:
    """The point with ten binary digits, so that it can be multiplied exactly."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.round(mantissa * 1024) / 1024, exponent)


def _low(box: Space) -> np.ndarray:
    low, high = box.bounds()
    return np.where(np.isfinite(low), low, np.minimum(high, 1.0) - 1.0)


def _high(box: Space) -> np.ndarray:
    high = box.bounds()[1]
    return np.where(np.isfinite(high), high, np.maximum(_low(box), 0.0) + 1.0)
