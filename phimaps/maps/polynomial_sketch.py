"""What the sketches of polynomial kernels share: parameters, and which degrees are exact."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from math import comb, inf, sqrt
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Integral, Interval, Real

from .. import kernels
from ..drawn import RANDOM_STATE, generator, seed_of
from ..errors import ParameterError
from ..map import Fact, FeatureMap, Given
from ..map.items import rows_only
from ..property import Continuous, Smooth
from .explicit_polynomial import ExplicitPolynomial
from .sketched import Group, shares, spread, widths

__all__ = ["PolynomialSketch"]


class PolynomialSketch(FeatureMap):
    """Features of the polynomial kernel (γ x·y + c)^p in few dimensions; open, abstract."""

    __slots__ = ()
    if TYPE_CHECKING:
        degree: int
        gamma: float
        coef0: float
        n_components: int
        random_state: Any
        exact_low: bool

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "degree": [Interval(Integral, 1, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "coef0": [Real],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "random_state": RANDOM_STATE,
        "exact_low": ["boolean"],
    }

    @abstractmethod
    def _sketch(
        self, rng: np.random.Generator, d: int, groups: list[Group], constant: float, linear: float
    ) -> FeatureMap:
        """The closed map whose groups sketch degrees of γ x·y, drawn by `rng`."""

    def check_parameters(self) -> None:
        super().check_parameters()
        name = type(self).__name__
        if not 0 <= float(self.coef0) < inf:
            raise ParameterError(
                f"The 'coef0' parameter of {name} must be a finite number >= 0. Got "
                f"{self.coef0!r} instead.",
                got=f"coef0={self.coef0!r}",
                need="c >= 0: for c < 0, (γ x·y + c)^p is no positive definite kernel",
                do=f"{name}(coef0=0.0), or shift the data instead",
            )

    @property
    def random(self) -> bool:
        return self.random_state is None

    @property
    def sparse(self) -> bool:
        return True

    @property
    def estimates(self) -> Any:
        """The kernel of which the inner products are estimates without bias."""
        return kernels.PolynomialKernel(int(self.degree), float(self.gamma), float(self.coef0))

    def exact(self, d: int) -> bool:
        """Whether all monomials of d coordinates fit, so that the kernel is exact."""
        p = int(self.degree)
        count = comb(d + p, p) if self.coef0 > 0 else comb(d + p - 1, p)
        return bool(self.exact_low) and count <= self.n_components

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        d = int(np.prod(shape))
        return self._explicit().out_shape((d,)) if self.exact(d) else (int(self.n_components),)

    def _explicit(self) -> ExplicitPolynomial:
        return ExplicitPolynomial(int(self.degree), float(self.gamma), float(self.coef0))

    def close(self, x: Any, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        d, p, gamma, c = x.shape[1], int(self.degree), float(self.gamma), float(self.coef0)
        if self.exact(d):
            return self._explicit()
        # (γ x·y + c)^p = Σ_k a_k (γ x·y)^k.
        coefficients = [comb(p, k) * c ** (p - k) for k in range(p + 1)]
        degrees = [k for k in range(p + 1) if coefficients[k] > 0]
        sizes = np.array([coefficients[k] for k in degrees]) * spread(x, gamma, degrees)
        low = self._low(d, degrees, sizes)
        sketched = [k for k in degrees if k >= low]
        constant = sqrt(coefficients[0]) if low > 0 else 0.0
        linear = sqrt(coefficients[1] * gamma) if low > 1 else 0.0
        total = int(self.n_components) - (constant > 0) - d * (linear > 0)
        share = shares(sizes[len(degrees) - len(sketched) :])
        rng = generator(seed_of(self.random_state))
        groups = [
            (k, int(n), sqrt(2 * coefficients[k] * gamma**k / (total * q)))
            for k, n, q in zip(sketched, widths(rng, share, total), share, strict=True)
            if n
        ]
        return self._sketch(rng, d, groups, constant, linear)

    def _low(self, d: int, degrees: Sequence[int], sizes: np.ndarray) -> int:
        """How many of the lowest degrees are exact: as many as lower the error on the data."""
        if not self.exact_low or degrees[0] > 1 or self.n_components == 1:
            return 0
        if 1 not in degrees or max(degrees) == 1 or self.n_components < d + 3:
            return 1 if degrees[0] == 0 else 0
        # Σ sizes² / widths is (Σ sizes)² / width at the best shares.
        with_one = float(sizes[2:].sum()) / sqrt(self.n_components - 1 - d)
        without = float(sizes[1:].sum()) / sqrt(self.n_components - 1)
        return 2 if with_one <= without else 1

    def facts(self, on: Any) -> Iterator[Fact]:
        yield Continuous, "polynomials, whatever the draw"
        yield Smooth(inf), "polynomials, whatever the draw"
