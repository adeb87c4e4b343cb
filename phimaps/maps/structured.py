"""Waves whose frequencies are products of signs and Hadamard matrices: no big matrix anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from math import inf, isfinite, pi
from typing import Any, ClassVar, final

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, Real

from ..errors import ParameterError, ShapeError
from ..interval import multiply, root_sum_squares
from ..map import Fact, FeatureMap
from ..proof import Reason, Strength
from ..property import Bounded, Continuous, Lipschitz, LowerLipschitz, Smooth
from ..rows import DTYPES
from ..spaces import Box, Image, Space
from .hadamard import hadamard, power_of_two, transform
from .waves import waves

__all__ = ["HadamardFourier"]

# The turned rows of a chunk, in bytes: they are read and written many times, from a cache.
CHUNK = 2**20
# What certified bounds leave for the rounding of square roots and products.
ROUNDED = 1e-12


@final
class HadamardFourier(FeatureMap):
    """x ↦ s (cos(S(x - c)), sin(S(x - c))), waves of frequencies turned by Hadamard matrices.

    The rows, times `weight` and filled up with zeros to a power of two N, are turned once by signs
    and the Hadamard matrix, H D_0 / √N, and then for each block of N frequencies by two more, H D'
    H D / N; `radii` are the lengths of the frequencies. A turn takes O(N log N) steps, and nothing
    bigger than the signs is kept.

    Parameters
    ----------
    weight : array-like or tensor of shape (d,)
        A factor for each coordinate, not 0: one over its length scale.
    signs : array-like or tensor of shape (1 + 2 B, N)
        The diagonals D_0, then D and D' of each of the B blocks, ±1.
    radii : array-like or tensor of shape (m,)
        The lengths of the frequencies, (B - 1) N < m <= B N.
    scale : float, default 1
        s, not 0.
    center : array-like or tensor of shape (d,), optional
        c, 0 by default; see `phimaps.Fourier`.
    precise : bool, default False
        Whether to compute the phases in float64 also for rows of float32.

    References
    ----------
    Yu, Suresh, Choromanski, Holtmann-Rice, Kumar (2016), Orthogonal random features, section 5.
    Here lengths are those of normal vectors, and the first turn is shared by the blocks.

    Examples
    --------
    >>> phi = HadamardFourier([1.0], [[1.0], [1.0], [-1.0]], [np.pi])
    >>> phi.fit_transform([[1.0], [0.5]]).round(6) + 0.0
    array([[-1.,  0.],
           [ 0., -1.]])
    """

    weight: Any
    signs: Any
    radii: Any
    scale: float = 1.0
    center: Any = None
    precise: bool = False

    arrays: ClassVar[dict[str, int]] = {"weight": 1, "signs": 2, "radii": 1, "center": 1}
    _parameter_constraints = {
        "scale": [Interval(Real, None, None, closed="neither")],
        "precise": ["boolean"],
    }

    def _weight(self, name: str) -> torch.Tensor:
        if name == "center" and self.center is None:
            return torch.zeros_like(super()._weight("weight"))
        return super()._weight(name)

    def check_parameters(self) -> None:
        super().check_parameters()
        weight, signs, radii, center = (self.array(name) for name in self.arrays)
        turns, order = signs.shape
        blocks = (turns - 1) // 2
        fits = (
            order == power_of_two(len(weight))
            and turns == 1 + 2 * blocks
            and (blocks - 1) * order < len(radii) <= blocks * order
            and len(center) == len(weight)
        )
        if fits and (np.abs(signs) == 1).all():
            return
        raise ParameterError(
            "The arrays of HadamardFourier do not fit together.",
            got=f"weight, signs, radii, center of shapes {weight.shape}, {signs.shape}, "
            f"{radii.shape}, {center.shape}",
            need="signs ±1 of shape (1 + 2 B, N), for the least power of two N >= d and the least "
            "B N >= m, where weight and center have shape (d,) and radii has shape (m,)",
            do="pm.RandomFourier(sampling='structured'), which draws them",
        )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return self.array("weight").shape

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (2 * len(self.array("radii")),)

    @property
    def sparse(self) -> bool:
        return True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._check_width(x.shape)
        dtype = x.dtype
        x = x.double() if self.precise else x
        weight, signs, radii, center = self.weights(x)
        order = signs.shape[1]
        scaled = (x if self.center is None else x - center) * weight
        padded = torch.nn.functional.pad(scaled, (0, order - len(weight)))
        first = transform(padded * signs[0])
        blocks = [
            transform(transform(first * one) * two)
            for one, two in zip(signs[1::2], signs[2::2], strict=True)
        ]
        phase = torch.cat(blocks, dim=1)[:, : len(radii)] * (radii * order**-1.5)
        return torch.cat((phase.cos(), phase.sin()), dim=1).to(dtype) * float(self.scale)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        if x.device.type != "cpu":
            out.copy_(self.forward(x))
            return
        self._check_width(x.shape)
        x = x.double() if self.precise else x
        weight, signs, radii, center = self.weights(x)
        (n, d), order, m = x.shape, signs.shape[1], len(radii)
        # Rows stand side by side, so that every step runs along memory.
        turned, spare, block = (x.new_empty((order, n)) for _ in range(3))
        scaled = torch.mul(x if self.center is None else x - center, weight * signs[0, :d])
        turned[:d].copy_(scaled.t())
        turned[d:].zero_()
        turned, spare = _turn(turned, spare)
        lengths = (radii.double() * (order**-1.5 / (2 * pi))).to(x)
        upright = x.new_empty((n, order))
        for i, start in enumerate(range(0, m, order)):
            torch.mul(turned, signs[1 + 2 * i, :, None], out=block)
            block, spare = _turn(block, spare)
            block.mul_(signs[2 + 2 * i, :, None])
            block, spare = _turn(block, spare)
            stop = min(m, start + order)
            turns = upright[:, : stop - start]
            turns.copy_(block[: stop - start].t())
            turns.mul_(lengths[start:stop])
            waves(turns, out[:, start:stop], out[:, m + start : m + stop], float(self.scale))

    def forward_sparse(self, x: Any) -> torch.Tensor:
        self._check_width(x.shape)
        out = torch.empty((x.shape[0], *(self.gives or ())), dtype=DTYPES[x.dtype.type])
        rows = self.chunk_rows(x.shape[1:], x.dtype.itemsize)
        for start in range(0, x.shape[0], rows):
            piece = torch.from_numpy(x[start : start + rows].toarray())
            self.write(piece, out[start : start + rows])
        return out

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int:
        return max(8, CHUNK // (self.array("signs").shape[1] * (8 if self.precise else itemsize)))

    def _check_width(self, shape: Any) -> None:
        (d,) = self.array("weight").shape
        if len(shape) != 2 or shape[1] != d:
            raise ShapeError(
                f"X has {shape[1] if len(shape) > 1 else 0} features, but HadamardFourier is "
                f"expecting {d} features as input.",
                got=f"shape {tuple(shape)}",
                need=f"shape (n, {d})",
                do="pass rows of that width; put Flatten() first for images",
            )

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        point = "x" if self.center is None else "(x - c)"
        count = len(self.array("radii"))
        return [f"{wave}(w{i}·{point})" for wave in ("cos", "sin") for i in range(count)]

    def image(self, on: Space) -> Image:
        reach = np.full(2 * len(self.array("radii")), abs(float(self.scale)))
        return Image(Box(-reach, reach))

    def frequencies(self) -> np.ndarray:
        """The matrix of shape (d, m) with a frequency in each column, as `phimaps.Fourier` has."""
        weight, signs, radii, _ = (self.array(name) for name in self.arrays)
        order = signs.shape[1]
        matrix = hadamard(order)
        first = np.diag(weight) @ (signs[0][:, None] * matrix)[: len(weight)]
        blocks = [
            (((first * one) @ matrix) * two) @ matrix
            for one, two in zip(signs[1::2], signs[2::2], strict=True)
        ]
        return np.concatenate(blocks, axis=1)[:, : len(radii)] * (radii * order**-1.5)

    def facts(self, on: Space) -> Iterator[Fact]:
        weight, signs, radii, _ = (self.array(name) for name in self.arrays)
        s, m, order = abs(float(self.scale)), len(radii), signs.shape[1]
        yield Continuous, "sines and cosines of affine functions"
        yield Smooth(inf), "sines and cosines of affine functions"
        pairs = Reason("cos² + sin² = 1 in each pair", Strength.COMPUTED)
        yield Bounded(root_sum_squares([s] * m, up=True)), pairs
        yield (~Bounded)(root_sum_squares([s] * m, up=False)), pairs
        size = np.abs(radii)
        starts = range(0, m, order)
        most = [float(size[a : a + order].max()) for a in starts]
        widest = float(np.abs(weight).max())
        top = multiply([s, widest, root_sum_squares(most, up=True), 1 + ROUNDED], True)
        yield (
            Lipschitz(top),
            Reason(
                "every block of frequencies is an orthogonal matrix times lengths, so that |Sx|² "
                "is at most the sum of the greatest squares of each block times |weight ⊙ x|²",
                Strength.COMPUTED,
            ),
        )
        if not (on.euclidean and isfinite(on.diameter)):
            return
        travel = size * (widest * on.diameter * (1 + 1e-9))
        short = travel < 2 * pi * (1 - 1e-9)
        kept = np.where(short & (travel > 0), travel, 1.0)
        shrink = np.where(travel > 0, 2 * np.sin(kept / 2) / kept, 1.0)
        seen = np.where(short, size * shrink * (1 - 1e-9), 0.0)
        # Only a whole block has an orthogonal matrix, which loses no direction.
        least = [float(seen[a : a + order].min()) for a in starts if a + order <= m]
        low = 0.0
        if any(least):
            narrowest = float(np.abs(weight).min())
            low = multiply([s, narrowest, root_sum_squares(least, up=False), 1 - ROUNDED], False)
        if low > 0:
            text = (
                "every whole block of frequencies is an orthogonal matrix times lengths; on a "
                "travel of T < 2π, 2 |sin(t/2)| >= |t| 2 sin(T/2) / T"
            )
            yield LowerLipschitz(low), Reason(text, Strength.COMPUTED)

    @classmethod
    def example(cls) -> FeatureMap:
        # That one imports this module.
        from .random_fourier import RandomFourier

        return RandomFourier(n_components=12, sampling="structured")


def _turn(x: torch.Tensor, spare: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """H x for columns side by side, without gradients; then the tensor that is left over."""
    before = 1
    for part in _parts(len(x)):
        matrix = _small(part, x.dtype)
        source, target = (t.view(before, part, -1) for t in (x, spare))
        if before == 1:
            torch.mm(matrix, source[0], out=target[0])
        else:
            torch.bmm(matrix.expand(before, part, part), source, out=target)
        before *= part
        x, spare = spare, x
    return x, spare


@cache
def _parts(order: int) -> tuple[int, ...]:
    """Factors of a power of two: products with matrices of 8 and 16 rows take the least time."""
    exponent = order.bit_length() - 1
    sixteens = exponent % 3
    if exponent < 4 * sixteens:
        return (order,)
    return (8,) * ((exponent - 4 * sixteens) // 3) + (16,) * sixteens


@cache
def _small(part: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.from_numpy(hadamard(part).copy()).to(dtype)
