"""Expressions in columns built with Python's operators: the form without text."""

from __future__ import annotations

from numbers import Real
from typing import Any, final

import numpy as np

from ..errors import OperandError, TruthError
from .expression import FUNCTIONS, Name, Node, Number, operation

__all__ = ["Column", "as_node", "col"]


def as_node(value: Any) -> Node | None:
    """The node that a `Column` or a number stands for; None for anything else."""
    if isinstance(value, Column):
        return value.node
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_):
        return Number(value if isinstance(value, int) else float(value))
    return None


@final
class Column:
    """x ↦ e(x), an expression in columns, built with Python's operators instead of text.

    Made by `col`. It knows ``+ - * / **``, ``abs()`` and the functions of the expression language
    as methods; ``str()`` is text that reads back as the same expression.

    Parameters
    ----------
    node : Node

    Examples
    --------
    >>> ratio = col("volume") / col("weight")
    >>> ratio.log1p() - 2 * col("alcalinity of ash") ** 2
    log1p(volume / weight) - 2 * `alcalinity of ash` ** 2
    """

    __slots__ = ("node",)
    # Arrays and NumPy scalars leave the operators to us.
    __array_ufunc__ = None
    __iter__ = None

    def __init__(self, node: Node):
        self.node = node

    def __reduce__(self) -> tuple[Any, ...]:
        return Column, (self.node,)

    def __repr__(self) -> str:
        return str(self.node)

    def __hash__(self) -> int:
        return hash(self.node)

    def _join(self, symbol: str, other: Any, swap: bool = False) -> Column:
        node = as_node(other)
        if node is None:
            raise OperandError(
                f"'{symbol}' joins columns and numbers.",
                got=f"an operand of type {type(other).__name__}",
                need="an expression made with pm.col, or a real number",
                do='pm.col("volume") / pm.col("weight")',
            )
        operands = (node, self.node) if swap else (self.node, node)
        return Column(operation(symbol, *operands))

    def __add__(self, other: Any) -> Column:
        return self._join("+", other)

    def __radd__(self, other: Any) -> Column:
        return self._join("+", other, swap=True)

    def __sub__(self, other: Any) -> Column:
        return self._join("-", other)

    def __rsub__(self, other: Any) -> Column:
        return self._join("-", other, swap=True)

    def __mul__(self, other: Any) -> Column:
        return self._join("*", other)

    def __rmul__(self, other: Any) -> Column:
        return self._join("*", other, swap=True)

    def __truediv__(self, other: Any) -> Column:
        return self._join("/", other)

    def __rtruediv__(self, other: Any) -> Column:
        return self._join("/", other, swap=True)

    def __pow__(self, other: Any) -> Column:
        return self._join("**", other)

    def __rpow__(self, other: Any) -> Column:
        return self._join("**", other, swap=True)

    def __neg__(self) -> Column:
        return Column(operation("neg", self.node))

    def __pos__(self) -> Column:
        return self

    def __abs__(self) -> Column:
        return Column(operation("abs", self.node))

    def __bool__(self) -> bool:
        raise self._no_truth(f"bool({self!r})")

    def __eq__(self, other: Any) -> Any:
        raise self._no_truth(f"{self!r} == {other!r}")

    def __ne__(self, other: Any) -> Any:
        raise self._no_truth(f"{self!r} != {other!r}")

    def __lt__(self, other: Any) -> Any:
        raise self._no_truth(f"{self!r} < {other!r}")

    def __le__(self, other: Any) -> Any:
        raise self._no_truth(f"{self!r} <= {other!r}")

    def __gt__(self, other: Any) -> Any:
        raise self._no_truth(f"{self!r} > {other!r}")

    def __ge__(self, other: Any) -> Any:
        raise self._no_truth(f"{self!r} >= {other!r}")

    def _no_truth(self, got: str) -> TruthError:
        return TruthError(
            "An expression in columns has no truth value and cannot be compared.",
            got=got,
            need="arithmetic: + - * / ** and functions",
            do="pm.col('x').maximum(0) cuts at 0; a.node == b.node compares two expressions",
        )


def _method(name: str, arity: int) -> Any:
    if arity == 1:

        def call(self: Column) -> Column:
            return Column(operation(name, self.node))

        call.__doc__ = f"x ↦ {name}(x)."
    else:

        def call(self: Column, other: Any) -> Column:  # type: ignore[misc]
            return self._join(name, other)

        call.__doc__ = f"(x, y) ↦ {name}(x, y); `other` is a number or an expression."
    call.__name__, call.__qualname__ = name, f"Column.{name}"
    return call


for _name, _arity in FUNCTIONS.items():
    setattr(Column, _name, _method(_name, _arity))


def col(name: str) -> Column:
    """x ↦ x[name], one column of a table as an expression.

    Parameters
    ----------
    name : str
        The column's name, whatever characters it has but backticks. The columns of an array are
        named x0, x1, ...

    Returns
    -------
    Column

    Raises
    ------
    ExpressionError
        When the name is empty, or has a backtick or an unprintable character.

    Examples
    --------
    >>> col("height") * col("width") + 1
    height * width + 1
    """
    return Column(Name(name))
