"""Laws of containers: the same numbers have the same features, however they lie in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..check import register_check
from ..refits import (
    Answered,
    apart,
    fit_tolerance,
    fitted,
    quietly,
    reproducible,
    rounding,
    same,
    seeded,
)
from ..subject import Instance
from ..trial import Trial

__all__ = ["check_fit_layout", "check_fit_transform", "check_layout"]

Allowed = Callable[[], np.ndarray]

# What people meet without looking for it must be read; for the others an error is an answer.
REFUSABLE = (TypeError, ValueError, RuntimeError, NotImplementedError)


@register_check(needs=("space",))
def check_layout(trial: Trial) -> None:
    """The same numbers have the same features in every memory layout and type that is read."""
    instance, X = trial.fresh(), trial.rows()
    expected = instance.features(X)
    allowed = cache(lambda: rounding(trial, instance, X))
    with _layouts(X) as made:
        for layout, array in made.items():
            before = array.tobytes()
            try:
                found = quietly(instance.features, array)
            except Exception as error:
                trial.fail(
                    f"{layout} is refused, though the same numbers are taken otherwise.",
                    got=f"{type(error).__name__}: {error}",
                    need="arrays as slices, transposition, pandas and joblib make them",
                    do="X = np.ascontiguousarray(X), with a copy where it is read-only, before it "
                    "goes to torch or compiled code",
                )
            same(
                trial,
                found,
                expected,
                allowed,
                what=f"{layout} is read wrong: the same numbers have other features.",
                do="index as usual; ravel(order='K'), .base, .data and frombuffer see memory, "
                "not the array",
            )
            if array.tobytes() != before:
                trial.fail(
                    f"{layout} is altered.",
                    got="other bytes after the call",
                    need="X is only read",
                    do="work on a copy: X = np.array(X)",
                )
    if trial.subject.has("tensors"):
        _tensors(trial, instance, X, expected, allowed)
    _other_types(trial, instance, X, expected, allowed)


@register_check(needs=("fit", "space"), once=True)
def check_fit_layout(trial: Trial) -> None:
    """A fit to the same numbers in another memory layout, or a list, gives the same map."""
    X, data = trial.rows(12, 12), trial.fit_data
    if hasattr(data, "iloc"):
        trial.skip("it is fitted to data frames")
    if not reproducible(trial, X):
        trial.skip("two fits to the same data differ already, see check_same_fit")
    plain = np.ascontiguousarray(data)
    once = fitted(trial, plain)
    expected = once.features(X)
    with _layouts(plain) as made:
        for layout, array in {**made, "A list of lists": plain.tolist()}.items():
            estimator = seeded(trial.unfitted())
            try:
                quietly(trial.fit, estimator, array)
            except Exception as error:
                if isinstance(array, list) and (isinstance(error, REFUSABLE) or _unread(estimator)):
                    continue
                trial.fail(
                    f"{layout} is refused by fit, though the same numbers are taken otherwise.",
                    got=f"{type(error).__name__}: {error}",
                    need="arrays as slices, transposition, pandas and joblib make them",
                    do="X = np.ascontiguousarray(X), with a copy where it is read-only, before it "
                    "goes to torch or compiled code",
                )
            found = Instance(trial.subject, estimator).features(X)
            if apart(found, expected, 0.0):
                same(
                    trial,
                    found,
                    expected,
                    lambda: fit_tolerance(trial, once, X),
                    what=f"{layout} is read wrong by fit: the same numbers give another map.",
                    do="index as usual; ravel(order='K'), .base, .data and frombuffer see memory, "
                    "not the array",
                )


@register_check(needs=("fit",), once=True)
def check_fit_transform(trial: Trial) -> None:
    """fit_transform gives what fit and then transform give."""
    estimator = seeded(trial.unfitted())
    if not hasattr(estimator, "fit_transform"):
        trial.skip("it has no fit_transform")
    data = trial.fit_data
    if not reproducible(trial, data):
        trial.skip("two fits to the same data differ already, see check_same_fit")
    given = data.copy() if hasattr(data, "copy") else data
    result = quietly(trial.fit, estimator, given, "fit_transform")
    found = Instance(trial.subject, Answered(result)).features(data)
    after = fitted(trial, data)
    told = {
        "do": "leave fit_transform to sklearn.base.TransformerMixin, or compute in it what "
        "transform computes",
    }
    _compared(trial, after, found, data, "fit_transform(X) is not fit(X).transform(X).", told)
    learned = Instance(trial.subject, estimator).features(data)
    _compared(
        trial,
        after,
        learned,
        data,
        "After fit_transform, transform gives other features than after fit.",
        told,
    )


def _compared(
    trial: Trial, after: Instance, found: np.ndarray, data: Any, what: str, told: dict[str, str]
) -> None:
    expected = after.features(data)
    if apart(found, expected, 0.0):
        trial.close(found, expected, fit_tolerance(trial, after, data), what=what, **told)


@contextmanager
def _layouts(X: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """The numbers of X as slices, transposes, files and frozen arrays."""
    wide = np.zeros((*X.shape[:-1], 2 * X.shape[-1]), dtype=X.dtype)
    wide[..., ::2] = X
    wide[..., 1::2] = 1e3
    tall = np.zeros((2 * len(X), *X.shape[1:]), dtype=X.dtype)
    tall[1::2] = X
    frozen = X.copy()
    frozen.setflags(write=False)
    with tempfile.TemporaryDirectory() as folder:
        mapped = np.memmap(Path(folder) / "X", dtype=X.dtype, mode="w+", shape=X.shape)
        mapped[:] = X
        mapped.flush()
        # Copy on write: to write to a file that is mapped for reading only ends the process.
        mapped = np.memmap(Path(folder) / "X", dtype=X.dtype, mode="c", shape=X.shape)
        mapped.setflags(write=False)
        yield {
            "An array in Fortran order": np.asfortranarray(X),
            "A slice of every other column": wide[..., ::2],
            "A slice of every other row": tall[1::2],
            "An array that is read backwards": np.ascontiguousarray(X[::-1])[::-1],
            "A read-only array": frozen,
            "An array mapped from a file": mapped,
        }
        del mapped


def _tensors(
    trial: Trial, instance: Instance, X: np.ndarray, expected: np.ndarray, allowed: Allowed
) -> None:
    """Tensors that are slices or transposes; to refuse those, as view() does, is fair."""
    x = torch.from_numpy(X.copy())
    wide = torch.zeros(*X.shape[:-1], 2 * X.shape[-1], dtype=x.dtype)
    wide[..., ::2] = x
    places = {
        "A transposed tensor": x.transpose(0, -1).contiguous().transpose(0, -1),
        "A slice of a tensor": wide[..., ::2],
    }
    for layout, tensor in places.items():
        try:
            with torch.no_grad():
                found = instance.tensor(tensor).detach().cpu().double().numpy()
        except Exception as error:
            if isinstance(error, REFUSABLE):
                continue
            raise
        same(
            trial,
            found.reshape(len(found), -1),
            expected,
            allowed,
            what=f"{layout} is read wrong: the same numbers have other features.",
            do="x = x.contiguous() before as_strided, data_ptr or a kernel that counts on it",
        )


def _other_types(
    trial: Trial, instance: Instance, X: np.ndarray, expected: np.ndarray, allowed: Allowed
) -> None:
    swapped = X.astype(X.dtype.newbyteorder(">"))
    _read_or_refused(trial, instance, "An array of big-endian numbers", swapped, expected, allowed)
    _bytes(trial, instance, X)
    if not trial.subject.has("estimator"):
        # To modules and functions a dtype is a choice; people hand estimators what they have.
        return
    _read_or_refused(trial, instance, "A list of lists", X.tolist(), expected, allowed)
    whole = np.rint(X)
    inside = _inside(trial, whole)
    if inside.any():
        whole = whole[inside]
        try:
            floats = instance.features(whole)
        except Exception:
            # Whole numbers may be out of its domain all the same.
            return

        def slack() -> np.ndarray:
            # What is computed in float32 for integers of 64 bits is no wrong number.
            single = _in_single(instance, whole, floats)
            return rounding(trial, instance, whole) + single

        integers = whole.astype(np.int64)
        _read_or_refused(trial, instance, "An array of integers", integers, floats, slack)


def _bytes(trial: Trial, instance: Instance, X: np.ndarray) -> None:
    """Pictures of bytes, where they are taken, are read as what the domain has: their 255ths."""
    low, high = trial.domain.bounds()
    if X.ndim != 4 or low.min() < 0 or high.max() > 1 or trial.subject.kind == "function":
        return
    picture = np.rint(X * 255).astype(np.uint8)
    try:
        result = quietly(instance, picture)
        found = quietly(instance.features, picture)
    except Exception:
        # To refuse bytes is an answer.
        return
    if getattr(result, "dtype", np.dtype(object)).kind != "f":
        # Bytes that are handed on have not been read.
        return
    readings = {"255ths": picture / 255.0, "numbers up to 255": picture.astype(np.float64)}
    alike: list[str] = []
    for name, reading in readings.items():
        reading = reading.astype(X.dtype)
        try:
            features = instance.features(reading)
        except Exception:
            # Numbers up to 255 may be refused, being out of the domain.
            continue
        slack = rounding(trial, instance, reading) + _in_single(instance, reading, features)
        if not apart(found, features, slack):
            alike.append(name)
    if "255ths" in alike or (alike and trial.subject.kind == "map"):
        # Maps of this library say that they take numbers as they are.
        return
    told = f"read as {alike[0]}" if alike else "read as neither their numbers nor their 255ths"
    trial.fail(
        f"Pictures of bytes are {told}, and the domain has pictures from 0 to 1.",
        got=f"features {found.ravel()[:3].tolist()} of a picture of bytes up to {picture.max()}",
        need="the features of the picture divided by 255, or an error",
        do="if X.dtype == np.uint8: X = X.astype(np.float32) / 255; sums and differences of bytes "
        "also wrap around at 256",
    )


def _read_or_refused(
    trial: Trial,
    instance: Instance,
    kind: str,
    given: Any,
    expected: np.ndarray,
    allowed: Allowed,
) -> None:
    try:
        found = quietly(instance.features, given)
    except Exception as error:
        if isinstance(error, REFUSABLE) or _unread(instance.obj):
            return
        trial.fail(
            f"{kind} is refused by accident.",
            got=f"{type(error).__name__}: {error}",
            need="features of the same numbers, or a TypeError or ValueError that says why",
            do="begin with X = sklearn.utils.validation.validate_data(self, X, reset=False), or "
            "X = np.asarray(X, dtype=float)",
        )
    same(
        trial,
        found,
        expected,
        allowed,
        what=f"{kind} has other features than the same numbers as floats.",
        do="convert before computing: X = np.asarray(X, dtype=float); np.empty_like(X) and X.dtype "
        "make results of whole numbers, cut",
    )


def _unread(obj: Any) -> bool:
    """Whether somewhere in it data go unread to a function of the user's."""
    if not hasattr(obj, "get_params"):
        return False
    params = obj.get_params()
    return any(k.rpartition("__")[2] == "validate" and v is False for k, v in params.items())


def _in_single(instance: Instance, X: np.ndarray, features: np.ndarray) -> np.ndarray:
    """How far float32 may be from these features: measured, 0 where it is refused."""
    try:
        single = instance.features(X.astype(np.float32))
    except Exception:
        return np.zeros_like(features)
    if single.shape != features.shape:
        return np.zeros_like(features)
    eps = float(np.finfo(np.float32).eps)
    return 8 * np.abs(single - features) + 16 * eps * np.abs(features)


def _inside(trial: Trial, points: np.ndarray) -> np.ndarray:
    try:
        return np.asarray(trial.domain.contains(points), dtype=bool)
    except Exception:
        return np.zeros(len(points), dtype=bool)
