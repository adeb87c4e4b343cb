"""What a unit sees of an image, as the tools that cut out or cover need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ..errors import PhimapsError
from .receptive_field import ReceptiveField, receptive_field

__all__ = ["Field", "field"]

Shape = tuple[int, int, int]


@final
@dataclass(frozen=True)
class Field:
    """The pixels that may reach a unit.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
        No other pixel reaches it.
    box : tuple of int
        (top, left, bottom, right), half-open: the smallest box around those that certainly do.
    clipped : bool
        Whether the edge of the image cuts something off.
    exact : bool
        Whether the box is known by the structure of the map; if not, by a NaN sent through it.
    """

    mask: np.ndarray
    box: tuple[int, int, int, int]
    clipped: bool
    exact: bool


def field(closed: Any, unit: tuple[int, ...], shape: Shape) -> Field:
    """What a unit sees of images of a shape (channels, height, width)."""
    found = receptive_field(closed, unit, shape)
    # Where a NaN had to find it, an operation may have hidden pixels.
    mask = found.mask if found.exact else np.ones_like(found.mask)
    clipped = any(_cut(closed, shape, found, axis) for axis in (0, 1))
    return Field(mask, found.hull, clipped, found.exact)


def _cut(closed: Any, shape: Shape, found: ReceptiveField, axis: int) -> bool:
    """Whether the field goes on beyond the image along an axis."""
    low, high, length = found.hull[axis], found.hull[axis + 2], shape[axis + 1]
    if (low > 0 and high < length) or low == high:
        return False
    if (low, high) != (0, length):
        # What is cut off at one end is missed in the middle.
        return (low + high - 1) / 2 != found.centre[axis]
    larger = list(shape)
    larger[axis + 1] = 3 * length
    try:
        at = tuple(s // 2 for s in closed.out_shape(tuple(larger)))
        whole = receptive_field(closed, at, (larger[0], larger[1], larger[2]))
    except (PhimapsError, RuntimeError):
        # It takes images of this size only.
        return False
    size = whole.size[axis]
    # A unit that sees all of every image is not cut.
    return length < size < larger[axis + 1]
