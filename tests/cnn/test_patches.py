"""The patches that excite a channel most, beside a sort of all values at once."""

import itertools
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import phimaps as pm


def net(rng):
    weight = rng.standard_normal((4, 2, 3, 3))
    first = pm.Conv2d(weight, 0.1 * rng.standard_normal(4), padding=1)
    return pm.pipe(first, pm.Relu(), pm.MaxPool2d(2), pm.Conv2d(rng.standard_normal((3, 4, 2, 2))))


def pixels(rng, n=150):
    return rng.random((n, 2, 9, 8))


def sorted_all(phi, X, channel, per_image):
    """(value, image, unit) of all places, best first, with at most some of each image."""
    values = phi(X)[:, channel]
    places = sorted(
        ((-values[at], at[0], (channel, *at[1:])) for at in np.ndindex(values.shape)),
    )
    taken, result = dict.fromkeys(range(len(X)), 0), []
    for value, image, unit in places:
        taken[image] += 1
        if taken[image] <= per_image:
            result.append((-value, image, unit))
    return result


def same(found, wanted):
    assert [(p.index, p.unit) for p in found] == [(i, unit) for _, i, unit in wanted]
    assert np.allclose([p.value for p in found], [v for v, *_ in wanted], rtol=1e-12)


@pytest.mark.parametrize("per_image", [1, 2, 100])
@pytest.mark.parametrize("k", [1, 9, 200])
def test_the_best_are_those_of_a_sort(k, per_image, rng):
    phi, X = net(rng), pixels(rng)
    for channel in range(3):
        found = pm.cnn.top_patches(phi, X, channel, k, per_image=per_image)
        same(found, sorted_all(phi, X, channel, per_image)[:k])
        assert len(found) == min(k, 150 * per_image)


def test_the_crop_is_all_that_counts(rng):
    phi, X = net(rng), pixels(rng)
    for patch in pm.cnn.top_patches(phi, X, 1, 20):
        top, left, bottom, right = patch.box
        image = X[patch.index]
        assert np.array_equal(patch.crop, image[:, top:bottom, left:right])
        # Whatever lies around it, the unit has this value; and it needs every row and column.
        other = rng.random(image.shape)
        other[:, top:bottom, left:right] = patch.crop
        assert phi(other[None])[(0, *patch.unit)] == pytest.approx(patch.value, rel=1e-12)
        for edge in (
            np.s_[:, top],
            np.s_[:, bottom - 1],
            np.s_[:, :, left],
            np.s_[:, :, right - 1],
        ):
            lost = other.copy()
            lost[edge] = np.nan
            with np.errstate(invalid="ignore"):
                value = phi.forward(torch.from_numpy(lost[None]))[(0, *patch.unit)]
            assert value.isnan()


def test_a_patch_at_the_edge_says_so():
    # Units 0 and 7 see beyond 8 columns, through padding of 1; unit 3 does not.
    phi = pm.Conv2d(np.ones((1, 1, 1, 3)), padding=(0, 1))
    for column, clipped, box in (
        (0, True, (0, 0, 1, 2)),
        (3, False, (0, 2, 1, 5)),
        (7, True, (0, 6, 1, 8)),
    ):
        X = np.zeros((2, 1, 1, 8))
        X[1, 0, 0, column] = 1
        (patch,) = pm.cnn.top_patches(phi, X, (0, 0, column), 1)
        assert (patch.clipped, patch.box, patch.index) == (clipped, box, 1)
    # What touches the edge and ends there is not cut.
    (patch,) = pm.cnn.top_patches(pm.Conv2d(np.ones((1, 1, 1, 3))), X, (0, 0, 5), 1)
    assert (patch.clipped, patch.box) == (False, (0, 5, 1, 8))


EDGES = {
    "a window of the size of the image": (lambda: pm.Conv2d(np.ones((1, 1, 1, 8))), False),
    "a window that is larger": (lambda: pm.Conv2d(np.ones((1, 1, 1, 10)), padding=(0, 1)), True),
    "larger, in the middle": (lambda: pm.Conv2d(np.ones((1, 1, 1, 9)), padding=(0, 4)), True),
    "the whole of any image": (lambda: pm.GlobalPool("avg"), False),
    "all pixels": (lambda: pm.Affine(np.ones((8, 1))) @ pm.Flatten(), False),
}


@pytest.mark.parametrize("name", EDGES)
def test_a_unit_that_sees_the_whole_image_may_see_beyond(name):
    phi, clipped = EDGES[name][0](), EDGES[name][1]
    middle = phi(np.zeros((1, 1, 1, 8))).size // 2
    unit = (0, 0, middle) if phi(np.zeros((1, 1, 1, 8))).ndim == 4 else (0,)
    (patch,) = pm.cnn.top_patches(phi, np.ones((1, 1, 1, 8)), unit, 1)
    assert (patch.box, patch.clipped) == ((0, 0, 1, 8), clipped)


def test_one_unit_and_channels_without_places(rng):
    phi, X = net(rng), pixels(rng)
    values = phi(X)[:, 2, 1, 2]
    found = pm.cnn.top_patches(phi, X, (2, 1, 2), 5)
    assert [p.index for p in found] == np.argsort(-values)[:5].tolist()
    assert {p.unit for p in found} == {(2, 1, 2)}
    pooled = pm.GlobalPool("max") @ phi
    found = pm.cnn.top_patches(pooled, X, 1, 5)
    assert [p.index for p in found] == np.argsort(-pooled(X)[:, 1])[:5].tolist()
    assert found[0].unit == (1,)
    assert found[0].crop.shape[1:] == (9, 8) or not found[0].clipped


def test_several_channels_are_found_in_one_pass(rng):
    phi, X = net(rng), pixels(rng)
    passes = []

    def once():
        passes.append(1)
        yield from X

    found = pm.cnn.top_patches(phi, once(), [0, 2, (1, 0, 0)], 4)
    assert len(passes) == 1
    for patches, channel in zip(found, [0, 2, (1, 0, 0)], strict=True):
        alone = pm.cnn.top_patches(phi, X, channel, 4)
        assert [str(p) for p in patches] == [str(p) for p in alone]


def test_of_equal_values_the_first_image_comes_first():
    phi, X = pm.Conv2d(np.ones((1, 1, 1, 1))), np.ones((200, 1, 2, 2))
    found = pm.cnn.top_patches(phi, X, 0, 3)
    assert [(p.index, p.unit) for p in found] == [(0, (0, 0, 0)), (1, (0, 0, 0)), (2, (0, 0, 0))]
    found = pm.cnn.top_patches(phi, X, 0, 3, per_image=2)
    assert [(p.index, p.unit) for p in found] == [
        (0, (0, 0, 0)),
        (0, (0, 0, 1)),
        (1, (0, 0, 0)),
    ]


class Labelled(Dataset):
    """Images with labels beside them; an index beyond the end is an error of its own."""

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        assert i < len(self.X)
        return torch.from_numpy(self.X[i]), i % 10


class Stream(IterableDataset):
    def __init__(self, X):
        self.X = X

    def __iter__(self):
        return iter(torch.from_numpy(self.X))


SOURCES = {
    "tensor": torch.from_numpy,
    "list": list,
    "data set": Labelled,
    "tensors": lambda X: TensorDataset(torch.from_numpy(X), torch.zeros(len(X))),
    "stream": Stream,
    "generator": lambda X: (each for each in X),
    "loader": lambda X: DataLoader(Labelled(X), batch_size=37),
    "loader of a stream": lambda X: DataLoader(Stream(X), batch_size=100),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_every_kind_of_data_set_gives_the_same(source, dtype, rng):
    phi, X = net(rng), rng.integers(0, 256, (150, 2, 9, 8)).astype(np.uint8)
    X = X if dtype == np.uint8 else (X / 255).astype(dtype)
    wanted = pm.cnn.top_patches(phi, X, 1, 7)
    found = pm.cnn.top_patches(phi, SOURCES[source](X), 1, 7)
    for a, b in zip(found, wanted, strict=True):
        assert (a.index, a.unit, a.box) == (b.index, b.unit, b.box)
        assert a.crop.dtype == dtype
        assert np.array_equal(a.crop, b.crop)


def test_a_loader_in_any_order_gives_the_same_patches(rng):
    phi, X = net(rng), pixels(rng)
    order = rng.permutation(len(X))
    found = pm.cnn.top_patches(phi, X[order], 0, 9)
    wanted = pm.cnn.top_patches(phi, X, 0, 9)
    assert [order[p.index] for p in found] == [p.index for p in wanted]


def test_only_the_best_images_are_kept(rng):
    phi = net(rng)
    whole = pixels(rng, 64)
    (patch, *_) = pm.cnn.top_patches(phi, whole, 0, 1)
    crop = patch.crop.copy()
    whole[:] = 0
    assert np.array_equal(patch.crop, crop)
    assert patch.crop.base is None

    alive, most = weakref.WeakSet(), []

    class Image(np.ndarray):
        """An array that can be counted."""

        __hash__ = object.__hash__

    def stream():
        for image in itertools.islice(itertools.cycle(pixels(rng, 64)), 1000):
            each = image.copy().view(Image)
            alive.add(each)
            most.append(len(alive))
            yield each

    assert len(pm.cnn.top_patches(phi, stream(), 0, 3)) == 3
    assert len(most) == 1000
    assert max(most) <= 256 + 2


def test_channels_may_come_last_where_a_network_takes_them_so(rng):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU())
    phi, X = pm.from_torch(net, layer="1"), rng.integers(0, 256, (9, 3, 12, 11)).astype(np.uint8)
    for a, b in zip(
        pm.cnn.top_patches(phi, X, 1, 4),
        pm.cnn.top_patches(phi, X.transpose(0, 2, 3, 1), 1, 4),
        strict=True,
    ):
        assert str(a) == str(b)
        assert a.crop.shape == (3, 3, 3)
        assert np.array_equal(a.crop, b.crop)


def test_the_module_stays_as_it_is(rng):
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(True)).double()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    pm.cnn.top_patches(module, pixels(rng), 0)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert all(m.training for m in module.modules())
