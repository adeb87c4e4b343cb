"""Every error says four things: what happened, what it got, what it needed, what to do.

Each class also derives from the built-in (or scikit-learn) exception that callers expect, so
``except ValueError`` keeps working.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

__all__ = [
    "ContradictionError",
    "DependencyError",
    "DomainError",
    "DrawError",
    "ExpressionError",
    "GradientError",
    "InputError",
    "InputTypeError",
    "OperandError",
    "OutputError",
    "ParameterError",
    "PhimapsError",
    "ShapeError",
    "TruthError",
    "UnboundError",
    "show",
]


class PhimapsError(Exception):
    """What happened, with the values; what was got, what was needed, what to do.

    Parameters
    ----------
    what : str
        One sentence that says what happened and shows the value that did it.
    got, need, do : str
        The offending value; the law that it breaks; the repair.

    Examples
    --------
    >>> print(InputError("X has 2 columns.", got="float64[5, 2]", need="3 columns", do="add one"))
    X has 2 columns.
      got:  float64[5, 2]
      need: 3 columns
      do:   add one
    """

    def __init__(self, what: str, *, got: str, need: str, do: str):
        super().__init__(f"{what}\n  got:  {got}\n  need: {need}\n  do:   {do}")
        self.what, self.got, self.need, self.do = what, got, need, do

    def __reduce__(self):
        # Errors cross process borders (joblib), where only positional arguments are replayed.
        return _rebuild, (type(self), self.what, self.got, self.need, self.do)


def _rebuild(kind: type[PhimapsError], what: str, got: str, need: str, do: str) -> PhimapsError:
    return kind(what, got=got, need=need, do=do)


class InputError(PhimapsError, ValueError):
    """The data cannot be taken: NaN, inf, empty, complex, wrong columns."""


class InputTypeError(PhimapsError, TypeError):
    """The data are of a kind that the map does not take (sparse, strings, objects)."""


class ShapeError(PhimapsError, ValueError):
    """Shapes do not fit: of the data, or of two maps that are to be joined."""


class ParameterError(PhimapsError, InvalidParameterError):
    """A parameter has a wrong type, a wrong range, or a value that is not finite."""


class DomainError(PhimapsError, ValueError):
    """A point, or a whole space, lies outside the set on which a map is defined."""


class DrawError(PhimapsError, RuntimeError):
    """A random draw cannot be repeated from its seed."""


class ExpressionError(PhimapsError, ValueError):
    """A hand-built expression cannot be read."""


class UnboundError(PhimapsError, NotFittedError):
    """An open map was evaluated before it was bound to data."""


class OperandError(PhimapsError, TypeError):
    """An operator of the algebra was given something that is not a map."""


class TruthError(PhimapsError, TypeError):
    """A verdict has three values and was used as if it had two."""


class GradientError(PhimapsError, RuntimeError):
    """A gradient was asked through a step that has none."""


class ContradictionError(PhimapsError, RuntimeError):
    """A property was both proved and refuted: a declaration, or the library, is wrong."""


class DependencyError(PhimapsError, ImportError):
    """An optional package is needed and is not installed."""


class OutputError(PhimapsError, OSError):
    """A file or folder cannot be written."""


def show(value: Any) -> str:
    """A value in a message or a `repr`: arrays by dtype and shape, never by all their numbers.

    Short lists and scalars are written so that they evaluate back.

    Examples
    --------
    >>> show(np.ones((3, 8))), show([0, -1]), show(np.float64(0.5))
    ('float64[3, 8]', '[0, -1]', '0.5')
    """
    if isinstance(value, np.generic):
        return repr(value.item())
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and hasattr(value, "columns"):
        return f"{type(value).__name__}[{', '.join(map(str, shape))}]"
    if isinstance(shape, tuple) and hasattr(value, "dtype"):
        kind = f"{type(value).__name__} " if hasattr(value, "nnz") else ""
        return f"{kind}{str(value.dtype).removeprefix('torch.')}[{', '.join(map(str, shape))}]"
    if type(value) in (list, tuple):
        return _show_items(value)
    if isinstance(value, int) and abs(value) >= 10**40:
        return "an int of more than 40 digits"
    if isinstance(value, dict) and len(value) <= 8:
        return "{" + ", ".join(f"{k!r}: {show(v)}" for k, v in value.items()) + "}"
    if isinstance(value, dict | set | frozenset | bytes) and len(value) > 8:
        return f"{type(value).__name__} of {len(value)} items"
    if isinstance(value, str) and len(value) > 80:
        return repr(value[:60] + "...")
    if inspect.isroutine(value) or inspect.isclass(value):
        return str(getattr(value, "__name__", type(value).__name__))
    text = " ".join(repr(value).split())
    return text if len(text) <= 1000 else f"{text[:300]} ... ({len(text)} characters)"


def _show_items(value: list[Any] | tuple[Any, ...]) -> str:
    if len(value) <= 16:
        inside = ", ".join(map(show, value))
        if len(inside) <= 120 or _numeric(value) is None:
            if type(value) is list:
                return f"[{inside}]"
            return f"({inside}{',' if len(value) == 1 else ''})"
    numbers = _numeric(value)
    return show(numbers) if numbers is not None else f"{type(value).__name__} of {len(value)} items"


def _numeric(value: Any) -> np.ndarray | None:
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "biuf" else None
