"""When F_φ = {f∘φ : f ∈ F} is dense in C(K), and when it cannot be."""

from __future__ import annotations

from math import prod

import numpy as np

from ..interval import norm_bound, singular_values
from ..maps.vector import Identity
from ..models import Pullback
from ..models.linear import AffineFunctions
from ..proof import Strength
from ..property import Continuous, Injective, Universal
from ..theorem import Case, Condition, Premise, theorem
from ..witness import AnnihilatingMeasure, Witness
from .exhibited import enclosure


def _affinely_independent(case: Case) -> bool:
    """Whether the features of all points of a finite space, with a 1 before them, have full rank.

    The rank is that of the midpoints of enclosures if their least singular value exceeds the norm
    of the radii (Weyl).
    """
    members = case.on.enumerate()
    if members is None or len(members) > 512 or not isinstance(case.map.model, AffineFunctions):
        return False
    phi = case.parts[-1].map
    if not phi.closed:
        return False
    values = [enclosure(phi, x) for x in members]
    known = [v for v in values if v is not None]
    if len(known) < len(members):
        return False
    low, high = (np.stack(side) for side in zip(*known, strict=True))
    middle = low / 2 + high / 2
    radius = norm_bound(np.maximum(high - middle, middle - low)) * (1 + 1e-9)
    matrix = np.concatenate([np.ones((len(middle), 1)), middle], axis=1)
    if matrix.shape[0] > matrix.shape[1]:
        return False
    return bool(singular_values(matrix)[0].min() > radius)


theorem(
    "universality-kept",
    Universal,
    Pullback,
    Premise("first", Universal),
    Premise("last", Continuous),
    Premise("last", Injective),
    statement="a continuous injective map keeps a universal class universal",
    source=(
        "Kratsios and Bilokopytov 2020; a continuous injective φ is a homeomorphism of a compact K "
        "onto φ(K), extend g∘φ⁻¹ from φ(K) by Tietze and approximate it in F"
    ),
)
theorem(
    "collision-not-universal",
    ~Universal,
    Pullback,
    Premise("last", ~Injective),
    statement="a function that takes different values at two merged points is out of reach",
    source="φ(x) = φ(y) gives |f(φ(x)) - g(x)| + |f(φ(y)) - g(y)| >= |g(x) - g(y)| for every f",
)
theorem(
    "finite-dimension-not-universal",
    ~Universal,
    Pullback,
    Condition("F∘φ has finite dimension", lambda case: case.map.model.finite_dimensional),
    Condition("the space is infinite", lambda case: case.on.infinite),
    statement="functions of finite dimension form a closed space, and C(K) has infinite dimension",
    source=(
        "span{1, φ_1, ..., φ_d} is complete, hence closed; n distinct points admit n linearly "
        "independent functions in C(K)"
    ),
)


def _outnumbered(case: Case) -> bool:
    """Whether the points of a finite space are more than the features with a constant."""
    members = case.on.enumerate()
    if members is None or not isinstance(case.map.model, AffineFunctions):
        return False
    phi = case.parts[-1].map
    return phi.closed and len(members) > prod(phi.out_shape(case.on.shape)) + 1


theorem(
    "few-features-not-universal",
    ~Universal,
    Pullback,
    Condition("F is linear, and the points are more than the features and 1", _outnumbered),
    statement="d features and a constant span at most d + 1 dimensions of functions",
    source="the functions on n points have n dimensions",
)
theorem(
    "independent-features-universal",
    Universal,
    Pullback,
    Condition(
        "F is linear, the space finite, and the features of its points are affinely independent",
        _affinely_independent,
    ),
    statement="on affinely independent points every function is affine",
    source="the matrix of features, with a column of ones, has as many independent rows as points",
    strength=Strength.COMPUTED,
)


def _same_points(case: Case, witness: Witness | None) -> Witness | None:
    """A measure that annihilates F, where the map leaves its points where they are."""
    stays = isinstance(case.parts[-1].map, Identity)
    return witness if stays and isinstance(witness, AnnihilatingMeasure) else None


theorem(
    "class-not-universal-on-image",
    ~Universal,
    Pullback,
    Premise("first", ~Universal),
    statement="values that F cannot approach at points that φ reaches are out of reach behind φ",
    source=(
        "classes are not universal by finitely many points z_i = φ(x_i): the values of f∘φ at the "
        "x_i are those of f at the z_i, and a continuous function has any values at the x_i"
    ),
    carry=_same_points,
)
