"""Attacks on homogeneity and invariance, and on their contraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..errors import PhimapsError
from ..property import Property
from .evidence import Counterexample, wobble
from .precise import mpmath, traced
from .probe import Probe

__all__ = ["FACTORS", "homogeneous", "invariant", "off_by_factor", "off_by_motion"]

FACTORS = (2.0, 0.5, 1.5, 4.0, 0.125, 3.0, 2.0**-20, 1024.0, 0.9)
DIGITS = 60


def homogeneous(probe: Probe, claim: Property, number: float) -> Counterexample | None:
    """Attack φ(tx) = t^p φ(x) with points and multiples of them, or with finding all equal."""
    p = float(claim.about)
    x = probe.points
    pairs = []
    for t in FACTORS:
        y = x * t
        ok = probe.on.contains(y) & (y / t == x).reshape(len(x), -1).all(axis=1)
        pairs.append((x[ok], y[ok], np.full(int(ok.sum()), t)))
    one, two, factor = (np.concatenate([q[k] for q in pairs]) for k in range(3))
    if not len(one):
        return None
    with np.errstate(all="ignore"):
        power = factor[:, None] ** p
        wanted = probe(one) * power
        off = np.linalg.norm(probe(two) - wanted, axis=1)
        size = np.linalg.norm(wanted, axis=1) + np.linalg.norm(probe(two), axis=1)
    if not claim.holds and _clear(off, size):
        return None
    for i in _worst(off, size):
        gap = off_by_factor(probe, one[i], two[i], float(factor[i]), p)
        if gap is not None:
            if not claim.holds:
                return None
            text = f"φ({factor[i]:g} x) is off {factor[i]:g}^{p:g} φ(x) by {gap:.6g}"
            return Counterexample(repr(claim), text, (one[i],))
    if claim.holds:
        return None
    text = f"{len(one)} multiples of points agree"
    return Counterexample(repr(claim), text, certain=False)


def _worst(off: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Indices of the greatest differences, absolute and relative; none that are surely rounding."""
    off = np.where(np.isfinite(off) & np.isfinite(size), off, -1.0)
    with np.errstate(all="ignore"):
        relative = np.where(off > 0, off / np.maximum(size, 1e-300), -1.0)
    order = np.concatenate([np.argsort(-relative)[:5], np.argsort(-off)[:3]])
    return np.array([i for i in dict.fromkeys(order.tolist()) if off[i] > 0], dtype=int)


def _clear(off: np.ndarray, size: np.ndarray) -> bool:
    """Whether differences stand out that rounding would hardly make."""
    good = np.isfinite(off) & np.isfinite(size)
    return bool((off[good] > 1e-6 * size[good]).any())


def off_by_factor(
    probe: Probe, x: np.ndarray, y: np.ndarray, factor: float, p: float
) -> float | None:
    """|φ(y) - t^p φ(x)| where it is certainly not 0 for y = tx, else None."""
    if mpmath is not None:
        with mpmath.workdps(DIGITS):
            t = mpmath.mpf(factor)
            exact = np.array([mpmath.mpf(float(v)) * t for v in x.flat], dtype=object)
            exact = exact.reshape(x.shape)
        fx, size_x = traced(probe.phi, x, DIGITS)
        fy, size_y = traced(probe.phi, exact, DIGITS)
        if fx is not None and fy is not None:
            with mpmath.workdps(DIGITS):
                scale = t ** (int(p) if p.is_integer() else mpmath.mpf(p))
                return _beyond(fy - fx * scale, max(size_x * max(1.0, float(scale)), size_y))
    # The wobble covers the rounding of tx.
    with np.errstate(all="ignore"):
        scale = factor**p
        gap = float(np.abs(probe(y[None]) - probe(x[None]) * scale).max(initial=0.0))
    return gap if gap > 4 * (wobble(probe, y) + scale * wobble(probe, x)) else None


def _beyond(difference: np.ndarray, size: float) -> float | None:
    """The greatest entry, if rounding of so many digits does not explain it."""
    worst = max((abs(v) for v in difference.flat), default=mpmath.mpf(0))
    return float(worst) if worst > mpmath.mpf(max(size, 1e-300)) * mpmath.mpf("1e-48") else None


# --- invariance ----------------------------------------------------------------------------------
def invariant(probe: Probe, claim: Property, number: float) -> Counterexample | None:
    """Attack φ(Tx) = φ(x) with points x, T applied exactly, or with finding all equal."""
    motions = claim.about if isinstance(claim.about, tuple | list) else (claim.about,)
    compared = 0
    for motion in motions:
        found, tried = _moved(probe, motion, claim.holds)
        compared += tried
        if found is not None:
            if not claim.holds:
                return None
            x, gap = found
            return Counterexample(repr(claim), f"|φ(Tx) - φ(x)| = {gap:.6g}", (x,))
    if claim.holds or not compared:
        return None
    return Counterexample(repr(claim), f"{compared} moved points agree", certain=False)


def _moved(
    probe: Probe, motion: Any, certainly: bool
) -> tuple[tuple[np.ndarray, float] | None, int]:
    """A point that the motion changes the value of, and how many were compared."""
    x = np.concatenate([probe.points, *[line for line, _ in probe.lines[:4]]])
    try:
        with torch.no_grad():
            y = np.ascontiguousarray(motion.forward(torch.from_numpy(x)).numpy())
    except (PhimapsError, RuntimeError):
        return None, 0
    if y.shape != x.shape:
        return None, 0
    ok = probe.on.contains(y)
    x, y = x[ok], y[ok]
    if not len(x):
        return None, 0
    fx, fy = probe(x), probe(y)
    if fx.shape != fy.shape:
        return None, 0
    with np.errstate(all="ignore"):
        off = np.linalg.norm(fx - fy, axis=1)
        size = np.linalg.norm(fx, axis=1) + np.linalg.norm(fy, axis=1)
    if not certainly and _clear(off, size):
        i = int(np.nan_to_num(off, nan=-1.0, posinf=-1.0).argmax())
        return (x[i], float(off[i])), len(x)
    for i in _worst(off, size):
        gap = off_by_motion(probe, motion, x[i])
        if gap is not None:
            return (x[i], gap), len(x)
    return None, len(x)


def off_by_motion(probe: Probe, motion: Any, x: np.ndarray) -> float | None:
    """|φ(Tx) - φ(x)| where it certainly is not 0."""
    try:
        with torch.no_grad():
            y = motion.forward(torch.from_numpy(np.ascontiguousarray(x[None]))).numpy()[0]
    except (PhimapsError, RuntimeError):
        return None
    if y.shape != x.shape or not probe.on.contains(y[None])[0]:
        return None
    off = float(np.linalg.norm(np.subtract(*probe(np.stack([x, y])))))
    exact, _ = traced(motion, x, DIGITS)
    if exact is not None and exact.shape == x.shape:
        with mpmath.workdps(DIGITS):
            rounded = any(a != float(b) for a, b in zip(exact.flat, y.flat, strict=True))
        # Where Tx is rounded, it need not lie in the space itself.
        if not rounded or _well_inside(probe, y):
            fx, size_x = traced(probe.phi, x, DIGITS)
            fy, size_y = traced(probe.phi, exact, DIGITS)
            if fx is not None and fy is not None:
                with mpmath.workdps(DIGITS):
                    return _beyond(fy - fx, max(size_x, size_y))
    noise = wobble(probe, x) + wobble(probe, y)
    return float(off) if off > 8 * noise * np.sqrt(max(probe.values.shape[1], 1)) else None


def _well_inside(probe: Probe, y: np.ndarray) -> bool:
    room = 8 * np.spacing(np.abs(y).max()) * np.eye(y.size).reshape(-1, *y.shape)
    return bool(probe.on.contains(np.concatenate([y + room, y - room])).all())
