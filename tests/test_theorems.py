"""Each premise of each theorem is needed: without it some attack succeeds.

A mutant is a row with a premise dropped or weakened, its conclusion negated, its premises asked on
the wrong set, or its number made a little better than it is. Each must be caught on some
expression, by an attack or by a contradiction with a true fact. With ``PHIMAPS_KILLERS=path`` the
list of which expression caught which is written there; ``docs/killers.md`` is such a list.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import pytest

import phimaps as pm
from phimaps.errors import ContradictionError
from phimaps.map import Compose, Part
from phimaps.map import Product as ProductMap
from phimaps.property import PROPERTIES, SENSES, Property
from phimaps.search import Search
from phimaps.spaces import Image
from phimaps.testing import Probe, claims, falsify
from phimaps.testing.density import subject
from phimaps.theorem import TABLE, Case, Condition, Premise, Theorem

from . import theorem_pool_kernels as kernels
from . import theorem_pool_readouts as readouts
from .theorem_pool import outside, pool
from .theorem_pool_calculus import motions


# --- mutants -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Fewer(Premise):
    """A premise that forgets one of the parts that it is about."""

    forgotten: str = "first"

    def targets(self, case: Case) -> list[Part]:
        parts = super().targets(case)
        return parts[1:] if self.forgotten == "first" else parts[:-1]


@dataclass(frozen=True)
class Dropped(Premise):
    """A premise that asks nothing, but still says whether one part is singled out."""

    def targets(self, case: Case) -> list[Part]:
        return []


@dataclass(frozen=True)
class Misplaced(Premise):
    """A premise about all points asked where points arrive for certain, or the other way round."""

    def targets(self, case: Case) -> list[Part]:
        return [
            Part(p.map, Image(p.arrives.inner or p.arrives.outer, p.arrives.outer))
            for p in super().targets(case)
        ]


@dataclass(frozen=True)
class Mutant:
    """A wrong theorem: the row, what was done to it, and the result."""

    row: Theorem
    change: str
    wrong: Theorem

    @property
    def table(self) -> list[Theorem]:
        return [self.wrong if r is self.row else r for r in TABLE]


def text(premise: Any) -> str:
    return premise.text if isinstance(premise, Condition) else f"{premise.where} {premise.claim!r}"


def without(row: Theorem, i: int) -> Theorem:
    premise = row.given[i]
    if isinstance(premise, Condition):
        return replace(row, given=row.given[:i] + row.given[i + 1 :])
    return exchanged(row, i, Dropped(premise.where, premise.claim))


def exchanged(row: Theorem, i: int, premise: Any) -> Theorem:
    return replace(row, given=(*row.given[:i], premise, *row.given[i + 1 :]))


def guarded(row: Theorem, dropped: Theorem) -> Theorem:
    """The row without a premise, where its number can do without the premise's."""
    if row.bound is None:
        return dropped

    def bound(case: Case, n: Any) -> float:
        for premise in row.given:
            if isinstance(premise, Premise):
                # What was not asked is taken to be harmless, which is what forgetting it means.
                harmless = [0.0 if premise.where == "others" else 1.0]
                if premise.claim.name == "Smooth":
                    harmless = [inf if premise.claim.holds else 0.0]
                listed = n[premise.where, premise.claim.name]
                listed += harmless * (len(premise.targets(case)) - len(listed))
        return row.bound(case, n)

    return replace(dropped, bound=bound)


def negated(row: Theorem) -> Theorem:
    if row.bound is None:
        return replace(row, then=~row.then)
    # The contrary of "infinite" and of "zero" has no number of its own.
    spare = 1e6 if (~row.then).upper else 1e-6

    def bound(case: Case, n: Any) -> float:
        number = row.bound(case, n)
        return spare if (~row.then).trivial(number) else number

    return replace(row, then=~row.then, bound=bound)


def sharper(row: Theorem) -> Theorem:
    if row.then.name == "Smooth":
        # Orders of smoothness are whole numbers.
        step = -1.0 if row.then.upper else 1.0
        return replace(row, bound=lambda case, n: max(0.0, row.bound(case, n) + step))
    factor = 0.98 if row.then.upper else 1.02
    return replace(row, bound=lambda case, n: factor * row.bound(case, n))


WRONG_NUMBERS = {
    "compose-lipschitz": lambda case, n: max(n["each", "Lipschitz"]),
    "compose-lower-lipschitz": lambda case, n: min(n["each", "LowerLipschitz"]),
    "compose-stretches": lambda case, n: n["first", "Lipschitz"][0],
    "compose-shrinks": lambda case, n: n["first", "LowerLipschitz"][0],
    "concat-lipschitz": lambda case, n: max(n["each", "Lipschitz"]),
    "concat-lower-lipschitz-all": lambda case, n: sum(n["each", "LowerLipschitz"]),
    "concat-shrinks": lambda case, n: n["pivot", "LowerLipschitz"][0],
    "concat-bounded": lambda case, n: max(n["each", "Bounded"]),
    "tensor-lipschitz": lambda case, n: n["each", "Lipschitz"][0] * n["each", "Bounded"][-1],
    "tensor-lower-lipschitz": lambda case, n: n["pivot", "LowerLipschitz"][0],
    "tensor-bounded": lambda case, n: max(n["each", "Bounded"]),
    "sum-lipschitz": lambda case, n: max(n["each", "Lipschitz"]),
    "sum-stretches": lambda case, n: n["pivot", "Lipschitz"][0],
    "sum-lower-lipschitz": lambda case, n: n["pivot", "LowerLipschitz"][0],
    "sum-shrinks": lambda case, n: n["pivot", "LowerLipschitz"][0],
    "sum-bounded": lambda case, n: max(n["each", "Bounded"]),
    "sum-not-bounded": lambda case, n: n["pivot", "Bounded"][0],
    "product-lipschitz": lambda case, n: min(n["each", "Lipschitz"]),
    "product-lower-lipschitz": lambda case, n: max(n["each", "LowerLipschitz"]),
    "product-bounded": lambda case, n: max(n["each", "Bounded"]),
}


def misplaceable(row: Theorem, premise: Any) -> bool:
    """Whether the row's parts are reached by less, or by more, than the whole space."""
    if not isinstance(premise, Premise) or premise.where in ("self", "first", "before", "derived"):
        return False
    if row.about is Compose:
        # A composition of which the first part misbehaves is seen without the inner sets.
        return True
    return row.about is ProductMap and not premise.claim.everywhere


def mutants() -> Iterator[Mutant]:
    for row in TABLE:
        for i, premise in enumerate(row.given):
            yield Mutant(row, f"without: {text(premise)}", guarded(row, without(row, i)))
            if isinstance(premise, Premise) and premise.where in ("each", "others", "rest"):
                single = row.about.__name__ in ("Scale", "On", "Assume", "Scaled", "Power")
                for end in () if single else ("first", "last"):
                    fewer = Fewer(premise.where, premise.claim, end)
                    change = f"all but the {end} of: {text(premise)}"
                    yield Mutant(row, change, guarded(row, exchanged(row, i, fewer)))
            if misplaceable(row, premise):
                moved = Misplaced(premise.where, premise.claim)
                yield Mutant(row, f"on the wrong set: {text(premise)}", exchanged(row, i, moved))
        yield Mutant(row, "negated", negated(row))
        if row.bound is not None and row.name not in EXTREME:
            yield Mutant(row, "a number 2 % sharper", sharper(row))
        if row.name in WRONG_NUMBERS:
            yield Mutant(row, "another number", replace(row, bound=WRONG_NUMBERS[row.name]))


# Their numbers are 0 or infinite always, so there is nothing sharper.
EXTREME = {
    "affine-smooth",
    "discontinuous-not-smooth",
    "finite-smooth",
    "discontinuous-not-lipschitz",
    "merging-not-lower-lipschitz",
    "scale-zero-lipschitz",
}
MUTANTS = list(mutants())


# --- the hunt ----------------------------------------------------------------------------------
@cache
def expressions() -> list[tuple[Any, pm.Space, bool]]:
    """(map or pull-back, space, whether `decide` may check the domain first)."""
    known = [*pool(), *kernels.pool(), *readouts.pool()]
    return [(*e, True) for e in known] + [(*e, False) for e in outside()]


@cache
def probe(index: int) -> Probe:
    phi, on, _ = expressions()[index]
    return Probe(subject(phi)[0], on)


def made(
    index: int, goal: Property, table: list[Theorem]
) -> tuple[list[tuple[Property, Any]], str | None]:
    """The claims about one expression with their witnesses, or why there are none."""
    phi, on, checked = expressions()[index]
    if checked:
        try:
            verdict = pm.decide(phi, goal, on=on, table=table)
        except ContradictionError as error:
            return [], f"contradiction with a fact: {error.got}"
        return [(claim, verdict.witness) for claim in claims(verdict)], None
    search, found = Search(table), []
    for claim in (goal, ~goal):
        proof = search.prove(phi, claim, on)
        if proof is not None:
            exact = claim if proof.number is None else claim(proof.number)
            found.append((exact, proof.witness))
    if len(found) == 2 and goal.quantity is None:
        return [], "contradiction with a fact"
    return found, None


@cache
def truth(index: int, goal: Property) -> tuple[str, ...]:
    """What the table as it stands says, to look only at what a mutant adds."""
    return tuple(repr(claim) + str(claim.bound) for claim, _ in made(index, goal, TABLE)[0])


@cache
def attacked(index: int, claim: Property, trusted: Any) -> Any:
    phi, on, _ = expressions()[index]
    names = ("Injective", *(p.name for p in SENSES))
    tested = claim.name in names or isinstance(phi, pm.kernels.Kernel)
    witness = trusted if tested and not claim.holds else None
    return falsify(phi, claim, on, witness=witness, probe=probe(index))


def killer(mutant: Mutant) -> str | None:
    """The expression that shows that the mutant is wrong, and how."""
    table = mutant.table
    for index, (phi, on, _) in enumerate(expressions()):
        inner = vars(phi).get("map_", phi)
        if not isinstance(inner, mutant.row.about):
            continue
        for goal in about(mutant.row.then.base, on):
            found, contradiction = made(index, goal, table)
            if contradiction is not None:
                return f"{phi!r} on {on!r}: {contradiction}"
            before = truth(index, goal)
            for claim, witness in found:
                if repr(claim) + str(claim.bound) in before:
                    continue
                result = attacked(index, claim, witness)
                if result is not None:
                    return f"{phi!r} on {on!r}: {result}"
    return None


def about(goal: Property, on: pm.Space) -> list[Property]:
    """The questions that a property stands for, where it is about a degree or a motion."""
    if goal.takes == "degree":
        return [goal(1), goal(2)]
    return [goal(motion) for motion in motions(on.shape)] if goal.takes == "motion" else [goal]


KILLED: dict[tuple[str, str], str] = {}


PAGE = Path(__file__).parent.parent / "docs" / "killers.md"
HEAD = """# The killers

A wrong theorem is made of each row of [the table](theory.md) in every way that one might err: a
premise is left out, or asked of all parts but one, or on the wrong set, the conclusion is negated,
the number made a little better than it is. Each line names what was done and the first expression
on which it shows, by a numerical attack or by a contradiction with what is known of the parts.
Names such as `Step(0.0)` stand for maps that only the tests have.

Written by `PHIMAPS_KILLERS=docs/killers.md python -m pytest tests/test_theorems.py`.
"""


def killers() -> str:
    """The page of what was found: for each row what was changed and what shows it wrong."""
    lines = [HEAD]
    for row in TABLE:
        found = {change: how for (name, change), how in KILLED.items() if name == row.name}
        if found:
            lines += [f"## {row.name}", "", f"{row.about.__name__}: {row.statement}.", ""]
            lines += ["| change | shown wrong by |", "|---|---|"]
            lines += [f"| {cell(change)} | {cell(how)} |" for change, how in found.items()]
            lines.append("")
    return "\n".join(lines)


def cell(value: str) -> str:
    value = " ".join(value.split()).replace("|", "\\|").replace("*", "\\*")
    return value if len(value) <= 240 else value[:239] + "…"


@pytest.fixture(scope="module", autouse=True)
def report() -> Iterator[None]:
    yield
    if path := os.environ.get("PHIMAPS_KILLERS"):
        # Workers of one run see different rows.
        path += os.environ.get("PYTEST_XDIST_WORKER", "").replace("gw", ".")
        Path(path).write_text(killers(), encoding="utf-8")


def test_the_page_of_killers_names_every_mutant() -> None:
    page = PAGE.read_text(encoding="utf-8")
    parts = {part.split("\n", 1)[0]: part for part in page.split("\n## ")[1:]}
    assert set(parts) == {row.name for row in TABLE}
    missing = [
        f"{m.row.name}: {m.change}"
        for m in MUTANTS
        if f"\n| {cell(m.change)} | " not in parts[m.row.name]
    ]
    assert not missing, "write the page anew, as it says at its top"


ROWS = list(dict.fromkeys(m.row.name for m in MUTANTS))


@pytest.mark.parametrize("name", ROWS)
def test_every_mutant_of_the_row_is_caught(name):
    survivors = []
    for mutant in MUTANTS:
        if mutant.row.name == name:
            how = killer(mutant)
            if how is None:
                survivors.append(mutant.change)
            else:
                KILLED[name, mutant.change] = how
    assert not survivors


# --- the table itself --------------------------------------------------------------------------
GOALS = tuple(p for p in PROPERTIES if "map" in p.of)
KERNEL_GOALS = tuple(p for p in PROPERTIES if "kernel" in p.of)


def goals(phi: Any) -> tuple[Property, ...]:
    """What may be asked of a map, a class of functions or a kernel."""
    if isinstance(phi, pm.kernels.Kernel):
        return KERNEL_GOALS
    return SENSES if subject(phi)[1] is not None else GOALS


@pytest.mark.parametrize("shard", range(4))
def test_the_table_as_it_stands_is_never_caught(shard):
    asked, doubtful = 0, []
    for index, (phi, on, checked) in enumerate(expressions()):
        if index % 4 != shard or not checked:
            continue
        kinds = goals(phi)
        quick = Probe(subject(phi)[0], on, budget=0.35)
        for goal in (g for kind in kinds for g in about(kind, on)):
            found, contradiction = made(index, goal, TABLE)
            assert contradiction is None, f"{phi!r} on {on!r}: {contradiction}"
            for claim, witness in found:
                result = falsify(phi, claim, on, witness=witness, probe=quick)
                if result is not None and not result.certain:
                    # What a short search does not find, a longer one does.
                    result = attacked(index, claim, witness)
                if result is not None and not result.certain:
                    doubtful.append(f"{phi!r} on {on!r}: {result}")
                    result = None
                assert result is None, f"{phi!r} on {on!r}: {result}"
                asked += 1
    assert asked > 200
    # What is said to exist, a search finds, but for one in two hundred.
    assert len(doubtful) <= asked / 200, "\n".join(doubtful)


def test_rows_have_names_statements_and_sources():
    names = [row.name for row in TABLE]
    assert len(set(names)) == len(names)
    for row in TABLE:
        assert row.statement.strip(), row.name
        assert row.source.strip(), row.name
        assert not row.statement.endswith("."), row.name


def test_every_row_concludes_with_a_number_exactly_if_its_property_has_one():
    for row in TABLE:
        assert (row.bound is not None) == (row.then.quantity is not None), row.name


def test_every_row_has_mutants():
    assert {m.row.name for m in MUTANTS} == {row.name for row in TABLE}
    assert len(MUTANTS) > 2 * len(TABLE)


def test_a_true_weakening_would_survive():
    # The hunt is no rubber stamp: a row with a premise too many is not shown wrong.
    row = next(r for r in TABLE if r.name == "concat-injective")
    cautious = replace(row, given=(*row.given, Premise("each", pm.Continuous)))
    assert killer(Mutant(row, "a needless premise", cautious)) is None
    needless = Mutant(cautious, "without it", row)
    assert killer(needless) is None
