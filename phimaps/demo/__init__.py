"""The demonstration behind ``python -m phimaps demo``: every figure is computed when it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from ..decide import decide
from ..maps.conv import Conv2d
from ..maps.filters import PatchPCAConv2d
from ..maps.pointwise import CRelu, Relu
from ..proof import Verdict
from ..property import Injective
from .fibre import Lookalike, lookalike
from .layers import Layer, photograph, through_layer
from .tasks import Contest, Task, contest, digits, wine

__all__ = ["Demo", "Twins", "run", "twins"]


@final
@dataclass(frozen=True)
class Twins:
    """A layer of few filters, what is known of it, and two images that it merges.

    Parameters
    ----------
    z : Conv2d
    verdicts : tuple of Verdict
        Whether z, ReLU(z) and (ReLU(z), ReLU(-z)) are injective.
    found : Lookalike or None
    """

    z: Conv2d
    verdicts: tuple[Verdict, Verdict, Verdict]
    found: Lookalike | None


@final
@dataclass(frozen=True)
class Demo:
    """Everything that the page shows.

    Parameters
    ----------
    digits, wine : Contest
    twins : tuple of Twins
        For layers of one filter, two filters, ...
    digit, photo : Layer
    seconds : float
        That the computation took.
    """

    digits: Contest
    wine: Contest
    twins: tuple[Twins, ...]
    digit: Layer
    photo: Layer
    seconds: float


def run(
    folds: int = 5,
    filters: int = 9,
    pairs: int = 150,
    say: Callable[[str], None] = lambda line: None,
) -> Demo:
    """Compute everything.

    Parameters
    ----------
    folds : int
        Of the cross-validation.
    filters : int
        Of the convolution layer.
    pairs : int
        How many pairs of digits are tried in the search for two that a layer merges.
    say : callable
        Is told of each step.

    Returns
    -------
    Demo

    Raises
    ------
    DependencyError
        When Pillow is not installed; before anything is computed.
    """
    start = time.perf_counter()
    photo = photograph()
    task = digits(filters)
    say(f"digits: {len(task.y)} images, {folds}-fold cross-validation of one linear model behind")
    on_digits = contest(task, folds, say)
    say(f"wine: {len(wine().y)} wines, the same model behind")
    on_wine = contest(wine(), folds, say)
    say("two images that a convolution layer with ReLU cannot tell apart")
    found = tuple(twins(task, count, pairs, say) for count in (1, 2, 3))
    say("activation maps")
    digit = through_layer(task.X, filters, size=3, padding=1, shown=2)
    picture = through_layer(photo, 6, size=5, padding=0)
    return Demo(on_digits, on_wine, found, digit, picture, time.perf_counter() - start)


def twins(
    task: Task, count: int, pairs: int, say: Callable[[str], None] = lambda line: None
) -> Twins:
    """Look for two images that a layer of `count` filters and a ReLU merges.

    Parameters
    ----------
    task : Task
        Of images.
    count, pairs : int
    say : callable

    Returns
    -------
    Twins
    """
    z = PatchPCAConv2d(n_filters=count, kernel_size=3, padding=1).bind(task.X)
    asked = (z, Relu() @ z, CRelu() @ z)
    first, second, third = (decide(phi, Injective, on=task.space) for phi in asked)
    found = lookalike(z, task.X, task.y, pairs)
    change = "none found" if found is None else f"pixels differ by {found.distance:.3f} (rms)"
    gap = "" if found is None else f", activations by {found.gap:.1e}"
    say(f"  {count} filter{'s' if count > 1 else ' '}: {change}{gap}")
    return Twins(z, (first, second, third), found)
