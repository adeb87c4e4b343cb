"""Running checks: examples drawn, failures shrunk, and written as a line that replays them."""

from __future__ import annotations

import copy
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from ..drawn import generator
from ..errors import ParameterError, show
from .check import CHECKS, FACETS, Check, CheckFailed
from .checks.claimed import claims_of
from .subject import Subject
from .trial import PROFILES, Profile, Skipped, Source, Trial
from .written import line

__all__ = ["DECIDED", "Outcome", "chosen", "profile_named", "run"]

# Failures of objects slower than this, in seconds an example, are not shrunk.
SLOW = 0.1


@final
@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Parameters
    ----------
    check : str
        Its name.
    law : str
        What it tests, in words.
    status : str
        "passed", "failed", "skipped", "failed as expected".
    claim : str
        The claim that it tested; empty for one that is always run.
    message : str
        Why it failed, or was skipped.
    replay : str
        A line that runs the failing example again.
    examples : int
        How many examples were run.
    seconds : float
    error : Exception or None
        What was raised.
    """

    check: str
    law: str
    status: str
    claim: str = ""
    message: str = ""
    replay: str = ""
    examples: int = 0
    seconds: float = 0.0
    error: Exception | None = None

    @property
    def title(self) -> str:
        """The check, with the claim that it tested."""
        return f"{self.check}[{self.claim}]" if self.claim else self.check

    def __str__(self) -> str:
        lines = [f"{self.status}: {self.title}"]
        if self.message:
            lines += ["  " + line for line in self.message.split("\n")]
        if self.replay:
            lines.append(f"  replay: {self.replay}")
        return "\n".join(lines)


def profile_named(name: str | None) -> Profile:
    """A profile by name: "quick", "ci" or "thorough"; None is that of the test run, else "quick".

    Raises
    ------
    ParameterError
        When there is no such profile.
    """
    from .session import asked_profile

    name = asked_profile() if name is None else name
    if name not in PROFILES:
        raise ParameterError(
            f"There is no profile {show(name)}.",
            got=f"profile={show(name)}",
            need=", ".join(PROFILES),
            do="profile='ci' tries five times as hard as 'quick', 'thorough' fifty times",
        )
    return PROFILES[name]


def chosen(subject: Subject, names: Any = None, later: bool = False) -> list[tuple[Check, Any]]:
    """The checks to run on a subject, each with the claim that it tests, or None.

    Parameters
    ----------
    subject : Subject
    names : list of str, optional
        Only the checks of these names.
    later : bool, default False
        For a test run that collects its tests: leaves it to one check to find out what the library
        proves of a map, which takes time, and leaves out what certainly would be skipped.

    Raises
    ------
    ParameterError
        When there is no check of such a name, or none for one of the claims.
    """
    from . import checks as checks  # Importing them enters them.

    if names is not None:
        unknown = [n for n in names if n not in CHECKS and n != DECIDED.name]
        if unknown:
            raise ParameterError(
                f"There is no check {unknown[0]!r}.",
                got=f"checks={show(list(names))}",
                need="names of checks, such as check_rows; phimaps.testing.CHECKS has them all",
                do="checks=['check_rows'], or leave it out to run all",
            )
    undecided = later and subject.claims is None and subject.kind == "map"
    claims = [] if undecided else _claims(subject)
    for claim in claims:
        tested = any(c.claim == claim.name for c in CHECKS.values())
        if claim.source == "given" and not tested:
            raise ParameterError(
                f"No check tests the claim {claim.name!r}.",
                got=f"claims={show(subject.claims)}",
                need="a property, or a name that a check was registered for",
                do=f"register_check(claim={claim.name!r}) enters one",
            )
    listed: list[tuple[Check, Any]] = []
    for check in CHECKS.values():
        if names is not None and check.name not in names:
            continue
        if later and _seen_missing(check, subject):
            continue
        if check.claim is None:
            listed.append((check, None))
        else:
            listed += [(check, claim) for claim in claims if claim.name == check.claim]
    if undecided and (names is None or DECIDED.name in names):
        listed.append((DECIDED, None))
    return listed


def _seen_missing(check: Check, subject: Subject) -> bool:
    """Whether it is seen without evaluating anything that the subject lacks a facet."""
    lacking = set(check.needs) - subject.plain_facets
    evaluated = {"tensors", "gradient"} if subject.kind != "transformer" else set()
    return bool(lacking - evaluated)


def check_decided_claims(trial: Trial) -> None:
    """What the library proves of a map stands every attack."""
    # A subject of its own: what attacks remember ends with it.
    subject = copy.copy(trial.subject)
    for check, claim in chosen(subject):
        if claim is None:
            continue
        outcome = run(check, subject, claim, trial.profile, trial.seed)
        if outcome.error is not None:
            outcome.error.add_note(f"{outcome.title}\n  replay: {outcome.replay}")
            raise outcome.error


DECIDED = Check("check_decided_claims", check_decided_claims, once=True)


def _claims(subject: Subject) -> list[Any]:
    # What is proved is proved of the map that is tested, fitted as it is.
    def fitted() -> Any:
        return subject.fresh().obj

    return claims_of(subject.obj, subject.claims, subject.domain, fitted)


# --- one check ---------------------------------------------------------------------------------
@final
class _Run:
    """The examples of one check, and the last that failed."""

    def __init__(self, check: Check, subject: Subject, claim: Any, profile: Profile, seed: int):
        self.check, self.subject, self.claim = check, subject, claim
        self.profile, self.seed = profile, seed
        self.examples = 0
        self.skipped: str | None = None
        self.failed: tuple[Exception, list[Any]] | None = None

    def example(self, draw: Callable[[Source], Any]) -> None:
        value = getattr(self.claim, "value", None)
        trial = Trial(self.subject, self.check, value, self.profile, self.seed, draw)
        self.examples += 1
        try:
            self.check.run(trial)
        except Skipped as reason:
            self.skipped = str(reason)
        except Exception as error:
            if _of_hypothesis(error):
                raise
            self.failed = (error, trial.drawn)
            raise

    def by_chance(self, times: int) -> None:
        for k in range(times):
            rng = generator((self.seed, k))
            self.example(lambda source, rng=rng: source.sample(rng))  # type: ignore[misc]
            if self.skipped is not None:
                return

    def by_hypothesis(self, shrink: bool) -> None:
        from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings, strategies

        phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]

        @seed(self.seed)
        @settings(
            max_examples=self.profile.examples,
            phases=phases,
            # Nothing is kept from run to run, and slow objects are no fault.
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
            verbosity=Verbosity.quiet,
        )
        @given(strategies.data())
        def examples(data: Any) -> None:
            if self.skipped is None:
                self.example(lambda source: data.draw(source.strategy()))

        examples()


def run(
    check: Check, subject: Subject, claim: Any = None, profile: Profile | None = None, seed: int = 0
) -> Outcome:
    """Run one check on a subject.

    Parameters
    ----------
    check : Check
    subject : Subject
    claim : Claim, optional
    profile : Profile, optional
        Default: "quick".
    seed : int, default 0

    Returns
    -------
    Outcome
    """
    profile = profile if profile is not None else PROFILES["quick"]
    told = "" if claim is None else repr(claim)
    start = time.perf_counter()

    def outcome(status: str, **more: Any) -> Outcome:
        seconds = time.perf_counter() - start
        return Outcome(check.name, check.law, status, told, seconds=seconds, **more)

    missing = _missing(check, subject)
    if missing is not None:
        return outcome("skipped", message=missing)
    runner = _Run(check, subject, claim, profile, seed)
    try:
        if check.once:
            runner.by_chance(1)
        elif importlib.util.find_spec("hypothesis") is None:
            runner.by_chance(profile.examples)
        else:
            try:
                _drawn_and_shrunk(runner, start)
            except Exception as error:
                if runner.failed is not None or not _of_hypothesis(error):
                    raise
                # An object that answers otherwise each time may not draw the same twice.
                runner.by_chance(profile.examples)
    except Exception as error:
        if runner.failed is None:
            raise
        cause = runner.failed[0]
        # Where the same draws do not fail again, hypothesis says so; what failed is what counts.
        unsteady = error is not cause and type(error).__name__.startswith("Flaky")
        return outcome(
            "failed",
            message=_told(cause, unsteady),
            replay=line(subject, check, claim, runner.failed[1], profile.name, seed),
            examples=runner.examples,
            error=cause,
        )
    if runner.skipped is not None:
        return outcome("skipped", message=runner.skipped)
    return outcome("passed", examples=runner.examples)


def _of_hypothesis(error: Exception) -> bool:
    return type(error).__module__.startswith("hypothesis")


def _drawn_and_shrunk(runner: _Run, start: float) -> None:
    try:
        runner.by_hypothesis(shrink=False)
    except Exception:
        if runner.failed is None:
            raise
        each = (time.perf_counter() - start) / max(runner.examples, 1)
        if each > SLOW:
            raise
        # The same seed meets the same example, and this time it is made smaller.
        runner.by_hypothesis(shrink=True)
        # It passes now: the object answers differently each time.
        raise


def _missing(check: Check, subject: Subject) -> str | None:
    try:
        lacking = [f for f in check.needs if not subject.has(f)]
    except Exception as error:
        return f"the object cannot be evaluated: {type(error).__name__}: {error}"
    return FACETS[lacking[0]] if lacking else None


def _told(error: Exception, unsteady: bool) -> str:
    own = isinstance(error, CheckFailed)
    text = str(error) if own else f"It raised {type(error).__name__}: {error}"
    return text + ("\n  It does not fail each time on the same rows." if unsteady else "")
