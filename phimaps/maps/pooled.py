"""Feature maps made short: each channel by a few numbers, whatever the size of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ..errors import ParameterError, ShapeError, show

__all__ = ["check_pool", "feature_names", "pooled"]

_WORDS = ("avg", "max", "ppv", "moments")


def check_pool(owner: str, pool: Any) -> None:
    """Raise ParameterError for what is no way of pooling."""
    if pool is None or (isinstance(pool, str) and pool in _WORDS):
        return
    if isinstance(pool, tuple | list) and len(pool) == 3 and pool[0] in ("grid", "max"):
        sizes = pool[1:]
        if all(isinstance(s, int) and not isinstance(s, bool) and s > 0 for s in sizes):
            return
    raise ParameterError(
        f"The 'pool' parameter of {owner} cannot be used.",
        got=f"pool={show(pool)}",
        need='None, "avg", "max", "ppv", "moments", ("grid", rows, columns) or ("max", rows, '
        "columns)",
        do='pool="avg", or pool=("grid", 2, 2)',
    )


def pooled(value: torch.Tensor, pool: Any) -> torch.Tensor:
    """What a layer gives, pooled over the places of each channel.

    Parameters
    ----------
    value : Tensor of shape (n, channels, *places)
    pool : None, "avg", "max", "ppv", "moments", ("grid", rows, columns), ("max", rows, columns)
        Average and maximum; the fraction of places with a positive value; mean and standard
        deviation (two numbers for each channel, all means first); average and maximum over the
        cells of a grid. Without places each channel has the one value.

    Returns
    -------
    Tensor
        It shares no memory with `value` unless `pool` is None.

    Examples
    --------
    >>> z = torch.tensor([[[[1.0, 3.0]]]])
    >>> [pooled(z, p).tolist() for p in ("avg", "max", "ppv", "moments")]
    [[[2.0]], [[3.0]], [[1.0]], [[2.0, 1.0]]]
    """
    if pool is None:
        return value
    if value.ndim < 2:
        value = value[:, None]
    if not isinstance(pool, str):
        kind, *sizes = pool
        if value.ndim != 4:
            raise ShapeError(
                "Only images can be pooled over a grid.",
                got=f"pool={show(pool)} for a layer that gives items of shape "
                f"{tuple(value.shape[1:])}",
                need="a layer that gives items of shape (channels, rows, columns)",
                do='pool="avg", or another layer',
            )
        average = functional.adaptive_avg_pool2d if kind == "grid" else None
        return (average or functional.adaptive_max_pool2d)(value, tuple(sizes))
    flat = value.reshape(*value.shape[:2], -1)
    if pool == "avg":
        return flat.mean(2)
    if pool == "max":
        return flat.amax(2)
    if pool == "ppv":
        return (flat > 0).to(value.dtype).mean(2)
    mean = flat.mean(2)
    variance = (flat - mean[:, :, None]).square().mean(2)
    # The root has no slope at 0, which a channel without a spread would turn into NaN.
    flat_channel = variance == 0
    spread = torch.where(flat_channel, 1.0, variance).sqrt().where(~flat_channel, 0.0)
    return torch.cat([mean, spread], dim=1)


def feature_names(label: str, shape: tuple[int, ...], pool: Any) -> list[str]:
    """A name for each number: layer, stage, channel, place.

    Parameters
    ----------
    label : str
    shape : tuple of int
        Of what `pooled` gives for one item.
    pool
        As in `pooled`.

    Examples
    --------
    >>> feature_names("conv1[pre]", (1, 1, 2), None), feature_names("fc", (2,), "moments")
    (['conv1[pre]:c0@(0,0)', 'conv1[pre]:c0@(0,1)'], ['fc:c0:mean', 'fc:c0:std'])
    """
    shape = shape or (1,)
    if pool == "moments":
        channels = range(shape[0] // 2)
        return [f"{label}:c{k}:{word}" for word in ("mean", "std") for k in channels]
    places = [f"@({','.join(map(str, p))})" if p else "" for p in np.ndindex(shape[1:])]
    return [f"{label}:c{k}{place}" for k in range(shape[0]) for place in places]
