"""``python -m phimaps check module:object``: the checks for people without pytest."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import numpy as np

from .. import property as properties
from ..errors import InputError, OperandError, ParameterError
from ..property import Property
from ..spaces import Box
from .report import Report, check_feature_map

__all__ = ["checked", "claim", "found"]


def found(path: str) -> Any:
    """The object that ``module:object`` names; of a class an instance without arguments.

    Parameters
    ----------
    path : str

    Raises
    ------
    InputError
        When there is no such module or object.

    Examples
    --------
    >>> found("sklearn.preprocessing:StandardScaler")
    StandardScaler()
    """
    module, colon, name = path.partition(":")
    need = "module:object, such as mypackage.maps:scaler, importable from here"
    do = "python -m phimaps check sklearn.preprocessing:StandardScaler"
    if not (module and colon and name):
        raise InputError(f"{path!r} does not name an object.", got=path, need=need, do=do)
    try:
        value: Any = importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"The module {module} cannot be imported: {error}.", got=path, need=need, do=do
        ) from error
    for part in name.split("."):
        if not hasattr(value, part):
            raise InputError(
                f"{module} has no {name}.",
                got=path,
                need=need,
                do=f"name one of {module}'s objects",
            )
        value = getattr(value, part)
    return value() if isinstance(value, type) else value


def claim(text: str) -> Property:
    """The claim that a text such as ``Injective``, ``~Injective`` or ``Lipschitz(2)`` writes.

    Parameters
    ----------
    text : str

    Raises
    ------
    ParameterError
        When it names no property, or has something else than a number in its brackets.

    Examples
    --------
    >>> claim("Lipschitz(0.5)"), claim("~Injective")
    (Lipschitz(0.5), ~Injective)
    """
    problem = ParameterError(
        f"{text!r} is no claim.",
        got=f"--claim {text}",
        need="a property, such as Injective, ~Injective or 'Lipschitz(2)'",
        do="--claim Continuous --claim 'Lipschitz(2)'",
    )
    try:
        node = ast.parse(text.strip(), mode="eval").body
        negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert)
        inner = node.operand if isinstance(node, ast.UnaryOp) else node
        name = inner.func if isinstance(inner, ast.Call) else inner
        value = getattr(properties, name.id) if isinstance(name, ast.Name) else None
        if not isinstance(value, Property):
            raise problem
        if isinstance(inner, ast.Call):
            value = value(float(ast.literal_eval(inner.args[0])))
    except (AttributeError, IndexError, SyntaxError, TypeError, ValueError):
        raise problem from None
    return ~value if negated else value


def checked(
    path: str,
    domain: str | None = None,
    low: float | None = None,
    high: float | None = None,
    features: int | None = None,
    claims: list[str] | None = None,
    profile: str | None = None,
    html: str | None = None,
) -> Report:
    """Check the object that a path names.

    Parameters
    ----------
    path : str
        ``module:object``.
    domain : str, optional
        ``module:object`` of the domain.
    low, high : float, optional
        The ends of a box, -3 and 3 where one is left out.
    features : int, optional
        The number of its coordinates, default 4.
    claims : list of str, optional
    profile : str, optional
    html : str, optional
        A file to write the report to.

    Returns
    -------
    Report

    Raises
    ------
    InputError, ParameterError, OperandError
        Of `found`, `claim` and `check_feature_map`.
    """
    space: Any = None
    if domain is not None:
        space = found(domain)
    elif any(given is not None for given in (low, high, features)):
        n = 4 if features is None else features
        ends = (-3.0 if low is None else low, 3.0 if high is None else high)
        space = Box(np.full(n, ends[0]), np.full(n, ends[1]))
    asked = [claim(text) for text in claims or ()] or None
    obj = found(path)
    if not callable(obj) and not hasattr(obj, "transform"):
        raise OperandError(
            f"{path} is no feature map.",
            got=f"an object of type {type(obj).__name__}",
            need="a map, an estimator with fit and transform, a torch module or a function",
            do="name one of these",
        )
    report = check_feature_map(obj, space, asked, profile=profile)
    if html is not None:
        Path(html).write_text(report.to_html(), encoding="utf-8")
    return report
