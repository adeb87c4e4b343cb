"""The fibre of a rectified layer: all inputs that it gives the same features, as a polyhedron.

With z = Wx + b and A the units with z > 0, the inputs with the features of x are those with
W_A y = W_A x and W_j y + b_j <= 0 for the others. Behind max pooling only the greatest unit of a
window is fixed, and its rivals stay below it. Either set is convex, bounds of pixels included.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, prod
from typing import Any, final

import numpy as np
import scipy.sparse as sp
import torch

from ..interval import EPS
from ..map import Compose, FeatureMap
from ..maps.affine import Affine, Diagonal
from ..maps.conv import Conv2d
from ..maps.pointwise import CRelu, Relu
from ..maps.pool import AvgPool2d, MaxPool2d
from ..maps.vector import Flatten, Identity

__all__ = ["Fibre", "Head", "Rows", "head_of"]

# Up to so many inputs, the matrix of any affine map is read off its values at the unit vectors.
PROBED = 1024


@final
@dataclass(frozen=True)
class Rows:
    """z = W x + b of one image, row by row.

    Parameters
    ----------
    matrix : scipy.sparse.csr_array of shape (m, n)
    bias : ndarray of shape (m,)
    shape : tuple of int
        Of z.
    exact : bool
        Whether the matrix holds the numbers of the map as they are, without arithmetic.
    """

    matrix: Any
    bias: np.ndarray
    shape: tuple[int, ...]
    exact: bool

    def rounding(self, size: np.ndarray) -> np.ndarray:
        """By how much z, computed in any order in float64, is off, for inputs up to `size`."""
        terms = np.diff(self.matrix.indptr)
        return (2 * terms + 6) * EPS * (abs(self.matrix) @ size + np.abs(self.bias))


@final
@dataclass(frozen=True)
class Fibre:
    """{y : W_j y + b_j = z_j for j fixed, W_j y + b_j <= upper_j for the others}.

    Parameters
    ----------
    rows : Rows
    fixed : ndarray of bool, shape (m,)
    z : ndarray of shape (m,)
        Where it is fixed.
    upper : ndarray of shape (m,)
        Elsewhere; inf where nothing is asked.
    """

    rows: Rows
    fixed: np.ndarray
    z: np.ndarray
    upper: np.ndarray

    def seen(self, shape: tuple[int, ...]) -> np.ndarray:
        """How many fixed rows depend on each pixel, whatever the channel.

        Parameters
        ----------
        shape : tuple of int
            Of the image.

        Returns
        -------
        ndarray of int, shape (height, width), or (n,) for rows of numbers
        """
        pattern = abs(self.rows.matrix[self.fixed]).sign()
        count = np.asarray(pattern.sum(axis=0)).reshape(shape).astype(int)
        return count.max(axis=0) if count.ndim == 3 else count


@final
@dataclass(frozen=True)
class Head:
    """What a map begins with: an affine map, a rectifier, and max pooling, as far as it has them.

    Parameters
    ----------
    affine : tuple of FeatureMap
        In the order in which the data pass them.
    signs : bool
        Whether both signs of z are kept.
    rectified : bool
    pool : MaxPool2d or None
    rest : tuple of FeatureMap
        What comes behind, and may merge more.
    """

    affine: tuple[FeatureMap, ...]
    signs: bool
    rectified: bool
    pool: MaxPool2d | None
    rest: tuple[FeatureMap, ...]

    @property
    def name(self) -> str:
        """The kinds of the parts, outermost first."""
        kinds = [type(m).__name__ for m in self.affine]
        kinds += ["CRelu"] if self.signs else ["Relu"] if self.rectified else []
        kinds += ["MaxPool2d"] if self.pool else []
        return " @ ".join(reversed(kinds))

    def rows(self, shape: tuple[int, ...]) -> Rows | None:
        """The affine part on images of a shape; None if its matrix is out of reach."""
        matrix, exact, x = sp.eye_array(prod(shape), format="csr"), True, torch.zeros((1, *shape))
        x = x.double()
        for part in self.affine:
            found = _matrix(part, tuple(x.shape[1:]))
            if found is None:
                return None
            # The product with the identity rounds nothing; that with another matrix does.
            exact = found[1] and exact and (part is self.affine[0])
            matrix = found[0] @ matrix if part is not self.affine[0] else found[0]
            with torch.no_grad():
                x = part.forward(x)
        bias, out = x[0].numpy().ravel(), tuple(x.shape[1:])
        if self.signs:
            matrix, bias = sp.vstack([matrix, -matrix], format="csr"), np.concatenate([bias, -bias])
            out = (2 * out[0], *out[1:])
        matrix = sp.csr_array(matrix)
        matrix.sort_indices()
        return Rows(matrix, bias, out, exact)

    def fibre(self, rows: Rows, z: np.ndarray) -> Fibre:
        """The inputs that have the features of an input with these values z.

        Parameters
        ----------
        rows : Rows
        z : ndarray of shape (m,)
        """
        if self.pool is None:
            if not self.rectified:
                return Fibre(rows, np.ones(len(z), dtype=bool), z, np.full(len(z), inf))
            return Fibre(rows, z > 0, z, np.zeros(len(z)))
        return self._pooled(rows, z)

    def _pooled(self, rows: Rows, z: np.ndarray) -> Fibre:
        assert self.pool is not None
        c, h, w = self.pool.image_shape(rows.shape)
        seen = self.pool.window().grid((h, w))
        floor = 0.0 if self.rectified else -inf
        values = np.pad(z.reshape(c, -1), ((0, 0), (0, 1)), constant_values=-inf)[:, seen]
        first = values.argmax(axis=2)
        top = np.take_along_axis(values, first[:, :, None], axis=2)[:, :, 0]
        place = np.take_along_axis(np.broadcast_to(seen, values.shape), first[:, :, None], 2)
        fixed = np.zeros((c, h * w + 1), dtype=bool)
        upper = np.full((c, h * w + 1), inf)
        channel = np.arange(c)[:, None]
        fixed[np.broadcast_to(channel, top.shape)[top > floor], place[:, :, 0][top > floor]] = True
        limit = np.broadcast_to(np.maximum(top, floor)[:, :, None], values.shape)
        where = (
            np.broadcast_to(channel[:, :, None], values.shape),
            np.broadcast_to(seen, values.shape),
        )
        np.minimum.at(upper, where, limit)
        return Fibre(rows, fixed[:, :-1].ravel(), z, upper[:, :-1].ravel())


_AFFINE = (Conv2d, Affine, Diagonal, AvgPool2d, Flatten, Identity)


def head_of(phi: FeatureMap) -> Head | None:
    """The affine, rectified, pooled beginning of a map; None if it begins with something else.

    Examples
    --------
    >>> head_of(MaxPool2d(2) @ Relu() @ Conv2d([[[[1.0]]]])).name
    'MaxPool2d @ Relu @ Conv2d'
    """
    parts = list(phi.maps) if isinstance(phi, Compose) else [phi]
    affine: list[FeatureMap] = []
    while parts and isinstance(parts[0], _AFFINE):
        affine.append(parts.pop(0))
    signs = rectified = False
    pool = None
    while parts:
        part = parts[0]
        if isinstance(part, Relu):
            rectified = True
        elif isinstance(part, CRelu) and not rectified and pool is None:
            signs = rectified = True
        elif isinstance(part, MaxPool2d) and pool is None:
            pool = part
        elif not isinstance(part, Flatten | Identity) or any(
            isinstance(p, MaxPool2d | CRelu) for p in parts
        ):
            break
        parts.pop(0)
    if not affine and not rectified and pool is None:
        return None
    return Head(tuple(affine), signs, rectified, pool, tuple(parts))


def _matrix(part: FeatureMap, shape: tuple[int, ...]) -> tuple[Any, bool] | None:
    """The matrix of shape (d_out, d_in), and whether its entries are those of the map."""
    n = prod(shape)
    if isinstance(part, Conv2d):
        return _convolution(part, part.image_shape(shape))
    if isinstance(part, Affine) and len(shape) == 1:
        return sp.csr_array(part.array("weight").T), True
    if isinstance(part, Diagonal):
        return sp.diags_array(part.array("weight"), format="csr"), True
    if isinstance(part, Flatten | Identity):
        return sp.eye_array(n, format="csr"), True
    if n > PROBED:
        return None
    with torch.no_grad():
        units = torch.eye(n, dtype=torch.float64).reshape(n, *shape)
        value = part.forward(units) - part.forward(torch.zeros_like(units[:1]))
    return sp.csr_array(value.reshape(n, -1).T.numpy()), False


def _convolution(conv: Conv2d, shape: tuple[int, int, int]) -> tuple[Any, bool]:
    c, h, w = shape
    weight, window = conv.array("weight"), conv.window()
    seen = window.grid((h, w))
    place, tap = np.nonzero(seen >= 0)
    taps = weight.reshape(len(weight), c, -1)[:, :, tap]
    row = np.arange(len(weight))[:, None, None] * len(seen) + place
    column = np.arange(c)[None, :, None] * h * w + seen[place, tap]
    row, column = (np.broadcast_to(v, taps.shape).ravel() for v in (row, column))
    size = (len(weight) * len(seen), c * h * w)
    # A window that wraps onto itself adds taps up.
    wraps = window.circular and (window.size[0] > h or window.size[1] > w)
    return sp.csr_array((taps.ravel(), (row, column)), shape=size), not wraps
