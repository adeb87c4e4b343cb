"""Points that a map merges of which no formula is known, where no rounding explains it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..check.collisions import distant
from ..errors import PhimapsError
from .descent import WIDEST, derivatives
from .grain import grain
from .measured import Measured
from .probe import Probe
from .steps import constant_between, edges

__all__ = ["merged"]

# How many pairs are looked at, and how far apart (of the width) those must be that are solved for.
TRIED, APART = 24, 1e-3
# Moves that a value must answer to, as a part of the width.
MOVE = 1e-4


def merged(probe: Probe) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Two points with the same value, and why that is no matter of precision."""
    for x, y in _equal(probe):
        if (why := confirmed(probe, x, y)) is not None:
            return x, y, why
    if not probe.on.infinite:
        return _among_few(probe)
    for x, y in _along_kernels(probe):
        if (why := confirmed(probe, x, y)) is not None:
            return x, y, why
    if not probe.on.compact or probe.on.size > WIDEST:
        # Each pair is solved for by differences along all coordinates.
        return None
    try:
        # Any pair will do, so none is pulled farther apart, as those in boxes would be.
        near = distant(probe, Measured(probe.on, probe.on.distance, False), probe.seed)
    except (PhimapsError, RuntimeError, ValueError):
        # A point beside the space may be refused.
        return None
    # A period merges many pairs that are farthest apart, and none of them may be certain.
    half = max(2, int(TRIED * max(probe.budget, 0.25)) // 2)
    for x, y in near[:half] + near[half:][-half:]:
        if (why := confirmed(probe, x, y)) is not None:
            return x, y, why
    return None


def _among_few(probe: Probe) -> tuple[np.ndarray, np.ndarray, str] | None:
    points = np.unique(probe.points, axis=0)[:512]
    values = probe(points)
    good = np.isfinite(values).all(axis=1)
    points, values = points[good], values[good]
    for i in range(len(points)):
        off = np.abs(values[i + 1 :] - values[i]).max(axis=1, initial=0.0)
        for j in np.argsort(off)[:2]:
            x, y = points[i], points[i + 1 + int(j)]
            if (why := confirmed(probe, x, y)) is not None:
                return x, y, why
    return None


def _equal(probe: Probe) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs with the same values bit by bit, the farthest first, and a few of other distances."""
    xs, ys, apart = [], [], []
    for pairs in (probe.pairs, probe.flattest):
        same = np.flatnonzero((pairs.fx == pairs.fy).all(axis=1))
        order = same[np.argsort(-pairs.apart[same], kind="stable")]
        chosen = np.concatenate([order[:6], order[6 :: max(1, len(order) // 6)][:6]])
        xs.append(pairs.x[chosen])
        ys.append(pairs.y[chosen])
        apart.append(pairs.apart[chosen])
    for line, values in _uniform(probe):
        same = np.flatnonzero((values[1:] == values[:-1]).all(axis=1))[:2]
        xs.append(line[same])
        ys.append(line[same + 1])
        apart.append(np.zeros(len(same)))
    order = np.argsort(-np.concatenate(apart), kind="stable")
    x, y = np.concatenate(xs)[order], np.concatenate(ys)[order]
    return list(zip(x, y, strict=True))


def _uniform(probe: Probe) -> list[tuple[np.ndarray, np.ndarray]]:
    """Evenly spaced points of lines through random points: plateaus are of any length."""
    rng = np.random.default_rng((probe.seed, 41))
    points, count = probe.points, max(2, int(6 * probe.budget))
    found = []
    for k in range(count):
        start = points[rng.integers(len(points))]
        way = rng.standard_normal(start.shape)
        if k % 2:
            way = np.zeros(start.size)
            way[rng.integers(start.size)] = 1.0
            way = way.reshape(start.shape)
        for length in (1.0, 1e-2, 1e-3, 2e-5, 4e-7):
            part = np.linspace(0, length, 48).reshape(-1, *[1] * start.ndim)
            step = np.minimum(probe.width, 10.0)
            line = probe.inside(start + part * way * step)
            if len(line) > 2:
                found.append((line, probe(line)))
    return found


def _along_kernels(probe: Probe) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs along directions that the derivative does not see: pieces of maps are often affine."""
    if not probe.on.infinite:
        return []
    base = probe.points[np.isfinite(probe.values).all(axis=1)][: int(24 * max(probe.budget, 0.5))]
    both = derivatives(probe, np.ascontiguousarray(base), differences=True) if len(base) else None
    if both is None:
        return []
    good = np.isfinite(both[1]).all(axis=(1, 2)) & (np.abs(both[1]) < 1e100).all(axis=(1, 2))
    found = []
    for x, jacobian in zip(base[good], both[1][good], strict=True):
        _, sizes, vt = np.linalg.svd(jacobian, full_matrices=True)
        if len(sizes) == len(vt) and sizes[-1] > 1e-7 * sizes[0]:
            continue
        way = vt[-1].reshape(x.shape) * float(np.minimum(probe.width, 20.0).max())
        for part in (0.1, 0.02, 0.004):
            ends = probe.moved(np.stack([x + part * way, x - part * way]))
            values = probe(np.concatenate([x[None], ends]))
            if values.shape[1] != jacobian.shape[0]:
                continue
            off = np.abs(values[1:] - values[0]).max(axis=1, initial=0.0)
            size = max(grain(probe).scale, float(np.abs(values[0]).max(initial=0.0)))
            near = np.flatnonzero(off <= 64 * grain(probe).eps * size)
            if len(near):
                found.append((x, ends[near[0]]))
                break
    return found[:TRIED]


def _listed(probe: Probe, x: np.ndarray, y: np.ndarray, gap: float) -> bool:
    """Whether of finitely many points two have one value, and points between them others.

    A map that saturates keeps its value between them too.
    """
    scale = max(grain(probe).scale, float(np.abs(probe(x[None])).max(initial=0.0)))
    if gap > 16 * grain(probe).eps * scale:
        return False
    points = np.unique(probe.points, axis=0)
    low, high = np.minimum(x, y), np.maximum(x, y)
    between = ((points >= low) & (points <= high)).reshape(len(points), -1).all(axis=1)
    off = np.abs(probe(points[between]) - probe(x[None])).max(axis=1, initial=0.0)
    return bool((off > 1e-6 * scale).any())


def confirmed(probe: Probe, x: np.ndarray, y: np.ndarray) -> str | None:
    """Why two points with all but equal values are merged by the map itself, or None."""
    both = probe(np.stack([x, y]))
    if not np.isfinite(both).all() or not probe.on.contains(np.stack([x, y])).all():
        return None
    fine = grain(probe)
    apart = float(probe.on.distance(x[None], y[None])[0])
    usual = float(np.median(probe.pairs.ratio)) if len(probe.pairs) else 0.0
    reach = float(np.abs(np.stack([x, y])).max())
    if apart <= 1e3 * np.sqrt(fine.eps) * 2.0**-12 * reach or 0 < usual * apart <= 64 * fine.noise:
        return None
    gap = float(np.abs(both[0] - both[1]).max(initial=0.0))
    if not probe.on.infinite:
        if np.array_equal(x, y) or not _listed(probe, x, y, gap):
            return None
        return "the values agree to the last digits, and those between the points do not"
    if gap == 0 and _plateau(probe, x, y):
        return "the values agree bit by bit, on a plateau that ends in a kink or a step"
    width = float(np.linalg.norm(np.minimum(probe.width, 2 * max(reach, 1.0))))
    scale = max(fine.scale, float(np.abs(both).max()))
    if apart < APART * width or gap > 64 * fine.eps * scale:
        return None
    if _reacts(probe, x, y, gap, scale, width):
        return "the values agree to the last digits, and move with the points around them"
    return None


def _plateau(probe: Probe, x: np.ndarray, y: np.ndarray) -> bool:
    if not constant_between(probe, x, y):
        return False
    middle = x / 2 + y / 2
    ends = edges(probe, middle, y - x)
    if ends:
        return any(ends)
    # Constant from end to end of the space: so it must be everywhere, and above all where values
    # are small, or a summand is lost beside a great one.
    value = np.abs(probe(x[None])[0])
    unit = max((grain(probe).spacing(float(v)) for v in value), default=0.0)
    if unit > 1e-6 * float(np.linalg.norm((y - x).ravel())):
        return False
    bases = [probe.points[0], *(middle * s for s in (0.0, 1e-6, 1e-3, 0.5))]
    bases = [b for b in bases if probe.on.contains(b[None])[0]]
    half = (y - x) / 4
    tried = 0
    for base in bases:
        ends_of = np.stack([base - half, base + half])
        if not probe.on.contains(ends_of).all():
            continue
        tried += 1
        if not constant_between(probe, ends_of[0], ends_of[1]):
            return False
    return tried >= 2


def _reacts(
    probe: Probe, x: np.ndarray, y: np.ndarray, gap: float, scale: float, width: float
) -> bool:
    """Whether a small move of the pair closes what rounding leaves of the gap.

    Either the equations have full rank, so that a root lies within gap / σ_min. Or the values agree
    bit by bit although each of them answers to moves, and those that do not stand on plateaus that
    are no rounding: chance would not have it.
    """
    if not probe.on.infinite:
        return False
    both = derivatives(probe, np.stack([x, y]), differences=True)
    if both is None or not np.isfinite(both[1]).all():
        return False
    noise = 64 * grain(probe).eps * scale + grain(probe).noise
    system = np.concatenate([both[1][0], -both[1][1]], axis=1)
    sizes = np.linalg.svd(system, compute_uv=False)
    short = max(1e-6, 2.0**12 * grain(probe).eps) * width
    full = len(system) <= system.shape[1] and sizes[-1] * short > noise + gap
    if full and _roomy(probe, x, y, system, sizes[-1], noise + gap):
        return True
    if gap != 0:
        return False
    for point in (x, y):
        still = _still(probe, point, noise, width)
        if still is None or len(still) == probe.values.shape[1]:
            return False
        if len(still) and not _ends_truly(probe, point, still):
            return False
    return True


def _roomy(
    probe: Probe, x: np.ndarray, y: np.ndarray, system: Any, least: float, error: float
) -> bool:
    """Whether around the pair, as far as the root may be, the derivative hardly changes."""
    reach = 8 * error / least + 1e-9 * float(np.abs(np.stack([x, y])).max())
    room = np.eye(probe.on.size).reshape(-1, *probe.on.shape) * reach
    around = np.concatenate([p + s * room for p in (x, y) for s in (1.0, -1.0)])
    inside = probe.on.contains(around).reshape(4, -1)
    # Of two sides one may lie outside: the root is then sought from a point further in.
    if not inside.all():
        return False
    both = derivatives(probe, np.ascontiguousarray(around), differences=True)
    if both is None or not np.isfinite(both[1]).all():
        return False
    half = len(around) // 2
    size = probe.on.size
    change = max(
        float(np.abs(both[1][:half] - system[:, :size]).max(initial=0.0)),
        float(np.abs(both[1][half:] + system[:, size:]).max(initial=0.0)),
    )
    return bool(change * np.sqrt(system.size) < 0.25 * least)


def _still(probe: Probe, x: np.ndarray, noise: float, width: float) -> np.ndarray | None:
    """The features that do not answer to small moves of x."""
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((24, x.size))
    steps *= MOVE * width / np.linalg.norm(steps, axis=1, keepdims=True)
    moved = x + steps.reshape(-1, *x.shape)
    moved = np.ascontiguousarray(moved[probe.on.contains(moved)])
    if len(moved) < 4:
        return None
    values = probe(moved)
    change = np.abs(values - probe(x[None]))
    return np.flatnonzero(np.median(change, axis=0) <= 16 * noise)


def _ends_truly(probe: Probe, x: np.ndarray, still: np.ndarray) -> bool:
    """Whether each of the features stands on a plateau around x that is no rounding."""
    rng = np.random.default_rng(1)
    ways = [*np.eye(x.size)[:8], *rng.standard_normal((6, x.size))]
    for k in still[:64]:
        kept = np.array([k])
        found: list[bool] = []
        for way in ways:
            found += edges(probe, x, way.reshape(x.shape), kept)
            if len(found) >= 2:
                break
        if not found or not all(found):
            return False
    return len(still) <= 64
