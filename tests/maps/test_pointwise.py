"""Elementwise maps: values against scipy and exact points, ranges, turning points, domains."""

from math import pi

import numpy as np
import pytest
import torch
from scipy import special, stats

import phimaps as pm
from phimaps.errors import DomainError

GRID = np.concatenate([np.linspace(-6, 6, 241), [-40.0, 40.0, -1e-9, 1e-9]])[:, None]
REFERENCE = {
    pm.Relu(): lambda x: np.maximum(x, 0),
    pm.LeakyRelu(0.3): lambda x: np.where(x > 0, x, 0.3 * x),
    pm.LeakyRelu(-0.5): lambda x: np.where(x > 0, x, -0.5 * x),
    pm.Abs(): np.abs,
    pm.Tanh(): np.tanh,
    pm.Sigmoid(): special.expit,
    pm.Softplus(): lambda x: np.logaddexp(0, x),
    pm.Gelu(): lambda x: x * stats.norm.cdf(x),
    pm.Silu(): lambda x: x * special.expit(x),
    pm.Exp(): np.exp,
    pm.Cos(): np.cos,
    pm.Sin(): np.sin,
    pm.Power(3): lambda x: x**3,
    pm.Power(0): np.ones_like,
}


@pytest.mark.parametrize("phi", REFERENCE, ids=repr)
def test_values_gradients_and_names(phi):
    np.testing.assert_allclose(
        phi.fit(GRID).transform(GRID), REFERENCE[phi](GRID), rtol=1e-12, atol=1e-15
    )
    x = torch.tensor([[-1.3], [0.7]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(phi, (x,))
    assert phi.get_feature_names_out(["w"]).tolist() == [f"{phi.title}(w)"]


@pytest.mark.parametrize("phi", REFERENCE, ids=repr)
@pytest.mark.parametrize("low", [-5.0, -1.0, -0.1, 0.0, 0.3])
@pytest.mark.parametrize("width", [0.05, 0.5, 2.0, 9.0])
def test_range_monotony_and_constants_on_an_interval(phi, low, width):
    """The library's answers against a fine grid, to the grid's own resolution."""
    on = pm.Box([low], [low + width])
    x = np.linspace(low, low + width, 20_001)
    y = REFERENCE[phi](x)
    image = phi.image(on)
    step = 2 * width / 20_000 * max(1.0, np.abs(np.diff(y)).max() * 20_000 / width)
    assert image.outer.low[0] <= y.min() <= image.outer.low[0] + step
    assert image.outer.high[0] - step <= y.max() <= image.outer.high[0]
    if image.inner is not None:
        assert y.min() - step <= image.inner.low[0]
        assert image.inner.high[0] <= y.max() + step
    slopes = np.abs(np.diff(y)) / np.diff(x)
    lipschitz = pm.decide(phi, pm.Lipschitz, on=on).value
    assert lipschitz[0] - 1e-6 <= slopes.max() * (1 + 1e-3) + 1e-9
    assert slopes.max() <= lipschitz[1] * (1 + 1e-6) + 1e-7
    monotone = (np.diff(y) > 0).all() or (np.diff(y) < 0).all()
    assert pm.decide(phi, pm.Injective, on=on).holds is bool(monotone)
    if monotone:
        lower = pm.decide(phi, pm.LowerLipschitz, on=on).value
        assert lower[0] <= slopes.min() * (1 + 1e-6) + 1e-9
        assert slopes.min() * (1 - 1e-3) - 1e-3 * lipschitz[1] <= lower[1]


@pytest.mark.parametrize(
    ("phi", "turn"),
    [(pm.Gelu(), pm.Gelu.turns[0]), (pm.Silu(), pm.Silu.turns[0]), (pm.Cos(), pi), (pm.Abs(), 0.0)],
    ids=repr,
)
def test_at_the_turning_point_the_answer_flips(phi, turn):
    right = pm.Box([turn + 1e-6], [turn + 1.0])
    around = pm.Box([turn - 1e-6], [turn + 1.0])
    assert pm.decide(phi, pm.Injective, on=right).holds is True
    verdict = pm.decide(phi, pm.Injective, on=around)
    assert verdict.holds is False
    assert verdict.witness.verify(phi)


def test_saturation_in_floating_point_is_not_a_collision_of_the_real_map():
    on = pm.Box([-500.0], [500.0])
    x = torch.tensor([[300.0], [400.0]], dtype=torch.float64)
    assert pm.Tanh()(x)[0] == pm.Tanh()(x)[1]
    assert pm.decide(pm.Tanh(), pm.Injective, on=on).holds is True
    assert pm.decide(pm.Tanh(), pm.LowerLipschitz, on=on).holds is not False


@pytest.mark.parametrize("phi", [pm.Log(), pm.Sqrt(), pm.Power(0.5), pm.Power(-1)], ids=repr)
def test_outside_the_domain_there_is_an_error_and_no_verdict(phi):
    on = pm.Box([0.5, -1.0], [1.0, 1.0])
    with pytest.raises(DomainError, match="is not defined on all of"):
        pm.decide(phi, pm.Continuous, on=on)
    with pytest.raises(DomainError, match="in row 1, coordinate 1"):
        phi(torch.tensor([[1.0, 1.0], [1.0, -0.0 if phi.title == "power-1" else -2.0]]))


@pytest.mark.parametrize(
    ("make", "bad"),
    [
        (pm.Log, 0.0),
        (pm.Sqrt, -1.0),
        (lambda **k: pm.Power(0.5, **k), -1.0),
        (lambda **k: pm.Power(-2, **k), 0.0),
    ],
)
def test_domain_errors_can_become_nan_or_a_number_without_spoiling_gradients(make, bad):
    x = torch.tensor([[bad], [4.0]], dtype=torch.float64, requires_grad=True)
    filled = make(on_domain_error=7.0)(x)
    assert filled[0].item() == 7.0
    filled.sum().backward()
    assert x.grad[0].item() == 0.0
    assert torch.isfinite(x.grad).all()
    missing = make(on_domain_error="nan")(x.detach())
    assert torch.isnan(missing[0]).all()
    assert torch.isfinite(missing[1]).all()


def test_poles_are_not_taken_for_limits():
    for p, low, high in ((-1, 0.25, 2.0), (-1, -2.0, -0.25), (-2, -2.0, -0.25), (-3, 0.5, 1.0)):
        outer = pm.Power(p).image(pm.Box([low], [high])).outer
        ends = sorted((low**p, high**p))
        np.testing.assert_allclose([outer.low[0], outer.high[0]], ends, rtol=1e-14)
        assert outer.low[0] <= ends[0] < ends[1] <= outer.high[0]


def test_where_the_enclosure_reaches_out_of_the_domain_nothing_is_claimed():
    # x - x is 0, which interval arithmetic does not see, so 1 + x - x may be 0 for all it knows.
    one = pm.Affine([[1.0]], [1.0]) + pm.Scale(-1.0, pm.Identity())
    phi = pm.Log(on_domain_error="nan") @ one
    assert pm.decide(phi, pm.Continuous, on=pm.Box([-2.0], [2.0])).holds is None


def test_crelu_keeps_images_as_images():
    assert pm.CRelu()(np.ones((2, 3, 4, 5))).shape == (2, 6, 4, 5)


def test_normalize_survives_tiny_and_huge_rows():
    X = np.array([[3e-200, 4e-200], [3e200, 4e200], [0.0, 0.0]])
    np.testing.assert_allclose(pm.Normalize().transform(X), [[0.6, 0.8], [0.6, 0.8], [0, 0]])
