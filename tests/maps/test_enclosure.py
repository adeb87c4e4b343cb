"""Enclosing expressions and their derivatives, against forty-digit arithmetic."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from phimaps.maps.enclosure import Undefined, affine, enclose, lipschitz
from phimaps.maps.expression import Name, Number, Operation
from phimaps.maps.parsing import parse

from .expressions import SIMPLE, program


def exact(node, point):
    """The value in 40 digits, an oracle that shares no code with the library."""
    if isinstance(node, Number):
        return mpmath.mpf(node.value)
    if isinstance(node, Name):
        return point[node.name]
    values = [exact(part, point) for part in node.operands]
    if node.value is not None:
        return mpmath.mpf(node.value)
    table = {
        "+": lambda u, v: u + v,
        "-": lambda u, v: u - v,
        "*": lambda u, v: u * v,
        "/": lambda u, v: u / v,
        "**": lambda u, v: mpmath.power(u, v),
        "neg": lambda u: -u,
        "abs": abs,
        "maximum": max,
        "minimum": min,
        "arctan": mpmath.atan,
        "log10": mpmath.log10,
    }
    return (table.get(node.symbol) or getattr(mpmath, node.symbol))(*values)


ENDS = st.sampled_from([-3.0, -1.0, -0.25, 0.0, 0.1, 0.5, 1.0, 2.0, 4.0])
BOXES = st.tuples(ENDS, ENDS).filter(lambda p: p[0] < p[1])
PORTIONS = st.floats(0.01, 0.99)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(SIMPLE, BOXES, BOXES, st.lists(st.tuples(PORTIONS, PORTIONS), min_size=1, max_size=3))
def test_values_and_slopes_lie_in_their_enclosures(node, range_a, range_b, portions):
    assume(isinstance(node, Operation) and node.value is None)
    box = {"a": range_a, "b": range_b}
    try:
        found = enclose(node, box)
    except Undefined:
        return
    with mpmath.workdps(40):
        for portion in portions:
            point = {
                name: mpmath.mpf(low) + (mpmath.mpf(high) - low) * share
                for (name, (low, high)), share in zip(box.items(), portion, strict=True)
            }
            value = exact(node, point)
            # Numbers beyond mpmath's comfort say nothing about the enclosure.
            assume(abs(value) < mpmath.mpf(10) ** 200)
            assert not isinstance(value, mpmath.mpc)
            assert found.value[0] <= value <= found.value[1]
            for name in ("a", "b"):
                step = mpmath.mpf(10) ** -15
                ends = [exact(node, {**point, name: point[name] + s}) for s in (-step, step)]
                slope = (ends[1] - ends[0]) / (2 * step)
                low, high = found.slopes.get(name, (0.0, 0.0))
                slack = mpmath.mpf(10) ** -9 * (1 + abs(slope))
                assert low - slack <= slope <= high + slack


@pytest.mark.parametrize(
    ("text", "value", "slope_a"),
    [
        ("3", (3.0, 3.0), None),
        ("a", (-1.0, 2.0), (1.0, 1.0)),
        ("2 * a + 1", (-1.0, 5.0), (2.0, 2.0)),
        ("a * a", (0.0, 4.0), (-2.0, 4.0)),
        ("a ** 2", (0.0, 4.0), (-2.0, 4.0)),
        ("a ** 3", (-1.0, 8.0), (0.0, 12.0)),
        ("1 / (1 + a * a)", (0.2, 1.0), (-4.0, 2.0)),
        ("abs(a)", (0.0, 2.0), (-1.0, 1.0)),
        ("maximum(a, 0)", (0.0, 2.0), (0.0, 1.0)),
        ("minimum(a, 5)", (-1.0, 2.0), (1.0, 1.0)),
        ("b ** -1", (0.25, 2.0), None),
        ("a / b", (-2.0, 4.0), (0.25, 2.0)),
        ("a ** 0", (1.0, 1.0), None),
    ],
)
def test_enclosures_are_exact_where_the_arithmetic_is(text, value, slope_a):
    found = enclose(parse(text), {"a": (-1.0, 2.0), "b": (0.5, 4.0)})
    assert found.value == pytest.approx(value, rel=1e-15, abs=0)
    assert found.slopes.get("a") == (slope_a and pytest.approx(slope_a, rel=1e-15, abs=0))


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("1 / a", "'a' is not shown never to be 0; it lies in [-1.0, 2.0]"),
        ("b / (a * b)", "'a * b' is not shown never to be 0; it lies in [-4.0, 8.0]"),
        ("log(a)", "'a' is not shown never to be 0 or less; it lies in [-1.0, 2.0]"),
        ("log1p(a)", "'a' is not shown never to be -1 or less; it lies in [-1.0, 2.0]"),
        ("sqrt(a)", "'a' is not shown never to be negative; it lies in [-1.0, 2.0]"),
        ("a ** 0.5", "'a' is not shown never to be negative; it lies in [-1.0, 2.0]"),
        ("(a + 1) ** -0.5", "'a + 1' is not shown never to be 0; it lies in [0.0, 3.0]"),
        ("a ** -2", "'a' is not shown never to be 0; it lies in [-1.0, 2.0]"),
        ("a ** b", "'a' is not shown never to be 0 or less; it lies in [-1.0, 2.0]"),
    ],
)
def test_what_is_not_shown_to_be_defined_is_said(text, because):
    with pytest.raises(Undefined) as caught:
        enclose(parse(text), {"a": (-1.0, 2.0), "b": (0.5, 4.0)})
    assert str(caught.value) == because


@pytest.mark.parametrize("function", [np.sin, np.cos])
@pytest.mark.parametrize("low", np.arange(-8.0, 8.0, 0.7))
@pytest.mark.parametrize("width", [0.3, 2.0, 5.9])
def test_waves_are_enclosed_tightly(function, low, width):
    values = function(np.linspace(low, low + width, 20001))
    found = enclose(parse(f"{function.__name__}(a)"), {"a": (low, low + width)}).value
    assert found[0] <= values.min() <= found[0] + 1e-6
    assert found[1] >= values.max() >= found[1] - 1e-6


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.tuples(*[st.floats(-1e3, 1e3).filter(lambda v: v == 0 or abs(v) > 1e-3)] * 2))
def test_arithmetic_is_rounded_outward_and_no_further(pair):
    a, b = map(Fraction, pair)
    box = {"a": (pair[0], pair[0]), "b": (pair[1], pair[1])}
    for text, value in [
        ("a + b", a + b),
        ("a - b", a - b),
        ("a * b", a * b),
        ("a / b", b and a / b),
    ]:
        if text == "a / b" and not b:
            continue
        low, high = enclose(parse(text), box).value
        assert low <= value <= high
        assert high <= np.nextafter(low, np.inf)
        assert (low == high) is (Fraction(low) == value)


def test_the_range_of_arctan_on_the_line_contains_its_limit():
    low, high = enclose(parse("arctan(a)"), {"a": (-np.inf, np.inf)}).value
    assert low < -mpmath.pi / 2
    assert high > mpmath.pi / 2


def test_underflow_and_overflow_stay_enclosed():
    tiny = enclose(parse("a ** -3"), {"a": (1e-200, 1.0)})
    assert tiny.value[1] == np.inf
    assert 0 < tiny.value[0] <= 1
    huge = enclose(parse("exp(a) - exp(a) / 2"), {"a": (800.0, 900.0)})
    assert huge.value[0] < huge.value[1] == np.inf


def test_the_lipschitz_constant_bounds_difference_quotients():
    texts = ["a / b", "sin(a) * b", "log(b)"]
    box = {"a": (-1.0, 2.0), "b": (0.5, 4.0)}
    constant = lipschitz([enclose(parse(t), box) for t in texts])
    rng = np.random.default_rng(0)
    x, y = (torch.from_numpy(rng.uniform([-1, 0.5], [2, 4], (500, 2))) for _ in range(2))
    gaps = (program(*texts)(x, "raise") - program(*texts)(y, "raise")).norm(dim=1)
    greatest = float((gaps / (x - y).norm(dim=1)).max())
    assert greatest <= constant <= 20
    assert lipschitz([enclose(parse("sqrt(a + 1)"), box)]) == np.inf


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", True),
        ("a - 2 * b / 3 + 1", True),
        ("-(a ** 1)", True),
        ("(1 + 2) * (a + b)", True),
        ("a * b", False),
        ("1 / a", False),
        ("a ** 2", False),
        ("abs(a)", False),
        ("log(2) * a", True),
    ],
)
def test_affine_is_read_off_the_structure(text, expected):
    assert affine(parse(text)) is expected
