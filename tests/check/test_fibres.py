"""Fibre diameters and defects: brackets hold exact values, and are tight where φ lets them."""

from math import pi, sqrt

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

import phimaps as pm
from phimaps.errors import (
    DomainError,
    InputError,
    OperandError,
    ParameterError,
    ShapeError,
    UnboundError,
)

LINE, UNIT = pm.Box([-1.0], [1.0]), pm.Box([0.0], [1.0])
SQUARE = pm.Box([-1.0, -1.0], [1.0, 1.0])
CUBE = pm.Box([0.0] * 3, [1.0] * 3)
ONES = np.ones((2, 1))


def silu(x):
    return x / (1 + np.exp(-x))


# The branch beyond the minimum takes the value at -5 again where it is nearest to 0.
SILU = 5 + brentq(lambda y: silu(y) - silu(-5.0), -1.27, 0.0, xtol=1e-15)
WAVE = pm.Affine([[2 * pi]])

# Where the greatest distance in a fibre is known: (name, map, space, value, how wide at most).
KNOWN = [
    ("square", pm.Power(2), LINE, 2.0, 1e-3),
    ("square, longer on one side", pm.Power(2), pm.Box([-1.0], [2.0]), 2.0, 0.03),
    ("fourth power", pm.Power(4), LINE, 2.0, 1e-3),
    ("cube", pm.Power(3), LINE, 0.0, 0.03),
    ("abs", pm.Abs(), LINE, 2.0, 1e-3),
    ("relu", pm.Relu(), LINE, 1.0, 0.06),
    ("relu, mostly alive", pm.Relu(), pm.Box([-1.0], [2.0]), 1.0, 0.06),
    ("leaky relu", pm.LeakyRelu(0.1), LINE, 0.0, 0.03),
    ("crelu", pm.CRelu(), LINE, 0.0, 0.03),
    ("exp", pm.Exp(), LINE, 0.0, 0.04),
    ("softshrink", pm.Softshrink(0.5), LINE, 1.0, 0.06),
    ("hardtanh", pm.Hardtanh(), pm.Box([-3.0], [2.0]), 2.0, 0.12),
    ("cos, even", pm.Cos(), LINE, 2.0, 1e-3),
    ("cos, monotone", pm.Cos(), UNIT, 0.0, 0.1),
    ("sin, beyond the top", pm.Sin(), pm.Box([0.0], [3.0]), 6 - pi, 0.05),
    ("alias", pm.Cos() @ WAVE, pm.Box([0.0], [1.5]), 1.0, 0.6),
    ("circle", (pm.Cos() & pm.Sin()) @ pm.Affine([[2.0]]), UNIT, 0.0, 0.02),
    ("silu", pm.Silu(), pm.Box([-5.0], [1.0]), SILU, 0.01),
    ("silu, monotone", pm.Silu(), LINE, 0.0, 0.03),
    ("tanh of abs", pm.Tanh() @ pm.Abs(), LINE, 2.0, 1e-3),
    ("exp of square", pm.Exp() @ pm.Power(2), LINE, 2.0, 1e-3),
    ("square and cube", pm.Power(2) & pm.Power(3), LINE, 0.0, 0.04),
    # Two equations for two unknowns with a line of solutions: no change of signs shows one of them.
    ("square and fourth power", pm.Power(2) & pm.Power(4), LINE, 2.0, 2.01),
    ("appended identity", pm.Identity() & pm.Abs(), LINE, 0.0, 0.03),
    ("constant", 0 * pm.Identity(), LINE, 2.0, 1e-2),
    ("first coordinate", pm.Select([0]), pm.Box([0.0, 0.0], [1.0, 1.0]), 1.0, 0.2),
    ("sum of two", pm.Affine(ONES), SQUARE, 2 * sqrt(2), 0.3),
    ("sum of three", pm.Affine(np.ones((3, 1))), CUBE, sqrt(2), 0.5),
    ("abs of two", pm.Abs(), SQUARE, 2 * sqrt(2), 1e-2),
    ("relu of two", pm.Relu(), SQUARE, sqrt(2), 0.3),
    ("square of the norm", pm.Affine(ONES) @ pm.Power(2), SQUARE, 2 * sqrt(2), 0.6),
    ("identity", pm.Identity(), SQUARE, 0.0, 0.5),
    ("rotation", pm.Affine([[0.6, 0.8], [-0.8, 0.6]]), SQUARE, 0.0, 0.5),
    ("sum on a ball", pm.Affine(ONES), pm.Ball([0.0, 0.0], 1.0), 2.0, 0.9),
    ("few points", pm.Abs(), pm.Finite([[-2.0], [-1.0], [1.0], [3.0]]), 2.0, 1e-3),
]


@pytest.mark.parametrize(("name", "phi", "on", "value", "wide"), KNOWN, ids=[k[0] for k in KNOWN])
def test_the_bracket_holds_the_exact_value(name, phi, on, value, wide):
    lower, upper = bracket = pm.check.fibre_diameter(phi, on=on, cells=250)
    assert lower <= value * (1 + 1e-12)
    assert value * (1 - 1e-12) <= upper
    assert upper - lower <= wide
    assert bracket.certified
    assert (bracket[0], bracket[1], len(bracket)) == (lower, upper, 2)


def test_the_figures_of_the_documentation():
    lower, upper = pm.check.fibre_diameter(pm.Power(2), on=LINE)
    assert 1.99 <= lower <= 2 <= upper <= 2.0005
    lower, upper = pm.check.fibre_diameter(
        pm.Identity() + 0.3 * (pm.Sin() @ pm.Affine([[9.0]])), on=LINE, cells=600
    )
    assert 0.487 <= lower <= upper <= 0.4885


def test_bad_conditioning_is_named():
    bracket = pm.check.fibre_diameter(
        pm.Tanh() @ pm.Affine([[10.0]]), on=pm.Box([-5.0], [5.0]), cells=400
    )
    assert bracket.lower == 0
    assert bracket.upper > 2
    assert "conditioning" in bracket.because
    assert "by theorem φ is injective, and the value 0" in str(bracket)


def test_of_a_black_box_only_equal_values_count():
    lower, upper = bracket = pm.check.fibre_diameter(pm.from_function(lambda x: x**2), on=LINE)
    assert (lower, upper) == (pytest.approx(2), pytest.approx(2))
    assert "bit by bit" in bracket.because
    # Saturation has equal values too: of the function in real arithmetic that proves nothing.
    assert not bracket.certified
    lower, upper = bracket = pm.check.fibre_diameter(pm.from_function(torch.sinh), on=LINE)
    # Neighbouring numbers may have one value; nothing farther apart does.
    assert lower < 1e-15
    assert upper == pytest.approx(2)
    assert "nothing is known of the map between points" in str(bracket)


@pytest.mark.parametrize(
    ("phi", "target", "on", "value", "wide"),
    [
        (pm.Power(2), pm.Identity(), LINE, 1.0, 1e-3),
        (pm.Power(2), pm.Power(2), LINE, 0.0, 0.02),
        (pm.Power(3), pm.Identity(), LINE, 0.0, 0.02),
        (pm.Relu(), pm.Identity(), LINE, 0.5, 0.03),
        (pm.Cos(), pm.Exp(), LINE, np.sinh(1.0), 1e-3),
        (pm.Abs(), pm.Affine(ONES), SQUARE, 2.0, 1e-2),
        (pm.Select([0]), pm.Select([1]), SQUARE, 1.0, 0.2),
        (0 * pm.Identity(), pm.Power(3), LINE, 1.0, 1e-2),
    ],
    ids=lambda v: repr(v)[:40],
)
def test_the_defect_holds_the_exact_value(phi, target, on, value, wide):
    lower, upper = bracket = pm.check.defect(phi, target=target, on=on, cells=250)
    assert lower <= value * (1 + 1e-12)
    assert value * (1 - 1e-12) <= upper
    assert upper - lower <= wide
    assert bracket.certified


def test_a_target_may_be_any_function():
    def target(x):
        return np.abs(x[:, 0] - 0.25)

    known = pm.check.defect(pm.Power(2), target, on=LINE, target_lipschitz=1.0, cells=300)
    # max over a of (|a - 1/4| - |a + 1/4|) / 2.
    assert known.certified
    assert known.lower <= 0.25 <= known.upper <= 0.27
    guessed = pm.check.defect(pm.Power(2), target, on=LINE, cells=300)
    assert not guessed.certified
    assert guessed.lower <= 0.25 <= guessed.upper
    assert "the slope of the target is estimated" in str(guessed)
    round_one = pm.check.defect(
        pm.Select([0]), lambda x: x[:, 1], on=pm.Ball([0.0, 0.0], 1.0), target_lipschitz=1.0
    )
    assert round_one.lower <= 1.0 <= round_one.upper


def test_arguments_are_left_alone():
    def target(x):
        x[:] = 0
        return x[:, 0]

    points = np.array([[-1.0], [1.0]])
    pm.check.defect(pm.Abs(), target, on=pm.Finite(points), target_lipschitz=0.0)
    assert points.tolist() == [[-1], [1]]


def message(error):
    return str(error.value)


def test_what_cannot_be_asked():
    with pytest.raises(OperandError) as error:
        pm.check.fibre_diameter(3, on=LINE)
    assert message(error) == (
        "fibre_diameter is about a map.\n"
        "  got:  3\n"
        "  need: a closed or fitted feature map, or a function of tensors\n"
        "  do:   pm.from_function(f)"
    )
    with pytest.raises(ParameterError) as error:
        pm.check.fibre_diameter(pm.Abs(), on=pm.Euclidean(1))
    assert message(error) == (
        "fibre_diameter is about a map on a compact space.\n"
        "  got:  on=Euclidean(1)\n"
        "  need: a bounded box, a ball, a sphere, finitely many points, ...\n"
        "  do:   on=pm.Box(low, high) with finite ends"
    )
    with pytest.raises(UnboundError, match="not fitted yet"):
        pm.check.fibre_diameter(pm.RandomFourier(), on=LINE)
    with pytest.raises(DomainError, match="is not defined on all of"):
        pm.check.fibre_diameter(pm.Log(), on=LINE)
    with pytest.raises(ParameterError) as error:
        pm.check.defect(pm.Abs(), 3, on=LINE)
    assert message(error) == (
        "A target is a function on the space.\n"
        "  got:  target=3\n"
        "  need: a callable on points of shape (n, *point), or a map with one feature\n"
        "  do:   target=lambda x: x[:, 0]"
    )
    with pytest.raises(ShapeError) as error:
        pm.check.defect(pm.Abs(), lambda x: np.concatenate([x, x], axis=1), on=LINE)
    assert message(error) == (
        "A target has one number for each point.\n"
        "  got:  shape (4000, 2) for 4000 points\n"
        "  need: shape (4000,)\n"
        "  do:   one coordinate of the target at a time"
    )
    with pytest.raises(InputError, match="The target is not finite on the space"):
        pm.check.defect(pm.Abs(), lambda x: np.where(x[:, 0] > 0, np.inf, 0), on=LINE)
    with pytest.raises(ParameterError, match="A Lipschitz constant is a finite number"):
        pm.check.defect(pm.Abs(), lambda x: x[:, 0], on=LINE, target_lipschitz=-1.0)
