"""Sums and products of kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, ClassVar, final

import numpy as np
import torch

from ..errors import ParameterError, show
from ..map import Part
from ..parameters import Numbered
from ..spaces import Image, Space
from .base import Kernel
from .dot import Constant, Linear
from .spectral import Spectral

__all__ = ["Joint", "Product", "Sum", "cauchy_product", "joined_laws", "joined_series"]


class Joint(Numbered, Kernel):
    """A kernel made of an ordered tuple of kernels; abstract.

    Its parameters are reached as in ``make_pipeline``: ``rbf__gamma``, repeated types numbered
    ``rbf-1``, ``rbf-2``.
    """

    __slots__ = ()
    kernels: tuple[Kernel, ...]
    held: ClassVar[str] = "kernels"

    def check_parameters(self) -> None:
        super().check_parameters()
        held = self.kernels if isinstance(self.kernels, tuple | list) else ()
        if not held or not all(isinstance(k, Kernel) for k in held):
            raise ParameterError(
                f"The 'kernels' parameter of {type(self).__name__} must hold kernels. Got "
                f"{show(self.kernels)} instead.",
                got=f"kernels={show(self.kernels)}",
                need="a tuple of at least one kernel, and nothing but kernels",
                do=f"{type(self).__name__}((pm.kernels.RBF(), pm.kernels.Linear()))",
            )
        for part in held:
            part.check_parameters()

    @property
    def closed(self) -> bool:
        return all(k.closed for k in self.kernels)

    def close(self, x: Any) -> Kernel:
        return self.closed_on(x)

    def closed_on(self, x: Any, names: Sequence[str] | None = None) -> Kernel:
        return self.with_parameters(kernels=tuple(k.closed_on(x, names) for k in self.kernels))

    @property
    def positive(self) -> bool:  # type: ignore[override]
        return any(k.positive for k in self.kernels)

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        return all(k.sparse for k in self.kernels)

    @property
    def takes(self) -> Any:  # type: ignore[override]
        return next((k.takes for k in self.kernels if k.takes is not None), None)

    @property
    def domain(self) -> Any:  # type: ignore[override]
        return next((k.domain for k in self.kernels if k.domain is not None), None)

    def reads(self, names: Sequence[str]) -> frozenset[str] | None:
        read = [k.reads(names) for k in self.kernels]
        return None if None in read else frozenset().union(*[r for r in read if r is not None])

    def parts(self, on: Space) -> list[Part]:
        return [Part(k, Image(on, on)) for k in self.kernels]  # type: ignore[arg-type]

    def undefined(self, on: Space) -> str | None:
        return next((t for k in self.kernels if (t := k.undefined(on)) is not None), None)


@final
class Sum(Joint):
    """k(x, y) = k_1(x, y) + ... + k_n(x, y); written ``k_1 + ... + k_n``.

    Parameters
    ----------
    kernels : tuple of Kernel

    Examples
    --------
    >>> from phimaps.kernels import RBF
    >>> RBF(gamma=1.0) + 2 * Linear()
    RBF(gamma=1.0) + 2.0 * Linear()
    """

    kernels: tuple[Kernel, ...]

    binds: ClassVar[int] = 0

    def between(self, x: Any, y: Any) -> torch.Tensor:
        return _folded(torch.add, (k.between(x, y) for k in self.kernels))

    def diagonal(self, x: Any) -> torch.Tensor:
        return _folded(torch.add, (k.diagonal(x) for k in self.kernels))

    def series(self, n: int) -> np.ndarray | None:
        return joined_series(np.add, [k.series(n) for k in self.kernels])

    @classmethod
    def example(cls) -> Sum:
        return cls((Linear(), Constant(0.5)))

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.kernels))


@final
class Product(Joint):
    """k(x, y) = k_1(x, y) ... k_n(x, y); written ``k_1 * ... * k_n``.

    Parameters
    ----------
    kernels : tuple of Kernel

    References
    ----------
    Schur (1911), Bemerkungen zur Theorie der beschränkten Bilinearformen, Satz VII: it is positive
    definite.

    Examples
    --------
    >>> from phimaps.kernels import RBF
    >>> RBF(gamma=1.0) * Linear()
    RBF(gamma=1.0) * Linear()
    """

    kernels: tuple[Kernel, ...]

    binds: ClassVar[int] = 1

    def between(self, x: Any, y: Any) -> torch.Tensor:
        return _folded(torch.mul, (k.between(x, y) for k in self.kernels))

    def diagonal(self, x: Any) -> torch.Tensor:
        return _folded(torch.mul, (k.diagonal(x) for k in self.kernels))

    def spectral(self) -> tuple[Spectral, ...] | None:
        return joined_laws(self.kernels)

    def series(self, n: int) -> np.ndarray | None:
        return joined_series(cauchy_product, [k.series(n) for k in self.kernels])

    @classmethod
    def example(cls) -> Product:
        return cls((Linear(), Linear()))

    def __repr__(self) -> str:
        first, *others = self.kernels
        # Only as the first factor a multiple or a pull-back needs no brackets.
        return " * ".join([first.repr_in(1), *(k.repr_in(2) for k in others)])


def _folded(join: Callable[..., torch.Tensor], values: Any) -> torch.Tensor:
    return reduce(join, values)


def joined_series(join: Callable[..., Any], series: list[np.ndarray | None]) -> np.ndarray | None:
    """The series joined, if all are known."""
    known = [s for s in series if s is not None]
    return reduce(join, known) if len(known) == len(series) else None


def cauchy_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The coefficients of the product of two power series."""
    return np.convolve(a, b)[: len(a)]


def joined_laws(kernels: Sequence[Kernel]) -> tuple[Spectral, ...] | None:
    """The laws of all factors: the characteristic function of a sum of independent draws."""
    laws: tuple[Spectral, ...] = ()
    for kernel in kernels:
        more = kernel.spectral()
        if more is None:
            return None
        laws += more
    return laws
