"""The library's kernels with many digits, each from its own definition."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import (
    NTK,
    RBF,
    ArcCosine,
    Cauchy,
    Constant,
    Cosine,
    Delta,
    Exponential,
    InverseMultiquadric,
    Laplacian,
    Linear,
    Matern,
    Periodic,
    PolynomialKernel,
    Power,
    Product,
    Pullback,
    RationalQuadratic,
    Scaled,
    Sum,
)
from ..kernels.histogram import AdditiveChi2, Chi2, Intersection, SkewedChi2
from .entries import entry, value
from .precise import Precise, Unknown, mpmath

Point = np.ndarray


def _dot(x: Point, y: Point) -> Any:
    return mpmath.fsum(a * b for a, b in zip(x.flat, y.flat, strict=True))


def _each(x: Point, parameter: Any) -> list[Any]:
    """A parameter for every coordinate."""
    return [mpmath.mpf(float(v)) for v in np.broadcast_to(np.asarray(parameter, float), x.size)]


def _square(kernel: Any, x: Point, y: Point) -> Any:
    """r², where γ is 1 / (2 l²)."""
    gaps = [a - b for a, b in zip(x.flat, y.flat, strict=True)]
    if kernel.length_scale is None:
        return 2 * mpmath.mpf(float(kernel.gamma)) * mpmath.fsum(g * g for g in gaps)
    lengths = _each(x, kernel.length_scale)
    return mpmath.fsum((g / s) ** 2 for g, s in zip(gaps, lengths, strict=True))


@entry(RBF)
def _rbf(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return mpmath.exp(-_square(k, x, y) / 2)


@entry(Cauchy)
def _cauchy(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return 1 / (1 + _square(k, x, y) / 2)


@entry(InverseMultiquadric)
def _multiquadric(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return 1 / mpmath.sqrt(1 + _square(k, x, y) / 2)


@entry(RationalQuadratic)
def _rational(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    alpha = mpmath.mpf(float(k.alpha))
    return (1 + _square(k, x, y) / (2 * alpha)) ** -alpha


@entry(Matern)
def _matern(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    nu, square = mpmath.mpf(float(k.nu)), _square(k, x, y)
    if mpmath.isinf(nu):
        return mpmath.exp(-square / 2)
    z = mpmath.sqrt(2 * nu * square)
    if z == 0:
        return mpmath.mpf(1)
    return 2 ** (1 - nu) / mpmath.gamma(nu) * z**nu * mpmath.besselk(nu, z)


@entry(Laplacian)
def _laplacian(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    scales = [1 / s for s in _each(x, k.length_scale)] if k.gamma is None else _each(x, k.gamma)
    gaps = zip(scales, x.flat, y.flat, strict=True)
    return mpmath.exp(-mpmath.fsum(s * abs(a - b) for s, a, b in gaps))


@entry(Periodic)
def _periodic(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    listed = zip(_each(x, k.period), _each(x, k.length_scale), x.flat, y.flat, strict=True)
    return mpmath.exp(
        -mpmath.fsum(2 * (mpmath.sinpi((a - b) / p) / s) ** 2 for p, s, a, b in listed)
    )


@entry(Linear)
def _linear(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return _dot(x, y)


@entry(Constant)
def _constant(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return mpmath.mpf(float(k.value))


@entry(PolynomialKernel)
def _polynomial(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return (mpmath.mpf(float(k.gamma)) * _dot(x, y) + mpmath.mpf(float(k.coef0))) ** int(k.degree)


@entry(Exponential)
def _exponential(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return mpmath.exp(mpmath.mpf(float(k.gamma)) * _dot(x, y))


@entry(Cosine)
def _cosine(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    size = mpmath.sqrt(_dot(x, x) * _dot(y, y))
    return _dot(x, y) / size if size else mpmath.mpf(0)


@entry(Delta)
def _delta(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return mpmath.mpf(int(all(a == b for a, b in zip(x.flat, y.flat, strict=True))))


@entry(AdditiveChi2)
def _additive(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    pairs = zip(x.flat, y.flat, strict=True)
    return mpmath.fsum(2 * a * b / (a + b) if a + b else 0 for a, b in pairs)


@entry(Chi2)
def _chi2(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    pairs = zip(x.flat, y.flat, strict=True)
    total = mpmath.fsum((a - b) ** 2 / (a + b) if a + b else 0 for a, b in pairs)
    return mpmath.exp(-mpmath.mpf(float(k.gamma)) * total)


@entry(SkewedChi2)
def _skewed(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    c = mpmath.mpf(float(k.skewedness))
    pairs = [(a + c, b + c) for a, b in zip(x.flat, y.flat, strict=True)]
    return mpmath.fprod(2 * mpmath.sqrt(u * v) / (u + v) for u, v in pairs)


@entry(Intersection)
def _intersection(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return mpmath.fsum(min(a, b) for a, b in zip(x.flat, y.flat, strict=True))


def _angular(order: int, one: Any, two: Any, cross: Any) -> Any:
    """E 2 σ(g) σ(h) for centred Gaussian g, h with these variances and covariance."""
    size = mpmath.sqrt(one * two)
    if not size:
        if order == 0:
            raise Unknown("a step at 0")
        return mpmath.mpf(0)
    cosine = min(max(cross / size, mpmath.mpf(-1)), mpmath.mpf(1))
    angle = mpmath.acos(cosine)
    left = mpmath.pi - angle
    if order == 0:
        return left / mpmath.pi
    if order == 1:
        return size * (mpmath.sin(angle) + left * cosine) / mpmath.pi
    square = 3 * mpmath.sin(angle) * cosine + left * (1 + 2 * cosine**2)
    return size**2 * square / mpmath.pi


def _layered(k: Any, order: int, x: Point, y: Point) -> tuple[Any, Any]:
    """The arc-cosine kernel, and the tangent kernel, of the same layers."""
    b = mpmath.mpf(float(k.bias)) ** 2
    one, two, cross = _dot(x, x), _dot(y, y), _dot(x, y)
    tangent = cross + b
    for _ in range(int(k.depth)):
        one, two, cross = one + b, two + b, cross + b
        steps = _angular(0, one, two, cross) if one and two else mpmath.mpf(0)
        cross_new = _angular(order, one, two, cross)
        one, two = (_angular(order, h, h, h) for h in (one, two))
        cross, tangent = cross_new, cross_new + b + tangent * steps
    return cross, tangent


@entry(ArcCosine)
def _arccosine(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return _layered(k, int(k.order), x, y)[0]


@entry(NTK)
def _ntk(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return _layered(k, 1, x, y)[1]


@entry(Sum)
def _sum(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return mpmath.fsum(value(evaluate, part, x, y) for part in k.kernels)


@entry(Product)
def _product(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return mpmath.fprod(value(evaluate, part, x, y) for part in k.kernels)


@entry(Scaled)
def _scaled(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return mpmath.mpf(float(k.factor)) * value(evaluate, k.kernel, x, y)


@entry(Power)
def _power(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return value(evaluate, k.kernel, x, y) ** int(k.exponent)


@entry(Pullback)
def _pullback(evaluate: Precise, k: Any, x: Point, y: Point) -> Any:
    return value(evaluate, k.kernel, evaluate(k.map, x), evaluate(k.map, y))
