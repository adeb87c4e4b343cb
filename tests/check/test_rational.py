"""Lower bounds without rounding."""

import json
from fractions import Fraction

import numpy as np
import pytest
from numpy.polynomial import chebyshev as basis

import phimaps as pm
from phimaps.check.rational import Exact, exactly
from phimaps.errors import InputError, ShapeError


@pytest.mark.parametrize("degree", [0, 1, 2, 5, 9, 20])
def test_the_exact_bound_is_that_of_the_program(degree):
    x = np.linspace(-1, 1, 401)
    features, target = basis.chebvander(x, degree), np.abs(x)
    best = pm.check.chebyshev(features, target)
    found = exactly(features, target, best.measure)
    assert found.verify(features, target)
    assert float(found.bound) == pytest.approx(best.error, rel=1e-7)
    # Exact, so that no weights whatever beat it, not even by rounding.
    assert found.bound <= Fraction(best.error) * (1 + Fraction(1, 10**12))
    assert len(found.rows) <= degree + 2


@pytest.mark.parametrize("seed", range(6))
def test_random_features(seed):
    rng = np.random.default_rng(seed)
    n, p = 40, int(rng.integers(1, 9))
    features, target = rng.standard_normal((n, p)), rng.standard_normal(n)
    best = pm.check.chebyshev(features, target)
    found = exactly(features, target, best.measure)
    assert found.verify(features, target)
    assert float(found.bound) == pytest.approx(best.error, rel=1e-9)
    for _ in range(20):
        weights = rng.standard_normal(p)
        assert np.abs(features @ weights - target).max() >= float(found.bound) * (1 - 1e-12)


def test_dependent_columns_and_great_differences_of_scale():
    x = np.linspace(0, 1, 50)
    features = np.stack([np.ones(50), x, 2 * x, 1e200 * x**2, 1e-200 * x**3], axis=1)
    target = np.sin(9 * x)
    best = pm.check.chebyshev(features / np.abs(features).max(axis=0), target)
    found = exactly(features, target, best.measure)
    assert found.verify(features, target)
    assert float(found.bound) == pytest.approx(best.error, rel=1e-6)


def test_a_changed_certificate_is_no_certificate():
    x = np.linspace(-1, 1, 9)
    features, target = np.vander(x, 2), np.abs(x)
    found = exactly(features, target, pm.check.chebyshev(features, target).measure)
    assert found.verify(features, target)
    changed = (found.coefficients[0] + 1, *found.coefficients[1:])
    assert not Exact(found.rows, changed, found.bound).verify(features, target)
    assert not Exact(found.rows, found.coefficients, found.bound * 2).verify(features, target)
    assert not Exact(found.rows, (0, 0, 0), Fraction(0)).verify(features, target)
    assert not found.verify(features + np.eye(9, 2), target)
    held = json.loads(json.dumps(found.to_dict()))
    again = Exact(
        tuple(held["rows"]), tuple(map(int, held["coefficients"])), Fraction(held["bound"])
    )
    assert again == found


def test_independent_rows_have_no_certificate():
    assert exactly(np.eye(3), [1.0, 2.0, 3.0], [1.0, 1.0, 1.0]) is None
    assert exactly(np.ones((3, 1)), [1.0, 2.0, 3.0], [0.0, 0.0, 0.0]) is None


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="A measure has a mass for each point"):
        exactly(np.ones((3, 1)), [1.0, 2.0, 3.0], [1.0])
    with pytest.raises(ShapeError, match="A certificate is about the values of functions"):
        exactly(np.ones((3, 1)), [1.0], [1.0])
    with pytest.raises(InputError, match="A certificate is about finite numbers"):
        exactly(np.full((3, 1), np.nan), [1.0, 2.0, 3.0], [1.0, 0.0, 0.0])
