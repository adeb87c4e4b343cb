"""The search that chains facts and theorems into proofs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from numbers import Real
from typing import Any, final

from .map import Assume, Part
from .map.sequence import Images, remembered
from .proof import Proof, Reason, Strength
from .property import Property
from .spaces import Space
from .theorem import Case, Condition, Numbers, Theorem, says

__all__ = ["Search"]

# The properties that speak of distances in the space.
METRIC = ("Lipschitz", "LowerLipschitz")
# Of so many rows the missing premises are compared, to name the fewest.
FEW = 3

# A premise not met: the part and the claim about it, or neither for a condition.
Unmet = tuple[Part | None, Property | None]


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
        self.memo: dict[tuple[Any, ...], Proof | None] = {}
        self.cases: dict[tuple[int, int], Case] = {}
        self.known: dict[tuple[int, int], list[Any]] = {}
        self.rows: dict[tuple[str, bool], list[Theorem]] = {}
        for row in table:
            self.rows.setdefault((row.then.name, row.then.holds), []).append(row)
        self.surely: dict[tuple[int, int], bool] = {}
        self.images: Images = {}

    def case(self, phi: Any, on: Space) -> Case:
        """The map on the space, its parts listed once."""
        key = (id(phi), id(on))
        if key not in self.cases:
            # The case keeps phi and on alive, so their ids stay theirs.
            # The first case of a search is what was asked.
            self.cases[key] = Case(phi, on, phi.parts(on), top=not self.cases)
        return self.cases[key]

    def prove(self, phi: Any, claim: Property, on: Space | None) -> Proof | None:
        """The best proof of a signed claim, or None."""
        with remembered(self.images):
            return self._prove(phi, claim, on)

    def _prove(self, phi: Any, claim: Property, on: Space | None) -> Proof | None:
        if on is None or not self.defined(phi, on):
            return None
        case = self.case(phi, on)
        if isinstance(claim.about, tuple | list):
            return self._group(case, claim)
        key = (id(phi), claim.name, claim.holds, id(on), _subject(claim.about))
        if key not in self.memo:
            # Claims depend on claims of parts, or on other claims of the map in a fixed order, so
            # a claim that depends on itself would be a circle: it is not a proof.
            self.memo[key] = None
            self.memo[key] = self._best(
                claim, [*self._facts(case, claim), *self._rows(case, claim)]
            )
        return self.memo[key]

    def _group(self, case: Case, claim: Property) -> Proof | None:
        """Invariance under a group: under each of its generators, or its failure under one."""
        proofs = [self.prove(case.map, claim(motion), case.on) for motion in claim.about]
        found = [p for p in proofs if p is not None]
        if not found or (claim.holds and len(found) < len(proofs)):
            return None
        text = "under the generators" if claim.holds else "under one generator"
        reason = Reason(f"a group moves points by compositions of its generators: {text}")
        return self._node(case, claim, reason, tuple(found), None)

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
            # Of proofs alike in these, the first is kept: rows stand from simple to deep.
            return max(found, key=lambda p: (p.witness is not None, p.strength))
        sign = -1 if claim.upper else 1
        return max(found, key=lambda p: (sign * (p.number or 0.0), p.strength))

    def _facts(self, case: Case, claim: Property) -> Iterator[Proof]:
        if claim.name in METRIC and not case.on.euclidean and not isinstance(case.map, Assume):
            # Maps state their constants for Euclidean distances.
            return
        key = (id(case.map), id(case.on))
        if key not in self.known:
            self.known[key] = list(case.map.facts(case.on))
        for fact, why in self.known[key]:
            if fact.name != claim.name or fact.holds != claim.holds:
                continue
            if claim.takes and _subject(fact.about) != _subject(claim.about):
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
        if claim.takes:
            case = replace(case, about=claim.about)
        for row in self._about(case, claim):
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

    def _about(self, case: Case, claim: Property) -> Iterator[Theorem]:
        """The rows that conclude the claim and are about such a map and space."""
        for row in self.rows.get((claim.name, claim.holds), ()):
            if isinstance(case.map, row.about) and (case.on.euclidean or not row.euclidean):
                yield row

    @staticmethod
    def _pivots(row: Theorem, case: Case) -> list[Case]:
        if not row.pivots:
            return [case]
        return [replace(case, pivot=i) for i in range(len(case.parts))]

    def try_row(self, row: Theorem, case: Case) -> tuple[list[Unmet], list[Proof], Numbers]:
        """The unmet premises, the proofs of the met ones, and their numbers."""
        unmet: list[Unmet] = []
        proofs: list[Proof] = []
        numbers: Numbers = {}
        for premise in row.given:
            if isinstance(premise, Condition):
                if not premise.test(case):
                    # Nothing that is proved of the parts can make up for it.
                    return [(None, None)], [], {}
                continue
            listed = numbers.setdefault((premise.where, premise.claim.name), [])
            claim = premise.claim_in(case)
            for part in premise.targets(case):
                proof = self.prove(part.map, claim, _asked(part, claim))
                if proof is None:
                    unmet.append((part, claim))
                    continue
                proofs.append(proof)
                listed.append(proof.number if proof.number is not None else 0.0)
        return unmet, proofs, numbers

    def missing(self, phi: Any, claim: Property, on: Space | None, depth: int = 0) -> list[str]:
        """The premises nearest to proving the claim."""
        if on is None or depth > 12:
            return []
        case = self.case(phi, on)
        if claim.takes:
            case = replace(case, about=claim.about)
        rows = self._about(case, claim)
        tries = [self.try_row(r, c)[0] for r in rows for c in self._pivots(r, case)]
        tries = [t for t in tries if t and all(self._open(part, goal) for part, goal in t)]
        tries.sort(key=len)
        if not tries or not case.parts:
            left = ", for which no row of the table is left" if case.parts and not depth else ""
            return [f"{phi!r} {'is' if claim.holds else 'is not'} {claim.name} on {on!r}{left}"]
        lists = [self._wanted(phi, on, unmet, depth) for unmet in tries[:FEW]]
        return min(lists, key=len)

    def _wanted(self, phi: Any, on: Space, unmet: list[Any], depth: int) -> list[str]:
        """What is missing for these premises, down to the parts that lack it."""
        result: list[str] = []
        for part, wanted in unmet:
            if part.map is phi:
                result.append(f"{phi!r} is {wanted!r} on {on!r}")
            else:
                result += self.missing(part.map, wanted, _asked(part, wanted), depth + 1)
        return list(dict.fromkeys(result))

    def _open(self, part: Part | None, wanted: Property | None) -> bool:
        """Whether an unmet premise might yet be shown: conditions cannot, nor what is refuted."""
        if part is None or wanted is None:
            return False
        return self.prove(part.map, ~wanted, _asked(part, wanted)) is None

    @staticmethod
    def _node(
        case: Case,
        claim: Property,
        reason: Reason,
        because: tuple[Proof, ...],
        number: float | None,
    ) -> Proof:
        # What stands here is written out for every step, and long expressions are long to write.
        if "names" not in case.memo:
            case.memo["names"] = repr(case.map), repr(case.on)
        phi, on = case.memo["names"]
        return Proof(f"{phi} {says(claim, number)} on {on}", reason, because, number)


def _asked(part: Part, claim: Property) -> Space | None:
    """Where a claim about a part is asked: on all that may reach it, or on what certainly does."""
    return part.arrives.outer if claim.everywhere else part.arrives.inner


def _subject(about: Any) -> Any:
    """What identifies the thing that a claim is about: a number itself, a map as an object."""
    return float(about) if isinstance(about, Real) else id(about)


def _as_reason(why: Any) -> Reason:
    if isinstance(why, str):
        return Reason(why)
    return Reason(why.because, Strength.WITNESS if why.exact else Strength.THEOREM, witness=why)
