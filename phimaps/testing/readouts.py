"""Attacks on the universality of ρ∘F_φ for a readout ρ, and on its contrary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from ..map.codomain import (
    Circle,
    Codomain,
    Coordinates,
    Directions,
    PositiveDefinite,
    PositiveNumbers,
    Probabilities,
)
from ..maps import symmetric_exp
from ..models import Monotone, Readout
from ..property import DenseImage, Property, Universal
from ..spaces import Euclidean, Sphere
from ..witness import Collision, Witness
from .collide import collision, injective
from .evidence import Counterexample
from .image import onto
from .precise import Precise, Unknown, formula, mpmath
from .probe import Probe, rows
from .topology import jump

__all__ = ["readable"]

# How well members must fit, at points that they have not seen, to count as dense.
FIT = 1e-3
# Larger matrices take many digits, and long.
LARGEST = 300
# So near to the boundary targets are lifted.
COLLAR = 1e-5


@formula(symmetric_exp.SymmetricExp)
def _symmetric_exp(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    k = phi._size(x.shape)
    matrix, entries = mpmath.zeros(k), iter(x)
    for i in range(k):
        matrix[i, i] = next(entries)
        for j in range(i + 1, k):
            matrix[i, j] = matrix[j, i] = next(entries) / mpmath.sqrt(2)
    size = mpmath.mnorm(matrix, 1)
    if size > LARGEST:
        raise Unknown("exp of a huge matrix")
    # The least eigenvalue is lost among the greatest by as many digits.
    with mpmath.workdps(mpmath.mp.dps + int(size) + 5):
        power = mpmath.expm(matrix)
    return np.array(power.tolist(), dtype=object).reshape(k, k)


def _squares(v: np.ndarray) -> np.ndarray:
    return np.asarray(v**2 / (v**2).sum(axis=1, keepdims=True))


def _unit(v: np.ndarray) -> np.ndarray:
    return np.asarray(v / np.linalg.norm(v, axis=1, keepdims=True))


def _definite(v: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * np.eye(v.shape[1]) + v[:, :, None] * v[:, None, :])


# A smooth target for each smooth function without zeros into the plane.
TARGETS: dict[type[Codomain], Callable[[np.ndarray], np.ndarray]] = {
    Circle: _unit,
    Coordinates: lambda v: v,
    Directions: _unit,
    PositiveDefinite: _definite,
    PositiveNumbers: np.exp,
    Probabilities: _squares,
}


def readable(
    probe: Probe, claim: Property, number: float, readout: Readout, witness: Witness | None
) -> Counterexample | None:
    """Attack the claim that {ρ∘f∘φ : f in F^n} is dense in C(K, Y), or is not."""
    if claim.holds:
        return _obstacle(probe, claim, readout)
    if isinstance(witness, Collision):
        return injective(probe, claim, number, witness)
    return _fits(probe, claim, readout)


# --- what speaks against it ----------------------------------------------------------------------
def _obstacle(probe: Probe, claim: Property, readout: Readout) -> Counterexample | None:
    if (found := collision(probe)) is not None:
        return Counterexample(repr(claim), f"φ merges two points: {found[2]}", found[:2])
    if claim.name == Universal.name and (torn := jump(probe)) is not None:
        return Counterexample(repr(claim), f"φ jumps by {torn[2]:.3g}", torn[:2])
    codomain = readout.codomain
    if codomain is None:
        width = readout.readout.takes or readout.targets.shape
        return onto(Probe(readout.readout, Euclidean(width), probe.seed), DenseImage, 0.0)
    if isinstance(codomain, Circle):
        return _turn(probe, claim, readout.inner.model)
    model = readout.inner.model
    if codomain.signs and model.finite_dimensional:
        points = np.unique(rows(probe.points), axis=0)
        if len(points) > model.dimension(probe.values.shape[1]):
            text = f"no member has all signs at {len(points)} points"
            return Counterexample(repr(claim), text, tuple(points.reshape(-1, *probe.on.shape)))
    return None


def _turn(probe: Probe, claim: Property, model: Any) -> Counterexample | None:
    """A loop of points, whose own direction has no angle that returns to where it began."""
    torn = model.universality is not None and model.universality.sense == "approximate"
    if torn or not isinstance(probe.on, Sphere) or probe.on.size != 2:
        return None
    angle = np.linspace(0.0, 2 * np.pi, 200)
    loop = probe.on.center + probe.on.radius * np.column_stack([np.cos(angle), np.sin(angle)])
    values = probe(probe.moved(loop))
    # The ends are one point, and there is one value of f∘φ at it.
    steps = np.abs(np.diff(values, axis=0)).max()
    closed = bool(np.abs(values[-1] - values[0]).max() <= 1e-9 * (1 + np.abs(values).max()))
    closed &= bool(steps < 0.3 * np.ptp(values, axis=0).max())
    turned = np.unwrap(np.arctan2(*(loop - probe.on.center).T[::-1]))
    turns = round((turned[-1] - turned[0]) / (2 * np.pi))
    if not closed or not turns:
        return None
    text = f"the target turns {turns} times around the circle, and ρ∘f of a function f does not"
    return Counterexample(repr(claim), text, (loop[0],))


# --- what speaks against the contrary ------------------------------------------------------------
def _fits(probe: Probe, claim: Property, readout: Readout) -> Counterexample | None:
    """Members that fit a few targets at points that they have not seen."""
    codomain = readout.codomain
    if codomain is None or not probe.on.compact or probe.on.size > 2:
        return None
    points = _points(probe)
    features = probe(points)
    fit = _fitter(probe, readout, features)
    if fit is None or not np.isfinite(features).all():
        return None
    place = (rows(points) - probe.low.ravel()) / np.maximum(probe.width.ravel(), 1e-300)
    worst = 0.0
    for curve in _curves(place, probe.seed):
        y = TARGETS[type(codomain)](curve)
        errors = [_error(readout, fit, z, y) for z in _lifts(codomain, y, features, place)]
        worst = max(worst, min(errors))
        if worst >= FIT:
            return None
    text = f"members fit targets to {worst:.2g} on unseen points"
    return Counterexample(repr(claim), text, certain=False)


def _points(probe: Probe) -> np.ndarray:
    if probe.on.dimension == 1 and probe.on.infinite:
        return probe.on.net(float(probe.on.diameter) / 12000)
    return probe.on.sample(1600, np.random.default_rng(probe.seed + 8))


def _curves(place: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Smooth functions without zeros into the plane."""
    rng = np.random.default_rng(seed + 9)
    base = 2 * place - 1 if place.shape[1] == 2 else np.tile([1.0, 0.6], (len(place), 1))
    if (np.linalg.norm(base, axis=1) < 0.9).any():
        base = np.tile([1.0, 0.6], (len(place), 1))
    for size in (0.0, 0.2, 0.3):
        wave = np.sin(2 * place @ rng.standard_normal((place.shape[1], 2)) + rng.uniform(0, 6, 2))
        yield base + size * wave


def _lifts(
    codomain: Codomain, y: np.ndarray, features: np.ndarray, place: np.ndarray
) -> Iterator[np.ndarray]:
    """Functions into R^n that the readout takes near to y: there is more than one."""
    z = codomain.lift(y, COLLAR)
    yield z
    if isinstance(codomain, Circle) and features.shape[1] == 1:
        # The angle, followed along the feature.
        order = np.argsort(features[:, 0])
        out = np.empty_like(z)
        out[order] = np.unwrap(z[order] * codomain.frequency, axis=0) / codomain.frequency
        yield out
    if isinstance(codomain, Probabilities):
        # A common summand makes all coordinates increase.
        yield z + 60 * place.sum(axis=1, keepdims=True)


def _error(readout: Readout, fit: Any, z: np.ndarray, y: np.ndarray) -> float:
    """The greatest error on every second point, of members that were fitted to the others."""
    reached = np.asarray(readout.readout(fit(z)))
    return float(np.abs(reached - y[1::2]).max())


def _fitter(probe: Probe, readout: Readout, features: np.ndarray) -> Any:
    """Fit coordinates at every second point and evaluate at the others; None where none can."""
    model = readout.inner.model
    seen, new = features[::2], features[1::2]
    if isinstance(model, Monotone) and features.shape[1] == 1:
        # Isotonic regression is another way to choose a member.
        def fit(z: np.ndarray) -> np.ndarray:
            each = [
                IsotonicRegression(out_of_bounds="clip").fit(seen[:, 0], c).predict(new[:, 0])
                for c in z[::2].T
            ]
            return np.stack(each, axis=1)

        return fit
    reach = model.universality
    if reach is not None and reach.sense == "approximate" and probe.on.dimension == 1:
        return lambda z: np.stack(
            [model.member(False).fit(seen, c).predict(new) for c in z[::2].T], axis=1
        )
    known = model.facts(Euclidean(features.shape[1]))
    if not any(fact.name == Universal.name and fact.holds for fact, _ in known):
        return None
    rng = np.random.default_rng(probe.seed + 10)
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    weight = rng.standard_normal((scaled.shape[1], 400)) * rng.choice([0.5, 1, 3], 400)
    hidden = np.maximum(scaled @ weight + rng.uniform(-4, 4, 400), 0.0)
    design = np.concatenate([np.ones((len(scaled), 1)), scaled, hidden, hidden**2], axis=1)
    # Fewer points do where they are dense on a line.
    step = max(1, len(design) // 3000)
    basis = np.linalg.pinv(design[:: 2 * step], rcond=1e-12)
    return lambda z: design[1::2] @ (basis @ z[:: 2 * step])
