"""Whether a map tells points apart: proofs where there are some, else a search for collisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..decide import decide
from ..interval import EPS
from ..proof import Proof, Reason, Strength, Verdict
from ..property import Injective
from ..spaces import Space
from ..witness import Collision
from .cells import Values
from .collisions import distant, slopes
from .fibres import closed_on, exact_pairs

__all__ = ["numerically", "separation"]

# Pairs nearer than this part of the diameter are no collision to speak of.
NEAR = 1e-3
# How many pairs are looked at; moves that a value must answer to; how often a search begins.
TRIED, MOVES, STARTS = 60, (1e-6, 1e-4), 2
# Where single precision and double precision stop telling points apart, a plateau is rounding.
EDGE = 0.02
# Of how many values it is told whether they are short, and how many of them must occur once.
LOOKED_AT, FEW = 2000, 8


def separation(phi: Any, on: Any, random_state: int = 0) -> Verdict:
    """Whether φ(x) = φ(y) only for x = y in K: proved, refuted by a pair, or unknown.

    What the library knows of the map decides first. Else pairs that are near in feature space and
    far apart in K are sought and solved for. A pair refutes only if its features agree to rounding,
    and if that is no matter of conditioning: either values around the pair move enough that a root
    must lie next to it, or the map is constant around both points, in single precision as far as in
    double. A saturating map such as tanh(40 x) merges numbers in float64, which refutes nothing of
    φ; `decide` answers that with ``arithmetic="float64"``. Sampling proves nothing: without a pair
    the answer is unknown, with the resolution that was reached.

    Parameters
    ----------
    phi : FeatureMap, module, or function of tensors of shape (n, *point)
        Closed or fitted.
    on : Space
        K, compact.
    random_state : int, default 0
        Seed of the search.

    Returns
    -------
    Verdict
        With a `Collision` as its witness where it is refuted.

    Raises
    ------
    OperandError, UnboundError, ParameterError, DomainError

    Examples
    --------
    >>> import phimaps as pm
    >>> square = pm.from_function(lambda x: (x - 0.1) ** 2)
    >>> verdict = separation(square, on=pm.Box([-1.0], [1.0]))
    >>> verdict.holds, verdict.strength, verdict.witness.verify(square)
    (False, 'numerically', True)
    >>> print(separation(pm.from_function(torch.sinh), on=pm.Box([-1.0], [1.0])).word)
    unknown
    """
    closed = closed_on(phi, on, "separation")
    verdict = decide(closed, Injective, on=on)
    if verdict.holds is not None:
        return verdict
    for pair in exact_pairs(closed, on, random_state, verdict):
        # What is equal bit by bit in a function as it is computed is looked at below.
        if not pair.bitwise:
            exact = pair.radius == 0
            shown = Collision(pair.x, pair.y, pair.because, exact=exact)
            if shown.verify(closed.forward):
                strength = Strength.WITNESS if exact else Strength.COMPUTED
                return _refuted(closed, on, shown, strength)
    found = numerically(closed, on, random_state)
    if found is not None:
        return _refuted(closed, on, found, Strength.NUMERICAL)
    reached = tuple(_reached(Values(closed), on, random_state))
    return Verdict(repr(closed), Injective, repr(on), None, missing=reached)


def numerically(phi: Any, on: Space, random_state: int = 0) -> Collision | None:
    """A pair that agrees to rounding where that is no matter of conditioning; or None.

    Parameters
    ----------
    phi : FeatureMap
        Closed, and of which it is not known whether it is injective.
    on : Space
        Compact.
    random_state : int
    """
    value = Values(phi)
    fine = _fine(value, on)
    for seed in range(random_state, random_state + STARTS if fine else random_state):
        for x, y in distant(value, on, seed)[:TRIED]:
            found = _collision(value, on, x, y)
            if found is not None and found.verify(phi.forward):
                return found
    return None


def _refuted(phi: Any, on: Space, found: Collision, strength: Strength) -> Verdict:
    claim = f"{phi!r} is not injective on {on!r}"
    proof = Proof(claim, Reason(found.because, strength, witness=found))
    return Verdict(repr(phi), Injective, repr(on), False, (proof,))


def _collision(value: Values, on: Space, x: np.ndarray, y: np.ndarray) -> Collision | None:
    """The pair as a collision, where it is more than conditioning."""
    low, high = on.bounds()
    size = float(np.linalg.norm((high - low).ravel()))
    if float(on.distance(x[None], y[None])[0]) < NEAR * size:
        return None
    both = value(np.stack([x, y]))
    if not np.isfinite(both).all():
        return None
    # Of the values in general: where both are near 0, their own size says nothing of rounding.
    scale = max(value.scale(on), float(np.abs(both).max()))
    gap = np.abs(both[0] - both[1]).max()
    if gap > 64 * EPS * scale:
        return None
    if _moves(value, on, x, y, gap, scale, size):
        because = "the features agree to rounding, and move with the points around them"
        return Collision(x, y, because, exact=False, shown=False)
    if gap == 0 and _flat(value, on, x, size) and _flat(value, on, y, size):
        because = "the map is constant around both points, in every precision alike"
        return Collision(x, y, because, exact=False, shown=False)
    return None


def _fine(value: Values, on: Space) -> bool:
    """Whether the features have the digits of float64, or are those of steps.

    Where values that occur once are all numbers of float32, they were computed in it: then they
    are equal bit by bit far sooner than they are equal, and that shows no collision. The values of
    steps occur more often.
    """
    features = value(on.sample(LOOKED_AT, 0))
    single = np.zeros(features.shape, dtype=bool)
    for column in range(features.shape[1]):
        _, first, times = np.unique(features[:, column], return_index=True, return_counts=True)
        single[first[times == 1], column] = True
    with np.errstate(over="ignore", invalid="ignore"):
        short = features.astype(np.float32) == features
    return int(single.sum()) < FEW or not bool(short[single].all())


def _moves(
    value: Values, on: Space, x: np.ndarray, y: np.ndarray, gap: float, scale: float, size: float
) -> bool:
    """Whether a small move of the pair closes what rounding leaves of the gap.

    Either the equations have full rank, so that a root lies within gap / σ_min; or both values
    react to moves, and agree bit by bit all the same: chance would not have it.
    """
    jacobian = np.concatenate([slopes(value, y), -slopes(value, x)], axis=1)
    if not np.isfinite(jacobian).all():
        return False
    sizes = np.linalg.svd(jacobian, compute_uv=False)
    noise = 64 * EPS * scale
    full = len(jacobian) <= jacobian.shape[1]
    if full and sizes[-1] * MOVES[0] * size > noise + gap:
        return True
    return gap == 0 and all(_reacts(value, on, point, noise, size) for point in (x, y))


def _reacts(value: Values, on: Space, x: np.ndarray, noise: float, size: float) -> bool:
    """Whether a small move changes the value by much more than rounding does."""
    moved = _around(on, x, MOVES[1] * size)
    if not len(moved):
        return False
    change = np.abs(value(moved) - value(x[None])).max(axis=1)
    return bool(np.median(change) > 16 * noise)


def _around(on: Space, x: np.ndarray, radius: float) -> np.ndarray:
    """Points of the space at about a distance of x."""
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((24, x.size))
    steps *= radius / np.linalg.norm(steps, axis=1, keepdims=True)
    points = x + steps.reshape(-1, *x.shape)
    return points[on.contains(points)]


def _flat(value: Values, on: Space, x: np.ndarray, size: float) -> bool:
    """Whether φ is constant around x, as far in single precision as in double.

    Rounding makes plateaus as well, and they reach the farther the fewer the digits.
    """
    if not _in_single(value, x):
        return False
    single = Values(value.phi, torch.float32)
    low, high = (end.ravel() for end in on.bounds())
    place = x.ravel()
    constant = False
    for i in range(place.size):
        for end in (low[i], high[i]):
            if not np.isfinite(end) or end == place[i]:
                continue
            # The part of the way to the end of the space over which nothing changes.
            way = np.linspace(0.0, 1.0, 257)[1:]
            points = np.repeat(place[None], len(way), axis=0)
            points[:, i] += way * (end - place[i])
            points = points.reshape(-1, *x.shape)
            inside = on.contains(points)
            reach = [_reach(v, x, points[inside], way[inside]) for v in (value, single)]
            if abs(reach[1] - reach[0]) > EDGE:
                return False
            constant = constant or reach[0] > 0
    return constant


def _in_single(value: Values, x: np.ndarray) -> bool:
    """Whether φ answers single precision in single precision, as far as its result says.

    A function that computes in float64 whatever it is given has the same plateaus in both.
    """
    with torch.no_grad():
        return value.phi.forward(torch.from_numpy(x[None]).to(torch.float32)).dtype == torch.float32


def _reach(value: Values, x: np.ndarray, points: np.ndarray, way: np.ndarray) -> float:
    """How far along a way the value stays the same."""
    if not len(points):
        return 0.0
    changed = (value(points) != value(x[None])).any(axis=1)
    first = int(changed.argmax()) if changed.any() else len(way)
    return float(way[first - 1]) if first else 0.0


def _reached(value: Values, on: Space, seed: int) -> list[str]:
    """How finely the search looked, in words."""
    points = on.sample(2000, seed)
    features = value(points)
    finite = np.isfinite(features).all(axis=1)
    points, features = points[finite], features[finite]
    if len(features) < 2:
        return ["a map with finite values on the space"]
    far = [on.distance(points[:-k], points[k:]) for k in (1, 7, 41)]
    near = [np.linalg.norm(features[:-k] - features[k:], axis=1) for k in (1, 7, 41)]
    distances = np.concatenate(far)
    ratio = np.concatenate(near)[distances > 0] / distances[distances > 0]
    if not ratio.size:
        return ["a space with more than one point"]
    scale = float(np.abs(features).max())
    resolved = 64 * EPS * scale / max(float(ratio.min()), 1e-300)
    return [
        "a proof that φ is injective, or a pair that it merges: none was found among "
        f"{STARTS * TRIED} pairs that came near to one",
        f"distances of pairs in feature space are at least {ratio.min():.3g} of those in K, in a "
        f"sample; float64 then tells points {resolved:.2g} apart from each other",
    ]
