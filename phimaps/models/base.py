"""A model class F is a set of functions on R^d; F @ phi is its pull-back F_φ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, ClassVar, final

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import ClassifierTags, RegressorTags

from ..errors import OperandError, ParameterError, show
from ..kernels.configurations import collinear
from ..map import Family, Part, as_map
from ..map.term import Fact
from ..proof import Reason
from ..property import SENSES, ApproximatelyUniversal, LpUniversal
from ..spaces import Space
from ..witness import AnnihilatingMeasure

__all__ = [
    "Model",
    "Reach",
    "count",
    "discontinuous",
    "every_sense",
    "line",
    "positive",
    "sizes",
    "spread",
    "typed",
]

# Null vectors of more functions than this take longer than anyone waits.
WIDEST = 2000


@final
@dataclass(frozen=True)
class Reach:
    """Where a class F is dense in the continuous functions, and in which sense.

    Parameters
    ----------
    sense : {"strict", "approximate", "never"}
        "strict": where it is dense, F is a dense part of C(K). "approximate": every continuous
        function is a uniform limit of members, which are not continuous themselves. "never": F is
        dense on no infinite space.
    where : str
        On which compact sets.
    source : str
        Author, year and common name, or the proof where it is a line long.
    """

    sense: str
    where: str
    source: str


class Model(BaseEstimator, ABC):
    """A class F of functions R^d → R, with a scikit-learn estimator that picks one; abstract.

    The estimator's own parameters choose a member; the mathematical facts are about the whole
    class.
    """

    # Whether sums and multiples of members are members, and whether non-negative combinations are.
    linear: ClassVar[bool] = False
    cone: ClassVar[bool] = False
    # Whether no member decreases in any coordinate.
    monotone: ClassVar[bool] = False
    # A Lipschitz constant that all members have, in Euclidean distances.
    lipschitz: float | None = None
    # Whether several targets can be regressed on at once.
    multioutput: ClassVar[bool] = False
    # Whether a member for classes has probabilities.
    probabilistic: ClassVar[bool] = True
    task: str

    @property
    def universality(self) -> Reach | None:
        """Where, and in which sense, F is dense in the continuous functions; None: not known."""
        return None

    @property
    def streams(self) -> bool:
        """Whether members take their features in batches."""
        return False

    @abstractmethod
    def facts(self, on: Space) -> Iterator[Fact]:
        """Yield (claim, reason) about F on the compact subsets of a space.

        Each sense in which F is dense is a claim of its own; `every_sense` yields them all.
        ``~Universal`` is claimed only where finitely many points of the space show it: the values
        that members take at them are not dense among all values. So it holds in every sense, and of
        F_φ as well, for every φ that reaches these points.
        """

    @abstractmethod
    def member(self, classify: bool) -> Any:
        """A fresh scikit-learn regressor or classifier with this model's parameters."""

    def dimension(self, d: int) -> int | None:
        """A bound of the dimension of F on R^d where it is finite, else None."""
        return None

    @property
    def finite_dimensional(self) -> bool:
        """Whether {f∘φ : f in F} has finite dimension for every φ into a space of finite one."""
        return self.dimension(1) is not None

    def features(self, Z: Any) -> np.ndarray | None:
        """Functions that span F, with the constant, at points: for linear classes of known span.

        Parameters
        ----------
        Z : array of shape (n, d)

        Returns
        -------
        ndarray of shape (n, p), or None
        """
        return None

    def ladder(self, step: int) -> Model:
        """A model of this kind whose member has the capacity of a step 0, 1, 2, ...

        Where the class says so, the members of a step are among those of the next one. A class
        without a capacity to grow answers with itself.
        """
        sizes(step)
        return self

    def annihilator(self, on: Space, random_state: int = 0) -> AnnihilatingMeasure | None:
        """Σ c_i δ(x_i) ≠ 0 on points of a space with Σ c_i f(x_i) = 0 for every f in F.

        Then sup |f - g| >= |Σ c_i g(x_i)| / Σ |c_i| for every target g and every f in F. Of p
        functions that span F there is always one on p + 1 points.

        Parameters
        ----------
        on : Space
        random_state : int, default 0
            Draws the points, where they are drawn.

        Returns
        -------
        AnnihilatingMeasure or None
            None where none is known; for a class that is dense there is none.
        """
        p = self.dimension(on.size)
        if p is None or p > WIDEST or (points := spread(on, p + 1, random_state)) is None:
            return None
        columns = self.features(points.reshape(len(points), -1))
        if columns is None or not np.isfinite(columns).all():
            return None
        # Columns of one size, so that the null vector is as exact for each.
        size = np.abs(columns).max(axis=0)
        weights = np.linalg.svd((columns / np.where(size > 0, size, 1.0)).T)[2][-1]
        because = f"{p + 1} points, and functions of {p} dimensions"
        return AnnihilatingMeasure(points, weights / np.abs(weights).sum(), because, exact=False)

    def __matmul__(self, phi: Any) -> Any:
        from .family import FamilyPullback
        from .pullback import Pullback

        if isinstance(phi, Family):
            return FamilyPullback(self, phi)
        wrapped = as_map(phi)
        if wrapped is None:
            raise OperandError(
                "'@' puts a feature map before a model class, and this is not a map.",
                got=f"{self!r} @ {show(phi)}",
                need="a map, transformer, torch module or function",
                do="pm.models.Linear() @ pm.RandomFourier()",
            )
        return Pullback(self, wrapped)

    def classifies(self, y: Any) -> bool:
        """Whether targets like y make this a classification.

        With ``task="auto"`` floating-point targets are regressed on, all others are classes.
        """
        if self.task not in ("auto", "regression", "classification"):
            raise ParameterError(
                f"The 'task' parameter of {type(self).__name__} is not one of its values.",
                got=f"task={self.task!r}",
                need="'auto', 'regression' or 'classification'",
                do="task='auto' classifies unless the target is floating point",
            )
        return self.task == "classification" or (
            self.task == "auto" and np.asarray(y).dtype.kind != "f"
        )

    # What `decide` asks of every subject. A class is no map that could be evaluated.
    takes = None
    domain = None
    closed = False

    def parts(self, on: Space) -> list[Part]:
        return []

    def undefined(self, on: Space) -> str | None:
        return None

    def check_parameters(self) -> None:
        self.classifies([0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        return typed(tags, self.task)


def every_sense(why: str | Reason) -> Iterator[Fact]:
    """Universal, and so approximately and in L^p: continuous functions are dense there."""
    for sense in SENSES:
        yield sense, why


def discontinuous(why: str) -> Iterator[Fact]:
    """Approximately universal, and in L^p, by members that are Borel functions and need not be
    continuous."""
    yield ApproximatelyUniversal, why
    yield LpUniversal, f"{why}; members are Borel, and continuous functions dense in L^p(μ)"


def sizes(step: Any) -> int:
    """2^step, the capacity of a step; refused for what is no step."""
    whole = isinstance(step, int | np.integer) and not isinstance(step, bool)
    if not whole or not 0 <= step <= 30:
        raise ParameterError(
            f"A ladder has steps 0, 1, 2, ..., not {show(step)}.",
            got=f"step={show(step)}",
            need="a whole number from 0 to 30",
            do="[model.ladder(step) for step in range(6)]",
        )
    return 2 ** int(step)


def count(model: Model, name: str, least: int = 1) -> None:
    """Refuse a parameter that is no whole number of at least so much."""
    value = getattr(model, name)
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise ParameterError(
            f"The '{name}' parameter of {type(model).__name__} counts something.",
            got=f"{name}={show(value)}",
            need=f"a whole number >= {least}",
            do=f"pm.models.{type(model).__name__}({name}={least})",
        )


def positive(model: Model, name: str) -> None:
    """Refuse a parameter that is no finite number > 0."""
    value = getattr(model, name)
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf"):
        raise ParameterError(
            f"The '{name}' parameter of {type(model).__name__} is a size.",
            got=f"{name}={show(value)}",
            need="a finite number > 0",
            do=f"pm.models.{type(model).__name__}({name}=1.0)",
        )


def spread(on: Space, n: int, random_state: int = 0) -> np.ndarray | None:
    """n different points of a space, of shape (n, *shape), or None."""
    members = on.enumerate()
    drawn = on.sample(2 * n + 8, random_state) if members is None else members
    rows = np.unique(np.asarray(drawn).reshape(len(drawn), -1), axis=0)
    if len(rows) < n:
        return None
    # Evenly from the sorted ones: neighbours would make the weights large.
    return rows[np.linspace(0, len(rows) - 1, n).round().astype(int)].reshape(n, *on.shape)


def line(on: Space, n: int) -> np.ndarray | None:
    """n equally spaced points of a space on a line along an axis, exactly, in rising order."""
    try:
        points = collinear(on, n)
    except OverflowError:
        # Far from 0 the numbers are too far apart.
        return None
    if points is None:
        return None
    rows = points.reshape(n, -1)
    moving = np.flatnonzero((rows != rows[0]).any(axis=0))
    if len(moving) != 1:
        return None
    places = [Fraction(t) for t in rows[:, moving[0]].tolist()]
    steps = {b - a for a, b in pairwise(places)}
    return points if len(steps) == 1 and min(steps) > 0 else None


def typed(tags: Any, task: str) -> Any:
    """The tags of a regressor or a classifier; of neither while the task is open."""
    if task == "regression":
        tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
    elif task == "classification":
        tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
    return tags
