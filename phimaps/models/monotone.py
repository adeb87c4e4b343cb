"""Functions that do not decrease in any coordinate."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any, ClassVar, Self, final

import numpy as np
from sklearn.base import BaseEstimator

from ..map.term import Fact
from ..property import Universal
from ..spaces import Space
from .base import Model, Reach, count, line, positive, sizes
from .members import Coded

__all__ = ["Monotone", "MonotoneTrees"]

# Finite spaces of up to this many points are searched through.
FEW = 64


@final
class Monotone(Model):
    """F = {f : f(x) <= f(y) wherever x_j <= y_j for all j}, the non-decreasing functions.

    A convex cone, closed under uniform limits. It is universal in no sense on a set with two
    comparable points x <= y, x ≠ y: every member misses a target g by at least (g(x) - g(y))/2. No
    measure annihilates it, as differences of members are dense.

    Parameters
    ----------
    n_estimators : int, default 100
        Rounds of boosting of the fitted member, a sum of monotone trees.
    learning_rate : float, default 0.1
    min_samples_leaf : int, default 5
        Rows in each leaf.
    task : {"auto", "regression", "classification"}, default "auto"
        Classes are regressed on as ±1; in alphabetical order the second of two grows with x.

    References
    ----------
    Sill (1998), Monotonic networks, for members that are continuous.

    Examples
    --------
    >>> import phimaps as pm
    >>> Monotone().comparable(pm.Box([0.0], [1.0])).ravel()
    array([0.  , 0.25])
    >>> pm.decide(Monotone() @ pm.Identity(), pm.Universal, on=pm.Box([0.0], [1.0])).holds
    False
    """

    cone: ClassVar[bool] = True
    monotone: ClassVar[bool] = True
    probabilistic: ClassVar[bool] = False

    def __init__(
        self,
        n_estimators: int = 100,
        learning_rate: float = 0.1,
        min_samples_leaf: int = 5,
        task: str = "auto",
    ):
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.min_samples_leaf = min_samples_leaf
        self.task = task

    @property
    def universality(self) -> Reach:
        where = "on no set with two comparable points, so on none with a segment along an axis"
        return Reach("never", where, "f(x) <= f(y), and g(x) > g(y) for some continuous g")

    def check_parameters(self) -> None:
        super().check_parameters()
        count(self, "n_estimators")
        count(self, "min_samples_leaf")
        positive(self, "learning_rate")

    def comparable(self, on: Space) -> np.ndarray | None:
        """Two points x <= y, x ≠ y, of shape (2, *on.shape), or None if none are found."""
        members = on.enumerate()
        if members is None:
            return line(on, 2)
        if len(members) <= FEW:
            for x, y in permutations(members, 2):
                if (x <= y).all():
                    return np.stack([x, y])
        return None

    def facts(self, on: Space) -> Iterator[Fact]:
        pair = self.comparable(on)
        if pair is not None:
            x, y = (np.array2string(p.ravel()[:8], precision=4) for p in pair)
            yield ~Universal, f"f(x) <= f(y) for every member, with x = {x} and y = {y}"

    def ladder(self, step: int) -> Monotone:
        """2^step rounds: a sum of fewer trees is one of more."""
        return Monotone(sizes(step), self.learning_rate, self.min_samples_leaf, self.task)

    def member(self, classify: bool) -> Any:
        trees = MonotoneTrees(self.n_estimators, self.learning_rate, self.min_samples_leaf)
        return Coded(trees) if classify else trees


@final
class MonotoneTrees(BaseEstimator):
    """Boosted trees that do not decrease in any coordinate.

    Parameters
    ----------
    n_estimators : int
    learning_rate : float
    min_samples_leaf : int
    """

    trees_: Any

    def __init__(self, n_estimators: int, learning_rate: float, min_samples_leaf: int):
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.min_samples_leaf = min_samples_leaf

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit with the constraint on every column."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        self.trees_ = HistGradientBoostingRegressor(
            max_iter=self.n_estimators,
            learning_rate=self.learning_rate,
            min_samples_leaf=self.min_samples_leaf,
            monotonic_cst=np.ones(np.asarray(X).shape[1], dtype=int),
            early_stopping=False,
        ).fit(X, y, sample_weight=sample_weight)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """f(x) for every row."""
        return np.asarray(self.trees_.predict(X))
