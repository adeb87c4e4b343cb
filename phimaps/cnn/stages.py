"""A forward pass, step by step: what every layer of a map gives, in the order in which it runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, final

import torch
from torch import nn

from ..map import Assume, Compose, Concat, FeatureMap, On, Scale, Sum
from ..maps.activations import Celu, Elu, Hardswish, LogSigmoid, Mish, Selu, Softsign, Tanhshrink
from ..maps.affine import Affine, Diagonal
from ..maps.clipped import Hardsigmoid, Hardtanh, Relu6, Softshrink
from ..maps.conv import Conv2d
from ..maps.frozen import Frozen
from ..maps.functions import Shift
from ..maps.jumps import Hardshrink, Step
from ..maps.network import Network
from ..maps.pointwise import CRelu, Gelu, LeakyRelu, Relu, Sigmoid, Silu, Softplus, Tanh
from ..maps.pool import AvgPool2d, GlobalPool, MaxPool2d
from ..maps.tap import Event, watching
from ..maps.vector import Identity
from .unit import closed_map

__all__ = ["Arithmetic", "Numbers", "Passed", "as_followed", "follow", "warn_unnamed"]

_LINEAR = (Affine, Conv2d, Diagonal, Shift)
_RECTIFIERS = (Relu, CRelu)
_ACTIVATIONS = (
    *_RECTIFIERS,
    *(Celu, Elu, Gelu, Hardshrink, Hardsigmoid, Hardswish, Hardtanh, LeakyRelu, LogSigmoid, Mish),
    *(Relu6, Selu, Sigmoid, Silu, Softplus, Softshrink, Softsign, Step, Tanh, Tanhshrink),
)
_POOLS = (AvgPool2d, GlobalPool, MaxPool2d)
_LINEAR_MODULES = (
    nn.modules.conv._ConvNd,
    nn.Linear,
    nn.Bilinear,
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.LayerNorm,
)


@final
@dataclass(frozen=True)
class Passed:
    """One value on the way through a map.

    Parameters
    ----------
    layer : str
        What gave it: the part's name as in nested parameters, or the module's as in
        ``named_modules()``, its k-th call ``name@k``.
    role : {"input", "linear", "activation", "pooled", "other"}
    value : object
        A tensor, or an enclosure; whatever the arithmetic works on. It is valid until the next
        step only, as what follows may work in place.
    number : int
        How many steps came before.
    source : int or None
        The number of the step that it was computed of, where that is a single one.
    rectifier : bool
        Whether it is max(z, 0).
    named : bool
        False for a clamp, a maximum or a threshold that computes max(z, 0).
    """

    layer: str
    role: str
    value: Any
    number: int
    source: int | None = None
    rectifier: bool = False
    named: bool = True


class Arithmetic(Protocol):
    """What values are, and how maps act on them; abstract."""

    def apply(self, part: FeatureMap, value: Any) -> Any:
        """The value of the map."""

    def join(self, whole: FeatureMap, value: Any, parts: list[Any]) -> Any:
        """The value of a concatenation or sum, whose parts have the given values."""

    def watch(self, network: Network, value: Any, see: Callable[[Event, Any], Any]) -> Any:
        """The value of a module; `see` is called with every event and its value."""


@final
class Numbers:
    """Tensors, by the maps' own `forward`."""

    def apply(self, part: FeatureMap, value: torch.Tensor) -> torch.Tensor:
        return part.forward(value)

    def join(
        self, whole: FeatureMap, value: torch.Tensor, parts: list[torch.Tensor]
    ) -> torch.Tensor:
        if isinstance(whole, Sum):
            return sum(parts[1:], start=parts[0])
        if isinstance(whole, Scale):
            return parts[0] * float(whole.factor)
        if len({v.shape[2:] for v in parts}) > 1:
            parts = [v.flatten(1) for v in parts]
        return torch.cat(parts, dim=1)

    def watch(
        self, network: Network, value: torch.Tensor, see: Callable[[Event, Any], Any]
    ) -> torch.Tensor:
        with watching(network.module.module, lambda event: see(event, event.value)):
            result = network.forward(value)
        return result


def as_followed(phi: Any, tool: str) -> FeatureMap:
    """The closed map that is followed: of a module the module itself, whose layers have names.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
    tool : str
        For messages.
    """
    if not isinstance(phi, nn.Module):
        return closed_map(phi, tool)
    # What torch.compile returns calls the module that it was given.
    return Network(Frozen(getattr(phi, "_orig_mod", phi)))


def warn_unnamed(steps: Iterable[Passed], tool: str) -> None:
    """Warn where max(z, 0) is computed, but never by the name of ReLU."""
    rectifiers = [s for s in steps if s.rectifier]
    if rectifiers and not any(s.named for s in rectifiers):
        warnings.warn(
            f"{tool} found no ReLU by name, but clamps, maxima or thresholds that compute "
            f"max(z, 0), in {', '.join(dict.fromkeys(s.layer for s in rectifiers))}"
            ". They count as activations.",
            UserWarning,
            stacklevel=3,
        )


def follow(
    phi: FeatureMap, x: Any, see: Callable[[Passed], Any], arithmetic: Arithmetic | None = None
) -> Any:
    """φ(x), step by step.

    Compositions are followed part by part, concatenations and sums branch by branch, modules event
    by event; every other map is one step.

    Parameters
    ----------
    phi : FeatureMap
        Closed.
    x : object
        What the arithmetic works on; with the default a tensor of shape (n, *shape).
    see : callable
        Called with every `Passed`, the input first.
    arithmetic : Arithmetic, optional

    Returns
    -------
    The value of the map

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.Relu() @ pm.Affine([[1.0, -1.0]])
    >>> value = follow(phi, torch.ones(1, 1), lambda s: print(s.layer, s.role, s.value.tolist()))
    x input [[1.0]]
    affine linear [[1.0, -1.0]]
    relu activation [[1.0, 0.0]]
    """
    walk = _Walk(see, Numbers() if arithmetic is None else arithmetic)
    first = walk.told("x", "input", x, None)
    return walk.through(phi, "", x, first)[0]


@final
class _Walk:
    def __init__(self, see: Callable[[Passed], Any], arithmetic: Arithmetic):
        self.see, self.arithmetic = see, arithmetic
        self.number = 0

    def told(
        self,
        layer: str,
        role: str,
        value: Any,
        source: int | None,
        rectifier: bool = False,
        named: bool = True,
    ) -> int:
        self.see(Passed(layer, role, value, self.number, source, rectifier, named))
        self.number += 1
        return self.number - 1

    def through(self, phi: FeatureMap, label: str, x: Any, source: int | None) -> tuple[Any, Any]:
        """The value of the map, and the number of its step."""
        if isinstance(phi, Compose):
            for name, part in phi.named():
                x, source = self.through(part, _below(label, name), x, source)
            return x, source
        if isinstance(phi, Assume):
            return self.through(phi.map, label, x, source)
        if isinstance(phi, On):
            # Points outside the space are refused before anything is computed.
            x = self.arithmetic.apply(On(Identity(), phi.space), x)
            return self.through(phi.map, label, x, source)
        if isinstance(phi, Concat | Sum | Scale):
            values = [self.through(m, _below(label, n), x, source)[0] for n, m in phi.named()]
            value = self.arithmetic.join(phi, x, values)
            role = "other" if isinstance(phi, Concat) else "linear"
            return value, self.told(label or _kind(phi), role, value, None)
        if isinstance(phi, Network):
            return self.network(phi, label, x, source)
        if isinstance(phi, Identity):
            return x, source
        value = self.arithmetic.apply(phi, x)
        rectifies = isinstance(phi, _RECTIFIERS)
        return value, self.told(label or _kind(phi), _role(phi), value, source, rectifies)

    def network(self, phi: Network, label: str, x: Any, source: int | None) -> tuple[Any, Any]:
        modules = dict(phi.module.module.named_modules())
        # Which step the value of an event was first; who gave it, also where it is no step.
        steps: dict[int, int] = {}
        names: dict[int, str] = {}

        def see(event: Event, value: Any) -> None:
            if not isinstance(event.value, torch.Tensor):
                return
            before = event.source
            step = None if before is None else steps.get(before)
            name = names.get(event.number if before is None else before) or _called(event)
            part = modules.get(event.layer)
            leaf = part is not None and next(part.children(), None) is None
            if event.kind == "a":
                # Of an activation by function the layer is that to whose output it is applied.
                name = _called(event) if leaf else name
                step = self.told(
                    _below(label, name, "."),
                    "activation",
                    value,
                    step,
                    event.rectifier,
                    event.named,
                )
            elif step is None and (leaf or event.kind == "z"):
                role = _module_role(part) if event.kind == "out" and part is not None else "other"
                step = self.told(_below(label, name, "."), role, value, None)
            names[event.number] = name
            if step is not None:
                steps[event.number] = step

        value = self.arithmetic.watch(phi, x, see)
        return value, self.told(label or "features", "other", value, None)


def _below(label: str, name: str, by: str = "__") -> str:
    return f"{label}{by}{name}" if label and name else label or name or "module"


def _kind(phi: FeatureMap) -> str:
    return type(phi).__name__.lower()


def _role(phi: FeatureMap) -> str:
    for kinds, role in ((_LINEAR, "linear"), (_ACTIVATIONS, "activation"), (_POOLS, "pooled")):
        if isinstance(phi, kinds):
            return role
    return "other"


def _module_role(part: nn.Module) -> str:
    if isinstance(part, _LINEAR_MODULES):
        return "linear"
    return "pooled" if "Pool" in type(part).__name__ else "other"


def _called(event: Event) -> str:
    return f"{event.layer}@{event.call}" if event.call else event.layer
