"""On which pixels a unit depends, whatever the weights and the image.

A forward pass in which every operation is replaced by a sum of what it reads, with weights above 0,
keeps the graph of the network and nothing else of it. On the way back each gradient is replaced by
1 where it is above 0, so that neither depth nor width can lose a pixel to rounding, underflow or
overflow: what reaches a pixel is 1 exactly if there is a path to the unit.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from math import prod
from types import FunctionType
from typing import Any, final

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from ..drawn import generator
from ..errors import ShapeError
from ..map import FeatureMap
from .call import Unknown, constant, live, name_of, tensors
from .mixing import native
from .surrogates import RULES

__all__ = ["Dependence", "Probes", "Structure"]

# What may come past the mode: steps that move numbers, or add them with weights above 0.
_HARMLESS = re.compile(
    "(AdaptiveAvgPool2D|Alias|AsStrided|Clone|Copy|CopySlices|Expand|Mean|Permute|Reshape|Select|"
    "Slice|Squeeze|Sum|ToCopy|Transpose|T|Unsqueeze|UnsafeView|View)(Alias)?(Backwards?)?[0-9]*"
)


def _shapes_only(name: str, args: Any) -> bool:
    """Whether a function reads nothing of the image but its shape and dtype."""
    other = name == "to" or name.endswith("_as")
    return name.startswith("new_") or name.endswith("_like") or (other and not live(args[:1]))


# What makes a number of Python of a tensor: from then on a module may do anything with it.
_LOOKS = frozenset(
    ("__bool__", "__float__", "__int__", "__index__", "item", "tolist", "equal", "is_nonzero")
)


@final
class _Looks(TorchFunctionMode):
    """What a module is told when it looks at values, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        if name_of(func) in _LOOKS:
            self.seen.append(result)
        return result


@final
class Structure(TorchFunctionMode):
    """While it is active, operations on what depends on the image are sums of what they read.

    Parameters
    ----------
    image : Tensor that requires a gradient
    answers : sequence, optional
        What the module is told when it looks at values, in order.

    Attributes
    ----------
    failed : str or None
        The operation of which it is not known what it reads, and why.
    """

    def __init__(self, image: torch.Tensor, answers: Sequence[Any] = ()):
        super().__init__()
        self.failed: str | None = None
        self.looked = False
        self._answers = iter(answers)
        self._made = set(_nodes(image.grad_fn))

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        name = name_of(func)
        if name == "_set_grad_enabled":
            # What is computed without gradient is read all the same.
            return None
        if name in _LOOKS:
            told = next(self._answers, self)
            if told is not self:
                return told
        args, kwargs = constant(args), constant(kwargs)
        given = live((args, kwargs))
        if not given:
            return func(*args, **kwargs)
        try:
            for t in given:
                self.check(t)
            result = self._replaced(name, func, args, kwargs)
            if not _shapes_only(name, args) and list(tensors(result)) and not live(result):
                raise Unknown("its result has lost the gradient")
        except Unknown as why:
            self.looked = self.looked or name in _LOOKS
            self.failed = self.failed or f"{name}: {why}"
            raise
        for t in live((result, args[:1])):
            self._made.update(_nodes(t.grad_fn, self._made))
        return result

    def _replaced(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        rule, written = RULES.get(name), name.rstrip("_")
        if kwargs.get("out") is not None:
            raise Unknown("it writes into a given tensor")
        base = RULES.get(written) if name == f"{written}_" else None
        if rule is None and base is native:
            return func(*args, **kwargs)
        if rule is None and base is not None:
            # In place: computed beside it, then written over it.
            value = base(getattr(torch.Tensor, written, func), args, kwargs)
            return args[0].copy_(value)
        if rule is not None:
            return _binary(rule(func, args, kwargs), (args, kwargs))
        opened = _opened(func)
        if opened is None:
            raise Unknown("what it reads is not known")
        with self:
            return opened(*args, **kwargs)

    def check(self, t: torch.Tensor) -> None:
        """Nothing may have come past this mode, as a scripted module's work does."""
        for node in _nodes(t.grad_fn, self._made):
            own = isinstance(node, torch.autograd.function.BackwardCFunction)
            if own or not _HARMLESS.fullmatch(type(node).__name__):
                raise Unknown(f"it reads the result of {type(node).__name__}")
            self._made.add(node)


def _nodes(root: Any, known: Any = ()) -> Iterator[Any]:
    stack, seen = [root], set()
    while stack:
        node = stack.pop()
        if node is not None and node not in seen and node not in known:
            seen.add(node)
            yield node
            stack += [n for n, _ in node.next_functions]


def _ones(gradient: torch.Tensor | None) -> torch.Tensor | None:
    # Of several results the autograd engine leaves those out that nothing reaches.
    return None if gradient is None else (gradient > 0).to(gradient.dtype)


def _binary(result: Any, given: Any) -> Any:
    """The result, whose gradient will count paths no further: it is 1 where there is one."""
    old = {id(t) for t in tensors(given)}
    for t in live(result):
        if id(t) not in old:
            t.register_hook(_ones)
    return result


def _opened(func: Any) -> Any:
    """A Python function of torch whose body runs at once, without asking a mode about itself."""
    if not inspect.isfunction(func) or not func.__module__.startswith("torch."):
        return None
    asks = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
    names = func.__globals__ | {name: lambda *args: False for name in asks}
    code, defaults, closure = func.__code__, func.__defaults__, func.__closure__
    twin = FunctionType(code, names, func.__name__, defaults, closure)
    twin.__kwdefaults__ = func.__kwdefaults__
    return twin


def as_rows(phi: FeatureMap, images: torch.Tensor) -> torch.Tensor:
    """The images as the map takes them: where it fixes a number of columns, as rows."""
    return images.flatten(1) if phi.takes == (prod(images.shape[1:]),) else images


def grey(shape: tuple[int, ...]) -> torch.Tensor:
    """An image of numbers about the middle of [0, 1]."""
    return torch.from_numpy(generator(0).uniform(0.25, 0.75, size=shape))


@final
class Probes:
    """Which pixels a NaN reaches a unit from, in float64: rows, columns, then what both leave.

    Parameters
    ----------
    phi : FeatureMap
        Closed.
    shape : tuple of int
        Of an image: (channels, height, width).
    """

    # Numbers in the images of one batch.
    most = 2**19

    def __init__(self, phi: FeatureMap, shape: tuple[int, int, int]):
        self.phi, self.shape = phi, shape
        self.image = grey(shape)
        self.clean = self._features(self.image[None])[0]
        self._channels: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        # With gradients on, a network computes as it stands and keeps no copy of the features.
        with torch.enable_grad():
            return self.phi.forward(as_rows(self.phi, images)).detach().cpu()

    def extent(self, unit: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The rows and the columns from which a NaN reaches the unit, as bool arrays."""
        if bool(self.clean[unit].isnan()):
            raise ShapeError(
                "receptive_field cannot probe a unit that is NaN for an image without NaN.",
                got=f"unit={unit} of {self.phi!r}",
                need="a map that is finite on images of numbers from 0 to 1",
                do="another unit, or a map without the step that makes NaN",
            )
        if unit[0] not in self._channels:
            height, width = self.shape[1:]
            rows = [(slice(r, r + 1), slice(None)) for r in range(height)]
            cols = [(slice(None), slice(c, c + 1)) for c in range(width)]
            # All units of a channel are seen in one pass.
            self._channels[unit[0]] = self._reached(unit[:1], rows), self._reached(unit[:1], cols)
        by_row, by_col = self._channels[unit[0]]
        index: Any = (slice(None), *unit[1:])
        return by_row[index], by_col[index]

    def pixels(self, unit: tuple[int, ...]) -> np.ndarray:
        """bool (height, width): whether a NaN in all channels of that pixel reaches the unit."""
        rows, cols = self.extent(unit)
        mask = np.outer(rows, cols)
        places = [(slice(r, r + 1), slice(c, c + 1)) for r, c in np.argwhere(mask)]
        mask[mask] = self._reached(unit, places)
        return mask

    def _reached(self, part: tuple[int, ...], places: list[tuple[slice, slice]]) -> np.ndarray:
        """For each place: whether NaN there reaches the features in `part`."""
        index: Any = (slice(None), *part)
        found = []
        step = max(1, self.most // prod(self.shape))
        for start in range(0, len(places), step):
            some = places[start : start + step]
            images = self.image.repeat(len(some) + 1, 1, 1, 1)
            for image, (rows, cols) in zip(images[1:], some, strict=True):
                image[:, rows, cols] = torch.nan
            values = self._features(images)[index].isnan()
            if not torch.equal(values[0], self.clean[part].isnan()):
                # Images of one batch reach each other: each goes alone.
                alone = [self._features(image[None])[index].isnan() for image in images[1:]]
                values = torch.cat([values[:1], *alone])
            found.append(values[1:].numpy())
        return np.concatenate(found) if found else np.zeros(0, dtype=bool)


@final
class Dependence:
    """Which pixels each unit of φ depends on, for images of one shape.

    Parameters
    ----------
    phi : FeatureMap
        Closed.
    shape : tuple of int
        Of an image: (channels, height, width).
    method : {"structure", "probe"}

    Attributes
    ----------
    features : tuple of int
        The shape of φ(x) for one image.
    exact : bool
        Whether the structure was found. If not, it is that of the path which one image takes
        through a module that looks at values; or NaN was sent through the map, and what it reaches
        is certain, what it does not reach is not.
    because : str
        How it was found, and why so.
    """

    def __init__(self, phi: FeatureMap, shape: tuple[int, int, int], method: str = "structure"):
        self._probes: Probes | None = None
        self.exact, why = False, "asked to probe"
        self.because = "the operations of the map, by what they read"
        if method == "structure":
            mode, why = self._follow(phi, shape, ())
            self.exact = not why
            if mode.looked:
                looks = self._looks(phi, shape)
                self.because += f", on the path that one image takes ({why})"
                why = self._follow(phi, shape, looks)[1]
        if why:
            self._probes = Probes(phi, shape)
            self.features = tuple(self._probes.clean.shape)
            self.because = f"what a NaN reaches ({why})"

    def _looks(self, phi: FeatureMap, shape: tuple[int, int, int]) -> list[Any]:
        with torch.enable_grad(), _Looks() as mode:
            phi.forward(as_rows(phi, grey(shape)[None]))
        return mode.seen

    def _follow(
        self, phi: FeatureMap, shape: tuple[int, int, int], answers: Sequence[Any]
    ) -> tuple[Structure, str]:
        """Run the map on surrogates; what stood in the way, if anything."""
        self._pixels = torch.zeros((1, *shape), dtype=torch.float64, requires_grad=True)
        with torch.enable_grad():
            image = self._pixels.clone()
            mode = Structure(image, answers)
            try:
                with mode:
                    value = phi.forward(as_rows(phi, image))
                mode.check(value)
                if value.grad_fn is None:
                    raise Unknown("what it gives has lost its gradient")
            except Exception as error:
                # Whatever is wrong with the map itself shows when it is probed.
                lines = str(error).splitlines() or [""]
                return mode, mode.failed or f"{type(error).__name__}: {lines[0]}"
        self._value = value[0]
        self.features = tuple(self._value.shape)
        return mode, mode.failed or ""

    @property
    def followed(self) -> bool:
        """Whether the operations were followed, not probed."""
        return self._probes is None

    def pixels(self, unit: tuple[int, ...]) -> np.ndarray:
        """bool (height, width): the pixels that the unit depends on, over all channels."""
        if self._probes is not None:
            return self._probes.pixels(unit)
        size = tuple(self._pixels.shape[2:])
        made = torch.autograd.grad(
            self._value[unit], self._pixels, retain_graph=True, allow_unused=True
        )[0]
        return np.zeros(size, dtype=bool) if made is None else (made[0] > 0).any(0).numpy()

    def extent(self, unit: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The rows and the columns with a pixel that the unit depends on, as bool arrays."""
        if self._probes is not None:
            return self._probes.extent(unit)
        mask = self.pixels(unit)
        return np.any(mask, axis=1), np.any(mask, axis=0)
