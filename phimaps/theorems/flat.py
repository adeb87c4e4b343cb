"""Maps on a piece of an affine subspace: the same map of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..interval import multiply, singular_values
from ..map import FeatureMap, pipe
from ..maps.affine import Affine as AffineMap
from ..property import (
    Affine,
    Bounded,
    Continuous,
    DenseImage,
    Homeomorphism,
    Injective,
    Lipschitz,
    LowerLipschitz,
    Proper,
    Property,
    Smooth,
    Surjective,
)
from ..spaces import Box, Simplex, Space, Subspace
from ..theorem import Case, Numbers, Premise, theorem
from ..witness import Collision, Witness


def _chart(case: Case, larger: bool) -> Subspace | None:
    """The flat piece that the space is or, for what passes to subsets, the one it lies in."""
    on = case.on
    if isinstance(on, Simplex) and larger and on.size > 1:
        if "flat" not in case.memo:
            k = on.size - 1
            basis = np.concatenate([np.eye(k), np.full((k, 1), -1.0)], axis=1)
            offset = np.concatenate([np.zeros(k), [float(on.total)]])
            within = Box(np.zeros(k), np.full(k, float(on.total)))
            case.memo["flat"] = Subspace(basis, offset, within)
        return case.memo["flat"]
    return on if isinstance(on, Subspace) else None


def _of_parameters(larger: bool) -> Callable[[Case], Any]:
    """φ as a function of the parameters; on another space φ itself, so that the search ends."""

    def made(case: Case) -> Any:
        chart = _chart(case, larger)
        if chart is None:
            return case.map
        key = f"on flat, {larger}"
        if key not in case.memo:
            case.memo[key] = pipe(AffineMap(chart.basis, chart.offset), case.map)
        return case.memo[key]

    return made


def _parameters(larger: bool) -> Callable[[Case], Space]:
    def space(case: Case) -> Space:
        chart = _chart(case, larger)
        return case.on if chart is None or chart.within is None else chart.within

    return space


def _place(case: Case, below: Witness | None) -> Collision | None:
    if not isinstance(below, Collision) or not isinstance(case.on, Subspace):
        return None
    x, y = (t @ case.on.basis + case.on.offset for t in (below.x, below.y))
    # The points are rounded, so they lie near the subspace and not on it.
    return Collision(x, y, below.because, exact=False)


def _size(case: Case, greatest: bool) -> float:
    """The reciprocal of a bound of the singular values of the basis."""
    chart = _chart(case, larger=True)
    if chart is None:
        return 1.0
    least, most = singular_values(chart.basis)
    value = float(most.max()) if greatest else float(least.min())
    with np.errstate(divide="ignore"):
        return float(np.nextafter(1 / np.float64(value), 0.0 if greatest else np.inf))


def _same(name: str) -> Any:
    return lambda case, n: n["derived", name][0]


def _stretched(case: Case, n: Numbers) -> float:
    return multiply([n["derived", "Lipschitz"][0], _size(case, False)], up=True)


def _shrunk(case: Case, n: Numbers) -> float:
    return multiply([n["derived", "LowerLipschitz"][0], _size(case, True)], up=False)


BOUNDS: dict[str, Any] = {
    "Bounded": _same("Bounded"),
    "Smooth": _same("Smooth"),
    "Lipschitz": _stretched,
    "LowerLipschitz": _shrunk,
}
SIGNED: tuple[Property, ...] = (
    *(Continuous, Injective, Affine, Homeomorphism, Proper, Surjective, DenseImage),
    *(~Continuous, ~Injective, ~Affine, ~Surjective, ~DenseImage),
    *(Bounded, Smooth, Lipschitz, LowerLipschitz),
)
for claim in SIGNED:
    # A simplex is part of a flat piece; what is proved on all of that holds on it.
    larger = claim.everywhere and claim.name != Proper.name
    theorem(
        f"flat-{'' if claim.holds else 'not-'}{claim.name.lower()}",
        claim,
        FeatureMap,
        Premise("derived", claim, _of_parameters(larger), _parameters(larger)),
        statement="a point of an affine subspace and its parameters determine each other linearly",
        source=(
            "on {t B + c} the map is taken as a function of t: t ↦ t B + c is an affine bijection, "
            "and |t B| / |t| lies between the least and the greatest singular value of B"
        ),
        bound=BOUNDS.get(claim.name),
        carry=_place,
        euclidean=True,
    )
