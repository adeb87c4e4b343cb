"""The scikit-learn protocol, once for all maps.

``fit`` only remembers what ``bind`` returns, so the single piece of state is ``map_``; everything
else here is validation, chunking, names and tags.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Self, final

import numpy as np
import torch
from sklearn.base import TransformerMixin
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import _check_feature_names_in

from .batches import gathered, in_batches, streamed
from .errors import InputError, UnboundError, show
from .ingest import read
from .parameters import SEEN, Parametric
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


class Estimator(TransformerMixin, Parametric, ABC):
    """A scikit-learn transformer whose fit is the memo of a pure function; abstract."""

    # Arrays, NumPy scalars and data frames leave the operators to us.
    __array_ufunc__ = None
    __pandas_priority__ = 5000
    # Where to write is no property of the rows that a pipeline could route.
    __metadata_request__transform = {"out": UNUSED}
    __slots__ = ()

    # --- what map.py supplies ----------------------------------------------------------------
    @property
    @abstractmethod
    def closed(self) -> bool: ...

    @property
    @abstractmethod
    def takes(self) -> tuple[int, ...] | None: ...

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
            The data; finite. Or a data set or loader of torch, with or without labels: a closed map
            reads its first batch, an open one gathers all of it.
        y : array-like, optional
            Ignored, except by maps that are trained, or that wrap a supervised transformer.

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
        closed = self._bound_to(X, y, params)
        self._drop_fit()
        self.__dict__.update({k: v for k, v in vars(closed).items() if k in SEEN}, map_=closed)
        return self

    def _bound_to(self, X: Any, y: Any, params: dict[str, Any]) -> Any:
        # Whatever is refused is refused by a copy, so that nothing changes before all is well.
        probe = self._shallow_copy()
        probe.check_parameters()
        rows = read(probe, gathered(X, whole=not self.closed), reset=True)
        data = rows.data.detach() if isinstance(rows.data, torch.Tensor) else rows.data
        closed = probe.bound(data, Given(rows.names, y, params))
        # Shapes that do not fit show on one row.
        apply(closed, data[:1], device=device_of(closed))
        closed.__dict__.update({k: v for k, v in vars(probe).items() if k in SEEN})
        return closed

    def bound(self, x: Any, given: Given) -> Any:
        """The closed map on already validated rows; parameters are checked here."""
        self.check_parameters()
        if self.closed:
            return self._snapshot()
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
            A pure function: tensors in, tensors out. A closed map returns itself.
        """
        closed = self._bound_to(X, y, params)
        return self if self.closed else closed

    def _fitted(self) -> Any:
        closed = vars(self).get("map_")
        if closed is None:
            self.check_parameters()
            if self.closed:
                return self
            raise UnboundError(
                f"This {type(self).__name__} instance is not fitted yet: it has no weights.",
                got=f"{self!r}",
                need="a map that is bound to data",
                do="phi.fit(X).transform(X), or phi.bind(X)(x)",
            )
        return closed

    def transform(self, X: Any, out: np.ndarray | None = None) -> Any:
        """Evaluate the fitted map on the rows of X, in chunks.

        Parameters
        ----------
        X : array, data frame, sparse matrix or tensor of shape (n, d) or (n, *shape)
            Or a data set or loader of torch, which is read batch by batch.
        out : ndarray or memmap of shape (n, d_out), optional
            Where to write the features: of the dtype of the result, with rows that lie one after
            the other in memory, apart from X. Memory that was used before is faster than new
            memory, and a memory map takes more rows than fit into memory.

        Returns
        -------
        ndarray of shape (n, d_out)
            `out`, or a new array: float32 for float32 input, else float64; or what ``set_output``
            asked for; float32 for bytes where the map takes them. It shares no memory with X.

        Raises
        ------
        InputError, InputTypeError, ShapeError
            When `out` cannot hold the features; nothing is written then.
        """
        closed = self._fitted()
        if in_batches(X):
            features = streamed(self, closed, X, out)
            return out if out is not None else features.reshape(len(features), -1)
        rows = read(self, X, reset=False)
        values = apply(closed, rows.data, device=device_of(closed), out=out)
        return out if out is not None else values.flatten(1).detach().cpu().numpy()

    def __call__(self, x: Any) -> Any:
        """φ(x) with the items' shape kept: tensors in, tensors out with gradients; arrays alike.

        Parameters
        ----------
        x : tensor or array of shape (n, *shape)
            Floating-point tensors keep their dtype, device and graph, and are not searched for NaN.

        Returns
        -------
        tensor or ndarray of shape (n, *out_shape)
        """
        if isinstance(x, torch.Tensor):
            closed = vars(self).get("map_", self)
            # Anything else is refused, or converted, where all data are read.
            plain = x.ndim > 1 and x.is_floating_point()
            return closed.forward(x if plain else read(self, x, reset=False).data)
        closed = self._fitted()
        if in_batches(x):
            return streamed(self, closed, x)
        rows = read(self, x, reset=False)
        return apply(closed, rows.data, device=device_of(closed)).detach().cpu().numpy()

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name every coordinate of the output.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the input's (flattened) coordinates; default: those seen in `fit`.

        Returns
        -------
        ndarray of str objects
            All different: a name that occurs again is numbered, ``x0 (2)``.
        """
        closed = self._fitted()
        names = self._names_in(closed, input_features)
        shape = vars(self).get("in_shape_") or (len(names),)
        label = type(self).__name__.lower()
        listed = [str(n) for n in closed.names_out(names, shape, label)]
        if len(set(listed)) < len(listed):
            count: Counter[str] = Counter()
            for i, name in enumerate(listed):
                count[name] += 1
                listed[i] = name if count[name] == 1 else f"{name} ({count[name]})"
        return np.asarray(listed, dtype=object)

    def _names_in(self, closed: Any, given: Any) -> list[str]:
        if given is None and not hasattr(self, "n_features_in_"):
            if closed.takes is not None:
                return [f"x{i}" for i in range(prod(closed.takes))]
            raise UnboundError(
                f"This {type(self).__name__} instance has seen no data: its input has no names.",
                got=f"{self!r}",
                need="the names of the input's coordinates",
                do="phi.fit(X).get_feature_names_out(), or get_feature_names_out(names)",
            )
        try:
            return list(_check_feature_names_in(self, given))
        except ValueError as error:
            known = vars(self).get("feature_names_in_")
            raise InputError(
                str(error),
                got=f"input_features={show(list(given))}",
                need="the names seen in fit"
                if known is not None
                else f"{vars(self).get('n_features_in_')} names",
                do="leave input_features out",
            ) from None

    # --- tags --------------------------------------------------------------------------------
    @property
    def sparse(self) -> bool:
        """Whether sparse rows are accepted."""
        return False

    @property
    def bytes(self) -> bool:
        """Whether bytes (uint8) reach `forward` as they are; float32 is what comes out then."""
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
