"""Two digits that a layer a(x) = ReLU(Wx + b) cannot tell apart, the best of many pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from ..cnn import collide
from ..maps.conv import Conv2d
from ..maps.pointwise import Relu
from ..witness import Collision

__all__ = ["Lookalike", "lookalike"]

# Root mean square change of the pixels, below which two images would look the same.
VISIBLE = 0.01


@final
@dataclass(frozen=True)
class Lookalike:
    """A digit, and a different image with the same activations.

    Parameters
    ----------
    collision : Collision
        The two images.
    target : ndarray
        The digit of another class towards which the second image was drawn.
    start_label, target_label : int
    gap : float
        The greatest difference of activations, computed in float64.
    distance : float
        The root mean square difference of the pixels.
    tried : int
        How many pairs of digits were tried.
    """

    collision: Collision
    target: np.ndarray
    start_label: int
    target_label: int
    gap: float
    distance: float
    tried: int


def lookalike(
    z: Conv2d, images: np.ndarray, labels: np.ndarray, pairs: int = 100, random_state: int = 0
) -> Lookalike | None:
    """Of several pairs of digits, the one whose first member can be changed most.

    Parameters
    ----------
    z : Conv2d
        The layer before its ReLU.
    images, labels : ndarray
    pairs : int
        How many pairs of digits of different classes to try.
    random_state : int

    Returns
    -------
    Lookalike, or None when every change that was found is lost in rounding
    """
    rng = np.random.default_rng(random_state)
    best: Lookalike | None = None
    for _ in range(pairs):
        start = int(rng.integers(len(images)))
        target = int(rng.choice(np.flatnonzero(labels != labels[start])))
        found = collide(Relu() @ z, images[start], toward=images[target], least=VISIBLE)
        if found.holds and found.rms > (best.distance if best else VISIBLE):
            best = Lookalike(
                collision=found.collision,
                target=images[target],
                start_label=int(labels[start]),
                target_label=int(labels[target]),
                gap=found.gap,
                distance=found.rms,
                tried=pairs,
            )
    return best
