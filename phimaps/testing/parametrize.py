"""`parametrize_with_checks`: one pytest test for each object and check."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, final

from ..errors import ParameterError
from .check import Check, CheckFailed
from .report import Expected, expected
from .running import Outcome, chosen, profile_named, run
from .session import tell
from .subject import Subject

__all__ = ["Bound", "parametrize_with_checks"]


@final
class Bound:
    """A check with its claim, to be called on the object; what a test is given.

    Parameters
    ----------
    check : Check
    claim : Claim or None
    subject : Subject
    profile : str or None
    random_state : int
    """

    def __init__(
        self, check: Check, claim: Any, subject: Subject, profile: str | None, random_state: int
    ):
        self.check, self.claim, self.subject = check, claim, subject
        self.profile, self.random_state = profile, random_state

    def __call__(self, obj: Any) -> None:
        """Run it.

        Raises
        ------
        CheckFailed, or what the object raised
            With the replay line as a note.
        """
        # A reader wants the law and the numbers, not how the check was run.
        __tracebackhide__ = True
        level = profile_named(self.profile)
        outcome = run(self.check, self.subject, self.claim, level, self.random_state)
        tell({"object": self.subject.name, "check": outcome.title, "status": outcome.status})
        if outcome.status == "skipped":
            import pytest

            pytest.skip(f"{outcome.title}: {outcome.message}")
        if outcome.error is not None:
            raise _noted(outcome)

    def __repr__(self) -> str:
        return self.check.name


def _noted(outcome: Outcome) -> Exception:
    error = outcome.error
    assert error is not None
    error.add_note(f"replay:\n  {outcome.replay}")
    return error.with_traceback(None) if isinstance(error, CheckFailed) else error


def parametrize_with_checks(
    objects: Iterable[Any],
    *,
    domain: Any = None,
    claims: Any = None,
    fit_on: Any = None,
    expected_failed_checks: Expected = None,
    profile: str | None = None,
    random_state: int = 0,
    checks: Any = None,
) -> Any:
    """Make one test of every check on every object, in the shape of scikit-learn's decorator.

    Parameters
    ----------
    objects : iterable
        What is tested; a `Subject` brings a domain and claims of its own.
    domain, claims, fit_on, random_state, checks
        As of `check_feature_map`, for those that are no `Subject`.
    expected_failed_checks : dict, or callable of the object to a dict, optional
        Names of checks that may fail, with the reasons; their tests are marked xfail.
    profile : {"quick", "ci", "thorough"}, optional
        Default: the option ``--phimaps-profile`` of the test run, else the variable
        ``PHIMAPS_PROFILE``, else "quick".

    Returns
    -------
    decorator
        For a test function of two arguments: the object, and the check to call on it.

    Raises
    ------
    ParameterError
        When the test function does not take two arguments; and as `check_feature_map`.

    Examples
    --------
    >>> from sklearn.preprocessing import MinMaxScaler, StandardScaler
    >>> @parametrize_with_checks([StandardScaler(), MinMaxScaler()])
    ... def test_my_maps(obj, check):
    ...     check(obj)
    """
    import pytest

    cases = []
    seen: dict[str, int] = {}
    for obj in objects:
        subject = (
            obj if isinstance(obj, Subject) else Subject(obj, domain, claims, fit_on, random_state)
        )
        allowed = expected(expected_failed_checks, subject.obj)
        # Ids are the same in every process: names and numbers, no addresses.
        seen[subject.name] = seen.get(subject.name, 0) + 1
        label = subject.name + (f"-{seen[subject.name]}" if seen[subject.name] > 1 else "")
        for check, claim in chosen(subject, checks, later=True):
            marks = []
            if check.name in allowed:
                marks.append(pytest.mark.xfail(reason=allowed[check.name], strict=False))
            told = f"{check.name}[{claim!r}]" if claim is not None else check.name
            bound = Bound(check, claim, subject, profile, random_state)
            cases.append(pytest.param(subject.obj, bound, marks=marks, id=f"{label}-{told}"))

    def decorate(test: Any) -> Any:
        names = [p for p in inspect.signature(test).parameters if p != "self"]
        if len(names) < 2:
            raise ParameterError(
                f"{test.__name__} does not take an object and a check.",
                got=f"the arguments {names}",
                need="two arguments: the object, and the check to call on it",
                do="def test_my_maps(obj, check): check(obj)",
            )
        return pytest.mark.parametrize(names[:2], cases)(test)

    return decorate
