"""Points of a space, or rows of a data frame, as a Hypothesis strategy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..frames import Frame
from .drawing import REACH, Ground, byte_rows, checked, random_rows, sizes

__all__ = ["points", "random_points"]


def points(domain: Any, least: int = 1, most: int = 24, *, reach: float = REACH) -> Any:
    """Points of a space: small integers, fractions, ends, corners, far and random points.

    Every point that is drawn lies in the space: raw numbers are moved in by `Space.nearest`, and
    nothing is filtered away. They shrink towards few rows of zeros and small integers. There are
    neither NaN nor infinities nor subnormal numbers, unless the space has no other points.

    Parameters
    ----------
    domain : Space or Frame
    least, most : int, default 1 and 24
        The number of rows.
    reach : float, default 1e3
        How far out to draw where the space is unbounded.

    Returns
    -------
    SearchStrategy
        Of float64 arrays of shape (n, *shape); of pandas.DataFrame for a `Frame`.

    Raises
    ------
    InputTypeError, ParameterError, DependencyError
        When the domain is no space and no `Frame`, when the numbers of rows do not make sense, when
        Hypothesis (or, for a `Frame`, pandas) is not installed.

    Examples
    --------
    >>> import phimaps as pm
    >>> from hypothesis import given, settings
    >>> on = pm.Sphere([0, 0, 0], 1)
    >>> @settings(max_examples=20, database=None, derandomize=True)
    ... @given(points(on, most=5))
    ... def inside(x):
    ...     assert on.contains(x).all() and 1 <= len(x) <= 5
    >>> inside()
    """
    domain = checked(domain, "points")
    if isinstance(domain, Frame):
        return points(domain.codes, least, most).map(domain.rows)
    least, most = sizes(least, most)
    ground = Ground(domain, reach)
    return byte_rows(ground.length, least, most).map(ground.points)


def random_points(
    domain: Any,
    least: int = 1,
    most: int = 24,
    *,
    random_state: int | np.random.Generator = 0,
    reach: float = REACH,
) -> Any:
    """What `points` draws, once, without Hypothesis.

    Parameters
    ----------
    domain, least, most, reach
        As of `points`.
    random_state : int or numpy.random.Generator, default 0

    Returns
    -------
    ndarray of shape (n, *shape), or pandas.DataFrame

    Raises
    ------
    InputTypeError, ParameterError, DependencyError
        As of `points`.

    Examples
    --------
    >>> import phimaps as pm
    >>> random_points(pm.Simplex(3), 5, 5).shape
    (5, 3)
    """
    domain = checked(domain, "random_points")
    if isinstance(domain, Frame):
        codes = random_points(domain.codes, least, most, random_state=random_state)
        return domain.rows(codes)
    ground = Ground(domain, reach)
    return ground.points(random_rows(ground.length, *sizes(least, most), random_state))
