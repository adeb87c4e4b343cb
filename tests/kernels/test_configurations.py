"""Points that differ by whole periods do so exactly, or are not said to."""

import numpy as np
import pytest

import phimaps as pm
from phimaps.kernels.configurations import period


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
