"""Products of intervals, with or without their ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from ..interval import root_sum_squares
from .base import Plan, Space
from .grid import grid, rounding_unit
from .rounding import outward

__all__ = ["Box", "Boxlike", "Interval", "brief"]

UNBOUNDED_SPREAD = 10.0
SIDES = ("both", "left", "right", "neither")


class Boxlike(Space):
    """A product of intervals, possibly unbounded; abstract."""

    low: np.ndarray
    high: np.ndarray
    closed: str = "both"

    @property
    def dimension(self) -> int:
        return int((self.low < self.high).sum())

    @property
    def is_closed(self) -> bool:
        low_in, high_in = self.attains()
        return bool((low_in | np.isinf(self.low)).all() and (high_in | np.isinf(self.high)).all())

    @property
    def compact(self) -> bool:
        finite = np.isfinite(self.low).all() and np.isfinite(self.high).all()
        return bool(finite) and self.is_closed

    @property
    def infinite(self) -> bool:
        return bool((self.low < self.high).any())

    @property
    def interior(self) -> bool:
        return bool((self.low < self.high).all())

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self.low, self.high

    def attains(self) -> tuple[np.ndarray, np.ndarray]:
        return (
            np.isfinite(self.low) & (self.closed in ("both", "left")),
            np.isfinite(self.high) & (self.closed in ("both", "right")),
        )

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest representable coordinates; infinite where unbounded."""
        low, high = self.low, self.high
        with np.errstate(over="ignore", under="ignore"):
            if self.closed in ("neither", "right"):
                low = np.where(np.isinf(low), low, np.nextafter(low, np.inf))
            if self.closed in ("neither", "left"):
                high = np.where(np.isinf(high), high, np.nextafter(high, -np.inf))
        return low, high

    def inner_box(self) -> Box | None:
        low, high = self.ends
        return Box(low, high) if (low < high).all() else None

    def chords(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return *self.ends, self.centre

    @property
    def centre(self) -> np.ndarray:
        """A point well inside: the midpoint where the interval is bounded."""
        with np.errstate(invalid="ignore", over="ignore"):
            middle = self.low / 2 + self.high / 2
        middle = np.where(np.isneginf(self.low) & np.isfinite(self.high), self.high - 1, middle)
        middle = np.where(np.isfinite(self.low) & np.isposinf(self.high), self.low + 1, middle)
        middle = np.where(np.isinf(self.low) & np.isinf(self.high), 0.0, middle)
        return np.clip(middle, *self.ends)

    def contains(self, points: Any) -> np.ndarray:
        array, (low, high) = self.points(points), self.ends
        inside = (array >= low) & (array <= high)
        return np.asarray(inside.reshape(len(array), self.size).all(axis=1))

    def nearest(self, points: Any) -> np.ndarray:
        return np.clip(self.points(points), *self.ends)

    def _includes(self, other: Space) -> bool:
        low, high = other.bounds()
        mine, theirs = self.attains(), other.attains()
        # An open end is no matter to a space that does not attain its own.
        below = (self.low < low) | ((self.low == low) & (mine[0] | ~theirs[0]))
        above = (high < self.high) | ((high == self.high) & (mine[1] | ~theirs[1]))
        return bool(below.all() and above.all())

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        rng = np.random.default_rng(random_state)
        low = np.where(np.isinf(self.low), np.minimum(self.high, UNBOUNDED_SPREAD) - 20, self.low)
        low = np.where(np.isinf(self.low) & np.isinf(self.high), -UNBOUNDED_SPREAD, low)
        high = np.where(np.isinf(self.high), low + 2 * UNBOUNDED_SPREAD, self.high)
        share = rng.random((n, *self.shape))
        with np.errstate(over="ignore", invalid="ignore"):
            width = high - low
            points = np.where(
                np.isinf(width), low * (1 - share) + high * share, low + share * width
            )
        # A quarter of the coordinates lie on the boundary, where bounds are attained.
        snap = rng.random(points.shape)
        points = np.where(snap < 0.125, low, np.where(snap > 0.875, high, points))
        return np.clip(points, *self.ends)

    @property
    def diameter(self) -> float:
        return root_sum_squares(outward(self.high, -self.low)[1].ravel().tolist(), up=True)

    def _net(self, h: float) -> Plan:
        count, build = grid(self.low.ravel(), self.high.ravel(), h)
        if count < 0:
            unit = float(rounding_unit(self.low, self.high).max())
            raise self._too_fine(h, 2 * unit * sqrt(self.size))
        return count, lambda: build().reshape(-1, *self.shape)


@final
@dataclass(frozen=True, eq=False)
class Box(Boxlike):
    """{x : low <= x <= high}, a box, with or without its finite ends.

    Parameters
    ----------
    low, high : array-like
        Bounds of the point's shape; ``-inf`` and ``inf`` leave a side unbounded.
    closed : {"both", "left", "right", "neither"}, default "both"
        Which finite ends belong to the box, the same for all coordinates: ``"left"`` makes it
        {x : low <= x < high}.

    Raises
    ------
    ParameterError
        When the shapes differ, a bound is NaN, low exceeds high, or no point is left between open
        ends.

    Examples
    --------
    >>> Box([0, 0], [1, 2])
    Box([0, 0], [1, 2])
    >>> Box([0, 0], [1, 1]).is_subset(Box([0, 0], [1, 2]))
    True
    >>> Box([0], [1], closed="left").contains([[0.0], [1.0]])
    array([ True, False])
    """

    low: np.ndarray
    high: np.ndarray
    closed: str = field(default="both", kw_only=True)

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
                f"low exceeds high at coordinate {_place(first)}.",
                got=f"low={low[first]:g}, high={high[first]:g}",
                need="low <= high in every coordinate",
                do="exchange the bounds",
            )
        if not isinstance(self.closed, str) or self.closed not in SIDES:
            raise ParameterError(
                f"closed={show(self.closed)} does not say which ends belong to the box.",
                got=f"closed={show(self.closed)}",
                need="'both', 'left', 'right' or 'neither'",
                do="Box([0], [1], closed='left')",
            )
        # Points are finite, so an infinite lower end says only that it overflowed.
        most = np.finfo(np.float64).max
        low, high = np.minimum(low, most), np.maximum(high, -most)
        low.setflags(write=False)
        high.setflags(write=False)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        least, greatest = self.ends
        none = (least > greatest) | np.isposinf(least) | np.isneginf(greatest)
        if none.any():
            first = tuple(map(int, np.argwhere(none)[0]))
            raise ParameterError(
                f"No point lies between the open ends at coordinate {_place(first)}.",
                got=f"low={low[first]:g}, high={high[first]:g}, closed={self.closed!r}",
                need="a representable number between the ends where one of them is open",
                do="closed='both', or bounds that are further apart",
            )

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.low.shape

    def __repr__(self) -> str:
        closed = "" if self.closed == "both" else f", closed={self.closed!r}"
        return f"Box({brief(self.low)}, {brief(self.high)}{closed})"


def Interval(low: float, high: float, closed: str = "both") -> Box:
    """{x ∈ R : low <= x <= high}, the box of one coordinate.

    Parameters
    ----------
    low, high : float
        ``-inf`` and ``inf`` leave a side unbounded.
    closed : {"both", "left", "right", "neither"}, default "both"
        Which finite ends belong to it.

    Returns
    -------
    Box
        Of shape (1,).

    Raises
    ------
    ParameterError
        As of `Box`.

    Examples
    --------
    >>> import phimaps as pm
    >>> positive = Interval(0, float("inf"), closed="neither")
    >>> pm.decide(pm.Log(), pm.Injective, on=positive).holds
    True
    """
    return Box([low], [high], closed=closed)  # type: ignore[arg-type]


def _place(index: tuple[int, ...]) -> int | tuple[int, ...]:
    return index[0] if len(index) == 1 else index


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
