"""Random linear maps into few dimensions that keep inner products and distances in the mean."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from math import log, sqrt
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
import scipy.sparse
from sklearn.utils._param_validation import Integral, Interval, Real, StrOptions

from .. import kernels
from .. import property as prop
from ..drawn import RANDOM_STATE, Drawn, generator, seed_of
from ..errors import ParameterError
from ..map import Fact, FeatureMap, Given
from ..map.items import rows_only
from ..property import Continuous
from ..spaces import Space
from .affine import Affine
from .hadamard import power_of_two
from .sparse_linear import SignedHadamard, SparseLinear

__all__ = ["CountSketch", "GaussianProjection", "SparseProjection", "Srht"]


class RandomProjection(FeatureMap):
    """A random linear map W with E W Wᵀ = 1, whose kernel estimates x·y; open, abstract."""

    __slots__ = ()
    if TYPE_CHECKING:
        n_components: int | str
        random_state: Any

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "random_state": RANDOM_STATE,
    }

    @abstractmethod
    def close(self, x: Any, given: Given) -> FeatureMap:
        """The drawn linear map; see `FeatureMap.bind`."""

    @property
    def random(self) -> bool:
        return self.random_state is None

    @property
    def sparse(self) -> bool:
        return True

    @property
    def gives(self) -> tuple[int, ...] | None:
        return None if isinstance(self.n_components, str) else (int(self.n_components),)

    @property
    def estimates(self) -> Any:
        """The kernel of which the inner products are estimates without bias."""
        return kernels.Linear()

    def facts(self, on: Space) -> Iterator[Fact]:
        yield prop.Affine, "x W, whatever the draw"
        yield Continuous, "linear, whatever the draw"

    def _width(self, x: Any) -> int:
        """The number of features, found by the lemma of Johnson and Lindenstrauss for "auto"."""
        if not isinstance(self.n_components, str):
            return int(self.n_components)
        (n, d), eps = x.shape, float(self.eps)  # type: ignore[attr-defined]
        width = max(1, int(4 * log(n) / (eps**2 / 2 - eps**3 / 3)))
        if width > d:
            name = type(self).__name__
            raise ParameterError(
                f"eps={eps} and n_samples={n} lead to a target dimension of {width} which is "
                f"larger than the original space with n_features={d}.",
                got=f"n_components='auto', eps={eps} for shape {(n, d)}",
                need=f"at most {d} features, or a number",
                do=f"{name}(n_components={max(1, d // 2)}), or a greater eps",
            )
        return width


@final
class GaussianProjection(RandomProjection):
    """x ↦ x W with independent normal numbers of variance 1/D in W; open.

    The inner product of two features estimates x·y without bias.

    Parameters
    ----------
    n_components : int or "auto", default "auto"
        The number D of features; "auto" is ⌊4 log n / (eps²/2 - eps³/3)⌋ for n rows, with which all
        distances are probably kept up to a factor of 1 ± eps.
    eps : float, default 0.1
        In (0, 1); counts for "auto" only.
    random_state : int, RandomState, Generator or None, default 0
        Seed of W. None draws anew at every binding.

    References
    ----------
    Dasgupta and Gupta (2003), An elementary proof of a theorem of Johnson and Lindenstrauss,
    Theorem 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> Z = GaussianProjection(n_components=2000).fit_transform(np.eye(3))
    >>> bool(np.abs(Z @ Z.T - np.eye(3)).max() < 0.15)
    True
    """

    n_components: Any = "auto"
    eps: float = 0.1
    random_state: Any = 0

    def close(self, x: Any, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        return Affine(Drawn(scaled_normal, x.shape[1], self._width(x), seed_of(self.random_state)))

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_components=3)


def scaled_normal(rows: int, columns: int, seed: int) -> np.ndarray:
    """Independent normal numbers of variance 1 / columns."""
    return generator(seed).standard_normal((rows, columns)) / sqrt(columns)


@final
class SparseProjection(RandomProjection):
    """x ↦ x W with entries 0 and, each with probability q/2, ±1/√(qD) in W; open.

    The inner product of two features estimates x·y without bias.

    Parameters
    ----------
    n_components : int or "auto", default "auto"
        The number D of features; "auto" is ⌊4 log n / (eps²/2 - eps³/3)⌋ for n rows, with which all
        distances are probably kept up to a factor of 1 ± eps.
    density : float or "auto", default "auto"
        q in (0, 1]; "auto" is 1/√d for d coordinates (Li, Hastie and Church), Achlioptas has 1/3.
    eps : float, default 0.1
        In (0, 1); counts for "auto" only.
    random_state : int, RandomState, Generator or None, default 0
        Seed of W. None draws anew at every binding.

    References
    ----------
    Achlioptas (2003), Database-friendly random projections, Theorem 1.1; Li, Hastie and Church
    (2006), Very sparse random projections.

    Examples
    --------
    >>> import numpy as np
    >>> Z = SparseProjection(n_components=2000, density=1 / 3).fit_transform(np.eye(3))
    >>> bool(np.abs(Z @ Z.T - np.eye(3)).max() < 0.15)
    True
    """

    n_components: Any = "auto"
    density: Any = "auto"
    eps: float = 0.1
    random_state: Any = 0

    _parameter_constraints = {
        "density": [Interval(Real, 0.0, 1.0, closed="right"), StrOptions({"auto"})]
    }

    def close(self, x: Any, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        d, width = x.shape[1], self._width(x)
        q = 1 / sqrt(d) if self.density == "auto" else float(self.density)
        rng = generator(seed_of(self.random_state))
        # Each coordinate chooses its features: as many as a coin tossed for each of them would.
        counts = rng.binomial(width, q, d)
        indices = [np.sort(rng.choice(width, k, replace=False, shuffle=False)) for k in counts]
        ends = np.concatenate([[0], np.cumsum(counts)])
        signs = rng.choice([-1.0, 1.0], int(ends[-1])) / sqrt(q * width)
        places = np.concatenate([*indices, np.zeros(0, dtype=np.int64)]).astype(np.int32)
        weight = scipy.sparse.csr_array((signs, places, ends), shape=(d, width))
        return SparseLinear(weight)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_components=3)


@final
class CountSketch(RandomProjection):
    """x ↦ (Σ_{h(j)=i} s_j x_j)_i, each coordinate added to a random bucket, with a sign; open.

    The inner product of two features estimates x·y without bias. Sparse rows stay sparse, in time
    of their entries that are not zero.

    Parameters
    ----------
    n_components : int, default 100
        The number D of buckets.
    random_state : int, RandomState, Generator or None, default 0
        Seed of buckets and signs. None draws anew at every binding.

    References
    ----------
    Charikar, Chen and Farach-Colton (2004), Finding frequent items in data streams; Weinberger,
    Dasgupta, Langford, Smola and Attenberg (2009), Feature hashing for large scale multitask
    learning, Lemma 2.

    Examples
    --------
    >>> import numpy as np
    >>> Z = CountSketch(n_components=1000).fit_transform(np.eye(3))
    >>> bool(np.abs(Z @ Z.T - np.eye(3)).max() <= 1)
    True
    """

    n_components: int = 100
    random_state: Any = 0

    _parameter_constraints = {"n_components": [Interval(Integral, 1, None, closed="left")]}

    def close(self, x: Any, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        d, width = x.shape[1], self._width(x)
        rng = generator(seed_of(self.random_state))
        buckets = rng.integers(0, width, d, dtype=np.int32)
        signs = rng.choice([-1.0, 1.0], d)
        weight = scipy.sparse.csr_array((signs, buckets, np.arange(d + 1)), shape=(d, width))
        return SparseLinear(weight)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_components=3)


@final
class Srht(RandomProjection):
    """x ↦ P H D x / √D', a subsampled randomised Hadamard transform into D' dimensions; open.

    D multiplies the coordinates by random signs, H is a Hadamard matrix of the next power of two,
    and P chooses D' of its rows, each once as far as they suffice. The inner product of two
    features estimates x·y without bias.

    Parameters
    ----------
    n_components : int, default 100
        The number D' of features.
    random_state : int, RandomState, Generator or None, default 0
        Seed of signs and rows. None draws anew at every binding.

    References
    ----------
    Ailon and Chazelle (2009), The fast Johnson-Lindenstrauss transform; Tropp (2011), Improved
    analysis of the subsampled randomized Hadamard transform.

    Examples
    --------
    >>> import numpy as np
    >>> Z = Srht(n_components=4).fit_transform(np.eye(4))
    >>> (Z @ Z.T).round(12)
    array([[1., 0., 0., 0.],
           [0., 1., 0., 0.],
           [0., 0., 1., 0.],
           [0., 0., 0., 1.]])
    """

    n_components: int = 100
    random_state: Any = 0

    _parameter_constraints = {"n_components": [Interval(Integral, 1, None, closed="left")]}

    def close(self, x: Any, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        d, width = x.shape[1], self._width(x)
        order = power_of_two(d)
        rng = generator(seed_of(self.random_state))
        signs = rng.choice(np.array([-1, 1], dtype=np.int8), d)
        rounds = [rng.permutation(order) for _ in range(-(-width // order))]
        chosen = np.concatenate(rounds)[:width].astype(np.int32)
        return SignedHadamard(signs, chosen, 1 / sqrt(width))

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_components=3)
