"""Attacks on Lipschitz constants, lower Lipschitz constants and bounds."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Any

import numpy as np

from ..property import Property
from .descent import climb, local
from .evidence import Counterexample, norm_bounds, ratio_bounds
from .grain import opaque
from .precise import mpmath, traced
from .probe import Pairs, Probe, project, rows
from .topology import convex

__all__ = ["bounded", "lipschitz"]

# How near a search must come to a constant that is said to be reached.
NEAR = 1e-3
DIGITS = 120


def lipschitz(probe: Probe, claim: Property, number: float) -> Counterexample | None:
    """Attack a claim about the greatest or the least ratio |φ(x) - φ(y)| / |x - y|."""
    sign = 1 if claim.quantity == "least" else -1
    found = probe.steepest if sign > 0 else probe.flattest
    if claim.holds:
        return _exceeds(probe, claim, number, sign, found)
    return _unreached(probe, claim, number, sign, found)


def _exceeds(
    probe: Probe, claim: Property, number: float, sign: int, found: Pairs
) -> Counterexample | None:
    for pairs in (found, probe.pairs):
        for i in _promising(probe, pairs, sign):
            # What is far from the bound needs no exact evaluation.
            near = pairs.ratio[i] + sign * 32 * pairs.noise[i]
            if sign * (near - number) < -1e-12 * abs(number):
                continue
            low, high = ratio_bounds(probe, pairs.x[i], pairs.y[i])
            if (sign > 0 and low > number) or (sign < 0 and high < number):
                ratio = float(low if sign > 0 else high)
                apart = "|x - y|" if probe.on.euclidean else "d(x, y)"
                text = f"|φ(x) - φ(y)| / {apart} = {ratio!r}, and the bound is {number!r}"
                return Counterexample(repr(claim), text, (pairs.x[i], pairs.y[i]))
    return None


def _promising(probe: Probe, pairs: Pairs, sign: int) -> Any:
    """The pairs whose ratios are looked at: of a map without a formula some of each distance.

    There rounding may spoil all the near ones, and be greater than that of float64.
    """
    best = pairs.best(sign, 3)
    if not len(pairs) or not opaque(probe):
        return best
    scale = np.floor(np.log10(pairs.apart))
    listed = [best]
    for k in np.unique(scale):
        group = np.flatnonzero(scale == k)
        listed.append(group[np.argsort(-sign * pairs.ratio[group], kind="stable")[:3]])
    return np.unique(np.concatenate(listed))


def _unreached(
    probe: Probe, claim: Property, number: float, sign: int, found: Pairs
) -> Counterexample | None:
    for seed in range(4):
        if not len(found):
            break
        pairs = found if seed else found.joined(probe.pairs)
        reached, ratio = _reaches(probe, pairs, number, sign)
        if reached:
            return None
        if not seed:
            found = found.joined(local(probe, sign)).joined(climb(probe, sign, 60))
        # Deeper, with fresh steps, before saying that it is not there.
        found = probe.search(sign, 10 + 8 * seed, seed + 1, width=64, start=found)
    else:
        if _nearer(probe, pairs, number, sign):
            return None
        text = f"the best ratio found is {ratio!r}, and the constant is said to reach {number!r}"
        return Counterexample(repr(claim), text, certain=False)
    return Counterexample(repr(claim), "the space has no two points to compare", certain=False)


def _confirmed(probe: Probe, pairs: Pairs, number: float, sign: int) -> bool:
    """Whether a pair that comes near the number in floating point does so in truth."""
    wanted = number * (1 - sign * NEAR)
    near = np.flatnonzero(sign * (pairs.ratio - wanted) >= 0)
    scale = np.floor(np.log10(pairs.apart[near]))
    # Of each distance one pair, the farthest first: rounding spoils the near ones.
    for k in np.unique(scale)[::-1][:8]:
        group = near[scale == k]
        i = group[np.argmax(sign * pairs.ratio[group])]
        low, high = ratio_bounds(probe, pairs.x[i], pairs.y[i])
        if (sign > 0 and high >= wanted) or (sign < 0 and low <= wanted):
            return True
    return False


def _nearer(probe: Probe, pairs: Pairs, number: float, sign: int) -> bool:
    """Whether shorter chords reach the number, computed with digits that floats do not have."""
    if not 0 < number < inf:
        return False
    for i in pairs.best(sign, 4):
        x, y = pairs.x[i], pairs.y[i]
        for start, end in ((x, y), (y, x)):
            for shrink in (2.0**-4, 2.0**-12, 2.0**-24):
                near = start + (end - start) * shrink
                if np.array_equal(near, start) or not probe.on.contains(near[None])[0]:
                    continue
                low, high = ratio_bounds(probe, start, near)
                if (sign > 0 and high >= number * (1 - NEAR)) or (
                    sign < 0 and low <= number * (1 + NEAR)
                ):
                    return True
    return convex(probe.on) and any(
        _nearer_still(probe, start, end, number, sign)
        for i in pairs.best(sign, 4)
        for start, end in ((pairs.x[i], pairs.y[i]), (pairs.y[i], pairs.x[i]))
    )


def _nearer_still(
    probe: Probe, start: np.ndarray, end: np.ndarray, number: float, sign: int
) -> bool:
    """Whether a chord too short for floats, from an end of the pair, has the ratio."""
    value = traced(probe.phi, start, DIGITS)[0]
    if value is None or not probe.on.euclidean:
        return False
    with mpmath.workdps(DIGITS):
        a, b = (
            np.array([mpmath.mpf(float(v)) for v in p.flat], dtype=object) for p in (start, end)
        )
        apart = mpmath.sqrt(sum((u - v) ** 2 for u, v in zip(a, b, strict=True)))
        for power in (40, 80, 120):
            share = mpmath.mpf(2) ** -power
            near = (a + (b - a) * share).reshape(start.shape)
            other = traced(probe.phi, near, DIGITS)[0]
            if other is None:
                return False
            gap = mpmath.sqrt(
                sum((u - v) ** 2 for u, v in zip(value.flat, other.flat, strict=True))
            )
            ratio = gap / (apart * share)
            if sign * (ratio - number * (1 - sign * NEAR)) >= 0:
                return True
    return False


def _reaches(probe: Probe, pairs: Pairs, number: float, sign: int) -> tuple[bool, float]:
    """Whether the ratios come near the number; for inf and 0, whether they go on towards it."""
    quiet = pairs.noise < 0.1 * pairs.ratio if sign > 0 else np.ones(len(pairs), bool)
    ratio = pairs.ratio[quiet]
    if not ratio.size:
        return number == 0, 0.0
    best = float(ratio.max() if sign > 0 else ratio.min())
    middle = float(np.median(probe.pairs.ratio))
    if sign < 0 and number < 1e-6 * middle:
        # Beside the other ratios it is 0: chords along so thin a direction cannot be drawn.
        number = 0.0
    if sign > 0 and number > 1e12 * middle:
        # Beside the other ratios it is infinite, as at the least number above an open end at 0.
        number = inf
    if 0 < number < inf:
        # Near pairs are left out of the report, not of the decision: they are mostly rounding.
        far = pairs.ratio[pairs.apart >= 1e-4 * pairs.apart.max()]
        best = float(far.max() if sign > 0 else far.min())
        return _confirmed(probe, pairs, number, sign), best
    if (sign > 0 and best > 1e4 * middle) or (sign < 0 and best <= 1e-4 * middle):
        return True, best
    return _grows(pairs, sign), best


def _grows(pairs: Pairs, sign: int) -> bool:
    """Whether the extreme ratio keeps moving as distances shrink or points go far out."""
    pairs = pairs.take(pairs.noise < 0.01 * np.median(pairs.ratio))
    reach = rows(np.maximum(np.abs(pairs.x), np.abs(pairs.y))).max(axis=1, initial=0.0)
    extreme = np.max if sign > 0 else np.min
    for size in (pairs.apart, 1 / np.maximum(reach, 1e-300)):
        scale = np.floor(np.log10(size))
        steps, counts = np.unique(scale, return_counts=True)
        ends = [float(extreme(pairs.ratio[scale == k])) for k in steps[counts > 8]][:3]
        if len(ends) == 3 and min(ends) > 0:
            # Three steps towards the end, each farther than the last.
            gains = [ends[0] / ends[1], ends[1] / ends[2]]
            if min(gains) > 1.01 if sign > 0 else max(gains) < 0.99:
                return True
    return False


def bounded(probe: Probe, claim: Property, number: float) -> Counterexample | None:
    """Attack a claim about the greatest |φ(x)|."""
    x, size = _largest(probe, 6, 0)
    if claim.holds:
        tried = [*np.argsort(-size)[:3]]
        if opaque(probe):
            # The greatest may stand where nothing is certain, at the least of all numbers.
            start, known = _largest(probe, 0, 0)
            x, size = np.concatenate([x, start]), np.concatenate([size, known])
            beyond = np.unique(size, return_index=True)[1]
            beyond = beyond[size[beyond] > number]
            tried += [*beyond[:: max(1, len(beyond) // 16)][:16]]
        for i in tried:
            if size[i] < number * (1 - 1e-12):
                continue
            low, _ = norm_bounds(probe, x[i])
            if low > number:
                text = f"|φ(x)| = {float(low)!r}, and the bound is {number!r}"
                return Counterexample(repr(claim), text, (x[i],))
        return None
    for seed in range(3):
        best = float(size.max(initial=0.0))
        wanted = number * (1 - NEAR) if number < inf else 1e3 * float(np.median(size)) + 1e3
        if best >= wanted:
            return None
        x, size = _largest(probe, 12 + 6 * seed, seed + 1)
    if number < inf and _still_grows(probe, wanted):
        return None
    text = f"the greatest |φ(x)| found is {best!r}, and it is said to reach {number!r}"
    return Counterexample(repr(claim), text, certain=False)


def _still_grows(probe: Probe, wanted: float) -> bool:
    """Whether |φ| reaches the number, or goes on growing, at sizes beyond those of a search."""
    far = [
        float(_norms(probe(probe.inside(probe.points * size))).max(initial=0.0))
        for size in (1e10, 1e30, 1e100, 1e280)
    ]
    return max(far) >= wanted or all(b > a for a, b in pairwise(far))


def _largest(probe: Probe, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Evolve points towards the greatest norm of the values."""
    rng = np.random.default_rng((probe.seed, 11, seed))
    groups = [(probe.points, probe.values), *probe.lines]
    x = np.concatenate([g[0] for g in groups])
    size = np.concatenate([_norms(g[1]) for g in groups])
    for step in range(int(steps * probe.budget)):
        top = np.argsort(-size)[:32]
        x, size = x[top], size[top]
        if not len(x):
            break
        put = rng.random(x.shape) < 1.5 / probe.on.size
        edge = np.where(rng.random(x.shape) < 0.5, probe._low(x), probe._high(x))
        proposals = np.concatenate(
            [
                x + rng.standard_normal(x.shape) * probe.width * 0.5 * 0.6**step,
                x * rng.uniform(0.5, 3, (len(x), *[1] * (x.ndim - 1))),
                np.where(put, edge, x),
                np.where(put, 0.0, x),
            ]
        )
        new = np.ascontiguousarray(project(probe.on, proposals))
        new = new[probe.on.contains(new)]
        x, size = np.concatenate([x, new]), np.concatenate([size, _norms(probe(new))])
    return x, size


def _norms(values: Any) -> np.ndarray:
    with np.errstate(all="ignore"):
        norms = np.linalg.norm(values, axis=1)
    return np.where(np.isfinite(norms), norms, -1.0)
