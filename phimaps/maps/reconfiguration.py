"""The unit that trained homeomorphisms of R^d are made of."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any, ClassVar, final

import torch

from ..errors import ParameterError
from ..interval import add, multiply, singular_values
from ..map import Fact, FeatureMap
from ..proof import Reason, Strength
from ..property import Continuous, Homeomorphism, Injective, Lipschitz, LowerLipschitz, Smooth
from ..spaces import Image, Space
from .affine import Affine
from .invertible import Invertible, check_width
from .monotone_residual import MonotoneResidual, bent, check_height, straightened
from .twist import Twist, check_twist, skew, turned

__all__ = ["ReconfigurationUnit", "unit"]


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
        from .trained import ReconfigurationNetwork

        return ReconfigurationNetwork(n_units=1, n_epochs=1)


def unit(x: torch.Tensor, parts: Any) -> torch.Tensor:
    """The value of a unit with these arrays."""
    centre, generators, widths, weight, bias, height = parts
    return bent(turned(x, centre, skew(generators), widths, 1) @ weight + bias, height)
