"""Sketches of dot-product kernels: exact where that is claimed, and better than scikit-learn's."""

import pickle
from math import comb

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import PolynomialCountSketch

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError
from phimaps.maps import product_sketch, sketched, tensor_sketch
from phimaps.testing.precise import precise

KINDS = [pm.TensorSketch, pm.ProductSketch]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)


def data(n=7, d=5, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


# --- the kernel --------------------------------------------------------------------------------
@every_kind
@pytest.mark.parametrize("coef0", [0.0, 0.5])
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_kernel_is_exact_where_the_monomials_fit(kind, degree, coef0, d):
    X = data(d=d)
    count = comb(d + degree, degree) if coef0 else comb(d + degree - 1, degree)
    phi = kind(degree, gamma=0.7, coef0=coef0, n_components=count).fit(X)
    Z = phi.transform(X)
    assert phi.exact(d)
    assert Z.shape[1] == count == phi.out_shape((d,))[0]
    np.testing.assert_allclose(Z @ Z.T, (0.7 * X @ X.T + coef0) ** degree, rtol=1e-12, atol=1e-12)
    assert not kind(degree, 0.7, coef0, count - 1).exact(d)
    assert not kind(degree, 0.7, coef0, count, exact_low=False).exact(d)


@every_kind
@pytest.mark.parametrize("n_components", [1, 2, 8, 9, 22, 44])
@pytest.mark.parametrize("degree", [2, 3, 5])
def test_degrees_0_and_1_are_exact_and_the_width_is_kept(kind, degree, n_components):
    X = data(d=8)
    phi = kind(degree, gamma=0.5, coef0=2.0, n_components=n_components).bind(X)
    Z = phi.transform(X)
    assert Z.shape == (7, n_components)
    assert sum(width for _, width, _ in phi.groups) + phi.low == n_components
    if n_components > 1:
        np.testing.assert_allclose(Z[:, 0], np.sqrt(2.0**degree), rtol=1e-14)
    if phi.linear:
        slope = np.sqrt(degree * 2.0 ** (degree - 1) * 0.5)
        np.testing.assert_allclose(Z[:, 1:9], slope * X, rtol=1e-14)
        assert min(k for k, _, _ in phi.groups) == 2
    # With the width all degrees above are there.
    if n_components == 44 and degree == 2:
        assert phi.linear > 0
        assert [k for k, _, _ in phi.groups] == [2]


@every_kind
def test_the_error_is_not_above_that_of_scikit_learn_and_tenfold_below_with_low_degrees(kind):
    X = load_digits().data[:200]
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    squared = {}
    for coef0 in (0.0, 1.0):
        truth = (X @ X.T + coef0) ** 2
        for make in (PolynomialCountSketch, kind):
            total = 0.0
            for seed in range(20):
                Z = make(degree=2, coef0=coef0, n_components=1024, random_state=seed).fit_transform(
                    X
                )
                total += float(((Z @ Z.T - truth) ** 2).mean())
            squared[coef0, make] = total
    # A tenth of the squared error at c = 1; at c = 0 the same sketch, up to the chance of 20 draws.
    assert squared[1.0, kind] < 0.2 * squared[1.0, PolynomialCountSketch]
    allowed = 1.5 if kind is pm.TensorSketch else 0.6
    assert squared[0.0, kind] < allowed * squared[0.0, PolynomialCountSketch]


def test_the_predicted_spread_is_that_of_independent_complex_signs():
    """Σ over all sign vectors of two coordinates, by enumeration."""
    X = np.array([[1.0, 2.0], [0.5, -1.0]])
    roots = np.array([1, 1j, -1, -1j])
    signs = np.array([[a, b] for a in roots for b in roots])
    z = X @ signs.T
    for k in (1, 2):
        variance = np.zeros((2, 2))
        for i in range(2):
            for j in range(2):
                one = z[i] * z[j].conj()
                values = one if k == 1 else np.multiply.outer(one, one).ravel()
                variance[i, j] = np.mean(values.real**2) - (X[i] @ X[j]) ** (2 * k)
        found = sketched.spread(torch.from_numpy(X), 1.0, [k])[0]
        assert found == pytest.approx(np.sqrt(variance.mean()), rel=1e-12)


def test_shares_lower_the_error_most_and_widths_have_them_as_means():
    sizes = np.array([3.0, 1.0, 0.0])
    share = sketched.shares(sizes)
    np.testing.assert_allclose(share, [0.95 * 0.75 + 0.05 / 3, 0.95 * 0.25 + 0.05 / 3, 0.05 / 3])
    drawn = np.array([sketched.widths(np.random.default_rng(s), share, 25) for s in range(4000)])
    assert (drawn.sum(axis=1) == 25).all()
    # Hoeffding at 1e-6 for numbers within an interval of length 4.
    assert np.abs(drawn.mean(axis=0) - 25 * share).max() <= 4 * np.sqrt(np.log(6e6) / (2 * 4000))
    assert np.ptp(drawn, axis=0).max() <= 3
    np.testing.assert_allclose(sketched.shares(np.zeros(2)), [0.5, 0.5])
    assert np.isfinite(sketched.shares(np.array([1e308, 1e-308]))).all()


# --- all ways to compute are one ---------------------------------------------------------------
@every_kind
@pytest.mark.parametrize("d", [1, 3, 20])
@pytest.mark.parametrize("n_components", [1, 2, 30, 171])
@pytest.mark.parametrize("exact_low", [True, False])
def test_every_way_gives_the_same_features(monkeypatch, kind, d, n_components, exact_low):
    X = data(d=d)
    X[:, ::2] *= np.random.default_rng(1).random(X[:, ::2].shape) < 0.6
    phi = kind(3, 0.8, 0.5, n_components, exact_low=exact_low).bind(X)
    direct = phi.transform(X)
    by_hand = np.array([precise(phi, x).astype(float) for x in X[:2]])
    np.testing.assert_allclose(direct[:2], by_hand, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(phi.transform(scipy.sparse.csr_array(X)), direct, atol=1e-12)
    tracked = phi(torch.tensor(X, requires_grad=True)).detach().numpy()
    np.testing.assert_allclose(tracked, direct, atol=1e-12)
    for module in (product_sketch, tensor_sketch):
        monkeypatch.setattr(module, "DIRECT", 0)
    monkeypatch.setattr(product_sketch, "FEW", n_components // 8)
    other = pickle.loads(pickle.dumps(phi))
    np.testing.assert_allclose(other.transform(X), direct, atol=1e-12)
    tracked = other(torch.tensor(X, requires_grad=True)).detach().numpy()
    np.testing.assert_allclose(tracked, direct, atol=1e-12)


@every_kind
@pytest.mark.parametrize("limit", [0, 128])
def test_gradients_are_those_of_differences(monkeypatch, kind, limit):
    for module in (product_sketch, tensor_sketch):
        monkeypatch.setattr(module, "DIRECT", limit)
    X = torch.tensor(data(3, 4), requires_grad=True)
    phi = kind(3, 1.0, 1.0, 19).bind(X.detach())
    assert torch.autograd.gradcheck(phi.forward, (X,))


@every_kind
def test_float32_stays_and_is_the_same_draw(kind):
    X = data(50, 20).astype(np.float32)
    phi = kind(3, 0.1, 1.0, 200).fit(X)
    single, double = phi.transform(X), phi.transform(X.astype(np.float64))
    assert single.dtype == np.float32
    scale = np.abs(double).max()
    assert np.abs(single - double).max() <= 64 * np.finfo(np.float32).eps * scale
    thin = phi.transform(scipy.sparse.csr_array(X))
    assert thin.dtype == np.float32
    assert np.abs(thin - double).max() <= 64 * np.finfo(np.float32).eps * scale


@every_kind
def test_sparse_rows_are_never_made_dense_as_a_whole(kind, monkeypatch):
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array((400, 3000), density=0.01, rng=rng, format="csr")
    seen = []
    original = scipy.sparse.csr_array.toarray

    def watched(self, *args, **kwargs):
        seen.append(self.shape[0] * self.shape[1])
        return original(self, *args, **kwargs)

    monkeypatch.setattr(scipy.sparse.csr_array, "toarray", watched)
    monkeypatch.setattr(sketched, "CHUNK", 2**19)
    Z = kind(2, n_components=64).fit(X).transform(X)
    assert max(seen) < 400 * 3000 / 4
    dense = kind(2, n_components=64).fit(X).transform(original(X))
    np.testing.assert_allclose(Z, dense, atol=1e-12)


def test_widths_of_a_tensor_sketch_suit_the_fft():
    X = data(3, 30)
    widths = [w for _, w, _ in pm.TensorSketch(2, n_components=449).bind(X).groups]
    assert widths == [432, 17]
    assert sum(widths) == 449


@every_kind
def test_seeds_decide_the_draw(kind):
    X = data()
    first = kind(n_components=9, random_state=3).fit_transform(X)
    assert np.array_equal(first, kind(n_components=9, random_state=3).fit_transform(X))
    assert not np.array_equal(first, kind(n_components=9, random_state=4).fit_transform(X))
    rng = np.random.RandomState(5)
    drawn = kind(n_components=9, random_state=rng)
    assert np.array_equal(drawn.fit_transform(X), drawn.fit_transform(X))
    anew = kind(n_components=9, random_state=None)
    assert not np.array_equal(anew.fit_transform(X), anew.fit_transform(X))
    assert anew.__sklearn_tags__().non_deterministic


def test_pickles_are_small():
    X = data(5, 64)
    for kind in KINDS:
        phi = kind(2, n_components=2048).fit(X)
        phi.transform(X)
        # Of 4 MB of weights in float64.
        assert len(pickle.dumps(phi)) < 20_000


# --- facts and errors --------------------------------------------------------------------------
@every_kind
def test_what_is_known_of_a_sketch(kind):
    X = data(d=4)
    phi = kind(3, 0.5, 2.0, 24).bind(X)
    least = pm.decide(phi, pm.LowerLipschitz)
    assert least.holds
    assert least.value[0] == pytest.approx(np.sqrt(3 * 4 * 0.5))
    assert pm.decide(phi, pm.Injective).holds
    assert pm.decide(phi, pm.Smooth).holds
    degree = pm.decide(kind(3, n_components=7).bind(X), pm.PositivelyHomogeneous(3))
    assert degree.holds


@every_kind
@pytest.mark.parametrize("coef0", [-1.0, np.inf, np.nan])
def test_a_constant_that_makes_no_kernel_is_refused(kind, coef0):
    with pytest.raises(ParameterError, match="must be a finite number >= 0") as caught:
        kind(coef0=coef0).fit(data())
    assert caught.value.got == f"coef0={coef0!r}"


@every_kind
@pytest.mark.parametrize("bad", [{"gamma": 0.0}, {"gamma": np.inf}, {"degree": 0}])
def test_other_parameters_are_checked(kind, bad):
    with pytest.raises(ParameterError, match=f"'{next(iter(bad))}' parameter of {kind.__name__}"):
        kind(**bad).fit(data())


@every_kind
def test_images_and_other_widths_are_refused(kind):
    with pytest.raises(ShapeError, match=f"{kind.__name__} takes rows of numbers"):
        kind().fit(np.ones((2, 1, 3, 3)))
    with pytest.raises(ShapeError, match="is expecting 5 features"):
        kind(n_components=9).bind(data())(torch.zeros(2, 4))


# --- Maclaurin ---------------------------------------------------------------------------------
def test_degrees_of_a_series_follow_their_spread_and_lower_the_error():
    X = np.abs(data(100, 20))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    kernel = pm.kernels.Exponential(3.0)
    truth, squared = kernel(X), {}
    for by_spread in (True, False):
        squared[by_spread] = 0.0
        for seed in range(12):
            phi = pm.RandomMaclaurin(kernel, 300, seed, by_spread=by_spread)
            Z = phi.fit_transform(X)
            assert Z.shape == (100, 300)
            squared[by_spread] += float(((Z @ Z.T - truth) ** 2).sum())
    assert squared[True] < 0.9 * squared[False]


@pytest.mark.parametrize("width", [1, 2, 5, 6, 7, 40])
def test_affine_kernels_are_exact_where_they_fit(width):
    X = data(d=5)
    for kernel, count in ((pm.kernels.Linear(), 5), (pm.kernels.PolynomialKernel(1, 0.5, 2.0), 6)):
        Z = pm.RandomMaclaurin(kernel, width).fit_transform(X)
        assert Z.shape[1] == min(width, count)
        if width >= count:
            np.testing.assert_allclose(Z @ Z.T, kernel(X), atol=1e-12)


def test_an_open_kernel_is_bound_on_the_data():
    X = data(30, 4)
    phi = pm.RandomMaclaurin(pm.kernels.Exponential("scale"), 400)
    assert phi.estimates is None
    Z = phi.fit_transform(X)
    truth = pm.kernels.Exponential("scale").bind(X)(X)
    assert np.abs(Z @ Z.T - truth).mean() < 0.1 * np.abs(truth).mean()


@pytest.mark.parametrize("kernel", ["rbf", pm.kernels.RBF(1.0), pm.kernels.Cosine()])
def test_kernels_that_are_no_functions_of_the_inner_product_are_refused(kernel):
    with pytest.raises(ParameterError, match="RandomMaclaurin has no features of"):
        pm.RandomMaclaurin(kernel).fit(data())
