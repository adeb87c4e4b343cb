"""What a check is given: a fitted copy to play with, rows that are drawn, and ways to fail."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ..spaces import Space
from .check import Check, CheckFailed
from .frames import Frame
from .strategies import pairs, points, random_pairs, random_points
from .subject import Instance, Subject
from .tolerance import tolerance

__all__ = ["PROFILES", "Profile", "Skipped", "Source", "Trial"]


@final
@dataclass(frozen=True)
class Profile:
    """How hard a check tries.

    Parameters
    ----------
    name : str
    examples : int
        How many examples are drawn for a check.
    budget : float
        Scales the searches of claims; 1 takes some tens of milliseconds for a small map.
    """

    name: str
    examples: int
    budget: float


PROFILES = {
    p.name: p
    for p in (Profile("quick", 10, 0.25), Profile("ci", 50, 1.0), Profile("thorough", 500, 4.0))
}


@final
class Skipped(Exception):
    """A check that cannot be run, with the reason."""


# --- what is drawn -----------------------------------------------------------------------------
class Source(ABC):
    """A kind of thing that checks draw, by chance or by hypothesis; abstract."""

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> Any:
        """Draw one."""

    @abstractmethod
    def strategy(self) -> Any:
        """The hypothesis strategy of such things."""


@final
@dataclass(frozen=True)
class Rows(Source):
    """Rows of a domain, some of them on its edges."""

    domain: Space | Frame
    least: int
    most: int
    dtype: np.dtype

    def sample(self, rng: np.random.Generator) -> Any:
        return self._typed(random_points(self.domain, self.least, self.most, random_state=rng))

    def strategy(self) -> Any:
        return points(self.domain, self.least, self.most).map(self._typed)

    def _typed(self, rows: Any) -> Any:
        return rows.astype(self.dtype) if isinstance(rows, np.ndarray) else rows


@final
@dataclass(frozen=True)
class Pairs(Source):
    """Pairs of points of a domain, near and far."""

    domain: Space | Frame
    n: int
    dtype: np.dtype

    def sample(self, rng: np.random.Generator) -> Any:
        return self._typed(random_pairs(self.domain, self.n, self.n, random_state=rng))

    def strategy(self) -> Any:
        return pairs(self.domain, self.n, self.n).map(self._typed)

    def _typed(self, both: Any) -> Any:
        if not isinstance(both[0], np.ndarray):
            return both
        return tuple(side.astype(self.dtype) for side in both)


@final
@dataclass(frozen=True)
class Whole(Source):
    """A whole number."""

    low: int
    high: int

    def sample(self, rng: np.random.Generator) -> int:
        return int(rng.integers(self.low, self.high + 1))

    def strategy(self) -> Any:
        from hypothesis import strategies

        return strategies.integers(self.low, self.high)


def special(space: Space, rng: np.random.Generator) -> np.ndarray:
    """Points on the edges of a space, and simple ones, where formulas have their poles."""
    low, high = space.bounds()
    low = np.where(np.isinf(low), np.minimum(high, 10.0) - 20.0, low)
    high = np.where(np.isinf(high), np.maximum(low, -10.0) + 20.0, high)
    mixed = np.where(rng.random((3, *space.shape)) < 0.5, low, high)
    steps = [np.clip(np.full(space.shape, k), low, high) for k in (1.0, -1.0, 0.5, -0.5, 2.0, -2.0)]
    wished = np.stack([np.zeros(space.shape), low, high, low / 2 + high / 2, *mixed, *steps])
    found = space.nearest(wished)
    return found[space.contains(found)]


# --- a trial -----------------------------------------------------------------------------------
@final
class Trial:
    """One example of one check on one object.

    Parameters
    ----------
    subject : Subject
    check : Check
    claim : object
        The value of the claim that is tested, or None.
    profile : Profile
    seed : int
        For searches that a check makes by itself.
    draw : callable
        Turns a `Source` into a thing that it describes.
    """

    def __init__(
        self,
        subject: Subject,
        check: Check,
        claim: Any,
        profile: Profile,
        seed: int,
        draw: Callable[[Source], Any],
    ):
        self.subject, self.check, self.claim = subject, check, claim
        self.profile, self.seed = profile, seed
        self._draw = draw
        # What was drawn, in order: by this a failure is replayed.
        self.drawn: list[Any] = []

    # --- the object --------------------------------------------------------------------------
    @property
    def domain(self) -> Any:
        """The space, or frame, of the rows."""
        return self.subject.domain

    @property
    def fit_data(self) -> Any:
        """What `fresh` fits on."""
        return self.subject.fit_data

    def fresh(self) -> Instance:
        """An independent copy of the object, fitted."""
        return self.subject.fresh()

    def unfitted(self) -> Any:
        """An independent copy of the object, not fitted."""
        return self.subject.unfitted()

    def fit(self, estimator: Any, X: Any = None, way: str = "fit") -> Any:
        """What ``fit`` of an unfitted copy returns on rows, by default a copy of `fit_data`.

        It is given a seed, and a target where it needs one.
        """
        return self.subject.fit(estimator, X, way)

    # --- draws -------------------------------------------------------------------------------
    def draw(self, source: Source) -> Any:
        """One thing of a kind, remembered for a replay."""
        value = self._draw(source)
        self.drawn.append(_copied(value))
        return value

    def rows(self, least: int = 1, most: int = 24) -> Any:
        """Rows of the domain: an array of shape (n, *point), or a data frame."""
        return self.draw(Rows(self.domain, least, most, self.subject.dtype))

    def pairs(self, n: int = 8) -> tuple[Any, Any]:
        """n pairs of points of the domain: near and far, on the edges, alike in coordinates."""
        return self.draw(Pairs(self.domain, n, self.subject.dtype))

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high."""
        return self.draw(Whole(low, high))

    def choice(self, options: Sequence[Any]) -> Any:
        """One of the options."""
        return options[self.integer(0, len(options) - 1)]

    # --- judgements --------------------------------------------------------------------------
    def tolerance(self, instance: Instance, X: Any) -> np.ndarray:
        """How much rounding may change the features of these rows, of shape (n, d).

        Features that are computed together, as those of an exponential of a matrix or of a Fourier
        transform, are right up to rounding of the greatest among them.
        """
        dtype = np.dtype(getattr(X, "dtype", None) or self.subject.dtype)
        eps = np.finfo(dtype).eps if dtype.kind == "f" else np.finfo(np.float64).eps
        bound = tolerance(instance.features, X, dtype)
        size = np.abs(instance.features(X)).max(axis=1, keepdims=True, initial=0.0)
        return bound + 4 * eps * np.nan_to_num(size, posinf=0.0)

    def fail(self, what: str, *, got: str = "", need: str = "", do: str = "") -> None:
        """Say that the law does not hold.

        Raises
        ------
        CheckFailed
        """
        raise CheckFailed(what, got=got, need=need, do=do)

    def close(
        self,
        found: np.ndarray,
        expected: np.ndarray,
        tolerance: Any,
        *,
        what: str,
        need: str = "",
        do: str = "",
    ) -> None:
        """Fail unless two arrays of features agree up to the tolerance.

        Raises
        ------
        CheckFailed
            With the row and the feature that differ most.
        """
        if found.shape != expected.shape:
            self.fail(what, got=f"shape {found.shape} beside {expected.shape}", need=need, do=do)
        if not found.size:
            return
        both = np.isnan(found) & np.isnan(expected)
        with np.errstate(invalid="ignore"):
            same = (found == expected) | both
            off = np.where(same, 0.0, np.abs(found.astype(np.float64) - expected))
            excess = off - np.broadcast_to(tolerance, off.shape)
        excess = np.where(np.isnan(excess), np.where(same, -np.inf, np.inf), excess)
        if (excess > 0).any():
            at = np.unravel_index(int(np.argmax(excess)), excess.shape)
            allowed = np.broadcast_to(tolerance, off.shape)[at]
            self.fail(
                what,
                got=f"{_place(at)}{float(found[at])!r} beside {float(expected[at])!r}",
                need=need or f"a difference of at most {allowed:.3g}, which rounding explains",
                do=do,
            )

    def skip(self, reason: str) -> None:
        """Say why the check cannot be run here.

        Raises
        ------
        Skipped
        """
        raise Skipped(reason)


def _place(at: tuple[Any, ...]) -> str:
    return f"row {at[0]}, feature {at[1]}: " if len(at) == 2 else ""


def _copied(value: Any) -> Any:
    """The value as it is now: a check, or the object under test, may alter what it is given."""
    if isinstance(value, tuple):
        return tuple(_copied(v) for v in value)
    return value.copy() if hasattr(value, "copy") else value
