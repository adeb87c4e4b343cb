"""`features(error=...)`: the promise is kept as often as it says, and what cannot be is refused."""

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
import torch

import phimaps as pm
from phimaps.kernels import RBF, AdditiveChi2, Cosine, Intersection, Linear, PolynomialKernel
from phimaps.maps import kernel_features

SEEDS = 500


def width(phi, X):
    return phi.fit(X).transform(X[:2]).shape[1]


@pytest.fixture
def sampled(monkeypatch):
    """A few random pairs decide, as for more rows than these tests can afford."""
    monkeypatch.setattr(kernel_features, "ALL_PAIRS_UP_TO", 0)
    monkeypatch.setattr(kernel_features, "FEW", 512)
    monkeypatch.setattr(kernel_features, "MANY", 512)
    monkeypatch.setattr(kernel_features, "DRAWS", 1)
    monkeypatch.setattr(kernel_features, "TRIES", 0)


KERNELS = {
    "RBF": (RBF(gamma=0.1), "auto", 0.4),
    "polynomial": (PolynomialKernel(3, gamma=0.2), "sketch", 0.4),
    "landmarks": (RBF(gamma=0.3), "nystrom", 0.2),
    "sum": (RBF(gamma=0.3) + 2 * Linear(), "auto", 0.1),
    "product": (RBF(gamma=0.3) * Cosine(), "auto", 0.2),
    "chi2": (AdditiveChi2() @ pm.Abs(), "auto", 0.05),
}


@pytest.mark.parametrize("name", KERNELS)
def test_all_pairs_are_looked_at_where_they_are_few(name, rng):
    kernel, method, error = KERNELS[name]
    X = rng.normal(size=(300, 4))
    phi = kernel.features(method=method, error=error, on=X)
    found = pm.check.kernel_error(phi, kernel, on=X)
    assert found.exact
    assert found.value <= error
    # Much narrower maps do not serve.
    if name in ("RBF", "product"):
        half = kernel.features(width(phi, X) // 3, method)
        assert pm.check.kernel_error(half, kernel, on=X).value > error


@pytest.mark.parametrize(
    ("name", "confidence"), [("RBF", 0.95), ("RBF", 0.5), ("polynomial", 0.7), ("landmarks", 0.7)]
)
def test_the_promise_is_kept_as_often_as_it_says(name, confidence, sampled, monkeypatch, rng):
    if name != "RBF":
        monkeypatch.setattr(kernel_features, "MANY", 2048)
    kernel, method, error = KERNELS[name]
    X = rng.normal(size=(40, 6 if name == "polynomial" else 3))
    trials = SEEDS if confidence == 0.95 else 60
    kept, widths = 0, []
    for seed in range(trials):
        phi = kernel.features(
            method=method, error=error, confidence=confidence, on=X, random_state=seed
        )
        kept += pm.check.kernel_error(phi, kernel, on=X).value <= error
        widths.append(width(phi, X))
    # Below this the true share of kept promises lies with probability 1e-3 only.
    assert scipy.stats.beta.ppf(1e-3, kept, trials - kept + 1) >= confidence
    # No map is so wide that the promise would be empty.
    assert np.median(widths) <= 40 * 3**2


def test_what_no_map_reaches_is_refused_and_says_what_was_reached(rng):
    X = rng.normal(size=(100, 4))
    with pytest.raises(pm.errors.ParameterError) as caught:
        RBF(gamma=0.3).features(64, error=0.001, on=X)
    assert "the widest one reached 0.2" in str(caught.value)
    assert "No map of at most 64 features" in str(caught.value)
    with pytest.raises(pm.errors.ParameterError, match=r"an error of 0\.01"):
        AdditiveChi2().features(4, error=0.01, on=np.abs(X))


def test_few_pairs_cannot_certify_a_small_error(sampled, rng):
    X = rng.normal(size=(100, 4))
    with pytest.raises(pm.errors.ParameterError, match=r"do:   on=X\[:0\], where all pairs"):
        RBF(gamma=0.3).features(4096, error=0.01, on=X)


def test_exact_maps_are_taken_at_once(rng):
    X = rng.normal(size=(40, 5))
    for kernel in (Linear(), Cosine() @ pm.Standardize(), PolynomialKernel(2)):
        phi = kernel.features(error=0.01, on=X)
        assert pm.check.kernel_error(phi, kernel, on=X).value < 1e-12


def test_the_map_is_open_and_binds_to_the_one_that_was_measured(rng):
    X = 3 * rng.normal(size=(200, 4))
    phi = RBF(gamma="scale").features(error=0.1, on=X, random_state=None)
    assert not phi.closed
    first, again = phi.fit(X).transform(X), phi.fit(X).transform(X)
    assert np.array_equal(first, again)
    assert pm.check.kernel_error(phi.bind(X), RBF().bind(X), on=X).value <= 0.1


def test_frames_tensors_and_sparse_rows_are_taken(rng):
    X = rng.exponential(size=(80, 4)) * (rng.random((80, 4)) < 0.6)
    dense = RBF(gamma=0.3).features(error=0.1, on=X)
    for other in (torch.from_numpy(X), scipy.sparse.csr_array(X)):
        assert width(RBF(gamma=0.3).features(error=0.1, on=other), X) == width(dense, X)
    phi = Intersection().features(error=0.05, on=X)
    assert isinstance(phi, pm.Nystrom)
    assert pm.check.kernel_error(phi, Intersection(), on=X).value <= 0.05
