"""ReLU in every way that torch code spells it: module, function or method, in place or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["Rectified", "Rectifiers", "rectified"]

_IN_PLACE = {torch.relu_, torch.Tensor.relu_}
_COPYING = {torch.relu, torch.Tensor.relu, functional.relu}
_CLAMPS = {
    torch.clamp: False,
    torch.clip: False,
    torch.Tensor.clamp: False,
    torch.Tensor.clip: False,
    torch.clamp_min: False,
    torch.Tensor.clamp_min: False,
    torch.clamp_: True,
    torch.clip_: True,
    torch.Tensor.clamp_: True,
    torch.Tensor.clip_: True,
    torch.clamp_min_: True,
    torch.Tensor.clamp_min_: True,
}
_GREATER = {torch.maximum, torch.Tensor.maximum, torch.max, torch.Tensor.max}


@final
@dataclass(frozen=True)
class Rectified:
    """One call that computes max(z, 0).

    Parameters
    ----------
    z : Tensor
        What it is computed of.
    in_place : bool
        Whether the result is written over z.
    named : bool
        Whether the call is a ReLU by name, not a clamp or a maximum that does the same.
    """

    z: torch.Tensor
    in_place: bool
    named: bool = True


def rectified(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Rectified | None:
    """The call as max(z, 0), or None if it is something else.

    Parameters
    ----------
    function, args, kwargs
        As a ``TorchFunctionMode`` gets them.

    Examples
    --------
    >>> z = torch.tensor([-1.0, 2.0])
    >>> rectified(functional.relu, (z,), {"inplace": True}).in_place
    True
    >>> rectified(torch.clamp, (z,), {"min": 0}).named, rectified(torch.clamp, (z, 0, 1), {})
    (False, None)
    """
    z = args[0] if args else kwargs.get("input", kwargs.get("self"))
    if not isinstance(z, torch.Tensor) or kwargs.get("out") is not None:
        # Who writes to `out` must be left to do it.
        return None
    if function in _IN_PLACE:
        return Rectified(z, True)
    if function in _COPYING:
        in_place = kwargs.get("inplace", args[1] if len(args) > 1 else False)
        return Rectified(z, bool(in_place))
    if function in _CLAMPS:
        low = args[1] if len(args) > 1 else kwargs.get("min")
        high = args[2] if len(args) > 2 else kwargs.get("max")
        return Rectified(z, _CLAMPS[function], False) if high is None and _is_zero(low) else None
    if function in _GREATER:
        other = args[1] if len(args) > 1 else kwargs.get("other")
        if isinstance(other, torch.Tensor) and len(args) + len(kwargs) == 2:
            # Of two tensors either may be the zeros.
            for value, zeros in ((z, other), (other, z)):
                if not zeros.requires_grad and not bool(zeros.any()):
                    return Rectified(value, False, False)
    if function is functional.threshold:
        named = dict(zip(("input", "threshold", "value", "inplace"), args, strict=False)) | kwargs
        if _is_zero(named.get("threshold")) and _is_zero(named.get("value")):
            return Rectified(z, bool(named.get("inplace", False)), False)
    return None


def _is_zero(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1 and not value.requires_grad and bool(value == 0)
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0


@final
class Rectifiers(TorchFunctionMode):
    """While it is active, every ReLU z ↦ max(z, 0) is computed by a rule, however it is spelled.

    Parameters
    ----------
    rule : callable
        From a `Rectified` call to the tensor that stands for max(z, 0). It must not write to z; the
        mode does that where the call is one in place.

    Attributes
    ----------
    named, unnamed : int
        How many calls were ReLUs by name, and how many clamps or maxima that do the same.

    Examples
    --------
    >>> with Rectifiers(lambda call: call.z.abs()) as mode:
    ...     torch.nn.ReLU()(torch.tensor([-1.0, 2.0])), mode.named
    (tensor([1., 2.]), 1)
    """

    def __init__(self, rule: Callable[[Rectified], torch.Tensor]):
        super().__init__()
        self.rule = rule
        self.named = self.unnamed = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        call = rectified(func, args, kwargs)
        if call is None:
            return func(*args, **kwargs)
        if call.named:
            self.named += 1
        else:
            self.unnamed += 1
        value = self.rule(call)
        return call.z.copy_(value) if call.in_place else value
