"""Nyström features: the kernel seen from some landmarks among the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Interval

from .. import kernels
from ..drawn import RANDOM_STATE, seed_of
from ..errors import InputError, ParameterError, PhimapsError, ShapeError, show
from ..kernels import Kernel
from ..kernels.dot import Dot
from ..kernels.stationary import Radial
from ..map import Fact, FeatureMap, Given, pipe
from ..map.items import rows_only
from ..map.streaming import OnePass
from ..property import Continuous
from ..spaces import Space
from .affine import Affine
from .empirical_kernel import EmpiricalKernelMap, cholesky
from .landmarks import RULES, Reservoir
from .vector import Select

__all__ = ["Nystrom"]


@final
@dataclass(frozen=True)
class _Table:
    """A kernel matrix as a kernel of row numbers."""

    matrix: np.ndarray
    sparse: bool = False

    def between(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        i, j = (v.long().numpy().ravel() for v in (x, y))
        return torch.from_numpy(self.matrix[np.ix_(i, j)].astype(np.float64))

    def diagonal(self, x: torch.Tensor) -> torch.Tensor:
        i = x.long().numpy().ravel()
        return torch.from_numpy(self.matrix[i, i].astype(np.float64))


@final
class Nystrom(OnePass):
    """x ↦ k(x, Z) L⁻ᵀ with landmarks Z among the data and L Lᵀ = k(Z, Z), Nyström features; open.

    The inner product of two features is that of the projections of k(x, ·) and k(y, ·) to the span
    of the landmarks' functions: the kernel matrix of any points falls short of theirs by a positive
    semidefinite matrix, and by none (up to rounding) at the landmarks. L is a Cholesky factor, of
    the matrix plus a multiple of the identity the size of its rounding error in the precision of
    the data, so landmarks may coincide.

    With uniform landmarks `partial_fit` takes the rows in batches, whose sizes do not matter; a
    kernel that waits for data is then bound on the landmarks.

    Parameters
    ----------
    kernel : str, Kernel, callable or kernel of ``sklearn.gaussian_process``, default "rbf"
        k. A name and a callable (of two rows) mean what they mean to scikit-learn's ``Nystroem``;
        with "precomputed", rows of kernel values take the place of X: (n, n) to fit, (m, n) to
        transform.
    gamma, coef0, degree : float, optional
        Parameters of the named kernels that have them; `gamma` defaults to 1 / d.
    kernel_params : dict, optional
        More parameters of a named kernel, or keyword arguments of a callable.
    n_components : int, default 100
        The number of landmarks and of features.
    landmarks : str or array-like of shape (m, d), default "uniform"
        "uniform": rows drawn without replacement; "kmeans": means of clusters, best where the data
        are homogeneous; "cholesky": rows by randomly pivoted Cholesky, best where clusters are of
        different sizes; "leverage": rows by their ridge leverage scores. An array is taken as it
        is, and m takes the place of `n_components`.
    random_state : int, RandomState, Generator or None, default 0
        Seed of the landmarks. None draws anew at every binding.

    References
    ----------
    Williams and Seeger (2001), Using the Nyström method to speed up kernel machines; Drineas and
    Mahoney (2005), On the Nyström method for approximating a Gram matrix, Theorem 3.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    >>> z = Nystrom(gamma=0.5, n_components=3).fit_transform(X)
    >>> np.allclose(z @ z.T, kernels.RBF(gamma=0.5)(X))
    True
    """

    kernel: Any = "rbf"
    gamma: Any = None
    coef0: Any = None
    degree: Any = None
    kernel_params: dict[str, Any] | None = None
    n_components: int = 100
    landmarks: Any = "uniform"
    random_state: Any = 0

    _parameter_constraints = {
        "kernel_params": [dict, None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "landmarks": [str, "array-like"],
        "random_state": RANDOM_STATE,
    }

    # --- parameters ------------------------------------------------------------------------------
    @property
    def precomputed(self) -> bool:
        """Whether the rows are kernel values."""
        return isinstance(self.kernel, str) and self.kernel == "precomputed"

    def _of_names(self) -> dict[str, Any]:
        given = {k: getattr(self, k) for k in ("gamma", "coef0", "degree")}
        return {k: v for k, v in given.items() if v is not None}

    def resolved(self) -> Kernel:
        """The kernel that the parameters name, open if it waits for data."""
        given = self._of_names()
        more = dict(self.kernel_params or {})
        if not isinstance(self.kernel, str):
            self._refuse(given)
            return kernels.as_kernel(self.kernel, **more)
        # As scikit-learn has it, these are left out where the kernel does not have them.
        known = kernels.as_kernel(self.kernel).get_params()
        more |= {k: v for k, v in given.items() if k in known}
        return kernels.as_kernel(self.kernel, **more)

    def _refuse(self, given: dict[str, Any]) -> None:
        if not given:
            return
        name = next(iter(given))
        raise ParameterError(
            "Don't pass gamma, coef0 or degree to Nystrom if using a callable or precomputed "
            "kernel, or a kernel object.",
            got=f"kernel={show(self.kernel)}, {name}={show(given[name])}",
            need="the parameters of such a kernel inside it",
            do="kernel=pm.kernels.RBF(gamma=0.5), or kernel_params={...} for a function",
        )

    def check_parameters(self) -> None:
        super().check_parameters()
        rules = ("uniform", *RULES)
        if isinstance(self.landmarks, str) and self.landmarks not in rules:
            raise ParameterError(
                f"{self.landmarks!r} is not the name of a rule for landmarks.",
                got=f"landmarks={self.landmarks!r}",
                need=f"one of {', '.join(map(repr, rules))}, or an array of shape (m, d)",
                do="Nystrom(landmarks='kmeans')",
            )
        if not self.precomputed:
            self.resolved()
            return
        self._refuse(self._of_names())
        if not isinstance(self.landmarks, str) or self.landmarks == "kmeans":
            raise ParameterError(
                "A precomputed kernel has rows to choose from, and no points besides.",
                got=f"kernel='precomputed', landmarks={show(self.landmarks)}",
                need="landmarks='uniform', 'cholesky' or 'leverage'",
                do="Nystrom(kernel='precomputed', landmarks='cholesky')",
            )

    @property
    def streams(self) -> bool:
        """Whether the landmarks can be chosen in a single pass."""
        return (
            isinstance(self.landmarks, str) and self.landmarks == "uniform" and not self.precomputed
        )

    @property
    def sparse(self) -> bool:
        return not self.precomputed

    @property
    def positive(self) -> bool:
        if self.precomputed:
            return False
        try:
            return bool(self.resolved().positive)
        except PhimapsError:
            # What is wrong with the parameters is said where they are checked.
            return False

    @property
    def random(self) -> bool:
        return self.random_state is None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.precomputed
        return tags

    # --- binding -----------------------------------------------------------------------------
    def _generator(self) -> np.random.Generator:
        return np.random.default_rng(seed_of(self.random_state))

    def _empty(self, x: Any) -> Reservoir:
        dtype = np.float32 if x.dtype in (np.float32, torch.float32) else np.float64
        return Reservoir(np.empty((0, x.shape[1]), dtype), np.empty(0), self._generator())

    def absorb(self, state: Any, x: Any, given: Given) -> Reservoir:
        rows_only(self, x.shape)
        return (state or self._empty(x)).take(x, int(self.n_components))

    def gather(self, x: Any, given: Given) -> Reservoir:
        rows_only(self, x.shape)
        self._enough(x)
        kernel = self.resolved()
        bound = replace(self._empty(x), kernel=kernel if kernel.closed else kernel.close(x))
        return self.absorb(bound, x, given)

    def settle(self, state: Reservoir) -> FeatureMap | None:
        if len(state.rows) < self.n_components:
            return None
        kernel = state.kernel
        if kernel is None:
            kernel = self.resolved()
            kernel = kernel if kernel.closed else kernel.close(torch.from_numpy(state.rows))
        return self._around(kernel, state.rows)

    def close(self, x: Any, given: Given) -> Any:
        if self.streams:
            return super().close(x, given)
        rows_only(self, x.shape)
        if self.precomputed:
            return self._of_matrix(x)
        kernel = self.resolved()
        kernel = kernel if kernel.closed else kernel.close(x)
        if isinstance(self.landmarks, str):
            self._enough(x)
            rule = RULES[self.landmarks]
            return self._around(kernel, rule(kernel, x, int(self.n_components), self._generator()))
        return self._around(kernel, self._given(x))

    def _given(self, x: Any) -> np.ndarray:
        try:
            points = np.array(self.landmarks, dtype=np.float64)
        except (TypeError, ValueError):
            points = np.full((), np.nan)
        if points.ndim != 2 or points.shape[1] != x.shape[1] or not np.isfinite(points).all():
            raise ShapeError(
                "The given landmarks are no rows like those of X.",
                got=f"landmarks={show(self.landmarks)}, X with {x.shape[1]} columns",
                need=f"finite numbers of shape (m, {x.shape[1]})",
                do="Nystrom(landmarks=X[:100])",
            )
        single = x.dtype in (np.float32, torch.float32)
        return points.astype(np.float32) if single else points

    def _enough(self, x: Any) -> None:
        n, count = x.shape[0], self.n_components
        if count > n:
            raise InputError(
                f"Nystrom cannot choose n_components={count} landmarks: X has {n} "
                f"sample{'s' * (n != 1)}.",
                got=f"n_components={count}, {n} row{'s' * (n != 1)}",
                need=f"n_components <= {n}",
                do=f"set_params(n_components={n}), or give more rows",
            )

    def _around(self, kernel: Kernel, points: np.ndarray) -> FeatureMap:
        """The closed map of a closed kernel and landmarks, for rows of their precision."""
        gram = kernel(points.astype(np.float64))
        return EmpiricalKernelMap(points, cholesky(gram, points.dtype.type), kernel)

    def _of_matrix(self, x: torch.Tensor) -> FeatureMap:
        n = x.shape[0]
        if x.shape[1] != n:
            raise ShapeError(
                "The kernel matrix to fit on is not square.",
                got=f"shape {tuple(x.shape)}",
                need="shape (n, n): k(x_i, x_j) for all rows x_i of the data",
                do="phi.fit(kernel(X)).transform(kernel(Y, X))",
            )
        self._enough(x)
        matrix, rng = x.cpu().numpy(), self._generator()
        _symmetric(matrix)
        count, numbers = int(self.n_components), torch.arange(n, dtype=torch.float64)[:, None]
        if self.landmarks == "uniform":
            found = Reservoir(np.empty((0, 1)), np.empty(0), rng).take(numbers, count).rows
        else:
            table: Any = _Table(matrix)
            found = RULES[self.landmarks](table, numbers, count, rng)
        index = found.astype(np.int64).ravel()
        root = cholesky(matrix[np.ix_(index, index)].astype(np.float64), matrix.dtype.type)
        inverse = np.linalg.solve(root, np.eye(count))
        return pipe(Select(index.tolist()), Affine(np.tril(inverse).T))

    # --- what is known -------------------------------------------------------------------------
    def facts(self, on: Space) -> Iterator[Fact]:
        if not self.precomputed and isinstance(self.resolved(), (Radial, Dot)):
            yield Continuous, "the kernel is continuous, whatever the landmarks"

    @property
    def estimates(self) -> Literal[None]:
        """None: the features' inner products are no estimates of k, they are at most k."""
        return None

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_components=4)


def _symmetric(matrix: np.ndarray) -> None:
    gap = np.abs(matrix - matrix.T)
    if gap.max() <= np.sqrt(np.finfo(matrix.dtype).eps) * np.abs(matrix).max():
        return
    i, j = (int(k) for k in np.unravel_index(int(gap.argmax()), gap.shape))
    raise InputError(
        f"The kernel matrix is not symmetric: {matrix[i, j]:g} in row {i}, column {j}, and "
        f"{matrix[j, i]:g} in row {j}, column {i}.",
        got=show(matrix),
        need="k(x_i, x_j) = k(x_j, x_i)",
        do="phi.fit(kernel(X)), or (K + K.T) / 2",
    )
