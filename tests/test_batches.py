"""Data sets and loaders are read batch by batch, and give what the array of their rows gives."""

import tracemalloc

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
    TensorDataset,
)

import phimaps as pm
from phimaps import batches
from phimaps.batches import count

X = np.random.default_rng(0).integers(0, 256, (23, 3, 6, 6)).astype(np.uint8)
T = torch.from_numpy(X)


class Listed(Dataset):
    """Items by number, and how often each was read."""

    def __init__(self, items, label=True):
        self.items, self.label, self.read = items, label, []

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        self.read.append(i)
        return (self.items[i], i % 2) if self.label else self.items[i]


class Named(Listed):
    def __getitem__(self, i):
        return {"label": i % 2, "image": self.items[i]}


class Flow(IterableDataset):
    def __init__(self, items, announced=None):
        self.items, self.announced = items, announced

    def __iter__(self):
        return iter(self.items)


class Announced(Flow):
    def __len__(self):
        return self.announced


@pytest.fixture
def net():
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten())


@pytest.fixture
def phi(net):
    return pm.from_torch(net, layer="1")


@pytest.fixture(autouse=True)
def computed():
    # What is kept would hide that a row was computed wrongly.
    with pm.config_context(cache_bytes=0):
        yield


SOURCES = {
    "arrays and labels": (lambda: Listed(X), 23),
    "tensors": (lambda: Listed(T, label=False), 23),
    "named": (lambda: Named(T), 23),
    "tensor data set": (lambda: TensorDataset(T, torch.arange(23)), 23),
    "part": (lambda: Subset(Listed(X), range(23)), 23),
    "two": (lambda: ConcatDataset([Listed(X[:7]), Listed(X[7:])]), 23),
    "loader": (lambda: DataLoader(Listed(X), batch_size=5), 23),
    "loader that drops": (lambda: DataLoader(Listed(T), batch_size=5, drop_last=True), 20),
    "loader of named": (lambda: DataLoader(Named(X), batch_size=4), 23),
    "loader of batches": (
        lambda: DataLoader(Listed(X), batch_sampler=BatchSampler(SequentialSampler(X), 6, False)),
        23,
    ),
    "loader of items": (lambda: DataLoader(Listed(X), batch_size=None), 23),
    "loader of joined items": (
        lambda: DataLoader(Listed([X[:10], X[10:]]), batch_size=None),
        23,
    ),
    "flow": (lambda: Flow(X), 23),
    "flow in a loader": (lambda: DataLoader(Flow(X), batch_size=7), 23),
    "flow that says too much": (lambda: Announced(X, 40), 23),
    "flow that says too little": (lambda: Announced(X, 3), 23),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_gives_what_its_rows_give(name, phi):
    source, n = SOURCES[name]
    for psi in (phi, pm.Standardize() @ pm.Flatten() @ phi, pm.Relu() @ pm.Flatten()):
        value = psi.fit(source()).transform(source())
        wanted = psi.fit(X[:n]).transform(X[:n])
        # Bytes are float32 only where a network reads them, and rounding depends on the batch.
        assert value.dtype == wanted.dtype
        np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_batches_may_be_of_any_size(rows, phi, monkeypatch):
    monkeypatch.setattr(batches, "MOST", rows)
    value = phi.fit(Listed(X)).transform(Listed(X))
    np.testing.assert_allclose(value, phi.transform(X), rtol=1e-5, atol=1e-6)


def test_calling_keeps_the_shape_of_items(phi):
    value = phi(DataLoader(Listed(X), batch_size=5))
    assert value.shape == (23, 4, 4, 4)
    np.testing.assert_allclose(value, phi(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("source", "rows"), [(s, n) for s, n in SOURCES.values()], ids=SOURCES)
def test_the_number_of_rows_is_known_where_it_is_said(source, rows):
    known = count(source())
    honest = {None, rows} if not isinstance(source(), Announced) else {3, 40}
    assert known in honest


def test_fit_of_a_closed_map_reads_the_first_batch_and_of_an_open_one_all(phi):
    items = Listed(X)
    phi.fit(DataLoader(items, batch_size=5))
    assert items.read == [0, 1, 2, 3, 4]
    items = Listed(X)
    (pm.Standardize() @ pm.Flatten() @ phi).fit(items)
    assert items.read == list(range(23))


def test_transform_reads_every_item_once(phi):
    items = Listed(X)
    phi.fit(X).transform(items)
    assert items.read == list(range(23))


def test_features_are_written_to_the_array_that_is_given(phi):
    phi.fit(X)
    out = np.full((23, 64), np.nan, np.float32)
    for source in (Listed(X), Flow(X)):
        assert phi.transform(source, out=out) is out
        np.testing.assert_allclose(out, phi.transform(X), rtol=1e-5, atol=1e-6)
    short = np.zeros((22, 64), np.float32)
    with pytest.raises(pm.errors.ShapeError, match="do not fit"):
        phi.transform(Listed(X), out=short)
    assert not short.any()
    for rows in (22, 24):
        with pytest.raises(pm.errors.ShapeError, match="do not fit"):
            phi.transform(Flow(X), out=np.zeros((rows, 64), np.float32))


def test_a_pipeline_takes_a_data_set(phi):
    y = np.arange(23) % 2
    model = make_pipeline(phi, RidgeClassifier())
    a = model.fit(Listed(X), y).decision_function(Listed(X))
    b = model.fit(X, y).decision_function(X)
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def test_a_single_pass_map_takes_a_data_set():
    rows = X.reshape(23, -1) / 255
    phi = pm.Standardize().partial_fit(Listed(rows[:10])).partial_fit(Listed(rows[10:]))
    np.testing.assert_allclose(phi.transform(rows), pm.Standardize().fit_transform(rows), atol=1e-9)


def test_rows_are_numbered_as_in_the_whole(phi):
    bad = X / 255
    bad[17, 0, 2, 3] = np.nan
    for source in (Listed(bad), DataLoader(Listed(bad), batch_size=5)):
        with pytest.raises(pm.errors.InputError, match="row 17,"):
            phi.fit(X / 255).transform(source)
    root = pm.Power(0.5) @ pm.Flatten()
    bad[17, 0, 2, 3] = -1
    with pytest.raises(pm.errors.DomainError, match="row 17,"):
        root.fit(X / 255).transform(DataLoader(Listed(bad), batch_size=5))


def test_progress_counts_all_rows(phi):
    seen = []
    with pm.config_context(progress=lambda done, total: seen.append((done, total))):
        phi.fit(X).transform(DataLoader(Listed(X), batch_size=10))
    assert seen == [(10, 23), (20, 23), (23, 23)]


def test_a_loader_that_shuffles_is_warned_of(phi):
    with pytest.warns(UserWarning, match="shuffle=False"):
        phi.fit(X).transform(DataLoader(Listed(X), batch_size=5, shuffle=True))


def test_memory_is_that_of_the_output_and_a_batch(net):
    phi = pm.from_torch(net, layer="1", pool="avg")

    class Drawn(Dataset):
        def __len__(self):
            return 2000

        def __getitem__(self, i):
            return np.full((3, 32, 32), i % 255, np.uint8)

    phi.fit(Drawn())
    tracemalloc.start()
    value = phi.transform(Drawn())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert value.shape == (2000, 4)
    # Of 6 MB of pictures a batch of 256 is there, twice, while it is put together and checked.
    assert peak < 3.5e6


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kept", [0, 2**26])
def test_a_gpu_computes_batches_of_bytes(phi, kept, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    wanted = phi.fit(X).transform(X)
    loader = DataLoader(Listed(X), batch_size=5)
    with pm.config_context(device="cuda", cache_bytes=kept):
        for _ in range(2):
            value = phi.transform(loader)
            assert value.dtype == np.float32
            np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(phi.transform(X), wanted, rtol=1e-4, atol=1e-5)
