"""Rows divided by their norm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, sqrt
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Interval as Range
from sklearn.utils._param_validation import Real, StrOptions

from .. import property as prop
from ..interval import EPS
from ..map import Fact, FeatureMap
from ..map.codomain import Codomain, Directions
from ..proof import Reason, Strength
from ..property import (
    Bounded,
    Continuous,
    Injective,
    Lipschitz,
    LowerLipschitz,
    PositivelyHomogeneous,
    Smooth,
)
from ..spaces import Box, Image, Space
from ..witness import Collision

__all__ = ["UnitNorm"]


@final
class UnitNorm(FeatureMap):
    """x ↦ x / |x| where |x| >= floor, and x elsewhere, for a norm.

    Parameters
    ----------
    norm : {"l1", "l2", "max"}, default "l2"
        Σ |x_i|, √(Σ x_i²), max |x_i|.
    floor : float, default 10 machine epsilons
        From 0 to 1. scikit-learn's ``Normalizer`` leaves rows of a smaller norm as they are. At
        floor > 0 the map jumps.

    Examples
    --------
    >>> UnitNorm("l1").fit_transform([[1.0, -3.0]])
    array([[ 0.25, -0.75]])
    """

    norm: str = "l2"
    floor: float = 10 * EPS

    _parameter_constraints = {
        "norm": [StrOptions({"l1", "l2", "max"})],
        "floor": [Range(Real, 0, 1, closed="both")],
    }

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        # Dividing by the greatest entry first keeps huge rows from overflowing.
        size = flat.abs().amax(dim=1, keepdim=True)
        scaled = flat / torch.where(size > 0, size, torch.ones_like(size))
        order = {"l1": 1.0, "l2": 2.0, "max": inf}[self.norm]
        length = torch.linalg.vector_norm(scaled, ord=order, dim=1, keepdim=True)
        long = (size > 0) & (length >= float(self.floor) / torch.where(size > 0, size, 1.0))
        safe = torch.where(size > 0, length, torch.ones_like(length))
        return torch.where(long, scaled / safe, flat).reshape(x.shape)

    @property
    def keeps_shape(self) -> bool:
        return True

    @property
    def codomain(self) -> Codomain | None:
        # Near the sphere nothing is below a floor that is.
        return Directions() if self.norm == "l2" and float(self.floor) < 1 else None

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return names

    def image(self, on: Space) -> Image:
        low, high = on.bounds()
        return Image(Box(np.where(low < 0, -1.0, 0.0), np.where(high > 0, 1.0, 0.0)))

    def _length(self, x: np.ndarray) -> float:
        size = np.abs(x).ravel()
        if np.isinf(size).any():
            return inf
        most = float(size.max())
        if self.norm == "max" or most == 0:
            return most
        return most * float(np.linalg.norm(size / most, ord=1 if self.norm == "l1" else 2))

    def _span(self, low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
        """The least and the greatest norm in a box, up to rounding."""
        nearest = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
        return self._length(nearest), self._length(np.maximum(np.abs(low), np.abs(high)))

    def facts(self, on: Space) -> Iterator[Fact]:
        d, floor = on.size, float(self.floor)
        slack = 16 * EPS * (d + 4)
        most = sqrt(d) * (1 + 2 * EPS) if self.norm == "max" and d > 1 else 1.0
        yield Bounded(most), Reason(f"the norm of x / |x| is 1, and floor = {floor:g} <= 1")
        yield prop.Borel, "x / |x| is continuous where |x| >= floor, as x is elsewhere, but at 0"
        least, greatest = self._span(*on.bounds())
        least *= 1 - slack
        if greatest * (1 + slack) < floor:
            stays = Reason("all norms are below the floor, and x stays", Strength.DEFINITION)
            yield prop.Affine, stays
            yield Lipschitz(1.0), stays
            yield LowerLipschitz(1.0), stays
        elif least > 0 and least >= floor:
            yield Continuous, "|x| is continuous, and not 0"
            yield PositivelyHomogeneous(0), "tx / |tx| = x / |x| for t > 0"
            if self.norm == "l2":
                top, why = 1 / least, "|x/|x| - y/|y|| <= |x - y| / r for |x|, |y| >= r"
                yield Smooth(inf), "|x|² is a polynomial, and not 0"
            else:
                top = 2 * sqrt(d) / least
                why = "the norm of x/|x| - y/|y| is at most 2 |x - y| / |x|, and norms compare"
            if (top := top * (1 + slack)) < inf:
                yield Lipschitz(top), why
        box = on.inner_box()
        if box is not None:
            yield from self._exhibited(box, slack)

    def _exhibited(self, box: Box, slack: float) -> Iterator[Fact]:
        floor = float(self.floor)
        least, greatest = self._span(box.low, box.high)
        if floor < 0.5 and least * (1 + slack) < floor < greatest * (1 - slack):
            text = "where |x| passes the floor, the norm of the value leaps to 1"
        elif floor == 0 and least == 0:
            text = "x/k -> 0 while the direction does not change"
        else:
            text = ""
        if text:
            yield ~Continuous, text
            yield (~Lipschitz)(inf), text
            yield (~Smooth)(0.0), text
        if (pair := self._ray(box, floor * (1 + slack))) is not None:
            yield ~Injective, Collision(*pair, "points on one ray from 0 have one direction")

    def _ray(self, box: Box, floor: float) -> tuple[np.ndarray, np.ndarray] | None:
        """Two points of the box on one ray, of norms that are not below the floor."""
        corner = np.where(np.abs(box.high) > np.abs(box.low), box.high, box.low)
        reach = np.where(np.isinf(corner), np.sign(corner) * 8.0, corner)
        reach = np.clip(reach, box.low, box.high)
        for share in (0.5, 0.75, 0.25, 0.9):
            start: Any = box.centre * share + reach * (1 - share)
            # Few digits make the product below exact.
            with np.errstate(over="ignore"):
                short = np.asarray(start, dtype=np.float32).astype(np.float64)
            for power in range(1, 28):
                other = short * (1 - 2.0**-power)
                inside = np.isfinite(short).all() and box.contains(np.stack([short, other])).all()
                small = np.abs(other[other != 0]).min(initial=1.0) < 1e-30
                if inside and not small and self._length(other) > floor and short.any():
                    return short, other
        return None
