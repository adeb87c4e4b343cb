"""`decide`: verdicts, their strengths, trees and constants."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

import phimaps as pm
from phimaps.errors import ContradictionError, TruthError
from phimaps.proof import Strength
from phimaps.spaces import Image

UNIT = pm.Box([0.0], [1.0])
LINE = pm.Box([-1.0], [1.0])


def test_every_question_is_asked_on_a_space():
    assert pm.decide(pm.Power(2), pm.Injective, on=UNIT).holds is True
    assert pm.decide(pm.Power(2), pm.Injective, on=LINE).holds is False
    # What is proved passes to subsets, what is refuted to supersets, nothing else.
    assert pm.decide(pm.Power(2), pm.Injective, on=pm.Finite([[-1.0], [1.0]])).holds is None


def test_the_outer_map_is_asked_only_about_what_reaches_it():
    phi = pm.Sqrt() @ (pm.Power(2) & pm.Identity()) @ pm.Exp()
    assert pm.decide(phi, pm.Continuous, on=LINE).holds is True
    assert pm.decide(pm.Abs() @ pm.Exp(), pm.Injective, on=LINE).holds is True
    # Abs merges -1 and 1, but -1 may never arrive: the refutation may not be used.
    assert pm.decide(pm.Abs() @ pm.from_function(torch.exp), pm.Injective, on=LINE).holds is None
    # Here the whole interval arrives.
    assert pm.decide(pm.Abs() @ pm.Scale(0.5, pm.Identity()), pm.Injective, on=LINE).holds is False


@pytest.mark.parametrize(
    ("phi", "on", "goal", "strength"),
    [
        (pm.Identity(), LINE, pm.Lipschitz, "by definition"),
        (pm.Tanh(), LINE, pm.Injective, "by theorem"),
        (pm.Affine([[2.0]]), LINE, pm.Injective, "by exact computation"),
        (pm.Relu(), LINE, pm.Injective, "by witness"),
        (pm.assume(pm.Relu(), pm.Injective, because="x >= 0"), UNIT, pm.Injective, "by theorem"),
    ],
    ids=repr,
)
def test_a_proof_is_as_strong_as_its_weakest_step(phi, on, goal, strength):
    assert pm.decide(phi, goal, on=on).strength == strength


def test_an_assumption_shows_in_every_tree_that_uses_it():
    phi = pm.assume(pm.from_function(torch.sinh), pm.Injective, because="sinh increases")
    verdict = pm.decide(2 * (pm.Tanh() @ phi), pm.Injective, on=LINE)
    assert verdict.holds is True
    assert verdict.strength == "assumed"
    assert "assumed: sinh increases" in str(verdict)
    assert min(p.strength for p in verdict.proofs) is Strength.ASSUMED


def test_an_assumption_that_is_refuted_is_a_contradiction():
    phi = pm.assume(pm.Relu(), pm.Injective, because="a mistake")
    with pytest.raises(ContradictionError, match="both proved and refuted to be Injective"):
        pm.decide(phi, pm.Injective, on=LINE)
    phi = pm.assume(pm.Affine([[2.0]]), pm.Lipschitz(1.0), because="a mistake")
    with pytest.raises(ContradictionError):
        pm.decide(phi, pm.Lipschitz, on=LINE)


def test_constants_are_intervals_and_exact_where_they_are_known():
    phi = 3 * (pm.LeakyRelu(0.5) @ pm.Diagonal([2.0, 4.0], [0.0, 1.0]))
    square = pm.Box([-1.0, -1.0], [1.0, 1.0])
    verdict = pm.decide(phi, pm.Lipschitz, on=square)
    assert verdict.exact
    assert verdict.value[1] == 12.0
    assert verdict.value[0] > 12.0 - 1e-6
    assert pm.decide(pm.CRelu(), pm.Lipschitz, on=square).value == (1.0, 1.0)
    low, high = pm.decide(pm.CRelu(), pm.LowerLipschitz, on=square).value
    assert low <= 0.5**0.5 <= high
    assert high - low < 1e-15


@pytest.mark.parametrize(
    ("asked", "holds"), [(12.0, True), (20.0, True), (5.9, False), (12.0 - 1e-12, None)]
)
def test_a_given_constant_is_proved_refuted_or_open(asked, holds):
    phi = 3 * (pm.LeakyRelu(0.5) @ pm.Diagonal([2.0, 4.0], [0.0, 1.0]))
    square = pm.Box([-1.0, -1.0], [1.0, 1.0])
    assert pm.decide(phi, pm.Lipschitz(asked), on=square).holds is holds
    flipped = {True: False, False: True, None: None}[holds]
    assert pm.decide(phi, ~pm.Lipschitz(asked), on=square).holds is flipped


def test_what_has_no_constant_is_refuted():
    assert pm.decide(pm.Sqrt(), pm.Lipschitz, on=UNIT).holds is False
    assert pm.decide(pm.Exp(), pm.Lipschitz, on=pm.Euclidean(1)).holds is False
    assert pm.decide(pm.Power(3), pm.LowerLipschitz, on=LINE).holds is False
    assert pm.decide(pm.Normalize(), pm.Continuous, on=pm.Ball([0.0, 0.0], 1)).holds is False


def test_fewer_dimensions_refute_injectivity_of_continuous_maps():
    phi = pm.Tanh() @ pm.Affine(np.ones((3, 2)) + np.eye(3)[:, :2])
    verdict = pm.decide(phi, pm.Injective, on=pm.Ball([0.0] * 3, 1))
    assert verdict.holds is False
    assert verdict.witness is not None
    assert verdict.witness.verify(phi)


def test_a_fitted_map_is_asked_as_what_it_was_fitted_to():
    X = np.random.default_rng(0).normal(size=(20, 2))
    phi = pm.from_sklearn(PCA(2)).fit(X)
    assert pm.decide(phi, pm.Injective, on=pm.Euclidean(2)).holds is True


def test_unknown_names_what_would_decide_it():
    phi = pm.Tanh() @ pm.from_function(torch.sinh) @ pm.Affine([[2.0]])
    verdict = pm.decide(phi, pm.Injective, on=LINE)
    assert verdict.holds is None
    assert verdict.strength == ""
    (needed,) = verdict.missing
    assert needed.startswith("from_function(sinh) is Injective on Box(")
    assert "to decide it" in str(verdict)


def test_a_verdict_has_three_values_and_shows_its_tree():
    verdict = pm.decide(pm.Tanh() @ pm.Abs(), pm.Injective, on=UNIT)
    with pytest.raises(TruthError, match="has three values"):
        bool(verdict)
    page = verdict.to_html()
    assert page.count("<li>") == 3
    assert "composition of injective maps" in page
    assert verdict.word == "proved"


def test_a_tree_of_two_hundred_layers_is_decided():
    phi = pm.pipe(*[pm.LeakyRelu(0.9) @ pm.Diagonal([1.01], [0.0]) for _ in range(100)])
    assert len(phi.maps) == 200
    assert pm.decide(phi, pm.Injective, on=LINE).holds is True


def test_the_witness_of_a_product_is_a_whole_point():
    phi = pm.product(pm.Identity(), pm.Relu(), widths=(1, 1))
    on = pm.Box([-1.0, -1.0], [1.0, 1.0])
    verdict = pm.decide(phi, pm.Injective, on=on)
    assert verdict.witness.x.shape == (2,)
    assert verdict.witness.verify(phi)


def test_a_collision_further_on_is_a_refutation_without_known_points():
    phi = pm.Abs() @ pm.Scale(0.5, pm.Identity())
    verdict = pm.decide(phi, pm.Injective, on=LINE)
    assert verdict.holds is False
    assert verdict.witness is None
    assert verdict.strength == "by theorem"


@pytest.mark.parametrize("units", [1, 2, 3])
def test_a_rectified_affine_map_with_too_few_active_units_is_refuted(units):
    weight = np.random.default_rng(units).normal(size=(2, units))
    phi = pm.Relu() @ pm.Affine(weight)
    on = pm.Ball([0.5, 0.0], 1.0)
    verdict = pm.decide(phi, pm.Injective, on=on)
    assert verdict.holds is False
    if units > 1:
        assert verdict.witness.verify(phi)
        assert on.contains([verdict.witness.x, verdict.witness.y]).all()


def test_rectified_convolutions_merge_images_and_the_concatenated_rectifier_does_not():
    images = np.random.default_rng(0).random((20, 1, 6, 6))
    z = pm.PatchPCAConv2d(3, 3, padding=1).bind(images)
    on = pm.Images(1, 6, 6)
    verdict = pm.decide(pm.Relu() @ z, pm.Injective, on=on)
    assert verdict.holds is False
    assert verdict.strength == "by exact computation"
    assert verdict.witness.verify(pm.Relu() @ z)
    assert on.contains([verdict.witness.x, verdict.witness.y]).all()
    assert pm.decide(pm.CRelu() @ z, pm.Injective, on=on).holds is True


def test_a_rectifier_that_loses_nothing_is_not_refuted():
    square = pm.Box([-1.0, -1.0], [1.0, 1.0])
    weight = np.array([[1.0, 0.5], [-0.25, 1.0]])
    pairs = pm.Relu() @ pm.Affine(np.hstack([weight, -weight]))
    assert pm.decide(pairs, pm.Injective, on=square).holds is True
    # All units stay active on the space, or the space has no interior to move in.
    lifted = pm.Relu() @ pm.Affine(weight, [3.0, 3.0])
    assert pm.decide(lifted, pm.Injective, on=square).holds is True
    assert (
        pm.decide(
            pm.Relu() @ pm.Affine(weight), pm.Injective, on=pm.Finite([[1.0, 1.0], [-1.0, 1.0]])
        ).holds
        is True
    )


def test_premises_that_are_refuted_are_not_asked_for():
    (only,) = pm.decide(
        pm.Tanh() @ pm.CRelu() @ pm.from_function(torch.sinh), pm.Injective, on=LINE
    ).missing
    assert only.startswith("from_function(sinh) is Injective")


def test_an_open_map_of_unknown_shape_is_unknown_until_it_is_bound():
    phi = pm.Relu() @ pm.from_sklearn(PCA(2))
    verdict = pm.decide(phi, pm.Injective, on=pm.Euclidean(3))
    assert verdict.holds is None
    assert verdict.missing[0].startswith("phi.bind(X): ")
    bound = phi.bind(np.random.default_rng(0).normal(size=(9, 3)))
    assert pm.decide(bound, pm.Injective, on=pm.Euclidean(3)).holds is False


def test_a_chain_of_affine_maps_is_one_matrix_with_exact_constants():
    chain = pm.Flatten() @ pm.AvgPool2d(2) @ pm.Conv2d(np.arange(9.0).reshape(1, 1, 3, 3) ** 1.5)
    on = pm.Images(1, 6, 6)
    basis = np.eye(36).reshape(36, 1, 6, 6)
    matrix = chain(basis) - chain(np.zeros((1, 1, 6, 6)))
    low, high = pm.decide(chain, pm.Lipschitz, on=on).value
    top = np.linalg.svd(matrix, compute_uv=False)[0]
    # Fewer outputs than inputs: the chain is not worked out, and the product is only a bound.
    assert low <= top <= high
    square = pm.Affine([[1.0, 0.0], [1.0, 1.0]]) @ pm.Affine([[1.0, 1.0], [0.0, 1.0]])
    plane = pm.Euclidean(2)
    singular = np.linalg.svd([[2.0, 1.0], [1.0, 1.0]], compute_uv=False)
    for goal, value in ((pm.Lipschitz, singular[0]), (pm.LowerLipschitz, singular[1])):
        low, high = pm.decide(square, goal, on=plane).value
        assert low <= value <= high
        assert high - low < 1e-12


def test_the_pooled_activation_of_both_signs_keeps_what_the_pooled_layer_keeps():
    images = np.random.default_rng(0).random((30, 1, 6, 6))
    layer = pm.PatchPCAConv2d(9, 3, padding=1).bind(images)
    pool = pm.Flatten() @ pm.AvgPool2d(3, 2, 1)
    on = pm.Images(1, 6, 6)
    kept = pm.decide(pool @ layer, pm.LowerLipschitz, on=on)
    both = pm.decide(pool @ pm.CRelu() @ layer, pm.LowerLipschitz, on=on)
    assert kept.holds is True
    assert both.value[0] == pytest.approx(kept.value[0] / 2**0.5)
    assert pm.decide(pm.models.MLP() @ (pool @ pm.CRelu() @ layer), pm.Universal, on=on).holds
    # Maxima are not averages: nothing follows.
    lost = pm.Flatten() @ pm.MaxPool2d(2) @ pm.CRelu() @ layer
    assert pm.decide(lost, pm.Injective, on=on).holds is not True


def test_what_is_proved_follows_the_weights_of_today():
    weight = torch.eye(2, dtype=torch.float64, requires_grad=True)
    live, plane = pm.Affine(weight), pm.Box([-1.0] * 2, [1.0] * 2)
    assert pm.decide(live, pm.Lipschitz, on=plane).value[1] < 1.1
    with torch.no_grad():
        weight *= 5
    assert pm.decide(live, pm.Lipschitz, on=plane).value[0] > 4.9
    chain = pm.Affine(np.eye(2)) @ pm.Affine(np.eye(2))
    assert pm.decide(chain, pm.Lipschitz, on=plane).value[1] < 1.1
    chain.set_params(**{"affine-1__weight": 7 * np.eye(2)})
    assert pm.decide(chain, pm.Lipschitz, on=plane).value[0] > 6.9
    chain.maps[0].set_params(weight=9 * np.eye(2))
    assert pm.decide(chain, pm.Lipschitz, on=plane).value[0] > 8.9


asked = []


class Counting(pm.FeatureMap):
    """x ↦ x, which counts how often its image is asked for."""

    def forward(self, x):
        return x

    @property
    def keeps_shape(self):
        return True

    def image(self, on):
        asked.append(on)
        return Image(on)


def test_the_images_in_a_chain_are_remembered_in_a_search():
    asked.clear()
    chain = pm.Tanh() @ pm.Relu() @ Counting() @ pm.Abs()
    pm.decide(chain & (pm.Exp() @ chain), pm.UAPInvariant, on=LINE)
    # Points that are tried have boxes of their own. Without memory there are 40 others.
    assert sum((b.low < b.high).all() for b in asked) <= 20
