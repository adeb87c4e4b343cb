"""Activations of networks: values, ranges, constants and smoothness against grids and mpmath."""

import warnings
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from torch import nn

import phimaps as pm
from phimaps.errors import ParameterError
from phimaps.testing import Probe, claims, falsify
from phimaps.testing.precise import precise

# Each map with the module that torch has for it.
MODULES = [
    (pm.Elu(), nn.ELU()),
    (pm.Elu(0.25), nn.ELU(0.25)),
    (pm.Elu(3.0), nn.ELU(3.0)),
    (pm.Celu(), nn.CELU()),
    (pm.Celu(0.25), nn.CELU(0.25)),
    (pm.Celu(3.0), nn.CELU(3.0)),
    (pm.Selu(), nn.SELU()),
    (pm.Softplus(), nn.Softplus(threshold=50)),
    (pm.Softsign(), nn.Softsign()),
    (pm.LogSigmoid(), nn.LogSigmoid()),
    (pm.Tanhshrink(), nn.Tanhshrink()),
    (pm.Hardswish(), nn.Hardswish()),
    (pm.Mish(), nn.Mish()),
    (pm.Relu6(), nn.ReLU6()),
    (pm.Hardtanh(), nn.Hardtanh()),
    (pm.Hardtanh(-0.25, 2.0), nn.Hardtanh(-0.25, 2.0)),
    (pm.Hardsigmoid(), nn.Hardsigmoid()),
    (pm.Softshrink(), nn.Softshrink()),
    (pm.Softshrink(2.0), nn.Softshrink(2.0)),
    (pm.Softshrink(0), nn.Softshrink(0)),
    (pm.Hardshrink(), nn.Hardshrink()),
    (pm.Hardshrink(2.0), nn.Hardshrink(2.0)),
    (pm.Hardshrink(0), nn.Hardshrink(0)),
    (pm.LeakyRelu(0.25), nn.PReLU()),
    (pm.Relu(), nn.ELU(0)),
]
CURVES = [
    *(phi for phi, _ in MODULES if not isinstance(phi, pm.Hardshrink)),
    *(pm.Arctan(), pm.Sinh()),
]
JUMPS = [pm.Hardshrink(), pm.Hardshrink(2.0), pm.Step(), pm.Step(-0.5)]
EVERY = CURVES + JUMPS
INTERVALS = [
    (low, low + width)
    for low in (-7.0, -3.0, -1.5, -0.5, 0.0, 0.5, 2.0)
    for width in (1e-3, 0.5, 3.0, 12.0)
]
GRID = np.concatenate([np.linspace(-9, 9, 721), [-40, 40, 1e-9, -1e-9, 1e-200, 1e9, -1e9]])[:, None]


def exact(phi, x):
    value = precise(phi, np.array([x]))
    assert value is not None
    return value[0]


@pytest.mark.parametrize(("phi", "module"), MODULES, ids=repr)
def test_the_module_is_translated_and_computes_the_same(phi, module):
    translated = pm.from_torch(module)
    assert repr(translated) == repr(phi)
    for dtype, near in ((torch.float64, 1e-15), (torch.float32, 1e-6)):
        x = torch.from_numpy(GRID).to(dtype)
        with torch.no_grad():
            torch.testing.assert_close(phi(x), module.to(dtype)(x), rtol=near, atol=near)


@pytest.mark.parametrize(
    "module",
    [nn.Softplus(), nn.Softplus(beta=2, threshold=90), nn.ELU(-1.0), nn.PReLU(4), nn.CELU(-1.0)],
    ids=repr,
)
def test_modules_that_compute_something_else_are_not_translated(module):
    assert isinstance(pm.from_torch(module), pm.Network)


@pytest.mark.parametrize("phi", EVERY, ids=repr)
def test_values_are_those_of_the_definition(phi):
    x = np.concatenate([np.linspace(-8, 8, 65), [0.3, -2.7, 25.0, -25.0]])
    values = phi.transform(x[:, None])[:, 0]
    for point, value in zip(x, values, strict=True):
        assert abs(value - exact(phi, point)) <= 4 * np.spacing(abs(value)) + 2e-16, point


@pytest.mark.parametrize("phi", EVERY, ids=repr)
def test_huge_numbers_neither_overflow_nor_spoil_gradients(phi):
    for dtype, most in ((torch.float64, 1e308), (torch.float32, 1e38)):
        x = torch.tensor([[most], [-most]], dtype=dtype, requires_grad=True)
        y = phi(x)
        assert y.dtype == dtype
        grows = isinstance(phi, pm.Sinh)
        assert torch.isfinite(y).all() != grows
        y.sum().backward()
        assert torch.isfinite(x.grad).all() != grows


@pytest.mark.parametrize("phi", CURVES, ids=repr)
def test_gradients(phi):
    x = torch.tensor([[-3.7], [-1.3], [-0.2], [0.7], [2.9]], dtype=torch.float64)
    assert torch.autograd.gradcheck(phi, (x.requires_grad_(True),))


@pytest.mark.parametrize("phi", EVERY, ids=repr)
@pytest.mark.parametrize(("low", "high"), INTERVALS)
def test_ranges_and_constants_on_an_interval(phi, low, high):
    on = pm.Box([low], [high])
    x = np.linspace(low, high, 10_001)
    y = phi.transform(x[:, None])[:, 0]
    noise = 1e-15 * max(1.0, np.abs(y).max())
    image = phi.image(on)
    assert image.outer.low[0] - noise <= y.min()
    assert y.max() <= image.outer.high[0] + noise
    if image.inner is not None:
        assert y.min() - 1e-6 <= image.inner.low[0]
        assert image.inner.high[0] <= y.max() + 1e-6
    jumps = pm.decide(phi, pm.Continuous, on=on).holds is False
    steps = np.diff(y)
    assert jumps == bool((np.abs(steps) > 0.4 + 30 * (high - low) / 10_000).any()) or phi.title in (
        "sinh",
    )
    lipschitz = pm.decide(phi, pm.Lipschitz, on=on).value
    if jumps:
        assert lipschitz == (np.inf, np.inf)
        return
    slopes = np.abs(steps) / np.diff(x)
    blur = 4 * noise / np.diff(x).min()
    assert slopes.max() <= lipschitz[1] * (1 + 1e-12) + blur
    assert lipschitz[0] <= slopes.max() * 1.005 + blur
    assert lipschitz[1] - lipschitz[0] <= 1e-6 + 1e-6 * lipschitz[1]
    lower = pm.decide(phi, pm.LowerLipschitz, on=on).value
    assert lower[1] - lower[0] <= 1e-6
    monotone = (steps > noise).all() or (steps < -noise).all()
    if pm.decide(phi, pm.Injective, on=on).holds:
        assert (steps >= -noise).all() or (steps <= noise).all()
        assert lower[0] <= slopes.min() * (1 + 1e-12) + blur
    else:
        assert not monotone
        assert lower == (0.0, 0.0)


# map, low, high, Lipschitz constant, lower constant
CONSTANTS = [
    (pm.Elu(3.0), -1.0, 1.0, 3.0, 1.0),
    (pm.Elu(0.5), -1.0, 1.0, 1.0, 0.5 * np.exp(-1)),
    (pm.Elu(3.0), 0.0, 1.0, 1.0, 1.0),
    (pm.Elu(3.0), -1.0, 0.0, 3.0, 3 * np.exp(-1)),
    (pm.Celu(2.0), -2.0, 1.0, 1.0, np.exp(-1)),
    (pm.Selu(), -1.0, 1.0, 1.7580993408473766, 1.6732632423543772 * 1.0507009873554805 / np.e),
    (pm.Softsign(), -1.0, 3.0, 1.0, 1 / 16),
    (pm.LogSigmoid(), 0.0, 1.0, 0.5, 1 / (1 + np.e)),
    (pm.Arctan(), -1.0, 2.0, 1.0, 0.2),
    (pm.Sinh(), -1.0, 2.0, np.cosh(2.0), 1.0),
    (pm.Tanhshrink(), -1.0, 2.0, np.tanh(2.0) ** 2, 0.0),
    (pm.Tanhshrink(), 0.5, 2.0, np.tanh(2.0) ** 2, np.tanh(0.5) ** 2),
    (pm.Hardswish(), -1.0, 4.0, 1.5, 1 / 6),
    (pm.Hardswish(), -1.5, 4.0, 1.5, 0.0),
    (pm.Hardswish(), 3.0, 4.0, 1.0, 1.0),
    (pm.Mish(), -9.0, 9.0, 1.0884981612517279, 0.0),
    (pm.Hardtanh(), -1.0, 1.0, 1.0, 1.0),
    (pm.Hardsigmoid(), -3.0, 3.0, 1 / 6, 1 / 6),
    (pm.Softshrink(), 0.5, 2.0, 1.0, 1.0),
    (pm.Hardshrink(), 0.75, 2.0, 1.0, 1.0),
    (pm.Hardshrink(), 0.5, 2.0, np.inf, 1.0),
    (pm.Step(), 1.0, 2.0, 0.0, 0.0),
]


@pytest.mark.parametrize(("phi", "low", "high", "upper", "lower"), CONSTANTS)
def test_constants_are_the_true_ones(phi, low, high, upper, lower):
    on = pm.Box([low], [high])
    for goal, truth in ((pm.Lipschitz, upper), (pm.LowerLipschitz, lower)):
        bounds = pm.decide(phi, goal, on=on).value
        assert bounds[0] <= truth * (1 + 1e-15)
        assert truth * (1 - 1e-15) <= bounds[1]
        np.testing.assert_allclose(bounds, truth, rtol=1e-13, atol=1e-7)


# map, greatest k on [-5, 5], and on the right of its joint
SMOOTH = [
    (pm.Relu(), 0, np.inf),
    (pm.LeakyRelu(1.0), np.inf, np.inf),
    (pm.Elu(), 1, np.inf),
    (pm.Elu(2.0), 0, np.inf),
    (pm.Celu(2.0), 1, np.inf),
    (pm.Selu(), 0, np.inf),
    (pm.Softsign(), 1, np.inf),
    (pm.Softshrink(0), np.inf, np.inf),
    (pm.Softshrink(), 0, 0),
    (pm.Hardswish(), 0, 0),
    (pm.Mish(), np.inf, np.inf),
    (pm.Hardshrink(), 0, 0),
    (pm.Power(3), np.inf, np.inf),
    (pm.Tanh(), np.inf, np.inf),
]


@pytest.mark.parametrize(("phi", "around", "right"), SMOOTH, ids=repr)
def test_smoothness(phi, around, right):
    on = pm.Box([-5.0], [5.0])
    assert pm.decide(phi, pm.Smooth, on=on).value == (around, around)
    assert pm.decide(phi, pm.Smooth, on=pm.Box([0.0], [5.0])).value == (right, right)


@pytest.mark.parametrize(
    ("p", "k"), [(0.5, 0), (1.5, 1), (2.5, 2), (2.0, np.inf), (1.0, np.inf), (-0.5, np.inf)]
)
def test_smoothness_of_powers_at_the_end_of_their_domain(p, k):
    assert pm.decide(pm.Power(p), pm.Smooth, on=pm.Box([0.5], [1.0])).value == (np.inf, np.inf)
    if p > 0:
        assert pm.decide(pm.Power(p), pm.Smooth, on=pm.Box([0.0], [1.0])).value == (k, k)


# map, injective on R, a homeomorphism onto the image, proper
SHAPES = [
    (pm.Elu(), True, True, False),
    (pm.Selu(), True, True, False),
    (pm.Softsign(), True, True, False),
    (pm.LogSigmoid(), True, True, False),
    (pm.Arctan(), True, True, False),
    (pm.Sinh(), True, True, True),
    (pm.Tanhshrink(), True, True, True),
    (pm.LeakyRelu(0.1), True, True, True),
    (pm.Power(3), True, True, True),
    (pm.Abs(), False, False, True),
    (pm.Power(2), False, False, True),
    (pm.Softshrink(), False, False, True),
    (pm.Relu(), False, False, False),
    (pm.Hardswish(), False, False, False),
    (pm.Mish(), False, False, False),
    (pm.Relu6(), False, False, False),
    (pm.Cos(), False, False, False),
    (pm.Exp(), True, True, False),
]


@pytest.mark.parametrize(("phi", "injective", "embeds", "proper"), SHAPES, ids=repr)
@pytest.mark.parametrize("d", [1, 3])
def test_what_they_do_to_the_whole_space(phi, injective, embeds, proper, d):
    on = pm.Euclidean(d)
    assert pm.decide(phi, pm.Injective, on=on).holds is injective
    assert pm.decide(phi, pm.Homeomorphism, on=on).holds is embeds
    assert pm.decide(phi, pm.Proper, on=on).holds is proper


def test_proper_needs_a_closed_space():
    half_open = pm.Box([0.0], [1.0], closed="right")
    assert pm.decide(pm.Sinh(), pm.Proper, on=half_open).holds is not True
    assert pm.decide(pm.Sinh(), pm.Proper, on=pm.Box([0.0], [1.0])).holds is True


@pytest.mark.parametrize(
    ("phi", "degree"),
    [(pm.Relu(), 1), (pm.Abs(), 1), (pm.LeakyRelu(0.3), 1), (pm.Power(3), 3), (pm.Step(), 0)],
    ids=repr,
)
def test_homogeneity(phi, degree):
    on = pm.Euclidean(2)
    assert pm.decide(phi, pm.PositivelyHomogeneous(degree), on=on).holds is True
    assert pm.decide(phi, pm.PositivelyHomogeneous(degree + 1), on=on).holds is not True
    x = np.random.default_rng(0).normal(size=(20, 2))
    np.testing.assert_allclose(phi.transform(4 * x), 4.0**degree * phi.transform(x), rtol=1e-13)


@pytest.mark.parametrize("phi", [pm.Abs(), pm.Cos(), pm.Power(4), pm.Power(-2), pm.Power(0)])
def test_even_curves_are_even(phi):
    x = np.random.default_rng(0).normal(size=(20, 2))
    assert phi.even
    np.testing.assert_array_equal(phi.transform(x), phi.transform(-x))


def test_the_others_are_not_said_to_be_even():
    assert not any(phi.even for phi in [*EVERY, pm.Relu(), pm.Sin(), pm.Power(3), pm.Power(0.5)])


def test_the_minimum_of_mish_is_where_it_is_said_to_be():
    turn, bends = pm.Mish.turns[0], pm.Mish.bends
    with mpmath.workdps(40):

        def mish(x):
            return x * mpmath.tanh(mpmath.log1p(mpmath.exp(x)))

        assert mpmath.diff(mish, turn - 1e-14) < 0 < mpmath.diff(mish, turn + 1e-14)
        for bend in bends:
            before, after = (mpmath.diff(mish, bend + s, 2) for s in (-1e-13, 1e-13))
            assert before * after < 0
        grid = [mpmath.diff(mish, x / mpmath.mpf(4), 2) for x in range(-120, 121)]
        assert sum(a * b < 0 for a, b in pairwise(grid)) == len(bends)


@pytest.mark.parametrize("phi", [pm.Mish(), pm.Hardswish()], ids=repr)
def test_injectivity_flips_at_the_minimum(phi):
    turn = phi.turns[-1]
    assert pm.decide(phi, pm.Injective, on=pm.Box([turn + 1e-6], [turn + 1])).holds is True
    verdict = pm.decide(phi, pm.Injective, on=pm.Box([turn - 1e-6], [turn + 1]))
    assert verdict.holds is False
    assert verdict.witness.verify(phi)


@pytest.mark.parametrize("phi", CURVES, ids=repr)
@pytest.mark.parametrize("end", [30.0, 800.0, 1e308, np.inf])
def test_images_reach_no_farther_than_the_limits(phi, end):
    image = phi.image(pm.Box([-end], [end]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = image.outer.low[0], image.outer.high[0]
    for x in (-min(end, 1e5), min(end, 1e5), 0.0):
        assert low <= exact(phi, x) <= high
    inner = image.inner
    assert inner is not None
    assert low <= inner.low[0] < inner.high[0] <= high
    if end == np.inf and not np.isinf(phi.ends).any():
        assert (low, high) == (min(phi.ends), max(phi.ends))


def test_the_limits_of_arctan_enclose_a_quarter_turn():
    image = pm.Arctan().image(pm.Box([-1e300], [1e300])).outer
    with mpmath.workdps(40):
        assert image.low[0] <= -mpmath.pi / 2
        assert mpmath.pi / 2 <= image.high[0]


def test_tanhshrink_near_0_keeps_its_digits():
    for low, high in ((1e-6, 2e-6), (1e-3, 0.1), (0.9, 1.1)):
        image = pm.Tanhshrink().image(pm.Box([low], [high])).outer
        with mpmath.workdps(80):
            ends = [mpmath.mpf(x) - mpmath.tanh(mpmath.mpf(x)) for x in (low, high)]
            for x, exact_value in zip((low, high), ends, strict=True):
                assert abs(pm.Tanhshrink().transform([[x]])[0, 0] / exact_value - 1) < 1e-15
                single = pm.Tanhshrink().transform(np.array([[x]], dtype=np.float32))[0, 0]
                assert abs(single / exact_value - 1) < 1e-6
        assert image.low[0] <= ends[0] <= image.low[0] * (1 + 1e-13)
        assert ends[1] <= image.high[0] <= float(ends[1]) * (1 + 1e-13)


def test_thresholds_count_themselves_below():
    x = np.array([[-0.5, 0.5, np.nextafter(0.5, 1), np.nextafter(-0.5, -1)]])
    np.testing.assert_array_equal(pm.Hardshrink().transform(x), [[0, 0, x[0, 2], x[0, 3]]])
    np.testing.assert_array_equal(pm.Step(0.5).transform(x), [[0, 0, 1, 0]])
    # On which side a range ends decides whether it sees the jump.
    cases = [(pm.Box([0.0], [0.5]), True), (pm.Box([0.5], [1.0]), False)]
    for on, continuous in cases:
        for phi in (pm.Hardshrink(), pm.Step(0.5)):
            assert pm.decide(phi, pm.Continuous, on=on).holds is continuous
    beyond = pm.Box([np.nextafter(0.5, 1)], [1.0])
    assert pm.decide(pm.Hardshrink(), pm.Lipschitz, on=beyond).value == (1.0, 1.0)
    assert pm.decide(pm.Hardshrink(), pm.Injective, on=pm.Box([0.5], [1.0])).holds is True


def test_the_ends_of_a_half_open_domain_belong_to_nobody():
    open_at_0 = pm.Box([0.0], [1.0], closed="right")
    for phi in (pm.Log(), pm.Power(-1), pm.Power(-0.5)):
        assert pm.decide(phi, pm.Injective, on=open_at_0).holds is True
        assert pm.decide(phi, pm.Lipschitz, on=open_at_0).holds is not True
        outer = phi.image(open_at_0).outer
        assert np.isinf(outer.low[0] if isinstance(phi, pm.Log) else outer.high[0])


def test_what_is_computed_without_rounding_says_so():
    on = pm.Box([-2.0], [2.0])
    kept = [pm.Relu(), pm.Abs(), pm.Relu6(), pm.Hardtanh(-0.5, 1), pm.Hardshrink(), pm.Step()]
    kept += [pm.CRelu(), pm.Identity(), pm.Select([0]), pm.Flatten(), pm.Sort()]
    for phi in kept:
        assert not phi.rounds(on), phi
    for phi in (pm.Hardtanh(-0.1, 1), pm.Hardshrink(0.1), pm.Step(0.1), pm.Tanh(), pm.Softshrink()):
        assert phi.rounds(on), phi
    # 0.1 is another number in single precision, and another threshold.
    x = np.array([[0.1]], dtype=np.float32)
    assert pm.Step(0.1).transform(x) != pm.Step(0.1).transform(x.astype(np.float64))


def test_the_ends_of_hardtanh_must_be_in_order():
    with pytest.raises(ParameterError, match="leave nothing between them"):
        pm.Hardtanh(1, -1).fit([[0.0]])


def spaces(rng, d):
    """Boxes that are tiny, huge, flat, open on one side, astride the special points; and others."""
    special = [0, 0.3, 0.5, -0.5, 1, -1, -1.5, 2, 3, -3, 6, -1.1924312145154952]
    for _ in range(4):
        middle = rng.choice(special, d) + rng.choice([0, rng.normal()], d)
        width = rng.choice([1e-3, 0.5, 2.0, 20.0])
        low, high = middle - width * rng.random(d), middle + width * rng.choice([0.0, 0.3, 1.0], d)
        for side, end in ((low, -np.inf), (high, np.inf)):
            side[rng.random(d) < 0.15] = end
        yield pm.Box(low, high)
    yield pm.Ball(rng.choice(special, d), rng.choice([0.1, 2.0]))
    yield pm.Finite(np.round(rng.normal(size=(5, d)) * 2, 1))
    yield pm.Box(middle - 1, middle + 1, closed="neither")
    yield pm.Box(1e9 * middle - 1e9, 1e9 * middle + 1e9)


GOALS = (pm.Continuous, pm.Injective, pm.Lipschitz, pm.LowerLipschitz, pm.Bounded)


@pytest.mark.parametrize("phi", EVERY, ids=repr)
def test_no_attack_breaks_a_claim(phi):
    rng = np.random.default_rng(len(repr(phi)))
    made = 0
    for d in (1, 2):
        for on in spaces(rng, d):
            probe = Probe(phi, on, budget=0.5)
            for goal in GOALS:
                verdict = pm.decide(phi, goal, on=on)
                witness = verdict.witness if goal is pm.Injective else None
                for claim in claims(verdict):
                    made += 1
                    found = falsify(phi, claim, on, witness=witness, probe=probe)
                    assert found is None or not found.certain, f"{phi!r} on {on!r}: {found}"
    assert made > 60
