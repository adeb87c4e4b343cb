"""φ(x) as a real number, to any number of digits.

Each formula stands here a second time, written from the definition and not from the code that it
checks, for one point at a time. Where a refutation in floating point could be rounding, this
decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, final

import numpy as np

from ..map import Assume, Compose, Concat, On, Product, Scale, Sum, Tensor
from ..maps import (
    activations,
    affine,
    clipped,
    functions,
    jumps,
    normalization,
    pointwise,
    powers,
    radial,
    sorting,
    tensor_product_sketch,
    vector,
)

try:
    import mpmath
except ImportError:  # pragma: no cover - torch brings it with sympy
    mpmath = None

__all__ = ["Precise", "formula", "precise"]

Formula = Callable[["Precise", Any, np.ndarray], np.ndarray]
FORMULAS: dict[type, Formula] = {}


def formula(*kinds: type) -> Callable[[Formula], Formula]:
    """Register the formula of maps of these kinds: (evaluator, map, point) to the value.

    Parameters
    ----------
    *kinds : type
        Map classes. The point and the value are object arrays of ``mpmath.mpf``.
    """

    def register(rule: Formula) -> Formula:
        FORMULAS.update(dict.fromkeys(kinds, rule))
        return rule

    return register


class Undefined(Exception):
    """The point lies outside the natural domain of a part."""


class Unknown(Exception):
    """A part has no formula here, or needs numbers out of reach."""


@final
class Precise:
    """An evaluator with a number of decimal digits, which remembers the sizes that it met.

    Parameters
    ----------
    digits : int
    """

    def __init__(self, digits: int):
        self.digits = digits
        self.greatest = 0.0

    def __call__(self, phi: Any, x: np.ndarray) -> np.ndarray:
        """φ(x) for one point, an object array in and out."""
        rule = FORMULAS.get(type(phi))
        if rule is None:
            raise Unknown(type(phi).__name__)
        value = rule(self, phi, x)
        for v in value.flat:
            if mpmath.isfinite(v) and abs(v) > self.greatest:
                self.greatest = float(min(abs(v), mpmath.mpf("1e300")))
        return value


def precise(phi: Any, x: np.ndarray, digits: int = 60) -> np.ndarray | None:
    """φ(x) for one float64 point, as an object array of ``mpmath.mpf``.

    Parameters
    ----------
    phi : FeatureMap
        A closed map.
    x : ndarray
        One point.
    digits : int, default 60
        The working precision, in decimal digits.

    Returns
    -------
    ndarray of object, or None
        None where a part of φ has no formula, is not defined at x, or leaves every range.

    Examples
    --------
    >>> import phimaps as pm
    >>> float(1 - precise(pm.Tanh(), np.array([30.0]))[0])
    1.751302152539304e-26
    """
    value, _ = traced(phi, x, digits)
    return value


def traced(phi: Any, x: np.ndarray, digits: int) -> tuple[np.ndarray | None, float]:
    """The value, or None, and the greatest size met on the way to it."""
    if mpmath is None:
        return None, 0.0
    evaluator = Precise(digits)
    evaluator.greatest = float(max((abs(v) for v in x.flat), default=0.0))
    with mpmath.workdps(digits):
        try:
            point = np.array([mpmath.mpf(v) for v in x.flat], dtype=object)
            return evaluator(phi, point.reshape(x.shape)), evaluator.greatest
        except (Unknown, Undefined, OverflowError, ZeroDivisionError, MemoryError):
            return None, evaluator.greatest


def _each(function: Callable[[Any], Any]) -> Formula:
    def rule(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
        out = np.empty(x.shape, dtype=object)
        for i in np.ndindex(x.shape):
            out[i] = function(x[i])
        return out

    return rule


def _bounded(t: Any) -> Any:
    if abs(t) > 1e6:
        raise Unknown("exp of a huge number")
    return t


def _bounded_exp(t: Any) -> Any:
    return mpmath.exp(_bounded(t))


def _limited(t: Any) -> Any:
    # Reducing a number of thousands of digits modulo 2π costs as many digits.
    if abs(t) > 1e100:
        raise Unknown("a wave at a huge number")
    return t


def _logistic(t: Any) -> Any:
    return 1 / (1 + _bounded_exp(-t))


FORMULAS[pointwise.Relu] = _each(lambda t: t if t > 0 else 0 * t)
FORMULAS[pointwise.Abs] = _each(abs)
FORMULAS[pointwise.Exp] = _each(_bounded_exp)
FORMULAS[pointwise.Sigmoid] = _each(_logistic)
FORMULAS[pointwise.Silu] = _each(lambda t: t * _logistic(t))
FORMULAS[pointwise.Softplus] = _each(lambda t: mpmath.log1p(_bounded_exp(t)))
FORMULAS[pointwise.Tanh] = _each(lambda t: mpmath.tanh(_bounded(t)))
FORMULAS[pointwise.Gelu] = _each(lambda t: t * mpmath.erfc(-_bounded(t) / mpmath.sqrt(2)) / 2)
FORMULAS[powers.Cos] = _each(lambda t: mpmath.cos(_limited(t)))
FORMULAS[powers.Sin] = _each(lambda t: mpmath.sin(_limited(t)))
FORMULAS[activations.Softsign] = _each(lambda t: t / (1 + abs(t)))
FORMULAS[activations.LogSigmoid] = _each(lambda t: -mpmath.log1p(_bounded_exp(-t)))
FORMULAS[activations.Arctan] = _each(mpmath.atan)
FORMULAS[activations.Sinh] = _each(lambda t: mpmath.sinh(_bounded(t)))
FORMULAS[activations.Mish] = _each(lambda t: t * mpmath.tanh(mpmath.log1p(_bounded_exp(t))))
FORMULAS[clipped.Relu6] = _each(lambda t: min(max(t, 0 * t), 6 + 0 * t))
FORMULAS[clipped.Hardsigmoid] = _each(lambda t: min(max(t + 3, 0 * t), 6 + 0 * t) / 6)
FORMULAS[sorting.Sort] = lambda evaluate, phi, x: np.array(sorted(x), dtype=object)
FORMULAS[vector.Identity] = lambda evaluate, phi, x: x
FORMULAS[vector.Flatten] = lambda evaluate, phi, x: x.ravel()
FORMULAS[vector.Select] = lambda evaluate, phi, x: x[list(phi.columns)]
FORMULAS[On] = FORMULAS[Assume] = lambda evaluate, phi, x: evaluate(phi.map, x)


@formula(functions.Shift)
def _shift(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    return x + mpmath.mpf(float(phi.offset))


@formula(pointwise.LeakyRelu)
def _leaky(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    slope = mpmath.mpf(float(phi.slope))
    return _each(lambda t: t if t >= 0 else slope * t)(evaluate, phi, x)


@formula(activations.Elu, activations.Celu)
def _elu(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    alpha = mpmath.mpf(float(phi.alpha))
    width = alpha if isinstance(phi, activations.Celu) else 1
    return _each(lambda t: t if t >= 0 else alpha * mpmath.expm1(_bounded(t / width)))(
        evaluate, phi, x
    )


@formula(activations.Selu)
def _selu(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    alpha, scale = mpmath.mpf(1.6732632423543772), mpmath.mpf(1.0507009873554805)
    return _each(lambda t: scale * (t if t >= 0 else alpha * mpmath.expm1(_bounded(t))))(
        evaluate, phi, x
    )


@formula(activations.Tanhshrink)
def _tanhshrink(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    # The difference loses two thirds of the digits of a small number.
    if any(v and abs(v) < mpmath.mpf(10) ** (-mpmath.mp.dps / 8) for v in x.flat):
        raise Unknown("the difference of nearly equal numbers")
    return _each(lambda t: t - mpmath.tanh(_bounded(t)))(evaluate, phi, x)


@formula(activations.Hardswish)
def _hardswish(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    return x * FORMULAS[clipped.Hardsigmoid](evaluate, phi, x)


@formula(clipped.Hardtanh)
def _hardtanh(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    low, high = mpmath.mpf(float(phi.low)), mpmath.mpf(float(phi.high))
    return _each(lambda t: min(max(t, low), high))(evaluate, phi, x)


@formula(clipped.Softshrink)
def _softshrink(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    by = mpmath.mpf(float(phi.lambd))
    return _each(lambda t: mpmath.sign(t) * max(abs(t) - by, 0 * t))(evaluate, phi, x)


@formula(jumps.Hardshrink, jumps.Step)
def _threshold(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    if isinstance(phi, jumps.Step):
        return _each(lambda t: mpmath.mpf(int(t > float(phi.threshold))))(evaluate, phi, x)
    return _each(lambda t: t if abs(t) > float(phi.lambd) else 0 * t)(evaluate, phi, x)


@formula(radial.RmsNorm, normalization.LayerNorm)
def _norm(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    if isinstance(phi, normalization.LayerNorm):
        x = x - sum(x.flat) / x.size
    square = sum(v * v for v in x.flat) / x.size
    return x / mpmath.sqrt(square + mpmath.mpf(float(phi.eps)))


@formula(radial.Squash)
def _squash(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    size = mpmath.sqrt(sum(v * v for v in x.flat))
    return x / (1 + size if phi.p == 1 else mpmath.sqrt(1 + size**2))


@formula(normalization.Softmax)
def _softmax(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    weights = [_bounded_exp(v - max(x.flat)) for v in x.flat]
    return np.array([w / sum(weights) for w in weights], dtype=object)


@formula(pointwise.CRelu)
def _crelu(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    relu = FORMULAS[pointwise.Relu]
    return np.concatenate((relu(evaluate, phi, x), relu(evaluate, phi, -x)))


@formula(powers.Log, powers.Sqrt)
def _log(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    root = isinstance(phi, powers.Sqrt)
    if any(v < 0 or (v == 0 and not root) for v in x.flat):
        raise Undefined
    return _each(lambda t: mpmath.sqrt(t) if root else mpmath.log(t))(evaluate, phi, x)


@formula(powers.Power)
def _power(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    p = float(phi.p)
    if any((v == 0 and p < 0) or (v < 0 and not p.is_integer()) for v in x.flat):
        raise Undefined
    exponent = int(p) if p.is_integer() else mpmath.mpf(p)
    return _each(lambda t: t**exponent if t or p else mpmath.mpf(1))(evaluate, phi, x)


@formula(affine.Affine)
def _affine(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    weight, bias = phi.array("weight"), phi.array("bias")
    rows = [[mpmath.mpf(float(w)) for w in row] for row in weight]
    return np.array(
        [
            sum((x[i] * rows[i][j] for i in range(len(rows))), mpmath.mpf(float(bias[j])))
            for j in range(weight.shape[1])
        ],
        dtype=object,
    )


@formula(affine.Diagonal)
def _diagonal(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    pairs = zip(x, phi.array("weight"), phi.array("bias"), strict=True)
    return np.array(
        [v * mpmath.mpf(float(w)) + mpmath.mpf(float(b)) for v, w, b in pairs], dtype=object
    )


@formula(vector.Normalize)
def _normalize(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    norm = mpmath.sqrt(sum(v * v for v in x.flat))
    return x / norm if norm else x


@formula(Compose)
def _compose(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    for part in phi.maps:
        x = evaluate(part, x)
    return x


@formula(Concat)
def _concat(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    values = [evaluate(part, x) for part in phi.maps]
    if len({v.shape[1:] for v in values}) > 1:
        values = [v.ravel() for v in values]
    return np.concatenate(values)


@formula(Tensor)
def _tensor(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    values = [evaluate(part, x).ravel() for part in phi.maps]
    out = np.empty(int(np.prod([len(v) for v in values])), dtype=object)
    for i, factors in enumerate(itertools.product(*values)):
        out[i] = mpmath.fprod(factors)
    return out


@formula(tensor_product_sketch.TensorProductSketch)
def _sketched_tensor(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    values = [evaluate(part, x).ravel() for part in phi.maps]
    if np.prod([float(len(v)) for v in values]) > 1e5:
        raise Unknown("many products")
    places = [phi.places(i, len(v)) for i, v in enumerate(values)]
    out = np.array([mpmath.mpf(0)] * phi.n_components, dtype=object)
    for entry in np.ndindex(*map(len, values)):
        at = sum(p[i] for (p, _), i in zip(places, entry, strict=True)) % phi.n_components
        signs = (s[i] for (_, s), i in zip(places, entry, strict=True))
        factors = (v[i] for v, i in zip(values, entry, strict=True))
        out[at] += mpmath.fprod([*map(float, signs), *factors])
    return out


@formula(Sum)
def _sum(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    total = evaluate(phi.maps[0], x)
    for part in phi.maps[1:]:
        total = total + evaluate(part, x)
    return total


@formula(Scale)
def _scale(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    return evaluate(phi.map, x) * mpmath.mpf(float(phi.factor))


@formula(Product)
def _product(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    pieces = np.split(x, np.cumsum(phi.split(len(x)))[:-1])
    return np.concatenate([evaluate(m, p).ravel() for m, p in zip(phi.maps, pieces, strict=True)])
