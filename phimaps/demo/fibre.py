"""Two images that a layer a(x) = ReLU(Wx + b) cannot tell apart, found by linear programming.

With A the units that are active at x, the images that have the same activations as x form the
polyhedron {y : W_A y = W_A x, W_j y + b_j <= 0 for j not in A}, cut with the bounds of the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.optimize import linprog

from ..maps.conv import Conv2d
from ..maps.pointwise import Relu
from ..witness import Collision

__all__ = ["Lookalike", "closest_in_fibre", "lookalike"]

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


def closest_in_fibre(
    weight: np.ndarray, bias: np.ndarray, x: np.ndarray, target: np.ndarray
) -> np.ndarray | None:
    """The y in [0, 1]^n with ReLU(Wy + b) = ReLU(Wx + b) that is closest to a target in l1.

    Parameters
    ----------
    weight, bias : ndarray of shape (m, n) and (m,)
    x, target : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,), or None when the solver gives up
        Right up to the rounding of the solver: verify it.
    """
    n, active = x.size, weight @ x + bias > 0
    eye, none = np.eye(n), np.zeros((int((~active).sum()), n))
    # The variables are y and s; minimising the sum of s >= |y - target| makes them equal.
    upper = np.block([[eye, -eye], [-eye, -eye], [weight[~active], none]])
    limits = np.concatenate([target, -target, -bias[~active]])
    equal = np.hstack([weight[active], np.zeros((int(active.sum()), n))])
    answer = linprog(
        np.repeat([0.0, 1.0], n),
        upper,
        limits,
        equal if active.any() else None,
        weight[active] @ x if active.any() else None,
        bounds=[(0.0, 1.0)] * n + [(0.0, None)] * n,
        method="highs",
    )
    return np.clip(answer.x[:n], 0.0, 1.0) if answer.status == 0 else None


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
    weight, bias = z.matrix(images.shape[1:]).T, z(np.zeros_like(images[:1])).ravel()
    rng = np.random.default_rng(random_state)
    best: Lookalike | None = None
    for _ in range(pairs):
        start = int(rng.integers(len(images)))
        target = int(rng.choice(np.flatnonzero(labels != labels[start])))
        x = images[start]
        found = closest_in_fibre(weight, bias, x.ravel(), images[target].ravel())
        if found is None:
            continue
        because = "numerically: a linear program over the fibre of x, solved in floating point"
        pair = Collision(x, found.reshape(x.shape), because, exact=False)
        distance = float(np.sqrt(np.mean((pair.x - pair.y) ** 2)))
        if distance > (best.distance if best else VISIBLE) and pair.verify(Relu() @ z):
            best = Lookalike(
                collision=pair,
                target=images[target],
                start_label=int(labels[start]),
                target_label=int(labels[target]),
                gap=pair.gap(Relu() @ z),
                distance=distance,
                tried=pairs,
            )
    return best
