"""How much rounding may change the features of a row: measured, not set."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..drawn import generator

__all__ = ["tolerance"]

Evaluate = Callable[[Any], np.ndarray]

SEED = 20
# Units in the last place of its value that every feature may be off.
VALUE = 16.0
# The lines on which the noise of a computation is read: steps in ulps of the columns' sizes, and in
# ulps of the entries themselves. Long, that inner results change; short, that φ is smooth on them.
LINES = {"f8": (2.0**16, 2.0**32), "f4": (2.0**7, 2.0**10)}
# Whole numbers up to here may be names of levels, which have no neighbours that mean anything.
LABELS = 4096
# Fourth differences of noise have 70 = (8 choose 4) times its variance (Moré and Wild 2011).
FOURTH, SPREAD = np.array([1.0, -4.0, 6.0, -4.0, 1.0]), 70.0


def tolerance(
    evaluate: Evaluate,
    X: Any,
    dtype: Any = np.float64,
    copies: int = 8,
    factor: float = 8.0,
    scale: Any = None,
) -> np.ndarray:
    """max |φ(x̃) − φ(x)| over x̃ within ``factor`` ulp of x, + ``factor`` · noise + 16 ulp of φ(x).

    What two honest ways to compute the same features (another order of a sum, another batch,
    another device) may differ by, for a φ that can only be called. Three things add up: how far the
    features move when the input moves in its last places (its conditioning); the noise of the
    computation itself, which is what the fourth differences of φ on a line of close points leave
    when a smooth function's are 0 (Moré and Wild 2011, "Estimating computational noise"): that
    sees inner constants and cancellation which the input's last places do not reach; and 16 units
    in the last place of the value.

    Entries that are 0 or other small whole numbers move by ulps of their column's size instead of
    their own, and where a feature jumps at them (levels, signs, roundings), the jump does not
    count: such numbers are exact in every precision.

    Parameters
    ----------
    evaluate : callable
        Gives the features, shape (n, d), of data like ``X``. It is called about 25 times, its
        warnings are not shown, and data that it refuses are left out.
    X : array of shape (n, ...) or DataFrame
        Arrays of floats are handed over in ``dtype``. Of a frame only the columns of floats move,
        and it keeps their dtypes. Where nothing can move (integers, words), the mean size of the
        features stands in for the noise.
    dtype : numpy dtype
        In which the features are computed. Where all of them are numbers of float32 that float64
        arithmetic would hardly give, float32 is taken.
    copies : int
        Rounded up to a power of 2. For up to ``copies - 1`` columns the directions are balanced:
        no feature that is linear in the input is missed by chance.
    factor : float
        Ulps of the input. ``benchmarks/tolerance.py`` shows what other values do.
    scale : array of shape (...), optional
        Usual size of each column (of the data that the map was fitted to, say): the size of inner
        results may come from there. Else the largest entry in ``X``, else 1.

    Returns
    -------
    ndarray of shape (n, d), float64
        Infinite where a step of the last places changes a finite feature to an infinite one.

    Examples
    --------
    The difference of two numbers that almost cancel may be off by more than their sum:

    >>> X = np.array([[1000.1, 1000.2]])
    >>> bound = tolerance(lambda X: np.stack([X[:, 0] + X[:, 1], X[:, 1] - X[:, 0]], 1), X)
    >>> bool(bound[0, 1] < 1e-11), bool(bound[0, 1] > 1e-12)
    (True, True)
    """
    block = _Block(X, np.dtype(dtype))
    base = _features(evaluate, block.data)
    if base is None:
        raise ValueError("evaluate refuses the data themselves: there is nothing to measure")
    eps = float(np.finfo(_arithmetic(base, block.dtype)).eps)
    size = np.where(np.isfinite(base), np.abs(base), 0.0)
    # Where nothing moves, or no neighbour is accepted, the sizes of all features stand in.
    blind = 4 * VALUE * eps * np.maximum(size, (size / max(size.size, 1)).sum())
    if not block.values.size:
        return blind
    random = generator(SEED)
    x = block.values
    whole = (np.abs(x) <= LABELS) & (x == np.rint(x))
    ulp = np.where(whole, np.maximum(np.abs(x), _column(x, scale)), np.abs(x)) * eps
    ulp = np.where(np.isfinite(ulp), ulp, 0.0)

    def moved(step: np.ndarray) -> np.ndarray | None:
        return _features(evaluate, block.moved(x + step))

    spread, seen = np.zeros_like(base), False
    if not whole.all():
        for signs in _signs(random, x.shape, copies):
            value = moved(factor * ulp * signs * ~whole)
            seen |= value is not None
            spread = _far(spread, base, value)
    jumps = np.zeros(base.shape, bool)
    if whole.any():
        near, far = np.zeros_like(base), np.zeros_like(base)
        for signs in _signs(random, x.shape, copies // 2):
            one, many = (moved(k * ulp * signs * whole) for k in (1.0, factor))
            seen |= one is not None and many is not None
            near, far = _far(near, base, one), _far(far, base, many)
        # What is smooth moves `factor` times as far by `factor` ulp; what jumps, as far.
        jumps = (far < 3 * near) & (near > eps**0.5 * size)
        spread = np.maximum(spread, np.where(jumps | ~np.isfinite(far), 0.0, far))
    if not seen:
        return blind
    noise = np.zeros_like(base)
    precision = "f4" if eps > 1e-8 else "f8"
    for unit, steps in zip((_column(x, scale), np.abs(x)), LINES[precision], strict=True):
        step = eps * steps * np.where(np.isfinite(unit), unit, 0.0)
        signs = random.choice([-1.0, 1.0], x.shape)
        line = [base if k == 0 else moved(k * step * signs) for k in range(-4, 5)]
        noise = np.maximum(noise, _noise(line, eps))
    bound = spread + factor * np.where(jumps, 0.0, noise) + VALUE * eps * size
    return np.where(np.isnan(bound), 0.0, bound)


def _noise(line: list[np.ndarray | None], eps: float) -> np.ndarray | float:
    """The standard deviation of the noise in values at nine equidistant points; else 0."""
    values = np.stack([value for value in line if value is not None])
    if len(values) < len(line):
        return 0.0
    with np.errstate(all="ignore"):
        differences = [np.tensordot(FOURTH, values[k : k + 5], axes=(0, 0)) for k in range(5)]
        found = np.sqrt((np.stack(differences) ** 2).mean(axis=0) / SPREAD)
        # What is smooth has fourth differences like the fourth power of its relative change: no
        # more than the rounding of the values themselves, on a line that is so short.
        sizes = np.abs(values[len(line) // 2])
        sizes = np.where(np.isfinite(sizes), sizes, 0.0).max(axis=0, initial=0.0)
        short = values.max(axis=0) - values.min(axis=0) <= (VALUE * eps) ** 0.25 * sizes
    return np.where(short & np.isfinite(found), found, 0.0)


def _far(spread: np.ndarray, base: np.ndarray, value: np.ndarray | None) -> np.ndarray:
    """The largest move so far; one to a value that is no number tells nothing."""
    if value is None:
        return spread
    with np.errstate(invalid="ignore"):
        move = np.abs(value - base)
    return np.fmax(spread, np.where(value == base, 0.0, move))


def _signs(random: np.random.Generator, shape: tuple[int, ...], copies: int) -> np.ndarray:
    """Signs of shape (copies, *shape), balanced and orthogonal over the copies where they can be.

    For orthogonal columns h the mean over the copies of (Σ hⱼ gⱼ)² is Σ gⱼ² (Parseval): the
    largest is never below the root of that.
    """
    order = 2
    while order < copies:
        order *= 2
    hadamard = np.ones((1, 1))
    while len(hadamard) < order:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    flat = (shape[0], int(np.prod(shape[1:])))
    # Column 0 is constant: entries that follow it would only ever move one way.
    columns = random.permuted(np.tile(np.arange(flat[1]) % (order - 1) + 1, (flat[0], 1)), axis=1)
    signs = hadamard[:, columns] * random.choice([-1.0, 1.0], flat)
    return signs.reshape(order, *shape)


def _column(x: np.ndarray, scale: Any) -> np.ndarray:
    """The size of each column, shape (1, ...): given, or the largest entry, or 1."""
    finite = np.where(np.isfinite(x), np.abs(x), 0.0)
    size = finite.max(axis=0, keepdims=True) if scale is None else np.abs(scale)[None]
    return np.where(np.isfinite(size) & (size > 0), size, 1.0)


def _arithmetic(base: np.ndarray, dtype: np.dtype) -> np.dtype:
    """float32 where every feature is a number of float32 with more digits than a short one has."""
    if dtype != np.float64:
        return dtype
    value = base[np.isfinite(base)]
    with np.errstate(over="ignore"):
        short = value.astype(np.float32) == value
        coarse = value * 2.0**10 == np.rint(value * 2.0**10)
    return np.dtype(np.float32) if short.all() and not coarse.all() else dtype


def _features(evaluate: Evaluate, data: Any) -> np.ndarray | None:
    """The features in float64, None where the data are refused."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            value = np.asarray(evaluate(data), dtype=np.float64)
        except Exception:
            return None
    return value.reshape(len(value), int(np.prod(value.shape[1:])))


class _Block:
    """The floats in the data: ``values`` in float64, and the data with other values in them."""

    def __init__(self, X: Any, dtype: np.dtype):
        self.frame = X if hasattr(X, "columns") else None
        if self.frame is not None:
            kinds = list(self.frame.dtypes)
            self.places = [j for j, kind in enumerate(kinds) if getattr(kind, "kind", "") == "f"]
            self.dtype, self.data = dtype, X
            if self.places:
                # The coarsest column says what a step is; all of them see steps of that size.
                given = [kinds[j] for j in self.places if isinstance(kinds[j], np.dtype)]
                self.dtype = max([dtype, *given], key=lambda kind: np.finfo(kind).eps)
            picked = [np.asarray(X.iloc[:, j], dtype=np.float64) for j in self.places]
            self.values = np.stack(picked, axis=1) if picked else np.empty((len(X), 0))
            return
        array = np.asarray(X)
        self.dtype = dtype
        floats = array.dtype.kind == "f"
        self.data = array.astype(dtype) if floats else array
        self.values = self.data.astype(np.float64) if floats else np.empty((len(array), 0))

    def moved(self, values: np.ndarray) -> Any:
        if self.frame is None:
            return values.astype(self.dtype)
        frame = self.frame.copy()
        for k, j in enumerate(self.places):
            column = frame.iloc[:, j]
            frame.isetitem(j, type(column)(values[:, k], index=column.index, dtype=column.dtype))
        return frame
