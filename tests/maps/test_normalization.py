"""Maps that rescale or order vectors: values, constants, images, what they merge and what not."""

import numpy as np
import pytest
import torch
from torch import nn

import phimaps as pm
from phimaps.errors import ShapeError
from phimaps.testing import Probe, claims, falsify
from phimaps.testing.precise import precise

MAPS = [
    pm.LayerNorm(),
    pm.LayerNorm(0.5),
    pm.RmsNorm(),
    pm.RmsNorm(0.5),
    pm.Squash(),
    pm.Squash(2),
    pm.Softmax(),
    pm.Sort(),
]
RADIAL = [pm.RmsNorm(1e-3), pm.RmsNorm(0.5), pm.RmsNorm(4.0), pm.Squash(), pm.Squash(2)]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4)) * 10.0 ** RNG.integers(-6, 4, (30, 1))


def trained(module):
    """The module after some training: with weights and statistics that are not the first ones."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.manual_seed(0)))
        if getattr(module, "running_mean", None) is not None:
            module.running_mean.copy_(torch.linspace(-1, 2, len(module.running_mean)))
            module.running_var.copy_(torch.linspace(0.5, 3, len(module.running_mean)))
    return module.double().eval()


ROWS = [
    nn.LayerNorm(4),
    nn.LayerNorm(4, eps=0.1),
    nn.LayerNorm(4, elementwise_affine=False),
    nn.LayerNorm([4], bias=False),
    nn.RMSNorm(4, eps=1e-5),
    nn.RMSNorm(4, eps=0.1, elementwise_affine=False),
    nn.BatchNorm1d(4),
    nn.BatchNorm1d(4, affine=False),
    nn.Softmax(dim=1),
    nn.Softmax(dim=-1),
    nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Mish(), nn.Softmax(-1)),
]


@pytest.mark.parametrize("module", ROWS, ids=repr)
def test_the_module_is_translated_and_computes_the_same(module):
    module = trained(module)
    phi = pm.from_torch(module)
    assert not isinstance(phi, pm.Network)
    with torch.no_grad():
        expected = module(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(phi.transform(X), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("module", [nn.BatchNorm2d(3), nn.BatchNorm2d(3, affine=False)], ids=repr)
def test_normalization_of_channels_is_a_convolution(module):
    module = trained(module)
    phi = pm.from_torch(module)
    images = RNG.normal(size=(5, 3, 4, 4))
    with torch.no_grad():
        expected = module(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(phi(images), expected, rtol=1e-9, atol=1e-12)
    assert pm.decide(phi, pm.Injective, on=pm.Images(3, 4, 4)).holds is True


@pytest.mark.parametrize(
    "module",
    [
        nn.LayerNorm([2, 2]),
        nn.RMSNorm(4),
        nn.LayerNorm(4, eps=0.0),
        nn.BatchNorm1d(4, track_running_stats=False),
        nn.Softmax(dim=0),
    ],
    ids=repr,
)
def test_modules_that_compute_something_else_are_not_translated(module):
    assert isinstance(pm.from_torch(module), pm.Network)


@pytest.mark.parametrize("phi", MAPS, ids=repr)
def test_values_are_those_of_the_definition(phi):
    for x, value in zip(X, phi.transform(X), strict=True):
        exact = np.array([float(v) for v in precise(phi, x)])
        np.testing.assert_allclose(value, exact, rtol=1e-11, atol=1e-16)


@pytest.mark.parametrize("phi", MAPS, ids=repr)
def test_gradients(phi):
    x = torch.from_numpy(X[np.abs(X).max(axis=1) > 0.1]).requires_grad_(True)
    assert torch.autograd.gradcheck(phi, (x,), atol=1e-4)
    for row in (torch.zeros(1, 3), torch.full((1, 3), 2.0)):
        point = row.double().requires_grad_(True)
        phi(point)[0, 0].backward()
        assert torch.isfinite(point.grad).all()


@pytest.mark.parametrize("phi", MAPS, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tiny_and_huge_rows_neither_under_nor_overflow(phi, dtype):
    real = torch.finfo(dtype)
    way = torch.tensor([[1.0, -0.75, 0.5]], dtype=dtype)
    for size in (real.max, real.max / 4, 1e30, 1.0, 1e-30, real.tiny):
        y = phi(way * size)
        assert y.dtype == dtype
        assert torch.isfinite(y).all()
    far = phi(way * real.max).double().flatten()
    unit = (way / torch.linalg.vector_norm(way)).double().flatten()
    if isinstance(phi, pm.Squash | pm.RmsNorm):
        scale = 1.0 if isinstance(phi, pm.Squash) else 3**0.5
        torch.testing.assert_close(far, scale * unit, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("phi", MAPS, ids=repr)
def test_only_rows_are_taken(phi):
    with pytest.raises(ShapeError, match="takes rows of numbers"):
        phi(np.zeros((2, 3, 4, 4)))


def boxes(d):
    for centre in (0.0, 1.0, -3.0, 0.3):
        for width in (1e-3, 0.5, 4.0, 30.0):
            middle = centre * np.linspace(1, 0.5, d)
            yield pm.Box(middle - width / 2, middle + width)


@pytest.mark.parametrize("phi", MAPS, ids=repr)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_values_and_slopes_stay_within_what_is_said(phi, d):
    for on in [*boxes(d), pm.Ball(np.full(d, 0.5), 1.0), pm.Euclidean(d)]:
        x = on.sample(400)
        y = phi.transform(x)
        image, noise = phi.image(on), 1e-14
        assert (image.outer.low - noise <= y.min(axis=0)).all()
        assert (y.max(axis=0) <= image.outer.high + noise).all()
        size = np.linalg.norm(y, axis=1).max()
        assert size <= pm.decide(phi, pm.Bounded, on=on).value[1] * (1 + 1e-13)
        i, j = np.random.default_rng(1).integers(0, 400, (2, 3000))
        apart = np.linalg.norm(x[i] - x[j], axis=1)
        keep = apart > 1e-6 * apart.max()
        ratio = (np.linalg.norm(y[i] - y[j], axis=1)[keep]) / apart[keep]
        upper = pm.decide(phi, pm.Lipschitz, on=on).value
        lower = pm.decide(phi, pm.LowerLipschitz, on=on).value
        assert ratio.max() <= upper[1] * (1 + 1e-7) + 1e-8
        assert lower[0] * (1 - 1e-7) - 1e-8 <= ratio.min()


@pytest.mark.parametrize("phi", RADIAL, ids=repr)
@pytest.mark.parametrize(("near", "far"), [(0.0, 1.0), (0.5, 2.0), (3.0, 50.0)])
def test_constants_of_radial_maps_are_those_of_their_derivative(phi, near, far):
    on = pm.Box([near, 0.0], [far, 0.0])
    ends = pm.Box([near, -1e-9], [far, 1e-9])
    x = torch.tensor([[near, 0.0], [far, 0.0]], dtype=torch.float64)
    jacobians = [torch.autograd.functional.jacobian(phi.forward, p[None])[0, :, 0] for p in x]
    steepest = float(torch.linalg.matrix_norm(jacobians[0], 2))
    flattest = float(torch.linalg.svdvals(jacobians[1])[-1])
    for space in (on, ends):
        upper = pm.decide(phi, pm.Lipschitz, on=space).value
        lower = pm.decide(phi, pm.LowerLipschitz, on=space).value
        np.testing.assert_allclose(upper[1], steepest, rtol=1e-6)
        np.testing.assert_allclose(lower[0], flattest, rtol=1e-6)
    np.testing.assert_allclose(upper[0], upper[1], rtol=1e-6)
    np.testing.assert_allclose(lower[0], lower[1], rtol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("eps", [1e-6, 0.5])
def test_the_constants_of_rms_norm_on_a_ball(n, eps):
    """1 / √ε, and ε / (R² / n + ε)^(3/2)."""
    radius = 3.0
    on = pm.Ball(np.zeros(n), radius)
    phi = pm.RmsNorm(eps)
    upper = pm.decide(phi, pm.Lipschitz, on=on).value
    np.testing.assert_allclose(upper, eps**-0.5, rtol=1e-12)
    lower = pm.decide(phi, pm.LowerLipschitz, on=on).value
    np.testing.assert_allclose(lower[0], eps / (radius**2 / n + eps) ** 1.5, rtol=1e-12)


@pytest.mark.parametrize("phi", RADIAL, ids=repr)
@pytest.mark.parametrize("d", [1, 3])
def test_radial_maps_are_homeomorphisms_onto_a_ball(phi, d):
    on = pm.Euclidean(d)
    assert pm.decide(phi, pm.Injective, on=on).holds is True
    assert pm.decide(phi, pm.Homeomorphism, on=on).holds is True
    assert pm.decide(phi, pm.Proper, on=on).holds is False
    assert pm.decide(phi, pm.Surjective, on=on).holds is False
    radius = d**0.5 if isinstance(phi, pm.RmsNorm) else 1.0
    image = phi.image(on)
    np.testing.assert_allclose(image.outer.high, radius, rtol=1e-12)
    np.testing.assert_allclose(image.inner.high, radius / d**0.5, rtol=1e-8)


def test_the_squash_that_is_not_smooth_at_0():
    around, away = pm.Box([-1.0, -1.0], [1.0, 1.0]), pm.Box([0.5, -1.0], [1.0, 1.0])
    assert pm.decide(pm.Squash(), pm.Smooth, on=around).value == (1.0, 1.0)
    assert pm.decide(pm.Squash(), pm.Smooth, on=away).value == (np.inf, np.inf)
    assert pm.decide(pm.Squash(2), pm.Smooth, on=around).value == (np.inf, np.inf)
    beside = pm.Box([-1e-20, 1e20], [1e-20, 2e20])
    assert pm.decide(pm.Squash(), pm.Smooth, on=beside).value == (np.inf, np.inf)


# --- what a shift does ---------------------------------------------------------------------------
@pytest.mark.parametrize("phi", [pm.LayerNorm(), pm.LayerNorm(0.5), pm.Softmax()], ids=repr)
@pytest.mark.parametrize(
    "on",
    [
        pm.Euclidean(3),
        pm.Box([0.1, -1.0, 1e6], [0.2, np.inf, 2e6]),
        pm.Ball([0.3, 0.3], 1e-3),
        pm.Box([-1.0, 2.0], [1.0, 3.0], closed="neither"),
        pm.Box([0.0], [1.0]),
    ],
    ids=repr,
)
def test_a_shift_is_lost(phi, on):
    verdict = pm.decide(phi, pm.Injective, on=on)
    assert verdict.holds is False
    witness = verdict.witness
    assert witness.exact
    assert len(set(witness.y - witness.x)) == 1
    assert on.contains(np.stack([witness.x, witness.y])).all()
    assert falsify(phi, ~pm.Injective, on, witness=witness) is None


@pytest.mark.parametrize("phi", [pm.LayerNorm(0.5), pm.Softmax()], ids=repr)
@pytest.mark.parametrize("on", [pm.Box([0.0, 2.0, -1.0], [1.0, 2.0, 1.0]), pm.Simplex(4)], ids=repr)
def test_where_no_shift_is_possible_nothing_is_lost(phi, on):
    assert pm.decide(phi, pm.Injective, on=on).holds is True
    assert pm.decide(phi, pm.Homeomorphism, on=on).holds is True
    low = pm.decide(phi, pm.LowerLipschitz, on=on).value[0]
    x = on.sample(300)
    y = phi.transform(x)
    i, j = np.random.default_rng(1).integers(0, 300, (2, 4000))
    apart = np.linalg.norm(x[i] - x[j], axis=1)
    keep = apart > 1e-6
    least = (np.linalg.norm(y[i] - y[j], axis=1)[keep] / apart[keep]).min()
    assert 0 < low <= least * (1 + 1e-9)
    assert low > least / 30


@pytest.mark.parametrize("n", [2, 3, 6])
def test_softmax_has_constant_one_half(n):
    low, high = pm.decide(pm.Softmax(), pm.Lipschitz, on=pm.Euclidean(n)).value
    assert high == 0.5
    assert low >= 0.5 - 1e-9
    # Two equal logits far above the others come near it.
    x = torch.full((1, n), -40.0, dtype=torch.float64)
    x[0, :2] = 0
    jacobian = torch.autograd.functional.jacobian(torch.nn.Softmax(1), x)[0, :, 0]
    assert abs(float(torch.linalg.matrix_norm(jacobian, 2)) - 0.5) < 1e-12


def test_softmax_is_flatter_where_its_probabilities_are_known():
    on = pm.Box([3.0, 0.0], [4.0, 0.5])
    p = 1 / (1 + np.exp(-2.5))
    np.testing.assert_allclose(
        pm.decide(pm.Softmax(), pm.Lipschitz, on=on).value, 2 * p * (1 - p), rtol=1e-9
    )
    image = pm.Softmax().image(on).outer
    np.testing.assert_allclose([image.low[0], image.high[0]], [p, 1 / (1 + np.exp(-4))], rtol=1e-13)


def test_the_constant_of_layer_norm():
    """1 / √ε is reached where all coordinates agree, and is not where two must differ."""
    phi = pm.LayerNorm(0.25)
    on = pm.Box([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(pm.decide(phi, pm.Lipschitz, on=on).value, 2.0, rtol=1e-13)
    x = torch.full((1, 3), 0.5, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(phi.forward, x)[0, :, 0]
    np.testing.assert_allclose(float(torch.linalg.matrix_norm(jacobian, 2)), 2.0, rtol=1e-12)
    apart = pm.Box([0.0, 5.0, 0.0], [1.0, 6.0, 1.0])
    bound = pm.decide(phi, pm.Lipschitz, on=apart).value[1]
    np.testing.assert_allclose(bound, 1 / np.sqrt(16 / 6 + 0.25), rtol=1e-12)
    assert pm.decide(phi, pm.Lipschitz, on=pm.Box([0.0], [1.0])).value == (0.0, 0.0)


# --- order ---------------------------------------------------------------------------------------
def test_sort_forgets_the_order_only():
    verdict = pm.decide(pm.Sort(), pm.Injective, on=pm.Euclidean(3))
    assert verdict.holds is False
    assert sorted(verdict.witness.x) == sorted(verdict.witness.y)
    assert pm.decide(pm.Sort(), pm.Lipschitz, on=pm.Euclidean(3)).value == (1.0, 1.0)
    assert pm.decide(pm.Sort(), pm.Smooth, on=pm.Euclidean(3)).value == (0.0, 0.0)
    assert pm.decide(pm.Sort(), pm.Proper, on=pm.Euclidean(3)).holds is True
    assert pm.decide(pm.Sort(), pm.PositivelyHomogeneous(1), on=pm.Euclidean(3)).holds is True


@pytest.mark.parametrize(
    "on",
    [
        pm.Box([2.0, 0.0, 3.0], [3.0, 1.0, 3.0]),
        pm.Box([1.0, -np.inf], [np.inf, 1.0]),
        pm.Box([5.0], [6.0]),
    ],
    ids=repr,
)
def test_where_the_order_is_known_sort_is_a_permutation(on):
    assert pm.decide(pm.Sort(), pm.Injective, on=on).holds is True
    assert pm.decide(pm.Sort(), pm.property.Affine, on=on).holds is True
    assert pm.decide(pm.Sort(), pm.LowerLipschitz, on=on).value == (1.0, 1.0)


def test_sort_on_a_flat_box():
    on = pm.Box([0.0, 0.0, 0.5], [1.0, 1.0, 0.5])
    assert pm.decide(pm.Sort(), pm.Injective, on=on).holds is False
    assert pm.decide(pm.Sort(), pm.property.Affine, on=on).holds is False


@pytest.mark.parametrize(
    "on", [pm.Euclidean(3), pm.Box([0.0, 0.5, -1.0], [1.0, 2.0, 3.0]), pm.Ball([0.0, 0.0], 1.0)]
)
def test_what_sort_reaches(on):
    image = pm.Sort().image(on)
    inner = image.inner
    # An ascending vector is its own image, if it lies in the space in some order.
    points = inner.sample(200)
    assert (np.diff(points, axis=1) >= 0).all()
    assert inner.is_subset(image.outer)
    assert on.contains(points).all() or on.contains(points[:, ::-1]).all()


def test_normalize_is_injective_where_each_ray_is_met_once():
    slices = [pm.Box([1.0, -2.0], [1.0, 3.0]), pm.Simplex(3), pm.Sphere([0.0, 0.0, 0.0], 2.0)]
    for on in slices:
        assert pm.decide(pm.Normalize(), pm.Injective, on=on).holds is True
        assert pm.decide(pm.Normalize(), pm.Homeomorphism, on=on).holds is True
    for on in (pm.Box([0.0, -2.0], [0.0, 3.0]), pm.Sphere([3.0, 0.0], 1.0), pm.Box([1, 1], [2, 2])):
        assert pm.decide(pm.Normalize(), pm.Injective, on=on).holds is not True
    assert pm.decide(pm.Normalize(), pm.PositivelyHomogeneous(0), on=pm.Euclidean(2)).holds is True


# --- attacks -------------------------------------------------------------------------------------
GOALS = (pm.Continuous, pm.Injective, pm.Lipschitz, pm.LowerLipschitz, pm.Bounded)


@pytest.mark.parametrize("phi", [*MAPS, pm.Normalize()], ids=repr)
def test_no_attack_breaks_a_claim(phi):
    rng = np.random.default_rng(3)
    made = 0
    for d in (1, 2, 3):
        low = rng.choice([0.0, -1.0, 0.5], d) * rng.choice([1e-3, 1.0, 1e3])
        width = rng.choice([1e-3, 0.5, 10.0], d)
        flat = np.where(np.arange(d) == 0, 0.0, width)
        spaces = [
            pm.Box(low, low + width),
            pm.Box(low, low + flat),
            pm.Box(low, np.where(np.arange(d) == 0, np.inf, low + width)),
            pm.Box(low, low + width, closed="left"),
            pm.Ball(low, 1.0),
            pm.Finite(np.round(rng.normal(size=(6, d)), 1)),
            pm.Euclidean(d),
            *([pm.Simplex(d), pm.Sphere(np.zeros(d), 1.0)] if d > 1 else []),
        ]
        for on in spaces:
            probe = Probe(phi, on, budget=0.5)
            for goal in GOALS:
                verdict = pm.decide(phi, goal, on=on)
                witness = verdict.witness if goal is pm.Injective else None
                for claim in claims(verdict):
                    made += 1
                    found = falsify(phi, claim, on, witness=witness, probe=probe)
                    assert found is None or not found.certain, f"{phi!r} on {on!r}: {found}"
    assert made > 60
