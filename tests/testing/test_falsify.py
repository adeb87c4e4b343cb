"""Attacks on maps without a formula: true claims stand, false ones fall, by points one can read."""

import numpy as np
import pytest
import torch
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)
from torch.nn import functional as F

import phimaps as pm
from phimaps.testing import Probe, falsify, search_ratio, shrink
from phimaps.testing.grain import DOUBLE, SINGLE, grain
from phimaps.testing.measured import evaluated, measured
from phimaps.testing.shrink import stands

Affine = pm.property.Affine
SPHERE = pm.spaces.Sphere([0.0, 0.0, 0.0], 1.0, metric="geodesic")
SIMPLEX = pm.spaces.Simplex(4)
W = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
NORM = float(torch.linalg.matrix_norm(W, 2))


def box(d, r=1.0):
    return pm.Box([-r] * d, [r] * d)


def fitted(transformer, d=2):
    return transformer.fit(np.random.default_rng(0).uniform(-1, 1, (200, d)))


def of_arrays(function):
    return fitted(FunctionTransformer(function))


def fisher_rao(p, q):
    return 2 * np.arccos(np.clip(np.sqrt(p * q).sum(axis=1), 0, 1))


def fisher_rao_of_tensors(p, q):
    return 2 * torch.arccos((p * q).sqrt().sum(dim=1).clamp(0, 1))


def signed_root(x):
    return (x - 0.3).sign() * (x - 0.3).abs() ** (1 / 3)


def slow(x):
    """Continuous at 0.3, and slower to get there than any power."""
    return 1 / torch.log((x - 0.3).abs().clamp_min(1e-300) / 10)


def single(x):
    return (x.float() @ W[:2].float()).to(x.dtype)


def pooled(x):
    return F.max_pool1d(x[:, None], 2)[:, 0]


def rounded(x):
    return torch.round(x, decimals=2)


def stepped(x):
    return torch.sin(x) + 1e-6 * (x[:, :1] > 0.3)


# What is true, with what makes it look false in floating point.
TRUE = {
    "tanh saturates": (torch.tanh, pm.Injective, box(2, 50)),
    "tanh of arrays saturates": (of_arrays(np.tanh), pm.Injective, box(2, 50)),
    "tanh saturates at once": (lambda x: torch.tanh(1e12 * x), pm.Injective, box(1)),
    "tanh in single precision": (lambda x: torch.tanh(x.float()), pm.Injective, box(1, 20)),
    "exp underflows": (lambda x: torch.exp(-(x**2)), pm.Injective, pm.Box([0.0], [60.0])),
    "a summand is lost": (lambda x: x + 1e20, pm.Injective, box(2)),
    "a steep layer": (lambda x: torch.tanh(40 * x), pm.Continuous, box(1)),
    "a root is steep": (signed_root, pm.Continuous, box(2)),
    "a root is injective": (signed_root, pm.Injective, box(2)),
    "slower than any root": (slow, pm.Continuous, box(1)),
    "single precision has no steps": (single, pm.Continuous, box(2)),
    "single precision merges nothing": (single, pm.Injective, box(2)),
    "half precision merges nothing": (lambda x: x.bfloat16().to(x), pm.Injective, box(2)),
    "single precision is no steeper": (lambda x: x.float().to(x), pm.Lipschitz(1.0), box(2)),
    "nor flatter": (lambda x: x.float().to(x), pm.LowerLipschitz(1.0), box(2)),
    "cancellation is flat": (lambda x: 1 - torch.cos(x), pm.Injective, pm.Box([0.0], [1.0])),
    "cancellation is flat, too": (F.tanhshrink, pm.Injective, box(1)),
    "cancellation after a shift": (lambda x: (x + 1e6) - 1e6, pm.Injective, box(1)),
    "far from 0": (lambda x: x + 1e10, pm.Lipschitz(1.0), box(2)),
    "many waves": (lambda x: torch.sin(1e3 * x), pm.Lipschitz(1e3), box(1)),
    "steep, and smooth": (lambda x: torch.tanh(1e6 * x), pm.Smooth(1), box(2)),
    "once, not twice": (lambda x: x.abs() ** 1.5, pm.Smooth(1), box(2)),
    "a matrix": (lambda x: x @ W, Affine, box(3)),
    "a matrix has its norm": (lambda x: x @ W, pm.Lipschitz(NORM * (1 + 1e-9)), box(3)),
    "relu is homogeneous": (torch.relu, pm.PositivelyHomogeneous(1), box(3)),
    "sorting is symmetric": (
        lambda x: x.sort(dim=1).values,
        pm.Invariant(pm.Affine(np.eye(3)[[1, 2, 0]])),
        box(3),
    ),
    "a scaler": (fitted(StandardScaler()), pm.Injective, box(2)),
    "hours": (
        lambda x: np.hstack([np.sin(x * np.pi / 12), np.cos(x * np.pi / 12)]),
        pm.Injective,
        pm.Finite(np.arange(24.0)[:, None]),
    ),
}

FALSE = {
    "rounded": (rounded, pm.Injective, box(2)),
    "rounded, continuous": (rounded, pm.Continuous, box(2)),
    "rounded arrays": (of_arrays(lambda x: np.round(x, 2)), pm.Injective, box(2, 10)),
    "rounded finely": (of_arrays(lambda x: np.round(x, 6)), pm.Injective, box(2)),
    "rounded in single precision": (lambda x: rounded(x.float()), pm.Injective, box(2)),
    "cut to whole numbers": (of_arrays(np.trunc), pm.Continuous, box(2, 3)),
    "signs": (torch.sign, pm.Continuous, box(2)),
    "a small step": (stepped, pm.Continuous, box(3)),
    "a small step of arrays": (of_arrays(lambda x: x + 1e-6 * (x > 0.3)), pm.Continuous, box(2)),
    "pooled": (pooled, pm.Injective, box(4)),
    "relu": (lambda x: torch.relu(x @ W[:, :3]), pm.Injective, box(3)),
    "a constant 5 % too small": (lambda x: torch.tanh(x @ W), pm.Lipschitz(0.95 * NORM), box(3)),
    "the same of arrays": (
        lambda x: np.tanh(x @ W.numpy()), pm.Lipschitz(0.95 * NORM), box(3),
    ),
    "quantised": (lambda x: torch.round(x @ W * 127) / 127, pm.Injective, box(3)),
    "quantised, continuous": (lambda x: torch.round(x @ W * 127) / 127, pm.Continuous, box(3)),
    "bins": (fitted(KBinsDiscretizer(5, encode="ordinal", strategy="uniform")), pm.Injective,
             box(2)),
    "splines beyond their ends": (fitted(SplineTransformer()), pm.Injective, box(2, 2)),
    "quantiles beyond their ends": (
        fitted(QuantileTransformer(n_quantiles=20)), pm.Injective, box(2, 2),
    ),
    "a fold without a gradient": (of_arrays(lambda x: (x - 0.1) ** 2), pm.Injective, box(2)),
    "a sum": (of_arrays(lambda x: x.sum(axis=1, keepdims=True)), pm.Injective, box(2)),
    "sorted": (lambda x: x.sort(dim=1).values, pm.Injective, box(3)),
    "a constant": (lambda x: 0 * x + 1, pm.Injective, box(1)),
    "a little bent": (of_arrays(lambda x: x + 1e-5 * x**2), Affine, box(2)),
    "too long": (of_arrays(lambda x: np.sin(x) + np.cos(2 * x)), pm.Bounded(1.5), box(2, 9)),
    "a small bias": (of_arrays(lambda x: x + 1e-9), pm.PositivelyHomogeneous(1), box(2, 9)),
    "a little asymmetry": (
        of_arrays(lambda x: np.sort(x, axis=1) + 1e-7 * x),
        pm.Invariant(pm.Affine([[0.0, 1.0], [1.0, 0.0]])),
        box(2, 9),
    ),
    "the wrong period": (
        lambda x: np.hstack([np.sin(x * np.pi / 11.5), np.cos(x * np.pi / 11.5)]),
        pm.Injective,
        pm.Finite(np.arange(24.0)[:, None]),
    ),
    "a kink": (lambda x: F.elu(x, alpha=2.0), pm.Smooth(1), box(3, 2)),
    "two kinks": (lambda x: x.clamp(-0.3, 0.7), pm.Smooth(1), box(2)),
    "refused": (pm.Log() @ pm.from_function(lambda x: x), pm.Injective, box(2)),
    "no value": (lambda x: np.log(x), pm.Continuous, box(2)),
}  # fmt: skip


@pytest.mark.parametrize("name", TRUE)
def test_what_is_true_stands(name):
    phi, claim, on = TRUE[name]
    for seed in range(5):
        assert falsify(phi, claim, on=on, random_state=seed) is None


@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_falls_by_points_that_stand_alone(name):
    phi, claim, on = FALSE[name]
    for seed in range(2):
        found = falsify(phi, claim, on=on, random_state=seed, budget=0.5)
        assert found is not None
        assert found.certain
        assert on.contains(np.stack(found.points)).all()
        if claim.name == "Smooth":
            continue
        # Another probe, which has seen other points, says the same of these.
        assert stands(Probe(evaluated(phi, on), on, seed + 7), claim, found.points) is not None


# --- exact constants -----------------------------------------------------------------------------
CONSTANTS = {
    "arcs to chords": (pm.Identity(), SPHERE, None, 2 / np.pi),
    "arcs to chords, of arrays": (lambda x: np.hstack([x, x * 0]), SPHERE, None, 2 / np.pi),
    "shares to roots": (2.0 * pm.Sqrt(), SIMPLEX, fisher_rao, 2 * np.sqrt(2) / np.pi),
    "shares to roots, by tensors": (
        lambda x: 2 * x.sqrt(), SIMPLEX, fisher_rao_of_tensors, 2 * np.sqrt(2) / np.pi,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTANTS)
def test_the_search_reaches_the_exact_constant_that_random_pairs_do_not(name):
    phi, on, distance, least = CONSTANTS[name]
    flat = search_ratio(phi, on, -1, distance=distance)
    assert least <= flat.sure < least + 1e-4
    steep = search_ratio(phi, on, 1, distance=distance)
    assert 1 - 1e-3 < steep.sure <= 1
    options = {} if distance is None else {"distance": distance}
    assert falsify(phi, pm.LowerLipschitz(least + 2e-4), on=on, **options) is not None
    assert falsify(phi, pm.LowerLipschitz(least - 2e-5), on=on, **options) is None
    # The arc cosine of nearly 1 has half its digits: no alarm.
    assert falsify(phi, pm.Lipschitz(1 + 1e-7), on=on, **options) is None
    rng = np.random.default_rng(0)
    inner = rng.dirichlet(np.ones(4), (2, 200)) if on is SIMPLEX else rng.normal(size=(2, 200, 3))
    x, y = (on.nearest(p) for p in inner)
    space = measured(on, distance)
    values = [evaluated(phi, on).forward(torch.from_numpy(p)).numpy() for p in (x, y)]
    ratio = np.linalg.norm(values[0] - values[1], axis=1) / space.distance(x, y)
    assert ratio.min() > least + 1e-4


def test_a_ratio_says_what_is_sure():
    found = search_ratio(lambda x: np.tanh(x @ W.numpy()), box(3), 1)
    assert 0.999 * NORM < found.sure <= float(found) <= NORM * (1 + 1e-6)
    assert np.linalg.norm(found.x - found.y) > 0
    assert search_ratio(torch.tanh, pm.Finite([[0.5]]), 1) is None


# --- simple points -------------------------------------------------------------------------------
SIMPLE = {
    "a slope": (pm.Relu(), pm.Lipschitz(0.5), box(2, 9), ([0, 0], [0, 1])),
    "a fold": (lambda x: (x - 0.1).abs(), pm.Injective, box(2), ([-0.3, 0], [0.5, 0])),
    "a step": (rounded, pm.Continuous, box(3), None),
    "a bound": (lambda x: x, pm.Bounded(0.5), box(2), ([1, 0],)),
    "a bend": (np.sin, Affine, box(2), ([0, 0], [0, 1])),
}


@pytest.mark.parametrize("name", SIMPLE)
def test_counterexamples_are_simple(name):
    phi, claim, on, points = SIMPLE[name]
    found = falsify(phi, claim, on=on)
    written = [f"{v:.17g}" for p in found.points for v in p]
    assert sum(v == "0" for v in written) >= len(written) // 3
    if points is not None:
        weights = [sum(len(f"{abs(v):.17g}") for v in p) for p in found.points]
        assert sum(weights) <= sum(len(f"{abs(v):.17g}") for p in points for v in p) + 2


def test_what_is_not_certain_is_not_touched():
    found = falsify(pm.Relu(), ~pm.Lipschitz(3.0), on=box(1))
    assert not found.certain
    probe = Probe(pm.Relu(), box(1))
    assert shrink(found, probe, ~pm.Lipschitz(3.0)) is found


def test_nothing_stands_that_is_only_nearly_so():
    probe = Probe(evaluated(torch.tanh, box(1, 50)), box(1, 50))
    far = (np.array([40.0]), np.array([41.0]))
    assert stands(probe, pm.Injective, far) is None
    assert stands(probe, pm.Continuous, (np.array([0.0]), np.array([1e-9]))) is None
    assert stands(probe, pm.Lipschitz(1.0), (np.array([0.0]), np.array([1e-9]))) is None
    assert stands(probe, ~pm.Injective, far) is None


# --- what precision a map has --------------------------------------------------------------------
PRECISIONS = {
    "double": (torch.tanh, DOUBLE),
    "single inside": (single, SINGLE),
    "single outside": (lambda x: torch.tanh(x).float(), SINGLE),
    "half": (lambda x: x.bfloat16().to(x), 2.0**-7),
    "bins": (torch.floor, DOUBLE),
    "places": (lambda x: torch.round(x, decimals=6), DOUBLE),
    "noise": (lambda x: (x * 1e6).float().to(x) * 1e-6 + x, SINGLE),
}


@pytest.mark.parametrize("name", PRECISIONS)
def test_the_precision_of_values_is_seen(name):
    function, eps = PRECISIONS[name]
    assert grain(Probe(evaluated(function, box(2, 3)), box(2, 3))).eps == eps
