"""How near a model class behind a map comes to targets: proofs, witnesses, and measured errors."""

from __future__ import annotations

from math import inf, isfinite, log
from numbers import Real
from typing import Any

from ..decide import decide
from ..drawn import seed_of
from ..errors import ContradictionError, OperandError, ParameterError, show
from ..models import Pullback
from ..proof import Verdict
from ..property import Universal
from .fibres import closed_on
from .report import Report, Row
from .study import LEFT, Clock, Study, size_of
from .targets import given

__all__ = ["universality"]

CONFIDENCE = 0.95


def universality(
    pulled: Any,
    on: Any,
    targets: Any = None,
    budget: float = 60.0,
    tolerance: float = 0.25,
    random_state: Any = 0,
) -> Report:
    """How near F_φ = {f∘φ : f ∈ F} comes to targets on K, from below and from above.

    For each target g the best error inf_f sup_K |f∘φ - g| is bracketed. From below stand pairs that
    φ merges, which bind every class, and measures that annihilate a class of finite dimension, with
    its exact best approximation. From above stand errors that were reached on points finer than
    those that functions were chosen on: of growing spans of rectified features of φ where F is
    known to be dense in C(R^d), then of members that F itself fits. The same is done with the
    identity in place of φ.

    The verdict is what `decide` proves or refutes. Where it has no answer, a merged pair refutes,
    and errors do not: if all are small, the class is *consistent at resolution ε on K*, else the
    result is *inconclusive*, however flat the errors.

    Parameters
    ----------
    pulled : Pullback
        ``F @ phi``, with φ closed or fitted.
    on : Space
        K, compact.
    targets : callable, map, or list or dict of these, optional
        g on points of shape (n, *point). Default: distances to points, random functions of slope 1,
        draws of Gaussian processes, products of coordinates, and the ones that the class or the
        map is worst at, where these are known.
    budget : float, default 60
        Seconds of processor time. What is not begun by then is left out, and said; a member that is
        being fitted, or a search, is finished, and how long it took in all is said. Within the
        budget the result does not depend on the machine.
    tolerance : float, default 0.25
        The greatest ε, as a part of the error of the best constant, that is called consistent.
    random_state : int, Generator or None, default 0
        Seed of the targets, the spans and the points drawn.

    Returns
    -------
    Report

    Raises
    ------
    OperandError, UnboundError
        When it is not asked about a model class behind a closed or fitted map.
    ParameterError, DomainError
        When K is not compact, or the map not defined on it, or a parameter out of range.
    InputError, ShapeError
        When features, or a target, are not finite on K.
    ContradictionError
        When a bound from below exceeds an error that was reached: a declaration, or the library, is
        wrong.

    Notes
    -----
    ε is the greatest error on the net and on m fresh points. A random point of K exceeds the
    greatest of m independent errors with probability p or more only with a chance of at most
    (1 - p)^m <= e^{-pm}: so with confidence 1 - β its probability is at most ln(1/β)/m. That is a
    statement about measure, not about the sup norm.

    Examples
    --------
    >>> import phimaps as pm
    >>> square = pm.models.MLP() @ pm.Power(2)
    >>> report = universality(square, on=pm.Box([-1.0], [1.0]), targets=lambda x: x[:, 0])
    >>> report.verdict
    'refuted (witness)'
    >>> 0.99 < report.lower <= report.upper < 1.01
    True
    """
    _check(pulled, budget, tolerance)
    phi = closed_on(vars(pulled).get("map_", pulled.map), on, "universality")
    pulled = Pullback(pulled.model, phi)
    pulled.check_parameters()
    clock, seed = Clock(float(budget)), seed_of(random_state)
    own = None if targets is None else given(targets, on)
    decision = decide(pulled, Universal, on=on)
    study = Study(pulled.model, phi, on, clock, seed, decision.witness)
    rows = study.rows(study.goals() if own is None else own)
    _agrees(decision, rows)
    eps, fresh = study.resolution()
    witness, verdict = _verdict(decision, study, rows, eps, tolerance)
    if clock.over:
        study.notes.append(
            f"{clock.spent:.3g} s of processor time were used of a budget of {clock.budget:.3g} s, "
            "as what has begun is finished"
        )
    beta = 1 - CONFIDENCE
    return Report(
        subject=repr(pulled),
        on=repr(on),
        verdict=verdict,
        decision=decision,
        rows=tuple(rows),
        eps=eps,
        tolerance=float(tolerance),
        training=len(study.training) if rows else 0,
        net=len(study.net) if rows else 0,
        radius=study.radius,
        fresh=fresh,
        confidence=CONFIDENCE,
        exceeded=log(1 / beta) / fresh if fresh else inf,
        witness=witness,
        notes=tuple(dict.fromkeys(study.notes)),
    )


def _check(pulled: Any, budget: Any, tolerance: Any) -> None:
    if not isinstance(pulled, Pullback):
        raise OperandError(
            "universality is about a model class behind a map.",
            got=show(pulled),
            need="F @ phi, with a class of pm.models and a closed or fitted map",
            do="pm.check.universality(pm.models.MLP() @ phi, on=space)",
        )
    for name, value in (("budget", budget), ("tolerance", tolerance)):
        if not isinstance(value, Real) or not 0 < float(value) < inf:
            raise ParameterError(
                f"The '{name}' parameter of universality is a positive number.",
                got=f"{name}={show(value)}",
                need="seconds of processor time" if name == "budget" else "an ε > 0",
                do="budget=60.0" if name == "budget" else "tolerance=0.25",
            )


def _agrees(decision: Verdict, rows: list[Row]) -> None:
    for row in rows:
        if decision.holds and row.below is not None and row.below.certified:
            if row.lower <= LEFT * size_of(row):
                continue
            raise ContradictionError(
                f"{decision.subject} is proved to be universal, and stays away from a target.",
                got=f"an error of at least {row.lower:.6g} for {row.target!r}: {row.because}",
                need="assumptions and declared facts that agree with what is proved",
                do="remove the assumption or the declaration that is wrong",
            )


def _verdict(
    decision: Verdict, study: Study, rows: list[Row], eps: float, tolerance: float
) -> tuple[Any, str]:
    if decision.holds is True:
        return None, "proved"
    merged = study.merged[0].witness if study.merged else None
    if decision.holds is False:
        # What shows in floating point alone refutes nothing; here a proof says that it is there.
        shown = [r.below for r in rows if r.below is not None and r.lower > LEFT * size_of(r)]
        worst = max(shown, key=lambda b: b.value, default=None)
        measured = worst.witness if worst is not None else study.spare
        witness = decision.witness or merged or measured
        return witness, "refuted (witness)" if witness is not None else "refuted (by theorem)"
    if merged is not None:
        return merged, "refuted (witness)"
    if not rows:
        study.notes.append("nothing was measured within the budget: there is nothing to say")
    if rows and eps <= tolerance and not study.cut:
        return None, f"consistent at resolution {eps:.2g} on {study.on!r}"
    if rows and not isfinite(eps):
        study.notes.append("of some target no finite error was reached")
    elif rows and eps > tolerance:
        study.notes.append(
            f"some target is missed by {eps:.2g} of the error of a constant, more than the "
            f"tolerance of {tolerance:.2g}: that refutes nothing, as more capacity may reach it"
        )
    return None, "inconclusive"
