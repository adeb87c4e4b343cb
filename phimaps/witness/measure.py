"""Points with masses that a class of functions does not see, or sees with one sign only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import fsum
from typing import Any, final

import numpy as np
import torch

from .exact import fractions, rational_square, rational_values

__all__ = ["AnnihilatingMeasure", "ConeWitness"]

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

        Where the measure claims that its very numbers annihilate the class, and the kernel is
        computed by sums and products alone, c'Kc is worked out as a rational number and must be 0.
        Of other kernels it is computed in float64: it shows that the measure annihilates what
        float64 can tell of the kernel. On points so near each other that K is singular up to
        rounding, every kernel passes; then `because` decides.

        Parameters
        ----------
        kernel : callable
            As in `square`.
        tolerance : float, optional
            The absolute value allowed in float64. Default: what rounding the entries of K, and
            rounding the points in their last place, does to c'Kc, so that no constant stands for
            conditioning.

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
        if (exact := self.rational(kernel)) is not None:
            return exact == 0
        gram = self._gram(kernel, self.points)
        square = float(self.weights @ gram @ self.weights)
        if tolerance is None:
            tolerance = self._slack(kernel, gram)
        return bool(abs(square) <= tolerance)

    def rational(self, kernel: Callable[[torch.Tensor], Any]) -> Fraction | None:
        """c'Kc without rounding, where the measure claims exactness and the kernel allows it.

        Parameters
        ----------
        kernel : callable
            As in `square`.

        Returns
        -------
        Fraction or None

        Examples
        --------
        >>> import phimaps as pm
        >>> second = AnnihilatingMeasure([[0.0], [0.5], [1.0]], [1.0, -2.0, 1.0], "of order 2")
        >>> second.rational(pm.kernels.Linear() + 1.0), second.rational(pm.kernels.RBF())
        (Fraction(0, 1), None)
        """
        if not self.exact:
            return None
        return rational_square(kernel, self.points, self.weights)

    def annihilates(
        self, functions: Callable[[list[Fraction]], list[Any]], phi: Any = None
    ) -> bool | None:
        """Whether Σ c_i ψ(φ(x_i)) = 0 for functions ψ that span a class, without rounding.

        Parameters
        ----------
        functions : callable
            From the coordinates of φ(x), as rational numbers, to the values of finitely many
            functions, which add and multiply them.
        phi : FeatureMap, optional
            Closed, or fitted. Default: the identity.

        Returns
        -------
        bool or None
            None where φ has values that are not computed by sums, products and comparisons.

        Examples
        --------
        Affine functions of |x| do not tell these points apart:

        >>> import phimaps as pm
        >>> pair = AnnihilatingMeasure([[-0.1], [0.1]], [1.0, -1.0], "even")
        >>> pair.annihilates(lambda z: [1, *z]), pair.annihilates(lambda z: [1, *z], pm.Abs())
        (False, True)
        """
        rows = self._rational(phi)
        if rows is None:
            return None
        masses = [Fraction(float(c)) for c in self.weights]
        values = [functions(row) for row in rows]
        sums = (
            sum((c * v for c, v in zip(masses, column, strict=True)), Fraction(0))
            for column in zip(*values, strict=True)
        )
        return any(masses) and not any(sums)

    def unmixed(self, k: int, phi: Any = None) -> bool | None:
        """Whether Σ c_i f(φ(x_i)) = 0 for all sums f of functions of k coordinates, exactly.

        Of k chosen coordinates the masses of the points that agree in them must sum to 0: a
        function of these coordinates has one value there.

        Parameters
        ----------
        k : int
        phi : FeatureMap, optional
            Closed, or fitted. Default: the identity.

        Returns
        -------
        bool or None
            None as of `annihilates`.

        Examples
        --------
        >>> corners, signs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [1.0, -1, -1, 1]
        >>> rectangle = AnnihilatingMeasure(corners, signs, "closed path")
        >>> rectangle.unmixed(1), rectangle.unmixed(2)
        (True, False)
        """
        rows = self._rational(phi)
        if rows is None:
            return None
        masses = [Fraction(float(c)) for c in self.weights]
        for chosen in combinations(range(len(rows[0])), min(k, len(rows[0]))):
            sums: dict[tuple[Fraction, ...], Fraction] = {}
            for row, c in zip(rows, masses, strict=True):
                place = tuple(row[i] for i in chosen)
                sums[place] = sums.get(place, Fraction(0)) + c
            if any(sums.values()):
                return False
        return any(masses)

    def _rational(self, phi: Any) -> list[list[Fraction]] | None:
        """φ at the points, as rational numbers."""
        if len(self.points) != len(self.weights) or not np.isfinite(self.weights).all():
            return None
        if phi is None:
            return [fractions(x) for x in self.points] if np.isfinite(self.points).all() else None
        rows = [rational_values(phi, x) for x in self.points]
        known = [row for row in rows if row is not None]
        return known if len(known) == len(rows) and known else None

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


@final
@dataclass(frozen=True, eq=False)
class ConeWitness:
    """Σ c_i δ(x_i) with Σ c_i f(x_i) <= 0 for every f of a convex cone of functions.

    Then sup |f - g| >= Σ c_i g(x_i) / Σ|c_i| for all of them: a target on the other side of the
    hyperplane is out of reach, though its negative may lie in the cone.

    Parameters
    ----------
    points : ndarray of shape (n, *point)
    weights : ndarray of shape (n,)
        Not all zero.
    because : str
        Why no function of the cone has a positive sum.

    Examples
    --------
    Increasing functions of a number, and a target that decreases:

    >>> falling = ConeWitness([[0.0], [1.0]], [1.0, -1.0], "f(0) <= f(1)")
    >>> falling.bound(lambda x: -x[:, 0]), falling.verify(lambda x: np.hstack([x, x**3]))
    (0.5, True)
    """

    points: np.ndarray
    weights: np.ndarray
    because: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", np.array(self.points, dtype=np.float64))
        object.__setattr__(self, "weights", np.array(self.weights, dtype=np.float64))

    def bound(self, target: Callable[[np.ndarray], Any]) -> float:
        """How near functions of the cone come to a target at best: max(0, c·g) / Σ|c_i|."""
        g = np.asarray(target(self.points.copy()), dtype=np.float64).ravel()
        return max(0.0, fsum((self.weights * g).tolist()) / fsum(np.abs(self.weights).tolist()))

    def verify(self, generators: Callable[[np.ndarray], Any]) -> bool:
        """Whether Σ c_i ψ(x_i) <= 0 for functions ψ of which the cone consists by positive sums.

        Parameters
        ----------
        generators : callable
            From points of shape (n, *point) to their values, of shape (n, p). A function whose
            negative is in the cone as well, such as the constant 1, stands there with both signs.
        """
        values = np.asarray(generators(self.points.copy()), dtype=np.float64)
        n = len(self.weights)
        if len(self.points) != n or values.shape[:1] != (n,) or not self.weights.any():
            return False
        sizes = np.abs(self.weights)
        slack = 4 * n * np.finfo(np.float64).eps * (sizes @ np.abs(values))
        return bool(np.isfinite(values).all() and (self.weights @ values <= slack).all())

    def to_dict(self) -> dict[str, Any]:
        """The witness as plain JSON-serialisable data."""
        return {
            "kind": "cone",
            "points": self.points.tolist(),
            "weights": self.weights.tolist(),
            "because": self.because,
        }
