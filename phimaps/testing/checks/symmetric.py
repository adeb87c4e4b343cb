"""Claims of symmetry: what a motion of the points does to their features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ...errors import show
from ...map import FeatureMap
from ..attacked import attack, written
from ..check import register_check
from ..subject import Instance
from ..trial import Trial

__all__ = ["check_equivariant", "check_homogeneous", "check_invariant"]


@register_check(claim="PositivelyHomogeneous", needs=("space",), once=True)
def check_homogeneous(trial: Trial) -> None:
    """Multiples of points have features that are multiples by the power of the factor."""
    attack(trial, "leave out the bias, or claim another degree")


@register_check(claim="Invariant", needs=("numbers", "space"))
def check_invariant(trial: Trial) -> None:
    """A motion of the points changes no feature."""
    about = trial.claim.about
    if not trial.claim.holds:
        trial.skip("that a motion changes features is not contradicted by finding rows it leaves")
    motions = list(about) if isinstance(about, list | tuple) else [about]
    _compare(trial, [(motion, None) for motion in motions])


@register_check(claim="equivariant", needs=("numbers", "space"))
def check_equivariant(trial: Trial) -> None:
    """A motion T of the points moves their features by the S that belongs to it."""
    _compare(trial, list(_pairs(trial, trial.claim)))


def _pairs(trial: Trial, claim: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(claim, list):
        for one in claim:
            yield from _pairs(trial, one)
    elif isinstance(claim, tuple) and len(claim) == 2 and all(_moves(m) for m in claim):
        yield claim
    else:
        trial.fail(
            "Equivariance is claimed of motions in pairs.",
            got=f"equivariant={show(claim)}",
            need="(T, S) with φ(T x) = S φ(x), or a list of such pairs, the generators of a group; "
            "T and S are maps of phimaps or functions of arrays of rows",
            do="claims={'equivariant': (lambda x: x[:, ::-1], lambda f: f[:, ::-1])}",
        )


def _moves(motion: Any) -> bool:
    return callable(motion) or isinstance(motion, FeatureMap)


def _compare(trial: Trial, pairs: list[tuple[Any, Any]]) -> None:
    instance, X = trial.fresh(), trial.rows()
    for motion, answer in pairs:
        moved = _moved(motion, np.asarray(X, dtype=np.float64))
        if moved.shape != X.shape:
            trial.fail(
                "The motion does not map the domain to itself.",
                got=f"shape {moved.shape} from rows of shape {X.shape}",
                need="as many points of the same shape",
                do="give a motion of the points as the first of the pair",
            )
        ok = trial.domain.contains(moved)
        if not ok.any():
            continue
        rows, there = X[ok], moved[ok].astype(X.dtype)
        before, after = instance.features(rows), instance.features(there)
        slack = trial.tolerance(instance, rows)
        wanted, allowed = before, slack
        if answer is not None:
            wanted = _moved(answer, before)
            # What the tolerance of the features becomes under S.
            signs = np.where(np.random.default_rng(0).random((4, *before.shape)) < 0.5, -1.0, 1.0)
            allowed = np.abs([_moved(answer, before + s * slack) - wanted for s in signs]).max(0)
        if wanted.shape != after.shape:
            trial.fail(
                "The moved features are not as many as the features of moved points.",
                got=f"shape {wanted.shape} beside {after.shape}",
                need="S φ(x) of the shape of φ(T x)",
                do="give a motion of the features as the second of the pair",
            )
        allowed = 2 * allowed + trial.tolerance(instance, there) + _rounded(instance, motion, rows)
        _judge(trial, motion, rows, after, wanted, allowed, answer is not None)


def _judge(
    trial: Trial,
    motion: Any,
    rows: np.ndarray,
    after: np.ndarray,
    wanted: np.ndarray,
    allowed: np.ndarray,
    paired: bool,
) -> None:
    with np.errstate(invalid="ignore"):
        excess = np.nan_to_num(np.abs(after - wanted) - allowed, nan=-1.0)
    if not (excess > 0).any():
        return
    i, k = np.unravel_index(int(excess.argmax()), excess.shape)
    name = show(motion) if isinstance(motion, FeatureMap) else getattr(motion, "__name__", "T")
    law = "φ(T x) = S φ(x)" if paired else "φ(T x) = φ(x)"
    trial.fail(
        f"{law} is claimed, and it is false for T = {name}.",
        got=f"feature {k} of T x is {after[i, k]:.9g}, and {wanted[i, k]:.9g} is claimed, "
        f"at x = {written(rows[i])}",
        need=f"a difference of at most {allowed[i, k]:.3g}, which rounding explains",
        do="check the order of coordinates and axes; zero padding and strides break shifts",
    )


def _rounded(instance: Instance, motion: Any, rows: np.ndarray) -> np.ndarray:
    """What the rounding of moved points does to the features: T x moved by last digits."""
    eps = np.finfo(rows.dtype).eps
    moved = _moved(motion, np.asarray(rows, dtype=np.float64))
    size = np.abs(moved).max(axis=tuple(range(1, moved.ndim)), keepdims=True)
    base = instance.features(moved.astype(rows.dtype))
    rng, found = np.random.default_rng(1), np.zeros_like(base)
    for _ in range(4):
        near = moved + rng.uniform(-2, 2, moved.shape) * eps * size
        near = near.astype(rows.dtype)
        ok = instance.subject.domain.contains(near)
        values = instance.features(np.where(ok.reshape(-1, *[1] * (near.ndim - 1)), near, moved))
        found = np.fmax(found, np.abs(values - base))
    return 4 * found


def _moved(motion: Any, points: np.ndarray) -> np.ndarray:
    """The points moved by a map of phimaps, or by a function of arrays or of tensors."""
    tensor = torch.from_numpy(np.ascontiguousarray(points))
    if isinstance(motion, FeatureMap):
        with torch.no_grad():
            return motion.bind(points).forward(tensor).numpy()
    try:
        moved = motion(points.copy())
    except Exception:
        # Functions of tensors refuse arrays in many ways.
        with torch.no_grad():
            moved = motion(tensor.clone())
    if isinstance(moved, torch.Tensor):
        moved = moved.detach().numpy()
    return np.ascontiguousarray(moved, dtype=np.float64)
