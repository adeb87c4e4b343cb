"""When ρ∘F_φ is dense in the continuous functions into Y, for a readout ρ: R^n → Y, and when not.

`Readout` says what that means. Everything about Y comes from the readout's `Codomain`, or Y = R^m.
No proof asks whether the members of F_φ that come near are continuous, so each row is true in the
approximate sense as well; in the strict one ρ∘f∘φ is continuous as f∘φ is.
"""

from __future__ import annotations

from typing import Any

from ..decide import decide
from ..kernels import Kernel
from ..map import Part
from ..models.base import Model
from ..models.kernel_ridge import KernelSums
from ..models.linear import AffineFunctions
from ..models.lipschitz import LipschitzNet
from ..models.network import MLP
from ..models.polynomial import Polynomial, Polynomials
from ..models.pullback import Pullback
from ..models.readout import Readout
from ..property import ApproximatelyUniversal, Continuous, DenseImage, Injective, Universal
from ..spaces import Ball, Euclidean, Product, Simplex, Space, Sphere, Subspace
from ..spaces.boxes import Boxlike
from ..spaces.finite import Listed
from ..theorem import Case, Condition, Premise, theorem

# All members of these are continuous, whatever their parameters.
CONTINUOUS = (AffineFunctions, LipschitzNet, MLP, Polynomial, Polynomials)


def _map(case: Case) -> Any:
    """φ; where there is none, F itself, of which nothing is known as of a map."""
    inner = case.map.inner
    return vars(inner).get("map_", inner.map) if isinstance(inner, Pullback) else inner


def _model(case: Case) -> Model | None:
    inner = case.map.inner
    if isinstance(inner, Pullback):
        return inner.model
    return inner if isinstance(inner, Model) else None


def _codomain(case: Case) -> Any:
    return case.map.codomain


def _sectioned(case: Case) -> bool:
    codomain = _codomain(case)
    return codomain is not None and codomain.section


def _winds(case: Case) -> bool:
    codomain = _codomain(case)
    return codomain is not None and not codomain.section


def _simple(on: Space) -> bool:
    """Whether the space is a sum of open parts, path-connected also locally, without holes.

    A convex set is one such part, as is a sphere of dimension two or more; each point of a finite
    set is one; products of parts are parts.
    """
    if isinstance(on, Product):
        return all(_simple(part) for part in on.parts)
    if isinstance(on, Sphere):
        return on.size > 2
    return isinstance(on, Ball | Boxlike | Listed | Simplex | Subspace)


def _continuous(case: Case) -> bool:
    """Whether all members of F certainly are continuous."""
    model = _model(case)
    if isinstance(model, KernelSums):
        features: list[Part] = case.parts[-1].map.parts(case.on)
        kernel: Kernel = model.k
        if not features:
            return False
        # The centres may lie anywhere.
        everywhere = Euclidean(features[0].arrives.outer.shape)
        if kernel.undefined(everywhere) is not None:
            return False
        return bool(decide(kernel, Continuous, on=everywhere).holds is True)
    return isinstance(model, CONTINUOUS)


def _few(case: Case) -> bool:
    model, codomain = _model(case), _codomain(case)
    known = model is not None and codomain is not None and codomain.signs
    return known and bool(model.finite_dimensional)  # type: ignore[union-attr]


def _shows(case: Case) -> bool:
    model, codomain = _model(case), _codomain(case)
    if codomain is None:
        return False
    return bool(codomain.embeds or (codomain.differences and model is not None and model.linear))


WINDS = Condition("the readout winds R around a circle", _winds)

# Each row in both senses.
for sense, suffix in ((Universal, ""), (ApproximatelyUniversal, "-approximately")):
    theorem(
        f"readout-section{suffix}",
        sense,
        Readout,
        Premise("last", sense),
        Condition("the readout has a continuous section on what a collar leaves of Y", _sectioned),
        statement="targets that are lifted by a section, near to Y, are reached behind the readout",
        source=(
            "Kratsios and Bilokopytov 2020; g̃ = s∘r_t∘g is continuous, ρ∘g̃ = r_t∘g is as near to "
            "g as wanted for small t, and ρ is uniformly continuous on a compact neighbourhood of "
            "g̃(K), in which f∘φ near to g̃ has its values"
        ),
    )
    theorem(
        f"readout-covering{suffix}",
        sense,
        Readout,
        Premise("last", sense),
        WINDS,
        Condition("in the space every loop can be drawn together", lambda case: _simple(case.on)),
        statement="where no loop is in the way, every continuous point of a circle has an angle",
        source=(
            "a continuous g from a simply connected, locally path-connected X lifts through a "
            "covering (the lifting criterion); f∘φ near to the angle g̃ gives ρ∘f∘φ near to g"
        ),
    )
    theorem(
        f"readout-degree{suffix}",
        ~sense,
        Readout,
        WINDS,
        Condition(
            "the space is a circle", lambda case: isinstance(case.on, Sphere) and case.on.size == 2
        ),
        Condition("the members of F are continuous", _continuous),
        Premise("derived", Continuous, make=_map),
        statement=(
            "an angle that is a continuous function on a circle does not turn, so that a target "
            "that goes around once stays at the greatest distance of two targets"
        ),
        source=(
            "if ρ∘h and g are nowhere opposite they are homotopic, so of one degree; that of ρ∘h, "
            "with the lift h = f∘φ, is 0, and that of g(x) = x / |x| is 1; so sup |ρ∘h - g| = 2 r"
        ),
        carry=lambda case, witness: None,
    )
    theorem(
        f"readout-merged{suffix}",
        ~sense,
        Readout,
        Premise("derived", ~Injective, make=_map),
        statement="a target that differs at two merged points is out of reach behind any readout",
        source=(
            "Y is path-connected and has two points a, b; d(x, ·) / (d(x, ·) + d(y, ·)) along a "
            "path from a to b is a target g with g(x) = a and g(y) = b, and one of the two is "
            "missed by at least |a - b| / 2"
        ),
    )
    theorem(
        f"readout-few-dimensions{suffix}",
        ~sense,
        Readout,
        Condition(
            "F∘φ has finite dimension, and the readout shows the signs of a function of F or of a "
            "difference of two",
            _few,
        ),
        Condition("the space is infinite", lambda case: case.on.infinite),
        statement="finitely many dimensions of functions do not have all signs at many points",
        source=(
            "of p + 1 points some c ≠ 0 has Σ c_i h(x_i) = 0 for all h in the span of F_φ, so no h "
            "has the signs of c at all x_i with c_i ≠ 0; and g with these signs of λ(g(x_i)) is "
            "continuous for λ = log p_1 - log p_2, log y_1, (log y)_11, u_1, where λ(ρ(f)) has the "
            "sign of such h"
        ),
        carry=lambda case, witness: None,
    )
    theorem(
        f"readout-embeds{suffix}",
        ~sense,
        Readout,
        Premise("last", ~sense),
        Condition(
            "the readout is a homeomorphism onto its image, or one of differences and F is linear",
            _shows,
        ),
        statement="what F misses before a homeomorphism it misses behind it",
        source=(
            "for g = ρ∘h with a continuous h let N be a compact neighbourhood of g(K) in ρ(R^n): "
            "ρ⁻¹ is uniformly continuous on it, so ρ∘f near to g gives f near to h; with softmax "
            "so for the differences f_i - f_n, which are members of a linear F"
        ),
        carry=lambda case, witness: None,
    )
    theorem(
        f"readout-not-dense{suffix}",
        ~sense,
        Readout,
        Premise("first", ~DenseImage),
        statement="a constant target that no value of the readout comes near to is out of reach",
        source="|ρ(f(φ(x))) - y| is at least the distance of y from the image of ρ",
        carry=lambda case, witness: None,
    )
