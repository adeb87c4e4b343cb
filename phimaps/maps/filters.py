"""Convolutions whose filters are drawn at random or learned from patches, without labels."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Real, StrOptions
from sklearn.utils._param_validation import Interval as Range

from .. import property as prop
from ..drawn import generator, seed_of
from ..errors import ParameterError
from ..map import Fact, FeatureMap, Given
from ..proof import Reason, Strength
from ..spaces import Space
from .images import ImageMap, Window, pair
from .patches import Whitening, contrast, layer, patches
from .sliding import sliding

__all__ = ["PatchPCAConv2d", "RandomConv2d"]

_SEED = [Range(Integral, 0, None, closed="left"), None]
_COUNT = Range(Integral, 1, None, closed="left")
_MODE = [StrOptions({"zeros", "circular"})]


_PART = [Range(Real, 0, None, closed="neither")]


def _known(normalized: bool) -> Iterator[Fact]:
    if normalized:
        yield prop.Continuous, "ε > 0 keeps the standard deviations away from 0"
        return
    yield prop.Affine, Reason("w * x + b for every choice of filters", Strength.DEFINITION)


@final
class RandomConv2d(ImageMap):
    """x ↦ w * x + b with gaussian filters of mean 0 and norm 1; open.

    With `normalize` and `whiten` the filters see patches of equal contrast, and whitened ones.

    Parameters
    ----------
    n_filters : int, default 64
    kernel_size : int or pair of int, default 3
    stride, padding, padding_mode
        As in `Conv2d`.
    bias_scale : float, default 0
        Standard deviation of the gaussian biases.
    random_state : int or None, default 0
        Seed; with None every binding draws afresh.
    in_shape : tuple of int, optional
        As in `Conv2d`.
    normalize : bool, default False
        Whether the closed map brings each patch to mean 0 and to standard deviation 1, up to
        `eps_norm`, before the filters see it: `NormalizedConv2d`.
    whiten : bool, default False
        Whether the patches are then whitened: their mean taken off, and multiplied by
        (C + ρI)^(-1/2) for the covariance C of the patches of the data (ZCA). It is part of the
        filters, which then have no norm of 1, and of the biases.
    eps_norm : float, default 0.1
        The ε added to the variance of a patch, as a part of the mean variance of the patches.
    eps_zca : float, default 0.1
        The ρ, as a part of the mean eigenvalue of C.
    max_patches : int, default 100000
        Beyond this number, that many patches are drawn at random.

    Notes
    -----
    A filter of a single entry is not centred, since nothing would be left.

    References
    ----------
    Jarrett, Kavukcuoglu, Ranzato, LeCun (2009), What is the best multi-stage architecture for
    object recognition?

    Examples
    --------
    >>> X = np.zeros((2, 1, 8, 8))
    >>> RandomConv2d(n_filters=5).bind(X)(X).shape
    (2, 5, 6, 6)
    """

    n_filters: int = 64
    kernel_size: Any = 3
    stride: Any = 1
    padding: Any = 0
    padding_mode: str = "zeros"
    bias_scale: float = 0.0
    random_state: int | None = 0
    in_shape: Any = None
    normalize: bool = False
    whiten: bool = False
    eps_norm: float = 0.1
    eps_zca: float = 0.1
    max_patches: int = 100_000

    _parameter_constraints = {
        "n_filters": [_COUNT],
        "padding_mode": _MODE,
        "bias_scale": [Range(Real, 0, None, closed="left")],
        "random_state": _SEED,
        "normalize": ["boolean"],
        "whiten": ["boolean"],
        "eps_norm": _PART,
        "eps_zca": _PART,
        "max_patches": [_COUNT],
    }

    @property
    def random(self) -> bool:
        return self.random_state is None

    def channels_out(self, channels: int) -> int:
        return self.n_filters

    def window(self) -> Window:
        return sliding(self, pair(self, "kernel_size", 1))

    def close(self, x: torch.Tensor, given: Given) -> FeatureMap:
        c = self.image_shape(x.shape[1:])[0]
        rng = generator(seed_of(self.random_state))
        weight = rng.standard_normal((self.n_filters, c, *pair(self, "kernel_size", 1)))
        if weight[0].size > 1:
            weight -= weight.mean(axis=(1, 2, 3), keepdims=True)
        weight /= np.sqrt((weight**2).sum(axis=(1, 2, 3), keepdims=True))
        bias = self.bias_scale * rng.standard_normal(self.n_filters) if self.bias_scale else None
        weight, eps = weight.reshape(self.n_filters, -1), None
        if self.normalize or self.whiten:
            rows = patches(self.window(), self.images(x), self.max_patches, rng)
            if self.normalize:
                rows, eps = contrast(rows, self.eps_norm)
            if self.whiten:
                weight, shift = Whitening.of(rows, self.eps_zca).filters(weight)
                bias = shift if bias is None else shift + bias
        return layer(self, c, weight, bias, eps)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from _known(self.normalize)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_filters=4, kernel_size=(1, 3), padding="same", in_shape=(1, 1, -1))


@final
class PatchPCAConv2d(ImageMap):
    """x ↦ w * x with filters w that are the principal components of image patches; open.

    Made for ``CRelu() @ PatchPCAConv2d(...)``: the two signs of a component are two filters.

    Parameters
    ----------
    n_filters : int or None, default 9
        How many components, greatest variance first; None: all of them,
        c_in · kernel_height · kernel_width.
    kernel_size : int or pair of int, default 3
    stride, padding, padding_mode
        As in `Conv2d`.
    normalize : bool, default True
        Whether the patches that the components are learned from are first brought to mean 0 and to
        standard deviation 1, up to `eps_norm` that keeps flat patches flat. All components but the
        last then have mean 0.
    paired : bool, default False
        Whether each filter w is followed by -w, so that a `Relu` does what a `CRelu` would.
    max_patches : int, default 100000
        Beyond this number, that many patches are drawn at random.
    random_state : int or None, default 0
        Seed of that draw.
    in_shape : tuple of int, optional
        As in `Conv2d`.
    contrast : bool, default False
        Whether the closed map does the same to each patch that it sees, before the filters:
        `NormalizedConv2d`. The components are then learned so, whatever `normalize`.
    whiten : bool, default False
        Whether the features are whitened: the mean patch is taken off, and each component divided
        by √(λ + ρ), for λ the variance along it.
    eps_norm : float, default 0.1
        The ε added to the variance of a patch, as a part of the mean variance of the patches.
    eps_zca : float, default 0.1
        The ρ, as a part of the mean variance along all components.

    Raises
    ------
    ParameterError
        When there are fewer entries in a patch than filters; on first use.

    References
    ----------
    Coates, Ng, Lee (2011), An analysis of single-layer networks in unsupervised feature learning.
    Chan, Jia, Gao, Lu, Zeng, Ma (2015), PCANet: a simple deep learning baseline.

    Examples
    --------
    >>> X = np.tile(np.array([0.0, 0.0, 1.0, 1.0]), (1, 1, 4, 1))
    >>> edges = PatchPCAConv2d(n_filters=1, kernel_size=2).bind(X)
    >>> edges(X)[0, 0, 0].round(6)
    array([0., 1., 0.])
    """

    n_filters: int | None = 9
    kernel_size: Any = 3
    stride: Any = 1
    padding: Any = 0
    padding_mode: str = "zeros"
    normalize: bool = True
    paired: bool = False
    max_patches: int = 100_000
    random_state: int | None = 0
    in_shape: Any = None
    contrast: bool = False
    whiten: bool = False
    eps_norm: float = 0.1
    eps_zca: float = 0.1

    _parameter_constraints = {
        "n_filters": [_COUNT, None],
        "padding_mode": _MODE,
        "normalize": ["boolean"],
        "paired": ["boolean"],
        "max_patches": [_COUNT],
        "random_state": _SEED,
        "contrast": ["boolean"],
        "whiten": ["boolean"],
        "eps_norm": _PART,
        "eps_zca": _PART,
    }

    @property
    def random(self) -> bool:
        return self.random_state is None

    def channels_out(self, channels: int) -> int:
        entries = channels * prod(pair(self, "kernel_size", 1))
        count = entries if self.n_filters is None else self.n_filters
        if count > entries:
            raise ParameterError(
                f"Patches with {entries} entries do not have {count} principal components.",
                got=f"n_filters={count}, patches of {channels} channel{'s' * (channels != 1)} and "
                f"{' x '.join(map(str, pair(self, 'kernel_size', 1)))} pixels",
                need=f"n_filters <= {entries}, or None for all",
                do=f"set_params(n_filters={entries}), or a larger kernel_size",
            )
        return count * (2 if self.paired else 1)

    def window(self) -> Window:
        return sliding(self, pair(self, "kernel_size", 1))

    def close(self, x: torch.Tensor, given: Given) -> FeatureMap:
        c = self.image_shape(x.shape[1:])[0]
        count = self.channels_out(c) // (2 if self.paired else 1)
        rng = np.random.default_rng(self.random_state)
        rows, eps = patches(self.window(), self.images(x), self.max_patches, rng), None
        if self.normalize or self.contrast:
            rows, eps = contrast(rows, self.eps_norm)
        mean = rows.mean(axis=0)
        values, vectors = np.linalg.eigh((rows - mean).T @ (rows - mean))
        components, values = vectors.T[::-1][:count], np.maximum(values, 0.0) / len(rows)
        # An eigenvector has two signs: the last of the greatest entries is made positive. Entries
        # that are equal but for rounding are told apart by their places alone.
        size = np.abs(components)
        great = size >= size.max(axis=1, keepdims=True) * (1 - 1e-6)
        lead = great.shape[1] - 1 - great[:, ::-1].argmax(axis=1)
        sign = np.sign(components[np.arange(count), lead])
        weight, bias = components * sign[:, None], None
        if self.whiten:
            ridge = self.eps_zca * float(values.mean()) or 1.0
            weight = weight / np.sqrt(values[::-1][:count] + ridge)[:, None]
            bias = -weight @ mean
        if self.paired:
            weight = np.stack((weight, -weight), axis=1).reshape(2 * count, -1)
            bias = None if bias is None else np.stack((bias, -bias), axis=1).ravel()
        return layer(self, c, weight, bias, eps if self.contrast else None)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from _known(self.contrast)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_filters=2, kernel_size=(1, 3), padding="same", in_shape=(1, 1, -1))
