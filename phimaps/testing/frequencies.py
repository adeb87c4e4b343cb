"""Formulas, to any number of digits, of waves with given frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..maps import fourier, structured
from .precise import Precise, _limited, formula, mpmath

__all__: list[str] = []


@formula(fourier.Fourier)
def _fourier(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    return _waves(phi, x - _exact(phi.array("center")), _exact(phi.array("weight")))


@formula(structured.HadamardFourier)
def _structured(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    weight, signs, radii, center = (phi.array(name) for name in phi.arrays)
    order = signs.shape[1]
    row = np.concatenate(((x - _exact(center)) * _exact(weight), [mpmath.mpf(0)] * order))[:order]
    first = _turned(row * signs[0])
    turned = [
        _turned(_turned(first * one) * two)
        for one, two in zip(signs[1::2], signs[2::2], strict=True)
    ]
    lengths = _exact(radii) / mpmath.sqrt(order) ** 3
    return _waves(phi, np.concatenate(turned)[: len(radii)] * lengths, None)


def _exact(values: np.ndarray) -> np.ndarray:
    out = np.empty(values.shape, dtype=object)
    for i in np.ndindex(values.shape):
        out[i] = mpmath.mpf(float(values[i]))
    return out


def _turned(row: np.ndarray) -> np.ndarray:
    """H x by sums and differences of halves."""
    if len(row) == 1:
        return row
    low, high = (_turned(half) for half in np.split(row, 2))
    return np.concatenate((low + high, low - high))


def _waves(phi: Any, point: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    phase = point if weight is None else point @ weight
    scale = mpmath.mpf(float(phi.scale))
    return np.array(
        [scale * wave(_limited(t)) for wave in (mpmath.cos, mpmath.sin) for t in phase],
        dtype=object,
    )
