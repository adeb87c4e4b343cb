"""A torch module inside a map: a private copy, shared by all clones and never changed."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar, final

import torch

from ..errors import OperandError
from .content import content
from .folding import Faster

__all__ = ["Frozen"]

T = TypeVar("T")


@final
class Frozen:
    """A handle on a private copy of a torch module in evaluation mode.

    What the module holds now counts: training it later changes nothing here, and nothing that is
    done here reaches it. A module that cannot be copied is evaluated itself, by copies of its
    tensors, and gets its training flags back.

    Parameters
    ----------
    module : torch.nn.Module

    Raises
    ------
    OperandError
        When parameters of the module have no shape yet (lazy modules).

    Examples
    --------
    >>> import copy, torch
    >>> handle = Frozen(torch.nn.Linear(2, 1))
    >>> copy.deepcopy(handle) is handle
    True
    """

    def __init__(self, module: torch.nn.Module):
        if any(torch.nn.parameter.is_lazy(p) for p in module.parameters()):
            raise OperandError(
                "The module has parameters without a shape.",
                got=f"{type(module).__name__} with lazy layers that have seen no data",
                need="a module that can compute",
                do="module(x) once, before it becomes a map",
            )
        self.private = True
        # Tensors that stand for the module's own, by name.
        self.state: dict[str, torch.Tensor] = {}
        try:
            # What is made in inference mode has no gradient afterwards, and what is copied outside
            # of it may be in a graph with what it was copied from.
            with torch.inference_mode(False), torch.no_grad():
                self.module = copy.deepcopy(module)
        except Exception:
            # Handles on files, locks, tensors inside a graph: torch itself cannot copy these.
            self.module, self.private = module, False
            self.state = {k: v.detach().clone() for k, v in _tensors(module).items()}
        else:
            _at_rest(self.module)
        self._digest: str | None = None
        self._prepare()

    def _prepare(self) -> None:
        self._lock = threading.RLock()
        self._cast: dict[Any, dict[str, torch.Tensor]] = {}
        self._faster: dict[Any, Faster] = {}
        # What maps on this module found out about it, shared by all of them.
        self.memo: dict[Any, Any] = {}

    # --- evaluating ----------------------------------------------------------------------------
    def tensors(self) -> dict[str, torch.Tensor]:
        """All parameters and buffers, by name."""
        return _tensors(self.module) | self.state

    @property
    def trained(self) -> bool:
        """Whether some tensor is in a graph or asks for a gradient."""
        return any(v.requires_grad for v in self.state.values())

    def run(self, run: Callable[[Callable[..., Any], torch.nn.Module], T], x: torch.Tensor) -> T:
        """run(call, module), where call(x) is module(x) on the device and in the dtype of `x`.

        Parameters
        ----------
        run : callable
            It may put hooks on the module while it runs.
        x : Tensor
            Of the device and dtype in which the module computes.
        """
        module = self.module
        with self._lock, nullcontext() if self.private else _evaluating(module):
            if not self.state and _fits(module, x):
                return run(module, module)
            tensors = self.cast(x)
            return run(lambda *args: torch.func.functional_call(module, tensors, args), module)

    def faster(self, key: Any, keep: Collection[str], x: torch.Tensor) -> Faster | None:
        """The same without gradients in less time, where the module can be copied.

        Parameters
        ----------
        key : hashable
            Which part of the module is evaluated.
        keep : collection of str
            The names of modules whose own values are wanted.
        x : Tensor
            Of the device and dtype in which the module computes.
        """
        if self.state or x.dtype not in (torch.float32, torch.float64):
            return None
        # What a module does may depend on the size of the images.
        key = (key, frozenset(keep), x.dtype, x.device, tuple(x.shape[1:]))
        with self._lock:
            if key not in self._faster:
                self._faster[key] = Faster(self.module, keep, x.dtype, x.device)
            return self._faster[key]

    def cast(self, like: torch.Tensor) -> dict[str, torch.Tensor]:
        """The tensors on the device and of the dtype of `like`."""
        key = (like.dtype, like.device)
        if key not in self._cast:
            kind = {True: like.dtype, False: None}
            with torch.inference_mode(False):
                moved = {
                    k: v.to(device=like.device, dtype=kind[v.is_floating_point()])
                    for k, v in self.tensors().items()
                }
            if self.trained:
                return moved
            self._cast[key] = moved
        return self._cast[key]

    # --- values --------------------------------------------------------------------------------
    def with_tensors(self, changed: dict[str, torch.Tensor]) -> Frozen:
        """A handle on the same module with other tensors, which may be in a graph."""
        twin = Frozen.__new__(Frozen)
        twin.module, twin.private, twin._digest = self.module, self.private, None
        twin.state = self.state | changed
        twin._prepare()
        # The module is shared, and calls exchange its tensors.
        twin._lock = self._lock
        if twin.private and not twin.trained:
            twin.module = copy.deepcopy(self.module)
            for name, parameter in twin.module.named_parameters():
                if name in twin.state:
                    parameter.data = twin.state[name].detach().clone()
            twin.state, twin._lock = {}, threading.RLock()
        return twin

    def digest(self) -> str:
        """A hash of what the module computes by: tensors, attributes, code; computed once."""
        if self._digest is None:
            held = content((self.module, self.state))
            # What has no content to compare is like nothing but itself and its copies.
            self._digest = held or uuid.uuid4().hex
        return self._digest

    def __deepcopy__(self, memo: Any) -> Frozen:
        return self

    def __sklearn_clone__(self) -> Frozen:
        return self

    def __getstate__(self) -> dict[str, Any]:
        cpu = torch.device("cpu")
        module = self.module
        if any(v.device != cpu for v in _tensors(module).values()):
            # So that it loads where there is no such device.
            module = copy.deepcopy(module).to(cpu)
        state = {k: v.detach().to(cpu) for k, v in self.state.items()}
        return {"module": module, "state": state, "private": True, "_digest": self.digest()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        _at_rest(self.module)
        self._prepare()

    def __repr__(self) -> str:
        return f"{type(self.module).__name__}:{self.digest()[:12]}"


def _tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    own: dict[str, torch.Tensor] = {k: v.detach() for k, v in module.named_parameters()}
    return own | dict(module.named_buffers())


def _fits(module: torch.nn.Module, x: torch.Tensor) -> bool:
    return all(
        v.device == x.device and (v.dtype == x.dtype or not v.is_floating_point())
        for v in _tensors(module).values()
    )


def _at_rest(module: torch.nn.Module) -> None:
    # Not by eval(), which a class may override to change its weights.
    for part in module.modules():
        part.training = False
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None


@contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode, with every module's own flag restored afterwards."""
    flags = [(m, m.training) for m in module.modules()]
    for m, _ in flags:
        m.training = False
    try:
        yield
    finally:
        for m, flag in flags:
            m.training = flag
