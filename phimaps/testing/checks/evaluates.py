"""That an object takes the rows of its domain at all."""

from __future__ import annotations

import numpy as np

from ..check import register_check
from ..trial import Trial

__all__ = ["check_evaluates", "check_numbers"]


@register_check(once=True)
def check_evaluates(trial: Trial) -> None:
    """It can be fitted to rows of its domain, and gives numbers for them."""
    rows = trial.rows(least=8, most=8)
    values = trial.fresh().features(rows)
    if not np.issubdtype(values.dtype, np.number):
        trial.fail(
            "The features are not numbers.",
            got=f"an array of dtype {values.dtype}",
            need="numbers",
            do="encode categories before they become features",
        )


@register_check(once=True)
def check_numbers(trial: Trial) -> None:
    """The features are an array of numbers, not of Python objects."""
    result = trial.fresh()(trial.rows(least=4, most=4))
    columns = getattr(result, "dtypes", None)
    if columns is None:
        own = getattr(result, "dtype", None)
        columns = [np.asarray(result).dtype if own is None else own]
    if any(getattr(kind, "kind", "") == "O" for kind in columns):
        trial.fail(
            "The features are Python objects.",
            got="an array of dtype object",
            need="an array of numbers: models copy it, or refuse it, and arithmetic on it is slow",
            do="np.asarray(features, dtype=float)",
        )
