"""What a unit sees of an image, as the tools that cut out or cover need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from ..errors import PhimapsError
from ..map import FeatureMap
from ..map.feature import Composite
from ..maps.network import Network
from ..maps.pictures import arranged
from .dependence import Dependence
from .receptive_field import ReceptiveField, receptive_field

__all__ = ["Field", "Fields", "upright"]

Shape = tuple[int, int, int]


@final
@dataclass(frozen=True)
class Field:
    """The box around what a unit sees.

    Parameters
    ----------
    box : tuple of int
        (top, left, bottom, right), half-open.
    clipped : bool
        Whether the edge of the image cuts something off.
    exact : bool
        Whether the box is known by the structure of the map; if not, by a NaN sent through it.
    """

    box: tuple[int, int, int, int]
    clipped: bool
    exact: bool


@final
class Fields:
    """What the units of one closed map see, each found once."""

    def __init__(self, closed: FeatureMap):
        self.closed = closed
        self._maps: dict[Shape, Dependence] = {}
        self._known: dict[tuple[Any, Shape], Field] = {}

    def mask(self, unit: tuple[int, ...], shape: Shape) -> np.ndarray:
        """A set of pixels outside of which nothing reaches the unit, bool (height, width)."""
        structure = self._structure(shape)
        if structure.exact:
            try:
                return structure.pixels(unit)
            except RuntimeError:
                # A graph that cannot be gone back through.
                pass
        # Where a NaN would have to find it, an operation may hide pixels.
        return np.ones(shape[1:], dtype=bool)

    def of(self, unit: tuple[int, ...], shape: Shape) -> Field:
        """The field of a unit in images of a shape (channels, height, width)."""
        if (unit, shape) not in self._known:
            self._known[unit, shape] = self._found(unit, shape)
        return self._known[unit, shape]

    def _structure(self, shape: Shape) -> Dependence:
        if shape not in self._maps:
            self._maps[shape] = Dependence(self.closed, shape)
        return self._maps[shape]

    def _found(self, unit: tuple[int, ...], shape: Shape) -> Field:
        structure = self._structure(shape)
        exact = structure.exact
        try:
            reached = structure.extent(unit)
        except (PhimapsError, RuntimeError):
            # An `if` on the data may take another way for NaN, or find none: all may be seen.
            reached, exact = (np.ones(shape[1], bool), np.ones(shape[2], bool)), False
        (top, bottom), (left, right) = (
            (int(on[0]), int(on[-1]) + 1) if (on := np.flatnonzero(each)).size else (0, 0)
            for each in reached
        )
        inside = top > 0 and left > 0 and bottom < shape[1] and right < shape[2]
        clipped = not inside
        if exact and not inside:
            found = receptive_field(self.closed, unit, shape)
            clipped = any(_cut(self.closed, shape, found, axis) for axis in (0, 1))
        return Field((top, left, bottom, right), clipped, exact)


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
    # A unit that sees all of every image is not cut.
    return length < whole.size[axis] < larger[axis + 1]


def upright(closed: Any, images: torch.Tensor) -> torch.Tensor:
    """The images with the channels first, of those that a map of a network takes with them last."""
    first = closed
    while isinstance(first, Composite):
        first = first.maps[0]
    if isinstance(first, Network) and not first.whole and images.ndim == 4:
        return arranged(images, first.module, None)
    return images
