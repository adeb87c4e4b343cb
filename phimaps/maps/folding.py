"""A private copy of a network that computes the same in less time.

Batch normalisation in evaluation mode is a multiple and a shift of each channel, which a
convolution just before it can do along with its own; and convolutions are faster where the channels
of a pixel lie side by side in memory. Whether a network allows either is seen while it computes for
the first time, so that no forward pass is made for it alone.
"""

from __future__ import annotations

import copy
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, final

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["Faster", "prepared"]

T = TypeVar("T")

_NORMS: dict[type, type] = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
}
_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)
# Code that reads numbers, not through torch, may do anything with them.
_READS = {"numpy", "tolist", "__array__", "__dlpack__", "data_ptr", "untyped_storage", "storage"}
# Code that depends on how a tensor lies in memory.
_STRIDES = {"view", "view_as", "as_strided", "stride", "is_contiguous"}


def _plain(part: nn.Module) -> bool:
    """Whether a module of torch computes what its class says, and nothing else."""
    return "forward" not in vars(part) and not any(getattr(part, h, None) for h in _HOOKS)


@final
class _Dispatched(TorchDispatchMode):
    """Sees every operation, with the tensors that go into it and come out."""

    def __init__(self, see: Callable[[Any, Any, Any], None]):
        super().__init__()
        self.see = see

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        value = func(*args, **(kwargs or {}))
        self.see(func, (args, kwargs), value)
        return value


@final
class _Called(TorchFunctionMode):
    """Sees every function of torch by the name under which it is called."""

    def __init__(self, see: Callable[[str, Any], None]):
        super().__init__()
        self.see = see

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.see(getattr(func, "__name__", ""), args)
        return func(*args, **(kwargs or {}))


@final
class _Look:
    """What one forward pass shows: which convolutions go into one normalisation, and nowhere else.

    It holds for every input of the same shape where no operation depended on numbers: then the
    same operations follow one another whatever the input.
    """

    def __init__(self, module: nn.Module, keep: Collection[str]):
        self.module, self.keep = module, keep
        self.rows: int | None = None
        # The most numbers that go into and come out of one operation.
        self.most = 0
        self.fixed = True
        self.strided = False
        self.calls: Counter[nn.Module] = Counter()
        self.pairs: dict[nn.Module, nn.Module] = {}
        self.spoiled: set[nn.Module] = set()
        self.inside: list[nn.Module] = []
        # By the address of a tensor: what convolutions gave, while it lives, and their weights.
        self.made: dict[int, tuple[weakref.ref[torch.Tensor], nn.Module]] = {}
        self.weights: dict[int, nn.Module] = {}

    @contextmanager
    def looking(self) -> Iterator[None]:
        parts = dict(self.module.named_modules(remove_duplicate=False))
        convs = {m for m in parts.values() if type(m) in _NORMS and _plain(m)}
        norms = {m for m in parts.values() if type(m) in _NORMS.values() and _plain(m)}
        self.weights = {id(p): m for m in convs for p in m.parameters()}
        kept = {parts[name] for name in self.keep if name in parts} | {self.module}
        handles = []
        try:
            for part in convs | norms:
                handles.append(part.register_forward_pre_hook(self.enter, prepend=True))
                handles.append(part.register_forward_hook(self.leave))
            handles += [part.register_forward_hook(self.returned) for part in kept]
            handles.append(self.module.register_forward_pre_hook(self.start))
            with _Called(self.called), _Dispatched(self.dispatched):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def start(self, part: nn.Module, args: Any) -> None:
        if args and isinstance(args[0], torch.Tensor) and args[0].ndim:
            self.rows = args[0].shape[0]

    def enter(self, part: nn.Module, args: Any) -> None:
        self.calls[part] += 1
        self.inside.append(part)
        conv = self.maker(args[0]) if args else None
        if conv is None or type(part) is not _NORMS[type(conv)]:
            return
        if conv in self.pairs:
            self.spoiled.add(conv)
        self.pairs[conv] = part

    def leave(self, part: nn.Module, args: Any, value: Any) -> None:
        self.inside.pop()
        if type(part) in _NORMS:
            self.made[id(value)] = weakref.ref(value), part

    def returned(self, part: nn.Module, args: Any, value: Any) -> None:
        for leaf in tree_leaves(value):
            conv = self.maker(leaf)
            if conv is not None:
                self.spoiled.add(conv)

    def maker(self, value: Any) -> nn.Module | None:
        known = self.made.get(id(value))
        return known[1] if known is not None and known[0]() is value else None

    def called(self, name: str, args: Any) -> None:
        if name in _READS:
            self.fixed = False
        if name in _STRIDES and any(isinstance(a, torch.Tensor) and a.ndim > 3 for a in args[:1]):
            self.strided = True

    def dispatched(self, func: Any, given: Any, value: Any) -> None:
        tags = func.tags
        if torch.Tag.data_dependent_output in tags or torch.Tag.dynamic_output_shape in tags:
            self.fixed = False
        here = self.inside[-1] if self.inside else None
        given = tree_leaves(given)
        # What is no part of a row, such as weights in fewer bits, does not grow with the rows.
        moved = {id(t): t for t in (*given, *tree_leaves(value)) if _is_tensor(t) and t.ndim}
        parts = [t.numel() for t in moved.values() if t.shape[0] == self.rows]
        self.most = max(self.most, sum(parts))
        for leaf in given:
            if not _is_tensor(leaf):
                continue
            conv = self.maker(leaf)
            if conv is not None and (here is None or self.pairs.get(conv) is not here):
                self.spoiled.add(conv)
            owner = self.weights.get(id(leaf))
            if owner is not None and owner is not here:
                self.spoiled.add(owner)

    @property
    def widest(self) -> int | None:
        return None if not self.rows else -(-self.most // self.rows)

    def found(self) -> list[tuple[Any, Any]]:
        """The pairs that may be folded."""
        once = (
            (conv, norm)
            for conv, norm in self.pairs.items()
            if conv not in self.spoiled and self.calls[conv] == self.calls[norm] == 1
        )
        return [(c, n) for c, n in once if self.fixed and n.running_mean is not None]


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _fold(conv: Any, norm: Any) -> None:
    """Let the convolution do what the normalisation does, and that one nothing."""
    # In double precision, as the offset is a difference.
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    shift = -norm.running_mean.double() * scale
    if norm.weight is not None:
        shift = shift * norm.weight.double() + norm.bias.double()
        scale = scale * norm.weight.double()
    weight = conv.weight.double() * scale.reshape(-1, *[1] * (conv.weight.ndim - 1))
    bias = shift if conv.bias is None else conv.bias.double() * scale + shift
    weight, bias = weight.to(conv.weight.dtype), bias.to(conv.weight.dtype)
    if bool(weight.isfinite().all()) and bool(bias.isfinite().all()):
        conv.weight = nn.Parameter(weight, requires_grad=False)
        conv.bias = nn.Parameter(bias, requires_grad=False)
        # Its numbers stay, for code that looks at them.
        norm.forward = _same


@final
class Faster:
    """A private copy of a module in evaluation mode, made faster once it was seen at work.

    Parameters
    ----------
    module : torch.nn.Module
        Left as it is.
    keep : collection of str
        The names of modules whose own values are wanted, as in ``named_modules()``: what a
        convolution among them gives stays what it is.
    dtype : torch.dtype, default torch.float32
        Of the copy's parameters.
    device : torch.device, optional
        Of the copy's parameters.
    channels_last : bool, default True
        Whether the channels of a pixel may lie side by side in memory.

    Attributes
    ----------
    module : torch.nn.Module or None
        The copy, once it is prepared.
    widest : int or None
        Then, how many numbers of a row go into and come out of one operation at most: by it rows
        are put together so that they fit a cache, `phimaps.rows.cached_rows`.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    >>> fast, x = Faster(net), torch.ones(2, 3, 8, 8)
    >>> first, second = (fast(lambda m: m(x)) for _ in range(2))
    >>> fast.module[0].bias is None, float((first - second).abs().max()) < 1e-5
    (False, True)
    """

    def __init__(
        self,
        module: nn.Module,
        keep: Collection[str] = (),
        dtype: torch.dtype = torch.float32,
        device: Any = None,
        channels_last: bool = True,
    ):
        self.source, self.keep, self.dtype, self.device = module, frozenset(keep), dtype, device
        self.module: nn.Module | None = None
        self.widest: int | None = None
        self.channels_last = channels_last
        self._lock = threading.RLock()

    def __call__(self, run: Callable[[nn.Module], T]) -> T:
        """run(copy), without gradients.

        Parameters
        ----------
        run : callable
            Evaluates the module that it is given, or a part of it: always the same part, on images
            of one size. It may be called twice where the copy cannot compute what the module can.
        """
        if self.module is None:
            with self._lock:
                # Another thread may have been first.
                if self.module is None:
                    return self._first(run)
        try:
            with torch.no_grad():
                return run(self.module)
        except RuntimeError:
            if not self.channels_last:
                raise
        with self._lock, torch.no_grad():
            assert self.module is not None
            plain = copy.deepcopy(self.module).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
            value = run(plain)
            # Where it fails as well, memory was not to blame.
            self.module, self.channels_last = plain, False
        return value

    def _first(self, run: Callable[[nn.Module], T]) -> T:
        with torch.no_grad():
            twin = copy.deepcopy(self.source).to(device=self.device, dtype=self.dtype)
            # Not by eval(), which a class may override to change its weights.
            for part in twin.modules():
                part.training = False
            twin.requires_grad_(False)
            look = _Look(twin, self.keep)
            with look.looking():
                value = run(twin)
            for conv, norm in look.found():
                _fold(conv, norm)
            # Torch has fast kernels for such memory in single precision only.
            wanted = self.channels_last and self.dtype == torch.float32
            self.channels_last = wanted and look.fixed and not look.strided
            if self.channels_last:
                twin.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.widest = look.widest
        self.module = twin
        return value


def prepared(
    module: nn.Module,
    keep: Collection[str],
    example: torch.Tensor,
    dtype: torch.dtype = torch.float32,
    device: Any = None,
) -> nn.Module:
    """A private copy that computes the same, prepared by one pass over an example; see `Faster`.

    Parameters
    ----------
    module, keep, dtype, device
        As in `Faster`.
    example : Tensor of shape (n, *shape)
        On the device, of the dtype.

    Returns
    -------
    torch.nn.Module
    """
    fast = Faster(module, keep, dtype, device)
    plain = fast(lambda m: m(example))
    try:
        close = _close(fast(lambda m: m(example)), plain)
    except RuntimeError:
        close = False
    if close and fast.module is not None:
        return fast.module
    return copy.deepcopy(module).to(device=device, dtype=dtype).eval().requires_grad_(False)


def _close(value: Any, plain: Any) -> bool:
    # Folding rounds the weights once more; a structural mistake shows as a difference of order 1.
    pairs = zip(tree_leaves(value), tree_leaves(plain), strict=True)
    return all(
        bool((a - b).abs().max() <= 2**12 * torch.finfo(b.dtype).eps * (1 + b.abs().max()))
        for a, b in pairs
        if isinstance(b, torch.Tensor) and b.is_floating_point()
    )
