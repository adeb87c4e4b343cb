"""The closed Euclidean ball."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from ..interval import EPS
from .base import Space
from .boxes import Box, Boxlike, brief

__all__ = ["Ball"]


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
    def compact(self) -> bool:
        return True

    @property
    def infinite(self) -> bool:
        return True

    @property
    def interior(self) -> bool:
        return True

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        low = np.nextafter(self.center - self.radius, -np.inf)
        return low, np.nextafter(self.center + self.radius, np.inf)

    def inner_box(self) -> Box | None:
        half = self.radius / sqrt(self.size) * (1 - 64 * EPS * self.size)
        low, high = self.center - half, self.center + half
        return Box(low, high) if (low < high).all() and self.contains_box(Box(low, high)) else None

    def chords(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.center - self._reach, self.center + self._reach, self.center

    @property
    def _reach(self) -> float:
        """A radius at which points lie inside even after they are rounded."""
        # Adding may round outward when the centre is large beside the radius.
        step = float(np.spacing(np.abs(self.center).max() + self.radius))
        return max(0.0, self.radius * (1 - 8 * EPS) - 2 * sqrt(self.size) * step)

    def contains(self, points: Any) -> np.ndarray:
        array = self.points(points)
        offset = (array - self.center).reshape(len(array), -1)
        return np.linalg.norm(offset, axis=1) <= self.radius

    def contains_box(self, box: Boxlike) -> bool:
        """Whether the farthest corner lies inside, rounded towards False."""
        reach = np.maximum(np.abs(box.low - self.center), np.abs(box.high - self.center))
        return bool(np.linalg.norm(reach.ravel()) * (1 + 8 * EPS * self.size) <= self.radius)

    def is_subset(self, other: Space) -> bool:
        if other.shape != self.shape:
            return False
        if isinstance(other, Boxlike):
            low, high = self.bounds()
            return bool((other.low <= low).all() and (high <= other.high).all())
        if isinstance(other, Ball):
            if np.array_equal(self.center, other.center):
                return self.radius <= other.radius
            apart = np.linalg.norm((self.center - other.center).ravel())
            return bool((apart + self.radius) * (1 + 8 * EPS * self.size) <= other.radius)
        return False

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        rng = np.random.default_rng(random_state)
        direction = rng.standard_normal((n, self.size))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        reach = rng.random((n, 1)) ** (1 / self.size)
        reach[rng.random((n, 1)) < 0.25] = 1
        return self.center + (direction * reach * self._reach).reshape(n, *self.shape)

    @property
    def diameter(self) -> float:
        return 2 * self.radius

    def __repr__(self) -> str:
        return f"Ball({brief(self.center)}, {brief(np.array([self.radius]))[1:-1]})"
