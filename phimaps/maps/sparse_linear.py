"""Linear maps whose matrix is sparse, or known by its structure."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from math import sqrt
from typing import Any, ClassVar, final

import numpy as np
import scipy.sparse
import torch
from sklearn.utils._param_validation import Interval, Real

from .. import property as prop
from ..errors import ParameterError, ShapeError, show
from ..interval import EPS
from ..map import Fact, FeatureMap
from ..proof import Reason, Strength
from ..property import DenseImage, Injective, Lipschitz, PositivelyHomogeneous, Property
from ..spaces import Space
from .hadamard import hadamard_rows, power_of_two, transform
from .linear import linear_facts

__all__ = ["SignedHadamard", "SparseLinear"]

# Up to this many entries a dense matrix multiplies at least as fast.
DENSE = 2**21
# Up to this many entries the singular values are computed, and certified.
SMALL = 2**14
# From this many coordinates on a Hadamard transform is faster than a dense matrix.
LONG = 512


class _Linear(FeatureMap):
    """x ↦ x W, with W of some structure; abstract."""

    __slots__ = ()
    as_property: ClassVar[Property] = prop.Affine

    @property
    def sparse(self) -> bool:
        return True

    @abstractmethod
    def dense(self) -> np.ndarray:
        """W as an array."""

    @abstractmethod
    def norm_bound(self) -> float:
        """An upper bound of the greatest singular value of W."""

    def _check_rows(self, shape: Any) -> None:
        (d,) = self.takes  # type: ignore[misc]
        if len(shape) != 2 or shape[1] != d:
            raise ShapeError(
                f"X has {shape[1] if len(shape) > 1 else 0} features, but {type(self).__name__} is "
                f"expecting {d} features as input.",
                got=f"shape {tuple(shape)}",
                need=f"shape (n, {d})",
                do="pass rows of that width; put Flatten() first for images",
            )

    def _matrix(self, like: torch.Tensor) -> torch.Tensor:
        key = "dense", like.dtype, like.device
        if key not in self._cache:
            self._cache[key] = torch.from_numpy(self.dense()).to(like.device, like.dtype)
        return self._cache[key]

    def facts(self, on: Space) -> Iterator[Fact]:
        (d,), (width,) = self.takes, self.gives  # type: ignore[misc]
        yield PositivelyHomogeneous, Reason("(tx) W = t (x W)", Strength.DEFINITION)
        if d * width <= SMALL:
            yield from linear_facts(self.dense(), on, memo=self._cache)
            return
        yield prop.Affine, Reason("x W with given W", Strength.DEFINITION)
        why = Reason("an upper bound of the greatest singular value", Strength.COMPUTED)
        yield Lipschitz(self.norm_bound), why
        if width < d and on.interior:
            yield ~Injective, f"a matrix from R^{d} to R^{width} has a kernel"
        if width > d:
            yield ~DenseImage, f"an affine image of R^{d} has at most {d} dimensions"


@final
class SparseLinear(_Linear):
    """x ↦ x W, with a sparse matrix W.

    Parameters
    ----------
    weight : sparse array or array-like of shape (d_in, d_out)
        Finite.

    Examples
    --------
    >>> import scipy.sparse
    >>> SparseLinear(scipy.sparse.csr_array([[0.0, 2.0], [1.0, 0.0]])).fit_transform([[3.0, 4.0]])
    array([[4., 6.]])
    """

    weight: Any

    def check_parameters(self) -> None:
        super().check_parameters()
        self._csr()

    def _csr(self) -> Any:
        """W in float64, a copy made at the first use."""
        if "csr" in self._cache:
            return self._cache["csr"]
        try:
            csr = scipy.sparse.csr_array(self.weight, dtype=np.float64, copy=True)
        except (TypeError, ValueError):
            csr = scipy.sparse.csr_array((0, 0))
        if csr.ndim != 2 or not min(csr.shape) or not np.isfinite(csr.data).all():
            raise ParameterError(
                "The 'weight' parameter of SparseLinear cannot be used: it is "
                f"{show(self.weight)}.",
                got=f"weight={show(self.weight)}",
                need="finite real numbers in 2 dimensions, at least one",
                do="SparseLinear(scipy.sparse.csr_array(...))",
            )
        csr.sum_duplicates()
        self._cache["csr"] = csr
        return csr

    @property
    def takes(self) -> tuple[int, ...] | None:
        return (self._csr().shape[0],)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (self._csr().shape[1],)

    def dense(self) -> np.ndarray:
        return self._csr().toarray()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._check_rows(x.shape)
        csr = self._csr()
        if csr.shape[0] * csr.shape[1] <= DENSE:
            return x @ self._matrix(x)
        key = "transposed", x.dtype, x.device
        if key not in self._cache:
            coo = csr.T.tocoo()
            places = torch.from_numpy(np.stack(coo.coords).astype(np.int64))
            values = torch.from_numpy(coo.data)
            made = torch.sparse_coo_tensor(places, values, coo.shape, check_invariants=True)
            self._cache[key] = made.to(x.device, x.dtype).coalesce()
        return torch.sparse.mm(self._cache[key], x.T).T

    def forward_sparse(self, x: Any) -> Any:
        self._check_rows(x.shape)
        if ("sparse", x.dtype) not in self._cache:
            self._cache["sparse", x.dtype] = self._csr().astype(x.dtype)
        return x @ self._cache["sparse", x.dtype]

    def norm_bound(self) -> float:
        size = abs(self._csr())
        sums = [float(size.sum(axis=i).max()) for i in (0, 1)]
        return sqrt(sums[0]) * sqrt(sums[1]) * (1 + (max(size.shape) + 8) * EPS)

    @classmethod
    def example(cls) -> FeatureMap:
        # Only the map that draws it takes rows of any length.
        from .projections import CountSketch

        return CountSketch(n_components=3)


@final
class SignedHadamard(_Linear):
    """x ↦ c P H (s ⊙ x), rows of a Hadamard transform of the coordinates with other signs.

    Parameters
    ----------
    signs : array of shape (d,)
        s: 1 or -1. H has the order of the next power of two, the coordinates are filled up by 0.
    chosen : array of int of shape (d_out,)
        The rows of H.
    scale : float, default 1.0
        c, not 0.

    Examples
    --------
    >>> SignedHadamard([1, -1], [0, 1]).fit_transform([[3.0, 1.0]])
    array([[2., 4.]])
    """

    signs: Any
    chosen: Any
    scale: float = 1.0

    _parameter_constraints = {"scale": [Interval(Real, None, None, closed="neither")]}

    def check_parameters(self) -> None:
        super().check_parameters()
        signs, chosen = np.asarray(self.signs), np.asarray(self.chosen)
        fit = signs.ndim == chosen.ndim == 1 and signs.size and chosen.size
        if fit and signs.dtype.kind in "if" and chosen.dtype.kind in "iu":
            order = power_of_two(len(signs))
            if (np.abs(signs) == 1).all() and ((chosen >= 0) & (chosen < order)).all():
                return
        raise ParameterError(
            "The parameters of SignedHadamard do not fit each other.",
            got=f"signs={show(self.signs)}, chosen={show(self.chosen)}",
            need="signs 1 or -1, and row numbers below the next power of two",
            do="SignedHadamard([1, -1, 1], [0, 3]) has rows 0 to 3",
        )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return (len(self.signs),)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (len(self.chosen),)

    def dense(self) -> np.ndarray:
        signs, chosen = np.asarray(self.signs, dtype=np.float64), np.asarray(self.chosen)
        return float(self.scale) * signs[:, None] * hadamard_rows(chosen, len(signs)).T

    def _direct(self) -> bool:
        d, width = len(self.signs), len(self.chosen)
        return d < LONG and d * width <= DENSE

    def _places(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        key = "places", like.dtype, like.device
        if key not in self._cache:
            signs = torch.as_tensor(np.asarray(self.signs), dtype=like.dtype, device=like.device)
            chosen = torch.as_tensor(np.asarray(self.chosen), dtype=torch.int64)
            self._cache[key] = float(self.scale) * signs, chosen.to(like.device)
        return self._cache[key]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._check_rows(x.shape)
        if self._direct():
            return x @ self._matrix(x)
        signs, chosen = self._places(x)
        d = len(signs)
        padded = torch.nn.functional.pad(x * signs, (0, power_of_two(d) - d))
        return transform(padded).index_select(1, chosen)

    def forward_sparse(self, x: Any) -> Any:
        self._check_rows(x.shape)
        if not self._direct():
            return super().forward_sparse(x)
        like = torch.from_numpy(x.data[:0])
        return torch.from_numpy(np.asarray(x @ self._matrix(like).numpy()))

    def norm_bound(self) -> float:
        # Rows of H are orthogonal and have the norm √order.
        most = int(np.bincount(np.asarray(self.chosen)).max())
        order = power_of_two(len(self.signs))
        return abs(float(self.scale)) * sqrt(order * most) * (1 + 8 * EPS)

    @classmethod
    def example(cls) -> FeatureMap:
        # Only the map that draws it takes rows of any length.
        from .projections import Srht

        return Srht(n_components=3)
