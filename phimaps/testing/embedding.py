"""Attacks on being a homeomorphism onto the image, and on keeping universal classes universal."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..property import Property
from ..witness import Collision
from .collide import collision, injective
from .descent import solve
from .evidence import Counterexample, gap_bounds
from .probe import Probe, rows
from .topology import convex, jump

__all__ = ["approximately_invariant", "closing", "explodes", "homeomorphism", "uap_invariant"]

# Points farther out than this are left alone where only compact sets count.
OUT = 1e3


def _obstacle(probe: Probe, claim: Property) -> Counterexample | None:
    """A collision or a jump."""
    if (found := collision(probe)) is not None:
        return Counterexample(repr(claim), f"φ(x) = φ(y): {found[2]}", found[:2])
    if (torn := jump(probe)) is not None:
        return Counterexample(repr(claim), f"φ jumps by {torn[2]:.6g} between neighbours", torn[:2])
    return None


def homeomorphism(
    probe: Probe, claim: Property, number: float, witness: Collision | None = None
) -> Counterexample | None:
    """Attack with a collision, a jump, or far points whose values return to that of a point."""
    if claim.holds:
        if (found := _obstacle(probe, claim)) is not None:
            return found
        back = _returns(probe)
        if back is None:
            return None
        text = f"φ(y_n) -> φ(x) though y_n runs off: |φ(y) - φ(x)| = {back[2]:.3g}"
        return Counterexample(repr(claim), text, back[:2], certain=False)
    return _no_obstacle(probe, claim, number, witness)


def uap_invariant(
    probe: Probe, claim: Property, number: float, witness: Collision | None = None
) -> Counterexample | None:
    """Attack with a collision or a jump: the strict sense asks that φ is continuous, injective."""
    if claim.holds:
        return _obstacle(probe, claim)
    return _no_obstacle(probe, claim, number, witness)


def _no_obstacle(
    probe: Probe, claim: Property, number: float, witness: Collision | None
) -> Counterexample | None:
    """The contrary: neither a collision nor a jump is found where both would show."""
    if witness is not None:
        return injective(probe, claim, number, witness)
    if probe.on.infinite and (jump(probe, False) is not None or not convex(probe.on)):
        return None
    if claim.name == "Homeomorphism" and not probe.on.compact:
        return None
    return injective(probe, claim, number)


def _returns(probe: Probe) -> tuple[np.ndarray, np.ndarray, float] | None:
    """A point x, and one far out whose value is all but φ(x), the nearer the farther it is."""
    if probe.on.compact or not convex(probe.on):
        return None
    rng = np.random.default_rng((probe.seed, 19))
    base = probe.on.sample(12, rng)
    base = np.concatenate([base, probe.inside_or_self(base * 0.1, base, 1)])
    way = rng.standard_normal(base.shape)
    way[::2] = np.where(rng.random(way[::2].shape) < 0.5, np.sign(way[::2]), 0.0)
    found = []
    start = base
    for far in (1e2, 1e4, 1e6):
        y = probe.inside_or_self(base + far * way, base, 1)
        target = probe(y)
        if not np.isfinite(target).all():
            return None
        x, off = solve(probe, start, target, 16)
        found.append((x, y, off))
        start = x
    (x1, _, off1), (x2, y2, off2) = found[1:]
    settled = np.abs(rows(x2 - x1)).max(axis=1) < 1e-3 * (1 + np.abs(rows(x1)).max(axis=1))
    still = np.abs(rows(x2)).max(axis=1) < 30
    ran = np.linalg.norm(rows(y2 - x2), axis=1) > 1e5
    values = probe.values[np.isfinite(probe.values).all(axis=1)]
    if not len(values):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(np.median(np.linalg.norm(values - np.median(values, axis=0), axis=1)))
    if not np.isfinite(spread):
        return None
    near = (off2 < 1e-4 * spread) & (off1 < 1e-2 * spread) & settled & still & ran
    for i in np.flatnonzero(near):
        # Where φ only tends to a limit that it does not take, the gap stops shrinking.
        gaps = [_true_gap(probe, x[i], y[i]) for x, y, _ in found]
        if gaps[-1] > 0 and all(b < a / 5 for a, b in pairwise(gaps)):
            return x2[i], y2[i], gaps[-1]
    return None


def _true_gap(probe: Probe, x: np.ndarray, y: np.ndarray) -> float:
    low, _ = gap_bounds(probe, x, y)
    return float(low)


# --- the approximate sense -----------------------------------------------------------------------
def approximately_invariant(
    probe: Probe, claim: Property, number: float, witness: Collision | None = None
) -> Counterexample | None:
    """Attack with a collision, or far pairs whose gap goes to 0; the contrary by finding none."""
    if claim.holds:
        if (found := collision(probe)) is not None:
            return Counterexample(repr(claim), f"φ(x) = φ(y): {found[2]}", found[:2])
        if (pair := closing(probe)) is not None:
            text = f"|φ(x) - φ(y)| = {pair[2]:.3g}, and smaller nearby"
            return Counterexample(repr(claim), text, pair[:2], certain=False)
        if (wild := explodes(probe)) is not None:
            text = f"|φ(x)| grows without bound towards {wild[1]:.3g} on a compact set"
            return Counterexample(repr(claim), text, (wild[0],), certain=False)
        return None
    if witness is not None:
        return injective(probe, claim, number, witness)
    if probe.on.infinite and (closing(probe) is not None or explodes(probe) is not None):
        return None
    if probe.on.infinite and jump(probe, False) is not None:
        # Across a jump the search for nearly equal values is weak.
        return None
    return injective(probe, claim, number)


def closing(probe: Probe) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Points apart whose values a search brings as near as floats go, though φ has a jump there."""
    if not probe.on.infinite or jump(probe, False) is None:
        return None
    pairs = probe.flattest.joined(probe.search(-1, 40, 23))
    reach = np.abs(rows(np.concatenate([pairs.x, pairs.y], axis=1))).max(axis=1, initial=0.0)
    far = (pairs.apart > 1e-3 * np.minimum(probe.width.max(), 1.0)) & (reach < OUT)
    if not far.any():
        return None
    pairs = pairs.take(far)
    size = np.maximum(np.abs(pairs.fx), np.abs(pairs.fy)).max(initial=0.0) + 1e-300
    i = int(pairs.gap.argmin())
    if pairs.gap[i] > 1e-8 * size:
        return None
    return pairs.x[i], pairs.y[i], float(pairs.gap[i])


def explodes(probe: Probe) -> tuple[np.ndarray, float] | None:
    """A point of moderate size with a huge value, all but touching one with a moderate value."""
    for points, values in [(probe.points, probe.values), *probe.lines]:
        near = np.abs(rows(points)).max(axis=1, initial=0.0) < OUT
        with np.errstate(all="ignore"):
            size = np.linalg.norm(values, axis=1)
        size = np.where(np.isfinite(size) & near, size, 0.0)
        if not size.any():
            continue
        i = int(size.argmax())
        # A continuous map is bounded on compact sets, however steep it is.
        apart = np.abs(rows(points - points[i])).max(axis=1, initial=0.0)
        beside = near & (apart < 1e-12 * (1 + np.abs(points[i]).max())) & (size > 0)
        if beside.any() and size[i] > 1e20 * max(float(size[beside].min()), 1.0):
            return points[i], float(size[i])
    return None
