"""`falsify`: the strongest reasonable numerical attack on each signed claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

from ..errors import OperandError, ParameterError
from ..kernels import Kernel
from ..map import FeatureMap, show
from ..models.family import FamilyPullback
from ..proof import Verdict
from ..property import Characteristic, Property, Universal
from ..spaces import Space
from ..witness import Witness
from .collide import injective
from .density import about, subject, universal
from .embedding import approximately_invariant, homeomorphism, uap_invariant
from .evidence import Counterexample, undefined_point
from .gram import KERNEL_ATTACKS, attack
from .image import onto, proper
from .measurable import borel
from .measured import evaluated, measured
from .metric import bounded, lipschitz
from .probe import Probe
from .shrink import shrink
from .smoothness import smooth
from .symmetry import homogeneous, invariant
from .topology import affine, continuous
from .upgrades import of_members

__all__ = ["ATTACKS", "claims", "falsify"]

Attack = Callable[[Probe, Property, float], Counterexample | None]

# One attack for each property; it takes either sign of the claim.
ATTACKS: dict[str, Attack] = {
    "Affine": affine,
    "ApproximatelyUAPInvariant": approximately_invariant,
    "ApproximatelyUniversal": universal,  # type: ignore[dict-item]
    "Borel": borel,
    "Bounded": bounded,
    "Continuous": continuous,
    "DenseImage": onto,
    "Homeomorphism": homeomorphism,
    "Injective": injective,
    "Invariant": invariant,
    "Lipschitz": lipschitz,
    "LowerLipschitz": lipschitz,
    "LpUniversal": universal,  # type: ignore[dict-item]
    "PositivelyHomogeneous": homogeneous,
    "Proper": proper,
    "Smooth": smooth,
    "Surjective": onto,
    "UAPInvariant": uap_invariant,
    "Universal": universal,  # type: ignore[dict-item]
}

# The properties that are about distances.
METRIC = ("Lipschitz", "LowerLipschitz")
# The properties whose refutation may come with two points that φ merges.
WITNESSED = ("ApproximatelyUAPInvariant", "Homeomorphism", "Injective", "UAPInvariant")


def claims(verdict: Verdict) -> list[Property]:
    """The signed claims that a verdict makes.

    Parameters
    ----------
    verdict : Verdict

    Returns
    -------
    list of Property
        For a property with a number, one claim for each end of the interval that says something.

    Examples
    --------
    >>> import phimaps as pm
    >>> claims(pm.decide(pm.Relu(), pm.Lipschitz, on=pm.Box([-1.0], [1.0])))
    [Lipschitz(1), ~Lipschitz(1)]
    """
    goal = verdict.goal.base
    if goal.quantity is None:
        if verdict.holds is None:
            return []
        return [goal if verdict.holds == verdict.goal.holds else ~goal]
    if verdict.value is None:
        return []
    low, high = verdict.value
    upper, lower = (goal, ~goal) if goal.quantity == "least" else (~goal, goal)
    made = [claim(end) for claim, end in ((upper, high), (lower, low)) if not claim.trivial(end)]
    return sorted(made, key=lambda claim: not claim.holds)


def of_family(
    phi: FamilyPullback, on: Space, claim: Property, random_state: int, budget: float
) -> Counterexample | None:
    """Attack what is claimed of affine functions of a family, by what its kernel sees.

    The constants are among them: so only measures of total mass 0 count against it.
    """
    kernel = phi.kernel_on(on)
    if kernel is None or not about(claim):
        trained = phi.family.trained and about(claim)
        return of_members(phi, on, claim, random_state, budget) if trained else None
    # Of an open kernel the claim is made whatever its numbers.
    kernel = kernel if kernel.closed else kernel.bind(on.sample(256, random_state))
    about_kernel = Characteristic if claim.holds else ~Universal
    found = attack(kernel, on, about_kernel, None, random_state, budget, None)
    return None if found is None else replace(found, claim=repr(claim))


def falsify(
    phi: Any,
    goal: Any,
    on: Space | None = None,
    random_state: int = 0,
    budget: float = 1.0,
    witness: Witness | None = None,
    probe: Probe | None = None,
    distance: Any = None,
) -> Counterexample | None:
    """Try to contradict a signed claim by computation, without the library's own reasoning.

    Rounding cannot raise a false alarm: what floating point suggests is computed again with more
    digits. Where no formula for that is known, the wobble of the values is allowed for, jumps must
    be steps between two limits, and points with equal values must stand on plateaus that end in a
    kink or a step, or move with the points around them: tanh, however saturated, does neither. A
    claim that something exists (``~Lipschitz(2)``: the constant reaches 2) is contradicted by not
    finding it; such an answer says ``certain=False``.

    Parameters
    ----------
    phi : FeatureMap, transformer, module, function, model class pulled back, or Kernel
        Closed, or fitted. A function takes tensors, or arrays, of shape (n, *point).
    goal : Property
        The claim: ``pm.Injective``, ``~pm.Injective``, ``pm.Lipschitz(2.0)``, ``~pm.Lipschitz(2)``.
    on : Space, optional
        Default: the map's own domain.
    random_state : int, default 0
    budget : float, default 1
        Scales the search; 1 takes some tens of milliseconds for a small map.
    witness : Collision or AnnihilatingMeasure, optional
        Two points that φ merges, or a measure that a kernel does not see, for ``~Injective``,
        ``~Universal`` and others that it settles: the witness to test instead.
    probe : Probe, optional
        To share evaluations between several attacks on one map and space.
    distance : callable, optional
        For `Lipschitz` and `LowerLipschitz` another distance than that of the space: of two batches
        of points, arrays or tensors, to a number for each pair.

    Returns
    -------
    Counterexample or None
        With points that are simple: their coordinates were set to 0 and rounded as long as the
        counterexample stands, checked again each time.

    Raises
    ------
    OperandError
        When `goal` is not a property, or not one that there is an attack on, or `phi` no map.
    UnboundError
        When the map is not fitted.
    ParameterError
        When no space is given and the map fixes none, a model class is missing, or a distance is
        given for a property that is about none, or gives no numbers.

    Examples
    --------
    >>> import phimaps as pm
    >>> print(falsify(pm.Relu(), pm.Injective, on=pm.Box([-1.0], [1.0])))
    Injective is contradicted: φ(x) = φ(y): equal to 1500 digits at ...
    >>> falsify(pm.Tanh(), pm.Injective, on=pm.Box([40.0], [50.0])) is None
    True
    >>> import numpy as np
    >>> print(falsify(lambda x: np.round(x, 2), pm.Continuous, on=pm.Box([0.0], [1.0])))
    Continuous is contradicted: φ jumps by 0.01 between neighbours at ...
    """
    claim = getattr(goal, "as_property", goal)
    if not isinstance(claim, Property):
        raise OperandError(
            "falsify attacks a claim.",
            got=show(goal),
            need="a signed property, such as pm.Injective or ~pm.Lipschitz(2.0)",
            do="falsify(phi, pm.Injective, on=space)",
        )
    attacks = KERNEL_ATTACKS if isinstance(phi, Kernel) else ATTACKS
    if claim.name not in attacks:
        raise OperandError(
            f"There is no attack on {claim.name}.",
            got=f"{claim!r} of {show(phi)}",
            need=", ".join(attacks),
            do="falsify another claim, or add an attack to the table that has these",
        )
    on = on if on is not None else getattr(phi, "domain", None)
    if on is None:
        raise ParameterError(
            "A claim is attacked on a space.",
            got=f"on={on!r}",
            need="a phimaps space of the map's inputs",
            do="falsify(phi, goal, on=pm.Box(low, high))",
        )
    if isinstance(phi, FamilyPullback):
        return of_family(phi, on, claim, random_state, budget)
    if isinstance(phi, Kernel):
        return attack(phi, on, claim, witness, random_state, budget, probe)
    if distance is not None and claim.name not in METRIC:
        raise ParameterError(
            f"{claim.name} is about no distance.",
            got=f"distance={show(distance)}",
            need=" or ".join(METRIC),
            do="leave it out: continuity and injectivity are the same for all distances of a space",
        )
    if isinstance(phi, FeatureMap) or not hasattr(phi, "facts"):
        inner, model = evaluated(phi, on), None
    else:
        inner, model = subject(phi)
        inner = evaluated(inner, on)
    if probe is None:
        probe = Probe(inner, measured(on, distance), random_state, budget)
    found = _attacked(probe, claim, model, witness)
    return None if found is None else shrink(found, probe, claim)


def _attacked(
    probe: Probe, claim: Property, model: Any, witness: Witness | None
) -> Counterexample | None:
    if claim.holds and (missing := undefined_point(probe)) is not None:
        return Counterexample(repr(replace(claim)), missing[1], (missing[0],))
    number = _number(claim)
    if about(claim):
        if model is None:
            raise ParameterError(
                "Universality is a property of a model class pulled back by a map.",
                got=show(probe.phi),
                need="F @ phi",
                do="falsify(pm.models.MLP() @ phi, pm.Universal, on=space)",
            )
        return universal(probe, claim, number, model, witness)  # type: ignore[arg-type]
    if claim.name in WITNESSED:
        return ATTACKS[claim.name](probe, claim, number, witness)  # type: ignore[call-arg]
    if claim.name == "Smooth":
        return smooth(probe, claim, number)
    if claim.quantity is not None and claim.holds and claim.bound is None:
        # Without a number: that the least is finite, or the greatest positive.
        claim = ~claim
        sought = inf if claim.quantity == "least" else 0.0
        reached = ATTACKS[claim.name](probe, claim(sought), sought) is None
        return (
            Counterexample(repr(~claim), "the search finds no bound", certain=False)
            if reached
            else None
        )
    return ATTACKS[claim.name](probe, claim, number)


def _number(claim: Property) -> float:
    if claim.quantity is None:
        return 0.0
    if claim.bound is None:
        return inf if claim.quantity == "least" else 0.0
    return claim.number
