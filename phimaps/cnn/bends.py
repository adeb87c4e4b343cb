"""Where a graph of gradients bends: its steps that are neither linear nor a greatest value.

A rule for ReLU is only as good as the ReLUs that it sees. What it missed stands in the graph that
torch recorded, under the name of what was computed and not of how it was spelled.
"""

from __future__ import annotations

import re
from typing import Any

import torch

__all__ = ["bends"]

# What torch calls the backward step of linear maps (batch normalisation being in evaluation mode).
_LINEAR = """
    AccumulateGrad AdaptiveAvgPool2D Add Alias AsStrided AvgPool2D AvgPool3D Cat Clone ConstantPadNd
    Copy CopySlices CudnnBatchNorm CudnnConvolution Diagonal Expand Flip Gather Im2Col Col2Im Index
    IndexSelect Mean MkldnnConvolution MkldnnLinear NativeBatchNorm Neg Permute PixelShuffle
    PixelUnshuffle ReflectionPad2D Repeat ReplicationPad2D ReshapeAlias Roll Select Slice Split
    SplitWithSizes Squeeze Stack Sub Sum SwapAxes T ToCopy Transpose Unbind UnsafeSplit UnsafeView
    Unsqueeze UpsampleBicubic2D UpsampleBilinear2D UpsampleNearest2D View
"""
# Linear as long as x reaches only one of their factors.
_PRODUCTS = "Addmm Baddbmm Bmm Convolution Linear Mm Mul Mv ThnnConv2D"
# They send what comes back to the place of the greatest value: switches.
_GREATEST = "AdaptiveMaxPool2D Amax Max MaxPool2DWithIndices MaxPool3DWithIndices"

LINEAR, PRODUCTS, GREATEST = (frozenset(t.split()) for t in (_LINEAR, _PRODUCTS, _GREATEST))


def bends(value: torch.Tensor, x: torch.Tensor, known: str) -> list[str]:
    """The names of what bends between x and a value, in the order of the alphabet.

    Parameters
    ----------
    value : Tensor
        With its graph.
    x : Tensor
        A leaf of the graph.
    known : str
        The name of the autograd function that is not to be reported.

    Examples
    --------
    >>> x = torch.ones(1, 1, 4, 4, requires_grad=True)
    >>> layer = torch.nn.Conv2d(1, 1, 3)
    >>> bends(layer(x).flatten(1), x, ""), bends(torch.tanh(layer(x)) * (layer(x) > 0), x, "")
    ([], ['a product with a mask', 'tanh'])
    """
    found = set()
    reached = _reached(value.grad_fn, x)
    for node, varies in reached.items():
        stem = re.sub(r"Backwards?\d*$", "", node.name().rsplit("::")[-1])
        if not varies or stem in LINEAR or stem in GREATEST or stem == known:
            continue
        inputs = [reached.get(below, False) for below, _ in node.next_functions]
        if stem in PRODUCTS and sum(inputs) < 2:
            if stem == "Mul" and _masks(node):
                found.add("a product with a mask")
        elif stem == "Div" and inputs in ([True], [True, False]):
            continue
        else:
            found.add(stem.lower())
    return sorted(found)


def _reached(root: Any, x: torch.Tensor) -> dict[Any, bool]:
    """Every step of the graph, with whether x reaches it."""
    varies: dict[Any, bool] = {}
    pending = [(root, False)]
    # Without recursion: the graph of a network may be deeper than Python allows.
    while pending:
        node, done = pending.pop()
        below = [n for n, _ in node.next_functions if n is not None]
        if done:
            varies[node] = getattr(node, "variable", None) is x or any(varies[n] for n in below)
        elif node not in varies:
            varies[node] = False
            pending.append((node, True))
            pending.extend((n, False) for n in below if n not in varies)
    return varies


def _masks(node: Any) -> bool:
    for name in ("_saved_self", "_saved_other"):
        try:
            factor = getattr(node, name)
        except RuntimeError:
            # Overwritten since: whatever it was, the backward step will say so.
            continue
        if isinstance(factor, torch.Tensor) and factor.numel() > 1:
            return bool(((factor == 0) | (factor == 1)).all()) and bool((factor == 0).any())
    return False
