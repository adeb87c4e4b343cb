"""The exponential of symmetric matrices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, isqrt, prod, sqrt
from typing import Any, final

import numpy as np
import torch

from ..errors import ShapeError
from ..interval import widen
from ..map import Fact, FeatureMap
from ..map.codomain import Codomain, PositiveDefinite
from ..map.items import rows_only
from ..property import (
    Bounded,
    Continuous,
    Homeomorphism,
    Injective,
    Lipschitz,
    LowerLipschitz,
    Smooth,
)
from ..spaces import Box, Image, Space

__all__ = ["SymmetricExp"]


@final
class SymmetricExp(FeatureMap):
    """x ↦ exp(A(x)), the exponential of a symmetric matrix, which is positive definite.

    A(x), of size k, has the k(k + 1)/2 entries of x in its upper triangle, row by row, those off
    the diagonal divided by √2, so that |A(x)| = |x| in the Frobenius norm. It is a homeomorphism
    of R^(k(k+1)/2) onto the positive definite matrices; its inverse is the matrix logarithm.

    Raises
    ------
    ShapeError
        When the width of the rows is not k(k + 1)/2 for a whole number k.

    Notes
    -----
    With eigenvalues of A and B at most R in size, |exp A - exp B| <= e^R |A - B|, as the difference
    is ∫ exp(sA) (A - B) exp((1 - s)B) ds over s in [0, 1]; and |log P - log Q| <= |P - Q| / m, with
    m their least eigenvalue, as that is ∫ (P + t)⁻¹ (P - Q) (Q + t)⁻¹ dt over t > 0.

    References
    ----------
    Arsigny, Fillard, Pennec and Ayache (2006), Log-Euclidean metrics for fast and simple calculus
    on diffusion tensors.

    Examples
    --------
    >>> SymmetricExp()(np.array([[0.0, 0.0, 1.0]])).round(4)
    array([[[1.    , 0.    ],
            [0.    , 2.7183]]])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows_only(self, x.shape)
        k = self._size(x.shape[1:])
        rows, columns = torch.triu_indices(k, k, device=x.device)
        off = (rows != columns).to(x.dtype)
        entries = x * (1 - off * (1 - sqrt(0.5)))
        # Where each entry of the matrix stands in the triangle; no entry is written twice.
        place = torch.zeros((k, k), dtype=torch.long, device=x.device)
        place[rows, columns] = torch.arange(len(rows), device=x.device)
        place[columns, rows] = place[rows, columns]
        power = torch.linalg.matrix_exp(entries[:, place])
        # Beyond the range 0 times infinity is met on the way.
        lost = power.isnan() & x.isfinite().all(dim=1)[:, None, None]
        power = power.masked_fill(lost, inf)
        return power / 2 + power.transpose(1, 2) / 2

    def _size(self, shape: Sequence[int]) -> int:
        n = prod(shape)
        k = (isqrt(8 * n + 1) - 1) // 2
        if len(shape) != 1 or k * (k + 1) != 2 * n:
            raise ShapeError(
                f"{n} numbers do not fill the triangle of a symmetric matrix.",
                got=f"points of shape {tuple(shape)}",
                need="k(k + 1)/2 numbers: 1, 3, 6, 10, ...",
                do="the upper triangle of the matrix, row by row",
            )
        return k

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        k = self._size(shape)
        return (k, k)

    @property
    def codomain(self) -> Codomain:
        return PositiveDefinite()

    def _ends(self, on: Space) -> tuple[float, float]:
        """Bounds of the eigenvalues of all exponentials."""
        reach = np.array([on.reach(np.zeros(on.shape))])
        with np.errstate(over="ignore"):
            return (
                float(np.maximum(widen(np.exp(-reach), False), 0.0)[0]),
                float(widen(np.exp(reach), True)[0]),
            )

    def image(self, on: Space) -> Image:
        k = self._size(on.shape)
        least, most = self._ends(on)
        # An entry off the diagonal is half the difference of two values u'Pu with |u| = 1.
        one = np.eye(k, dtype=bool)
        return Image(Box(np.where(one, least, -most), np.where(one, most, most)))

    def facts(self, on: Space) -> Iterator[Fact]:
        k = self._size(on.shape)
        least, most = self._ends(on)
        yield Continuous, "a power series that converges everywhere"
        yield Smooth(inf), "a power series that converges everywhere"
        yield Injective, "the logarithm is its inverse"
        yield Homeomorphism, "the logarithm of positive definite matrices is continuous"
        if most < inf:
            text = f"eigenvalues of the exponential lie in [{least:.6g}, {most:.6g}]"
            yield Bounded(float(widen(np.array([sqrt(k) * most]), True)[0])), text
            yield Lipschitz(most), f"{text}, and |exp A - exp B| <= e^R |A - B|"
            if least > 0:
                yield LowerLipschitz(least), f"{text}, and |log P - log Q| <= |P - Q| / m"

    @classmethod
    def example(cls) -> Any:
        from .projections import GaussianProjection

        return cls() @ GaussianProjection(n_components=3)
