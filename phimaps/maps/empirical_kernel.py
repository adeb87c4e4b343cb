"""The features that a kernel and some landmarks define, and what is certain of them."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, inf, sqrt
from sys import maxsize
from typing import Any, ClassVar, final

import numpy as np
import scipy.linalg.blas
import scipy.sparse
import torch

from ..errors import ParameterError, ShapeError, show
from ..interval import EPS, ULPS, column_rank, multiply, singular_values
from ..kernels import RBF, Cauchy, InverseMultiquadric, Kernel, Linear, Matern, RationalQuadratic
from ..kernels.custom import check_psd
from ..kernels.dot import Dot
from ..kernels.stationary import Radial
from ..map import Fact, FeatureMap
from ..proof import Reason, Strength
from ..property import Bounded, Continuous, Injective, Lipschitz, Smooth
from ..spaces import Box, Image, Space

__all__ = ["EmpiricalKernelMap", "cholesky", "regularized"]

# Kernel values are computed in blocks of this many bytes, which stay in a processor's cache.
CACHED = 4 * 2**20
SOLVERS = {torch.float32: scipy.linalg.blas.strsm, torch.float64: scipy.linalg.blas.dtrsm}
MUCH = 2**27
# Beyond this many landmarks their matrix is not certified.
WIDEST = 512
DECREASING = (RBF, Matern, RationalQuadratic, Cauchy, InverseMultiquadric)
SMOOTH = (RBF, RationalQuadratic, Cauchy, InverseMultiquadric)


def regularized(precision: type, count: int) -> float:
    """What is added to a kernel matrix, in units of its mean diagonal entry, before its root.

    Rounding in the precision of the rows moves its eigenvalues by no more, and the features' inner
    products then err by as much as single kernel values do.
    """
    return float(np.finfo(precision).eps) * count / 2


def cholesky(gram: np.ndarray, precision: type) -> np.ndarray:
    """The Cholesky factor of a kernel matrix plus what rounding may have taken from it.

    Parameters
    ----------
    gram : ndarray of shape (m, m)
    precision : type
        Of the rows that kernel values will be computed from.

    Returns
    -------
    ndarray of shape (m, m), lower triangular

    Raises
    ------
    InputError
        When the matrix has an eigenvalue that rounding does not account for.
    """
    size, eye = float(gram.trace()) / len(gram), np.eye(len(gram))
    if size <= 0:
        # Semidefinite only if it is zero; and so are the features then.
        check_psd(gram)
        return eye
    jitter = regularized(precision, len(gram)) * size
    while True:
        factor, failed = torch.linalg.cholesky_ex(torch.from_numpy(gram + jitter * eye))
        if not failed:
            return factor.numpy()
        check_psd(gram.astype(precision))
        jitter *= 10.0


@final
class EmpiricalKernelMap(FeatureMap):
    """x ↦ (k(x, z_1), ..., k(x, z_m)) L⁻ᵀ, where the landmarks z have the kernel matrix L Lᵀ.

    The inner product of two features is k(x, Z) (L Lᵀ)⁻¹ k(Z, y), that of the projections of
    k(x, ·) and k(y, ·) to the span of the k(z_i, ·).

    Parameters
    ----------
    landmarks : array-like or tensor of shape (m, d)
        z_i in the rows.
    factor : array-like or tensor of shape (m, m)
        L, lower triangular without zeros on its diagonal.
    kernel : Kernel, default Linear()
        k, closed.

    References
    ----------
    Schölkopf and Smola (2002), Learning with kernels, Definition 2.15; Williams and Seeger (2001),
    Using the Nyström method to speed up kernel machines.

    Examples
    --------
    >>> from phimaps.kernels import RBF
    >>> phi = EmpiricalKernelMap([[0.0]], [[1.0]], RBF(gamma=1.0))
    >>> phi.fit_transform([[0.0], [1.0]]).round(4)
    array([[1.    ],
           [0.3679]])
    """

    landmarks: Any
    factor: Any
    kernel: Any = Linear()

    arrays: ClassVar[dict[str, int]] = {"landmarks": 2, "factor": 2}
    _parameter_constraints = {"kernel": [Kernel]}

    def check_parameters(self) -> None:
        super().check_parameters()
        self.kernel.check_parameters()
        self.kernel.require_closed()
        m, factor = len(self.array("landmarks")), self.array("factor")
        fits = factor.shape == (m, m)
        if not fits or not np.diag(factor).all() or np.triu(factor, 1).any():
            raise ParameterError(
                "The factor of EmpiricalKernelMap does not fit its landmarks.",
                got=f"landmarks={show(self.landmarks)}, factor={show(self.factor)}"
                + ("" if not fits else ", not lower triangular, or with a zero on its diagonal"),
                need=f"a lower triangular matrix of shape ({m}, {m}), invertible",
                do="np.linalg.cholesky(kernel(landmarks))",
            )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return (self.array("landmarks").shape[1],)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (len(self.array("landmarks")),)

    @property
    def sparse(self) -> bool:
        return True

    @property
    def positive(self) -> bool:
        return bool(self.kernel.positive)

    # --- evaluation ----------------------------------------------------------------------------
    def _doubles(self, dtype: Any) -> bool:
        """Whether L⁻¹ would magnify the rounding of single precision."""
        memo = self.memo
        if "least" not in memo:
            factor = self.array("factor")
            size = float(np.square(factor).sum()) / len(factor)
            memo["least"] = float(np.square(np.diag(factor)).min()) / size
        least = regularized(np.float32, len(self.array("factor"))) / 4
        return dtype in (torch.float32, np.float32) and memo["least"] < least

    def _check(self, shape: Any) -> None:
        width = self.array("landmarks").shape[1]
        if len(shape) != 2 or shape[1] != width:
            raise ShapeError(
                f"X has {shape[1] if len(shape) > 1 else 0} features, but EmpiricalKernelMap is "
                f"expecting {width} features as input.",
                got=f"shape {tuple(shape)}",
                need=f"shape (n, {width})",
                do="pass rows of that width; put Flatten() first for images",
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._check(x.shape)
        if x.dtype not in SOLVERS or self._doubles(x.dtype):
            return self.forward(x.double()).to(x.dtype)
        landmarks, factor = self.weights(x)
        values = self.kernel.between(x, landmarks)
        return torch.linalg.solve_triangular(factor.mT, values, upper=True, left=False)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        quick = x.dtype in SOLVERS and x.device.type == "cpu" and out.is_contiguous()
        # For less work, it costs more to wake the threads of another library.
        if not quick or out.numel() * out.shape[1] < MUCH or self._doubles(x.dtype):
            out.copy_(self.forward(x))
        else:
            self._check(x.shape)
            self._fill(x, out)

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        # The solution is one product, the greater the better.
        return maxsize

    def forward_sparse(self, x: Any) -> torch.Tensor:
        self._check(x.shape)
        if self._doubles(x.dtype):
            return self.forward_sparse(x.astype(np.float64)).float()
        out = torch.from_numpy(np.empty((x.shape[0], len(self.array("landmarks"))), x.dtype))
        self._fill(x, out)
        return out

    def _fill(self, x: Any, out: torch.Tensor) -> None:
        landmarks, factor = self.weights(out)
        step = max(1, CACHED // (out.shape[1] * out.element_size()))
        for start in range(0, len(out), step):
            rows = x[start : start + step]
            if scipy.sparse.issparse(rows) and not self.kernel.sparse:
                rows = torch.from_numpy(rows.toarray())
            out[start : start + step] = self.kernel.between(rows, landmarks)
        # The rows of L and of the features are columns to the solver, which works in place.
        held = out.numpy().T
        solved = SOLVERS[out.dtype](
            1.0, factor.numpy().T, held, side=0, lower=0, trans_a=1, overwrite_b=1
        )
        if not np.may_share_memory(solved, held):
            out.copy_(torch.from_numpy(solved.T))

    # --- what is certain -----------------------------------------------------------------------
    def facts(self, on: Space) -> Iterator[Fact]:
        kernel = self.kernel
        if isinstance(kernel, (Radial, Dot)):
            yield Continuous, "the kernel is continuous, and L⁻ᵀ is a matrix"
        if isinstance(kernel, (*SMOOTH, Dot)):
            yield Smooth(inf), "the kernel is smooth in each argument, and L⁻ᵀ is a matrix"
        if not isinstance(kernel, DECREASING):
            return
        if self._spans():
            text = "the features determine the distances to landmarks that span the space affinely"
            yield Injective, Reason(f"{text}: trilateration", Strength.COMPUTED)
        top = Reason("each kernel value is at most 1, and |L⁻¹| is certified", Strength.COMPUTED)
        yield Bounded(lambda: self._crude()), top
        if isinstance(kernel, RBF):
            why = Reason(
                "|k(x, ·) - k(y, ·)|² = 2 - 2 exp(-r²/2) <= r², and the norm of L⁻¹ K L⁻ᵀ, for the "
                "kernel matrix K of the landmarks, is certified",
                Strength.COMPUTED,
            )
            yield Bounded(self._stretch), why
            yield Lipschitz(lambda: multiply([self._stretch(), self._rate()], True)), why
            slope = Reason(
                "each kernel value has a slope of at most exp(-1/2) / l, and |L⁻¹| is certified",
                Strength.COMPUTED,
            )
            steep = exp(-0.5) * (1 + 4 * EPS)
            yield Lipschitz(lambda: multiply([steep, self._crude(), self._rate()], True)), slope

    def image(self, on: Space) -> Image:
        if not isinstance(self.kernel, DECREASING):
            return super().image(on)
        top = self._crude()
        if isinstance(self.kernel, RBF):
            top = min(top, self._stretch())
        reach = np.full(len(self.array("landmarks")), top)
        return Image(Box(-reach, reach))

    def _rate(self) -> float:
        """1 / l for the least length scale, rounded up."""
        return float(1.0 / np.min(np.asarray(self.kernel.lengths))) * (1 + 8 * EPS)

    def _spans(self) -> bool:
        """Whether d + 1 landmarks are affinely independent, in exact arithmetic."""
        memo, points = self.memo, self.array("landmarks")
        if "spans" not in memo:
            m, d = points.shape
            known = False
            if m > d:
                with np.errstate(all="ignore"):
                    lifted = np.concatenate([points, np.ones((m, 1))], axis=1)
                    known = bool(singular_values(lifted)[0].min() > 0)
                known = known or column_rank(lifted) == d + 1
            memo["spans"] = known
        return memo["spans"]

    def _crude(self) -> float:
        """√m |L⁻¹|, rounded up."""
        memo, factor = self.memo, self.array("factor")
        if "crude" not in memo:
            least = float(singular_values(factor)[0].min()) if len(factor) <= WIDEST else 0.0
            memo["crude"] = sqrt(len(factor)) / least * (1 + 8 * EPS) if least > 0 else inf
        return memo["crude"]

    def _stretch(self) -> float:
        """The root of the norm of L⁻¹ K L⁻ᵀ, rounded up; 1 but for rounding if K = L Lᵀ.

        With an approximate inverse X of L, L⁻¹ = (I - R)⁻¹ X for R = I - X L.
        """
        memo = self.memo
        if "stretch" not in memo:
            memo["stretch"] = self._stretched()
        return memo["stretch"]

    def _stretched(self) -> float:
        factor, points = self.array("factor"), self.array("landmarks")
        m, d = points.shape
        if m > WIDEST or m * m * d > 2**26:
            return inf
        with np.errstate(all="ignore"):
            inverse = scipy.linalg.solve_triangular(factor, np.eye(m), lower=True)
            rest = np.abs(np.eye(m) - inverse @ factor) + _rounding(inverse, factor)
            gaps = (points[:, None] - points[None]) / np.asarray(self.kernel.lengths)
            squares = np.square(gaps).sum(axis=2)
            gram = np.exp(-0.5 * squares)
            error = (2 * ULPS + (d + 16) * squares) * EPS * gram + np.finfo(np.float64).tiny
            left = inverse @ gram
            slack = _rounding(inverse, gram) + np.abs(inverse) @ error * (1 + 1e-9)
            whole = left @ inverse.T
            slack = _rounding(left, inverse.T) + slack @ np.abs(inverse.T) * (1 + 1e-9)
            norm, most = float(np.linalg.norm(rest)), float(np.linalg.norm(slack))
            if not (norm < 0.5 and np.isfinite(most) and np.isfinite(whole).all()):
                return inf
            top = float(singular_values(whole)[1].max()) + most * (1 + 1e-9)
        return sqrt(top) / (1 - norm * (1 + 1e-9)) * (1 + 1e-12)

    @classmethod
    def example(cls) -> FeatureMap:
        from .nystrom import Nystrom

        return Nystrom(n_components=4)


def _rounding(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A bound for the rounding error of a @ b (Higham's γ_n)."""
    n = a.shape[1]
    return (2 * n + 8) * EPS * (np.abs(a) @ np.abs(b)) + 2 * n * np.finfo(np.float64).tiny
