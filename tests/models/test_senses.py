"""The three senses in which a class behind a map is dense, and Borel maps."""

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.models.base import Model
from phimaps.property import SENSES
from phimaps.testing import falsify
from tests.theorem_pool_senses import POLE, TURNED, choice

LINE, ONE, PLANE = pm.Box([-1.0], [1.0]), pm.Box([0.0], [1.0]), pm.Box([-1.0] * 2, [1.0] * 2)
CLASSES = sorted(
    (
        c
        for c in vars(pm.models).values()
        if isinstance(c, type) and issubclass(c, Model) and not c.__abstractmethods__
    ),
    key=lambda c: c.__name__,
)
JUMPING = pm.Identity() & pm.Step()


def senses(pulled, on):
    return [pm.decide(pulled, sense, on=on).holds for sense in SENSES]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda c: c.__name__)
def test_decide_says_what_the_class_says_in_data(kind):
    model = kind()
    assert model.universality is not None
    found = senses(model @ pm.Identity(), LINE)
    if model.universality.sense == "strict":
        assert found == [True, True, True]
    elif model.universality.sense == "approximate":
        # One coordinate is no more than the default depth of boosted trees.
        assert found == [None, True, True]
    else:
        assert found == [False, False, False]


@pytest.mark.parametrize("model", [pm.models.Trees(), pm.models.KNeighbors(3)])
def test_on_finitely_many_points_every_function_is_continuous(model):
    assert senses(model @ pm.Identity(), pm.Finite([[0.0], [1.0]])) == [True, True, True]


def test_boosted_trees_are_dense_up_to_their_depth():
    assert senses(pm.models.BoostedTrees(2) @ pm.Identity(), PLANE) == [None, True, True]
    assert senses(pm.models.BoostedTrees(1) @ pm.Identity(), PLANE) == [False, False, False]
    verdict = pm.decide(pm.models.BoostedTrees(1) @ pm.Identity(), pm.LpUniversal, on=PLANE)
    assert verdict.witness.mass == 0
    assert len(verdict.witness.points) == 4


@pytest.mark.parametrize("model", [pm.models.MLP(), pm.models.Trees(), pm.models.Linear()])
def test_a_collision_refutes_every_sense(model):
    # A sum of two point masses is a finite Borel measure.
    assert senses(model @ pm.Abs(), LINE) == [False, False, False]


@pytest.mark.parametrize("model", [pm.models.MLP(), pm.models.Trees(), pm.models.KNeighbors()])
def test_a_jump_beside_the_identity_costs_continuity_only(model):
    assert senses(model @ JUMPING, LINE) == [None, True, True]


def test_in_L_p_an_injective_borel_map_keeps_what_it_tears():
    for model in (pm.models.MLP(), pm.models.Trees()):
        # As x rises to 1/2 the values tend to that of 1: continuous functions cannot tell, so
        # nothing is said of the approximate sense, and trees of closed boxes could not either.
        assert senses(model @ TURNED, ONE) == [None, None, True]
    assert falsify(pm.models.MLP() @ TURNED, pm.ApproximatelyUniversal, ONE) is not None


def test_continuous_members_stay_away_where_values_come_together_and_boxes_do_not():
    # g(x) = |x - 1/2| is 0 just before 1/2 and 1/2 at 1, and both have the feature 1/2 in the end.
    x = np.concatenate([0.5 - 2.0 ** -np.arange(3.0, 50.0), [1.0]])[:, None]
    features = TURNED.forward(torch.from_numpy(x)).numpy()
    g = np.abs(x[:, 0] - 0.5)
    gap = abs(float(features[-1, 0] - features[-2, 0]))
    assert gap < 1e-14
    best = (g[-1] - g[-2]) / 2
    assert best > 0.249
    # A function that is constant on {z < 1/2} and on {z >= 1/2} attains any two values there.
    low, high = g[:-1][features[:-1, 0] < 0.5], g[-1:]
    assert np.ptp(low) / 2 < 0.07
    assert np.ptp(high) == 0


def test_an_unbounded_map_is_not_taken_to_keep_a_class():
    # No polynomial of 1/x but a constant is integrable.
    assert pm.decide(pm.models.Polynomials() @ POLE, pm.LpUniversal, on=LINE).holds is None
    assert falsify(pm.models.Polynomials() @ POLE, pm.LpUniversal, LINE) is not None


def test_of_a_map_that_no_program_computes_nothing_is_said():
    phi = choice()
    assert pm.decide(phi, pm.Borel, on=LINE).holds is False
    assert pm.decide(phi, pm.Injective, on=LINE).holds is True
    # Its inverse is continuous, so it keeps classes in the approximate sense; members not Borel.
    assert senses(pm.models.MLP() @ phi, LINE) == [None, True, None]
    found = falsify(pm.models.MLP() @ phi, pm.LpUniversal, LINE)
    assert found is not None
    assert "Borel" in str(found)
    assert falsify(phi, pm.Borel, LINE) is not None
    assert falsify(phi, ~pm.Borel, LINE) is None


@pytest.mark.parametrize(
    "phi",
    [pm.Step(), pm.Hardshrink(), pm.Normalize(), pm.UnitNorm(), JUMPING, pm.Relu(), 2 * pm.Step()],
    ids=repr,
)
def test_what_the_library_computes_with_jumps_is_borel(phi):
    assert pm.decide(phi, pm.Borel, on=LINE).holds is True
    assert falsify(phi, pm.Borel, LINE) is None
    assert falsify(phi, ~pm.Borel, LINE) is not None


def test_a_function_that_nothing_is_known_of_may_not_be_borel():
    assert pm.decide(pm.from_function(lambda x: x), pm.Borel, on=LINE).holds is None


@pytest.mark.parametrize("sense", [pm.ApproximatelyUniversal, pm.LpUniversal])
def test_a_family_has_the_senses_of_its_kernel(sense):
    family = pm.RandomFourier(gamma=1.0).family()
    assert pm.decide(pm.models.Linear() @ family, sense, on=LINE).holds is True
    assert pm.decide(pm.models.Linear() @ pm.RandomFourier(100), sense, on=LINE).holds is False


@pytest.mark.parametrize("sense", SENSES)
def test_what_rounding_merges_is_out_of_reach_in_every_sense(sense):
    steep = pm.models.MLP() @ (pm.Tanh() @ pm.Affine([[10.0]]))
    on = pm.Box([-5.0], [5.0])
    assert pm.decide(steep, sense, on=on).holds is True
    assert pm.decide(steep, sense, on=on, arithmetic="float64").holds is False


def test_every_map_is_borel_on_the_numbers_of_a_precision():
    verdict = pm.decide(pm.from_function(lambda x: x), pm.Borel, on=LINE, arithmetic="float64")
    assert verdict.holds is True


@pytest.mark.parametrize("sense", [pm.ApproximatelyUniversal, pm.LpUniversal])
def test_the_other_senses_are_not_asked_of_kernels(sense):
    with pytest.raises(pm.errors.OperandError, match="is a property of a class of functions"):
        pm.decide(pm.kernels.RBF(), sense, on=LINE)
