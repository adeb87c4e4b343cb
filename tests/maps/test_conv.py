"""Convolution: against torch, against explicit matrices, and every constant against a dense SVD."""

from itertools import product

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import check_estimator

import phimaps as pm
from phimaps.errors import ParameterError, ShapeError
from phimaps.maps import conv
from phimaps.maps.spectrum import extremes, torus

RNG = np.random.default_rng(0)
KERNELS = [(2, 3, 3, 3), (3, 1, 2, 3), (1, 2, 1, 1), (4, 1, 3, 3), (2, 2, 5, 2)]
WAYS = [*product([1, 2, (2, 1)], [0, 1, (0, 2)], ["zeros", "circular"]), (1, "same", "zeros")]


def dense(phi, shape):
    """The matrix of the linear part, by evaluating it on a basis."""
    n = int(np.prod(shape))
    basis = torch.eye(n, dtype=torch.float64).reshape(n, *shape)
    return (phi(basis) - phi(torch.zeros_like(basis))).reshape(n, -1).numpy()


def numbers(phi, on):
    found = {}
    for claim, _ in phi.facts(on):
        if claim.quantity is not None:
            found.setdefault((claim.name, claim.holds), []).append(claim.number)
    return found


@pytest.mark.parametrize("shape", KERNELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_agrees_with_torch(shape, dtype):
    weight, bias = RNG.standard_normal(shape), RNG.standard_normal(shape[0])
    for stride, padding, mode in WAYS:
        if padding == "same" and (shape[2] % 2 == 0 or shape[3] % 2 == 0):
            continue
        layer = torch.nn.Conv2d(
            shape[1], shape[0], shape[2:], stride, padding, padding_mode=mode, dtype=dtype
        )
        layer.weight.data, layer.bias.data = (torch.from_numpy(v).to(dtype) for v in (weight, bias))
        x = torch.from_numpy(RNG.standard_normal((2, shape[1], 6, 5))).to(dtype)
        ours = pm.Conv2d(weight, bias, stride, padding, mode)(x)
        assert ours.dtype == dtype
        assert torch.allclose(ours, layer(x), atol=1e-5 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("shape", KERNELS)
def test_the_matrix_and_the_constants_are_those_of_a_dense_svd(shape, monkeypatch):
    weight = RNG.standard_normal(shape)
    for stride, padding, mode in WAYS:
        phi = pm.Conv2d(weight, None, stride, padding, mode)
        item = (shape[1], 5, 6)
        on, matrix = pm.Images(*item), dense(phi, item)
        assert np.array_equal(phi.matrix(item) != 0, matrix != 0)
        assert np.allclose(phi.matrix(item), matrix, atol=1e-14)
        values = np.linalg.svd(matrix, compute_uv=False)
        top, least = values.max(), values.min() if matrix.shape[1] >= matrix.shape[0] else 0.0
        for entries in (conv.DENSE_ENTRIES, 0):
            monkeypatch.setattr(conv, "DENSE_ENTRIES", entries)
            found = numbers(pm.Conv2d(weight, None, stride, padding, mode), on)
            slack = 1e-12 * top
            assert min(found["Lipschitz", True]) >= top - slack
            assert max(found["Lipschitz", False]) <= top + slack
            assert max(found.get(("LowerLipschitz", True), [0.0])) <= least + slack
            assert min(found.get(("LowerLipschitz", False), [np.inf])) >= least - slack
            full = mode == "circular" and matrix.shape[1] == shape[0] * 30 and stride == 1
            if entries or full:
                assert min(found["Lipschitz", True]) <= top + 1e-10 * top
                assert max(found["Lipschitz", False]) >= top - 1e-10 * top
            else:
                assert min(found["Lipschitz", True]) <= 2.5 * top
                assert max(found["Lipschitz", False]) >= 0.9 * top
            if full and shape[0] >= shape[1]:
                assert max(found["LowerLipschitz", True]) >= least - 1e-9


def test_the_norm_on_the_image_itself_is_no_bound_for_padding_by_zeros():
    """The Fourier norm on n pixels misses edge filters; the one on the padded torus does not."""
    missed = 0
    for seed in range(60):
        weight = np.random.default_rng(seed).standard_normal((1, 1, 3, 3))
        phi = pm.Conv2d(weight, padding=1)
        top = np.linalg.norm(dense(phi, (1, 3, 3)), 2)
        missed += np.abs(np.fft.fft2(weight[0, 0], (3, 3))).max() < top * (1 - 1e-9)
        assert extremes(weight, torus(phi.window(), (1, 3, 3)).sizes)[0] >= top
    assert missed > 0


TILING = [
    ((2, 3, 3, 3), 1, "same", (6, 5)), ((3, 2, 3, 3), (2, 1), 1, (6, 4)),
    ((4, 1, 2, 2), 2, 0, (6, 4)), ((2, 3, 5, 5), 3, 1, (6, 9)), ((1, 1, 4, 7), 1, "same", (3, 4)),
    ((1, 2, 1, 1), 2, 0, (8, 2)), ((5, 1, 3, 3), (1, 2), (1, 1), (1, 8)),
]  # fmt: skip


@pytest.mark.parametrize(("kernel", "stride", "padding", "size"), TILING)
def test_singular_values_of_tiling_windows_are_those_of_the_frequencies(
    kernel, stride, padding, size, monkeypatch
):
    phi = pm.Conv2d(RNG.standard_normal(kernel), None, stride, padding, "circular")
    item = (kernel[1], *size)
    matrix = dense(phi, item)
    monkeypatch.setattr(conv, "DENSE_ENTRIES", 0)
    found = phi.singular_values(item)
    assert found.shape == (min(matrix.shape),)
    assert np.allclose(found, np.linalg.svd(matrix, compute_uv=False), atol=1e-13 * found[0])
    known = numbers(phi, pm.Images(*item))
    assert min(known["Lipschitz", True]) >= found[0] >= max(known["Lipschitz", False])
    assert min(known["Lipschitz", True]) <= max(known["Lipschitz", False]) * (1 + 1e-12)
    if matrix.shape[1] >= matrix.shape[0]:
        assert max(known["LowerLipschitz", True]) <= found[-1] * (1 + 1e-13)
        assert abs(max(known["LowerLipschitz", True]) - found[-1]) < 1e-11
        assert abs(min(known["LowerLipschitz", False]) - found[-1]) < 1e-11


def test_singular_values_of_other_windows_are_those_of_the_matrix():
    weight = RNG.standard_normal((2, 1, 3, 3))
    for way in ({}, {"padding": 1}, {"stride": 2}, {"stride": 2, "padding_mode": "circular"}):
        phi = pm.Conv2d(weight, np.ones(2), in_shape=(1, 5, 7), **way)
        values = np.linalg.svd(dense(phi, (1, 5, 7)), compute_uv=False)
        for found in (phi.singular_values(), phi.singular_values((35,))):
            assert np.allclose(found, values, atol=1e-13)
    # A pixel for a pixel: no padding and nothing around, however large the image.
    mixer = pm.Conv2d(RNG.standard_normal((3, 3, 1, 1)))
    values = mixer.singular_values((3, 100, 100))
    assert values.shape == (30000,)
    assert np.allclose(np.unique(values.round(9)), np.unique(
        np.linalg.svd(mixer.weight[:, :, 0, 0], compute_uv=False).round(9)))  # fmt: skip


def test_singular_values_say_what_they_need():
    with pytest.raises(ParameterError) as unknown:
        pm.Conv2d(np.ones((2, 3, 3, 3)), in_shape=(3, 8, -1)).singular_values()
    assert str(unknown.value) == (
        "The singular values of Conv2d depend on the size of the images.\n"
        "  got:  in_shape=None\n"
        "  need: the shape of one image, (channels, height, width)\n"
        "  do:   conv.singular_values((3, 32, 32))"
    )
    with pytest.raises(ParameterError) as large:
        pm.Conv2d(np.ones((2, 3, 3, 3)), padding=1).singular_values((3, 64, 64))
    assert str(large.value) == (
        "The singular values of this Conv2d are not known in closed form.\n"
        "  got:  padding_mode='zeros', images of shape (3, 64, 64): a matrix of 12288 x 8192\n"
        "  need: windows that tile a torus, or a matrix of at most 2097152 entries, 4096 on a side"
        "\n  do:   pm.decide(conv, pm.Lipschitz, on=pm.Images(...)) for certified bounds"
    )
    with pytest.raises(ShapeError):
        pm.Conv2d(np.ones((2, 3, 3, 3))).singular_values((2, 8, 8))


def test_dead_channels_are_proved_dead_and_others_are_not():
    rng, seen = np.random.default_rng(3), set()
    for trial in range(200):
        weight = rng.standard_normal((3, 2, 2, 2)) - rng.choice([0.0, 1.0])
        bias = np.round(rng.standard_normal(3), 1)
        mode = ("zeros", "circular")[trial % 2]
        phi = pm.Conv2d(weight, bias, int(rng.integers(1, 3)), int(rng.integers(0, 2)), mode)
        low = rng.standard_normal((2, 3, 4)) * rng.choice([0.0, 1.0])
        on = pm.Box(low, low + rng.random((2, 3, 4)) * rng.choice([0.0, 1.0], (2, 3, 4)))
        dead = phi.dead_channels(on)
        assert dead.shape == (3,)
        assert dead.dtype == bool
        # The greatest value of a unit is attained at a corner of the box.
        matrix = phi.matrix((2, 3, 4))
        corner = np.where(matrix > 0, on.high.ravel()[:, None], on.low.ravel()[:, None]) * matrix
        top = (corner.sum(axis=0).reshape(phi.out_shape((2, 3, 4))).max(axis=(1, 2))) + bias
        assert (top[dead] <= 1e-12).all()
        assert (top[~dead] >= -1e-12).all()
        seen.update(dead.tolist())
    assert seen == {True, False}
    # A bound that is 0 only in floating point is not taken for 0.
    third = pm.Conv2d([[[[0.1, 0.2]]]], [-0.3])
    assert 0.1 + 0.2 > 0.3
    assert not third.dead_channels(pm.Images(1, 1, 2)).any()
    assert pm.Conv2d([[[[1.0, -1.0]]]], [-1.5]).dead_channels(pm.Images(1, 1, 2)).all()
    assert pm.Conv2d([[[[-1.0, 0.0]]]]).dead_channels(pm.NonNegative((1, 1, 2))).all()
    rows = pm.Conv2d([[[[-1.0]]], [[[1.0]]]], in_shape=(1, 2, -1))
    assert rows.dead_channels(pm.Box([0.0] * 4, [1.0] * 4)).tolist() == [True, False]


def test_injectivity_is_proved_refuted_and_witnessed():
    images = pm.Images(1, 6, 6)
    laplace = np.array([[[[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]]])
    verdict = pm.decide(pm.Conv2d(laplace, None, 1, 1, "circular"), pm.Injective, on=images)
    assert verdict.holds is False
    assert verdict.witness.verify(pm.Conv2d(laplace, None, 1, 1, "circular"))
    assert images.contains(np.stack([verdict.witness.x, verdict.witness.y])).all()
    assert pm.decide(pm.Conv2d(laplace, padding=1), pm.Injective, on=images).holds is True
    assert pm.decide(pm.Conv2d(laplace), pm.Injective, on=images).holds is False
    # [1, 1, 1] with zero padding is singular exactly when 3 divides n + 1.
    ones = pm.Conv2d([[[[1.0, 1.0, 1.0]]]], padding="same")
    assert [pm.decide(ones, pm.Injective, on=pm.Images(1, 1, n)).holds for n in (4, 5, 6, 8)] == [
        True, False, True, False,
    ]  # fmt: skip


def test_a_large_circular_convolution_is_decided_at_its_frequencies():
    phi = pm.Conv2d(RNG.standard_normal((4, 2, 3, 3)), None, 1, 1, "circular")
    on = pm.Images(2, 40, 40)
    verdict = pm.decide(phi, pm.LowerLipschitz, on=on)
    low, high = verdict.value
    assert 0 < low <= high <= low * (1 + 1e-9)
    assert pm.decide(phi, pm.Injective, on=on).holds is True
    assert "frequencies" in str(verdict)
    padded = pm.Conv2d(phi.weight, padding=1)
    with torch.no_grad():
        low, high = pm.decide(padded, pm.Lipschitz, on=on).value
    assert 0.9 * high < low < high


def test_the_image_is_enclosed_with_infinite_ends_and_exact_zeros():
    weight, bias = RNG.standard_normal((3, 2, 3, 3)), RNG.standard_normal(3)
    for stride, padding, mode in WAYS:
        phi = pm.Conv2d(weight, bias, stride, padding, mode)
        on = pm.Box(-1 - RNG.random((2, 5, 5)), RNG.random((2, 5, 5)))
        low, high = phi.image(on).outer.bounds()
        matrix, centre = phi.matrix((2, 5, 5)), (on.low + on.high).ravel() / 2
        reach = ((on.high - on.low).ravel() / 2) @ np.abs(matrix)
        middle = phi(centre.reshape(1, 2, 5, 5)).ravel()
        assert np.allclose(low.ravel(), middle - reach, atol=1e-12)
        assert np.allclose(high.ravel(), middle + reach, atol=1e-12)
        assert (low.ravel() <= middle - reach + 1e-13).all()
    half = pm.Conv2d([[[[1.0, -2.0]]]]).image(pm.NonNegative((1, 1, 3))).outer
    assert np.isneginf(half.low).all()
    assert np.isposinf(half.high).all()
    dead = pm.Relu() @ pm.Conv2d(-np.ones((1, 1, 3, 3)), padding=1)
    assert (dead.image(pm.Images(1, 5, 5)).outer.high == 0).all()
    assert pm.decide(dead, pm.Lipschitz(0.0), on=pm.Images(1, 5, 5)).holds is True


def test_rows_images_names_and_shapes_belong_together():
    weight = RNG.standard_normal((2, 3, 3, 3))
    rows, images = pm.Conv2d(weight, in_shape=(3, 4, -1)), pm.Conv2d(weight)
    X = RNG.standard_normal((5, 3, 4, 6))
    assert np.array_equal(rows(X.reshape(5, -1)), images(X))
    assert np.array_equal(rows.fit_transform(X), rows.fit_transform(X.reshape(5, -1)))
    assert rows.out_shape((72,)) == images.out_shape((3, 4, 6)) == (2, 2, 4)
    names = images.fit(X).get_feature_names_out()
    assert (names[0], names[-1], len(names)) == ("conv2d[pre]:c0@(0,0)", "conv2d[pre]:c1@(1,3)", 16)
    whole = pm.Conv2d(weight, in_shape=(3, 4, 6))
    assert (whole.gives, whole.takes, whole.domain.shape) == ((2, 2, 4), None, (72,))
    assert (images.gives, images.domain, rows.domain) == (None, None, None)
    two = (pm.Relu() @ pm.Conv2d(np.ones((1, 2, 1, 1))) @ pm.Relu() @ whole).fit(X)
    assert two.get_feature_names_out()[5] == "conv2d-2[post]:c0@(1,1)"


def test_gradients_reach_the_input_and_the_weight():
    weight = torch.randn(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    for mode in ("zeros", "circular"):
        assert torch.autograd.gradcheck(
            lambda w, v, mode=mode: pm.Conv2d(w, None, 1, 1, mode)(v), (weight, x)
        )
    pm.Conv2d(weight)(x).sum().backward()
    assert weight.grad is not None
    on = pm.Images(1, 4, 4)
    phi = pm.Conv2d(weight)
    before = pm.decide(phi, pm.Lipschitz, on=on).value
    with torch.no_grad():
        weight *= 2
    assert pm.decide(phi, pm.Lipschitz, on=on).value[0] > 1.9 * before[0]


MESSAGES = [
    (
        {},
        (2, 192),
        """Conv2d takes images, and X has rows of 192 numbers.
  got:  items of shape (192,), n_features = 192
  need: items of shape (channels, height, width), or in_shape to read rows so
  do:   Conv2d(..., in_shape=(3, 8, 8))""",
    ),
    (
        {},
        (2, 8, 8, 3),
        """Conv2d takes 3 channels, the images have 8.
  got:  items of shape (8, 8, 3), n_features = 192
  need: items of shape (3, height, width)
  do:   X.transpose(0, 3, 1, 2): channels come first""",
    ),
    (
        {},
        (2, 3, 2, 8),
        """The images are smaller than the window of Conv2d.
  got:  images of 2 x 8 pixels, n_features = 48
  need: at least 3 x 3 pixels
  do:   a smaller window, more padding, or larger images""",
    ),
    (
        {},
        (2, 8, 8),
        """Conv2d takes images with channels.
  got:  items of shape (8, 8)
  need: items of shape (channels, height, width)
  do:   X[:, None], which adds a channel""",
    ),
    (
        {"in_shape": (3, 4, -1)},
        (2, 100),
        """X has 100 features, which do not fill images of shape (3, 4, -1).
  got:  items of shape (100,), n_features = 100
  need: a multiple of 12 features
  do:   set_params(in_shape=...) with the shape of one image""",
    ),
]


@pytest.mark.parametrize(("params", "shape", "text"), MESSAGES)
def test_wrong_shapes_are_explained(params, shape, text):
    with pytest.raises(ShapeError) as caught:
        pm.Conv2d(np.ones((2, 3, 3, 3)), **params).fit(np.zeros(shape))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "params",
    [
        {"padding": "valid"}, {"padding": -1}, {"padding": "same", "stride": 2}, {"stride": 0},
        {"stride": (1, 2, 3)}, {"padding_mode": "reflect"}, {"bias": [1.0]}, {"in_shape": (3, 8)},
        {"in_shape": (-1, -1, 8)}, {"weight": np.full((1, 1, 1, 1), np.nan)}, {"weight": [[1.0]]},
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused(params):
    with pytest.raises(ParameterError) as caught:
        pm.Conv2d(**{"weight": np.ones((2, 3, 3, 3)), **params}).fit(np.zeros((2, 3, 8, 8)))
    assert [line.split(":")[0] for line in str(caught.value).splitlines()[1:]] == [
        "  got", "  need", "  do",
    ]  # fmt: skip


def test_scikit_learn_accepts_it():
    check_estimator(pm.Conv2d.example(), on_skip=None)
