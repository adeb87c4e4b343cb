"""Which units are 0 whatever the image, proved by enclosures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, final

import numpy as np
import torch

from ..map import FeatureMap
from ..maps.affine import Affine
from ..maps.conv import Conv2d
from ..maps.network import Network
from ..maps.pictures import arranged
from ..maps.pool import AvgPool2d, GlobalPool
from ..maps.tap import Event, watching
from ..spaces import Box, Space
from . import bounds
from .bounds import Ends, Unclaimed
from .enclosed import Enclosures
from .stages import Passed, follow

__all__ = ["proved_dead"]


def proved_dead(phi: FeatureMap, on: Space) -> dict[str, np.ndarray]:
    """The channels of each rectified layer that are 0 for every image of a space.

    Parameters
    ----------
    phi : FeatureMap
        Closed.
    on : Space
        Of images.

    Returns
    -------
    dict of ndarray of bool, shape (c,)
        By the names of the layers; layers about which nothing is known are left out.

    Notes
    -----
    A channel is 0 everywhere if the upper end of an enclosure of its values is 0. Enclosures are
    carried through maps by `phimaps.FeatureMap.image`, through modules operation by operation.

    Examples
    --------
    >>> import phimaps as pm
    >>> two = pm.Conv2d([[[[1.0]]], [[[1.0]]]], [-2.0, -0.5])
    >>> proved_dead(pm.Relu() @ two, pm.Images(1, 8, 8, 0, 1))
    {'relu': array([ True, False])}
    """
    found: dict[str, np.ndarray] = {}
    seen: Counter[str] = Counter()

    def see(step: Passed) -> None:
        if not step.rectifier:
            return
        seen[step.layer] += 1
        name = step.layer if seen[step.layer] == 1 else f"{step.layer} ({seen[step.layer]})"
        if step.value is not None:
            high = step.value.bounds()[1]
            found[name] = np.asarray((high <= 0).reshape(len(high), -1).all(axis=1))

    with torch.no_grad():
        follow(phi, on, see, _Sets())
    return found


@final
class _Sets:
    """Spaces that contain the values; None where nothing is known, not even the shape."""

    def apply(self, part: FeatureMap, value: Space | None) -> Space | None:
        if value is None:
            return None
        low, high = value.bounds()
        if np.isfinite(low).all() and np.isfinite(high).all():
            known = self.rounded(part, low, high)
            if known is not None:
                return Box(*(end.numpy() for end in known))
        outer = part.image(value).outer
        return outer if outer.shape == part.out_shape(value.shape) else None

    def rounded(self, part: FeatureMap, low: np.ndarray, high: np.ndarray) -> Ends | None:
        """The maps whose sums float32 may round, with room for that."""
        ends = torch.from_numpy(np.array(low)), torch.from_numpy(np.array(high))
        if isinstance(part, Affine):
            weight, bias = torch.tensor(part.array("weight")), torch.tensor(part.array("bias"))
            return bounds.linear(ends, weight.T, bias)
        if isinstance(part, Conv2d):
            window, shape = part.window(), part.image_shape(low.shape)
            ends = tuple(window.pad(end.reshape(1, *shape))[0] for end in ends)  # type: ignore
            weight, bias = torch.tensor(part.array("weight")), torch.tensor(part.array("bias"))
            return bounds.convolved(ends, weight, bias, window.stride)
        if isinstance(part, AvgPool2d) or (isinstance(part, GlobalPool) and part.kind == "avg"):
            shape = part.image_shape(low.shape)
            size = shape[1:] if isinstance(part, GlobalPool) else part.window().size
            values = [part.forward(end.reshape(1, *shape))[0] for end in ends]
            sizes = [part.forward(end.abs().reshape(1, *shape))[0] for end in ends]
            return bounds.averaged((values[0], values[1]), (sizes[0], sizes[1]), size[0] * size[1])
        return None

    def join(
        self, whole: FeatureMap, value: Space | None, parts: list[Space | None]
    ) -> Space | None:
        if value is None or any(p is None for p in parts):
            return None
        outer = whole.image(value).outer
        low, high = (torch.from_numpy(np.array(end)) for end in outer.bounds())
        return Box(*(end.numpy() for end in bounds.widened((low, high))))

    def watch(
        self,
        network: Network,
        value: Space | None,
        see: Callable[[Event, Any], Any],
    ) -> Space | None:
        # A module that cannot be copied might keep what it is given, and meet it again.
        if value is None or not network.module.private:
            return None
        handle, mode = network.module.with_tensors({}), Enclosures(_precision(network))

        def told(event: Event) -> None:
            see(event, _box(mode.ends(event.value)))

        try:
            x = mode.start(*_pictures(network, value))
            with mode, watching(handle.module, told):
                result = handle.run(lambda call, module: call(x.clone()), x)
        except Unclaimed:
            return None
        except Exception:
            # Code that needs numbers fails without them; what was told before stands.
            return None
        return _box(mode.ends(result)) if network.whole else None


def _pictures(network: Network, value: Space) -> Ends:
    """The ends of what the module is given."""
    low, high = (torch.from_numpy(np.array(end)) for end in value.bounds())
    if network.whole:
        return low, high
    handle, shape = network.module, network.in_shape
    low, high = (arranged(end[None], handle, shape)[0] for end in (low, high))
    ends: Ends = low, high
    for name, numbers in (("mean", network.mean), ("std", network.std)):
        if numbers is None:
            continue
        held = torch.from_numpy(np.atleast_1d(np.array(numbers, dtype=np.float64)))
        if len(held) not in (1, len(low)):
            raise Unclaimed
        by = bounds.around(held.reshape(-1, *[1] * (low.ndim - 1)))
        if name == "mean":
            ends = bounds.added(ends, bounds.negated(by))
        else:
            ends = bounds.multiplied(ends, bounds.widened((1 / by[1], 1 / by[0])))
    return ends


def _box(ends: Ends | None) -> Box | None:
    return None if ends is None else Box(*(end.numpy().copy() for end in ends))


def _precision(network: Network) -> torch.dtype:
    floats = [t.dtype for t in network.module.tensors().values() if t.is_floating_point()]
    return floats[0] if floats else torch.float32
