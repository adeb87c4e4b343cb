"""Points that differ by whole periods do so exactly, or are not said to."""

import numpy as np
import pytest

import phimaps as pm
from phimaps.kernels.configurations import collinear, period


@pytest.mark.parametrize(
    ("on", "length"),
    [
        (pm.Interval(0, 3), 1.0),
        (pm.Interval(-0.7, 0.8), 0.1),
        (pm.Box([0.25, 0.0], [0.5, 9.0]), 3.0),
        (pm.Finite([[0.0], [0.3], [1.0]]), 1.0),
    ],
)
def test_the_points_are_whole_periods_apart(on, length):
    x, y = period(on, np.array([length]))
    assert on.contains(np.stack([x, y])).all()
    # Powers of two times these differences are integers, so the remainder is exact.
    assert (x != y).any()
    assert not np.fmod(x - y, length).any()


@pytest.mark.parametrize(
    ("on", "length"),
    [
        # 5e-324 + 1 rounds to 1.
        (pm.Interval(0, 1, closed="right"), 1.0),
        (pm.Interval(0, 0.5), 1.0),
        (pm.Finite([[0.1], [0.1 + 0.2], [0.5]]), 0.1),
    ],
)
def test_a_rounded_pair_is_none(on, length):
    assert period(on, np.array([length])) is None


@pytest.mark.parametrize(
    ("low", "high"),
    [(1e300, 1.1e300), (1e18, 1e18 + 1024), (-1e308, 1e308), (1e15, 1e15 + 10), (0.0, 1.0)],
)
def test_points_on_a_line_are_equally_spaced_or_none(low, high):
    on = pm.Box([low], [high])
    found = collinear(on, 4)
    if found is not None:
        steps = np.diff(found.ravel())
        assert (steps == steps[0]).all()
        assert steps[0] > 0
        assert on.contains(found).all()
    assert (found is None) == (low >= 1e18 or low < -1e300)
    # No polynomial is universal, wherever the box.
    kernel = pm.kernels.PolynomialKernel(2, gamma=1.0, coef0=1.0)
    assert pm.decide(kernel, pm.Universal, on=on).holds is False
