"""Covering windows one at a time, beside a loop that evaluates every one of them."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import phimaps as pm


def layers(rng, dtype=torch.float64):
    """A module with strides, overlapping pools and a residual branch."""
    torch.manual_seed(int(rng.integers(1 << 30)))

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x):
            return torch.relu_(self.conv(x)) + x

    stem = [nn.Conv2d(2, 4, 3, 2, 1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)]
    return nn.Sequential(*stem, Residual(), nn.Conv2d(4, 3, 2)).to(dtype).eval()


def one_by_one(phi, x, unit, found, paint):
    """Every window of the grid, each in a batch of its own."""
    result = np.empty(found.change.shape)
    start = phi(x[None])[(0, *unit)]
    for (i, top), (j, left) in (
        (a, b) for a in enumerate(found.tops) for b in enumerate(found.lefts)
    ):
        covered = x.copy()
        here = (slice(None), slice(top, top + found.window[0]), slice(left, left + found.window[1]))
        covered[here] = np.broadcast_to(paint, x.shape)[here]
        result[i, j] = phi(covered[None])[(0, *unit)] - start
    return result


def pixels(rng, n=1):
    return rng.random((n, 2, 33, 30))


FILLS = {
    "mean": lambda x: ("mean", x.mean(axis=(1, 2), keepdims=True)),
    "number": lambda x: (0.3, 0.3),
    "channels": lambda x: ([0.1, 0.9], np.array([0.1, 0.9])[:, None, None]),
    "image": lambda x: (x[:, ::-1], x[:, ::-1]),
}


@pytest.mark.parametrize("fill", FILLS)
def test_the_changes_are_those_of_a_loop(fill, rng):
    module = layers(rng)
    phi, unit = pm.from_torch(module), (1, 2, 1)
    for window, stride in (((5, 7), (4, 3)), (3, 2), (1, 4), ((33, 4), 4)):
        x = pixels(rng)[0]
        given, paint = FILLS[fill](x)
        before = x.copy()
        found = pm.cnn.occlusion(module, x, unit, window=window, stride=stride, fill=given)
        assert np.array_equal(x, before)
        wanted = one_by_one(phi, x, unit, found, paint)
        assert found.change.shape == (len(found.tops), len(found.lefts))
        # Sums of fewer than 200 products of numbers near 1, in another order.
        assert np.abs(found.change - wanted).max() < 1e-13
        assert np.abs(wanted).max() > 1e-3
        assert found.value == pytest.approx(phi(x[None])[(0, *unit)], abs=1e-13)


def test_windows_outside_the_receptive_field_are_not_evaluated(rng):
    phi, x = pm.from_torch(layers(rng)), pixels(rng)[0]
    # Rows and columns 0 to 10 see this unit (2 x 2, pool 3 by 2, filter 3 by 2).
    found = pm.cnn.occlusion(phi, x, (0, 0, 0), window=3, stride=3)
    met = np.zeros(found.change.shape, dtype=bool)
    met[np.ix_(found.tops <= 12, found.lefts <= 12)] = True
    assert not found.change[~met].any()
    assert 0 < found.evaluated <= met.sum() < found.change.size
    assert found.evaluated >= np.count_nonzero(found.change)


def test_what_covers_the_same_part_of_the_field_is_evaluated_once():
    phi, x = pm.Conv2d(np.ones((1, 1, 2, 2))), np.arange(64.0).reshape(1, 8, 8)
    found = pm.cnn.occlusion(phi, x, (0, 3, 3), window=4, stride=1, fill=0)
    # Pixels 3 and 4 of each axis: the first, both, or the second are covered; 3 x 3 parts.
    assert found.evaluated == 9
    assert np.abs(found.change - one_by_one(phi, x, (0, 3, 3), found, 0.0)).max() == 0


def test_nothing_is_left_out_where_the_field_is_not_known(rng):
    def hiding(z):
        # A NaN does not come through, and no structure does.
        return torch.from_numpy(np.nan_to_num(z.numpy()).sum(axis=(1, 2, 3), keepdims=True))

    phi, x = pm.from_function(hiding), pixels(rng)[0]
    found = pm.cnn.occlusion(phi, x, 0, window=10, fill=0)
    assert found.evaluated == found.change.size
    assert np.abs(found.change - one_by_one(phi, x, (0, 0, 0), found, 0.0)).max() < 1e-11
    assert (found.change < 0).all()


def test_the_last_window_lies_at_the_edge():
    found = pm.cnn.occlusion(pm.GlobalPool("avg"), np.ones((1, 10, 9)), 0, window=(4, 3), stride=4)
    assert found.tops.tolist() == [0, 4, 6]
    assert found.lefts.tolist() == [0, 4, 6]
    whole = pm.cnn.occlusion(pm.GlobalPool("avg"), np.ones((1, 16, 24)), 0, fill=0)
    assert whole.window == (2, 3)
    assert whole.tops.tolist() == list(range(15))
    assert np.allclose(whole.change, -6 / (16 * 24), rtol=1e-12)


def test_each_image_of_a_batch_has_its_own_changes(rng):
    module, x = layers(rng), pixels(rng, 3)
    found = pm.cnn.occlusion(module, x, (2, 1, 1), window=6)
    for i, image in enumerate(x):
        alone = pm.cnn.occlusion(module, image, (2, 1, 1), window=6)
        assert np.abs(found.change[i] - alone.change).max() < 1e-13
        assert found.value[i] == pytest.approx(alone.value, abs=1e-13)
    assert found.evaluated == 3 * alone.evaluated


def test_fills_are_in_the_numbers_of_the_image(rng):
    phi = pm.GlobalPool("avg")
    bytes_ = rng.integers(0, 256, (2, 8, 8), dtype=np.uint8)
    for x in (bytes_, torch.from_numpy(bytes_)):
        found = pm.cnn.occlusion(phi, x, 1, window=4, fill=128)
        wanted = pm.cnn.occlusion(phi, bytes_ / 255, 1, window=4, fill=128 / 255)
        assert found.change.dtype == np.float32
        # Means of 64 numbers below 1 in single precision, and their differences.
        assert np.abs(found.change - wanted.change).max() < 64 * 2.0**-23
    assert wanted.change.dtype == np.float64


def test_a_layer_of_a_network_is_covered_in_either_order_of_axes(rng):
    module, x = layers(rng, torch.float32), pixels(rng)[0].astype(np.float32)
    phi = pm.from_torch(module, layer="2")
    found = pm.cnn.occlusion(phi, x, (1, 3, 2), window=4, fill=0)
    assert found.evaluated < found.change.size / 3
    wanted = one_by_one(phi, x, (1, 3, 2), found, 0.0)
    # Sums of 19 products of numbers below 1, twice, in single precision.
    assert np.abs(found.change - wanted).max() < 40 * 2.0**-23
    last = pm.cnn.occlusion(phi, x.transpose(1, 2, 0), (1, 3, 2), window=4, fill=0)
    assert np.array_equal(last.change, found.change)


def test_the_module_stays_as_it_is(rng):
    module = layers(rng).train()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    pm.cnn.occlusion(module, pixels(rng)[0], 0)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert module.training
    assert all(p.grad is None and p.requires_grad for p in module.parameters())


def test_the_summary_counts_the_windows(rng):
    phi = pm.Conv2d([[[[1.0, 2.0]]]])
    one = pm.cnn.occlusion(phi, [[[3.0, 1.0, 5.0, 2.0]]], (0, 0, 1), window=1, fill=0)
    assert str(one) == "c0@(0,1) = 11, 2 of 4 windows of 1 x 1 evaluated: change from -10 to 0"
    both = pm.cnn.occlusion(phi, np.ones((2, 1, 1, 4)), (0, 0, 1), window=1, fill=0)
    assert str(both) == (
        "c0@(0,1), 4 of 8 windows of 1 x 1 in each of 2 images evaluated: change from -2 to 0"
    )


def test_the_changes_agree_with_captum(rng):
    attr = pytest.importorskip("captum.attr", reason="captum is not installed to compare with")
    module, x, unit = layers(rng), pixels(rng)[0][:, :30], (1, 2, 1)
    tensor = torch.from_numpy(x[None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = attr.Occlusion(lambda z: module(z)[(slice(None), *unit)]).attribute(
            tensor, sliding_window_shapes=(2, 5, 5), strides=(2, 5, 5), baselines=0.2
        )
    found = pm.cnn.occlusion(module, x, unit, window=5, stride=5, fill=0.2)
    # Windows side by side: a pixel has the attribution of its window, the value before less after.
    change = -theirs[0, 0, ::5, ::5].detach().numpy()
    # Theirs is float32, whatever the image.
    assert np.abs(found.change - change).max() < 2.0**-23 * np.abs(change).max()


@pytest.mark.gpu
def test_changes_and_patches_on_an_accelerator_are_those_on_the_cpu(rng):
    if not torch.cuda.is_available():
        pytest.skip("there is no accelerator")
    module, X, unit = layers(rng), pixels(rng, 9), (1, 2, 1)
    wanted = pm.cnn.occlusion(module, X[0], unit, window=5)
    best = pm.cnn.top_patches(module, X, 1, 3)
    with pm.config_context(device="cuda"):
        found = pm.cnn.occlusion(module, X[0], unit, window=5)
        patches = pm.cnn.top_patches(module, X, 1, 3)
    # Sums of fewer than 200 products of numbers near 1, in another order.
    assert np.abs(found.change - wanted.change).max() < 1e-12
    assert found.evaluated == wanted.evaluated
    assert [(p.index, p.unit, p.box) for p in patches] == [(p.index, p.unit, p.box) for p in best]
    tensor = torch.from_numpy(X).cuda()
    again = pm.cnn.occlusion(module, tensor[0], unit, window=5)
    assert np.abs(again.change - wanted.change).max() < 1e-12
    assert [p.index for p in pm.cnn.top_patches(module, tensor, 1, 3)] == [p.index for p in best]
