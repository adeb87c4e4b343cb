"""Rows are computed once: in a call, across clones, folds and threads; memory is bounded."""

import threading
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import phimaps as pm
from phimaps import cache
from phimaps.cache import ENTRY, Store, through


@pytest.fixture(autouse=True)
def empty():
    cache.forget()
    yield
    cache.forget()


class Doubled:
    """Twice the row, and which rows it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, x):
        self.asked += x[:, 0].tolist()
        return 2 * x


X = torch.arange(12.0).reshape(4, 3)


def test_a_row_is_computed_once():
    run = Doubled()
    assert torch.equal(through("m", X[:3], run), 2 * X[:3])
    assert torch.equal(through("m", X.flip(0), run), 2 * X.flip(0))
    assert run.asked == [0, 3, 6, 9]


def test_equal_rows_of_one_call_are_computed_once():
    run = Doubled()
    rows = X[[0, 1, 0, 0, 1]]
    assert torch.equal(through("m", rows, run), 2 * rows)
    assert sorted(run.asked) == [0, 3]


def test_what_is_known_is_told_by_map_dtype_and_shape():
    run = Doubled()
    bits = np.array([[1, 2], [3, 4]], dtype=np.uint8)
    through("m", torch.from_numpy(bits), run)
    through("m", torch.from_numpy(bits.view(np.int8)), run)
    through("m", torch.from_numpy(bits).reshape(2, 2, 1), lambda x: 2 * x)
    through("other", torch.from_numpy(bits), run)
    assert run.asked == [1, 3, 1, 3, 1, 3]
    assert through("m", torch.from_numpy(bits).reshape(2, 2, 1), run).shape == (2, 2, 1)
    through(None, torch.from_numpy(bits), run)
    assert len(run.asked) == 8


def test_results_and_rows_share_no_memory_with_what_is_kept():
    rows, out = X.clone(), torch.empty(4, 3)
    through("m", rows, Doubled()).zero_()
    through("m", rows, Doubled()).zero_()
    assert through("m", rows, Doubled(), out) is out
    assert torch.equal(out, 2 * X)
    out.zero_()
    rows.zero_()
    assert torch.equal(through("m", X, Doubled()), 2 * X)


def test_the_output_may_be_columns_of_a_wider_one():
    wide = torch.zeros(4, 7)
    for _ in range(2):
        through("m", X, Doubled(), wide[:, 2:5])
        assert torch.equal(wide[:, 2:5], 2 * X)
        assert not wide[:, :2].any()
        assert not wide[:, 5:].any()


def test_memory_is_bounded_and_the_longest_unused_goes_first():
    row = ENTRY + 12
    run = Doubled()
    with pm.config_context(cache_bytes=3 * row):
        through("m", X[:1], run)
        through("m", X[1:2], run)
        through("m", X[2:3], run)
        through("m", X[:1], run)
        assert cache.held_bytes() == 3 * row
        through("m", X[3:], run)
        assert cache.held_bytes() == 3 * row
        through("m", X[:1], run)
        assert run.asked == [0, 3, 6, 9]
        through("m", X[1:2], run)
        assert run.asked == [0, 3, 6, 9, 3]


@pytest.mark.parametrize("given", [True, False], ids=["out", "new"])
def test_what_is_larger_than_the_limit_is_not_kept(given):
    run = Doubled()
    out = torch.empty(4, 3) if given else None
    with pm.config_context(cache_bytes=4 * (ENTRY + 12) - 1):
        for _ in range(2):
            assert torch.equal(through("m", X, run, out), 2 * X)
        # In chunks it is as large.
        with cache.pass_of(4):
            through("m", X[:2], run, None if out is None else out[:2])
    assert cache.held_bytes() == 0
    assert run.asked == [0, 3, 6, 9] * 2 + [0, 3]


def test_nothing_is_kept_where_the_limit_is_zero():
    run = Doubled()
    with pm.config_context(cache_bytes=0):
        through("m", X, run)
        through("m", X, run)
    assert cache.held_bytes() == 0
    assert len(run.asked) == 8


def test_a_failure_keeps_nothing():
    def fail(x):
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        through("m", X, fail)
    assert cache.held_bytes() == 0


def test_the_store_counts_right_when_many_threads_write():
    store, row, failed = Store(), np.ones(5), []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(300):
            digests = [bytes([d]) for d in rng.integers(0, 40, 4)]
            store.keep("m", dict.fromkeys(digests, row), limit=20 * (ENTRY + 40))
            found = store.look("m", digests)
            failed.extend(f for f in found if f is not None and f is not row)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert store.held == 20 * (ENTRY + 40)
    store.clear()
    assert store.held == 0


class Seen(torch.nn.Module):
    """A small network that counts how often it is asked for each picture, in whatever copy."""

    count: Counter = Counter()

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(1, 3, 3)
        self.bn = torch.nn.BatchNorm2d(3)
        self.head = torch.nn.Linear(3, 2)

    def forward(self, x):
        Seen.count.update(row.numpy().tobytes() for row in x.detach())
        return self.head(self.bn(self.conv(x)).relu().mean(dim=(2, 3)))


@pytest.fixture
def pictures(rng):
    Seen.count.clear()
    return rng.integers(0, 256, (30, 1, 6, 6)).astype(np.uint8), np.arange(30) % 2


def asked(X):
    """How often each picture of X was computed."""
    return [Seen.count[(row[None].astype(np.float32) / 255)[0].tobytes()] for row in X]


def test_a_whole_module_computes_each_row_once(rng):
    class Rows(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(3, 2)

        def forward(self, x):
            Seen.count.update(row.numpy().tobytes() for row in x.detach())
            return self.linear(x) ** 2

    Seen.count.clear()
    X, y = rng.normal(size=(30, 3)), np.arange(30) % 2
    model = make_pipeline(pm.from_torch(Rows()), RidgeClassifier())
    GridSearchCV(model, {"ridgeclassifier__alpha": [0.01, 0.1, 1, 10]}, cv=3).fit(X, y)
    assert [Seen.count[row.tobytes()] for row in X] == [1] * 30
    assert Seen.count.total() == 30


@pytest.mark.parametrize("layer", ["bn", "head", ""])
@pytest.mark.parametrize("deep", [False, True], ids=["step", "composite"])
def test_a_grid_search_computes_each_picture_once(layer, deep, pictures):
    X, y = pictures
    phi = pm.from_torch(Seen(), layer=layer)
    phi = pm.Standardize() @ pm.Flatten() @ phi if deep else phi
    model = make_pipeline(phi, RidgeClassifier())
    grid = {"ridgeclassifier__alpha": [0.01, 0.1, 1, 10]}
    search = GridSearchCV(model, grid, cv=3).fit(X, y)
    search.predict(X[::-1])
    assert asked(X) == [1] * 30
    # An open map asks for names, which passes over zeros tell, once for all clones.
    assert Seen.count.total() <= 30 + 2 * deep
    with pm.config_context(cache_bytes=0):
        search.predict(X)
    assert asked(X) == [2] * 30


def test_what_is_kept_is_what_would_be_computed(pictures):
    X, _ = pictures
    one, other = (pm.from_torch(Seen(), layer=name) for name in ("bn", "conv"))
    first = one.fit(X).transform(X[:20]), other.fit(X).transform(X[:20])
    again = one.transform(X), other.transform(X)
    with pm.config_context(cache_bytes=0):
        fresh = one.transform(X), other.transform(X)
    for a, b, c in zip(first, again, fresh, strict=True):
        np.testing.assert_array_equal(a, b[:20])
        # Rounding depends on how many rows are computed together.
        np.testing.assert_allclose(b, c, rtol=1e-5, atol=1e-5)
    changed = Seen()
    with torch.no_grad():
        changed.bn.bias += 1
    after = pm.from_torch(changed, layer="bn").fit(X).transform(X)
    np.testing.assert_allclose(after, fresh[0] + 1, rtol=1e-5, atol=1e-5)


def test_rows_of_which_most_were_given_up_are_moved_together():
    rows, store, sizes = torch.arange(3000.0)[:, None], cache._store, []
    row = ENTRY + 4000

    def compute(x):
        return x.repeat(1, 1000)

    with pm.config_context(cache_bytes=200 * row):
        for start in range(0, 2000, 50):
            through("m", rows[start : start + 50], compute)
            # One row of each block stays in use.
            used = rows[: start + 1 : 50]
            assert torch.equal(through("m", used, compute), compute(used))
            sizes.append(store._blocks)
        assert max(sizes) <= cache.LOOSE * 200 * row
        assert min(sizes[20:]) < max(sizes)
        assert cache.held_bytes() == 200 * row
