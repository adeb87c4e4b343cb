"""Values of maps and of kernels without rounding: as rational numbers, or enclosed in intervals.

Every floating-point number is a rational one, so maps that only add, multiply and compare have
rational values, which Python's `fractions` compute. Of other maps the library's own intervals
(`phimaps.interval`, rounded outward) enclose the values.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ..kernels import Constant, Kernel, Linear, PolynomialKernel
from ..kernels import Power as KernelPower
from ..kernels import Product as KernelProduct
from ..kernels import Pullback as KernelPullback
from ..kernels import Scaled as KernelScaled
from ..kernels import Sum as KernelSum
from ..map import Assume, Compose, Concat, FeatureMap, On, Product, Scale, Sum
from ..maps.affine import Affine, Diagonal
from ..maps.jumps import Step
from ..maps.pointwise import Abs, CRelu, LeakyRelu, Relu
from ..maps.powers import Power
from ..maps.vector import Flatten, Identity, Select
from ..spaces import Box

__all__ = ["agreement", "rational_square", "rational_values"]

Row = list[Fraction]
# Powers beyond this have numbers of more digits than anyone waits for.
HIGHEST = 64


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
    return _row(vars(phi).get("map_", phi) if isinstance(phi, FeatureMap) else phi, fractions(x))


def _row(phi: Any, row: Row) -> Row | None:
    rule = MAPS.get(type(phi))
    if rule is None or not phi.closed:
        return None
    found = rule(phi, row)
    return None if found is None or any(v is None for v in found) else found


def _composed(phi: Compose, row: Row) -> Row | None:
    now: Row | None = row
    for part in phi.maps:
        now = None if now is None else _row(part, now)
    return now


def _joined(phi: Concat, row: Row) -> Row | None:
    parts = [_row(part, row) for part in phi.maps]
    return [v for part in parts for v in part] if _all(parts) else None  # type: ignore[union-attr]


def _summed(phi: Sum, row: Row) -> Row | None:
    parts = [_row(part, row) for part in phi.maps]
    if not _all(parts) or len({len(p) for p in parts if p is not None}) != 1:
        return None
    return [sum(column, Fraction(0)) for column in zip(*parts, strict=True)]  # type: ignore[arg-type]


def _beside(phi: Product, row: Row) -> Row | None:
    ends = np.cumsum([0, *phi.widths])
    if min(phi.widths) < 0 or ends[-1] != len(row):
        return None
    parts = [_row(p, row[a:b]) for p, a, b in zip(phi.maps, ends[:-1], ends[1:], strict=True)]
    return [v for part in parts for v in part] if _all(parts) else None  # type: ignore[union-attr]


def _all(parts: list[Row | None]) -> bool:
    return all(p is not None for p in parts)


def _scaled(phi: Scale, row: Row) -> Row | None:
    inner, factor = _row(phi.map, row), Fraction(float(phi.factor))
    return None if inner is None else [factor * v for v in inner]


def _affine(phi: Affine, row: Row) -> Row | None:
    weight = phi.array("weight")
    if weight.shape[:1] != (len(row),):
        return None
    offset = fractions(np.broadcast_to(phi.array("bias"), (weight.shape[1],)))
    return [
        sum((a * w for a, w in zip(row, fractions(column), strict=True)), b)
        for column, b in zip(weight.T, offset, strict=True)
    ]


def _diagonal(phi: Diagonal, row: Row) -> Row | None:
    weight, bias = phi.array("weight"), phi.array("bias")
    if weight.size != len(row) or bias.size != len(row):
        return None
    terms = zip(row, fractions(weight), fractions(bias), strict=True)
    return [v * w + b for v, w, b in terms]


def _leaky(phi: LeakyRelu, row: Row) -> Row | None:
    slope = Fraction(float(phi.slope))
    return [v if v > 0 else slope * v for v in row]


def _power(phi: Power, row: Row) -> Row | None:
    p = float(phi.p)
    if p != int(p) or not 0 < p <= HIGHEST:
        return None
    return [v ** int(p) for v in row]


def _chosen(phi: Select, row: Row) -> Row | None:
    columns = list(phi.columns)
    known = all(isinstance(i, int | np.integer) and -len(row) <= i < len(row) for i in columns)
    return [row[i] for i in columns] if known else None


MAPS: dict[type, Callable[[Any, Row], Row | None]] = {
    Identity: lambda phi, row: row,
    Flatten: lambda phi, row: row,
    Select: _chosen,
    Affine: _affine,
    Diagonal: _diagonal,
    Relu: lambda phi, row: [max(v, Fraction(0)) for v in row],
    LeakyRelu: _leaky,
    Abs: lambda phi, row: [abs(v) for v in row],
    CRelu: lambda phi, row: [max(s * v, Fraction(0)) for s in (1, -1) for v in row],
    Step: lambda phi, row: [Fraction(int(v > Fraction(float(phi.threshold)))) for v in row],
    Power: _power,
    Compose: _composed,
    Concat: _joined,
    Sum: _summed,
    Product: _beside,
    Scale: _scaled,
    On: lambda phi, row: _row(phi.map, row),
    Assume: lambda phi, row: _row(phi.map, row),
}


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
    if not isinstance(phi, FeatureMap):
        return None, "float64"
    closed = vars(phi).get("map_", phi)
    a, b = rational_values(closed, x), rational_values(closed, y)
    if a is not None and b is not None:
        return a == b, "rational"
    ends = [closed.image(Box(p, p)).outer.bounds() for p in (x, y)] if closed.closed else []
    if not ends or ends[0][0].shape != ends[1][0].shape:
        return None, "float64"
    (low, high), (least, greatest) = ends
    if not all(np.isfinite(end).any() for pair in ends for end in pair) and low.size:
        return None, "float64"
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
    if not isinstance(kernel, Kernel) or not kernel.closed or not np.isfinite(points).all():
        return None
    rows, masses = [fractions(p) for p in points], fractions(weights)
    total = Fraction(0)
    for i, (x, c) in enumerate(zip(rows, masses, strict=True)):
        for j, (y, d) in enumerate(zip(rows[: i + 1], masses[: i + 1], strict=True)):
            value = _entry(kernel, x, y)
            if value is None:
                return None
            total += (1 if i == j else 2) * c * d * value
    return total


def _entry(kernel: Any, x: Row, y: Row) -> Fraction | None:
    rule = KERNELS.get(type(kernel))
    return None if rule is None else rule(kernel, x, y)


def _dot(x: Row, y: Row) -> Fraction:
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))


def _polynomial(kernel: PolynomialKernel, x: Row, y: Row) -> Fraction | None:
    if kernel.degree > HIGHEST:
        return None
    base = Fraction(float(kernel.gamma)) * _dot(x, y) + Fraction(float(kernel.coef0))
    return base ** int(kernel.degree)


def _added(kernel: KernelSum, x: Row, y: Row) -> Fraction | None:
    parts = [_entry(k, x, y) for k in kernel.kernels]
    known = [v for v in parts if v is not None]
    return sum(known, Fraction(0)) if len(known) == len(parts) else None


def _multiplied(kernel: KernelProduct, x: Row, y: Row) -> Fraction | None:
    result = Fraction(1)
    for k in kernel.kernels:
        value = _entry(k, x, y)
        if value is None:
            return None
        result *= value
    return result


def _multiple(kernel: KernelScaled, x: Row, y: Row) -> Fraction | None:
    value = _entry(kernel.kernel, x, y)
    return None if value is None else Fraction(float(kernel.factor)) * value


def _raised(kernel: KernelPower, x: Row, y: Row) -> Fraction | None:
    value, exponent = _entry(kernel.kernel, x, y), int(kernel.exponent)
    return None if value is None or exponent > HIGHEST else value**exponent


def _pulled(kernel: KernelPullback, x: Row, y: Row) -> Fraction | None:
    a, b = _row(kernel.map, x), _row(kernel.map, y)
    return None if a is None or b is None else _entry(kernel.kernel, a, b)


KERNELS: dict[type, Callable[[Any, Row, Row], Fraction | None]] = {
    Linear: lambda kernel, x, y: _dot(x, y),
    Constant: lambda kernel, x, y: Fraction(float(kernel.value)),
    PolynomialKernel: _polynomial,
    KernelSum: _added,
    KernelProduct: _multiplied,
    KernelScaled: _multiple,
    KernelPower: _raised,
    KernelPullback: _pulled,
}
