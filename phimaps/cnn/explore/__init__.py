"""A page on which to look through a network: layers, channels, units, and what they see."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import ParameterError, ShapeError, show
from ...page.saving import write
from ...spaces import Images, Space
from ..stages import as_followed
from ..trace import Trace, trace
from ..unit import as_batch
from ..units import Layer, unique
from ..units import units as statistics
from .page import page
from .study import Extent, packed_layer, picture
from .views import View, views

__all__ = ["explorer"]

# Numbers in all maps that the page holds: with four letters for three bytes, 11 MB of text.
NUMBERS = 2**22
# Letters of φ in its notation.
LONG = 2000


def explorer(
    phi: Any,
    images: Any,
    path: str | os.PathLike[str] | None = None,
    layers: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    *,
    on: Space | None = None,
    shown: int = 4,
    channels: int = 12,
    units: int = 2,
    patches: int = 9,
) -> str:
    """One HTML page on which to look through the layers, channels and units of φ.

    It shows the maps before and after each activation function, what any unit sees of an image, and
    for the units where a map is greatest their deconvnet, their occlusion and their effective
    field; for each channel the patches that excite it most, how often and how sparsely it responds,
    and whether it is dead. The page holds all its data and pictures, and loads nothing.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Closed, or fitted.
    images : array or tensor of shape (n, channels, height, width)
        Bytes stand for numbers from 0 to 1.
    path : path, optional
        Where to write the page, whole or not at all.
    layers : list of str, optional
        Which stages or layers to show, by the names that `trace` gives them. Default: all that have
        an activation function, and a last one without.
    names : list of str, optional
        Of the images. Default: their numbers.
    on : Space, optional
        All images that there can be, on which channels may be proved dead. Default: where no number
        is outside [0, 1], all images with such numbers.
    shown : int, default 4
        How many images are drawn, the first ones; statistics and patches are of all.
    channels : int, default 12
        How many channels of a layer are drawn, the most active ones.
    units : int, default 2
        How many units are studied on each map.
    patches : int, default 9
        How many patches are shown for a channel.

    Returns
    -------
    str
        The page. Numbers in its maps are right to 2^-16 of the greatest in the map; longer sides of
        images than 256 pixels are averaged down.

    Raises
    ------
    OperandError, UnboundError, ShapeError, InputError, ParameterError, OutputError

    Warns
    -----
    UserWarning
        Once for everything that the tools that it shows warn of.

    Notes
    -----
    Deconvnet, occlusion and effective field cost a few passes through φ each, for
    ``shown * channels * units`` units of each layer.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.Relu() @ pm.Conv2d([[[[-1.0, 1.0]]], [[[1.0, -1.0]]]])
    >>> text = pm.cnn.explorer(phi, [[[[0.0, 0.25, 1.0]]]])
    >>> text[:15], "http" in text
    ('<!doctype html>', False)
    """
    counts = {"shown": shown, "channels": channels, "units": units, "patches": patches}
    _check_counts(counts)
    closed = as_followed(phi, "explorer")
    X = as_batch(images, "explorer").cpu()
    x = X[:shown]
    labels = _checked_names(names, len(x))
    tone = (0.0, 1.0) if X.min() >= 0 and X.max() <= 1 else (float(X.min()), float(X.max()))
    if on is None and tone == (0.0, 1.0):
        on = Images(*X.shape[1:])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        traced = trace(phi, x)
        found, notes = views(closed, traced, x, None if layers is None else list(layers))
        told = _statistics(phi, X, on, traced)
        packed = []
        for view in found:
            extent = Extent(_affordable(view, channels, len(found)), units, patches)
            packed.append(packed_layer(view, x, X, told.get(view.name), extent, tone))
    said = list(dict.fromkeys(str(w.message) for w in caught))
    for message in said:
        warnings.warn(message, UserWarning, stacklevel=2)
    notation = repr(closed)
    text = page(
        {
            "phi": notation if len(notation) <= LONG else f"{notation[:LONG]} …",
            "shape": list(X.shape[1:]),
            "total": len(X),
            "images": [
                {"name": name, "src": picture(image.numpy(), *tone)}
                for name, image in zip(labels, x, strict=True)
            ],
            "layers": packed,
            "notes": notes + said,
            "on": None if on is None else repr(on),
            "made": f"phimaps {version('phimaps')}, torch {torch.__version__}.",
        }
    )
    if path is not None:
        where = Path(path)
        write(text, where.parent, where.name, do='pm.cnn.explorer(phi, images, "folder/page.html")')
    return text


def _check_counts(counts: dict[str, Any]) -> None:
    for name, value in counts.items():
        least = 0 if name in ("units", "patches") else 1
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise ParameterError(
                f"The '{name}' of explorer counts what is drawn.",
                got=f"{name}={show(value)}",
                need=f"an int >= {least}",
                do=f"{name}={max(least, 1)}",
            )


def _checked_names(names: Sequence[str] | None, count: int) -> list[str]:
    if names is None:
        return [f"image {i}" for i in range(count)]
    listed = [str(n) for n in names]
    if isinstance(names, str) or len(listed) < count:
        raise ShapeError(
            f"explorer needs a name for each of the {count} images that it draws.",
            got=f"names={show(names)}",
            need=f"at least {count} names",
            do="names=[f'image {i}' for i in range(len(images))]",
        )
    return listed[:count]


def _statistics(phi: Any, X: Any, on: Space | None, traced: Trace) -> dict[str, Layer]:
    """What `units` says, by the name of the stage."""
    values = {s.name: s for s in traced}
    count: Counter[str] = Counter()
    names: dict[str, str] = {}
    for s in traced:
        z = values.get(f"z{s.name[1:]}")
        if s.kind == "post" and z is not None and _rectified(z.value, s.value):
            count[s.layer] += 1
            names[unique(s.layer, count[s.layer])] = s.name
    if not names:
        return {}
    return {names[a.name]: a for a in statistics(phi, X, on) if a.name in names}


def _rectified(z: np.ndarray, a: np.ndarray) -> bool:
    """Whether a is ReLU(z), or (ReLU(z), ReLU(-z))."""
    on = np.maximum(z, 0)
    if a.shape == z.shape:
        return np.array_equal(a, on)
    return np.array_equal(a, np.concatenate([on, np.maximum(-z, 0)], axis=1))


def _affordable(view: View, channels: int, layers: int) -> int:
    """How many channels of the view the page can hold."""
    each = view.z[:, :1].size * (1 if view.a is None or view.rectified else 2)
    return max(1, min(channels, NUMBERS // layers // max(1, each)))
