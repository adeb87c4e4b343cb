"""Kernels given by two formulas and by true facts, for the hunt for wrong theorems."""

from typing import Any

import numpy as np
import torch

import phimaps as pm
from phimaps.testing.entries import entry
from phimaps.testing.precise import mpmath

from .theorem_known import Known, strictly_contains

U, S, P, C, V = (
    pm.Universal,
    pm.StrictlyPositiveDefinite,
    pm.PositiveDefinite,
    pm.Characteristic,
    pm.NonVanishing,
)


class KnownKernel(pm.kernels.Kernel):
    """A kernel given by a formula in torch and one with many digits, and true facts."""

    name: str
    torch_rule: Any
    digit_rule: Any
    known: Any

    def between(self, x, y):
        return self.torch_rule(x.flatten(1), y.flatten(1))

    def diagonal(self, x):
        parts = [self.between(part, part).diagonal() for part in x.split(128)]
        return torch.cat(parts) if parts else x.new_empty(0)

    def facts(self, on):
        yield from self.known(on)

    def __repr__(self):
        return self.name


@entry(KnownKernel)
def _known(evaluate, kernel, x, y):
    return kernel.digit_rule(x.ravel(), y.ravel())


def _square(x, y):
    return (x[:, None] - y[None]).square().sum(2)


def _gauss(x, y):
    return torch.exp(-_square(x, y))


def _gauss_digits(x, y):
    return mpmath.exp(-mpmath.fsum((a - b) ** 2 for a, b in zip(x, y, strict=True)))


def _gauss_facts(on):
    yield U, "a Gaussian kernel"
    yield C, "a Gaussian kernel"


GAUSS = KnownKernel("Gauss", _gauss, _gauss_digits, _gauss_facts)


def negative(factor, kernel):
    """A multiple of a kernel by a number < 0."""

    def known(on):
        yield ~P, "k(x, x) < 0"
        yield pm.Continuous, "k is continuous"

    return KnownKernel(
        f"({-factor} {kernel!r})",
        lambda x, y: -factor * kernel.torch_rule(x, y),
        lambda x, y: -mpmath.mpf(factor) * kernel.digit_rule(x, y),
        known,
    )


NEGATIVE = negative(1.0, GAUSS)


def _jump_facts(on):
    yield P, "a product f(x) f(y)"
    if strictly_contains(on, 0.0):
        yield ~pm.Continuous, "f jumps at 0"


# f(x) f(y), with f = 2 from 0 on and f = 1 before.
JUMP = KnownKernel(
    "JumpKernel",
    lambda x, y: torch.outer(1.0 + (x[:, 0] >= 0).to(x), 1.0 + (y[:, 0] >= 0).to(y)),
    lambda x, y: mpmath.mpf((2 if x[0] >= 0 else 1) * (2 if y[0] >= 0 else 1)),
    _jump_facts,
)


def _linear_facts(on):
    yield P, "k(x, y) = x·y"
    yield pm.Continuous, "k(x, y) = x·y"
    zero = np.zeros((1, *on.shape))
    if on.surely_contains(zero).all():
        yield ~V, "every function is 0 at 0"
        yield ~S, pm.AnnihilatingMeasure(zero, np.ones(1), "k(0, ·) = 0")


DOT = KnownKernel(
    "Dot",
    lambda x, y: x @ y.T,
    lambda x, y: mpmath.fsum(a * b for a, b in zip(x, y, strict=True)),
    _linear_facts,
)


def _affine_facts(on):
    yield V, "1 lies in the space"
    if strictly_contains(on, 0.0):
        yield ~U, "the space has finite dimension"


# 1 + x·y.
AFFINE = KnownKernel(
    "AffineKernel",
    lambda x, y: 1.0 + x @ y.T,
    lambda x, y: 1 + mpmath.fsum(a * b for a, b in zip(x, y, strict=True)),
    _affine_facts,
)


def _minimum_facts(on):
    yield C, "f(1) - f is the integral of any square-integrable function"
    yield pm.Continuous, "min is"
    if on.surely_contains(np.zeros((1, 1))).all():
        yield ~S, pm.AnnihilatingMeasure(np.zeros((1, 1)), np.ones(1), "min(0, y) = 0")
        yield ~V, "every function is 0 at 0"


# min(x, y) for numbers >= 0.
MINIMUM = KnownKernel(
    "Minimum",
    lambda x, y: torch.minimum(x, y.T),
    lambda x, y: min(x[0], y[0]),
    _minimum_facts,
)


def _sinc_facts(on):
    yield U, "its spectrum contains an interval"
    if not on.compact:
        yield ~C, "two measures whose Fourier transforms agree on an interval"


def _sinc_digits(x, y):
    gap = x[0] - y[0]
    return mpmath.sin(gap) / gap if gap else mpmath.mpf(1)


SINC = KnownKernel(
    "Sinc",
    lambda x, y: torch.special.sinc((x - y.T) / np.pi),
    _sinc_digits,
    _sinc_facts,
)


def _swapped(x):
    return torch.where(x < 1.5, x + 0.5, x - 0.5)


def _swapped_digits(x):
    half = mpmath.mpf(1) / 2
    return [t + half if t < 3 * half else t - half for t in x]


def _torn_facts(on):
    yield S, "a Gaussian kernel of different numbers"
    yield C, "a Gaussian kernel of an injective function"
    if strictly_contains(on, 1.5):
        yield ~pm.Continuous, "it jumps at 3/2"


# The Gaussian kernel of numbers after the halves of [1, 2) have been exchanged.
TORN = KnownKernel(
    "Torn",
    lambda x, y: _gauss(_swapped(x), _swapped(y)),
    lambda x, y: _gauss_digits(_swapped_digits(x), _swapped_digits(y)),
    _torn_facts,
)


def _rest_facts(on):
    yield P, "a power series in x·y without its mean"
    yield pm.Continuous, "a power series"
    if isinstance(on, pm.Sphere):
        yield ~U, "every function has the mean 0 on the circle"
        yield ~V, "every function has the mean 0 on the circle, and so a zero"


def _rest_digits(x, y):
    return mpmath.exp(mpmath.fsum(a * b for a, b in zip(x, y, strict=True))) - mpmath.besseli(0, 1)


# exp(x·y) on the unit circle without its constant term: functions of mean 0.
REST = KnownKernel(
    "Rest",
    lambda x, y: torch.exp(x @ y.T) - float(torch.special.i0(torch.tensor(1.0).double())),
    _rest_digits,
    _rest_facts,
)


def _wind_digits(x):
    return np.array([mpmath.cospi(2 * x[0]), mpmath.sinpi(2 * x[0])], dtype=object)


def _wind_facts(on):
    yield pm.Continuous, "cosine and sine are"
    low, high = on.bounds()
    if float(high[0] - low[0]) < 1 or not bool((on.attains()[0] & on.attains()[1]).all()):
        yield pm.Injective, "less than a turn, or one of which an end is left out"


CIRCLE = pm.Sphere([0.0, 0.0], 1.0)
# [0, 1) around the circle, once.
WIND = Known(
    "Wind",
    lambda x: torch.cat([torch.cos(2 * np.pi * x), torch.sin(2 * np.pi * x)], dim=1),
    _wind_digits,
    _wind_facts,
    width=2,
    reach=CIRCLE,
    fills=CIRCLE,
)
