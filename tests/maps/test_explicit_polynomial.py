"""The exact features of the polynomial kernel: the kernel, the size, the constants."""

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.preprocessing import PolynomialFeatures

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError
from phimaps.maps.monomial_plan import MonomialPlan


def data(n=9, d=4):
    return np.random.default_rng(0).standard_normal((n, d))


@pytest.mark.parametrize("coef0", [0.0, 1.0, 0.3])
@pytest.mark.parametrize("degree", [1, 2, 3, 6])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_inner_product_is_the_kernel(degree, coef0, d):
    X = data(d=d)
    phi = pm.ExplicitPolynomial(degree, 0.7, coef0)
    Z = phi.fit_transform(X)
    truth = phi.estimates(X)
    np.testing.assert_allclose(truth, (0.7 * X @ X.T + coef0) ** degree, rtol=1e-12)
    # Rounding is relative to |φ(x)| |φ(y)|, not to a product that may cancel.
    size = np.sqrt(np.outer(np.diag(truth), np.diag(truth)))
    assert (np.abs(Z @ Z.T - truth) <= 1e-13 * degree * size).all()
    assert Z.shape[1] == phi.width(d) == phi.out_shape((d,))[0]


@pytest.mark.parametrize("interaction_only", [False, True])
@pytest.mark.parametrize("least", [1, 2, 3])
@pytest.mark.parametrize("d", [3, 5, 30])
def test_the_plan_makes_the_monomials_of_scikit_learn(d, least, interaction_only):
    X = data(70, d)
    plan = MonomialPlan(d, 3, interaction_only, least)
    out = torch.empty((70, plan.total - plan.skipped), dtype=torch.float64)
    plan.write(torch.from_numpy(X), out)
    reference = PolynomialFeatures((least, 3), interaction_only=interaction_only)
    expected = reference.fit_transform(X)
    np.testing.assert_allclose(out.numpy(), expected[:, -out.shape[1] :], rtol=1e-13)
    np.testing.assert_allclose(plan.tracked(torch.from_numpy(X)).numpy(), out.numpy(), rtol=1e-13)


def test_float32_sparse_rows_and_gradients():
    X = data().astype(np.float32)
    X[X < 0] = 0
    phi = pm.ExplicitPolynomial(3, 0.5, 2.0).fit(X)
    Z = phi.transform(X)
    assert Z.dtype == np.float32
    np.testing.assert_allclose(Z, phi.transform(X.astype(np.float64)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(phi.transform(scipy.sparse.csr_array(X)), Z)
    for coef0 in (0.0, 1.0):
        phi = pm.ExplicitPolynomial(3, 0.5, coef0)
        x = torch.tensor(data(3, 3), requires_grad=True)
        assert torch.autograd.gradcheck(phi.forward, (x,))
        np.testing.assert_allclose(phi(x).detach(), phi.transform(x.detach()), rtol=1e-12)


def test_names_say_the_factors():
    names = pm.ExplicitPolynomial(2, 1.0, 1.0).fit([[1.0, 2.0]]).get_feature_names_out()
    assert list(names) == ["1", "1.41421 x0", "1.41421 x1", "x0^2", "1.41421 x0 x1", "x1^2"]
    names = pm.ExplicitPolynomial(2, 1.0, 0.0).fit([[1.0, 2.0]]).get_feature_names_out(["a", "b"])
    assert list(names) == ["a^2", "1.41421 a b", "b^2"]


# --- size --------------------------------------------------------------------------------------
def test_width_and_bytes_are_told_before_anything_is_computed():
    phi = pm.ExplicitPolynomial(4)
    assert phi.width(1000) == 42084793751
    assert phi.nbytes(10, 1000, np.float32) == 40 * 42084793751
    with pytest.raises(ParameterError) as caught:
        phi.fit(np.ones((2, 1000)))
    assert caught.value.what == (
        "ExplicitPolynomial would give 42084793751 features, 673356700016 bytes for 2 rows."
    )
    assert caught.value.need == "at most 4294967296 bytes"


def test_the_limit_counts_all_rows_wherever_the_map_stands():
    X = data(200, 10)
    phi = pm.ExplicitPolynomial(2, max_bytes=200 * 66 * 8)
    assert phi.fit(X).transform(X).nbytes == phi.max_bytes
    with pytest.raises(ParameterError, match="66 features, 106128 bytes for 201 rows"):
        phi.transform(np.concatenate([X, X[:1]]))
    with pytest.raises(ParameterError, match="105600 bytes for 200 rows"):
        (pm.ExplicitPolynomial(2, max_bytes=1000) @ pm.Standardize()).fit(X)
    single = pm.ExplicitPolynomial(2, max_bytes=200 * 66 * 4)
    assert single.fit(X.astype(np.float32)).transform(X.astype(np.float32)).dtype == np.float32
    assert pm.ExplicitPolynomial(2, max_bytes=None).fit_transform(X).shape == (200, 66)


# --- facts -------------------------------------------------------------------------------------
@pytest.mark.parametrize("coef0", [0.0, 1.0])
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("low", [-1.0, 0.5])
def test_the_lipschitz_constant_is_exact(degree, coef0, low):
    on, phi = pm.Box([low] * 3, [2.0] * 3), pm.ExplicitPolynomial(degree, 0.5, coef0)
    verdict = pm.decide(phi, pm.Lipschitz, on=on)
    assert verdict.exact
    corner = torch.full((1, 3), 2.0, dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda p: phi(p[None])[0])(corner[0])
    steepest = float(torch.linalg.matrix_norm(jacobian, 2))
    assert verdict.value[1] == pytest.approx(steepest, rel=1e-12)
    bound = pm.decide(phi, pm.Bounded, on=on).value[1]
    assert bound == pytest.approx(float(phi(corner).norm()), rel=1e-12)


@pytest.mark.parametrize(
    ("degree", "coef0", "on", "injective"),
    [
        (2, 1.0, pm.Box([-1.0] * 2, [1.0] * 2), True),
        (2, 0.0, pm.Box([-1.0] * 2, [1.0] * 2), False),
        (2, 0.0, pm.Box([0.0] * 2, [1.0] * 2), True),
        (3, 0.0, pm.Box([-1.0] * 2, [1.0] * 2), True),
        (4, 0.0, pm.Ball([0.0, 0.0], 1.0), False),
    ],
)
def test_it_is_injective_unless_a_point_and_its_opposite_have_one_even_degree(
    degree, coef0, on, injective
):
    verdict = pm.decide(pm.ExplicitPolynomial(degree, 0.5, coef0), pm.Injective, on=on)
    assert verdict.holds is injective


def test_the_lower_constant_is_the_slope_at_0_and_scales_with_gamma():
    around = pm.Box([-1.0] * 2, [1.0] * 2)
    verdict = pm.decide(pm.ExplicitPolynomial(3, 0.25, 2.0), pm.LowerLipschitz, on=around)
    assert verdict.value[0] == pytest.approx(np.sqrt(3 * 0.25 * 4), rel=1e-14)
    assert verdict.exact
    # Where the degree is homogeneous, x_i^k keeps points apart that lie away from 0.
    away, phi = pm.Box([1.0], [2.0]), pm.ExplicitPolynomial(2, 0.25, 0.0)
    assert pm.decide(phi, pm.LowerLipschitz, on=away).value[0] == pytest.approx(0.25 * 2)


def test_constants_survive_numbers_that_underflow():
    on = pm.Box([-1e-200], [1e-200])
    verdict = pm.decide(pm.ExplicitPolynomial(3, 1.0, 0.0), pm.Lipschitz, on=on)
    # 3 x² = 3e-400 at the ends: less than every number, and not 0.
    assert 0 < verdict.value[1] < 1e-300


# --- errors ------------------------------------------------------------------------------------
@pytest.mark.parametrize("coef0", [-0.5, np.inf])
def test_a_negative_constant_is_refused(coef0):
    with pytest.raises(ParameterError, match="'coef0' parameter of ExplicitPolynomial must be"):
        pm.ExplicitPolynomial(coef0=coef0).fit(data())


def test_coefficients_beyond_all_numbers_are_refused():
    with pytest.raises(ParameterError, match="leave the range of numbers"):
        pm.ExplicitPolynomial(3, gamma=1e200).fit(data())


def test_images_are_refused_with_the_repair():
    with pytest.raises(ShapeError, match="ExplicitPolynomial takes rows"):
        pm.ExplicitPolynomial().fit(np.ones((2, 1, 3, 3)))
