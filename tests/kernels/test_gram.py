"""Matrices of kernel values: blocks, symmetry, dtypes, sparse rows, offsets, gradients."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

import phimaps as pm
from phimaps.kernels import (
    NTK,
    RBF,
    AdditiveChi2,
    ArcCosine,
    Callable,
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
    SkewedChi2,
)

rng = np.random.default_rng(3)
X, Y = np.abs(rng.normal(size=(33, 4))), np.abs(rng.normal(size=(21, 4)))
Y[:3] = X[:3]
LENGTHS = [0.5, 1.0, 2.0, 0.7]

KERNELS = [
    RBF(gamma=0.4),
    RBF(length_scale=LENGTHS),
    Matern(nu=0.5, length_scale=LENGTHS),
    Matern(nu=1.5, gamma=0.4),
    Matern(nu=2.5, gamma=0.4),
    Matern(nu=0.8, gamma=0.4),
    Matern(nu=3.3, gamma=0.4),
    RationalQuadratic(alpha=0.4, gamma=0.4),
    Cauchy(gamma=0.4),
    InverseMultiquadric(gamma=0.4),
    Laplacian(gamma=0.4),
    Periodic(period=1.3, length_scale=LENGTHS),
    Linear(),
    Constant(2.0),
    PolynomialKernel(degree=2),
    Exponential(gamma=0.3),
    Cosine(),
    ArcCosine(order=0),
    ArcCosine(order=1, depth=2),
    ArcCosine(order=2, bias=0.5),
    NTK(depth=2, bias=0.1),
    AdditiveChi2(),
    Chi2(gamma=0.3),
    SkewedChi2(),
    Intersection(),
    Delta(),
    RBF(gamma=0.4) + 2 * Linear() * Cauchy(gamma=0.2),
    (Linear() + 1) ** 2,
    RBF(gamma=0.4) @ pm.Sqrt(),
    pm.Sqrt().kernel,
]
SPARSE = [k for k in KERNELS if k.sparse]


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_blocks_join_to_the_whole(kernel):
    whole, own = kernel(X, Y), kernel(X)
    for size in (1, 1000, 5000):
        with pm.config_context(chunk_bytes=size):
            assert np.allclose(kernel(X, Y), whole, rtol=1e-13, atol=1e-13)
            assert np.allclose(kernel(X), own, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_a_matrix_of_one_set_is_symmetric_to_the_bit(kernel):
    for size in (1, 1000, 2**25):
        with pm.config_context(chunk_bytes=size):
            own = kernel(X)
        assert np.array_equal(own, own.T)
        assert np.allclose(own, kernel(X, X), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_dtypes_are_kept(kernel):
    single = X.astype(np.float32)
    assert kernel(single).dtype == np.float32
    assert kernel(single, Y).dtype == np.float64
    assert kernel(X, Y.astype(np.float32)).dtype == np.float64
    assert kernel(torch.from_numpy(single)).dtype == torch.float32
    assert kernel([[1, 2, 3, 4]]).dtype == np.float64


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_tensors_give_tensors_with_the_same_values(kernel):
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    value = kernel(x, y)
    assert isinstance(value, torch.Tensor)
    assert np.array_equal(value.numpy(), kernel(X, Y))
    # The differentiable way computes the same numbers up to rounding.
    traced = kernel(x.clone().requires_grad_(), y)
    assert traced.requires_grad != isinstance(kernel, Constant | Delta)
    assert np.allclose(traced.detach().numpy(), kernel(X, Y), rtol=1e-13, atol=1e-13)
    own = kernel(x.clone().requires_grad_())
    assert np.allclose(own.detach().numpy(), kernel(X), rtol=1e-13, atol=1e-13)
    assert not kernel(x).requires_grad


@pytest.mark.parametrize("kernel", [k for k in KERNELS if not isinstance(k, Delta)], ids=repr)
def test_gradients_are_differences(kernel):
    x = torch.from_numpy(X[5:9] + 0.1).requires_grad_()
    y = torch.from_numpy(Y[10:13] + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(kernel, (x, y), rtol=1e-6, atol=1e-7)
    # Off the diagonal, where steps and roots have no slope.
    assert torch.autograd.gradcheck(lambda a: kernel(a).tril(-1), (x,), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_gradients_are_finite_at_equal_rows_and_at_zero(kernel):
    rows = X[:4].copy()
    rows[1] = rows[0]
    if not isinstance(kernel, Delta) and "Sqrt" not in repr(kernel):
        rows[2] = 0.0
    x = torch.from_numpy(rows).requires_grad_()
    (kernel(x).sum() + kernel(x, x.detach().clone()).sum() + 0.0 * x.sum()).backward()
    assert bool(x.grad.isfinite().all())


def test_smooth_kernels_have_slope_zero_at_equal_rows():
    for kernel in (RBF(gamma=1.0), Matern(nu=1.5, gamma=1.0), Cauchy(gamma=1.0)):
        x = torch.from_numpy(X[:3]).requires_grad_()
        kernel(x, torch.from_numpy(X[:3].copy())).diagonal().sum().backward()
        assert float(x.grad.abs().max()) < 1e-12


def test_second_derivatives_of_a_general_matern():
    x = torch.from_numpy(X[5:7]).requires_grad_()
    y = torch.from_numpy(Y[10:12])
    assert torch.autograd.gradgradcheck(lambda a: Matern(nu=3.3, gamma=0.4)(a, y), (x,))


def test_length_scales_may_be_learned():
    length = torch.tensor([0.5, 1.0, 2.0, 0.7], dtype=torch.float64, requires_grad=True)
    x, y = torch.from_numpy(X[:5]), torch.from_numpy(Y[5:9])

    def of(value):
        return RBF(length_scale=value)(x, y)

    assert torch.autograd.gradcheck(of, (length,))
    gamma = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    for kind in (RBF, Laplacian, Cauchy):
        assert torch.autograd.gradcheck(lambda g, kind=kind: kind(gamma=g)(x, y), (gamma,))


def zeros_in(rows):
    cut = rows.copy()
    cut[cut < 0.5] = 0.0
    cut[4] = 0.0
    return cut


@pytest.mark.parametrize("kernel", SPARSE, ids=repr)
def test_sparse_rows_have_the_values_of_dense_ones(kernel):
    a, b = zeros_in(X), zeros_in(Y)
    dense = kernel(a, b)
    for left in (a, scipy.sparse.csr_array(a), scipy.sparse.csc_matrix(a)):
        for right in (b, scipy.sparse.csr_array(b)):
            assert np.allclose(kernel(left, right), dense, rtol=1e-12, atol=1e-12)
    own = kernel(scipy.sparse.csr_array(a))
    assert np.allclose(own, kernel(a), rtol=1e-12, atol=1e-12)
    assert np.array_equal(own, own.T)
    single = kernel(scipy.sparse.csr_array(a.astype(np.float32)))
    assert single.dtype == np.float32
    assert np.allclose(single, own, rtol=2e-6, atol=2e-6)


def test_sparse_rows_are_never_filled_in_as_a_whole():
    # Dense, each side would take 1.6 GB.
    a = scipy.sparse.random_array((200, 1_000_000), density=1e-5, format="csr", rng=rng)
    for kernel in (RBF(gamma=1.0), Matern(nu=0.5, gamma=1.0), Linear(), ArcCosine(), Cosine()):
        assert kernel(a).shape == (200, 200)


@pytest.mark.parametrize("offset", [1e3, 1e5])
@pytest.mark.parametrize(
    "kernel",
    [k for k in KERNELS if isinstance(k, RBF | Matern | Cauchy | Laplacian | Periodic)],
    ids=repr,
)
def test_a_common_offset_costs_no_digits(kernel, offset):
    far, off = (X + offset).astype(np.float32), (Y + offset).astype(np.float32)
    exact = kernel(far.astype(np.float64) - offset, off.astype(np.float64) - offset)
    assert np.abs(kernel(far, off) - exact).max() <= 1e-6
    # In double precision the sum itself is rounded; the kernel adds nothing to it.
    twice = kernel((X + offset) - offset, (Y + offset) - offset)
    assert np.abs(kernel(X + offset, Y + offset) - twice).max() <= 1e-13


def test_distances_are_never_negative_and_zero_on_the_diagonal():
    rows = rng.normal(size=(50, 8)) * 1e6
    for kernel in (RBF(gamma=1e3), Matern(nu=0.5, gamma=1e3), Cauchy(gamma=1e3)):
        for data in (rows, rows.astype(np.float32)):
            value = kernel(data)
            assert (np.diag(value) == 1.0).all()
            assert value.max() <= 1.0
            # Given twice, equal rows are seen to be equal too, without the diagonal's help.
            assert np.abs(np.diag(kernel(data, data.copy())) - 1).max() <= (
                0 if isinstance(kernel, Matern) else 1e-3
            )


def test_numbers_whose_squares_overflow_are_far_apart():
    rows = np.array([[1e200, 0.0], [1e200, 0.0], [0.0, -1e200], [3.0, 4.0]])
    expected = np.eye(4)
    expected[0, 1] = expected[1, 0] = 1.0
    for kernel in (RBF(gamma=1.0), Matern(nu=0.5, gamma=1.0), Laplacian(gamma=1.0)):
        assert np.array_equal(kernel(rows), expected)
        assert np.array_equal(kernel(rows, rows.copy()), expected)
    assert np.allclose(Cosine()(rows)[0], [1.0, 1.0, 0.0, 0.6], rtol=1e-15)


def test_support_vector_machines_take_kernels():
    from sklearn.svm import SVC

    labels = (X[:, 0] > np.median(X[:, 0])).astype(int)
    ours = SVC(kernel=RBF(gamma=0.4)).fit(X, labels).decision_function(Y)
    theirs = SVC(kernel="rbf", gamma=0.4).fit(X, labels).decision_function(Y)
    assert np.allclose(ours, theirs, atol=1e-3)


def test_near_rows_keep_their_digits_in_rough_kernels():
    step = 1e-7
    for data, slack in ((X, 1e-14), (X.astype(np.float32), 1e-7)):
        near = (data + step).astype(data.dtype)
        value = np.diag(Matern(nu=0.5, length_scale=1e-6)(data, near))
        gap = np.linalg.norm(data.astype(float) - near.astype(float), axis=1)
        assert np.abs(value - np.exp(-gap / 1e-6)).max() <= slack


def test_frames_and_images_are_rows():
    frame, other = pd.DataFrame(X, columns=list("abcd")), pd.DataFrame(Y, columns=list("abcd"))
    assert np.array_equal(RBF(gamma=1.0)(frame, other), RBF(gamma=1.0)(X, Y))
    images = X.reshape(-1, 1, 2, 2)
    for kernel in KERNELS:
        assert np.array_equal(kernel(images), kernel(X))


def test_features_take_part_by_name():
    frame = pd.DataFrame(X, columns=["height", "width", "depth", "mass"])
    kernel = RBF() @ pm.Columns("height * width", "mass")
    value = kernel(frame)
    columns = np.stack([X[:, 0] * X[:, 1], X[:, 3]], axis=1)
    assert np.allclose(value, RBF()(columns), rtol=0, atol=1e-13)


def test_an_open_kernel_is_bound_on_the_rows_that_it_is_given():
    kernel = RBF()
    assert np.array_equal(kernel(X), kernel.bind(X)(X))
    assert kernel.gamma is None
    assert not hasattr(kernel, "n_features_in_")
    with pytest.raises(pm.errors.UnboundError):
        kernel(X, Y)
    with pytest.raises(pm.errors.UnboundError):
        kernel.between(torch.from_numpy(X), torch.from_numpy(Y))


def test_a_closed_kernel_is_its_own_binding():
    kernel = RBF(gamma=0.4)
    assert kernel.bind(X) is kernel


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_data_are_never_altered(kernel):
    a, b = X.copy(), Y.copy()
    kernel(a, b)
    kernel(a)
    kernel(torch.from_numpy(a), torch.from_numpy(b))
    kernel.between(torch.from_numpy(a), torch.from_numpy(b))
    assert np.array_equal(a, X)
    assert np.array_equal(b, Y)


def test_a_function_gets_all_rows_or_pairs_of_them():
    matrix = Callable(lambda x, y: x @ y.T)
    pairs = Callable(lambda x, y: float(x @ y))
    assert np.allclose(matrix(X, Y), X @ Y.T)
    assert np.allclose(pairs(X, Y), X @ Y.T)
    assert pairs(X[:1], Y[:1]).shape == (1, 1)
    traced = Callable(lambda x, y: torch.exp(-(torch.cdist(x, y) ** 2)), tensors=True)
    x = torch.from_numpy(X[:4]).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: traced(a, torch.from_numpy(Y[4:8])), (x,))


def test_eigenvalues_are_negative_beyond_rounding_only():
    good = RBF(gamma=0.1)(X)
    pm.kernels.check_psd(good)
    pm.kernels.check_psd(good.astype(np.float32))
    pm.kernels.check_psd(np.ones((5, 5)))
    with pytest.raises(pm.errors.InputError, match="eigenvalue"):
        pm.kernels.check_psd(good - 0.01 * np.eye(len(good)))


def test_features_of_a_pull_back_are_computed_once():
    seen = []

    class Counting(pm.FeatureMap):
        def forward(self, x):
            seen.append(len(x))
            return x

    kernel = 2 * (RBF(gamma=0.4) @ Counting()) ** 2
    with pm.config_context(chunk_bytes=2000):
        value = kernel(X, Y)
    # One row of each is looked at beforehand, for its shape.
    assert sum(seen) == len(X) + len(Y) + 2
    assert np.allclose(value, 2 * RBF(gamma=0.4)(X, Y) ** 2, rtol=1e-14)


def test_sparse_features_pull_back():
    phi = pm.RandomFourier(n_components=8, gamma=0.4).bind(X)
    rows = scipy.sparse.csr_array(zeros_in(X))
    for kernel in (phi.kernel, RBF(gamma=0.4) @ phi, 2 * Laplacian(gamma=0.4) @ phi):
        assert np.allclose(kernel(rows), kernel(zeros_in(X)), rtol=1e-12, atol=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_every_device_gives_the_same_values(kernel):
    here = kernel(X, Y)
    with pm.config_context(device="cuda"):
        assert np.allclose(kernel(X, Y), here, rtol=1e-12, atol=1e-12)
        assert np.allclose(kernel(X), kernel(X).T, rtol=0, atol=0)
    x, y = (torch.from_numpy(v).cuda() for v in (X, Y))
    value = kernel(x, y)
    assert value.is_cuda
    assert np.allclose(value.cpu().numpy(), here, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tensors", [False, True])
def test_numbers_of_a_function_keep_their_digits(tensors):
    kernel = Callable(lambda x, y: 1 / 3, tensors=tensors)
    assert (kernel(np.zeros((2, 1))) == 1 / 3).all()
