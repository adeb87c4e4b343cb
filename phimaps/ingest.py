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

from .errors import InputError, InputTypeError, PhimapsError, ShapeError, show

__all__ = ["Rows", "brief_names", "read"]

FLOATS = [np.float64, np.float32]


@final
@dataclass(frozen=True)
class Rows:
    """Validated data.

    Parameters
    ----------
    data : Tensor, ndarray or scipy.sparse.csr_array
        The rows, with the items' shape restored.
    known : tuple of str or None
        Names of the flattened coordinates, where the data had some.
    """

    data: Any
    known: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each flattened coordinate."""
        # Made when they are asked for: there are 150,528 in an image of 3 x 224 x 224.
        if self.known is not None:
            return self.known
        return tuple(f"x{i}" for i in range(prod(self.data.shape[1:])))


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
    item_shape = None
    if not _is_frame(X) and not scipy.sparse.issparse(X):
        item_shape = _item_shape(X)
    if not reset:
        _compare_items(owner, X, item_shape)
    data = _validated(owner, X, item_shape, reset)
    if scipy.sparse.issparse(data):
        data = data.tocsr()
    if reset and item_shape is not None:
        owner.in_shape_ = item_shape
    shape = item_shape or vars(owner).get("in_shape_")
    if shape is not None and isinstance(data, np.ndarray):
        data = data.reshape(len(data), *shape)
    return Rows(data, _names(owner))


def _validated(owner: Any, X: Any, item_shape: tuple[int, ...] | None, reset: bool) -> Any:
    try:
        if _is_frame(X):
            data = _read_frame(owner, X, reset)
        else:
            rows = X
            if item_shape is not None:
                array = np.asarray(X)
                rows = array.reshape(len(array), prod(item_shape))
            data = validate_data(
                owner,
                rows,
                reset=reset,
                dtype=_dtypes(owner),
                accept_sparse=["csr", "csc", "coo"] if owner.sparse else False,
                accept_large_sparse=False,
            )
        if owner.positive:
            check_non_negative(data, f"{type(owner).__name__}")
    except PhimapsError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise _explain(owner, X, error) from error
    return data


def _dtypes(owner: Any) -> list[Any]:
    # What is of none of these becomes the first of them.
    return [*FLOATS, np.uint8] if owner.bytes else FLOATS


def _names(owner: Any) -> tuple[str, ...] | None:
    known = getattr(owner, "feature_names_in_", None)
    return None if known is None else tuple(known)


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and hasattr(X, "__len__") and hasattr(X, "shape")


def _item_shape(X: Any) -> tuple[int, ...] | None:
    """The shape of an item, where it is not a vector."""
    shape = getattr(X, "shape", ())
    if isinstance(X, list | tuple):
        try:
            shape = np.shape(X)
        except ValueError:
            return None
    return tuple(shape[1:]) if isinstance(shape, tuple) and len(shape) > 2 else None


def _compare_items(owner: Any, X: Any, item: tuple[int, ...] | None) -> None:
    """Raise ShapeError where images are not laid out as in fit; flattened ones are taken too."""
    fitted = vars(owner).get("in_shape_")
    if item is None or item == fitted or not hasattr(owner, "n_features_in_"):
        return
    seen = fitted or (owner.n_features_in_,)
    raise ShapeError(
        f"X has items of shape {item}, but {type(owner).__name__} was fitted on items of shape "
        f"{seen}.",
        got=show(X),
        need=f"shape (n, {', '.join(map(str, seen))})",
        do=_layout_hint(item, seen),
    )


def _layout_hint(item: tuple[int, ...], fitted: tuple[int, ...]) -> str:
    if len(item) == 3 and (item[2], item[0], item[1]) == fitted:
        return "X.transpose(0, 3, 1, 2): channels come first"
    if len(fitted) == 1 and prod(item) == fitted[0]:
        return "X.reshape(len(X), -1)"
    if item == fitted[::-1]:
        return "transpose the items"
    return "give the items the shape that the map was fitted on"


def _read_frame(owner: Any, X: Any, reset: bool) -> np.ndarray:
    """Only the columns that the map looks at are converted; the others may hold anything."""
    columns = list(X.columns)
    reads = owner.reads(columns) if all(isinstance(c, str) for c in columns) else None
    if reads is None or reads >= set(columns):
        return validate_data(owner, X, reset=reset, dtype=FLOATS)
    _check_feature_names(owner, X, reset=reset)
    validate_data(owner, X, reset=reset, skip_check_array=True)
    wanted = [c for c in columns if c in reads]
    # Where nothing is read, the number of rows is still checked.
    part: np.ndarray = np.zeros((len(X), 1))
    try:
        part = check_array(
            X[wanted] if wanted else part, dtype=FLOATS, input_name="X", estimator=owner
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise _explain(owner, X[wanted], error) from error
    data = np.zeros((len(X), len(columns)), dtype=part.dtype)
    if wanted:
        data[:, [columns.index(c) for c in wanted]] = part
    return data


def _read_tensor(owner: Any, X: torch.Tensor, reset: bool) -> Rows:
    if X.is_complex():
        raise _explain(owner, X, ValueError("Complex data not supported"))
    if X.ndim < 2:
        raise _explain(owner, X, ValueError(f"Expected rows, got a {X.ndim}-D tensor."), "Reshape")
    if not X.numel():
        raise _explain(owner, X, ValueError(f"Found a tensor of shape {tuple(X.shape)}"), "minimum")
    kept = (torch.float32, torch.float64, *((torch.uint8,) if owner.bytes else ()))
    data = X if X.dtype in kept else X.to(torch.float64)
    item, width = tuple(data.shape[1:]), prod(data.shape[1:])
    if not reset:
        _compare_items(owner, X, item if len(item) > 1 else None)
    expected = getattr(owner, "n_features_in_", width)
    if not reset and expected != width:
        text = f"X has {width} features, but {type(owner).__name__} is expecting {expected}"
        raise _explain(owner, X, ValueError(f"{text} features as input."))
    with torch.no_grad():
        if data.is_floating_point() and not bool(torch.isfinite(data).all()):
            raise _not_finite(data.cpu().numpy())
        if owner.positive and bool((data < 0).any()):
            text = f"Negative values in data passed to {type(owner).__name__}."
            raise _explain(owner, X, ValueError(text))
    if reset:
        owner.n_features_in_ = width
        if len(item) > 1:
            owner.in_shape_ = item
    shape = vars(owner).get("in_shape_")
    return Rows(data if shape is None else data.reshape(-1, *shape), _names(owner))


# --- the four lines ---------------------------------------------------------------------------
def _explain(owner: Any, X: Any, error: Exception, kind: str = "") -> PhimapsError:
    text = str(error).strip()
    first = text.splitlines()[0] if text else type(error).__name__
    # scikit-learn prints what it was given; an array may be long.
    first = first if len(first) <= 200 else first[:160] + " ..."
    name, got = type(owner).__name__, show(X)
    if "NaN" in first or "infinity" in first:
        return _located(X, first)
    if "feature names should match" in text:
        return _wrong_columns(owner, X, text)
    if "features, but" in first:
        return InputError(
            first,
            got=got,
            need=f"{getattr(owner, 'n_features_in_', '?')} features, as in fit",
            do="pass the columns that the map was fitted on",
        )
    if "Negative values" in first:
        return InputError(
            first,
            got=_first_negative(X),
            need=f"numbers >= 0 for {name}",
            do="shift or clip the data first",
        )
    if scipy.sparse.issparse(X):
        return InputTypeError(
            first,
            got=got,
            need=f"dense rows: {name} would fill the zeros in",
            do="X.toarray(), if it fits in memory",
        )
    if "Complex" in first:
        return InputError(
            first, got=got, need="real numbers", do="X.real, or stack X.real and X.imag"
        )
    if "minimum of" in first or kind == "minimum":
        return InputError(
            first,
            got=got,
            need="at least one row and one column",
            do="pass data that are not empty",
        )
    if "Reshape your data" in text or "Expected 2D" in text or kind == "Reshape":
        return InputError(
            f"{first.rstrip('.:')}. Reshape your data.",
            got=got,
            need="rows: shape (n, d) or (n, *shape)",
            do="X.reshape(-1, 1) for one feature, X.reshape(1, -1) for one sample",
        )
    raised = InputTypeError if isinstance(error, TypeError) else InputError
    column = _not_a_number(X)
    return raised(
        first,
        got=got if column is None else f"{got} with {column}",
        need="numbers of shape (n, d), rows of one length",
        do="pm.Select(names) @ ..., or encode such columns first (sklearn.preprocessing)"
        if hasattr(X, "columns")
        else "convert the data to numbers first",
    )


def _not_a_number(X: Any) -> str | None:
    """Where a table holds something that is not a number."""
    if not hasattr(X, "columns"):
        return None
    for name in X.columns:
        for row, value in enumerate(list(X[name])):
            try:
                float(value)
            except (TypeError, ValueError):
                return f"{show(value)} in row {row}, column {name!r}"
    return None


def _as_floats(X: Any) -> np.ndarray:
    if isinstance(X, torch.Tensor):
        return X.detach().cpu().numpy()
    if scipy.sparse.issparse(X):
        # The zeros are never at fault, so only the stored entries are looked at.
        return X.tocoo().data
    return np.asarray(X, dtype=np.float64)


def _first_negative(X: Any) -> str:
    array = _as_floats(X)
    place = tuple(int(i) for i in np.argwhere(array < 0)[0])
    return f"{array[place]:g}, {_where(X, place)}"


def _where(X: Any, place: tuple[int, ...]) -> str:
    if scipy.sparse.issparse(X):
        stored = X.tocoo()
        place = (int(stored.row[place[0]]), int(stored.col[place[0]]))
    row, rest = place[0], place[1:]
    if hasattr(X, "columns"):
        return f"row {row}, column {X.columns[rest[0]]!r}"
    return f"row {row}, {f'column {rest[0]}' if len(rest) == 1 else f'position {rest}'}"


def _located(X: Any, first: str) -> InputError:
    try:
        return _not_finite(_as_floats(X), first, X)
    except (TypeError, ValueError, IndexError):
        return InputError(first, got=show(X), need="finite numbers", do="impute or drop the rows")


def _not_finite(array: np.ndarray, first: str = "", source: Any = None) -> InputError:
    bad = np.argwhere(~np.isfinite(array))
    place = tuple(int(i) for i in bad[0])
    value = array[place]
    more = f", and {len(bad) - 1} more like it" if len(bad) > 1 else ""
    return InputError(
        first or f"Input X contains {'NaN' if np.isnan(value) else 'infinity'}.",
        got=f"{value} in {_where(source, place)}{more}",
        need="finite numbers",
        do="drop these rows, or impute them first (sklearn.impute.SimpleImputer)",
    )


def _wrong_columns(owner: Any, X: Any, text: str) -> InputError:
    expected = list(getattr(owner, "feature_names_in_", []))
    got = list(X.columns)
    hint = "X[" + brief_names(expected) + "]"
    missing = [c for c in expected if c not in got]
    if missing:
        near = difflib.get_close_matches(missing[0], map(str, got), n=1)
        hint = f"column {missing[0]!r} is missing" + (f"; is it {near[0]!r}?" if near else "")
    # scikit-learn's checks want its own lines.
    return InputError(
        text,
        got=f"columns {brief_names(got)}",
        need=f"columns {brief_names(expected)}",
        do=hint,
    )


def brief_names(names: list[Any]) -> str:
    """A list of names, shortened in the middle."""
    shown = names if len(names) <= 8 else [*names[:4], "...", *names[-2:]]
    return "[" + ", ".join("..." if n == "..." else repr(n) for n in shown) + "]"
