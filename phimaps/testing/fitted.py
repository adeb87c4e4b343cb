"""Formulas, to any number of digits, of the maps that scikit-learn transformers are fitted to."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..kernels import RBF
from ..maps import (
    bins,
    chi2,
    empirical_kernel,
    functions,
    polynomial,
    power_transform,
    quantile,
    spline,
    unit,
)
from .precise import (
    FORMULAS,
    Precise,
    Undefined,
    Unknown,
    _bounded,
    _each,
    formula,
    mpmath,
)

__all__: list[str] = []

FORMULAS[functions.Expm1] = _each(lambda t: mpmath.expm1(_bounded(t)))
FORMULAS[functions.Arcsinh] = _each(mpmath.asinh)
FORMULAS[functions.Cbrt] = _each(lambda t: mpmath.sign(t) * mpmath.cbrt(abs(t)))


@formula(functions.Log1p)
def _log1p(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    if any(v <= -1 for v in x.flat):
        raise Undefined
    return _each(mpmath.log1p)(evaluate, phi, x)


def _box_cox(t: Any, p: Any) -> Any:
    """(t^p - 1) / p, and log t for p = 0; t^p is near 1 for small p, and then digits are lost."""
    if p in (0, 1):
        return t - 1 if p else mpmath.log(t)
    return mpmath.expm1(_bounded(p * mpmath.log(t))) / p


@formula(power_transform.BoxCox)
def _box_cox_row(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    if any(v <= 0 for v in x):
        raise Undefined
    pairs = zip(x, phi.array("power"), strict=True)
    return np.array([_box_cox(t, mpmath.mpf(float(p))) for t, p in pairs], dtype=object)


@formula(power_transform.YeoJohnson)
def _yeo_johnson(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    out = []
    for t, power in zip(x, phi.array("power"), strict=True):
        p = mpmath.mpf(float(power))
        if t and abs(t) < mpmath.mpf(10) ** (-mpmath.mp.dps / 2):
            raise Unknown("1 + t rounds to 1")
        out.append(_box_cox(1 + t, p) if t >= 0 else -_box_cox(1 - t, 2 - p))
    return np.array(out, dtype=object)


@formula(chi2.AdditiveChi2)
def _additive_chi2(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    step, flat = mpmath.mpf(phi.step), x.ravel()
    if any(v < 0 for v in flat):
        raise Undefined
    rows = [[mpmath.sqrt(step * v) for v in flat]]
    for j in range(1, phi.sample_steps):
        size = 2 * step / mpmath.cosh(mpmath.pi * j * step)
        for wave in (mpmath.cos, mpmath.sin):
            rows.append(
                [mpmath.sqrt(size * v) * wave(j * step * mpmath.log(v)) if v else v for v in flat]
            )
    return np.array([v for row in rows for v in row], dtype=object)


@formula(empirical_kernel.EmpiricalKernelMap)
def _empirical(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    kernel = phi.kernel
    if not isinstance(kernel, RBF):
        raise Unknown(type(kernel).__name__)
    if kernel.length_scale is None:
        rates = [mpmath.mpf(float(kernel.gamma))] * len(x)
    else:
        scales = np.broadcast_to(np.asarray(kernel.length_scale, dtype=np.float64), len(x))
        rates = [1 / (2 * mpmath.mpf(float(v)) ** 2) for v in scales]
    out: list[Any] = []
    for z, row in zip(phi.array("landmarks"), phi.array("factor"), strict=True):
        gaps = [c * (t - mpmath.mpf(float(v))) ** 2 for c, t, v in zip(rates, x, z, strict=True)]
        if sum(gaps) > 300:
            raise Unknown("differences so far below the digits kept look like collisions")
        # Forward substitution: the features y have y Lᵀ = k(x, Z).
        rest = mpmath.exp(-sum(gaps)) - sum(
            mpmath.mpf(float(row[i])) * y for i, y in enumerate(out)
        )
        out.append(rest / mpmath.mpf(float(row[len(out)])))
    return np.array(out, dtype=object)


@formula(polynomial.Polynomial)
def _polynomial(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    monomials = phi.monomials(len(x))
    if len(monomials) > 5_000:
        raise Unknown("many monomials")
    return np.array([mpmath.fprod(x[i] for i in m) for m in monomials], dtype=object)


@formula(unit.UnitNorm)
def _unit_norm(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    size = [abs(v) for v in x.flat]
    norm = {
        "l1": lambda: sum(size),
        "l2": lambda: mpmath.sqrt(sum(v * v for v in size)),
        "max": lambda: max(size),
    }[phi.norm]()
    return x / norm if norm and norm >= mpmath.mpf(float(phi.floor)) else x


@formula(bins.Bins)
def _bins(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    out: list[Any] = []
    for t, edges in zip(x, phi.edges, strict=True):
        below = sum(1 for e in edges if mpmath.mpf(float(e)) <= t)
        out += [int(k == below) for k in range(len(edges) + 1)] if phi.one_hot else [below]
    return np.array([mpmath.mpf(v) for v in out], dtype=object)


@formula(bins.OneHot, bins.Ordinal)
def _coded(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    out: list[Any] = []
    for i, (t, listed) in enumerate(zip(x, phi.categories, strict=True)):
        hits = [mpmath.mpf(float(c)) == t for c in listed]
        if phi.unknown in ("error", None) and not any(hits):
            raise Undefined
        if isinstance(phi, bins.Ordinal):
            out.append(hits.index(True) if any(hits) else phi.unknown)
        else:
            lost = None if phi.dropped is None else phi.dropped[i]
            out += [int(hit) for k, hit in enumerate(hits) if k != lost]
    return np.array([mpmath.mpf(v) for v in out], dtype=object)


@formula(quantile.Quantile)
def _quantile(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    columns = phi.array("quantiles").T
    return np.array(
        [
            _level(t, q.tolist(), phi.output, phi.cuts(i))
            for i, (t, q) in enumerate(zip(x, columns, strict=True))
        ],
        dtype=object,
    )


def _level(t: Any, q: list[float], output: str, cuts: tuple[float, float]) -> Any:
    last = max(len(q) - 1, 1)
    met = [k for k, v in enumerate(q) if v == t]
    if met:
        value = mpmath.mpf(met[0] + met[-1]) / (2 * last)
    elif t < q[0] or t > q[-1]:
        value = mpmath.mpf(0 if t < q[0] else len(q) - 1) / last
    else:
        k, (a, b) = next((k, p) for k, p in enumerate(pairwise(q)) if p[0] < t < p[1])
        value = (k + (t - a) / (mpmath.mpf(b) - a)) / last
    low, high = (q[0], q[-1]) if output == "uniform" else cuts
    if (t >= high) if output == "uniform" else (t > high):
        value = mpmath.mpf(1) if output == "normal" or t == high else value
    if (t <= low) if output == "uniform" else (t < low):
        value = mpmath.mpf(0)
    if output == "uniform":
        return value
    cut = mpmath.mpf(quantile.LEVEL)
    if value <= cut:
        return mpmath.mpf(quantile.LEAST)
    if value >= 1 - cut:
        return mpmath.mpf(quantile.MOST)
    return mpmath.sqrt(2) * mpmath.erfinv(2 * value - 1)


@formula(spline.Spline)
def _spline(evaluate: Precise, phi: Any, x: np.ndarray) -> np.ndarray:
    out: list[Any] = []
    for i, t in enumerate(x):
        knots = [mpmath.mpf(float(v)) for v in phi.column(i)]
        out += _splines(t, knots, int(phi.degree), phi.extrapolation)[: phi.count]
    return np.array(out, dtype=object)


def _splines(t: Any, knots: list[Any], p: int, beyond: str) -> list[Any]:
    """The recursion of Cox and de Boor over all splines, on the piece that holds t."""
    a, b = knots[p], knots[-p - 1]
    n = len(knots) - p - 1
    least = min(v - u for u, v in pairwise(knots))
    if max(abs(v) for v in (*knots, t)) > least * mpmath.mpf(10) ** (mpmath.mp.dps / 4):
        raise Unknown("knots too near to each other for so many digits")
    outside = not a <= t <= b
    if outside and (beyond == "error" or (beyond == "constant" and not p and t > b)):
        raise Undefined
    if outside and beyond == "constant" and not p:
        return [mpmath.mpf(0)] * n
    at = min(max(t, a), b) if beyond in ("constant", "linear") else t
    if beyond == "periodic":
        at = t - (b - a) * mpmath.floor((t - a) / (b - a))
    piece = max(j for j in range(p, n) if knots[j] <= at or j == p)
    table = [mpmath.mpf(int(j == piece)) for j in range(n + p)]
    slopes = [mpmath.mpf(0)] * n

    def share(k: int, j: int) -> Any:
        return table[j] / (knots[j + k] - knots[j]) if table[j] else mpmath.mpf(0)

    for k in range(1, p + 1):
        count = n + p - k
        if k == p:
            slopes = [p * (share(k, j) - share(k, j + 1)) for j in range(count)]
        table = [
            (at - knots[j]) * share(k, j) + (knots[j + k + 1] - at) * share(k, j + 1)
            for j in range(count)
        ]
    values = table[:n]
    if beyond == "linear":
        values = [v + (t - at) * s for v, s in zip(values, slopes, strict=True)]
    if beyond == "periodic":
        kept = n - p
        values = [sum(values[j] for j in range(k, n, kept)) for k in range(kept)]
    return values
