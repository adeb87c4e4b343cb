"""Random Fourier features of the skewed χ² kernel."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, pi, sqrt
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Interval, Real

from .. import kernels
from ..drawn import RANDOM_STATE, Drawn, generator, seed_of
from ..errors import DomainError
from ..map import Concat, Fact, FeatureMap, Given, Scale, pipe
from ..map.items import rows_only
from ..property import Bounded, Continuous, Smooth
from ..spaces import Space
from .affine import Affine
from .fourier import Fourier
from .functions import Shift
from .powers import Cos, Log

__all__ = ["SkewedChi2"]


@final
class SkewedChi2(FeatureMap):
    """x ↦ √(2/D) (cos(w_i·log(x + c)), sin(w_i·log(x + c)))_{i <= D/2}, for x > -c; open.

    The inner product of two features estimates the skewed χ² kernel
    ∏_j 2 √((x_j + c)(y_j + c)) / (x_j + y_j + 2c) without bias.

    Parameters
    ----------
    skewedness : float, default 1.0
        c.
    n_components : int, default 100
        The number D of features. An odd one ends in a single cosine with a random phase.
    random_state : int, RandomState, Generator or None, default 0
        Seed of the frequencies. None draws anew at every binding.

    References
    ----------
    Li, Ionescu and Sminchisescu (2010), Random Fourier approximations for skewed multiplicative
    histogram kernels.

    Examples
    --------
    >>> import numpy as np
    >>> Z = SkewedChi2(n_components=4000).fit_transform([[0.0, 1.0], [2.0, 1.0]])
    >>> bool(abs(Z[0] @ Z[1] - 2 * np.sqrt(3) / 4) < 0.05)
    True
    """

    skewedness: float = 1.0
    n_components: int = 100
    random_state: Any = 0

    _parameter_constraints = {
        "skewedness": [Interval(Real, None, None, closed="neither")],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "random_state": RANDOM_STATE,
    }

    @property
    def random(self) -> bool:
        return self.random_state is None

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (int(self.n_components),)

    @property
    def estimates(self) -> Any:
        """The kernel of which the inner products are estimates without bias."""
        return kernels.SkewedChi2(float(self.skewedness))

    def close(self, x: Any, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        c, d, total = float(self.skewedness), x.shape[1], int(self.n_components)
        if bool((bad := x <= -c).any()):
            row, i = (int(k) for k in torch.as_tensor(bad).nonzero()[0])
            raise DomainError(
                f"The skewed χ² features are not defined at {float(x[row, i]):g}.",
                got=f"x = {float(x[row, i]):g} in row {row}, coordinate {i}, skewedness={c:g}",
                need="x > -skewedness",
                do="a greater skewedness, or shift the data",
            )
        seed, (pairs, odd) = seed_of(self.random_state), divmod(total, 2)
        scale = sqrt(2.0 / total)
        parts: list[FeatureMap] = []
        if pairs:
            parts.append(Fourier(Drawn(sech, d, pairs, seed), scale))
        if odd:
            rng = generator((seed, 1))
            phase = rng.uniform(0, 2 * pi, size=1)
            weight = _sech(rng.uniform(size=(d, 1)))
            parts.append(Scale(scale, Cos() @ Affine(weight, phase)))
        waves = Concat(tuple(parts), verbose_feature_names_out=False) if pairs and odd else parts[0]
        return pipe(Shift(c), Log(), waves)

    def undefined(self, on: Space) -> str | None:
        low, high = (b.ravel() for b in on.bounds())
        c = float(self.skewedness)
        if not (low < -c).any():
            return None
        i = int(np.flatnonzero(low < -c)[0])
        return f"coordinate {i} ranges over [{low[i]:g}, {high[i]:g}], it needs x > {-c:g}"

    def facts(self, on: Space) -> Iterator[Fact]:
        if (on.bounds()[0] <= -float(self.skewedness)).any():
            return
        yield Continuous, "sines and cosines of logarithms, whatever the draw"
        yield Smooth(inf), "sines and cosines of logarithms, whatever the draw"
        norm = sqrt((self.n_components + 1) / self.n_components) if self.n_components % 2 else 1.0
        yield Bounded(norm * (1 + 1e-12)), "cos² + sin² = 1 in each pair, whatever the draw"

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(skewedness=20.0, n_components=5)


def sech(rows: int, columns: int, seed: int) -> np.ndarray:
    """Independent numbers of the density sech(πw), whose Fourier transform is sech(t/2)."""
    return _sech(generator(seed).uniform(size=(rows, columns)))


def _sech(uniform: np.ndarray) -> np.ndarray:
    # Kept off 0, of which the quantile is infinite.
    return np.log(np.tan(pi / 2 * np.maximum(uniform, 2.0**-60))) / pi
