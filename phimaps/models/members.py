"""What members of several classes are made of: features before an estimator, classes as numbers."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import has_fit_parameter

__all__ = ["Behind", "Coded"]


@final
class Behind(BaseEstimator):
    """An estimator behind a transformer, that passes the weights of rows on.

    Parameters
    ----------
    transformer, estimator : estimator
    """

    transformer_: Any
    estimator_: Any
    classes_: np.ndarray

    def __init__(self, transformer: Any, estimator: Any):
        self.transformer = transformer
        self.estimator = estimator

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the transformer to the rows, and the estimator to what it makes of them."""
        self.transformer_ = clone(self.transformer).fit(X)
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.estimator_ = clone(self.estimator).fit(self.transformer_.transform(X), y, **given)
        if hasattr(self.estimator_, "classes_"):
            self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The value, or the class, of every row."""
        return np.asarray(self.estimator_.predict(self.transformer_.transform(X)))

    def __getattr__(self, name: str) -> Any:
        # Only what the estimator can do: `predict_proba` is not there for a regressor.
        if name == "predict_proba" and hasattr(vars(self).get("estimator_"), name):
            return lambda X: self.estimator_.predict_proba(self.transformer_.transform(X))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


@final
class Coded(BaseEstimator):
    """The class whose indicator, regressed on as ±1, is greatest; of two classes, by the sign.

    Parameters
    ----------
    regressor : estimator
    """

    classes_: np.ndarray
    regressors_: list[Any]

    def __init__(self, regressor: Any):
        self.regressor = regressor

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit a regressor for each class, or one for two of them."""
        check_classification_targets(y)
        self.classes_, place = np.unique(y, return_inverse=True)
        given = (
            {}
            if sample_weight is None or not has_fit_parameter(self.regressor, "sample_weight")
            else {"sample_weight": sample_weight}
        )
        two = len(self.classes_) == 2
        self.regressors_ = [
            clone(self.regressor).fit(X, np.where(place == k, 1.0, -1.0), **given)
            for k in ([1] if two else range(len(self.classes_)))
        ]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The class of every row."""
        values = np.stack([r.predict(X) for r in self.regressors_], axis=1)
        if len(self.classes_) == 2:
            return self.classes_[(values[:, 0] > 0).astype(int)]
        return self.classes_[values.argmax(axis=1)]
