"""Attacks on what is claimed of kernels: matrices k(x_i, x_j) at points that are chosen to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import linprog

from ..kernels import Kernel
from ..property import Property
from ..spaces import Space, Sphere
from ..witness import AnnihilatingMeasure
from .annihilate import Field, Found, annihilated, confirmed, small, square
from .entries import entries
from .evidence import Counterexample
from .figures import Figure
from .precise import mpmath
from .probe import Probe
from .topology import continuous, jump

__all__ = ["KERNEL_ATTACKS", "attack"]

# How well functions of H_k must fit, on points that they have not seen, to count as dense.
FIT = 3e-2


Attack = Callable[[Field, Property, "AnnihilatingMeasure | None"], "Counterexample | None"]


def definite(field: Field, claim: Property, witness: Any) -> Counterexample | None:
    """Attack positive definiteness by a negative eigenvalue, its contrary by finding none."""
    found = _indefinite(field)
    if claim.holds:
        return None if found is None else Counterexample(repr(claim), *found)
    if found is not None:
        return None
    text = f"no matrix of {len(field.grams)} has a negative eigenvalue beyond rounding"
    return Counterexample(repr(claim), text, certain=False)


def _indefinite(field: Field) -> tuple[str, tuple[np.ndarray, ...], bool] | None:
    for figure, gram in field.grams:
        size = float(np.abs(gram).max(initial=0.0))
        rounding = 1e-9 * len(gram) * size
        if np.abs(gram - gram.T).max(initial=0.0) > rounding:
            return "k(x, y) and k(y, x) differ", tuple(figure.points), True
        values, vectors = np.linalg.eigh(gram / 2 + gram.T / 2)
        if values[0] < -rounding:
            text = f"a matrix has the eigenvalue {values[0]:.4g} beside entries up to {size:.4g}"
            exact = entries(field.kernel, figure.points, 60)
            if exact is not None:
                with mpmath.workdps(60):
                    if square(vectors[:, 0], exact)[0] >= 0:
                        continue
            return text, tuple(figure.points), True
    return None


def strict(field: Field, claim: Property, witness: Any) -> Counterexample | None:
    """Attack strict positive definiteness by an annihilating measure."""
    if not claim.holds:
        return _no_measure(field, claim, witness, False)
    if (found := _indefinite(field)) is not None:
        return Counterexample(repr(claim), *found)
    return _seen(claim, annihilated(field))


def characteristic(field: Field, claim: Property, witness: Any) -> Counterexample | None:
    """Attack by a measure of total mass 0 that the kernel does not see."""
    if not claim.holds:
        return _no_measure(field, claim, witness, True)
    return _seen(claim, annihilated(field, balanced=True))


def universal(field: Field, claim: Property, witness: Any) -> Counterexample | None:
    """Attack by an annihilating measure, an indefinite matrix, or a jump."""
    if claim.holds:
        if (torn := _jump(field)) is not None:
            return Counterexample(repr(claim), f"k jumps by {torn[2]:.3g}", torn[:2])
        return strict(field, claim, witness)
    if witness is not None:
        return _no_measure(field, claim, witness, False)
    if _indefinite(field) is not None or _jump(field, False) is not None:
        return None
    if annihilated(field) is not None:
        return None
    return _fits(field, claim)


def vanishing(field: Field, claim: Property, witness: Any) -> Counterexample | None:
    """Attack by a point, or a positive measure on a connected part, that annihilates H_k."""
    if not claim.holds:
        return _without_zero(field, claim)
    if (torn := _jump(field)) is not None:
        return Counterexample(repr(claim), f"k jumps by {torn[2]:.3g}", torn[:2])
    if (negative := _indefinite(field)) is not None:
        return Counterexample(repr(claim), *negative)
    for figure, gram in field.grams:
        weights = np.ones(1) if len(gram) == 1 else figure.weights
        if weights is None or (weights < 0).any() or not _joined(field.on, figure.points):
            continue
        if small(Figure(figure.name, figure.points, weights), gram, False) is not None:
            found = confirmed(field, Figure("point", figure.points, weights), gram, weights, False)
            if found is not None:
                return Counterexample(repr(claim), found.text, tuple(figure.points), found.certain)
    return None


def smooth(field: Field, claim: Property, witness: Any) -> Counterexample | None:
    """Attack continuity, or its contrary, on the kernel's sections."""
    return continuous(field.probe, claim, 0.0)


def _jump(field: Field, certainly: bool = True) -> Any:
    return jump(field.probe, certainly) if field.on.infinite else None


def _joined(on: Space, points: np.ndarray) -> bool:
    """Whether the points lie in one connected part of the space."""
    box = on.inner_box()
    return (
        len(points) == 1
        or isinstance(on, Sphere)
        or (box is not None and bool(box.contains(points).all()))
    )


def _seen(claim: Property, found: Found | None) -> Counterexample | None:
    if found is None:
        return None
    return Counterexample(repr(claim), found.text, tuple(found.figure.points), found.certain)


def _no_measure(
    field: Field, claim: Property, witness: AnnihilatingMeasure | None, balanced: bool
) -> Counterexample | None:
    """Test the witness; without one, look for another and for a negative eigenvalue."""
    if witness is None:
        if _indefinite(field) is not None or annihilated(field, balanced) is not None:
            return None
        text = f"no measure on {len(field.grams)} figures is annihilated"
        return Counterexample(repr(claim), text, certain=False)
    why = _bad(field, witness, balanced)
    return None if why is None else Counterexample(repr(claim), why, tuple(witness.points))


def _bad(field: Field, witness: Any, balanced: bool) -> str | None:
    if not isinstance(witness, AnnihilatingMeasure):
        return "the witness is no measure"
    if witness.points.shape[1:] != field.on.shape or not field.on.contains(witness.points).all():
        return "the witness has points outside the space"
    if not len(witness.points):
        return "the witness has no points"
    if balanced and witness.mass != 0:
        return f"the witness has total mass {witness.mass:.3g}"
    gram = field.gram
    if not witness.verify(lambda x: gram(x.numpy())):
        return f"the witness has c'Kc = {witness.square(lambda x: gram(x.numpy())):.4g}"
    exact = entries(field.kernel, witness.points, 60) if witness.exact else None
    if exact is not None:
        with mpmath.workdps(60):
            own, size = square(witness.weights, exact)
            if abs(own) > size * mpmath.mpf(10) ** -50:
                return f"the witness has c'Kc = {mpmath.nstr(own, 4)}, not 0"
    return None


def _fits(field: Field, claim: Property) -> Counterexample | None:
    """Fit continuous functions by combinations of k(z_j, ·) and look at unseen points."""
    on = field.on
    points = _part(field, 700)
    if len(points) < 20 or on.size > 2:
        return None
    rng = np.random.default_rng(field.seed + 22)
    gram = field.gram(points)
    place = points.reshape(len(points), -1)
    targets = np.stack(
        [np.sin(place @ rng.standard_normal(place.shape[1]) * 3 + s) for s in range(4)]
        + [place[:, 0], np.ones(len(points))],
        axis=1,
    )
    known = len(points) * 5 // 7 if on.infinite else len(points)
    if not np.isfinite(gram).all():
        return None
    solution = np.linalg.lstsq(gram[:known, :known], targets[:known], rcond=1e-13)[0]
    rest = slice(known if on.infinite else 0, None)
    error = float(np.abs(gram[rest, :known] @ solution - targets[rest]).max())
    if error < FIT:
        text = f"functions of H_k fit {targets.shape[1]} targets to {error:.2g} on unseen points"
        return Counterexample(repr(claim), text, certain=False)
    return None


def _part(field: Field, n: int) -> np.ndarray:
    """Points of the space if it is compact, else points of a part that keeps off its ends."""
    points = field.on.sample(n, np.random.default_rng(field.seed + 23))
    if field.on.compact:
        return points
    low, high = (
        np.where(np.isfinite(b), b, e) for b, e in zip(field.on.bounds(), (-2.0, 2.0), strict=True)
    )
    room = (high - low) / 8
    flat = points.reshape(n, -1)
    kept = ((flat >= (low + room).ravel()) & (flat <= (high - 2 * room).ravel())).all(axis=1)
    return points[kept]


def _without_zero(field: Field, claim: Property) -> Counterexample | None:
    """Look for a combination of k(z_j, ·) that is at least 1 at many points."""
    if _indefinite(field) is not None or _jump(field, False) is not None:
        return None
    # Where a function is most likely to have to vanish, and at random.
    singles = [f.points for f in field.figures if len(f.points) == 1]
    points = np.concatenate([_part(field, 300), *singles])
    if len(points) < 20:
        return None
    rows = field.gram(points)[:, :24]
    if not np.isfinite(rows).all():
        return None
    found = linprog(
        np.zeros(rows.shape[1]), A_ub=-rows, b_ub=-np.ones(len(rows)), bounds=(-1e6, 1e6)
    )
    if found.status != 0:
        return None
    text = f"a function of H_k is at least 1 on {len(points)} points"
    return Counterexample(repr(claim), text, certain=False)


KERNEL_ATTACKS: dict[str, Attack] = {
    "Characteristic": characteristic,
    "Continuous": smooth,
    "NonVanishing": vanishing,
    "PositiveDefinite": definite,
    "StrictlyPositiveDefinite": strict,
    "Universal": universal,
}
FIELDS = "field of the kernel"


def attack(
    kernel: Kernel,
    on: Space,
    claim: Property,
    witness: Any = None,
    random_state: int = 0,
    budget: float = 1.0,
    shared: Probe | None = None,
) -> Counterexample | None:
    """The strongest attack on a claim about a kernel; a shared probe keeps what it computes."""
    memo = {} if shared is None else shared.memo
    if FIELDS not in memo:
        memo[FIELDS] = Field(kernel, on, random_state, budget)
    return KERNEL_ATTACKS[claim.name](memo[FIELDS], claim, witness)
