"""Homeomorphisms onto their images, proper maps, and maps that keep every class universal."""

from __future__ import annotations

from ..map import Assume, Compose, Concat, FeatureMap, On, Product, Scale, Sum, Tensor
from ..property import (
    Affine,
    ApproximatelyUAPInvariant,
    Bounded,
    Continuous,
    Homeomorphism,
    Injective,
    LowerLipschitz,
    Proper,
    UAPInvariant,
)
from ..spaces import Boxlike
from ..theorem import Case, Condition, Premise, theorem
from .topology import CONSTANT, NONZERO

COMPACT = Condition("the space is compact", lambda case: case.on.compact)
CLOSED = Condition("the space is closed", lambda case: case.on.is_closed)
NOT_COMPACT = Condition("the space is not compact", lambda case: not case.on.compact)


def _whole(case: Case) -> bool:
    on = case.on
    return isinstance(on, Boxlike) and not any(map(any, _finite(on)))


def _finite(on: Boxlike) -> tuple[list[bool], list[bool]]:
    low, high = on.low.ravel(), on.high.ravel()
    return [v > float("-inf") for v in low.tolist()], [v < float("inf") for v in high.tolist()]


WHOLE = Condition("the space is all of R^n", _whole)

# --- homeomorphisms onto the image -------------------------------------------------------------
theorem(
    "compact-homeomorphism",
    Homeomorphism,
    FeatureMap,
    Premise("self", Continuous),
    Premise("self", Injective),
    COMPACT,
    statement="a continuous injective map of a compact space is a homeomorphism onto its image",
    source=(
        "closed subsets of K are compact, so are their images, which are closed: the inverse is "
        "continuous"
    ),
)
theorem(
    "lower-lipschitz-homeomorphism",
    Homeomorphism,
    FeatureMap,
    Premise("self", Continuous),
    Premise("self", LowerLipschitz),
    statement="a continuous map with a lower constant is a homeomorphism onto its image",
    source="d(x, y) <= |φ(x) - φ(y)| / l, so the inverse is Lipschitz",
)
theorem(
    "proper-homeomorphism",
    Homeomorphism,
    FeatureMap,
    Premise("self", Proper),
    Premise("self", Injective),
    statement="a proper injective map is a homeomorphism onto its image",
    source=(
        "φ(x_n) -> φ(x): these points are a compact set, so is its preimage, and every limit point "
        "of x_n is x by injectivity"
    ),
)
theorem(
    "compose-homeomorphism",
    Homeomorphism,
    Compose,
    Premise("each", Homeomorphism),
    statement="a composition of homeomorphisms onto their images is one",
    source="continuous maps compose, and so do the inverses on the images",
)
theorem(
    "concat-homeomorphism",
    Homeomorphism,
    Concat,
    Premise("pivot", Homeomorphism),
    Premise("others", Continuous),
    statement="one block that can be inverted continuously is enough, the others being continuous",
    source="project to the block, and invert it",
)
theorem(
    "tensor-homeomorphism",
    Homeomorphism,
    Tensor,
    Premise("pivot", Homeomorphism),
    Premise("others", Continuous),
    CONSTANT,
    statement="a homeomorphism times constants that are not 0 stands among the coordinates",
    source="project to these coordinates, divide by the constant, and invert",
)
for about in (Scale, Product, On, Assume):
    theorem(
        f"{about.__name__.lower()}-homeomorphism",
        Homeomorphism,
        about,
        Premise("each", Homeomorphism),
        *((NONZERO,) if about is Scale else ()),
        statement="multiples by c ≠ 0, products and restrictions of homeomorphisms are such",
        source="invert each part, after division by c",
    )
for cause in (Continuous, Injective):
    theorem(
        f"not-{cause.name.lower()}-not-homeomorphism",
        ~Homeomorphism,
        FeatureMap,
        Premise("self", ~cause),
        statement=f"a homeomorphism onto its image is {cause.name.lower()}",
        source="by definition",
    )
# --- proper maps -------------------------------------------------------------------------------
theorem(
    "compact-proper",
    Proper,
    FeatureMap,
    Premise("self", Continuous),
    COMPACT,
    statement="a continuous map of a compact space is proper",
    source="the preimage of a closed set is closed in a compact space",
)
theorem(
    "lower-lipschitz-proper",
    Proper,
    FeatureMap,
    Premise("self", Continuous),
    Premise("self", LowerLipschitz),
    CLOSED,
    statement="a continuous map with a lower constant on a closed set is proper",
    source=(
        "the preimage of a compact set is closed, and bounded: d(x, y) <= |φ(x) - φ(y)| / l "
        "(Heine-Borel)"
    ),
    euclidean=True,
)
theorem(
    "compose-proper",
    Proper,
    Compose,
    Premise("each", Proper),
    statement="a composition of proper maps is proper",
    source=(
        "the preimage of a compact set under f, within a set that contains g(K), is compact, and "
        "so is its preimage under g"
    ),
)
theorem(
    "concat-proper",
    Proper,
    Concat,
    Premise("pivot", Proper),
    Premise("others", Continuous),
    statement="one proper block is enough, the others being continuous",
    source="a closed subset of the compact preimage under the block is compact",
)
theorem(
    "sum-proper",
    Proper,
    Sum,
    Premise("pivot", Proper),
    Premise("others", Continuous),
    Premise("others", Bounded),
    statement="a proper term stays proper when bounded continuous ones are added",
    source="|f(x) + g(x)| <= R gives |f(x)| <= R + B: a closed subset of a compact preimage",
)
for about in (Scale, Product, On, Assume):
    theorem(
        f"{about.__name__.lower()}-proper",
        Proper,
        about,
        Premise("each", Proper),
        *((NONZERO,) if about is Scale else (CLOSED,) if about is Product else ()),
        statement="multiples by c ≠ 0 of proper maps and, on closed sets, their products are so",
        source="the preimage is a closed part of the product of the parts' compact preimages",
    )
theorem(
    "bounded-not-proper",
    ~Proper,
    FeatureMap,
    Premise("self", Bounded),
    NOT_COMPACT,
    statement="a bounded map of a space that is not compact is not proper",
    source="the preimage of the closed ball that contains all values is the whole space",
)
theorem(
    "discontinuous-not-proper",
    ~Proper,
    FeatureMap,
    Premise("self", ~Continuous),
    statement="a proper map is continuous",
    source="by definition",
)
theorem(
    "kernel-not-proper",
    ~Proper,
    FeatureMap,
    Premise("self", Affine),
    Premise("self", ~Injective),
    WHOLE,
    statement="an affine map of R^n that merges two points is constant on a line",
    source="A(x - y) = 0 gives A(x + t (x - y)) = Ax for all t",
)
# --- every universal class stays universal -----------------------------------------------------
STRICT = (
    "a continuous injective φ is a homeomorphism of each compact K onto φ(K); extend g∘φ⁻¹ by "
    "Tietze and approximate it; conversely take F = C(R^d): its coordinates show continuity, and "
    "d(x, ·) keeps its distance from functions that agree at x and y"
)
for sense in (UAPInvariant, ApproximatelyUAPInvariant):
    theorem(
        f"{'' if sense is UAPInvariant else 'approximately-'}uap-invariant",
        sense,
        FeatureMap,
        Premise("self", Continuous),
        Premise("self", Injective),
        statement="a continuous injective map keeps every universal class universal",
        source=f"Kratsios and Bilokopytov 2020; {STRICT}",
    )
    theorem(
        f"merging-not-{'' if sense is UAPInvariant else 'approximately-'}uap-invariant",
        ~sense,
        FeatureMap,
        Premise("self", ~Injective),
        statement="a function that differs at two merged points stays out of reach",
        source="|f(φ(x)) - g(x)| + |f(φ(y)) - g(y)| >= |g(x) - g(y)| where φ(x) = φ(y)",
    )
theorem(
    "discontinuous-not-uap-invariant",
    ~UAPInvariant,
    FeatureMap,
    Premise("self", ~Continuous),
    statement="for F = C(R^d) some f∘φ is not continuous, so F_φ is no part of C(K)",
    source="take for f a coordinate in which φ jumps",
)
theorem(
    "lower-lipschitz-approximately-uap-invariant",
    ApproximatelyUAPInvariant,
    FeatureMap,
    Premise("self", LowerLipschitz),
    Premise("self", Bounded),
    statement="a bounded map with a lower constant need not be continuous to keep classes so",
    source=(
        "its inverse is Lipschitz on φ(K), so g∘φ⁻¹ extends continuously to the closure of φ(K), "
        "which is compact, and f close to it there gives f∘φ close to g"
    ),
)
