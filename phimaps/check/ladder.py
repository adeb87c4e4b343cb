"""How near functions of a class come to a target: growing spans, and members that are fitted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ..drawn import generator
from ..errors import InputError
from .below import basis_of
from .chebyshev import chebyshev

__all__ = ["Reached", "Rungs", "fitted", "spanned"]

# Up to so many features stand in the span themselves, besides what is made of them.
OWN = 8
# A fitted function beyond so many times the size of its target has diverged.
DIVERGED = 1e6


@final
@dataclass(frozen=True, eq=False)
class Reached:
    """A function of features, and how it came about.

    Parameters
    ----------
    function : callable or None
        From features of shape (n, d) to n numbers; None where there is no such function.
    note : str
        Why there is none.
    """

    function: Callable[[np.ndarray], np.ndarray] | None
    note: str = ""

    def error(self, features: np.ndarray, values: np.ndarray) -> float:
        """max |f - g| over points, inf where f is not finite."""
        if self.function is None:
            return np.inf
        with np.errstate(all="ignore"):
            found = np.abs(self.function(features) - values).max()
        return float(found) if np.isfinite(found) else np.inf


@final
class Rungs:
    """span{1, z, relu(a_1·z + b_1), ..., relu(a_N·z + b_N)}, nested in N, with z = φ scaled.

    The bends lie at data. Every function of it is continuous in φ(x), so that members of a class
    that is dense in C(R^d) come as near to a target as it does, and nearer.

    Parameters
    ----------
    features : ndarray of shape (n, d)
        φ at the points that set the scale and the bends.
    most : int
        The greatest N.
    random_state : int
    """

    def __init__(self, features: np.ndarray, most: int, random_state: int):
        rng = generator((random_state, 2))
        self.centre = features.mean(axis=0)
        spread = features.std(axis=0)
        self.scale = np.where(spread > 0, spread, 1.0)
        d = features.shape[1]
        self.directions = rng.standard_normal((d, most)) / np.sqrt(d)
        bends = self._scaled(features)[rng.integers(0, len(features), most)]
        self.shifts = -(bends * self.directions.T).sum(axis=1)

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        return (features - self.centre) / self.scale

    def basis(self, features: np.ndarray, n: int) -> np.ndarray:
        """The functions of the n-th rung at features: of shape (len(features), 1 + d + n)."""
        z = self._scaled(features)
        bent = np.maximum(z @ self.directions[:, :n] + self.shifts[:n], 0.0)
        own = [z] if z.shape[1] <= OWN else []
        return np.concatenate([np.ones((len(z), 1)), *own, bent], axis=1)


def spanned(basis: Callable[[np.ndarray], np.ndarray], features: Any, values: Any) -> Reached:
    """The best function of a span on points, by the exact linear program."""
    try:
        weights = chebyshev(basis(features), values).weights
    except InputError as error:
        return Reached(None, error.what)
    return Reached(lambda z: basis(z) @ weights)


def fitted(model: Any, features: np.ndarray, values: np.ndarray) -> Reached:
    """A member of the class, fitted as the class fits its members."""
    own = basis_of(model, features)
    if own is not None:
        return spanned(lambda z: _basis(model, z), features, values)
    member = model.member(False)
    name = type(model).__name__
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # Whether it converged shows in its error.
            warnings.simplefilter("ignore")
            member.fit(features, values)
            found = np.asarray(member.predict(features), dtype=np.float64).reshape(len(values))
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        return Reached(None, f"the fit of {name} failed: {str(error).splitlines()[0]}")
    if not np.isfinite(found).all():
        return Reached(None, f"{name} diverged: the fitted member has values that are not finite")
    if np.abs(found).max() > DIVERGED * max(float(np.abs(values).max()), 1.0):
        return Reached(None, f"{name} diverged: values up to {np.abs(found).max():.2g}")
    return Reached(lambda z: np.asarray(member.predict(z), dtype=np.float64).reshape(len(z)))


def _basis(model: Any, features: np.ndarray) -> np.ndarray:
    found = basis_of(model, features)
    assert found is not None
    return found
