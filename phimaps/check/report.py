"""What an experiment about universality found: in words, as a table, as a page, as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any, final

from ..errors import DependencyError
from ..page import document
from ..proof import Verdict
from ..witness import AnnihilatingMeasure, Collision, ConeWitness, NearCollision
from .below import Bound

__all__ = ["Report", "Row"]

# Figures in a row; what part of a constant's error is drawn as 0.
SHOWN, FLOOR = 4, 1e-4


@final
@dataclass(frozen=True, eq=False)
class Row:
    """One target: how near the class came to it, and how near it cannot come.

    Parameters
    ----------
    target : str
    size : float
        The error of the best constant, half of what g varies over the points.
    below : Bound or None
        From below; None where no bound is known but 0.
    capacities : tuple of str
        What was tried: sizes of spans, then fitted members.
    errors : tuple of float
        The greatest error of each on the held-out points, behind φ.
    identity : tuple of float
        The same with the points themselves as features.
    """

    target: str
    size: float
    below: Bound | None
    capacities: tuple[str, ...]
    errors: tuple[float, ...]
    identity: tuple[float, ...]

    @property
    def lower(self) -> float:
        """What the sup-norm error of no member is below."""
        return 0.0 if self.below is None else self.below.value

    @property
    def upper(self) -> float:
        """The least error reached on the held-out points; inf where none was measured.

        The error on all of K is no less than `lower`, so neither is this.
        """
        return max(min(self.errors, default=float("inf")), self.lower)

    @property
    def because(self) -> str:
        """What `lower` rests on."""
        return "nothing is known from below" if self.below is None else self.below.because


@final
@dataclass(frozen=True, eq=False)
class Report:
    """What `universality` found about F_φ on K.

    Parameters
    ----------
    subject, on : str
    verdict : str
        "proved", "refuted (witness)", "refuted (by theorem)", "consistent at resolution ε on K" or
        "inconclusive".
    decision : Verdict
        What `decide` says, with its tree.
    rows : tuple of Row
        One for each target.
    eps : float
        ε: on the held-out points no target is missed by more than ε times its `size`.
    tolerance : float
        The ε up to which the result is called consistent.
    training, net : int
        How many points members were chosen on, and on how many errors were measured.
    radius : float
        Each point of K is within this of one of the net; inf where the points are drawn at random.
    fresh : int
        How many further points were drawn, for the confidence.
    confidence : float
        1 - β.
    exceeded : float
        ln(1/β) / `fresh`: with that confidence, the probability of an error above ε is at most
        this, for a point drawn as the fresh ones are.
    witness : Collision, NearCollision, ConeWitness or AnnihilatingMeasure, optional
    notes : tuple of str
        What was left out, and why.
    """

    subject: str
    on: str
    verdict: str
    decision: Verdict
    rows: tuple[Row, ...]
    eps: float
    tolerance: float
    training: int
    net: int
    radius: float
    fresh: int
    confidence: float
    exceeded: float
    witness: Collision | NearCollision | ConeWitness | AnnihilatingMeasure | None = None
    notes: tuple[str, ...] = ()

    @property
    def lower(self) -> float:
        """The greatest lower bound, over the targets."""
        return max((row.lower for row in self.rows), default=0.0)

    @property
    def upper(self) -> float:
        """The greatest error that was reached, over the targets."""
        return max((row.upper for row in self.rows), default=float("inf"))

    @property
    def where(self) -> str:
        """On what points errors were measured, and what that says."""
        if not self.net:
            return "no error was measured"
        text = f"members chosen on {self.training} points, errors on {self.net} of K"
        if self.radius < float("inf"):
            text += f", a net of radius {self.radius:.2g}" if self.radius else ", which are all"
        else:
            text += " drawn at random"
        if self.fresh:
            text += (
                f"; of {self.fresh} fresh points, drawn as K.sample draws, none is missed by more "
                f"than ε, so that with confidence {self.confidence:.0%} one in "
                f"{1 / self.exceeded:.0f} such points is, at most: a statement about measure, not "
                "about every point"
            )
        return text

    def __str__(self) -> str:
        lines = [f"{self.subject} is universal on {self.on}: {self.verdict}"]
        if self.witness is not None:
            lines.append(f"  witness: {_witness_text(self.witness)}")
        if self.net:
            lines.append(f"  ε = {self.eps:.3g}, of the error of the best constant; {self.where}")
        for row in self.rows:
            lines.append(
                f"  {row.target}: error in [{row.lower:.3g}, {row.upper:.3g}]"
                f" (identity {min(row.identity, default=float('inf')):.3g}, constant "
                f"{row.size:.3g}); {_how(row)}"
            )
        lines += [f"  note: {text}" for text in self.notes]
        if self.decision.holds is not None:
            lines += ["  " + line for line in str(self.decision).splitlines()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Report: {self.subject} on {self.on}: {self.verdict}>"

    def _records(self) -> list[dict[str, Any]]:
        return [
            {
                "target": row.target,
                "capacity": capacity,
                "error": error,
                "identity": beside,
                "lower": row.lower,
                "certified": row.below is not None and row.below.certified,
                "because": row.because,
                "size": row.size,
            }
            for row in self.rows
            for capacity, error, beside in zip(
                row.capacities, row.errors, row.identity, strict=True
            )
        ]

    def to_frame(self) -> Any:
        """A line for each target and capacity: errors behind φ and the identity, lower bounds.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        DependencyError
            When pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise DependencyError(
                "A data frame is made by pandas, which is not installed.",
                got=str(error).splitlines()[0],
                need="pandas",
                do="pip install 'phimaps[frames]'",
            ) from None
        columns = ["target", "capacity", "error", "identity", "lower", "certified", "because"]
        return pandas.DataFrame(self._records(), columns=[*columns, "size"])

    def to_html(self) -> str:
        """A page that needs no other file.

        Returns
        -------
        str
        """
        return document(f"Universality of {self.subject}", self._repr_html_())

    def _repr_html_(self) -> str:
        kind = self.verdict.split()[0]
        badge = kind if kind in ("proved", "refuted") else "unknown"
        parts = [
            f"<h1><code>{escape(self.subject)}</code></h1>",
            f'<p class="lead"><span class="badge {badge}">{escape(kind)}</span> '
            f"universal on <code>{escape(self.on)}</code>: {escape(self.verdict)}</p>",
        ]
        if self.witness is not None:
            parts.append(f"<p>Witness: {escape(_witness_text(self.witness))}</p>")
        if self.net:
            parts.append(
                f"<p>ε = {self.eps:.3g}, as a part of the error of the best constant; "
                f"{escape(self.where)}.</p>"
            )
        parts.append(self._table())
        parts += [f'<p class="soft">{escape(text)}</p>' for text in self.notes]
        if self.decision.holds is not None:
            parts.append(self.decision.to_html())
        return "\n".join(parts)

    def _table(self) -> str:
        heads = ("target", "no less than", "reached", "behind the identity", "a constant")
        lines = [
            '<div class="wide"><table><tr>',
            *(f"<th{' class=number' if i else ''}>{h}</th>" for i, h in enumerate(heads)),
            "<th>why no less</th><th>error by capacity</th></tr>",
        ]
        for row in self.rows:
            numbers = (row.lower, row.upper, min(row.identity, default=float("inf")), row.size)
            cells = "".join(f'<td class="number">{v:.3g}</td>' for v in numbers)
            steps = ", ".join(
                f"{escape(c)}: {e:.3g}" for c, e in zip(row.capacities, row.errors, strict=True)
            )
            lines.append(
                f"<tr><td>{escape(row.target)}</td>{cells}<td>{escape(_how(row))}</td>"
                f"<td>{steps}</td></tr>"
            )
        return "".join([*lines, "</table></div>"])

    def plot(self) -> Any:
        """Errors against capacity, behind φ and the identity, above the lower bounds.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        DependencyError
            When matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise DependencyError(
                "The figure is drawn by matplotlib, which is not installed.",
                got=str(error).splitlines()[0],
                need="matplotlib",
                do="pip install 'phimaps[plot]'",
            ) from None
        count = max(len(self.rows), 1)
        across = min(count, SHOWN)
        down = -(-count // across)
        figure = Figure(figsize=(3.2 * across, 2.6 * down), layout="constrained")
        axes = figure.subplots(down, across, squeeze=False).ravel()
        for axis, row in zip(axes, self.rows, strict=False):
            places = range(len(row.capacities))
            axis.plot(places, row.errors, "o-", color="#2f5d8a", label="behind φ")
            axis.plot(places, row.identity, "s--", color="#8a8d92", label="identity")
            if row.lower > 0:
                axis.axhline(row.lower, color="#a12c1c", label="no less than")
            shown = [v for v in (*row.errors, *row.identity, row.lower) if 0 < v < float("inf")]
            if shown:
                axis.set_yscale("log")
                # Below a part of a constant's error there is rounding, which would take the room.
                axis.set_ylim(bottom=max(min(shown) / 2, FLOOR * row.size))
            axis.set_xticks(list(places), row.capacities, fontsize=7)
            axis.set_title(row.target, fontsize=8)
        for axis in axes[len(self.rows) :]:
            axis.remove()
        if self.rows:
            axes[0].legend(fontsize=7)
        figure.suptitle(f"{self.subject}: {self.verdict}", fontsize=9)
        return figure


def _how(row: Row) -> str:
    if row.below is None:
        return row.because
    return f"{'proved' if row.below.certified else 'numerical'}: {row.because}"


def _witness_text(
    witness: Collision | NearCollision | ConeWitness | AnnihilatingMeasure,
) -> str:
    if isinstance(witness, AnnihilatingMeasure):
        return f"{witness}; {witness.because}"
    word, ends = "orders", list(witness.points) if isinstance(witness, ConeWitness) else []
    if not isinstance(witness, ConeWitness):
        word = "merges" if isinstance(witness, Collision) else "brings together"
        ends = [witness.x, witness.y]
    x, y = (" ".join(f"{v:.6g}" for v in p.ravel()[:8]) for p in ends)
    return f"φ {word} [{x}] and [{y}]; {witness.because}"
