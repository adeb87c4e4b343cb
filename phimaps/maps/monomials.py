"""Which points monomials keep apart when the coordinates themselves are not among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..interval import EPS
from ..map import Fact
from ..property import Injective, LowerLipschitz
from ..spaces import Boxlike, Space
from ..witness import Collision

__all__ = ["separation"]


def separation(phi: Any, on: Space) -> Iterator[Fact]:
    """What is known of the monomials of degrees m, ..., M with m >= 2, on a space of vectors.

    Parameters
    ----------
    phi : Polynomial
        Its `degrees` and whether it has interactions only are looked at.
    on : Space

    Yields
    ------
    (Property, Reason)
    """
    low, high = (np.asarray(b).ravel() for b in on.bounds())
    degrees, d = phi.degrees(on.size), on.size
    if phi.interaction_only:
        if all(a > 0 or b < 0 for a, b in zip(low, high, strict=True)) and degrees.start < d:
            text = (
                "products that differ in one factor give x_i / x_j, and no sign changes, so they "
                "give x"
            )
            yield Injective, text
    else:
        yield from _powers(degrees, low, high)
    if (pair := _mirrored(phi, on) or _sparse_pair(phi, on)) is not None:
        yield ~Injective, pair


def _powers(degrees: range, low: np.ndarray, high: np.ndarray) -> Iterator[Fact]:
    odd = [k for k in degrees if k % 2]
    off = (low >= 0) | (high <= 0)
    if odd:
        yield Injective, f"x_i^{odd[0]} is among the coordinates, and {odd[0]} is odd"
    elif not (((low <= 0) & (high >= 0)).all() and ((low < 0) & (high > 0)).any()):
        # x_i^k = y_i^k and x_i x_j^(k-1) = y_i y_j^(k-1) give y = x or y = -x.
        yield Injective, "only x and -x have one value, and the space has no two opposite points"
    near = np.where(off, np.minimum(np.abs(low), np.abs(high)), 0.0)
    if (near > 0).all():
        least = float(near.min())
        slopes = [k * least ** (k - 1) for k in degrees if k - 1 < 300]
        bottom = max(slopes, default=0.0) * (1 - 16 * (degrees.stop + 1) * EPS)
        if 0 < bottom < np.inf:
            yield LowerLipschitz(bottom), "x_i^k is among the coordinates, of at least that slope"


def _mirrored(phi: Any, on: Space) -> Collision | None:
    """x and -x, where all degrees are even."""
    degrees = phi.degrees(on.size)
    if any(k % 2 for k in degrees):
        return None
    candidates = []
    box = on.inner_box()
    if box is not None:
        reach = np.minimum(box.high, -box.low)
        candidates.append(np.where(np.isinf(reach), 1.0, reach))
    chords = on.chords() if box is not None or isinstance(on, Boxlike) else None
    if chords is not None:
        reach = np.minimum(chords[1], -chords[0])
        reach = np.where(np.isinf(reach), 1.0, reach).ravel()
        for i in np.flatnonzero(reach > 0)[:8]:
            candidates.append((np.eye(on.size)[i] * reach[i]).reshape(on.shape))
    for x in candidates:
        for share in (0.875, 0.5):
            point = x * share
            if point.any() and on.contains(np.stack([point, -point])).all():
                return Collision(point, -point, "every monomial has an even degree")
    return None


def _sparse_pair(phi: Any, on: Space) -> Collision | None:
    """Two points with fewer than m coordinates other than 0, where only interactions are seen."""
    box, d = on if isinstance(on, Boxlike) else on.inner_box(), on.size
    if not phi.interaction_only or box is None:
        return None
    low, high = box.bounds()
    zeros = [i for i in range(d) if low[i] <= 0 <= high[i]]
    needed = d - phi.degrees(d).start + 1
    for moved in range(d):
        kept = [i for i in zeros if i != moved][:needed]
        if len(kept) < needed or not low[moved] < high[moved]:
            continue
        base = np.where(np.isinf(low), np.minimum(high, 0.0), low)
        base[kept] = 0.0
        other = base.copy()
        other[moved] = high[moved] if np.isfinite(high[moved]) else base[moved] + 1.0
        if base[moved] != other[moved] and on.contains(np.stack([base, other])).all():
            text = f"all products of {d - needed + 1} coordinates are 0"
            return Collision(base, other, text)
    return None
