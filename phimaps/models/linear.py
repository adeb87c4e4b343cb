"""Linear functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, final

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from ..map.term import Fact
from ..property import Universal
from ..spaces import Space
from .base import Model, Reach

__all__ = ["AffineFunctions", "Linear"]


class AffineFunctions(Model):
    """F = {x ↦ a·x + b}, the affine functions, however one of them is chosen; abstract."""

    linear: ClassVar[bool] = True
    cone: ClassVar[bool] = True

    @property
    def universality(self) -> Reach:
        return Reach("never", "on no infinite set", "d + 2 points have values that are not affine")

    def dimension(self, d: int) -> int:
        return d + 1

    def features(self, Z: Any) -> np.ndarray:
        Z = np.asarray(Z, dtype=np.float64)
        return np.concatenate([np.ones((len(Z), 1)), Z], axis=1)

    def facts(self, on: Space) -> Iterator[Fact]:
        if on.infinite:
            yield ~Universal, "affine functions form a space of finite dimension, C(K) does not"


@final
class Linear(AffineFunctions):
    """F = {x ↦ a·x + b}, the affine functions.

    The member is chosen by ridge regression, or by logistic regression for classes.

    Parameters
    ----------
    alpha : float, default 1
        Strength of the l2 penalty.
    task : {"auto", "regression", "classification"}, default "auto"
    max_iter : int, default 1000
        Of the logistic regression.

    Examples
    --------
    >>> import phimaps as pm
    >>> verdict = pm.decide(Linear() @ pm.Power(2), pm.Universal, on=pm.Box([0.0], [1.0]))
    >>> verdict.holds
    False
    """

    def __init__(self, alpha: float = 1.0, task: str = "auto", max_iter: int = 1000):
        self.alpha = alpha
        self.task = task
        self.max_iter = max_iter

    def member(self, classify: bool) -> Any:
        if classify:
            return LogisticRegression(C=1.0 / self.alpha, max_iter=self.max_iter)
        return Ridge(alpha=self.alpha)
