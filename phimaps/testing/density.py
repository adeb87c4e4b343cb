"""Attacks on the universality of F_φ in each of its senses, and on its contrary."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models import MLP, Additive, Polynomial, Polynomials, Pullback, Readout
from ..models.family import FamilyPullback
from ..models.linear import AffineFunctions
from ..property import ApproximatelyUniversal, LpUniversal, Property, Universal
from ..spaces import Euclidean
from ..witness import AnnihilatingMeasure, Collision, Witness
from .collide import collision, injective
from .embedding import closing, explodes
from .evidence import Counterexample
from .measurable import chosen
from .probe import Probe, rows
from .readouts import readable
from .topology import jump

__all__ = ["universal"]

# How well members of F_φ must fit, on points that they have not seen, to count as dense.
FIT = 1e-3
# Classes of continuous functions that contain the affine ones; those of polynomials alone.
AFFINE = (AffineFunctions, MLP, Polynomial, Polynomials, Additive)
POLYNOMIAL = (AffineFunctions, Polynomial, Polynomials)
# How far the sum over a measure that annihilates F may be from 0 for a fitted member.
SEEN = 1e-6


def universal(
    probe: Probe, claim: Property, number: float, model: Any, witness: Witness | None
) -> Counterexample | None:
    """Attack the claim that {f∘φ : f in F} is dense in C(K) in one of the senses, or is not."""
    if isinstance(model, Readout):
        return readable(probe, claim, number, model, witness)
    if claim.holds:
        return _obstacle(probe, claim, model)
    if isinstance(witness, AnnihilatingMeasure):
        return _seen(probe, claim, model, witness)
    if isinstance(witness, Collision):
        return injective(probe, claim, number, witness)
    return _fits(probe, claim, model)


def _seen(
    probe: Probe, claim: Property, model: Any, measure: AnnihilatingMeasure
) -> Counterexample | None:
    """A member of F_φ, fitted to noise, that the measure does not annihilate."""
    points = measure.points.reshape(-1, *probe.on.shape)
    if not bool(probe.on.contains(points).all()):
        return Counterexample(repr(claim), "the measure lies outside of the space", (points,))
    rng = np.random.default_rng(probe.seed + 9)
    features = np.concatenate([probe(points), probe.values[:40]])
    if not np.isfinite(features).all():
        return None
    member = model.member(False).fit(features, rng.standard_normal(len(features)))
    values = np.ravel(member.predict(features[: len(points)]))
    # Rounding of members that solve a linear system is that of its condition.
    room = SEEN * float(np.abs(measure.weights).sum()) * max(1.0, float(np.abs(values).max()))
    error = abs(float(measure.weights @ values))
    text = f"Σ c_i f(φ(x_i)) = {error:.3g} for a member f of F"
    return Counterexample(repr(claim), text, tuple(points)) if error > room else None


def _obstacle(probe: Probe, claim: Property, model: Any) -> Counterexample | None:
    if (found := collision(probe)) is not None:
        return Counterexample(repr(claim), f"φ merges two points: {found[2]}", found[:2])
    if (against := OBSTACLES[claim.name](probe, claim, model)) is not None:
        return against
    if model.finite_dimensional:
        measure = _annihilator(probe, model)
        if measure is not None:
            text = f"Σ c_i f(φ(x_i)) = 0 for every f in F, with {len(measure)} points"
            return Counterexample(repr(claim), text, tuple(measure))
    return None


def _torn(probe: Probe, claim: Property, model: Any) -> Counterexample | None:
    """Members that are not continuous."""
    if (torn := jump(probe)) is None:
        return None
    text = f"f∘φ is not continuous: φ jumps by {torn[2]:.3g}"
    return Counterexample(repr(claim), text, torn[:2])


def _unbounded(probe: Probe, claim: Property, model: Any) -> Counterexample | None:
    """Polynomials of an unbounded feature are unbounded, or constant.

    Where |φ(x_k)| >= 4^k at points x_k of a compact set, no other is in L^1 of Σ 2^-k δ(x_k).
    """
    if not isinstance(model, POLYNOMIAL) or probe.values.shape[1] != 1:
        return None
    if (wild := explodes(probe)) is None:
        return None
    text = f"|φ(x)| grows without bound towards {wild[1]:.3g} on a compact set"
    return Counterexample(repr(claim), text, (wild[0],), certain=False)


def _near(probe: Probe, claim: Property, model: Any) -> Counterexample | None:
    """Far points whose values come together, which continuous members cannot tell apart."""
    if isinstance(model, AFFINE) and (pair := closing(probe)) is not None:
        text = f"|φ(x) - φ(y)| = {pair[2]:.3g}, and smaller nearby"
        return Counterexample(repr(claim), text, pair[:2], certain=False)
    return _unbounded(probe, claim, model)


def _no_borel(probe: Probe, claim: Property, model: Any) -> Counterexample | None:
    """Members that are not Borel functions: the coordinates of φ are among them."""
    if isinstance(model, AFFINE) and (found := chosen(probe)):
        return Counterexample(repr(claim), f"f∘φ is not Borel: {found[1]}", found[:1])
    return _unbounded(probe, claim, model)


# What speaks against one sense, besides what speaks against all of them.
OBSTACLES = {
    Universal.name: _torn,
    ApproximatelyUniversal.name: _near,
    LpUniversal.name: _no_borel,
}


def _annihilator(probe: Probe, model: Any) -> np.ndarray | None:
    """More distinct points than F_φ has dimensions: then some c ≠ 0 annihilates it."""
    dimension = model.dimension(probe.values.shape[1])
    points = np.unique(rows(probe.points), axis=0)
    if len(points) <= dimension:
        return None
    return points[: dimension + 1].reshape(-1, *probe.on.shape)


def _fits(probe: Probe, claim: Property, model: Any) -> Counterexample | None:
    if not probe.on.infinite:
        if not isinstance(model, AFFINE):
            return None
        points, index = np.unique(rows(probe.points), axis=0, return_index=True)
        design = np.concatenate([np.ones((len(points), 1)), probe.values[index]], axis=1)
        if np.isfinite(design).all() and np.linalg.matrix_rank(design) == len(points):
            text = f"affine functions of φ take all values on {len(points)} points"
            return Counterexample(repr(claim), text, certain=False)
        return None
    if not probe.on.compact or probe.on.size > 2 or not _rich(probe, claim, model):
        return None
    rng = np.random.default_rng(probe.seed + 8)
    points = probe.on.sample(1600, rng)
    features = probe(points)
    if not np.isfinite(features).all():
        return None
    spread = features.std(axis=0)
    features = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    weight = rng.standard_normal((features.shape[1], 500)) * rng.choice([0.5, 1, 3], 500)
    hidden = np.maximum(features @ weight + rng.uniform(-4, 4, 500), 0.0)
    design = np.concatenate([np.ones((len(points), 1)), features, hidden, hidden**2], axis=1)
    place = (rows(points) - probe.low.ravel()) / np.maximum(probe.width.ravel(), 1e-300)
    targets = np.stack(
        [np.sin(place @ rng.standard_normal(place.shape[1]) * 3 + s) for s in range(4)]
        + [place[:, 0]],
        axis=1,
    )
    solution = np.linalg.lstsq(design[:1200], targets[:1200], rcond=1e-12)[0]
    error = float(np.abs(design[1200:] @ solution - targets[1200:]).max())
    if error < FIT:
        text = f"members of F_φ fit {targets.shape[1]} targets to {error:.2g} on unseen points"
        return Counterexample(repr(claim), text, certain=False)
    return None


def _rich(probe: Probe, claim: Property, model: Any) -> bool:
    """Whether F is said to be universal itself: then what networks fit its members fit as well."""
    known = model.facts(Euclidean(probe.values.shape[1]))
    return any(fact.name == claim.name and fact.holds for fact, _ in known)


def subject(phi: Any) -> tuple[Any, Any]:
    """The map and, for a pull-back, its model class."""
    if isinstance(phi, FamilyPullback):
        return phi.family.member, phi
    if isinstance(phi, Readout):
        return subject(phi.inner)[0], phi
    model = phi.model if isinstance(phi, Pullback) else None
    phi = phi.map if model is not None else phi
    return vars(phi).get("map_", phi), model


def about(claim: Property) -> bool:
    """Whether the claim is about a class of functions and not about a map."""
    return claim.name in OBSTACLES
