"""Rectified units: what is kept by those that are active, that come in pairs, or that span."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from math import prod, sqrt
from typing import Any

import numpy as np

from ..interval import EPS, multiply, singular_values
from ..map import Compose, FeatureMap, Scale, pipe
from ..maps.affine import Affine, Diagonal
from ..maps.conv import Conv2d
from ..maps.pointwise import Relu
from ..maps.vector import Flatten, Identity, Select
from ..proof import Strength
from ..property import Injective, Lipschitz, LowerLipschitz
from ..spaces import Space
from ..theorem import Case, Condition, Numbers, Premise, theorem
from .cells import MOST_UNITS, WIDEST, Cells, least_gain

# Up to this many inputs coordinates are chosen one by one, beyond it whole channels.
FEW, MANY = 256, 4096
# Rows with more entries than this are not compared, nor decomposed at single points.
EXACT, DENSE = 2**15, 2**14
HALF = float(np.nextafter(sqrt(0.5), 0))


def _place(case: Case) -> int:
    """Where the last rectifier of the chain stands, not as its first step; -1: nowhere."""
    found = [i for i, m in enumerate(case.map.maps) if isinstance(m, Relu)]
    return found[-1] if found and found[-1] > 0 else -1


def _kept(case: Case, make: Callable[[Case, int], Any], name: str) -> Any:
    """What `make` says of the last rectifier, worked out once; None if there is no rectifier."""
    if name not in case.memo:
        at = _place(case)
        case.memo[name] = make(case, at) if at > 0 else None
    return case.memo[name]


def _tail(case: Case) -> FeatureMap:
    """The steps after the rectifier; the map itself, which proves nothing, if there is none."""
    at = _place(case)
    after = case.map.maps[at + 1 :]
    return case.map if at < 0 else pipe(*after) if after else Identity()


def _tail_space(case: Case) -> Space:
    """An enclosure of what the rectifier gives."""
    at = _place(case)
    return case.on if at < 0 else case.parts[at].map.image(case.parts[at].arrives.outer).outer


def _prefix(case: Case) -> FeatureMap:
    """The steps before the affine one that the rectifier follows; else the map itself."""
    at = _place(case)
    before = case.map.maps[: max(0, at - 1)]
    return case.map if at < 0 else pipe(*before) if before else Identity()


# --- units that are active everywhere ----------------------------------------------------------
def _active(case: Case, at: int) -> FeatureMap | None:
    """The chain up to the rectifier, with only those units that are active on all of the space."""
    low = case.parts[at].arrives.outer.bounds()[0]
    return _choice(case, at, low >= 0) if (low >= 0).any() else None


def _choice(case: Case, at: int, mask: np.ndarray) -> FeatureMap | None:
    """The chain before the rectifier, and of its values the chosen ones."""
    *before, last = case.map.maps[:at]
    if mask.all():
        return pipe(*before, last)
    if isinstance(last, Affine):
        return pipe(*before, Affine(last.array("weight")[:, mask], last.array("bias")[mask]))
    if isinstance(last, Conv2d) and case.on.size > FEW:
        channels = np.asarray(mask.all(axis=(1, 2)))
        return pipe(*before, _channels(last, channels)) if channels.any() else None
    if mask.size > MANY:
        return None
    return pipe(*before, last, Flatten(), Select([int(i) for i in np.flatnonzero(mask)]))


def _channels(conv: Conv2d, mask: np.ndarray) -> Conv2d:
    weight, bias = conv.array("weight")[mask], conv.array("bias")[mask]
    return Conv2d(weight, bias, conv.stride, conv.padding, conv.padding_mode, conv.in_shape)


def _made(make: Callable[[Case, int], Any], name: str) -> Callable[[Case], Any]:
    def derived(case: Case) -> Any:
        found = _kept(case, make, name)
        # A claim that rests on itself proves nothing.
        return case.map if found is None else found

    return derived


for claim in (Injective, LowerLipschitz):
    theorem(
        f"relu-active-{'injective' if claim is Injective else 'lower-lipschitz'}",
        claim,
        Compose,
        Premise("derived", claim, _made(_active, "active")),
        Premise("derived", claim, _tail, _tail_space),
        statement="units that are active on all of the space are not changed by the rectifier",
        source="max(z, 0) = z for z >= 0, so those coordinates of g(x) stand among relu(g(x))",
        bound=None if claim is Injective else lambda case, n: _product(n),
    )


def _product(n: Numbers) -> float:
    return multiply(n["derived", "LowerLipschitz"], up=False)


# --- units in pairs of opposite sign -----------------------------------------------------------
def _rows(case: Case, at: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The rows of the affine step before the rectifier, one for each of its units or channels."""
    last = case.map.maps[at - 1]
    if not isinstance(last, Affine | Conv2d):
        return None
    weight = last.array("weight")
    rows = weight.T if isinstance(last, Affine) else weight.reshape(len(weight), -1)
    return (rows, last.array("bias")) if rows.size <= EXACT else None


def _below(case: Case, at: int) -> dict[int, float] | None:
    """Units that can be read off after the rectifier, with what it leaves of their differences."""
    found = _rows(case, at)
    if found is None:
        return None
    rows, bias = found
    active = case.parts[at].arrives.outer.bounds()[0] >= 0
    chosen = {int(i): 1.0 for i in np.flatnonzero(active.reshape(len(rows), -1).all(axis=1))}
    used, single = set(chosen), len(chosen)
    for i, j, c in _opposite(rows):
        # z_j = -c z_i + d: for d >= 0 one of the two is active wherever.
        if not {i, j} & used and Fraction(float(bias[j])) + c * Fraction(float(bias[i])) >= 0:
            used |= {i, j}
            size = float(min(c, Fraction(10**8)))
            chosen[i] = size / sqrt(1 + size**2) * (1 - 8 * EPS)
    return chosen if len(chosen) > single else None


def _above(case: Case, at: int) -> dict[int, float] | None:
    """Units that move no less than the rectified ones, with weights for that."""
    found = _rows(case, at)
    if found is None:
        return None
    rows, bias = found
    chosen = dict.fromkeys(range(len(rows)), 1.0)
    used = set[int]()
    for i, j, c in _opposite(rows):
        # For d <= 0 only one of the two is active wherever.
        both = {i, j} & used or c > 10**8
        if not both and Fraction(float(bias[j])) + c * Fraction(float(bias[i])) <= 0:
            used |= {i, j}
            del chosen[j]
            near = float(c)
            chosen[i] = max(1.0, near if near >= c else float(np.nextafter(near, np.inf)))
    return chosen if used else None


def _opposite(rows: np.ndarray) -> list[tuple[int, int, Fraction]]:
    """(i, j, c) with w_j = -c w_i and c > 0, exactly."""
    waiting: dict[tuple[Fraction, ...], list[tuple[int, Fraction]]] = {}
    result = []
    for j, row in enumerate(rows):
        lead = next((abs(Fraction(float(v))) for v in row if v), None)
        if lead is None:
            continue
        way = tuple(Fraction(float(v)) / lead for v in row)
        waiting.setdefault(way, []).append((j, lead))
        for i, other in waiting.get(tuple(-v for v in way), ()):
            result += [(i, j, lead / other)]
    return result


def _plain(case: Case, at: int, chosen: dict[int, float]) -> FeatureMap:
    *before, last = case.map.maps[:at]
    mask = np.isin(np.arange(len(last.array("bias"))), list(chosen))
    if isinstance(last, Conv2d):
        return pipe(*before, _channels(last, mask))
    return pipe(*before, Affine(last.array("weight")[:, mask], last.array("bias")[mask]))


def _separated(case: Case, at: int) -> FeatureMap | None:
    """The chain up to the rectifier, with only the units that can be read off after it."""
    chosen = _below(case, at)
    return None if chosen is None else _plain(case, at, chosen)


def _weighed(case: Case, at: int, below: bool) -> FeatureMap | None:
    """The same, every unit times the part of its differences that the rectifier leaves."""
    chosen = (_below if below else _above)(case, at)
    if chosen is None:
        return None
    plain, weights = _plain(case, at, chosen), np.array([chosen[i] for i in sorted(chosen)])
    if isinstance(case.map.maps[at - 1], Conv2d) or len(set(weights)) == 1:
        return Scale(float(weights.min() if below else weights.max()), plain)
    return Diagonal(weights, np.zeros(len(weights))) @ plain


PAIRED_STATEMENT = "of two units of opposite sign one is active, so z is read off both"
PAIRED_SOURCE = (
    "for z' = -c z + d with c > 0, d >= 0 the curve t ↦ (relu(t), relu(-ct + d)) is monotone in "
    "both coordinates, one of which moves: |relu Δ|² >= p² + c²q² with p + q >= |Δt|, hence "
    ">= |Δt|² c² / (1 + c²)"
)
theorem(
    "relu-paired-injective",
    Injective,
    Compose,
    Premise("derived", Injective, _made(_separated, "separated")),
    Premise("derived", Injective, _tail, _tail_space),
    statement=PAIRED_STATEMENT,
    source=PAIRED_SOURCE,
)
theorem(
    "relu-paired-lower-lipschitz",
    LowerLipschitz,
    Compose,
    Premise("derived", LowerLipschitz, _made(partial(_weighed, below=True), "below")),
    Premise("derived", LowerLipschitz, _tail, _tail_space),
    statement=PAIRED_STATEMENT,
    source=PAIRED_SOURCE,
    bound=lambda case, n: _product(n),
)


theorem(
    "relu-paired-lipschitz",
    Lipschitz,
    Compose,
    Premise("derived", Lipschitz, _made(partial(_weighed, below=False), "above")),
    Premise("derived", Lipschitz, _tail, _tail_space),
    statement="of two units of opposite sign only one is active, so they move as one",
    source=(
        "for z' = -c z + d with c > 0, d <= 0 the curve t ↦ (relu(t), relu(-ct + d)) has at every "
        "point the speed 0, 1 or c; the other units move at most as before the rectifier"
    ),
    bound=lambda case, n: multiply(n["derived", "Lipschitz"], up=True),
)


# --- units that span wherever they are active --------------------------------------------------
def _dense(case: Case, at: int, entries: int) -> tuple[np.ndarray, np.ndarray] | None:
    """(W, b) with rows w_j for the affine step before the rectifier, without arithmetic."""
    last, shape = case.map.maps[at - 1], case.parts[at - 1].arrives.outer.shape
    if isinstance(last, Affine):
        weight, bias = last.array("weight").T, last.array("bias")
    elif isinstance(last, Conv2d) and last.small(last.image_shape(shape)):
        if prod(shape) * prod(last.out_shape(shape)) > entries:
            return None
        weight = last.matrix(shape).T
        bias = np.repeat(last.array("bias"), prod(last.out_shape(shape)[1:]))
    else:
        return None
    moderate = np.abs(weight).max() < 1e100 and np.abs(bias).max() < 1e100
    return (weight, bias) if weight.size <= entries and moderate else None


def _gain(case: Case, at: int) -> float | None:
    """A bound for what the active units keep, wherever in the box."""
    found = _dense(case, at, WIDEST * MOST_UNITS)
    if found is None:
        return None
    weight, bias = found
    low, high = (v.ravel() for v in case.parts[at - 1].arrives.outer.bounds())
    free = low < high
    if max(np.abs(low[~free]).max(initial=0.0), np.abs(high[~free]).max(initial=0.0)) > 1e100:
        return None
    # Two points of the box agree where it is flat.
    exact = [
        Fraction(float(b))
        + sum(Fraction(float(row[k])) * Fraction(float(low[k])) for k in np.flatnonzero(~free))
        for row, b in zip(weight, bias, strict=True)
    ]
    return least_gain(Cells(weight[:, free], exact, low[free], high[free]))


SPANNING = Condition(
    "the last rectifier follows an affine map, and in every cell of the box that reaches it the "
    "active rows span",
    lambda case: _kept(case, _gain, "gain") is not None,
)
for claim in (Injective, LowerLipschitz):
    theorem(
        f"relu-spanning-{'injective' if claim is Injective else 'lower-lipschitz'}",
        claim,
        Compose,
        *((SPANNING,) if claim is Injective else ()),
        Premise("derived", claim, _prefix),
        Premise("derived", claim, _tail, _tail_space),
        statement="where the active rows keep m everywhere, m / √2 is kept",
        source=(
            "along a segment of direction d and length 1 the units active down to its start, up to "
            "t, move by |w d| t, those active from t on by |w d| (1 - t). With G(t) and H(t) the "
            "sums of (w d)² over those active at t, G + H >= m², |relu Δ|² = ∫ 2t G + 2(1 - t) H "
            ">= m² ∫ min(2t, 2 - 2t) dt = m² / 2. The rows active at a point contain those of a "
            "cell beside it; they span for every cell: Puthawala et al. 2022"
        ),
        bound=None
        if claim is Injective
        else lambda case, n: multiply(
            [_product(n), _kept(case, _gain, "gain") or 0.0, HALF], False
        ),
        strength=Strength.COMPUTED,
    )


# --- what it does near a point -----------------------------------------------------------------
def _local(case: Case, at: int) -> tuple[float, float] | None:
    """A ratio above the least and one below the greatest, near points that are reached."""
    found, inner = _dense(case, at, DENSE), case.parts[at - 1].arrives.inner
    box = None if inner is None else inner.inner_box()
    if found is None or box is None:
        return None
    weight, bias = found
    cells = Cells(weight, [Fraction(0)], box.low.ravel(), box.high.ravel())
    least, most, seen = np.inf, 0.0, set()
    reach = float(np.abs(bias).max(initial=0.0)) / max(float(np.abs(weight).max()), 1e-100)
    points = cells.points(64 if weight.size <= 2**10 else 12)
    far = np.isinf(cells.low) | np.isinf(cells.high)
    for z in np.clip(np.where(far, points * max(1.0, reach), points), cells.low, cells.high):
        size = np.abs(weight) @ np.abs(z) + np.abs(bias)
        value, error = weight @ z + bias, 4 * (len(z) + 4) * EPS * size + 1e-300
        flat = ~weight.any(axis=1)
        mask = (value > 0) & ~flat
        inside = (z > cells.low).all() and (z < cells.high).all()
        if not inside or not (np.abs(value) > error)[~flat].all() or mask.tobytes() in seen:
            continue
        seen.add(mask.tobytes())
        low, high = singular_values(weight[mask])
        short = mask.sum() < len(z)
        least = 0.0 if short else min(least, float(high[-1]))
        most = max(most, float(low.max(initial=0.0)))
    return (least, most) if seen else None


def _near(case: Case, constants: list[float], which: int, up: bool) -> float:
    """The local ratio times the constants of the other steps; trivial where none is known."""
    found = _kept(case, _local, "local")
    if found is None:
        return np.inf if up else 0.0
    return multiply([found[which], *constants], up)


LOCAL_STATEMENT = "near a point where no unit changes sign the layer is its active rows"
theorem(
    "relu-shrinks",
    ~LowerLipschitz,
    Compose,
    Premise("derived", Lipschitz, _prefix),
    Premise("derived", Lipschitz, _tail, _tail_space),
    statement=LOCAL_STATEMENT,
    source="relu(Wx + b) - relu(Wy + b) = W_A (x - y) for x and y near the point",
    bound=lambda case, n: _near(case, n["derived", "Lipschitz"], 0, up=True),
    strength=Strength.COMPUTED,
)
theorem(
    "relu-stretches",
    ~Lipschitz,
    Compose,
    Premise("derived", LowerLipschitz, _prefix),
    Premise("derived", LowerLipschitz, _tail, _tail_space),
    statement=LOCAL_STATEMENT,
    source="relu(Wx + b) - relu(Wy + b) = W_A (x - y) for x and y near the point",
    bound=lambda case, n: _near(case, n["derived", "LowerLipschitz"], 1, up=False),
    strength=Strength.COMPUTED,
)
