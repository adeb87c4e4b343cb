"""Reading expressions in columns from text.

Python's own parser makes the syntax tree; a whitelist turns it into an expression. What is not on
the list is refused by name, with a caret under the character, and nothing is ever executed.
"""

from __future__ import annotations

import ast
import difflib
import keyword
import re
from math import isfinite
from typing import Any, NoReturn

from ..errors import ExpressionError
from .column import as_node
from .expression import (
    FUNCTIONS,
    MAX_DEPTH,
    Name,
    Node,
    Number,
    constant,
    operation,
    too_large,
)

__all__ = ["parse", "read", "tidy"]

MAX_LENGTH = 4000
LANGUAGE = f"numbers, columns, + - * / **, parentheses, {', '.join(FUNCTIONS)}"
FINITE = "numbers that float64 holds, at most 1.8e308"
PENDING = ("+", "-", "*", "/", "**")
OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
FOREIGN_OPERATORS: dict[type[ast.operator], str] = {
    ast.BitXor: "^",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.MatMult: "@",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
}
CONSTRUCTS: dict[type[ast.expr], str] = {
    ast.Attribute: "An attribute",
    ast.Subscript: "A subscript",
    ast.Lambda: "A lambda",
    ast.IfExp: "A condition (if ... else)",
    ast.Compare: "A comparison",
    ast.BoolOp: "A logical operator (and, or)",
    ast.Starred: "A starred argument",
    ast.JoinedStr: "An f-string",
    ast.List: "A list",
    ast.Tuple: "A tuple",
    ast.Dict: "A dict",
    ast.Set: "A set",
    ast.ListComp: "A comprehension",
    ast.SetComp: "A comprehension",
    ast.DictComp: "A comprehension",
    ast.GeneratorExp: "A comprehension",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
}
REPAIRS: dict[type[ast.expr], str] = {
    ast.Attribute: "a name with a dot in it is written in backticks: `a.b`",
    ast.Subscript: "the columns of an array are named x0, x1, ...",
    ast.IfExp: "use maximum(x, y) or minimum(x, y)",
    ast.Compare: "use maximum(x, y) or minimum(x, y)",
    ast.Tuple: "give each expression on its own: Columns('x', 'y')",
}
SYNONYMS = {
    "ln": "log",
    "max": "maximum",
    "min": "minimum",
    "atan": "arctan",
    "fabs": "abs",
    "sqr": "square",
    "pow": "x ** y",
    "power": "x ** y",
}
TOKEN = re.compile(
    r"(?P<number>(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<sign>\*\*|//|<<|>>|[=!<>:]=|\S)"
)


def read(value: Any) -> Node:
    """The expression that text, a number or a `Column` stands for.

    Parameters
    ----------
    value : str, float or Column

    Returns
    -------
    Node

    Raises
    ------
    ExpressionError
        When it cannot be read.
    """
    node = parse(value) if isinstance(value, str) else as_node(value)
    if node is None:
        listed = isinstance(value, list | tuple)
        raise ExpressionError(
            "An expression is text, a number, or made with pm.col.",
            got=f"{type(value).__name__}: {_cut(repr(value))}",
            need="a str, a real number, or pm.col(...)",
            do="Columns(*expressions)" if listed else "Columns('1', 'volume / weight')",
        )
    return node


def parse(text: str) -> Node:
    """The expression that a text stands for.

    Parameters
    ----------
    text : str
        Python's syntax, restricted to numbers, column names, ``+ - * / **``, parentheses and the
        functions of `phimaps.maps.expression.FUNCTIONS`. A column whose name is not an identifier
        stands in backticks.

    Returns
    -------
    Node

    Raises
    ------
    ExpressionError
        With a caret under the place that cannot be read.

    Examples
    --------
    >>> str(parse("volume/weight"))
    'volume / weight'
    >>> print(parse("`alcalinity of ash` / log(ash)"))
    `alcalinity of ash` / log(ash)
    >>> parse("x ^ 2")
    Traceback (most recent call last):
    phimaps.errors.ExpressionError: '^' is not an operator of expressions.
      got:  x ^ 2
              ^
      need: numbers, columns, + - * / **, parentheses, abs, arctan, ...
      do:   write ** for a power: x ** 2
    """
    return _Reader(text).read()


def tidy(text: str) -> str:
    """The text on one line, without space around it."""
    return re.sub(r"[\n\r\t]", " ", text).strip()


class _Reader:
    """One text on its way to an expression."""

    def __init__(self, text: str):
        if len(text) > MAX_LENGTH:
            raise ExpressionError(
                "The expression is too long.",
                got=f"{len(text)} characters: {_cut(text)}",
                need=f"at most {MAX_LENGTH} characters",
                do="split it into several expressions",
            )
        self.text = tidy(text)
        self.quoted: dict[int, str] = {}

    def refuse(self, what: str, at: int, do: str, need: str = LANGUAGE) -> NoReturn:
        start = max(0, at - 40)
        shown = ("..." if start else "") + self.text[start : at + 30]
        shown += "..." if at + 30 < len(self.text) else ""
        # Eight characters stand before the expression in the printed message.
        caret = " " * (8 + at - start + (3 if start else 0)) + "^"
        shown = "".join(c if c.isprintable() else "?" for c in shown)
        raise ExpressionError(what, got=f"{shown}\n{caret}", need=need, do=do)

    def read(self) -> Node:
        if not self.text:
            raise ExpressionError(
                "The expression is empty.", got="''", need=LANGUAGE, do="write '1' for a constant"
            )
        for at, character in enumerate(self.text):
            if not character.isprintable():
                what = f"The character U+{ord(character):04X} cannot stand in an expression."
                self.refuse(what, at, "remove it")
        self.masked = self._mask()
        self._scan()
        try:
            tree = ast.parse(self.masked, mode="eval").body
        except SyntaxError as error:
            self._explain(error)
        except (RecursionError, MemoryError, ValueError):
            raise too_large(f"{len(self.text)} characters: {_cut(self.text)}") from None
        # Python counts in bytes of UTF-8.
        self.bytes = self.masked.encode()
        return self.convert(tree, 1)

    def _mask(self) -> str:
        """Put an identifier of the same length where a name stands in backticks."""
        if self.text.count("`") % 2:
            at = self.text.rindex("`")
            self.refuse("A backtick is not closed.", at, "write `name of the column`")
        for match in re.finditer("`([^`]*)`", self.text):
            at, stop = match.span()
            if not match[1]:
                self.refuse("A name in backticks is empty.", at, "write the column's name")
            beside = self.text[at - 1 : at] + self.text[stop : stop + 1]
            if re.search(r"[\w`]", beside):
                what = "An operator is missing beside a name in backticks."
                self.refuse(what, at, "write * to multiply")
            self.quoted[at] = match[1]
        return re.sub("`[^`]*`", lambda match: "_" * len(match[0]), self.text)

    # --- before Python's parser: what it would report in words that change with its version ------
    def _scan(self) -> None:
        tokens = [(m.lastgroup, m.group(), m.start()) for m in TOKEN.finditer(self.masked)]
        self.keyword = next((t for t in tokens if t[0] == "name" and keyword.iskeyword(t[1])), None)
        opened: list[int] = []
        before: tuple[str | None, str, int] = ("start", "", 0)
        for token in tokens:
            _, word, at = token
            if word in "'\"":
                what = "A string"
                if before[0] == "name" and before[2] + len(before[1]) == at:
                    what = "An f-string" if "f" in before[1].lower() else what
                what += " is not allowed in an expression."
                self.refuse(what, at, "write a column's name without quotes, or in backticks")
            if word == ":=" or (word == "=" and not opened):
                what = "An assignment is not allowed in an expression."
                self.refuse(what, at, "write its right side alone")
            if word in ("#", ";", "\\"):
                self.refuse(f"'{word}' is not allowed in an expression.", at, "remove it")
            if word in "([{":
                opened.append(at)
            elif word in ")]}":
                if not opened:
                    self.refuse("A parenthesis was never opened.", at, f"remove '{word}'")
                opened.pop()
            if len(opened) > MAX_DEPTH:
                raise too_large(f"{len(opened)} open parentheses: {_cut(self.text)}")
            self._neighbours(before, token)
            before = token
        if opened:
            self.refuse("A parenthesis is never closed.", opened[-1], "close it with ')'")
        if before[1] in PENDING:
            self.refuse(
                f"An operand is missing after '{before[1]}'.", before[2], "complete the expression"
            )

    def _neighbours(self, before: Any, token: Any) -> None:
        kind, word, at = token
        left, right = (self._shown(t) for t in (before, token))
        if kind in ("name", "number") and before[0] in ("name", "number", "sign"):
            words = keyword.iskeyword(word) or keyword.iskeyword(before[1])
            glued = before[0] == "number" and before[2] + len(before[1]) == at
            operand = before[0] != "sign" or before[1] == ")"
            if operand and (glued or not words):
                self.refuse(
                    f"An operator is missing between '{left}' and '{right}'.",
                    at,
                    "write * to multiply; a name with spaces stands in backticks: `a b`",
                )
        if word in ("*", "/", "**", ")", ",") and before[1] in PENDING:
            self.refuse(f"An operand is missing after '{left}'.", before[2], "complete it")
        if word in ("*", "/", "**") and before[0] == "start":
            self.refuse(f"An operand is missing before '{word}'.", at, "complete the expression")

    def _shown(self, token: Any) -> str:
        name = self.quoted.get(token[2]) if token[0] == "name" else None
        return token[1] if name is None else f"`{name}`"

    def _explain(self, error: SyntaxError) -> NoReturn:
        if self.keyword is not None:
            word, at = self.keyword[1:]
            self.refuse(
                f"'{word}' is a word of Python, not of expressions.",
                at,
                f"a column of that name stands in backticks: `{word}`",
            )
        at = min(max((error.offset or 1) - 1, 0), len(self.text) - 1)
        self.refuse("The expression cannot be read here.", at, "correct it at the caret")

    # --- after Python's parser: the whitelist -----------------------------------------------------
    def at(self, node: ast.AST, attribute: str = "col_offset") -> int:
        return len(self.bytes[: getattr(node, attribute)].decode())

    def convert(self, node: ast.expr, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise too_large(f"{len(self.text)} characters: {_cut(self.text)}")
        if isinstance(node, ast.Constant):
            return self._number(node)
        if isinstance(node, ast.Name):
            return Name(self._name(node))
        if isinstance(node, ast.BinOp):
            return self._binary(node, depth)
        if isinstance(node, ast.UnaryOp):
            operand = self.convert(node.operand, depth + 1)
            if isinstance(node.op, ast.UAdd):
                return operand
            if isinstance(node.op, ast.USub):
                return self._made(node, "neg", operand)
            sign = "~" if isinstance(node.op, ast.Invert) else "not"
            self.refuse(
                f"'{sign}' is not an operator of expressions.", self.at(node), "write - to negate"
            )
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        kind = type(node)
        what = CONSTRUCTS.get(kind, kind.__name__)
        do = REPAIRS.get(kind, "use only what is listed")
        # The dot or the bracket is the fault, not what stands before it.
        after = isinstance(node, ast.Attribute | ast.Subscript)
        at = self.at(node.value, "end_col_offset") if after else self.at(node)  # type: ignore
        self.refuse(f"{what} is not allowed in an expression.", at, do)

    def _name(self, node: ast.Name) -> str:
        at = self.at(node)
        # From the text: Python's parser would rewrite letters such as the micro sign.
        return self.quoted.get(at) or self.text[at : self.at(node, "end_col_offset")]

    def _number(self, node: ast.Constant) -> Node:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            what = "..." if value is ... else repr(value)
            self.refuse(f"{what} is not a number.", self.at(node), "write a number")
        try:
            finite = isfinite(float(value))
        except OverflowError:
            finite = False
        if not finite:
            self.refuse(
                "This number is not finite in float64.",
                self.at(node),
                "write a smaller number",
                FINITE,
            )
        return Number(value)

    def _binary(self, node: ast.BinOp, depth: int) -> Node:
        symbol = OPERATORS.get(type(node.op))
        if symbol is None:
            sign = FOREIGN_OPERATORS[type(node.op)]
            at = self.text.index(sign, self.at(node.left, "end_col_offset"))
            do = "write ** for a power: x ** 2" if sign == "^" else "use only what is listed"
            self.refuse(f"'{sign}' is not an operator of expressions.", at, do)
        left, right = self.convert(node.left, depth + 1), self.convert(node.right, depth + 1)
        return self._made(node, symbol, left, right)

    def _call(self, node: ast.Call, depth: int) -> Node:
        at = self.at(node.func)
        if not isinstance(node.func, ast.Name) or at in self.quoted:
            if type(node.func) in CONSTRUCTS:
                self.convert(node.func, depth + 1)
            self.refuse("This cannot be called.", at, "write * to multiply")
        name = self._name(node.func)
        if name not in FUNCTIONS:
            near = difflib.get_close_matches(name, FUNCTIONS, n=1)
            hint = SYNONYMS.get(name) or (near[0] if near else None)
            do = f"did you mean {hint!r}?" if hint else "to multiply, write *"
            self.refuse(f"There is no function {name!r}.", at, do)
        count, example = FUNCTIONS[name], f"{name}({', '.join('xy'[: FUNCTIONS[name]])})"
        if node.keywords:
            what = "A keyword argument is not allowed in an expression."
            self.refuse(what, self.at(node.keywords[0]), f"write {example}")
        operands = [self.convert(part, depth + 1) for part in node.args]
        if len(operands) != count:
            what = f"{name} takes {count} argument{'s' * (count > 1)}, not {len(operands)}."
            self.refuse(what, at, f"write {example}")
        return self._made(node, name, *operands)

    def _made(self, node: ast.expr, symbol: str, *operands: Node) -> Node:
        value = constant(symbol, operands)
        if value is not None and not isfinite(value):
            what = f"A part without columns has the value {value}."
            self.refuse(what, self.at(node), "write a finite number instead", FINITE)
        return operation(symbol, *operands)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
