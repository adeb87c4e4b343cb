"""Every error says four things: what happened, what it got, what it needed, what to do.

Each class also derives from the built-in (or scikit-learn) exception that callers expect, so
``except ValueError`` keeps working.
"""

from __future__ import annotations

from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

__all__ = [
    "ContradictionError",
    "DomainError",
    "ExpressionError",
    "GradientError",
    "InputError",
    "InputTypeError",
    "OperandError",
    "ParameterError",
    "PhimapsError",
    "ShapeError",
    "TruthError",
    "UnboundError",
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
