"""B-splines in each coordinate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isfinite, nextafter, sqrt
from typing import Any, ClassVar, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, StrOptions
from sklearn.utils._param_validation import Interval as Range

from ..errors import DomainError, ParameterError
from ..interval import EPS, root_sum_squares
from ..map import FeatureMap
from ..spaces import Space
from .coordinatewise import CONSTANT, Coordinatewise, Stretch, two_points

__all__ = ["Spline"]


@final
class Spline(Coordinatewise):
    """x ↦ (B_1(x_i), ..., B_n(x_i))_i, B-splines in each coordinate.

    Parameters
    ----------
    knots : array-like of shape (n_knots, d)
        Strictly increasing down each column. Before the first and after the last, the spacing at
        that end goes on.
    degree : int, default 3
    extrapolation : {"constant", "linear", "continue", "periodic", "error"}, default "constant"
        What the splines are beyond the first and the last knot: their values there, their tangents
        there, the outermost polynomials, repetitions, or not defined.
    include_bias : bool, default True
        Whether the last spline of each coordinate is kept; the splines of a coordinate sum to 1.

    Notes
    -----
    For a degree p >= 1, with ξ_j the mean of the p inner knots of B_j (the Greville abscissa),
    Σ ξ_j B_j(x) = x and Σ B_j(x) = 1 between the first and the last knot. So the map is injective
    there, |φ(x) - φ(y)| >= |x - y| / |ξ - c| for every constant c, and without the last spline the
    same with c = ξ_n. Tangents and outermost polynomials keep both identities on all of R.

    Periodic splines, n of them, have on each interval between knots their own set of p + 1 that
    are positive, and span the polynomials of degree p there: for n >= p + 2 they are injective on
    less than a period.

    References
    ----------
    Marsden (1970), An identity for spline functions with applications to variation-diminishing
    spline approximation.

    Examples
    --------
    >>> Spline([[0.0], [1.0], [2.0]], degree=1).fit_transform([[0.5], [3.0]])
    array([[0.5, 0.5, 0. ],
           [0. , 0. , 1. ]])
    """

    knots: Any
    degree: int = 3
    extrapolation: str = "constant"
    include_bias: bool = True

    arrays: ClassVar[dict[str, int]] = {"knots": 2}
    title: ClassVar[str] = "the spline basis"
    _parameter_constraints = {
        "degree": [Range(Integral, 0, None, closed="left")],
        "extrapolation": [
            StrOptions({"constant", "linear", "continue", "periodic", "error"}),
        ],
        "include_bias": ["boolean"],
    }

    def check_parameters(self) -> None:
        super().check_parameters()
        knots = self.array("knots")
        enough = 2 if self.extrapolation != "periodic" else max(2, int(self.degree) + 1)
        with np.errstate(over="ignore", invalid="ignore"):
            rising = len(knots) >= 2 and (np.diff(self.extended(knots), axis=0) > 0).all()
        if len(knots) < enough or not rising or not self.count:
            raise ParameterError(
                "The 'knots' parameter of Spline does not make a basis.",
                got=f"knots of shape {knots.shape}, degree={self.degree}",
                need=f"at least {enough + (not self.include_bias and not self.degree)} rows, "
                "strictly increasing down each column",
                do="Spline([[0.0], [1.0], [2.0]])",
            )

    # --- the shape ---------------------------------------------------------------------------
    @property
    def width(self) -> int:
        return int(self.array("knots").shape[1])

    @property
    def splines(self) -> int:
        """The number of B-splines of a coordinate, the last included."""
        intervals = len(self.array("knots")) - 1
        return intervals if self.extrapolation == "periodic" else intervals + int(self.degree)

    @property
    def count(self) -> int:
        """The number of outputs of a coordinate."""
        return self.splines - (not self.include_bias)

    def blocks(self) -> list[int]:
        return [self.count] * self.width

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return [f"{name}_sp_{j}" for name in names for j in range(self.count)]

    def extended(self, knots: np.ndarray) -> np.ndarray:
        """The knots with `degree` more on each side."""
        p = int(self.degree)
        if not p:
            return knots
        if self.extrapolation == "periodic":
            period = knots[-1] - knots[0]
            return np.concatenate([knots[-p - 1 : -1] - period, knots, knots[1 : p + 1] + period])
        first, last = knots[1] - knots[0], knots[-1] - knots[-2]
        below = np.linspace(knots[0] - p * first, knots[0] - first, num=p)
        above = np.linspace(knots[-1] + last, knots[-1] + p * last, num=p)
        return np.concatenate([below, knots, above])

    def column(self, i: int) -> np.ndarray:
        """The extended knots of a coordinate."""
        if "extended" not in self._cache:
            self._cache["extended"] = self.extended(np.array(self.array("knots")))
        return self._cache["extended"][:, i]

    def ends(self, i: int) -> tuple[float, float]:
        """The first and the last knot of a coordinate."""
        knots = self.array("knots")
        return float(knots[0, i]), float(knots[-1, i])

    def _beyond(self, i: int) -> tuple[float, float]:
        """The interval on which the splines of a coordinate are defined."""
        a, b = self.ends(i)
        if self.extrapolation == "error":
            return a, b
        # scikit-learn has no value there: it raises.
        return -inf, b if self.extrapolation == "constant" and not self.degree else inf

    def undefined(self, on: Space) -> str | None:
        low, high = on.bounds()
        for i in range(self.width):
            a, b = self._beyond(i)
            if low[i] < a or high[i] > b:
                reach = f"[{low[i]:g}, {high[i]:g}]"
                return f"coordinate {i} ranges over {reach}, the splines need [{a:g}, {b:g}]"
        return None

    # --- evaluation --------------------------------------------------------------------------
    def evaluate(self, x: torch.Tensor) -> torch.Tensor:
        (knots,) = self.weights(x)
        columns = [self._spread(x[:, i], knots[:, i], i) for i in range(x.shape[1])]
        return torch.cat(columns, dim=1)

    def _spread(self, x: torch.Tensor, knots: torch.Tensor, i: int) -> torch.Tensor:
        p, n = int(self.degree), self.splines
        t = torch.from_numpy(np.array(self.column(i))).to(x)
        a, b = t[p], t[len(t) - p - 1]
        floor, ceiling = self._beyond(i)
        outside = (x < floor) | (x > ceiling)
        if bool(outside.any()):
            row = int(outside.nonzero()[0])
            raise DomainError(
                f"The splines of coordinate {i} are not defined at {float(x[row]):g}.",
                got=f"x = {float(x[row]):g} in row {row}, coordinate {i}",
                need=f"{floor:g} <= x <= {ceiling:g}",
                do="drop the row, or extrapolation='linear'",
            )
        if self.extrapolation == "periodic":
            x = a + torch.remainder(x - a, b - a)
        inner = x if self.extrapolation == "continue" else torch.clamp(x, a, b)
        # Beyond its ends the last interval on each side goes on.
        place = torch.searchsorted(t, inner.detach().contiguous(), right=True) - 1
        place = place.clamp(p, len(t) - p - 2)
        values, slopes = _local(inner, t, place, p)
        if self.extrapolation == "linear":
            values = values + (x - inner)[:, None] * slopes
        if self.extrapolation == "constant" and not p:
            values = values * (x >= a)[:, None]
        index = place[:, None] - p + torch.arange(p + 1, device=x.device)
        out = torch.zeros((len(x), n), dtype=x.dtype, device=x.device)
        return out.scatter_add(1, index % n, values)[:, : self.count]

    # --- what is known -----------------------------------------------------------------------
    def stretch(self, i: int, low: float, high: float) -> Stretch:
        a, b = self.ends(i)
        if not self.degree:
            return self._steps(i, low, high)
        inside = a <= low and high <= b
        clamped = self.extrapolation in ("constant", "error")
        merged = None
        if self.extrapolation == "constant":
            if high <= a or low >= b:
                return _level(two_points(low, high))
            below, above = two_points(low, min(a, high)), two_points(max(b, low), high)
            found = below or above
            merged = (*found, True) if found else None
        if self.extrapolation == "periodic":
            return self._circle(i, low, high)
        order, break_ = self._orders(i, low, high)
        straight = self.degree == 1 and order == inf
        middle = max(low, a) < min(high, b)
        return Stretch(
            steady=True,
            parted=inside or not clamped,
            straight=straight,
            steepest=self._steepest(i) if inside or self.extrapolation != "continue" else inf,
            flattest=self._flattest(i) if inside or not clamped else 0.0,
            smooth=order,
            bent=break_ == 0 or (self.degree > 1 and middle),
            merged=merged,
            flat=inf if merged is None else 0.0,
            rough=break_,
        )

    def _orders(self, i: int, low: float, high: float) -> tuple[float, float]:
        """How smooth the splines are on [low, high], at least and at most."""
        a, b = self.ends(i)
        p = int(self.degree)
        knots = self.array("knots")[1:-1, i]
        order = float(p - 1) if ((low < knots) & (knots < high)).any() else inf
        crossed = (low < a < high) or (low < b < high)
        if crossed and self.extrapolation == "constant":
            order = 0.0
        if crossed and self.extrapolation == "linear" and p > 1:
            # Σ c_j B_j(x) = x² for some c, so the second derivative is not 0 inside.
            order = min(order, 1.0)
        return order, order

    def _circle(self, i: int, low: float, high: float) -> Stretch:
        a, b = self.ends(i)
        p, n = int(self.degree), self.splines
        short = high - low < (b - a) * (1 - 1e-12)
        merged = None
        if low <= a and b <= high:
            merged = (a, b, True)
        elif isfinite(low) and high - low > (b - a) * (1 + 1e-12):
            shift = (low + (b - a)) if low + (b - a) <= high else high
            merged = (low, shift, False) if low < shift else None
        elif high - low == inf:
            start = max(min(a, high - 2 * (b - a)), low)
            merged = (start, start + (b - a), False)
        free = (a < low and high < b) and not (
            (low < self.array("knots")[:, i]) & (self.array("knots")[:, i] < high)
        ).any()
        return Stretch(
            steady=True,
            parted=short and n >= p + 2,
            steepest=self._steepest(i),
            smooth=inf if free else p - 1,
            merged=merged,
            flat=inf if merged is None else 0.0,
        )

    def _steps(self, i: int, low: float, high: float) -> Stretch:
        """Degree 0: one spline for each interval between knots."""
        a, b = self.ends(i)
        if self.extrapolation == "periodic" and (low < a or high >= b):
            return Stretch()
        edges = self.array("knots")[1:-1, i]
        if self.extrapolation == "constant":
            edges = np.concatenate([[a], edges])
        met = edges[(low < edges) & (edges <= high)]
        ends = [low, *met.tolist(), high]
        merged = None
        for k, stop in enumerate(ends[1:]):
            last = k == len(met)
            # Well inside the step, where rounding of a period does no harm.
            inner = stop if last else min(nextafter(stop, -inf), max(ends[k], stop - 1.0))
            middle = ends[k] / 2 + stop / 2
            inner = middle if not last and ends[k] < middle < stop else inner
            merged = merged or two_points(ends[k], inner)
        jump = float(met[0]) if met.size else None
        if jump is None:
            return _level(merged)
        pair = None if merged is None else (*merged, True)
        return Stretch(jump=jump, bent=True, merged=pair, flat=0.0, rough=0.0)

    def _steepest(self, i: int) -> float:
        # φ' is a mean of the vectors p (e_j - e_{j-1}) / (t_{j+p} - t_j), weighted by the splines
        # of one degree less.
        p, t = int(self.degree), self.column(i)
        spans = (t[p:] - t[:-p])[1:-1] if len(t) > p + 2 else t[p:] - t[:-p]
        with np.errstate(over="ignore", divide="ignore"):
            return float(np.max(sqrt(2.0) * p / spans)) * (1 + 16 * EPS)

    def _flattest(self, i: int) -> float:
        p, t = int(self.degree), self.column(i)
        n = self.splines
        means = np.array([t[j + 1 : j + p + 1].mean() for j in range(n)])
        centre = means.mean() if self.include_bias else means[-1]
        size = np.abs(t).max() * 8 * p * EPS
        longest = root_sum_squares((np.abs(means - centre) + size).tolist(), up=True)
        return 1 / longest * (1 - 8 * EPS) if 0 < longest < inf else 0.0

    def reach(self, i: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        p, n = int(self.degree), self.splines
        a, b = self.ends(i)
        inside = a <= low and high <= b
        least, most = np.zeros(n), np.ones(n)
        if not inside and p and self.extrapolation == "continue":
            least, most = np.full(n, -inf), np.full(n, inf)
        if not inside and p and self.extrapolation == "linear":
            for end, value in ((a, low), (b, high)):
                if (end == a and value < a) or (end == b and value > b):
                    ray = self._ray(i, end, value)
                    least, most = np.minimum(least, ray[0]), np.maximum(most, ray[1])
        if self.extrapolation not in ("continue", "linear", "periodic") or inside:
            t = self.column(i)
            if self.extrapolation != "periodic":
                met = (t[:n] <= max(a, min(b, high))) & (
                    t[p + 1 : n + p + 1] >= min(b, max(a, low))
                )
                most = np.where(met, most, 0.0)
        return least[: self.count], most[: self.count]

    def _ray(self, i: int, end: float, value: float) -> tuple[np.ndarray, np.ndarray]:
        """Bounds for the values on the tangent from an end to a value beyond it."""
        p, n, t = int(self.degree), self.splines, self.column(i)
        place = p if end == self.ends(i)[0] else len(t) - p - 2
        at = torch.tensor([end], dtype=torch.float64)
        local = _local(at, torch.from_numpy(np.array(t)), torch.tensor([place]), p)
        f, slope = np.zeros(n), np.zeros(n)
        index = np.arange(place - p, place + 1)
        f[index], slope[index] = local[0][0].numpy(), local[1][0].numpy()
        with np.errstate(over="ignore", invalid="ignore"):
            gone = np.where(slope == 0, 0.0, slope * (value - end))
            slack = 64 * (p + 1) ** 2 * EPS * (1 + np.abs(gone))
            # A slope that ought to be 0 may be rounded, and then runs both ways.
            size = np.abs(slope).max()
            flat = np.abs(slope) <= 64 * (p + 1) ** 2 * EPS * size
            far = np.where(flat & (slope != 0), 64 * (p + 1) ** 2 * EPS * size, 0.0)
            far = np.where(far > 0, far * abs(value - end), 0.0)
            down, up = f + gone - slack - far, f + gone + slack + far
        return np.where(np.isnan(down), -inf, down), np.where(np.isnan(up), inf, up)

    @classmethod
    def example(cls) -> FeatureMap:
        from sklearn.preprocessing import SplineTransformer

        from .foreign import Transformer

        return Transformer(SplineTransformer(n_knots=3, extrapolation="linear"))


def _level(pair: tuple[float, float] | None) -> Stretch:
    """A constant curve, with two points on it if they are known."""
    return CONSTANT if pair is None else replace(CONSTANT, merged=(*pair, True))


def _local(
    x: torch.Tensor, t: torch.Tensor, place: torch.Tensor, p: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The p + 1 splines that live on the interval at `place`, and their slopes: Cox-de Boor."""
    values = [torch.ones_like(x)]
    slopes = [torch.zeros_like(x)]
    for k in range(1, p + 1):
        fresh, saved, scale = [], torch.zeros_like(x), []
        for r in range(k):
            right, left = t[place + r + 1], t[place + r + 1 - k]
            part = values[r] / (right - left)
            fresh.append(saved + (right - x) * part)
            saved = (x - left) * part
            scale.append(part)
        fresh.append(saved)
        if k == p:
            zero = torch.zeros_like(x)
            slopes = [p * (u - v) for u, v in zip([zero, *scale], [*scale, zero], strict=True)]
        values = fresh
    return torch.stack(values, dim=1), torch.stack(slopes, dim=1)
