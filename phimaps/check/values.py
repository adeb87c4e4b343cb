"""The rules by which maps and kernels have rational values, and by which values are enclosed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from ..kernels import Constant, Linear, PolynomialKernel
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
from ..witness.exact import ENCLOSURES, KERNELS, MAPS, Row, entry, fractions, row_of

__all__ = ["enclosed"]

# Powers beyond this have numbers of more digits than anyone waits for.
HIGHEST = 64


def enclosed(phi: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Bounds of each feature at a point; None of a function of which nothing is known.

    Parameters
    ----------
    phi : FeatureMap or callable
    x : ndarray of shape (*point)
    """
    if not isinstance(phi, FeatureMap) or not phi.closed:
        return None
    low, high = phi.image(Box(x, x)).outer.bounds()
    known = not low.size or bool(np.isfinite(low).any() or np.isfinite(high).any())
    return (low, high) if known else None


ENCLOSURES.append(enclosed)


# --- maps --------------------------------------------------------------------------------------
def _composed(phi: Compose, row: Row) -> Row | None:
    now: Row | None = row
    for part in phi.maps:
        now = None if now is None else row_of(part, now)
    return now


def _joined(phi: Concat, row: Row) -> Row | None:
    parts = [row_of(part, row) for part in phi.maps]
    return [v for part in parts for v in part] if _all(parts) else None  # type: ignore[union-attr]


def _summed(phi: Sum, row: Row) -> Row | None:
    parts = [row_of(part, row) for part in phi.maps]
    if not _all(parts) or len({len(p) for p in parts if p is not None}) != 1:
        return None
    return [sum(column, Fraction(0)) for column in zip(*parts, strict=True)]  # type: ignore[arg-type]


def _beside(phi: Product, row: Row) -> Row | None:
    ends = np.cumsum([0, *phi.widths])
    if min(phi.widths) < 0 or ends[-1] != len(row):
        return None
    parts = [row_of(p, row[a:b]) for p, a, b in zip(phi.maps, ends[:-1], ends[1:], strict=True)]
    return [v for part in parts for v in part] if _all(parts) else None  # type: ignore[union-attr]


def _all(parts: list[Row | None]) -> bool:
    return all(p is not None for p in parts)


def _scaled(phi: Scale, row: Row) -> Row | None:
    inner, factor = row_of(phi.map, row), Fraction(float(phi.factor))
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


RULES: dict[type, Any] = {
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
    On: lambda phi, row: row_of(phi.map, row),
    Assume: lambda phi, row: row_of(phi.map, row),
}
MAPS.update(RULES)


# --- kernels -----------------------------------------------------------------------------------
def _dot(x: Row, y: Row) -> Fraction:
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))


def _polynomial(kernel: PolynomialKernel, x: Row, y: Row) -> Fraction | None:
    if kernel.degree > HIGHEST:
        return None
    base = Fraction(float(kernel.gamma)) * _dot(x, y) + Fraction(float(kernel.coef0))
    return base ** int(kernel.degree)


def _added(kernel: KernelSum, x: Row, y: Row) -> Fraction | None:
    parts = [entry(k, x, y) for k in kernel.kernels]
    known = [v for v in parts if v is not None]
    return sum(known, Fraction(0)) if len(known) == len(parts) else None


def _multiplied(kernel: KernelProduct, x: Row, y: Row) -> Fraction | None:
    result = Fraction(1)
    for k in kernel.kernels:
        value = entry(k, x, y)
        if value is None:
            return None
        result *= value
    return result


def _multiple(kernel: KernelScaled, x: Row, y: Row) -> Fraction | None:
    value = entry(kernel.kernel, x, y)
    return None if value is None else Fraction(float(kernel.factor)) * value


def _raised(kernel: KernelPower, x: Row, y: Row) -> Fraction | None:
    value, exponent = entry(kernel.kernel, x, y), int(kernel.exponent)
    return None if value is None or exponent > HIGHEST else value**exponent


def _pulled(kernel: KernelPullback, x: Row, y: Row) -> Fraction | None:
    a, b = row_of(kernel.map, x), row_of(kernel.map, y)
    return None if a is None or b is None else entry(kernel.kernel, a, b)


SQUARES: dict[type, Any] = {
    Linear: lambda kernel, x, y: _dot(x, y),
    Constant: lambda kernel, x, y: Fraction(float(kernel.value)),
    PolynomialKernel: _polynomial,
    KernelSum: _added,
    KernelProduct: _multiplied,
    KernelScaled: _multiple,
    KernelPower: _raised,
    KernelPullback: _pulled,
}
KERNELS.update(SQUARES)
