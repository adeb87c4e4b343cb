"""float32: the same branches, no lost values, and errors that its rounding explains."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from ..errors import PhimapsError
from .evidence import Counterexample
from .probe import Probe

__all__ = ["single"]

EPS = float(np.finfo(np.float32).eps)
# Beyond these sizes float32 overflows or loses digits, as it must.
HUGE, TINY = 1e36, 1e-36


class _Shaken(TorchFunctionMode):
    """Perturbs every intermediate result as much as rounding it to float32 would, and more."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = torch.Generator().manual_seed(seed)
        self.greatest = 0.0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not isinstance(out, torch.Tensor) or out.dtype != torch.float64 or not out.numel():
            return out
        finite = out.detach()[torch.isfinite(out.detach())]
        self.greatest = max(self.greatest, float(finite.abs().max()) if finite.numel() else 0.0)
        noise = torch.rand(out.shape, generator=self.random, dtype=out.dtype) * 2 - 1
        return out + (out.abs() * EPS + TINY * 1e-2) * noise


def single(probe: Probe) -> Counterexample | None:
    """Compare φ in float32 with φ in float64 on points that float32 represents."""
    points = probe.points.astype(np.float32)
    ok = np.isfinite(points).reshape(len(points), -1).all(axis=1)
    ok &= probe.on.contains(points.astype(np.float64))
    points = points[ok][:64]
    if not len(points):
        return None
    exact = torch.from_numpy(points.astype(np.float64))
    shaken = []
    try:
        with torch.no_grad():
            true = probe.phi.forward(exact).flatten(1)
            low = probe.phi.forward(torch.from_numpy(points)).flatten(1)
            for seed in range(6):
                with _Shaken(seed) as mode:
                    shaken.append(probe.phi.forward(exact).flatten(1) - true)
                if not mode.greatest < HUGE:
                    return None
    except PhimapsError:
        # On the edge of the domain, inner steps may round out of it.
        return None
    if low.dtype != torch.float32:
        return Counterexample("float32", f"float32 points have values of {low.dtype}")
    spread = torch.stack(shaken).abs().amax(dim=0)
    size = true.abs()
    # Inner sums of n terms err up to n times, which the shaken results do not see.
    terms = 8 * max(4, probe.on.size, true.shape[1])
    # A step that is one operation may lose what it takes from its argument.
    slack = 32 * spread + 4 * EPS * mode.greatest + TINY
    slack = slack + terms * EPS * (size + size.amax(dim=1, keepdim=True))
    off = (low.double() - true).abs()
    lost = ~torch.isfinite(low) & torch.isfinite(true) & torch.isfinite(spread)
    bad = (lost | (off > slack)) & torch.isfinite(true) & torch.isfinite(spread)
    if not bool(bad.any()):
        return None
    i, k = (int(v) for v in bad.nonzero()[0])
    text = f"in float32 feature {k} is {float(low[i, k])!r}, in float64 {float(true[i, k])!r}"
    return Counterexample("float32", text, (points[i].astype(np.float64),))
