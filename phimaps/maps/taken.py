"""Taking out of a forward pass what layers return, and what goes through their activations."""

from __future__ import annotations

import threading
import warnings
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import nn

from ..errors import OperandError, ParameterError, PhimapsError
from ..map import show
from .places import Place
from .tap import Event, watching

__all__ = ["Survey", "survey", "take"]

Pool = Callable[[torch.Tensor], torch.Tensor]
_LINEAR = (
    nn.modules.conv._ConvNd,
    nn.Linear,
    nn.Bilinear,
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
)


@final
@dataclass(frozen=True)
class Survey:
    """What one pass shows of the places.

    Parameters
    ----------
    shapes : list of tuple of int
        Of the pooled value of one item, for each place.
    stages : list of {None, "pre", "post"}
        Which side of an activation each value is.
    widest : int
        The most numbers that a module returned for one item.
    """

    shapes: list[tuple[int, ...]]
    stages: list[str | None]
    widest: int


class _Done(BaseException):
    """All that was wanted is there."""


def take(
    call: Callable[[torch.Tensor], Any],
    module: nn.Module,
    x: torch.Tensor,
    places: Sequence[Place],
    pool: Pool,
    hints: dict[Place, int],
) -> list[torch.Tensor]:
    """The pooled values at the places, by one forward pass that ends where all are there.

    Parameters
    ----------
    call : callable
        Runs the module.
    module : torch.nn.Module
        It has hooks while it runs.
    x : Tensor
    places : sequence of Place
        All different.
    pool : callable
        Applied to each value at once.
    hints : dict of int
        Which activation inside a layer its result came out of the last time, so that the inputs of
        the others need not be kept; what is found is entered.

    Raises
    ------
    ParameterError, OperandError
        Where a place is not reached, or has no such activation.
    """
    if all(p.stage is None for p in places):
        return _Returned(places, pool).of(call, module, x)
    first = _activated(call, module, x, places, pool, {p.layer for p in places}, hints)
    try:
        value = first.values()
    except PhimapsError:
        # Without hints, and with all modules watched, so that a message names those that matter.
        first = _activated(call, module, x, places, pool, None)
        value = first.values()
    hints.update({p: w.which for p, w in first.found.items() if w.which is not None})
    return value


def survey(
    call: Callable[[torch.Tensor], Any],
    module: nn.Module,
    x: torch.Tensor,
    places: Sequence[Place],
    pool: Pool,
) -> Survey:
    """What one pass shows of the places; parameters as in `take`."""
    taken = _activated(call, module, x, places, pool, None)
    shapes = [tuple(v.shape[1:]) for v in taken.values(warn=False)]
    parts = dict(module.named_modules())
    stages = []
    for place in places:
        linear = isinstance(parts[place.layer], _LINEAR)
        stages.append(place.stage or taken.found[place].stage or ("pre" if linear else None))
    return Survey(shapes, stages, taken.widest)


def _activated(
    call: Callable[[torch.Tensor], Any],
    module: nn.Module,
    x: torch.Tensor,
    places: Sequence[Place],
    pool: Pool,
    only: Collection[str] | None,
    hints: dict[Place, int] | None = None,
) -> _Activated:
    taken = _Activated(places, pool, hints or {})
    with watching(module, taken.see, taken.ended, taken.use, only):
        # A copy, as modules may write over what they are given.
        call(x.clone())
    return taken


@final
class _Returned:
    """What layers return, without watching anything else."""

    def __init__(self, places: Sequence[Place], pool: Pool):
        self.places, self.pool = places, pool
        self.thread = threading.get_ident()
        self.calls: Counter[str] = Counter()
        self.found: dict[Place, torch.Tensor] = {}
        self.error: PhimapsError | None = None

    def of(
        self, call: Callable[[torch.Tensor], Any], module: nn.Module, x: torch.Tensor
    ) -> list[torch.Tensor]:
        parts = dict(module.named_modules())
        handles = []
        try:
            for name in {p.layer for p in self.places}:
                handles.append(
                    parts[name].register_forward_hook(
                        lambda m, args, out, name=name: self.returned(name, out)  # type: ignore[misc]
                    )
                )
            call(x.clone())
        except _Done:
            pass
        finally:
            for handle in handles:
                handle.remove()
        if self.error is not None:
            raise self.error
        missing = [p for p in self.places if p not in self.found]
        if missing:
            raise _not_reached(missing[0], self.calls[missing[0].layer])
        return [self.found[p] for p in self.places]

    def returned(self, name: str, value: Any) -> None:
        if threading.get_ident() != self.thread:
            return
        place = Place(name, self.calls[name])
        self.calls[name] += 1
        if place not in self.places:
            return
        with torch._C.DisableTorchFunction():
            if not isinstance(value, torch.Tensor):
                self.error = _no_tensor(place, value)
                raise _Done
            kept = self.pool(value)
            last = len(self.found) + 1 == len(self.places)
            # What follows may write over it; nothing follows the last one.
            self.found[place] = kept.clone() if kept is value and not last else kept
        if last:
            raise _Done


@final
class _Wanted:
    """How far the search for one place has come."""

    def __init__(self, place: Place):
        self.place = place
        self.z: Event | None = None
        # How many activations there were inside, and the one that the result came out of.
        self.inside = 0
        self.order: dict[int, int] = {}
        self.which: int | None = None
        # By the number of an activation's result: that result, and what went in.
        self.inputs: dict[int, tuple[weakref.ref[torch.Tensor], Event]] = {}
        # The number of the event whose value must go into an activation next.
        self.origin: int | None = None
        self.began: int | None = None
        self.stage: str | None = None


@final
class _Activated:
    """The two sides of the activations that belong to layers."""

    def __init__(self, places: Sequence[Place], pool: Pool, hints: dict[Place, int]):
        self.places, self.pool, self.hints = places, pool, hints
        self.found = {p: _Wanted(p) for p in places}
        self.pending = list(self.found.values())
        self.held: dict[Place, Event | torch.Tensor] = {}
        self.results: dict[int, Event] = {}
        self.activations: dict[int, tuple[str, str, bool]] = {}
        self.calls: Counter[str] = Counter()
        self.unnamed: dict[str, Place] = {}
        self.error: PhimapsError | None = None
        self.widest = 0

    def ended(self, event: Event) -> bool:
        return self.error is not None or not self.pending

    def see(self, event: Event) -> None:
        if event.kind == "a":
            unnamed = event.rectifier and not event.named
            self.activations[event.number] = event.function, event.layer, unnamed
        elif event.kind == "out":
            self.calls[event.layer] += 1
            if isinstance(event.value, torch.Tensor) and event.value.numel():
                value = event.value
                self.widest = max(self.widest, value.numel() // (value.shape or (1,))[0])
        for wanted in list(self.pending):
            {"z": self._goes_in, "a": self._comes_out, "out": self._returned}[event.kind](
                wanted, event
            )

    def _goes_in(self, wanted: _Wanted, event: Event) -> None:
        place = wanted.place
        if place.stage == "pre" and (place.layer, place.call) in event.running:
            wanted.order[event.number + 1] = wanted.inside
            if self.hints.get(place, wanted.inside) == wanted.inside:
                wanted.z = event
            wanted.inside += 1
        if wanted.origin is not None and event.source == wanted.origin:
            wanted.began = event.number

    def _comes_out(self, wanted: _Wanted, event: Event) -> None:
        if wanted.z is not None:
            alive = {k: v for k, v in wanted.inputs.items() if v[0]() is not None}
            wanted.inputs = alive | {event.number: (weakref.ref(event.value), wanted.z)}
            wanted.z = None
        if wanted.began is not None and event.source == wanted.began:
            self._take(wanted, event, event.number)

    def _returned(self, wanted: _Wanted, event: Event) -> None:
        place = wanted.place
        if (event.layer, event.call) != (place.layer, place.call):
            return
        if not isinstance(event.value, torch.Tensor):
            self.error = _no_tensor(place, event.value)
            return
        source = event.source if event.source in self.activations else None
        wanted.stage = None if source is None else "post"
        if place.stage == "pre" and source is not None:
            if source in wanted.inputs:
                wanted.which = wanted.order[source]
                self._take(wanted, wanted.inputs[source][1], source)
            else:
                self.error = _handed_on(place, *self.activations[source][:2])
        elif place.stage == "post" and source is None:
            wanted.origin = event.number if event.source is None else event.source
        else:
            self._take(wanted, event, source)

    def _take(self, wanted: _Wanted, event: Event, source: int | None) -> None:
        place = wanted.place
        if source is not None and place.stage is not None and self.activations[source][2]:
            self.unnamed[self.activations[source][0]] = place
        kept = self.pool(event.value)
        # Of a held event the value stays what it is, whatever is written over it.
        self.held[place] = event if kept is event.value else kept
        wanted.inputs = {}
        self.pending.remove(wanted)

    def use(self, source: int, function: str, layer: str) -> bool:
        for wanted in self.pending:
            if wanted.origin == source:
                self.error = _goes_elsewhere(wanted.place, function, layer)
        return self.error is not None

    def values(self, warn: bool = True) -> list[torch.Tensor]:
        if self.error is not None:
            raise self.error
        for wanted in self.pending:
            if wanted.origin is not None:
                raise _goes_nowhere(wanted.place)
            raise _not_reached(wanted.place, self.calls[wanted.place.layer])
        for function, place in self.unnamed.items() if warn else ():
            warnings.warn(
                f"The activation of {place.title} is no ReLU by name: it is computed by "
                f"{function}, which comes to max(z, 0).",
                UserWarning,
                stacklevel=2,
            )
        held = [self.held[p] for p in self.places]
        return [h.value if isinstance(h, Event) else h for h in held]


# --- the four lines ---------------------------------------------------------------------------
def _start(place: Place) -> str:
    return place.title[0].upper() + place.title[1:]


def _asked(place: Place) -> str:
    stage = "" if place.stage is None else f", stage={place.stage!r}"
    return f"layer={place.layer!r}{f', call={place.call}' if place.call else ''}{stage}"


def _not_reached(place: Place, calls: int) -> PhimapsError:
    if calls:
        return ParameterError(
            f"The layer {place.layer!r} was called {calls} time{'s' * (calls != 1)}.",
            got=_asked(place),
            need=f"call < {calls}; the first call is 0",
            do=f"layer={str(Place(place.layer, calls - 1))!r}, the last call",
        )
    return ParameterError(
        f"The forward pass did not call the layer {place.layer!r}.",
        got=_asked(place),
        need="a layer that the module calls on such input",
        do="a layer around it; pm.cnn.trace(module, x) lists what is called",
    )


def _no_tensor(place: Place, value: Any) -> PhimapsError:
    inside = isinstance(value, tuple | list)
    shown = f"{type(value).__name__} of {len(value)}" if inside else type(value).__name__
    return OperandError(
        f"{_start(place)} does not return a tensor.",
        got=f"a {shown}" if inside else f"{show(value) if value is None else shown}",
        need="a layer that returns one tensor",
        do="a layer inside it, or after it",
    )


def _handed_on(place: Place, function: str, layer: str) -> PhimapsError:
    return ParameterError(
        f"{_start(place)} returns what came out of {function} before it.",
        got=_asked(place),
        need="an activation inside the layer, or none before it",
        do=f"layer={layer!r}, where {function} is called",
    )


def _goes_elsewhere(place: Place, function: str, layer: str) -> PhimapsError:
    other = f"layer={layer!r}, or " if layer else ""
    return ParameterError(
        f"What {place.title} returns goes into {function} before any activation.",
        got=f"{_asked(place)}; {function} is called "
        + ("by the whole module" if not layer else f"by {layer!r}"),
        need="a layer whose very result goes into the activation",
        do=f"{other}stage='pre' for what it returns",
    )


def _goes_nowhere(place: Place) -> PhimapsError:
    return ParameterError(
        f"No activation is applied to what {place.title} returns.",
        got=_asked(place),
        need="a layer whose very result goes into the activation",
        do="stage='pre' for what it returns",
    )
