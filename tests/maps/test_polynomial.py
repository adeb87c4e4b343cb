"""Polynomial against scikit-learn's, an independent implementation."""

import numpy as np
import pytest
import torch
from sklearn.preprocessing import PolynomialFeatures

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
@pytest.mark.parametrize("interaction_only", [False, True])
@pytest.mark.parametrize("include_bias", [False, True])
@pytest.mark.parametrize("d", [1, 2, 4])
def test_values_and_names_are_those_of_scikit_learn(degree, interaction_only, include_bias, d):
    X = np.random.default_rng(0).normal(size=(7, d))
    ours = pm.Polynomial(degree, interaction_only, include_bias).fit(X)
    theirs = PolynomialFeatures(
        degree, interaction_only=interaction_only, include_bias=include_bias
    ).fit(X)
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-13)
    assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())
    tracked = ours(torch.tensor(X, requires_grad=True))
    np.testing.assert_allclose(tracked.detach().numpy(), ours.transform(X), rtol=1e-13)


def test_the_gradient_is_that_of_the_monomials():
    x = torch.tensor([[2.0, 3.0]], dtype=torch.float64, requires_grad=True)
    pm.Polynomial(2)(x).sum().backward()
    assert x.grad.tolist() == [[1 + 4 + 3, 1 + 6 + 2]]


def test_a_width_beyond_all_memory_is_announced_and_refused(monkeypatch):
    monkeypatch.setattr("phimaps.maps.polynomial.WIDEST", 1000)
    with pytest.raises(ParameterError, match="would give 176851 features") as caught:
        pm.Polynomial(3).fit(np.ones((2, 100)) * np.arange(100))
    assert caught.value.got == "degree=3 on 100 coordinates"


def test_images_are_refused_with_the_repair():
    with pytest.raises(ShapeError, match="Polynomial takes rows"):
        pm.Polynomial().fit(np.ones((2, 1, 3, 3)))


@pytest.mark.parametrize(("low", "high"), [([-2.0, -1.0], [1.0, 3.0]), ([0.5, 0.5], [1.0, 2.0])])
def test_enclosure_and_constants_hold_and_are_not_vacuous(low, high):
    on, phi = pm.Box(low, high), pm.Polynomial(3)
    points = torch.from_numpy(on.sample(4000, 1))
    values = phi(points).numpy()
    assert phi.image(on).outer.contains(values).all()
    # Each single monomial attains the ends of its own range at corners or zeros.
    reached = phi.image(on).outer.high - values.max(axis=0)
    assert (reached <= 0.05 * np.maximum(1, np.abs(phi.image(on).outer.high))).all()
    lipschitz = pm.decide(phi, pm.Lipschitz, on=on)
    jacobians = torch.func.vmap(torch.func.jacrev(lambda p: phi(p[None])[0]))(points[:500])
    steepest = float(torch.linalg.matrix_norm(jacobians, 2).max())
    assert steepest <= lipschitz.value[1] <= 2 * steepest
    assert pm.decide(phi, pm.LowerLipschitz, on=on).value[0] == 1.0
