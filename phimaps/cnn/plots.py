"""Figures for matplotlib: maps, filters, fields, and the patches that excite a channel.

The figures are made without pyplot: they are drawn by any backend, belong to whoever asked for
them, and no figure of the caller's is touched.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Any

import numpy as np
import torch

from ..errors import DependencyError, OperandError, ParameterError, ShapeError, show
from ..map import FeatureMap
from ..maps.conv import Conv2d
from ..maps.network import Network
from ..page.pictures import ACTIVATION, SIGNED
from .backward import deconvnet
from .colours import photograph, signal, tiles
from .effective_field import effective_field
from .patches import top_patches
from .receptive_field import receptive_field
from .stages import as_followed
from .trace import trace
from .unit import as_batch, checked_unit, closed_map, unit_name

__all__ = ["plot_field", "plot_filters", "plot_maps", "plot_patches"]

# Inches on the side of one small picture.
SIDE = 1.25


def plot_maps(phi: Any, x: Any, channels: int = 8) -> Any:
    """The image x, and the maps z and a of every layer: a row for each stage.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Closed, or fitted.
    x : array or tensor of shape (channels, height, width)
        One image; bytes stand for numbers from 0 to 1.
    channels : int, default 8
        How many channels of a layer are drawn, the first ones.

    Returns
    -------
    matplotlib.figure.Figure
        z is drawn in blue below 0 and in red above, what is rectified from dark (0) to light; the
        maps of a row have one scale, which stands beside it.

    Raises
    ------
    OperandError, UnboundError, ShapeError, ParameterError, DependencyError

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.Relu() @ pm.Conv2d([[[[-1.0, 1.0]]], [[[1.0, -1.0]]]])
    >>> [a.get_ylabel() for a in pm.cnn.plot_maps(phi, [[[0.0, 5.0]]]).axes if a.get_ylabel()]
    ['z1\\n±5', 'a1\\n0 to 5']
    """
    _check_count("plot_maps", "channels", channels)
    image = _one_image(x, "plot_maps")
    stages = [s for s in trace(phi, image) if s.value.ndim == 4 and s.kind != "input"]
    columns = 1 + max([min(channels, s.value.shape[1]) for s in stages], default=0)
    rows = max(1, len(stages))
    figure = _figure(columns * SIDE + 0.6, rows * (SIDE + 0.15))
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    _draw(grid[0, 0], photograph(image[0].numpy(), *_tone(image)), "x")
    for row, stage in zip(grid, stages, strict=False):
        drawn = stage.value[0, :channels]
        most = float(np.abs(drawn).max(initial=0.0))
        rectified = stage.kind != "pre" and float(drawn.min()) >= 0
        scale, low = (ACTIVATION, 0.0) if rectified else (SIGNED, -most)
        for c, (axes, values) in enumerate(zip(row[1:], drawn, strict=False)):
            _draw(axes, scale(values, low, most or 1.0), f"c{c}" if stage is stages[0] else "")
        # The label needs axes that are there, though without ticks.
        row[1].set_axis_on()
        row[1].set(xticks=[], yticks=[])
        row[1].set_ylabel(f"{stage.name}\n{'0 to ' if rectified else '±'}{most:.3g}")
    return figure


def plot_filters(phi: Any, layer: str | None = None, count: int = 64) -> Any:
    """The filters w of a convolution, each as a picture.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Closed, or fitted.
    layer : str, optional
        The name of the convolution: of a part as in nested parameters, of a module as in
        ``named_modules()``. Default: the first one.
    count : int, default 64
        How many filters are drawn, the first ones.

    Returns
    -------
    matplotlib.figure.Figure
        Filters on three channels are drawn in colours around grey, which is 0; those on one in
        blue below 0 and red above; those on more as one tile for each channel. All have one scale.

    Raises
    ------
    OperandError, UnboundError, ParameterError, DependencyError

    Examples
    --------
    >>> import phimaps as pm
    >>> figure = pm.cnn.plot_filters(pm.Conv2d([[[[-1.0, 1.0]]], [[[1.0, -1.0]]]]))
    >>> [a.get_title() for a in figure.axes]
    ['c0', 'c1']
    """
    _check_count("plot_filters", "count", count)
    found = _filters(as_followed(phi, "plot_filters"))
    if not found:
        raise OperandError(
            "plot_filters found no convolution in this map.",
            got=show(phi),
            need="a map with a Conv2d",
            do="pm.cnn.plot_filters(pm.Conv2d(weight))",
        )
    if layer is not None and layer not in found:
        raise ParameterError(
            f"There is no convolution {show(layer)} in this map.",
            got=f"layer={show(layer)}",
            need=f"one of {', '.join(found)}",
            do=f"layer={next(iter(found))!r}",
        )
    weight = found[next(iter(found)) if layer is None else layer][:count]
    reach = float(np.abs(weight).max(initial=0.0))
    figure, grid = _sheet(len(weight))
    for c, axes in enumerate(grid):
        _draw(axes, tiles(weight[c], reach), f"c{c}")
    return figure


def plot_field(phi: Any, x: Any, unit: Any) -> Any:
    """What a unit sees of an image, and where it mostly looks.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Closed, or fitted.
    x : array or tensor of shape (channels, height, width)
        One image; bytes stand for numbers from 0 to 1.
    unit : int or tuple of int
        (channel, row, column), or an index of the flattened features.

    Returns
    -------
    matplotlib.figure.Figure
        On the left the image, dimmed where the unit cannot see it, with the hull of its receptive
        field (solid) and of its effective field in this image (dashed); on the right the share of
        the squared gradient that each pixel has, its square root from dark to light.

    Raises
    ------
    OperandError, UnboundError, ShapeError, GradientError, DependencyError

    Examples
    --------
    >>> import phimaps as pm
    >>> figure = pm.cnn.plot_field(pm.Conv2d([[[[1.0, 2.0]]]]), [[[3.0, 1.0, 5.0]]], (0, 0, 1))
    >>> figure.axes[0].get_title()
    'c0@(0,1) sees 2 pixels'
    """
    image = _one_image(x, "plot_field")
    closed = closed_map(phi, "plot_field")
    with torch.no_grad():
        shape = tuple(closed.forward(image).shape[1:])
    place = checked_unit(unit, shape, "plot_field")
    field = receptive_field(closed, place, (image.shape[1], image.shape[2], image.shape[3]))
    effective = effective_field(closed, place, image)
    height, width = image.shape[2:]
    figure = _figure(7.2, 3.6 * min(1.6, max(0.5, height / width)) + 0.4)
    left, right = figure.subplots(1, 2)
    pixels = photograph(image[0].numpy(), *_tone(image)).astype(np.float64)
    dimmed = np.where(field.mask[..., None], pixels, 255 - 0.4 * (255 - pixels))
    _draw(left, dimmed.astype(np.uint8), f"{unit_name(place)} sees {int(field.mask.sum())} pixels")
    root = np.sqrt(effective.weight)
    _draw(
        right,
        ACTIVATION(root, 0.0, float(root.max()) or 1.0),
        f"{100 * effective.share:.3g} % of its squared gradient: {effective.area} pixels"
        if effective.area
        else "no pixel moves it in this image",
    )
    for axes in (left, right):
        _box(axes, field.hull, "-")
        if effective.area:
            _box(axes, effective.box, "--")
    return figure


def plot_patches(phi: Any, X: Any, channel: int | tuple[int, ...], k: int = 9) -> Any:
    """The patches of a data set that excite a channel most, each beside its deconvnet.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Closed, or fitted.
    X : array or tensor of shape (n, channels, height, width)
        Bytes stand for numbers from 0 to 1.
    channel : int or tuple of int
        A channel, or one unit (channel, row, column).
    k : int, default 9
        How many patches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    OperandError, UnboundError, ShapeError, InputError, ParameterError, GradientError,
    DependencyError

    Warns
    -----
    UserWarning
        As `deconvnet`.

    References
    ----------
    Zeiler, Fergus (2014), Visualizing and understanding convolutional networks, figure 2.

    Examples
    --------
    >>> import phimaps as pm
    >>> X = [[[[0.0, 1.0, 2.0]]], [[[5.0, 0.0, 9.0]]]]
    >>> figure = pm.cnn.plot_patches(pm.Conv2d([[[[-1.0, 1.0]]]]), X, channel=0)
    >>> [a.get_title() for a in figure.axes]
    ['9 in image 1', '', '1 in image 0', '']
    """
    images = as_batch(X, "plot_patches").cpu()
    found = top_patches(phi, images, channel, k)
    tone = _tone(images)
    across = 2 * ceil(sqrt(len(found)))
    rows = ceil(2 * len(found) / across)
    figure = _figure(across * SIDE, rows * (SIDE + 0.3))
    grid = figure.subplots(rows, across, squeeze=False).ravel()
    for axes in grid[2 * len(found) :]:
        axes.remove()
    for patch, crop, back in zip(found, grid[0::2], grid[1::2], strict=False):
        top, left, bottom, right = patch.box
        sent = deconvnet(phi, images[patch.index], patch.unit)[:, top:bottom, left:right]
        _draw(crop, photograph(patch.crop, *tone), f"{patch.value:.3g} in image {patch.index}")
        _draw(back, signal(sent), "")
    return figure


# --- what they share -----------------------------------------------------------------------------


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DependencyError(
            "The figures are drawn by matplotlib, which is not installed.",
            got=str(error).splitlines()[0],
            need="matplotlib",
            do="pip install 'phimaps[plot]'",
        ) from None
    return Figure(figsize=(width, height), layout="constrained")


def _sheet(count: int) -> tuple[Any, list[Any]]:
    """A figure with so many axes, in a grid that is as wide as it is high."""
    across = ceil(sqrt(count))
    rows = ceil(count / across)
    figure = _figure(across * SIDE, rows * (SIDE + 0.2))
    grid = list(figure.subplots(rows, across, squeeze=False).ravel())
    for axes in grid[count:]:
        axes.remove()
    return figure, grid[:count]


def _draw(axes: Any, pixels: np.ndarray, title: str) -> None:
    axes.imshow(pixels, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, fontsize=8)


def _box(axes: Any, box: tuple[int, int, int, int], line: str) -> None:
    top, left, bottom, right = box
    xs = np.array([left, right, right, left, left]) - 0.5
    ys = np.array([top, top, bottom, bottom, top]) - 0.5
    # Dark under light, so that it shows on any image.
    axes.plot(xs, ys, "-", color="black", linewidth=2.5 if line == "-" else 1.2)
    axes.plot(xs, ys, line, color="white", linewidth=1.2)


def _one_image(x: Any, tool: str) -> torch.Tensor:
    image = as_batch(x, tool).cpu()
    if len(image) != 1:
        raise ShapeError(
            f"{tool} draws one image.",
            got=f"x={show(x)}",
            need="shape (channels, height, width)",
            do=f"{tool}(phi, X[0])",
        )
    return image


def _tone(images: torch.Tensor) -> tuple[float, float]:
    """What is black and what is white."""
    low, high = float(images.min()), float(images.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _check_count(tool: str, name: str, value: Any) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ParameterError(
            f"The '{name}' of {tool} counts what is drawn.",
            got=f"{name}={show(value)}",
            need="an int >= 1",
            do=f"{name}=8",
        )


def _filters(phi: FeatureMap) -> dict[str, np.ndarray]:
    """The filters of every convolution by its name."""
    if isinstance(phi, Network):
        named = phi.module.module.named_modules()
        return {
            name or "conv2d": m.weight.detach().cpu().double().numpy()
            for name, m in named
            if isinstance(m, torch.nn.Conv2d)
        }
    if isinstance(phi, Conv2d):
        return {"conv2d": phi.array("weight")}
    parts: Any = getattr(phi, "named", list)()
    found: dict[str, np.ndarray] = {}
    for name, part in parts:
        own = "" if isinstance(part, Conv2d) else "__"
        for below, weight in _filters(part).items():
            found[f"{name}{own}{below}" if own else name] = weight
    return found
