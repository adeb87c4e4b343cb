"""Drawing the frequencies of stationary kernels: independent, orthogonal, structured, quasi-random.

Every function draws from its arguments alone, so that a `phimaps.drawn.Drawn` can repeat it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse
import torch
from scipy.special import gammaincinv, ndtri
from scipy.stats import qmc

from ..drawn import generator
from ..kernels import Kernel, Power, Product, Scaled, Spectral

__all__ = [
    "SAMPLINGS",
    "SOBOL_DIMENSIONS",
    "frequencies",
    "phases",
    "principal_axes",
    "radii",
    "scales",
    "signs",
    "spectrum",
]

SAMPLINGS = ("auto", "iid", "orthogonal", "structured", "qmc")
# The most coordinates for which SciPy has direction numbers.
SOBOL_DIMENSIONS = 21201
# Principal axes are taken from this many rows, and this many of them are kept.
AXIS_ROWS, AXES = 1000, 64


def spectrum(kernel: Kernel) -> tuple[float, tuple[Spectral, ...] | None]:
    """k(0) and the laws of a closed kernel's frequencies; None for a kernel not stationary."""
    if isinstance(kernel, Scaled):
        factor, laws = spectrum(kernel.kernel)
        return float(kernel.factor) * factor, laws
    if isinstance(kernel, Power):
        factor, laws = spectrum(kernel.kernel)
        times = int(kernel.exponent)
        return factor**times, None if laws is None else laws * times
    if isinstance(kernel, Product):
        parts = [spectrum(k) for k in kernel.kernels]
        joined: list[Spectral] = []
        for _, laws in parts:
            if laws is None:
                return 1.0, None
            joined += laws
        return float(np.prod([factor for factor, _ in parts])), tuple(joined)
    return 1.0, kernel.spectral()


def frequencies(
    kernel: Kernel,
    d: int,
    count: int,
    sampling: str,
    seed: int,
    axes: np.ndarray | None = None,
    start: int = 0,
    stop: int | None = None,
) -> np.ndarray:
    """Frequencies of a closed kernel, one in each column, from number `start` to `stop`.

    The mean of cos(w·x) over the columns estimates k(x, 0) / k(0, 0) without bias, however they are
    drawn: each draw goes through uniform numbers, of which every one is uniform, or one of
    each of `count` strata.

    Parameters
    ----------
    kernel : Kernel
    d, count : int
    sampling : {"iid", "orthogonal", "qmc"}
        ``"orthogonal"``: directions orthogonal in blocks of d, lengths that are independent of them
        and stratified. A separable law has no rotations, and is sampled independently. ``"qmc"``:
        scrambled Sobol points, through the quantile functions.
    seed : int
    axes : ndarray of shape (d, r), optional
        Orthonormal columns, along which the first coordinates of quasi-random points lie.
    start, stop : int
        Which columns of the draw are wanted; all of them by default.

    Returns
    -------
    ndarray of shape (d, stop - start)
    """
    rng = generator(seed)
    _, laws = spectrum(kernel)
    assert laws is not None
    widths = [d + (law.kind == "radial" and not _constant(law)) for law in laws]
    points: Iterator[np.ndarray] = iter(())
    if sampling == "qmc":
        points = iter(np.split(sobol(sum(widths), count, rng), np.cumsum(widths)[:-1]))
    total = np.zeros((d, count))
    for law in laws:
        if sampling == "qmc":
            drawn = _quasi(law, d, next(points), axes)
        elif law.kind == "separable":
            drawn = law.quantile(_uniform(rng, (d, count)))
        elif sampling == "orthogonal":
            drawn = orthogonal(d, count, rng) * (
                _chi(d, _strata(rng, count)) * _mixed(law, rng, count)
            )
        else:
            drawn = rng.standard_normal((d, count)) * law.quantile(_uniform(rng, count))
        total += drawn / _column(law.length)
    return total[:, start:stop]


def _column(length: Any) -> Any:
    array = np.asarray(length, dtype=np.float64)
    return array[:, None] if array.ndim else float(array)


def _constant(law: Spectral) -> bool:
    """Whether the mixture is a single Gaussian."""
    return bool(np.ptp(law.quantile(np.array([0.1, 0.3, 0.9]))) == 0)


def _mixed(law: Spectral, rng: np.random.Generator, count: int) -> np.ndarray:
    return law.quantile(_strata(rng, count))


def _uniform(rng: np.random.Generator, shape: Any) -> np.ndarray:
    """Uniform numbers in the open interval (0, 1)."""
    return np.clip(rng.random(shape), 2.0**-54, 1 - 2.0**-53)


def _strata(rng: np.random.Generator, count: int) -> np.ndarray:
    """One uniform number from each of as many intervals of one length, in random order."""
    return np.clip((rng.permutation(count) + rng.random(count)) / count, 2.0**-54, 1 - 2.0**-53)


def _chi(d: int, u: np.ndarray) -> np.ndarray:
    """The length of a standard normal vector of R^d, by its quantile function."""
    return np.sqrt(2 * gammaincinv(d / 2, u))


def orthogonal(d: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Unit columns that are orthogonal in blocks of d, each uniform on the sphere."""
    blocks = []
    for start in range(0, count, d):
        normal = rng.standard_normal((d, min(d, count - start)))
        q, r = (part.numpy() for part in torch.linalg.qr(torch.from_numpy(normal)))
        # The sign correction makes the distribution uniform (Haar).
        blocks.append(q * np.where(np.diag(r) < 0, -1.0, 1.0))
    return np.concatenate(blocks, axis=1)


def sobol(d: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Scrambled Sobol points of shape (d, count), each uniform in the open cube."""
    engine = qmc.Sobol(d, scramble=True, rng=rng)
    # Whole powers of two, whatever is asked for: the points fill the cube evenly in such numbers.
    points = engine.random_base2(max(0, (count - 1).bit_length()))[:count].T
    # The scrambled digits end at some place; what comes after it is uniform as well.
    cell = 2.0**-engine.bits
    return np.clip(points + cell * rng.random(points.shape), 2.0**-54, 1 - 2.0**-53)


def _quasi(law: Spectral, d: int, u: np.ndarray, axes: np.ndarray | None) -> np.ndarray:
    if law.kind == "separable":
        return law.quantile(u)
    scale = law.quantile(u[0]) if len(u) > d else 1.0
    normal = ndtri(u[-d:])
    return (normal if axes is None else turned(normal, axes)) * scale


def turned(normal: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Q z for an orthogonal Q whose first columns are the axes, up to signs."""
    reflectors, factors = np.linalg.qr(axes, mode="raw")
    result = normal.copy()
    for j in reversed(range(axes.shape[1])):
        v = np.concatenate((np.zeros(j), [1.0], reflectors[j, j + 1 :]))
        result -= factors[j] * np.outer(v, v @ result)
    return result


def principal_axes(x: Any, kernel: Kernel) -> np.ndarray | None:
    """Directions in which the rows vary most, in units of the length scales; None of sparse rows.

    Frequencies along them are what the kernel of the data depends on most, so the first coordinates
    of quasi-random points, the most even ones, are best spent there.
    """
    _, laws = spectrum(kernel)
    if scipy.sparse.issparse(x) or laws is None or any(law.kind != "radial" for law in laws):
        return None
    rows = x.detach().cpu().double().numpy()
    if len(rows) > AXIS_ROWS:
        chosen = np.random.default_rng(0).choice(len(rows), AXIS_ROWS, replace=False)
        rows = rows[np.sort(chosen)]
    rows = (
        (rows - rows.mean(0)) / _column(laws[0].length).T
        if np.ndim(laws[0].length)
        else (rows - rows.mean(0))
    )
    n, d = rows.shape
    values, vectors = np.linalg.eigh(rows.T @ rows if d <= n else rows @ rows.T)
    kept = np.flatnonzero(values > 1e-9 * max(values[-1], 0.0))[::-1][:AXES]
    if not kept.size:
        return None
    axes = vectors[:, kept] if d <= n else rows.T @ vectors[:, kept] / np.sqrt(values[kept])
    # An eigenvector is known up to its sign, which must not depend on the machine.
    largest = np.abs(axes).argmax(0)
    return axes * np.sign(axes[largest, np.arange(axes.shape[1])])


def scales(kernel: Kernel, d: int) -> np.ndarray:
    """One over the length scale of each coordinate, of a kernel with one law."""
    _, laws = spectrum(kernel)
    assert laws is not None
    return np.broadcast_to(1.0 / np.asarray(laws[0].length, dtype=np.float64), (d,))


def signs(order: int, blocks: int, seed: int) -> np.ndarray:
    """Random signs of shape (1 + 2 blocks, order): of the first turn, then two of each block."""
    return generator((seed, 0)).choice([-1.0, 1.0], size=(1 + 2 * blocks, order))


def radii(kernel: Kernel, order: int, count: int, seed: int) -> np.ndarray:
    """Lengths of the frequencies of a radial law whose directions are uniform in R^order."""
    rng = generator((seed, 1))
    _, laws = spectrum(kernel)
    assert laws is not None
    return _chi(order, _strata(rng, count)) * _mixed(laws[0], rng, count)


def phases(count: int, seed: int) -> np.ndarray:
    """Uniform phases of single cosines."""
    return generator((seed, 2)).uniform(0, 2 * np.pi, size=count)
