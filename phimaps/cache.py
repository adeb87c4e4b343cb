"""Rows whose features were computed before: kept for the whole process, within a limit of bytes.

Cross-validation hands the same rows to equal maps again and again. A row is known by its bytes and
a map by its content, so that neither the clones of a grid search nor the order of the rows matter.
"""

from __future__ import annotations

import hashlib
import mmap
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import Any, Literal, final

import numpy as np
import torch

from .config import get_config

__all__ = ["Store", "forget", "held_bytes", "pass_of", "through"]

# What Python itself needs for an entry: its key, its place in the order, the head of the array.
ENTRY = 400
# How much memory there may be for each byte of rows, before rows are moved together.
LOOSE = 1.5
# Of how many maps the width of the features is known.
MEASURED = 1000
_rows_in_pass: ContextVar[int | None] = ContextVar("_rows_in_pass", default=None)


@final
class Store:
    """Features by map and row, the longest unused given up first; safe with threads.

    Examples
    --------
    >>> store = Store()
    >>> store.keep("map", {b"row": np.ones(2)}, limit=1000)
    >>> store.look("map", [b"row", b"other"])
    [array([1., 1.]), None]
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: OrderedDict[tuple[str, bytes], Any] = OrderedDict()
        self._bytes = self._blocks = 0
        self._widths: OrderedDict[str, int] = OrderedDict()

    @property
    def held(self) -> int:
        """How much memory the entries take."""
        return self._bytes

    def look(self, key: str, digests: list[bytes]) -> list[Any]:
        """What is known of these rows, or None; it is not to be written to."""
        with self._lock:
            found = [self._rows.get((key, d)) for d in digests]
            for digest, row in zip(digests, found, strict=True):
                if row is not None:
                    self._rows.move_to_end((key, digest))
        return found

    def keep(self, key: str, rows: dict[bytes, Any], limit: int) -> None:
        """Enter rows, as they are, and give up the longest unused until the limit holds."""
        with self._lock:
            for digest, row in rows.items():
                if (key, digest) not in self._rows:
                    self._rows[key, digest] = row
                    self._bytes += row.nbytes + ENTRY
                    self._blocks += row.nbytes if isinstance(row, memoryview) else 0
            while self._bytes > limit:
                _, row = self._rows.popitem(last=False)
                self._bytes -= row.nbytes + ENTRY
            if self._blocks > LOOSE * limit:
                self._move_together()

    def _move_together(self) -> None:
        # A block of rows is freed when its last row is given up.
        parts = {k: v for k, v in self._rows.items() if isinstance(v, memoryview)}
        self._blocks = sum(row.nbytes for row in parts.values())
        self._rows.update(zip(parts, apart(parts.values(), self._blocks), strict=True))

    def width(self, key: str) -> int:
        """How many bytes the features of a row took when the map was last evaluated; else 0."""
        return self._widths.get(key, 0)

    def measure(self, key: str, row_bytes: int) -> None:
        """Enter how many bytes the features of a row take."""
        with self._lock:
            self._widths[key] = row_bytes
            if len(self._widths) > MEASURED:
                self._widths.popitem(last=False)

    def clear(self) -> None:
        """Give up everything."""
        with self._lock:
            self._rows.clear()
            self._widths.clear()
            self._bytes = self._blocks = 0


def apart(rows: Iterable[Any], total: int) -> list[memoryview[Any]]:
    """Copies of float32 or float64 rows, in a block of memory that holds nothing else.

    Small pieces of the common memory, even the heads of arrays, would lie among the large arrays of
    a forward pass and keep what these leave from being used again: 280 MiB for 4 MiB of features,
    measured.
    """
    block, copies, start = memoryview(mmap.mmap(-1, max(1, total))), [], 0
    for row in rows:
        part, source = block[start : start + row.nbytes], np.ascontiguousarray(row).data
        part[:] = source.cast("B")
        single: Literal["f", "d"] = "f" if source.format == "f" else "d"
        copies.append(part.cast(single, list(row.shape)))
        start += row.nbytes
    return copies


_store = Store()


def held_bytes() -> int:
    """How many bytes of features are kept."""
    return _store.held


def forget() -> None:
    """Give up all features that are kept."""
    _store.clear()


@contextmanager
def pass_of(rows: int) -> Iterator[None]:
    """Tell `through` how many rows there are in all, while they come chunk by chunk."""
    # A pass over a batch is a part of that over all batches.
    token = _rows_in_pass.set(max(rows, _rows_in_pass.get() or 0))
    try:
        yield
    finally:
        _rows_in_pass.reset(token)


def through(
    key: str | None,
    x: torch.Tensor,
    compute: Callable[[torch.Tensor], torch.Tensor],
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """compute(x), where rows whose features are known are not computed again.

    Without gradients. Equal rows of x are computed once. Features that in all take more than the
    setting ``cache_bytes`` are neither looked for nor kept: one pass over them would push out
    everything, itself included.

    Parameters
    ----------
    key : str or None
        The content of the map; None: nothing is kept.
    x : Tensor of shape (n, *shape)
    compute : callable
        From rows to a tensor whose first dimension is theirs; each row by itself.
    out : Tensor of shape (n, *out_shape), optional
        Where to write the result.

    Returns
    -------
    Tensor of shape (n, *out_shape)
        On the device of x (`out`, where it is given); it shares no memory with what is kept.
    """
    limit = get_config()["cache_bytes"]
    n = x.shape[0]
    whole = max(n, _rows_in_pass.get() or 0)

    def too_large(row_bytes: int) -> bool:
        return whole * (row_bytes + ENTRY) > limit

    key = key and f"{key} {x.device.type} {tuple(x.shape[1:])}"
    if key is None or too_large(_store.width(key) if out is None else _row_bytes(out)):
        return _put(compute(x), out)
    digests = _digests(x)
    found = _store.look(key, digests)
    places = {d: i for i, (d, row) in enumerate(zip(digests, found, strict=True)) if row is None}
    known = {d: row for d, row in zip(digests, found, strict=True) if row is not None}
    if places:
        todo = x if len(places) == n else x[sorted(places.values())]
        fresh = compute(todo)
        order = sorted(places, key=places.__getitem__)
        _store.measure(key, _row_bytes(fresh))
        if not too_large(_row_bytes(fresh)):
            made = fresh.detach().cpu().numpy()
            # Copies: a view would keep its whole chunk alive.
            rows = apart(made, made.nbytes) if made.dtype.char in "fd" else list(made.copy())
            _store.keep(key, dict(zip(order, rows, strict=True)), limit)
        if len(places) == n:
            return _put(fresh, out)
        known |= dict(zip(order, fresh.detach().cpu().numpy(), strict=True))
    value = torch.from_numpy(np.stack([known[d] for d in digests]))
    return value.to(x.device) if out is None else out.copy_(value)


def _put(value: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    return value if out is None else out.copy_(value)


def _row_bytes(rows: torch.Tensor) -> int:
    return prod(rows.shape[1:]) * rows.element_size()


def _digests(x: torch.Tensor) -> list[bytes]:
    """For each row a number that stands for its dtype, shape and bytes."""
    rows = np.ascontiguousarray(x.detach().cpu().numpy())
    start = hashlib.sha256(f"{x.dtype} {tuple(x.shape[1:])} ".encode())
    digests = []
    for row in rows:
        each = start.copy()
        each.update(row.data if row.ndim else row.tobytes())
        digests.append(each.digest())
    return digests
