"""Claims under attack inside checks: what is searched, remembered for a replay, and said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from ..errors import show
from ..property import Property
from ..spaces import Space
from .falsify import falsify
from .measured import Opaque, evaluated
from .probe import Probe
from .shrink import stands
from .subject import Instance
from .trial import Source, Trial

__all__ = ["attack", "written"]

# Claims with numbers need the searches that follow gradients.
LEAST = 0.5
# With more features than this a search looks at fewer points: all pairs of them are kept.
WIDE = 512

LAWS = {
    "Bounded": "|φ(x)| <= {} for all x in K",
    "Lipschitz": "|φ(x) - φ(y)| <= {} d(x, y) for all x, y in K",
    "LowerLipschitz": "|φ(x) - φ(y)| >= {} d(x, y) for all x, y in K",
}


@final
@dataclass(frozen=True)
class Sought(Source):
    """The points of a counterexample, as a search finds them; none where it finds none."""

    search: Callable[[], tuple[np.ndarray, ...]]

    def sample(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        return self.search()

    def strategy(self) -> Any:
        from hypothesis import strategies

        return strategies.builds(self.search)


def attack(trial: Trial, do: str) -> None:
    """Attack the claim of a trial, a property of the map on a space; fail with what is found.

    Parameters
    ----------
    trial : Trial
    do : str
        The repair.

    Raises
    ------
    CheckFailed, Skipped
    """
    claim: Property = trial.claim
    if not isinstance(claim, Property):
        trial.fail(
            f"The claim {show(claim)} is no property.",
            got=show(claim),
            need="a signed property, such as pm.Injective or pm.Lipschitz(2.0)",
            do="claims=[pm.Injective]",
        )
    probe = _probe(trial)
    found: list[Any] = []

    def search() -> tuple[np.ndarray, ...]:
        found.append(falsify(probe.phi, claim, probe.on, probe=probe))
        if found[0] is None or not found[0].certain:
            return ()
        points = found[0].points
        # A module computes in its own precision, and so are the points given again.
        cast = tuple(p.astype(trial.subject.dtype).astype(np.float64) for p in points)
        inside = bool(probe.on.contains(np.stack(cast)).all()) if cast else False
        return cast if inside and stands(probe, claim, cast) is not None else points

    points = tuple(np.asarray(p, dtype=np.float64) for p in trial.draw(Sought(search)))
    text = stands(probe, claim, points)
    if text is None and found and found[0] is not None:
        if not found[0].certain:
            trial.skip(f"{found[0].text}: that contradicts nothing for certain")
        text = found[0].text
    if text is not None:
        place = "; ".join(written(p) for p in points)
        trial.fail(
            f"{claim!r} is claimed, and it is false: {text}.",
            got=f"at {place}" if place else text,
            need=_law(claim),
            do=do,
        )


def _law(claim: Property) -> str:
    """What is claimed, in words."""
    if claim.bound is not None and claim.holds and claim.name in LAWS:
        return LAWS[claim.name].format(f"{claim.number:.9g}")
    # What it means of kernels and of classes stands behind what it means of maps.
    law = claim.definition.split("; of a ")[0]
    return law if claim.holds else f"not: {law}"


def written(point: np.ndarray) -> str:
    """A point in a message: all its numbers where they are few."""
    text = np.array2string(np.asarray(point), precision=17, threshold=12, separator=", ")
    return " ".join(text.split())


def _probe(trial: Trial) -> Probe:
    """The evaluations that all attacks on one object share."""
    # They hold the subject, so they live and end with it.
    kept: dict[Any, Probe] = vars(trial.subject).setdefault("_attacked", {})
    key = (trial.profile.budget, trial.seed)
    if key not in kept:
        on: Any = trial.subject.domain
        phi = _black_box(trial.fresh(), on)
        with torch.no_grad():
            width = phi.forward(torch.from_numpy(on.sample(2, 0))).flatten(1).shape[1]
        budget = max(trial.profile.budget, LEAST) * min(1.0, WIDE / max(width, 1))
        kept[key] = Probe(phi, on, trial.seed, max(budget, 0.1))
    return kept[key]


def _black_box(instance: Instance, on: Space) -> Any:
    """A map of this library with its formula, anything else as its user calls it."""
    subject = instance.subject
    if subject.kind == "map":
        return evaluated(instance.obj, on)

    def tensors(x: torch.Tensor) -> torch.Tensor:
        kind = torch.float32 if subject.dtype == np.float32 else x.dtype
        return instance.tensor(x.to(kind)).to(x.dtype).reshape(len(x), -1)

    def arrays(x: np.ndarray) -> np.ndarray:
        # Where a module is of single precision, numbers of double precision are rounded to it.
        return instance.features(x.astype(np.float32) if subject.dtype == np.float32 else x)

    gradient = tensors if subject.has("gradient") else None
    return Opaque(arrays, subject.name, gradient)
