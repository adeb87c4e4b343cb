"""The product of spaces, with the l2 combination of their distances."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from ..interval import root_sum_squares
from .ball import Ball
from .base import Plan, Space
from .boxes import Box, Boxlike
from .grid import axes_product
from .sphere import Sphere

__all__ = ["Product", "shadow"]


@final
@dataclass(frozen=True, eq=False)
class Product(Space):
    """K_1 x ... x K_n, a point being the concatenation of its parts' vectors.

    The distance is sqrt(d_1² + ... + d_n²): where those of all parts are Euclidean, the Euclidean
    distance of the concatenations.

    Parameters
    ----------
    parts : tuple of Space
        Spaces of vectors (one-dimensional shapes).

    Examples
    --------
    >>> from phimaps.spaces import Ball
    >>> Product((Box([0], [1]), Ball([0, 0], 1))).shape
    (3,)
    """

    parts: tuple[Space, ...]

    def __post_init__(self) -> None:
        parts = tuple(self.parts) if isinstance(self.parts, tuple | list) else ()
        if not parts or any(not isinstance(p, Space) or len(p.shape) != 1 for p in parts):
            raise ParameterError(
                "A product is made of spaces of vectors.",
                got=show(self.parts),
                need="at least one Space with a one-dimensional shape",
                do="Product((Box([0], [1]), Ball([0, 0], 1)))",
            )
        object.__setattr__(self, "parts", parts)

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (sum(p.size for p in self.parts),)

    @property
    def dimension(self) -> int:
        return sum(p.dimension for p in self.parts)

    @property
    def is_closed(self) -> bool:
        return all(p.is_closed for p in self.parts)

    @property
    def compact(self) -> bool:
        return all(p.compact for p in self.parts)

    @property
    def infinite(self) -> bool:
        return any(p.infinite for p in self.parts)

    @property
    def interior(self) -> bool:
        return all(p.interior for p in self.parts)

    @property
    def euclidean(self) -> bool:
        return all(p.euclidean for p in self.parts)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = zip(*(p.bounds() for p in self.parts), strict=True)
        return np.concatenate(low), np.concatenate(high)

    def attains(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = zip(*(p.attains() for p in self.parts), strict=True)
        return np.concatenate(low), np.concatenate(high)

    def inner_box(self) -> Box | None:
        boxes = [p.inner_box() for p in self.parts]
        if any(b is None for b in boxes):
            return None
        return Box(
            np.concatenate([b.low for b in boxes if b is not None]),
            np.concatenate([b.high for b in boxes if b is not None]),
        )

    def chords(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        chords = [p.chords() for p in self.parts]
        if any(c is None for c in chords):
            return None
        low, high, point = zip(*(c for c in chords if c is not None), strict=True)
        return np.concatenate(low), np.concatenate(high), np.concatenate(point)

    @property
    def cuts(self) -> list[int]:
        """Where the parts begin, and where the last one ends."""
        return [0, *accumulate(p.size for p in self.parts)]

    def split(self, points: np.ndarray) -> list[np.ndarray]:
        """The parts of each point."""
        return np.split(points, self.cuts[1:-1], axis=1)

    def contains(self, points: Any) -> np.ndarray:
        pieces = self.split(self.points(points))
        inside = [p.contains(x) for p, x in zip(self.parts, pieces, strict=True)]
        return np.logical_and.reduce(inside)

    def surely_contains(self, points: Any) -> np.ndarray:
        pieces = self.split(self.points(points))
        inside = [p.surely_contains(x) for p, x in zip(self.parts, pieces, strict=True)]
        return np.logical_and.reduce(inside)

    def nearest(self, points: Any) -> np.ndarray:
        pieces = self.split(self.points(points))
        moved = [p.nearest(x) for p, x in zip(self.parts, pieces, strict=True)]
        return np.concatenate(moved, axis=1)

    def is_subset(self, other: Space) -> bool:
        # Part by part even where the parts are finite: their product may have many points.
        if isinstance(other, Product) and other.cuts == self.cuts:
            return all(a.is_subset(b) for a, b in zip(self.parts, other.parts, strict=True))
        return super().is_subset(other)

    def _includes(self, other: Space) -> bool:
        # A set lies in a product if and only if its projections lie in the parts.
        pieces = [shadow(other, a, b) for a, b in pairwise(self.cuts)]
        return all(s.is_subset(p) for s, p in zip(pieces, self.parts, strict=True))

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        rng = np.random.default_rng(random_state)
        return np.concatenate([p.sample(n, rng) for p in self.parts], axis=1)

    @property
    def diameter(self) -> float:
        return root_sum_squares([p.diameter for p in self.parts], up=True)

    def reach(self, point: Any) -> float:
        pieces = self.split(np.asarray(point, dtype=np.float64)[None])
        far = [p.reach(x[0]) for p, x in zip(self.parts, pieces, strict=True)]
        return root_sum_squares(far, up=True)

    def distance(self, x: Any, y: Any) -> np.ndarray:
        if self.euclidean:
            return super().distance(x, y)
        pieces = zip(self.split(self.points(x)), self.split(self.points(y)), strict=True)
        apart = [p.distance(a, b) for p, (a, b) in zip(self.parts, pieces, strict=True)]
        return np.linalg.norm(apart, axis=0)

    def _net(self, h: float) -> Plan:
        # Finite parts are listed in full, the others share h² equally.
        share = h / max(1, sum(p.infinite for p in self.parts)) ** 0.5 * (1 - 1e-9)
        plans = [p._net(share) for p in self.parts]
        count = prod(n for n, _ in plans)
        return count, lambda: axes_product([build() for _, build in plans])

    def __repr__(self) -> str:
        return "Product((" + ", ".join(map(repr, self.parts)) + ",))"


def shadow(space: Space, start: int, stop: int) -> Space:
    """The projection of a space of vectors to the coordinates start, ..., stop - 1.

    Where the library has no space for it, a box that contains it.
    """
    if (start, stop) == (0, space.size):
        return space
    low, high = space.bounds()
    if isinstance(space, Ball | Sphere):
        # Of a sphere too, as a coordinate is left out.
        return Ball(space.center[start:stop], space.radius)
    if isinstance(space, Product):
        met = [
            shadow(part, max(start - a, 0), min(stop, b) - a)
            for part, (a, b) in zip(space.parts, pairwise(space.cuts), strict=True)
            if a < stop and start < b
        ]
        return met[0] if len(met) == 1 else Product(tuple(met))
    closed = space.closed if isinstance(space, Boxlike) else "both"
    return Box(low[start:stop], high[start:stop], closed=closed)
