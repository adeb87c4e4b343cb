"""Points that a map takes to given ones: found numerically, and shown to be near to true ones."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np
import torch

from ..decide import decide
from ..interval import EPS, root_sum_squares
from ..maps.affine import Affine
from ..proof import Strength
from ..property import LowerLipschitz
from ..spaces import Space
from .exhibited import enclosure

__all__ = ["Preimages", "preimages"]

# Points among which the nearest is taken to start from, steps from there, halvings of a step.
STARTS, STEPS, HALVINGS = 512, 40, 12
# Preimages that are known no better than to this part of their size are none.
NEAR = 1e-9
# More features than this are not solved for.
WIDEST = 64


@final
@dataclass(frozen=True, eq=False)
class Preimages:
    """Points near to such that a map takes to given ones.

    Parameters
    ----------
    points : ndarray of shape (n, *point)
        Points of the space.
    radius : float
        Within this distance of each lies a point that is taken to the given one; 0 for the points
        themselves.
    """

    points: np.ndarray
    radius: float


def preimages(phi: Any, on: Space, targets: np.ndarray) -> Preimages | None:
    """Points of a space that φ takes to the given ones, where it certainly takes some to each.

    A point x is found by Newton's method. Where |φ(x) - φ(y)| >= l |x - y|, the true one y with
    φ(y) = z is no farther from x than |φ(x) - z| / l, in which φ(x) is enclosed by interval
    arithmetic, or known as a rational number for an affine map.

    Parameters
    ----------
    phi : FeatureMap
        Closed.
    on : Space
        Of Euclidean distances.
    targets : ndarray of shape (n, *features)
        Points of φ(K).

    Returns
    -------
    Preimages or None
        None where no lower constant is known, or the method does not arrive.

    Examples
    --------
    >>> import phimaps as pm
    >>> found = preimages(pm.Power(3), pm.Box([0.5], [2.0]), np.array([[1.0], [8.0]]))
    >>> found.points.ravel(), found.radius < 1e-13
    (array([1., 2.]), True)
    """
    wanted = np.asarray(targets, dtype=np.float64).reshape(len(targets), -1)
    if not on.euclidean or not phi.closed or max(wanted.shape[1], on.size) > WIDEST:
        return None
    lower = decide(phi, LowerLipschitz, on=on)
    if lower.holds is not True or min(p.strength for p in lower.proofs) <= Strength.NUMERICAL:
        # Of what is assumed, or measured, no point would be certain.
        return None
    assert lower.value is not None
    least = lower.value[0]
    points = _solved(phi, on, wanted)
    if points is None or not bool(on.surely_contains(points).all()):
        return None
    off = [_off(phi, x, z) for x, z in zip(points, wanted, strict=True)]
    known = [d for d in off if d is not None]
    if len(known) < len(points):
        return None
    radius = float(np.nextafter(max(known) / least, np.inf)) if max(known) else 0.0
    return Preimages(points, radius) if radius <= NEAR * np.abs(points).max() else None


def _off(phi: Any, x: np.ndarray, z: np.ndarray) -> float | None:
    """A bound of |φ(x) - z|; None where nothing bounds φ(x)."""
    if isinstance(phi, Affine) and _sends(phi, x, z):
        return 0.0
    bounds = enclosure(phi, x)
    if bounds is None:
        return None
    low, high = bounds
    off = np.maximum(np.abs(low - z), np.abs(high - z))
    # A difference of two numbers near each other is exact, any other is rounded by half a unit.
    return root_sum_squares((off * (1 + EPS)).tolist(), up=True) if off.any() else 0.0


def _sends(phi: Affine, x: np.ndarray, z: np.ndarray) -> bool:
    """Whether xW + b = z as rational numbers."""
    weight, bias = phi.array("weight"), phi.array("bias")
    row = [Fraction(float(v)) for v in x.ravel()]
    if weight.shape != (len(row), len(z)):
        return False
    offset = np.broadcast_to(bias, (len(z),))
    return all(
        sum((a * Fraction(float(w)) for a, w in zip(row, column, strict=True)), Fraction(float(b)))
        == Fraction(float(c))
        for column, b, c in zip(weight.T, offset, z, strict=True)
    )


def _solved(phi: Any, on: Space, wanted: np.ndarray) -> np.ndarray | None:
    """Points of the space whose values are near to those wanted, by damped Newton steps."""
    starts = on.sample(STARTS, 0)
    with torch.no_grad():
        values = phi.forward(torch.from_numpy(np.ascontiguousarray(starts))).flatten(1).numpy()
    if values.shape[1] != wanted.shape[1] or not np.isfinite(values).all():
        return None
    far = np.linalg.norm(values[None] - wanted[:, None], axis=2)
    x = starts[far.argmin(axis=1)]
    left = far.min(axis=1)
    for _ in range(STEPS):
        both = _derivatives(phi, x)
        if both is None:
            return None
        value, slopes = both
        step = (np.linalg.pinv(slopes) @ (value - wanted)[:, :, None])[:, :, 0].reshape(x.shape)
        size = np.ones(len(x))
        better = np.zeros(len(x), dtype=bool)
        for _ in range(HALVINGS):
            moved = on.nearest(x - size.reshape(-1, *[1] * (x.ndim - 1)) * step)
            with torch.no_grad():
                now = phi.forward(torch.from_numpy(np.ascontiguousarray(moved))).flatten(1).numpy()
            off = np.linalg.norm(now - wanted, axis=1)
            fresh = ~better & (off < left)
            x = np.where(fresh.reshape(-1, *[1] * (x.ndim - 1)), moved, x)
            left = np.where(fresh, off, left)
            better |= fresh
            size = np.where(better, size, size / 2)
        if not better.any():
            break
    return np.ascontiguousarray(x)


def _derivatives(phi: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """φ(x) and its Jacobian at each point; None where torch does not follow it."""
    points = torch.from_numpy(np.ascontiguousarray(x)).requires_grad_()
    with torch.enable_grad():
        value = phi.forward(points).flatten(1)
        if not value.requires_grad:
            return None
        rows = [
            torch.autograd.grad(column.sum(), points, retain_graph=True, allow_unused=True)[0]
            for column in value.unbind(1)
        ]
    zero = torch.zeros_like(points)
    slopes = torch.stack([(zero if r is None else r).flatten(1) for r in rows], dim=1).numpy()
    found = value.detach().numpy()
    return (found, slopes) if np.isfinite(slopes).all() and np.isfinite(found).all() else None
