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
from .conv import Conv2d, sliding
from .images import ImageMap, Window, pair

__all__ = ["PatchPCAConv2d", "RandomConv2d"]

_SEED = [Range(Integral, 0, None, closed="left"), None]
_COUNT = Range(Integral, 1, None, closed="left")
_MODE = [StrOptions({"zeros", "circular"})]


def _affine() -> Iterator[Fact]:
    yield prop.Affine, Reason("w * x + b for every choice of filters", Strength.DEFINITION)


@final
class RandomConv2d(ImageMap):
    """x ↦ w * x + b with gaussian filters of mean 0 and norm 1; open.

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

    _parameter_constraints = {
        "n_filters": [_COUNT],
        "padding_mode": _MODE,
        "bias_scale": [Range(Real, 0, None, closed="left")],
        "random_state": _SEED,
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
        return _closed(self, weight, bias)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from _affine()

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
        standard deviation 1, up to a tenth of the mean variance that keeps flat patches flat. All
        components but the last then have mean 0.
    paired : bool, default False
        Whether each filter w is followed by -w, so that a `Relu` does what a `CRelu` would.
    max_patches : int, default 100000
        Beyond this number, that many patches are drawn at random.
    random_state : int or None, default 0
        Seed of that draw.
    in_shape : tuple of int, optional
        As in `Conv2d`.

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

    _parameter_constraints = {
        "n_filters": [_COUNT, None],
        "padding_mode": _MODE,
        "normalize": ["boolean"],
        "paired": ["boolean"],
        "max_patches": [_COUNT],
        "random_state": _SEED,
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
        patches = self._patches(self.images(x).detach().cpu().numpy())
        if self.normalize:
            patches = patches - patches.mean(axis=1, keepdims=True)
            var = (patches**2).mean(axis=1, keepdims=True)
            spread = np.sqrt(var + 0.1 * var.mean())
            patches = patches / np.where(spread > 0, spread, 1.0)
        patches = patches - patches.mean(axis=0)
        components = np.linalg.eigh(patches.T @ patches)[1].T[::-1][:count]
        # An eigenvector has two signs: the last of the greatest entries is made positive. Entries
        # that are equal but for rounding are told apart by their places alone.
        size = np.abs(components)
        great = size >= size.max(axis=1, keepdims=True) * (1 - 1e-6)
        lead = great.shape[1] - 1 - great[:, ::-1].argmax(axis=1)
        sign = np.sign(components[np.arange(count), lead])
        weight = (components * sign[:, None]).reshape(count, c, *pair(self, "kernel_size", 1))
        if self.paired:
            weight = np.stack((weight, -weight), axis=1).reshape(2 * count, *weight.shape[1:])
        return _closed(self, np.ascontiguousarray(weight), None)

    def _patches(self, images: np.ndarray) -> np.ndarray:
        n, c, h, w = images.shape
        seen = self.window().grid((h, w))
        total = n * len(seen)
        chosen = np.arange(total)
        if total > self.max_patches:
            rng = np.random.default_rng(self.random_state)
            chosen = rng.choice(total, self.max_patches, replace=False, shuffle=False)
        item, place = np.divmod(chosen, len(seen))
        # The padding has the index -1, which is the column of zeros at the end.
        flat = np.pad(images.reshape(n, c, h * w).astype(np.float64), ((0, 0), (0, 0), (0, 1)))
        return (
            flat.transpose(0, 2, 1)[item[:, None], seen[place]]
            .swapaxes(1, 2)
            .reshape(len(chosen), -1)
        )

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from _affine()

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_filters=2, kernel_size=(1, 3), padding="same", in_shape=(1, 1, -1))


def _closed(owner: Any, weight: np.ndarray, bias: np.ndarray | None) -> Conv2d:
    return Conv2d(weight, bias, owner.stride, owner.padding, owner.padding_mode, owner.in_shape)
