"""When F_φ = {f∘φ : f ∈ F} is dense in C(K), and when it cannot be."""

from __future__ import annotations

from ..models import Pullback
from ..property import Continuous, Injective, Universal
from ..theorem import Condition, Premise, theorem

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
