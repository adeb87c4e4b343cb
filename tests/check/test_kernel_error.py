"""The error of a map's inner products: exact, or in an interval that keeps what it promises."""

from math import inf

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
import torch

import phimaps as pm
from phimaps.check.kernel import stated_kernel
from phimaps.kernels.betting import ratio_interval
from phimaps.kernels.error import measure

SEEDS = 500


def data(rng, kind, n=40, d=3):
    if kind == "gauss":
        return rng.normal(size=(n, d))
    if kind == "nonnegative":
        return rng.exponential(size=(n, d))
    # One row in ten is far longer than the others, and so are its kernel values.
    return rng.normal(size=(n, d)) * np.where(rng.random((n, 1)) < 0.1, 8.0, 1.0)


def plain(phi, kernel, X):
    features, values = phi.fit(X).transform(X), kernel(X)
    return features @ features.T - values, values


def least_share(hits, trials, level=1e-3):
    """Below this the true probability of a hit lies with probability `level` only (exact)."""
    return scipy.stats.beta.ppf(level, hits, trials - hits + 1) if hits else 0.0


MAPS = {
    "fourier": (pm.RandomFourier(20, gamma=0.3), pm.kernels.RBF(gamma=0.3), "gauss"),
    "a wrong bandwidth": (pm.RandomFourier(20, gamma=0.6), pm.kernels.RBF(gamma=0.3), "gauss"),
    "long rows": (
        pm.RandomFourier(6, gamma=0.2) * pm.Identity(),
        pm.kernels.RBF(gamma=0.2) * pm.kernels.Linear(),
        "heavy",
    ),
    "chi2": (pm.AdditiveChi2(sample_steps=1), pm.kernels.AdditiveChi2(), "nonnegative"),
    "one direction": (pm.Select([0]), pm.kernels.Linear(), "heavy"),
}


@pytest.mark.parametrize("norm", ["frobenius", "rms", "max"])
@pytest.mark.parametrize("name", MAPS)
def test_all_pairs_give_the_error_itself(name, norm, rng):
    phi, kernel, kind = MAPS[name]
    X = data(rng, kind, n=70)
    gap, values = plain(phi, kernel, X)
    true = {
        "frobenius": np.linalg.norm(gap) / np.linalg.norm(values),
        "rms": np.linalg.norm(gap) / len(X),
        "max": np.abs(gap).max(),
    }[norm]
    found = pm.check.kernel_error(phi, kernel, on=X, norm=norm)
    assert float(found) == pytest.approx(true, rel=1e-9)
    assert (found.lower, found.upper, found.exact) == (found.value, found.value, True)
    assert (found.pairs, found.total, found.confidence) == (4900, 4900, 1.0)
    with pm.config_context(chunk_bytes=400):
        again = pm.check.kernel_error(phi, kernel, on=X, norm=norm)
    assert again.value == pytest.approx(found.value, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "norm", "confidence"),
    [
        ("fourier", "frobenius", 0.95),
        ("fourier", "rms", 0.6),
        ("a wrong bandwidth", "rms", 0.95),
        ("long rows", "frobenius", 0.95),
        ("long rows", "frobenius", 0.6),
        ("chi2", "frobenius", 0.95),
        ("one direction", "frobenius", 0.6),
        ("one direction", "rms", 0.95),
    ],
)
def test_the_interval_contains_the_error_as_often_as_it_says(name, norm, confidence, rng):
    phi, kernel, kind = MAPS[name]
    X = data(rng, kind)
    phi, options = phi.bind(X), dict(norm=norm, pairs=400, confidence=confidence)
    true = measure(phi, kernel, X, norm=norm).value
    found = [
        measure(phi, kernel, X, exact_rows=0, random_state=seed, **options) for seed in range(SEEDS)
    ]
    hits = sum(f.lower <= true <= f.upper for f in found)
    assert least_share(hits, SEEDS) >= confidence
    assert not any(f.exact for f in found)
    assert all(f.lower <= f.value <= f.upper for f in found)
    # It says something: the middle one of the intervals is not much wider than it must be.
    assert np.median([f.upper / f.lower for f in found]) < 4
    same = pm.check.kernel_error(phi, kernel, on=X, exact_rows=0, random_state=3, **options)
    assert same == found[3]


def test_the_largest_error_is_bounded_below_and_its_share_of_pairs_above(rng):
    X = data(rng, "gauss")
    phi, kernel = pm.RandomFourier(20, gamma=0.3).bind(X), pm.kernels.RBF(gamma=0.3)
    gap = np.abs(plain(phi, kernel, X)[0])
    hits = 0
    for seed in range(SEEDS):
        found = measure(phi, kernel, X, norm="max", exact_rows=0, pairs=200, random_state=seed)
        assert found.lower <= gap.max() * (1 + 1e-9) <= found.upper
        hits += np.mean(gap > found.value * (1 + 1e-9)) <= found.share
    # The share is exact for many pairs, so that as many hits as promised are all there are.
    assert scipy.stats.binom.cdf(hits, SEEDS, 0.95) > 1e-3
    assert found.share == pytest.approx(1 - 0.05 ** (1 / 200))


def test_a_ratio_of_means_is_contained_where_values_are_rare(rng):
    # One value in fifty is at the bound: the sample often misses it.
    hits = 0
    for _ in range(SEEDS):
        top = (rng.random(100) < 0.02).astype(float)
        low, high = ratio_interval(top, np.ones(100), (1.0, 1.0), 0.9)
        hits += low <= 0.02 <= high
    assert least_share(hits, SEEDS) >= 0.9


def test_a_ratio_of_means_that_vary_together_is_narrow(rng):
    size = rng.exponential(size=4000).clip(max=9.0)
    low, high = ratio_interval(0.5 * size, size, (9.0, 9.0), 0.95)
    assert low <= 0.5 <= high
    assert high - low < 0.02
    assert ratio_interval(np.zeros(100), np.zeros(100), (1.0, 1.0), 0.95) == (0.0, inf)
    assert ratio_interval(np.zeros(1000), np.ones(1000), (1.0, 1.0), 0.95)[1] < 0.01


def test_nothing_is_wrong_where_nothing_can_be(rng):
    X = rng.normal(size=(30, 4))
    for rows in (0, 100):
        found = pm.check.kernel_error(
            pm.Identity(), pm.kernels.Linear(), on=X, exact_rows=rows, pairs=4000
        )
        assert found.value <= found.upper < (1e-12 if rows else 0.2)
    zero = pm.check.kernel_error(
        pm.Identity(), pm.kernels.Linear(), on=np.zeros((5, 2)), exact_rows=0, pairs=100
    )
    assert (zero.value, zero.exact) == (0.0, True)
    none = pm.Affine([[0.0], [0.0]], [1.0])
    assert pm.check.kernel_error(none, "linear", on=np.zeros((5, 2))).value == inf


def test_sparse_rows_tensors_and_frames_give_the_same(rng):
    X = rng.normal(size=(50, 6)) * (rng.random((50, 6)) < 0.4)
    phi, kernel = pm.RandomFourier(30, gamma=0.3), pm.kernels.RBF(gamma=0.3)
    for rows in (0, 100):
        arguments = dict(exact_rows=rows, pairs=500)
        dense = pm.check.kernel_error(phi, kernel, on=X, **arguments)
        for other in (scipy.sparse.csr_array(X), torch.from_numpy(X)):
            found = pm.check.kernel_error(phi, kernel, on=other, **arguments)
            assert found.value == pytest.approx(dense.value, rel=1e-9)
            assert found.upper == pytest.approx(dense.upper, rel=1e-6)
    single = pm.check.kernel_error(phi, kernel, on=X.astype(np.float32))
    assert single.value == pytest.approx(dense.value, rel=0.2)


def test_open_kernels_and_maps_are_bound_to_the_rows(rng):
    X = 3 * rng.normal(size=(60, 4))
    phi = pm.RandomFourier(100, gamma="scale")
    stated = pm.check.kernel_error(phi, on=X)
    gamma = 1 / (4 * X.var())
    same = pm.check.kernel_error(
        pm.RandomFourier(100, gamma=gamma), pm.kernels.RBF(gamma=gamma), on=X
    )
    assert stated.value == pytest.approx(same.value, rel=1e-9)
    assert 0 < stated.value < 0.5
    with pytest.raises(pm.errors.UnboundError, match="waits for data"):
        pm.check.kernel_error(phi.fit(X), on=X)


def test_what_composites_state_follows_from_their_parts(rng):
    X = rng.normal(size=(30, 4))
    part = pm.RandomFourier(400, gamma=0.1)
    other = pm.RandomFourier(400, gamma=0.3, random_state=1)
    for phi in (part & pm.Identity(), 2 * part, part @ pm.Standardize(), part & other @ pm.Tanh()):
        assert pm.check.kernel_error(phi, on=X).value < 0.2
    assert stated_kernel(pm.Standardize()) is None
    assert stated_kernel(pm.Identity() & pm.Tanh()) is None


def test_it_prints_what_it_knows(rng):
    X = data(rng, "gauss")
    phi, kernel = pm.RandomFourier(20, gamma=0.3), pm.kernels.RBF(gamma=0.3)
    assert str(pm.check.kernel_error(phi, kernel, on=X)).endswith("exact (all 1600 pairs)")
    some = pm.check.kernel_error(phi, kernel, on=X, exact_rows=0, pairs=100, norm="rms")
    assert "with confidence 0.95 (100 of 1600 pairs)" in str(some)
    largest = pm.check.kernel_error(phi, kernel, on=X, exact_rows=0, pairs=100, norm="max")
    assert "at most 0.03 of all pairs exceed it" in str(largest)


def test_equal_seeds_give_equal_pairs(rng):
    X = data(rng, "gauss")
    phi, kernel = pm.RandomFourier(20, gamma=0.3), pm.kernels.RBF(gamma=0.3)
    first, again, other = (
        pm.check.kernel_error(phi, kernel, on=X, exact_rows=0, pairs=100, random_state=seed)
        for seed in (0, 0, 1)
    )
    assert first == again != other


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("rows", [0, 100])
def test_the_accelerator_finds_the_same_error(rows, rng):
    X = data(rng, "gauss")
    kernel = pm.kernels.RBF(gamma=0.3)
    phi = pm.RandomFourier(20, gamma=0.3).bind(X)
    options = dict(exact_rows=rows, pairs=500)
    expected = pm.check.kernel_error(phi, kernel, on=X, **options)
    moved = pm.check.kernel_error(phi.to("cuda"), kernel, on=X, **options)
    there = pm.check.kernel_error(phi, kernel, on=torch.tensor(X, device="cuda"), **options)
    for found in (moved, there):
        assert found.value == pytest.approx(expected.value, rel=1e-9)
        assert found.upper == pytest.approx(expected.upper, rel=1e-9)
    asked = kernel.features(error=0.2, on=torch.tensor(X, device="cuda"))
    assert pm.check.kernel_error(asked, kernel, on=X).value <= 0.2
