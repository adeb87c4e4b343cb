"""What the page tells of a layer: computed here, once, and packed as JSON can hold it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from ...map import FeatureMap
from ...maps.foreign import from_function
from ...page.pictures import ACTIVATION, SIGNED, data_uri
from ..backward import deconvnet
from ..colours import photograph, shrunk, signal, tiles
from ..covered import Occlusion, occlusion
from ..dependence import Dependence
from ..effective_field import effective_field
from ..patches import Patch, top_patches
from ..receptive_field import receptive_field
from ..units import Layer
from .views import View

__all__ = ["Extent", "packed_layer", "picture"]

# Pixels on the longer side of what is embedded; longer ones are averaged down.
IMAGE, CROP = 256, 96
# Where the field of a unit shows only by probing pixel by pixel, that is done for images with at
# most so many pixels.
PROBED = 32 * 32

Box = tuple[int, int, int, int]


@final
@dataclass(frozen=True)
class Extent:
    """How much is computed and embedded.

    Parameters
    ----------
    channels : int
        Of each layer, the most active ones.
    units : int
        Studied on each map.
    patches : int
        For each channel.
    """

    channels: int
    units: int
    patches: int


def picture(image: np.ndarray, low: float, high: float, most: int = IMAGE) -> str:
    """An image as an address that holds its own data."""
    return data_uri(shrunk(photograph(image, low, high), most))


def packed_layer(
    view: View,
    x: torch.Tensor,
    X: Any,
    found: Layer | None,
    extent: Extent,
    tone: tuple[float, float],
) -> dict[str, Any]:
    """All that is told of one layer.

    Parameters
    ----------
    view : View
    x : Tensor of shape (n, channels, height, width)
        The images that are drawn.
    X : array or tensor
        All images.
    found : Layer or None
        What `units` says of it.
    extent : Extent
    tone : pair of float
        Black and white in the images.
    """
    total, *size = view.z.shape[1:]
    chosen = _most_active(view, found, extent.channels)
    fields = _Fields(view, (x.shape[1], x.shape[2], x.shape[3]))
    patches = _patches(view, X, chosen, extent.patches if fields.cheap else 0, tone)
    channels = [
        {
            "index": c,
            "dead": bool(found is not None and found.dead[c]),
            "span": float(np.abs(view.z[:, c]).max(initial=0.0)),
            "z": [_numbers(m) for m in view.z[:, c]],
            "a": None if view.a is None or view.rectified else [_numbers(m) for m in view.a[:, c]],
            "filter": None if view.weight is None else data_uri(tiles(view.weight[c])),
            "patches": shown,
            "units": [
                [_unit(view, image, (c, *at), fields) for at in peaks(view.z[i, c], extent.units)]
                for i, image in enumerate(x)
            ],
        }
        for c, shown in zip(chosen, patches, strict=True)
    ]
    active = [i for i, c in enumerate(channels) if not c["dead"]]
    return {
        "name": view.name,
        "label": view.label,
        "stages": view.words,
        "kinds": view.kinds,
        "relu": view.rectified,
        "flat": view.flat,
        "size": size,
        "total": total,
        "first": active[0] if active else 0,
        "field": fields.packed(),
        "probed": not fields.cheap,
        "channels": channels,
        "statistics": None if found is None else _statistics(found),
    }


def _most_active(view: View, found: Layer | None, count: int) -> list[int]:
    """The channels to draw, in order."""
    rank = np.abs(view.z).mean(axis=(0, 2, 3)) if found is None else found.mean
    return sorted(int(c) for c in np.argsort(-rank, kind="stable")[:count])


def _numbers(values: np.ndarray) -> dict[str, Any]:
    """Numbers as 16-bit integers, and what 1 stands for: right to 2^-16 of the greatest."""
    most = float(np.abs(values).max(initial=0.0))
    step = most / 32767 if most else 1.0
    whole = np.round(values.astype(np.float64) / step).astype("<i2")
    return {"step": step, "data": base64.b64encode(whole.tobytes()).decode("ascii")}


def _statistics(found: Layer) -> dict[str, Any]:
    return {
        "frequency": _list(found.frequency),
        "sparsity": _list(found.lifetime_sparsity),
        "mean": _list(found.mean),
        "greatest": _list(found.greatest),
        "dead": [bool(v) for v in found.dead],
        "proved": [bool(v) for v in found.proved_dead],
        "population": _list([found.population_sparsity])[0],
    }


def _list(values: Any) -> list[float | None]:
    # JSON has no NaN; six digits are more than the page shows.
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in values]


def peaks(values: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Where a map is greatest: places apart from each other, the greatest first.

    Examples
    --------
    >>> peaks(np.array([[0.0, 9.0, 8.0, 0.0, 5.0]]), 2)
    [(0, 1), (0, 4)]
    """
    apart = [max(1, s // 8) for s in values.shape]
    left = values.astype(np.float64)
    found: list[tuple[int, int]] = []
    while len(found) < count and np.isfinite(left).any():
        i, j = (int(k) for k in np.unravel_index(int(left.argmax()), left.shape))
        found.append((i, j))
        rows, cols = (slice(max(0, k - s), k + s + 1) for k, s in zip((i, j), apart, strict=True))
        left[rows, cols] = -np.inf
    return found


# --- what units see ------------------------------------------------------------------------------


@final
class _Fields:
    """What every unit of a layer sees: by its row the rows, by its column the columns.

    The rows are those that any unit in that row of the map sees, in any channel, so a unit sees no
    more; whether it sees all of that is checked where units are studied.
    """

    def __init__(self, view: View, shape: tuple[int, int, int]):
        self.view, self.shape = view, shape
        summed = from_function(lambda v: v.sum(tuple(range(1, v.ndim)))) @ view.phi
        whole = Dependence(summed, shape)
        self.exact = self.known = whole.exact
        self.cheap = self.known or shape[1] * shape[2] <= PROBED
        if view.flat:
            mask = whole.pixels((0,)) if self.known else np.outer(*whole.extent((0,)))
            self.rows, self.cols = [mask.any(1)], [mask.any(0)]
        elif self.known:
            by_row = Dependence(from_function(lambda v: v.sum((1, 3))) @ view.phi, shape)
            by_col = Dependence(from_function(lambda v: v.sum((1, 2))) @ view.phi, shape)
            self.rows = [by_row.extent((i,))[0] for i in range(by_row.features[0])]
            self.cols = [by_col.extent((j,))[1] for j in range(by_col.features[0])]
        else:
            # A pass for each row and column of the image shows them for all units of a channel.
            probes = Dependence(view.phi, shape, "probe")
            _, h, w = probes.features
            self.rows = [_both(probes.extent((0, i, j))[0] for j in {0, w // 2}) for i in range(h)]
            self.cols = [_both(probes.extent((0, i, j))[1] for i in {0, h // 2}) for j in range(w)]

    def of(self, unit: tuple[int, int, int]) -> Box:
        """The hull of what one unit sees."""
        c, i, j = unit
        mask = np.outer(self.rows[i], self.cols[j])
        if self.known:
            place = (c,) if self.view.flat else unit
            own = receptive_field(self.view.phi, place, self.shape).mask
            self.exact &= np.array_equal(own, mask)
            mask = own
        rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not rows.size:
            return 0, 0, 0, 0
        return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1

    def packed(self) -> dict[str, Any]:
        """Runs of rows and of columns, and how sure they are."""
        return {
            "rows": [_runs(r) for r in self.rows],
            "cols": [_runs(c) for c in self.cols],
            "sure": "exact" if self.exact else "within" if self.known else "probed",
        }


def _both(sets: Iterable[np.ndarray]) -> np.ndarray:
    return np.logical_or.reduce(list(sets))


def _runs(present: Any) -> list[list[int]]:
    """Where True begins and ends, half-open.

    Examples
    --------
    >>> _runs(np.array([True, True, False, True]))
    [[0, 2], [3, 4]]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2).tolist()


# --- units and patches ---------------------------------------------------------------------------


def _unit(
    view: View, image: torch.Tensor, unit: tuple[int, int, int], fields: _Fields
) -> dict[str, Any]:
    """The deconvnet, the occlusion and the effective field of one unit in one image."""
    place = unit[:1] if view.flat else unit
    box = fields.of(unit)
    told: dict[str, Any] = {"at": list(unit[1:])}
    if box[2] <= box[0] or box[3] <= box[1]:
        return told
    back = deconvnet(view.phi, image, place)
    told["deconvnet"] = {"src": data_uri(shrunk(signal(_cut(back, box)), CROP))}
    if fields.cheap:
        told["occlusion"] = _occluded(view.phi, image, place, box)
    effective = effective_field(view.phi, place, image)
    top, left, bottom, right = effective.box
    if effective.area:
        weight = _cut(effective.weight[None], box)[0]
        shown = ACTIVATION(np.sqrt(weight), 0.0, float(np.sqrt(weight.max())))
        told["effective"] = {
            "src": data_uri(shrunk(shown, CROP)),
            "area": effective.area,
            "box": {"top": top, "left": left, "bottom": bottom, "right": right},
        }
    return told


def _occluded(
    phi: FeatureMap, image: torch.Tensor, place: tuple[int, ...], box: Box
) -> dict[str, Any]:
    top, left, bottom, right = box
    # A sixth of the field; on large images more, as there are four windows for each square of one.
    window = tuple(
        max(1, round(side / 6), whole // 64)
        for side, whole in zip((bottom - top, right - left), image.shape[1:], strict=True)
    )
    found = occlusion(phi, image, place, window=window)
    shown = _spread(found, box)
    reach = float(np.abs(shown).max()) or 1.0
    return {
        "src": data_uri(shrunk(SIGNED(shown, -reach, reach), CROP)),
        "window": list(window),
        "least": float(found.change.min()),
        "most": float(found.change.max()),
    }


def _spread(found: Occlusion, box: Box) -> np.ndarray:
    """For each pixel of the box the mean change by the windows that cover it."""
    top, left, bottom, right = box
    total, count = np.zeros((2, bottom - top, right - left))
    for i, y in enumerate(found.tops - top):
        for j, x in enumerate(found.lefts - left):
            if -found.window[0] < y < len(total) and -found.window[1] < x < total.shape[1]:
                here = (
                    slice(max(y, 0), y + found.window[0]),
                    slice(max(x, 0), x + found.window[1]),
                )
                total[here] += found.change[i, j]
                count[here] += 1
    return total / np.maximum(count, 1)


def _cut(values: np.ndarray, box: Box) -> np.ndarray:
    top, left, bottom, right = box
    return values[:, top:bottom, left:right]


def _patches(
    view: View, X: Any, chosen: list[int], count: int, tone: tuple[float, float]
) -> Iterator[list[dict[str, Any]]]:
    """For each channel the patches that excite it most, and the deconvnet of their units."""
    if not count:
        yield from ([] for _ in chosen)
        return
    for patches in top_patches(view.phi, X, chosen, k=count):
        yield [_patch(view, X, patch, tone) for patch in patches]


def _patch(view: View, X: Any, patch: Patch, tone: tuple[float, float]) -> dict[str, Any]:
    signal_back = deconvnet(view.phi, X[patch.index], patch.unit)
    unscaled = 255.0 if patch.crop.dtype == np.uint8 else 1.0
    return {
        "crop": picture(patch.crop / unscaled, *tone, most=CROP),
        "deconvnet": data_uri(shrunk(signal(_cut(signal_back, patch.box)), CROP)),
        "value": patch.value,
        "index": patch.index,
        "unit": list(patch.unit[1:]),
        "clipped": patch.clipped,
    }
