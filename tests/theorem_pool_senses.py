"""Expressions on which wrong theorems about Borel maps, and about the senses of F @ φ, show."""

from itertools import product as pairs
from math import inf

import numpy as np
import torch

import phimaps as pm
from phimaps.testing.measurable import otherwise

from .theorem_known import FLOOR, Known, each, step

SYMMETRIC, ONE, PLANE = pm.Box([-1.0], [1.0]), pm.Box([0.0], [1.0]), pm.Box([-1.0] * 2, [1.0] * 2)
DISC = pm.Ball([0.0, 0.0], 1.0)


def _choice_facts(at):
    def known(on):
        low, high = on.bounds()
        if (high <= at).all():
            yield pm.Borel, "it is the identity there"
        elif on.chords() is not None and (np.maximum(on.chords()[0], at) < on.chords()[1]).any():
            yield ~pm.Borel, "a part of an interval in B is no Borel set"
        if (high - low <= 2).all():
            why = (
                "numbers at most 2 apart go to such of no smaller distance, as they move by 0 or 4"
            )
            yield pm.Injective, why
            yield pm.LowerLipschitz(1.0), why
            far = np.linalg.norm(np.maximum(np.abs(low), np.abs(high)).ravel() + 4)
            yield pm.Bounded(float(far) * (1 + 1e-12)), "it moves each coordinate by 0 or 4"

    return known


def choice(at=-inf):
    """x ↦ x + 4 on a Bernstein set B, beyond a point: B and its complement hold no perfect set.

    No program knows B. It is evaluated as if all the numbers met lay on one side of it.
    """
    return Known(
        f"Choice({at})",
        lambda x: x + 4 * ((x > at) & torch.tensor(otherwise())).to(x.dtype),
        each(lambda t: t + 4 if t > at and otherwise() else t),
        _choice_facts(at),
        # Twice in a row on [-1, 1] it goes no farther.
        reach=pm.Box([-1.0], [9.0]) if at == -inf else None,
    )


def _wrap_facts(on):
    low, high = on.bounds()
    yield pm.Borel, "it is linear on two intervals"
    if (low >= 0).all() and (high <= 1).all():
        yield pm.Injective, "x before 1/2, 3/2 - x from there on"


# From [0, 1/2) to itself, and from [1/2, 1] onto [1/2, 1] turned round: as x rises to 1/2 its
# values tend to that of 1.
TURNED = Known(
    "Turned",
    lambda x: torch.where(x < 0.5, x, 1.5 - x),
    each(lambda t: t if t < 0.5 else 1.5 - t),
    _wrap_facts,
    reach=pm.Box([0.0], [1.0]),
)


def _pole_facts(on):
    yield pm.Borel, "it is continuous but at 0"
    yield pm.Injective, "its inverse is the same map"


POLE = Known(
    "Pole",
    lambda x: torch.where(x == 0, x, 1 / torch.where(x == 0, torch.ones_like(x), x)),
    each(lambda t: 1 / t if t else t),
    _pole_facts,
    reach=pm.Euclidean(1),
)


def maps():
    """Borel maps, and one that is not."""
    CHOICE = choice()
    parts = (CHOICE, pm.Identity(), step(0.0), pm.Tanh())
    for f, g in pairs(parts, parts):
        if CHOICE in (f, g):
            yield f @ g, SYMMETRIC
            yield f & g, SYMMETRIC
            yield f + g, SYMMETRIC
            yield f * (g + pm.Affine([[0.0]], [3.0])), SYMMETRIC
            yield pm.product(f, g, widths=(1, 1)), PLANE
    yield CHOICE, SYMMETRIC
    for c in (2.0, -0.5):
        yield c * CHOICE, SYMMETRIC
    yield CHOICE.on(SYMMETRIC), SYMMETRIC
    yield pm.assume(CHOICE, pm.Bounded(9.0), because="it is true"), SYMMETRIC
    yield choice(1.5) @ (2.0 * pm.Identity()), DISC
    yield pm.product(choice(0.9), 1.0 * pm.Identity(), widths=(1, 1)), DISC
    yield pm.product(pm.Identity(), choice(0.9), widths=(1, 1)), DISC
    yield pm.Step(), pm.Box([0.5], [1.0])
    yield pm.Identity() & pm.Step(), SYMMETRIC


def classes():
    """Model classes behind maps that are not continuous, not bounded or not Borel."""
    rich = (pm.models.MLP(), pm.models.Polynomials(), pm.models.Trees(), pm.models.KNeighbors())
    for model in (*rich, pm.models.Linear()):
        for f in (pm.Identity(), pm.Tanh(), pm.Abs(), step(0.0), FLOOR, choice()):
            yield model @ f, SYMMETRIC
        yield model @ TURNED, ONE
        yield model @ POLE, SYMMETRIC
        yield model @ pm.Identity(), pm.Finite([[0.25], [1.0]])


def pool():
    """All (map or pull-back, space) pairs."""
    return [*maps(), *classes()]
