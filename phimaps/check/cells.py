"""A space cut into boxes, with what a map may do on each, and which of them it may merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
import torch

from ..interval import EPS
from ..rows import apply
from ..spaces import Box, Space

__all__ = ["Bounded", "Cells", "Values", "computed", "merged"]


@final
@dataclass(frozen=True, eq=False)
class Cells:
    """Boxes that cover a space, and boxes that hold what the map makes of them.

    Parameters
    ----------
    low, high : ndarray of shape (n, *point)
    least, greatest : ndarray of shape (n, m)
        φ(x) lies between them for every x of the cell.
    """

    low: np.ndarray
    high: np.ndarray
    least: np.ndarray
    greatest: np.ndarray

    def __len__(self) -> int:
        return len(self.low)

    @property
    def sizes(self) -> np.ndarray:
        """The diameter of each cell, rounded up."""
        return _norms(self.high - self.low) * (1 + 8 * EPS * self.low[0].size)

    @classmethod
    def of(cls, bounded: Bounded, low: np.ndarray, high: np.ndarray) -> Self:
        """The cells between these corners."""
        return cls(low, high, *bounded.on_boxes(low, high))

    def halved(self, which: np.ndarray, bounded: Bounded) -> Cells:
        """The cells with some of them cut in two across their longest side."""
        flat_low = self.low[which].reshape(which.sum(), -1)
        flat_high = self.high[which].reshape(which.sum(), -1)
        side = (flat_high - flat_low).argmax(axis=1)
        row = np.arange(len(side))
        middle = flat_low[row, side] / 2 + flat_high[row, side] / 2
        left_high, right_low = flat_high.copy(), flat_low.copy()
        left_high[row, side] = right_low[row, side] = middle
        shape = (-1, *self.low.shape[1:])
        low = np.concatenate([flat_low, right_low]).reshape(shape)
        high = np.concatenate([left_high, flat_high]).reshape(shape)
        new, keep = Cells.of(bounded, low, high), ~which
        return Cells(
            *(
                np.concatenate([getattr(self, name)[keep], getattr(new, name)])
                for name in ("low", "high", "least", "greatest")
            )
        )

    def farthest(self, block: slice) -> np.ndarray:
        """The greatest distance of points of two cells, of some cells to all; rounded up."""
        n, size = len(self), self.low[0].size
        low, high = self.low.reshape(n, -1), self.high.reshape(n, -1)
        across = np.maximum(high[block, None] - low[None], high[None] - low[block, None])
        return np.sqrt((across**2).sum(axis=2)) * (1 + 8 * EPS * size)

    def meet(self, block: slice) -> np.ndarray:
        """Whether values in two cells may agree, of some cells to all."""
        result = np.ones((len(self.low[block]), len(self)), dtype=bool)
        for j in range(self.least.shape[1]):
            least, greatest = self.least[:, j], self.greatest[:, j]
            result &= least[block, None] <= greatest[None]
            result &= least[None] <= greatest[block, None]
        return result


def merged(cells: Cells, worth: Any) -> tuple[float, np.ndarray]:
    """The greatest worth of two cells whose values may agree, and for each cell its greatest.

    Parameters
    ----------
    cells : Cells
    worth : callable
        From a slice of the cells to an upper bound for each of them against all, of shape
        (block, n).

    Returns
    -------
    tuple of (float, ndarray of shape (n,))
    """
    n, each = len(cells), np.zeros(len(cells))
    step = max(1, 2**21 // max(1, n))
    for start in range(0, n, step):
        block = slice(start, start + step)
        each[block] = np.where(cells.meet(block), worth(block), -np.inf).max(axis=1)
    return float(each.max()), each


@final
class Bounded:
    """Boxes that hold the values of a map on boxes, by interval arithmetic and by its slope.

    Parameters
    ----------
    phi : FeatureMap
        Closed.
    lipschitz : float
        A Lipschitz constant on the space, inf where none is known.

    Attributes
    ----------
    certified : bool
        Whether all bounds so far are proved: where interval arithmetic says nothing of single
        points, values come as computed, with what their rounding is estimated to be.
    """

    def __init__(self, phi: Any, lipschitz: float):
        self.phi, self.lipschitz = phi, lipschitz
        self.certified = True

    def on_boxes(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ends of φ over each box, flattened."""
        found = [self._image(a, b) for a, b in zip(low, high, strict=True)]
        least, greatest = (np.stack(side) for side in zip(*found, strict=True))
        if np.isfinite(self.lipschitz):
            width = _norms(high - low) * self.lipschitz
            # The slope says more than the arithmetic only where its bounds are narrower.
            loose = (greatest - least > width[:, None]).any(axis=1)
            if loose.any():
                a, b = self._by_slope(low[loose], high[loose])
                least[loose] = np.maximum(least[loose], a)
                greatest[loose] = np.minimum(greatest[loose], b)
        return least, greatest

    def _image(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        least, greatest = (end.ravel() for end in self.phi.image(Box(low, high)).outer.bounds())
        # Where the arithmetic has no answer, every value must be reckoned with.
        return np.where(np.isnan(least), -np.inf, least), np.where(
            np.isnan(greatest), np.inf, greatest
        )

    def _by_slope(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        middle = low / 2 + high / 2
        radius = _norms(high - low) / 2 * (1 + 8 * EPS * low[0].size) * self.lipschitz
        reach = (radius * (1 + 4 * EPS))[:, None]
        values, slack = computed(self.phi, middle)
        if not np.isfinite(values).all() or not np.isfinite(slack).all():
            blank = np.full(values.shape, np.inf)
            return -blank, blank
        first = self._image(middle[0], middle[0])
        if (first[1] - first[0] <= np.maximum(2 * slack[0], 1e-12)).all():
            points = [self._image(x, x) for x in middle]
            down, up = (np.stack(side) for side in zip(*points, strict=True))
        else:
            self.certified = False
            down, up = values - slack, values + slack
        return (
            np.nextafter(down - reach, -np.inf),
            np.nextafter(up + reach, np.inf),
        )


@final
class Values:
    """φ at points, flattened, in a precision."""

    def __init__(self, phi: Any, dtype: torch.dtype = torch.float64):
        self.phi, self.dtype, self._scale = phi, dtype, 0.0

    def __call__(self, points: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(np.ascontiguousarray(points, dtype=np.float64)).to(self.dtype)
        with torch.no_grad():
            return self.phi.forward(x).flatten(1).double().numpy()

    def scale(self, on: Space) -> float:
        """The size of the features, of some points of the space."""
        if not self._scale:
            sizes = np.abs(self(on.sample(256, 0)))
            self._scale = float(sizes[np.isfinite(sizes)].max(initial=0.0)) or np.finfo(float).tiny
        return self._scale


def computed(phi: Any, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """φ at points in float64, flattened, and what rounding the points does to it."""
    x = np.ascontiguousarray(points, dtype=np.float64)
    with torch.no_grad():
        values = apply(phi, x).flatten(1).numpy()
        moved = apply(phi, x * (1 + 2 * EPS)).flatten(1).numpy()
    slack = 8 * np.abs(moved - values) + 64 * EPS * np.abs(values)
    return values, slack


def _norms(x: np.ndarray) -> np.ndarray:
    return np.sqrt((x.reshape(len(x), -1) ** 2).sum(axis=1))
