"""How monomials are computed: each is a coordinate times a monomial of the degree below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import comb, sqrt
from typing import final

import torch

__all__ = ["MonomialPlan"]

# Bytes of the monomials that are worked on at a time.
CHUNK = 16 * 2**20

# A step: the coordinate i, from where to where the monomials stand that it multiplies, and how
# often i occurs in each of the products.
Step = tuple[int, int, int, int]


@final
@dataclass(frozen=True)
class MonomialPlan:
    """The monomials of the degrees 1, ..., `degree` of d coordinates, and the way to them.

    They stand by degree, then lexicographically.

    Parameters
    ----------
    d, degree : int
    interaction_only : bool
        Whether each coordinate occurs at most once in a monomial.
    least : int
        The degree of the first monomials that are wanted; those below are computed on the way.
    kernel : tuple of float, optional
        Numbers a_1, ..., a_degree > 0. If given, a monomial x^a of degree k is multiplied by the
        root of a_k |a|! / (a_1! ⋯ a_d!), so that the inner product of two rows is Σ a_k (x·y)^k.
    """

    d: int
    degree: int
    interaction_only: bool = False
    least: int = 1
    kernel: tuple[float, ...] | None = None

    def count(self, degree: int) -> int:
        """How many monomials of one degree there are."""
        d = self.d
        return comb(d, degree) if self.interaction_only else comb(d + degree - 1, degree)

    @property
    def skipped(self) -> int:
        """How many monomials are computed and not wanted."""
        return sum(self.count(k) for k in range(1, self.least))

    @property
    def total(self) -> int:
        """How many monomials are computed."""
        return sum(self.count(k) for k in range(1, self.degree + 1))

    def rows(self, itemsize: int) -> int:
        """How many rows to work on at a time."""
        return max(64, CHUNK // (max(self.total, 1) * itemsize))

    def _factors(self, x: torch.Tensor, k: int) -> Callable[[int, int], torch.Tensor]:
        """Of the coordinate i as the last factor of monomials in which it occurs a times."""
        if self.kernel is None:
            return lambda i, a: x[:, i : i + 1]
        ratio = self.kernel[k - 1] / (self.kernel[k - 2] if k > 1 else 1.0)
        scaled = [x * sqrt(k * ratio / a) for a in range(1, k + 1)]
        return lambda i, a: scaled[a - 1][:, i : i + 1]

    def _steps(self) -> list[list[Step]]:
        return _steps(self.d, self.degree, self.interaction_only, self.kernel is not None)

    def tracked(self, x: torch.Tensor) -> torch.Tensor:
        """The wanted monomials of the rows of x, differentiable."""
        done = x if self.kernel is None else x * sqrt(self.kernel[0])
        blocks = [done]
        for k, steps in enumerate(self._steps(), 2):
            factor = self._factors(x, k)
            fresh = [factor(i, a) * done[:, low:high] for i, low, high, a in steps]
            if fresh:
                blocks += fresh
                done = torch.cat((done, *fresh), dim=1)
        return torch.cat(blocks, dim=1)[:, self.skipped :]

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        """Write the wanted monomials into `out`, without gradients."""
        rows, beside = self.rows(x.element_size()), None
        if self.skipped:
            beside = x.new_empty((min(rows, len(x)), self.total))
        for start in range(0, len(x), rows):
            piece, part = x[start : start + rows], out[start : start + rows]
            if beside is None:
                self._fill(piece, part)
            else:
                self._fill(piece, beside[: len(piece)])
                part.copy_(beside[: len(piece), self.skipped :])

    def _fill(self, x: torch.Tensor, out: torch.Tensor) -> None:
        # Along the rows, where neighbouring products are written together.
        place = self.d
        if self.kernel is None:
            out[:, :place] = x
        else:
            torch.mul(x, sqrt(self.kernel[0]), out=out[:, :place])
        for k, steps in enumerate(self._steps(), 2):
            factor = self._factors(x, k)
            for i, low, high, a in steps:
                end = place + high - low
                torch.mul(out[:, low:high], factor(i, a), out=out[:, place:end])
                place = end


@lru_cache(maxsize=32)
def _steps(d: int, degree: int, interaction_only: bool, split: bool) -> list[list[Step]]:
    """For each degree from 2 on: x_i times what of the degree below begins with x_i or later."""
    plan: list[list[Step]] = []
    # Where the monomials of the degree below stand that begin with i, by how often i occurs.
    runs = [[(i, i + 1, 1)] for i in range(d)]
    ends = position = d
    for _ in range(2, degree + 1):
        steps: list[Step] = []
        fresh: list[list[tuple[int, int, int]]] = []
        for i in range(d):
            mine = []
            if not interaction_only:
                # In lexicographic order those with more i come first.
                mine = [(low, high, a + 1) for low, high, a in runs[i]]
            rest = next((r[0][0] for r in runs[i + 1 :] if r), ends)
            if rest < ends:
                mine.append((rest, ends, 1))
            made = []
            for low, high, a in mine:
                made.append((position, position + high - low, a))
                position += high - low
            if split:
                steps += [(i, low, high, a) for low, high, a in mine]
            elif mine:
                steps.append((i, mine[0][0], ends, 1))
            fresh.append(made)
        plan.append(steps)
        runs, ends = fresh, position
    return plan
