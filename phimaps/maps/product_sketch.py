"""Product sketches of polynomial kernels with complex signs and Hadamard matrices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, final

import numpy as np
import torch

from ..map import FeatureMap
from .hadamard import hadamard_rows, power_of_two, transform
from .polynomial_sketch import PolynomialSketch
from .sketched import Group, SketchedDegrees

__all__ = ["ProductSketch", "RademacherProducts", "draw"]

# Up to this many coordinates a product with a dense matrix is faster than Hadamard transforms.
DIRECT = 256
# Beyond that, up to this many functions more than fill whole Hadamard matrices.
FEW = 80


@final
class RademacherProducts(SketchedDegrees):
    """x ↦ (√a_0, √a_1 x, s_k ∏_{j<=k} P_kj H D_kj x, ...), products of signed Hadamard transforms.

    D multiplies the coordinates by random fourth roots of 1, H is a Hadamard matrix, and P chooses
    rows of it. The real and imaginary parts of the products are features.

    Parameters
    ----------
    features : int
        The number d of coordinates of x; H has the order of the next power of two.
    groups : tuple of (int, int, float)
        The degree k, the number of features and the scale s_k of each product. For each of its
        factors it takes the next blocks, as many as its features need, and one more with signs that
        are real if their number is odd.
    constant, linear : float
        √a_0 and √a_1; 0 stands for no such features.
    turns : array of int of shape (blocks, order)
        The diagonals D as multiples of a quarter turn.
    chosen : array of int of shape (slots,)
        The rows of H, for one block after the other.

    Examples
    --------
    >>> phi = RademacherProducts(1, [(2, 1, 2**0.5)], 0.0, 0.0, turns=[[0], [2]], chosen=[0, 0])
    >>> phi.fit_transform([[3.0]])
    array([[-9.]])
    """

    features: int
    groups: Any
    constant: float
    linear: float
    turns: Any
    chosen: Any

    def real(self, width: int) -> int:
        return width % 2

    def _places(self, group: int) -> Iterator[tuple[int, int]]:
        """Where the blocks and the chosen rows of each factor begin."""
        order = power_of_two(self.features)
        block = slot = 0
        for i, (degree, width, _) in enumerate(self.groups[: group + 1]):
            for _ in range(degree):
                if i == group:
                    yield block, slot
                block += blocks_of(width, order)
                slot += self.slots(width)

    def _covered(self, width: int) -> int:
        """How many slots of a factor Hadamard transforms compute; a dense matrix does the rest."""
        if self.features <= DIRECT:
            return 0
        order, pairs = power_of_two(self.features), width // 2
        whole = pairs // order * order
        return pairs if pairs - whole > FEW else whole

    def _matrix(self, group: int, factor: int, like: torch.Tensor) -> torch.Tensor:
        """The slots of a factor that are not covered, real and imaginary parts in turn."""
        key = "matrix", group, factor, like.dtype, like.device
        if key not in self._cache:
            d, order = self.features, power_of_two(self.features)
            block, slot = list(self._places(group))[factor]
            width = self.groups[group][1]
            rest = slice(self._covered(width), self.slots(width))
            where = block + block_of_slot(width, order)[rest]
            roots = np.array([1, 1j, -1, -1j])[np.asarray(self.turns)[where, :d]]
            rows = np.asarray(self.chosen)[slot : slot + self.slots(width)][rest]
            columns = (self.root(group) * roots * hadamard_rows(rows, d)).T
            flat = np.ascontiguousarray(columns).view(np.float64).reshape(d, -1)
            self._cache[key] = torch.from_numpy(flat).to(like.device, like.dtype)
        return self._cache[key]

    def factors(self, x: torch.Tensor, group: int) -> Iterable[torch.Tensor]:
        degree, width, _ = self.groups[group]
        covered = self._covered(width)
        for j in range(degree):
            found = [self._transformed(x, group, j)] if covered else []
            if covered < self.slots(width):
                product = x @ self._matrix(group, j, x)
                found.append(torch.view_as_complex(product.view(len(x), -1, 2)))
            yield found[0] if len(found) == 1 else torch.cat(found, dim=1)

    def factors_sparse(self, x: Any, group: int) -> Iterator[torch.Tensor]:
        yield from self.factors(torch.from_numpy(x.toarray()), group)

    def _signs(
        self, group: int, factor: int, like: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The diagonals, real and imaginary parts apart, and the places of the chosen rows."""
        key = "signs", group, factor, like.dtype, like.device
        if key not in self._cache:
            order, width = power_of_two(self.features), self.groups[group][1]
            block, slot = list(self._places(group))[factor]
            covered = self._covered(width)
            turns = np.asarray(self.turns)[block : block - (-covered // order)]
            roots = self.root(group) * np.array([[1, 0, -1, 0], [0, 1, 0, -1]])
            parts = roots[:, turns[:, : self.features]]
            rows = np.asarray(self.chosen)[slot : slot + covered]
            first = block_of_slot(width, order)[:covered] * order
            self._cache[key] = (
                torch.from_numpy(parts).to(like.device, like.dtype),
                torch.from_numpy(first + rows).to(like.device),
            )
        return self._cache[key]

    def _transformed(self, x: torch.Tensor, group: int, factor: int) -> torch.Tensor:
        order = power_of_two(self.features)
        signs, places = self._signs(group, factor, x)
        turned = torch.nn.functional.pad(x[:, None, None] * signs, (0, order - self.features))
        waves = transform(turned).flatten(2)[..., places]
        return torch.complex(waves[:, 0].contiguous(), waves[:, 1].contiguous())

    @classmethod
    def example(cls) -> FeatureMap:
        return ProductSketch(coef0=1.0, n_components=9)


def blocks_of(width: int, order: int) -> int:
    """How many diagonals a factor of this width needs."""
    return -(-(width // 2) // order) + width % 2


def block_of_slot(width: int, order: int) -> np.ndarray:
    """To which of its diagonals each slot of a factor belongs."""
    where = np.arange(width // 2) // order
    return np.concatenate([where, [blocks_of(width, order) - 1] * (width % 2)]).astype(int)


def draw(rng: np.random.Generator, d: int, groups: list[Group]) -> tuple[np.ndarray, np.ndarray]:
    """Random `turns` and `chosen` of `RademacherProducts` for these groups.

    Every factor has diagonals of its own and takes the rows of the Hadamard matrix in an order of
    its own, so that two slots of a block have independent pairs of rows in the factors.
    """
    order = power_of_two(d)
    turns, chosen = [np.zeros((0, order), dtype=np.int8)], [np.zeros(0, dtype=np.int32)]
    for degree, width, _ in groups:
        for _ in range(degree):
            count, odd = blocks_of(width, order) - width % 2, width % 2
            turns.append(rng.integers(0, 4, (count, order), dtype=np.int8))
            turns.append(2 * rng.integers(0, 2, (odd, order), dtype=np.int8))
            orders = [rng.permutation(order) for _ in range(count)]
            rows = np.concatenate([*orders, np.zeros(0, dtype=int)])[: width // 2]
            chosen += [rows.astype(np.int32), rng.integers(0, order, odd, dtype=np.int32)]
    return np.concatenate(turns), np.concatenate(chosen)


@final
class ProductSketch(PolynomialSketch):
    """x ↦ features of the kernel (γ x·y + c)^p by products of signed Hadamard transforms; open.

    The inner product of two features estimates the kernel without bias, at a lower error than
    `TensorSketch` at the same width. Parameters and exact degrees are those of `TensorSketch`.

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
        Seed of the signs. None draws anew at every binding.
    exact_low : bool, default True
        Whether degrees, or all of the kernel, may be exact.

    References
    ----------
    Wacker, Ohana and Filippone (2023), Complex-to-real sketches for tensor products with
    applications to the polynomial kernel; Hamid, Xiao, Gittens and DeCoste (2014), Compact random
    feature maps.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(4, 30)) / 6
    >>> Z = ProductSketch(degree=2, coef0=1.0, n_components=400).fit_transform(X)
    >>> bool(np.abs(Z @ Z.T - (X @ X.T + 1) ** 2).max() < 0.15)
    True
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
        turns, chosen = draw(rng, d, groups)
        return RademacherProducts(d, tuple(groups), constant, linear, turns, chosen)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(coef0=1.0, n_components=9)
