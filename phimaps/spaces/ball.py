"""The closed Euclidean ball."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt, ulp
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from ..interval import EPS, add
from .base import Plan, Space, farthest_corner
from .boxes import Box, Boxlike, brief
from .grid import grid
from .rounding import MOST, norms, outward, square_gaps

__all__ = ["Ball"]

TINY = float(np.finfo(np.float64).tiny)


@final
@dataclass(frozen=True, eq=False)
class Ball(Space):
    """{x : |x - center| <= radius}, a closed ball.

    Parameters
    ----------
    center : array-like
        Of the point's shape.
    radius : float
        Positive and finite.

    Raises
    ------
    ParameterError
        When the centre is not finite or the radius not positive.

    Examples
    --------
    >>> Ball([0, 0], 1).contains([[0.6, 0.8], [1.0, 1.0]])
    array([ True, False])
    """

    center: np.ndarray
    radius: float

    def __post_init__(self) -> None:
        try:
            center = np.array(self.center, dtype=np.float64)
            radius = float(self.radius)
        except (TypeError, ValueError):
            center, radius = np.zeros(0), 0.0
        if (
            not center.size
            or not center.ndim
            or not np.isfinite(center).all()
            or not 0 < radius < np.inf
        ):
            raise ParameterError(
                "The centre and radius do not make a ball.",
                got=f"center={show(self.center)}, radius={show(self.radius)}",
                need="a finite centre of at least one dimension, a positive finite radius",
                do="Ball([0, 0], 1)",
            )
        center.setflags(write=False)
        object.__setattr__(self, "center", center)
        object.__setattr__(self, "radius", radius)

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.center.shape

    @property
    def dimension(self) -> int:
        return self.size

    @property
    def is_closed(self) -> bool:
        return True

    @property
    def compact(self) -> bool:
        return True

    @property
    def infinite(self) -> bool:
        return True

    @property
    def interior(self) -> bool:
        return True

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return outward(self.center, -self.radius)[0], outward(self.center, self.radius)[1]

    def attains(self) -> tuple[np.ndarray, np.ndarray]:
        # Ends that are not representable are rounded to where no point is.
        return tuple(  # type: ignore[return-value]
            np.equal(*outward(self.center, r)) for r in (-self.radius, self.radius)
        )

    def inner_box(self) -> Box | None:
        half = self.radius / sqrt(self.size) * (1 - 64 * EPS * self.size)
        low, high = self._around(half)
        return Box(low, high) if (low < high).all() and self.contains_box(Box(low, high)) else None

    def chords(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return *self._around(self._safe), self.center

    def _around(self, reach: float) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(over="ignore"):
            low, high = self.center - reach, self.center + reach
        # What overflows lies in the ball up to the greatest number.
        return np.maximum(low, -MOST), np.minimum(high, MOST)

    @property
    def _step(self) -> float:
        """The distance of neighbouring numbers at the far end of the ball."""
        return ulp(min(float(np.abs(self.center).max()) + self.radius, MOST))

    @property
    def _safe(self) -> float:
        """A radius at which points lie inside even after they are rounded."""
        # Adding may round outward when the centre is large beside the radius.
        return max(0.0, self.radius * (1 - 8 * EPS) - 2 * sqrt(self.size) * self._step)

    def contains(self, points: Any) -> np.ndarray:
        array = self.points(points)
        low, high = self.bounds()
        boxed = ((array >= low) & (array <= high)).reshape(len(array), self.size).all(axis=1)
        return np.asarray(boxed & (self._from_center(array) <= self.radius))

    def _from_center(self, array: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return norms((array - self.center).reshape(len(array), self.size))

    def surely_contains(self, points: Any) -> np.ndarray:
        array = self.points(points)
        inside = self.contains(array)
        # Only near the boundary rounding could decide.
        size = float(np.abs(self.center).max()) + self.radius
        edge = self._from_center(array) > self.radius - 16 * self.size * (EPS * size + TINY)
        near = np.flatnonzero(inside & edge)
        inside[near] = [g <= 0 for g in square_gaps(array[near], self.center, self.radius)]
        return inside

    def contains_box(self, box: Boxlike) -> bool:
        """Whether the farthest corner lies inside, rounded towards False."""
        return box.reach(self.center) <= self.radius

    def nearest(self, points: Any) -> np.ndarray:
        array = self.points(points)
        inside = self.contains(array).reshape(-1, *[1] * len(self.shape))
        size = self._from_center(array)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            shrink = (self._safe / np.maximum(size, self.radius)).reshape(inside.shape)
            moved = self.center + np.nan_to_num(array - self.center) * shrink
        # Points inside stay what they are, to the last digit.
        return np.where(inside, array, moved)

    def reach(self, point: Any) -> float:
        far = farthest_corner(self.center, self.center, np.asarray(point, dtype=np.float64))
        return add([far, self.radius], up=True)

    def _includes(self, other: Space) -> bool:
        return other.reach(self.center) <= self.radius

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        rng = np.random.default_rng(random_state)
        direction = rng.standard_normal((n, self.size))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        reach = rng.random((n, 1)) ** (1 / self.size)
        reach[rng.random((n, 1)) < 0.25] = 1
        offset = (direction * reach * self._safe).reshape(n, *self.shape)
        with np.errstate(over="ignore"):
            return np.clip(self.center + offset, -MOST, MOST)

    @property
    def diameter(self) -> float:
        return 2 * self.radius

    def _net(self, h: float) -> Plan:
        # The grid of a box around the ball, its far points dropped and the others moved into the
        # ball: that moves no point away from points of the ball.
        lost = 2 * (self.radius - self._safe) + 16 * sqrt(self.size) * self._step
        if h <= 2 * lost:
            raise self._too_fine(h, 2 * lost)
        room, (low, high) = h - lost, self.bounds()
        count, build = grid(low.ravel(), high.ravel(), room)
        if count < 0:
            raise self._too_fine(h, 2 * lost)

        def near() -> np.ndarray:
            points = build().reshape(-1, *self.shape)
            near_by = self._from_center(points) <= (self.radius + room) * (1 + 1e-9)
            return self.nearest(points[near_by])

        return count, near

    def __repr__(self) -> str:
        return f"Ball({brief(self.center)}, {brief(np.array([self.radius]))[1:-1]})"
