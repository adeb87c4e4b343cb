"""What is decided on spaces that are no plain boxes is attacked, and stands."""

from collections import Counter

import numpy as np
import pytest

import phimaps as pm
from phimaps.maps.affine import Affine
from phimaps.spaces import Product
from phimaps.testing import Probe, claims, falsify
from phimaps.testing.expressions import spaces, surely_defined

QUESTIONS = (
    pm.Continuous,
    pm.Injective,
    pm.property.Affine,
    pm.Lipschitz,
    pm.LowerLipschitz,
    pm.Bounded,
)
NEW = ("Sphere", "Simplex", "Subspace", "closed", "Categories", "given distances")


def unusual(seed):
    """Random spaces of a new kind, each with maps that are made of a few simple ones."""
    rng = np.random.default_rng(seed)
    while True:
        on = spaces(rng, int(rng.integers(1, 4)))
        if not any(word in repr(on) for word in NEW):
            continue
        n = on.size
        weight = np.round(rng.normal(size=(n, int(rng.integers(1, 4)))), 1)
        leaves = (
            Affine(weight), pm.Diagonal(np.round(rng.normal(size=n)), np.ones(n)), pm.Tanh(),
            pm.Abs(), pm.Power(2), pm.Relu(), pm.CRelu(), pm.Log(), pm.Sqrt(), pm.Power(-0.5),
            pm.Normalize(), pm.Select([0]), pm.Sin(), pm.Polynomial(2),
        )  # fmt: skip
        first, second = (leaves[int(i)] for i in rng.integers(len(leaves), size=2))
        ways = [first, first & second, 2.0 * first, pm.Tanh() @ first, first.on(on)]
        if n > 1:
            ways.append(pm.product(pm.Abs(), pm.Tanh(), widths=(1, n - 1)))
        yield ways[int(rng.integers(len(ways)))], on


@pytest.mark.parametrize("shard", range(4))
def test_no_attack_breaks_a_claim_on_an_unusual_space(shard):
    counts, broken = Counter(), []
    for phi, on in unusual(shard):
        if counts["expressions"] == 40:
            break
        if not surely_defined(phi, on):
            continue
        counts["expressions"] += 1
        probe = Probe(phi, on, budget=0.4)
        for goal in QUESTIONS:
            verdict = pm.decide(phi, goal, on=on)
            for claim in claims(verdict):
                counts["attacked"] += 1
                witness = verdict.witness if claim.name == "Injective" else None
                found = falsify(phi, claim, on, witness=witness, probe=probe)
                if found is not None and found.certain:
                    broken.append(f"{phi!r} on {on!r} ({verdict.strength}): {found}")
    print(f"\nshard {shard}:", dict(counts))
    assert not broken, "\n".join(broken)
    assert counts["attacked"] > 80


def test_about_half_of_the_random_spaces_are_plain_boxes():
    rng = np.random.default_rng(0)
    drawn = [spaces(rng, int(rng.integers(1, 5))) for _ in range(1000)]
    kinds = Counter(
        kind for on in drawn for kind in (*NEW, "Finite", "Product") if kind in repr(on)
    )
    plain = sum(isinstance(on, pm.Box) and on.closed == "both" for on in drawn)
    assert 400 < plain < 600
    assert min(kinds[kind] for kind in NEW) > 2
    assert kinds["Product"] > 20
    assert all(on.contains(on.sample(5)).all() for on in drawn)


# Claims about Euclidean distances, false for the distance of the space.
FALSE = [
    (pm.Identity(), pm.Lipschitz(1.0), pm.Categories(4)),
    (pm.Identity(), pm.LowerLipschitz(1.0), pm.Sphere([0, 0], 1, metric="geodesic")),
    (pm.Identity(), pm.Lipschitz(1.0), pm.Finite([[0.0], [3.0]], [[0, 1], [1, 0]])),
    (pm.Affine(np.eye(2)), pm.Lipschitz(1.0), Product((pm.Categories(3), pm.Interval(0, 1)))),
    (pm.Abs(), pm.Injective, pm.Subspace([[1.0, 1.0]])),
    (pm.Power(2), pm.Injective, pm.Sphere([0, 0], 1)),
    (pm.Power(2), pm.property.Affine, pm.Simplex(3)),
    (pm.Log(), pm.Bounded(100.0), pm.Interval(0, 1, closed="right")),
]


@pytest.mark.parametrize(("phi", "claim", "on"), FALSE, ids=repr)
def test_a_false_claim_is_contradicted_and_not_decided(phi, claim, on):
    found = falsify(phi, claim, on)
    assert found is not None
    verdict = pm.decide(phi, claim, on=on)
    assert verdict.holds is not True


TRUE = [
    (pm.Log(), pm.Injective, pm.Interval(0, np.inf, closed="neither")),
    (pm.Power(2), pm.Injective, pm.Simplex(3)),
    (pm.Abs(), pm.property.Affine, pm.Simplex(3)),
    (pm.Relu(), pm.Injective, pm.Subspace([[1.0, 2.0]], within=pm.Interval(0, 1))),
    (pm.Select([0]), ~pm.Injective, pm.Box([0, 0], [1, 1], closed="neither")),
    (pm.Sqrt(), pm.Continuous, pm.Ball([1, 1], 1)),
]


@pytest.mark.parametrize(("phi", "claim", "on"), TRUE, ids=repr)
def test_known_truths_are_decided(phi, claim, on):
    verdict = pm.decide(phi, claim, on=on)
    assert verdict.holds is True
    assert falsify(phi, claim, on, witness=verdict.witness) is None
