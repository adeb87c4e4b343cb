"""Enclosing expressions in columns and their derivatives on a box, with outward rounding.

Where an expression has a kink (abs, maximum, minimum), the interval encloses Clarke's generalised
derivative, for which the mean value theorem still holds.

References
----------
Clarke (1983), Optimization and Nonsmooth Analysis, theorem 2.3.7 (Lebourg) and section 2.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log, nextafter
from numbers import Real
from typing import Any, final

import numpy as np

from ..interval import root_sum_squares
from .expression import Name, Node, Operation
from .intervals import (
    Interval,
    corners,
    hull,
    increasing,
    minus,
    over,
    plus,
    power,
    size,
    times,
    wave,
)

__all__ = ["Enclosed", "Undefined", "affine", "enclose", "is_number", "is_range", "lipschitz"]

Slopes = dict[str, Interval]


class Undefined(Exception):
    """An expression was not shown to be defined on the whole box; the text says where."""


@final
@dataclass(frozen=True)
class Enclosed:
    """What is known of an expression on a box.

    Parameters
    ----------
    value : (float, float)
        It takes no other values.
    slopes : dict of str to (float, float)
        Its partial derivatives take no other values; a column that is absent has derivative 0.
    """

    value: Interval
    slopes: Slopes


def enclose(node: Node, box: dict[str, Interval]) -> Enclosed:
    """Enclose an expression and its partial derivatives.

    Parameters
    ----------
    node : Node
    box : dict of str to (float, float)
        The range of each column.

    Returns
    -------
    Enclosed

    Raises
    ------
    Undefined
        When it is not shown that the expression is defined, and continuous, on the box.

    Examples
    --------
    >>> from phimaps.maps.parsing import parse
    >>> found = enclose(parse("volume / weight"), {"volume": (0.0, 8.0), "weight": (0.5, 2.0)})
    >>> found.value, found.slopes["volume"], found.slopes["weight"]
    ((0.0, 16.0), (0.5, 2.0), (-32.0, 0.0))
    """
    return _Walk(box).visit(node)


def lipschitz(found: list[Enclosed]) -> float:
    """A Lipschitz constant of x ↦ (e_1(x), ..., e_k(x)) on the box: the Frobenius norm of bounds.

    On a box, which is convex, |e(x) - e(y)| is at most the norm of some matrix of derivatives
    times |x - y|, and the Frobenius norm bounds the operator norm.

    Examples
    --------
    >>> lipschitz([Enclosed((0.0, 1.0), {"x": (-3.0, 1.0), "y": (4.0, 4.0)})])
    5.0
    """
    slopes = [max(abs(low), abs(high)) for e in found for low, high in e.slopes.values()]
    return root_sum_squares(slopes, up=True)


def affine(node: Node) -> bool:
    """Whether an expression is affine in the columns by its structure.

    Examples
    --------
    >>> from phimaps.maps.parsing import parse
    >>> affine(parse("2 * (a - b / 4) + 1")), affine(parse("a * b"))
    (True, False)
    """
    if not isinstance(node, Operation) or node.value is not None:
        return True
    fixed = [part.value is not None for part in node.operands]
    if not all(affine(part) for part in node.operands):
        return False
    return (
        node.symbol in ("+", "-", "neg")
        or (node.symbol == "*" and any(fixed))
        or (node.symbol == "/" and bool(node.operands[1].value))
        or (node.symbol == "**" and node.operands[1].value == 1)
    )


ONE: Interval = (1.0, 1.0)


# --- expressions -------------------------------------------------------------------------------
@final
class _Walk:
    """One evaluation on a box; each distinct subexpression is visited once."""

    def __init__(self, box: dict[str, Interval]):
        self.box = box
        self.memo: dict[Node, Enclosed] = {}

    def visit(self, node: Node) -> Enclosed:
        if node not in self.memo:
            self.memo[node] = self._enclose(node)
        return self.memo[node]

    def _enclose(self, node: Node) -> Enclosed:
        if node.value is not None:
            return Enclosed((node.value, node.value), {})
        if isinstance(node, Name):
            return Enclosed(self.box[node.name], {node.name: ONE})
        assert isinstance(node, Operation)
        if node.symbol == "**" or (node.symbol == "*" and node.operands[0] == node.operands[1]):
            return self._raise(node)
        parts = [self.visit(part) for part in node.operands]
        if len(parts) == 2:
            return BINARY[node.symbol](node, *parts)
        if node.symbol == "neg":
            a = parts[0]
            return Enclosed(minus(a.value), {k: minus(s) for k, s in a.slopes.items()})
        value, slope = UNARY[node.symbol](node, parts[0].value)
        return _chain(value, (slope, parts[0]))

    def _raise(self, node: Operation) -> Enclosed:
        base = self.visit(node.operands[0])
        exponent = 2.0 if node.symbol == "*" else node.operands[1].value
        if exponent is None:
            return _general_power(node, base, self.visit(node.operands[1]))
        low, high = base.value
        if exponent == 0:
            return Enclosed(ONE, {})
        p = (exponent, exponent)
        if exponent.is_integer() and exponent > 0:
            n = int(exponent)
            return _chain(power(base.value, n), (times(p, power(base.value, n - 1)), base))
        if exponent.is_integer():
            _require(low > 0 or high < 0, node.operands[0], "be 0", base.value)
            n = int(-exponent)
            slope = over(p, power(base.value, n + 1))
            return _chain(over(ONE, power(base.value, n)), (slope, base))
        _require(low >= 0, node.operands[0], "be negative", base.value)
        _require(low > 0 or exponent > 0, node.operands[0], "be 0", base.value)
        slope = times(p, corners(base.value, plus(p, (-1.0, -1.0))))
        return _chain(corners(base.value, p), (slope, base))


def _require(shown: bool, node: Node, can: str, value: Interval) -> None:
    if not shown:
        raise Undefined(f"'{node}' is not shown never to {can}; it lies in {list(value)}")


def _chain(value: Interval, *outer: tuple[Interval, Enclosed]) -> Enclosed:
    """The chain rule: the sum of outer slopes times inner slopes."""
    slopes: Slopes = {}
    for slope, inner in outer:
        for column, own in inner.slopes.items():
            term = times(slope, own)
            slopes[column] = plus(slopes[column], term) if column in slopes else term
    return Enclosed(value, slopes)


def _general_power(node: Operation, base: Enclosed, exponent: Enclosed) -> Enclosed:
    low, least = base.value[0], exponent.value[0]
    _require(low > 0 or (low == 0 and least > 0), node.operands[0], "be 0 or less", base.value)
    value = corners(base.value, exponent.value)
    by_base = times(exponent.value, corners(base.value, plus(exponent.value, (-1.0, -1.0))))
    by_exponent = times(value, increasing("log", base.value))
    return _chain(value, (by_base, base), (by_exponent, exponent))


def _divide(node: Operation, a: Enclosed, b: Enclosed) -> Enclosed:
    _require(b.value[0] > 0 or b.value[1] < 0, node.operands[1], "be 0", b.value)
    value = over(a.value, b.value)
    return _chain(value, (over(ONE, b.value), a), (minus(over(value, b.value)), b))


def _maximum(node: Operation, a: Enclosed, b: Enclosed) -> Enclosed:
    if a.value[0] >= b.value[1]:
        return a
    if b.value[0] >= a.value[1]:
        return b
    zero = (0.0, 0.0)
    slopes = {
        column: hull(a.slopes.get(column, zero), b.slopes.get(column, zero))
        for column in {**a.slopes, **b.slopes}
    }
    value = max(a.value[0], b.value[0]), max(a.value[1], b.value[1])
    return Enclosed(value, slopes)


def _negated(e: Enclosed) -> Enclosed:
    return Enclosed(minus(e.value), {k: minus(s) for k, s in e.slopes.items()})


BINARY: dict[str, Callable[[Operation, Enclosed, Enclosed], Enclosed]] = {
    "+": lambda _, a, b: _chain(plus(a.value, b.value), (ONE, a), (ONE, b)),
    "-": lambda _, a, b: _chain(plus(a.value, minus(b.value)), (ONE, a), ((-1.0, -1.0), b)),
    "*": lambda _, a, b: _chain(times(a.value, b.value), (b.value, a), (a.value, b)),
    "/": _divide,
    "maximum": _maximum,
    "minimum": lambda node, a, b: _negated(_maximum(node, _negated(a), _negated(b))),
}


def _logarithm(scale: float, shift: float, function: str) -> Callable[..., tuple]:
    def rule(node: Operation, x: Interval) -> tuple[Interval, Interval]:
        inner = plus(x, (shift, shift))
        can = "be 0 or less" if not shift else "be -1 or less"
        _require(inner[0] > 0 and x[0] > -shift, node.operands[0], can, x)
        slope = over(ONE, times(inner, _around(scale)))
        return increasing(function, x), slope

    return rule


def _around(x: float) -> Interval:
    return (x, x) if x == 1 else (nextafter(x, -inf), nextafter(x, inf))


def _root(node: Operation, x: Interval) -> tuple[Interval, Interval]:
    _require(x[0] >= 0, node.operands[0], "be negative", x)
    value = increasing("sqrt", x, 0.0)
    slope = (0.0, inf) if value[0] == 0 else over(ONE, times((2.0, 2.0), value))
    return value, (over(ONE, (2 * value[1], 2 * value[1]))[0] if value[1] else 0.0, slope[1])


def _tanh(_: Operation, x: Interval) -> tuple[Interval, Interval]:
    value = increasing("tanh", x, -1.0, 1.0)
    slope = plus(ONE, minus(power(value, 2)))
    return value, (max(slope[0], 0.0), slope[1])


def _absolute(_: Operation, x: Interval) -> tuple[Interval, Interval]:
    return size(x), (1.0 if x[0] >= 0 else -1.0, -1.0 if x[1] <= 0 else 1.0)


UNARY: dict[str, Callable[[Operation, Interval], tuple[Interval, Interval]]] = {
    "abs": _absolute,
    "arctan": lambda _, x: (increasing("arctan", x), over(ONE, plus(ONE, power(x, 2)))),
    "cos": lambda _, x: (wave(x, 0.0), minus(wave(x, 1.0))),
    "exp": lambda _, x: (increasing("exp", x, 0.0), increasing("exp", x, 0.0)),
    "expm1": lambda _, x: (increasing("expm1", x, -1.0), increasing("exp", x, 0.0)),
    "log": _logarithm(1.0, 0.0, "log"),
    "log10": _logarithm(log(10.0), 0.0, "log10"),
    "log1p": _logarithm(1.0, 1.0, "log1p"),
    "sin": lambda _, x: (wave(x, 1.0), wave(x, 0.0)),
    "sqrt": _root,
    "tanh": _tanh,
}


def is_number(value: Any) -> bool:
    """Whether the value is a real number; a truth value is none."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def is_range(pair: Any) -> bool:
    """Whether the value is (low, high) with low < high, where None leaves a side open."""
    two = isinstance(pair, tuple | list) and len(pair) == 2
    if not two or any(e is not None and not (is_number(e) and e == e) for e in pair):
        return False
    low, high = (float(d if v is None else v) for v, d in zip(pair, (-inf, inf), strict=True))
    return low < high
