"""Targets: each keeps the slope that it claims, and says so when it is no function."""

import numpy as np
import pytest

import phimaps as pm
from phimaps.check.targets import Target, given, random_waves, standard
from phimaps.drawn import generator
from phimaps.errors import InputError, ParameterError, ShapeError

SPACES = [
    pm.Box([-1.0], [1.0]),
    pm.Box([0.0, -2.0, 1.0], [1.0, 2.0, 1.0]),
    pm.Sphere([0.0, 0.0, 0.0], 1.0),
    pm.Ball([0.0, 0.0], 2.0),
    pm.Finite([[0.0, 1.0], [1.0, 0.0], [3.0, 3.0]]),
]


@pytest.mark.parametrize("on", SPACES, ids=repr)
def test_slopes_are_kept(on):
    x, y = on.sample(400, 1), on.sample(400, 2)
    for g in standard(on):
        gap = np.abs(g(x) - g(y))
        assert (gap <= g.slope * on.distance(x, y) + 1e-12 * (1 + np.abs(g(x)))).all()


@pytest.mark.parametrize("on", SPACES, ids=repr)
def test_targets_vary_and_are_drawn_from_the_seed(on):
    x = on.sample(200, 3)
    for g, again in zip(standard(on), standard(on), strict=True):
        assert np.ptp(g(x)) > 0
        np.testing.assert_array_equal(g(x), again(x))
    assert any((g(x) != h(x)).any() for g, h in zip(standard(on), standard(on, 1), strict=True))


def test_products_are_parities_on_the_corners():
    on = pm.Box([0.0] * 3, [2.0] * 3)
    (three,) = [g for g in standard(on) if g.name == "the product of 3 coordinates"]
    corners = 2.0 * np.array([[i >> k & 1 for k in range(3)] for i in range(8)])
    parity = np.array([-1.0 if bin(7 - i).count("1") % 2 else 1.0 for i in range(8)])
    np.testing.assert_array_equal(three(corners), parity)


def test_waves_have_the_covariance_that_they_should():
    # Over many draws: Var g(x) = 1 and Cov = exp(-|x - y|² / 2ℓ²), within four standard errors.
    on = pm.Box([-1.0], [1.0])
    x, draws = np.array([[0.0], [1.0]]), 2000
    values = np.array([random_waves(on, 0.5, generator(i))(x) for i in range(draws)])
    found = values.T @ values / draws
    expected = np.exp(-(np.subtract.outer(x[:, 0], x[:, 0]) ** 2) / 2)
    # The variance of a product of two standard normal numbers is at most 2.
    assert np.abs(found - expected).max() <= 4 * np.sqrt(2 / draws)


def test_users_targets_come_in_any_way():
    on = pm.Box([-1.0], [1.0])
    x = on.sample(10, 0)

    def ramp(x):
        return x[:, 0]

    assert [g.name for g in given(ramp, on)] == ["ramp"]
    assert [g.name for g in given([ramp, lambda x: x[:, 0]], on)] == ["ramp", "target 1"]
    assert [g.name for g in given({"g": ramp}, on)] == ["g"]
    (g,) = given(pm.Power(2), on)
    np.testing.assert_array_equal(g(x), x[:, 0] ** 2)
    own = Target("mine", ramp, 1.0)
    assert given(own, on) == [own]


@pytest.mark.parametrize("bad", [None, 3, [], {}, "g", [1.0], {"g": 1.0}], ids=repr)
def test_what_is_no_target_is_refused(bad):
    with pytest.raises(ParameterError, match="Targets are functions on the space"):
        given(bad, pm.Box([-1.0], [1.0]))


def test_values_are_checked_and_points_are_not_handed_out():
    x = np.array([[-1.0], [1.0]])
    with pytest.raises(InputError, match="'g' is not finite"):
        Target("g", lambda x: np.where(x[:, 0] > 0, np.inf, 0.0))(x)
    with pytest.raises(ShapeError, match="'g' has one number for each point"):
        Target("g", lambda x: np.zeros(3))(x)

    def writes(x):
        x[:] = 0.0
        return x[:, 0]

    Target("g", writes)(x)
    np.testing.assert_array_equal(x, [[-1.0], [1.0]])
