"""Spaces of every kind that the library has, as a Hypothesis strategy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ParameterError, show
from ...spaces import (
    Ball,
    Box,
    Categories,
    Euclidean,
    Finite,
    Images,
    NonNegative,
    Product,
    Simplex,
    Space,
    Sphere,
    Subspace,
)
from .drawing import Reader, hypothesis_strategies

__all__ = ["BYTES", "space_of", "spaces"]

MOST = 4
# What the choices of a space take at most; when they are used up, the first ones are made.
BYTES = 48
LENGTHS = [1.0, 2.0, 0.5, 3.0, 20.0, 1e-3]
NAMES = ("red", "green", "blue", "black", "white")


def spaces(size: int | None = None) -> Any:
    """Spaces of any kind: boxes with and without their ends, round, flat, finite ones, products.

    Parameters
    ----------
    size : int, optional
        How many coordinates the points have, in one row. Default: between 1 and 4, or small images.

    Returns
    -------
    SearchStrategy
        Of spaces. They shrink towards R^1.

    Raises
    ------
    ParameterError, DependencyError
        When the size is no positive int; when Hypothesis is not installed.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=20, database=None, derandomize=True, deadline=None)
    ... @given(spaces())
    ... def samples_lie_inside(on):
    ...     assert on.contains(on.sample(10)).all()
    >>> samples_lie_inside()
    """
    st = hypothesis_strategies()
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
    if size is not None and not (whole and size > 0):
        raise ParameterError(
            f"Spaces of {show(size)} coordinates cannot be drawn.",
            got=f"size={show(size)}",
            need="a positive int, or None for any number",
            do="spaces(3)",
        )

    return st.binary(min_size=BYTES, max_size=BYTES).map(lambda made: space_of(made, size))


def space_of(made: bytes, size: int | None = None) -> Space:
    """The space that `BYTES` bytes stand for."""
    read = Reader(made)
    if size is not None:
        return _vectors(read, int(size))
    d = 1 + read.below(MOST + 1)
    return _vectors(read, d) if d <= MOST else _images(read)


def _vectors(read: Reader, d: int) -> Space:
    kinds = [_whole, _box, _ball, _flat, _listed]
    if d > 1:
        kinds += [_sphere, _simplex, _product]
    return read.pick(kinds)(read, d)


def _whole(read: Reader, d: int) -> Space:
    return NonNegative((d,)) if read.below(2) else Euclidean((d,))


def _box(read: Reader, d: int) -> Space:
    length = read.pick(LENGTHS)
    low = read.numbers(d) * length
    high = low + length * np.array([read.pick([1, 2]) for _ in range(d)])
    kind = read.pick(["bounded", "above", "below", "flat"])
    i = read.below(d)
    if kind == "flat":
        high[i] = low[i]
        return Box(low, high)
    low[i] = -np.inf if kind == "below" else low[i]
    high[i] = np.inf if kind == "above" else high[i]
    return Box(low, high, closed=read.pick(["both", "left", "right", "neither"]))


def _ball(read: Reader, d: int) -> Space:
    return Ball(read.numbers(d), read.pick(LENGTHS))


def _sphere(read: Reader, d: int) -> Space:
    radius, metric = read.pick(LENGTHS), read.pick(["chordal", "geodesic"])
    return Sphere(read.numbers(d), radius, metric=metric)


def _simplex(read: Reader, d: int) -> Space:
    return Simplex(d, read.pick(LENGTHS))


def _flat(read: Reader, d: int) -> Space:
    # Rows with a 1 of their own are linearly independent.
    k = 1 + read.below(d)
    slopes = read.numbers(k * (d - k)).reshape(k, d - k)
    basis = np.concatenate([np.eye(k), slopes], axis=1)
    within = None
    if read.below(2):
        length = read.pick(LENGTHS)
        ends = read.pick(["both", "neither"])
        within = Box(np.full(k, -length), np.full(k, length), closed=ends)
    return Subspace(basis, read.numbers(d), within)


def _listed(read: Reader, d: int) -> Space:
    n = 1 + read.below(len(NAMES))
    if d == 1 and read.below(2):
        return Categories(NAMES[:n] if read.below(2) else n)
    members = read.numbers(n * d).reshape(n, d)
    if not read.below(2):
        return Finite(members)
    # Square roots of distances are distances.
    gaps = np.linalg.norm(members[:, None] - members[None], axis=2)
    return Finite(members, np.sqrt(gaps))


def _product(read: Reader, d: int) -> Space:
    cut = 1 + read.below(d - 1)
    return Product((_vectors(read, cut), _vectors(read, d - cut)))


def _images(read: Reader) -> Space:
    sizes = (1 + read.below(3), 1 + read.below(4), 1 + read.below(4))
    return Images(*sizes, *read.pick([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)]))
