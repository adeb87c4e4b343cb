"""Strategies for spaces, maps, functions, images and frames."""

import inspect
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import phimaps as pm
from phimaps.errors import InputTypeError, ParameterError
from phimaps.spaces import Boxlike, Product, Space
from phimaps.testing import Frame
from phimaps.testing.expressions import surely_defined
from phimaps.testing.strategies import (
    Target,
    feature_maps,
    frames,
    images,
    points,
    spaces,
    targets,
)

from .test_strategies import drawing, drawn

BOX = pm.Box([-1.0, -1.0], [1.0, 1.0])


def every_kind(kind, module):
    """The concrete classes of a module, or a package, that derive from `kind`."""
    pending, kinds = [kind], set()
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        ours = kind.__module__.startswith(module)
        if ours and not inspect.isabstract(kind) and kind is not Boxlike:
            kinds.add(kind)
    return kinds


# --- spaces ------------------------------------------------------------------------------------
def test_spaces_of_every_kind_are_drawn():
    found = drawn(spaces(), 300)
    assert {type(on) for on in found} == every_kind(Space, "phimaps.spaces")
    boxes = [on for on in found if isinstance(on, pm.Box)]
    assert {on.closed for on in boxes} == {"both", "left", "right", "neither"}
    assert any(np.isinf(on.low).any() for on in boxes)
    assert any((on.low == on.high).any() for on in boxes)
    assert any(not on.euclidean for on in found if isinstance(on, pm.Sphere))
    assert any(not on.euclidean for on in found if isinstance(on, pm.Finite))
    # No kind is drawn again and again.
    assert max(Counter(type(on) for on in found).values()) < 100


def test_points_of_drawn_spaces_lie_in_them():
    @drawing(60)
    @given(st.data())
    def check(data):
        on = data.draw(spaces())
        x = data.draw(points(on, 1, 6))
        assert on.contains(x).all()

    check()


def test_the_number_of_coordinates_is_kept():
    assert {on.shape for on in drawn(spaces(3), 30)} == {(3,)}
    assert {type(on) for on in drawn(spaces(1), 80)} <= {
        pm.Box, pm.Euclidean, pm.NonNegative, pm.Ball, pm.Subspace, pm.Finite, pm.Categories
    }  # fmt: skip


def test_spaces_shrink_to_the_simplest_of_their_kind():
    simplest = find(spaces(), lambda on: True, settings=drawing(200))
    assert repr(simplest) == "Euclidean(1)"
    sphere = find(spaces(), lambda on: isinstance(on, pm.Sphere), settings=drawing(300))
    assert sphere.size == 2
    assert sphere.euclidean
    assert not sphere.center.any()
    product = find(spaces(), lambda on: isinstance(on, Product), settings=drawing(300))
    assert product.size == 2
    assert [repr(part) for part in product.parts] == ["Euclidean(1)"] * 2


# --- maps --------------------------------------------------------------------------------------
def test_maps_are_defined_on_their_space_and_decided_without_error():
    asked = [pm.Continuous, pm.Injective, pm.Lipschitz, pm.Bounded, pm.property.Affine]
    words, kinds = Counter(), Counter()

    @drawing(60)
    @given(feature_maps())
    def check(phi):
        on = phi.domain
        assert isinstance(on, Space)
        assert phi.closed
        assert surely_defined(phi, on)
        y = phi(on.sample(8))
        assert len(y) == 8
        assert np.isfinite(y).all()
        kinds[type(phi.map)] += 1
        for goal in asked:
            words[pm.decide(phi, goal).word] += 1

    check()
    assert {"proved", "refuted"} <= set(words)
    assert len(kinds) > 8
    assert max(kinds.values()) < 30


def test_maps_on_a_given_space():
    for on in (pm.Sphere([0, 0, 0], 1), pm.NonNegative(2), pm.Images(1, 3, 4), pm.Categories(3)):
        found = drawn(feature_maps(on, depth=2), 15)
        for phi in found:
            assert phi.closed
            assert np.isfinite(phi(on.sample(6))).all()
        assert len({repr(phi) for phi in found}) > 5


def test_depth_is_that_of_the_expression():
    def nesting(phi, on=BOX):
        inside = phi.parts(on)
        return 1 + max((nesting(part.map, part.arrives.outer) for part in inside), default=-1)

    joined = {pm.Concat, pm.Scale, pm.Sum, pm.Tensor}
    assert not joined & {type(phi) for phi in drawn(feature_maps(BOX, depth=0), 30)}
    assert joined & {type(phi) for phi in drawn(feature_maps(BOX, depth=1), 30)}
    assert max(nesting(phi) for phi in drawn(feature_maps(BOX, depth=4), 40)) > 2


def test_open_maps_are_drawn_and_can_be_fitted():
    found = drawn(feature_maps(BOX, closed=False), 60)
    assert {phi.closed for phi in found} == {True, False}
    for phi in found:
        assert np.isfinite(phi.fit(BOX.sample(24, 5)).transform(BOX.sample(8))).all()
    restricted = drawn(feature_maps(closed=False), 30)
    assert any(not phi.closed for phi in restricted)
    for phi in restricted:
        assert len(phi.fit(phi.domain.sample(24)).transform(phi.domain.sample(8))) == 8


def test_the_same_choices_give_the_same_map():
    first, second = (drawn(feature_maps(BOX), 20) for _ in range(2))
    x = BOX.sample(5)
    for a, b in zip(first, second, strict=True):
        assert repr(a) == repr(b)
        assert np.array_equal(a(x), b(x))


def test_maps_shrink_in_depth():
    def refuted(phi):
        return pm.decide(phi, pm.Injective, on=BOX).holds is False

    phi = find(feature_maps(BOX, depth=4), refuted, settings=drawing(100))
    assert not phi.parts(BOX) or len(repr(phi)) < 100


# --- functions ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "on",
    [
        BOX,
        pm.Sphere([0, 0, 0], 2, metric="geodesic"),
        pm.Images(2, 3, 3),
        pm.Euclidean(40),
        pm.Finite([[0.0], [1.0], [5.0]], distances=[[0, 2, 3], [2, 0, 1.5], [3, 1.5, 0]]),
    ],
    ids=repr,
)
def test_targets_are_functions_on_the_space(on):
    found = drawn(targets(on), 60)
    assert {type(f) for f in found} == every_kind(Target, "phimaps.testing.strategies")
    x = on.sample(20)
    for f in found:
        y = f(x)
        assert y.shape == (20,)
        assert y.dtype == np.float64
        assert np.isfinite(y).all()
        assert np.array_equal(y[3:7], f(x[3:7])) or np.allclose(y[3:7], f(x[3:7]), rtol=1e-14)
        assert f(x[:0]).shape == (0,)
        assert "object at" not in repr(f)


def test_targets_are_as_steep_as_they_say():
    on = pm.Sphere([0, 0, 0], 2, metric="geodesic")
    x, y = on.sample(200, 1), on.sample(200, 2)
    apart, steep = on.distance(x, y), 0
    for f in drawn(targets(on), 60):
        slope = {"Distance": 1.0, "Cones": getattr(f, "slope", 0.0)}.get(type(f).__name__)
        if slope is not None:
            steep += 1
            assert (np.abs(f(x) - f(y)) <= slope * apart + 1e-13).all()
    assert steep > 10


def test_targets_have_no_jumps():
    x = BOX.sample(50)
    for f in drawn(targets(BOX), 60):
        gaps = [np.abs(f(np.clip(x + h, -1, 1)) - f(x)).max() for h in (1e-3, 1e-6, 1e-9)]
        assert gaps[0] < 0.1
        assert gaps[2] < 1e-7


def test_polynomials_and_waves_are_those_they_say():
    from phimaps.testing.strategies.target import Greatest, Polynomial, Wave

    x = np.array([[0.5, -1.0]])
    f = Polynomial(BOX, ((2.0,), (-1.0, 0, 0), (4.0, 0, 1)))
    assert repr(f) == "Polynomial 2 + -1 x0 x0 + 4 x0 x1"
    assert f(x) == [2 - 0.25 - 2]
    assert Wave(BOX, np.array([1.0, 2.0]), 0.5)(x) == [np.cos(0.5 - 2 + 0.5)]
    assert [float(Greatest(BOX, k)(x)[0]) for k in ("max", "min", "range")] == [0.5, -1.0, 1.5]


# --- data --------------------------------------------------------------------------------------
@pytest.mark.parametrize(("dtype", "high"), [("uint8", 255), ("float32", 1), (float, 1)])
def test_images_are_of_their_kind(dtype, high):
    found = drawn(images(3, 9, 8, dtype=dtype), 40)
    for x in found:
        assert x.dtype == dtype
        assert x.shape[1:] == (3, 9, 8)
        assert 1 <= len(x) <= 8
    every = np.concatenate(found)
    assert every.min() == 0
    assert every.max() == high
    # The whole range is used.
    assert np.histogram(every, 4, (0, high))[0].min() > 0.02 * every.size


def test_images_shrink_to_one_that_is_black_but_for_what_matters():
    x = find(images(1, 6, 6), lambda x: (x > 100).any(), settings=drawing(200))
    assert len(x) == 1
    assert len(np.unique(x)) <= 2


def test_frames_have_labels_as_after_sorting_and_joining():
    domain = Frame({"hour": range(24), "weight": (0.1, 50.0)})
    kinds = set()
    for rows in drawn(frames(domain, 2, 9)):
        assert domain.contains(rows).all()
        assert 2 <= len(rows) <= 9
        labels = list(rows.index)
        kinds.add("plain" if labels == list(range(len(rows))) else str(labels[0])[:3])
        kinds.add("same" if len(set(labels)) == 1 else "different")
    assert {"plain", "row", "0", "same", "different"} <= kinds
    for rows in drawn(frames(domain, labels=False), 20):
        assert isinstance(rows.index, pd.RangeIndex)


# --- what is refused ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: spaces(0), ParameterError, "Spaces of 0 coordinates"),
        (lambda: spaces(True), ParameterError, "Spaces of True coordinates"),
        (lambda: feature_maps([0, 1]), InputTypeError, r"Maps on \[0, 1\]"),
        (lambda: feature_maps(BOX, -1), ParameterError, "Maps of depth -1"),
        (lambda: feature_maps(BOX, 1.5), ParameterError, "Maps of depth 1.5"),
        (lambda: targets(3), InputTypeError, "Functions on 3"),
        (lambda: images(1, 2, 2, "int16"), ParameterError, "Images of dtype 'int16'"),
        (lambda: images(1, 2, 2, "pixels"), ParameterError, "Images of dtype 'pixels'"),
        (lambda: images(0, 2, 2), ParameterError, "positive number of coordinates"),
        (lambda: frames(BOX), InputTypeError, "Data frames of"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, error, said):
    with pytest.raises(error, match=said):
        call()
