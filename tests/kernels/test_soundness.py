"""What is decided of random expressions of kernels withstands the attacks."""

import numpy as np
import pytest

import phimaps as pm
from phimaps import kernels as ks
from phimaps.property import PROPERTIES
from phimaps.testing import Probe, claims, falsify

GOALS = [p for p in PROPERTIES if "kernel" in p.of]
SPACES = [
    pm.Box([0.0], [1.0]),
    pm.Box([-1.0], [1.0]),
    pm.Box([-1.0] * 2, [1.0] * 2),
    pm.Box([1.0, 0.5], [1.5, 2.0]),
    pm.Box([0.0] * 3, [1.0] * 3),
    pm.Ball([0.5, 0.0], 1.0),
    pm.Sphere([0.0, 0.0], 1.0),
    pm.Sphere([0.0, 0.0, 0.0], 0.5),
    pm.Sphere([1.0, 0.0], 1.0),
    pm.Euclidean(2),
    pm.NonNegative(2),
    pm.Simplex(3),
    pm.Interval(0.0, 1.0, closed="left"),
    pm.Finite([[0.0], [1.0], [-1.0]]),
    pm.Finite([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]),
]
LEAVES = [
    lambda r: ks.RBF(gamma=float(r.choice([0.3, 1.0, 4.0]))),
    lambda r: ks.Laplacian(gamma=float(r.choice([0.5, 2.0]))),
    lambda r: ks.Matern(float(r.choice([0.5, 1.5])), length_scale=1.0),
    lambda r: ks.Cauchy(gamma=1.0),
    lambda r: ks.Periodic(float(r.choice([0.5, 1.0, 3.0])), 1.0),
    lambda r: ks.Linear(),
    lambda r: ks.Constant(float(r.choice([0.5, 2.0]))),
    lambda r: ks.PolynomialKernel(int(r.integers(1, 4)), 1.0, float(r.choice([0.0, 1.0]))),
    lambda r: ks.Exponential(0.5),
    lambda r: ks.Cosine(),
    lambda r: ks.ArcCosine(int(r.integers(3)), int(r.integers(1, 3)), float(r.choice([0.0, 0.5]))),
    lambda r: ks.NTK(int(r.integers(1, 3)), float(r.choice([0.0, 0.5]))),
    lambda r: ks.AdditiveChi2(),
    lambda r: ks.Intersection(),
    lambda r: ks.Chi2(1.0),
]
MAPS = [
    lambda r, n: pm.Tanh(),
    lambda r, n: pm.Abs(),
    lambda r, n: pm.Relu(),
    lambda r, n: pm.CRelu(),
    lambda r, n: pm.Step(),
    lambda r, n: pm.Select([int(r.integers(n))]),
    lambda r, n: pm.Affine(r.standard_normal((n, int(r.integers(1, 3)))).round(1)),
    lambda r, n: pm.Exp(),
    lambda r, n: pm.Polynomial(2),
]


def expression(rng, size, depth):
    """A random kernel on points of this many coordinates."""
    kind = rng.integers(7) if depth else 0
    if kind <= 1:
        return LEAVES[rng.integers(len(LEAVES))](rng)
    if kind == 2:
        return float(rng.choice([0.5, 3.0])) * expression(rng, size, depth - 1)
    if kind == 3:
        return expression(rng, size, depth - 1) ** int(rng.integers(2, 4))
    if kind == 4:
        phi = MAPS[rng.integers(len(MAPS))](rng, size)
        return expression(rng, phi.out_shape((size,))[0], depth - 1) @ phi
    parts = [expression(rng, size, depth - 1) for _ in range(rng.integers(2, 4))]
    return pm.kernels.Sum(tuple(parts)) if kind == 5 else pm.kernels.Product(tuple(parts))


def attacked(seeds):
    """What was decided, and the attacks that succeeded on it: certain, and by search alone."""
    decided, unknown, wrong, doubtful = 0, 0, [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        on = SPACES[rng.integers(len(SPACES))]
        kernel = expression(rng, on.size, 2)
        if kernel.undefined(on) is not None:
            continue
        probe = Probe(kernel, on, 0, 0.4)
        for goal in GOALS:
            try:
                verdict = pm.decide(kernel, goal, on=on)
            except pm.errors.DomainError:
                break
            unknown += verdict.holds is None
            for claim in claims(verdict):
                decided += 1
                found = falsify(kernel, claim, on, witness=verdict.witness, probe=probe)
                if found is not None:
                    text = f"{seed}: {kernel!r} on {on!r}: {found}"
                    (wrong if found.certain else doubtful).append(text)
    return decided, unknown, wrong, doubtful


@pytest.mark.parametrize("shard", range(4))
def test_random_expressions_withstand_the_attacks(shard):
    decided, unknown, wrong, doubtful = attacked(range(shard, 64, 4))
    assert decided > 30
    assert decided > unknown
    assert not wrong, "\n".join(wrong)
    assert len(doubtful) <= 1 + decided / 20, "\n".join(doubtful)
