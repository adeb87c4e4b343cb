"""What the author of a map writes, and what follows from it.

A map is a term. Its leaves are *closed* (all their data are constructor fields: they can be
evaluated) or *open* (hyper-parameters only: they denote a closed map on given data). The author of
a closed map writes `Term.forward`, the author of an open one `Term.close`; what is known about it
goes into `Term.facts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, dataclass_transform, final

import numpy as np
import torch

from ..drawn import Drawn
from ..errors import ParameterError, UnboundError, show
from ..estimator import Estimator, Given
from ..proof import Reason
from ..property import Property
from ..rows import dense_pieces
from ..spaces import Euclidean, Image, Space
from ..witness import Witness
from .codomain import Codomain

__all__ = ["Fact", "Given", "Part", "Term", "show"]

Fact = tuple[Property, "str | Reason | Witness"]


@final
@dataclass(frozen=True)
class Part:
    """A map inside another, with what is known of the set that reaches it."""

    map: Term
    arrives: Image


@dataclass_transform(eq_default=False)
class Term(Estimator):
    """φ: X → R^shape, before it has an algebra; abstract. See `phimaps.FeatureMap`."""

    __slots__ = ()
    # The fields that are weights, with their numbers of dimensions.
    arrays: ClassVar[dict[str, int]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own_signature = "__init__" in vars(cls)
        dataclass(eq=False, repr=False)(cls)
        if not own_signature:
            free = {f.name: "no_validation" for f in fields(cls)}
            cls._parameter_constraints = free | cls._parameter_constraints

    # --- what an author writes ---------------------------------------------------------------
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """φ(x) for a tensor of shape (n, *shape), differentiable; a closed map overrides this."""
        raise UnboundError(
            f"This {type(self).__name__} instance is not fitted yet: it has no weights.",
            got=f"{self!r}",
            need="a map that is bound to data",
            do="phi.fit(X).transform(X), or phi.bind(X)(x)",
        )

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        """Write φ(x) into `out`, of shape (n, *out_shape), as `forward` has it up to rounding.

        A map overrides this where it can do without intermediate results. It is called with
        gradients switched off; `out` has the dtype and device of x, shares no memory with it, and
        may be a slice of the columns of a wider tensor.
        """
        out.copy_(self.forward(x))

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        """How many rows of this shape and size of number `write` is fastest on, on a CPU.

        None: as many as fit a cache together with their features.
        """
        return None

    def close(self, x: torch.Tensor, given: Given) -> Any:
        """The closed map that this open one denotes on the data; an open map overrides this."""
        return self

    def facts(self, on: Space) -> Iterator[Fact]:
        """Yield (claim, reason) for what is known on the space `on`; see `phimaps.property`."""
        yield from ()

    def image(self, on: Space) -> Image:
        """An enclosure of φ(on), and a part of it that is certainly reached if one is known."""
        return Image(Euclidean(self.out_shape(on.shape)))

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of φ(x) for x of the given shape."""
        if self.gives is not None:
            return self.gives
        if self.keeps_shape:
            return shape
        if not self.closed:
            raise UnboundError(
                f"The output shape of {type(self).__name__} is not known before it sees data.",
                got=f"{self!r}",
                need="a map that is bound to data",
                do="phi.bind(X), and ask about the result",
            )
        with torch.no_grad():
            return tuple(self.forward(torch.zeros((1, *shape), dtype=torch.float64)).shape[1:])

    def known_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """`out_shape` where it is known without evaluating φ, else None."""
        return shape if self.gives is None and self.keeps_shape else self.gives

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        """Names of the flattened output, given those of the flattened input and its shape."""
        return [f"{label}{i}" for i in range(int(np.prod(self.out_shape(shape))))]

    def rounds(self, on: Space) -> bool:
        """Whether computing φ at floating-point numbers of `on` may round, in any precision."""
        return True

    @property
    def takes(self) -> tuple[int, ...] | None:
        """The input shape, where the map fixes it."""
        return None

    @property
    def gives(self) -> tuple[int, ...] | None:
        """The output shape, where the map fixes it whatever the input."""
        return None

    @property
    def domain(self) -> Space | None:
        """The space on which questions are asked when none is given."""
        return Euclidean(self.takes) if self.takes is not None else None

    @property
    def keeps_shape(self) -> bool:
        """Whether φ(x) has the shape of x, whatever it is."""
        return False

    def undefined(self, on: Space) -> str | None:
        """Which part of `on`, if any, certainly lies outside the map's natural domain."""
        return None

    def spans(self, d: int) -> Any:
        """The kernel whose functions those of maps of this kind come near to, as they grow.

        On each compact set of points with d coordinates the closure of the union of {a·φ_n} over
        all numbers of features n is that of the functions of the kernel; with probability 1 where
        φ_n is drawn. None where no such kernel is known.
        """
        return None

    def upgrades(self, on: Space) -> Iterator[Fact]:
        """Yield (claim, reason) for what is known of the affine functions of all maps of this kind.

        The claims are ``Universal`` and its contrary, about the union of {a·φ + b} on the space
        `on`, over the maps φ of this kind with any number of units and any arrays. What training
        finds among them is not claimed. The reason is a proof.
        """
        yield from ()

    @property
    def codomain(self) -> Codomain | None:
        """Y, where φ: R^n → Y is known as a readout, with the way back to R^n; else None."""
        return None

    @classmethod
    def example(cls) -> Any:
        """A small instance that takes rows of any length; the generic tests use it."""
        return cls()

    # --- derived -----------------------------------------------------------------------------
    @property
    def closed(self) -> bool:
        """Whether all data are there, so that the map can be evaluated."""
        return type(self).forward is not Term.forward

    def parts(self, on: Space) -> list[Part]:
        """The maps inside, with the sets that reach them."""
        return []

    def forward_sparse(self, x: Any) -> Any:
        """φ on the rows of a scipy CSR array, without gradients.

        Returns
        -------
        Tensor, or a CSR array from a map that keeps zeros
        """
        return torch.cat([self.forward(piece) for piece in dense_pieces(x)])

    def weights(self, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The fields named in `arrays`, as tensors of the dtype and device of `like`.

        What they hold at the first use counts from then on; only tensors that require a gradient
        are read anew each time.
        """
        cache = self._cache
        try:
            return cache[like.dtype, like.device]
        except KeyError:
            pass
        result = tuple(self._weight(name).to(like) for name in self.arrays)
        if not any(w.requires_grad for w in result):
            cache[like.dtype, like.device] = result
        return result

    def _weight(self, name: str) -> torch.Tensor:
        cache = self._cache
        if ("weight", name) in cache:
            return cache["weight", name]
        value = getattr(self, name)
        if isinstance(value, torch.Tensor) and value.requires_grad:
            return self._checked_weight(name, value)
        tensor = self._checked_weight(name, value)
        cache["weight", name] = tensor.clone() if tensor is value else tensor
        return cache["weight", name]

    def _checked_weight(self, name: str, value: Any) -> torch.Tensor:
        tensor = value.tensor if isinstance(value, Drawn) else value
        if not isinstance(tensor, torch.Tensor):
            try:
                if np.iscomplexobj(value):
                    raise TypeError
                # A copy: arrays that change later must not change the map.
                tensor = torch.from_numpy(np.array(value, dtype=np.float64))
            except (TypeError, ValueError):
                tensor = torch.full((), torch.nan)
        elif not tensor.is_floating_point() and not tensor.is_complex():
            tensor = tensor.to(torch.float64)
        ndim = self.arrays[name]
        finite = tensor.is_floating_point() and bool(tensor.isfinite().all())
        if tensor.ndim != ndim or not tensor.numel() or not finite:
            odd = (
                ", not all finite"
                if tensor.is_floating_point() and tensor.ndim and not finite
                else ""
            )
            raise ParameterError(
                f"The '{name}' parameter of {type(self).__name__} cannot be used: "
                f"it is {show(value)}{odd}.",
                got=f"{name}={show(value)}{odd}",
                need=f"finite real numbers in {ndim} dimension{'s' * (ndim != 1)}, at least one",
                do=f"{type(self).__name__}({name}=...) with such an array",
            )
        return tensor

    @property
    def memo(self) -> dict[Any, Any]:
        """Where to keep what follows from the arrays; a new one while one of them is trained."""
        held = (getattr(self, name) for name in self.arrays)
        live = any(isinstance(v, torch.Tensor) and v.requires_grad for v in held)
        return {} if live else self._cache

    def array(self, name: str) -> np.ndarray:
        """A field named in `arrays` as a read-only float64 array."""
        cache = self._cache
        if ("array", name) in cache:
            return cache["array", name]
        weight = self._weight(name)
        value = weight.detach().cpu().numpy().astype(np.float64, copy=False).view()
        value.setflags(write=False)
        if not weight.requires_grad:
            cache["array", name] = value
        return value

    def check_parameters(self) -> None:
        super().check_parameters()
        for name in self.arrays:
            known, value = self.array(name), getattr(self, name)
            live = isinstance(value, torch.Tensor) and value.requires_grad
            if value is None or live or isinstance(value, Drawn):
                continue
            if np.array_equal(known, _numbers(value)):
                continue
            raise ParameterError(
                f"The array given as '{name}' of {type(self).__name__} has changed since the map "
                "was first used.",
                got=f"{name}={show(value)} with other numbers than then",
                need="the numbers of the first use, by which the map still computes",
                do=f"set_params({name}=...) to change the map, or give it a copy of the array",
            )

    def to(self, device: Any) -> Any:
        """The closed (or fitted) map with its arrays as tensors on the device, or of the dtype."""
        return self._fitted().rebuild(lambda path, t: t.detach().to(device))

    def rebuild(self, change: Callable[[str, torch.Tensor], torch.Tensor], path: str = "") -> Any:
        """A copy in which `change` has replaced every tensor; paths name parts and fields."""
        twin = self._shallow_copy()
        for name in self.arrays:
            setattr(twin, name, change(path + name, self._weight(name)))
        for name, value in self.get_params(deep=False).items():
            if isinstance(value, Term):
                setattr(twin, name, value.rebuild(change, f"{path}{name}."))
        return twin

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(_arguments(self))})"

    def repr_in(self, *tighter: type) -> str:
        """The notation, in brackets if the map is of one of these kinds."""
        return f"({self!r})" if isinstance(self, tighter) else repr(self)


def _numbers(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return np.asarray(value, dtype=np.float64)


def _arguments(owner: Any) -> Iterator[str]:
    for f in fields(owner):
        value = getattr(owner, f.name)
        default = f.default_factory() if f.default_factory is not MISSING else f.default
        if default is MISSING or show(value) != show(default):
            yield f"{f.name}={show(value)}"
