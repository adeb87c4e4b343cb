"""Checks: what they are, how they are registered, and what a failure says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from ..errors import ParameterError, show

__all__ = ["CHECKS", "FACETS", "Check", "CheckFailed", "register_check"]

# What a check may need of its subject, and what is said where it is missing.
FACETS = {
    "estimator": "it is no estimator with fit and transform",
    "fit": "it has no fit",
    "gradient": "it has no gradient",
    "inverse": "it has no inverse",
    "map": "it is no map of phimaps",
    "module": "it is no torch module",
    "names": "it gives no names to its features",
    "numbers": "its rows are not all numbers",
    "params": "it has no get_params and set_params",
    "space": "its domain has no distance",
    "tensors": "it does not take tensors",
}


@final
class CheckFailed(AssertionError):
    """A law that does not hold: what was seen, with its numbers; what is needed; what to do."""

    def __init__(self, what: str, *, got: str = "", need: str = "", do: str = ""):
        lines = [what]
        lines += [f"  {k:<5} {v}" for k, v in (("got:", got), ("need:", need), ("do:", do)) if v]
        super().__init__("\n".join(lines))
        self.what, self.got, self.need, self.do = what, got, need, do

    def __reduce__(self) -> Any:
        # Failures cross process borders, where only positional arguments are replayed.
        return _rebuild, (self.what, self.got, self.need, self.do)


def _rebuild(what: str, got: str, need: str, do: str) -> CheckFailed:
    return CheckFailed(what, got=got, need=need, do=do)


@final
@dataclass(frozen=True)
class Check:
    """One law, and the function that tests it on an example.

    Parameters
    ----------
    name : str
        The name of the function.
    run : callable
        Takes a `Trial`; raises where the law does not hold.
    claim : str or None
        The claim that it tests, such as ``"Injective"``; None: it is always run.
    needs : tuple of str
        The facets that the subject must have, see `FACETS`; else the check is skipped.
    once : bool
        Whether one run is enough, because nothing is drawn or the run draws enough by itself.
    """

    name: str
    run: Callable[[Any], None]
    claim: str | None = None
    needs: tuple[str, ...] = ()
    once: bool = False

    @property
    def law(self) -> str:
        """The law in words: the first line of the function's docstring."""
        return (self.run.__doc__ or self.name).strip().split("\n")[0]


CHECKS: dict[str, Check] = {}


def register_check(
    function: Callable[[Any], None] | None = None,
    *,
    claim: str | None = None,
    needs: tuple[str, ...] = (),
    once: bool = False,
) -> Any:
    """Enter a check in the list of those that are run; used as a decorator.

    Parameters
    ----------
    function : callable
        Takes a `Trial` and raises, best by ``trial.fail``, where the law does not hold. Its name
        becomes that of the check, the first line of its docstring the law.
    claim : str, optional
        The claim that it tests: the name of a property, or a name of your own, by which
        ``claims={name: value}`` asks for it. Default: it is always run.
    needs : tuple of str
        Facets that the subject must have, else the check is skipped and says why: "estimator",
        "fit", "gradient", "inverse", "map", "module", "names", "numbers", "params", "space",
        "tensors".
    once : bool, default False
        One run is enough; else it is run on as many examples as the profile says.

    Returns
    -------
    callable
        The function itself.

    Raises
    ------
    ParameterError
        When a facet is unknown, or a check of that name from another module is there.

    Examples
    --------
    >>> import numpy as np
    >>> from phimaps.testing import check_feature_map
    >>> @register_check(claim="non-negative")
    ... def check_non_negative(trial):
    ...     '''No feature is negative.'''
    ...     values = trial.fresh().features(trial.rows())
    ...     if (values < 0).any():
    ...         trial.fail("A feature is negative.", got=f"{values.min():g}", need=">= 0")
    >>> check_feature_map(np.abs, claims={"non-negative": True}).passed
    True
    >>> del CHECKS["check_non_negative"]
    """
    unknown = [f for f in needs if f not in FACETS]
    if unknown:
        raise ParameterError(
            f"There is no facet {unknown[0]!r} that a check could need.",
            got=f"needs={show(list(needs))}",
            need=", ".join(FACETS),
            do="register_check(needs=('gradient',))",
        )

    def enter(run: Callable[[Any], None]) -> Callable[[Any], None]:
        name = run.__name__
        known = CHECKS.get(name)
        if known is not None and known.run.__module__ != run.__module__:
            raise ParameterError(
                f"There is a check {name} already.",
                got=f"{name} of {run.__module__}",
                need="a name that no check of another module has",
                do="rename the function",
            )
        CHECKS[name] = Check(name, run, claim, tuple(needs), once)
        return run

    return enter if function is None else enter(function)
