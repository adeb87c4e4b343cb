"""What the kernels themselves state of their theorems: arguments that several of them share."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import isfinite
from typing import Any

import numpy as np

from ..map.term import Fact
from ..proof import Reason
from ..property import (
    Characteristic,
    Continuous,
    NonVanishing,
    PositiveDefinite,
    StrictlyPositiveDefinite,
    Universal,
)
from ..spaces import Space, Sphere
from ..witness import AnnihilatingMeasure
from .configurations import multiple, polygon, rectangle

__all__ = [
    "additive",
    "at_zero",
    "centred",
    "full_spectrum",
    "homogeneous",
    "lost",
    "narrower",
    "neurons",
    "polygonal",
    "positive_off_zero",
    "without_zero",
]


def full_spectrum(because: str, cite: str = "") -> Iterator[Fact]:
    """Of k(x, y) = E cos(w·(x - y)) with a law of w that charges every open set."""
    yield PositiveDefinite, "a mean of cosines of differences"
    yield Continuous, "the mean of bounded continuous functions"
    text = f"{because}; ∫∫ k dν dν = E |ν̂(w)|² = 0 makes the continuous ν̂ vanish, and ν with it"
    yield Universal, Reason(text, cite=cite)
    yield Characteristic, Reason(text, cite=cite)


def lost(points: Any, weights: Any, because: str, exact: bool = True) -> Iterator[Fact]:
    """What follows from Σ c_i k(x_i, ·) = 0."""
    measure = AnnihilatingMeasure(np.asarray(points), np.asarray(weights), because, exact)
    yield ~StrictlyPositiveDefinite, measure
    if measure.mass == 0:
        yield ~Characteristic, measure


def without_zero(on: Space) -> bool:
    """Whether 0 is certainly no point of the space."""
    return not bool(on.contains(np.zeros((1, *on.shape))).any())


def at_zero(on: Space) -> Iterator[Fact]:
    """Of a kernel all of whose functions are 0 at 0."""
    zero = np.zeros((1, *on.shape))
    if bool(on.surely_contains(zero).all()):
        yield from lost(zero, [1.0], "k(0, ·) = 0")
        yield ~NonVanishing, "every function of the space is 0 at 0"


def homogeneous(on: Space, degree: int) -> Iterator[Fact]:
    """Of a kernel with k(tx, y) = t^p k(x, y) for t > 0."""
    if degree:
        yield from at_zero(on)
    found = multiple(on)
    if found is None:
        return
    pair, t = found
    text = f"k(tx, ·) = t^{degree} k(x, ·) for t > 0" if degree else "k(tx, ·) = k(x, ·) for t > 0"
    power = t**degree
    if Fraction(power) != Fraction(t) ** degree:
        return
    yield from lost(pair, [power, -1.0], text)
    zero = np.zeros((1, *on.shape))
    if degree and bool(on.surely_contains(zero).all()):
        points = np.concatenate([pair, zero])
        yield from lost(points, [power, -1.0, 1.0 - power], f"{text}, and k(0, ·) = 0")


def narrower(on: Space, periods: np.ndarray) -> bool:
    """Whether no two points of the space certainly differ by whole periods."""
    low, high = (b.ravel() for b in on.bounds())
    left, right = (a.ravel() for a in on.attains())
    for i, p in enumerate(np.broadcast_to(periods, low.shape)):
        if not (isfinite(low[i]) and isfinite(high[i])):
            return False
        width = Fraction(float(high[i])) - Fraction(float(low[i]))
        if width > Fraction(float(p)) or (width == Fraction(float(p)) and left[i] and right[i]):
            return False
    return True


# --- kernels that add a term for each coordinate -------------------------------------------------
def additive(on: Space) -> Iterator[Fact]:
    """Of a sum of kernels of one coordinate each."""
    corners = rectangle(on)
    if corners is not None:
        text = "each function is a sum of functions of one coordinate"
        yield from lost(corners, [1.0, -1.0, 1.0, -1.0], text)


def positive_off_zero(on: Space, because: str) -> Iterator[Fact]:
    """Of a kernel of numbers x >= 0 that sees every measure on x > 0, and 0 at 0.

    Such a kernel tells any two probability measures apart, as their masses at 0 follow.
    """
    if on.size == 1:
        yield Characteristic, because
        if without_zero(on):
            yield Universal, because
    if (on.bounds()[0] > 0).any():
        yield NonVanishing, "k(·, y) > 0 where a coordinate is positive in both"


# --- kernels of random neurons --------------------------------------------------------------------
def centred(on: Space) -> bool:
    """Whether the space is a sphere around 0."""
    return isinstance(on, Sphere) and not on.center.any()


def polygonal(on: Space, order: int, because: str) -> Iterator[Fact]:
    """Of a kernel of norms and angles whose Fourier series lacks n + 2, 3 (n + 2), 5 (n + 2), ...

    The corners of a regular polygon, with alternating signs, see those frequencies only.
    """
    n = 2 * (order + 2)
    found = polygon(on, n)
    if found is not None:
        corners, exact = found
        yield from lost(corners, (-1.0) ** np.arange(n), because, exact)


def neurons(order: int, depth: int, bias: float, on: Space) -> Iterator[Fact]:
    """Of arc-cosine kernels of the order, which neural tangent kernels add to (with order 1)."""
    yield PositiveDefinite, "E σ(g(x)) σ(g(y)) for Gaussian g, layer by layer"
    if order or bias or without_zero(on):
        yield Continuous, "a continuous function of x·y and the norms"
    if bias:
        text = (
            "∫∫ k dν dν = 2 E |∫ σ(w·x + bv) dν(x)|² = 0, so for almost all w the integral is 0 "
            "for almost all v; a derivative of it in v is the image of ν under w·x, so ν̂ = 0"
        )
        above = (
            ""
            if depth == 1
            else "; a layer above has the kernel below, times positive functions, as a summand: "
            "the first Taylor coefficient of the arc-cosine function is positive"
        )
        yield Universal, text + above
        if depth == 1:
            yield Characteristic, text
        return
    # More layers of order 2 have degrees that no float holds.
    if order < 2 or depth < 4:
        yield from homogeneous(on, order**depth)
    if depth == 1:
        missing = {0: "even n >= 2", 1: "odd n >= 3", 2: "even n >= 4"}[order]
        text = f"the Fourier series of k in the angle has no cos(nθ) with {missing}"
        yield from polygonal(on, order, text)
    elif order < 2 and centred(on):
        yield (
            Universal,
            "κ∘κ has only positive Taylor coefficients, as κ has one of each parity besides those "
            "of the other; so H_k holds all polynomials, which are dense (Stone-Weierstrass)",
        )
