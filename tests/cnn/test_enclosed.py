"""Enclosures through modules: nothing that float32 or float64 computes lies outside of them."""

import copy
from contextlib import suppress

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from phimaps.cnn.bounds import Unclaimed
from phimaps.cnn.enclosed import Enclosures
from phimaps.maps.tap import watch

SHAPE = (3, 8, 8)


class Program(nn.Module):
    """A module whose forward is a function of itself and x."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.run(self, x)


def conv(*args, **kwargs):
    return nn.Conv2d(*args, **kwargs)


def gated(m, x):
    a = m.conv(x)
    return a * torch.sigmoid(m.gate(a.mean((2, 3), keepdim=True)))


def residual(m, x):
    y = F.relu(m.bn(m.conv(x)), inplace=True)
    z = m.second(y)
    z += y
    return F.relu_(z)


def in_place_views(m, x):
    y = m.conv(x)
    left, right = y[:, :2], y.chunk(2, dim=1)[1]
    return torch.cat([left.relu(), -right, F.leaky_relu(left, 0.5, True), left], dim=1)


def scaled(m, x):
    y = (2 * x - 0.1) / 0.3 + x * m.weight
    y = 1 - y
    return y.mul(-0.7).sub(x).clamp(-0.5, 1.25)


PROGRAMS = {
    "convolutions": lambda: nn.Sequential(
        conv(3, 4, 3, padding=1, stride=2), nn.ReLU(True), conv(4, 6, (2, 1), groups=2, dilation=2)
    ),
    "same and circular": lambda: nn.Sequential(
        conv(3, 4, 3, padding="same"), nn.ReLU6(), conv(4, 2, 3, padding=1, padding_mode="circular")
    ),
    "batch normalization": lambda: nn.Sequential(
        conv(3, 5, 3, bias=False), nn.BatchNorm2d(5), nn.LeakyReLU(),
        nn.BatchNorm2d(5, affine=False),
    ),
    "pools": lambda: nn.Sequential(
        nn.MaxPool2d(3, 2, 1), conv(3, 4, 1), nn.AvgPool2d(2, 2, 1, count_include_pad=False),
        nn.AdaptiveAvgPool2d(2), nn.AdaptiveMaxPool2d(1),
    ),
    "a classifier": lambda: nn.Sequential(
        conv(3, 4, 3), nn.Tanh(), nn.Dropout(), nn.Flatten(), nn.Linear(144, 5), nn.ELU(),
        nn.Linear(5, 4), nn.Identity(), nn.ReLU(),
    ),
    "curved activations": lambda: nn.Sequential(
        conv(3, 4, 1), nn.GELU(), conv(4, 4, 1), nn.SiLU(), conv(4, 4, 1), nn.Hardswish(),
        conv(4, 4, 1), nn.Mish(), nn.Sigmoid(), nn.Hardtanh(-0.25, 0.75),
    ),
    "upsampling": lambda: nn.Sequential(
        nn.Upsample(scale_factor=2), conv(3, 4, 3), nn.PixelShuffle(2), nn.ReflectionPad2d(1)
    ),
    "a gate": lambda: Program(gated, conv=conv(3, 4, 3), gate=conv(4, 4, 1)),
    "a residual block": lambda: Program(
        residual, conv=conv(3, 4, 3, padding=1), bn=nn.BatchNorm2d(4), second=conv(4, 4, 1)
    ),
    "parts": lambda: Program(in_place_views, conv=conv(3, 4, 3)),
    "arithmetic": lambda: Program(scaled, weight=nn.Parameter(torch.randn(3, 1, 1))),
    "means": lambda: Program(
        lambda m, x: m.conv(x).mean(-1).mean(2).view(x.size(0), -1).add(x.flatten(1)[:, :4]),
        conv=conv(3, 4, 3),
    ),
}  # fmt: skip


def prepared(name, seed):
    torch.manual_seed(seed)
    module = PROGRAMS[name]().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.1, 3)
            if part.affine:
                part.weight.data.normal_()
                part.bias.data.normal_()
    for parameter in module.parameters():
        # Weights of several sizes, some of them 0, so that terms cancel and vanish.
        scale = torch.rand_like(parameter) ** 2 * 3
        parameter.data *= torch.where(torch.rand_like(parameter) < 0.1, 0.0, scale)
    return module.requires_grad_(False)


def enclosed(module, low, high):
    """Every event of the pass with its enclosure, by number."""
    mode = Enclosures(torch.float32)
    ends = {}
    with torch.no_grad(), mode:
        watch(
            module, mode.start(low, high), lambda e: ends.setdefault(e.number, mode.ends(e.value))
        )
    return ends


def images(low, high, generator, n=40):
    """Random images of the box, and corners of it."""
    share = torch.rand(n, *SHAPE, generator=generator, dtype=torch.float64)
    share[: n // 2] = (share[: n // 2] < 0.5).double()
    share[0], share[1] = 0, 1
    # One filter at a time sees all of its window at one end.
    return low + (high - low) * share


def climbed(module, x, low, high, number, channel):
    """Images that make one value as great, and as small, as following its gradient can."""
    found = []
    for way in (1.0, -1.0):
        y = x.clone().requires_grad_(True)
        values = {}
        watch(module, y, lambda e, values=values: values.setdefault(e.number, e.value))
        total = way * values[number].flatten(1)[:, channel].sum()
        if not total.requires_grad:
            continue
        step = torch.autograd.grad(total, y, allow_unused=True)[0]
        if step is not None:
            found.append(torch.where(step > 0, high, torch.where(step < 0, low, x)))
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PROGRAMS)
def test_no_image_leaves_the_enclosure(name, seed):
    module = prepared(name, seed)
    generator = torch.Generator().manual_seed(seed)
    low = -torch.rand(SHAPE, generator=generator, dtype=torch.float64) * (seed > 0)
    high = low + torch.rand(SHAPE, generator=generator, dtype=torch.float64) * (seed + 1)
    high, low = high.float().double(), low.float().double()
    ends = enclosed(module, low, high)
    assert all(e is not None for e in ends.values())
    wide = copy.deepcopy(module).double()
    x = images(low, high, generator)
    last = max(ends)
    for channel in range(3):
        x = torch.cat([x, *climbed(wide, x[:4], low, high, last, channel)])
    for part, batch in ((wide, x), (module, x.float())):
        values = {}
        with torch.no_grad():
            watch(
                part, batch, lambda e, values=values: values.setdefault(e.number, e.value.clone())
            )
        assert values.keys() == ends.keys()
        for number, value in values.items():
            # float32 pixels are inside, as the ends are float32 numbers.
            assert (value >= ends[number][0]).all()
            assert (value <= ends[number][1]).all()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_single_image_is_enclosed_closely(name):
    # What is lost on one point is rounding alone: a few hundred units of float32.
    module = prepared(name, 5)
    x = torch.rand(SHAPE, dtype=torch.float64)
    for low, high in enclosed(module, x, x).values():
        assert (high - low).max() <= 2e-3 * (1 + torch.maximum(low.abs(), high.abs()).max())


def meets(run, **parts):
    module = Program(run, **parts).eval().requires_grad_(False)
    mode = Enclosures(torch.float32)
    known = []
    box = torch.zeros(SHAPE), torch.ones(SHAPE)
    x = mode.start(*box)
    with torch.no_grad(), pytest.raises((Unclaimed, RuntimeError, TypeError)), mode:
        watch(module, x, lambda e: known.append(mode.ends(e.value)))
    return known, mode


REFUSED = {
    "a branch on a value": lambda m, x: x.relu() if bool(x.sum() > 0) else x,
    "a number": lambda m, x: x * float(x.max()),
    "another operation": lambda m, x: torch.erf(x),
    "the mean of the batch": lambda m, x: x - x.mean(0, keepdim=True),
    "the mean of everything": lambda m, x: x - x.mean(),
    "an image of the batch": lambda m, x: x[0] + x,
    "images as channels": lambda m, x: x.view(1, -1, 8, 8),
    "part of the batch": lambda m, x: torch.cat([x, x], 0),
    "a dropout in training": lambda m, x: F.dropout(x, 0.5),
    "batch statistics": lambda m, x: F.batch_norm(x, None, None, training=True),
    "a constant for each image": lambda m, x: x + torch.ones(x.shape[0], 1, 1, 1),
    "an infinite constant": lambda m, x: x + torch.full((1, 1, 1), torch.inf),
    "half precision": lambda m, x: x * torch.ones(3, 1, 1).half(),
    "rounding to half precision": lambda m, x: x.half(),
    "division by what may be 0": lambda m, x: 1 / x,
    "writing into a part": lambda m, x: x.__setitem__((slice(None), 0), 1.0),
    "an output": lambda m, x: torch.add(x, x, out=torch.empty(7, *SHAPE, device="meta")),
    "a part after the whole was written": lambda m, x: (x[:, :2], x.add_(1))[0] + 1,
    "the whole after a part was written": lambda m, x: (x[:, :2].mul_(2), x)[1] + 1,
    "the greater of two": lambda m, x: torch.maximum(x, x.flip(1)),
    "indices": lambda m, x: F.max_pool2d(x, 2, return_indices=True),
    "a power": lambda m, x: x**2,
    "bicubic": lambda m, x: F.interpolate(x, scale_factor=2, mode="bicubic"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule_gives_no_claim(name):
    known, mode = meets(REFUSED[name])
    assert known == []
    assert mode.failed


def test_what_catches_everything_gets_no_claim_either():
    def stubborn(m, x):
        y = x.relu()
        with suppress(BaseException):
            torch.erf(x)
        return y.relu()

    module, mode = Program(stubborn), Enclosures(torch.float32)
    found = []
    x = mode.start(torch.zeros(SHAPE), torch.ones(SHAPE))
    with torch.no_grad(), pytest.raises(Unclaimed), mode:
        watch(module, x, lambda e: found.append((e.kind, mode.ends(e.value) is not None)))
    assert found == [("z", True), ("a", True), ("z", False)]


def test_what_passes_by_the_rules_is_not_believed():
    # Operations that no mode sees leave a tensor without an enclosure, or with a stale one.
    def hidden(m, x):
        with torch._C.DisableTorchFunction():
            x.add_(1)
        return x

    mode = Enclosures(torch.float32)
    with torch.no_grad(), mode:
        x = mode.start(torch.zeros(SHAPE), torch.ones(SHAPE))
        assert mode.ends(hidden(None, x)) is None
        with torch._C.DisableTorchFunction():
            y = mode.start(torch.zeros(SHAPE), torch.ones(SHAPE)) * 2
        assert mode.ends(y) is None


def test_the_ends_are_as_exact_as_they_can_be():
    # All weights negative, no bias, pixels from 0: the greatest value is exactly 0.
    layer = nn.Sequential(nn.Conv2d(3, 2, 3, bias=False), nn.BatchNorm2d(2)).eval()
    layer[0].weight.data = -layer[0].weight.data.abs()
    ends = enclosed(layer, torch.zeros(SHAPE), torch.ones(SHAPE))
    assert (ends[0][1] == 0).all()
    exact = layer[0].weight.double().sum((1, 2, 3))[:, None, None]
    assert ((ends[0][0] - exact).abs() <= 1e-4 * exact.abs()).all()
    assert np.isfinite(ends[1][0].numpy()).all()
