"""x ↦ σ(x) in every coordinate: what follows from the shape of the curve σ.

A curve says where it turns and how steep it is; ranges, injectivity, constants and collisions of
the elementwise map then follow for every space. This is where each theorem about activations is
proved once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import inf
from typing import Any, ClassVar

import numpy as np
import torch

from ..interval import ULPS, widen
from ..map import Fact
from ..proof import Reason, Strength
from ..property import (
    Affine,
    Continuous,
    Homeomorphism,
    Injective,
    Lipschitz,
    LowerLipschitz,
    PositivelyHomogeneous,
    Proper,
    Smooth,
)
from ..spaces import Box, Image, Space
from ..witness import Collision
from .elementwise import Elementwise

__all__ = ["Curve"]


class Curve(Elementwise):
    """x ↦ σ(x_i), a continuous curve in every coordinate; abstract.

    A subclass gives the curve itself (`curve`), the interior points where its direction changes
    (`turns`) with the direction on each piece between them (`ways`), its limits (`ends`), and its
    steepness: the slope on each piece if it is piecewise linear (`piece_slopes`), else its
    derivative, the points where that is extreme (`bends`), 0 (`flats`) or jumps (`kinks`), and its
    limits. Where it is not smooth, `joints` and `cusps` say how smooth it is.
    """

    __slots__ = ()
    turns: ClassVar[tuple[float, ...]] = ()
    ways: ClassVar[tuple[int, ...]] = (1,)
    ends: ClassVar[tuple[float, float]] = (-inf, inf)
    piece_slopes: ClassVar[tuple[float, ...]] = ()
    bends: ClassVar[tuple[float, ...]] = ()
    flats: ClassVar[tuple[float, ...]] = ()
    slope_ends: ClassVar[tuple[float, float]] = (0.0, 0.0)
    # Points where the slope is infinite.
    verticals: ClassVar[tuple[float, ...]] = ()
    # Points where the slope jumps, with the slopes before and after.
    kinks: ClassVar[tuple[tuple[float, float, float], ...]] = ()
    # Intervals on which a curve that is not piecewise linear is linear.
    straight: ClassVar[tuple[tuple[float, float], ...]] = ()
    # Points where two smooth curves meet, with the k for which σ is C^k there and not C^(k+1).
    rough: ClassVar[tuple[tuple[float, int], ...]] = ()
    # The same where already the one-sided derivatives of order k + 1 do not exist.
    cusps: ClassVar[tuple[tuple[float, int], ...]] = ()
    # How far the turning points, bends and flats may be from where they are said to be.
    margin: ClassVar[float] = 0.0
    # The absolute error of slopes, where terms cancel and a relative one says nothing.
    noise: ClassVar[float] = 0.0
    # Whether the slopes of the pieces are the given numbers, and not rounded.
    exact_slopes: ClassVar[bool] = True

    def reference(self, x: np.ndarray) -> np.ndarray:
        """σ(x) at finite points, right to the last few bits; override where `curve` is not."""
        with torch.no_grad():
            return self.curve(torch.from_numpy(np.ascontiguousarray(x))).numpy()

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """σ'(x) at finite points, for a curve that is not piecewise linear."""
        raise TypeError(f"{type(self).__name__} gives neither piece_slopes nor a derivative")

    def slopes(
        self, low: np.ndarray, high: np.ndarray, margin: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The infimum and the supremum of |σ'| over [low, high], coordinate by coordinate.

        Bounds for all points need a positive `margin`, by which special points may be displaced.
        """
        if self.piece_slopes:
            return self._pieces(low, high, np.abs(self.piece_slopes))
        values = [np.abs(self._slope_at(low)), np.abs(self._slope_at(high))]
        for kink, before, after in self.kinks:
            values[0] = np.where(low == kink, abs(after), values[0])
            values[1] = np.where(high == kink, abs(before), values[1])
        for kink, *slopes in self.kinks:
            inside = (low < kink) & (kink < high)
            values += [np.where(inside, abs(slope), values[0]) for slope in slopes]
        for bend in self.bends:
            inside = (low < bend) & (bend < high)
            values.append(np.where(inside, abs(float(self.derivative(np.array(bend)))), values[0]))
        least, most = np.minimum.reduce(values), np.maximum.reduce(values)
        # A slope that underflows is not 0.
        at_infinity = (np.isinf(low) & (self.slope_ends[0] == 0)) | (
            np.isinf(high) & (self.slope_ends[1] == 0)
        )
        least = np.where(at_infinity, 0.0, np.maximum(least, np.finfo(np.float64).tiny))
        for flat in self.flats:
            near = (low - margin <= flat) & (flat <= high + margin)
            least = np.where(near, 0.0, least)
        for left, right in self._flat_pieces:
            least = np.where(np.maximum(low, left) < np.minimum(high, right), 0.0, least)
        for vertical in self.verticals:
            most = np.where((low <= vertical) & (vertical <= high), inf, most)
        return least, most

    def _pieces(
        self, low: np.ndarray, high: np.ndarray, slopes: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest of the given slopes of the pieces that [low, high] meets."""
        least, most = np.full(low.shape, inf), np.full(low.shape, -inf)
        for i, slope in enumerate(slopes):
            left, right = self._piece(i)
            # A single point lies in the piece that contains it.
            meets = np.maximum(low, left) < np.minimum(high, right)
            meets |= (low == high) & (left <= low) & (low <= right)
            least = np.where(meets, np.minimum(least, slope), least)
            most = np.where(meets, np.maximum(most, slope), most)
        return least, most

    def _slope_at(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            inner = self.derivative(np.where(np.isinf(x), 1.0, x))
        # An overflowing slope is finite unless the curve is vertical there.
        inner = np.clip(inner, -np.finfo(np.float64).max, np.finfo(np.float64).max)
        inner = np.where(np.isneginf(x), self.slope_ends[0], inner)
        return np.where(np.isposinf(x), self.slope_ends[1], inner)

    def merge(self, low: float, high: float) -> tuple[float, float, bool]:
        """Two points of [low, high] with one value, and whether they collide exactly."""
        for i, way in enumerate(self.ways):
            left, right = self._piece(i)
            a, b = max(left, low), min(right, high)
            if way == 0 and a < b:
                a = max(a, b - 1.0) if a == -inf else a
                return a, min(b, max(a + 1.0, float(np.nextafter(a, inf)))), True
        return self._straddle(low, high)

    def _straddle(self, low: float, high: float) -> tuple[float, float, bool]:
        """Points on both sides of a turning point, found by bisection."""
        turn = next(t for t in self.turns if low < t < high)
        left, right = max(low, turn - 1.0), min(high, turn + 1.0)
        value = self._scalar
        rising = value(turn) > value(left)
        # The side that comes back less far fixes the level that both sides reach.
        level = max(value(left), value(right)) if rising else min(value(left), value(right))

        def solve(a: float, b: float) -> float:
            for _ in range(200):
                middle = (a + b) / 2
                if (value(middle) > level) == rising:
                    b = middle
                else:
                    a = middle
            return a

        return solve(left, turn), solve(right, turn), False

    # --- derived -----------------------------------------------------------------------------
    @property
    def joints(self) -> tuple[tuple[float, int], ...]:
        """Points where smooth pieces meet, with the k for which σ is C^k there and not C^(k+1)."""
        slopes = self.piece_slopes
        bent = zip(self.turns, pairwise(slopes), strict=False)
        return self.rough + tuple((t, 0) for t, (a, b) in bent if a != b)

    @property
    def _flat_pieces(self) -> list[tuple[float, float]]:
        return [self._piece(i) for i, way in enumerate(self.ways) if way == 0]

    @property
    def _ulps(self) -> int:
        """How far computed slopes may be off, in units of the last place."""
        return 0 if self.piece_slopes and self.exact_slopes else ULPS

    def _piece(self, i: int) -> tuple[float, float]:
        edges = (-inf, *self.turns, inf)
        return edges[i], edges[i + 1]

    def _values(self, x: np.ndarray) -> np.ndarray:
        # 1 lies in the domain of every curve.
        finite = np.where(np.isinf(x), 1.0, x)
        values = self.reference(finite)
        values = np.where(np.isneginf(x), self.ends[0], values)
        return np.where(np.isposinf(x), self.ends[1], values)

    def _scalar(self, x: float) -> float:
        return float(self._values(np.array([x]))[0])

    def range_over(
        self, low: np.ndarray, high: np.ndarray, margin: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The least and greatest value over [low, high], up to rounding of σ.

        With a positive `margin` they enclose the values, with a negative one they are reached.
        """
        corners = [self._values(low), self._values(high)]
        for turn in self.turns:
            inside = (low < turn) & (turn < high)
            if inside.any():
                corners.append(np.where(inside, self._scalar(turn), corners[0]))
        return np.minimum.reduce(corners), np.maximum.reduce(corners)

    def strictly_monotone(self, low: np.ndarray, high: np.ndarray, margin: float) -> np.ndarray:
        """Where σ is strictly monotone on [low, high]; a single point counts.

        Pieces are taken to be longer by `margin`; a negative one makes them shorter.
        """
        ups, downs = np.zeros(low.shape, bool), np.zeros(low.shape, bool)
        flat = np.zeros(low.shape, bool)
        for i, way in enumerate(self.ways):
            left, right = self._piece(i)
            meets = np.maximum(low, left - margin) < np.minimum(high, right + margin)
            ups |= meets & (way > 0)
            downs |= meets & (way < 0)
            flat |= meets & (way == 0)
        return ~flat & ~(ups & downs)

    def image(self, on: Space) -> Image:
        if self.undefined(on) is not None:
            return super().image(on)
        ulps = 0 if self.exact else ULPS
        low, high = self.range_over(*on.bounds(), self.margin)
        floor, ceiling = min(self.ends), max(self.ends)
        low, high = widen(low, False, ulps), widen(high, True, ulps)
        # The limits of a curve without turns enclose it, and those of straight pieces that turn
        # to no other direction; a curve with a pole may go one way and still leave them.
        if self.start == -inf and (not self.turns or (self.piece_slopes and min(self.ways) >= 0)):
            # Rounding must not push a value past a limit that it never reaches.
            low, high = np.maximum(low, floor), np.minimum(high, ceiling)
        outer = Box(np.minimum(low, high), high)
        box = on.inner_box()
        if box is None:
            return Image(outer)
        low, high = self.range_over(box.low, box.high, -self.margin)
        low, high = self._reached(box, low, high)
        # A limit at infinity is approached and not reached.
        limit = np.isinf(box.low) | np.isinf(box.high)
        with np.errstate(over="ignore"):
            step = 1e-6 * np.minimum(high - low, 1.0)
        low = np.where(limit & np.isfinite(low), low + step, low)
        high = np.where(limit & np.isfinite(high), high - step, high)
        low, high = widen(low, True, ulps), widen(high, False, ulps)
        return Image(outer, Box(low, high) if (low < high).all() else None)

    def _reached(
        self, box: Box, low: np.ndarray, high: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The ends of a range, those cut off that are infinite only because they overflow."""
        most = np.finfo(np.float64).max
        limits = (
            np.where(np.isinf(box.low), self.ends[0], 0.0),
            np.where(np.isinf(box.high), self.ends[1], 0.0),
        )
        deep, tall = np.minimum(*limits) == -inf, np.maximum(*limits) == inf
        low, high = np.minimum(low, most), np.maximum(high, -most)
        return np.where(deep, low, np.maximum(low, -most)), np.where(
            tall, high, np.minimum(high, most)
        )

    def smoothness(self, low: np.ndarray, high: np.ndarray) -> float:
        """The greatest k for which σ on each [low, high] extends to a C^k function."""
        found = inf
        for point, order in self.joints:
            # On one side of a joint σ is a smooth curve that goes on beyond it.
            found = min(found, order) if ((low < point) & (point < high)).any() else found
        for point, order in self.cusps:
            meets = (low <= point) & (point <= high) & (low < high)
            found = min(found, order) if meets.any() else found
        return float(found)

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.undefined(on) is not None:
            return
        yield Continuous, f"{self.title} is continuous"
        low, high = on.bounds()
        monotone = self.strictly_monotone(low, high, self.margin) | (low == high)
        if monotone.all():
            yield Injective, f"{self.title} is strictly monotone on each range"
            # The image of an interval is an interval, and a monotone map onto one cannot jump.
            yield Homeomorphism, f"{self.title} is strictly monotone on each range, and so inverse"
        least, steepest = self.slopes(low, high, self.margin)
        top = float(widen(steepest, True, self._ulps).max()) + self.noise
        if top < inf:
            yield Lipschitz(top), f"the slope of {self.title} is at most {top:.6g}"
        if monotone.all():
            bottom = float(widen(least, False, self._ulps).min()) - self.noise
            if bottom > 0:
                yield LowerLipschitz(bottom), f"the slope of {self.title} is at least {bottom:.6g}"
        if self._linear(low, high):
            yield Affine, f"{self.title} is linear on each range"
        yield Smooth(self.smoothness(low, high)), f"{self.title} is made of smooth pieces"
        if self.degree is not None:
            yield PositivelyHomogeneous(self.degree), f"{self.title}(tx) = t^p {self.title}(x)"
        grows = (np.isfinite(low) | np.isinf(self.ends[0])) & (
            np.isfinite(high) | np.isinf(self.ends[1])
        )
        if on.is_closed and grows.all():
            yield Proper, f"|{self.title}| goes to infinity wherever a range does"
        yield from self._exhibited(on)

    def _linear(self, low: np.ndarray, high: np.ndarray) -> bool:
        if self.piece_slopes:
            return bool(np.equal(*self._pieces(low, high, self.piece_slopes)).all())
        inside = [(a <= low) & (high <= b) for a, b in self.straight]
        return bool(np.logical_or.reduce([low == high, *inside]).all())

    def _exhibited(self, on: Space) -> Iterator[Fact]:
        chords = on.chords()
        if chords is None:
            return
        low, high, point = chords
        stays = (np.isinf(low) & np.isfinite(self.ends[0])) | (
            np.isinf(high) & np.isfinite(self.ends[1])
        )
        if stays.any():
            yield ~Proper, f"{self.title} stays bounded as one coordinate goes to infinity"
        order = self.smoothness(low, high)
        if order < inf:
            yield (~Smooth)(order), f"{self.title} has a kink, or a higher derivative jumps"
        size = np.maximum(1.0, np.maximum(np.abs(low), np.abs(high)))
        step = self.margin * np.where(np.isinf(size), 0.0, size)
        low, high = low + step, high - step
        real = low < high
        if not real.any():
            return
        least, steepest = self.slopes(low, high)
        steepest = widen(steepest, False, self._ulps) - self.noise
        most = np.where(least == 0, 0.0, widen(least, True, self._ulps) + self.noise)
        if (real & (most < steepest)).any():
            yield ~Affine, f"the slope of {self.title} changes"
        elif (
            self.piece_slopes
            and (real & np.less(*self._pieces(low, high, self.piece_slopes))).any()
        ):
            yield ~Affine, f"{self.title} has a kink there"
        top = float(np.where(real, steepest, 0.0).max())
        bottom = float(np.where(real, most, inf).min())
        if top > 0:
            yield (~Lipschitz)(top), f"the slope of {self.title} comes near {top:.6g}"
        yield (~LowerLipschitz)(bottom), f"the slope of {self.title} comes near {bottom:.6g}"
        merged = real & ~self.strictly_monotone(low, high, -self.margin)
        if not merged.any():
            return
        where = tuple(np.argwhere(merged)[0])
        a, b, exactly = self.merge(float(low[where]), float(high[where]))
        x, y = np.array(point, dtype=float), np.array(point, dtype=float)
        x[where], y[where] = a, b
        text = f"{self.title} takes one value at {a:.6g} and {b:.6g}"
        if not exactly:
            text = f"{self.title} rises and falls, so it takes one value near {a:.6g} and {b:.6g}"
        strength = Strength.WITNESS if exactly else Strength.THEOREM
        yield ~Injective, Reason(text, strength, witness=Collision(x, y, text, exactly))
