"""The Matérn correlation through the modified Bessel function, differentiable to any order."""

from __future__ import annotations

from math import gamma
from typing import Any

import numpy as np
import scipy.special
import torch

__all__ = ["matern"]


def matern(squares: torch.Tensor, nu: float) -> torch.Tensor:
    """2^(1-ν)/Γ(ν) z^ν K_ν(z) where z² = 2ν s, for squared distances s.

    Parameters
    ----------
    squares : Tensor
        s >= 0.
    nu : float
        ν, positive and at most 100.

    Returns
    -------
    Tensor
        Of that shape; its values are 1 at 0. At 0 the slope counts as 0 where it is infinite.
    """
    return _Scaled.apply(2.0 * nu * squares, nu) / _at_zero(nu)  # type: ignore


def _at_zero(order: float) -> float:
    return 2.0 ** (order - 1.0) * gamma(order)


class _Scaled(torch.autograd.Function):
    """t ↦ z^μ K_μ(z) with z = √t, whose derivative is -1/2 of the same function of μ - 1."""

    @staticmethod
    def forward(ctx: Any, t: torch.Tensor, order: float) -> torch.Tensor:
        ctx.save_for_backward(t)
        ctx.order = order
        values = _values(t.detach().double().cpu().numpy(), order)
        return torch.from_numpy(values).to(t)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore
        (t,) = ctx.saved_tensors
        return -0.5 * grad * _Scaled.apply(t, ctx.order - 1.0), None  # type: ignore


def _values(t: np.ndarray, order: float) -> np.ndarray:
    """z^μ K_μ(z); where μ <= 0 and z = 0, where it is infinite, 0."""
    z, size = np.sqrt(t), abs(order)
    with np.errstate(all="ignore"):
        # In logarithms: the factors leave the range of floating-point numbers before the product.
        values = np.exp(order * np.log(z) + np.log(scipy.special.kve(size, z)) - z)
    if order <= 0:
        return np.where(np.isfinite(values), values, 0.0)
    low = ~np.isfinite(values)
    return np.where(low, _ascending(np.where(low, t, 0.0), order), values)


def _ascending(t: np.ndarray, order: float) -> np.ndarray:
    """2^(μ-1) Γ(μ) Σ_k (t/4)^k / (k! (1-μ)_k), near 0 the rest is as small as z^(2μ).

    It is used where K_μ overflows, or at 0: there the terms decrease from the first.
    """
    total, term = np.ones_like(t), np.ones_like(t)
    for k in range(1, int(np.ceil(order))):
        term = term * (t / 4.0) / (k * (k - order))
        total = total + term
    return _at_zero(order) * total
