"""Maps with declared true facts, and the expressions on which wrong theorems show.

Everything here is true: under the table as it stands no attack succeeds on any of it.
"""

from itertools import product as pairs
from math import inf
from typing import Any

import numpy as np
import torch

import phimaps as pm
from phimaps.testing import formula

Affine = pm.property.Affine


class Known(pm.FeatureMap):
    """A map given by two formulas, one in torch and one with many digits, and true facts."""

    name: str
    torch_rule: Any
    digit_rule: Any
    known: Any
    width: Any = None
    reach: Any = None

    def image(self, on):
        return super().image(on) if self.reach is None else pm.spaces.Image(self.reach)

    def forward(self, x):
        return self.torch_rule(x)

    def out_shape(self, shape):
        return shape if self.width is None else (self.width,)

    def facts(self, on):
        yield from self.known(on)

    def __repr__(self):
        return self.name


@formula(Known)
def _known(evaluate, phi, x):
    return phi.digit_rule(x)


def _each(rule):
    def apply(x):
        out = np.empty(x.shape, dtype=object)
        for i in np.ndindex(x.shape):
            out[i] = rule(x[i])
        return out

    return apply


def _strictly_contains(on, value):
    """Whether some coordinate certainly passes the value, the others being held."""
    chords = on.chords()
    return chords is not None and bool(((chords[0] < value) & (value < chords[1])).any())


def _may_meet(on, value):
    low, high = on.bounds()
    return bool(((low <= value) & (value <= high)).any())


def _step_facts(at):
    def known(on):
        yield pm.Injective, "it increases strictly"
        yield pm.LowerLipschitz(1.0), "x increases by as much, and the step only adds"
        if _strictly_contains(on, at):
            yield ~pm.Continuous, "it jumps"
            yield ~Affine, "it jumps"
        if not _may_meet(on, at):
            yield pm.Continuous, "the jump lies outside"
            yield pm.Lipschitz(1.0), "the jump lies outside"

    return known


def step(at):
    """x ↦ x + 1 from a point on: discontinuous and injective."""
    return Known(
        f"Step({at})",
        lambda x: x + (x >= at).to(x.dtype),
        _each(lambda t: t + 1 if t >= at else t),
        _step_facts(at),
    )


def _floor_facts(on):
    if on.infinite and _strictly_contains(on, 0.0):
        yield ~pm.Continuous, "it jumps at 0"
        yield ~Affine, "it jumps at 0"
        chords = on.chords()
        i = np.unravel_index(int(np.argmax(chords[1] - chords[0])), on.shape)
        if chords[1][i] > 0.5:
            x, y = np.array(chords[2], dtype=float), np.array(chords[2], dtype=float)
            x[i], y[i] = 0.125, 0.375
            yield ~pm.Injective, pm.Collision(x, y, "both are rounded to 0")


FLOOR = Known("Floor", torch.floor, _each(lambda t: t - (t % 1)), _floor_facts)
# It does not say that it has no value at 0, and that is all that is wrong with it.
RECIPROCAL = Known("Reciprocal", lambda x: 1 / x, _each(lambda t: 1 / t), lambda on: iter(()))


def _corner(on):
    low, high = on.bounds()
    return float(np.linalg.norm(np.maximum(np.abs(low), np.abs(high)).ravel()))


def _triple_facts(on):
    yield pm.Lipschitz(3.0), "it is linear"
    if isinstance(on, pm.spaces.Boxlike):
        yield (~pm.Bounded)(3.0 * _corner(on) * (1 - 1e-12)), "the farthest corner"


TRIPLE = Known("Triple", lambda x: 3 * x, _each(lambda t: 3 * t), _triple_facts)


def _radial_facts(on):
    yield pm.Continuous, "a polynomial"
    if isinstance(on, pm.spaces.Boxlike) and on.interior and on.compact:
        far = _corner(on)
        yield (~pm.Bounded)(far**3 * (1 - 1e-12)), "the farthest corner"
        yield (~pm.Lipschitz)(3 * far**2 * (1 - 1e-12)), "the slope along the ray to that corner"


RADIAL = Known(
    "Radial",
    lambda x: x * (x**2).sum(dim=1, keepdim=True),
    lambda x: x * sum(t * t for t in x.flat),
    _radial_facts,
)


def _dent_facts(on):
    plane = isinstance(on, pm.spaces.Boxlike) and on.interior and on.size == 2
    if plane and (on.high > 0.9).all() and (on.low <= 0.7).all():
        yield ~pm.Injective, "the corner is collapsed"
        yield ~pm.Continuous, "there is a jump at the edge of the corner"
        yield ~Affine, "there is a jump at the edge of the corner"
        yield (~pm.LowerLipschitz)(0.0), "the corner is collapsed"


# The identity, but for the corner in which every coordinate exceeds 0.8.
DENT = Known(
    "Dent",
    lambda x: torch.where((x > 0.8).all(dim=1, keepdim=True), torch.zeros_like(x), x),
    lambda x: x * 0 if all(t > 0.8 for t in x.flat) else x,
    _dent_facts,
)


def bend(at, slope):
    """x ↦ x up to a distance from 0, and with another slope farther out."""

    def known(on):
        low, high = on.bounds()
        inside = bool((low >= -at).all() and (high <= at).all())
        yield pm.Continuous, "the pieces meet"
        yield pm.Lipschitz(1.0 if inside else max(1.0, slope)), "the steeper piece"
        yield pm.LowerLipschitz(1.0 if inside else min(1.0, slope)), "the flatter piece"

    return Known(
        f"Bend({at}, {slope})",
        lambda x: x.clamp(-at, at) + slope * (x - x.clamp(-at, at)),
        _each(lambda t: max(-at, min(at, t)) + slope * (t - max(-at, min(at, t)))),
        known,
    )


def _interleave(x):
    """Two numbers in [0, 1), of 20 binary digits, into one of 40; more digits in base 3."""
    a, b = (x[:, 0] * 2**20).floor(), (x[:, 1] * 2**20).floor()
    out = torch.zeros_like(a)
    for k in range(20):
        out = out + ((a / 2**k).floor() % 2) * 4.0**k * 2 + ((b / 2**k).floor() % 2) * 4.0**k
    return out[:, None] / 4.0**20


# On points of 20 binary digits it is what the interleaving of all digits is.
INTERLEAVE = Known(
    "Interleave",
    _interleave,
    lambda x: (_ for _ in ()).throw(ZeroDivisionError),
    lambda on: iter([(pm.Injective, "the digits of both numbers stand in it")]),
    width=1,
    reach=pm.Box([0.0], [2.0]),
)

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


def classes():
    """Pull-backs of model classes."""
    maps = (pm.Identity(), pm.Tanh(), pm.Abs(), pm.Relu(), step(0.0), FLOOR, pm.Power(2))
    for f, model in pairs(maps, (pm.models.MLP(), pm.models.Linear())):
        yield model @ f, SYMMETRIC
        yield model @ f, pm.Finite([[0.25], [1.0]])
    yield pm.models.MLP(activation="identity") @ pm.Identity(), SYMMETRIC


def pool():
    """All (map, space) pairs, the tailored ones first."""
    return [*specials(), *loose_bounds(), *joined(), *classes()]
