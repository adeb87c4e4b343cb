"""Random directions: each uniform on the sphere, together as even as orthogonal ones."""

from __future__ import annotations

from math import sqrt

import numpy as np

__all__ = ["SAMPLINGS", "costs", "frame", "orthogonally"]

SAMPLINGS = ("auto", "iid", "orthogonal")
# Multiplications after which "auto" takes independent directions: about half a minute.
DEAR = 10**12


def orthogonally(sampling: str, d: int, count: int) -> bool:
    """Whether a sampling of `count` directions in R^d is orthogonal."""
    return sampling == "orthogonal" or (sampling == "auto" and costs(d, count) <= DEAR)


def costs(d: int, count: int) -> int:
    """About how many multiplications it takes to make directions orthogonal."""
    return 2 * d * count * min(d, count)


def frame(rng: np.random.Generator, d: int, count: int, orthogonal: bool) -> np.ndarray:
    """Unit vectors w_1, ..., w_count of R^d, each of them uniform on the sphere.

    Independent ones, or orthogonal ones: fewer than d are orthonormal; d or more are a unit tight
    frame, Σ_i w_i w_iᵀ = (count / d) I. It consists of orthonormal bases and, where d does not
    divide the number, of one tight frame of more than d and fewer than 2d vectors.

    Every vector is uniform because all of them are: a rotation R of R^d turns the normal numbers
    into as likely ones, and w_i into R w_i. So a mean over w_i of any f(w_i) has the expectation
    E f(w) that independent vectors give, whatever the number of vectors.

    Parameters
    ----------
    rng : numpy.random.Generator
    d : int
    count : int
    orthogonal : bool

    Returns
    -------
    ndarray of shape (count, d)

    References
    ----------
    Mezzadri (2007), How to generate random matrices from the classical compact groups (bases);
    Benedetto and Fickus (2003), Finite normalized tight frames; Davies and Higham (2000),
    Numerically stable generation of correlation matrices and their factors (equal lengths by
    rotations of two rows).

    Examples
    --------
    >>> w = frame(np.random.default_rng(0), 3, 5, orthogonal=True)
    >>> bool(np.allclose(w.T @ w, 5 / 3 * np.eye(3)) and np.allclose((w**2).sum(axis=1), 1))
    True
    """
    if not orthogonal:
        drawn = rng.standard_normal((count, d))
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    if count < d:
        return _orthonormal(rng, 1, d, count)[0].T
    bases, rest = divmod(count, d)
    bases -= rest > 0
    parts = [_orthonormal(rng, bases, d, d).reshape(-1, d)] if bases else []
    if rest:
        longer = d + rest
        parts.append(_equalised(_orthonormal(rng, 1, longer, d)[0] * sqrt(longer / d)))
    return np.concatenate(parts)


def _orthonormal(rng: np.random.Generator, number: int, rows: int, columns: int) -> np.ndarray:
    """Matrices with orthonormal columns whose law no rotation of the rows or columns changes."""
    q, r = np.linalg.qr(rng.standard_normal((number, rows, columns)))
    # With a positive diagonal the factors are unique, so a rotation of the numbers rotates them.
    return q * np.where(np.diagonal(r, axis1=1, axis2=2) < 0, -1.0, 1.0)[:, None, :]


def _equalised(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1 from rows whose squared lengths are 1 on average; XᵀX stays.

    Two rows, a short and a long one, are rotated into each other until one of them has length 1.
    Only lengths and inner products of rows decide how, so rotated rows give rotated rows.
    """
    rows = rows.copy()
    square = (rows * rows).sum(axis=1)
    for _ in range(len(rows) - 1):
        i, j = int(square.argmin()), int(square.argmax())
        short, long = square[i] - 1.0, square[j] - 1.0
        if long - short <= 1e-14:
            break
        inner = float(rows[i] @ rows[j])
        # The tangent t of the angle solves long t² + 2 inner t + short = 0, without cancellation.
        big = inner + np.copysign(sqrt(max(inner * inner - long * short, 0.0)), inner)
        tangent = -short / big if big else 1.0
        cos = 1.0 / sqrt(1.0 + tangent * tangent)
        sin = tangent * cos
        first, second = cos * rows[i] + sin * rows[j], cos * rows[j] - sin * rows[i]
        rows[i], rows[j] = first, second
        square[i], square[j] = first @ first, second @ second
    return rows / np.sqrt(square)[:, None]
