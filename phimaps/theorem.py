"""Theorems as data, and the search that chains them.

A row says: if these claims hold of the parts, that claim holds of the whole. Every claim is signed,
and the sign fixes the set on which a premise is asked: a claim about all points is asked on an
enclosure of what reaches the part, a claim that exhibits points on a set that is certainly reached.
So no row needs to think about domains, and none can get them wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Any, final

from .map import Part
from .proof import Proof, Reason, Strength
from .property import Property
from .spaces import Image, Space
from .witness import Collision

__all__ = ["TABLE", "Case", "Condition", "Premise", "Search", "Theorem", "says", "theorem"]

Numbers = dict[tuple[str, str], list[float]]


@final
@dataclass(frozen=True)
class Case:
    """What a row is applied to: a map on a space, with one part singled out as the pivot."""

    map: Any
    on: Space
    parts: list[Part]
    pivot: int | None = None


@final
@dataclass(frozen=True)
class Premise:
    """A signed claim about some of the parts.

    Parameters
    ----------
    where : {"self", "each", "first", "rest", "last", "pivot", "others", "before", "derived"}
        The map itself, or which of its parts; "before" are those before the pivot. A row with a
        pivot is tried with every part. "derived" is another map, made from this one.
    claim : Property
    make : callable, optional
        For "derived": (case) to the other map, asked about on the same space.
    """

    where: str
    claim: Property
    make: Callable[[Case], Any] | None = None

    def targets(self, case: Case) -> list[Part]:
        """The maps that the claim is about."""
        parts, pivot = case.parts, case.pivot
        if self.where == "self":
            return [Part(case.map, Image(case.on, case.on))]
        if self.where == "pivot":
            return [parts[pivot]] if pivot is not None else []
        if self.where == "derived" and self.make is not None:
            return [Part(self.make(case), Image(case.on, case.on))]
        if self.where == "before":
            return parts[:pivot]
        if self.where == "others":
            return [p for i, p in enumerate(parts) if i != pivot]
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
    """

    name: str
    then: Property
    about: type
    given: tuple[Premise | Condition, ...]
    statement: str
    source: str
    bound: Callable[[Case, Numbers], float] | None = None
    carry: Callable[[Case, Collision | None], Collision | None] = lambda case, witness: witness
    strength: Strength = Strength.THEOREM

    @property
    def pivots(self) -> bool:
        """Whether one part is singled out."""
        return any(isinstance(p, Premise) and p.where in ("pivot", "before") for p in self.given)


TABLE: list[Theorem] = []


def theorem(
    name: str,
    then: Property,
    about: type,
    *given: Premise | Condition,
    statement: str,
    source: str,
    bound: Callable[[Case, Numbers], float] | None = None,
    carry: Callable[[Case, Collision | None], Collision | None] = lambda case, witness: witness,
    strength: Strength = Strength.THEOREM,
) -> Theorem:
    """Add a row to the table; the parameters are those of `Theorem`."""
    row = Theorem(name, then, about, given, statement, source, bound, carry, strength)
    TABLE.append(row)
    return row


def says(claim: Property, number: float | None) -> str:
    """A signed claim in words."""
    if claim.quantity is None:
        return f"is {'' if claim.holds else 'not '}{claim.name.lower()}"
    sign = "<=" if claim.upper else ">="
    words = {
        "Lipschitz": "has Lipschitz constant",
        "LowerLipschitz": "has lower Lipschitz constant",
        "Bounded": "has greatest norm",
    }
    return f"{words[claim.name]} {sign} {number:.6g}"


@final
class Search:
    """One call of `decide`: backward chaining over signed claims, with a memo.

    Parameters
    ----------
    table : list of Theorem
        The rows to use.
    """

    def __init__(self, table: list[Theorem]):
        self.table = table
        self.memo: dict[tuple[int, str, bool, int], Proof | None] = {}
        self.cases: dict[tuple[int, int], Case] = {}
        self.surely: dict[tuple[int, int], bool] = {}

    def case(self, phi: Any, on: Space) -> Case:
        """The map on the space, its parts listed once."""
        key = (id(phi), id(on))
        if key not in self.cases:
            # The case keeps phi and on alive, so their ids stay theirs.
            self.cases[key] = Case(phi, on, phi.parts(on))
        return self.cases[key]

    def prove(self, phi: Any, claim: Property, on: Space | None) -> Proof | None:
        """The best proof of a signed claim, or None."""
        if on is None or not self.defined(phi, on):
            return None
        case = self.case(phi, on)
        key = (id(phi), claim.name, claim.holds, id(on))
        if key not in self.memo:
            # Claims depend on claims of parts, or on other claims of the map in a fixed order, so
            # a claim that depends on itself would be a circle: it is not a proof.
            self.memo[key] = None
            self.memo[key] = self._best(
                claim, [*self._facts(case, claim), *self._rows(case, claim)]
            )
        return self.memo[key]

    def defined(self, phi: Any, on: Space) -> bool:
        """Whether φ is sure to have values on the whole space; without them nothing is claimed."""
        key = (id(phi), id(on))
        if key not in self.surely:
            case = self.case(phi, on)
            self.surely[key] = phi.undefined(on) is None and all(
                self.defined(p.map, p.arrives.outer) for p in case.parts
            )
        return self.surely[key]

    def _best(self, claim: Property, found: list[Proof]) -> Proof | None:
        if not found:
            return None
        if claim.quantity is None:
            return max(found, key=lambda p: (p.witness is not None, p.strength))
        sign = -1 if claim.upper else 1
        return max(found, key=lambda p: (sign * (p.number or 0.0), p.strength))

    def _facts(self, case: Case, claim: Property) -> Iterator[Proof]:
        for fact, why in case.map.facts(case.on):
            if fact.name != claim.name or fact.holds != claim.holds:
                continue
            number = self._number(fact)
            if number is not None and claim.trivial(number):
                continue
            reason = why if isinstance(why, Reason) else _as_reason(why)
            yield self._node(case, claim, reason, (), number)

    @staticmethod
    def _number(fact: Property) -> float | None:
        if fact.quantity is None:
            return None
        if fact.bound is None and not fact.holds:
            return inf if fact.quantity == "least" else 0.0
        return fact.number

    def _rows(self, case: Case, claim: Property) -> Iterator[Proof]:
        for row in self.table:
            if row.then.name != claim.name or row.then.holds != claim.holds:
                continue
            if not isinstance(case.map, row.about):
                continue
            for pivoted in self._pivots(row, case):
                unmet, proofs, numbers = self.try_row(row, pivoted)
                if unmet:
                    continue
                number = None if row.bound is None else row.bound(pivoted, numbers)
                if number is not None and claim.trivial(number):
                    continue
                below = next((p.witness for p in proofs if p.witness is not None), None)
                witness = row.carry(pivoted, below)
                reason = Reason(row.statement, row.strength, row.source, witness)
                yield self._node(case, claim, reason, tuple(proofs), number)

    @staticmethod
    def _pivots(row: Theorem, case: Case) -> list[Case]:
        if not row.pivots:
            return [case]
        return [replace(case, pivot=i) for i in range(len(case.parts))]

    def try_row(
        self, row: Theorem, case: Case
    ) -> tuple[list[tuple[str, Part | None, Property | None]], list[Proof], Numbers]:
        """The unmet premises, the proofs of the met ones, and their numbers."""
        unmet: list[tuple[str, Part | None, Property | None]] = []
        proofs: list[Proof] = []
        numbers: Numbers = {}
        for premise in row.given:
            if isinstance(premise, Condition):
                if not premise.test(case):
                    # Nothing that is proved of the parts can make up for it.
                    return [(premise.text, None, None)], [], {}
                continue
            listed = numbers.setdefault((premise.where, premise.claim.name), [])
            for part in premise.targets(case):
                where = part.arrives.outer if premise.claim.holds else part.arrives.inner
                proof = self.prove(part.map, premise.claim, where)
                if proof is None:
                    unmet.append((f"{part.map!r} is {premise.claim!r}", part, premise.claim))
                    continue
                proofs.append(proof)
                listed.append(proof.number if proof.number is not None else 0.0)
        return unmet, proofs, numbers

    def missing(self, phi: Any, claim: Property, on: Space | None, depth: int = 0) -> list[str]:
        """The premises nearest to proving the claim."""
        if on is None or depth > 12:
            return []
        case = self.case(phi, on)
        rows = [
            r
            for r in self.table
            if isinstance(phi, r.about) and (r.then.name, r.then.holds) == (claim.name, claim.holds)
        ]
        tries = [self.try_row(r, c)[0] for r in rows for c in self._pivots(r, case)]
        tries = [t for t in tries if t and all(self._open(part, goal) for _, part, goal in t)]
        if not tries or not case.parts:
            left = ", for which no row of the table is left" if case.parts and not depth else ""
            return [f"{phi!r} {'is' if claim.holds else 'is not'} {claim.name} on {on!r}{left}"]
        result: list[str] = []
        for _, part, wanted in min(tries, key=len):
            assert part is not None
            assert wanted is not None
            where = part.arrives.outer if wanted.holds else part.arrives.inner
            if part.map is phi:
                result.append(f"{phi!r} is {wanted!r} on {on!r}")
            else:
                result += self.missing(part.map, wanted, where, depth + 1)
        return list(dict.fromkeys(result))

    def _open(self, part: Part | None, wanted: Property | None) -> bool:
        """Whether an unmet premise might yet be shown: conditions cannot, nor what is refuted."""
        if part is None or wanted is None:
            return False
        return self.prove(part.map, ~wanted, part.arrives.outer) is None

    @staticmethod
    def _node(
        case: Case,
        claim: Property,
        reason: Reason,
        because: tuple[Proof, ...],
        number: float | None,
    ) -> Proof:
        return Proof(f"{case.map!r} {says(claim, number)} on {case.on!r}", reason, because, number)


def _as_reason(why: Any) -> Reason:
    if isinstance(why, str):
        return Reason(why)
    return Reason(why.because, Strength.WITNESS if why.exact else Strength.THEOREM, witness=why)
