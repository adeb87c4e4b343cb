"""The image behind features: recovered, bounded, or one of several."""

import numpy as np
import pytest
import torch

import phimaps as pm

from .test_collide import crops, filters


@pytest.mark.parametrize(("count", "bias"), [(8, 0.0), (16, 0.0), (24, -0.05)])
def test_an_image_is_recovered_within_the_bound(count, bias):
    x = crops(20)[0]
    phi = pm.Relu() @ pm.Conv2d(filters(count), np.full(count, bias), padding=1)
    found = pm.cnn.invert(phi, phi(x[None])[0])
    assert found.unique, found.because
    assert found.because.startswith("proved")
    assert np.linalg.norm(found.x - x) <= found.bound < 1e-8
    assert np.linalg.norm(found.x - x) / np.linalg.norm(x) <= 1e-8
    assert found.gap < 1e-13
    assert str(found).startswith("the only image with these features")


def test_an_image_is_recovered_from_both_signs():
    x = crops(9)[0]
    phi = pm.CRelu() @ pm.Conv2d(filters(5), np.arange(5.0) / 10, padding=1)
    found = pm.cnn.invert(phi, torch.tensor(phi(x[None])[0]))
    assert found.unique
    assert np.linalg.norm(found.x - x) <= found.bound < 1e-8


def test_where_several_images_have_the_features_two_are_shown():
    x, w = crops(14)[0], filters(3)
    phi = pm.Relu() @ pm.Conv2d(w, padding=1)
    features = phi(x[None])[0]
    found = pm.cnn.invert(phi, features)
    assert found.unique is False
    assert found.bound is None
    assert found.because.startswith("numerically")
    for image in (found.x, found.other):
        assert 0 <= image.min() <= image.max() <= 1
        assert np.abs(phi(image[None])[0] - features).max() < 1e-12
    assert np.sqrt(np.mean((found.x - found.other) ** 2)) > 0.05


def test_rows_of_features_and_the_size_of_the_image():
    x = crops(10)[0]
    phi = pm.Relu() @ pm.Conv2d(filters(10), padding=1)
    found = pm.cnn.invert(phi, phi(x[None])[0].ravel(), (3, 10, 10))
    assert np.abs(found.x - x).max() < 1e-10
    declared = pm.Relu() @ pm.Conv2d(filters(10), padding=1, in_shape=(3, 10, 10))
    again = pm.cnn.invert(declared, phi(x[None])[0].ravel())
    np.testing.assert_array_equal(again.x, found.x)


def test_a_deep_map_is_searched_and_nothing_is_claimed():
    x = crops(8)[0]
    phi = pm.Tanh() @ pm.Conv2d(filters(12), padding=1) @ pm.Abs()
    found = pm.cnn.invert(phi, phi(x[None])[0], (3, 8, 8))
    assert found.unique is None
    assert found.bound is None
    assert found.because.startswith("numerically: Gauss-Newton")
    grey = np.abs(phi(np.full((1, 3, 8, 8), 0.5)) - phi(x[None])).max()
    assert found.gap == pytest.approx(np.abs(phi(found.x[None]) - phi(x[None])).max(), abs=1e-15)
    assert found.gap < grey / 100
