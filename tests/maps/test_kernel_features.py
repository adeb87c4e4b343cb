"""From a kernel to features: every kernel, every method, the algebra, and the budget."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import scipy.stats
import torch

import phimaps as pm
from phimaps.kernels import (
    NTK,
    RBF,
    AdditiveChi2,
    ArcCosine,
    Callable,
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
)
from phimaps.maps.kernel_methods import METHODS, exact_width

D = 4


def relative(phi, kernel, X):
    return pm.check.kernel_error(phi, kernel, on=X).value


def square(make, kernel, X, seeds=8, middle=np.mean):
    """The mean over draws of Σ e² / Σ k²."""
    return middle([relative(make(seed), kernel, X) ** 2 for seed in range(seeds)])


@pytest.fixture
def X(rng):
    """Non-negative rows, so that every kernel is defined."""
    return rng.exponential(size=(50, D))


STATIONARY = {
    "RBF": RBF(gamma=0.2),
    "RBF by width": RBF(length_scale=[1.0, 2.0, 3.0, 0.5]),
    "Laplacian": Laplacian(gamma=0.2),
    "Matern 1/2": Matern(nu=0.5, length_scale=2.0),
    "Matern 5/2": Matern(nu=2.5, length_scale=2.0),
    "RationalQuadratic": RationalQuadratic(alpha=0.7, length_scale=2.0),
    "InverseMultiquadric": InverseMultiquadric(gamma=0.2),
    "Cauchy": Cauchy(gamma=0.2),
    "Periodic": Periodic(period=3.0, length_scale=1.5),
    "product": RBF(gamma=0.1) * Laplacian(gamma=0.1),
    "power": Matern(length_scale=3.0) ** 3,
}


@pytest.mark.parametrize("name", STATIONARY)
def test_the_waves_of_stationary_kernels_err_no_more_than_their_law(name, X):
    kernel, width = STATIONARY[name], 512
    values = kernel(X)
    # k(2(x - y)), by the same kernel of twice the rows.
    double = kernel(2 * X)
    law = np.maximum(1 + double - 2 * values**2, 0).sum() / width / (values**2).sum()
    found = square(lambda seed: kernel.features(width, random_state=seed), kernel, X)
    assert found <= 1.3 * law
    fitted = kernel.features(width).fit(X)
    assert fitted.transform(X).shape == (len(X), width)


# A feature pair is c u(x) u(y) / D with E u² = k(x, x), E u⁴ <= C k(x, x)²: the mean of Σ e² is at
# most C / D (Σ k(x, x))². For Rademacher signs C = 3 for each factor; for relu(w·x)² of a normal w
# it is 6, and 2 for steps.
LAWS = {
    "PolynomialKernel sketch": (PolynomialKernel(2, gamma=0.5), "sketch", 9),
    "PolynomialKernel tensorsketch": (PolynomialKernel(3, gamma=0.5), "tensorsketch", 27),
    "ArcCosine 1": (ArcCosine(order=1), "relu", 6),
    "ArcCosine 0": (ArcCosine(order=0), "relu", 2),
    "Linear": (Linear(), "projection", 3),
    "Cosine": (Cosine(), "projection", 3),
}


@pytest.mark.parametrize("name", LAWS)
def test_random_features_err_no_more_than_their_law(name, X):
    kernel, method, moment = LAWS[name]
    width = 24
    law = moment / width * kernel_diagonal(kernel, X).sum() ** 2 / (kernel(X) ** 2).sum()
    found = square(lambda seed: kernel.features(width, method, random_state=seed), kernel, X)
    assert found <= law


def kernel_diagonal(kernel, X):
    return kernel.diagonal(torch.from_numpy(X)).numpy()


FALLING = {
    "Exponential positive": (Exponential(gamma=0.03), "positive"),
    "Exponential maclaurin": (Exponential(gamma=0.03), "maclaurin"),
    "ArcCosine 1": (ArcCosine(order=1), "relu"),
    "ArcCosine 2": (ArcCosine(order=2), "relu"),
    "ArcCosine deep": (ArcCosine(order=1, depth=2), "relu"),
    "NTK": (NTK(depth=1), "ntk"),
    "sum": (RBF(gamma=0.2) + Exponential(gamma=0.03), "auto"),
    "product": (RBF(gamma=0.2) * Linear(), "auto"),
    "power": ((RBF(gamma=0.2) + 1) ** 2, "auto"),
    "long product": (AdditiveChi2() * RBF(gamma=0.2) * (Linear() + 1), "auto"),
}


@pytest.mark.parametrize("name", FALLING)
def test_squared_errors_fall_like_the_width(name, X):
    kernel, method = FALLING[name]

    def typical(width):
        # Some of the squares have heavy tails.
        def make(seed):
            return kernel.features(width, method, random_state=seed)

        return square(make, kernel, X, 12, np.median)

    narrow, wide = typical(48), typical(240)
    assert narrow / wide > 2.2
    assert wide < 0.1


EXACT = {
    "Linear": Linear(),
    "Cosine": Cosine(),
    "Constant": Constant(3.0),
    "PolynomialKernel": PolynomialKernel(3, gamma=0.5, coef0=2.0),
    "homogeneous": PolynomialKernel(2, coef0=0.0),
    "multiple": 3 * Linear(),
    "sum": 2 * Linear() + Cosine() + 1,
    "product": Linear() * Cosine() * 2,
    "square": Linear() ** 2,
    "power": (Linear() + 1) ** 2,
    "pull-back": Linear() @ pm.Tanh(),
    "pull-back of an open map": Cosine() @ pm.Standardize(),
    "kernel of a map": pm.Relu().kernel,
}


@pytest.mark.parametrize("name", EXACT)
def test_exact_features_are_found_where_they_fit(name, X):
    kernel = EXACT[name]
    phi = kernel.features(64).bind(X)
    assert relative(phi, kernel.bind(X), X) < 1e-13
    width = phi(X).shape[1]
    assert width <= exact_width(kernel.bind(X), D) <= 64
    with pytest.raises(pm.errors.PhimapsError):
        # Nothing but the exact map is asked for, and it does not fit.
        PolynomialKernel(3).features(10, "exact").fit(X)


def test_kernels_of_fixed_width_need_no_number():
    assert repr(Linear().features()) == "Identity()"
    assert repr(Cosine().features()) == "UnitNorm()"
    assert repr((4 * Linear() @ pm.Tanh()).features()) == "(2.0 * Identity()) @ Tanh()"


@pytest.mark.parametrize(
    "kernel",
    [
        RBF(gamma=0.2), Matern(length_scale=1.0), Linear(), PolynomialKernel(2), Exponential(0.1),
        ArcCosine(), NTK(), AdditiveChi2(), Intersection(), Cosine(),
        RBF(gamma=0.3) * Linear() + 1, Cosine() @ pm.Sqrt(), Callable(lambda x, y: x @ y.T),
    ],
    ids=lambda k: type(k).__name__,
)  # fmt: skip
def test_landmarks_serve_every_kernel_and_never_exceed_it(kernel, X):
    phi = kernel.features(30, "nystrom").bind(X)
    values, z = kernel(X), phi(X)
    missing = values - z @ z.T
    size = np.abs(values).max()
    assert np.linalg.eigvalsh(missing).min() > -1e-9 * size * len(X)
    assert relative(phi, kernel, X) < 0.4
    # With all rows as landmarks nothing is missing.
    assert relative(kernel.features(len(X), "nystrom").bind(X), kernel, X) < 1e-6


def test_kernels_without_another_map_get_landmarks(X):
    assert isinstance(Intersection().features(20), pm.Nystrom)
    rows = np.repeat(np.arange(4.0)[:, None], 3, axis=0)
    assert relative(Delta().features(12), Delta(), rows) < 1e-6


@pytest.mark.parametrize("width", [3, 4, 5, 7, 12, 33, 64, 65, 200])
@pytest.mark.parametrize("name", FALLING | STATIONARY | EXACT)
def test_the_width_is_never_exceeded(name, width, X):
    kernel = FALLING[name][0] if name in FALLING else (STATIONARY | EXACT)[name]
    try:
        phi = kernel.features(width).bind(X)
    except pm.errors.ParameterError as error:
        # Some kernels have a least width, and say so.
        if width >= 15:
            raise AssertionError from error
        return
    assert phi(X[:2]).shape[1] <= width


def test_a_sum_shares_out_its_features(X):
    small, large = RBF(gamma=0.2), 9 * Laplacian(gamma=0.2)
    phi = (small + large).features(200).bind(X)
    first, second = (m(X).shape[1] for m in phi.maps)
    assert first + second == 200
    assert 18 <= first <= 22
    parts = (RBF(gamma=0.2) + Linear() + PolynomialKernel(2)).features(100).bind(X).maps
    assert [m(X).shape[1] for m in parts] == [80, 4, 15]
    with pytest.raises(pm.errors.ParameterError, match="too few for a sum of 3 kernels"):
        (RBF(gamma=0.2) + Linear() + 1).features(2).fit(X)


def test_parts_of_equal_kernels_are_drawn_apart(X):
    phi = (RBF(gamma=0.2) + RBF(gamma=0.2)).features(80).bind(X)
    first, second = (m(X) for m in phi.maps)
    assert not np.allclose(first, second)


def test_joint_frequencies_err_less_than_sketches_and_those_less_than_narrow_products(rng):
    # As in products of kernels of different columns, with 1024 features.
    X = rng.normal(size=(300, 8))
    left, right = pm.Select(list(range(4))), pm.Select(list(range(4, 8)))
    kernel = RBF(gamma=0.1) @ left * (RBF(gamma=0.1) @ right)
    whole = RBF(gamma=0.1) * RBF(gamma=1e-9)
    assert np.allclose(kernel(X), whole(X), atol=1e-6)

    def factor(side, width, seed):
        return pm.RandomFourier(width, gamma=0.1, random_state=seed) @ side

    def joint(seed):
        return whole.features(1024, random_state=seed)

    def sketch(seed):
        parts = factor(left, 1024, seed), factor(right, 1024, seed + 100)
        return pm.TensorProductSketch(parts, 1024, seed)

    def tensor(seed):
        return factor(left, 32, seed) * factor(right, 32, seed + 100)

    joint, sketch, tensor = (
        np.sqrt(square(make, kernel, X, 20)) for make in (joint, sketch, tensor)
    )
    assert joint < 0.8 * sketch
    assert sketch < 0.7 * tensor


def test_a_product_with_an_exact_factor_takes_what_errs_less(rng):
    kernel, found = RBF(gamma=0.05) * Linear(), {}
    for name, X in {
        "narrow": rng.normal(size=(200, 4)), "wide": rng.exponential(size=(200, 40)) / 4,
    }.items():  # fmt: skip
        closed = kernel.features(200).bind(X)
        found[name] = type(closed)
        assert closed(X[:1]).shape[1] <= 200
    assert found == {"narrow": pm.Tensor, "wide": pm.TensorProductSketch}


def test_what_pairs_of_directions_give_exactly_is_taken_where_it_fits(X):
    kernel = ArcCosine()
    folded, paired = (
        square(lambda seed, phi=phi: phi.set_params(random_state=seed), kernel, X)
        for phi in (kernel.features(40), kernel.features(40, "relu"))
    )
    assert folded < 0.9 * paired
    assert kernel.features(3).fit(X).transform(X).shape[1] == 3


@pytest.mark.parametrize("width", [7, 22])
@pytest.mark.parametrize("name", ["sum", "product", "square", "three factors"])
def test_the_algebra_has_no_bias(name, width, rng):
    rbf = RBF(gamma=0.2)
    kernel = {
        "sum": 2 * rbf + Exponential(gamma=0.1),
        "product": rbf * Linear(),
        "square": (rbf + Cosine()) ** 2,
        "three factors": rbf * ArcCosine() * (Linear() + 1),
    }[name]
    X = 0.7 * rng.normal(size=(4, 3))
    grams = []
    for seed in range(150):
        z = kernel.features(width, random_state=seed).bind(X)(X)
        grams.append(z @ z.T)
    gap = np.abs(np.mean(grams, axis=0) - kernel(X))
    spread = np.std(grams, axis=0, ddof=1) / np.sqrt(len(grams))
    # 16 entries in 8 cases: the greatest of as many normal numbers, at the level 1e-3 in all.
    bound = scipy.stats.norm.isf(1e-3 / (2 * 16 * 8)) * spread
    assert (gap <= bound + 1e-12).all()
    assert np.median(bound) < 0.6 * np.abs(kernel(X)).max()


def test_open_kernels_are_bound_with_the_map(X):
    kernel = RBF() * Laplacian(gamma="median") + 2 * PolynomialKernel(2, gamma="scale")
    phi = kernel.features(150)
    assert relative(phi, kernel, X) < 0.2
    assert relative(phi.bind(X), kernel.bind(X), X) == pytest.approx(relative(phi, kernel, X))
    assert relative((RBF() @ pm.Standardize()).features(500), RBF() @ pm.Standardize(), X) < 0.3


def test_methods_that_do_not_serve_are_listed(X):
    with pytest.raises(pm.errors.ParameterError) as caught:
        RBF().features(10, "sketch")
    assert "'auto', 'fourier', 'nystrom'" in str(caught.value)
    with pytest.raises(pm.errors.ParameterError, match="no method 'sin'"):
        Linear().features(10, "sin")
    documented = pm.kernels.Kernel.features.__doc__
    assert all(f'"{name}"' in documented for name in METHODS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_gradients_and_sparse_rows(dtype, X):
    kernel = RBF(gamma=0.2) * Linear() + Cosine()
    phi = kernel.features(60).bind(X)
    assert phi(X.astype(dtype)).dtype == dtype
    x = torch.from_numpy(X.astype(dtype)).requires_grad_()
    (gradient,) = torch.autograd.grad(phi(x).sum(), x)
    assert gradient.isfinite().all()
    rows = scipy.sparse.csr_array(np.where(X > 1, X, 0).astype(dtype))
    sparse = kernel.features(60).fit(rows)
    dense = kernel.features(60).fit(rows.toarray())
    assert np.allclose(
        sparse.transform(rows),
        dense.transform(rows.toarray()),
        atol=2e-4 if dtype == np.float32 else 1e-9,
    )


def test_frames_are_read_by_name(X):
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    kernel = Linear() @ pm.Columns("a", "a * b") + RBF(gamma=0.3) @ pm.Standardize()
    phi = kernel.features(101)
    assert relative(phi, kernel, frame) < 0.05
    names = phi.fit(frame).get_feature_names_out()
    assert list(names[:2]) == ["compose-1__a", "compose-1__a * b"]
    # A single wave would err more than none.
    assert len(names) == 100
    assert relative(kernel.features(error=0.02, on=frame), kernel, frame) <= 0.02


def test_seeds_decide_and_none_draws_anew(X):
    kernel = RBF(gamma=0.2) + Laplacian(gamma=0.3)
    first, again, other = (
        kernel.features(20, random_state=seed).fit(X).transform(X) for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    drawn = kernel.features(20, random_state=None)
    assert not np.array_equal(drawn.fit(X).transform(X), drawn.fit(X).transform(X))
    state = np.random.default_rng(5)
    assert np.array_equal(
        kernel.features(20, random_state=state).fit(X).transform(X),
        kernel.features(20, random_state=state).fit(X).transform(X),
    )
