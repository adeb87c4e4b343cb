"""Values k(x, y) of kernels with many digits, written anew from their definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels import Kernel
from .precise import Precise, Undefined, Unknown, mpmath

__all__ = ["entries", "entry", "value"]

Entry = Callable[[Precise, Any, np.ndarray, np.ndarray], Any]
ENTRIES: dict[type, Entry] = {}


def entry(*kinds: type) -> Callable[[Entry], Entry]:
    """Register the formula of kernels of these kinds: (evaluator, kernel, x, y) to k(x, y).

    Parameters
    ----------
    *kinds : type
        Kernel classes. The points are object arrays of ``mpmath.mpf``, and so is the value.
    """

    def register(rule: Entry) -> Entry:
        ENTRIES.update(dict.fromkeys(kinds, rule))
        return rule

    return register


def value(evaluate: Precise, kernel: Kernel, x: np.ndarray, y: np.ndarray) -> Any:
    """k(x, y) for two points, object arrays of ``mpmath.mpf``."""
    rule = ENTRIES.get(type(kernel))
    if rule is None:
        raise Unknown(type(kernel).__name__)
    return rule(evaluate, kernel, x, y)


def entries(kernel: Kernel, points: Any, digits: int) -> Any:
    """The matrix k(x_i, x_j), an object array of ``mpmath.mpf``.

    Parameters
    ----------
    kernel : Kernel
        A closed kernel.
    points : ndarray of shape (n, *point), or callable
        A callable is called with the digits in force and returns an object array.
    digits : int

    Returns
    -------
    ndarray of object of shape (n, n), or None
        None where some kernel or map inside has no formula, or is not defined at the points.
    """
    if mpmath is None:
        return None
    with mpmath.workdps(digits):
        made = points() if callable(points) else points
        exact = np.empty(made.shape, dtype=object)
        for place in np.ndindex(made.shape):
            exact[place] = mpmath.mpf(made[place])
        n = len(exact)
        out = np.empty((n, n), dtype=object)
        evaluate = Precise(digits)
        try:
            for i in range(n):
                for j in range(i + 1):
                    out[i, j] = out[j, i] = value(evaluate, kernel, exact[i], exact[j])
        except (Unknown, Undefined, OverflowError, ZeroDivisionError, MemoryError):
            return None
        return out
