"""When F_φ = {f∘φ : f ∈ F} is dense in C(K), in which sense, and when it cannot be."""

from __future__ import annotations

from math import prod

import numpy as np

from ..interval import norm_bound, singular_values
from ..maps.vector import Identity
from ..models import Pullback
from ..models.family import FamilyPullback
from ..models.linear import AffineFunctions
from ..proof import Strength
from ..property import (
    SENSES,
    ApproximatelyUAPInvariant,
    ApproximatelyUniversal,
    Borel,
    Continuous,
    Injective,
    LpUniversal,
    Universal,
)
from ..spaces import Euclidean, Space
from ..theorem import Case, Condition, Premise, theorem
from ..witness import AnnihilatingMeasure, Witness
from .exhibited import enclosure
from .preimages import preimages


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


# --- a sense from another ----------------------------------------------------------------------
for about in (Pullback, FamilyPullback):
    family = "family-" if about is FamilyPullback else ""
    theorem(
        f"{family}universal-approximately-universal",
        ApproximatelyUniversal,
        about,
        Premise("self", Universal),
        statement="what is dense in the strict sense is so in the approximate one",
        source="the members are there, and besides they are continuous",
    )
    theorem(
        f"{family}universal-lp-universal",
        LpUniversal,
        about,
        Premise("self", Universal),
        statement="what is dense in C(K) is dense in L^p(μ)",
        source=(
            "continuous functions are Borel, and by Lusin's theorem dense in L^p(μ) for a finite "
            "Borel measure μ on a compact metric space; ‖f‖_p <= sup|f| μ(K)^(1/p)"
        ),
    )


# --- kept by a map -----------------------------------------------------------------------------
def _everywhere(case: Case) -> Space:
    """R^d, where the features are."""
    return Euclidean(case.parts[0].arrives.outer.shape)


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
    "approximate-universality-kept",
    ApproximatelyUniversal,
    Pullback,
    Premise("first", ApproximatelyUniversal),
    Premise("last", Continuous),
    Premise("last", Injective),
    statement="a continuous injective map keeps an approximately universal class so",
    source=(
        "g∘φ⁻¹ is continuous on the compact φ(C) for compact C: extend it by Tietze and take f in "
        "F near to it on φ(C); whether f itself is continuous does not matter"
    ),
)
theorem(
    "approximate-universality-kept-without-continuity",
    ApproximatelyUniversal,
    Pullback,
    Premise("derived", ApproximatelyUniversal, make=lambda case: case.map.model, space=_everywhere),
    Premise("last", ApproximatelyUAPInvariant),
    statement=(
        "a map that keeps all universal classes approximately so keeps F, if F is approximately "
        "universal on all of R^d: the map made from it is F there"
    ),
    source=(
        "C(R^d) is a universal class, so some h∘φ with continuous h is near to g on a compact C; "
        "functions with compact support are one too, so φ(C) is bounded, as some f∘φ among them is "
        "near to 1 on C; so some f in F is near to h on the compact closure of φ(C)"
    ),
)
theorem(
    "lp-universality-kept",
    LpUniversal,
    Pullback,
    Premise("first", LpUniversal),
    Premise("last", Borel),
    Premise("last", Injective),
    Condition("the enclosure of φ(K) is compact", lambda case: case.parts[0].arrives.outer.compact),
    statement=(
        "an injective Borel map into a compact set keeps a class universal in L^p; it need not be "
        "continuous"
    ),
    source=(
        "by the theorem of Lusin and Souslin φ maps Borel sets to Borel sets, so each g in L^p(μ) "
        "is h∘φ with h in L^p(ν), where ν(B) = μ(φ⁻¹(B)) is a finite Borel measure on the compact "
        "set; and ‖f∘φ - h∘φ‖_p in L^p(μ) is ‖f - h‖_p in L^p(ν)"
    ),
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


# --- out of reach, in every sense --------------------------------------------------------------
def _outnumbered(case: Case) -> bool:
    """Whether the points of a finite space are more than the features with a constant."""
    members = case.on.enumerate()
    if members is None or not isinstance(case.map.model, AffineFunctions):
        return False
    phi = case.parts[-1].map
    return phi.closed and len(members) > prod(phi.out_shape(case.on.shape)) + 1


def _before(case: Case, witness: Witness | None) -> Witness | None:
    """A measure that annihilates F_φ: at points that φ takes to those of one against F.

    They are known where φ is the identity, or has a lower constant: see `preimages`.
    """
    phi, reached = case.parts[-1].map, case.parts[0].arrives.inner
    if not isinstance(witness, AnnihilatingMeasure):
        return None
    if isinstance(phi, Identity):
        return witness
    if reached is None or not bool(reached.surely_contains(witness.points).all()):
        return None
    key = f"preimages {witness.points.tolist()}"
    if key not in case.memo:
        case.memo[key] = preimages(phi, case.on, witness.points)
    found = case.memo[key]
    if found is None:
        return None
    text = f"{witness.because}; φ takes these points to {_places(witness)}"
    if found.radius:
        text = (
            f"{witness.because}; φ takes points within {found.radius:.1g} of these to "
            f"{_places(witness)}"
        )
    exact = witness.exact and not found.radius
    return AnnihilatingMeasure(found.points, witness.weights, text, exact)


def _places(measure: AnnihilatingMeasure) -> str:
    """The points of a measure in words."""
    rows = measure.points.reshape(len(measure.points), -1)
    listed = ["[" + ", ".join(f"{v:.4g}" for v in row[:8]) + "]" for row in rows[:4]]
    return ", ".join(listed) + (", ..." if len(rows) > len(listed) else "")


SLUGS = {
    Universal.name: "universal",
    ApproximatelyUniversal.name: "approximately-universal",
    LpUniversal.name: "lp-universal",
}
for sense in SENSES:
    slug = SLUGS[sense.name]
    # Point masses are finite Borel measures: in L^p of a sum of them, functions are their values.
    masses = "; take for μ the sum of point masses at them" if sense is LpUniversal else ""
    theorem(
        f"collision-not-{slug}",
        ~sense,
        Pullback,
        Premise("last", ~Injective),
        statement="a function that takes different values at two merged points is out of reach",
        source=(
            "φ(x) = φ(y) gives |f(φ(x)) - g(x)| + |f(φ(y)) - g(y)| >= |g(x) - g(y)| for every f"
            + masses
        ),
    )
    theorem(
        f"finite-dimension-not-{slug}",
        ~sense,
        Pullback,
        Condition("F∘φ has finite dimension", lambda case: case.map.model.finite_dimensional),
        Condition("the space is infinite", lambda case: case.on.infinite),
        statement="functions of p dimensions do not take all values at p + 1 points",
        source="their values at the points form a closed subspace of R^(p + 1)" + masses,
    )
    theorem(
        f"few-features-not-{slug}",
        ~sense,
        Pullback,
        Condition("F is linear, and the points are more than the features and 1", _outnumbered),
        statement="d features and a constant span at most d + 1 dimensions of functions",
        source="the functions on n points have n dimensions" + masses,
    )
    theorem(
        f"class-not-{slug}-on-image",
        ~sense,
        Pullback,
        Premise("first", ~Universal),
        statement=(
            "values that F cannot approach at points that φ reaches are out of reach behind φ"
        ),
        source=(
            "classes are not universal by finitely many points z_i = φ(x_i): the values of f∘φ at "
            "the x_i are those of f at the z_i, and a continuous function has any values at the x_i"
            + masses
        ),
        carry=_before,
    )
