"""Ridge regression that sees its features once, a chunk at a time."""

from __future__ import annotations

from math import inf, sqrt
from numbers import Real
from typing import Any, ClassVar, Self, final

import numpy as np
import scipy.linalg
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge as DenseRidge
from sklearn.linear_model import RidgeClassifier
from sklearn.utils.multiclass import check_classification_targets

from ..errors import InputError, ParameterError, show
from .linear import AffineFunctions

__all__ = ["Moments", "Ridge", "StreamedRidge"]


@final
class Ridge(AffineFunctions):
    """F = {x ↦ a·x + b}, the affine functions; the member minimises Σ w (y - f)² + α |a|².

    Behind a feature map, φ(X) is never held as a whole: chunks of it are made, their moments are
    added, and the chunk is dropped. The memory is that of d² numbers for d features, however many
    rows there are, and the result is that of all rows at once up to rounding.

    Parameters
    ----------
    alpha : float, default 1
        α >= 0, the strength of the l2 penalty; b is not penalised.
    streaming : bool, default True
        False holds φ(X), and leaves the fit to scikit-learn's ``Ridge`` or ``RidgeClassifier``.
    task : {"auto", "regression", "classification"}, default "auto"
        Classes are regressed on as ±1, one column for each.

    References
    ----------
    Hoerl and Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems,
    equation (2.1); moments of parts are merged as in Chan, Golub and LeVeque (1983), Algorithms for
    computing the sample variance.

    Examples
    --------
    >>> import numpy as np
    >>> import phimaps as pm
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = Ridge(alpha=1e-3) @ pm.Nystrom(gamma=2.0, n_components=20)
    >>> bool(model.fit(X, np.sin(3 * X[:, 0])).score(X, np.sin(3 * X[:, 0])) > 0.999)
    True
    """

    multioutput: ClassVar[bool] = True
    probabilistic: ClassVar[bool] = False

    def __init__(self, alpha: float = 1.0, streaming: bool = True, task: str = "auto"):
        self.alpha = alpha
        self.streaming = streaming
        self.task = task

    @property
    def streams(self) -> bool:
        return bool(self.streaming)

    def check_parameters(self) -> None:
        super().check_parameters()
        number = isinstance(self.alpha, Real) and not isinstance(self.alpha, bool)
        if not number or not 0 <= self.alpha < inf:
            raise ParameterError(
                f"The 'alpha' parameter of Ridge must be a finite number >= 0. Got "
                f"{show(self.alpha)} instead.",
                got=f"alpha={show(self.alpha)}",
                need="a finite number >= 0",
                do="pm.models.Ridge(alpha=1.0)",
            )

    def member(self, classify: bool) -> Any:
        if self.streaming:
            return StreamedRidge(self.alpha, classify)
        return RidgeClassifier(alpha=self.alpha) if classify else DenseRidge(alpha=self.alpha)


@final
class Moments:
    """The total weight, the mean, and the sum of centred products of rows that come in batches.

    Parameters
    ----------
    width : int
        Numbers in a row.
    """

    def __init__(self, width: int):
        self.total = 0.0
        self.mean = np.zeros(width)
        # Only the upper triangle is kept up.
        self.products = np.zeros((width, width), order="F")

    def copy(self) -> Moments:
        """The same numbers in other memory."""
        twin = Moments(0)
        twin.total, twin.mean = self.total, self.mean.copy()
        twin.products = self.products.copy(order="F")
        return twin

    def add(self, rows: np.ndarray, weights: np.ndarray | None) -> None:
        """Take in rows of float64, which are overwritten; the last one is room to work in."""
        body = rows[:-1]
        total = float(len(body) if weights is None else weights.sum())
        if not total:
            return
        mean = np.average(body, axis=0, weights=weights)
        body -= mean
        if weights is not None:
            body *= np.sqrt(weights)[:, None]
        whole = self.total + total
        # The shift of the means is one more row, so that everything is one product.
        rows[-1] = (mean - self.mean) * sqrt(self.total / whole * total)
        self.mean = self.mean + (mean - self.mean) * (total / whole)
        self.products = scipy.linalg.blas.dsyrk(
            1.0, rows.T, beta=1.0, c=self.products, overwrite_c=1
        )
        self.total = whole

    def widen(self, at: list[int], constant: float) -> None:
        """Insert columns that have been constant in all rows so far."""
        self.mean = np.insert(self.mean, at, constant)
        self.products = np.asfortranarray(
            np.insert(np.insert(self.products, at, 0.0, axis=0), at, 0.0, axis=1)
        )


@final
class StreamedRidge(BaseEstimator):
    """x ↦ a·x + b with the least Σ w (y - f)² + α |a|², from moments; a member of `Ridge`.

    What α leaves of the matrix below its rounding error is left out: then a is the shortest of the
    solutions.

    Parameters
    ----------
    alpha : float, default 1
    classify : bool, default False
        Whether y are labels.
    """

    moments_: Moments
    width_: int
    flat_: bool
    classes_: np.ndarray

    def __init__(self, alpha: float = 1.0, classify: bool = False):
        self.alpha = alpha
        self.classify = classify

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Start anew with all rows; see `partial_fit`."""
        for name in ("moments_", "classes_", "flat_", "width_"):
            self.__dict__.pop(name, None)
        return self.partial_fit(X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Add the moments of some rows.

        Parameters
        ----------
        X : array of shape (n, d)
        y : array of shape (n,), or (n, k) to regress on k targets
        sample_weight : array of shape (n,), optional
        classes : array-like, optional
            All labels; others may still come later.

        Returns
        -------
        self
        """
        features, target = np.asarray(X), np.asarray(y)
        values = self._coded(target, classes) if self.classify else self._numbers(target)
        d, k = features.shape[1], values.shape[1]
        if "moments_" not in vars(self):
            self.moments_, self.width_ = Moments(d + k), d
        rows = np.empty((len(features) + 1, d + k))
        rows[:-1, :d], rows[:-1, d:] = features, values
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        self.moments_.add(rows, weights)
        self.__dict__.pop("solution_", None)
        return self

    def copied(self) -> StreamedRidge:
        """A copy that further rows do not reach."""
        twin = StreamedRidge(self.alpha, self.classify)
        twin.__dict__.update(vars(self))
        if "moments_" in vars(self):
            twin.moments_ = self.moments_.copy()
        return twin

    def _numbers(self, target: np.ndarray) -> np.ndarray:
        flat = target.ndim == 1
        values = target.astype(np.float64).reshape(len(target), -1)
        _check_finite(values)
        if "moments_" in vars(self):
            known = len(self.moments_.mean) - self.width_
            if (self.flat_, known) != (flat, values.shape[1]):
                raise InputError(
                    "The targets of this batch are not like those before.",
                    got=f"y of shape {target.shape}",
                    need="shape (n,)" if self.flat_ else f"shape (n, {known})",
                    do="start anew with fit",
                )
        self.flat_ = flat
        return values

    def _coded(self, target: np.ndarray, classes: Any) -> np.ndarray:
        if target.dtype.kind == "f":
            _check_finite(target[:, None])
        try:
            check_classification_targets(target)
        except ValueError as error:
            raise InputError(
                str(error).split(". ")[0] + ".",
                got=show(target),
                need="labels: strings, integers, or numbers that are whole",
                do="task='regression' for numbers of any kind",
            ) from None
        known = vars(self).get("classes_")
        new = np.unique(target if classes is None else np.concatenate([target, classes]))
        merged = new if known is None else np.union1d(known, new)
        if known is not None and len(merged) > len(known):
            # Until now they were the class of no row.
            place = np.searchsorted(known, np.setdiff1d(merged, known))
            self.moments_.widen((place + self.width_).tolist(), -1.0)
        self.classes_ = merged
        return np.where(target[:, None] == merged, 1.0, -1.0)

    @property
    def solution(self) -> tuple[np.ndarray, np.ndarray]:
        """a, of shape (d, k), and b."""
        if "solution_" not in vars(self):
            d, held = self.width_, self.moments_
            slope = _ridge(held.products[:d, :d], held.products[:d, d:], float(self.alpha))
            self.solution_ = slope, held.mean[d:] - held.mean[:d] @ slope
        return self.solution_

    @property
    def coef_(self) -> np.ndarray:
        """a, of shape (k, d), or (d,) for one target."""
        slope = self.solution[0].T
        return slope[0] if vars(self).get("flat_", False) else slope

    @property
    def intercept_(self) -> Any:
        """b, of shape (k,), or a number for one target."""
        shift = self.solution[1]
        return shift[0] if vars(self).get("flat_", False) else shift

    def predict(self, X: Any) -> np.ndarray:
        """f(x), or the class with the greatest of them, for every row."""
        slope, shift = self.solution
        values = np.asarray(X, dtype=np.float64) @ slope + shift
        if self.classify:
            return self.classes_[values.argmax(axis=1)]
        return values[:, 0] if self.flat_ else values


def _check_finite(values: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        # scikit-learn's checks look for these words.
        word = "NaN" if np.isnan(values[tuple(bad[0])]) else "infinity"
        raise InputError(
            f"Input y contains {word}.",
            got=f"{values[tuple(bad[0])]} in row {bad[0][0]}",
            need="finite numbers",
            do="drop these rows",
        )


def _ridge(gram: np.ndarray, right: np.ndarray, alpha: float) -> np.ndarray:
    """The shortest solution of (G + α) a = r, for G given by its upper triangle."""
    matrix = np.array(gram, order="F")
    matrix.flat[:: len(matrix) + 1] += alpha
    size = float(np.abs(np.diag(matrix)).max(initial=0.0))
    noise = np.finfo(np.float64).eps * len(matrix)
    if size > 0:
        upper = np.abs(np.triu(matrix))
        norm = float((upper.sum(axis=0) + upper.sum(axis=1) - np.diag(upper)).max())
        factor, failed = scipy.linalg.lapack.dpotrf(matrix, lower=0)
        if not failed and scipy.linalg.lapack.dpocon(factor, norm, uplo="U")[0] > noise:
            return scipy.linalg.lapack.dpotrs(factor, right, lower=0)[0]
    values, vectors = scipy.linalg.eigh(matrix, lower=False)
    kept = values > noise * max(float(values[-1]), 0.0)
    vectors, values = vectors[:, kept], values[kept]
    return vectors @ ((vectors.T @ right) / values[:, None])
