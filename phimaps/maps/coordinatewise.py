"""x ↦ (φ_1(x_1), ..., φ_d(x_d)): each coordinate through a curve of its own.

A subclass says what is known of one curve on one interval; what follows for the map on a space is
worked out here, once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, final

import numpy as np
import torch

from ..errors import ParameterError, ShapeError
from ..map import Fact, FeatureMap
from ..proof import Reason, Strength
from ..property import (
    Affine,
    Borel,
    Continuous,
    Injective,
    Lipschitz,
    LowerLipschitz,
    Smooth,
)
from ..spaces import Box, Image, Product, Space
from ..witness import Collision

__all__ = ["Coordinatewise", "Stretch", "few_values", "two_points"]

# Coordinates with more values than this are taken to range over an interval.
FEW = 10_000


@final
@dataclass(frozen=True)
class Stretch:
    """What is known of a curve on a closed interval, its ends included.

    The first group holds for all its points, and silence claims nothing; the second is certainly
    exhibited by some of them.

    Parameters
    ----------
    steady, parted, straight : bool
        Whether the curve is certainly continuous, injective, affine.
    steepest, flattest : float
        Its Lipschitz constant is at most, its lower Lipschitz constant at least this.
    smooth : float
        It is at least this often continuously differentiable.
    jump : float, optional
        A point at which it jumps.
    bent : bool
        Whether it is certainly not affine.
    merged : tuple of (float, float, bool), optional
        Two points with one value, and whether they collide exactly.
    steep, flat : float
        Its Lipschitz constant is at least, its lower Lipschitz constant at most this.
    rough : float
        It is at most this often continuously differentiable.
    """

    steady: bool = False
    parted: bool = False
    straight: bool = False
    steepest: float = inf
    flattest: float = 0.0
    smooth: float = 0.0
    jump: float | None = None
    bent: bool = False
    merged: tuple[float, float, bool] | None = None
    steep: float = 0.0
    flat: float = inf
    rough: float = inf


POINT = Stretch(True, True, True, 0.0, inf, inf)
CONSTANT = Stretch(True, False, True, 0.0, 0.0, inf, flat=0.0)


class Coordinatewise(FeatureMap):
    """x ↦ (φ_1(x_1), ..., φ_d(x_d)), a curve for each coordinate; abstract.

    Each curve is continuous but at finitely many points. The outputs stand in the order of the
    coordinates. Values are computed in float64, so that thresholds mean the same in both
    precisions.
    """

    __slots__ = ()
    title: ClassVar[str] = ""
    # Whether the values are computed without rounding.
    exact: ClassVar[bool] = False

    @property
    @abstractmethod
    def width(self) -> int:
        """The number of coordinates d."""

    @abstractmethod
    def blocks(self) -> list[int]:
        """How many outputs each coordinate has."""

    @abstractmethod
    def evaluate(self, x: torch.Tensor) -> torch.Tensor:
        """φ(x) for a float64 tensor of shape (n, d)."""

    @abstractmethod
    def stretch(self, i: int, low: float, high: float) -> Stretch:
        """What is known of φ_i on [low, high], where low < high; the ends may be infinite."""

    @abstractmethod
    def reach(self, i: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        """Bounds for the values of φ_i on [low, high], rounded outward."""

    def filled(self, i: int, low: float, high: float) -> tuple[float, float] | None:
        """An interval of values that a curve in R certainly takes on [low, high]."""
        return None

    # --- derived -----------------------------------------------------------------------------
    @property
    def takes(self) -> tuple[int, ...] | None:
        return (self.width,)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (sum(self.blocks()),)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim != 2 or x.shape[1] != self.width:
            raise ShapeError(
                f"X has {x.shape[1] if x.ndim > 1 else 0} features, but {type(self).__name__} is "
                f"expecting {self.width} features as input.",
                got=f"shape {tuple(x.shape)}",
                need=f"shape (n, {self.width})",
                do="pass rows of that width; put Flatten() first for images",
            )
        return self.evaluate(x.to(torch.float64)).to(x.dtype)

    def rounds(self, on: Space) -> bool:
        return not self.exact

    def image(self, on: Space) -> Image:
        if self.undefined(on) is not None:
            return super().image(on)
        low, high = on.bounds()
        ranges = [self.reach(i, float(low[i]), float(high[i])) for i in range(self.width)]
        outer = Box(*(np.concatenate(side) for side in zip(*ranges, strict=True)))
        box = on.inner_box()
        if box is None:
            return Image(outer)
        inner = [self.filled(i, float(box.low[i]), float(box.high[i])) for i in range(self.width)]
        sure = [v for v in inner if v is not None and v[0] < v[1]]
        return Image(outer, Box(*np.array(sure).T) if len(sure) == self.width else None)

    def among(self, i: int, values: np.ndarray) -> Stretch:
        """What is known of φ_i on finitely many values, at least two and sorted."""
        return self.stretch(i, float(values[0]), float(values[-1]))

    def _known(self, on: Space) -> list[Stretch]:
        """What is known of each curve on all the values that its coordinate takes."""
        if "known" in self.memo and self.memo["known"][0] is on:
            return self.memo["known"][1]
        low, high = on.bounds()
        found = []
        for i in range(self.width):
            values = few_values(on, i)
            if low[i] == high[i]:
                found.append(POINT)
            elif values is not None:
                found.append(self.among(i, values))
            else:
                found.append(self.stretch(i, float(low[i]), float(high[i])))
        self.memo["known"] = (on, found)
        return found

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.undefined(on) is not None:
            return
        known = self._known(on)
        yield Borel, f"{self.title} is continuous but at finitely many points of each coordinate"
        if all(s.steady for s in known):
            yield Continuous, f"{self.title} is continuous on each range"
        if all(s.parted for s in known):
            yield Injective, f"{self.title} separates the values of each range"
        top = max(s.steepest for s in known)
        if top < inf:
            yield Lipschitz(top), f"the slope of {self.title} is at most {top:.6g} on each range"
        bottom = min(s.flattest for s in known)
        if 0 < bottom < inf:
            yield LowerLipschitz(bottom), f"{self.title} shrinks each range at most by {bottom:.6g}"
        if all(s.straight for s in known):
            yield Affine, f"{self.title} is linear on each range"
        order = min(s.smooth for s in known)
        if order > 0:
            yield Smooth(order), f"the pieces of {self.title} fit together so smoothly"
        yield from self._exhibited(on)

    def _exhibited(self, on: Space) -> Iterator[Fact]:
        chords = on.chords()
        if chords is None:
            yield from self._exchanged(on)
            return
        low, high, point = (np.asarray(c, dtype=float) for c in chords)
        known = {
            i: self.stretch(i, float(low[i]), float(high[i]))
            for i in range(self.width)
            if low[i] < high[i]
        }
        if not known:
            return
        jumps = [(i, s.jump) for i, s in known.items() if s.jump is not None]
        if jumps:
            i, place = jumps[0]
            text = f"{self.title} jumps at {place:.6g} in coordinate {i}"
            yield ~Continuous, text
            yield (~Lipschitz)(inf), text
            yield (~Smooth)(0.0), text
        bent = [i for i, s in known.items() if s.bent]
        if bent:
            yield ~Affine, f"{self.title} is not linear in coordinate {bent[0]}"
        top = max(s.steep for s in known.values())
        if top > 0:
            yield (~Lipschitz)(top), f"the slope of {self.title} comes near {top:.6g}"
        bottom = min(s.flat for s in known.values())
        if bottom < inf:
            yield (~LowerLipschitz)(bottom), f"the slope of {self.title} comes near {bottom:.6g}"
        order = min(s.rough for s in known.values())
        if order < inf:
            yield (~Smooth)(order), f"derivative {order + 1:.0f} of {self.title} breaks"
        merged = [(i, s.merged) for i, s in known.items() if s.merged is not None]
        if merged:
            yield self._collision(point, *merged[0])

    def _exchanged(self, on: Space) -> Iterator[Fact]:
        """Collisions on a product with finite parts, where one value is put for another."""
        if not on.infinite:
            return
        point = on.sample(1)[0]
        for i, s in enumerate(self._known(on)):
            if s.merged is None or few_values(on, i) is None:
                continue
            both = np.stack([point, point])
            both[:, i] = s.merged[:2]
            if on.contains(both).all():
                yield self._collision(point, i, s.merged)
                return

    def _collision(self, point: np.ndarray, i: int, merged: tuple[float, float, bool]) -> Fact:
        a, b, exact = merged
        x, y = point.copy(), point.copy()
        x[i], y[i] = a, b
        text = f"{self.title} takes one value at {a:.6g} and {b:.6g} in coordinate {i}"
        strength = Strength.WITNESS if exact else Strength.THEOREM
        return ~Injective, Reason(text, strength, witness=Collision(x, y, text, exact))


def few_values(on: Space, i: int) -> np.ndarray | None:
    """The values of a coordinate, sorted, where they are known to be few."""
    while isinstance(on, Product):
        part = 0
        while i >= on.parts[part].size:
            i, part = i - on.parts[part].size, part + 1
        on = on.parts[part]
    if on.infinite:
        return None
    try:
        found = on.enumerate()
    except ParameterError:
        return None
    if found is None or found.size > FEW:
        return None
    return np.unique(found[:, i] + 0.0)


def two_points(low: float, high: float, skip: Any = ()) -> tuple[float, float] | None:
    """Two different points of [low, high], none of those to be skipped; None if none is found.

    Examples
    --------
    >>> two_points(0.0, inf)
    (0.0, 1.0)
    """
    if not low < high:
        return None
    most = float(np.finfo(np.float64).max)
    start = low if low > -inf else min(0.0, high - max(1.0, abs(high))) if high < inf else 0.0
    stop = high if high < inf else max(start + 1.0, float(np.nextafter(start, inf)))
    start, stop = max(start, -most), min(stop, most)
    known = {float(v) for v in skip}
    shares = (0.0, 1.0, 0.5, 0.25, 0.75, 0.3, 0.6, 0.1, 0.9)
    found = [start * (1 - s) + stop * s for s in shares]
    found += [float(np.nextafter(start, inf)), float(np.nextafter(stop, -inf))]
    free = sorted({v for v in found if low <= v <= high and v not in known})
    return (free[0], free[-1]) if len(free) > 1 else None
