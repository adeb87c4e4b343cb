"""Image patches as data: their sample, their contrast, and their whitening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from ..map import FeatureMap
from .contrast import NormalizedConv2d
from .conv import Conv2d
from .images import Window

__all__ = ["Whitening", "contrast", "layer", "patches"]

TINY, MOST = float(np.finfo(np.float64).tiny), float(np.finfo(np.float64).max)


def patches(
    window: Window, images: torch.Tensor, most: int, rng: np.random.Generator
) -> np.ndarray:
    """What the windows see, one patch a row; a random sample where there are too many.

    Parameters
    ----------
    window : Window
    images : tensor of shape (n, channels, height, width)
    most : int
        The greatest number of patches.
    rng : numpy.random.Generator
        Asked only if there are more.

    Returns
    -------
    ndarray of float64, shape (patches, channels · kernel_height · kernel_width)
    """
    found = images.detach().cpu().numpy()
    n, c, h, w = found.shape
    seen = window.grid((h, w))
    total = n * len(seen)
    chosen = np.arange(total)
    if total > most:
        chosen = rng.choice(total, most, replace=False, shuffle=False)
    item, place = np.divmod(chosen, len(seen))
    # The padding has the index -1, which is the column of zeros at the end.
    flat = np.pad(found.reshape(n, c, h * w).astype(np.float64), ((0, 0), (0, 0), (0, 1)))
    rows = flat.transpose(0, 2, 1)[item[:, None], seen[place]]
    return rows.swapaxes(1, 2).reshape(len(chosen), -1)


def contrast(rows: np.ndarray, part: float) -> tuple[np.ndarray, float]:
    """(p - m) / √(v + ε) for each patch p, and the ε: a part of the mean of the variances v.

    Patches without any contrast stay flat.
    """
    rows = rows - rows.mean(axis=1, keepdims=True)
    # Divided by a power of two, which is exact, squares neither over- nor underflow.
    size = float(np.ldexp(1.0, min(int(np.frexp(np.abs(rows).max(initial=0.0))[1]), 1023)))
    rows = rows / size
    var = (rows**2).mean(axis=1, keepdims=True)
    eps = part * float(var.mean()) or 1.0
    with np.errstate(over="ignore", under="ignore"):
        absolute = float(np.clip(eps * size * size, TINY, MOST))
    return rows / np.sqrt(var + eps), absolute


@final
@dataclass(frozen=True)
class Whitening:
    """p ↦ (p - m) (C + ρI)^(-1/2), for the covariance C of some patches and their mean m.

    The matrix is symmetric (ZCA): no other that whitens changes the patches less.

    Parameters
    ----------
    mean : ndarray of shape (d,)
    matrix : ndarray of shape (d, d)
    """

    mean: np.ndarray
    matrix: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, part: float) -> Whitening:
        """The whitening of patches, with ρ a part of the mean eigenvalue of C.

        Parameters
        ----------
        rows : ndarray of shape (n, d)
        part : float
        """
        mean = rows.mean(axis=0)
        values, vectors = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        ridge = part * float(values.mean())
        # Without variance there is nothing to whiten.
        spread = np.sqrt(np.maximum(values, 0.0) + ridge) if ridge > 0 else np.ones(len(values))
        return cls(mean, (vectors / spread) @ vectors.T)

    @classmethod
    def none(cls, d: int) -> Whitening:
        """The identity."""
        return cls(np.zeros(d), np.eye(d))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return (rows - self.mean) @ self.matrix

    def filters(self, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weight (k, d) and bias (k,) that give inner products of whitened patches with rows."""
        weight = directions @ self.matrix
        return weight, -weight @ self.mean


def layer(
    owner: Any, channels: int, weight: np.ndarray, bias: np.ndarray | None, eps: float | None
) -> FeatureMap:
    """The closed convolution with filters given as rows, behind contrast normalization or not.

    Parameters
    ----------
    owner : ImageMap
        Whose kernel_size, stride, padding, padding_mode and in_shape it has.
    channels : int
        Of the images.
    weight : ndarray of shape (k, channels · kernel_height · kernel_width)
    bias : ndarray of shape (k,) or None
    eps : float or None
        The ε of the normalization; None: no normalization.
    """
    shaped = np.ascontiguousarray(weight).reshape(len(weight), channels, *owner.window().size)
    rest = (owner.stride, owner.padding, owner.padding_mode, owner.in_shape)
    if eps is None:
        return Conv2d(shaped, bias, *rest)
    return NormalizedConv2d(shaped, bias, eps, *rest)
