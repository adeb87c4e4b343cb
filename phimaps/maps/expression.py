"""Expressions in the columns of a table: their immutable form and its text.

An expression is a tree of three kinds of node. It is data: it can be compared, hashed and pickled,
and nothing in it is ever executed as code. The same tree comes from text
(`phimaps.maps.parsing.parse`) and from Python operators on `phimaps.col`.
"""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, final

import numpy as np

from ..errors import ExpressionError

__all__ = ["FUNCTIONS", "Name", "Node", "Number", "Operation", "constant", "names", "operation"]

# Each function with the number of its arguments, in NumPy's names. Functions with poles or jumps
# (tan, sign, floor) are left out: where they are continuous cannot be read off a box.
FUNCTIONS = {
    "abs": 1,
    "arctan": 1,
    "cos": 1,
    "exp": 1,
    "expm1": 1,
    "log": 1,
    "log10": 1,
    "log1p": 1,
    "maximum": 2,
    "minimum": 2,
    "sin": 1,
    "sqrt": 1,
    "square": 1,
    "tanh": 1,
}
MAX_DEPTH = 100
MAX_NODES = 1000
UFUNCS: dict[str, Any] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
    "neg": np.negative,
}
PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "**": 4}
ATOM = 5


class Node:
    """A node of an expression; abstract.

    Attributes
    ----------
    depth, size : int
        Of the tree below and with the node.
    value : float or None
        Its value, computed in float64, where no column stands below it.
    """

    depth: int = 1
    size: int = 1
    value: float | None = None


@final
@dataclass(frozen=True)
class Number(Node):
    """A finite constant, in float64."""

    value: float

    def __post_init__(self) -> None:
        try:
            value = float(self.value)
        except OverflowError:
            value = float("inf")
        if not isfinite(value):
            raise ExpressionError(
                "A number in an expression is not finite.",
                got=_shorten(str(self.value)) if not isinstance(self.value, int) else "a huge int",
                need="a number that float64 holds, at most 1.8e308",
                do="write a smaller number",
            )
        # Adding 0.0 turns -0.0 into 0.0, so that equal numbers are one node.
        object.__setattr__(self, "value", value + 0.0)

    def __str__(self) -> str:
        whole = self.value.is_integer() and abs(self.value) < 1e16
        return str(int(self.value)) if whole else repr(self.value)


@final
@dataclass(frozen=True)
class Name(Node):
    """A column, by its name."""

    name: str

    def __post_init__(self) -> None:
        name = self.name
        if not isinstance(name, str) or not name or "`" in name or not name.isprintable():
            raise ExpressionError(
                "A column of this name cannot stand in an expression.",
                got=f"{name!r}",
                need="a non-empty str of printable characters without backticks",
                do="rename the column",
            )

    def __str__(self) -> str:
        bare = self.name.isidentifier() and not keyword.iskeyword(self.name)
        return self.name if bare else f"`{self.name}`"


@final
@dataclass(frozen=True)
class Operation(Node):
    """An operator or a function with its operands.

    Parameters
    ----------
    symbol : str
        ``+``, ``-``, ``*``, ``/``, ``**``, ``neg``, or a function's name.
    operands : tuple of Node
    """

    symbol: str
    operands: tuple[Node, ...]
    depth: int = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False)
    value: float | None = field(init=False, compare=False, repr=False)
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        depth = 1 + max(node.depth for node in self.operands)
        size = 1 + sum(node.size for node in self.operands)
        if depth > MAX_DEPTH or size > MAX_NODES:
            raise too_large(f"{size} nodes, nested {depth} deep")
        value = constant(self.symbol, self.operands)
        if value is not None and not isfinite(value):
            raise ExpressionError(
                f"A part without columns has the value {value}.",
                got=f"'{self.symbol}' of {', '.join(map(str, self.operands))}",
                need="numbers that float64 holds, at most 1.8e308",
                do="write a finite number instead",
            )
        for name, known in (("depth", depth), ("size", size), ("value", value)):
            object.__setattr__(self, name, known)
        # Kept, because a tree whose hash is computed afresh at each lookup costs quadratic time.
        object.__setattr__(self, "_hash", hash((self.symbol, self.operands)))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        # The kept hash holds in this process only.
        return Operation, (self.symbol, self.operands)

    def __str__(self) -> str:
        if self.symbol in FUNCTIONS:
            return f"{self.symbol}({', '.join(map(str, self.operands))})"
        own = PRECEDENCE[self.symbol]
        if self.symbol == "neg":
            return "-" + _text(self.operands[0], own)
        left, right = self.operands
        if self.symbol == "**":
            return f"{_text(left, ATOM)} ** {_text(right, PRECEDENCE['neg'])}"
        return f"{_text(left, own)} {self.symbol} {_text(right, own + 1)}"


def _text(node: Node, least: int) -> str:
    if isinstance(node, Operation):
        precedence = PRECEDENCE.get(node.symbol, ATOM)
    else:
        negative = isinstance(node, Number) and node.value < 0
        precedence = PRECEDENCE["neg"] if negative else ATOM
    return str(node) if precedence >= least else f"({node})"


def _shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def too_large(got: str) -> ExpressionError:
    """The error for an expression beyond the limits."""
    return ExpressionError(
        "The expression is too large.",
        got=got,
        need=f"at most {MAX_NODES} nodes, nested at most {MAX_DEPTH} deep",
        do="split it into several expressions, or use a map such as pm.Affine",
    )


def constant(symbol: str, operands: tuple[Node, ...]) -> float | None:
    """The value of an operation whose operands are all constant, else None; possibly not finite."""
    values = [np.float64(node.value) for node in operands if node.value is not None]
    if len(values) < len(operands):
        return None
    ufunc = UFUNCS[symbol] if symbol in UFUNCS else getattr(np, symbol)
    with np.errstate(all="ignore"):
        return float(ufunc(*values))


def operation(symbol: str, *operands: Node) -> Node:
    """The node for an operation, in the one form that equal expressions share."""
    first = operands[0]
    if symbol == "neg" and isinstance(first, Number):
        return Number(-first.value)
    if symbol == "square":
        return Operation("**", (first, Number(2)))
    return Operation(symbol, operands)


def names(node: Node) -> tuple[str, ...]:
    """The columns in an expression, in the order of their first use."""
    if isinstance(node, Name):
        return (node.name,)
    if isinstance(node, Operation):
        return tuple(dict.fromkeys(n for part in node.operands for n in names(part)))
    return ()
