"""How often a map is continuously differentiable."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from ..map import Assume, Compose, Concat, FeatureMap, On, Product, Scale, Sum, Tensor
from ..property import Affine, Continuous, Smooth
from ..theorem import Case, Condition, Numbers, Premise, theorem
from .topology import NONZERO


def _least(where: str) -> Callable[[Case, Numbers], float]:
    return lambda case, n: min(n[where, "Smooth"])


RULES = {
    Compose: "the chain rule: derivatives of f∘g are polynomials in those of f and g",
    Concat: "a map is C^k exactly if its coordinates are",
    Tensor: "the product rule",
    Sum: "derivatives add up",
    Product: "each block depends on its own part of the point alone",
    Scale: "the derivatives are multiplied by c",
    On: "by definition of the restriction",
    Assume: "by definition of assume",
}
for about, source in RULES.items():
    theorem(
        f"{about.__name__.lower()}-smooth",
        Smooth,
        about,
        Premise("each", Smooth),
        statement="what is made of C^k maps is C^k",
        source=source,
        bound=_least("each"),
    )
theorem(
    "affine-smooth",
    Smooth,
    FeatureMap,
    Premise("self", Affine),
    statement="an affine map has derivatives of all orders",
    source="A, then 0",
    bound=lambda case, n: inf,
)
theorem(
    "discontinuous-not-smooth",
    ~Smooth,
    FeatureMap,
    Premise("self", ~Continuous),
    statement="a map that is differentiable near K is continuous on K",
    source="a differentiable function is continuous",
    bound=lambda case, n: 0.0,
)
for about in (Concat, Product):
    theorem(
        f"{about.__name__.lower()}-not-smooth",
        ~Smooth,
        about,
        Premise("pivot", ~Smooth),
        statement="the whole is no smoother than each part",
        source="each part is a projection of it; in a product, fix the other parts of the point",
        bound=lambda case, n: n["pivot", "Smooth"][0],
    )
for about in (Scale, On, Assume):
    theorem(
        f"{about.__name__.lower()}-not-smooth",
        ~Smooth,
        about,
        Premise("each", ~Smooth),
        *((NONZERO,) if about is Scale else ()),
        statement="a multiple by c ≠ 0 is no smoother than the map, nor is the same function",
        source="divide by c",
        bound=_least("each"),
    )


def _rough_term(case: Case, n: Numbers) -> float:
    k = n["pivot", "Smooth"][0]
    return k if min(n["others", "Smooth"], default=inf) > k else inf


theorem(
    "sum-not-smooth",
    ~Smooth,
    Sum,
    Premise("pivot", ~Smooth),
    Premise("others", Smooth),
    statement="one term that is rougher than all the others makes the sum as rough",
    source="the term is the sum minus the others",
    bound=_rough_term,
)


def _last_of_square(case: Case) -> bool:
    if case.pivot != len(case.parts) - 1:
        return False
    reached = case.parts[-1].arrives.inner
    return reached is not None and reached.interior and reached.size == case.on.size


theorem(
    "compose-not-smooth",
    ~Smooth,
    Compose,
    Premise("pivot", ~Smooth),
    Premise("before", Affine),
    Condition(
        "it is the last, and a box of as many coordinates as the space has reaches it",
        _last_of_square,
    ),
    statement="after an affine bijection a map is as rough as before",
    source="an affine map of R^n that reaches a box is bijective; f = (f∘g)∘g⁻¹, and g⁻¹ is affine",
    bound=lambda case, n: n["pivot", "Smooth"][0],
)
