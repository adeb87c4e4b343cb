"""Pairs of distant points that a map merges: found numerically, then shown to exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise, product
from typing import Any

import numpy as np
from scipy.linalg import qr
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from ..interval import EPS
from ..spaces import Ball, Box, Space

__all__ = ["certified", "distant"]

Function = Callable[[np.ndarray], np.ndarray]
Pair = tuple[np.ndarray, np.ndarray]
# Points, neighbours in feature space, pairs kept, and pairs pulled apart.
POINTS, NEIGHBOURS, KEPT, PULLED = 3000, 24, 40, 6
# Between how many distances other pairs are sought.
DISTANCES = 16
# Beyond so many equations the faces of a cube are too many to look at.
EQUATIONS = 3
RADII = (1e-7, 1e-5, 1e-3)
PIECES = (1, 4, 12, 40)


def distant(value: Function, on: Space, random_state: int = 0, inward: float = 0.0) -> list[Pair]:
    """Pairs of points, near to a collision, that lie far apart; the farthest first.

    Parameters
    ----------
    value : callable
        φ on points of shape (n, *point), flattened: of shape (n, m).
    on : Space
    random_state : int
        Seed of the points that are looked at.
    inward : float
        How far the pairs stay from the faces of a box, as a part of its sides: what `certified`
        shows needs room around them.

    Returns
    -------
    list of pairs of ndarray of shape (*point)
    """
    points = _looked_at(on, random_state)
    features = value(points)
    good = np.isfinite(features).all(axis=1)
    points, features = points[good], features[good]
    if len(points) < 2:
        return []
    spread = features.std(axis=0)
    scaled = features / np.where(spread > 0, spread, 1.0)
    near, index = cKDTree(scaled).query(scaled, k=min(NEIGHBOURS, len(points)))
    # The nearest neighbour in features of most points is as near in space as points are dense.
    close = near <= 4 * np.median(near[:, 1:2]) + 64 * EPS
    apart = on.distance(
        points[:, None].repeat(index.shape[1], 1).reshape(-1, *on.shape), points[index.ravel()]
    ).reshape(index.shape)
    apart = np.where(close, apart, 0.0)
    best = apart.argmax(axis=1)
    rows = np.arange(len(points))
    order = np.argsort(-apart[rows, best])[: 8 * KEPT]
    pairs = [(points[i], points[index[i, best[i]]]) for i in order if apart[i, best[i]] > 0]
    # A period merges many pairs at one distance, of which none may be certain; others may be.
    others = [(points[i], points[index[i, j]]) for i, j in _at_each_distance(apart, near)]
    ends = _ends(on, inward)
    tried = (_solve(value, on, ends, *pair) for pair in _thinned(pairs) + others)
    solved = [p for p in tried if p is not None]
    solved.sort(key=lambda p: -_apart(on, p))
    boxed = isinstance(on, Box)
    pulled = [_pull(value, on, ends, *p) for p in solved[:PULLED]] if boxed else []
    found = [p for p in pulled if p is not None] + solved
    return sorted(found, key=lambda p: -_apart(on, p))


def _at_each_distance(apart: np.ndarray, near: np.ndarray) -> list[tuple[int, int]]:
    """The places of the pairs with the nearest features, one for each of some distances."""
    edges = np.linspace(0.05, 1.0, DISTANCES + 1) * apart.max(initial=0.0)
    found = []
    for low, high in pairwise(edges):
        gap = np.where((apart > low) & (apart <= high), near, np.inf)
        place = np.unravel_index(int(gap.argmin()), gap.shape)
        if gap[place] < np.inf:
            found.append((int(place[0]), int(place[1])))
    return found


def _ends(on: Space, inward: float) -> Pair:
    """The corners of the box in which pairs are moved."""
    low, high = on.bounds()
    if not isinstance(on, Box):
        return low, high
    margin = inward * np.where(np.isfinite(high - low), high - low, 0.0)
    return low + margin, high - margin


def _apart(on: Space, pair: Pair) -> float:
    return float(on.distance(pair[0][None], pair[1][None])[0])


def _looked_at(on: Space, seed: int) -> np.ndarray:
    points = on.sample(POINTS, seed)
    box = on.inner_box()
    if box is not None and on.size == 1:
        low, high = (end.ravel()[0] for end in box.bounds())
        if np.isfinite(high - low):
            points = np.concatenate([points, np.linspace(low, high, POINTS).reshape(-1, *on.shape)])
    return points[on.contains(points)]


def _thinned(pairs: list[Pair]) -> list[Pair]:
    """Some of the pairs, the farthest and others spread over the rest."""
    if len(pairs) <= KEPT:
        return pairs
    half = KEPT // 2
    return pairs[:half] + pairs[half :: max(1, (len(pairs) - half) // half)][:half]


def slopes(value: Function, x: np.ndarray) -> np.ndarray:
    """The Jacobian of the flattened map at a point, by central differences: (m, n)."""
    step = np.cbrt(EPS) * np.maximum(np.abs(x).max(), 1.0)
    moves = np.eye(x.size).reshape(x.size, *x.shape) * step
    return ((value(x + moves) - value(x - moves)) / (2 * step)).T


def _solve(value: Function, on: Space, ends: Pair, x: np.ndarray, y: np.ndarray) -> Pair | None:
    """A pair with equal features near a given one, by least-norm Newton steps on both points."""
    low, high = ends
    x, y = np.clip(x, low, high), np.clip(y, low, high)
    for _ in range(12):
        both = value(np.stack([x, y]))
        gap = both[1] - both[0]
        if not np.isfinite(gap).all():
            return None
        if np.abs(gap).max(initial=0.0) <= 16 * EPS * np.abs(both).max(initial=0.0):
            break
        jacobian = np.concatenate([slopes(value, y), -slopes(value, x)], axis=1)
        if not np.isfinite(jacobian).all():
            return None
        step = np.linalg.lstsq(jacobian, -gap, rcond=1e-8)[0]
        y = np.clip(y + step[: y.size].reshape(y.shape), low, high)
        x = np.clip(x + step[y.size :].reshape(x.shape), low, high)
    both = value(np.stack([x, y]))
    small = np.abs(both[1] - both[0]).max(initial=0.0) <= 1e-9 * (1 + np.abs(both).max(initial=0.0))
    inside = on.contains(np.stack([x, y])).all()
    return (x, y) if small and inside and not np.array_equal(x, y) else None


def _pull(value: Function, on: Space, ends: Pair, x: np.ndarray, y: np.ndarray) -> Pair | None:
    """The pair pulled apart as far as the features stay equal."""
    low, high = (end.ravel() for end in ends)
    if not np.isfinite(high - low).all():
        return None
    sides = np.tile(np.stack([low, high], axis=1), (2, 1))
    n, shape = x.size, x.shape

    def gap(z: np.ndarray) -> np.ndarray:
        both = value(z.reshape(2, *shape))
        return both[1] - both[0]

    def turned(z: np.ndarray) -> np.ndarray:
        a, b = z.reshape(2, *shape)
        return np.concatenate([-slopes(value, a), slopes(value, b)], axis=1)

    start = np.clip(np.concatenate([x.ravel(), y.ravel()]), sides[:, 0], sides[:, 1])
    if gap(start).size > start.size:
        # More equations than unknowns leave no room to move, and are more than SLSQP may be given.
        return None
    scale = max(float(((high - low) ** 2).sum()), 1e-300)
    found = minimize(
        lambda z: -((z[n:] - z[:n]) ** 2).sum() / scale,
        start,
        jac=lambda z: 2 * np.concatenate([z[n:] - z[:n], z[:n] - z[n:]]) / scale,
        bounds=sides,
        constraints={"type": "eq", "fun": gap, "jac": turned},
        method="SLSQP",
        options={"maxiter": 60},
    )
    if not np.isfinite(found.x).all():
        return None
    a, b = found.x.reshape(2, *shape)
    return _solve(value, on, ends, a, b)


# --- showing that a pair exists ----------------------------------------------------------------
def certified(
    phi: Any, value: Function, on: Space, x: np.ndarray, y: np.ndarray
) -> tuple[float, float] | None:
    """How near to x and y a continuous φ merges two points of K, and how far apart; or None.

    φ(y + s) - φ(x + t) = 0 is made square by moving as many coordinates as there are features. In
    a small cube of them the equations, turned so that each follows one coordinate, change their
    signs from each face to the opposite one: by Poincaré and Miranda they have a common zero. The
    signs are those of enclosures by interval arithmetic.

    Parameters
    ----------
    phi : FeatureMap
        Closed, and continuous on K.
    value : callable
        As in `distant`.
    on : Space
        A box or a ball, so that with its corners a small box lies in it.
    x, y : ndarray of shape (*point)

    Returns
    -------
    tuple of float
        By how much each coordinate differs at most, and a distance that is no more than theirs.

    References
    ----------
    Miranda (1940), Un'osservazione su un teorema di Brouwer.
    """
    if not isinstance(on, Box | Ball):
        return None
    same = _values(phi, x, x), _values(phi, y, y)
    if all((a == b).all() for a, b in same) and (same[0][0] == same[1][0]).all():
        inside = on.surely_contains(np.stack([x, y])).all()
        return (0.0, _between(x, x, y, y)) if inside else None
    n, m = x.size, len(same[0][0])
    if not 1 <= m <= min(EQUATIONS, 2 * n):
        return None
    jacobian = np.concatenate([slopes(value, y), -slopes(value, x)], axis=1)
    if not np.isfinite(jacobian).all():
        return None
    sizes, order = qr(jacobian, mode="r", pivoting=True)
    if abs(sizes[m - 1, m - 1]) <= 1e-9 * max(abs(sizes[0, 0]), 1e-300):
        return None
    moved = order[:m]
    turn = np.linalg.inv(jacobian[:, moved])
    size = max(float(np.abs(x).max()), float(np.abs(y).max()), 1e-3)
    for radius in RADII:
        corners = _boxes(x, y, moved, np.full(m, -radius * size), np.full(m, radius * size))
        if not _inside(on, *corners[0]) or not _inside(on, *corners[1]):
            continue
        for pieces in PIECES if m > 1 else (1,):
            if pieces ** (m - 1) > 300:
                break
            if _changes(phi, x, y, moved, turn, radius * size, pieces):
                return radius * size * (1 + 1e-6), _between(*corners[1], *corners[0])
    return None


def _values(phi: Any, low: np.ndarray, high: np.ndarray) -> Pair:
    ends = phi.image(Box(low, high)).outer.bounds()
    return ends[0].ravel(), ends[1].ravel()


def _boxes(
    x: np.ndarray, y: np.ndarray, moved: np.ndarray, down: np.ndarray, up: np.ndarray
) -> tuple[Pair, Pair]:
    """The boxes around y and around x over which the coordinates in `moved` range."""
    flat = np.concatenate([y.ravel(), x.ravel()])
    low, high = flat.copy(), flat.copy()
    low[moved] = np.nextafter(flat[moved] + down, -np.inf)
    high[moved] = np.nextafter(flat[moved] + up, np.inf)
    n, shape = y.size, y.shape
    around_y = low[:n].reshape(shape), high[:n].reshape(shape)
    return around_y, (low[n:].reshape(shape), high[n:].reshape(shape))


def _inside(on: Space, low: np.ndarray, high: np.ndarray) -> bool:
    """Whether a box lies in a convex space: whether its corners do, of the sides that have one."""
    sides = np.flatnonzero((low < high).ravel())
    corners = []
    for choice in product((0, 1), repeat=len(sides)):
        corner = low.ravel().copy()
        corner[sides] = np.where(choice, high.ravel()[sides], low.ravel()[sides])
        corners.append(corner.reshape(low.shape))
    return bool(on.surely_contains(np.stack(corners)).all())


def _faces(m: int, i: int, sign: float, radius: float, pieces: int) -> Iterator[Pair]:
    """The face t_i = ± radius of a cube, cut into boxes."""
    edges = np.linspace(-radius, radius, pieces + 1)
    for cut in product(range(pieces), repeat=m - 1):
        down, up = np.full(m, sign * radius), np.full(m, sign * radius)
        others = [j for j in range(m) if j != i]
        down[others], up[others] = edges[list(cut)], edges[[c + 1 for c in cut]]
        yield down, up


def _changes(
    phi: Any,
    x: np.ndarray,
    y: np.ndarray,
    moved: np.ndarray,
    turn: np.ndarray,
    radius: float,
    pieces: int,
) -> bool:
    """Whether the i-th turned equation has the sign of t_i on both faces t_i = ± radius."""
    m = len(moved)
    for i in range(m):
        for sign in (-1.0, 1.0):
            for down, up in _faces(m, i, sign, radius, pieces):
                around_y, around_x = _boxes(x, y, moved, down, up)
                (a, b), (c, d) = _values(phi, *around_y), _values(phi, *around_x)
                if _signed(turn[i], a - d, b - c) != sign:
                    return False
    return True


def _signed(row: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """The sign that Σ row_j v_j has for all v between `low` and `high`, or 0."""
    if not np.isfinite(low).all() or not np.isfinite(high).all():
        return 0.0
    ends = np.stack([row * low, row * high])
    # Differences, products and the sum round by less than this.
    slack = 4 * (len(row) + 4) * EPS * np.abs(ends).max(axis=0).sum() + 1e-300
    if ends.min(axis=0).sum() - slack > 0:
        return 1.0
    return -1.0 if ends.max(axis=0).sum() + slack < 0 else 0.0


def _between(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    """The least distance of a point of [a, b] and one of [c, d], rounded down."""
    gaps = np.maximum(np.maximum(c - b, a - d), 0.0).ravel()
    return float(np.sqrt((gaps**2).sum())) * (1 - 8 * gaps.size * EPS)
