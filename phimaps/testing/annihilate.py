"""Finding measures Σ c_i δ(x_i) that a kernel does not see: c'Kc = 0, to hundreds of digits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import torch

from ..kernels import Kernel
from ..map import FeatureMap
from ..spaces import Space
from ..witness import AnnihilatingMeasure
from .collide import collision
from .entries import entries, value
from .figures import SIGNS, Figure, figures
from .precise import Precise, formula, mpmath
from .probe import Probe

__all__ = ["Field", "Found", "annihilated", "confirmed", "small", "square"]

# A combination with c'Kc below this, relative to Σ |c_i c_j k(x_i, x_j)|, is looked at closely.
SMALL = 1e-11
# With so many digits, such a value stands for 0. Universal kernels on a dozen points that lie near
# each other, as measured by the kernel, leave values of 1e-100 and above.
DIGITS, ZERO = 360, 300
# Without a formula only so few points decide, and never for certain.
FEW = 4
MERGED = "two points that the sections merge"


@final
class Section(FeatureMap):
    """x ↦ (k(x, z_1), ..., k(x, z_m), k(x, x)): what the anchors z show of a kernel."""

    of: Any
    anchors: Any

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = torch.from_numpy(self.anchors).to(x)
        rows = self.of.between(x, z)
        return torch.cat([rows, self.of.diagonal(x)[:, None]], dim=1)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (len(self.anchors) + 1,)


@formula(Section)
def _section(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    anchors = [np.vectorize(mpmath.mpf, otypes=[object])(z) for z in phi.anchors]
    return np.array([value(evaluate, phi.of, x, z) for z in [*anchors, x]], dtype=object)


@final
@dataclass(frozen=True, eq=False)
class Found:
    """Weights on a figure that a kernel seems not to see."""

    figure: Figure
    weights: np.ndarray
    certain: bool

    @property
    def text(self) -> str:
        """What was found, in words."""
        measure = AnnihilatingMeasure(self.figure.points, self.weights, "")
        how = f"equal to 0 to {ZERO} digits" if self.certain else "up to rounding"
        return f"Σ c_i k(x_i, ·) = 0 on the {self.figure.name}, {how}: {measure}"


@final
class Field:
    """A kernel on a space: its figures, and the matrices on them."""

    def __init__(self, kernel: Kernel, on: Space, seed: int, budget: float):
        self.kernel, self.on, self.seed, self.budget = kernel, on, seed, budget

    def gram(self, points: np.ndarray) -> np.ndarray:
        """k(x_i, x_j) in float64."""
        x = torch.from_numpy(np.ascontiguousarray(points, dtype=np.float64))
        with torch.no_grad():
            matrix = self.kernel.between(x, x).double().numpy().copy()
            np.fill_diagonal(matrix, self.kernel.diagonal(x).double().numpy())
        return matrix

    @cached_property
    def probe(self) -> Probe:
        """The kernel's sections as a map, for the attacks on maps."""
        anchors = self.on.sample(9, np.random.default_rng(self.seed + 21))
        return Probe(Section(self.kernel, anchors), self.on, self.seed, self.budget * 0.3)

    @cached_property
    def figures(self) -> list[Figure]:
        """The standard configurations of points that lie in the space."""
        inside = []
        for f in figures(self.on, self.kernel, np.random.default_rng(self.seed + 20)):
            rows = f.points.reshape(len(f.points), -1)
            distinct = len(np.unique(rows, axis=0)) == len(rows)
            if distinct and np.isfinite(rows).all() and bool(self.on.contains(f.points).all()):
                inside.append(f)
        return inside

    @cached_property
    def grams(self) -> list[tuple[Figure, np.ndarray]]:
        """The matrices of all figures, those that are finite."""
        made = [(f, self.gram(f.points)) for f in self.figures]
        return [(f, k) for f, k in made if np.isfinite(k).all()]


# --- measures that the kernel does not see -----------------------------------------------------
def annihilated(field: Field, balanced: bool = False) -> Found | None:
    """Weights, of total mass 0 if `balanced`, whose combination of k(x_i, ·) is 0."""
    doubtful = None
    for figure, gram in [*field.grams, *_merged(field)]:
        weights = small(figure, gram, balanced)
        if weights is None:
            continue
        found = confirmed(field, figure, gram, weights, balanced)
        if found is not None and found.certain:
            return found
        doubtful = doubtful or found
    return doubtful


def _merged(field: Field) -> Iterator[tuple[Figure, np.ndarray]]:
    """Two points that the sections of the kernel do not tell apart."""
    if not field.on.infinite:
        return
    pair = collision(field.probe)
    if pair is not None:
        points = np.stack(pair[:2])
        yield Figure(MERGED, points, SIGNS), field.gram(points)


def small(figure: Figure, gram: np.ndarray, balanced: bool) -> np.ndarray | None:
    """The weights of the figure, or those that the matrix loses most; None if not lost."""
    n = len(gram)
    if figure.weights is not None:
        weights = figure.weights
        if balanced and weights.sum() != 0:
            return None
    else:
        basis = np.eye(n)
        if balanced:
            if n == 1:
                return None
            basis = np.linalg.qr(np.eye(n)[:, 1:] - 1.0 / n)[0]
        _, vectors = np.linalg.eigh(basis.T @ gram @ basis)
        weights = basis @ vectors[:, 0]
    sizes = np.abs(weights)
    scale = float(sizes @ np.abs(gram) @ sizes)
    return weights if abs(float(weights @ gram @ weights)) <= SMALL * scale + 1e-290 else None


def confirmed(
    field: Field, figure: Figure, gram: np.ndarray, weights: np.ndarray, balanced: bool
) -> Found | None:
    exact = entries(field.kernel, figure.exact or figure.points, DIGITS)
    if exact is None:
        measure = AnnihilatingMeasure(figure.points, weights, "")
        near = len(weights) <= FEW or figure.weights is not None
        if near and measure.verify(lambda x: field.gram(x.numpy())):
            return Found(figure, weights, False)
        return None
    with mpmath.workdps(DIGITS):
        if figure.weights is not None:
            own, size = square(weights, exact)
            zero = abs(own) <= size * mpmath.mpf(10) ** -ZERO
        else:
            zero = _singular(exact, balanced)
    if not zero and figure.name == MERGED and field.on.size <= 4:
        # Such points approximate two that every section merges, and the sections are many.
        return Found(figure, weights, False)
    return Found(figure, weights, True) if zero else None


def square(weights: np.ndarray, exact: np.ndarray) -> tuple[Any, Any]:
    """c'Kc and Σ |c_i c_j k(x_i, x_j)|."""
    c = np.array([mpmath.mpf(float(w)) for w in weights], dtype=object)
    return c @ exact @ c, np.abs(c) @ np.abs(exact) @ np.abs(c)


def _singular(matrix: np.ndarray, balanced: bool) -> bool:
    """Whether a positive semidefinite matrix, on vectors of sum 0 if `balanced`, is singular."""
    rest = matrix.copy()
    if balanced:
        # The matrix of the differences k(x_i, ·) - k(x_0, ·).
        rest = (matrix - matrix[:1] - matrix[:, :1] + matrix[0, 0])[1:, 1:]
    scale = max(abs(rest[i, i]) for i in range(len(rest)))
    small = scale * mpmath.mpf(10) ** -ZERO
    left = list(range(len(rest)))
    while left:
        # Elimination with the greatest diagonal entry first: the least pivot comes last.
        p = max(left, key=lambda i: rest[i, i])
        if rest[p, p] <= small:
            return bool(rest[p, p] >= -small)
        left.remove(p)
        for i in left:
            factor = rest[i, p] / rest[p, p]
            for j in left:
                rest[i, j] -= factor * rest[p, j]
    return False
