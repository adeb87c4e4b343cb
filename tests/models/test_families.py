"""Families of maps: what upgrades affine functions to a universal class, and what does not."""

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.errors import OperandError, ParameterError
from phimaps.testing import falsify

LINE, SQUARE = pm.Box([-1.0], [1.0]), pm.Box([-1.0, -1.0], [1.0, 1.0])
CIRCLE = pm.Sphere([0.0, 0.0], 1.0)
LINEAR = pm.models.Linear()


def decided(family, on):
    return pm.decide(LINEAR @ family, pm.Universal, on=on)


@pytest.mark.parametrize(
    ("family", "on", "holds"),
    [
        (pm.RandomFourier.family(), LINE, True),
        (pm.RandomFourier(gamma=3.0, sampling="iid").family(), SQUARE, True),
        (pm.RandomFourier(kernel=pm.kernels.Matern(1.5)).family(), SQUARE, True),
        (pm.RandomFourier(paired=False).family(), LINE, True),
        (pm.RandomRelu(bias=1.0).family(), CIRCLE, True),
        # Without a bias the functions of odd degree >= 3 are missing: the hexagon shows it.
        (pm.RandomRelu.family(), CIRCLE, False),
        (pm.RandomRelu(order=2).family(), CIRCLE, False),
        (pm.RandomRelu(antithetic="folded").family(), SQUARE, False),
        (pm.RandomRelu(order=0, bias=1.0).family(), CIRCLE, None),
        (pm.RandomRelu(depth=2, bias=1.0).family(), CIRCLE, None),
        (pm.Polynomial.family(), SQUARE, True),
        (pm.Polynomial((2, 3)).family(), SQUARE, None),
        (pm.Polynomial(3, interaction_only=True).family(), SQUARE, None),
        (pm.RandomFourier(sampling="structured").family(), pm.Box([-1.0] * 8, [1.0] * 8), None),
        (pm.RandomFourier.family(), pm.Box([-1.0] * 300, [1.0] * 300), None),
        (pm.RandomFourier(sampling="iid").family(), pm.Box([-1.0] * 300, [1.0] * 300), True),
        (pm.RandomFourier.family() @ pm.Tanh(), LINE, True),
        (pm.Polynomial.family() @ pm.Abs(), LINE, False),
        (pm.RandomFourier.family() @ pm.Relu(), LINE, False),
        (pm.Polynomial.family() @ pm.Tanh() @ pm.Affine([[2.0]]), LINE, True),
    ],
    ids=lambda v: repr(v)[:60],
)
def test_what_is_dense_as_it_grows(family, on, holds):
    verdict = decided(family, on)
    assert verdict.holds is holds
    if holds is False:
        # A measure of total mass 0, which no constant changes, on points of the space.
        measure = verdict.witness
        assert abs(measure.mass) < 1e-15
        assert on.contains(measure.points).all()


RELUS, COUPLINGS = pm.CReluNetwork.family(), pm.CouplingNetwork.family()
BENT, STEPS = pm.ReconfigurationNetwork.family(), pm.InvertibleResidualNetwork.family()


@pytest.mark.parametrize(
    ("family", "on", "holds"),
    [
        (COUPLINGS, SQUARE, True),
        (COUPLINGS, pm.Euclidean(3), True),
        (COUPLINGS, pm.Finite([[0.0], [1.0]]), True),
        (pm.CouplingNetwork(1, n_epochs=1).family(), LINE, True),
        (RELUS, SQUARE, True),
        (pm.CReluNetwork((2, 3)).family(), CIRCLE, True),
        (COUPLINGS @ pm.Tanh(), SQUARE, True),
        (RELUS @ pm.Affine([[1.0, 2.0]]), LINE, True),
        # What is merged before every member stays merged.
        (COUPLINGS @ pm.Abs(), LINE, False),
        (COUPLINGS @ pm.Abs(), pm.Box([0.0], [1.0]), True),
        (RELUS @ pm.Step(0.0), LINE, False),
        (RELUS @ pm.from_function(torch.sinh), LINE, None),
        (BENT, LINE, False),
        (BENT, SQUARE, False),
        (BENT, pm.Ball([3.0, 4.0], 0.1), False),
        (STEPS, SQUARE, False),
        (STEPS, pm.Euclidean(2), False),
        # A circle has no inside, and curves may have any shadows.
        (BENT, CIRCLE, None),
        (STEPS, pm.Finite([[0.0], [1.0]]), None),
        # With a lift before them homeomorphisms can do more; of what exactly nothing is claimed.
        (BENT @ pm.Lift(), LINE, None),
    ],
    ids=lambda v: repr(v)[:60],
)
def test_what_trained_maps_upgrade(family, on, holds):
    verdict = decided(family, on)
    assert verdict.holds is holds
    if family.before is not None and holds is False:
        assert verdict.witness.verify(family.before)
    goal = pm.Universal if holds else ~pm.Universal
    if holds is not None and on.compact and on.size < 3:
        assert falsify(LINEAR @ family, goal, on=on) is None


def test_the_attack_on_trained_families_can_win():
    for family, wrong in ((COUPLINGS, ~pm.Universal), (STEPS, pm.Universal)):
        assert falsify(LINEAR @ family, wrong, on=LINE) is not None
    torn = pm.from_function(lambda x: x + (x >= 0))
    for family, how in (
        (COUPLINGS @ pm.Abs(), "two points are merged before every member"),
        (COUPLINGS @ torn, "what comes before every member jumps"),
    ):
        assert how in str(falsify(LINEAR @ family, pm.Universal, on=LINE))
    finite = pm.Finite([[0.0], [1.0]])
    assert "any values" in str(falsify(LINEAR @ STEPS, ~pm.Universal, on=finite))


@pytest.mark.parametrize("kind", [pm.ReconfigurationNetwork, pm.InvertibleResidualNetwork])
@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_affine_function_of_a_homeomorphism_comes_near_to_a_bowl(kind, d, seed):
    """The bound 1/2 from the map alone: a value inside, and the greatest one on the sphere."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (300, d))
    phi = kind(2, n_epochs=4).fit(points, -(points**2).sum(axis=1))
    sphere = rng.standard_normal((20_000 if d > 1 else 2, d))
    sphere = sphere / np.linalg.norm(sphere, axis=1, keepdims=True)
    if d == 1:
        sphere = np.array([[-1.0], [1.0]])
    elif d == 2:
        turns = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
        sphere = np.column_stack([np.cos(turns), np.sin(turns)])
    centre, around = phi.transform(np.zeros((1, d))), phi.transform(sphere)
    # |f(0) - 0| >= 1/2 or f <= -1/2 at 0; then on the sphere, where the bowl is -1, f is no less
    # somewhere: so the greatest value on the sphere is at least that at the centre.
    for weights in rng.standard_normal((20, d)):
        most = (around @ weights).max()
        assert most >= float((centre @ weights)[0]) - 1e-3 * np.abs(around @ weights).max()


@pytest.mark.parametrize("n", [1, 10, 300])
def test_no_member_is_dense_though_the_family_is(n):
    member = pm.RandomFourier(n, gamma=1.0)
    assert decided(member.family(), LINE).holds is True
    assert pm.decide(LINEAR @ member, pm.Universal, on=LINE).holds is False
    # The target that shows it comes nearer as there are more features, and never arrives.
    found = pm.check.adversary(member.bind([[0.0]]), on=LINE)
    assert 0.3 / (n + 1) < found.bound <= 1 / (n + 1) + 1e-12


def test_members_come_near_to_any_target():
    """What the theorem says, seen: the best error falls with the number of features."""
    x = np.linspace(-1, 1, 400)[:, None]
    target = np.abs(x[:, 0] - 0.2)
    errors = []
    for n in (4, 16, 128):
        phi = pm.RandomFourier(n, gamma=60.0, random_state=0).bind(x)
        features = np.hstack([np.ones((400, 1)), phi(x)])
        errors.append(pm.check.chebyshev(features, target).error)
    assert errors[0] > 2 * errors[1] > 3 * errors[2]


def test_the_hexagon_keeps_a_family_from_a_target():
    turns = np.arange(6) * np.pi / 3
    points = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    signs = np.array([1.0, -1.0] * 3) / 6
    for n in (10, 1000):
        features = pm.RandomRelu(n).bind(points)(points)
        # Σ c_i f(x_i) = 0 for every affine function of features of every width.
        assert np.abs(signs @ features).max() <= 64 * np.finfo(float).eps * np.abs(features).max()
    # So cos(3 t), which is ±1 there, stays at a distance of 1.
    measure = decided(pm.RandomRelu.family(), CIRCLE).witness
    assert np.allclose(measure.points, points, atol=1e-15)
    assert np.array_equal(np.sign(measure.weights), np.sign(signs))
    assert signs @ np.cos(3 * turns) == pytest.approx(1.0)


def test_what_has_no_family():
    with pytest.raises(OperandError) as error:
        pm.Tanh.family()
    assert str(error.value) == (
        "Tanh has no family that is known.\n"
        "  got:  Tanh().family()\n"
        "  need: a map whose number of features may grow, of which it is known what their "
        "functions come near to\n"
        "  do:   pm.RandomFourier.family(), pm.Polynomial.family(), pm.CouplingNetwork.family()"
    )
    with pytest.raises(OperandError, match="A family stands behind affine functions"):
        pm.models.MLP() @ pm.Polynomial.family()
    with pytest.raises(OperandError, match="'@' puts a feature map before a family"):
        pm.Polynomial.family() @ 3
    with pytest.raises(ParameterError, match="What comes before a family is one closed map"):
        pm.Polynomial.family() @ pm.Standardize()
