"""How far the inner products of a map are from a kernel, over all pairs of rows of some data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any, Literal, final

import numpy as np
import scipy.sparse
import torch

from ..config import get_config
from ..errors import ShapeError
from ..map import FeatureMap
from ..rows import apply, as_tensor, device_of
from .base import Kernel
from .betting import ratio_interval

__all__ = ["ALL_PAIRS_UP_TO", "KernelError", "Norm", "measure"]

Norm = Literal["frobenius", "rms", "max"]

# Up to this many rows, all pairs cost less than the random pairs that tell as much.
ALL_PAIRS_UP_TO = 8192
# Rows in a block; a kernel between two lists of a few rows, of which only the pairs are used.
BLOCK, FEW = 1024, 32
# Features of all rows are kept where they fit in this many bytes, else computed anew.
KEPT = 2**28

WORDS = {
    "frobenius": "relative Frobenius error",
    "rms": "root mean square error",
    "max": "largest error",
}


@final
@dataclass(frozen=True)
class KernelError:
    """How far ⟨φ(x), φ(y)⟩ is from k(x, y) over all pairs of rows; `float` gives the value.

    Parameters
    ----------
    value : float
        The error, or its estimate from random pairs.
    lower, upper : float
        Both equal to the value where it is exact; else an interval that contains the error with
        probability `confidence`, over the choice of the pairs. For the norm "max" they always
        contain it: the largest error seen, and the largest that the norms of the features admit.
    confidence : float
    exact : bool
        Whether the error was computed, from all pairs or in closed form.
    norm : {"frobenius", "rms", "max"}
    pairs, total : int
        How many ordered pairs were looked at, of how many.
    share : float
        With probability `confidence`, at most this share of the pairs has an error above the
        `value` of the norm "max"; 0 where it is exact, and 1 for the other norms.

    Examples
    --------
    >>> print(KernelError(0.05, 0.048, 0.053, 0.95, False, "frobenius", 1000, 10**10, 1.0))
    relative Frobenius error 0.05, in [0.048, 0.053] with confidence 0.95 (1000 of 1e+10 pairs)
    """

    value: float
    lower: float
    upper: float
    confidence: float
    exact: bool
    norm: Norm
    pairs: int
    total: int
    share: float

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        head = f"{WORDS[self.norm]} {self.value:.4g}"
        if self.exact:
            return f"{head}, exact (all {self.total:g} pairs)"
        seen = f"({self.pairs:g} of {self.total:g} pairs)"
        if self.norm != "max":
            return (
                f"{head}, in [{self.lower:.4g}, {self.upper:.4g}] with confidence "
                f"{self.confidence:g} {seen}"
            )
        return (
            f"{head} seen, at most {self.upper:.4g}; with confidence {self.confidence:g} at most "
            f"{self.share:.2g} of all pairs exceed it {seen}"
        )


class _Data:
    """The rows, their features and what is known of both, computed in blocks."""

    def __init__(self, phi: FeatureMap, kernel: Kernel, x: Any):
        self.phi, self.kernel = phi, kernel
        home = x.device if isinstance(x, torch.Tensor) else torch.device("cpu")
        self.device = device_of(phi) or home
        # Apple's accelerators have no float64.
        self.dtype = torch.float32 if self.device.type == "mps" else torch.float64
        self.x = x.astype(np.float64) if scipy.sparse.issparse(x) else x
        self.n = int(x.shape[0])
        width = int(np.prod(x.shape[1:]))
        self.block = max(1, min(BLOCK, get_config()["chunk_bytes"] // (8 * max(width, 1))))
        self._kept: dict[int, torch.Tensor] = {}
        self._keep = True

    def rows(self, chosen: Any) -> Any:
        """The chosen rows, sparse where the kernel takes them so."""
        piece = self.x[chosen]
        if scipy.sparse.issparse(piece):
            if self.kernel.sparse:
                return piece
            piece = piece.toarray()
        piece = as_tensor(piece) if isinstance(piece, np.ndarray) else piece
        return piece.detach().to(dtype=self.dtype, device=self.device)

    def features(self, chosen: Any) -> torch.Tensor:
        """The features of the chosen rows, flat."""
        piece = self.x[chosen] if scipy.sparse.issparse(self.x) else self.rows(chosen)
        return apply(self.phi, piece, device=self.device).to(self.device).flatten(1)

    def blocks(self) -> list[slice]:
        return [slice(i, min(i + self.block, self.n)) for i in range(0, self.n, self.block)]

    def features_of(self, block: slice) -> torch.Tensor:
        """The features of a block of rows, kept where all of them can be."""
        if block.start not in self._kept:
            value = self.features(block)
            if self.n * value.shape[1] * value.element_size() > KEPT:
                return value
            self._kept[block.start] = value
        return self._kept[block.start]

    def kept(self) -> torch.Tensor | None:
        """The features of all rows, where they are kept."""
        blocks = self.blocks()
        if len(self._kept) < len(blocks):
            return None
        return torch.cat([self._kept[b.start] for b in blocks])

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """|φ(x_i)|² and k(x_i, x_i)."""
        norms, diagonal = [], []
        for block in self.blocks():
            norms.append(self.features_of(block).square().sum(1).cpu().double().numpy())
            values = _checked(self.kernel.diagonal(self.rows(block)), block.stop - block.start)
            diagonal.append(values.cpu().double().numpy())
        return np.concatenate(norms), np.concatenate(diagonal)

    def pairs(self, left: np.ndarray, right: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """⟨φ(x_i), φ(x_j)⟩ and k(x_i, x_j) for pairs of rows, in pieces."""
        kept = self.kept()
        step = self.block
        for start in range(0, len(left), step):
            a, b = left[start : start + step], right[start : start + step]
            if kept is None:
                inner = (self.features(a) * self.features(b)).sum(1)
            else:
                inner = (kept[torch.from_numpy(a)] * kept[torch.from_numpy(b)]).sum(1)
            x, y = self.rows(a), self.rows(b)
            cuts = [slice(i, i + FEW) for i in range(0, len(a), FEW)]
            values = torch.cat([self.kernel.between(x[c], y[c]).diagonal() for c in cuts])
            yield inner.cpu().double().numpy(), values.cpu().double().numpy()


def _checked(values: torch.Tensor, count: int) -> torch.Tensor:
    if tuple(values.shape) != (count,):
        raise ShapeError(
            f"The kernel's diagonal has shape {tuple(values.shape)} for {count} rows.",
            got=f"shape {tuple(values.shape)}",
            need=f"shape ({count},)",
            do="return k(x_i, x_i), one number for each row, from `diagonal`",
        )
    return values


def measure(
    phi: FeatureMap,
    kernel: Kernel,
    x: Any,
    *,
    norm: Norm = "frobenius",
    confidence: float = 0.95,
    exact_rows: int = ALL_PAIRS_UP_TO,
    pairs: int = 2**18,
    random_state: Any = 0,
    below: bool = False,
) -> KernelError:
    """The error of a closed map's inner products against a closed kernel on validated rows.

    The random pairs have a probability proportional to w_i w_j, where |e_ij|² <= w_i w_j bounds
    the error e_ij = ⟨φ(x_i), φ(x_j)⟩ - k(x_i, x_j): w_i = |φ(x_i)|² + k(x_i, x_i), by the
    inequality of Cauchy and Schwarz. The weighted error is then bounded by the mean of w, not by
    its greatest value.

    Parameters
    ----------
    phi : FeatureMap
    kernel : Kernel
    x : Tensor, ndarray or scipy.sparse.csr_array of shape (n, *shape)
    norm, confidence, exact_rows, pairs, random_state
        See `phimaps.check.kernel_error`.
    below : bool, default False
        Whether k - ⟨φ, φ⟩ is known to be positive semi-definite, as for landmarks. Its diagonal
        then bounds it: |e_ij|² <= e_ii e_jj.

    Returns
    -------
    KernelError
    """
    data = _Data(phi, kernel, x)
    total = data.n**2
    with torch.no_grad():
        if data.n <= exact_rows:
            value = _of_all_pairs(data, norm)
            return KernelError(value, value, value, 1.0, True, norm, total, total, 0.0)
        norms, diagonal = data.sizes()
        gap = diagonal - norms
        below = below and bool((gap >= -1e-10 * diagonal).all())
        rng = np.random.default_rng(random_state)
        if norm != "max":
            return _of_some_pairs(data, norms, diagonal, below, norm, confidence, pairs, rng)
        if below:
            # The greatest entry of a positive semi-definite matrix is on the diagonal.
            value = max(0.0, float(gap.max()))
            return KernelError(value, value, value, 1.0, True, norm, total, total, 0.0)
        left, right = (rng.integers(data.n, size=pairs) for _ in range(2))
        seen = max(float(np.abs(inner - k).max()) for inner, k in data.pairs(left, right))
        worst = max(float(norms.max() + diagonal.max()), seen)
        share = 1 - (1 - confidence) ** (1 / pairs)
        seen = max(seen, float(np.abs(gap).max()))
        return KernelError(seen, seen, worst, confidence, False, norm, pairs, total, share)


def _of_all_pairs(data: _Data, norm: Norm) -> float:
    error, size, largest = 0.0, 0.0, 0.0
    blocks = data.blocks()
    for i, first in enumerate(blocks):
        x, features = data.rows(first), data.features_of(first)
        for second in blocks[i:]:
            values = data.kernel.between(x, data.rows(second))
            shape = (first.stop - first.start, second.stop - second.start)
            if tuple(values.shape) != shape:
                raise ShapeError(
                    f"The kernel gives shape {tuple(values.shape)} for {shape[0]} and {shape[1]} "
                    "rows.",
                    got=f"shape {tuple(values.shape)}",
                    need=f"shape {shape}",
                    do="return k(x_i, y_j), one number for each pair, from `between`",
                )
            gap = features @ data.features_of(second).T - values.to(features)
            # The blocks below the diagonal are those above it.
            times = 1 if second is first else 2
            error += times * float(gap.square().sum())
            size += times * float(values.square().sum())
            largest = max(largest, float(gap.abs().max()))
    if norm == "max":
        return largest
    if norm == "rms":
        return sqrt(error) / data.n
    return sqrt(error / size) if size > 0 else (inf if error > 0 else 0.0)


def _of_some_pairs(
    data: _Data,
    norms: np.ndarray,
    diagonal: np.ndarray,
    below: bool,
    norm: Norm,
    confidence: float,
    count: int,
    rng: np.random.Generator,
) -> KernelError:
    weight = norms + diagonal
    if below and diagonal.any():
        gap = np.maximum(diagonal - norms, 0.0)
        # A part of the kernel's own size keeps the weights from 0, where rounding would count.
        weight = gap + max(gap.mean() / diagonal.mean(), 1e-9) * diagonal
    total, reach = data.n**2, float(weight.mean())
    if not reach > 0:
        return KernelError(0.0, 0.0, 0.0, 1.0, True, norm, total, total, 1.0)
    ends = np.cumsum(weight)
    drawn = rng.random((2, count)) * ends[-1]
    left, right = np.minimum(np.searchsorted(ends, drawn, side="right"), data.n - 1)
    top, bottom = np.empty(count), np.ones(count)
    at = 0
    for inner, values in data.pairs(left, right):
        piece = slice(at, at + len(inner))
        likely = weight[left[piece]] * weight[right[piece]]
        top[piece] = (inner - values) ** 2 / likely
        if norm == "frobenius":
            bottom[piece] = values**2 / likely
        at = piece.stop
    used = weight > 0
    widest = float((diagonal[used] / weight[used]).max()) ** 2 if norm == "frobenius" else 1.0
    # Rounding may carry an error that is at its bound beyond it.
    most = (float(max(1.0, top.max())), max(widest, float(bottom.max())))
    low, high = ratio_interval(top, bottom, most, confidence)
    below_mean = float(bottom.mean())
    value = float(top.mean()) / below_mean if below_mean > 0 else inf
    factor = reach**2 if norm == "rms" else 1.0
    found, least, greatest = (_root(factor * v) for v in (value, min(low, value), max(high, value)))
    return KernelError(found, least, greatest, confidence, False, norm, count, total, 1.0)


def _root(value: float) -> float:
    return sqrt(value) if value < inf else inf
