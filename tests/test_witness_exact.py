"""What a witness claims exactly is recomputed without rounding."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.testing.precise import traced
from phimaps.witness import AnnihilatingMeasure, Collision
from phimaps.witness.exact import agreement, rational_square, rational_values

TURN = pm.Affine([[0.1, -0.7], [0.3, 2.0]], [0.2, -0.1])
RATIONAL = [
    pm.Identity(),
    TURN,
    pm.Diagonal([0.1, -3.0], [0.3, 0.0]),
    pm.Select([1, 0]),
    pm.Select([1]),
    pm.Relu() @ TURN,
    pm.LeakyRelu(0.1) @ TURN,
    pm.Abs() @ TURN @ pm.Power(3),
    pm.CRelu() @ TURN,
    pm.Step(0.1) @ TURN,
    pm.Power(5),
    pm.Flatten() @ TURN,
    TURN & pm.Abs() & 0.1 * pm.Power(2),
    TURN + 0.3 * pm.Relu(),
    pm.product(pm.Power(2), pm.Relu(), widths=(1, 1)),
    pm.assume(TURN, pm.Continuous, because="it is"),
    TURN.on(pm.Box([-9.0] * 2, [9.0] * 2)),
    pm.Standardize().bind([[0.1, 1.0], [0.7, 2.0]]),
    pm.Standardize().fit([[0.1, 1.0], [0.7, 2.0]]),
]


@pytest.mark.parametrize("phi", RATIONAL, ids=repr)
def test_rational_values_are_the_true_ones(phi):
    for x in (np.array([0.1, -0.3]), np.array([-2.7, 1 / 3]), np.array([0.0, -5e-324])):
        found = rational_values(phi, x)
        closed = vars(phi).get("map_", phi)
        with mpmath.workdps(2000):
            exact = traced(closed, x, 2000)[0].ravel()
            assert len(exact) == len(found)
            for a, b in zip(found, exact, strict=True):
                # A rational number of float64 numbers has fewer digits than these.
                assert abs(mpmath.mpf(a.numerator) / a.denominator - b) <= abs(b) * 1e-1900


@pytest.mark.parametrize(
    "phi",
    [
        pm.Tanh(),
        pm.Tanh() @ TURN,
        TURN & pm.Tanh(),
        TURN + pm.Tanh(),
        pm.product(pm.Identity(), pm.Tanh(), widths=(1, 1)),
        pm.product(pm.Identity(), pm.Identity(), widths=(1, -1)),
        pm.Power(0.5) @ pm.Abs(),
        pm.Power(100),
        pm.Affine([[1.0]]),
        pm.Standardize(),
        2.0 * pm.Tanh(),
        pm.Identity() * pm.Identity(),
        torch.abs,
    ],
    ids=lambda phi: getattr(phi, "__name__", repr(phi)),
)
def test_of_other_steps_no_rational_value_is_claimed(phi):
    assert rational_values(phi, np.array([0.25, 0.5])) is None


def test_nan_and_infinity_are_no_rational_numbers():
    assert rational_values(pm.Identity(), np.array([np.nan])) is None
    assert rational_values(pm.Identity(), np.array([np.inf])) is None
    assert rational_square(pm.kernels.Linear(), np.array([[np.inf]]), np.array([1.0])) is None


def test_a_collision_that_misses_by_less_than_rounding_is_none():
    near = np.nextafter(0.1, 1.0)
    pair = Collision(np.array([-near]), np.array([0.1]), "even")
    phi = pm.Power(2)
    # As numbers near to a pair it would do; as the pair itself it does not.
    assert Collision(pair.x, pair.y, "even", exact=False).verify(phi)
    assert not pair.verify(phi)
    assert Collision(np.array([-0.1]), np.array([0.1]), "even").verify(phi)
    # A tolerance does not make it one.
    assert not pair.verify(phi, tolerance=1.0)


def test_disjoint_intervals_refute_and_overlapping_ones_do_not_prove():
    saturated = Collision(np.array([20.0]), np.array([36.0]), "both are 1")
    assert agreement(pm.Tanh(), saturated.x, saturated.y) == (None, "interval")
    apart = Collision(np.array([0.5]), np.array([0.5 + 1e-9]), "near")
    assert not apart.verify(pm.Exp(), tolerance=1e-6)
    assert Collision(apart.x, apart.y, "near", exact=False).verify(pm.Exp(), tolerance=1e-6)
    even = Collision(np.array([-0.7]), np.array([0.7]), "even")
    assert even.verify(pm.Cos())
    assert even.recomputed(pm.Cos()) == "interval"


def test_a_collision_says_in_which_numbers_it_is_compared():
    pair = Collision(np.array([-1.0]), np.array([1.0]), "even")
    assert pair.recomputed(pm.Abs()) == "rational"
    assert pair.recomputed(pm.Abs().fit([[0.0]])) == "rational"
    assert pair.recomputed(torch.abs) == "float64"
    assert pair.recomputed(pm.from_function(torch.abs)) == "float64"
    assert Collision(pair.x, pair.y, "even", exact=False).recomputed(pm.Abs()) == "float64"


@pytest.mark.parametrize("arithmetic", ["float64", "float32"])
def test_a_collision_bit_by_bit_is_one_of_the_computed_map_only(arithmetic):
    steep, on = pm.Tanh() @ pm.Affine([[10.0]]), pm.Box([-5.0], [5.0])
    pair = pm.decide(steep, pm.Injective, on=on, arithmetic=arithmetic).witness
    assert pair.arithmetic == pair.recomputed(steep) == arithmetic
    assert pair.because.endswith("of φ itself it shows nothing")
    assert pair.verify(steep)
    assert pm.decide(steep, pm.Injective, on=on).holds is True
    # Taken for a collision of φ it is refuted where enclosures are narrow enough.
    wrong = Collision(np.array([0.25]), np.array([0.5]), "wrong")
    assert not wrong.verify(steep)


LINE, SECOND = np.array([[0.0], [0.5], [1.0]]), np.array([1.0, -2.0, 1.0])
AFFINE = pm.kernels.Linear() + 1.0


@pytest.mark.parametrize(
    ("kernel", "annihilated"),
    [
        (AFFINE, True),
        (0.1 * AFFINE, True),
        (AFFINE**2, False),
        (AFFINE * AFFINE, False),
        (pm.kernels.PolynomialKernel(degree=1, gamma=0.3, coef0=0.7), True),
        (pm.kernels.PolynomialKernel(degree=2), False),
        (AFFINE @ pm.Affine([[0.1]], [0.3]), True),
        (AFFINE @ pm.Power(2), False),
        (AFFINE @ (pm.Abs() @ pm.Affine([[-0.1]])), True),
    ],
    ids=lambda v: repr(v)[:60],
)
def test_the_square_of_a_measure_is_a_rational_number(kernel, annihilated):
    measure = AnnihilatingMeasure(LINE, SECOND, "of order 2")
    square = measure.rational(kernel)
    assert isinstance(square, Fraction)
    assert (square == 0) is annihilated
    assert measure.verify(kernel) is annihilated
    assert float(square) == pytest.approx(measure.square(kernel), abs=1e-12)


def test_a_measure_that_misses_by_less_than_rounding_is_none():
    points = np.array([[0.1], [0.2], [0.30000000000000004]])
    near = AnnihilatingMeasure(points, SECOND, "0.3 is not 0.1 + 0.2", exact=False)
    assert near.verify(AFFINE)
    assert near.rational(AFFINE) is None
    claimed = AnnihilatingMeasure(points, SECOND, "0.3 is not 0.1 + 0.2")
    assert claimed.rational(AFFINE) != 0
    assert not claimed.verify(AFFINE)
    assert not claimed.verify(AFFINE, tolerance=1.0)


def test_kernels_with_other_steps_are_compared_in_float64():
    pair = AnnihilatingMeasure([[1.0], [-1.0]], [1.0, -1.0], "even")
    for kernel in (
        pm.kernels.RBF(),
        AFFINE + pm.kernels.RBF(),
        pm.kernels.RBF() * AFFINE,
        AFFINE @ pm.Cos(),
        pm.kernels.RBF() ** 2,
        2.0 * pm.kernels.RBF(),
        pm.kernels.PolynomialKernel(degree=100),
        pm.kernels.PolynomialKernel(gamma="scale"),
        lambda x: x.abs() @ x.abs().T,
    ):
        assert pair.rational(kernel) is None
    assert pair.verify(lambda x: x.abs() @ x.abs().T)
    assert pair.verify(AFFINE @ pm.Cos())


SQUARE, CUBE = pm.Box([-1.0] * 2, [1.0] * 2), pm.Box([-1.0] * 3, [1.0] * 3)
HALVES = pm.Diagonal([0.5, -2.0], [0.25, 1.0])


@pytest.mark.parametrize(
    ("model", "on", "k"),
    [
        (pm.models.Additive(), SQUARE, 1),
        (pm.models.BoostedTrees(1), SQUARE, 1),
        (pm.models.BoostedTrees(2), CUBE, 2),
    ],
    ids=repr,
)
def test_measures_against_sums_of_few_coordinates_are_exact(model, on, k):
    measure = model.annihilator(on)
    assert measure.unmixed(k) is True
    assert measure.unmixed(k + 1) is False
    moved = measure.points.copy()
    moved[0, 0] = np.nextafter(moved[0, 0], 0.0)
    assert AnnihilatingMeasure(moved, measure.weights, "moved").unmixed(k) is False


def test_a_measure_behind_a_map_is_exact_where_it_says_so():
    measure = pm.decide(pm.models.Additive() @ HALVES, pm.Universal, on=SQUARE).witness
    assert measure.unmixed(1, HALVES) is True
    # A turn mixes the coordinates of these points.
    assert measure.unmixed(1, TURN) is False
    assert measure.unmixed(1, pm.Tanh()) is None


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_differences_annihilate_polynomials_exactly(degree):
    line = pm.Box([-1.0], [1.0])
    measure = pm.models.Polynomial(degree).annihilator(line)
    assert measure.exact
    assert measure.annihilates(lambda z: [z[0] ** n for n in range(degree + 1)]) is True
    assert measure.annihilates(lambda z: [z[0] ** (degree + 1)]) is False
    behind = pm.Affine([[2.0]], [0.5])
    pulled = pm.decide(pm.models.Polynomial(degree) @ behind, pm.Universal, on=line).witness
    assert pulled.exact
    assert pulled.annihilates(lambda z: [z[0] ** n for n in range(degree + 1)], behind) is True
    assert pulled.annihilates(lambda z: [1], pm.Tanh()) is None


def test_no_masses_annihilate_nothing():
    nothing = AnnihilatingMeasure(LINE, 0 * SECOND, "nothing")
    assert nothing.annihilates(lambda z: [1]) is False
    assert nothing.unmixed(1) is False
    assert AnnihilatingMeasure(LINE, SECOND * np.inf, "infinite").annihilates(lambda z: [1]) is None
