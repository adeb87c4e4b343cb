"""The claim that a model class stays universal behind the map."""

from __future__ import annotations

import numpy as np
import torch

from ...check.universality import universality
from ...errors import PhimapsError, show
from ...map import FeatureMap
from ...maps.foreign import from_function
from ..check import register_check
from ..subject import Instance
from ..trial import Trial

__all__ = ["check_universal"]

# Seconds of processor time for a budget of 1.
SECONDS = 2.0


@register_check(claim="universal", needs=("numbers", "space"), once=True)
def check_universal(trial: Trial) -> None:
    """Behind the map the model class is not refuted to be universal: numbers, no property."""
    if not trial.domain.compact:
        trial.skip("universality is measured on a compact domain")
    model = trial.claim
    if not hasattr(model, "__matmul__") or not hasattr(model, "facts"):
        trial.fail(
            "Universality is claimed of a model class behind the map.",
            got=f"universal={show(model)}",
            need="a class of phimaps.models",
            do="claims={'universal': pm.models.MLP()}",
        )
    seconds = SECONDS * min(trial.profile.budget, 5.0)
    pulled = model @ _as_map(trial.fresh())
    try:
        report = universality(pulled, trial.domain, budget=seconds, random_state=trial.seed)
    except PhimapsError as error:
        trial.skip(f"it cannot be measured: {str(error).splitlines()[0]}")
    if report.verdict.startswith("refuted"):
        witness = "" if report.witness is None else f": {report.witness}"
        trial.fail(
            f"Behind the map {model!r} is not universal on the domain.",
            got=f"{report.verdict}{witness}",
            need="functions f∘φ that come near to every continuous function",
            do="keep what tells points apart: Identity() & φ is injective",
        )
    if report.verdict == "inconclusive":
        trial.skip("inconclusive: " + ("; ".join(report.notes) or "no error was small enough"))


def _as_map(instance: Instance) -> FeatureMap:
    """The map itself, anything else as a function of tensors that calls it as its user does."""
    subject = instance.subject
    if subject.kind == "map":
        fitted: FeatureMap = vars(instance.obj).get("map_", instance.obj)
        return fitted

    def value(x: torch.Tensor) -> torch.Tensor:
        if x.requires_grad and torch.is_grad_enabled() and subject.has("gradient"):
            kind = torch.float32 if subject.dtype == np.float32 else x.dtype
            return instance.tensor(x.to(kind)).to(x.dtype).reshape(len(x), -1)
        features = instance.features(x.detach().numpy().astype(subject.dtype))
        return torch.from_numpy(features).to(x.dtype)

    value.__name__ = subject.name
    return from_function(value)
