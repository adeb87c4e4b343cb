"""How often, how selectively and whether at all the units of rectified layers respond."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, final

import numpy as np
import torch

from ..batches import batches, in_batches
from ..errors import OperandError, ParameterError, ShapeError, show
from ..spaces import Space
from .dead import proved_dead
from .stages import Passed, as_followed, follow, warn_unnamed
from .trace import columns
from .unit import as_batch

__all__ = ["Layer", "Units", "units"]

# More images at a time are no faster, and their activations leave the processor's caches.
IMAGES, BYTES = 64, 2**22
# What is read several times stays in a core's own cache.
NEAR = 2**20


@final
@dataclass(frozen=True, eq=False)
class Layer:
    """What the units of one rectified layer did; see `units`.

    Parameters
    ----------
    name : str
        The layer, as in `trace`.
    frequency : ndarray of shape (c,)
        How often a channel was positive: the share of images and places.
    lifetime_sparsity : ndarray of shape (c,)
        Of a channel over all images and places, from 0 (the same everywhere) to 1 (a single
        response); NaN where it never responded.
    population_sparsity : float
        Of all channels and places for one image, on average over the images; NaN where none of
        them ever responded.
    mean, greatest : ndarray of shape (c,)
        Of the activations.
    dead : ndarray of bool, shape (c,)
        Which channels were 0 for all these images.
    proved_dead : ndarray of bool, shape (c,)
        Which channels are proved to be 0 for every image of the space that was given.
    """

    name: str
    frequency: np.ndarray
    lifetime_sparsity: np.ndarray
    population_sparsity: float
    mean: np.ndarray
    greatest: np.ndarray
    dead: np.ndarray
    proved_dead: np.ndarray


@final
@dataclass(frozen=True, eq=False)
class Units:
    """The rectified layers of a map, in the order in which they run; see `units`.

    Parameters
    ----------
    layers : tuple of Layer
    images : int
        How many images there were.
    """

    layers: tuple[Layer, ...]
    images: int

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, name: str) -> Layer:
        """The layer of that name.

        Raises
        ------
        ParameterError
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.0)[0]
        raise ParameterError(
            f"There is no rectified layer {show(name)} in this map.",
            got=show(name),
            need=f"one of {', '.join(names)}",
            do=f"units[{near!r}]",
        )

    def __str__(self) -> str:
        rows = [("layer", "channels", "frequency", "lifetime", "population", "dead", "proved")]
        for a in self.layers:
            lived = a.lifetime_sparsity[~np.isnan(a.lifetime_sparsity)]
            rows.append(
                (
                    a.name,
                    str(len(a.mean)),
                    f"{a.frequency.mean():.3f}",
                    f"{lived.mean():.3f}" if len(lived) else "nan",
                    f"{a.population_sparsity:.3f}",
                    str(int(a.dead.sum())),
                    str(int(a.proved_dead.sum())),
                )
            )
        return columns(rows, right=6)

    def __repr__(self) -> str:
        return f"Units({', '.join(a.name for a in self.layers)}; {self.images} images)"


def units(phi: Any, X: Any, on: Space | None = None) -> Units:
    """How the units of every rectified layer respond to a set of images, in one pass.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Closed, or fitted, with at least one ReLU. A module runs in evaluation mode and is left as
        it is.
    X : array, tensor, data set or loader
        Images of shape (n, channels, height, width), read a few at a time.
    on : Space, optional
        All images that there can be, such as ``pm.Images(3, 32, 32, 0, 1)``, of the shape of one
        image. With it `proved_dead` tells the channels that no image of it can excite.

    Returns
    -------
    Units

    Raises
    ------
    OperandError
        When nothing is rectified.
    InputError
        When an image has a NaN or an infinite pixel.
    ShapeError
        When `on` has points of another shape.
    UnboundError

    Warns
    -----
    UserWarning
        Where no ReLU is called but clamps or maxima compute max(z, 0); they count as ReLUs.

    Notes
    -----
    The sparsity of n responses r_i >= 0 is S = (1 - A) / (1 - 1/n) with A = (Σ r_i / n)² /
    (Σ r_i² / n): Treves and Rolls' A, turned round and scaled by Vinje and Gallant so that it runs
    from 0 to 1. Over the life of one channel the n are all images and places, as each place of a
    convolution shows the same filter another patch; over the population they are all units of the
    layer.

    `dead` is a statement about these images, `proved_dead` one about every image of `on`: the
    interval of values that the layer can have is carried through the map, rounded outward, and its
    upper end is 0. It holds in real arithmetic, and for convolutions, linear layers, averages and
    batch normalizations also as they are computed in float32 or float64, whatever the order of the
    sums. What is not known to be enclosed gives no claim. A channel may be dead and not proved so.

    References
    ----------
    Treves, Rolls (1991), What determines the capacity of autoassociative memories in the brain?
    Vinje, Gallant (2000), Sparse coding and decorrelation in primary visual cortex during natural
    vision.
    Willmore, Tolhurst (2001), Characterizing the sparseness of neural codes.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.Relu() @ pm.Conv2d([[[[1.0]]], [[[1.0]]], [[[-1.0]]]], [0.0, -0.5, 0.0])
    >>> found = units(phi, [[[[0.0, 0.25, 0.5, 0.25]]]], on=pm.Images(1, 1, 4, 0, 1))
    >>> print(found)
    layer  channels  frequency  lifetime  population  dead  proved
    relu          3      0.250     0.444       0.848     2       1
    >>> found["relu"].dead, found["relu"].proved_dead
    (array([False,  True,  True]), array([False, False,  True]))
    """
    closed = as_followed(phi, "units")
    tallies: dict[str, _Tally] = {}
    seen: Counter[str] = Counter()
    steps: list[Passed] = []
    proofs: dict[str, np.ndarray] = {}
    images = 0

    def see(step: Passed) -> None:
        if not step.rectifier:
            return
        seen[step.layer] += 1
        name = unique(step.layer, seen[step.layer])
        if name not in tallies:
            tallies[name] = _Tally(name, step.value)
            # Without its value, which would keep the memory of a whole batch.
            steps.append(replace(step, value=None))
        tallies[name].add(step.value)

    for batch in _batches(X):
        if not images and on is not None:
            proofs = _proofs(closed, on, tuple(batch.shape[1:]))
        seen.clear()
        with torch.no_grad():
            follow(closed, batch, see)
        images += len(batch)
    if not tallies:
        raise OperandError(
            "units found no ReLU in this map.",
            got=f"{closed!r}",
            need="a map with at least one layer that is rectified",
            do="pm.cnn.units(pm.Relu() @ phi, X)",
        )
    warn_unnamed(steps, "units")
    return Units(tuple(t.layer(proofs.get(name)) for name, t in tallies.items()), images)


def unique(name: str, count: int) -> str:
    """The name of the count-th layer that is called so."""
    return name if count == 1 else f"{name} ({count})"


def _proofs(closed: Any, on: Space, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    if not isinstance(on, Space) or on.shape != shape:
        raise ShapeError(
            "Nothing can be proved about images on a space of other points.",
            got=f"on={show(on)} for images of shape {shape}",
            need=f"a space of points of shape {shape}",
            do=f"on=pm.Images({', '.join(map(str, shape))}, 0, 1)",
        )
    return proved_dead(closed, on)


def _batches(X: Any) -> Iterator[torch.Tensor]:
    read = X if in_batches(X) or isinstance(X, torch.Tensor) else np.asarray(X)
    if not in_batches(read) and len(read.shape) != 4:
        read = as_batch(read, "units")
    first = 0
    for batch in batches(read):
        step = min(IMAGES, max(1, BYTES // max(1, 4 * prod(batch.shape[1:]))))
        for start in range(0, len(batch), step):
            yield as_batch(batch[start : start + step], "units", first + start)
        first += len(batch)


@final
class _Tally:
    """The sums of one layer."""

    def __init__(self, name: str, first: torch.Tensor):
        self.name = name
        self.places = 0
        self.positive = first.new_empty(0)
        zeros = np.zeros(first.shape[1])
        self.active, self.total, self.squares = zeros, zeros.copy(), zeros.copy()
        self.greatest = zeros.copy()
        self.population: list[np.ndarray] = []

    def add(self, value: torch.Tensor) -> None:
        n, c = value.shape[:2]
        if value.ndim > 2:
            sums = value.new_empty((4, n, c))
            step = max(1, NEAR // max(1, value[0].numel() * value.element_size()))
            for start in range(0, n, step):
                self.reduce(value[start : start + step], sums[:, start : start + step])
        else:
            sums = torch.stack([value, value, value, (value > 0).to(value)])
        sums[1].square_()
        wide = torch.float64
        total, squares, _, active = sums.sum(1, dtype=wide).cpu().numpy()
        self.places += value.numel() // c
        self.total += total
        self.squares += squares
        self.active += active
        self.greatest = np.maximum(self.greatest, sums[2].amax(0).to(wide).cpu().numpy())
        by_image = sums[:2].sum(2, dtype=wide).cpu().numpy()
        self.population.append(sparsity(by_image[0], by_image[1], value.numel() // n))

    def reduce(self, part: torch.Tensor, sums: torch.Tensor) -> None:
        """Over the places: sum, root of the sum of squares, maximum, how many are positive."""
        axes = tuple(range(2, part.ndim))
        if self.positive.shape != part.shape:
            self.positive = torch.empty_like(part)
        # As numbers, in memory that was used before: several times as fast as truth values.
        positive = torch.gt(part, 0, out=self.positive)
        torch.sum(part, axes, out=sums[0])
        torch.linalg.vector_norm(part, dim=axes, out=sums[1])
        torch.amax(part, axes, out=sums[2])
        torch.sum(positive, axes, out=sums[3])

    def layer(self, proved: np.ndarray | None) -> Layer:
        dead = self.greatest == 0
        each = np.concatenate(self.population)
        each = each[~np.isnan(each)]
        return Layer(
            self.name,
            self.active / self.places,
            sparsity(self.total, self.squares, self.places),
            float(each.mean()) if len(each) else float("nan"),
            self.total / self.places,
            self.greatest,
            dead,
            np.zeros_like(dead) if proved is None else proved,
        )


def sparsity(total: np.ndarray, squares: np.ndarray, n: int) -> np.ndarray:
    """(1 - A) / (1 - 1/n), A = (Σ r / n)² / (Σ r² / n), from Σ r and Σ r²; NaN where all r are 0.

    Examples
    --------
    >>> sparsity(np.array([3.0, 1.0, 0.0]), np.array([3.0, 1.0, 0.0]), 3)
    array([ 0.,  1., nan])
    """
    if n < 2:
        return np.full(np.shape(total), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(squares > 0, (total / n) ** 2 / (squares / n), np.nan)
    # Rounding may leave a ratio just above 1.
    return np.clip((1 - share) / (1 - 1 / n), 0.0, 1.0)
