"""Convolutions whose filters are cluster centres of image patches, learned without labels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from math import inf
from typing import Any, final

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Integral, Real, StrOptions
from sklearn.utils._param_validation import Interval as Range

from ..drawn import generator, seed_of
from ..errors import InputError
from ..map import Fact, FeatureMap, Given, pipe
from ..property import Continuous
from ..spaces import Box, Image, Space
from .images import ImageMap, Window, pair
from .patches import Whitening, contrast, layer, patches
from .pointwise import Relu
from .sliding import sliding
from .triangle import Distances2d, Triangle

__all__ = ["PatchKMeansConv2d"]

_COUNT = Range(Integral, 1, None, closed="left")
_PART = [Range(Real, 0, None, closed="neither")]
# Beyond this many patches k-means works in batches.
BATCH, WHOLE = 1024, 4096


@final
class PatchKMeansConv2d(ImageMap):
    """x ↦ max(0, m(z) - z_k), for z_k the distance of each patch to the k-th cluster centre; open.

    Patches are brought to equal contrast, whitened, and clustered by k-means. The closed map is
    ``Triangle() @ Distances2d(centers) @ NormalizedConv2d(whitening)``, or with rectified filters
    ``Relu() @ NormalizedConv2d(centers)``.

    Parameters
    ----------
    n_filters : int, default 64
        The number of cluster centres, and of channels.
    kernel_size : int or pair of int, default 3
    activation : {"triangle", "relu"}, default "triangle"
        "triangle": m(z) - z_k where positive, m(z) being the mean distance to all centres;
        "relu": c_k · q / |c_k| - `threshold` where positive, for the whitened patch q.
    normalize : bool, default True
        Whether each patch p becomes (p - mean) / √(variance + ε) first: `NormalizedConv2d`.
    whiten : bool, default True
        Whether patches are whitened: their mean patch taken off, and multiplied by (C + ρI)^(-1/2)
        for the covariance C of the patches (ZCA).
    stride, padding, padding_mode
        As in `Conv2d`.
    threshold : float, default 0
        For "relu".
    eps_norm : float, default 0.1
        The ε, as a part of the mean variance of the patches. It keeps flat patches flat.
    eps_zca : float, default 0.1
        The ρ, as a part of the mean eigenvalue of C.
    max_patches : int, default 20000
        Beyond this number, that many patches are drawn at random to learn from.
    random_state : int or None, default 0
        Seed of that draw and of k-means; with None every binding draws afresh.
    in_shape : tuple of int, optional
        As in `Conv2d`.

    Raises
    ------
    InputError
        When there are fewer patches than filters.

    Notes
    -----
    Where fewer patches differ than there are filters, some filters coincide. Up to 4096 patches are
    clustered by ``KMeans``, more by ``MiniBatchKMeans``.

    References
    ----------
    Coates, Ng, Lee (2011), An analysis of single-layer networks in unsupervised feature learning.
    Coates, Ng (2012), Learning feature representations with k-means.

    Examples
    --------
    >>> X = np.random.default_rng(0).random((10, 1, 8, 8))
    >>> phi = PatchKMeansConv2d(n_filters=5).bind(X)
    >>> phi(X).shape
    (10, 5, 6, 6)
    >>> [type(part).__name__ for part in phi.maps]
    ['NormalizedConv2d', 'Distances2d', 'Triangle']
    """

    n_filters: int = 64
    kernel_size: Any = 3
    activation: str = "triangle"
    normalize: bool = True
    whiten: bool = True
    stride: Any = 1
    padding: Any = 0
    padding_mode: str = "zeros"
    threshold: float = 0.0
    eps_norm: float = 0.1
    eps_zca: float = 0.1
    max_patches: int = 20_000
    random_state: int | None = 0
    in_shape: Any = None

    _parameter_constraints = {
        "n_filters": [_COUNT],
        "activation": [StrOptions({"triangle", "relu"})],
        "normalize": ["boolean"],
        "whiten": ["boolean"],
        "padding_mode": [StrOptions({"zeros", "circular"})],
        "threshold": [Range(Real, None, None, closed="neither")],
        "eps_norm": _PART,
        "eps_zca": _PART,
        "max_patches": [_COUNT],
        "random_state": [Range(Integral, 0, None, closed="left"), None],
    }

    @property
    def random(self) -> bool:
        return self.random_state is None

    def channels_out(self, channels: int) -> int:
        return self.n_filters

    def window(self) -> Window:
        return sliding(self, pair(self, "kernel_size", 1))

    def close(self, x: torch.Tensor, given: Given) -> FeatureMap:
        images = self.images(x)
        rng = generator(seed_of(self.random_state))
        rows, eps = patches(self.window(), images, self.max_patches, rng), None
        if len(rows) < self.n_filters:
            self._refuse(len(rows))
        if self.normalize:
            rows, eps = contrast(rows, self.eps_norm)
        d = rows.shape[1]
        white = Whitening.of(rows, self.eps_zca) if self.whiten else Whitening.none(d)
        centers = _centers(white(rows), self.n_filters, int(rng.integers(2**31)))
        channels = images.shape[1]
        if self.activation == "triangle":
            weight, bias = white.filters(np.eye(d))
            first = layer(self, channels, weight, bias, eps)
            return pipe(first, Distances2d(centers), Triangle())
        length = np.sqrt((centers**2).sum(axis=1, keepdims=True))
        weight, bias = white.filters(centers / np.where(length > 0, length, 1.0))
        return pipe(layer(self, channels, weight, bias - self.threshold, eps), Relu())

    def _refuse(self, count: int) -> None:
        raise InputError(
            f"PatchKMeansConv2d cannot find n_filters={self.n_filters} clusters: there "
            f"{'are' if count != 1 else 'is'} {count} patch{'es' * (count != 1)}.",
            got=f"n_filters={self.n_filters}, {count} patch{'es' * (count != 1)}",
            need=f"n_filters <= {count}",
            do=f"set_params(n_filters={count}), or give more images, or a greater max_patches",
        )

    # --- what is known ---------------------------------------------------------------------
    def image(self, on: Space) -> Image:
        shape = self.out_shape(on.shape)
        return Image(Box(np.zeros(shape), np.full(shape, inf)))

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "made of continuous maps, whatever the centres"

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_filters=4, kernel_size=(1, 3), padding="same", in_shape=(1, 1, -1))


def _centers(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    # Imported where it is needed: it takes longer than all of this library.
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if len(rows) <= WHOLE:
        method: Any = KMeans(count, n_init=1, max_iter=100, random_state=seed)
    else:
        method = MiniBatchKMeans(count, n_init=1, batch_size=BATCH, random_state=seed)
    with warnings.catch_warnings():
        # Fewer different patches than centres is nothing to warn of: some of them coincide.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(method.fit(rows).cluster_centers_, dtype=np.float64)
