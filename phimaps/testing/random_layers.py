"""Formulas, to any number of digits, of the closed maps that random layers are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..maps import positive_random, random_ntk
from .precise import Precise, _bounded_exp, formula, mpmath

__all__: list[str] = []


def _dot(x: np.ndarray, column: np.ndarray) -> Any:
    return sum((v * mpmath.mpf(float(w)) for v, w in zip(x, column, strict=True)), mpmath.mpf(0))


@formula(positive_random.Bumps)
def _bumps(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    level = _dot(x, phi.array("slope")) - mpmath.mpf(float(phi.decay)) * sum(v * v for v in x)
    pairs = list(zip(phi.array("weight").T, phi.array("bias"), strict=True))
    return np.array(
        [
            _bounded_exp(sign * _dot(x, w) + mpmath.mpf(float(b)) + level)
            for sign in ((1, -1) if phi.both else (1,))
            for w, b in pairs
        ],
        dtype=object,
    )


@formula(random_ntk.Gated)
def _gated(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    weight, bias, gain, offset = (phi.array(name) for name in phi.arrays)
    u = [_dot(x[: len(w)], w) + mpmath.mpf(float(b)) for w, b in zip(weight.T, bias, strict=True)]
    t = [_dot(x, v) + mpmath.mpf(float(c)) for v, c in zip(gain.T, offset, strict=True)]
    size = [abs(v) for v in u]
    gated = [mpmath.sign(a) * b for a, b in zip(u, t, strict=True)]
    return np.array(u + size + t + gated if phi.linear else size + gated, dtype=object)
