"""What a counterexample is, and how float evidence becomes certain or is dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from ..map import On
from .grain import grain, opaque
from .pairs import thin
from .precise import mpmath, traced
from .probe import Probe, project

__all__ = ["Counterexample"]


@final
@dataclass(frozen=True, eq=False)
class Counterexample:
    """Why a signed claim cannot hold: plain data, printable.

    Parameters
    ----------
    claim : str
        The claim.
    text : str
        What was found, with its numbers.
    points : tuple of ndarray
        The points at which it was found.
    certain : bool
        Whether the numbers hold for real arithmetic. A claim that something exists can only be
        contradicted by not finding it; that is never certain.
    """

    claim: str
    text: str
    points: tuple[np.ndarray, ...] = ()
    certain: bool = True

    def __str__(self) -> str:
        at = "; ".join(np.array2string(p, precision=17, threshold=12) for p in self.points)
        how = "" if self.certain else " (by search alone)"
        return f"{self.claim} is contradicted: {self.text}{how}" + (f" at {at}" if at else "")

    def to_dict(self) -> dict[str, Any]:
        """The counterexample as JSON-serialisable data."""
        return {
            "kind": "counterexample",
            "claim": self.claim,
            "text": self.text,
            "points": [p.tolist() for p in self.points],
            "certain": self.certain,
        }


def wobble(probe: Probe, x: np.ndarray) -> float:
    """A generous bound for the rounding error of the float64 value at a point.

    The same map in float32 errs 2^29 times as much, in its inner steps too, which noise on the
    input alone would not reveal. Of a map without a formula the noise along lines counts as well,
    and where float32 is so far off that its error is no multiple of that of float64, nothing is
    certain; one that refuses float32 is judged by the noise alone.
    """
    rng = np.random.default_rng(0)
    jitter = 1 + rng.uniform(-1, 1, (8, *x.shape)) * np.finfo(np.float64).eps
    near = np.ascontiguousarray(project(probe.on, np.concatenate([x[None], x[None] * jitter])))
    # In float32 points leave a plane, where a restricted map refuses them.
    phi = probe.phi.map if isinstance(probe.phi, On) else probe.phi
    try:
        with torch.no_grad():
            full = phi.forward(torch.from_numpy(near)).flatten(1)
    except Exception:
        return float("inf")
    values = full.numpy()
    spread = np.abs(values - values[0]).max(initial=0.0)
    noise = 8 * spread + 64 * np.spacing(np.abs(values).max(initial=0.0))
    foreign = opaque(probe)
    if foreign:
        noise += grain(probe).noise
    try:
        with torch.no_grad():
            half = phi.forward(torch.from_numpy(near).float()).flatten(1).double()
    except Exception:
        return float(noise) if foreign and np.isfinite(noise) else float("inf")
    if full.numel():
        off = (full - half).abs()
        noise += 64 * float(off.max()) * 2.0**-29
        if foreign and float(off[0].max()) > 0.05 * max(float(full.abs().max()), 1e-30):
            noise = max(noise, float(off[0].max()))
    return float(noise) if np.isfinite(noise) else float("inf")


def gap_bounds(probe: Probe, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
    """Certain bounds for |φ(x) - φ(y)|, equal where the formula is known."""
    fx, _ = traced(probe.phi, x, 60)
    fy, _ = traced(probe.phi, y, 60)
    if fx is not None and fy is not None:
        with mpmath.workdps(60):
            gap = mpmath.sqrt(sum((a - b) ** 2 for a, b in zip(fx.flat, fy.flat, strict=True)))
        return gap, gap
    values = probe(np.stack([x, y]))
    near = float(np.linalg.norm(values[0] - values[1]))
    slack = (wobble(probe, x) + wobble(probe, y)) * np.sqrt(max(values.shape[1], 1))
    return max(0.0, near - slack), near + slack


def ratio_bounds(probe: Probe, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
    """Certain bounds for |φ(x) - φ(y)| / d(x, y)."""
    low, high = gap_bounds(probe, x, y)
    slack = _off_space(probe, x, y)
    if slack:
        low, high = max(float(low) - slack, 0.0), float(high) + slack
    if not probe.on.euclidean:
        # The space computes the distance, in floating point.
        apart = float(probe.on.distance(x[None], y[None])[0])
        off = 1e-9 * apart + 1e-15 + _unsteady(probe.on, x, y)
        return low / (apart + off), high / max(apart - off, 1e-300)
    if mpmath is None:
        apart = float(np.linalg.norm((x - y).ravel()))
        return low / apart * (1 - 1e-14), high / apart * (1 + 1e-14)
    with mpmath.workdps(60):
        squares = (
            (mpmath.mpf(float(a)) - mpmath.mpf(float(b))) ** 2
            for a, b in zip(x.flat, y.flat, strict=True)
        )
        apart = mpmath.sqrt(sum(squares))
        # The last digits are the rounding of this computation.
        return low / apart * (1 - mpmath.mpf("1e-50")), high / apart * (1 + mpmath.mpf("1e-50"))


def _unsteady(on: Any, x: np.ndarray, y: np.ndarray) -> float:
    """What moves by a last digit do to a distance that was given."""
    if not hasattr(on, "plain"):
        return 0.0
    rng = np.random.default_rng(0)
    eps = np.finfo(np.float64).eps
    a, b = (p * (1 + rng.uniform(-2, 2, (16, *p.shape)) * eps) for p in (x, y))
    far = on.distance(np.concatenate([x[None], y[None], a]), np.concatenate([y[None], x[None], b]))
    spread = float(np.abs(far - far[0]).max())
    return 8 * spread if np.isfinite(spread) else float("inf")


def _off_space(probe: Probe, *points: np.ndarray) -> float:
    """What it may change in the values that points are only near their space."""
    if not thin(probe.on) or not len(probe.pairs):
        return 0.0
    slope = float(probe.steepest.ratio.max(initial=0.0)) + float(probe.pairs.ratio.max())
    return 1e-10 * float(np.abs(np.stack(points)).max(initial=0.0)) * slope


def norm_bounds(probe: Probe, x: np.ndarray) -> tuple[Any, Any]:
    """Certain bounds for |φ(x)|."""
    off = _off_space(probe, x)
    fx, _ = traced(probe.phi, x, 60)
    if fx is not None:
        with mpmath.workdps(60):
            norm = mpmath.sqrt(sum(v * v for v in fx.flat))
            tiny = mpmath.mpf("1e-50")
            # Not one of the digits may be lost in vain.
            low, high = norm * (1 - tiny), norm * (1 + tiny)
            return (low - off, high + off) if off else (low, high)
    near = float(np.linalg.norm(probe(x[None])[0]))
    slack = wobble(probe, x) * 8 + off
    return near - slack, near + slack


class _Watch(TorchFunctionMode):
    """Remembers the greatest finite size, and whether an infinity was met on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.greatest, self.infinite = 0.0, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        real = isinstance(out, torch.Tensor) and (out.is_floating_point() or out.is_complex())
        if real and out.numel():
            size = out.detach().abs()
            self.infinite |= bool(torch.isinf(size).any())
            size = size[torch.isfinite(size)]
            self.greatest = max(self.greatest, float(size.max()) if size.numel() else 0.0)
        return out


def undefined_point(probe: Probe) -> tuple[np.ndarray, str] | None:
    """A point of the space at which φ has no value, though nothing overflowed."""
    groups = [(probe.points, probe.values), *probe.lines]
    if probe.refused is not None:
        return probe.refused, "φ is not defined there"
    for points, values in groups:
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        for x in points[bad[:8]]:
            if undefined(probe, x):
                return x, "φ has no finite value there"
    return None


def undefined(probe: Probe, x: np.ndarray) -> bool:
    """Whether it is no overflow that φ has no finite value at a point."""
    with torch.no_grad(), _Watch() as watch:
        probe.phi.forward(torch.from_numpy(x[None]))
    if not watch.infinite and watch.greatest < 1e300:
        return True
    # A pole is surrounded by moderate values, an overflow is not.
    for near in (x * (1 + 1e-9) + 1e-9, x * (1 - 1e-9) - 1e-9):
        moved = probe.inside(near[None])
        if len(moved) and not np.array_equal(moved[0], x):
            with torch.no_grad(), _Watch() as watch:
                probe.phi.forward(torch.from_numpy(moved))
            if not watch.infinite and watch.greatest < 1e200:
                return True
    return False
