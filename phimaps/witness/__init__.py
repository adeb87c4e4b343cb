"""Witnesses: plain data that refute a claim, checkable without the library's own reasoning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError, show
from .collision import Collision as Collision
from .collision import NearCollision as NearCollision
from .measure import AnnihilatingMeasure as AnnihilatingMeasure
from .measure import ConeWitness as ConeWitness

__all__ = [
    "AnnihilatingMeasure",
    "Collision",
    "ConeWitness",
    "NearCollision",
    "Witness",
    "from_dict",
]

# What refutes a claim and can be checked.
Witness = Collision | AnnihilatingMeasure

KINDS: dict[str, Callable[..., Any]] = {
    "collision": Collision,
    "annihilating measure": AnnihilatingMeasure,
    "near collision": NearCollision,
    "cone": ConeWitness,
}


def from_dict(data: dict[str, Any]) -> Any:
    """The witness that `to_dict` wrote, for instance after a way through JSON.

    Raises
    ------
    InputError
        When the data are of no kind of witness.

    Examples
    --------
    >>> pair = Collision(np.array([-1.0]), np.array([1.0]), "even")
    >>> from_dict(pair.to_dict()).because
    'even'
    """
    fields = dict(data)
    kind = KINDS.get(fields.pop("kind", ""))
    if kind is None:
        raise InputError(
            "This is no witness.",
            got=f"kind={show(data.get('kind'))}",
            need=f"one of {', '.join(map(repr, KINDS))}",
            do="from_dict(witness.to_dict())",
        )
    arrays = ("x", "y", "points", "weights")
    return kind(**{k: np.array(v) if k in arrays else v for k, v in fields.items()})
