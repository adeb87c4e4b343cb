"""Functions that a model class is asked to approximate, each with what is known of its slope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf, prod
from typing import Any, final

import numpy as np

from ..drawn import generator
from ..errors import InputError, ParameterError, ShapeError, show
from ..map import FeatureMap
from ..rows import apply
from ..spaces import Space
from .fibres import closed_on

__all__ = ["Target", "given", "standard"]

# Values that a random Lipschitz function is made of; waves that make a random smooth one.
ANCHORS, WAVES = 6, 200
# Length scales of random smooth functions, as parts of the diameter of the space.
LENGTHS = (0.5, 0.25)
# Products of so many coordinates at most.
FACTORS = 6


@final
@dataclass(frozen=True, eq=False)
class Target:
    """g: K → R, continuous, with a bound on its slope.

    Parameters
    ----------
    name : str
    function : callable
        From points of shape (n, *point) to n numbers.
    slope : float, default inf
        |g(x) - g(y)| <= slope · d(x, y) for all x, y; inf where none is known.

    Examples
    --------
    >>> import phimaps as pm
    >>> first, *_ = standard(pm.Box([0.0], [1.0]))
    >>> first.name, first.slope, first(np.array([[0.0], [1.0]])).shape
    ('distance to a point', 1.0, (2,))
    """

    name: str
    function: Callable[[np.ndarray], Any]
    slope: float = inf

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """g at points.

        Parameters
        ----------
        points : ndarray of shape (n, *point)

        Returns
        -------
        ndarray of shape (n,)

        Raises
        ------
        ShapeError, InputError
            When there is not one finite number for each point.
        """
        held = np.asarray(self.function(np.array(points, dtype=np.float64)), dtype=np.float64)
        if held.shape not in ((len(points),), (len(points), 1)):
            raise ShapeError(
                f"The target {self.name!r} has one number for each point.",
                got=f"shape {held.shape} for {len(points)} points",
                need=f"shape ({len(points)},)",
                do="one coordinate of the target at a time",
            )
        values = held.reshape(len(points))
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise InputError(
                f"The target {self.name!r} is not finite on the space.",
                got=f"{values[bad[0]]} at {show(np.asarray(points[bad[0]]).ravel()[:8].tolist())}",
                need="a continuous function on all of the space",
                do="a smaller space, or another target",
            )
        return values


def given(targets: Any, on: Space) -> list[Target]:
    """The targets that a user gives: functions or maps, one or several, with names or without.

    Raises
    ------
    ParameterError
        When there is none, or one that is no function.
    """
    if isinstance(targets, Target | FeatureMap) or callable(targets):
        targets = [targets]
    if isinstance(targets, Mapping):
        named = [(str(name), g) for name, g in targets.items()]
    elif isinstance(targets, Iterable) and not isinstance(targets, str | bytes):
        named = [(_named(g, i), g) for i, g in enumerate(targets)]
    else:
        named = []
    bad = [g for _, g in named if not callable(g)]
    if bad or not named:
        raise ParameterError(
            "Targets are functions on the space.",
            got=f"targets={show(bad[0] if bad else targets)}",
            need="callables on points of shape (n, *point), or maps with one feature",
            do="targets={'g': lambda x: x[:, 0]}",
        )
    return [_target(name, g, on) for name, g in named]


def _named(g: Any, place: int) -> str:
    own = getattr(g, "name", None) or getattr(g, "__name__", "")
    return own if isinstance(own, str) and own and own != "<lambda>" else f"target {place}"


def _target(name: str, g: Any, on: Space) -> Target:
    if isinstance(g, Target):
        return g
    if isinstance(g, FeatureMap):
        closed = closed_on(g, on, "A target")
        return Target(name, lambda x: apply(closed, x).flatten(1).numpy())
    return Target(name, g)


def standard(on: Space, random_state: int = 0) -> list[Target]:
    """Targets of several kinds on any space: rough and smooth, of one coordinate and of many.

    Distances to two random points; a random function of slope 1; on a space with the Euclidean
    distance also draws of Gaussian processes at two length scales, and products of two or more
    coordinates, which are parities on the corners of a box.

    Parameters
    ----------
    on : Space
        Compact.
    random_state : int, default 0
    """
    rng = generator((random_state, 1))
    places = on.sample(2 + ANCHORS, rng)
    result = [
        Target("distance to a point", cone(on, places[0]), 1.0),
        Target("distance to another point", cone(on, places[1]), 1.0),
        random_lipschitz(on, places[2:], rng),
    ]
    if on.euclidean:
        result += [g for part in LENGTHS if (g := random_waves(on, part, rng)) is not None]
        result += products(on)
    return result


def cone(on: Space, point: np.ndarray, height: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    """x ↦ height + d(x, point); of all functions of slope 1 with that value the greatest."""
    return lambda x: height + on.distance(x, np.broadcast_to(point, x.shape))


def random_lipschitz(on: Space, anchors: np.ndarray, rng: np.random.Generator) -> Target:
    """x ↦ min_i (v_i + d(x, a_i)), McShane's extension of random values v_i."""
    heights = rng.uniform(0.0, on.diameter / 3, len(anchors))
    cones = [cone(on, a, h) for a, h in zip(anchors, heights, strict=True)]
    return Target("a random function of slope 1", lambda x: np.min([c(x) for c in cones], 0), 1.0)


def random_waves(on: Space, part: float, rng: np.random.Generator) -> Target | None:
    """A random sum of waves with covariance exp(-|x - y|² / 2ℓ²), ℓ a part of the diameter."""
    length = part * on.diameter
    if not length:
        return None
    # With amplitudes and phases drawn as well, the covariance is exact for any number of waves.
    frequency = rng.standard_normal((on.size, WAVES)) / length
    phase = rng.uniform(0.0, 2 * np.pi, WAVES)
    height = rng.standard_normal(WAVES) * np.sqrt(2 / WAVES)
    slope = float(np.abs(height) @ np.linalg.norm(frequency, axis=0))

    def value(x: np.ndarray) -> np.ndarray:
        return np.cos(x.reshape(len(x), -1) @ frequency + phase) @ height

    return Target(f"a Gaussian process of length {length:.3g}", value, slope * (1 + 1e-12))


def products(on: Space) -> list[Target]:
    """Products of coordinates, each moved and scaled to [-1, 1]."""
    low, high = (end.ravel() for end in on.bounds())
    middle, half = low / 2 + high / 2, high / 2 - low / 2
    wide = np.flatnonzero(half > 0)
    result = []
    for count in sorted({min(len(wide), 2), min(len(wide), FACTORS)} - {0, 1}):
        some = wide[:count]

        def value(x: np.ndarray, some: np.ndarray = some) -> np.ndarray:
            scaled = (x.reshape(len(x), -1)[:, some] - middle[some]) / half[some]
            return np.asarray(prod(scaled.T))

        slope = float(np.sqrt((1 / half[some] ** 2).sum())) * (1 + 1e-12)
        result.append(Target(f"the product of {count} coordinates", value, slope))
    return result
