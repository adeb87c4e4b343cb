"""Attacks on what is claimed of the affine functions of maps that are trained."""

from __future__ import annotations

import numpy as np

from ..maps.trained import Trained
from ..models.family import FamilyPullback
from ..property import Property, Universal
from ..spaces import Space
from .collide import collision
from .evidence import Counterexample
from .probe import Probe
from .topology import jump

__all__ = ["of_members"]

# Relative errors, in the sup norm, of members trained for a target: what is near, what is far. No
# affine function of a homeomorphism is nearer to a bowl than half of its height.
NEAR, FAR = 0.3, 0.4
POINTS, EPOCHS, BATCH = 400, 50, 80


def of_members(
    phi: FamilyPullback, on: Space, claim: Property, random_state: int, budget: float
) -> Counterexample | None:
    """Attack the claim that affine functions of trained maps are dense in C(K), or are not.

    Dense they are not behind a map that merges points or jumps; and it speaks against it where
    members that are trained for a bowl all stay away from it. Against the contrary speak some that
    come near to a bowl and to a slope.
    """
    before = phi.family.before
    if claim.holds and before is not None:
        probe = Probe(before, on, random_state, budget)
        if (merged := collision(probe)) is not None:
            text = f"two points are merged before every member: {merged[2]}"
            return Counterexample(repr(claim), text, merged[:2])
        # What jumps may still come near to continuous functions, in the senses that allow it.
        if claim.name == Universal.name and (torn := jump(probe)) is not None:
            text = f"what comes before every member jumps by {torn[2]:.3g}"
            return Counterexample(repr(claim), text, torn[:2])
    member = phi.family.member
    if not isinstance(member, Trained) or not on.compact or len(on.shape) != 1:
        return None
    if not on.infinite:
        return None if claim.holds else _interpolating(phi, on, claim)
    if not on.interior:
        return None
    points = on.sample(POINTS, np.random.default_rng(random_state + 31))
    low, high = on.bounds()
    place = 2 * (points - low) / (high - low) - 1
    # Of height 1 on the greatest ball inside, after scaling, of a box or a ball.
    bowl = -(place**2).sum(axis=1)
    seen = points if before is None else before(points)
    error = _error(member, seen, bowl, 0)
    if not claim.holds and error < NEAR:
        # A map that merges the two sides of the bowl may reach it, but not a slope.
        error = max(error, _error(member, seen, place.sum(axis=1) / place.shape[1], 0))
        if error < NEAR:
            text = f"members trained for a bowl and for a slope miss them by {error:.2g}, or less"
            return Counterexample(repr(claim), text, certain=False)
    if claim.name == Universal.name and claim.holds and error > FAR:
        # One that fails may have been trained badly.
        error = min(error, _error(member, seen, bowl, 1))
        if error > FAR:
            text = f"members that are trained for a bowl miss it by {error:.2g} of its height"
            return Counterexample(repr(claim), text, certain=False)
    return None


def _error(member: Trained, points: np.ndarray, target: np.ndarray, seed: int) -> float:
    """The greatest error of least squares behind a member that is trained for a target.

    The member has the number of units that is usual for its kind: the claim is about all of them.
    """
    phi = type(member)().set_params(n_epochs=EPOCHS, batch_size=BATCH, random_state=seed)
    design = _design(phi.fit(points, target).transform(points))
    solution = np.linalg.lstsq(design, target)[0]
    return float(np.abs(design @ solution - target).max())


def _interpolating(phi: FamilyPullback, on: Space, claim: Property) -> Counterexample | None:
    """All points of a finite space, on which affine functions of one member have any values."""
    points = on.enumerate()
    if points is None:
        return None
    seen = points if phi.family.before is None else phi.family.before(points)
    design = _design(phi.family.member.bind(seen)(seen))
    if np.linalg.matrix_rank(design) < len(points):
        return None
    text = f"affine functions of one member have any values at the {len(points)} points"
    return Counterexample(repr(claim), text, tuple(points), certain=False)


def _design(features: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(features), 1)), features], axis=1)
