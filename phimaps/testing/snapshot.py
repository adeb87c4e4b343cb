"""What an object is made of, written down so that a change shows, and where."""

from __future__ import annotations

import functools
import hashlib
import inspect
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

__all__ = ["changes", "parameters_of", "state_of"]

Snapshot = dict[str, Any]

GENERATORS = (np.random.RandomState, np.random.Generator, torch.Generator)

# Where hooks hang on a torch module.
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def state_of(obj: Any) -> Snapshot:
    """The public attributes of an object and of all that it holds, by path.

    Attributes that begin with an underscore are left out, as caches may lie there; of torch modules
    the parameters, buffers, hooks and modes are kept. Of a function, the modules, estimators and
    arrays that it was built around.

    Parameters
    ----------
    obj : object

    Returns
    -------
    dict of str to object
        Equal as long as nothing in the object changes.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> scaler = StandardScaler().fit([[0.0], [1.0]])
    >>> before = state_of(scaler)
    >>> scaler.mean_[0] = 7
    >>> changes(before, state_of(scaler))
    ['mean_']
    """
    found: Snapshot = {}
    if inspect.isroutine(obj) or isinstance(obj, functools.partial):
        for name, value in _around(obj):
            _walk(value, name, found, set(), fitted=True)
    else:
        _walk(obj, "", found, set(), fitted=True)
    return found


def parameters_of(estimator: Any) -> Snapshot:
    """The parameters of an estimator, and of the estimators among them, by path.

    What they learned is no parameter: a pipeline fits the very steps that it was given.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> pipeline = make_pipeline(StandardScaler())
    >>> before = parameters_of(pipeline)
    >>> changes(before, parameters_of(pipeline.fit([[0.0], [1.0]])))
    []
    >>> changes(before, parameters_of(pipeline.set_params(standardscaler__with_mean=False)))
    ['steps[0][1].with_mean']
    """
    found: Snapshot = {}
    for name, value in estimator.get_params(deep=False).items():
        _walk(value, name, found, set(), fitted=False)
    return found


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """The paths whose value changed, came or went, in their order."""
    paths = [*before, *(p for p in after if p not in before)]
    missing = object()
    return [p for p in paths if before.get(p, missing) != after.get(p, missing)]


def _around(function: Any) -> Iterator[tuple[str, Any]]:
    """What a function was built around, by name."""
    if isinstance(function, functools.partial):
        yield from _around(function.func)
        held = {f"argument {i}": v for i, v in enumerate(function.args)} | function.keywords
        yield from ((k, v) for k, v in held.items() if _has_state(v))
        return
    owner = getattr(function, "__self__", None)
    if owner is not None and not inspect.ismodule(owner):
        yield type(owner).__name__, owner
    code = getattr(function, "__code__", None)
    if code is None:
        return
    names = inspect.getclosurevars(function)
    for name, value in {**names.nonlocals, **names.globals}.items():
        if _has_state(value):
            yield name, value


def _has_state(value: Any) -> bool:
    kinds = (torch.nn.Module, torch.Tensor, np.ndarray)
    if isinstance(value, type):
        return False
    return isinstance(value, kinds) or (hasattr(value, "fit") and hasattr(value, "transform"))


def _walk(value: Any, path: str, found: Snapshot, above: set[int], fitted: bool) -> None:
    if id(value) in above:
        found[path] = "itself"
        return
    if not fitted and isinstance(value, GENERATORS):
        # To draw from a generator that was handed over moves it on.
        found[path] = "a generator"
        return
    simple = _simple(value)
    if simple is not None:
        found[path] = simple
        return
    above = above | {id(value)}
    named = _named(value, fitted)
    if named is None:
        found[path] = _pickled(value)
        return
    found[path] = type(value).__qualname__
    for name, part in named:
        joined = name if name.startswith("[") or not path else f".{name}"
        _walk(part, path + joined, found, above, fitted)


def _simple(value: Any) -> Any:
    """The value itself, or its digest, where it is not made of parts that have names."""
    if value is None or isinstance(value, bool | int | str | bytes):
        return type(value).__name__, value
    if isinstance(value, float | complex | np.generic):
        # NaN does not equal itself, its notation does.
        return type(value).__name__, repr(value)
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.dtype.str, value.shape, _digest(np.ascontiguousarray(value).tobytes())
    if isinstance(value, torch.Tensor):
        array = value.detach().cpu().to_dense().contiguous().reshape(-1)
        told = str(value.dtype), tuple(value.shape), value.requires_grad
        return *told, _digest(array.view(torch.uint8).numpy().tobytes())
    if isinstance(value, np.random.Generator):
        return "Generator", repr(value.bit_generator.state)
    if isinstance(value, torch.Generator):
        return "torch.Generator", _digest(value.get_state().numpy().tobytes())
    if isinstance(value, type) or inspect.isroutine(value) or inspect.ismodule(value):
        return "function", id(value)
    return None


def _named(value: Any, fitted: bool) -> list[tuple[str, Any]] | None:
    """The parts of a value, by name; None where it has none that can be seen."""
    if isinstance(value, dict):
        return [(f"[{k!r}]", v) for k, v in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{i}]", v) for i, v in enumerate(value)]
    if isinstance(value, np.ndarray):
        return [(f"[{i}]", v) for i, v in enumerate(value.ravel())]
    if isinstance(value, torch.nn.Module):
        return _of_module(value)
    if not fitted and hasattr(value, "get_params") and not isinstance(value, type):
        return list(value.get_params(deep=False).items())
    if hasattr(value, "iloc"):
        return None
    held = getattr(value, "__dict__", None)
    if held is None:
        return None
    return [(k, v) for k, v in held.items() if not k.startswith("_")]


def _of_module(module: torch.nn.Module) -> list[tuple[str, Any]]:
    parts: list[tuple[str, Any]] = [("training", module.training)]
    for kept in (module._parameters, module._buffers, module._modules):
        parts += list(kept.items())
    parts += [(k.strip("_"), len(getattr(module, k))) for k in HOOKS]
    public = [(k, v) for k, v in vars(module).items() if not k.startswith("_") and k != "training"]
    return parts + public


def _pickled(value: Any) -> Any:
    try:
        return type(value).__qualname__, _digest(pickle.dumps(value))
    except Exception:
        # What cannot be pickled is followed by its identity alone.
        return type(value).__qualname__, id(value)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
