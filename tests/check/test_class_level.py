"""What restricted classes miss behind a map, or gain: each case with its witness and its number.

A measure with Σ c_i f(φ(x_i)) = 0 for all f of a class keeps them all away from each target g by
|Σ c_i g(x_i)| / Σ |c_i|. Here the sums are made anew from the points, for members that were fitted
and for the functions that span the class.
"""

from fractions import Fraction
from math import comb, pi, prod, sqrt

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps import kernels, models

LINE, UNIT = pm.Box([-1.0], [1.0]), pm.Box([0.0], [1.0])
CIRCLE = pm.Sphere([0.0, 0.0], 1.0)


def refuted(subject, on):
    """The witness against universality."""
    verdict = pm.decide(subject, pm.Universal, on=on)
    assert verdict.holds is False
    assert on.contains(verdict.witness.points).all()
    return verdict.witness


def bound(measure, target):
    """What every function that the measure annihilates misses the target by."""
    total = np.abs(measure.weights).sum()
    return abs(float(measure.weights @ target(measure.points))) / total


def angle(x):
    return np.arctan2(x[:, 1], x[:, 0])


# --- kernels of networks on the circle -----------------------------------------------------------
@pytest.mark.parametrize("kernel", [kernels.ArcCosine(order=1), kernels.NTK()], ids=repr)
def test_a_hexagon_keeps_networks_with_one_layer_of_relus_from_a_wave(kernel):
    hexagon = refuted(kernel, CIRCLE)
    assert len(hexagon.points) == 6
    assert hexagon.verify(kernel)
    # Signs alternate, and so does cos 3θ: the distance is that of 0.
    assert bound(hexagon, lambda x: np.cos(3 * angle(x))) == pytest.approx(1.0, abs=1e-12)
    turns = np.linspace(0, 2 * pi, 120, endpoint=False)
    points = np.column_stack([np.cos(turns), np.sin(turns)])
    member = models.KernelRidge(kernel, alpha=1e-8).member(False).fit(points, np.cos(3 * turns))
    missed = np.abs(member.predict(hexagon.points) - np.cos(3 * angle(hexagon.points)))
    assert missed.max() >= 1 - 1e-6
    # With a bias nothing is missing.
    assert pm.decide(kernels.ArcCosine(order=1, bias=1.0), pm.Universal, on=CIRCLE).holds


def test_a_square_keeps_steps_from_a_wave():
    kernel = kernels.ArcCosine(order=0)
    square = refuted(kernel, CIRCLE)
    assert square.exact
    assert len(square.points) == 4
    assert square.verify(kernel)
    assert bound(square, lambda x: np.cos(2 * angle(x))) == pytest.approx(1.0, abs=1e-12)


# --- sums of functions of few coordinates --------------------------------------------------------
RECTANGLES = {
    "additive chi2": (kernels.AdditiveChi2(), pm.Box([1.0] * 2, [2.0] * 2)),
    "additive": (models.Additive() @ pm.Identity(), pm.Box([-1.0] * 2, [1.0] * 2)),
    "stumps": (models.BoostedTrees(1) @ pm.Identity(), pm.Box([-1.0] * 2, [1.0] * 2)),
}


@pytest.mark.parametrize("name", RECTANGLES)
def test_a_rectangle_keeps_sums_over_coordinates_from_a_product(name):
    subject, on = RECTANGLES[name]
    corners = refuted(subject, on)
    assert corners.exact
    # A function of one coordinate has the same values at two corners of opposite signs.
    for column in corners.points.T:
        for value in np.unique(column):
            assert corners.weights[column == value].sum() == 0
    middle, half = (on.low + on.high) / 2, (on.high - on.low) / 2
    assert bound(corners, lambda x: ((x - middle) / half).prod(axis=1)) == 1.0


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_cube_keeps_boosted_trees_from_the_parity_of_one_bit_more(depth):
    on = pm.Box([-1.0] * (depth + 1), [1.0] * (depth + 1))
    cube = refuted(models.BoostedTrees(depth) @ pm.Identity(), on)
    assert len(cube.points) == 2 ** (depth + 1)
    # Whatever depends on `depth` coordinates is the same along the edges in the last one.
    for left_out in range(depth + 1):
        others = np.delete(cube.points, left_out, axis=1)
        for corner in np.unique(others, axis=0):
            assert cube.weights[(others == corner).all(axis=1)].sum() == 0
    parity = cube.points.prod(axis=1)
    assert bound(cube, lambda x: x.prod(axis=1)) == 1.0
    for rounds in (1, 50):
        member = models.BoostedTrees(depth, n_estimators=rounds).member(False)
        values = member.fit(cube.points, parity).predict(cube.points)
        assert np.abs(values - parity).max() >= 1 - 1e-9
    # One coordinate more in each tree, and nothing is missed.
    assert (
        pm.decide(models.BoostedTrees(depth + 1) @ pm.Identity(), pm.Universal, on=on).holds
        is not False
    )


# --- polynomials ---------------------------------------------------------------------------------
@pytest.mark.parametrize("degree", [1, 2, 3, 6])
def test_a_difference_keeps_polynomials_from_what_alternates(degree):
    measure = refuted(models.Polynomial(degree) @ pm.Identity(), LINE)
    places = [Fraction(t) for t in measure.points[:, 0].tolist()]
    weights = [int(c) for c in measure.weights]
    assert len(places) == degree + 2
    assert [abs(c) for c in weights] == [comb(degree + 1, i) for i in range(degree + 2)]
    for power in range(degree + 1):
        assert sum(c * t**power for c, t in zip(weights, places, strict=True)) == 0
    # x ↦ x^(p+1) has differences of its own, and ±1 in turn is missed by all of 1.
    assert sum(c * t ** (degree + 1) for c, t in zip(weights, places, strict=True)) != 0
    assert bound(measure, lambda x: (-1.0) ** np.arange(len(x))) == 1.0


def test_polynomials_of_a_degree_are_not_dense_though_the_identity_keeps_what_is():
    assert pm.decide(pm.Identity(), pm.UAPInvariant, on=LINE).holds
    assert pm.decide(models.Polynomial(3) @ pm.Identity(), pm.Universal, on=LINE).holds is False
    assert pm.decide(models.Polynomials() @ pm.Identity(), pm.Universal, on=LINE).holds


EXPONENTS = [1, *(2**i for i in range(1, 11))]
# In L²(0, 1) the distance of x^q from the span of x^e is Π |q - e| / (q + e + 1) / √(2q + 1)
# (Müntz), over all e; that of the sup norm is no less. The factors left out exceed 1 - 7 / 2^k.
MUENTZ = prod(abs(3 - e) / (4 + e) for e in [0, *EXPONENTS]) / sqrt(7) * (1 - 2 * 7 / 2**11)


def test_powers_of_two_and_the_constant_leave_a_gap_to_the_cube():
    assert 4.1e-4 < MUENTZ < 4.2e-4
    x = np.linspace(0, 1, 400)
    cube, found = x**3, []
    for k in range(3, len(EXPONENTS) + 1):
        columns = np.column_stack([x**e for e in [0, *EXPONENTS[:k]]])
        best = pm.check.chebyshev(columns, cube)
        exact = pm.check.exactly(columns, cube, best.measure)
        assert exact.verify(columns, cube)
        assert MUENTZ <= float(exact.bound) <= best.error + 1e-12
        found.append(best.error)
    # More powers bring it nearer, and by less and less.
    gains = -np.diff(found)
    assert (gains > 0).all()
    assert (np.diff(gains) < 0).all()
    phi = pm.Identity()
    for e in EXPONENTS[1:7]:
        phi = phi & pm.Power(e)
    report = pm.check.universality(
        models.Linear() @ phi, on=UNIT, targets={"cube": lambda x: x[:, 0] ** 3}
    )
    assert report.verdict == "refuted (witness)"
    assert MUENTZ <= report.rows[0].lower <= report.rows[0].upper < 1e-3


# --- affine functions ----------------------------------------------------------------------------
@pytest.mark.parametrize("dropped", [(), (2,)], ids=["all", "one dropped"])
def test_codes_make_affine_functions_universal_on_finitely_many_points(dropped):
    codes = pm.OneHot([[0.0, 1.0, 2.0, 3.0, 4.0]], **({"dropped": dropped} if dropped else {}))
    subject, on = models.Linear() @ codes, pm.Categories(5)
    assert pm.decide(subject, pm.Universal, on=on).holds
    points = on.enumerate()
    values = np.random.default_rng(0).standard_normal(5)
    design = np.column_stack([np.ones(5), codes(points)])
    assert np.linalg.matrix_rank(design) == 5
    np.testing.assert_allclose(design @ np.linalg.lstsq(design, values)[0], values, atol=1e-14)
    # The number itself leaves a plane of five.
    plain = pm.decide(models.Linear() @ pm.Identity(), pm.Universal, on=on)
    assert plain.holds is False


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("kind", [pm.ReconfigurationNetwork, pm.InvertibleResidualNetwork])
def test_no_homeomorphism_upgrades_affine_functions(kind, d):
    """dist(-|x|², F_φ) >= 1/2 on the unit ball: the best that is found comes from above to it."""
    on = pm.Ball([0.0] * d, 1.0)
    assert pm.decide(models.Linear() @ kind.family(), pm.Universal, on=on).holds is False
    turns = np.linspace(0, 2 * pi, 400, endpoint=False)
    circle = np.column_stack([np.cos(turns), np.sin(turns)]) if d == 2 else [[-1.0], [1.0]]
    points = np.concatenate([on.sample(300, 0), np.zeros((1, d)), circle])
    bowl = -(points**2).sum(axis=1)
    phi = kind(2, n_epochs=10).fit(points, bowl)
    features = np.column_stack([np.ones(len(points)), phi.transform(points)])
    best = pm.check.chebyshev(features, bowl)
    # Between neighbours on the circle a member may rise by its slope times half of their distance.
    slope = pm.decide(phi.map_, pm.Lipschitz, on=on).value[1] * np.linalg.norm(best.weights[1:])
    room = slope * pi / 400 / 2 if d == 2 else 0.0
    assert 0.5 - room - 1e-9 <= best.lower <= best.error < 0.501


def test_a_coupling_behind_a_lift_upgrades_affine_functions():
    on = pm.Ball([0.0, 0.0], 1.0)
    family = models.Linear() @ pm.CouplingNetwork.family()
    assert pm.decide(family, pm.Universal, on=on).holds
    points = on.sample(1200, 0)
    bowl = -(points**2).sum(axis=1)
    phi = pm.CouplingNetwork(64, n_epochs=60).fit(points, bowl)
    features = np.column_stack([np.ones(len(points)), phi.transform(points)])
    assert pm.check.chebyshev(features, bowl).error < 0.1
    # No member is dense by itself.
    assert pm.decide(models.Linear() @ phi.map_, pm.Universal, on=on).holds is False


# --- maps that are no embeddings -----------------------------------------------------------------
def folded(x):
    """x/2 on [0, 1/2), and (1 - x)/2 + 1/4 from there: injective, though 1 comes near to 1/2."""
    return torch.where(x < 0.5, x / 2, (1 - x) / 2 + 0.25)


def test_trees_tell_apart_what_only_comes_near():
    def ramp(x):
        return np.asarray(x)[:, 0]

    # φ(1) = 1/4 is the limit of φ(x) for x -> 1/2: half of g(1) - g(1/2) is missed, however steep
    # a continuous function may be.
    for gap in (1e-3, 1e-6, 1e-9):
        steep = 1e-3 / gap
        pair = pm.NearCollision(np.array([0.5 - gap]), np.array([1.0]), steep, "a limit")
        assert pair.verify(folded, ramp)
        assert pair.bound(folded, ramp) == pytest.approx(0.25, abs=1e-3)
    # Trees of scikit-learn see float32, which tells no more than six digits apart here.
    x = np.concatenate([np.linspace(0, 1, 2001), 0.5 - 10.0 ** -np.arange(4, 7)])[:, None]
    phi = pm.from_function(folded)
    features = phi(x)
    assert len(np.unique(features)) == len(x)
    tree = (models.Trees(3000) @ phi).fit(x, ramp(x))
    assert np.abs(tree.predict(x) - ramp(x)).max() < 2e-3
    # The best continuous piecewise linear function of the feature with 240 knots stays away.
    knots = np.linspace(0, 0.5, 240)
    hats = np.maximum(0, 1 - np.abs(features - knots) / (knots[1] - knots[0]))
    assert pm.check.chebyshev(hats, ramp(x)).lower > 0.24


def test_waves_of_one_period_are_dense_after_an_arctangent_and_not_without():
    waves, long = kernels.Periodic(period=2 * pi), pm.Box([-4.0], [4.0])
    pair = refuted(waves, long)
    x, y = pair.points[:, 0]
    assert abs(abs(x - y) - 2 * pi) < 1e-15 * 16
    assert pair.verify(waves)
    assert bound(pair, lambda x: x[:, 0]) == pytest.approx(pi)
    assert refuted(models.KernelRidge(waves) @ pm.Identity(), long).verify(waves)
    # Values of arctan lie within (-π/2, π/2), a part of one period.
    for on in (long, pm.Euclidean(1)):
        assert pm.decide(models.KernelRidge(waves) @ pm.Arctan(), pm.Universal, on=on).holds
    grid = np.linspace(-4, 4, 801)
    angles = np.arctan(grid)
    columns = [np.ones(801), *(f(k * angles) for k in range(1, 13) for f in (np.cos, np.sin))]
    assert pm.check.chebyshev(np.column_stack(columns), np.abs(grid)).error < 0.1
    columns = [np.ones(801), *(f(k * grid) for k in range(1, 13) for f in (np.cos, np.sin))]
    # 801 points hold no two at a distance of 2π, only such at one that is near to it.
    assert pm.check.chebyshev(np.column_stack(columns), grid).error > 1.5


def test_a_constant_loses_nothing_of_a_point():
    point = pm.Finite([[0.3]])
    nothing = 0.0 * pm.Identity()
    assert pm.decide(nothing, pm.Injective, on=point).holds
    for model in (models.MLP(), models.Linear()):
        assert pm.decide(model @ nothing, pm.Universal, on=point).holds
    assert pm.decide(models.MLP() @ nothing, pm.Universal, on=LINE).holds is False


def reciprocal(x):
    """x ↦ 1/x, and 0 ↦ 0."""
    return torch.where(x == 0, x, 1 / torch.where(x == 0, torch.ones_like(x), x))


def test_behind_a_map_that_is_not_continuous_it_is_the_class_that_decides():
    phi = pm.from_function(reciprocal)
    for model in (models.MLP(), models.KernelRidge(kernels.RBF(gamma=1.0))):
        # So nothing is said without looking at the class.
        assert pm.decide(model @ phi, pm.Universal, on=LINE).holds is None
    x = np.linspace(-1, 1, 201)[:, None]
    # Functions that vanish at infinity vanish near x = 0, where 1 does not.
    member = (models.KernelRidge(kernels.RBF(gamma=1.0)) @ phi).fit(x, np.ones(len(x)))
    assert np.abs(member.predict(x) - 1).max() < 0.01
    assert abs(float(member.predict([[1e-12]])[0]) - 1) >= 1 - 1e-12

    # Among those with f(±∞) = f(0), which are universal as well, is one for each g.
    def g(x):
        return np.cos(5 * x) + x

    def f(t):
        inside = np.interp(t, [-1.0, 0.0, 1.0], g(np.array([-1.0, 0.0, 1.0])))
        return np.where(np.abs(t) >= 1, g(1 / np.where(t == 0, 1.0, t)), inside)

    np.testing.assert_allclose(f(phi(x)[:, 0]), g(x[:, 0]), atol=1e-12)
    assert f(np.array([1e12])) == pytest.approx(f(np.array([0.0])), abs=1e-9)
    assert f(np.array([1 - 1e-12, 1.0])) == pytest.approx(g(1.0), abs=1e-9)
