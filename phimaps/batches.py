"""Data sets and loaders of torch as X: rows that come in batches, and need not fit into memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import chain
from math import prod
from typing import Any

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler
from torch.utils.data import TensorDataset as Tensors

from .cache import pass_of
from .config import config_context, get_config
from .errors import InputError, InputTypeError, PhimapsError, ShapeError, show
from .ingest import read
from .rows import CACHED, apply, check_out, device_of, moved, report

__all__ = ["batches", "count", "gathered", "in_batches", "streamed"]

# A data set is asked for at most so many items at a time.
MOST = 256
_NAMED = ("image", "images", "pixel_values", "img", "x")


def in_batches(X: Any) -> bool:
    """Whether X is a data set or a loader of torch."""
    return isinstance(X, Dataset | DataLoader)


def count(X: Any) -> int | None:
    """How many rows a data set or loader says that it has; None where it does not say."""
    if not isinstance(X, DataLoader):
        try:
            return len(X)
        except (TypeError, NotImplementedError):
            return None
    if isinstance(X.dataset, IterableDataset) or type(X.batch_sampler) is not BatchSampler:
        return None
    try:
        n = len(X.sampler)  # type: ignore[arg-type]
    except TypeError:
        return None
    return n - n % X.batch_size if X.drop_last and X.batch_size else n


def batches(X: Any, what: str = "X") -> Iterator[Any]:
    """The rows of X in pieces, without labels.

    Parameters
    ----------
    X : array, tensor, torch data set or loader
        Items of data sets are images or other rows, or tuples, lists or dictionaries that begin
        with one; batches of loaders alike.
    what : str
        What X is called in messages.

    Yields
    ------
    ndarray or Tensor of shape (k, *shape)

    Raises
    ------
    InputTypeError, ShapeError
        For items that are no rows, or not of one shape.

    Examples
    --------
    >>> pairs = [(torch.full((1, 2, 2), i), i) for i in range(5)]
    >>> [len(batch) for batch in batches(DataLoader(pairs, batch_size=2))]
    [2, 2, 1]
    """
    if isinstance(X, DataLoader) and (X.batch_size or X.batch_sampler):
        for batch in X:
            yield _one(batch, what)
    elif isinstance(X, DataLoader):
        yield from _loose(X, what)
    elif isinstance(X, Tensors):
        yield from _slices(X.tensors[0])
    elif isinstance(X, IterableDataset):
        yield from _stacked(iter(X), what)
    elif isinstance(X, Dataset):
        # Some data sets cannot be iterated, or iterate without end.
        n = count(X)
        items = iter(X) if n is None else (X[i] for i in range(n))  # type: ignore[call-overload]
        yield from _stacked(items, what)
    else:
        yield from _slices(X)


def _slices(X: Any) -> Iterator[Any]:
    row = prod(X.shape[1:]) * X.dtype.itemsize
    step = max(1, min(get_config()["chunk_bytes"], CACHED) // max(1, row))
    for start in range(0, X.shape[0], step):
        yield X[start : start + step]


def _loose(X: Any, what: str) -> Iterator[Any]:
    """A loader that makes no batches hands on items, or what the data set has put together."""
    items = iter(X)
    first = next(items, None)
    if first is None:
        return
    together = _one(first, what).ndim not in (1, 3)
    both = chain([first], items)
    yield from (_one(b, what) for b in both) if together else _stacked(both, what)


def _stacked(items: Iterator[Any], what: str) -> Iterator[Any]:
    waiting: list[Any] = []
    for item in items:
        row = _one(item, what)
        if waiting and (row.shape != waiting[0].shape or type(row) is not type(waiting[0])):
            raise ShapeError(
                f"The items of {what} are not alike.",
                got=f"{show(waiting[0])} and {show(row)}",
                need="items of one shape, tensors or arrays",
                do="resize the images where the data set reads them",
            )
        waiting.append(row)
        if len(waiting) == MOST or len(waiting) * _bytes(row) >= CACHED:
            yield _stack(waiting)
            waiting = []
    if waiting:
        yield _stack(waiting)


def _bytes(row: Any) -> int:
    return prod(row.shape) * row.dtype.itemsize


def _stack(rows: list[Any]) -> Any:
    return torch.stack(rows) if isinstance(rows[0], torch.Tensor) else np.stack(rows)


def _one(item: Any, what: str) -> Any:
    """The rows of an item, without what is said about them."""
    first = item
    while isinstance(first, tuple | list) and first:
        first = first[0]
    if isinstance(first, dict):
        first = next((first[name] for name in _NAMED if name in first), item)
    if not isinstance(first, torch.Tensor):
        # Pictures of PIL become arrays, with the channels last.
        first = np.asarray(first) if hasattr(first, "__array_interface__") else first
    if not isinstance(first, torch.Tensor | np.ndarray) or not first.ndim:
        raise InputTypeError(
            f"An item of {what} holds no row of numbers.",
            got=show(item) if not isinstance(item, dict) else f"a dict with keys {sorted(item)}",
            need="a tensor, an array or a picture; or a tuple or list that begins with one, or a "
            f"dict with one of {', '.join(map(repr, _NAMED))}",
            do="a data set whose items are (image, label)",
        )
    return first


def gathered(X: Any, whole: bool) -> Any:
    """What `fit` reads of X: all rows of a data set or loader, or its first batch; else X.

    Parameters
    ----------
    X : object
    whole : bool
        Whether all rows count; a closed map only looks at the shape of the first ones.
    """
    if not in_batches(X):
        return X
    if whole and isinstance(X, Tensors):
        return X.tensors[0]
    pieces = []
    for batch in batches(X):
        pieces.append(batch)
        if not whole:
            break
    if not pieces:
        raise _empty(X)
    if len({tuple(p.shape[1:]) for p in pieces}) > 1:
        shapes = sorted({tuple(p.shape[1:]) for p in pieces})
        raise ShapeError(
            "The batches of X are not alike.",
            got=f"items of shapes {', '.join(map(str, shapes))}",
            need="items of one shape",
            do="resize the images where the data set reads them",
        )
    if isinstance(pieces[0], torch.Tensor):
        return torch.cat(pieces)
    return np.concatenate(pieces)


def _empty(X: Any) -> InputError:
    return InputError(
        "Found no rows: a minimum of 1 is required.",
        got=f"{type(X).__name__} without items",
        need="at least one row",
        do="pass data that are not empty",
    )


def streamed(owner: Any, closed: Any, X: Any, out: Any = None) -> np.ndarray:
    """φ on the rows of a data set or loader, batch by batch, written to one output.

    Parameters
    ----------
    owner : Estimator
        Whose tags and shapes the rows are compared with.
    closed : FeatureMap
    X : torch data set or loader
    out : ndarray of shape (n, d_out), optional
        See `phimaps.FeatureMap.transform`. What a batch writes stays when a later one is refused.

    Returns
    -------
    ndarray of shape (n, *out_shape)

    Raises
    ------
    InputError, InputTypeError, ShapeError
        With rows numbered as in the whole of X.
    """
    _warn_of_order(X)
    total, done = count(X), 0
    device, progress = device_of(closed), get_config()["progress"]
    room, shape = out, None
    with config_context(progress=False), pass_of(total or 0):
        for batch in batches(X):
            before, at = done, 0
            try:
                data = read(owner, batch, reset=False).data
                if shape is None:
                    # The first row alone tells what is to be kept.
                    first = apply(closed, data[:1], device=device)
                    shape, at = tuple(first.shape[1:]), 1
                    n = max(len(data), total or 0)
                    dtype = first.detach().cpu().numpy().dtype
                    if out is None:
                        room = np.empty((n, prod(shape)), dtype)
                    elif total is not None:
                        check_out(out, (n, prod(shape)), first.dtype, data)
                    room[:1] = first.detach().cpu().numpy().reshape(1, -1)
                stop = done + len(data)
                if stop > len(room):
                    room = _grown(room, stop, out is None)
                if at < len(data):
                    before, part = done + at, room[done + at : stop]
                    apply(closed, data[at:], device=device, out=part, shape=shape)
            except PhimapsError as error:
                raise moved(error, before) from error
            done = stop
            if progress:
                report(progress, done, max(done, total or 0))
    if shape is None:
        raise _empty(X)
    if out is not None and done != len(out):
        raise _other_length(done, len(out))
    return room[:done].reshape(done, *shape)


def _grown(room: np.ndarray, least: int, own: bool) -> np.ndarray:
    if not own:
        raise _other_length(least, len(room))
    # The system moves large arrays without copying them.
    room.resize((max(least, 2 * len(room)), room.shape[1]), refcheck=False)
    return room


def _other_length(rows: int, room: int) -> ShapeError:
    return ShapeError(
        "The features do not fit into the given array: there are "
        + (f"{rows} rows or more." if rows > room else f"{rows} rows."),
        got=f"out with {room} rows",
        need="as many rows as X has",
        do="transform(X) without out, where the number of rows is not known",
    )


def _warn_of_order(X: Any) -> None:
    if isinstance(X, DataLoader) and isinstance(X.sampler, RandomSampler):
        warnings.warn(
            "The loader shuffles: the rows come in another order each time, and not in that of "
            "any labels. Pass shuffle=False.",
            UserWarning,
            stacklevel=4,
        )
