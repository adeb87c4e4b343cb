"""`search_ratio`: the greatest and the least |φ(x) - φ(y)| / d(x, y) that a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from ..spaces import Space
from .evidence import ratio_bounds
from .measured import evaluated, measured
from .probe import Probe

__all__ = ["Ratio", "search_ratio"]


@final
@dataclass(frozen=True, eq=False)
class Ratio:
    """A ratio of distances, and the two points that have it.

    Parameters
    ----------
    value : float
        |φ(x) - φ(y)| / d(x, y), up to rounding.
    x, y : ndarray
    sure : float
        What the ratio certainly reaches when the rounding of the values is allowed for.
    """

    value: float
    x: np.ndarray
    y: np.ndarray
    sure: float

    def __float__(self) -> float:
        return self.value


def search_ratio(
    phi: Any,
    on: Space,
    sign: int,
    distance: Any = None,
    random_state: int = 0,
    budget: float = 1.0,
) -> Ratio | None:
    """The extreme ratio |φ(x) - φ(y)| / d(x, y) that is found for x, y in K.

    Pairs evolve by chance, then follow the gradient of the ratio (by differences where there is
    none), then shrink to short chords along singular directions of the derivative. A ratio that is
    found refutes a smaller Lipschitz constant, or a greater lower one; it proves none.

    Parameters
    ----------
    phi : FeatureMap, fitted transformer, module or function of tensors or arrays
    on : Space
        K, with its distance.
    sign : {1, -1}
        1 for the greatest ratio, -1 for the least.
    distance : callable, optional
        d, another distance: of two batches of shape (n, *point), tensors or arrays, to n numbers.
    random_state : int, default 0
    budget : float, default 1
        Scales the search.

    Returns
    -------
    Ratio or None
        None where the space has no two points to compare.

    Raises
    ------
    OperandError, UnboundError, ParameterError

    Examples
    --------
    The inclusion of the sphere shrinks arcs to chords, most between opposite points: by 2/π.

    >>> import phimaps as pm
    >>> ball = pm.spaces.Sphere([0.0, 0.0, 0.0], 1.0, metric="geodesic")
    >>> round(search_ratio(pm.Identity(), ball, sign=-1).value, 4)
    0.6366
    """
    if sign not in (1, -1):
        raise ParameterError(
            f"sign={show(sign)} is no side of the ratios.",
            got=f"sign={show(sign)}",
            need="1 for the greatest ratio, -1 for the least",
            do="search_ratio(phi, space, sign=1)",
        )
    if not isinstance(on, Space):
        raise ParameterError(
            "Ratios of distances are searched on a space.",
            got=f"on={show(on)}",
            need="a phimaps space of the map's inputs",
            do="search_ratio(phi, pm.Box(low, high), sign=1)",
        )
    space = measured(on, distance)
    probe = Probe(evaluated(phi, on), space, random_state, max(budget, 0.5))
    found = (probe.steepest if sign > 0 else probe.flattest).joined(probe.pairs)
    best: Ratio | None = None
    for i in found.best(sign, 6):
        x, y = found.x[i], found.y[i]
        low, high = ratio_bounds(probe, x, y)
        new = Ratio(float(found.ratio[i]), x, y, float(low if sign > 0 else high))
        if best is None or sign * (new.sure - best.sure) > 0:
            best = new
    return best
