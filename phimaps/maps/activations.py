"""Elementwise activations of networks that are curved; the clipped ones stand apart."""

from __future__ import annotations

from math import factorial, inf, nextafter, pi
from typing import final

import numpy as np
import torch
from scipy.special import expit
from sklearn.utils._param_validation import Interval as Range
from sklearn.utils._param_validation import Real
from torch.nn import functional

from .curve import Curve

__all__ = [
    "Arctan",
    "Celu",
    "Elu",
    "Hardswish",
    "LogSigmoid",
    "Mish",
    "Selu",
    "Sinh",
    "Softsign",
    "Tanhshrink",
]

POSITIVE = {"alpha": [Range(Real, 0, None, closed="neither")]}
# As in Klambauer et al., to all digits of a float64.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
# The coefficients of x^(2k + 1) in x cosh x - sinh x.
SHRINK = [2 * k / factorial(2 * k + 1) for k in range(1, 12)]
# Not less than π/2, which is no float64.
QUARTER_TURN = nextafter(pi / 2, inf)


@final
class Elu(Curve):
    """x ↦ x for x >= 0, α (exp(x) - 1) for x < 0.

    Its slope is continuous for α = 1 only, and its second derivative jumps at 0 even then.

    Parameters
    ----------
    alpha : float, default 1
        Positive.

    References
    ----------
    Clevert, Unterthiner, Hochreiter (2016), Fast and accurate deep network learning by exponential
    linear units.

    Examples
    --------
    >>> Elu().fit_transform([[-1.0, 2.0]]).round(4)
    array([[-0.6321,  2.    ]])
    """

    alpha: float = 1.0

    _parameter_constraints = POSITIVE
    straight = ((0.0, inf),)
    slope_ends = (0.0, 1.0)
    title = "elu"

    @property
    def ends(self) -> tuple[float, float]:  # type: ignore[override]
        return (-float(self.alpha), inf)

    @property
    def kinks(self) -> tuple[tuple[float, float, float], ...]:  # type: ignore[override]
        return ((0.0, float(self.alpha), 1.0),)

    @property
    def rough(self) -> tuple[tuple[float, int], ...]:  # type: ignore[override]
        return ((0.0, int(self.alpha == 1)),)

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return functional.elu(x, float(self.alpha))

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, self.alpha * np.exp(np.minimum(x, 0.0)), 1.0)


@final
class Celu(Curve):
    """x ↦ x for x >= 0, α (exp(x / α) - 1) for x < 0.

    Its slope is continuous and at most 1; its second derivative jumps at 0.

    Parameters
    ----------
    alpha : float, default 1
        Positive.

    References
    ----------
    Barron (2017), Continuously differentiable exponential linear units.

    Examples
    --------
    >>> Celu(0.5).fit_transform([[-1.0, 2.0]]).round(4)
    array([[-0.4323,  2.    ]])
    """

    alpha: float = 1.0

    _parameter_constraints = POSITIVE
    straight = ((0.0, inf),)
    slope_ends = (0.0, 1.0)
    rough = ((0.0, 1),)
    title = "celu"

    @property
    def ends(self) -> tuple[float, float]:  # type: ignore[override]
        return (-float(self.alpha), inf)

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return functional.celu(x, float(self.alpha))

    def derivative(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.exp(np.minimum(x, 0.0) / self.alpha)


@final
class Selu(Curve):
    """x ↦ 1.0507 x for x >= 0, 1.7581 (exp(x) - 1) for x < 0, scaled so that variances settle.

    References
    ----------
    Klambauer, Unterthiner, Mayr, Hochreiter (2017), Self-normalizing neural networks.

    Examples
    --------
    >>> Selu().fit_transform([[-1.0, 2.0]]).round(4)
    array([[-1.1113,  2.1014]])
    """

    straight = ((0.0, inf),)
    # The product is rounded, so the limit is put where it is not passed.
    ends = (nextafter(-SELU_ALPHA * SELU_SCALE, -inf), inf)
    slope_ends = (0.0, SELU_SCALE)
    kinks = ((0.0, SELU_ALPHA * SELU_SCALE, SELU_SCALE),)
    rough = ((0.0, 0),)
    title = "selu"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return functional.selu(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        left = SELU_ALPHA * SELU_SCALE * np.exp(np.minimum(x, 0.0))
        return np.where(x < 0, left, SELU_SCALE)


@final
class Softsign(Curve):
    """x ↦ x / (1 + |x|).

    Examples
    --------
    >>> Softsign().fit_transform([[-1.0, 3.0]])
    array([[-0.5 ,  0.75]])
    """

    ends = (-1.0, 1.0)
    bends = (0.0,)
    # The second derivative jumps from 2 to -2.
    rough = ((0.0, 1),)
    title = "softsign"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return functional.softsign(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.abs(x)) ** 2


@final
class LogSigmoid(Curve):
    """x ↦ -log(1 + exp(-x)), the logarithm of the sigmoid.

    Examples
    --------
    >>> LogSigmoid().fit_transform([[0.0]]).round(4)
    array([[-0.6931]])
    """

    ends = (-inf, 0.0)
    slope_ends = (1.0, 0.0)
    title = "logsigmoid"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return functional.logsigmoid(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return expit(-x)


@final
class Arctan(Curve):
    """x ↦ arctan x.

    Examples
    --------
    >>> Arctan().fit_transform([[1.0]]).round(4)
    array([[0.7854]])
    """

    ends = (-QUARTER_TURN, QUARTER_TURN)
    bends = (0.0,)
    title = "arctan"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.arctan(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + x**2)


@final
class Sinh(Curve):
    """x ↦ sinh x, the hyperbolic sine.

    Examples
    --------
    >>> Sinh().fit_transform([[0.0, 1.0]]).round(4)
    array([[0.    , 1.1752]])
    """

    bends = (0.0,)
    slope_ends = (inf, inf)
    title = "sinh"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sinh(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.cosh(x)


@final
class Tanhshrink(Curve):
    """x ↦ x - tanh x.

    It is increasing, so injective, but flat at 0: no lower Lipschitz constant is positive there.

    Examples
    --------
    >>> Tanhshrink().fit_transform([[0.0, 1.0]]).round(4)
    array([[0.    , 0.2384]])
    """

    bends = (0.0,)
    flats = (0.0,)
    slope_ends = (1.0, 1.0)
    title = "tanhshrink"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        # Near 0 the difference cancels; x cosh x - sinh x is a series of positive terms.
        near = x.abs() < 1
        small = torch.where(near, x, torch.zeros_like(x))
        square = small * small
        series = torch.zeros_like(x)
        for weight in SHRINK[::-1]:
            series = series * square + weight
        return torch.where(near, small * square * series / torch.cosh(small), x - torch.tanh(x))

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return np.tanh(x) ** 2


@final
class Hardswish(Curve):
    """x ↦ 0 for x <= -3, x (x + 3) / 6 between, x for x >= 3.

    It has a minimum at -1.5, so it is not injective on intervals around it.

    References
    ----------
    Howard et al. (2019), Searching for MobileNetV3.

    Examples
    --------
    >>> Hardswish().fit_transform([[-1.5, 0.0, 4.0]])
    array([[-0.375,  0.   ,  4.   ]])
    """

    turns = (-3.0, -1.5)
    ways = (0, -1, 1)
    ends = (0.0, inf)
    flats = (-1.5,)
    slope_ends = (0.0, 1.0)
    kinks = ((-3.0, 0.0, -0.5), (3.0, 1.5, 1.0))
    straight = ((-inf, -3.0), (3.0, inf))
    rough = ((-3.0, 0), (3.0, 0))
    title = "hardswish"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        # Dividing before the product keeps huge x from overflowing.
        return x * (functional.relu6(x + 3) / 6)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        inside = (2 * np.clip(x, -3.0, 3.0) + 3) / 6
        return np.where(x < -3, 0.0, np.where(x > 3, 1.0, inside))


@final
class Mish(Curve):
    """x ↦ x tanh(log(1 + exp(x))).

    It has a minimum at -1.1924, so it is not injective on intervals around it.

    References
    ----------
    Misra (2020), Mish: a self regularized non-monotonic activation function.

    Examples
    --------
    >>> Mish().fit_transform([[0.0, 1.0]]).round(4)
    array([[0.    , 0.8651]])
    """

    turns = (-1.1924312145154952,)
    ways = (-1, 1)
    ends = (0.0, inf)
    flats = turns
    bends = (-2.256376396360793, 1.4905711794854284)
    slope_ends = (0.0, 1.0)
    margin = 1e-8
    noise = 2e-15
    title = "mish"

    def curve(self, x: torch.Tensor) -> torch.Tensor:
        return functional.mish(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            level = np.logaddexp(0.0, x)
            return np.tanh(level) + x * expit(x) / np.cosh(level) ** 2
