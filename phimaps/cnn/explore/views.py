"""What the page shows of a map: its layers, each with z, a, and the map that computes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from ...errors import ParameterError, PhimapsError, show
from ...map import Assume, Compose, FeatureMap, On
from ...maps.conv import Conv2d
from ...maps.foreign import from_function
from ...maps.network import Network
from ..stages import Passed, follow
from ..trace import Stage, Trace

__all__ = ["View", "views"]


@final
@dataclass(frozen=True)
class View:
    """One layer on the page.

    Parameters
    ----------
    name : str
        Of its last stage: a1, p1, ...
    label : str
        The layer's name in the map.
    z, a : ndarray of shape (n, channels, height, width), or None
        What goes into the activation function and what comes out of it; of another stage `z` is
        its value. Of a vector every number is a channel of one place.
    words, kinds : dict
        The names and the kinds of the stages, by "z" and "a".
    phi : FeatureMap
        The map up to z.
    flat : bool
        Whether the stage is a vector.
    weight : ndarray or None
        The filters that z was computed with.
    """

    name: str
    label: str
    z: np.ndarray
    a: np.ndarray | None
    words: dict[str, str]
    kinds: dict[str, str]
    phi: FeatureMap
    flat: bool
    weight: np.ndarray | None

    @property
    def rectified(self) -> bool:
        """Whether a = max(z, 0)."""
        return self.a is not None and np.array_equal(self.a, np.maximum(self.z, 0))


def views(
    closed: FeatureMap, traced: Trace, x: torch.Tensor, layers: list[str] | None
) -> tuple[list[View], list[str]]:
    """The layers to show, and a note on each that cannot be.

    Parameters
    ----------
    closed : FeatureMap
    traced : Trace
        Of the images x.
    x : Tensor of shape (n, channels, height, width)
    layers : list of str, optional
        Names of stages or of layers. Default: every layer with an activation, and a last one
        without.

    Raises
    ------
    ParameterError
    """
    stages = list(traced)
    found, notes = [], []
    for z, a in _alike(_chosen(stages, layers)):
        last = a or z
        phi = _upto(closed, z, a, x)
        if phi is None or z.value.ndim not in (2, 4):
            notes.append(f"{last.name} ({last.layer}) is not drawn: {_why(z, phi)}.")
            continue
        both = {"z": z} | ({"a": a} if a else {})
        found.append(
            View(
                last.name,
                z.layer,
                _placed(z.value),
                _placed(a.value) if a else None,
                {letter: s.name for letter, s in both.items()},
                {letter: s.kind for letter, s in both.items()},
                phi,
                z.value.ndim == 2,
                _weight(closed, z),
            )
        )
    if not found:
        raise ParameterError(
            "explorer found no layer to show.",
            got=f"stages {', '.join(s.name for s in stages)}" + "".join(f"; {n}" for n in notes),
            need="a layer of images or vectors that the map computes on its way",
            do="print(pm.cnn.trace(phi, images))",
        )
    return found, notes


def _placed(value: np.ndarray) -> np.ndarray:
    """Maps of channels; every number of a vector is a channel with one place."""
    return value if value.ndim == 4 else value[:, :, None, None]


def _chosen(stages: list[Stage], layers: list[str] | None) -> list[tuple[Stage, Stage | None]]:
    by_name = {s.name: s for s in stages}
    pairs: dict[str, tuple[Stage, Stage | None]] = {}
    for stage in stages:
        if stage.kind == "pre":
            pairs[stage.name] = stage, by_name.get(f"a{stage.name[1:]}")
        elif stage.kind == "post" and f"z{stage.name[1:]}" in by_name:
            pairs[stage.name] = by_name[f"z{stage.name[1:]}"], stage
        elif stage.kind != "input":
            pairs[stage.name] = stage, None
    if layers is None:
        wanted = [s for s in stages if s.kind == "pre"] or stages[-1:]
        return [pairs[s.name] for s in wanted if s.name in pairs]
    chosen: dict[str, tuple[Stage, Stage | None]] = {}
    for name in layers:
        fits = [s for s in stages if name in (s.name, s.layer) and s.name in pairs]
        if not fits:
            known = ", ".join(f"{s.name} ({s.layer})" for s in stages if s.name in pairs)
            raise ParameterError(
                f"There is no layer {show(name)} to explore.",
                got=f"layers={show(layers)}",
                need=f"names among {known}",
                do=f"layers=[{stages[-1].name!r}]",
            )
        for s in fits:
            z, a = pairs[s.name]
            chosen[z.name] = z, a
    return list(chosen.values())


def _alike(
    pairs: list[tuple[Stage, Stage | None]],
) -> Iterator[tuple[Stage, Stage | None]]:
    """Pairs whose maps belong together, channel by channel; others one by one, as of CReLU."""
    for z, a in pairs:
        if a is not None and a.value.shape != z.value.shape:
            yield z, None
            yield a, None
        else:
            yield z, a


def _why(z: Stage, phi: FeatureMap | None) -> str:
    if phi is None:
        return "it is not the same when the map runs again"
    return f"its shape {z.value.shape[1:]} is neither that of images nor of vectors"


# --- the map up to a stage -----------------------------------------------------------------------


def _upto(closed: FeatureMap, z: Stage, a: Stage | None, x: torch.Tensor) -> FeatureMap | None:
    """The map that computes z, checked against the value that was seen on the way."""
    seen = z.value[:1]
    reach = float(np.abs(seen).max(initial=0.0)) or 1.0
    for candidate in (*_candidates(closed, z, a), _followed(closed, seen, x)):
        if candidate is None:
            continue
        try:
            # With gradients on, a network computes as it stands, and prepares no faster way.
            with torch.enable_grad():
                value = candidate.forward(x[:1]).detach().cpu().numpy()
        except PhimapsError:
            # A layer that returns no tensor, or goes into no activation.
            continue
        # Folding moves rounding; another stage differs by far more.
        if value.shape == seen.shape and np.abs(value - seen).max() <= 1e-3 * reach:
            return candidate
    return None


def _candidates(closed: FeatureMap, z: Stage, a: Stage | None) -> Iterator[FeatureMap]:
    closed = _bare(closed)
    if isinstance(closed, Compose):
        names = [name for name, _ in closed.named()]
        if z.layer in names:
            end = names.index(z.layer) + 1
            yield Compose(closed.maps[:end]) if end > 1 else closed.maps[0]
        return
    if isinstance(closed, Network):
        before = [] if a is None else [(a.layer, "pre")]
        for layer, stage in (*before, (z.layer, "pre"), (z.layer, None), (z.layer, "post")):
            given = {n: getattr(closed, n) for n in ("mean", "std", "in_shape", "precision")}
            yield Network(closed.module, layer=layer, stage=stage, **given)
    yield closed


def _followed(closed: FeatureMap, seen: np.ndarray, x: torch.Tensor) -> FeatureMap | None:
    """The map that computes φ, and of that the step that gave the value which was seen."""
    apart: dict[int, float] = {}

    def compare(step: Passed) -> None:
        value = step.value.detach().cpu().numpy()
        if value.shape == seen.shape:
            # Not bit by bit: rounding depends on how many images go together.
            apart[step.number] = float(np.abs(value - seen).max(initial=0.0))

    with torch.no_grad():
        follow(closed, x[:1], compare)
    if not apart:
        return None
    wanted = min(apart, key=lambda number: apart[number])

    def stage(images: torch.Tensor) -> torch.Tensor:
        kept: list[torch.Tensor] = []
        # A copy: what follows may work in place.
        follow(
            closed,
            images,
            lambda s: kept.append(s.value.clone()) if s.number == wanted else None,
        )
        return kept[0]

    return from_function(stage)


def _bare(phi: FeatureMap) -> FeatureMap:
    """The map without what is only said about it."""
    while isinstance(phi, Assume | On):
        phi = phi.map
    return phi


def _weight(closed: FeatureMap, z: Stage) -> np.ndarray | None:
    """The filters of the layer, where it is a convolution."""
    closed = _bare(closed)
    if isinstance(closed, Network):
        modules = dict(closed.module.module.named_modules())
        module = modules.get(z.layer.partition("@")[0])
        if not isinstance(module, torch.nn.Conv2d):
            return None
        return module.weight.detach().cpu().double().numpy()
    parts = dict(closed.named()) if isinstance(closed, Compose) else {z.layer: closed}
    part: Any = parts.get(z.layer)
    return part.array("weight") if isinstance(part, Conv2d) else None
