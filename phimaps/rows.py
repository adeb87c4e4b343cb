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

from .cache import pass_of
from .config import get_config
from .errors import DomainError, InputError, InputTypeError, ShapeError, show

__all__ = [
    "apply",
    "as_tensor",
    "cached_rows",
    "carry",
    "check_out",
    "dense",
    "dense_pieces",
    "device_of",
    "moved",
    "report",
]

# What the steps of a map hand on stays in a processor's cache in chunks of this many bytes: twice
# as fast as chunks that do not fit.
CACHED = 16 * 2**20
# A map that knows its chunks writes to the output what it computes, and may take more at a time.
KNOWN = 8
NUMPY = {torch.float32: np.float32, torch.float64: np.float64}
# Bytes are kept until a map makes numbers of them, as they take a quarter of the memory.
GIVEN: dict[torch.dtype, torch.dtype] = {torch.uint8: torch.float32}
DTYPES: dict[Any, torch.dtype] = {value: key for key, value in NUMPY.items()} | {
    np.uint8: torch.uint8
}


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
        elif callable(getattr(value, "tensors", None)):
            # The tensors of a module live together.
            pending.extend(list(value.tensors().values())[:1])
        elif hasattr(value, "get_params"):
            pending.extend(v for k, v in vars(value).items() if not k.endswith("_"))
    return None


def apply(
    closed: Any,
    data: Any,
    device: torch.device | None = None,
    out: Any = None,
    shape: tuple[int, ...] | None = None,
) -> torch.Tensor:
    """φ on every row, without gradients; the result shares no memory with the data.

    Parameters
    ----------
    closed : FeatureMap
        A closed map.
    data : Tensor, ndarray or scipy.sparse.csr_array of shape (n, *shape)
    device : torch.device, optional
        Where to evaluate; the result comes back to where the data are.
    out : ndarray of shape (n, d_out), optional
        Where to write the features; see `phimaps.FeatureMap.transform`.
    shape : tuple of int, optional
        That of the features of a row, where it is known.

    Returns
    -------
    Tensor of shape (n, *out_shape)
        Of the data's dtype; float32 for bytes, which only maps with `bytes` are given.
    """
    n = data.shape[0]
    home = data.device if isinstance(data, torch.Tensor) and out is None else torch.device("cpu")
    dtype = data.dtype if isinstance(data, torch.Tensor) else DTYPES[data.dtype.type]
    dtype = GIVEN.get(dtype, dtype)
    with torch.no_grad(), pass_of(n):
        first, shape = None, shape or closed.gives
        if shape is None and n > 1 and closed.bytes:
            # One row alone through a network takes several times as long as one among others.
            shape = closed.known_shape(tuple(data.shape[1:]))
        if shape is None:
            first = _evaluate(closed, data[:1], device)
            shape = tuple(first.shape[1:])
        if out is None:
            values = _blank((n, *shape), dtype, home)
        else:
            check_out(out, (n, prod(shape)), dtype, data)
            values = torch.from_numpy(out).view(n, *shape)
        if n == 1 and first is not None:
            return values.copy_(first)
        settings = get_config()
        step = _step(closed, data, prod(shape) * dtype.itemsize, device or home)
        begin = 0
        if first is not None and closed.bytes:
            # A forward pass of a network costs too much to make it twice.
            values[:1].copy_(first)
            begin = 1
        for start in range(begin, n, step):
            stop = min(start + step, n)
            try:
                _write(closed, data[start:stop], values[start:stop], device)
            except DomainError as error:
                raise moved(error, start) from None
            if step < n:
                report(settings["progress"], stop, n)
    return values


def _step(closed: Any, data: Any, row_out: int, device: torch.device) -> int:
    """How many rows to evaluate at a time."""
    limit, wide = get_config()["chunk_bytes"], max(1, row_out + _row_bytes(data))
    if device.type != "cpu":
        return max(1, limit // wide)
    # Bytes become numbers of four times their size.
    itemsize = max(data.dtype.itemsize, 4)
    wanted = closed.chunk_rows(tuple(data.shape[1:]), itemsize)
    if wanted is None:
        return max(1, min(limit, CACHED) // wide)
    return max(1, min(wanted, KNOWN * limit // wide))


def cached_rows(numbers: int, itemsize: int) -> int:
    """How many rows of so many numbers, of what goes in and what comes out, fit a cache."""
    return max(1, CACHED // max(1, numbers * itemsize))


def _blank(shape: tuple[int, ...], dtype: torch.dtype, home: torch.device) -> torch.Tensor:
    if home.type != "cpu" or dtype not in NUMPY:
        return torch.empty(shape, dtype=dtype, device=home)
    # NumPy asks the system for huge pages and torch does not: the first touch is 4 times as fast.
    return torch.from_numpy(np.empty(shape, dtype=NUMPY[dtype]))


def check_out(out: Any, shape: tuple[int, int], dtype: torch.dtype, data: Any) -> None:
    """Raise where features of this shape and dtype cannot be written into `out`."""
    kind, repair = NUMPY[dtype], f"np.empty({shape}, dtype=np.{NUMPY[dtype].__name__})"
    if not isinstance(out, np.ndarray):
        raise InputTypeError(
            f"Features are written into an array, not into {type(out).__name__}.",
            got=f"out={show(out)}",
            need="a numpy.ndarray or numpy.memmap",
            do=repair,
        )
    if out.shape != shape or out.dtype != kind:
        raise ShapeError(
            f"The features do not fit into the given array: they are {kind.__name__}"
            f"[{shape[0]}, {shape[1]}].",
            got=f"out={show(out)}",
            need=f"shape {shape} and dtype {kind.__name__}, that of the rows",
            do=repair,
        )
    if not out.flags.writeable or not out.flags.aligned or not _in_rows(out):
        raise InputError(
            "The given array cannot be written row by row.",
            got=f"out with strides {out.strides}"
            + ("" if out.flags.writeable else ", not writeable"),
            need="a writeable array whose rows lie one after the other in memory",
            do=repair,
        )
    source = data.data if scipy.sparse.issparse(data) else data
    source = source.detach().cpu().numpy() if isinstance(source, torch.Tensor) else source
    if np.may_share_memory(out, source):
        raise InputError(
            "The given array shares memory with the data.",
            got=f"out={show(out)} over the memory of X",
            need="an array of its own",
            do=repair,
        )


def _in_rows(out: np.ndarray) -> bool:
    item, (n, d) = out.itemsize, out.shape
    return (d == 1 or out.strides[1] == item) and (n == 1 or out.strides[0] >= d * item)


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


def moved(error: Any, start: int) -> Any:
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
    dtype = GIVEN.get(x.dtype, x.dtype)
    if device is None or device == x.device:
        value = closed.forward(x)
        return value if value.dtype == dtype else value.to(dtype)
    return closed.forward(x.to(device)).to(dtype=dtype, device=x.device)


def _write(closed: Any, chunk: Any, out: torch.Tensor, device: torch.device | None) -> None:
    if scipy.sparse.issparse(chunk):
        out.copy_(dense(closed.forward_sparse(chunk)))
        return
    x = chunk if isinstance(chunk, torch.Tensor) else as_tensor(chunk)
    if x.device == out.device and device in (None, x.device):
        closed.write(x, out)
    else:
        out.copy_(closed.forward(x if device is None else x.to(device)))


def as_tensor(chunk: np.ndarray) -> torch.Tensor:
    """The array as a tensor, copied only where sharing its memory would be unsafe."""
    # A read-only array must not reach torch, which would let an in-place step write to it.
    if not chunk.flags.writeable or any(s < 0 for s in chunk.strides):
        chunk = np.array(chunk, order="C")
    return torch.from_numpy(chunk)


def report(progress: Any, done: int, total: int) -> None:
    """Tell of progress as the setting ``progress`` asks it."""
    if callable(progress):
        progress(done, total)
    elif progress:
        print(
            f"\rphimaps: {done} of {total} rows",
            end="\n" if done == total else "",
            file=sys.stderr,
            flush=True,
        )
