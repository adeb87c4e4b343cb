"""The contests: one model class, several feature maps, the same folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from ..decide import decide
from ..map import FeatureMap
from ..maps.affine import Standardize
from ..maps.columns import Columns
from ..maps.filters import PatchPCAConv2d
from ..maps.pointwise import CRelu
from ..maps.pool import AvgPool2d
from ..maps.random_fourier import RandomFourier
from ..maps.vector import Flatten, Identity
from ..models import MLP, Linear
from ..proof import Verdict
from ..property import Continuous, Injective, Lipschitz, LowerLipschitz, Property, Universal
from ..spaces import Box, Images, Space

__all__ = ["Candidate", "Contest", "Result", "Task", "contest", "digits", "wine"]

ASKED: tuple[Property, ...] = (Continuous, Injective, Lipschitz, LowerLipschitz)


@final
@dataclass(frozen=True)
class Candidate:
    """A feature map with its name, its formula and the reason for it.

    Parameters
    ----------
    name, formula, why : str
    map : FeatureMap
        Open or closed.
    """

    name: str
    formula: str
    why: str
    map: FeatureMap


@final
@dataclass(frozen=True)
class Task:
    """Data with the space in which they live, and the maps that compete on them.

    Parameters
    ----------
    name : str
    X : ndarray or data frame
    y : ndarray
    space : Space
    candidates : tuple of Candidate
    """

    name: str
    X: Any
    y: np.ndarray
    space: Space
    candidates: tuple[Candidate, ...]


@final
@dataclass(frozen=True)
class Result:
    """How one map did, and what is known of it.

    Parameters
    ----------
    candidate : Candidate
    wrong, total : int
        Test points that were misclassified, and all of them.
    dimension : int
        Of φ(x).
    closed : FeatureMap
        The map bound to all of the data, of which the verdicts speak.
    verdicts : tuple of Verdict
        The last one is on MLP() @ φ and universality.
    """

    candidate: Candidate
    wrong: int
    total: int
    dimension: int
    closed: FeatureMap
    verdicts: tuple[Verdict, ...]

    @property
    def error(self) -> float:
        """Percent of the test points."""
        return 100 * self.wrong / self.total

    @property
    def shown(self) -> str:
        """The error as it is printed everywhere."""
        return f"{self.error:.2f} %"


@final
@dataclass(frozen=True)
class Contest:
    """The results of a task.

    Parameters
    ----------
    task : Task
    model : Linear
        With the same parameters for every map.
    folds : int
    results : tuple of Result
    """

    task: Task
    model: Linear
    folds: int
    results: tuple[Result, ...]

    def of(self, name: str) -> Result:
        """The result of the map with this name."""
        return next(r for r in self.results if r.candidate.name == name)


def digits(filters: int = 9) -> Task:
    """Handwritten digits of 8 x 8 pixels, and four feature maps.

    Parameters
    ----------
    filters : int
        How many filters the convolution layer learns.

    Returns
    -------
    Task
    """
    X, y = load_digits(return_X_y=True)
    z = PatchPCAConv2d(n_filters=filters, kernel_size=3, padding=1)
    features = 32 * filters
    return Task(
        "digits",
        (X / 16).reshape(-1, 1, 8, 8),
        y,
        Images(1, 8, 8, 0, 1),
        (
            Candidate(
                "raw pixels", "φ(x) = x", "Nothing is done: the point of comparison.", Flatten()
            ),
            Candidate(
                "random Fourier features",
                "φ(x) = √(2/d) (cos w·x, sin w·x) for random w",
                "Linear functions of these approximate those of a Gaussian kernel machine.",
                RandomFourier(n_components=features, gamma="scale", random_state=0) @ Flatten(),
            ),
            Candidate(
                "pre-activation z, pooled",
                "φ(x) = averages of z = w ∗ x + b over 2 x 2 windows",
                "One convolution layer, without its activation function. The filters w are the "
                "principal components of the patches of the training images; no label is used.",
                Flatten() @ AvgPool2d(2) @ z,
            ),
            Candidate(
                "activation a, pooled",
                "φ(x) = averages of a = (ReLU(z), ReLU(−z)) over 2 x 2 windows",
                "The same filters, followed by the activation function.",
                Flatten() @ AvgPool2d(2) @ CRelu() @ z,
            ),
        ),
    )


HAND_BUILT = (
    "log(flavanoids)",
    "log(color_intensity)",
    "log(hue)",
    "log(proline)",
    "alcohol",
    "alcalinity_of_ash / ash",
)


def wine() -> Task:
    """Chemical analyses of wines from three cultivars, and hand-built columns.

    Returns
    -------
    Task
    """
    data = load_wine(as_frame=True)
    X, y = data.data, data.target.to_numpy()
    low, high = X.min().to_numpy(), X.max().to_numpy()
    used = (
        "flavanoids",
        "color_intensity",
        "hue",
        "proline",
        "alcohol",
        "alcalinity_of_ash",
        "ash",
    )
    ranges: dict[str, Any] = {name: (float(X[name].min()), float(X[name].max())) for name in used}
    built = Columns(*HAND_BUILT, **ranges)
    return Task(
        "wine",
        X,
        y,
        Box(low, high),
        (
            Candidate("all 13 columns", "φ(x) = x", "What the table holds.", Identity()),
            Candidate(
                "7 of the columns",
                "φ(x) = (" + ", ".join(used) + ")",
                "The columns that the hand-built map reads, as they are.",
                Columns(*used),
            ),
            Candidate(
                "6 hand-built columns",
                "φ(x) = (" + ", ".join(HAND_BUILT) + ")",
                "Concentrations are compared by their ratios. Logarithms turn ratios into "
                "differences, which a linear model can weigh; alkalinity is taken per unit of ash.",
                built,
            ),
            Candidate(
                "hand-built and all columns",
                "φ(x) = (hand-built columns, x)",
                "Side by side, so that nothing of x is lost.",
                built & Identity(),
            ),
        ),
    )


def contest(task: Task, folds: int = 5, say: Callable[[str], None] = lambda line: None) -> Contest:
    """Cross-validate one linear model behind every map of a task, and decide what is known.

    Parameters
    ----------
    task : Task
    folds : int
    say : callable
        Is told of each step.

    Returns
    -------
    Contest
    """
    model = Linear()
    results = []
    for candidate in task.candidates:
        wrong = _wrong(model @ (Standardize() @ candidate.map), task.X, task.y, folds)
        closed = clone(candidate.map).bind(task.X)
        dimension = int(np.prod(closed.out_shape(task.space.shape)))
        verdicts = known(closed, task.space)
        result = Result(candidate, wrong, len(task.y), dimension, closed, verdicts)
        say(f"  {candidate.name:<28} d = {dimension:>4}   {result.shown:>8} errors")
        results.append(result)
    return Contest(task, model, folds, tuple(results))


def known(
    closed: FeatureMap, space: Space, asked: Sequence[Property] = ASKED
) -> tuple[Verdict, ...]:
    """The verdicts on a map, and whether it keeps the universality of networks."""
    return (
        *(decide(closed, goal, on=space) for goal in asked),
        decide(MLP() @ closed, Universal, on=space),
    )


def _wrong(learner: Any, X: Any, y: np.ndarray, folds: int) -> int:
    """How many points are misclassified when each is predicted by a model that has not seen it."""
    rows = X.iloc if hasattr(X, "iloc") else X
    splits = StratifiedKFold(folds, shuffle=True, random_state=0).split(y, y)
    # The matrices are small: with several threads the solver spends its time waiting for them.
    with threadpool_limits(1):
        return sum(
            int((learner.fit(rows[train], y[train]).predict(rows[test]) != y[test]).sum())
            for train, test in splits
        )
