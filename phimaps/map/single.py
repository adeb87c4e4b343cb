"""What the combinators with one part share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from ..spaces import Image, Space
from .feature import FeatureMap
from .routing import route
from .term import Given, Part

__all__ = ["Single"]


class Single(FeatureMap):
    """A map made of one other map, its parameter ``map``; abstract."""

    __slots__ = ()
    if TYPE_CHECKING:
        # Fields stand in the final classes, in the order of their constructors.
        map: FeatureMap

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        return self._fit(X, y, params)

    def named(self) -> list[tuple[str, FeatureMap]]:
        """The part with its parameter name."""
        return [("map", self.map)]

    def check_parameters(self) -> None:
        super().check_parameters()
        self.map.check_parameters()

    @property
    def closed(self) -> bool:
        return self.map.closed

    @property
    def positive(self) -> bool:
        return self.map.positive

    @property
    def sparse(self) -> bool:
        return self.map.sparse

    @property
    def bytes(self) -> bool:
        return self.map.bytes

    @property
    def random(self) -> bool:
        return self.map.random

    @property
    def takes(self) -> tuple[int, ...] | None:
        return self.map.takes

    @property
    def gives(self) -> tuple[int, ...] | None:
        return self.map.gives

    @property
    def domain(self) -> Space | None:
        return self.map.domain

    @property
    def keeps_shape(self) -> bool:
        return self.map.keeps_shape

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        return self.map.chunk_rows(shape, itemsize)

    def reads(self, names: Sequence[str]) -> frozenset[str] | None:
        return self.map.reads(names)

    def close(self, x: Any, given: Given) -> FeatureMap:
        return self._with(self.map.bound(x, route(self, given)[0]))

    def _with(self, part: FeatureMap) -> Self:
        twin = self._shallow_copy()
        twin.map = part
        return twin

    def _snapshot(self) -> Self:
        return self._with(self.map._snapshot())

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.map.out_shape(shape)

    def known_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        return self.map.known_shape(shape)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return self.map.names_out(names, shape, type(self.map).__name__.lower())

    def parts(self, on: Space) -> list[Part]:
        return [Part(self.map, Image(on, on))]

    def undefined(self, on: Space) -> str | None:
        return self.map.undefined(on)

    def get_metadata_routing(self) -> MetadataRouter:
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(map=self.map, method_mapping=mapping)
