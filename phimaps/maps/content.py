"""What an object computes by, as one number: its data, its tensors, and the code of its classes."""

from __future__ import annotations

import hashlib
import pickle
from types import CodeType, FunctionType, ModuleType
from typing import Any, final

import torch

__all__ = ["content"]

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
# The code of these packages does not change while a program runs.
_FIXED = ("builtins", "torch", "numpy", "collections", "functools", "typing", "abc", "phimaps")


class _Sink:
    """A file that only remembers what a hash needs."""

    def __init__(self) -> None:
        self.sha = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sha.update(data)
        return len(data)


@final
class _Pickler(pickle.Pickler):
    """Writes tensors as their bytes, and functions and classes as their code, not their names."""

    def __init__(self, sink: _Sink):
        super().__init__(sink, protocol=4)
        self.seen: set[int] = set()

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return str, (_tensor(value),)
        if isinstance(value, FunctionType | type) and _package(value) not in _FIXED:
            name = f"{value.__module__}.{value.__qualname__}"
            if id(value) in self.seen:
                return str, (name,)
            self.seen.add(id(value))
            parts = _class(value) if isinstance(value, type) else _function(value)
            return tuple, ((name, *parts),)
        if isinstance(value, ModuleType):
            return str, (value.__name__,)
        return NotImplemented


def _package(value: Any) -> str:
    return str(value.__module__).partition(".")[0]


def _tensor(tensor: torch.Tensor) -> str:
    plain = tensor.detach().cpu().contiguous()
    raw = plain.reshape(-1).view(torch.uint8).numpy()
    return f"{tensor.dtype} {tuple(tensor.shape)} {hashlib.sha256(raw.data).hexdigest()}"


def _code(code: CodeType) -> tuple[Any, ...]:
    constants = [_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, tuple(constants)


def _names(code: CodeType) -> set[str]:
    inner = (_names(c) for c in code.co_consts if isinstance(c, CodeType))
    return set(code.co_names).union(*inner)


def _function(function: FunctionType) -> tuple[Any, ...]:
    """The code of a function with the numbers and functions that it takes from outside."""
    outside = {k: function.__globals__.get(k) for k in sorted(_names(function.__code__))}
    used = {k: v for k, v in outside.items() if isinstance(v, (*_PLAIN, FunctionType, type))}
    cells = [c.cell_contents for c in function.__closure__ or ()]
    return _code(function.__code__), function.__defaults__, function.__kwdefaults__, cells, used


def _class(kind: type) -> tuple[Any, ...]:
    parts: dict[str, Any] = {}
    for name, value in sorted(vars(kind).items()):
        if isinstance(value, property):
            value = (value.fget, value.fset)
        elif isinstance(value, staticmethod | classmethod):
            value = value.__func__
        if isinstance(value, (*_PLAIN, tuple, list, dict, FunctionType)) and name != "__doc__":
            parts[name] = value
    return kind.__bases__, parts


def content(value: Any) -> str | None:
    """The hash of what an object computes by; None where it cannot be told.

    Parameters
    ----------
    value : object
        A module: its parameters and buffers, its other attributes, and the code of its classes
        count, not their names or addresses.

    Returns
    -------
    str or None

    Examples
    --------
    >>> a, b = torch.nn.ReLU(), torch.nn.ReLU()
    >>> content(a) == content(b), content(a) == content(torch.nn.ReLU6())
    (True, False)
    """
    sink = _Sink()
    try:
        _Pickler(sink).dump(value)
    except Exception:
        # Whatever cannot be written has no content to compare.
        return None
    return sink.sha.hexdigest()
