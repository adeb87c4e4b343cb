"""The patches of a data set to which a channel responds most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from numbers import Integral
from typing import Any, final

import numpy as np
import torch
from torch.utils.data import IterableDataset

from ..batches import batches, in_batches
from ..config import config_context
from ..errors import InputError, InputTypeError, ParameterError, ShapeError, show
from ..map import FeatureMap
from ..rows import apply, device_of
from .field import Fields, upright
from .unit import as_batch, checked_unit, closed_map, unit_name

__all__ = ["Patch", "top_patches"]

# Images at a time.
PIECE = 64


@final
@dataclass(frozen=True)
class Patch:
    """The part of an image that a unit sees.

    Parameters
    ----------
    value : float
        φ_u(x).
    index : int
        Which image of the data set, in the order in which they came.
    unit : tuple of int
    box : tuple of int
        (top, left, bottom, right), half-open: the smallest box around the receptive field, clipped
        to the image.
    crop : ndarray of shape (channels, bottom - top, right - left)
        That part of the image, with the numbers and the dtype of the data set.
    clipped : bool
        Whether the unit sees beyond the edge of the image.
    exact : bool
        Whether the box is known by the structure of the map; see `receptive_field`.
    """

    value: float
    index: int
    unit: tuple[int, ...]
    box: tuple[int, int, int, int]
    crop: np.ndarray
    clipped: bool
    exact: bool

    def __str__(self) -> str:
        top, left, bottom, right = self.box
        edge = ", clipped at the edge" if self.clipped else ""
        return (
            f"{unit_name(self.unit)} = {self.value:g} in image {self.index}, "
            f"rows {top}:{bottom}, columns {left}:{right}{edge}"
        )


@final
@dataclass(frozen=True)
class _Find:
    value: float
    index: int
    unit: tuple[int, ...]
    image: np.ndarray

    @property
    def rank(self) -> tuple[float, int, tuple[int, ...]]:
        """The greatest first, and of equal ones the first in the data set."""
        return -self.value, self.index, self.unit


def top_patches(phi: Any, X: Any, channel: Any, k: int = 9, *, per_image: int = 1) -> list[Any]:
    """The k patches of a data set to which a channel, or one unit, responds most.

    One pass over the data set, which need not fit into memory, nor be repeatable: only the images
    of the best patches so far are kept.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Closed, or fitted.
    X : array or tensor of shape (n, channels, height, width), data set or loader
        A ``torch.utils.data.Dataset`` of images, a ``DataLoader`` of batches of images, or whatever
        yields images; labels beside the images are passed over. Bytes stand for numbers from 0 to
        1.
    channel : int, tuple of int, or list of these
        A channel, whose places compete, or one unit (channel, row, column). Of a list all are found
        in the same pass.
    k : int, default 9
        How many patches; there are fewer when the data set has fewer.
    per_image : int, default 1
        How many of them may come from one image.

    Returns
    -------
    list of Patch
        The greatest value first, of equal values the first image; for a list of channels a list of
        such lists.

    Raises
    ------
    OperandError, UnboundError, ShapeError, InputError, InputTypeError, ParameterError

    References
    ----------
    Zeiler, Fergus (2014), Visualizing and understanding convolutional networks, section 4 and
    figure 2.

    Examples
    --------
    >>> import phimaps as pm
    >>> X = np.array([[[[0.0, 1.0, 2.0]]], [[[5.0, 0.0, 9.0]]]])
    >>> for patch in pm.cnn.top_patches(pm.Conv2d([[[[-1.0, 1.0]]]]), X, channel=0):
    ...     print(patch)
    c0@(0,1) = 9 in image 1, rows 0:1, columns 1:3
    c0@(0,0) = 1 in image 0, rows 0:1, columns 0:2
    """
    closed = closed_map(phi, "top_patches")
    for name, value in (("k", k), ("per_image", per_image)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ParameterError(
                f"The '{name}' of top_patches counts patches.",
                got=f"{name}={show(value)}",
                need="an int >= 1",
                do=f"{name}=1",
            )
    several = isinstance(channel, list)
    wanted: list[Any] = channel if several else [channel]
    best: list[list[_Find]] = [[] for _ in wanted]
    room = _Room(closed)
    for start, images in _pieces(X):
        standing = upright(closed, as_batch(images, "top_patches"))
        features = room.features(standing)
        if standing.shape != images.shape:
            images = images.transpose(0, 3, 1, 2)
        for which, each in enumerate(wanted):
            found = _competing(features, each)
            best[which] = _merged(best[which], found, images, start, int(k), int(per_image))
    fields = Fields(closed)
    patches = [[_patch(find, fields) for find in finds] for finds in best]
    return patches if several else patches[0]


@final
class _Room:
    """The features of one piece after the other, in the same memory."""

    def __init__(self, closed: FeatureMap):
        self.closed = closed
        self._shapes: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._memory: dict[Any, np.ndarray] = {}

    def features(self, images: torch.Tensor) -> Any:
        """φ on at most PIECE images; what was returned before is written over."""
        item, device = tuple(images.shape[1:]), device_of(self.closed)
        with config_context(cache_bytes=0):
            if item not in self._shapes:
                value = apply(self.closed, images, device=device)
                self._shapes[item] = tuple(value.shape[1:])
                return value
            shape, dtype = self._shapes[item], images.numpy().dtype
            if (shape, dtype) not in self._memory:
                self._memory[shape, dtype] = np.empty((PIECE, prod(shape)), dtype)
            out = self._memory[shape, dtype][: len(images)]
            return apply(self.closed, images, device=device, out=out, shape=shape)


def _competing(features: Any, channel: Any) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """The values that compete, (images, places), and the units that they are of."""
    shape = tuple(features.shape[1:])
    place: Any = list(channel) if isinstance(channel, tuple) else [channel]
    if len(place) == 1 and len(shape) > 1:
        c = _checked_channel(place[0], shape)
        values = features[:, c].flatten(1)
        units = [(c, *(int(i) for i in at)) for at in np.ndindex(shape[1:])]
    else:
        unit = checked_unit(tuple(place), shape, "top_patches")
        values, units = features[(slice(None), *unit)][:, None], [unit]
    return values.cpu().numpy(), units


def _checked_channel(channel: Any, shape: tuple[int, ...]) -> int:
    whole = isinstance(channel, Integral) and not isinstance(channel, bool)
    if not whole or not -shape[0] <= channel < shape[0]:
        raise ShapeError(
            f"top_patches found no such channel: the features of an image have shape {shape}.",
            got=f"channel={show(channel)}",
            need=f"a channel from 0 to {shape[0] - 1}, or a unit of {len(shape)} indices",
            do=f"channel=0, or channel={tuple(s // 2 for s in shape)}",
        )
    return int(channel) % shape[0]


def _merged(
    best: list[_Find],
    found: tuple[np.ndarray, list[tuple[int, ...]]],
    images: np.ndarray,
    start: int,
    k: int,
    per_image: int,
) -> list[_Find]:
    values, units = found
    if np.isnan(values).any():
        bad = int(np.isnan(values).any(axis=1).argmax())
        raise InputError(
            "top_patches cannot rank NaN.",
            got=f"φ(x) with NaN at {unit_name(units[int(np.isnan(values[bad]).argmax())])} for "
            f"image {start + bad}",
            need="features that are numbers",
            do="leave out that image, or see which layer makes them",
        )
    rows = np.arange(len(values))
    if len(best) == k:
        # An equal value that comes later is not better.
        rows = np.flatnonzero(values.max(axis=1) > best[-1].value)
    # Stable: of equal values the first place.
    order = np.argsort(-values[rows], axis=1, kind="stable")[:, :per_image]
    fresh = [
        _Find(float(values[row, i]), start + int(row), units[i], images[row])
        for row, places in zip(rows, order, strict=True)
        for i in places
    ]
    kept = sorted(best + fresh, key=lambda find: find.rank)[:k]
    # Copies of what stays: a view would keep the whole piece.
    return [f if f.index < start else replace(f, image=np.array(f.image)) for f in kept]


def _patch(find: _Find, fields: Fields) -> Patch:
    seen = fields.of(find.unit, find.image.shape)
    top, left, bottom, right = seen.box
    crop = find.image[:, top:bottom, left:right].copy()
    return Patch(find.value, find.index, find.unit, seen.box, crop, seen.clipped, seen.exact)


# --- data sets -----------------------------------------------------------------------------------


def _pieces(X: Any) -> Iterator[tuple[int, np.ndarray]]:
    """The images of a data set, at most PIECE at a time, with how many came before."""
    start = 0
    for batch in batches(_source(X), "X"):
        for at in range(0, len(batch), PIECE):
            piece = batch[at : at + PIECE]
            if piece.ndim != 4:
                raise ShapeError(
                    "top_patches looks through images.",
                    got=f"{show(piece)} in the data set",
                    need="images of shape (channels, height, width)",
                    do="a data set of (image, label) with such images",
                )
            yield start, piece.detach().cpu().numpy() if torch.is_tensor(piece) else piece
            start += len(piece)


def _source(X: Any) -> Any:
    if in_batches(X):
        return X
    if isinstance(X, np.ndarray | torch.Tensor):
        return X if X.ndim != 3 else X[None]
    if not hasattr(X, "__iter__"):
        raise InputTypeError(
            "top_patches looks through a data set of images.",
            got=f"X={show(X)}",
            need="an array, a tensor, a torch data set or loader, or an iterable of images",
            do="torch.utils.data.DataLoader(images, batch_size=64)",
        )
    return _Stream(X)


@final
class _Stream(IterableDataset[Any]):
    """Images one after the other, of whatever can be iterated."""

    def __init__(self, X: Any):
        self.X = X

    def __iter__(self) -> Iterator[Any]:
        return iter(self.X)
