"""Positively homogeneous maps, and maps that do not see a motion of the space."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..map import Assume, Compose, Concat, On, Product, Scale, Sum, Tensor
from ..maps.affine import Affine, Diagonal
from ..maps.curve import Curve
from ..maps.sorting import Sort
from ..maps.vector import Flatten, Identity, Select
from ..proof import Strength
from ..property import Invariant, PositivelyHomogeneous
from ..theorem import Case, Condition, Premise, theorem

# Compositions of these are affine, and computed without rounding if all numbers are 0, 1 and -1.
RIGID = (Identity, Select, Diagonal, Affine, Scale, Flatten)

# --- positively homogeneous --------------------------------------------------------------------
theorem(
    "compose-homogeneous",
    PositivelyHomogeneous,
    Compose,
    Premise("pivot", PositivelyHomogeneous),
    Premise("others", PositivelyHomogeneous, about=lambda case: 1),
    statement="with one step of degree p among steps of degree 1 the composition has degree p",
    source="f(g(tx)) = f(t g(x)) = t^p f(g(x)), and f(g(tx)) = f(t^p g(x)) = t^p f(g(x))",
)
for about in (Concat, Sum, Product, Scale, On, Assume):
    theorem(
        f"{about.__name__.lower()}-homogeneous",
        PositivelyHomogeneous,
        about,
        Premise("each", PositivelyHomogeneous),
        statement="what is made side by side of maps of degree p has degree p",
        source="t^p stands before each coordinate",
    )
theorem(
    "tensor-homogeneous",
    PositivelyHomogeneous,
    Tensor,
    Premise(
        "each", PositivelyHomogeneous, about=lambda case: float(case.about) / len(case.map.maps)
    ),
    statement="a tensor product of n maps of degree p/n has degree p",
    source="f(tx)⊗g(tx) = t^(p/2) f(x) ⊗ t^(p/2) g(x)",
)


# --- invariant under a motion ------------------------------------------------------------------
def motion(moved: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """(source, sign) if T is a signed permutation, (Tx)_i = sign_i x[source_i], else None."""
    steps = moved.maps if isinstance(moved, Compose) else (moved,)
    inner = [s.map if isinstance(s, Scale) else s for s in steps]
    n = int(np.prod(shape))
    if not all(isinstance(s, RIGID) for s in (*steps, *inner)) or n > 4096:
        return None
    if not all(_unit(s) for s in (*steps, *inner)):
        return None
    if not moved.closed or moved.out_shape(shape) != shape:
        return None
    points = torch.from_numpy(np.concatenate([np.zeros((1, n)), np.eye(n)]))
    with torch.no_grad():
        values = moved.forward(points.reshape(-1, *shape)).reshape(n + 1, n).numpy()
    columns = values[1:].T
    once = (np.count_nonzero(columns, axis=0) == 1).all() and (
        np.count_nonzero(columns, axis=1) == 1
    ).all()
    if values[0].any() or not once or not np.isin(columns, (-1.0, 0.0, 1.0)).all():
        return None
    source = np.abs(columns).argmax(axis=1)
    return source, columns[np.arange(n), source]


def _unit(step: Any) -> bool:
    """Whether all numbers in the map are 0, 1 or -1."""
    held = [step.array(name) for name in step.arrays if getattr(step, name) is not None]
    held += [np.array(float(step.factor))] if isinstance(step, Scale) else []
    return all(np.isin(values, (-1.0, 0.0, 1.0)).all() for values in held)


def _flips(case: Case) -> bool:
    """Whether T only changes signs."""
    found = motion(case.about, case.on.shape)
    return found is not None and bool((found[0] == np.arange(len(found[0]))).all())


def _permutes(case: Case) -> bool:
    found = motion(case.about, case.on.shape)
    return found is not None and bool((found[1] == 1).all())


def _linear_invariant(case: Case) -> bool:
    """Whether the weights of moved coordinates are the same numbers."""
    found = motion(case.about, case.on.shape)
    if found is None:
        return False
    source, sign = found
    weight = case.map.array("weight")
    # Row i of the weight meets (Tx)_i, so x_j meets the row that T sends there.
    moved = np.zeros_like(weight)
    moved[source] = sign[:, None] * weight
    return bool(np.array_equal(moved, weight))


theorem(
    "affine-invariant",
    Invariant,
    Affine,
    Condition("T permutes equal weights, with signs to match", _linear_invariant),
    statement="x W + b sees x only through sums that the motion does not change",
    source="(Tx) W = x W when rows of W are moved onto equal ones; the numbers are compared",
    strength=Strength.COMPUTED,
)
theorem(
    "even-invariant",
    Invariant,
    Curve,
    Condition("the curve is even", lambda case: case.map.even),
    Condition("T changes only signs", _flips),
    statement="an even curve does not see the sign",
    source="σ(-x) = σ(x)",
)
theorem(
    "sort-invariant",
    Invariant,
    Sort,
    Condition("T permutes coordinates", _permutes),
    statement="sorting does not see the order",
    source="x and Tx have the same values, as often",
)
theorem(
    "compose-invariant",
    Invariant,
    Compose,
    Premise("first", Invariant),
    statement="what the first step does not see, no later step sees",
    source="f(g(Tx)) = f(g(x))",
)
theorem(
    "elementwise-invariant",
    Invariant,
    Compose,
    Premise("pivot", Invariant),
    Condition("T permutes coordinates", _permutes),
    Condition(
        "the steps before the pivot are one curve in every coordinate",
        lambda case: all(isinstance(m, Curve) for m in case.map.maps[: case.pivot]),
    ),
    statement="a permutation commutes with a curve in every coordinate",
    source="f(σ(Tx)) = f(Tσ(x)) = f(σ(x))",
)
for about in (Concat, Sum, Tensor, Scale, On, Assume):
    theorem(
        f"{about.__name__.lower()}-invariant",
        Invariant,
        about,
        Premise("each", Invariant),
        statement="what is made side by side of maps that do not see T does not see T",
        source="each part has the same value at Tx and at x",
    )
