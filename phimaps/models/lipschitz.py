"""Functions with a Lipschitz constant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self, final

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array

from ..map.term import Fact
from ..property import Universal
from ..spaces import Space
from .base import Model, Reach, positive, sizes
from .members import Coded

__all__ = ["Envelopes", "LipschitzNet"]

# Distances are held for so many numbers at a time: 32 MB.
AT_ONCE = 4_000_000


@final
class LipschitzNet(Model):
    """F = {f : |f(x) - f(y)| <= L |x - y|}, with Euclidean distances.

    Convex and closed under uniform limits, but no cone. It is universal in no sense on a set of two
    points or more: every member misses a target g by at least (|g(x) - g(y)| - L |x - y|)/2, and
    the greatest of these, or 0, is the least error on a finite set. The union over all L is
    universal in the strict sense on every compact set. No measure annihilates it.

    The member attains the least greatest error on the training rows: it is the mean of the
    envelopes of McShane and Whitney.

    Parameters
    ----------
    lipschitz : float, default 1
        L > 0.
    task : {"auto", "regression", "classification"}, default "auto"
        Classes are regressed on as ±1.

    References
    ----------
    McShane (1934), Extension of range of functions; Whitney (1934), Analytic extensions of
    differentiable functions defined in closed sets.

    Examples
    --------
    >>> import phimaps as pm
    >>> fitted = (LipschitzNet(1.0) @ pm.Identity()).fit([[0.0], [1.0]], [0.0, 4.0])
    >>> fitted.predict([[0.0], [0.5], [1.0]])
    array([1.5, 2. , 2.5])
    """

    probabilistic: ClassVar[bool] = False

    def __init__(self, lipschitz: float = 1.0, task: str = "auto"):
        self.lipschitz = lipschitz
        self.task = task

    @property
    def universality(self) -> Reach:
        where = "on no set of two points or more; the union of the ladder on every compact set"
        return Reach("never", where, "some continuous g has |g(x) - g(y)| > L |x - y|")

    def check_parameters(self) -> None:
        super().check_parameters()
        positive(self, "lipschitz")

    def facts(self, on: Space) -> Iterator[Fact]:
        members = None if on.infinite else on.enumerate()
        if on.infinite or (members is not None and len(members) > 1):
            text = (
                f"|f(x) - f(y)| <= {self.lipschitz:g} |x - y| for every member, for any two points"
            )
            yield ~Universal, text

    def ladder(self, step: int) -> LipschitzNet:
        """The constant 2^step L: members with a smaller constant have the greater one as well."""
        assert self.lipschitz is not None
        return LipschitzNet(self.lipschitz * sizes(step), self.task)

    def member(self, classify: bool) -> Any:
        assert self.lipschitz is not None
        envelopes = Envelopes(self.lipschitz)
        return Coded(envelopes) if classify else envelopes


@final
class Envelopes(BaseEstimator):
    """The mean of min_i (g_i + t + L |x - x_i|) and max_i (g_i - t - L |x - x_i|).

    t = max(0, max_{i,j} (|g_i - g_j| - L |x_i - x_j|)/2) is the least greatest error on the rows
    x_i, with values g_i, of all functions with the constant L.

    Parameters
    ----------
    lipschitz : float

    Attributes
    ----------
    error_ : float
        t.
    """

    rows_: np.ndarray
    values_: np.ndarray
    error_: float

    def __init__(self, lipschitz: float):
        self.lipschitz = lipschitz

    def fit(self, X: Any, y: Any) -> Self:
        """Compute t from all pairs of rows."""
        self.rows_ = np.array(X, dtype=np.float64)
        self.values_ = check_array(y, ensure_2d=False, dtype=np.float64, copy=True, input_name="y")
        worst = 0.0
        for part in self._pieces(len(self.rows_)):
            jumps = np.abs(self.values_[part, None] - self.values_)
            gaps = cdist(self.rows_[part], self.rows_)
            worst = max(worst, float((jumps - self.lipschitz * gaps).max()) / 2)
        self.error_ = worst
        return self

    def predict(self, X: Any) -> np.ndarray:
        """f(x) for every row."""
        X = np.asarray(X, dtype=np.float64)
        out = np.empty(len(X))
        for part in self._pieces(len(X)):
            room = self.lipschitz * cdist(X[part], self.rows_) + self.error_
            upper, lower = (self.values_ + room).min(axis=1), (self.values_ - room).max(axis=1)
            out[part] = upper / 2 + lower / 2
        return out

    def _pieces(self, n: int) -> Iterator[slice]:
        step = max(1, AT_ONCE // max(1, len(self.rows_)))
        for start in range(0, n, step):
            yield slice(start, min(n, start + step))
