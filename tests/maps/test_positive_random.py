"""Positive random features: positive, unbiased, with the constants that are claimed."""

import pickle
from math import exp, sqrt

import numpy as np
import pytest
import torch
from scipy import sparse, stats
from sklearn.datasets import load_digits

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError
from phimaps.maps.positive_random import best_tilt

kernels = pm.kernels

CASES = [
    (d, width, options)
    for d, width in ((1, 5), (2, 4), (3, 11), (8, 13))
    for options in (
        {},
        {"tilt": 0.0, "centre": False},
        {"antithetic": False, "sampling": "iid"},
        {"normalise": True},
        {"shift": 0.5},
        {"tilt": -0.3},
    )
]


@pytest.mark.parametrize(("d", "width", "options"), CASES, ids=str)
def test_the_mean_inner_product_is_the_kernel(d, width, options):
    """z-scores of 600 seeds; 24 tests together at level 1e-3."""
    x = np.random.default_rng(d).standard_normal((2, d)) * 0.5 + 0.3
    phi = pm.PositiveRandomFeatures(width, gamma=0.4, **options)
    kernel = phi.estimates
    values = np.empty(600)
    for seed in range(len(values)):
        z = phi.set_params(random_state=seed).bind(x)(x)
        assert (z > 0).all()
        values[seed] = z[0] @ z[1]
    error = values.std(ddof=1) / sqrt(len(values))
    level = stats.norm.isf(1e-3 / (2 * len(CASES)))
    assert abs(values.mean() - kernel(x)[0, 1]) <= level * error


def test_the_kernel_that_is_estimated_is_stated_with_its_factor():
    x = np.array([[1.0, 0.5], [0.2, -1.0]])
    base = kernels.Exponential(gamma=0.3)(x)
    assert np.array_equal(pm.PositiveRandomFeatures(gamma=0.3).estimates(x), base)
    shifted = pm.PositiveRandomFeatures(gamma=0.3, shift=1.5).estimates(x)
    np.testing.assert_allclose(shifted, exp(-3.0) * base)
    normal = pm.PositiveRandomFeatures(gamma=0.3, normalise=True).estimates(x)
    size = np.sqrt(np.diag(base))
    np.testing.assert_allclose(normal, base / np.outer(size, size))
    assert pm.PositiveRandomFeatures(shift="auto").estimates is None


def test_each_device_lowers_the_error_on_digits():
    X = load_digits().data[::6] / 16
    gamma = 0.2
    kernel = np.exp(gamma * X @ X.T)

    def errors(**options):
        found = []
        for s in range(8):
            z = pm.PositiveRandomFeatures(1024, gamma, random_state=s, **options).fit_transform(X)
            found.append(np.linalg.norm(z @ z.T - kernel) / np.linalg.norm(kernel))
        return np.array(found)

    ours = errors()
    above = ours.mean() + stats.t.isf(1e-3, 7) * ours.std(ddof=1) / sqrt(8)
    assert above < 0.09
    for options, factor in (
        ({"tilt": 0.0, "sampling": "iid", "centre": False, "antithetic": False}, 5),
        ({"centre": False}, 5),
        ({"sampling": "iid"}, 1.4),
        ({"tilt": 0.0}, 1.05),
    ):
        assert errors(**options).mean() > factor * ours.mean(), options


@pytest.mark.parametrize("d", [1, 5, 50])
def test_the_tilt_is_the_best_one(d):
    rng = np.random.default_rng(d)
    X = torch.from_numpy(rng.standard_normal((40, d)) + 0.5)
    square = float(torch.cdist(X, -X).square().mean())
    tilt = best_tilt(X, 0.3)
    assert tilt < 0

    def moment(a):
        s = 1 - 8 * a
        return d * np.log((1 + s) / 2) - d / 2 * np.log(s) + 0.3 * square * (1 + 1 / s)

    near = [moment(tilt * factor) for factor in (0.99, 1.0, 1.01)]
    assert near[1] < min(near[0], near[2])
    thin = sparse.csr_array(X.numpy())
    assert best_tilt(thin, 0.3) == pytest.approx(tilt, rel=1e-12)


def test_a_single_point_has_no_need_of_another_law():
    assert best_tilt(torch.zeros(3, 4), 1.0) == 0


def test_shift_makes_the_greatest_feature_one_where_others_overflow():
    X = np.random.default_rng(0).standard_normal((60, 4)) * 40
    phi = pm.PositiveRandomFeatures(51, tilt=0.0, shift="auto").fit(X)
    assert phi.transform(X).max() == pytest.approx(1.0, abs=1e-9)
    small = pm.PositiveRandomFeatures(51, tilt=0.0, shift="auto").fit(X / 10)
    plain = pm.PositiveRandomFeatures(51, tilt=0.0).fit(X / 10)
    ratio = plain.transform(X / 10) / small.transform(X / 10)
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-9)


def test_normalised_features_are_finite_and_positive_far_out_in_logarithms():
    X = np.random.default_rng(0).standard_normal((60, 4)) * 1e6
    z = pm.PositiveRandomFeatures(51, normalise=True).fit_transform(X)
    assert np.isfinite(z).all()


@pytest.mark.parametrize("both", [True, False])
def test_claimed_constants_hold(both):
    rng = np.random.default_rng(1)
    bumps = pm.Bumps(
        rng.standard_normal((3, 5)), rng.standard_normal(5), rng.standard_normal(3), 0.7, both
    )
    on = pm.Euclidean(3)
    top = pm.decide(bumps, pm.Bounded, on=on).value[1]
    steep = pm.decide(bumps, pm.Lipschitz, on=on).value[1]
    points = torch.from_numpy(3 * rng.standard_normal((2000, 3)))
    values = bumps(points)
    assert (values > 0).all()
    assert float(values.norm(dim=1).max()) <= top
    peaks = bumps.image(on).outer.bounds()[1]
    assert (values.amax(0).numpy() <= peaks).all()
    jacobians = torch.func.vmap(torch.func.jacrev(lambda p: bumps(p[None])[0]))(points)
    found = float(torch.linalg.matrix_norm(jacobians, 2).max())
    assert found <= steep < 20 * found
    # A bump is greatest at its centre.
    centre = (bumps.array("weight")[:, 0] + bumps.array("slope")) / (2 * 0.7)
    assert float(bumps(torch.from_numpy(centre[None]))[0, 0]) == pytest.approx(peaks[0], rel=1e-6)
    assert pm.decide(bumps, pm.Injective, on=on).holds is True


def test_too_few_directions_are_not_claimed_to_be_injective():
    rng = np.random.default_rng(1)
    for both, count in ((True, 2), (False, 3)):
        arrays = rng.standard_normal((3, count)), np.zeros(count), np.zeros(3)
        phi = pm.Bumps(*arrays, both=both)
        assert pm.decide(phi, pm.Injective, on=pm.Euclidean(3)).holds is not True
    twice = np.ones((3, 4))
    phi = pm.Bumps(twice, np.zeros(4), np.zeros(3), both=True)
    assert pm.decide(phi, pm.Injective, on=pm.Euclidean(3)).holds is not True


@pytest.mark.parametrize(
    "options",
    [{}, {"normalise": True}, {"antithetic": False}, {"gamma": "scale"}, {"gamma": "auto"}],
    ids=str,
)
def test_all_inputs_give_the_same_features(options):
    X = np.random.default_rng(0).standard_normal((700, 5))
    X[X < 0.3] = 0
    phi = pm.PositiveRandomFeatures(31, **options).fit(X)
    features = phi.transform(X)
    assert features.shape == (700, 31)
    np.testing.assert_allclose(phi.transform(sparse.csr_array(X)), features, rtol=1e-10)
    np.testing.assert_allclose(phi(torch.from_numpy(X)).numpy(), features, rtol=1e-10)
    np.testing.assert_array_equal(phi.transform(X, out=np.empty((700, 31))), features)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(phi)).transform(X), features)
    single = phi.transform(X.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, features, rtol=1e-3)


def test_sparse_rows_are_not_centred():
    X = np.random.default_rng(0).random((30, 6))
    X[X < 0.7] = 0
    thin = pm.PositiveRandomFeatures(11).fit(sparse.csr_array(X))
    dense = pm.PositiveRandomFeatures(11, centre=False).fit(X)
    np.testing.assert_allclose(thin.transform(sparse.csr_array(X)), dense.transform(X), rtol=1e-10)


def test_gradients_are_those_of_the_formula():
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal((3, 4)), rng.standard_normal(4), rng.standard_normal(3)
    phi, (w, b, v) = pm.Bumps(*arrays, both=True), map(torch.from_numpy, arrays)
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    signs = torch.cat((x @ w, -x @ w), 1)
    by_hand = torch.exp(signs + torch.cat((b, b)) + (x @ v - 0.5 * x.square().sum(1))[:, None])
    torch.testing.assert_close(phi(x), by_hand)
    (ours,) = torch.autograd.grad(phi(x).sum(), x)
    (theirs,) = torch.autograd.grad(by_hand.sum(), x)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"gamma": 0.0}, "'gamma' parameter of PositiveRandomFeatures"),
        ({"gamma": np.inf}, "'gamma' parameter of PositiveRandomFeatures"),
        ({"tilt": 0.1}, "'tilt' parameter of PositiveRandomFeatures"),
        ({"tilt": -np.inf}, "'tilt' parameter of PositiveRandomFeatures"),
        ({"shift": "max"}, "'shift' parameter of PositiveRandomFeatures"),
        ({"sampling": "sobol"}, "'sampling' parameter of PositiveRandomFeatures"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(options, error):
    with pytest.raises(ParameterError, match=error):
        pm.PositiveRandomFeatures(**options).fit(np.zeros((2, 3)))


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ParameterError, match="arrays of Bumps do not fit"):
        pm.Bumps(np.ones((3, 2)), np.ones(3), np.ones(3)).fit(np.ones((1, 3)))
    with pytest.raises(ShapeError, match="Bumps is expecting 3"):
        pm.Bumps(np.ones((3, 2)), np.ones(2), np.ones(3))(torch.ones(1, 2))


def test_images_are_refused_with_the_repair():
    with pytest.raises(ShapeError, match="PositiveRandomFeatures takes rows"):
        pm.PositiveRandomFeatures().fit(np.ones((2, 1, 3, 3)))
