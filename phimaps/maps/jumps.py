"""Elementwise maps with jumps: thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import ClassVar, final

import numpy as np
import torch
from sklearn.utils._param_validation import Interval as Range
from sklearn.utils._param_validation import Real
from torch.nn import functional

from ..map import Fact
from ..property import (
    Affine,
    Borel,
    Continuous,
    Homeomorphism,
    Injective,
    Lipschitz,
    LowerLipschitz,
    PositivelyHomogeneous,
    Smooth,
)
from ..spaces import Box, Image, Space
from ..witness import Collision
from .elementwise import Elementwise, fits_float32

__all__ = ["Hardshrink", "Jump", "Step"]


class Jump(Elementwise):
    """x ↦ σ(x_i), linear on finitely many pieces, with a step up from each to the next; abstract.

    So σ never decreases, and the values of different pieces differ. A subclass gives the points
    between the pieces (`cuts`), each with whether it belongs to the piece on its left, and the
    slopes of the pieces, and the limits of σ.
    """

    __slots__ = ()
    cuts: ClassVar[tuple[tuple[float, bool], ...]] = ()
    piece_slopes: ClassVar[tuple[float, ...]] = ()
    ends: ClassVar[tuple[float, float]] = (-inf, inf)

    def _value(self, x: np.ndarray) -> np.ndarray:
        """σ(x), its limit where x is infinite."""
        with torch.no_grad():
            values = self.curve(torch.from_numpy(np.where(np.isinf(x), 0.0, x))).numpy()
        values = np.where(np.isneginf(x), self.ends[0], values)
        return np.where(np.isposinf(x), self.ends[1], values)

    def _overlap(
        self, low: np.ndarray, high: np.ndarray, i: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The ends of the part of [low, high] in the closure of piece i; whether it meets it."""
        left, from_left = self.cuts[i - 1] if i else (-inf, True)
        right, to_right = self.cuts[i] if i < len(self.cuts) else (inf, False)
        a, b = np.maximum(low, left), np.minimum(high, right)
        alone = (a == b) & ~((a == left) & from_left) & ~((b == right) & (not to_right))
        return a, b, (a < b) | alone

    def _pieces(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which pieces [low, high] meets, and in which of them it has an interval."""
        parts = [self._overlap(low, high, i) for i in range(len(self.piece_slopes))]
        return np.stack([m for _, _, m in parts]), np.stack([a < b for a, b, _ in parts])

    def image(self, on: Space) -> Image:
        low, high = (self._value(b) for b in on.bounds())
        box = on.inner_box()
        if box is None:
            return Image(Box(low, high))
        ends = np.zeros((2, *on.shape))
        for i, slope in enumerate(self.piece_slopes):
            a, b, _ = self._overlap(box.low, box.high, i)
            # The cuts themselves may belong to the next piece.
            a = np.where(np.isinf(a), a, np.nextafter(a, inf))
            b = np.where(np.isinf(b), b, np.nextafter(b, -inf))
            with np.errstate(invalid="ignore", over="ignore"):
                better = (a < b) & (slope > 0) & (b - a > ends[1] - ends[0])
            ends = np.where(better, np.stack([a, b]), ends)
        if not (ends[0] < ends[1]).all():
            return Image(Box(low, high))
        return Image(Box(low, high), Box(self._value(ends[0]), self._value(ends[1])))

    def facts(self, on: Space) -> Iterator[Fact]:
        low, high = on.bounds()
        slopes = np.array(self.piece_slopes).reshape(-1, *[1] * low.ndim)
        meets, real = self._pieces(low, high)
        yield Borel, f"{self.title} is linear on each of finitely many intervals"
        if self.degree is not None:
            yield PositivelyHomogeneous(self.degree), f"{self.title}(tx) = t^p {self.title}(x)"
        rising = ~(real & (slopes == 0)).any(axis=0)
        if rising.all():
            why = "it rises on each piece that a coordinate ranges over, and from piece to piece"
            yield Injective, why
            least = float(np.where(real, slopes, inf).min())
            if 0 < least < inf:
                yield LowerLipschitz(least), why
        if (meets.sum(axis=0) == 1).all():
            why = f"{self.title} is linear on each range"
            yield Affine, why
            yield Continuous, why
            yield Smooth(inf), why
            yield Lipschitz(float(np.where(meets, slopes, 0.0).max())), why
            if rising.all():
                yield Homeomorphism, why
        yield from self._exhibited(on)

    def _exhibited(self, on: Space) -> Iterator[Fact]:
        chords = on.chords()
        if chords is None:
            return
        low, high, point = chords
        for cut, left in self.cuts:
            if ((low <= cut) & (cut < high) if left else (low < cut) & (cut <= high)).any():
                why = f"{self.title} jumps at {cut:g}"
                yield ~Continuous, why
                yield ~Affine, why
                yield ~Smooth, why
                break
        for i, slope in enumerate(self.piece_slopes):
            a, b, _ = self._overlap(low, high, i)
            real = a < b
            if not real.any():
                continue
            yield (~Lipschitz)(slope), f"the slope of {self.title} is {slope:g} there"
            yield (~LowerLipschitz)(slope), f"the slope of {self.title} is {slope:g} there"
            pair = self._pair(a, b, real, point) if slope == 0 else None
            if pair is not None:
                text = f"{self.title} takes one value on an interval"
                yield ~Injective, Collision(*pair, text)

    def _pair(
        self, a: np.ndarray, b: np.ndarray, real: np.ndarray, point: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Two points of one value on a chord that has an interval in a flat piece."""
        for where in map(tuple, np.argwhere(real)[:8]):
            low, high = float(a[where]), float(b[where])
            low = max(low, min(high, 2.0) - 4.0)
            high = min(high, low + 4.0)
            places = np.array([low, low + (high - low) / 4, low + (high - low) / 2, high])
            values = self._value(places)
            same = np.unique(places[values == values[2]])
            if len(same) > 1:
                x, y = np.array(point, dtype=float), np.array(point, dtype=float)
                x[where], y[where] = same[0], same[-1]
                return x, y
        return None


@final
class Hardshrink(Jump):
    """x ↦ x for |x| > λ, 0 for |x| <= λ: hard thresholding, with jumps at -λ and λ.

    Parameters
    ----------
    lambd : float, default 0.5
        The threshold λ, at least 0.

    Examples
    --------
    >>> Hardshrink().fit_transform([[-2.0, 0.25, 0.5, 2.0]])
    array([[-2.,  0.,  0.,  2.]])
    """

    lambd: float = 0.5

    _parameter_constraints = {"lambd": [Range(Real, 0, None, closed="left")]}
    exact = True
    title = "hardshrink"

    @property
    def cuts(self) -> tuple[tuple[float, bool], ...]:  # type: ignore[override]
        return ((-float(self.lambd), False), (float(self.lambd), True)) if self.lambd else ()

    @property
    def piece_slopes(self) -> tuple[float, ...]:  # type: ignore[override]
        return (1.0, 0.0, 1.0) if self.lambd else (1.0,)

    def rounds(self, on: Space) -> bool:
        return not fits_float32(float(self.lambd))

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return functional.hardshrink(x, float(self.lambd))


@final
class Step(Jump):
    """x ↦ 1 for x > threshold, 0 for x <= threshold: the Heaviside function, shifted.

    Its derivative, where there is one, is 0.

    Parameters
    ----------
    threshold : float, default 0

    Examples
    --------
    >>> Step().fit_transform([[-1.0, 0.0, 2.0]])
    array([[0., 0., 1.]])
    """

    threshold: float = 0.0

    _parameter_constraints = {"threshold": [Range(Real, None, None, closed="neither")]}
    exact = True
    piece_slopes = (0.0, 0.0)
    ends = (0.0, 1.0)
    title = "step"

    @property
    def cuts(self) -> tuple[tuple[float, bool], ...]:  # type: ignore[override]
        return ((float(self.threshold), True),)

    @property
    def degree(self) -> float | None:  # type: ignore[override]
        return 0 if self.threshold == 0 else None

    def rounds(self, on: Space) -> bool:
        return not fits_float32(float(self.threshold))

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        # The difference of two floats is 0 only if they are equal, and sign has derivative 0.
        return torch.sign(torch.relu(x - float(self.threshold)))
