"""Piecewise linear curves, and with them features of additive kernels that are exact on levels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any, ClassVar, final

import numpy as np
import scipy.sparse
import torch
from sklearn.utils._param_validation import Integral, StrOptions
from sklearn.utils._param_validation import Interval as Range

from .. import kernels
from ..errors import InputError, ParameterError, show
from ..interval import EPS
from ..map import Fact, FeatureMap, Given
from ..proof import Reason, Strength
from ..property import Continuous, Lipschitz, LowerLipschitz
from ..spaces import Box, Image, Space

__all__ = ["LinearInterpolation", "PiecewiseLinearEmbedding"]

# More different values than this are no levels.
MOST_LEVELS = 1024


@final
class LinearInterpolation(FeatureMap):
    """x ↦ (f(x_1), ..., f(x_d)), with f: R -> R^r piecewise linear through given points.

    Beyond the first and the last point f goes on as it was.

    Parameters
    ----------
    levels : array-like of shape (m,)
        Where f is given, in ascending order; m >= 2.
    values : array-like of shape (m, r)
        f there.

    Examples
    --------
    >>> LinearInterpolation([0.0, 1.0, 3.0], [[0.0], [5.0], [6.0]]).fit_transform([[0.5, 2.0]])
    array([[2.5, 5.5]])
    """

    levels: Any
    values: Any

    arrays: ClassVar[dict[str, int]] = {"levels": 1, "values": 2}

    def check_parameters(self) -> None:
        super().check_parameters()
        levels, values = self.array("levels"), self.array("values")
        if len(levels) < 2 or len(levels) != len(values) or not (np.diff(levels) > 0).all():
            raise ParameterError(
                "The points of LinearInterpolation are no curve.",
                got=f"levels of shape {levels.shape}, values of shape {values.shape}",
                need="at least two ascending levels, and values for each",
                do="LinearInterpolation([0, 1], [[0.0], [2.0]])",
            )

    @property
    def sparse(self) -> bool:
        return self._keeps_zero()

    def _keeps_zero(self) -> bool:
        levels, values = self.array("levels"), self.array("values")
        at = np.flatnonzero(levels == 0)
        return bool(at.size and not values[at[0]].any())

    def _slopes(self) -> np.ndarray:
        """The slope of each piece, of shape (m - 1, r)."""
        levels, values = self.array("levels"), self.array("values")
        return np.diff(values, axis=0) / np.diff(levels)[:, None]

    def _table(self, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
        levels, values = self.weights(like)
        slopes = (values[1:] - values[:-1]) / (levels[1:] - levels[:-1])[:, None]
        return levels, values, slopes

    def _at(self, x: torch.Tensor) -> torch.Tensor:
        """f at each number, of shape (..., r)."""
        levels, values, slopes = self._table(x)
        piece = torch.bucketize(x.detach().contiguous(), levels[1:-1], right=True)
        return torch.addcmul(values[piece], (x - levels[piece])[..., None], slopes[piece])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._at(x.flatten(1)).flatten(1)

    def forward_sparse(self, x: Any) -> Any:
        r, d = self.array("values").shape[1], x.shape[1]
        data = self._at(torch.from_numpy(np.ascontiguousarray(x.data))).numpy().ravel()
        indices = (x.indices[:, None] * r + np.arange(r, dtype=x.indices.dtype)).ravel()
        made = scipy.sparse.csr_array((data, indices, r * x.indptr), shape=(x.shape[0], r * d))
        made.eliminate_zeros()
        return made

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (int(np.prod(shape)) * self.array("values").shape[1],)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        r = self.array("values").shape[1]
        return [f"{label}_{n}_{k}" for n in names for k in range(r)]

    # --- facts -------------------------------------------------------------------------------
    def _f(self, t: float) -> np.ndarray:
        levels, values = self.array("levels"), self.array("values")
        piece = int(np.searchsorted(levels[1:-1], t, side="right"))
        with np.errstate(over="ignore"):
            return values[piece] + (t - levels[piece]) * self._slopes()[piece]

    def image(self, on: Space) -> Image:
        levels, values = self.array("levels"), self.array("values")
        slack = 64 * EPS * (np.abs(values).max() + 1e-290)
        lows, highs = [], []
        for low, high in zip(*(b.ravel() for b in on.bounds()), strict=True):
            met = [values[(levels > low) & (levels < high)]]
            for end, side in ((low, 0), (high, -1)):
                if np.isfinite(end):
                    met.append(self._f(end)[None])
                    # What lies beyond the levels may cancel.
                    with np.errstate(over="ignore"):
                        beyond = abs(end) * np.abs(self._slopes()).max()
                    slack = max(slack, 64 * EPS * float(beyond))
                else:
                    way = self._slopes()[side] * (1 if end > 0 else -1)
                    beyond = np.where(way > 0, inf, -inf)
                    met.append(np.where(way == 0, values[side], beyond)[None])
            points = np.concatenate(met)
            lows.append(points.min(axis=0))
            highs.append(points.max(axis=0))
        if not np.isfinite(slack):
            return super().image(on)
        return Image(Box(np.concatenate(lows) - slack, np.concatenate(highs) + slack))

    def _pieces(self, low: float, high: float) -> slice:
        """The pieces that an interval meets."""
        inner = self.array("levels")[1:-1]
        first = int(np.searchsorted(inner, low, side="right"))
        return slice(first, max(first, int(np.searchsorted(inner, high, side="left"))) + 1)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "piecewise linear"
        slopes, widths = self._slopes(), np.diff(self.array("levels"))
        steep = np.linalg.norm(slopes, axis=1)
        slack = 16 * (slopes.shape[1] + 2) * EPS
        # The difference of two values is rounded in proportion to them.
        error = 4 * EPS * np.linalg.norm(self.array("values"), axis=1).max() / widths
        pieces = [self._pieces(*ends) for ends in zip(*map(np.ravel, on.bounds()), strict=True)]
        why = Reason("the steepest piece that the space meets", Strength.COMPUTED)
        top = max(float((steep + error)[p].max()) for p in pieces)
        yield Lipschitz(top * (1 + slack)), why
        bottom = min(self._least(slopes[p], widths[p], error[p]) for p in pieces) * (1 - slack)
        if bottom > 0:
            text = "the curve moves on along one direction, in every piece that the space meets"
            yield LowerLipschitz(bottom), Reason(text, Strength.COMPUTED)
        chords = on.chords()
        if chords is None:
            return
        ends = zip(np.ravel(chords[0]), np.ravel(chords[1]), strict=True)
        real = [self._pieces(a, b) for a, b in ends if a < b]
        if real:
            met = max(float((steep - error)[p].max()) for p in real) * (1 - slack)
            if met > 0:
                yield (~Lipschitz)(met), why

    @staticmethod
    def _least(slopes: np.ndarray, widths: np.ndarray, error: np.ndarray) -> float:
        """A lower bound of |f(s) - f(t)| / |s - t|: by the speed along some directions."""
        # The first coordinate, the chord, and the sum of the directions of the pieces.
        speeds = np.linalg.norm(slopes, axis=1, keepdims=True)
        units = slopes / np.where(speeds > 0, speeds, 1)
        candidates = [np.eye(slopes.shape[1])[0], widths @ slopes, np.sqrt(widths) @ units]
        best = 0.0
        for way in candidates:
            size = float(np.linalg.norm(way))
            if 0 < size < inf:
                best = max(best, float((slopes @ way / size - error).min()))
        return best

    @classmethod
    def example(cls) -> FeatureMap:
        return cls([-1.0, 0.0, 0.5, 2.0], [[1.0, 0.0], [0.0, 0.0], [0.3, 1.0], [2.0, 1.0]])


@final
class PiecewiseLinearEmbedding(FeatureMap):
    """x ↦ (f(x_1), ..., f(x_d)), with f(s)·f(t) = κ(s, t) for all levels s and t; open.

    Features of an additive kernel Σ_i κ(x_i, y_i) that are exact for data on a grid of levels,
    such as counts, and piecewise linear between them; a coordinate of 0 has the features 0.

    Parameters
    ----------
    kernel : {"additive_chi2", "intersection"} or a kernel of these kinds, default "additive_chi2"
        κ(s, t) = 2st / (s + t), or min(s, t).
    levels : None, int or array-like, default None
        The levels besides 0: None stands for the values that occur in the data, and a number m for
        m equal steps from 0 to the greatest of them.

    Notes
    -----
    For the intersection, f counts in unary: one coordinate grows in each piece. For χ², whose
    matrix on the levels is ill-conditioned, its triangular factor has a closed form (of a Cauchy
    matrix), which is accurate; few columns of it matter, whatever the number of levels.

    References
    ----------
    Maji and Berg (2009), Max-margin additive classifiers for detection; Boros, Kailath and
    Olshevsky (2002), Pivoting and backward stability of fast algorithms for solving Cauchy linear
    equations.

    Examples
    --------
    >>> X = [[1.0, 2.0], [2.0, 4.0]]
    >>> Z = PiecewiseLinearEmbedding("intersection").fit_transform(X)
    >>> Z @ Z.T
    array([[3., 3.],
           [3., 6.]])
    """

    kernel: Any = "additive_chi2"
    levels: Any = None

    _parameter_constraints = {
        "kernel": [StrOptions({"additive_chi2", "intersection"}), kernels.Kernel],
        "levels": [Range(Integral, 1, None, closed="left"), "array-like", None],
    }

    @property
    def positive(self) -> bool:
        return True

    @property
    def sparse(self) -> bool:
        return True

    def check_parameters(self) -> None:
        super().check_parameters()
        self._name()
        if self.levels is None or isinstance(self.levels, Integral):
            return
        given = np.asarray(self.levels)
        good = given.ndim == 1 and given.dtype.kind in "biuf" and np.isfinite(given).all()
        if not good or not (given >= 0).all() or not given.any():
            raise ParameterError(
                "The 'levels' parameter of PiecewiseLinearEmbedding cannot be used: it is "
                f"{show(self.levels)}.",
                got=f"levels={show(self.levels)}",
                need="finite numbers >= 0 in one dimension, not all 0",
                do="levels=16 for 16 equal steps, or levels=range(1, 17)",
            )

    def _name(self) -> str:
        kinds = {kernels.AdditiveChi2: "additive_chi2", kernels.Intersection: "intersection"}
        name = self.kernel if isinstance(self.kernel, str) else kinds.get(type(self.kernel))
        if name is None:
            raise ParameterError(
                f"PiecewiseLinearEmbedding has no features of {self.kernel!r}.",
                got=f"kernel={self.kernel!r}",
                need="an additive kernel: additive_chi2 or intersection",
                do="pm.Nystrom(kernel=...) takes any kernel",
            )
        return name

    def close(self, x: Any, given: Given) -> FeatureMap:
        levels = self._found(x)
        factor = _unary(levels) if self._name() == "intersection" else _cauchy(levels)
        zero = np.zeros((1, factor.shape[1]))
        return LinearInterpolation(np.concatenate([[0.0], levels]), np.concatenate([zero, factor]))

    def _found(self, x: Any) -> np.ndarray:
        """The levels besides 0, ascending."""
        if self.levels is not None and not isinstance(self.levels, Integral):
            found = np.unique(np.asarray(self.levels, dtype=np.float64))
            return found[found > 0]
        stored = x.data if scipy.sparse.issparse(x) else x.detach().cpu().numpy().ravel()
        stored = stored.astype(np.float64)
        # Data that are 0 throughout leave the choice.
        most = float(stored.max(initial=0.0)) or 1.0
        if self.levels is not None:
            count = int(self.levels)
            return most * np.arange(1, count + 1) / count
        found = np.unique(stored)
        found = found[found > 0]
        if len(found) > MOST_LEVELS:
            raise InputError(
                f"The data have {len(found)} different values, too many for levels.",
                got=f"{len(found)} different numbers > 0",
                need=f"at most {MOST_LEVELS}, or a choice of levels",
                do="PiecewiseLinearEmbedding(levels=32)",
            )
        return found if found.size else np.array([most])

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "piecewise linear, whatever the levels"

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(levels=3)


def _unary(levels: np.ndarray) -> np.ndarray:
    """The triangular factor of the matrix min(s, t)."""
    steps = np.diff(levels, prepend=0.0)
    return np.tril(np.ones((len(levels), len(levels)))) * np.sqrt(steps)


def _cauchy(levels: np.ndarray) -> np.ndarray:
    """A factor C with C Cᵀ = 2st / (s + t), by elimination with the greatest pivots.

    What is left after the pivots p_1, ..., p_k is 2st / (s + t) g(s) g(t), with g(s) the product of
    all (s - p) / (s + p): differences of levels only, so no digits are lost.
    """
    left = np.ones_like(levels)
    columns: list[np.ndarray] = []
    while len(columns) < len(levels):
        # κ(s, s) = s.
        rest = levels * left**2
        pivot = int(np.argmax(rest))
        if rest[pivot] <= 2.0**-54 * levels[-1]:
            break
        p, sign = levels[pivot], np.sign(left[pivot])
        columns.append(sign * 2 * levels * np.sqrt(p) / (levels + p) * left)
        left = left * (levels - p) / (levels + p)
    return np.stack(columns, axis=1)
