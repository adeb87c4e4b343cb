"""Witnesses: plain data that refute a claim, checkable without the library's own reasoning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum
from typing import Any, final

import numpy as np
import torch

__all__ = ["AnnihilatingMeasure", "Collision", "Witness"]


@final
@dataclass(frozen=True, eq=False)
class Collision:
    """Two different points x ≠ y with φ(x) = φ(y).

    It refutes injectivity, and with it universality of f∘φ for *every* class of functions f.

    Parameters
    ----------
    x, y : ndarray
        The points, of one shape.
    because : str
        Why the features agree as real numbers; floating-point equality alone would not show it.
    exact : bool
        Whether x and y themselves collide. If not, the theorem named in `because` shows that a
        colliding pair exists, and these points approximate it.
    arithmetic : {"real", "float64", "float32"}
        Of which map they are a collision: of φ, or of φ as it is computed in that precision, bit by
        bit; the latter shows nothing of φ.

    Examples
    --------
    >>> import phimaps as pm
    >>> Collision(np.array([-1.0]), np.array([-2.0]), "both are negative").verify(pm.Relu())
    True
    """

    x: np.ndarray
    y: np.ndarray
    because: str
    exact: bool = True
    arithmetic: str = "real"

    def gap(self, phi: Callable[[torch.Tensor], Any]) -> float:
        """The greatest absolute difference of features, computed in float64.

        Parameters
        ----------
        phi : callable
            The map: float64 tensor of shape (2, *point) in, tensor of shape (2, *features) out.

        Returns
        -------
        float
        """
        points = torch.from_numpy(np.stack([self.x, self.y]).astype(np.float64))
        with torch.no_grad():
            values = phi(points).reshape(2, -1)
        return float((values[0] - values[1]).abs().max()) if values.shape[1] else 0.0

    def verify(self, phi: Callable[[torch.Tensor], Any], tolerance: float | None = None) -> bool:
        """Recompute both features and compare them.

        Parameters
        ----------
        phi : callable
            The map, as in `gap`.
        tolerance : float, optional
            The gap allowed. Default: what rounding the two points in their last place does to the
            features, so that no constant stands for conditioning.

        Returns
        -------
        bool
            True when the points differ and their features agree within the tolerance.
        """
        if np.array_equal(self.x, self.y):
            return False
        if self.arithmetic != "real":
            return self._same_bits(phi)
        gap = self.gap(phi)
        return bool(gap <= (self._wobble(phi) if tolerance is None else tolerance))

    def _same_bits(self, phi: Callable[[torch.Tensor], Any]) -> bool:
        kind = torch.float64 if self.arithmetic == "float64" else torch.float32
        points = torch.from_numpy(np.stack([self.x, self.y]).astype(np.float64)).to(kind)
        with torch.no_grad():
            a, b = phi(points)
        return bool(not torch.equal(points[0], points[1]) and torch.equal(a, b))

    def _wobble(self, phi: Callable[[torch.Tensor], Any]) -> float:
        points = np.stack([self.x, self.y]).astype(np.float64)
        # Coordinates move by different amounts: many maps do not see a common shift.
        steps = np.random.default_rng(0).integers(2, 9, points.shape)
        up = points + steps * np.spacing(np.abs(points).max())
        with torch.no_grad():
            a = phi(torch.from_numpy(points)).reshape(2, -1)
            b = phi(torch.from_numpy(up)).reshape(2, -1)
        scale = float(torch.maximum(a.abs(), b.abs()).max()) if a.shape[1] else 0.0
        return 8 * float((a - b).abs().max() if a.shape[1] else 0.0) + 64 * np.spacing(scale)

    def to_dict(self) -> dict[str, Any]:
        """The witness as plain JSON-serialisable data."""
        return {
            "kind": "collision",
            "x": self.x.tolist(),
            "y": self.y.tolist(),
            "because": self.because,
            "exact": self.exact,
            "arithmetic": self.arithmetic,
        }


# So many points of a measure are printed.
SHOWN = 8


@final
@dataclass(frozen=True, eq=False)
class AnnihilatingMeasure:
    """Σ c_i δ(x_i) ≠ 0 with Σ c_i f(x_i) = 0 for every f of a class: for a kernel, c'Kc = 0.

    Functions of the class, and their uniform limits, satisfy Σ c_i f(x_i) = 0 on these points, and
    some continuous functions do not: so the class is not dense. For the space H_k of a kernel k the
    square of the norm of Σ c_i k(x_i, ·) is c'Kc, where K is the matrix k(x_i, x_j). With total
    mass Σ c_i = 0 its two halves are probability measures that k does not tell apart, up to scale.

    Parameters
    ----------
    points : ndarray of shape (n, *point)
        Different points.
    weights : ndarray of shape (n,)
        Not all zero.
    because : str
        Why it annihilates the class in real arithmetic; float64 alone would not show it.
    exact : bool
        Whether these very numbers annihilate it. If not, the reason in `because` shows that such a
        measure exists, and these are its numbers rounded.

    Examples
    --------
    >>> measure = AnnihilatingMeasure([[1.0], [-1.0]], [1.0, -1.0], "k(x, y) = |x| |y| is even")
    >>> measure.verify(lambda x: x.abs() @ x.abs().T), measure.mass
    (True, 0.0)
    >>> print(measure)
    δ[1] - δ[-1]
    """

    points: np.ndarray
    weights: np.ndarray
    because: str
    exact: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", np.array(self.points, dtype=np.float64))
        object.__setattr__(self, "weights", np.array(self.weights, dtype=np.float64))

    @property
    def mass(self) -> float:
        """Σ c_i, summed without rounding but for the last one."""
        return fsum(self.weights.tolist())

    def square(self, kernel: Callable[[torch.Tensor], Any]) -> float:
        """c'Kc, the square of the norm of Σ c_i k(x_i, ·), computed in float64.

        Parameters
        ----------
        kernel : callable
            From a float64 tensor of shape (n, *point) to the matrix of shape (n, n).

        Returns
        -------
        float
        """
        return float(self.weights @ self._gram(kernel, self.points) @ self.weights)

    def verify(self, kernel: Callable[[torch.Tensor], Any], tolerance: float | None = None) -> bool:
        """Recompute c'Kc from the kernel alone and compare it with 0.

        It shows that the measure annihilates what float64 can tell of the kernel. On points so near
        each other that K is singular up to rounding, every kernel passes; then `because` decides.

        Parameters
        ----------
        kernel : callable
            As in `square`.
        tolerance : float, optional
            The absolute value allowed. Default: what rounding the entries of K, and rounding the
            points in their last place, does to c'Kc, so that no constant stands for conditioning.

        Returns
        -------
        bool
            True when the points differ, some weight is not 0, and |c'Kc| is within the tolerance.
        """
        n = len(self.weights)
        known = np.isfinite(self.points).all() and np.isfinite(self.weights).all()
        if len(self.points) != n or not self.weights.any() or not known:
            return False
        if len(np.unique(self.points.reshape(n, -1), axis=0)) < n:
            return False
        gram = self._gram(kernel, self.points)
        square = float(self.weights @ gram @ self.weights)
        if tolerance is None:
            tolerance = self._slack(kernel, gram)
        return bool(abs(square) <= tolerance)

    def _slack(self, kernel: Callable[[torch.Tensor], Any], gram: np.ndarray) -> float:
        """What rounding may do to c'Kc: of each entry, of the sums, and of the points."""
        sizes = np.abs(self.weights)
        own = (4 * len(sizes) + 64) * np.finfo(np.float64).eps * float(sizes @ np.abs(gram) @ sizes)
        rng = np.random.default_rng(0)
        moved = 0.0
        for _ in range(4):
            # Each coordinate moves by a few of the last places of the greatest: the kernel is
            # computed of numbers that are themselves rounded, inside as well. They move towards 0,
            # and 0 upward, as many kernels are of non-negative numbers.
            steps = rng.integers(0, 5, self.points.shape) * np.spacing(np.abs(self.points).max())
            inward = np.sign(self.points) * np.maximum(np.abs(self.points) - steps, 0.0)
            near = np.where(self.points == 0, steps, inward)
            change = np.abs(self._gram(kernel, near) - gram)
            moved = max(moved, float(sizes @ change @ sizes))
        return own + 2 * moved

    @staticmethod
    def _gram(kernel: Callable[[torch.Tensor], Any], points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            matrix = torch.as_tensor(kernel(torch.from_numpy(points.copy())))
        return matrix.double().numpy()

    def __str__(self) -> str:
        parts: list[str] = []
        for c, x in zip(self.weights[:SHOWN], self.points[:SHOWN], strict=False):
            sign = ("-" if c < 0 else "") if not parts else (" - " if c < 0 else " + ")
            size = "" if abs(c) == 1 else f"{abs(c):.4g} "
            where = ", ".join(f"{v:.4g}" for v in x.ravel()[:SHOWN])
            parts.append(f"{sign}{size}δ[{where}{', ...' if x.size > SHOWN else ''}]")
        left = len(self.weights) - SHOWN
        return "".join(parts) + (f" + ... ({left} more)" if left > 0 else "")

    def to_dict(self) -> dict[str, Any]:
        """The witness as plain JSON-serialisable data."""
        return {
            "kind": "annihilating measure",
            "points": self.points.tolist(),
            "weights": self.weights.tolist(),
            "because": self.because,
            "exact": self.exact,
        }


# What refutes a claim and can be checked.
Witness = Collision | AnnihilatingMeasure
