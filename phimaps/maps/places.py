"""Which call of which layer is meant, by its name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, final

import torch

from ..errors import OperandError, ParameterError, show
from ..ingest import brief_names

__all__ = ["Place", "place_of"]


@final
@dataclass(frozen=True)
class Place:
    """One call of one layer, and which side of its activation is meant.

    Parameters
    ----------
    layer : str
        As in ``named_modules()``; the whole module is ``""``.
    call : int
    stage : {None, "pre", "post"}
    """

    layer: str
    call: int = 0
    stage: str | None = None

    @property
    def title(self) -> str:
        """What a message calls it."""
        return f"the layer {str(self)!r}" if self.layer else "the module"

    def __str__(self) -> str:
        return f"{self.layer}@{self.call}" if self.call else self.layer


def place_of(module: torch.nn.Module, name: Any, call: int, stage: str | None) -> Place:
    """The place that a name stands for.

    Parameters
    ----------
    module : torch.nn.Module
    name : str or None
        As in ``named_modules()``, ``"name@k"`` for the k-th call; None is the whole module.
    call : int
        Which call, where the name does not say so.
    stage : {None, "pre", "post"}

    Raises
    ------
    ParameterError
        For a name that the module does not have.
    OperandError
        For layers that cannot be watched.

    Examples
    --------
    >>> str(place_of(torch.nn.Sequential(torch.nn.ReLU()), "0@1", 0, "post"))
    '0@1'
    """
    first = {id(part): known for known, part in module.named_modules()}
    parts = dict(module.named_modules(remove_duplicate=False))
    asked = "" if name is None else name
    if isinstance(name, str) and name not in parts and "@" in name:
        stem, _, number = name.rpartition("@")
        if number.isdecimal():
            asked, call = stem, int(number)
    if not isinstance(asked, str) or asked not in parts:
        near = difflib.get_close_matches(str(asked), parts, n=3, cutoff=0.5)
        raise ParameterError(
            f"The module has no layer {show(asked)}.",
            got=f"layer={show(name)} for a {type(module).__name__} of {len(parts) - 1} layers",
            need="a name as in module.named_modules()",
            do=f"did you mean {' or '.join(map(repr, near))}?"
            if near
            else f"one of {brief_names([p for p in parts if p])}",
        )
    # A module that stands under two names is one layer, which is called twice.
    place = Place(first[id(parts[asked])], call, stage)
    _check_kind(module, parts, place.layer)
    return place


def _check_kind(module: torch.nn.Module, parts: dict[str, Any], layer: str) -> None:
    around = [p for name, p in parts.items() if not name or f"{layer}.".startswith(f"{name}.")]
    kinds = {
        "scripted": any(isinstance(p, torch.jit.ScriptModule) for p in around),
        "quantised": any(".quantized" in type(p).__module__ for p in parts.values())
        or any(t.is_quantized for t in (*module.parameters(), *module.buffers())),
    }
    for kind, holds in kinds.items():
        if holds:
            raise OperandError(
                f"The module is {kind}: its layers cannot be watched.",
                got=f"layer={layer!r} of {type(module).__name__}",
                need="a module in floating-point numbers whose layers are called from Python",
                do="the module that it was made from; or pm.from_torch(module) for its output",
            )
