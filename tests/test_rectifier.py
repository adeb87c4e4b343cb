"""Rectified layers: what is proved of them is true, sharp where it can be, and not too little."""

from fractions import Fraction
from math import gcd

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.testing import Probe, claims, falsify
from phimaps.theorems.cells import Cells, least_gain, nullspace

GOALS = (pm.Injective, pm.Lipschitz, pm.LowerLipschitz, pm.Continuous)
ROOT_HALF = np.sqrt(0.5)


def attacked(phi, on, goals=GOALS):
    """Ask and attack; the verdicts."""
    probe, verdicts = Probe(phi, on), []
    for goal in goals:
        verdict = pm.decide(phi, goal, on=on)
        for claim in claims(verdict):
            witness = verdict.witness if claim.name == "Injective" else None
            found = falsify(phi, claim, on, witness=witness, probe=probe)
            if found is not None and not found.certain:
                # That a search finds nothing is no proof: it gets more time.
                found = falsify(phi, claim, on, random_state=1, witness=witness, budget=4.0)
            assert found is None, f"{phi!r} on {on!r}: {found}"
        verdicts.append(verdict)
    return verdicts


def constant(phi, on, goal=pm.LowerLipschitz):
    return pm.decide(phi, goal, on=on).value


def fan(m, n=2, seed=None):
    """Weights of m units: evenly spread in the plane, or drawn."""
    if seed is not None:
        return np.random.default_rng(seed).normal(size=(n, m))
    angles = 2 * np.pi * np.arange(m) / m
    return np.stack([np.cos(angles), np.sin(angles)])


# --- attacks -----------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(12))
def test_no_attack_breaks_what_is_said_of_a_layer(seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 4)), int(rng.integers(1, 11))
    weight = rng.normal(size=(n, m)) * rng.choice([0.1, 1.0, 5.0])
    if rng.random() < 0.4:
        weight = np.round(weight)
    if rng.random() < 0.5:
        half = weight[:, : (m + 1) // 2]
        weight = np.concatenate([half, -half * rng.choice([1.0, 0.5, 3.0])], axis=1)
    bias = rng.choice([0.0, 0.5, 2.0]) * rng.normal(size=weight.shape[1])
    layer = pm.Relu() @ pm.Affine(weight, bias)
    phi = [
        layer,
        pm.Flatten() @ layer,
        layer @ pm.Tanh(),
        pm.Affine(rng.normal(size=(weight.shape[1], 3))) @ layer,
        pm.Relu() @ pm.Affine(rng.normal(size=(weight.shape[1], 4)), [3.0] * 4) @ layer,
        layer @ pm.Relu() @ pm.Affine(np.eye(n), np.ones(n)),
    ][seed % 6]
    low = rng.choice([-1.0, 0.0], n)
    spaces = [
        pm.Box([-1.0] * n, [1.0] * n),
        pm.Box(low, low + rng.choice([0.0, 1.0], n, p=[0.2, 0.8])),
        pm.Ball(np.round(rng.normal(size=n), 1), 0.7),
        pm.Euclidean(n),
        pm.NonNegative(n),
        pm.Finite(np.round(rng.normal(size=(4, n)), 1)),
    ]
    for k in rng.permutation(6)[:3]:
        attacked(phi, spaces[k])


@pytest.mark.parametrize("seed", range(4))
def test_no_attack_breaks_what_is_said_of_convolutions(seed):
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((3, 1, 2, 2))
    if seed % 3 == 0:
        weight = np.concatenate([weight, -weight])
    bias = rng.choice([0.0, 4.0], len(weight)) * rng.choice([1.0, -1.0], len(weight))
    mode = ("zeros", "circular")[seed % 2]
    layer = pm.Relu() @ pm.Conv2d(weight, bias, 1, int(rng.integers(0, 2)), mode)
    for phi in (layer, pm.Flatten() @ layer, pm.MaxPool2d(2) @ layer):
        attacked(phi, pm.Images(1, 3, 4, -1.0, 1.0))


# --- units that are active ---------------------------------------------------------------------
def test_units_active_on_the_whole_space_keep_what_they_keep_without_a_rectifier():
    shear = np.array([[1.0, 0.5], [-0.25, 1.0]])
    on = pm.Box([-1.0, -1.0], [1.0, 1.0])
    values = np.linalg.svd(shear, compute_uv=False)
    plain = pm.Relu() @ pm.Affine(shear, [2.0, 2.0])
    assert np.allclose(constant(plain, on), values[1], rtol=1e-12)
    assert np.allclose(constant(plain, on, pm.Lipschitz), values[0], rtol=1e-12)
    # More units, some of them idle at times, can only help.
    more = pm.Relu() @ pm.Affine(np.hstack([shear, [[3.0], [1.0]]]), [2.0, 2.0, 0.0])
    assert constant(more, on)[0] >= values[1] * (1 - 1e-12)
    idle = pm.Relu() @ pm.Affine(shear, [2.0, -2.0])
    assert pm.decide(idle, pm.Injective, on=on).holds is False
    square = pm.Relu() @ pm.Power(3) @ pm.Affine(shear, [2.0, 2.0])
    assert pm.decide(square, pm.Injective, on=on).holds is True


def test_a_convolution_with_a_large_bias_keeps_images():
    weight = np.random.default_rng(1).normal(size=(8, 3, 3, 3))
    for bias in (np.full(8, 20.0), np.array([20.0] * 5 + [-1.0] * 3)):
        conv = pm.Conv2d(weight, bias, padding="same", padding_mode="circular")
        low = conv.image(pm.Images(3, 32, 32)).outer.bounds()[0]
        assert (low[:5] > 0).all()
        assert bias[-1] > 0 or (low[5:] < 0).any()
        kept = pm.Conv2d(weight[bias > 0], None, 1, "same", "circular")
        found = constant(pm.Relu() @ conv, pm.Images(3, 32, 32))
        assert abs(found[0] - kept.singular_values((3, 32, 32))[-1]) < 1e-9


# --- units in pairs ----------------------------------------------------------------------------
def test_pairs_of_opposite_sign_keep_what_a_concatenated_rectifier_keeps():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(3, 4))
    values = np.linalg.svd(weight, compute_uv=False)
    for phi in (
        pm.CRelu() @ pm.Affine(weight),
        pm.Relu() @ pm.Affine(np.hstack([weight, -weight])),
    ):
        for on in (pm.Euclidean(3), pm.Box([-1.0] * 3, [1.0] * 3)):
            low, high = constant(phi, on)
            assert low >= values[-1] * ROOT_HALF * (1 - 1e-12)
            assert high <= values[-1] * (1 + 1e-12)
            assert constant(phi, on, pm.Lipschitz)[1] <= values[0] * (1 + 1e-12)
            assert pm.decide(phi, pm.Injective, on=on).holds is True


@pytest.mark.parametrize(("c", "d"), [(1.0, 0.0), (0.25, 0.0), (3.0, 0.0), (2.0, 0.5), (0.1, 0.3)])
def test_the_constant_of_a_pair_is_attained(c, d):
    phi, on = pm.Relu() @ pm.Affine([[1.0, -c]], [0.0, d]), pm.Euclidean(1)
    low, _ = constant(phi, on)
    # From below 0 to above d / c, the two parts as c² to 1.
    t = np.array([[-1.0], [c**2]]) * 1e6
    a, b = phi(t)
    ratio = float(np.linalg.norm(a - b) / np.abs(t[0] - t[1])[0])
    assert low <= ratio <= low * (1 + 1e-5)


def test_pairs_are_recognised_exactly():
    nearly = np.array([[0.1, -0.1 * (1 + 1e-15)], [0.2, -0.2]])
    assert pm.decide(pm.Relu() @ pm.Affine(nearly), pm.Injective, on=pm.Euclidean(2)).holds is False
    # Between the two there is a gap in which neither is active.
    gap = pm.Relu() @ pm.Affine([[1.0, -1.0]], [0.0, -1e-3])
    assert pm.decide(gap, pm.Injective, on=pm.Box([-0.01], [0.01])).holds is False
    assert pm.decide(gap, pm.Injective, on=pm.Euclidean(1)).holds is not True
    third = pm.Relu() @ pm.Affine([[3.0, -0.1]], [1.0, -0.1 / 3.0])
    verdict = pm.decide(third, pm.Injective, on=pm.Euclidean(1))
    assert verdict.holds is (Fraction(-0.1 / 3.0) * 30 + Fraction(1) * 30 * Fraction(0.1) / 3 >= 0)


def test_paired_filters_of_a_large_layer():
    X = np.random.default_rng(0).random((50, 1, 8, 8))
    paired = pm.PatchPCAConv2d(None, padding=1, padding_mode="circular", paired=True).bind(X)
    plain = pm.PatchPCAConv2d(None, padding=1, padding_mode="circular").bind(X)
    images = pm.Images(1, 24, 24)
    values = plain.singular_values((1, 24, 24))
    low, high = constant(pm.Relu() @ paired, images)
    assert abs(low - values[-1] * ROOT_HALF) < 1e-9
    assert high >= low
    assert constant(pm.Relu() @ paired, images, pm.Lipschitz)[1] < values[0] * (1 + 1e-9)
    assert np.allclose(constant(pm.CRelu() @ plain, images)[0], values[-1] * ROOT_HALF)


# --- cells -------------------------------------------------------------------------------------
def brute(weight, bias, low, high, count=200000):
    """The least of σ_min(W_A) over the cells that random points lie in."""
    rng = np.random.default_rng(5)
    points = rng.uniform(low, high, (count, len(weight)))
    masks = np.unique(points @ weight + bias >= 0, axis=0)
    n = len(weight)
    gains = [
        np.linalg.svd(weight[:, mask], compute_uv=False)[-1] if mask.sum() >= n else 0.0
        for mask in masks
    ]
    return min(gains)


@pytest.mark.parametrize("seed", range(20))
def test_the_least_gain_is_that_of_the_worst_cell(seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 4)), int(rng.integers(3, 15))
    weight, bias = rng.normal(size=(n, m)), rng.normal(size=m) * rng.choice([0.0, 0.3])
    low, high = np.full(n, -1.0), np.full(n, 1.0)
    found = least_gain(Cells(weight.T, [Fraction(float(b)) for b in bias], low, high))
    truth = brute(weight, bias, low, high)
    if found is None:
        assert truth < 0.3
    else:
        # Small cells may be missed by random points.
        assert found <= truth * (1 + 1e-12)
        assert found >= 0.2 * truth


def test_the_share_of_injective_layers_in_the_plane_is_the_known_one():
    """Of m gaussian rows in the plane, the probability that every half plane holds two."""
    for m, known in ((5, 0.0625), (8, 0.633)):
        found = [
            pm.decide(pm.Relu() @ pm.Affine(fan(m, 2, s)), pm.Injective, on=pm.Euclidean(2)).holds
            for s in range(24)
        ]
        # A layer whose rows leave a half plane to fewer than two is not injective.
        assert None not in found
        assert abs(sum(found) / 24 - known) < 0.2


def test_a_fan_of_units_is_injective_exactly_from_five_on():
    plane = pm.Euclidean(2)
    assert pm.decide(pm.Relu() @ pm.Affine(fan(3)), pm.Injective, on=plane).holds is False
    verdict = pm.decide(pm.Relu() @ pm.Affine(fan(5)), pm.Injective, on=plane)
    assert verdict.holds is True
    assert verdict.strength == "by exact computation"
    shifted = pm.Relu() @ pm.Affine(fan(5), np.full(5, -0.5))
    assert pm.decide(shifted, pm.Injective, on=plane).holds is False
    away = pm.Box([1.0, 1.0], [2.0, 2.0])
    assert pm.decide(shifted, pm.Injective, on=away).holds is True
    assert pm.decide(shifted @ pm.Power(3), pm.Injective, on=away).holds is not False


def test_the_constant_of_spanning_rows_is_attained():
    # Units t and -t of one weight: from -1 to 1 each moves by half, and 1 / √2 is kept.
    phi = pm.Relu() @ pm.Affine([[1.0, -1.0, 1e-9]], [0.0, 1e-12, 0.0])
    low, _ = constant(phi, pm.Box([-1.0], [1.0]))
    a, b = phi(np.array([[-1.0], [1.0]]))
    assert abs(low - np.linalg.norm(a - b) / 2) < 1e-8


def test_flat_boxes_ask_for_less():
    flat = pm.Box([0.0, 2.0], [1.0, 2.0])
    # The second row is needed only where the second coordinate moves.
    phi = pm.Relu() @ pm.Affine([[1.0, -1.0], [0.5, 0.75]], [-1.25, -1.0])
    verdict = pm.decide(phi, pm.LowerLipschitz, on=flat)
    assert verdict.holds is True
    attacked(phi, flat)
    assert pm.decide(phi, pm.Injective, on=pm.Box([0.0, 0.0], [1.0, 2.0])).holds is False


def test_null_spaces_are_exact():
    third = [Fraction(1), Fraction(2), Fraction(3)]
    assert nullspace([third]) == [[-2, 1, 0], [-3, 0, 1]]
    assert nullspace([[Fraction(0)]]) == [[1]]
    assert nullspace([[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]]) == []


# --- dead units --------------------------------------------------------------------------------
def test_dead_units_do_not_count_for_the_constant():
    weight = np.concatenate([np.full((1, 1, 3, 3), -9.0), np.full((1, 1, 3, 3), 1 / 9)])
    conv, images = pm.Conv2d(weight, padding=1), pm.Images(1, 6, 6)
    assert conv.dead_channels(images).tolist() == [True, False]
    alive = pm.Conv2d(weight[1:], padding=1)
    top = constant(alive, images, pm.Lipschitz)[1]
    for phi in (
        pm.Relu() @ conv,
        pm.Flatten() @ pm.Relu() @ conv,
        pm.MaxPool2d(2) @ pm.Relu() @ conv,
    ):
        assert constant(phi, images, pm.Lipschitz)[1] <= top * (1 + 1e-12)
        attacked(phi, images, (pm.Lipschitz,))
    dense = pm.Relu() @ pm.Affine([[1.0, 7.0]], [0.0, -7.0])
    assert np.allclose(constant(dense, pm.Box([0.0], [0.9]), pm.Lipschitz), 1.0, rtol=1e-12)
    assert constant(dense, pm.Box([0.0], [1.5]), pm.Lipschitz)[1] > 7


def test_a_single_point_refutes_no_constant():
    layers = pm.Relu() @ pm.Affine(np.ones((3, 2))) @ pm.Relu() @ pm.Affine(np.ones((1, 3)))
    for phi in (layers, pm.Affine(np.ones((2, 1))) @ layers):
        for value in (-2.0, 0.5):
            verdict = pm.decide(phi, pm.LowerLipschitz, on=pm.Box([value], [value]))
            assert verdict.holds is not False


@pytest.mark.parametrize(("side", "slope"), [(1e-307, 7e306), (1e-300, 1.0), (5e-324, 1e300)])
def test_a_tiny_box_with_steep_units_is_searched(side, slope):
    # The squares of these weights overflow, and those of the box's sides underflow.
    phi = pm.Relu() @ pm.Affine(slope * np.array([[1.0, 2.0], [-1.0, 1.0]]))
    box = pm.Box([-side, -side], [side, side])
    verdict = pm.decide(phi, pm.Injective, on=box)
    assert verdict.holds is False
    if verdict.witness is not None:
        assert (verdict.witness.x != verdict.witness.y).any()
        assert box.contains(np.stack([verdict.witness.x, verdict.witness.y])).all()
        assert verdict.witness.verify(phi)


def test_two_layers_are_bounded_from_both_sides():
    rng = np.random.default_rng(0)
    phi = pm.pipe(
        pm.Conv2d(rng.normal(size=(3, 1, 3, 3)), rng.normal(size=3), padding=1),
        pm.Relu(),
        pm.Flatten(),
    )
    images = pm.Images(1, 4, 4, -1.0, 1.0)
    low, high = constant(phi, images, pm.Lipschitz)
    assert 0.5 * high < low < high
    # The Jacobian at points is no steeper than said, and somewhere nearly so.
    steepest = 0.0
    for x in torch.from_numpy(images.sample(60)):
        jacobian = torch.autograd.functional.jacobian(lambda v: phi(v[None])[0], x)
        steepest = max(steepest, float(torch.linalg.matrix_norm(jacobian.reshape(48, 16), 2)))
    assert steepest <= high * (1 + 1e-12)
    assert low >= 0.9 * steepest


# --- what is known of such layers --------------------------------------------------------------
KERNEL = pm.Conv2d([[[[1.0, 0.3, -0.2]]]], padding="same", padding_mode="circular")
ROWS, R2 = pm.Euclidean((1, 1, 8)), pm.Euclidean(2)
SQUARE, GENERIC = np.array([[1.0, 0.5], [-0.25, 1.0]]), fan(4, 2, 0)
ONES = {n: pm.Conv2d([[[[1.0] * n]]], padding=(0, n - 1)) for n in (2, 3)}


def circular_average(k):
    weight = np.full((1, 1, 1, k), 1 / k)
    return pm.Conv2d(weight, padding="same", padding_mode="circular")


TRUTHS = [
    ("conv + relu", pm.Relu() @ KERNEL, ROWS, False),
    ("conv + crelu", pm.CRelu() @ KERNEL, ROWS, True),
    ("2n generic units", pm.Relu() @ pm.Affine(GENERIC), R2, False),
    ("2n units of two signs", pm.Relu() @ pm.Affine(np.hstack([SQUARE, -SQUARE])), R2, True),
    ("n units", pm.Relu() @ pm.Affine(SQUARE), R2, False),
    ("average pooling", pm.AvgPool2d((1, 4)), pm.Euclidean((1, 1, 4)), False),
    ("max pooling", pm.MaxPool2d((1, 4)), pm.Euclidean((1, 1, 4)), False),
    ("valid conv", pm.Conv2d([[[[1.0, 0.5]]]]), ROWS, False),
    ("full conv, a zero frequency", pm.Conv2d([[[[1.0, -1.0]]]], padding=(0, 1)), ROWS, True),
    *((f"full conv of {n} ones", phi, ROWS, True) for n, phi in ONES.items()),
    *(
        (f"average of {k} of {n}", circular_average(k), pm.Euclidean((1, 1, n)), gcd(k, n) == 1)
        for k in (2, 3, 4)
        for n in (4, 6, 7, 9)
    ),
]


@pytest.mark.parametrize(
    ("phi", "on", "truth"), [t[1:] for t in TRUTHS], ids=[t[0] for t in TRUTHS]
)
def test_a_known_truth_is_decided(phi, on, truth):
    assert pm.decide(phi, pm.Injective, on=on).holds is truth
    if truth:
        assert pm.decide(phi, pm.LowerLipschitz, on=on).value[0] > 0


def test_the_constants_of_the_known_convolution():
    least = np.abs(np.fft.fft([1.0, 0.3, -0.2], 8)).min()
    assert np.allclose(constant(KERNEL, ROWS), least)
    low, high = constant(pm.CRelu() @ KERNEL, ROWS)
    assert low >= least * ROOT_HALF * (1 - 1e-12)
    assert high <= least * (1 + 1e-12)
