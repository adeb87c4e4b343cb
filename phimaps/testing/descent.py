"""Searches that use derivatives: for extreme ratios, and for points with given values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .grain import grain, opaque
from .pairs import Pairs, rows

if TYPE_CHECKING:
    from ..spaces import Space
    from .probe import Probe

__all__ = ["climb", "derivatives", "extreme_ratio", "local", "solve"]

# Maps with more features than this are searched without derivatives of each.
WIDEST = 48


def derivatives(
    probe: Probe, points: np.ndarray, differences: bool = False
) -> tuple[np.ndarray, np.ndarray] | None:
    """The values (n, k) and derivatives (n, k, d) at the points; None where φ has no gradient.

    On request differences stand in for a gradient that a step from outside does not have.
    """
    found = _gradients(probe, points)
    if found is None and differences and probe.on.size <= WIDEST and opaque(probe):
        found = _differences(probe, points)
    return found


def _differences(probe: Probe, points: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    n, d = len(points), probe.on.size
    reach = np.maximum(np.abs(rows(points)).max(axis=1, initial=0.0), 1e-3)
    step = np.cbrt(grain(probe).eps) * np.minimum(reach, probe.width.max())
    moves = (step[:, None, None] * np.eye(d)).reshape(n, d, *probe.on.shape)
    shape = (n * d, *probe.on.shape)
    up = probe.inside_or_self((points[:, None] + moves).reshape(shape), points, d)
    down = probe.inside_or_self((points[:, None] - moves).reshape(shape), points, d)
    apart = np.abs(rows(up - down)).max(axis=1)
    values = probe(np.concatenate([points, up, down]))
    with np.errstate(all="ignore"):
        slope = (values[n : n + n * d] - values[n + n * d :]) / apart[:, None]
    slope = np.where(apart[:, None] > 0, slope, 0.0)
    return values[:n], slope.reshape(n, d, -1).transpose(0, 2, 1)


def _gradients(probe: Probe, points: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    x = torch.from_numpy(points).requires_grad_(True)
    try:
        values = probe.phi.forward(x).flatten(1)
        if values.shape[1] > WIDEST:
            return None
        listed = []
        for k in range(values.shape[1]):
            grad = (
                torch.autograd.grad(values[:, k].sum(), x, retain_graph=True, allow_unused=True)[0]
                if values.requires_grad
                else None
            )
            listed.append(torch.zeros_like(x) if grad is None else grad)
    except Exception:
        # A foreign step may have no gradient, and a point may be refused.
        return None
    derivative = torch.stack(listed, dim=1).flatten(2).numpy()
    return values.detach().numpy(), derivative


# --- extreme ratios ------------------------------------------------------------------------------
Batch = torch.Tensor


def extreme_ratio(
    x: Batch,
    y: Batch,
    value: Callable[[Batch], Batch],
    distance: Callable[[Batch, Batch], Batch],
    sign: int,
    steps: int,
    size: Batch | float,
    back: Callable[[Batch], Batch] = lambda z: z,
) -> tuple[Batch, Batch]:
    """Adam on the logarithm of |φ(x) - φ(y)| / d(x, y) over a batch of pairs.

    Parameters
    ----------
    x, y : Tensor of shape (n, *shape)
        The pairs to start from.
    value : callable
        φ, from (m, *shape) to (m, k).
    distance : callable
        d, from two batches to a vector.
    sign : int
        1 to make the ratio great, -1 to make it small.
    steps : int
    size : Tensor or float
        The length of the first steps.
    back : callable, optional
        Brings moved points back into the space.

    Returns
    -------
    tuple of Tensor
        The pairs that the search ends with.

    Examples
    --------
    >>> a, b = torch.tensor([[1.0]]), torch.tensor([[0.2]])
    >>> def apart(x, y): return (x - y).abs()[:, 0]
    >>> inside = lambda z: z.clamp(-1, 1)
    >>> a, b = extreme_ratio(a, b, lambda z: z**2, apart, -1, 100, 0.1, inside)
    >>> bool((a + b).abs() < 1e-2)
    True
    """
    both = torch.cat([x, y]).detach().clone()
    n = len(x)
    mean, square = torch.zeros_like(both), torch.zeros_like(both)
    for step in range(steps):
        z = both.clone().requires_grad_(True)
        f = value(z)
        gap = (f[:n] - f[n:]).flatten(1).norm(dim=1)
        score = sign * (gap.clamp_min(1e-300).log() - distance(z[:n], z[n:]).log())
        score = torch.where(torch.isfinite(score) & (gap > 0), score, torch.zeros_like(score))
        if not score.requires_grad:
            break
        (gradient,) = torch.autograd.grad(score.sum(), z)
        gradient = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
        # Pairs far apart and near ones see gradients of very different sizes.
        scale = gradient.flatten(1).norm(dim=1).clamp_min(1e-300)
        gradient = gradient / scale.reshape(-1, *[1] * (gradient.ndim - 1))
        mean = 0.85 * mean + 0.15 * gradient
        square = 0.95 * square + 0.05 * gradient**2
        rate = size * 0.003 ** (step / max(steps - 1, 1))
        move = rate * mean / (square.sqrt() + 1e-3)
        both = back(both + move).detach()
    return both[:n], both[n:]


def climb(probe: Probe, sign: int, steps: int, width: int = 24) -> Pairs | None:
    """Pairs of extreme ratio, found by following gradients; None where φ has none."""
    pairs = probe.pairs
    rng = np.random.default_rng((probe.seed, 17))
    far = np.argsort(-pairs.apart)[: max(len(pairs) // 2, 1)]
    chosen = [pairs.best(sign, width)]
    if len(pairs):
        chosen.append(rng.choice(far, min(len(far), width), replace=False))
    start = pairs.take(np.unique(np.concatenate(chosen)))
    if not len(start):
        return None
    reach = rows(np.maximum(np.abs(start.x), np.abs(start.y)))
    step = 0.05 * np.minimum(probe.width.ravel(), np.maximum(2 * reach, 1.0))
    step = torch.from_numpy(np.concatenate([step, step]).reshape(-1, *probe.on.shape))

    def back(z: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(probe.moved(z.numpy()))

    def value(z: torch.Tensor) -> torch.Tensor:
        return probe.phi.forward(z).flatten(1)

    ends = torch.from_numpy(start.x), torch.from_numpy(start.y)
    apart = differentiable_distance(probe.on)
    try:
        x, y = extreme_ratio(*ends, value, apart, sign, steps, step, back)
    except Exception:
        # A foreign step may have no gradient, and a point may be refused.
        if probe.on.size > WIDEST or not opaque(probe):
            return None
        steep = _Numeric.of(lambda z: torch.from_numpy(probe(back(z).numpy())), grain(probe).eps)
        try:
            x, y = extreme_ratio(*ends, steep, apart, sign, steps, step, back)
        except Exception:
            return None
    points = np.ascontiguousarray(np.concatenate([x.numpy(), y.numpy()]))
    ok = probe.on.contains(points)
    ok = ok[: len(x)] & ok[len(x) :]
    a, b = points[: len(x)][ok], points[len(x) :][ok]
    if not len(a):
        return None
    values = probe(np.concatenate([a, b]))
    return Pairs(a, b, values[: len(a)], values[len(a) :], probe.on)


def local(probe: Probe, sign: int, rounds: int = 12, width: int = 24) -> Pairs | None:
    """Short chords along extreme singular directions of the derivative, at evolved points."""
    if probe.on.size > WIDEST or not probe.on.infinite:
        return None
    rng = np.random.default_rng((probe.seed, 23))
    free = np.flatnonzero(probe.width.ravel() > 0)
    x, way, score = probe.points[:0], np.zeros((0, probe.on.size)), np.zeros(0)
    new = probe.points
    for step in range(rounds):
        both = derivatives(probe, np.ascontiguousarray(new), differences=True)
        if both is None:
            return None
        good = np.isfinite(both[1]).all(axis=(1, 2)) & (np.abs(both[1]) < 1e100).all(axis=(1, 2))
        new, jacobian = new[good], both[1][good][:, :, free]
        if len(new):
            _, value, vt = np.linalg.svd(jacobian, full_matrices=True)
            least = value[:, -1] if jacobian.shape[1] >= jacobian.shape[2] else 0.0 * value[:, 0]
            x = np.concatenate([x, new])
            ways = np.zeros((len(new), probe.on.size))
            ways[:, free] = vt[:, 0] if sign > 0 else vt[:, -1]
            way = np.concatenate([way, ways])
            score = np.concatenate([score, value[:, 0] if sign > 0 else -least])
        best = np.argsort(-score, kind="stable")[:width]
        x, way, score = x[best], way[best], score[best]
        if not len(x):
            return None
        spread = np.minimum(probe.width, 10.0) * 0.3 * 0.6**step
        near = [x + rng.standard_normal(x.shape) * spread * s for s in (1, 0.1)]
        near.append(x * 2.0 ** rng.normal(0, 0.9**step, x.shape))
        new = probe.inside(np.concatenate(near))
    shape = (-1, *probe.on.shape)
    size = np.maximum(np.abs(rows(x)).max(axis=1, keepdims=True), 1e-3)
    reach = np.minimum(size, np.minimum(probe.width, 10.0).max())
    ends = [probe.inside_or_self(x + (s * reach * way).reshape(shape), x, 1)
            for h in (1e-3, 1e-5) for s in (h, -h)]  # fmt: skip
    a = np.concatenate([ends[0], ends[2]])
    b = np.concatenate([ends[1], ends[3]])
    return Pairs(a, b, probe(a), probe(b), probe.on)


class _Numeric(torch.autograd.Function):
    """A function of rows with a gradient by central differences."""

    @staticmethod
    def of(function: Callable[[Batch], Batch], eps: float) -> Callable[[Batch], Batch]:
        def value(z: Batch) -> Batch:
            return _Numeric.apply(z, function, eps)  # type: ignore[no-any-return, no-untyped-call]

        return value

    @staticmethod
    def forward(ctx: Any, z: Batch, function: Callable[[Batch], Batch], eps: float) -> Batch:
        ctx.z, ctx.function, ctx.eps = z.detach(), function, eps
        return function(ctx.z)

    @staticmethod
    def backward(ctx: Any, above: Batch) -> tuple[Batch, None, None]:  # type: ignore[override]
        z, size = ctx.z, ctx.z[0].numel()
        step = ctx.eps ** (1 / 3) * z.abs().flatten(1).amax(dim=1).clamp_min(1e-3)
        step = step.reshape(-1, *[1] * (z.ndim - 1))
        listed = []
        for i in range(size):
            way = torch.zeros(size, dtype=z.dtype)
            way[i] = 1
            move = step * way.reshape(z.shape[1:])
            change = ctx.function(z + move) - ctx.function(z - move)
            slope = change / (2 * step.reshape(-1, *[1] * (change.ndim - 1)))
            listed.append((slope * above).reshape(len(z), -1).sum(dim=1))
        return torch.stack(listed, dim=1).reshape(z.shape), None, None


def differentiable_distance(on: Space) -> Callable[[Batch, Batch], Batch]:
    """The distance of a space on tensors, with a gradient: by differences where it is no norm."""
    if on.euclidean:
        return lambda x, y: (x - y).flatten(1).norm(dim=1)
    given = getattr(on, "tensors", None)
    if given is not None:
        return given  # type: ignore[no-any-return]

    def of_both(z: Batch) -> Batch:
        half = z.shape[1] // 2
        x, y = (on.nearest(np.ascontiguousarray(p.numpy())) for p in (z[:, :half], z[:, half:]))
        return torch.from_numpy(on.distance(x, y))

    value = _Numeric.of(of_both, 2.0**-52)
    return lambda x, y: value(torch.cat([x, y], dim=1))


# --- points with given values --------------------------------------------------------------------
def solve(
    probe: Probe, starts: np.ndarray, targets: np.ndarray, steps: int = 24
) -> tuple[np.ndarray, np.ndarray]:
    """Points whose values come near the targets, and how far from them they stay.

    The method of Levenberg and Marquardt on |φ(x) - y|², for a batch of starts (n, *shape) with a
    target (n, k) each, kept inside the space.
    """
    x = np.ascontiguousarray(starts)
    values = probe(x)
    left = _off(values, targets)
    damping = np.full(len(x), 1e-3)
    for _ in range(steps):
        both = derivatives(probe, x)
        if both is None:
            break
        jacobian = np.where(np.isfinite(both[1]) & (np.abs(both[1]) < 1e100), both[1], 0.0)
        with np.errstate(all="ignore"):
            residual = np.nan_to_num(values - targets, nan=0.0, posinf=1e150, neginf=-1e150)
            # Scaled, so that the damping means the same for every map.
            size = np.linalg.norm(jacobian, axis=(1, 2), keepdims=True)
            j = jacobian / np.maximum(size, 1e-300)
            gram = j @ j.transpose(0, 2, 1)
            gram += damping[:, None, None] * np.eye(gram.shape[1])
            try:
                inner = np.linalg.solve(gram, residual[:, :, None])
            except np.linalg.LinAlgError:
                inner = np.linalg.pinv(gram, rcond=1e-9) @ residual[:, :, None]
            move = (j.transpose(0, 2, 1) @ inner)[:, :, 0] / np.maximum(size[:, :, 0], 1e-300)
        move = np.where(np.isfinite(move), move, 0.0).reshape(x.shape)
        new = np.ascontiguousarray(probe.inside_or_self(x - move, x, 1))
        fresh = probe(new)
        if fresh.shape != values.shape:
            break
        now = _off(fresh, targets)
        better = now < left
        column = better.reshape(-1, *[1] * (x.ndim - 1))
        x = np.where(column, new, x)
        values = np.where(better[:, None], fresh, values)
        left = np.where(better, now, left)
        damping = np.clip(np.where(better, damping * 0.1, damping * 8), 1e-14, 1e6)
    return x, left


def _off(values: Any, targets: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        distance = np.linalg.norm(values - targets, axis=1)
    return np.where(np.isfinite(distance), distance, np.inf)
