"""Formulas, to any number of digits, of the closed maps that trained maps are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..maps import (
    coupling,
    invertible_residual,
    lift,
    monotone_residual,
    reconfiguration,
    twist,
)
from .precise import Precise, _bounded, formula, mpmath

__all__: list[str] = []


def _number(value: Any) -> Any:
    return mpmath.mpf(float(value))


def _product(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.array(
        [
            sum((v * _number(w) for v, w in zip(x, column, strict=True)), mpmath.mpf(0))
            for column in weight.T
        ],
        dtype=object,
    )


def _exp(matrix: np.ndarray) -> np.ndarray:
    """The exponential of a skew-symmetric object array.

    In two and three dimensions by the angle of rotation (Rodrigues' formula), else by halving and
    Taylor's series.
    """
    if len(matrix) in (2, 3):
        t = mpmath.sqrt(sum(v * v for v in matrix.flat) / 2)
        if t:
            around = matrix / t
            eye = np.eye(len(matrix), dtype=int).astype(object)
            return eye + around * mpmath.sin(t) + around.dot(around) * (1 - mpmath.cos(t))
    halvings = 0
    while max(abs(v) for v in matrix.flat) > 1:
        matrix, halvings = matrix / 2, halvings + 1
    size = range(len(matrix))
    total = term = np.array([[mpmath.mpf(i == j) for j in size] for i in size], dtype=object)
    j = 0
    while max(abs(v) for v in term.flat) > mpmath.mpf(10) ** (-mpmath.mp.dps - 5 - halvings):
        j += 1
        term = term.dot(matrix) / j
        total = total + term
    for _ in range(halvings):
        total = total.dot(total)
    return total


def _twisted(phi: Any, x: np.ndarray) -> np.ndarray:
    centre, generators, widths = (phi.array(n) for n in ("centre", "generators", "widths"))
    v = np.array([t - _number(c) for t, c in zip(x, centre, strict=True)], dtype=object)
    square = sum(t * t for t in v)
    angle = np.zeros((len(v), len(v)), dtype=object) + mpmath.mpf(0)
    for g, w in zip(generators, widths, strict=True):
        exact = np.array([[_number(t) for t in row] for row in g], dtype=object)
        profile = mpmath.exp(-square / (2 * _number(w) ** 2))
        angle = angle + (exact - exact.T) * profile
    moved = _exp(angle).dot(v)
    return np.array([t + _number(c) for t, c in zip(moved, centre, strict=True)], dtype=object)


def _bent(phi: Any, x: np.ndarray) -> np.ndarray:
    pairs = zip(x, phi.array("height"), strict=True)
    return np.array([t + _number(a) * mpmath.tanh(_bounded(t)) for t, a in pairs], dtype=object)


@formula(lift.Lift)
def _lift(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    return np.array([*x, *[mpmath.mpf(0)] * phi.count], dtype=object)


@formula(monotone_residual.MonotoneResidual)
def _monotone_residual(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    return _bent(phi, x)


@formula(twist.Twist)
def _twist(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    return _twisted(phi, x)


@formula(reconfiguration.ReconfigurationUnit)
def _reconfiguration(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    moved = _product(_twisted(phi, x), phi.array("weight"))
    shifts = [_number(b) for b in phi.array("bias")]
    return _bent(phi, np.array([t + b for t, b in zip(moved, shifts, strict=True)], dtype=object))


def _layer(phi: Any, x: np.ndarray) -> np.ndarray:
    """tanh(x W + b) V."""
    weight, bias, out = (phi.array(n) for n in phi.arrays)
    z = _product(x, weight)
    hidden = [mpmath.tanh(_bounded(t + _number(b))) for t, b in zip(z, bias, strict=True)]
    return _product(np.array(hidden, dtype=object), out)


@formula(coupling.Coupling)
def _coupling(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    m = len(phi.array("weight"))
    rest = [t + s for t, s in zip(x[m:], _layer(phi, x[:m]), strict=True)]
    return np.array([*x[:m], *rest], dtype=object)


@formula(invertible_residual.InvertibleResidual)
def _invertible_residual(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    return np.array([t + s for t, s in zip(x, _layer(phi, x), strict=True)], dtype=object)
