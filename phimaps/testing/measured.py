"""A space with a distance that was given, and maps and functions as what attacks evaluate."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, final

import numpy as np
import torch

from ..errors import OperandError, ParameterError, UnboundError, show
from ..map import FeatureMap, as_map
from ..maps.transformers import is_fitted
from ..spaces import Space
from ..spaces.base import Plan

__all__ = ["Measured", "Opaque", "evaluated", "measured"]


@final
class Measured(Space):
    """The points of a space with another distance.

    Parameters
    ----------
    plain : Space
    given : callable
        The distances of paired points, of two batches; of arrays, or of tensors.
    on_tensors : bool
        Which of the two.
    """

    def __init__(self, plain: Space, given: Callable[..., Any], on_tensors: bool):
        self.plain, self.given, self.on_tensors = plain, given, on_tensors

    @property
    def tensors(self) -> Callable[..., Any] | None:
        """The distance as a differentiable function of tensors, where it is one."""
        return self.given if self.on_tensors else None

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.plain.shape

    @property
    def dimension(self) -> int:
        return self.plain.dimension

    @property
    def is_closed(self) -> bool:
        return self.plain.is_closed

    @property
    def compact(self) -> bool:
        return self.plain.compact

    @property
    def infinite(self) -> bool:
        return self.plain.infinite

    @property
    def interior(self) -> bool:
        return self.plain.interior

    @property
    def euclidean(self) -> bool:
        return False

    @property
    def diameter(self) -> float:
        return self.plain.diameter

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self.plain.bounds()

    def attains(self) -> tuple[np.ndarray, np.ndarray]:
        return self.plain.attains()

    def inner_box(self) -> Any:
        return self.plain.inner_box()

    def chords(self) -> Any:
        return self.plain.chords()

    def contains(self, points: Any) -> np.ndarray:
        return self.plain.contains(points)

    def surely_contains(self, points: Any) -> np.ndarray:
        return self.plain.surely_contains(points)

    def _includes(self, other: Space) -> bool:
        return self.plain._includes(other)

    def sample(self, n: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
        return self.plain.sample(n, random_state)

    def nearest(self, points: Any) -> np.ndarray:
        return self.plain.nearest(points)

    def _net(self, h: float) -> Plan:
        return self.plain._net(h)

    def distance(self, x: Any, y: Any) -> np.ndarray:
        x, y = (np.ascontiguousarray(self.points(p)) for p in (x, y))
        with np.errstate(all="ignore"):
            if self.on_tensors:
                with torch.no_grad():
                    value = self.given(torch.from_numpy(x), torch.from_numpy(y)).numpy()
            else:
                value = self.given(x, y)
        return np.asarray(value, dtype=np.float64)

    def __repr__(self) -> str:
        name = getattr(self.given, "__name__", type(self.given).__name__)
        return f"{self.plain!r} with the distance {name}"


def measured(on: Space, distance: Any) -> Space:
    """The space with this distance; without one, itself.

    Raises
    ------
    ParameterError
        When the distance does not give one finite number for each pair.
    """
    if distance is None:
        return on
    points = on.sample(3, 0)
    ends = (torch.from_numpy(p.copy()).requires_grad_(True) for p in (points, points[::-1]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value = distance(*ends)
    except Exception:
        # Functions of arrays refuse tensors in many ways.
        value = None
    on_tensors = isinstance(value, torch.Tensor)
    space = Measured(on, distance, on_tensors)
    found = space.distance(points, points[::-1].copy()) if callable(distance) else np.zeros(0)
    if found.shape != (3,) or not (np.isfinite(found) & (found >= 0)).all():
        raise ParameterError(
            "A distance gives one number for each pair of points.",
            got=f"{show(distance)}: {show(found)} for 3 pairs",
            need="a function of two batches of shape (n, *point) to n numbers >= 0",
            do="distance=lambda x, y: ((x - y) ** 2).sum(1) ** 0.5",
        )
    return space


@final
class Opaque:
    """A function of arrays as something that takes tensors; nothing is known about it.

    Parameters
    ----------
    function : callable
        From arrays to arrays.
    name : str
    gradient : callable, optional
        The same on tensors, differentiable.
    """

    def __init__(
        self,
        function: Callable[[np.ndarray], Any],
        name: str,
        gradient: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ):
        self.function, self.name, self.gradient = function, name, gradient

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The values, of the dtype of x; with a gradient only where one was given."""
        if x.requires_grad and torch.is_grad_enabled():
            if self.gradient is None:
                raise TypeError("a function of arrays has no gradient")
            return self.gradient(x)
        with np.errstate(all="ignore"):
            value = np.asarray(self.function(x.detach().numpy().copy()))
        kind = np.float64 if x.dtype == torch.float64 else np.float32
        value = np.array(value, dtype=kind)
        return torch.from_numpy(value.reshape(len(value), -1))

    def __repr__(self) -> str:
        return self.name


def evaluated(obj: Any, on: Space) -> Any:
    """What an attack evaluates in place of an object: a closed map, or a function of arrays.

    Raises
    ------
    OperandError
        When it is no map, transformer, module or function.
    UnboundError
        When it is not fitted.
    """
    if isinstance(obj, Opaque):
        return obj
    estimator = hasattr(obj, "fit") and hasattr(obj, "transform")
    if estimator and not isinstance(obj, FeatureMap | type) and not is_fitted(obj):
        raise UnboundError(
            f"This {type(obj).__name__} instance is not fitted yet.",
            got=show(obj),
            need="a fitted transformer: a claim is about one map",
            do="falsify(transformer.fit(X), goal, on=space)",
        )
    wrapped = None if isinstance(obj, type) else as_map(obj)
    if wrapped is None:
        raise OperandError(
            "A claim is made of a map.",
            got=show(obj),
            need="a map, a fitted transformer, a torch module, or a function of tensors or arrays",
            do="falsify(lambda x: x**3, pm.Injective, on=pm.Box([-1.0], [1.0]))",
        )
    closed = vars(wrapped).get("map_", wrapped)
    if not closed.closed:
        raise UnboundError(
            f"This {type(wrapped).__name__} instance is not fitted yet: it has no weights.",
            got=f"{wrapped!r}",
            need="a map that is bound to data: a claim is about one map",
            do="falsify(phi.bind(X), goal, on=space)",
        )
    plain = callable(obj) and not isinstance(obj, FeatureMap | torch.nn.Module) and not estimator
    return _of_arrays(obj, on) or closed if plain else closed


def _of_arrays(function: Callable[..., Any], on: Space) -> Opaque | None:
    """A function that takes arrays and no tensors."""
    points = on.sample(3, 0)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("error")
            if isinstance(function(torch.from_numpy(points.copy())), torch.Tensor):
                return None
    except Exception:
        # Functions of arrays refuse tensors in many ways.
        pass
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(function(points.copy()), dtype=np.float64)
    except Exception:
        # Neither: the error that tensors raise tells more.
        return None
    name = getattr(function, "__name__", type(function).__name__)
    return Opaque(function, name) if value.shape[:1] == (3,) else None
