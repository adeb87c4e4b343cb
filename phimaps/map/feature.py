"""Feature maps and their algebra: the base class with its operators, and what composites share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from ..errors import OperandError, ParameterError
from ..spaces import Image, Space
from .routing import route
from .term import Given, Part, Term, show

__all__ = ["Composite", "FeatureMap", "adapters", "as_map", "combinators"]

# The class behind each operator; the modules of the combinators enter themselves.
combinators: dict[str, Any] = {}


class FeatureMap(Term):
    """φ: X → R^shape, a feature map with its algebra; abstract.

    Subclasses are dataclasses without further decoration: annotated fields are the parameters.
    Write `forward` (a closed map) or `close` (an open one), and override what else is known.

    Examples
    --------
    A map of one's own:

    >>> import torch
    >>> class Cube(FeatureMap):
    ...     def forward(self, x):
    ...         return x**3
    >>> (2 * Cube())(torch.tensor([[1.0, 2.0]]))
    tensor([[ 2., 16.]])
    """

    __slots__ = ()

    def on(self, space: Space) -> FeatureMap:
        """The restriction of φ to a space."""
        return combinators["on"](self, space)

    def __matmul__(self, other: Any) -> FeatureMap:
        return _join("@", self, other)

    def __rmatmul__(self, other: Any) -> FeatureMap:
        return _join("@", other, self)

    def __and__(self, other: Any) -> FeatureMap:
        return _join("&", self, other)

    def __rand__(self, other: Any) -> FeatureMap:
        return _join("&", other, self)

    def __add__(self, other: Any) -> FeatureMap:
        return _join("+", self, other)

    def __radd__(self, other: Any) -> FeatureMap:
        return _join("+", other, self)

    def __mul__(self, other: Any) -> FeatureMap:
        return combinators["scale"](other, self) if _is_number(other) else _join("*", self, other)

    def __rmul__(self, other: Any) -> FeatureMap:
        return combinators["scale"](other, self) if _is_number(other) else _join("*", other, self)

    def __neg__(self) -> FeatureMap:
        return combinators["scale"](-1.0, self)

    def __sub__(self, other: Any) -> FeatureMap:
        other = as_map(other)
        return NotImplemented if other is None else _join("+", self, -other)

    def __or__(self, other: Any) -> Any:
        raise OperandError(
            "'|' is not an operator of feature maps.",
            got=f"{self!r} | {show(other)}",
            need="& to put maps side by side, @ to compose them",
            do="phi & psi, psi @ phi, or sklearn.pipeline.make_pipeline(phi, model)",
        )

    __ror__ = __or__
    __rshift__ = __or__
    __rrshift__ = __or__


# What may stand where a map is expected: each adapter returns a map, or None if it cannot.
adapters: list[Callable[[Any], FeatureMap | None]] = []


def as_map(value: Any) -> FeatureMap | None:
    """The value as a map, wrapped if an adapter knows how; None if it cannot be one."""
    if isinstance(value, FeatureMap):
        return value
    return next((m for adapt in adapters if (m := adapt(value)) is not None), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | np.number) and not isinstance(value, bool | np.bool_)


def _join(symbol: str, left: Any, right: Any) -> FeatureMap:
    maps = [as_map(left), as_map(right)]
    if None in maps:
        raise OperandError(
            f"'{symbol}' joins feature maps, and one side is not a map.",
            got=f"{show(left)} {symbol} {show(right)}",
            need="maps, transformers, torch modules or functions; numbers to scale by",
            do="phi(x) evaluates a map; pm.Diagonal(array) @ phi scales coordinates",
        )
    kind = combinators[symbol]
    if symbol == "@":
        maps.reverse()
    flat = [m for part in maps for m in (part.maps if type(part) is kind else (part,))]  # type: ignore
    joined = kind(tuple(flat))
    joined.check_fit()
    return joined


class Composite(FeatureMap):
    """A map made of an ordered tuple of maps; abstract.

    Its parameters are reached as in ``make_pipeline``: ``randomfourier__n_components``, repeated
    types numbered ``affine-1``, ``affine-2``.
    """

    __slots__ = ()
    maps: tuple[FeatureMap, ...]

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        return self._fit(X, y, params)

    def named(self) -> list[tuple[str, FeatureMap]]:
        """The parts with their parameter names, in the order in which they stand."""
        stems = [type(m).__name__.lower() for m in self.maps]
        return [
            (s if stems.count(s) == 1 else f"{s}-{stems[: i + 1].count(s)}", m)
            for i, (s, m) in enumerate(zip(stems, self.maps, strict=True))
        ]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        params = {n: v for n, v in super().get_params(deep=False).items()}
        if deep:
            for name, part in self.named():
                params[name] = part
                params |= {f"{name}__{k}": v for k, v in part.get_params(deep=True).items()}
        return params

    def _settable(self) -> dict[str, Any]:
        return self.get_params(deep=False) | dict(self.named())

    def _assign(self, name: str, value: Any) -> None:
        index = {n: i for i, (n, _) in enumerate(self.named())}.get(name)
        if index is None:
            return setattr(self, name, value)
        self.maps = (*self.maps[:index], value, *self.maps[index + 1 :])

    def check_parameters(self) -> None:
        if not isinstance(self.maps, tuple | list) or not self.maps:
            raise ParameterError(
                f"{type(self).__name__} needs a tuple of maps.",
                got=f"maps={self.maps!r}",
                need="at least one map",
                do=f"{type(self).__name__}((phi, psi))",
            )
        super().check_parameters()
        for part in self.maps:
            part.check_parameters()
        self.check_fit()

    def check_fit(self) -> None:
        """Raise ShapeError where the parts' fixed shapes do not fit together."""

    def rebuild(self, change: Any, path: str = "") -> Any:
        twin = self._shallow_copy()
        twin.maps = tuple(m.rebuild(change, f"{path}{name}.") for name, m in self.named())
        return twin

    @property
    def closed(self) -> bool:
        return all(m.closed for m in self.maps)

    @property
    def domain(self) -> Space | None:
        return next((d for m in self.maps if (d := m.domain) is not None), None)

    @property
    def positive(self) -> bool:
        return any(m.positive for m in self.maps)

    @property
    def sparse(self) -> bool:
        return all(m.sparse for m in self.maps)

    @property
    def random(self) -> bool:
        return any(m.random for m in self.maps)

    def reads(self, names: Sequence[str]) -> frozenset[str] | None:
        read = [m.reads(names) for m in self.maps]
        return None if None in read else frozenset().union(*[r for r in read if r is not None])

    def close(self, x: Any, given: Given) -> FeatureMap:
        fits = route(self, given)
        return self._with(tuple(m.bound(x, g) for m, g in zip(self.maps, fits, strict=True)))

    def _with(self, maps: tuple[FeatureMap, ...]) -> FeatureMap:
        twin = self._shallow_copy()
        twin.maps = maps
        return twin

    def parts(self, on: Space) -> list[Part]:
        return [Part(m, Image(on, on)) for m in self.maps]

    def undefined(self, on: Space) -> str | None:
        texts = (
            p.map.undefined(p.arrives.inner) for p in self.parts(on) if p.arrives.inner is not None
        )
        return next((t for t in texts if t is not None), None)

    def get_metadata_routing(self) -> MetadataRouter:
        router = MetadataRouter(owner=self)
        for name, part in self.named():
            mapping = MethodMapping().add(caller="fit", callee="fit")
            router.add(**{name: part}, method_mapping=mapping)
        return router

    def _sk_visual_block_(self) -> _VisualBlock:
        names, parts = zip(*self.named(), strict=True)
        return _VisualBlock("parallel", parts, names=names, name_details=[repr(p) for p in parts])
