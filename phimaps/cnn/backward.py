"""What in an image a unit responds to, by sending a signal back: three rules for ReLU.

Through everything else that is linear, all three send the signal by the transpose, and through max
pooling to the places of the greatest values (the switches). With z what a ReLU was given and R the
signal that comes back to it, it passes on

=================  ==============================================
`gradient`         R where z > 0
`deconvnet`        max(R, 0)
`guided_backprop`  max(R, 0) where z > 0
=================  ==============================================
"""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
import torch

from ..errors import GradientError, ParameterError, PhimapsError, show
from ..maps.rectifiers import Rectifiers
from ..rows import device_of
from .bends import bends
from .unit import as_batch, checked_unit, closed_map

__all__ = ["deconvnet", "gradient", "guided_backprop"]

# Images at a time: their activations are kept for the way back, and in a cache they are faster.
PIECE = 16


class _Deconvnet(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: torch.Tensor) -> torch.Tensor:
        return z.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, signal: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return signal.clamp(min=0)


class _Guided(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: torch.Tensor) -> torch.Tensor:
        # The sign and not z: a call in place will write over z.
        ctx.save_for_backward(z > 0)
        return z.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, signal: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return signal.clamp(min=0) * ctx.saved_tensors[0]


def gradient(phi: Any, x: Any, unit: Any) -> np.ndarray:
    """∂φ_u/∂x, how a unit u of the features changes with each pixel.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Closed, or fitted.
    x : array or tensor of shape (channels, height, width) or (n, channels, height, width)
        Bytes stand for numbers from 0 to 1.
    unit : int or tuple of int
        (channel, row, column), or an index of the flattened features.

    Returns
    -------
    ndarray of the shape of x
        float32 for float32 and bytes, else float64. Of several images each has its own gradient.

    Raises
    ------
    OperandError, UnboundError, ShapeError, InputError, GradientError

    References
    ----------
    Simonyan, Vedaldi, Zisserman (2014), Deep inside convolutional networks, section 3.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.Relu() @ pm.Conv2d([[[[1.0, -1.0]]]])
    >>> pm.cnn.gradient(phi, [[[3.0, 1.0, 5.0]]], (0, 0, 0))
    array([[[ 1., -1.,  0.]]])
    """
    return _sent_back(phi, x, unit, "gradient", None, 1.0)


def deconvnet(phi: Any, x: Any, unit: Any, seed: Any = "value") -> np.ndarray:
    """What makes a unit respond in an image: its value sent back, rectified at each ReLU.

    Parameters
    ----------
    phi, x, unit
        As in `gradient`.
    seed : "value" or float, default "value"
        What stands at the unit when the signal starts, all other units being 0: its value, as
        Zeiler and Fergus have it, or a number.

    Returns
    -------
    ndarray of the shape of x

    Raises
    ------
    OperandError, UnboundError, ShapeError, InputError, ParameterError, GradientError

    Warns
    -----
    UserWarning
        When something is not a ReLU by name: clamps and maxima that compute max(z, 0) are taken for
        ReLUs; every other bend has no rule, and passes on the plain gradient.

    Notes
    -----
    The network of Zeiler and Fergus is a chain of convolution, ReLU and max pooling. Beyond it:

    - where windows of pooling overlap, what comes back to one place is summed. That is the
      transpose; writing one over the other (unpooling as a copy) is not, and depends on the order;
    - of equal values the first in a window is its switch; the greatest value of a whole channel is
      shared by all places that have it;
    - where branches are added, the signal goes back through each, and the results are summed;
    - batch normalisation is, in evaluation mode, a part of the convolution before it;
    - a unit before its ReLU may have a negative value. Its signal is then negative, and shows what
      holds the unit down.

    For c >= 0 a seed that is c times as large gives c times the result. A rectified unit that is
    0 gives 0 when the seed is its value, and with ``seed=1`` the same as an active one: the rule
    does not look at z. The result is 0 outside the receptive field.

    References
    ----------
    Zeiler, Fergus (2014), Visualizing and understanding convolutional networks, section 2.1.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.Relu() @ pm.Conv2d([[[[1.0, -1.0]]]])
    >>> pm.cnn.deconvnet(phi, [[[3.0, 1.0, 5.0]]], (0, 0, 0))
    array([[[ 2., -2.,  0.]]])
    """
    return _sent_back(phi, x, unit, "deconvnet", _Deconvnet, seed)


def guided_backprop(phi: Any, x: Any, unit: Any, seed: Any = "value") -> np.ndarray:
    """The signal of `deconvnet`, sent only through units that were active.

    Parameters
    ----------
    phi, x, unit, seed
        As in `deconvnet`.

    Returns
    -------
    ndarray of the shape of x

    Raises
    ------
    OperandError, UnboundError, ShapeError, InputError, ParameterError, GradientError

    Warns
    -----
    UserWarning
        As `deconvnet`.

    References
    ----------
    Springenberg, Dosovitskiy, Brox, Riedmiller (2015), Striving for simplicity: the all
    convolutional net, section 3.4.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.Relu() @ pm.Conv2d([[[[1.0, -1.0]]]])
    >>> pm.cnn.guided_backprop(phi, [[[3.0, 1.0, 5.0]]], (0, 0, 0), seed=1)
    array([[[ 1., -1.,  0.]]])
    """
    return _sent_back(phi, x, unit, "guided_backprop", _Guided, seed)


def _sent_back(phi: Any, x: Any, unit: Any, tool: str, function: Any, seed: Any) -> np.ndarray:
    closed, images = closed_map(phi, tool), as_batch(x, tool)
    own = isinstance(seed, str) and seed == "value"
    if not own and not (isinstance(seed, Real) and np.isfinite(float(seed))):
        raise ParameterError(
            f"The seed of {tool} is what stands at the unit when the signal starts.",
            got=f"seed={show(seed)}",
            need='"value", or a finite number',
            do='seed="value", or seed=1',
        )
    device = device_of(closed) or images.device
    result = torch.empty_like(images, device="cpu")
    for start in range(0, len(images), PIECE):
        # What a caller's inference mode would make cannot be differentiated.
        with torch.inference_mode(False), torch.enable_grad():
            piece = images[start : start + PIECE].to(device, copy=True).requires_grad_()
            value, unnamed = _unit_value(closed, piece, unit, tool, function)
            look = function is not None and start == 0
            others = bends(value, piece, function.__name__) if look else []
            first = value.detach() if own else torch.full_like(value, float(seed))
            signal = _at_pixels(value, piece, first, tool)
        if start == 0:
            _warn(tool, unnamed, others)
        result[start : start + PIECE] = 0 if signal is None else signal
    return result.numpy().reshape(np.shape(x))


def _unit_value(
    closed: Any, images: torch.Tensor, unit: Any, tool: str, function: Any
) -> tuple[torch.Tensor, int]:
    """φ_u of each image, with its graph, and how many ReLUs were none by name."""
    unnamed = 0
    try:
        if function is None:
            features = closed.forward(images)
        else:
            with Rectifiers(lambda call: function.apply(call.z)) as mode:
                features = closed.forward(images)
            unnamed = mode.unnamed
    except RuntimeError as error:
        if isinstance(error, PhimapsError):
            raise
        with torch.no_grad():
            # What fails without gradients too is no matter of the way back.
            closed.forward(images)
        raise _no_way(tool) from error
    index = checked_unit(unit, tuple(features.shape[1:]), tool)
    if not features.requires_grad:
        raise GradientError(
            f"{tool} found no way back from the features to the image.",
            got=f"{closed!r}, whose features do not require a gradient",
            need="steps that are differentiable torch functions",
            do="leave out what detaches, rounds or compares",
        )
    return features[(slice(None), *index)], unnamed


def _at_pixels(
    value: torch.Tensor, images: torch.Tensor, first: torch.Tensor, tool: str
) -> torch.Tensor | None:
    try:
        return torch.autograd.grad(value, images, first, allow_unused=True)[0]
    except RuntimeError as error:
        raise _no_way(tool) from error


def _no_way(tool: str) -> GradientError:
    return GradientError(
        f"{tool} cannot go back through what the forward pass does.",
        got="an error of torch about gradients, which stands above this one",
        need="steps that keep what their gradients need, as in training",
        do="a module that does not write over values that others need",
    )


def _warn(tool: str, unnamed: int, others: list[str]) -> None:
    if unnamed:
        what = (
            "a clamp or maximum for a ReLU, as it computes"
            if unnamed == 1
            else f"{unnamed} clamps or maxima for ReLUs, as they compute"
        )
        warnings.warn(f"{tool} took {what} max(z, 0); torch.relu would say so.", stacklevel=4)
    if others:
        warnings.warn(
            f"{tool} has a rule for ReLU only: {', '.join(others)} passed on the plain gradient.",
            stacklevel=4,
        )
