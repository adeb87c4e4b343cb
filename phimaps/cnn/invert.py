"""The image behind given features, and whether it is the only one."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import lsqr
from threadpoolctl import threadpool_limits

from ..errors import InputError, ParameterError, ShapeError, show
from ..map import FeatureMap
from ..maps.conv import Conv2d
from ..maps.pointwise import CRelu, Relu
from .collide import injective_bound, polyhedron
from .fibre import Fibre, Head, Rows, head_of
from .fibre_point import closest, kept_exactly
from .fibre_rank import Normal, narrow_order
from .fibre_search import preimage
from .unit import known_map

__all__ = ["Inversion", "invert"]

# A root mean square distance from which on two images are different.
APART = 0.01


@final
@dataclass(frozen=True, eq=False)
class Inversion:
    """An image with given features.

    Parameters
    ----------
    x : ndarray of float64, shape (channels, height, width)
    gap : float
        The greatest absolute difference of φ(x) and the features, computed in float64.
    bound : float or None
        A certified bound for the distance |x - x₀| to the image x₀ that has the features, if they
        are its features computed in float64 and it lies within the bounds of the pixels.
    unique : bool or None
        True: proved, no other image has the features. False: another one was found, `other`. None:
        neither.
    because : str
    other : ndarray or None
        Another image with these features.
    """

    x: np.ndarray
    gap: float
    bound: float | None
    unique: bool | None
    because: str
    other: np.ndarray | None = None

    def __str__(self) -> str:
        word = {True: "the only image", False: "one of several", None: "an image"}[self.unique]
        bound = "" if self.bound is None else f", off by at most {self.bound:.1e}"
        return f"{word} with these features: gap {self.gap:.1e}{bound}; {self.because}"


def invert(
    phi: Any,
    features: Any,
    in_shape: tuple[int, int, int] | None = None,
    *,
    low: float = 0.0,
    high: float = 1.0,
) -> Inversion:
    """x with φ(x) = features: by least squares on the active rows, where they determine x.

    For an affine map and a rectifier, the active units say W_A x + b_A = a. If W_A has full column
    rank (a certified Cholesky factorization shows it) x is their only solution. If not, the
    inactive units and the bounds are respected too, and a second image is looked for. For any other
    map x is searched by Gauss-Newton steps from grey.

    Parameters
    ----------
    phi : FeatureMap or torch.nn.Module
        Of images.
    features : array-like or tensor of shape (channels, height, width), or (d,)
        Of one image.
    in_shape : tuple of int, optional
        (channels, height, width) of the image. Default: what the map declares, or the only size
        that gives features of this shape.
    low, high : float
        Bounds of the pixels, finite. They matter where the features alone do not determine x.

    Returns
    -------
    Inversion

    Raises
    ------
    ParameterError
        When the shape of the image is not known.
    ShapeError, InputError
        When the features are not those of one such image.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.CRelu() @ pm.Conv2d([[[[1.0, 0.5]]]], padding="same")
    >>> image = np.array([[[0.25, 0.75, 0.5]]])
    >>> found = invert(phi, phi(image[None])[0])
    >>> bool(np.abs(found.x - image).max() < 1e-12), found.unique
    (True, True)
    """
    closed = known_map(phi, "invert")
    given = features.detach().cpu() if isinstance(features, torch.Tensor) else np.array(features)
    wanted = torch.as_tensor(given).double()
    shape = _image_shape(closed, tuple(wanted.shape), in_shape)
    with torch.no_grad():
        made = tuple(closed.forward(torch.zeros((1, *shape), dtype=torch.float64)).shape[1:])
    if prod(made) != wanted.numel():
        raise ShapeError(
            "These are not the features of one image.",
            got=f"features={show(wanted)}",
            need=f"shape {made}, as φ gives for an image of shape {shape}",
            do="phi(images)[0]",
        )
    head = head_of(closed)
    rectified = head is not None and head.rectified
    nonnegative = bool((wanted >= 0).all()) or not rectified or bool(head and head.rest)
    if not bool(wanted.isfinite().all()) or not nonnegative:
        raise InputError(
            "No image has these features.",
            got=f"features from {float(wanted.min()):.4g} to {float(wanted.max()):.4g}",
            need="finite numbers, >= 0 behind a rectifier",
            do="phi(image[None])[0], the features after the ReLU",
        )
    rows = head.rows(shape) if head and not head.rest and head.pool is None else None
    if head is None or rows is None:
        return _searched(closed, wanted, shape, (low, high))
    with threadpool_limits(1, user_api="blas"):
        return _solved(closed, head, rows, wanted, shape, (low, high))


def _image_shape(
    phi: FeatureMap, out: tuple[int, ...], given: tuple[int, ...] | None
) -> tuple[int, ...]:
    parts = list(getattr(phi, "maps", (phi,)))
    first = parts[0]
    declared = given if given is not None else getattr(first, "in_shape", None)
    if declared is not None and -1 not in declared:
        return tuple(int(s) for s in declared)
    if isinstance(first, Conv2d) and len(out) == 3:
        window = first.window()
        # Padding and windows change the size of an axis by less than their sum, times the stride.
        reach = [
            range(1, (n + 2) * s + k + 2)
            for n, s, k in zip(out[1:], window.stride, window.size, strict=True)
        ]
        fits = [
            [n for n in sizes if window.count(axis, n) == out[axis + 1]]
            for axis, sizes in enumerate(reach)
        ]
        pointwise = all(isinstance(p, Relu | CRelu) for p in parts[1:])
        if pointwise and all(len(f) == 1 for f in fits):
            return (first.channels, fits[0][0], fits[1][0])
    if phi.takes is not None:
        return phi.takes
    raise ParameterError(
        "invert does not know the shape of the image.",
        got=f"in_shape={show(given)}, features of shape {out}",
        need="(channels, height, width) of the image",
        do="invert(phi, features, in_shape=(3, 64, 64))",
    )


def _solved(
    phi: FeatureMap,
    head: Head,
    rows: Rows,
    wanted: torch.Tensor,
    shape: tuple[int, ...],
    bounds: tuple[float, float],
) -> Inversion:
    values = wanted.numpy().ravel()
    if head.signs:
        # z is the difference of its two halves, and -z the other half.
        half = len(values) // 2
        z = values[:half] - values[half:]
        fibre = Fibre(
            rows, np.ones(len(values), bool), np.concatenate([z, -z]), np.full(len(values), np.inf)
        )
    else:
        fibre = head.fibre(rows, values)
    size = np.full(prod(shape), max(abs(b) for b in bounds))
    sigma = injective_bound(fibre, size, shape)
    matrix = sp.csr_array(rows.matrix[fibre.fixed])
    right = (fibre.z - rows.bias)[fibre.fixed]
    kept = f"{len(right)} active rows for {prod(shape)} numbers"
    if sigma > 0:
        x = _least_squares(matrix, right, shape)
        gap = _gap(phi, x.reshape(shape), wanted)
        lost = rows.rounding(np.maximum(size, np.abs(x)))[fibre.fixed]
        # Of the features that are given, and of the residual.
        off = np.abs(matrix @ x - right) + 2 * lost
        bound = float(np.linalg.norm(off)) / sigma * (1 + 1e-9)
        because = f"proved: {kept} have full rank, |W_A y| >= {sigma:.2g} |y|"
        return Inversion(x.reshape(shape), gap, bound, True, because)
    return _chosen(phi, fibre, matrix, right, wanted, shape, bounds, kept)


def _least_squares(matrix: sp.csr_array, right: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The solution by the factor of WᵀW, with residuals until they no longer shrink."""
    order = narrow_order(shape)
    w = sp.csr_array(matrix[:, order])
    normal, x = Normal(w), np.zeros(w.shape[1])
    factor = normal.factor(0.0, np.ones(w.shape[0]))
    assert factor is not None, "the rank is certified by a factorization of less"
    for _ in range(8):
        more = Normal.solve(factor, w.T @ (right - w @ x))
        x = x + more
        if np.linalg.norm(more) <= 1e-16 * np.linalg.norm(x):
            break
    result = np.empty(len(x))
    result[order] = x
    return result


def _chosen(
    phi: FeatureMap,
    fibre: Fibre,
    matrix: sp.csr_array,
    right: np.ndarray,
    wanted: torch.Tensor,
    shape: tuple[int, ...],
    bounds: tuple[float, float],
    kept: str,
) -> Inversion:
    order = narrow_order(shape)
    whole = sp.csr_array(fibre.rows.matrix[:, order])
    grey = np.full(prod(shape), sum(bounds) / 2)
    exact = 2 * float(fibre.rows.rounding(np.full(len(grey), max(map(abs, bounds)))).max())
    found = [grey]
    if Normal.affordable(whole, 2**32):
        set_ = polyhedron(fibre, *bounds).slice(grey, order)
        normal = Normal(set_.matrix)
        found[0] = grey.copy()
        found[0][order] = closest(set_, grey, grey, normal)
    # The smallest change that corrects what is left of the active rows.
    found[0] = np.clip(_corrected(matrix, right, found[0]), *bounds)
    if Normal.affordable(whole, 2**32):
        first = found[0][order]
        for end in bounds:
            far = np.full(len(grey), end)
            found.append(grey.copy())
            found[-1][order] = kept_exactly(set_, first, closest(set_, first, far, normal), normal)
    images = [v.reshape(shape) for v in found]
    x, gaps = images[0], [_gap(phi, image, wanted) for image in images]
    there = [k for k, gap in enumerate(gaps) if gap <= exact]
    away = [float(np.sqrt(np.mean((image - x) ** 2))) for image in images]
    far_one = max(there, key=away.__getitem__, default=0)
    apart = away[far_one]
    if gaps[0] <= exact and apart >= APART:
        because = f"numerically: {kept}; another image, rms {apart:.2g} away, has the same features"
        return Inversion(x, gaps[0], None, False, because, images[far_one])
    reached = "no other image was found" if gaps[0] <= exact else "the features are not met exactly"
    because = f"numerically: {kept}, whose rank is not certified; {reached}"
    return Inversion(x, gaps[0], None, None, because)


def _corrected(matrix: sp.csr_array, right: np.ndarray, x: np.ndarray) -> np.ndarray:
    for _ in range(2):
        x = x + lsqr(matrix, right - matrix @ x, atol=1e-15, btol=1e-15, iter_lim=1000)[0]
    return x


def _searched(
    phi: FeatureMap, wanted: torch.Tensor, shape: tuple[int, ...], bounds: tuple[float, float]
) -> Inversion:
    grey = torch.full(shape, sum(bounds) / 2, dtype=torch.float64)
    x = preimage(phi, wanted.reshape(-1), grey, bounds).detach().numpy()
    because = "numerically: Gauss-Newton steps from grey; nothing is known of other images"
    return Inversion(x, _gap(phi, x, wanted), None, None, because)


def _gap(phi: FeatureMap, x: np.ndarray, wanted: torch.Tensor) -> float:
    with torch.no_grad():
        value = phi.forward(torch.from_numpy(x)[None])
    return float((value.reshape(-1) - wanted.reshape(-1)).abs().max())
