"""Spectral laws and power series: their means and sums are the kernels."""

import math

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import qmc, t

import phimaps as pm
from phimaps.kernels import (
    NTK,
    RBF,
    AdditiveChi2,
    ArcCosine,
    Cauchy,
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
    Spectral,
)

LENGTHS = np.array([0.5, 1.0, 2.0, 0.7, 3.0])


def stationary(d):
    lengths = LENGTHS[:d]
    return [
        RBF(gamma=0.4),
        RBF(length_scale=lengths),
        Matern(nu=0.5, length_scale=lengths),
        Matern(nu=0.9, gamma=0.4),
        Matern(nu=1.5, gamma=0.4),
        Matern(nu=2.5, length_scale=1.5),
        Matern(nu=np.inf, gamma=0.4),
        Matern(nu=7.2, gamma=0.4),
        RationalQuadratic(alpha=0.4, length_scale=lengths),
        RationalQuadratic(alpha=3.0, gamma=0.4),
        Cauchy(gamma=0.4),
        InverseMultiquadric(length_scale=lengths),
        Laplacian(gamma=0.4),
        Laplacian(length_scale=lengths),
        Periodic(period=1.3, length_scale=0.8),
        Periodic(period=1.3, length_scale=0.2),
        Periodic(period=lengths, length_scale=lengths[::-1].copy()),
        RBF(gamma=0.4) * Laplacian(gamma=0.2),
        Cauchy(gamma=0.4) ** 3,
        Periodic(period=2.0) * RBF(length_scale=lengths),
    ]


CASES = [(d, i) for d in (1, 2, 5) for i in range(len(stationary(1)))]
REPEATS, POINTS = 32, 2**10


def frequencies(law, d, seed):
    """Draws of one law from scrambled points that fill the cube evenly."""
    cube = qmc.Sobol(d + (law.kind == "radial"), seed=seed).random(POINTS)
    cube = np.clip(cube, 1e-12, 1 - 1e-12)
    if law.kind == "radial":
        return law.quantile(cube[:, :1]) * ndtri(cube[:, 1:]) / law.length
    return law.quantile(cube) / law.length


def means(laws, d, gaps, seed):
    """Independent estimates of E cos(w·δ) for each δ."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(REPEATS):
        total = 0.0
        for law in laws:
            total = total + frequencies(law, d, rng)[rng.permutation(POINTS)]
        out.append(np.cos(gaps @ np.asarray(total).T).mean(1))
    return np.array(out)


def agrees(laws, kernel, d, seed):
    gaps = np.random.default_rng(7).normal(size=(4, d))
    gaps *= np.array([[0.1], [0.5], [1.0], [2.0]]) / np.linalg.norm(gaps, axis=1, keepdims=True)
    estimates = means(laws, d, gaps, seed)
    exact = kernel(gaps, np.zeros((1, d)))[:, 0]
    deviation = estimates.std(0, ddof=1) / math.sqrt(REPEATS)
    # Bonferroni over 4 differences and 60 cases at the level of 1e-3.
    bound = t.ppf(1 - 1e-3 / 480, REPEATS - 1) * deviation
    return np.abs(estimates.mean(0) - exact) <= bound + 1e-9


@pytest.mark.parametrize(("d", "index"), CASES)
def test_the_mean_of_the_cosines_is_the_kernel(d, index):
    kernel = stationary(d)[index]
    laws = kernel.spectral()
    assert all(isinstance(law, Spectral) for law in laws)
    assert agrees(laws, kernel, d, seed=[index, d]).all()


@pytest.mark.parametrize("factor", [0.5, 0.97, 1.03, 2.0])
def test_a_wrong_bandwidth_would_show(factor):
    for kernel in stationary(2)[:13]:
        wrong = tuple(
            Spectral(law.kind, law.quantile, factor * law.length, law.heavy)
            for law in kernel.spectral()
        )
        assert not agrees(wrong, kernel, 2, seed=1).all(), kernel


@pytest.mark.parametrize("index", range(len(stationary(1))))
def test_quantiles_keep_shapes_and_rise(index):
    for law in stationary(1)[index].spectral():
        u = np.linspace(0.001, 0.999, 500)
        values = law.quantile(u)
        assert values.shape == u.shape
        assert values.dtype == np.float64
        assert np.array_equal(law.quantile(u.reshape(20, 25)), values.reshape(20, 25))
        assert (np.diff(values) >= 0).all()


def test_laws_without_a_second_moment_say_so():
    heavy = {k for k in stationary(2) if any(law.heavy for law in k.spectral())}
    named = {
        k for k in stationary(2) if "Laplacian" in repr(k) or repr(k).startswith("Matern(nu=0")
    }
    assert {repr(k) for k in heavy} == {repr(k) for k in named}
    # E q² is finite for ν > 1 and infinite for ν <= 1: its share beyond 1 - u tends to 0 or not.
    for nu, heavy_tail in ((0.9, True), (1.5, False)):
        (law,) = Matern(nu=nu, gamma=1.0).spectral()
        far, near = (law.quantile(np.array([1 - u]))[0] ** 2 * u for u in (1e-12, 1e-6))
        assert (far > near) == heavy_tail


def test_only_stationary_kernels_have_laws():
    for kernel in (Linear(), PolynomialKernel(), Exponential(), Cosine(), ArcCosine(), NTK()):
        assert kernel.spectral() is None
    for kernel in (AdditiveChi2(), Intersection(), Delta(), Constant(2.0), RBF(gamma=1.0) + 1):
        assert kernel.spectral() is None
    assert (2 * RBF(gamma=1.0)).spectral() is None
    assert (RBF(gamma=1.0) * Linear()).spectral() is None
    assert (RBF(gamma=1.0) @ pm.Abs()).spectral() is None
    with pytest.raises(pm.errors.UnboundError):
        RBF().spectral()


SERIES = [
    (Linear(), 1),
    (Constant(2.0), 0),
    (PolynomialKernel(degree=3, gamma=0.2, coef0=1.5), 3),
    (PolynomialKernel(degree=2, gamma=0.2, coef0=0.0), 2),
    (Exponential(gamma=0.3), 30),
    (Linear() + 2 * PolynomialKernel(degree=2) + 1, 2),
    (Linear() * PolynomialKernel(degree=2), 3),
    (Exponential(gamma=0.3) * (Linear() + 1) ** 2, 32),
    (PolynomialKernel(degree=2) ** 3, 6),
]


@pytest.mark.parametrize(("kernel", "n"), SERIES, ids=lambda v: repr(v))
def test_a_series_sums_to_the_kernel(kernel, n):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(5, 3))
    coefficients = kernel.series(n)
    assert coefficients.shape == (n + 1,)
    assert (coefficients >= 0).all()
    value = np.polynomial.polynomial.polyval(x @ y.T, coefficients)
    assert np.allclose(value, kernel(x, y), rtol=1e-13, atol=1e-12)
    # Fewer coefficients are the first of them, more are followed by zeros or smaller ones.
    assert np.array_equal(kernel.series(n + 3)[: n + 1], coefficients)
    assert np.array_equal(kernel.series(0), coefficients[:1])


def test_only_functions_of_the_inner_product_have_a_series():
    for kernel in (RBF(gamma=1.0), Cosine(), ArcCosine(), AdditiveChi2(), Delta(), NTK()):
        assert kernel.series(3) is None
    assert (RBF(gamma=1.0) + Linear()).series(3) is None
    assert (2 * Cosine()).series(3) is None
    with pytest.raises(pm.errors.UnboundError):
        PolynomialKernel(gamma="scale").series(3)
