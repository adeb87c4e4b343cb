"""Attacks on the order of smoothness: differences that do not shrink with their step.

On a segment on which φ is k times continuously differentiable, the divided differences of order k
over short stencils near one point are all near the k-th derivative there, so that the next
difference, |Δ^(k+1) φ| / h^k, goes to 0 with the step h. Where it does not, the derivative breaks.
"""

from __future__ import annotations

from math import comb, inf
from typing import Any

import numpy as np

from ..property import Property
from .evidence import Counterexample, wobble
from .precise import mpmath, traced
from .probe import Probe, rows
from .topology import convex, jump

__all__ = ["breaks", "smooth"]

# How many times shorter the stencils get in a step of the search.
ZOOM = 4
# How many places are followed of each kind.
MOST = 120
EPS = float(np.finfo(np.float64).eps)


def smooth(probe: Probe, claim: Property, number: float) -> Counterexample | None:
    """Attack a claim about the greatest k such that φ is k times continuously differentiable."""
    if not probe.on.infinite:
        # Isolated points leave a function free between them.
        text = "every function of finitely many points extends smoothly"
        return None if claim.holds or number == inf else Counterexample(repr(claim), text)
    if not convex(probe.on):
        return None
    if claim.holds:
        if (torn := jump(probe)) is not None:
            text = f"φ jumps by {torn[2]:.6g} between neighbours"
            return Counterexample(repr(claim), text, torn[:2])
        wanted = max(1.0, number) if claim.bound is not None else 1.0
        for order in sorted({1, 2, 3, int(min(wanted, 6))}):
            if order > wanted:
                break
            for a, b in breaks(probe, order):
                if (h := _certain(probe, a, b, order)) is not None:
                    text = f"derivative {order} changes by as much as before over a step of {h:.3g}"
                    return Counterexample(repr(claim), text, (a, b))
        return None
    if number > 5 or jump(probe, certainly=False) is not None:
        return None
    for order in range(1, int(number) + 2):
        if breaks(probe, order):
            return None
    if probe.on.size > 1 and np.size(probe.values[0]) > 40:
        return None
    text = f"no segment shows a break in derivative {int(number) + 1}"
    return Counterexample(repr(claim), text, certain=False)


# --- the search, in floating point ---------------------------------------------------------------
def _segments(probe: Probe) -> tuple[np.ndarray, np.ndarray]:
    """Segments between points of moderate size, across the space and parallel to the axes."""
    rng = np.random.default_rng(probe.seed + 12)
    size, shape = probe.on.size, probe.on.shape
    special = probe.special
    near = probe.points[np.abs(rows(probe.points)).max(axis=1) < 1e3]
    n = int(16 * probe.budget) + 8
    ends = [(special[rng.integers(len(special), size=n)], probe.on.sample(n, rng))]
    if len(near) > 1:
        ends.append((near[rng.integers(len(near), size=n)], near[rng.integers(len(near), size=n)]))
    # Through the special points along the axes: norms break at 0 alone.
    axes = rng.permutation(size)[:6]
    reach = np.minimum(probe.width.ravel(), 4.0)[axes]
    bases = special[: max(2, 24 // len(axes))]
    steps = (np.eye(size)[axes] * reach[:, None]).reshape(-1, *shape)
    base = np.repeat(bases, len(axes), axis=0)
    step = np.tile(steps, (len(bases), *[1] * len(shape)))
    down = probe.inside_or_self(base - step * rng.uniform(0.2, 1), base, 1)
    ends.append((down, probe.inside_or_self(base + step * rng.uniform(0.2, 1), base, 1)))
    way = rng.standard_normal(special.shape) * np.minimum(probe.width, 4.0) * 0.3
    one, two = (probe.inside_or_self(special + s * way, special, 1) for s in (-0.7, 1.0))
    ends.append((one, two))
    a, b = (np.concatenate([e[k] for e in ends]) for k in (0, 1))
    ok = _off_open_ends(probe, a) & _off_open_ends(probe, b)
    a, b = a[ok], b[ok]
    apart = np.abs(rows(a - b)).max(axis=1)
    ok = (apart > 1e-12) & (apart < 1e8)
    return a[ok], b[ok]


def _off_open_ends(probe: Probe, points: np.ndarray) -> np.ndarray:
    """Which points keep off the ends that do not belong to the space, where φ may do anything."""
    ok = np.ones(points.shape, dtype=bool)
    for bound, attained in zip(probe.on.bounds(), probe.on.attains(), strict=True):
        end = np.where(np.isfinite(bound) & ~attained, bound, np.inf)
        ok &= np.abs(points - end) > 1e-6 * np.maximum(1.0, np.abs(points))
    return np.asarray(rows(ok).all(axis=1))


def breaks(probe: Probe, order: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Short segments on which the derivative of this order seems to break, the surest first."""
    key = ("breaks", order)
    if key not in probe.memo:
        probe.memo[key] = _search(probe, order)
    return probe.memo[key]


def _search(probe: Probe, order: int) -> list[tuple[np.ndarray, np.ndarray]]:
    a, b = _segments(probe)
    if not len(a):
        return []
    grid = 32 * (order + 1)
    size, noise = _differences(probe, a, b, grid, order)
    sure = size - noise
    # Where the differences are large, and where they shrink least with the step.
    coarse = _differences(probe, a, b, grid // 2, order)[0]
    place = np.minimum(np.arange(size.shape[1]) // 2, coarse.shape[1] - 1)
    with np.errstate(all="ignore"):
        kept = np.where(sure > noise, sure / np.maximum(coarse[:, place], 1e-300), 0.0)
    picks = []
    for score in (kept, np.where(sure > noise, sure, 0.0)):
        # Of each segment and each feature one place: a break in one hides behind the others.
        best = score.argmax(axis=1)
        value = np.take_along_axis(score, best[:, None], axis=1)[:, 0]
        which, feature = np.unravel_index(np.argsort(-value, axis=None)[:MOST], value.shape)
        good = value[which, feature] > 0
        picks.append(np.stack([which, best[which, feature], feature])[:, good])
    which, at, feature = np.concatenate(picks, axis=1)
    top = size[which, at, feature]
    a, b = _cut(a[which], b[which], at, grid, order)
    last, depth = top.copy(), np.zeros(len(a), dtype=int)
    live = np.arange(len(a))
    for _ in range(26):
        if not len(live):
            break
        size, noise = _differences(
            probe, a[live], b[live], ZOOM * (order + 1), order, feature[live]
        )
        best = size.argmax(axis=1)
        row = np.arange(len(live))
        value, blur = size[row, best], noise[row, best]
        fallen = ~(value > 0.12 * top[live]) & ~(blur > 0.05 * top[live])
        last[live[fallen]] = 0.0
        go = (blur < 0.1 * value) & ~fallen
        live, best = live[go], best[go]
        last[live], depth[live] = value[go], depth[live] + 1
        top[live] = np.maximum(top[live], value[go])
        a[live], b[live] = _cut(a[live], b[live], best, ZOOM * (order + 1), order)
    # Over so many steps the differences of a smooth function would have shrunk away.
    score = np.where((last > 0.3 * top) & (depth >= 3), depth + last / top, 0.0)
    chosen = np.argsort(-score, kind="stable")[:4]
    return [(a[i], b[i]) for i in chosen if score[i] > 0]


def _differences(
    probe: Probe,
    a: np.ndarray,
    b: np.ndarray,
    grid: int,
    order: int,
    feature: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """|Δ^(order+1) φ| / h^order on a grid of each segment, and what rounding may add to it.

    Of every feature, along a last axis, or of one given for each segment.
    """
    t = np.linspace(0.0, 1.0, grid + 1).reshape(1, -1, *[1] * (a.ndim - 1))
    # Between the ends, to the last digit, and exactly theirs where they agree.
    points = a[:, None] + (b - a)[:, None] * t
    points = np.clip(points, np.minimum(a, b)[:, None], np.maximum(a, b)[:, None])
    values = probe(np.ascontiguousarray(points.reshape(-1, *a.shape[1:])))
    values = values.reshape(len(a), grid + 1, -1)
    if feature is not None:
        values = np.take_along_axis(values, feature[:, None, None], axis=2)
    with np.errstate(all="ignore"):
        step = np.linalg.norm(rows(b - a), axis=1)[:, None] / grid
        scale = np.maximum(step, 1e-300) ** order
        size = np.abs(np.diff(values, order + 1, axis=1)) / scale[:, None]
        reach = np.abs(rows(points)).max(axis=1)[:, None]
        slope = np.abs(np.diff(values, axis=1)).max(axis=1) / step
        blur = np.abs(values).max(axis=1) + slope * reach
        noise = 2.0 ** (order + 2) * EPS * blur / scale
        noise = np.broadcast_to(noise[:, None], size.shape)
    bad = ~np.isfinite(size) | ~np.isfinite(noise)
    size, noise = np.where(bad, 0.0, size), np.where(bad, inf, noise)
    return (size, noise) if feature is None else (size[:, :, 0], noise[:, :, 0])


def _cut(
    a: np.ndarray, b: np.ndarray, at: np.ndarray, grid: int, order: int
) -> tuple[np.ndarray, np.ndarray]:
    """The part of each segment over which the stencil at that place extends."""
    column = (-1, *[1] * (a.ndim - 1))
    s = (at / grid).reshape(column)
    e = (np.minimum(at + order + 1, grid) / grid).reshape(column)
    low, high = np.minimum(a, b), np.maximum(a, b)
    return np.clip(a + (b - a) * s, low, high), np.clip(a + (b - a) * e, low, high)


# --- certainty -----------------------------------------------------------------------------------
def _certain(probe: Probe, a: np.ndarray, b: np.ndarray, order: int) -> float | None:
    """The step down to which the differences do not shrink; None where they do."""
    if mpmath is not None and traced(probe.phi, a, 60)[0] is not None:
        return _deeper(probe, a, b, order)
    return _in_floats(probe, a, b) if order == 1 else None


def _deeper(probe: Probe, a: np.ndarray, b: np.ndarray, order: int) -> float | None:
    """The same search over thirty decades more."""
    grid = ZOOM * (order + 1)
    digits = 60 + 32 * (order + 1)
    weights = [(-1) ** i * comb(order + 1, i) for i in range(order + 2)]
    sizes: list[Any] = []
    with mpmath.workdps(digits):
        one = np.array([mpmath.mpf(float(v)) for v in a.flat], dtype=object).reshape(a.shape)
        two = np.array([mpmath.mpf(float(v)) for v in b.flat], dtype=object).reshape(b.shape)
        step = mpmath.mpf(0)
        for _ in range(52):
            values = []
            for i in range(grid + 1):
                value, _ = traced(probe.phi, one + (two - one) * mpmath.mpf(i) / grid, digits)
                if value is None:
                    return None
                values.append(value.ravel())
            step = mpmath.sqrt(sum((v - u) ** 2 for u, v in zip(one.flat, two.flat, strict=True)))
            step /= grid
            found = [
                max(
                    (abs(v) for v in sum(w * values[i + j] for j, w in enumerate(weights))),
                    default=mpmath.mpf(0),
                )
                / step**order
                for i in range(grid - order)
            ]
            best = max(range(len(found)), key=lambda i: found[i])
            sizes.append(found[best])
            size = max((abs(v) for value in values for v in value), default=mpmath.mpf(0))
            # Where coordinates cancel, the values are as coarse as they.
            size = max(size, *(abs(v) for v in (*one.flat, *two.flat)))
            if found[best] * step**order <= size * mpmath.mpf(10) ** (20 - digits):
                return None
            if len(sizes) > 6 and found[best] < max(sizes) / 500:
                return None
            width = two - one
            two = one + width * mpmath.mpf(best + order + 1) / grid
            one = one + width * mpmath.mpf(best) / grid
        early, late = sizes[len(sizes) // 3 : 2 * len(sizes) // 3], sizes[2 * len(sizes) // 3 :]
        # Exponents such as 1.01 make the differences shrink, though slowly: by a third here.
        if max(late) < max(early) * mpmath.mpf("0.9") or min(late) < max(early) / 50:
            return None
        return float(step)


def _in_floats(probe: Probe, a: np.ndarray, b: np.ndarray) -> float | None:
    """A kink that is still there when the step is near to rounding, with quiet sides."""
    # The search may have gone on to where rounding hides what it found.
    for wider in (1.0, 2.0**6, 2.0**12, 2.0**18, 2.0**30):
        way = (b - a) * (wider / 2)
        middle = a / 2 + b / 2
        if (found := _kinks(probe, middle - way, middle + way)) is not None:
            return found
    return None


def _kinks(probe: Probe, a: np.ndarray, b: np.ndarray) -> float | None:
    step = float(np.linalg.norm((b - a).ravel()))
    middle = a / 2 + b / 2
    reach = max(1.0, float(np.abs(middle).max()))
    if not 0 < step < 1e-5 * reach:
        return None
    bends = []
    for shift in (0.0, -8.0, 8.0):
        for wide in (1.0, 64.0):
            at = middle + shift * wide * (b - a)
            stencil = np.stack([at - wide * (b - a), at, at + wide * (b - a)])
            stencil = probe.inside_or_self(stencil, np.repeat(at[None], 3, axis=0), 1)
            noise = 4 * max(wobble(probe, p) for p in stencil)
            low, mid, high = probe(np.ascontiguousarray(stencil))
            bend = float(np.abs(low - 2 * mid + high).max(initial=0.0))
            bends.append((bend / (wide * step), noise / (wide * step)))
    (here, blur), (around, _), *sides = bends
    kink = here > 10 * blur and around > 0.5 * here
    quiet = all(s < 0.01 * here + n for s, n in sides)
    return step if kink and quiet and around < 2 * here else None
