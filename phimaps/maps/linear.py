"""What certified singular values, exact ranks and the shape say of x ↦ x W."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

import numpy as np

from .. import property as prop
from ..interval import column_rank, scaled, singular_values
from ..map import Fact
from ..proof import Reason, Strength
from ..property import DenseImage, Injective, Lipschitz, LowerLipschitz
from ..spaces import Space
from ..witness import Collision

__all__ = ["linear_facts"]


def linear_facts(
    weight: np.ndarray, on: Space, what: str = "the matrix", memo: dict[Any, Any] | None = None
) -> Iterator[Fact]:
    """What is known of x ↦ x W from certified singular values, exact ranks and the shape.

    Parameters
    ----------
    weight : ndarray of shape (d_in, d_out)
    on : Space
        Of points with d_in coordinates.
    what : str
        The matrix, in words.
    memo : dict, optional
        Where the singular values are remembered under ``"singular"``.

    Yields
    ------
    (Property, Reason)
    """
    n, m = weight.shape
    known: dict[Any, Any] = {} if memo is None else memo

    def bounds() -> tuple[np.ndarray, np.ndarray]:
        if "singular" not in known:
            known["singular"] = singular_values(weight)
        return known["singular"]

    certified = Strength.COMPUTED
    yield prop.Affine, Reason("x W + b with given W and b", Strength.DEFINITION)
    top = Reason(f"the greatest singular value of {what}, certified", certified)
    yield Lipschitz(lambda: float(bounds()[1].max(initial=0.0))), top
    least = Reason(f"the least singular value of {what}, certified", certified)
    if m >= n:
        yield LowerLipschitz(lambda: float(bounds()[0].min(initial=inf))), least
    if on.interior:
        yield (~Lipschitz)(lambda: float(bounds()[0].max(initial=0.0))), top
        if m >= n:
            yield (~LowerLipschitz)(lambda: float(bounds()[1].min(initial=inf))), least
        yield from _rank_facts(weight, on, bounds)
    yield from _narrow(weight, bounds)


def _narrow(weight: np.ndarray, bounds: Any) -> Iterator[Fact]:
    n, m = weight.shape
    if m > n:
        text, strength = f"an affine image of R^{n} has at most {n} dimensions", Strength.THEOREM
    elif bounds()[0].min(initial=inf) > 0 or (rank := column_rank(weight)) in (None, m):
        return
    else:
        text = f"the rank of the matrix is {rank} < {m}, by exact elimination"
        strength = Strength.COMPUTED
    yield ~DenseImage, Reason(text, strength)


def _rank_facts(weight: np.ndarray, on: Space, bounds: Any) -> Iterator[Fact]:
    n, m = weight.shape
    if m >= n:
        if bounds()[0].min(initial=inf) > 0:
            return
        rank = column_rank(weight)
        if rank is None or rank == n:
            return
        text = f"the rank of the matrix is {rank} < {n}, by exact elimination"
    else:
        text = f"a matrix from R^{n} to R^{m} has a kernel"
    strength = Strength.COMPUTED if m >= n else Strength.THEOREM
    yield ~Injective, Reason(text, strength, witness=_kernel_pair(weight, on, text))


def _kernel_pair(weight: np.ndarray, on: Space, text: str) -> Collision | None:
    """Two points of the space that differ by an approximate kernel vector."""
    box = on.inner_box()
    if box is None:
        return None
    zero_rows = np.flatnonzero(~weight.any(axis=1))
    kernel = np.eye(len(weight))[zero_rows[0]] if zero_rows.size else _kernel_vector(weight)
    centre = box.centre.ravel()
    room = np.minimum(centre - box.low.ravel(), box.high.ravel() - centre)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = float(np.min(np.where(kernel == 0, inf, np.minimum(room, 1e6) / np.abs(kernel))))
    step = kernel * min(reach, 1.0) * 0.99
    x, y = (centre - step).reshape(box.shape), (centre + step).reshape(box.shape)
    if (x == y).all():
        # Far out a step of this size is lost to rounding.
        return None
    return Collision(x, y, text, exact=bool(zero_rows.size))


def _kernel_vector(weight: np.ndarray) -> np.ndarray:
    """A unit vector v with v W near 0."""
    weight, (n, m) = scaled(weight)[0], weight.shape
    if m >= n:
        return np.linalg.svd(weight, full_matrices=False)[0][:, -1]
    # What a generic vector leaves outside the column space; twice, to lose no digits.
    basis = np.linalg.qr(weight)[0]
    vector = np.random.default_rng(0).standard_normal((n, 1))
    for _ in range(2):
        vector = vector - basis @ (basis.T @ vector)
    return (vector / np.linalg.norm(vector)).ravel()
