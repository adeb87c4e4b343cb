"""Homeomorphisms of R^d: a unit, and chains of it that are trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, sqrt
from typing import Any, ClassVar, final

import numpy as np
import torch

from ..errors import ParameterError
from ..interval import add, multiply, singular_values
from ..map import Fact, FeatureMap
from ..proof import Reason, Strength
from ..property import (
    Continuous,
    Homeomorphism,
    Injective,
    Lipschitz,
    LowerLipschitz,
    Smooth,
)
from ..spaces import Image, Space
from .affine import Affine
from .invertible import Invertible, check_width
from .monotone_residual import MonotoneResidual, bent, check_height, straightened
from .trained import COUNT, TrainedHomeomorphism
from .training import SETTINGS
from .twist import Twist, check_twist, skew, turned

__all__ = ["ReconfigurationNetwork", "ReconfigurationUnit", "unit"]


@final
class ReconfigurationUnit(Invertible):
    """x ↦ u + a ⊙ tanh(u) for u = T(x) W + b, with a twist T, an invertible W and a >= 0.

    The twist alone preserves volume, and in one dimension it does nothing; the affine map and the
    increasing function reach what it cannot. Each of the three is a diffeomorphism of R^d with
    known constants, and those of the unit are their products.

    Parameters
    ----------
    centre, generators, widths
        Of the `Twist`.
    weight : array-like or tensor of shape (d, d)
        The W, such as exp(B), with a least singular value that is certainly positive.
    bias : array-like or tensor of shape (d,)
        The b.
    height : array-like or tensor of shape (d,)
        The a, nowhere negative.

    Raises
    ------
    ParameterError
        As of `Twist` and `MonotoneResidual`, and when W may be singular; on first use.

    References
    ----------
    Kratsios, Hyndman (2021), NEU: a meta-algorithm for universal UAP-invariant feature
    representation; corrected as in `Twist`, with the general linear map outside of the rotation.

    Examples
    --------
    >>> turn = [[[0.0, 1.0], [0.0, 0.0]]]
    >>> phi = ReconfigurationUnit([0, 0], turn, [1.0], [[2, 0], [0, 1]], [0, 0], [1.0, 1.0])
    >>> phi.inverse(phi([[0.5, -1.0]])).round(12)
    array([[ 0.5, -1. ]])
    """

    centre: Any
    generators: Any
    widths: Any
    weight: Any
    bias: Any
    height: Any

    arrays: ClassVar[dict[str, int]] = {
        "centre": 1,
        "generators": 3,
        "widths": 1,
        "weight": 2,
        "bias": 1,
        "height": 1,
    }

    def check_parameters(self) -> None:
        super().check_parameters()
        check_twist(self)
        check_height(self, self.array("height"))
        d = len(self.array("centre"))
        shapes = [self.array(name).shape for name in ("weight", "bias", "height")]
        if shapes != [(d, d), (d,), (d,)]:
            raise ParameterError(
                "The parts of ReconfigurationUnit do not fit together.",
                got=f"weight of shape {shapes[0]}, bias of shape {shapes[1]}, height of shape "
                f"{shapes[2]}, for a centre of shape ({d},)",
                need=f"shapes ({d}, {d}), ({d},) and ({d},)",
                do="give all of them for the same number of coordinates",
            )
        least = float(singular_values(self.array("weight"))[0].min())
        if not least > 0:
            raise ParameterError(
                "The weight of ReconfigurationUnit is not certainly invertible.",
                got="a least singular value that may be 0",
                need="a matrix that is invertible by a margin above rounding",
                do="scipy.linalg.expm(B) of a matrix B of moderate size",
            )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return self.array("centre").shape

    @property
    def gives(self) -> tuple[int, ...] | None:
        return self.takes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_width(self, x.shape)
        return unit(x, self.weights(x))

    def undo(self, y: torch.Tensor) -> torch.Tensor:
        centre, generators, widths, weight, bias, height = self.weights(y)
        u = straightened(y, height) - bias
        x = torch.linalg.solve(weight, u, left=False)
        return turned(x, centre, skew(generators), widths, -1)

    def stages(self) -> tuple[Twist, Affine, MonotoneResidual]:
        """The three maps, the first one first."""
        memo = self.memo
        if "stages" not in memo:
            arrays = [self.array(name) for name in self.arrays]
            memo["stages"] = Twist(*arrays[:3]), Affine(*arrays[3:5]), MonotoneResidual(arrays[5])
        return memo["stages"]

    def image(self, on: Space) -> Image:
        outer: Space = on
        inner: Space | None = on.inner_box()
        for stage in self.stages():
            outer = stage.image(outer).outer
            inner = None if inner is None else stage.image(inner).inner
        return Image(outer, inner)

    def constants(self) -> tuple[float, float]:
        """Bounds below the lower and above the upper Lipschitz constant on R^d."""
        low, high = singular_values(self.array("weight"))
        least, greatest = self.stages()[0].constants()
        steepest = add([1.0, float(self.array("height").max())], up=True)
        return (
            multiply([least, float(low.min())], up=False),
            multiply([greatest, float(high.max()), steepest], up=True),
        )

    def facts(self, on: Space) -> Iterator[Fact]:
        why = "a twist, an invertible affine map and increasing functions, one after the other"
        yield Continuous, why
        yield Injective, why
        yield Homeomorphism, why
        yield Smooth(inf), "all three have derivatives of all orders"
        text = "product of the constants of the twist, the matrix (certified) and 1 + a tanh'"
        product = Reason(text, Strength.COMPUTED)
        yield Lipschitz(lambda: self.constants()[1]), product
        yield LowerLipschitz(lambda: self.constants()[0]), product

    @classmethod
    def example(cls) -> FeatureMap:
        return ReconfigurationNetwork(n_units=1, n_epochs=1)


def unit(x: torch.Tensor, parts: Any) -> torch.Tensor:
    """The value of a unit with these arrays."""
    centre, generators, widths, weight, bias, height = parts
    return bent(turned(x, centre, skew(generators), widths, 1) @ weight + bias, height)


@final
class ReconfigurationNetwork(TrainedHomeomorphism):
    """x ↦ u_n(…u_1(z)), reconfiguration units of the standardized z, trained in fit; open.

    A homeomorphism of R^d, deformed out of the identity so that a linear model of its coordinates
    fits the target. Bound, it is a chain of `ReconfigurationUnit`.

    Parameters
    ----------
    n_units : int, default 4
    n_profiles : int, default 1
        How many radial profiles each twist has.
    <settings>

    References
    ----------
    Kratsios, Hyndman (2021), NEU: a meta-algorithm for universal UAP-invariant feature
    representation; see `Twist` for what is corrected.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    >>> phi = ReconfigurationNetwork(n_units=2, n_epochs=5).fit(X, np.hypot(*X.T) < 0.8)
    >>> bool(np.allclose(phi.inverse(phi.transform(X)), X))
    True
    """

    n_units: int = 4
    n_profiles: int = 1
    loss: str = "auto"
    n_epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 0.01
    alpha: float = 1e-4
    random_state: Any = 0

    _parameter_constraints = {"n_units": [COUNT], "n_profiles": [COUNT]} | SETTINGS

    def start(self, d: int, rng: np.random.Generator) -> list[np.ndarray]:
        k, arrays = self.n_profiles, list[np.ndarray]()
        for _ in range(self.n_units):
            arrays += [
                rng.standard_normal(d) / 2,
                rng.standard_normal((k, d, d)) / sqrt(d) / 4,
                # Logarithms, as widths are positive.
                np.log(sqrt(d) * rng.uniform(0.5, 2, k)),
                rng.standard_normal((d, d)) / d / 10,
                np.zeros(d),
                # Roots, as heights are not negative.
                np.full(d, 0.3),
            ]
        return arrays

    def features(self, x: torch.Tensor, arrays: Sequence[torch.Tensor]) -> torch.Tensor:
        for i in range(0, len(arrays), 6):
            centre, generators, widths, power, bias, root = arrays[i : i + 6]
            weight = torch.linalg.matrix_exp(power)
            x = unit(x, (centre, generators, widths.exp(), weight, bias, root**2))
        return x

    def layers(self, arrays: Sequence[np.ndarray]) -> list[FeatureMap]:
        found: list[FeatureMap] = []
        for i in range(0, len(arrays), 6):
            centre, generators, widths, power, bias, root = arrays[i : i + 6]
            weight = torch.linalg.matrix_exp(torch.from_numpy(power)).numpy()
            found.append(
                ReconfigurationUnit(centre, generators, np.exp(widths), weight, bias, root**2)
            )
        return found

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_units=2, n_epochs=1)
