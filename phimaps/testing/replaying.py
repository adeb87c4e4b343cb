"""`replay`: one failing example, run again."""

from __future__ import annotations

from typing import Any

from ..errors import ParameterError
from .running import DECIDED, chosen, profile_named
from .subject import Subject
from .trial import Source, Trial
from .written import as_drawn, unpacked

__all__ = ["replay"]


def replay(check: str, obj: Any, *drawn: Any, packed: str = "", domain: Any = None,
           claims: Any = None, fit_on: Any = None, profile: str | None = None,
           random_state: int = 0) -> None:  # fmt: skip
    """Run one example of a check again, as the line printed with a failure does.

    Parameters
    ----------
    check : str
        Its name.
    obj : object
        What is tested.
    *drawn : lists or arrays
        What the check drew.
    packed : str, optional
        The same, packed, where it is long.
    domain, claims, fit_on, profile, random_state
        As of `check_feature_map`; the claim that failed must be among the claims.

    Raises
    ------
    CheckFailed
        When it fails again. When it passes, nothing happens.
    ParameterError
        When there is no such check, or the draws are not those of the check.

    Examples
    --------
    >>> import torch
    >>> replay("check_finite", torch.log, [[0.0]], domain=[[0.0], [1.0]])
    Traceback (most recent call last):
        ...
    phimaps.testing.check.CheckFailed: ...
    """
    subject = (
        obj if isinstance(obj, Subject) else Subject(obj, domain, claims, fit_on, random_state)
    )
    values = list(unpacked(packed)) if packed else list(drawn)
    for known, claim in chosen(subject, [check], later=check == DECIDED.name):
        left = values.copy()

        def draw(source: Source, left: list[Any] = left) -> Any:
            if not left:
                raise ParameterError(
                    f"{check} draws more than it was given.",
                    got=f"{len(values)} draws",
                    need="those of the line that was printed",
                    do="paste the whole line; it belongs to one version of the library",
                )
            return as_drawn(left.pop(0), subject)

        value = getattr(claim, "value", None)
        known.run(Trial(subject, known, value, profile_named(profile), random_state, draw))
