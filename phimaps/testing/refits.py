"""Copies of an object that are fitted anew, and how far two honest fits may lie apart."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any, final

import numpy as np

from ..drawn import generator
from .subject import Instance, seeded
from .trial import Trial

__all__ = [
    "Answered",
    "apart",
    "fit_tolerance",
    "fitted",
    "quietly",
    "reproducible",
    "rounding",
    "same",
    "seeded",
    "taken",
]

# How often the data are rounded anew for a look at what that does to a fit.
COPIES = 4
# Ulps by which the features of two fits may differ for each ulp that the data may be off.
FACTOR = 8.0
MARGIN = 4.0


@final
class Answered:
    """A transformer whose features are there already, whatever it is asked.

    Parameters
    ----------
    result : array, sparse matrix or DataFrame
    """

    def __init__(self, result: Any):
        self.result = result

    def transform(self, X: Any) -> Any:
        """The features."""
        return self.result


def fitted(trial: Trial, data: Any, estimator: Any = None) -> Instance:
    """A copy of the subject with its seeds set, fitted to a copy of the data, warnings unsaid.

    Parameters
    ----------
    trial : Trial
    data : array or DataFrame
    estimator : estimator, optional
        What is fitted in place of a copy of the subject.
    """
    estimator = trial.unfitted() if estimator is None else estimator
    quietly(trial.fit, estimator, copy.deepcopy(data))
    return Instance(trial.subject, estimator)


def quietly(call: Callable[..., Any], *given: Any) -> Any:
    """What a call returns, its warnings unsaid.

    They are about values and layouts that people do not give it, and checks do: read-only memory,
    names, numbers off its domain.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return call(*given)


def reproducible(trial: Trial, X: Any) -> bool:
    """Whether two fits to the same data give the same features of the rows."""
    twins = [fitted(trial, trial.fit_data) for _ in range(2)]
    one, other = (twin.features(X) for twin in twins)
    return not apart(one, other, 0.0) or not apart(one, other, rounding(trial, twins[0], X))


def fit_tolerance(
    trial: Trial, instance: Instance, X: Any, make: Callable[[], Any] | None = None
) -> np.ndarray:
    """How far two honest fits to the same data may lie apart: measured, of shape (n, d).

    Rounding inside a fit (another order of a sum, another memory layout) does what rounding the
    data would do: so copies are fitted to data moved in their last place, and where a parameter
    ``tol`` ends an iteration, to the same data with a hundredth of it.

    Parameters
    ----------
    trial : Trial
    instance : Instance
        Fitted to ``trial.fit_data``.
    X : array or DataFrame
        The rows whose features are compared.
    make : callable, optional
        Makes an unfitted object with the parameters of the instance, where they are not those of
        the subject.
    """
    make = trial.unfitted if make is None else make
    base, spread = instance.features(X), np.zeros(())
    copies = [fitted(trial, _nudged(trial.fit_data, k), make()) for k in range(COPIES)]
    exact = _stricter(make())
    if exact is not None:
        copies.append(fitted(trial, trial.fit_data, exact))
    for moved in copies:
        found = moved.features(X)
        if found.shape == base.shape:
            with np.errstate(invalid="ignore"):
                spread = np.fmax(spread, np.abs(found - base))
    return FACTOR * spread + rounding(trial, instance, X)


def rounding(trial: Trial, instance: Instance, X: Any) -> np.ndarray:
    """How far features may lie apart that are computed twice, of shape (n, d).

    Several times what `tolerance` measures by few samples: the largest of many differences is
    judged by it, and a fault is larger by orders of magnitude. And a few units in the last place of
    the row's largest feature, as features may be small by cancellation of numbers of its size.
    """
    values = np.abs(instance.features(X))
    largest = np.where(np.isfinite(values), values, 0.0).max(axis=1, keepdims=True, initial=0.0)
    eps = np.finfo(X.dtype if isinstance(X, np.ndarray) else trial.subject.dtype).eps
    return MARGIN * (trial.tolerance(instance, X) + float(eps) * largest)


def apart(found: np.ndarray, expected: np.ndarray, tolerance: Any) -> bool:
    """Whether features differ by more than the tolerance somewhere; NaN equals NaN here."""
    if found.shape != expected.shape:
        return True
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        near = np.abs(found - expected) <= tolerance
    return not bool((same | near).all())


def same(
    trial: Trial,
    found: np.ndarray,
    expected: np.ndarray,
    allowed: Callable[[], np.ndarray],
    **told: str,
) -> None:
    """Fail unless features agree: mostly to the bit, and only else is asked what rounding may do.

    Parameters
    ----------
    trial : Trial
    found, expected : ndarray of shape (n, d)
    allowed : callable
        Gives the differences that are allowed, of shape (n, d).
    **told : str
        As of `Trial.close`.
    """
    if found.shape != expected.shape:
        trial.close(found, expected, 0.0, **told)
    if apart(found, expected, 0.0):
        trial.close(found, expected, allowed(), **told)


def taken(X: Any, places: Any) -> Any:
    """Rows of an array or a data frame, by their places; a copy."""
    if hasattr(X, "iloc"):
        # Repeated labels are another matter than repeated rows.
        return X.iloc[np.asarray(places)].reset_index(drop=True)
    return np.asarray(X)[np.asarray(places)]


def _stricter(estimator: Any) -> Any:
    """The estimator, to iterate until a hundredth of its ``tol``; None where it has none."""
    if not hasattr(estimator, "get_params"):
        return None
    names = {
        name: value / 100
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] == "tol" and isinstance(value, float) and value > 0
    }
    return estimator.set_params(**names) if names else None


def _nudged(data: Any, k: int) -> Any:
    """The data, their floats moved by a unit in the last place, up or down."""
    rng = generator((17, k))
    if hasattr(data, "iloc"):
        moved = data.copy()
        for j, kind in enumerate(data.dtypes):
            if getattr(kind, "kind", "") == "f":
                column = data.iloc[:, j]
                values = _moved(np.asarray(column, dtype=np.float64), rng)
                moved.isetitem(j, type(column)(values, index=column.index, dtype=column.dtype))
        return moved
    array = np.asarray(data)
    return _moved(array, rng) if array.dtype.kind == "f" else array


def _moved(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    signs = rng.choice([-1.0, 1.0], values.shape).astype(values.dtype)
    return values * (1 + np.finfo(values.dtype).eps * signs)
