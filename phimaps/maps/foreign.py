"""Functions and scikit-learn transformers as maps.

What is known to be a map of this library becomes that map, with its gradient and its facts; the
rest is evaluated as it is, and nothing is claimed about it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, final

import numpy as np
import sklearn
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from ..errors import GradientError, OperandError
from ..map import FeatureMap, Given, adapters, show
from .network import from_torch, rows_kept
from .transformers import is_fitted, known_transformer

__all__ = ["Function", "Transformer", "from_function", "from_sklearn"]


@final
class Function(FeatureMap):
    """x ↦ f(x) for a function of tensors; nothing is known about it.

    Parameters
    ----------
    function : callable
        Takes a float tensor of shape (n, *shape), returns one of shape (n, *out_shape). It is given
        a copy, so it may work in place.

    Examples
    --------
    >>> Function(torch.sinh).fit_transform([[0.0]])
    array([[0.]])
    """

    function: Callable[[torch.Tensor], torch.Tensor]

    _parameter_constraints = {"function": [callable]}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return rows_kept(self, x, self.function(x.clone()))

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(torch.sinh)

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"from_function({name})"


@final
class Transformer(FeatureMap):
    """x ↦ est.transform(x) for a scikit-learn transformer.

    Open until the estimator is fitted; a fitted one stands inside a ``FrozenEstimator``. It has no
    gradient, and says so when one is asked.

    Parameters
    ----------
    estimator : estimator with fit and transform

    Examples
    --------
    >>> from sklearn.preprocessing import KBinsDiscretizer
    >>> bins = KBinsDiscretizer(2, encode="ordinal", strategy="uniform")
    >>> Transformer(bins).fit_transform([[0.0], [1.0]])
    array([[0.],
           [1.]])
    """

    estimator: Any

    _parameter_constraints = {"estimator": [HasMethods(["fit", "transform"])]}

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        return self._fit(X, y, params)

    @property
    def closed(self) -> bool:
        return isinstance(self.estimator, FrozenEstimator)

    @property
    def positive(self) -> bool:
        return bool(get_tags(self.estimator).input_tags.positive_only)

    def close(self, x: torch.Tensor, given: Given) -> FeatureMap:
        with sklearn.config_context(transform_output="default"):
            rows = x.detach().cpu().numpy()
            fitted = clone(self.estimator).fit(rows, given.y, **given.params)
        return known_transformer(fitted) or Transformer(FrozenEstimator(fitted))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.closed:
            return super().forward(x)
        if x.requires_grad and torch.is_grad_enabled():
            name = type(self.estimator.estimator).__name__
            raise GradientError(
                f"The gradient stops at the scikit-learn step {name}.",
                got=f"{self!r} with an input that requires a gradient",
                need="steps that are differentiable torch functions",
                do="detach the input, or use a map of this library in its place",
            )
        rows = x.detach().cpu().numpy()
        lost = ~np.isfinite(rows).all(axis=tuple(range(1, rows.ndim)))
        if not lost.any() or get_tags(self.estimator).input_tags.allow_nan:
            return torch.from_numpy(self._transformed(rows)).to(x)
        # What overflowed on the way is no number here either, as in every other map; the estimator
        # would refuse the rows that did not as well.
        value = self._transformed(np.where(lost.reshape(-1, *[1] * (rows.ndim - 1)), 0, rows))
        value[lost] = np.nan
        return torch.from_numpy(value).to(x)

    def _transformed(self, rows: np.ndarray) -> np.ndarray:
        with sklearn.config_context(transform_output="default"):
            value = self.estimator.transform(rows)
        value = value.toarray() if hasattr(value, "toarray") else np.asarray(value)
        return np.array(value, dtype=np.float64 if rows.dtype == np.float64 else np.float32)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        fitted = self.estimator.estimator
        try:
            return list(fitted.get_feature_names_out(np.asarray(names, dtype=object)))
        except (AttributeError, ValueError):
            return super().names_out(names, shape, label)

    def get_metadata_routing(self) -> Any:
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)

    @classmethod
    def example(cls) -> FeatureMap:
        from sklearn.preprocessing import FunctionTransformer

        return cls(FunctionTransformer(np.sinc))

    def __repr__(self) -> str:
        inner = self.estimator.estimator if self.closed else self.estimator
        return f"from_sklearn({type(inner).__name__}({', '.join(_changed(inner))}))"


def _changed(estimator: Any) -> Iterator[str]:
    defaults = inspect.signature(type(estimator).__init__).parameters
    for name, value in estimator.get_params(deep=False).items():
        default = defaults[name].default if name in defaults else None
        if type(value) is not type(default) or repr(value) != repr(default):
            yield f"{name}={show(value)}"


def from_function(function: Callable[[torch.Tensor], torch.Tensor]) -> FeatureMap:
    """x ↦ f(x) as a map about which nothing is known.

    Parameters
    ----------
    function : callable
        On a float tensor of shape (n, d), giving one of shape (n, d_out) or (n,).

    Returns
    -------
    Function

    Examples
    --------
    >>> import phimaps as pm
    >>> pm.decide(from_function(torch.sinh), pm.Injective, on=pm.Box([0.0], [1.0])).holds is None
    True
    """
    if not callable(function) or isinstance(function, type):
        raise OperandError(
            "from_function takes a function.",
            got=show(function),
            need="a function of a float tensor of shape (n, d)",
            do="pm.from_function(lambda x: x**2)",
        )
    return Function(function)


def from_sklearn(estimator: Any) -> FeatureMap:
    """x ↦ est.transform(x), as a map.

    A fitted estimator gives a closed map, an unfitted one an open map that fits a clone. Where the
    mathematics is known (scalers, PCA, polynomial features, ...), what it is fitted to is a map of
    this library, with gradient and facts.

    Parameters
    ----------
    estimator : estimator with fit and transform

    Returns
    -------
    FeatureMap

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> from_sklearn(StandardScaler()).bind([[0.0], [2.0]])
    Diagonal(weight=float64[1], bias=float64[1])
    """
    if isinstance(estimator, FeatureMap):
        return estimator
    usable = hasattr(estimator, "transform") and hasattr(estimator, "fit")
    if isinstance(estimator, type) or not usable:
        raise OperandError(
            "from_sklearn takes a transformer.",
            got=show(estimator),
            need="an instance with fit and transform",
            do="pm.from_sklearn(StandardScaler())",
        )
    inner = estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator
    if not is_fitted(inner):
        return Transformer(estimator)
    return known_transformer(inner) or Transformer(FrozenEstimator(inner))


def _adapt(value: Any) -> FeatureMap | None:
    if isinstance(value, torch.nn.Module):
        return from_torch(value)
    if isinstance(value, type):
        return None
    if hasattr(value, "fit") and hasattr(value, "transform"):
        return from_sklearn(value)
    return from_function(value) if callable(value) else None


adapters.append(_adapt)
