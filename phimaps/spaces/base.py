"""What a space can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, prod
from typing import TYPE_CHECKING, Any, final

import numpy as np

from ..errors import ParameterError, ShapeError, show
from ..interval import root_sum_squares
from .rounding import count_text, norms, outward

if TYPE_CHECKING:
    from .boxes import Box

__all__ = ["NET_NUMBERS", "Image", "Plan", "Space"]

# A net of more numbers than this is refused: 80 MB.
NET_NUMBERS = 10_000_000
# Finite spaces of up to this many numbers are compared with others point by point.
FEW_NUMBERS = 1_000_000

# How many points a net will have, and what makes them.
Plan = tuple[int, Callable[[], np.ndarray]]


class Space(ABC):
    """A subset of R^shape with a distance that has its topology; abstract.

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
    def dimension(self) -> int:
        """The topological dimension: of a box with interior the number of its coordinates."""

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether the space is a closed subset of R^shape."""

    @property
    @abstractmethod
    def compact(self) -> bool:
        """Whether the space is compact: closed and bounded."""

    @property
    @abstractmethod
    def infinite(self) -> bool:
        """Whether the space has infinitely many points."""

    @property
    @abstractmethod
    def interior(self) -> bool:
        """Whether the space contains an open ball of R^shape."""

    @property
    def euclidean(self) -> bool:
        """Whether `distance` is the Euclidean distance."""
        return True

    @property
    def single(self) -> bool:
        """Whether the space has a single point."""
        low, high = self.bounds()
        return not self.infinite and bool((low == high).all())

    @abstractmethod
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The smallest closed box that contains the space, as (low, high) of shape `shape`.

        Rounded outward where an end is not representable.
        """

    @abstractmethod
    def attains(self) -> tuple[np.ndarray, np.ndarray]:
        """Which bounds are attained, as two bool arrays of shape `shape`.

        False is certain: no point of the space has that value in that coordinate, so every point
        lies strictly inside. Infinite bounds are never attained.
        """

    @abstractmethod
    def inner_box(self) -> Box | None:
        """A closed box with interior that the space contains, or None."""

    @abstractmethod
    def chords(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """A point p and, for each coordinate i, a closed interval [low_i, high_i] around p_i.

        Every point that differs from p only in coordinate i, with a value in that interval, lies in
        the space.

        Returns
        -------
        tuple of (low, high, point), or None if there is no such point
        """

    @abstractmethod
    def contains(self, points: Any) -> np.ndarray:
        """Which of the points lie in the space; shape (n, *shape) in, bool of shape (n,) out.

        A set that contains hardly any representable points, such as a sphere, counts a point as
        its own when it is as near as rounding of its coordinates allows; the class says how near.
        """

    def surely_contains(self, points: Any) -> np.ndarray:
        """Which of the points lie in the space without any allowance for rounding.

        Shapes as of `contains`, which is True wherever this is.
        """
        return self.contains(points)

    def is_subset(self, other: Space) -> bool:
        """Whether every point lies in `other`; decided, with rounding towards False.

        Distances are not compared.
        """
        if other.shape != self.shape:
            return False
        points = self._listed(FEW_NUMBERS)
        if points is not None:
            return bool(other.surely_contains(points).all())
        return other._includes(self)

    @abstractmethod
    def _includes(self, other: Space) -> bool:
        """Whether an infinite, or large, space of the same shape certainly lies in this one."""

    @abstractmethod
    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        """Draw n points, boundary included, as float64 of shape (n, *shape)."""

    @abstractmethod
    def nearest(self, points: Any) -> np.ndarray:
        """Points of the space near the given ones, each moved as little as is easy to find.

        Points of the space stay where they are. Rounding may leave a result just outside.
        """

    @property
    @abstractmethod
    def diameter(self) -> float:
        """The greatest distance of two points (their supremum), rounded up."""

    def reach(self, point: Any) -> float:
        """The greatest Euclidean distance of a point of the space from `point`, rounded up.

        Parameters
        ----------
        point : array of shape `shape`
        """
        low, high = self.bounds()
        return farthest_corner(low, high, np.asarray(point, dtype=np.float64))

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
        with np.errstate(over="ignore"):
            return norms((x - y).reshape(len(x), self.size))

    # --- finitely many points ----------------------------------------------------------------
    @abstractmethod
    def _net(self, h: float) -> Plan:
        """The number of points of a net, and what builds it; of a finite space all points."""

    def net(self, h: float) -> np.ndarray:
        """Points of the space such that each of its points is within h of one of them.

        The bound holds for real numbers: the rounding of the net's points is allowed for.

        Parameters
        ----------
        h : float
            Positive and finite, a distance of this space.

        Returns
        -------
        ndarray of shape (n, *shape)
            Far fewer points may do; these are laid out on a regular pattern.

        Raises
        ------
        ParameterError
            When h is not positive, the space is not compact, h is below the distance of
            neighbouring floating-point numbers, or the net has more than 10 million numbers.

        Examples
        --------
        >>> import phimaps as pm
        >>> pm.Box([0], [1]).net(0.3)
        array([[0.25],
               [0.75]])
        """
        try:
            radius = float(h)
        except (TypeError, ValueError):
            radius = 0.0
        if not (isfinite(radius) and radius > 0):
            raise ParameterError(
                f"The radius of a net must be positive and finite, not {show(h)}.",
                got=f"h={show(h)}",
                need="0 < h < inf",
                do="space.net(0.1)",
            )
        if not self.compact:
            raise ParameterError(
                f"{self!r} has no finite net: it is not compact.",
                got="a space that is unbounded, or not closed",
                need="a compact space",
                do="take a closed and bounded part of it, such as pm.Box(low, high)",
            )
        count, build = self._net(radius)
        if count * self.size > NET_NUMBERS:
            raise ParameterError(
                f"A net of {self!r} with radius {radius:g} has {count_text(count)} points.",
                got=f"{count_text(count)} points of {self.size} coordinates",
                need=f"at most {NET_NUMBERS:,} numbers",
                do="space.net with a larger h, or space.sample(n), which covers nothing",
            )
        return build()

    def enumerate(self) -> np.ndarray | None:
        """All points, each once, when there are finitely many.

        Returns
        -------
        ndarray of shape (n, *shape), or None
            None also when they are more than 10 million numbers, as products of finite spaces may
            be; `infinite` says whether there are infinitely many.

        Examples
        --------
        >>> import phimaps as pm
        >>> pm.Finite([[1.0], [0.0], [1.0]]).enumerate().ravel()
        array([1., 0.])
        >>> pm.Box([0], [1]).enumerate() is None
        True
        """
        return self._listed(NET_NUMBERS)

    def _listed(self, most: int) -> np.ndarray | None:
        if self.infinite:
            return None
        count, build = self._net(1.0)
        return build() if count * self.size <= most else None

    def _too_fine(self, h: float, least: float) -> ParameterError:
        return ParameterError(
            f"The points of a net of {self!r} are rounded by more than its radius allows.",
            got=f"h={h:g}",
            need=f"h > {least:.3g}, which rounding takes up",
            do="space.net with a larger h",
        )

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


def farthest_corner(low: np.ndarray, high: np.ndarray, point: np.ndarray) -> float:
    """The distance from a point to the farthest corner of a box, rounded up."""
    down, up = outward(low, -point)[0], outward(high, -point)[1]
    reach = np.maximum(np.abs(down), np.abs(up))
    return root_sum_squares(reach.ravel().tolist(), up=True)


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
