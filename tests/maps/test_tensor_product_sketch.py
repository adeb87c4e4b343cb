"""The sketch of a tensor product: its mean, its special cases, and what every composite keeps."""

import pickle

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
import torch

import phimaps as pm
from phimaps.testing.precise import precise

PARTS = {
    "two": (pm.Identity(), pm.Abs()),
    "three": (pm.Identity(), pm.Tanh(), pm.Select([0, 0])),
    "one": (pm.Identity(),),
    "open": (pm.Standardize(), pm.RandomFourier(5, gamma=0.5)),
}


@pytest.mark.parametrize("d", [1, 2, 3, 8])
@pytest.mark.parametrize("width", [1, 2, 7, 16])
@pytest.mark.parametrize("name", PARTS)
def test_its_mean_inner_product_is_the_product_of_those_of_its_parts(name, width, d, rng):
    X = rng.normal(size=(4, d))
    true = np.ones((4, 4))
    for part in PARTS[name]:
        z = part.fit(X).transform(X)
        true *= z @ z.T
    estimates = []
    for seed in range(300):
        z = pm.TensorProductSketch(PARTS[name], width, seed).fit(X).transform(X)
        assert z.shape == (4, width)
        estimates.append(z @ z.T)
    gap = np.mean(estimates, axis=0) - true
    spread = np.std(estimates, axis=0, ddof=1) / np.sqrt(300)
    # 16 entries in 48 cases: the greatest of as many normal numbers, at the level 1e-3 in all.
    bound = scipy.stats.norm.isf(1e-3 / (2 * 16 * 48))
    assert (np.abs(gap) <= bound * spread + 1e-9 * np.abs(true).max()).all()


def test_a_single_factor_that_fits_is_kept_exactly(rng):
    X = rng.normal(size=(5, 6))
    z = pm.TensorProductSketch((pm.Identity(),), 6).fit_transform(X)
    assert np.allclose(z @ z.T, X @ X.T, rtol=1e-12)


def test_wider_sketches_err_less_and_by_the_law(rng):
    X = rng.normal(size=(60, 12))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    true = (X @ X.T) ** 2

    def square(width):
        gaps = []
        for seed in range(40):
            z = pm.TensorProductSketch((pm.Identity(), pm.Identity()), width, seed)
            z = z.fit_transform(X)
            gaps.append(np.mean((z @ z.T - true) ** 2))
        return np.mean(gaps)

    narrow, wide = square(24), square(96)
    assert 3 < narrow / wide < 5.5


def test_sparse_rows_gradients_dtypes_and_seeds(rng):
    X = rng.normal(size=(7, 6)) * (rng.random((7, 6)) < 0.5)
    scaled = pm.Standardize(with_mean=False)
    phi = pm.TensorProductSketch((scaled, pm.RandomFourier(5, gamma=0.5)), 9)
    dense = phi.fit(X).transform(X)
    assert np.allclose(phi.transform(scipy.sparse.csr_array(X)), dense, atol=1e-12)
    assert phi.transform(X.astype(np.float32)).dtype == np.float32
    closed = phi.bind(X)
    x = torch.from_numpy(X).requires_grad_()
    assert torch.autograd.gradcheck(closed, (x,))
    assert np.array_equal(pickle.loads(pickle.dumps(closed))(X), closed(X))
    drawn = pm.TensorProductSketch((pm.Identity(), pm.Identity()), 9, None)
    assert drawn.random
    assert not drawn.closed
    assert not np.array_equal(drawn.fit(X).transform(X), drawn.fit(X).transform(X))
    assert np.array_equal(drawn.transform(X), drawn.transform(X))


def test_its_formula_is_the_definition(rng):
    phi = pm.TensorProductSketch((pm.Identity(), pm.Abs(), pm.Identity()), 5, 3)
    X = rng.normal(size=(3, 4))
    exact = np.array([[float(v) for v in precise(phi, x, 30)] for x in X])
    assert np.allclose(phi(X), exact, rtol=1e-10, atol=1e-12)
