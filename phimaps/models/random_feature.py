"""Linear functions of random features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self, final

import numpy as np
from scipy.special import ndtr
from sklearn.base import BaseEstimator

from ..drawn import generator
from ..errors import ParameterError
from ..map.term import Fact
from ..property import Universal
from ..spaces import Space
from .base import Model, Reach, count, positive, sizes
from .members import Behind

__all__ = ["RandomColumns", "RandomFeatureModel"]


@final
class RandomFeatureModel(Model):
    """F = span{1, σ(w_i·x/ℓ + b_i) : i <= N} with random w_i and b_i that the seed fixes.

    A linear space of at most N + 1 dimensions: with N fixed it is universal on no infinite set, in
    no sense. The union over all N of its ladder is almost surely universal, in the strict sense, on
    every compact set: the parameters come near all that count, and the features of all of them span
    a dense space.

    Parameters
    ----------
    n_features : int, default 100
        N.
    activation : {"relu", "cos"}, default "relu"
        With "relu" w and b are standard normal; with "cos" w is, and b uniform over the circle.
    length_scale : float, default 1
        ℓ > 0, in the units of x.
    alpha : float, default 1e-6
        Strength of the l2 penalty, for the fitted member.
    random_state : int, default 0
        The first features of a seed are the same, however many there are.
    max_iter : int, default 1000
        Of the logistic regression.
    task : {"auto", "regression", "classification"}, default "auto"

    References
    ----------
    Rahimi and Recht (2008), Uniform approximation of functions with random bases; Leshno, Lin,
    Pinkus and Schocken (1993) for the span of all ReLU features.

    Examples
    --------
    >>> import phimaps as pm
    >>> model = RandomFeatureModel(8)
    >>> model.features([[0.0, 1.0], [2.0, 3.0]]).shape
    (2, 9)
    >>> pm.decide(model @ pm.Identity(), pm.Universal, on=pm.Box([0.0], [1.0])).holds
    False
    """

    linear: ClassVar[bool] = True
    cone: ClassVar[bool] = True

    def __init__(
        self,
        n_features: int = 100,
        activation: str = "relu",
        length_scale: float = 1.0,
        alpha: float = 1e-6,
        random_state: int = 0,
        max_iter: int = 1000,
        task: str = "auto",
    ):
        self.n_features = n_features
        self.activation = activation
        self.length_scale = length_scale
        self.alpha = alpha
        self.random_state = random_state
        self.max_iter = max_iter
        self.task = task

    @property
    def universality(self) -> Reach:
        where = "on no infinite set; the union of the ladder, almost surely, on every compact set"
        source = (
            "finitely many features span a closed space; those of random parameters are dense "
            "among all, which depend continuously on them"
        )
        return Reach("never", where, source)

    def check_parameters(self) -> None:
        super().check_parameters()
        count(self, "n_features")
        positive(self, "length_scale")
        positive(self, "alpha")
        if self.activation not in ("relu", "cos"):
            raise ParameterError(
                "The 'activation' parameter of RandomFeatureModel is not one of its values.",
                got=f"activation={self.activation!r}",
                need="'relu' or 'cos'",
                do="pm.models.RandomFeatureModel(activation='relu')",
            )

    def dimension(self, d: int) -> int:
        return int(self.n_features) + 1

    def features(self, Z: Any) -> np.ndarray:
        columns = self._columns().fit(Z).transform(Z)
        return np.concatenate([np.ones((len(columns), 1)), columns], axis=1)

    def facts(self, on: Space) -> Iterator[Fact]:
        if on.infinite:
            yield ~Universal, "finitely many features span a space of finite dimension"
            return
        members = on.enumerate()
        if members is not None and len(members) > self.dimension(on.size):
            yield ~Universal, "there are more points than features and 1"

    def ladder(self, step: int) -> RandomFeatureModel:
        """2^step features, among which are those of smaller steps."""
        twin = RandomFeatureModel(**self.get_params())
        twin.n_features = sizes(step)
        return twin

    def _columns(self) -> RandomColumns:
        given = self.n_features, self.activation, self.length_scale, self.random_state
        return RandomColumns(*given)

    def member(self, classify: bool) -> Any:
        from sklearn.linear_model import LogisticRegression, Ridge

        estimator: Any = Ridge(alpha=self.alpha, solver="svd")
        if classify:
            estimator = LogisticRegression(C=1.0 / self.alpha, max_iter=self.max_iter)
        return Behind(self._columns(), estimator)


@final
class RandomColumns(BaseEstimator):
    """x ↦ (σ(w_i·x/ℓ + b_i))_i; the parameters are as of `RandomFeatureModel`.

    Parameters
    ----------
    n_features : int
    activation : str
    length_scale : float
    random_state : int
    """

    width_: int

    def __init__(self, n_features: int, activation: str, length_scale: float, random_state: int):
        self.n_features = n_features
        self.activation = activation
        self.length_scale = length_scale
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember the width of the rows."""
        self.width_ = np.asarray(X).shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The features, of shape (n, n_features)."""
        # A row for each feature: the first ones do not depend on how many there are.
        drawn = generator(self.random_state).standard_normal((self.n_features, self.width_ + 1))
        inner = np.asarray(X, dtype=np.float64) / self.length_scale @ drawn[:, :-1].T
        if self.activation == "cos":
            return np.asarray(np.cos(inner + 2 * np.pi * ndtr(drawn[:, -1])))
        return np.asarray(np.maximum(inner + drawn[:, -1], 0.0))
