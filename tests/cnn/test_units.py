"""The numbers about units are those of the definitions, in one pass over whatever holds images."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import phimaps as pm


def images(n=7, c=2, side=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, c, side, side))


def vinje_gallant(responses):
    """Over the last axis, as in the papers."""
    n = responses.shape[-1]
    share = responses.mean(axis=-1) ** 2 / (responses**2).mean(axis=-1)
    return (1 - share) / (1 - 1 / n)


@pytest.fixture
def layer():
    rng = np.random.default_rng(2)
    weight = rng.normal(size=(4, 2, 3, 3))
    return pm.Conv2d(weight, [0.0, 0.5, -1.0, -1e6])


def test_numbers_by_the_definitions(layer):
    x = images()
    a = np.maximum(layer(x), 0)
    found = pm.cnn.units(pm.Relu() @ layer, x)
    (only,) = found
    each = a.transpose(1, 0, 2, 3).reshape(4, -1)
    assert found.images == 7
    assert only.name == "relu"
    np.testing.assert_array_equal(only.frequency, (each > 0).mean(axis=1))
    np.testing.assert_allclose(only.mean, each.mean(axis=1), rtol=1e-13)
    np.testing.assert_array_equal(only.greatest, each.max(axis=1))
    np.testing.assert_array_equal(only.dead, [False, False, False, True])
    np.testing.assert_allclose(only.lifetime_sparsity[:3], vinje_gallant(each[:3]), rtol=1e-12)
    assert np.isnan(only.lifetime_sparsity[3])
    assert only.population_sparsity == pytest.approx(vinje_gallant(a.reshape(7, -1)).mean(), 1e-12)
    assert not only.proved_dead.any()


def test_sparsity_has_the_ends_that_it_should():
    # One response among n is sparsity 1, the same response everywhere is 0.
    phi = pm.Relu() @ pm.Conv2d([[[[1.0]]]])
    single, level = np.zeros((1, 1, 4, 4)), np.full((1, 1, 4, 4), 3.0)
    single[0, 0, 1, 2] = 5
    for x, value in ((single, 1.0), (level, 0.0)):
        found = pm.cnn.units(phi, x)["relu"]
        assert found.lifetime_sparsity == pytest.approx(value, abs=1e-15)
        assert found.population_sparsity == pytest.approx(value, abs=1e-15)
    # Half of the units active alike: (1 - 1/2) / (1 - 1/n).
    half = np.zeros((1, 1, 4, 4))
    half[0, 0, :2] = 1
    found = pm.cnn.units(phi, half)["relu"]
    assert found.lifetime_sparsity == pytest.approx((1 - 1 / 2) / (1 - 1 / 16), rel=1e-14)


def test_images_without_a_response_do_not_count():
    phi = pm.Relu() @ pm.Conv2d([[[[1.0]]]])
    x = np.concatenate([np.eye(3)[None, None], -np.ones((4, 1, 3, 3))])
    assert pm.cnn.units(phi, x)["relu"].population_sparsity == pytest.approx(
        vinje_gallant(np.eye(3).ravel()), rel=1e-14
    )
    silent = pm.cnn.units(phi, -np.ones((4, 1, 3, 3)))["relu"]
    assert np.isnan(silent.population_sparsity)
    assert silent.dead.all()


def test_all_that_holds_images_gives_the_same(layer):
    x = torch.from_numpy(images(150)).float()
    phi = pm.Relu() @ layer
    whole = pm.cnn.units(phi, x)["relu"]
    for held in (
        x.numpy(),
        TensorDataset(x, torch.arange(150)),
        DataLoader(TensorDataset(x), batch_size=11),
        list(x.numpy()),
    ):
        found = pm.cnn.units(phi, held)["relu"]
        np.testing.assert_array_equal(found.frequency, whole.frequency)
        np.testing.assert_array_equal(found.greatest, whole.greatest)
        np.testing.assert_allclose(found.mean, whole.mean, rtol=1e-6)
        # Squares are summed in float32, 9 at a time.
        np.testing.assert_allclose(
            found.lifetime_sparsity[:3], whole.lifetime_sparsity[:3], rtol=1e-5
        )


def test_layers_of_a_module_in_the_order_in_which_they_run():
    torch.manual_seed(0)
    relu = nn.ReLU(inplace=True)
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3), relu, nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), relu, nn.Flatten(),
        nn.Linear(5, 6), nn.ReLU(),
    )  # fmt: skip
    x = torch.from_numpy(images()).float()
    found = pm.cnn.units(net, x)
    assert [(a.name, len(a.mean)) for a in found] == [("1", 3), ("1@1", 5), ("7", 6)]
    with torch.no_grad():
        values = [net.eval()[: i + 1](x).numpy() for i in (1, 4, 7)]
    for a, value in zip(found, values, strict=True):
        flat = value.reshape(len(value), value.shape[1], -1)
        np.testing.assert_array_equal(a.frequency, (flat > 0).mean(axis=(0, 2)))
        np.testing.assert_allclose(a.mean, flat.mean(axis=(0, 2)), rtol=1e-5)


def test_layers_of_one_name_are_told_apart():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            z = self.conv(x)
            return torch.cat([z.relu(), torch.relu(z)], dim=1)

    found = pm.cnn.units(Twice(), images())
    assert [a.name for a in found] == ["conv", "conv (2)"]
    np.testing.assert_array_equal(found["conv"].mean, found["conv (2)"].mean)


def test_the_table_names_every_layer(layer):
    found = pm.cnn.units(pm.Relu() @ layer, images(), on=pm.Images(2, 5, 5, -9, 9))
    lines = str(found).splitlines()
    assert lines[0].split() == [
        "layer",
        "channels",
        "frequency",
        "lifetime",
        "population",
        "dead",
        "proved",
    ]
    assert lines[1].split()[0::5] == ["relu", "1"]
    assert repr(found) == "Units(relu; 7 images)"


def test_images_are_read_a_few_at_a_time(layer):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.most = []

        def forward(self, x):
            self.most.append(len(x))
            return x.relu()

    net = Counting()
    seen = []
    net.most = seen
    # A module's own list is copied with it, so that what it sees is told by a shared one.
    Counting.__deepcopy__ = lambda self, memo: self
    pm.cnn.units(net, np.zeros((300, 1, 2, 2)))
    assert sum(seen) == 300
    assert max(seen) <= 64
