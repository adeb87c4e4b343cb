"""What is proved dead is dead, whatever the image; what only these images leave silent is not."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

import phimaps as pm


def corners(low, high, weights, n=200, seed=0):
    """Random images and corners of the box, and for each filter the corner that excites it most."""
    rng = np.random.default_rng(seed)
    share = rng.random((n, *low.shape))
    share[: n // 2] = share[: n // 2] < rng.random((n // 2, 1, 1, 1))
    x = low + (high - low) * share
    _c, kh, kw = weights.shape[1:]
    best = [
        np.tile(np.where(w > 0, 1.0, 0.0), (1, -(-low.shape[1] // kh), -(-low.shape[2] // kw)))
        for w in weights
    ]
    tiled = np.stack(best)[:, :, : low.shape[1], : low.shape[2]]
    return np.concatenate([x, low + (high - low) * tiled, [low], [high]])


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("spelled", ["maps", "module"])
def test_no_image_excites_what_is_proved_dead(seed, spelled):
    rng = np.random.default_rng(seed)
    w1, w2 = rng.normal(size=(5, 2, 3, 3)), rng.normal(size=(6, 5, 2, 2))
    # Biases about as negative as a filter can be excited, so that some are just dead.
    reach = np.maximum(w1, 0).sum((1, 2, 3))
    b1 = -reach * rng.choice([0.5, 1.0, 1.0 + 1e-5], 5)
    b2 = -np.maximum(w2, 0).sum((1, 2, 3)) * rng.uniform(0, 3, 6)
    low = np.zeros((2, 6, 6))
    high = np.ones((2, 6, 6))
    if spelled == "maps":
        phi = pm.pipe(pm.Conv2d(w1, b1), pm.Relu(), pm.MaxPool2d(2), pm.Conv2d(w2, b2), pm.Relu())
    else:
        phi = nn.Sequential(
            nn.Conv2d(2, 5, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(5, 6, 2),
            nn.ReLU(),
        )  # fmt: skip
        for at, w, b in ((0, w1, b1), (3, w2, b2)):
            phi[at].weight.data, phi[at].bias.data = (
                torch.tensor(w).float(),
                torch.tensor(b).float(),
            )
        w1 = phi[0].weight.detach().double().numpy()
    x = corners(low, high, w1, seed=seed)
    for numbers in (x, x.astype(np.float32)):
        found = pm.cnn.units(phi, numbers, on=pm.Box(low, high))
        for a in found:
            assert not (a.proved_dead & ~a.dead).any()
    if seed == 0:
        assert any(a.proved_dead.any() for a in found)


def test_the_proof_is_as_sharp_as_the_filter():
    # The greatest value of a filter over the box is known exactly: just below and just above it.
    w = np.array([[[[1.0, -2.0], [0.5, 0.25]]]] * 3)
    layer = pm.Conv2d(w, [-1.75, -1.75 - 1e-5, -1.75 + 1e-5])
    x = np.where(w[:1] > 0, 1.0, 0.0)
    found = pm.cnn.units(pm.Relu() @ layer, x, on=pm.Images(1, 2, 2))["relu"]
    # The first is 0 at its best image, which rounding leaves open.
    np.testing.assert_array_equal(found.dead, [True, True, False])
    np.testing.assert_array_equal(found.proved_dead, [False, True, False])


def test_negative_filters_without_bias_are_dead_on_positive_images():
    w = -np.abs(np.random.default_rng(0).normal(size=(3, 1, 3, 3)))
    net = nn.Sequential(nn.Conv2d(1, 3, 3, bias=False), nn.ReLU())
    net[0].weight.data = torch.tensor(w).float()
    for phi in (net, pm.Relu() @ pm.Conv2d(w)):
        (found,) = pm.cnn.units(phi, np.zeros((1, 1, 4, 4)), on=pm.Images(1, 4, 4, 0, 255))
        assert found.proved_dead.all()
        (found,) = pm.cnn.units(phi, np.zeros((1, 1, 4, 4)), on=pm.Images(1, 4, 4, -0.001, 1))
        assert found.dead.all()
        assert not found.proved_dead.any()


class Net(nn.Module):
    """Residual, normalised, with a gate and a classifier."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 6, 5, 2, 2, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 6, 3, padding=1, groups=2), nn.BatchNorm2d(6)
        self.gate, self.fc, self.out = nn.Conv2d(6, 6, 1), nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x):
        a = F.relu_(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(a))
        y = y * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(y, 1)))
        y += a
        y = F.max_pool2d(torch.relu(y), 2).mean((2, 3))
        return self.out(F.dropout(F.relu(self.fc(y)), training=self.training))


def test_a_layer_with_a_huge_negative_bias_is_found_at_every_depth():
    torch.manual_seed(1)
    net = Net()
    with torch.no_grad():
        net.bn1.bias[2] = net.bn2.bias[1] = net.fc.bias[5] = -1e6
        # Dead at the input of the sum as well, else the residual keeps it alive.
        net.bn1.bias[1] = -1e6
    found = pm.cnn.units(net, np.zeros((1, 3, 12, 12), np.float32), on=pm.Images(3, 12, 12))
    assert [a.name for a in found] == ["bn1", "module", "fc"]
    assert [np.flatnonzero(a.proved_dead).tolist() for a in found] == [[1, 2], [1], [5]]


def test_dead_on_the_data_is_not_proved():
    digits = load_digits().images.reshape(-1, 1, 8, 8) / 16
    # The corner pixels of these digits are nearly always 0; other images may have them.
    corner = np.zeros((1, 1, 8, 8))
    corner[0, 0, 0, 0] = 1
    found = pm.cnn.units(pm.Relu() @ pm.Conv2d(corner), digits, on=pm.Images(1, 8, 8))["relu"]
    assert found.dead.all()
    assert not found.proved_dead.any()


def test_what_follows_an_unknown_step_is_not_proved():
    class Unknown(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1)

        def forward(self, x):
            return torch.relu(self.second(torch.erf(torch.relu(self.first(x)))))

    net = Unknown()
    net.first.bias.data[:] = net.second.bias.data[:] = -100
    found = pm.cnn.units(net, np.zeros((2, 1, 3, 3)), on=pm.Images(1, 3, 3))
    assert found["first"].proved_dead.all()
    assert found["second"].dead.all()
    assert not found["second"].proved_dead.any()


def test_code_that_looks_at_numbers_is_not_proved():
    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 1)

        def forward(self, x):
            return torch.relu(self.conv(x) - (100 if bool(x.sum() >= 0) else -100))

    found = pm.cnn.units(Looks(), np.zeros((2, 1, 3, 3)), on=pm.Images(1, 3, 3, -1, 1))
    (only,) = found
    assert only.dead.all()
    assert not only.proved_dead.any()


def test_what_a_module_keeps_does_not_meet_the_enclosure():
    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = None

        def forward(self, x):
            before, self.last = self.last, x - 2
            return torch.relu(self.last if before is None else before[: len(x)])

    found = pm.cnn.units(Keeps(), np.ones((2, 1, 3, 3)), on=pm.Images(1, 3, 3))
    assert found["module"].proved_dead.all()


def test_normalised_images_of_a_network():
    net = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), nn.ReLU())
    net[0].weight.data = torch.eye(2)[:, :, None, None]
    x = np.random.default_rng(0).random((4, 2, 3, 3))
    for mean, dead in (((0.5, 0.999), [False, False]), ((0.5, 1.0), [False, True])):
        phi = pm.from_torch(net, layer="1", mean=mean, std=(0.25, 0.5))
        found = pm.cnn.units(phi, x, on=pm.Images(2, 3, 3))["1"]
        np.testing.assert_array_equal(found.proved_dead, dead)


def test_branches_sums_and_unbounded_spaces():
    dead = pm.Relu() @ pm.Conv2d([[[[-1.0]]]], [-1.0])
    both = pm.Relu() @ (dead + (-1.0) * dead - 1.0)
    found = pm.cnn.units(dead & both, np.zeros((1, 1, 2, 2)), on=pm.NonNegative((1, 2, 2)))
    assert [a.proved_dead.tolist() for a in found] == [[True]] * len(found)
    assert len(found) == 4
