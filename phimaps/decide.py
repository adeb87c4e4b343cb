"""`decide`: prove, refute or leave open that a map has a property."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite
from numbers import Real
from typing import Any

from .errors import (
    ContradictionError,
    DomainError,
    OperandError,
    ParameterError,
    ShapeError,
    UnboundError,
)
from .kernels import Kernel
from .map import FeatureMap, as_map, show
from .proof import Proof, Verdict
from .property import PROPERTIES, Property
from .rounded import DTYPES, prove_rounded, unanswered
from .search import Search
from .spaces import Space
from .theorem import TABLE, Theorem

__all__ = ["decide"]


def decide(
    phi: Any,
    goal: Any,
    on: Space | None = None,
    table: list[Theorem] | Search | None = None,
    arithmetic: str = "real",
) -> Verdict:
    """Prove, refute or leave open that φ has a property on a space.

    Parameters
    ----------
    phi : FeatureMap, model class pulled back (``F @ phi``), Kernel, transformer, module or function
        A fitted map is asked about as what it was fitted to.
    goal : Property
        ``pm.Injective``, ``pm.Lipschitz`` (is there a constant, and which?),
        ``pm.Lipschitz(2.0)`` (is 2 a constant?), ...
    on : Space, optional
        Where. Default: the map's own domain, if it has one.
    table : list of Theorem, or Search, optional
        The rows to use; default: all of the library's.
    arithmetic : {"real", "float64", "float32"}, default "real"
        ``"real"`` asks about φ. The others ask about φ as it is computed in that precision, on the
        numbers of that precision in the space: tanh(10 x) is injective, and not in float64.

    Returns
    -------
    Verdict

    Raises
    ------
    OperandError
        When `phi` is not a map or `goal` not a property, or not one that `phi` may have.
    ParameterError
        When no space is given and the map fixes none.
    ShapeError, DomainError
        When the space does not fit the map, or a part of it lies where φ is not defined.
    ContradictionError
        When an assumption contradicts what is proved.

    Examples
    --------
    >>> import phimaps as pm
    >>> print(decide(pm.Tanh() @ pm.Abs(), pm.Injective, on=pm.Box([0.0], [1.0])))
    Tanh() @ Abs() is Injective on Box([0], [1]): proved, by theorem
      Tanh() @ Abs() is injective on Box([0], [1]): a composition of injective maps is injective ...
        Abs() is injective on Box([0], [1]): abs is strictly monotone on each range (by theorem)
        Tanh() is injective on Box([0], [1]): tanh is strictly monotone on each range (by theorem)
    """
    phi, goal = _subject(phi), _goal(goal)
    _check_arithmetic(arithmetic)
    _check_kind(phi, goal, arithmetic)
    phi.check_parameters()
    on = _space(phi, on)
    search = table if isinstance(table, Search) else Search(TABLE if table is None else table)

    def prove(claim: Property) -> Proof | None:
        if arithmetic == "real":
            return search.prove(phi, claim, on)
        return prove_rounded(search, phi, claim, on, arithmetic)

    try:
        _inside(phi, on)
        if arithmetic != "real" and not phi.closed:
            return Verdict(
                repr(phi), goal, repr(on), None, missing=("phi.bind(X)",), arithmetic=arithmetic
            )
        plus = prove(replace(goal, holds=True, bound=None))
        minus = prove(replace(goal, holds=False, bound=None))
    except UnboundError as error:
        # Inside an open map there may be no saying where its parts are asked.
        return Verdict(repr(phi), goal, repr(on), None, missing=(f"phi.bind(X): {error.what}",))
    holds, value = _weigh(goal, plus, minus)
    if plus is not None and minus is not None and (value is None or value[0] > value[1]):
        raise ContradictionError(
            f"{phi!r} is both proved and refuted to be {goal!r}.",
            got=f"{plus.reason.text}; and: {minus.reason.text}",
            need="assumptions and declared facts that agree with what is proved",
            do="remove the assumption or the declaration that is wrong",
        )
    if not goal.holds:
        holds = None if holds is None else not holds
    missing: tuple[str, ...] = ()
    check = ""
    if holds is None:
        if arithmetic == "real" and phi.closed:
            word = "kernel" if isinstance(phi, Kernel) else "phi"
            check = f"phimaps.testing.falsify({word}, pm.{replace(goal, holds=True)!r}, on=space)"
        if arithmetic == "real":
            missing = tuple(search.missing(phi, replace(goal, holds=True, bound=None), on))
        else:
            missing = (unanswered(goal, arithmetic),)
    proofs = tuple(p for p in (plus, minus) if p is not None)
    return Verdict(repr(phi), goal, repr(on), holds, proofs, value, missing, arithmetic, check)


def _goal(goal: Any) -> Property:
    goal = getattr(goal, "as_property", goal)
    if not isinstance(goal, Property):
        raise OperandError(
            "decide asks about a property.",
            got=show(goal),
            need="phimaps.Injective, phimaps.Lipschitz, phimaps.Continuous, ...",
            do="pm.decide(phi, pm.Injective, on=space)",
        )
    if goal.takes == "degree" and not (isinstance(goal.about, Real) and isfinite(goal.about)):
        raise ParameterError(
            f"{goal.name} is about a degree.",
            got=show(goal.about),
            need="a finite number",
            do=f"pm.{goal.name}(2)",
        )
    if goal.takes == "motion":
        listed = goal.about if isinstance(goal.about, tuple | list) else (goal.about,)
        moved = [as_map(m) for m in listed]
        if not moved or any(m is None for m in moved):
            raise ParameterError(
                f"{goal.name} is about a motion of the space.",
                got=show(goal.about),
                need="a map T of the space to itself, or a tuple of maps that generate a group",
                do="pm.Invariant(pm.Select([1, 0]))",
            )
        goal = goal(tuple(moved) if isinstance(goal.about, tuple | list) else moved[0])
    return goal


def _check_arithmetic(arithmetic: Any) -> None:
    if arithmetic != "real" and arithmetic not in DTYPES:
        raise ParameterError(
            "A question is asked in one of three arithmetics.",
            got=f"arithmetic={show(arithmetic)}",
            need="'real', 'float64' or 'float32'",
            do="decide(phi, goal, on=space, arithmetic='float64')",
        )


# What the properties of each kind are asked of.
SUBJECTS = {"map": "a feature map", "class": "a class of functions", "kernel": "a kernel"}


def _check_kind(phi: Any, goal: Property, arithmetic: str) -> None:
    kernel = isinstance(phi, Kernel)
    if kernel != ("kernel" in goal.of) and (kernel or goal.of == ("kernel",)):
        kind = "kernel" if kernel else "map" if isinstance(phi, FeatureMap) else "class"
        fitting = ", ".join(p.name for p in PROPERTIES if "kernel" in p.of)
        raise OperandError(
            f"{goal.name} is a property of {SUBJECTS[goal.of[0]]}, not of {SUBJECTS[kind]}.",
            got=show(phi),
            need=f"one of {fitting}" if kernel else "a kernel",
            do=f"pm.decide(kernel, pm.{'Universal' if kernel else goal.name}, on=space)",
        )
    if kernel and arithmetic != "real":
        raise ParameterError(
            "Of a kernel as it is computed nothing is decided.",
            got=f"arithmetic={arithmetic!r} for {show(phi)}",
            need="arithmetic='real', or a map",
            do="decide(kernel.features(n), goal, on=space, arithmetic='float64')",
        )


def _subject(phi: Any) -> Any:
    if not hasattr(phi, "facts"):
        wrapped = as_map(phi)
        if wrapped is None:
            raise OperandError(
                "decide asks about a map.",
                got=show(phi),
                need="a map, F @ phi, a transformer, a torch module or a function",
                do="pm.decide(pm.from_function(f), pm.Injective, on=space)",
            )
        phi = wrapped
    return vars(phi).get("map_", phi) if isinstance(phi, FeatureMap) else phi


def _space(phi: Any, on: Space | None) -> Space:
    on = phi.domain if on is None else on
    if not isinstance(on, Space):
        raise ParameterError(
            "A property is asked about on a space.",
            got=f"on={on!r}",
            need="a phimaps space of the map's inputs",
            do="decide(phi, goal, on=pm.Box(low, high))",
        )
    if phi.takes is not None and phi.takes != on.shape:
        raise ShapeError(
            f"The map takes points of shape {phi.takes}, the space has points of shape {on.shape}.",
            got=f"{phi!r} on {on!r}",
            need=f"a space of shape {phi.takes}",
            do=f"on=pm.Euclidean({phi.takes[0] if len(phi.takes) == 1 else phi.takes})",
        )
    return on


def _inside(phi: Any, on: Space) -> None:
    outside = phi.undefined(on)
    if outside is not None:
        raise DomainError(
            f"{phi!r} is not defined on all of {on!r}.",
            got=outside,
            need="a space inside the map's domain",
            do="a smaller space, or a map that brings the points into the domain first",
        )


def _weigh(
    goal: Property, plus: Proof | None, minus: Proof | None
) -> tuple[bool | None, tuple[float, float] | None]:
    if goal.quantity is None:
        return (None if plus is None and minus is None else plus is not None), None
    positive = replace(goal, holds=True)
    bounds = {True: inf, False: 0.0}
    for proof, claim in ((plus, positive), (minus, ~positive)):
        if proof is not None and proof.number is not None:
            bounds[claim.upper] = proof.number
    low, high = bounds[False], bounds[True]
    if goal.bound is None:
        if plus is not None:
            return True, (low, high)
        settled = minus is not None and (~positive).settles(minus.number or 0.0)
        return (False if settled else None), (low, high)
    asked = goal.number
    if goal.quantity == "least":
        return (True if high <= asked else False if low > asked else None), (low, high)
    return (True if low >= asked else False if high < asked else None), (low, high)
