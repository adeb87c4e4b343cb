"""Features of additive kernels that are exact on levels, and the curves that they run along."""

import numpy as np
import pytest
import scipy.sparse
import torch

import phimaps as pm
from phimaps.errors import InputError, ParameterError

KERNELS = {"additive_chi2": pm.kernels.AdditiveChi2(), "intersection": pm.kernels.Intersection()}
every_kernel = pytest.mark.parametrize("name", KERNELS)


@every_kernel
@pytest.mark.parametrize(
    "levels",
    [[1.0], [3.0, 7.5], list(range(17)), list(range(1, 257)), [1e-6, 1e-3, 1.0, 1e3, 1e6]],
    ids=len,
)
def test_the_kernel_is_exact_on_the_levels(name, levels):
    rng = np.random.default_rng(0)
    X = rng.choice([0.0, *levels], (60, 5))
    phi = pm.PiecewiseLinearEmbedding(name, levels).fit(X)
    Z, truth = phi.transform(X), KERNELS[name](X)
    assert np.abs(Z @ Z.T - truth).max() <= 1e-12 * truth.max()
    same = pm.PiecewiseLinearEmbedding(KERNELS[name], levels).fit_transform(X)
    np.testing.assert_array_equal(same, Z)


@every_kernel
def test_levels_are_found_in_the_data_or_counted(name):
    X = np.array([[0.0, 2.0], [5.0, 2.0], [3.0, 0.0]])
    found = pm.PiecewiseLinearEmbedding(name).bind(X)
    assert found.array("levels").tolist() == [0.0, 2.0, 3.0, 5.0]
    counted = pm.PiecewiseLinearEmbedding(name, 4).bind(X)
    assert counted.array("levels").tolist() == [0.0, 1.25, 2.5, 3.75, 5.0]
    thin = pm.PiecewiseLinearEmbedding(name).bind(scipy.sparse.csr_array(X))
    np.testing.assert_array_equal(thin.array("values"), found.array("values"))
    nothing = pm.PiecewiseLinearEmbedding(name).fit_transform(np.zeros((2, 2)))
    assert not nothing.any()


def test_the_intersection_is_counted_in_unary():
    phi = pm.PiecewiseLinearEmbedding("intersection", [1.0, 2.0, 4.0])
    Z = phi.fit_transform([[0.5], [2.0], [3.0]])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(Z, [[0.5, 0, 0], [1, 1, 0], [1, 1, half]], atol=1e-15)


def test_few_columns_do_for_the_chi2_kernel_of_many_levels():
    phi = pm.PiecewiseLinearEmbedding("additive_chi2", np.arange(1, 1025))
    assert phi.fit_transform([[3.0]]).shape[1] < 40


@every_kernel
def test_between_the_levels_it_is_linear_and_the_error_falls_with_them(name):
    rng = np.random.default_rng(1)
    X = rng.random((50, 3))
    truth, errors = KERNELS[name](X), []
    for levels in (4, 16, 64):
        Z = pm.PiecewiseLinearEmbedding(name, np.linspace(0, 1, levels + 1)).fit_transform(X)
        errors.append(np.abs(Z @ Z.T - truth).max())
        middle = (np.arange(levels) + 0.5)[:, None] / levels
        grid = np.linspace(0, 1, levels + 1)
        on_levels = pm.PiecewiseLinearEmbedding(name, grid).bind(middle)
        ends = [on_levels.transform(middle + s / levels) for s in (-0.5, 0.5)]
        np.testing.assert_allclose(on_levels.transform(middle), sum(ends) / 2, atol=1e-12)
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < errors[0] / 8


@every_kernel
def test_float32_sparse_rows_and_gradients(name):
    rng = np.random.default_rng(0)
    X = (rng.random((30, 4)) * (rng.random((30, 4)) < 0.5)).astype(np.float32)
    phi = pm.PiecewiseLinearEmbedding(name, 8).fit(X)
    Z = phi.transform(X)
    assert Z.dtype == np.float32
    thin = phi.map_.forward_sparse(scipy.sparse.csr_array(X))
    assert thin.dtype == np.float32
    assert thin.nnz == np.count_nonzero(Z)
    np.testing.assert_array_equal(thin.toarray(), Z)
    np.testing.assert_array_equal(phi.transform(scipy.sparse.csr_array(X)), Z)
    x = torch.tensor(rng.random((5, 3)), requires_grad=True)
    assert torch.autograd.gradcheck(phi.map_.forward, (x,))


@every_kernel
@pytest.mark.parametrize("low", [0.0, 0.3])
def test_constants_hold_and_the_greatest_is_exact(name, low):
    phi = pm.PiecewiseLinearEmbedding(name, np.linspace(0, 1, 9)).bind([[1.0, 1.0]])
    on = pm.Box([low] * 2, [1.5] * 2)
    greatest, least = pm.decide(phi, pm.Lipschitz, on=on), pm.decide(phi, pm.LowerLipschitz, on=on)
    points = torch.from_numpy(on.sample(4000, 0))
    x, y = points[:2000], points[2000:]
    x, y = x[(x != y).any(dim=1)], y[(x != y).any(dim=1)]
    near = x + 1e-4 * (y - x)
    ratios = torch.cat([(phi(x) - phi(z)).norm(dim=1) / (x - z).norm(dim=1) for z in (y, near)])
    assert greatest.value[1] - greatest.value[0] < 1e-9
    assert 0.95 * greatest.value[1] < float(ratios.max()) <= greatest.value[1] * (1 + 1e-9)
    assert 0 < least.value[0] <= float(ratios.min()) * (1 + 1e-9)
    assert pm.decide(phi, pm.Injective, on=on).holds


def test_a_curve_goes_on_beyond_its_ends_and_its_image_is_enclosed():
    phi = pm.LinearInterpolation([0.0, 1.0, 3.0], [[0.0], [5.0], [6.0]])
    np.testing.assert_allclose(phi.transform([[-1.0], [5.0], [1.0]]), [[-5.0], [7.0], [5.0]])
    box = phi.image(pm.Box([-1.0], [2.0])).outer
    assert box.low[0] == pytest.approx(-5.0)
    assert box.high[0] == pytest.approx(5.5)
    assert pm.decide(phi, pm.Lipschitz, on=pm.Box([1.5], [9.0])).value[1] == pytest.approx(0.5)
    turned = pm.LinearInterpolation([0.0, 1.0, 2.0], [[0.0], [1.0], [0.0]])
    assert pm.decide(turned, pm.Injective, on=pm.Box([0.0], [2.0])).holds is not True


@pytest.mark.parametrize(
    "levels", [[], [-1.0, 2.0], [0.0], [[1.0]], [np.nan], ["a"]], ids=lambda v: repr(v)
)
def test_levels_that_are_none_are_refused(levels):
    with pytest.raises(ParameterError, match="'levels' parameter of PiecewiseLinearEmbedding"):
        pm.PiecewiseLinearEmbedding(levels=levels).fit([[1.0]])


def test_what_else_it_refuses():
    X = np.random.default_rng(0).random((300, 4))
    with pytest.raises(InputError, match="1200 different values, too many for levels"):
        pm.PiecewiseLinearEmbedding().fit(X)
    with pytest.raises(ParameterError, match="no features of RBF"):
        pm.PiecewiseLinearEmbedding(pm.kernels.RBF()).fit(X)
    with pytest.raises(ParameterError, match="'kernel' parameter"):
        pm.PiecewiseLinearEmbedding("rbf").fit(X)
    with pytest.raises(InputError, match="Negative values"):
        pm.PiecewiseLinearEmbedding(levels=3).fit(-X)
    with pytest.raises(ParameterError, match="are no curve"):
        pm.LinearInterpolation([0.0, 0.0], [[1.0], [2.0]]).fit(X)
