"""When affine functions of the maps of a family are dense, though those of each one are not."""

from __future__ import annotations

from ..models.family import FamilyPullback
from ..property import Universal
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
