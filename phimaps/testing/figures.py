"""Configurations of points at which kernels lose functions, taken wherever a space has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, final

import numpy as np

from ..kernels import Kernel
from ..spaces import Space, Sphere
from .precise import mpmath

__all__ = ["SIGNS", "Figure", "figures"]

SIGNS = np.array([1.0, -1.0])


@final
@dataclass(frozen=True, eq=False)
class Figure:
    """Points, with the weights to try; without weights those that the matrix loses most.

    `exact` makes the points anew with more digits, where they are rounded.
    """

    name: str
    points: np.ndarray
    weights: np.ndarray | None = None
    exact: Callable[[], np.ndarray] | None = None


def figures(on: Space, kernel: Kernel, rng: np.random.Generator) -> Iterator[Figure]:
    """Figures, some of which may not lie in the space or have a point twice.

    Parameters
    ----------
    on : Space
    kernel : Kernel
        Its periods are tried.
    rng : Generator
    """
    members = on.enumerate()
    if members is not None:
        some = members if len(members) <= 24 else members[rng.permutation(len(members))[:24]]
        yield Figure("points", some)
        yield from (Figure("corners of a rectangle", r) for r in _rectangles_among(some))
    base = some[:8] if members is not None else _base(on, rng)
    for x in base:
        yield Figure("point", x[None])
    for x in base:
        if x.any():
            yield Figure("opposite points", np.stack([x, -x]), SIGNS)
            yield Figure("opposite points", np.stack([x, -x]), np.ones(2))
            for t in (2.0, 0.5, 1.25, 1.0625):
                yield Figure("points x and tx", np.stack([x, t * x]))
                yield Figure("points x, tx and 0", np.stack([x, t * x, 0 * x]))
                yield Figure("points x, tx and t²x", np.stack([x, t * x, t**2 * x]))
    if members is None:
        yield from _spread(on, kernel, base, rng)


def _base(on: Space, rng: np.random.Generator) -> np.ndarray:
    low, high = on.bounds()
    ends = np.where(np.isfinite(low), low, -1.0), np.where(np.isfinite(high), high, 1.0)
    middle = ends[0] / 2 + ends[1] / 2
    corner = np.where(np.arange(on.size).reshape(on.shape) == 0, ends[1], 0.0)
    special = np.stack([0 * middle, middle, *ends, corner, middle / 2 + ends[1] / 2])
    return np.concatenate([special, on.sample(6, rng)])


def _spread(on: Space, kernel: Kernel, base: np.ndarray, rng: Any) -> Iterator[Figure]:
    low, high = on.bounds()
    width = np.where(np.isfinite(high - low), high - low, 4.0)
    start = np.where(np.isfinite(low), low, np.minimum(high, 2.0) - 4.0)
    flat = np.eye(on.size).reshape(on.size, *on.shape)
    axes = range(min(on.size, 3))
    for p in sorted({*_periods(kernel), 0.5, 1.0, 2.0}):
        for x in base[:4]:
            for i in axes:
                yield Figure("points a period apart", np.stack([x, x + p * flat[i]]), SIGNS)
    if len(on.shape) == 1 and on.size >= 2:
        yield from _polygons(on)
    for i, j in combinations(axes, 2):
        for a, b in ((0.25, 0.75), (0.0, 1.0), (0.125, 0.5)):
            one, two = (b - a) * width * flat[i], (b - a) * width * flat[j]
            x = start + a * width
            yield Figure(
                "rectangle", np.stack([x, x + one, x + one + two, x + two]), _alternating(4)
            )
    for n in (3, 4, 6, 8, 12):
        for i in axes:
            steps = np.arange(n).reshape(-1, *[1] * len(on.shape)) / 16
            middle = start + width / 2
            line = middle + (steps - (n - 1) / 32) * width * flat[i]
            yield Figure("equally spaced points", line)
    ball = np.abs(rng.standard_normal((12, *on.shape)))
    yield Figure("random points", on.nearest(ball))
    for n in (5, 12, 24):
        yield Figure("random points", on.sample(n, rng))


def _alternating(n: int) -> np.ndarray:
    return np.resize(SIGNS, n)


def _periods(kernel: Any) -> Iterator[float]:
    """The numbers called periods inside a kernel."""
    for name, held in vars(kernel).items():
        for one in held if isinstance(held, list | tuple) else [held]:
            if isinstance(one, Kernel):
                yield from _periods(one)
            elif name == "period" and np.ndim(one) == 0 and isinstance(one, int | float):
                yield float(one)


def _polygons(on: Space) -> Iterator[Figure]:
    if isinstance(on, Sphere):
        centers = [(on.center, on.radius)]
    else:
        room = np.minimum(-on.bounds()[0], on.bounds()[1])[:2].min()
        centers = [(np.zeros(on.size), r * min(float(room), 4.0)) for r in (0.5, 0.99)]
    for center, radius in centers:
        if not radius > 0:
            continue
        for n in (4, 6, 3, 5, 8, 12):

            def corners(center: Any = center, radius: Any = radius, n: int = n) -> np.ndarray:
                out = np.zeros((n, len(center)), dtype=object)
                for k in range(n):
                    turn = 2 * mpmath.mpf(k) / n
                    plane = (mpmath.cospi(turn), mpmath.sinpi(turn))
                    for i in range(len(center)):
                        out[k, i] = mpmath.mpf(float(center[i]))
                        out[k, i] += mpmath.mpf(float(radius)) * plane[i] if i < 2 else 0
                return out

            with mpmath.workdps(30):
                rounded = corners().astype(np.float64)
            if n % 2 == 0:
                yield Figure(f"regular {n}-gon", rounded, _alternating(n), corners)
            yield Figure(f"regular {n}-gon", rounded, None, corners)


def _rectangles_among(points: np.ndarray) -> Iterator[np.ndarray]:
    known = {x.tobytes() for x in points}
    for x, y in combinations(points, 2):
        differ = np.argwhere(x != y)
        if len(differ) == 2:
            one, two = x.copy(), x.copy()
            one[tuple(differ[0])], two[tuple(differ[1])] = y[tuple(differ[0])], y[tuple(differ[1])]
            if {one.tobytes(), two.tobytes()} <= known:
                yield np.stack([x, one, y, two])
