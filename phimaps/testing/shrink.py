"""Counterexamples made simple: zeros, round numbers, as long as they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ..errors import DomainError
from ..property import Property
from .collide import merged_exactly, solved_nearby
from .evidence import Counterexample, norm_bounds, ratio_bounds, undefined
from .grain import opaque
from .merging import confirmed
from .probe import Probe
from .symmetry import FACTORS, off_by_factor, off_by_motion
from .topology import bends, torn_at

__all__ = ["shrink", "stands"]

# How often a counterexample is checked again while it is simplified.
TRIES = 96
Points = tuple[np.ndarray, ...]


def shrink(
    found: Counterexample, probe: Probe, claim: Property, tries: int = TRIES
) -> Counterexample:
    """The counterexample with simpler points: zeros, few digits, coordinates that agree.

    Each change is kept only if the points still lie in the space and the claim still fails there,
    with the same care for rounding.

    Parameters
    ----------
    found : Counterexample
    probe : Probe
    claim : Property
    tries : int, default 96
        How many changes are tried.

    Returns
    -------
    Counterexample
        The one that was given where it is not certain, or has no points.

    Examples
    --------
    >>> import phimaps as pm
    >>> from phimaps.testing import falsify
    >>> falsify(pm.Relu(), pm.Lipschitz(0.5), on=pm.Box([-9.0, -9.0], [9.0, 9.0])).points
    (array([0., 0.]), array([0., 1.]))
    """
    if not found.certain or not found.points or stands(probe, claim, found.points) is None:
        return found
    best, left = found, tries
    improved = True
    while improved and left > 0:
        improved = False
        for points in _simpler(best.points):
            if left <= 0:
                break
            if _weight(points) >= _weight(best.points) or not _inside(probe, points):
                continue
            left -= 1
            text = stands(probe, claim, points)
            if text is not None:
                best, improved = replace(best, text=text, points=points), True
                break
    return best


def stands(probe: Probe, claim: Property, points: Points) -> str | None:
    """What contradicts a claim at these points, or None where nothing certainly does.

    Parameters
    ----------
    probe : Probe
    claim : Property
    points : tuple of ndarray of shape (*point)
    """
    if not claim.holds or not points:
        return None
    with np.errstate(all="ignore"):
        values = probe(np.stack(points))
    if not np.isfinite(values).all():
        bad = next(p for p, v in zip(points, values, strict=True) if not np.isfinite(v).all())
        try:
            lost = len(points) == 1 and undefined(probe, bad)
        except DomainError:
            return "φ is not defined there"
        return "φ has no finite value there" if lost else None
    rule = RULES.get(claim.name)
    try:
        return None if rule is None else rule(probe, claim, points)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


# --- what stands -------------------------------------------------------------------------------
def _ratio(probe: Probe, claim: Property, points: Points) -> str | None:
    if len(points) != 2 or claim.bound is None or np.array_equal(*points):
        return None
    low, high = ratio_bounds(probe, *points)
    number = claim.number
    above = claim.quantity == "least"
    if not (low > number if above else high < number):
        return None
    apart = "|x - y|" if probe.on.euclidean else "d(x, y)"
    ratio = float(low if above else high)
    return f"|φ(x) - φ(y)| / {apart} = {ratio!r}, and the bound is {number!r}"


def _bounded(probe: Probe, claim: Property, points: Points) -> str | None:
    low, _ = norm_bounds(probe, points[0])
    if claim.bound is None or not low > claim.number:
        return None
    return f"|φ(x)| = {float(low)!r}, and the bound is {claim.number!r}"


def _merged(probe: Probe, claim: Property, points: Points) -> str | None:
    if len(points) != 2 or np.array_equal(*points):
        return None
    why = merged_exactly(probe, *points)
    if why is None and opaque(probe):
        why = confirmed(probe, *points)
    if why is None:
        why = solved_nearby(probe, *points)
    return None if why is None else f"φ(x) = φ(y): {why}"


def _jump(probe: Probe, claim: Property, points: Points) -> str | None:
    if len(points) != 2 or np.array_equal(*points):
        return None
    a, b = points
    middle = a / 2 + b / 2
    if not (np.array_equal(middle, a) or np.array_equal(middle, b)):
        return None
    values = probe(np.stack([a, b]))
    gap = float(np.linalg.norm(values[0] - values[1]))
    return f"φ jumps by {gap:.6g} between neighbours" if torn_at(probe, a, b, gap) else None


def _embedding(probe: Probe, claim: Property, points: Points) -> str | None:
    return _merged(probe, claim, points) or _jump(probe, claim, points)


def _affine(probe: Probe, claim: Property, points: Points) -> str | None:
    if len(points) != 2 or not bends(probe, *points):
        return None
    x, y = points
    one, middle, two = probe(np.stack([x, x / 2 + y / 2, y]))
    bend = float(np.linalg.norm(one - 2 * middle + two))
    return f"φ(x) - 2 φ((x + y)/2) + φ(y) is as large as {bend:.6g}"


def _homogeneous(probe: Probe, claim: Property, points: Points) -> str | None:
    x, p = points[0], float(claim.about)
    for t in FACTORS:
        y = x * t
        if not probe.on.contains(y[None])[0] or not (y / t == x).all():
            continue
        gap = off_by_factor(probe, x, y, t, p)
        if gap is not None:
            return f"φ({t:g} x) is off {t:g}^{p:g} φ(x) by {gap:.6g}"
    return None


def _invariant(probe: Probe, claim: Property, points: Points) -> str | None:
    motions = claim.about if isinstance(claim.about, tuple | list) else (claim.about,)
    for motion in motions:
        gap = off_by_motion(probe, motion, points[0])
        if gap is not None:
            return f"|φ(Tx) - φ(x)| = {gap:.6g}"
    return None


RULES: dict[str, Callable[[Probe, Property, Points], str | None]] = {
    "Affine": _affine,
    "Bounded": _bounded,
    "Continuous": _jump,
    "Homeomorphism": _embedding,
    "Injective": _merged,
    "Invariant": _invariant,
    "Lipschitz": _ratio,
    "LowerLipschitz": _ratio,
    "PositivelyHomogeneous": _homogeneous,
    "UAPInvariant": _embedding,
}


# --- simpler points ----------------------------------------------------------------------------
def _inside(probe: Probe, points: Points) -> bool:
    return bool(probe.on.contains(np.stack(points)).all())


def _weight(points: Points) -> tuple[int, float]:
    """How long it takes to write the points down, and how great they are."""
    flat = np.concatenate([p.ravel() for p in points]).tolist()
    written = sum(len(f"{v:.17g}".rstrip("0").rstrip(".").lstrip("-")) if v else 0 for v in flat)
    signs = sum(v < 0 for v in flat)
    return written + signs, float(np.abs(flat).sum())


def _simpler(points: Points) -> Iterator[Points]:
    """Simpler points, the boldest changes first; blocks of coordinates, then single ones."""
    shape, n = points[0].shape, points[0].size
    flat = np.stack([p.ravel() for p in points])

    def split(changed: np.ndarray) -> Points:
        return tuple(np.ascontiguousarray(row.reshape(shape)) for row in changed)

    yield split(np.zeros_like(flat))
    blocks = [slice(0, n)]
    size = n
    while size > 1 and len(blocks) < 24:
        size = (size + 1) // 2
        blocks += [slice(i, i + size) for i in range(0, n, size)]
    alike = np.ptp(flat, axis=0) <= 1e-12 * np.abs(flat).max(axis=0)
    for block in blocks:
        for change in (_zeroed, _rounded, _short, _unit, _two, _three):
            for rows in [slice(None), *range(len(flat))] if len(flat) > 1 else [slice(None)]:
                changed = flat.copy()
                changed[rows, block] = change(flat[rows, block])
                if not np.array_equal(changed, flat):
                    yield split(changed)
        if len(flat) == 2:
            for here, there in ((0, 1), (1, 0)):
                changed = flat.copy()
                changed[here, block] = flat[there, block]
                if not np.array_equal(changed, flat):
                    yield split(changed)
        # Coordinates in which the points agree are changed in both at once, the others left.
        same = np.zeros(n, dtype=bool)
        same[block] = alike[block]
        if len(flat) == 2 and same.any() and not alike.all():
            for change in (_zeroed, _rounded, _short):
                changed = flat.copy()
                changed[:, same] = change(flat[:1, same])
                if not np.array_equal(changed, flat):
                    yield split(changed)


def _zeroed(x: np.ndarray) -> np.ndarray:
    return np.zeros_like(x)


def _rounded(x: np.ndarray) -> np.ndarray:
    return np.round(x) + 0.0


def _unit(x: np.ndarray) -> np.ndarray:
    return np.sign(x)


def _short(x: np.ndarray) -> np.ndarray:
    return np.round(x, 1) + 0.0


def _two(x: np.ndarray) -> np.ndarray:
    return np.array([float(f"{v:.2g}") for v in x.ravel()]).reshape(x.shape)


def _three(x: np.ndarray) -> np.ndarray:
    return np.array([float(f"{v:.3g}") for v in x.ravel()]).reshape(x.shape)
