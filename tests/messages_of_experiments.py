"""Wrong questions to experiments about classes of functions; texts in ``messages.txt``."""

from unittest.mock import patch

import numpy as np
import torch

import phimaps as pm
from phimaps.check.below import Bound, from_measure
from phimaps.check.study import Study

ask = pm.check.universality
line = pm.Box([-1.0], [1.0])
class_ = pm.models.MLP() @ pm.Power(2)
quick = pm.models.Linear() @ pm.Power(2)


def ones(x):
    return np.ones(len(x))


def mistaken(value, pulled):
    """A bound from below that is too great, as a wrong declaration would make it."""
    bound = Bound(
        value,
        "a mistake",
        True,
        "pair",
        pm.Collision(np.array([-1.0]), np.array([1.0]), "a mistake"),
    )
    with patch.object(Study, "_near", lambda *_: bound):
        ask(pulled, on=line, targets={"ramp": lambda x: x[:, 0]})


TABLE = {
    "universality of a map": lambda: ask(pm.Power(2), on=line),
    "universality on the line": lambda: ask(class_, on=pm.Euclidean(1)),
    "universality of an open map": lambda: ask(pm.models.MLP() @ pm.RandomFourier(4), on=line),
    "no budget": lambda: ask(class_, on=line, budget=0),
    "no tolerance": lambda: ask(class_, on=line, tolerance=-1.0),
    "no targets": lambda: ask(class_, on=line, targets=[]),
    "a target that is a number": lambda: ask(class_, on=line, targets={"g": 1.0}),
    "a target with a pole": lambda: ask(
        quick, on=line, targets={"g": lambda x: np.where(x[:, 0] < 0, np.inf, 0.0)}
    ),
    "a target with two columns": lambda: ask(
        quick, on=line, targets={"g": lambda x: np.concatenate([x, x], axis=1)[:3]}
    ),
    "features with a pole": lambda: ask(
        pm.models.Linear() @ pm.from_function(lambda x: torch.where(x < 0, torch.inf, x)), on=line
    ),
    "an assumption that a pair contradicts": lambda: ask(
        pm.models.MLP() @ pm.assume(pm.Power(2), pm.Injective, because="I say so"), on=line
    ),
    "a bound above an error": lambda: mistaken(3.0, class_),
    "a bound on a universal class": lambda: mistaken(1e-3, pm.models.MLP() @ pm.Power(3)),
    "a measure of no size": lambda: from_measure(
        pm.AnnihilatingMeasure([[0.0]], [np.inf], "it is infinite"), pm.check.Target("g", ones)
    ),
}
