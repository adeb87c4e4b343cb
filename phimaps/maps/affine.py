"""Affine maps: with a matrix, with a diagonal, and the standardization that data define."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from sys import maxsize
from typing import Any, ClassVar, Self, final

import numpy as np
import scipy.sparse
import torch
from sklearn.utils.sparsefuncs import mean_variance_axis

from .. import property as prop
from ..errors import ParameterError, ShapeError
from ..interval import affine_range, affine_reach
from ..map import Fact, FeatureMap, Given
from ..map.items import rows_only
from ..map.streaming import OnePass
from ..proof import Reason, Strength
from ..property import (
    Continuous,
    DenseImage,
    Injective,
    Lipschitz,
    LowerLipschitz,
    PositivelyHomogeneous,
    Property,
)
from ..spaces import Box, Image, Space
from ..witness import Collision
from .linear import linear_facts

__all__ = ["Affine", "Diagonal", "Standardize"]


@final
class Affine(FeatureMap):
    """x ↦ x W + b, an affine map.

    Parameters
    ----------
    weight : array-like or tensor of shape (d_in, d_out)
    bias : array-like or tensor of shape (d_out,), optional
        Default: zeros.

    Raises
    ------
    ParameterError
        When an entry is not finite or the shapes do not fit; on first use.

    Examples
    --------
    >>> Affine([[1.0, 2.0]], [0.5, 0.0]).fit_transform([[3.0]])
    array([[3.5, 6. ]])
    """

    weight: Any
    bias: Any = None

    arrays: ClassVar[dict[str, int]] = {"weight": 2, "bias": 1}
    as_property: ClassVar[Property] = prop.Affine

    def _weight(self, name: str) -> torch.Tensor:
        if name == "bias" and self.bias is None:
            weight = super()._weight("weight")
            return torch.zeros(weight.shape[1], dtype=weight.dtype, device=weight.device)
        return super()._weight(name)

    def check_parameters(self) -> None:
        super().check_parameters()
        weight, bias = self.array("weight"), self.array("bias")
        if weight.shape[1] != bias.shape[0]:
            raise ParameterError(
                "The bias of Affine does not fit its weight.",
                got=f"weight of shape {weight.shape}, bias of shape {bias.shape}",
                need="weight of shape (d_in, d_out) and bias of shape (d_out,)",
                do="Affine(weight, bias) computes x @ weight + bias",
            )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return (self.array("weight").shape[0],)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (self.array("weight").shape[1],)

    @property
    def sparse(self) -> bool:
        return True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weights(x)
        if x.ndim != 2 or x.shape[1] != weight.shape[0]:
            raise _wrong_width(self, x.shape, weight.shape[0])
        return torch.addmm(bias, x, weight)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        weight, bias = self.weights(x)
        if x.ndim != 2 or x.shape[1] != weight.shape[0]:
            raise _wrong_width(self, x.shape, weight.shape[0])
        torch.addmm(bias, x, weight, out=out)

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        # One product, the greater the better.
        return maxsize

    def forward_sparse(self, x: Any) -> torch.Tensor:
        weight, bias = self.weights(torch.from_numpy(x.data[:0]))
        if x.shape[1] != weight.shape[0]:
            raise _wrong_width(self, x.shape, weight.shape[0])
        return torch.from_numpy(np.asarray(x @ weight.detach().numpy())) + bias

    def image(self, on: Space) -> Image:
        weights = self.array("weight"), self.array("bias")
        box = on.inner_box()
        reached = None if box is None else affine_reach(box.low, box.high, *weights, self.memo)
        inner = None if reached is None else Box(*reached)
        return Image(Box(*affine_range(*on.bounds(), *weights)), inner)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from linear_facts(self.array("weight"), on, memo=self.memo)
        if not self.array("bias").any():
            yield PositivelyHomogeneous, Reason("(tx) W = t (x W)", Strength.DEFINITION)

    @classmethod
    def example(cls) -> FeatureMap:
        return Standardize()


def _wrong_width(owner: FeatureMap, shape: Any, width: int) -> ShapeError:
    return ShapeError(
        f"X has {shape[1] if len(shape) > 1 else 0} features, but {type(owner).__name__} is "
        f"expecting {width} features as input.",
        got=f"shape {tuple(shape)}",
        need=f"shape (n, {width})",
        do="pass rows of that width; put Flatten() first for images",
    )


@final
class Diagonal(FeatureMap):
    """x ↦ w ⊙ x + b, an affine map with a diagonal matrix.

    Parameters
    ----------
    weight : array-like or tensor of shape (d,)
    bias : array-like or tensor of shape (d,)

    Examples
    --------
    >>> Diagonal([2.0, 3.0], [0.0, 1.0]).fit_transform([[1.0, 1.0]])
    array([[2., 4.]])
    """

    weight: Any
    bias: Any

    arrays: ClassVar[dict[str, int]] = {"weight": 1, "bias": 1}

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.array("weight").shape != self.array("bias").shape:
            raise ParameterError(
                "The bias of Diagonal does not fit its weight.",
                got=f"shapes {self.array('weight').shape} and {self.array('bias').shape}",
                need="one shape (d,)",
                do="Diagonal(weight, bias) computes weight * x + bias",
            )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return self.array("weight").shape

    @property
    def gives(self) -> tuple[int, ...] | None:
        return self.array("weight").shape

    @property
    def sparse(self) -> bool:
        return True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weights(x)
        if x.ndim != 2 or x.shape[1] != weight.shape[0]:
            raise _wrong_width(self, x.shape, weight.shape[0])
        return torch.addcmul(bias, x, weight)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        weight, bias = self.weights(x)
        if x.ndim != 2 or x.shape[1] != weight.shape[0]:
            raise _wrong_width(self, x.shape, weight.shape[0])
        torch.addcmul(bias, x, weight, out=out)

    def forward_sparse(self, x: Any) -> Any:
        if x.shape[1] != self.array("weight").shape[0]:
            raise _wrong_width(self, x.shape, self.array("weight").shape[0])
        if self.array("bias").any():
            return super().forward_sparse(x)
        scaled = x.copy()
        scaled.data *= self.array("weight").astype(x.dtype)[x.indices]
        return scaled

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return names

    def image(self, on: Space) -> Image:
        weight, bias = self.array("weight"), self.array("bias")

        def moved(low: np.ndarray, high: np.ndarray, outward: bool) -> Box | None:
            real = np.finfo(np.float64)
            tiny = np.where(weight == 0, 0, real.tiny)
            finite = np.isfinite(low) & np.isfinite(high)
            with np.errstate(invalid="ignore", over="ignore"):
                ends = [np.where(weight == 0, 0.0, weight * v) for v in (low, high)]
                a, b = np.minimum(*ends), np.maximum(*ends)
                if outward:
                    a, b = np.minimum(a, real.max), np.maximum(b, real.min)
                else:
                    # What overflows is finite, and nothing beyond it is reached.
                    a, b = (np.where(finite, np.clip(e, real.min, real.max), e) for e in (a, b))
                grow = 4 if outward else -4
                slack = [
                    grow * (real.eps * np.where(np.isinf(e), 0, np.abs(e)) + tiny)
                    + grow * real.eps * np.abs(bias)
                    for e in (a, b)
                ]
                a, b = a + bias - slack[0], b + bias + slack[1]
            if not outward:
                a, b = (np.where(finite, np.clip(e, real.min, real.max), e) for e in (a, b))
            return Box(a, b) if outward or (a < b).all() else None

        outer = moved(*on.bounds(), outward=True)
        assert outer is not None
        box = on.inner_box()
        return Image(outer, None if box is None else moved(box.low, box.high, outward=False))

    def facts(self, on: Space) -> Iterator[Fact]:
        size = np.abs(self.array("weight"))
        top, low = float(size.max()), float(size.min())
        exact = Strength.COMPUTED
        yield prop.Affine, Reason("w ⊙ x + b with given w and b", Strength.DEFINITION)
        yield Lipschitz(top), Reason("the greatest |w_i|", exact)
        if low > 0:
            yield LowerLipschitz(low), Reason("the least |w_i|", exact)
        else:
            yield ~DenseImage, Reason(f"coordinate {int(size.argmin())} is constant", exact)
        if not self.array("bias").any():
            yield PositivelyHomogeneous, Reason("w ⊙ tx = t (w ⊙ x)", Strength.DEFINITION)
        chords = on.chords()
        if chords is None:
            return
        real = chords[0] < chords[1]
        if real.any():
            yield (~Lipschitz)(float(size[real].max())), Reason("the greatest |w_i|", exact)
            yield (~LowerLipschitz)(float(size[real].min())), Reason("the least |w_i|", exact)
        lost = np.flatnonzero(real & (size == 0))
        if lost.size:
            x, y = np.array(chords[2], dtype=float), np.array(chords[2], dtype=float)
            i = lost[0]
            x[i] = max(chords[0][i], min(chords[1][i], chords[2][i]) - 1.0)
            y[i] = min(chords[1][i], max(x[i] + 1.0, float(np.nextafter(x[i], inf))))
            yield ~Injective, Collision(x, y, f"w_{i} = 0, so coordinate {i} is lost")

    @classmethod
    def example(cls) -> FeatureMap:
        return Standardize()


@final
@dataclass(frozen=True)
class _Moments:
    """The total weight of some rows, their mean and their variance."""

    total: float
    mean: np.ndarray
    variance: np.ndarray

    def joined(self, total: float, mean: np.ndarray, variance: np.ndarray) -> _Moments:
        """The moments together with those of more rows."""
        whole = self.total + total
        share, gap = total / whole, mean - self.mean
        spread = self.variance + share * (variance - self.variance)
        return _Moments(whole, self.mean + share * gap, spread + share * (1.0 - share) * gap**2)


@final
class Standardize(OnePass):
    """x ↦ (x - mean) / std, coordinate by coordinate; open.

    A coordinate that is constant in the data is only centred, so the map is injective always.

    Parameters
    ----------
    with_mean : bool, default True
        Whether to centre; sparse rows need False.
    with_std : bool, default True
        Whether to divide by the (weighted, biased) standard deviation.

    Examples
    --------
    >>> Standardize().fit_transform([[0.0], [2.0]])
    array([[-1.],
           [ 1.]])
    """

    with_mean: bool = True
    with_std: bool = True

    _parameter_constraints = {"with_mean": ["boolean"], "with_std": ["boolean"]}

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Bind to data; `sample_weight` of shape (n,) weighs the rows. See `FeatureMap.fit`."""
        return self._absorb(X, y, _given(sample_weight), whole=True)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Take in a batch; `sample_weight` of shape (n,) weighs its rows.

        Means and sums of squares of all rows so far are kept as ``state_``, so that any split into
        batches leads to the same map, up to rounding. `fit` starts anew and can be continued;
        `set_params` and ``clone`` drop the state.

        References
        ----------
        Chan, Golub and LeVeque (1983), Algorithms for computing the sample variance.
        """
        return self._absorb(X, y, _given(sample_weight), whole=False)

    @property
    def sparse(self) -> bool:
        return not self.with_mean

    @property
    def keeps_shape(self) -> bool:
        return True

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def absorb(self, state: _Moments | None, x: Any, given: Given) -> _Moments:
        weights = _row_weights(given.params.get("sample_weight"), x.shape[0])
        rows_only(self, x.shape)
        if scipy.sparse.issparse(x):
            mean, var = mean_variance_axis(x.astype(np.float64), axis=0, weights=weights)
        else:
            rows = x.detach().cpu().numpy().astype(np.float64)
            mean = np.average(rows, axis=0, weights=weights)
            # The mean of many rows is rounded at each; that of the differences takes it back.
            mean = mean + np.average(rows - mean, axis=0, weights=weights)
            var = np.average((rows - mean) ** 2, axis=0, weights=weights)
        total = float(x.shape[0] if weights is None else weights.sum())
        return _Moments(total, mean, var) if state is None else state.joined(total, mean, var)

    def settle(self, state: _Moments) -> FeatureMap:
        mean, std = state.mean, np.sqrt(state.variance)
        # A spread within the rounding error of the mean is no spread.
        noise = 10 * np.finfo(np.float64).eps * np.maximum(np.abs(mean), std)
        scale = np.where(std > noise, 1.0 / np.where(std > noise, std, 1.0), 1.0)
        scale = scale if self.with_std else np.ones_like(scale)
        shift = -mean * scale if self.with_mean else np.zeros_like(scale)
        return Diagonal(scale, shift)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return names

    def facts(self, on: Space) -> Iterator[Fact]:
        yield prop.Affine, "(x - mean) / std"
        yield Continuous, "(x - mean) / std is affine"
        yield Injective, "every scale is positive: where the data are constant it is 1"


def _given(sample_weight: Any) -> dict[str, Any]:
    return {} if sample_weight is None else {"sample_weight": sample_weight}


def _row_weights(value: Any, n: int) -> np.ndarray | None:
    if value is None:
        return None
    weights = np.asarray(value, dtype=np.float64)
    bad = weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any()
    if bad or not weights.sum():
        raise ParameterError(
            "sample_weight does not weigh the rows.",
            got=f"shape {weights.shape} for {n} rows",
            need="n finite weights >= 0 that are not all zero",
            do="fit(X, sample_weight=weights)",
        )
    return weights
