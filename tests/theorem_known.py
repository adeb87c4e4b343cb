"""Maps given by two formulas and by true facts, for the hunt for wrong theorems."""

from typing import Any

import numpy as np
import torch

import phimaps as pm
from phimaps.testing import formula

Affine = pm.property.Affine


class Known(pm.FeatureMap):
    """A map given by two formulas, one in torch and one with many digits, and true facts."""

    name: str
    torch_rule: Any
    digit_rule: Any
    known: Any
    width: Any = None
    reach: Any = None
    fills: Any = None

    def image(self, on):
        if self.reach is None:
            return super().image(on)
        return pm.spaces.Image(self.reach, self.fills)

    def forward(self, x):
        return self.torch_rule(x)

    def out_shape(self, shape):
        return shape if self.width is None else (self.width,)

    def facts(self, on):
        yield from self.known(on)

    def __repr__(self):
        return self.name


@formula(Known)
def _known(evaluate, phi, x):
    return phi.digit_rule(x)


def each(rule):
    def apply(x):
        out = np.empty(x.shape, dtype=object)
        for i in np.ndindex(x.shape):
            out[i] = rule(x[i])
        return out

    return apply


def strictly_contains(on, value):
    """Whether some coordinate certainly passes the value, the others being held."""
    chords = on.chords()
    return chords is not None and bool(((chords[0] < value) & (value < chords[1])).any())


def _may_meet(on, value):
    low, high = on.bounds()
    return bool(((low <= value) & (value <= high)).any())


def _step_facts(at):
    def known(on):
        yield pm.Injective, "it increases strictly"
        yield pm.LowerLipschitz(1.0), "x increases by as much, and the step only adds"
        if strictly_contains(on, at):
            yield ~pm.Continuous, "it jumps"
            yield ~Affine, "it jumps"
        if not _may_meet(on, at):
            yield pm.Continuous, "the jump lies outside"
            yield pm.Lipschitz(1.0), "the jump lies outside"

    return known


def step(at):
    """x ↦ x + 1 from a point on: discontinuous and injective."""
    return Known(
        f"Step({at})",
        lambda x: x + (x >= at).to(x.dtype),
        each(lambda t: t + 1 if t >= at else t),
        _step_facts(at),
    )


def _floor_facts(on):
    if on.infinite and strictly_contains(on, 0.0):
        yield ~pm.Continuous, "it jumps at 0"
        yield ~Affine, "it jumps at 0"
        chords = on.chords()
        i = np.unravel_index(int(np.argmax(chords[1] - chords[0])), on.shape)
        if chords[1][i] > 0.5:
            x, y = np.array(chords[2], dtype=float), np.array(chords[2], dtype=float)
            x[i], y[i] = 0.125, 0.375
            yield ~pm.Injective, pm.Collision(x, y, "both are rounded to 0")


FLOOR = Known("Floor", torch.floor, each(lambda t: t - (t % 1)), _floor_facts)
# It does not say that it has no value at 0, and that is all that is wrong with it.
RECIPROCAL = Known("Reciprocal", lambda x: 1 / x, each(lambda t: 1 / t), lambda on: iter(()))


def _corner(on):
    low, high = on.bounds()
    return float(np.linalg.norm(np.maximum(np.abs(low), np.abs(high)).ravel()))


def _triple_facts(on):
    yield pm.Lipschitz(3.0), "it is linear"
    if isinstance(on, pm.spaces.Boxlike):
        yield (~pm.Bounded)(3.0 * _corner(on) * (1 - 1e-12)), "the farthest corner"


TRIPLE = Known("Triple", lambda x: 3 * x, each(lambda t: 3 * t), _triple_facts)


def _radial_facts(on):
    yield pm.Continuous, "a polynomial"
    if isinstance(on, pm.spaces.Boxlike) and on.interior and on.compact:
        far = _corner(on)
        yield (~pm.Bounded)(far**3 * (1 - 1e-12)), "the farthest corner"
        yield (~pm.Lipschitz)(3 * far**2 * (1 - 1e-12)), "the slope along the ray to that corner"


RADIAL = Known(
    "Radial",
    lambda x: x * (x**2).sum(dim=1, keepdim=True),
    lambda x: x * sum(t * t for t in x.flat),
    _radial_facts,
)


def _dent_facts(on):
    plane = isinstance(on, pm.spaces.Boxlike) and on.interior and on.size == 2
    if plane and (on.high > 0.9).all() and (on.low <= 0.7).all():
        yield ~pm.Injective, "the corner is collapsed"
        yield ~pm.Continuous, "there is a jump at the edge of the corner"
        yield ~Affine, "there is a jump at the edge of the corner"
        yield (~pm.LowerLipschitz)(0.0), "the corner is collapsed"


# The identity, but for the corner in which every coordinate exceeds 0.8.
DENT = Known(
    "Dent",
    lambda x: torch.where((x > 0.8).all(dim=1, keepdim=True), torch.zeros_like(x), x),
    lambda x: x * 0 if all(t > 0.8 for t in x.flat) else x,
    _dent_facts,
)


def bend(at, slope):
    """x ↦ x up to a distance from 0, and with another slope farther out."""

    def known(on):
        low, high = on.bounds()
        inside = bool((low >= -at).all() and (high <= at).all())
        yield pm.Continuous, "the pieces meet"
        yield pm.Lipschitz(1.0 if inside else max(1.0, slope)), "the steeper piece"
        yield pm.LowerLipschitz(1.0 if inside else min(1.0, slope)), "the flatter piece"
        if inside:
            yield pm.PositivelyHomogeneous, "it is the identity there"

    return Known(
        f"Bend({at}, {slope})",
        lambda x: x.clamp(-at, at) + slope * (x - x.clamp(-at, at)),
        each(lambda t: max(-at, min(at, t)) + slope * (t - max(-at, min(at, t)))),
        known,
    )


def _interleave(x):
    """Two numbers in [0, 1), of 20 binary digits, into one of 40; more digits in base 3."""
    a, b = (x[:, 0] * 2**20).floor(), (x[:, 1] * 2**20).floor()
    out = torch.zeros_like(a)
    for k in range(20):
        out = out + ((a / 2**k).floor() % 2) * 4.0**k * 2 + ((b / 2**k).floor() % 2) * 4.0**k
    return out[:, None] / 4.0**20


# On points of 20 binary digits it is what the interleaving of all digits is.
INTERLEAVE = Known(
    "Interleave",
    _interleave,
    lambda x: (_ for _ in ()).throw(ZeroDivisionError),
    lambda on: iter([(pm.Injective, "the digits of both numbers stand in it")]),
    width=1,
    reach=pm.Box([0.0], [2.0]),
)
