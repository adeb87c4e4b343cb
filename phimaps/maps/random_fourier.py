"""Random Fourier features of stationary kernels."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, sqrt
from typing import Any, final

import numpy as np
import scipy.sparse
import torch
from sklearn.utils._param_validation import Integral, Interval, Real, StrOptions

from ..drawn import RANDOM_STATE, Drawn, seed_of
from ..errors import ParameterError, show
from ..kernels import RBF, Kernel
from ..kernels.scale import in_double
from ..map import Concat, Fact, FeatureMap, Given, Scale, pipe
from ..map.items import rows_only
from ..property import Bounded, Continuous, Smooth
from ..spaces import Space
from .affine import Affine, Diagonal
from .fourier import Fourier
from .hadamard import power_of_two
from .powers import Cos
from .sampling import (
    SAMPLINGS,
    SOBOL_DIMENSIONS,
    frequencies,
    phases,
    principal_axes,
    radii,
    scales,
    signs,
    spectrum,
)
from .structured import HadamardFourier

__all__ = ["RandomFourier"]

# Up to this many coordinates a product with an orthogonal matrix takes less time than its turns,
# or little more, and the directions are exactly uniform.
DENSE = 256
# A structured draw is for as many coordinates at least; with fewer its directions are not uniform
# enough, and it is drawn orthogonal instead.
TURNED = 65
# Data are centred where their mean is farther from 0 than this many standard deviations.
OFF_CENTER = 4.0


@final
class RandomFourier(FeatureMap):
    """x ↦ √(2/D) (cos(w_i·x), sin(w_i·x))_{i <= D/2}, random Fourier features; open.

    The inner product of two features estimates a stationary kernel, such as exp(-γ |x - y|²),
    without bias: by Bochner's theorem k(x, y) / k(0, 0) is the mean of cos(w·(x - y)) over the
    kernel's spectral law. That of a product of kernels is the law of the sum of their frequencies.

    Parameters
    ----------
    n_components : int, default 100
        The number D of features. An odd one ends in a single cosine with a random phase.
    kernel : "rbf" or Kernel, default "rbf"
        A stationary kernel (`phimaps.kernels`), a multiple, product or power of such; "rbf" is the
        Gaussian kernel with `gamma`.
    gamma : float, "scale", "median" or "auto", default "scale"
        γ of the Gaussian kernel; "scale" is 1 / (d Var X), as in scikit-learn; see
        `phimaps.kernels.RBF`. Other kernels have their own.
    sampling : {"auto", "iid", "orthogonal", "structured", "qmc"}, default "auto"
        How the frequencies are drawn; all draws are unbiased, up to what is said of "structured".

        - "iid": independently.
        - "orthogonal": in blocks of d orthogonal directions, with lengths that are stratified. The
          error is lower at no cost. A kernel that is a product over the coordinates (Laplacian,
          Periodic) has no rotations, and is sampled independently.
        - "structured": blocks of directions turned by signs and Hadamard matrices, in O(N log N)
          steps for the next power of two N >= d, kept as a few kilobytes. Directions are so nearly
          uniform that of the moments of w·x the second is exact and the fourth off by at most
          8/N² of itself, to leading order. For d <= 64, several laws or a law without rotations it
          is "orthogonal".
        - "qmc": scrambled Sobol points through the quantile functions, turned to the principal axes
          of the data: the least error where the data have few important directions, or d is small,
          and D is many times greater. Best for D = 2, 4, 8, 16, ...
        - "auto": "structured" for d > 256 where D >= d, else "orthogonal".
    paired : bool, default True
        Whether each frequency gives a cosine and a sine. Otherwise D frequencies give one cosine
        with a random phase each, as in scikit-learn's ``RBFSampler``, whose error is greater. The
        phases of single cosines are computed in the precision of the rows, also for kernels with
        great frequencies.
    random_state : int, RandomState, Generator or None, default 0
        Seed of the frequencies. None draws anew at every binding.

    References
    ----------
    Rahimi and Recht (2007), Random features for large-scale kernel machines; Yu, Suresh,
    Choromanski, Holtmann-Rice, Kumar (2016), Orthogonal random features; Sutherland and Schneider
    (2015), On the error of random Fourier features, on pairs.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> z = RandomFourier(n_components=4000, gamma=0.5).fit_transform(X)
    >>> bool(abs(z[0] @ z[1] - np.exp(-0.5)) < 0.03)
    True
    >>> import phimaps as pm
    >>> RandomFourier(kernel=pm.kernels.Matern(nu=1.5)).fit(X).transform(X).shape
    (2, 100)
    """

    n_components: int = 100
    kernel: Any = "rbf"
    gamma: Any = "scale"
    sampling: str = "auto"
    paired: bool = True
    random_state: Any = 0

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "kernel": [StrOptions({"rbf"}), Kernel],
        "gamma": "no_validation",
        "sampling": [StrOptions(set(SAMPLINGS))],
        "paired": ["boolean"],
        "random_state": RANDOM_STATE,
    }

    @property
    def random(self) -> bool:
        return self.random_state is None

    @property
    def sparse(self) -> bool:
        return True

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (int(self.n_components),)

    @property
    def estimates(self) -> Kernel:
        """The kernel that is the mean of the inner products."""
        return self.kernel if isinstance(self.kernel, Kernel) else RBF(gamma=self.gamma)

    def spans(self, d: int) -> Kernel | None:
        # Structured frequencies lie in finitely many directions, however many there are.
        if self.sampling == "structured" or (self.sampling == "auto" and d > DENSE and self.paired):
            return None
        return self.estimates

    def check_parameters(self) -> None:
        super().check_parameters()
        number = isinstance(self.gamma, Real) and not isinstance(self.gamma, bool)
        if not (0 < self.gamma < inf if number else _is_way(self.gamma)):
            raise ParameterError(
                "The 'gamma' parameter of RandomFourier must be a finite number > 0, or say how to "
                f"find one. Got {show(self.gamma)} instead.",
                got=f"gamma={show(self.gamma)}",
                need="a finite number > 0, 'scale', 'median' or 'auto'",
                do="set_params(gamma='scale')",
            )
        if isinstance(self.kernel, Kernel):
            if number or self.gamma != "scale":
                raise ParameterError(
                    "A kernel has its own scale, and gamma was given as well.",
                    got=f"kernel={show(self.kernel)}, gamma={show(self.gamma)}",
                    need="kernel='rbf' with a gamma, or a kernel alone",
                    do=f"RandomFourier(kernel=pm.kernels.RBF(gamma={show(self.gamma)}))",
                )
            self.kernel.check_parameters()
        if self.sampling == "structured" and not self.paired:
            raise ParameterError(
                "Structured frequencies come in pairs of a cosine and a sine.",
                got="sampling='structured', paired=False",
                need="paired=True, or another sampling",
                do="set_params(paired=True)",
            )

    def close(self, x: Any, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        d, total, seed = x.shape[1], int(self.n_components), seed_of(self.random_state)
        # A copy: the draw is repeated from what the kernel is now.
        kernel = self.estimates.closed_on(x, given.names)._snapshot()
        factor, laws = spectrum(kernel)
        if laws is None:
            raise ParameterError(
                "RandomFourier takes stationary kernels, functions of x - y.",
                got=f"kernel={show(kernel)}",
                need="RBF, Matern, Laplacian, RationalQuadratic, Cauchy, Periodic, ..., or their "
                "multiples, products and powers",
                do=f"pm.Nystrom(kernel), or kernel.features({total}), which chooses the map",
            )
        m, odd = divmod(total, 2) if self.paired else (0, total)
        sampling = self._chosen(laws, d, m + odd)
        scale, center = sqrt(2.0 * factor / total), _center(x)
        precise = any(law.heavy for law in laws)
        parts: list[FeatureMap] = []
        if sampling == "structured":
            order = power_of_two(d)
            diagonals = Drawn(signs, order, -(-m // order), seed)
            weight, lengths = Drawn(scales, kernel, d), Drawn(radii, kernel, order, m, seed)
            parts = [HadamardFourier(weight, diagonals, lengths, scale, center, precise)]
            alone: tuple[Any, ...] = (kernel, d, odd, "iid", seed)
        else:
            axes = principal_axes(x, kernel) if sampling == "qmc" else None
            drawn = (kernel, d, m + odd, sampling, seed, axes)
            if m:
                parts = [Fourier(Drawn(frequencies, *drawn, 0, m), scale, center, precise)]
            alone = (*drawn, m)
        if odd:
            wave = [Affine(Drawn(frequencies, *alone), Drawn(phases, odd, seed)), Cos()]
            if center is not None:
                wave.insert(0, Diagonal(np.ones(d), -center))
            parts.append(Scale(scale, pipe(*wave)))
        return Concat(tuple(parts), verbose_feature_names_out=False) if len(parts) > 1 else parts[0]

    def _chosen(self, laws: Any, d: int, count: int) -> str:
        """How to draw, with what cannot be done replaced by what can."""
        radial = all(law.kind == "radial" for law in laws)
        sampling = self.sampling
        if sampling == "auto":
            wide = d > DENSE and 2 * count >= d
            sampling = "structured" if wide and self.paired else "orthogonal"
        if sampling == "structured" and (d < TURNED or len(laws) > 1 or not radial or count < 2):
            sampling = "orthogonal"
        if sampling == "qmc" and (len(laws) * (d + 1)) > SOBOL_DIMENSIONS:
            raise ParameterError(
                f"There are Sobol points of at most {SOBOL_DIMENSIONS} coordinates.",
                got=f"{len(laws)} spectral law(s) in {d} coordinates",
                need=f"at most {SOBOL_DIMENSIONS} coordinates in all",
                do="set_params(sampling='structured')",
            )
        return sampling

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "sines and cosines of affine functions, whatever the draw"
        yield Smooth(inf), "sines and cosines of affine functions, whatever the draw"
        if self.kernel != "rbf":
            return
        total = int(self.n_components)
        if not self.paired:
            yield Bounded(sqrt(2.0) * (1 + 1e-12)), "each cosine is at most 1"
            return
        norm = sqrt((total + 1) / total) if total % 2 else 1.0
        yield Bounded(norm * (1 + 1e-12)), "cos² + sin² = 1 in each pair, whatever the draw"


def _is_way(gamma: Any) -> bool:
    """Whether it names a way to find γ from data."""
    return isinstance(gamma, str) and gamma in ("scale", "median", "auto")


def _center(x: Any) -> np.ndarray | None:
    """The mean of rows that lie far from 0; None where they do not, and of sparse rows."""
    if scipy.sparse.issparse(x):
        return None
    total, square = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device), 0.0
    for piece in in_double(x):
        total += piece.sum(0)
        square += float(torch.linalg.vector_norm(piece)) ** 2
    mean = total / len(x)
    far = float((mean**2).sum())
    # What this difference loses to rounding is small beside `far`, against which it is held.
    if far <= OFF_CENTER**2 * (square / len(x) - far):
        return None
    # As float32 has it, so that rows of both precisions are moved alike.
    return mean.float().double().cpu().numpy()
