"""Training of arrays together with a linear model of the features that they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import cos, pi
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Real, StrOptions
from sklearn.utils._param_validation import Interval as Range

from ..drawn import RANDOM_STATE
from ..errors import InputError, ParameterError, show

__all__ = ["SETTINGS", "Goal", "diverged", "goal", "trained"]

_COUNT = Range(Integral, 1, None, closed="left")
SETTINGS: dict[str, Any] = {
    "loss": [StrOptions({"auto", "ridge", "logistic"})],
    "n_epochs": [_COUNT],
    "batch_size": [_COUNT],
    "learning_rate": [Range(Real, 0, None, closed="neither")],
    "alpha": [Range(Real, 0, None, closed="left")],
    "random_state": RANDOM_STATE,
}


@final
@dataclass(frozen=True)
class Goal:
    """What the linear model is to give.

    Parameters
    ----------
    values : ndarray
        Classes as integers of shape (n,), or standardized numbers of shape (n, outputs).
    outputs : int
        How many numbers the linear model gives.
    logistic : bool
        Whether they are scores of classes.
    """

    values: np.ndarray
    outputs: int
    logistic: bool

    def loss(self, scores: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """The mean loss of the scores on some rows."""
        if self.logistic:
            return torch.nn.functional.cross_entropy(scores, values)
        return ((scores - values) ** 2).mean()


def goal(owner: Any, y: Any, n: int, loss: str) -> Goal:
    """The target that a map was given, read by its loss.

    Parameters
    ----------
    owner : FeatureMap
    y : array-like of shape (n,) or (n, outputs)
    n : int
        The number of rows.
    loss : {"auto", "ridge", "logistic"}

    Raises
    ------
    InputError
        When there is not one value for each row, a number is not finite, or values are no numbers
        where numbers are needed.
    """
    values = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
    name = type(owner).__name__
    if values.ndim not in (1, 2) or len(values) != n:
        raise InputError(
            f"The target of {name} does not have one value for each of the {n} rows.",
            got=f"y={show(values)}",
            need=f"shape ({n},) or ({n}, outputs)",
            do=f"{name}().fit(X, y) with the target of the same rows",
        )
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    logistic = loss == "logistic" or (loss == "auto" and values.dtype.kind not in "fc")
    if logistic and values.ndim == 1 and not _missing(values):
        classes, codes = np.unique(values, return_inverse=True)
        return Goal(codes.astype(np.int64), len(classes), True)
    try:
        numbers = values.astype(np.float64).reshape(n, -1)
    except (TypeError, ValueError):
        numbers = np.full((n, 1), np.nan)
    if logistic or values.dtype.kind == "c" or not np.isfinite(numbers).all():
        raise InputError(
            f"{name} cannot be trained for this target by the loss {loss!r}.",
            got=f"y={show(values)}",
            need="finite numbers, or one label for each row for the logistic loss",
            do=f"{name}(loss='ridge') for numbers, y of shape (n,) for labels",
        )
    spread = numbers.std(axis=0)
    centred = (numbers - numbers.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return Goal(centred, centred.shape[1], False)


def _missing(values: np.ndarray) -> bool:
    if values.dtype.kind == "f":
        return not bool(np.isfinite(values).all())
    return values.dtype.kind == "O" and any(v is None or v != v for v in values)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order whatever the number of cores; batches are too small to share out."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def trained(
    owner: Any,
    x: torch.Tensor,
    wanted: Goal,
    start: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """The arrays after training by Adam, together with a linear model of the features.

    Parameters
    ----------
    owner : Trained
        Gives ``features(x, arrays)``, and the settings.
    x : Tensor of shape (n, d), float64
    wanted : Goal
    start : sequence of ndarray
    rng : numpy.random.Generator
        Of the order of the rows.

    Returns
    -------
    list of ndarray

    Raises
    ------
    ParameterError
        When training diverges.
    """
    # The caller may have turned gradients off.
    with _one_thread(), torch.inference_mode(False), torch.enable_grad():
        x = x.clone()
        values = torch.from_numpy(wanted.values).to(x.device)
        arrays = [torch.tensor(a, device=x.device, requires_grad=True) for a in start]
        with torch.no_grad():
            width = owner.features(x[:1], arrays).shape[1]
        weight = torch.zeros((width, wanted.outputs), dtype=x.dtype, device=x.device)
        bias = torch.zeros(wanted.outputs, dtype=x.dtype, device=x.device)
        readout = [weight.requires_grad_(), bias.requires_grad_()]
        adam = torch.optim.Adam([*arrays, *readout], lr=owner.learning_rate)
        size = min(owner.batch_size, len(x))
        steps = owner.n_epochs * (len(x) // size)
        done = 0
        for _ in range(owner.n_epochs):
            order = torch.from_numpy(rng.permutation(len(x))).to(x.device)
            # What is left over comes in another epoch's batches.
            for i in range(0, len(x) - size + 1, size):
                rows = order[i : i + size]
                adam.param_groups[0]["lr"] = owner.learning_rate * (1 + cos(pi * done / steps)) / 2
                adam.zero_grad()
                scores = owner.features(x[rows], arrays) @ weight + bias
                loss = wanted.loss(scores, values[rows]) + owner.alpha * (weight**2).sum()
                if not bool(loss.isfinite()):
                    raise diverged(owner, "a loss that is not finite")
                loss.backward()
                adam.step()
                done += 1
        found = [a.detach().cpu().numpy() for a in arrays]
    if not all(np.isfinite(a).all() for a in found):
        raise diverged(owner, "arrays that are not finite")
    return found


def diverged(owner: Any, got: str) -> ParameterError:
    """The error that says so."""
    return ParameterError(
        f"The training of {type(owner).__name__} diverged.",
        got=f"{got}, with learning_rate={owner.learning_rate:g}",
        need="arrays that stay in range",
        do=f"set_params(learning_rate={owner.learning_rate / 10:g})",
    )
