"""Singular values of convolutions at the frequencies of a torus, exactly or as certified bounds.

A circular convolution acts on each frequency by a small matrix. Others are compared with one: an
image embedded in a torus, convolved there, and some coordinates of the result chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, inf, prod, sqrt
from typing import final

import numpy as np

from ..interval import EPS, grown, scaled
from .images import Pair, Window

__all__ = ["Torus", "coercivity", "extremes", "spectrum", "torus"]

TINY = float(np.finfo(np.float64).tiny)


@final
@dataclass(frozen=True)
class Torus:
    """A circular convolution with which one that slides a window over an image is compared.

    Parameters
    ----------
    sizes, stride : pair of int
        The size of the torus, a multiple of the stride that is kept.
    exact : bool
        Whether the two are the same up to the order of coordinates.
    covers : bool
        Whether no coordinate of the circular convolution of an image is left out but zeros, so that
        its least singular value bounds from below.
    repeats : int
        How often a coordinate may occur.
    """

    sizes: Pair
    stride: Pair
    exact: bool
    covers: bool
    repeats: int = 1


def torus(window: Window, shape: tuple[int, ...]) -> Torus:
    """The torus for a window on images of a shape.

    Parameters
    ----------
    window : Window
    shape : tuple of int
        (..., height, width).

    Returns
    -------
    Torus
    """
    axes = [(_circular if window.circular else _padded)(window, i, shape[i - 2]) for i in (0, 1)]
    sizes, stride, exact, covers, repeats = zip(*axes, strict=True)
    return Torus(sizes, stride, all(exact), all(covers), prod(repeats))  # type: ignore[arg-type]


def _circular(window: Window, axis: int, n: int) -> tuple[int, int, bool, bool, int]:
    k, s, count = window.size[axis], window.stride[axis], window.count(axis, n)
    if n % s == 0:
        return n, s, count == n // s, count >= n // s, ceil(count * s / n)
    # Windows that start n apart see the same.
    return n, 1, False, False, ceil((n + window.before[axis] + window.after[axis] - k + 1) / n)


def _padded(window: Window, axis: int, n: int) -> tuple[int, int, bool, bool, int]:
    k, s, count = window.size[axis], window.stride[axis], window.count(axis, n)
    before, after = window.before[axis], window.after[axis]
    if not before and not after and n % s == 0 and count == n // s:
        return n, s, True, True, 1
    # No window may reach around the torus to the other side of the image.
    least = max(k, n + max(before, after))
    # Windows that were left out at an end must not touch the image.
    covers = before + s >= k and (count - 1) * s - before + s >= n
    return -(-least // s) * s, s, False, covers, 1


def _waves(k: int, n: int, s: int, twist: int, half: bool) -> np.ndarray:
    """exp(-i angle · tap) for the angles of a torus, shape (frequencies, aliases, taps).

    A twist of 1 moves all angles by half a step. Frequencies come in conjugate pairs with the same
    singular values, so half of them suffice.
    """
    m = n // s
    chosen = np.arange((m + 2 - twist) // 2 if half else m)
    step = 2 * (chosen[:, None] + m * np.arange(s)) + twist
    return np.exp(-2j * np.pi * ((step[:, :, None] * np.arange(k)) % (2 * n)) / (2 * n))


def _blocks(
    weight: np.ndarray, sizes: Pair, stride: Pair, twist: Pair = (0, 0)
) -> Iterator[np.ndarray]:
    """The matrices at the frequencies, those of one row at a time, aliases side by side."""
    c_out, c_in, *kernel = weight.shape
    rows, cols = (
        _waves(k, n, s, t, half)
        for k, n, s, t, half in zip(kernel, sizes, stride, twist, (False, True), strict=True)
    )
    taps = weight.reshape(c_out * c_in, *kernel)
    for row in rows:
        half = np.einsum("la,oab->lob", row, taps).reshape(-1, kernel[1])
        full = (cols.reshape(-1, kernel[1]) @ half.T).reshape(
            len(cols), stride[1], stride[0], c_out, c_in
        )
        blocks = full.transpose(0, 3, 2, 1, 4).reshape(len(cols), c_out, -1)
        yield blocks / sqrt(prod(stride)) if prod(stride) > 1 else blocks


def spectrum(weight: np.ndarray, sizes: Pair, stride: Pair = (1, 1)) -> np.ndarray:
    """All singular values of a circular convolution, greatest first.

    Parameters
    ----------
    weight : ndarray of shape (c_out, c_in, height, width)
    sizes, stride : pair of int
        Of the image; the stride divides the size.

    Returns
    -------
    ndarray
        As many values as the smaller side of the matrix has, right up to rounding.
    """
    m = sizes[1] // stride[1]
    # The first frequency is its own partner, and with an even number of them the middle one.
    times = np.array([1 if 2 * f % m == 0 else 2 for f in range(m // 2 + 1)])
    found = [
        np.repeat(np.linalg.svd(blocks, compute_uv=False), times, axis=0).ravel()
        for blocks in _blocks(weight, sizes, stride)
    ]
    return np.sort(np.concatenate(found))[::-1]


def _blur(weight: np.ndarray) -> float:
    """How far, in Frobenius norm, the computed matrix at a frequency is from the true one."""
    # Each wave is right to 12 EPS: its angle, below 2π, to 10 EPS and the exponential to 2.
    size = float(np.linalg.norm(np.abs(weight).sum(axis=(2, 3)))) * (1 + 4 * EPS * weight.size)
    return (4 * prod(weight.shape[2:]) + 40) * EPS * size + TINY


def extremes(
    weight: np.ndarray, sizes: Pair, stride: Pair = (1, 1), twist: Pair = (0, 0)
) -> tuple[float, float, float, float]:
    """Certified bounds for the extreme singular values over all frequencies of a torus.

    As in `phimaps.interval.singular_values`, from the residual and the defects of orthogonality of
    a computed decomposition, and from the error of the computed Fourier transform.

    Parameters
    ----------
    weight : ndarray of shape (c_out, c_in, height, width)
    sizes, stride : pair of int
        Of the torus; the stride divides the size.
    twist : pair of int
        For each axis, 1 to move all angles by half a step: the convolution of images that change
        sign when they are shifted by the size. It contains a padded convolution just as well.

    Returns
    -------
    (upper, lower) bound of the greatest, (upper, lower) bound of the least singular value
    """
    weight, power = scaled(weight)
    blur = _blur(weight)
    top, least = [0.0, 0.0], [inf, inf]
    for blocks in _blocks(weight, sizes, stride, twist):
        u, s, vh = np.linalg.svd(blocks, full_matrices=False)
        us, n = u * s[:, None, :], s.shape[1]
        residual = blur + _norms(blocks - us @ vh) + (8 * n + 16) * EPS * _norms(us) * _norms(vh)
        defects = [
            _defects(a, b)
            for a, b in ((u.conj().transpose(0, 2, 1), u), (vh, vh.conj().transpose(0, 2, 1)))
        ]
        grow = np.sqrt((1 + defects[0]) * (1 + defects[1])) * (1 + 8 * EPS)
        shrink = np.prod([np.sqrt(np.maximum(0.0, 1 - d)) for d in defects], axis=0) * (1 - 8 * EPS)
        high = (s.T * grow + residual) * (1 + 2 * EPS)
        low = np.maximum(0.0, (s.T * shrink - residual) * (1 - 2 * EPS))
        top = [max(top[0], float(high[0].max())), max(top[1], float(low[0].max()))]
        least = [min(least[0], float(high[-1].min())), min(least[1], float(low[-1].min()))]
    high, low = grown([top[0], least[0]], power, True), grown([top[1], least[1]], power, False)
    return float(high[0]), float(low[0]), float(high[1]), float(low[1])


def coercivity(weight: np.ndarray, sizes: Pair, tap: Pair) -> float:
    """A lower bound for |Ax| / |x| from the tap that stands at the pixel itself.

    With C the convolution on a torus, E the embedding of the image and U the orthogonal part of the
    matrix of that tap, ``<Ax, Ux> = <CEx, UEx> >= m |x|²`` for m the least eigenvalue of the
    Hermitian parts of U*C at the frequencies, and ``|Ux| <= |U| |x|``.

    Parameters
    ----------
    weight : ndarray of shape (c_out, c_in, height, width)
        With c_out >= c_in.
    sizes : pair of int
        Of a torus that contains the convolution.
    tap : pair of int
        Which tap stands at the pixel.

    Returns
    -------
    float
        0 where the tap does not outweigh the others.
    """
    weight, power = scaled(weight)
    left, _, right = np.linalg.svd(weight[:, :, tap[0], tap[1]], full_matrices=False)
    unitary = left @ right
    size = float(np.linalg.norm(unitary)) * (1 + 8 * EPS * unitary.size)
    # |U|² <= |UᵀU|, whose distance from 1 is computed.
    spectral = sqrt(1 + float(_defects(unitary.T[None], unitary[None])[0])) * (1 + 4 * EPS)
    blur = _blur(weight) * size
    angles = [
        np.conj(_waves(k, n, 1, 0, half)[:, 0, t])
        for k, n, t, half in zip(weight.shape[2:], sizes, tap, (False, True), strict=True)
    ]
    least = inf
    for row, blocks in zip(angles[0], _blocks(weight, sizes, (1, 1)), strict=True):
        aligned = unitary.T @ (blocks * (row * angles[1])[:, None, None])
        part = (aligned + aligned.conj().transpose(0, 2, 1)) / 2
        values, v = np.linalg.eigh(part)
        vs, n = v * values[:, None, :], values.shape[1]
        adjoint = v.conj().transpose(0, 2, 1)
        error = blur + _norms(part - vs @ adjoint) + (8 * n + 16) * EPS * _norms(vs) * _norms(v)
        error = error + (8 * len(unitary) + 64) * EPS * size * _norms(blocks)
        low = values[:, 0] * np.maximum(0.0, 1 - _defects(adjoint, v)) - error
        least = min(least, float(low.min()))
        if least <= 0:
            return 0.0
    return float(grown(least / spectral * (1 - 4 * EPS), power, False))


def _norms(blocks: np.ndarray) -> np.ndarray:
    """The Frobenius norm of each block, rounded up."""
    return np.linalg.norm(blocks, axis=(1, 2)) * (1 + 8 * EPS * blocks[0].size)


def _defects(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How far a @ b is from the identity, in each block, rounded up."""
    n, inner = a.shape[1], a.shape[2]
    off = _norms(a @ b - np.eye(n))
    return (off + (8 * inner + 16) * EPS * _norms(a) * _norms(b)) * (1 + 4 * EPS)
