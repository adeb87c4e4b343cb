"""Laws of names: one for each feature, and columns that are found by them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse

from ..check import register_check
from ..refits import apart, fitted, rounding
from ..subject import Instance
from ..trial import Trial

__all__ = ["check_columns_by_name", "check_names", "check_set_output"]


@register_check(needs=("names",), once=True)
def check_names(trial: Trial) -> None:
    """There is one name for each feature, a text, and no name twice."""
    instance, X = trial.fresh(), trial.rows(12, 12)
    width = instance.features(X).shape[1]
    names = instance.obj.get_feature_names_out()
    inputs = _inputs(instance, X)
    _one_each(trial, names, width, "get_feature_names_out()")
    again = list(instance.obj.get_feature_names_out())
    if list(names) != again:
        trial.fail(
            "The same features have other names when they are asked for again.",
            got=_difference(list(names), again),
            need="the same names each time",
            do="make the names of what fit has learned, not of counters",
        )
    if inputs is None:
        return
    given = list(instance.obj.get_feature_names_out(np.asarray(inputs, dtype=object)))
    _one_each(trial, given, width, "get_feature_names_out(input_features)")
    if getattr(instance.obj, "feature_names_in_", None) is not None and given != list(names):
        trial.fail(
            "The names differ when the columns that it was fitted to are named again.",
            got=_difference(list(names), given),
            need="names that depend on the columns only",
            do="use feature_names_in_ where input_features is None",
        )
    _named_after(trial, instance, X, list(inputs), given)


@register_check(needs=("names",), once=True)
def check_set_output(trial: Trial) -> None:
    """As a data frame the features are the same, their columns the names, their index that of X."""
    try:
        import pandas
    except ImportError:
        trial.skip("data frames need pandas: pip install pandas")
    X = trial.rows(12, 12)
    instance = trial.fresh()
    if not hasattr(instance.obj, "set_output"):
        trial.skip("it has no set_output")
    if scipy.sparse.issparse(instance(X)):
        trial.skip("its features are a sparse matrix, which pandas does not hold")
    if np.ndim(X) != 2:
        trial.skip("its rows are not those of a data frame")
    labels = [f"row {i}" for i in range(len(X))]
    columns = _inputs(instance, X)
    if columns is None:
        columns = [f"x{i}" for i in range(X.shape[1])]
    if hasattr(X, "iloc"):
        frame = X.copy()
        frame.index = pandas.Index(labels)
    else:
        frame = pandas.DataFrame(X, columns=list(columns), index=labels)
    expected = instance.features(X)
    instance.obj.set_output(transform="pandas")
    try:
        with warnings.catch_warnings():
            # It may have been fitted to rows without names.
            warnings.filterwarnings("ignore", message=".*feature names", category=UserWarning)
            result = instance.obj.transform(frame)
    except ValueError as error:
        if "sparse" in str(error):
            trial.skip("a part of it makes a sparse matrix, which pandas does not hold")
        raise
    if not isinstance(result, pandas.DataFrame):
        trial.fail(
            "After set_output(transform='pandas') no data frame comes out.",
            got=type(result).__name__,
            need="a pandas.DataFrame",
            do="return an array from transform: TransformerMixin wraps it, with the names of "
            "get_feature_names_out",
        )
    names = list(instance.obj.get_feature_names_out())
    if list(result.columns) != names:
        trial.fail(
            "The columns of the data frame are not the names of the features.",
            got=_difference(list(result.columns), names),
            need="the names that get_feature_names_out gives, in their order",
            do="return an array from transform: TransformerMixin gives it the names",
        )
    if list(result.index) != labels:
        trial.fail(
            "The data frame lost the labels of its rows.",
            got=f"index {list(result.index)[:3]}... for rows labelled {labels[:3]}...",
            need="the index of X",
            do="return an array from transform: TransformerMixin keeps the index of X",
        )
    trial.close(
        np.asarray(result, dtype=np.float64),
        expected,
        rounding(trial, trial.fresh(), X),
        what="The features differ between an array and a data frame as output.",
        do="return an array from transform, and leave the frame to set_output",
    )


@register_check(once=True)
def check_columns_by_name(trial: Trial) -> None:
    """Columns in another order are found by name, or refused: never mistaken for each other."""
    try:
        import pandas
    except ImportError:
        trial.skip("data frames need pandas: pip install pandas")
    X = trial.rows(12, 12)
    if np.ndim(X) != 2 or X.shape[1] < 2:
        trial.skip("its rows have no two columns to exchange")
    if hasattr(X, "iloc"):
        instance, frame = trial.fresh(), X
    else:
        if not trial.subject.has("fit"):
            trial.skip("it takes arrays, whose columns have no names")
        names = [f"column {c}" for c in "abcdefghijklmnopqrstuvwxyz"[: X.shape[1]]]
        names += [f"column {i}" for i in range(len(names), X.shape[1])]
        frame = pandas.DataFrame(X, columns=names)
        try:
            instance = fitted(trial, pandas.DataFrame(np.asarray(trial.fit_data), columns=names))
            instance.features(frame)
        except Exception as error:
            trial.skip(f"it does not take data frames: {type(error).__name__}")
        if getattr(instance.obj, "feature_names_in_", None) is None:
            trial.skip("it does not look at the names of columns")
    expected = _by_name(instance, frame)
    for k in range(1, min(frame.shape[1], 4)):
        order = [*frame.columns[k:], *frame.columns[:k]]
        try:
            found = _by_name(instance, frame[order])
        except Exception:
            # To refuse them is as good.
            continue
        if apart(found, expected, 0.0):
            trial.close(
                found,
                expected,
                rounding(trial, instance, frame),
                what="The same columns in another order silently give other features.",
                need="the same features, or an error",
                do="select columns by name, X[self.feature_names_in_], or call "
                "sklearn.utils.validation.validate_data(self, X, reset=False), which refuses",
            )


def _inputs(instance: Instance, X: Any) -> list[Any] | None:
    """The names of the columns that went in, where rows have columns."""
    if hasattr(X, "iloc"):
        return list(X.columns)
    if np.ndim(X) != 2:
        return None
    known = getattr(instance.obj, "feature_names_in_", None)
    return [f"x{i}" for i in range(X.shape[1])] if known is None else list(known)


def _one_each(trial: Trial, names: Any, width: int, call: str) -> None:
    names = list(names)
    odd = [n for n in names if not isinstance(n, str)]
    if odd:
        trial.fail(
            f"A name of a feature is not a text: {odd[0]!r}.",
            got=f"{call} gives {type(odd[0]).__name__}",
            need="texts",
            do="np.asarray(names, dtype=object), with str(name) for each",
        )
    if len(names) != width:
        trial.fail(
            f"There are {len(names)} names for {width} features.",
            got=f"{call} gives {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}",
            need=f"{width} names, in the order of the features",
            do="count the features that transform returns; constants and dropped columns are "
            "easily forgotten",
        )
    twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < width else []
    if twice:
        trial.fail(
            f"{names.count(twice[0])} features have the name {twice[0]!r}.",
            got=f"{width} features, {len(set(names))} names",
            need="a name of its own for each feature",
            do=f"say in the name what was done: {twice[0]}^2, log({twice[0]})",
        )


def _named_after(
    trial: Trial, instance: Instance, X: Any, inputs: list[Any], names: list[Any]
) -> None:
    """A feature that bears the name of a column does not follow another column instead."""
    shared = [n for n in names if n in inputs]
    if len(shared) != len(names) or len(X) < 2:
        return
    base = instance.features(X)
    order = np.roll(np.arange(len(X)), 1)
    allowed = rounding(trial, instance, X)
    follows = np.zeros((len(inputs), base.shape[1]), dtype=bool)
    for i in range(len(inputs)):
        moved = instance.features(_with_column(X, i, order))
        if moved.shape != base.shape:
            return
        follows[i] = [apart(moved[:, j], base[:, j], allowed[:, j]) for j in range(len(names))]
    for j, name in enumerate(names):
        i = inputs.index(name)
        others = [inputs[k] for k in np.flatnonzero(follows[:, j])]
        column = np.asarray(X.iloc[:, i] if hasattr(X, "iloc") else X[:, i])
        varies = any(v != column[0] for v in column[1:])
        if varies and not follows[i, j] and others:
            trial.fail(
                f"The feature named {name!r} follows the column {others[0]!r}, and not {name!r}.",
                got=f"{name!r} changes with {', '.join(map(repr, others))}",
                need=f"a feature named {name!r} that has to do with the column {name!r}",
                do="make the names in the order of the features",
            )


def _with_column(X: Any, i: int, order: np.ndarray) -> Any:
    """The rows, with the values of one column handed round."""
    if hasattr(X, "iloc"):
        moved = X.copy()
        moved.isetitem(i, X.iloc[:, i].take(order).set_axis(X.index))
        return moved
    array = np.array(X)
    array[:, i] = array[order, i]
    return array


def _by_name(instance: Instance, frame: Any) -> np.ndarray:
    """The features, and where they have names, in an order that only depends on those."""
    result = instance(frame.copy())
    if hasattr(result, "iloc"):
        columns = sorted(range(result.shape[1]), key=lambda j: str(result.columns[j]))
        return np.asarray(result.iloc[:, columns]).astype(np.float64)
    return instance.features(frame.copy())


def _difference(one: list[Any], other: list[Any]) -> str:
    if len(one) != len(other):
        return f"{len(one)} names, and {len(other)}"
    place = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    return f"{one[place]!r} beside {other[place]!r}, at {place}"
