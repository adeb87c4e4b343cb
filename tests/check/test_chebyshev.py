"""Best uniform approximation by linear programs: known values, duality, hard matrices."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.polynomial import chebyshev as basis
from scipy.optimize import linprog

import phimaps as pm
from phimaps.errors import InputError, ShapeError

EPS = np.finfo(float).eps
LINE = np.linspace(-1, 1, 2001)


def proven(best, features, target):
    """What any result must satisfy, whatever the numbers."""
    features, target = np.asarray(features, float), np.asarray(target, float)
    assert best.error == np.abs(features @ best.weights - target).max()
    assert best.lower <= best.error
    if best.measure.any():
        assert np.abs(best.measure).sum() == pytest.approx(1.0, rel=1e-12)
        value = abs(
            sum(
                (Fraction(c) * Fraction(g) for c, g in zip(best.measure, target, strict=True)),
                Fraction(0),
            )
        )
        assert best.lower <= value
        assert best.lower >= value - 4 * EPS * len(target) * np.abs(target).max()
        assert best.residual <= 64 * EPS * len(target) * np.abs(features).max()
    assert 0 <= best.at_least(1.0) <= best.lower


@pytest.mark.parametrize("degree", [2, 3, 5, 8, 13])
def test_powers_of_a_number_are_approximated_as_chebyshev_found(degree):
    # T_n has the least sup norm among monic polynomials of degree n: 2^(1-n).
    grid = np.cos(np.pi * np.arange(0, 200 * degree + 1) / (200 * degree))
    features = basis.chebvander(grid, degree - 1)
    best = pm.check.chebyshev(features, grid**degree)
    assert best.error == pytest.approx(2.0 ** (1 - degree), rel=1e-11)
    assert best.gap <= 1e-12
    proven(best, features, grid**degree)
    # The extrema of T_n, n + 1 of them, with alternating signs.
    support = np.flatnonzero(np.abs(best.measure) > 1e-9)
    np.testing.assert_allclose(
        np.sort(grid[support]), np.sort(np.cos(np.pi * np.arange(degree + 1) / degree)), atol=1e-12
    )


@pytest.mark.parametrize(("degree", "error"), [(1, 0.5), (2, 0.125), (3, 0.125), (5, 0.0676208)])
def test_the_absolute_value(degree, error):
    best = pm.check.chebyshev(basis.chebvander(LINE, degree), np.abs(LINE))
    assert best.error == pytest.approx(error, abs=1e-6)
    assert best.gap <= 1e-13


@pytest.mark.parametrize("seed", range(12))
def test_the_program_of_all_rows_has_the_same_value(seed):
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(3, 60)), int(rng.integers(1, 12))
    features = rng.standard_normal((n, p))
    if seed % 3 == 0:
        features[:, -1] = features[:, 0]
    target = rng.standard_normal(n)
    best = pm.check.chebyshev(features, target)
    ones = np.ones((n, 1))
    whole = linprog(
        np.append(np.zeros(p), 1.0),
        np.vstack([np.hstack([features, -ones]), np.hstack([-features, -ones])]),
        np.append(target, -target),
        bounds=[(None, None)] * p + [(0, None)],
    )
    assert best.error == pytest.approx(whole.fun, abs=1e-6)
    assert best.gap <= 1e-11
    proven(best, features, target)


def test_many_features_leave_no_gap():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (600, 2))
    walls = 2 * rng.standard_normal((2, 40))
    features = np.hstack([np.ones((600, 1)), np.maximum(x @ walls + rng.uniform(-2, 2, 40), 0)])
    target = np.linalg.norm(x, axis=1)
    best = pm.check.chebyshev(features, target)
    assert best.gap <= 1e-9 * np.abs(target).max()
    proven(best, features, target)


def test_powers_are_nearly_dependent_and_the_bounds_still_hold():
    features = np.vander(LINE, 40)
    best = pm.check.chebyshev(features, np.abs(LINE))
    truth = pm.check.chebyshev(basis.chebvander(LINE, 39), np.abs(LINE))
    # What is left out as dependent can only make the error greater; no weights of a sensible size
    # go below the measure's bound.
    assert best.error >= truth.lower
    assert best.rank < 40
    assert best.at_least(np.abs(best.weights).sum()) <= best.error
    proven(best, features, np.abs(LINE))


def test_what_lies_in_the_span_is_found():
    features = basis.chebvander(LINE, 4)
    best = pm.check.chebyshev(features, features @ [1.0, -2.0, 0.5, 0.0, 3.0])
    assert best.error <= 64 * EPS * 7
    np.testing.assert_allclose(best.weights, [1, -2, 0.5, 0, 3], atol=1e-12)


def test_as_many_functions_as_points():
    best = pm.check.chebyshev(np.eye(3), [1.0, 2.0, 3.0])
    assert best.error <= 4 * EPS * 3
    assert best.rank == 3
    assert not best.measure.any()


def test_no_functions_but_zero():
    best = pm.check.chebyshev(np.zeros((3, 1)), [1.0, 2.0, -3.0])
    assert (best.error, best.rank) == (3.0, 0)
    assert best.gap <= 8 * EPS


def test_arguments_are_left_alone():
    features, target = basis.chebvander(LINE, 3), np.abs(LINE)
    held = features.copy(), target.copy()
    pm.check.chebyshev(features, target)
    np.testing.assert_array_equal(features, held[0])
    np.testing.assert_array_equal(target, held[1])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError) as shapes:
        pm.check.chebyshev(np.ones((3, 2)), [1.0, 2.0])
    assert str(shapes.value) == (
        "A best approximation needs the values of functions at points, and a target there.\n"
        "  got:  features=float64[3, 2], target=float64[2]\n"
        "  need: features of shape (n, p) and a target of shape (n,), both not empty\n"
        "  do:   chebyshev(phi(points), g(points))"
    )
    with pytest.raises(InputError) as values:
        pm.check.chebyshev(np.ones((2, 1)), [1.0, np.nan])
    assert str(values.value) == (
        "A best approximation needs finite numbers.\n"
        "  got:  target with NaN or infinity\n"
        "  need: finite features and a finite target\n"
        "  do:   leave out the points where a function is not defined"
    )
