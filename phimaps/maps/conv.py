"""Convolution of images, as a linear map whose norm and injectivity are certified."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, prod
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions

from .. import property as prop
from ..errors import ParameterError
from ..interval import EPS
from ..map import Fact, FeatureMap, show
from ..proof import Reason, Strength
from ..spaces import Box, Image, Space
from .linear import linear_facts
from .norms import large_facts
from .sliding import SlidingFilters
from .spectrum import spectrum, torus

__all__ = ["Conv2d"]

TINY = float(np.finfo(np.float64).tiny)
# Up to this size the matrix is written out, which says everything; beyond it, norms are bounded.
DENSE_ENTRIES, DENSE_SIDE = 2**21, 4096


@final
class Conv2d(SlidingFilters):
    """x ↦ w * x + b, the cross-correlation of an image with filters (the pre-activation map).

    Parameters
    ----------
    weight : array-like or tensor of shape (c_out, c_in, kernel_height, kernel_width)
    bias : array-like or tensor of shape (c_out,), optional
        Default: zeros.
    stride : int or pair of int, default 1
        Steps of the window along (height, width).
    padding : int, pair of int or "same", default 0
        Pixels added at both ends; "same" keeps the size (stride 1 only).
    padding_mode : {"zeros", "circular"}, default "zeros"
        Whether the pixels added are 0, or the image repeats.
    in_shape : tuple of int, optional
        (channels, height, width) of the images that rows of numbers stand for; one entry may be -1,
        for what remains. Images of shape (n, channels, height, width) need none.

    Raises
    ------
    ParameterError
        When an entry is not finite or the shapes do not fit; on first use.

    Notes
    -----
    The singular values of a circular convolution are those of its Fourier transform at the
    frequencies of the image (`singular_values`); a stride lays the frequencies that it merges side
    by side. With padding by zeros the norm is at most that of the circular convolution on the
    padded image, and may exceed that on the image itself. With padding by at least the window less
    one pixel, distances shrink no more than they do there.

    References
    ----------
    Sedghi, Gupta, Long (2019), The singular values of convolutional layers.

    Examples
    --------
    >>> edges = Conv2d([[[[-1.0, 1.0]]]])
    >>> edges(np.array([[[[0.0, 0.0, 5.0]]]]))
    array([[[[0., 5.]]]])
    >>> Conv2d([[[[-1.0, 1.0]]]], in_shape=(1, 1, -1)).fit_transform([[0.0, 0.0, 5.0]])
    array([[0., 5.]])
    """

    weight: Any
    bias: Any = None
    stride: Any = 1
    padding: Any = 0
    padding_mode: str = "zeros"
    in_shape: Any = None

    _parameter_constraints = {"padding_mode": [StrOptions({"zeros", "circular"})]}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weights(x)
        window, x = self.window(), self.images(x)
        if window.before == window.after and not window.circular:
            return torch.conv2d(x, weight, bias, window.stride, window.before)
        return torch.conv2d(window.pad(x), weight, bias, window.stride)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(
            [[[[1.0, 2.0, 0.5]]], [[[-1.0, 0.0, 1.0]]]],
            [0.5, 0.0],
            padding="same",
            in_shape=(1, 1, -1),
        )

    # --- what is known ---------------------------------------------------------------------
    def matrix(self, shape: tuple[int, ...]) -> np.ndarray:
        """The matrix of the linear part on items of a shape, entry by entry without arithmetic.

        Parameters
        ----------
        shape : tuple of int
            Of an image, or of a row that stands for one.

        Returns
        -------
        ndarray of shape (d_in, d_out)
            So that ``Flatten()(conv(x)) = Flatten()(x) @ matrix + bias``.
        """
        c, h, w = self.image_shape(shape)
        weight, seen = self.array("weight"), self.window().grid((h, w))
        taps = weight.reshape(*weight.shape[:2], -1).transpose(2, 1, 0)
        dense = np.zeros((h * w, len(seen), c, len(weight)))
        for tap in range(seen.shape[1]):
            real = np.flatnonzero(seen[:, tap] >= 0)
            dense[seen[real, tap], real] += taps[tap]
        return dense.transpose(2, 0, 3, 1).reshape(c * h * w, -1)

    def image(self, on: Space) -> Image:
        low, high = self.bounds(on)
        weight, bias = self.array("weight"), self.array("bias")[:, None, None]
        pos, neg = np.maximum(weight, 0), np.minimum(weight, 0)
        finite = [np.where(np.isinf(v), 0.0, v) for v in (low, high)]
        ends = []
        for sign, (a, b) in ((-1, (0, 1)), (1, (1, 0))):
            far, near = finite[a], finite[b]
            terms = [(np.abs(far), pos), (np.abs(near), -neg)]
            with np.errstate(over="ignore", invalid="ignore"):
                value = (
                    self.window().correlate(far, pos) + self.window().correlate(near, neg) + bias
                )
                size = sum(self.window().correlate(v, w) for v, w in terms) + np.abs(bias)
                # Terms that are 0 round nothing: where all are, the bound is exact.
                count = sum(
                    self.window().correlate(1.0 * (v != 0), 1.0 * (w != 0)) for v, w in terms
                )
                error = (2 * prod(weight.shape[1:]) + 6) * EPS * size + TINY * count
                value = value + sign * np.where(count > 0, error, 0.0)
            edge = [1.0 * np.isinf((low, high)[i]) for i in (a, b)]
            open_end = self.window().correlate(edge[0], 1.0 * (pos > 0)) + self.window().correlate(
                edge[1], 1.0 * (neg < 0)
            )
            ends.append(np.where((open_end > 0) | np.isnan(value), sign * inf, value))
        return Image(Box(*ends))

    def facts(self, on: Space) -> Iterator[Fact]:
        # One question asks for the facts many times, and each time costs an SVD. Weights in
        # training are read anew.
        live = isinstance(self.weight, torch.Tensor) and self.weight.requires_grad
        kept = None if live else self._cache.get("facts")
        if kept is None or kept[0] is not on:
            kept = self._cache["facts"] = (on, list(self._known(on)))
        yield from kept[1]

    def _known(self, on: Space) -> Iterator[Fact]:
        shape = self.image_shape(on.shape)
        if self.small(shape):
            yield from linear_facts(self.matrix(shape), on, "the matrix of the convolution")
            return
        yield prop.Affine, Reason("w * x + b with given w and b", Strength.DEFINITION)
        yield from large_facts(self.array("weight"), self.window(), shape, on)

    def small(self, shape: tuple[int, int, int]) -> bool:
        """Whether the matrix may be written out, every entry being one tap."""
        window, n_in, n_out = self.window(), prod(shape), prod(self.out_shape(shape))
        wraps = window.circular and (window.size[0] > shape[1] or window.size[1] > shape[2])
        return n_in * n_out <= DENSE_ENTRIES and max(n_in, n_out) <= DENSE_SIDE and not wraps

    def singular_values(self, in_shape: Any = None) -> np.ndarray:
        """The singular values of x ↦ w * x on images of a shape, greatest first.

        Where windows tile the torus (circular padding, the stride a divisor of the size) they are
        those of the small matrices at its frequencies, with the s² frequencies that a stride s
        merges side by side; otherwise those of the whole matrix. Both are right up to rounding;
        certified bounds are in ``pm.decide(conv, pm.Lipschitz, on=images)``.

        Parameters
        ----------
        in_shape : tuple of int, optional
            (channels, height, width), or (d,) of rows. Default: the map's own ``in_shape``.

        Returns
        -------
        ndarray of shape (min(d_in, d_out),)

        Raises
        ------
        ParameterError
            When there is no shape, or when padding by zeros calls for a matrix that is too large.

        References
        ----------
        Sedghi, Gupta, Long (2019), The singular values of convolutional layers, for stride 1.

        Examples
        --------
        >>> circular = Conv2d([[[[1.0, 1.0]]]], padding="same", padding_mode="circular")
        >>> circular.singular_values((1, 1, 4)).round(6)
        array([2.      , 1.414214, 1.414214, 0.      ])
        """
        self.check_parameters()
        given = self._declared() if in_shape is None else tuple(in_shape)
        if given is None or -1 in given:
            raise ParameterError(
                "The singular values of Conv2d depend on the size of the images.",
                got=f"in_shape={show(in_shape)}",
                need="the shape of one image, (channels, height, width)",
                do=f"conv.singular_values(({self.channels}, 32, 32))",
            )
        shape = self.image_shape(given)
        about = torus(self.window(), shape)
        if about.exact:
            return spectrum(self.array("weight"), about.sizes, about.stride)
        if self.small(shape):
            return np.linalg.svd(self.matrix(shape), compute_uv=False)
        raise ParameterError(
            "The singular values of this Conv2d are not known in closed form.",
            got=f"padding_mode={self.padding_mode!r}, images of shape {shape}: a matrix of "
            f"{prod(shape)} x {prod(self.out_shape(shape))}",
            need="windows that tile a torus, or a matrix of at most "
            f"{DENSE_ENTRIES} entries, {DENSE_SIDE} on a side",
            do="pm.decide(conv, pm.Lipschitz, on=pm.Images(...)) for certified bounds",
        )

    def dead_channels(self, on: Space) -> np.ndarray:
        """Which channels are 0 after a rectifier, whatever the image: (w * x + b)_c <= 0.

        Proved by an enclosure of the pre-activation, which for a box is its exact range up to
        rounding outward. A channel that is not reported may still be dead on other spaces.

        Parameters
        ----------
        on : Space
            Of images, or of rows that stand for them.

        Returns
        -------
        ndarray of bool, shape (c_out,)

        Examples
        --------
        >>> import phimaps as pm
        >>> Conv2d([[[[-1.0]]], [[[1.0]]]]).dead_channels(pm.Images(1, 8, 8, 0, 1))
        array([ True, False])
        """
        self.check_parameters()
        high = self.image(on).outer.bounds()[1]
        return np.asarray((high <= 0).all(axis=(1, 2)))
