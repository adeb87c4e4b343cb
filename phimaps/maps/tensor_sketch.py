"""Tensor sketches of polynomial kernels: products of count sketches, in the Fourier domain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, final

import numpy as np
import scipy.sparse
import torch

from ..map import FeatureMap
from .polynomial_sketch import PolynomialSketch
from .sketched import Group, SketchedDegrees

__all__ = ["CountSketchProducts", "TensorSketch"]

# Up to this many coordinates a product with the transformed count sketch is faster than an FFT.
DIRECT = 128


@final
class CountSketchProducts(SketchedDegrees):
    """x ↦ (√a_0, √a_1 x, s_k F(C_k1 x) ⋯ F(C_kk x), ...), transformed count sketches multiplied.

    C x adds the signed coordinates of x up in buckets, and F is the discrete Fourier transform, of
    which the real and imaginary parts are features. Multiplied transforms are those of a
    convolution, the count sketch of the tensor product of the factors.

    Parameters
    ----------
    features : int
        The number d of coordinates of x.
    groups : tuple of (int, int, float)
        The degree k, the number of buckets and the scale s_k of each product. It takes the next k
        count sketches.
    constant, linear : float
        √a_0 and √a_1; 0 stands for no such features.
    bucket, sign : array of int of shape (m, d)
        For each of the m count sketches the buckets of the coordinates and their signs.

    Examples
    --------
    >>> phi = CountSketchProducts(2, [(1, 1, 2**0.5)], 0.0, 0.0, bucket=[[0, 0]], sign=[[1, -1]])
    >>> phi.fit_transform([[3.0, 1.0]])
    array([[2.]])
    """

    features: int
    groups: Any
    constant: float
    linear: float
    bucket: Any
    sign: Any

    def real(self, width: int) -> int:
        # The mean of the signal, and for an even width its fastest wave.
        return 2 - width % 2

    def _sketches(self, group: int) -> range:
        start = sum(degree for degree, _, _ in self.groups[:group])
        return range(start, start + self.groups[group][0])

    def _buckets(
        self, j: int, root: float, like: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        key = "buckets", j, like.dtype, like.device
        if key not in self._cache:
            bucket = torch.as_tensor(np.asarray(self.bucket)[j], dtype=torch.int64)
            sign = torch.as_tensor(root * np.asarray(self.sign)[j], dtype=like.dtype)
            self._cache[key] = bucket.to(like.device), sign.to(like.device)
        return self._cache[key]

    def _matrix(self, j: int, width: int, root: float, like: torch.Tensor) -> torch.Tensor:
        """The transformed count sketch as a real matrix, real and imaginary parts in turn."""
        key = "matrix", j, like.dtype, like.device
        if key not in self._cache:
            bucket, sign = np.asarray(self.bucket)[j], np.asarray(self.sign)[j]
            turns = bucket[:, None] * self._waves(width)[None] % width
            waves = root * sign[:, None] * np.exp(-2j * np.pi * turns / width)
            flat = waves.view(np.float64).reshape(len(bucket), -1)
            self._cache[key] = torch.from_numpy(flat).to(like.device, like.dtype)
        return self._cache[key]

    @staticmethod
    def _waves(width: int) -> np.ndarray:
        """The numbers of the waves, those that are real last."""
        complex_ones = np.arange(1, (width + 1) // 2)
        return np.concatenate([complex_ones, [0], [width // 2] * (width % 2 == 0)]).astype(int)

    def factors(self, x: torch.Tensor, group: int) -> Iterable[torch.Tensor]:
        width, root = self.groups[group][1], self.root(group)
        for j in self._sketches(group):
            if self.features <= DIRECT:
                product = x @ self._matrix(j, width, root, x)
                yield torch.view_as_complex(product.view(len(x), -1, 2))
            else:
                bucket, sign = self._buckets(j, root, x)
                sketch = x.new_zeros((len(x), width))
                yield self._transformed(sketch.index_add(1, bucket, x * sign))

    def factors_sparse(self, x: Any, group: int) -> Iterator[torch.Tensor]:
        width, root = self.groups[group][1], self.root(group)
        for j in self._sketches(group):
            key = "sparse", j, x.dtype
            if key not in self._cache:
                bucket, sign = np.asarray(self.bucket)[j], np.asarray(self.sign)[j]
                self._cache[key] = scipy.sparse.csr_array(
                    ((root * sign).astype(x.dtype), bucket, np.arange(len(bucket) + 1)),
                    shape=(len(bucket), width),
                )
            yield self._transformed(torch.from_numpy((x @ self._cache[key]).toarray()))

    def _transformed(self, sketch: torch.Tensor) -> torch.Tensor:
        width = sketch.shape[1]
        spectrum = torch.fft.rfft(sketch, dim=1)
        ends = [spectrum[:, :1], spectrum[:, width // 2 :]] if width % 2 == 0 else [spectrum[:, :1]]
        return torch.cat([spectrum[:, 1 : (width + 1) // 2], *ends], dim=1)

    @classmethod
    def example(cls) -> FeatureMap:
        return TensorSketch(coef0=1.0, n_components=9)


@final
class TensorSketch(PolynomialSketch):
    """x ↦ features of the kernel (γ x·y + c)^p by convolved count sketches; open.

    The inner product of two features estimates the kernel without bias. It takes the parameters of
    scikit-learn's ``PolynomialCountSketch``, at a lower error: the degrees 0 and 1 of the kernel
    are exact where that lowers the error, and the kernel is exact, in fewer features, where all
    monomials fit into `n_components`. The features are those of the convolutions in the Fourier
    domain, which is a rotation.

    Parameters
    ----------
    degree : int, default 2
        p.
    gamma : float, default 1.0
        γ > 0.
    coef0 : float, default 0.0
        c >= 0.
    n_components : int, default 100
        The number of features, or the most where the kernel is exact.
    random_state : int, RandomState, Generator or None, default 0
        Seed of the buckets and signs. None draws anew at every binding.
    exact_low : bool, default True
        Whether degrees, or all of the kernel, may be exact.

    Notes
    -----
    The features are shared among the degrees by the spread of their estimates over pairs of rows of
    the data, and every degree is kept. It takes sparse rows in time of their entries that are not
    zero.

    References
    ----------
    Pham and Pagh (2013), Fast and scalable polynomial kernels via explicit feature maps.

    Examples
    --------
    >>> phi = TensorSketch(degree=2, n_components=3).fit([[1.0, 2.0]])
    >>> phi.transform([[1.0, 2.0]]) @ phi.transform([[3.0, -1.0]]).T
    array([[1.]])
    """

    degree: int = 2
    gamma: float = 1.0
    coef0: float = 0.0
    n_components: int = 100
    random_state: Any = 0
    exact_low: bool = True

    def _sketch(
        self, rng: np.random.Generator, d: int, groups: list[Group], constant: float, linear: float
    ) -> FeatureMap:
        groups = [part for group in groups for part in _quick(*group)]
        buckets = [rng.integers(0, width, (k, d)) for k, width, _ in groups]
        bucket = np.concatenate([*buckets, np.zeros((0, d), dtype=int)])
        sign = rng.choice(np.array([-1, 1], dtype=np.int8), bucket.shape)
        return CountSketchProducts(d, tuple(groups), constant, linear, bucket, sign)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(coef0=1.0, n_components=9)


# Below this width any length is quick enough.
NARROW = 64


def _quick(degree: int, width: int, scale: float) -> Iterator[Group]:
    """The group in parts whose widths have prime factors of at most 5, as the FFT likes them.

    A width of 3311 = 7 · 11 · 43 takes it thirteen times as long as one of 3240. Each column counts
    as before, so the parts estimate what the group does.
    """
    while width > NARROW:
        part = max(
            2**a * 3**b * 5**c
            for a in range(width.bit_length())
            for b in range(width.bit_length())
            for c in range(width.bit_length())
            if 2**a * 3**b * 5**c <= width
        )
        yield degree, part, scale
        width -= part
    if width:
        yield degree, width, scale
