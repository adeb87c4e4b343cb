"""Convolution of images, as a linear map whose norm and injectivity are certified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf, prod
from typing import Any, ClassVar, final

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions

from .. import property as prop
from ..errors import ParameterError
from ..interval import EPS
from ..map import Fact, FeatureMap, show
from ..proof import Reason, Strength
from ..property import Lipschitz, LowerLipschitz
from ..spaces import Box, Image, Space
from .affine import linear_facts
from .images import ImageMap, Window, pair

__all__ = ["Conv2d", "sliding"]

TINY = float(np.finfo(np.float64).tiny)
# Up to this size the matrix is written out, which says everything; beyond it, norms are bounded.
DENSE_ENTRIES, DENSE_SIDE = 2**21, 4096
# Singular values at every frequency cost this many multiplications at most.
SPECTRUM_COST = 2**31


def sliding(owner: Any, kernel: tuple[int, int]) -> Window:
    """The window of a convolution with the parameters stride, padding and padding_mode."""
    stride = pair(owner, "stride", 1)
    circular = owner.padding_mode == "circular"
    if not isinstance(owner.padding, str):
        padding = pair(owner, "padding", 0)
        return Window(kernel, stride, padding, padding, circular)
    if owner.padding != "same" or stride != (1, 1):
        raise ParameterError(
            f"The 'padding' parameter of {type(owner).__name__} cannot be used.",
            got=f"padding={show(owner.padding)}, stride={show(owner.stride)}",
            need="an int >= 0, a pair of them, or 'same' with stride 1",
            do="set_params(padding='same', stride=1), or set_params(padding=1)",
        )
    before = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2)
    after = (kernel[0] - 1 - before[0], kernel[1] - 1 - before[1])
    return Window(kernel, stride, before, after, circular)


@final
class Conv2d(ImageMap):
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
    The singular values of a circular convolution with stride 1 are those of its Fourier transform
    at the frequencies of the image. With padding by zeros the norm is at most that of the circular
    convolution on the padded image, and may exceed that on the image itself.

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

    arrays: ClassVar[dict[str, int]] = {"weight": 4, "bias": 1}
    _parameter_constraints = {"padding_mode": [StrOptions({"zeros", "circular"})]}

    def _weight(self, name: str) -> torch.Tensor:
        if name == "bias" and self.bias is None:
            weight = super()._weight("weight")
            return torch.zeros(weight.shape[0], dtype=weight.dtype, device=weight.device)
        return super()._weight(name)

    def check_parameters(self) -> None:
        super().check_parameters()
        weight, bias = self.array("weight"), self.array("bias")
        if weight.shape[:1] != bias.shape or 0 in weight.shape:
            raise ParameterError(
                "The bias of Conv2d does not fit its weight.",
                got=f"weight of shape {weight.shape}, bias of shape {bias.shape}",
                need="weight of shape (c_out, c_in, height, width) and bias of shape (c_out,)",
                do="Conv2d(weight, bias) with one bias for each filter",
            )

    def _shape(self) -> tuple[int, ...]:
        if "shape" not in self._cache:
            self._cache["shape"] = tuple(self._weight("weight").shape)
        return self._cache["shape"]

    @property
    def channels(self) -> int:
        return self._shape()[1]

    def channels_out(self, channels: int) -> int:
        return self._shape()[0]

    def window(self) -> Window:
        return sliding(self, self._shape()[2:])  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weights(x)
        window, x = self.window(), self.images(x)
        if window.before == window.after and not window.circular:
            return torch.conv2d(x, weight, bias, window.stride, window.before)
        return torch.conv2d(window.pad(x), weight, bias, window.stride)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        c, h, w = self.out_shape(shape)
        return [
            f"{label}[pre]:c{k}@({i},{j})" for k in range(c) for i in range(h) for j in range(w)
        ]

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
                value = self._slide(far, pos) + self._slide(near, neg) + bias
                size = sum(self._slide(v, w) for v, w in terms) + np.abs(bias)
                # Terms that are 0 round nothing: where all are, the bound is exact.
                count = sum(self._slide(1.0 * (v != 0), 1.0 * (w != 0)) for v, w in terms)
                error = (2 * prod(weight.shape[1:]) + 6) * EPS * size + TINY * count
                value = value + sign * np.where(count > 0, error, 0.0)
            edge = [1.0 * np.isinf((low, high)[i]) for i in (a, b)]
            open_end = self._slide(edge[0], 1.0 * (pos > 0)) + self._slide(edge[1], 1.0 * (neg < 0))
            ends.append(np.where((open_end > 0) | np.isnan(value), sign * inf, value))
        return Image(Box(*ends))

    def _slide(self, image: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The correlation as a matrix product, for which the bounds of rounding errors hold."""
        window = self.window()
        views = np.lib.stride_tricks.sliding_window_view(
            window.padded(image), window.size, axis=(1, 2)
        )[:, :: window.stride[0], :: window.stride[1]]
        return np.tensordot(weight, views, axes=((1, 2, 3), (0, 3, 4)))

    def facts(self, on: Space) -> Iterator[Fact]:
        # One question asks for the facts many times, and each time costs an SVD. Weights in
        # training are read anew.
        live = isinstance(self.weight, torch.Tensor) and self.weight.requires_grad
        kept = None if live else self._cache.get("facts")
        if kept is None or kept[0] is not on:
            kept = self._cache["facts"] = (on, list(self._known(on)))
        yield from kept[1]

    def _known(self, on: Space) -> Iterator[Fact]:
        shape, window = self.image_shape(on.shape), self.window()
        n_in, n_out = prod(shape), prod(self.out_shape(shape))
        wraps = window.circular and (window.size[0] > shape[1] or window.size[1] > shape[2])
        if n_in * n_out <= DENSE_ENTRIES and max(n_in, n_out) <= DENSE_SIDE and not wraps:
            yield from linear_facts(self.matrix(shape), on, "the matrix of the convolution")
            return
        yield prop.Affine, Reason("w * x + b with given w and b", Strength.DEFINITION)
        schur = "sqrt(greatest row sum · greatest column sum) of |entries|, Schur's test"
        yield Lipschitz(lambda: self._schur(shape)), Reason(schur, Strength.COMPUTED)
        counts = replace(window, stride=(1, 1)).counts(shape)
        torus = _torus(window, shape)
        repeats = window.circular and any(c > n for c, n in zip(counts, shape[1:], strict=True))
        c_out, c_in = self.array("weight").shape[:2]
        exact = window.circular and window.stride == (1, 1) and counts == shape[1:]
        affordable = prod(torus) * c_out * c_in * min(c_out, c_in) <= SPECTRUM_COST
        if affordable and not repeats:
            yield from self._spectral_facts(torus, exact, on)
        if on.interior and not (affordable and exact):
            text = "|Av| / |v| for a vector v found by power iteration, with its rounding error"
            yield (~Lipschitz)(lambda: self._stretch(shape)), Reason(text, Strength.COMPUTED)

    def _spectral_facts(self, torus: tuple[int, int], exact: bool, on: Space) -> Iterator[Fact]:
        weight, found = self.array("weight"), list[tuple[float, ...]]()

        def spectrum(which: int) -> float:
            if not found:
                found.append(_spectrum(weight, torus))
            return found[0][which]

        def why(text: str) -> Reason:
            return Reason(text, Strength.COMPUTED, "Sedghi, Gupta, Long 2019")

        whole = f"the circular convolution on {torus[0]} x {torus[1]} pixels"
        if not exact:
            text = f"x ↦ w * x is {whole} between an embedding and a choice of coordinates"
            yield Lipschitz(lambda: spectrum(0)), why(text)
            return
        top = why(f"the greatest singular value over the frequencies of {whole}, certified")
        least = why(f"the least singular value over the frequencies of {whole}, certified")
        yield Lipschitz(lambda: spectrum(0)), top
        if on.interior:
            yield (~Lipschitz)(lambda: spectrum(1)), top
        if weight.shape[0] >= weight.shape[1]:
            yield LowerLipschitz(lambda: spectrum(3)), least
            if on.interior:
                yield (~LowerLipschitz)(lambda: spectrum(2)), least

    def _schur(self, shape: tuple[int, int, int]) -> float:
        size = np.abs(self.array("weight"))
        rows, cols = (self.window().positions(i, n) for i, n in enumerate(shape[1:]))
        into = np.einsum("ocab,ia,jb->oij", size, 1.0 * (rows >= 0), 1.0 * (cols >= 0))
        # How often an offset of the window meets a pixel, along each axis.
        met = [
            (seen.T[:, :, None] == np.arange(n)).sum(axis=1).astype(float)
            for seen, n in zip((rows, cols), shape[1:], strict=True)
        ]
        out_of = np.einsum("ocab,ai,bj->cij", size, *met)
        slack = 1 + 4 * EPS * (size.size + 8)
        return float(np.sqrt(into.max()) * np.sqrt(out_of.max()) * slack)

    def _stretch(self, shape: tuple[int, int, int], steps: int = 30) -> float:
        weight = self.array("weight")
        linear = Conv2d(weight, None, self.stride, self.padding, self.padding_mode)
        # The caller may have turned gradients off.
        with torch.inference_mode(False), torch.enable_grad():
            v = torch.from_numpy(np.random.default_rng(0).standard_normal((1, *shape)))
            for _ in range(steps):
                v = v.requires_grad_()
                # Half the squared norm has the gradient AᵀAv.
                (v,) = torch.autograd.grad((linear.forward(v) ** 2).sum() / 2, v)
                v = v / v.norm().clamp(min=TINY)
        point = v.numpy()[0]
        value = np.linalg.norm(linear._slide(point, weight))
        error = (
            (2 * weight[0].size + 6)
            * EPS
            * np.linalg.norm(linear._slide(np.abs(point), np.abs(weight)))
        )
        size = float(np.linalg.norm(point))
        slack = 1 + 4 * EPS * (8 + point.size + value.size)
        return max(0.0, float(value - error) / (size * slack) / slack) if size > 0 else 0.0


def _torus(window: Window, shape: tuple[int, int, int]) -> tuple[int, int]:
    """A size on which the circular convolution contains this one.

    With padding by zeros, no window of a torus that is larger by the padding reaches around to the
    other side of the image.
    """
    if window.circular:
        return shape[1:]
    ends = zip(shape[1:], window.size, window.before, window.after, strict=True)
    height, width = (max(k, n + max(low, high)) for n, k, low, high in ends)
    return height, width


def _spectrum(weight: np.ndarray, sizes: tuple[int, int]) -> tuple[float, float, float, float]:
    """Certified bounds for the extreme singular values over all frequencies of a torus.

    As in `phimaps.interval.singular_values`, from the residual and the defects of orthogonality of
    a computed decomposition, and from the error of the computed Fourier transform.

    Returns
    -------
    (upper, lower) bound of the greatest, (upper, lower) bound of the least singular value
    """
    c_out, c_in, *kernel = weight.shape
    # Frequencies come in conjugate pairs with the same singular values.
    ranges = (np.arange(sizes[0]), np.arange(sizes[1] // 2 + 1))
    waves = [
        np.exp(-2j * np.pi * (np.outer(f, np.arange(k)) % n) / n)
        for f, k, n in zip(ranges, kernel, sizes, strict=True)
    ]
    taps = weight.reshape(c_out * c_in, *kernel)
    # Each wave is right to 12 EPS: its angle, below 2π, to 10 EPS and the exponential to 2.
    blur = (4 * prod(kernel) + 32) * EPS * float(np.linalg.norm(np.abs(weight).sum(axis=(2, 3))))
    blur = blur * (1 + 4 * EPS * weight.size) + TINY
    result = np.array([0.0, 0.0, inf, inf])
    for row in waves[0]:
        half = np.einsum("a,oab->ob", row, taps)
        blocks = (waves[1] @ half.T).reshape(-1, c_out, c_in)
        u, s, vh = np.linalg.svd(blocks, full_matrices=False)
        us, n = u * s[:, None, :], s.shape[1]
        sizes_us, sizes_vh = _norms(us), _norms(vh)
        residual = blur + _norms(blocks - us @ vh) + (8 * n + 16) * EPS * sizes_us * sizes_vh
        defects = [
            _norms(a @ b - np.eye(n)) + (8 * max(c_out, c_in) + 16) * EPS * _norms(a) * _norms(b)
            for a, b in ((u.conj().transpose(0, 2, 1), u), (vh, vh.conj().transpose(0, 2, 1)))
        ]
        grow = np.sqrt((1 + defects[0]) * (1 + defects[1])) * (1 + 8 * EPS)
        shrink = np.prod([np.sqrt(np.maximum(0.0, 1 - d)) for d in defects], axis=0) * (1 - 8 * EPS)
        high = (s.T * grow + residual) * (1 + 2 * EPS)
        low = np.maximum(0.0, (s.T * shrink - residual) * (1 - 2 * EPS))
        result = np.array([
            max(result[0], high[0].max()), max(result[1], low[0].max()),
            min(result[2], high[-1].min()), min(result[3], low[-1].min()),
        ])  # fmt: skip
    return tuple(map(float, result))  # type: ignore[return-value]


def _norms(blocks: np.ndarray) -> np.ndarray:
    """The Frobenius norm of each block, rounded up."""
    return np.linalg.norm(blocks, axis=(1, 2)) * (1 + 8 * EPS * blocks[0].size)
