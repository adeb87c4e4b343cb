"""Operations by what they mix: for each a sum that takes the same numbers, with weights above 0.

The gradient of such a sum is above 0 exactly at the numbers that the operation reads, whatever its
weights and whatever the data. A rule is called with the function, its arguments and its keyword
arguments; `phimaps.cnn.surrogates` says which function has which.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from math import prod
from typing import Any, TypeAlias

import torch
from torch.nn import functional

from .call import Unknown, arguments, live, name_of, tensors

Args: TypeAlias = tuple[Any, ...]
Kwargs: TypeAlias = dict[str, Any]


def _only(x: Any, args: Any, kwargs: Any) -> torch.Tensor:
    if any(t is not x for t in live((args, kwargs))):
        raise Unknown("its parameters depend on the image")
    return x


def _filled(value: torch.Tensor, shape: Any) -> torch.Tensor:
    # A tensor of its own: what follows may write into it.
    return value + value.new_zeros(()).expand(tuple(shape))


# --- number by number --------------------------------------------------------------------------
def native(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Moves numbers, or adds them with weights above 0: it is its own surrogate."""
    return function(*args, **kwargs)


def pieces(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Views of parts, each taken alone: torch lets no views of one call be written to."""
    x = args[0] if args else kwargs["input"]
    alone, at = name_of(function) == "unbind", 1 + (name_of(function) != "unbind")
    dim = args[at] if len(args) > at else kwargs.get("dim", 0)
    with torch.no_grad():
        sizes = [1 if alone else part.shape[dim] for part in function(*args, **kwargs)]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    if alone:
        return tuple(x.select(dim, start) for start in starts)
    return tuple(x.narrow(dim, start, size) for start, size in zip(starts, sizes, strict=True))


def pointwise(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Each number of the result is made of those at the same place."""
    given = list(tensors((args, kwargs)))
    shape = torch.broadcast_shapes(*(t.shape for t in given))
    total = sum(live(given))
    assert isinstance(total, torch.Tensor)
    return _filled(total, shape)


def same(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Each number is made of the one at its place; the parameters are constants."""
    given = arguments(function, "input", args, kwargs)
    x = _only(args[0] if args else kwargs["input"], args, kwargs)
    return x if given.get("inplace") else x.clone()


def itself(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """The same numbers under another name, also where torch cuts off the gradient."""
    # Weights that are brought to the dtype of the image must come as they are: maps keep them.
    asks = name_of(function) == "type" and len(args) + len(kwargs) == 1
    return args[0] if live(args[0]) and not asks else function(*args, **kwargs)


def chosen(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """A selection by a constant mask is taken as it is; one by the image reads the mask too."""
    at = {"where": 0, "masked_fill": 1}[name_of(function)]
    if at == 0 and len(args) + len(kwargs) < 3:
        raise Unknown("where it is true decides on the shape")
    mask = args[at] if len(args) > at else kwargs.get("condition", kwargs.get("mask"))
    if live(mask):
        return pointwise(function, args, kwargs)
    return function(*args, **kwargs)


def gated(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """One half of the channels times a function of the other."""
    given = arguments(function, "input dim", args, kwargs)
    a, b = given["input"].chunk(2, given.get("dim", -1))
    return a + b


# --- along axes --------------------------------------------------------------------------------
def reduced(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Everything along some axes goes into one number."""
    x, *rest = args if args else (kwargs["input"],)
    if any(t is not x for t in tensors((rest, kwargs))):
        return pointwise(function, args, kwargs)
    # Which axes they are shows in the shape of the result, for an input whose sizes all differ.
    sizes = tuple(range(2, 2 + x.ndim))
    extra = {k: v for k, v in kwargs.items() if k not in ("input", "dtype")}
    made = function(torch.ones(sizes, dtype=torch.float64), *rest, **extra)
    parts = [_summed(x, sizes, tuple(m.shape)) for m in tensors(made)]
    return parts[0] if isinstance(made, torch.Tensor) else type(made)(parts)


def _summed(x: torch.Tensor, sizes: tuple[int, ...], made: tuple[int, ...]) -> torch.Tensor:
    kept = len(made) == len(sizes)
    axes = [i for i, s in enumerate(sizes) if (made[i] != s if kept else s not in made)]
    return x.sum(axes, keepdim=kept) if axes else x.clone()


def spread(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Each number is made of all along one axis: softmax, sorting."""
    given = arguments(function, "input dim", args, kwargs)
    x, dim = args[0] if args else kwargs["input"], given.get("dim", -1)
    if not isinstance(dim, int) or isinstance(dim, bool):
        raise Unknown("its axis is not given")
    value = _filled(_only(x, args, kwargs).sum(dim, keepdim=True), x.shape)
    if name_of(function) != "sort":
        return value
    return torch.return_types.sort((value, value))


def greatest(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Which are the k greatest depends on all."""
    given = arguments(function, "input k dim", args, kwargs)
    x, dim, shape = given["input"], given.get("dim", -1), list(given["input"].shape)
    shape[dim] = given["k"]
    value = _filled(x.sum(dim, keepdim=True), shape)
    return torch.return_types.topk((value, value))


def running(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Each number is made of those up to its place."""
    given = arguments(function, "input dim", args, kwargs)
    value = given["input"].cumsum(given["dim"])
    kind = {"cummax": torch.return_types.cummax, "cummin": torch.return_types.cummin}
    name = name_of(function)
    return kind[name]((value, value)) if name in kind else value


# --- normalisation -----------------------------------------------------------------------------
def last_axes(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """The mean and the spread along the last axes go into each number."""
    given = arguments(function, "input normalized_shape", args, kwargs)
    x, size = _only(given["input"], args, kwargs), given["normalized_shape"]
    axes = tuple(range(-(1 if isinstance(size, int) else len(size)), 0))
    return _filled(x.sum(axes, keepdim=True), x.shape)


def in_groups(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """The mean and the spread of a group of channels go into each number."""
    given = arguments(function, "input num_groups", args, kwargs)
    x, groups = _only(given["input"], args, kwargs), given["num_groups"]
    parts = x.reshape(x.shape[0], groups, -1)
    return _filled(parts.sum(2, keepdim=True), parts.shape).reshape(x.shape)


def by_channel(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Batch and instance normalisation: by given statistics, or by those of the input."""
    names = "input weight bias running_mean running_var use_input_stats"
    given = arguments(function, names, args, kwargs)
    x, alone = _only(given["input"], args, kwargs), "instance" in name_of(function)
    own = "training" if inspect.isfunction(function) and not alone else "use_input_stats"
    if not given.get(own, alone):
        return x.clone()
    axes = [i for i in range(x.ndim) if i != 1 and (i or not alone)]
    return _filled(x.sum(axes, keepdim=True), x.shape)


# --- windows -----------------------------------------------------------------------------------
def _each(value: Any, n: int) -> tuple[int, ...]:
    many = tuple(value) if isinstance(value, list | tuple) else (value,)
    return many * n if len(many) == 1 else many


_CONV = (functional.conv1d, functional.conv2d, functional.conv3d)
_BACK = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)


def convolved(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """All channels of a group through one filter of ones, which is what each filter reads."""
    transposed = "transpose" in name_of(function)
    order = "output_padding groups dilation" if transposed else "dilation groups"
    given = arguments(function, f"input weight bias stride padding {order}", args, kwargs)
    x, weight, groups = given["input"], given["weight"], given.get("groups", 1)
    _only(x, args, kwargs)
    n = weight.ndim - 2
    batch = x if x.ndim == n + 2 else x[None]
    rows, channels, *size = batch.shape
    made = weight.shape[1] * groups if transposed else weight.shape[0]
    merged = batch.reshape(rows, groups, channels // groups, *size).sum(2)
    ones = x.new_ones((1, 1, *weight.shape[2:]))
    keep = ("stride", "padding", "dilation", "output_padding")
    extra = {k: given[k] for k in keep if k in given}
    kind = (_BACK if transposed else _CONV)[n - 1]
    # Groups are independent, so they may stand in the place of the rows.
    seen = kind(merged.reshape(rows * groups, 1, *size), ones, **extra)
    size = list(seen.shape[2:])
    seen = _filled(seen.reshape(rows, groups, 1, *size), (rows, groups, made // groups, *size))
    seen = seen.reshape(rows, made, *size)
    return seen if x.ndim == n + 2 else seen[0]


def max_pooled(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """The sum over each window; what the windows see of the padding is 0."""
    name = name_of(function)
    n = int(name[8])
    order = "input kernel_size stride padding dilation ceil_mode return_indices"
    given: dict[str, Any] = dict(zip(order.split(), args, strict=False)) | kwargs
    x, kernel = given["input"], _each(given["kernel_size"], n)
    step = _each(given.get("stride") or kernel, n)
    before, apart = _each(given.get("padding", 0), n), _each(given.get("dilation", 1), n)
    ends: list[int] = []
    for axis in range(n):
        size, width = x.shape[axis - n], apart[axis] * (kernel[axis] - 1) + 1
        room = size + 2 * before[axis] - width
        count = room // step[axis] + 1
        over = given.get("ceil_mode") and room % step[axis]
        # A window that hangs over the end must begin before it.
        count += bool(over and count * step[axis] < size + before[axis])
        after = (count - 1) * step[axis] + width - size - before[axis]
        ends = [before[axis], after, *ends]
    padded = functional.pad(x, ends)
    flat = padded.reshape(-1, 1, *padded.shape[-n:])
    seen = _CONV[n - 1](flat, x.new_ones((1, 1, *kernel)), stride=step, dilation=apart)
    value = seen.reshape(*x.shape[:-n], *seen.shape[2:])
    return (value, value) if given.get("return_indices") or "indices" in name else value


def average_pooled(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """It is its own surrogate, if it does not divide by a negative number."""
    divisor = args[6] if len(args) > 6 else kwargs.get("divisor_override")
    if divisor is not None and divisor < 0:
        return -function(*args, **kwargs)
    return function(*args, **kwargs)


def adaptive_max_pooled(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """The windows are those of the adaptive average."""
    name = name_of(function)
    order = "input output_size return_indices"
    given: dict[str, Any] = dict(zip(order.split(), args, strict=False)) | kwargs
    value = getattr(functional, name[:19].replace("max", "avg"))(
        given["input"], given["output_size"]
    )
    return (value, value) if given.get("return_indices") or "indices" in name else value


_PROBED = 2**22


def resampled(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Interpolation works axis by axis; which places it reads on each is asked of it with NaN."""
    x = args[0] if args else kwargs["input"]
    rest = {k: v for k, v in kwargs.items() if k != "input"}
    size = tuple(x.shape[2:])
    step = max(1, _PROBED // prod(size))
    for axis in range(2, x.ndim):
        reads = []
        for start in range(0, size[axis - 2], step):
            stop = min(start + step, size[axis - 2])
            probes = torch.zeros((stop - start, 1, *size), dtype=torch.float64)
            for row in range(start, stop):
                probes[row - start].select(axis - 1, row).fill_(torch.nan)
            seen = function(probes, *args[1:], **rest).isnan()
            reads.append(seen.movedim(axis, -1).flatten(1, -2).any(1))
        matrix = torch.cat(reads).to(x)
        x = (x.movedim(axis, -1) @ matrix).movedim(-1, axis)
    return x


# --- products ----------------------------------------------------------------------------------
def multilinear(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Linear in each tensor: the sum of what it gives with ones in the place of the others."""
    extra = {k: v for k, v in kwargs.items() if k not in ("alpha", "beta")}
    given, total = list(tensors((args, extra))), None
    for i, kept in enumerate(given):
        if live(kept):
            # A tensor may stand in several places.
            others = iter([t if i == j else kept.new_ones(t.shape) for j, t in enumerate(given)])
            value = function(*_with(args, others), **_with(extra, others))
            total = value if total is None else total + value
    return total


def _with(value: Any, others: Iterator[torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        return next(others)
    if isinstance(value, dict):
        return {k: _with(v, others) for k, v in value.items()}
    return type(value)(_with(v, others) for v in value) if type(value) in (list, tuple) else value


def transformed(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """x W with constant weights: each number of the result reads all of the last axis."""
    given = arguments(function, "input weight bias", args, kwargs)
    x, weight = given["input"], given["weight"]
    if any(t is not x for t in live((args, kwargs))):
        return multilinear(function, args, kwargs)
    return _filled(x.sum(-1, keepdim=True), (*x.shape[:-1], *weight.shape[:-1]))


def attended(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Each query reads itself, all keys, and all values of its channel."""
    order = "query key value attn_mask dropout_p is_causal scale enable_gqa"
    given: dict[str, Any] = dict(zip(order.split(), args, strict=False)) | kwargs
    if given.get("is_causal") or given.get("enable_gqa"):
        raise Unknown("some keys are hidden")
    q, k, v = given["query"], given["key"], given["value"]
    total = q.sum(-1, keepdim=True) + k.sum((-2, -1), keepdim=True) + v.sum(-2, keepdim=True)
    mask = given.get("attn_mask")
    return total if mask is None else total + mask.to(total).sum(-1, keepdim=True)


def asked(function: Any, args: Args, kwargs: Kwargs) -> Any:
    """The network turns a number into one of Python, and may do anything with it."""
    raise Unknown("what is computed next depends on the values")
