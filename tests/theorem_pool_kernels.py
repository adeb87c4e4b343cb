"""Kernels on which wrong theorems about kernels show; everything here is true."""

import phimaps as pm
from phimaps.kernels import Constant, Linear, Power, Product, Pullback, Scaled, Sum
from phimaps.models.family import FamilyPullback

from .theorem_known import FLOOR, step
from .theorem_known_kernels import (
    AFFINE,
    DOT,
    GAUSS,
    JUMP,
    MINIMUM,
    NEGATIVE,
    REST,
    SINC,
    TORN,
    WIND,
    negative,
)
from .theorem_pool_calculus import SWAP

LINE, ONE, PLANE = pm.Box([-1.0], [1.0]), pm.Box([0.0], [1.0]), pm.Box([-1.0] * 2, [1.0] * 2)
HALVES = pm.Box([1.0], [1.96875])
TURN = pm.Box([0.0], [1.0], closed="left")


def leaves():
    """Kernels themselves."""
    for k in (GAUSS, DOT, AFFINE, JUMP, NEGATIVE):
        yield k, LINE
    yield MINIMUM, ONE
    yield TORN, HALVES
    yield SINC, pm.Euclidean(1)
    yield SINC, LINE
    yield GAUSS, pm.Finite([[0.0], [1.0]])
    yield Linear(), LINE
    yield Linear(), pm.Finite([[1.0, 0.0], [0.0, 1.0]])
    yield AFFINE, pm.Finite([[1.0], [0.5]])


def joined():
    """Sums and products, of three parts where the place counts."""
    for k in (GAUSS, DOT, AFFINE, JUMP, NEGATIVE):
        for other in (GAUSS, DOT, AFFINE, JUMP, NEGATIVE):
            yield Sum((k, other)), LINE
            yield Product((k, other)), LINE
    for k in (DOT, JUMP, NEGATIVE):
        yield Sum((GAUSS, k, AFFINE)), LINE
        yield Sum((GAUSS, AFFINE, k)), LINE
        yield Sum((AFFINE, GAUSS, k)), LINE
        yield Sum((AFFINE, AFFINE, k)), LINE
        yield Sum((AFFINE, k, AFFINE)), LINE
        yield Product((GAUSS, k, AFFINE)), LINE
        yield Product((GAUSS, AFFINE, k)), LINE
    yield Sum((MINIMUM, DOT)), ONE
    less = negative(1.0, MINIMUM)
    yield Sum((MINIMUM, Constant(1.0))), ONE
    yield Sum((Constant(1.0), MINIMUM)), ONE
    yield Sum((MINIMUM, less)), ONE
    yield Sum((MINIMUM, Constant(1.0), less)), ONE
    yield Sum((MINIMUM, less, Constant(1.0))), ONE
    yield Sum((TORN, Constant(1.0))), HALVES
    yield Sum((Constant(1.0), TORN)), HALVES
    yield Sum((DOT, Constant(1.0))), LINE
    for k in (GAUSS, DOT, AFFINE, JUMP, NEGATIVE):
        yield Scaled(2.0, k), LINE
        yield Power(k, 2), LINE
        yield Power(k, 3), LINE
    yield Scaled(2.0, MINIMUM), ONE


def pulled():
    """Kernels of features."""
    for phi in (pm.Tanh(), pm.Abs(), step(0.0), FLOOR, pm.Identity()):
        for k in (GAUSS, DOT, AFFINE, JUMP, NEGATIVE):
            yield Pullback(k, phi), LINE
    yield Pullback(MINIMUM, pm.Identity()), ONE
    yield Pullback(TORN, SWAP), HALVES
    yield Pullback(REST, WIND), TURN
    first, second = pm.Select([0]), pm.Select([1])
    yield Product((Pullback(GAUSS, first), Pullback(GAUSS, second))), PLANE
    yield Product((Pullback(GAUSS, first), Pullback(GAUSS, first))), PLANE
    yield Product((Pullback(DOT, first), Pullback(DOT, second))), PLANE
    yield Product((Pullback(GAUSS, step(0.0)), Pullback(GAUSS, pm.Identity()))), LINE
    yield Sum((Pullback(GAUSS, first), Pullback(GAUSS, second))), PLANE


class Band(pm.FeatureMap):
    """Waves with frequencies from a band; their kernel is the sinc."""

    def spans(self, d):
        return SINC if d == 1 else None


def families():
    """Affine functions of the maps of a family, which come near to the functions of a kernel."""
    linear = pm.models.Linear()
    yield FamilyPullback(linear, pm.RandomRelu.family()), pm.Sphere([0.0, 0.0], 1.0)
    yield FamilyPullback(linear, pm.RandomFourier(gamma=1.0).family()), LINE
    yield FamilyPullback(linear, pm.Polynomial.family() @ pm.Abs()), LINE
    # Universal on all compact sets, though two measures on the whole line look alike.
    yield FamilyPullback(linear, Band().family()), pm.Euclidean(1)
    coupling, bent = pm.CouplingNetwork.family(), pm.ReconfigurationNetwork.family()
    for family in (coupling, bent, pm.InvertibleResidualNetwork.family(), pm.CReluNetwork.family()):
        yield FamilyPullback(linear, family), LINE
    for before in (pm.Tanh(), pm.Abs(), step(0.0)):
        yield FamilyPullback(linear, coupling @ before), LINE
    yield FamilyPullback(linear, bent @ pm.Tanh()), LINE
    yield FamilyPullback(linear, bent), pm.Finite([[0.25], [1.0]])


def pool():
    """All (kernel or class, space) pairs."""
    return [*leaves(), *joined(), *pulled(), *families()]
