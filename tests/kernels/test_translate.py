"""Kernels taken from names, from functions and from scikit-learn's objects."""

import numpy as np
import pytest
from sklearn.gaussian_process import kernels as gp
from sklearn.metrics import pairwise

import phimaps as pm
from phimaps.kernels import RBF, AdditiveChi2, Callable, Linear, Scaled, as_kernel

rng = np.random.default_rng(6)
X, Y = rng.uniform(size=(30, 3)), rng.uniform(size=(20, 3))
Y[:4] = X[:4]

OBJECTS = [
    gp.RBF(0.7),
    gp.RBF([0.5, 1.0, 2.0]),
    gp.Matern(1.2, nu=0.5),
    gp.Matern(1.2, nu=1.7),
    gp.Matern([1.0, 2.0, 3.0], nu=2.5),
    gp.Matern(1.2, nu=np.inf),
    gp.RationalQuadratic(1.1, 0.4),
    gp.DotProduct(1.3),
    gp.DotProduct(0.0),
    gp.ConstantKernel(2.0),
    gp.RBF(0.7) + gp.DotProduct(0.5),
    2.0 * gp.RBF(0.7) * gp.Matern(),
    gp.RBF(0.3) ** 2,
    (gp.RBF() + 1.0) ** 3,
    gp.PairwiseKernel(0.4, metric="laplacian"),
    gp.PairwiseKernel(0.4, metric="chi2"),
    gp.PairwiseKernel(0.4, metric="poly"),
    gp.PairwiseKernel(0.4, metric="rbf"),
    gp.PairwiseKernel(1.0, metric="poly", pairwise_kernels_kwargs={"degree": 2}),
    gp.PairwiseKernel(1.0, metric="cosine"),
    gp.PairwiseKernel(1.0, metric="linear"),
]


@pytest.mark.parametrize("kernel", OBJECTS, ids=repr)
def test_objects_keep_their_values(kernel):
    ours = as_kernel(kernel)
    assert not isinstance(ours, Callable)
    assert np.abs(ours(X) - kernel(X)).max() <= 1e-12
    assert np.abs(ours(X, Y) - kernel(X, Y)).max() <= 1e-12


def test_noise_is_equality_of_rows():
    kernel = gp.WhiteKernel(0.3) + gp.RBF(0.2)
    assert np.abs(as_kernel(kernel)(X) - kernel(X)).max() <= 1e-12
    # Theirs forgets rows that are given twice as two arguments; a function of rows cannot.
    assert np.array_equal(gp.WhiteKernel(0.3)(X, X), np.zeros((30, 30)))
    assert np.array_equal(as_kernel(gp.WhiteKernel(0.3))(X, X), 0.3 * np.eye(30))


def test_the_periodic_kernel_is_taken_for_one_coordinate_only():
    kernel = gp.ExpSineSquared(0.8, 1.7)
    ours = as_kernel(kernel)
    assert np.abs(ours(X[:, :1], Y[:, :1]) - kernel(X[:, :1], Y[:, :1])).max() <= 1e-12
    with pytest.raises(pm.errors.ShapeError):
        ours(X, Y)


@pytest.mark.parametrize("name", ["rbf", "laplacian", "poly", "linear", "cosine", "chi2"])
def test_names_have_scikit_learns_defaults(name):
    ours = as_kernel(name)
    assert np.abs(ours(X) - pairwise.pairwise_kernels(X, metric=name)).max() <= 1e-12
    given = {"chi2": {"gamma": 0.3}, "rbf": {"gamma": 0.3}, "laplacian": {"gamma": 0.3}}
    given["poly"] = {"gamma": 0.3, "degree": 2, "coef0": 0.5}
    parameters = given.get(name, {})
    twin = pairwise.pairwise_kernels(X, Y, metric=name, **parameters)
    assert np.abs(as_kernel(name, **parameters)(X, Y) - twin).max() <= 1e-12


def test_nothing_given_is_the_default():
    assert repr(as_kernel("rbf", gamma=None)) == repr(as_kernel("rbf"))


def test_the_positive_definite_chi2_stands_for_scikit_learns():
    assert isinstance(as_kernel("additive_chi2"), AdditiveChi2)
    assert np.linalg.eigvalsh(pairwise.additive_chi2_kernel(X))[0] < -1
    assert np.linalg.eigvalsh(as_kernel("additive_chi2")(X))[0] > -1e-12


def test_functions_are_wrapped():
    ours = as_kernel(lambda x, y, power: float(x @ y) ** power, power=2)
    assert isinstance(ours, Callable)
    assert np.allclose(ours(X, Y), (X @ Y.T) ** 2)
    ours = as_kernel(pairwise.rbf_kernel, gamma=0.3)
    assert np.allclose(ours(X, Y), pairwise.rbf_kernel(X, Y, gamma=0.3))


class Half(gp.RBF):
    """A kernel of someone's own."""

    def __call__(self, X, Y=None, eval_gradient=False):
        return 0.5 * super().__call__(X, Y)


def test_a_kernel_class_of_someone_elses_is_called():
    ours = as_kernel(Half(0.7))
    assert isinstance(ours, Callable)
    assert np.allclose(ours(X, Y), 0.5 * gp.RBF(0.7)(X, Y))


def test_kernels_pass_and_take_parameters():
    kernel = RBF(gamma=1.0)
    assert as_kernel(kernel) is kernel
    other = as_kernel(kernel, gamma=2.0)
    assert (kernel.gamma, other.gamma) == (1.0, 2.0)
    assert repr(as_kernel(gp.RBF(2.0), length_scale=3.0)) == "RBF(length_scale=3.0)"


def test_products_with_constants_are_multiples():
    assert isinstance(as_kernel(gp.ConstantKernel(2.0) * gp.RBF()), Scaled)
    assert isinstance(as_kernel(gp.DotProduct(0.0)), Linear)


def test_translating_needs_no_import_of_gaussian_processes():
    import subprocess
    import sys

    code = "import sys, phimaps; print('sklearn.gaussian_process' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
