"""The identity into a space of more coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral
from sklearn.utils._param_validation import Interval as Range

from .. import property as prop
from ..map import Fact
from ..map.items import rows_only
from ..proof import Reason, Strength
from ..property import DenseImage, Lipschitz, LowerLipschitz, PositivelyHomogeneous
from ..spaces import Box, Image, Space
from .invertible import Invertible

__all__ = ["Lift"]


@final
class Lift(Invertible):
    """x ↦ (x, 0), the isometric embedding of R^d into R^(d + count).

    A homeomorphism of R^d cannot make every continuous function a linear one, since a linear
    function of it has no maximum inside of a ball. After a lift, a `Coupling` can: it writes h(x)
    into a new coordinate.

    Parameters
    ----------
    count : int, default 1
        How many coordinates are added.

    References
    ----------
    Kratsios, Hyndman (2021), NEU: a meta-algorithm for universal UAP-invariant feature
    representation.

    Examples
    --------
    >>> Lift(2).fit_transform([[3.0, 4.0]])
    array([[3., 4., 0., 0.]])
    """

    count: int = 1

    _parameter_constraints = {"count": [Range(Integral, 1, None, closed="left")]}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows_only(self, x.shape)
        return torch.cat([x, x.new_zeros((len(x), self.count))], dim=1)

    def undo(self, y: torch.Tensor) -> torch.Tensor:
        return y[:, : -self.count]

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        rows_only(self, (1, *shape))
        return (shape[0] + self.count,)

    def known_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        return (shape[0] + self.count,) if len(shape) == 1 else None

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return [*names, *(f"{label}{i}" for i in range(self.count))]

    def rounds(self, on: Space) -> bool:
        return False

    def image(self, on: Space) -> Image:
        self.out_shape(on.shape)
        low, high = (np.concatenate([b, np.zeros(self.count)]) for b in on.bounds())
        return Image(Box(low, high))

    def facts(self, on: Space) -> Iterator[Fact]:
        exact, text = Strength.DEFINITION, "|(x, 0)| = |x|"
        yield prop.Affine, Reason("x ↦ (x, 0) is linear", exact)
        yield PositivelyHomogeneous, Reason("(tx, 0) = t (x, 0)", exact)
        yield Lipschitz(1.0), Reason(text, exact)
        yield LowerLipschitz(1.0), Reason(text, exact)
        yield ~DenseImage, Reason("the last coordinate is 0", exact)
        chords = on.chords()
        if chords is not None and (chords[0] < chords[1]).any():
            yield (~Lipschitz)(1.0), Reason(text, exact)
            yield (~LowerLipschitz)(1.0), Reason(text, exact)
