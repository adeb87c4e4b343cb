"""What every space says of itself, compared with samples of it and with exact arithmetic."""

import inspect
from fractions import Fraction
from itertools import pairwise
from itertools import product as pairs
from math import pi

import numpy as np
import pytest

import phimaps as pm
from phimaps.errors import DomainError, ParameterError
from phimaps.spaces import Boxlike, Product, Space
from phimaps.spaces.product import shadow

INF = np.inf
THIN = 1 + 2.0**-40

EXAMPLES = [
    pm.Box([0, -1], [1, 2]),
    pm.Box([0, 3, -1], [1, 3, -1]),
    pm.Box([2, 3], [2, 3]),
    pm.Box([0, 0], [1e-3, 1e3]),
    pm.Box([1e6], [1e6 + 1]),
    pm.Box([-INF, 0], [1, INF]),
    pm.Box([0, 0], [1, 2], closed="left"),
    pm.Box([-1, -INF], [INF, 2], closed="right"),
    pm.Box([-1, 0.1], [1, 0.3], closed="neither"),
    pm.Interval(0, INF, closed="neither"),
    pm.Interval(1, THIN),
    pm.Euclidean(2),
    pm.NonNegative((2, 2)),
    pm.Images(1, 2, 2, -0.5, 2),
    pm.Ball([0, 0], 1),
    pm.Ball([1, 1, 1], 1),
    pm.Ball([1e6, -0.3], 1e-3),
    pm.Ball(np.zeros((2, 2)), 0.1),
    pm.Sphere([0, 0], 1),
    pm.Sphere([0.1, -3, 2], 0.7),
    pm.Sphere([0, 0, 0, 0], 1e-5, metric="geodesic"),
    pm.Sphere([100, 1], 0.1, metric="geodesic"),
    pm.Simplex(2),
    pm.Simplex(4),
    pm.Simplex(3, total=0.3),
    pm.Finite([[0.0, 1.0], [2.0, -1.0], [0.0, 1.0]]),
    pm.Finite([[[1.0, 2.0]]]),
    pm.Finite([[0.0], [1.0], [5.0]], distances=[[0, 2, 3], [2, 0, 1.5], [3, 1.5, 0]]),
    pm.Categories(4),
    pm.Categories(("a", "b")),
    pm.Subspace([[1.0, 1.0]], within=pm.Box([0], [1])),
    pm.Subspace([[0.1, 2.0, 0.3], [1.0, 0.0, -1.0]], [0.1, 0.2, 0.3], pm.Box([-1, 0], [0.7, 0.1])),
    pm.Subspace([[1.0, 2.0, 0.0]], [0.0, 0.0, 1.0]),
    pm.Subspace([[1.0, 1.0], [1.0, -1.0]], within=pm.Box([0, 0], [1, 1])),
    pm.Subspace([[2.0, 0.5]], within=pm.Interval(0, 1, closed="neither")),
    pm.Subspace([[1.0, 3.0], [0.2, 1.0]]),
    Product((pm.Interval(0, 1), pm.Ball([0, 0], 1))),
    Product((pm.Categories(3), pm.Sphere([0, 0], 2, metric="geodesic"))),
    Product((pm.Finite([[0.0], [0.5]]), pm.Simplex(2), pm.Interval(0, 1, closed="left"))),
    Product((pm.Categories(2), pm.Finite([[0.0, 1.0], [2.0, 3.0]]))),
]
every = pytest.mark.parametrize("on", EXAMPLES, ids=repr)


def test_every_space_of_the_library_has_an_example():
    pending, kinds = [Space], set()
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        ours = kind.__module__.startswith("phimaps.spaces")
        if ours and not inspect.isabstract(kind) and kind is not Boxlike:
            kinds.add(kind)
    assert kinds <= {type(on) for on in EXAMPLES}
    assert len(kinds) >= 11


# --- points ------------------------------------------------------------------------------------
@every
def test_samples_lie_in_the_space(on):
    points = on.sample(300, random_state=1)
    assert points.shape == (300, *on.shape)
    assert points.dtype == np.float64
    assert on.contains(points).all()
    assert np.array_equal(points, on.sample(300, random_state=1))
    low, high = on.bounds()
    assert (low <= points).all()
    assert (points <= high).all()
    assert (on.surely_contains(points) <= on.contains(points)).all()
    assert len(on.sample(0)) == 0


@every
def test_bounds_are_tight_and_attained_where_it_is_said(on):
    points = on.sample(4000, random_state=2)
    (low, high), (low_in, high_in) = on.bounds(), on.attains()
    assert not low_in[np.isinf(low)].any()
    assert not high_in[np.isinf(high)].any()
    least, greatest = points.min(axis=0), points.max(axis=0)
    finite = np.isfinite(low) & np.isfinite(high)
    width = np.where(finite, high - low, 1.0)
    size = np.where(finite, np.maximum(np.abs(low), np.abs(high)), 0.0)
    with np.errstate(invalid="ignore"):
        near = 0.02 * width + 4 * np.spacing(size)
        assert (~np.isfinite(low) | (least - low <= near)).all()
        assert (~np.isfinite(high) | (high - greatest <= near)).all()
    surely = points[on.surely_contains(points)]
    assert (low_in | (surely > low).all(axis=0)).all()
    assert (high_in | (surely < high).all(axis=0)).all()
    if isinstance(on, Boxlike | pm.Finite | pm.Categories | pm.Simplex):
        assert np.array_equal(low_in, least == low)
        assert np.array_equal(high_in, greatest == high)


@every
def test_points_beyond_the_bounds_are_not_contained(on):
    low, high = on.bounds()
    start = on.sample(1)
    for index in np.ndindex(on.shape):
        for beyond in (np.nextafter(low[index], -INF), np.nextafter(high[index], INF)):
            if np.isfinite(beyond):
                moved = start.copy()
                moved[(0, *index)] = beyond
                # A piece of a plane allows for rounding, so its bounds do too.
                flat = isinstance(on, pm.Subspace)
                assert flat or not on.contains(moved).any()
                assert not on.surely_contains(moved).any()


@every
def test_the_nearest_points_lie_in_the_space_and_points_of_it_stay(on):
    rng = np.random.default_rng(0)
    points = on.sample(50, 3)
    assert np.array_equal(on.nearest(points), points)
    away = points + rng.standard_normal(points.shape) * rng.choice(
        [1e-9, 1, 1e6], (50, *[1] * len(on.shape))
    )
    moved = on.nearest(away)
    assert on.contains(moved).mean() > 0.9
    if on.euclidean and not isinstance(on, pm.Subspace):
        # No sampled point is nearer.
        step = on.distance(away, moved)
        for other in points[:20]:
            there = on.distance(away, np.repeat(other[None], 50, axis=0))
            assert (step <= there * (1 + 1e-9) + 1e-9 * np.abs(away).max()).all()


@every
def test_chords_and_the_inner_box_lie_inside(on):
    box, chords = on.inner_box(), on.chords()
    if box is not None:
        assert on.interior
        assert box.interior
        assert box.is_closed
        assert box.is_subset(on)
        assert on.surely_contains(box.sample(60)).all()
    if chords is None:
        return
    low, high, point = chords
    assert on.surely_contains(point[None]).all()
    for index in np.ndindex(on.shape):
        for end in (low[index], high[index]):
            moved = point.copy()
            moved[index] = np.clip(end, -1e6, 1e6)
            assert low[index] <= point[index] <= high[index]
            assert on.surely_contains(moved[None]).all()


@every
def test_dimension_size_and_kind_fit_together(on):
    assert 0 <= on.dimension <= on.size
    assert on.interior == (on.dimension == on.size)
    assert on.infinite == (on.dimension > 0)
    bounded = np.isfinite(on.bounds()).all()
    assert on.compact == (on.is_closed and bounded)
    assert np.isfinite(on.diameter) == bounded
    assert not on.single or not on.diameter
    # The rank of the differences of samples is the dimension, but for curved spaces.
    rows = on.sample(60, 5).reshape(60, -1)
    away = rows - rows[0]
    rank = np.linalg.matrix_rank(away, tol=1e-9 * max(np.abs(away).max(), 1e-300))
    assert rank >= on.dimension
    if isinstance(on, Boxlike | pm.Subspace | pm.Simplex | pm.Ball):
        assert rank == on.dimension


# --- distances ---------------------------------------------------------------------------------
@every
def test_the_distance_is_a_metric(on):
    x, y, z = (on.sample(60, seed) for seed in (1, 2, 3))
    near = 1e-12 * (1 + np.abs(x).max())
    assert (on.distance(x, x) == 0).all()
    assert np.array_equal(on.distance(x, y), on.distance(y, x))
    differ = (x != y).reshape(60, -1).any(axis=1)
    assert np.array_equal(on.distance(x, y) > 0, differ)
    assert (on.distance(x, z) <= on.distance(x, y) + on.distance(y, z) + near).all()
    plain = np.linalg.norm((x - y).reshape(60, -1), axis=1)
    assert not on.euclidean or np.array_equal(on.distance(x, y), plain)
    assert on.distance(x[:0], x[:0]).shape == (0,)


@every
def test_the_diameter_is_an_upper_bound_and_nearly_attained(on):
    points = on.sample(400, 4)
    i, j = np.triu_indices(len(points), 1)
    far = on.distance(points[i], points[j]).max()
    size = 1e-15 * np.abs(points).max()
    assert far <= on.diameter * (1 + 1e-14) + size
    if np.isfinite(on.diameter):
        assert far >= 0.9 * on.diameter


def test_diameters_that_are_known():
    assert pm.Box([0, 0], [3, 4]).diameter == 5
    assert pm.Sphere([0, 0], 3).diameter == 6
    assert pi < pm.Sphere([0, 0], 1, metric="geodesic").diameter < pi * (1 + 1e-15)
    assert pm.Simplex(5).diameter == pytest.approx(2**0.5, rel=1e-15)
    assert pm.Categories(3).diameter == 1
    assert pm.Categories(1).diameter == 0
    assert pm.Subspace([[3.0, 4.0]], within=pm.Interval(0, 1)).diameter == pytest.approx(5)
    square = pm.Subspace([[1.0, 1.0], [1.0, -1.0]], within=pm.Box([0, 0], [1, 1]))
    assert square.diameter == pytest.approx(2)
    wide = pm.Subspace(np.eye(14), within=pm.Box([0] * 14, [1] * 14))
    assert 14**0.5 <= wide.diameter < 14**0.5 * (1 + 1e-9)
    assert Product((pm.Categories(3), pm.Categories(3))).diameter == pytest.approx(2**0.5)


@every
def test_reach_bounds_distances_from_a_point(on):
    rng = np.random.default_rng(0)
    points = on.sample(500, 6)
    for _ in range(4):
        start = rng.standard_normal(on.shape) * 3
        far = np.linalg.norm((points - start).reshape(len(points), -1), axis=1).max()
        assert far <= on.reach(start) * (1 + 1e-14)


# --- nets --------------------------------------------------------------------------------------
def exact_square(x, y):
    return sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(x, y, strict=True))


@every
@pytest.mark.parametrize("share", [3.0, 0.6, 0.11])
def test_a_net_covers_the_space(on, share):
    if not on.compact:
        with pytest.raises(ParameterError, match="no finite net"):
            on.net(1.0)
        return
    h = share * (on.diameter or 1.0)
    net = on.net(h)
    assert on.contains(net).all()
    points = on.sample(120, 7)
    for x in points:
        gaps = on.distance(np.repeat(x[None], len(net), axis=0), net)
        best = int(gaps.argmin())
        assert gaps[best] <= h * (1 + 1e-12)
        if gaps[best] > h * (1 - 1e-9) and on.euclidean and on.surely_contains(x[None])[0]:
            assert exact_square(x.ravel(), net[best].ravel()) <= Fraction(h) ** 2


def test_nets_are_exact_where_rounding_is_as_large_as_the_radius():
    for low, high, h in ((1.0, 1 + 2.0**-40, 2.0**-44), (1e15, 1e15 + 64, 40.0), (0.1, 0.7, 1e-6)):
        line = np.sort(pm.Interval(low, high).net(h).ravel())
        ends = [Fraction(low), *map(Fraction, line), Fraction(high)]
        gaps = [b - a for a, b in pairwise(ends)]
        assert max(gaps[0], gaps[-1]) <= Fraction(h)
        assert all(g <= 2 * Fraction(h) for g in gaps)
    for on in (pm.Interval(1, 2), pm.Ball([1e6], 1), pm.Sphere([3, 4], 1), pm.Simplex(3)):
        with pytest.raises(ParameterError, match="rounded by more than its radius"):
            on.net(1e-17)


def test_the_worst_point_of_a_simplex_is_as_near_as_it_is_said():
    # The point with the greatest remainders: half of the coordinates are halves of a step.
    for n, parts in pairs((2, 3, 4, 5), (1, 2, 3)):
        half = n // 2
        h = (half * (n - half) / n) ** 0.5 / parts * (1 + 1e-6)
        net = pm.Simplex(n).net(h)
        assert len(net) == len(pm.Simplex(n)._lattice(parts))
        x = np.full(n, half / n) + np.eye(n)[0] * (parts - half)
        gap = np.linalg.norm(net - np.abs(x) / np.abs(x).sum(), axis=1).min()
        assert gap <= h


def test_a_finite_space_lists_each_point_once():
    assert pm.Finite([[0.0], [-0.0], [1.0]]).enumerate().tolist() == [[0.0], [1.0]]
    assert pm.Box([2, 3], [2, 3]).enumerate().tolist() == [[2.0, 3.0]]
    both = Product((pm.Categories(2), pm.Finite([[5.0], [6.0]])))
    assert sorted(both.enumerate().tolist()) == [[0, 5], [0, 6], [1, 5], [1, 6]]
    many = Product((pm.Categories(1000),) * 5)
    assert many.enumerate() is None
    assert not many.infinite
    assert many.is_subset(many)
    assert many.is_subset(pm.Box([0] * 5, [999] * 5))


@every
def test_what_is_enumerated_is_the_space(on):
    points = on.enumerate()
    assert (points is None) == on.infinite
    if points is not None:
        assert on.contains(points).all()
        assert len(np.unique(points.reshape(len(points), -1), axis=0)) == len(points)
        assert pm.Finite(points).contains(on.sample(50)).all()


# --- subsets -----------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_subset_contains_no_point_that_the_other_lacks(size):
    group = [on for on in EXAMPLES if on.shape == (size,)]
    for one, other in pairs(group, group):
        if one.is_subset(other):
            assert other.contains(one.sample(100)).all()
            assert one.dimension <= other.dimension
            (low, high), (least, most) = one.bounds(), other.bounds()
            assert (least <= low).all()
            assert (high <= most).all()


@every
def test_every_space_lies_in_itself_its_bounds_and_everything(on):
    assert on.is_subset(on)
    assert on.is_subset(pm.Box(*on.bounds()))
    assert on.is_subset(pm.Euclidean(on.shape))
    assert not on.is_subset(pm.Euclidean((*on.shape, 1)))
    if len(on.shape) == 1:
        assert on.is_subset(Product((on,)))
        for a, b in pairs(range(on.size), range(1, on.size + 1)):
            if a < b:
                part = shadow(on, a, b)
                points = on.sample(50)[:, a:b]
                # Points on a sphere are rounded, and may be so beyond the ball that is its shadow.
                assert (
                    np.abs(part.nearest(points) - points).max()
                    <= 1e-14 * np.abs(on.sample(9)).max()
                )
                assert part is on or part.contains(points).mean() > 0.5
                assert part.is_subset(Product(tuple(pm.Euclidean(1) for _ in range(b - a))))


HALF, UNIT = pm.Box([0, 0], [1, 1], closed="left"), pm.Box([0, 0], [1, 1])
SUBSETS = [
    (HALF, UNIT, True),
    (UNIT, HALF, False),
    (pm.Box([0, 0], [1, 1], closed="neither"), HALF, True),
    (pm.Box([0, 0], [0.5, 0.5]), HALF, True),
    (pm.Ball([0.5, 0.5], 0.5), UNIT, True),
    (pm.Ball([0.5, 0.5], 0.5), HALF, False),
    (pm.Ball([0.5, 0.5], np.nextafter(0.5, 1)), UNIT, False),
    (pm.Sphere([0, 0], 1), pm.Ball([0, 0], 1), True),
    (pm.Ball([0, 0], 1), pm.Sphere([0, 0], 1), False),
    (pm.Sphere([0, 0], 1), pm.Box([-1, -1], [1, 1]), True),
    (pm.Sphere([0, 0], 1), pm.Sphere([0, 0], 1, metric="geodesic"), True),
    (pm.Sphere([0, 0], 1), pm.Sphere([0, 0], THIN), False),
    (pm.Finite([[1.0, 0.0], [0.0, -1.0]]), pm.Sphere([0, 0], 1), True),
    (pm.Finite([[0.6, 0.8]]), pm.Sphere([0, 0], 1), False),
    (pm.Box([3, 4], [3, 4]), pm.Sphere([0, 0], 5), True),
    (pm.Simplex(2), UNIT, True),
    (pm.Simplex(2), HALF, False),
    (pm.Simplex(2), pm.Ball([0, 0], 1), True),
    (pm.Simplex(2), pm.Simplex(2, total=2), False),
    (pm.Subspace([[1.0, -1.0]], [0.0, 1.0], pm.Interval(0, 1)), pm.Simplex(2), True),
    (pm.Subspace([[1.0, -1.0]], [0.0, 1.0], pm.Interval(0, 1.5)), pm.Simplex(2), False),
    (pm.Subspace([[1.0, -1.0]], [0.0, 1.5], pm.Interval(0, 1)), pm.Simplex(2), False),
    (pm.Subspace([[2.0, 2.0]]), pm.Subspace([[1.0, 1.0]], [5.0, 5.0]), True),
    (pm.Subspace([[2.0, 2.0]]), pm.Subspace([[1.0, 1.0]], [5.0, 5.5]), False),
    (pm.Subspace([[1.0, 2.0]]), pm.Subspace([[1.0, 1.0], [0.0, 1.0]]), True),
    (UNIT, pm.Subspace([[1.0, 1.0], [0.0, 1.0]]), True),
    (UNIT, pm.Subspace([[2.0, 0.0], [0.0, 2.0]], within=pm.Box([0, 0], [0.5, 0.5])), True),
    (
        HALF,
        pm.Subspace([[2.0, 0.0], [0.0, 2.0]], within=pm.Box([0, 0], [0.5, 0.5], closed="left")),
        True,
    ),
    (
        UNIT,
        pm.Subspace([[2.0, 0.0], [0.0, 2.0]], within=pm.Box([0, 0], [0.5, 0.5], closed="left")),
        False,
    ),
    (pm.Box([0, 3], [1, 3]), pm.Subspace([[1.0, 0.0]], [0.0, 3.0]), True),
    (pm.Ball([0, 0], 1), pm.Subspace([[1.0, 1.0], [0.0, 1.0]]), True),
    (pm.Categories(3), pm.Finite([[0.0], [1.0], [2.0], [3.0]]), True),
    (pm.Categories(3), pm.Interval(0, 2), True),
    (pm.Categories(3), pm.Interval(0, 2, closed="left"), False),
    (pm.Interval(0, 2), pm.Categories(3), False),
    (UNIT, Product((pm.Interval(0, 1), pm.Interval(0, 2))), True),
    (UNIT, Product((pm.Interval(0, 1), pm.Categories(2))), False),
    (pm.Ball([0, 0, 0], 1), Product((pm.Ball([0, 0], 1), pm.Interval(-1, 1))), True),
    (pm.Sphere([0, 0, 0], 1), Product((pm.Ball([0, 0], 1), pm.Interval(-1, 1))), True),
    (
        Product((pm.Interval(0, 1), pm.Ball([0, 0], 1))),
        Product((pm.Box([0, -1], [1, 1]), pm.Interval(-1, 1))),
        True,
    ),
    (Product((pm.Interval(0, 3), pm.Interval(0, 4))), pm.Ball([0, 0], 5), True),
    (Product((pm.Interval(0, 3), pm.Interval(0, 4))), pm.Ball([0, 0], 4.9), False),
    (pm.NonNegative(2), pm.Box([-1, -1], [INF, INF], closed="neither"), True),
]


@pytest.mark.parametrize(("one", "other", "answer"), SUBSETS, ids=repr)
def test_subsets_are_decided(one, other, answer):
    assert one.is_subset(other) is answer


# --- single spaces -----------------------------------------------------------------------------
@every
def test_the_notation_evaluates_to_the_same_space(on):
    text = repr(on)
    if any(word in text for word in ("points of", "float64")):
        return
    names = {name: getattr(pm, name) for name in dir(pm)} | {"inf": INF, "Product": Product}
    again = eval(text, names)
    assert repr(again) == text
    assert type(again) is type(on)
    assert again.is_subset(on)
    assert on.is_subset(again)
    assert again.euclidean == on.euclidean


def test_open_ends_are_left_out_and_show():
    half = pm.Interval(0, 1, closed="left")
    assert repr(half) == "Box([0], [1], closed='left')"
    assert half.contains([[0.0], [0.5], [1.0]]).tolist() == [True, True, False]
    assert (half.compact, half.is_closed) == (False, False)
    assert (half.sample(2000) < 1).all()
    assert (half.sample(2000) == 0).any()
    ray = pm.Interval(0, INF, closed="neither")
    assert not ray.contains([[0.0]]).any()
    assert ray.chords()[0] > 0
    assert pm.Interval(-INF, INF, closed="neither").is_closed
    tiny = pm.Interval(0, 1e-323, closed="neither")
    assert tiny.inner_box() is None
    assert tiny.sample(3).tolist() == [[5e-324]] * 3


def test_a_map_restricted_to_an_open_interval_refuses_its_end():
    phi = pm.Log().on(pm.Interval(0, 1, closed="neither"))
    assert phi(np.array([[0.5]])).shape == (1, 1)
    for end in (0.0, 1.0):
        for dtype in (np.float32, np.float64):
            with pytest.raises(DomainError):
                phi(np.array([[end]], dtype=dtype))
    both = pm.product(pm.Log(), pm.Log(), widths=(1, 1))
    open_box = pm.Box([0, 0], [1, 1], closed="neither")
    assert pm.decide(both, pm.Injective, on=open_box).holds
    assert pm.decide(pm.Log(), pm.Lipschitz, on=pm.Interval(0, 1, closed="right")).value[1] == INF


def test_arcs_are_measured_along_the_sphere():
    on = pm.Sphere([1, 1], 2, metric="geodesic")
    x, y = on.nearest([[9.0, 1.0]]), on.nearest([[-9.0, 1.0]])
    assert on.distance(x, y) == pytest.approx(2 * pi)
    near = on.center + 2 * np.array([[np.cos(1e-9), np.sin(1e-9)]])
    assert on.distance(x, near) == pytest.approx(2e-9)


def test_given_distances_are_looked_up():
    on = pm.Finite([[0.0], [1.0]], distances=[[0, 7], [7, 0]])
    assert on.distance([[1.0], [0.0]], [[0.0], [0.0]]).tolist() == [7, 0]
    assert on.diameter == 7
    both = Product((on, pm.Interval(0, 1)))
    assert both.distance([[0.0, 0.0]], [[1.0, 1.0]])[0] == pytest.approx(50**0.5)
    assert (on.euclidean, both.euclidean) == (False, False)


def test_categories_keep_their_names():
    assert pm.Categories(2).names == ("0", "1")
    assert pm.Categories(["x", "y"]).names == ("x", "y")
    assert pm.Categories(np.array(["x", "y"])).n == 2
    assert repr(pm.Categories(["x", "y"])) == "Categories(('x', 'y'))"


def test_a_subspace_is_the_image_of_its_parameters():
    basis, offset = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 0.25]]), np.array([0.1, 0.0, 3.0])
    within = pm.Box([-1, 0], [1, 2])
    on = pm.Subspace(basis, offset, within)
    t = within.sample(200)
    points = pm.Affine(basis, offset)(t)
    assert on.contains(points).all()
    assert np.allclose(on.at(t), points, rtol=1e-15, atol=1e-15)
    assert not on.contains(points + 1e-9 * np.eye(3)[2]).any()
    outside = np.array([[1.01, 0.0], [0.0, -0.01], [-5.0, 9.0]])
    assert not on.contains(outside @ basis + offset).any()


def test_spaces_do_not_follow_the_arrays_that_they_were_made_of():
    basis, table = np.eye(2), np.array([[0, 1.0], [1, 0]])
    flat, pair = pm.Subspace(basis), pm.Finite([[0.0], [2.0]], table)
    basis[:], table[:] = 7, 7
    assert np.array_equal(flat.basis, np.eye(2))
    assert pair.diameter == 1
    for array in (flat.basis, flat.offset, pair.distances, pm.Categories(2).members):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
