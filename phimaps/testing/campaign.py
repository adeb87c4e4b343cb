"""Every claim that `decide` makes about random expressions, attacked."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from ..decide import decide
from ..errors import ContradictionError
from ..map import FeatureMap
from ..maps.affine import Affine as AffineMap
from ..property import (
    SENSES,
    Affine,
    ApproximatelyUAPInvariant,
    Bounded,
    Continuous,
    DenseImage,
    Homeomorphism,
    Injective,
    Invariant,
    Lipschitz,
    LowerLipschitz,
    PositivelyHomogeneous,
    Proper,
    Property,
    Smooth,
    Surjective,
    UAPInvariant,
)
from ..search import Search
from ..spaces import Space
from ..theorem import TABLE
from .density import subject
from .expressions import expressions
from .falsify import claims, falsify
from .probe import Probe
from .single import single

__all__ = ["Tally", "attack", "campaign", "motions", "questions"]

QUESTIONS: tuple[Property, ...] = (
    Continuous,
    Injective,
    Affine,
    Lipschitz,
    LowerLipschitz,
    Bounded,
    Smooth,
    Homeomorphism,
    Proper,
    Surjective,
    DenseImage,
    UAPInvariant,
    ApproximatelyUAPInvariant,
    PositivelyHomogeneous(1),
    PositivelyHomogeneous(2),
)
# The search on most expressions, on one in DEEP, and before anything is reported as broken that
# rests on not having found something.
QUICK, FULL, LAST, DEEP = 0.35, 1.0, 3.0, 6


@final
@dataclass
class Tally:
    """What an attack on random expressions came to; tallies add up.

    Parameters
    ----------
    counts : Counter
        Expressions, claims attacked, and how often each property was proved, refuted or left open.
    broken, doubtful, failed : list of str
        A line for each claim that certainly fails somewhere, for each that a deep search did not
        confirm, and for each expression on which the library or an attack raised an exception.
    """

    counts: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __iadd__(self, other: Tally) -> Tally:
        self.counts += other.counts
        self.broken += other.broken
        self.doubtful += other.doubtful
        self.failed += other.failed
        return self


def motions(rng: np.random.Generator, d: int) -> FeatureMap:
    """A random signed permutation of d coordinates; floating point applies it exactly.

    Parameters
    ----------
    rng : numpy.random.Generator
    d : int

    Returns
    -------
    FeatureMap
    """
    matrix = np.eye(d)[rng.permutation(d)] * rng.choice([1.0, -1.0], d)
    if rng.random() < 0.3:
        matrix = np.eye(d) * rng.choice([1.0, -1.0])
    return AffineMap(matrix)


def questions(phi: Any, on: Space, rng: np.random.Generator) -> list[Property]:
    """What is asked about a map, or a pulled-back class, on a space.

    Parameters
    ----------
    phi : FeatureMap or Pullback
    on : Space
    rng : numpy.random.Generator
        Draws the motion.

    Returns
    -------
    list of Property
    """
    if subject(phi)[1] is not None:
        return list(SENSES)
    asked = list(QUESTIONS)
    if len(on.shape) == 1:
        asked.append(Invariant(motions(rng, on.size)))
    return asked


def attack(
    phi: Any, on: Space, counts: Counter[str], budget: float = FULL, random_state: int = 0
) -> tuple[list[str], list[str]]:
    """Ask every question, attack every answer.

    A claim is broken by points at which it certainly fails. That a search does not find what a
    claim says to exist, such as a jump, casts doubt on the search as well.

    Parameters
    ----------
    phi : FeatureMap or Pullback
    on : Space
    counts : Counter
        Is told how often each property was proved, refuted and left open.
    budget : float, default 1
        See `phimaps.testing.falsify`.
    random_state : int, default 0

    Returns
    -------
    broken, doubtful : list of str
        A line for each claim that broke, and for each that a deep search did not confirm.

    Examples
    --------
    >>> import phimaps as pm
    >>> counts = Counter()
    >>> attack(pm.Tanh(), pm.Box([-1.0], [1.0]), counts)
    ([], [])
    >>> counts["Injective proved"]
    1
    """
    broken: list[str] = []
    doubtful: list[str] = []
    inner, _ = subject(phi)
    search = Search(TABLE)
    probe = Probe(inner, on, random_state, budget)
    for goal in questions(phi, on, np.random.default_rng(random_state)):
        try:
            verdict = decide(phi, goal, on=on, table=search)
        except ContradictionError as error:
            broken.append(f"{phi!r} on {on!r}: {error}")
            continue
        counts[f"{goal.name} {verdict.word}"] += 1
        for claim in claims(verdict):
            counts["attacked"] += 1
            found = falsify(phi, claim, on, witness=verdict.witness, probe=probe)
            if found is not None and not found.certain:
                # Nothing found by a short search says little.
                again = Probe(inner, on, random_state + 1, LAST)
                found = falsify(phi, claim, on, witness=verdict.witness, probe=again)
            if found is not None:
                listed = broken if found.certain else doubtful
                listed.append(f"{phi!r} on {on!r} ({verdict.strength}): {found}")
    counts["attacked"] += 1
    found = single(probe)
    if found is not None:
        # Of rounding the spread is estimated, so this is no proof of an error.
        doubtful.append(f"{phi!r} on {on!r}: {found}")
    return broken, doubtful


def campaign(
    n: int, random_state: int, depth: int = 5, only: Collection[int] = ()
) -> Iterator[Tally]:
    """Attack n random expressions; yields what each came to.

    An exception is a fault like any other: it is told, and the rest is attacked.

    Parameters
    ----------
    n : int
    random_state : int
    depth : int, default 5
    only : collection of int, optional
        The numbers of the expressions to attack; the others are drawn and left alone.

    Yields
    ------
    Tally
    """
    drawn = expressions(n, random_state=random_state, depth=depth)
    for i in range(n):
        told = Tally(Counter({"expressions": 1}))
        where, what = f"seed {random_state}, number {i}: ", "an expression being drawn"
        try:
            phi, on = next(drawn)
            if only and i not in only:
                continue
            what = f"{phi!r} on {on!r}"
            budget = FULL if i % DEEP == 0 else QUICK
            lines = attack(phi, on, told.counts, budget, random_state=random_state + i)
        except StopIteration:
            # A draw that failed ends the drawing; it was told.
            return
        except Exception as error:
            told.failed.append(f"{where}{what}: {_told(error)}")
            if what.startswith("an "):
                told.counts["expressions"] = 0
        else:
            told.broken, told.doubtful = ([where + line for line in kind] for kind in lines)
        yield told


def _told(error: Exception) -> str:
    """The exception, with the lines of this library that led to it, the last first."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    places = [f"{f.filename.rsplit('phimaps/', 1)[-1]}:{f.lineno} {f.name}" for f in frames]
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first} at {' < '.join(places[:6])}"
