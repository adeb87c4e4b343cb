"""How fast errors fall behind a map whose inverse is not smooth: slopes -1/p for sgn(x)|x|^p.

Behind φ a model must learn g∘φ⁻¹, whose modulus of continuity is that of g at that of φ⁻¹. For
continuous piecewise linear functions with N even pieces in feature space, φ(x) = sgn(x)|x|^p and
g = |x|, the least error is of the size of (1/N)^(1/p). It is measured as the exact best one on
points that are even in each piece, by linear program, at odd N, where 0 is in the middle of a
piece; its slope is that of a line through the errors in a log-log plot. With pieces between
quantiles of φ the slope is that of p = 1 again: what is lost depends on φ and on the class.

    python benchmarks/rates.py

Exits with 1 where a slope is off by more than 5 %.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from measure import table

import phimaps as pm

POWERS = (1, 2, 3, 5)
PIECES = (7, 15, 31, 63, 127)
# Points in each piece, its ends and its middle among them.
WITHIN = 9
ALLOWED = 0.05


@dataclass(frozen=True)
class Rate:
    """The errors behind a power for growing numbers of pieces, and the slope that they should have.

    Parameters
    ----------
    p : int
    knots : {"even", "quantile"}
    errors : tuple of float
        One for each of `PIECES`.
    """

    p: int
    knots: str
    errors: tuple[float, ...]

    @property
    def slope(self) -> float:
        """Of the line of least squares through (log N, log error)."""
        return float(np.polyfit(np.log(PIECES), np.log(self.errors), 1)[0])

    @property
    def theory(self) -> float:
        return -1 / self.p if self.knots == "even" else -1.0

    @property
    def right(self) -> bool:
        return abs(self.slope / self.theory - 1) <= ALLOWED


def rate(p: int, knots: str) -> Rate:
    """Best errors behind sgn(x)|x|^p."""
    return Rate(p, knots, tuple(error(p, knots, n) for n in PIECES))


def error(p: int, knots: str, pieces: int) -> float:
    """The least of max ||x| - f(φ(x))| over continuous f that are linear on each piece."""
    phi = pm.Power(p) if p % 2 else pm.from_function(lambda x: x * abs(x) ** (p - 1))
    edges = np.linspace(-1, 1, pieces + 1)
    if knots == "quantile":
        edges = phi(edges[:, None]).ravel()
    ends = pairwise(edges)
    values = np.unique(np.concatenate([np.linspace(a, b, WITHIN) for a, b in ends]))
    # The middle is 0 but for rounding, of which a root would make much more.
    values = np.append(values[np.abs(values) > 1e-12], 0.0)
    points = np.sign(values) * np.abs(values) ** (1 / p)
    splines = pm.from_function(lambda z: hats(z, edges)) @ phi
    return pm.check.chebyshev(splines(points[:, None]), np.abs(points)).error


def hats(z: torch.Tensor, edges: np.ndarray) -> torch.Tensor:
    """The piecewise linear functions that are 1 at one knot and 0 at the others."""
    knots = torch.as_tensor(edges, dtype=z.dtype)
    place = torch.searchsorted(knots, z.ravel().contiguous()).clamp(1, len(knots) - 1)
    left, right = knots[place - 1], knots[place]
    part = ((z.ravel() - left) / (right - left))[:, None]
    unit = torch.eye(len(knots), dtype=z.dtype)
    return (1 - part) * unit[place - 1] + part * unit[place]


def main() -> int:
    rates = [rate(p, knots) for knots in ("even", "quantile") for p in POWERS]
    rows = [
        [
            f"sgn(x) abs(x)^{r.p}",
            r.knots,
            *(f"{e:.4f}" for e in r.errors),
            f"{r.slope:.3f}",
            f"{r.theory:.3f}",
        ]
        for r in rates
    ]
    print(table(["φ", "knots", *(f"N = {n}" for n in PIECES), "slope", "theory"], rows))
    wrong = [r for r in rates if not r.right]
    for r in wrong:
        print(f"p = {r.p}, {r.knots} knots: {r.slope:.3f} is not within 5 % of {r.theory:.3f}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
