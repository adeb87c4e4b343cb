"""Certified lower bounds of the least singular value of large sparse matrices."""

from __future__ import annotations

from math import nextafter, sqrt
from typing import Any, final

import numpy as np
import scipy.sparse as sp
from scipy.linalg import LinAlgError, cho_solve_banded, cholesky_banded

from ..interval import EPS

__all__ = ["Normal", "least_singular_value", "narrow_order"]

# A factorization takes up to n·b² multiplications and n·b numbers.
WORK, STORED = 2**33, 2**25


@final
class Normal:
    """D + Wᵀ diag(v) W for one W and many D and v, as bands.

    Parameters
    ----------
    matrix : scipy.sparse array of shape (m, n)
        With columns in an order in which rows are short.
    """

    def __init__(self, matrix: Any):
        w = sp.csr_array(matrix)
        w.sort_indices()
        self.n = w.shape[1]
        count = np.diff(w.indptr)
        some = count > 0
        self.band = int(
            (w.indices[w.indptr[1:][some] - 1] - w.indices[w.indptr[:-1][some]]).max(initial=0)
        )
        places, values, rows = [np.empty(0, int)], [np.empty(0)], [np.empty(0, int)]
        for k in np.unique(count[some]):
            which = np.flatnonzero(count == k)
            at = w.indptr[which][:, None] + np.arange(k)
            index, value = w.indices[at].astype(np.int64), w.data[at]
            i, j = np.triu_indices(k)
            places.append(((self.band + index[:, i] - index[:, j]) * self.n + index[:, j]).ravel())
            values.append((value[:, i] * value[:, j]).ravel())
            rows.append(np.repeat(which, len(i)))
        self.places, self.values, self.rows = map(np.concatenate, (places, values, rows))

    @staticmethod
    def affordable(matrix: Any, work: int = WORK) -> bool:
        """Whether bands are few enough, and their factorization takes no more than that."""
        w = sp.csr_array(matrix)
        w.sort_indices()
        count = np.diff(w.indptr).astype(float)
        some = count > 0
        ends = w.indptr[1:][some] - 1, w.indptr[:-1][some]
        band = float((w.indices[ends[0]] - w.indices[ends[1]]).max(initial=0))
        n = w.shape[1]
        return n * (band + 1) <= STORED and n * band**2 <= work and (count**2).sum() / 2 <= STORED

    def bands(self, diagonal: np.ndarray | float, weight: np.ndarray) -> np.ndarray:
        """The upper bands, as `scipy.linalg.cholesky_banded` takes them."""
        made = np.bincount(
            self.places, self.values * weight[self.rows], minlength=(self.band + 1) * self.n
        ).reshape(self.band + 1, self.n)
        made[-1] += diagonal
        return made

    def factor(self, diagonal: np.ndarray | float, weight: np.ndarray) -> np.ndarray | None:
        """Its Cholesky factor, or None where rounding makes it indefinite."""
        try:
            return cholesky_banded(
                self.bands(diagonal, weight), overwrite_ab=True, check_finite=False
            )
        except LinAlgError:
            return None

    @staticmethod
    def solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
        """The solution for a factor and a right hand side."""
        return cho_solve_banded((factor, False), right, check_finite=False)


def narrow_order(shape: tuple[int, ...]) -> np.ndarray:
    """The pixels in an order in which those of a small window are close together.

    Parameters
    ----------
    shape : tuple of int
        (channels, height, width); for other shapes the order is left as it is.
    """
    index = np.arange(int(np.prod(shape))).reshape(shape)
    if len(shape) != 3:
        return index.ravel()
    return (index.transpose(1, 2, 0) if shape[2] <= shape[1] else index.transpose(2, 1, 0)).ravel()


def least_singular_value(matrix: Any) -> float:
    """A certified lower bound of min |Wx| / |x|; 0.0 where none is found.

    If the Cholesky factorization of G - c runs to its end in floating point, G - c + E is positive
    semidefinite for some |E_ij| <= γ sqrt(g_ii g_jj), whatever the order of the sums. With the
    rounding of G = WᵀW added, the least eigenvalue is at least c - |E|.

    Parameters
    ----------
    matrix : scipy.sparse array of shape (m, n)
        With columns in an order in which rows are short.

    Returns
    -------
    float

    References
    ----------
    Rump (2006), Verification of positive definiteness.

    Examples
    --------
    >>> 0.95 < least_singular_value(sp.diags_array([1.0, 2.0])) <= 1
    True
    """
    w = sp.csr_array(matrix)
    top = float(np.abs(w.data).max(initial=0.0))
    if w.shape[0] < w.shape[1] or not 1e-100 < top < 1e100 or not Normal.affordable(w):
        return 0.0
    normal, ones = Normal(w), np.ones(w.shape[0])
    size, longest = abs(w), int(np.bincount(w.indices, minlength=w.shape[1]).max())
    # The products and sums of an entry of G; the norm is at most the greatest row sum.
    made = (2 * longest + 8) * EPS * float((size.T @ (size @ np.ones(w.shape[1]))).max())
    largest = float(normal.bands(0.0, ones)[-1].max())
    # Four times the textbook bound: libraries multiply by reciprocals of the pivots.
    steps = 4 * (normal.band + 6) * EPS
    lost = 1.01 * (made + steps * (2 * normal.band + 1) * largest + 4 * EPS * largest)
    lost += w.shape[1] * 1e-280
    first = normal.factor(-2 * lost, ones)
    if first is None:
        return 0.0
    best = lost
    # How far the least eigenvalue is above, by inverse iteration; then that is verified.
    v = np.random.default_rng(0).standard_normal(w.shape[1])
    for _ in range(12):
        v = Normal.solve(first, v / np.linalg.norm(v))
    estimate = 1 / float(np.linalg.norm(v)) + 2 * lost
    for guess in (0.98 * estimate, 0.7 * estimate):
        if guess > 4 * lost and normal.factor(-guess, ones) is not None:
            best = guess - lost
            break
    return nextafter(sqrt(best), 0.0)
