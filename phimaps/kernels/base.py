"""Kernels k: X × X → R: the base class, what an author writes, and what follows from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self, dataclass_transform

import torch

from ..map import Part
from ..map.term import Fact
from ..parameters import Parametric
from ..spaces import Space

__all__ = ["Kernel", "joined"]

# What operators and methods build; the modules that define it enter it, so that imports point down.
joined: dict[str, Callable[..., Any]] = {}


@dataclass_transform(eq_default=False)
class Kernel(Parametric, ABC):
    """k: X × X → R, a positive definite kernel; abstract.

    Subclasses are dataclasses without further decoration: annotated fields are the parameters. A
    kernel is *closed* when all of them are numbers, and *open* while one of them waits for data, as
    ``gamma="scale"`` does; `bind` returns the closed kernel.
    """

    __slots__ = ()
    # Whether it is defined for non-negative data only.
    positive: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own_signature = "__init__" in vars(cls)
        dataclass(eq=False, repr=False)(cls)
        if not own_signature:
            free = {f.name: "no_validation" for f in fields(cls)}
            cls._parameter_constraints = free | cls._parameter_constraints

    # --- what an author writes ---------------------------------------------------------------
    @abstractmethod
    def between(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """k(x_i, y_j) of shape (n, m) for rows x of shape (n, d) and y of shape (m, d)."""

    def diagonal(self, x: torch.Tensor) -> torch.Tensor:
        """k(x_i, x_i) of shape (n,)."""
        pieces = [self.between(row, row)[0] for row in x.split(1)]
        return torch.cat(pieces) if pieces else x.new_empty(0)

    def close(self, x: Any) -> Kernel:
        """The closed kernel on validated rows, a tensor or a sparse array; an open one overrides."""
        return self

    def facts(self, on: Space) -> Iterator[Fact]:
        """Yield (claim, reason) for what is known on the space `on`."""
        yield from ()

    @property
    def closed(self) -> bool:
        """Whether every parameter is a number."""
        return True

    @classmethod
    def example(cls) -> Any:
        """A small closed instance that takes rows of any length; the generic tests use it."""
        return cls()

    # --- what `decide` asks of every subject -------------------------------------------------
    takes: ClassVar[Any] = None
    domain: ClassVar[Any] = None

    def parts(self, on: Space) -> list[Part]:
        """The kernels and maps inside, with the sets that reach them."""
        return []

    def undefined(self, on: Space) -> str | None:
        """Which part of `on`, if any, certainly lies outside the kernel's domain."""
        return None

    # --- derived -----------------------------------------------------------------------------
    def bind(self, X: Any) -> Self:
        """The closed kernel that this one denotes on the data; nothing is changed."""
        return joined["bind"](self, X)

    def __call__(self, X: Any, Y: Any = None) -> Any:
        """The matrix k(x_i, y_j); Y defaults to X. Tensors in, tensor out with gradients."""
        return joined["gram"](self, X, Y)

    def features(
        self, n_components: int | None = None, method: str = "auto", **options: Any
    ) -> Any:
        """A feature map whose inner products are, or estimate, this kernel."""
        return joined["features"](self, n_components, method, **options)

    def __add__(self, other: Any) -> Kernel:
        return joined["+"](self, other)

    def __radd__(self, other: Any) -> Kernel:
        return joined["+"](other, self)

    def __mul__(self, other: Any) -> Kernel:
        return joined["*"](self, other)

    def __rmul__(self, other: Any) -> Kernel:
        return joined["*"](other, self)

    def __pow__(self, exponent: Any) -> Kernel:
        return joined["**"](self, exponent)

    def __matmul__(self, phi: Any) -> Kernel:
        return joined["@"](self, phi)

    __array_ufunc__ = None
