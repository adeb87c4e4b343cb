"""Kernel values against scikit-learn's, against fifty digits, and against their definitions."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import kernels as gp
from sklearn.metrics import pairwise

import phimaps as pm
from phimaps.kernels import (
    NTK,
    RBF,
    AdditiveChi2,
    ArcCosine,
    Cauchy,
    Chi2,
    Constant,
    Cosine,
    Delta,
    Exponential,
    Intersection,
    InverseMultiquadric,
    Laplacian,
    Linear,
    Matern,
    Periodic,
    PolynomialKernel,
    RationalQuadratic,
)

from .digits import bessel, layered

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(40, 5)), rng.normal(size=(25, 5))
# Equal rows and nearly equal ones are where distances lose their digits.
Y[:5] = X[:5]
Y[5:8] = X[5:8] + 1e-6
LENGTHS = np.array([0.5, 1.0, 2.0, 3.0, 0.7])
P, Q = np.abs(X), np.abs(Y)
P[:3, 0] = Q[:3, :2] = 0.0

TWINS = {
    "rbf": (RBF(gamma=0.3), lambda a, b: pairwise.rbf_kernel(a, b, gamma=0.3)),
    "rbf of many lengths": (RBF(length_scale=LENGTHS), gp.RBF(LENGTHS)),
    "laplacian": (Laplacian(gamma=0.3), lambda a, b: pairwise.laplacian_kernel(a, b, gamma=0.3)),
    "rational quadratic": (
        RationalQuadratic(alpha=0.7, length_scale=1.3),
        gp.RationalQuadratic(1.3, 0.7),
    ),
    "cauchy": (Cauchy(length_scale=1.3), gp.RationalQuadratic(1.3, 1.0)),
    "inverse multiquadric": (
        InverseMultiquadric(gamma=0.3),
        lambda a, b: (1 + 0.3 * pairwise.euclidean_distances(a, b, squared=True)) ** -0.5,
    ),
    "linear": (Linear(), pairwise.linear_kernel),
    "polynomial": (
        PolynomialKernel(degree=3, gamma=0.2, coef0=1.5),
        lambda a, b: pairwise.polynomial_kernel(a, b, degree=3, gamma=0.2, coef0=1.5),
    ),
    "cosine": (Cosine(), pairwise.cosine_similarity),
    "exponential": (Exponential(gamma=0.2), lambda a, b: np.exp(0.2 * a @ b.T)),
    "constant": (Constant(2.0), gp.ConstantKernel(2.0)),
    "delta": (Delta(), lambda a, b: (a[:, None] == b).all(2).astype(float)),
    "chi2": (Chi2(gamma=0.3), lambda a, b: pairwise.chi2_kernel(np.abs(a), np.abs(b), gamma=0.3)),
    "additive chi2": (
        AdditiveChi2(),
        # Twice ours is scikit-learn's plus both sums.
        lambda a, b: (a.sum(1)[:, None] + b.sum(1) + pairwise.additive_chi2_kernel(a, b)) / 2,
    ),
    "intersection": (Intersection(), lambda a, b: np.minimum(a[:, None], b).sum(2)),
} | {
    f"matern {nu}": (Matern(nu=nu, length_scale=LENGTHS), gp.Matern(LENGTHS, nu=nu))
    for nu in (0.5, 0.9, 1.0, 1.5, 2.0, 2.5, 3.7, 7.2, np.inf)
}


@pytest.mark.parametrize("name", TWINS)
def test_values_are_those_of_scikit_learn(name):
    kernel, twin = TWINS[name]
    a, b = (P, Q) if kernel.positive else (X, Y)
    value = kernel(a, b)
    scale = np.abs(value).max()
    assert np.abs(value - twin(a, b)).max() <= 1e-12 * max(scale, 1.0)
    assert np.abs(kernel(a) - twin(a, a)).max() <= 1e-12 * max(np.abs(kernel(a)).max(), 1.0)


@pytest.mark.parametrize("name", TWINS)
def test_single_precision_is_as_good_as_its_data(name):
    kernel, _ = TWINS[name]
    a, b = (P, Q) if kernel.positive else (X, Y)
    a, b = a.astype(np.float32), b.astype(np.float32)
    value, exact = kernel(a, b), kernel(a.astype(float), b.astype(float))
    assert value.dtype == np.float32
    # Sums of five terms, and slopes of at most a few units.
    assert np.abs(value - exact).max() <= 64 * np.finfo(np.float32).eps * np.abs(exact).max()


def test_periods_are_those_of_scikit_learn_in_one_coordinate():
    a, b = X[:, :1], Y[:, :1]
    twin = gp.ExpSineSquared(0.8, 1.7)(a, b)
    assert np.abs(Periodic(period=1.7, length_scale=0.8)(a, b) - twin).max() <= 1e-14


def test_a_periodic_kernel_is_a_product_over_coordinates():
    kernel = Periodic(period=[1.0, 2.0], length_scale=[0.5, 1.5])
    one, two = Periodic(1.0, 0.5), Periodic(2.0, 1.5)
    product = one(X[:, :1], Y[:, :1]) * two(X[:, 1:2], Y[:, 1:2])
    assert np.allclose(kernel(X[:, :2], Y[:, :2]), product, rtol=0, atol=1e-14)


def test_scikit_learns_periodic_kernel_is_indefinite_in_two_coordinates():
    # Why it is not taken over there.
    points = rng.uniform(size=(60, 2))
    assert np.linalg.eigvalsh(gp.ExpSineSquared(1.0, 0.5)(points))[0] < -1e-3
    assert np.linalg.eigvalsh(Periodic(0.5)(points))[0] > -1e-13


@pytest.mark.parametrize("nu", [0.05, 0.3, 1.2, 12.5, 40.0, 100.0])
def test_matern_has_the_digits_of_its_bessel_function(nu):
    for r in (1e-12, 1e-6, 1e-3, 0.3, 1.0, 3.0, 20.0):
        value = Matern(nu=nu, length_scale=1.0)([[0.0]], [[r]])[0, 0]
        assert abs(value - bessel(nu, r)) <= 1e-13 * max(1.0, nu)
    assert Matern(nu=nu, length_scale=1.0)([[0.0]], [[0.0]])[0, 0] == 1.0


def test_matern_of_great_order_is_nearly_gaussian():
    gap = np.abs(Matern(nu=100.0, length_scale=1.0)(X) - Matern(nu=np.inf, length_scale=1.0)(X))
    assert gap.max() < 1 / 100


ROWS = rng.normal(size=(6, 3))
OTHERS = rng.normal(size=(5, 3))
ROWS[2] = 0.0
OTHERS[0], OTHERS[1], OTHERS[3] = ROWS[0], -ROWS[1], 2 * ROWS[3]
OTHERS[2] = ROWS[3] * (1 + 1e-9) + 1e-9
DEEP = [(o, depth) for o in (0, 1, 2) for depth in (1, 2, 3)] + [("ntk", d) for d in (1, 2, 5)]


@pytest.mark.parametrize("bias", [0.0, 0.3])
@pytest.mark.parametrize(("kind", "depth"), DEEP)
def test_neurons_have_the_values_of_their_angles(kind, depth, bias):
    kernel = NTK(depth, bias) if kind == "ntk" else ArcCosine(kind, depth, bias)
    exact = np.array([[layered(kind, x, y, depth, bias) for y in OTHERS] for x in ROWS])
    own = np.array([layered(kind, x, x, depth, bias) for x in ROWS])
    scale = np.abs(exact).max()
    # Steps of nearly equal inputs have the square root of the relative rounding in each layer.
    slack = 1e-9 if kind == 0 and depth > 1 else 1e-15
    assert np.abs(kernel(ROWS, OTHERS) - exact).max() <= 4 * slack * scale
    assert np.abs(np.diag(kernel(ROWS)) - own).max() <= 4e-15 * own.max()
    small = kernel(ROWS.astype(np.float32), OTHERS.astype(np.float32))
    back = kernel(ROWS.astype(np.float32).astype(float), OTHERS.astype(np.float32).astype(float))
    assert np.abs(small - back).max() <= 1.2e-7 * np.abs(back).max()


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_arc_cosine_is_the_mean_over_neurons(order, bias):
    n = 200_000
    draws = np.random.default_rng(1)
    angles = draws.standard_normal((n, 3)) @ ROWS.T + bias * draws.standard_normal((n, 1))
    fired = (angles > 0) + 0.5 * (angles == 0) if order == 0 else np.maximum(angles, 0) ** order
    left, right = np.triu_indices(len(ROWS))
    products = 2 * fired[:, left] * fired[:, right]
    exact = ArcCosine(order, bias=bias)(ROWS)[left, right]
    gap = np.abs(products.mean(0) - exact)
    deviation = products.std(0, ddof=1) / np.sqrt(n)
    # Bonferroni over 21 pairs and 6 tests: a normal quantile of 1e-6.
    assert (gap <= 4.9 * deviation + 1e-12).all()


def test_a_known_value_of_the_neural_tangent_kernel():
    # x·y κ0 + κ1 at right angles, and 2 |x|² on the diagonal.
    value = NTK()([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
    assert np.allclose(value, [[2.0, 1 / np.pi]], rtol=1e-15)


CLOSED = [kernel for kernel, _ in TWINS.values()] + [ArcCosine(0), ArcCosine(1, 2), NTK(3, 0.1)]


@pytest.mark.parametrize("kernel", CLOSED, ids=repr)
def test_matrices_are_positive_semidefinite(kernel):
    a = np.concatenate([P, Q]) if kernel.positive else np.concatenate([X, Y])
    eigenvalues = np.linalg.eigvalsh(kernel(a))
    assert eigenvalues[0] >= -1e-14 * len(a) * eigenvalues[-1]


@pytest.mark.parametrize("kernel", CLOSED, ids=repr)
def test_diagonals_are_those_of_the_matrix(kernel):
    a = P if kernel.positive else X
    rows = torch.from_numpy(a)
    own = kernel.diagonal(rows)
    assert own.shape == (len(a),)
    assert torch.equal(own, torch.from_numpy(kernel(a)).diagonal())
    gap = (own - kernel.between(rows, rows).diagonal()).abs()
    assert float(gap.max()) <= 1e-13 * float(own.abs().max())


def test_scales_come_from_the_data_as_in_scikit_learn():
    from sklearn.kernel_approximation import RBFSampler

    fitted = RBFSampler(gamma="scale").fit(X)
    assert np.isclose(RBF().bind(X).gamma, 1 / (X.shape[1] * X.var()), rtol=1e-14)
    assert np.isclose(RBF(gamma="scale").bind(X).gamma, fitted._gamma, rtol=1e-12)
    assert RBF(gamma="auto").bind(X).gamma == 1 / 5
    assert np.isclose(Laplacian().bind(X).gamma, 1 / (5 * X.std()), rtol=1e-14)
    distances = pairwise.euclidean_distances(X)[np.triu_indices(len(X), 1)]
    assert np.isclose(RBF(gamma="median").bind(X).length_scale, np.median(distances))
    city = pairwise.manhattan_distances(X)[np.triu_indices(len(X), 1)]
    assert np.isclose(Laplacian(gamma="median").bind(X).length_scale, np.median(city))


def test_scales_of_sparse_rows_are_those_of_dense_ones():
    import scipy.sparse

    cut = np.where(np.abs(X) > 0.5, X, 0.0)
    for gamma in ("scale", "median", "auto"):
        dense, thin = (RBF(gamma=gamma).bind(v) for v in (cut, scipy.sparse.csr_array(cut)))
        assert np.isclose(dense.lengths, thin.lengths, rtol=1e-13)
    # Dense, the sample would take 8 GB.
    wide = scipy.sparse.random_array((1500, 1_000_000), density=1e-5, format="csr", rng=rng)
    assert RBF(gamma="median").bind(wide).length_scale > 0


def test_the_median_is_taken_over_a_sample_of_many_rows():
    many = rng.normal(size=(5000, 2))
    found = RBF(gamma="median").bind(many).length_scale
    assert found == RBF(gamma="median").bind(many).length_scale
    assert abs(found - 2 * np.sqrt(np.log(2))) < 0.06


@pytest.mark.parametrize("gamma", ["scale", "median"])
def test_constant_columns_have_a_scale(gamma):
    assert RBF(gamma=gamma)(np.ones((4, 3))).tolist() == np.ones((4, 4)).tolist()


def test_a_scale_from_offset_single_precision_has_its_digits():
    shifted = (X + 1e4).astype(np.float32)
    exact = 1 / (5 * shifted.astype(np.float64).var())
    assert np.isclose(RBF().bind(shifted).gamma, exact, rtol=1e-12)


def test_equal_rows_are_one_for_delta_whatever_the_sign_of_zero():
    assert Delta()([[0.0, 1.0]], [[-0.0, 1.0]]).item() == 1.0


def test_names_of_the_package():
    for name in ("RBF", "Laplacian", "Matern", "RationalQuadratic", "InverseMultiquadric"):
        assert hasattr(pm.kernels, name)
    for name in ("Cauchy", "Periodic", "Linear", "PolynomialKernel", "Exponential", "Cosine"):
        assert hasattr(pm.kernels, name)
    for name in ("ArcCosine", "NTK", "AdditiveChi2", "Intersection", "Delta", "Callable"):
        assert hasattr(pm.kernels, name)
