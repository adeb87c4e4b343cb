"""Formulas, to any number of digits, of sketches, projections and exact features of kernels."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np

from ..maps import explicit_polynomial, piecewise_linear, product_sketch, sparse_linear
from ..maps import tensor_sketch as tensor
from ..maps.hadamard import hadamard, power_of_two
from .precise import Precise, Unknown, formula, mpmath

__all__: list[str] = []


@formula(explicit_polynomial.ExplicitPolynomial)
def _explicit(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    p, gamma, c = int(phi.degree), mpmath.mpf(float(phi.gamma)), mpmath.mpf(float(phi.coef0))
    monomials = phi._monomials().monomials(len(x))
    if len(monomials) > 5_000:
        raise Unknown("many monomials")
    out = []
    for monomial in monomials:
        k = len(monomial)
        orders = mpmath.factorial(k)
        for i in set(monomial):
            orders /= mpmath.factorial(monomial.count(i))
        size = comb(p, k) * gamma**k * c ** (p - k) * orders
        out.append(mpmath.sqrt(size) * mpmath.fprod(x[i] for i in monomial))
    return np.array(out, dtype=object)


@formula(sparse_linear.SparseLinear, sparse_linear.SignedHadamard)
def _linear(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    columns = phi.dense().T
    return np.array([_dot(x, column) for column in columns], dtype=object)


def _dot(x: np.ndarray, column: np.ndarray) -> Any:
    return mpmath.fsum(v * mpmath.mpf(float(w)) for v, w in zip(x, column, strict=True) if w)


@formula(piecewise_linear.LinearInterpolation)
def _interpolation(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    levels = [mpmath.mpf(float(v)) for v in phi.array("levels")]
    values = phi.array("values")
    out = []
    for t in x.ravel():
        k = max([0, *(i for i in range(len(levels) - 1) if levels[i] <= t)])
        share = (t - levels[k]) / (levels[k + 1] - levels[k])
        for a, b in zip(values[k], values[k + 1], strict=True):
            low, high = mpmath.mpf(float(a)), mpmath.mpf(float(b))
            out.append(low + share * (high - low))
    return np.array(out, dtype=object)


@formula(tensor.CountSketchProducts, product_sketch.RademacherProducts)
def _products(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    hashed = isinstance(phi, tensor.CountSketchProducts)
    constant, linear = mpmath.mpf(float(phi.constant)), mpmath.mpf(float(phi.linear))
    out = [constant] if constant else []
    out += [linear * v for v in x] if linear else []
    used = row = 0
    for degree, width, scale in phi.groups:
        slots = phi.slots(width)
        found = [mpmath.mpf(1)] * slots
        for _ in range(degree):
            if hashed:
                matrix = _waves(np.asarray(phi.bucket)[used], np.asarray(phi.sign)[used], width)
                used += 1
            else:
                matrix, count = _signs(phi, used, row, width)
                used, row = used + count, row + slots
            found = [
                f * mpmath.fsum(w * v for w, v in zip(column, x, strict=True))
                for f, column in zip(found, matrix, strict=True)
            ]
        size = mpmath.mpf(float(scale))
        for i, value in enumerate(found):
            whole = i < slots - phi.real(width)
            parts = [mpmath.re(value), mpmath.im(value)] if whole else [mpmath.re(value)]
            out += [v * size / (1 if whole else mpmath.sqrt(2)) for v in parts]
    return np.array(out, dtype=object)


def _waves(bucket: np.ndarray, sign: np.ndarray, width: int) -> list[list[Any]]:
    numbers = [*range(1, (width + 1) // 2), 0, *([width // 2] if width % 2 == 0 else [])]
    return [
        [int(s) * mpmath.expjpi(mpmath.mpf(-2 * int(b) * k) / width)
         for b, s in zip(bucket, sign, strict=True)]
        for k in numbers
    ]  # fmt: skip


def _signs(phi: Any, used: int, row: int, width: int) -> tuple[list[list[Any]], int]:
    d, order = phi.features, power_of_two(phi.features)
    where = product_sketch.block_of_slot(width, order)
    roots = [mpmath.mpc(1), mpmath.mpc(0, 1), mpmath.mpc(-1), mpmath.mpc(0, -1)]
    matrix = []
    for i, block in enumerate(where):
        turns = np.asarray(phi.turns)[used + block]
        signs = hadamard(order)[np.asarray(phi.chosen)[row + i]]
        matrix.append([roots[int(turns[j])] * int(signs[j]) for j in range(d)])
    return matrix, product_sketch.blocks_of(width, order)
