"""What a space can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, final

import numpy as np

from ..errors import ShapeError

if TYPE_CHECKING:
    from .boxes import Box

__all__ = ["Image", "Space"]


class Space(ABC):
    """A subset of R^shape with the Euclidean distance; abstract.

    A theorem that quantifies over all points may be applied to a larger set, one that exhibits
    points to a smaller: so a space gives a box that contains it (`bounds`) and a box that it
    contains (`inner_box`), besides the chords parallel to the axes through one of its points.
    """

    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of coordinates of a point."""
        return prod(self.shape)

    @property
    @abstractmethod
    def compact(self) -> bool:
        """Whether the space is compact."""

    @property
    @abstractmethod
    def infinite(self) -> bool:
        """Whether the space has infinitely many points."""

    @property
    @abstractmethod
    def interior(self) -> bool:
        """Whether the space contains an open ball of R^shape."""

    @property
    def single(self) -> bool:
        """Whether the space has a single point."""
        low, high = self.bounds()
        return not self.infinite and bool((low == high).all())

    @abstractmethod
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The smallest box that contains the space, as (low, high) of shape `shape`."""

    @abstractmethod
    def inner_box(self) -> Box | None:
        """A box with interior that the space contains, or None."""

    @abstractmethod
    def chords(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """A point p and, for each coordinate i, an interval [low_i, high_i] around p_i.

        Every point that differs from p only in coordinate i, with a value in that interval, lies in
        the space.

        Returns
        -------
        tuple of (low, high, point), or None if there is no such point
        """

    @abstractmethod
    def contains(self, points: Any) -> np.ndarray:
        """Which of the points lie in the space; shape (n, *shape) in, bool of shape (n,) out."""

    @abstractmethod
    def is_subset(self, other: Space) -> bool:
        """Whether every point lies in `other`; decided, with rounding towards False."""

    @abstractmethod
    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        """Draw n points, boundary included, as float64 of shape (n, *shape)."""

    @property
    @abstractmethod
    def diameter(self) -> float:
        """The greatest distance of two points, rounded up."""

    def distance(self, x: Any, y: Any) -> np.ndarray:
        """The distances of paired points.

        Parameters
        ----------
        x, y : array of shape (n, *shape)

        Returns
        -------
        ndarray of shape (n,)
        """
        x, y = self.points(x), self.points(y)
        return np.linalg.norm((x - y).reshape(len(x), -1), axis=1)

    def points(self, points: Any) -> np.ndarray:
        """`points` as float64, with the shape checked."""
        array = np.asarray(points, dtype=np.float64)
        if array.shape[1:] != self.shape:
            raise ShapeError(
                f"Points of shape {array.shape[1:]} do not lie in {self!r}.",
                got=f"an array of shape {array.shape}",
                need=f"shape (n, {', '.join(map(str, self.shape))})",
                do="reshape the points, or choose a space of their shape",
            )
        return array


@final
@dataclass(frozen=True, eq=False)
class Image:
    """What is known of φ(K): outer ⊇ φ(K) ⊇ inner.

    Parameters
    ----------
    outer : Space
        An enclosure, for claims about all points.
    inner : Space or None
        A part that is certainly reached, for claims that exhibit points.
    """

    outer: Space
    inner: Space | None = None
