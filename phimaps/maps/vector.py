"""Maps of vectors that only move, choose or rescale coordinates."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from math import inf, prod
from typing import Any, final

import numpy as np
import torch

from .. import property as prop
from ..errors import InputError, ParameterError, ShapeError
from ..map import Fact, FeatureMap, Given, show
from ..map.codomain import Codomain, Coordinates
from ..map.items import rows_only
from ..proof import Reason, Strength
from ..property import (
    Bounded,
    Continuous,
    Homeomorphism,
    Injective,
    Lipschitz,
    LowerLipschitz,
    PositivelyHomogeneous,
    Proper,
    Smooth,
)
from ..spaces import Box, Image, Simplex, Space, Sphere
from ..witness import Collision

__all__ = ["Flatten", "Identity", "Normalize", "Select"]


def isometry(on: Space, why: str) -> Iterator[Fact]:
    """The facts of a linear map that keeps distances."""
    reason = Reason(why, Strength.DEFINITION)
    yield prop.Affine, reason
    yield Lipschitz(1.0), reason
    yield LowerLipschitz(1.0), reason
    yield Homeomorphism, reason
    yield PositivelyHomogeneous(1), reason
    if on.is_closed:
        yield Proper, reason
    if on.infinite:
        yield (~Lipschitz)(1.0), reason
        yield (~LowerLipschitz)(1.0), reason


@final
class Identity(FeatureMap):
    """x ↦ x.

    Examples
    --------
    >>> Identity().fit_transform([[1.0, 2.0]])
    array([[1., 2.]])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def rounds(self, on: Space) -> bool:
        return False

    @property
    def keeps_shape(self) -> bool:
        return True

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return names

    @property
    def codomain(self) -> Codomain:
        return Coordinates()

    def image(self, on: Space) -> Image:
        return Image(on, on)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from isometry(on, "the identity keeps distances")


@final
class Flatten(FeatureMap):
    """x ↦ the vector of all its coordinates, the last index running fastest.

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.zeros((2, 3, 4, 4))).shape
    (2, 48)
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)

    def rounds(self, on: Space) -> bool:
        return False

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (prod(shape),)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return names

    def image(self, on: Space) -> Image:
        low, high = on.bounds()
        outer = Box(low.ravel(), high.ravel())
        box = on.inner_box()
        return Image(outer, None if box is None else Box(box.low.ravel(), box.high.ravel()))

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from isometry(on, "the coordinates stay the same")


@final
class Normalize(FeatureMap):
    """x ↦ x / |x| (and 0 ↦ 0), the projection to the unit sphere.

    Its kernel is the cosine similarity.

    Examples
    --------
    >>> Normalize().fit_transform([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        # Dividing by the greatest entry first keeps tiny and huge rows from under- or overflowing.
        size = flat.abs().amax(dim=1, keepdim=True)
        scaled = flat / torch.where(size > 0, size, torch.ones_like(size))
        norm = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
        return (scaled / torch.where(norm > 0, norm, torch.ones_like(norm))).reshape(x.shape)

    @property
    def keeps_shape(self) -> bool:
        return True

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return [f"normalize({n})" for n in names]

    def image(self, on: Space) -> Image:
        low, high = on.bounds()
        return Image(Box(np.where(low < 0, -1.0, 0.0), np.where(high > 0, 1.0, 0.0)))

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Bounded(1.0), Reason("|x / |x|| = 1", Strength.DEFINITION)
        yield prop.Borel, "x / |x| is continuous but at 0"
        yield PositivelyHomogeneous(0), "tx / |tx| = x / |x| for t > 0"
        low, high = on.bounds()
        why = self._meets_rays_once(on)
        if why:
            yield Injective, why
            yield Homeomorphism, why
        nearest = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
        # Beside the greatest coordinate no square overflows.
        most = float(nearest.max(initial=0.0)) or 1.0
        r = most * float(np.linalg.norm(nearest.ravel() / most)) * (1 - 1e-14 * nearest.size)
        r = min(r, np.finfo(np.float64).max)
        if r > 0:
            why = f"|x/|x| - y/|y|| <= |x - y| / r where |x|, |y| >= r = {r:.6g}"
            yield Lipschitz(float(np.nextafter(1 / r, inf)) * (1 + 1e-15)), why
            yield Smooth(inf), "|x| is smooth away from 0"
        box = on.inner_box()
        if box is None:
            return
        if ((box.low < 0) & (box.high > 0)).all() and box.size:
            yield ~Continuous, "x/k -> 0 while x/|x| does not change"
            yield ~Smooth, "x/k -> 0 while x/|x| does not change"
        yield (~Bounded)(1.0 - 1e-12), "|x / |x|| = 1 for every x ≠ 0"
        centre = np.where(box.centre == 0, box.high / 2 + box.centre / 2, box.centre)
        centre = np.where(np.isinf(centre), 1.0, centre)
        # Few digits make the product below exact.
        with np.errstate(over="ignore"):
            short = np.asarray(centre, dtype=np.float32).astype(np.float64)
        exact = bool(np.isfinite(short).all() and box.contains(short[None])[0] and short.any())
        centre = short if exact else centre
        for power in range(2, 28 if exact else 40):
            other = centre * (1 - 2.0**-power)
            if centre.any() and box.contains(np.stack([centre, other])).all():
                text = "points on one ray from 0 have one direction"
                yield ~Injective, Collision(centre, other, text, exact)
                return

    @staticmethod
    def _meets_rays_once(on: Space) -> str:
        """Why no two points of the space lie on one ray from 0, or nothing.

        In each case |x| is a continuous function of x / |x|, so the map is a homeomorphism too.
        """
        low, high = on.bounds()
        if ((low == high) & (low != 0)).any():
            return "a coordinate has one value, not 0, so a ray from 0 meets the space at most once"
        if isinstance(on, Simplex):
            return "the coordinates have one positive sum, so a ray meets the space at most once"
        if isinstance(on, Sphere) and not on.center.any():
            return "all points have one length, so a ray from 0 meets the space once"
        return ""


@final
class Select(FeatureMap):
    """x ↦ (x_i)_{i in columns}, a choice of coordinates.

    Parameters
    ----------
    columns : list of int or list of str
        Positions (negative ones count from the end), or names of data-frame columns: then the map
        is open until it has seen the names.

    Examples
    --------
    >>> Select([1]).fit_transform([[1.0, 2.0]])
    array([[2.]])
    """

    columns: Any

    _parameter_constraints = {"columns": [list, tuple, np.ndarray]}

    def check_parameters(self) -> None:
        super().check_parameters()
        listed = self.columns
        good = len(listed) > 0 and (
            all(isinstance(c, str) for c in listed)
            or all(isinstance(c, int | np.integer) and not isinstance(c, bool) for c in listed)
        )
        if not good:
            raise ParameterError(
                "The 'columns' parameter of Select must list positions or names.",
                got=f"columns={show(listed)}",
                need="a list of int, or a list of str, not empty",
                do='pm.Select([0, 2]) or pm.Select(["height", "width"])',
            )

    @property
    def named_columns(self) -> bool:
        """Whether the columns are given by name."""
        return len(self.columns) > 0 and isinstance(self.columns[0], str)

    @property
    def closed(self) -> bool:
        return not self.named_columns

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (len(self.columns),)

    def reads(self, names: Sequence[str]) -> frozenset[str] | None:
        return frozenset(self.columns) & frozenset(names) if self.named_columns else None

    def close(self, x: torch.Tensor, given: Given) -> FeatureMap:
        names = list(given.names)
        for column in self.columns:
            if column not in names:
                near = difflib.get_close_matches(column, names, n=1)
                raise InputError(
                    f"unknown column {column!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
                    got=f"columns {', '.join(map(repr, names[:8]))}",
                    need=f"a column {column!r}",
                    do="rename the column, or change Select(columns)",
                )
        return Select([names.index(c) for c in self.columns])

    def _index(self, width: int) -> list[int]:
        index = [int(i) + width if i < 0 else int(i) for i in self.columns]
        wrong = [i for i in index if not 0 <= i < width]
        if wrong:
            raise ShapeError(
                f"Select asks for column {max(self.columns)} of {width} features.",
                got=f"columns={list(self.columns)}, n_features={width}, n_features = {width}",
                need=f"positions from 0 to {width - 1}",
                do="choose existing columns",
            )
        return index

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.named_columns:
            return super().forward(x)
        rows_only(self, x.shape, do="pm.Select(columns) @ pm.Flatten()")
        return x[:, self._index(x.shape[1])]

    def rounds(self, on: Space) -> bool:
        return False

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return [names[i] for i in self._index(len(names))]

    def _known(self, on: Space) -> list[int] | None:
        return None if self.named_columns else self._index(on.size)

    def image(self, on: Space) -> Image:
        index = self._known(on)
        if index is None:
            return super().image(on)
        low, high = on.bounds()
        outer, box = Box(low[index], high[index]), on.inner_box()
        filled = box is not None and len(set(index)) == len(index)
        return Image(outer, Box(box.low[index], box.high[index]) if filled and box else None)

    def facts(self, on: Space) -> Iterator[Fact]:
        yield prop.Affine, Reason("a choice of coordinates is linear", Strength.DEFINITION)
        index = self._known(on)
        if index is None:
            return
        counts = np.bincount(index, minlength=on.size)
        top = float(np.sqrt(counts.max()))
        top = top if top**2 == counts.max() else float(np.nextafter(top, inf))
        yield Lipschitz(top), "|π(x) - π(y)|² <= max count |x - y|²"
        yield PositivelyHomogeneous(1), "a choice of coordinates is linear"
        if counts.min() > 0:
            yield Homeomorphism, "every coordinate is kept"
            if on.is_closed:
                yield Proper, "every coordinate is kept"
            low = float(np.sqrt(counts.min()))
            low = low if low**2 <= counts.min() else float(np.nextafter(low, 0))
            yield LowerLipschitz(low), "every coordinate is kept"
        chords = on.chords()
        if chords is None:
            return
        real = chords[0] < chords[1]
        if real.any():
            best = float(np.sqrt(counts[real].max()))
            yield (
                (~Lipschitz)(float(np.nextafter(best, 0)) if best**2 != round(best**2) else best),
                ("move one coordinate that is kept"),
            )
        if ((counts == 0) & (np.isinf(chords[0]) | np.isinf(chords[1]))).any():
            yield ~Proper, "a coordinate that is dropped goes to infinity"
        lost = np.flatnonzero(real & (counts == 0))
        if lost.size:
            i = lost[0]
            x, y = np.array(chords[2], dtype=float), np.array(chords[2], dtype=float)
            x[i] = max(chords[0][i], chords[2][i] - 1.0)
            y[i] = min(chords[1][i], max(x[i] + 1.0, float(np.nextafter(x[i], inf))))
            yield ~Injective, Collision(x, y, f"coordinate {i} is dropped")

    @classmethod
    def example(cls) -> FeatureMap:
        return cls([-1, 0])
