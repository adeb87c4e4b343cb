"""Inner products and squared distances of rows, dense or sparse, without losing their digits."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
import scipy.sparse
import torch

__all__ = [
    "NEAR",
    "city_distances",
    "flat",
    "like",
    "paired_squares",
    "products",
    "square_distances",
    "square_norms",
    "widen",
]

# In units of the length scale: squared norms up to this keep float32 products accurate enough.
NARROW = 16.0
# Pairs nearer than this, relative to their squared norms, are measured by their differences.
NEAR = 1e-6
# Beyond this squared norm, those that are no further apart than the other are measured so too, in
# all kernels; pairs that are have values that round to 0.
WIDE, CLOSE = 2.0**20, 100.0
# From this many coordinates on, l1 distances are added up by coordinates in float64 too, on pieces
# of so many numbers.
MANY, CACHED = 512, 2**18
# Differences are formed in pieces of this many numbers.
PIECE = 2**20


def flat(x: Any) -> Any:
    """Items as rows."""
    return x if scipy.sparse.issparse(x) or x.ndim == 2 else x.flatten(1)


def widen(x: Any) -> Any:
    """The rows in float64."""
    return x.astype(np.float64, copy=False) if scipy.sparse.issparse(x) else x.double()


def like(value: Any, x: torch.Tensor) -> torch.Tensor:
    """A number or array as a tensor of the dtype and on the device of x."""
    return torch.as_tensor(value, dtype=x.dtype, device=x.device)


def products(x: Any, y: Any) -> torch.Tensor:
    """x_i · y_j of shape (n, m), dense."""
    if not scipy.sparse.issparse(x) and not scipy.sparse.issparse(y):
        return x @ y.T
    if scipy.sparse.issparse(x) and scipy.sparse.issparse(y):
        return torch.from_numpy((x @ y.T).toarray())
    if scipy.sparse.issparse(x):
        return torch.from_numpy(np.asarray(x @ _array(y).T)).to(y.device)
    return torch.from_numpy(np.ascontiguousarray((y @ _array(x).T).T)).to(x.device)


def square_norms(x: Any) -> torch.Tensor:
    """|x_i|² of shape (n,)."""
    if scipy.sparse.issparse(x):
        return torch.from_numpy(np.asarray(x.multiply(x).sum(axis=1)).ravel())
    return x.square().sum(1)


def city_distances(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Σ_j |x_ij - y_kj| of shape (n, m).

    Coordinate by coordinate where that is faster than torch's loop over pairs, which takes as long
    in float32 as in float64.
    """
    traced = torch.is_grad_enabled() and (x.requires_grad or y.requires_grad)
    if traced or (x.dtype == torch.float64 and x.shape[1] < MANY):
        return torch.cdist(x, y, p=1.0)
    total, columns = x.new_zeros((len(x), len(y))), y.T.contiguous()
    step = max(1, CACHED // len(y))
    work = torch.empty_like(total[:step])
    for start in range(0, len(x), step):
        rows, piece = x[start : start + step], total[start : start + step]
        rest = work[: len(rows)]
        for j in range(x.shape[1]):
            piece.add_(torch.sub(rows[:, j : j + 1], columns[j], out=rest).abs_())
    return total


def square_distances(x: Any, y: Any, length: Any = 1.0, rough: bool = False) -> torch.Tensor:
    """Σ_j ((x_ij - y_kj) / length_j)² of shape (n, m), never negative.

    A common point is subtracted first, as the distances do not see it but the rounding does.

    Parameters
    ----------
    x, y : tensor or CSR array of shape (n, d) and (m, d)
    length : float or tensor or ndarray of shape (d,)
    rough : bool
        Whether what is computed from the distances has no slope bound in their squares: then near
        pairs are measured by their differences, and are exact to a relative rounding error.

    Returns
    -------
    Tensor
    """
    if scipy.sparse.issparse(x) or scipy.sparse.issparse(y):
        return _sparse(x, y, length, rough)
    a, b = _scaled(x, y, length)
    aa, bb = square_norms(a), square_norms(b)
    with torch.no_grad():
        wide = max(float(aa.max()), float(bb.max()))
    if x.dtype == torch.float32 and (rough or not wide <= NARROW):
        return square_distances(x.double(), y.double(), length, rough).to(x.dtype)
    if not isfinite(wide):
        # Squares beyond the range of numbers: products would subtract infinity from itself.
        return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()
    if not a.requires_grad and not b.requires_grad:
        squares = torch.addmm(bb, a, b.T, alpha=-2.0).add_(aa[:, None]).clamp_min_(0.0)
    else:
        squares = (aa[:, None] + bb - 2.0 * (a @ b.T)).clamp_min(0.0)
    if not rough and wide <= WIDE:
        return squares
    return _measured(squares, _limits(aa, bb, wide), x, y, length)


def _array(x: torch.Tensor) -> np.ndarray:
    return x.detach().cpu().numpy()


def _scaled(x: torch.Tensor, y: torch.Tensor, length: Any) -> tuple[torch.Tensor, torch.Tensor]:
    centre = y.detach().mean(0)
    each = length if isinstance(length, int | float) else like(length, x)
    return (x - centre) / each, (y - centre) / each


def _sparse(x: Any, y: Any, length: Any, rough: bool) -> torch.Tensor:
    # Shifting would fill the zeros in; float64 makes up for it.
    single = all(v.dtype in (np.float32, torch.float32) for v in (x, y))
    a, b = (_divided(widen(v), length) for v in (x, y))
    aa, bb = square_norms(a), square_norms(b)
    squares = (aa[:, None] + bb - 2.0 * products(a, b)).clamp_min_(0.0)
    wide = max(float(aa.max()), float(bb.max()))
    if rough or wide > WIDE:
        squares = _measured(squares, _limits(aa, bb, wide), widen(x), widen(y), length)
    return squares.float() if single else squares


def _divided(x: Any, length: Any) -> Any:
    if not scipy.sparse.issparse(x):
        return x / (length if isinstance(length, int | float) else like(length, x))
    if isinstance(length, int | float):
        return x * (1.0 / length)
    return x @ scipy.sparse.diags_array(1.0 / np.asarray(length, dtype=np.float64)).tocsr()


def _limits(aa: torch.Tensor, bb: torch.Tensor, wide: float) -> torch.Tensor:
    """Squared distances of pairs that are to be measured by their differences."""
    return torch.clamp(NEAR * (aa[:, None] + bb), min=CLOSE if wide > WIDE else 0.0).detach()


def _measured(squares: Any, limits: torch.Tensor, x: Any, y: Any, length: Any) -> torch.Tensor:
    """The squares, with those of near pairs computed from their differences."""
    i, j = torch.nonzero(squares.detach() <= limits, as_tuple=True)
    if not len(i):
        return squares
    return squares.index_put((i, j), paired_squares(x, y, i, j, length=length).to(squares))


def paired_squares(
    x: Any, y: Any, i: torch.Tensor, j: torch.Tensor, sign: float = -1.0, length: Any = 1.0
) -> torch.Tensor:
    """|(x_i ± y_j) / length|² for paired indices, from the sums or differences themselves."""
    step = max(1, PIECE // x.shape[1])
    pieces = []
    for start in range(0, len(i), step):
        left, right = _taken(x, i[start : start + step]), _taken(y, j[start : start + step])
        if not (scipy.sparse.issparse(left) and scipy.sparse.issparse(right)):
            left, right = (
                torch.from_numpy(v.toarray()) if scipy.sparse.issparse(v) else v
                for v in (left, right)
            )
        pieces.append(square_norms(_divided(left + sign * right, length)))
    return torch.cat(pieces)


def _taken(x: Any, index: torch.Tensor) -> Any:
    return x[index.cpu().numpy()] if scipy.sparse.issparse(x) else x[index]
