"""What the author of a map writes, and what follows from it.

A map is a term. Its leaves are *closed* (all their data are constructor fields: they can be
evaluated) or *open* (hyper-parameters only: they denote a closed map on given data). The author of
a closed map writes `Term.forward`, the author of an open one `Term.close`; what is known about it
goes into `Term.facts`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, dataclass_transform, final

import numpy as np
import torch

from ..errors import ParameterError, UnboundError
from ..estimator import Estimator, Given
from ..proof import Reason
from ..property import Property
from ..spaces import Euclidean, Image, Space
from ..spaces.boxes import brief

__all__ = ["Fact", "Given", "Part", "Term", "show"]

Fact = tuple[Property, "str | Reason"]


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
    arrays: ClassVar[dict[str, int]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(eq=False, repr=False)(cls)

    # --- what an author writes ---------------------------------------------------------------
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """φ(x) for a tensor of shape (n, *shape), differentiable; a closed map overrides this."""
        raise UnboundError(
            f"This {type(self).__name__} instance is not fitted yet: it has no weights.",
            got=f"{self!r}",
            need="a map that is bound to data",
            do="phi.fit(X).transform(X), or phi.bind(X)(x)",
        )

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
        if not self.closed:
            raise UnboundError(
                f"The output shape of {type(self).__name__} is not known before it sees data.",
                got=f"{self!r}",
                need="a map that is bound to data",
                do="phi.bind(X), and ask about the result",
            )
        with torch.no_grad():
            return tuple(self.forward(torch.zeros((1, *shape), dtype=torch.float64)).shape[1:])

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        """Names of the flattened output, given those of the flattened input and its shape."""
        return [f"{label}{i}" for i in range(int(np.prod(self.out_shape(shape))))]

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

    def forward_sparse(self, x: Any) -> torch.Tensor:
        """φ on the rows of a scipy CSR array, without gradients."""
        return self.forward(torch.from_numpy(x.toarray()))

    def weights(self, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The fields named in `arrays`, as tensors of the dtype and device of `like`."""
        try:
            return self._cache[like.dtype, like.device]
        except KeyError:
            pass
        result = tuple(self._weight(name).to(like) for name in self.arrays)
        if not any(w.requires_grad for w in result):
            self._cache[like.dtype, like.device] = result
        return result

    def _weight(self, name: str) -> torch.Tensor:
        value = getattr(self, name)
        if isinstance(value, torch.Tensor):
            tensor = value
        else:
            try:
                # A copy: arrays that change later must not change the map.
                tensor = torch.from_numpy(np.array(value, dtype=np.float64))
            except (TypeError, ValueError):
                tensor = torch.full((1,), torch.nan)
        ndim = self.arrays[name]
        if tensor.ndim != ndim or not tensor.is_floating_point() or not tensor.isfinite().all():
            raise ParameterError(
                f"The '{name}' parameter of {type(self).__name__} cannot be used.",
                got=f"{name}={show(value)}" + ("" if tensor.isfinite().all() else ", not finite"),
                need=f"finite real numbers in {ndim} dimension{'s' * (ndim != 1)}",
                do=f"{type(self).__name__}({name}=...) with such an array",
            )
        return tensor

    def array(self, name: str) -> np.ndarray:
        """A field named in `arrays` as a float64 array."""
        if name not in self._cache:
            value = self._weight(name).detach().cpu().numpy().astype(np.float64)
            self._cache[name] = value
        return self._cache[name]

    def check_parameters(self) -> None:
        super().check_parameters()
        for name in self.arrays:
            self.array(name)

    def to(self, device: Any) -> Any:
        """A copy of this closed map whose arrays are tensors on the device (or of the dtype)."""
        if not self.closed:
            self.forward(torch.empty(0))
        return self.rebuild(lambda path, t: t.detach().to(device))

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


def show(value: Any) -> str:
    """A short text for a parameter: arrays by dtype and shape."""
    if isinstance(value, np.ndarray | torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}[{', '.join(map(str, value.shape))}]"
    if isinstance(value, list | tuple):
        try:
            return brief(np.asarray(value, dtype=np.float64))
        except (TypeError, ValueError):
            pass
    return value.__name__ if inspect.isfunction(value) else repr(value)


def _arguments(owner: Any) -> Iterator[str]:
    for f in fields(owner):
        value = getattr(owner, f.name)
        default = f.default_factory() if f.default_factory is not MISSING else f.default
        if default is MISSING or type(value) is not type(default) or not np.all(value == default):
            yield f"{f.name}={show(value)}"
