"""Grids whose points are within a given distance of every point of a box."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import ceil, prod, sqrt

import numpy as np

from ..interval import EPS

__all__ = ["axes_product", "grid", "rounding_unit"]

TINY = float(np.finfo(np.float64).tiny)
# Covers the relative rounding of the handful of operations that divide up the radius.
SHRINK = 1 - 1e-9


def rounding_unit(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """By how much a computed point between the ends may be off, in each coordinate."""
    return 8 * (EPS * np.maximum(np.abs(low), np.abs(high)) + TINY)


def grid(
    low: np.ndarray, high: np.ndarray, h: float, scale: np.ndarray | float = 1.0
) -> tuple[int, Callable[[], np.ndarray]]:
    """A grid in the box such that each of its points is within h of a grid point.

    The distance is |s ⊙ (x - y)| for the scales s. With the coordinates cut into cells of half
    width δ_i, every point is within |s ⊙ δ| of the middle of a cell. Coordinates that are short
    beside h get a single cell, and the others share equally what those leave of h².

    Parameters
    ----------
    low, high : ndarray of shape (d,), finite
    h : float
        Positive.
    scale : ndarray of shape (d,) or float
        Positive.

    Returns
    -------
    count, build
        The number of points, and what makes them as an array of shape (count, d). The count is -1
        where the points are rounded by more than h.
    """
    size = len(low)
    scales = np.broadcast_to(np.asarray(scale, dtype=np.float64), (size,))
    flat = low == high
    unit = np.where(flat, 0.0, rounding_unit(low, high))
    with np.errstate(over="ignore"):
        # In units of h, so that nothing overflows in the squares below.
        half = np.where(flat, 0.0, (high / 2 - low / 2) * scales / h + unit * scales / h)
        noise = unit * scales / h
    budget, cells = SHRINK, [1] * size
    order = np.argsort(half, kind="stable")
    for k, i in enumerate(order):
        left = size - k
        share = sqrt(max(budget, 0.0) / left)
        if half[i] <= share:
            budget -= float(half[i]) ** 2
            continue
        # This one and all longer ones are cut into cells.
        for j in order[k:]:
            room = share - float(noise[j])
            if room < share / 2:
                return -1, lambda: np.zeros((0, size))
            cells[j] = ceil(min(float(half[j]) / room * (1 + 1e-9), 1e300))
        break
    # Few numbers of cells differ, and powers are cheaper than products.
    count = prod(n**times for n, times in Counter(cells).items())
    return count, lambda: axes_product(
        [_middles(float(a), float(b), n) for a, b, n in zip(low, high, cells, strict=True)]
    )


def _middles(low: float, high: float, cells: int) -> np.ndarray:
    if low == high:
        return np.array([low])
    place = (2 * np.arange(cells) + 1) / (2 * cells)
    return np.clip(low * (1 - place) + high * place, low, high)


def axes_product(pieces: list[np.ndarray]) -> np.ndarray:
    """All points whose i-th part is one of the i-th piece; pieces of shape (n_i,) or (n_i, d_i)."""
    columns = [p[:, None] if p.ndim == 1 else p for p in pieces]
    # An array has at most 64 axes, so only parts that leave a choice get one.
    shape = [len(c) for c in columns if len(c) != 1]
    count, index = prod(shape), iter(np.indices(shape, sparse=True))
    one = np.zeros(count, dtype=int)
    parts = [
        c[one if len(c) == 1 else np.broadcast_to(next(index), shape).ravel()] for c in columns
    ]
    return np.concatenate(parts, axis=1)
