"""How near a universal class behind a map can come to a target: from above and from below."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, final

import numpy as np
from scipy.spatial import cKDTree

from ..errors import InputError, ParameterError, ShapeError, show
from ..interval import EPS
from ..map import FeatureMap
from ..rows import apply
from ..spaces import Box, Space
from .cells import Bounded, Cells, merged
from .fibres import CELLS, Bracket, closed_on, cover, exact_pairs, slope_of

__all__ = ["defect"]

# The slope of a function of which none is given is taken from so many near pairs, twice over.
PAIRS = 4000


def defect(
    phi: Any,
    target: Any,
    on: Any,
    target_lipschitz: float | None = None,
    cells: int = CELLS,
    random_state: int = 0,
) -> Bracket:
    """inf over f in F of sup_K |f(φ(x)) - g(x)|, for every class F that is dense in C(R^d).

    It is max_z (sup g - inf g) / 2 over the fibres {x in K : φ(x) = z}: 0 for every g exactly if
    a continuous φ is injective, whatever the class. From above, K is cut into boxes, and pairs of
    boxes that may share a value are cut further; from below stand pairs that φ merges.

    Parameters
    ----------
    phi : FeatureMap, module or function of tensors
        Closed or fitted.
    target : FeatureMap with one feature, or callable
        g. A callable takes points of shape (n, *point) and returns n numbers.
    on : Space
        K, compact.
    target_lipschitz : float, optional
        A constant L with |g(x) - g(y)| <= L d(x, y). Of a map of this library it is known; of a
        callable without one it is estimated, and the result is not certified.
    cells : int, default 2000
        How many boxes to use at most.
    random_state : int, default 0
        Seed of the search.

    Returns
    -------
    Bracket
        ``lower, upper = defect(...)``.

    Raises
    ------
    OperandError, UnboundError, ParameterError, DomainError, InputError, ShapeError

    Notes
    -----
    ≥: if φ(x) = φ(y), then f(φ(x)) = f(φ(y)) is at least |g(x) - g(y)| / 2 from one of the values.
    ≤: around each z all values of g near the fibre lie within the bound of a centre; a partition of
    unity joins the centres to a continuous function on φ(K), which F approximates.

    Examples
    --------
    >>> import phimaps as pm
    >>> low, high = defect(pm.Power(2), target=pm.Identity(), on=pm.Box([-1.0], [1.0]))
    >>> 0.995 <= low <= high <= 1.001
    True
    >>> defect(pm.Power(3), target=pm.Identity(), on=pm.Box([-1.0], [1.0])).upper < 0.01
    True
    """
    closed = closed_on(phi, on, "defect")
    goal = _Target(target, on, target_lipschitz, random_state)
    lower, found, sure = 0.0, "no pair was shown to be merged", True
    for pair in exact_pairs(closed, on, random_state):
        worth = goal.difference(pair.x, pair.y, pair.radius) / 2
        if worth > lower:
            lower, found, sure = worth, pair.because, not pair.bitwise

    def worth_of(boxes: Cells) -> Callable[[slice], np.ndarray]:
        least, greatest = goal.on_boxes(boxes.low, boxes.high)

        def worth(block: slice) -> np.ndarray:
            across = np.maximum(
                greatest[block, None] - least[None], greatest[None] - least[block, None]
            )
            return across / 2 * (1 + 4 * EPS)

        return worth

    bounded, boxes = cover(closed, on, cells, worth_of, lower)
    upper = max(lower, min(merged(boxes, worth_of(boxes))[0], goal.spread()))
    because = f"{found}; {len(boxes)} boxes{goal.note}"
    if not np.isfinite(boxes.greatest - boxes.least).all():
        because += "; nothing is known of the map between points"
    return Bracket(lower, upper, bounded.certified and goal.certified and sure, because)


@final
class _Target:
    """g on boxes: by interval arithmetic, or by its values and its slope."""

    def __init__(self, target: Any, on: Space, lipschitz: float | None, seed: int):
        if lipschitz is not None and not 0 <= lipschitz < inf:
            raise ParameterError(
                "A Lipschitz constant is a finite number.",
                got=f"target_lipschitz={show(lipschitz)}",
                need="a number >= 0, or None",
                do="target_lipschitz=1.0",
            )
        self.on, self.note, self.certified = on, "", True
        self.map: Bounded | None = None
        self.call: Callable[[np.ndarray], Any]
        if isinstance(target, FeatureMap):
            closed = closed_on(target, on, "A target")
            self.call = lambda x: apply(closed, np.ascontiguousarray(x)).flatten(1).numpy()
            known = slope_of(closed, on)
            self.map = Bounded(closed, known if lipschitz is None else min(known, lipschitz))
        elif callable(target):
            self.call = target
        else:
            raise ParameterError(
                "A target is a function on the space.",
                got=f"target={show(target)}",
                need="a callable on points of shape (n, *point), or a map with one feature",
                do="target=lambda x: x[:, 0]",
            )
        self.slope = inf if lipschitz is None else float(lipschitz)
        self.points = on.sample(PAIRS, seed)
        self.values(self.points)
        boxed = isinstance(on, Box)
        self.tree = None if boxed else cKDTree(self.points.reshape(len(self.points), -1))
        if self.map is None and lipschitz is None:
            self.slope, self.certified = self._estimated(seed), False
            self.note = f"; the slope of the target is estimated to be at most {self.slope:.3g}"

    def values(self, points: np.ndarray) -> np.ndarray:
        """g at points, checked."""
        held = np.asarray(self.call(points.copy()), dtype=np.float64)
        if held.shape not in ((len(points),), (len(points), 1)):
            raise ShapeError(
                "A target has one number for each point.",
                got=f"shape {held.shape} for {len(points)} points",
                need=f"shape ({len(points)},)",
                do="one coordinate of the target at a time",
            )
        found = held.reshape(len(points))
        if not np.isfinite(found).all():
            raise InputError(
                "The target is not finite on the space.",
                got=f"{found[~np.isfinite(found)][0]} at a point of {self.on!r}",
                need="a continuous function on all of the space",
                do="a smaller space, or another target",
            )
        return found

    def _estimated(self, seed: int) -> float:
        x, y = self.on.sample(PAIRS, seed), self.on.sample(PAIRS, seed + 1)
        close = x + 1e-3 * (y - x)
        steps = self.on.distance(x, close)
        change = np.abs(self.values(x) - self.values(close))
        return 2 * float(np.max(change / np.where(steps > 0, steps, inf), initial=0.0))

    def on_boxes(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ends of g over each box, of shape (n,)."""
        if self.map is not None:
            least, greatest = self.map.on_boxes(low, high)
            return least[:, 0], greatest[:, 0]
        middle = low / 2 + high / 2
        half = np.sqrt(((high - low).reshape(len(low), -1) ** 2).sum(axis=1)) / 2
        if self.tree is not None:
            # The slope holds between points of the space, in which the middle need not lie.
            away, nearest = self.tree.query(middle.reshape(len(middle), -1))
            middle, half = self.points[nearest], half + away
        centre = self.values(middle)
        reach = self.slope * half * (1 + 1e-12) + 8 * EPS * np.abs(centre)
        return centre - reach, centre + reach

    def difference(self, x: np.ndarray, y: np.ndarray, radius: float) -> float:
        """|g(x') - g(y')| for all x', y' within a distance of x and y: a bound from below."""
        if self.map is not None:
            both = np.stack([x, y])
            low, high = self.on_boxes(both - radius, both + radius)
            return max(0.0, float(max(low[0] - high[1], low[1] - high[0])))
        values = self.values(np.stack([x, y]))
        slack = 2 * self.slope * radius * np.sqrt(x.size) if radius else 0.0
        return max(0.0, float(abs(values[0] - values[1]) * (1 - 4 * EPS)) - slack)

    def spread(self) -> float:
        """A bound that no pair exceeds: half of what g varies over the whole space."""
        low, high = self.on.bounds()
        least, greatest = self.on_boxes(low[None], high[None])
        return float(greatest[0] - least[0]) / 2
