"""The page on the theory, printed from the table of theorems itself."""

from __future__ import annotations

from collections.abc import Iterator

from . import property as properties
from . import theorems as theorems  # The import fills the table.
from .proof import Strength
from .property import Property
from .theorem import TABLE, Condition, Premise, Theorem

__all__ = ["theory"]

HEAD = """# The theory

This page is printed from the table that `decide` uses: `python -m phimaps theory`. {rows} theorems
about {properties} properties. A map states its own facts; these rows say what follows for what is
made of it. Each row is attacked numerically, and each of its premises is shown to be needed by an
expression on which the row fails without it: see [the killers](killers.md).

## How to read a row

A property is asked of a map φ on a space K. A claim that quantifies over all points of K (most
properties, and the contraries of Surjective and DenseImage) passes to subsets of K; a claim that
exhibits points passes to supersets. So a premise about a part is asked, if it quantifies, on an
enclosure of what reaches the part, and if it exhibits, on a set that is certainly reached.

`~P` is the contrary of P. For a property with a constant, `Lipschitz(L)` says that the best
constant is at most L, `~Lipschitz(L)` that it is at least L; for `LowerLipschitz` and `Smooth` it
is the other way round. Numbers are rounded so that the claim stays true.

A row about `FeatureMap` holds for every map, one about `Kernel` for every kernel. The first step of
a kernel of features k(φ(x), φ(y)) is φ, the last is k. "One part" means that the row is tried with
each part.

## The properties
"""
WHERE = {
    "self": "the map itself",
    "each": "each part",
    "first": "the first step",
    "rest": "each later step",
    "last": "the last step",
    "pivot": "one part",
    "others": "each other part",
    "before": "each step before it",
    "features": "the first step of each part",
    "inner": "the last step of each part",
    "derived": "the map made from it in the statement",
}


def theory() -> str:
    """The page, as Markdown.

    Returns
    -------
    str

    Examples
    --------
    >>> theory().splitlines()[0]
    '# The theory'
    """
    listed = [v for v in vars(properties).values() if isinstance(v, Property)]
    parts = [HEAD.format(rows=len(TABLE), properties=len(listed))]
    parts.append("| property | means |\n|---|---|")
    parts += [f"| `{_name(p)}` | {_cell(p.definition)} |" for p in listed]
    parts.append("\n## The theorems")
    for claim in listed:
        for sign in (claim, ~claim):
            rows = [r for r in TABLE if (r.then.name, r.then.holds) == (sign.name, sign.holds)]
            if rows:
                parts.append(f"\n### {'' if sign.holds else 'not '}{sign.name}\n")
                parts += [line for row in rows for line in _row(row)]
    return "\n".join(parts) + "\n"


def _name(claim: Property) -> str:
    if claim.takes:
        return f"{claim.name}({claim.takes})"
    return claim.name if claim.quantity is None else f"{claim.name}(number)"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _row(row: Theorem) -> Iterator[str]:
    kind = row.about.__name__
    if row.about.__module__.startswith("phimaps.kernels") and kind != "Kernel":
        kind = f"kernels.{kind}"
    yield f"**{row.name}** ({kind}): {row.statement}."
    wanted = [_premise(p) for p in row.given]
    if wanted:
        yield "  If " + "; ".join(wanted) + "."
    source = f"  Why: {row.source}."
    if row.strength is not Strength.THEOREM:
        source += f" Its strength: {row.strength}."
    yield source + "\n"


def _premise(premise: Premise | Condition) -> str:
    if isinstance(premise, Condition):
        return premise.text
    sign = "is" if premise.claim.holds else "is not"
    return f"{WHERE[premise.where]} {sign} {premise.claim.base.name}"
