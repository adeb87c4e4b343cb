"""Random ReLU layers: unbiased at every width, exact halves, the constants that are claimed."""

import pickle
from math import sqrt

import numpy as np
import pytest
import torch
from scipy import sparse, stats
from sklearn.datasets import load_digits

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError
from phimaps.maps.frames import frame

kernels = pm.kernels


def means_and_errors(make, x, seeds):
    """Mean and standard error of the inner products of the features of two points."""
    values = np.array([np.prod(make(seed).bind(x)(x), axis=0).sum() for seed in range(seeds)])
    return values.mean(), values.std(ddof=1) / sqrt(seeds)


def relative(kernel, z):
    return np.linalg.norm(z @ z.T - kernel) / np.linalg.norm(kernel)


# --- directions ----------------------------------------------------------------------------------
@pytest.mark.parametrize("d", [1, 2, 3, 8, 40])
@pytest.mark.parametrize("blocks", [0.5, 1, 1.3, 1.99, 2, 3.4])
def test_directions_have_length_one_and_are_as_even_as_they_can_be(d, blocks):
    count = max(1, round(blocks * d))
    w = frame(np.random.default_rng(count), d, count, orthogonal=True)
    assert w.shape == (count, d)
    slack = 64 * np.finfo(float).eps * max(1, count / d)
    np.testing.assert_allclose((w**2).sum(axis=1), 1, atol=slack)
    if count >= d:
        np.testing.assert_allclose(w.T @ w, count / d * np.eye(d), atol=slack * sqrt(d))
    else:
        np.testing.assert_allclose(w @ w.T, np.eye(count), atol=slack)


@pytest.mark.parametrize("orthogonal", [True, False])
@pytest.mark.parametrize("place", [0, 3, 4])
def test_every_direction_is_uniform_by_itself(orthogonal, place):
    """Angles in the plane by the test of Kolmogorov and Smirnov; 6 tests, level 1e-6 each."""
    vectors = np.array(
        [frame(np.random.default_rng(s), 2, 5, orthogonal)[place] for s in range(3000)]
    )
    turns = np.arctan2(vectors[:, 1], vectors[:, 0]) / (2 * np.pi) % 1
    assert stats.kstest(turns, "uniform").pvalue > 1e-6


# --- the kernel ----------------------------------------------------------------------------------
CASES = [
    (d, extra, order, bias, antithetic)
    for d, extra in ((1, 2), (2, 1), (3, 4), (8, 3))
    for order in (0, 1, 2)
    for bias in (0.0, 0.7)
    for antithetic in (True, False, "folded")
    if not (antithetic == "folded" and order == 2)
]


@pytest.mark.parametrize(("d", "extra", "order", "bias", "antithetic"), CASES)
def test_the_mean_inner_product_is_the_kernel(d, extra, order, bias, antithetic):
    """z-scores of 400 seeds; 64 tests together at level 1e-3, widths that 2d does not divide."""
    x = np.random.default_rng(d + 10 * order).standard_normal((2, d))
    width = 2 * d + extra

    def make(seed):
        return pm.RandomRelu(width, order, 1, bias, antithetic=antithetic, random_state=seed)

    kernel = kernels.ArcCosine(order=order, bias=bias)
    assert make(0).estimates(x[:1], x[1:]) == kernel(x[:1], x[1:])
    mean, error = means_and_errors(make, x, 400)
    # Where every draw gives the same, only rounding is left.
    slack = 1e-12 * (1 + float(np.abs(kernel(x)).max()))
    level = stats.t.isf(1e-3 / (2 * len(CASES)), 399)
    assert abs(mean - kernel(x)[0, 1]) <= level * error + slack


@pytest.mark.parametrize("width", [64 * 4, 150, 2 * 64])
def test_the_linear_half_is_exact_at_every_even_width(width):
    X = load_digits().data[:200] / 16
    weight = pm.RandomRelu(width).bind(X).maps[0].array("weight")
    u = X @ weight
    eps = np.finfo(float).eps
    size = np.linalg.norm(X, axis=1)
    np.testing.assert_array_less(
        np.abs(u @ u.T - X @ X.T), 64 * sqrt(64) * eps * np.outer(size, size) + 1e-300
    )
    # So the inner products lack only the mean of |u| |v|.
    z = pm.RandomRelu(width).fit_transform(X)
    halves = (X @ X.T + np.abs(u) @ np.abs(u).T) / 2
    np.testing.assert_allclose(z @ z.T, halves, rtol=1e-12)


def test_in_one_dimension_pairs_are_exact():
    X = np.array([[-2.0], [0.5], [3.0]])
    z = pm.RandomRelu(6).fit_transform(X)
    np.testing.assert_allclose(z @ z.T, kernels.ArcCosine()(X), atol=1e-14)


def test_digits_at_equal_width_have_a_tenth_of_the_error_of_independent_units():
    """Ten draws of each; the means of ours with their bounds at confidence 0.999."""
    X = load_digits().data[::3] / 16
    kernel = kernels.ArcCosine()(X)

    def errors(**options):
        maps = [pm.RandomRelu(2048, random_state=s, **options) for s in range(10)]
        return np.array([relative(kernel, phi.fit_transform(X)) for phi in maps])

    def above(found):
        return found.mean() + stats.t.isf(1e-3, 9) * found.std(ddof=1) / sqrt(10)

    plain, ours = errors(sampling="iid", antithetic=False), errors()
    folded = errors(antithetic="folded")
    assert above(ours) < 0.0055
    assert plain.min() > 4 * ours.max()
    assert plain.mean() > 8 * ours.mean()
    assert above(folded) < ours.mean()


def test_a_width_between_blocks_loses_nothing():
    """The error falls like 1/√D from 2 blocks to 3, though d does not divide the number."""
    X = load_digits().data[::6] / 16
    kernel = kernels.ArcCosine()(X)
    errors = {
        width: np.mean(
            [
                relative(kernel, pm.RandomRelu(width, random_state=s).fit_transform(X))
                for s in range(8)
            ]
        )
        for width in (256, 320, 384)
    }
    assert errors[384] < errors[320] < errors[256]


def test_deeper_layers_converge_to_the_composed_kernel():
    X = load_digits().data[::9] / 16
    for order in (1, 0):
        kernel = kernels.ArcCosine(order=order, depth=2)(X)
        assert pm.RandomRelu(order=order, depth=2).estimates is None
        # The errors have heavy tails, so that means of a few are those of the worst.
        errors = [
            np.median(
                [
                    relative(kernel, pm.RandomRelu(m, order, 2, random_state=s).fit_transform(X))
                    for s in range(9)
                ]
            )
            for m in (64, 256, 1024)
        ]
        # Four times the width would halve an error of independent means.
        assert errors[1] < 0.75 * errors[0]
        assert errors[2] < 0.75 * errors[1]


# --- facts ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("width", [12, 20, 36])
def test_pairs_over_spanning_directions_keep_distances_up_to_the_root_of_two(width):
    on = pm.Euclidean(6)
    phi = pm.RandomRelu(width)
    closed = phi.bind(np.zeros((1, 6)))
    for subject in (phi, closed):
        assert pm.decide(subject, pm.Injective, on=on).holds is True
        assert pm.decide(subject, pm.Lipschitz, on=on).value[1] < 1 + 1e-8
        assert pm.decide(subject, pm.LowerLipschitz, on=on).value[0] > sqrt(0.5) - 1e-8
        assert pm.decide(subject, pm.PositivelyHomogeneous(1), on=on).holds is True
    assert pm.decide(closed, pm.Lipschitz, on=on).value[0] > 1 - 1e-8
    assert pm.decide(closed, pm.LowerLipschitz, on=on).value[1] < sqrt(0.5) + 1e-8


def test_too_few_units_lose_something_and_one_sign_is_not_claimed():
    on = pm.Euclidean(6)
    thin = pm.RandomRelu(8)
    assert pm.decide(thin, pm.Injective, on=on).holds is None
    assert pm.decide(thin.bind(np.zeros((1, 6))), pm.Injective, on=on).holds is False
    assert pm.decide(pm.RandomRelu(40, antithetic=False), pm.Injective, on=on).holds is None


def test_bias_breaks_homogeneity_and_keeps_injectivity():
    on, phi = pm.Euclidean(3), pm.RandomRelu(20, bias=1.0)
    closed = phi.bind(np.zeros((1, 3)))
    assert pm.decide(phi, pm.PositivelyHomogeneous(1), on=on).holds is None
    assert pm.decide(closed, pm.PositivelyHomogeneous(1), on=on).holds is False
    assert pm.decide(closed, pm.Injective, on=on).holds is True


@pytest.mark.parametrize("order", [0, 1, 2])
def test_degrees_of_homogeneity(order):
    phi = pm.RandomRelu(7, order, depth=2)
    closed = phi.bind(np.zeros((1, 3)))
    x = np.random.default_rng(0).standard_normal((5, 3))
    np.testing.assert_allclose(closed(3 * x), 3.0 ** (order**2) * closed(x), rtol=1e-12)
    claim = pm.PositivelyHomogeneous(order**2)
    assert pm.decide(phi, claim, on=pm.Euclidean(3)).holds is True


def test_steps_are_bounded():
    phi = pm.RandomRelu(50, order=0)
    x = np.random.default_rng(0).standard_normal((200, 3))
    high = pm.decide(phi, pm.Bounded, on=pm.Euclidean(3)).value[1]
    assert np.linalg.norm(phi.fit_transform(x), axis=1).max() <= high


# --- evaluation ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "options",
    [{}, {"order": 0}, {"order": 2}, {"bias": 0.3}, {"antithetic": "folded"}, {"depth": 2}],
    ids=str,
)
def test_all_inputs_give_the_same_features(options):
    X = np.random.default_rng(0).standard_normal((700, 5))
    X[X < 0.3] = 0
    phi = pm.RandomRelu(31, **options).fit(X)
    features = phi.transform(X)
    assert features.shape == (700, 31)
    np.testing.assert_allclose(phi.transform(sparse.csr_array(X)), features, atol=1e-14)
    np.testing.assert_allclose(phi(torch.from_numpy(X)).numpy(), features, atol=1e-14)
    np.testing.assert_array_equal(phi.transform(X, out=np.empty((700, 31))), features)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(phi)).transform(X), features)
    single = phi.transform(X.astype(np.float32))
    assert single.dtype == np.float32
    on = np.abs(single - features) < 1e-4 * (1 + np.abs(features).max())
    # A step may fall on the other side of 0 where u is within rounding of it.
    assert on.mean() > 0.999 if options.get("order") == 0 else on.all()


def test_gradients_are_those_of_the_formula():
    phi = pm.RandomRelu(8, bias=0.5).bind(np.zeros((1, 3)))
    weight, bias = (torch.tensor(phi.maps[0].array(n)) for n in ("weight", "bias"))
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    by_hand = torch.relu(torch.cat((x @ weight + bias, -x @ weight - bias), 1))
    torch.testing.assert_close(phi(x), by_hand)
    (ours,) = torch.autograd.grad(phi(x).square().sum(), x)
    (theirs,) = torch.autograd.grad(by_hand.square().sum(), x)
    torch.testing.assert_close(ours, theirs)


def test_a_pickle_holds_the_recipe_and_not_the_weights():
    phi = pm.RandomRelu(8192, bias=1.0).fit(np.zeros((1, 64)))
    assert len(pickle.dumps(phi)) < 10_000


def test_infinite_pre_activations_are_written_as_they_are_computed():
    x = np.array([[1e30, 1e30]], dtype=np.float32)
    phi = pm.CRelu() @ pm.Affine(np.array([[1e20, -1e20, 1.0], [0.0, 0.0, 1.0]]))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(phi.fit(x).transform(x), phi(torch.from_numpy(x)).numpy())


def test_one_seed_one_map_and_no_seed_another():
    x = np.ones((1, 3))
    first, again = (pm.RandomRelu(6, random_state=4).bind(x)(x) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, pm.RandomRelu(6, random_state=5).bind(x)(x))
    fresh = pm.RandomRelu(6, random_state=None)
    assert not np.array_equal(fresh.bind(x)(x), fresh.bind(x)(x))
    generator = np.random.default_rng(7)
    drawn = pm.RandomRelu(6, random_state=generator)
    np.testing.assert_array_equal(drawn.bind(x)(x), drawn.bind(x)(x))
    assert generator.integers(1000) == np.random.default_rng(7).integers(1000)


def test_layers_are_drawn_apart():
    phi = pm.RandomRelu(3, depth=3, antithetic=False).bind(np.zeros((1, 3)))
    weights = [m.array("weight") for m in phi.maps if isinstance(m, pm.Affine)]
    assert len(weights) == 3
    assert not np.allclose(weights[0], weights[1])
    assert not np.allclose(weights[1], weights[2])


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"bias": np.inf}, "'bias' parameter of RandomRelu"),
        ({"bias": -1.0}, "'bias' parameter of RandomRelu"),
        ({"order": 3}, "'order' parameter of RandomRelu"),
        ({"depth": 0}, "'depth' parameter of RandomRelu"),
        ({"sampling": "sobol"}, "'sampling' parameter of RandomRelu"),
        ({"antithetic": "folded", "order": 2}, "folded in one layer of order 0 or 1"),
        ({"antithetic": "folded", "depth": 2}, "folded in one layer of order 0 or 1"),
        ({"antithetic": "folded", "n_components": 3}, "do not hold the exact half"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(options, error):
    with pytest.raises(ParameterError, match=error):
        pm.RandomRelu(**options).fit(np.zeros((2, 3)))


def test_images_are_refused_with_the_repair():
    with pytest.raises(ShapeError, match="RandomRelu takes rows"):
        pm.RandomRelu().fit(np.ones((2, 1, 3, 3)))
