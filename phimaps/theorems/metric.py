"""Lipschitz and lower Lipschitz constants and bounds: how the combinators combine them."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from ..interval import add, multiply, root_sum_squares
from ..map import Assume, Compose, Concat, FeatureMap, On, Product, Scale, Sum, Tensor
from ..property import Bounded, Continuous, Injective, Lipschitz, LowerLipschitz
from ..theorem import Case, Numbers, Premise, theorem
from .topology import ZERO, _constant_factor

QUANTITIES = (Lipschitz, LowerLipschitz, Bounded)


def _same(name: str) -> Callable[[Case, Numbers], float]:
    return lambda case, n: n["each", name][0]


def _factor(up: bool, name: str) -> Callable[[Case, Numbers], float]:
    return lambda case, n: multiply([abs(float(case.map.factor)), *n["each", name]], up)


# --- composition -------------------------------------------------------------------------------
theorem(
    "compose-lipschitz",
    Lipschitz,
    Compose,
    Premise("each", Lipschitz),
    statement="the constants of a composition multiply",
    source="|f(g(x)) - f(g(y))| <= L_f |g(x) - g(y)| <= L_f L_g d(x, y)",
    bound=lambda case, n: multiply(n["each", "Lipschitz"], up=True),
)
theorem(
    "compose-stretches",
    ~Lipschitz,
    Compose,
    Premise("first", ~Lipschitz),
    Premise("rest", LowerLipschitz),
    statement="the later steps shrink what the first stretches at most by their lower constants",
    source="|f(g(x)) - f(g(y))| >= l_f |g(x) - g(y)|, and |g(x) - g(y)| / d(x, y) comes near L_g",
    bound=lambda case, n: multiply(n["first", "Lipschitz"] + n["rest", "LowerLipschitz"], up=False),
)
theorem(
    "compose-lower-lipschitz",
    LowerLipschitz,
    Compose,
    Premise("each", LowerLipschitz),
    statement="the lower constants of a composition multiply",
    source="|f(g(x)) - f(g(y))| >= l_f |g(x) - g(y)| >= l_f l_g d(x, y)",
    bound=lambda case, n: multiply(n["each", "LowerLipschitz"], up=False),
)
theorem(
    "compose-shrinks",
    ~LowerLipschitz,
    Compose,
    Premise("first", ~LowerLipschitz),
    Premise("rest", Lipschitz),
    statement="the later steps stretch what the first shrinks at most by their constants",
    source="|f(g(x)) - f(g(y))| <= L_f |g(x) - g(y)|, and |g(x) - g(y)| / d(x, y) comes near l_g",
    bound=lambda case, n: multiply(n["first", "LowerLipschitz"] + n["rest", "Lipschitz"], up=True),
)
for sign in (Bounded, ~Bounded):
    theorem(
        f"compose-{'' if sign.holds else 'not-'}bounded",
        sign,
        Compose,
        Premise("last", sign),
        statement="the values of a composition are values of its last step",
        source="f(g(K)) is the image under f of what reaches it",
        bound=lambda case, n: n["last", "Bounded"][0],
    )
# --- concatenation -----------------------------------------------------------------------------
theorem(
    "concat-lipschitz",
    Lipschitz,
    Concat,
    Premise("each", Lipschitz),
    statement="the constant of a concatenation is at most the root of the sum of squares",
    source="|(f, g)(x) - (f, g)(y)|² = |f(x) - f(y)|² + |g(x) - g(y)|²",
    bound=lambda case, n: root_sum_squares(n["each", "Lipschitz"], up=True),
)
theorem(
    "concat-stretches",
    ~Lipschitz,
    Concat,
    Premise("pivot", ~Lipschitz),
    statement="a concatenation stretches at least as much as each part",
    source="|(f, g)(x) - (f, g)(y)| >= |f(x) - f(y)|",
    bound=lambda case, n: n["pivot", "Lipschitz"][0],
)
theorem(
    "concat-lower-lipschitz",
    LowerLipschitz,
    Concat,
    Premise("pivot", LowerLipschitz),
    statement="a concatenation shrinks at most as much as any part",
    source="|(f, g)(x) - (f, g)(y)| >= |f(x) - f(y)|",
    bound=lambda case, n: n["pivot", "LowerLipschitz"][0],
)
theorem(
    "concat-lower-lipschitz-all",
    LowerLipschitz,
    Concat,
    Premise("each", LowerLipschitz),
    statement="the lower constant of a concatenation is at least the root of the sum of squares",
    source="|(f, g)(x) - (f, g)(y)|² = |f(x) - f(y)|² + |g(x) - g(y)|²",
    bound=lambda case, n: root_sum_squares(n["each", "LowerLipschitz"], up=False),
)
theorem(
    "concat-shrinks",
    ~LowerLipschitz,
    Concat,
    Premise("pivot", ~LowerLipschitz),
    Premise("others", Lipschitz),
    statement="where one part shrinks, the others stretch at most by their constants",
    source="|(f, g)(x) - (f, g)(y)|² <= |f(x) - f(y)|² + L_g² d(x, y)²",
    bound=lambda case, n: root_sum_squares(
        n["pivot", "LowerLipschitz"] + n["others", "Lipschitz"], up=True
    ),
)
theorem(
    "concat-bounded",
    Bounded,
    Concat,
    Premise("each", Bounded),
    statement="the bound of a concatenation is at most the root of the sum of squares",
    source="|(f, g)(x)|² = |f(x)|² + |g(x)|²",
    bound=lambda case, n: root_sum_squares(n["each", "Bounded"], up=True),
)
theorem(
    "concat-not-bounded",
    ~Bounded,
    Concat,
    Premise("pivot", ~Bounded),
    statement="a concatenation is at least as large as each part",
    source="|(f, g)(x)| >= |f(x)|",
    bound=lambda case, n: n["pivot", "Bounded"][0],
)


# --- tensor product ----------------------------------------------------------------------------
def _product_rule(case: Case, n: Numbers) -> float:
    constants, bounds = n["each", "Lipschitz"], n["each", "Bounded"]
    terms = [
        multiply([constants[i], *bounds[:i], *bounds[i + 1 :]], up=True)
        for i in range(len(constants))
    ]
    return add(terms, up=True)


theorem(
    "tensor-lipschitz",
    Lipschitz,
    Tensor,
    Premise("each", Lipschitz),
    Premise("each", Bounded),
    statement="the product rule bounds the constant of a tensor product",
    source="f(x)⊗g(x) - f(y)⊗g(y) = (f(x) - f(y))⊗g(x) + f(y)⊗(g(x) - g(y)), and |u⊗v| = |u| |v|",
    bound=_product_rule,
)
theorem(
    "tensor-lower-lipschitz",
    LowerLipschitz,
    Tensor,
    Premise("pivot", LowerLipschitz),
    statement="a factor times a constant c stands among the coordinates",
    source="|f(x)⊗g(x) - f(y)⊗g(y)| >= |c| |f(x) - f(y)|",
    bound=lambda case, n: multiply(
        [n["pivot", "LowerLipschitz"][0], np.nextafter(_constant_factor(case), 0)], up=False
    ),
)
theorem(
    "tensor-bounded",
    Bounded,
    Tensor,
    Premise("each", Bounded),
    statement="the bounds of a tensor product multiply",
    source="|u⊗v| = |u| |v|",
    bound=lambda case, n: multiply(n["each", "Bounded"], up=True),
)


# --- sum ---------------------------------------------------------------------------------------
def _minus_others(name: str, other: str) -> Callable[[Case, Numbers], float]:
    def bound(case: Case, n: Numbers) -> float:
        if n["pivot", name][0] == inf:
            return inf
        return max(0.0, add([n["pivot", name][0], *(-v for v in n["others", other])], up=False))

    return bound


theorem(
    "sum-lipschitz",
    Lipschitz,
    Sum,
    Premise("each", Lipschitz),
    statement="the constants of a sum add up",
    source="the triangle inequality",
    bound=lambda case, n: add(n["each", "Lipschitz"], up=True),
)
theorem(
    "sum-stretches",
    ~Lipschitz,
    Sum,
    Premise("pivot", ~Lipschitz),
    Premise("others", Lipschitz),
    statement="one term stretches, the others take away at most their constants",
    source="|f(x) + g(x) - f(y) - g(y)| >= |f(x) - f(y)| - L_g d(x, y)",
    bound=_minus_others("Lipschitz", "Lipschitz"),
)
theorem(
    "sum-lower-lipschitz",
    LowerLipschitz,
    Sum,
    Premise("pivot", LowerLipschitz),
    Premise("others", Lipschitz),
    statement="a perturbation with a small constant leaves a lower constant",
    source="|f(x) + g(x) - f(y) - g(y)| >= l_f d(x, y) - L_g d(x, y)",
    bound=_minus_others("LowerLipschitz", "Lipschitz"),
)
theorem(
    "sum-shrinks",
    ~LowerLipschitz,
    Sum,
    Premise("pivot", ~LowerLipschitz),
    Premise("others", Lipschitz),
    statement="where one term shrinks, the others stretch at most by their constants",
    source="|f(x) + g(x) - f(y) - g(y)| <= |f(x) - f(y)| + L_g d(x, y)",
    bound=lambda case, n: add(n["pivot", "LowerLipschitz"] + n["others", "Lipschitz"], up=True),
)
theorem(
    "sum-bounded",
    Bounded,
    Sum,
    Premise("each", Bounded),
    statement="the bounds of a sum add up",
    source="the triangle inequality",
    bound=lambda case, n: add(n["each", "Bounded"], up=True),
)
theorem(
    "sum-not-bounded",
    ~Bounded,
    Sum,
    Premise("pivot", ~Bounded),
    Premise("others", Bounded),
    statement="one term is large, the others take away at most their bounds",
    source="|f(x) + g(x)| >= |f(x)| - B_g",
    bound=_minus_others("Bounded", "Bounded"),
)
# --- multiple ----------------------------------------------------------------------------------
for claim in QUANTITIES:
    for sign in (claim, ~claim):
        theorem(
            f"scale-{'' if sign.holds else 'not-'}{claim.name.lower()}",
            sign,
            Scale,
            Premise("each", sign),
            statement="the constant of c f is |c| times that of f",
            source="|c f(x) - c f(y)| = |c| |f(x) - f(y)| and |c f(x)| = |c| |f(x)|",
            bound=_factor(sign.upper, claim.name),
        )
theorem(
    "scale-zero-lipschitz",
    Lipschitz,
    Scale,
    Premise("each", Bounded),
    ZERO,
    statement="the multiple by 0 of a map with finite values is the constant 0",
    source="0 f(x) = 0",
    bound=lambda case, n: 0.0,
)


# --- product -----------------------------------------------------------------------------------
theorem(
    "product-lipschitz",
    Lipschitz,
    Product,
    Premise("each", Lipschitz),
    statement="the constant of a product is the greatest of its parts'",
    source="Σ |f_i(x_i) - f_i(y_i)|² <= max L_i² Σ d(x_i, y_i)²",
    bound=lambda case, n: max(n["each", "Lipschitz"]),
    euclidean=True,
)
theorem(
    "product-stretches",
    ~Lipschitz,
    Product,
    Premise("pivot", ~Lipschitz),
    statement="a product stretches as each part does",
    source="move one part of the point and fix the others",
    bound=lambda case, n: n["pivot", "Lipschitz"][0],
    euclidean=True,
)
theorem(
    "product-lower-lipschitz",
    LowerLipschitz,
    Product,
    Premise("each", LowerLipschitz),
    statement="the lower constant of a product is the least of its parts'",
    source="Σ |f_i(x_i) - f_i(y_i)|² >= min l_i² Σ d(x_i, y_i)²",
    bound=lambda case, n: min(n["each", "LowerLipschitz"]),
    euclidean=True,
)
theorem(
    "product-shrinks",
    ~LowerLipschitz,
    Product,
    Premise("pivot", ~LowerLipschitz),
    statement="a product shrinks as each part does",
    source="move one part of the point and fix the others",
    bound=lambda case, n: n["pivot", "LowerLipschitz"][0],
    euclidean=True,
)
theorem(
    "product-bounded",
    Bounded,
    Product,
    Premise("each", Bounded),
    statement="the bound of a product is the root of the sum of squares",
    source="|(f(x), g(y))|² = |f(x)|² + |g(y)|²",
    bound=lambda case, n: root_sum_squares(n["each", "Bounded"], up=True),
)
theorem(
    "product-not-bounded",
    ~Bounded,
    Product,
    Premise("pivot", ~Bounded),
    statement="a product is at least as large as each part",
    source="|(f(x), g(y))| >= |f(x)|",
    bound=lambda case, n: n["pivot", "Bounded"][0],
)
# --- restriction, assumption -------------------------------------------------------------------
for claim in QUANTITIES:
    for sign in (claim, ~claim):
        word = f"{'' if sign.holds else 'not-'}{claim.name.lower()}"
        theorem(
            f"on-{word}",
            sign,
            On,
            Premise("each", sign),
            statement="the restriction is the same function on the smaller space",
            source="by definition of the restriction",
            bound=_same(claim.name),
        )
        theorem(
            f"assume-{word}",
            sign,
            Assume,
            Premise("each", sign),
            statement="an assumption does not change the function",
            source="by definition of assume",
            bound=_same(claim.name),
        )


# --- one property from another -----------------------------------------------------------------
def _radius(case: Case) -> float:
    low, high = case.map.image(case.on).outer.bounds()
    return root_sum_squares(np.maximum(np.abs(low), np.abs(high)).ravel().tolist(), up=True)


theorem(
    "enclosure-bounded",
    Bounded,
    FeatureMap,
    statement="the values lie in a box, whose farthest corner bounds them",
    source="interval arithmetic: every φ(x) lies in the enclosure",
    bound=lambda case, n: _radius(case),
)
theorem(
    "discontinuous-not-lipschitz",
    ~Lipschitz,
    FeatureMap,
    Premise("self", ~Continuous),
    statement="a discontinuous map has no Lipschitz constant",
    source="a Lipschitz map is continuous",
    bound=lambda case, n: inf,
)
theorem(
    "merging-not-lower-lipschitz",
    ~LowerLipschitz,
    FeatureMap,
    Premise("self", ~Injective),
    statement="a map that merges two points has lower constant 0",
    source="|φ(x) - φ(y)| = 0 with d(x, y) > 0",
    bound=lambda case, n: 0.0,
)
