"""Measures against a class, carried back to points that a map takes to theirs."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

import phimaps as pm
from phimaps.theorems.preimages import preimages

LINE, HALF = pm.Box([-1.0], [1.0]), pm.Box([0.5], [2.0])
SQUARE, CUBE = pm.Box([-1.0] * 2, [1.0] * 2), pm.Box([-1.0] * 3, [1.0] * 3)
TURN = pm.Affine([[2.0, 1.0], [-1.0, 3.0]], [0.5, 0.25])
PULLED = [
    (pm.models.BoostedTrees(2), pm.Tanh(), CUBE),
    (pm.models.BoostedTrees(1), pm.Tanh() @ pm.Affine([[1.0, 0.0], [0.0, 0.5]]), SQUARE),
    (pm.models.Additive(), TURN, SQUARE),
    (pm.models.Additive(), pm.Exp(), SQUARE),
    (pm.models.Additive(), pm.Tanh() @ TURN, SQUARE),
    (pm.models.Polynomial(3), pm.Affine([[0.3]]), LINE),
    (pm.models.Polynomial(2), pm.Power(3), HALF),
    (pm.models.MLP("square", width=4, max_iter=40), pm.Sigmoid(), LINE),
    (pm.models.KernelRidge("poly"), pm.Tanh(), LINE),
]


@pytest.mark.parametrize(("model", "phi", "on"), PULLED, ids=lambda v: repr(v)[:40])
def test_a_measure_against_the_class_is_one_behind_the_map(model, phi, on):
    verdict = pm.decide(model @ phi, pm.Universal, on=on)
    measure = verdict.witness
    assert verdict.holds is False
    assert on.surely_contains(measure.points).all()
    assert "takes" in measure.because
    # Every member that is fitted, to noise, has the sum 0.
    rng = np.random.default_rng(3)
    rows = np.concatenate([measure.points, on.sample(60, 4)])
    fitted = (model @ phi).fit(rows, rng.standard_normal(len(rows)))
    values = fitted.predict(measure.points)
    size = np.abs(measure.weights).sum() * max(1.0, np.abs(values).max())
    assert abs(measure.weights @ values) <= 1e-7 * size


def test_points_of_an_affine_map_are_exact_where_rational_numbers_say_so():
    phi = pm.Affine([[2.0]], [0.5])
    measure = pm.decide(pm.models.Polynomial(3) @ phi, pm.Universal, on=LINE).witness
    assert measure.exact
    places = [2 * Fraction(float(x)) + Fraction(1, 2) for x in measure.points.ravel()]
    weights = [Fraction(float(c)) for c in measure.weights]
    for power in range(4):
        assert sum(c * z**power for c, z in zip(weights, places, strict=True)) == 0
    inexact = pm.decide(pm.models.Polynomial(3) @ pm.Affine([[0.3]]), pm.Universal, on=LINE).witness
    assert not inexact.exact


@pytest.mark.parametrize(
    ("phi", "on", "inverse"),
    [
        (pm.Tanh(), LINE, mpmath.atanh),
        (pm.Power(3), HALF, lambda z: mpmath.root(z, 3)),
        (pm.Exp() @ pm.Affine([[0.3]], [0.1]), LINE, lambda z: (mpmath.log(z) - 0.1) / 0.3),
        (pm.Affine([[0.1]]), LINE, lambda z: z / mpmath.mpf(0.1)),
    ],
    ids=["tanh", "power", "exp", "affine"],
)
def test_the_true_points_lie_within_the_radius(phi, on, inverse):
    low, high = phi.image(on).inner.bounds()
    targets = np.linspace(low[0], high[0], 7)[:, None]
    found = preimages(phi, on, targets)
    with mpmath.workdps(50):
        off = [
            abs(inverse(mpmath.mpf(float(z))) - mpmath.mpf(float(x)))
            for x, z in zip(found.points.ravel(), targets.ravel(), strict=True)
        ]
    # log(z) less 0.1 and 0.3 are the numbers that float64 has for them.
    assert max(off) <= found.radius < 1e-12


@pytest.mark.parametrize(
    ("phi", "on", "targets"),
    [
        (pm.Tanh(), LINE, [[0.9]]),
        (pm.Affine([[2.0]]), LINE, [[0.5], [2.5]]),
        (pm.Power(3), LINE, [[0.5]]),
        (pm.Power(2), LINE, [[0.25]]),
        (pm.from_function(lambda x: x), LINE, [[0.5]]),
        (pm.Identity() & pm.Identity(), LINE, [[0.5, 0.25]]),
        (
            pm.assume(pm.Tanh() + pm.Power(3), pm.LowerLipschitz(0.4), because="a hope"),
            LINE,
            [[0.5]],
        ),
        (pm.Tanh(), pm.Sphere([0.0, 0.0], 1.0), [[0.5, 0.5]]),
    ],
    ids=[
        "not reached",
        "one not reached",
        "no constant",
        "merging",
        "unknown",
        "off",
        "assumed",
        "off sphere",
    ],
)
def test_points_that_may_not_go_where_they_must_are_none(phi, on, targets):
    assert preimages(phi, on, np.array(targets)) is None


def test_the_map_stays_as_it_was():
    phi = pm.Affine([[2.0, 1.0], [-1.0, 3.0]], [0.5, 0.25])
    before = phi.weight, np.array(phi.array("weight")), np.random.get_state()[1].copy()
    preimages(phi, SQUARE, np.array([[0.5, 0.25]]))
    assert phi.weight is before[0]
    np.testing.assert_array_equal(phi.array("weight"), before[1])
    np.testing.assert_array_equal(np.random.get_state()[1], before[2])


def test_a_report_bounds_the_parity_of_what_a_map_bends():
    stumps = pm.models.BoostedTrees(1, n_estimators=8) @ pm.Tanh()
    report = pm.check.universality(
        stumps, on=SQUARE, targets={"parity": lambda x: x[:, 0] * x[:, 1]}, budget=0.5
    )
    row = report.rows[0]
    assert row.below.kind == "image"
    assert abs(row.lower - 1.0) < 1e-9
    assert row.lower <= row.upper
    assert report.verdict == "refuted (witness)"
