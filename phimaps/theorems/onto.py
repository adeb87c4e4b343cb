"""Maps onto R^d, and maps with a dense image."""

from __future__ import annotations

from math import prod

import numpy as np

from ..errors import UnboundError
from ..map import Assume, Compose, Concat, FeatureMap, On, Product, Scale
from ..property import Affine, DenseImage, Lipschitz, Smooth, Surjective
from ..theorem import Case, Condition, Premise, theorem
from .topology import NONZERO


def _covers(case: Case) -> bool:
    inner = case.map.image(case.on).inner
    if inner is None:
        return False
    box = inner.inner_box()
    return box is not None and not (np.isfinite(box.low).any() or np.isfinite(box.high).any())


def _misses(case: Case) -> bool:
    low, high = case.map.image(case.on).outer.bounds()
    return bool(np.isfinite(low).any() or np.isfinite(high).any())


def _widens(case: Case) -> bool:
    try:
        return prod(case.map.out_shape(case.on.shape)) > case.on.size
    except UnboundError:
        return False


WIDER = Condition("there are more outputs than inputs", _widens)

theorem(
    "range-onto",
    Surjective,
    FeatureMap,
    Condition("every value is certainly reached", _covers),
    statement="the part of the image that is certainly reached is all of R^d",
    source="the intermediate value theorem in each coordinate",
)
for sign in (~Surjective, ~DenseImage):
    theorem(
        f"range-not-{'onto' if sign.name == 'Surjective' else 'dense'}",
        sign,
        FeatureMap,
        Condition("the values lie in a box that is not all of R^d", _misses),
        statement="the values lie in a closed box, and something lies outside it",
        source="interval arithmetic: every φ(x) lies in the enclosure",
    )
theorem(
    "onto-dense",
    DenseImage,
    FeatureMap,
    Premise("self", Surjective),
    statement="R^d is dense in itself",
    source="by definition",
)
theorem(
    "not-dense-not-onto",
    ~Surjective,
    FeatureMap,
    Premise("self", ~DenseImage),
    statement="an image that is not dense is not all of R^d",
    source="R^d is dense in itself",
)
for smooth in (Lipschitz, Smooth):
    theorem(
        f"{smooth.name.lower()}-not-onto",
        ~Surjective,
        FeatureMap,
        Premise("self", smooth),
        WIDER,
        statement="a Lipschitz or continuously differentiable map does not raise the dimension",
        source=(
            "K is a countable union of sets on which φ is Lipschitz, and a Lipschitz map sends a "
            "set of R^n with n < d to one of measure 0 in R^d"
        ),
        euclidean=True,
    )
theorem(
    "affine-not-dense",
    ~DenseImage,
    FeatureMap,
    Premise("self", Affine),
    WIDER,
    statement="an affine map of R^n has an image of at most n dimensions",
    source="the image lies in an affine subspace of n < d dimensions, which is closed",
)
for claim in (Surjective, DenseImage):
    for sign in (claim, ~claim):
        word = ("" if sign.holds else "not-") + ("onto" if claim is Surjective else "dense")
        theorem(
            f"compose-{word}",
            sign,
            Compose,
            Premise("last", sign),
            statement="the values of a composition are values of its last step",
            source="f(g(K)) is the image under f of what reaches it",
        )
        for about in (Scale, On, Assume):
            theorem(
                f"{about.__name__.lower()}-{word}",
                sign,
                about,
                Premise("each", sign),
                *((NONZERO,) if about is Scale and sign.holds else ()),
                statement="a multiple by c ≠ 0 reaches what the map reaches, a restriction as well",
                source="multiplication by c ≠ 0 is a homeomorphism of R^d; by 0 it reaches only 0",
            )
    word = "onto" if claim is Surjective else "dense"
    theorem(
        f"product-{word}",
        claim,
        Product,
        Premise("each", claim),
        statement="the image of a product is the product of the images",
        source="by definition",
    )
    for about in (Product, Concat):
        theorem(
            f"{about.__name__.lower()}-not-{word}",
            ~claim,
            about,
            Premise("pivot", ~claim),
            statement="each part's image is a projection of the image",
            source="projections are onto, and send dense sets to dense sets",
        )
