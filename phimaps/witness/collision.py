"""Two points that a map merges, or does not tell apart with functions of a bounded slope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from .exact import agreement

__all__ = ["Collision", "NearCollision"]


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
        Whether x and y themselves collide. If not, they approximate a pair that does.
    shown : bool
        Whether `because` shows that there is such a pair. If not, it was found numerically: the
        features agree to rounding, and nothing proves that they can be made equal.
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
    shown: bool = True

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

        Where the witness claims that x and y themselves collide, and φ is a map of the library,
        they are compared as rational numbers if φ has such values, else as intervals that enclose
        them: then no tolerance makes good for features that differ. Intervals that overlap show no
        equality; for these, and for functions that are only called, features are compared in
        float64. `recomputed` says which it was.

        Parameters
        ----------
        phi : callable
            The map, as in `gap`.
        tolerance : float, optional
            The gap allowed in float64. Default: what rounding the two points in their last place
            does to the features, so that no constant stands for conditioning.

        Returns
        -------
        bool
            True when the points differ and their features agree: exactly or, where that cannot be
            computed, within the tolerance.
        """
        if np.array_equal(self.x, self.y):
            return False
        if self.arithmetic != "real":
            return self._same_bits(phi)
        known, _ = self._agreement(phi)
        if known is not None:
            return known
        gap = self.gap(phi)
        return bool(gap <= (self._wobble(phi) if tolerance is None else tolerance))

    def recomputed(self, phi: Callable[[torch.Tensor], Any]) -> str:
        """The numbers in which `verify` compares the features.

        Parameters
        ----------
        phi : callable
            As in `gap`.

        Returns
        -------
        {"rational", "interval", "float64", "float32"}
            "rational": equality is shown, or refuted, without rounding. "interval": enclosures
            refute it where they are disjoint, and show it where they are points; where they
            overlap, the features are compared in float64 as well. "float64": of φ in real
            arithmetic only `because` shows it; of a collision in some precision, bit by bit, this
            is all there is to show, and it shows nothing of φ in real arithmetic.

        Examples
        --------
        >>> import phimaps as pm
        >>> pair = Collision(np.array([-0.1]), np.array([0.1]), "even")
        >>> pair.recomputed(pm.Power(2)), pair.recomputed(pm.Cos()), pair.recomputed(torch.cos)
        ('rational', 'interval', 'float64')
        """
        return self._agreement(phi)[1] if self.arithmetic == "real" else self.arithmetic

    def _agreement(self, phi: Any) -> tuple[bool | None, str]:
        if not self.exact:
            # Numbers near to a pair have features that differ.
            return None, "float64"
        return agreement(phi, self.x, self.y)

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
            "shown": self.shown,
        }


@final
@dataclass(frozen=True, eq=False)
class NearCollision:
    """Two points far apart with features so near that no L-Lipschitz function tells them apart.

    |f(φ(x)) - f(φ(y))| <= L |φ(x) - φ(y)| for every L-Lipschitz f, so one of its values is off a
    target g by at least (|g(x) - g(y)| - L |φ(x) - φ(y)|) / 2. Unlike a collision it says
    nothing of functions that may be steeper.

    Parameters
    ----------
    x, y : ndarray of shape (*point)
    lipschitz : float
        L.
    because : str
        Where the pair comes from.

    References
    ----------
    McShane (1934), Extension of range of functions: the bound is attained for scalar f on finitely
    many points.

    Examples
    --------
    >>> import phimaps as pm
    >>> pair = NearCollision(np.array([-1.0]), np.array([1.0]), 10.0, "a cubic is flat at 0")
    >>> phi = pm.Affine([[0.01]])
    >>> round(pair.bound(phi, lambda x: x[:, 0]), 12), pair.verify(phi, lambda x: x[:, 0])
    (0.9, True)
    """

    x: np.ndarray
    y: np.ndarray
    lipschitz: float
    because: str

    def distance(self, phi: Callable[[torch.Tensor], Any]) -> float:
        """|φ(x) - φ(y)|, computed in float64."""
        points = torch.from_numpy(np.stack([self.x, self.y]).astype(np.float64))
        with torch.no_grad():
            values = phi(points).reshape(2, -1)
        return float(torch.linalg.vector_norm((values[0] - values[1]).double()))

    def bound(
        self, phi: Callable[[torch.Tensor], Any], target: Callable[[np.ndarray], Any]
    ) -> float:
        """What every L-Lipschitz f misses the target by, at x or at y.

        Parameters
        ----------
        phi : callable
            From a float64 tensor of shape (2, *point) to features of shape (2, *features).
        target : callable
            From an array of shape (2, *point) to 2 numbers.
        """
        g = np.asarray(target(np.stack([self.x, self.y]).astype(np.float64)), dtype=np.float64)
        a, b = g.ravel()
        return max(0.0, (abs(float(a - b)) - self.lipschitz * self.distance(phi)) / 2)

    def verify(
        self, phi: Callable[[torch.Tensor], Any], target: Callable[[np.ndarray], Any]
    ) -> bool:
        """Whether the pair keeps every L-Lipschitz function away from the target."""
        return self.bound(phi, target) > 0

    def to_dict(self) -> dict[str, Any]:
        """The witness as plain JSON-serialisable data."""
        return {
            "kind": "near collision",
            "x": self.x.tolist(),
            "y": self.y.tolist(),
            "lipschitz": self.lipschitz,
            "because": self.because,
        }
