"""Rectified layers on which wrong theorems about their units show; everything here is true."""

import numpy as np

import phimaps as pm

UNIT, SYMMETRIC = pm.Box([0.0], [1.0]), pm.Box([-1.0], [1.0])
PLANE, SQUARE = pm.Box([-1.0] * 2, [1.0] * 2), pm.Box([0.0] * 2, [1.0] * 2)
ANGLES = 2 * np.pi * np.arange(5) / 5
FAN = np.stack([np.cos(ANGLES), np.sin(ANGLES)])


def active():
    """Some units are active wherever, and they keep all, or part, or nothing."""
    shear = np.array([[1.0, 0.5], [0.0, 1.0]])
    yield pm.Relu() @ pm.Affine(shear, [2.0, 2.0]), PLANE
    # One active unit of two, which does not see a direction.
    yield pm.Relu() @ pm.Affine(shear, [2.0, -2.0]), PLANE
    yield pm.Relu() @ pm.Affine([[1.0, -1.0]], [2.0, -2.0]), SYMMETRIC
    for factor in (0.1, 0.5, 3.0):
        yield pm.Affine([[factor]]) @ pm.Relu() @ pm.Affine([[1.0]], [2.0]), SYMMETRIC
        yield pm.Affine([[1.0]]) @ pm.Relu() @ pm.Affine([[factor]], [4.0]), SYMMETRIC
    yield pm.Affine([[1.0], [1.0]]) @ pm.Relu() @ pm.Affine(shear, [2.0, 2.0]), PLANE
    yield pm.Abs() @ pm.Affine([[1.0]], [-2.0]) @ pm.Relu() @ pm.Affine([[1.0]], [2.0]), SYMMETRIC


def paired():
    """Units of opposite sign, with gaps and without, of different size."""
    for c, d in ((1.0, 0.0), (1.0, 0.5), (1.0, -0.5), (0.25, 0.0), (3.0, 0.0), (2.0, 0.5)):
        yield pm.Relu() @ pm.Affine([[1.0, -c]], [0.0, d]), SYMMETRIC
        yield 0.5 * pm.Relu() @ pm.Affine([[1.0, -c]], [0.0, d]), SYMMETRIC
    plus_minus = np.array([[1.0, 0.0, -1.0, 0.0], [0.5, 1.0, -0.5, -1.0]])
    yield pm.Relu() @ pm.Affine(plus_minus), PLANE
    yield pm.Relu() @ pm.Affine(plus_minus[:, :3]), PLANE
    join = np.vstack([np.eye(2), -np.eye(2)])
    for after in (join, np.abs(join), 0.1 * join, 3.0 * np.eye(4)):
        yield pm.Affine(after) @ pm.Relu() @ pm.Affine(plus_minus), PLANE
    for factor in (0.1, 3.0):
        yield pm.Relu() @ pm.Affine([[1.0, -1.0]]) @ pm.Affine([[factor]]), SYMMETRIC
        yield pm.Relu() @ pm.Affine([[factor, -factor]]), SYMMETRIC
        yield factor * pm.Identity() @ pm.Relu() @ pm.Affine([[1.0, -1.0]]), SYMMETRIC
    yield pm.Relu() @ pm.Affine([[1.0, -1.0]]) @ pm.Abs(), SYMMETRIC
    yield pm.Relu() @ pm.Conv2d([[[[1.0]]], [[[-1.0]]]]), pm.Images(1, 1, 2, -1.0, 1.0)


def spanning():
    """Rows whose active ones span in every cell, and rows that leave a cell out."""
    yield pm.Relu() @ pm.Affine(FAN), PLANE
    yield pm.Relu() @ pm.Affine(FAN[:, :4]), PLANE
    yield pm.Relu() @ pm.Affine(FAN, np.full(5, -0.5)), PLANE
    # Where the second unit wakes up, the first is at its lowest: the least ratio is in between.
    yield pm.Relu() @ pm.Affine([[1.0, -1.0, 0.01]], [0.0, 0.0, 1.0]), SYMMETRIC
    for factor in (0.1, 0.5, 2.0, 3.0):
        yield pm.Relu() @ pm.Affine(FAN) @ (factor * pm.Identity()), PLANE
        yield factor * pm.Identity() @ pm.Relu() @ pm.Affine(FAN), PLANE
        yield pm.Affine(factor * np.eye(2)) @ pm.Relu() @ pm.Affine(3 * np.eye(2)), PLANE
        yield pm.Relu() @ pm.Affine(np.eye(2)) @ pm.Affine(factor * np.eye(2)), PLANE
    yield pm.Relu() @ pm.Affine(FAN) @ pm.Abs(), PLANE
    yield pm.Relu() @ pm.Affine(FAN) @ pm.Tanh(), PLANE
    yield pm.Select([0, 1]) @ pm.Relu() @ pm.Affine(FAN), PLANE
    yield pm.Select([0, 1]) @ pm.Relu() @ pm.Affine(3 * np.eye(2)), SQUARE


def dead():
    """Units that are never active, beside those that are."""
    yield pm.Relu() @ pm.Affine([[1.0, 5.0]], [0.0, -5.0]), UNIT
    yield pm.Relu() @ pm.Affine([[1.0, 5.0]], [0.0, -4.0]), UNIT
    yield pm.Relu() @ pm.Affine([[0.0, 5.0]], [1.0, -5.0]), UNIT
    yield pm.Affine([[3.0], [1.0]]) @ pm.Relu() @ pm.Affine([[1.0, 5.0]], [0.0, -5.0]), UNIT
    yield pm.Relu() @ pm.Conv2d([[[[-2.0]]], [[[0.5]]]]), pm.Images(1, 1, 2)


def pool():
    """All (map, space) pairs."""
    return [*active(), *paired(), *spanning(), *dead()]
