"""How finely a map is computed of which no formula is known: what may be rounding, and what not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from .pairs import rows
from .precise import traced

__all__ = ["Grain", "grain", "opaque"]

DOUBLE, SINGLE = 2.0**-52, 2.0**-23
# Precisions that a map may round its input to, coarsest first, with their spacing at 1.
ROUNDED = ((torch.bfloat16, 2.0**-7), (torch.float16, 2.0**-10), (torch.float32, SINGLE))
# Length of the pieces of lines on which noise is measured, as a part of the points' sizes.
PIECE = 2.0**-20


@final
@dataclass(frozen=True)
class Grain:
    """The precision that values show.

    Parameters
    ----------
    eps : float
        The spacing at 1 of the numbers that the map seems to compute with.
    floor : float
        The noise of values along short pieces of lines.
    scale : float
        The size of the values.
    """

    eps: float
    floor: float
    scale: float

    @property
    def noise(self) -> float:
        """A generous bound for the rounding of a value at an ordinary point."""
        return 16 * self.floor + (64 * self.eps * self.scale if self.eps > DOUBLE else 0.0)

    def spacing(self, size: float) -> float:
        """The distance of the numbers about a size."""
        return max(size * self.eps, 5e-324)


def opaque(probe: Any) -> bool:
    """Whether no formula of the map is known, so that all there is are floating-point values."""
    if "opaque" not in probe.memo:
        first = probe.points[:1]
        # The simplest point: a formula may only be refused for want of digits.
        probe.memo["opaque"] = all(
            traced(probe.phi, x, 30)[0] is None for x in (*first, *probe.special[:2])
        )
    return bool(probe.memo["opaque"])


def grain(probe: Any) -> Grain:
    """The precision of a map's values.

    A map that gives the same for numbers rounded to single precision, or gives nothing but numbers
    of single precision, computes with those, and so its steps of that size are rounding. Noise is
    what a parabola leaves of the values on pieces of lines, of which most have no kink or step.
    """
    if "grain" not in probe.memo:
        probe.memo["grain"] = _grain(probe)
    found: Grain = probe.memo["grain"]
    return found


def _grain(probe: Any) -> Grain:
    size = np.abs(rows(probe.points)).max(axis=1, initial=0.0)
    usual = (size > 1e-4) & (size < 1e4) & np.isfinite(probe.values).all(axis=1)
    points, values = probe.points[usual][:96], probe.values[usual][:96]
    if not len(points):
        return Grain(DOUBLE, 0.0, 0.0)
    scale = float(np.quantile(np.abs(values).max(axis=1, initial=0.0), 0.9))
    known = [v for v in (probe.values, *(v for _, v in probe.lines)) if np.isfinite(v).all()]
    distinct = np.unique(np.concatenate([v.ravel() for v in known])) if known else np.zeros(0)
    if _decimal(distinct):
        return Grain(DOUBLE, 0.0, scale)
    floor = _floor(probe, points[:32])
    eps = DOUBLE
    for dtype, spacing in ROUNDED:
        if _rounds_input(probe, points, values, dtype):
            eps = spacing
            break
    if _only_single(distinct) or floor > 2.0**10 * DOUBLE * scale:
        eps = max(eps, SINGLE)
    return Grain(eps, floor, scale)


def _decimal(values: np.ndarray) -> bool:
    """Whether all values are rounded to some number of decimal places, as no arithmetic does it."""
    for places in range(1, 10):
        scaled = values * 10.0**places
        if len(values) <= 32 or np.abs(scaled).max() > 1e13:
            return False
        if (np.abs(scaled - np.round(scaled)) <= 4 * np.spacing(np.abs(scaled))).all():
            return bool((values != np.round(values)).any())
    return False


def _only_single(values: np.ndarray) -> bool:
    """Whether all values are numbers of single precision, and not just a few whole ones."""
    with np.errstate(over="ignore"):
        return len(values) > 32 and bool((values.astype(np.float32) == values).all())


def _rounds_input(probe: Any, points: np.ndarray, values: np.ndarray, dtype: Any) -> bool:
    moved = torch.from_numpy(points).to(dtype).double().numpy()
    ok = probe.on.contains(moved) & (moved != points).reshape(len(points), -1).any(axis=1)
    if ok.sum() < 8 or not (probe(np.ascontiguousarray(moved[ok])) == values[ok]).all():
        return False
    # A coarse step function passes so far, but it does not tell the next numbers apart.
    last = torch.from_numpy(moved[ok]).to(dtype)
    unit = last.double().abs() * torch.finfo(dtype).eps
    inward = torch.from_numpy(np.where(moved[ok] > probe.special.mean(axis=0), -1.0, 1.0))
    after = (last.double() + 2 * inward * unit).to(dtype).double().numpy()
    # From an edge of the space inward a step function may well step.
    inner = ((moved[ok] > probe.low) & (moved[ok] < probe.high)).reshape(len(after), -1).all(axis=1)
    inside = probe.on.contains(after) & inner
    if inside.sum() < 4:
        return False
    told = (probe(np.ascontiguousarray(after[inside])) != values[ok][inside]).any(axis=1)
    return bool(told.mean() > 0.25)


def _floor(probe: Any, points: np.ndarray) -> float:
    rng = np.random.default_rng((probe.seed, 31))
    flat = rows(points)
    way = rng.standard_normal(flat.shape)
    way *= np.abs(flat).max(axis=1, keepdims=True) / np.abs(way).max(axis=1, keepdims=True)
    steps = np.linspace(-1, 1, 13)
    lines = flat[:, None] + PIECE * steps[:, None] * way[:, None]
    batch = np.ascontiguousarray(lines.reshape(-1, *probe.on.shape))
    ok = probe.on.contains(batch).reshape(len(flat), -1).all(axis=1)
    if not ok.any():
        return 0.0
    values = probe(batch)
    values = values.reshape(len(flat), len(steps), -1)[ok]
    values = values[np.isfinite(values).all(axis=(1, 2))]
    if not len(values):
        return 0.0
    design = steps[:, None] ** np.arange(5)
    left = np.eye(13) - design @ np.linalg.pinv(design)
    noise = np.abs(np.einsum("ij,njk->nik", left, values)).max(axis=(1, 2), initial=0.0)
    return float(np.median(noise))
