"""Formulas, to any number of digits, of convolutions and of what is done to patches of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..maps import contrast, conv, triangle
from .precise import Precise, Unknown, formula, mpmath

__all__: list[str] = []

# Numbers with many digits are slow.
MOST = 200_000


def _patches(phi: Any, x: np.ndarray) -> np.ndarray:
    """What each window sees, as rows: (windows, channels · offsets)."""
    image = x.reshape(phi.image_shape(x.shape))
    seen = phi.window().grid(image.shape)
    if seen.size * len(image) * len(phi.array("weight")) > MOST:
        raise Unknown("many products")
    flat = image.reshape(len(image), -1)
    zero = mpmath.mpf(0)
    rows = [[c[i] if i >= 0 else zero for c in flat for i in place] for place in seen]
    return np.array(rows, dtype=object)


def _filtered(phi: Any, rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    weight, bias = phi.array("weight"), phi.array("bias")
    out = np.empty((len(weight), len(rows)), dtype=object)
    for k, filter_ in enumerate(weight.reshape(len(weight), -1)):
        exact = [mpmath.mpf(float(w)) for w in filter_]
        for i, row in enumerate(rows):
            out[k, i] = mpmath.fdot(exact, row) + mpmath.mpf(float(bias[k]))
    return out.reshape(phi.out_shape(x.shape))


@formula(conv.Conv2d)
def _conv(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    return _filtered(phi, _patches(phi, x), x)


@formula(contrast.NormalizedConv2d)
def _normalized(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    rows, eps = _patches(phi, x), mpmath.mpf(float(phi.eps))
    for row in rows:
        row -= mpmath.fsum(row) / len(row)
        row /= mpmath.sqrt(mpmath.fsum(v * v for v in row) / len(row) + eps)
    return _filtered(phi, rows, x)


@formula(triangle.Distances2d)
def _distances(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    image = x.reshape(phi.image_shape(x.shape))
    centers = phi.array("centers")
    out = np.empty(phi.out_shape(x.shape), dtype=object)
    for k, i, j in np.ndindex(out.shape):
        parts = zip(image[:, i, j], centers[k], strict=True)
        out[k, i, j] = mpmath.sqrt(mpmath.fsum((v - float(c)) ** 2 for v, c in parts))
    return out


@formula(triangle.Triangle)
def _triangle(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    gaps = x.sum(axis=0) / len(x) - x
    return np.array([v if v > 0 else 0 * v for v in gaps.flat], dtype=object).reshape(x.shape)
