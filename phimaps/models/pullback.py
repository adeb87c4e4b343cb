"""F_φ = {f∘φ : f ∈ F}: a model class behind a feature map."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, Self, final

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d, has_fit_parameter

from ..config import get_config
from ..errors import InputError, ParameterError
from ..ingest import read
from ..map import FeatureMap, Part
from ..map.term import Fact
from ..rows import apply, device_of
from ..spaces import Euclidean, Image, Space
from .base import Model, typed

__all__ = ["Pullback"]


def _has_probabilities(pullback: Any) -> bool:
    member = vars(pullback).get("model_")
    if member is not None:
        return hasattr(member, "predict_proba")
    model = pullback.model
    return model.probabilistic and model.task != "regression"


def _streams(pullback: Any) -> bool:
    return pullback.model.streams


def _pieces(phi: Any, data: Any) -> Iterator[tuple[slice, np.ndarray]]:
    """The features of validated rows, in chunks, each with the place of its rows."""
    closed, device = phi._fitted(), device_of(phi._fitted())
    wide = 8 * prod(closed.out_shape(tuple(data.shape[1:])))
    step = max(1, get_config()["chunk_bytes"] // wide)
    for start in range(0, data.shape[0], step):
        part = slice(start, start + step)
        yield part, apply(closed, data[part], device=device).flatten(1).detach().cpu().numpy()


def _row_weights(value: Any, n: int) -> np.ndarray:
    weights = np.asarray(value, dtype=np.float64)
    bad = weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any()
    if bad or not weights.sum():
        raise ParameterError(
            "sample_weight does not weigh the rows.",
            got=f"shape {weights.shape} for {n} rows",
            need="n finite weights >= 0 that are not all zero",
            do="fit(X, y, sample_weight=weights)",
        )
    return weights


@final
class Pullback(BaseEstimator):
    """F_φ = {f∘φ : f ∈ F}, a model class behind a feature map; written ``F @ phi``.

    As an estimator it binds φ to the training data and fits a member of F to the features. As a
    mathematical object it can be asked whether it is universal.

    Parameters
    ----------
    model : Model
    map : FeatureMap

    Attributes
    ----------
    map_ : FeatureMap
        The closed map.
    model_ : estimator
        The fitted member of F.

    Examples
    --------
    >>> import phimaps as pm
    >>> fitted = (pm.models.Linear() @ pm.Power(2)).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0])
    >>> bool(fitted.score([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0]) > 0.8)
    True
    """

    def __init__(self, model: Model, map: FeatureMap):
        self.model = model
        self.map = map

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Bind the map and fit a member of F to φ(X) and y.

        Where the model streams, φ(X) is made in chunks of ``config.chunk_bytes`` and never held as
        a whole.

        Parameters
        ----------
        X : as `FeatureMap.fit` takes it, of n rows
        y : array-like of shape (n,), or (n, k) for models of several targets
            Floating-point numbers to regress on, or class labels.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows, for the member, and for the map if its ``fit`` takes them.

        Returns
        -------
        self
        """
        self.check_parameters()
        target = self._target(y)
        given = {} if sample_weight is None else {"sample_weight": np.asarray(sample_weight)}
        phi = clone(self.map)
        member = self.model.member(self.model.classifies(target))
        if given and not self.model.streams and not has_fit_parameter(member, "sample_weight"):
            raise ParameterError(
                f"Members of {type(self.model).__name__} do not weigh rows.",
                got="sample_weight",
                need="no weights",
                do="fit(X, y)",
            )
        phi.fit(X, target, **(given if has_fit_parameter(phi, "sample_weight") else {}))
        if self.model.streams:
            self._feed(member, phi, X, target, sample_weight)
        else:
            member.fit(np.asarray(phi.transform(X)), target, **given)
        return self._keep(phi, member)

    @available_if(_streams)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Take in a batch of rows: the member fits all rows so far as if they came at once.

        The map is the one of the last `fit`, or else is bound to the first batch; later batches do
        not change it. The member in ``model_`` keeps what later batches need.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`
        classes : array-like, optional
            All labels; others may still come later.

        Returns
        -------
        self
        """
        self.check_parameters()
        target = self._target(y)
        if "model_" in vars(self):
            phi, member = self.fitted_, self.model_.copied()
        else:
            phi = clone(self.map).fit(X, target)
            classify = classes is not None or self.model.classifies(target)
            member = self.model.member(classify)
        self._feed(member, phi, X, target, sample_weight, classes)
        return self._keep(phi, member)

    def _target(self, y: Any) -> np.ndarray:
        several = np.asarray(y).ndim == 2
        if several and self.model.multioutput and not self.model.classifies(y):
            return np.asarray(y)
        return column_or_1d(y, warn=True)

    def _feed(
        self, member: Any, phi: Any, X: Any, target: Any, weights: Any, classes: Any = None
    ) -> None:
        data = read(phi, X, reset=False).data
        n, known = data.shape[0], None if weights is None else _row_weights(weights, len(target))
        if n != len(target):
            raise InputError(
                f"Found input variables with inconsistent numbers of samples: [{n}, "
                f"{len(target)}].",
                got=f"{n} rows of X, {len(target)} of y",
                need="a target for each row",
                do="pass the rows of X and y that belong together",
            )
        if member.classify and classes is None:
            classes = np.unique(target)
        for part, features in _pieces(phi, data):
            more = None if known is None else known[part]
            member.partial_fit(features, target[part], more, classes)

    def _keep(self, phi: Any, member: Any) -> Self:
        self.fitted_, self.map_, self.model_ = phi, phi.map_, member
        self.n_features_in_ = phi.n_features_in_
        for name in ("feature_names_in_",):
            if hasattr(phi, name):
                setattr(self, name, getattr(phi, name))
        if hasattr(member, "classes_"):
            self.classes_ = member.classes_
        return self

    def _features(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "model_")
        return np.asarray(self.fitted_.transform(X))

    def predict(self, X: Any) -> np.ndarray:
        """f(φ(x)) for every row, of shape (n,), or (n, k) for k targets."""
        check_is_fitted(self, "model_")
        if not self.model.streams:
            features = self._features(X)
            return self.model_.predict(features)
        data = read(self.fitted_, X, reset=False).data
        return np.concatenate([self.model_.predict(f) for _, f in _pieces(self.fitted_, data)])

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities of shape (n, n_classes), where the member has them."""
        features = self._features(X)
        return self.model_.predict_proba(features)

    def score(self, X: Any, y: Any) -> float:
        """Accuracy of a classifier, R² of a regressor."""
        predicted = self.predict(X)
        return float((accuracy_score if hasattr(self, "classes_") else r2_score)(y, predicted))

    def __matmul__(self, phi: Any) -> Pullback:
        return Pullback(self.model, self.map @ phi)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        below = self.map.__sklearn_tags__() if isinstance(self.map, FeatureMap) else None
        if below is not None:
            tags.input_tags = below.input_tags
        tags.target_tags.required = True
        tags.target_tags.multi_output = (
            getattr(self.model, "multioutput", False) and self.model.task == "regression"
        )
        task = getattr(self.model, "task", "auto")
        if task == "auto" and hasattr(self, "model_"):
            task = "classification" if hasattr(self, "classes_") else "regression"
        return typed(tags, task)

    def __repr__(self) -> str:
        composed = repr(self.map)
        return f"{self.model!r} @ {composed if composed.isidentifier() else f'({composed})'}"

    # What `decide` asks of every subject.
    @property
    def takes(self) -> tuple[int, ...] | None:
        return self.map.takes

    @property
    def closed(self) -> bool:
        """Whether the map is, or has been fitted."""
        return "map_" in vars(self) or self.map.closed

    @property
    def domain(self) -> Space | None:
        return self.map.domain

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from ()

    def parts(self, on: Space) -> list[Part]:
        phi = vars(self).get("map_", self.map)
        features = Euclidean(phi.out_shape(on.shape))
        known = phi.closed and phi.undefined(on) is None
        image = phi.image(on) if known else Image(features)
        return [Part(self.model, image), Part(phi, Image(on, on))]

    def undefined(self, on: Space) -> str | None:
        return self.map.undefined(on)

    def check_parameters(self) -> None:
        if not isinstance(self.model, Model) or not isinstance(self.map, FeatureMap):
            raise ParameterError(
                "A pull-back is made of a model class and a feature map.",
                got=f"model={self.model!r}, map={self.map!r}",
                need="a phimaps.models class and a FeatureMap",
                do="pm.models.Linear() @ phi",
            )
        self.model.check_parameters()
        self.map.check_parameters()
