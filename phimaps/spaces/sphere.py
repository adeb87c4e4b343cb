"""The Euclidean sphere, with the distance through the ball or along the surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf, nextafter, pi, sin, sqrt
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from ..interval import EPS, add
from .base import Plan, Space, farthest_corner
from .boxes import brief
from .grid import axes_product
from .rounding import norms, outward, square_gaps

__all__ = ["Sphere"]

# The least positive number.
SMALLEST = 5e-324


@final
@dataclass(frozen=True, eq=False)
class Sphere(Space):
    """{x : |x - center| = radius}, a sphere.

    Hardly any floating-point number lies on it. So `contains` takes a point x for a point of the
    sphere when | |x - center| - radius | <= 16 ε √n (max |center_i| + radius), where ε = 2^-52:
    some point of the sphere is no further from x than rounding its coordinates may move it.

    Parameters
    ----------
    center : array-like of shape (n,)
        With n >= 2.
    radius : float
        Positive and finite.
    metric : {"chordal", "geodesic"}, default "chordal"
        The distance: |x - y|, or the length of the arc from x to y.

    Raises
    ------
    ParameterError
        When the centre is not a finite vector of at least two coordinates, the radius not
        positive, or the metric is none of these.

    Examples
    --------
    >>> Sphere([0, 0], 1).contains([[0.6, 0.8], [0.5, 0.5]])
    array([ True, False])
    >>> Sphere([0, 0], 1, metric="geodesic").distance([[1.0, 0.0]], [[0.0, 1.0]])
    array([1.57079633])
    """

    center: np.ndarray
    radius: float
    metric: str = "chordal"

    def __post_init__(self) -> None:
        try:
            center = np.array(self.center, dtype=np.float64)
            radius = float(self.radius)
        except (TypeError, ValueError):
            center, radius = np.zeros(0), 0.0
        if center.shape == (1,):
            raise ParameterError(
                "A sphere in R^1 is two points.",
                got=f"center={show(self.center)}, radius={show(self.radius)}",
                need="a centre of at least two coordinates",
                do="Finite([[c - r], [c + r]])",
            )
        if (
            center.ndim != 1
            or not center.size
            or not np.isfinite(center).all()
            or not 0 < radius < inf
            or float(np.abs(center).max()) + radius == inf
        ):
            raise ParameterError(
                "The centre and radius do not make a sphere.",
                got=f"center={show(self.center)}, radius={show(self.radius)}",
                need="a finite vector of at least two coordinates, a positive finite radius",
                do="Sphere([0, 0], 1)",
            )
        if self.metric not in ("chordal", "geodesic"):
            raise ParameterError(
                f"metric={show(self.metric)} is no distance of a sphere.",
                got=f"metric={show(self.metric)}",
                need="'chordal' or 'geodesic'",
                do="Sphere([0, 0], 1, metric='geodesic')",
            )
        center.setflags(write=False)
        object.__setattr__(self, "center", center)
        object.__setattr__(self, "radius", radius)

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.center.shape

    @property
    def dimension(self) -> int:
        return self.size - 1

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
        return False

    @property
    def euclidean(self) -> bool:
        return self.metric == "chordal"

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return outward(self.center, -self.radius)[0], outward(self.center, self.radius)[1]

    def attains(self) -> tuple[np.ndarray, np.ndarray]:
        # Ends that are not representable are rounded to where no point is.
        return tuple(  # type: ignore[return-value]
            np.equal(*outward(self.center, r)) for r in (-self.radius, self.radius)
        )

    def inner_box(self) -> None:
        return None

    def chords(self) -> None:
        return None

    @property
    def _slack(self) -> float:
        size = float(np.abs(self.center).max()) + self.radius
        return 16 * sqrt(self.size) * (EPS * size + SMALLEST)

    def contains(self, points: Any) -> np.ndarray:
        array = self.points(points)
        low, high = self.bounds()
        with np.errstate(over="ignore"):
            off = np.abs(norms(array - self.center) - self.radius)
        return np.asarray((off <= self._slack) & ((array >= low) & (array <= high)).all(axis=1))

    def surely_contains(self, points: Any) -> np.ndarray:
        array = self.points(points)
        inside = self.contains(array)
        gaps = square_gaps(array[inside], self.center, self.radius)
        inside[inside] = [gap == 0 for gap in gaps]
        return inside

    def nearest(self, points: Any) -> np.ndarray:
        array = self.points(points)
        inside = self.contains(array)[:, None]
        return np.where(inside, array, self._at(array - self.center))

    def _at(self, direction: np.ndarray) -> np.ndarray:
        """The points of the sphere in the given directions; in the first one for 0."""
        largest = np.abs(direction).max(axis=1, keepdims=True)
        ok = (largest > 0) & np.isfinite(largest)
        with np.errstate(over="ignore", invalid="ignore"):
            # Beside a tiny centre a tiny direction may overflow when it is scaled.
            scaled = direction / np.where(ok, largest, 1.0)
        unit = np.where(ok, scaled, np.eye(1, self.size))
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
        return np.clip(self.center + self.radius * unit, *self.bounds())

    def reach(self, point: Any) -> float:
        far = farthest_corner(self.center, self.center, np.asarray(point, dtype=np.float64))
        return add([far, self.radius], up=True)

    def _includes(self, other: Space) -> bool:
        # A sphere contains no segment, no ball, and of its dimension no sphere but itself.
        return (
            isinstance(other, Sphere)
            and np.array_equal(self.center, other.center)
            and self.radius == other.radius
        )

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        rng = np.random.default_rng(random_state)
        direction = rng.standard_normal((n, self.size))
        # An eighth are poles, another eighth lie on a great sphere between them.
        kind, axis = rng.random(n), rng.integers(self.size, size=n)
        poles = np.eye(self.size)[axis] * np.where(rng.random((n, 1)) < 0.5, -1.0, 1.0)
        flat = np.where(np.eye(self.size, dtype=bool)[axis], 0.0, direction)
        direction = np.where((kind < 0.125)[:, None], poles, direction)
        return self._at(np.where((kind > 0.875)[:, None], flat, direction))

    @property
    def diameter(self) -> float:
        if self.euclidean:
            return 2 * self.radius
        return nextafter(pi * self.radius * (1 + 2 * EPS), inf)

    def distance(self, x: Any, y: Any) -> np.ndarray:
        if self.euclidean:
            return super().distance(x, y)
        u, v = ((self.points(p) - self.center) / self.radius for p in (x, y))
        # The half angle, accurate for near points and for antipodes (Kahan).
        across, along = norms(u - v), norms(u + v)
        return 2 * self.radius * np.arctan2(across, along)

    def _net(self, h: float) -> Plan:
        lost = 4 * self._slack
        if h <= 2 * lost:
            raise self._too_fine(h, 2 * lost)
        chord = h
        if not self.euclidean:
            # Arcs shorter than h are those over chords shorter than this.
            half = min(h / (2 * self.radius), pi / 2)
            chord = 2 * self.radius * sin(half) * (1 - 8 * EPS)
        room = (chord - lost) / self.radius
        if room >= 2:
            return 1, lambda: self._at(np.eye(1, self.size))
        # The faces of the cube [-1, 1]^n lie outside the ball, so moving them to the sphere
        # brings no two points further apart: nets of the faces become a net of the sphere.
        n = self.size
        cells = ceil(min(sqrt(n - 1) / room * (1 + 1e-9), 1e300))
        return 2 * n * cells ** (n - 1), self._faces(cells)

    def _faces(self, cells: int) -> Callable[[], np.ndarray]:
        def build() -> np.ndarray:
            n = self.size
            middles = (2 * np.arange(cells) + 1) / cells - 1
            face = axes_product([middles] * (n - 1))
            pieces = [
                np.insert(face, axis, side, axis=1) for axis in range(n) for side in (-1.0, 1.0)
            ]
            return self._at(np.concatenate(pieces))

        return build

    def __repr__(self) -> str:
        metric = "" if self.euclidean else f", metric={self.metric!r}"
        return f"Sphere({brief(self.center)}, {brief(np.array([self.radius]))[1:-1]}{metric})"
