"""When affine functions of the maps of a family are dense, though those of each one are not."""

from __future__ import annotations

from ..models.family import FamilyPullback
from ..property import Continuous, Injective, Universal
from ..theorem import Premise, theorem

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
