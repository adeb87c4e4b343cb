"""Claims about the image, and about what model classes keep behind the map."""

from __future__ import annotations

from ..attacked import attack
from ..check import register_check
from ..trial import Trial

__all__ = [
    "check_approximately_uap_invariant",
    "check_dense_image",
    "check_proper",
    "check_surjective",
    "check_uap_invariant",
]

WHOLE = "claim it on a greater domain, or not at all"
KEPT = "a map that keeps universal classes universal is injective: Identity() & φ is"


@register_check(claim="Proper", needs=("space",), once=True)
def check_proper(trial: Trial) -> None:
    """Points that run off to infinity have features that do."""
    attack(trial, "claim it on a compact domain, or not at all")


@register_check(claim="Surjective", needs=("space",), once=True)
def check_surjective(trial: Trial) -> None:
    """Every vector of features is reached."""
    attack(trial, WHOLE)


@register_check(claim="DenseImage", needs=("space",), once=True)
def check_dense_image(trial: Trial) -> None:
    """Every vector of features is nearly reached."""
    attack(trial, WHOLE)


@register_check(claim="UAPInvariant", needs=("space",), once=True)
def check_uap_invariant(trial: Trial) -> None:
    """Universal classes of functions stay universal behind the map."""
    attack(trial, KEPT)


@register_check(claim="ApproximatelyUAPInvariant", needs=("space",), once=True)
def check_approximately_uap_invariant(trial: Trial) -> None:
    """Universal classes of functions still come near to every target behind the map."""
    attack(trial, KEPT)
