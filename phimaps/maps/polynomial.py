"""Monomials up to a degree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement
from math import comb, inf, prod
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Interval

from ..errors import ParameterError, ShapeError
from ..interval import root_sum_squares
from ..map import Fact, FeatureMap
from ..proof import Reason, Strength
from ..property import Continuous, Lipschitz, LowerLipschitz
from ..spaces import Box, Image, Space

__all__ = ["Polynomial"]

# Beyond this width the output is refused before anything is computed.
WIDEST = 2_000_000


@final
class Polynomial(FeatureMap):
    """x ↦ (x^a)_{|a| <= degree}, all monomials up to a degree.

    Parameters
    ----------
    degree : int, default 2
        At least 1.
    interaction_only : bool, default False
        Whether each coordinate occurs at most once in a monomial.
    include_bias : bool, default True
        Whether the constant monomial 1 is among them.

    Notes
    -----
    The monomials stand in the order of scikit-learn's ``PolynomialFeatures``: by degree, then
    lexicographically. Since x itself is among them, the map is injective and shrinks no distance.

    Examples
    --------
    >>> Polynomial().fit_transform([[2.0, 3.0]])
    array([[1., 2., 3., 4., 6., 9.]])
    """

    degree: int = 2
    interaction_only: bool = False
    include_bias: bool = True

    _parameter_constraints = {
        "degree": [Interval(Integral, 1, None, closed="left")],
        "interaction_only": ["boolean"],
        "include_bias": ["boolean"],
    }

    def width(self, d: int) -> int:
        """The number of monomials for d coordinates."""
        ways = range(1, self.degree + 1)
        count = sum(comb(d, k) if self.interaction_only else comb(d + k - 1, k) for k in ways)
        return count + bool(self.include_bias)

    def monomials(self, d: int) -> list[tuple[int, ...]]:
        """The coordinates in each monomial, with repetition."""
        if self.width(d) > WIDEST:
            raise ParameterError(
                f"Polynomial would give {self.width(d)} features.",
                got=f"degree={self.degree} on {d} coordinates",
                need=f"at most {WIDEST} features",
                do="a smaller degree, interaction_only=True, or fewer columns (pm.Select)",
            )
        choose: Any = combinations if self.interaction_only else combinations_with_replacement
        start = 0 if self.include_bias else 1
        return [c for k in range(start, self.degree + 1) for c in choose(range(d), k)]

    def _plan(self, d: int) -> list[list[tuple[int, int, int]]]:
        """For each degree and first coordinate i: which block of the degree below to multiply."""
        if ("plan", d) in self._cache:
            return self._cache["plan", d]
        self.monomials(d)
        plan, starts, position = [], list(range(d)), d
        ends = d
        for _ in range(2, self.degree + 1):
            steps, fresh = [], []
            for i in range(d):
                # x_i times all monomials of the degree below whose first coordinate is >= i.
                first = i + 1 if self.interaction_only else i
                low = starts[first] if first < d else ends
                fresh.append(position)
                if ends > low:
                    steps.append((i, low, ends))
                    position += ends - low
            plan.append(steps)
            starts, ends = fresh, position
        self._cache["plan", d] = plan
        return plan

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim != 2:
            raise ShapeError(
                "Polynomial takes rows of numbers.",
                got=f"items of shape {tuple(x.shape[1:])}",
                need="shape (n, d)",
                do="pm.Polynomial() @ pm.Flatten()",
            )
        n, d = x.shape
        plan = self._plan(d)
        bias = [torch.ones((n, 1), dtype=x.dtype, device=x.device)] if self.include_bias else []
        if x.requires_grad and torch.is_grad_enabled():
            return torch.cat(bias + _blocks(x, plan), dim=1)
        # Column by column in memory order of the transpose, where every step is one stream.
        out = torch.empty((self.width(d) - len(bias), n), dtype=x.dtype, device=x.device)
        out[:d] = x.T
        place = d
        for steps in plan:
            for i, low, high in steps:
                torch.mul(out[low:high], out[i], out=out[place : place + high - low])
                place += high - low
        return torch.cat([*bias, out.T], dim=1)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (self.width(shape[0]),)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        result = []
        for monomial in self.monomials(len(names)):
            powers = [(i, monomial.count(i)) for i in sorted(set(monomial))]
            result.append(" ".join(names[i] + f"^{k}" * (k > 1) for i, k in powers) or "1")
        return result

    def image(self, on: Space) -> Image:
        low, high = (b.ravel() for b in on.bounds())
        ranges = [_power_ranges(low, high, k) for k in range(self.degree + 1)]
        lows, highs = [], []
        for monomial in self.monomials(on.size):
            a, b = 1.0, 1.0
            for i in set(monomial):
                c, d = (side[i] for side in ranges[monomial.count(i)])
                corners = [_times(u, v) for u in (a, b) for v in (c, d)]
                a, b = min(corners), max(corners)
            # The constant and the coordinates themselves are not rounded.
            slack = 4 * self.degree * np.finfo(np.float64).eps if len(monomial) > 1 else 0.0
            lows.append(a - slack * abs(a) if np.isfinite(a) else a)
            highs.append(b + slack * abs(b) if np.isfinite(b) else b)
        return Image(Box(np.array(lows), np.array(highs)))

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "its coordinates are monomials"
        yield LowerLipschitz(1.0), Reason("x itself is among the coordinates", Strength.DEFINITION)
        low, high = (b.ravel() for b in on.bounds())
        size = np.maximum(np.abs(low), np.abs(high))
        if np.isfinite(size).all() and self.width(on.size) <= 20_000:
            yield Lipschitz(lambda: self._steepness(size)), "the Frobenius norm of the derivative"

    def _steepness(self, size: np.ndarray) -> float:
        slopes = []
        for monomial in self.monomials(len(size)):
            for i in set(monomial):
                k = monomial.count(i)
                rest = [j for j in monomial if j != i]
                slopes.append(k * float(size[i]) ** (k - 1) * prod(float(size[j]) for j in rest))
        eps = 8 * self.degree * np.finfo(np.float64).eps
        return root_sum_squares([s * (1 + eps) for s in slopes], up=True)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(degree=3)


def _blocks(x: torch.Tensor, plan: list[list[tuple[int, int, int]]]) -> list[torch.Tensor]:
    blocks, done = [x], x
    for steps in plan:
        fresh = [x[:, i : i + 1] * done[:, low:high] for i, low, high in steps]
        if fresh:
            blocks += fresh
            done = torch.cat((done, *fresh), dim=1)
    return blocks


def _power_ranges(low: np.ndarray, high: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(over="ignore"):
        a, b = low**k, high**k
    least, most = np.minimum(a, b), np.maximum(a, b)
    if k % 2 == 0 and k > 0:
        least = np.where((low < 0) & (high > 0), 0.0, least)
    return least, most


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else min(max(a * b, -inf), inf)
