"""Theorems as data.

A row says: if these claims hold of the parts, that claim holds of the whole. Every claim is signed,
and the sign fixes the set on which a premise is asked: a claim about all points is asked on an
enclosure of what reaches the part, a claim that exhibits points on a set that is certainly reached.
So no row needs to think about domains, and none can get them wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, final

from .map import Part
from .proof import Strength
from .property import Property
from .spaces import Image, Space
from .witness import Witness

__all__ = ["TABLE", "Case", "Condition", "Numbers", "Premise", "Theorem", "says", "theorem"]

Numbers = dict[tuple[str, str], list[float]]


@final
@dataclass(frozen=True)
class Case:
    """What a row is applied to: a map on a space, with one part singled out as the pivot.

    For a property that is about something else too, `about` is that: a degree, a motion. `top`
    says whether it is the map and the space of the question, not parts met on the way. `memo` is
    for what rows compute of the map on the space; it lasts as long as the search.
    """

    map: Any
    on: Space
    parts: list[Part]
    pivot: int | None = None
    about: Any = None
    top: bool = False
    memo: dict[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Premise:
    """A signed claim about some of the parts.

    Parameters
    ----------
    where : str
        "self": the map itself; "each", "first", "rest", "last", "pivot", "others", "before": which
        of its parts, "before" are those before the pivot; "features", "inner": the first, the last
        part of each of its parts. A row with a pivot is tried with every part. "derived" is another
        map, made from this one.
    claim : Property
        Where it is about something else too, that is what the conclusion is about.
    make : callable, optional
        For "derived": (case) to the other map.
    space : callable, optional
        For "derived": (case) to the space on which it is asked; default: the same space.
    about : callable, optional
        (case) to what the claim is about, where that is not what the conclusion is about.
    """

    where: str
    claim: Property
    make: Callable[[Case], Any] | None = None
    space: Callable[[Case], Space] | None = None
    about: Callable[[Case], Any] | None = None

    def claim_in(self, case: Case) -> Property:
        """The claim, about what it is about in this case."""
        if not self.claim.takes:
            return self.claim
        return self.claim(case.about if self.about is None else self.about(case))

    def targets(self, case: Case) -> list[Part]:
        """The maps that the claim is about."""
        parts, pivot = case.parts, case.pivot
        if self.where == "self":
            return [Part(case.map, Image(case.on, case.on))]
        if self.where == "pivot":
            return [parts[pivot]] if pivot is not None else []
        if self.where == "derived" and self.make is not None:
            space = case.on if self.space is None else self.space(case)
            return [Part(self.make(case), Image(space, space))]
        if self.where == "before":
            return parts[:pivot]
        if self.where == "others":
            return [p for i, p in enumerate(parts) if i != pivot]
        if self.where in ("features", "inner"):
            place = 0 if self.where == "features" else -1
            return [inside[place] for p in parts if (inside := p.map.parts(p.arrives.outer))]
        chosen = {"each": slice(None), "first": slice(1), "rest": slice(1, None)}
        return parts[chosen.get(self.where, slice(-1, None))]


@final
@dataclass(frozen=True)
class Condition:
    """A premise about the shape of the expression or of the space, decided by looking."""

    text: str
    test: Callable[[Case], bool]


@final
@dataclass(frozen=True)
class Theorem:
    """One row of the table.

    Parameters
    ----------
    name : str
        A short unique name.
    then : Property
        The signed conclusion.
    about : type
        The kind of map.
    given : tuple of Premise and Condition
    statement : str
        The theorem in words.
    source : str
        A numbered statement, or the proof where it is a line long.
    bound : callable, optional
        For a conclusion with a number: (case, numbers of the premises) to the number, rounded so
        that the claim stays true.
    carry : callable, optional
        The witness against the whole: (case, witness against a part if there is one) to a
        witness, or None where no points are known. Default: it is the part's.
    strength : Strength
        Of the step itself; a row whose conditions rest on a computation says so.
    euclidean : bool
        Whether the proof uses that distances in the space are Euclidean.
    """

    name: str
    then: Property
    about: type
    given: tuple[Premise | Condition, ...]
    statement: str
    source: str
    bound: Callable[[Case, Numbers], float] | None = None
    carry: Callable[[Case, Witness | None], Witness | None] = lambda case, witness: witness
    strength: Strength = Strength.THEOREM
    euclidean: bool = False

    @property
    def pivots(self) -> bool:
        """Whether one part is singled out."""
        return any(isinstance(p, Premise) and p.where in ("pivot", "before") for p in self.given)


TABLE: list[Theorem] = []

WORDS = {
    "Lipschitz": "has Lipschitz constant",
    "LowerLipschitz": "has lower Lipschitz constant",
    "Bounded": "has greatest norm",
    "Smooth": "has order of smoothness",
    "PositiveDefinite": "is {not}positive definite",
    "StrictlyPositiveDefinite": "is {not}strictly positive definite",
    "NonVanishing": "has {not}a function without zeros in its space",
    "Surjective": "is {not}onto",
    "DenseImage": "has {not}a dense image",
    "Homeomorphism": "is {not}a homeomorphism onto its image",
    "PositivelyHomogeneous": "is {not}positively homogeneous of degree {about}",
    "Invariant": "is {not}invariant under {about}",
    "Borel": "is {not}a Borel map",
    "ApproximatelyUniversal": "is {not}approximately universal",
    "LpUniversal": "is {not}universal in L^p",
    "UAPInvariant": "{keeps} every universal class universal",
    "ApproximatelyUAPInvariant": "{keeps} every universal class approximately universal",
}


def theorem(
    name: str,
    then: Property,
    about: type,
    *given: Premise | Condition,
    statement: str,
    source: str,
    bound: Callable[[Case, Numbers], float] | None = None,
    carry: Callable[[Case, Witness | None], Witness | None] = lambda case, witness: witness,
    strength: Strength = Strength.THEOREM,
    euclidean: bool = False,
) -> Theorem:
    """Add a row to the table; the parameters are those of `Theorem`."""
    row = Theorem(name, then, about, given, statement, source, bound, carry, strength, euclidean)
    TABLE.append(row)
    return row


def says(claim: Property, number: float | None) -> str:
    """A signed claim in words."""
    word = WORDS.get(claim.name, "is {not}" + claim.name.lower())
    if claim.quantity is None:
        about = "" if claim.about is None else repr(claim.about)
        words = ("", "keeps") if claim.holds else ("not ", "does not keep")
        return word.format(**{"not": words[0], "keeps": words[1], "about": about})
    return f"{word} {'<=' if claim.upper else '>='} {number:.6g}"
