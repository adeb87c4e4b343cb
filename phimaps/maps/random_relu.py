"""Random layers of a network whose inner products estimate the arc-cosine kernels."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any, final

import numpy as np
from sklearn.utils._param_validation import Integral, Real, StrOptions
from sklearn.utils._param_validation import Interval as Range

from ..drawn import RANDOM_STATE, Drawn, generator, seed_of
from ..errors import ParameterError
from ..kernels import ArcCosine, Kernel
from ..map import Concat, Fact, FeatureMap, Given, Scale, pipe
from ..map.items import rows_only
from ..property import (
    Bounded,
    Continuous,
    Injective,
    Lipschitz,
    LowerLipschitz,
    PositivelyHomogeneous,
)
from ..spaces import Space
from .affine import Affine
from .frames import SAMPLINGS, frame, orthogonally
from .functions import Shift
from .jumps import Step
from .pointwise import Abs, CRelu, Relu
from .powers import Power
from .vector import Identity

__all__ = ["RandomRelu"]

# Of orthonormal directions in floating point, and of what is computed with them.
ROUNDED = 1e-9


@final
class RandomRelu(FeatureMap):
    """x ↦ √(2/D) (relu(w_i·x))_{i <= D}, a random layer of a network; open.

    The inner product of two features estimates the arc-cosine kernel without bias, at every width:
    E 2 relu(w·x) relu(w·y) for normal w, which is |x| |y| (sin θ + (π - θ) cos θ) / π for points at
    an angle θ. Order 0 is a layer of steps 1[w·x > 0], order 2 one of relu(w·x)².

    Three things lower the error at no cost. The directions are orthogonal in blocks, and the last
    block of a width that d does not divide is a tight frame (see `phimaps.maps.frames`). All have
    one length: relu(w·x) = |w| relu(w·x / |w|), where the length of a normal w is independent of
    its direction, so that |w| may be replaced by √(E |w|²) = √d without a change of the mean (for
    order 2, relu(w·x)² has the factor |w|², whose mean square is d (d + 2); for order 0 lengths do
    not count). And they come in pairs w, -w: with relu(u) = (u + |u|) / 2, the pairs give
    Σ (w·x)(w·y) + |w·x| |w·y|, whose first half is d (x·y) exactly for a tight frame, where
    independent directions would have to average it.

    Parameters
    ----------
    n_components : int, default 100
        The number D of features. With an odd one the last feature has no partner.
    order : {0, 1, 2}, default 1
        The power of relu; 0 is the step.
    depth : int, default 1
        The number of layers, each of D features of the one before. A layer of *finite* width gives
        the next one random inner products, of which the kernel is no linear function: the estimate
        is biased, and consistent as D grows (for the steps of order 0 it is so too: the number of
        steps on which two points agree converges).
    bias : float, default 0
        b >= 0: every layer sees (x, b) in place of x. Without it φ(tx) is t^order φ(x) for t > 0.
    sampling : {"auto", "iid", "orthogonal"}, default "auto"
        Whether the directions are independent. "auto" is "orthogonal" where that takes less than
        about half a minute.
    antithetic : bool or "folded", default True
        Whether directions come in pairs w, -w. "folded" writes the sum of the two as it stands:
        x / √2 and |w_i·x| / √(2m) with m = D - d directions (a constant and signs for order 0). The
        estimate is that of nearly twice as many paired features; the features are no longer those
        of a ReLU layer, though a linear model on them is one. For one layer of order 0 or 1.
    random_state : int, RandomState, Generator or None, default 0
        Seed of the directions. None draws anew at every binding.

    References
    ----------
    Cho and Saul (2009), Kernel methods for deep learning, equations 1 and 6.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> z = RandomRelu(n_components=400).fit_transform([x, y])
    >>> bool(abs(z[0] @ z[1] - 2 / np.pi) < 0.05), float((z[0] @ z[0]).round(9))
    (True, 1.0)
    """

    n_components: int = 100
    order: int = 1
    depth: int = 1
    bias: float = 0.0
    sampling: str = "auto"
    antithetic: Any = True
    random_state: Any = 0

    _parameter_constraints = {
        "n_components": [Range(Integral, 1, None, closed="left")],
        "order": [Range(Integral, 0, 2, closed="both")],
        "depth": [Range(Integral, 1, None, closed="left")],
        "bias": [Range(Real, 0, None, closed="left")],
        "sampling": [StrOptions(set(SAMPLINGS))],
        "antithetic": ["boolean", StrOptions({"folded"})],
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
    def estimates(self) -> Kernel | None:
        """The kernel that is the mean of the inner products; None for several layers."""
        if self.depth > 1:
            return None
        return ArcCosine(order=int(self.order), depth=1, bias=float(self.bias))

    def spans(self, d: int) -> Kernel | None:
        # Steps are not continuous, and the limits of what they span are another matter.
        return self.estimates if self.order else None

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.antithetic == "folded" and (self.order == 2 or self.depth > 1):
            raise ParameterError(
                "Pairs of directions are folded in one layer of order 0 or 1 only.",
                got=f"antithetic='folded', order={self.order}, depth={self.depth}",
                need="antithetic=True, or order <= 1 and depth=1",
                do="set_params(antithetic=True)",
            )

    def close(self, x: Any, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        seed, width = seed_of(self.random_state), x.shape[1]
        layers = []
        for place in range(int(self.depth)):
            layers.append(self._layer(width, (seed, place)))
            width = int(self.n_components)
        return pipe(*layers)

    def _layer(self, d: int, seed: tuple[int, ...]) -> FeatureMap:
        total = int(self.n_components)
        if self.antithetic == "folded":
            return self._folded(d, seed)
        if not self.antithetic:
            return self._units(Relu(), self._affine(d, total, seed, total))
        pairs, single = divmod(total, 2)
        parts = []
        if pairs:
            parts.append(self._units(CRelu(), self._affine(d, pairs, seed, total)))
        if single:
            parts.append(self._units(Relu(), self._affine(d, 1, (*seed, 1), total)))
        return parts[0] if len(parts) == 1 else Concat(tuple(parts))

    def _units(self, rectifier: FeatureMap, affine: FeatureMap) -> FeatureMap:
        if self.order == 1:
            return rectifier @ affine
        if self.order == 2:
            return Power(2) @ rectifier @ affine
        # A unit is on where its rectified input is positive.
        on = Step() @ (affine if isinstance(rectifier, Relu) else rectifier @ affine)
        return Scale(sqrt(2.0 / self.n_components), on)

    def _affine(self, d: int, count: int, seed: tuple[int, ...], total: float) -> Affine:
        """The directions, of the length that makes a mean of the products over `total` units."""
        n = d + (self.bias > 0)
        length = {
            0: 1.0,
            1: sqrt(2.0 * n / total),
            2: (2.0 / total * n * (n + 2)) ** 0.25,
        }[int(self.order)]
        orthogonal = orthogonally(self.sampling, n, count)
        weight = Drawn(directions, n, count, orthogonal, length, seed)
        if not self.bias:
            return Affine(weight)
        return Affine(Drawn(rows, weight, 0, d), Drawn(last_row, weight, float(self.bias)))

    def _folded(self, d: int, seed: tuple[int, ...]) -> FeatureMap:
        kept = 1 if self.order == 0 else d + (self.bias > 0)
        count = int(self.n_components) - kept
        if count < 1:
            raise ParameterError(
                f"The {self.n_components} features do not hold the exact half of the kernel and a "
                "direction.",
                got=f"n_components={self.n_components}, antithetic='folded', rows of width {d}",
                need=f"n_components > {kept}",
                do="set_params(antithetic=True), or more features",
            )
        half = sqrt(0.5)
        if self.order == 0:
            sign = Shift(-1.0) @ (2.0 * (Step() @ self._affine(d, count, seed, count)))
            constant = Affine(np.zeros((d, 1)), [half])
            return constant & Scale(sqrt(0.5 / count), sign)
        # |w·x| / √(2m), where a layer of m units would have the factor √(2/m).
        sizes = Abs() @ self._affine(d, count, seed, 4.0 * count)
        exact: list[FeatureMap] = [Scale(half, Identity())]
        if self.bias:
            exact.append(Affine(np.zeros((d, 1)), [half * float(self.bias)]))
        return Concat((*exact, sizes))

    def facts(self, on: Space) -> Iterator[Fact]:
        order, width = int(self.order), int(self.n_components)
        if order:
            yield Continuous, "powers of relu of linear functions, whatever the draw"
        if not self.bias and self.antithetic != "folded":
            yield PositivelyHomogeneous(order**self.depth), "relu(tu) = t relu(u)"
        if not order:
            yield Bounded(sqrt(2.0) * (1 + ROUNDED)), "D steps of height √(2/D)"
        n = on.size + (self.bias > 0)
        pairs = width // 2
        whole = self.depth == 1 and self.antithetic is True and pairs >= n
        if not whole or not order or not orthogonally(self.sampling, n, pairs):
            return
        why = "the directions span, whatever the draw, and u = relu(u) - relu(-u)"
        yield Injective, why
        if order == 1 and width % 2 == 0:
            why = "the directions are a tight frame, so that |xW| = |x|, and each u is in one half"
            yield Lipschitz(1.0 + ROUNDED), why
            yield LowerLipschitz(sqrt(0.5) * (1 - ROUNDED)), why

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_components=9)


def directions(
    d: int, count: int, orthogonal: bool, length: float, seed: tuple[int, ...]
) -> np.ndarray:
    """Columns of one length in uniform directions, of shape (d, count)."""
    return length * frame(generator(seed), d, count, orthogonal).T


def rows(weight: Drawn, start: int, stop: int) -> np.ndarray:
    """Some rows of a drawn matrix."""
    return weight.tensor.numpy()[start:stop]


def last_row(weight: Drawn, factor: float) -> np.ndarray:
    """A multiple of the last row of a drawn matrix."""
    return factor * np.asarray(weight)[-1]
