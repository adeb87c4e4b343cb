"""Witnesses are plain data that stand by themselves, and go through JSON unchanged."""

import json

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.errors import InputError
from phimaps.witness import AnnihilatingMeasure, Collision, ConeWitness, NearCollision, from_dict

X, Y = np.array([-1.0, 0.5]), np.array([1.0, 0.5])
WITNESSES = [
    Collision(X, Y, "even", exact=False, arithmetic="float32", shown=False),
    NearCollision(X, Y, 3.0, "flat"),
    AnnihilatingMeasure([[0.0], [1.0], [2.0]], [1.0, -2.0, 1.0], "three points of a line"),
    ConeWitness([[0.0], [1.0]], [1.0, -1.0], "f(0) <= f(1)"),
]


@pytest.mark.parametrize("witness", WITNESSES, ids=lambda w: type(w).__name__)
def test_witnesses_go_through_json(witness):
    again = from_dict(json.loads(json.dumps(witness.to_dict())))
    assert type(again) is type(witness)
    assert again.to_dict() == witness.to_dict()


def test_what_is_no_witness_is_refused():
    with pytest.raises(InputError) as error:
        from_dict({"kind": "rumour"})
    assert str(error.value) == (
        "This is no witness.\n"
        "  got:  kind='rumour'\n"
        "  need: one of 'collision', 'annihilating measure', 'near collision', 'cone'\n"
        "  do:   from_dict(witness.to_dict())"
    )


@pytest.mark.parametrize("slope", [0.5, 2.0, 20.0])
def test_no_lipschitz_function_beats_a_near_collision(slope, rng):
    phi = pm.Power(3) @ pm.Diagonal([0.3, 0.3], [0.0, 0.0])
    pair = NearCollision(X, Y, slope, "a cube is flat at 0")

    def target(x):
        return x[:, 0] + x[:, 1] ** 2

    bound = pair.bound(phi, target)
    values = phi(torch.from_numpy(np.stack([X, Y]))).numpy()
    gap = np.linalg.norm(values[0] - values[1])
    assert bound == pytest.approx(max(0.0, (2 - slope * gap) / 2), abs=1e-12)
    assert pair.verify(phi, target) == (slope * gap < 2)
    for _ in range(50):
        # f(z) = L e·z + b is L-Lipschitz.
        direction = rng.standard_normal(2)
        f = values @ (slope * direction / np.linalg.norm(direction)) + rng.standard_normal()
        assert np.abs(f - target(np.stack([X, Y]))).max() >= bound - 1e-12
    # McShane's function attains it.
    best = target(np.stack([X, Y])) - bound * np.sign(2) * np.array([-1, 1])
    assert np.abs(best - target(np.stack([X, Y]))).max() == pytest.approx(bound)
    assert abs(best[1] - best[0]) <= slope * gap + 1e-12


def test_a_cone_is_kept_on_one_side(rng):
    points = np.sort(rng.standard_normal(6))[:, None]
    weights = np.array([1.0, -1.0, 0.5, -0.5, 0.0, 0.0])
    witness = ConeWitness(points, weights, "f(x_1) <= f(x_2), f(x_3) <= f(x_4)")

    def increasing(x):
        return np.hstack([np.ones_like(x), -np.ones_like(x), x, x**3, np.tanh(4 * x), np.exp(x)])

    assert witness.verify(increasing)
    assert not witness.verify(lambda x: -x)
    assert not witness.verify(lambda x: np.full_like(x, np.nan))
    bound = witness.bound(lambda x: -x[:, 0])
    gaps = points[1, 0] - points[0, 0] + 0.5 * (points[3, 0] - points[2, 0])
    assert bound == pytest.approx(gaps / 3)
    assert witness.bound(lambda x: x[:, 0]) == 0.0
    for _ in range(50):
        f = increasing(points) @ np.abs(rng.standard_normal(6))
        assert np.abs(f + points[:, 0]).max() >= bound - 1e-12


def test_weights_that_do_not_fit_prove_nothing():
    assert not ConeWitness([[0.0], [1.0]], [1.0], "short").verify(lambda x: x)
    assert not ConeWitness([[0.0], [1.0]], [0.0, 0.0], "empty").verify(lambda x: x)
