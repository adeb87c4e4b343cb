"""The page on the theory is the table; what stands in the table has an order."""

import subprocess
import sys
from pathlib import Path

from phimaps import property as properties
from phimaps.property import Property
from phimaps.theorem import TABLE, Premise
from phimaps.theory import theory

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_on_the_theory_is_printed_from_the_table():
    assert (DOCS / "theory.md").read_text(encoding="utf-8") == theory(), (
        "python -m phimaps theory > docs/theory.md"
    )


def test_the_command_prints_the_page():
    done = subprocess.run(
        [sys.executable, "-m", "phimaps", "theory"], capture_output=True, check=True
    )
    assert done.stdout.decode() == theory()


def test_the_page_names_every_row_and_every_property():
    page = theory()
    for row in TABLE:
        assert f"**{row.name}**" in page
        assert row.statement in page
    for claim in vars(properties).values():
        if isinstance(claim, Property):
            assert f"`{claim.name}" in page


def test_no_claim_about_a_map_rests_on_itself():
    # Premises about the map itself lead from claim to claim; a circle would leave claims unproved.
    def key(claim):
        return claim.name, claim.holds

    below = {}
    for row in TABLE:
        for premise in row.given:
            if isinstance(premise, Premise) and premise.where == "self":
                below.setdefault(key(row.then), set()).add(key(premise.claim))
    settled, on_the_way = set(), []

    def visit(claim):
        if claim in settled:
            return
        assert claim not in on_the_way, f"a circle: {[*on_the_way, claim]}"
        on_the_way.append(claim)
        for other in below.get(claim, ()):
            visit(other)
        settled.add(on_the_way.pop())

    for claim in list(below):
        visit(claim)
    assert ("Homeomorphism", True) in settled
