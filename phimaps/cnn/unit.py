"""What the tools of this package look at: a closed map of images, and one unit of it."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch

from ..errors import InputError, ShapeError
from ..map import FeatureMap, show
from ..map.closed import closed_map as closed
from ..maps.network import Network
from ..maps.translate import known_prefix

__all__ = ["as_batch", "checked_unit", "closed_map", "known_map", "unit_name"]


def closed_map(phi: Any, tool: str) -> FeatureMap:
    """The closed map that a tool looks at.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Closed, or fitted.
    tool : str
        The name of the tool, for the message.

    Raises
    ------
    OperandError, UnboundError
    """
    return closed(
        phi,
        f"{tool} looks at a feature map.",
        "a closed or fitted map of images, or a torch module",
        'pm.from_torch(module, layer="...")',
        "phi.bind(images)",
    )


def known_map(phi: Any, tool: str) -> FeatureMap:
    """The closed map, as one of this library where it is a layer of a network of known layers."""
    own = closed_map(phi, tool)
    if not isinstance(own, Network) or not isinstance(own.layer, str):
        return own
    asked = (own.pool, own.mean, own.std, own.in_shape, own.precision)
    place = own.places()[0]
    if own.module.trained or place.call or any(value is not None for value in asked):
        return own
    return known_prefix(own.module.module, place.layer, place.stage) or own


def as_batch(x: Any, tool: str, first: int = 0) -> torch.Tensor:
    """One image or several as a floating-point tensor of shape (n, channels, height, width).

    Bytes become numbers from 0 to 1; the caller's array is not written to. `first` is the number
    of the first image, for messages about one of many batches.

    Raises
    ------
    ShapeError
        When x has neither three nor four dimensions, or no image.
    InputError
        When a number is NaN or infinite.
    """
    images = x.detach() if isinstance(x, torch.Tensor) else torch.from_numpy(np.array(x))
    if images.ndim not in (3, 4) or not images.numel():
        raise ShapeError(
            f"{tool} looks at images.",
            got=f"x={show(images)}",
            need="shape (channels, height, width), or (n, channels, height, width)",
            do="X[0].reshape(channels, height, width)",
        )
    images = images if images.ndim == 4 else images[None]
    if images.dtype == torch.uint8:
        return images.float() / 255
    if images.dtype not in (torch.float32, torch.float64):
        images = images.double()
    # A sum costs a tenth of a search, and is finite only where every number is.
    if not images.sum().isfinite() and not images.isfinite().all():
        place = [int(i) for i in (~images.isfinite()).nonzero()[0]]
        raise InputError(
            f"{tool} looks at images of finite numbers.",
            got=f"{float(images[tuple(place)])} in image {first + place[0]}, at {tuple(place[1:])}",
            need="finite numbers",
            do="np.nan_to_num(X), or leave the image out",
        )
    return images


def checked_unit(unit: Any, shape: tuple[int, ...], tool: str) -> tuple[int, ...]:
    """The index of one number of the features of one image.

    Parameters
    ----------
    unit : int or tuple of int
        One index for each dimension of `shape`; negative ones count from the end. An int is the
        index in the flattened features.
    shape : tuple of int
        Of φ(x) for one image: (channels, height, width), or (channels,).
    tool : str
        The name of the tool, for the message.

    Examples
    --------
    >>> checked_unit((2, -1, 0), (4, 5, 5), "occlusion"), checked_unit(30, (4, 5, 5), "occlusion")
    ((2, 4, 0), (1, 1, 0))
    """
    whole = [unit] if isinstance(unit, int | np.integer) else list(np.asarray(unit).ravel())
    integral = all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in whole)
    if integral and len(whole) == 1 and len(shape) > 1 and 0 <= whole[0] < prod(shape):
        whole = list(np.unravel_index(int(whole[0]), shape))
    fits = len(whole) == len(shape) and integral
    if not fits or not all(-s <= i < s for i, s in zip(whole, shape, strict=True)):
        raise ShapeError(
            f"{tool} found no such unit: the features of an image have shape {shape}.",
            got=f"unit={show(unit)}",
            need=f"{len(shape)} indices below {shape}",
            do=f"unit={tuple(s // 2 for s in shape)}",
        )
    return tuple(int(i) % s for i, s in zip(whole, shape, strict=True))


def unit_name(unit: tuple[int, ...]) -> str:
    """A unit as the names of features have it.

    Examples
    --------
    >>> unit_name((17, 3, 5)), unit_name((4,))
    ('c17@(3,5)', 'c4')
    """
    return f"c{unit[0]}" + (f"@({','.join(map(str, unit[1:]))})" if len(unit) > 1 else "")
