"""That an object takes the rows of its domain at all."""

from __future__ import annotations

import numpy as np

from ..check import register_check
from ..trial import Trial

__all__ = ["check_evaluates"]


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
