"""Layers of Sequentials of known modules are maps of this library to the tools that need one."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import phimaps as pm
from phimaps.cnn.unit import known_map

torch.manual_seed(0)
RELU = nn.ReLU()
NET = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1),
    nn.BatchNorm2d(4),
    nn.ReLU(inplace=True),
    nn.Sequential(nn.Conv2d(4, 3, 3), nn.ReLU(), nn.MaxPool2d(2)),
)
NET[1].running_mean.normal_()
X = load_digits().images[:3, None].astype(np.float32) / 16


@pytest.mark.parametrize(
    ("layer", "stage", "known"),
    [
        ("0", None, True),
        ("0", "pre", True),
        # The convolution goes into a normalisation.
        ("1", "post", True),
        ("2", "pre", True),
        ("2", None, True),
        ("2", "post", True),
        ("3", None, True),
        ("3.0", "post", True),
        ("3.1", "pre", True),
        ("3.2", None, True),
        ("3.2", "pre", False),
    ],
)
def test_the_map_is_the_layer(layer, stage, known):
    phi = pm.from_torch(NET, layer=layer, stage=stage)
    found = known_map(phi, "collide")
    assert isinstance(found, pm.Network) is not known
    with torch.no_grad():
        expected = phi(torch.from_numpy(X))
        torch.testing.assert_close(found(torch.from_numpy(X)), expected, rtol=1e-5, atol=1e-5)


class Custom(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())

    def forward(self, x):
        return self.features(2 * x)


@pytest.mark.parametrize(
    ("phi", "why"),
    [
        (pm.from_torch(Custom(), layer="features.1"), "what comes before is not known"),
        (pm.from_torch(nn.Sequential(nn.Conv2d(1, 1, 3), RELU, RELU), layer="1"), "stands twice"),
        (pm.from_torch(NET, layer="2", pool="avg"), "pooled"),
        (pm.from_torch(NET, layer="2", mean=[0.5], std=[0.5]), "normalised"),
        (pm.from_torch(NET, layer=["0", "2"]), "several layers"),
        (pm.from_torch(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Bilinear(1, 1, 1)), layer="1"), "odd"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_is_more_than_known_layers_stays_a_network(phi, why):
    assert isinstance(known_map(phi, "collide"), pm.Network)


def test_hooks_are_not_translated():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    net.register_forward_hook(lambda m, args, out: out + 1)
    assert isinstance(known_map(pm.from_torch(net, layer="1"), "collide"), pm.Network)


def test_two_images_collide_in_a_layer_of_a_network():
    net = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    phi = pm.from_torch(net, layer="1")
    found = pm.cnn.collide(phi, X[0], toward=X[1])
    assert found.holds is True
    assert found.rms > 0.05
    assert found.gap <= 1e-12
    assert found.verify(phi)
    wide = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU())
    phi = pm.from_torch(wide, layer="1")
    again = pm.cnn.invert(phi, phi(torch.from_numpy(X[:1]).double()).detach(), in_shape=(1, 8, 8))
    assert again.unique is True
    np.testing.assert_allclose(again.x, X[0], atol=1e-9)
