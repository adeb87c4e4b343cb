"""Norms and angles of rows, and the arc-cosine functions of angles, exact near 0."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
import scipy.sparse
import torch

from .dot import directions
from .geometry import NEAR, flat, paired_squares, square_distances, square_norms, widen

__all__ = ["Angles", "angle", "arc0", "arc1", "arc2", "from_rows", "of_self"]

# Squared norms h_x of shape (n, 1) and h_y of shape (m,) or both alike, and 1 - cos of the angles.
# Angles of rows that are 0 count as right ones: half of all random neurons fire there.
Angles = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def from_rows(x: Any, y: Any, bias: float) -> Angles:
    """Squared norms of (x, b) and (y, b), and 1 - cos of the angles between them, in float64.

    1 - cos is half the squared distance of the directions, which keeps small angles exact.

    Parameters
    ----------
    x, y : tensor or CSR array of shape (n, d) and (m, d)
    bias : float
        b.

    Returns
    -------
    tuple of Tensor of shape (n, 1), (m,) and (n, m)
    """
    a, b = (_extended(widen(flat(v)), bias) for v in (x, y))
    left, right = square_norms(a)[:, None], square_norms(b)
    u, v = directions(a), directions(b)
    gap = _snapped(0.5 * square_distances(u, v, rough=True), u, v)
    return left, right, torch.where((left > 0) & (right > 0), gap, 1.0)


def _snapped(gap: torch.Tensor, u: Any, v: Any) -> torch.Tensor:
    """1 - cos, exactly 0 and 2 where directions are like or opposite up to their rounding.

    The roots that follow would make 1e-8 of 1e-16, and 1e-4 a layer later.
    """
    with torch.no_grad():
        i, j = torch.nonzero(gap > 2.0 - NEAR, as_tuple=True)
        unit = torch.finfo(gap.dtype).eps
    if len(i):
        gap = gap.index_put((i, j), 2.0 - 0.5 * paired_squares(u, v, i, j, 1.0).to(gap))
    return torch.where(gap > (8.0 * unit) ** 2, gap, 0.0)


def of_self(x: Any, bias: float) -> Angles:
    """The same of each row with itself, all of shape (n,)."""
    norms = square_norms(widen(flat(x))) + bias**2
    return norms, norms, torch.where(norms > 0, torch.zeros_like(norms), 1.0)


def _extended(x: Any, bias: float) -> Any:
    if not bias:
        return x
    if scipy.sparse.issparse(x):
        return scipy.sparse.hstack([x, np.full((x.shape[0], 1), bias)], format="csr")
    return torch.cat((x, x.new_full((len(x), 1), bias)), dim=1)


def angle(gap: torch.Tensor) -> torch.Tensor:
    """θ in [0, π] from 1 - cos θ, with slope 0 at the ends, where it is infinite."""
    inside = (gap > 0) & (gap < 2)
    middle = 2.0 * torch.asin(torch.sqrt(torch.where(inside, gap, 1.0) / 2.0))
    return torch.where(inside, middle, (gap > 0).to(gap) * pi)


def arc0(gap: torch.Tensor) -> torch.Tensor:
    """1 - κ_0 = θ/π, where κ_0 is twice the chance that a random half-space holds both."""
    return angle(gap) / pi


def arc1(gap: torch.Tensor) -> torch.Tensor:
    """1 - κ_1 with κ_1 = (sin θ + (π - θ) cos θ) / π."""
    theta = angle(gap)
    return gap - (torch.sin(theta) - theta * (1.0 - gap)) / pi


def arc2(gap: torch.Tensor) -> torch.Tensor:
    """3 - κ_2 with κ_2 = (3 sin θ cos θ + (π - θ) (1 + 2 cos² θ)) / π."""
    theta = angle(gap)
    sine, square = torch.sin(theta), gap * (2.0 - gap)
    return 2.0 * square + (3.0 * (theta - sine * (1.0 - gap)) - 2.0 * theta * square) / pi
