"""The identity plus a contraction: a homeomorphism of R^d that is undone by iteration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, inf, log, sqrt
from typing import Any, ClassVar, final

import numpy as np
import torch
from sklearn.utils._param_validation import Interval as Range
from sklearn.utils._param_validation import Real

from ..errors import InputError, ParameterError
from ..interval import EPS, ULPS, add, affine_range, multiply, singular_values, widen
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
from ..spaces import Box, Image, Space
from .invertible import Invertible, check_width, checked_rows, enclosing
from .trained import COUNT, TrainedHomeomorphism
from .training import SETTINGS

__all__ = ["InvertibleResidual", "InvertibleResidualNetwork"]

# Errors of the start are divided by 2^60, unless that takes more steps than these.
MOST_STEPS = 20_000


def moved(x: torch.Tensor, parts: Any) -> torch.Tensor:
    """g(x) = tanh(x W + b) V."""
    weight, bias, out = parts
    return torch.tanh(torch.addmm(bias, x, weight)) @ out


@final
class InvertibleResidual(Invertible):
    """x ↦ x + g(x) with g(x) = tanh(x W + b) V and |W| |V| = c < 1.

    As g is a contraction, x ↦ y - g(x) has exactly one fixed point for each y (Banach): the map is
    a homeomorphism of R^d onto itself, and the fixed point is its inverse.

    Parameters
    ----------
    weight : array-like or tensor of shape (d, n_hidden)
        The W.
    bias : array-like or tensor of shape (n_hidden,)
        The b.
    out : array-like or tensor of shape (n_hidden, d)
        The V.

    Raises
    ------
    ParameterError
        When an entry is not finite, the shapes do not fit, or c, bounded from above by certified
        singular values of both matrices, is not below 1; on first use.

    Notes
    -----
    The slopes of tanh are at most 1, so |g(x) - g(y)| <= c |x - y|, and

        (1 - c) |x - y| <= |φ(x) - φ(y)| <= (1 + c) |x - y|.

    The norms are those of a singular value decomposition with its error bound. An iteration that
    estimates the greatest singular value gives a number below it, which proves nothing.

    References
    ----------
    Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen (2019), Invertible residual networks.

    Examples
    --------
    >>> phi = InvertibleResidual([[1.0]], [0.0], [[-0.5]])
    >>> y = phi(np.array([[2.0], [-1.0]]))
    >>> y.round(4).ravel(), phi.inverse(y).round(12).ravel()
    (array([ 1.518 , -0.6192]), array([ 2., -1.]))
    >>> x, error = phi.inverse_within(y)
    >>> bool(error.max() < 1e-13)
    True
    """

    weight: Any
    bias: Any
    out: Any

    arrays: ClassVar[dict[str, int]] = {"weight": 2, "bias": 1, "out": 2}

    def check_parameters(self) -> None:
        super().check_parameters()
        weight, bias, out = (self.array(name) for name in self.arrays)
        if out.shape != weight.shape[::-1] or len(bias) != len(out):
            raise ParameterError(
                "The parts of InvertibleResidual do not fit together.",
                got=f"weight of shape {weight.shape}, bias of shape {bias.shape}, out of shape "
                f"{out.shape}",
                need="shapes (d, n_hidden), (n_hidden,) and (n_hidden, d)",
                do="InvertibleResidual(weight, bias, out) adds tanh(x @ weight + bias) @ out",
            )
        c = self.contraction()
        if not c < 1:
            raise ParameterError(
                "What InvertibleResidual adds is not certainly a contraction.",
                got=f"|W| |V| <= {c:.6g}",
                need="a product of the greatest singular values below 1",
                do=f"InvertibleResidual(weight, bias, out * {0.9 / c:.2g})",
            )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return self.array("weight").shape[:1]

    @property
    def gives(self) -> tuple[int, ...] | None:
        return self.takes

    def contraction(self) -> float:
        """An upper bound of c = |W| |V|."""
        memo = self.memo
        if "contraction" not in memo:
            sizes = [float(singular_values(self.array(n))[1].max()) for n in ("weight", "out")]
            memo["contraction"] = multiply(sizes, up=True)
        return memo["contraction"]

    def constants(self) -> tuple[float, float]:
        """Bounds below the lower and above the upper Lipschitz constant on R^d."""
        c = self.contraction()
        return add([1.0, -c], up=False), add([1.0, c], up=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_width(self, x.shape)
        return x + moved(x, self.weights(x))

    def undo(self, y: torch.Tensor) -> torch.Tensor:
        parts = self.weights(y)
        fixed = [p.detach() for p in parts]
        with torch.no_grad():
            x = self._settled(y.detach(), fixed)
        if not torch.is_grad_enabled() or not any(t.requires_grad for t in (y, *parts)):
            return x
        # A step of Newton's method has the derivatives of the inverse at its root.
        weight, bias, out = fixed
        slopes = 1 - torch.tanh(torch.addmm(bias, x, weight)) ** 2
        jacobian = torch.einsum("ih,nh,hj->nij", weight, slopes, out)
        jacobian = jacobian + torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        rest = y - x - moved(x, parts)
        step = torch.linalg.solve(jacobian, rest[:, None], left=False)[:, 0]
        return x + (step - step.detach())

    def _settled(self, y: torch.Tensor, parts: Any) -> torch.Tensor:
        """The fixed point of x ↦ y - g(x); each row ends by itself, whatever the others do."""
        c, eps = self.contraction(), torch.finfo(y.dtype).eps
        steps = 2 if c == 0 else min(MOST_STEPS, ceil(60 * log(2) / -log(c)) + 1)
        x = y
        active = torch.ones(len(y), 1, dtype=torch.bool, device=y.device)
        for _ in range(steps):
            new = torch.where(active, y - moved(x, parts), x)
            size = (new - x).abs().amax(dim=1, keepdim=True)
            x, active = new, size > eps * new.abs().amax(dim=1, keepdim=True)
            if not bool(active.any()):
                break
        lost = (x + moved(x, parts) - y).norm(dim=1) / self.constants()[0]
        room = sqrt(eps) * (1 + x.norm(dim=1))
        if not bool((lost <= room).all()):
            worst = int((lost - room).nan_to_num(nan=inf).argmax())
            raise InputError(
                f"The inverse of InvertibleResidual is not near after {steps} steps.",
                got=f"an error of up to {float(lost[worst]):.2g} in row {worst}, with c = {c:.10g}",
                need=f"an error within {float(room[worst]):.2g}, half of the digits",
                do="a smaller c = |W| |V|: each step divides the error by 1 / c",
            )
        return x

    def inverse_within(self, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """φ⁻¹(y), and how far from it that is at most.

        |x - φ⁻¹(y)| <= |φ(x) - y| / (1 - c), where rounding in φ(x) is allowed for.

        Parameters
        ----------
        y : tensor or array-like of shape (n, d)

        Returns
        -------
        x : ndarray of shape (n, d), float64
        error : ndarray of shape (n,)
            Upper bounds of the Euclidean distances.

        Raises
        ------
        ShapeError, InputError
            As of `inverse`.
        """
        points = checked_rows(self, y, self.gives).detach().cpu().to(torch.float64)
        with torch.no_grad():
            x = self.undo(points).numpy()
        target = points.numpy()
        weight, bias, out = (self.array(name) for name in self.arrays)
        (d, hidden), tiny = weight.shape, float(np.finfo(np.float64).tiny)
        with np.errstate(over="ignore", invalid="ignore"):
            size = np.abs(x) @ np.abs(weight) + np.abs(bias)
            z = x @ weight + bias
            t = np.tanh(z)
            # tanh is no steeper than 1, so that it passes errors on and makes few of its own.
            slack = (2 * d + 6) * EPS * size + ULPS * EPS * np.abs(t) + (d + 4) * tiny
            g = t @ out
            slack = slack @ np.abs(out) + (2 * hidden + 4) * EPS * (np.abs(t) @ np.abs(out))
            slack = slack + 4 * EPS * (np.abs(target) + np.abs(x) + np.abs(g)) + hidden * tiny
            rest = np.abs(target - x - g) + slack
            error = np.linalg.norm(rest, axis=1) / self.constants()[0] * (1 + 1e-9)
        return x, np.where(np.isnan(error), inf, error)

    def image(self, on: Space) -> Image:
        low, high = on.bounds()
        span = self._span(low, high)
        with np.errstate(over="ignore"):
            outer = enclosing(widen(low + span[0], False), widen(high + span[1], True))
        box = on.inner_box()
        if box is None:
            return Image(outer)
        if bool(np.isinf(box.low).all() and np.isinf(box.high).all()):
            return Image(outer, box)
        if not (np.isfinite(box.low) & np.isfinite(box.high)).all():
            return Image(outer)
        # The ball of radius r around the centre covers one of radius (1 - c) r around its value.
        centre = box.low / 2 + box.high / 2
        radius = float(np.minimum(centre - box.low, box.high - centre).min())
        least, most = self._span(centre, centre)
        middle = centre + (least / 2 + most / 2)
        unsure = float((most - least).max()) + 8 * EPS * float(np.abs(middle).max())
        side = radius * self.constants()[0] / sqrt(len(centre)) * (1 - 1e-9) - unsure
        with np.errstate(over="ignore", invalid="ignore"):
            inner_low, inner_high = widen(middle - side, True), widen(middle + side, False)
        sure = side > 1e-300 and np.isfinite([inner_low, inner_high]).all()
        found = bool(sure and (inner_low < inner_high).all())
        return Image(outer, Box(inner_low, inner_high) if found else None)

    def _span(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """An enclosure of g on a box."""
        weight, bias, out = (self.array(name) for name in self.arrays)
        base, top = affine_range(low, high, weight, bias)
        hidden = widen(np.tanh(base), False), widen(np.tanh(top), True)
        return affine_range(hidden[0], hidden[1], out, np.zeros(out.shape[1]))

    def facts(self, on: Space) -> Iterator[Fact]:
        why = "g is a contraction: x ↦ y - g(x) has one fixed point for each y (Banach)"
        yield Continuous, why
        yield Injective, why
        yield Homeomorphism, f"{why}, and |x - x'| <= |y - y'| / (1 - c)"
        yield Smooth(inf), "tanh has derivatives of all orders"
        text = "|g(x) - g(y)| <= c |x - y| with c = |W| |V|, norms certified"
        reason = Reason(text, Strength.COMPUTED)
        yield Lipschitz(lambda: self.constants()[1]), reason
        yield LowerLipschitz(lambda: self.constants()[0]), reason

    @classmethod
    def example(cls) -> FeatureMap:
        return InvertibleResidualNetwork(n_blocks=1, n_hidden=3, n_epochs=1)


@final
class InvertibleResidualNetwork(TrainedHomeomorphism):
    """x ↦ φ_n(…φ_1(z)), residual blocks of the standardized z, trained in fit; open.

    A homeomorphism of R^d with constants (1 ± c)^n. Bound, it is a chain of `InvertibleResidual`,
    of which each adds a function with a Lipschitz constant of at most c.

    Parameters
    ----------
    n_blocks : int, default 4
    n_hidden : int, default 32
        How many tanh units each block has.
    contraction : float, default 0.9
        The c, between 0 and 1. Steps of the inverse go with 1 / log(1 / c).
    <settings>

    References
    ----------
    Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen (2019), Invertible residual networks; here with
    exact singular values in place of estimates, in training and in the result.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    >>> phi = InvertibleResidualNetwork(2, 8, n_epochs=5).fit(X, np.hypot(*X.T) < 0.8)
    >>> bool(np.allclose(phi.inverse(phi.transform(X)), X))
    True
    """

    n_blocks: int = 4
    n_hidden: int = 32
    contraction: float = 0.9
    loss: str = "auto"
    n_epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 0.01
    alpha: float = 1e-4
    random_state: Any = 0

    _parameter_constraints = {
        "n_blocks": [COUNT],
        "n_hidden": [COUNT],
        "contraction": [Range(Real, 0, 1, closed="neither")],
    } | SETTINGS

    def start(self, d: int, rng: np.random.Generator) -> list[np.ndarray]:
        arrays = list[np.ndarray]()
        for _ in range(self.n_blocks):
            arrays += [
                rng.standard_normal((d, self.n_hidden)) / sqrt(d),
                rng.uniform(-1, 1, self.n_hidden),
                rng.standard_normal((self.n_hidden, d)) / self.n_hidden / 2,
            ]
        return arrays

    def features(self, x: torch.Tensor, arrays: Sequence[torch.Tensor]) -> torch.Tensor:
        for i in range(0, len(arrays), 3):
            weight, bias, out = arrays[i : i + 3]
            size = torch.linalg.matrix_norm(weight, 2) * torch.linalg.matrix_norm(out, 2)
            x = x + moved(x, (weight, bias, out / (size / self.contraction).clamp(min=1.0)))
        return x

    def layers(self, arrays: Sequence[np.ndarray]) -> list[FeatureMap]:
        found: list[FeatureMap] = []
        for i in range(0, len(arrays), 3):
            weight, bias, out = arrays[i : i + 3]
            sizes = [float(singular_values(w)[1].max()) for w in (weight, out)]
            # A little less, so that the certified bound of what was scaled stays within c.
            limit, size = self.contraction * (1 - 1e-9), multiply(sizes, up=True)
            kept = out if size <= limit else out * (limit / size)
            found.append(InvertibleResidual(weight, bias, kept))
        return found

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_blocks=2, n_hidden=3, n_epochs=1)
