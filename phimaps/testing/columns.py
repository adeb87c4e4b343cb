"""What one column of a data frame may hold, and its cells as numbers."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from numbers import Real
from typing import Any, final

import numpy as np

from ..errors import ParameterError, show
from ..spaces import Categories, Interval, Space

__all__ = ["Column", "parsed"]


@final
@dataclass(frozen=True, eq=False)
class Column:
    """A column: an interval [low, high] of floats, or a list of values; with NaN or without."""

    name: str
    low: float
    high: float
    values: tuple[Hashable, ...] | None
    missing: bool

    @property
    def parts(self) -> tuple[Space, ...]:
        """Where the column's codes lie: a number, or a place in the list; who is missing."""
        if self.values is not None:
            return (Categories(len(self.values) + self.missing),)
        number = Interval(self.low, self.high)
        return (number, Categories(2)) if self.missing else (number,)

    @property
    def edges(self) -> list[tuple[float, ...]]:
        """The codes of the first value, of the last, of 0, and of a missing one."""
        if self.values is not None:
            last = float(len(self.values) - 1)
            return [(0.0,), (last,), *[(last + 1,)] * self.missing]
        numbers = [self.low, self.high, *[0.0] * (self.low < 0 < self.high)]
        if not self.missing:
            return [(v,) for v in numbers]
        return [*((v, 0.0) for v in numbers), (self.low, 1.0)]

    @property
    def middle(self) -> tuple[float, ...]:
        if self.values is not None:
            return (float(len(self.values) // 2),)
        return (self.low / 2 + self.high / 2, *[0.0] * self.missing)

    @cached_property
    def _every(self) -> Any:
        """The listed values as a column, so that its type does not depend on those drawn."""
        import pandas

        return pandas.Series([*(self.values or ()), *[None] * self.missing])

    def decode(self, codes: np.ndarray) -> Any:
        """The cells that have these codes, as a pandas.Series."""
        import pandas

        if self.values is not None:
            return self._every.take(codes[:, 0].astype(int)).reset_index(drop=True)
        gone = self.missing & (codes[:, -1] == 1)
        return pandas.Series(np.where(gone, np.nan, codes[:, 0]))

    def encode(self, series: Any) -> np.ndarray:
        """Codes of shape (n, number of parts), NaN where the column cannot hold the value."""
        gone = np.asarray(series.isna(), dtype=bool)
        cells = series.tolist()
        if self.values is None:
            numbers = np.array([_number(v) for v in cells], dtype=float)
            inside = (self.low <= numbers) & (numbers <= self.high)
            codes = np.where(inside, numbers, np.nan)
            if not self.missing:
                return codes[:, None]
            flagged = np.stack([np.where(gone, self.low, codes), gone.astype(float)], axis=1)
            return np.where(np.isnan(flagged).any(axis=1, keepdims=True), np.nan, flagged)
        places = {value: float(i) for i, value in enumerate(self._every[: len(self.values)])}
        found = [places.get(v, np.nan) if _hashable(v) else np.nan for v in cells]
        absent = float(len(self.values)) if self.missing else np.nan
        return np.where(gone, absent, np.array(found, dtype=float))[:, None]

    def apart(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The distances of paired codes."""
        unlike = (a != b).any(axis=1)
        if self.values is None:
            far = np.abs(a[:, 0] - b[:, 0]) / (self.high - self.low)
            known = (a[:, 1] == 0) & (b[:, 1] == 0) if self.missing else True
            return np.where(known, far, unlike.astype(float))
        numbers = np.array([_number(v) for v in self.values])
        with np.errstate(over="ignore"):
            width = np.ptp(numbers)
        if not 0 < width < np.inf:
            return unlike.astype(float)
        last = len(numbers) - 1
        i, j = (np.minimum(codes[:, 0], last).astype(int) for codes in (a, b))
        far = np.abs(numbers[i] - numbers[j]) / width
        return np.where((a[:, 0] <= last) & (b[:, 0] <= last), far, unlike.astype(float))


def _plain(value: Any) -> bool:
    """Whether a value is a real number; booleans are not meant as such."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _number(value: Any) -> float:
    return float(value) if _plain(value) else np.nan


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _absent(value: Any) -> bool:
    """Whether pandas takes a value for a missing one: None, and what is not equal to itself."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        # Of pandas.NA even that is unknown.
        return True


def parsed(name: Any, column: Any, missing: bool) -> Column:
    """The column that a tuple, list or range describes; a ParameterError where none does."""

    def refuse(what: str, need: str) -> ParameterError:
        given = f"{show(name)}: {show(column)}"
        do = "{'weight': (0.1, 50.0), 'colour': ['red', 'green']}"
        return ParameterError(what, got=given, need=need, do=do)

    if not isinstance(name, str):
        raise refuse(f"{show(name)} is no name of a column.", "texts as names")
    if isinstance(column, tuple):
        if len(column) != 2 or not all(_plain(v) and isfinite(v) for v in column):
            raise refuse(
                f"The tuple of column {name!r} is no interval.",
                "a tuple of two finite numbers (low, high); a list for values",
            )
        low, high = map(float, column)
        if not low < high or not isfinite(high - low):
            raise refuse(
                f"The interval of column {name!r} is empty, or wider than numbers reach.",
                "low < high, and high - low finite",
            )
        return Column(name, low, high, None, missing)
    flat = isinstance(column, np.ndarray) and column.ndim == 1
    if not isinstance(column, list | range) and not flat:
        raise refuse(
            f"Column {name!r} is neither an interval nor a list.",
            "a tuple (low, high) for floats, a list or range for values",
        )
    values = column.tolist() if isinstance(column, np.ndarray) else list(column)
    if not values or not all(map(_hashable, values)):
        raise refuse(f"Column {name!r} has no values.", "a list of at least one hashable value")
    if any(map(_absent, values)):
        raise refuse(
            f"The values of column {name!r} contain a missing one.",
            f"values that are there; Frame(columns, missing=[{name!r}]) adds the missing one",
        )
    if len(set(values)) < len(values):
        twice = next(v for i, v in enumerate(values) if v in values[:i])
        raise refuse(f"Column {name!r} has the value {show(twice)} twice.", "each value once")
    return Column(name, 0.0, 0.0, tuple(values), missing)
