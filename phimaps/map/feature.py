"""Feature maps and their algebra: the base class with its operators, and what composites share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar, Self, final

import numpy as np
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from ..errors import OperandError, ParameterError
from ..parameters import Numbered
from ..spaces import Image, Space
from .routing import route
from .term import Given, Part, Term, show

__all__ = ["Composite", "FeatureMap", "adapters", "as_map", "combinators"]

# The class behind each operator; the modules of the combinators enter themselves.
combinators: dict[str, Any] = {}


@final
class OfFamily:
    """``RandomFourier.family()`` and ``RandomFourier(gamma=2.0).family()`` alike."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        def family() -> Any:
            """The maps of this kind with any number of features; see `Family`."""
            return combinators["family"](owner() if instance is None else instance)

        return family


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
    family: ClassVar[OfFamily] = OfFamily()

    def on(self, space: Space) -> FeatureMap:
        """The restriction of φ to a space."""
        restricted = combinators["on"](self, space)
        restricted.check_fit()
        return restricted

    @property
    def kernel(self) -> Any:
        """k(x, y) = φ(x)·φ(y), the kernel of the map; see `phimaps.kernels`."""
        return combinators["kernel"](self)

    def __matmul__(self, other: Any) -> Any:
        # Before a class of functions the map is a readout.
        read: Any = combinators["readout"](self, other)
        return _join("@", self, other) if read is None else read

    def __rmatmul__(self, other: Any) -> FeatureMap:
        return _join("@", other, self)

    def __and__(self, other: Any) -> FeatureMap:
        return _join("&", self, other)

    def __rand__(self, other: Any) -> FeatureMap:
        return _join("&", other, self)

    def __add__(self, other: Any) -> FeatureMap:
        return _shifted(self, other) if _is_number(other) else _join("+", self, other)

    def __radd__(self, other: Any) -> FeatureMap:
        return _shifted(self, other) if _is_number(other) else _join("+", other, self)

    def __mul__(self, other: Any) -> FeatureMap:
        return combinators["scale"](other, self) if _is_number(other) else _join("*", self, other)

    def __rmul__(self, other: Any) -> FeatureMap:
        return combinators["scale"](other, self) if _is_number(other) else _join("*", other, self)

    def __neg__(self) -> FeatureMap:
        return combinators["scale"](-1.0, self)

    def __sub__(self, other: Any) -> FeatureMap:
        if _is_number(other):
            return _shifted(self, -other)
        wrapped = as_map(other)
        return _join("+", self, other if wrapped is None else -wrapped)

    def __rsub__(self, other: Any) -> FeatureMap:
        return _shifted(-self, other) if _is_number(other) else _join("+", other, -self)

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


def _shifted(phi: FeatureMap, number: Any) -> FeatureMap:
    """x ↦ φ(x) + c, with the number added to every coordinate."""
    shift = combinators["shift"](float(number))
    shift.check_parameters()
    return _join("@", shift, phi)


def _join(symbol: str, left: Any, right: Any) -> FeatureMap:
    maps = [as_map(left), as_map(right)]
    if None in maps:
        raise OperandError(
            f"'{symbol}' joins feature maps, and one side is not a map.",
            got=f"{show(left)} {symbol} {show(right)}",
            need="maps, transformers, torch modules or functions; numbers to scale or shift by",
            do="phi(x) evaluates a map; pm.Diagonal(array) @ phi scales coordinates",
        )
    kind = combinators[symbol]
    if symbol == "@":
        maps.reverse()
    flat = [m for part in maps for m in (part.maps if _flattens(part, kind) else (part,))]  # type: ignore
    joined = kind(tuple(flat))
    joined.check_fit()
    return joined


def _flattens(part: Any, kind: Any) -> bool:
    # A composite with an option of its own would lose it.
    fresh = kind(part.maps) if type(part) is kind else None
    return fresh is not None and part.get_params(deep=False) == fresh.get_params(deep=False)


class Composite(Numbered, FeatureMap):
    """A map made of an ordered tuple of maps; abstract.

    Its parameters are reached as in ``make_pipeline``: ``randomfourier__n_components``, repeated
    types numbered ``affine-1``, ``affine-2``.
    """

    __slots__ = ()
    maps: tuple[FeatureMap, ...]
    held: ClassVar[str] = "maps"
    _parameter_constraints: ClassVar[dict[str, Any]] = {"maps": [tuple, list]}

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        return self._fit(X, y, params)

    def check_parameters(self) -> None:
        super().check_parameters()
        if not self.maps or not all(isinstance(m, FeatureMap) for m in self.maps):
            raise ParameterError(
                f"The 'maps' parameter of {type(self).__name__} must hold feature maps. Got "
                f"{show(self.maps)} instead.",
                got=f"maps={show(self.maps)}",
                need="at least one map, and nothing but maps",
                do=f"{type(self).__name__}((phi, psi))",
            )
        for part in self.maps:
            part.check_parameters()
        self.check_fit()

    def check_fit(self) -> None:
        """Raise ShapeError where the parts' fixed shapes do not fit together."""

    def rebuild(self, change: Any, path: str = "") -> Any:
        return self._with(tuple(m.rebuild(change, f"{path}{n}.") for n, m in self.named()))

    def _snapshot(self) -> Self:
        return self._with(tuple(m._snapshot() for m in self.maps))

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
    def bytes(self) -> bool:
        return all(m.bytes for m in self.maps)

    @property
    def random(self) -> bool:
        return any(m.random for m in self.maps)

    def reads(self, names: Sequence[str]) -> frozenset[str] | None:
        read = [m.reads(names) for m in self.maps]
        return None if None in read else frozenset().union(*[r for r in read if r is not None])

    def close(self, x: Any, given: Given) -> FeatureMap:
        fits = route(self, given)
        return self._with(tuple(m.bound(x, g) for m, g in zip(self.maps, fits, strict=True)))

    def _with(self, maps: tuple[FeatureMap, ...]) -> Self:
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
