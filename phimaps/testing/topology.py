"""Attacks on continuity and on being affine, and their contraries."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..property import Property
from ..spaces import Ball, Boxlike, Product, Simplex, Space, Subspace
from .evidence import Counterexample, wobble
from .grain import opaque
from .precise import mpmath, traced
from .probe import Probe, project, rows
from .steps import Jump, fine_jumps, torn

__all__ = ["affine", "bends", "continuous", "convex", "jump", "torn_at"]

DIGITS = 80


def convex(on: Space) -> bool:
    """Whether the space is known to be convex."""
    on = getattr(on, "plain", on)
    if isinstance(on, Product):
        return all(convex(p) for p in on.parts)
    return isinstance(on, Boxlike | Ball | Simplex | Subspace)


# --- continuity --------------------------------------------------------------------------------
def jump(probe: Probe, certainly: bool = True) -> Jump | None:
    """Two neighbouring points between which φ jumps, and by how much.

    What only seems to be a jump counts unless it must be one `certainly`.
    """
    if "jumps" not in probe.memo:
        seeming = _jumps(probe)
        if convex(probe.on) and probe.on.infinite and opaque(probe):
            seeming = fine_jumps(probe) + seeming
        probe.memo["jumps"] = seeming
    seeming = probe.memo["jumps"]
    if not certainly:
        return seeming[0] if seeming else None
    if "jump" not in probe.memo:
        sure = (j for j in seeming if torn_at(probe, *j))
        probe.memo["jump"] = next(sure, None)
    found: Jump | None = probe.memo["jump"]
    return found


def torn_at(probe: Probe, a: np.ndarray, b: np.ndarray, gap: float) -> bool:
    """Whether the gap stays when the bisection goes on between neighbouring numbers."""
    if mpmath is None or traced(probe.phi, a, DIGITS)[0] is None:
        return torn(probe, a, b)
    with mpmath.workdps(DIGITS):
        ends = [np.array([mpmath.mpf(float(v)) for v in p.flat], dtype=object) for p in (a, b)]
        values: list[Any] = [traced(probe.phi, p.reshape(a.shape), DIGITS)[0] for p in ends]
        for _ in range(160):
            middle = (ends[0] + ends[1]) / 2
            value = traced(probe.phi, middle.reshape(a.shape), DIGITS)[0]
            if value is None or values[0] is None or values[1] is None:
                return False
            gaps = [
                sum((u - v) ** 2 for u, v in zip(w.flat, value.flat, strict=True)) for w in values
            ]
            far = int(gaps[1] > gaps[0])
            ends[1 - far], values[1 - far] = middle, value
            if gaps[far] < (gap / 4) ** 2:
                return False
    return True


def _jumps(probe: Probe) -> list[Jump]:
    """Neighbouring points between which φ seems to jump.

    Segments are bisected towards the half in which φ changes more, until their ends are
    neighbouring floating-point numbers. A steep slope is no jump: it goes on beyond the segment.
    """
    if not convex(probe.on):
        return []
    a, b, fa, fb = _segments(probe)
    first = _gap(fa, fb)
    for _ in range(1200):
        if not len(a):
            return []
        middle = a / 2 + b / 2
        same = (middle == a) | (middle == b)
        done = same.reshape(len(a), -1).all(axis=1)
        if done.all():
            break
        fm = probe(middle)
        if fm.shape[1] != fa.shape[1]:
            return []
        left = _gap(fa, fm) >= _gap(fm, fb)
        column = left.reshape(-1, *[1] * (a.ndim - 1))
        keep = done.reshape(column.shape)
        a, b = np.where(keep | column, a, middle), np.where(keep | ~column, b, middle)
        fa = np.where((done | left)[:, None], fa, fm)
        fb = np.where((done | ~left)[:, None], fb, fm)
        alive = _gap(fa, fb) > np.maximum(1e-4 * first, 256 * np.spacing(_size(fa, fb)))
        a, b, fa, fb, first = a[alive], b[alive], fa[alive], fb[alive], first[alive]
    found = []
    apart = probe.pairs.apart
    usual = probe.pairs.ratio[apart > 1e-2 * np.median(apart)] if len(apart) else np.zeros(0)
    steep = 1e3 * float(np.quantile(usual, 0.9)) if usual.size else 0.0
    for i in range(len(a)):
        gap = _gap(fa[i : i + 1], fb[i : i + 1])[0]
        if ((np.sign(a[i]) == np.sign(b[i])) & (np.abs(a[i] - b[i]) > 1e-9 * np.abs(a[i]))).any():
            # The least numbers are far apart beside their sizes, and a logarithm moves there.
            continue
        beyond = project(probe.on, np.stack([a[i] + 8 * (a[i] - b[i]), b[i] + 8 * (b[i] - a[i])]))
        outer = probe(np.ascontiguousarray(beyond))
        sides = [
            _gap(f[i : i + 1], outer[k : k + 1])[0] / gap
            for k, (f, p) in enumerate(((fa, a), (fb, b)))
            if not np.array_equal(beyond[k], p[i])
        ]
        # A point may stand alone between two jumps, so one quiet side is enough; but beyond a kink
        # the next eight steps change φ by eight gaps.
        quiet = sides and min(sides) < 1e-3 and (max(sides) < 1e-3 or 0.3 < max(sides) < 4)
        # A kink, too, is quiet on one side.
        if quiet and gap > steep * np.linalg.norm((a[i] - b[i]).ravel()):
            found.append((a[i], b[i], float(gap)))
    return found[:8]


def _segments(probe: Probe) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(probe.seed + 5)
    pairs = probe.pairs
    n = int(24 * probe.budget)
    chosen = [pairs.best(1, n), np.argsort(-pairs.gap)[:8], rng.permutation(len(pairs))[:n]]
    # The steepest pair of neighbours at every scale: a jump is steepest at the least.
    scale = np.floor(np.log10(pairs.apart))
    for k in np.unique(scale):
        group = np.flatnonzero(scale == k)
        chosen.append(group[np.argsort(-pairs.gap[group])[:2]])
    index = np.unique(np.concatenate(chosen))
    return pairs.x[index], pairs.y[index], pairs.fx[index], pairs.fy[index]


def _gap(fa: np.ndarray, fb: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        gap = np.linalg.norm(fa - fb, axis=1)
    return np.where(np.isfinite(gap), gap, -1.0)


def _size(fa: np.ndarray, fb: np.ndarray) -> np.ndarray:
    return np.nan_to_num(np.maximum(np.abs(fa), np.abs(fb)).max(axis=1, initial=0.0), posinf=1e300)


def continuous(probe: Probe, claim: Property, number: float) -> Counterexample | None:
    """Attack continuity with a jump, and its contrary with finding none."""
    if probe.on.infinite and not convex(probe.on):
        # Segments leave the space, and without them there is nothing to bisect.
        return None
    found = jump(probe, claim.holds)
    if claim.holds and found is not None:
        a, b, gap = found
        return Counterexample(repr(claim), f"φ jumps by {gap:.6g} between neighbours", (a, b))
    if not claim.holds and found is None and (convex(probe.on) or not probe.on.infinite):
        text = "no segment keeps its gap under bisection"
        return Counterexample(repr(claim), text, certain=False)
    return None


# --- affine ------------------------------------------------------------------------------------
def affine(probe: Probe, claim: Property, number: float) -> Counterexample | None:
    """Attack with second differences; where the space is not convex, with the best affine fit."""
    if not convex(probe.on):
        return _fit(probe, claim)
    x, y, bend, noise = _second_differences(probe)
    order = np.argsort(-(bend - noise))
    strong = order[bend[order] > 4 * noise[order]]
    # The greatest may stand at an end where nothing is certain, so others are looked at too.
    tried = [*strong[:6], *strong[6 :: max(1, len(strong) // 6)][:6]]
    bent = next((i for i in tried if bends(probe, x[i], y[i])), None)
    if claim.holds and bent is not None:
        i = bent
        text = f"φ(x) - 2 φ((x + y)/2) + φ(y) is as large as {bend[i]:.6g}"
        return Counterexample(repr(claim), text, (x[i], y[i]))
    if not claim.holds and bent is None:
        text = f"{len(bend)} second differences are all rounding"
        return Counterexample(repr(claim), text, certain=False)
    return None


def _second_differences(probe: Probe) -> tuple[np.ndarray, ...]:
    pairs = probe.pairs
    rng = np.random.default_rng(probe.seed + 6)
    far = np.argsort(-pairs.apart)[: len(pairs) // 2]
    index = rng.choice(far, min(len(far), int(600 * probe.budget)), replace=False)
    near = rng.permutation(len(pairs))[: int(200 * probe.budget)]
    index = np.concatenate([index, near])
    x, y = pairs.x[index], pairs.y[index]
    middle = x / 2 + y / 2
    values = probe(middle)
    if values.shape[1] != pairs.fx.shape[1]:
        values = np.full(pairs.fx[index].shape, np.nan)
    with np.errstate(all="ignore"):
        bend = np.linalg.norm(pairs.fx[index] - 2 * values + pairs.fy[index], axis=1)
    size = np.maximum(_size(pairs.fx[index], pairs.fy[index]), _size(values, values))
    reach = rows(np.abs(np.concatenate([x, y], axis=1))).max(axis=1, initial=0.0)
    eps = np.finfo(np.float64).eps
    noise = 64 * eps * (size + pairs.ratio[index] * reach) + 1e-300
    good = np.isfinite(bend) & np.isfinite(noise)
    return x[good], y[good], bend[good], noise[good]


def bends(probe: Probe, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether φ at the middle of two points is certainly not the mean of its values there."""
    middle = x / 2 + y / 2
    values: list[Any] = [None]
    if mpmath is not None:
        with mpmath.workdps(60):
            exact = np.array(
                [(mpmath.mpf(a) + mpmath.mpf(b)) / 2 for a, b in zip(x.flat, y.flat, strict=True)],
                dtype=object,
            ).reshape(x.shape)
        values = [traced(probe.phi, p, 60)[0] for p in (x, y, exact)]
    if any(v is None for v in values):
        a, b, c = probe(np.stack([x, middle, y]))
        noise = wobble(probe, x) + 2 * wobble(probe, middle) + wobble(probe, y)
        return bool(np.abs(a - 2 * b + c).max() > noise)
    with mpmath.workdps(60):
        fx, fy, fm = (v.ravel() for v in values)
        bend = max((abs(a + c - 2 * b) for a, b, c in zip(fx, fm, fy, strict=True)), default=0)
        size = max((abs(v) for v in (*fx, *fy)), default=0)
        return bool(bend > size * mpmath.mpf("1e-40"))


def _fit(probe: Probe, claim: Property) -> Counterexample | None:
    points = np.unique(rows(probe.points), axis=0)
    values: Any = probe(np.ascontiguousarray(points.reshape(-1, *probe.on.shape)))
    if not np.isfinite(values).all():
        return None
    design = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    error = float(np.abs(values - fitted).max(initial=0.0))
    size = float(np.abs(values).max(initial=0.0))
    if claim.holds and error > 1e-6 * size:
        text = f"the best affine map on {len(points)} points errs by {error:.6g}"
        return Counterexample(repr(claim), text)
    if not claim.holds and error < 1e-12 * size:
        text = f"an affine map agrees on {len(points)} points"
        return Counterexample(repr(claim), text, certain=False)
    return None
