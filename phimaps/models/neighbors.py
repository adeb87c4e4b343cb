"""Nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

from ..map.term import Fact
from ..spaces import Space
from .base import Model, Reach, count, discontinuous, every_sense

__all__ = ["KNeighbors"]


@final
class KNeighbors(Model):
    """F = {x ↦ the mean of the values of the k nearest of finitely many points, by all such sets}.

    Every continuous g is a uniform limit of members on a compact K: with points so dense that the k
    nearest of x lie within h of it, the error is at most the modulus of continuity of g at h.
    Members are not continuous: the approximate sense, not the strict one. F is no linear space and
    no cone; on finite sets it is all functions.

    Parameters
    ----------
    n_neighbors : int, default 1
        k.
    task : {"auto", "regression", "classification"}, default "auto"

    References
    ----------
    Cover and Hart (1967), Nearest neighbor pattern classification.

    Examples
    --------
    >>> import phimaps as pm
    >>> fitted = (KNeighbors() @ pm.Identity()).fit([[0.0], [1.0]], [3.0, 5.0])
    >>> fitted.predict([[0.2], [0.9]])
    array([3., 5.])
    """

    def __init__(self, n_neighbors: int = 1, task: str = "auto"):
        self.n_neighbors = n_neighbors
        self.task = task

    @property
    def universality(self) -> Reach:
        source = "|f(x) - g(x)| is at most the modulus of continuity of g at the distance of the k"
        return Reach("approximate", "on every compact set of R^d", source)

    def check_parameters(self) -> None:
        super().check_parameters()
        count(self, "n_neighbors")

    def facts(self, on: Space) -> Iterator[Fact]:
        if not on.infinite:
            text = "with each point k times among the data every function is a member"
            yield from every_sense(text)
        else:
            yield from discontinuous(
                "with each point of a fine net k times among the data, the k nearest to x lie at "
                "one point near to x"
            )

    def member(self, classify: bool) -> Any:
        from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

        kind = KNeighborsClassifier if classify else KNeighborsRegressor
        return kind(n_neighbors=self.n_neighbors)
