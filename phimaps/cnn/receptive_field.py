"""All pixels of the image that a unit can depend on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any, final

import numpy as np

from ..errors import ParameterError, PhimapsError, ShapeError
from ..map import Compose, FeatureMap, show
from ..map.feature import Composite
from .dependence import Dependence
from .unit import checked_unit, closed_map

__all__ = ["ReceptiveField", "receptive_field"]

Pair = tuple[int, int]


@final
@dataclass(frozen=True, eq=False, repr=False)
class ReceptiveField:
    """The pixels on which one unit depends.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
        The set itself; dilation and strides above the window leave holes in it.
    rows, cols : ndarray of int
        The rows and the columns with a pixel in it.
    hull : (top, left, bottom, right)
        The smallest box around it, half-open: ``image[:, top:bottom, left:right]``.
    size : (height, width)
        Of the hull.
    stride : (vertical, horizontal)
        By how many pixels the field moves from a unit to the next; None along an axis where that
        does not show.
    centre : (y, x)
        The middle of the whole field, which the image may cut off; where that does not show, of
        the hull, or NaN if the unit depends on nothing.
    exact : bool
        Whether all operations of the map are known. If not, it is the field on the path that one
        image takes through a module that looks at values; or a NaN was sent through the map: the
        pixels of the mask are certain then, and the others are not.
    because : str
        How the set was found.
    """

    mask: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    hull: tuple[int, int, int, int]
    size: Pair
    stride: tuple[float | None, float | None]
    centre: tuple[float, float]
    exact: bool
    because: str

    def __repr__(self) -> str:
        top, left, bottom, right = self.hull
        count, whole = int(self.mask.sum()), self.size[0] * self.size[1]
        return (
            f"ReceptiveField(rows {top}:{bottom}, columns {left}:{right}, {count} of {whole} "
            f"pixels, stride {self.stride}, centre {self.centre}, exact={self.exact})"
        )


def receptive_field(
    phi: Any,
    unit: int | tuple[int, ...],
    in_shape: tuple[int, int, int] | None = None,
    *,
    method: str = "structure",
) -> ReceptiveField:
    """The pixels (y, x) such that unit u of φ depends on the image at (y, x), in any channel.

    It depends on them by the structure of the map, whatever the weights: every tap of every filter
    counts, also one of weight 0. Those are the pixels from which a NaN reaches the unit.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        A closed or fitted map of images; ``pm.from_torch(net, layer="layer2")`` for a layer.
    unit : int or tuple of int
        One number of the features of an image: (channel, row, column), or (channel,).
    in_shape : tuple of int, optional
        (channels, height, width) of the images. Default: what the map says.
    method : {"structure", "probe"}, default "structure"
        "structure" follows the operations of the map by what they read, on the path that a grey
        image takes where the map looks at values (``if x.mean() > 0``). Where an operation is not
        known, it does as "probe", which sends NaN through the map in float64, first by rows and
        columns, then by the pixels where both arrive. An operation that drops NaN (a comparison, a
        sort) hides pixels from "probe".

    Returns
    -------
    ReceptiveField

    Raises
    ------
    OperandError, UnboundError
        When phi is no map, or is not fitted.
    ParameterError
        When the shape of the images is not known, or the method.
    ShapeError
        When the map does not take such images, or has no such unit.

    Notes
    -----
    For a stack of windows of sizes k_i, strides s_i and dilations d_i the hull spans
    1 + Σ (k_i - 1) d_i s_1...s_{i-1} pixels, and the stride is s_1...s_n (Dumoulin and Visin 2016
    have the arithmetic of one layer). Branches unite their sets.

    The operations run once on an image of zeros, forward and back, in float64, with one filter for
    each group of channels: less work than the map itself.

    Examples
    --------
    >>> import phimaps as pm
    >>> w = np.ones((1, 1, 3, 3))
    >>> phi = pm.Conv2d(w) @ pm.Relu() @ pm.Conv2d(w, stride=2, padding=1)
    >>> receptive_field(phi, (0, 2, 3), in_shape=(1, 16, 16))
    ReceptiveField(rows 3:10, columns 5:12, 49 of 49 pixels, stride (2, 2), centre (6.0, 8.0),
    exact=True)
    """
    if method not in ("structure", "probe"):
        raise ParameterError(
            "The 'method' of receptive_field is not known.",
            got=f"method={show(method)}",
            need='"structure" or "probe"',
            do='method="structure"',
        )
    closed = closed_map(phi, "receptive_field")
    shape = image_shape(phi, closed, in_shape)
    seen = _dependence(closed, shape, method)
    place = checked_unit(unit, seen.features, "receptive_field")
    mask = seen.pixels(place)
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, 0)
    left, right = (int(cols[0]), int(cols[-1]) + 1) if cols.size else (0, 0)
    nowhere = np.nan if not rows.size else 0.0
    middle = [(top + bottom - 1) / 2 + nowhere, (left + right - 1) / 2 + nowhere]
    stride: list[float | None] = [None, None]
    if len(seen.features) == 3:
        for axis, found in enumerate(_steps(closed, shape, seen, place[0])):
            if found is not None:
                stride[axis], middle[axis] = found.at(place[axis + 1])
    return ReceptiveField(
        mask,
        rows,
        cols,
        (top, left, bottom, right),
        (bottom - top, right - left),
        (stride[0], stride[1]),
        (middle[0], middle[1]),
        seen.exact,
        seen.because,
    )


# --- the images --------------------------------------------------------------------------------
def image_shape(phi: Any, closed: FeatureMap, given: Any) -> tuple[int, int, int]:
    """The shape of the images that the map takes: as given, or as the map says."""
    shape = given if given is not None else vars(phi).get("in_shape_") or _declared(closed)
    whole = isinstance(shape, list | tuple) and len(shape) == 3
    if not whole or not all(isinstance(s, int | np.integer) and s >= 1 for s in shape):
        raise ParameterError(
            "receptive_field needs the shape of the images, which the map does not say."
            if given is None
            else "The 'in_shape' of receptive_field is not the shape of an image.",
            got=f"in_shape={show(given)}",
            need="(channels, height, width)",
            do=f"receptive_field(phi, unit, in_shape=({_channels(closed)}, 64, 64))",
        )
    image = (int(shape[0]), int(shape[1]), int(shape[2]))
    if closed.takes not in (None, image, (prod(image),)):
        raise ShapeError(
            f"The map does not take images of shape {image}.",
            got=f"items of shape {image}, for a map of items of shape {closed.takes}",
            need="a map of images, or of rows that stand for them",
            do="phi @ pm.Flatten(), or the in_shape of the images that it takes",
        )
    return image


def _declared(phi: Any) -> Any:
    shape = getattr(phi, "in_shape", None) or phi.takes
    if shape is not None and len(shape) == 3 and -1 not in shape:
        return shape
    if isinstance(phi, Composite):
        for part in phi.maps:
            shape = _declared(part)
            if shape is not None:
                return shape
            # What comes later in a sequence takes other images.
            if isinstance(phi, Compose) and not part.keeps_shape and part.takes != part.gives:
                break
    return None


def _channels(phi: Any) -> int:
    first = phi.maps[0] if isinstance(phi, Composite) else phi
    return getattr(first, "channels", None) or 3


def _dependence(phi: FeatureMap, shape: tuple[int, int, int], method: str) -> Dependence:
    try:
        return Dependence(phi, shape, method)
    except PhimapsError:
        raise
    except Exception as error:
        raise ShapeError(
            f"The map does not take images of shape {shape}.",
            got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            need="a map of images (channels, height, width), and the shape of its images",
            do="receptive_field(phi, unit, in_shape=X.shape[1:])",
        ) from error


# --- how fields follow each other --------------------------------------------------------------
@final
@dataclass(frozen=True)
class _Steps:
    """The fields of some units in a row along one axis: they move by `shift` every `period`."""

    first: int
    middles: tuple[float, ...]
    period: int
    shift: int

    def at(self, index: int) -> tuple[float, float]:
        """The stride, and the middle of the field of a unit."""
        turns, phase = divmod(index - self.first, self.period)
        step = Fraction(self.shift, self.period)
        stride = step.numerator if step.denominator == 1 else float(step)
        return stride, self.middles[phase] + turns * self.shift


_MOST_PIXELS = 2**17


def _steps(
    phi: FeatureMap, shape: tuple[int, int, int], seen: Dependence, channel: int
) -> list[_Steps | None]:
    """How the fields of a channel follow each other, by rows and by columns.

    It is read off units in the middle whose fields end inside of the image; if there are none, in
    a larger image.
    """
    known, key = phi.memo, ("fields", shape, channel, seen.followed)
    if key not in known:
        known[key] = [_along(phi, shape, seen, channel, axis) for axis in (0, 1)]
    return list(known[key])


def _along(
    phi: FeatureMap, shape: tuple[int, int, int], seen: Dependence, channel: int, axis: int
) -> _Steps | None:
    found = _regular(seen, shape[axis + 1], channel, axis)
    size, free = list(shape), _of_any_size(phi)
    while found is None and seen.followed:
        size[axis + 1] *= 2
        if size[1] * size[2] > _MOST_PIXELS:
            break
        try:
            wider = Dependence(free, (size[0], size[1], size[2]))
        except Exception:
            # The map takes images of one size only.
            break
        same = len(wider.features) == 3 and wider.features[axis + 1] <= seen.features[axis + 1]
        if not wider.followed or len(wider.features) != 3 or same:
            # A larger image that gives no more units shows no more of how they follow.
            break
        found = _regular(wider, size[axis + 1], channel, axis)
    return found


def _regular(seen: Dependence, length: int, channel: int, axis: int) -> _Steps | None:
    count = seen.features[axis + 1]
    unit = [channel, seen.features[1] // 2, seen.features[2] // 2]
    run: list[tuple[int, int, int]] = []
    for index in range(max(0, count // 2 - 4), min(count, count // 2 + 5)):
        unit[axis + 1] = index
        touched = np.flatnonzero(seen.extent((unit[0], unit[1], unit[2]))[axis])
        if touched.size and touched[0] > 0 and touched[-1] < length - 1:
            run.append((index, int(touched[0]), int(touched[-1])))
        elif len(run) >= 3:
            break
        else:
            run = []
    for period in range(1, 5):
        pairs = list(zip(run, run[period:], strict=False))
        shifts = {b[end] - a[end] for a, b in pairs for end in (1, 2)}
        if len(run) >= max(3, 2 * period) and len(shifts) == 1:
            middles = tuple((low + high) / 2 for _, low, high in run[:period])
            return _Steps(run[0][0], middles, period, shifts.pop())
    return None


def _of_any_size(phi: Any) -> Any:
    """The map without what it says about the size of its images."""
    if isinstance(phi, Composite):
        return phi._with(tuple(_of_any_size(m) for m in phi.maps))
    if getattr(phi, "in_shape", None) is None:
        return phi
    twin = phi._shallow_copy()
    twin.in_shape = None
    return twin
