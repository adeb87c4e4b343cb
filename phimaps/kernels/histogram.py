"""Kernels of non-negative numbers, such as counts: a term for each coordinate."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, final

import numpy as np
import torch

from ..errors import DomainError
from ..map.term import Fact
from ..property import Characteristic, Continuous, PositiveDefinite, Universal
from ..spaces import Space
from .base import Kernel
from .geometry import flat
from .known import additive, at_zero, positive_off_zero
from .scale import check_number, ones

__all__ = ["AdditiveChi2", "Chi2", "Histogram", "Intersection", "SkewedChi2"]


# Numbers that are worked on at a time, in the fast part of a processor's cache.
PIECE = 2**18
# Added to x + y, it makes 0/0 be 0 and changes no other number that is not as small.
TINY = {kind: torch.finfo(kind).tiny for kind in (torch.float32, torch.float64)}


class Histogram(Kernel):
    """A kernel that adds a term for each coordinate of non-negative numbers; abstract."""

    __slots__ = ()
    positive: ClassVar[Any] = True

    @abstractmethod
    def term(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The term of one coordinate, of shape (n, m), for x of shape (n, 1) and y of (m,)."""

    @abstractmethod
    def add_term(self, total: Any, x: Any, y: Any, work: tuple[Any, Any]) -> None:
        """Add `term` to a total of shape (n, m), with two more of its shape to work in."""

    def added(self, x: Any, y: Any) -> torch.Tensor:
        """The sum of the terms, by coordinates, so that no array of (n, m, d) is made."""
        x, y = self._checked(flat(x)), self._checked(flat(y))
        if not (torch.is_grad_enabled() and (x.requires_grad or y.requires_grad)):
            return self._in_place(x, y)
        total = self.term(x[:, :1], y[:, 0])
        for j in range(1, x.shape[1]):
            total = total + self.term(x[:, j : j + 1], y[:, j])
        return total

    def _in_place(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        total = x.new_zeros((len(x), len(y)))
        columns = y.T.contiguous()
        step = max(1, PIECE // max(1, len(y)))
        work = torch.empty_like(total[:step]), torch.empty_like(total[:step])
        for start in range(0, len(x), step):
            rows = x[start : start + step]
            piece = total[start : start + step]
            rest = work[0][: len(rows)], work[1][: len(rows)]
            for j in range(x.shape[1]):
                self.add_term(piece, rows[:, j : j + 1], columns[j], rest)
        return total

    def between(self, x: Any, y: Any) -> torch.Tensor:
        return self.added(x, y)

    def _checked(self, x: torch.Tensor) -> torch.Tensor:
        bad = x < 0
        if not bool(bad.any()):
            return x
        row, i = (int(k) for k in bad.nonzero()[0])
        raise DomainError(
            f"The {type(self).__name__} kernel is not defined at {float(x[row, i]):g}.",
            got=f"x = {float(x[row, i]):g} in row {row}, coordinate {i}",
            need="x >= 0",
            do="drop the row, or shift the data",
        )

    def undefined(self, on: Space) -> str | None:
        low, high = (b.ravel() for b in on.bounds())
        if not (low < 0).any():
            return None
        i = int(np.flatnonzero(low < 0)[0])
        name = type(self).__name__
        return f"coordinate {i} ranges over [{low[i]:g}, {high[i]:g}], {name} needs x >= 0"


@final
class AdditiveChi2(Histogram):
    """k(x, y) = Σ_j 2 x_j y_j / (x_j + y_j) for x, y >= 0, the additive χ² kernel.

    A coordinate where both are 0 adds 0. It is positive definite. scikit-learn's
    ``additive_chi2_kernel`` is -Σ_j (x_j - y_j)² / (x_j + y_j), which is not (its diagonal is 0);
    twice this kernel is that one plus Σ_j (x_j + y_j), as 4xy = (x + y)² - (x - y)².

    References
    ----------
    Vedaldi and Zisserman (2012), Efficient additive kernels via explicit feature maps, Table 1.

    Examples
    --------
    >>> AdditiveChi2()([[1.0, 2.0]], [[3.0, 0.0]])
    array([[1.5]])
    """

    def term(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        total = x + y
        return x / torch.where(total > 0, total, 1.0) * (2.0 * y)

    def add_term(self, total: Any, x: Any, y: Any, work: tuple[Any, Any]) -> None:
        torch.add(x, y + TINY[y.dtype], out=work[0])
        torch.mul(x, y, out=work[1])
        total.addcdiv_(*reversed(work), value=2.0)

    def diagonal(self, x: Any) -> torch.Tensor:
        return self._checked(flat(x)).sum(1)

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.undefined(on) is not None:
            return
        yield PositiveDefinite, "2xy/(x + y) = ∫ 2 x e^{-xt} y e^{-yt} dt over t > 0"
        yield Continuous, "2xy/(x + y) tends to 0 as x or y does"
        yield from at_zero(on)
        yield from additive(on)
        yield from positive_off_zero(
            on,
            "∫∫ k dν dν = 2 ∫ (∫ x e^{-xt} dν(x))² dt = 0: the Laplace transform of xν is 0, so ν "
            "is 0 on x > 0",
        )


@final
class Chi2(Histogram):
    """k(x, y) = exp(-γ Σ_j (x_j - y_j)² / (x_j + y_j)) for x, y >= 0, the exponential χ² kernel.

    Parameters
    ----------
    gamma : float, default 1.0
        γ, positive.

    References
    ----------
    Zhang, Marszalek, Lazebnik and Schmid (2007), Local features and kernels for classification of
    texture and object categories.

    Examples
    --------
    >>> Chi2()([[1.0, 2.0]], [[3.0, 2.0]]).round(4)
    array([[0.3679]])
    """

    gamma: float = 1.0

    def check_parameters(self) -> None:
        super().check_parameters()
        check_number(self, "gamma")

    def term(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        total, gap = x + y, x - y
        return gap / torch.where(total > 0, total, 1.0) * gap

    def add_term(self, total: Any, x: Any, y: Any, work: tuple[Any, Any]) -> None:
        torch.add(x, y + TINY[y.dtype], out=work[0])
        torch.sub(x, y, out=work[1]).square_()
        total.addcdiv_(*reversed(work))

    def between(self, x: Any, y: Any) -> torch.Tensor:
        return torch.exp(-float(self.gamma) * self.added(x, y))

    def diagonal(self, x: Any) -> torch.Tensor:
        return ones(self._checked(flat(x)))

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.undefined(on) is not None:
            return
        text = "w(x) w(y) Π_j exp(2γ a(x_j, y_j)), w(x) = exp(-γ Σ x_j), a(x, y) = 2xy/(x + y)"
        yield PositiveDefinite, text
        yield Continuous, text
        yield (
            Universal,
            f"{text}; a sees every measure on x > 0 of one coordinate, the constant in the series "
            "of exp(2γ a) the mass at 0; products of functions of one coordinate each are dense",
        )


@final
class Intersection(Histogram):
    """k(x, y) = Σ_j min(x_j, y_j) for x, y >= 0, the histogram intersection kernel.

    References
    ----------
    Odone, Barla and Verri (2005), Building kernels from binary strings for image matching.

    Examples
    --------
    >>> Intersection()([[1.0, 2.0]], [[3.0, 0.5]])
    array([[1.5]])
    """

    def term(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.minimum(x, y)

    def add_term(self, total: Any, x: Any, y: Any, work: tuple[Any, Any]) -> None:
        total.add_(torch.minimum(x, y, out=work[0]))

    def diagonal(self, x: Any) -> torch.Tensor:
        return self._checked(flat(x)).sum(1)

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.undefined(on) is not None:
            return
        yield PositiveDefinite, "min(x, y) = ∫ 1[t < x] 1[t < y] dt over t > 0"
        yield Continuous, "min is"
        yield from at_zero(on)
        yield from additive(on)
        yield from positive_off_zero(
            on, "∫∫ min dν dν = ∫ ν((t, ∞))² dt = 0 makes ν vanish on x > 0"
        )


@final
class SkewedChi2(Kernel):
    """k(x, y) = ∏_j 2 √((x_j + c)(y_j + c)) / (x_j + y_j + 2c) for x, y > -c, the skewed χ² kernel.

    Parameters
    ----------
    skewedness : float, default 1.0
        c.

    References
    ----------
    Li, Ionescu and Sminchisescu (2010), Random Fourier approximations for skewed multiplicative
    histogram kernels.

    Examples
    --------
    >>> SkewedChi2()([[0.0]], [[0.0], [3.0]])
    array([[1. , 0.8]])
    """

    skewedness: float = 1.0

    def between(self, x: Any, y: Any) -> torch.Tensor:
        x, y = self._shifted(flat(x)), self._shifted(flat(y))
        result = torch.ones((), dtype=x.dtype, device=x.device)
        for j in range(x.shape[1]):
            u, v = x[:, j : j + 1], y[:, j]
            result = result * (2.0 * (u.sqrt() * v.sqrt()) / (u + v))
        return result

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.undefined(on) is not None:
            return
        text = (
            "Π_j 1 / cosh(s_j/2) of the differences s of log(x + c), whose frequencies have a "
            "positive density; log is continuous and injective"
        )
        yield PositiveDefinite, text
        yield Continuous, text
        yield Universal, text
        yield Characteristic, text

    def diagonal(self, x: Any) -> torch.Tensor:
        return ones(self._shifted(flat(x)))

    def _shifted(self, x: torch.Tensor) -> torch.Tensor:
        c = float(self.skewedness)
        bad = x <= -c
        if not bool(bad.any()):
            return x + c
        row, i = (int(k) for k in bad.nonzero()[0])
        raise DomainError(
            f"The SkewedChi2 kernel is not defined at {float(x[row, i]):g}.",
            got=f"x = {float(x[row, i]):g} in row {row}, coordinate {i}, skewedness={c:g}",
            need="x > -skewedness",
            do="a greater skewedness, or shift the data",
        )

    def undefined(self, on: Space) -> str | None:
        low, high = (b.ravel() for b in on.bounds())
        c = float(self.skewedness)
        if not (low < -c).any():
            return None
        i = int(np.flatnonzero(low < -c)[0])
        return f"coordinate {i} ranges over [{low[i]:g}, {high[i]:g}], SkewedChi2 needs x > {-c:g}"

    @classmethod
    def example(cls) -> Any:
        return cls(skewedness=20.0)
