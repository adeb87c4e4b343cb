"""Evaluating a closed map on many rows: in chunks, on one device, into one output."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import scipy.sparse
import torch

from .config import get_config

__all__ = ["apply", "as_tensor", "device_of"]


def device_of(closed: Any) -> torch.device | None:
    """Where arrays are evaluated: as configured, else where the map's tensors live."""
    chosen = get_config()["device"]
    if chosen is not None:
        return chosen
    pending = [closed]
    while pending:
        value = pending.pop()
        if isinstance(value, torch.Tensor):
            return value.device if value.device.type != "cpu" else None
        if isinstance(value, tuple | list):
            pending.extend(value)
        elif hasattr(value, "get_params"):
            pending.extend(v for k, v in vars(value).items() if not k.endswith("_"))
    return None


def apply(closed: Any, data: Any, device: torch.device | None = None) -> torch.Tensor:
    """φ on every row, without gradients.

    Parameters
    ----------
    closed : FeatureMap
        A closed map.
    data : Tensor, ndarray or scipy.sparse.csr_array of shape (n, *shape)
    device : torch.device, optional
        Where to evaluate; the result comes back to where the data are.

    Returns
    -------
    Tensor of shape (n, *out_shape)
        Of the data's dtype.
    """
    settings = get_config()
    n = data.shape[0]
    with torch.no_grad():
        first = _evaluate(closed, data[:1], device)
        wide = first[0].numel() * first.element_size() + _row_bytes(data)
        step = max(1, settings["chunk_bytes"] // max(wide, 1))
        if n <= step:
            return _evaluate(closed, data, device)
        home = data.device if isinstance(data, torch.Tensor) else torch.device("cpu")
        out = torch.empty((n, *first.shape[1:]), dtype=first.dtype, device=home)
        for start in range(0, n, step):
            stop = min(start + step, n)
            out[start:stop] = _evaluate(closed, data[start:stop], device)
            _report(settings["progress"], stop, n)
    return out


def _row_bytes(data: Any) -> int:
    if scipy.sparse.issparse(data):
        return max(1, data.data.nbytes // max(data.shape[0], 1))
    return int(np.prod(data.shape[1:])) * (
        data.element_size() if isinstance(data, torch.Tensor) else data.itemsize
    )


def _evaluate(closed: Any, chunk: Any, device: torch.device | None) -> torch.Tensor:
    if scipy.sparse.issparse(chunk):
        return closed.forward_sparse(chunk)
    home = chunk.device if isinstance(chunk, torch.Tensor) else torch.device("cpu")
    x = chunk if isinstance(chunk, torch.Tensor) else as_tensor(chunk)
    if device is not None:
        x = x.to(device)
    return closed.forward(x).to(dtype=x.dtype, device=home)


def as_tensor(chunk: np.ndarray) -> torch.Tensor:
    """The array as a tensor, copied only where sharing its memory would be unsafe."""
    # A read-only array must not reach torch, which would let an in-place step write to it.
    if not chunk.flags.writeable or any(s < 0 for s in chunk.strides):
        chunk = np.array(chunk, order="C")
    return torch.from_numpy(chunk)


def _report(progress: Any, done: int, total: int) -> None:
    if callable(progress):
        progress(done, total)
    elif progress:
        print(
            f"\rphimaps: {done} of {total} rows",
            end="\n" if done == total else "",
            file=sys.stderr,
            flush=True,
        )
