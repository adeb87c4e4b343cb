"""Attacks on properness, and on reaching all of R^d or nearly all of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..property import Property
from ..spaces import Product, Space
from .descent import WIDEST, derivatives, solve
from .evidence import Counterexample, norm_bounds
from .precise import traced
from .probe import Probe, project, rows
from .topology import convex, jump

__all__ = ["onto", "proper"]

# How near, beside the size of the target, its point must be approached to count as reached.
REACHED = 1e-6
# Sizes of the targets.
SIZES = (1e-3, 1.0, 30.0, 1e4)
# How far out a claim that something is missed has to fail.
OUT = (1e9, 1e14)
# How many targets are tried before the others.
FEW = 3
# How far out properness is tested; a logarithm grows sevenfold over this.
RADII = (1e1, 1e3, 1e6, 1e12, 1e40)
# How near to an open end, where that is 0 and where rounding is coarser.
OPEN = (1e-2, 1e-4, 1e-9, 1e-20, 1e-80)
OPEN_ELSEWHERE = (1e-2, 1e-3, 1e-6, 1e-9, 1e-12)


# --- onto ----------------------------------------------------------------------------------------
def onto(probe: Probe, claim: Property, number: float) -> Counterexample | None:
    """Attack a claim about the image with targets of many sizes in all directions.

    That all of them are reached does not prove, nor that one is missed disprove, that the image is
    everything; so neither is certain.
    """
    if not probe.on.infinite and claim.holds:
        return Counterexample(repr(claim), "finitely many points do not fill R^d")
    if not probe.on.infinite:
        return None
    targets = _targets(probe)
    if targets is None or derivatives(probe, probe.special[:1]) is None:
        return None
    if "onto" not in probe.memo:
        # Mostly the first few targets tell.
        probe.memo["onto"] = _nearest(probe, targets[:FEW], 1)
    few = probe.memo["onto"]
    if not claim.holds and _missed(few, targets).any():
        return None
    left = np.concatenate([few, _nearest(probe, targets[FEW:], 4)])
    size = np.linalg.norm(targets, axis=1)
    missed = _missed(left, targets)
    if claim.holds and (left > 0.02 * (0.1 + size)).any():
        i = int((left / (0.1 + size)).argmax())
        text = f"no value found is nearer to {targets[i].round(6).tolist()} than {left[i]:.4g}"
        return Counterexample(repr(claim), text, certain=False)
    if not claim.holds and not missed.any():
        # What reaches this far may yet end farther out.
        size = np.linalg.norm(targets[1:FEW], axis=1, keepdims=True)
        far = np.concatenate([targets[1:FEW] / size * reach for reach in OUT])
        if _missed(_nearest(probe, far, 2), far).any():
            return None
        text = f"{len(targets)} targets are all reached"
        return Counterexample(repr(claim), text, certain=False)
    return None


def _missed(left: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return left > REACHED * (1e-2 + np.linalg.norm(targets[: len(left)], axis=1))


def _targets(probe: Probe) -> np.ndarray | None:
    k = probe.values.shape[1]
    if not 0 < k <= min(WIDEST, 12):
        return None
    rng = np.random.default_rng((probe.seed, 29))
    n = int(6 * probe.budget) + 2
    ways = [np.eye(k), -np.eye(k), rng.standard_normal((n, k)), rng.choice([-1.0, 1.0], (n, k))]
    way = np.concatenate(ways)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    way = way[rng.permutation(len(way))[: int(20 * probe.budget) + 4]]
    targets = np.concatenate([way * size for size in SIZES])
    return np.concatenate([np.zeros((1, k)), targets[rng.permutation(len(targets))]])


def _nearest(probe: Probe, targets: np.ndarray, turns: int) -> np.ndarray:
    """The least distance of a value to each target that descents from many points find."""
    starts, values = _starts(probe)
    left = np.full(len(targets), np.inf)
    if not len(starts):
        return left
    rng = np.random.default_rng((probe.seed, 31))
    for turn in range(turns):
        open_ = np.flatnonzero(_missed(left, targets))
        if not len(open_):
            break
        goal = targets[open_]
        with np.errstate(all="ignore"):
            off = np.linalg.norm(values[None] - goal[:, None], axis=2)
        order = np.argsort(off, axis=1)
        # The nearest values first, then ever more of the others.
        chosen = np.concatenate(
            [order[:, turn : turn + 2], rng.integers(0, len(starts), (len(goal), 1 + 2 * turn))],
            axis=1,
        )
        first = starts[chosen]
        if probe.on.size == goal.shape[1]:
            # Where φ is flat around the nearest values, it may grow with x farther out.
            near = goal + (turn > 0) * np.sign(goal) * rng.exponential(2.0, goal.shape)
            near = np.clip(near, *(b.ravel() for b in probe.on.bounds()))
            near = project(probe.on, near.reshape(len(goal), *probe.on.shape))
            first = np.concatenate([first, near[:, None]], axis=1)
        many = np.repeat(goal, first.shape[1], axis=0)
        first = np.ascontiguousarray(first.reshape(-1, *probe.on.shape))
        _, rest = solve(probe, first, many, 24 + 16 * turn)
        left[open_] = np.minimum(left[open_], rest.reshape(len(goal), -1).min(axis=1))
    return left


def _starts(probe: Probe) -> tuple[np.ndarray, np.ndarray]:
    groups = [(probe.points, probe.values), *probe.lines]
    points, values = (np.concatenate([g[i] for g in groups]) for i in (0, 1))
    good = np.isfinite(values).all(axis=1)
    return points[good], values[good]


# --- proper --------------------------------------------------------------------------------------
def proper(probe: Probe, claim: Property, number: float) -> Counterexample | None:
    """Attack with a jump, or with points that run off while their values stay in a ball."""
    if not convex(probe.on):
        return None
    torn = jump(probe, claim.holds)
    if claim.holds:
        if torn is not None:
            text = f"φ jumps by {torn[2]:.6g} between neighbours"
            return Counterexample(repr(claim), text, torn[:2])
        found = None if probe.on.compact else _stays(probe)
        if found is None:
            return None
        points, size = found
        text = f"|φ(x)| <= {size:.6g} at points that leave every compact part of the space"
        return Counterexample(repr(claim), text, tuple(points))
    if torn is not None or not probe.on.is_closed:
        return None
    if not probe.on.compact and _lingers(probe):
        return None
    return Counterexample(repr(claim), "|φ| grows wherever points run off", certain=False)


def _ways(probe: Probe) -> tuple[np.ndarray, np.ndarray]:
    """Points and directions in which one may leave them for ever."""
    rng = np.random.default_rng((probe.seed, 37))
    size = probe.on.size
    open_ = np.isinf(probe.low).ravel() | np.isinf(probe.high).ravel()
    up, down = np.isinf(probe.high).ravel(), np.isinf(probe.low).ravel()
    n = int(40 * probe.budget) + 12
    ways = [np.eye(size)[open_], -np.eye(size)[open_]]
    ways.append(rng.integers(-2, 3, (n, size)).astype(float))
    ways.append(rng.standard_normal((n, size)))
    if size <= WIDEST and len(probe.values):
        # Directions in which φ hardly changes.
        both = derivatives(probe, np.ascontiguousarray(probe.points[:n]))
        if both is not None and np.isfinite(both[1]).all():
            _, _, vt = np.linalg.svd(both[1], full_matrices=True)
            ways += [vt[:, -1], -vt[:, -1], np.round(vt[:, -1], 12)]
    way = np.concatenate(ways)
    way = np.where(up, np.maximum(way, 0), 0) + np.where(down, np.minimum(way, 0), 0)
    way = way[np.abs(way).max(axis=1) > 1e-9]
    way /= np.abs(way).max(axis=1, keepdims=True)
    base = probe.special[rng.integers(len(probe.special), size=len(way))]
    return base, way.reshape(-1, *probe.on.shape)


def _stays(probe: Probe) -> tuple[list[np.ndarray], float] | None:
    """Points farther and farther out whose values certainly stay as small as the nearest's."""
    base, way = _ways(probe)
    steps = [probe.inside_or_self(base + r * way, base, 1) for r in RADII]
    off = np.stack([np.abs(rows(p)).max(axis=1) for p in steps])
    # The space may not go on in that direction.
    ran = (np.diff(off, axis=0) > 0).all(axis=0) & (off[-1] > 1e30)
    return _bounded(probe, [p[ran] for p in steps]) or _bounded(probe, _to_open_ends(probe))


def _to_open_ends(probe: Probe) -> list[np.ndarray]:
    """Points nearer and nearer to values that a coordinate has as bounds and does not take."""
    found: list[list[np.ndarray]] = [[] for _ in RADII]
    for bounds, attained, sign in zip(probe.on.bounds(), _ends(probe.on), (1, -1), strict=True):
        for place in zip(*np.nonzero(np.isfinite(bounds) & ~attained), strict=True):
            end = float(bounds[place])
            for base in probe.special[:8]:
                for k, r in enumerate(OPEN if end == 0 else OPEN_ELSEWHERE):
                    point = base.copy()
                    point[place] = end + sign * r * max(abs(end), 1.0)
                    found[k].append(point)
    if not found[0]:
        return [np.zeros((0, *probe.on.shape))] * len(RADII)
    steps = [np.stack(points) for points in found]
    ok = np.logical_and.reduce([probe.on.contains(p) for p in steps])
    return [p[ok] for p in steps]


def _ends(on: Space) -> tuple[np.ndarray, np.ndarray]:
    """Which bounds are no open ends.

    Those of a closed space are none, although a bound that was rounded outward is not attained.
    """
    if on.is_closed:
        return np.ones(on.shape, dtype=bool), np.ones(on.shape, dtype=bool)
    if isinstance(on, Product):
        low, high = zip(*map(_ends, on.parts), strict=True)
        return np.concatenate(low), np.concatenate(high)
    return on.attains()


def _bounded(probe: Probe, steps: list[np.ndarray]) -> tuple[list[np.ndarray], float] | None:
    if not len(steps[0]):
        return None
    with np.errstate(all="ignore"):
        values = np.stack([np.abs(probe(p)) for p in steps])
        sizes = np.linalg.norm(values, axis=2)
        # Beside a great constant a coordinate may grow for ever without its being seen in the norm.
        steady = np.all(np.diff(values, axis=0) > 1e-6 * (1 + values[:-1]), axis=0)
        grows = np.any(steady, axis=1)
    limit = np.maximum(sizes[0], sizes[1]) * (1 + 1e-6) + 1e-6
    stays = np.isfinite(sizes).all(axis=0) & (sizes[2:] <= limit).all(axis=0) & ~grows
    moved = [np.abs(rows(b - a)).max(axis=1) > 0 for a, b in pairwise(steps)]
    stays &= np.logical_and.reduce(moved)
    for i in np.flatnonzero(stays)[:12]:
        points = [p[i] for p in steps]
        highest = max(float(norm_bounds(probe, p)[1]) for p in points[2:])
        if highest <= float(limit[i]) and _settled(probe, points):
            return points, highest
    return None


def _settled(probe: Probe, points: list[np.ndarray]) -> bool:
    """Whether exact values confirm it; a value that floats saturate may still grow."""
    exact = [traced(probe.phi, p, 60)[0] is not None for p in (points[0], points[2])]
    return all(exact) or not any(exact)


def _lingers(probe: Probe) -> bool:
    """Whether some points far out have values that are hardly greater than those nearby."""
    base, way = _ways(probe)
    if not len(way):
        return True
    start = probe.inside_or_self(base + way, base, 1)
    with np.errstate(all="ignore"):
        before = np.linalg.norm(probe(start), axis=1)
    for far in (1e3, 1e6):
        points = probe.inside_or_self(base + far * way, base, 1)
        with np.errstate(all="ignore"):
            sizes = np.linalg.norm(probe(points), axis=1)
        sizes = np.where(np.isfinite(sizes), sizes, np.inf)
        if (sizes < 3 * (before + 1)).any() or float(sizes.min(initial=np.inf)) < 3:
            return True
    # Somewhere between the directions that were tried, values may return to one that was met.
    target = np.repeat(probe(start[:1]), len(way), axis=0)
    if not np.isfinite(target).all():
        return True
    x, off = solve(probe, probe.inside_or_self(base + 1e5 * way, base, 1), target, 16)
    out = np.abs(rows(x)).max(axis=1) > 1e4
    return bool((out & (off < 1e-3 * (1 + np.linalg.norm(target, axis=1)))).any())
