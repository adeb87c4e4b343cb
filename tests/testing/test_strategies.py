"""Hypothesis strategies: what is drawn lies where it should, hits the hard cases and shrinks."""

import inspect
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import phimaps as pm
from phimaps.errors import DependencyError, InputTypeError, ParameterError
from phimaps.spaces import Boxlike, Product, Space
from phimaps.testing import Frame
from phimaps.testing.strategies import pairs, points, random_pairs, random_points

INF = np.inf
FRAME = Frame(
    {"hour": range(24), "weight": (0.1, 50.0), "colour": ["red", "green"]}, missing=["weight"]
)
SPACES = [
    pm.Box([0, -1], [1, 2]),
    pm.Box([0, 3, -1], [1, 3, -1]),
    pm.Box([1e6], [INF]),
    pm.Box([-INF, 0], [1, INF]),
    pm.Box([-1e300], [1e300]),
    pm.Box([-1, 0.1], [1, 0.3], closed="neither"),
    pm.Interval(0, INF, closed="neither"),
    pm.Interval(1, 1 + 2.0**-40),
    pm.Euclidean(4),
    pm.NonNegative((2, 2)),
    pm.Images(1, 2, 2, -0.5, 2),
    pm.Images(3, 8, 8),
    pm.Ball([1, 1, 1], 1),
    pm.Ball([1e6, -0.3], 1e-3),
    pm.Sphere([0.1, -3, 2], 0.7),
    pm.Sphere([0, 0, 0, 0], 1e-5, metric="geodesic"),
    pm.Sphere(np.zeros(40), 2.0),
    pm.Simplex(4),
    pm.Simplex(30, total=0.3),
    pm.Finite([[0.0, 1.0], [2.0, -1.0], [0.0, 1.0]]),
    pm.Finite([[0.0], [1.0], [5.0]], distances=[[0, 2, 3], [2, 0, 1.5], [3, 1.5, 0]]),
    pm.Categories(4),
    pm.Subspace([[0.1, 2.0, 0.3], [1.0, 0.0, -1.0]], [0.1, 0.2, 0.3], pm.Box([-1, 0], [0.7, 0.1])),
    pm.Subspace([[1.0, 2.0, 0.0]], [0.0, 0.0, 1.0]),
    pm.Subspace([[2.0, 0.5]], within=pm.Interval(0, 1, closed="neither")),
    Product((pm.Categories(3), pm.Sphere([0, 0], 2, metric="geodesic"))),
    Product((pm.Finite([[0.0], [0.5]]), pm.Simplex(2), pm.Interval(0, 1, closed="left"))),
]
every = pytest.mark.parametrize("on", SPACES, ids=repr)


def drawing(examples=40):
    return settings(max_examples=examples, derandomize=True, database=None, deadline=None)


def drawn(strategy, examples=60):
    """What is drawn, one after the other."""
    found = []

    @drawing(examples)
    @given(strategy)
    def collect(value):
        found.append(value)

    collect()
    return found


def shrunk(strategy, condition):
    return find(strategy, condition, settings=drawing(600))


def test_every_space_of_the_library_is_among_the_examples():
    pending, kinds = [Space], set()
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        ours = kind.__module__.startswith("phimaps.spaces")
        if ours and not inspect.isabstract(kind) and kind is not Boxlike:
            kinds.add(kind)
    assert kinds <= {type(on) for on in SPACES}


# --- where it lies -----------------------------------------------------------------------------
def sound(on, x):
    assert x.dtype == np.float64
    assert x.shape[1:] == on.shape
    assert on.contains(x).all()
    assert np.isfinite(x).all()
    assert not ((x != 0) & (np.abs(x) < np.finfo(float).tiny)).any()


@every
def test_points_and_pairs_lie_in_the_space(on):
    @drawing(25)
    @given(points(on, 2, 9), pairs(on, 2, 9))
    def check(x, pair):
        assert 2 <= len(x) <= 9
        assert 2 <= len(pair[0]) == len(pair[1]) <= 9
        for group in (x, *pair):
            sound(on, group)

    check()


@every
def test_without_hypothesis_the_same_kinds_are_drawn(on):
    x = random_points(on, 40, 40, random_state=1)
    assert len(x) == 40
    sound(on, x)
    assert np.array_equal(x, random_points(on, 40, 40, random_state=1))
    for side in random_pairs(on, 40, 40, random_state=2):
        sound(on, side)


def test_rows_of_frames_lie_in_the_frame():
    @drawing(25)
    @given(points(FRAME), pairs(FRAME, 3, 3))
    def check(rows, pair):
        for frame in (rows, *pair):
            assert isinstance(frame, pd.DataFrame)
            assert list(frame.columns) == ["hour", "weight", "colour"]
            assert FRAME.contains(frame).all()
        assert len(pair[0]) == len(pair[1]) == 3

    check()
    pd.testing.assert_frame_equal(random_points(FRAME, 3, 9), random_points(FRAME, 3, 9))
    assert FRAME.contains(random_pairs(FRAME)[1]).all()


def test_what_is_drawn_stays_within_reach():
    far = np.concatenate(drawn(points(pm.Euclidean(3))))
    assert np.abs(far).max() == 1e3
    near = np.concatenate(
        [side for pair in drawn(pairs(pm.Euclidean(3), reach=5)) for side in pair]
    )
    assert np.abs(near).max() == 5
    half = np.concatenate(drawn(points(pm.Box([1e6], [INF]))))
    assert half.min() == 1e6
    assert 1e6 + 100 < half.max() <= 1e6 + 1e3


def test_numbers_of_rows():
    on = pm.Box([0, 0], [1, 1])
    lengths = {len(x) for x in drawn(points(on, 0, 3))}
    assert lengths == {0, 1, 2, 3}
    lengths = [len(x) for x in drawn(points(on, 60, 500), 20)]
    assert min(lengths) == 60
    assert max(lengths) > 100
    for x in drawn(points(on, 100, 100), 5):
        assert x.shape == (100, 2)
        sound(on, x)
    for x, y in drawn(pairs(on, 60, 70), 5):
        assert 60 <= len(x) == len(y) <= 70
        sound(on, y)


# --- what it hits ------------------------------------------------------------------------------
def together(strategy, examples=60):
    x, y = zip(*drawn(strategy, examples), strict=True)
    return np.concatenate(x), np.concatenate(y)


def test_points_hit_corners_ends_and_zeros():
    x = np.concatenate(drawn(points(pm.Box([-2, -1], [3, 5])), 200))
    for corner in ([-2, -1], [-2, 5], [3, -1], [3, 5], [0, 0]):
        assert (x == corner).all(axis=1).any()
    for i, (low, high) in enumerate([(-2, 3), (-1, 5)]):
        assert ((x[:, i] > low) & (x[:, i] < low + 1e-6)).any()
        assert ((x[:, i] < high) & (x[:, i] > high - 1e-6)).any()
    # Numbers that float32 does not have.
    assert (x != x.astype(np.float32)).any()
    tiny = np.abs(x[x != 0])
    assert tiny.min() < 1e-9


def test_points_hit_the_boundary_of_round_spaces_and_vertices():
    ball = np.concatenate(drawn(points(pm.Ball([0, 0, 0], 1))))
    norm = np.linalg.norm(ball, axis=1)
    assert (norm > 1 - 1e-12).mean() > 0.1
    assert (norm < 0.9).mean() > 0.1
    simplex = np.concatenate(drawn(points(pm.Simplex(3))))
    assert {0, 1, 2} == {int(p.argmax()) for p in simplex if p.max() == 1}
    assert (simplex.min(axis=1) > 0.01).any()


def test_most_rows_are_new():
    rows = np.concatenate(drawn(points(pm.Euclidean(4)), 150))
    assert len(np.unique(rows, axis=0)) > 0.7 * len(rows)


def test_points_repeat_rows():
    assert any((x[1:] == x[:-1]).all(axis=1).any() for x in drawn(points(pm.Euclidean(6), 4, 24)))


@pytest.mark.parametrize(
    "on",
    [
        pm.Euclidean(3),
        pm.Box([-1, 0, 1], [1, 2, 4]),
        pm.Ball([0, 0, 0], 1),
        pm.Sphere([0, 0, 0], 1),
    ],
    ids=repr,
)
def test_pairs_are_near_far_and_the_same(on):
    x, y = together(pairs(on))
    size = np.maximum(np.abs(x), np.abs(y)).max(axis=1)
    apart = on.distance(x, y)
    for power in (2, 5, 8, 11):
        scaled = apart / np.where(size > 0, size, 1)
        assert ((scaled > 10.0 ** -(power + 1.2)) & (scaled < 10.0 ** -(power - 1))).any()
    assert apart.max() > 0.9 * min(on.diameter, 1e3)
    assert (apart == 0).any()


def test_pairs_share_all_coordinates_but_one_down_to_its_ends():
    on = pm.Box([-1, -2, -3], [1, 2, 3])
    x, y = together(pairs(on))
    one = (x != y).sum(axis=1) == 1
    for axis in range(3):
        moved = one & (x[:, axis] != y[:, axis])
        assert moved.any()
        assert (moved & (np.abs(x - y)[:, axis] == 2 * (axis + 1))).any()


def test_pairs_are_mirrored_multiples_permuted_and_of_one_sum():
    x, y = together(pairs(pm.Euclidean(4), most=8), 120)
    differ = (x != y).any(axis=1)
    assert (differ & (x == -y).all(axis=1)).any()
    assert (differ & (np.abs(x) == np.abs(y)).all(axis=1) & ~(x == -y).all(axis=1)).any()
    assert (differ & (y == 2 * x).all(axis=1)).any()
    cosine = (x * y).sum(axis=1) ** 2 == (x**2).sum(axis=1) * (y**2).sum(axis=1)
    assert (differ & cosine).sum() > 5
    assert (differ & (np.sort(x, axis=1) == np.sort(y, axis=1)).all(axis=1)).any()
    integers = (x % 1 == 0).all(axis=1) & (y % 1 == 0).all(axis=1)
    assert (differ & integers & (x.sum(axis=1) == y.sum(axis=1)) & (x != -y).any(axis=1)).any()
    steps = y - x
    assert (differ & (steps == steps[:, :1]).all(axis=1)).any()


def test_pairs_are_apart_by_the_periods_of_many_maps():
    x, y = together(pairs(pm.Box([-9, -9], [9, 9])), 150)
    one, apart = (x != y).sum(axis=1) == 1, np.abs(x - y).max(axis=1)
    for period in (1.0, np.pi, 2 * np.pi):
        assert (one & (np.abs(apart - period) < 1e-14)).any()


def test_pairs_lie_on_one_line():
    found = 0
    for x, y in drawn(pairs(pm.Euclidean(3), 8, 12)):
        # The line through the first point and another.
        for a, b in zip(x[1:], y[1:], strict=True):
            ways = np.stack([a - x[0], b - x[0]])
            if ways.any(axis=1).all() and (a != b).any():
                found += np.linalg.svd(ways)[1][1] < 1e-12 * np.abs(ways).max()
    assert found > 5


def test_pairs_reach_over_the_whole_of_round_spaces():
    on = pm.Sphere([0, 0, 0], 1)
    x, y = together(pairs(on))
    assert (np.abs(x + y).max(axis=1) < 1e-12).any()
    on = pm.Ball([0, 0, 0], 1)
    x, y = together(pairs(on))
    edge = np.linalg.norm(x, axis=1) > 1 - 1e-12
    assert (edge & (on.distance(x, y) > 1.999)).any()
    inside = np.linalg.norm(y, axis=1) < 1 - 1e-9
    assert (edge & inside & (on.distance(x, y) < 1e-5)).any()


def test_pairs_of_rows_share_all_columns_but_one():
    hit = set()
    for a, b in drawn(pairs(FRAME)):
        codes = FRAME.encode(a) != FRAME.encode(b)
        for i in np.flatnonzero(codes.sum(axis=1) == 1):
            hit.add(int(codes[i].argmax()))
            if a.hour[i] == 0 and b.hour[i] == 23:
                hit.add("ends")
    assert {0, 1, 3, "ends"} <= hit


def test_images_have_flat_spotted_and_noisy_ones():
    on = pm.Images(3, 16, 16)
    x = np.concatenate(drawn(points(on)))
    values = np.array([len(np.unique(image)) for image in x])
    assert (values == 1).any()
    assert (values == 2).any()
    assert (values > 300).any()
    one = [image for image in x if sorted(np.unique(image, return_counts=True)[1]) == [1, 767]]
    assert one
    x, y = together(pairs(on, most=6), 100)
    flipped = [(a[..., ::-1] == b).all() and (a != b).any() for a, b in zip(x, y, strict=True)]
    assert any(flipped)


# --- what is left of it ------------------------------------------------------------------------
BOX = pm.Box([-5, -5, -5], [5, 5, 5])


def test_points_shrink_to_few_rows_of_simple_numbers():
    x = shrunk(points(BOX), lambda x: (x > 3.7).any())
    assert x.shape == (1, 3)
    assert sorted(x[0]) == [0, 0, 5]
    x = shrunk(points(BOX, most=12), lambda x: len(x) > 1 and (x[0] != x[1]).any())
    assert x.shape == (2, 3)
    assert np.abs(x).sum() == 1
    x = shrunk(points(BOX), lambda x: (x % 1 != 0).any())
    assert x.shape == (1, 3)
    assert (x != 0).sum() == 1
    assert (x * 4 % 1 == 0).all()
    x = shrunk(points(pm.Sphere([0, 0, 0], 1)), lambda x: (x < -0.5).any())
    assert x.tolist() == [[0, 0, -1]] or sorted(np.abs(x[0])) == [0, 0, 1]
    x = shrunk(points(pm.Images(3, 16, 16)), lambda x: (x > 0.2).any())
    assert len(x) == 1
    assert len(np.unique(x)) <= 2


def test_pairs_shrink_to_one_pair_of_simple_points():
    def steep(pair):
        x, y = pair
        gap = np.linalg.norm(np.sin(3 * x) - np.sin(3 * y), axis=1)
        return (gap > 1.2 * np.linalg.norm(x - y, axis=1)).any()

    x, y = shrunk(pairs(BOX), steep)
    assert x.shape == y.shape == (1, 3)
    assert len(set(x.ravel()) | set(y.ravel())) <= 3
    hours = shrunk(pairs(FRAME), lambda pair: ((pair[0].hour == 0) & (pair[1].hour == 23)).any())
    assert len(hours[0]) == 1
    assert (hours[0].drop(columns="hour") == hours[1].drop(columns="hour")).all(axis=None)


# --- what is refused ---------------------------------------------------------------------------
@pytest.mark.parametrize("draw", [points, pairs, random_points, random_pairs])
def test_what_is_no_space_is_refused(draw):
    with pytest.raises(InputTypeError, match="cannot be drawn"):
        draw([0, 1])
    for least, most in [(3, 2), (-1, 2), (0.5, 2), (True, 2), ("1", 2)]:
        with pytest.raises(ParameterError, match="rows cannot be drawn"):
            draw(BOX, least, most)


def test_without_hypothesis_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    assert random_points(pm.Simplex(3), 4, 4).shape == (4, 3)
    for draw in (points, pairs):
        with pytest.raises(DependencyError) as caught:
            draw(BOX)
        assert str(caught.value) == (
            "Strategies are those of Hypothesis, which is not installed.\n"
            "  got:  import of hypothesis halted; None in sys.modules\n"
            "  need: hypothesis\n"
            "  do:   pip install 'phimaps[testing]'"
        )


def test_importing_the_strategies_does_not_import_hypothesis():
    code = "import sys, phimaps.testing.strategies\nprint(*{'hypothesis'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_the_world_stays_as_it_was():
    state = np.random.get_state()[1].copy()
    drawn(st.tuples(points(BOX), pairs(BOX)), 3)
    random_pairs(BOX)
    assert np.array_equal(np.random.get_state()[1], state)
