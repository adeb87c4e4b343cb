"""x ↦ σ(x) in every coordinate, whatever σ is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import inf
from typing import Any, ClassVar

import numpy as np
import torch

from ..errors import DomainError
from ..map import FeatureMap
from ..spaces import Space

__all__ = ["Elementwise"]


class Elementwise(FeatureMap):
    """x ↦ σ(x_i) in every coordinate; abstract."""

    __slots__ = ()
    # The set on which σ is defined, and whether its lower end does not belong to it.
    start: ClassVar[float] = -inf
    start_open: ClassVar[bool] = False
    title: ClassVar[str] = ""
    # Whether σ(-x) = σ(x).
    even: ClassVar[bool] = False
    # The p with σ(tx) = t^p σ(x) for all t > 0, if there is one.
    degree: ClassVar[float | None] = None
    # Whether values at representable points are computed without rounding.
    exact: ClassVar[bool] = False

    @abstractmethod
    def curve(self, x: torch.Tensor) -> torch.Tensor:
        """σ(x)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.curve(x)

    def rounds(self, on: Space) -> bool:
        return not self.exact

    @property
    def keeps_shape(self) -> bool:
        return True

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        # After a convolution an activation turns the pre-activation into the activation.
        return [
            n.replace("[pre]", "[post]", 1) if "[pre]" in n else f"{self.title}({n})" for n in names
        ]

    def undefined(self, on: Space) -> str | None:
        low, high = on.bounds()
        bad = (low < self.start) | (self.start_open & (low == self.start) & on.attains()[0])
        if not bad.any():
            return None
        where = tuple(map(int, np.argwhere(bad)[0]))
        index = where[0] if len(where) == 1 else where
        reach = f"[{low[where]:g}, {high[where]:g}]"
        return f"coordinate {index} ranges over {reach}, {self.title} needs {self._least}"

    @property
    def _least(self) -> str:
        return f"x > {self.start:g}" if self.start_open else f"x >= {self.start:g}"

    def refuse(self, x: torch.Tensor, bad: torch.Tensor) -> DomainError:
        """The error for values outside the domain of σ."""
        first = [int(i) for i in bad.nonzero()[0]]
        return DomainError(
            f"{self.title} is not defined at {float(x[tuple(first)]):g}.",
            got=f"x = {float(x[tuple(first)]):g} in row {first[0]}, coordinate {_index(first[1:])}",
            need=self._least,
            do="drop the row, shift the data, or on_domain_error='nan' or a number",
        )


def _index(place: list[int]) -> Any:
    return place[0] if len(place) == 1 else tuple(place)


def fits_float32(*numbers: float) -> bool:
    """Whether the numbers are the same in single precision."""
    with np.errstate(over="ignore"):
        return all(float(np.float32(v)) == v for v in numbers)
