"""Another image with the same features: towards a target, in the fibre of the first layer."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from ..errors import InputError, ShapeError, show
from ..interval import EPS
from ..map import FeatureMap
from ..witness import Collision
from .fibre import Fibre, Head, head_of
from .fibre_point import Polyhedron, closest, closest_in_l1, kept_exactly
from .fibre_rank import Normal, least_singular_value, narrow_order
from .fibre_search import near_invariant
from .unit import as_batch, closed_map, known_map

__all__ = ["Lookalike", "collide", "injective_bound", "polyhedron"]

# Up to so many pixels a linear program is fast, and changes few of them.
LINEAR = 256
# How many multiplications a factorization may take, for the pixels that are moved at a time.
WORK = 2**31


@final
@dataclass(frozen=True, eq=False)
class Lookalike:
    """An image x, and another one with the same features, or what was reached.

    Parameters
    ----------
    x, y : ndarray of float64, of the shape of the image
        The same image twice where no other was found.
    target : ndarray
        Towards which y was drawn.
    rms : float
        The root mean square of y - x.
    gap : float
        The greatest absolute difference of φ(x) and φ(y), computed in float64.
    tolerance : float
        What rounding may do to that difference; nan where nothing is known of φ.
    holds : bool or None
        True: y is visibly another image, and the gap is rounding. False: it is proved that no other
        image has the features of x. None: neither was found.
    because : str
        How it is known, or what was reached.
    seen : ndarray of int, shape (height, width), or None
        How many of the rows that must be kept depend on each pixel; 0 in a dead region.
    """

    x: np.ndarray
    y: np.ndarray
    target: np.ndarray
    rms: float
    gap: float
    tolerance: float
    holds: bool | None
    because: str
    seen: np.ndarray | None = None

    @property
    def collision(self) -> Collision:
        """The two images as a witness, which `Collision.verify` checks by the map alone."""
        return Collision(self.x, self.y, self.because, exact=False, shown=False)

    def verify(self, phi: Any) -> bool:
        """Whether the two images differ, and their features agree up to rounding, by φ alone.

        Parameters
        ----------
        phi : FeatureMap or torch.nn.Module
        """
        if np.isnan(self.tolerance):
            return self.collision.verify(closed_map(phi, "collide"))
        return bool(
            not np.array_equal(self.x, self.y)
            and self.collision.gap(closed_map(phi, "collide")) <= self.tolerance
        )

    def __str__(self) -> str:
        word = {True: "collision", False: "no collision", None: "no collision found"}[self.holds]
        return f"{word}: rms change {self.rms:.3g}, gap {self.gap:.1e}; {self.because}"


def collide(
    phi: Any,
    x: Any,
    toward: Any = None,
    *,
    low: float = 0.0,
    high: float = 1.0,
    least: float = 0.01,
) -> Lookalike:
    """{y : φ(y) = φ(x), low <= y <= high}: another image with the same features.

    For an affine map, a rectifier and max pooling (or a map that begins with them) this set is a
    polyhedron; its point closest to the target is found by linear programming for up to 256 pixels
    and by an interior point method beyond, and then corrected until the features agree up to
    rounding. For any other map images are searched along directions that the derivative does not
    see: that is a numerical search, and never a proof.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Of images.
    x : array-like or tensor of shape (channels, height, width)
        Within the bounds.
    toward : array-like or tensor of the same shape, optional
        Default: for each number, the bound that is farther away.
    low, high : float
        Bounds of the pixels; may be infinite if `toward` is given.
    least : float
        The root mean square change from which on an image counts as another one.

    Returns
    -------
    Lookalike

    Raises
    ------
    ShapeError
        When x is not one image, or the target has another shape.
    InputError
        When x leaves the bounds.

    References
    ----------
    Puthawala, Kothari, Lassas, Dokmanić, de Hoop (2022), Globally injective ReLU networks.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.Relu() @ pm.Conv2d([[[[1.0, 1.0]]]])
    >>> look = collide(phi, np.full((1, 1, 3), 0.5), toward=np.array([[[1.0, 0.0, 1.0]]]))
    >>> look.y, look.holds
    (array([[[1., 0., 1.]]]), True)
    """
    closed = known_map(phi, "collide")
    image = one_image(x, "collide")
    start = image.numpy()
    if not low < high or not (
        np.isfinite(start).all() and low <= start.min() and start.max() <= high
    ):
        raise InputError(
            "collide looks for images within bounds, and x is not within them.",
            got=f"x from {start.min():.4g} to {start.max():.4g}, low={low}, high={high}",
            need="low <= x <= high, all finite",
            do="x / 255 for bytes, or low=x.min(), high=x.max()",
        )
    far = np.where(start - low > high - start, low, high)
    target = far if toward is None else one_image(toward, "collide").numpy()
    if target.shape != start.shape or not np.isfinite(target).all():
        raise ShapeError(
            "The target of collide is no image like x.",
            got=f"x of shape {start.shape}, toward of shape {target.shape}",
            need="finite numbers in the shape of x",
            do="toward=other[:, :x.shape[1], :x.shape[2]], or finite bounds and no target",
        )
    head = head_of(closed)
    rows = None if head is None else head.rows(start.shape)
    if head is None or rows is None:
        return _searched(closed, image, target, (low, high), least)
    z = _before(head, image)
    fibre = head.fibre(rows, z)
    # Two threads wait for each other longer than one works on bands; on few pixels it is not worth
    # the look for them.
    with threadpool_limits(1, user_api="blas") if start.size > LINEAR else nullcontext():
        return _within(closed, head, fibre, image, target, (low, high), least)


def one_image(x: Any, tool: str) -> torch.Tensor:
    """The image as a float64 tensor of shape (channels, height, width).

    Raises
    ------
    ShapeError
    """
    batch = as_batch(x, tool)
    if len(batch) != 1:
        raise ShapeError(
            f"{tool} works on one image at a time.",
            got=f"x={show(batch)}",
            need="shape (channels, height, width)",
            do="x[0]",
        )
    return batch[0].detach().cpu().double()


def _before(head: Head, image: torch.Tensor) -> np.ndarray:
    """z of the image, both signs where both are kept."""
    z = image[None]
    with torch.no_grad():
        for part in head.affine:
            z = part.forward(z)
    flat = z[0].numpy().ravel()
    return np.concatenate([flat, -flat]) if head.signs else flat


def polyhedron(fibre: Fibre, low: float, high: float) -> Polyhedron:
    """The fibre within bounds of the pixels, with the offsets on the right hand side."""
    n, bias = fibre.rows.matrix.shape[1], fibre.rows.bias
    ends = np.full(n, low), np.full(n, high)
    return Polyhedron(fibre.rows.matrix, fibre.fixed, fibre.z - bias, fibre.upper - bias, *ends)


def injective_bound(fibre: Fibre, size: np.ndarray, shape: tuple[int, ...]) -> float:
    """A certified lower bound of |W_A y| / |y| for the rows that are certainly fixed, or 0.

    Parameters
    ----------
    fibre : Fibre
    size : ndarray of shape (n,)
        Bounds for the absolute values of the input, by which the rounding of z is bounded.
    shape : tuple of int
        Of the image.
    """
    if not fibre.rows.exact:
        return 0.0
    bounded = np.isfinite(fibre.upper)
    floor = np.where(bounded, 0.0, -np.inf)
    sure = fibre.fixed & (fibre.z > floor + fibre.rows.rounding(size))
    return least_singular_value(fibre.rows.matrix[sure][:, narrow_order(shape)])


def _within(
    phi: FeatureMap,
    head: Head,
    fibre: Fibre,
    image: torch.Tensor,
    target: np.ndarray,
    bounds: tuple[float, float],
    least: float,
) -> Lookalike:
    x, shape = image.numpy().ravel(), tuple(image.shape)
    size = np.maximum(np.abs(x), np.abs(target.ravel()))
    tolerance = 2 * float(fibre.rows.rounding(np.maximum(size, _reach(bounds))).max(initial=0.0))
    kept, seen = int(fibre.fixed.sum()), fibre.seen(shape)
    # Pooling chooses rows by comparison, so that none of them is certain.
    whole = head.pool is None and not head.rest
    if whole and kept >= len(x) and injective_bound(fibre, np.abs(x), shape) > 0:
        why = (
            "keeps both signs of z, and the rows of z"
            if head.signs
            else f"has {kept} active rows, and they"
        )
        because = f"proved: {head.name} {why} determine all {len(x)} numbers of x (certified rank)"
        return Lookalike(
            image.numpy(), image.numpy(), target, 0.0, 0.0, tolerance, False, because, seen
        )
    y = _moved(polyhedron(fibre, *bounds), x, target.ravel(), shape, least).reshape(shape)
    rms, gap = float(np.sqrt(np.mean((y - image.numpy()) ** 2))), _gap(phi, image.numpy(), y)
    # The witness is checked by the map alone; what comes behind may enlarge the rounding.
    good = Collision(image.numpy(), y, "", exact=False).verify(phi) and (
        bool(head.rest) or gap <= tolerance
    )
    tolerance = float("nan") if head.rest else tolerance
    holds = True if good and rms >= least else None
    if not holds and rms < 1e-9:
        y, rms, gap = image.numpy(), 0.0, 0.0
    first = "the first layer" if head.rest else "the layer"
    dead = float((seen == 0).mean())
    because = (
        f"numerically: {first} {head.name} keeps {kept} rows of an image of {len(x)} numbers, and "
        f"{dead:.0%} of the pixels are seen by none; "
    )
    because += (
        "y lies in the polyhedron of the rest, up to rounding"
        if holds
        else f"no change of {least} was found, and that there is none is not proved"
    )
    return Lookalike(image.numpy(), y, target, rms, gap, tolerance, holds, because, seen)


def _reach(bounds: tuple[float, float]) -> float:
    return max([abs(b) for b in bounds if np.isfinite(b)], default=0.0)


def _gap(phi: FeatureMap, x: np.ndarray, y: np.ndarray) -> float:
    return Collision(x, y, "").gap(phi)


def _moved(
    set_: Polyhedron, x: np.ndarray, target: np.ndarray, shape: tuple[int, ...], least: float
) -> np.ndarray:
    if len(x) <= LINEAR:
        found = closest_in_l1(set_, target)
        return x if found is None else _better(set_, x, found)
    y = x
    # All at once changes most; near the point where nothing is left, small parts round less.
    for work in (WORK, WORK // 2**8):
        y = x.copy()
        for index in _blocks(set_, shape, work):
            part = set_.slice(y, index)
            normal = Normal(part.matrix)
            near = closest(part, y[index], target[index], normal)
            y[index] = kept_exactly(part, y[index], near, normal)
        if np.sqrt(np.mean((y - x) ** 2)) >= least:
            break
    return y


def _better(set_: Polyhedron, x: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The vertex as it is where it is right up to rounding, else corrected."""
    off = set_.matrix @ found
    size = abs(set_.matrix) @ np.abs(found) + np.abs(set_.value)
    scale = (2 * np.diff(set_.matrix.indptr) + 6) * EPS * size
    right = np.where(set_.fixed, np.abs(off - set_.value), off - set_.upper) <= scale
    return found if right.all() else kept_exactly(set_, x, found)


def _blocks(set_: Polyhedron, shape: tuple[int, ...], work: int) -> list[np.ndarray]:
    """The pixels that are moved together: all, or strips of the image, and then between them."""
    order = narrow_order(shape)
    whole = set_.matrix[:, order]
    n = prod(shape)
    if len(shape) != 3:
        return [order[k : k + 1024] for k in range(0, n, 1024)]
    if Normal.affordable(whole, work):
        return [order]
    h = shape[1]
    index, tall = np.arange(n).reshape(shape), h
    while tall > 4:
        tall = (tall + 1) // 2
        strip = index[:, :tall].transpose(2, 1, 0).ravel()
        if Normal.affordable(set_.matrix[:, strip], work):
            break
    starts = [*range(0, h, tall), *range(tall // 2, h - tall // 2, tall)]
    return [index[:, k : k + tall].transpose(2, 1, 0).ravel() for k in starts]


def _searched(
    phi: FeatureMap,
    image: torch.Tensor,
    target: np.ndarray,
    bounds: tuple[float, float],
    least: float,
) -> Lookalike:
    y, other = near_invariant(phi, image, torch.from_numpy(target.copy()), bounds)
    x, found = image.numpy(), y.numpy()
    rms, gap = float(np.sqrt(np.mean((found - x) ** 2))), _gap(phi, x, found)
    because = (
        f"numerically, along near-invariant directions: features differ by {gap:.1e}, and by "
        f"{other:.1e} for a random change of the same size; nothing is proved"
    )
    if rms < least:
        because = (
            f"numerically, along near-invariant directions: no change of {least} was found that "
            f"leaves the features near; the change of {rms:.1e} moves them by {gap:.1e}"
        )
    return Lookalike(x, found, target, rms, gap, float("nan"), None, because)
