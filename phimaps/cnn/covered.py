"""How a unit changes when a window of the image is covered."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, final

import numpy as np
import torch

from ..config import config_context
from ..errors import ParameterError, ShapeError, show
from ..rows import apply, device_of
from .field import Fields, upright
from .unit import as_batch, checked_unit, closed_map, unit_name

__all__ = ["Occlusion", "occlusion"]

# Covered images at a time.
PIECE = 64

Pair = tuple[int, int]


@final
@dataclass(frozen=True)
class Occlusion:
    """What covering each of a grid of windows does to one unit.

    Parameters
    ----------
    change : ndarray of shape (rows, cols), or (n, rows, cols) of n images
        φ_u(covered) - φ_u(x): below 0 where the window holds what the unit responds to. Exactly 0
        for windows outside the receptive field.
    tops, lefts : ndarray of int, shape (rows,) and (cols,)
        Where the windows begin.
    window : pair of int
        Height and width.
    unit : tuple of int
    value : ndarray of shape (), or (n,)
        φ_u(x), of the image as it is.
    evaluated : int
        How many covered images went through φ, in all.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.Conv2d([[[[1.0, 2.0]]]])
    >>> print(pm.cnn.occlusion(phi, [[[3.0, 1.0, 5.0, 2.0]]], (0, 0, 1), window=1, fill=0))
    c0@(0,1) = 11, 2 of 4 windows of 1 x 1 evaluated: change from -10 to 0
    """

    change: np.ndarray
    tops: np.ndarray
    lefts: np.ndarray
    window: Pair
    unit: tuple[int, ...]
    value: np.ndarray
    evaluated: int

    def __str__(self) -> str:
        images = self.value.size
        head = unit_name(self.unit) + (f" = {self.value:g}" if self.value.ndim == 0 else "")
        of = "" if self.value.ndim == 0 else f" in each of {images} images"
        return (
            f"{head}, {self.evaluated} of {self.change.size} windows of "
            f"{self.window[0]} x {self.window[1]}{of} evaluated: change from "
            f"{self.change.min():g} to {self.change.max():g}"
        )


def occlusion(
    phi: Any, x: Any, unit: Any, window: Any = None, stride: Any = None, fill: Any = "mean"
) -> Occlusion:
    """φ_u(x with a window covered) - φ_u(x), for each window of a grid.

    Only windows that meet the receptive field of the unit are evaluated, windows that cover the
    same part of it once, and many at a time.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Closed, or fitted.
    x : array or tensor of shape (channels, height, width) or (n, channels, height, width)
        Bytes stand for numbers from 0 to 1.
    unit : int or tuple of int
        (channel, row, column), or an index of the flattened features.
    window : int or pair of int, optional
        Height and width, in pixels. Default: an eighth of the image, at least 1.
    stride : int or pair of int, optional
        From one window to the next. Default: half of the window, at least 1. A last window lies
        at the end of the image if the steps do not lead there.
    fill : "mean", float or array, default "mean"
        What covers: the mean of each channel of the image, one number, one for each channel, or
        an image of shape (channels, height, width); in the numbers of x.

    Returns
    -------
    Occlusion

    Raises
    ------
    OperandError, UnboundError, ShapeError, InputError, ParameterError

    References
    ----------
    Zeiler, Fergus (2014), Visualizing and understanding convolutional networks, section 4.2.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.Relu() @ pm.Conv2d([[[[1.0, -1.0]]]])
    >>> found = pm.cnn.occlusion(phi, [[[3.0, 1.0, 5.0]]], (0, 0, 0), window=1, fill=0)
    >>> found.change, found.lefts
    (array([[-2.,  1.,  0.]]), array([0, 1, 2]))
    """
    closed = closed_map(phi, "occlusion")
    images = upright(closed, as_batch(x, "occlusion"))
    size = images.shape[-2:]
    window = _pair("window", tuple(max(1, s // 8) for s in size) if window is None else window)
    stride = _pair("stride", tuple(max(1, s // 2) for s in window) if stride is None else stride)
    if window[0] > size[0] or window[1] > size[1]:
        raise ShapeError(
            "The window of occlusion is larger than the image.",
            got=f"window={window}, images of {size[0]} x {size[1]} pixels",
            need="a window inside the image",
            do=f"window={tuple(max(1, s // 8) for s in size)}",
        )
    cover = _cover(fill, images, getattr(x, "dtype", None) in (np.uint8, torch.uint8))
    with config_context(cache_bytes=0):
        # Images that nobody asks for again would push out of the cache what is asked for.
        first = apply(closed, images[:1], device=device_of(closed))
        index = checked_unit(unit, tuple(first.shape[1:]), "occlusion")
        tops, lefts = (_starts(n, w, s) for n, w, s in zip(size, window, stride, strict=True))
        c, h, w = images.shape[1:]
        corners, part = _parts(Fields(closed).mask(index, (c, h, w)), tops, lefts, window)
        change, values = [], []
        for image, paint in zip(images, cover, strict=True):
            value, covered = _changes(closed, image, paint, corners, window, index)
            # The last entry stands for the windows that cover nothing of the field.
            change.append(np.append(covered, 0.0).astype(covered.dtype)[part])
            values.append(value)
    single = np.ndim(x) == 3
    return Occlusion(
        change[0] if single else np.stack(change),
        tops,
        lefts,
        window,
        index,
        values[0] if single else np.stack(values),
        len(corners) * len(images),
    )


def _pair(name: str, value: Any) -> Pair:
    both = tuple(value) if isinstance(value, list | tuple) else (value, value)
    whole = all(isinstance(v, Integral) and not isinstance(v, bool) and int(v) > 0 for v in both)
    if len(both) != 2 or not whole:
        raise ParameterError(
            f"The {name} of occlusion counts pixels.",
            got=f"{name}={show(value)}",
            need="an int >= 1, or a pair of them (height, width)",
            do=f"{name}=8",
        )
    return int(both[0]), int(both[1])


def _starts(n: int, window: int, stride: int) -> np.ndarray:
    starts = np.arange(0, n - window + 1, stride)
    return starts if starts[-1] == n - window else np.append(starts, n - window)


def _cover(fill: Any, images: torch.Tensor, from_bytes: bool) -> torch.Tensor:
    """What covers, for each image as an image."""
    if isinstance(fill, str) and fill == "mean":
        return images.mean((2, 3), keepdim=True).expand_as(images)
    try:
        paint = torch.from_numpy(np.array(fill, dtype=np.float64, order="C"))
        if paint.ndim == 1:
            paint = paint[:, None, None]
        if from_bytes:
            paint = paint / 255
        if paint.ndim > 3 or not paint.isfinite().all():
            raise ValueError
        return paint.to(images).expand_as(images)
    except (TypeError, ValueError, RuntimeError):
        raise ParameterError(
            "The fill of occlusion is what covers a window.",
            got=f"fill={show(fill)}",
            need='"mean", a finite number, one for each channel, or an image of shape '
            f"{tuple(images.shape[1:])}",
            do='fill="mean", or fill=0',
        ) from None


def _parts(
    mask: np.ndarray, tops: np.ndarray, lefts: np.ndarray, window: Pair
) -> tuple[list[Pair], np.ndarray]:
    """The windows to evaluate, and for each window of the grid which of them stands for it.

    Two windows that cover the same part of the field do the same to the unit. A window that covers
    nothing of it has the index after the last.
    """
    corners: dict[bytes, tuple[int, Pair]] = {}
    part = np.empty((len(tops), len(lefts)), dtype=int)
    alone = np.zeros_like(mask)
    for i, j in np.ndindex(part.shape):
        here = (slice(tops[i], tops[i] + window[0]), slice(lefts[j], lefts[j] + window[1]))
        alone[here] = mask[here]
        corner = (int(tops[i]), int(lefts[j]))
        none = not alone[here].any()
        key = b"" if none else np.packbits(alone).tobytes()
        part[i, j] = -1 if none else corners.setdefault(key, (len(corners), corner))[0]
        alone[here] = False
    return [corner for _, corner in corners.values()], part


def _changes(
    closed: Any,
    image: torch.Tensor,
    paint: torch.Tensor,
    corners: list[Pair],
    window: Pair,
    index: tuple[int, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """φ_u of the image, and the change for each covered one."""
    found = []
    # The image as it is goes first, in one batch with others.
    for start in range(0, len(corners) + 1, PIECE):
        batch = image.repeat(min(PIECE, len(corners) + 1 - start), 1, 1, 1)
        for row, at in enumerate(range(start, start + len(batch))):
            if at:
                top, left = corners[at - 1]
                here = (slice(None), slice(top, top + window[0]), slice(left, left + window[1]))
                batch[(row, *here)] = paint[here]
        features: Any = apply(closed, batch, device=device_of(closed))
        found.append(features[(slice(None), *index)].cpu().numpy().copy())
    values = np.concatenate(found)
    return values[0], values[1:] - values[0]
