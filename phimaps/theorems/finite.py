"""Maps on finitely many points: everything is computed, and enclosed."""

from __future__ import annotations

from itertools import combinations
from math import inf
from typing import Any

import numpy as np

from ..map import FeatureMap
from ..proof import Strength
from ..property import Bounded, Continuous, Injective, Lipschitz, LowerLipschitz, Smooth
from ..theorem import Case, Condition, theorem
from ..witness import Collision, Witness
from .exhibited import difference, enclosure, norms, ratio

# Beyond this many points the pairs are not compared.
MOST = 128


def _points(case: Case) -> np.ndarray | None:
    found = case.on.enumerate()
    return found if found is not None and len(found) <= MOST else None


def _enclosed(case: Case) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Bounds of the value at each point, or None where some are not known."""
    if "finite" not in case.memo:
        members = _points(case)
        values = [] if members is None else [enclosure(case.map, x) for x in members]
        known = [v for v in values if v is not None]
        whole = members is not None and len(known) == len(members)
        case.memo["finite"] = known if whole else None
    return case.memo["finite"]


def _apart(case: Case) -> bool:
    values = _enclosed(case)
    if values is None:
        return False
    low, high = (np.stack(side) for side in zip(*values, strict=True))
    for i in range(len(low) - 1):
        meets = (low[i + 1 :] <= high[i]) & (high[i + 1 :] >= low[i])
        if meets.all(axis=1).any():
            return False
    return True


def _same_pair(case: Case) -> tuple[int, int] | None:
    """Two points whose values are known without rounding, and are the same."""
    values = _enclosed(case)
    if values is None:
        return None
    seen: dict[bytes, int] = {}
    for i, (low, high) in enumerate(values):
        if np.array_equal(low, high):
            j = seen.setdefault((low + 0.0).tobytes(), i)
            if j != i:
                return j, i
    return None


def _merged(case: Case, below: Witness | None) -> Collision | None:
    members, pair = _points(case), _same_pair(case)
    if members is None or pair is None:
        return None
    x, y = (np.array(members[i]) for i in pair)
    return Collision(x, y, "the values are computed without rounding, and are the same")


def _ratios(case: Case) -> list[tuple[float, float]]:
    values, members = _enclosed(case), _points(case)
    if values is None or members is None:
        return []
    return [
        ratio(case.on, members[i], members[j], difference(values[i], values[j]))
        for i, j in combinations(range(len(members)), 2)
    ]


def _norms(case: Case) -> list[tuple[float, float]]:
    return [norms(v) for v in _enclosed(case) or []]


FINITE = Condition("the space is finite", lambda case: not case.on.infinite)
COMPARED = "the values at the points are enclosed by interval arithmetic and compared"

theorem(
    "finite-continuous",
    Continuous,
    FeatureMap,
    FINITE,
    statement="every map of a finite space is continuous",
    source="a convergent sequence of finitely many points is constant from some index on",
)
theorem(
    "finite-smooth",
    Smooth,
    FeatureMap,
    FINITE,
    statement="every map of a finite set is the restriction of a smooth one",
    source="take it constant near each point",
    bound=lambda case, n: inf,
)
theorem(
    "finite-injective",
    Injective,
    FeatureMap,
    Condition("the enclosures of the values at its points are disjoint", _apart),
    statement="the values at all points differ",
    source=COMPARED,
    strength=Strength.COMPUTED,
)
theorem(
    "finite-not-injective",
    ~Injective,
    FeatureMap,
    Condition(
        "at two of its points the values are known without rounding, and the same",
        lambda case: _same_pair(case) is not None,
    ),
    statement="two points have the same value",
    source=COMPARED,
    carry=_merged,
    strength=Strength.WITNESS,
)


def _extreme(of: Any, end: int, best: Any, nothing: float) -> Any:
    """The bound that the listed intervals give; where none are known, one that says nothing."""
    return lambda case, n: best((interval[end] for interval in of(case)), default=nothing)


for name, then, bound in (
    ("finite-lipschitz", Lipschitz, _extreme(_ratios, 1, max, inf)),
    ("finite-stretches", ~Lipschitz, _extreme(_ratios, 0, max, 0.0)),
    ("finite-lower-lipschitz", LowerLipschitz, _extreme(_ratios, 0, min, 0.0)),
    ("finite-shrinks", ~LowerLipschitz, _extreme(_ratios, 1, min, inf)),
):
    theorem(
        name,
        then,
        FeatureMap,
        statement="the greatest and the least ratio over all pairs of finitely many points",
        source=COMPARED,
        bound=bound,
        strength=Strength.COMPUTED,
    )
theorem(
    "finite-bounded",
    Bounded,
    FeatureMap,
    statement="the greatest size over all points",
    source=COMPARED,
    bound=_extreme(_norms, 1, max, inf),
    strength=Strength.COMPUTED,
)
theorem(
    "finite-not-bounded",
    ~Bounded,
    FeatureMap,
    statement="the greatest size over all points",
    source=COMPARED,
    bound=_extreme(_norms, 0, max, 0.0),
    strength=Strength.COMPUTED,
)
