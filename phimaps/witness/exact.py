"""Values of maps and of kernels without rounding: as rational numbers, or enclosed in intervals.

Every floating-point number is a rational one, so maps that only add, multiply and compare have
rational values, which Python's `fractions` compute. Of other maps the library's own intervals
(`phimaps.interval`, rounded outward) enclose the values. The rules for each map and kernel stand
where these are known: in `phimaps.check.values`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = [
    "ENCLOSURES",
    "KERNELS",
    "MAPS",
    "Row",
    "agreement",
    "entry",
    "fractions",
    "rational_square",
    "rational_values",
    "row_of",
]

Row = list[Fraction]
Ends = tuple[np.ndarray, np.ndarray]

# By type: from a map and the coordinates of a point to its features; from a kernel and two points.
MAPS: dict[type, Callable[[Any, Row], Row | None]] = {}
KERNELS: dict[type, Callable[[Any, Row, Row], Fraction | None]] = {}
# From a map and a point to bounds of its features; None for what is only called.
ENCLOSURES: list[Callable[[Any, np.ndarray], Ends | None]] = []


def fractions(values: Any) -> Row:
    """The numbers of an array as the rational numbers that they are."""
    return [Fraction(float(v)) for v in np.ravel(values)]


def rational_values(phi: Any, x: np.ndarray) -> Row | None:
    """φ(x), flattened, where it is computed by sums, products and comparisons alone.

    Parameters
    ----------
    phi : FeatureMap
        Closed, or fitted.
    x : ndarray of shape (*point)

    Returns
    -------
    list of Fraction, or None where φ has other steps

    Examples
    --------
    >>> import phimaps as pm
    >>> rational_values(pm.Relu() @ pm.Affine([[0.5], [0.1]]), np.array([1.0, 0.0]))
    [Fraction(1, 2)]
    """
    if not np.isfinite(x).all():
        return None
    return row_of(_closed(phi), fractions(x))


def row_of(phi: Any, row: Row) -> Row | None:
    """The features of a point given by its coordinates, where the closed map has a rule."""
    rule = MAPS.get(type(phi))
    return None if rule is None or not phi.closed else rule(phi, row)


def _closed(phi: Any) -> Any:
    """What a fitted map was fitted to; other callables stay."""
    return vars(phi).get("map_", phi) if hasattr(phi, "image") else phi


def _enclosed(phi: Any, x: np.ndarray) -> Ends | None:
    for bounds in ENCLOSURES:
        if (found := bounds(phi, x)) is not None:
            return found
    return None


def agreement(phi: Any, x: np.ndarray, y: np.ndarray) -> tuple[bool | None, str]:
    """Whether φ(x) = φ(y) in real arithmetic, as far as that can be computed, and in which one.

    Parameters
    ----------
    phi : FeatureMap or callable
    x, y : ndarray of shape (*point)

    Returns
    -------
    holds : bool or None
        None where neither equality nor the contrary can be told.
    arithmetic : {"rational", "interval", "float64"}
        In which numbers it was compared; of a function that is only called, in none but float64.

    Examples
    --------
    >>> import phimaps as pm
    >>> agreement(pm.Power(2), np.array([-0.1]), np.array([0.1]))
    (True, 'rational')
    >>> agreement(pm.Tanh(), np.array([20.0]), np.array([36.0]))
    (None, 'interval')
    >>> agreement(pm.Exp(), np.array([0.0]), np.array([1e-10]))
    (False, 'interval')
    """
    closed = _closed(phi)
    a, b = rational_values(closed, x), rational_values(closed, y)
    if a is not None and b is not None:
        return a == b, "rational"
    bounds, others = _enclosed(closed, x), _enclosed(closed, y)
    if bounds is None or others is None or bounds[0].shape != others[0].shape:
        return None, "float64"
    (low, high), (least, greatest) = bounds, others
    if bool((high < least).any() or (greatest < low).any()):
        return False, "interval"
    points = bool((low == high).all() and (least == greatest).all())
    return (True if points else None), "interval"


# --- kernels -----------------------------------------------------------------------------------
def rational_square(kernel: Any, points: np.ndarray, weights: np.ndarray) -> Fraction | None:
    """c'Kc where the kernel is computed by sums and products alone; else None.

    Parameters
    ----------
    kernel : Kernel
        Closed.
    points : ndarray of shape (n, *point)
    weights : ndarray of shape (n,)

    Examples
    --------
    >>> import phimaps as pm
    >>> line, second = np.array([[0.0], [0.1], [0.2]]), np.array([1.0, -2.0, 1.0])
    >>> rational_square(pm.kernels.Linear(), line, second) == 0
    True
    """
    if type(kernel) not in KERNELS or not kernel.closed or not np.isfinite(points).all():
        return None
    rows, masses = [fractions(p) for p in points], fractions(weights)
    total = Fraction(0)
    for i, (x, c) in enumerate(zip(rows, masses, strict=True)):
        for j, (y, d) in enumerate(zip(rows[: i + 1], masses[: i + 1], strict=True)):
            value = entry(kernel, x, y)
            if value is None:
                return None
            total += (1 if i == j else 2) * c * d * value
    return total


def entry(kernel: Any, x: Row, y: Row) -> Fraction | None:
    """k(x, y) of points given by their coordinates, where the kernel has a rule."""
    rule = KERNELS.get(type(kernel))
    return None if rule is None else rule(kernel, x, y)
