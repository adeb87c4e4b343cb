"""Elementwise activations and functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, prod, sqrt
from typing import final

import numpy as np
import torch
from scipy.special import expit, ndtr
from sklearn.utils._param_validation import Interval as Range
from sklearn.utils._param_validation import Real

from ..map import Fact, FeatureMap
from ..map.codomain import Codomain, PositiveNumbers
from ..property import (
    Affine,
    Continuous,
    Homeomorphism,
    Injective,
    Lipschitz,
    LowerLipschitz,
    PositivelyHomogeneous,
    Proper,
    Smooth,
)
from ..spaces import Box, Image, Space
from .curve import Curve

__all__ = [
    "Abs",
    "CRelu",
    "Exp",
    "Gelu",
    "LeakyRelu",
    "Relu",
    "Sigmoid",
    "Silu",
    "Softplus",
    "Tanh",
]


def _near(shape: tuple[int, ...], itemsize: int) -> int:
    """How many rows of this shape stay in a core's own cache until they are rectified."""
    return max(128, 2**19 // max(1, prod(shape) * itemsize))


@final
class Relu(Curve):
    """x ↦ max(x, 0), the rectified linear unit.

    Injective only where no coordinate is negative on a whole interval.

    Examples
    --------
    >>> Relu().fit_transform([[-1.0, 2.0]])
    array([[0., 2.]])
    """

    turns = (0.0,)
    ways = (0, 1)
    ends = (0.0, inf)
    piece_slopes = (0.0, 1.0)
    exact = True
    degree = 1
    title = "relu"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        torch.clamp(x, min=0, out=out)

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        return _near(shape, itemsize)


@final
class LeakyRelu(Curve):
    """x ↦ x for x >= 0, slope·x for x < 0.

    Parameters
    ----------
    slope : float, default 0.01
        Injective for a positive slope, with constants min(1, slope) and max(1, slope).

    Examples
    --------
    >>> LeakyRelu(0.5).fit_transform([[-1.0, 2.0]])
    array([[-0.5,  2. ]])
    """

    slope: float = 0.01

    _parameter_constraints = {"slope": [Range(Real, None, None, closed="neither")]}
    turns = (0.0,)
    degree = 1
    title = "leaky_relu"

    @property
    def ways(self) -> tuple[int, ...]:  # type: ignore[override]
        return (int(np.sign(self.slope)), 1)

    @property
    def ends(self) -> tuple[float, float]:  # type: ignore[override]
        return (-inf if self.slope > 0 else inf if self.slope < 0 else 0.0, inf)

    @property
    def piece_slopes(self) -> tuple[float, ...]:  # type: ignore[override]
        return (float(self.slope), 1.0)

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.leaky_relu(x, float(self.slope))


@final
class Abs(Curve):
    """x ↦ |x|.

    Examples
    --------
    >>> Abs().fit_transform([[-1.0, 2.0]])
    array([[1., 2.]])
    """

    turns = (0.0,)
    ways = (-1, 1)
    ends = (inf, inf)
    piece_slopes = (-1.0, 1.0)
    exact = True
    even = True
    degree = 1
    title = "abs"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs()

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        torch.abs(x, out=out)

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        return _near(shape, itemsize)

    def merge(self, low: float, high: float) -> tuple[float, float, bool]:
        reach = min(-low, high, 1.0)
        return -reach, reach, True


@final
class Tanh(Curve):
    """x ↦ tanh x.

    Examples
    --------
    >>> Tanh().fit_transform([[0.0]])
    array([[0.]])
    """

    ends = (-1.0, 1.0)
    bends = (0.0,)
    title = "tanh"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            # 1 - tanh² loses every digit where tanh is near 1.
            return 1.0 / np.cosh(x) ** 2


@final
class Sigmoid(Curve):
    """x ↦ 1 / (1 + exp(-x)).

    Examples
    --------
    >>> Sigmoid().fit_transform([[0.0]])
    array([[0.5]])
    """

    ends = (0.0, 1.0)
    bends = (0.0,)
    title = "sigmoid"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return expit(x) * expit(-x)


@final
class Softplus(Curve):
    """x ↦ log(1 + exp(x)).

    Examples
    --------
    >>> Softplus().fit_transform([[0.0]]).round(4)
    array([[0.6931]])
    """

    ends = (0.0, inf)
    slope_ends = (0.0, 1.0)
    title = "softplus"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        # torch's own switches to the identity above a threshold, which is not this function.
        return torch.logaddexp(x, torch.zeros((), dtype=x.dtype, device=x.device))

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return expit(x)


@final
class Gelu(Curve):
    """x ↦ x Φ(x), with Φ the normal distribution function.

    It has a minimum at -0.7518, so it is not injective on intervals around it.

    Examples
    --------
    >>> Gelu().fit_transform([[0.0]])
    array([[0.]])
    """

    turns = (-0.751791524693564,)
    ways = (-1, 1)
    ends = (0.0, inf)
    flats = turns
    bends = (-sqrt(2.0), sqrt(2.0))
    slope_ends = (0.0, 1.0)
    margin = 1e-8
    noise = 2e-15
    title = "gelu"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.gelu(x)

    def reference(self, x: np.ndarray) -> np.ndarray:
        # torch computes 1 + erf, which cancels for negative x.
        return x * ndtr(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return ndtr(x) + x * np.exp(-(x**2) / 2) / sqrt(2 * np.pi)


@final
class Silu(Curve):
    """x ↦ x / (1 + exp(-x)), also called swish.

    It has a minimum at -1.2785, so it is not injective on intervals around it.

    Examples
    --------
    >>> Silu().fit_transform([[0.0]])
    array([[0.]])
    """

    turns = (-1.278464542761074,)
    ways = (-1, 1)
    ends = (0.0, inf)
    flats = turns
    bends = (-2.399357280520546, 2.399357280520546)
    slope_ends = (0.0, 1.0)
    margin = 1e-8
    noise = 2e-15
    title = "silu"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.silu(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return expit(x) * (1 + x * expit(-x))


@final
class Exp(Curve):
    """x ↦ exp x.

    Examples
    --------
    >>> Exp().fit_transform([[0.0]])
    array([[1.]])
    """

    ends = (0.0, inf)
    slope_ends = (0.0, inf)
    title = "exp"

    @property
    def codomain(self) -> Codomain:
        return PositiveNumbers()

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.exp(x)


@final
class CRelu(FeatureMap):
    """x ↦ (max(x, 0), max(-x, 0)), the concatenated rectifier.

    x is the difference of the two halves, so nothing is lost. Images double their channels.

    References
    ----------
    Shang, Sohn, Almeida, Lee (2016), Understanding and improving convolutional neural networks via
    concatenated rectified linear units.

    Examples
    --------
    >>> CRelu().fit_transform([[-1.0, 2.0]])
    array([[0., 2., 1., 0.]])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat((torch.relu(x), torch.relu(-x)), dim=1)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        positive, negative = out.tensor_split(2, dim=1)
        torch.clamp(x, min=0, out=positive)
        torch.neg(x, out=negative).clamp_(min=0)

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        return _near(shape, itemsize)

    def rounds(self, on: Space) -> bool:
        return False

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (2 * shape[0], *shape[1:])

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        post = [n.replace("[pre]", "[post]", 1) for n in names]
        return [f"relu({n})" for n in post] + [f"relu(-{n})" for n in post]

    def image(self, on: Space) -> Image:
        low, high = on.bounds()
        zero = np.zeros_like(low)
        return Image(
            Box(
                np.concatenate((np.maximum(low, zero), np.maximum(-high, zero))),
                np.concatenate((np.maximum(high, zero), np.maximum(-low, zero))),
            )
        )

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "its coordinates are relu(x) and relu(-x)"
        yield Injective, "x = relu(x) - relu(-x)"
        yield Homeomorphism, "x = relu(x) - relu(-x) is a continuous inverse"
        yield PositivelyHomogeneous(1), "relu(tx) = t relu(x)"
        if on.is_closed:
            yield Proper, "|φ(x)| = |x|"
        yield Lipschitz(1.0), "|relu(a) - relu(b)|² + |relu(-a) - relu(-b)|² <= |a - b|²"
        low, high = on.bounds()
        if ((low < 0) & (high > 0)).any():
            lower = float(np.nextafter(sqrt(0.5), 0))
            yield LowerLipschitz(lower), "|u - v|² <= 2 (|u₊ - v₊|² + |u₋ - v₋|²) for u = u₊ - u₋"
        else:
            yield LowerLipschitz(1.0), "no coordinate changes sign, so distances are kept"
            yield Affine, "no coordinate changes sign"
            yield Smooth(inf), "no coordinate changes sign"
        chords = on.chords()
        if chords is None:
            return
        low, high, _ = chords
        if (low < high).any():
            yield (~Lipschitz)(1.0), "distances are kept along a segment without change of sign"
        reach = np.minimum(-low, high)
        if (reach > 0).any():
            upper = float(np.nextafter(sqrt(0.5), 1))
            yield (~LowerLipschitz)(upper), "points t and -t of one coordinate are √2 t apart"
            yield ~Affine, "relu has a kink where a coordinate changes sign"
            yield ~Smooth, "relu has a kink where a coordinate changes sign"
