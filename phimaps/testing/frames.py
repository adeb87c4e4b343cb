"""Sets of data frames: what each column may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, final

import numpy as np

from ..errors import DependencyError, DomainError, InputError, InputTypeError, ParameterError, show
from ..spaces import Product
from .columns import parsed

__all__ = ["Frame"]


@final
class Frame:
    """{data frames whose column c holds values of columns[c]}, a domain of data frames.

    A row has codes, which lie in a `phimaps` space: a number for a column that is an interval, the
    place in the list for a column that is a list. So whatever draws points draws rows.

    Parameters
    ----------
    columns : mapping of str to tuple, list or range
        By name, in the order of the frame. A tuple of two numbers (low, high) is the interval of
        the floats from low to high, ends included. A list or a range holds the values themselves:
        integers, texts, booleans, dates.
    missing : sequence of str, default ()
        The columns in which a value may be missing as well: NaN, or what pandas takes for it.

    Raises
    ------
    ParameterError
        When there is no column, an interval is empty or not finite, a list is empty, repeats a
        value or holds a missing one, or `missing` names no column.

    Examples
    --------
    >>> frame = Frame({"hour": range(24), "weight": (0.1, 50.0), "colour": ["red", "green"]})
    >>> rows = frame.sample(3, random_state=0)
    >>> list(rows.columns), len(rows), frame.contains(rows).all()
    (['hour', 'weight', 'colour'], 3, np.True_)
    >>> Frame({"hour": range(3), "open": [False, True]}).enumerate()
       hour   open
    0     0  False
    1     0   True
    2     1  False
    3     1   True
    4     2  False
    5     2   True
    """

    def __init__(self, columns: Mapping[str, Any], missing: Sequence[str] = ()):
        if not isinstance(columns, Mapping) or not columns:
            raise ParameterError(
                f"{show(columns)} describes no columns.",
                got=f"columns={show(columns)}",
                need="a mapping of names to intervals or lists, with at least one column",
                do="Frame({'hour': range(24), 'weight': (0.1, 50.0)})",
            )
        names = [missing] if isinstance(missing, str) else list(missing)
        unknown = [name for name in names if name not in columns]
        if unknown:
            raise ParameterError(
                f"missing={show(missing)} names {show(unknown[0])}, which is no column.",
                got=f"columns {show(list(columns))}",
                need="names of columns",
                do=f"Frame(columns, missing={show([next(iter(columns))])})",
            )
        self._columns = tuple(parsed(n, c, n in names) for n, c in columns.items())
        # In their words, for `repr`.
        self._given = {
            n: c if isinstance(c, tuple | range) else list(c) for n, c in columns.items()
        }
        self._missing = tuple(n for n in columns if n in names)

    @classmethod
    def around(cls, data: Any) -> Frame:
        """The smallest domain that holds the rows of a data frame.

        A column of floats becomes the interval between its least and greatest, any other the list
        of its values. Where values are missing, they may be.

        Parameters
        ----------
        data : pandas.DataFrame

        Raises
        ------
        InputTypeError, ParameterError, DependencyError
            When it is no data frame, its columns are not named by texts, a column has no value
            or an infinite one; when pandas is not installed.

        Examples
        --------
        >>> import pandas as pd
        >>> Frame.around(pd.DataFrame({"weight": [2.5, None, 0.5], "size": ["S", "S", "XL"]}))
        Frame({'weight': (0.5, 2.5), 'size': ['S', 'XL']}, missing=['weight'])
        """
        if not isinstance(data, _pandas().DataFrame):
            raise InputTypeError(
                f"{show(data)} is no data frame.",
                got=type(data).__name__,
                need="a pandas.DataFrame, rows that the domain is to hold",
                do="Frame.around(pandas.DataFrame(rows, columns=names))",
            )
        found: dict[str, Any] = {}
        for name in data.columns:
            there = data[name].dropna()
            values = there.drop_duplicates().tolist()
            floats = there.dtype.kind == "f" and len(values) > 1
            found[name] = (min(values), max(values)) if floats else values
        return cls(found, missing=[name for name in data.columns if data[name].isna().any()])

    @property
    def columns(self) -> dict[str, Any]:
        """What each column may hold, by its name."""
        return dict(self._given)

    @property
    def missing(self) -> tuple[str, ...]:
        """The columns in which a value may be missing."""
        return self._missing

    @property
    def infinite(self) -> bool:
        """Whether there are infinitely many rows: whether a column is an interval."""
        return self.codes.infinite

    @cached_property
    def codes(self) -> Product:
        """The space of the rows' codes."""
        return Product(tuple(part for c in self._columns for part in c.parts))

    # --- rows and codes -------------------------------------------------------------------------
    def rows(self, codes: Any) -> Any:
        """The rows that have these codes.

        Parameters
        ----------
        codes : array of shape (n, k)
            Points of `codes`.

        Returns
        -------
        pandas.DataFrame
            Labelled 0, ..., n - 1. Intervals make float64 columns, lists what pandas makes of the
            whole list.

        Raises
        ------
        DependencyError
            When pandas is not installed.
        """
        pandas = _pandas()
        pieces = self._split(self.codes.points(codes))
        made = {c.name: c.decode(p) for c, p in zip(self._columns, pieces, strict=True)}
        return pandas.DataFrame(made)

    def encode(self, frame: Any) -> np.ndarray:
        """The codes of rows: NaN in place of those that a column does not hold.

        Parameters
        ----------
        frame : pandas.DataFrame
            With the columns of this domain, in its order.

        Returns
        -------
        ndarray of shape (n, k)

        Raises
        ------
        InputTypeError, InputError
            When it is no data frame, or has other columns.
        """
        pandas = _pandas()
        if not isinstance(frame, pandas.DataFrame):
            raise InputTypeError(
                f"{show(frame)} is no data frame.",
                got=type(frame).__name__,
                need=f"a pandas.DataFrame with the columns {show(list(self._given))}",
                do="pandas.DataFrame(rows, columns=list(frame.columns))",
            )
        if list(frame.columns) != list(self._given):
            raise InputError(
                "The data frame has other columns than the domain.",
                got=f"columns {show(list(frame.columns))}",
                need=f"columns {show(list(self._given))}, in this order",
                do="data[list(frame.columns)]",
            )
        pieces = [c.encode(frame[c.name]) for c in self._columns]
        return np.concatenate(pieces, axis=1)

    def _split(self, codes: np.ndarray) -> list[np.ndarray]:
        ends = np.cumsum([len(c.parts) for c in self._columns])[:-1]
        return np.split(codes, ends, axis=1)

    # --- what a domain can be asked --------------------------------------------------------------
    def contains(self, frame: Any) -> np.ndarray:
        """Which rows hold only values of their columns, as a bool array of shape (n,).

        Raises
        ------
        InputTypeError, InputError
            When it is no data frame, or has other columns.

        Examples
        --------
        >>> import pandas as pd
        >>> Frame({"hour": range(24)}).contains(pd.DataFrame({"hour": [0, 23, 24]}))
        array([ True,  True, False])
        """
        return np.asarray(~np.isnan(self.encode(frame)).any(axis=1))

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> Any:
        """n rows, their columns independent, as a pandas.DataFrame.

        The values of a list are equally likely. An eighth of an interval's numbers are its lower
        end, another eighth its upper end.
        """
        return self.rows(self.codes.sample(n, random_state))

    def special(self) -> Any:
        """Rows at the edges, as a pandas.DataFrame, each once.

        All columns at their first value, all at their last; then one column at its first value, its
        last, 0 or missing, while the others stay in the middle.
        """
        columns = self._columns
        found = [[c.edges[0] for c in columns], [c.edges[1] for c in columns]]
        found.append([c.edges[-1] if c.missing else c.middle for c in columns])
        for i, column in enumerate(columns):
            for edge in column.edges:
                found.append([edge if j == i else c.middle for j, c in enumerate(columns)])
        codes = np.array([[v for cell in row for v in cell] for row in found])
        _, first = np.unique(codes, axis=0, return_index=True)
        return self.rows(codes[np.sort(first)])

    def enumerate(self, limit: int = 10_000) -> Any:
        """All rows, as a pandas.DataFrame, when there are at most `limit` of them.

        Returns
        -------
        pandas.DataFrame, or None
            None when there are more, or infinitely many.
        """
        if self.infinite:
            return None
        count = 1
        for column in self._columns:
            count *= len(column.values or ()) + column.missing
        return self.rows(self.codes.enumerate()) if count <= limit else None

    def distance(self, a: Any, b: Any) -> np.ndarray:
        """sqrt(d_1² + ... + d_k²), the distances of paired rows.

        d_c compares the values in column c: in an interval or a list of numbers it is their
        difference divided by the greatest that there is, between other values 0 or 1, and 1 between
        a missing value and one that is there. So it is at most 1, and a metric.

        Parameters
        ----------
        a, b : pandas.DataFrame with n rows of this domain

        Returns
        -------
        ndarray of shape (n,)

        Raises
        ------
        InputTypeError, InputError, DomainError
            When one is no data frame, has other columns or another number of rows; when a row
            holds a value that its column does not.

        Examples
        --------
        >>> frame = Frame({"hour": range(24), "colour": ["red", "green"]})
        >>> frame.distance(frame.special()[:1], frame.special()[1:2])
        array([1.41421356])
        """
        pieces = []
        for frame in (a, b):
            codes = self.encode(frame)
            outside = np.flatnonzero(np.isnan(codes).any(axis=1))
            if len(outside):
                row = frame.iloc[int(outside[0])].tolist()
                raise DomainError(
                    f"Row {outside[0]} does not lie in the domain, where distances are known.",
                    got=show(row),
                    need=repr(self),
                    do="frame.contains(data) says which rows do",
                )
            pieces.append(self._split(codes))
        if len(a) != len(b):
            raise InputError(
                "Distances are those of paired rows.",
                got=f"{len(a)} rows and {len(b)} rows",
                need="as many rows on both sides",
                do="frame.distance(a, b.iloc[:len(a)])",
            )
        paired = zip(self._columns, *pieces, strict=True)
        gaps = np.array([c.apart(x, y) for c, x, y in paired])
        return np.linalg.norm(gaps, axis=0)

    def __repr__(self) -> str:
        missing = f", missing={list(self._missing)!r}" if self._missing else ""
        return f"Frame({self._given!r}{missing})"


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise DependencyError(
            "Data frames are made by pandas, which is not installed.",
            got=str(error).splitlines()[0],
            need="pandas",
            do="pip install 'phimaps[frames]'",
        ) from None
    return pandas
