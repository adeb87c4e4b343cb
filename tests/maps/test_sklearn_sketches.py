"""What scikit-learn asks of its samplers of polynomial and χ² kernels, asked of our twins.

On data and with bounds like those of its own tests.
"""

import numpy as np
import pytest
import scipy.sparse
from sklearn.metrics.pairwise import polynomial_kernel

import phimaps as pm
from phimaps.errors import DomainError, InputError, ParameterError

RNG = np.random.RandomState(0)
X, Y = (m / m.sum(axis=1, keepdims=True) for m in RNG.random_sample((2, 300, 50)))
KINDS = [pm.TensorSketch, pm.ProductSketch]


@pytest.mark.parametrize("gamma", [0.1, 1, 2.5])
@pytest.mark.parametrize(("degree", "n_components"), [(1, 500), (2, 500), (3, 5000)])
@pytest.mark.parametrize("coef0", [0, 2.5])
@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_a_polynomial_kernel_is_approximated(kind, gamma, degree, n_components, coef0):
    kernel = polynomial_kernel(X, Y, gamma=gamma, degree=degree, coef0=coef0)
    phi = kind(n_components=n_components, gamma=gamma, coef0=coef0, degree=degree, random_state=42)
    error = kernel - phi.fit_transform(X) @ phi.transform(Y).T
    # A tenth of what scikit-learn allows.
    assert abs(error.mean()) <= 0.005
    assert np.abs(error).max() <= 0.01
    assert np.abs(error).mean() <= 0.005


@pytest.mark.parametrize("coef0", [0, 2.5])
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_dense_and_sparse_rows_give_one_result(kind, degree, coef0):
    make = lambda: kind(n_components=500, degree=degree, coef0=coef0, random_state=42)  # noqa: E731
    dense, sparse = make(), make()
    # As scikit-learn's assert_allclose, and absolutely where features cancel.
    for fit, given in (("fit_transform", X), ("transform", Y)):
        expected = getattr(dense, fit)(given)
        found = getattr(sparse, fit)(scipy.sparse.csr_array(given))
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-15)


def test_the_additive_chi2_kernel_is_approximated():
    kernel = (2 * X[:, None] * Y / (X[:, None] + Y)).sum(axis=2)
    phi = pm.AdditiveChi2(sample_steps=3)
    X_new, Y_new = phi.fit_transform(X), phi.transform(Y)
    np.testing.assert_array_almost_equal(kernel, X_new @ Y_new.T, 1)
    np.testing.assert_array_equal(phi.fit_transform(scipy.sparse.csr_array(X)), X_new)
    np.testing.assert_array_equal(phi.transform(scipy.sparse.csr_array(Y)), Y_new)
    negative = Y.copy()
    negative[0, 0] = -1
    for method in (phi.fit, phi.transform):
        with pytest.raises(InputError, match="Negative values in data passed to"):
            method(negative)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_steps_have_usual_distances_and_keep_given_ones(steps):
    usual = pm.AdditiveChi2(sample_steps=steps)
    usual.fit_transform(X)
    assert usual.sample_interval is None
    given = pm.AdditiveChi2(sample_steps=steps, sample_interval=0.5)
    given.fit_transform(X)
    assert given.sample_interval == 0.5
    with pytest.raises(ParameterError, match="sample_interval"):
        pm.AdditiveChi2(sample_steps=steps + 3).fit(X)


def test_the_skewed_kernel_is_approximated_also_between_0_and_its_end():
    c = 0.03
    moved = Y.copy()
    moved[0, 0] = -c / 2
    a, b = X[:, None] + c, moved + c
    kernel = np.exp((np.log(a) / 2 + np.log(b) / 2 + np.log(2) - np.log(a + b)).sum(axis=2))
    phi = pm.SkewedChi2(skewedness=c, n_components=1000, random_state=42)
    found = phi.fit_transform(X) @ phi.transform(moved).T
    np.testing.assert_array_almost_equal(kernel, found, 1)
    assert np.isfinite(found).all()
    moved[0, 0] = -2 * c
    with pytest.raises(DomainError):
        phi.transform(moved)
    with pytest.raises(DomainError, match="skewed χ² features are not defined"):
        phi.fit(moved)


@pytest.mark.parametrize(
    ("phi", "names"),
    [
        (pm.AdditiveChi2(sample_steps=3), ["additivechi2_f0_sqrt", "additivechi2_f1_sqrt"]),
        (pm.TensorSketch(n_components=3, exact_low=False), ["tensorsketch2_0", "tensorsketch2_1"]),
        (pm.ProductSketch(coef0=1.0, n_components=7), ["1"]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_names_begin_with_the_map(phi, names):
    phi.fit(X[:, :5])
    given = phi.get_feature_names_out([f"f{i}" for i in range(5)])
    assert list(given[: len(names)]) == names
    assert len(given) == phi.transform(X[:, :5]).shape[1]
