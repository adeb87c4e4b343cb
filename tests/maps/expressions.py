"""Strategies for expressions, shared by the tests of the expression language."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

from phimaps.errors import ExpressionError
from phimaps.maps.evaluation import Program
from phimaps.maps.expression import FUNCTIONS, Name, Number, operation
from phimaps.maps.parsing import parse

NAMES = st.one_of(
    st.sampled_from(["a", "b", "volume", "od280/od315_of_diluted_wines", "µ", "ﬁ", "log", "class"]),
    st.text(min_size=1, max_size=8).filter(lambda t: t.isprintable() and "`" not in t),
)
NUMBERS = st.floats(-1e300, 1e300, allow_nan=False) | st.integers(-20, 20)
BINARY = ["+", "-", "*", "/", "**", "maximum", "minimum"]
UNARY = ["neg", *(name for name, arity in FUNCTIONS.items() if arity == 1)]


def build(symbol, *operands):
    try:
        return operation(symbol, *operands)
    except ExpressionError:
        assume(False)


def nodes(leaves):
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(build, st.sampled_from(BINARY), inner, inner),
            st.builds(build, st.sampled_from(UNARY), inner),
        ),
        max_leaves=8,
    )


SIMPLE = nodes(st.sampled_from([Name("a"), Name("b"), Number(2), Number(0.5), Number(-1)]))


def program(*texts, ranges=None):
    return Program([parse(t) for t in texts], {"a": 0, "b": 1}, ranges or {}, texts)
