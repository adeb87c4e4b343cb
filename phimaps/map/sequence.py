"""Maps one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import Any, final

import torch
from scipy.sparse import issparse
from sklearn.utils._repr_html.estimator import _VisualBlock

from ..errors import OperandError, ShapeError
from ..rows import cached_rows, carry, dense_pieces
from ..spaces import Euclidean, Image, Space
from .feature import Composite, FeatureMap, as_map, combinators
from .routing import route
from .term import Given, Part, show

__all__ = ["Compose", "Images", "pipe", "remembered"]


@final
class Compose(Composite):
    """x ↦ f_n(...f_2(f_1(x))), composition; written ``f_n @ ... @ f_1``.

    Parameters
    ----------
    maps : tuple of FeatureMap
        In the order in which the data pass them: f_1 first.

    Examples
    --------
    >>> import phimaps as pm
    >>> pm.Relu() @ pm.Abs()
    Relu() @ Abs()
    """

    maps: tuple[FeatureMap, ...]

    def check_fit(self) -> None:
        gives: tuple[int, ...] | None = None
        for before, part in zip((None, *self.maps), self.maps, strict=False):
            if before is not None and gives is not None:
                _check_step(before, part, gives)
            gives = part.gives or ((gives or part.takes) if part.keeps_shape else None)

    @property
    def takes(self) -> tuple[int, ...] | None:
        for part in self.maps:
            if part.takes is not None or not part.keeps_shape:
                return part.takes
        return None

    @property
    def gives(self) -> tuple[int, ...] | None:
        for part in reversed(self.maps):
            if part.gives is not None or not part.keeps_shape:
                return part.gives
            if part.takes is not None:
                return part.takes
        return None

    @property
    def keeps_shape(self) -> bool:
        return all(m.keeps_shape for m in self.maps)

    @property
    def domain(self) -> Space | None:
        own = self.maps[0].domain
        return own if own is not None or self.takes is None else Euclidean(self.takes)

    @property
    def positive(self) -> bool:
        return self.maps[0].positive

    @property
    def sparse(self) -> bool:
        return self.maps[0].sparse

    @property
    def bytes(self) -> bool:
        return self.maps[0].bytes

    def reads(self, names: Sequence[str]) -> frozenset[str] | None:
        return self.maps[0].reads(names)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for part in self.maps:
            x = part.forward(x)
        return x

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        for part in self.maps[:-1]:
            x = part.forward(x)
        self.maps[-1].write(x, out)

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        least, known = None, False
        for part in self.maps:
            rows = part.chunk_rows(shape, itemsize)
            gives = part.gives or (shape if part.keeps_shape else None)
            known = known or rows is not None
            rows = rows or cached_rows(prod(shape) + prod(gives or shape), itemsize)
            least = rows if least is None else min(least, rows)
            if gives is None:
                break
            shape = gives
        return least if known else None

    def forward_sparse(self, x: Any) -> Any:
        for part in self.maps:
            x = part.forward_sparse(x) if issparse(x) else part.forward(x)
        return x

    def close(self, x: Any, given: Given) -> FeatureMap:
        closed: list[FeatureMap] = []
        names, shape = list(given.names), tuple(x.shape[1:])
        for (label, part), extra in zip(self.named(), route(self, given), strict=True):
            if all(m.closed for m in self.maps[len(closed) :]):
                # Nothing is left to bind, so the data need not be carried on.
                closed.append(part.bound(x, extra))
                continue
            if closed:
                _check_step(closed[-1], part, shape)
                x = x if part.sparse or not issparse(x) else torch.cat(list(dense_pieces(x)))
            closed.append(part.bound(x, Given(tuple(names), given.y, extra.params)))
            names = list(closed[-1].names_out(names, shape, label))
            if len(closed) < len(self.maps):
                x = carry(closed[-1], x)
                shape = tuple(x.shape[1:])
        bound = self._with(tuple(closed))
        bound.check_fit()
        return bound

    def parts(self, on: Space) -> list[Part]:
        parts, image = [], Image(on, on)
        for part in self.maps:
            parts.append(Part(part, image))
            image = _through(part, image)
        return parts

    def image(self, on: Space) -> Image:
        last = self.parts(on)[-1]
        return _through(last.map, last.arrives)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        for part in self.maps:
            shape = part.out_shape(shape)
        return shape

    def known_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        known: tuple[int, ...] | None = shape
        for part in self.maps:
            known = part.known_shape(known) if known is not None else part.gives
        return known

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        for name, part in self.named():
            names, shape = part.names_out(names, shape, name), part.out_shape(shape)
        return names

    def __repr__(self) -> str:
        return " @ ".join(
            m.repr_in(*(combinators[s] for s in ("*", "scale", "+", "&")))
            for m in reversed(self.maps)
        )

    def _sk_visual_block_(self) -> _VisualBlock:
        names, parts = zip(*self.named(), strict=True)
        details = [repr(p) for p in parts]
        return _VisualBlock("serial", parts, names=names, name_details=details, dash_wrapped=False)


# The images found in the search that is running, by map and space. It keeps both alive, so that
# their ids stay theirs, and is forgotten with the search, as maps and their weights may change.
Images = dict[tuple[int, int], tuple[Any, Space, Image]]
_known: ContextVar[Images | None] = ContextVar("_known", default=None)


@contextmanager
def remembered(images: Images) -> Iterator[None]:
    """Look images up, and enter them, while a search runs.

    Parameters
    ----------
    images : dict
        What the search has found so far.
    """
    token = _known.set(images)
    try:
        yield
    finally:
        _known.reset(token)


def _image(part: FeatureMap, on: Space) -> Image:
    images = _known.get()
    if images is None:
        return part.image(on)
    key = (id(part), id(on))
    if key not in images:
        images[key] = part, on, part.image(on)
    return images[key][2]


def _through(part: FeatureMap, image: Image) -> Image:
    outer = _image(part, image.outer)
    if image.inner is None or image.inner is image.outer:
        return Image(outer.outer, outer.inner if image.inner is not None else None)
    return Image(outer.outer, _image(part, image.inner).inner)


def _check_step(before: FeatureMap, part: FeatureMap, gives: tuple[int, ...]) -> None:
    if part.takes is not None and part.takes != gives:
        raise ShapeError(
            f"Cannot compose: the inner map gives R^{_power(gives)}, the outer takes "
            f"R^{_power(part.takes)}.",
            got=f"{part!r} @ {before!r}",
            need="the outer map's input shape equal to the inner map's output shape",
            do="change one of the two, or put a Select or Flatten between them",
        )


def _power(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def pipe(*maps: Any) -> FeatureMap:
    """x ↦ f_n(...f_1(x)) for pipe(f_1, ..., f_n): composition, read from left to right.

    Parameters
    ----------
    *maps : FeatureMap, transformer, module or function
        At least one, f_1 first.

    Returns
    -------
    FeatureMap

    Examples
    --------
    >>> import phimaps as pm
    >>> pipe(pm.Abs(), pm.Relu())
    Relu() @ Abs()
    """
    if not maps:
        raise OperandError(
            "pipe joins maps, and there is none.",
            got="pipe()",
            need="at least one map",
            do="pm.pipe(pm.Standardize(), pm.Relu())",
        )
    wrapped = [as_map(m) for m in maps]
    if None in wrapped:
        raise OperandError(
            "pipe joins maps, and this is not one.",
            got=show(maps[wrapped.index(None)]),
            need="maps, transformers, torch modules or functions",
            do="pm.pipe(pm.Standardize(), pm.Relu())",
        )
    result = wrapped[0]
    for part in wrapped[1:]:
        result = part @ result  # type: ignore[operator]
    return result  # type: ignore[return-value]


combinators["@"] = Compose
