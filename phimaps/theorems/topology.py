"""Continuous, injective and affine maps: what the combinators do to them."""

from __future__ import annotations

from math import prod

import numpy as np

from ..errors import UnboundError
from ..map import Assume, Compose, Concat, FeatureMap, On, Product, Scale, Sum, Tensor
from ..property import Affine, Bounded, Continuous, Injective, Lipschitz, LowerLipschitz
from ..spaces import Sphere
from ..theorem import Case, Condition, Premise, theorem
from ..witness import Collision, Witness

NONZERO = Condition("the factor is not 0", lambda case: case.map.factor != 0)
ZERO = Condition("the factor is 0", lambda case: case.map.factor == 0)
PLURAL = Condition(
    "the space has two points",
    lambda case: case.on.infinite or (case.on.bounds()[0] != case.on.bounds()[1]).any(),
)
SINGLE = Condition("the space has a single point", lambda case: case.on.single)


def _constant_factor(case: Case) -> float:
    """The greatest certain |value| of a constant coordinate among the factors but the pivot."""
    found = 1.0
    for index, part in enumerate(case.parts):
        if index != case.pivot:
            low, high = part.map.image(part.arrives.outer).outer.bounds()
            values = np.abs(low[(low == high) & np.isfinite(low)])
            found *= float(values.max()) if values.size else 0.0
    return found


CONSTANT = Condition(
    "every other factor has a coordinate that is constant and not 0",
    lambda case: _constant_factor(case) > 0,
)


def _embed(case: Case, witness: Witness | None) -> Collision | None:
    """The witness against one part of a product, the other parts of the point being fixed."""
    chords = case.on.chords()
    if chords is None or case.pivot is None or not isinstance(witness, Collision):
        return None
    start = sum(p.arrives.outer.size for p in case.parts[: case.pivot])
    x, y = chords[2].astype(float).copy(), chords[2].astype(float).copy()
    x[start : start + witness.x.size] = witness.x
    y[start : start + witness.y.size] = witness.y
    return Collision(x, y, witness.because, witness.exact)


def _narrows(case: Case) -> bool:
    try:
        return prod(case.map.out_shape(case.on.shape)) < case.on.dimension
    except UnboundError:
        # The output shape of an open map need not be known.
        return False


def _unfolds(case: Case) -> bool:
    try:
        width = prod(case.map.out_shape(case.on.shape))
    except UnboundError:
        return False
    return isinstance(case.on, Sphere) and width <= case.on.dimension


# --- composition -------------------------------------------------------------------------------
theorem(
    "compose-continuous",
    Continuous,
    Compose,
    Premise("each", Continuous),
    statement="a composition of continuous maps is continuous",
    source="x_n -> x gives g(x_n) -> g(x), which gives f(g(x_n)) -> f(g(x))",
)
theorem(
    "compose-not-continuous",
    ~Continuous,
    Compose,
    Premise("pivot", ~Continuous),
    Premise("before", Continuous),
    Condition("it is the last", lambda case: case.pivot == len(case.parts) - 1),
    Condition("the space is compact", lambda case: case.on.compact),
    statement="a jump of the last step that is reached continuously from a compact space stays one",
    source=(
        "y_n -> y are reached with f(y_n) far from f(y); take x_n with g(x_n) = y_n and a limit "
        "point x of them: g(x) = y, and f(g(x_n)) stays far from f(g(x))"
    ),
)
theorem(
    "compose-injective",
    Injective,
    Compose,
    Premise("each", Injective),
    statement="a composition of injective maps is injective",
    source="f(g(x)) = f(g(y)) gives g(x) = g(y), which gives x = y",
)
theorem(
    "compose-not-injective",
    ~Injective,
    Compose,
    Premise("pivot", ~Injective),
    statement="what one step merges, no later step separates",
    source="points g(x) ≠ g(y) that reach f with f(g(x)) = f(g(y)) come from points x ≠ y",
    # Only the first step's points are points of the domain.
    carry=lambda case, witness: witness if case.pivot == 0 else None,
)
theorem(
    "compose-affine",
    Affine,
    Compose,
    Premise("each", Affine),
    statement="a composition of affine maps is affine",
    source="A(Bx + c) + d = (AB)x + (Ac + d)",
)
# --- concatenation -----------------------------------------------------------------------------
theorem(
    "concat-continuous",
    Continuous,
    Concat,
    Premise("each", Continuous),
    statement="a concatenation of continuous maps is continuous",
    source="convergence in R^d is convergence of the coordinates",
)
theorem(
    "concat-not-continuous",
    ~Continuous,
    Concat,
    Premise("pivot", ~Continuous),
    statement="a concatenation is continuous only if each part is",
    source="each part is a projection of the concatenation, and projections are continuous",
)
theorem(
    "concat-injective",
    Injective,
    Concat,
    Premise("pivot", Injective),
    statement="one injective block separates all points",
    source="(f(x), g(x)) = (f(y), g(y)) gives f(x) = f(y)",
)
theorem(
    "concat-affine",
    Affine,
    Concat,
    Premise("each", Affine),
    statement="a concatenation of affine maps is affine",
    source="stack the matrices and the offsets",
)
theorem(
    "concat-not-affine",
    ~Affine,
    Concat,
    Premise("pivot", ~Affine),
    statement="a concatenation is affine only if each part is",
    source="each part is a projection of the concatenation",
)
# --- tensor product ----------------------------------------------------------------------------
theorem(
    "tensor-continuous",
    Continuous,
    Tensor,
    Premise("each", Continuous),
    statement="a tensor product of continuous maps is continuous",
    source="its coordinates are products of continuous functions",
)
theorem(
    "tensor-injective",
    Injective,
    Tensor,
    Premise("pivot", Injective),
    CONSTANT,
    statement="a factor times constants that are not 0 stands among the coordinates",
    source="f(x) c = f(y) c with c ≠ 0 gives f(x) = f(y)",
)
theorem(
    "tensor-affine",
    Affine,
    Tensor,
    Premise("pivot", Affine),
    Condition(
        "every other factor is constant",
        lambda case: all(
            np.equal(*p.map.image(p.arrives.outer).outer.bounds()).all()
            for i, p in enumerate(case.parts)
            if i != case.pivot
        ),
    ),
    statement="an affine map times constants is affine",
    source="(Ax + b) ⊗ c has coordinates c_j (Ax + b)_i",
)
# --- sum ---------------------------------------------------------------------------------------
theorem(
    "sum-continuous",
    Continuous,
    Sum,
    Premise("each", Continuous),
    statement="a sum of continuous maps is continuous",
    source="addition is continuous",
)
theorem(
    "sum-not-continuous",
    ~Continuous,
    Sum,
    Premise("pivot", ~Continuous),
    Premise("others", Continuous),
    statement="one discontinuous term among continuous ones makes the sum discontinuous",
    source="the term is the sum minus the others",
)
theorem(
    "sum-affine",
    Affine,
    Sum,
    Premise("each", Affine),
    statement="a sum of affine maps is affine",
    source="(Ax + b) + (Cx + d) = (A + C)x + (b + d)",
)
theorem(
    "sum-not-affine",
    ~Affine,
    Sum,
    Premise("pivot", ~Affine),
    Premise("others", Affine),
    statement="one term that is not affine among affine ones makes the sum not affine",
    source="the term is the sum minus the others",
)
# --- multiple ----------------------------------------------------------------------------------
for claim in (Continuous, Injective, Affine):
    for sign in (claim, ~claim):
        word = f"{'' if sign.holds else 'not-'}{claim.name.lower()}"
        theorem(
            f"scale-{word}",
            sign,
            Scale,
            Premise("each", sign),
            # The multiple by 0 is continuous and affine, and merges what f merges.
            *(() if sign in (Continuous, Affine, ~Injective) else (NONZERO,)),
            statement=f"a multiple by c ≠ 0 is {word.replace('-', ' ')} as the map is",
            source="multiplication by c is linear, and for c ≠ 0 its inverse is continuous",
        )
for claim in (Continuous, Affine):
    theorem(
        f"scale-zero-{claim.name.lower()}",
        claim,
        Scale,
        Premise("each", Bounded),
        ZERO,
        statement="the multiple by 0 of a map with finite values is the constant 0",
        source="0 f(x) = 0",
    )
theorem(
    "scale-zero-not-injective",
    ~Injective,
    Scale,
    Premise("each", Bounded),
    ZERO,
    PLURAL,
    statement="the constant 0 merges any two points",
    source="0 f(x) = 0 = 0 f(y)",
)
# --- product -----------------------------------------------------------------------------------
for claim in (Continuous, Injective, Affine):
    theorem(
        f"product-{claim.name.lower()}",
        claim,
        Product,
        Premise("each", claim),
        statement=f"a product of {claim.name.lower()} maps is {claim.name.lower()}",
        source="each coordinate block depends on its own part of the point alone",
    )
    theorem(
        f"product-not-{claim.name.lower()}",
        ~claim,
        Product,
        Premise("pivot", ~claim),
        statement=f"a product is {claim.name.lower()} only if each part is",
        source="fix the other parts of the point, and look at one block of the output",
        carry=_embed,
    )
# --- restriction, assumption -------------------------------------------------------------------
for claim in (Continuous, Injective, Affine):
    for sign in (claim, ~claim):
        word = f"{'' if sign.holds else 'not-'}{claim.name.lower()}"
        theorem(
            f"on-{word}",
            sign,
            On,
            Premise("each", sign),
            statement="the restriction is the same function on the smaller space",
            source="by definition of the restriction",
        )
        theorem(
            f"assume-{word}",
            sign,
            Assume,
            Premise("each", sign),
            statement="an assumption does not change the function",
            source="by definition of assume",
        )
# --- one property from another -----------------------------------------------------------------
theorem(
    "lipschitz-continuous",
    Continuous,
    FeatureMap,
    Premise("self", Lipschitz),
    statement="a Lipschitz map is continuous",
    source="|φ(x_n) - φ(x)| <= L d(x_n, x) -> 0",
)
theorem(
    "affine-continuous",
    Continuous,
    FeatureMap,
    Premise("self", Affine),
    statement="an affine map between finite-dimensional spaces is continuous",
    source="|Ax - Ay| <= |A| |x - y| with the operator norm",
)
theorem(
    "lower-lipschitz-injective",
    Injective,
    FeatureMap,
    Premise("self", LowerLipschitz),
    statement="a map that shrinks distances by a bounded factor is injective",
    source="φ(x) = φ(y) gives l d(x, y) <= 0 with l > 0",
)
theorem(
    "point-injective",
    Injective,
    FeatureMap,
    SINGLE,
    statement="every map on a single point is injective",
    source="there are no two points to merge",
)
theorem(
    "dimension-not-injective",
    ~Injective,
    FeatureMap,
    Premise("self", Continuous),
    Condition("the output has fewer coordinates than the space has dimensions", _narrows),
    statement="no continuous map is injective from an open set of R^n into R^d with d < n",
    source=(
        "a space of dimension n contains a homeomorphic copy of an open set of R^n; invariance of "
        "domain, Brouwer 1912; Kuttler, Topics in Analysis, Corollary 23.4.4: with n - d zeros "
        "appended, the image of an open set would be open in R^n, and it is flat"
    ),
)
theorem(
    "sphere-not-injective",
    ~Injective,
    FeatureMap,
    Premise("self", Continuous),
    Condition("the space is a sphere, of no less dimension than the output", _unfolds),
    statement="every continuous map of the sphere S^n into R^n merges two opposite points",
    source="Borsuk 1933 (Borsuk-Ulam theorem)",
)
