"""Which points represent a set of rows, for a low-rank approximation of their kernel matrix.

Everything is computed on the CPU, so that a seed chooses the same points on every device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import scipy.linalg
import scipy.sparse
import torch

from ..config import get_config
from ..kernels import Kernel
from .empirical_kernel import cholesky

__all__ = ["RULES", "Reservoir", "dense_rows"]

# Beyond this many rows, and this many for each landmark, a uniform sample of them is looked at.
POOL, EACH = 20_000, 10
# The means of clusters of fewer rows are as good.
CLUSTERED, MEMBERS, STEPS = 5_000, 5, 3
# How many landmarks are drawn at a time, as a part of all.
ROUNDS = 10


def dense_rows(x: Any, index: Any) -> np.ndarray:
    """Rows of a tensor or CSR array as a dense array of their dtype."""
    if scipy.sparse.issparse(x):
        return x[index].toarray()
    if isinstance(index, np.ndarray):
        index = torch.from_numpy(index).to(x.device)
    return x[index].detach().cpu().numpy()


@final
@dataclass(frozen=True)
class Reservoir:
    """A uniform sample of the rows seen so far, whatever the batches they came in.

    Every row gets a random number, in the order of the rows, and those with the least are kept.

    Parameters
    ----------
    rows : ndarray of shape (k, d)
    keys : ndarray of shape (k,)
        Their numbers, rising.
    generator : numpy.random.Generator
        In the state after the last row.
    kernel : Kernel or None
        What the rows were kept for, where it was bound to all of them.

    References
    ----------
    Cohen and Kaplan (2007), Summarizing data using bottom-k sketches.
    """

    rows: np.ndarray
    keys: np.ndarray
    generator: np.random.Generator
    kernel: Kernel | None = None

    def take(self, x: Any, count: int) -> Reservoir:
        """The sample of at most `count` rows after more rows; this one is left as it is."""
        generator = np.random.Generator(type(self.generator.bit_generator)())
        generator.bit_generator.state = self.generator.bit_generator.state
        keys = generator.random(x.shape[0])
        news = np.argsort(keys, kind="stable")[:count]
        if len(self.keys) == count:
            news = news[keys[news] < self.keys[-1]]
        fresh = dense_rows(x, news)
        both = np.concatenate([self.keys, keys[news]])
        order = np.argsort(both, kind="stable")[:count]
        rows = fresh if not len(self.keys) else np.concatenate([self.rows, fresh])
        return Reservoir(rows[order], both[order], generator, self.kernel)


def _pool(x: Any, most: int, rng: np.random.Generator) -> np.ndarray:
    n = x.shape[0]
    return np.sort(rng.choice(n, most, replace=False)) if n > most else np.arange(n)


def _weighted(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Positions drawn in proportion to their weights without replacement; zeros come last.

    Efraimidis and Spirakis (2006), Weighted random sampling with a reservoir.
    """
    with np.errstate(divide="ignore"):
        keys = rng.exponential(size=len(weights)) / weights
    # Among those without weight, chance decides.
    last = np.isinf(keys) | np.isnan(keys)
    order = np.lexsort((rng.random(len(weights)), np.where(last, np.inf, keys)))
    return order[:count]


# --- centroids ---------------------------------------------------------------------------------
def centroids(kernel: Kernel, x: Any, count: int, rng: np.random.Generator) -> np.ndarray:
    """The means of clusters: k-means++ in batches, then a few steps of Lloyd's algorithm.

    References
    ----------
    Zhang and Kwok (2008), Improved Nyström low-rank approximation and error analysis.
    """
    rows = dense_rows(x, _pool(x, max(CLUSTERED, MEMBERS * count), rng))
    shift = rows.mean(axis=0, dtype=np.float64)
    # Which mean is nearest may be decided in single precision; the means are not computed in it.
    points = torch.from_numpy((rows - shift).astype(np.float64))
    size = float(points.square().sum(1).max()) ** 0.5
    near = (points / (size or 1.0)).float()
    centres = _seeds(near, count, rng)
    for _ in range(STEPS):
        owner = _nearest(near, near.new_tensor(centres))[1]
        number = torch.bincount(owner, minlength=count).double()
        sums = torch.zeros((count, points.shape[1]), dtype=torch.float64)
        sums.index_add_(0, owner, points)
        held = number > 0
        means = (sums / number.clamp(min=1.0)[:, None]).numpy()
        centres = np.where(held.numpy()[:, None], means / (size or 1.0), centres)
    found = centres * (size or 1.0) + shift
    # Means of non-negative numbers must not become negative by rounding.
    return np.clip(found, rows.min(axis=0), rows.max(axis=0)).astype(rows.dtype)


def _seeds(points: torch.Tensor, count: int, rng: np.random.Generator) -> np.ndarray:
    batch = -(-count // ROUNDS)
    chosen = rng.integers(len(points), size=1)
    far, _ = _nearest(points, points[chosen])
    while len(chosen) < count:
        far[chosen] = 0.0
        new = _weighted(far.double().numpy(), min(batch, count - len(chosen)), rng)
        chosen = np.concatenate([chosen, new])
        far = torch.minimum(far, _nearest(points, points[new])[0])
    return points[chosen].double().numpy()


def _nearest(points: torch.Tensor, centres: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared distance to, and number of, the nearest centre."""
    step = max(1, get_config()["chunk_bytes"] // (4 * max(1, len(centres))))
    half = centres.square().sum(1)
    found = [torch.addmm(half, p, centres.T, alpha=-2.0).min(dim=1) for p in points.split(step)]
    squares = torch.cat([f.values for f in found]) + points.square().sum(1)
    return squares.clamp_(min=0.0), torch.cat([f.indices for f in found])


# --- rows by what they add -----------------------------------------------------------------------
def _columns(kernel: Kernel, x: Any, rows: Any) -> np.ndarray:
    """k(x_i, z_j) in float64, for rows z of the same kind."""
    step = max(1, get_config()["chunk_bytes"] // (8 * max(1, rows.shape[0])))
    found = np.empty((x.shape[0], rows.shape[0]))
    for start in range(0, x.shape[0], step):
        piece = kernel.between(_double(x[start : start + step]), _double(rows))
        found[start : start + step] = piece.numpy()
    return found


def _double(x: Any) -> Any:
    return x.astype(np.float64) if scipy.sparse.issparse(x) else x.double()


def _ready(kernel: Kernel, x: Any, index: np.ndarray) -> Any:
    if not scipy.sparse.issparse(x):
        return x[torch.from_numpy(index).to(x.device)].detach().cpu()
    return x[index] if kernel.sparse else torch.from_numpy(x[index].toarray())


def pivots(kernel: Kernel, x: Any, count: int, rng: np.random.Generator) -> np.ndarray:
    """Rows by randomly pivoted Cholesky: each drawn by how much of it the earlier ones leave.

    Proposals are drawn in batches, and each is accepted with the probability that makes its law
    that of one drawn after the other.

    References
    ----------
    Chen, Epperly, Tropp and Webber (2025), Randomly pivoted Cholesky, Algorithm 1; Epperly, Tropp
    and Webber (2024), Embrace rejection: kernel matrix approximation by accelerated randomly
    pivoted Cholesky, Algorithm 2.
    """
    pool = _pool(x, max(POOL, EACH * count), rng)
    rows = _ready(kernel, x, pool)
    left = np.maximum(kernel.diagonal(_double(rows)).double().numpy(), 0.0)
    least = np.finfo(np.float64).eps * count * left.sum()
    factor = np.empty((len(pool), count))
    chosen: list[int] = []
    batch = max(1, -(-count // ROUNDS))
    while len(chosen) < count and left.sum() > least:
        at = len(chosen)
        tried = rng.choice(len(pool), batch, p=left / left.sum())
        block = _columns(kernel, rows[tried], rows[tried])
        block -= factor[tried, :at] @ factor[tried, :at].T
        taken, lower = _accepted(block, left[tried], rng, count - at)
        if not taken:
            # What is left of them is rounding.
            left[tried] = 0.0
            continue
        new = tried[taken]
        columns = _columns(kernel, rows, rows[new]) - factor[:, :at] @ factor[new, :at].T
        piece = scipy.linalg.solve_triangular(lower, columns.T, lower=True, check_finite=False).T
        factor[:, at : at + len(taken)] = piece
        left = np.maximum(left - np.einsum("ij,ij->i", piece, piece), 0.0)
        left[new] = 0.0
        chosen += new.tolist()
    rest = np.setdiff1d(np.arange(len(pool)), chosen)
    chosen += rng.permutation(rest)[: count - len(chosen)].tolist()
    return dense_rows(x, pool[chosen])


def _accepted(
    block: np.ndarray, bound: np.ndarray, rng: np.random.Generator, most: int
) -> tuple[list[int], np.ndarray]:
    """Which proposals stand, each against what is left of it by then, and their Cholesky factor."""
    taken: list[int] = []
    rest, columns = block.copy(), []
    floor = 1e3 * np.finfo(np.float64).eps * bound
    for i, level in enumerate(rng.random(len(bound))):
        if len(taken) < most and max(level * bound[i], floor[i]) < rest[i, i]:
            taken.append(i)
            columns.append(rest[:, i] / np.sqrt(rest[i, i]))
            rest -= np.outer(columns[-1], columns[-1])
    lower = np.tril(np.stack(columns, axis=1)[taken]) if taken else np.zeros((0, 0))
    return taken, lower


def leverage(kernel: Kernel, x: Any, count: int, rng: np.random.Generator) -> np.ndarray:
    """Rows in proportion to their ridge leverage scores, without replacement.

    The scores are estimated twice, from a uniform sample and then from one that takes in what that
    one missed. The ridge is such that they add up to count / (1 + log count): so many draws leave
    out little of a matrix of that effective dimension.

    References
    ----------
    Alaoui and Mahoney (2015), Fast randomized kernel ridge regression with statistical guarantees;
    Musco and Musco (2017), Recursive sampling for the Nyström method.
    """
    pool = _pool(x, max(POOL, EACH * count), rng)
    rows = _ready(kernel, x, pool)
    first = rng.permutation(len(pool))[: -(-count // 2)]
    missed = _weighted(_scores(kernel, rows, first, count), count - len(first), rng)
    both = np.union1d(first, missed)
    return dense_rows(x, pool[_weighted(_scores(kernel, rows, both, count), count, rng)])


def _scores(kernel: Kernel, rows: Any, sample: np.ndarray, count: int) -> np.ndarray:
    """Ridge leverage scores, with the kernel between rows as the sample sees it."""
    size = kernel.diagonal(_double(rows)).double().numpy()
    whole = float(size.sum())
    if whole <= 0:
        return np.ones(len(size))
    lower = cholesky(_columns(kernel, rows[sample], rows[sample]), np.float64)
    columns = _columns(kernel, rows, rows[sample])
    features = scipy.linalg.solve_triangular(lower, columns.T, lower=True, check_finite=False)
    unseen = np.maximum(size - np.einsum("ij,ij->j", features, features), 0.0)
    values, vectors = np.linalg.eigh(features @ features.T)
    values = np.maximum(values, 0.0)
    low, high, wanted = 1e-14 * whole, whole, count / (1.0 + np.log(count))
    for _ in range(60):
        ridge = np.sqrt(low * high)
        total = (values / (values + ridge)).sum() + np.minimum(unseen / ridge, 1.0).sum()
        low, high = (ridge, high) if total > wanted else (low, ridge)
    seen = vectors.T @ features
    share = np.einsum("ij,ij->j", seen, seen / (values + high)[:, None])
    return np.minimum(share + unseen / high, 1.0)


# Uniform landmarks are a reservoir.
Rule = Callable[[Kernel, Any, int, np.random.Generator], np.ndarray]
RULES: dict[str, Rule] = {"kmeans": centroids, "cholesky": pivots, "leverage": leverage}
