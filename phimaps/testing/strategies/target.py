"""Continuous functions on a space, to be approximated, as a Hypothesis strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ...errors import InputTypeError, show
from ...spaces import Space
from .drawing import Ground, Reader, hypothesis_strategies

__all__ = ["Target", "targets"]

# How many cones a function has at most.
CONES = 4


class Target(ABC):
    """A continuous function on a space, x of shape (n, *shape) to y of shape (n,); abstract."""

    on: Space

    def __call__(self, x: Any) -> np.ndarray:
        return self._values(self.on.points(x))

    @abstractmethod
    def _values(self, x: np.ndarray) -> np.ndarray:
        """The values at points that have the right shape."""


@final
@dataclass(frozen=True, eq=False)
class Distance(Target):
    """x ↦ d(x, point), which is 1-Lipschitz."""

    on: Space
    point: np.ndarray

    def _values(self, x: np.ndarray) -> np.ndarray:
        return self.on.distance(x, np.broadcast_to(self.point, x.shape))

    def __repr__(self) -> str:
        return f"Distance to {self.point.tolist()}"


@final
@dataclass(frozen=True, eq=False)
class Cones(Target):
    """x ↦ min over i of height_i + slope d(x, apex_i), which is slope-Lipschitz."""

    on: Space
    apexes: np.ndarray
    heights: np.ndarray
    slope: float

    def _values(self, x: np.ndarray) -> np.ndarray:
        far = [self.on.distance(x, np.broadcast_to(p, x.shape)) for p in self.apexes]
        return (self.heights[:, None] + self.slope * np.array(far)).min(axis=0)

    def __repr__(self) -> str:
        tips = zip(self.apexes.tolist(), self.heights.tolist(), strict=True)
        tops = ", ".join(f"{height:g} at {apex}" for apex, height in tips)
        return f"Cones of slope {self.slope:g} with tips {tops}"


@final
@dataclass(frozen=True, eq=False)
class Polynomial(Target):
    """x ↦ Σ c x_i ... x_j over its terms (c, i, ..., j), in the flattened coordinates."""

    on: Space
    terms: tuple[tuple[Any, ...], ...]

    def _values(self, x: np.ndarray) -> np.ndarray:
        flat, total = x.reshape(len(x), self.on.size), np.zeros(len(x))
        for factor, *places in self.terms:
            total = total + factor * flat[:, places].prod(axis=1)
        return total

    def __repr__(self) -> str:
        texts = [" ".join([f"{c:g}", *(f"x{i}" for i in at)]) for c, *at in self.terms]
        return "Polynomial " + " + ".join(texts)


@final
@dataclass(frozen=True, eq=False)
class Wave(Target):
    """x ↦ cos(w·x + shift), in the flattened coordinates."""

    on: Space
    frequency: np.ndarray
    shift: float

    def _values(self, x: np.ndarray) -> np.ndarray:
        return np.cos(x.reshape(len(x), self.on.size) @ self.frequency + self.shift)

    def __repr__(self) -> str:
        return f"Wave cos(w·x + {self.shift:g}) with w={self.frequency.tolist()}"


@final
@dataclass(frozen=True, eq=False)
class Greatest(Target):
    """x ↦ max over the flattened coordinates, or the least, or the range."""

    on: Space
    kind: str

    def _values(self, x: np.ndarray) -> np.ndarray:
        flat = x.reshape(len(x), self.on.size)
        if self.kind == "max":
            return flat.max(axis=1)
        return flat.min(axis=1) if self.kind == "min" else np.ptp(flat, axis=1)

    def __repr__(self) -> str:
        return f"Greatest, {self.kind} of the coordinates"


def targets(space: Space) -> Any:
    """Continuous functions on a space: distances, cones, polynomials, waves, extremes.

    Parameters
    ----------
    space : Space

    Returns
    -------
    SearchStrategy
        Of functions that take points of shape (n, *shape) and return float64 of shape (n,). Their
        `repr` is a formula. They shrink towards the distance to a simple point.

    Raises
    ------
    InputTypeError, DependencyError
        When it is no space; when Hypothesis is not installed.

    Examples
    --------
    >>> import phimaps as pm
    >>> from hypothesis import given, settings
    >>> on = pm.Box([-1.0, -1.0], [1.0, 1.0])
    >>> @settings(max_examples=20, database=None, derandomize=True)
    ... @given(targets(on))
    ... def no_jump(f):
    ...     x = on.sample(5)
    ...     assert abs(f(x) - f(x + 1e-9)).max() < 1e-6
    >>> no_jump()
    """
    st = hypothesis_strategies()
    if not isinstance(space, Space):
        raise InputTypeError(
            f"Functions on {show(space)} cannot be drawn.",
            got=type(space).__name__,
            need="a phimaps space",
            do="targets(pm.Box([0, 0], [1, 1]))",
        )
    # Coefficients that keep the values of the order of 1 on the space.
    ground = Ground(space)
    size = max(1.0, float(np.maximum(np.abs(ground.near), np.abs(ground.far)).max()))

    def target_of(made: bytes) -> Target:
        read = Reader(made)
        kind = read.pick(["distance", "polynomial", "cones", "wave", "greatest"])
        if kind == "distance":
            return Distance(space, ground.points([read.bytes(ground.length)])[0])
        if kind == "greatest":
            return Greatest(space, read.pick(["max", "min", "range"]))
        if kind == "wave":
            frequency = np.resize(read.numbers(min(space.size, 8), 0.25, 8), space.size) / size
            return Wave(space, frequency, float(read.numbers(1)[0]))
        if kind == "cones":
            n = 1 + read.below(CONES)
            slope, heights = 1 + 0.5 * read.below(6), read.numbers(n)
            return Cones(
                space, ground.points([read.bytes(ground.length) for _ in range(n)]), heights, slope
            )
        terms = []
        for _ in range(1 + read.below(4)):
            factor, degree = float(read.numbers(1)[0]), read.below(4)
            at = [(256 * read.below(256) + read.below(256)) % space.size for _ in range(degree)]
            terms.append((factor / size**degree, *at))
        return Polynomial(space, tuple(terms))

    length = 16 + CONES * ground.length
    return st.binary(min_size=length, max_size=length).map(target_of)
