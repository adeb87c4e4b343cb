"""Readouts on which wrong theorems about them show; everything here is true."""

import numpy as np
import torch

import phimaps as pm
from phimaps.models import MLP, Linear, Monotone, Polynomial, Readout, Trees

from .theorem_known import Known

LINE = pm.Box([-1.0], [1.0])
CIRCLE = pm.Sphere([0.0, 0.0], 1.0)
WINDING = pm.Fourier([[1.0]])
R1 = pm.Euclidean(1)


def _angle_facts(on):
    yield pm.Injective, "a point of the circle has one angle in (-π, π]"
    yield ~pm.Continuous, "it jumps at (-1, 0)"


def _angle(x):
    return torch.atan2(x[:, 1:], x[:, :1])


# The angle of a point of the circle: injective, and it jumps.
ANGLE = Known("Angle()", _angle, lambda x: None, _angle_facts, width=1)


def pool():
    """All (readout, space) pairs."""
    for rho in (pm.Softmax(), pm.Exp(), pm.UnitNorm(), pm.Identity()):
        for model in (MLP(), Linear(), Polynomial(2)):
            yield rho @ model @ pm.Identity(), LINE
        yield rho @ MLP() @ pm.Abs(), LINE
        yield rho @ MLP() @ pm.Identity(), CIRCLE
    yield pm.Softmax() @ Monotone() @ pm.Identity(), LINE
    yield pm.Softmax() @ Trees() @ pm.Identity(), LINE
    yield pm.Exp() @ Monotone() @ pm.Identity(), LINE
    yield pm.Exp() @ Linear() @ pm.Identity(), pm.Finite([[0.0], [1.0]])
    for phi in (pm.Identity(), pm.Abs()):
        yield WINDING @ MLP() @ phi, LINE
    yield WINDING @ Linear() @ pm.Identity(), LINE
    for model in (MLP(), Linear(), Trees()):
        yield WINDING @ model @ pm.Identity(), CIRCLE
    yield WINDING @ MLP() @ ANGLE, CIRCLE
    yield WINDING @ MLP() @ pm.Identity(), pm.Sphere(np.zeros(3), 1.0)
    for rho in (pm.Tanh(), pm.LeakyRelu(0.5), pm.Sinh()):
        for phi in (pm.Identity(), pm.Abs()):
            yield Readout(rho, MLP() @ phi, R1), LINE
