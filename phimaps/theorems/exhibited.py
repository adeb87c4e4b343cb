"""What a few points show of any map: chords, sizes, bends and asymmetries, enclosed with intervals.

A number found at points bounds a constant from one side. The points are searched for in floating
point; what is claimed is computed from enclosures of the values there, so it is certain.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from ..interval import root_sum_squares
from ..map import FeatureMap
from ..proof import Strength
from ..property import (
    Affine,
    Bounded,
    Invariant,
    Lipschitz,
    LowerLipschitz,
    PositivelyHomogeneous,
    Property,
)
from ..spaces import Box, Space
from ..spaces.rounding import norms as lengths
from ..theorem import Case, Condition, Numbers, theorem

# Beyond this many coordinates, points are not tried.
WIDEST = 4096
# So often the best pairs are varied.
ROUNDS = 10
# Compositions of more steps are looked at only at the pairs first drawn.
DEEP = 24
UP, DOWN = np.inf, -np.inf
# Beyond this the search goes no farther at once, so that a few steps added up do not overflow.
FARTHEST, MOST = 1e300, np.finfo(np.float64).max

Enclosure = tuple[np.ndarray, np.ndarray]


def enclosure(phi: Any, x: np.ndarray) -> Enclosure | None:
    """Bounds of φ(x) at a point, from interval arithmetic; None where they say nothing."""
    low, high = flat_bounds(phi.image(Box(x, x)).outer)
    finite = np.isfinite(low).all() and np.isfinite(high).all()
    return (low, high) if finite else None


def flat_bounds(space: Space) -> Enclosure:
    """The bounds of each coordinate, flattened."""
    low, high = space.bounds()
    return low.ravel(), high.ravel()


def _at(case: Case, x: np.ndarray) -> Enclosure | None:
    """The enclosure of the value at a point, worked out once in a search."""
    known = case.memo.setdefault("values", {})
    key = x.tobytes()
    if key not in known:
        known[key] = enclosure(case.map, x)
    return known[key]


def difference(a: Enclosure, b: Enclosure) -> Enclosure:
    """Bounds of a - b, rounded outward."""
    with np.errstate(over="ignore"):
        return np.nextafter(a[0] - b[1], DOWN), np.nextafter(a[1] - b[0], UP)


def norms(value: Enclosure) -> tuple[float, float]:
    """The least and the greatest Euclidean norm within the bounds."""
    low, high = value
    most = np.maximum(np.abs(low), np.abs(high))
    least = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    if least.size <= 64:
        return root_sum_squares(least.tolist(), up=False), root_sum_squares(most.tolist(), up=True)
    # Of many numbers the floating-point sum, with a bound for its rounding; scaled, so that no
    # square overflows, and what underflows is small beside the greatest.
    top = float(most.max())
    if not 0 < top < np.inf:
        return 0.0, top
    slack = (least.size + 8) * np.finfo(np.float64).eps
    near, far = (float(np.sqrt(np.sum((v / top) ** 2))) * top for v in (least, most))
    return near * (1 - slack), float(np.nextafter(far * (1 + slack), UP))


def certainly(on: Space, *members: np.ndarray) -> bool:
    """Whether points lie in the space for certain; `contains` may allow for rounding."""
    return bool(on.surely_contains(np.stack(members)).all())


def points(on: Space) -> np.ndarray:
    """Points of the space for the search: random ones, and the ends of chords."""
    found = on.sample(48, 0)
    chords = on.chords()
    if chords is not None:
        low, high, centre = (np.asarray(c, dtype=float) for c in chords)
        low = np.where(np.isfinite(low), low, np.minimum(centre, high) - 10.0)
        high = np.where(np.isfinite(high), high, np.maximum(centre, low) + 10.0)
        corners = [low, high, centre]
        for i in list(np.ndindex(on.shape))[:16]:
            for end in (low, high):
                moved = np.array(centre)
                moved[i] = end[i]
                corners.append(moved)
        found = np.concatenate([found, np.stack(corners)])
    # No point is so near 0 that a small multiple of it underflows.
    found = np.where(np.abs(found) < 1e-290, 0.0, found)
    return np.ascontiguousarray(found[on.contains(found)])


def _values(phi: Any, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(phi.forward(torch.from_numpy(x)).reshape(len(x), -1).numpy())


def _few(case: Case, most: int) -> int:
    """How many enclosures are worth their time: those of long compositions are dear."""
    return min(most, max(2, 200 // (len(case.parts) + 1)))


def _searchable(case: Case) -> bool:
    # Parts met on the way are not searched: what is found of them adds little, and is dear.
    return case.top and case.map.closed and case.on.size <= WIDEST


def interval_of_distance(on: Space, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Bounds of the distance of two points."""
    if not on.euclidean:
        d = float(on.distance(x[None], y[None])[0])
        return d * (1 - 1e-12), d * (1 + 1e-12)
    with np.errstate(over="ignore"):
        gap = (x - y).ravel()
    return norms((np.nextafter(gap, DOWN), np.nextafter(gap, UP)))


def ratio(on: Space, x: np.ndarray, y: np.ndarray, gap: Enclosure) -> tuple[float, float]:
    """Bounds of |φ(x) - φ(y)| / d(x, y), given bounds of φ(x) - φ(y)."""
    low, high = norms(gap)
    near, far = interval_of_distance(on, x, y)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        down = float(np.nextafter(np.float64(low) / far, 0))
        up = float(np.nextafter(np.float64(high) / near, UP)) if near > 0 else UP
    return down, up


def _pairs(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of points of the space, near and far."""
    x = points(case.on)
    rng = np.random.default_rng(1)
    order = rng.permutation(len(x))
    far = [(x, x[order]), (x[:-1], x[1:])]
    with np.errstate(all="ignore"):
        # Nearer along the segment to the other point; these are kept where they lie in the space.
        for share in (2.0**-4, 2.0**-8, 2.0**-12):
            far.append((x, x + (x[order] - x) * share))
    a, b = (np.concatenate(side) for side in zip(*far, strict=True))
    inside = case.on.contains(b) & (rows(a) != rows(b)).any(axis=1)
    return a[inside], b[inside]


def rows(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), int(np.prod(x.shape[1:])))


def _extreme(case: Case, sign: float) -> list[tuple[float, float]]:
    """Certain bounds of |φ(x) - φ(y)| / d(x, y) for the steepest, or the flattest, pairs found."""
    x, y = _pairs(case) if _searchable(case) else (np.zeros((0, *case.on.shape)),) * 2
    if not len(x):
        return []
    # Long compositions are dear, and near points are not told apart by their enclosures.
    deep = len(case.parts) > DEEP
    pairs = [*zip(*_best(case, x, y, sign, 1 if deep else 2), strict=True)]
    if not deep:
        pairs += zip(*_evolved(case, x, y, sign), strict=True)
    found = []
    for a, b in pairs:
        first, second = _at(case, a), _at(case, b)
        if first is None or second is None or not certainly(case.on, a, b):
            continue
        found.append(ratio(case.on, a, b, difference(first, second)))
    return found


def _best(case: Case, x: np.ndarray, y: np.ndarray, sign: float, n: int) -> tuple[np.ndarray, ...]:
    slope = sign * _slopes(case, x, y)
    order = np.argsort(-np.where(np.isfinite(slope), slope, -np.inf))[:n]
    return x[order], y[order]


def _slopes(case: Case, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        gaps = np.linalg.norm(_values(case.map, x) - _values(case.map, y), axis=1)
        return gaps / case.on.distance(x, y)


def _evolved(
    case: Case, x: np.ndarray, y: np.ndarray, sign: float
) -> tuple[np.ndarray, np.ndarray]:
    """The steepest pairs, or the flattest, after a few rounds of moving and turning the best."""
    rng = np.random.default_rng(3)
    low, high = (np.asarray(b, dtype=float) for b in case.on.bounds())
    with np.errstate(over="ignore"):
        spread = np.minimum(np.ptp(x, axis=0), FARTHEST)
    slope = sign * _slopes(case, x, y)
    for step in range(ROUNDS if case.on.infinite else 0):
        slope = np.where(np.isfinite(slope), slope, -np.inf)
        top = np.argsort(-slope)[:12]
        a, b = np.repeat(x[top], 8, axis=0), np.repeat(y[top], 8, axis=0)
        few = rng.random(a.shape) < 0.4
        move = rng.standard_normal(a.shape) * spread * 0.5 ** (step + 1) * few
        # Far pairs also draw nearer, and all turn a little.
        draw = rng.choice([1.0, 0.3, 0.03], (len(a), *[1] * (a.ndim - 1)))
        with np.errstate(over="ignore", invalid="ignore"):
            way = np.clip((b - a) * draw, -FARTHEST, FARTHEST)
            reach = lengths(rows(way)).reshape(draw.shape) / np.sqrt(case.on.size)
            turn = rng.standard_normal(a.shape) * reach * 0.5 ** (step / 2)
            a = np.clip(np.clip(a + move, -MOST, MOST), low, high)
            b = np.clip(np.clip(a + way + turn, -MOST, MOST), low, high)
        kept = case.on.contains(a) & case.on.contains(b) & (rows(a) != rows(b)).any(axis=1)
        a, b = a[kept], b[kept]
        if len(a):
            x, y = np.concatenate([x[top], a]), np.concatenate([y[top], b])
            slope = np.concatenate([slope[top], sign * _slopes(case, a, b)])
    order = np.argsort(-np.where(np.isfinite(slope), slope, -np.inf))[:4]
    return x[order], y[order]


def _sizes(case: Case) -> float:
    x = points(case.on) if _searchable(case) else np.zeros((0, *case.on.shape))
    if not len(x):
        return 0.0
    with np.errstate(all="ignore"):
        size = np.linalg.norm(_values(case.map, x), axis=1)
    largest = [x[i] for i in np.argsort(np.nan_to_num(size))[-4:]]
    best = [_at(case, p) for p in largest if certainly(case.on, p)]
    return max([norms(b)[0] for b in best if b is not None], default=0.0)


def _steepest(case: Case, n: Numbers) -> float:
    return max((low for low, _ in _extreme(case, 1.0)), default=0.0)


def _flattest(case: Case, n: Numbers) -> float:
    return min((high for _, high in _extreme(case, -1.0)), default=np.inf)


for name, then, bound in (
    ("chord-stretches", ~Lipschitz, _steepest),
    ("chord-shrinks", ~LowerLipschitz, _flattest),
    ("point-size", ~Bounded, lambda case, n: _sizes(case)),
):
    theorem(
        name,
        then,
        FeatureMap,
        statement=(
            "a constant is at least, or at most, what it is for two points"
            if then.name != "Bounded"
            else "a bound is at least the size at a point"
        ),
        source="the points are searched for, the values there enclosed by interval arithmetic",
        bound=bound,
        strength=Strength.COMPUTED,
    )


def _bends(case: Case) -> bool:
    """Whether φ(x) - 2 φ(m) + φ(y) is certainly not 0 for some x, y and midpoint m of K."""
    if not _searchable(case):
        return False
    x = points(case.on)
    for a, b in pairwise(x[np.random.default_rng(2).permutation(len(x))][: _few(case, 32)]):
        middle = a / 2 + b / 2
        with np.errstate(over="ignore", invalid="ignore"):
            exact = np.array_equal(middle - a, b - middle) and np.array_equal(2 * middle - a, b)
        if not exact or np.array_equal(a, b) or not certainly(case.on, a, middle, b):
            continue
        parts = [_at(case, p) for p in (a, middle, b)]
        if any(p is None for p in parts):
            continue
        first, mid, last = (p for p in parts if p is not None)
        low, high = difference(difference(first, mid), difference(mid, last))
        if ((low > 0) | (high < 0)).any():
            return True
    return False


def _unequal(case: Case, moved: Callable[[np.ndarray], Any], factor: float) -> bool:
    """Whether φ(moved x) - factor φ(x) is certainly not 0 at some point of K."""
    for x in points(case.on)[: _few(case, 24)] if _searchable(case) else ():
        place = moved(x)
        if not certainly(case.on, x) or not place.is_subset(case.on):
            continue
        a = _at(case, x)
        low, high = place.bounds()
        # Of a point the enclosure may be known from another factor.
        point = isinstance(place, Box) and np.array_equal(low, high)
        b = _at(case, low) if point else flat_bounds(case.map.image(place).outer)
        if a is None or b is None:
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.nextafter(a[0] * factor, DOWN), np.nextafter(a[1] * factor, UP)
            low, high = difference(b, scaled)
        if ((low > 0) | (high < 0)).any():
            return True
    return False


def _moves(case: Case) -> bool:
    if not case.about.closed or case.about.out_shape(case.on.shape) != case.on.shape:
        return False

    def moved(x: np.ndarray) -> Space:
        return case.about.image(Box(x, x)).outer

    return _unequal(case, moved, 1.0)


def _scales(case: Case) -> bool:
    def scaled(factor: float) -> Callable[[np.ndarray], Space]:
        def at(x: np.ndarray) -> Space:
            # A power of two times x is exact where nothing underflows, see `points`; a box takes
            # what overflows for all that lies beyond the greatest number.
            with np.errstate(over="ignore"):
                return Box(x * factor, x * factor)

        return at

    degree = float(case.about)
    # Of these degrees the powers of two are exact.
    return (
        degree == int(degree)
        and abs(degree) <= 64
        and any(_unequal(case, scaled(t), t**degree) for t in (2.0, 0.5, 0.25))
    )


for name, claim, found, text in (
    ("bend", Affine, _bends, "an affine map sends midpoints to midpoints"),
    ("unmoved", Invariant, _moves, "the value at Tx is not the value at x"),
    ("unscaled", PositivelyHomogeneous, _scales, "the value at tx is not t^p times that at x"),
):
    claimed: Property = claim
    theorem(
        f"{name}-not-{claimed.name.lower()}",
        ~claimed,
        FeatureMap,
        Condition("at points that were tried, enclosures of the values show it", found),
        statement=text,
        source="the points are searched for, the values there enclosed by interval arithmetic",
        strength=Strength.COMPUTED,
    )
