"""Kernels around another kernel: multiples, powers, and kernels of features."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
import scipy.sparse
import torch

from ..errors import ParameterError, show
from ..map import FeatureMap, Given, Part, as_map, combinators
from ..rows import carry, dense
from ..spaces import Image, Space
from .base import Kernel
from .dot import Linear
from .joint import cauchy_product, joined_laws, joined_series
from .scale import check_number
from .spectral import Spectral

__all__ = ["Around", "Power", "Pullback", "Scaled"]


class Around(Kernel):
    """A kernel made of another on the same space; abstract."""

    __slots__ = ()
    if TYPE_CHECKING:
        # Fields stand in the final classes, in the order of their constructors.
        kernel: Kernel

    def check_parameters(self) -> None:
        super().check_parameters()
        check_kernel(self)

    @property
    def closed(self) -> bool:
        return self.kernel.closed

    def close(self, x: Any) -> Kernel:
        return self.closed_on(x)

    def closed_on(self, x: Any, names: Sequence[str] | None = None) -> Kernel:
        return self.with_parameters(kernel=self.kernel.closed_on(x, names))

    @property
    def positive(self) -> bool:  # type: ignore[override]
        return bool(self.kernel.positive)

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        return bool(self.kernel.sparse)

    @property
    def takes(self) -> Any:  # type: ignore[override]
        return self.kernel.takes

    @property
    def domain(self) -> Any:  # type: ignore[override]
        return self.kernel.domain

    def reads(self, names: Sequence[str]) -> frozenset[str] | None:
        return self.kernel.reads(names)

    def ahead(self, x: Any) -> tuple[Kernel, Any]:
        kernel, rows = self.kernel.ahead(x)
        return (self, x) if kernel is self.kernel else (self.with_parameters(kernel=kernel), rows)

    def parts(self, on: Space) -> list[Part]:
        return [Part(self.kernel, Image(on, on))]  # type: ignore[arg-type]

    def undefined(self, on: Space) -> str | None:
        return self.kernel.undefined(on)


@final
class Scaled(Around):
    """k(x, y) = c k_1(x, y), c > 0; written ``c * k_1``.

    Parameters
    ----------
    factor : float
        c, positive.
    kernel : Kernel

    Examples
    --------
    >>> (2 * Linear())([[1.0]], [[3.0]])
    array([[6.]])
    """

    factor: float
    kernel: Kernel

    binds: ClassVar[int] = 1

    def check_parameters(self) -> None:
        check_number(self, "factor")
        super().check_parameters()

    def between(self, x: Any, y: Any) -> torch.Tensor:
        return float(self.factor) * self.kernel.between(x, y)

    def diagonal(self, x: Any) -> torch.Tensor:
        return float(self.factor) * self.kernel.diagonal(x)

    def series(self, n: int) -> np.ndarray | None:
        inner = self.kernel.series(n)
        return None if inner is None else float(self.factor) * inner

    @classmethod
    def example(cls) -> Scaled:
        return cls(2.0, Linear())

    def __repr__(self) -> str:
        return f"{show(self.factor)} * {self.kernel.repr_in(2)}"


@final
class Power(Around):
    """k(x, y) = k_1(x, y)^p for a whole p; written ``k_1 ** p``.

    Parameters
    ----------
    kernel : Kernel
    exponent : int
        p, at least 1. Other powers of a kernel need not be positive definite.

    Examples
    --------
    >>> (Linear() ** 2)([[2.0]], [[3.0]])
    array([[36.]])
    """

    kernel: Kernel
    exponent: int

    binds: ClassVar[int] = 2

    def check_parameters(self) -> None:
        super().check_parameters()
        whole = isinstance(self.exponent, Integral) and not isinstance(self.exponent, bool)
        if not whole or self.exponent < 1:
            raise ParameterError(
                f"The 'exponent' parameter of Power must be an int >= 1. Got "
                f"{show(self.exponent)} instead.",
                got=f"exponent={show(self.exponent)}",
                need="an int >= 1: other powers of a kernel need not be positive definite",
                do="kernel ** 2",
            )

    def between(self, x: Any, y: Any) -> torch.Tensor:
        return self.kernel.between(x, y) ** int(self.exponent)

    def diagonal(self, x: Any) -> torch.Tensor:
        return self.kernel.diagonal(x) ** int(self.exponent)

    def spectral(self) -> tuple[Spectral, ...] | None:
        return joined_laws((self.kernel,) * int(self.exponent))

    def series(self, n: int) -> np.ndarray | None:
        return joined_series(cauchy_product, [self.kernel.series(n)] * int(self.exponent))

    @classmethod
    def example(cls) -> Power:
        return cls(Linear(), 2)

    def __repr__(self) -> str:
        return f"{self.kernel.repr_in(3)} ** {show(self.exponent)}"


@final
class Pullback(Kernel):
    """k(x, y) = k_1(φ(x), φ(y)), a kernel of features; written ``k_1 @ φ``.

    ``phi.kernel`` is the pull-back of the inner product, φ(x)·φ(y).

    Parameters
    ----------
    kernel : Kernel
    map : FeatureMap

    Examples
    --------
    >>> import phimaps as pm
    >>> pm.Abs().kernel([[-2.0]], [[3.0]])
    array([[6.]])
    """

    kernel: Kernel
    map: FeatureMap

    binds: ClassVar[int] = 1

    def check_parameters(self) -> None:
        super().check_parameters()
        check_kernel(self)
        if not isinstance(self.map, FeatureMap):
            raise ParameterError(
                f"The 'map' parameter of Pullback must be a feature map. Got {show(self.map)} "
                "instead.",
                got=f"map={show(self.map)}",
                need="a feature map",
                do="kernel @ phi, which wraps transformers, modules and functions",
            )
        self.map.check_parameters()

    @property
    def closed(self) -> bool:
        return self.kernel.closed and self.map.closed

    def close(self, x: Any) -> Kernel:
        return self.closed_on(x)

    def closed_on(self, x: Any, names: Sequence[str] | None = None) -> Kernel:
        known = tuple(names or (f"x{i}" for i in range(int(np.prod(x.shape[1:])))))
        phi = self.map.bound(x, Given(known))
        kernel = self.kernel if self.kernel.closed else self.kernel.close(carry(phi, x))
        return self.with_parameters(kernel=kernel, map=phi)

    def features_of(self, x: Any) -> Any:
        """φ of the rows, sparse only where both φ and the kernel keep it so."""
        if not scipy.sparse.issparse(x):
            return self.map.forward(x)
        value = self.map.forward_sparse(x)
        return value if self.kernel.sparse else dense(value)

    def ahead(self, x: Any) -> tuple[Kernel, Any]:
        features = carry(self.map, x)
        return self.kernel.ahead(features if self.kernel.sparse else dense(features))

    def between(self, x: Any, y: Any) -> torch.Tensor:
        return self.kernel.between(self.features_of(x), self.features_of(y))

    def diagonal(self, x: Any) -> torch.Tensor:
        return self.kernel.diagonal(self.features_of(x))

    @property
    def positive(self) -> bool:  # type: ignore[override]
        return self.map.positive

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        return self.map.sparse

    @property
    def takes(self) -> Any:  # type: ignore[override]
        return self.map.takes

    @property
    def domain(self) -> Any:  # type: ignore[override]
        return self.map.domain

    def reads(self, names: Sequence[str]) -> frozenset[str] | None:
        return self.map.reads(names)

    def parts(self, on: Space) -> list[Part]:
        image = self.map.image(on)
        return [Part(self.map, Image(on, on)), Part(self.kernel, image)]  # type: ignore[arg-type]

    def undefined(self, on: Space) -> str | None:
        own = self.map.undefined(on)
        inner = None if own is not None else self.map.image(on).inner
        return own if inner is None else self.kernel.undefined(inner)

    @classmethod
    def example(cls) -> Pullback:
        identity = as_map(torch.negative)
        assert identity is not None
        return cls(Linear(), identity)

    def __repr__(self) -> str:
        kinds = tuple(combinators[s] for s in ("*", "scale", "+", "&"))
        return f"{self.kernel.repr_in(2)} @ {self.map.repr_in(*kinds)}"


def check_kernel(owner: Any) -> None:
    """Raise ParameterError unless the field `kernel` holds a kernel, with good parameters."""
    if not isinstance(owner.kernel, Kernel):
        raise ParameterError(
            f"The 'kernel' parameter of {type(owner).__name__} must be a kernel. Got "
            f"{show(owner.kernel)} instead.",
            got=f"kernel={show(owner.kernel)}",
            need="a kernel of phimaps",
            do=f"kernel=pm.kernels.as_kernel({show(owner.kernel)})",
        )
    owner.kernel.check_parameters()
