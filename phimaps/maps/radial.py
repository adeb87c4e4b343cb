"""Maps of vectors that keep directions and change lengths."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from math import hypot, inf, isinf, sqrt
from typing import final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Real
from sklearn.utils._param_validation import Interval as Range

from ..interval import ULPS, widen
from ..map import Fact, FeatureMap
from ..map.items import rows_only
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
from ..spaces import Ball, Box, Image, Space

__all__ = ["Radial", "RmsNorm", "Squash"]

MOST = float(np.finfo(np.float64).max)


def scale_of(x: torch.Tensor, least: float) -> torch.Tensor:
    """For each row a power of two, not much less than its greatest entry nor than `least`.

    Dividing by it is exact, and keeps squares from over- and underflowing.
    """
    with torch.no_grad():
        least = max(least, 4 * torch.finfo(x.dtype).tiny)
        size = x.abs().amax(dim=1, keepdim=True).clamp(min=least)
        # Half, as the power above the greatest number is infinite.
        return (size / 2) / torch.frexp(size).mantissa


def rounded(value: float, up: bool, ulps: int = ULPS) -> float:
    """A computed number moved to the safe side."""
    return float(widen(np.array(value), up, ulps))


def norms(on: Space) -> tuple[float, float]:
    """Bounds for |x| on the convex hull of the space, rounded outward."""
    if isinstance(on, Ball):
        centre = hypot(*on.center.ravel())
        gap = rounded(rounded(centre, up=False) - on.radius, up=False)
        return min(max(0.0, gap), MOST), rounded(rounded(centre, up=True) + on.radius, up=True)
    low, high = on.bounds()
    near = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    far = np.maximum(np.abs(low), np.abs(high))
    return min(rounded(hypot(*near.ravel()), up=False), MOST), rounded(hypot(*far.ravel()), up=True)


def others(lengths: np.ndarray) -> np.ndarray:
    """For each coordinate the length of the vector of all the others."""
    with np.errstate(over="ignore"):
        before = np.hypot.accumulate(np.concatenate([[0.0], lengths[:-1]]))
        after = np.hypot.accumulate(np.concatenate([[0.0], lengths[:0:-1]]))[::-1]
        return np.hypot(before, after)


class Radial(FeatureMap):
    """x ↦ g(|x|) x / |x|, where g increases, g(r) / r and g'(r) <= g(r) / r decrease; abstract.

    Its derivative is symmetric, with the eigenvalue g'(r) along x and g(r) / r across. So on a
    convex set it stretches by at most the greatest g(r) / r, and, being the gradient of a convex
    function, by at least the least g'(r): ⟨φ(x) - φ(y), x - y⟩ is an integral of the derivative
    along the segment from x to y.
    """

    __slots__ = ()

    @abstractmethod
    def stretch(self, r: float, n: int) -> float:
        """g(r) / r, to a few units in the last place."""

    @abstractmethod
    def slope(self, r: float, n: int) -> float:
        """g'(r), to a few units in the last place."""

    @abstractmethod
    def length(self, r: float, n: int) -> float:
        """g(r), to a few units in the last place."""

    @property
    def order(self) -> float:
        """The k for which the map is C^k at 0 and not C^(k+1)."""
        return inf

    @property
    def keeps_shape(self) -> bool:
        return True

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return [f"{type(self).__name__.lower()}({n})" for n in names]

    def image(self, on: Space) -> Image:
        low, high = (b.ravel() for b in on.bounds())
        near = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
        # What overflows is not infinite, and only the greater of the two may be taken for it.
        near = np.minimum(others(near), MOST)
        far = others(np.maximum(np.abs(low), np.abs(high)))
        # x_i g(r) / r increases with x_i, and shrinks as the other coordinates grow.
        top = [self._entry(h, near[i] if h > 0 else far[i], on.size) for i, h in enumerate(high)]
        base = [self._entry(v, far[i] if v > 0 else near[i], on.size) for i, v in enumerate(low)]
        ulps = ULPS + 2 * on.size
        outer = Box(
            widen(np.reshape(base, on.shape), False, ulps),
            widen(np.reshape(top, on.shape), True, ulps),
        )
        return Image(outer, self._inner(on.inner_box()))

    def _entry(self, value: float, rest: float, n: int) -> float:
        """A coordinate of the image, from that of the point and the length of the others."""
        if isinf(value):
            return self.length(inf, n) * (1 if value > 0 else -1)
        if isinf(rest):
            return 0.0
        r = hypot(value, rest)
        if r < 1:
            return value * self.stretch(r, n)
        # Quarters do not overflow.
        return value / 4 / hypot(value / 4, rest / 4) * self.length(r, n)

    def _inner(self, box: Box | None) -> Box | None:
        """A cube in the image of the greatest centred ball."""
        if box is None:
            return None
        radius = float(min(np.minimum(-box.low, box.high).min(), MOST))
        side = self.length(radius, box.size) / sqrt(box.size) * (1 - 1e-9) if radius > 0 else 0.0
        return Box(np.full(box.shape, -side), np.full(box.shape, side)) if side > 0 else None

    def facts(self, on: Space) -> Iterator[Fact]:
        n = on.size
        near, far = norms(on)
        why = "lengths g(|x|) increase with |x|, and directions are kept"
        yield Continuous, why
        yield Injective, why
        yield Homeomorphism, f"{why}: y ↦ g⁻¹(|y|) y / |y| is continuous"
        yield Smooth(inf if near > 0 else self.order), "a smooth function of x and |x|"
        steepest = self.stretch(near, n) if n > 1 else self.slope(near, n)
        yield Lipschitz(rounded(steepest, up=True)), f"g(r) / r and g'(r) for r >= {near:.6g}"
        flattest = rounded(self.slope(far, n), up=False)
        if flattest > 0:
            yield LowerLipschitz(flattest), f"g'(r) >= {flattest:.6g} for r <= {far:.6g}"
        longest = rounded(self.length(far, n), up=True)
        yield Bounded(longest), f"|φ(x)| = g(|x|) <= {longest:.6g}"
        if not on.compact:
            yield ~Proper, "a bounded map takes all of the space, which is not compact, into a ball"
        yield from self._exhibited(on)

    def _exhibited(self, on: Space) -> Iterator[Fact]:
        box, chords, n = on.inner_box(), on.chords(), on.size
        if chords is not None and self.order < inf:
            low, high, point = chords
            others_zero = (point != 0).sum() == (point != 0)
            if (others_zero & (low < 0) & (high > 0)).any():
                yield (~Smooth)(self.order), "along an axis it is not smoother at 0"
        if box is None:
            return
        ends = np.abs(box.low), np.abs(box.high)
        near = np.where((box.low <= 0) & (box.high >= 0), 0.0, np.minimum(*ends))
        least, most = hypot(*near.ravel()), hypot(*np.maximum(*ends).ravel())
        steepest = self.stretch(least, n) if n > 1 else self.slope(least, n)
        yield (~Lipschitz)(rounded(steepest, up=False)), f"the derivative at |x| = {least:.6g}"
        flattest = rounded(self.slope(most, n), up=True) if most < inf else 0.0
        yield (~LowerLipschitz)(flattest), f"the derivative along x at |x| = {most:.6g}"
        longest = rounded(self.length(most, n), up=False)
        if longest > 0:
            yield (~Bounded)(longest), f"|φ(x)| = g(|x|) comes near {longest:.6g}"


@final
class RmsNorm(Radial):
    """x ↦ x / √(|x|² / d + ε), division by the root of the mean square.

    With ε > 0 it is injective: lengths are squeezed below √d, and none is lost.

    Parameters
    ----------
    eps : float, default 1e-6
        The ε, positive.

    References
    ----------
    Zhang, Sennrich (2019), Root mean square layer normalization.

    Examples
    --------
    >>> RmsNorm(0.5).fit_transform([[1.0, 0.0]])
    array([[1., 0.]])
    """

    eps: float = 1e-6

    _parameter_constraints = {"eps": [Range(Real, 0, None, closed="neither")]}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows_only(self, x.shape)
        scale = scale_of(x, sqrt(self.eps))
        y = x / scale
        square = (y * y).mean(dim=1, keepdim=True) + (sqrt(self.eps) / scale) ** 2
        return y / torch.sqrt(square)

    def _root(self, r: float, n: int) -> float:
        return hypot(r / sqrt(n), sqrt(self.eps))

    def stretch(self, r: float, n: int) -> float:
        return 1 / self._root(r, n)

    def slope(self, r: float, n: int) -> float:
        root = self._root(r, n)
        return (sqrt(self.eps) / root) ** 2 / root

    def length(self, r: float, n: int) -> float:
        return sqrt(n) if isinf(r) else r / self._root(r, n)


@final
class Squash(Radial):
    """x ↦ x / (1 + |x|^p)^(1/p), a homeomorphism of R^d onto the open unit ball.

    Parameters
    ----------
    p : {1, 2}, default 1
        With 2 the map is smooth; with 1 its second derivative does not exist at 0.

    Examples
    --------
    >>> Squash().fit_transform([[3.0, 4.0]])
    array([[0.5       , 0.66666667]])
    """

    p: int = 1

    _parameter_constraints = {"p": [Range(Integral, 1, 2, closed="both")]}

    @property
    def order(self) -> float:
        return 1 if self.p == 1 else inf

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows_only(self, x.shape)
        scale = scale_of(x, 1.0)
        y = x / scale
        if self.p == 1:
            return y / (1 / scale + torch.linalg.vector_norm(y, dim=1, keepdim=True))
        return y / torch.sqrt((1 / scale) ** 2 + (y * y).sum(dim=1, keepdim=True))

    def stretch(self, r: float, n: int) -> float:
        return 1 / (1 + r) if self.p == 1 else 1 / hypot(1.0, r)

    def slope(self, r: float, n: int) -> float:
        return self.stretch(r, n) ** (2 if self.p == 1 else 3)

    def length(self, r: float, n: int) -> float:
        return 1.0 if isinf(r) else r / (1 + r if self.p == 1 else hypot(1.0, r))
