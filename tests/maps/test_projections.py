"""Random projections against scikit-learn's, and what is known of their matrices."""

import pickle
from math import sqrt

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import torch
from sklearn.random_projection import (
    GaussianRandomProjection,
    SparseRandomProjection,
    johnson_lindenstrauss_min_dim,
)

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError
from phimaps.maps import sparse_linear
from phimaps.maps.hadamard import hadamard_rows, transform

KINDS = [pm.GaussianProjection, pm.SparseProjection, pm.CountSketch, pm.Srht]
AUTO = [
    (pm.GaussianProjection, GaussianRandomProjection),
    (pm.SparseProjection, SparseRandomProjection),
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)


def data(n=20, d=12):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.5)


def matrix(phi):
    return phi(torch.eye(phi.takes[0], dtype=torch.float64)).numpy()


@pytest.mark.parametrize(("ours", "theirs"), AUTO)
def test_the_width_for_an_error_is_that_of_scikit_learn(ours, theirs):
    X = np.random.default_rng(0).random((10, 900))
    found = ours(eps=0.3, random_state=0).fit_transform(X)
    expected = theirs(eps=0.3, random_state=0).fit_transform(X)
    assert found.shape == expected.shape
    assert found.shape[1] == johnson_lindenstrauss_min_dim(10, eps=0.3)
    with pytest.raises(ParameterError, match="lead to a target dimension of") as caught:
        ours(eps=0.1).fit(X)
    assert caught.value.got == "n_components='auto', eps=0.1 for shape (10, 900)"
    with pytest.raises(ValueError, match="lead to a target dimension of"):
        theirs(eps=0.1).fit(X)


def test_entries_have_the_laws_of_scikit_learn():
    """Means, squares and shares of zeros within normal bounds at 5.5 deviations."""
    X = np.ones((2, 400))
    gauss = matrix(pm.GaussianProjection(300).bind(X))
    assert abs(gauss.mean()) <= 5.5 / sqrt(300) / sqrt(gauss.size)
    assert abs((gauss**2).mean() * 300 - 1) <= 5.5 * sqrt(2 / gauss.size)
    for density in ("auto", 1 / 3, 1.0):
        sparse = matrix(pm.SparseProjection(300, density=density).bind(X))
        q = 1 / sqrt(400) if density == "auto" else density
        values = np.unique(sparse)
        size = 1 / sqrt(q * 300)
        np.testing.assert_allclose(values, [-size, 0, size] if q < 1 else [-size, size])
        share = np.count_nonzero(sparse) / sparse.size
        assert abs(share - q) <= 5.5 * sqrt(q * (1 - q) / sparse.size)
        theirs = SparseRandomProjection(300, density=density, random_state=0).fit(X).components_
        theirs = theirs.toarray() if scipy.sparse.issparse(theirs) else theirs
        np.testing.assert_allclose(np.unique(theirs), values)
        plus = np.count_nonzero(sparse > 0) / np.count_nonzero(sparse)
        assert abs(plus - 0.5) <= 5.5 * 0.5 / sqrt(np.count_nonzero(sparse))


@pytest.mark.parametrize("n_components", [1, 5, 8, 30])
def test_a_count_sketch_adds_every_coordinate_once(n_components):
    weight = matrix(pm.CountSketch(n_components).bind(data()))
    assert (np.count_nonzero(weight, axis=1) == 1).all()
    assert set(np.abs(weight).sum(axis=1)) == {1.0}


@pytest.mark.parametrize("d", [1, 2, 7, 8, 20])
@pytest.mark.parametrize("n_components", [1, 3, 8, 40])
def test_rows_of_a_hadamard_transform_are_chosen_once_as_far_as_they_suffice(d, n_components):
    phi = pm.Srht(n_components).bind(data(d=d))
    order = 1 << (d - 1).bit_length()
    counts = np.bincount(phi.chosen, minlength=order)
    assert counts.sum() == n_components
    assert np.ptp(counts) <= 1
    weight = matrix(phi) * sqrt(n_components)
    np.testing.assert_allclose(np.abs(weight), 1.0, rtol=1e-12)
    if n_components % order == 0:
        # Nothing is lost: distances are kept.
        np.testing.assert_allclose(weight @ weight.T, n_components * np.eye(d), atol=1e-9)


@every_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_way_gives_the_same_features(monkeypatch, kind, dtype):
    X = data().astype(dtype)
    phi = kind(7).bind(X)
    Z = phi.transform(X)
    assert Z.dtype == dtype
    slack = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(Z, X @ matrix(phi), atol=slack)
    thin = phi.transform(scipy.sparse.csr_array(X))
    assert thin.dtype == dtype
    np.testing.assert_allclose(thin, Z, atol=slack)
    monkeypatch.setattr(sparse_linear, "DENSE", 0)
    monkeypatch.setattr(sparse_linear, "LONG", 0)
    other = pickle.loads(pickle.dumps(phi))
    np.testing.assert_allclose(other.transform(X), Z, atol=slack)
    np.testing.assert_allclose(other.transform(scipy.sparse.csr_array(X)), Z, atol=slack)
    x = torch.tensor(X[:3].astype(np.float64), requires_grad=True)
    assert torch.autograd.gradcheck(other.forward, (x,))


def test_sparse_rows_stay_sparse_where_the_matrix_is():
    X = scipy.sparse.csr_array(data())
    for phi in (pm.CountSketch(7).bind(X), pm.SparseProjection(7).bind(X)):
        assert scipy.sparse.issparse(phi.forward_sparse(X))


def test_a_gaussian_projection_is_pickled_as_its_seed():
    X = np.ones((2, 500))
    phi = pm.GaussianProjection(400).fit(X)
    expected = phi.transform(X)
    stored = pickle.dumps(phi)
    assert len(stored) < 5_000
    np.testing.assert_array_equal(pickle.loads(stored).transform(X), expected)


@every_kind
def test_what_is_known_of_a_projection(kind):
    narrow, wide = kind(5).bind(data()), kind(64).bind(data())
    for phi in (narrow, wide):
        values = np.linalg.svd(matrix(phi), compute_uv=False)
        verdict = pm.decide(phi, pm.Lipschitz)
        assert verdict.value[0] <= values[0] * (1 + 1e-12)
        assert values[0] <= verdict.value[1] * (1 + 1e-12)
        assert verdict.value[1] - verdict.value[0] < 1e-9
        assert pm.decide(phi, pm.property.Affine).holds
        assert pm.decide(phi, pm.PositivelyHomogeneous).holds
    assert pm.decide(narrow, pm.Injective).holds is False
    values = np.linalg.svd(matrix(wide), compute_uv=False)
    assert pm.decide(wide, pm.Injective).holds is bool(values[-1] > 1e-9)


@pytest.mark.parametrize("kind", [pm.SparseProjection, pm.CountSketch, pm.Srht])
def test_the_constants_of_large_matrices_are_bounds(monkeypatch, kind):
    monkeypatch.setattr(sparse_linear, "SMALL", 0)
    for width in (5, 64):
        phi = kind(width).bind(data())
        top = np.linalg.svd(matrix(phi), compute_uv=False)[0]
        bound = pm.decide(phi, pm.Lipschitz).value[1]
        assert top <= bound * (1 + 1e-12)
        assert bound <= 4 * top
        assert pm.decide(phi, pm.Injective).holds is (False if width == 5 else None)


def test_parameters_are_checked():
    with pytest.raises(ParameterError, match="'density' parameter"):
        pm.SparseProjection(3, density=1.5).fit(data())
    with pytest.raises(ParameterError, match="'eps' parameter"):
        pm.GaussianProjection(eps=1.0).fit(data())
    with pytest.raises(ParameterError, match="'n_components' parameter"):
        pm.CountSketch("auto").fit(data())
    with pytest.raises(ShapeError, match="Srht takes rows"):
        pm.Srht(3).fit(np.ones((2, 1, 3, 3)))
    for phi in (pm.Srht(3).bind(data()), pm.CountSketch(3).bind(data())):
        with pytest.raises(ShapeError, match="is expecting 12 features"):
            phi(torch.zeros(2, 5))
    with pytest.raises(ParameterError, match="'weight' parameter of SparseLinear cannot be used"):
        pm.SparseLinear(scipy.sparse.csr_array([[np.inf]])).fit([[1.0]])
    with pytest.raises(ParameterError, match="do not fit each other"):
        pm.SignedHadamard([1, 2], [0]).fit([[1.0, 2.0]])


def test_a_closed_matrix_is_a_copy():
    weight = scipy.sparse.csr_array([[1.0, 0.0], [0.0, 2.0]])
    phi = pm.SparseLinear(weight).fit([[1.0, 1.0]])
    weight.data[:] = 0
    np.testing.assert_array_equal(phi.transform([[1.0, 1.0]]), [[1.0, 2.0]])


@pytest.mark.parametrize("order", [1, 2, 64, 256, 4096])
def test_hadamard_transforms_are_products_with_the_matrix_of_scipy(order):
    matrix = scipy.linalg.hadamard(order)
    np.testing.assert_array_equal(hadamard_rows(np.arange(order), order), matrix)
    np.testing.assert_array_equal(hadamard_rows([order - 1], 5 % order), matrix[-1:, : 5 % order])
    x = torch.from_numpy(np.random.default_rng(0).integers(-9, 9, (3, 2, order)).astype(float))
    np.testing.assert_array_equal(transform(x).numpy(), x.numpy() @ matrix)
