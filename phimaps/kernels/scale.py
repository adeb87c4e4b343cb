"""Scale parameters: given as numbers, or taken from data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf, sqrt
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse
import torch

from ..errors import ParameterError, ShapeError, show
from .base import Kernel
from .geometry import square_distances, widen

__all__ = [
    "Stationary",
    "as_fixed",
    "as_length",
    "check_length",
    "check_number",
    "check_width",
    "in_double",
    "ones",
    "scale_gamma",
    "variance",
]

# The median distance is taken over this many rows.
SAMPLE = 1000
# Numbers at a time in passes over the rows.
PIECE = 2**16


def in_double(x: torch.Tensor) -> Iterator[torch.Tensor]:
    """The rows in float64, in pieces that stay in a cache: new memory costs more than the sums."""
    rows = x.detach()
    yield from (piece.double() for piece in rows.split(max(1, PIECE // max(1, x[:1].numel()))))


def variance(x: Any) -> float:
    """Var X over all entries of a tensor or sparse array, in float64 and in two passes."""
    if not scipy.sparse.issparse(x):
        mean = sum(float(piece.sum()) for piece in in_double(x)) / x.numel()
        return sum(float((piece - mean).square_().sum()) for piece in in_double(x)) / x.numel()
    count = x.shape[0] * x.shape[1]
    values = x.data.astype(np.float64)
    mean = values.sum() / count
    return float((((values - mean) ** 2).sum() + (count - values.size) * mean**2) / count)


def scale_gamma(x: Any) -> float:
    """1 / (d Var X), scikit-learn's ``gamma="scale"``; 1 for constant data.

    Parameters
    ----------
    x : tensor or sparse array of shape (n, d)

    Returns
    -------
    float
    """
    spread = variance(x)
    return 1.0 / (x.shape[1] * spread) if spread > 0 else 1.0


def check_number(kernel: Any, name: str, least: float = 0.0, included: bool = False) -> None:
    """Raise ParameterError unless the parameter is a finite number above `least`."""
    value = getattr(kernel, name)
    number = isinstance(value, Real) and not isinstance(value, bool)
    if number and (least < value < inf or (included and value == least)):
        return
    sign = ">=" if included else ">"
    raise ParameterError(
        f"The '{name}' parameter of {type(kernel).__name__} must be a finite number {sign} "
        f"{least:g}. Got {show(value)} instead.",
        got=f"{name}={show(value)}",
        need=f"a finite number {sign} {least:g}",
        do=f"{type(kernel).__name__}({name}={max(1.0, least):g})",
    )


def check_length(kernel: Any, name: str) -> None:
    """Raise ParameterError unless the parameter is a positive number, or an array of such."""
    value = getattr(kernel, name)
    try:
        array = np.asarray(_plain(value), dtype=np.float64)
    except (TypeError, ValueError):
        array = np.zeros(1)
    if array.ndim <= 1 and array.size and (array > 0).all() and np.isfinite(array).all():
        return
    shown = show(value)
    if array.ndim == 1 and array.size and not ((array > 0) & np.isfinite(array)).all():
        bad = int(np.flatnonzero(~((array > 0) & np.isfinite(array)))[0])
        shown += f" with {array[bad]:g} at {bad}"
    raise ParameterError(
        f"The '{name}' parameter of {type(kernel).__name__} must be positive. Got {shown} instead.",
        got=f"{name}={shown}",
        need="a finite number > 0, or an array of shape (d,) of such numbers",
        do=f"{type(kernel).__name__}({name}=1.0)",
    )


def _plain(value: Any) -> Any:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value


def as_length(value: Any) -> float | np.ndarray | torch.Tensor:
    """A scale as a float, or as one number for each coordinate."""
    return value if isinstance(value, torch.Tensor) else as_fixed(value)


def as_fixed(value: Any) -> float | np.ndarray:
    """A scale without its gradient: a float, or an array of one number for each coordinate."""
    array = np.asarray(_plain(value), dtype=np.float64)
    return float(array) if array.ndim == 0 else array


class Stationary(Kernel):
    """k(x, y) = f(x - y) with f(0) = 1 and a length scale; abstract.

    The scale is given as `gamma` or as `length_scale`, or taken from data: ``gamma="scale"`` (also
    when neither is given) is 1 / (d Var X), ``"auto"`` is 1 / d, both as in scikit-learn;
    ``"median"`` makes the median distance of different rows the length scale.
    """

    __slots__ = ()
    if TYPE_CHECKING:
        gamma: Any
        length_scale: Any
    # γ = 1 / (2 l²) in the Euclidean distance; a kernel of the l1 distance has γ = 1 / l.
    linear: ClassVar[bool] = False

    def check_parameters(self) -> None:
        super().check_parameters()
        name = type(self).__name__
        if self.gamma is not None and self.length_scale is not None:
            law = "gamma = 1 / length_scale" if self.linear else "gamma = 1 / (2 length_scale²)"
            raise ParameterError(
                f"{name} has one scale, and was given two.",
                got=f"gamma={show(self.gamma)}, length_scale={show(self.length_scale)}",
                need=f"gamma or length_scale, where {law}",
                do=f"{name}(length_scale={show(self.length_scale)})",
            )
        if isinstance(self.gamma, str) and self.gamma not in ("scale", "median", "auto"):
            raise ParameterError(
                f"The 'gamma' parameter of {name} does not name a way to find a scale. Got "
                f"{show(self.gamma)} instead.",
                got=f"gamma={show(self.gamma)}",
                need="a finite number > 0, 'scale', 'median' or 'auto'",
                do=f"{name}(gamma='scale')",
            )
        if self.gamma is not None and not isinstance(self.gamma, str):
            if isinstance(self.gamma, torch.Tensor) and self.gamma.ndim == 0:
                check_length(self, "gamma")
            else:
                check_number(self, "gamma")
        if self.length_scale is not None:
            check_length(self, "length_scale")

    @property
    def closed(self) -> bool:
        return self.length_scale is not None or (
            self.gamma is not None and not isinstance(self.gamma, str)
        )

    def close(self, x: Any) -> Any:
        width = x.shape[1] if len(x.shape) == 2 else int(np.prod(x.shape[1:]))
        rows = x if scipy.sparse.issparse(x) else x.detach().flatten(1)
        if self.gamma == "auto":
            return self.with_parameters(gamma=1.0 / width)
        if self.gamma == "median":
            return self.with_parameters(gamma=None, length_scale=self._median(rows))
        gamma = scale_gamma(rows)
        if self.linear:
            spread = variance(rows)
            gamma = 1.0 / (width * sqrt(spread)) if spread > 0 else 1.0
        return self.with_parameters(gamma=gamma)

    def _median(self, rows: Any) -> float:
        n = rows.shape[0]
        if n > SAMPLE:
            chosen = np.sort(np.random.default_rng(0).choice(n, SAMPLE, replace=False))
            rows = rows[chosen]
        if scipy.sparse.issparse(rows):
            # Only kernels of the Euclidean distance take sparse rows.
            squares = square_distances(widen(rows), widen(rows), rough=True)
            gaps = squares[tuple(torch.triu_indices(len(squares), len(squares), 1))].sqrt()
        else:
            gaps = torch.nn.functional.pdist(rows.double().cpu(), p=1.0 if self.linear else 2.0)
        gaps = gaps[gaps > 0]
        return float(gaps.quantile(0.5)) if len(gaps) else 1.0

    @property
    def lengths(self) -> Any:
        """The length scale: a float, or one for each coordinate."""
        self.require_closed()
        if self.length_scale is not None:
            return as_length(self.length_scale)
        if isinstance(self.gamma, torch.Tensor):
            return 1.0 / self.gamma if self.linear else (2.0 * self.gamma) ** -0.5
        return 1.0 / self.gamma if self.linear else 1.0 / sqrt(2.0 * self.gamma)

    def fitting(self, x: Any) -> Any:
        """The length scale for rows x, with their number of coordinates checked."""
        return check_width(self, "length_scale", self.lengths, x)

    def diagonal(self, x: Any) -> torch.Tensor:
        return ones(x)

    @classmethod
    def example(cls) -> Any:
        make: Callable[..., Any] = cls
        return make(length_scale=1.5)


def check_width(kernel: Any, name: str, value: Any, x: Any) -> Any:
    """The value, if it is a number, or has as many as the rows x have."""
    width = int(np.prod(x.shape[1:]))
    size = width if isinstance(value, int | float) or value.ndim == 0 else len(value)
    if size == width:
        return value
    raise ShapeError(
        f"The '{name}' parameter of {type(kernel).__name__} has {size} number{'s' * (size != 1)}, "
        f"and the rows have {width}.",
        got=f"rows of shape ({width},)",
        need=f"rows of shape ({size},), or one {name} for all coordinates",
        do=f"kernel.set_params({name}=1.0), or pass the columns that it was made for",
    )


def ones(x: Any) -> torch.Tensor:
    """1 for each row, of its dtype and on its device."""
    if scipy.sparse.issparse(x):
        return torch.ones(
            x.shape[0], dtype=torch.float32 if x.dtype == np.float32 else torch.double
        )
    return x.new_ones(x.shape[0])
