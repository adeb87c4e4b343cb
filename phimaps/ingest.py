"""Reading what users pass as X: arrays, data frames, sparse matrices, images, tensors.

scikit-learn's own validation decides what is acceptable; what it refuses is said again in our four
lines, with the row and the column.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
import scipy.sparse
import torch
from sklearn.utils.validation import (
    _check_feature_names,
    check_array,
    check_non_negative,
    validate_data,
)

from .errors import InputError, InputTypeError, PhimapsError, ShapeError

__all__ = ["Rows", "read"]

FLOATS = [np.float64, np.float32]


@final
@dataclass(frozen=True)
class Rows:
    """Validated data.

    Parameters
    ----------
    data : Tensor, ndarray or scipy.sparse.csr_array
        The rows, with the items' shape restored.
    names : tuple of str
        Of the flattened coordinates.
    source : object
        What was passed, to keep results from sharing its memory.
    """

    data: Any
    names: tuple[str, ...]
    source: Any


def read(owner: Any, X: Any, reset: bool) -> Rows:
    """Validate X for `owner`, an `Estimator`.

    Parameters
    ----------
    owner : Estimator
        Its tags say what is allowed; ``n_features_in_``, ``feature_names_in_`` and ``in_shape_``
        are set (`reset`) or compared.
    X : object
        What the user passed.
    reset : bool
        Whether this is a fit.

    Returns
    -------
    Rows
    """
    if isinstance(X, torch.Tensor):
        return _read_tensor(owner, X, reset)
    try:
        item_shape = None if _is_frame(X) or scipy.sparse.issparse(X) else _item_shape(X)
        if item_shape is not None:
            X_flat = _flatten(owner, X, item_shape, reset)
            data = validate_data(owner, X_flat, reset=reset, dtype=FLOATS)
        elif _is_frame(X):
            data = _read_frame(owner, X, reset)
        else:
            data = validate_data(
                owner,
                X,
                reset=reset,
                dtype=FLOATS,
                accept_sparse=["csr", "csc", "coo"] if owner.sparse else False,
                accept_large_sparse=False,
            )
        if owner.positive:
            check_non_negative(data, f"{type(owner).__name__}")
    except PhimapsError:
        raise
    except (ValueError, TypeError) as error:
        raise _explain(owner, X, error) from error
    if scipy.sparse.issparse(data):
        data = data.tocsr()
    if reset:
        if item_shape is not None:
            owner.in_shape_ = item_shape
        else:
            vars(owner).pop("in_shape_", None)
    shape = item_shape or vars(owner).get("in_shape_")
    if shape is not None and isinstance(data, np.ndarray):
        data = data.reshape(len(data), *shape)
    return Rows(data, _names(owner, prod(data.shape[1:])), X)


def _names(owner: Any, count: int) -> tuple[str, ...]:
    known = getattr(owner, "feature_names_in_", None)
    return tuple(known) if known is not None else tuple(f"x{i}" for i in range(count))


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and hasattr(X, "__len__") and hasattr(X, "shape")


def _item_shape(X: Any) -> tuple[int, ...] | None:
    if not isinstance(X, np.ndarray | list | tuple) and not hasattr(X, "__array__"):
        return None
    shape = np.shape(X) if not isinstance(X, list | tuple) else _list_shape(X)
    return tuple(shape[1:]) if len(shape) > 2 else None


def _list_shape(X: Any) -> tuple[int, ...]:
    try:
        return np.shape(X)
    except ValueError:
        return ()


def _flatten(owner: Any, X: Any, item_shape: tuple[int, ...], reset: bool) -> np.ndarray:
    array = np.asarray(X)
    fitted = vars(owner).get("in_shape_")
    if not reset and fitted is not None and fitted != item_shape:
        raise ShapeError(
            f"X has items of shape {item_shape}, but {type(owner).__name__} was fitted on items "
            f"of shape {fitted}.",
            got=f"{array.dtype}[{', '.join(map(str, array.shape))}]",
            need=f"shape (n, {', '.join(map(str, fitted))})",
            do=_layout_hint(item_shape, fitted),
        )
    return array.reshape(len(array), -1) if len(array) else array.reshape(0, prod(item_shape))


def _layout_hint(item: tuple[int, ...], fitted: tuple[int, ...]) -> str:
    if len(item) == 3 and (item[2], item[0], item[1]) == fitted:
        return "X.transpose(0, 3, 1, 2): channels come first"
    if item == fitted[::-1]:
        return "transpose the items"
    return "give the images the size that the map was fitted on"


def _read_frame(owner: Any, X: Any, reset: bool) -> np.ndarray:
    """Only the columns that the map looks at are converted; the others may hold anything."""
    columns = [c for c in X.columns]
    reads = owner.reads(columns) if all(isinstance(c, str) for c in columns) else None
    if reads is None or reads >= set(columns):
        return validate_data(owner, X, reset=reset, dtype=FLOATS)
    validate_data(owner, X, reset=reset, skip_check_array=True)
    _check_feature_names(owner, X, reset=reset)
    wanted = [c for c in columns if c in reads]
    read_part = check_array(X[wanted], dtype=FLOATS, input_name="X", estimator=owner)
    data = np.zeros((len(read_part), len(columns)), dtype=read_part.dtype)
    data[:, [columns.index(c) for c in wanted]] = read_part
    return data


def _read_tensor(owner: Any, X: torch.Tensor, reset: bool) -> Rows:
    if X.is_complex() or X.ndim < 2 or not X.numel():
        raise InputError(
            "X must be a non-empty tensor of real rows.",
            got=f"{str(X.dtype).removeprefix('torch.')}{list(X.shape)}",
            need="real numbers of shape (n, d) or (n, *shape), n >= 1",
            do="X.reshape(n, -1), or X.real",
        )
    data = X if X.dtype in (torch.float32, torch.float64) else X.to(torch.float64)
    if reset and not bool(torch.isfinite(data).all()):
        raise _not_finite(owner, data.detach().cpu().numpy())
    width = prod(data.shape[1:])
    expected = getattr(owner, "n_features_in_", None)
    if reset:
        vars(owner).pop("feature_names_in_", None)
        owner.n_features_in_ = width
        vars(owner).pop("in_shape_", None)
        if data.ndim > 2:
            owner.in_shape_ = tuple(data.shape[1:])
    elif expected is not None and expected != width:
        raise _explain(
            owner,
            X,
            ValueError(
                f"X has {width} features, but {type(owner).__name__} is expecting {expected} "
                "features as input"
            ),
        )
    return Rows(data, _names(owner, width), None)


# --- the four lines ---------------------------------------------------------------------------
def _describe(X: Any) -> str:
    if isinstance(X, torch.Tensor):
        return f"{str(X.dtype).removeprefix('torch.')}{list(X.shape)}"
    shape = getattr(X, "shape", None)
    if scipy.sparse.issparse(X):
        return f"{type(X).__name__} {X.dtype}{list(shape)}"
    if isinstance(X, np.ndarray):
        return f"{X.dtype}{list(X.shape)}"
    if shape is not None:
        return f"{type(X).__name__}{list(shape)}"
    return f"{type(X).__name__} {str(X)[:60]}"


def _explain(owner: Any, X: Any, error: Exception) -> PhimapsError:
    text = str(error).strip()
    first = text.splitlines()[0] if text else type(error).__name__
    name = type(owner).__name__
    got = _describe(X)
    if "NaN" in first or "infinity" in first:
        try:
            return _not_finite(owner, np.asarray(X, dtype=np.float64), first, columns=X)
        except (TypeError, ValueError):
            return InputError(first, got=got, need="finite numbers", do="impute or drop the rows")
    if "feature names should match" in text:
        return _wrong_columns(owner, X, text)
    if "features, but" in first:
        need = f"{getattr(owner, 'n_features_in_', '?')} features, as in fit"
        return InputError(
            first, got=got, need=need, do="pass the columns that the map was fitted on"
        )
    if "Negative values" in first:
        return InputError(
            first, got=got, need=f"numbers >= 0 for {name}", do="shift or clip the data first"
        )
    if scipy.sparse.issparse(X) or "parse" in first:
        return InputTypeError(
            first.replace("Sparse data was passed", "Sparse data was passed,", 1)
            if "passed," not in first
            else first,
            got=got,
            need=f"dense rows: {name} would fill the zeros in",
            do="X.toarray(), if it fits in memory",
        )
    if "Complex" in first:
        return InputError(
            first, got=got, need="real numbers", do="X.real, or stack X.real and X.imag"
        )
    if "minimum of" in first:
        return InputError(
            first,
            got=got,
            need="at least one row and one column",
            do="pass data that are not empty",
        )
    if "Reshape your data" in text or "Expected 2D" in text:
        return InputError(
            first + " Reshape your data.",
            got=got,
            need="rows: shape (n, d) or (n, *shape)",
            do="X.reshape(-1, 1) for one feature, X.reshape(1, -1) for one sample",
        )
    kind = InputTypeError if isinstance(error, TypeError) else InputError
    return kind(
        first, got=got, need="numbers of shape (n, d)", do="convert the data to numbers first"
    )


def _not_finite(owner: Any, array: np.ndarray, first: str = "", columns: Any = None) -> InputError:
    bad = np.argwhere(~np.isfinite(array))
    row, rest = int(bad[0][0]), tuple(int(i) for i in bad[0][1:])
    where = f"column {rest[0]}" if len(rest) == 1 else f"position {rest}"
    if hasattr(columns, "columns") and len(rest) == 1:
        where = f"column {columns.columns[rest[0]]!r}"
    value = array[tuple(bad[0])]
    return InputError(
        first or f"Input X contains {'NaN' if np.isnan(value) else 'infinity'}.",
        got=f"{value} at row {row}, {where}, and {len(bad) - 1} more like it",
        need="finite numbers",
        do="drop these rows, or impute them first (sklearn.impute.SimpleImputer)",
    )


def _wrong_columns(owner: Any, X: Any, text: str) -> InputError:
    expected = list(getattr(owner, "feature_names_in_", []))
    got = list(X.columns)
    hint = "X[" + brief_names(expected) + "]"
    missing = [c for c in expected if c not in got]
    if missing:
        near = difflib.get_close_matches(missing[0], got, n=1)
        hint = f"column {missing[0]!r} is missing" + (f"; is it {near[0]!r}?" if near else "")
    return InputError(
        " ".join(text.split()),
        got=f"columns {brief_names(got)}",
        need=f"columns {brief_names(expected)}",
        do=hint,
    )


def brief_names(names: list[Any]) -> str:
    """A list of names, shortened in the middle."""
    shown = names if len(names) <= 8 else [*names[:4], "...", *names[-2:]]
    return "[" + ", ".join("..." if n == "..." else repr(n) for n in shown) + "]"
