"""Random Fourier features: unbiased, orthogonal, with the constants that are claimed."""

from math import exp, log, sqrt

import numpy as np
import pytest
import torch
from scipy import sparse

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError


@pytest.mark.parametrize("n_components", [20, 21, 1])
@pytest.mark.parametrize("sampling", ["orthogonal", "iid"])
def test_the_kernel_is_estimated_without_bias(n_components, sampling):
    """Within the Hoeffding bound at confidence 1 - 1e-6 for bounded independent estimates."""
    x = np.array([[0.0, 0.0, 0.0], [0.7, -0.2, 0.4]])
    truth, seeds = exp(-0.6 * float(((x[0] - x[1]) ** 2).sum())), 2000
    estimates = []
    for seed in range(seeds):
        z = (
            pm.RandomFourier(n_components, gamma=0.6, sampling=sampling, random_state=seed)
            .fit(x)
            .transform(x)
        )
        estimates.append(float(z[0] @ z[1]))
    assert max(map(abs, estimates)) <= 2
    assert abs(np.mean(estimates) - truth) <= 4 * sqrt(log(2 / 1e-6) / (2 * seeds))


def test_orthogonal_directions_lower_the_error_and_are_orthogonal():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 16))
    distance2 = ((X[:, None] - X[None]) ** 2).sum(-1)
    truth = np.exp(-0.05 * distance2)
    errors = {}
    for sampling in ("orthogonal", "iid"):
        squared = 0.0
        for seed in range(20):
            phi = pm.RandomFourier(64, gamma=0.05, sampling=sampling, random_state=seed)
            z = phi.fit_transform(X)
            squared += float(((z @ z.T - truth) ** 2).sum())
        errors[sampling] = squared
    assert errors["orthogonal"] < 0.7 * errors["iid"]
    weight = pm.RandomFourier(32, gamma=0.05).bind(X).array("weight")
    gram = weight.T @ weight
    assert abs(gram - np.diag(np.diag(gram))).max() < 1e-12 * gram.max()


def test_gamma_scale_is_that_of_scikit_learn_also_for_sparse_rows_far_from_zero():
    X = np.random.default_rng(0).normal(1000, 1, size=(200, 4)).astype(np.float32)
    dense = pm.RandomFourier(8).bind(X.astype(np.float64)).array("weight")
    thin = pm.RandomFourier(8).bind(sparse.csr_array(X)).array("weight")
    np.testing.assert_allclose(thin, dense, rtol=1e-6)
    unit = pm.RandomFourier(8, gamma=1.0).bind(X).array("weight")
    ratio = (dense / unit).ravel()
    np.testing.assert_allclose(ratio**2, 1 / (4 * X.astype(np.float64).var()), rtol=1e-9)


def test_sparse_rows_give_the_same_features_as_dense_ones():
    X = np.random.default_rng(0).random((30, 6))
    X[X < 0.7] = 0
    phi = pm.RandomFourier(11).fit(X)
    np.testing.assert_allclose(phi.transform(sparse.csr_array(X)), phi.transform(X), atol=1e-13)


def test_one_seed_gives_one_map_in_both_precisions():
    X = np.random.default_rng(0).normal(size=(5, 3))
    double = pm.RandomFourier(10, random_state=3).fit_transform(X)
    single = pm.RandomFourier(10, random_state=3).fit_transform(X.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=1e-5)


def test_no_seed_draws_anew_and_says_so():
    phi = pm.RandomFourier(4, random_state=None)
    assert not np.array_equal(phi.bind([[1.0]]).array("weight"), phi.bind([[1.0]]).array("weight"))
    assert phi.__sklearn_tags__().non_deterministic


@pytest.mark.parametrize("gamma", [0.0, -1.0, np.inf, np.nan, "wide"])
def test_a_gamma_that_is_no_width_is_refused(gamma):
    with pytest.raises(ParameterError, match="'gamma' parameter of RandomFourier"):
        pm.RandomFourier(gamma=gamma).fit([[1.0]])


def test_lipschitz_constant_is_exact_and_lower_constant_holds():
    X = np.random.default_rng(0).normal(size=(50, 3))
    phi = pm.RandomFourier(40, gamma=0.05).bind(X)
    on = pm.Box([-1.0] * 3, [1.0] * 3)
    low, high = pm.decide(phi, pm.Lipschitz, on=on).value
    assert high - low < 1e-12
    points = torch.from_numpy(on.sample(200, 0))
    jacobians = torch.func.vmap(torch.func.jacrev(lambda p: phi(p[None])[0]))(points)
    np.testing.assert_allclose(torch.linalg.matrix_norm(jacobians, 2).numpy(), high, rtol=1e-9)
    verdict = pm.decide(phi, pm.LowerLipschitz, on=on)
    x, y = points[:100], points[100:]
    ratio = (phi(x) - phi(y)).norm(dim=1) / (x - y).norm(dim=1)
    assert verdict.holds
    assert 0 < verdict.value[0] <= float(ratio.min())
    assert pm.decide(phi, pm.Injective, on=on).holds is True


def test_over_more_than_a_period_nothing_is_claimed():
    verdict = pm.decide(pm.Fourier([[1.0]]), pm.Injective, on=pm.Box([0.0], [7.0]))
    assert verdict.holds is not True


def test_images_are_refused_with_the_repair():
    with pytest.raises(ShapeError, match="RandomFourier takes rows"):
        pm.RandomFourier().fit(np.ones((2, 1, 3, 3)))
