"""Waves with given frequencies, dense and structured: values, constants, precision, gradients."""

from math import pi

import numpy as np
import pytest
import torch
from scipy import sparse

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError
from phimaps.maps import waves as module
from phimaps.maps.waves import waves
from phimaps.testing import precise

rng = np.random.default_rng(0)


def bound(kind, d=3, m=40, **changes):
    """A closed map of either kind, with frequencies of a moderate size."""
    X = np.random.default_rng(1).normal(size=(50, d))
    if kind == "dense":
        return pm.RandomFourier(2 * m, gamma=0.05, sampling="orthogonal").bind(X)
    draws = np.random.default_rng(2)
    order = 1 << (d - 1).bit_length()
    blocks = -(-m // order)
    return pm.HadamardFourier(
        draws.uniform(0.2, 0.4, d),
        draws.choice([-1.0, 1.0], (1 + 2 * blocks, order)),
        draws.uniform(0.5, 2, m),
        0.3,
        **changes,
    )


both = pytest.mark.parametrize("kind", ["dense", "structured"])


# --- the waves ------------------------------------------------------------------------------------
@pytest.mark.parametrize(("dtype", "unit"), [(torch.float32, 2.0**-23), (torch.float64, 2.0**-52)])
def test_waves_are_cosines_and_sines_within_8_units(dtype, unit):
    turns = torch.cat((torch.linspace(-3, 3, 60_001), torch.randn(60_000) * 100)).to(dtype)[None]
    turns = torch.cat((turns, (4 * turns).round() / 4))
    cosine, sine = torch.empty_like(turns), torch.empty_like(turns)
    exact = turns.double() - turns.double().round()
    assert turns.numel() >= module.FEW
    waves(turns.clone(), cosine, sine, 1.0)
    wanted = torch.cos(2 * pi * exact), torch.sin(2 * pi * exact)
    for got, want in zip((cosine, sine), wanted, strict=True):
        assert float((got.double() - want).abs().max()) <= 8 * unit
    assert float((cosine.double() ** 2 + sine.double() ** 2 - 1).abs().max()) <= 16 * unit
    whole = turns == turns.round()
    assert (cosine[whole] == 1).all()
    assert (sine[whole] == 0).all()


def test_float64_turns_give_float32_waves_as_exact_as_float32_is():
    turns = torch.randn(200, 100, dtype=torch.float64) * 1e6
    cosine, sine = (torch.empty((200, 100)) for _ in range(2))
    waves(turns.clone(), cosine, sine, 0.5)
    exact = 2 * pi * (turns - turns.round())
    assert float((cosine.double() - 0.5 * exact.cos()).abs().max()) < 1e-6
    assert float((sine.double() - 0.5 * exact.sin()).abs().max()) < 1e-6


def test_many_and_few_phases_agree():
    turns = torch.randn(300, 50, dtype=torch.float64)
    many, few = torch.empty((2, 300, 50)).double(), torch.empty((2, 300, 50)).double()
    waves(turns.clone(), *many, 2.0)
    for i in range(300):
        waves(turns[i : i + 1].clone(), few[0, i : i + 1], few[1, i : i + 1], 2.0)
    assert float((many - few).abs().max()) < 1e-14


# --- both kinds -----------------------------------------------------------------------------------
@both
def test_the_definition_to_60_digits(kind):
    phi = bound(kind, d=5, m=11)
    x = rng.normal(size=(4, 5))
    for row, value in zip(x, phi(x), strict=True):
        np.testing.assert_allclose(value, precise(phi, row).astype(float), atol=1e-15)


@both
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "d", "m"), [(1, 3, 40), (700, 3, 40), (300, 64, 200), (65, 100, 99)])
def test_what_is_written_is_what_is_computed(kind, dtype, n, d, m):
    phi, x = bound(kind, d, m), torch.from_numpy(rng.normal(size=(n, d))).to(dtype)
    wide = torch.full((n, 2 * m + 5), 7.0, dtype=dtype)
    with torch.no_grad():
        phi.write(x, wide[:, 2:-3])
        difference = wide[:, 2:-3] - phi(x)
    assert float(difference.abs().max()) < (2e-5 if dtype == torch.float32 else 1e-13)
    assert (wide[:, :2] == 7).all()
    assert (wide[:, -3:] == 7).all()


@both
def test_gradients_are_right(kind):
    phi = bound(kind, m=10)
    live = phi.rebuild(lambda path, t: t.clone().requires_grad_(path != "signs"))
    x = torch.from_numpy(rng.normal(size=(3, 3))).requires_grad_()
    arrays = [getattr(live, name) for name in live.arrays if name != "signs"]

    def features(point, *values):
        names = [name for name in live.arrays if name != "signs"]
        for name, value in zip(names, values, strict=True):
            setattr(live, name, value)
        return live.forward(point)

    assert torch.autograd.gradcheck(features, (x, *arrays))


@both
def test_the_lipschitz_constant_holds_and_the_lower_one_too(kind):
    phi = bound(kind)
    on = pm.Ball([0.0] * 3, 1.0) if kind == "structured" else pm.Box([-1.0] * 3, [1.0] * 3)
    low, high = pm.decide(phi, pm.Lipschitz, on=on).value
    points = torch.from_numpy(on.sample(200, 0))
    jacobians = torch.func.vmap(torch.func.jacrev(lambda p: phi(p[None])[0]))(points)
    norms = torch.linalg.matrix_norm(jacobians, 2).numpy()
    assert norms.max() <= high * (1 + 1e-9)
    if kind == "dense":
        assert high - low < 1e-12
        np.testing.assert_allclose(norms, high, rtol=1e-9)
    verdict = pm.decide(phi, pm.LowerLipschitz, on=on)
    x, y = points[:100], points[100:]
    ratio = (phi(x) - phi(y)).norm(dim=1) / (x - y).norm(dim=1)
    assert verdict.holds
    assert 0 < verdict.value[0] <= float(ratio.min())
    assert pm.decide(phi, pm.Injective, on=on).holds is True
    assert pm.decide(phi, pm.Bounded, on=on).holds is True


@both
def test_a_center_moves_the_point_and_keeps_the_kernel(kind):
    phi = bound(kind, m=10)
    moved = type(phi)(**(phi.get_params() | {"center": [1.0, -2, 3]}))
    x = rng.normal(size=(6, 3))
    np.testing.assert_allclose(moved(x), phi(x - [1.0, -2, 3]), atol=1e-14)
    np.testing.assert_allclose(moved(x) @ moved(x).T, phi(x) @ phi(x).T, atol=1e-13)
    assert moved.fit(x).get_feature_names_out()[0] == "cos(w0·(x - c))"
    assert phi.fit(x).get_feature_names_out()[-1] == "sin(w9·x)"
    on = pm.Box([-1.0] * 3, [1.0] * 3)
    for claim in (pm.Lipschitz, pm.LowerLipschitz, pm.Bounded):
        assert pm.decide(moved, claim, on=on).value == pm.decide(phi, claim, on=on).value


@both
@pytest.mark.parametrize("center", [None, [5.0, 6, 7]])
@pytest.mark.parametrize("precise", [False, True])
def test_sparse_rows_give_the_same_features_as_dense_ones(kind, center, precise):
    phi = bound(kind, m=10)
    phi = type(phi)(**(phi.get_params() | {"center": center, "precise": precise}))
    X = rng.random((30, 3))
    X[X < 0.7] = 0
    for dtype, near in ((np.float64, 1e-13), (np.float32, 1e-5)):
        thin = sparse.csr_array(X.astype(dtype))
        got = phi.transform(thin)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, phi.transform(X.astype(dtype)), atol=near)


@both
def test_great_phases_are_computed_in_float64_where_one_asks(kind):
    phi = bound(kind, m=10)
    x = (rng.normal(size=(40, 3)) * 1e5).astype(np.float32)
    exact = phi.transform(x.astype(np.float64))
    careful = type(phi)(**(phi.get_params() | {"precise": True}))
    got = careful.transform(x)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, exact, atol=1e-6)
    np.testing.assert_allclose(careful(torch.from_numpy(x)).numpy(), exact, atol=1e-6)
    assert np.abs(phi.transform(x) - exact).max() > 1e-4


@both
def test_rows_of_another_width_are_refused(kind):
    with pytest.raises(ShapeError, match=r"X has 2 features, but \w+ is expecting 3 features"):
        bound(kind)(torch.ones(4, 2))


# --- dense ----------------------------------------------------------------------------------------
def test_over_more_than_a_period_nothing_is_claimed():
    verdict = pm.decide(pm.Fourier([[1.0]]), pm.Injective, on=pm.Box([0.0], [7.0]))
    assert verdict.holds is not True


def test_a_center_of_another_width_is_refused():
    with pytest.raises(ParameterError, match="center of Fourier does not fit"):
        pm.Fourier([[1.0]], center=[1.0, 2.0]).fit([[1.0]])


# --- structured -----------------------------------------------------------------------------------
@pytest.mark.parametrize(("d", "m"), [(1, 3), (2, 2), (3, 11), (8, 20), (100, 300), (130, 256)])
def test_structured_waves_are_dense_waves_with_their_frequencies(d, m):
    phi = bound("structured", d, m)
    x = rng.normal(size=(50, d))
    twin = pm.Fourier(phi.frequencies(), phi.scale)
    np.testing.assert_allclose(phi.transform(x), twin.transform(x), atol=1e-12)
    order = 1 << (d - 1).bit_length()
    if d == order:
        block = phi.frequencies()[:, :order] / phi.array("weight")[:, None]
        gram = block.T @ block
        np.testing.assert_allclose(gram[:m, :m], np.diag(np.diag(gram)), atol=1e-12)
        np.testing.assert_allclose(np.diag(gram), phi.array("radii")[:order] ** 2)


@pytest.mark.parametrize("order", [2**k for k in range(14)])
def test_the_turn_is_the_hadamard_matrix(order):
    from phimaps.maps.hadamard import transform
    from phimaps.maps.structured import _turn

    x = torch.from_numpy(rng.normal(size=(3, order)))
    upright = x.t().contiguous()
    turned, spare = _turn(upright, torch.empty_like(upright))
    np.testing.assert_allclose(turned.t().numpy(), transform(x).numpy(), rtol=1e-9, atol=1e-9)
    assert spare.data_ptr() != turned.data_ptr()


def test_the_bound_of_structured_waves_is_near_the_constant():
    X = np.random.default_rng(0).normal(size=(100, 128))
    phi = pm.RandomFourier(2048, sampling="structured").bind(X)
    assert type(phi) is pm.HadamardFourier
    on = pm.Box([-1.0] * 128, [1.0] * 128)
    true = phi.scale * np.linalg.norm(phi.frequencies(), 2)
    high = pm.decide(phi, pm.Lipschitz, on=on).value[1]
    assert true <= high <= 1.35 * true


@pytest.mark.parametrize(
    "change",
    [
        {"signs": np.ones((3, 2))},
        {"signs": np.ones((2, 4))},
        {"signs": np.full((3, 4), 2.0)},
        {"radii": np.ones(5)},
        {"radii": np.ones(9)},
        {"center": np.ones(2)},
    ],
)
def test_structured_arrays_that_do_not_fit_are_refused(change):
    good = {"weight": np.ones(3), "signs": np.ones((3, 4)), "radii": np.ones(4)}
    pm.HadamardFourier(**good).fit(np.ones((1, 3)))
    with pytest.raises(ParameterError, match="arrays of HadamardFourier do not fit"):
        pm.HadamardFourier(**(good | change)).fit(np.ones((1, 3)))
