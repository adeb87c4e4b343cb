"""The coordinates of a vector in ascending order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import inf
from typing import final

import numpy as np
import torch

from ..map import Fact, FeatureMap
from ..map.items import rows_only
from ..property import (
    Affine,
    Continuous,
    Injective,
    Lipschitz,
    LowerLipschitz,
    PositivelyHomogeneous,
    Proper,
    Smooth,
)
from ..spaces import Box, Image, Space
from ..spaces.boxes import Boxlike
from ..witness import Collision

__all__ = ["Sort"]


@final
class Sort(FeatureMap):
    """x ↦ (x_(1), ..., x_(d)), the coordinates in ascending order.

    It forgets their order and nothing else, so it is injective where the order is known.

    Examples
    --------
    >>> Sort().fit_transform([[3.0, 1.0, 2.0]])
    array([[1., 2., 3.]])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows_only(self, x.shape)
        return torch.sort(x, dim=1).values

    def rounds(self, on: Space) -> bool:
        return False

    @property
    def keeps_shape(self) -> bool:
        return True

    def image(self, on: Space) -> Image:
        low, high = (b.ravel() for b in on.bounds())
        # The k-th smallest is monotone in every coordinate.
        outer = Box(np.sort(low).reshape(on.shape), np.sort(high).reshape(on.shape))
        box = on.inner_box()
        return Image(outer, None if box is None else self._inner(box))

    @staticmethod
    def _inner(box: Box) -> Box | None:
        low, high = box.low.ravel(), box.high.ravel()
        order = np.lexsort((high, low))
        if not (high[order][:-1] <= low[order][1:]).all():
            # Where all ranges overlap: one slice of the common range for each place.
            first, last = float(low.max()), float(high.min())
            first, last = max(first, min(last, 1.0) - 2.0), min(last, max(first, -1.0) + 2.0)
            with np.errstate(over="ignore", invalid="ignore"):
                cuts = first + (last - first) * np.arange(len(low) + 1) / len(low)
            cuts = np.clip(cuts, first, last)
            low, high, order = cuts[:-1], cuts[1:], np.arange(len(low))
        low, high = low[order].reshape(box.shape), high[order].reshape(box.shape)
        return Box(low, high) if (low < high).all() else None

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "the k-th smallest coordinate is a maximum of minima"
        why = "⟨sort x, sort y⟩ >= ⟨x, y⟩, the rearrangement inequality"
        yield Lipschitz(1.0), why
        yield PositivelyHomogeneous(1), "a positive factor keeps the order"
        if on.is_closed:
            yield Proper, "|sort x| = |x|"
        low, high = (b.ravel() for b in on.bounds())
        order = np.lexsort((high, low))
        if (high[order][:-1] <= low[order][1:]).all():
            why = "the ranges of the coordinates do not overlap, so their order is fixed"
            yield Affine, why
            yield Injective, why
            yield LowerLipschitz(1.0), why
            yield Smooth(inf), why
        chords = on.chords()
        if chords is not None:
            yield from self._exhibited(*(c.ravel() for c in chords))
        if isinstance(on, Boxlike):
            yield from self._exchanged(on)

    @staticmethod
    def _exhibited(low: np.ndarray, high: np.ndarray, point: np.ndarray) -> Iterator[Fact]:
        if (low < high).any():
            why = "a coordinate that moves between its neighbours moves one value as far"
            yield (~Lipschitz)(1.0), why
            yield (~LowerLipschitz)(1.0), why
        passed = (low[:, None] < point) & (point < high[:, None])
        np.fill_diagonal(passed, False)
        if passed.any():
            why = "a kink where one coordinate passes another"
            yield ~Affine, why
            yield ~Smooth, why

    @staticmethod
    def _exchanged(on: Boxlike) -> Iterator[Fact]:
        """Two points of a box that differ by an exchange of two coordinates."""
        (low, high), centre = on.bounds(), on.chords()[2]
        low, high = low.ravel(), high.ravel()
        order = np.lexsort((high, low))
        for i, j in pairwise(order):
            a, b = max(low[i], low[j]), min(high[i], high[j])
            if not a < b:
                continue
            a, b = max(a, min(b, 2.0) - 4.0), min(b, max(a, -2.0) + 4.0)
            first, last = a + (b - a) / 4, b - (b - a) / 4
            x, y = np.array(centre, dtype=float), np.array(centre, dtype=float)
            x.flat[i], x.flat[j] = first, last
            y.flat[i], y.flat[j] = last, first
            if first < last and on.contains(np.stack([x, y])).all():
                yield ~Injective, Collision(x, y, f"coordinates {i} and {j} are exchanged")
                return
