"""One class behind one map: the targets, the bounds from below and the errors from above."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf, isfinite
from typing import Any, final

import numpy as np

from ..errors import ContradictionError, InputError, ParameterError, show
from ..maps.vector import Identity
from ..models.linear import AffineFunctions
from ..property import Universal
from ..rows import apply
from ..search import Search
from ..spaces import Euclidean, Space
from ..theorem import TABLE
from ..witness import AnnihilatingMeasure, Collision, ConeWitness, NearCollision
from .adversarial import adversary
from .below import (
    Bound,
    Merged,
    basis_of,
    between,
    from_measure,
    from_order,
    from_pairs,
    from_slope,
    from_span,
    pairs_of,
)
from .ladder import Reached, Rungs, fitted, spanned
from .report import Row
from .targets import Target, cone, standard

__all__ = ["LEFT", "Clock", "Study", "size_of"]

# The sizes of the spans for universal classes, and for how many targets members are fitted too.
CAPACITIES = (8, 32, 96)
SECOND = 2
# The steps of a class's own ladder, of one of which no dense spans are known.
STEPS = (2, 5, 8)
# No larger span is tried once the error is so near to the bound from below, or so small a part of
# that of a constant.
NEAR, SMALL = 1.05, 0.03
# Points to choose on, how many times as many to measure on, and fresh ones for the confidence.
TRAINING, FINER, FRESH = 400, 3, 1000
# Above this dimension a net of so few points covers nothing, and points are drawn.
NET_DIMENSION = 3
# An adversary takes the null vector of a matrix of this side at most; a wide one has few corners.
ADVERSARY, CORNERS = 200, 6
# Of more features a measure may still be found, if no target is built on it.
WITNESSED = 1000
# Functions of a class leave no more of a measure that annihilates it than this part of their size.
LEFT = 1e-6


@final
class Clock:
    """Processor time since it was made."""

    def __init__(self, budget: float):
        self.budget, self.start = budget, time.process_time()

    @property
    def spent(self) -> float:
        return time.process_time() - self.start

    @property
    def over(self) -> bool:
        return self.spent > self.budget


@final
@dataclass(frozen=True, eq=False)
class _Side:
    """φ, or the identity, at the points; and the spans of functions of it."""

    at: Callable[[np.ndarray], np.ndarray]
    training: np.ndarray
    net: np.ndarray
    rungs: Rungs


@final
class Study:
    """The points, the bounds and the errors of one class behind one map."""

    def __init__(
        self, model: Any, phi: Any, on: Space, clock: Clock, seed: int, refuted: Any = None
    ):
        self.model, self.phi, self.on, self.clock, self.seed = model, phi, on, clock, seed
        # What a proof found against the class behind the map.
        self.refuted = refuted if isinstance(refuted, AnnihilatingMeasure) else None
        self.notes: list[str] = []
        # Whether the budget ended before the targets, or the search for pairs, did.
        self.cut = False
        self.spare: AnnihilatingMeasure | None = None
        self.merged: list[Merged] = []
        self.training = self.net = on.sample(TRAINING, seed)
        self.features(self.training)
        if clock.over:
            self.notes.append("the budget was used up before merged pairs were sought")
            self.cut = True
        else:
            self.merged = pairs_of(phi, on, seed)
        self.extra = [p for m in self.merged for p in (m.pair.x, m.pair.y)]
        features = Euclidean(phi.out_shape(on.shape))
        proof = Search(TABLE).prove(model, Universal, features)
        self.dense = proof is not None
        self.chosen: list[tuple[Target, Reached, float]] = []
        self.radius = inf

    def features(self, points: np.ndarray) -> np.ndarray:
        """φ at points, flattened."""
        found = apply(self.phi, np.ascontiguousarray(points)).flatten(1).double().cpu().numpy()
        if not np.isfinite(found).all():
            bad = points[np.flatnonzero(~np.isfinite(found).all(axis=1))[0]]
            raise InputError(
                "The features at a point of the space are not finite.",
                got=f"{self.phi!r} at {show(bad.ravel()[:8].tolist())}",
                need="a map that is finite on the whole space",
                do="a smaller space",
            )
        return found

    # --- what is asked ---------------------------------------------------------------------------
    def goals(self) -> list[Target]:
        """The standard targets, after those that the map or the class is worst at."""
        result = []
        if self.merged:
            point = self.merged[0].pair.x
            name = "distance to a merged point"
            result.append(Target(name, cone(self.on, point), 1.0))
        if isinstance(self.model, AffineFunctions) and self.on.infinite and not self.clock.over:
            width = int(np.prod(self.phi.out_shape(self.on.shape)))
            if width <= WITNESSED:
                worst = adversary(self.phi, self.on, self.seed)
                self.spare = worst.measure
            if width <= ADVERSARY:
                self.extra.extend(worst.measure.points)
                result.append(Target("the worst of slope 1", worst, 1.0))
            else:
                self.notes.append(f"no worst target was sought: there are {width} features")
        return result + standard(self.on, self.seed)

    # --- what is found ---------------------------------------------------------------------------
    def rows(self, goals: list[Target]) -> list[Row]:
        """A row for each target, of those that the budget allows."""
        self.training, self.net, self.radius = _points(self.on, self.extra, self.seed)
        behind, beside = self._side(self.features), self._side(_flat)
        result: list[Row] = []
        tried: list[Any] = []
        linear = basis_of(self.model, behind.training[:1]) is not None
        declared = None if linear else self._declared()
        for g in goals:
            if self.clock.over:
                left = len(goals) - len(result)
                self.notes.append(f"the budget was used up: {left} targets were left out")
                self.cut = True
                break
            values, finer = g(self.training), g(self.net)
            bounds = [
                from_pairs(self.merged, g),
                self._near(g, behind),
                from_slope(self.model, self.training, behind.training, values),
                from_order(self.model, self.phi, self.training, behind.training, values),
                from_measure(declared, g),
                from_measure(None if linear or declared else self.refuted, g, "image"),
            ]
            basis = basis_of(self.model, behind.training)
            if basis is not None:
                bounds.append(from_span(basis, self.training, values)[1])
            below = max((b for b in bounds if b is not None), key=lambda b: b.value, default=None)
            pairs: list[Any] = []
            spread = float(finer.max() - finer.min()) / 2
            if self.dense or basis is not None:
                # Both hold the constants, and functions chosen on few points may be worse.
                best = float(values.max() + values.min()) / 2
                pairs.append(("constant", *[Reached(partial(_constant, best))] * 2))
            for name in self._capacities(basis):
                if self.clock.over and pairs:
                    self.notes.append("the budget was used up: larger spans were left out")
                    self.cut = True
                    break
                # A larger span holds the smaller one's functions: what is near enough stays.
                done = pairs and pairs[-1][2].error(beside.net, finer) <= SMALL * spread
                other = pairs[-1][2] if done else self._reached(beside, name, values)
                pairs.append((name, self._reached(behind, name, values), other))
                row = self._row(g, below, pairs, behind, beside, finer)
                if row.errors[-1] <= max(NEAR * row.lower, SMALL * row.size):
                    break
            result.append(self._row(g, below, pairs, behind, beside, finer))
            tried.append((g, below, pairs, values, finer))
        if self.dense and not linear:
            order = sorted(range(len(result)), key=lambda i: -result[i].upper / size_of(result[i]))
            for i in order[:SECOND]:
                if self.clock.over:
                    self.notes.append("the budget was used up before members were fitted")
                    break
                g, below, pairs, values, finer = tried[i]
                both = (self._reached(side, "fitted", values) for side in (behind, beside))
                pairs.append(("fitted", *both))
                result[i] = self._row(g, below, pairs, behind, beside, finer)
        self._choose(result, tried, behind)
        return result

    def _side(self, at: Callable[[np.ndarray], np.ndarray]) -> _Side:
        training = at(self.training)
        return _Side(at, training, at(self.net), Rungs(training, max(CAPACITIES), self.seed))

    def _near(self, g: Target, side: _Side) -> Bound | None:
        """What pairs say that are merged, and on which g differs more than on those known."""
        if not self.merged or self.radius == 0:
            return None
        return from_pairs(between(self.phi, self.on, g, self.net, side.net), g)

    def _declared(self) -> AnnihilatingMeasure | None:
        """A measure that the class itself declares, where points of K are what it takes."""
        own = getattr(self.model, "annihilator", None)
        if not callable(own) or not isinstance(self.phi, Identity) or len(self.on.shape) != 1:
            return None
        return own(self.on, self.seed)

    def _capacities(self, basis: np.ndarray | None) -> list[str]:
        if basis is not None:
            return [str(basis.shape[1])]
        if self.dense:
            return [str(n) for n in CAPACITIES]
        # Greater steps of a class with a bound on the slope have a greater bound.
        own = getattr(self.model, "ladder", None)
        bound = getattr(self.model, "lipschitz", None) is not None
        grows = callable(own) and not bound and own(0) is not self.model
        return [f"step {n}" for n in STEPS] if grows else ["fitted"]

    def _reached(self, side: _Side, name: str, values: np.ndarray) -> Reached:
        if name.startswith("step "):
            found = fitted(self.model.ladder(int(name[5:])), side.training, values)
        elif name != "fitted" and self.dense:
            n = int(name)
            found = spanned(lambda z: side.rungs.basis(z, n), side.training, values)
        else:
            found = fitted(self.model, side.training, values)
        if found.note:
            self.notes.append(found.note)
        return found

    def _row(
        self, g: Target, below: Bound | None, pairs: Any, behind: _Side, beside: _Side, finer: Any
    ) -> Row:
        errors = tuple(f.error(behind.net, finer) for _, f, _ in pairs)
        for (_, f, _), error in zip(pairs, errors, strict=True):
            if below is not None and isfinite(error):
                _holds(g, below, f, error, self.features)
        spread = float(finer.max() - finer.min()) / 2
        names = tuple(name for name, _, _ in pairs)
        others = tuple(f.error(beside.net, finer) for _, _, f in pairs)
        return Row(g.name, spread, below, names, errors, others)

    def _choose(self, rows: list[Row], tried: list[Any], behind: _Side) -> None:
        for row, (g, _, pairs, _, _) in zip(rows, tried, strict=True):
            if row.errors and min(row.errors) < inf:
                best = int(np.argmin(row.errors))
                self.chosen.append((g, pairs[best][1], row.errors[best] / size_of(row)))
            else:
                self.chosen.append((g, Reached(None), inf))

    def resolution(self) -> tuple[float, int]:
        """ε, on the net and on fresh points, and how many these are."""
        eps = max((part for _, _, part in self.chosen), default=inf)
        if not isfinite(eps) or not self.on.infinite:
            return eps, 0
        points = self.on.sample(FRESH, self.seed + 7)
        features = self.features(points)
        for g, f, _ in self.chosen:
            finer = g(self.net)
            size = _positive(float(finer.max() - finer.min()) / 2)
            eps = max(eps, f.error(features, g(points)) / size)
        return eps, FRESH


def _constant(value: float, features: np.ndarray) -> np.ndarray:
    return np.full(len(features), value)


def _flat(points: np.ndarray) -> np.ndarray:
    return points.reshape(len(points), -1)


def _positive(size: float) -> float:
    return size if size > 0 else 1.0


def size_of(row: Row) -> float:
    """The error of a constant, or 1 where the target is one."""
    return _positive(row.size)


def _points(on: Space, extra: list[np.ndarray], seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Points to choose functions on, more to measure on, and the radius of their net."""
    members = None if on.infinite else on.enumerate()
    if members is not None and len(members) <= FINER * TRAINING:
        return members, members, 0.0
    more = [np.stack(extra)] if extra else []
    low, high = on.bounds()
    middle = (low / 2 + high / 2)[None]
    more.append(middle[on.contains(middle)])
    if on.size <= CORNERS:
        ends = np.stack([low.ravel(), high.ravel()])
        choice = np.indices((2,) * on.size).reshape(on.size, -1)
        corners = ends[choice, np.arange(on.size)[:, None]].T.reshape(-1, *on.shape)
        more.append(corners[on.contains(corners)])
    radius = inf
    if on.dimension <= NET_DIMENSION:
        part = TRAINING if on.dimension == 1 else TRAINING * 2 // 3
        some, _ = _net(on, part)
        if part < TRAINING:
            # A net may keep away from the boundary.
            more.append(on.sample(TRAINING - part, seed + 3))
        many, radius = _net(on, FINER * TRAINING)
    else:
        some, many = on.sample(TRAINING, seed + 3), on.sample(FINER * TRAINING, seed + 5)
    training = np.concatenate([some, *more])
    # Once each, so that no measure sits on one point with two signs.
    training = np.unique(_flat(training), axis=0).reshape(-1, *on.shape)
    return training, np.concatenate([many, training]), radius


def _net(on: Space, most: int) -> tuple[np.ndarray, float]:
    """A net of at most so many points, and its radius."""
    h = on.diameter
    points = on.net(h)
    while True:
        try:
            finer = on.net(h * 0.85)
        except ParameterError:
            return points, h
        if len(finer) > most:
            return points, h
        points, h = finer, h * 0.85


def _holds(g: Target, below: Bound, f: Reached, error: float, features: Any) -> None:
    """lower <= upper: of a function that was found, and of what it leaves of the witness."""
    if below.witness is None or f.function is None:
        return
    if isinstance(below.witness, Collision | NearCollision):
        points = np.stack([below.witness.x, below.witness.y])
        masses = np.array([0.5, -0.5])
    else:
        points, masses = below.witness.points, below.witness.weights
        masses = masses / np.abs(masses).sum()
    values = f.function(features(points))
    size = max(float(np.abs(values).max()), float(np.abs(g(points)).max()))
    # A bound on the slope has taken off what members leave.
    left = 0.0 if below.kind == "slope" else float(abs(masses @ values))
    if isinstance(below.witness, ConeWitness):
        # Only what lies on the other side of the hyperplane is left.
        left = max(0.0, float(masses @ values))
    # A jump of f may fall between two features that are equal but for rounding, and weights may be
    # large; a measure that the class declares leaves no more than rounding of any member.
    declared = below.kind == "class" and left > LEFT * size
    if declared or below.value > error + left + LEFT * size:
        raise ContradictionError(
            f"An error was reached for {g.name!r} that a bound from below rules out.",
            got=f"error {error:.6g}, bound {below.value:.6g} from {below.because}",
            need="bounds from below that hold for every member of the class",
            do="mend the declared facts, features or annihilator of the model or the map",
        )
