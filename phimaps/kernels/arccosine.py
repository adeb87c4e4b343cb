"""Kernels of random neurons: arc-cosine kernels, and the neural tangent kernel of their layers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
import torch

from ..errors import ParameterError, show
from ..map.term import Fact
from ..spaces import Space
from .angular import Angles, arc0, arc1, arc2, from_rows, of_self
from .base import Kernel
from .known import neurons
from .scale import check_number

__all__ = ["NTK", "ArcCosine", "Layered"]


class Layered(Kernel):
    """A kernel of the norms and the angle of (x, b) and (y, b), layer by layer; abstract."""

    __slots__ = ()
    sparse: ClassVar[Any] = True
    if TYPE_CHECKING:
        # Fields stand in the final classes, in the order of their constructors.
        depth: int
        bias: float

    @abstractmethod
    def values(self, angles: Angles) -> torch.Tensor:
        """k, of the shape of the angles."""

    def check_parameters(self) -> None:
        super().check_parameters()
        _check_whole(self, "depth", range(1, 1001))
        check_number(self, "bias", included=True)

    def between(self, x: Any, y: Any) -> torch.Tensor:
        return _narrowed(self.values(from_rows(x, y, float(self.bias))), x, y)

    def diagonal(self, x: Any) -> torch.Tensor:
        return _narrowed(self.values(of_self(x, float(self.bias))), x, x)


def _check_whole(kernel: Kernel, name: str, allowed: range) -> None:
    value = getattr(kernel, name)
    if isinstance(value, Integral) and not isinstance(value, bool) and value in allowed:
        return
    need = f"an int from {allowed[0]} to {allowed[-1]}"
    raise ParameterError(
        f"The '{name}' parameter of {type(kernel).__name__} must be {need}. Got {show(value)} "
        "instead.",
        got=f"{name}={show(value)}",
        need=need,
        do=f"{type(kernel).__name__}({name}=1)",
    )


def _narrowed(values: torch.Tensor, x: Any, y: Any) -> torch.Tensor:
    """The values in float32 if both sides are; angles need float64 on the way."""
    single = all(v.dtype in (np.float32, torch.float32) for v in (x, y))
    return values.float() if single else values


def _next(norms: Angles, short: torch.Tensor, bias: float) -> Angles:
    """The angles of the next layer's inputs, from the squared norms and √(h_x h_y) - k of this one.

    With bias, √((h_x + b²)(h_y + b²)) - (k + b²) is written without a difference of like numbers.
    """
    left, right, whole = norms
    if not bias:
        return left, right, _ratio(short, whole)
    b = bias**2
    wider = torch.sqrt((left + b) * (right + b))
    excess = b * (torch.sqrt(left) - torch.sqrt(right)) ** 2 / (wider + whole + b)
    return left + b, right + b, (short + excess) / wider


def _ratio(short: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    # Rows of zeros are at right angles to all.
    return torch.where(whole > 0, short / torch.where(whole > 0, whole, 1.0), 1.0)


def _whole(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """√(h_x h_y), with slope 0 where it is 0."""
    product = left * right
    return torch.where(product > 0, torch.where(product > 0, product, 1.0).sqrt(), 0.0)


@final
class ArcCosine(Layered):
    """k(x, y) = E 2 σ(w·x) σ(w·y), w standard normal: the arc-cosine kernel of random neurons.

    σ(t) = t^n for t > 0, else 0: steps for order n = 0, rectifiers for n = 1. With θ the angle of x
    and y, order 0 is 1 - θ/π, order 1 is |x| |y| (sin θ + (π - θ) cos θ)/π, and order 2 is
    |x|² |y|² (3 sin θ cos θ + (π - θ)(1 + 2 cos² θ))/π.

    Parameters
    ----------
    order : {0, 1, 2}, default 1
        n.
    depth : int, default 1
        The number of layers: above the first, the kernel of the layer below takes the place of the
        inner product.
    bias : float, default 0.0
        b >= 0; in every layer the neurons have a bias, so that x is replaced by (x, b).

    References
    ----------
    Cho and Saul (2009), Kernel methods for deep learning, section 2.

    Examples
    --------
    >>> ArcCosine(order=1)([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]).round(4)
    array([[1.    , 0.3183]])
    """

    order: int = 1
    depth: int = 1
    bias: float = 0.0

    def check_parameters(self) -> None:
        _check_whole(self, "order", range(3))
        super().check_parameters()

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from neurons(int(self.order), int(self.depth), float(self.bias), on)

    def values(self, angles: Angles) -> torch.Tensor:
        norms, short = self._layer(angles)
        for _ in range(int(self.depth) - 1):
            norms, short = self._layer(_next(norms, short, float(self.bias)))
        return norms[2] - short

    def _layer(self, angles: Angles) -> tuple[Angles, torch.Tensor]:
        """Squared norms after one layer and √(h_x h_y), and what k lacks of the last."""
        left, right, gap = angles
        if self.order == 1:
            whole = _whole(left, right)
            return (left, right, whole), whole * arc1(gap)
        if self.order == 2:
            product = left * right
            return (3.0 * left**2, 3.0 * right**2, 3.0 * product), product * arc2(gap)
        # At 0 half of the neurons fire.
        awake = (left > 0) & (right > 0)
        left, right = (torch.where(h > 0, 1.0, 0.5).to(h) for h in (left, right))
        whole = _whole(left, right)
        return (left, right, whole), torch.where(awake, arc0(gap), whole - 0.5)


@final
class NTK(Layered):
    """k(x, y) = Θ_L, the neural tangent kernel of an infinitely wide ReLU network.

    Σ_0 = Θ_0 = x·y + b². In hidden layer l = 1 ... L, Σ_l is the arc-cosine kernel of order 1 of
    Σ_(l-1), plus b², and Θ_l = Σ_l + Θ_(l-1) κ_0, where κ_0 is the arc-cosine kernel of order 0 of
    Σ_(l-1): weights are standard normal and scaled by √(2 / width), the linear output included.

    Parameters
    ----------
    depth : int, default 1
        L, the number of hidden layers.
    bias : float, default 0.0
        b >= 0, the standard deviation of the biases, in every layer and the output.

    References
    ----------
    Jacot, Gabriel and Hongler (2018), Neural tangent kernel, Theorem 1; in closed form in Bietti
    and Mairal (2019), On the inductive bias of neural tangent kernels.

    Examples
    --------
    >>> NTK()([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]).round(4)
    array([[2.    , 0.3183]])
    """

    depth: int = 1
    bias: float = 0.0

    def facts(self, on: Space) -> Iterator[Fact]:
        # Θ_L is Σ_L, an arc-cosine kernel of order 1, plus a positive definite kernel that is
        # homogeneous of the same degree and, for L = 1, lacks the same frequencies.
        yield from neurons(1, int(self.depth), float(self.bias), on)

    def values(self, angles: Angles) -> torch.Tensor:
        bias = float(self.bias)
        left, right, gap = angles
        total = _whole(left, right) * (1.0 - gap)
        for _ in range(int(self.depth)):
            whole = _whole(left, right)
            short = whole * arc1(gap)
            total = whole - short + bias**2 + total * (1.0 - arc0(gap))
            left, right, gap = _next((left, right, whole), short, bias)
        return total
