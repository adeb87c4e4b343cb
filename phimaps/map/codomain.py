"""What a readout ρ: R^n → Y has as values, and how targets in Y go back to R^n."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf
from typing import Any, ClassVar, final

import numpy as np

from ..errors import InputError, show

__all__ = [
    "Circle",
    "Codomain",
    "Coordinates",
    "Directions",
    "PositiveDefinite",
    "PositiveNumbers",
    "Probabilities",
]

# How far targets may lie from Y and still count as rounded points of it; they are moved there.
ROUNDED = 1e-6


class Codomain(ABC):
    """Y, where a readout ρ: R^n → Y has its values, with a way back; abstract.

    Targets y in Y are lifted to s(r_t(y)) in R^n with ρ(s(r_t(y))) = r_t(y). Here s is a section of
    ρ, and r_t: Y → Y is a collar: it moves Y to where s is defined, and r_t → id uniformly as
    t → 0. Where ρ is onto Y there is no need of one.
    """

    # How many coordinates the readout takes at least.
    least: ClassVar[int] = 1
    # Whether s is continuous on r_t(Y), and ρ continuous around s(r_t(Y)).
    section: ClassVar[bool] = True
    # Whether ρ is a homeomorphism of R^n onto its image.
    embeds: ClassVar[bool] = False
    # Whether ρ = τ∘L with the differences L(z) = (z_i - z_n) and a homeomorphism τ of R^(n-1) onto
    # its image.
    differences: ClassVar[bool] = False
    # Whether a continuous real function λ on an open part of Y has λ(ρ(z)) and a·z of one sign for
    # some a that is e_1 or e_1 - e_2, and takes both signs on any connected dense part.
    signs: ClassVar[bool] = True
    # Whether there are targets that are names of classes.
    labels: ClassVar[bool] = False
    # Y in words, and what the way back is.
    words: ClassVar[str]
    why: ClassVar[str]

    @abstractmethod
    def read(self, y: Any) -> np.ndarray:
        """Targets as float64, checked to lie in Y up to rounding, and moved there.

        Raises
        ------
        InputError
            When a target is not finite or lies outside of Y.
        """

    @abstractmethod
    def lift(self, y: np.ndarray, collar: float) -> np.ndarray:
        """s(r_t(y)) for targets that were read, of shape (N, n), with t = collar."""

    @abstractmethod
    def contains(self, values: np.ndarray) -> np.ndarray:
        """Which values of the readout lie in Y, up to rounding; bool of shape (N,)."""


def numbers(y: Any, words: str, ndim: int = 2) -> np.ndarray:
    """Targets as an array of finite float64 with so many axes."""
    try:
        array = np.array(y, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.full((), np.nan)
    if array.ndim != ndim or not array.size:
        letters = ("N", "n", "n")[:ndim]
        raise InputError(
            f"The targets are not {words}.",
            got=f"y={show(y)}",
            need=f"numbers of shape ({', '.join(letters)}{',' * (ndim == 1)})",
            do="fit(X, y) with a target for each row of X",
        )
    bad = np.asarray(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
    refuse(bad, array, words, f"finite {words}", "drop these rows, or impute their targets")
    return array


def refuse(bad: np.ndarray, y: np.ndarray, words: str, need: str, do: str) -> None:
    """Raise InputError where some targets are bad."""
    if not bad.any():
        return
    row = int(np.argmax(bad))
    more = int(bad.sum()) - 1
    values = np.array2string(y[row].ravel()[:8], precision=6, separator=", ")
    if np.isfinite(y[row]).all():
        first = f"Row {row} of y, {values}, is none of the {words}."
    else:
        first = f"Input y contains {'NaN' if np.isnan(y[row]).any() else 'infinity'}."
    raise InputError(
        first,
        got=f"{values} in row {row}" + (f", and {more} more like it" if more else ""),
        need=need,
        do=do,
    )


@final
class Probabilities(Codomain):
    """The closed simplex {p : p_i >= 0, Σ p_i = 1}, of softmax.

    The image is the open simplex, which is dense; s(p) = log p less its mean, and
    r_t(p) = (1 - t) p + t/n moves every probability by less than t.
    """

    least = 2
    differences = True
    labels = True
    words = "probability vectors"
    why = "s = log on the open simplex, collar r_t(p) = (1 - t) p + t/n"

    def read(self, y: Any) -> np.ndarray:
        p = numbers(y, self.words)
        total = p.sum(axis=1)
        need = f"non-negative entries, at least 2, whose sum is 1 up to {ROUNDED:g}"
        bad = (p < 0).any(axis=1) | (np.abs(total - 1) > ROUNDED) | (p.shape[1] < 2)
        refuse(
            bad, p, self.words, need, "y / y.sum(axis=1, keepdims=True) for non-negative weights"
        )
        return p / total[:, None]

    def lift(self, y: np.ndarray, collar: float) -> np.ndarray:
        logs = np.log((1 - collar) * y + collar / y.shape[1])
        return np.asarray(logs - logs.mean(axis=1, keepdims=True))

    def contains(self, values: np.ndarray) -> np.ndarray:
        near = np.abs(values.sum(axis=1) - 1) <= ROUNDED
        return np.asarray(near & (values >= 0).all(axis=1))


@final
class PositiveNumbers(Codomain):
    """{y : y_i > 0}, of exp; s = log."""

    embeds = True
    words = "positive numbers"
    why = "exp is onto the positive numbers, and s = log"

    def read(self, y: Any) -> np.ndarray:
        values = numbers(y, self.words, 1 if np.asarray(y).ndim == 1 else 2)
        values = values.reshape(len(values), -1)
        do = "leave out what is 0, or model it apart: exp comes near to 0 and never reaches it"
        refuse(np.asarray((values <= 0).any(axis=1)), values, self.words, "numbers > 0", do)
        return values

    def lift(self, y: np.ndarray, collar: float) -> np.ndarray:
        return np.asarray(np.log(y))

    def contains(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(((values > 0) & (values < inf)).all(axis=1))


@final
class Coordinates(Codomain):
    """R^n, of the identity."""

    embeds = True
    words = "vectors"
    why = "the identity is its own section"

    def read(self, y: Any) -> np.ndarray:
        values = numbers(y, self.words, 1 if np.asarray(y).ndim == 1 else 2)
        return values.reshape(len(values), -1)

    def lift(self, y: np.ndarray, collar: float) -> np.ndarray:
        return y

    def contains(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.isfinite(values).all(axis=1))


@final
class Directions(Codomain):
    """The unit sphere {u : |u| = 1} in R^n, n >= 2, of z ↦ z / |z|.

    The section is the inclusion. The readout has values in Y off 0 only, so only those f count that
    have no zero where they are asked; near the sphere none has.
    """

    least = 2
    words = "unit vectors"
    why = (
        "the inclusion of the sphere is a section, and what is nearer to it than 1 does not vanish"
    )

    def read(self, y: Any) -> np.ndarray:
        u = numbers(y, self.words)
        length = np.linalg.norm(u, axis=1)
        need = f"vectors of at least 2 entries whose length is 1 up to {ROUNDED:g}"
        bad = (np.abs(length - 1) > ROUNDED) | (u.shape[1] < 2)
        refuse(bad, u, self.words, need, "y / np.linalg.norm(y, axis=1, keepdims=True)")
        return u / length[:, None]

    def lift(self, y: np.ndarray, collar: float) -> np.ndarray:
        return y

    def contains(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(np.linalg.norm(values, axis=1) - 1) <= ROUNDED)


@final
class PositiveDefinite(Codomain):
    """The symmetric positive definite matrices of size k, of the matrix exponential; s = log.

    Symmetric matrices are vectors of k(k + 1)/2 entries: the upper triangle row by row, with √2
    before what stands off the diagonal, so that lengths are Frobenius norms.
    """

    embeds = True
    words = "symmetric positive definite matrices"
    why = "the matrix exponential is onto them, and s is the matrix logarithm"

    def read(self, y: Any) -> np.ndarray:
        matrices = numbers(y, self.words, 3)
        turned = matrices.swapaxes(1, 2)
        if matrices.shape != turned.shape:
            raise InputError(
                f"The targets are not {self.words}.",
                got=f"y={show(y)}",
                need="square matrices: shape (N, k, k)",
                do="fit(X, y) with a matrix for each row of X",
            )
        size = np.abs(matrices).max(axis=(1, 2))
        skew = np.abs(matrices - turned).max(axis=(1, 2))
        half = matrices / 2 + turned / 2
        least = np.linalg.eigvalsh(half)[:, 0]
        need = f"matrices with y = y.T up to {ROUNDED:g} of their size, and all eigenvalues > 0"
        bad = (skew > ROUNDED * size) | (least <= 0)
        refuse(
            bad, matrices, self.words, need, "(y + y.T) / 2, and y + ε I where an eigenvalue is 0"
        )
        return np.asarray(half)

    def lift(self, y: np.ndarray, collar: float) -> np.ndarray:
        values, vectors = np.linalg.eigh(y)
        logs = np.einsum("nij,nj,nkj->nik", vectors, np.log(values), vectors)
        rows, columns = np.triu_indices(y.shape[1])
        return np.asarray(logs[:, rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2.0)))

    def contains(self, values: np.ndarray) -> np.ndarray:
        finite = np.isfinite(values).all(axis=(1, 2))
        safe = np.where(finite[:, None, None], values, np.eye(values.shape[1]))
        return np.asarray(finite & (np.linalg.eigvalsh(safe)[:, 0] > 0))


@final
class Circle(Codomain):
    """A circle around 0 in the plane, of t ↦ r (cos wt, sin wt), which winds R around it.

    The readout is a covering: every continuous g: X → Y has a continuous angle where every loop of
    X can be drawn together, and not everywhere. The angle in (-π, π] is a section that jumps.

    Parameters
    ----------
    radius, frequency, start : float
        r, w and the t of the angle 0; r and w not 0.
    """

    section = False
    signs = False
    words = "points of a circle"
    why = "t ↦ r (cos wt, sin wt) is a covering of the circle, and onto"

    def __init__(self, radius: float, frequency: float, start: float):
        self.radius, self.frequency, self.start = radius, frequency, start

    def read(self, y: Any) -> np.ndarray:
        points = numbers(y, self.words)
        length = np.linalg.norm(points, axis=1) / abs(self.radius)
        bad = (np.abs(length - 1) > ROUNDED) | (points.shape[1] != 2)
        need = f"2 entries with length {abs(self.radius):g}, up to {ROUNDED:g} of it"
        refuse(bad, points, self.words, need, "r * y / np.linalg.norm(y, axis=1, keepdims=True)")
        return points / length[:, None]

    def lift(self, y: np.ndarray, collar: float) -> np.ndarray:
        unit = y / self.radius
        return np.asarray(self.start + np.arctan2(unit[:, 1:], unit[:, :1]) / self.frequency)

    def contains(self, values: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(values, axis=1) / abs(self.radius)
        return np.asarray(np.abs(length - 1) <= ROUNDED)
