"""Attacks on injectivity: finding collisions, and testing the witnesses of others."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..property import Property
from ..witness import Collision
from .descent import derivatives
from .evidence import Counterexample, gap_bounds, wobble
from .grain import opaque
from .merging import merged
from .precise import mpmath, traced
from .probe import Probe, project, rows

__all__ = ["collision", "injective", "merged_exactly", "solved_nearby"]


def injective(
    probe: Probe, claim: Property, number: float, witness: Collision | None = None
) -> Counterexample | None:
    """Attack injectivity with a collision; its contrary by testing the witness or by monotony."""
    if claim.holds:
        found = collision(probe)
        if found is None:
            return None
        x, y, why = found
        return Counterexample(repr(claim), f"φ(x) = φ(y): {why}", (x, y))
    if witness is not None:
        return _bad_witness(probe, claim, witness)
    return _monotone(probe, claim)


# --- collisions --------------------------------------------------------------------------------
def collision(probe: Probe) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Two points that φ merges as real numbers, and why that is certain."""
    if "collision" not in probe.memo:
        probe.memo["collision"] = _collision(probe)
    found: tuple[np.ndarray, np.ndarray, str] | None = probe.memo["collision"]
    return found


def _collision(probe: Probe) -> tuple[np.ndarray, np.ndarray, str] | None:
    x, y = _candidates(probe)
    if not len(x):
        return None
    for i in range(len(x)):
        if (why := merged_exactly(probe, x[i], y[i])) is not None:
            return x[i], y[i], why
    for a, b, da, db in _refined(probe, x, y):
        if (why := _zero_nearby(probe, a, b, da, db)) is not None:
            return a, b, why
    return merged(probe) if opaque(probe) else None


def _candidates(probe: Probe) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of least ratio, at every distance."""
    n = int(5 * probe.budget)
    xs, ys = [], []
    for pairs in (probe.flattest, probe.pairs):
        if not len(pairs):
            continue
        scale = np.floor(np.log10(pairs.apart))
        for k in np.unique(scale)[-6:]:
            group = np.flatnonzero(scale == k)
            best = group[np.argsort(pairs.ratio[group], kind="stable")[:n]]
            xs.append(pairs.x[best])
            ys.append(pairs.y[best])
    empty = np.zeros((0, *probe.on.shape))
    return np.concatenate([empty, *xs]), np.concatenate([empty, *ys])


def merged_exactly(probe: Probe, x: np.ndarray, y: np.ndarray) -> str | None:
    """Why φ(x) = φ(y) as real numbers, by computing both to very many digits."""
    values = probe(np.stack([x, y]))
    if not np.isfinite(values).all() or np.abs(values[0] - values[1]).max(initial=0.0) > 1e-12:
        return None
    # Saturation is no collision: with more digits the values part again.
    for digits in (60, 1500):
        fx, size_x = traced(probe.phi, x, digits)
        fy, size_y = traced(probe.phi, y, digits)
        if fx is None or fy is None or max(size_x, size_y) > 2 * digits:
            return None
        with mpmath.workdps(digits):
            if any(a != b for a, b in zip(fx.flat, fy.flat, strict=True)):
                return None
    return "equal to 1500 digits"


def _refined(probe: Probe, x: np.ndarray, y: np.ndarray) -> Any:
    """Gauss-Newton on φ(x) - φ(y) = 0 with the least motion; yields the pairs that got close."""
    shape, size = (-1, *probe.on.shape), probe.on.size
    for _ in range(int(9 * probe.budget)):
        both = derivatives(probe, np.concatenate([x, y]), differences=True)
        if both is None:
            return
        values, derivative = both
        n = len(x)
        gap = values[:n] - values[n:]
        system = np.concatenate([derivative[:n], -derivative[n:]], axis=2)
        good = np.isfinite(gap).all(axis=1) & np.isfinite(system).all(axis=(1, 2))
        good &= np.abs(system).max(axis=(1, 2), initial=0.0) < 1e100
        x, y, gap, system = x[good], y[good], gap[good], system[good]
        if not len(x):
            return
        try:
            with np.errstate(all="ignore"):
                step = (np.linalg.pinv(system, rcond=1e-9) @ gap[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            return
        step = np.where(np.isfinite(step), step, 0.0)
        apart = np.linalg.norm(rows(x - y), axis=1, keepdims=True)
        long = np.linalg.norm(step, axis=1, keepdims=True)
        step *= 0.3 * apart / np.maximum(long, 0.3 * apart)
        x = project(probe.on, x - step[:, :size].reshape(shape))
        y = project(probe.on, y - step[:, size:].reshape(shape))
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    both = derivatives(probe, np.concatenate([x, y]), differences=True)
    if both is None:
        return
    values, derivative = both
    n = len(x)
    gap = np.abs(values[:n] - values[n:]).max(axis=1, initial=0.0)
    size = np.abs(values).max(initial=0.0)
    ok = probe.on.contains(x) & probe.on.contains(y)
    for i in np.argsort(gap)[:6]:
        if ok[i] and gap[i] <= 1e-11 * max(size, 1e-300):
            yield x[i], y[i], derivative[i], derivative[n + i]


def solved_nearby(probe: Probe, x: np.ndarray, y: np.ndarray) -> str | None:
    """Why next to two points with all but equal values there must be two with equal ones."""
    values = probe(np.stack([x, y]))
    gap = float(np.abs(values[0] - values[1]).max(initial=0.0))
    if not gap <= 1e-10 * float(np.abs(values).max(initial=0.0)):
        return None
    both = derivatives(probe, np.stack([x, y]), differences=True)
    return None if both is None else _zero_nearby(probe, x, y, both[1][0], both[1][1])


def _zero_nearby(
    probe: Probe, x: np.ndarray, y: np.ndarray, ax: np.ndarray, ay: np.ndarray
) -> str | None:
    """Whether Newton's method, started here, must end at a collision inside the space."""
    if (why := merged_exactly(probe, x, y)) is not None:
        return why
    system = np.concatenate([ax, -ay], axis=1)
    if not np.isfinite(system).all():
        return None
    if traced(probe.phi, x, 60)[0] is not None:
        return _solved(probe, x, y, system)
    if system.shape[0] > system.shape[1]:
        return None
    gap = float(gap_bounds(probe, x, y)[1])
    least = float(np.linalg.svd(system, compute_uv=False).min(initial=np.inf))
    apart = float(np.linalg.norm((x - y).ravel()))
    if not least > 0 or not gap / least < 1e-9 * apart:
        return None
    reach = max(4 * gap / least, 64 * np.spacing(np.abs(np.concatenate([x, y])).max()))
    room = np.eye(probe.on.size).reshape(-1, *probe.on.shape) * reach * np.sqrt(probe.on.size)
    around = np.concatenate([p + s * room for p in (x, y) for s in (1, -1)])
    if not probe.on.contains(around).all():
        return None
    # Kantorovich: the derivative must hardly change within reach of the zero.
    wide = np.concatenate([p + s * 1e3 * room for p in (x, y) for s in (1, -1)])
    wide = np.ascontiguousarray(project(probe.on, wide))
    both = derivatives(probe, wide, differences=True)
    if both is None:
        return None
    half = len(wide) // 2
    change = max(
        float(np.abs(both[1][:half] - ax).max(initial=0.0)),
        float(np.abs(both[1][half:] - ay).max(initial=0.0)),
    )
    if not change * np.sqrt(system.size) < 0.1 * least:
        return None
    return f"|φ(x) - φ(y)| = {gap:.3g}, and an exact solution lies within {reach:.3g}"


def _solved(probe: Probe, x: np.ndarray, y: np.ndarray, system: np.ndarray) -> str | None:
    """Go on with the same iteration in hundreds of digits: a collision is solved to the last.

    Where one feature still tells the points apart, be it by 1e-40, the gap stops shrinking.
    """
    with np.errstate(all="ignore"):
        inverse = np.linalg.pinv(system, rcond=1e-9)
    if not np.isfinite(inverse).all():
        return None
    far = float(np.linalg.norm((x - y).ravel()))
    size: Any = None
    for digits, steps in ((60, 9), (400, 60)):
        with mpmath.workdps(digits):
            point = np.array([mpmath.mpf(v) for v in (*x.flat, *y.flat)], dtype=object)
            gap = mpmath.inf
            for _ in range(steps):
                a, b = point[: x.size].reshape(x.shape), point[x.size :].reshape(x.shape)
                fa, size_a = traced(probe.phi, a, digits)
                fb, size_b = traced(probe.phi, b, digits)
                if fa is None or fb is None or max(size_a, size_b) > digits:
                    return None
                if size is None:
                    size = max((abs(v) for f in (fa, fb) for v in f.flat), default=mpmath.mpf(0))
                residual = (fa - fb).ravel()
                now = max((abs(r) for r in residual), default=mpmath.mpf(0))
                if now > gap / 2 and now > mpmath.mpf(10) ** (8 - digits):
                    return None
                gap = now
                if gap < mpmath.mpf(10) ** (12 - digits):
                    break
                point = point - inverse.astype(object) @ residual
            ends = np.array([float(v) for v in point]).reshape(2, *x.shape)
            # Values that are all as small as that have not come together.
            if gap > size * mpmath.mpf(10) ** (-digits // 2):
                return None
            if gap > mpmath.mpf(10) ** (14 - digits) or not probe.on.contains(ends).all():
                return None
            # Apart as numbers of many digits: floats may differ when these have come together.
            half = point[: x.size] - point[x.size :]
            apart = mpmath.sqrt(sum(t * t for t in half))
            if apart < 0.5 * far or not _enclosed(probe, point, digits):
                return None
            if not _unbroken(probe, point, x.shape, digits):
                return None
    return f"Newton's method ends nearby with a gap of {mpmath.nstr(gap, 2)}"


def _enclosed(probe: Probe, point: np.ndarray, digits: int) -> bool:
    """Whether two points of many digits lie between the bounds of the space."""
    low, high = (np.tile(b.ravel(), 2) for b in probe.on.bounds())
    slack = mpmath.mpf(10) ** (20 - digits)
    return all(
        a - slack * max(1, abs(a)) <= p <= b + slack * max(1, abs(b))
        for a, p, b in zip(map(mpmath.mpf, low), point, map(mpmath.mpf, high), strict=True)
        if mpmath.isfinite(a) and mpmath.isfinite(b)
    )


def _unbroken(probe: Probe, point: np.ndarray, shape: tuple[int, ...], digits: int) -> bool:
    """Whether φ is no step at either of two points: a limit there need not be a value."""
    size = len(point) // 2
    step, most = mpmath.mpf(10) ** (-digits // 2), mpmath.mpf(10) ** (-digits // 8)
    for end in (point[:size], point[size:]):
        here = traced(probe.phi, end.reshape(shape), digits)[0]
        for i in range(min(size, 6)):
            for sign in (1, -1):
                moved = end.copy()
                moved[i] += sign * step * max(1, abs(moved[i]))
                there = traced(probe.phi, moved.reshape(shape), digits)[0]
                if here is None or there is None:
                    continue
                if max((abs(d) for d in (here - there).ravel()), default=0) > most:
                    return False
    return True


# --- the contrary ------------------------------------------------------------------------------
def _bad_witness(probe: Probe, claim: Property, witness: Collision) -> Counterexample | None:
    x, y = np.asarray(witness.x, dtype=float), np.asarray(witness.y, dtype=float)

    def bad(text: str) -> Counterexample:
        return Counterexample(repr(claim), f"the witness {text}", (x, y))

    if x.shape != probe.on.shape or y.shape != probe.on.shape:
        return bad(f"has points of shape {x.shape}")
    if np.array_equal(x, y):
        return bad("is a single point")
    if not probe.on.contains(np.stack([x, y])).all():
        return bad("leaves the space")
    if not np.isfinite(probe(np.stack([x, y]))).all():
        return None if _overflows(probe, x, y) else bad("has points without values")
    if witness.exact:
        low, _ = gap_bounds(probe, x, y)
        if low > 0 and not _tiny(probe, x, low):
            return bad(f"is said to be exact, and |φ(x) - φ(y)| = {float(low):.3g}")
        return None
    low, _ = gap_bounds(probe, x, y)
    if low > wobble(probe, x) + wobble(probe, y):
        return bad(f"has a gap of {float(low):.3g}, which rounding does not explain")
    return None


def _tiny(probe: Probe, x: np.ndarray, gap: Any) -> bool:
    """Whether a gap is the rounding of 60 digits."""
    value, size = traced(probe.phi, x, 60)
    return value is not None and float(gap) <= max(size, 1e-300) * 1e-50


def _overflows(probe: Probe, x: np.ndarray, y: np.ndarray) -> bool:
    return float(np.abs(np.concatenate([x, y])).max()) > 30


def _far_from_merging(probe: Probe, claim: Property) -> Counterexample | None:
    """In several variables: no search comes anywhere near to merging points."""
    if not len(probe.pairs):
        return None
    most = float(np.quantile(probe.pairs.ratio, 0.9))
    least = min(
        float(pairs.ratio.min(initial=np.inf))
        for pairs in (probe.flattest, probe.search(-1, 12, 21), probe.search(-1, 12, 22))
    )
    if least < 0.2 * most or not most:
        return None
    text = f"|φ(x) - φ(y)| / |x - y| stays above {least:.3g}"
    return Counterexample(repr(claim), text, certain=False)


def _monotone(probe: Probe, claim: Property) -> Counterexample | None:
    """A map of one variable that is strictly monotone wherever we look merges no points."""
    if not probe.on.infinite:
        points = np.unique(rows(probe.points), axis=0)
        values = probe(np.ascontiguousarray(points.reshape(-1, *probe.on.shape)))
        points, values = (v[np.isfinite(values).all(axis=1)] for v in (points, values))
        gaps = np.linalg.norm(values[:, None] - values[None], axis=2) + np.eye(len(values))
        if len(points) < 2 or gaps.min() > 1e-9 * np.abs(values).max(initial=0.0):
            return Counterexample(repr(claim), f"{len(points)} points, no two of which are merged")
        return None
    if not probe.on.compact:
        return None
    if probe.on.size > 1:
        return _far_from_merging(probe, claim)
    grid = np.unique(
        np.concatenate(
            [np.linspace(probe.low.item(), probe.high.item(), 4001)]
            + [line.ravel() for line, _ in probe.lines]
        )
    ).reshape(-1, *probe.on.shape)
    grid = grid[probe.on.contains(grid)]
    values = probe(grid)
    if not np.isfinite(values).all() or len(grid) < 100:
        return None
    steps = np.diff(values, axis=0)
    noise = 16 * np.spacing(np.abs(values).max(axis=0, initial=0.0))
    for k in range(values.shape[1]):
        column = steps[:, k]
        if (column >= -noise[k]).all() or (column <= noise[k]).all():
            apart = np.diff(rows(grid)[:, 0])
            slope = np.abs(column[apart > 1e-7 * probe.width.item()])
            # Every step must be more than rounding, or a flat stretch could hide in it.
            if slope.size and slope.min() > 64 * noise[k]:
                text = f"feature {k} is strictly monotone on {len(grid)} points"
                return Counterexample(repr(claim), text, certain=False)
    return None
