"""Rectified affine maps: where too few units are active something is lost; dead ones do nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..map import Compose, FeatureMap, pipe
from ..maps.affine import Affine as AffineMap
from ..maps.conv import Conv2d
from ..maps.pointwise import Relu
from ..proof import Strength
from ..property import Affine, Injective, Lipschitz
from ..spaces import Box, Space
from ..theorem import Case, Condition, Premise, theorem
from ..witness import Collision, Witness

# Larger matrices are not searched: they would have to be held whole.
LARGEST = 2**22


def _before(case: Case, x: np.ndarray) -> np.ndarray:
    """What reaches the rectifier, flattened, for points of shape (n, *shape)."""
    values = torch.from_numpy(np.ascontiguousarray(x))
    with torch.no_grad():
        for part in case.map.maps[: case.pivot]:
            values = part.forward(values)
    return values.reshape(len(x), -1).numpy()


def _matrix(
    case: Case, middle: np.ndarray, half: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """(W, b) with W u + b what reaches the rectifier from middle + half u, up to rounding.

    In these coordinates W is no larger than the values, however small the box is.
    """
    n = case.on.size
    if n * n > LARGEST or not all(m.closed for m in case.map.maps[: case.pivot]):
        return None
    # Outside the space the steps before need not be affine, nor defined.
    points = np.concatenate([middle[None], middle + np.diag(half)]).reshape(-1, *case.on.shape)
    if n * _before(case, points[:1]).shape[1] > LARGEST:
        return None
    values = _before(case, points)
    if not (np.abs(values) < 1e100).all():
        # Nothing is found where the squares below would overflow.
        return None
    return (values[1:] - values[0]).T, values[0]


# The point, what the units see of a step of u from it, the steps, and which units are active.
Thin = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _thin_point(case: Case) -> Thin | None:
    """What `_thinnest` finds before the pivot, worked out once."""
    key = f"thin {case.pivot}"
    if key not in case.memo:
        case.memo[key] = _thinnest(case)
    return case.memo[key]


def _thinnest(case: Case) -> Thin | None:
    """An inner point with fewer than n active units.

    The search is numerical; what it finds is certified by an enclosure of what reaches the
    rectifier from a small box around the point.
    """
    box = case.on.inner_box()
    if box is None:
        return None
    low = np.maximum(box.low.ravel(), box.centre.ravel() - 100.0)
    high = np.minimum(box.high.ravel(), box.centre.ravel() + 100.0)
    middle, half = low / 2 + high / 2, (high - low) / 2 * 0.98
    found = _matrix(case, middle, half)
    if found is None:
        return None
    weight, bias = found
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, size=(256, len(middle)))
    points = np.concatenate([np.zeros((1, len(middle))), points, np.sign(points)])
    size = np.abs(weight).sum(axis=1)
    noise = 1e-10 * (size + np.abs(bias))

    def active(u: np.ndarray) -> np.ndarray:
        return u @ weight.T + bias >= -noise

    counts = active(points).sum(axis=1)
    best = points[np.argsort(counts)[:8]]
    # Descend on the sum of the active values, asking for a little more than inactivity.
    for k in range(200):
        if (active(best).sum(axis=1) < len(middle)).any():
            break
        lit = (best @ weight.T + bias >= -0.05 * size).astype(float)
        slope = lit @ weight
        length = np.linalg.norm(slope, axis=1, keepdims=True)
        best = np.clip(best - slope / np.where(length > 0, length, 1.0) / np.sqrt(k + 1.0), -1, 1)
    winner = middle + half * best[int(active(best).sum(axis=1).argmin())]
    mask = _possibly_active(case, winner, 1e-9 * half)
    return (winner, weight, half, mask) if mask.sum() < len(middle) else None


def _possibly_active(case: Case, z: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The units that are not shown to be inactive on the whole box of that radius around z."""
    shape = case.on.shape
    space: Space = Box((z - radius).reshape(shape), (z + radius).reshape(shape))
    for part in case.map.maps[: case.pivot]:
        space = part.image(space).outer
    return (space.bounds()[1] >= 0).ravel()


def _pair(case: Case, below: Witness | None) -> Collision | None:
    """Two points apart along a direction that no active unit sees."""
    found, box = _thin_point(case), case.on.inner_box()
    if found is None or box is None:
        return None
    z, weight, half, mask = found
    seen = weight[mask]
    vt = np.linalg.svd(seen, full_matrices=True)[2] if len(seen) else np.eye(len(z))
    idle, direction = weight[~mask] @ vt[-1], half * vt[-1]
    value = _before(case, z.reshape(1, *case.on.shape))[0][~mask]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        units = np.where(idle != 0, np.abs(value) / np.abs(idle), np.inf)
        room = np.minimum(z - box.low.ravel(), box.high.ravel() - z) / np.abs(direction)
    step = 0.9 * float(min(units.min(initial=np.inf), np.nanmin(room), 1e3))
    x, y = z - step * direction, z + step * direction
    if (x == y).all():
        return None
    text = (
        f"only {int(mask.sum())} of the units are active between the points, fewer than the "
        f"{len(z)} coordinates, and none of them sees the direction from one to the other"
    )
    return Collision(x.reshape(case.on.shape), y.reshape(case.on.shape), text, exact=False)


def _rectifies(case: Case) -> Any:
    return case.pivot is not None and isinstance(case.map.maps[case.pivot], Relu)


theorem(
    "relu-not-injective",
    ~Injective,
    Compose,
    Premise("before", Affine),
    Condition(
        "of a rectifier fewer units are active at some inner point than there are coordinates",
        lambda case: _rectifies(case) and _thin_point(case) is not None,
    ),
    statement="where fewer units are active than there are coordinates, a direction is not seen",
    source=(
        "the a < n active rows have a common kernel vector d, and along z + td with small t the "
        "inactive units stay inactive; the spanning criterion of Puthawala et al. 2022"
    ),
    carry=_pair,
    strength=Strength.COMPUTED,
)


# --- units that are never active ---------------------------------------------------------------
def _without_dead(case: Case) -> FeatureMap:
    """The same chain with 0 for the rows of units that are inactive on all of the space."""
    if "alive" in case.memo:
        return case.memo["alive"]
    maps, changed = list(case.map.maps), False
    for at in range(1, len(maps)):
        last, dead = maps[at - 1], None
        if isinstance(maps[at], Relu) and isinstance(last, AffineMap | Conv2d):
            dead = np.asarray(case.parts[at].arrives.outer.bounds()[1] <= 0)
            dead = dead if isinstance(last, AffineMap) else np.asarray(dead.all(axis=(1, 2)))
            weight, bias = np.array(last.array("weight")), np.array(last.array("bias"))
            rows = weight.T if isinstance(last, AffineMap) else weight
        if dead is None or not rows[dead].any():
            continue
        rows[dead], bias[dead], changed = 0.0, 0.0, True
        maps[at - 1] = (
            AffineMap(weight, bias)
            if isinstance(last, AffineMap)
            else Conv2d(weight, bias, last.stride, last.padding, last.padding_mode, last.in_shape)
        )
    # Another map only if something was changed, so that the search ends.
    case.memo["alive"] = pipe(*maps) if changed else case.map
    return case.memo["alive"]


theorem(
    "relu-dead-lipschitz",
    Lipschitz,
    Compose,
    Premise("derived", Lipschitz, _without_dead),
    statement="units that are inactive on all of the space count for nothing",
    source="max(z, 0) = 0 for z <= 0, so their rows may as well be 0",
    bound=lambda case, n: n["derived", "Lipschitz"][0],
)
