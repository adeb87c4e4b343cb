"""Evaluating a closed map on many rows: in chunks, on one device, into one output."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import scipy.sparse
import torch

from .config import get_config
from .errors import DomainError

__all__ = ["apply", "as_tensor", "carry", "dense", "dense_pieces", "device_of"]

# What the steps of a map hand on stays in a processor's cache in chunks of this many bytes: twice
# as fast as chunks that do not fit.
CACHED = 16 * 2**20
# A map that is a single step hands nothing on, and chunks would only add a copy.
AT_ONCE = 8


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
    """φ on every row, without gradients; the result shares no memory with the data.

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
    n = data.shape[0]
    with torch.no_grad():
        if n == 1:
            return _alone(_evaluate(closed, data, device), data)
        first = _evaluate(closed, data[:1], device)
        settings = get_config()
        home = data.device if isinstance(data, torch.Tensor) else torch.device("cpu")
        size = settings["chunk_bytes"]
        if (device or home).type == "cpu":
            size = min(size, CACHED)
        wide = first.numel() * first.element_size() + _row_bytes(data)
        if n * wide <= (AT_ONCE * settings["chunk_bytes"] if closed.at_once else size):
            return _alone(_evaluate(closed, data, device), data)
        step = max(1, size // max(wide, 1))
        out = torch.empty((n, *first.shape[1:]), dtype=first.dtype, device=home)
        for start in range(0, n, step):
            stop = min(start + step, n)
            try:
                out[start:stop] = _evaluate(closed, data[start:stop], device)
            except DomainError as error:
                raise _moved(error, start) from None
            _report(settings["progress"], stop, n)
    return out


def carry(closed: Any, data: Any) -> Any:
    """φ on every row, for the map that comes next: sparse rows stay sparse where φ keeps zeros.

    Parameters
    ----------
    closed : FeatureMap
    data : as in `apply`

    Returns
    -------
    Tensor, or scipy.sparse.csr_array
    """
    if scipy.sparse.issparse(data):
        with torch.no_grad():
            value = closed.forward_sparse(data)
        return value if scipy.sparse.issparse(value) else apply(closed, data)
    return apply(closed, data, device=device_of(closed))


def dense_pieces(x: Any) -> Iterator[torch.Tensor]:
    """The rows of a sparse array as dense tensors, in pieces of at most ``chunk_bytes``."""
    step = max(1, get_config()["chunk_bytes"] // max(1, x.shape[1] * x.dtype.itemsize))
    for start in range(0, x.shape[0], step):
        yield torch.from_numpy(x[start : start + step].toarray())


def dense(value: Any) -> torch.Tensor:
    """A result as a tensor, whether it is one or a sparse array."""
    return torch.from_numpy(value.toarray()) if scipy.sparse.issparse(value) else value


def _alone(values: torch.Tensor, data: Any) -> torch.Tensor:
    """`values`, copied if they are a view: of the data, of weights, of anything."""
    storage = values.untyped_storage()
    if isinstance(data, torch.Tensor):
        shared = storage.data_ptr() == data.untyped_storage().data_ptr()
    elif isinstance(data, np.ndarray) and values.device.type == "cpu":
        shared = np.may_share_memory(values.numpy(), data)
    else:
        shared = False
    if shared or storage.nbytes() != values.numel() * values.element_size():
        return values.clone(memory_format=torch.contiguous_format)
    return values


def _moved(error: DomainError, start: int) -> DomainError:
    """The error with rows numbered as in the whole of the data, not as in the chunk."""
    lines = [
        re.sub(r"\b([Rr]ow) (\d+)", lambda found: f"{found[1]} {int(found[2]) + start}", text)
        for text in (error.what, error.got, error.need, error.do)
    ]
    return type(error)(lines[0], got=lines[1], need=lines[2], do=lines[3])


def _row_bytes(data: Any) -> int:
    if scipy.sparse.issparse(data):
        return max(1, data.data.nbytes // max(data.shape[0], 1))
    return prod(data.shape[1:]) * data.dtype.itemsize


def _evaluate(closed: Any, chunk: Any, device: torch.device | None) -> torch.Tensor:
    if scipy.sparse.issparse(chunk):
        return dense(closed.forward_sparse(chunk))
    x = chunk if isinstance(chunk, torch.Tensor) else as_tensor(chunk)
    if device is None or device == x.device:
        value = closed.forward(x)
        return value if value.dtype == x.dtype else value.to(x.dtype)
    return closed.forward(x.to(device)).to(dtype=x.dtype, device=x.device)


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
