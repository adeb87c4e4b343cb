"""Sums of values of a kernel: kernel ridge regression, and radial basis function networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self, final

import numpy as np
from sklearn.base import BaseEstimator

from ..decide import decide
from ..drawn import generator
from ..kernels import Kernel, as_kernel
from ..map.term import Fact
from ..proof import Reason, Strength
from ..property import PositiveDefinite, Universal
from ..spaces import Euclidean, NonNegative, Space
from ..witness import AnnihilatingMeasure
from .base import Model, Reach, count, every_sense, positive, sizes
from .members import Behind, Coded

__all__ = ["KernelColumns", "KernelRidge", "KernelSums", "RBFNetwork"]


class KernelSums(Model):
    """F = {Σ a_i k(c_i, ·) : any number of centres c_i}, with a kernel k; abstract.

    F is dense in the Hilbert space H_k of the kernel, and its uniform closure on compact sets is
    that of H_k: it is universal, in the strict sense, exactly where the kernel is.
    """

    linear: ClassVar[bool] = True
    cone: ClassVar[bool] = True
    kernel: Any

    @property
    def k(self) -> Kernel:
        """The kernel itself, where it is given by a name."""
        return as_kernel(self.kernel)

    @property
    def universality(self) -> Reach:
        source = "the uniform closures of F and of H_k agree: convergence in H_k is uniform on K"
        return Reach("strict", f"exactly where {self.k!r} is universal", source)

    def check_parameters(self) -> None:
        super().check_parameters()
        self.k.check_parameters()
        positive(self, "alpha")

    def undefined(self, on: Space) -> str | None:
        return self.k.undefined(on)

    def facts(self, on: Space) -> Iterator[Fact]:
        verdict = decide(self.k, Universal, on=on)
        if verdict.holds:
            proof = verdict.proofs[0]
            text = f"it is dense in H_k, and the kernel is universal: {proof.reason.text}"
            yield from every_sense(Reason(text, proof.strength, proof.reason.cite))
        elif (measure := self.annihilator(on)) is not None:
            text = "Σ c_i k(x_i, c) = 0 for every centre c"
            strength = min(Strength.WITNESS, *(p.strength for p in verdict.proofs))
            yield ~Universal, Reason(text, strength, witness=measure)

    def annihilator(self, on: Space, random_state: int = 0) -> AnnihilatingMeasure | None:
        """A measure with c'Kc = 0, where one refutes that the kernel is universal."""
        domain: Space = Euclidean(on.shape)
        if self.k.undefined(domain) is not None and self.k.positive:
            domain = NonNegative(on.shape)
        if self.k.undefined(domain) is not None or self.k.undefined(on) is not None:
            return None
        verdict = decide(self.k, Universal, on=on)
        measure = verdict.witness
        if verdict.holds is not False or not isinstance(measure, AnnihilatingMeasure):
            return None
        # Only of a kernel that is positive definite wherever centres may lie does it follow that
        # the measure annihilates k(c, ·) for all c, as |Σ c_i k(x_i, c)|² <= c'Kc k(c, c).
        return measure if decide(self.k, PositiveDefinite, on=domain).holds else None


@final
class KernelRidge(KernelSums):
    """F = {Σ a_i k(x_i, ·) : any number of centres x_i}; the member is kernel ridge regression.

    Universal, in the strict sense, exactly where the kernel is: the uniform closure of F is that of
    the space H_k of the kernel. Classes are regressed on as ±1.

    Parameters
    ----------
    kernel : Kernel, str or callable, default "rbf"
        As `pm.kernels.as_kernel` takes it; bound to the training rows.
    alpha : float, default 1e-3
        Strength of the penalty α |f|² in H_k.
    task : {"auto", "regression", "classification"}, default "auto"

    References
    ----------
    Micchelli, Xu and Zhang (2006), Universal kernels.

    Examples
    --------
    >>> import phimaps as pm
    >>> square = pm.Box([0.0, 0.0], [1.0, 1.0])
    >>> pm.decide(KernelRidge("rbf") @ pm.Identity(), pm.Universal, on=square).holds
    True
    >>> pm.decide(KernelRidge("linear") @ pm.Identity(), pm.Universal, on=square).holds
    False
    """

    probabilistic: ClassVar[bool] = False
    multioutput: ClassVar[bool] = True

    def __init__(self, kernel: Any = "rbf", alpha: float = 1e-3, task: str = "auto"):
        self.kernel = kernel
        self.alpha = alpha
        self.task = task

    def member(self, classify: bool) -> Any:
        machine = KernelMachine(self.kernel, self.alpha)
        return Coded(machine) if classify else machine


@final
class RBFNetwork(KernelSums):
    """F = {Σ a_i k(c_i, ·) : any number of centres c_i}, k(x, y) = exp(-γ |x - y|²) with one γ.

    Universal in the strict sense on every compact set of R^d with the Gaussian; with another kernel
    exactly where that is. The member has its centres among the training rows, drawn at random.

    Parameters
    ----------
    n_centers : int, default 100
        Centres of the fitted member, or all different rows if there are fewer.
    kernel : Kernel, str or callable, default "rbf"
        As `pm.kernels.as_kernel` takes it.
    alpha : float, default 1e-6
        Strength of the l2 penalty on the a_i.
    random_state : int, default 0
    max_iter : int, default 1000
        Of the logistic regression.
    task : {"auto", "regression", "classification"}, default "auto"

    References
    ----------
    Park and Sandberg (1991), Universal approximation using radial-basis-function networks.

    Examples
    --------
    >>> import phimaps as pm
    >>> pm.decide(RBFNetwork() @ pm.Tanh(), pm.Universal, on=pm.Box([0.0], [1.0])).holds
    True
    """

    def __init__(
        self,
        n_centers: int = 100,
        kernel: Any = "rbf",
        alpha: float = 1e-6,
        random_state: int = 0,
        max_iter: int = 1000,
        task: str = "auto",
    ):
        self.n_centers = n_centers
        self.kernel = kernel
        self.alpha = alpha
        self.random_state = random_state
        self.max_iter = max_iter
        self.task = task

    def check_parameters(self) -> None:
        super().check_parameters()
        count(self, "n_centers")

    def ladder(self, step: int) -> RBFNetwork:
        """2^step centres, among which are those of fewer: with closed kernels the steps nest."""
        size = sizes(step)
        return RBFNetwork(
            size, self.kernel, self.alpha, self.random_state, self.max_iter, self.task
        )

    def member(self, classify: bool) -> Any:
        from sklearn.linear_model import LogisticRegression, Ridge

        estimator: Any = Ridge(alpha=self.alpha, fit_intercept=False, solver="svd")
        if classify:
            estimator = LogisticRegression(
                C=1.0 / self.alpha, max_iter=self.max_iter, fit_intercept=False
            )
        return Behind(KernelColumns(self.kernel, self.n_centers, self.random_state), estimator)


@final
class KernelMachine(BaseEstimator):
    """Σ a_i k(x_i, ·) over the training rows x_i that minimises Σ w (y - f)² + α |f|².

    Parameters
    ----------
    kernel : Kernel, str or callable
    alpha : float
    """

    kernel_: Any
    rows_: np.ndarray
    ridge_: Any

    def __init__(self, kernel: Any, alpha: float):
        self.kernel = kernel
        self.alpha = alpha

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Bind the kernel to the rows, and solve for the a_i."""
        from sklearn.kernel_ridge import KernelRidge as Dense

        self.rows_ = np.array(X, dtype=np.float64)
        self.kernel_ = as_kernel(self.kernel).bind(self.rows_)
        self.ridge_ = Dense(alpha=self.alpha, kernel="precomputed")
        self.ridge_.fit(self.kernel_(self.rows_), y, sample_weight=sample_weight)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """f(x) for every row."""
        rows = np.asarray(X, dtype=np.float64)
        return np.asarray(self.ridge_.predict(self.kernel_(rows, self.rows_)))


@final
class KernelColumns(BaseEstimator):
    """x ↦ (k(x, c_1), ..., k(x, c_n)) for centres drawn from the different training rows.

    Parameters
    ----------
    kernel : Kernel, str or callable
    n_centers : int
    random_state : int
        The first centres of a seed are the same, however many there are.
    """

    kernel_: Any
    centers_: np.ndarray

    def __init__(self, kernel: Any, n_centers: int, random_state: int):
        self.kernel = kernel
        self.n_centers = n_centers
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Bind the kernel to the rows, and draw the centres."""
        rows = np.array(X, dtype=np.float64)
        self.kernel_ = as_kernel(self.kernel).bind(rows)
        different = np.unique(rows, axis=0)
        order = generator(self.random_state).permutation(len(different))
        self.centers_ = different[order[: self.n_centers]]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The values of the kernel, of shape (n, number of centres)."""
        return np.asarray(self.kernel_(np.asarray(X, dtype=np.float64), self.centers_))
