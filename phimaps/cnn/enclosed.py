"""Intervals in place of numbers in a module's forward pass, by rules that are proved one by one.

An interval [low, high] of each number of one image stands for all images of a box. A rule is
*selecting* (each result is one of the operands, or their maximum: its ends are those of the ends),
or *computed*: then its ends are moved outward by a bound of the rounding error, so that they hold
for the real value and for the one that float32 or float64 gives, whatever the order of a sum
(Higham's γ_n, twice). Everything else raises `Unclaimed`: about what follows nothing is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any, final

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..maps.rectifiers import rectified
from ..maps.tap import tensors
from . import bounds
from .bounds import Ends, Unclaimed

__all__ = ["Enclosures"]

# How many images the shapes speak of: code that mixes images, or counts them in its numbers, shows.
IMAGES = 7

_Tensor = torch.Tensor
_LOOKS = {
    getattr(_Tensor, name).__get__
    for name in [
        "dtype",
        "grad_fn",
        "is_cpu",
        "is_cuda",
        "is_leaf",
        "is_meta",
        "is_mkldnn",
        "is_mps",
        "is_nested",
        "is_quantized",
        "is_sparse",
        "layout",
        "ndim",
        "requires_grad",
        "shape",
    ]
} | {
    getattr(_Tensor, name)
    for name in [
        "__len__",
        "dim",
        "element_size",
        "get_device",
        "is_complex",
        "is_contiguous",
        "is_floating_point",
        "is_inference",
        "ndimension",
        "nelement",
        "numel",
        "size",
        "stride",
    ]
}
_DEVICE = _Tensor.device.__get__  # type: ignore[attr-defined]
# Each result is an operand or the greatest of some.
_SELECTING = {
    torch.flatten, torch.reshape, torch.permute, torch.transpose, torch.squeeze, torch.unsqueeze,
    torch.chunk, torch.split, torch.narrow, torch.movedim, torch.amax, torch.flip,
    _Tensor.flatten, _Tensor.reshape, _Tensor.permute, _Tensor.transpose, _Tensor.squeeze,
    _Tensor.unsqueeze, _Tensor.chunk, _Tensor.split, _Tensor.narrow, _Tensor.movedim, _Tensor.view,
    _Tensor.unflatten, _Tensor.contiguous, _Tensor.clone, torch.clone, _Tensor.detach,
    torch.detach, _Tensor.expand, _Tensor.__getitem__, _Tensor.amax, _Tensor.flip,
    functional.max_pool2d, torch.max_pool2d, functional.adaptive_max_pool2d, functional.max_pool1d,
    functional.pixel_shuffle, functional.channel_shuffle,
}  # fmt: skip
_DIVIDING_UP = {torch.chunk, torch.split, _Tensor.chunk, _Tensor.split}
_JOINING = {torch.cat, torch.concat, torch.stack}
_DROPOUTS = {
    functional.dropout, functional.dropout1d, functional.dropout2d, functional.alpha_dropout,
    functional.feature_alpha_dropout,
}  # fmt: skip
_AVERAGES = {functional.avg_pool2d, functional.adaptive_avg_pool2d, torch.mean, _Tensor.mean}
_ADDING = {
    torch.add: 1, _Tensor.add: 1, _Tensor.add_: 1, _Tensor.__add__: 1, _Tensor.__radd__: 1,
    _Tensor.__iadd__: 1, torch.sub: -1, _Tensor.sub: -1, _Tensor.sub_: -1, _Tensor.__sub__: -1,
    _Tensor.__isub__: -1,
}  # fmt: skip
_MULTIPLYING = {
    torch.mul, _Tensor.mul, _Tensor.mul_, _Tensor.__mul__, _Tensor.__rmul__, _Tensor.__imul__,
}  # fmt: skip
_DIVIDING = {torch.div, _Tensor.div, _Tensor.div_, _Tensor.__truediv__, _Tensor.__itruediv__}
_NEGATING = {torch.neg, _Tensor.neg, _Tensor.__neg__}
_IN_PLACE = {
    _Tensor.add_, _Tensor.__iadd__, _Tensor.sub_, _Tensor.__isub__, _Tensor.mul_, _Tensor.__imul__,
    _Tensor.div_, _Tensor.__itruediv__,
}  # fmt: skip


@final
@dataclass
class _Entry:
    """What is known of a tensor; void once another name of its memory was written to."""

    tensor: torch.Tensor
    version: int
    ends: Ends
    family: list[_Entry] = field(default_factory=list)
    void: bool = False


@final
class Enclosures(TorchFunctionMode):
    """While it is active, tensors made by `start` carry enclosures through a forward pass.

    They lie on torch's meta device: they have a shape and no numbers, so that code which looks at
    a value fails, whatever way it goes, and no claim can rest on it.

    Examples
    --------
    >>> mode = Enclosures(torch.float32)
    >>> x = mode.start(torch.zeros(1, 2, 2), torch.ones(1, 2, 2))
    >>> with mode:
    ...     y = torch.nn.functional.relu(x - 0.5)
    >>> [round(end.max().item(), 6) for end in mode.ends(y)]
    [0.0, 0.5]
    """

    def __init__(self, dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype
        self.known: dict[int, _Entry] = {}
        self.failed = False

    def start(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        """A tensor that stands for images of a box, with ends of the shape of one image."""
        with torch._C.DisableTorchFunction():
            return self.enter((low.double(), high.double()))

    def ends(self, tensor: Any) -> Ends | None:
        """The enclosure of one image's part of a tensor, or None where nothing is claimed."""
        entry = self.known.get(id(tensor))
        if self.failed or entry is None or entry.tensor is not tensor or entry.void:
            return None
        with torch._C.DisableTorchFunction():
            return entry.ends if tensor._version == entry.version else None

    def enter(self, ends: Ends, of: torch.Tensor | None = None) -> torch.Tensor:
        """A new tensor with these ends; with `of` it may share memory with that one."""
        if not all(bool(end.isfinite().all()) for end in ends):
            raise Unclaimed
        tensor = torch.empty((IMAGES, *ends[0].shape), dtype=self.dtype, device="meta")
        entry = _Entry(tensor, tensor._version, ends)
        family = self.known[id(of)].family if of is not None else []
        family.append(entry)
        entry.family = family
        self.known[id(tensor)] = entry
        return tensor

    def overwrite(self, tensor: torch.Tensor, ends: Ends) -> torch.Tensor:
        """The tensor after an operation in place; what may share its memory is void from now on."""
        entry = self.known[id(tensor)]
        for other in entry.family:
            other.void = other is not entry
        fits = tuple(ends[0].shape) == tuple(tensor.shape[1:])
        if not fits or not all(bool(end.isfinite().all()) for end in ends):
            raise Unclaimed
        # What watches the pass tells by the version that the tensor is another one now.
        tensor.zero_()
        entry.version, entry.ends = tensor._version, ends
        return tensor

    # --- the pass ----------------------------------------------------------------------------
    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        if not any(t.is_meta for t in tensors((args, kwargs))):
            return func(*args, **kwargs)
        if func in _LOOKS:
            return func(*args, **kwargs)
        if func == _DEVICE:
            return torch.device("cpu")
        try:
            return self.ruled(func, args, kwargs)
        except BaseException:
            # Whatever the module does about it, nothing more is claimed.
            self.failed = True
            raise

    def of(self, value: Any) -> Ends:
        """The ends of an operand: an enclosure, or a constant that is the same for every image."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return bounds.around(torch.tensor(float(value), dtype=torch.float64))
        if not isinstance(value, torch.Tensor):
            raise Unclaimed
        if value.is_meta:
            ends = self.ends(value)
            if ends is None:
                raise Unclaimed
            return ends
        number = bounds.constant(value)
        return (number, number) if value.ndim else bounds.around(number)

    def pair(self, a: Any, b: Any) -> tuple[Ends, Ends]:
        """Two operands, with constants brought to the shape of one image."""
        values = [a, b]
        dims = [v.ndim if isinstance(v, torch.Tensor) else 0 for v in values]
        both = [self.of(v) for v in values]
        for i, v in enumerate(values):
            if isinstance(v, torch.Tensor) and not v.is_meta and v.ndim:
                if v.ndim < dims[1 - i]:
                    continue
                if v.ndim > dims[1 - i] or v.shape[0] != 1:
                    raise Unclaimed
                both[i] = both[i][0][0], both[i][1][0]
            elif isinstance(v, torch.Tensor) and v.is_meta and dims[i] < dims[1 - i]:
                raise Unclaimed
        return both[0], both[1]

    def each(self, func: Any, args: Any, kwargs: Any) -> list[Ends]:
        """The function at both ends, checked to leave the images apart."""
        results: list[list[torch.Tensor]] = []
        for end in (0, 1):
            value = func(*self.at(args, end), **self.at(kwargs, end))
            results.append([value] if isinstance(value, torch.Tensor) else list(value))
        found = []
        for low, high in zip(*results, strict=True):
            for side in (low, high):
                if side.ndim < 1 or side.shape[0] != IMAGES or not bool((side == side[:1]).all()):
                    raise Unclaimed
            found.append((low[0].contiguous(), high[0].contiguous()))
        return found

    def at(self, value: Any, end: int) -> Any:
        if isinstance(value, torch.Tensor):
            if not value.is_meta:
                raise Unclaimed
            one = self.of(value)[end]
            return one.expand(IMAGES, *one.shape).contiguous()
        if isinstance(value, tuple | list):
            return type(value)(self.at(v, end) for v in value)
        if isinstance(value, dict):
            return {k: self.at(v, end) for k, v in value.items()}
        return value

    def ruled(self, func: Any, args: Any, kwargs: Any) -> Any:
        x = args[0] if args else kwargs.get("input")
        if kwargs.get("out") is not None:
            raise Unclaimed
        call = rectified(func, args, kwargs)
        if call is not None:
            low, high = (end.clamp(min=0) for end in self.of(call.z))
            ends = low, high
            return self.overwrite(call.z, ends) if call.in_place else self.enter(ends)
        if func in _SELECTING:
            found = [self.enter(ends, x) for ends in self.each(func, args, kwargs)]
            if func in _DIVIDING_UP:
                return tuple(found)
            if len(found) != 1:
                # With indices, which are no numbers of the image.
                raise Unclaimed
            return found[0]
        if func in _JOINING:
            return self.enter(self.each(func, args, kwargs)[0])
        if func in _DROPOUTS:
            named = _named(("input", "p", "training", "inplace"), args, kwargs)
            if named.get("training", True):
                raise Unclaimed
            return self.enter(self.of(x), x)
        return self.computed(func, args, kwargs, x)

    def computed(self, func: Any, args: Any, kwargs: Any, x: Any) -> Any:
        if func in _IN_PLACE:
            if not (isinstance(x, torch.Tensor) and x.is_meta):
                raise Unclaimed
            return self.overwrite(x, self.arithmetic(func, args, kwargs))
        if func in _ADDING or func in _MULTIPLYING or func in _DIVIDING or func is _Tensor.__rsub__:
            return self.enter(self.arithmetic(func, args, kwargs))
        if func in _NEGATING:
            return self.enter(bounds.negated(self.of(x)))
        if func is functional.conv2d or func is torch.conv2d:
            names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
            named = _named(names, args, kwargs)
            weight, bias = _held(named.pop("weight")), _optional(named.pop("bias", None))
            return self.enter(bounds.convolved(self.of(named.pop("input")), weight, bias, **named))
        if func is functional.linear:
            named = _named(("input", "weight", "bias"), args, kwargs)
            weight, bias = _held(named["weight"]), _optional(named.get("bias"))
            return self.enter(bounds.linear(self.of(named["input"]), weight, bias))
        if func is functional.batch_norm:
            called = ("input", "running_mean", "running_var", "weight", "bias", "training")
            named = _named((*called, "momentum", "eps"), args, kwargs)
            if named.get("training", False) or named["running_mean"] is None:
                raise Unclaimed
            mean, variance = (_held(named[n]) for n in called[1:3])
            scale, offset = (_optional(named.get(n)) for n in called[3:5])
            eps = float(named.get("eps", 1e-5))
            return self.enter(bounds.batch_normed(self.of(x), mean, variance, scale, offset, eps))
        if func in _AVERAGES:
            return self.enter(self.average(func, args, kwargs, x))
        if func is functional.pad:
            named = _named(("input", "pad", "mode", "value"), args, kwargs)
            if len(named["pad"]) > 2 * (x.ndim - 1):
                raise Unclaimed
            return self.enter(self.each(func, args, kwargs)[0])
        if func is functional.interpolate:
            if kwargs.get("mode", "nearest") not in ("nearest", "nearest-exact"):
                raise Unclaimed
            return self.enter(self.each(func, args, kwargs)[0])
        return self.activation(func, args, kwargs, x)

    def activation(self, func: Any, args: Any, kwargs: Any, x: Any) -> Any:
        ends = bounds.curved(func, self.of(x), args[1:], kwargs)
        in_place = kwargs.get("inplace", False) or func.__name__.endswith("_")
        return self.overwrite(x, ends) if in_place else self.enter(ends)

    def arithmetic(self, func: Any, args: Any, kwargs: Any) -> Ends:
        if kwargs or len(args) != 2:
            raise Unclaimed
        a, b = self.pair(*args)
        if func is _Tensor.__rsub__:
            return bounds.added(bounds.negated(a), b)
        if func in _ADDING:
            return bounds.added(a, b if _ADDING[func] > 0 else bounds.negated(b))
        if func in _MULTIPLYING:
            return bounds.multiplied(a, b)
        if (isinstance(args[1], torch.Tensor) and args[1].is_meta) or bool((b[0] == 0).any()):
            raise Unclaimed
        return bounds.widened((a[0] / b[0], a[1] / b[0]), turned=b[0] < 0)

    def average(self, func: Any, args: Any, kwargs: Any, x: Any) -> Ends:
        if func in (torch.mean, _Tensor.mean):
            named = _named(("input", "dim", "keepdim"), args, kwargs)
            dims = named.get("dim")
            dims = [dims] if isinstance(dims, int) else dims
            if not dims or any(d % x.ndim == 0 for d in dims) or "dtype" in kwargs:
                raise Unclaimed
        elif kwargs.get("divisor_override") is not None or any(a is not None for a in args[6:]):
            raise Unclaimed
        ends = self.each(func, args, kwargs)[0]
        low, high = self.of(x)
        sizes = self.each(func, (self.enter((low.abs(), high.abs())), *args[1:]), kwargs)[0]
        # No window of an adaptive pool is larger than twice its share and two pixels more.
        terms = 4 * (low.numel() // ends[0].numel() + 1) + 4 * sum(low.shape) + 4
        if func is functional.avg_pool2d:
            size = args[1] if len(args) > 1 else kwargs["kernel_size"]
            terms = prod(size) if isinstance(size, tuple | list) else size * size
        return bounds.averaged(ends, sizes, terms)


def _held(value: Any) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or value.is_meta:
        raise Unclaimed
    return bounds.constant(value)


def _optional(value: Any) -> torch.Tensor | None:
    return None if value is None else _held(value)


def _named(names: tuple[str, ...], args: Any, kwargs: Any) -> dict[str, Any]:
    if len(args) > len(names) or set(kwargs) - set(names):
        raise Unclaimed
    return dict(zip(names, args, strict=False)) | kwargs
