"""Watching a forward pass: what every layer returns, and what goes into and out of activations."""

from __future__ import annotations

import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any, final

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from .rectifiers import rectified

__all__ = ["Event", "tensors", "unwatched", "watch", "watching"]

_SPACES = (torch, torch.Tensor, functional, torch._C._nn, torch.special)
_NAMES = (
    "celu elu expit gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu log_sigmoid "
    "logsigmoid mish prelu relu6 rrelu selu sigmoid silu softplus softshrink softsign tanh "
    "tanhshrink threshold"
)
# Activations other than ReLU, by what is called.
_ACTIVATIONS = {
    getattr(space, spelled): name
    for name in _NAMES.split()
    for spelled in (name, f"{name}_")
    for space in _SPACES
    if hasattr(space, spelled)
}
_IN_PLACE_AT = {
    function: list(signature(function).parameters).index("inplace")
    for name, function in vars(functional).items()
    if name.islower() and hasattr(function, "__code__")
    if "inplace" in function.__code__.co_varnames[: function.__code__.co_argcount]
}


_pause = threading.local()


class _Done(BaseException):
    """All that was wanted is there; no error, so that no ``except Exception`` swallows it."""


@final
@dataclass(eq=False, repr=False, slots=True, weakref_slot=True)
class Event:
    """What a watched forward pass came to.

    Keep the event, not its value: where something is about to write over the value, the events
    that are still held get a copy of what stood there.

    Attributes
    ----------
    layer : str
        For ``"out"`` the module that returned, else the innermost module that is running; named as
        in ``named_modules()``, the whole module ``""``.
    call : int
        Which call of that module it is, from 0.
    kind : {"out", "z", "a"}
        A module returned a value; the input, the output of an activation.
    value : Tensor
        For ``"out"`` whatever the module returned.
    number : int
        How many events came before.
    source : int or None
        The number of the event that first had this very tensor, unchanged since: for ``"out"`` the
        ``"a"`` of the activation that it came out of, or the ``"out"`` of a module inside; for
        ``"z"`` the ``"out"`` or ``"a"`` that it came from; for ``"a"`` its ``"z"``.
    function : str
        For ``"z"`` and ``"a"`` the activation: ``"relu"``, ``"clamp"``, ``"gelu"``, ...
    rectifier : bool
        Whether the activation is max(z, 0), however it is spelled.
    named : bool
        False for a clamp, a maximum or a threshold that computes max(z, 0).
    running : tuple of (str, int)
        The modules that are running with their calls, outermost first.
    """

    layer: str
    call: int
    kind: str
    value: Any
    source: int | None = None
    number: int = 0
    function: str = ""
    rectifier: bool = False
    named: bool = True
    running: tuple[tuple[str, int], ...] = ()

    def __repr__(self) -> str:
        at = f"{self.layer}@{self.call}" if self.call else self.layer
        return f"Event({self.number}: {self.kind} {self.function or 'of'} {at!r})"


@final
class _Tap(TorchFunctionMode):
    """The mode and the hooks of one watched pass."""

    def __init__(
        self,
        see: Callable[[Event], Any],
        until: Callable[[Event], bool] | None,
        use: Callable[[int, str, str], Any] | None,
    ):
        super().__init__()
        self.see, self.until, self.use = see, until, use
        self.thread = threading.get_ident()
        self.calls: Counter[str] = Counter()
        self.running: list[tuple[str, int]] = []
        # The exceptions that were being handled when these modules were called.
        self.handling: list[BaseException | None] = []
        self.number = 0
        self.done = False
        # By the address of a tensor: the tensor, its version, the event that first had it.
        self.origin: dict[int, tuple[weakref.ref[torch.Tensor], int, int]] = {}
        # By the address of memory: the events whose values lie there.
        self.held: dict[int, list[weakref.ref[Event]]] = {}

    # --- modules -----------------------------------------------------------------------------
    def away(self) -> bool:
        """Whether what happens now is no part of the pass."""
        return threading.get_ident() != self.thread or getattr(_pause, "on", False)

    def enter(self, name: str) -> None:
        if self.away():
            return
        if self.done:
            raise _Done
        self.running.append((name, self.calls[name]))
        self.handling.append(sys.exc_info()[1])
        self.calls[name] += 1

    def leave(self, name: str, value: Any) -> None:
        if self.away():
            return
        call, before = self.running.pop()[1], self.handling.pop()
        if sys.exc_info()[1] is not before:
            # It did not return but raised; its caller may go on all the same.
            return
        if self.done:
            raise _Done
        with torch._C.DisableTorchFunction():
            event = Event(
                name, call, "out", value, self.came_from(value), running=tuple(self.running)
            )
            self.tell(event)

    def came_from(self, value: Any) -> int | None:
        known = self.origin.get(id(value))
        if known is None or known[0]() is not value or known[1] != _version(value):
            return None
        return known[2]

    def tell(self, event: Event) -> None:
        event.number, value = self.number, event.value
        self.number += 1
        if isinstance(value, torch.Tensor):
            if event.kind == "a" or self.came_from(value) is None:
                self.origin[id(value)] = weakref.ref(value), _version(value), event.number
            self.held.setdefault(_memory(value), []).append(weakref.ref(event))
        # What the callbacks hold on to is what they are given, so that no copy is made for nothing.
        self.see(event)
        if self.until is not None and self.until(event):
            self.done = True
        if self.done:
            raise _Done

    # --- functions ---------------------------------------------------------------------------
    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        if self.done:
            # Code that catches everything went on after the end.
            raise _Done
        call = rectified(func, args, kwargs)
        if call is not None:
            name = "relu" if call.named else func.__name__.strip("_")
            return self.activation(func, args, kwargs, call.z, name, True, call.named)
        if func in _ACTIVATIONS:
            z = args[0] if args else kwargs.get("input")
            if isinstance(z, torch.Tensor):
                return self.activation(func, args, kwargs, z, _ACTIVATIONS[func], False, True)
        if _writes(func, args, kwargs):
            self.spare(args, kwargs)
        result = func(*args, **kwargs)
        if self.use is not None:
            self.used(func, args, kwargs, result)
        return result

    def activation(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        z: torch.Tensor,
        name: str,
        rectifier: bool,
        named: bool,
    ) -> torch.Tensor:
        layer, call = self.running[-1] if self.running else ("", 0)
        about: dict[str, Any] = {
            "function": name,
            "rectifier": rectifier,
            "named": named,
            "running": tuple(self.running),
        }
        before = self.number
        with torch._C.DisableTorchFunction():
            self.tell(Event(layer, call, "z", z, self.came_from(z), **about))
        if _writes(func, args, kwargs):
            self.spare(args, kwargs)
        value: torch.Tensor = func(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            self.tell(Event(layer, call, "a", value, before, **about))
        return value

    def spare(self, args: Any, kwargs: dict[str, Any]) -> None:
        """Give the events that are still held copies of the values that may be written over."""
        with torch._C.DisableTorchFunction():
            for tensor in tensors((args, kwargs)):
                for reference in self.held.pop(_memory(tensor), ()):
                    event = reference()
                    if event is not None:
                        event.value = event.value.clone()

    def used(self, func: Any, args: Any, kwargs: dict[str, Any], result: Any) -> None:
        """Report what known tensors go into, unless the function only looks at them."""
        assert self.use is not None
        with torch._C.DisableTorchFunction():
            given = [t for t in tensors((args, kwargs)) if id(t) in self.origin]
            if not given or not (_makes_numbers(result) or _writes(func, args, kwargs)):
                return
            layer = self.running[-1][0] if self.running else ""
            name = getattr(func, "__name__", type(func).__name__).strip("_")
            if name.endswith("_like") or name.startswith("new_"):
                # Only the shape is looked at.
                return
            for tensor in given:
                known = self.origin[id(tensor)]
                # What is returned as it came, as by dropout in evaluation mode, went nowhere.
                same = result is tensor and known[1] == _version(tensor)
                if known[0]() is tensor and not same:
                    self.done = bool(self.use(known[2], name, layer)) or self.done
            if self.done:
                raise _Done


def _makes_numbers(result: Any) -> bool:
    return any(t.is_floating_point() and t.ndim for t in tensors(result))


def _version(tensor: Any) -> int:
    plain = isinstance(tensor, torch.Tensor) and not tensor.is_inference()
    return int(tensor._version) if plain else 0


def _memory(tensor: torch.Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        # A tensor without memory of its own is known by itself only.
        return id(tensor)


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in what a function takes or returns, inside tuples, lists and dicts too."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors(item)


def _writes(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the function may write over one of its arguments."""
    if kwargs.get("inplace") or kwargs.get("out") is not None:
        return True
    at = _IN_PLACE_AT.get(func)
    if at is not None:
        return len(args) > at and bool(args[at])
    name = getattr(func, "__name__", "")
    schema = getattr(func, "_schema", None)
    if schema is not None:
        return bool(schema.is_mutable)
    special = ("__setitem__", "__set__", "__delete__")
    return (name.endswith("_") and not name.endswith("__")) or name in special


@contextmanager
def unwatched() -> Iterator[None]:
    """While it is active, passes in this thread are watched by nobody, and no function replaced."""
    before, _pause.on = getattr(_pause, "on", False), True
    try:
        with torch._C.DisableTorchFunction():
            yield
    finally:
        _pause.on = before


@contextmanager
def watching(
    module: torch.nn.Module,
    see: Callable[[Event], Any],
    until: Callable[[Event], bool] | None = None,
    use: Callable[[int, str, str], Any] | None = None,
    only: Collection[str] | None = None,
) -> Iterator[None]:
    """While it is active, calls of the module in this thread are watched; see `watch`.

    Parameters
    ----------
    module, see, until
        As in `watch`. Where `until` is true, the body of the ``with`` is left.
    use : callable, optional
        Called with (source, function, layer) where the value of an earlier event goes into
        something that is no activation: the number of the event that first had it, the name of the
        function, and the layer that calls it; the pass ends where it is true. Functions that only
        look (sizes, comparisons, single numbers) do not count.
    only : collection of str, optional
        The names of the modules that are watched; default: all.
    """
    tap = _Tap(see, until, use)
    handles = []
    try:
        for name, part in module.named_modules():
            if isinstance(part, torch.jit.ScriptModule) or (only is not None and name not in only):
                continue
            handles.append(
                part.register_forward_pre_hook(
                    lambda m, args, name=name: tap.enter(name),  # type: ignore[misc]
                    prepend=True,
                )
            )
            handles.append(
                part.register_forward_hook(
                    lambda m, args, out, name=name: tap.leave(name, out),  # type: ignore[misc]
                    always_call=True,
                )
            )
        with tap:
            yield
    except _Done:
        if not tap.done:
            # The end of another pass, inside which this one runs.
            raise
    finally:
        for handle in handles:
            handle.remove()


def watch(
    module: torch.nn.Module,
    x: torch.Tensor,
    see: Callable[[Event], Any],
    until: Callable[[Event], bool] | None = None,
) -> Any:
    """Run module(x) and tell of each event in order: what layers return, what is rectified.

    Activations are told by what is called, so it does not matter whether they are modules,
    functions or methods, in place or not. The module is run as it is, in the mode that it is in,
    with gradients where they are switched on; afterwards no hook and no mode is left behind.

    Parameters
    ----------
    module : torch.nn.Module
    x : Tensor
        What it is called with.
    see : callable
        Called with every `Event`.
    until : callable, optional
        Called with every event after `see`; where it is true the pass ends.

    Returns
    -------
    What the module returned, or None where the pass ended before.

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU(inplace=True))
    >>> watch(net, torch.ones(1, 1), print).shape
    Event(0: out of '0')
    Event(1: z relu '1')
    Event(2: a relu '1')
    Event(3: out of '1')
    Event(4: out of '')
    torch.Size([1, 1])
    """
    value = None
    with watching(module, see, until):
        value = module(x)
    return value
