"""Numbers near the ends of the range: what is claimed of them stays true, and nothing warns."""

from fractions import Fraction

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.errors import PhimapsError
from phimaps.interval import grown, norm_bound, scaled, singular_values
from phimaps.search import Search
from phimaps.testing.campaign import QUESTIONS
from phimaps.testing.expressions import surely_defined
from phimaps.theorem import TABLE

MOST = float(np.finfo(np.float64).max)
SIZES = [
    *[1e-320, 1e-300, 1e-250, 1e-200, 1e-160, 1e-100, 1e-30, 1.0],
    *[1e30, 1e100, 1e150, 1e160, 1e200, 1e300, 1.7e308],
]


# --- linear algebra ------------------------------------------------------------------------------
@pytest.mark.parametrize("power", [-1000, -700, -200, 200, 700, 1000])
def test_singular_values_of_any_size_are_those_of_the_scaled_matrix(power):
    weight = np.random.default_rng(0).normal(size=(4, 3))
    low, high = singular_values(weight)
    found = singular_values(np.ldexp(weight, power))
    np.testing.assert_array_equal(found[0], np.ldexp(low, power))
    np.testing.assert_array_equal(found[1], np.ldexp(high, power))
    # The residual of the decomposition counts, however small its square is.
    assert (found[0] < found[1]).all()


def test_singular_values_beyond_the_range_are_bounded_by_its_ends():
    low, high = singular_values(np.full((3, 3), MOST))
    assert low[0] == MOST
    assert high[0] == np.inf
    low, high = singular_values(np.full((3, 3), 5e-324))
    assert low[0] < 3 * 5e-324 < high[0]
    assert [v.tolist() for v in singular_values(np.zeros((3, 2)))] == [[0.0, 0.0]] * 2


@pytest.mark.parametrize("size", SIZES)
def test_the_bound_of_a_norm_is_one(size):
    entries = size * np.random.default_rng(1).uniform(-1, 1, (5, 5))
    exact = sum(Fraction(float(v)) ** 2 for v in entries.flat)
    found = norm_bound(entries)
    assert found == np.inf or Fraction(found) ** 2 >= exact
    assert found == np.inf or found <= 3e-308 or Fraction(found) ** 2 <= exact * Fraction(1.0001)
    assert norm_bound(np.zeros((2, 2))) == 0


def test_scaling_and_its_inverse_round_to_the_safe_side():
    weight, power = scaled(np.array([3e300, -1e-300]))
    assert np.abs(weight).max() < 1
    assert grown(np.abs(weight), power, up=True)[0] == 3e300
    assert grown([1.0, 0.0], 2000, up=False).tolist() == [MOST, 0.0]
    assert grown([1.0, 0.0], 2000, up=True).tolist() == [np.inf, 0.0]
    assert grown([1.0, 0.0], -2000, up=False).tolist() == [0.0, 0.0]
    assert grown([1.0, 0.0], -2000, up=True)[0] > 0


@pytest.mark.parametrize("size", [1e-100, 1e-30, 1.0, 1e100])
def test_a_chain_through_a_line_is_not_injective_whatever_its_size(size):
    # Of the plane's matrix of rank 1 the least singular value is rounding.
    chain = pm.Affine([[size, 0.3 * size]]) @ pm.Affine([[size], [0.7 * size]])
    for edge in (1e-300, 1.0, 1e300):
        on = pm.Box([edge, edge], [2 * edge, 2 * edge])
        assert pm.decide(chain, pm.Injective, on=on).holds is False
        assert pm.decide(chain, pm.LowerLipschitz, on=on).value[0] == 0


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize("edge", [1e-300, 1.0, 1e300])
def test_a_layer_of_any_size_is_asked_without_overflow(size, edge):
    angles = 2 * np.pi * np.arange(7) / 7
    layer = pm.Relu() @ pm.Affine(size * np.stack([np.cos(angles), np.sin(angles)]))
    on = pm.Box([-edge] * 2, [edge] * 2)
    for goal in (pm.Injective, pm.LowerLipschitz, pm.Lipschitz):
        verdict = pm.decide(layer, goal, on=on)
        assert verdict.holds is not False or goal is pm.Lipschitz


# --- enclosures ----------------------------------------------------------------------------------
BIG = pm.Box([1.7e308], [1.7e308])
ENCLOSED = [
    # (map, space, the exact value at the space's least point)
    (pm.Diagonal([1e300], [0.0]), pm.Box([1e300], [1e300]), Fraction(1e300) ** 2),
    (pm.Diagonal([-1e300], [1e308]), pm.Box([1e300], [1e300]), -(Fraction(1e300) ** 2)),
    (pm.Diagonal([1.0], [1.7e308]), BIG, 2 * Fraction(1.7e308)),
    (pm.Identity() + pm.Identity() + -1 * pm.Identity(), BIG, Fraction(1.7e308)),
    (pm.Identity() + pm.Identity(), BIG, 2 * Fraction(1.7e308)),
    (
        pm.Identity() * pm.Identity() * pm.Diagonal([1e-300], [0.0]) * pm.Diagonal([0.0], [1e-300]),
        pm.Box([1e200], [1e200]),
        Fraction(1e200) ** 3 * Fraction(1e-300) ** 2,
    ),
    (pm.Normalize(), pm.Box([1e300], [1e300]), Fraction(1)),
]


@pytest.mark.parametrize(("phi", "on", "exact"), ENCLOSED, ids=lambda v: repr(v)[:30])
def test_what_overflows_on_the_way_stays_enclosed(phi, on, exact):
    low, high = (float(b[0]) for b in phi.image(on).outer.bounds())
    assert low == -np.inf or Fraction(low) <= exact
    assert high == np.inf or exact <= Fraction(high)


def test_monomials_that_overflow_on_the_way_stay_enclosed():
    on = pm.Box([1e200, 1e-300], [1e200, 1e-300])
    low, high = pm.Polynomial(3).image(on).outer.bounds()
    for j, monomial in enumerate(pm.Polynomial(3).monomials(2)):
        exact = Fraction(1)
        for i in monomial:
            exact *= Fraction((1e200, 1e-300)[i])
        assert Fraction(low[j]) <= exact
        assert high[j] == np.inf or exact <= Fraction(high[j])


def test_each_end_of_a_sum_is_rounded_although_the_other_is_infinite():
    on = pm.Box([-np.inf, -np.inf], [0.1, 0.2])
    terms = pm.Select([0]) + pm.Select([1])
    assert Fraction(0.1) + Fraction(0.2) <= Fraction(float(terms.image(on).outer.bounds()[1][0]))
    on = pm.Box([-np.inf, -np.inf], [1.0, 1e-17])
    assert Fraction(1) + Fraction(1e-17) <= Fraction(float(terms.image(on).outer.bounds()[1][0]))


def test_the_constant_of_normalize_far_out():
    high = pm.decide(pm.Normalize(), pm.Lipschitz, on=pm.Box([1e200] * 2, [2e200] * 2)).value[1]
    assert 0.7e-200 < high < 0.8e-200


@pytest.mark.parametrize(
    ("phi", "on"),
    [
        (pm.LayerNorm(), pm.Box([-1.7e308] * 2, [1.7e308] * 2)),
        (pm.Normalize(), pm.Box([0.0], [2e300])),
        (pm.Polynomial(3) @ pm.Softplus(), pm.Box([-1.7e308, -1.7e308], [1.7e308, 0.0])),
        (pm.Hardtanh(), pm.Box([-1.7e308], [0.0])),
        (pm.Polynomial(3), pm.Box([-1.7e308] * 2, [1.7e308, 0.0])),
    ],
    ids=repr,
)
def test_maps_are_asked_on_all_of_the_range(phi, on):
    search = Search(TABLE)
    for goal in QUESTIONS:
        pm.decide(phi, goal, on=on, table=search)


# --- whole expressions ---------------------------------------------------------------------------
def drawn(rng):
    """A random expression with weights and ends of very different sizes, and a space for it."""

    def size():
        return float(rng.choice(SIZES))

    def leaf(d):
        pick, k = rng.integers(4), int(rng.integers(1, 4))
        if pick == 0:
            weight = rng.choice([1.0, -1.0, 0.0, 0.5], (d, k)) * size()
            return pm.Affine(weight, rng.choice([0.0, 1.0], k) * size())
        if pick == 1:
            weight = rng.choice([1.0, -1.0, 0.5], d) * size()
            return pm.Diagonal(weight, rng.choice([0.0, 1.0], d) * size())
        if pick == 2:
            return size() * pm.Identity()
        others = pm.Relu(), pm.Tanh(), pm.Normalize(), pm.RmsNorm(), pm.Polynomial(2), pm.Sort()
        return others[rng.integers(len(others))]

    d, centre, half = int(rng.integers(1, 4)), size(), size()
    middle = rng.choice([0.0, 1.0, -1.0], d) * centre
    low, high = (np.clip(middle / 2 + s * half / 2, -8e307, 8e307) * 2 for s in (-1.0, 1.0))
    on = (pm.Box(low, high), pm.Ball(middle, half), pm.Euclidean(d))[rng.integers(3)]
    phi = leaf(d)
    for _ in range(int(rng.integers(3))):
        kind = rng.integers(3)
        if kind == 0:
            phi = leaf(int(np.prod(phi.out_shape((d,))))) @ phi
        else:
            phi = phi & leaf(d) if kind == 1 else phi + phi
    return phi, on


@pytest.mark.parametrize("seed", range(40))
def test_every_question_is_answered_without_overflow(seed):
    phi, on = drawn(np.random.default_rng(seed))
    try:
        phi.check_parameters()
        with torch.no_grad():
            phi.forward(torch.from_numpy(on.sample(4, 0)))
    except PhimapsError:
        pytest.skip("the space does not fit the map")
    if not surely_defined(phi, on):
        pytest.skip("not defined on all of the space")
    search = Search(TABLE)
    for goal in QUESTIONS:
        pm.decide(phi, goal, on=on, table=search)
