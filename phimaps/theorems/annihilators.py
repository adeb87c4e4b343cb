"""Measures Σ c_i δ(x_i) that a kernel does not see, by the shape of its expression."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import comb, fsum

import numpy as np

from ..kernels import (
    Constant,
    Kernel,
    Linear,
    PolynomialKernel,
    Power,
    Product,
    Pullback,
    Scaled,
    Sum,
)
from ..kernels.configurations import collinear, multiple, opposite, polygon, rectangle
from ..map import FeatureMap
from ..maps.vector import Select
from ..proof import Reason
from ..spaces import Space
from ..witness import AnnihilatingMeasure, Collision

__all__ = ["annihilator", "degree", "finite_rank"]

# Differences of a higher order than this have weights that are no longer exact, or nearly so.
HIGHEST = 40


def annihilator(kernel: Kernel, on: Space, balanced: bool = False) -> AnnihilatingMeasure | None:
    """A measure on the space, of total mass 0 if `balanced`, that certainly annihilates H_k.

    Parameters
    ----------
    kernel : Kernel
    on : Space
    balanced : bool

    Returns
    -------
    AnnihilatingMeasure or None
    """
    for measure in _candidates(kernel, on):
        # Weights that are whole are meant so, even where the points are rounded.
        whole = np.array_equal(measure.weights, np.round(measure.weights))
        if balanced and (measure.mass != 0 or not (measure.exact or whole)):
            continue
        if _loses(kernel, measure, on):
            return measure
    return None


def degree(kernel: Kernel) -> int | None:
    """p, where k(x, ·) is certainly a polynomial of degree at most p for every x."""
    if isinstance(kernel, Constant):
        return 0
    if isinstance(kernel, Linear):
        return 1
    if isinstance(kernel, PolynomialKernel):
        return int(kernel.degree)
    if isinstance(kernel, Scaled):
        return degree(kernel.kernel)
    if isinstance(kernel, Power):
        inner = degree(kernel.kernel)
        return None if inner is None else inner * int(kernel.exponent)
    if isinstance(kernel, Sum | Product):
        parts = [p for k in kernel.kernels if (p := degree(k)) is not None]
        if len(parts) < len(kernel.kernels):
            return None
        return max(parts) if isinstance(kernel, Sum) else sum(parts)
    return None


def finite_rank(kernel: Kernel) -> bool:
    """Whether H_k certainly has finite dimension, on spaces of finite dimension."""
    if isinstance(kernel, Pullback | Scaled | Power):
        return finite_rank(kernel.kernel)
    if isinstance(kernel, Sum | Product):
        return all(finite_rank(k) for k in kernel.kernels)
    return degree(kernel) is not None


# --- what to try -------------------------------------------------------------------------------
def _candidates(kernel: Kernel, on: Space) -> Iterator[AnnihilatingMeasure]:
    """Measures worth trying: what parts lose, and what many sums and powers lose."""
    yield from _stated(kernel, on)
    if isinstance(kernel, Sum | Product):
        for k in kernel.kernels:
            yield from _candidates(k, on)
    elif isinstance(kernel, Scaled | Power):
        yield from _candidates(kernel.kernel, on)
    order = degree(kernel)
    if order is not None and order <= HIGHEST:
        yield from _differences(on, order + 1)
    text = "every function of the space takes the same value at both points"
    if (pair := opposite(on)) is not None:
        yield AnnihilatingMeasure(pair, np.array([1.0, -1.0]), text)
        text = "every function of the space is odd"
        yield AnnihilatingMeasure(pair, np.array([1.0, 1.0]), text)
    if (found := multiple(on)) is not None:
        pair, t = found
        for power in range(1, 5):
            # As f(tx) = t^p f(x) for every f of the space.
            text = f"every function of the space is homogeneous of degree {power}"
            yield AnnihilatingMeasure(pair, np.array([t**power, -1.0]), text)
    zero = np.zeros((1, *on.shape))
    if bool(on.surely_contains(zero).all()):
        yield AnnihilatingMeasure(zero, np.array([1.0]), "every function of the space is 0 at 0")
    if (corners := rectangle(on)) is not None:
        text = "no function of the space mixes these two coordinates"
        yield AnnihilatingMeasure(corners, np.array([1.0, -1.0, 1.0, -1.0]), text)


def _stated(kernel: Kernel, on: Space) -> Iterator[AnnihilatingMeasure]:
    """What the kernel itself says of measures that it does not see."""
    for _, why in kernel.facts(on):
        witness = why.witness if isinstance(why, Reason) else why
        if isinstance(witness, AnnihilatingMeasure):
            yield witness
    if isinstance(kernel, Pullback):
        for pair in _merged(kernel.map, on):
            text = f"φ takes one value at both points: {pair.because}"
            points = np.stack([pair.x, pair.y])
            yield AnnihilatingMeasure(points, np.array([1.0, -1.0]), text, pair.exact)


def _merged(phi: FeatureMap, on: Space) -> Iterator[Collision]:
    for _, why in phi.facts(on):
        witness = why.witness if isinstance(why, Reason) else why
        if isinstance(witness, Collision) and witness.arithmetic == "real":
            yield witness


def _differences(on: Space, order: int) -> Iterator[AnnihilatingMeasure]:
    points = collinear(on, order + 1)
    if points is not None:
        weights = np.array([float((-1) ** i * comb(order, i)) for i in range(order + 1)])
        text = f"differences of order {order} annihilate polynomials of degree {order - 1}"
        yield AnnihilatingMeasure(points, weights, text)


# --- what is lost ------------------------------------------------------------------------------
def _loses(kernel: Kernel, measure: AnnihilatingMeasure, on: Space) -> bool:
    """Whether Σ c_i k(x_i, ·) = 0 on the space, by exact reasoning alone."""
    points, weights = measure.points, measure.weights
    if not weights.any():
        return True
    if len(weights) == 1 and isinstance(kernel, Product | Power):
        parts = kernel.kernels if isinstance(kernel, Product) else (kernel.kernel,)
        return any(_loses(k, measure, on) for k in parts)
    if len(weights) == 2:
        ratio = _ratio(kernel, points, on)
        if ratio is not None and Fraction(weights[0]) + ratio * Fraction(weights[1]) == 0:
            return True
    if isinstance(kernel, Sum):
        # Rounded numbers may stand for different measures, but for the corners of one polygon.
        clear = measure.exact or _regular(points, on)
        return clear and all(_loses(k, measure, on) for k in kernel.kernels)
    if isinstance(kernel, Scaled):
        return _loses(kernel.kernel, measure, on)
    if isinstance(kernel, Pullback):
        return _loses_pulled(kernel, measure, on)
    if any(_same(measure, known) for known in _stated(kernel, on)):
        return True
    order = degree(kernel)
    return order is not None and _flat(measure, order, on)


def _regular(points: np.ndarray, on: Space) -> bool:
    found = polygon(on, len(points)) if len(points) > 2 else None
    return found is not None and np.array_equal(points, found[0])


def _loses_pulled(kernel: Pullback, measure: AnnihilatingMeasure, on: Space) -> bool:
    if any(_same(measure, known) for known in _stated(kernel, on)):
        return True
    phi = kernel.map
    if not (isinstance(phi, Select) and phi.closed and len(on.shape) == 1):
        return False
    seen = measure.points[:, list(phi.columns)]
    places, index = np.unique(seen, axis=0, return_inverse=True)
    sums = [fsum(measure.weights[index.ravel() == i].tolist()) for i in range(len(places))]
    if not measure.exact and any(sums):
        return False
    kept = [i for i, c in enumerate(sums) if c]
    pushed = AnnihilatingMeasure(places[kept], np.array(sums)[kept], measure.because)
    inner = phi.image(on).outer
    return not kept or _loses(kernel.kernel, pushed, inner)


def _ratio(kernel: Kernel, pair: np.ndarray, on: Space) -> Fraction | None:
    """r with k(y, ·) = r k(x, ·) for the two points x, y, where that is certain."""
    if isinstance(kernel, Sum | Product):
        listed = [_ratio(k, pair, on) for k in kernel.kernels]
        known = [r for r in listed if r is not None]
        if len(known) < len(listed):
            return None
        if isinstance(kernel, Sum):
            return known[0] if len(set(known)) == 1 else None
        out = Fraction(1)
        for r in known:
            out *= r
        return out
    if isinstance(kernel, Scaled):
        return _ratio(kernel.kernel, pair, on)
    if isinstance(kernel, Power):
        inner = _ratio(kernel.kernel, pair, on)
        return None if inner is None else inner ** int(kernel.exponent)
    if isinstance(kernel, Constant):
        return Fraction(1)
    if isinstance(kernel, Linear):
        return _multiple(pair)
    for known_measure in _stated(kernel, on):
        weights = known_measure.weights
        if len(weights) == 2 and known_measure.exact and weights[1]:
            for order in ([0, 1], [1, 0]):
                if np.array_equal(known_measure.points[order], pair) and weights[order[1]]:
                    return -Fraction(weights[order[0]]) / Fraction(weights[order[1]])
    return None


def _multiple(pair: np.ndarray) -> Fraction | None:
    """r with y = rx exactly."""
    x, y = pair.reshape(2, -1)
    place = int(np.argmax(np.abs(x)))
    if not x[place]:
        return None
    ratio = Fraction(float(y[place])) / Fraction(float(x[place]))
    exact = all(Fraction(float(b)) == ratio * Fraction(float(a)) for a, b in zip(x, y, strict=True))
    return ratio if exact else None


def _same(one: AnnihilatingMeasure, two: AnnihilatingMeasure) -> bool:
    """Whether two measures are the same up to a factor, number by number."""
    if one.points.shape != two.points.shape or not np.array_equal(one.points, two.points):
        return False
    a, b = [[Fraction(float(c)) for c in m.weights] for m in (one, two)]
    return all(x * b[0] == y * a[0] for x, y in zip(a, b, strict=True)) and bool(a[0] and b[0])


def _flat(measure: AnnihilatingMeasure, order: int, on: Space) -> bool:
    """Whether Σ c_i f(x_i) = 0 for all polynomials f up to a degree."""
    points, weights = measure.points, measure.weights
    n = len(points)
    if _regular(points, on) and np.array_equal(weights, weights[0] * (-1.0) ** np.arange(n)):
        # On the circle they are sums of cos(kθ) and sin(kθ) with k up to the degree, and the
        # alternating corners see k = n/2, 3n/2, ... only.
        return n % 2 == 0 and order < n // 2
    if not measure.exact:
        return False
    exact = [Fraction(float(c)) for c in weights]
    rows = points.reshape(n, -1)
    moving = np.flatnonzero((rows != rows[0]).any(axis=0))
    if order > 1 and len(moving) > 1:
        return False
    lines = [[Fraction(float(v)) for v in rows[:, i]] for i in moving] or [[Fraction(1)] * n]
    return all(
        sum(c * t**q for c, t in zip(exact, line, strict=True)) == 0
        for line in lines
        for q in range(order + 1)
    )
