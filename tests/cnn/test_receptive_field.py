"""Receptive fields against NaN sent through the maps, and against arithmetic."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import phimaps as pm
from phimaps.cnn.dependence import Dependence, Probes
from phimaps.cnn.receptive_field import receptive_field
from phimaps.cnn.unit import closed_map


def reached(phi, shape):
    """Which pixel reaches which unit: one image for each pixel, with NaN there, in float64."""
    height, width = shape[1:]
    images = torch.full((height * width, *shape), 0.5, dtype=torch.float64)
    for i in range(height * width):
        images[i, :, i // width, i % width] = torch.nan
    with torch.no_grad():
        seen = phi.forward(images).isnan().numpy()
    return seen.reshape(height, width, *seen.shape[1:])


def agree(phi, shape, rng, units=4):
    """The field of some units by structure is what NaN finds."""
    closed = closed_map(phi, "test")
    seen, truth = Dependence(closed, shape), reached(closed, shape)
    assert seen.exact, seen.because
    assert seen.features == truth.shape[2:]
    for _ in range(units):
        unit = tuple(int(rng.integers(s)) for s in seen.features)
        assert np.array_equal(seen.pixels(unit), truth[(slice(None), slice(None), *unit)]), unit


# --- random stacks -----------------------------------------------------------------------------
def set_weights(module, rng):
    """Weights of which half are 0: those taps count all the same."""
    for p in module.parameters():
        p.data = torch.from_numpy(rng.normal(size=p.shape) * rng.integers(0, 2, p.shape)).float()
    return module.requires_grad_(False).eval()


def conv(rng, channels):
    groups = int(rng.choice([g for g in (1, 2, 3) if channels % g == 0]))
    kernel = tuple(int(k) for k in rng.integers(1, 5, 2))
    modes = ("zeros", "zeros", "zeros", "reflect", "circular", "replicate")
    return nn.Conv2d(
        channels,
        groups * int(rng.integers(1, 3)),
        kernel,
        tuple(int(s) for s in rng.integers(1, 4, 2)),
        tuple(int(rng.integers(0, k)) for k in kernel),
        tuple(int(d) for d in rng.integers(1, 3, 2)),
        groups,
        padding_mode=str(rng.choice(modes)),
    )


def pool(rng):
    kernel, ceil = int(rng.integers(2, 4)), bool(rng.integers(2))
    stride, padding = int(rng.integers(1, 4)), int(rng.integers(0, kernel // 2 + 1))
    if rng.integers(2):
        return nn.AvgPool2d(kernel, stride, padding, ceil, bool(rng.integers(2)))
    return nn.MaxPool2d(kernel, stride, padding, int(rng.integers(1, 3)), ceil_mode=ceil)


class Sum(nn.Module):
    """Branches of one shape, added or put side by side; or one that scales the other."""

    def __init__(self, parts, how):
        super().__init__()
        self.parts, self.how = nn.ModuleList(parts), how

    def forward(self, x):
        values = [p(x) for p in self.parts]
        if self.how == "cat":
            return torch.cat(values, 1)
        if self.how == "scale":
            return values[0] * values[1].mean((2, 3), keepdim=True).sigmoid()
        values[0] += values[1]
        return F.relu(values[0], inplace=True)


def branches(rng, channels):
    def same():
        size, apart = int(rng.choice([1, 3])), int(rng.integers(1, 3))
        return nn.Conv2d(channels, channels, size, padding="same", dilation=apart)

    how = str(rng.choice(["add", "add", "cat", "scale"], p=[0.4, 0.2, 0.3, 0.1]))
    inner = nn.Sequential(same(), nn.ReLU(inplace=True), same())
    return Sum([inner, nn.Identity() if rng.integers(2) else same()], how)


def other(rng, channels):
    return [
        lambda: nn.BatchNorm2d(channels),
        lambda: nn.Upsample(scale_factor=2, mode=str(rng.choice(["nearest", "bilinear"]))),
        lambda: nn.ConvTranspose2d(channels, 2, int(rng.integers(1, 4)), int(rng.integers(1, 3))),
        lambda: nn.PReLU(channels),
        lambda: nn.AdaptiveAvgPool2d((3, 2)),
        lambda: nn.ReflectionPad2d(1),
        lambda: nn.LocalResponseNorm(3),
    ][rng.integers(7)]()


def stack(rng, shape):
    """A random module that takes images of the shape."""
    layers, x, wanted = [], torch.zeros((1, *shape)), 2 * rng.integers(1, 5)
    while len(layers) < wanted:
        kind, channels = rng.random(), x.shape[1]
        if kind < 0.55:
            layer = conv(rng, channels)
        elif kind < 0.75:
            layer = pool(rng)
        elif kind < 0.9:
            layer = branches(rng, channels)
        else:
            layer = other(rng, channels)
        set_weights(layer, rng)
        try:
            made = layer(x)
        except RuntimeError:
            # The window is larger than what is left of the image: a smaller one will come.
            continue
        layers += [layer, nn.ReLU()]
        x = made
    return nn.Sequential(Sum([nn.Identity(), nn.Identity()], "add"), *layers)


@pytest.mark.parametrize("seed", range(10))
def test_random_modules_equal_what_nan_finds(seed):
    rng = np.random.default_rng([5, seed])
    for _ in range(85):
        shape = (int(rng.integers(1, 4)), int(rng.integers(6, 12)), int(rng.integers(6, 12)))
        agree(stack(rng, shape), shape, rng)


def built(rng, shape):
    """A random hand-built map of images of the shape."""
    parts, wanted = [], rng.integers(1, 5)
    while len(parts) < wanted:
        kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
        stride = tuple(int(s) for s in rng.integers(1, 4, 2))
        weight = rng.normal(size=(2, shape[0], *kernel)) * rng.integers(
            0, 2, (2, shape[0], *kernel)
        )
        mode = str(rng.choice(["zeros", "circular"]))
        part = [
            lambda: pm.Conv2d(weight, None, stride, tuple(k - 1 for k in kernel), mode),  # noqa: B023
            lambda: pm.MaxPool2d(kernel, stride, 0, bool(rng.integers(2))),  # noqa: B023
            lambda: pm.AvgPool2d(kernel, stride, tuple(k // 2 for k in kernel)),  # noqa: B023
            lambda: pm.CRelu(),
            lambda: pm.Relu() + 0.5 * pm.Tanh(),
        ][rng.integers(5)]()
        try:
            shape = part.out_shape(shape)
        except pm.errors.ShapeError:
            continue
        parts.append(part)
    return pm.pipe(pm.Abs(), *parts)


@pytest.mark.parametrize("seed", range(4))
def test_random_hand_built_maps_equal_what_nan_finds(seed):
    rng = np.random.default_rng([6, seed])
    for _ in range(60):
        shape = (int(rng.integers(1, 3)), int(rng.integers(6, 12)), int(rng.integers(6, 12)))
        agree(built(rng, shape), shape, rng)


def test_probing_by_rows_and_columns_finds_what_probing_every_pixel_does():
    rng = np.random.default_rng(7)
    for _ in range(20):
        shape = (2, int(rng.integers(6, 12)), int(rng.integers(6, 12)))
        closed = closed_map(stack(rng, shape), "test")
        probes, truth = Probes(closed, shape), reached(closed, shape)
        unit = tuple(int(rng.integers(s)) for s in truth.shape[2:])
        expected = truth[(slice(None), slice(None), *unit)]
        assert np.array_equal(probes.pixels(unit), expected)
        rows, cols = probes.extent(unit)
        assert np.array_equal(rows, expected.any(1))
        assert np.array_equal(cols, expected.any(0))


# --- arithmetic --------------------------------------------------------------------------------
class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(after), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut = nn.Identity()
        if stride > 1 or before != after:
            shorter = nn.Conv2d(before, after, 1, stride, bias=False)
            self.shortcut = nn.Sequential(shorter, nn.BatchNorm2d(after))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.shortcut(x)
        return self.relu(y)


class ResNet(nn.Sequential):
    """A stem 7 x 7 of stride 2, four stages of two blocks, widths 32-256."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, 2, 3, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(32), nn.ReLU(inplace=True)
        for i, (before, after) in enumerate([(32, 32), (32, 64), (64, 128), (128, 256)], 1):
            blocks = Block(before, after, 1 + (i > 1)), Block(after, after, 1)
            setattr(self, f"layer{i}", nn.Sequential(*blocks))


@pytest.fixture(scope="module")
def net():
    return ResNet()


@pytest.mark.parametrize(
    ("layer", "size", "stride"),
    [("conv1", 7, 2), ("layer1", 23, 2), ("layer2", 51, 4), ("layer3", 107, 8)],
)
def test_a_residual_network_has_the_fields_of_the_arithmetic(net, layer, size, stride):
    phi, middle = pm.from_torch(net, layer=layer), 96 // stride
    field = receptive_field(phi, (5, middle, middle), (3, 192, 192))
    assert field.exact
    assert field.size == (size, size)
    assert field.mask.sum() == size**2
    assert field.stride == (stride, stride)
    # Odd windows with as much padding as they need: unit i is about pixel i stride.
    assert field.centre == (96, 96)
    corner = receptive_field(phi, (0, 0, 0), (3, 192, 192))
    assert corner.hull == (0, 0, size // 2 + 1, size // 2 + 1)
    assert corner.centre == (0, 0)


@pytest.mark.parametrize("stage", ["pre", "post"])
def test_pooled_layers_are_followed_too(net, stage):
    for pool in ("avg", "max", "ppv", "moments"):
        phi = pm.from_torch(net, layer="layer1", stage=stage, pool=pool)
        field = receptive_field(phi, (5,), (3, 32, 32))
        assert field.exact, field.because
        assert field.mask.all()
    for pool in (("grid", 4, 4), ("max", 4, 4)):
        phi = pm.from_torch(net, layer="layer1", stage=stage, pool=pool, in_shape=(3, 64, 64))
        field = receptive_field(phi, (5, 1, 2))
        assert field.exact, field.because
        # Cells of 8 x 8 units at every second pixel, which see 11 pixels to either side.
        assert field.hull == (16 - 11, 32 - 11, 30 + 12, 46 + 12)
    several = pm.from_torch(net, layer=["conv1", "layer1"])
    field = receptive_field(several, 32 * 16 * 16 + 16 * 8 + 8, (3, 32, 32))
    assert field.exact
    assert field.hull == (5, 5, 28, 28)


def test_a_field_larger_than_the_image_is_the_image_and_its_stride_is_known(net):
    field = receptive_field(pm.from_torch(net, layer="layer4"), (0, 1, 2), (3, 64, 64))
    assert field.hull == (0, 0, 64, 64)
    assert field.stride == (16, 16)
    assert field.centre == (16, 32)


@pytest.mark.parametrize("seed", range(12))
def test_size_stride_and_centre_follow_from_kernels_strides_and_padding(seed):
    # r + (k - 1) d j, j s and c + ((k - 1) d / 2 - p) j, layer by layer.
    rng, layers = np.random.default_rng([8, seed]), []
    size, step, centre = 1, 1, 0.0
    for _ in range(rng.integers(1, 4)):
        k, s, d = (int(rng.integers(1, n)) for n in (5, 3, 3))
        p = int(rng.integers(0, 3))
        layers.append(nn.Conv2d(1, 1, (k, 1), (s, 1), (p, 0), (d, 1)))
        size, centre = size + (k - 1) * d * step, centre + ((k - 1) * d / 2 - p) * step
        step *= s
    for row in (0, 1, 3):
        field = receptive_field(nn.Sequential(*layers), (0, row, 1), (1, 100, 9))
        assert field.stride == (step, 1)
        assert field.centre[0] == centre + row * step
    units = closed_map(nn.Sequential(*layers), "test").out_shape((1, 100, 9))[1]
    whole = receptive_field(nn.Sequential(*layers), (0, units // 2, 1), (1, 100, 9))
    assert whole.size == (size, 1)


def test_the_set_has_the_holes_of_dilation_and_of_wide_strides():
    field = receptive_field(nn.Conv2d(1, 1, 3, dilation=2), (0, 0, 0), (1, 7, 7))
    assert field.rows.tolist() == field.cols.tolist() == [0, 2, 4]
    assert field.size == (5, 5)
    assert field.mask.sum() == 9
    apart = pm.Conv2d(np.ones((1, 1, 2, 2))) @ pm.MaxPool2d(1, stride=3)
    assert receptive_field(apart, (0, 1, 0), (1, 16, 16)).rows.tolist() == [3, 6]
    # A cross is not the product of its rows and columns.
    cross = Sum(
        [nn.Conv2d(1, 1, (5, 1), padding="same"), nn.Conv2d(1, 1, (1, 5), padding="same")], "add"
    )
    field = receptive_field(cross, (0, 4, 4), (1, 9, 9))
    assert field.mask.sum() == 9
    assert field.size == (5, 5)


def test_depth_loses_no_pixel():
    # The first pixel of the field is on one path of 25^240, and 25^-240 is 0 in floating point.
    deep = nn.Sequential(*[nn.Conv2d(1, 1, (1, 25), padding=(0, 12), bias=False)] * 240)
    seen = Dependence(closed_map(deep, "test"), (1, 1, 5763))
    assert np.flatnonzero(seen.pixels((0, 0, 2881))).tolist() == list(range(1, 5762))


def test_circular_padding_sees_the_other_end():
    field = receptive_field(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), 0, (1, 8, 8))
    assert field.rows.tolist() == [0, 1, 7]
    assert field.centre == (0, 0)
    assert field.stride == (1, 1)


def test_upsampling_halves_the_stride():
    field = receptive_field(nn.Upsample(scale_factor=2), (0, 5, 4), (1, 16, 16))
    assert field.stride == (0.5, 0.5)
    assert field.hull == (2, 2, 3, 3)
    assert field.centre == (2, 2)
    shrunk = nn.Sequential(nn.AvgPool2d(3), nn.Upsample(scale_factor=2))
    assert receptive_field(shrunk, (0, 5, 4), (1, 48, 48)).stride == (1.5, 1.5)


def test_pooled_features_have_a_field_and_no_stride():
    phi = pm.GlobalPool("avg") @ pm.Conv2d(np.ones((2, 1, 3, 3)), in_shape=(1, 8, 9))
    field = receptive_field(phi, (1,))
    assert field.hull == (0, 0, 8, 9)
    assert field.mask.all()
    assert field.stride == (None, None)
    assert field.centre == (3.5, 4.0)


def test_a_unit_that_sees_padding_alone_depends_on_nothing():
    field = receptive_field(nn.Conv2d(1, 1, 1, padding=1), (0, 0, 0), (1, 4, 4))
    assert not field.mask.any()
    assert field.size == (0, 0)
    assert field.hull == (0, 0, 0, 0)
    # The pixel that it would see lies beside the image.
    assert field.centre == (-1, -1)
    assert field.stride == (1, 1)


def test_what_lies_outside_changes_nothing():
    rng = np.random.default_rng(9)
    for _ in range(40):
        shape = (2, 11, 10)
        closed = closed_map(stack(rng, shape), "test")
        seen = Dependence(closed, shape)
        unit = tuple(int(rng.integers(s)) for s in seen.features)
        mask = torch.from_numpy(seen.pixels(unit))
        x = torch.from_numpy(rng.normal(size=(2, *shape)))
        x[1] = torch.where(mask, x[0], x[1])
        same = closed.forward(x)[(slice(None), *unit)]
        assert same[0] == same[1]
