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
# The lines on which the noise of a computation is read: steps in ulps of the columns' sizes, of the
# entries themselves, and again of the columns' sizes, for rows where nothing has moved yet, as
# inner results may be of other sizes. Long, that they change; short, that φ is smooth on them.
LINES = {"f8": (2.0**16, 2.0**32, 2.0**40), "f4": (2.0**7, 2.0**10, 2.0**19)}
# A feature has not moved as long as it did so by less than this many ulps.
STILL = 64.0
# Whole numbers up to here may be names of levels, which have no neighbours that mean anything.
LABELS = 4096
# Where the points of a line lie, in steps: irregularly, else a slope that is a whole number of ulps
# a step would round the same way at each of them.
PLACES = np.array([-4.31, -2.83, -2.17, -0.93, 0.0, 1.21, 1.87, 3.09, 4.03])
# Orthonormal polynomials on them, of degrees 0 to 3: noise keeps 5 of its 9 degrees of freedom.
CUBICS = np.linalg.qr(np.vander(PLACES, 4, increasing=True))[0]


def tolerance(
    evaluate: Evaluate,
    X: Any,
    dtype: Any = np.float64,
    copies: int = 8,
    factor: float = 8.0,
    scale: Any = None,
) -> np.ndarray:
    """max |φ(x̃) − φ(x)| over x̃ within ``factor`` ulp of x, + 1.5 ``factor`` noise + 16 ulp of φ(x).

    What two honest ways to compute the same features (another order of a sum, another batch,
    another device) may differ by, for a φ that can only be called. Three things add up: how far the
    features move when the input moves in its last places (its conditioning); the noise of the
    computation itself, which is what a cubic leaves of φ on nine close points of a line (after
    Moré and Wild 2011, "Estimating computational noise", who take differences): that sees inner
    constants and cancellation which the input's last places do not reach; and 16 units in the last
    place of the value.

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
        and it keeps their dtypes. Where nothing moves (integers, words), the mean size of the row's
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
    eps = float(np.finfo(_arithmetic(base, block.dtype)).eps)
    size = np.where(np.isfinite(base), np.abs(base), 0.0)
    # Where nothing moves (saturated units, integers, refused neighbours), sums may still be rounded
    # in another order: the mean size of the row's features stands in.
    mean = (size / max(size.shape[1], 1)).sum(axis=1, keepdims=True)
    blind = np.where(np.isfinite(base), 4 * VALUE * eps * np.maximum(size, mean), 0.0)
    if not block.values.size:
        return blind
    random = generator(SEED)
    x = block.values
    whole = (np.abs(x) <= LABELS) & (x == np.rint(x))
    ulp = np.where(whole, np.maximum(np.abs(x), _column(x, scale)), np.abs(x)) * eps
    ulp = np.where(np.isfinite(ulp), ulp, 0.0)

    def moved(step: np.ndarray) -> np.ndarray | None:
        try:
            value = _features(evaluate, block.moved(x + step))
        except Exception:
            # Off its domain, where neighbours tell nothing.
            return None
        return value if value.shape == base.shape else None

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
        # What is smooth moves `factor` times as far by `factor` ulp, a root or logarithm less; what
        # jumps, as far, and farther than the noise of a value near 0 among large ones.
        most = np.maximum(size.max(axis=0), size.max(axis=1, keepdims=True, initial=0.0))
        jumps = (far < 1.2 * near) & (near > eps**0.5 * most)
        spread = np.maximum(spread, np.where(jumps | ~np.isfinite(far), 0.0, far))
    if not seen:
        return blind
    noise = _noise(moved, x, base, _column(x, scale), eps, random)
    noise = np.where(jumps, 0.0, noise)
    # The noise is known from five numbers only.
    bound = spread + 1.5 * factor * noise + VALUE * eps * size
    bound = np.where((spread == 0) & (noise == 0), np.maximum(bound, blind), bound)
    return np.where(np.isnan(bound), 0.0, bound)


def _noise(
    moved: Callable[[np.ndarray], np.ndarray | None],
    x: np.ndarray,
    base: np.ndarray,
    column: np.ndarray,
    eps: float,
    random: np.random.Generator,
) -> np.ndarray:
    """The standard deviation of the noise of each feature, 0 where none is seen."""
    noise, still = np.zeros_like(base), np.ones(len(x), bool)
    lines = LINES["f4" if eps > 1e-8 else "f8"]
    for k, (unit, steps) in enumerate(zip((column, np.abs(x), column), lines, strict=True)):
        if k == 2 and not still.any():
            break
        step = eps * steps * np.where(np.isfinite(unit), unit, 0.0)
        step = step * random.choice([-1.0, 1.0], x.shape)
        if k == 2:
            step = step * still.reshape(-1, *[1] * (x.ndim - 1))
        line = [base if place == 0 else moved(place * step) for place in PLACES]
        values = [value for value in line if value is not None]
        if len(values) == len(line):
            found, rested = _off_cubic(np.stack(values), eps)
            noise, still = np.maximum(noise, found), still & rested.any(axis=1)
    return noise


def _off_cubic(values: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """What no cubic fits of values on a line, 0 where it tells nothing; and what hardly moved."""
    middle = values[len(PLACES) // 2]
    with np.errstate(all="ignore"):
        moves = values - middle
        cubic = np.tensordot(CUBICS, moves, axes=(0, 0))
        left = moves - np.tensordot(CUBICS, cubic, axes=(1, 0))
        found = np.sqrt((left**2).sum(axis=0) / (len(PLACES) - len(cubic)))
        # Of what is smooth, a cubic leaves about the fourth power of its relative change: no more
        # than the rounding of the values themselves, on a line that is so short.
        sizes = np.where(np.isfinite(middle), np.abs(middle), 0.0).max(axis=0, initial=0.0)
        far = values.max(axis=0) - values.min(axis=0)
        short = far <= (VALUE * eps) ** 0.25 * sizes
        # Near a zero that size tells nothing, and the other features stand in. What is nearly
        # straight is fitted: with quadratic and cubic parts of q times the slope, the fourth order
        # is about q³ times it. And what moves by ulps of the other features only is noise.
        row = np.where(np.isfinite(middle), np.abs(middle), 0.0).max(axis=1, initial=0.0)[:, None]
        slope = np.abs(cubic[1])
        part = (np.hypot(cubic[2], cubic[3]) + found) / np.where(slope > 0, slope, np.inf)
        short |= (part <= 0.1) & (part**3 * slope <= VALUE * eps * row)
        short |= far <= STILL * eps * row
        still = far <= STILL * eps * np.abs(middle)
    return np.where(short & np.isfinite(found), found, 0.0), still


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


def _features(evaluate: Evaluate, data: Any) -> np.ndarray:
    """The features in float64, shape (n, d), warnings unsaid."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        value = np.asarray(evaluate(data), dtype=np.float64)
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
