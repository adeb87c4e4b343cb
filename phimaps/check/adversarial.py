"""A target that no linear model on finitely many features comes near: built, with its measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.linalg import qr, svd

from ..errors import DomainError, InputError, OperandError, show
from ..map.closed import closed_map
from ..models import Pullback
from ..models.linear import AffineFunctions
from ..rows import apply
from ..spaces import Space
from ..witness import AnnihilatingMeasure

__all__ = ["Adversary", "adversary"]

# From so many candidates, or so many for each point, are the far ones chosen.
CANDIDATES, EACH = 2000, 8


@final
@dataclass(frozen=True, eq=False)
class Adversary:
    """g with |g(x) - g(y)| <= d(x, y), and a measure that keeps a linear span at a distance of g.

    Parameters
    ----------
    on : Space
    measure : AnnihilatingMeasure
        Σ c_i f(x_i) = 0 for all f in the span, up to `residual`, with Σ|c_i| = 1.
    spacing : float
        δ: the least distance of two of the points.
    residual : float
        max |Σ c_i ψ(x_i)| over the features ψ and the constant 1, as computed.

    Examples
    --------
    >>> import phimaps as pm
    >>> found = adversary(pm.models.Linear() @ pm.Identity(), on=pm.Box([-1.0], [1.0]))
    >>> found.bound > 0.49
    True
    """

    on: Space
    measure: AnnihilatingMeasure
    spacing: float
    residual: float

    @property
    def values(self) -> np.ndarray:
        """g at the points of the measure: ±δ/2, with the signs of the masses."""
        return np.where(self.measure.weights < 0, -0.5, 0.5) * self.spacing

    @property
    def bound(self) -> float:
        """δ/2 up to rounding: no function of the span is nearer to g, were the residual 0."""
        return float(self.measure.weights @ self.values)

    def at_least(self, weight_sum: float) -> float:
        """A distance to g that no w·φ + b with |b| + Σ|w_j| <= `weight_sum` falls below.

        Features that are dependent up to rounding, such as many waves on an interval, come nearer
        only with weights so large that the residual counts.
        """
        return max(0.0, (self.bound - weight_sum * self.residual) * (1 - 1e-12))

    def __call__(self, x: Any) -> np.ndarray:
        """g(x) = min_i (g(x_i) + d(x, x_i)), McShane's extension.

        Parameters
        ----------
        x : array-like of shape (n, *point)

        Returns
        -------
        ndarray of shape (n,)
        """
        points = np.asarray(x, dtype=np.float64)
        cones = [
            value + self.on.distance(points, np.broadcast_to(p, points.shape))
            for value, p in zip(self.values, self.measure.points, strict=True)
        ]
        return np.min(cones, axis=0)


def adversary(pulled: Any, on: Space, random_state: int = 0) -> Adversary:
    """A 1-Lipschitz g on K that stays δ/2 from every affine function of φ, and why.

    p features and a constant span at most p + 1 dimensions. So on p + 2 points some measure c ≠ 0
    has Σ c_i f(x_i) = 0 for all f in the span, and the g with g(x_i) = sign(c_i) δ/2 has
    sup |f - g| >= |Σ c_i (f - g)(x_i)| = δ/2 for all of them. The farther the points, the greater
    the bound.

    Parameters
    ----------
    pulled : Pullback or FeatureMap
        ``Linear() @ phi`` or φ; closed or fitted.
    on : Space
        K, with at least p + 2 points.
    random_state : int, default 0
        Seed of the candidates from which points are chosen that lie far apart.

    Returns
    -------
    Adversary

    Raises
    ------
    OperandError, UnboundError
        When the class is not affine, or the map open.
    DomainError
        When K has too few points.
    InputError
        When features are not finite.

    References
    ----------
    Kolmogorov widths: Pinkus (1985), n-widths in approximation theory, chapter I.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.RandomFourier(20, gamma=1.0).bind([[0.0]])
    >>> found = adversary(phi, on=pm.Box([0.0], [1.0]))
    >>> found.measure.points.shape, 0.015 < found.bound < 0.025
    ((22, 1), True)
    """
    phi = _map(pulled)
    shape = phi.out_shape(on.shape)
    wanted = int(np.prod(shape)) + 2
    points = _far_apart(on, wanted, random_state)
    features = apply(phi, points).flatten(1).double().numpy()
    if not np.isfinite(features).all():
        raise InputError(
            "The features at a point of the space are not finite.",
            got=f"{phi!r} on {on!r}",
            need="a map that is defined on the whole space",
            do="a smaller space",
        )
    design = np.concatenate([np.ones((wanted, 1)), features], axis=1)
    # Columns of one size, so that the null vector is as exact for each.
    sizes = np.abs(design).max(axis=0)
    scaled = design / np.where(sizes > 0, sizes, 1.0)
    weights = _annihilating(scaled)
    weights /= np.abs(weights).sum()
    because = f"{wanted} points, and affine functions of {wanted - 2} features"
    measure = AnnihilatingMeasure(points, weights, because, exact=False)
    spacing = min(float(on.distance(points[:-k], points[k:]).min()) for k in range(1, len(points)))
    return Adversary(on, measure, spacing, float(np.abs(design.T @ weights).max()))


def _map(pulled: Any) -> Any:
    phi = pulled
    if isinstance(pulled, Pullback):
        if not isinstance(pulled.model, AffineFunctions):
            raise OperandError(
                "Of affine functions alone it is known that finitely many features do not suffice.",
                got=show(pulled),
                need="pm.models.Linear() @ phi, or a map",
                do="pm.check.adversary(phi, on=space)",
            )
        phi = vars(pulled).get("map_", pulled.map)
    return closed_map(
        phi,
        "An adversary is built against a map.",
        "a closed or fitted map, or pm.models.Linear() @ phi",
        "pm.check.adversary(phi, on=space)",
    )


def _far_apart(on: Space, wanted: int, seed: int) -> np.ndarray:
    """Points of the space, each the farthest of many candidates from those before it."""
    inside = on.inner_box()
    if on.size == 1 and inside is not None and on.euclidean:
        low, high = (end.ravel()[0] for end in inside.bounds())
        if np.isfinite(high - low):
            # On an interval the best points are known.
            return np.linspace(low, high, wanted).reshape(-1, *on.shape)
    candidates = on.sample(max(CANDIDATES, EACH * wanted), seed)
    candidates = np.unique(candidates.reshape(len(candidates), -1), axis=0).reshape(-1, *on.shape)
    if len(candidates) < wanted:
        raise DomainError(
            "The space has too few points for an adversary.",
            got=f"{len(candidates)} different points drawn from {on!r}",
            need=f"{wanted}: two more than there are features",
            do="a larger space, or a map with fewer features",
        )
    chosen = [0]
    far = on.distance(candidates, np.broadcast_to(candidates[0], candidates.shape))
    for _ in range(wanted - 1):
        chosen.append(int(far.argmax()))
        last = candidates[chosen[-1]]
        far = np.minimum(far, on.distance(candidates, np.broadcast_to(last, candidates.shape)))
    return candidates[chosen]


def _annihilating(design: np.ndarray) -> np.ndarray:
    """A vector c of norm 1 with design' c as near to 0 as rounding allows."""
    null = svd(design.T)[2][-1]
    # Once more against the columns: what is left is rounding of the size of an entry.
    basis = qr(design, mode="economic")[0]
    rank = int(np.linalg.matrix_rank(design))
    if rank < design.shape[1]:
        return null
    null = null - basis @ (basis.T @ null)
    return null / np.linalg.norm(null)
