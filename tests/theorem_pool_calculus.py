"""Expressions on which wrong theorems about smoothness, embeddings, images and symmetry show."""

from functools import cache
from math import inf

import numpy as np
import torch

import phimaps as pm

from .theorem_known import FLOOR, Known, bend, each, step, strictly_contains

R1, R2 = pm.Euclidean(1), pm.Euclidean(2)
ONE, SYMMETRIC = pm.Box([0.0], [1.0]), pm.Box([-1.0], [1.0])
PLANE = pm.Box([-1.0, -1.0], [1.0, 1.0])
HALF_OPEN, OPEN = pm.Box([0.0], [1.0], closed="left"), pm.Box([0.0], [1.0], closed="neither")
HALF_DIAGONAL = pm.Subspace([[1.0, 1.0]], within=pm.Box([0.0], [1.0], closed="left"))
DISC = pm.Ball([0.0, 0.0], 1.0)
DIAGONAL = pm.Subspace([[1.0, 1.0]])
SEGMENT = pm.Subspace([[2.0, 1.0]], offset=[0.0, 1.0], within=SYMMETRIC)
SPHERE, SIMPLEX = pm.Sphere([0.0, 0.0, 0.0], 1.0), pm.Simplex(3)
POINTS = pm.Finite([[-1.0], [0.25], [1.0], [3.0]])


@cache
def motions(shape):
    """A change of all signs, and the exchange of two coordinates."""
    found = [-1.0 * pm.Identity()]
    if len(shape) == 1 and shape[0] > 1:
        found.append(pm.Select([1, 0, *range(2, shape[0])]))
    return found


def _jump_facts(on):
    yield pm.Bounded(1.0), "its values are 0 and 1"
    if strictly_contains(on, 0.0):
        yield ~pm.Continuous, "it jumps at 0"


JUMP = Known(
    "Jump",
    lambda x: (x >= 0).to(x.dtype),
    each(lambda t: t * 0 + 1 if t >= 0 else t * 0),
    _jump_facts,
    reach=pm.Box([0.0], [1.0]),
)
CONSTANT = Known(
    "One",
    torch.ones_like,
    each(lambda t: t * 0 + 1),
    lambda on: iter([(pm.Continuous, "constant"), (pm.Smooth(inf), "constant")]),
    reach=pm.Box([1.0], [1.0]),
)


def _eight(x):
    return [x * (1 + x**2) / (1 + x**4), x * (1 - x**2) / (1 + x**4)]


# The lemniscate of Bernoulli: it comes back to its middle, φ(0), only at infinity.
EIGHT = Known(
    "Eight",
    lambda x: torch.cat(_eight(x), dim=1),
    lambda x: np.array(_eight(x[0]), dtype=object),
    lambda on: iter(
        [
            (pm.Continuous, "a rational function"),
            (pm.Injective, "the ratio of the coordinates gives t², the first the sign of t"),
        ]
    ),
    width=2,
)


def _within(on, least, most):
    low, high = on.bounds()
    return bool((low >= least).all() and (high <= most).all())


def _turned_facts(on):
    if _within(on, -1.0, 1.0):
        yield pm.Injective, "it falls from 0 to -1, and rises from 0, not included, to 1"


# Towards 0 from the right it tends to the value at -1, without a collision.
TURNED = Known(
    "Turned",
    lambda x: torch.where(x > 0, x, -1 - x),
    each(lambda t: t if t > 0 else -1 - t),
    _turned_facts,
)


def _pole_facts(on):
    if _within(on, 0.0, 1.0):
        yield pm.LowerLipschitz(1.0), "|1/x - 1/y| = |x - y| / xy, and 1/x >= x"


POLE = Known(
    "Pole",
    lambda x: torch.where(x == 0, x, 1 / torch.where(x == 0, torch.ones_like(x), x)),
    each(lambda t: t if t == 0 else 1 / t),
    _pole_facts,
)


def _angle_digits(x):
    import mpmath

    return np.array([mpmath.atan2(x[1], x[0])], dtype=object)


def _angle_facts(on):
    if isinstance(on, pm.Sphere) and not on.center.any():
        yield pm.Injective, "a point of the circle is determined by its angle"


# It jumps from π to -π.
ANGLE = Known(
    "Angle",
    lambda x: torch.atan2(x[:, 1:2], x[:, :1]),
    _angle_digits,
    _angle_facts,
    width=1,
)


def _swap_facts(on):
    if strictly_contains(on, 1.5):
        yield ~pm.Continuous, "it jumps at 3/2"


# Exchanges the halves of [1, 2), without rounding; twice, it is the identity.
SWAP = Known(
    "Swap",
    lambda x: torch.where(x < 1.5, x + 0.5, x - 0.5),
    each(lambda t: t + 0.5 if t < 1.5 else t - 0.5),
    _swap_facts,
    reach=pm.Box([1.0], [2.0]),
    fills=pm.Box([1.25], [1.75]),
)


def _polar_digits(x):
    import mpmath

    t = 2 * mpmath.pi * x[0]
    return np.array([(1 + x[1]) * mpmath.cos(t), (1 + x[1]) * mpmath.sin(t)], dtype=object)


def _polar(x):
    t, r = 2 * torch.pi * x[:, :1], 1 + x[:, 1:]
    return torch.cat([r * torch.cos(t), r * torch.sin(t)], dim=1)


def _turn_digits(x):
    import mpmath

    t = mpmath.atan2(x[1], x[0])
    return np.array([t if t >= 0 else t + 2 * mpmath.pi], dtype=object)


def _turn(x):
    t = torch.atan2(x[:, 1:], x[:, :1])
    return torch.where(t >= 0, t, t + 2 * torch.pi)


def _turn_facts(on):
    low, high = on.bounds()
    if isinstance(on, pm.Box) and low[0] > 0 and low[1] < 0 < high[1]:
        yield ~pm.Continuous, "the angle jumps from 2π to 0"


# The angle of a point given by its angle in [0, 1) turns, and its distance from the circle.
POLAR = Known(
    "Polar",
    _polar,
    _polar_digits,
    lambda on: iter([(pm.Continuous, "sine and cosine")]),
    width=2,
    reach=pm.Box([-2.0, -2.0], [2.0, 2.0]),
    fills=pm.Box([1.25, -0.25], [1.5, 0.25]),
)
TURN = Known("Turn", _turn, _turn_digits, _turn_facts, width=1)


def _bow_facts(on):
    yield pm.Continuous, "a parabola with two branches"
    yield pm.Injective, "it increases"
    yield pm.Smooth(1.0), "its slope is 2|x|"
    if strictly_contains(on, 0.0):
        yield (~pm.Smooth)(1.0), "its second derivative jumps from -2 to 2"


# Once continuously differentiable, and not twice.
BOW = Known("Bow", lambda x: x * x.abs(), each(lambda t: t * abs(t)), _bow_facts)


def _swapped_sum_facts(on):
    high = on.bounds()[1]
    if on.shape == (2,) and (high <= 0.8).all():
        yield pm.Invariant(motions((2,))[1]), "below 0.8 it is the sum"


# The sum of two coordinates, but where the first exceeds 0.8.
LOPSIDED = Known(
    "Lopsided",
    lambda x: x.sum(dim=1, keepdim=True) + 5 * (x[:, :1] - 0.8).clamp(min=0),
    lambda x: np.array([x[0] + x[1] + 5 * max(x[0] - 0.8, 0)], dtype=object),
    _swapped_sum_facts,
    width=1,
)


def embeddings():
    """For homeomorphisms, proper maps and universality-keeping maps."""
    yield EIGHT, R1
    yield EIGHT & EIGHT, R1
    yield pm.Identity(), HALF_OPEN
    yield pm.Identity(), OPEN
    yield pm.product(pm.Identity(), pm.Identity(), widths=(1, 1)), HALF_DIAGONAL
    for f in (pm.Identity(), pm.Tanh(), pm.Abs(), pm.Power(2), 0.0 * pm.Identity(), BOW):
        yield f, R1
        yield 2.0 * f, R1
        yield f @ f, R1
        yield f & f, R1
        yield f.on(R1), R1
        yield pm.product(f, pm.Identity(), widths=(1, 1)), R2
    yield pm.Affine([[1.0], [2.0]]), R2
    yield pm.Affine([[1.0, 0.0], [1.0, 0.0]]), R2
    for other in (-1.0 * pm.Identity(), JUMP):
        yield pm.Identity() + other + pm.Hardtanh(), R1
        yield pm.Identity() + pm.Hardtanh() + other, R1
        yield other + pm.Identity() + pm.Hardtanh(), R1
    rough = JUMP & CONSTANT
    above = pm.Affine([[1.0]], [2.0])
    yield above * rough, SYMMETRIC
    yield above * rough * CONSTANT, SYMMETRIC
    yield above * CONSTANT * rough, SYMMETRIC
    yield pm.Identity() * CONSTANT, SYMMETRIC
    yield pm.Identity() * pm.Identity(), SYMMETRIC
    yield step(0.0), SYMMETRIC
    yield FLOOR, SYMMETRIC
    yield TURNED, SYMMETRIC
    yield SWAP @ SWAP, pm.Box([1.0], [1.96875])
    yield TURN @ POLAR, pm.Box([0.0, 0.0], [1.0, 1.0], closed="left")
    yield FLOOR @ pm.Affine([[2.0], [1.0]]), PLANE
    yield POLE, ONE
    yield ANGLE, pm.Sphere([0.0, 0.0], 1.0)


def rough():
    """For smoothness."""
    for f in (BOW, pm.Abs(), pm.Tanh()):
        yield f, SYMMETRIC
        yield pm.Tanh() @ f, SYMMETRIC
        yield f @ pm.Tanh(), SYMMETRIC
        yield f @ pm.Power(3), SYMMETRIC
        yield pm.Power(2) @ f, SYMMETRIC
        yield f @ pm.Affine([[2.0]], [0.5]), SYMMETRIC
        yield f & pm.Tanh() & BOW, SYMMETRIC
        yield pm.Tanh() & BOW & f, SYMMETRIC
        yield f + pm.Tanh() + -1.0 * f, SYMMETRIC
        yield f + -1.0 * f + pm.Tanh(), SYMMETRIC
        yield f + BOW, SYMMETRIC
        yield f * pm.Identity(), SYMMETRIC
        yield f * BOW, SYMMETRIC
        yield f.on(ONE), ONE
        yield f.on(SYMMETRIC), SYMMETRIC
        yield pm.assume(f, pm.Continuous, because="it is true"), SYMMETRIC
        yield pm.product(f, pm.Tanh(), widths=(1, 1)), PLANE
        yield pm.product(pm.Tanh(), f, widths=(1, 1)), PLANE
        for c in (2.0, 0.0):
            yield c * f, SYMMETRIC
    yield pm.Abs() @ (1.0 * pm.Identity()), pm.Ball([0.8, 0.8], 1.0)
    yield pm.Affine([[1.0]], [2.0]) * BOW, SYMMETRIC
    # Two turns by an eighth: interval arithmetic knows only a square of twice the size.
    eighth = np.sqrt(0.5) * np.array([[1.0, 1.0], [-1.0, 1.0]])
    yield pm.Abs() @ pm.Affine(eighth, [1.5, 1.5]) @ pm.Affine(eighth), PLANE


def _spread(x):
    y = x.abs()
    whole = (y * 2**20).floor()
    a, b = torch.zeros_like(y), torch.zeros_like(y)
    for k in range(20):
        a = a + ((whole / 4.0**k).floor() % 2) * 2.0**k
        b = b + ((whole / 4.0**k / 2).floor() % 2) * 2.0**k
    return torch.cat([a, b], dim=1) / 2.0**10 - 512


# Every second binary digit makes one number, the rest another; with all digits it is onto.
SPREAD = Known(
    "Spread",
    _spread,
    lambda x: (_ for _ in ()).throw(ZeroDivisionError),
    lambda on: iter([(pm.Surjective, "any two numbers can be interleaved")]),
    width=2,
)


def onto():
    """For maps onto R^d, and for dense images."""
    for f in (pm.Identity(), pm.Tanh(), pm.Exp(), pm.Power(3), pm.Affine([[2.0]], [1.0])):
        yield f, R1
        yield f @ pm.Identity(), R1
        yield f @ pm.Tanh(), R1
        yield f & f, R1
        yield f.on(R1), R1
        yield pm.assume(f, pm.Continuous, because="it is true"), R1
        yield pm.product(f, pm.Identity(), widths=(1, 1)), R2
        yield pm.product(pm.Identity(), f, widths=(1, 1)), R2
        for c in (2.0, 0.0):
            yield c * f, R1
    yield pm.Affine([[1.0, 2.0]]), R1
    yield pm.Affine([[1.0], [2.0]]), R2
    yield pm.Identity() & pm.Power(3), R1
    yield pm.Select([0]) & pm.Select([1]), R2
    # Of what reaches the second map, interval arithmetic knows a bounded part only.
    yield pm.Identity() @ pm.Affine([[1.0], [-1.0]]), pm.NonNegative(2)
    yield pm.product(pm.Identity(), pm.Identity(), widths=(1, 1)), DIAGONAL


def flat():
    """On pieces of subspaces, spheres, simplices and finite sets."""
    turn = pm.Affine([[1.0, 0.5], [-0.5, 1.0]])
    for on in (DIAGONAL, SEGMENT):
        for f in (
            *(turn, pm.Tanh(), pm.Abs(), FLOOR, step(0.0), BOW, pm.Select([0]), 0.0 * turn),
            *(pm.Affine([[1.0], [-1.0]]), pm.Affine([[1.0], [1.0]]), pm.Power(2), 3.0 * turn),
        ):
            yield f, on
            yield pm.Identity() @ f, on
    for f in (pm.Identity(), pm.Select([0]), pm.Select([0, 1]), pm.Tanh(), FLOOR, pm.Abs()):
        yield f, SPHERE
        yield f, SIMPLEX
    for f in (pm.Identity(), pm.Tanh(), pm.Abs(), FLOOR, pm.Power(2), step(0.0), 0.0 * pm.Tanh()):
        yield f, POINTS
        yield f, pm.Finite([[0.25]])
        yield f & pm.Tanh(), POINTS
    yield pm.Identity(), pm.Categories(3)
    yield pm.Tanh(), pm.Finite([[0.0], [1.0]], distances=[[0.0, 5.0], [5.0, 0.0]])


def symmetric():
    """For homogeneous maps and motions."""
    total = pm.Affine([[1.0], [1.0]])
    yield pm.Sort(), PLANE
    for f in (
        *(total, pm.Abs(), pm.Tanh(), pm.Power(2), pm.Relu(), pm.Diagonal([1.0, 2.0], [0.0, 0.0])),
        *(pm.Affine([[1.0], [2.0]]), pm.Cos(), pm.Affine([[1.0, 0.0], [1.0, 0.0]], [1.0, 0.0])),
        *(pm.Affine([[0.0, 0.0], [0.0, 0.0]]), pm.Identity(), LOPSIDED),
    ):
        yield f, PLANE
        yield 2.0 * f, PLANE
        yield 0.0 * f, PLANE
        yield f & total, PLANE
        yield total & f, PLANE
        yield f & total & f, PLANE
        yield f * total, PLANE
        yield total * f, PLANE
        yield f * total * f, PLANE
        yield f.on(PLANE), PLANE
        yield pm.assume(f, pm.Lipschitz(1e9), because="true"), PLANE
    # The first part sees the motion, or the last does.
    for f, g in ((total, pm.Affine([[1.0], [2.0]])), (pm.Affine([[1.0], [2.0]]), total)):
        yield f + g + total, PLANE
        yield total + f + g, PLANE
        yield f & g & total, PLANE
        yield total & f & g, PLANE
        yield f * g * total, PLANE
        yield total * f * g, PLANE
    for inner in (pm.Tanh(), pm.Diagonal([1.0, 2.0], [0.0, 0.0]), pm.Relu(), pm.Power(2)):
        yield total @ inner, PLANE
        yield total @ pm.Relu() @ inner, PLANE
        yield pm.Affine([[1.0], [2.0]]) @ inner, PLANE
    yield total @ pm.Diagonal([1.0, 1.0], [0.0, 1.0]), PLANE
    yield pm.Tanh() @ total, PLANE
    yield pm.Abs() @ total, PLANE
    yield pm.Relu() @ pm.Power(2), SYMMETRIC
    yield pm.Power(2) @ pm.Relu(), SYMMETRIC
    yield pm.Tanh() @ pm.Power(2), SYMMETRIC
    yield pm.Power(2) @ pm.Tanh(), SYMMETRIC
    yield pm.Relu() @ pm.Tanh() @ pm.Abs(), SYMMETRIC
    for f, g in ((pm.Relu(), pm.Power(2)), (pm.Power(2), pm.Relu()), (pm.Tanh(), pm.Relu())):
        yield f + g + f, SYMMETRIC
        yield f & g & f, SYMMETRIC
        yield f * g, SYMMETRIC
        yield pm.product(f, g, widths=(1, 1)), PLANE
        yield pm.product(g, f, widths=(1, 1)), PLANE
    for shape in (DISC, pm.Ball([0.4, 0.4], 0.6)):
        yield LOPSIDED @ pm.Tanh(), shape
        yield LOPSIDED @ pm.Relu(), shape
        yield bend(0.8, 3.0) @ (1.0 * pm.Identity()), shape
        yield bend(0.8, 3.0) @ pm.Identity(), shape


def classes():
    """Pull-backs of a linear class to finite sets."""
    plane = pm.Finite([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    for f in (pm.Identity(), pm.Tanh(), pm.Affine([[1.0], [1.0]])):
        yield pm.models.Linear() @ f, plane
        yield pm.models.MLP() @ f, plane
    yield pm.models.Linear() @ pm.Identity(), pm.Finite([[0.0], [1.0], [2.0]])
    yield pm.models.Linear() @ pm.Identity(), pm.Finite([[0.0], [1.0]])


def outside():
    """Without `decide`'s own checks: claims that no attack can test in floating point."""
    yield SPREAD, R1


def pool():
    """All (map, space) pairs."""
    parts = (embeddings, rough, onto, flat, symmetric, classes)
    return [pair for part in parts for pair in part()]
