"""The scikit-learn protocol, once for all maps.

``fit`` only remembers what ``bind`` returns, so the single piece of state is ``map_``; everything
else here is validation, chunking, names, tags and persistence.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, final

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils._param_validation import (
    InvalidParameterError,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _check_feature_names_in

from .errors import ParameterError, UnboundError
from .ingest import Rows, read
from .rows import apply, as_tensor, device_of

__all__ = ["Estimator", "Given"]


@final
@dataclass(frozen=True)
class Given:
    """What an open map is told beside the data that it is bound on.

    Parameters
    ----------
    names : tuple of str
        The names of the flattened coordinates.
    y : array-like or None
        The target.
    params : dict
        Further fit parameters (``sample_weight``, ...), already routed.
    """

    names: tuple[str, ...]
    y: Any = None
    params: dict[str, Any] = field(default_factory=dict)


class Estimator(TransformerMixin, BaseEstimator, ABC):
    """A scikit-learn transformer whose fit is the memo of a pure function; abstract."""

    # Arrays and NumPy scalars leave the operators to us.
    __array_ufunc__ = None
    __slots__ = ("_cache",)

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    # --- what map.py supplies ----------------------------------------------------------------
    @property
    @abstractmethod
    def closed(self) -> bool: ...

    @abstractmethod
    def forward(self, x: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def close(self, x: Any, given: Given) -> Any: ...

    @abstractmethod
    def names_out(
        self, names: Sequence[str], shape: tuple[int, ...], label: str
    ) -> Sequence[str]: ...

    # --- fit, bind, transform ----------------------------------------------------------------
    def fit(self, X: Any, y: Any = None) -> Self:
        """Bind the map to data and remember the result as ``map_``.

        Parameters
        ----------
        X : array, data frame, sparse matrix or tensor of shape (n, d) or (n, *shape)
            The data; finite.
        y : array-like, optional
            Ignored, except by maps that wrap a supervised transformer.

        Returns
        -------
        self

        Raises
        ------
        InputError, InputTypeError, ShapeError, ParameterError, DomainError
            Before any attribute is changed.
        """
        return self._fit(X, y, {})

    def _fit(self, X: Any, y: Any, params: dict[str, Any]) -> Self:
        before = dict(vars(self))
        try:
            rows = read(self, X, reset=True)
            closed = self.bound(rows.data, Given(rows.names, y, params))
            apply(closed, rows.data[:1])
            self.map_ = closed
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise
        return self

    def bound(self, x: Any, given: Given) -> Any:
        """The closed map on an already validated tensor; parameters are checked here."""
        self.check_parameters()
        if self.closed:
            return self
        return self.close(as_tensor(x) if isinstance(x, np.ndarray) else x, given)

    def bind(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Return the closed map that this one denotes on the data; nothing is changed.

        Parameters
        ----------
        X, y
            As in `fit`.
        **params
            Fit parameters such as ``sample_weight``.

        Returns
        -------
        FeatureMap
            A pure function: tensors in, tensors out.
        """
        return self._shallow_copy()._fit(X, y, params).map_

    def _fitted(self) -> Any:
        closed = vars(self).get("map_")
        if closed is None:
            if self.closed:
                return self
            raise UnboundError(
                f"This {type(self).__name__} instance is not fitted yet: it has no weights.",
                got=f"{self!r}",
                need="a map that is bound to data",
                do="phi.fit(X).transform(X), or phi.bind(X)(x)",
            )
        return closed

    def transform(self, X: Any) -> Any:
        """Evaluate the fitted map on the rows of X, in chunks.

        Parameters
        ----------
        X : array, data frame, sparse matrix or tensor of shape (n, d) or (n, *shape)

        Returns
        -------
        ndarray of shape (n, d_out)
            float32 for float32 input, else float64; or what ``set_output`` asked for.
        """
        closed = self._fitted()
        rows = read(self, X, reset=False)
        values = apply(closed, rows.data, device=device_of(closed)).flatten(1)
        return _own(values, rows)

    def __call__(self, x: Any) -> Any:
        """φ(x) with the items' shape kept: tensors in, tensors out with gradients; arrays alike.

        Parameters
        ----------
        x : tensor or array of shape (n, *shape)

        Returns
        -------
        tensor or ndarray of shape (n, *out_shape)
        """
        closed = vars(self).get("map_") or self._fitted()
        if type(x) is torch.Tensor and x.is_floating_point():
            return closed.forward(x)
        if isinstance(x, torch.Tensor):
            return closed.forward(read(closed, x, reset=False).data)
        rows = read(closed, x, reset=False)
        return _own(apply(closed, rows.data, device=device_of(closed)), rows)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name every coordinate of the output.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the input's (flattened) coordinates; default: those seen in `fit`.

        Returns
        -------
        ndarray of str objects
        """
        closed = self._fitted()
        names = _check_feature_names_in(self, input_features)
        shape = vars(self).get("in_shape_") or (len(names),)
        label = type(self).__name__.lower()
        return np.asarray(list(closed.names_out(list(names), shape, label)), dtype=object)

    # --- parameters --------------------------------------------------------------------------
    def check_parameters(self) -> None:
        """Raise ParameterError for a parameter of the wrong type or range."""
        try:
            validate_parameter_constraints(
                self._parameter_constraints, self.get_params(deep=False), type(self).__name__
            )
        except InvalidParameterError as error:
            text = str(error)
            name = text.split("'")[1]
            need = text.split(" must be ", 1)[-1].rsplit(". Got ", 1)[0]
            raise ParameterError(
                text,
                got=f"{name}={getattr(self, name)!r}",
                need=need,
                do=f"set_params({name}=...) with such a value",
            ) from None

    def _settable(self) -> dict[str, Any]:
        return self.get_params(deep=False)

    def _assign(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, nested ones as ``part__name``; a fit is dropped.

        Parts are replaced by changed copies, so an object that also stands in another expression
        keeps its own parameters.

        Parameters
        ----------
        **params
            New values.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            For a name that does not exist; nothing is changed then.
        """
        known, nested = self._settable(), {}
        for key in params:
            name, _, below = key.partition("__")
            valid = self.get_params(deep=True) if below else known
            if (key if below else name) not in valid:
                self._unknown_parameter(key, valid)
            if below:
                nested.setdefault(name, {})[below] = params[key]
        for name in params:
            if name in known:
                self._assign(name, params[name])
        for name, changes in nested.items():
            part = self._settable()[name]
            fresh = part._shallow_copy() if isinstance(part, Estimator) else clone(part)
            self._assign(name, fresh.set_params(**changes))
        return self

    def _unknown_parameter(self, key: str, valid: dict[str, Any]) -> None:
        near = difflib.get_close_matches(key, valid, n=1)
        raise ParameterError(
            f"Invalid parameter {key!r} for estimator {type(self).__name__}.",
            got=f"set_params({key}=...)",
            need=f"one of {', '.join(sorted(valid)) or 'no parameters'}",
            do=f"did you mean {near[0]!r}?" if near else "get_params() lists the names",
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.endswith("_") and not name.startswith("_"):
            vars(self).pop("map_", None)
            self._forget()
        object.__setattr__(self, name, value)

    def _forget(self) -> None:
        object.__setattr__(self, "_cache", {})

    def _shallow_copy(self) -> Self:
        twin = type(self).__new__(type(self))
        vars(twin).update({k: v for k, v in vars(self).items() if k != "map_"})
        twin._forget()
        return twin

    # --- tags, persistence -------------------------------------------------------------------
    @property
    def sparse(self) -> bool:
        """Whether sparse rows are accepted."""
        return False

    @property
    def positive(self) -> bool:
        """Whether only non-negative data are accepted."""
        return False

    @property
    def random(self) -> bool:
        """Whether two bindings to the same data may differ."""
        return False

    def reads(self, names: Sequence[str]) -> frozenset[str] | None:
        """The columns that the map looks at, or None for all of them."""
        return None

    def __sklearn_is_fitted__(self) -> bool:
        return "map_" in vars(self) or self.closed

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = self.sparse
        tags.input_tags.positive_only = self.positive
        tags.non_deterministic = self.random
        tags.requires_fit = not self.closed
        return tags

    def __getstate__(self) -> dict[str, Any]:
        # Tensors leave as arrays, so that a pickle loads on any device and safe formats take it.
        state = {k: v for k, v in vars(self).items() if v is not self}
        if vars(self).get("map_") is self:
            state["map_"] = "self"
        return {
            k: ("__tensor__", v.detach().cpu().numpy()) if isinstance(v, torch.Tensor) else v
            for k, v in state.items()
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._forget()
        for key, value in state.items():
            if isinstance(value, tuple) and len(value) == 2 and value[0] is not None:
                tagged = isinstance(value[0], str) and value[0] == "__tensor__"
                value = torch.from_numpy(np.array(value[1])) if tagged else value
            vars(self)[key] = value
        if vars(self).get("map_") == "self":
            self.map_ = self


def _own(values: torch.Tensor, rows: Rows) -> np.ndarray:
    """The result as an array that shares no memory with the caller's data."""
    array = values.detach().cpu().numpy()
    if isinstance(rows.source, np.ndarray) and np.may_share_memory(array, rows.source):
        return array.copy()
    return array
