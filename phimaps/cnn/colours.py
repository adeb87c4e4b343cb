"""Images, signals and filters as pixels."""

from __future__ import annotations

from math import ceil, isqrt

import numpy as np

from ..page.pictures import SIGNED

__all__ = ["photograph", "shrunk", "signal", "tiles"]


def photograph(image: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """An image as it looks.

    Parameters
    ----------
    image : ndarray of shape (channels, height, width)
        Three channels are red, green and blue; of any other number the mean is shown in grey.
    low, high : float
        What is black and what is white.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Examples
    --------
    >>> photograph(np.array([[[0.0, 0.5, 2.0]]])).tolist()
    [[[0, 0, 0], [128, 128, 128], [255, 255, 255]]]
    """
    shown = image if len(image) == 3 else np.repeat(image.mean(0, keepdims=True), 3, axis=0)
    span = high - low if high > low else 1.0
    levels = np.clip((shown.astype(np.float64) - low) / span, 0, 1)
    return (255 * levels).round().astype(np.uint8).transpose(1, 2, 0)


def signal(values: np.ndarray, reach: float | None = None) -> np.ndarray:
    """Numbers of both signs, one for each pixel and channel.

    Parameters
    ----------
    values : ndarray of shape (channels, height, width)
        Three channels are colours around grey, which is 0; of any other number the mean is shown,
        blue below 0 and red above.
    reach : float, optional
        The greatest number that is told apart. Default: the greatest there is.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Examples
    --------
    >>> signal(np.array([[[-1.0]], [[0.0]], [[1.0]]])).tolist()
    [[[0, 128, 255]]]
    """
    shown = values if len(values) == 3 else values.mean(0, keepdims=True)
    most = float(np.abs(shown).max(initial=0.0)) if reach is None else reach
    if len(shown) == 3:
        return photograph(shown, -most, most) if most else np.full((*shown.shape[1:], 3), 128, "u1")
    return SIGNED(shown[0], -most, most) if most else SIGNED(shown[0], -1.0, 1.0)


def tiles(weight: np.ndarray, reach: float | None = None) -> np.ndarray:
    """A filter: as a small picture, or one tile for each of its input channels.

    Parameters
    ----------
    weight : ndarray of shape (channels, height, width)
    reach : float, optional
        As in `signal`.

    Returns
    -------
    ndarray of uint8, shape (rows, cols, 3)
        Of one or three channels (height, width, 3); else the tiles in rows, grey between them.
    """
    if len(weight) in (1, 3):
        return signal(weight, reach)
    most = float(np.abs(weight).max(initial=0.0)) if reach is None else reach
    count, height, width = weight.shape
    across = isqrt(count - 1) + 1
    sheet = np.full(
        (ceil(count / across) * (height + 1) - 1, across * (width + 1) - 1, 3), 190, "u1"
    )
    for i, tile in enumerate(weight):
        top, left = (i // across) * (height + 1), (i % across) * (width + 1)
        sheet[top : top + height, left : left + width] = signal(tile[None], most)
    return sheet


def shrunk(pixels: np.ndarray, most: int) -> np.ndarray:
    """The pixels, or where a side is longer than `most` means of squares of them.

    Examples
    --------
    >>> shrunk(np.zeros((5, 300, 3), dtype=np.uint8), 100).shape
    (2, 100, 3)
    """
    height, width, colours = pixels.shape
    step = ceil(max(height, width) / most)
    if step == 1:
        return pixels
    below, beside = -height % step, -width % step
    wide = np.pad(pixels, ((0, below), (0, beside), (0, 0)), mode="edge").astype(np.float64)
    blocks = wide.reshape(wide.shape[0] // step, step, wide.shape[1] // step, step, colours)
    return blocks.mean(axis=(1, 3)).round().astype(np.uint8)
