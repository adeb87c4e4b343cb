"""Kernels k: X × X → R: the base class, what an author writes, and what follows from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Self, dataclass_transform

import numpy as np
import torch

from ..errors import UnboundError, show
from ..map import Part
from ..map.term import Fact
from ..parameters import Parametric
from ..spaces import Space
from .gram import bound, gram
from .spectral import Spectral

__all__ = ["Kernel", "joined"]

# What operators and methods build; the modules that define it enter it, so that imports point down.
joined: dict[str, Callable[..., Any]] = {}


@dataclass_transform(eq_default=False)
class Kernel(Parametric, ABC):
    """k: X × X → R, a positive definite kernel; abstract.

    Subclasses are dataclasses without further decoration: annotated fields are the parameters. A
    kernel is *closed* when all of them are numbers, and *open* while one of them waits for data, as
    ``gamma="scale"`` does; `bind` returns the closed kernel.

    Examples
    --------
    A kernel of one's own:

    >>> import torch
    >>> class Hellinger(Kernel):
    ...     positive = True
    ...     def between(self, x, y):
    ...         return x.sqrt() @ y.sqrt().T
    >>> (2 * Hellinger())([[1.0, 4.0]], [[4.0, 9.0], [0.0, 1.0]])
    array([[16.,  4.]])
    """

    __slots__ = ()
    # Arrays and NumPy scalars leave the operators to us.
    __array_ufunc__ = None
    # Whether it is defined for non-negative data only.
    positive: ClassVar[Any] = False
    # Whether `between` and `diagonal` take CSR arrays.
    sparse: ClassVar[Any] = False
    # Kernels are of numbers: bytes are read as such.
    bytes: ClassVar[Any] = False

    # How tightly the operator of the notation binds: 0 for a sum, 1, 2, and 3 without one.
    binds: ClassVar[int] = 3

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own_signature = "__init__" in vars(cls)
        dataclass(eq=False, repr=False)(cls)
        if not own_signature:
            free = {f.name: "no_validation" for f in fields(cls)}
            cls._parameter_constraints = free | cls._parameter_constraints

    # --- what an author writes ---------------------------------------------------------------
    @abstractmethod
    def between(self, x: Any, y: Any) -> torch.Tensor:
        """k(x_i, y_j) of shape (n, m) for rows x of shape (n, d) and y of shape (m, d).

        Differentiable. The rows are tensors, or CSR arrays where the kernel says that it is
        `sparse`; they are not validated.
        """

    def ahead(self, x: Any) -> tuple[Kernel, Any]:
        """A kernel and rows with the same values, once what every block would repeat is done.

        It is called without gradients.
        """
        return self, x

    def diagonal(self, x: Any) -> torch.Tensor:
        """k(x_i, x_i) of shape (n,)."""
        return torch.cat([self.between(x[i : i + 1], x[i : i + 1])[0] for i in range(x.shape[0])])

    def close(self, x: Any) -> Kernel:
        """The closed kernel on validated rows, a tensor or CSR array; an open one overrides it."""
        return self

    def closed_on(self, x: Any, names: Sequence[str] | None = None) -> Kernel:
        """The closed kernel on validated rows whose columns have these names."""
        return self if self.closed else self.close(x)

    def facts(self, on: Space) -> Iterator[Fact]:
        """Yield (claim, reason) for what is known on the space `on`."""
        yield from ()

    @property
    def closed(self) -> bool:
        """Whether every parameter is a number."""
        return True

    def spectral(self) -> tuple[Spectral, ...] | None:
        """The laws whose independent draws, added, are the frequencies; None if not stationary."""
        return None

    def series(self, n: int) -> np.ndarray | None:
        """a_0 ... a_n of k(x, y) = Σ a_k (x·y)^k, a function of the inner product; None of others.

        Parameters
        ----------
        n : int
            The greatest power.

        Returns
        -------
        ndarray of shape (n + 1,), or None
        """
        return None

    @classmethod
    def example(cls) -> Any:
        """A small closed instance that takes rows of any length; the generic tests use it."""
        return cls()

    # --- what is asked of every subject of a theorem -----------------------------------------
    takes: ClassVar[Any] = None
    domain: ClassVar[Any] = None

    def parts(self, on: Space) -> list[Part]:
        """The kernels and maps inside, with the sets that reach them."""
        return []

    def undefined(self, on: Space) -> str | None:
        """Which part of `on`, if any, certainly lies outside the kernel's domain."""
        return None

    def reads(self, names: Sequence[str]) -> frozenset[str] | None:
        """The names of the columns that count; None if all do."""
        return None

    # --- derived -----------------------------------------------------------------------------
    def bind(self, X: Any) -> Any:
        """The closed kernel that this one denotes on the data; nothing is changed.

        Parameters
        ----------
        X : array, data frame, sparse matrix or tensor of shape (n, d) or (n, *shape)

        Returns
        -------
        Kernel
            A closed kernel returns itself.
        """
        return bound(self, X)

    def __call__(self, X: Any, Y: Any = None) -> Any:
        """The matrix k(x_i, y_j).

        Parameters
        ----------
        X : array, data frame, sparse matrix or tensor of shape (n, d) or (n, *shape)
            Arrays are worked on in chunks of ``config.chunk_bytes``, on the configured device.
        Y : as X, of m rows, optional
            Defaults to X; the matrix is exactly symmetric then. An open kernel is bound on X first,
            and refuses a Y.

        Returns
        -------
        ndarray of shape (n, m), or tensor with gradients if X is one
            float32 if all rows are, else float64.
        """
        return gram(self, X, Y)

    def features(
        self,
        n_components: int | None = None,
        method: str = "auto",
        *,
        error: float | None = None,
        confidence: float = 0.95,
        on: Any = None,
        random_state: Any = 0,
        **options: Any,
    ) -> Any:
        """A feature map whose inner products are, or estimate, this kernel.

        Sums become concatenations, in which exact parts keep their width and the others share out
        the rest; multiples and pull-backs stay what they are; products of stationary kernels draw
        the sum of their frequencies, other products are tensor products, or sketches of them where
        those err less.

        Parameters
        ----------
        n_components : int, optional
            The greatest number of features. Default: the width of the rows for kernels that have
            exact features of that width, else 100; with an `error`, 16384.
        method : str, default "auto"
            "exact", "fourier", "sketch", "tensorsketch", "positive", "maclaurin", "relu", "ntk",
            "chi2", "projection" or "nystrom", where it serves the kernel; the last one serves all.
        error : float, optional
            The greatest relative error √(Σ e² / Σ k²) over all pairs of rows of `on`. The number of
            features is found by widening the map until its error is known to be no greater.
        confidence : float, default 0.95
            The probability with which that is so for the map bound to `on`. Up to 8192 rows all
            pairs are looked at, and it is so for certain.
        on : array, data frame, sparse matrix or tensor of shape (n, d), optional
            The rows, needed for an `error`.
        random_state : int, RandomState, Generator or None, default 0
            Seed of all draws; where None has an `error`, one seed is drawn and kept.
        **options
            Further parameters of the map of the method.

        Returns
        -------
        FeatureMap
            An open map.

        Examples
        --------
        >>> from phimaps.kernels import Linear, PolynomialKernel
        >>> PolynomialKernel(degree=2).features(method="exact")
        ExplicitPolynomial()
        """
        return joined["features"](
            self,
            n_components,
            method,
            error=error,
            confidence=confidence,
            on=on,
            random_state=random_state,
            **options,
        )

    def require_closed(self) -> None:
        """Raise UnboundError if a parameter waits for data."""
        if not self.closed:
            raise UnboundError(
                f"This {type(self).__name__} kernel has no numbers yet: it waits for data.",
                got=f"{self!r}",
                need="a kernel that is bound to data, or numbers for all parameters",
                do="kernel.bind(X)(X, Y)",
            )

    def __add__(self, other: Any) -> Kernel:
        return joined["+"](self, other)

    def __radd__(self, other: Any) -> Kernel:
        return joined["+"](other, self)

    def __mul__(self, other: Any) -> Kernel:
        return joined["*"](self, other)

    def __rmul__(self, other: Any) -> Kernel:
        return joined["*"](other, self)

    def __truediv__(self, number: Any) -> Kernel:
        return joined["/"](self, number)

    def __neg__(self) -> Kernel:
        return joined["*"](-1.0, self)

    def __sub__(self, other: Any) -> Kernel:
        return joined["-"](self, other)

    def __rsub__(self, other: Any) -> Kernel:
        return joined["-"](other, self)

    def __pow__(self, exponent: Any) -> Kernel:
        return joined["**"](self, exponent)

    def __matmul__(self, phi: Any) -> Kernel:
        return joined["@"](self, phi)

    def with_parameters(self, **values: Any) -> Self:
        """A copy with other values of some parameters."""
        twin = self._shallow_copy()
        twin._assign(values)
        return twin

    def __repr__(self) -> str:
        given = []
        for f in fields(self):
            value = getattr(self, f.name)
            if f.default is MISSING or show(value) != show(f.default):
                given.append(f"{f.name}={_written(value)}")
        return f"{type(self).__name__}({', '.join(given)})"

    def repr_in(self, least: int) -> str:
        """The notation, in brackets if its operator binds less tightly than `least`."""
        return f"({self!r})" if self.binds < least else repr(self)


def _written(value: Any) -> str:
    # Length scales of a few coordinates are written out, so that the notation evaluates back.
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.size <= 16:
        return show(value.tolist())
    return show(value)
