"""Maps that can be undone."""

from __future__ import annotations

from abc import abstractmethod
from math import hypot
from typing import Any

import numpy as np
import torch

from ..errors import InputError, ShapeError, show
from ..interval import ULPS, widen
from ..map import FeatureMap
from ..spaces import Box

__all__ = ["Invertible", "check_width", "checked_rows", "enclosing", "shear_constants"]


class Invertible(FeatureMap):
    """x ↦ φ(x), injective by construction, with `inverse`; abstract."""

    __slots__ = ()

    @abstractmethod
    def undo(self, y: torch.Tensor) -> torch.Tensor:
        """φ⁻¹(y) for a tensor of shape (n, d_out), differentiable."""

    def inverse(self, y: Any) -> Any:
        """φ⁻¹(y), exact up to rounding.

        Parameters
        ----------
        y : tensor or array-like of shape (n, d_out)
            Points φ(x). Where φ is not onto, other points are sent somewhere too.

        Returns
        -------
        tensor or ndarray of shape (n, d_in)
            Of the kind of `y`; an array is float64.

        Raises
        ------
        ShapeError, InputError
            When the points do not have d_out finite coordinates.
        """
        points = checked_rows(self, y, self.gives)
        if isinstance(y, torch.Tensor):
            return self.undo(points)
        with torch.no_grad():
            return self.undo(points).numpy()


def checked_rows(owner: Any, y: Any, shape: tuple[int, ...] | None) -> torch.Tensor:
    """The points as a tensor of rows, if they are finite and have the shape."""
    name = type(owner).__name__
    points = y if isinstance(y, torch.Tensor) else torch.from_numpy(np.array(y, dtype=np.float64))
    if points.ndim != 2 or (shape is not None and tuple(points.shape[1:]) != shape):
        width = "d_out" if shape is None else str(shape[0])
        raise ShapeError(
            f"What {name} gives does not have the shape {tuple(points.shape)}.",
            got=f"y={show(y)}",
            need=f"shape (n, {width})",
            do=f"{name}.inverse(phi(x))",
        )
    if not bool(points.isfinite().all()):
        raise InputError(
            f"Points that are not finite are no values of {name}.",
            got=f"{int((~points.isfinite()).any(dim=1).sum())} such rows of {len(points)}",
            need="finite numbers",
            do=f"{name}.inverse(phi(x))",
        )
    return points


def check_width(owner: Any, shape: Any) -> None:
    """Raise ShapeError where the data are not rows of as many coordinates as the map takes."""
    width = owner.takes[0]
    if len(shape) != 2 or shape[1] != width:
        name = type(owner).__name__
        raise ShapeError(
            f"X has {shape[1] if len(shape) > 1 else 0} features, but {name} is expecting "
            f"{width} features as input.",
            got=f"shape {tuple(shape)}",
            need=f"shape (n, {width})",
            do="pass rows of that width; put Flatten() first for images",
        )


def shear_constants(size: float) -> tuple[float, float]:
    """Bounds for the singular values of I + N, where N² = 0 and |N| <= `size`.

    For x = p + q with q in ker N and p across it, (I + N)x = p + (q + Np), and Np lies in ker N. So
    |(I + N)x|² <= |p|² + (|q| + s|p|)², at most ((√(s² + 4) + s) / 2)² |x|², and the inverse I - N
    is of the same kind. Both are attained when N has rank 1 and the norm s.

    Parameters
    ----------
    size : float
        s >= 0.

    Returns
    -------
    (float, float)
        The least rounded down, the greatest rounded up.

    Examples
    --------
    >>> shear_constants(0.0), [round(v, 6) for v in shear_constants(1.5)]
    ((1.0, 1.0), [0.5, 2.0])
    """
    if size == 0:
        return 1.0, 1.0
    greatest = (hypot(2.0, size) + size) / 2
    least = max(0.0, float(widen(np.array(1 / greatest), False, ULPS)))
    return least, float(widen(np.array(greatest), True, ULPS))


def enclosing(low: np.ndarray, high: np.ndarray) -> Box:
    """The box between computed bounds, where what overflowed is not taken to be infinite.

    Examples
    --------
    >>> bool(enclosing(np.array([np.inf]), np.array([np.inf])).low[0] < np.inf)
    True
    """
    most = float(np.finfo(np.float64).max)
    return Box(np.minimum(low, most), np.maximum(high, -most))
