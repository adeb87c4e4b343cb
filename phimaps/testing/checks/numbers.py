"""Arrays and tensors of the same numbers have the same features."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from ..check import register_check
from ..subject import Instance
from ..tolerance import tolerance
from ..trial import Trial
from .gradients import _array, _call, _same

__all__ = ["check_numpy_torch"]


@register_check(needs=("tensors", "space"))
def check_numpy_torch(trial: Trial) -> None:
    """Arrays and tensors of the same rows have the same features."""
    instance = trial.fresh()
    if trial.subject.kind == "module":
        trial.skip("a module takes tensors only")
        return
    X = trial.rows()
    with torch.no_grad():
        tensors, again = (_array(_call(instance, torch.from_numpy(X.copy()))) for _ in range(2))
    if not _same(tensors, again):
        # Two calls differ already, which check_deterministic tells.
        return
    try:
        arrays = instance.features(X) if trial.subject.kind == "map" else _plain(instance, X)
    except Exception:
        # A function of tensors need not take arrays.
        return
    if _same(arrays, tensors):
        return
    if arrays.shape != tensors.shape:
        trial.fail(
            "Arrays have other features than tensors of the same rows.",
            got=f"shape {arrays.shape} beside {tensors.shape}",
            need="the same features",
            do="write one path: arrays become tensors first",
        )
    allowed = tolerance(lambda X: _plain(instance, X), X, X.dtype)
    if trial.subject.kind == "map":
        allowed = trial.tolerance(instance, X)
    trial.close(
        arrays,
        tensors,
        allowed,
        what="Arrays have other features than tensors of the same rows.",
        do="write one path: arrays become tensors first. torch and NumPy differ in std (n - 1 "
        "beside n), gelu, and the axis that dim and axis default to",
    )


def _plain(instance: Instance, X: np.ndarray) -> np.ndarray:
    """What a function makes of an array, as numbers of shape (n, d)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        result: Any = instance.obj(X.copy())
    return _array(torch.as_tensor(np.asarray(result)))
