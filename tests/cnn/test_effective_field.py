"""The effective field: against gradients known in closed form, and against all boxes."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

import phimaps as pm
from phimaps.cnn.effective_field import _least_area, _smallest_box, effective_field
from phimaps.cnn.receptive_field import receptive_field

rng = np.random.default_rng(11)


def test_the_weight_of_a_convolution_is_its_squared_filter():
    w = rng.normal(size=(2, 3, 3, 4))
    field = effective_field(pm.Conv2d(w), (1, 2, 1), rng.normal(size=(4, 3, 8, 9)))
    expected = np.zeros((8, 9))
    expected[2:5, 1:5] = (w[1] ** 2).sum(0)
    # One gradient, four times; the sum over it takes some twenty roundings.
    assert np.abs(field.weight - expected / expected.sum()).max() < 1e-15
    assert field.weight.dtype == np.float64


def test_images_are_averaged_whatever_the_batches(monkeypatch):
    phi = pm.Relu() @ pm.Conv2d(rng.normal(size=(2, 1, 3, 3)))
    X = rng.normal(size=(7, 1, 6, 6))
    together = effective_field(phi, (0, 1, 1), X).weight
    grads = []
    for x in torch.from_numpy(X):
        leaf = x[None].clone().requires_grad_()
        (made,) = torch.autograd.grad(phi(leaf)[0, 0, 1, 1], leaf)
        grads.append(made[0, 0].square().numpy())
    expected = np.mean(grads, 0) / np.mean(grads, 0).sum()
    assert np.abs(together - expected).max() < 1e-15
    monkeypatch.setattr(sys.modules[effective_field.__module__], "MOST", 80)
    assert np.abs(effective_field(phi, (0, 1, 1), X).weight - together).max() < 1e-15


def test_the_box_is_the_smallest_of_all_boxes_and_the_area_the_least():
    for trial in range(60):
        height, width = (int(n) for n in rng.integers(1, 7, 2))
        weight = rng.random((height, width)) ** 4 * rng.integers(0, 2, (height, width))
        weight[0, 0] += 0.01
        weight /= weight.sum()
        share = float(rng.uniform(0.3, 1.0)) if trial % 5 else 1.0
        # So much may the sums of at most 36 numbers err.
        enough = share - 36 * np.finfo(float).eps
        areas = [
            (bottom - top) * (right - left)
            for top in range(height)
            for bottom in range(top + 1, height + 1)
            for left in range(width)
            for right in range(left + 1, width + 1)
            if weight[top:bottom, left:right].sum() >= enough
        ]
        top, left, bottom, right = _smallest_box(weight, share)
        assert (bottom - top) * (right - left) == min(areas)
        assert weight[top:bottom, left:right].sum() >= share - 1e-12
        held = np.cumsum(np.sort(weight.ravel())[::-1])
        assert _least_area(weight, share) == np.flatnonzero(held >= enough)[0] + 1


def test_a_uniform_weight_needs_the_share_of_its_pixels():
    weight = np.full((10, 10), 0.01)
    assert _least_area(weight, 0.95) == 95
    top, left, bottom, right = _smallest_box(weight, 0.95)
    assert (bottom - top) * (right - left) == 100
    assert _least_area(weight, 1.0) == 100


def test_it_lies_within_the_receptive_field_and_is_a_small_part_of_a_deep_one():
    # Of weights of mean 0 the expected squared gradient is a uniform window, convolved with itself;
    # a draw of it is more concentrated.
    expected = line = np.ones(3) / 3
    for _ in range(9):
        expected = np.convolve(expected, line)
    least = _least_area(np.outer(expected, expected), 0.95)
    assert abs(least - 1.57 * 10 * 8) < 0.05 * least
    layers = [pm.Conv2d(rng.normal(size=(8, 8 if i else 1, 3, 3)), padding=1) for i in range(10)]
    phi = pm.pipe(*layers)
    fields = [effective_field(phi, (c, 12, 12), np.zeros((1, 25, 25))) for c in range(8)]
    seen = receptive_field(phi, (0, 12, 12), (1, 25, 25))
    assert seen.size == (21, 21)
    for field in fields:
        assert not field.weight[~seen.mask].any()
        assert field.area < least
        top, left, bottom, right = field.box
        assert field.area <= (bottom - top) * (right - left) < 0.5 * seen.mask.sum()


def test_a_unit_that_no_image_moves_has_no_weight():
    phi = pm.Relu() @ pm.Conv2d([[[[1.0]]]], [-5.0])
    field = effective_field(phi, (0, 1, 1), np.zeros((2, 1, 3, 3)))
    assert not field.weight.any()
    assert field.area == 0
    assert field.box == (0, 0, 0, 0)


def test_modules_bytes_rows_and_single_images():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 1, 3)).requires_grad_(True)
    x = rng.integers(0, 256, (5, 1, 8, 8)).astype(np.uint8)
    field = effective_field(net, (0, 1, 2), x)
    assert np.array_equal(field.weight, effective_field(net, (0, 1, 2), x / np.float32(255)).weight)
    assert all(p.grad is None for p in net.parameters())
    assert field.weight[:1].sum() == field.weight[:, :2].sum() == 0
    phi = pm.Conv2d(np.ones((1, 1, 3, 3)), in_shape=(1, 8, 8)) @ pm.Standardize()
    fitted = phi.fit(rng.normal(size=(9, 64)))
    assert effective_field(fitted, (0, 0, 0), rng.normal(size=(1, 8, 8))).box == (0, 0, 3, 3)


@pytest.mark.parametrize("share", [0.5, 1, 1.0])
def test_the_share_is_held(share):
    phi = pm.Conv2d(np.array([[[[1.0, 3.0, 1.0]]]]))
    field = effective_field(phi, (0, 0, 0), np.zeros((1, 1, 3)), share=share)
    assert field.area == (1 if share == 0.5 else 3)
