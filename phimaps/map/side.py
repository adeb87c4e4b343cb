"""Maps side by side: on the same point, or each on its own part of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any, final

import numpy as np
import torch

from ..errors import OperandError, ParameterError, ShapeError
from ..rows import cached_rows, dense
from ..spaces import Box, Boxlike, Image, Space
from ..spaces import Product as ProductSpace
from .feature import Composite, FeatureMap, as_map, combinators
from .items import rows_only
from .routing import route
from .term import Given, Part, show

__all__ = ["Concat", "Product", "product"]


def _joined(values: list[torch.Tensor]) -> torch.Tensor:
    if len({v.shape[2:] for v in values}) > 1:
        values = [v.flatten(1) for v in values]
    return torch.cat(values, dim=1)


def _joined_shape(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    if len({s[1:] for s in shapes}) > 1:
        return (sum(prod(s) for s in shapes),)
    return (sum(s[0] for s in shapes), *shapes[0][1:])


def _joined_image(images: list[Image], shape: tuple[int, ...], free: bool) -> Image:
    bounds = [i.outer.bounds() for i in images]
    low = np.concatenate([b[0].ravel() for b in bounds]).reshape(shape)
    high = np.concatenate([b[1].ravel() for b in bounds]).reshape(shape)
    inner = [i.inner.inner_box() if i.inner is not None else None for i in images]
    # Only independent parts fill the product of what each of them fills.
    if not free or any(b is None for b in inner):
        return Image(Box(low, high))
    return Image(
        Box(low, high),
        Box(
            np.concatenate([b.low.ravel() for b in inner if b is not None]).reshape(shape),
            np.concatenate([b.high.ravel() for b in inner if b is not None]).reshape(shape),
        ),
    )


@final
class Concat(Composite):
    """x ↦ (f_1(x), ..., f_n(x)), concatenation; written ``f_1 & ... & f_n``.

    Its kernel is the sum of the kernels. Image-shaped outputs of one height and width are joined
    along the channels; otherwise every output is flattened first.

    Parameters
    ----------
    maps : tuple of FeatureMap
    verbose_feature_names_out : bool, default True
        Whether feature names are prefixed with the name of their part.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.Identity() & pm.Abs()
    >>> phi.fit_transform([[-1.0]])
    array([[-1.,  1.]])
    >>> phi.get_feature_names_out()
    array(['identity__x0', 'abs__abs(x0)'], dtype=object)
    """

    maps: tuple[FeatureMap, ...]
    verbose_feature_names_out: bool = True

    _parameter_constraints = {
        **Composite._parameter_constraints,
        "verbose_feature_names_out": ["boolean"],
    }

    @property
    def takes(self) -> tuple[int, ...] | None:
        return next((m.takes for m in self.maps if m.takes is not None), None)

    @property
    def gives(self) -> tuple[int, ...] | None:
        shapes = known_shapes(self)
        return None if shapes is None else _joined_shape(shapes)

    def check_fit(self) -> None:
        check_same_input("&", self.maps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _joined([m.forward(x) for m in self.maps])

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        start = 0
        for part in self.maps:
            shape = part.gives or (tuple(x.shape[1:]) if part.keeps_shape else None)
            if shape is not None and len(shape) == out.ndim - 1:
                place = out[:, start : start + shape[0]]
                part.write(x, place)
            else:
                value = part.forward(x)
                value = value if value.ndim == out.ndim else value.flatten(1)
                place = out[:, start : start + value.shape[1]]
                place.copy_(value)
            start += place.shape[1]

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        wanted = [m.chunk_rows(shape, itemsize) for m in self.maps]
        if all(rows is None for rows in wanted):
            return None
        sizes = (prod(shape) + prod(m.gives or shape) for m in self.maps)
        pairs = zip(wanted, sizes, strict=True)
        return min(rows or cached_rows(size, itemsize) for rows, size in pairs)

    def forward_sparse(self, x: Any) -> torch.Tensor:
        return _joined([dense(m.forward_sparse(x)) for m in self.maps])

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return _joined_shape([m.out_shape(shape) for m in self.maps])

    def image(self, on: Space) -> Image:
        return _joined_image([m.image(on) for m in self.maps], self.out_shape(on.shape), free=False)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        below = [(n, m.names_out(names, shape, n)) for n, m in self.named()]
        if self.verbose_feature_names_out:
            return [f"{part}__{name}" for part, listed in below for name in listed]
        flat = [name for _, listed in below for name in listed]
        twice = [name for name, count in Counter(flat).items() if count > 1]
        if twice:
            raise ParameterError(
                "Two parts of the concatenation give a feature the same name.",
                got=f"{twice[0]!r} among {len(flat)} names",
                need="names that differ",
                do="verbose_feature_names_out=True",
            )
        return flat

    def __repr__(self) -> str:
        if not self.verbose_feature_names_out:
            inside = ", ".join(repr(m) for m in self.maps)
            return f"Concat(({inside},), verbose_feature_names_out=False)"
        return " & ".join(m.repr_in(Concat) for m in self.maps)


def known_shapes(owner: Composite) -> list[tuple[int, ...]] | None:
    """The output shapes of parts that all see the same point, if every one is fixed."""
    shapes = [m.gives or (owner.takes if m.keeps_shape else None) for m in owner.maps]
    return None if None in shapes else [s for s in shapes if s is not None]


def check_same_input(symbol: str, maps: Sequence[FeatureMap]) -> None:
    """Raise ShapeError when the parts, which all see the same point, fix different inputs."""
    fixed = [m for m in maps if m.takes is not None]
    for other in fixed[1:]:
        if other.takes != fixed[0].takes:
            raise ShapeError(
                f"Cannot join with '{symbol}': one map takes R^{prod(fixed[0].takes or ())}, "
                f"another R^{prod(other.takes or ())}.",
                got=f"{fixed[0]!r} {symbol} {other!r}",
                need="maps of one input space",
                do="pm.product(f, g) for maps of different parts of the point",
            )


@final
class Product(Composite):
    """(x_1, ..., x_n) ↦ (f_1(x_1), ..., f_n(x_n)), the product of maps.

    Parameters
    ----------
    maps : tuple of FeatureMap
    widths : tuple of int
        How many coordinates of the point belong to each part; one of them may be -1, the rest.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = Product((pm.Abs(), pm.Identity()), widths=(1, -1))
    >>> phi.fit_transform([[-1.0, -2.0, -3.0]])
    array([[ 1., -2., -3.]])
    """

    maps: tuple[FeatureMap, ...]
    widths: tuple[int, ...]

    _parameter_constraints = {**Composite._parameter_constraints, "widths": [tuple, list]}

    def check_fit(self) -> None:
        widths = self.widths
        good = (
            isinstance(widths, tuple | list)
            and len(widths) == len(self.maps)
            and all(isinstance(w, int | np.integer) and (w > 0 or w == -1) for w in widths)
            and list(widths).count(-1) <= 1
        )
        if not good:
            raise ParameterError(
                "The 'widths' parameter of Product does not split a point into its parts.",
                got=f"widths={show(widths)} for {len(self.maps)} maps",
                need="one positive int for each map; one of them may be -1, the rest",
                do="pm.product(f, g, widths=(3, -1))",
            )
        for part, width in zip(self.maps, widths, strict=True):
            if part.takes is not None and width != -1 and part.takes != (width,):
                raise ShapeError(
                    f"Cannot form the product: a part of width {width} goes to a map that takes "
                    f"R^{prod(part.takes)}.",
                    got=f"widths={tuple(widths)}, {part!r}",
                    need="each width equal to the number of inputs of its map",
                    do=f"widths with {prod(part.takes)} in that place",
                )

    def split(self, size: int) -> list[int]:
        """The widths for points with `size` coordinates."""
        known = sum(w for w in self.widths if w > 0)
        rest = size - known
        if (-1 in self.widths and rest < 1) or (-1 not in self.widths and rest):
            raise ShapeError(
                f"X has {size} feature(s), which the widths {tuple(self.widths)} do not split.",
                got=f"n_features={size}",
                need=f"{'more than ' if -1 in self.widths else ''}{known} features",
                do="change the widths, or pass the columns that belong to the parts",
            )
        return [rest if w == -1 else w for w in self.widths]

    def _pieces(self, x: torch.Tensor) -> Sequence[torch.Tensor]:
        rows_only(self, x.shape, do="phi @ pm.Flatten()")
        return torch.split(x, self.split(x.shape[1]), dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pairs = zip(self.maps, self._pieces(x), strict=True)
        return torch.cat([m.forward(p).flatten(1) for m, p in pairs], dim=1)

    @property
    def takes(self) -> tuple[int, ...] | None:
        return None if -1 in self.widths else (sum(self.widths),)

    @property
    def gives(self) -> tuple[int, ...] | None:
        shapes = [m.gives for m in self.maps]
        return None if None in shapes else (sum(prod(s) for s in shapes if s is not None),)

    @property
    def positive(self) -> bool:
        # What one part asks of its coordinates is not asked of the others.
        return False

    @property
    def domain(self) -> Space | None:
        parts = [m.domain for m in self.maps]
        if any(p is None for p in parts):
            return None
        return ProductSpace(tuple(p for p in parts if p is not None))

    @property
    def sparse(self) -> bool:
        return False

    def reads(self, names: Sequence[str]) -> frozenset[str] | None:
        return None

    def close(self, x: torch.Tensor, given: Given) -> FeatureMap:
        pieces = self._pieces(x)
        names = np.split(
            np.array(given.names, dtype=object), np.cumsum(self.split(x.shape[1]))[:-1]
        )
        closed = [
            m.bound(p, Given(tuple(n), given.y, g.params))
            for m, p, n, g in zip(self.maps, pieces, names, route(self, given), strict=True)
        ]
        return self._with(tuple(closed))

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        widths = self.split(shape[0])
        return (sum(prod(m.out_shape((w,))) for m, w in zip(self.maps, widths, strict=True)),)

    def parts(self, on: Space) -> list[Part]:
        widths = self.split(on.size)
        if isinstance(on, ProductSpace) and [p.size for p in on.parts] == widths:
            return [Part(m, Image(p, p)) for m, p in zip(self.maps, on.parts, strict=True)]
        low, high = on.bounds()
        cuts = np.cumsum(widths)[:-1]
        closed = on.closed if isinstance(on, Boxlike) else "both"
        ends = zip(np.split(low, cuts), np.split(high, cuts), strict=True)
        boxes = [Box(a, b, closed=closed) for a, b in ends]
        # The projections of other spaces are enclosed, but need not fill their boxes.
        inner = boxes if isinstance(on, Boxlike) else [None] * len(boxes)
        return [Part(m, Image(b, i)) for m, b, i in zip(self.maps, boxes, inner, strict=True)]

    def image(self, on: Space) -> Image:
        images = []
        for part in self.parts(on):
            image = part.map.image(part.arrives.outer)
            whole = part.arrives.inner is part.arrives.outer
            images.append(Image(image.outer, image.inner if whole else None))
        return _joined_image(images, self.out_shape(on.shape), free=True)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        result, start = [], 0
        for (name, part), width in zip(self.named(), self.split(shape[0]), strict=True):
            listed = part.names_out(names[start : start + width], (width,), name)
            result += [f"{name}__{entry}" for entry in listed]
            start += width
        return result

    def __repr__(self) -> str:
        return f"product({', '.join(map(repr, self.maps))}, widths={tuple(self.widths)})"


def product(*maps: Any, widths: tuple[int, ...] | None = None) -> FeatureMap:
    """(x, y) ↦ (f(x), g(y)), the product of maps on a product space.

    Parameters
    ----------
    *maps : FeatureMap, transformer, module or function
    widths : tuple of int, optional
        See `Product`. May be left out when every map but one fixes its number of inputs.

    Returns
    -------
    Product

    Examples
    --------
    >>> import phimaps as pm
    >>> product(pm.Affine([[2.0]], [0.0]), pm.Abs()).widths
    (1, -1)
    """
    wrapped = [as_map(m) for m in maps]
    if not wrapped or None in wrapped:
        raise OperandError(
            "product joins maps, and one argument is not a map.",
            got=", ".join(map(show, maps)) or "product()",
            need="maps, transformers, torch modules or functions",
            do="pm.product(f, g, widths=(3, -1))",
        )
    parts = tuple(m for m in wrapped if m is not None)
    if widths is None:
        widths = tuple(prod(m.takes) if m.takes is not None else -1 for m in parts)
    joined = Product(parts, widths)
    joined.check_fit()
    return joined


combinators["&"] = Concat
