"""What kernels state of themselves: their witnesses, and that they never contradict themselves."""

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.kernels import (
    NTK,
    RBF,
    AdditiveChi2,
    ArcCosine,
    Chi2,
    Constant,
    Cosine,
    Delta,
    Exponential,
    Intersection,
    Laplacian,
    Linear,
    Matern,
    Periodic,
    PolynomialKernel,
    SkewedChi2,
)
from phimaps.proof import Reason
from phimaps.witness import AnnihilatingMeasure

KERNELS = [
    RBF(gamma=1.0),
    RBF(),
    Laplacian(),
    Matern(nu=0.5),
    Periodic(),
    Periodic(period=3.0),
    Periodic(period=[0.5, 3.0, 3.0]),
    Linear(),
    PolynomialKernel(degree=2, coef0=0.0),
    PolynomialKernel(),
    Exponential(),
    Cosine(),
    Constant(2.0),
    Delta(),
    AdditiveChi2(),
    Intersection(),
    Chi2(),
    SkewedChi2(skewedness=4.0),
    *(ArcCosine(order, depth) for order in (0, 1, 2) for depth in (1, 2, 5)),
    *(ArcCosine(order, depth, 0.5) for order in (0, 1, 2) for depth in (1, 2)),
    NTK(),
    NTK(depth=2),
    NTK(bias=0.1),
]
SPACES = [
    pm.Sphere([0.0, 0.0, 0.0], 1.0),
    pm.Sphere([0.0, 0.0], 2.0),
    pm.Sphere([1.0, 0.0], 0.5),
    pm.Ball([0.0, 0.0], 1.0),
    pm.Box([-1.0, -1.0], [1.0, 1.0]),
    pm.Box([0.0, 0.0], [1.0, 1.0]),
    pm.Box([0.5, 0.5], [2.0, 2.0]),
    pm.Box([0.0, 0.0], [1.0, 1.0], closed="right"),
    pm.Box([0.0], [1.0]),
    pm.Box([0.25], [1.0]),
    pm.NonNegative(2),
    pm.Euclidean(2),
    pm.Simplex(3),
    pm.Finite([[0.0, 1.0], [1.0, 1.0], [2.0, 2.0]]),
    pm.Finite([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]),
    pm.Finite([[0.5, 0.25]]),
    pm.Images(1, 2, 2),
]
PAIRS = [(k, on) for k in KERNELS for on in SPACES if k.undefined(on) is None]


def facts(kernel, on):
    return [(claim, why) for claim, why in kernel.facts(on)]


def measures(kernel, on):
    for claim, why in facts(kernel, on):
        witness = why.witness if isinstance(why, Reason) else why
        if isinstance(witness, AnnihilatingMeasure):
            yield claim, witness


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_measures_that_are_lost_are_lost_everywhere(kernel):
    for on in SPACES:
        if kernel.undefined(on) is not None:
            continue
        for claim, measure in measures(kernel, on):
            assert on.contains(measure.points).all()
            assert not measure.exact or on.surely_contains(measure.points).all()
            assert len(np.unique(measure.points.reshape(len(measure.points), -1), axis=0)) == len(
                measure.points
            )
            assert claim.name != "Characteristic" or measure.mass == 0
            elsewhere = torch.from_numpy(np.concatenate([on.sample(50, 1), measure.points]))
            value = kernel.between(elsewhere, torch.from_numpy(measure.points)).numpy()
            left = np.abs(value @ measure.weights)
            size = np.abs(value) @ np.abs(measure.weights)
            # Points of a polygon are rounded, and steps have the root of the rounding.
            slack = 1e-14 if measure.exact else 1e-7
            assert (left <= slack * np.maximum(size, 1e-300)).all() or "n >= 2" in measure.because


@pytest.mark.parametrize(("kernel", "on"), PAIRS, ids=lambda v: repr(v))
def test_no_statement_contradicts_another(kernel, on):
    signs = {}
    for claim, _ in facts(kernel, on):
        assert signs.setdefault(claim.name, claim.holds) == claim.holds, claim


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_statements_about_all_points_pass_to_parts(kernel):
    for small in SPACES:
        for large in SPACES:
            if small.shape != large.shape or kernel.undefined(large) is not None:
                continue
            if not small.is_subset(large):
                continue
            below = {claim.name: claim.holds for claim, _ in facts(kernel, small)}
            for claim, _ in facts(kernel, large):
                if claim.holds:
                    assert below.get(claim.name, True)
            above = {claim.name: claim.holds for claim, _ in facts(kernel, large)}
            for claim, _ in facts(kernel, small):
                if not claim.holds:
                    assert not above.get(claim.name, False)


def test_binding_contradicts_nothing():
    rows = np.random.default_rng(0).uniform(size=(20, 2))
    on = pm.Box([0.0, 0.0], [1.0, 1.0])
    for kernel in (RBF(), Laplacian(gamma="median"), Exponential(gamma="scale")):
        before = [(repr(c)) for c, _ in facts(kernel, on)]
        assert before == [repr(c) for c, _ in facts(kernel.bind(rows), on)]
        assert before


def test_nothing_is_said_outside_the_domain():
    for kernel in (AdditiveChi2(), Intersection(), Chi2(), SkewedChi2()):
        assert facts(kernel, pm.Euclidean(2)) == []


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_universal_kernels_are_nonsingular_on_points_apart(kernel):
    for on in SPACES:
        if kernel.undefined(on) is not None or not (kernel.closed and on.compact):
            continue
        if not any(claim.name == "Universal" and claim.holds for claim, _ in facts(kernel, on)):
            continue
        points = np.unique(on.sample(6, 2).reshape(6, -1), axis=0).reshape(-1, *on.shape)
        apart = [points[0]]
        for p in points[1:]:
            if min(np.abs(p - q).max() for q in apart) > 0.2:
                apart.append(p)
        gram = kernel(np.stack(apart).reshape(len(apart), -1))
        assert np.linalg.eigvalsh(gram)[0] > 1e-12 * np.abs(gram).max()


def test_the_traps_of_networks_without_bias():
    sphere, box = pm.Sphere([0.0, 0.0, 0.0], 1.0), pm.Box([-1.0, -1.0], [1.0, 1.0])
    for kernel in (ArcCosine(0), ArcCosine(1), NTK()):
        verdict = pm.decide(kernel, pm.Universal, on=sphere)
        assert verdict.holds is False
        assert isinstance(verdict.witness, AnnihilatingMeasure)
        assert verdict.witness.verify(lambda x, kernel=kernel: kernel.between(x, x))
    for kernel in (ArcCosine(1, 2), NTK(2), NTK(bias=0.1), ArcCosine(0, bias=1.0)):
        assert pm.decide(kernel, pm.Universal, on=sphere).holds is True
    for kernel in (ArcCosine(1, 2), NTK(2), ArcCosine(0, 5)):
        assert pm.decide(kernel, pm.Universal, on=box).holds is False
    for kernel in (ArcCosine(1, 2, 0.1), NTK(2, 0.1), ArcCosine(0, 5, 0.1)):
        assert pm.decide(kernel, pm.Universal, on=box).holds is True
