"""Sums of functions of one coordinate each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self, final

import numpy as np
from sklearn.base import BaseEstimator

from ..map.term import Fact
from ..proof import Reason, Strength
from ..property import Universal
from ..spaces import Space
from ..witness import AnnihilatingMeasure
from .base import Model, Reach, count, every_sense, positive, sizes
from .members import Behind
from .trees import alternating

__all__ = ["Additive", "SplineColumns"]


@final
class Additive(Model):
    """F = {f_1(x_1) + ... + f_d(x_d) : f_j continuous}, the generalised additive models.

    In one coordinate it is universal in the strict sense: all continuous functions. On a set with a
    rectangle in two coordinates it is universal in no sense: the signs +, -, +, - at the corners
    annihilate every member.

    Parameters
    ----------
    n_knots : int, default 9
        Knots of the cubic splines of the fitted member, evenly over the range of each feature.
    alpha : float, default 1e-6
        Strength of the l2 penalty on the coefficients of the splines.
    max_iter : int, default 1000
        Of the logistic regression.
    task : {"auto", "regression", "classification"}, default "auto"

    References
    ----------
    Stone (1985), Additive regression and other nonparametric models; the measure at the corners of
    a rectangle is a closed path in the sense of Ismailov.

    Examples
    --------
    >>> import phimaps as pm
    >>> square = pm.Box([0.0, 0.0], [1.0, 1.0])
    >>> print(Additive().annihilator(square))
    δ[0, 0] - δ[0, 1] - δ[1, 0] + δ[1, 1]
    >>> pm.decide(Additive() @ pm.Identity(), pm.Universal, on=square).holds
    False
    """

    linear: ClassVar[bool] = True
    cone: ClassVar[bool] = True

    def __init__(
        self, n_knots: int = 9, alpha: float = 1e-6, max_iter: int = 1000, task: str = "auto"
    ):
        self.n_knots = n_knots
        self.alpha = alpha
        self.max_iter = max_iter
        self.task = task

    @property
    def universality(self) -> Reach:
        where = "on compact sets of one coordinate; on no set with a rectangle in two coordinates"
        return Reach("strict", where, "f(a, c) - f(a, d) - f(b, c) + f(b, d) = 0 for every member")

    def check_parameters(self) -> None:
        super().check_parameters()
        count(self, "n_knots", 2)
        positive(self, "alpha")

    def facts(self, on: Space) -> Iterator[Fact]:
        if on.size == 1:
            yield from every_sense("of one coordinate these are all continuous functions")
        elif (measure := self.annihilator(on)) is not None:
            yield ~Universal, Reason(measure.because, Strength.WITNESS, witness=measure)

    def annihilator(self, on: Space, random_state: int = 0) -> AnnihilatingMeasure | None:
        """±1 in turn at the corners of a rectangle, where the space has one."""
        return alternating(on, 2, "no summand mixes two coordinates")

    def ladder(self, step: int) -> Additive:
        """2^step + 1 knots: on the range of the data the splines of a step are among the next."""
        return Additive(sizes(step) + 1, self.alpha, self.max_iter, self.task)

    def member(self, classify: bool) -> Any:
        from sklearn.linear_model import LogisticRegression, Ridge

        estimator: Any = Ridge(alpha=self.alpha, solver="svd")
        if classify:
            estimator = LogisticRegression(C=1.0 / self.alpha, max_iter=self.max_iter)
        return Behind(SplineColumns(self.n_knots), estimator)


@final
class SplineColumns(BaseEstimator):
    """The cubic B-splines of each coordinate, with even knots; constant coordinates are left out.

    Outside the range of the data the splines go on as straight lines.

    Parameters
    ----------
    n_knots : int
    """

    kept_: np.ndarray
    splines_: Any

    def __init__(self, n_knots: int):
        self.n_knots = n_knots

    def fit(self, X: Any, y: Any = None) -> Self:
        """Place the knots."""
        from sklearn.preprocessing import SplineTransformer

        X = np.asarray(X, dtype=np.float64)
        self.kept_ = np.flatnonzero(X.min(axis=0) < X.max(axis=0))
        self.splines_ = SplineTransformer(self.n_knots, extrapolation="linear")
        if len(self.kept_):
            self.splines_.fit(X[:, self.kept_])
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The values of the splines."""
        X = np.asarray(X, dtype=np.float64)
        if not len(self.kept_):
            return np.zeros((len(X), 1))
        return np.asarray(self.splines_.transform(X[:, self.kept_]))
