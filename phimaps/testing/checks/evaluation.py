"""That all ways to evaluate a map of phimaps are the same map."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import clone

from ...config import config_context
from ..check import register_check
from ..trial import Trial

__all__ = ["check_bind", "check_chunks", "check_ways_to_evaluate", "check_write"]

ONE_MAP = "a map is one function, however it is asked for its values"


def _flat(value: torch.Tensor) -> np.ndarray:
    return value.detach().flatten(1).double().cpu().numpy()


@register_check(needs=("map",))
def check_ways_to_evaluate(trial: Trial) -> None:
    """Transforming rows, calling the map, and calling the closed map on a tensor agree."""
    X = trial.rows()
    instance = trial.fresh()
    phi, expected = instance.obj, instance.features(X)
    closed, allowed = phi._fitted(), trial.tolerance(instance, X)
    with torch.no_grad():
        on_tensor = _flat(closed(torch.from_numpy(X.copy())))
    found = {
        "phi(X)": np.asarray(phi(X)).reshape(len(X), -1),
        "the closed map on an array": np.asarray(closed(X)).reshape(len(X), -1),
        "the closed map on a tensor": on_tensor,
    }
    for how, values in found.items():
        trial.close(
            values.astype(np.float64),
            expected,
            allowed,
            what=f"{how} gives other features than transform.",
            do="compute in `forward` alone; `transform` and calls are made from it",
        )


@register_check(needs=("map",))
def check_write(trial: Trial) -> None:
    """`write` fills its output, and nothing beside it, with what `forward` returns."""
    X = trial.rows()
    instance = trial.fresh()
    closed, allowed = instance.obj._fitted(), trial.tolerance(instance, X)
    x = torch.from_numpy(X.copy())
    with torch.no_grad():
        expected = closed.forward(x.clone())
        n, width = expected.shape[:2]
        wide = torch.full((n, width + 3, *expected.shape[2:]), torch.nan, dtype=x.dtype)
        for out in (torch.full_like(expected, torch.nan), wide[:, 1 : 1 + width]):
            closed.write(x.clone(), out)
            trial.close(
                _flat(out),
                _flat(expected),
                allowed,
                what="`write` gives other features than `forward`.",
                need=ONE_MAP,
                do="write every entry of `out`; it may be a slice of a wider tensor",
            )
    if not bool(wide[:, [0, -2, -1]].isnan().all()):
        trial.fail(
            "`write` wrote beside its output.",
            got="columns changed next to the slice that it was given",
            need="only the entries of `out` are written",
            do="index `out` by its own shape",
        )
    given = np.full((n, instance.features(X).shape[1]), np.nan, X.dtype)
    if instance.obj.transform(X, out=given) is not given:
        trial.fail("transform(X, out=array) returned another array.", need="the array itself")
    trial.close(
        given.astype(np.float64),
        instance.features(X),
        allowed,
        what="transform(X, out=array) gives other features than transform(X).",
        need=ONE_MAP,
    )


@register_check(needs=("map",))
def check_chunks(trial: Trial) -> None:
    """The features are the same whatever number of rows is computed at a time."""
    X = trial.rows(least=2)
    instance = trial.fresh()
    expected, allowed = instance.features(X), trial.tolerance(instance, X)
    for size in (1, 100, 2000):
        with config_context(chunk_bytes=size):
            found = instance.features(X)
        trial.close(
            found,
            expected,
            allowed,
            what=f"Computed in chunks of {size} bytes the features are others.",
            need="each row by itself",
            do="statistics belong in `close`, not in `forward`",
        )


@register_check(needs=("map",), once=True)
def check_bind(trial: Trial) -> None:
    """`bind` gives the map that `fit` finds, and leaves the open map as it was."""
    fitted = trial.fresh().obj
    phi = clone(fitted)
    before, parts = repr(phi), {k: id(v) for k, v in phi.get_params(deep=False).items()}
    bound = phi.bind(trial.fit_data)
    state = [k for k in vars(phi) if k.endswith("_")]
    after = {k: id(v) for k, v in phi.get_params(deep=False).items()}
    if state or repr(phi) != before or after != parts:
        trial.fail(
            "`bind` altered the open map.",
            got=f"new state {state}" if state else "other parameters",
            need="bind returns the closed map and changes nothing",
            do="return a new map from `close`",
        )
    X = trial.rows(least=8, most=8)
    trial.close(
        np.asarray(bound.transform(X), dtype=np.float64).reshape(len(X), -1),
        trial.fresh().features(X),
        0.0 if phi.closed else trial.tolerance(trial.fresh(), X),
        what="`bind` gives another map than `fit`.",
        need=ONE_MAP,
        do="take all randomness from `given`, by which both draw alike",
    )
