"""Every stage of a forward pass by its name: x, z1, a1, z2, a2, ..."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from ..errors import ParameterError, show
from ..maps.network import Network
from .stages import Passed, as_followed, follow, warn_unnamed
from .unit import as_batch

__all__ = ["Stage", "Trace", "trace"]


@final
@dataclass(frozen=True)
class Stage:
    """What one layer gives.

    Parameters
    ----------
    name : str
        x the input; z1, a1, z2, a2, ... what goes into and comes out of the k-th activation, or,
        for a last layer that has none, what it gives; p1, p2, ... what pools give; h1, h2, ...
        anything else.
    layer : str
        The part of the map, or the module, that gave it.
    kind : {"input", "pre", "post", "pooled", "other"}
    value : ndarray of shape (n, *shape)
    """

    name: str
    layer: str
    kind: str
    value: np.ndarray


@final
class Trace:
    """The stages of a forward pass, in the order in which they were computed; see `trace`."""

    def __init__(self, stages: tuple[Stage, ...]):
        self.stages = stages

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    def __getitem__(self, name: str) -> Stage:
        """The stage of that name.

        Raises
        ------
        ParameterError
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        names = [s.name for s in self.stages]
        near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.0)[0]
        raise ParameterError(
            f"There is no stage {show(name)} in this forward pass.",
            got=show(name),
            need=f"one of {', '.join(names)}",
            do=f"trace[{near!r}]",
        )

    def __str__(self) -> str:
        rows = [("name", "layer", "kind", "shape", "least", "greatest")]
        for s in self.stages:
            # Adding 0 leaves no sign of a negative zero.
            least, greatest = float(s.value.min()) + 0.0, float(s.value.max()) + 0.0
            shape = " x ".join(map(str, s.value.shape[1:]))
            rows.append((s.name, s.layer, s.kind, shape, f"{least:.3g}", f"{greatest:.3g}"))
        return columns(rows, right=2)

    def __repr__(self) -> str:
        return f"Trace({', '.join(s.name for s in self.stages)})"


def columns(rows: Sequence[tuple[str, ...]], right: int) -> str:
    """The rows as lines of text, the last `right` columns aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = len(widths) - right
    lines = (
        "  ".join(
            f"{text:<{width}}" if i < left else f"{text:>{width}}"
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def trace(phi: Any, x: Any) -> Trace:
    """x, z1, a1, z2, a2, ...: every stage of φ(x) by its name.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Closed, or fitted. Compositions are followed part by part, concatenations and sums branch
        by branch, modules through whatever they call, with activations told by what is called. A
        module runs in evaluation mode and is left as it is.
    x : array or tensor of shape (channels, height, width) or (n, channels, height, width)
        Images; bytes become numbers from 0 to 1.

    Returns
    -------
    Trace
        Its stages in order; ``trace["a1"]`` is one of them, ``str(trace)`` a table. It holds
        copies of all values.

    Raises
    ------
    OperandError, UnboundError, ShapeError

    Warns
    -----
    UserWarning
        Where no ReLU is called but clamps or maxima compute max(z, 0); they count as activations.

    Notes
    -----
    a_k is always the activation of z_k. Where a batch normalization stands between a convolution
    and its activation, z_k is what the normalization gives, and the convolution's own output is an
    h. Of a sum that is rectified (a residual block) z_k is the sum.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.GlobalPool("max") @ pm.Relu() @ pm.Conv2d([[[[-1.0, 1.0]]], [[[1.0, -1.0]]]])
    >>> found = trace(phi, [[[0.0, 0.0, 5.0]]])
    >>> print(found)
    name  layer       kind    shape      least  greatest
    x     x           input   1 x 1 x 3      0         5
    z1    conv2d      pre     2 x 1 x 2     -5         5
    a1    relu        post    2 x 1 x 2      0         5
    p1    globalpool  pooled  2              0         5
    >>> found["a1"].value[0, :, 0]
    array([[0., 5.],
           [0., 0.]])
    """
    closed = as_followed(phi, "trace")
    batch = as_batch(x, "trace")
    steps: list[Passed] = []
    kept: list[np.ndarray] = []

    def see(step: Passed) -> None:
        steps.append(step)
        # A copy: what follows may work in place.
        kept.append(_array(step.value))

    with torch.no_grad():
        follow(closed, batch, see)
    warn_unnamed(steps, "trace")
    last = isinstance(closed, Network) and len(kept) > 1 and _same(kept[-1], kept[-2])
    if last:
        del steps[-1], kept[-1]
    named = zip(_names(steps), steps, kept, strict=True)
    return Trace(tuple(Stage(n, s.layer, kind, value) for (n, kind), s, value in named))


def _array(value: torch.Tensor) -> np.ndarray:
    plain = value if value.dtype in (torch.float32, torch.float64) else value.float()
    return plain.detach().cpu().numpy().copy()


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def _names(steps: list[Passed]) -> list[tuple[str, str]]:
    """A name and a kind for each step."""
    activated = {s.source for s in steps if s.role == "activation" and s.source is not None}
    fed = {s.source for s in steps if s.role == "linear" and s.source is not None}
    last = max((i for i, s in enumerate(steps) if s.role == "activation"), default=-1)
    result: dict[int, tuple[str, str]] = {}
    pairs = pools = others = 0
    for i, step in enumerate(steps):
        following = steps[i + 1] if i + 1 < len(steps) else None
        # A module's own steps do not say what they were computed of.
        goes_on = following and following.role == "linear" and following.source is None
        ends = step.role == "linear" and i not in fed and not goes_on and i > last
        if step.role == "input":
            result[i] = "x", "input"
        elif step.role == "activation":
            before = result[step.source][0] if step.source is not None else ""
            if before.startswith("z") and f"a{before[1:]}" not in {n for n, _ in result.values()}:
                result[i] = f"a{before[1:]}", "post"
            else:
                pairs += 1
                result[i] = f"a{pairs}", "post"
        elif i in activated or ends:
            pairs += 1
            result[i] = f"z{pairs}", "pre"
        elif step.role == "pooled":
            pools += 1
            result[i] = f"p{pools}", "pooled"
        else:
            others += 1
            result[i] = f"h{others}", "other"
    return [result[i] for i in range(len(steps))]
