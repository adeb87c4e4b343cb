"""Laws of copies: clones, pickles and deep copies are the same map, and parameters count."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import warnings
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.base import clone

from ..check import register_check
from ..refits import apart, fit_tolerance, fitted, reproducible, rounding, seeded, taken
from ..snapshot import changes, parameters_of
from ..subject import Instance
from ..trial import Trial
from ..unpicklable import unpicklable

__all__ = [
    "check_clone",
    "check_copies",
    "check_params",
    "check_pickle",
    "check_repr",
    "check_state_dict",
]

# Parameters that say how to compute, not what.
HOW = {"n_jobs", "verbose", "memory", "copy", "warm_start", "random_state", "cache_size"}
# How many parameters are tried, for a budget of 1.
TRIED = 16


@register_check(needs=("params",), once=True)
def check_clone(trial: Trial) -> None:
    """A clone has the same parameters, has learned nothing, and becomes the same map."""
    obj, X = trial.subject.obj, trial.rows(12, 12)
    try:
        params = obj.get_params(deep=False)
    except AttributeError as error:
        trial.fail(
            "get_params fails: a parameter of the constructor is kept under another name.",
            got=f"{type(error).__name__}: {error}",
            need="an attribute of the same name for each parameter",
            do="in __init__ write only self.name = name",
        )
    lost = [name for name in _parameters(type(obj)) if name not in params]
    if lost:
        trial.fail(
            f"get_params leaves out {lost[0]!r}, which the constructor takes.",
            got=f"get_params() has {', '.join(params) or 'nothing'}",
            need="all parameters of __init__: clone makes the copy from them alone",
            do=f"inherit get_params from sklearn.base.BaseEstimator, and set self.{lost[0]} = "
            f"{lost[0]} in __init__",
        )
    try:
        twin = clone(obj)
    except Exception as error:
        trial.fail(
            "It cannot be cloned.",
            got=f"{type(error).__name__}: {error}",
            need="a constructor that stores each parameter as it is, under its own name",
            do="in __init__ write only self.name = name; convert and check in fit",
        )
    changed = changes(parameters_of(obj), parameters_of(twin))
    if changed:
        trial.fail(
            f"A clone has another parameter {changed[0]}.",
            got=f"{', '.join(changed[:5])} differ between the object and its clone",
            need="the same parameters",
            do="in __init__ write only self.name = name; convert and check in fit",
        )
    if _answers(trial, clone(trial.fresh().obj), X):
        trial.fail(
            "A clone of a fitted object is fitted.",
            got="it transforms rows without having seen data",
            need="a clone that has learned nothing: folds of a cross-validation start from it",
            do="leave cloning to sklearn.clone, and keep what fit learns out of the parameters",
        )
    if not reproducible(trial, X):
        trial.skip("two fits to the same data differ already, see check_same_fit")
    again = fitted(trial, trial.fit_data, twin)
    other = fitted(trial, trial.fit_data, copy.deepcopy(obj))
    _alike(
        trial,
        other,
        again.features(X),
        X,
        what="A clone, fitted to the same data, has other features than the object itself.",
        do="make all that fit reads a parameter of __init__",
        make=lambda: copy.deepcopy(obj),
    )


@register_check(once=True)
def check_pickle(trial: Trial) -> None:
    """What was pickled, or dumped by joblib, gives the same features when it is loaded."""
    if trial.subject.kind == "function":
        trial.skip("a function is pickled as its name, without what it computes")
    instance, X = _original(trial), trial.rows(12, 12)
    ways: dict[str, Any] = {"pickle": (pickle.dumps, pickle.loads), "joblib": (_dumped, _loaded)}
    for way, (dump, load) in ways.items():
        try:
            twin = load(dump(instance.obj))
        except Exception as error:
            if trial.subject.kind == "module":
                trial.skip(f"its class cannot be pickled ({error}); see check_state_dict")
            if type(instance.obj).__module__ == "__main__" and type(instance.obj).__name__ in str(
                error
            ):
                trial.skip("its class was typed in, not imported: in a file it is found again")
            what, do = unpicklable(instance.obj, error)
            trial.fail(
                what,
                got=f"{way}: {type(error).__name__}: {error}",
                need="an object that can be stored, and sent to other processes (n_jobs=2)",
                do=do,
            )
        _alike(
            trial,
            instance,
            Instance(trial.subject, twin).features(X),
            X,
            what=f"Loaded again by {way}, it has other features.",
            do="store all that transform reads; leave __getstate__ and __reduce__ to Python",
        )


@register_check(once=True)
def check_copies(trial: Trial) -> None:
    """A deep copy is the same map, and what happens to one copy does not reach another."""
    instance, X = _original(trial), trial.rows(12, 12)
    expected = instance.features(X)
    try:
        twins = {"deep copy": copy.deepcopy(instance.obj), "copy": copy.copy(instance.obj)}
    except Exception as error:
        trial.fail(
            "It cannot be copied.",
            got=f"{type(error).__name__}: {error}",
            need="copy.deepcopy(obj), by which all tools make it their own",
            do="keep no generators, files, locks or handles among the attributes",
        )
    for way, twin in twins.items():
        _alike(
            trial,
            instance,
            Instance(trial.subject, twin).features(X),
            X,
            what=f"A {way} has other features.",
            do="leave __deepcopy__ and __copy__ to Python, or copy all that transform reads",
        )
    if not trial.subject.has("fit"):
        return
    data = trial.fit_data
    one = fitted(trial, data)
    before = one.features(X)
    for places in (range(len(data) // 2, len(data)), range(len(data) // 3)):
        try:
            fitted(trial, taken(data, places), copy.deepcopy(one.obj))
            fitted(trial, taken(data, places))
        except Exception:
            # Too few rows for it.
            continue
        _alike(
            trial,
            instance,
            one.features(X),
            X,
            what="An object changed when another one was fitted.",
            do="keep what fit learns on self: attributes of the class, defaults that are lists or "
            "dicts, and global tables are shared by all",
            expected=before,
        )
    _alike(trial, instance, instance.features(X), X, what="An object changed when its copies were "
           "used.", do="share nothing between copies", expected=expected)  # fmt: skip


@register_check(needs=("params",), once=True)
def check_params(trial: Trial) -> None:
    """set_params makes the object that the constructor would have made."""
    X = trial.rows(12, 12)
    names = list(_tries(trial.unfitted()))
    most = max(2, int(TRIED * trial.profile.budget))
    tried = 0
    for name, value in names:
        if tried >= most:
            break
        try:
            expected = fitted(trial, trial.fit_data, _constructed(trial, name, value))
            wanted = expected.features(X)
        except Exception:
            # Not a value that it takes.
            continue
        tried += 1
        changed = fitted(trial, trial.fit_data).obj
        try:
            changed.set_params(**{name: value})
            bare = _stateless(trial, X)
            found = Instance(trial.subject, changed) if bare else None
            refitted = fitted(trial, trial.fit_data, copy.deepcopy(changed)).features(X)
        except Exception as error:
            trial.fail(
                f"After set_params({name}={value!r}) it fails, where a new object does not.",
                got=f"{type(error).__name__}: {error}",
                need=f"the same as {type(changed).__name__}(..., {name}={value!r})",
                do="in __init__ write only self.name = name, and derive the rest in fit",
            )
        for features, told in ((refitted, "fit"), (found and found.features(X), "transform")):
            if features is None or not apart(features, wanted, 0.0):
                continue
            if not reproducible(trial, X):
                trial.skip("two fits to the same data differ already, see check_same_fit")
            _alike(
                trial,
                expected,
                features,
                X,
                what=f"set_params({name}={value!r}), then {told}, gives other features than a "
                f"new object with {name}={value!r}.",
                do="derive nothing from parameters in __init__: a grid search sets them later",
                make=lambda n=name, v=value: _constructed(trial, n, v),  # type: ignore[misc]
            )


@register_check(once=True)
def check_repr(trial: Trial) -> None:
    """It can be shown, fitted or not."""
    for obj in (trial.unfitted(), trial.fresh().obj):
        try:
            text = repr(obj)
        except Exception as error:
            trial.fail(
                "It cannot be shown.",
                got=f"repr raises {type(error).__name__}: {error}",
                need="a text: notebooks, logs and error messages ask for it",
                do="let __repr__ read only what __init__ sets, or inherit it from BaseEstimator",
            )
        if not text.strip():
            trial.fail(
                "It is shown as nothing.",
                got="an empty repr",
                need="a text that names it",
                do="let __repr__ return a text, or inherit it",
            )


@register_check(needs=("module",), once=True)
def check_state_dict(trial: Trial) -> None:
    """A module that loads the state_dict of another becomes the same map."""
    instance, X = trial.fresh(), trial.rows(12, 12)
    expected = instance.features(X)
    buffer = io.BytesIO()
    torch.save(instance.obj.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer, weights_only=True)
    twin = trial.fresh()
    # What it computed from its first weights must not outlive them.
    twin.features(X)
    floats = {k: v for k, v in state.items() if torch.is_tensor(v) and v.is_floating_point()}
    other = {k: 0.5 * v for k, v in floats.items()}
    twin.obj.load_state_dict({**state, **other})
    moved = twin.features(X)
    unused = trial.fresh()
    unused.obj.load_state_dict({**state, **other})
    stale = (
        "let forward compute from the parameters themselves, and keep nothing of them in plain "
        "attributes: register_buffer is for what must be stored"
    )
    _alike(
        trial,
        unused,
        moved,
        X,
        what="A module that was called before keeps features of its old weights when it loads "
        "new ones.",
        do=stale,
    )
    twin.obj.load_state_dict(state)
    _alike(
        trial,
        instance,
        twin.features(X),
        X,
        what="Loaded from its state_dict, the module has other features.",
        do=stale,
        expected=expected,
    )


# --- how these are told --------------------------------------------------------------------------
def _alike(
    trial: Trial,
    instance: Instance,
    found: np.ndarray,
    X: Any,
    *,
    what: str,
    do: str,
    expected: np.ndarray | None = None,
    make: Callable[[], Any] | None = None,
) -> None:
    """Fail unless the features are those of the instance: to the bit, or up to rounding."""
    expected = instance.features(X) if expected is None else expected
    if apart(found, expected, 0.0):
        again = make is not None
        allowed = (fit_tolerance(trial, instance, X, make) if again
                   else rounding(trial, instance, X))  # fmt: skip
        trial.close(found, expected, allowed, what=what, do=do)


def _original(trial: Trial) -> Instance:
    """A fitted object that is not itself a deep copy of one: copies may have lost something."""
    return fitted(trial, trial.fit_data) if trial.subject.has("fit") else trial.fresh()


def _parameters(kind: type) -> list[str]:
    """What the constructor takes by name."""
    taken_by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    try:
        signature = inspect.signature(kind)
    except (TypeError, ValueError):
        return []
    return [p.name for p in signature.parameters.values() if p.kind in taken_by_name]


def _answers(trial: Trial, twin: Any, X: Any) -> bool:
    """Whether a clone gives features without a fit, where a new object does not."""
    if _stateless(trial, X):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Instance(trial.subject, twin).features(X)
    except Exception:
        return False
    return True


def _stateless(trial: Trial, X: Any) -> bool:
    """Whether an object that was never fitted transforms as well as one that was."""
    new = seeded(_new(trial.subject.obj))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Instance(trial.subject, new).features(X)
    except Exception:
        return False
    return True


def _new(obj: Any) -> Any:
    return type(obj)(**obj.get_params(deep=False))


def _constructed(trial: Trial, name: str, value: Any) -> Any:
    """A new object whose constructor was given the value."""
    new = seeded(trial.unfitted())
    if "__" in name:
        return new.set_params(**{name: value})
    try:
        return type(new)(**{**new.get_params(deep=False), name: value})
    except TypeError:
        # Its constructor takes no names.
        return new.set_params(**{name: value})


def _tries(estimator: Any) -> Iterator[tuple[str, Any]]:
    """Parameters that are numbers, or arrays of them, each with other values near its own."""
    params = estimator.get_params()
    # First its own parameters, then those of its parts.
    for name in sorted(params, key=lambda k: k.count("__")):
        value = params[name]
        if name.rpartition("__")[2] in HOW:
            continue
        if isinstance(value, bool | np.bool_):
            yield name, not value
        elif isinstance(value, Integral):
            yield name, int(value) + 1
        elif isinstance(value, Real) and np.isfinite(float(value)):
            yield name, float(value) * 1.5 if value else 0.5
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            yield name, value * 1.5


def _dumped(obj: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(obj, buffer)
    return buffer.getvalue()


def _loaded(data: bytes) -> Any:
    return joblib.load(io.BytesIO(data))
