"""What follows for sums, products, powers, multiples and pull-backs of kernels.

H_k is the Hilbert space of a kernel k, spanned by the functions k(x, ·). It is contained in
H_(k + l) for every positive definite l, and f·h lies in H_(kl) for f in H_k and h in H_l (Aronszajn
1950, Theory of reproducing kernels, part I, sections 6 and 8).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import Constant, Power, Product, Pullback, Scaled, Sum
from ..map import combinators
from ..maps.vector import Identity, Select
from ..property import (
    Characteristic,
    Continuous,
    Injective,
    NonVanishing,
    PositiveDefinite,
    StrictlyPositiveDefinite,
    Universal,
)
from ..theorem import Case, Condition, Premise, theorem
from ..witness import AnnihilatingMeasure, Collision, Witness
from .kernels import is_compact, slug


def nothing(case: Case, witness: Witness | None) -> None:
    """No witness: the premise's is about another space."""


# --- sums --------------------------------------------------------------------------------------
theorem(
    "kernel-sum-definite",
    PositiveDefinite,
    Sum,
    Premise("each", PositiveDefinite),
    statement="a sum of positive definite kernels is positive definite",
    source="c'(K + L)c = c'Kc + c'Lc",
)
theorem(
    "kernel-sum-continuous",
    Continuous,
    Sum,
    Premise("each", Continuous),
    statement="a sum of continuous kernels is continuous",
    source="sums of continuous functions are",
)
theorem(
    "kernel-sum-strict",
    StrictlyPositiveDefinite,
    Sum,
    Premise("pivot", StrictlyPositiveDefinite),
    Premise("others", PositiveDefinite),
    statement="strictly positive definite plus positive definite is strictly positive definite",
    source="c'(K + L)c >= c'Kc > 0",
)
for claim in (Universal, NonVanishing):
    theorem(
        f"kernel-sum-{slug(claim)}",
        claim,
        Sum,
        Premise("pivot", claim),
        Premise("others", PositiveDefinite),
        Premise("others", Continuous),
        statement="adding a continuous positive definite kernel loses no function",
        source="H_k is contained in H_(k + l), which consists of continuous functions",
    )
theorem(
    "kernel-sum-characteristic",
    Characteristic,
    Sum,
    Premise("pivot", Characteristic),
    Premise("others", PositiveDefinite),
    statement="adding a positive definite kernel merges no measures",
    source=(
        "the square of the distance of two embeddings is the sum of those of the parts, and what "
        "the sum embeds each part embeds"
    ),
)


def _constant(case: Case) -> bool:
    return any(isinstance(p.map, Constant) for i, p in enumerate(case.parts) if i != case.pivot)


theorem(
    "kernel-sum-constant",
    Universal,
    Sum,
    Premise("pivot", Characteristic),
    Premise("each", Continuous),
    Premise("others", PositiveDefinite),
    Condition("another part is a constant", _constant),
    statement="a characteristic kernel plus a constant is universal",
    source=(
        "a signed measure ν on a compact C that annihilates the sum has ν(C)² = 0 and ∫∫ k dν dν = "
        "0, so its halves have one mass and one embedding, so ν = 0 (Hahn-Banach, Riesz)"
    ),
)

# --- products and powers -----------------------------------------------------------------------
theorem(
    "kernel-product-definite",
    PositiveDefinite,
    Product,
    Premise("each", PositiveDefinite),
    statement="a product of positive definite kernels is positive definite",
    source="Schur 1911, Satz VII: the entrywise product of positive semidefinite matrices is one",
)
theorem(
    "kernel-product-continuous",
    Continuous,
    Product,
    Premise("each", Continuous),
    statement="a product of continuous kernels is continuous",
    source="products of continuous functions are",
)
theorem(
    "kernel-product-nonvanishing",
    NonVanishing,
    Product,
    Premise("each", NonVanishing),
    statement="a product of functions without zeros has none",
    source="the product of f in H_k and h in H_l lies in H_(kl)",
)
for claim, why in (
    (Universal, "g/h is continuous on C, and f near g/h makes f·h near g; f·h lies in H_(kl)"),
    (
        StrictlyPositiveDefinite,
        "Σ c_i k(x_i, ·) l(x_i, ·) = 0 gives Σ c_i h(x_i) f(x_i) = 0 for all f in H_k",
    ),
):
    theorem(
        f"kernel-product-{slug(claim)}",
        claim,
        Product,
        Premise("pivot", claim),
        Premise("others", NonVanishing),
        statement="a factor with a function h without zeros loses no function",
        source=why,
    )


def _pulled(case: Case) -> bool:
    return all(isinstance(p.map, Pullback) for p in case.parts)


def _together(case: Case) -> Any:
    """(φ_1, ..., φ_m), with the identity for a factor that is no kernel of features."""
    maps = [p.map.map if isinstance(p.map, Pullback) else Identity() for p in case.parts]
    if all(isinstance(phi, Select) and phi.closed for phi in maps):
        return Select([c for phi in maps for c in phi.columns])
    return combinators["&"](tuple(maps))


theorem(
    "kernel-tensor-universal",
    Universal,
    Product,
    Condition("each factor is a kernel of features", _pulled),
    Premise("inner", Universal),
    Premise("features", Continuous),
    Premise("derived", Injective, make=_together),
    statement=(
        "a product of universal kernels of features that are injective together, (φ_1, ..., φ_m), "
        "is universal"
    ),
    source=(
        "sums of products of functions of one φ_j each are dense by Stone-Weierstrass, for they "
        "separate points and do not vanish; each factor is approximated in its H_k"
    ),
)
for claim in (PositiveDefinite, Continuous, StrictlyPositiveDefinite, Universal, NonVanishing):
    theorem(
        f"kernel-power-{slug(claim)}",
        claim,
        Power,
        Premise("each", claim),
        statement=f"a whole positive power of what is {claim.name} is so too",
        source="it is a product of such kernels",
    )

# --- multiples ---------------------------------------------------------------------------------
for claim in (
    PositiveDefinite,
    StrictlyPositiveDefinite,
    Continuous,
    Universal,
    Characteristic,
    NonVanishing,
):
    for sign in (claim, ~claim):
        theorem(
            f"kernel-multiple-{'' if sign.holds else 'not-'}{slug(claim)}",
            sign,
            Scaled,
            Premise("each", sign),
            statement="a positive multiple of a kernel has the same functions",
            source="H_(ck) = H_k, with another norm",
        )


# --- kernels of features -----------------------------------------------------------------------
def _apart(case: Case, witness: Witness | None) -> AnnihilatingMeasure | None:
    """δ(x) - δ(y) for two points that φ merges."""
    if not isinstance(witness, Collision):
        return None
    points = np.stack([witness.x, witness.y])
    text = f"φ(x) = φ(y): {witness.because}"
    return AnnihilatingMeasure(points, np.array([1.0, -1.0]), text, witness.exact)


theorem(
    "kernel-pullback-definite",
    PositiveDefinite,
    Pullback,
    Premise("last", PositiveDefinite),
    statement="a kernel of features is positive definite",
    source="its matrices are matrices of the kernel",
)
theorem(
    "kernel-pullback-continuous",
    Continuous,
    Pullback,
    Premise("last", Continuous),
    Premise("first", Continuous),
    statement="a continuous kernel of continuous features is continuous",
    source="k(φ(x), φ(y)) is a composition",
)
theorem(
    "kernel-pullback-nonvanishing",
    NonVanishing,
    Pullback,
    Premise("last", NonVanishing),
    Premise("first", Continuous),
    statement="h∘φ has no zero where h has none",
    source="the functions of the pull-back are f∘φ, f in H_k; φ(C) is compact",
)
theorem(
    "kernel-pullback-strict",
    StrictlyPositiveDefinite,
    Pullback,
    Premise("last", StrictlyPositiveDefinite),
    Premise("first", Injective),
    statement="injective features keep different points different",
    source="its matrices are matrices of the kernel at different points",
)
theorem(
    "kernel-pullback-universal",
    Universal,
    Pullback,
    Premise("last", Universal),
    Premise("first", Continuous),
    Premise("first", Injective),
    statement="a continuous injective map loses no function",
    source="φ is a homeomorphism of a compact C onto φ(C); approximate g∘φ⁻¹ on φ(C) by f in H_k",
)
theorem(
    "kernel-pullback-characteristic",
    Characteristic,
    Pullback,
    Premise("last", Characteristic),
    Premise("first", Injective),
    statement="an injective Borel map merges no measures",
    source=(
        "the images of P and Q under φ have one embedding, so they agree, and so do P and Q: φ "
        "sends Borel sets to Borel sets (Lusin and Souslin)"
    ),
)
for claim in (StrictlyPositiveDefinite, Characteristic):
    theorem(
        f"kernel-pullback-merging-not-{slug(claim)}",
        ~claim,
        Pullback,
        Premise("first", ~Injective),
        statement="two points with the same features are not told apart: δ(x) - δ(y) is lost",
        source="φ(x) = φ(y) gives k(φ(x), ·) = k(φ(y), ·)",
        carry=_apart,
    )
for claim in (PositiveDefinite, StrictlyPositiveDefinite):
    theorem(
        f"kernel-pullback-not-{slug(claim)}",
        ~claim,
        Pullback,
        Premise("last", ~claim),
        statement="what fails at features that are reached fails at points that have them",
        source="its matrices there are matrices of the kernel",
        carry=nothing,
    )
for claim, why in (
    (
        Universal,
        "C ⊂ φ(K) has a compact preimage C'; if f∘φ is near g∘φ on C', then f is near g on C",
    ),
    (
        NonVanishing,
        "C ⊂ φ(K) has a compact preimage, and f∘φ has a zero there where f has one in C",
    ),
):
    theorem(
        f"kernel-pullback-not-{slug(claim)}",
        ~claim,
        Pullback,
        Premise("last", ~claim),
        Premise("first", Continuous),
        Condition("the space is compact", is_compact),
        statement="what the kernel loses at features that are reached, the pull-back loses",
        source=why,
        carry=nothing,
    )
theorem(
    "kernel-pullback-not-characteristic",
    ~Characteristic,
    Pullback,
    Premise("last", ~Characteristic),
    statement="measures that are merged at features that are reached come from measures on K",
    source="by a measurable choice of preimages under φ (von Neumann)",
    carry=nothing,
)
