"""Images and sliding windows: what convolution and pooling share.

An image is a point of shape (channels, height, width). A map of images also reads rows of numbers
when ``in_shape`` says which images they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt, prod
from typing import Any, final

import numpy as np
import torch

from ..errors import ParameterError, ShapeError
from ..map import FeatureMap, show
from ..spaces import Box, Euclidean, Space

__all__ = ["ImageMap", "Window", "bounded_part", "channel_names", "pair"]

Pair = tuple[int, int]


def pair(owner: Any, name: str, least: int) -> Pair:
    """The parameter `name` as two ints, one for each axis (height, width)."""
    value = getattr(owner, name)
    both = tuple(value) if isinstance(value, list | tuple) else (value, value)
    good = len(both) == 2 and all(_is_int(v) and v >= least for v in both)
    if not good:
        raise ParameterError(
            f"The '{name}' parameter of {type(owner).__name__} cannot be used.",
            got=f"{name}={show(value)}",
            need=f"an int >= {least}, or a pair of them (height, width)",
            do=f"set_params({name}={max(least, 1)})",
        )
    return int(both[0]), int(both[1])


def _is_int(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


@final
@dataclass(frozen=True)
class Window:
    """A window that slides over an image, axis by axis (height, width).

    Parameters
    ----------
    size, stride : pair of int
    before, after : pair of int
        How far the window may hang over the image at its two ends.
    circular : bool
        Whether the image repeats there; else there is padding.
    ceil : bool
        Whether a last window may hang over further, as long as it starts in the image or in the
        padding before it.
    """

    size: Pair
    stride: Pair
    before: Pair = (0, 0)
    after: Pair = (0, 0)
    circular: bool = False
    ceil: bool = False

    def count(self, axis: int, n: int) -> int:
        """How many windows fit on an axis of n pixels."""
        k, s = self.size[axis], self.stride[axis]
        room = n + self.before[axis] + self.after[axis] - k
        if not self.ceil:
            return max(0, room // s + 1)
        count = max(0, -(-room // s) + 1)
        return count - ((count - 1) * s >= n + self.before[axis])

    def counts(self, shape: Sequence[int]) -> Pair:
        """How many windows fit on an image of shape (..., height, width)."""
        return self.count(0, shape[-2]), self.count(1, shape[-1])

    def positions(self, axis: int, n: int) -> np.ndarray:
        """Which pixel each window sees at each offset; -1 in the padding.

        Returns
        -------
        ndarray of int, shape (windows, offsets)
        """
        start = np.arange(self.count(axis, n)) * self.stride[axis] - self.before[axis]
        seen = start[:, None] + np.arange(self.size[axis])
        return seen % n if self.circular else np.where((seen < 0) | (seen >= n), -1, seen)

    def grid(self, shape: Sequence[int]) -> np.ndarray:
        """Which pixel (row * width + column) each window sees at each offset; -1 in the padding.

        Returns
        -------
        ndarray of int, shape (windows, offsets)
        """
        h, w = shape[-2:]
        rows, cols = self.positions(0, h), self.positions(1, w)
        both = rows[:, None, :, None] * w + cols[None, :, None, :]
        both = np.where((rows[:, None, :, None] < 0) | (cols[None, :, None, :] < 0), -1, both)
        return both.reshape(len(rows) * len(cols), -1)

    def membership(self, shape: Sequence[int]) -> list[np.ndarray]:
        """For each axis, which window (row) sees which pixel (column), as 0 and 1."""
        return [
            (self.positions(axis, n)[:, :, None] == np.arange(n)).any(axis=1).astype(float)
            for axis, n in enumerate(shape[-2:])
        ]

    def overlaps(self, shape: Sequence[int]) -> bool:
        """Whether some pixel is seen by two windows."""
        return any(seen.sum(axis=0).max() > 1 for seen in self.membership(shape))

    def padded(self, image: np.ndarray) -> np.ndarray:
        """The image with what the windows see around it."""
        ends = [(0, 0), *zip(self.before, self.after, strict=True)]
        return np.pad(image, ends, mode="wrap" if self.circular else "constant")

    def correlate(self, image: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The correlation as a matrix product, for which the bounds of rounding errors hold."""
        views = np.lib.stride_tricks.sliding_window_view(
            self.padded(image), self.size, axis=(1, 2)
        )[:, :: self.stride[0], :: self.stride[1]]
        return np.tensordot(weight, views, axes=((1, 2, 3), (0, 3, 4)))

    def pad(self, x: torch.Tensor) -> torch.Tensor:
        """The images with what the windows see around them, as a tensor."""
        if not any(self.before + self.after):
            return x
        (top, left), (bottom, right) = self.before, self.after
        if not self.circular:
            return torch.nn.functional.pad(x, (left, right, top, bottom))
        for axis, low, high in ((2, top, bottom), (3, left, right)):
            index = torch.arange(-low, x.shape[axis] + high, device=x.device) % x.shape[axis]
            x = x.index_select(axis, index)
        return x


class ImageMap(FeatureMap):
    """A map of images (channels, height, width), or of rows that ``in_shape`` reads as images;
    abstract.

    A subclass has the parameter ``in_shape`` and says how many channels it takes (`channels`), how
    many it gives (`channels_out`) and which window slides over them (`window`).
    """

    __slots__ = ()
    in_shape = None

    @property
    def channels(self) -> int | None:
        """How many channels the images must have; None if any number will do."""
        return None

    def channels_out(self, channels: int) -> int:
        """How many channels the result has."""
        return channels

    def window(self) -> Window | None:
        """The window that slides over the image; None if it is the whole image."""
        return None

    # --- derived -----------------------------------------------------------------------------
    def check_parameters(self) -> None:
        super().check_parameters()
        self.window()
        self._declared()

    def _declared(self) -> tuple[int, ...] | None:
        sizes: Any = self.in_shape
        if sizes is None:
            return None
        good = isinstance(sizes, list | tuple) and len(sizes) == 3
        good = good and all(_is_int(s) and (s >= 1 or s == -1) for s in sizes)
        if not good or list(sizes).count(-1) > 1:
            raise ParameterError(
                f"The 'in_shape' parameter of {type(self).__name__} is not the shape of an image.",
                got=f"in_shape={show(sizes)}",
                need="(channels, height, width), one of them -1 for what remains; or None",
                do="set_params(in_shape=(1, 8, 8))",
            )
        return tuple(int(s) for s in sizes)

    def image_shape(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """The (channels, height, width) of items of the given shape.

        Raises
        ------
        ShapeError
            When they are not such images.
        """
        shape = tuple(int(s) for s in shape)
        read = self._read_rows(shape[0]) if len(shape) == 1 else shape
        name, wanted, declared = type(self).__name__, self.channels, self._declared()
        if len(read) != 3:
            raise ShapeError(
                f"{name} takes images with channels.",
                got=f"items of shape {shape}",
                need="items of shape (channels, height, width)",
                do="X[:, None], which adds a channel"
                if len(read) == 2
                else "X.reshape(n, c, h, w)",
            )
        if wanted is not None and read[0] != wanted:
            last = len(shape) == 3 and read[2] == wanted
            raise ShapeError(
                f"{name} takes {wanted} channel{'s' * (wanted != 1)}, the images have {read[0]}.",
                got=f"items of shape {read}, n_features = {prod(read)}",
                need=f"items of shape ({wanted}, height, width)",
                do="X.transpose(0, 3, 1, 2): channels come first"
                if last
                else f"give it {wanted} channel{'s' * (wanted != 1)}, or other filters",
            )
        if declared is not None and any(
            d not in (-1, s) for d, s in zip(declared, read, strict=True)
        ):
            raise ShapeError(
                f"The images do not have the in_shape of {name}.",
                got=f"items of shape {read}, n_features = {prod(read)}",
                need=f"items of shape {declared}, or rows of such images",
                do=f"set_params(in_shape={read}), or resize the images",
            )
        window = self.window()
        if window is not None and 0 in window.counts(read):
            raise ShapeError(
                f"The images are smaller than the window of {name}.",
                got=f"images of {read[1]} x {read[2]} pixels, n_features = {prod(read)}",
                need=f"at least {_least(window, 0)} x {_least(window, 1)} pixels",
                do="a smaller window, more padding, or larger images",
            )
        return read  # type: ignore[return-value]

    def _read_rows(self, d: int) -> tuple[int, ...]:
        declared, name = self._declared(), type(self).__name__
        if declared is None:
            c = self.channels or 1
            side = isqrt(d // c)
            guess = (c, side, side) if c * side * side == d else (c, 1, d // c)
            raise ShapeError(
                f"{name} takes images, and X has rows of {d} numbers.",
                got=f"items of shape ({d},), n_features = {d}",
                need="items of shape (channels, height, width), or in_shape to read rows so",
                do=f"{name}(..., in_shape={guess})",
            )
        known = prod(s for s in declared if s != -1)
        if d % known or (-1 not in declared and d != known):
            exact = -1 not in declared
            raise ShapeError(
                f"X has {d} features, but {name} is expecting {known} features as input."
                if exact
                else f"X has {d} features, which do not fill images of shape {declared}.",
                got=f"items of shape ({d},), n_features = {d}",
                need=f"{known} features" if exact else f"a multiple of {known} features",
                do="set_params(in_shape=...) with the shape of one image",
            )
        return tuple(d // known if s == -1 else s for s in declared)

    def images(self, x: torch.Tensor) -> torch.Tensor:
        """The batch as images of shape (n, channels, height, width)."""
        return x.reshape(x.shape[0], *self.image_shape(x.shape[1:]))

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        read, window = self.image_shape(shape), self.window()
        made = self.channels_out(read[0])
        return (made,) if window is None else (made, *window.counts(read))

    @property
    def gives(self) -> tuple[int, ...] | None:
        declared = self._declared()
        return None if declared is None or -1 in declared else self.out_shape(declared)

    @property
    def domain(self) -> Space | None:
        declared = self._declared()
        return None if declared is None or -1 in declared else Euclidean((prod(declared),))

    def pooled_names(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> list[str]:
        """Names of an output whose channels come from one input channel each."""
        made = self.out_shape(shape)
        stems = [f"{label}({c})" for c in channel_names(names, made[0])]
        if len(made) == 1:
            return stems
        return [f"{s}@({i},{j})" for s in stems for i in range(made[1]) for j in range(made[2])]

    def bounds(self, on: Space) -> tuple[np.ndarray, np.ndarray]:
        """The smallest box that contains the space, as images."""
        shape = self.image_shape(on.shape)
        low, high = on.bounds()
        return low.reshape(shape), high.reshape(shape)


def _least(window: Window, axis: int) -> int:
    return max(1, window.size[axis] - window.before[axis] - window.after[axis])


def channel_names(names: Sequence[str], channels: int) -> list[str]:
    """A name for each channel: what its pixels' names share beside their place @(row,column)."""
    pixels = np.asarray(list(names), dtype=object).reshape(channels, -1)
    result = []
    for i, row in enumerate(pixels):
        stems = {re.sub(r"@\(\d+,\d+\)", "", name) for name in row}
        marked = all("@(" in name for name in row)
        result.append(stems.pop() if marked and len(stems) == 1 else f"c{i}")
    return result


def bounded_part(box: Box, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ends and the centre of a bounded box inside the box, as images."""
    low = np.where(np.isinf(box.low), box.centre - 1.0, box.low).reshape(shape)
    high = np.where(np.isinf(box.high), box.centre + 1.0, box.high).reshape(shape)
    return low, high, np.clip(box.centre.reshape(shape), low, high)
