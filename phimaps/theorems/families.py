"""When affine functions of the maps of a family are dense, though those of each one are not."""

from __future__ import annotations

from ..models.family import FamilyPullback
from ..property import Characteristic, Continuous, Injective, Universal
from ..theorem import Condition, Premise, theorem

theorem(
    "family-universal",
    Universal,
    FamilyPullback,
    Premise("last", Universal),
    statement=(
        "affine functions of more and more features come near to every function of the kernel, "
        "with probability 1 if they are drawn"
    ),
    source=(
        "k(x, y) = ∫ ψ(x, w) ψ(y, w) dμ(w): a measure ν with ∫ ψ(x, w) dν(x) = 0 for w in a dense "
        "part of supp μ, as independent draws are, has it on supp μ by continuity, so "
        "∫∫ k dν dν = 0, so ν = 0 where k is universal; Rahimi and Recht 2008. For monomials: each "
        "is a function of the kernel"
    ),
)
theorem(
    "family-not-universal",
    ~Universal,
    FamilyPullback,
    Premise("last", ~Characteristic),
    Condition("the space is compact", lambda case: case.on.compact),
    statement=(
        "where the kernel does not tell two probability measures apart, no affine function of the "
        "features does, however many there are"
    ),
    source=(
        "with ν = P - Q, ∫ f dν = <f, ∫ k(x, ·) dν(x)> = 0 for functions f of the kernel, whose "
        "limits are those of the a·φ_n, and for constants, as ν(K) = 0; but ν ≠ 0, so that ∫ g dν "
        "≠ 0 for some continuous g (Riesz)"
    ),
)
theorem(
    "family-behind-map",
    Universal,
    FamilyPullback,
    Premise("first", Universal),
    Premise("last", Continuous),
    Premise("last", Injective),
    statement=(
        "a continuous injective map before every member keeps the affine functions of a family "
        "universal"
    ),
    source=(
        "a continuous injective φ is a homeomorphism of a compact K onto φ(K); extend g∘φ⁻¹ from "
        "φ(K) by Tietze, and approximate it there by an affine function of a member"
    ),
)
theorem(
    "family-behind-collision",
    ~Universal,
    FamilyPullback,
    Premise("last", ~Injective),
    statement="what takes different values at points merged before every member is out of reach",
    source="φ(x) = φ(y) gives |f(φ(x)) - g(x)| + |f(φ(y)) - g(y)| >= |g(x) - g(y)| for every f",
)
