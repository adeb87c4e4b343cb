"""What one convolution layer makes of a picture: the input x, z = w ∗ x + b, and a = ReLU(z)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from sklearn.datasets import load_sample_image

from ..errors import DependencyError
from ..maps.filters import PatchPCAConv2d
from ..maps.pointwise import Relu

__all__ = ["Layer", "photograph", "through_layer"]


@final
@dataclass(frozen=True)
class Layer:
    """A picture on its way through a layer.

    Parameters
    ----------
    x : ndarray of shape (channels, height, width)
        The input.
    filters : ndarray of shape (n, channels, size, size)
    z, a : ndarray of shape (n, height, width)
        The pre-activation maps and the activation maps, one for each filter.
    """

    x: np.ndarray
    filters: np.ndarray
    z: np.ndarray
    a: np.ndarray


def through_layer(
    images: np.ndarray, filters: int, size: int, padding: int, shown: int = 0
) -> Layer:
    """Learn filters from the patches of images and send one of the images through the layer.

    Parameters
    ----------
    images : ndarray of shape (n, channels, height, width)
    filters, size : int
        How many filters, and how many pixels on each side.
    padding : int
        Zeros around the picture.
    shown : int
        Which of the images.

    Returns
    -------
    Layer
    """
    z = PatchPCAConv2d(n_filters=filters, kernel_size=size, padding=padding).bind(images)
    x = images[shown : shown + 1]
    return Layer(x[0], z.array("weight"), z(x)[0], (Relu() @ z)(x)[0])


def photograph(step: int = 2) -> np.ndarray:
    """A crop of scikit-learn's photograph of a Chinese temple, with pixel values in [0, 1].

    Parameters
    ----------
    step : int
        Squares of this many pixels are averaged into one.

    Returns
    -------
    ndarray of shape (1, 3, height, width)

    Raises
    ------
    DependencyError
        When Pillow, which reads the file, is not installed.
    """
    picture = _load("china.jpg")[60:380, 130:530]
    h, w = picture.shape[0] // step, picture.shape[1] // step
    means = picture[: h * step, : w * step].reshape(h, step, w, step, 3).mean(axis=(1, 3))
    return (means / 255).transpose(2, 0, 1)[None]


def _load(name: str) -> Any:
    try:
        return load_sample_image(name)
    except ImportError as error:
        raise DependencyError(
            "The demo shows a photograph, and Pillow, which reads it, is not installed.",
            got=str(error).splitlines()[0],
            need="Pillow",
            do="pip install 'phimaps[plot]'",
        ) from None
