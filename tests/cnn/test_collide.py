"""Two images with the same features: what is found, what is proved, and what is not claimed."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.datasets import load_sample_images

import phimaps as pm
from phimaps.cnn.collide import _blocks, polyhedron
from phimaps.cnn.fibre import head_of
from phimaps.cnn.fibre_point import Polyhedron, closest, closest_in_l1, kept_exactly
from phimaps.cnn.fibre_rank import Normal, least_singular_value, narrow_order

PHOTOS = [photo.transpose(2, 0, 1) / 255 for photo in load_sample_images().images]


def crops(side):
    return [photo[:, 100 : 100 + side, 200 : 200 + side] for photo in PHOTOS]


def filters(count, channels=3, seed=0):
    """Of mean 0 and norm 1."""
    w = np.random.default_rng(seed).standard_normal((count, channels, 3, 3))
    w -= w.mean((1, 2, 3), keepdims=True)
    return w / np.linalg.norm(w.reshape(count, -1), axis=1)[:, None, None, None]


def in_torch(x, weight, bias=0.0, pool=0, stride=1):
    x, weight = torch.tensor(x)[None], torch.tensor(weight)
    z = torch.nn.functional.conv2d(x, weight, padding=1, stride=stride) + bias
    a = torch.relu(z)
    return z.numpy(), (torch.nn.functional.max_pool2d(a, pool) if pool else a).numpy()


@pytest.mark.parametrize(
    ("side", "count", "bias", "pool", "stride"),
    [
        (8, 2, 0.0, 0, 1),
        (20, 4, 0.0, 0, 1),
        (20, 6, -0.3, 0, 1),
        (20, 8, 0.0, 2, 1),
        (24, 8, 0, 3, 2),
    ],
)
def test_features_agree_in_plain_torch_and_images_do_not(side, count, bias, pool, stride):
    (x, target), w = crops(side), filters(count)
    phi = pm.Relu() @ pm.Conv2d(w, np.full(count, bias), padding=1, stride=stride)
    found = pm.cnn.collide(pm.MaxPool2d(pool) @ phi if pool else phi, x, toward=target)
    assert found.holds, found.because
    (zx, ax), (zy, ay) = (in_torch(v, w, bias, pool, stride) for v in (x, found.y))
    gap = np.abs(ax - ay).max()
    # The greatest |w|·1 + |b| is below 6 + 1, with at most 27 terms.
    assert gap <= 2 * (2 * 27 + 6) * np.finfo(float).eps * 7
    assert found.gap == pytest.approx(gap, abs=1e-14)
    assert np.abs(zx - zy).max() > 0.05
    assert 0 <= found.y.min() <= found.y.max() <= 1
    assert found.rms == pytest.approx(np.sqrt(np.mean((found.x - found.y) ** 2)))
    assert found.rms > 0.1
    assert np.linalg.norm(found.y - target) < np.linalg.norm(x - target)
    assert found.collision.verify(pm.MaxPool2d(pool) @ phi if pool else phi)
    assert not found.collision.exact
    assert found.because.startswith("numerically")


def test_verification_is_by_the_map_that_is_given():
    (x, target), w = crops(12), filters(3)
    phi, other = (pm.Relu() @ pm.Conv2d(v, padding=1) for v in (w, -w))
    found = pm.cnn.collide(phi, torch.tensor(x)[None], toward=target)
    assert found.verify(phi)
    assert not found.verify(other)
    assert str(found).startswith("collision: rms change 0.")


def test_what_both_signs_keep_is_proved_to_be_everything():
    w, (x, target) = filters(6), crops(10)
    found = pm.cnn.collide(pm.CRelu() @ pm.Conv2d(w, padding=1), x, toward=target)
    assert found.holds is False
    assert found.because.startswith("proved: CRelu @ Conv2d keeps both signs")
    np.testing.assert_array_equal(found.x, found.y)
    # Fewer filters than channels lose something, with both signs too.
    blind = pm.cnn.collide(pm.CRelu() @ pm.Conv2d(w[:2], padding=1), x, toward=target)
    assert blind.holds
    assert np.abs(in_torch(x, w[:2])[0] - in_torch(blind.y, w[:2])[0]).max() < 1e-13


def test_a_layer_that_is_proved_injective_at_x_has_active_rows_of_full_rank():
    said = []
    for seed in range(12):
        w = filters(1 + seed % 5, 1, seed)
        x = np.random.default_rng(seed).uniform(size=(1, 7, 7))
        phi = pm.Relu() @ pm.Conv2d(w, padding=1)
        found = pm.cnn.collide(phi, x)
        z = in_torch(x, w)[0].ravel()
        rank = np.linalg.matrix_rank(pm.Conv2d(w, padding=1).matrix((1, 7, 7)).T[z > 0])
        said.append(found.holds)
        if found.holds is False:
            assert rank == 49
        if found.holds:
            assert rank < 49
            assert found.verify(phi)
    assert True in said
    assert False in said


KINDS = {
    "z": lambda conv: conv,
    "a": lambda conv: pm.Relu() @ conv,
    "both signs": lambda conv: pm.CRelu() @ conv,
    "pooled": lambda conv: pm.MaxPool2d(2, ceil_mode=True) @ pm.Relu() @ conv,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_of_random_layers_is_true(kind):
    said = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        (c, m), (h, w) = rng.integers(1, (3, 7)), rng.integers(4, 12, 2)
        size, stride, padding = (int(rng.integers(*ends)) for ends in ((1, 4), (1, 3), (0, 2)))
        conv = pm.Conv2d(
            rng.standard_normal((m, c, size, size)), rng.normal(0, 0.2, m), stride, padding
        )
        phi, x = KINDS[kind](conv), rng.uniform(size=(c, h, w))
        # Of black and white pixels every one is at a bound.
        x = np.round(x) if seed % 3 == 0 else x
        found = pm.cnn.collide(phi, x, toward=rng.uniform(size=x.shape))
        said.append(found.holds)
        matrix = conv.matrix(x.shape).T
        if kind == "a":
            matrix = matrix[conv(x[None]).ravel() > 0]
        if found.holds is False:
            assert np.linalg.matrix_rank(matrix) == x.size
        if found.holds:
            assert (
                np.ptp(phi(np.stack([found.x, found.y])), axis=0).max() <= found.tolerance < 1e-11
            )
            assert found.collision.verify(phi)
            assert found.y.min() >= 0
            assert found.y.max() <= 1
        if kind == "pooled" or seed % 4:
            continue
        answer = pm.cnn.invert(phi, phi(x[None])[0], x.shape)
        if answer.unique:
            assert np.linalg.matrix_rank(matrix) == x.size
            assert np.linalg.norm(answer.x - x) <= answer.bound
        if answer.unique is False:
            images = np.stack([x, answer.x, answer.other])
            assert np.ptp(phi(images), axis=0).max() < 1e-11
    assert True in said
    assert (False in said) == (kind != "pooled")


def test_what_is_neither_found_nor_proved_is_left_open():
    # A single unit is off, and the bounds leave no room: y = x is all there is, and rank is not.
    phi = pm.Relu() @ pm.Affine(np.array([[1.0], [1.0]])) @ pm.Flatten()
    found = pm.cnn.collide(phi, np.zeros((1, 1, 2)), toward=np.zeros((1, 1, 2)))
    assert found.holds is None
    assert "not proved" in found.because
    assert not found.verify(phi)


def test_images_of_the_first_layer_are_images_of_what_comes_behind():
    x, target = crops(16)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(4, 5, 3, stride=2),
        torch.nn.ReLU(),
    ).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor(filters(4)))
        net[0].bias.fill_(-0.05)
    found = pm.cnn.collide(net, x, toward=target)
    assert found.holds
    assert "the first layer Relu @ Conv2d" in found.because
    with torch.no_grad():
        a, b = net(torch.tensor(np.stack([found.x, found.y])))
    assert float((a - b).abs().max()) < 1e-13
    assert found.verify(net)


def test_a_black_box_is_searched_and_nothing_is_claimed():
    x, target = crops(8)
    weight = torch.tensor(filters(4, seed=1))

    def function(images):
        z = torch.nn.functional.conv2d(images, weight, stride=2)
        return torch.tanh(3 * z).flatten(1)

    found = pm.cnn.collide(pm.from_function(function), x, toward=target)
    assert found.holds is None
    assert np.isnan(found.tolerance)
    assert "near-invariant" in found.because
    assert found.rms > 0.05
    a, b = function(torch.tensor(np.stack([x, found.y])))
    assert found.gap == pytest.approx(float((a - b).abs().max()), abs=1e-14)
    # A random change of that size changes the features at least ten times as much.
    noise = np.random.default_rng(0).standard_normal(x.shape)
    noise *= np.linalg.norm(found.y - x) / np.linalg.norm(noise)
    change = function(torch.tensor((x + noise)[None])) - a
    assert found.gap < float(change.abs().max()) / 10


def test_a_black_box_that_is_injective_is_left_as_it_is():
    x, target = crops(4)
    found = pm.cnn.collide(pm.from_function(lambda images: 3 * images**3 + images), x + 0.0, target)
    assert found.holds is None
    assert found.rms < 0.05
    assert "nothing is proved" in found.because or "no change of 0.01" in found.because


def test_no_array_is_written_to():
    x, target = crops(8)
    before = x.copy(), target.copy()
    pm.cnn.collide(pm.Relu() @ pm.Conv2d(filters(2), padding=1), x, toward=target)
    np.testing.assert_array_equal(before, (x, target))


def test_pixels_that_no_active_row_sees_are_counted():
    x = np.zeros((1, 6, 6))
    x[0, 4, 4] = 1.0
    found = pm.cnn.collide(pm.Relu() @ pm.Conv2d(np.ones((2, 1, 3, 3)), padding=1), x)
    assert found.seen[0, 0] == 0
    # Windows of both filters, at the 9 places around the pixel, are on, and all of them see it.
    assert found.seen[4, 4] == 18
    assert (found.seen > 0).sum() == 16


# --- the parts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "conv",
    [
        pm.Conv2d(filters(3), np.arange(3.0), padding=1),
        pm.Conv2d(filters(3), stride=2),
        pm.Conv2d(filters(3), padding=1, stride=(1, 2), padding_mode="circular"),
        pm.Conv2d(filters(2), padding=4, padding_mode="circular"),
    ],
    ids=["padded", "strided", "circular", "wrapped"],
)
def test_rows_are_those_of_the_layer(conv, rng):
    x = rng.uniform(size=(1, 3, 3, 5))
    rows = head_of(pm.Relu() @ conv).rows((3, 3, 5))
    z = conv(x).ravel()
    np.testing.assert_allclose(rows.matrix @ x.ravel() + rows.bias, z, atol=1e-14)
    assert rows.exact


def test_rows_of_several_layers_are_not_called_exact(rng):
    scale = pm.Conv2d(np.diag([1.0, 0.3, 3.0])[:, :, None, None], [0.1, 0.0, 0.2])
    head = head_of(pm.Relu() @ scale @ pm.Conv2d(filters(3)))
    rows = head.rows((3, 5, 6))
    x = rng.uniform(size=(1, 3, 5, 6))
    z = (scale @ pm.Conv2d(filters(3)))(x).ravel()
    np.testing.assert_allclose(rows.matrix @ x.ravel() + rows.bias, z, atol=1e-14)
    assert not rows.exact
    assert head.name == "Relu @ Conv2d @ Conv2d"


def test_the_closest_point_of_a_fibre():
    x, box = np.array([0.3, 0.2]), (np.zeros(2), np.ones(2))
    line = Polyhedron(sp.csr_array([[1.0, 1.0]]), np.array([True]), *np.full((2, 1), 0.5), *box)
    target = np.array([1.0, 0.0])
    np.testing.assert_allclose(closest_in_l1(line, target), [0.5, 0.0])
    np.testing.assert_allclose(closest(line, x, target), [0.5, 0.0], atol=1e-3)
    half = Polyhedron(line.matrix, np.array([False]), line.value, np.array([1.2]), *box)
    np.testing.assert_allclose(closest_in_l1(half, np.ones(2)).sum(), 1.2)
    np.testing.assert_allclose(closest(half, x, np.ones(2)), [0.6, 0.6], atol=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_the_interior_point_is_a_projection(seed):
    x, target = (v[:, :, seed : seed + 12] for v in crops(16))
    shape = x.shape
    head = head_of(pm.Relu() @ pm.Conv2d(filters(3, seed=seed), padding=1))
    rows = head.rows(shape)
    set_ = polyhedron(head.fibre(rows, rows.matrix @ x.ravel() + rows.bias), 0.0, 1.0)
    order = narrow_order(shape)
    part = set_.slice(x.ravel(), order)
    t = target.ravel()[order]
    y = kept_exactly(part, x.ravel()[order], closest(part, x.ravel()[order], t))
    # No point of a convex set is on the far side of its closest point: x, and a vertex.
    for point in (x.ravel()[order], closest_in_l1(part, t)):
        cosine = (t - y) @ (point - y) / np.linalg.norm(t - y) / np.linalg.norm(point - y)
        assert cosine < 0.05


def test_parts_of_an_image_are_moved_one_after_the_other(monkeypatch):
    x, target = crops(20)
    phi = pm.Relu() @ pm.Conv2d(filters(3), padding=1)
    whole = pm.cnn.collide(phi, x, toward=target)
    module = __import__("sys").modules["phimaps.cnn.collide"]
    monkeypatch.setattr(module, "WORK", 2**18)
    parts = pm.cnn.collide(phi, x, toward=target)
    head = head_of(phi)
    rows = head.rows(x.shape)
    set_ = polyhedron(head.fibre(rows, rows.matrix @ x.ravel() + rows.bias), 0.0, 1.0)
    blocks = _blocks(set_, x.shape, 2**18)
    assert len(blocks) > 2
    assert set(np.concatenate(blocks)) == set(range(x.size))
    assert parts.holds
    assert parts.verify(phi)
    assert 0.5 * whole.rms < parts.rms


@pytest.mark.parametrize("seed", range(6))
def test_the_least_singular_value_is_bounded_from_below(seed):
    rng = np.random.default_rng(seed)
    dense = rng.standard_normal((60, 20)) * (rng.uniform(size=(60, 20)) < 0.3)
    dense[:, 0] *= 10.0**-seed
    true = np.linalg.svd(dense, compute_uv=False)[-1]
    bound = least_singular_value(sp.csr_array(dense))
    assert 0.7 * true < bound < true


def test_a_singular_matrix_has_no_bound():
    whole = np.random.default_rng(0).integers(-3, 4, (40, 12)).astype(float)
    whole[:, 7] = whole[:, 3] - 2 * whole[:, 5]
    assert least_singular_value(sp.csr_array(whole)) == 0.0
    assert least_singular_value(sp.csr_array(whole[:5])) == 0.0
    # So near to singular that rounding decides.
    whole[0, 7] += 1e-9
    assert least_singular_value(sp.csr_array(whole)) < np.linalg.svd(whole, compute_uv=False)[-1]


def test_bands_are_those_of_the_product(rng):
    w = sp.csr_array(np.triu(np.tril(rng.standard_normal((9, 9)), 2)))
    normal, weight = Normal(w), rng.uniform(1, 2, 9)
    full = w.toarray().T @ np.diag(weight) @ w.toarray() + 3 * np.eye(9)
    factor = normal.factor(3.0, weight)
    found = Normal.solve(factor, full @ np.arange(9.0))
    np.testing.assert_allclose(found, np.arange(9.0), atol=1e-12)
    assert normal.factor(-100.0, weight) is None
