"""The formulas with many digits agree with the kernels; two derivations of each."""

import numpy as np
import pytest

import phimaps as pm
from phimaps import kernels as ks
from phimaps.testing.entries import ENTRIES, entries

X = np.abs(np.random.default_rng(0).standard_normal((5, 3)))
KERNELS = [
    ks.RBF(gamma=0.3),
    ks.RBF(length_scale=[1.0, 2.0, 3.0]),
    ks.Laplacian(gamma=0.4),
    ks.Laplacian(length_scale=2.0),
    ks.Matern(0.5, gamma=0.3),
    ks.Matern(0.7, length_scale=2.0),
    ks.Matern(2.5, length_scale=2.0),
    ks.Matern(float("inf"), length_scale=2.0),
    ks.RationalQuadratic(2.0, gamma=0.3),
    ks.Cauchy(gamma=1.0),
    ks.InverseMultiquadric(gamma=2.0),
    ks.Periodic(0.7, 0.9),
    ks.Linear(),
    ks.Constant(2.0),
    ks.PolynomialKernel(3, 0.5, 0.2),
    ks.Exponential(0.5),
    ks.Cosine(),
    ks.Delta(),
    ks.AdditiveChi2(),
    ks.Chi2(0.4),
    ks.SkewedChi2(0.5),
    ks.Intersection(),
    *(ks.ArcCosine(order, depth, 0.5) for order in (0, 1, 2) for depth in (1, 2)),
    ks.ArcCosine(1, 3),
    ks.NTK(1),
    ks.NTK(3, 0.7),
    2 * ks.Linear() ** 3 * ks.RBF(gamma=1.0) + 1,
    ks.RBF(gamma=1.0) @ pm.Tanh(),
]


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_two_formulas_of_a_kernel_agree(kernel):
    exact = entries(kernel, X, 40).astype(np.float64)
    # Of the deepest, a power of 4, the entries have about 30 roundings each.
    np.testing.assert_allclose(kernel(X), exact, rtol=200 * np.finfo(float).eps, atol=1e-16)


def finals(kind):
    for below in kind.__subclasses__():
        if "__final__" in vars(below) and below.__module__.startswith("phimaps."):
            yield below
        yield from finals(below)


def test_every_kernel_of_the_library_has_a_formula():
    # A user's function is evaluated as it is.
    assert {k.__name__ for k in finals(pm.kernels.Kernel)} - {"Callable"} == {
        k.__name__ for k in ENTRIES if k.__module__.startswith("phimaps.")
    }


def test_there_are_no_entries_without_a_formula():
    assert entries(ks.Callable(lambda x, y: x @ y.T), X, 30) is None
