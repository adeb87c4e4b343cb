"""Reading expressions: what is refused, and in which words."""

from __future__ import annotations

import ast
import contextlib

import pytest

from phimaps.errors import ExpressionError
from phimaps.maps.parsing import parse, read

LISTED = (
    "numbers, columns, + - * / **, parentheses, abs, arctan, cos, exp, expm1, log, log10, log1p, "
    "maximum, minimum, sin, sqrt, square, tanh"
)
FINITE = "numbers that float64 holds, at most 1.8e308"
LARGE = "at most 1000 nodes, nested at most 100 deep"
SPLIT = "split it into several expressions, or use a map such as pm.Affine"
QUOTES = "write a column's name without quotes, or in backticks"
MULTIPLY = "write * to multiply; a name with spaces stands in backticks: `a b`"
EXTREMA = "use maximum(x, y) or minimum(x, y)"
ONLY = "use only what is listed"
POWER = "write ** for a power: x ** 2"


def said(construct):
    return f"{construct} is not allowed in an expression."


def foreign(sign):
    return f"'{sign}' is not an operator of expressions."


# (text, what happened, the index under the caret, what to do[, what is needed])
REFUSED = [
    ("__import__('os').system('x')", said("A string"), 11, QUOTES),
    ("__import__(os)", "There is no function '__import__'.", 0, "to multiply, write *"),
    ("exec(x)", "There is no function 'exec'.", 0, "to multiply, write *"),
    (
        "x.__class__",
        said("An attribute"),
        1,
        "a name with a dot in it is written in backticks: `a.b`",
    ),
    ("x.log()", said("An attribute"), 1, "a name with a dot in it is written in backticks: `a.b`"),
    ("2 * x[0]", said("A subscript"), 5, "the columns of an array are named x0, x1, ..."),
    ("lambda: 1", said("A lambda"), 0, ONLY),
    ("x if y else z", said("A condition (if ... else)"), 0, EXTREMA),
    ("1 + (x < y)", said("A comparison"), 5, EXTREMA),
    ("x and y", said("A logical operator (and, or)"), 0, ONLY),
    ("not x", foreign("not"), 0, "write - to negate"),
    ("~x", foreign("~"), 0, "write - to negate"),
    ("volume ^ 2", foreign("^"), 7, POWER),
    ("é + `ü ü` ^ 2", foreign("^"), 10, POWER),
    ("x // y", foreign("//"), 2, ONLY),
    ("(x) % y", foreign("%"), 4, ONLY),
    ("x @ y", foreign("@"), 2, ONLY),
    ("x | y", foreign("|"), 2, ONLY),
    ("(y := x)", said("An assignment"), 3, "write its right side alone"),
    ("y = x", said("An assignment"), 2, "write its right side alone"),
    ("'x'", said("A string"), 0, QUOTES),
    ('f"{x}"', said("An f-string"), 1, QUOTES),
    ("True * x", "True is not a number.", 0, "write a number"),
    ("x + ...", "... is not a number.", 4, "write a number"),
    ("[x, y]", said("A list"), 0, ONLY),
    ("x, y", said("A tuple"), 0, "give each expression on its own: Columns('x', 'y')"),
    ("{x}", said("A set"), 0, ONLY),
    ("{x: y}", said("A dict"), 0, ONLY),
    ("[i for i in x]", said("A comprehension"), 0, ONLY),
    ("await x", said("await"), 0, ONLY),
    ("log(base=x)", said("A keyword argument"), 4, "write log(x)"),
    ("log(*x)", said("A starred argument"), 4, ONLY),
    ("log(**x)", said("A keyword argument"), 4, "write log(x)"),
    ("log(x, y)", "log takes 1 argument, not 2.", 0, "write log(x)"),
    ("1 + maximum(x)", "maximum takes 2 arguments, not 1.", 4, "write maximum(x, y)"),
    ("lgo(x)", "There is no function 'lgo'.", 0, "did you mean 'log'?"),
    ("ln(x)", "There is no function 'ln'.", 0, "did you mean 'log'?"),
    ("pow(x, 2)", "There is no function 'pow'.", 0, "did you mean 'x ** y'?"),
    ("2(x)", "This cannot be called.", 0, "write * to multiply"),
    ("a b", "An operator is missing between 'a' and 'b'.", 2, MULTIPLY),
    ("2x", "An operator is missing between '2' and 'x'.", 1, MULTIPLY),
    ("3j", "An operator is missing between '3' and 'j'.", 1, MULTIPLY),
    ("1if x else y", "An operator is missing between '1' and 'if'.", 1, MULTIPLY),
    ("`a`b", "An operator is missing beside a name in backticks.", 0, "write * to multiply"),
    ("`a` `b`", "An operator is missing between '`a`' and '`b`'.", 4, MULTIPLY),
    ("1 + `a", "A backtick is not closed.", 4, "write `name of the column`"),
    ("``", "A name in backticks is empty.", 0, "write the column's name"),
    ("x +", "An operand is missing after '+'.", 2, "complete the expression"),
    ("x + / y", "An operand is missing after '+'.", 2, "complete it"),
    ("* x", "An operand is missing before '*'.", 0, "complete the expression"),
    ("2 * (x + y", "A parenthesis is never closed.", 4, "close it with ')'"),
    ("x)", "A parenthesis was never opened.", 1, "remove ')'"),
    ("x; y", "';' is not allowed in an expression.", 1, "remove it"),
    ("x # y", "'#' is not allowed in an expression.", 2, "remove it"),
    (
        "import os",
        "'import' is a word of Python, not of expressions.",
        0,
        "a column of that name stands in backticks: `import`",
    ),
    (
        "2 * class",
        "'class' is a word of Python, not of expressions.",
        4,
        "a column of that name stands in backticks: `class`",
    ),
    ("1e999", "This number is not finite in float64.", 0, "write a smaller number", FINITE),
    (
        "x + 1" + "0" * 20 + "e300",
        "This number is not finite in float64.",
        4,
        "write a smaller number",
        FINITE,
    ),
    (
        "x + 10**400",
        "A part without columns has the value inf.",
        4,
        "write a finite number instead",
        FINITE,
    ),
    (
        "x * (1 / 0)",
        "A part without columns has the value inf.",
        5,
        "write a finite number instead",
        FINITE,
    ),
    (
        "log(-1) * x",
        "A part without columns has the value nan.",
        0,
        "write a finite number instead",
        FINITE,
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[0][:30])
def test_refused_text_is_explained_with_a_caret_under_the_place(case):
    text, what, at, do, *need = case
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    lines = str(caught.value).split("\n")
    assert lines[0] == what
    assert lines[1] == f"  got:  {text}"
    assert lines[2] == " " * (8 + at) + "^"
    assert lines[3] == f"  need: {(need or [LISTED])[0]}"
    assert lines[4] == f"  do:   {do}"
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", f"The expression is empty.|''|{LISTED}|write '1' for a constant"),
        (" \n", f"The expression is empty.|''|{LISTED}|write '1' for a constant"),
        (
            "(" * 5000 + "x" + ")" * 5000,
            f"The expression is too long.|10001 characters: {'(' * 57}...|at most 4000 characters"
            "|split it into several expressions",
        ),
        (
            "x" + "+x" * 3000,
            f"The expression is too long.|6001 characters: {('x+' * 29)[:57]}...|at most 4000 "
            "characters|split it into several expressions",
        ),
        (
            "(" * 500 + "x" + ")" * 500,
            f"The expression is too large.|101 open parentheses: {'(' * 57}...|{LARGE}|{SPLIT}",
        ),
        (
            "x" + "+x" * 1500,
            f"The expression is too large.|3001 characters: {('x+' * 29)[:57]}...|{LARGE}|{SPLIT}",
        ),
        (
            "-" * 3000 + "x",
            f"The expression is too large.|3001 characters: {'-' * 57}...|{LARGE}|{SPLIT}",
        ),
        (
            None,
            "An expression is text, a number, or made with pm.col.|NoneType: None|a str, a real "
            "number, or pm.col(...)|Columns('1', 'volume / weight')",
        ),
        (
            ["a", "b"],
            "An expression is text, a number, or made with pm.col.|list: ['a', 'b']|a str, a real "
            "number, or pm.col(...)|Columns(*expressions)",
        ),
        (
            True,
            "An expression is text, a number, or made with pm.col.|bool: True|a str, a real "
            "number, or pm.col(...)|Columns('1', 'volume / weight')",
        ),
        (
            float("nan"),
            "A number in an expression is not finite.|nan|a number that float64 holds, at most "
            "1.8e308|write a smaller number",
        ),
        (
            10**400,
            "A number in an expression is not finite.|a huge int|a number that float64 holds, at "
            "most 1.8e308|write a smaller number",
        ),
    ],
    ids=lambda v: repr(v)[:20],
)
def test_refused_values_are_explained(value, message):
    with pytest.raises(ExpressionError) as caught:
        read(value)
    what, got, need, do = message.split("|")
    assert str(caught.value) == f"{what}\n  got:  {got}\n  need: {need}\n  do:   {do}"


@pytest.mark.parametrize("text", ["x\x00y", "x\u200by", "x\u202ey", "\ud800"])
def test_unprintable_characters_are_named(text):
    at = next(i for i, c in enumerate(text) if not c.isprintable())
    with pytest.raises(ExpressionError, match=f"U\\+{ord(text[at]):04X}") as caught:
        parse(text)
    assert text[at] not in str(caught.value)


def test_a_long_expression_is_shown_around_the_caret():
    with pytest.raises(ExpressionError) as caught:
        parse("x + " * 60 + "y ^ 2 + " + "z + " * 60 + "1")
    _, shown, caret, *_ = str(caught.value).split("\n")
    assert shown[caret.index("^")] == "^"
    assert len(shown) < 100


@pytest.mark.parametrize("text", [case[0] for case in REFUSED] + ["x0 / x1", "log(`a b`)"])
def test_nothing_is_executed_or_compiled_to_code(text, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("executed")

    def only_a_tree(source, filename, mode, flags=0, **kwargs):
        assert flags & ast.PyCF_ONLY_AST
        return original(source, filename, mode, flags, **kwargs)

    original = compile
    with monkeypatch.context() as patch:
        patch.setattr("builtins.eval", forbidden)
        patch.setattr("builtins.exec", forbidden)
        patch.setattr("builtins.compile", only_a_tree)
        with contextlib.suppress(ExpressionError):
            parse(text)
