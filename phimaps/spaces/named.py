"""The boxes that have names: the whole space, the orthant, images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from .boxes import Boxlike

__all__ = ["Euclidean", "Images", "NonNegative"]


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
