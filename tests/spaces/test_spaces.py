"""What a space says of itself is consistent, whatever the space."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phimaps as pm
from phimaps.spaces import Boxlike, Product

law = settings(max_examples=60, deadline=None, derandomize=True, database=None)

ends = st.one_of(st.integers(-4, 4).map(float), st.floats(-1e3, 1e3), st.just(1e-300))
widths = st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 1e3), st.just(np.inf))


@st.composite
def boxes(draw, size=None):
    size = size or draw(st.integers(1, 3))
    low = np.array([draw(ends) for _ in range(size)])
    high = low + np.array([draw(widths) for _ in range(size)])
    low = np.where(np.array([draw(st.booleans()) for _ in range(size)]), low, np.minimum(low, high))
    if draw(st.booleans()):
        low = np.where(np.isinf(high), -np.inf, low)
    return pm.Box(low, high)


@st.composite
def balls(draw, size=None):
    size = size or draw(st.integers(1, 3))
    radius = draw(st.one_of(st.floats(1e-3, 1e3), st.just(1.0)))
    return pm.Ball([draw(ends) for _ in range(size)], radius)


@st.composite
def finites(draw, size=None):
    size = size or draw(st.integers(1, 3))
    n = draw(st.integers(1, 4))
    return pm.Finite([[draw(ends) for _ in range(size)] for _ in range(n)])


def vectors(size=None):
    sizes = st.integers(1, 3) if size is None else st.just(size)
    return st.one_of(
        boxes(size), balls(size), finites(size), sizes.map(pm.Euclidean), sizes.map(pm.NonNegative)
    )


products = st.lists(vectors(), min_size=1, max_size=3).map(lambda p: Product(tuple(p)))
images = st.integers(1, 2).map(lambda c: pm.Images(c, 2, 3, -0.5, 2))
spaces = st.one_of(vectors(), products, images)


@law
@given(spaces)
def test_samples_lie_inside_and_inside_the_bounds(space):
    points = space.sample(40, random_state=1)
    assert points.shape == (40, *space.shape)
    assert points.dtype == np.float64
    assert space.contains(points).all()
    low, high = space.bounds()
    assert low.shape == high.shape == space.shape
    assert (low <= points).all()
    assert (points <= high).all()
    assert pm.Box(low, high).contains(points).all()
    assert np.array_equal(points, space.sample(40, random_state=1))


@law
@given(spaces)
def test_points_outside_the_bounds_lie_outside(space):
    low, high = space.bounds()
    points = space.sample(1)
    for index in np.ndindex(space.shape):
        for beyond in (np.nextafter(low[index], -np.inf), np.nextafter(high[index], np.inf)):
            if np.isfinite(beyond) and not low[index] <= beyond <= high[index]:
                moved = points.copy()
                moved[(0, *index)] = beyond
                assert not space.contains(moved).any()


@law
@given(spaces)
def test_the_inner_box_is_inside(space):
    box = space.inner_box()
    if box is None:
        return
    assert space.interior
    assert space.infinite
    assert box.interior
    assert space.contains(box.sample(40)).all()
    if isinstance(space, Boxlike):
        assert box.is_subset(space)
        assert space.is_subset(box)
    if isinstance(space, pm.Ball):
        assert box.is_subset(space)


@law
@given(spaces)
def test_chords_lie_inside(space):
    chords = space.chords()
    if chords is None:
        return
    low, high, point = chords
    assert (low <= point).all()
    assert (point <= high).all()
    assert space.contains(point[None]).all()
    for index in np.ndindex(space.shape):
        for end in (low[index], high[index], (low[index] + point[index]) / 2):
            moved = point.copy()
            moved[index] = np.clip(end, -1e6, 1e6) if np.isinf(end) else end
            if low[index] <= moved[index] <= high[index]:
                assert space.contains(moved[None]).all()


@law
@given(spaces)
def test_no_two_points_are_further_apart_than_the_diameter(space):
    x, y = space.sample(40, 1), space.sample(40, 2)
    distance = space.distance(x, y)
    assert (distance <= space.diameter * (1 + 1e-12)).all()
    assert np.isfinite(space.diameter) == space.compact
    assert (space.distance(x, x) == 0).all()
    if space.single:
        assert not distance.any()


@law
@given(st.data(), st.integers(1, 3))
def test_a_subset_contains_no_point_that_the_other_lacks(data, size):
    one, other = data.draw(vectors(size)), data.draw(vectors(size))
    if one.is_subset(other):
        assert other.contains(one.sample(40)).all()
        assert one.diameter <= other.diameter * (1 + 1e-12)
        assert not (one.infinite and not other.infinite)
        low, high = other.bounds()
        assert (low <= one.bounds()[0]).all()
        assert (one.bounds()[1] <= high).all()


@law
@given(spaces)
def test_every_space_lies_in_itself_its_bounds_and_everything(space):
    assert space.is_subset(space)
    assert space.is_subset(pm.Box(*space.bounds()))
    assert space.is_subset(pm.Euclidean(space.shape))
    assert not space.is_subset(pm.Euclidean((*space.shape, 1)))


@law
@given(vectors())
def test_the_notation_evaluates_to_the_same_set(space):
    if "points of" in repr(space):
        return
    names = {name: getattr(pm, name) for name in dir(pm)} | {"inf": np.inf}
    again = eval(repr(space), names)
    assert again.is_subset(space) or isinstance(space, pm.Ball)
    assert repr(again) == repr(space)
    assert np.array_equal(np.concatenate(again.bounds()), np.concatenate(space.bounds()))


def test_bounded_spaces_are_compact_and_others_are_not():
    assert pm.Box([0], [1]).compact
    assert not pm.Box([0, 0], [1, np.inf]).compact
    assert not pm.NonNegative(2).compact
    assert Product((pm.Box([0], [1]), pm.Ball([0], 1))).compact
    assert not Product((pm.Box([0], [1]), pm.Euclidean(1))).compact


def test_flat_boxes_have_no_interior():
    flat = pm.Box([0, 1], [1, 1])
    assert (flat.infinite, flat.interior, flat.inner_box(), flat.single) == (
        True,
        False,
        None,
        False,
    )
    assert pm.Box([1, 1], [1, 1]).single
    assert pm.Finite([[1.0], [1.0]]).single
    assert not Product((pm.Finite([[0.0]]), pm.Box([0], [1]))).interior


def test_equal_numbers_are_equal_points():
    assert pm.Finite([[0.0, -0.0]]).contains([[-0.0, 0.0]]).all()


def test_diameters_that_are_known():
    assert pm.Box([0, 0], [3, 4]).diameter >= 5
    assert pm.Box([0, 0], [3, 4]).diameter == pytest.approx(5)
    assert pm.Ball([0, 0], 2).diameter == 4
    assert pm.Finite([[0.0, 0], [3, 4]]).diameter == pytest.approx(5)
    assert pm.Images(1, 2, 2).diameter == pytest.approx(2)
    assert Product((pm.Box([0], [3]), pm.Box([0], [4]))).diameter == pytest.approx(5)


def test_points_of_a_ball_far_from_the_origin_lie_in_it():
    for ball in (pm.Ball([1.0], 1e-3), pm.Ball([1e6, -1e6], 1e-3), pm.Ball([1e12], 1e-4)):
        assert ball.contains(ball.sample(200)).all()
        low, high, point = ball.chords()
        for i in range(ball.size):
            for end in (low[i], high[i]):
                moved = point.copy()
                moved[i] = end
                assert ball.contains(moved[None]).all()


def test_a_space_does_not_follow_the_array_that_it_was_made_of():
    low = np.zeros(2)
    box = pm.Box(low, [1, 1])
    low[:] = 5
    assert not box.low.any()
    with pytest.raises(ValueError, match="read-only"):
        box.low[0] = 1
