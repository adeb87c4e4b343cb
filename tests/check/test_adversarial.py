"""Targets that finitely many features cannot reach."""

import numpy as np
import pytest

import phimaps as pm
from phimaps.errors import DomainError, OperandError, UnboundError

EPS = np.finfo(float).eps
LINE = pm.Box([-1.0], [1.0])
SQUARE = pm.Box([-1.0, -1.0], [1.0, 1.0])
RNG = np.random.default_rng(0)

CASES = [
    (pm.Identity(), LINE),
    (pm.Polynomial(5).bind(np.zeros((1, 1))), LINE),
    (pm.RandomFourier(15, gamma=2.0).bind(np.zeros((1, 2))), SQUARE),
    (pm.RandomRelu(12).bind(RNG.standard_normal((5, 2))), SQUARE),
    (pm.Relu() @ pm.Affine(RNG.standard_normal((3, 8))), pm.Sphere(np.zeros(3), 1.0)),
    (pm.Affine(RNG.standard_normal((4, 2))), pm.Ball(np.zeros(4), 1.0)),
]


@pytest.mark.parametrize(("phi", "on"), CASES, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("seed", [0, 1])
def test_no_affine_function_comes_nearer(phi, on, seed):
    found = pm.check.adversary(phi, on=on, random_state=seed)
    points, weights = found.measure.points, found.measure.weights
    assert on.contains(points).all()
    assert np.abs(weights).sum() == pytest.approx(1.0, rel=1e-12)
    features = np.concatenate([np.ones((len(points), 1)), phi(points).reshape(len(points), -1)], 1)
    assert found.residual <= 64 * len(points) * EPS * np.abs(features).max()
    np.testing.assert_allclose(found(points), found.values, atol=1e-12)
    # The best approximation on the points alone, by a linear program that knows nothing of it.
    best = pm.check.chebyshev(features, found(points))
    assert best.error >= found.bound - 1e-9
    assert found.bound == pytest.approx(found.spacing / 2, rel=1e-12)
    assert best.error >= found.at_least(np.abs(best.weights).sum())
    assert found.at_least(0.0) == pytest.approx(found.bound)
    assert found.measure.verify(lambda x: 1 + phi(x).flatten(1) @ phi(x).flatten(1).T)


@pytest.mark.parametrize(("phi", "on"), CASES, ids=lambda v: type(v).__name__)
def test_the_target_is_1_lipschitz(phi, on):
    found = pm.check.adversary(phi, on=on)
    x, y = on.sample(500, 3), on.sample(500, 4)
    assert (np.abs(found(x) - found(y)) <= on.distance(x, y) * (1 + 1e-12) + 1e-12).all()


def test_the_bound_shrinks_as_widths_do():
    # p + 2 points of an interval of length 1 lie at most 1/(p + 1) apart.
    for p in (4, 8, 16):
        phi = pm.RandomFourier(p, gamma=1.0).bind([[0.0]])
        bound = pm.check.adversary(phi, on=pm.Box([0.0], [1.0])).bound
        assert 0.4 / (2 * (p + 1)) < bound <= 1 / (2 * (p + 1)) + 1e-12


def test_linear_models_and_fitted_maps():
    phi = pm.RandomFourier(6, gamma=1.0).fit([[0.0], [1.0]])
    pulled = pm.models.Linear() @ phi.map_
    assert pm.check.adversary(pulled, on=LINE).bound == pm.check.adversary(phi, on=LINE).bound


def test_what_has_no_adversary():
    with pytest.raises(OperandError, match="Of affine functions alone"):
        pm.check.adversary(pm.models.MLP() @ pm.Identity(), on=LINE)
    with pytest.raises(OperandError, match="An adversary is built against a map"):
        pm.check.adversary(3, on=LINE)
    with pytest.raises(UnboundError, match="not fitted yet"):
        pm.check.adversary(pm.RandomFourier(), on=LINE)
    with pytest.raises(DomainError, match="too few points"):
        pm.check.adversary(pm.Identity(), on=pm.Finite([[0.0], [1.0]]))
