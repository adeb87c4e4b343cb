"""Laws of single objects with others: the inverse, and the algebra of maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ...map import Compose, Concat, FeatureMap, Scale, Sum, Tensor
from ...maps.affine import Diagonal
from ..check import register_check
from ..trial import Trial

__all__ = ["check_algebra", "check_inverse", "check_parts"]


@register_check(claim="inverse", needs=("numbers",))
def check_inverse(trial: Trial) -> None:
    """The inverse brings back the rows from their features."""
    instance, X = trial.fresh(), trial.rows()
    back = _inverse(trial, instance.obj)
    features = np.asarray(instance(X))
    found = np.asarray(back(features), dtype=np.float64)
    if found.shape != X.shape:
        trial.fail(
            "The inverse gives rows of another shape.",
            got=f"shape {found.shape} for rows of shape {X.shape}",
            need="the rows themselves",
            do="return what transform was given",
        )
    slack = trial.tolerance(instance, X).reshape(features.shape)
    rng, spread = np.random.default_rng(0), np.zeros_like(found)
    for _ in range(6):
        moved = features + np.where(rng.random(features.shape) < 0.5, -1.0, 1.0) * slack
        near = np.asarray(back(moved.astype(features.dtype)), dtype=np.float64)
        # Just outside of the image the inverse may have no value: there it says nothing.
        spread = np.fmax(spread, np.abs(near - found))
    eps = float(np.finfo(trial.subject.dtype).eps)
    size = np.abs(X).max(axis=tuple(range(1, X.ndim)), keepdims=True).astype(np.float64)
    trial.close(
        found.reshape(len(X), -1),
        np.asarray(X, dtype=np.float64).reshape(len(X), -1),
        (8 * spread + 64 * eps * size).reshape(len(X), -1),
        what="The inverse does not bring the rows back.",
        do="undo the steps in the opposite order; do not claim an inverse where points are merged",
    )


def _inverse(trial: Trial, obj: Any) -> Callable[[Any], Any]:
    if callable(trial.claim):
        return trial.claim
    if hasattr(obj, "inverse_transform"):
        return obj.inverse_transform
    inverse: Any = getattr(obj, "inverse", None)
    if not callable(inverse):
        trial.fail(
            "An inverse is claimed, and there is none.",
            got=f"{trial.subject.name} without inverse_transform",
            need="a method inverse_transform or inverse, or the inverse itself",
            do="claims={'inverse': function}",
        )
    return lambda features: inverse(features)


# --- the algebra -------------------------------------------------------------------------------
@register_check(needs=("map", "numbers"), once=True)
def check_parts(trial: Trial) -> None:
    """A composite is what its parts are, in their order."""
    phi, x = _closed(trial), _points(trial)
    if not isinstance(phi, Compose | Concat | Scale | Sum | Tensor):
        trial.skip("it is no composite")
    with torch.no_grad():
        found = phi.forward(x).flatten(1)
        if isinstance(phi, Compose):
            expected = x
            for part in phi.maps:
                expected = part.forward(expected)
        elif isinstance(phi, Concat):
            expected = torch.cat([part.forward(x).flatten(1) for part in phi.maps], dim=1)
        elif isinstance(phi, Sum):
            expected = torch.stack([part.forward(x) for part in phi.maps]).sum(dim=0)
        elif isinstance(phi, Tensor):
            # All products of one feature of each part, the last part running fastest.
            expected = torch.ones(len(x), 1, dtype=x.dtype)
            for part in phi.maps:
                features = part.forward(x).flatten(1)
                expected = (expected[:, :, None] * features[:, None, :]).flatten(1)
        else:
            expected = phi.map.forward(x) * float(phi.factor)
    _same(trial, found, expected.flatten(1), "The composite differs from its parts.", x)


@register_check(needs=("map", "numbers"), once=True)
def check_algebra(trial: Trial) -> None:
    """Multiples, sums, concatenations and compositions are those of the values."""
    phi, x = _closed(trial), _points(trial)
    with torch.no_grad():
        value = phi.forward(x)
        shape = value.shape[1:]
        built: list[tuple[str, FeatureMap, torch.Tensor]] = [
            ("2 φ", 2.0 * phi, 2 * value),
            ("φ + φ", phi + phi, value + value),
            ("φ & φ", phi & phi, torch.cat([value.flatten(1)] * 2, dim=1)),
        ]
        if len(shape) == 1:
            weight = np.linspace(-1.0, 2.0, shape[0])
            back = weight[::-1].copy()
            first, second = Diagonal(weight, 0 * back + 1), Diagonal(back, 0 * back)
            wanted = (value * torch.from_numpy(weight) + 1) * torch.from_numpy(back)
            built.append(("(C @ B) @ φ", (second @ first) @ phi, wanted))
            built.append(("C @ (B @ φ)", second @ (first @ phi), wanted))
        for name, made, expected in built:
            found = made.forward(x)
            _same(trial, found.flatten(1), expected.flatten(1), f"{name} is not what it says.", x)


def _closed(trial: Trial) -> Any:
    obj = trial.fresh().obj
    return vars(obj).get("map_", obj)


def _points(trial: Trial) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(trial.domain.sample(16, trial.seed)))


def _same(
    trial: Trial, found: torch.Tensor, expected: torch.Tensor, what: str, x: torch.Tensor
) -> None:
    a, b = found.double().numpy(), expected.double().numpy()
    slack = 4 * trial.tolerance(trial.fresh(), x.numpy())
    # What was rounded in another order, by a few last digits of the greatest value.
    size = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    room = float(slack.max(initial=0.0)) * 4 + 64 * np.finfo(np.float64).eps * float(size)
    trial.close(a, b, room, what=what, do="report it: the algebra of maps is at fault")
