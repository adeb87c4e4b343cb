"""Degrees of a dot-product kernel, exact or sketched by products of linear functions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from math import inf, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import ShapeError
from ..map import Fact, FeatureMap
from ..proof import Reason, Strength
from ..property import Continuous, LowerLipschitz, PositivelyHomogeneous, Smooth

__all__ = ["Group", "SketchedDegrees", "shares", "spread", "widths"]

# (degree, width, scale): columns that sketch one degree.
Group = tuple[int, int, float]
# Rows at a time: the factors of a product then stay in a processor's cache.
CHUNK = 2**21


class SketchedDegrees(FeatureMap):
    """x ↦ (√a_0, √a_1 x, s_k ∏_{j<=k} u_kj(x), ...), features of Σ a_k (x·y)^k; abstract.

    The u_kj are complex linear functions with E u(x) ū(y) = x·y, independent of one another, so the
    real and imaginary parts of the products are features whose inner product has the mean
    (x·y)^k. Functions that are real give one feature each and stand last in their group.
    """

    __slots__ = ()
    if TYPE_CHECKING:
        features: int
        groups: tuple[Group, ...]
        constant: float
        linear: float

    # --- what an author writes ---------------------------------------------------------------
    @abstractmethod
    def factors(self, x: torch.Tensor, group: int) -> Iterable[torch.Tensor]:
        """The complex u_kj(x) of shape (n, slots) of a group, times `root`, for j = 1, ..., k."""

    @abstractmethod
    def factors_sparse(self, x: Any, group: int) -> Iterable[torch.Tensor]:
        """The same for the rows of a CSR array."""

    @abstractmethod
    def real(self, width: int) -> int:
        """How many of the functions of a group of this width are real."""

    # --- derived -----------------------------------------------------------------------------
    def root(self, group: int) -> float:
        """The factor of each of the k functions that gives their product the group's scale.

        Shared among them, so that a product within the range of numbers has no part beyond it.
        """
        degree, _, scale = self.groups[group]
        return float(scale) ** (1 / max(degree, 1))

    def slots(self, width: int) -> int:
        """How many functions a group of this width has."""
        return (width + self.real(width)) // 2

    @property
    def low(self) -> int:
        """The number of features of the degrees 0 and 1 that are exact."""
        return (self.constant > 0) + self.features * (self.linear > 0)

    @property
    def takes(self) -> tuple[int, ...] | None:
        return (self.features,)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (self.low + sum(width for _, width, _ in self.groups),)

    @property
    def sparse(self) -> bool:
        return True

    def _check_width(self, shape: Sequence[int]) -> None:
        if len(shape) != 2 or shape[1] != self.features:
            name = type(self).__name__
            raise ShapeError(
                f"X has {shape[1] if len(shape) > 1 else 0} features, but {name} is expecting "
                f"{self.features} features as input.",
                got=f"shape {tuple(shape)}",
                need=f"shape (n, {self.features})",
                do="pass rows of that width; put Flatten() first for images",
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._check_width(x.shape)
        if not (x.requires_grad and torch.is_grad_enabled()):
            (width,) = self.gives  # type: ignore[misc]
            out = x.new_empty((len(x), width))
            self.write(x, out)
            return out
        blocks = []
        if self.constant > 0:
            blocks.append(x.new_full((len(x), 1), float(self.constant)))
        if self.linear > 0:
            blocks.append(float(self.linear) * x)
        for i, (degree, width, scale) in enumerate(self.groups):
            product = _filled(x, self.slots(width), 1.0 if degree else scale)
            for factor in self.factors(x, i):
                product = product * factor
            blocks += [part * size for part, size in self._parts(product, width)]
        return torch.cat(blocks, dim=1)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        self._check_width(x.shape)
        self._write_low(x, out)
        widest = max((width for _, width, _ in self.groups), default=1)
        rows = max(16, CHUNK // ((widest + 1) * x.element_size()))
        for start in range(0, len(x), rows):
            piece = x[start : start + rows]
            self._write_groups(piece, out[start : start + rows], self.factors)

    def forward_sparse(self, x: Any) -> torch.Tensor:
        self._check_width(x.shape)
        (width,) = self.gives  # type: ignore[misc]
        values = np.empty((x.shape[0], width), dtype=x.dtype)
        out = torch.from_numpy(values)
        if self.constant > 0:
            values[:, 0] = self.constant
        rows = max(16, CHUNK // ((width + x.shape[1]) * x.dtype.itemsize))
        place = int(self.constant > 0)
        for start in range(0, x.shape[0], rows):
            piece, part = x[start : start + rows], out[start : start + rows]
            if self.linear > 0:
                part[:, place : place + self.features] = torch.from_numpy(piece.toarray())
            self._write_groups(piece, part, self.factors_sparse)
        values[:, place : self.low] *= self.linear
        return out

    def _write_low(self, x: torch.Tensor, out: torch.Tensor) -> None:
        if self.constant > 0:
            out[:, 0] = float(self.constant)
        if self.linear > 0:
            torch.mul(x, float(self.linear), out=out[:, int(self.constant > 0) : self.low])

    def _write_groups(self, x: Any, out: torch.Tensor, factors: Any) -> None:
        place = self.low
        for i, (_, width, scale) in enumerate(self.groups):
            product = None
            for factor in factors(x, i):
                product = factor if product is None else product.mul_(factor)
            if product is None:
                product = _filled(out, self.slots(width), scale)
            for part, size in self._parts(product, width):
                torch.mul(part, size, out=out[:, place : place + part.shape[1]])
                place += part.shape[1]

    def _parts(self, product: torch.Tensor, width: int) -> Iterator[tuple[torch.Tensor, float]]:
        """The real columns of the products, with their factors."""
        split = product.shape[1] - self.real(width)
        if split:
            yield torch.view_as_real(product[:, :split]).flatten(1), 1.0
        if split < product.shape[1]:
            yield torch.view_as_real(product)[:, split:, 0], sqrt(0.5)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        result = ["1"] if self.constant > 0 else []
        result += list(names) if self.linear > 0 else []
        for degree, width, _ in self.groups:
            result += [f"{label}{degree}_{i}" for i in range(width)]
        return result

    def facts(self, on: Any) -> Iterator[Fact]:
        yield Continuous, "its coordinates are polynomials"
        yield Smooth(inf), "its coordinates are polynomials"
        if self.linear > 0:
            text = f"{float(self.linear):.6g} x is among the coordinates"
            yield LowerLipschitz(float(self.linear)), Reason(text, Strength.DEFINITION)
        degrees = {degree for degree, _, _ in self.groups}
        degrees |= {0} if self.constant > 0 else set()
        degrees |= {1} if self.linear > 0 else set()
        if len(degrees) == 1 and (degree := degrees.pop()) > 0:
            yield PositivelyHomogeneous(degree), "all coordinates have one degree"


def _filled(like: torch.Tensor, slots: int, number: float) -> torch.Tensor:
    """The product of no functions, for each row."""
    dtype = torch.complex64 if like.dtype == torch.float32 else torch.complex128
    return torch.full((len(like), slots), number, dtype=dtype, device=like.device)


# --- how many features each degree gets --------------------------------------------------------
SAMPLE = 64


def spread(x: Any, gamma: float, degrees: Sequence[int]) -> np.ndarray:
    """Root mean square deviation of one product of each degree, over pairs of rows of the data.

    Of products of independent complex functions with coefficients 1, i, -1, -i; Wacker, Ohana and
    Filippone (2023), Complex-to-real sketches for tensor products.

    Parameters
    ----------
    x : Tensor or scipy.sparse.csr_array of shape (n, d)
    gamma : float
        The inner products are multiplied by it.
    degrees : sequence of int

    Returns
    -------
    ndarray of shape (len(degrees),)
    """
    chosen = np.unique(np.linspace(0, x.shape[0] - 1, SAMPLE).astype(int))
    if isinstance(x, torch.Tensor):
        rows = x[torch.from_numpy(chosen)].detach().cpu().double().numpy()
    else:
        rows = x[chosen].toarray().astype(np.float64)
    inner, squares = gamma * rows @ rows.T, gamma**2 * (rows**2) @ (rows**2).T
    size = np.diag(inner)
    with np.errstate(over="ignore", invalid="ignore"):
        whole = size[:, None] * size + inner**2 - squares
        half = 2 * inner**2 - squares
        result = []
        for k in degrees:
            variance = (whole**k + half**k) / 2 - inner ** (2 * k)
            mean = float(np.maximum(variance, 0).mean())
            result.append(sqrt(mean) if np.isfinite(mean) else np.finfo(np.float64).max)
    return np.array(result)


def shares(sizes: np.ndarray, law: np.ndarray | None = None) -> np.ndarray:
    """The shares of features for which the sum of sizes² / share is least, mixed with a law.

    The law keeps every degree that occurs within reach of chance, so that no estimate hangs on the
    data for being unbiased. By default it is even.
    """
    law = np.full(len(sizes), 1 / len(sizes)) if law is None else law
    with np.errstate(over="ignore"):
        scaled = sizes / max(float(sizes.max(initial=0.0)), np.finfo(np.float64).tiny)
    return 0.95 * scaled / scaled.sum() + 0.05 * law if scaled.sum() > 0 else law


def widths(rng: np.random.Generator, share: np.ndarray, total: int) -> np.ndarray:
    """Widths that add up to `total`, in pairs as far as possible, with means total · share."""
    pairs, odd = divmod(total, 2)
    ends = np.floor(np.cumsum(share) * pairs + rng.uniform())
    # The last end is exact, whatever the rounding of the sum.
    ends[-1] = pairs
    counts = 2 * np.diff(np.minimum(ends, pairs), prepend=0.0)
    if odd:
        counts[rng.choice(len(share), p=share / share.sum())] += 1
    return counts.astype(int)
