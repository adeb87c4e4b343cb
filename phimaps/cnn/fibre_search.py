"""Images that a differentiable map hardly tells apart, or that have given features: by search.

The derivative J of the map at an image is used through products with J and its transpose only. What
is found is found numerically; features agree as far as is reported, and nothing is proved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch

from ..drawn import generator
from ..map import FeatureMap

__all__ = ["near_invariant", "preimage"]

STEPS, CORRECTIONS, INNER = 30, 8, 60
# Beside the size of the features: how far they may drift before they are pulled back, and when
# pulling back is given up.
DRIFT, CLOSE = 0.05, 1e-12


@final
class _Slope:
    """φ at an image, and products with its derivative there."""

    def __init__(self, phi: FeatureMap, y: torch.Tensor):
        with torch.enable_grad():
            self.y = y.detach().clone().requires_grad_()
            self.value = phi.forward(self.y[None])[0].reshape(-1)
            self.u = torch.zeros_like(self.value, requires_grad=True)
            (self.back_u,) = torch.autograd.grad(
                self.value, self.y, self.u, create_graph=True, materialize_grads=True
            )

    def back(self, u: torch.Tensor) -> torch.Tensor:
        """Jᵀu."""
        (made,) = torch.autograd.grad(
            self.value, self.y, u, retain_graph=True, materialize_grads=True
        )
        return made

    def along(self, d: torch.Tensor) -> torch.Tensor:
        """Jd, as the derivative of u ↦ (Jᵀu)·d."""
        if not self.back_u.requires_grad:
            return torch.zeros_like(self.value)
        (made,) = torch.autograd.grad(
            self.back_u, self.u, d, retain_graph=True, materialize_grads=True
        )
        return made

    def solve(self, right: torch.Tensor) -> torch.Tensor:
        """The smallest d with Jd near the right hand side, by conjugate gradients."""
        d = torch.zeros_like(self.y)
        left = right.clone()
        s = self.back(left)
        p, size = s.clone(), float((s * s).sum())
        first = size
        for _ in range(INNER):
            if size <= 1e-24 * first or size == 0:
                break
            q = self.along(p)
            curved = float((q * q).sum())
            if curved == 0:
                break
            step = size / curved
            d, left = d + step * p, left - step * q
            s = self.back(left)
            size, before = float((s * s).sum()), size
            p = s + size / before * p
        return d


def _pulled(
    phi: FeatureMap,
    y: torch.Tensor,
    wanted: torch.Tensor,
    clip: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """An image near y whose features are nearer to the wanted ones, by Gauss-Newton steps."""
    scale = float(wanted.abs().max()) or 1.0
    slope = _Slope(phi, y)
    gap = float((slope.value - wanted).detach().abs().max())
    for _ in range(CORRECTIONS):
        if gap <= CLOSE * scale:
            break
        move, reach = slope.solve(wanted - slope.value.detach()), 1.0
        for _ in range(6):
            tried = clip(y + reach * move)
            with torch.no_grad():
                value = phi.forward(tried[None])[0].reshape(-1)
            now = float((value - wanted).abs().max())
            if now < gap:
                break
            reach /= 2
        else:
            break
        y, gap, slope = tried, now, _Slope(phi, tried)
    return y


def near_invariant(
    phi: FeatureMap, x: torch.Tensor, target: torch.Tensor, bounds: tuple[float, float]
) -> tuple[torch.Tensor, float]:
    """An image towards a target whose features are near those of x.

    Steps towards the target within the kernel of J, and steps of Gauss and Newton back to the
    features of x, take turns.

    Parameters
    ----------
    phi : FeatureMap
    x, target : Tensor of shape (channels, height, width), float64
    bounds : pair of float
        Of the pixels.

    Returns
    -------
    y : Tensor
    other : float
        By how much a random change of the same size changes the features.
    """

    def clip(v: torch.Tensor) -> torch.Tensor:
        return v.clamp(*bounds)

    with torch.no_grad():
        wanted = phi.forward(x[None])[0].reshape(-1)
    allowed = DRIFT * (float(wanted.abs().max()) or 1.0)
    y, reach = x.clone(), 0.2
    for _ in range(STEPS):
        slope = _Slope(phi, y)
        way = target - y
        way = way - slope.solve(slope.along(way))
        tried = _pulled(phi, clip(y + reach * way), wanted, clip)
        with torch.no_grad():
            gap = float((phi.forward(tried[None])[0].reshape(-1) - wanted).abs().max())
        if gap <= allowed and float((tried - target).norm()) < float((y - target).norm()):
            y, reach = tried, min(1.0, 1.5 * reach)
        else:
            reach /= 3
        if reach < 1e-4:
            break
    change = torch.from_numpy(generator(0).standard_normal(tuple(x.shape)))
    change = change * ((y - x).norm() / change.norm())
    with torch.no_grad():
        other = float((phi.forward((x + change)[None])[0].reshape(-1) - wanted).abs().max())
    return y, other


def preimage(
    phi: FeatureMap, features: torch.Tensor, start: torch.Tensor, bounds: tuple[float, float]
) -> torch.Tensor:
    """An image whose features are near the given ones, by Gauss-Newton steps from a start.

    Parameters
    ----------
    phi : FeatureMap
    features : Tensor of shape (d,), float64
    start : Tensor of shape (channels, height, width), float64
    bounds : pair of float
    """
    y = start
    for _ in range(4):
        y = _pulled(phi, y, features, lambda v: v.clamp(*bounds))
    return y
