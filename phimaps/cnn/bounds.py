"""Intervals through linear layers, averages and activations, with the rounding of float32 allowed.

Ends are float64 tensors (low, high) of the shape of one image. A computed end is moved outward by a
bound of what float32 and float64 may round, relative to the terms that make up that very end: for
t ↦ t + γ |t| is increasing, so no other point of the box is rounded further than the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ..map import FeatureMap
from ..maps.activations import Elu, Hardswish, Mish
from ..maps.pointwise import Gelu, LeakyRelu, Sigmoid, Silu, Tanh
from ..spaces import Box

__all__ = [
    "Ends",
    "Unclaimed",
    "added",
    "around",
    "averaged",
    "batch_normed",
    "constant",
    "convolved",
    "curved",
    "linear",
    "multiplied",
    "negated",
    "widened",
]

Ends = tuple[torch.Tensor, torch.Tensor]

EPS = float(np.finfo(np.float32).eps)
TINY = float(np.finfo(np.float32).tiny)


class Unclaimed(BaseException):
    """What is computed here has no rule; no error, so that no ``except Exception`` swallows it."""


def constant(value: torch.Tensor) -> torch.Tensor:
    """A constant as float64, which holds every float32 exactly.

    Raises
    ------
    Unclaimed
        When it is of another kind, or not finite.
    """
    if value.dtype not in (torch.float32, torch.float64) or not bool(value.isfinite().all()):
        raise Unclaimed
    return value.detach().double().cpu()


def around(number: torch.Tensor) -> Ends:
    """A single number, which torch may round to float32 before it computes with it."""
    rounded = number.float().double()
    return torch.minimum(number, rounded), torch.maximum(number, rounded)


def moved(ends: Ends, slacks: Ends) -> Ends:
    """The ends moved outward; where there is nothing to round they stay exact."""
    low, high = (torch.where(s > 0, s + TINY, 0.0) for s in slacks)
    return ends[0] - low, ends[1] + high


def widened(ends: Ends, turned: torch.Tensor | None = None, ulps: int = 2) -> Ends:
    """Ends of a single operation: its rounding is relative to its result.

    Parameters
    ----------
    ends : Ends
    turned : Tensor of bool, optional
        Where the ends have changed places.
    ulps : int, default 2
        In units of float32.

    Examples
    --------
    >>> low, high = widened((torch.zeros(1), torch.ones(1)))
    >>> low.item(), 1 < high.item() < 1.000001
    (0.0, True)
    """
    low, high = ends
    if turned is not None:
        low, high = torch.where(turned, high, low), torch.where(turned, low, high)
    return moved((low, high), (ulps * EPS * low.abs(), ulps * EPS * high.abs()))


def negated(ends: Ends) -> Ends:
    """-x, exactly."""
    return -ends[1], -ends[0]


def added(a: Ends, b: Ends) -> Ends:
    """x + y."""
    return widened((a[0] + b[0], a[1] + b[1]))


def multiplied(a: Ends, b: Ends) -> Ends:
    """x y, from the products of the ends."""
    products = torch.stack(torch.broadcast_tensors(*(u * v for u in a for v in b)))
    return widened((products.amin(dim=0), products.amax(dim=0)))


def averaged(ends: Ends, sizes: Ends, terms: int) -> Ends:
    """Averages of so many terms, of which `sizes` are the averages of the ends' magnitudes."""
    factor = (2 * terms + 8) * EPS
    return moved(ends, (factor * sizes[0], factor * sizes[1]))


def _combined(
    ends: Ends,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    apply: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    terms: int,
) -> Ends:
    """Σ w x + b for a bilinear `apply`: each end from the ends that the signs of w choose."""
    up, down = weight.clamp(min=0), weight.clamp(max=0)
    found = []
    for far, near in (ends, ends[::-1]):
        value = apply(far, up) + apply(near, down)
        size = apply(far.abs(), up) - apply(near.abs(), down)
        count = apply(1.0 * (far != 0), 1.0 * (up > 0)) + apply(1.0 * (near != 0), 1.0 * (down < 0))
        if bias is not None:
            value, size = value + bias, size + bias.abs()
        # Where every product is 0 the sum is the bias, exactly; elsewhere each may underflow.
        slack = torch.where(count > 0, (2 * terms + 6) * EPS * size + TINY * count, 0.0)
        found.append((value, slack))
    # The low end takes the lows where w is positive, the high end the highs.
    return moved((found[0][0], found[1][0]), (found[0][1], found[1][1]))


def convolved(
    ends: Ends,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Ends:
    """w * x + b, in groups, dilated, padded with zeros.

    Examples
    --------
    >>> pixels = torch.zeros(1, 1, 2), torch.ones(1, 1, 2)
    >>> low, high = convolved(pixels, torch.full((1, 1, 1, 2), -1.0))
    >>> -2.00001 < low.item() < -2, high.item()
    (True, 0.0)
    """
    if ends[0].ndim != 3:
        raise Unclaimed

    def apply(image: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(image[None], w, None, stride, padding, dilation, groups)[0]

    shaped = None if bias is None else bias.double()[:, None, None]
    return _combined(_doubled(ends), weight.double(), shaped, apply, weight[0].numel())


def linear(ends: Ends, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Ends:
    """x Wᵀ + b over the last axis."""

    def apply(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return x @ w.T

    shaped = None if bias is None else bias.double()
    return _combined(_doubled(ends), weight.double(), shaped, apply, weight.shape[-1])


def _doubled(ends: Ends) -> Ends:
    return ends[0].double(), ends[1].double()


def batch_normed(
    ends: Ends,
    mean: torch.Tensor,
    variance: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    eps: float,
) -> Ends:
    """(x - mean) / sqrt(variance + ε) w + b, channel by channel; folded or not."""
    shape = (-1, *(1,) * (ends[0].ndim - 1))
    centre = mean.reshape(shape)
    scale = (1 / torch.sqrt(variance + eps)).reshape(shape)
    if weight is not None:
        scale = scale * weight.reshape(shape)
    offset = torch.zeros_like(centre) if bias is None else bias.reshape(shape)
    turned = scale < 0
    found = []
    for end, other in (ends, ends[::-1]):
        x = torch.where(turned, other, end)
        value = (x - centre) * scale + offset
        # A dozen roundings at most, each relative to one of these terms.
        size = (x.abs() + centre.abs()) * scale.abs() + offset.abs()
        found.append((value, 16 * EPS * size))
    return moved((found[0][0], found[1][0]), (found[0][1], found[1][1]))


def curved(func: Any, ends: Ends, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ends:
    """An activation, by the enclosure of the map of that name.

    Raises
    ------
    Unclaimed
        When the function has no rule, or these parameters.
    """
    if len(args) > _POSITIONAL.get(func, 0):
        # Whether it works in place may stand there.
        raise Unclaimed
    if func in _CLIPPING:
        low, high = _CLIPPING[func](args, kwargs)
        return ends[0].clamp(low, high), ends[1].clamp(low, high)
    make = _CURVES.get(func)
    phi = None if make is None else make(args, kwargs)
    if phi is None:
        raise Unclaimed
    box = phi.image(Box(ends[0].numpy(), ends[1].numpy())).outer
    low, high = (torch.from_numpy(np.array(end)) for end in box.bounds())
    if isinstance(phi, Sigmoid | Tanh | LeakyRelu):
        return widened((low, high), ulps=16)
    # The others are products and sums, in which terms as large as the operand may cancel.
    reach = torch.maximum(ends[0].abs(), ends[1].abs())
    return moved((low, high), (16 * EPS * (low.abs() + reach), 16 * EPS * (high.abs() + reach)))


def _clip_range(args: tuple[Any, ...], kwargs: dict[str, Any], default: Any) -> tuple[Any, Any]:
    names = ("min", "max") if default is None else ("min_val", "max_val")
    low, high = (
        args[i] if len(args) > i else kwargs.get(name, None if default is None else default[i])
        for i, name in enumerate(names)
    )
    if len(args) > (2 if default is None else 3) or (low is None and high is None):
        raise Unclaimed
    for end in (low, high):
        if end is not None and (isinstance(end, bool) or not isinstance(end, int | float)):
            raise Unclaimed
        # In float32 the limit itself is rounded.
        if end is not None and float(np.float32(end)) != float(end):
            raise Unclaimed
    if low is not None and high is not None and low > high:
        raise Unclaimed
    return low, high


_Tensor = torch.Tensor
_Range = Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, Any]]
_CLIPPING: dict[Any, _Range] = {
    **{
        f: lambda a, k: _clip_range(a, k, None)
        for f in (torch.clamp, torch.clip, _Tensor.clamp, _Tensor.clip, _Tensor.clamp_)
    },
    functional.hardtanh: lambda a, k: _clip_range(a, k, (-1.0, 1.0)),
    functional.relu6: lambda a, k: (0.0, 6.0),
}


_POSITIONAL = {func: 2 for func in _CLIPPING if func is not functional.relu6} | {
    functional.leaky_relu: 1,
    functional.elu: 1,
}


def _parameter(name: str, default: Any) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
    return lambda args, kwargs: args[0] if args else kwargs.get(name, default)


_slope, _alpha = _parameter("negative_slope", 0.01), _parameter("alpha", 1.0)
_approximate = _parameter("approximate", "none")
_Make = Callable[[tuple[Any, ...], dict[str, Any]], FeatureMap | None]
_CURVES: dict[Any, _Make] = {
    **{f: lambda a, k: Sigmoid() for f in (torch.sigmoid, _Tensor.sigmoid, functional.sigmoid)},
    **{f: lambda a, k: Tanh() for f in (torch.tanh, _Tensor.tanh, functional.tanh)},
    functional.gelu: lambda a, k: Gelu() if _approximate(a, k) == "none" else None,
    functional.silu: lambda a, k: Silu(),
    functional.hardswish: lambda a, k: Hardswish(),
    functional.mish: lambda a, k: Mish(),
    functional.leaky_relu: lambda a, k: LeakyRelu(_slope(a, k)) if _slope(a, k) >= 0 else None,
    functional.elu: lambda a, k: Elu(_alpha(a, k)) if _alpha(a, k) > 0 else None,
}
