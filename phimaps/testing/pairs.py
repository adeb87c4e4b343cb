"""Pairs of points and what a map does to their distance."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from ..spaces import Boxlike, Product, Space

__all__ = ["Pairs", "rows", "thin"]


def rows(points: np.ndarray) -> np.ndarray:
    """The points as vectors, one a row; unlike ``reshape(n, -1)`` it takes no points too."""
    return points.reshape(len(points), int(np.prod(points.shape[1:])))


def thin(on: Space) -> bool:
    """Whether the space contains hardly any representable points, and takes those near it."""
    on = getattr(on, "plain", on)
    if isinstance(on, Product):
        return any(thin(p) for p in on.parts)
    return on.infinite and on.dimension < on.size and not isinstance(on, Boxlike)


@final
class Pairs:
    """Pairs of points with their distances, feature distances, and the ratio of the two."""

    def __init__(self, x: np.ndarray, y: np.ndarray, fx: np.ndarray, fy: np.ndarray, on: Space):
        good = np.isfinite(fx).all(axis=1) & np.isfinite(fy).all(axis=1)
        with np.errstate(all="ignore"):
            apart = on.distance(x, y) if len(x) else np.zeros(0)
            gap = np.linalg.norm(fx - fy, axis=1)
        if thin(on):
            # Points are only near such a space, and what is that near tells nothing.
            reach = rows(np.maximum(np.abs(x), np.abs(y))).max(axis=1, initial=0.0)
            good &= apart > 1e-6 * reach
        if hasattr(on, "plain") and len(apart):
            # A distance that was given may be rounded as an arc cosine is.
            good &= apart > 1e-4 * np.nan_to_num(apart).max()
        good &= (apart > 1e-290) & np.isfinite(apart) & np.isfinite(gap)
        self.x, self.y, self.fx, self.fy = x[good], y[good], fx[good], fy[good]
        self.on = on
        self.apart, self.gap = apart[good], gap[good]
        size = np.maximum(np.abs(fx), np.abs(fy)).max(axis=1, initial=0.0)[good]
        reach = rows(np.maximum(np.abs(x), np.abs(y))).max(axis=1, initial=0.0)[good]
        self.ratio = self.gap / self.apart
        eps = np.finfo(np.float64).eps
        # What rounding of the values and of the points may do to the ratio.
        with np.errstate(over="ignore"):
            self.noise = 8 * eps * (size / self.apart + self.ratio * reach / self.apart)

    def __len__(self) -> int:
        return len(self.ratio)

    def take(self, index: Any) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.x[index], self.y[index], self.fx[index], self.fy[index], self.on)

    def joined(self, other: Pairs | None) -> Pairs:
        """These pairs and others."""
        if other is None or other.fx.shape[1:] != self.fx.shape[1:]:
            return self
        x, y, fx, fy = (
            np.concatenate([getattr(p, end) for p in (self, other)])
            for end in ("x", "y", "fx", "fy")
        )
        return Pairs(x, y, fx, fy, self.on)

    def best(self, sign: int, n: int) -> np.ndarray:
        """Indices of the n greatest (sign 1) or least (sign -1) ratios that are not noise."""
        if not len(self):
            return np.zeros(0, dtype=int)
        with np.errstate(over="ignore"):
            score = self.ratio - 16 * self.noise if sign > 0 else -(self.ratio + 16 * self.noise)
        return np.argsort(-score, kind="stable")[:n]
