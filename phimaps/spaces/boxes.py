"""Spaces that are products of intervals: boxes, images, the orthant, the whole space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from ..interval import root_sum_squares
from .base import Space

__all__ = ["Box", "Boxlike", "Euclidean", "Images", "NonNegative", "brief"]

UNBOUNDED_SPREAD = 10.0


class Boxlike(Space):
    """A product of closed intervals, possibly unbounded; abstract."""

    low: np.ndarray
    high: np.ndarray

    @property
    def compact(self) -> bool:
        return bool(np.isfinite(self.low).all() and np.isfinite(self.high).all())

    @property
    def infinite(self) -> bool:
        return bool((self.low < self.high).any())

    @property
    def interior(self) -> bool:
        return bool((self.low < self.high).all())

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self.low, self.high

    def inner_box(self) -> Box | None:
        return Box(self.low, self.high) if self.interior else None

    def chords(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.low, self.high, self.centre

    @property
    def centre(self) -> np.ndarray:
        """A point well inside: the midpoint where the interval is bounded."""
        with np.errstate(invalid="ignore", over="ignore"):
            middle = self.low / 2 + self.high / 2
        middle = np.where(np.isneginf(self.low) & np.isfinite(self.high), self.high - 1, middle)
        middle = np.where(np.isfinite(self.low) & np.isposinf(self.high), self.low + 1, middle)
        middle = np.where(np.isinf(self.low) & np.isinf(self.high), 0.0, middle)
        return np.clip(middle, self.low, self.high)

    def contains(self, points: Any) -> np.ndarray:
        array = self.points(points)
        inside = (array >= self.low) & (array <= self.high)
        return np.asarray(inside.reshape(len(array), -1).all(axis=1))

    def is_subset(self, other: Space) -> bool:
        if other.shape != self.shape:
            return False
        if isinstance(other, Boxlike):
            return bool((other.low <= self.low).all() and (self.high <= other.high).all())
        return other.contains_box(self) if hasattr(other, "contains_box") else False

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        rng = np.random.default_rng(random_state)
        low = np.where(np.isinf(self.low), np.minimum(self.high, UNBOUNDED_SPREAD) - 20, self.low)
        low = np.where(np.isinf(self.low) & np.isinf(self.high), -UNBOUNDED_SPREAD, low)
        high = np.where(np.isinf(self.high), low + 2 * UNBOUNDED_SPREAD, self.high)
        points = low + rng.random((n, *self.shape)) * (high - low)
        # A quarter of the coordinates lie on the boundary, where bounds are attained.
        snap = rng.random(points.shape)
        points = np.where(snap < 0.125, low, np.where(snap > 0.875, high, points))
        return np.clip(points, self.low, self.high)

    @property
    def diameter(self) -> float:
        with np.errstate(over="ignore"):
            return root_sum_squares(np.nextafter(self.high - self.low, np.inf).ravel(), up=True)


@final
@dataclass(frozen=True, eq=False)
class Box(Boxlike):
    """{x : low <= x <= high}, a closed box.

    Parameters
    ----------
    low, high : array-like
        Bounds of the point's shape; ``-inf`` and ``inf`` leave a side open.

    Raises
    ------
    ParameterError
        When the shapes differ, a bound is NaN, or low exceeds high.

    Examples
    --------
    >>> Box([0, 0], [1, 2])
    Box([0, 0], [1, 2])
    >>> Box([0, 0], [1, 1]).is_subset(Box([0, 0], [1, 2]))
    True
    """

    low: np.ndarray
    high: np.ndarray

    def __post_init__(self) -> None:
        try:
            low = np.array(self.low, dtype=np.float64)
            high = np.array(self.high, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ParameterError(
                "The bounds of a box must be numbers.",
                got=f"low={show(self.low)}, high={show(self.high)}",
                need="array-likes of numbers",
                do="Box([0, 0], [1, 1])",
            ) from error
        if low.shape != high.shape or not low.ndim or np.isnan(low).any() or np.isnan(high).any():
            odd = "have different shapes" if low.shape != high.shape else "contain NaN"
            raise ParameterError(
                f"The bounds {odd if low.ndim else 'are not arrays'}.",
                got=f"low of shape {low.shape}, high of shape {high.shape}",
                need="bounds of one shape, of at least one dimension, without NaN",
                do="Box([0, 0], [1, 1])",
            )
        if (low > high).any():
            first = tuple(map(int, np.argwhere(low > high)[0]))
            raise ParameterError(
                f"low exceeds high at coordinate {first[0] if len(first) == 1 else first}.",
                got=f"low={low[first]:g}, high={high[first]:g}",
                need="low <= high in every coordinate",
                do="exchange the bounds",
            )
        # Points are finite, so an infinite lower end says only that it overflowed.
        most = np.finfo(np.float64).max
        low, high = np.minimum(low, most), np.maximum(high, -most)
        low.setflags(write=False)
        high.setflags(write=False)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.low.shape

    def __repr__(self) -> str:
        return f"Box({brief(self.low)}, {brief(self.high)})"


@final
@dataclass(frozen=True, eq=False)
class Euclidean(Boxlike):
    """R^d, the whole space.

    Parameters
    ----------
    shape : int or tuple of int
        The dimension, or the shape of a point.

    Examples
    --------
    >>> Euclidean(3).compact
    False
    """

    shape: tuple[int, ...]  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _shape(self.shape, "Euclidean"))

    @cached_property
    def low(self) -> np.ndarray:  # type: ignore[override]
        return np.full(self.shape, -np.inf)

    @cached_property
    def high(self) -> np.ndarray:  # type: ignore[override]
        return np.full(self.shape, np.inf)

    def __repr__(self) -> str:
        return f"Euclidean({_shape_text(self.shape)})"


@final
@dataclass(frozen=True, eq=False)
class NonNegative(Boxlike):
    """{x : x >= 0}, the non-negative orthant.

    Parameters
    ----------
    shape : int or tuple of int

    Examples
    --------
    >>> NonNegative(2).contains([[0.0, 1.0], [-1.0, 1.0]])
    array([ True, False])
    """

    shape: tuple[int, ...]  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _shape(self.shape, "NonNegative"))

    @cached_property
    def low(self) -> np.ndarray:  # type: ignore[override]
        return np.zeros(self.shape)

    @cached_property
    def high(self) -> np.ndarray:  # type: ignore[override]
        return np.full(self.shape, np.inf)

    def __repr__(self) -> str:
        return f"NonNegative({_shape_text(self.shape)})"


@final
@dataclass(frozen=True, eq=False)
class Images(Boxlike):
    """Images (channels, height, width) with pixel values in [low, high].

    Parameters
    ----------
    channels, height, width : int
    pixel_low, pixel_high : float, default 0 and 1

    Examples
    --------
    >>> Images(3, 8, 8).shape
    (3, 8, 8)
    """

    channels: int
    height: int
    width: int
    pixel_low: float = 0.0
    pixel_high: float = 1.0

    def __post_init__(self) -> None:
        _shape((self.channels, self.height, self.width), "Images")
        ends = (self.pixel_low, self.pixel_high)
        if not all(isinstance(e, Real) for e in ends) or not self.pixel_low < self.pixel_high:
            raise ParameterError(
                "The pixel range is empty.",
                got=f"pixel_low={show(self.pixel_low)}, pixel_high={show(self.pixel_high)}",
                need="pixel_low < pixel_high",
                do="Images(channels, height, width, 0, 1)",
            )

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.channels, self.height, self.width)

    @cached_property
    def low(self) -> np.ndarray:  # type: ignore[override]
        return np.full(self.shape, float(self.pixel_low))

    @cached_property
    def high(self) -> np.ndarray:  # type: ignore[override]
        return np.full(self.shape, float(self.pixel_high))

    def __repr__(self) -> str:
        size = f"{self.channels}, {self.height}, {self.width}"
        return f"Images({size}, {self.pixel_low:g}, {self.pixel_high:g})"


def _shape(shape: Any, owner: str) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    whole = all(isinstance(s, int | np.integer) and not isinstance(s, bool) for s in sizes)
    if not sizes or not whole or min(sizes) < 1:
        raise ParameterError(
            f"{owner} needs a positive number of coordinates.",
            got=show(shape),
            need="a positive int, or a tuple of them",
            do=f"{owner}(3)" if owner != "Images" else "Images(1, 8, 8)",
        )
    return tuple(int(s) for s in sizes)


def _shape_text(shape: tuple[int, ...]) -> str:
    return str(shape[0]) if len(shape) == 1 else str(shape)


def brief(values: np.ndarray) -> str:
    """A short text for an array: every number, or the one that they all are, or the shape."""
    values = np.asarray(values)
    if values.size > 1 and (values == values.flat[0]).all() and values.size > 4:
        return f"[{values.flat[0]:.4g}]*{'x'.join(map(str, values.shape))}"
    if values.ndim == 1 and values.size <= 6:
        return "[" + ", ".join(map(_number, values.tolist())) + "]"
    return f"float64[{', '.join(map(str, values.shape))}]"


def _number(value: float) -> str:
    # As short as evaluates back to the same number.
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
