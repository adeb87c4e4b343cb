"""Finite spaces: listed points of R^shape, and categories."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from ..errors import DomainError, ParameterError, show
from ..interval import EPS, root_sum_squares
from .base import Plan, Space
from .rounding import norms, outward

__all__ = ["Categories", "Finite", "Listed"]


class Listed(Space):
    """A space whose points are listed; abstract."""

    members: np.ndarray

    @property
    @abstractmethod
    def _table(self) -> np.ndarray | None:
        """The distances of the members, or None where they are Euclidean."""

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.members.shape[1:]

    @property
    def dimension(self) -> int:
        return 0

    @property
    def is_closed(self) -> bool:
        return True

    @property
    def compact(self) -> bool:
        return True

    @property
    def infinite(self) -> bool:
        return False

    @property
    def interior(self) -> bool:
        return False

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self.members.min(axis=0), self.members.max(axis=0)

    def attains(self) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(self.shape, dtype=bool), np.ones(self.shape, dtype=bool)

    def inner_box(self) -> None:
        return None

    def chords(self) -> None:
        return None

    @cached_property
    def _rows(self) -> np.ndarray:
        return self.members.reshape(len(self.members), self.size)

    @cached_property
    def _known(self) -> dict[bytes, int]:
        """The members' bytes, each with its first place; adding 0 makes -0 and 0 one number."""
        found: dict[bytes, int] = {}
        for place, row in enumerate(self._rows + 0.0):
            found.setdefault(row.tobytes(), place)
        return found

    def _places(self, points: Any) -> np.ndarray:
        array = self.points(points).reshape(len(points), self.size) + 0.0
        return np.array([self._known.get(row.tobytes(), -1) for row in array], dtype=int)

    def contains(self, points: Any) -> np.ndarray:
        return self._places(points) >= 0

    def nearest(self, points: Any) -> np.ndarray:
        array = self.points(points).reshape(len(points), self.size)
        with np.errstate(over="ignore"):
            gaps = [norms(array - row) for row in self._rows]
        return self.members[np.argmin(gaps, axis=0)]

    def _includes(self, other: Space) -> bool:
        # Small finite spaces are compared point by point; this one has no infinite subset.
        few = other.enumerate()
        return few is not None and bool(self.contains(few).all())

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        rng = np.random.default_rng(random_state)
        return self.members[rng.integers(len(self.members), size=n)]

    @property
    def euclidean(self) -> bool:
        return self._table is None

    def distance(self, x: Any, y: Any) -> np.ndarray:
        if self._table is None:
            return super().distance(x, y)
        places = [self._places(points) for points in (x, y)]
        for points, found in zip((x, y), places, strict=True):
            if (found < 0).any():
                row = int(np.flatnonzero(found < 0)[0])
                raise DomainError(
                    f"The distance from row {row} is not known: it is no point of {self!r}.",
                    got=show(np.asarray(points)[row].tolist()),
                    need="points of the space, between which the distances are given",
                    do="space.nearest(points), or a space with the Euclidean distance",
                )
        return self._table[places[0], places[1]]

    @property
    def diameter(self) -> float:
        if self._table is not None:
            return float(self._table.max())
        rows = self._rows
        if len(rows) == 1:
            return 0.0
        with np.errstate(over="ignore"):
            greatest = [norms(rows - row) for row in rows]
        most = max(float(g.max()) for g in greatest)
        # Whatever pairs come near it are measured again, rounded up.
        found = 0.0
        for row, gaps in zip(rows, greatest, strict=True):
            for other in np.unique(rows[gaps >= most * (1 - 8 * EPS * rows.shape[1])], axis=0):
                low, high = outward(row, -other)
                apart = np.maximum(np.abs(low), np.abs(high))
                found = max(found, root_sum_squares(apart.tolist(), up=True))
        return found

    def reach(self, point: Any) -> float:
        low, high = outward(self._rows, -np.asarray(point, dtype=np.float64).ravel())
        far = np.maximum(np.abs(low), np.abs(high))
        row = far[norms(far).argmax()]
        return root_sum_squares(row.tolist(), up=True) * (1 + 8 * EPS * self.size)

    def _net(self, h: float) -> Plan:
        places = sorted(self._known.values())
        return len(places), lambda: self.members[places]


@final
@dataclass(frozen=True, eq=False)
class Finite(Listed):
    """Finitely many points of R^shape, with the Euclidean distance or with given distances.

    Parameters
    ----------
    members : array-like of shape (n, *shape)
        The points; at least one, all finite. Repetitions are allowed and count once.
    distances : array-like of shape (n, n), optional
        The distance of each two members. Checking the triangle inequality takes n³ operations.

    Raises
    ------
    ParameterError
        When the members are not finite numbers, or the distances not those of a metric: symmetric,
        0 between equal members and positive between others, and d(i, k) <= d(i, j) + d(j, k), up
        to rounding.

    Examples
    --------
    >>> Finite([[0.0], [1.0]]).diameter
    1.0
    >>> Finite([[0.0], [1.0]], distances=[[0, 5], [5, 0]]).distance([[0.0]], [[1.0]])
    array([5.])
    """

    members: np.ndarray
    distances: np.ndarray | None = None

    def __post_init__(self) -> None:
        try:
            members = np.array(self.members, dtype=np.float64)
        except (TypeError, ValueError):
            members = np.zeros(0)
        if members.ndim < 2 or not members.size or not np.isfinite(members).all():
            raise ParameterError(
                "The members do not make a finite space.",
                got=show(self.members),
                need="finite numbers of shape (n, *shape) with n >= 1",
                do="Finite([[0.0, 0.0], [1.0, 1.0]])",
            )
        members.setflags(write=False)
        object.__setattr__(self, "members", members)
        if self.distances is not None:
            object.__setattr__(self, "distances", _checked(self.distances, self._rows))

    @property
    def _table(self) -> np.ndarray | None:
        return self.distances

    def __repr__(self) -> str:
        given = "" if self.distances is None else " with given distances"
        return f"Finite({len(self.members)} points of R^{self.size}{given})"


@final
@dataclass(frozen=True, eq=False)
class Categories(Listed):
    """{0, 1, ..., n - 1} in R^1, the codes of n categories; different ones have the distance 1.

    Parameters
    ----------
    values : int or sequence of str
        How many there are, or their names.

    Raises
    ------
    ParameterError
        When there is no category, or a name is repeated.

    Examples
    --------
    >>> colours = Categories(("red", "green", "blue"))
    >>> colours.names[2], colours.distance([[0.0]], [[2.0]])
    ('blue', array([1.]))
    """

    values: int | Sequence[str]

    def __post_init__(self) -> None:
        values = self.values
        whole = isinstance(values, int | np.integer) and not isinstance(values, bool)
        if not whole and isinstance(values, Sequence | np.ndarray) and not isinstance(values, str):
            values = tuple(values)
        listed = isinstance(values, tuple) and all(isinstance(v, str) for v in values)
        if not (whole and values >= 1) and not (listed and values):  # type: ignore[operator]
            raise ParameterError(
                f"{show(self.values)} gives no categories.",
                got=f"values={show(self.values)}",
                need="a positive number of categories, or a list of their names",
                do="Categories(('red', 'green'))",
            )
        if isinstance(values, tuple) and len(set(values)) < len(values):
            twice = next(v for i, v in enumerate(values) if v in values[:i])
            raise ParameterError(
                f"The category {twice!r} is named twice.",
                got=f"values={show(values)}",
                need="different names",
                do="leave the repetition out",
            )
        object.__setattr__(self, "values", values if isinstance(values, tuple) else int(values))  # type: ignore[arg-type]

    @property
    def n(self) -> int:
        """The number of categories."""
        return self.values if isinstance(self.values, int) else len(self.values)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, by code; the codes themselves where none were given."""
        return tuple(map(str, range(self.n))) if isinstance(self.values, int) else self.values  # type: ignore[return-value]

    @cached_property
    def members(self) -> np.ndarray:  # type: ignore[override]
        codes = np.arange(float(self.n))[:, None]
        codes.setflags(write=False)
        return codes

    @cached_property
    def _table(self) -> np.ndarray | None:  # type: ignore[override]
        return 1.0 - np.eye(self.n)

    @property
    def diameter(self) -> float:
        return float(self.n > 1)

    def __repr__(self) -> str:
        return f"Categories({self.values!r})"


def _checked(distances: Any, rows: np.ndarray) -> np.ndarray:
    """The distances as a read-only array, if they are those of a metric on the rows."""
    n = len(rows)
    try:
        table = np.array(distances, dtype=np.float64)
    except (TypeError, ValueError):
        table = np.zeros(0)
    if table.shape != (n, n) or not np.isfinite(table).all():
        raise ParameterError(
            "The distances are not a matrix of finite numbers.",
            got=f"distances={show(distances)}",
            need=f"finite numbers of shape ({n}, {n}), one for each two members",
            do="Finite(members, distances=d) with d[i, j] the distance of members i and j",
        )

    def refuse(what: str, got: str, need: str) -> ParameterError:
        do = "correct these entries, or leave 'distances' out for the Euclidean distance"
        return ParameterError(what, got=got, need=need, do=do)

    if (odd := np.argwhere(table != table.T)).size:
        i, j = map(int, odd[0])
        raise refuse(
            f"The distances of members {i} and {j} depend on their order.",
            f"distances[{i}, {j}]={table[i, j]:g}, distances[{j}, {i}]={table[j, i]:g}",
            "a symmetric matrix",
        )
    same = (rows[:, None] == rows[None]).all(axis=2)
    if (odd := np.argwhere(same & (table != 0))).size:
        i, j = map(int, odd[0])
        raise refuse(
            f"Member {i} and member {j} are the same point and {table[i, j]:g} apart.",
            f"distances[{i}, {j}]={table[i, j]:g}",
            "0 from every point to itself",
        )
    if (odd := np.argwhere(~same & (table <= 0))).size:
        i, j = map(int, odd[0])
        raise refuse(
            f"Members {i} and {j} are different points without a positive distance.",
            f"distances[{i}, {j}]={table[i, j]:g}",
            "a positive distance between different points",
        )
    for j in range(n):
        detour = table[:, j, None] + table[None, j, :]
        if (odd := np.argwhere(table > detour * (1 + 8 * EPS))).size:
            i, k = map(int, odd[0])
            raise refuse(
                f"From member {i} to member {k} the way over member {j} is shorter.",
                f"{table[i, k]:g} > {table[i, j]:g} + {table[j, k]:g}",
                "d(i, k) <= d(i, j) + d(j, k)",
            )
    table.setflags(write=False)
    return table
