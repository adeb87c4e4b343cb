"""Maps that are injective by construction: their constants, their inverses, what training gives."""

from collections import Counter

import mpmath
import numpy as np
import pytest
import torch
from scipy.linalg import expm

import phimaps as pm
from phimaps.maps.invertible import shear_constants
from phimaps.testing import precise
from phimaps.testing.campaign import attack

EPS = float(np.finfo(np.float64).eps)


def twist(d, k=1, size=1.0, seed=0):
    rng = np.random.default_rng(seed)
    generators = size * rng.standard_normal((k, d, d))
    return pm.Twist(rng.standard_normal(d), generators, rng.uniform(0.5, 2.0, k))


def unit(d, k=1, seed=0):
    rng = np.random.default_rng(seed)
    phi = twist(d, k, 1.0 if k == 1 else 0.3, seed=seed)
    weight = expm(rng.standard_normal((d, d)) / 2)
    height = rng.uniform(0, 2, d)
    return pm.ReconfigurationUnit(
        phi.centre, phi.generators, phi.widths, weight, rng.standard_normal(d), height
    )


def coupling(m, d, hidden=3, seed=0):
    rng = np.random.default_rng(seed)
    shapes = ((m, hidden), (hidden,), (hidden, d))
    return pm.Coupling(*(rng.standard_normal(s) for s in shapes))


def contracting(d, c, hidden=4, seed=0):
    rng = np.random.default_rng(seed)
    weight, out = 2 * rng.standard_normal((d, hidden)), rng.standard_normal((hidden, d))
    size = np.linalg.norm(weight, 2) * np.linalg.norm(out, 2)
    return pm.InvertibleResidual(weight, rng.standard_normal(hidden), out * (c / size))


CLOSED = {
    "twist of the line": twist(1),
    "twist of the plane": twist(2),
    "fast twist": twist(2, size=3.0, seed=3),
    "twist with two profiles": twist(3, 2, 0.3),
    "twist of four dimensions": twist(4, 2, 0.3, seed=5),
    "unit of the line": unit(1),
    "unit of the plane": unit(2),
    "unit with two profiles": unit(3, 2, seed=1),
    "residual": pm.MonotoneResidual([0.0, 0.5, 7.0]),
    "coupling": coupling(2, 1),
    "wide coupling": coupling(1, 3, seed=2),
    "contraction of the line": contracting(1, 0.99),
    "contraction of the plane": contracting(2, 0.9),
    "nothing added": pm.InvertibleResidual(np.ones((2, 1)), [1.0], np.zeros((1, 2))),
    "contraction of three dimensions": contracting(3, 0.5, seed=3),
}
closed = pytest.mark.parametrize("phi", CLOSED.values(), ids=CLOSED)


def jacobians(phi, x):
    point = torch.from_numpy(x)
    return [torch.autograd.functional.jacobian(lambda p: phi(p[None])[0], p).numpy() for p in point]


@closed
def test_values_are_those_of_the_formula(phi):
    for x in 1.5 * np.random.default_rng(1).standard_normal((5, *phi.takes)):
        exact = np.array([float(v) for v in precise(phi, x)])
        # A twist is a product of rotations by a radian; each rounds a few times.
        np.testing.assert_allclose(phi(x[None])[0], exact, rtol=1e-12, atol=1e-12)


@closed
def test_the_inverse_undoes_the_map_and_the_map_the_inverse(phi):
    x = 2 * np.random.default_rng(2).standard_normal((50, *phi.takes))
    low, _ = pm.decide(phi, pm.LowerLipschitz, on=pm.Euclidean(phi.takes)).value
    # What rounding did to φ(x) is stretched by at most 1 / ℓ on the way back.
    slack = 1e3 * EPS * (1 + np.abs(phi(x)).max()) / low
    np.testing.assert_allclose(phi.inverse(phi(x)), x, atol=slack)
    np.testing.assert_allclose(phi(phi.inverse(x)), x, atol=slack * (1 + np.abs(x).max()))
    back = phi.inverse(torch.from_numpy(x))
    assert isinstance(back, torch.Tensor)
    assert np.array_equal(back.detach().numpy(), phi.inverse(x))


@closed
def test_derivatives_lie_between_the_constants(phi):
    whole = pm.Euclidean(phi.takes)
    least = pm.decide(phi, pm.LowerLipschitz, on=whole).value[0]
    most = pm.decide(phi, pm.Lipschitz, on=whole).value[1]
    for jacobian in jacobians(phi, 2 * np.random.default_rng(3).standard_normal((60, *phi.takes))):
        values = np.linalg.svd(jacobian, compute_uv=False)
        assert least * (1 - 1e-9) <= values.min()
        assert values.max() <= most * (1 + 1e-9)


@closed
def test_no_attack_breaks_what_is_decided(phi):
    d = phi.takes[0]
    spaces = [
        pm.Box([-1.0] * d, [2.0] * d),
        pm.Euclidean(d),
        pm.Ball([1.0] * d, 0.5),
        pm.NonNegative(d),
    ]
    # In more dimensions the search takes its time.
    for on in spaces if d < 3 else spaces[:2]:
        counts = Counter()
        broken, doubtful = attack(phi, on, counts, budget=0.1)
        assert not broken, "\n".join(broken)
        assert not doubtful, "\n".join(doubtful)
        assert counts["Injective proved"]
        assert pm.decide(phi, pm.UAPInvariant, on=on).holds


@closed
@pytest.mark.parametrize("name", ["box", "ball", "whole", "half"])
def test_images_enclose_the_values(phi, name):
    d = phi.takes[0]
    on = {
        "box": pm.Box([-1.0] * d, [2.0] * d),
        "ball": pm.Ball([1.0] * d, 0.5),
        "whole": pm.Euclidean(d),
        "half": pm.NonNegative(d),
    }[name]
    image = phi.image(on)
    assert image.outer.contains(phi(on.sample(300))).all()
    if image.inner is not None:
        assert on.contains(phi.inverse(image.inner.sample(300))).all()
    if name == "whole":
        assert pm.decide(phi, pm.Surjective, on=on).holds


@pytest.mark.parametrize("name", [n for n in CLOSED if "twist" in n or "coupling" in n])
def test_twists_and_couplings_preserve_volume(name):
    phi = CLOSED[name]
    for jacobian in jacobians(phi, np.random.default_rng(4).standard_normal((20, *phi.takes))):
        assert abs(np.linalg.det(jacobian) - 1) < 1e-11


@pytest.mark.parametrize("size", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("d", [2, 3, 5])
def test_constants_of_a_single_twist_are_exact(d, size):
    phi = twist(d, size=size, seed=d)
    for goal in (pm.Lipschitz, pm.LowerLipschitz):
        low, high = pm.decide(phi, goal, on=pm.Euclidean(d)).value
        assert low <= high <= low * (1 + 1e-8)
    # They are attained at c + √2 w v, for the direction v that A stretches most.
    a = phi.generators[0] - phi.generators[0].T
    point = phi.centre + np.sqrt(2) * phi.widths[0] * np.linalg.svd(a)[2][0]
    values = np.linalg.svd(jacobians(phi, point[None])[0], compute_uv=False)
    tau = 2 / np.e * np.linalg.norm(a, 2)
    np.testing.assert_allclose(values[0], (np.sqrt(tau**2 + 4) + tau) / 2, rtol=1e-10)
    np.testing.assert_allclose(values[-1], (np.sqrt(tau**2 + 4) - tau) / 2, rtol=1e-10)


def test_a_twist_keeps_distances_from_its_centre_and_rotates_by_the_profile():
    phi = pm.Twist([1.0, 0.0], [[[0.0, -1.0], [0.0, 0.0]]], [2.0])
    x = np.array([[1.0 + 3.0, 0.0]])
    angle = np.exp(-((3.0 / 2.0) ** 2) / 2)
    expected = [[1.0 + 3.0 * np.cos(angle), 3.0 * np.sin(angle)]]
    np.testing.assert_allclose(phi(x), expected, rtol=1e-14)
    far = np.array([[1e200, -1e150], [1e308, 0.0]])
    assert np.array_equal(phi(far), far)
    assert np.array_equal(phi([[1.0, 0.0]]), [[1.0, 0.0]])


def test_only_skew_symmetric_parts_of_the_generators_count():
    a, rng = twist(3), np.random.default_rng(1)
    symmetric = rng.standard_normal((3, 3))
    moved = a.generators + symmetric + symmetric.T
    b = pm.Twist(a.centre, moved, a.widths)
    x = rng.standard_normal((20, 3))
    np.testing.assert_allclose(b(x), a(x), atol=1e-13)


def test_constants_of_shears_are_those_of_two_by_two_matrices():
    for size in (1e-12, 0.3, 2.0, 1e6):
        least, greatest = shear_constants(size)
        values = np.linalg.svd([[1.0, size], [0.0, 1.0]], compute_uv=False)
        assert abs(greatest / values[0] - 1) < 1e-13
        assert abs(least * greatest - 1) < 1e-13


def test_the_residual_is_undone_at_all_sizes():
    phi = pm.MonotoneResidual([1e-9, 1.0, 1e6])
    x = np.array([[10.0**p] * 3 for p in range(-30, 31, 3)])
    y = phi(np.concatenate([x, -x]))
    # The last coordinate is flat where tanh saturates, and y = x + 1e6 has lost digits of x.
    error = np.abs(phi.inverse(y) - np.concatenate([x, -x]))
    assert (error <= 1e-12 * np.abs(np.concatenate([x, -x])) + 8 * EPS * np.abs(y)).all()
    assert np.array_equal(phi.inverse(np.zeros((1, 3))), np.zeros((1, 3)))


HUGE = 1.7e308


@pytest.mark.parametrize(
    "phi",
    [
        pm.MonotoneResidual([1e308, HUGE]),
        pm.Coupling([[1e200]], [0.0], [[1e200]]),
        pm.Coupling([[1.0]], [1e308], [[HUGE]]),
        pm.InvertibleResidual(np.diag([1e200] * 2), [0.0, 1e308], np.diag([1e-201] * 2)),
        pm.Twist([1e308, -1e308], [[[0.0, 1.0], [0.0, 0.0]]], [1e-300]),
        pm.Twist([1e-310, 0.0], [[[0.0, 3.0], [0.0, 0.0]]], [1e-310]),
    ],
    ids=["residual", "steep coupling", "far coupling", "far step", "far twist", "small twist"],
)
def test_claims_stay_true_at_the_ends_of_the_range(phi):
    for on in (
        pm.Box([-HUGE] * 2, [HUGE] * 2),
        pm.Box([1e308] * 2, [HUGE] * 2),
        pm.Box([0.0] * 2, [1e-310] * 2),
        pm.Euclidean(2),
    ):
        # What is greater than all numbers is not infinite, and nothing infinite is reached.
        image = phi.image(on)
        low, high = image.outer.bounds()
        assert (low < np.inf).all()
        assert (high > -np.inf).all()
        if image.inner is not None and np.isfinite(on.bounds()).all():
            assert np.isfinite(image.inner.bounds()).all()
        assert pm.decide(phi, pm.Injective, on=on).holds
        least = pm.decide(phi, pm.LowerLipschitz, on=on).value
        assert 0 <= least[0] <= 1
        assert pm.decide(phi, pm.Lipschitz, on=on).value[1] >= 1


@pytest.mark.parametrize("c", [0.1, 0.9, 0.999])
@pytest.mark.parametrize("d", [1, 4])
def test_the_error_of_the_inverse_is_bounded(c, d):
    phi = contracting(d, c, hidden=6, seed=d)
    y = 3 * np.random.default_rng(5).standard_normal((40, d))
    x, error = phi.inverse_within(y)
    assert np.array_equal(x, phi.inverse(y))
    assert (error <= 1e-12 / (1 - c)).all()
    for point, wanted, within in zip(x[:5], y[:5], error[:5], strict=True):
        # To 60 digits: the point is off by at most what φ is off, over 1 - c, and no less than
        # that over 1 + c.
        with mpmath.workdps(60):
            off = mpmath.norm(
                [a - mpmath.mpf(b) for a, b in zip(precise(phi, point), wanted, strict=True)]
            )
        assert float(off) / (1 - c * (1 - 1e-9)) <= within


def test_rows_are_undone_one_by_one_and_with_gradients():
    phi = contracting(3, 0.9, seed=4)
    y = torch.from_numpy(np.random.default_rng(6).standard_normal((8, 3))).requires_grad_()
    x = phi.inverse(y)
    alone = torch.cat([phi.inverse(row[None]) for row in y.detach()])
    np.testing.assert_allclose(x.detach(), alone, rtol=0, atol=64 * EPS)
    for i in range(3):
        (gradient,) = torch.autograd.grad(x[:, i].sum(), y, retain_graph=True)
        forward = [np.linalg.inv(j)[i] for j in jacobians(phi, x.detach().numpy())]
        np.testing.assert_allclose(gradient.numpy(), forward, atol=1e-11)
    live = torch.from_numpy(np.array(phi.out)).requires_grad_()
    trained = pm.InvertibleResidual(phi.weight, phi.bias, live)
    (gradient,) = torch.autograd.grad(trained.inverse(y.detach()).sum(), live)
    step = np.zeros_like(phi.out)
    step[1, 2] = 1e-6
    ends = [
        pm.InvertibleResidual(phi.weight, phi.bias, phi.out + s * step).inverse(y.detach().numpy())
        for s in (1, -1)
    ]
    slope = (ends[0] - ends[1]).sum() / 2e-6
    assert abs(float(gradient[1, 2]) - slope) < 1e-7 * (1 + abs(slope))
    single = phi.inverse(y.detach().float())
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, x.detach(), atol=1e-5)


def test_a_contraction_is_certified_and_not_estimated():
    # The greatest singular value stands across a direction that iterations from (1, 1) miss.
    weight = [[1.0, -1.0], [-1.0, 1.0]]
    with pytest.raises(pm.errors.ParameterError, match="not certainly a contraction"):
        pm.InvertibleResidual(weight, [0.0, 0.0], np.eye(2) * 0.5).check_parameters()
    assert pm.InvertibleResidual(weight, [0.0, 0.0], np.eye(2) * 0.49).contraction() < 0.981
    # At c = 1 two points may be merged: x - tanh(x) is flat at 0.
    with pytest.raises(pm.errors.ParameterError, match="not certainly a contraction"):
        pm.InvertibleResidual([[1.0]], [0.0], [[-1.0]]).check_parameters()


def test_a_unit_is_its_three_stages():
    phi = unit(3, 2)
    x = np.random.default_rng(0).standard_normal((20, 3))
    np.testing.assert_allclose(pm.pipe(*phi.stages())(x), phi(x), atol=1e-12)
    whole = pm.Euclidean(3)
    stages = [pm.decide(s, pm.Lipschitz, on=whole).value[1] for s in phi.stages()]
    product = pm.decide(phi, pm.Lipschitz, on=whole).value[1]
    assert abs(product / np.prod(stages) - 1) < 1e-12


def test_a_lift_is_an_isometry_that_is_not_onto():
    phi, on = pm.Lift(2), pm.Box([-1.0, 0.0], [1.0, 1.0])
    assert attack(phi, on, Counter()) == ([], [])
    assert pm.decide(phi, pm.Lipschitz, on=on).value == (1.0, 1.0)
    assert pm.decide(phi, pm.LowerLipschitz, on=on).value == (1.0, 1.0)
    assert pm.decide(phi, pm.DenseImage, on=on).holds is False
    assert phi.image(on).outer.contains(phi(on.sample(50))).all()
    x = on.sample(5)
    assert np.array_equal(phi.inverse(phi(x)), x)
    named = phi.fit(x).get_feature_names_out(["a", "b"])
    assert list(named) == ["a", "b", "lift0", "lift1"]


def test_gradients_reach_every_array_and_training_them_leaves_a_homeomorphism():
    module = pm.as_module(unit(2, 2))
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((30, 2)))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        (module(x) ** 2).mean().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
        optimizer.step()
    # The generators have symmetric parts now, which do not count.
    assert pm.decide(module.to_map(), pm.Injective, on=pm.Euclidean(2)).holds
