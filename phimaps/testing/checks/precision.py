"""Laws of precision: dtypes that are kept, and digits that are really there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sklearn.utils import get_tags

from ...drawn import generator
from ..check import register_check
from ..refits import fitted, quietly
from ..subject import Instance
from ..tolerance import tolerance
from ..trial import Trial

__all__ = ["check_dtype", "check_precision", "check_real_precision", "in_double"]

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
# The last place of float32, and how many of the largest feature of a row each may be off.
SMALL, NORMWISE = float(np.finfo(np.float32).eps), 8.0
# Below this, float32 has fewer digits the smaller the number, and intermediate results vanish.
TINY = 1e-30
# A result of float32 that is off by a hundredth of the size of its feature, and by more than this
# many times what the last places of the input explain, has lost its digits on the way.
LOST, UNEXPLAINED = 1e-2, 64.0
# Steps 2^-k of the lines on which cells of a coarser precision show; the last is finer than all.
LADDER = (8, 12, 16, 20, 24, 40)
# What rounding to float32 does to features, relative to their size.
PLATEAU = (1e-9, 1e-5)


# --- dtypes ------------------------------------------------------------------------------------
@register_check(needs=("space",), once=True)
def check_dtype(trial: Trial) -> None:
    """Features have the precision of the rows: none is lost, and float32 stays where it is meant.

    What is evaluated on tensors, and maps of this library, keep float32 and float64; integers and
    lists give float64. Of a transformer scikit-learn's tag ``preserves_dtype`` says which dtypes it
    keeps: float64 by default. Integers and truth values are exact, and pass.
    """
    instance, X = trial.fresh(), trial.rows(6, 6)
    kept = _kept(trial)
    for dtype in (DOUBLE, SINGLE):
        judge = _of_precision(trial, dtype)
        if judge is None:
            continue
        try:
            result = quietly(judge, X.astype(dtype))
        except Exception as error:
            if dtype != trial.subject.dtype:
                # What is refused is not computed in the wrong precision.
                continue
            trial.fail(
                f"Rows of {dtype.name} are refused.",
                got=f"{type(error).__name__}: {error}",
                need="features in the precision of the rows",
                do="make weights parameters or buffers of the module, and layers its attributes "
                "or an nn.ModuleList: then .double() reaches them",
            )
        _judge(trial, result, dtype, dtype.name in kept)
    if trial.subject.kind == "map":
        whole = np.rint(X)
        inside = trial.domain.contains(whole)
        if inside.any():
            result = instance(whole[inside].astype(np.int64))
            _judge(trial, result, DOUBLE, True, "int64")


def _judge(trial: Trial, result: Any, dtype: np.dtype, kept: bool, given: str = "") -> None:
    given = given or dtype.name
    for found in _dtypes(result):
        lost = found.kind == "f" and found.itemsize < dtype.itemsize
        other = kept and found.kind == "f" and found != dtype
        if found.kind in "iub" or (found.kind == "f" and not lost and not other):
            continue
        if found.kind != "f":
            trial.fail(
                f"Rows of {given} have features of dtype {found.name}.",
                got=f"dtype {found.name}",
                need="numbers: " + dtype.name,
                do="np.asarray(features, dtype=X.dtype)",
            )
        trial.fail(
            f"Rows of {given} have features of {found.name}.",
            got=f"dtype {found.name}",
            need=f"{dtype.name}: "
            + ("digits are lost" if lost else "twice the memory, and later steps in float64"),
            do="compute in the dtype of the rows: weights.astype(X.dtype), or weights.to(x)",
        )


def _dtypes(result: Any) -> list[np.dtype]:
    if hasattr(result, "dtypes") and not hasattr(result, "dtype"):
        return [np.dtype(d) for d in result.dtypes if isinstance(d, np.dtype)]
    return [np.dtype(result.dtype)] if hasattr(result, "dtype") else []


def _kept(trial: Trial) -> tuple[str, ...]:
    """The dtypes that the features must have where the rows have them."""
    subject = trial.subject
    if subject.kind == "map" or subject.has("tensors"):
        return ("float64", "float32")
    if subject.kind == "transformer":
        try:
            return tuple(get_tags(subject.obj).transformer_tags.preserves_dtype)
        except Exception:
            # What is no BaseEstimator has no tags.
            return ("float64",)
    return ("float64",)


def _of_precision(trial: Trial, dtype: np.dtype) -> Instance | None:
    """A copy that may be asked for features of rows of a dtype, None where there is none."""
    subject = trial.subject
    if subject.kind == "module":
        if any(True for _ in subject.obj.parameters()):
            # The kit gives a module rows of its own precision.
            return (
                in_double(trial)
                if dtype == DOUBLE
                else trial.fresh()
                if _is_single(trial)
                else None
            )
        return trial.fresh()
    if subject.kind == "transformer" and dtype == SINGLE:
        # What it learned in float64 keeps its digits; the tag is about rows like those of the fit.
        data = trial.fit_data
        if subject.fitted or not isinstance(data, np.ndarray) or data.dtype.kind != "f":
            return None
        try:
            return fitted(trial, data.astype(SINGLE))
        except Exception:
            # To refuse float32 is an answer.
            return None
    return trial.fresh()


# --- float32 beside float64 ----------------------------------------------------------------------
@register_check(needs=("space",))
def check_precision(trial: Trial) -> None:
    """float32 features are those of float64 arithmetic on the same numbers, up to rounding.

    Allowed is what moving the input by its last places does, what the computation's noise does,
    16 ulp of the feature, 8 of the largest one of the row, and 8 of its usual size. Of the noise,
    float32 may lose what the conditioning does not explain only as long as two digits are left.
    """
    instance = trial.fresh()
    exact = in_double(trial) if _is_single(trial) else instance
    if exact is None:
        trial.skip("it cannot be turned to float64")
        return
    X = trial.rows().astype(SINGLE)
    inside = trial.domain.contains(X.astype(DOUBLE)) & (np.abs(X) < 1e38).reshape(len(X), -1).all(1)
    X = X[inside]
    if not len(X):
        return
    low, true = _tried(instance, X), _tried(exact, X.astype(DOUBLE))
    if low is None or true is None:
        # To refuse float32 is an answer; what it refuses in float64, other checks tell.
        return
    again = _tried(exact, X.astype(DOUBLE))
    if again is None or not np.array_equal(again, true, equal_nan=True):
        # Two calls differ already, which check_deterministic tells.
        return
    with np.errstate(all="ignore"):
        if low.shape != true.shape:
            trial.fail(
                "float32 rows have another number of features than float64 rows.",
                got=f"shape {low.shape} beside {true.shape}",
                need="the same features",
                do="decide in fit how many there are, never by dtype",
            )
        known = np.isfinite(true) & (np.abs(true) < 1e37)
        # What is right relative to its norm (exponentials of matrices, say), or to its usual size
        # (the tail of a GELU), errs smoothly.
        usual_rows = trial.subject.rows(16).astype(DOUBLE)
        usual = _tried(exact, usual_rows)
        size = np.where(known, np.abs(true), 0.0).max(axis=0, initial=0.0)
        if usual is not None and usual.shape[1:] == size.shape:
            size = np.fmax(size, np.abs(usual).max(axis=0))
        norm = np.where(known, np.abs(true), 0.0).max(axis=1, initial=0.0)[:, None]
        columns = np.abs(usual_rows).max(axis=0)
        allowed = tolerance(instance.features, X, SINGLE, scale=columns)
        allowed += TINY + NORMWISE * SMALL * np.maximum(norm, size)
        off = np.where(known, np.abs(low - true), 0.0)
        lost = known & ~np.isfinite(low)
        wrong = lost | (off > allowed)
        if not wrong.any() and (off > LOST * size + TINY).any():
            # The noise may be all that is left of a feature, of the size that it usually has.
            wrong = off > LOST * size + UNEXPLAINED * _explained(exact, X) + TINY
    if not wrong.any():
        return
    row, column = np.unravel_index(int(np.argmax(np.where(wrong, off, 0.0) + lost)), off.shape)
    vanished = lost[row, column]
    trial.fail(
        "In float32 a feature is not what float64 gives for the same row.",
        got=f"row {row}, feature {column}: {low[row, column]:.9g} beside {true[row, column]:.9g}",
        need="finite features where float64 has them"
        if vanished
        else f"a difference of at most {allowed[row, column]:.3g}, which rounding explains"
        if off[row, column] > allowed[row, column]
        else "features that keep at least two digits in float32",
        do="let no intermediate result overflow: scale first, subtract the largest exponent"
        if vanished
        else "compute in one precision throughout, and avoid differences of nearly equal numbers: "
        "2 sin(x / 2)² for 1 - cos(x), two passes for a variance",
    )


def _explained(exact: Instance, X: np.ndarray) -> np.ndarray:
    """How far float64 features move when the input moves by a unit of float32's last place."""
    eps = SMALL
    base = exact.features(X.astype(DOUBLE))
    spread = np.abs(base) * eps
    for k in range(8):
        signs = generator((31, k)).choice([-1.0, 1.0], X.shape)
        try:
            moved = quietly(exact.features, X.astype(DOUBLE) * (1 + eps * signs))
        except Exception:
            # Off its domain: nothing is known.
            return np.full_like(base, np.inf)
        spread = np.fmax(spread, np.abs(moved - base))
    return spread


# --- digits that are there -----------------------------------------------------------------------
@register_check(needs=("space",), once=True)
def check_real_precision(trial: Trial) -> None:
    """Features are computed in the precision in which they come: no lower one hides inside.

    A lower precision shows in cells: within one, nothing moves. Three signs of it are looked for,
    none of which a map with kinks or steps gives: rounding the input to the lower precision changes
    no feature, though a step of its last places changes most; every feature is a number of the
    lower precision, and most of them move; the fourth differences of the features on short lines
    are the same over steps of very different lengths, and gone for the shortest.
    """
    dtype = trial.subject.dtype
    instance = trial.fresh()
    # Points inside: on edges and whole numbers, steps that a map makes on purpose may lie.
    X = trial.subject.rows(32, trial.seed)
    X = X[~_at_zero(X)]
    if len(X) < 8:
        trial.skip("too few of its rows have neighbours")
    if dtype not in _dtypes(quietly(instance, X.copy())):
        trial.skip(f"its features are not of {dtype.name}, see check_dtype")
    if dtype == DOUBLE and trial.subject.kind == "transformer" and _holds_single(instance.obj):
        trial.skip("it holds a network of float32, which computes in float32")
    base, again = _tried(instance, X), _tried(instance, X)
    if base is None or again is None or not np.array_equal(base, again, equal_nan=True):
        trial.skip("two calls differ already, see check_deterministic")
        return
    for lower, name, eps in _lower(dtype):
        rounded = lower(X.astype(DOUBLE))
        signs = _signs(trial, X.shape)
        near = _tried(instance, rounded.astype(dtype))
        # Two steps in the lower precision, and many.
        one, many = (
            _tried(instance, lower(rounded * (1 + k * eps * signs)).astype(dtype)) for k in (2, 64)
        )
        found = [v for v in (near, one, many) if v is not None and v.shape == base.shape]
        if len(found) < 3 or (rounded == X).all() or not np.isfinite(rounded).all():
            continue
        finite = np.isfinite(np.stack([base, *found])).all(axis=0)
        moves = (found[2] != base) & finite
        # Cells that the map makes on purpose are not just as large as these.
        if moves.mean() < 0.3 or ((found[1] != found[0]) & moves).sum() < 0.6 * moves.sum():
            continue
        same = bool((found[0] == base)[finite].all())
        if same or bool((lower(base) == base)[moves].all()):
            trial.fail(
                f"Features of {dtype.name} have only the digits of {name}.",
                got=f"rounding the rows to {name} changes no feature at all"
                if same
                else f"every feature is a number of {name}",
                need=f"arithmetic in {dtype.name}, the dtype of the rows",
                do="look for float(), half(), astype(np.float32) and autocast on the way",
            )
    if dtype == DOUBLE:
        _plateau(trial, instance, X, base)


def _plateau(trial: Trial, instance: Instance, X: np.ndarray, base: np.ndarray) -> None:
    for k in range(3, 10):
        # Rounded on purpose, to decimals.
        if np.allclose(base * 10.0**k, np.rint(base * 10.0**k), rtol=0, atol=1e-4):
            return
    noise = []
    for k in LADDER:
        found = _fourth(trial, instance, X, 2.0**-k)
        if found is None:
            return
        noise.append(found)
    *coarse, finest = noise
    with np.errstate(all="ignore"):
        for longer, shorter in pairwise(coarse):
            flat = (shorter > PLATEAU[0]) & (longer < PLATEAU[1]) & (longer < 4 * shorter)
            flat &= (finest < shorter / 100) & (shorter < 4 * longer)
            if flat.any():
                column = int(np.argmax(flat))
                trial.fail(
                    "Features of float64 have only the digits of float32.",
                    got=f"feature {column} moves in steps of about {shorter[column]:.1g} of its "
                    "size where float64 has 2e-16",
                    need="arithmetic in float64, the dtype of the rows",
                    do="look for float(), astype(np.float32) and weights of float32 on the way; a "
                    "map that rounds its values to about 7 digits on purpose looks the same",
                )


def _fourth(trial: Trial, instance: Instance, X: np.ndarray, step: float) -> np.ndarray | None:
    """The median over the rows of the fourth differences, relative to the size of each feature."""
    unit = np.abs(X) * step * _signs(trial, X.shape)
    line = [_tried(instance, X + k * unit) for k in range(5)]
    values = [v for v in line if v is not None]
    if len(values) < len(line) or len({v.shape for v in values}) > 1:
        return None
    with np.errstate(all="ignore"):
        fourth = values[0] - 4 * values[1] + 6 * values[2] - 4 * values[3] + values[4]
        size = np.nanmax(np.abs(values[0]), axis=0) + 1e-300
        return np.nan_to_num(np.median(np.abs(fourth), axis=0) / size / 70**0.5)


def _lower(dtype: np.dtype) -> list[tuple[Callable[[np.ndarray], np.ndarray], str, float]]:
    """The lower precisions: the rounding to each, its name, the size of its last place."""

    def bfloat(values: np.ndarray) -> np.ndarray:
        return torch.from_numpy(np.ascontiguousarray(values)).bfloat16().double().numpy()

    def to(kind: Any) -> Callable[[np.ndarray], np.ndarray]:
        def rounded(values: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                return values.astype(kind).astype(DOUBLE)

        return rounded

    # A number of bfloat16 is one of float16 as well, as long as it is neither large nor small.
    found = [(bfloat, "bfloat16", 2.0**-7), (to(np.float16), "float16", 2.0**-10)]
    return found + ([(to(SINGLE), "float32", 2.0**-23)] if dtype == DOUBLE else [])


# --- what they share -----------------------------------------------------------------------------
def in_double(trial: Trial) -> Instance | None:
    """A fitted copy that computes in float64; None where there is none."""
    instance = trial.fresh()
    if trial.subject.kind != "module":
        return instance
    try:
        instance.obj = instance.obj.double()
        rows = trial.subject.rows(2)
        with torch.no_grad():
            instance.obj(torch.from_numpy(rows.astype(DOUBLE)))
    except Exception:
        return None
    return instance


def _holds_single(obj: Any) -> bool:
    """Whether a torch module of float32 is among the attributes of an estimator."""
    held = [v for v in vars(obj).values() if isinstance(v, torch.nn.Module)]
    return any(p.dtype == torch.float32 for module in held for p in module.parameters())


def _is_single(trial: Trial) -> bool:
    return trial.subject.kind == "module" and trial.subject.dtype == SINGLE


def _at_zero(X: np.ndarray) -> np.ndarray:
    """Rows that do not move by their last places: most entries are 0."""
    return (X == 0).reshape(len(X), -1).mean(axis=1) > 0.5


def _signs(trial: Trial, shape: tuple[int, ...]) -> np.ndarray:
    return generator((trial.seed, 17)).choice([-1.0, 1.0], shape)


def _tried(instance: Instance, X: np.ndarray) -> np.ndarray | None:
    try:
        return quietly(instance.features, X.copy())
    except Exception:
        # Off its domain.
        return None
