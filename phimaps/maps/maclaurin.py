"""Random Maclaurin features of dot-product kernels."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, sqrt
from typing import Any, final

import numpy as np
from sklearn.utils._param_validation import Integral, Interval

from .. import kernels
from ..drawn import RANDOM_STATE, generator, seed_of
from ..errors import ParameterError, show
from ..map import Fact, FeatureMap, Given
from ..map.items import rows_only
from ..property import Continuous, Smooth
from ..spaces import Space
from .product_sketch import RademacherProducts, draw
from .sketched import shares, spread, widths

__all__ = ["RandomMaclaurin"]

# The degrees that may be drawn. By Kar and Karnick's law one in 2^100 is greater.
DEGREES = 100


@final
class RandomMaclaurin(FeatureMap):
    """x ↦ (√a_0, √a_1 x, √(2a_k/(Dq_k)) ∏_{j<=k} w_ij·x)_i, with degrees k drawn by q; open.

    The inner product of two features estimates the kernel f(x·y) = Σ a_k (x·y)^k without bias. The
    w_ij are rows of signed Hadamard matrices with complex signs, and the real and imaginary parts
    of the products are features, as in `ProductSketch`.

    Parameters
    ----------
    kernel : Kernel or str, default Exponential("auto")
        A kernel that is a function of the inner product: it has a `series`.
    n_components : int, default 100
        The number of features.
    random_state : int, RandomState, Generator or None, default 0
        Seed of degrees and signs. None draws anew at every binding.
    exact_low : bool, default True
        Whether the degrees 0 and 1 are exact where the width allows it.
    by_spread : bool, default True
        Whether q follows the spread of the products over pairs of rows of the data, with a little
        of Kar and Karnick's law, q_k ∝ 2^(-k), so that every degree may be drawn; else it is that
        law.

    Notes
    -----
    Numbers of features are drawn systematically, so a degree gets its share up to one pair.

    References
    ----------
    Kar and Karnick (2012), Random feature maps for dot product kernels, Algorithm 1; Wacker,
    Kanagawa and Filippone (2024), Improved random features for dot product kernels.

    Examples
    --------
    >>> import numpy as np, phimaps as pm
    >>> X = np.random.default_rng(0).normal(size=(4, 30)) / 6
    >>> kernel = pm.kernels.Exponential(1.0)
    >>> Z = RandomMaclaurin(kernel, n_components=400).fit_transform(X)
    >>> bool(np.abs(Z @ Z.T - kernel(X)).max() < 0.15)
    True
    """

    kernel: Any = kernels.Exponential("auto")
    n_components: int = 100
    random_state: Any = 0
    exact_low: bool = True
    by_spread: bool = True

    _parameter_constraints = {
        "kernel": [kernels.Kernel, str],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "random_state": RANDOM_STATE,
        "exact_low": ["boolean"],
        "by_spread": ["boolean"],
    }

    def check_parameters(self) -> None:
        super().check_parameters()
        self._kernel().check_parameters()

    def _kernel(self) -> Any:
        return kernels.as_kernel(self.kernel)

    @property
    def random(self) -> bool:
        return self.random_state is None

    @property
    def sparse(self) -> bool:
        return True

    @property
    def gives(self) -> tuple[int, ...] | None:
        kernel = self._kernel()
        # An affine kernel may be exact in fewer features.
        series = kernel.series(2) if kernel.closed else None
        return None if series is None or series[2] == 0 else (int(self.n_components),)

    @property
    def estimates(self) -> Any:
        """The kernel of which the inner products are estimates without bias, if it is closed."""
        kernel = self._kernel()
        return kernel if kernel.closed else None

    def _series(self, x: Any) -> np.ndarray:
        kernel = self._kernel()
        kernel = kernel if kernel.closed else kernel.close(x)
        series = kernel.series(DEGREES)
        if series is None or not (np.asarray(series) >= 0).all() or not np.any(series):
            raise ParameterError(
                f"RandomMaclaurin has no features of {kernel!r}.",
                got=f"kernel={show(self.kernel)}",
                need="a function of the inner product with a power series: its series() is known",
                do="pm.kernels.Exponential() or PolynomialKernel(); other kernels: pm.Nystrom",
            )
        return np.asarray(series, dtype=np.float64)

    def close(self, x: Any, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        d, total = x.shape[1], int(self.n_components)
        a = self._series(x)
        above = bool((a[2:] > 0).any())
        low, constant, linear = 0, 0.0, 0.0
        # A degree is exact where its features leave enough for those above it.
        if self.exact_low and total >= (a[0] > 0) + bool((a[1:] > 0).any()):
            low, constant = 1, sqrt(a[0])
            total -= int(a[0] > 0)
            if a[1] > 0 and total >= (2 * d + 2 if above else d):
                low, linear = 2, sqrt(a[1])
                total -= d
        degrees = [k for k in range(low, len(a)) if a[k] > 0]
        groups = []
        rng = generator(seed_of(self.random_state))
        if degrees:
            share = self._shares(x, a, degrees)
            for k, n, q in zip(degrees, widths(rng, share, total), share, strict=True):
                if n:
                    groups.append((k, int(n), sqrt(2 * a[k] / (total * q))))
        turns, chosen = draw(rng, d, groups)
        return RademacherProducts(d, tuple(groups), constant, linear, turns, chosen)

    def _shares(self, x: Any, a: np.ndarray, degrees: list[int]) -> np.ndarray:
        law = 0.5 ** np.arange(len(degrees))
        law /= law.sum()
        if not self.by_spread:
            return law
        with np.errstate(over="ignore"):
            sizes = np.minimum(a[degrees] * spread(x, 1.0, degrees), np.finfo(np.float64).max)
        return shares(sizes, law)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "polynomials, whatever the draw"
        yield Smooth(inf), "polynomials, whatever the draw"

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_components=13)
