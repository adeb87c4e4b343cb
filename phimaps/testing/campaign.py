"""Every claim that `decide` makes about random expressions, attacked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..decide import decide
from ..errors import ContradictionError
from ..map import FeatureMap
from ..maps.affine import Affine as AffineMap
from ..property import (
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
    Universal,
)
from ..search import Search
from ..spaces import Space
from ..theorem import TABLE
from .density import subject
from .expressions import expressions
from .falsify import claims, falsify
from .probe import Probe
from .single import single

__all__ = ["attack", "campaign", "motions", "questions"]

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
        return [Universal]
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
    n: int, random_state: int, depth: int = 5
) -> Iterator[tuple[Counter[str], list[str], list[str]]]:
    """Attack n random expressions; yields counts, what broke, and what is doubtful of each.

    Parameters
    ----------
    n : int
    random_state : int
    depth : int, default 5

    Yields
    ------
    (Counter, list of str, list of str)
    """
    for i, (phi, on) in enumerate(expressions(n, random_state=random_state, depth=depth)):
        counts: Counter[str] = Counter({"expressions": 1})
        budget = FULL if i % DEEP == 0 else QUICK
        broken, doubtful = attack(phi, on, counts, budget, random_state=random_state + i)
        where = f"seed {random_state}, number {i}: "
        yield counts, [where + line for line in broken], [where + line for line in doubtful]
