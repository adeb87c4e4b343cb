"""The distribution function of data, as a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import exp, inf, nextafter, pi, sqrt
from typing import Any, ClassVar, final

import numpy as np
import torch
from scipy.special import ndtri
from sklearn.utils._param_validation import StrOptions

from ..errors import ParameterError
from ..interval import EPS
from ..map import FeatureMap
from .coordinatewise import CONSTANT, Coordinatewise, Stretch, two_points

__all__ = ["Quantile"]

# scikit-learn's distance from the ends, in x and in the level, within which values are cut off.
CUT = 1e-7
LEVEL = CUT - float(np.spacing(1.0))
# Of more quantiles than this a jump may be as small as the level cut off.
MANY = 10**6
LEAST, MOST = float(ndtri(LEVEL)), float(ndtri(1 - LEVEL))


@final
@dataclass(frozen=True)
class Levels:
    """A step-and-ramp function: knots, with the limits there from the left and from the right."""

    knots: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @cached_property
    def slopes(self) -> np.ndarray:
        """The slope between neighbouring knots."""
        with np.errstate(over="ignore"):
            return (self.left[1:] - self.right[:-1]) / np.diff(self.knots)

    @property
    def ties(self) -> np.ndarray:
        """The knots at which the function jumps."""
        return self.knots[self.left < self.right]

    def at(self, x: float, side: int = 0) -> float:
        """The value at x, or the limit from the left (-1) or from the right (1)."""
        j = int(np.searchsorted(self.knots, x))
        if j < len(self.knots) and self.knots[j] == x:
            ends = float(self.left[j]), float(self.right[j])
            return ends[0] if side < 0 else ends[1] if side > 0 else sum(ends) / 2
        if j == 0 or j == len(self.knots):
            return float(self.left[0] if j == 0 else self.right[-1])
        share = (x - self.knots[j - 1]) / (self.knots[j] - self.knots[j - 1])
        return float(self.right[j - 1] + share * (self.left[j] - self.right[j - 1]))

    def solve(self, level: float) -> float:
        """A point at which the function passes the level."""
        j = int(np.searchsorted(self.right, level))
        if j == 0 or j == len(self.knots) or self.left[j] < level:
            return float(self.knots[min(j, len(self.knots) - 1)])
        x = self.knots[j - 1] + (level - self.right[j - 1]) / self.slopes[j - 1]
        return float(min(max(x, self.knots[j - 1]), self.knots[j]))

    def met(self, low: float, high: float) -> np.ndarray:
        """The slopes of the ramps that [low, high] meets in more than a point."""
        return self.slopes[(self.knots[:-1] < high) & (low < self.knots[1:])]


@final
class Quantile(Coordinatewise):
    """x ↦ F(x_i), the piecewise linear distribution function with given quantiles, or Φ⁻¹(F(x_i)).

    At a quantile that occurs several times F jumps, and takes the middle of the jump.

    Parameters
    ----------
    quantiles : array-like of shape (n, d)
        Non-decreasing down each column; the k-th of n has the level (k - 1) / (n - 1).
    output : {"uniform", "normal"}, default "uniform"
        F itself, or the normal quantile of its value, cut off at the level 1e-7 on both sides;
        then F counts as 0 and 1 within 1e-7 of the first and the last quantile.

    Notes
    -----
    The function is that of scikit-learn's ``QuantileTransformer``. It is constant outside the
    quantiles, and strictly increasing between the first and the last. The normal output is constant
    a little way inside, too.

    Examples
    --------
    >>> Quantile([[0.0], [1.0], [3.0]]).fit_transform([[2.0], [9.0]])
    array([[0.75],
           [1.  ]])
    """

    quantiles: Any
    output: str = "uniform"

    arrays: ClassVar[dict[str, int]] = {"quantiles": 2}
    title: ClassVar[str] = "the distribution function"
    _parameter_constraints = {"output": [StrOptions({"uniform", "normal"})]}

    def check_parameters(self) -> None:
        super().check_parameters()
        if (np.diff(self.array("quantiles"), axis=0) < 0).any():
            raise ParameterError(
                "The 'quantiles' parameter of Quantile is not sorted.",
                got=f"quantiles of shape {self.array('quantiles').shape}, decreasing somewhere",
                need="numbers that do not decrease down a column",
                do="Quantile(np.sort(quantiles, axis=0))",
            )

    @property
    def width(self) -> int:
        return int(self.array("quantiles").shape[1])

    def blocks(self) -> list[int]:
        return [1] * self.width

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return names

    def levels(self, i: int) -> Levels:
        """The function F of a coordinate."""
        key = ("levels", i)
        if key not in self._cache:
            q = self.array("quantiles")[:, i]
            r = np.linspace(0, 1, len(q))
            knots, first, counts = np.unique(q, return_index=True, return_counts=True)
            self._cache[key] = Levels(knots, r[first], r[first + counts - 1])
        return self._cache[key]

    def cuts(self, i: int) -> tuple[float, float]:
        """The least and the greatest x at which the normal output looks at F."""
        q = self.array("quantiles")[:, i]
        return _edge(float(q[0]), 1), _edge(float(q[-1]), -1)

    # --- evaluation --------------------------------------------------------------------------
    def evaluate(self, x: torch.Tensor) -> torch.Tensor:
        (q,) = self.weights(x)
        n = len(q)
        q, t = q.T.contiguous(), x.detach().T.contiguous()
        r = torch.from_numpy(np.linspace(0, 1, n)).to(x)
        after = torch.searchsorted(q, t, right=True)
        before = torch.searchsorted(q, t)
        below = (after - 1).clamp(0, max(n - 2, 0))
        above = (below + 1).clamp(max=n - 1)
        start, stop = q.gather(1, below), q.gather(1, above)
        inside = (after > 0) & (after < n)
        width = torch.where(inside, stop - start, torch.ones_like(start))
        base = torch.where(after == 0, r[0], torch.where(inside, r[below], r[-1]))
        # Divided first: the slope itself may overflow.
        share = torch.where(inside, x.T - start, torch.zeros_like(start)) / width
        value = base + share * torch.where(inside, r[above] - r[below], torch.zeros_like(start))
        # At a quantile the middle of the jump, which is 0 where it occurs once.
        met = after > before
        middle = (r[before.clamp(max=n - 1)] + r[(after - 1).clamp(min=0)]) / 2
        value = torch.where(met, middle + value - value.detach(), value)
        value = torch.where(torch.isnan(t), t, value)
        low, high = q[:, :1], q[:, -1:]
        if self.output == "uniform":
            value = torch.where(t == high, torch.ones_like(value), value)
            return torch.where(t == low, torch.zeros_like(value), value).T
        value = torch.where(t + CUT > high, torch.ones_like(value), value)
        value = torch.where(t - CUT < low, torch.zeros_like(value), value)
        # Kept off the levels 0 and 1, where the slope of the normal quantile is infinite.
        kept = torch.where(
            (value > LEVEL) & (value < 1 - LEVEL), value, torch.full_like(value, 0.5)
        )
        normal = torch.special.ndtri(kept).clamp(LEAST, MOST)
        normal = torch.where(value <= LEVEL, torch.full_like(value, LEAST), normal)
        normal = torch.where(value >= 1 - LEVEL, torch.full_like(value, MOST), normal)
        return torch.where(torch.isnan(t), t, normal).T

    # --- what is known -----------------------------------------------------------------------
    def stretch(self, i: int, low: float, high: float) -> Stretch:
        levels = self.levels(i)
        if self.output == "normal":
            return self._normal(levels, self.cuts(i), low, high)
        first, last = float(levels.knots[0]), float(levels.knots[-1])
        if first == last:
            return self._step(levels, low, high)
        inside = first <= low and high <= last
        left, right = two_points(low, min(first, high)), two_points(max(last, low), high)
        if high <= first or low >= last:
            # At the first and the last quantile the value is 0 and 1, whatever jumps there.
            pair = left if high <= first else right
            return CONSTANT if pair is None else replace(CONSTANT, merged=(*pair, True))
        ties = levels.ties[(low <= levels.ties) & (levels.ties <= high)]
        met = levels.met(low, high)
        most = float(np.finfo(np.float64).max)
        steep, flat = min(float(met.max()), most), float(met.min())
        if not inside:
            flat = 0.0
        kinked = not inside or met.max() > met.min() * (1 + 1e-9)
        pair = left or right
        steady = not ties.size
        return Stretch(
            steady=steady,
            parted=inside,
            straight=steady and inside and met.size == 1,
            steepest=steep * (1 + 16 * EPS) if steady and steep < most else inf,
            flattest=flat * (1 - 16 * EPS) if inside else 0.0,
            smooth=inf if steady and inside and met.size == 1 else 0.0,
            jump=float(ties[0]) if ties.size else None,
            bent=bool(kinked or ties.size),
            merged=None if pair is None else (*pair, True),
            steep=steep * (1 - 16 * EPS),
            flat=flat * (1 + 16 * EPS),
            rough=0.0 if kinked or ties.size else inf,
        )

    @staticmethod
    def _step(levels: Levels, low: float, high: float) -> Stretch:
        """One distinct quantile: 0 up to it, and 1 (of one quantile in all, 0) beyond."""
        place = float(levels.knots[0])
        jumps = levels.left[0] < levels.right[0] and low <= place < high
        left, right = two_points(low, min(place, high)), None
        if high > place:
            right = two_points(max(low, nextafter(place, inf)), high)
        pair = left or right
        merged = None if pair is None else (*pair, True)
        if not jumps:
            return replace(CONSTANT, merged=merged)
        return Stretch(jump=place, bent=low < place, merged=merged, flat=0.0, rough=0.0)

    def _normal(
        self, levels: Levels, cuts: tuple[float, float], low: float, high: float
    ) -> Stretch:
        a, b = cuts
        c, sure = LEVEL, 1e-6
        if high < a or low > b >= a:
            pair = two_points(low, high)
            return CONSTANT if pair is None else replace(CONSTANT, merged=(*pair, True))
        if a > b or len(levels.knots) > MANY:
            return Stretch()
        # Beyond u and v the value is not cut off; before `lost` and after `gone` it is.
        start, end = levels.at(a), levels.at(b)
        u = a if start >= c * (1 + sure) else levels.solve(c * (1 + sure))
        v = b if end <= 1 - c * (1 + sure) else levels.solve(1 - c * (1 + sure))
        lost = nextafter(a, -inf) if start >= c * (1 - sure) else levels.solve(c * (1 - sure))
        gone = nextafter(b, inf) if end <= 1 - c * (1 - sure) else levels.solve(1 - c * (1 - sure))
        pair = two_points(low, min(lost, high)) or two_points(max(gone, low), high)
        parted = u <= low and high <= v
        ties = levels.ties[(levels.ties >= max(low, u)) & (levels.ties <= min(high, v))]
        jumps = [float(t) for t in ties if levels.at(t, 1) > 2 * c and levels.at(t, -1) < 1 - 2 * c]
        if low < a <= high and start > c * (1 + sure):
            jumps.append(a)
        if low <= b < high and end < 1 - c * (1 + sure):
            jumps.append(b)
        cut_off = (low < a and start > c * (1 - sure)) or (high > b and end < 1 - c * (1 - sure))
        any_tie = ((levels.ties >= low) & (levels.ties <= high)).any()
        steady = not cut_off and not any_tie
        met = levels.met(max(low, a), min(high, b))
        steepest, flattest = inf, 0.0
        if met.size and steady:
            ends = [levels.at(max(low, a)), levels.at(min(high, b))]
            normal = np.clip(ndtri(np.clip(ends, LEVEL, 1 - LEVEL)), LEAST, MOST)
            farthest = float(np.abs(normal).max()) * (1 + 1e-9)
            steepest = float(met.max()) * sqrt(2 * pi) * exp(farthest**2 / 2) * (1 + 1e-6)
        if met.size and parted:
            flattest = float(met.min()) * sqrt(2 * pi) * (1 - 1e-9)
        knots = levels.knots
        single = parted and steady and not ((low < knots) & (knots < high)).any()
        return Stretch(
            steady=steady,
            parted=parted,
            steepest=steepest,
            flattest=flattest,
            smooth=inf if single else 0.0,
            jump=jumps[0] if jumps else None,
            bent=bool(jumps),
            merged=None if pair is None else (*pair, True),
            flat=inf if pair is None else 0.0,
            rough=0.0 if jumps else inf,
        )

    def _values(self, i: int, low: float, high: float) -> tuple[float, float]:
        """The values at the ends; the curve does not decrease."""
        rows = np.zeros((2, self.width))
        most = float(np.finfo(np.float64).max)
        rows[:, i] = max(low, -most), min(high, most)
        with torch.no_grad():
            values = self.evaluate(torch.from_numpy(rows))[:, i]
        return float(values[0]), float(values[1])

    def reach(self, i: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        a, b = self._values(i, low, high)
        slack = 1e-9 if self.output == "normal" else 16 * EPS
        ends = (LEAST, MOST) if self.output == "normal" else (0.0, 1.0)
        low, high = max(a - slack, ends[0]), min(b + slack, ends[1])
        return np.array([low]), np.array([high])

    def filled(self, i: int, low: float, high: float) -> tuple[float, float] | None:
        if not self.stretch(i, low, high).steady:
            return None
        a, b = self._values(i, low, high)
        slack = 1e-9 if self.output == "normal" else 16 * EPS
        return a + slack, b - slack

    @classmethod
    def example(cls) -> FeatureMap:
        from sklearn.preprocessing import QuantileTransformer

        from .foreign import Transformer

        return Transformer(QuantileTransformer(n_quantiles=5, random_state=0))


def _edge(end: float, way: int) -> float:
    """The least x with x - 1e-7 >= end (way 1), or the greatest with x + 1e-7 <= end (-1)."""
    x = end + way * CUT
    while (x - CUT < end) if way > 0 else (x + CUT > end):
        x = nextafter(x, way * inf)
    while True:
        near = nextafter(x, -way * inf)
        if (near - CUT < end) if way > 0 else (near + CUT > end):
            return x
        x = near
