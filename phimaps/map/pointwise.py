"""Maps joined value by value: tensor product, sum, multiple."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as pairs
from math import prod
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, Real

from ..errors import ParameterError, ShapeError, show
from ..interval import widen
from ..rows import dense
from ..spaces import Box, Euclidean, Image, Space
from .feature import Composite, FeatureMap, combinators
from .side import check_same_input, known_shapes
from .single import Single

__all__ = ["Scale", "Sum", "Tensor"]

MOST = float(np.finfo(np.float64).max)


@final
class Tensor(Composite):
    """x ↦ f_1(x) ⊗ ... ⊗ f_n(x), the tensor product; written ``f_1 * ... * f_n``.

    Its kernel is the product of the kernels. The output is the flattened outer product, the last
    factor running fastest.

    Parameters
    ----------
    maps : tuple of FeatureMap

    Examples
    --------
    >>> import phimaps as pm
    >>> (pm.Identity() * pm.Identity()).fit_transform([[2.0, 3.0]])
    array([[4., 6., 6., 9.]])
    """

    maps: tuple[FeatureMap, ...]

    @property
    def takes(self) -> tuple[int, ...] | None:
        return next((m.takes for m in self.maps if m.takes is not None), None)

    @property
    def gives(self) -> tuple[int, ...] | None:
        shapes = known_shapes(self)
        return None if shapes is None else (prod(prod(s) for s in shapes),)

    def check_fit(self) -> None:
        check_same_input("*", self.maps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value = self.maps[0].forward(x).flatten(1)
        for part in self.maps[1:]:
            value = (value[:, :, None] * part.forward(x).flatten(1)[:, None, :]).flatten(1)
        return value

    @property
    def sparse(self) -> bool:
        return False

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (prod(prod(m.out_shape(shape)) for m in self.maps),)

    def image(self, on: Space) -> Image:
        low, high = np.ones(1), np.ones(1)
        for part in self.maps:
            a, b = (v.ravel() for v in part.image(on).outer.bounds())
            with np.errstate(invalid="ignore", over="ignore"):
                corners = [np.multiply.outer(u, v).ravel() for u, v in pairs((low, high), (a, b))]
            # 0 times an infinite end is 0: the end itself is never reached.
            corners = [np.where(np.isnan(c), 0.0, c) for c in corners]
            low, high = np.minimum.reduce(corners), np.maximum.reduce(corners)
            # What overflows lies beyond the greatest number, and may be multiplied by little.
            low, high = np.minimum(low, MOST), np.maximum(high, -MOST)
        ulps = 2 * len(self.maps)
        return Image(Box(widen(low, False, ulps), widen(high, True, ulps)))

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        below = [m.names_out(names, shape, n) for n, m in self.named()]
        return [" * ".join(group) for group in pairs(*below)]

    def __repr__(self) -> str:
        kinds = tuple(combinators[s] for s in ("@", "+", "&", "scale", "*"))
        return " * ".join(m.repr_in(*kinds) for m in self.maps)


@final
class Sum(Composite):
    """x ↦ f_1(x) + ... + f_n(x), the pointwise sum; written ``f_1 + ... + f_n``.

    With the identity as one part it is a residual block.

    Parameters
    ----------
    maps : tuple of FeatureMap
        With outputs of one shape.

    Examples
    --------
    >>> import phimaps as pm
    >>> (pm.Identity() + pm.Relu()).fit_transform([[-1.0, 2.0]])
    array([[-1.,  4.]])
    """

    maps: tuple[FeatureMap, ...]

    @property
    def takes(self) -> tuple[int, ...] | None:
        return next((m.takes for m in self.maps if m.takes is not None), None)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return next((m.gives for m in self.maps if m.gives is not None), None)

    @property
    def keeps_shape(self) -> bool:
        return all(m.keeps_shape for m in self.maps)

    def check_fit(self) -> None:
        check_same_input("+", self.maps)
        self._same([m.gives or (self.takes if m.keeps_shape else None) for m in self.maps])

    def _same(self, shapes: list[tuple[int, ...] | None]) -> None:
        known = [s for s in shapes if s is not None]
        if len(set(known)) > 1:
            texts = [f"R^{'x'.join(map(str, s))}" for s in dict.fromkeys(known)]
            raise ShapeError(
                f"Cannot add maps whose outputs differ in shape: {' and '.join(texts)}.",
                got=f"{self!r}",
                need="one output shape",
                do="& to put the outputs side by side, or an Affine that changes the dimension",
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = [m.forward(x) for m in self.maps]
        if len({v.shape for v in values}) > 1:
            self._same([tuple(v.shape[1:]) for v in values])
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total

    def forward_sparse(self, x: Any) -> torch.Tensor:
        values = [dense(m.forward_sparse(x)) for m in self.maps]
        self._same([tuple(v.shape[1:]) for v in values])
        return torch.stack(values).sum(dim=0)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        shapes = [m.out_shape(shape) for m in self.maps]
        self._same(list(shapes))
        return shapes[0]

    def image(self, on: Space) -> Image:
        lows, highs = zip(*(m.image(on).outer.bounds() for m in self.maps), strict=True)
        return Image(Box(_summed(lows, -1.0), _summed(highs, 1.0)))

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        below = [m.names_out(names, shape, n) for n, m in self.named()]
        return [" + ".join(group) for group in zip(*below, strict=True)]

    def __repr__(self) -> str:
        kinds = tuple(combinators[s] for s in ("&", "+"))
        return " + ".join(m.repr_in(*kinds) for m in self.maps)


def _summed(ends: Sequence[np.ndarray], way: float) -> np.ndarray:
    """The sum of the terms' ends, moved the way in which it stays a bound."""
    ulps = 2 * len(ends) * np.finfo(np.float64).eps
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduce(ends)
        # Rounding is relative to the terms, not to a sum in which they may cancel.
        slack = np.add.reduce([np.where(np.isinf(e), 0.0, np.abs(e)) * ulps for e in ends])
        moved = total + way * slack
    # After an overflow the other terms no longer count, so nothing is known of the sum.
    lost = np.logical_and.reduce([np.isfinite(e) for e in ends]) & ~np.isfinite(total)
    return np.where(lost, way * np.inf, moved)


@final
class Scale(Single):
    """x ↦ c f(x), a multiple of a map; written ``c * f``.

    Its kernel is c² times the kernel of f.

    Parameters
    ----------
    factor : float
        Finite.
    map : FeatureMap

    Examples
    --------
    >>> import phimaps as pm
    >>> (2 * pm.Relu()).fit_transform([[-1.0, 3.0]])
    array([[0., 6.]])
    """

    factor: float
    map: FeatureMap

    _parameter_constraints = {
        "factor": [Interval(Real, None, None, closed="neither")],
        "map": [FeatureMap],
    }

    def check_parameters(self) -> None:
        super().check_parameters()
        if isinstance(self.factor, bool | np.bool_):
            raise ParameterError(
                "The 'factor' parameter of Scale must be a finite number.",
                got=f"factor={self.factor!r}",
                need="a finite real number",
                do="2.0 * phi",
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.map.forward(x) * float(self.factor)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        self.map.write(x, out)
        out.mul_(float(self.factor))

    def forward_sparse(self, x: Any) -> Any:
        return self.map.forward_sparse(x) * float(self.factor)

    def image(self, on: Space) -> Image:
        below = self.map.image(on)
        outer = self._scaled(below.outer, outward=True)
        if self.factor == 0 and not below.outer.compact:
            # 0 times a value that may be missing or infinite is nothing known.
            return Image(Euclidean(below.outer.shape))
        inner = below.inner.inner_box() if below.inner is not None and self.factor else None
        reached = self._scaled(inner, outward=False) if inner is not None else None
        return Image(outer, reached if reached is not None and reached.interior else None)

    def _scaled(self, space: Space, outward: bool) -> Box:
        c = float(self.factor)
        low, high = ends = space.bounds() if c > 0 else space.bounds()[::-1]
        if c == 0:
            return Box(np.zeros(space.shape), np.zeros(space.shape))
        with np.errstate(over="ignore"):
            low, high = low * c, high * c
        # Multiplication by a power of two is exact, unless it underflows.
        tiny = np.finfo(np.float64).tiny
        normal = all(((np.abs(b) >= tiny) | (b == 0)).all() for b in (low, high))
        kept = all(((b == 0) == (e == 0)).all() for b, e in zip((low, high), ends, strict=True))
        ulps = 0 if abs(np.frexp(c)[0]) == 0.5 and normal and kept else 2
        low, high = widen(low, not outward, ulps), widen(high, outward, ulps)
        if not outward:
            # What overflows is not reached.
            for scaled, end in zip((low, high), ends, strict=True):
                if (np.isinf(scaled) & np.isfinite(end)).any():
                    return Box(np.zeros(space.shape), np.zeros(space.shape))
        return Box(np.minimum(low, high), high)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        below = self.map.names_out(names, shape, type(self.map).__name__.lower())
        return [f"{float(self.factor):g} * {name}" for name in below]

    def __repr__(self) -> str:
        kinds = tuple(combinators[s] for s in ("@", "+", "&", "*", "scale"))
        return f"{show(self.factor)} * {self.map.repr_in(*kinds)}"


combinators["*"] = Tensor
combinators["+"] = Sum
combinators["scale"] = Scale
