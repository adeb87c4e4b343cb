"""What no function of a class behind a map can go below, for any target: pairs and measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.spatial import cKDTree

from ..decide import decide
from ..errors import InputError
from ..interval import EPS
from ..models.linear import AffineFunctions
from ..property import Continuous, Injective
from ..rows import apply
from ..spaces import Space
from ..theorems.exhibited import enclosure
from ..witness import AnnihilatingMeasure, Collision, ConeWitness, NearCollision
from .chebyshev import Best, chebyshev
from .collisions import certified
from .fibres import Pair, black_box, exact_pairs
from .rational import exactly
from .separation import numerically
from .targets import Target

__all__ = [
    "Bound",
    "Merged",
    "basis_of",
    "between",
    "from_measure",
    "from_order",
    "from_pairs",
    "from_slope",
    "from_span",
    "pairs_of",
]

# Up to so many functions a measure is worked out over the integers.
EXACT_COLUMNS = 16
# A bound from a rounded measure is stated for weights so many times those of the best member.
WEIGHTS = 10.0
# Neighbours in feature space that are looked at, and pairs of them that are tried to be shown.
NEIGHBOURS, TRIED = 12, 6


@final
@dataclass(frozen=True, eq=False)
class Bound:
    """A number that sup |f(φ(x)) - g(x)| is no less than, for every f of the class.

    Parameters
    ----------
    value : float
    because : str
    certified : bool
        Whether it is proved: of φ for pairs, of φ as computed for a measure.
    kind : {"pair", "slope", "order", "span", "class", "image"}
        From a merged pair, a near pair, an ordered pair, the dual of a best approximation, a
        measure that the class declares, or one that φ takes to such a one.
    witness : Collision, NearCollision, ConeWitness or AnnihilatingMeasure, optional
    """

    value: float
    because: str
    certified: bool
    kind: str
    witness: Collision | NearCollision | ConeWitness | AnnihilatingMeasure | None = None


@final
@dataclass(frozen=True, eq=False)
class Merged:
    """A pair of points near which φ merges two points, and whether that is proved."""

    pair: Pair
    certified: bool
    witness: Collision


def pairs_of(phi: Any, on: Space, random_state: int) -> list[Merged]:
    """Pairs that φ merges, none where it is known to be injective."""
    verdict = decide(phi, Injective, on=on)
    if verdict.holds is True:
        return []
    result = []
    # Bit by bit a function that saturates merges points as well, and that says nothing of it.
    if not black_box(phi):
        for pair in exact_pairs(phi, on, random_state, verdict):
            witness = Collision(pair.x, pair.y, pair.because, exact=pair.radius == 0)
            result.append(Merged(pair, True, witness))
    if not result:
        refuted = verdict.holds is False
        found = verdict.witness if refuted else numerically(phi, on, random_state)
        if isinstance(found, Collision):
            far = float(on.distance(found.x[None], found.y[None])[0])
            pair = Pair(found.x, found.y, 0.0, far, found.because)
            result.append(Merged(pair, refuted and verdict.strength != "numerically", found))
    return sorted(result, key=lambda m: -m.pair.distance)


def between(
    phi: Any, on: Space, g: Target, points: np.ndarray, features: np.ndarray
) -> list[Merged]:
    """A pair that φ is shown to merge, and on which g differs as much as on others seen."""
    if black_box(phi) or decide(phi, Continuous, on=on).holds is not True:
        return []

    def value(x: np.ndarray) -> np.ndarray:
        return apply(phi, np.ascontiguousarray(x, dtype=np.float64)).flatten(1).double().numpy()

    spread = features.std(axis=0)
    scaled = features / np.where(spread > 0, spread, 1.0)
    near, index = cKDTree(scaled).query(scaled, k=min(NEIGHBOURS, len(points)))
    close = near <= 2 * np.median(near[:, 1]) + 64 * EPS
    values = g(points)
    apart = np.where(close, np.abs(values[:, None] - values[index]), 0.0)
    best = apart.argmax(axis=1)
    rows = np.arange(len(points))
    for i in np.argsort(-apart[rows, best])[: 2 * TRIED : 2]:
        x, y = points[i], points[index[i, best[i]]]
        shown = certified(phi, value, on, x, y)
        if shown is not None:
            because = "enclosures of φ change signs around a pair, so that some pair is merged"
            pair = Pair(x, y, *shown, because)
            return [Merged(pair, True, Collision(x, y, because, exact=False))]
    return []


def from_pairs(merged: list[Merged], g: Target) -> Bound | None:
    """|g(x) - g(y)| / 2 for merged points: of all classes, as f(φ(x)) = f(φ(y))."""
    best: Bound | None = None
    for m in merged:
        x, y, radius = m.pair.x, m.pair.y, m.pair.radius
        values = g(np.stack([x, y]))
        gap = float(abs(values[0] - values[1])) - 4 * EPS * float(np.abs(values).max())
        certified = m.certified
        if radius:
            slope = g.slope
            if not np.isfinite(slope):
                slope, certified = _slope_near(g, x, y, radius), False
            gap -= 2 * slope * radius * float(np.sqrt(x.size)) * (1 + 1e-12)
        if gap > 0 and (best is None or gap / 2 > best.value):
            best = Bound(gap / 2, f"a merged pair: {m.pair.because}", certified, "pair", m.witness)
    return best


def _slope_near(g: Target, x: np.ndarray, y: np.ndarray, radius: float) -> float:
    """Twice the slope of g seen in small moves around two points."""
    rng = np.random.default_rng(0)
    greatest = 0.0
    for point in (x, y):
        moves = rng.uniform(-radius, radius, (16, *point.shape))
        steps = np.linalg.norm(moves.reshape(16, -1), axis=1)
        change = np.abs(g(point + moves) - g(point[None]))
        greatest = max(greatest, float((change / steps).max()))
    return 2 * greatest


def from_slope(
    model: Any, points: np.ndarray, features: np.ndarray, values: np.ndarray
) -> Bound | None:
    """(|g(x) - g(y)| - L |φ(x) - φ(y)|) / 2 at the worst points, for members of slope L."""
    slope = getattr(model, "lipschitz", None)
    if slope is None:
        return None
    apart = np.linalg.norm(features[:, None] - features[None], axis=2)
    noise = 64 * EPS * (np.abs(features).max(initial=0.0) + np.abs(values).max(initial=0.0))
    worth = (np.abs(values[:, None] - values[None]) - slope * (apart + noise)) / 2 - noise
    i, j = np.unravel_index(int(worth.argmax()), worth.shape)
    if worth[i, j] <= 0:
        return None
    because = f"members have slope {slope:g} at most"
    witness = NearCollision(points[i], points[j], float(slope), because)
    return Bound(float(worth[i, j]), f"a near pair: {because}", False, "slope", witness)


def from_order(
    model: Any, phi: Any, points: np.ndarray, features: np.ndarray, values: np.ndarray
) -> Bound | None:
    """(g(x) - g(y)) / 2 at the worst points with φ(x) <= φ(y) in every coordinate.

    Of all non-decreasing functions of the features, on these points no error can be less, and some
    member of the class of all of them attains it: max {g(x) : φ(x) <= z} less the bound.

    Parameters
    ----------
    model : Model
        Asked whether all of its members are non-decreasing.
    phi : FeatureMap
        Encloses its values at the two points: then the pair is ordered for φ and not only as
        computed.
    points : ndarray of shape (n, *point)
    features : ndarray of shape (n, d)
    values : ndarray of shape (n,)
    """
    if not getattr(model, "monotone", False):
        return None
    below = np.ones((len(points), len(points)), dtype=bool)
    for column in features.T:
        below &= column[:, None] <= column
    worth = np.where(below, values[:, None] - values, -np.inf) / 2
    worth -= 4 * EPS * float(np.abs(values).max(initial=0.0))
    i, j = np.unravel_index(int(worth.argmax()), worth.shape)
    if worth[i, j] <= 0:
        return None
    lower, upper = enclosure(phi, points[i]), enclosure(phi, points[j])
    proved = lower is not None and upper is not None and bool((lower[1] <= upper[0]).all())
    because = "members do not decrease from x to y, as φ(x) <= φ(y) in every coordinate"
    witness = ConeWitness(points[[i, j]], np.array([1.0, -1.0]), because)
    return Bound(float(worth[i, j]), f"an ordered pair: {because}", proved, "order", witness)


def basis_of(model: Any, features: np.ndarray) -> np.ndarray | None:
    """The functions that span a linear class of finite dimension, at features; else None."""
    if isinstance(model, AffineFunctions):
        return np.concatenate([np.ones((len(features), 1)), features], axis=1)
    own = getattr(model, "features", None)
    found = own(features) if callable(own) else None
    return None if found is None else np.asarray(found, dtype=np.float64)


def from_span(basis: np.ndarray, points: np.ndarray, values: np.ndarray) -> tuple[Best, Bound]:
    """The best member of a linear span on points, and the measure that no member passes."""
    best = chebyshev(basis, values)
    budget = WEIGHTS * (1.0 + float(np.abs(best.weights).sum()))
    value, certified = best.at_least(budget), False
    because = f"a measure; for weights with Σ|w| <= {budget:.2g}"
    if basis.shape[1] <= EXACT_COLUMNS and best.measure.any():
        exact = exactly(basis, values, best.measure)
        if exact is not None and exact.bound >= 0.999 * value:
            value, certified = float(exact.bound) * (1 - 2 * EPS), True
            because = f"a measure on {len(exact.rows)} points, exact for φ as computed"
            rows = np.array(exact.rows)
            total = sum(map(abs, exact.coefficients))
            masses = np.array([c / total for c in exact.coefficients])
            witness = AnnihilatingMeasure(points[rows], masses, because, exact=False)
            return best, Bound(min(value, best.error), because, certified, "span", witness)
    rows = np.flatnonzero(best.measure)
    known = AnnihilatingMeasure(points[rows], best.measure[rows], because, exact=False)
    return best, Bound(value, because, certified, "span", known if len(rows) else None)


def from_measure(
    measure: AnnihilatingMeasure | None, g: Target, kind: str = "class"
) -> Bound | None:
    """|Σ c_i g(x_i)| / Σ|c_i| of a measure that annihilates the class behind φ."""
    if measure is None or not len(measure.weights):
        return None
    values, masses = g(measure.points), measure.weights
    total = float(np.abs(masses).sum())
    slack = 4 * len(masses) * EPS * float(np.abs(values).max(initial=0.0))
    value = float(abs(masses @ values)) / total - slack
    if not np.isfinite(value):
        raise InputError(
            "The measure that is to annihilate the class has masses that are not finite.",
            got=f"Σ|c_i| = {total}",
            need="finite masses that are not all 0",
            do="mend `annihilator` of the model",
        )
    return (
        Bound(value, f"a measure: {measure.because}", False, kind, measure) if value > 0 else None
    )
