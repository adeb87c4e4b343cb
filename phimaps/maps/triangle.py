"""Distances to centres, and the triangle activation that turns them into soft assignments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import inf, sqrt
from typing import Any, ClassVar, final

import numpy as np
import torch

from ..interval import affine_range, column_rank, widen
from ..map import Fact, FeatureMap
from ..property import (
    Affine,
    Continuous,
    Homeomorphism,
    Injective,
    Lipschitz,
    PositivelyHomogeneous,
    Proper,
    Smooth,
)
from ..spaces import Box, Image, Space
from .images import ImageMap, Window
from .normalization import WIDEST, shifted
from .radial import rounded, scale_of

__all__ = ["Distances2d", "Triangle"]


@final
class Distances2d(ImageMap):
    """x ↦ (|x - c_1|, ..., |x - c_k|) for each pixel x, a vector of channels.

    Parameters
    ----------
    centers : array-like or tensor of shape (k, channels)
    in_shape : tuple of int, optional
        (channels, height, width) of the images that rows of numbers stand for; one entry may be -1,
        for what remains.

    Notes
    -----
    Differences are taken before squares, so a distance keeps its digits however small it is. Each
    is 1-Lipschitz; together they are √k-Lipschitz. They determine x if the centres do not lie in a
    hyperplane: |x - c_i|² - |x - c_1|² is affine in x.

    References
    ----------
    Coates, Ng, Lee (2011), An analysis of single-layer networks in unsupervised feature learning.

    Examples
    --------
    >>> Distances2d([[0.0, 0.0], [3.0, 0.0]], in_shape=(2, 1, 1)).fit_transform([[3.0, 4.0]])
    array([[5., 4.]])
    """

    centers: Any
    in_shape: Any = None

    arrays: ClassVar[dict[str, int]] = {"centers": 2}

    @property
    def channels(self) -> int:
        return int(self._weight("centers").shape[1])

    def channels_out(self, channels: int) -> int:
        return int(self._weight("centers").shape[0])

    def window(self) -> Window:
        return Window((1, 1), (1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (centers,) = self.weights(x)
        pixels = self.images(x).flatten(2)
        n, d, count = pixels.shape
        rows = pixels.transpose(1, 2).reshape(n * count, d)
        # A power of two, so that squares neither over- nor underflow.
        scale = self._scale(rows, centers)
        exact = "donot_use_mm_for_euclid_dist"
        found = torch.cdist(rows / scale, centers / scale, compute_mode=exact) * scale
        return found.view(n, count, -1).transpose(1, 2).reshape(n, -1, *self._size(x))

    def _size(self, x: torch.Tensor) -> tuple[int, int]:
        return self.image_shape(x.shape[1:])[1:]

    @staticmethod
    def _scale(rows: torch.Tensor, centers: torch.Tensor) -> float | torch.Tensor:
        if not rows.numel():
            return 1.0
        with torch.no_grad():
            most = torch.maximum(rows.abs().amax(), centers.abs().amax())
            # Between these sizes no square that counts leaves the range.
            middle = torch.finfo(rows.dtype).max ** 0.375
            if 1 / middle < most < middle:
                return 1.0
            return scale_of(most.reshape(1, 1), 0.0)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        c, h, w = self.out_shape(shape)
        return [
            f"{label}[pre]:c{k}@({i},{j})" for k in range(c) for i in range(h) for j in range(w)
        ]

    def image(self, on: Space) -> Image:
        low, high = self.bounds(on)
        centers = self.array("centers")[:, :, None, None]
        with np.errstate(over="ignore", invalid="ignore"):
            below, above = widen(low - centers, False), widen(high - centers, True)
            near = np.maximum(np.maximum(below, -above), 0.0)
            far = np.maximum(np.abs(below), np.abs(above))
            ends = [_length(near), _length(far)]
        ulps = 16 + 4 * low.shape[0]
        return Image(Box(np.maximum(widen(ends[0], False, ulps), 0.0), widen(ends[1], True, ulps)))

    def facts(self, on: Space) -> Iterator[Fact]:
        k = len(self.array("centers"))
        yield Continuous, "a norm of differences"
        yield Lipschitz(rounded(sqrt(k), up=True)), "each of the k distances changes by |x - y|"
        if on.is_closed:
            yield Proper, "|φ(x)| >= |x| - |c|"
        away = self.image(on).outer.bounds()[0]
        if (away > 0).all():
            yield Smooth(inf), "the set keeps away from the centres"
        if self._spans():
            why = "|x - c_i|² - |x - c_1|² is affine in x, and the centres lie in no hyperplane"
            yield Injective, why
            yield Homeomorphism, f"{why}: x is a polynomial of the distances"
        if self._meets(on):
            yield ~Smooth, "a distance has a kink at its centre"
            yield ~Affine, "a distance has a kink at its centre"

    def _spans(self) -> bool:
        centers = self.array("centers")
        if len(centers) <= centers.shape[1]:
            return False
        # Centres span space if the rows (c, 1) do, which rounds no difference.
        rows = np.concatenate([centers, np.ones((len(centers), 1))], axis=1)
        return column_rank(rows) == rows.shape[1]

    def _meets(self, on: Space) -> bool:
        """Whether a pixel may move through a centre inside the space."""
        box = on.inner_box()
        if box is None:
            return False
        shape = self.image_shape(on.shape)
        low, high = box.low.reshape(shape), box.high.reshape(shape)
        centers = self.array("centers")[:, :, None, None]
        return bool(((low < centers) & (centers < high)).all(axis=1).any())

    @classmethod
    def example(cls) -> FeatureMap:
        return cls([[-0.5], [0.25], [1.0]], in_shape=(1, 1, -1))


def _length(parts: np.ndarray) -> np.ndarray:
    """The norms along axis 1, of numbers of any size."""
    size = parts.max(axis=1, keepdims=True)
    unit = np.where((size > 0) & np.isfinite(size), size, 1.0)
    found = np.sqrt(((parts / unit) ** 2).sum(axis=1, keepdims=True)) * unit
    return np.where(np.isinf(size), inf, found)[:, 0]


@final
class Triangle(FeatureMap):
    """x ↦ max(0, m - x_i), where m is the mean of the coordinates; of images, of the channels.

    Of distances to centres it makes a soft assignment: what is farther than the mean gets 0, and so
    do about half of the centres.

    Notes
    -----
    The derivative picks rows of the projection x ↦ m - x, so the Lipschitz constant is 1; with two
    coordinates it is √½, and with one the map is 0. A shift of all coordinates is lost.

    References
    ----------
    Coates, Ng, Lee (2011), An analysis of single-layer networks in unsupervised feature learning:
    "K-means (triangle)".

    Examples
    --------
    >>> Triangle().fit_transform([[1.0, 2.0, 6.0]])
    array([[2., 1., 0.]])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Divided before they are added, great numbers do not overflow.
        mean = (x / x.shape[1]).sum(dim=1, keepdim=True)
        return torch.relu(mean - x)

    @property
    def keeps_shape(self) -> bool:
        return True

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return [
            n.replace("[pre]", "[post]", 1) if "[pre]" in n else f"triangle({n})" for n in names
        ]

    # --- what is known ---------------------------------------------------------------------
    def image(self, on: Space) -> Image:
        k = on.shape[0]
        low, high = (b.reshape(k, -1) for b in on.bounds())
        if k == 1:
            return Image(Box(np.zeros(on.shape), np.zeros(on.shape)))
        if k > WIDEST:
            return Image(Box(np.zeros(on.shape), np.full(on.shape, inf)))
        matrix = np.full((k, k), 1 / k) - np.eye(k)
        # The entries of the matrix are rounded: by less than an ulp of 1, beside an exact one.
        slack = np.finfo(float).eps * np.maximum(np.abs(low), np.abs(high)).sum(axis=0)
        columns = [
            affine_range(low[:, i], high[:, i], matrix, np.zeros(k)) for i in range(low.shape[1])
        ]
        ends = []
        for which, sign in ((0, -1), (1, 1)):
            value = np.stack([c[which] for c in columns], axis=1)
            with np.errstate(invalid="ignore"):
                value = np.where(np.isinf(value), value, value + sign * slack)
            ends.append(np.maximum(value, 0.0).reshape(on.shape))
        return Image(Box(*ends))

    def facts(self, on: Space) -> Iterator[Fact]:
        k = on.shape[0]
        yield Continuous, "a maximum of affine functions"
        yield PositivelyHomogeneous(1), "the mean and the maximum are"
        yield from shifted(on, "a shift of all coordinates changes no m - x_i")
        if k == 1:
            yield Lipschitz(0.0), "a single coordinate is its mean: the map is 0"
            yield Affine, "a single coordinate is its mean: the map is 0"
            yield Smooth(inf), "a single coordinate is its mean: the map is 0"
            return
        if k == 2:
            text = "of two coordinates it is |x_1 - x_2| / 2 in one place, 0 in the other"
            yield Lipschitz(rounded(sqrt(0.5), up=True)), text
        else:
            yield Lipschitz(1.0), "m - x is a projection up to sign, and max(0, ·) is 1-Lipschitz"
        box = on.inner_box()
        if box is None:
            return
        low, high = box.low.reshape(k, -1), box.high.reshape(k, -1)
        if np.isinf(box.high).all() or np.isinf(box.low).all():
            yield ~Proper, "it is 0 along the line on which all coordinates agree"
        active = max(_active(low[:, i], high[:, i]) for i in range(low.shape[1]))
        if active >= 2:
            yield (~Lipschitz)(1.0), "where two coordinates are below the mean, along e_i - e_j"
        elif active == 1:
            reached = rounded(sqrt(1 - 1 / k), up=False)
            yield (~Lipschitz)(reached), "where one coordinate is below the mean"
        if (low.max(axis=0) < high.min(axis=0)).any():
            text = "it has a kink where all coordinates agree"
            yield ~Smooth, text
            yield ~Affine, text

    @classmethod
    def example(cls) -> FeatureMap:
        return cls()


def _active(low: np.ndarray, high: np.ndarray) -> int:
    """How many coordinates lie below their mean, somewhere in a box: the most that is found."""
    # Far ends of an unbounded box are not needed.
    low = np.where(np.isinf(low), np.minimum(high, 0.0) - 1.0, low)
    high = np.where(np.isinf(high), np.maximum(low, 0.0) + 1.0, high)
    most = 0
    for i in {int(np.argmax(high)), int(np.argmin(low))}:
        for one, rest in ((high, low), (low, high)):
            point = rest.copy()
            point[i] = one[i]
            exact = [Fraction(float(v)) for v in point]
            mean = sum(exact) / len(exact)
            most = max(most, sum(v < mean for v in exact))
    return most
