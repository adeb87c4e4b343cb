"""Contrast normalization, distances and triangles: the formulas, and what is proved of them."""

from fractions import Fraction

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError
from phimaps.testing import Probe, claims, falsify, precise

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((3, 2, 2, 3))
GOALS = (
    *(pm.Continuous, pm.Injective, pm.Lipschitz, pm.LowerLipschitz, pm.Smooth, pm.Bounded),
    *(pm.property.Affine, pm.Proper, pm.PositivelyHomogeneous(1)),
)
LAYERS = {
    "zeros": pm.NormalizedConv2d(WEIGHT[:2], [0.5, -1.0], 0.05, stride=2, padding=1),
    "plain": pm.NormalizedConv2d(WEIGHT, None, 0.05),
    "stride": pm.NormalizedConv2d(WEIGHT, None, 0.3, stride=2),
    "circular": pm.NormalizedConv2d(WEIGHT[:1], None, 0.3, 1, "same", "circular"),
    "distances": pm.Distances2d(RNG.standard_normal((4, 2))),
    "few distances": pm.Distances2d(RNG.standard_normal((2, 2))),
    "triangle": pm.Triangle(),
    "all": pm.pipe(
        pm.NormalizedConv2d(WEIGHT, None, 0.05), pm.Distances2d(np.eye(3)), pm.Triangle()
    ),
}
SPACES = {
    "around 0": pm.Box(np.full((2, 3, 4), -1.0), np.full((2, 3, 4), 1.0)),
    "bright": pm.Images(2, 3, 4, 5, 6),
    "everywhere": pm.Euclidean((2, 3, 4)),
    "apart": pm.Box(np.arange(24.0).reshape(2, 3, 4), np.arange(24.0).reshape(2, 3, 4) + 0.5),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("size", [1.0, 1e-200, 1e200])
def test_values_are_those_of_the_formula_in_sixty_digits(name, size):
    phi, x = LAYERS[name], size * np.random.default_rng(3).standard_normal((2, 3, 4))
    exact, found = precise(phi, x), phi(x[None])[0]
    gap = max(abs(float(a - b)) for a, b in zip(exact.flat, found.flat, strict=True))
    # A few roundings of numbers of this size; those of the filters add up to their norm.
    assert gap <= 40 * np.finfo(float).eps * max(np.abs(found).max(), 1e-290)


def test_variance_keeps_its_digits_beside_a_great_brightness():
    pattern = np.random.default_rng(4).integers(-8, 8, (1, 2, 6, 6)).astype(float)
    phi = LAYERS["plain"]
    # Shifted by a power of two the pixels are still whole numbers, so nothing is rounded.
    assert np.allclose(phi(pattern), phi(pattern + 2.0**40), rtol=0, atol=1e-4)
    bright = pattern + 2.0**40
    naive = (bright**2).mean() - bright.mean() ** 2
    assert abs(naive - pattern.var()) > 1
    flat = phi(np.full((1, 2, 4, 4), 1e8))
    assert np.abs(flat).max() < 1e-6


def test_a_filter_of_one_entry_sees_nothing():
    phi = pm.NormalizedConv2d([[[[3.0]]]], [2.0])
    assert (phi(np.random.default_rng(0).standard_normal((2, 1, 3, 3))) == 2).all()
    on = pm.Images(1, 3, 3)
    assert pm.decide(phi, pm.Lipschitz, on=on).value == (0.0, 0.0)
    assert pm.decide(phi, pm.property.Affine, on=on).holds is True
    assert pm.decide(phi, pm.Injective, on=on).holds is False


ASKED = [
    *(("zeros", "around 0"), ("plain", "bright"), ("stride", "everywhere")),
    *(("circular", "around 0"), ("distances", "around 0"), ("few distances", "bright")),
    *(("triangle", "around 0"), ("triangle", "apart"), ("all", "around 0")),
]


@pytest.mark.parametrize(("name", "where"), ASKED)
def test_what_is_proved_stands_under_attack(name, where):
    phi, on = LAYERS[name], SPACES[where]
    probe = Probe(phi, on)
    for goal in GOALS:
        verdict = pm.decide(phi, goal, on=on)
        for claim in claims(verdict):
            witness = verdict.witness if goal is pm.Injective else None
            found = falsify(phi, claim, on, witness=witness, probe=probe, budget=0.3)
            assert found is None, f"{name} on {where}: {found}"


@pytest.mark.parametrize("where", SPACES)
@pytest.mark.parametrize("name", LAYERS)
def test_values_lie_in_the_enclosure(name, where):
    phi, on = LAYERS[name], SPACES[where]
    assert phi.image(on).outer.contains(phi(on.sample(60, random_state=5))).all()


def test_what_is_known_of_normalized_filters():
    on = SPACES["around 0"]
    merged = pm.decide(LAYERS["plain"], pm.Injective, on=on)
    x, y = merged.witness.x, merged.witness.y
    shifts = {Fraction(b) - Fraction(a) for a, b in zip(x.flat, y.flat, strict=True)}
    assert len(shifts) == 1
    assert 0 not in shifts
    assert merged.witness.verify(LAYERS["plain"])
    # Padding by zeros shows how bright the rest is.
    padded = pm.NormalizedConv2d(WEIGHT, None, 0.05, padding=1)
    assert pm.decide(padded, pm.Injective, on=on).holds is None
    for name in ("zeros", "plain", "stride", "circular"):
        low, high = pm.decide(LAYERS[name], pm.Lipschitz, on=on).value
        # One window, against as many as see a pixel.
        assert 0 < low <= high <= low * np.sqrt(6) * (1 + 1e-9), name
        assert pm.decide(LAYERS[name], pm.Smooth, on=on).value[0] == np.inf
        assert pm.decide(LAYERS[name], pm.Proper, on=SPACES["everywhere"]).holds is False
    # Each channel of each of 2 x 2 windows stays below ‖w‖ √12.
    most = pm.decide(LAYERS["plain"], pm.Bounded, on=SPACES["everywhere"]).value[1]
    rows = WEIGHT.reshape(3, 12) - WEIGHT.reshape(3, 12).mean(axis=1, keepdims=True)
    assert most == pytest.approx(np.sqrt(4 * 12) * np.linalg.norm(rows), rel=1e-9)
    # Faint images give less.
    faint = pm.Images(2, 3, 4, 0, 1e-3)
    assert pm.decide(LAYERS["plain"], pm.Bounded, on=faint).value[1] < most / 100


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_constants_of_filters_of_any_size(size):
    phi = pm.NormalizedConv2d(size * WEIGHT, None, 0.05)
    low, high = pm.decide(phi, pm.Lipschitz, on=SPACES["around 0"]).value
    plain = pm.decide(LAYERS["plain"], pm.Lipschitz, on=SPACES["around 0"]).value
    assert low == pytest.approx(size * plain[0], rel=1e-9)
    assert high == pytest.approx(size * plain[1], rel=1e-9)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_constant_of_a_triangle_is_known_exactly(k):
    phi, on = pm.Triangle(), pm.Box(np.full(k, -1.0), np.full(k, 1.0))
    low, high = pm.decide(phi, pm.Lipschitz, on=on).value
    exact = {1: 0.0, 2: np.sqrt(0.5)}.get(k, 1.0)
    assert low == pytest.approx(exact, abs=1e-12)
    assert high == pytest.approx(exact, abs=1e-12)
    assert low <= exact <= high * (1 + 1e-15)
    verdict = pm.decide(phi, pm.Injective, on=on)
    assert verdict.holds is False
    assert verdict.witness.verify(phi)
    assert pm.decide(phi, pm.Smooth, on=on).holds is (k == 1)
    assert pm.decide(phi, pm.Proper, on=pm.Euclidean(k)).holds is False


def test_a_triangle_with_a_single_coordinate_below_the_mean():
    # The first stays below, the others above: the derivative is one row of norm √(2/3).
    on = pm.Box([0.0, 10.0, 10.0], [1.0, 11.0, 11.0])
    low, high = pm.decide(pm.Triangle(), pm.Lipschitz, on=on).value
    assert low == pytest.approx(np.sqrt(2 / 3))
    assert high >= low


def test_triangles_of_images_are_taken_pixel_by_pixel():
    x = np.random.default_rng(5).standard_normal((4, 3, 2, 5))
    pixels = x.transpose(0, 2, 3, 1).reshape(-1, 3)
    expected = pm.Triangle()(pixels).reshape(4, 2, 5, 3).transpose(0, 3, 1, 2)
    assert np.allclose(pm.Triangle()(x), expected, atol=1e-15)
    assert np.isfinite(pm.Triangle()(np.full((1, 4), 1.7e308))).all()


def test_distances_determine_a_pixel_if_centres_span_space():
    on = pm.Images(2, 1, 1)
    for centers, injective in (
        ([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], True),
        ([[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]], None),
        ([[0.0, 0.0], [1.0, 0.0]], None),
    ):
        phi = pm.Distances2d(centers)
        assert pm.decide(phi, pm.Injective, on=on).holds is injective
    near = pm.Distances2d([[0.0, 0.0]])
    assert pm.decide(near, pm.Smooth, on=pm.Images(2, 1, 1, 1, 2)).value[0] == np.inf
    assert pm.decide(near, pm.Smooth, on=pm.Images(2, 1, 1, -1, 2)).holds is False
    tiny = np.array([[[[1e-9]], [[0.0]]]]) + 1.0
    # Differences are taken before squares.
    assert pm.Distances2d([[1.0, 1.0]])(tiny)[0, 0, 0, 0] == tiny[0, 0, 0, 0] - 1.0


def test_gradients_at_a_centre_are_finite():
    x = torch.zeros((1, 2, 1, 1), dtype=torch.float64, requires_grad=True)
    pm.Distances2d([[0.0, 0.0], [1.0, 1.0]]).forward(x).sum().backward()
    assert x.grad.isfinite().all()


def test_wrong_filters_and_wrong_images_are_refused():
    with pytest.raises(ParameterError, match="The bias of NormalizedConv2d does not fit"):
        pm.NormalizedConv2d(WEIGHT, [1.0]).fit(np.zeros((2, 2, 4, 4)))
    with pytest.raises(ParameterError, match="'eps' parameter"):
        pm.NormalizedConv2d(WEIGHT, eps=0.0).fit(np.zeros((2, 2, 4, 4)))
    with pytest.raises(ShapeError, match="Distances2d takes 2 channels, the images have 3"):
        pm.Distances2d([[1.0, 2.0]]).fit(np.zeros((2, 3, 4, 4)))
