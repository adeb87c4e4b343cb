"""Pooling: against torch, with constants that are attained and witnesses that collide exactly."""

from math import ceil, sqrt

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import check_estimator

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError

RNG = np.random.default_rng(0)
SPACES = [
    pm.Images(2, 7, 6),
    pm.Euclidean((2, 7, 6)),
    pm.Ball(RNG.standard_normal((2, 7, 6)), 1.5),
    pm.Box(RNG.standard_normal((2, 7, 6)) - 3, RNG.standard_normal((2, 7, 6)) + 3),
]


def cases(count):
    rng = np.random.default_rng(1)
    for _ in range(count):
        size = tuple(int(v) for v in rng.integers(1, 5, 2))
        stride = tuple(int(v) for v in rng.integers(1, 5, 2))
        padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in size)
        yield size, stride, padding, bool(rng.random() < 0.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_they_agree_with_torch(dtype):
    x = torch.from_numpy(RNG.standard_normal((3, 2, 7, 6))).to(dtype)
    for size, stride, padding, up in cases(60):
        best = pm.MaxPool2d(size, stride, padding, up)
        ours = best(x)
        assert torch.equal(ours, torch.max_pool2d(x, size, stride, padding, 1, up))
        assert best.out_shape((2, 7, 6)) == tuple(ours.shape[1:])
        for counted in (True, False):
            mean = pm.AvgPool2d(size, stride, padding, up, counted)
            theirs = torch.nn.functional.avg_pool2d(x, size, stride, padding, up, counted)
            assert torch.equal(mean(x), theirs)
            assert mean.out_shape((2, 7, 6)) == tuple(theirs.shape[1:])
    assert torch.allclose(pm.GlobalPool()(x), x.mean(dim=(2, 3)))
    assert torch.equal(pm.GlobalPool("max")(x), x.amax(dim=(2, 3)))


def test_average_constants_are_those_of_a_dense_svd():
    basis = torch.eye(84, dtype=torch.float64).reshape(84, 2, 7, 6)
    for i, (size, stride, padding, up) in enumerate(cases(40)):
        for phi in (pm.AvgPool2d(size, stride, padding, up, i % 2 == 0), pm.GlobalPool()):
            values = np.linalg.svd(phi(basis).reshape(84, -1).numpy(), compute_uv=False)
            on = SPACES[i % 4]
            low, high = pm.decide(phi, pm.Lipschitz, on=on).value
            assert low * (1 - 1e-12) <= values.max() <= high * (1 + 1e-12)
            assert high - low < 1e-10
            verdict = pm.decide(phi, pm.Injective, on=on)
            assert (verdict.holds is not True) or (len(values) == 84 and values.min() > 0)
            if verdict.witness is not None:
                check(phi, verdict.witness, on)
    assert pm.decide(pm.AvgPool2d(2), pm.Lipschitz, on=SPACES[0]).value == (0.5, 0.5)
    low, high = pm.decide(pm.GlobalPool(), pm.Lipschitz, on=SPACES[0]).value
    assert low <= 1 / sqrt(42) <= high <= np.nextafter(low, 1)


def check(phi, witness, on):
    assert witness.verify(phi)
    assert on.contains(np.stack([witness.x, witness.y])).all()


def test_max_constants_hold_and_are_attained():
    for i, (size, stride, padding, up) in enumerate(cases(60)):
        phi, on = pm.MaxPool2d(size, stride, padding, up), SPACES[i % 4]
        low, high = pm.decide(phi, pm.Lipschitz, on=on).value
        assert low <= high
        # A spike moves every window that sees it.
        spikes = torch.eye(42, dtype=torch.float64).reshape(42, 1, 7, 6)
        base = phi(torch.zeros(1, 1, 7, 6, dtype=torch.float64))
        moved = (phi(spikes) - base).flatten(1).norm(dim=1)
        assert abs(float(moved.max()) - high) < 1e-12
        if i % 4 < 2:
            assert high <= np.nextafter(low, np.inf)
        x = on.sample(200, i)
        apart = np.linalg.norm((x[:100] - x[100:]).reshape(100, -1), axis=1)
        values = phi(x).reshape(200, -1)
        assert (np.linalg.norm(values[:100] - values[100:], axis=1) <= high * apart + 1e-12).all()


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (3, 1), (2, 2), (4, 3), ((3, 2), (1, 2))])
def test_overlapping_windows_multiply_the_constant(size, stride):
    (kh, kw), (sh, sw) = (np.broadcast_to(v, 2) for v in (size, stride))
    low, high = pm.decide(pm.MaxPool2d(size, stride), pm.Lipschitz, on=pm.Images(1, 12, 12)).value
    exact = sqrt(ceil(kh / sh) * ceil(kw / sw))
    assert low <= exact <= high <= np.nextafter(low, np.inf)


def test_no_gradient_step_exceeds_the_constants():
    """Pairs driven apart by gradient ascent stay below the upper end, and come near the lower."""
    for i, (size, stride, padding, up) in enumerate(cases(24)):
        for phi in (
            pm.MaxPool2d(size, stride, padding, up),
            pm.AvgPool2d(size, stride, padding, up, i % 2 == 0),
            pm.GlobalPool(("avg", "max")[i % 2]),
        ):
            low, high = pm.decide(phi, pm.Lipschitz, on=pm.Euclidean((1, 6, 7))).value
            torch.manual_seed(i)
            x = torch.randn(8, 1, 6, 7, dtype=torch.float64)
            # A start from which the best pixel of several windows is one.
            x[:4] *= 1e-2
            x[0, 0, 2, 2] += 1.0
            step = torch.randn_like(x) * 1e-3
            best = 0.0
            for _ in range(60):
                step.requires_grad_()
                far = step.flatten(1).norm(dim=1)
                ratio = (phi(x + step) - phi(x)).flatten(1).norm(dim=1) / far
                best = max(best, float(ratio.detach().max()))
                (slope,) = torch.autograd.grad(ratio.sum(), step)
                with torch.no_grad():
                    step = step + 0.2 * slope * (far**2)[:, None, None, None]
            assert best <= high * (1 + 1e-9)
            assert best >= 0.5 * low


def test_max_pooling_merges_points_exactly_or_is_a_choice_of_pixels():
    for i, (size, stride, padding, up) in enumerate(cases(60)):
        phi, on = pm.MaxPool2d(size, stride, padding, up), SPACES[i % 4]
        verdict = pm.decide(phi, pm.Injective, on=on)
        if size == (1, 1) and stride == (1, 1):
            assert verdict.holds is True
            assert pm.decide(phi, pm.Affine, on=on).holds is True
        elif i % 4 < 2:
            assert verdict.holds is False
            assert verdict.strength == "by witness"
        if verdict.witness is not None:
            check(phi, verdict.witness, on)
            assert verdict.witness.gap(phi) == 0
    ordered = pm.Box([[[0.0, 2.0]]], [[[1.0, 3.0]]])
    pairs = pm.MaxPool2d((1, 2))
    assert pm.decide(pairs, pm.Injective, on=ordered).witness.gap(pairs) == 0
    alone = pm.Finite(np.array([[[[0.0, 2.0]]], [[[0.0, 3.0]]]]))
    assert pm.decide(pairs, pm.Injective, on=alone).holds is True


def test_images_enclose_and_are_reached():
    for i, (size, stride, padding, up) in enumerate(cases(40)):
        for phi in (
            pm.MaxPool2d(size, stride, padding, up),
            pm.AvgPool2d(size, stride, padding, up, i % 2 == 0),
            pm.GlobalPool(("avg", "max")[i % 2]),
        ):
            on = SPACES[i % 4]
            image, values = phi.image(on), phi(on.sample(100, i))
            low, high = image.outer.bounds()
            assert ((values >= low - 1e-12) & (values <= high + 1e-12)).all()
            assert image.inner is None or image.inner.is_subset(image.outer)
            if i % 4 in (0, 3) and image.inner is not None:
                # Side by side, the corners of the box are the images of corners.
                ends = phi(np.stack(on.bounds()))
                assert np.allclose(np.stack(image.inner.bounds()), ends, atol=1e-12)
    assert pm.MaxPool2d(3, 2).image(SPACES[0]).inner is None
    bias = pm.Affine(-np.ones((1, 1)), [1.0]) @ pm.Flatten() @ pm.GlobalPool("max")
    verdict = pm.decide(pm.Relu() @ bias, pm.Injective, on=pm.Images(1, 2, 2, 0, 2))
    assert verdict.holds is False


def test_names_follow_the_channels():
    X = RNG.standard_normal((3, 1, 4, 4))
    phi = pm.pipe(pm.Conv2d(np.ones((2, 1, 1, 1))), pm.CRelu(), pm.MaxPool2d(2)).fit(X)
    names = phi.get_feature_names_out()
    assert names[1] == "maxpool2d(relu(conv2d[post]:c0))@(0,1)"
    assert names[-1] == "maxpool2d(relu(-conv2d[post]:c1))@(1,1)"
    relu = pm.pipe(pm.Conv2d(np.ones((4, 1, 1, 1))), pm.Relu(), pm.MaxPool2d(2)).fit(X)
    assert relu.get_feature_names_out()[13] == "maxpool2d(conv2d[post]:c3)@(0,1)"
    assert list(pm.GlobalPool().fit(X).get_feature_names_out()) == ["globalpool(c0)"]


def test_wrong_input_is_explained():
    with pytest.raises(ParameterError) as caught:
        pm.MaxPool2d(2, padding=2).fit(np.zeros((2, 1, 8, 8)))
    assert str(caught.value) == (
        "The padding of MaxPool2d leaves windows without a pixel.\n"
        "  got:  padding=2, size=2\n"
        "  need: padding <= size / 2\n"
        "  do:   set_params(padding=1)"
    )
    with pytest.raises(ShapeError) as shape:
        pm.AvgPool2d(2).fit(np.zeros((2, 64)))
    assert str(shape.value) == (
        "AvgPool2d takes images, and X has rows of 64 numbers.\n"
        "  got:  items of shape (64,), n_features = 64\n"
        "  need: items of shape (channels, height, width), or in_shape to read rows so\n"
        "  do:   AvgPool2d(..., in_shape=(1, 8, 8))"
    )
    with pytest.raises(ParameterError):
        pm.GlobalPool("sum").fit(np.zeros((2, 1, 4, 4)))
    with pytest.raises(ParameterError):
        pm.AvgPool2d(0).fit(np.zeros((2, 1, 4, 4)))


@pytest.mark.parametrize("phi", [pm.MaxPool2d(3, 2, 1), pm.AvgPool2d(2), pm.GlobalPool("max")])
def test_gradients_flow(phi):
    x = torch.randn(2, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(phi, (x,))


@pytest.mark.parametrize("kind", [pm.MaxPool2d, pm.AvgPool2d, pm.GlobalPool])
def test_scikit_learn_accepts_them(kind):
    check_estimator(kind.example(), on_skip=None)
