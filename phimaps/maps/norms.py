"""Certified constants of convolutions whose matrix is too large to be written out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import inf, prod, sqrt
from typing import final

import numpy as np
import torch

from ..interval import EPS, grown, scaled
from ..map import Fact
from ..proof import Reason, Strength
from ..property import Lipschitz, LowerLipschitz
from ..spaces import Space
from .images import Pair, Window
from .spectrum import Torus, coercivity, extremes, torus

__all__ = ["large_facts"]

TINY = float(np.finfo(np.float64).tiny)
# Singular values at every frequency cost this many multiplications at most.
SPECTRUM_COST = 2**31
# Where that costs less than this, four tori are tried.
TWIST_COST = 2**26
LANCZOS_STEPS, LANCZOS_ENTRIES = 40, 2**24


def large_facts(
    weight: np.ndarray, window: Window, shape: tuple[int, int, int], on: Space
) -> Iterator[Fact]:
    """The constants of x ↦ w * x from its frequencies, from row sums, and from test vectors.

    Parameters
    ----------
    weight : ndarray of shape (c_out, c_in, height, width)
    window : Window
    shape : tuple of int
        Of the images.
    on : Space

    Yields
    ------
    (Property, Reason)
    """
    about, norms = torus(window, shape), _Norms(weight, window, shape)
    schur = "sqrt(greatest row sum · greatest column sum) of |entries|, Schur's test"
    yield Lipschitz(norms.schur), Reason(schur, Strength.COMPUTED)
    affordable = _cost(weight, about) <= SPECTRUM_COST
    if affordable and about.exact:
        yield from _exact_facts(norms, about, on)
        return
    if affordable:
        yield from _bounds(norms, about)
    if on.interior:
        text = "|Av| / |v| for a vector v found by Lanczos' method, with its rounding error"
        yield (~Lipschitz)(lambda: norms.ratios()[1]), Reason(text, Strength.COMPUTED)
        yield (~LowerLipschitz)(lambda: norms.ratios()[0]), Reason(text, Strength.COMPUTED)


def _exact_facts(norms: _Norms, about: Torus, on: Space) -> Iterator[Fact]:
    whole = f"singular value over the frequencies of {_named(about)}, certified"
    top, least = _why(f"the greatest {whole}"), _why(f"the least {whole}")
    yield Lipschitz(lambda: norms.on(about)[0]), top
    if on.interior:
        yield (~Lipschitz)(lambda: norms.on(about)[1]), top
    if _tall(norms.weight, about):
        yield LowerLipschitz(lambda: norms.on(about)[3]), least
        if on.interior:
            yield (~LowerLipschitz)(lambda: norms.on(about)[2]), least


def _bounds(norms: _Norms, about: Torus) -> Iterator[Fact]:
    weight, window = norms.weight, norms.window
    # An image that changes sign around the torus contains padding by zeros just as well.
    more = not window.circular and _cost(weight, about) <= TWIST_COST
    twists = [*product((0, 1), (0, 1))] if more else [(0, 0)]
    text = f"x ↦ w * x is {_named(about)} between an embedding and a choice of coordinates"
    often = sqrt(about.repeats) * (1 + 2 * EPS) if about.repeats > 1 else 1.0
    yield Lipschitz(lambda: often * min(norms.on(about, t)[0] for t in twists)), _why(text)
    if about.covers and _tall(weight, about):
        text = f"{_named(about)} of an embedded image has only those coordinates, and zeros"
        yield LowerLipschitz(lambda: max(norms.on(about, t)[3] for t in twists)), _why(text)
    tap = _own_tap(weight, window)
    if tap is not None and weight.shape[0] >= weight.shape[1]:
        text = "one tap outweighs the others: <Ax, Ux> >= m |x|² for its orthogonal part U"
        outweighs = Reason(text, Strength.COMPUTED)
        yield LowerLipschitz(lambda: coercivity(weight, about.sizes, tap)), outweighs


def _why(text: str) -> Reason:
    return Reason(text, Strength.COMPUTED, "Sedghi, Gupta, Long 2019")


def _named(about: Torus) -> str:
    return f"the circular convolution on {about.sizes[0]} x {about.sizes[1]} pixels"


def _tall(weight: np.ndarray, about: Torus) -> bool:
    return weight.shape[0] >= weight.shape[1] * prod(about.stride)


def _cost(weight: np.ndarray, about: Torus) -> int:
    """About how many multiplications the singular values at all frequencies take."""
    c_out, c_in = weight.shape[0], weight.shape[1] * prod(about.stride)
    return prod(about.sizes) // prod(about.stride) * c_out * c_in * min(c_out, c_in)


def _own_tap(weight: np.ndarray, window: Window) -> Pair | None:
    """A tap that stands at every pixel of the image in turn, with padding by zeros."""
    if window.circular or window.stride != (1, 1):
        return None
    ends = zip(window.size, window.before, window.after, strict=True)
    (top, bottom), (left, right) = (
        (max(0, k - 1 - after), min(before, k - 1) + 1) for k, before, after in ends
    )
    if top >= bottom or left >= right:
        return None
    norms = np.abs(weight[:, :, top:bottom, left:right]).max(axis=(0, 1))
    i, j = np.unravel_index(int(norms.argmax()), norms.shape)
    return int(i) + top, int(j) + left


@final
class _Norms:
    """The constants of one convolution, each computed when it is first asked for."""

    def __init__(self, weight: np.ndarray, window: Window, shape: tuple[int, int, int]):
        self.weight, self.window, self.shape = weight, window, shape
        self.scaled, self.power = scaled(weight)
        self.spectra: dict[Pair, tuple[float, float, float, float]] = {}
        self.found: tuple[float, float] | None = None

    def on(self, about: Torus, twist: Pair = (0, 0)) -> tuple[float, float, float, float]:
        """The extreme singular values on the torus."""
        if twist not in self.spectra:
            self.spectra[twist] = extremes(self.weight, about.sizes, about.stride, twist)
        return self.spectra[twist]

    def schur(self) -> float:
        """An upper bound of the norm from the sums of |entries|."""
        size = np.abs(self.scaled)
        rows, cols = (self.window.positions(i, n) for i, n in enumerate(self.shape[1:]))
        into = np.einsum("ocab,ia,jb->oij", size, 1.0 * (rows >= 0), 1.0 * (cols >= 0))
        # How often an offset of the window meets a pixel, along each axis.
        met = [
            (seen.T[:, :, None] == np.arange(n)).sum(axis=1).astype(float)
            for seen, n in zip((rows, cols), self.shape[1:], strict=True)
        ]
        out_of = np.einsum("ocab,ai,bj->cij", size, *met)
        slack = 1 + 4 * EPS * (size.size + 8)
        value = float(np.sqrt(into.max()) * np.sqrt(out_of.max())) * slack
        return float(grown(value + TINY, self.power, True))

    def ratios(self) -> tuple[float, float]:
        """|Av| / |v| for two vectors: above the least of all ratios, and below the greatest."""
        if self.found is None:
            steps = max(4, min(LANCZOS_STEPS, LANCZOS_ENTRIES // prod(self.shape)))
            flat, steep = self.lanczos(steps)
            self.found = (
                float(grown(self._ratio(flat)[1], self.power, True)),
                float(grown(self._ratio(steep)[0], self.power, False)),
            )
        return self.found

    def lanczos(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Images that A shrinks and stretches much, by Lanczos' method on AᵀA."""
        alpha, beta, steps = list[float](), list[float](), min(steps, prod(self.shape))
        # The caller may have turned gradients off.
        with torch.inference_mode(False), torch.enable_grad():
            weight = torch.from_numpy(self.scaled)
            v = torch.from_numpy(np.random.default_rng(0).standard_normal((1, *self.shape)))
            v, basis = v / v.norm(), torch.empty((steps, v.numel()), dtype=v.dtype)
            for k in range(steps):
                point = v.clone().requires_grad_()
                made = torch.conv2d(self.window.pad(point), weight, None, self.window.stride)
                # Half the squared norm has the gradient AᵀAv.
                (moved,) = torch.autograd.grad((made**2).sum() / 2, point)
                alpha.append(float((moved * v).sum()))
                basis[k] = v.flatten()
                known = basis[: k + 1]
                for _ in range(2):
                    moved = moved - (known.T @ (known @ moved.flatten())).reshape(moved.shape)
                beta.append(float(moved.norm()))
                if beta[-1] <= 1e-12 * max(alpha):
                    break
                v = moved / beta[-1]
        inner = np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1)
        ends = np.linalg.eigh(inner)[1][:, [0, -1]].T @ basis[: len(alpha)].numpy()
        return ends[0].reshape(self.shape), ends[1].reshape(self.shape)

    def _ratio(self, point: np.ndarray) -> tuple[float, float]:
        """Bounds (lower, upper) of |Av| / |v|."""
        size = float(np.linalg.norm(point))
        if not size > 0:
            return 0.0, inf
        point = point / size
        value = self.window.correlate(point, self.scaled)
        most = self.window.correlate(np.abs(point), np.abs(self.scaled))
        terms = self.scaled[0].size
        error = (2 * terms + 6) * EPS * float(np.linalg.norm(most)) + TINY * value.size
        near, size = float(np.linalg.norm(value)), float(np.linalg.norm(point))
        slack = 1 + 4 * EPS * (8 + point.size + value.size)
        least = max(0.0, near / slack - error * slack) / (size * slack)
        return least, (near + error) * slack * slack / size
