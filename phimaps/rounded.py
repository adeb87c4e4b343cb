"""What holds of a map as it is computed: in float64 or float32, on the numbers of that precision.

The question changes with the arithmetic. The floating-point numbers of a bounded set are finitely
many, so every map is continuous on them; but a computed map may merge points that φ keeps apart,
as tanh(10 x) does. Here a map is refuted by two numbers whose features agree bit by bit, and a
claim about all points is proved where nothing is rounded.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import torch

from .map import Assume, Compose, Concat, FeatureMap, On, Part, Product, Scale, show
from .proof import Proof, Reason, Strength
from .property import (
    SENSES,
    ApproximatelyUAPInvariant,
    Borel,
    Continuous,
    Homeomorphism,
    Injective,
    LowerLipschitz,
    Proper,
    Property,
    UAPInvariant,
)
from .search import Search
from .spaces import Space
from .theorem import says
from .witness import Collision

__all__ = ["DTYPES", "prove_rounded"]

DTYPES = {"float64": torch.float64, "float32": torch.float32}

# What follows, or fails, with the separation of finitely many points.
SEPARATING = (Injective, Homeomorphism, UAPInvariant, ApproximatelyUAPInvariant)


def exact(phi: Any, on: Space) -> bool:
    """Whether φ is computed without rounding at all floating-point numbers of the space."""
    if isinstance(phi, Scale):
        return abs(float(phi.factor)) == 1 and exact(phi.map, on)
    if isinstance(phi, Compose | Concat | Product | On | Assume):
        return all(exact(p.map, p.arrives.outer) for p in phi.parts(on))
    return not phi.parts(on) and not phi.rounds(on)


def prove_rounded(search: Search, phi: Any, claim: Property, on: Space, dtype: str) -> Proof | None:
    """A proof of a signed claim about the computed map, or None.

    Parameters
    ----------
    search : Search
        For claims in real arithmetic.
    phi : FeatureMap
        Closed.
    claim : Property
    on : Space
    dtype : {"float64", "float32"}
    """
    where = f"computed in {dtype} {{verb}} on the numbers of {on!r}"

    def node(reason: Reason, because: tuple[Proof, ...] = (), number: float | None = None) -> Proof:
        text = f"{phi!r} " + where.replace("{verb}", says(claim, number))
        return Proof(text, reason, because, number)

    if claim.name in [p.name for p in SENSES]:
        # Whatever the class does with merged features, it cannot tell them apart.
        inner = _innermost(phi, on)
        found = None if claim.holds or inner is None else collide(inner, on, dtype)
        reason = None if found is None else Reason(found.because, Strength.WITNESS, witness=found)
        return None if reason is None else node(reason)
    if claim.name in (Borel.name, Continuous.name, Proper.name) and claim.holds:
        return node(
            Reason(
                "the numbers of a given precision are finitely many, and every map of a finite "
                "space is Borel, continuous and proper",
                Strength.DEFINITION,
            )
        )
    separating = claim.name in [p.name for p in SEPARATING]
    if separating and claim.holds:
        proof = _separates(search, phi, on)
        return None if proof is None else node(_carried(dtype), (proof,))
    if separating or (claim.name == LowerLipschitz.name and not claim.holds):
        found = collide(phi, on, dtype)
        if found is None:
            return None
        number = 0.0 if claim.quantity is not None else None
        return node(Reason(found.because, Strength.WITNESS, witness=found), (), number)
    if claim.everywhere and exact(phi, on):
        proof = search.prove(phi, claim, on)
        return None if proof is None else node(_carried(dtype), (proof,), proof.number)
    return None


def _innermost(phi: Any, on: Space) -> FeatureMap | None:
    """The map behind which a class of functions stands, if there is one."""
    while not isinstance(phi, FeatureMap):
        below = phi.parts(on)
        if not below:
            return None
        phi = below[-1].map
    return phi


def _carried(dtype: str) -> Reason:
    return Reason(
        f"nothing is rounded on the way, so the computed map is the map itself on the {dtype} "
        "numbers, a part of the space",
        Strength.THEOREM,
    )


def _separates(search: Search, phi: Any, on: Space) -> Proof | None:
    """A proof that points stay apart, along parts that are computed without rounding."""
    if exact(phi, on):
        return search.prove(phi, Injective, on)
    below: list[Part] = phi.parts(on)
    if isinstance(phi, Concat):
        proofs = [_separates(search, p.map, p.arrives.outer) for p in below]
        return next((p for p in proofs if p is not None), None)
    if isinstance(phi, On | Assume):
        return _separates(search, below[0].map, below[0].arrives.outer)
    return None


# --- collisions of the computed map ------------------------------------------------------------
def collide(phi: Any, on: Space, dtype: str) -> Collision | None:
    """Two numbers of the space, of the precision, whose computed features agree bit by bit.

    Parameters
    ----------
    phi : FeatureMap
        Closed.
    on : Space
    dtype : {"float64", "float32"}

    Returns
    -------
    Collision or None
    """
    points = _candidates(on, dtype)
    if not len(points):
        return None
    kind = DTYPES[dtype]
    values = _run(phi, points, kind)
    if values is None:
        return None
    seen: dict[bytes, int] = {}
    for i, row in enumerate(values):
        if np.isnan(row).any():
            continue
        j = seen.setdefault(row.tobytes(), i)
        if j != i:
            pair = points[[j, i]]
            again = _run(phi, pair, kind)
            # One product of matrices may round otherwise in a larger batch.
            if again is not None and again[0].tobytes() == again[1].tobytes():
                text = (
                    f"in {dtype} the features of {show(pair[0].tolist())} and "
                    f"{show(pair[1].tolist())} agree bit by bit; of φ itself it shows nothing"
                )
                return Collision(pair[0], pair[1], text, exact=True, arithmetic=dtype)
    return None


def _run(phi: Any, points: np.ndarray, kind: torch.dtype) -> np.ndarray | None:
    with torch.no_grad(), np.errstate(all="ignore"):
        value = phi.forward(torch.from_numpy(points).to(kind))
    if value.ndim < 2 or len(value) != len(points):
        return None
    # -0 and 0 are one number.
    return np.ascontiguousarray(value.reshape(len(points), -1).double().numpy() + 0.0)


def _candidates(on: Space, dtype: str) -> np.ndarray:
    """Points of the space with coordinates of the precision: samples, neighbours, far and near."""
    rng = np.random.default_rng(0)
    kind = np.dtype(dtype).type
    with np.errstate(over="ignore"):
        base = on.sample(256, rng).astype(kind)
        chords = on.chords()
        groups = [base]
        for axis in list(np.ndindex(on.shape))[:8]:
            up, down = base.copy(), base.copy()
            place = (slice(None), *axis)
            up[place] = np.nextafter(up[place], kind(inf))
            down[place] = np.nextafter(down[place], kind(-inf))
            groups += [up, down]
            if chords is not None:
                groups.append(_line(chords, axis, rng).astype(kind))
    points = np.concatenate(groups).astype(np.float64) + 0.0
    points = points[np.isfinite(points).reshape(len(points), -1).all(axis=1)]
    points = points[on.surely_contains(points)]
    return np.unique(points, axis=0)


def _line(chords: Any, axis: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Points along one axis, at all scales between the ends of the chord."""
    low, high, centre = chords
    start = low[axis] if np.isfinite(low[axis]) else -1e4
    end = high[axis] if np.isfinite(high[axis]) else 1e4
    steps = np.concatenate([np.linspace(0, 1, 257), rng.random(64), 2.0 ** -np.arange(1, 60, 2.0)])
    line = start + np.concatenate([steps, 1 - steps]) * (end - start)
    moved = np.repeat(np.asarray(centre, dtype=float)[None], len(line), axis=0)
    place: Any = (slice(None), *axis)
    moved[place] = np.clip(line, start, end)
    return moved


def unanswered(goal: Property, dtype: str) -> str:
    """What is missing where nothing is decided about the computed map."""
    return (
        f"a proof for the map computed in {dtype}: no two numbers were found to collide, and the "
        f"map rounds on the way; {replace(goal, holds=True, bound=None)!r} may hold in real "
        "arithmetic, ask with arithmetic='real'"
    )
