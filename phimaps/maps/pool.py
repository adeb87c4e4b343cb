"""Pooling: the greatest value or the average in windows of an image, or in all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import inf, nextafter, sqrt
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions

from .. import property as prop
from ..errors import ParameterError
from ..interval import EPS, multiply, singular_values
from ..map import Fact, FeatureMap, show
from ..proof import Reason, Strength
from ..property import Injective, Lipschitz, LowerLipschitz
from ..spaces import Box, Image, Space
from ..witness import Collision
from .images import ImageMap, Window, bounded_part, pair

__all__ = ["AvgPool2d", "GlobalPool", "MaxPool2d"]

TINY = float(np.finfo(np.float64).tiny)


def _window(owner: Any) -> Window:
    size = pair(owner, "size", 1)
    stride = size if owner.stride is None else pair(owner, "stride", 1)
    padding = pair(owner, "padding", 0)
    if any(2 * p > k for p, k in zip(padding, size, strict=True)):
        raise ParameterError(
            f"The padding of {type(owner).__name__} leaves windows without a pixel.",
            got=f"padding={show(owner.padding)}, size={show(owner.size)}",
            need="padding <= size / 2",
            do=f"set_params(padding={size[0] // 2})",
        )
    return Window(size, stride, padding, padding, ceil=bool(owner.ceil_mode))


def _root(square: Fraction, up: bool) -> float:
    near = sqrt(square)
    while up and Fraction(near) ** 2 < square:
        near = nextafter(near, inf)
    while not up and Fraction(near) ** 2 > square:
        near = nextafter(near, 0.0)
    return near


_POOL_CONSTRAINTS = {"ceil_mode": ["boolean"]}


@final
class MaxPool2d(ImageMap):
    """x ↦ max of x over each window, channel by channel.

    Parameters
    ----------
    size : int or pair of int
        Of the window, (height, width).
    stride : int or pair of int, optional
        Default: `size`, windows side by side.
    padding : int or pair of int, default 0
        Pixels of value -inf added at both ends, at most half of `size`.
    ceil_mode : bool, default False
        Whether a last window may hang over the end.
    in_shape : tuple of int, optional
        (channels, height, width) of the images that rows of numbers stand for; one entry may be -1,
        for what remains.

    Notes
    -----
    The Lipschitz constant is sqrt(m), for m the number of windows that see one pixel:
    sqrt(ceil(kh/sh) ceil(kw/sw)) on large images. It is 1 only if windows do not overlap.

    References
    ----------
    Boureau, Ponce, LeCun (2010), A theoretical analysis of feature pooling in visual recognition.

    Examples
    --------
    >>> MaxPool2d(2, in_shape=(1, 2, -1)).fit_transform([[1.0, 2.0, 5.0, 0.0, 3.0, 4.0, 0.0, 6.0]])
    array([[4., 6.]])
    """

    size: Any
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False
    in_shape: Any = None

    _parameter_constraints = _POOL_CONSTRAINTS

    def window(self) -> Window:
        return _window(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = self.window()
        return torch.nn.functional.max_pool2d(
            self.images(x), w.size, w.stride, w.before, ceil_mode=w.ceil
        )

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return self.pooled_names(names, shape, label)

    def _max(self, image: np.ndarray) -> np.ndarray:
        return self.forward(torch.from_numpy(image.astype(np.float64))[None])[0].numpy()

    def image(self, on: Space) -> Image:
        low, high = self.bounds(on)
        outer = Box(self._max(low), self._max(high))
        box = on.inner_box()
        if box is None or self.window().overlaps(low.shape):
            return Image(outer)
        ends = self._max(box.low.reshape(low.shape)), self._max(box.high.reshape(low.shape))
        return Image(outer, Box(*ends))

    def facts(self, on: Space) -> Iterator[Fact]:
        shape, window = self.image_shape(on.shape), self.window()
        rows, cols = window.membership(shape)
        met = np.outer(rows.sum(axis=0), cols.sum(axis=0)).ravel()
        most = int(met.max())
        text = (
            f"|max x - max y|² <= Σ |x_i - y_i|² in a window; windows that see a pixel: <= {most}"
        )
        yield Lipschitz(_root(Fraction(most), True)), text
        seen = window.grid(shape)
        if ((seen >= 0).sum(axis=1) == 1).all():
            choice = Reason("each window sees a single pixel: a choice of coordinates")
            yield prop.Affine, choice
            if met.min() >= 1:
                yield LowerLipschitz(_root(Fraction(int(met.min())), False)), choice
        box = on.inner_box()
        if box is None:
            return
        low, high, _ = bounded_part(box, shape)
        flat_low, flat_high = low.reshape(shape[0], -1), high.reshape(shape[0], -1)
        # A pixel above all others of its windows moves the maximum of each of them.
        rival = _rivals(flat_low, seen, np.maximum, -inf)
        best = np.where(flat_high > np.maximum(rival, flat_low), met, 0.0).max()
        if best > 0:
            text = f"move a pixel that is the greatest in each of {int(best)} windows"
            yield (~Lipschitz)(_root(Fraction(int(best)), False)), text
        # A pixel below another one in each of its windows moves nothing.
        cover = np.minimum(_rivals(flat_high, seen, np.minimum, inf), flat_high)
        hidden = np.argwhere(cover > flat_low)
        if hidden.size:
            c, i = hidden[0]
            x, y = flat_high.copy(), flat_high.copy()
            x[c, i], y[c, i] = flat_low[c, i], cover[c, i]
            where = f"pixel ({i // shape[2]}, {i % shape[2]}) of channel {c}"
            because = f"{where} is nowhere above the other pixels of a window"
            witness = Collision(x.reshape(on.shape), y.reshape(on.shape), because)
            yield ~Injective, Reason(because, Strength.WITNESS, witness=witness)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls((1, 2), ceil_mode=True, in_shape=(1, 1, -1))


def _rivals(values: np.ndarray, seen: np.ndarray, fold: np.ufunc, start: float) -> np.ndarray:
    """For each pixel, its greatest rival in a window, folded over the windows that see it."""
    c, n = values.shape
    # The padding has the index -1 and never wins.
    inside = np.pad(values, ((0, 0), (0, 1)), constant_values=-inf)[:, seen]
    first = inside.argmax(axis=2)
    top = inside.max(axis=2)
    np.put_along_axis(inside, first[:, :, None], -inf, axis=2)
    second = inside.max(axis=2)
    wins = first[:, :, None] == np.arange(seen.shape[1])
    rival = np.where(wins, second[:, :, None], top[:, :, None])
    result = np.full((n + 1, c), start)
    fold.at(result, seen.ravel(), rival.reshape(c, -1).T)
    return result[:n].T


@final
class AvgPool2d(ImageMap):
    """x ↦ the average of x over each window, channel by channel.

    Parameters
    ----------
    size : int or pair of int
        Of the window, (height, width).
    stride : int or pair of int, optional
        Default: `size`, windows side by side.
    padding : int or pair of int, default 0
        Pixels of value 0 added at both ends, at most half of `size`.
    ceil_mode : bool, default False
        Whether a last window may hang over the end; what lies beyond the padding is not counted.
    count_include_pad : bool, default True
        Whether the pixels of the padding count in the average; if not, the sum is divided by the
        number of pixels of the image in the window.
    in_shape : tuple of int, optional
        (channels, height, width) of the images that rows of numbers stand for; one entry may be -1,
        for what remains.

    Notes
    -----
    The matrix is the Kronecker product of the averages along rows and along columns, so its
    singular values are the products of theirs.

    References
    ----------
    Boureau, Ponce, LeCun (2010), A theoretical analysis of feature pooling in visual recognition.

    Examples
    --------
    >>> AvgPool2d(2, in_shape=(1, 2, -1)).fit_transform([[1.0, 2.0, 5.0, 0.0, 3.0, 4.0, 0.0, 6.0]])
    array([[2.5 , 2.75]])
    """

    size: Any
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    in_shape: Any = None

    _parameter_constraints = _POOL_CONSTRAINTS | {"count_include_pad": ["boolean"]}

    def window(self) -> Window:
        return _window(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = self.window()
        return torch.nn.functional.avg_pool2d(
            self.images(x), w.size, w.stride, w.before, w.ceil, self.count_include_pad
        )

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return self.pooled_names(names, shape, label)

    def _divisors(self, shape: Sequence[int]) -> list[np.ndarray]:
        """For each axis, by what each window divides its sum."""
        window, result = self.window(), []
        for axis, (n, seen) in enumerate(zip(shape[-2:], window.membership(shape), strict=True)):
            start = np.arange(len(seen)) * window.stride[axis]
            ends = np.minimum(start + window.size[axis], n + 2 * window.before[axis])
            result.append(ends - start if self.count_include_pad else seen.sum(axis=1))
        return result

    def _average(self, image: np.ndarray, way: int) -> np.ndarray:
        """The averages, rounded down (way -1) or up (way 1)."""
        window = self.window()
        rows, cols = window.membership(image.shape)
        area = np.outer(*self._divisors(image.shape))
        finite = np.where(np.isinf(image), 0.0, image)
        value, size, down, up = (
            rows @ v @ cols.T for v in (finite, np.abs(finite), image == -inf, image == inf)
        )
        terms = window.size[0] * window.size[1]
        error = (2 * terms + 8) * EPS * (size / area) + TINY * (size > 0)
        value = value / area + way * error
        return np.where(down > 0, -inf, np.where(up > 0, inf, value))

    def image(self, on: Space) -> Image:
        low, high = self.bounds(on)
        outer = Box(self._average(low, -1), self._average(high, 1))
        box = on.inner_box()
        if box is None or self.window().overlaps(low.shape):
            return Image(outer)
        ends = [
            self._average(v.reshape(low.shape), way) for v, way in ((box.low, 1), (box.high, -1))
        ]
        return Image(outer, Box(*ends) if (ends[0] < ends[1]).all() else None)

    def facts(self, on: Space) -> Iterator[Fact]:
        shape = self.image_shape(on.shape)
        yield prop.Affine, Reason("averages are linear", Strength.DEFINITION)
        spread = self._singular(shape)
        product = "the {} singular value along rows times that along columns"
        top, least = (Reason(product.format(w), Strength.COMPUTED) for w in ("greatest", "least"))
        yield Lipschitz(spread[0][1]), top
        tall = [m.shape[0] >= m.shape[1] for m in self.window().membership(shape)]
        if all(tall) and spread[1][0] > 0:
            yield LowerLipschitz(spread[1][0]), least
        if not on.interior:
            return
        yield (~Lipschitz)(spread[0][0]), top
        if all(tall):
            yield (~LowerLipschitz)(spread[1][1]), least
            return
        witness = self._swap(shape, on)
        strength = Strength.THEOREM if witness is None else Strength.WITNESS
        text = "along one axis there are fewer windows than pixels, so the averages have a kernel"
        yield ~Injective, Reason(text, strength, witness=witness)

    def _singular(self, shape: tuple[int, ...]) -> list[tuple[float, float]]:
        """Bounds (lower, upper) of the greatest and of the least singular value."""
        exact, bounds = [], []
        for seen, by in zip(self.window().membership(shape), self._divisors(shape), strict=True):
            if seen.sum(axis=0).max() <= 1:
                # Windows without a common pixel have orthogonal rows.
                pixels = seen.sum(axis=1)
                squares = [Fraction(int(p), int(d) ** 2) for p, d in zip(pixels, by, strict=True)]
                exact.append((max(squares), min(squares)))
            averages = seen / by[:, None]
            low, high = singular_values(averages)
            # The entries 1 / by are rounded.
            slack = EPS * float(np.linalg.norm(averages)) * (1 + 8 * EPS * seen.size)
            bounds.append(
                [
                    (max(0.0, v - slack), w + slack)
                    for v, w in ((low[0], high[0]), (low[-1], high[-1]))
                ]
            )
        if len(exact) == 2:
            squares = [a * b for a, b in zip(*exact, strict=True)]
            return [(_root(s, False), _root(s, True)) for s in squares]
        return [
            (multiply((a[0], b[0]), up=False), multiply((a[1], b[1]), up=True))
            for a, b in zip(*bounds, strict=True)
        ]

    def _swap(self, shape: tuple[int, ...], on: Space) -> Collision | None:
        """Two images that differ by exchanging two pixels that the same windows see."""
        box = on.inner_box()
        if box is None:
            return None
        low, high, centre = bounded_part(box, shape)
        for axis, seen in enumerate(self.window().membership(shape)):
            same = (seen[:, :-1] == seen[:, 1:]).all(axis=0)
            for i in np.flatnonzero(same):
                first = np.take(low, [i, i + 1], axis=axis + 1).max(axis=axis + 1)
                last = np.take(high, [i, i + 1], axis=axis + 1).min(axis=axis + 1)
                room = np.argwhere(first < last)
                if room.size:
                    c, other = (int(v) for v in room[0])
                    ends = first[c, other], last[c, other]
                    x, y = centre.copy(), centre.copy()
                    for image, values in ((x, ends), (y, ends[::-1])):
                        np.moveaxis(image[c], axis, 0)[[i, i + 1], other] = values
                    text = "two pixels that the same windows see are exchanged"
                    return Collision(x.reshape(on.shape), y.reshape(on.shape), text)
        return None

    @classmethod
    def example(cls) -> FeatureMap:
        return cls((1, 2), ceil_mode=True, in_shape=(1, 1, -1))


@final
class GlobalPool(ImageMap):
    """x ↦ the average (or the greatest value) of each channel.

    Parameters
    ----------
    kind : {"avg", "max"}, default "avg"
    in_shape : tuple of int, optional
        (channels, height, width) of the images that rows of numbers stand for; one entry may be -1,
        for what remains.

    References
    ----------
    Lin, Chen, Yan (2014), Network in network.

    Examples
    --------
    >>> GlobalPool(in_shape=(2, 1, -1)).fit_transform([[1.0, 2.0, 5.0, 7.0]])
    array([[1.5, 6. ]])
    """

    kind: str = "avg"
    in_shape: Any = None

    _parameter_constraints = {"kind": [StrOptions({"avg", "max"})]}

    def _pool(self, shape: Sequence[int]) -> MaxPool2d | AvgPool2d:
        _, h, w = self.image_shape(shape)
        return (AvgPool2d if self.kind == "avg" else MaxPool2d)((h, w), in_shape=self.in_shape)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        images = self.images(x)
        return images.mean(dim=(2, 3)) if self.kind == "avg" else images.amax(dim=(2, 3))

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return self.pooled_names(names, shape, label)

    def image(self, on: Space) -> Image:
        found = self._pool(on.shape).image(on)
        outer, inner = (
            None if s is None else Box(*(v.ravel() for v in s.bounds()))
            for s in (found.outer, found.inner)
        )
        assert outer is not None
        return Image(outer, inner)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from self._pool(on.shape).facts(on)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(in_shape=(1, 1, -1))
