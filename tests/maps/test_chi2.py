"""Features of the χ² kernels against scikit-learn's, an independent implementation."""

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.kernel_approximation import AdditiveChi2Sampler, SkewedChi2Sampler

import phimaps as pm
from phimaps.errors import DomainError, InputError, ParameterError


def counts(n=40, d=6):
    rng = np.random.default_rng(0)
    return rng.gamma(1.0, 3.0, (n, d)) * (rng.random((n, d)) < 0.6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("steps", "interval"), [(1, None), (2, None), (3, None), (2, 0.7), (6, 0.25)]
)
def test_values_and_names_are_those_of_scikit_learn(steps, interval, dtype):
    X = counts().astype(dtype)
    ours = pm.AdditiveChi2(sample_steps=steps, sample_interval=interval).fit(X)
    theirs = AdditiveChi2Sampler(sample_steps=steps, sample_interval=interval).fit(X)
    found, expected = ours.transform(X), theirs.transform(X)
    assert found.dtype == dtype
    # The angles add up, and are rounded with each step.
    slack = 8 * steps * np.finfo(dtype).eps * np.sqrt(X.max())
    np.testing.assert_allclose(found, expected, atol=slack * max(1, np.log(X.max())))
    names = [n.split("_", 1)[1] for n in theirs.get_feature_names_out()]
    assert [n.split("_", 1)[1] for n in ours.get_feature_names_out()] == names
    thin = ours.bind(X).forward_sparse(scipy.sparse.csr_array(X))
    assert thin.dtype == dtype
    assert thin.nnz == np.count_nonzero(X) * (2 * steps - 1)
    np.testing.assert_array_equal(thin.toarray(), found)
    assert thin.has_sorted_indices
    tracked = ours(torch.tensor(X, requires_grad=True)).detach().numpy()
    np.testing.assert_allclose(tracked, found, atol=slack * max(1, np.log(X.max())))


def test_the_kernel_is_approximated_better_with_more_steps():
    X = counts() + 0.1
    truth = pm.kernels.AdditiveChi2()(X)
    errors = []
    for steps, interval in ((1, None), (2, None), (3, None), (20, 0.1)):
        Z = pm.AdditiveChi2(steps, interval).fit_transform(X)
        errors.append(np.abs(Z @ Z.T - truth).max() / truth.max())
    assert errors == sorted(errors, reverse=True)
    # Beyond 20 samples at 0.1, 1/cosh(πjL) is less than 0.01.
    assert errors[-1] < 0.01


def test_zeros_and_the_least_numbers_have_finite_features():
    for dtype in (np.float32, np.float64):
        tiny = np.finfo(dtype).smallest_subnormal
        X = np.array([[0.0, tiny, np.finfo(dtype).tiny, 1.0]], dtype=dtype)
        Z = pm.AdditiveChi2(3).fit_transform(X)
        assert np.isfinite(Z).all()
        assert not Z[0, ::4].any()
        # |cos|² + |sin|² is the size of the wave, whatever the angle.
        wave = Z[0].reshape(5, 4).astype(np.float64)
        size = 0.8 / np.cosh(0.4 * np.pi)
        np.testing.assert_allclose(
            (wave[1] ** 2 + wave[2] ** 2)[2:], size * X[0, 2:].astype(np.float64), rtol=1e-5
        )


def test_no_rows_have_no_features():
    for phi in (pm.AdditiveChi2(3), pm.ExplicitPolynomial(3), pm.LinearInterpolation.example()):
        assert phi(torch.zeros((0, 2))).shape == (0, phi.out_shape((2,))[0])


def test_the_gradient_is_that_of_differences():
    x = torch.tensor(counts(3, 2) + 0.5, requires_grad=True)
    assert torch.autograd.gradcheck(pm.AdditiveChi2(3).forward, (x,))
    zero = torch.zeros((1, 1), dtype=torch.float64, requires_grad=True)
    pm.AdditiveChi2(3)(zero).sum().backward()
    assert zero.grad.isfinite().all()


def test_what_it_refuses():
    for bad in (-counts(), scipy.sparse.csr_array(-counts()), torch.tensor(-counts())):
        with pytest.raises(InputError, match="Negative values in data passed to AdditiveChi2"):
            pm.AdditiveChi2().fit(bad)
    with pytest.raises(DomainError, match="not defined at -2"):
        pm.AdditiveChi2()(torch.tensor([[1.0], [-2.0]]))
    with pytest.raises(DomainError, match=r"not defined at -2\b") as caught:
        pm.AdditiveChi2().forward_sparse(scipy.sparse.csr_array([[0.0, 1.0], [0.0, -2.0]]))
    assert caught.value.got == "x = -2 in row 1, coordinate 1"
    with pytest.raises(ParameterError, match="no usual 'sample_interval' for 4 steps"):
        pm.AdditiveChi2(4).fit(counts())
    with pytest.raises(ParameterError, match="'sample_interval' parameter"):
        pm.AdditiveChi2(sample_interval=0.0).fit(counts())


# --- skewed ------------------------------------------------------------------------------------
@pytest.mark.parametrize("skewedness", [0.1, 1.0])
def test_the_skewed_kernel_is_estimated_as_well_as_by_scikit_learn(skewedness):
    X = counts(30, 4)
    kernel = pm.kernels.SkewedChi2(skewedness)
    truth, squared = kernel(X), {}
    # The kernel of the paper, written once more.
    shifted = X + skewedness
    product = np.prod(
        2 * np.sqrt(shifted[:, None] * shifted) / (shifted[:, None] + shifted), axis=2
    )
    np.testing.assert_allclose(truth, product, rtol=1e-12)
    for make in (pm.SkewedChi2, SkewedChi2Sampler):
        squared[make] = 0.0
        for seed in range(20):
            phi = make(skewedness=skewedness, n_components=200, random_state=seed)
            Z = phi.fit_transform(X)
            squared[make] += float(((Z @ Z.T - truth) ** 2).sum())
    assert squared[pm.SkewedChi2] < squared[SkewedChi2Sampler]


def test_frequencies_have_the_law_of_scikit_learn():
    """Both laws by the two-sample Kolmogorov-Smirnov test at level 1e-4."""
    X = np.ones((2, 3))
    ours = pm.SkewedChi2(n_components=4000).bind(X).maps[-1].array("weight").ravel()
    theirs = SkewedChi2Sampler(n_components=2000, random_state=0).fit(X).random_weights_.ravel()
    grid = np.sort(np.concatenate([ours, theirs]))
    gap = np.abs(
        np.searchsorted(np.sort(ours), grid, side="right") / len(ours)
        - np.searchsorted(np.sort(theirs), grid, side="right") / len(theirs)
    ).max()
    assert gap <= np.sqrt(np.log(2 / 1e-4) / 2) * np.sqrt(1 / len(ours) + 1 / len(theirs))


@pytest.mark.parametrize("n_components", [1, 2, 7])
def test_a_skewed_map_has_its_width_and_pairs_of_constant_length(n_components):
    X = counts()
    Z = pm.SkewedChi2(n_components=n_components).fit_transform(X)
    assert Z.shape == (40, n_components)
    pairs = n_components // 2
    if n_components % 2 == 0:
        np.testing.assert_allclose((Z**2).sum(axis=1), 1.0)
    else:
        np.testing.assert_allclose((Z[:, : 2 * pairs] ** 2).sum(axis=1), 2 * pairs / n_components)


def test_values_below_the_skewedness_are_refused():
    with pytest.raises(DomainError, match="not defined at -1") as caught:
        pm.SkewedChi2(1.0).fit([[0.0, 0.5], [0.0, -1.0]])
    assert caught.value.got == "x = -1 in row 1, coordinate 1, skewedness=1"
    phi = pm.SkewedChi2(1.0).fit([[0.0]])
    with pytest.raises(DomainError):
        phi.transform([[-2.0]])
    with pytest.raises(DomainError, match="SkewedChi2 kernel is not defined at -1"):
        pm.kernels.SkewedChi2(1.0)([[-1.0]])
