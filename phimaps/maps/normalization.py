"""Normalizations of vectors that do not see a shift of all coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import inf, sqrt
from typing import final

import numpy as np
import torch
from sklearn.utils._param_validation import Interval as Range
from sklearn.utils._param_validation import Real

from ..interval import ULPS, affine_range, widen
from ..map import Fact, FeatureMap
from ..map.codomain import Codomain, Probabilities
from ..map.items import rows_only
from ..proof import Reason
from ..property import (
    Bounded,
    Continuous,
    Homeomorphism,
    Injective,
    Lipschitz,
    LowerLipschitz,
    Proper,
    Smooth,
)
from ..spaces import Box, Image, Simplex, Space
from ..witness import Collision
from .radial import norms, rounded, scale_of

__all__ = ["LayerNorm", "Softmax"]

# Up to this dimension every pair of coordinates is looked at.
WIDEST = 1024


def shifted(on: Space, text: str) -> Iterator[Fact]:
    """That a map which does not see a shift of all coordinates merges points of the space."""
    box = on.inner_box()
    if box is None:
        return
    with np.errstate(over="ignore"):
        room = float(np.minimum(box.high - box.low, 4.0).min())
    # Multiples of a power of two are added without rounding.
    step = 2.0 ** np.floor(np.log2(room / 4))
    x = np.round(box.centre / step) * step
    y = x + step
    moves = {Fraction(b) - Fraction(a) for a, b in zip(x.flat, y.flat, strict=True)}
    if len(moves) == 1 and 0 not in moves and box.contains(np.stack([x, y])).all():
        yield ~Injective, Collision(x, y, text)
    else:
        yield ~Injective, Reason(text)


def anchored(on: Space) -> tuple[float, str] | None:
    """Where shifts are ruled out: k with |v - mean v| >= k |v| for all differences v, and why.

    With one entry of v zero, (Σ v_i)² <= (n - 1) Σ v_i², so |v - mean v|² >= |v|² / n.
    """
    if isinstance(on, Simplex):
        return 1.0, "all points have one sum, so no shift is possible"
    low, high = on.bounds()
    if (low == high).any():
        ratio = rounded(1 / sqrt(on.size), up=False)
        return ratio, "one coordinate is fixed, so no shift is possible"
    return None


@final
class LayerNorm(FeatureMap):
    """x ↦ (x - m) / √(v + ε), where m is the mean of the coordinates of x and v their variance.

    A shift of all coordinates is lost, so it is not injective on any set with interior.

    Parameters
    ----------
    eps : float, default 1e-5
        The ε, positive. The Lipschitz constant is 1 / √ε at most.

    References
    ----------
    Ba, Kiros, Hinton (2016), Layer normalization.

    Examples
    --------
    >>> LayerNorm(0.5).fit_transform([[1.0, 2.0]])
    array([[-0.57735027,  0.57735027]])
    """

    eps: float = 1e-5

    _parameter_constraints = {"eps": [Range(Real, 0, None, closed="neither")]}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows_only(self, x.shape)
        scale = scale_of(x, sqrt(self.eps))
        y = x / scale
        y = y - y.mean(dim=1, keepdim=True)
        return y / torch.sqrt((y * y).mean(dim=1, keepdim=True) + (sqrt(self.eps) / scale) ** 2)

    @property
    def keeps_shape(self) -> bool:
        return True

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return [f"layernorm({n})" for n in names]

    def image(self, on: Space) -> Image:
        n = on.size
        # The greatest of n numbers of mean 0 and mean square 1 is √(n - 1).
        top = np.full(n, np.nextafter(sqrt(n - 1), inf) if n > 1 else 0.0)
        if not 1 < n <= WIDEST:
            return Image(Box(-top.reshape(on.shape), top.reshape(on.shape)))
        low, high = (b.ravel() for b in on.bounds())
        low, high = affine_range(low, high, np.eye(n) - 1 / n, np.zeros(n))
        # The matrix is rounded too.
        low, high = widen(low, False), widen(high, True)
        size = np.abs(np.concatenate(on.bounds(), axis=None)).max()
        slack = size * (ULPS * np.finfo(float).eps)
        with np.errstate(over="ignore"):
            low, high = low - slack, high + slack
        ends = []
        for centred in (low, high):
            # x_i - m = c needs a variance of c² / (n - 1) at least.
            with np.errstate(over="ignore", invalid="ignore"):
                value = centred / np.hypot(sqrt(self.eps), centred / sqrt(n - 1))
            ends.append(np.where(np.isfinite(value), value, np.sign(centred) * top))
        low = np.maximum(widen(np.minimum(ends[0], 0.0), False), -top)
        high = np.minimum(widen(np.maximum(ends[1], 0.0), True), top)
        return Image(Box(low.reshape(on.shape), high.reshape(on.shape)))

    def facts(self, on: Space) -> Iterator[Fact]:
        n, root = on.size, sqrt(self.eps)
        why = "ε > 0 keeps the root away from 0"
        yield Continuous, why
        yield Smooth(inf), why
        yield Bounded(float(np.nextafter(sqrt(n), inf))), "|φ(x)|² = d v / (v + ε)"
        text = "a shift of all coordinates changes neither x - m nor v"
        yield from shifted(on, text)
        if not on.compact:
            yield ~Proper, "a bounded map takes all of the space, which is not compact, into a ball"
        low, high = on.bounds()
        apart = max(0.0, float(low.max()) - float(high.min()))
        # Coordinates that are δ apart give |x - m|² >= δ² / 2.
        least = float(np.hypot(root, apart / sqrt(2 * n)))
        # Centring shrinks, and y ↦ y / √(|y|² / d + ε) has a derivative with eigenvalues between 0
        # and 1 / √(|y|² / d + ε).
        steepest = 0.0 if n == 1 else rounded(1 / least, up=True)
        yield Lipschitz(steepest), f"1 / √(v + ε) <= {steepest:.6g}"
        anchor = anchored(on)
        if anchor is not None:
            yield Injective, anchor[1]
            yield Homeomorphism, anchor[1]
            # |x - m| <= |x|, and y ↦ y / √(|y|² / d + ε) shrinks by its derivative along y at most.
            most = float(np.hypot(root, norms(on)[1] / sqrt(n)))
            bottom = rounded((root / most) ** 2 / most * anchor[0], up=False)
            if bottom > 0:
                yield LowerLipschitz(bottom), f"{anchor[1]}, and √(v + ε) <= {most:.6g}"
        box = on.inner_box()
        if box is not None and n > 1 and box.low.max() < box.high.min():
            reached = rounded(1 / root, up=False)
            yield (~Lipschitz)(reached), "the derivative across x where all coordinates agree"

    @classmethod
    def example(cls) -> FeatureMap:
        # With a small ε rounding in single precision is magnified beside constant rows.
        return cls(eps=0.1)


@final
class Softmax(FeatureMap):
    """x ↦ exp(x_i) / Σ exp(x_j), the probabilities with logits x.

    A shift of all coordinates is lost, so it is not injective on any set with interior.

    References
    ----------
    Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.

    Examples
    --------
    >>> Softmax().fit_transform([[0.0, 0.0]])
    array([[0.5, 0.5]])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows_only(self, x.shape)
        return torch.softmax(x, dim=1)

    @property
    def keeps_shape(self) -> bool:
        return True

    @property
    def codomain(self) -> Codomain:
        return Probabilities()

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return [f"softmax({n})" for n in names]

    def _probabilities(self, on: Space) -> tuple[np.ndarray, np.ndarray]:
        """The least and greatest value of each coordinate."""
        n = on.size
        if n > WIDEST:
            return np.zeros(n), np.ones(n)
        low, high = (b.ravel() for b in on.bounds())
        ends = []
        for own, others, far in ((low, high, inf), (high, low, -inf)):
            with np.errstate(over="ignore", invalid="ignore"):
                # Differences are rounded away from 1 / n.
                gaps = np.nextafter(others[None, :] - own[:, None], far)
                weights = np.exp(gaps)
            np.fill_diagonal(weights, 1.0)
            with np.errstate(over="ignore"):
                ends.append(1.0 / weights.sum(axis=1))
        ulps = ULPS + 2 * n if n > 1 else 0
        return np.maximum(widen(ends[0], False, ulps), 0.0), np.minimum(
            widen(ends[1], True, ulps), 1.0
        )

    def image(self, on: Space) -> Image:
        low, high = self._probabilities(on)
        return Image(Box(low.reshape(on.shape), high.reshape(on.shape)))

    def facts(self, on: Space) -> Iterator[Fact]:
        why = "a quotient of smooth functions, and the divisor is positive"
        yield Continuous, why
        yield Smooth(inf), why
        yield Bounded(1.0), "|p| <= Σ p_i = 1"
        yield from shifted(on, "a shift of all coordinates multiplies all exponentials by a number")
        if not on.compact:
            yield ~Proper, "a bounded map takes all of the space, which is not compact, into a ball"
        low, high = self._probabilities(on)
        # The derivative is diag(p) - p pᵀ, symmetric and positive; row i has the sum of absolute
        # values 2 p_i (1 - p_i), and a symmetric matrix has no greater eigenvalue.
        inside = np.clip(0.5, low, high)
        steepest = float(np.minimum(widen(2 * inside * (1 - inside), True), 0.5).max())
        steepest = 0.0 if on.size == 1 else steepest
        yield Lipschitz(steepest), f"2 p (1 - p) <= {steepest:.6g} for every probability p"
        yield from self._anchored(on, float(low.min()))
        box = on.inner_box()
        if box is not None and 1 < on.size <= WIDEST:
            reached = self._steepness(box)
            if reached > 0:
                yield (~Lipschitz)(reached), "the derivative along e_i - e_j at one point"

    def _anchored(self, on: Space, least: float) -> Iterator[Fact]:
        anchor = anchored(on)
        if anchor is None:
            return
        ratio, why = anchor
        yield Injective, f"{why}; x_i - x_k = log p_i - log p_k"
        yield Homeomorphism, f"{why}; x_i - x_k = log p_i - log p_k"
        # ⟨φ(x) - φ(y), v⟩ for v = x - y is the mean along the segment of the variance of v under p,
        # and that is at least min p · Σ (v_i - mean v)².
        bottom = rounded(least * ratio**2, up=False)
        if bottom > 0:
            yield LowerLipschitz(bottom), f"{why}; every probability is at least {least:.6g}"

    @staticmethod
    def _steepness(box: Box) -> float:
        """A value of ⟨v, (diag(p) - p pᵀ) v⟩ for v = (e_i - e_j) / √2, at a point of the box."""
        low, high = box.low.ravel(), box.high.ravel()
        # The two greatest logits, as near to each other as may be, and the others far below.
        i, j = np.argsort(-high, kind="stable")[:2]
        top = min(float(high[j]), max(60.0, float(low.max()) + 60.0))
        first = top if low[i] <= top else float(low[i])
        z = np.clip(np.full(low.shape, top - 60.0), low, high)
        z[i], z[j] = first, top
        weights = np.exp(z - z.max())
        p = weights / weights.sum()
        value = ((p[i] + p[j]) - (p[i] - p[j]) ** 2) / 2
        return float(value) * (1 - 1e-10) if value > 1e-6 else 0.0
