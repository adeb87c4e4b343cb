"""Cells: numbers cut into bins, and numbers that stand for categories."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from math import inf, nextafter
from typing import Any, ClassVar, final

import numpy as np
import torch

from ..errors import DomainError, ParameterError, show
from ..map import FeatureMap
from ..spaces import Space
from .coordinatewise import CONSTANT, Coordinatewise, Stretch, few_values, two_points

__all__ = ["Bins", "OneHot", "Ordinal"]


class Cells(Coordinatewise):
    """x ↦ the code of the cell of x_i, for finitely many cells in each coordinate; abstract.

    Comparisons are made in float64, and codes are integers: nothing is rounded.
    """

    __slots__ = ()
    exact: ClassVar[bool] = True

    @abstractmethod
    def listed(self) -> tuple[Any, ...]:
        """The numbers that define the cells, an array for each coordinate."""

    @abstractmethod
    def cell(self, x: torch.Tensor, i: int) -> torch.Tensor:
        """The numbers of the cells of x, of shape (n,), in coordinate i."""

    @abstractmethod
    def codes(self, i: int) -> np.ndarray:
        """The code of each cell of a coordinate, an array of shape (cells, outputs)."""

    def numbers(self, i: int) -> np.ndarray:
        """The numbers that define the cells of a coordinate, as float64."""
        key = ("numbers", i)
        if key not in self._cache:
            self._cache[key] = np.array(self.listed()[i], dtype=np.float64)
        return self._cache[key]

    def check_parameters(self) -> None:
        super().check_parameters()
        listed, name = self.listed(), self._name
        try:
            rows = [np.asarray(v, dtype=np.float64) for v in listed]
            good = bool(rows) and all(v.ndim == 1 and np.isfinite(v).all() for v in rows)
            good = good and all((np.diff(v) > 0).all() for v in rows)
        except (TypeError, ValueError):
            good = False
        if not good or not all(map(self._enough, rows)):
            raise ParameterError(
                f"The '{name}' parameter of {type(self).__name__} does not define cells.",
                got=f"{name}={show(listed)}",
                need="for each coordinate a list of finite numbers, strictly increasing",
                do=f"{type(self).__name__}(([0.0, 1.0], [2.5]))",
            )

    _name: ClassVar[str] = "categories"

    @staticmethod
    def _enough(numbers: np.ndarray) -> bool:
        return bool(numbers.size)

    @property
    def width(self) -> int:
        return len(self.listed())

    def blocks(self) -> list[int]:
        return [self.codes(i).shape[1] for i in range(self.width)]

    def evaluate(self, x: torch.Tensor) -> torch.Tensor:
        columns = []
        for i in range(x.shape[1]):
            codes = torch.from_numpy(self.codes(i)).to(x)
            columns.append(codes[self.cell(x[:, i].detach().contiguous(), i)])
        # A gradient of 0 where the input asks for one.
        return torch.cat(columns, dim=1) + 0 * x.sum(dim=1, keepdim=True).clamp(0, 0)

    def _cells(self, i: int, values: np.ndarray) -> np.ndarray:
        return self.cell(torch.from_numpy(np.ascontiguousarray(values)), i).numpy()

    def among(self, i: int, values: np.ndarray) -> Stretch:
        rows = self.codes(i)[self._cells(i, values)]
        seen: dict[bytes, int] = {}
        merged = None
        for k, row in enumerate(rows):
            other = seen.setdefault(row.tobytes(), k)
            if other != k:
                merged = (float(values[other]), float(values[k]), True)
                break
        return Stretch(steady=True, parted=merged is None, smooth=inf, merged=merged)

    def reach(self, i: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        rows = self.codes(i)[self._met(i, low, high)]
        return rows.min(axis=0), rows.max(axis=0)

    @abstractmethod
    def _met(self, i: int, low: float, high: float) -> np.ndarray:
        """The numbers of the cells that [low, high] meets."""


@final
class Bins(Cells):
    """x ↦ the number of the bin of x_i, or that number one-hot; a step function.

    Bin k holds the numbers with k of the edges at or below them.

    Parameters
    ----------
    edges : tuple of array-like
        For each coordinate the edges between its bins, strictly increasing; there may be none.
    one_hot : bool, default False
        Whether bin k becomes the unit vector e_k rather than the number k.

    Examples
    --------
    >>> Bins(([1.0, 2.0],)).fit_transform([[0.0], [1.0], [5.0]])
    array([[0.],
           [1.],
           [2.]])
    """

    edges: Any
    one_hot: bool = False

    _parameter_constraints = {"edges": [tuple, list], "one_hot": ["boolean"]}
    _name: ClassVar[str] = "edges"
    title: ClassVar[str] = "the number of the bin"

    @staticmethod
    def _enough(numbers: np.ndarray) -> bool:
        return True

    def listed(self) -> tuple[Any, ...]:
        return tuple(self.edges)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        if not self.one_hot:
            return names
        return [
            f"{n}_{float(k)}" for n, m in zip(names, self.blocks(), strict=True) for k in range(m)
        ]

    def cell(self, x: torch.Tensor, i: int) -> torch.Tensor:
        return torch.searchsorted(torch.from_numpy(self.numbers(i)).to(x), x, right=True)

    def codes(self, i: int) -> np.ndarray:
        count = len(self.numbers(i)) + 1
        return np.eye(count) if self.one_hot else np.arange(count, dtype=np.float64)[:, None]

    def _met(self, i: int, low: float, high: float) -> np.ndarray:
        first, last = np.searchsorted(self.numbers(i), [low, high], side="right")
        return np.arange(first, last + 1)

    def stretch(self, i: int, low: float, high: float) -> Stretch:
        edges = self.numbers(i)
        met = edges[(low < edges) & (edges <= high)]
        ends = [low, *met.tolist(), high]
        pair = None
        for k, stop in enumerate(ends[1:]):
            last = stop if k == len(met) else nextafter(stop, -inf)
            pair = pair or two_points(ends[k], last)
        merged = None if pair is None else (*pair, True)
        if not met.size:
            return replace(CONSTANT, merged=merged)
        return Stretch(jump=float(met[0]), bent=True, merged=merged, flat=0.0, rough=0.0)

    @classmethod
    def example(cls) -> FeatureMap:
        from sklearn.preprocessing import KBinsDiscretizer

        from .foreign import Transformer

        return Transformer(KBinsDiscretizer(3, encode="onehot-dense", strategy="uniform"))


class Coded(Cells):
    """x ↦ the code of the category x_i; abstract. Numbers that are no category are unknown."""

    __slots__ = ()
    categories: Any

    def listed(self) -> tuple[Any, ...]:
        return tuple(self.categories)

    @property
    @abstractmethod
    def open_to_all(self) -> bool:
        """Whether numbers that are no category have a code."""

    def cell(self, x: torch.Tensor, i: int) -> torch.Tensor:
        known = torch.from_numpy(self.numbers(i)).to(x)
        place = torch.searchsorted(known, x).clamp(max=len(known) - 1)
        missing = known[place] != x
        if not self.open_to_all and bool(missing.any()):
            row = int(missing.nonzero()[0])
            raise DomainError(
                f"{float(x[row]):g} is no category of coordinate {i}.",
                got=f"x = {float(x[row])!r} in row {row}, coordinate {i}",
                need=f"one of {len(known)} categories, such as {float(known[0])!r}",
                do="drop the row, or give unknown numbers a code",
            )
        return torch.where(missing, torch.full_like(place, len(known)), place)

    def undefined(self, on: Space) -> str | None:
        if self.open_to_all:
            return None
        low, high = on.bounds()
        for i in range(self.width):
            values = few_values(on, i) if low[i] < high[i] else low[i : i + 1]
            if values is None:
                return f"coordinate {i} ranges over [{low[i]:g}, {high[i]:g}], not over categories"
            unknown = values[~np.isin(values, self.numbers(i))]
            if unknown.size:
                return f"coordinate {i} may be {unknown[0]:g}, which is no category"
        return None

    def _met(self, i: int, low: float, high: float) -> np.ndarray:
        known = self.numbers(i)
        met = np.flatnonzero((low <= known) & (known <= high))
        alone = low == high and met.size
        return met if alone or not self.open_to_all else np.append(met, len(known))

    def stretch(self, i: int, low: float, high: float) -> Stretch:
        known, codes = self.numbers(i), self.codes(i)
        # Categories that have the code of the unknown do not stand out among them.
        told = known[(codes[:-1] != codes[-1]).any(axis=1)]
        met = told[(low <= told) & (told <= high)]
        pair = two_points(low, high, skip=told)
        merged = None if pair is None else (*pair, True)
        if not met.size:
            return replace(CONSTANT, merged=merged)
        return Stretch(jump=float(met[0]), bent=True, merged=merged, flat=0.0, rough=0.0)


@final
class OneHot(Coded):
    """x ↦ (1 if x_i = c else 0)_{i, c}, one indicator for each category c of each coordinate.

    Parameters
    ----------
    categories : tuple of array-like
        For each coordinate its categories, strictly increasing numbers.
    dropped : tuple of (int or None), optional
        For each coordinate the position of a category that gets no indicator, so that its code is
        0 everywhere.
    unknown : {"error", "zeros"}, default "error"
        What becomes of numbers that are no category: they are refused, or have the code 0.

    Notes
    -----
    Injective on products of categories; with unknown numbers as zeros they are merged with each
    other, and with a dropped category.

    Examples
    --------
    >>> OneHot(([0.0, 1.0, 2.0],)).fit_transform([[2.0], [0.0]])
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """

    categories: Any
    dropped: Any = None
    unknown: str = "error"

    _parameter_constraints = {"categories": [tuple, list], "dropped": [tuple, list, None]}
    title: ClassVar[str] = "the indicators of the categories"

    def check_parameters(self) -> None:
        super().check_parameters()
        dropped = [None] * self.width if self.dropped is None else list(self.dropped)
        good = len(dropped) == self.width and all(
            k is None or (isinstance(k, int | np.integer) and 0 <= k < len(self.numbers(i)))
            for i, k in enumerate(dropped)
        )
        if not good or self.unknown not in ("error", "zeros") or not sum(self.blocks()):
            raise ParameterError(
                "The parameters of OneHot do not fit each other.",
                got=f"dropped={show(self.dropped)}, unknown={show(self.unknown)}",
                need="a position or None for each coordinate, 'error' or 'zeros', and an indicator",
                do="OneHot(([0.0, 1.0],), dropped=(0,), unknown='zeros')",
            )

    @property
    def open_to_all(self) -> bool:
        return self.unknown == "zeros"

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        found = []
        for i, name in enumerate(names):
            kept = np.delete(self.numbers(i), self._lost(i))
            found += [f"{name}_{float(c)}" for c in kept]
        return found

    def _lost(self, i: int) -> list[int]:
        return [] if self.dropped is None or self.dropped[i] is None else [int(self.dropped[i])]

    def codes(self, i: int) -> np.ndarray:
        count = len(self.numbers(i))
        return np.delete(np.eye(count + 1, count), self._lost(i), axis=1)

    @classmethod
    def example(cls) -> FeatureMap:
        from sklearn.preprocessing import OneHotEncoder

        from .foreign import Transformer

        return Transformer(OneHotEncoder(handle_unknown="ignore", sparse_output=False))


@final
class Ordinal(Coded):
    """x ↦ the position of x_i among the categories of its coordinate.

    Parameters
    ----------
    categories : tuple of array-like
        For each coordinate its categories, strictly increasing numbers.
    unknown : int, optional
        The code of numbers that are no category; by default they are refused.

    Examples
    --------
    >>> Ordinal(([10.0, 20.0],)).fit_transform([[20.0], [10.0]])
    array([[1.],
           [0.]])
    """

    categories: Any
    unknown: int | None = None

    _parameter_constraints = {
        "categories": [tuple, list],
        "unknown": [int, np.integer, None],
    }
    title: ClassVar[str] = "the position among the categories"

    @property
    def open_to_all(self) -> bool:
        return self.unknown is not None

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return names

    def codes(self, i: int) -> np.ndarray:
        count = len(self.numbers(i))
        last = -1 if self.unknown is None else int(self.unknown)
        return np.append(np.arange(count, dtype=np.float64), last)[:, None]

    @classmethod
    def example(cls) -> FeatureMap:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import KBinsDiscretizer, OrdinalEncoder

        from .foreign import Transformer

        bins = KBinsDiscretizer(2, encode="ordinal", strategy="uniform")
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        return Transformer(make_pipeline(bins, codes))
