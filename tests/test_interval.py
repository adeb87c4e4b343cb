"""Directed rounding and certified linear algebra, against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phimaps.interval import (
    add,
    affine_range,
    column_rank,
    multiply,
    root_sum_squares,
    singular_values,
)

NUMBERS = st.lists(st.floats(0, 1e12, allow_subnormal=False), min_size=1, max_size=5)


@settings(deadline=None, max_examples=200, derandomize=True, database=None)
@given(NUMBERS)
def test_results_bracket_the_truth_and_are_neighbours(numbers):
    exact_sum = sum(map(Fraction, numbers))
    exact_product = Fraction(1)
    for v in numbers:
        exact_product *= Fraction(v)
    squares = sum(Fraction(v) ** 2 for v in numbers)
    for operation, truth, power in (
        (add, exact_sum, 1),
        (multiply, exact_product, 1),
        (root_sum_squares, squares, 2),
    ):
        low, high = operation(numbers, up=False), operation(numbers, up=True)
        if np.isfinite(high):
            assert Fraction(low) ** power <= truth <= Fraction(high) ** power
            assert high <= np.nextafter(np.nextafter(low, np.inf), np.inf)


def test_exact_results_stay_exact():
    assert add([0.5, 0.25], True) == add([0.5, 0.25], False) == 0.75
    assert root_sum_squares([3.0, 4.0], True) == root_sum_squares([3.0, 4.0], False) == 5.0
    assert multiply([0.0, np.inf], True) == 0.0
    assert multiply([1e308, 1e308], True) == np.inf
    assert multiply([1e308, 1e308], False) == np.finfo(float).max


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 8), (40, 7), (64, 200)])
@pytest.mark.parametrize("spread", [0, 8])
def test_singular_values_are_certified_and_tight(shape, spread):
    rng = np.random.default_rng(0)
    u, _ = np.linalg.qr(rng.normal(size=(shape[0], shape[0])))
    v, _ = np.linalg.qr(rng.normal(size=(shape[1], shape[1])))
    k = min(shape)
    truth = np.sort(10.0 ** rng.uniform(-spread, 0, size=k))[::-1]
    weight = (u[:, :k] * truth) @ v[:k]
    low, high = singular_values(weight)
    # The constructed matrix has the wanted singular values up to its own rounding.
    slack = 64 * np.finfo(float).eps * max(shape)
    assert (low <= truth + slack).all()
    assert (truth - slack <= high).all()
    assert (high - low <= 1e-10 * truth[0]).all()


def test_exact_rank_sees_what_floating_point_cannot():
    hilbert = 1.0 / (np.arange(12)[:, None] + np.arange(12) + 1)
    assert column_rank(hilbert) == 12
    assert column_rank(np.outer([1.0, 0.1, 0.3], [1.0, 0.25, 0.5])) == 1
    assert column_rank(np.zeros((3, 2))) == 0
    assert column_rank(np.ones((100, 2))) == 1
    assert column_rank(np.ones((100, 40))) is None


@settings(deadline=None, max_examples=100, derandomize=True, database=None)
@given(st.integers(0, 10**6))
def test_affine_range_encloses_exactly(seed):
    rng = np.random.default_rng(seed)
    low = rng.normal(size=3) * 10.0 ** rng.integers(-8, 8, 3)
    high = low + np.abs(rng.normal(size=3)) * 10.0 ** rng.integers(-8, 8, 3)
    weight, bias = rng.normal(size=(3, 2)), rng.normal(size=2) * 1e3
    a, b = affine_range(low, high, weight, bias)
    for j in range(2):
        ends = [
            sum(
                (
                    Fraction(w) * Fraction(x if (w > 0) == up else y)
                    for w, x, y in zip(weight[:, j], high, low, strict=True)
                ),
                Fraction(bias[j]),
            )
            for up in (False, True)
        ]
        assert Fraction(a[j]) <= ends[0]
        assert ends[1] <= Fraction(b[j])
        width = max(1.0, np.abs(weight[:, j]) @ np.maximum(abs(low), abs(high)) + abs(bias[j]))
        assert b[j] - a[j] <= float(ends[1] - ends[0]) + 1e-13 * width


def test_affine_range_with_infinite_ends():
    a, b = affine_range(
        np.array([-np.inf, 0.0]),
        np.array([1.0, np.inf]),
        np.array([[2.0, 0.0], [0.0, -1.0]]),
        np.zeros(2),
    )
    assert a.tolist() == [-np.inf, -np.inf]
    assert b[0] == pytest.approx(2.0)
    assert b[1] == pytest.approx(0.0)
