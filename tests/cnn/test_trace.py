"""Stages have the values that one computes by hand, by names that do not depend on the spelling."""

import copy
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import phimaps as pm
from phimaps.cnn.stages import follow

SPELLINGS = {
    "module": lambda m, z: m.relu(z),
    "function": lambda m, z: F.relu(z),
    "function in place": lambda m, z: F.relu_(z),
    "by keyword": lambda m, z: F.relu(z, inplace=True),
    "torch": lambda m, z: torch.relu(z),
    "method": lambda m, z: z.relu(),
    "method in place": lambda m, z: z.relu_(),
    "module in place": lambda m, z: m.over(z),
}


class Block(nn.Module):
    """A residual block that calls its activation twice, however it is spelled."""

    def __init__(self, spelling):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.short = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(3, 4, 1)
        self.relu, self.over = nn.ReLU(), nn.ReLU(inplace=True)
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 2)
        self.spelled = SPELLINGS[spelling]

    def forward(self, x):
        y = self.spelled(self, self.bn1(self.conv1(x)))
        y = self.conv2(y)
        y += self.short(x)
        return self.fc(self.pool(self.spelled(self, y)).flatten(1))


@pytest.fixture(params=SPELLINGS)
def block(request):
    torch.manual_seed(0)
    return Block(request.param)


def images(n=2, c=3, side=6, seed=0):
    return np.random.default_rng(seed).random((n, c, side, side), dtype=np.float32)


def test_stages_of_a_module_are_what_the_layers_compute(block):
    x = torch.from_numpy(images())
    found = pm.cnn.trace(block, x)
    m = copy.deepcopy(block).eval()
    with torch.no_grad():
        h1 = m.conv1(x)
        z1 = m.bn1(h1)
        a1 = z1.relu()
        h2, h3 = m.conv2(a1), m.short(x)
        a2 = (h2 + h3).relu()
        z3 = m.fc(m.pool(a2).flatten(1))
    expected = {
        "x": x, "h1": h1, "z1": z1, "a1": a1, "h2": h2, "h3": h3, "z2": h2 + h3, "a2": a2,
        "p1": m.pool(a2), "z3": z3,
    }  # fmt: skip
    assert [s.name for s in found] == list(expected)
    for name, value in expected.items():
        # The same operations on the same batch; sums in place may round otherwise.
        np.testing.assert_allclose(found[name].value, value.detach(), rtol=0, atol=1e-6)
    kinds = ["input", "other", "pre", "post", "other", "other", "pre", "post", "pooled", "pre"]
    assert [s.kind for s in found] == kinds
    for k in (1, 2):
        z, a = found[f"z{k}"].value, found[f"a{k}"].value
        np.testing.assert_array_equal(a, np.maximum(z, 0))
    assert found["z1"].layer == "bn1"
    assert [found[n].layer for n in ("h1", "h2", "h3", "p1")] == ["conv1", "conv2", "short", "pool"]


def test_the_module_is_left_as_it_is(block):
    before = copy.deepcopy(block.state_dict())
    block.train()
    block.bn1.eval()
    flags = [p.training for p in block.modules()]
    pm.cnn.trace(block, images())
    pm.cnn.units(block, images(), on=pm.Images(3, 6, 6))
    assert [p.training for p in block.modules()] == flags
    for name, value in block.state_dict().items():
        assert torch.equal(value, before[name])
    assert not any(p._forward_hooks or p._forward_pre_hooks for p in block.modules())
    assert all(p.grad is None for p in block.parameters())


def test_stages_of_hand_built_maps():
    rng = np.random.default_rng(1)
    x = images(3).astype(np.float64)
    first = pm.Conv2d(rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4))
    second = pm.Conv2d(rng.normal(size=(5, 4, 2, 2)))
    phi = pm.pipe(first, pm.Relu(), pm.MaxPool2d(2), second, pm.CRelu(), pm.Flatten())
    found = pm.cnn.trace(phi, x)
    assert [s.name for s in found] == ["x", "z1", "a1", "p1", "z2", "a2", "h1"]
    assert [s.layer for s in found][1:] == [
        "conv2d-1", "relu", "maxpool2d", "conv2d-2", "crelu", "flatten",
    ]  # fmt: skip
    for i, stage in enumerate(list(found)[1:], start=1):
        np.testing.assert_array_equal(stage.value, pm.pipe(*phi.maps[:i])(x))
    np.testing.assert_array_equal(found["a2"].value[:, 5:], np.maximum(-found["z2"].value, 0))


def test_fitted_and_open_maps():
    x = images(6).astype(np.float64)
    phi = pm.Relu() @ pm.PatchPCAConv2d(3)
    with pytest.raises(pm.errors.UnboundError):
        pm.cnn.trace(phi, x)
    found = pm.cnn.trace(phi.fit(x), x)
    assert found["a1"].value.shape == (6, 3, 4, 4)


def test_branches_are_followed():
    x = images().astype(np.float64)
    conv = pm.Conv2d(np.ones((2, 3, 3, 3)))
    phi = (pm.Relu() @ (conv - 12.0)) & (2 * conv + pm.Tanh() @ conv)
    found = pm.cnn.trace(phi.on(pm.Images(3, 6, 6)), x)
    assert [s.name for s in found][-1] == "h4"
    np.testing.assert_array_equal(list(found)[-1].value, phi(x))
    np.testing.assert_array_equal(found["a1"].value, np.maximum(conv(x) - 12, 0))
    np.testing.assert_allclose(found["a2"].value, np.tanh(conv(x)), rtol=1e-14)
    assert found["a1"].layer == "compose__relu"


def test_the_last_stage_is_the_value_of_the_map():
    x = images()
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    for phi in (
        pm.from_torch(net),
        pm.from_torch(net, layer="0", stage="post", pool="avg"),
        pm.from_torch(net, layer="1", mean=(0.5, 0.25, 0.5), std=(2, 1, 2)),
        pm.Relu() @ pm.from_torch(net, layer="2"),
    ):
        found = list(pm.cnn.trace(phi, x))
        np.testing.assert_allclose(found[-1].value, phi(x), rtol=0, atol=1e-6)
    assert found[-1].name == "a2"
    assert found[-1].layer == "relu"
    assert "network.0" in {s.layer for s in found}


@pytest.mark.parametrize(
    "rectify",
    [lambda z: z.clamp(min=0), lambda z: torch.maximum(z, torch.zeros(())), lambda z: z.clamp_(0)],
)
def test_clamps_count_and_are_told(rectify):
    class Clamps(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, x):
            return rectify(self.conv(x))

    for tool in (pm.cnn.trace, pm.cnn.units):
        with pytest.warns(UserWarning, match=r"no ReLU by name, but clamps.*in conv\. They count"):
            found = tool(Clamps(), images())
    assert found["conv"].frequency.shape == (2,)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pm.cnn.trace(nn.Sequential(Clamps(), nn.ReLU()), images())


def test_other_activations_are_stages():
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.GELU(), nn.Conv2d(2, 2, 1), nn.LeakyReLU(0.1, True))
    found = pm.cnn.trace(net, images())
    assert [s.name for s in found] == ["x", "z1", "a1", "z2", "a2"]
    z, a = found["z2"].value, found["a2"].value
    np.testing.assert_allclose(a, np.where(z > 0, z, 0.1 * z), rtol=1e-6)


def test_a_single_image_bytes_and_rows():
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())
    whole = (images(1) * 255).astype(np.uint8)
    found = pm.cnn.trace(net, whole[0])
    np.testing.assert_array_equal(found["x"].value, whole.astype(np.float32) / 255)


def test_values_are_copies():
    x = images()
    found = pm.cnn.trace(pm.Relu() @ pm.Conv2d(np.ones((1, 3, 1, 1))), x)
    found["x"].value[:] = 7
    assert x.max() < 1


def test_the_table_and_the_representation():
    found = pm.cnn.trace(pm.Relu() @ pm.Conv2d([[[[1.0]]]]), [[[-1.0, 2.0]]])
    assert repr(found) == "Trace(x, z1, a1)"
    assert len(str(found).splitlines()) == len(found) + 1 == 4


def test_numbers_of_sources():
    steps = []
    phi = pm.Relu() @ pm.Affine([[1.0, -1.0]])
    follow(phi, torch.ones(1, 1), steps.append)
    assert [(s.number, s.source, s.rectifier) for s in steps] == [
        (0, None, False), (1, 0, False), (2, 1, True),
    ]  # fmt: skip
