"""Claims about values and distances, each attacked by search."""

from __future__ import annotations

from ..attacked import attack
from ..check import register_check
from ..frames import Frame
from ..merged_rows import merged_rows
from ..trial import Trial

__all__ = [
    "check_affine",
    "check_bounded",
    "check_continuous",
    "check_homeomorphism",
    "check_injective",
    "check_lipschitz",
    "check_lower_lipschitz",
    "check_smooth",
]

BOUND = "claim the constant that a search finds (phimaps.testing.search_ratio), with a margin"


@register_check(claim="Continuous", needs=("space",), once=True)
def check_continuous(trial: Trial) -> None:
    """Near points have near features: no jump, however small."""
    attack(trial, "leave out rounding, bins and comparisons, or claim it where they are constant")


@register_check(claim="Injective", once=True)
def check_injective(trial: Trial) -> None:
    """Different points have different features."""
    if isinstance(trial.domain, Frame):
        merged_rows(trial)
        return
    attack(trial, "keep what tells them apart as a feature, for instance the input: Identity() & φ")


@register_check(claim="Homeomorphism", needs=("space",), once=True)
def check_homeomorphism(trial: Trial) -> None:
    """The map is continuous and injective, and so is its inverse on the image."""
    attack(trial, "remove the jump, or keep as a feature what tells the points apart")


@register_check(claim="Lipschitz", needs=("space",), once=True)
def check_lipschitz(trial: Trial) -> None:
    """Distances grow at most by the claimed factor."""
    attack(trial, BOUND)


@register_check(claim="LowerLipschitz", needs=("space",), once=True)
def check_lower_lipschitz(trial: Trial) -> None:
    """Distances shrink at most by the claimed factor."""
    attack(trial, BOUND)


@register_check(claim="Bounded", needs=("space",), once=True)
def check_bounded(trial: Trial) -> None:
    """The features are no longer than the claimed bound."""
    attack(trial, "claim a greater bound, or a smaller domain")


@register_check(claim="Affine", needs=("space",), once=True)
def check_affine(trial: Trial) -> None:
    """Midpoints go to midpoints."""
    attack(trial, "leave out what bends the map, or do not claim it")


@register_check(claim="Smooth", needs=("space",), once=True)
def check_smooth(trial: Trial) -> None:
    """The map has as many continuous derivatives as is claimed."""
    attack(trial, "claim fewer derivatives; relu, abs and max have none where they bend")
