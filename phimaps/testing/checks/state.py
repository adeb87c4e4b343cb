"""Laws of memory: what belongs to the caller stays as it is, and a fit is the only state."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse

from ..check import register_check
from ..refits import apart, fit_tolerance, fitted, reproducible, rounding, seeded, taken
from ..settings import changed_by
from ..snapshot import changes, parameters_of, state_of
from ..subject import Instance
from ..trial import Trial

__all__ = [
    "check_fit",
    "check_fit_data_untouched",
    "check_global_state",
    "check_input_untouched",
    "check_memory",
    "check_refit",
    "check_state",
]


# --- what belongs to the caller ------------------------------------------------------------------
@register_check
def check_input_untouched(trial: Trial) -> None:
    """What is given to transform, or to a call, is left as it was."""
    X = trial.rows()
    for kind, rows in _kinds(trial, X).items():
        _untouched(trial, f"{_call(trial)}, of {kind},", trial.fresh(), rows)


@register_check(needs=("fit",), once=True)
def check_fit_data_untouched(trial: Trial) -> None:
    """What is given to fit and fit_transform is left as it was."""
    for kind, data in _kinds(trial, trial.fit_data).items():
        for way in ("fit", "fit_transform"):
            estimator = seeded(trial.unfitted())
            if hasattr(estimator, way):
                call = partial(trial.fit, estimator, way=way)
                _untouched(trial, f"{way}, of {kind},", call, data)


@register_check
def check_memory(trial: Trial) -> None:
    """Features, once given, belong to the caller: nobody changes them, and they change nothing."""
    instance, X = trial.fresh(), trial.rows()
    Y = trial.rows(len(X), len(X))
    given = _copy(X)
    held = instance(given)
    kept = _arrays(held)
    before = [a.copy() for a in kept]
    later = instance(_copy(Y))
    for now, then in zip(kept, before, strict=True):
        if apart(now, then, 0.0):
            trial.fail(
                "Features that the caller holds change when the map is called again.",
                got=_first(now, then),
                need="an array of its own for every result",
                do="return a copy, or make a new array each time instead of reusing a buffer",
            )
    estimator = trial.subject.has("estimator")
    plain = isinstance(given, np.ndarray)
    if estimator and plain and any(_share(a, given) for a in kept):
        trial.fail(
            "The features are a part of the caller's array: writing to one alters the other.",
            got="transform(X) that shares memory with X",
            need="features with memory of their own",
            do="return X[:, columns].copy(), or np.array(X)",
        )
    if any(_share(a, b) for a in kept for b in _arrays(later)):
        trial.fail(
            "Two results share their memory: writing to one alters the other.",
            got="transform(X) that shares memory with transform(Y)",
            need="an array of its own for every result",
            do="return a copy, or make a new array each time instead of reusing a buffer",
        )
    _overwritten(trial, instance, X)
    _same_object(trial, instance, X, Y)


# --- what belongs to the object ------------------------------------------------------------------
@register_check(needs=("fit",), once=True)
def check_fit(trial: Trial) -> None:
    """fit returns the object itself, keeps its parameters, and alone makes state."""
    estimator = seeded(trial.unfitted())
    has_parameters = hasattr(estimator, "get_params")
    own = set(estimator.get_params(deep=False)) if has_parameters else set()
    early = [k for k in _public(estimator) if k.endswith("_") and k not in own]
    # What has no parameters is copied as it is, fitted perhaps.
    if early and has_parameters:
        trial.fail(
            f"It has the attribute {early[0]} before it was fitted.",
            got=", ".join(early),
            need="attributes that end in an underscore only after fit",
            do="set in __init__ nothing but the parameters; what is learned, in fit",
        )
    before = parameters_of(estimator) if has_parameters else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        returned = trial.fit(estimator)
    if returned is not estimator:
        trial.fail(
            "fit does not return the object that was fitted.",
            got=f"a result of type {type(returned).__name__}",
            need="self, so that calls can be chained: map.fit(X).transform(X)",
            do="end fit with: return self",
        )
    if not has_parameters:
        return
    changed = changes(before, parameters_of(estimator))
    if changed:
        trial.fail(
            f"fit alters the parameter {changed[0]}.",
            got=f"{', '.join(changed[:5])} changed",
            need="parameters as they were given: a copy, or a second fit, starts from them",
            do="keep what fit makes of a parameter as an attribute of its own, such as "
            f"self.{changed[0].split('.')[0].split('[')[0]}_",
        )


@register_check
def check_state(trial: Trial) -> None:
    """Only fit changes the object; to transform is to look."""
    instance, X = trial.fresh(), trial.rows(2)
    before = state_of(instance.obj)
    instance(_copy(X))
    changed = changes(before, state_of(instance.obj))
    if changed:
        modes = any(p.endswith(("running_mean", "running_var", "training")) for p in changed)
        trial.fail(
            f"{_capital(_call(trial))} changes {changed[0] or 'the object'}.",
            got=f"{', '.join(changed[:5])} changed" + (", ..." if len(changed) > 5 else ""),
            need="transform and calls that leave the object as it was",
            do="call model.eval() once, when it is made: in training, batch normalisation learns "
            "from every batch"
            if modes
            else "move it to fit; what only saves time may be kept under a name that begins with "
            "an underscore",
        )


@register_check(needs=("fit",), once=True)
def check_refit(trial: Trial) -> None:
    """A fit forgets the fit before it."""
    if trial.subject.has("params"):
        warm = [k for k, v in trial.unfitted().get_params().items() if _warm(k) and v]
        if warm:
            trial.skip(f"{warm[0]}=True asks for fits that continue")
    X, data = trial.rows(12, 12), trial.fit_data
    if not reproducible(trial, X):
        trial.skip("two fits to the same data differ already, see check_same_fit")
    once = fitted(trial, data)
    n = len(data)
    # A part of the data is accepted wherever they are, and its mean, range and levels are others.
    for places in (range(n // 2, n), range(n // 3)):
        try:
            other = fitted(trial, taken(data, places))
        except Exception:
            # Too few rows for it.
            continue
        found = fitted(trial, data, other.obj).features(X)
        expected = once.features(X)
        if apart(found, expected, 0.0):
            trial.close(
                found,
                expected,
                fit_tolerance(trial, once, X),
                what="An object that was fitted before gives other features than a new one "
                "fitted to the same data.",
                do="set in fit all that transform reads, without asking whether it is there",
            )


# --- what belongs to everybody -------------------------------------------------------------------
@register_check(once=True)
def check_global_state(trial: Trial) -> None:
    """Generators of random numbers, and settings, of NumPy, torch and Python stay as they were."""
    X = trial.rows(8, 8)
    subject = trial.subject
    instance = trial.fresh()
    calls: list[tuple[str, Callable[[], Any]]] = [(_call(trial), lambda: instance(_copy(X)))]
    if subject.has("fit"):
        calls.append(("fit", lambda: _fitted_loudly(trial)))
    for name, call in calls:
        changed = changed_by(call)
        if changed:
            numbers = "random" in changed[0]
            trial.fail(
                f"{_capital(name)} changes {changed[0]}.",
                got=f"another state after {name}: {', '.join(changed)}",
                need="what all code in the process shares is left as it was",
                do="draw from a generator of your own: np.random.default_rng(seed), "
                "torch.Generator().manual_seed(seed), or check_random_state(self.random_state)"
                if numbers
                else "change it inside a context only: np.errstate, warnings.catch_warnings, "
                "torch.no_grad, sklearn.config_context",
            )


# --- how these are told --------------------------------------------------------------------------
def _kinds(trial: Trial, X: Any) -> dict[str, Any]:
    """The rows in the kinds of containers that people have."""
    if hasattr(X, "iloc"):
        return {"a data frame": X}
    array = np.asarray(X)
    frozen = array.copy()
    frozen.setflags(write=False)
    found: dict[str, Any] = {"an array": array, "a read-only array": frozen}
    if trial.subject.has("estimator") and array.ndim == 2:
        found |= _framed(array)
    return found


def _framed(array: np.ndarray) -> dict[str, Any]:
    try:
        import pandas
    except ImportError:
        return {}
    return {
        "a data frame": pandas.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
    }


def _untouched(trial: Trial, told: str, call: Any, rows: Any) -> None:
    given, expected = _copy(rows), _copy(rows)
    frozen = isinstance(rows, np.ndarray) and not rows.flags.writeable
    if frozen:
        given.setflags(write=False)
    try:
        with warnings.catch_warnings():
            # About read-only memory torch warns, and about names scikit-learn: neither alters it.
            warnings.simplefilter("ignore")
            call(given)
    except Exception as error:
        if frozen and "read-only" in str(error):
            trial.fail(
                "A read-only array is refused: it is to be written to.",
                got=f"{type(error).__name__}: {error}",
                need="X is only read: pandas, and joblib for large data, hand out such arrays",
                do="work on a copy: X = np.array(X)",
            )
        # Not everything takes data frames; other refusals are for other checks.
    if hasattr(given, "iloc"):
        same = (
            list(given.columns) == list(expected.columns)
            and given.index.equals(expected.index)
            and given.equals(expected)
        )
        if not same:
            _altered(trial, told, given, expected)
    elif given.tobytes() != expected.tobytes():
        _altered(trial, told, given, expected)


def _altered(trial: Trial, told: str, now: Any, then: Any) -> None:
    if hasattr(now, "iloc"):
        if list(now.columns) != list(then.columns):
            got = f"columns {list(now.columns)} where {list(then.columns)} were"
        else:
            got = "other values in the frame after the call"
    else:
        got = _first(now.reshape(len(now), -1), then.reshape(len(then), -1))
    trial.fail(
        f"{_capital(told)} alters the caller's data.",
        got=got,
        need="X is only read",
        do="write X = X - mean instead of X -= mean, leave out out=X, inplace=True and copy=False, "
        "or start from a copy: X = np.array(X)",
    )


def _overwritten(trial: Trial, instance: Instance, X: Any) -> None:
    """What the caller writes into a result shows nowhere else."""
    for places in ([0], range(len(X))):
        rows = taken(X, places)
        given = [a for a in _arrays(instance(_copy(rows))) if a.flags.writeable]
        expected = [a.copy() for a in given]
        try:
            for array in given:
                array[...] = 77
            again = [a.copy() for a in _arrays(instance(_copy(rows)))]
        finally:
            # It may be a table of the user's own.
            for array, values in zip(given, expected, strict=True):
                array[...] = values
        for now, then in zip(again, expected, strict=False):
            if now.shape == then.shape and (now == 77).all() and not (then == 77).all():
                trial.fail(
                    "Writing to the features that came out changes what comes out next.",
                    got=f"77 was written to all features of {len(rows)} rows, and came back",
                    need="features with memory of their own",
                    do="return a copy: self.table_[i].copy()",
                )


def _same_object(trial: Trial, instance: Instance, X: Any, Y: Any) -> None:
    """An array whose numbers changed is read anew."""
    if not isinstance(X, np.ndarray):
        return
    place = X.copy()
    instance.features(place)
    place[...] = Y
    found, expected = instance.features(place), trial.fresh().features(Y)
    if apart(found, expected, 0.0):
        trial.close(
            found,
            expected,
            rounding(trial, trial.fresh(), Y),
            what="New numbers in an array that was transformed before have other features than "
            "the same numbers in a new array.",
            do="do not recognise data by `is` or id(): compare what they hold, or keep nothing",
        )


def _fitted_loudly(trial: Trial) -> None:
    trial.fit(trial.unfitted())


def _call(trial: Trial) -> str:
    return "transform" if trial.subject.has("estimator") else "the call"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _public(obj: Any) -> list[str]:
    return [k for k in getattr(obj, "__dict__", {}) if not k.startswith("_")]


def _warm(name: str) -> bool:
    return name.rpartition("__")[2] == "warm_start"


def _copy(X: Any) -> Any:
    return X.copy() if hasattr(X, "copy") else X


def _arrays(result: Any) -> list[np.ndarray]:
    """The arrays of numbers that hold the features; the labels of frames are not among them."""
    if scipy.sparse.issparse(result):
        return [result.data]
    if isinstance(result, np.ndarray):
        return [result] if result.dtype.kind in "biuf" else []
    return []


def _share(a: np.ndarray, b: np.ndarray) -> bool:
    if not np.may_share_memory(a, b):
        return False
    try:
        return bool(np.shares_memory(a, b, max_work=100_000))  # type: ignore[arg-type]
    except Exception:
        # Too hard to tell: no alarm.
        return False


def _first(now: np.ndarray, then: np.ndarray) -> str:
    if now.shape != then.shape:
        return f"shape {now.shape} where {then.shape} was"
    differ = ~((now == then) | ((now != now) & (then != then)))
    at = tuple(map(int, np.argwhere(differ)[0]))
    return f"{now[at]!r} where {then[at]!r} was, at {list(at)}"
