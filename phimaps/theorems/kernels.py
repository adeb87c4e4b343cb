"""How what is claimed of a kernel hangs together, and which measures it loses.

H_k is the Hilbert space of a kernel k, spanned by the functions k(x, ·); the square of the norm of
Σ c_i k(x_i, ·) is c'Kc.
"""

from __future__ import annotations

from ..kernels import Kernel
from ..property import (
    Characteristic,
    Continuous,
    NonVanishing,
    PositiveDefinite,
    Property,
    StrictlyPositiveDefinite,
    Universal,
)
from ..theorem import Case, Condition, Premise, theorem
from ..witness import AnnihilatingMeasure
from .annihilators import annihilator, finite_rank

__all__ = ["is_compact", "slug"]


def is_compact(case: Case) -> bool:
    """Whether the space is compact."""
    return case.on.compact


def slug(claim: Property) -> str:
    """The property in the name of a row."""
    return {
        "PositiveDefinite": "definite",
        "StrictlyPositiveDefinite": "strict",
        "NonVanishing": "nonvanishing",
    }.get(claim.name, claim.name.lower())


# --- every kernel ------------------------------------------------------------------------------
theorem(
    "kernel-universal-strict",
    StrictlyPositiveDefinite,
    Kernel,
    Premise("self", Universal),
    statement="a universal kernel is strictly positive definite",
    source=(
        "|Σ c_i k(x_i, ·)|² = c'Kc = 0 gives Σ c_i f(x_i) = 0 for all f in H_k, so for all "
        "continuous f on {x_1, ..., x_n}, so c = 0"
    ),
)
for stronger in (StrictlyPositiveDefinite, Characteristic, NonVanishing):
    theorem(
        f"kernel-{slug(stronger)}-definite",
        PositiveDefinite,
        Kernel,
        Premise("self", stronger),
        statement="it is positive definite by definition",
        source=f"the definition of {stronger.name}",
    )
for stronger in (Universal, NonVanishing):
    theorem(
        f"kernel-{slug(stronger)}-continuous",
        Continuous,
        Kernel,
        Premise("self", stronger),
        statement="it is continuous by definition",
        source=f"the definition of {stronger.name}",
    )
theorem(
    "kernel-universal-nonvanishing",
    NonVanishing,
    Kernel,
    Premise("self", Universal),
    statement="the space of a universal kernel has a function near 1",
    source="some f in H_k has |f - 1| < 1/2 on the compact set",
)
theorem(
    "kernel-universal-characteristic",
    Characteristic,
    Kernel,
    Premise("self", Universal),
    Condition("the space is compact", is_compact),
    statement="on a compact space a universal kernel is characteristic",
    source=(
        "∫ f dP = ∫ f dQ for all f in H_k, so for all continuous f, so P = Q; Sriperumbudur, "
        "Fukumizu and Lanckriet 2011"
    ),
)
for weaker, stronger, why in (
    (PositiveDefinite, StrictlyPositiveDefinite, "the definition"),
    (PositiveDefinite, Characteristic, "the definition"),
    (PositiveDefinite, NonVanishing, "the definition"),
    (Continuous, NonVanishing, "the definition"),
    (Continuous, Universal, "the definition"),
    (
        StrictlyPositiveDefinite,
        Universal,
        "Σ c_i k(x_i, ·) = 0 with c ≠ 0 gives Σ c_i f(x_i) = 0 for all f in H_k and their limits",
    ),
    (
        Characteristic,
        Universal,
        "∫ f dP = ∫ f dQ for all f in H_k with P ≠ Q; by Hahn-Banach H_k is not dense on a compact "
        "part that carries a difference",
    ),
):
    compact = Condition("the space is compact", is_compact)
    extra = (compact,) if weaker is Characteristic else ()
    theorem(
        f"kernel-not-{slug(weaker)}-not-{slug(stronger)}",
        ~stronger,
        Kernel,
        Premise("self", ~weaker),
        *extra,
        statement=f"what is not {weaker.name} is not {stronger.name}",
        source=why,
    )


def _measure(case: Case, balanced: bool) -> AnnihilatingMeasure | None:
    key = f"annihilator {balanced}"
    if key not in case.memo:
        case.memo[key] = annihilator(case.map, case.on, balanced)
    found: AnnihilatingMeasure | None = case.memo[key]
    return found


theorem(
    "kernel-annihilated",
    ~StrictlyPositiveDefinite,
    Kernel,
    Condition("each part loses the same measure", lambda case: _measure(case, False) is not None),
    statement="some Σ c_i k(x_i, ·) is 0",
    source="c'Kc = |Σ c_i k(x_i, ·)|² = 0 with c ≠ 0",
    carry=lambda case, witness: _measure(case, False),
)
theorem(
    "kernel-annihilated-characteristic",
    ~Characteristic,
    Kernel,
    Condition(
        "each part loses the same measure, of total mass 0",
        lambda case: _measure(case, True) is not None,
    ),
    statement="two probability measures have the same embedding: the halves of one that is lost",
    source="Σ c_i k(x_i, ·) = 0 with Σ c_i = 0; divide by the mass of the positive half",
    carry=lambda case, witness: _measure(case, True),
)


def _few(case: Case) -> bool:
    return finite_rank(case.map)


for claim in (StrictlyPositiveDefinite, Characteristic):
    theorem(
        f"kernel-finite-not-{slug(claim)}",
        ~claim,
        Kernel,
        Condition("H_k has finite dimension", _few),
        Condition("the space is infinite", lambda case: case.on.infinite),
        statement="more points than dimensions carry a measure that is lost, and one of mass 0",
        source=(
            "n + 2 equations Σ c_i f_j(x_i) = 0 and Σ c_i = 0 for n functions f_j and more points "
            "x_i have a solution c ≠ 0"
        ),
    )
