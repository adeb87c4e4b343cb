"""False claims about kernels are contradicted, and witnesses that are none are found out."""

import numpy as np
import pytest

import phimaps as pm
from phimaps import kernels as ks
from phimaps.testing import falsify

LINE, PLANE = pm.Box([-1.0], [1.0]), pm.Box([-1.0] * 2, [1.0] * 2)
CIRCLE = pm.Sphere([0.0, 0.0], 1.0)
GAUSS = ks.RBF(gamma=1.0)
FIRST, SECOND = pm.Select([0]), pm.Select([1])

FALSE = [
    (ks.ArcCosine(0), CIRCLE, "regular 4-gon"),
    (ks.ArcCosine(1), CIRCLE, "regular 6-gon"),
    (ks.NTK(1), CIRCLE, "regular 6-gon"),
    (ks.NTK(3), pm.Box([1.0] * 2, [2.0] * 2), "points x and tx"),
    (ks.Periodic(period=0.7), LINE, "points a period apart"),
    (ks.AdditiveChi2(), pm.Box([1.0] * 2, [2.0] * 2), "rectangle"),
    (GAUSS @ FIRST + GAUSS @ SECOND, pm.Box([1.0] * 2, [2.0] * 2), "rectangle"),
    (GAUSS @ pm.Abs(), LINE, "opposite points"),
    (ks.PolynomialKernel(4), LINE, "equally spaced points"),
    (pm.Polynomial(2).kernel, LINE, "points"),
    (ks.Cosine(), pm.Box([1.0] * 2, [2.0] * 2), "points x and tx"),
]


@pytest.mark.parametrize(("kernel", "on", "figure"), FALSE, ids=lambda v: str(v)[:40])
def test_a_kernel_that_loses_functions_is_found_out_for_certain(kernel, on, figure):
    for claim in (pm.Universal, pm.StrictlyPositiveDefinite, pm.Characteristic):
        found = falsify(kernel, claim, on)
        assert found is not None
        assert found.certain
        assert "to 300 digits" in found.text
    assert figure in falsify(kernel, pm.Universal, on).text


@pytest.mark.parametrize("on", [LINE, PLANE, CIRCLE, pm.Finite([[0.0], [1e-3], [1.0]])])
@pytest.mark.parametrize("gamma", [1e-4, 1.0, 1e4])
def test_no_alarm_is_raised_where_a_matrix_is_singular_in_float64_only(on, gamma):
    for claim in (pm.Universal, pm.StrictlyPositiveDefinite, pm.Characteristic, pm.NonVanishing):
        assert falsify(ks.RBF(gamma=gamma), claim, on) is None


def negative_distance(x, y):
    return -np.abs(x - y.T)


def test_indefinite_kernels_are_found_by_their_eigenvalues():
    kernel = ks.Callable(negative_distance)
    found = falsify(kernel, pm.PositiveDefinite, LINE)
    assert found is not None
    assert "eigenvalue" in found.text
    assert falsify(kernel, ~pm.PositiveDefinite, LINE) is None
    assert falsify(GAUSS, ~pm.PositiveDefinite, LINE) is not None


def test_kernels_that_are_not_symmetric_are_found():
    found = falsify(Lopsided(), pm.PositiveDefinite, LINE)
    assert found is not None
    assert "differ" in found.text


class Lopsided(pm.kernels.Kernel):
    """k(x, y) = 10 + x + 2y."""

    def between(self, x, y):
        return 10 + x + 2 * y.T


def test_a_jump_is_no_universal_kernel():
    torn = GAUSS @ pm.Step()
    assert falsify(torn, pm.Continuous, LINE) is not None
    assert falsify(torn, pm.NonVanishing, LINE) is not None


def test_a_function_that_must_vanish_is_found():
    found = falsify(ks.Linear(), pm.NonVanishing, LINE)
    assert found is not None
    assert found.certain
    # Every linear function has a zero on the circle, but not on a part of it.
    assert falsify(ks.Linear(), pm.NonVanishing, CIRCLE) is not None
    assert falsify(ks.Linear(), pm.NonVanishing, pm.Box([1.0, 1.0], [2.0, 2.0])) is None
    assert falsify(ks.Linear(), ~pm.NonVanishing, pm.Box([1.0, 1.0], [2.0, 2.0])) is not None


SQUARE = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
SIGNS = np.array([1.0, -1.0, 1.0, -1.0])


@pytest.mark.parametrize(
    ("points", "weights", "claim", "text"),
    [
        (SQUARE, SIGNS, ~pm.Universal, None),
        (SQUARE, SIGNS, ~pm.Characteristic, None),
        (SQUARE, np.ones(4), ~pm.Universal, "c'Kc"),
        (SQUARE[:3], np.ones(3), ~pm.Characteristic, "total mass"),
        (2 * SQUARE, SIGNS, ~pm.Universal, "outside the space"),
        (np.zeros((0, 2)), np.zeros(0), ~pm.Universal, "no points"),
    ],
)
def test_a_witness_is_recomputed(points, weights, claim, text):
    witness = pm.AnnihilatingMeasure(points, weights, "a guess")
    found = falsify(ks.ArcCosine(0), claim, CIRCLE, witness=witness)
    if text is None:
        assert found is None
    else:
        assert text in found.text


def test_a_measure_is_plain_data():
    measure = pm.AnnihilatingMeasure(SQUARE, SIGNS, "a square")
    data = measure.to_dict()
    again = pm.AnnihilatingMeasure(data["points"], data["weights"], data["because"])
    assert again.verify(ks.ArcCosine(0))
    assert data["kind"] == "annihilating measure"
    assert str(measure) == "δ[1, 0] - δ[0, 1] + δ[-1, 0] - δ[0, -1]"
    assert measure.mass == 0
    assert measure.square(ks.ArcCosine(0)) == pytest.approx(0, abs=1e-15)
    assert measure.square(GAUSS) > 0.1
    assert not measure.verify(GAUSS)
    assert not pm.AnnihilatingMeasure(SQUARE, 0 * SIGNS, "nothing").verify(ks.ArcCosine(0))
    twice = pm.AnnihilatingMeasure(SQUARE[[0, 0]], [1.0, -1.0], "the same point")
    assert not twice.verify(GAUSS)


def test_only_properties_of_kernels_are_attacked():
    with pytest.raises(pm.errors.OperandError, match="no attack on Injective"):
        falsify(GAUSS, pm.Injective, LINE)
    with pytest.raises(pm.errors.OperandError, match="no attack on Characteristic"):
        falsify(pm.Relu(), pm.Characteristic, LINE)
