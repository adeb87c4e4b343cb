"""The product of spaces with the l2 product metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from ..interval import root_sum_squares
from .base import Space
from .boxes import Box

__all__ = ["Product"]


@final
@dataclass(frozen=True, eq=False)
class Product(Space):
    """K_1 x ... x K_n, a point being the concatenation of its parts' vectors.

    The distance is sqrt(d_1² + ... + d_n²), so it is the Euclidean distance of concatenations.

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
    def compact(self) -> bool:
        return all(p.compact for p in self.parts)

    @property
    def infinite(self) -> bool:
        return any(p.infinite for p in self.parts)

    @property
    def interior(self) -> bool:
        return all(p.interior for p in self.parts)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = zip(*(p.bounds() for p in self.parts), strict=True)
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

    def split(self, points: np.ndarray) -> list[np.ndarray]:
        """The parts of each point."""
        return np.split(points, np.cumsum([p.size for p in self.parts])[:-1], axis=1)

    def contains(self, points: Any) -> np.ndarray:
        pieces = self.split(self.points(points))
        inside = [p.contains(x) for p, x in zip(self.parts, pieces, strict=True)]
        return np.logical_and.reduce(inside)

    def is_subset(self, other: Space) -> bool:
        if other.shape != self.shape:
            return False
        if isinstance(other, Product) and [p.shape for p in self.parts] == [
            p.shape for p in other.parts
        ]:
            return all(a.is_subset(b) for a, b in zip(self.parts, other.parts, strict=True))
        return Box(*self.bounds()).is_subset(other)

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        rng = np.random.default_rng(random_state)
        return np.concatenate([p.sample(n, rng) for p in self.parts], axis=1)

    @property
    def diameter(self) -> float:
        return root_sum_squares([p.diameter for p in self.parts], up=True)

    def __repr__(self) -> str:
        return "Product((" + ", ".join(map(repr, self.parts)) + ",))"
