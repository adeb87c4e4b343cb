"""Images as a module wants them: channels first, numbers from 0 to 1, normalised."""

from __future__ import annotations

import warnings
from math import isqrt, prod
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError, ParameterError, PhimapsError, ShapeError, show
from .frozen import Frozen
from .tap import unwatched

__all__ = ["arranged", "check_pictures", "configured", "explained", "normalised", "scaled"]

# Numbers above are no brightness from 0 to 1, even after a normalisation.
UNSCALED = 16


class _Found(BaseException):
    """The first convolution, and the shape of what it is given."""


def check_pictures(owner: str, mean: Any, std: Any, in_shape: Any) -> None:
    """Raise ParameterError for parameters that say nothing about images."""
    for name, value in (("mean", mean), ("std", std)):
        if value is None:
            continue
        numbers = _numbers(value)
        if numbers is None or (name == "std" and not (numbers > 0).all()):
            raise ParameterError(
                f"The '{name}' parameter of {owner} cannot be used.",
                got=f"{name}={show(value)}",
                need=f"finite {'positive ' if name == 'std' else ''}numbers, one for each channel",
                do=f"{name}=({'0.229, 0.224, 0.225' if name == 'std' else '0.485, 0.456, 0.406'})",
            )
    if in_shape is None:
        return
    ints = isinstance(in_shape, tuple | list) and len(in_shape) == 3
    if not ints or not all(isinstance(s, int | np.integer) and s > 0 for s in in_shape):
        raise ParameterError(
            f"The 'in_shape' parameter of {owner} is not the shape of an image.",
            got=f"in_shape={show(in_shape)}",
            need="(channels, height, width), or None",
            do="in_shape=(3, 32, 32)",
        )


def _numbers(value: Any) -> np.ndarray | None:
    try:
        array = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        return None
    return array if array.ndim == 1 and array.size and np.isfinite(array).all() else None


def scaled(x: torch.Tensor, mean: Any) -> torch.Tensor:
    """Bytes as numbers from 0 to 1; a warning for other numbers that look like bytes."""
    if x.dtype == torch.uint8:
        return x.to(torch.float32) / 255
    # Whoever gives a mean above 1 means such numbers.
    large = mean is not None and float(np.max(np.abs(np.asarray(mean)))) > 1
    # Inside vmap there are no numbers to look at.
    plain = torch._C._functorch.peek_interpreter_stack() is None
    # Who follows what the map reads is not to follow this.
    with unwatched():
        seen = plain and x.ndim > 3 and not large and x.numel()
        highest = float(x.detach().amax()) if seen else 0.0
    if highest > UNSCALED:
        warnings.warn(
            f"The images have values up to {highest:g}: networks are trained on "
            "numbers from 0 to 1, before normalisation. Divide by 255, or pass the bytes (uint8).",
            UserWarning,
            stacklevel=2,
        )
    return x


def normalised(x: torch.Tensor, mean: Any, std: Any) -> torch.Tensor:
    """(x - mean) / std, channel by channel."""
    for name, value in (("mean", mean), ("std", std)):
        if value is None:
            continue
        numbers = torch.as_tensor(np.atleast_1d(np.asarray(value, np.float64))).to(x)
        c = len(numbers)
        if c not in (1, x.shape[1], x.shape[-1]):
            raise ShapeError(
                f"'{name}' has {c} numbers, the images have {x.shape[1]} channels.",
                got=f"{name}={show(value)}, items of shape {tuple(x.shape[1:])}",
                need="one number for each channel, or one for all",
                do=f"{name}=... with {x.shape[1]} numbers",
            )
        if c in (1, x.shape[1]):
            numbers = numbers.reshape(c, *[1] * (x.ndim - 2))
        x = x - numbers if name == "mean" else x / numbers
    return x


def arranged(
    x: torch.Tensor, handle: Frozen, in_shape: tuple[int, int, int] | None
) -> torch.Tensor:
    """The items as the module takes them: rows as images, channels first.

    Parameters
    ----------
    x : Tensor of shape (n, *shape)
    handle : Frozen
        Of the module whose first convolution says how many channels there are.
    in_shape : tuple of int, optional
        (channels, height, width)

    Raises
    ------
    ShapeError
    """
    if in_shape is not None:
        x = _declared(x, tuple(int(s) for s in in_shape))
    item = tuple(x.shape[1:])
    first = next((m for m in handle.module.modules() if isinstance(m, nn.Conv2d)), None)
    if len(item) == 3 and first is not None and first.in_channels == item[0]:
        # Channels first wins where it fits, so that nothing has to be tried.
        return x
    key = ("channels", item)
    if key not in handle.memo:
        handle.memo[key] = _first_convolution(x, handle)
    known = handle.memo[key]
    if known is None:
        return x
    wanted, given = known
    if len(given) == 4 and given[1] == wanted:
        return x
    if len(item) == 3 and item[2] == wanted:
        return x.permute(0, 3, 1, 2)
    if len(item) == 1:
        side = isqrt(item[0] // wanted)
        fits = wanted * side * side == item[0]
        raise ShapeError(
            f"The module takes images, and X has rows of {item[0]} numbers.",
            got=f"items of shape {item}",
            need="items of shape (channels, height, width), or in_shape to read rows so",
            do=f"in_shape={(wanted, side, side) if fits else (wanted, 'height', 'width')}".replace(
                "'", ""
            ),
        )
    if len(item) == 2:
        raise ShapeError(
            "The module takes images with channels.",
            got=f"items of shape {item}",
            need=f"items of shape ({wanted}, height, width)",
            do="X[:, None], which adds a channel"
            if wanted == 1
            else f"np.repeat(X[:, None], {wanted}, axis=1), if they are grey",
        )
    raise ShapeError(
        f"The first convolution takes {wanted} channel{'s' * (wanted != 1)}, and gets "
        f"{given[1] if len(given) == 4 else given}.",
        got=f"items of shape {item}",
        need=f"images of {wanted} channel{'s' * (wanted != 1)}, which come first or last",
        do="X.mean(1, keepdims=True) for grey images"
        if wanted == 1
        else f"np.repeat(X, {wanted}, axis=1) for grey images"
        if item[0] == 1
        else "images with as many channels as the network was made for",
    )


def _declared(x: torch.Tensor, wanted: tuple[int, ...]) -> torch.Tensor:
    item = tuple(x.shape[1:])
    if item == wanted:
        return x
    if len(item) == 1 and item[0] == prod(wanted):
        return x.reshape(-1, *wanted)
    if item == (*wanted[1:], wanted[0]):
        return x.permute(0, 3, 1, 2)
    raise ShapeError(
        f"X has {prod(item)} features, but in_shape={wanted} has {prod(wanted)} features."
        if len(item) == 1
        else "The images do not have the declared shape.",
        got=f"items of shape {item}",
        need=f"images of shape {wanted}, channels last, or rows of {prod(wanted)} numbers",
        do="set_params(in_shape=...) with the shape of one image",
    )


def _first_convolution(x: torch.Tensor, handle: Frozen) -> tuple[int, tuple[int, ...]] | None:
    """How many channels the first convolution wants, and the shape that it would be given."""

    def stop(part: Any, args: Any) -> None:
        raise _Found(part, args)

    def run(call: Any, module: nn.Module) -> None:
        convolutions = [m for m in module.modules() if isinstance(m, nn.modules.conv._ConvNd)]
        handles = [m.register_forward_pre_hook(stop) for m in convolutions]
        try:
            call(example)
        finally:
            for each in handles:
                each.remove()

    # Of no image of the caller's, each of which is computed once.
    example = torch.zeros_like(x[:1])
    try:
        with torch.no_grad(), unwatched():
            handle.run(run, example)
    except _Found as found:
        part, args = found.args
        if isinstance(part, nn.Conv2d) and args and isinstance(args[0], torch.Tensor):
            return part.in_channels, tuple(args[0].shape)
    except Exception:
        # What comes before a convolution may mind the layout; the module itself will say so.
        return None
    return None


def explained(error: Exception, x: torch.Tensor) -> PhimapsError:
    """What a module raised, in four lines, with the layer in which it did."""
    names: dict[int, str] = {}
    where, step = "", error.__traceback__
    while step is not None:
        part = step.tb_frame.f_locals.get("self")
        if not names and isinstance(part, nn.Module):
            # The outermost one is the whole, of which any copy may be running.
            names = {id(m): name for name, m in part.named_modules()}
        where = names.get(id(part), "") or where
        step = step.tb_next
    at = f" in the layer {where!r}" if where else ""
    text = " ".join(str(error).split())
    text = text if len(text) <= 200 else f"{text[:180]} ..."
    words = ("size", "shape", "dimension", "channels", "must match", "kernel")
    if isinstance(error, RuntimeError) and any(word in text for word in words):
        return ShapeError(
            f"The module cannot take items of shape {tuple(x.shape[1:])}: it failed{at}.",
            got=f"{type(error).__name__}: {text}",
            need="images of the size and channels that the module was made for",
            do="resize the images, or pass in_shape to read rows as images",
        )
    return InputError(
        f"The module raised {type(error).__name__}{at}.",
        got=text or type(error).__name__,
        need="a forward pass that ends",
        do=f"module.eval()(torch.zeros{(1, *x.shape[1:])}), to see it by itself",
    )


def configured(module: Any) -> tuple[Any, Any]:
    """The normalisation that a module of timm was trained with."""
    for name in ("pretrained_cfg", "default_cfg"):
        held = getattr(module, name, None)
        cfg = held if isinstance(held, dict) else getattr(held, "__dict__", {})
        mean, std = cfg.get("mean"), cfg.get("std")
        if mean is not None and std is not None:
            warnings.warn(
                f"Images are normalised by the module's {name}: mean={show(mean)}, "
                f"std={show(std)}. Pass mean and std to say so, or mean=0, std=1 if they are "
                "normalised.",
                UserWarning,
                stacklevel=3,
            )
            return mean, std
    return None, None
