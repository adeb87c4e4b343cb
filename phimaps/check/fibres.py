"""How far apart two points may be that a map merges: from above by boxes, from below by pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ..decide import decide
from ..errors import DomainError, ParameterError
from ..interval import EPS
from ..map.closed import closed_map
from ..maps.foreign import Function, Transformer
from ..maps.network import Network
from ..proof import Verdict
from ..property import Continuous, Injective, Lipschitz
from ..spaces import Box, Space
from ..witness import Collision
from .cells import Bounded, Cells, Values, merged
from .collisions import certified, distant

__all__ = ["Bracket", "Pair", "closed_on", "cover", "exact_pairs", "fibre_diameter", "slope_of"]

CELLS = 2000
# How many pairs are tried to be shown, and how far from the faces of a box they stay.
TRIED, ROOM = 12, 1e-4
# Bounds from boxes that are so many times a box are not for want of boxes.
WIDE = 20.0


@final
@dataclass(frozen=True)
class Bracket:
    """A number between two bounds; ``lower, upper = bracket``.

    Parameters
    ----------
    lower, upper : float
    certified : bool
        Whether both bounds are proved, for the map in real arithmetic.
    because : str
        What the bounds rest on.
    """

    lower: float
    upper: float
    certified: bool
    because: str

    def __iter__(self) -> Any:
        return iter((self.lower, self.upper))

    def __getitem__(self, place: int) -> float:
        return (self.lower, self.upper)[place]

    def __len__(self) -> int:
        return 2

    def __str__(self) -> str:
        word = "proved" if self.certified else "numerical"
        return f"[{self.lower:.6g}, {self.upper:.6g}] ({word}; {self.because})"


def closed_on(phi: Any, on: Any, tool: str) -> Any:
    """The closed map that a tool asks about, with the space checked.

    Raises
    ------
    OperandError, UnboundError, ParameterError, DomainError
    """
    closed = closed_map(
        phi,
        f"{tool} is about a map.",
        "a closed or fitted feature map, or a function of tensors",
        "pm.from_function(f)",
    )
    if not isinstance(on, Space) or not on.compact:
        raise ParameterError(
            f"{tool} is about a map on a compact space.",
            got=f"on={on!r}",
            need="a bounded box, a ball, a sphere, finitely many points, ...",
            do="on=pm.Box(low, high) with finite ends",
        )
    outside = closed.undefined(on)
    if outside is not None:
        raise DomainError(
            f"{closed!r} is not defined on all of {on!r}.",
            got=outside,
            need="a space inside the map's domain",
            do="a smaller space",
        )
    return closed


def fibre_diameter(phi: Any, on: Any, cells: int = CELLS, random_state: int = 0) -> Bracket:
    """sup {d(x, y) : φ(x) = φ(y)}, how far apart φ merges points of a compact K.

    Half of it is the worst error that any functions f∘φ must make on some target g with
    |g(x) - g(y)| <= d(x, y), and universal classes make no greater error. From above, K is cut into
    boxes, and pairs of boxes that may share a value are cut further. From below, pairs are found by
    search and shown to exist: by exact equality, by a theorem, or by a change of signs of
    enclosures. It is 0 for an injective map; the bound from above tends to 0 only as fast as the
    inverse lets it, and not below what rounding merges.

    Parameters
    ----------
    phi : FeatureMap, module or function of tensors
        Closed or fitted.
    on : Space
        K, compact.
    cells : int, default 2000
        How many boxes to use at most.
    random_state : int, default 0
        Seed of the search.

    Returns
    -------
    Bracket
        ``lower, upper = fibre_diameter(...)``. Of a function of which nothing is known the upper
        bound is the diameter of K.

    Raises
    ------
    OperandError, UnboundError, ParameterError, DomainError

    Examples
    --------
    >>> import phimaps as pm
    >>> lower, upper = fibre_diameter(pm.Power(2), on=pm.Box([-1.0], [1.0]))
    >>> 1.99 <= lower <= upper <= 2.001
    True
    """
    closed = closed_on(phi, on, "fibre_diameter")
    injective = decide(closed, Injective, on=on)
    lower, found, sure = 0.0, "no pair was shown to be merged", True
    for pair in exact_pairs(closed, on, random_state, injective):
        if pair.distance > lower:
            lower, found, sure = pair.distance, pair.because, not pair.bitwise
    if not on.euclidean and on.infinite:
        why = f"{found}; the diameter of the space"
        return Bracket(lower, max(lower, on.diameter), sure, why)
    worth = _distances(on)
    bounded, boxes = cover(closed, on, cells, worth, lower)
    greatest, each = merged(boxes, worth(boxes))
    upper = max(lower, min(greatest, _diameter(on)))
    side = float(boxes.sizes[each >= 0.9 * greatest].max())
    because = f"{found}; {len(boxes)} boxes"
    if upper > WIDE * side and upper > 2 * lower:
        because += f"; {_why_wide(injective.holds, upper, side)}"
    elif not np.isfinite(boxes.greatest - boxes.least).all():
        because += "; nothing is known of the map between points"
    return Bracket(lower, upper, bounded.certified and sure, because)


def _distances(on: Space) -> Any:
    """The worth of pairs of boxes: their greatest distance."""
    if on.infinite:
        return lambda boxes: boxes.farthest

    def of(boxes: Cells) -> Any:
        points = boxes.low

        def farthest(block: slice) -> np.ndarray:
            some = points[block]
            pairs = np.broadcast_arrays(some[:, None], points[None])
            flat = [side.reshape(-1, *on.shape) for side in pairs]
            found = on.distance(*flat).reshape(len(some), len(points))
            return found * (1 + 8 * EPS * on.size)

        return farthest

    return of


def _diameter(on: Space) -> float:
    low, high = on.bounds()
    return min(on.diameter, float(np.linalg.norm((high - low).ravel()))) * (1 + 1e-12)


def _why_wide(proved: bool | None, upper: float, side: float) -> str:
    exact = "; by theorem φ is injective, and the value 0" if proved else ""
    return (
        f"conditioning: boxes of diameter {side:.2g} that lie {upper:.3g} apart may share a value, "
        f"as φ varies there by less than its bounds are wide{exact}"
    )


def cover(phi: Any, on: Space, cells: int, worth: Any, lower: float) -> tuple[Bounded, Cells]:
    """Boxes over the space, the smaller the more the pairs that they are in are worth.

    Parameters
    ----------
    worth : callable
        From `Cells` to the function that `merged` takes.
    lower : float
        A worth that some pair is known to have: no box needs to be cut for less.
    """
    members = None if on.infinite else on.enumerate()
    if members is not None:
        bounded = Bounded(phi, np.inf)
        return bounded, Cells.of(bounded, members, members)
    low, high = on.bounds()
    # Of the whole box, as the middle of a small one need not lie in the space.
    bounded = Bounded(phi, slope_of(phi, on))
    boxes = Cells.of(bounded, low[None], high[None])
    while len(boxes) < cells:
        greatest, each = merged(boxes, worth(boxes))
        which = each > max(lower * (1 + 1e-3), 0.6 * greatest)
        which &= boxes.sizes > 1e-9 * float(boxes.sizes.max() + 1e-300)
        which &= ~_hopeless(boxes)
        room = cells - len(boxes)
        if which.sum() > room:
            # The worst first, so that what is left of the room is used.
            keep = np.argsort(-np.where(which, each, -np.inf))[:room]
            which = np.isin(np.arange(len(boxes)), keep)
        if not which.any():
            break
        boxes = boxes.halved(which, bounded)
    return bounded, boxes


def slope_of(phi: Any, on: Space) -> float:
    """A Lipschitz constant on the smallest box around a space; inf where none is known."""
    box = Box(*on.bounds())
    if phi.undefined(box) is not None:
        return np.inf
    value = decide(phi, Lipschitz, on=box).value
    return np.inf if value is None else value[1]


def _hopeless(boxes: Cells) -> np.ndarray:
    """Cells of which nothing is known: cutting them tells no more."""
    width = boxes.greatest - boxes.least
    return ~np.isfinite(width).any(axis=1)


@final
@dataclass(frozen=True, eq=False)
class Pair:
    """Two points near which φ merges two points of K.

    Parameters
    ----------
    x, y : ndarray of shape (*point)
    radius : float
        The merged points differ from x and y by no more than this in each coordinate.
    distance : float
        No more than theirs.
    because : str
    bitwise : bool
        The computed values are equal, and that is all: of φ in real arithmetic it shows nothing.
    """

    x: np.ndarray
    y: np.ndarray
    radius: float
    distance: float
    because: str
    bitwise: bool = False


def exact_pairs(
    phi: Any, on: Space, random_state: int, injective: Verdict | None = None
) -> list[Pair]:
    """Pairs of points of K that φ is shown to merge.

    Parameters
    ----------
    injective : Verdict, optional
        What `decide` says of φ on K, if it has been asked.
    """
    result = []
    known = decide(phi, Injective, on=on) if injective is None else injective
    witness = known.witness if known.holds is False else None
    if isinstance(witness, Collision) and witness.exact:
        x, y = np.asarray(witness.x, float), np.asarray(witness.y, float)
        result.append(Pair(x, y, 0.0, _distance(on, x, y), witness.because))

    members = None if on.infinite else on.enumerate()
    if members is not None:
        return result + _listed(phi, on, members)

    value = Values(phi)
    continuous = decide(phi, Continuous, on=on).holds
    inward = 0.0 if black_box(phi) else ROOM
    for x, y in distant(value, on, random_state, inward)[:TRIED]:
        both = value(np.stack([x, y]))
        if black_box(phi) and np.array_equal(both[0], both[1]):
            because = "the function returns the same numbers, bit by bit"
            result.append(Pair(x, y, 0.0, _distance(on, x, y), because, bitwise=True))
            continue
        shown = certified(phi, value, on, x, y) if continuous else None
        if shown is not None:
            because = "enclosures of φ change signs around a pair, so that some pair is merged"
            result.append(Pair(x, y, *shown, because))
            break
    return result


def _listed(phi: Any, on: Space, members: np.ndarray) -> list[Pair]:
    """The pairs of finitely many points whose values are known exactly, and equal."""
    least, greatest = Bounded(phi, np.inf).on_boxes(members, members)
    result = []
    for i in np.flatnonzero((least == greatest).all(axis=1)):
        for j in np.flatnonzero(
            (least == least[i]).all(axis=1) & (greatest == least[i]).all(axis=1)
        ):
            if i < j:
                because = "two of the points have one value, without rounding"
                far = _distance(on, members[i], members[j])
                result.append(Pair(members[i], members[j], 0.0, far, because))
    return result


def black_box(phi: Any) -> bool:
    """Whether the map is a function as it is computed, of which nothing else is known."""
    return isinstance(phi, Function | Network | Transformer)


def _distance(on: Space, x: np.ndarray, y: np.ndarray) -> float:
    return float(on.distance(x[None], y[None])[0]) * (1 - 1e-14)
