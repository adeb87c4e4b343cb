"""Families of maps: what upgrades affine functions to a universal class, and what does not."""

import numpy as np
import pytest

import phimaps as pm
from phimaps.errors import OperandError, ParameterError

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
        (pm.RandomRelu.family(), CIRCLE, None),
        (pm.RandomRelu(order=0, bias=1.0).family(), CIRCLE, None),
        (pm.RandomRelu(depth=2, bias=1.0).family(), CIRCLE, None),
        (pm.Polynomial.family(), SQUARE, True),
        (pm.Polynomial((2, 3)).family(), SQUARE, None),
        (pm.Polynomial(3, interaction_only=True).family(), SQUARE, None),
        (pm.RandomFourier(sampling="structured").family(), pm.Box([-1.0] * 8, [1.0] * 8), None),
        (pm.RandomFourier.family(), pm.Box([-1.0] * 300, [1.0] * 300), None),
        (pm.RandomFourier(sampling="iid").family(), pm.Box([-1.0] * 300, [1.0] * 300), True),
        (pm.RandomFourier.family() @ pm.Tanh(), LINE, True),
        (pm.Polynomial.family() @ pm.Abs(), LINE, None),
        (pm.Polynomial.family() @ pm.Tanh() @ pm.Affine([[2.0]]), LINE, True),
    ],
    ids=lambda v: repr(v)[:60],
)
def test_what_is_dense_as_it_grows(family, on, holds):
    verdict = decided(family, on)
    assert verdict.holds is holds
    # Of falsehood nothing is claimed: that a kernel is not universal is not yet that.
    assert verdict.holds is not False


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
    assert signs @ np.cos(3 * turns) == pytest.approx(1.0)


def test_what_has_no_family():
    with pytest.raises(OperandError) as error:
        pm.Tanh.family()
    assert str(error.value) == (
        "Tanh has no family that is known.\n"
        "  got:  Tanh().family()\n"
        "  need: a map whose number of features may grow, so that a kernel says what their "
        "functions come near to\n"
        "  do:   pm.RandomFourier.family(), pm.RandomRelu.family(), pm.Polynomial.family()"
    )
    with pytest.raises(OperandError, match="A family stands behind affine functions"):
        pm.models.MLP() @ pm.Polynomial.family()
    with pytest.raises(OperandError, match="'@' puts a feature map before a family"):
        pm.Polynomial.family() @ 3
    with pytest.raises(ParameterError, match="What comes before a family is one closed map"):
        pm.Polynomial.family() @ pm.Standardize()
