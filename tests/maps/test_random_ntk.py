"""Tangent features: unbiased with one hidden layer, consistent with more, exact in half."""

import pickle
from math import sqrt

import numpy as np
import pytest
import torch
from scipy import sparse, stats
from sklearn.datasets import load_digits

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError

kernels = pm.kernels

# Widths that hold x itself, with and without a single unit, and widths that do not.
CASES = [
    (d, width, bias)
    for d, widths in ((1, (2, 5, 6, 9)), (2, (7, 8)), (3, (3, 5, 11)), (8, (7, 9, 21)))
    for width in widths
    for bias in (0.0, 0.6)
]


def relative(kernel, z):
    return np.linalg.norm(z @ z.T - kernel) / np.linalg.norm(kernel)


@pytest.mark.parametrize(("d", "width", "bias"), CASES)
def test_the_mean_inner_product_is_the_kernel(d, width, bias):
    """z-scores of 500 seeds; 24 tests together at level 1e-3."""
    x = np.random.default_rng(d).standard_normal((2, d))
    phi = pm.RandomNtk(width, bias=bias)
    values = np.empty(500)
    for seed in range(len(values)):
        z = phi.set_params(random_state=seed).bind(x)(x)
        values[seed] = z[0] @ z[1]
    truth = kernels.NTK(depth=1, bias=bias)(x)[0, 1]
    assert phi.estimates(x)[0, 1] == truth
    level = stats.t.isf(1e-3 / (2 * len(CASES)), len(values) - 1)
    error = values.std(ddof=1) / sqrt(len(values))
    assert abs(values.mean() - truth) <= level * error + 1e-12 * (1 + abs(truth))


def test_half_of_the_kernel_is_exact():
    """The inner products lack only the means of |u| |u'| and of sgn(u) t sgn(u') t'."""
    X = np.random.default_rng(0).standard_normal((20, 6))
    closed = pm.RandomNtk(26).bind(X)
    gated = closed.maps[-1]
    u, t = X @ gated.array("weight"), X @ gated.array("gain")
    z = closed(X)
    np.testing.assert_array_equal(z[:, :6], X)
    np.testing.assert_allclose(z[:, 6:16], np.abs(u))
    np.testing.assert_allclose(z[:, 16:], np.sign(u) * t)
    # Both matrices are tight frames, of the length that makes the means.
    np.testing.assert_allclose(2 * u @ u.T, X @ X.T, atol=1e-12)
    np.testing.assert_allclose(2 * t @ t.T, X @ X.T, atol=1e-12)


def test_one_gate_for_each_feature_beats_gates_for_whole_points():
    """Against orthogonal ReLU features and steps ⊗ x of the same width, on digits, 5 draws each."""
    X = load_digits().data[::6] / 16
    kernel = kernels.NTK(depth=1)(X)
    ours, tensor = [], []
    for seed in range(5):
        ours.append(relative(kernel, pm.RandomNtk(1024, random_state=seed).fit_transform(X)))
        relu = pm.RandomRelu(256, random_state=seed)
        steps = pm.RandomRelu(12, order=0, random_state=seed + 100)
        tensor.append(relative(kernel, (relu & steps * pm.Identity()).fit_transform(X)))
    assert max(ours) < min(tensor) / 2
    above = np.mean(ours) + stats.t.isf(1e-3, 4) * np.std(ours, ddof=1) / sqrt(5)
    assert above < 0.04


def test_orthogonal_directions_lower_the_error():
    X = load_digits().data[::9] / 16
    kernel = kernels.NTK(depth=1)(X)

    def mean(**options):
        maps = [pm.RandomNtk(1024, random_state=s, **options) for s in range(6)]
        return np.mean([relative(kernel, phi.fit_transform(X)) for phi in maps])

    assert mean() < 0.85 * mean(sampling="iid")


@pytest.mark.parametrize(("depth", "bias"), [(2, 0.0), (2, 0.5), (3, 0.0)])
def test_deeper_layers_converge_to_the_kernel(depth, bias):
    X = load_digits().data[::12] / 16
    kernel = kernels.NTK(depth=depth, bias=bias)(X)
    assert pm.RandomNtk(depth=depth).estimates is None
    errors = []
    for width in (64, 256, 1024):
        maps = [pm.RandomNtk(width, depth, bias, random_state=s) for s in range(4)]
        errors.append(np.mean([relative(kernel, phi.fit_transform(X)) for phi in maps]))
    # Four times the width would halve an error of independent means.
    assert errors[1] < 0.75 * errors[0]
    assert errors[2] < 0.75 * errors[1]


@pytest.mark.parametrize("width", [1, 2, 4, 5, 6, 7, 8, 9, 10, 31])
@pytest.mark.parametrize("bias", [0.0, 1.0])
@pytest.mark.parametrize("depth", [1, 3])
def test_every_width_is_kept(width, bias, depth):
    X = np.random.default_rng(0).standard_normal((5, 3))
    assert pm.RandomNtk(width, depth, bias).fit_transform(X).shape == (5, width)


@pytest.mark.parametrize(
    "options", [{}, {"bias": 0.3}, {"depth": 2}, {"depth": 2, "bias": 0.5}, {"n_components": 6}]
)
def test_all_inputs_give_the_same_features(options):
    X = np.random.default_rng(0).standard_normal((700, 5))
    X[X < 0.3] = 0
    X[(X == 0).all(1), 0] = 0.5
    phi = pm.RandomNtk(**{"n_components": 31} | options).fit(X)
    features = phi.transform(X)
    np.testing.assert_allclose(phi.transform(sparse.csr_array(X)), features, atol=1e-13)
    np.testing.assert_allclose(phi(torch.from_numpy(X)).numpy(), features, atol=1e-13)
    np.testing.assert_array_equal(phi.transform(X, out=np.empty(features.shape)), features)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(phi)).transform(X), features)
    single = phi.transform(X.astype(np.float32))
    assert single.dtype == np.float32
    # A gate may turn where u is within rounding of 0.
    assert (np.abs(single - features) < 1e-4 * (1 + np.abs(features).max())).mean() > 0.999


@pytest.mark.parametrize("linear", [True, False])
def test_gates_follow_their_formula_with_gradients(linear):
    rng = np.random.default_rng(0)
    w, b, v, c = (rng.standard_normal(s) for s in ((2, 4), 4, (3, 4), 4))
    phi = pm.Gated(w, b, v, c, linear)
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    u = x[:, :2] @ torch.tensor(w) + torch.tensor(b)
    t = x @ torch.tensor(v) + torch.tensor(c)
    gated = torch.where(u > 0, t, -t)
    by_hand = torch.cat((u, u.abs(), t, gated) if linear else (u.abs(), gated), 1)
    torch.testing.assert_close(phi(x), by_hand)
    (ours,) = torch.autograd.grad(phi(x).square().sum(), x)
    (theirs,) = torch.autograd.grad(by_hand.square().sum(), x)
    torch.testing.assert_close(ours, theirs)
    assert len(phi.fit(x.detach()).get_feature_names_out()) == by_hand.shape[1]


def test_facts():
    on, X = pm.Euclidean(4), np.zeros((1, 4))
    wide, thin = pm.RandomNtk(20), pm.RandomNtk(5)
    for subject in (wide, wide.bind(X)):
        assert pm.decide(subject, pm.Injective, on=on).holds is True
        assert pm.decide(subject, pm.PositivelyHomogeneous(1), on=on).holds is True
    assert pm.decide(thin, pm.Injective, on=on).holds is None
    biased = pm.RandomNtk(20, bias=1.0)
    assert pm.decide(biased.bind(X), pm.PositivelyHomogeneous(1), on=on).holds is not True
    gated = pm.RandomNtk(16, 2).bind(X).maps[1]
    assert pm.decide(pm.RandomNtk(16).bind(X), pm.Injective, on=on).holds is True
    square = pm.Gated(np.ones((1, 4)), np.zeros(4), np.eye(4), np.zeros(4), linear=True)
    assert pm.decide(square, pm.Injective, on=on).holds is True
    assert pm.decide(gated, pm.PositivelyHomogeneous(1), on=pm.Euclidean(16)).holds is True


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ParameterError, match="arrays of Gated do not fit"):
        pm.Gated(np.ones((3, 2)), np.ones(2), np.ones((2, 2)), np.ones(2)).fit(np.ones((1, 2)))
    with pytest.raises(ShapeError, match="Gated is expecting 3"):
        pm.Gated(np.ones((2, 2)), np.ones(2), np.ones((3, 2)), np.ones(2))(torch.ones(1, 2))


def test_images_are_refused_with_the_repair():
    with pytest.raises(ShapeError, match="RandomNtk takes rows"):
        pm.RandomNtk().fit(np.ones((2, 1, 3, 3)))
