"""A finite set of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from .base import Space
from .boxes import Box

__all__ = ["Finite"]


@final
@dataclass(frozen=True, eq=False)
class Finite(Space):
    """Finitely many points of R^shape.

    Parameters
    ----------
    members : array-like of shape (n, *shape)
        The points; at least one, all finite. Repetitions are allowed and count once.

    Examples
    --------
    >>> Finite([[0.0], [1.0]]).diameter
    1.0
    """

    members: np.ndarray

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

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.members.shape[1:]

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

    def inner_box(self) -> Box | None:
        return None

    def chords(self) -> None:
        return None

    def contains(self, points: Any) -> np.ndarray:
        array = self.points(points).reshape(len(points), -1)
        known = {row.tobytes() for row in self.members.reshape(len(self.members), -1) + 0.0}
        return np.array([row.tobytes() in known for row in array + 0.0], dtype=bool)

    def is_subset(self, other: Space) -> bool:
        return other.shape == self.shape and bool(other.contains(self.members).all())

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        rng = np.random.default_rng(random_state)
        return self.members[rng.integers(len(self.members), size=n)]

    @property
    def diameter(self) -> float:
        rows = self.members.reshape(len(self.members), -1)
        greatest = max(float(np.linalg.norm(rows - row, axis=1).max()) for row in rows)
        return float(np.nextafter(greatest, np.inf)) if len(rows) > 2000 else greatest

    def __repr__(self) -> str:
        return f"Finite({len(self.members)} points of R^{self.size})"
