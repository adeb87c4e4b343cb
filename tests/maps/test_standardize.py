"""Standardization in batches: the moments of parts are those of the whole."""

import pickle

import numpy as np
import pytest
import scipy.sparse
import sklearn
import torch
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

import phimaps as pm
from phimaps.errors import InputError, ParameterError

EPS = np.finfo(np.float64).eps
RNG = np.random.default_rng(0)
# Spreads far smaller than the means, and a constant column.
CENTRES = np.array([1e6, 5.0, -1e3, 7.1])
X = RNG.standard_normal((300, 4)) * np.array([1, 1e-3, 1e3, 0]) + CENTRES
WEIGHTS = RNG.uniform(0, 2, 300)


def in_parts(size, rows=X, weights=None, **parameters):
    phi = pm.Standardize(**parameters)
    for start in range(0, rows.shape[0], size):
        part = slice(start, start + size)
        assert phi.partial_fit(rows[part], None, None if weights is None else weights[part]) is phi
    return phi


@pytest.mark.parametrize("size", [1, 7, 100, 300])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_any_batches_give_the_map_of_the_whole(size, weights):
    whole = pm.Standardize().fit(X, sample_weight=weights)
    parts = in_parts(size, weights=weights)
    # A mean is known up to eps, and so a spread up to eps times their ratio.
    loss = 64 * EPS * (1 + np.abs(CENTRES[:3]) / X.std(axis=0)[:3])
    gap = np.abs(parts.transform(X) - whole.transform(X))[:, :3]
    assert (gap.max(axis=0) < loss * np.abs(whole.transform(X))[:, :3].max(axis=0) + loss).all()
    # The constant column is only centred, whatever rounding the means went through.
    assert parts.map_.weight[3] == whole.map_.weight[3] == 1.0
    if weights is None:
        theirs = StandardScaler().fit(X)
        np.testing.assert_allclose(parts.map_.weight[:3], 1 / theirs.scale_[:3], rtol=1e-9)


@pytest.mark.parametrize("kind", [np.float32, "tensor", "sparse"])
def test_rows_of_all_kinds(kind):
    rows, given = X.astype(np.float32), {}
    if kind == "tensor":
        rows = torch.from_numpy(X)
    if kind == "sparse":
        rows, given = scipy.sparse.csr_array(np.where(np.abs(X) < 5, 0.0, X)), {"with_mean": False}
    whole, parts = pm.Standardize(**given).fit(rows), in_parts(50, rows, **given)
    np.testing.assert_allclose(parts.map_.weight, whole.map_.weight, rtol=1e-9)
    np.testing.assert_allclose(parts.map_.bias, whole.map_.bias, rtol=1e-9, atol=1e-12)
    assert parts.transform(rows[:2]).dtype == (np.float32 if kind is np.float32 else np.float64)


def test_integer_weights_are_repetitions():
    counts = RNG.integers(0, 4, 300)
    parts = in_parts(60, weights=counts)
    repeated = pm.Standardize().fit(np.repeat(X, counts, axis=0))
    np.testing.assert_allclose(parts.map_.weight, repeated.map_.weight, rtol=1e-6)


def test_fit_can_be_continued_and_starts_anew():
    continued = pm.Standardize().fit(X[:100]).partial_fit(X[100:])
    whole = pm.Standardize().fit(X)
    np.testing.assert_allclose(continued.map_.bias, whole.map_.bias, rtol=1e-9)
    np.testing.assert_array_equal(continued.fit(X).transform(X), whole.transform(X))
    restored = pickle.loads(pickle.dumps(continued)).partial_fit(X)
    assert restored.state_.total == 600
    assert continued.state_.total == 300


def test_what_is_kept_goes_with_the_parameters():
    phi = pm.Standardize().partial_fit(X)
    assert vars(clone(phi)).keys() == {"with_mean", "with_std"}
    phi.set_params(with_std=False)
    assert vars(phi).keys() == {"with_mean", "with_std"}
    phi.partial_fit(X[:10])
    np.testing.assert_array_equal(phi.transform(X), pm.Standardize(with_std=False).fit(X[:10])(X))
    assert vars(pm.Standardize().bind(X)).keys().isdisjoint({"state_", "map_"})


def test_a_batch_that_is_refused_changes_nothing():
    phi = pm.Standardize().partial_fit(X)
    before = dict(vars(phi))
    for bad, error in (
        (lambda: phi.partial_fit(X[:, :2]), InputError),
        (lambda: phi.partial_fit(np.full((2, 4), np.inf)), InputError),
        (lambda: phi.partial_fit(X, sample_weight=[1.0]), ParameterError),
    ):
        with pytest.raises(error):
            bad()
    assert vars(phi) == before


def test_weights_of_batches_can_be_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        phi = pm.Standardize().set_partial_fit_request(sample_weight=True)
        assert phi.get_metadata_routing().partial_fit.requests == {"sample_weight": True}
