"""Matrices of kernel values: validated, in blocks, on one device, into one output."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import scipy.sparse
import torch

from ..config import get_config
from ..errors import ShapeError, show
from ..ingest import read
from ..rows import as_tensor, device_of

__all__ = ["bound", "gram"]

# The steps of a kernel hand on blocks that stay in a processor's cache up to this many bytes.
CACHED = 4 * 2**20


def bound(kernel: Any, X: Any) -> Any:
    """The closed kernel that `kernel` denotes on the data.

    Parameters
    ----------
    kernel : Kernel
    X : array, data frame, sparse matrix or tensor of shape (n, d) or (n, *shape)

    Returns
    -------
    Kernel
    """
    probe = kernel._shallow_copy()
    probe.check_parameters()
    rows = read(probe, X, reset=True)
    return kernel if kernel.closed else kernel.closed_on(_plain(rows.data), rows.names)


def gram(kernel: Any, X: Any, Y: Any = None) -> Any:
    """The matrix k(x_i, y_j), as `Kernel.__call__` says.

    Parameters
    ----------
    kernel : Kernel
    X, Y : array, data frame, sparse matrix or tensor of shape (n, d) or (n, *shape)

    Returns
    -------
    ndarray or tensor of shape (n, m)
    """
    # Reading records the width and the names; that goes to a copy.
    probe = kernel._shallow_copy()
    probe.check_parameters()
    if Y is not None:
        kernel.require_closed()
        _check_widths(kernel, X, Y)
    rows = read(probe, X, reset=True)
    x = rows.data
    y = x if Y is None else read(probe, Y, reset=False).data
    closed = kernel if kernel.closed else kernel.closed_on(_plain(x), rows.names)
    tensors = isinstance(x, torch.Tensor)
    if not tensors and isinstance(y, torch.Tensor):
        y = y.detach().cpu().numpy()
    single = x.dtype in (np.float32, torch.float32) and y.dtype in (np.float32, torch.float32)
    dtype = torch.float32 if single else torch.float64
    x, y = (_ready(v, dtype) for v in (x, y))
    if Y is None:
        y = x
    elif tensors:
        y = y.to(x.device) if isinstance(y, torch.Tensor) else y
    if tensors and torch.is_grad_enabled() and _traced(closed, x, y):
        value = closed.between(x, y)
        return value if Y is not None else torch.diagonal_scatter(value, closed.diagonal(x))
    with torch.no_grad():
        device = None if tensors else device_of(closed)
        if device is not None:
            x, y = (v if scipy.sparse.issparse(v) else v.to(device) for v in (x, y))
        value = _blocks(closed, x, x if Y is None else y, Y is None, dtype)
    return value if tensors else value.cpu().numpy()


def _plain(data: Any) -> Any:
    return as_tensor(data) if isinstance(data, np.ndarray) else data


def _ready(data: Any, dtype: torch.dtype) -> Any:
    if scipy.sparse.issparse(data):
        return data.astype(np.float32 if dtype == torch.float32 else np.float64, copy=False)
    return _plain(data).to(dtype)


def _traced(kernel: Any, x: Any, y: Any) -> bool:
    learned = any(
        isinstance(v, torch.Tensor) and v.requires_grad for v in kernel.get_params().values()
    )
    return learned or x.requires_grad or bool(getattr(y, "requires_grad", False))


def _check_widths(kernel: Any, X: Any, Y: Any) -> None:
    a, b = (getattr(v, "shape", None) or np.shape(v) for v in (X, Y))
    if len(a) > 1 and len(b) > 1 and prod(a[1:]) != prod(b[1:]):
        raise ShapeError(
            f"The rows of X have {prod(a[1:])} numbers, those of Y have {prod(b[1:])}.",
            got=f"X={show(X)}, Y={show(Y)}",
            need=f"rows of one length for {type(kernel).__name__}",
            do="pass the same columns of both",
        )


def _blocks(kernel: Any, x: Any, y: Any, same: bool, dtype: torch.dtype) -> torch.Tensor:
    (kernel, x), y = kernel.ahead(x), None if same else kernel.ahead(y)[1]
    y = x if same else y
    n, m = x.shape[0], y.shape[0]
    homes = [v.device for v in (x, y) if isinstance(v, torch.Tensor)]
    home = homes[0] if homes else torch.device("cpu")
    on_cpu = home.type == "cpu"
    # NumPy asks for huge pages, which are far quicker to touch for the first time.
    out = (
        torch.from_numpy(np.empty((n, m), np.float32 if dtype == torch.float32 else np.float64))
        if on_cpu
        else torch.empty((n, m), dtype=dtype, device=home)
    )
    size = get_config()["chunk_bytes"]
    step = max(1, (min(size, CACHED) if on_cpu else size) // (m * out.element_size()))
    for start in range(0, n, step):
        stop = min(start + step, n)
        rows = x[start:stop]
        if not same:
            out[start:stop] = kernel.between(rows, y)
            continue
        # One half is computed and the other mirrored, so that the matrix is symmetric to the bit.
        block = kernel.between(rows, y[start:])
        out[start:stop, start:] = block
        out[stop:, start:stop] = block[:, stop - start :].T
        square = out[start:stop, start:stop]
        square.copy_(torch.triu(square) + torch.triu(square, 1).T)
        square.diagonal().copy_(kernel.diagonal(rows))
    return out
