"""Which torch modules are maps of this library under another name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..map import FeatureMap, pipe
from .activations import Celu, Elu, Hardswish, LogSigmoid, Mish, Selu, Softsign, Tanhshrink
from .affine import Affine, Diagonal
from .clipped import Hardsigmoid, Hardtanh, Relu6, Softshrink
from .conv import Conv2d
from .jumps import Hardshrink
from .normalization import LayerNorm, Softmax
from .pointwise import Gelu, LeakyRelu, Relu, Sigmoid, Silu, Softplus, Tanh
from .pool import AvgPool2d, MaxPool2d
from .radial import RmsNorm
from .vector import Flatten, Identity

__all__ = ["known_module", "known_prefix"]


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().clone()


def _linear(m: Any) -> FeatureMap:
    return Affine(_copy(m.weight).T.contiguous(), None if m.bias is None else _copy(m.bias))


def _flatten(m: Any) -> FeatureMap | None:
    return Flatten() if (m.start_dim, m.end_dim) == (1, -1) else None


def _conv(m: Any) -> FeatureMap | None:
    if m.groups != 1 or m.dilation != (1, 1) or m.padding_mode not in ("zeros", "circular"):
        return None
    if m.padding == "same" and m.stride != (1, 1):
        return None
    padding = 0 if m.padding == "valid" else m.padding
    bias = None if m.bias is None else _copy(m.bias)
    return Conv2d(_copy(m.weight), bias, m.stride, padding, m.padding_mode)


def _max_pool(m: Any) -> FeatureMap | None:
    if m.dilation not in (1, (1, 1)) or m.return_indices:
        return None
    return MaxPool2d(m.kernel_size, m.stride, m.padding, m.ceil_mode)


def _avg_pool(m: Any) -> FeatureMap | None:
    if m.divisor_override is not None:
        return None
    return AvgPool2d(m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad)


def _sequential(m: Any) -> FeatureMap | None:
    parts = [known_module(child) for child in m]
    return pipe(*parts) if parts and all(p is not None for p in parts) else None


def _elu(m: Any) -> FeatureMap | None:
    if m.alpha == 0:
        return Relu()
    return Elu(m.alpha) if m.alpha > 0 else None


def _softplus(m: Any) -> FeatureMap | None:
    # Above its threshold it is the identity, from which the true one differs by exp(-threshold).
    return Softplus() if m.beta == 1 and m.threshold >= 40 else None


def _prelu(m: Any) -> FeatureMap | None:
    return LeakyRelu(m.weight.item()) if m.num_parameters == 1 else None


def _scaled(norm: FeatureMap, m: Any) -> FeatureMap | None:
    """A normalization of rows, and the weights that some modules apply to the result."""
    if m.weight is None:
        return norm
    bias = getattr(m, "bias", None)
    bias = torch.zeros_like(m.weight) if bias is None else bias
    return pipe(norm, Diagonal(_copy(m.weight), _copy(bias)))


def _layer_norm(m: Any) -> FeatureMap | None:
    return _scaled(LayerNorm(m.eps), m) if len(m.normalized_shape) == 1 and m.eps > 0 else None


def _rms_norm(m: Any) -> FeatureMap | None:
    # Without a number ε depends on the precision of the input.
    usable = len(m.normalized_shape) == 1 and m.eps is not None and m.eps > 0
    return _scaled(RmsNorm(m.eps), m) if usable else None


def _batch_norm(m: Any) -> FeatureMap | None:
    """A multiple and a shift of each channel, by the statistics of the training data."""
    if m.running_mean is None:
        return None
    # In double precision, as the offset is a difference.
    mean, weight = m.running_mean.double(), torch.rsqrt(m.running_var.double() + m.eps)
    bias = torch.zeros_like(mean)
    if m.weight is not None:
        weight, bias = weight * m.weight.double(), m.bias.double()
    weight, bias = _copy(weight), _copy(bias - mean * weight)
    if isinstance(m, nn.BatchNorm1d):
        return Diagonal(weight, bias)
    return Conv2d(torch.diag(weight)[:, :, None, None], bias)


MODULES: dict[type, Callable[[Any], FeatureMap | None]] = {
    nn.Linear: _linear,
    nn.ReLU: lambda m: Relu(),
    nn.LeakyReLU: lambda m: LeakyRelu(m.negative_slope),
    nn.Tanh: lambda m: Tanh(),
    nn.Sigmoid: lambda m: Sigmoid(),
    nn.GELU: lambda m: Gelu() if m.approximate == "none" else None,
    nn.SiLU: lambda m: Silu(),
    nn.PReLU: _prelu,
    nn.ELU: _elu,
    nn.CELU: lambda m: Celu(m.alpha) if m.alpha > 0 else None,
    nn.SELU: lambda m: Selu(),
    nn.Softplus: _softplus,
    nn.Softsign: lambda m: Softsign(),
    nn.LogSigmoid: lambda m: LogSigmoid(),
    nn.Tanhshrink: lambda m: Tanhshrink(),
    nn.Mish: lambda m: Mish(),
    nn.Hardswish: lambda m: Hardswish(),
    nn.ReLU6: lambda m: Relu6(),
    nn.Hardtanh: lambda m: Hardtanh(m.min_val, m.max_val),
    nn.Hardsigmoid: lambda m: Hardsigmoid(),
    nn.Softshrink: lambda m: Softshrink(m.lambd) if m.lambd >= 0 else None,
    nn.Hardshrink: lambda m: Hardshrink(m.lambd) if m.lambd >= 0 else None,
    # Softmax() takes rows only, whose axes 1 and -1 are one.
    nn.Softmax: lambda m: Softmax() if m.dim in (1, -1) else None,
    nn.LayerNorm: _layer_norm,
    nn.RMSNorm: _rms_norm,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.Identity: lambda m: Identity(),
    # In evaluation mode dropout does nothing.
    nn.Dropout: lambda m: Identity(),
    nn.Flatten: _flatten,
    nn.Conv2d: _conv,
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _avg_pool,
    nn.Sequential: _sequential,
}


def known_module(module: nn.Module) -> FeatureMap | None:
    """The closed map that a module is in evaluation mode, or None.

    Hooks change what a module computes, so a module with hooks is never translated; nor is a
    subclass.

    Examples
    --------
    >>> known_module(nn.Tanh())
    Tanh()
    """
    if _disturbed(module):
        return None
    translate = MODULES.get(type(module))
    return None if translate is None else translate(module)


def known_prefix(module: nn.Module, layer: str, stage: str | None) -> FeatureMap | None:
    """What a Sequential computes up to a layer, as a map of this library; None if not known.

    Parameters
    ----------
    module : torch.nn.Module
    layer : str
        A name as in ``named_modules()``; inside nested Sequentials too.
    stage : {None, "pre", "post"}

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> known_prefix(net, "0", "post"), known_prefix(net, "1", "pre")
    (Relu() @ Affine(weight=float32[3, 2], bias=float32[2]), Affine(weight=float32[3, 2], ...))
    """
    passed: list[nn.Module] = []
    inside, names = module, layer.split(".")
    for name in names:
        if type(inside) is not nn.Sequential or _disturbed(inside):
            return None
        listed = list(inside.named_children())
        place = next((i for i, (child, _) in enumerate(listed) if child == name), None)
        # A module that stands twice is listed once.
        if place is None or len(listed) != len(inside):
            return None
        passed += [child for _, child in listed[:place]]
        after = [child for _, child in listed[place + 1 :]]
        inside = listed[place][1]
    rectifies = isinstance(inside, nn.ReLU)
    if stage == "post" and not rectifies:
        if not after or not isinstance(after[0], nn.ReLU) or isinstance(inside, nn.Sequential):
            return None
        passed += [inside, after[0]]
    elif stage == "pre" and not rectifies and not isinstance(inside, nn.Conv2d | nn.Linear):
        return None
    elif stage != "pre" or not rectifies:
        passed.append(inside)
    known = [known_module(part) for part in passed]
    if not known or len(set(map(id, passed))) < len(passed) or any(k is None for k in known):
        return None
    return pipe(*known)


def _disturbed(module: nn.Module) -> bool:
    """Whether something beside its class says what a module computes."""
    hooks = ("_forward_hooks", "_forward_pre_hooks")
    return any(getattr(module, name, None) for name in hooks) or "forward" in vars(module)
