"""Steps and plateaus of maps of which no formula is known, told from rounding by how they end."""

from __future__ import annotations

import numpy as np

from .grain import DOUBLE, grain
from .pairs import rows
from .probe import Probe, project

__all__ = ["Jump", "constant_between", "edges", "fine_jumps", "torn"]

Jump = tuple[np.ndarray, np.ndarray, float]
# Points of a line that is looked at for small steps, and how many lines.
LINE, LINES = 1025, 6
# A step is told from a steep slope by what happens on its sides over so many doublings.
DOUBLINGS = 21
# How often a line is looked at closer up before it is bisected.
ZOOMS = 3


def _sizes(difference: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        size = np.abs(difference).max(axis=-1, initial=0.0)
    return np.where(np.isfinite(size), size, np.inf)


# --- steps ---------------------------------------------------------------------------------------
def torn(probe: Probe, a: np.ndarray, b: np.ndarray) -> bool:
    """Whether φ jumps between neighbouring numbers, by more than rounding and not by steepness.

    Next to a jump the values have limits: they stay, over distances up to a million times that of
    the neighbours. Beside a root, however steep, and beside 1 / log they do not.
    """
    fine = grain(probe)
    gap = float(_sizes(probe(np.stack([a, b]))[0] - probe(np.stack([a, b]))[1]))
    if not np.isfinite(gap) or gap <= max(4 * fine.noise, 64 * fine.spacing(fine.scale)):
        return False
    way = b - a
    steps = 2.0 ** np.arange(DOUBLINGS)
    column = steps.reshape(-1, *[1] * a.ndim)
    for start, sign in ((a, -1), (b, 1)):
        far = start + sign * column * way
        moved = np.ascontiguousarray(project(probe.on, far))
        ok = probe.on.contains(moved) & ~(moved == start).reshape(len(moved), -1).all(axis=1)
        values = probe(moved[ok]) if ok.any() else np.zeros((0, 1))
        # The ends themselves may be points that stand alone, so what lies beyond them counts.
        if len(values) and not (_sizes(values - values[0]) <= 0.1 * gap).all():
            return False
    return True


def fine_jumps(probe: Probe) -> list[Jump]:
    """Small steps, found where higher differences along a line stand out, and bisected.

    A jump of 1e-6 is lost among the differences of values, not among those of fourth order.
    """
    rng = np.random.default_rng((probe.seed, 37))
    points = probe.points[np.isfinite(probe.values).all(axis=1)]
    if len(points) < 2:
        return []
    axes = rng.permutation(probe.on.size)
    count = max(2 * min(len(axes), 4), int(LINES * probe.budget))
    length = int(min(LINE, 1 + 2**20 // probe.on.size))
    part = np.linspace(0.0, 1.0, length)
    found: list[Jump] = []
    for k in range(count):
        start, end = points[rng.integers(len(points), size=2)]
        if k % 2:
            # Parallel to an axis: steps of single coordinates stand across it.
            place = np.unravel_index(int(axes[k // 2 % len(axes)]), probe.on.shape)
            low, high = start.copy(), start.copy()
            middle = float(np.clip(start[place], -1e6, 1e6))
            low[place] = max(float(probe.low[place]), middle - 10.0)
            high[place] = min(float(probe.high[place]), middle + 10.0)
            start, end = low, high
        line = start + part.reshape(-1, *[1] * start.ndim) * (end - start)
        if not probe.on.contains(line).all():
            continue
        values = probe(line)
        if len(values) < 16 or not np.isfinite(values).all():
            continue
        order = _sizes(np.diff(values, n=4, axis=0))
        noise = np.median(order) + 64 * grain(probe).noise
        noise += 64 * grain(probe).spacing(float(np.abs(values).max(initial=0.0)))
        high_ones = np.argsort(-order)[:24]
        taken: list[int] = []
        for i in high_ones[order[high_ones] > 8 * noise]:
            if all(abs(int(i) - j) > 4 for j in taken):
                taken.append(int(i))
        for i in taken[:6]:
            jump = _bisected(probe, line, values, i)
            if jump is not None and torn(probe, jump[0], jump[1]):
                found.append(jump)
        if found:
            break
    return found


def _bisected(probe: Probe, line: np.ndarray, values: np.ndarray, i: int) -> Jump | None:
    """Neighbours between which the values do what the line around them does not explain."""
    for _ in range(ZOOMS):
        # Closer up, what is smooth shrinks by the fourth power and a step stays what it is.
        part = np.linspace(0.0, 1.0, 65).reshape(-1, *[1] * (line.ndim - 1))
        line = np.ascontiguousarray(line[i] + part * (line[i + 4] - line[i]))
        values = probe(line)
        if not np.isfinite(values).all():
            return None
        i = int(_sizes(np.diff(values, n=4, axis=0)).argmax())
    pieces = np.arange(i, i + 4)
    change = np.diff(values[i : i + 5], axis=0)
    # Of four changes, that of the piece with a step differs from the middle of all.
    usual = np.median(change, axis=0)
    k = int(pieces[_sizes(change - usual).argmax()])
    a, b, fa, fb = line[k], line[k + 1], values[k], values[k + 1]
    slope = usual
    for _ in range(120):
        middle = a / 2 + b / 2
        if np.array_equal(middle, a) or np.array_equal(middle, b):
            gap = float(_sizes(fa - fb))
            return (a, b, gap) if np.isfinite(gap) and gap > 0 else None
        fm = probe(middle[None])[0]
        if fm.shape != fa.shape or not np.isfinite(fm).all():
            return None
        slope = slope / 2
        if _sizes(fm - fa - slope) >= _sizes(fb - fm - slope):
            b, fb = middle, fm
        else:
            a, fa = middle, fm
    return None


# --- plateaus ------------------------------------------------------------------------------------
def constant_between(
    probe: Probe, x: np.ndarray, y: np.ndarray, kept: np.ndarray | None = None
) -> bool:
    """Whether the values (of some features) agree bit by bit all the way from x to y."""
    part = np.linspace(0.0, 1.0, 65).reshape(-1, *[1] * x.ndim)
    line = np.ascontiguousarray(project(probe.on, x + part * (y - x)))
    values = probe(line)
    values = values if kept is None else values[:, kept]
    return bool((values == values[0]).all())


def edges(
    probe: Probe, x: np.ndarray, way: np.ndarray, kept: np.ndarray | None = None
) -> list[bool]:
    """How a plateau around x ends, on the two sides of a line: True where that is no rounding.

    A plateau of rounding, such as that of tanh, is left as slowly as it was entered: beyond its
    end, values move by a unit in the last place over a distance that depends on the map, while
    beyond the end of a true plateau they move by as much as their slope says, or jump.

    Parameters
    ----------
    probe : Probe
    x : ndarray
        A point of the plateau.
    way : ndarray
        The direction.
    kept : ndarray of int, optional
        The features that are looked at.

    Returns
    -------
    list of bool
        One for each end that lies in the space.
    """
    fine = grain(probe)
    flat = way / max(float(np.abs(way).max()), 1e-300)
    reach = float(np.minimum(probe.width, 2e9).max())
    ladder = reach * 2.0 ** -np.arange(0.0, 44.0, 0.5)[::-1]
    here = _kept(probe, x[None], kept)[0]
    found = []
    for sign in (1.0, -1.0):
        line = x + sign * ladder.reshape(-1, *[1] * x.ndim) * flat
        inside = probe.on.contains(line)
        outside = np.flatnonzero(~inside)
        line = line[: outside[0]] if len(outside) else line
        if not len(line):
            continue
        values = _kept(probe, line, kept)
        moved = np.flatnonzero((values != here).any(axis=1))
        if not len(moved):
            continue
        first = int(moved[0])
        a = line[first - 1] if first else x
        b = line[first]
        for _ in range(200):
            middle = a / 2 + b / 2
            if np.array_equal(middle, a) or np.array_equal(middle, b):
                break
            if (_kept(probe, middle[None], kept)[0] == here).all():
                a = middle
            else:
                b = middle
        size = float(np.abs(rows(b[None]) * (rows(flat[None]) != 0)).max())
        # So near to the end that an exponential tail would still be where it was.
        step = max(size, reach * np.sqrt(fine.eps) / 16) * np.sqrt(fine.eps) / 16
        found += _left(probe, b, sign * step * flat, here, kept)
    return found


def _left(
    probe: Probe, b: np.ndarray, step: np.ndarray, here: np.ndarray, kept: np.ndarray | None
) -> list[bool]:
    """Whether a plateau with these values is left truly, just beyond its end b: none or one answer.

    By a jump that is too great for a last digit, or by values that go on growing with the distance;
    what differs by a last digit stays where it is.
    """
    fine = grain(probe)
    beyond = b + np.array([1.0, 8.0, 64.0]).reshape(-1, *[1] * b.ndim) * step
    if not probe.on.contains(beyond).all():
        return []
    values = _kept(probe, beyond, kept)
    change = np.abs(values - here)
    unit = np.array([fine.spacing(float(abs(v))) for v in here])
    reach = float(np.minimum(probe.width, 1e9).max())
    digit = fine.eps * max(1.0, fine.scale, reach)
    digit *= 2.0**10 if fine.eps == DOUBLE else 2.0**6
    jumps = (change > digit).all(axis=0)
    grows = (change[1] >= 4 * change[0]) & (change[2] >= 4 * change[1])
    return [bool((jumps | (grows & (change[0] > 64 * unit))).any())]


def _kept(probe: Probe, points: np.ndarray, kept: np.ndarray | None) -> np.ndarray:
    values = probe(np.ascontiguousarray(points))
    return values if kept is None else values[:, kept]
