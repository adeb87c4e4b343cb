"""Arrays that are kept as their recipe."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone

import phimaps as pm
from phimaps import drawn
from phimaps.drawn import Drawn, normal, seed_of
from phimaps.errors import DrawError

calls = []


def counted(seed):
    calls.append(seed)
    return normal(3, 2, seed)


def test_it_is_drawn_once_and_late():
    calls.clear()
    weight = Drawn(counted, 5)
    phi = pm.Affine(weight)
    assert not calls
    assert phi.fit(np.ones((2, 3))).transform(np.ones((2, 3))).shape == (2, 2)
    assert weight.shape == (3, 2)
    assert (weight.ndim, weight.dtype, len(weight)) == (2, np.float64, 3)
    assert calls == [5]


def test_copies_share_it_and_maps_compute_by_it():
    weight = Drawn(normal, 3, 2, 0)
    phi = pm.Affine(weight).fit(np.ones((2, 3)))
    for twin in (clone(phi), copy.deepcopy(phi), copy.copy(phi), phi.map_):
        assert twin.weight is weight
        assert np.shares_memory(twin.array("weight"), np.asarray(weight))
    np.testing.assert_array_equal(np.asarray(weight), normal(3, 2, 0))
    assert repr(phi) == "Affine(weight=float64[3, 2])"


def test_what_it_gives_out_cannot_be_written_to():
    weight = Drawn(normal, 3, 2, 0)
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(weight)[0, 0] = 1
    changed = np.array(weight)
    changed[:] = 0
    assert np.asarray(weight).any()
    assert np.asarray(weight, dtype=np.float32).dtype == np.float32


def test_a_pickle_is_small_and_gives_the_same_numbers():
    X = np.ones((2, 500))
    phi = pm.Affine(Drawn(normal, 500, 400, 1)).fit(X)
    text = pickle.dumps(phi)
    assert len(text) < 5_000
    twin = pickle.loads(text)
    np.testing.assert_array_equal(twin.transform(X), phi.transform(X))
    again = pickle.loads(pickle.dumps(pickle.loads(text)))
    np.testing.assert_array_equal(again.transform(X), phi.transform(X))


@pytest.mark.parametrize("size", [1, 20, 32, 33, 1000])
def test_another_draw_is_recognised(monkeypatch, size):
    text = pickle.dumps(Drawn(normal, size, 1, 1))
    assert pickle.loads(text).shape == (size, 1)
    monkeypatch.setattr(
        drawn, "normal", lambda rows, columns, seed: 1.00001 * normal(rows, columns, seed)
    )
    with pytest.raises(DrawError, match="is not the one that was pickled"):
        np.asarray(pickle.loads(text))
    monkeypatch.setattr(
        drawn, "normal", lambda rows, columns, seed: (1 + 1e-9) * normal(rows, columns, seed)
    )
    assert pickle.loads(text).shape == (size, 1)
    monkeypatch.setattr(
        drawn,
        "normal",
        lambda rows, columns, seed: normal(rows, columns, seed).reshape(1, -1)[None],
    )
    with pytest.raises(DrawError, match="got:  shape"):
        np.asarray(pickle.loads(text))


def test_random_states_are_read_and_left_as_they_are():
    assert seed_of(7) == seed_of(np.int64(7)) == 7
    for make in (np.random.RandomState, np.random.default_rng):
        state, fresh = make(3), make(3)
        first = seed_of(state)
        assert seed_of(state) == first == seed_of(make(3))
        assert state.bytes(4) == fresh.bytes(4)
        assert seed_of(state) != first
    assert seed_of(None) != seed_of(None)


@pytest.mark.parametrize(
    "phi",
    [
        pm.RandomFourier(64, gamma=0.5, sampling="iid"),
        pm.RandomFourier(64, gamma=0.5, sampling="orthogonal"),
        pm.GaussianProjection(32),
        pm.RandomRelu(64),
    ],
    ids=lambda phi: type(phi).__name__,
)
def test_weights_are_not_the_numbers_of_a_user_with_the_same_seed(phi):
    # Both begin with default_rng(0).standard_normal; a row that is its own frequency is no data.
    X = np.random.default_rng(0).standard_normal((500, 4))
    pending, held = [phi.bind(X)], []
    while pending:
        part = pending.pop()
        pending += list(getattr(part, "maps", ()))
        held += [part.array(name) for name in part.arrays if name == "weight"]
    assert held
    for weight in held:
        unit = weight / np.linalg.norm(weight, axis=0)
        cosines = X @ unit / np.linalg.norm(X, axis=1, keepdims=True)
        assert np.abs(cosines).max() < 1 - 1e-12
