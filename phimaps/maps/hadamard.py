"""Hadamard transforms, as products with small matrices."""

from __future__ import annotations

from functools import cache

import numpy as np
import scipy.linalg
import torch

__all__ = ["hadamard", "hadamard_rows", "power_of_two", "transform"]

# The order of the matrices of which a greater one is a Kronecker product: products of this size
# run at the speed of greater ones.
SMALL = 64


def power_of_two(d: int) -> int:
    """The least power of two that is not less than d."""
    return 1 << (d - 1).bit_length()


@cache
def hadamard(order: int) -> np.ndarray:
    """The symmetric matrix of signs whose rows are orthogonal, for a power of two (Sylvester)."""
    matrix = scipy.linalg.hadamard(order).astype(np.float64)
    matrix.setflags(write=False)
    return matrix


def hadamard_rows(rows: np.ndarray, d: int) -> np.ndarray:
    """The first d entries of some rows, of any order that has them; shape (len(rows), d).

    The entry of row i and column j is -1 where i and j have an odd number of bits in common.
    """
    common = np.asarray(rows, dtype=np.int64)[:, None] & np.arange(d)
    return 1.0 - 2.0 * (np.bitwise_count(common) % 2)


@cache
def _tensor(order: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(hadamard(order).copy()).to(device, dtype)


def transform(x: torch.Tensor) -> torch.Tensor:
    """x H along the last axis, whose length is a power of two; differentiable.

    H of order ab is the Kronecker product of those of the orders a and b, so that two products with
    small matrices do.

    Parameters
    ----------
    x : Tensor of shape (..., order)

    Returns
    -------
    Tensor of the same shape
    """
    order, after, result = x.shape[-1], 1, x
    while order > 1:
        part = min(order, SMALL)
        order //= part
        matrix = _tensor(part, x.dtype, x.device)
        if after == 1:
            result = result.reshape(-1, part) @ matrix
        else:
            result = matrix @ result.reshape(-1, part, after)
        after *= part
    return result.reshape(x.shape)
