"""`check_feature_map`: all the checks of one object, and the report on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any, final

from ..page import document
from .check import CHECKS
from .running import Outcome, chosen, profile_named, run
from .subject import Subject

__all__ = ["Report", "check_feature_map", "expected", "outcomes"]

# What stands first: where it fails, nothing else can be said.
FIRST = "check_evaluates"

Expected = Mapping[str, str] | Callable[[Any], Mapping[str, str]] | None


@final
@dataclass(frozen=True)
class Report:
    """What came of the checks on one object.

    Parameters
    ----------
    subject : str
        The object.
    domain : str
        Where it was tested.
    profile : str
    outcomes : tuple of Outcome

    Examples
    --------
    >>> import numpy as np
    >>> report = check_feature_map(lambda x: x - x.mean(), domain=[[0.0], [1.0]])
    >>> report.passed, "check_rows" in [o.check for o in report.failures]
    (False, True)
    """

    subject: str
    domain: str
    profile: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed that was not expected to."""
        return not self.failures

    @property
    def failures(self) -> list[Outcome]:
        """The checks that failed."""
        return [o for o in self.outcomes if o.status == "failed"]

    @property
    def skipped(self) -> list[Outcome]:
        """The checks that could not be run, each with its reason."""
        return [o for o in self.outcomes if o.status == "skipped"]

    @property
    def counts(self) -> dict[str, int]:
        """How many checks had which status."""
        found: dict[str, int] = {}
        for o in self.outcomes:
            found[o.status] = found.get(o.status, 0) + 1
        return found

    def __str__(self) -> str:
        told = ", ".join(f"{n} {status}" for status, n in sorted(self.counts.items()))
        lines = [f"{self.subject} on {self.domain}, profile {self.profile}: {told}"]
        found = [o for o in self.outcomes if o.status not in ("passed", "skipped")]
        lines += [str(o) for o in sorted(found, key=lambda o: o.status != "failed")]
        reasons: dict[str, list[str]] = {}
        for o in self.skipped:
            reasons.setdefault(o.message, []).append(o.title)
        lines += [f"skipped, {why}: {', '.join(titles)}" for why, titles in reasons.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Report: {str(self).splitlines()[0]}>"

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-serialisable data."""
        listed = [{k: v for k, v in vars(o).items() if k != "error"} for o in self.outcomes]
        return {
            "subject": self.subject,
            "domain": self.domain,
            "profile": self.profile,
            "passed": self.passed,
            "outcomes": listed,
        }

    def to_html(self) -> str:
        """The report as an HTML document that needs no other file."""
        return document(f"Checks of {self.subject}", self._repr_html_())

    def _repr_html_(self) -> str:
        colour = {"passed": "#1a7f37", "failed": "#b42318", "failed as expected": "#9a6700"}
        parts = [f"<p><strong>{escape(str(self).splitlines()[0])}</strong></p><table>"]
        parts.append("<tr><th>check</th><th>law</th><th>status</th><th>what was seen</th></tr>")
        order = {"failed": 0, "failed as expected": 1, "passed": 2, "skipped": 3}
        for o in sorted(self.outcomes, key=lambda o: order[o.status]):
            seen = f"<pre>{escape(o.message)}</pre>" if o.message else f"{o.examples} examples"
            if o.replay:
                seen += (
                    f"<details><summary>replay</summary><code>{escape(o.replay)}</code></details>"
                )
            parts.append(
                f"<tr><td><code>{escape(o.title)}</code></td><td>{escape(o.law)}</td>"
                f'<td style="color:{colour.get(o.status, "#6b7280")}">{o.status}</td>'
                f"<td>{seen}</td></tr>"
            )
        return "".join(parts) + "</table>"


def expected(given: Expected, obj: Any) -> Mapping[str, str]:
    """The names of the checks that are expected to fail on an object, with the reasons."""
    return (given(obj) if callable(given) else given) or {}


def outcomes(
    subject: Subject, names: Any = None, profile: str | None = None, random_state: int = 0
) -> Iterator[Outcome]:
    """Run the checks one by one; where the object cannot be evaluated, the others are skipped."""
    level = profile_named(profile)
    listed = chosen(subject, names)
    first = run(CHECKS[FIRST], subject, None, level, random_state)
    if first.status == "failed" or any(check.name == FIRST for check, _ in listed):
        yield first
    for check, claim in listed:
        if check.name == FIRST:
            continue
        if first.status == "failed":
            why = "the object cannot be evaluated"
            told = "" if claim is None else repr(claim)
            yield Outcome(check.name, check.law, "skipped", told, why)
        else:
            yield run(check, subject, claim, level, random_state)


def check_feature_map(
    obj: Any,
    domain: Any = None,
    claims: Any = None,
    *,
    fit_on: Any = None,
    expected_failed_checks: Expected = None,
    profile: str | None = None,
    random_state: int = 0,
    checks: Any = None,
) -> Report:
    """Test what every feature map must do, and what is claimed of this one.

    Parameters
    ----------
    obj : FeatureMap, estimator with fit and transform, torch module, function, or Subject
        It is never altered. A function takes a tensor or an array of shape (n, *point).
    domain : Space, Frame, dict, array or DataFrame, optional
        The points it takes; see `Subject`. Default: the map's own domain, else four numbers from
        -3 to 3, or as many as the object says.
    claims : Property, list, dict, optional
        What its author claims: ``pm.Injective``, ``[pm.Continuous, pm.Lipschitz(2.0)]``,
        ``{"kernel": pm.kernels.RBF(gamma=0.5)}``. Default: of a map of phimaps all that
        `phimaps.decide` says of it, of anything else nothing.
    fit_on : data, optional
        What copies are fitted to. Default: the domain where it is data, else 64 of its points.
    expected_failed_checks : dict, or callable of the object to a dict, optional
        Names of checks that may fail, with the reasons.
    profile : {"quick", "ci", "thorough"}, optional
        10, 50 or 500 examples a check. Default: that of the test run, else "quick".
    random_state : int, default 0
        Seed of all that is drawn.
    checks : list of str, optional
        Run only these.

    Returns
    -------
    Report
        With ``passed``, ``failures`` and a view for notebooks.

    Raises
    ------
    OperandError
        When the object is no feature map.
    ParameterError
        When the domain, a claim, the profile or the name of a check is unknown.

    Examples
    --------
    >>> import phimaps as pm
    >>> from sklearn.preprocessing import StandardScaler
    >>> check_feature_map(StandardScaler()).passed
    True
    >>> line = pm.Box([-1.0], [1.0])
    >>> report = check_feature_map(lambda x: x**2, domain=line, claims=pm.Injective)
    >>> [o.check for o in report.failures]
    ['check_injective']
    """
    subject = (
        obj if isinstance(obj, Subject) else Subject(obj, domain, claims, fit_on, random_state)
    )
    allowed = expected(expected_failed_checks, subject.obj)
    found = []
    for outcome in outcomes(subject, checks, profile, random_state):
        if outcome.status == "failed" and outcome.check in allowed:
            message = f"expected: {allowed[outcome.check]}\n{outcome.message}"
            outcome = replace(outcome, status="failed as expected", message=message)
        found.append(outcome)
    return Report(
        subject.notation[:200],
        repr(subject.domain),
        profile_named(profile).name,
        tuple(found),
    )
