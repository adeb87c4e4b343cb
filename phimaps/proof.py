"""Proofs and verdicts: what was decided, why, and how firmly."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf
from typing import Any, final

from .errors import TruthError
from .property import Property
from .witness import AnnihilatingMeasure, Witness

__all__ = ["Proof", "Reason", "Strength", "Verdict"]


class Strength(IntEnum):
    """How firmly a statement stands; a proof is as firm as its weakest part."""

    ASSUMED = 1
    NUMERICAL = 2
    COMPUTED = 3
    WITNESS = 4
    THEOREM = 5
    DEFINITION = 6

    def __str__(self) -> str:
        return {
            1: "assumed",
            2: "numerically",
            3: "by exact computation",
            4: "by witness",
            5: "by theorem",
            6: "by definition",
        }[self]


@final
@dataclass(frozen=True)
class Reason:
    """Why a fact holds.

    Parameters
    ----------
    text : str
        One sentence, with the argument or the formula.
    strength : Strength
    cite : str
        Author, year and statement, where the fact is not proved by the sentence.
    witness : Collision or AnnihilatingMeasure, optional
    """

    text: str
    strength: Strength = Strength.THEOREM
    cite: str = ""
    witness: Witness | None = None


@final
@dataclass(frozen=True)
class Proof:
    """One node of a proof tree.

    Parameters
    ----------
    claim : str
        What is proved, in words.
    reason : Reason
    because : tuple of Proof
        The premises.
    number : float or None
        The bound that the claim carries, if it carries one.
    """

    claim: str
    reason: Reason
    because: tuple[Proof, ...] = ()
    number: float | None = None

    @property
    def strength(self) -> Strength:
        """The strength of the weakest step."""
        return min([self.reason.strength, *(p.strength for p in self.because)])

    @property
    def witness(self) -> Witness | None:
        """The witness against the map that the claim is about, if its points are known."""
        return self.reason.witness

    @property
    def measure(self) -> str:
        """The annihilating measure, where it comes into the tree."""
        own = self.witness
        if not isinstance(own, AnnihilatingMeasure) or any(p.witness is own for p in self.because):
            return ""
        why = "" if own.because == self.reason.text else f", as {own.because}"
        return f": {own}{why}"

    def lines(self, depth: int = 0) -> Iterator[tuple[int, str]]:
        """The tree as (depth, line)."""
        own = f"{self.claim}: {self.reason.text}"
        own += self.measure
        if self.reason.cite:
            own += f" [{self.reason.cite}]"
        if not self.because:
            own += f" ({self.reason.strength})"
        yield depth, own
        for premise in self.because:
            yield from premise.lines(depth + 1)


# Ends that differ by no more than this, relative to their size, differ by rounding outward.
ROUNDING = 1e-9


def interval_text(low: float, high: float) -> str:
    """The constant, exactly or as an interval."""
    if low == high:
        return f"= {low:.6g}"
    if high - low <= ROUNDING * high < inf:
        return f"= {high:.6g} up to rounding"
    if high == inf:
        return f">= {low:.6g}"
    if low == 0:
        return f"<= {high:.6g}"
    return f"in [{low:.6g}, {high:.6g}]"


@final
@dataclass(frozen=True)
class Verdict:
    """What `decide` found: proved, refuted or unknown, with the reason.

    Parameters
    ----------
    subject : str
        The map, in the algebra's notation.
    goal : Property
        The property asked about.
    on : str
        The space.
    holds : bool or None
        True: proved; False: refuted; None: unknown.
    proofs : tuple of Proof
        The proof trees (for a constant, one for each bound).
    value : tuple of float, optional
        For a property with a constant: an interval that contains the best one. Both ends are
        rounded outward; they are equal when the constant is known exactly.
    missing : tuple of str
        For an unknown: the nearest unmet premises.
    arithmetic : {"real", "float64", "float32"}
        Whether it is about φ, or about φ as it is computed.
    check : str
        For an unknown: a computation that might refute it.

    Examples
    --------
    >>> import phimaps as pm
    >>> verdict = pm.decide(pm.Relu(), pm.Injective, on=pm.Box([-1.0], [1.0]))
    >>> verdict.holds, verdict.strength
    (False, 'by witness')
    """

    subject: str
    goal: Property
    on: str
    holds: bool | None
    proofs: tuple[Proof, ...] = ()
    value: tuple[float, float] | None = None
    missing: tuple[str, ...] = field(default=())
    arithmetic: str = "real"
    check: str = ""

    def __bool__(self) -> bool:
        raise TruthError(
            f"The verdict on '{self.subject} is {self.goal.name}' has three values.",
            got=f"bool(verdict), where verdict.holds is {self.holds}",
            need="a comparison with True, False or None",
            do="verdict.holds is True",
        )

    @property
    def word(self) -> str:
        """``"proved"``, ``"refuted"`` or ``"unknown"``."""
        return {True: "proved", False: "refuted", None: "unknown"}[self.holds]

    @property
    def strength(self) -> str:
        """How firmly it is decided, as firm as the weakest step; ``""`` when unknown."""
        if self.holds is None or not self.proofs:
            return ""
        weakest = min(p.strength for p in self._deciding())
        if weakest is Strength.WITNESS and self.witness is None:
            # A later step merges two points that are reached, but from where is not known.
            weakest = Strength.THEOREM
        return str(weakest)

    @property
    def exact(self) -> bool:
        """Whether the best constant is known, up to rounding outward, and not only bounded."""
        if self.value is None:
            return False
        low, high = self.value
        return low == high or high - low <= ROUNDING * high < inf

    @property
    def witness(self) -> Any:
        """The witness of a refutation, or None."""
        return next((p.witness for p in self.proofs if p.witness is not None), None)

    def _deciding(self) -> tuple[Proof, ...]:
        # With a constant, the other bound is information and decides nothing.
        positive = self.holds == self.goal.holds
        return self.proofs[:1] if positive or len(self.proofs) == 1 else self.proofs[-1:]

    def _head(self) -> str:
        computed = "" if self.arithmetic == "real" else f", computed in {self.arithmetic}"
        head = f"{self.subject} is {self.goal!r} on {self.on}{computed}: {self.word}"
        if self.strength:
            head += f", {self.strength}"
        if self.value is not None and (self.value[0] > 0 or self.value[1] < inf):
            head += f"; best constant {interval_text(*self.value)}"
        return head

    def __str__(self) -> str:
        lines = [self._head()]
        for proof in self.proofs:
            lines += ["  " * (depth + 1) + text for depth, text in proof.lines()]
        if self.missing:
            lines.append("  to decide it, one of these would be needed:")
            lines += [f"    - {text}" for text in self.missing]
        if self.check:
            lines.append(f"  a search that might refute it: {self.check}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Verdict: {self._head()}>"

    def to_html(self) -> str:
        """The verdict and its tree as an HTML fragment.

        Returns
        -------
        str
        """
        colour = {True: "#1a7f37", False: "#b42318", None: "#6b7280"}[self.holds]
        parts = [
            f'<details open class="phimaps-verdict"><summary style="color:{colour}">'
            f"{html.escape(self._head())}</summary>"
        ]
        for proof in self.proofs:
            parts.append(_tree(proof))
        if self.missing:
            items = "".join(f"<li>{html.escape(text)}</li>" for text in self.missing)
            parts.append(f"<p>To decide it, one of these would be needed:</p><ul>{items}</ul>")
        if self.check:
            code = html.escape(self.check)
            parts.append(f"<p>A search that might refute it: <code>{code}</code></p>")
        return "".join(parts) + "</details>"

    def _repr_html_(self) -> str:
        return self.to_html()


def _tree(proof: Proof) -> str:
    text = html.escape(f"{proof.claim}: {proof.reason.text}{proof.measure}")
    cite = f" <cite>{html.escape(proof.reason.cite)}</cite>" if proof.reason.cite else ""
    below = "".join(_tree(p) for p in proof.because)
    return f"<ul><li>{text}{cite} <small>({proof.reason.strength})</small>{below}</li></ul>"
