"""Points, pairs and lines of a space, and what a map makes of them: the raw material of an attack.

One probe serves all the attacks on one map and space, so nothing is evaluated twice.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any, final

import numpy as np
import torch

from ..errors import DomainError
from ..spaces import Space
from .descent import climb, local
from .pairs import Pairs, rows

__all__ = ["Pairs", "Probe", "project", "rows"]

# Distances from a special value, relative to the width of the space, down to the smallest numbers.
NEAR = np.concatenate([2.0 ** -np.arange(0, 30, 2.0), 2.0 ** -np.arange(34, 60, 8.0), [1e-40]])
# Sizes that an unbounded side is searched up to.
FAR = 10.0 ** np.arange(0.5, 9.0, 0.75)
# With less than this budget, gradients are not followed.
DEEP = 0.5


def project(on: Space, points: np.ndarray) -> np.ndarray:
    """Points of the space near the given ones, up to rounding.

    Parameters
    ----------
    on : Space
    points : ndarray of shape (n, *on.shape)

    Returns
    -------
    ndarray of the same shape
    """
    return on.nearest(points)


@final
class Probe:
    """A map on a space, evaluated where its properties are likely to fail.

    Parameters
    ----------
    phi : FeatureMap
        A closed map.
    on : Space
    random_state : int
    budget : float
        Scales the number of points and of steps; 1 is some tens of milliseconds.
    """

    def __init__(self, phi: Any, on: Space, random_state: int = 0, budget: float = 1.0):
        self.phi, self.on, self.budget = phi, on, budget
        self.seed = random_state
        # What attacks have found out, for others to use.
        self.memo: dict[Any, Any] = {}
        # Where the map refused a point, or gave NaN, although the point lies in the space.
        self.refused: np.ndarray | None = None
        low, high = on.bounds()
        with np.errstate(over="ignore", invalid="ignore"):
            width = np.where(np.isfinite(low) & np.isfinite(high), high - low, 20.0)
        self.low, self.high, self.width = low, high, np.minimum(width, 1e300)

    # --- evaluation --------------------------------------------------------------------------
    def __call__(self, points: np.ndarray) -> np.ndarray:
        """φ of each point, flattened; NaN where φ is not defined."""
        if not len(points):
            return np.zeros((0, self.values.shape[1]))
        try:
            return self._run(points)
        except DomainError:
            if len(points) == 1:
                # The middle of two points may be rounded out of the space.
                if self.refused is None and self.on.contains(points)[0]:
                    self.refused = points[0]
                return np.full((1, 1), np.nan)
        half = len(points) // 2
        a, b = self(points[:half]), self(points[half:])
        width = max(a.shape[1], b.shape[1])
        return np.concatenate([_wide(a, width), _wide(b, width)])

    def _run(self, points: np.ndarray) -> np.ndarray:
        with torch.no_grad(), np.errstate(all="ignore"):
            return self.phi.forward(torch.from_numpy(points)).flatten(1).numpy()

    def moved(self, points: np.ndarray) -> np.ndarray:
        """The points moved into the space, up to rounding."""
        return np.ascontiguousarray(project(self.on, points))

    def inside(self, points: np.ndarray) -> np.ndarray:
        """The points moved into the space, those that did not arrive there left out."""
        moved = self.moved(points)
        return moved[self.on.contains(moved)]

    # --- material ----------------------------------------------------------------------------
    @cached_property
    def special(self) -> np.ndarray:
        """A few points where things happen: corners, the point nearest to 0, a middle."""
        rng = np.random.default_rng(self.seed)
        low = np.where(np.isinf(self.low), np.minimum(self.high, 10.0) - 20.0, self.low)
        high = np.where(np.isinf(self.high), np.maximum(self.low, -10.0) + 20.0, self.high)
        found = [np.zeros(self.on.shape), low, high, low / 2 + high / 2]
        for _ in range(4):
            found.append(np.where(rng.random(self.on.shape) < 0.5, low, high))
        found.append(np.where(rng.random(self.on.shape) < 0.5, np.zeros_like(low), high))
        return np.concatenate([self.inside(np.stack(found)), self.on.sample(3, rng)])

    @cached_property
    def points(self) -> np.ndarray:
        """Points of the space: random, special, and far out where it is unbounded."""
        rng = np.random.default_rng(self.seed + 1)
        n = int(96 * self.budget)
        drawn = self.on.sample(n, rng)
        zeroed = np.where(rng.random(drawn.shape) < 0.3, 0.0, drawn)
        small = drawn * 10.0 ** rng.uniform(-6, 0, (n, *[1] * (drawn.ndim - 1)))
        groups = [drawn, zeroed[: n // 2], small[: n // 2]]
        if np.isinf(self.low).any() or np.isinf(self.high).any():
            far = rng.choice(FAR, (n, *[1] * (drawn.ndim - 1)))
            groups.append(rng.standard_normal(drawn.shape) * far)
            # Coordinates of very different sizes in one point.
            groups.append(drawn[: n // 3] * 10.0 ** rng.integers(-9, 7, drawn[: n // 3].shape))
        return np.concatenate([self.special, *(self.inside(g) for g in groups)])

    @cached_property
    def values(self) -> np.ndarray:
        return self(self.points)

    @cached_property
    def lines(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Lines parallel to the axes: sorted points on each, and their values."""
        rng = np.random.default_rng(self.seed + 2)
        size = self.on.size
        axes = rng.permutation(size)[: max(1, int(4 * self.budget))]
        bases = self.special[:7]
        found, cuts = [], [0]
        for base in bases:
            for axis in axes:
                place = np.unravel_index(axis, self.on.shape)
                values = self._ladder(place, float(base[place]), rng)
                line = np.repeat(base[None], len(values), axis=0)
                line[(slice(None), *place)] = values
                # Points that are only near the space by rounding would make lines beside it.
                found.append(line[self.on.surely_contains(line)])
                cuts.append(cuts[-1] + len(found[-1]))
        points = np.concatenate(found)
        values = self(points) if len(points) else np.zeros((0, 1))
        return [(points[a:b], values[a:b]) for a, b in pairwise(cuts) if b > a]

    def _ladder(self, place: Any, value: float, rng: np.random.Generator) -> np.ndarray:
        low, high, width = float(self.low[place]), float(self.high[place]), float(self.width[place])
        steps = width * NEAR
        near = [0.0, value]
        near += [v for v in (low, high) if np.isfinite(v)]
        start = low if low > -np.inf else min(high, 10.0) - 20.0
        found = [np.array(near), rng.uniform(start, min(high, start + max(width, 20.0)), 24)]
        for v in near:
            found += [v + steps, v - steps]
        found.append(np.concatenate([FAR, -FAR]))
        flat = np.unique(np.concatenate(found))
        return flat[(flat >= low) & (flat <= high)]

    @cached_property
    def pairs(self) -> Pairs:
        """Pairs of points: all of the sample, neighbours and mirror images on lines, local ones."""
        rng = np.random.default_rng(self.seed + 3)
        p, v = self.points, self.values
        i, j = np.triu_indices(min(len(p), 160), 1)
        groups: list[tuple[np.ndarray, ...]] = [(p[i], p[j], v[i], v[j])]
        for line, values in self.lines:
            n = len(line)
            a, b = np.arange(n - 1), np.arange(1, n)
            c = rng.permutation(n)
            groups.append((line[a], line[b], values[a], values[b]))
            groups.append((line[a[:-1]], line[b[1:]], values[a[:-1]], values[b[1:]]))
            groups.append((line, line[c], values, values[c]))
            mirror = np.arange(n)[::-1]
            groups.append((line, line[mirror], values, values[mirror]))
        groups.append(self._local(rng))
        width = max(g[2].shape[1] for g in groups)
        columns = zip(*groups, strict=True)
        x, y, fx, fy = (
            np.concatenate([_wide(c, width) if k > 1 else c for c in column])
            for k, column in enumerate(columns)
        )
        return Pairs(x, y, fx, fy, self.on)

    def _local(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Short chords along the singular directions of the derivative, and along random ones."""
        base, size = self.points[: int(40 * self.budget)], self.on.size
        flat = rows(base)
        scale = np.where(np.abs(flat) > 10, np.abs(flat), np.minimum(self.width.ravel(), 10.0))
        step = 2.0**-20 * scale.max(axis=1, keepdims=True)
        chosen = rng.permutation(size)[:24]
        frames = np.eye(size)[chosen]
        moved = flat[:, None] + step[:, None] * frames
        back = flat[:, None] - step[:, None] * frames
        shape = (-1, *self.on.shape)
        up = self.inside_or_self(moved.reshape(shape), base, len(chosen))
        down = self.inside_or_self(back.reshape(shape), base, len(chosen))
        fu, fd = self(up), self(down)
        with np.errstate(all="ignore"):
            slope = (fu - fd).reshape(len(base), len(chosen), -1) / step[:, None]
        slope = np.where(np.isfinite(slope) & (np.abs(slope) < 1e100), slope, 0.0)
        _, _, vt = np.linalg.svd(slope.transpose(0, 2, 1), full_matrices=len(chosen) <= 8)
        ways = [vt[:, 0] @ frames, vt[:, -1] @ frames, rng.standard_normal(flat.shape)]
        ends_x, ends_y = [], []
        for way in ways:
            way = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-300)
            for h in (2.0**-2, 2.0**-8, 2.0**-16):
                a = (flat + h * scale.max(axis=1, keepdims=True) * way).reshape(shape)
                b = (flat - h * scale.max(axis=1, keepdims=True) * way).reshape(shape)
                ends_x.append(self.inside_or_self(a, base, 1))
                ends_y.append(self.inside_or_self(b, base, 1))
        x, y = np.concatenate([up, *ends_x]), np.concatenate([down, *ends_y])
        fx, fy = self(x), self(y)
        width = max(fx.shape[1], fy.shape[1])
        return x, y, _wide(fx, width), _wide(fy, width)

    def inside_or_self(self, points: np.ndarray, base: np.ndarray, times: int) -> np.ndarray:
        """The points moved into the space; where that fails the base points, each repeated."""
        moved = np.ascontiguousarray(project(self.on, points))
        ok = self.on.contains(moved).reshape(-1, *[1] * (moved.ndim - 1))
        return np.where(ok, moved, np.repeat(base, times, axis=0))

    # --- search ------------------------------------------------------------------------------
    def search(
        self, sign: int, steps: int, seed: int = 0, width: int = 40, start: Pairs | None = None
    ) -> Pairs:
        """Evolve pairs towards the greatest (sign 1) or the least (sign -1) ratio."""
        rng = np.random.default_rng((self.seed, 7, seed))
        known = self.pairs if start is None else self.pairs.joined(start)
        kept = known.take(known.best(sign, width))
        size = self.width
        for step in range(int(steps * self.budget)):
            x, y = kept.x, kept.y
            if not len(x):
                break
            spread = size * 0.5 * 0.6**step
            column = (len(x), *[1] * (x.ndim - 1))
            one = rng.standard_normal(x.shape) * spread
            two = rng.standard_normal(x.shape) * spread
            longer = 2.0 ** rng.uniform(-4, 1.5, column)
            same = rng.random(x.shape) < 0.5
            edge = np.where(rng.random(x.shape) < 0.5, self._low(x), self._high(x))
            edge = np.where(rng.random(x.shape) < 0.4, 0.0, edge)
            put = rng.random(x.shape) < 1.5 / self.on.size
            proposals = [
                (x + one, y + two),
                (x + one, y + one),
                (x, x + (y - x) * longer),
                (x * longer, y * longer),
                (x, np.where(same, x, y)),
                (np.where(put, edge, x), y),
                (np.where(put, edge, x), np.where(put, edge, y)),
            ]
            nx = np.ascontiguousarray(project(self.on, np.concatenate([p[0] for p in proposals])))
            ny = np.ascontiguousarray(project(self.on, np.concatenate([p[1] for p in proposals])))
            ok = self.on.contains(nx) & self.on.contains(ny)
            nx, ny, m = nx[ok], ny[ok], int(ok.sum())
            if not m:
                continue
            f = self(np.concatenate([nx, ny]))
            if f.shape[1] != kept.fx.shape[1]:
                continue
            pool = kept.joined(Pairs(nx, ny, f[:m], f[m:], self.on))
            kept = pool.take(pool.best(sign, width))
        return kept

    def _low(self, x: np.ndarray) -> np.ndarray:
        return np.where(np.isinf(self.low), x * 2, self.low)

    def _high(self, x: np.ndarray) -> np.ndarray:
        return np.where(np.isinf(self.high), x * 2, self.high)

    @cached_property
    def steepest(self) -> Pairs:
        """The pairs of greatest ratio that a search finds."""
        return self._extreme(1)

    @cached_property
    def flattest(self) -> Pairs:
        """The pairs of least ratio that a search finds."""
        return self._extreme(-1)

    def _extreme(self, sign: int) -> Pairs:
        found = self.search(sign, 8)
        if self.budget < DEEP:
            # Few steps of gradients are worth less than the same time spent on chance.
            return found
        return found.joined(climb(self, sign, int(32 * self.budget))).joined(local(self, sign))


def _wide(values: np.ndarray, width: int) -> np.ndarray:
    if values.shape[1] == width:
        return values
    # A batch of which every point was refused does not know how many features there are.
    return np.full((len(values), width), np.nan)
