"""The expressions on which wrong theorems show.

Everything here is true: under the table as it stands no attack succeeds on any of it.
"""

from itertools import product as pairs
from math import inf

import numpy as np

import phimaps as pm

from . import theorem_pool_calculus as calculus
from . import theorem_pool_rectifier as rectifier
from . import theorem_pool_senses as senses
from .theorem_known import (
    DENT,
    FLOOR,
    INTERLEAVE,
    RADIAL,
    RECIPROCAL,
    TRIPLE,
    bend,
    step,
)

Affine = pm.property.Affine
ONE, SYMMETRIC, POSITIVE = pm.Box([0.0], [1.0]), pm.Box([-1.0], [1.0]), pm.Box([0.5], [2.0])
PLANE, SQUARE = pm.Box([-1.0] * 2, [1.0] * 2), pm.Box([0.0] * 2, [1.0] * 2)
DISC, SHIFTED, SOLID = pm.Ball([0.0, 0.0], 1.0), pm.Ball([0.8, 0.8], 1.0), pm.Ball([0.0] * 3, 1.0)
FLAT = pm.Box([0.0, 2.0], [1.0, 2.0])

# x ↦ 2x - x through two coordinates, of which interval arithmetic knows only [-1, 2].
LOOSE = pm.Affine([[2.0], [-1.0]]) @ (pm.Identity() & pm.Identity())
MINUS = pm.Affine([[-1.0]])


def specials():
    """(map, space, whether `decide` may check the domain first)."""
    yield pm.Identity() & pm.Identity(), SYMMETRIC
    yield pm.Relu() & pm.Relu() @ MINUS, SYMMETRIC
    yield pm.Relu() @ MINUS & pm.Relu(), SYMMETRIC
    yield pm.Cos() & pm.Sin(), pm.Box([0.0], [1.0])
    yield pm.Tanh() & 0.5 * pm.Identity() & 0.25 * pm.Identity(), SYMMETRIC
    # Three parts, so that a premise about some of the others can be told from one about all.
    for f in (FLOOR, step(0.0), pm.Abs(), pm.Relu(), pm.Power(2), TRIPLE):
        for g in (pm.Identity(), FLOOR, step(0.0), pm.Relu()):
            yield f + g + -1.0 * g, SYMMETRIC
            yield f + -1.0 * f + g, SYMMETRIC
            yield g + f + -1.0 * f, SYMMETRIC
            yield pm.Tanh() @ f @ g, SYMMETRIC
            yield g @ f @ pm.Affine([[0.5]]), SYMMETRIC
            yield f & g & pm.Identity(), SYMMETRIC
            yield g & pm.Identity() & f, SYMMETRIC
    for k in (0.5, 3.0):
        yield TRIPLE + -k * pm.Identity() + -k * pm.Identity(), SYMMETRIC
        yield k * pm.Identity() + TRIPLE + -k * pm.Identity(), SYMMETRIC
        yield 2 * pm.Identity() + -k * pm.Identity() + -0.1 * pm.Identity(), SYMMETRIC
        yield pm.Affine([[k]]) @ pm.Affine([[0.1]]) @ pm.Affine([[2.0]]), SYMMETRIC
        yield pm.Affine([[0.1]]) @ pm.Affine([[k]]) @ pm.Affine([[2.0]]), SYMMETRIC
        yield pm.Affine([[k]]) @ LOOSE, ONE
        yield pm.Relu() @ pm.Affine([[k]]), SYMMETRIC
        yield pm.Abs() @ pm.Affine([[k]]), SYMMETRIC
    yield pm.Affine([[0.001]]) @ pm.Relu() @ pm.Affine([[2.0]]), SYMMETRIC
    # An outer map that misbehaves only where interval arithmetic, but no point, arrives.
    for f in (pm.Abs(), pm.Relu(), pm.LeakyRelu(0.5), FLOOR, step(-0.5), TRIPLE, pm.Power(2)):
        yield f @ LOOSE, ONE
    # An outer map that misbehaves only outside the box inscribed in a disc.
    for f in (pm.Abs(), pm.Relu(), pm.LeakyRelu(0.5), pm.Power(2), step(0.0), FLOOR, TRIPLE):
        yield f @ (2.0 * pm.Identity()), SHIFTED
        yield f @ (1.0 * pm.Identity()), SHIFTED
    yield step(1.9) @ (2.0 * pm.Identity()), DISC
    yield pm.Power(2) @ (2.0 * pm.Identity()), DISC
    # Chains of affine maps, some affine only where they are asked about.
    yield pm.LeakyRelu(0.5) @ pm.Affine([[20.0]], [-10.0]), pm.Box([0.0], [0.1])
    yield pm.LeakyRelu(2.0) @ pm.Affine([[20.0]], [-10.0]), pm.Box([0.0], [0.1])
    yield pm.LeakyRelu(0.5) @ pm.Affine([[20.0]], [-10.0]), ONE
    for weight in ([[1.0, 0.0], [0.0, 5.0]], [[5.0, 0.0], [0.0, 1.0]], [[1.0], [2.0]]):
        for on in (FLAT, PLANE, SQUARE):
            yield pm.Flatten() @ pm.Affine(weight), on
    # The halves of a concatenated rectifier, averaged apart and averaged together.
    for low in (-1.0, 0.0):
        for scale in (0.1, 1.0):
            z = pm.Conv2d(np.full((1, 1, 1, 1), scale))
            yield pm.Flatten() @ pm.CRelu() @ z, pm.Images(1, 2, 2, low, 1.0)
    together = pm.AvgPool2d(size=(1, 2), ceil_mode=True, in_shape=(1, 1, -1))
    yield together @ pm.CRelu() @ pm.Affine([[1.0]]), SYMMETRIC
    # Where the first map is steepest, or flattest, the second is not what it is further in.
    yield bend(0.05, 0.001) @ pm.Power(9), DISC
    yield bend(0.9, 100.0) @ pm.Sin(), pm.Ball([0.0, 0.0], 1.5)
    yield 2.0 * pm.Normalize(), PLANE
    yield pm.Abs() * pm.Select([1]), pm.Box([-1.0, 2.0], [1.0, 2.0])
    yield pm.Power(2) * pm.Select([1]), pm.Box([-1.0, 2.0], [1.0, 2.0])
    yield pm.Identity() * pm.Identity(), FLAT
    yield pm.Identity() * pm.Select([1]), pm.Box([0.0, 0.1], [1.0, 0.1])
    yield pm.Power(2) & pm.Tanh(), POSITIVE
    whole = pm.Log() @ pm.Exp()
    yield whole, ONE
    yield whole.on(ONE), ONE
    yield pm.assume(whole, pm.Continuous, because="it is true"), ONE
    yield pm.product(DENT, pm.Identity(), widths=(2, 1)), SOLID
    yield pm.product(RADIAL, 1e-3 * pm.Identity(), widths=(2, 1)), SOLID
    yield pm.product(pm.Identity(), DENT, widths=(1, 2)), SOLID
    yield pm.product(0.0 * pm.Identity(), RADIAL, widths=(1, 2)), SOLID
    yield pm.product(pm.Affine([[5.0]]), pm.Identity(), widths=(1, 1)), FLAT
    yield pm.Identity() * pm.Select([1]), FLAT
    yield pm.Select([1]) * pm.Identity(), FLAT
    yield pm.Select([0]) * pm.Select([1]), FLAT
    yield pm.Select([0]) * (0.1 * pm.Select([1])), FLAT
    yield pm.Select([0]), FLAT
    yield pm.Select([0]) & 0.5 * pm.Select([0]), FLAT
    yield pm.Select([0]), pm.Finite([[0.0, 0.0], [1.0, 1.0]])
    yield INTERLEAVE, pm.Box([0.0, 0.0], [0.99, 0.99])
    idle = pm.Affine([[0.0], [0.0]], [-1.0])
    yield pm.Relu() @ (INTERLEAVE & idle), pm.Box([0.0, 0.0], [0.99, 0.99])
    yield pm.LeakyRelu(0.5) @ pm.Affine([[1.0, 0.0], [0.0, 1.0]], [-2.0, -2.0]), PLANE
    yield pm.Relu() @ pm.Affine([[1.0, 0.0], [0.0, 1.0]], [2.0, 2.0]), PLANE
    # On [0, 1] a map that merges on the other side of 0 does not.
    for f in (pm.Power(2), pm.Abs(), pm.LeakyRelu(0.5), step(2.0)):
        yield f.on(ONE), ONE
    yield pm.Affine([[1.0], [1.0]]), DISC
    yield pm.assume(pm.Relu(), pm.Lipschitz(1.0), because="it is true"), SYMMETRIC
    yield pm.assume(pm.Abs(), pm.Continuous, because="it is true"), SYMMETRIC
    yield pm.assume(FLOOR, pm.Bounded(2.0), because="it is true"), SYMMETRIC
    yield pm.assume(TRIPLE, pm.Lipschitz(9.0), because="it is true"), SYMMETRIC
    yield pm.assume(pm.Power(3), pm.Bounded(9.0), because="it is true"), SYMMETRIC
    yield pm.assume(2.0 * pm.Identity(), pm.Continuous, because="it is true"), SYMMETRIC
    yield pm.assume(pm.Relu() @ MINUS, pm.Continuous, because="true"), pm.Box([-0.5], [3.0])
    yield pm.assume(pm.Tanh() @ pm.Affine([[2.0]]), pm.Continuous, because="true"), SYMMETRIC
    for f in (pm.Identity(), pm.Tanh(), FLOOR, step(0.0), pm.Power(2)):
        yield 0.0 * f, SYMMETRIC
        yield 0.0 * f, pm.Box([1.5], [1.5])
    yield 0.0 * pm.Identity(), pm.Finite([[1.0], [1.0]])


def loose_bounds():
    """Maps of which the bounds known are not the best, under every combinator with one part."""
    tight = pm.Tanh() @ pm.Affine([[2.0]]) @ pm.Tanh()
    wide = LOOSE
    for f, on in ((tight, SYMMETRIC), (wide, ONE), (pm.Relu() @ pm.Affine([[2.0]]), SYMMETRIC)):
        yield f.on(on), on
        yield 2.0 * f, on
        yield pm.assume(f, pm.Continuous, because="it is true"), on
        yield pm.product(f, f, widths=(1, 1)), pm.Box([*on.low] * 2, [*on.high] * 2)
        yield f & f, on
        yield f + f, on
        yield f * f, on
        yield pm.Affine([[1.0]]) @ f, on
    yield pm.Identity().on(pm.Ball([0.0, 0.0], 1.0)), pm.Ball([0.0, 0.0], 1.0)
    yield 2.0 * pm.Identity(), DISC
    yield pm.assume(pm.Identity(), pm.Continuous, because="it is true"), DISC
    yield pm.Identity() @ pm.Identity(), DISC
    yield pm.Identity(), DISC


LEAVES = (
    pm.Identity(), MINUS, pm.Relu(), pm.Abs(), pm.Tanh(), pm.Power(2), FLOOR, step(0.0), TRIPLE,
    0.0 * pm.Identity(), pm.Affine([[0.25]]),
)  # fmt: skip


def joined():
    """Every two leaves under every combinator."""
    for f, g in pairs(LEAVES, LEAVES):
        yield f @ g, SYMMETRIC
        yield f & g, SYMMETRIC
        yield f + g, SYMMETRIC
        yield f * g, SYMMETRIC
        yield f * g, pm.Box([0.25], [1.0])
        yield pm.product(f, g, widths=(1, 1)), PLANE
    for f, c in pairs(LEAVES, (2.0, -0.5, 0.0)):
        yield c * f, SYMMETRIC
        yield f, SYMMETRIC
        yield f.on(SYMMETRIC), SYMMETRIC
        yield pm.assume(f, Affine if f is MINUS else pm.Bounded(inf), because="true"), SYMMETRIC


def outside():
    """Maps asked about where they have no values, without `decide`'s own check of the domain."""
    yield 0.0 * RECIPROCAL, SYMMETRIC
    yield 0.0 * RECIPROCAL, pm.Finite([[0.0], [1.0]])
    yield from calculus.outside()


def classes():
    """Pull-backs of model classes."""
    maps = (pm.Identity(), pm.Tanh(), pm.Abs(), pm.Relu(), step(0.0), FLOOR, pm.Power(2))
    for f, model in pairs(maps, (pm.models.MLP(), pm.models.Linear())):
        yield model @ f, SYMMETRIC
        yield model @ f, pm.Finite([[0.25], [1.0]])
    yield pm.models.MLP(activation="identity") @ pm.Identity(), SYMMETRIC
    for model in (
        pm.models.Polynomial(2), pm.models.Polynomials(), pm.models.MLP("square", width=5),
        pm.models.RBFNetwork(), pm.models.KernelRidge("poly"), pm.models.RandomFeatureModel(6),
        pm.models.Trees(), pm.models.KNeighbors(), pm.models.Monotone(), pm.models.LipschitzNet(),
    ):  # fmt: skip
        yield model @ pm.Identity(), SYMMETRIC
        yield model @ (-0.5 * pm.Identity()), SYMMETRIC
    for model in (pm.models.Additive(), pm.models.BoostedTrees(1), pm.models.BoostedTrees(2)):
        yield model @ pm.Identity(), PLANE
        yield model @ pm.Affine([[1.0], [1.0]]), PLANE


def pool():
    """All (map, space) pairs, the tailored ones first."""
    first = [*specials(), *calculus.pool(), *rectifier.pool()]
    return [*first, *loose_bounds(), *joined(), *classes(), *senses.pool()]
