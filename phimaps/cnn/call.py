"""Calls of torch functions: by what name, with which arguments, on what depends on the image."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional

__all__ = ["Unknown", "arguments", "constant", "live", "name_of", "tensors"]


class Unknown(Exception):
    """An operation of which it is not known what it mixes."""


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """All tensors in nested lists, tuples and dictionaries."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors(part)
    elif isinstance(value, dict):
        yield from tensors(tuple(value.values()))


def live(value: Any) -> list[torch.Tensor]:
    """The tensors in a value that depend on the image; what is trained is a leaf of its own."""
    return [t for t in tensors(value) if t.requires_grad and t.grad_fn is not None]


def constant(value: Any) -> Any:
    """The value, with what is trained cut off from its gradient."""
    if isinstance(value, torch.Tensor):
        return value.detach() if value.requires_grad and value.grad_fn is None else value
    if isinstance(value, dict):
        return {k: constant(v) for k, v in value.items()}
    return type(value)(constant(v) for v in value) if type(value) in (list, tuple) else value


# Functions of torch that all bear the name of the function that made them.
_CHOOSING = {
    getattr(functional, f"{kind}_pool{n}d"): f"{kind}_pool{n}d"
    for kind in ("max", "adaptive_max")
    for n in (1, 2, 3)
}


def name_of(function: Any) -> str:
    """The name by which the rules have a function; of an attribute, with a dot in front.

    Examples
    --------
    >>> name_of(torch.relu), name_of(functional.max_pool2d), name_of(torch.Tensor.data.__get__)
    ('relu', 'max_pool2d', '.data')
    """
    if function in _CHOOSING:
        return _CHOOSING[function]
    name = str(getattr(function, "__name__", function))
    if name in ("__get__", "__set__", "__delete__"):
        attribute = getattr(function.__self__, "__name__", "")
        return f".{attribute}" if name == "__get__" else f".{attribute} set"
    return name.removeprefix("special_")


def arguments(function: Any, names: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict:
    """The arguments by name: as a Python function has them, or else in the order given here."""
    if inspect.isfunction(function):
        return dict(inspect.signature(function).bind(*args, **kwargs).arguments)
    return dict(zip(names.split(), args, strict=False)) | kwargs
