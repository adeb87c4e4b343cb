"""Convolution behind contrast normalization: each patch is brought to mean 0 and unit variance."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, prod, sqrt
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Interval as Range
from sklearn.utils._param_validation import Real, StrOptions

from .. import property as prop
from ..interval import EPS, grown, multiply, norm_bound, scaled, singular_values
from ..map import Fact, FeatureMap
from ..proof import Reason, Strength
from ..property import Bounded, Continuous, Lipschitz, Proper, Smooth
from ..spaces import Box, Image, Space
from .normalization import shifted
from .radial import rounded, scale_of
from .sliding import SlidingFilters

__all__ = ["NormalizedConv2d"]


@final
class NormalizedConv2d(SlidingFilters):
    """x ↦ w · (p - m) / √(v + ε) + b for each patch p of x, with m and v its mean and variance.

    Brightness and contrast of a patch are lost, up to ε; so a single filter of weight w - mean(w)
    is divided by the standard deviation of what it sees.

    Parameters
    ----------
    weight : array-like or tensor of shape (c_out, c_in, kernel_height, kernel_width)
        What is common to all entries of a filter does not matter.
    bias : array-like or tensor of shape (c_out,), optional
        Default: zeros.
    eps : float, default 1e-5
        The ε, positive, in squares of the units of the image. Patches with a variance much below it
        stay nearly flat.
    stride : int or pair of int, default 1
    padding : int, pair of int or "same", default 0
    padding_mode : {"zeros", "circular"}, default "zeros"
    in_shape : tuple of int, optional
        As in `Conv2d`. Pixels of the padding belong to a patch like others.

    Raises
    ------
    ParameterError
        When an entry is not finite or the shapes do not fit; on first use.

    Notes
    -----
    With d entries in a patch, |(p - m) / √(v + ε)|² = d v / (v + ε) < d. The Lipschitz constant is
    at most ‖W‖ √(r / ε), for W the filters with their means taken off and r the number of windows
    that see one pixel. The variance is computed from differences to the mean, so it keeps its
    digits beside a great brightness.

    References
    ----------
    Coates, Ng, Lee (2011), An analysis of single-layer networks in unsupervised feature learning.

    Examples
    --------
    >>> step = NormalizedConv2d([[[[-0.5, 0.5]]]], eps=1e-12)
    >>> step(np.array([[[[0.0, 0.0, 1.0, 9.0, 1009.0]]]])).round(6)
    array([[[[0., 1., 1., 1.]]]])
    """

    weight: Any
    bias: Any = None
    eps: float = 1e-5
    stride: Any = 1
    padding: Any = 0
    padding_mode: str = "zeros"
    in_shape: Any = None

    _parameter_constraints = {
        "eps": [Range(Real, 0, None, closed="neither")],
        "padding_mode": [StrOptions({"zeros", "circular"})],
    }

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weights(x)
        window, x = self.window(), self.images(x)
        seen = window.counts(x.shape[1:])
        # (n, entries of a patch, windows)
        p = torch.nn.functional.unfold(window.pad(x), window.size, stride=window.stride)
        scale = scale_of(p, sqrt(self.eps))
        p = p / scale
        p = p - p.mean(dim=1, keepdim=True)
        var = (p * p).mean(dim=1, keepdim=True) + (sqrt(self.eps) / scale) ** 2
        value = torch.matmul(weight.flatten(1), p / torch.sqrt(var)) + bias[:, None]
        return value.unflatten(2, seen)

    @classmethod
    def example(cls) -> FeatureMap:
        # With a small ε rounding in single precision is magnified beside flat patches.
        return cls(
            [[[[1.0, 2.0, 0.5]]], [[[-1.0, 0.0, 1.0]]]],
            [0.5, 0.0],
            eps=0.1,
            padding="same",
            in_shape=(1, 1, -1),
        )

    # --- what is known ---------------------------------------------------------------------
    def _entries(self) -> int:
        return prod(self._shape()[1:])

    def _centred(self) -> tuple[np.ndarray, float, int]:
        """The filters without their means, as rows, a bound for the norm of what rounding did to
        them, and the power of 2 that both are to be multiplied by."""
        known = self.memo
        if "centred" not in known:
            weight, power = scaled(self.array("weight").reshape(self._shape()[0], -1))
            rows = weight - weight.mean(axis=1, keepdims=True)
            slack = norm_bound(weight) * (weight.shape[1] + 4) * 2 * EPS
            return known.setdefault("centred", (rows, slack, power))
        return known["centred"]

    def _longest(self, low: np.ndarray, high: np.ndarray) -> float:
        """A bound for |(p - m) / √(v + ε)| over the patches of a box of images."""
        window, d = self.window(), self._entries()
        pads = not window.circular and any(window.before + window.after)
        top, bottom = float(high.max()), float(low.min())
        if pads:
            top, bottom = max(top, 0.0), min(bottom, 0.0)
        # Numbers between these ends have a variance of at most a quarter of the square.
        spread = top / 2 - bottom / 2
        share = 1.0 if spread == inf else spread / float(np.hypot(spread, sqrt(self.eps)))
        return 0.0 if d == 1 else rounded(min(share, 1.0) * sqrt(d), up=True)

    def image(self, on: Space) -> Image:
        rows, slack, power = self._centred()
        reach = self._longest(*self.bounds(on))
        lengths = np.array([rounded(norm_bound(row[None]) + slack, up=True) for row in rows])
        lengths = grown(lengths, power, up=True)
        bias = self.array("bias")
        with np.errstate(over="ignore", invalid="ignore"):
            far = np.nextafter(lengths * reach, inf) if reach > 0 else np.zeros(len(rows))
            low, high = np.nextafter(bias - far, -inf), np.nextafter(bias + far, inf)
        if reach == 0:
            low = high = bias
        shape = self.out_shape(on.shape)
        ends = (np.broadcast_to(end[:, None, None], shape) for end in (low, high))
        return Image(Box(*(np.array(end) for end in ends)))

    def facts(self, on: Space) -> Iterator[Fact]:
        shape = self.image_shape(on.shape)
        why = "ε > 0 keeps the root away from 0"
        yield Continuous, why
        yield Smooth(inf), why
        if not on.compact:
            yield ~Proper, "a bounded map takes all of the space, which is not compact, into a ball"
        low, high = self.image(on).outer.bounds()
        size = norm_bound(np.maximum(np.abs(low), np.abs(high)).reshape(1, -1))
        yield Bounded(rounded(size, up=True)), "|(p - m) / √(v + ε)| < √d for each of the patches"
        window = self.window()
        if self._entries() == 1:
            alone = "a single entry less its mean is 0: the map is constant"
            yield prop.Affine, alone
            yield Lipschitz(0.0), alone
        else:
            yield (
                Lipschitz(lambda: self._steepest(shape)),
                Reason(
                    "the norm of the centred filters, times √(windows that see a pixel), over √ε: "
                    "y ↦ y / √(|y|² / d + ε) has a derivative with eigenvalues up to 1 / √ε",
                    Strength.COMPUTED,
                ),
            )
        alike = window.circular or not any(window.before + window.after)
        reached = self._reached(on, shape, alike)
        if reached > 0:
            yield (
                (~Lipschitz)(reached),
                Reason(
                    "the derivative in one window at a flat image is the centred filters over √ε",
                    Strength.COMPUTED,
                ),
            )
        if alike or self._entries() == 1:
            yield from shifted(on, "a shift of all pixels changes neither p - m nor v of any patch")

    def _steepest(self, shape: tuple[int, int, int]) -> float:
        rows, slack, power = self._centred()
        norm = rounded(float(singular_values(rows)[1].max(initial=0.0)) + slack, up=True)
        seen = self.window().grid(shape)
        often = int(np.bincount(seen[seen >= 0]).max(initial=0))
        factor = rounded(sqrt(often) / sqrt(self.eps), up=True)
        return multiply([float(grown(norm, power, up=True)), factor], up=True)

    def _reached(self, on: Space, shape: tuple[int, int, int], alike: bool) -> float:
        """A norm that the derivative certainly has somewhere, or 0."""
        box = on.inner_box()
        if box is None or self._entries() == 1:
            return 0.0
        # A flat patch has v = 0; beside padding by zeros only that of an image of zeros is flat.
        flat = box.low.max() < box.high.min() if alike else ((box.low < 0) & (box.high > 0)).all()
        places = self.window().grid(shape)
        whole = any((place >= 0).all() and len(set(place)) == len(place) for place in places)
        if not flat or not whole:
            return 0.0
        rows, slack, power = self._centred()
        norm = max(0.0, rounded(float(singular_values(rows)[0].max(initial=0.0)) - slack, up=False))
        size = float(grown(max(norm, 0.0), power, up=False))
        return max(0.0, rounded(size / sqrt(self.eps), up=False)) if size < inf else 0.0
