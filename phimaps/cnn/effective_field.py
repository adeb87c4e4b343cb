"""Where in its field a unit mostly looks, estimated from the gradient at given images."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from numbers import Real
from typing import Any, final

import numpy as np
import torch

from ..errors import GradientError, ParameterError, show
from .dependence import as_rows
from .unit import as_batch, checked_unit, closed_map

__all__ = ["EffectiveField", "effective_field"]

# Numbers in the images of one batch.
MOST = 2**21


@final
@dataclass(frozen=True, eq=False, repr=False)
class EffectiveField:
    """How much the pixels of given images move one unit: an estimate, which depends on the images.

    Parameters
    ----------
    weight : ndarray of float64, shape (height, width)
        The squared gradient summed over channels, averaged over images and divided by its sum; 0 if
        no image moves the unit.
    area : int
        The least number of pixels that hold the share.
    box : (top, left, bottom, right)
        The smallest box that holds the share, half-open; (0, 0, 0, 0) if no image moves the unit.
    share : float
        How much of the weight.
    """

    weight: np.ndarray
    area: int
    box: tuple[int, int, int, int]
    share: float

    def __repr__(self) -> str:
        top, left, bottom, right = self.box
        return (
            f"EffectiveField({self.share:.4g} of the weight in {self.area} pixels, or in rows "
            f"{top}:{bottom}, columns {left}:{right})"
        )


def effective_field(
    phi: Any, unit: int | tuple[int, ...], images: Any, *, share: float = 0.95
) -> EffectiveField:
    """E |∂φ_u/∂x(y, x)|², the squared gradient of a unit by pixel, averaged over images.

    It is an estimate that depends on the images: a pixel of weight 0 may still move the unit in
    others. `receptive_field` has all pixels that can.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        A closed or fitted map of images; ``pm.from_torch(net, layer="layer2")`` for a layer.
    unit : int or tuple of int
        One number of the features of an image: (channel, row, column), or (channel,).
    images : array or tensor of shape (n, channels, height, width)
        Or one image; bytes become numbers from 0 to 1.
    share : float, default 0.95
        How much of the weight `area` and `box` must hold, above 0 and at most 1.

    Returns
    -------
    EffectiveField

    Raises
    ------
    OperandError, UnboundError
        When phi is no map, or is not fitted.
    ParameterError
        When the share is not such a number.
    ShapeError
        When x is no image, or there is no such unit.
    GradientError
        When the map gives no gradient.

    Notes
    -----
    For n convolutions k x k with independent weights of mean 0 the expected squared gradient is a
    uniform k x k window convolved n times with itself. That is close to a Gaussian of variance
    n (k² - 1) / 12 along each axis, of which 95 % lie in 1.57 n (k² - 1) pixels: of the n² (k - 1)²
    pixels of the field a part that shrinks as 1/n. Luo et al. find the same shape with ReLU and in
    trained networks. They average over random images and weights; here the weights are those of the
    map.

    References
    ----------
    Luo, Li, Urtasun, Zemel (2016), Understanding the effective receptive field in deep
    convolutional neural networks.

    Examples
    --------
    >>> import phimaps as pm
    >>> blur = pm.Conv2d([[[[1.0, 4.0, 1.0]]]])
    >>> effective_field(blur, (0, 0, 1), np.ones((1, 1, 5)))
    EffectiveField(0.95 of the weight in 3 pixels, or in rows 0:1, columns 1:4)
    >>> effective_field(blur, (0, 0, 1), np.ones((1, 1, 5)), share=0.85).box
    (0, 2, 1, 3)
    """
    if not isinstance(share, Real) or isinstance(share, bool) or not 0 < share <= 1:
        raise ParameterError(
            "The 'share' of effective_field is not a part of the weight.",
            got=f"share={show(share)}",
            need="a number above 0, at most 1",
            do="share=0.95",
        )
    closed, x = closed_map(phi, "effective_field"), as_batch(images, "effective_field")
    total = torch.zeros(x.shape[2:], dtype=torch.float64)
    place: tuple[int, ...] | None = None
    for some in x.split(max(1, MOST // prod(x.shape[1:]))):
        with torch.enable_grad():
            leaf = some.clone().requires_grad_()
            value = closed.forward(as_rows(closed, leaf))
            if place is None:
                place = checked_unit(unit, tuple(value.shape[1:]), "effective_field")
            if not value.requires_grad:
                raise GradientError(
                    "The map gives no gradient.",
                    got=f"{closed!r}",
                    need="a map that computes with differentiable functions of torch",
                    do="receptive_field(phi, unit), which needs none",
                )
            made = torch.autograd.grad(value[(slice(None), *place)].sum(), leaf)[0]
        total += made.double().square().sum((0, 1)).cpu()
    weight = total.numpy()
    whole = weight.sum()
    weight = weight / whole if whole > 0 else weight
    area = _least_area(weight, float(share)) if whole > 0 else 0
    box = _smallest_box(weight, float(share)) if whole > 0 else (0, 0, 0, 0)
    return EffectiveField(weight, area, box, float(share))


def _short(held: np.ndarray, share: float, terms: int) -> np.ndarray:
    """Whether so much is less than the share, by more than sums of so many numbers may err."""
    return held < share - terms * np.finfo(np.float64).eps


def _least_area(weight: np.ndarray, share: float) -> int:
    held = np.cumsum(np.sort(weight, axis=None)[::-1])
    return int(np.count_nonzero(_short(held, share, weight.size))) + 1


def _smallest_box(weight: np.ndarray, share: float) -> tuple[int, int, int, int]:
    """Of the boxes that hold the share the one of the least area; the first of several."""
    rows, cols = np.flatnonzero(weight.any(1)), np.flatnonzero(weight.any(0))
    top, left = int(rows[0]), int(cols[0])
    part = weight[top : rows[-1] + 1, left : cols[-1] + 1]
    height, width = part.shape
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = part.cumsum(0).cumsum(1)
    best, box = part.size + 1, (0, 0, height, width)
    for first in range(height):
        # For each last row the least right end that will do, moved on with the left end.
        stripes = sums[first + 1 :] - sums[first]
        heights, right = np.arange(1, len(stripes) + 1), np.zeros(len(stripes), dtype=int)
        for start in range(width):
            right = np.maximum(right, start + 1)
            lacking = np.ones(len(stripes), dtype=bool)
            while lacking.any():
                held = stripes[np.arange(len(stripes)), right] - stripes[:, start]
                lacking = _short(held, share, weight.size) & (right < width)
                right = right + lacking
            held = stripes[np.arange(len(stripes)), right] - stripes[:, start]
            enough = ~_short(held, share, weight.size)
            if not enough.any():
                break
            areas = np.where(enough, heights * (right - start), part.size + 1)
            least = int(areas.argmin())
            if areas[least] < best:
                best = int(areas[least])
                box = (first, start, first + least + 1, int(right[least]))
    return box[0] + top, box[1] + left, box[2] + top, box[3] + left
