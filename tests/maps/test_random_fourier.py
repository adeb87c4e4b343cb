"""Random Fourier features: unbiased for every kernel and sampling, with the variance of theory."""

import pickle
from functools import cache
from math import exp, log, sqrt

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import gammaincinv, hyp0f1, hyp1f1
from scipy.stats import t as student
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import RBFSampler
from sklearn.metrics.pairwise import rbf_kernel

import phimaps as pm
from phimaps import kernels
from phimaps.errors import ParameterError, ShapeError
from phimaps.maps.sampling import frequencies, principal_axes, sobol, spectrum, turned

rng = np.random.default_rng(0)
KERNELS = {
    "rbf": kernels.RBF(gamma=0.4),
    "matern": kernels.Matern(nu=1.5, length_scale=1.3),
    "rational": kernels.RationalQuadratic(alpha=0.8, length_scale=1.1),
    "cauchy": kernels.Cauchy(gamma=0.3),
    "laplacian": kernels.Laplacian(gamma=0.5),
    "periodic": kernels.Periodic(period=3.0, length_scale=1.4),
    "product": kernels.RBF(gamma=0.2) * kernels.Laplacian(gamma=0.2),
    "power": kernels.Matern(nu=2.5, length_scale=2.0) ** 2,
}


# --- unbiased -------------------------------------------------------------------------------------
def assert_mean(values, truth, tests):
    """The mean is the truth: no rejection at a level of 1e-4 over all tests (Bonferroni)."""
    values = np.asarray(values)
    error = values.std(axis=0, ddof=1) / sqrt(len(values))
    z = np.abs(values.mean(axis=0) - truth) / np.maximum(error, 1e-12)
    assert (z <= student.isf(1e-4 / 2 / (tests * np.size(truth)), len(values) - 1)).all(), z


@pytest.mark.parametrize("d", [1, 2, 3, 8])
@pytest.mark.parametrize("sampling", ["iid", "orthogonal", "qmc"])
@pytest.mark.parametrize("name", KERNELS)
def test_frequencies_estimate_the_kernel_without_bias(name, sampling, d):
    # A width that is no multiple of d, nor a power of two; a shift along an axis, and one that is
    # not.
    kernel, count, seeds = KERNELS[name], 2 * d + 1, 300
    shifts = np.stack([np.eye(d)[0] * 1.3, np.random.default_rng(1).normal(size=d) / sqrt(d)])
    truth = kernel(shifts, np.zeros((1, d)))[:, 0]
    axes = None
    if sampling == "qmc":
        axes = principal_axes(
            torch.from_numpy(np.random.default_rng(2).normal(size=(9, d))), kernel
        )
    values = [
        np.cos(shifts @ frequencies(kernel, d, count, sampling, seed, axes)).mean(axis=1)
        for seed in range(seeds)
    ]
    assert_mean(values, truth, tests=4 * 3 * len(KERNELS))


@pytest.mark.parametrize("d", [65, 100, 128])
@pytest.mark.parametrize("n_components", [64, 300])
def test_structured_features_have_no_bias_that_shows(d, n_components):
    """Also along an axis, where one turn less, and constant lengths, would show."""
    x = np.zeros((3, d))
    x[0, 5], x[1] = 1.7, 1.2 / sqrt(d)
    truth = np.exp(-0.5 * ((x[:2] - x[2]) ** 2).sum(1))
    values = []
    for seed in range(400):
        phi = pm.RandomFourier(
            n_components, gamma=0.5, sampling="structured", random_state=seed
        ).bind(x)
        assert type(phi) is pm.HadamardFourier
        z = phi(x)
        values.append(z[:2] @ z[2])
    assert_mean(values, truth, tests=6)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("n_components", [20, 21, 1])
@pytest.mark.parametrize("sampling", ["auto", "iid", "qmc"])
def test_features_estimate_the_kernel_without_bias(paired, n_components, sampling):
    """Within the Hoeffding bound at confidence 1 - 1e-6 for bounded independent estimates."""
    x = np.array([[0.0, 0.0, 0.0], [0.7, -0.2, 0.4]])
    truth, seeds = 2 * exp(-0.6 * float(((x[0] - x[1]) ** 2).sum())), 300
    estimates = []
    for seed in range(seeds):
        phi = pm.RandomFourier(
            n_components,
            kernel=2 * kernels.RBF(gamma=0.6),
            sampling=sampling,
            paired=paired,
            random_state=seed,
        )
        z = phi.bind(x)(x)
        estimates.append(float(z[0] @ z[1]))
    assert max(map(abs, estimates)) <= 4
    assert abs(np.mean(estimates) - truth) <= 8 * sqrt(log(2 / 1e-6) / (2 * seeds))


def test_the_norm_of_pairs_is_the_kernel_at_0():
    x = rng.normal(size=(20, 5))
    z = pm.RandomFourier(40, kernel=3 * kernels.Cauchy(gamma=0.2)).fit_transform(x)
    np.testing.assert_allclose((z**2).sum(1), 3)


# --- variance -------------------------------------------------------------------------------------
def covariances(d, count, z):
    """Of cos(w_i·δ) and cos(w_j·δ), |δ| = z in units in which k = exp(-z²/2): for w_i and w_j in
    one orthogonal block, and in two, with chi lengths from different ones of `count` strata.

    With u uniform on the sphere E cos(t u·e) = J(t) = 0F1(d/2; -t²/4), and for an orthogonal pair
    of directions E cos(a u·e) cos(b v·e) = J(√(a² + b²)), as (u·e, v·e) are two coordinates of one
    uniform vector (Yu et al. 2016, the proof of Theorem 1). Independent lengths make its mean
    1F1(d; d/2; -z²/2), as their squares add up to a chi-square of 2d degrees. Two different strata
    out of N have the mean (N² E f - Σ_s E_s f) / (N (N - 1)), with both lengths in s.
    """
    nodes, weights = np.polynomial.legendre.leggauss(8)
    u = (np.arange(count)[:, None] + (nodes + 1) / 2) / count
    square = 2 * gammaincinv(d / 2, u)
    both = square[:, :, None] + square[:, None, :]
    weights = weights[:, None] * weights / 4

    def mean(t2):
        return hyp0f1(d / 2, -t2 / 4)

    same = (mean(z * z * both) * weights).sum()
    apart = (mean(z * z * square[:, :, None]) * mean(z * z * square[:, None, :]) * weights).sum()
    k, pairs = exp(-z * z / 2), count * (count - 1)
    within = (count**2 * hyp1f1(d, d / 2, -z * z / 2) - same) / pairs - k * k
    between = (count**2 * k * k - apart) / pairs - k * k
    return within, between


@pytest.mark.parametrize(
    ("d", "blocks", "z"), [(16, 4, 0.8), (32, 4, 1.2), (32, 2, 2.0), (64, 2, 1.5)]
)
def test_the_variance_ratio_of_orthogonal_and_iid_is_that_of_theory(d, blocks, z):
    """Within 10 % for 20 seeds: over 240 more seeds the quotient of measured and predicted ratio
    was 1.00 to 1.02 on average, with a standard deviation of 2 to 3 % for 20 of them.
    """
    count = blocks * d
    directions = np.random.default_rng(3).normal(size=(400, d))
    shifts = z * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    kernel, k = kernels.RBF(length_scale=1.0), exp(-z * z / 2)
    squares = {}
    for sampling in ("orthogonal", "iid"):
        squares[sampling] = np.mean(
            [
                (np.cos(shifts @ frequencies(kernel, d, count, sampling, seed)).mean(1) - k) ** 2
                for seed in range(20)
            ]
        )
    single = (1 + exp(-2 * z * z)) / 2 - k * k
    within, between = covariances(d, count, z)
    ratio = (single + (d - 1) * within + (count - d) * between) / single
    assert 0.9 <= squares["orthogonal"] / squares["iid"] / ratio <= 1.1


@cache
def digits():
    return load_digits().data[:400] / 16


def gram_error(phi, X, gamma):
    truth = rbf_kernel(X, gamma=gamma)
    z = phi.fit(X).transform(X)
    return np.linalg.norm(z @ z.T - truth) / np.linalg.norm(truth)


@pytest.mark.parametrize("times", [1, 0.2])
def test_each_sampling_is_better_than_the_last(times):
    """On digits: single cosines, pairs, orthogonal pairs, quasi-random pairs along the axes."""
    X = digits()
    gamma = times / (64 * X.var())
    errors = [
        np.mean([gram_error(phi.set_params(random_state=s), X, gamma) for s in range(6)])
        for phi in (
            RBFSampler(gamma=gamma, n_components=1024),
            pm.RandomFourier(1024, gamma=gamma, sampling="iid"),
            pm.RandomFourier(1024, gamma=gamma, sampling="orthogonal"),
            pm.RandomFourier(1024, gamma=gamma, sampling="qmc"),
        )
    ]
    assert errors[0] > 1.02 * errors[1]
    assert errors[1] > 1.4 * errors[2]
    # Where the kernel is flat, lengths of every stratum count for more than even directions.
    assert errors[2] > 1.05 * errors[3] if times == 1 else errors[1] > 3 * errors[3]


def test_structured_features_are_as_good_as_orthogonal_ones():
    X = rng.normal(size=(100, 128))
    errors = {
        sampling: np.mean(
            [
                gram_error(
                    pm.RandomFourier(512, gamma=0.002, sampling=sampling, random_state=s), X, 0.002
                )
                for s in range(10)
            ]
        )
        for sampling in ("iid", "orthogonal", "structured")
    }
    assert errors["structured"] < 1.1 * errors["orthogonal"] < 0.8 * errors["iid"]


# --- the draws ------------------------------------------------------------------------------------
def test_orthogonal_blocks_are_orthogonal():
    weight = frequencies(kernels.RBF(gamma=0.5), 5, 13, "orthogonal", 0)
    for start in (0, 5, 10):
        block = weight[:, start : start + 5]
        gram = block.T @ block
        assert abs(gram - np.diag(np.diag(gram))).max() < 1e-12 * gram.max()


def test_lengths_are_one_of_each_stratum():
    weight = frequencies(kernels.RBF(length_scale=1.0), 3, 50, "orthogonal", 0)
    edges = np.sqrt(2 * gammaincinv(1.5, np.arange(51) / 50))
    counts, _ = np.histogram(np.linalg.norm(weight, axis=0), edges)
    assert (counts == 1).all()


def test_quasi_random_axes_come_first():
    X = rng.normal(size=(300, 6)) * [1, 1, 20, 1, 5, 1]
    axes = principal_axes(torch.from_numpy(X), kernels.RBF(gamma=1.0))
    assert list(np.abs(axes).argmax(0)[:2]) == [2, 4]
    turn = turned(np.eye(6), axes[:, :2])
    np.testing.assert_allclose(turn.T @ turn, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(np.abs(turn[:, :2]), np.abs(axes[:, :2]), atol=1e-12)
    wide = principal_axes(torch.from_numpy(rng.normal(size=(20, 90))), kernels.RBF(gamma=1.0))
    np.testing.assert_allclose(wide.T @ wide, np.eye(19), atol=1e-9)


def test_sobol_points_fill_the_cube_evenly():
    points = sobol(3, 64, np.random.default_rng(0))
    assert ((points > 0) & (points < 1)).all()
    for row in points:
        assert (np.histogram(row, 64, (0, 1))[0] == 1).all()


def test_the_parts_of_a_draw_are_the_draw():
    kernel = KERNELS["matern"]
    whole = frequencies(kernel, 3, 7, "qmc", 4)
    np.testing.assert_array_equal(frequencies(kernel, 3, 7, "qmc", 4, None, 0, 6), whole[:, :6])
    np.testing.assert_array_equal(frequencies(kernel, 3, 7, "qmc", 4, None, 6), whole[:, 6:])


def test_kernels_that_are_not_stationary_have_no_spectrum():
    assert spectrum(kernels.Linear() * kernels.RBF(gamma=1.0))[1] is None
    factor, laws = spectrum((2 * kernels.RBF(gamma=1.0)) ** 2 * (3 * kernels.Laplacian(gamma=1.0)))
    assert factor == 12
    assert [law.kind for law in laws] == ["radial", "radial", "separable"]


@pytest.mark.parametrize("sampling", ["iid", "orthogonal", "structured", "qmc"])
@pytest.mark.parametrize("d", [4, 100])
def test_one_seed_gives_one_map_in_both_precisions_and_after_a_pickle(sampling, d):
    X = rng.normal(size=(20, d))
    phi = pm.RandomFourier(11, sampling=sampling, random_state=3, gamma=1 / d).fit(X)
    double, single = phi.transform(X), phi.transform(X.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=1e-5)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(phi)).transform(X), double)
    np.testing.assert_array_equal(clone(phi).fit(X).transform(X), double)
    other = pm.RandomFourier(11, sampling=sampling, random_state=4, gamma=1 / d).fit(X)
    assert (other.transform(X) != double).any()


@pytest.mark.parametrize(
    ("sampling", "d", "limit"),
    [("orthogonal", 200, 3000), ("structured", 300, 4000), ("qmc", 20, 8000)],
)
def test_pickles_hold_recipes(sampling, d, limit):
    X = rng.normal(size=(50, d))
    for phi in (
        pm.RandomFourier(2000, sampling=sampling),
        pm.RandomFourier(1999, sampling=sampling),
    ):
        text = pickle.dumps(phi.fit(X))
        assert len(text) < limit
        np.testing.assert_array_equal(pickle.loads(text).transform(X), phi.transform(X))


def test_a_generator_is_drawn_from_without_being_moved():
    X = rng.normal(size=(5, 3))
    for make in (np.random.RandomState, np.random.default_rng):
        phi = pm.RandomFourier(8, random_state=make(7))
        np.testing.assert_array_equal(phi.fit(X).transform(X), phi.fit(X).transform(X))
        np.testing.assert_array_equal(
            phi.transform(X), pm.RandomFourier(8, random_state=make(7)).fit(X).transform(X)
        )


def test_no_seed_draws_anew_and_says_so():
    phi = pm.RandomFourier(4, random_state=None)
    first, second = phi.bind([[1.0]]), phi.bind([[1.0]])
    assert not np.array_equal(first.array("weight"), second.array("weight"))
    assert phi.__sklearn_tags__().non_deterministic
    twin = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(twin([[1.0]]), first([[1.0]]))


@pytest.mark.parametrize(
    ("d", "D", "kind"),
    [(256, 4000, pm.Fourier), (257, 4000, pm.HadamardFourier), (300, 200, pm.Fourier)],
)
def test_auto_turns_to_structured_draws_where_they_pay(d, D, kind):
    X = rng.normal(size=(10, d))
    assert type(pm.RandomFourier(D).bind(X)) is kind
    assert type(pm.RandomFourier(D, paired=False).bind(X)) is not pm.HadamardFourier


def test_structured_draws_fall_back_where_they_would_be_biased():
    for kernel, d in ((kernels.RBF(), 64), (kernels.Laplacian(), 100), (KERNELS["product"], 100)):
        phi = pm.RandomFourier(100, kernel=kernel, sampling="structured")
        assert type(phi.bind(rng.normal(size=(10, d)))) is pm.Fourier


# --- precision ------------------------------------------------------------------------------------
@pytest.mark.parametrize("sampling", ["orthogonal", "structured", "qmc"])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
def test_data_far_from_0_are_centred_first(sampling, offset):
    X = (rng.normal(size=(100, 70)) + offset).astype(np.float32)
    exact = X.astype(np.float64)
    for D in (400, 401):
        phi = pm.RandomFourier(D, gamma=0.005, sampling=sampling).fit(exact)
        double, single = phi.transform(exact), phi.transform(X)
        assert np.abs(single @ single.T - double @ double.T).max() < 1e-5
        assert np.abs(single - double).max() < 1e-5
    closed = pm.RandomFourier(400, gamma=0.005, sampling=sampling).bind(exact)
    assert (closed.center is None) == (offset == 0)


def test_a_heavy_spectrum_is_computed_in_float64():
    X = rng.normal(size=(50, 3)).astype(np.float32)
    phi = pm.RandomFourier(500, kernel=kernels.Laplacian(gamma=1.0)).fit(X)
    assert phi.map_.precise
    single, double = phi.transform(X), phi.transform(X.astype(np.float64))
    assert single.dtype == np.float32
    assert np.abs(single - double).max() < 1e-6
    assert not pm.RandomFourier().bind(X).precise


def test_sparse_rows_are_never_made_dense():
    S = sparse.random_array((200, 20_000), density=1e-4, format="csr", rng=0)
    phi = pm.RandomFourier(8, sampling="iid")
    dense = sparse.csr_array.toarray
    try:
        sparse.csr_array.toarray = None
        out = phi.fit(S).transform(S)
    finally:
        sparse.csr_array.toarray = dense
    assert out.shape == (200, 8)


def test_structured_features_make_few_sparse_rows_dense_at_a_time(monkeypatch):
    S = sparse.random_array((3000, 500), density=0.01, format="csr", rng=0)
    phi = pm.RandomFourier(1000).fit(S)
    assert type(phi.map_) is pm.HadamardFourier
    seen, dense = [], sparse.csr_array.toarray
    monkeypatch.setattr(
        sparse.csr_array, "toarray", lambda self: (seen.append(self.shape[0]), dense(self))[1]
    )
    out = phi.transform(S)
    assert max(seen) <= 300
    monkeypatch.undo()
    np.testing.assert_allclose(out, phi.transform(S.toarray()), atol=1e-12)


# --- scikit-learn's twin --------------------------------------------------------------------------
def test_it_is_as_near_the_kernel_as_rbf_sampler_is_tested_to_be():
    """The bounds of scikit-learn's own test, on data of the same law."""
    X, Y = rng.random((300, 50)), rng.random((300, 50))
    X, Y = (Z / Z.sum(1, keepdims=True) for Z in (X, Y))
    for paired in (True, False):
        phi = pm.RandomFourier(1000, gamma=10.0, paired=paired)
        error = rbf_kernel(X, Y, gamma=10.0) - phi.fit_transform(X) @ phi.transform(Y).T
        # A single cosine has the variance (1 + k(2δ)) / 2 - k², and a mean over points no less;
        # a thousand of them are within 4 deviations.
        most = (0.01, 0.1, 0.05) if paired else (4 * sqrt(0.5 / 1000), 0.15, 0.1)
        assert abs(error.mean()) <= most[0]
        assert error.max() <= most[1]
        assert np.abs(error).mean() <= most[2]


def test_gamma_scale_is_that_of_scikit_learn_also_for_sparse_rows_far_from_zero():
    X = [[0.0], [1.0]]
    assert RBFSampler(gamma="scale").fit(X).random_weights_.shape == (1, 100)
    assert pm.RandomFourier().bind(X).array("weight").shape == (1, 50)
    X = np.random.default_rng(0).normal(1000, 1, size=(200, 4)).astype(np.float32)
    dense = pm.RandomFourier(8).bind(X.astype(np.float64)).array("weight")
    thin = pm.RandomFourier(8).bind(sparse.csr_array(X)).array("weight")
    np.testing.assert_allclose(thin, dense, rtol=1e-6)
    unit = pm.RandomFourier(8, gamma=1.0).bind(X).array("weight")
    ratio = (dense / unit).ravel()
    np.testing.assert_allclose(ratio**2, 1 / (4 * X.astype(np.float64).var()), rtol=1e-9)


@pytest.mark.parametrize("n_components", [1, 6, 7])
def test_the_parameters_of_rbf_sampler_mean_the_same(n_components):
    X = rng.normal(size=(10, 3))
    given = {"gamma": 0.3, "n_components": n_components, "random_state": 5}
    ours = pm.RandomFourier(**given, paired=False).fit(X)
    theirs = RBFSampler(**given).fit(X)
    assert ours.transform(X).shape == theirs.transform(X).shape
    single, phase = ours.map_.map.maps[0].array("weight"), ours.map_.map.maps[0].array("bias")
    assert single.shape == theirs.random_weights_.shape
    assert ((phase >= 0) & (phase <= 2 * np.pi)).all()
    scale = sqrt(2 / n_components)
    np.testing.assert_allclose(ours.transform(X), scale * np.cos(X @ single + phase), atol=1e-14)
    translated = pm.from_sklearn(theirs)
    np.testing.assert_allclose(translated.transform(X), theirs.transform(X), atol=1e-14)


def test_the_kernel_that_is_estimated_is_told():
    assert repr(pm.RandomFourier(gamma=0.5).estimates) == "RBF(gamma=0.5)"
    assert repr(pm.RandomFourier().estimates) == "RBF(gamma='scale')"
    assert pm.RandomFourier(kernel=KERNELS["product"]).estimates is KERNELS["product"]


# --- errors ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("gamma", [0.0, -1.0, np.inf, np.nan, "wide", True, None])
def test_a_gamma_that_is_no_width_is_refused(gamma):
    with pytest.raises(ParameterError, match="'gamma' parameter of RandomFourier"):
        pm.RandomFourier(gamma=gamma).fit([[1.0]])


def test_constant_data_have_the_scale_1():
    phi = pm.RandomFourier(4).fit([[2.0, 2.0], [2.0, 2.0]])
    assert np.isfinite(phi.transform([[2.0, 2.0]])).all()
    X = np.column_stack((rng.normal(size=20), np.full(20, 5.0)))
    for sampling in ("iid", "orthogonal", "qmc"):
        z = pm.RandomFourier(2000, gamma=0.5, sampling=sampling).fit_transform(X)
        assert np.abs(z @ z.T - rbf_kernel(X, gamma=0.5)).max() < 0.15


@pytest.mark.parametrize("kernel", [kernels.Linear(), kernels.Exponential(gamma=1.0)])
def test_a_kernel_that_is_not_stationary_is_refused_with_the_features_to_use(kernel):
    with pytest.raises(ParameterError, match=r"do:   pm.Nystrom\(kernel\), or kernel.features"):
        pm.RandomFourier(kernel=kernel).fit(np.ones((2, 2)))


def test_two_scales_are_refused():
    with pytest.raises(ParameterError, match="A kernel has its own scale"):
        pm.RandomFourier(kernel=kernels.RBF(gamma=1.0), gamma=2.0).fit([[1.0]])


def test_structured_single_cosines_are_refused():
    with pytest.raises(ParameterError, match="come in pairs"):
        pm.RandomFourier(sampling="structured", paired=False).fit([[1.0]])


def test_more_coordinates_than_sobol_has_are_refused():
    wide = sparse.csr_array((2, 30_000), dtype=float)
    with pytest.raises(ParameterError, match="at most 21201 coordinates"):
        pm.RandomFourier(2, gamma=1.0, sampling="qmc").fit(wide)


def test_images_are_refused_with_the_repair():
    with pytest.raises(ShapeError, match="RandomFourier takes rows"):
        pm.RandomFourier().fit(np.ones((2, 1, 3, 3)))
