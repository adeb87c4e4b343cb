"""Expressions as values: their text, their equality, and the operators that build them."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phimaps.errors import ExpressionError, OperandError, TruthError
from phimaps.maps.column import Column, col
from phimaps.maps.expression import FUNCTIONS, Name, Number
from phimaps.maps.parsing import parse, read

from .expressions import NAMES, NUMBERS, nodes


@settings(max_examples=300, deadline=None, derandomize=True)
@given(nodes(st.builds(Name, NAMES) | st.builds(Number, NUMBERS)))
def test_the_text_of_an_expression_reads_back_as_it(node):
    assert parse(str(node)) == node
    assert hash(parse(str(node))) == hash(node)
    assert str(Column(node)) == str(node)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(alphabet="abx0123456789+-*/().,e `lognsi^%", max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        node = parse(text)
    except ExpressionError as error:
        refusal = str(error)
    else:
        assert parse(str(node)) == node
        return
    assert len(refusal.split("\n")) in (4, 5)


a, b = col("a"), col("b")


@pytest.mark.parametrize(
    ("built", "text"),
    [
        (a / b, "a/b"),
        (1 / a - 2 * b, "1 / a - 2*b"),
        (a**2 * -b, "a ** 2 * -b"),
        (2**a + (-a) ** 2 - -(a**2), "2**a + (-a)**2 - -a**2"),
        ((a - (b - 1)) / (a * b), "(a - (b - 1)) / (a*b)"),
        (abs(a).log1p() + a.sqrt(), "log1p(abs(a)) + sqrt(a)"),
        (a.maximum(0).minimum(b), "minimum(maximum(a, 0), b)"),
        (a.square(), "a ** 2"),
        (np.float64(2) * +a + np.int64(3), "2.0 * a + 3"),
        (col("alcalinity of ash") - 1, "`alcalinity of ash` - 1"),
    ],
    ids=str,
)
def test_operators_build_what_text_builds(built, text):
    assert built.node == parse(text)
    assert read(built) == read(str(built))


def test_every_function_is_a_method():
    for name, arity in FUNCTIONS.items():
        built = getattr(a, name)(*[b] * (arity - 1))
        assert built.node == parse(f"{name}({', '.join('ab'[:arity])})")


@pytest.mark.parametrize(
    "use",
    [
        bool,
        lambda e: e == 1,
        lambda e: e != 1,
        lambda e: e < 1,
        lambda e: e <= 1,
        lambda e: e > 1,
        lambda e: e >= 1,
        lambda e: 0 < e < 1,
    ],
)
def test_truth_and_comparison_teach(use):
    with pytest.raises(TruthError, match="no truth value and cannot be compared"):
        use(a)


@pytest.mark.parametrize("other", ["b", None, True, 1j, np.ones(2), torch.ones(2), [1]])
def test_other_operands_are_refused(other):
    with pytest.raises(OperandError, match=r"'\+' joins columns and numbers"):
        a + other


def test_expressions_are_values():
    node = parse("log(a) / b ** 2")
    for twin in (pickle.loads(pickle.dumps(node)), copy.deepcopy(node)):
        assert twin == node
        assert hash(twin) == hash(node)
    # A hash of str holds in one process only, so it must not travel.
    assert b"_hash" not in pickle.dumps(node)
    assert {node: 1}[parse("log(a)/b**2")] == 1
    assert pickle.loads(pickle.dumps(a / b)).node == (a / b).node
    with pytest.raises(AttributeError):
        node.symbol = "+"
    deep = parse("-" * 97 + "sin(x)")
    assert pickle.loads(pickle.dumps(deep)) == deep


def test_a_shared_subexpression_cannot_grow_without_bound():
    grown = a
    for _ in range(8):
        grown = grown * grown
    with pytest.raises(ExpressionError, match="too large"):
        grown * grown


@pytest.mark.parametrize("name", ["", "a`b", "a\nb", 3])
def test_a_column_that_no_text_could_name_is_refused(name):
    with pytest.raises(ExpressionError, match="cannot stand in an expression"):
        col(name)
