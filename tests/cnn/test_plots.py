"""Figures: what they show, and that nothing else of matplotlib is touched."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.cnn.colours import photograph, shrunk, signal, tiles
from phimaps.errors import DependencyError
from phimaps.page.pictures import ACTIVATION, SIGNED

W1 = np.random.default_rng(1).normal(size=(4, 3, 3, 3))
W2 = np.random.default_rng(2).normal(size=(5, 4, 3, 3))
X = np.random.default_rng(3).random((6, 3, 12, 12))
PHI = pm.pipe(pm.Conv2d(W1), pm.Relu(), pm.MaxPool2d(2), pm.Conv2d(W2), pm.Relu())


def shown(axes):
    """The pixels of the picture that the axes hold."""
    (image,) = axes.images
    return np.asarray(image.get_array())


def drawn(figure, tmp_path):
    figure.savefig(tmp_path / "figure.png")
    return (tmp_path / "figure.png").stat().st_size


def test_every_stage_has_a_row_of_maps(tmp_path):
    figure = pm.cnn.plot_maps(PHI, X[0], channels=4)
    labelled = [a for a in figure.axes if a.get_ylabel()]
    traced = pm.cnn.trace(PHI, X[:1])
    assert [a.get_ylabel().split("\n")[0] for a in labelled] == ["z1", "a1", "p1", "z2", "a2"]
    for axes, scale, name in zip(labelled, (SIGNED, ACTIVATION), ("z1", "a1"), strict=False):
        values = traced[name].value[0]
        most = np.abs(values).max()
        low = -most if name == "z1" else 0.0
        np.testing.assert_array_equal(shown(axes), scale(values[0], low, most))
        assert axes.get_ylabel() == f"{name}\n{'±' if low else '0 to '}{most:.3g}"
    with_pictures = [a for a in figure.axes if a.images]
    # The image, and four of the channels of each stage.
    assert len(with_pictures) == 1 + 4 * 5
    np.testing.assert_array_equal(shown(with_pictures[0]), photograph(X[0]))
    assert drawn(figure, tmp_path) > 1000


def test_filters_have_one_scale(tmp_path):
    figure = pm.cnn.plot_filters(PHI)
    reach = np.abs(W1).max()
    assert len(figure.axes) == 4
    for axes, w in zip(figure.axes, W1, strict=True):
        np.testing.assert_array_equal(shown(axes), signal(w, reach))
    second = pm.cnn.plot_filters(PHI, "conv2d-2", count=2)
    assert len(second.axes) == 2
    np.testing.assert_array_equal(shown(second.axes[1]), tiles(W2[1], np.abs(W2[:2]).max()))
    net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3)))
    weight = net[1][0].weight.detach().double().numpy()
    figure = pm.cnn.plot_filters(net, "1.0")
    np.testing.assert_array_equal(shown(figure.axes[0]), signal(weight[0], np.abs(weight).max()))
    # Inside a branch a filter has the name of its parameter.
    branched = (pm.Relu() @ pm.Conv2d(W1)) & pm.Conv2d(W1[:2])
    assert len(pm.cnn.plot_filters(branched, "conv2d").axes) == 2
    assert len(pm.cnn.plot_filters(branched, "compose__conv2d").axes) == 4
    assert drawn(figure, tmp_path) > 1000


def test_the_field_is_what_the_unit_sees(tmp_path):
    unit = (2, 1, 1)
    figure = pm.cnn.plot_field(PHI, X[0], unit)
    left, right = figure.axes
    field = pm.cnn.receptive_field(PHI, unit, (3, 12, 12))
    effective = pm.cnn.effective_field(PHI, unit, X[:1])
    pixels = photograph(X[0])
    kept = (shown(left) == pixels).all(axis=2)
    assert kept[field.mask].all()
    # A white pixel is as bright dimmed as it was.
    assert not kept[~field.mask & (pixels.min(axis=2) < 200)].any()
    assert left.get_title() == f"c2@(1,1) sees {field.mask.sum()} pixels"
    root = np.sqrt(effective.weight)
    np.testing.assert_array_equal(shown(right), ACTIVATION(root, 0.0, root.max() or 1.0))
    top, first, bottom, last = field.hull
    outline = left.lines[0].get_xydata()
    np.testing.assert_array_equal(outline.min(axis=0), [first - 0.5, top - 0.5])
    np.testing.assert_array_equal(outline.max(axis=0), [last - 0.5, bottom - 0.5])
    assert drawn(figure, tmp_path) > 1000
    off = pm.Relu() @ pm.Conv2d(-np.ones((1, 3, 3, 3)))
    assert pm.cnn.plot_field(off, X[0], 0).axes[1].get_title().startswith("no pixel moves it")


def test_patches_stand_beside_their_deconvnet(tmp_path):
    figure = pm.cnn.plot_patches(PHI, X, 1, k=5)
    found = pm.cnn.top_patches(PHI, X, 1, k=5)
    assert len(figure.axes) == 10
    for patch, crop, back in zip(found, figure.axes[0::2], figure.axes[1::2], strict=True):
        top, left, bottom, right = patch.box
        np.testing.assert_array_equal(shown(crop), photograph(patch.crop))
        sent = pm.cnn.deconvnet(PHI, X[patch.index], patch.unit)[:, top:bottom, left:right]
        np.testing.assert_array_equal(shown(back), signal(sent))
        assert crop.get_title() == f"{patch.value:.3g} in image {patch.index}"
    assert drawn(figure, tmp_path) > 1000
    whole = (255 * X).round().astype(np.uint8)
    figure = pm.cnn.plot_patches(PHI, whole, 1, k=1)
    best = pm.cnn.top_patches(PHI, whole, 1, k=1)[0]
    np.testing.assert_array_equal(shown(figure.axes[0]), best.crop.transpose(1, 2, 0))


def test_no_figure_of_the_caller_is_touched_and_no_backend_chosen():
    code = (
        "import numpy as np, phimaps as pm, sys\n"
        "phi = pm.Relu() @ pm.Conv2d(np.ones((2, 1, 3, 3)))\n"
        "x = np.random.default_rng(0).random((1, 8, 8))\n"
        "figures = [pm.cnn.plot_maps(phi, x), pm.cnn.plot_filters(phi),\n"
        "           pm.cnn.plot_field(phi, x, (0, 2, 2)), pm.cnn.plot_patches(phi, x[None], 0)]\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "import matplotlib; matplotlib.use('Agg')\n"
        "import matplotlib.pyplot as plt\n"
        "own = plt.figure()\n"
        "pm.cnn.plot_maps(phi, x)\n"
        "print(plt.get_fignums(), plt.gcf() is own, own.axes)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[1] True []"


@pytest.mark.parametrize(
    "plot",
    [
        lambda: pm.cnn.plot_maps(PHI, X[0]),
        lambda: pm.cnn.plot_filters(PHI),
        lambda: pm.cnn.plot_field(PHI, X[0], 0),
        lambda: pm.cnn.plot_patches(PHI, X, 0),
    ],
    ids=["maps", "filters", "field", "patches"],
)
def test_without_matplotlib_there_is_an_error_that_helps(plot, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(DependencyError) as caught:
        plot()
    assert str(caught.value).splitlines()[0] == (
        "The figures are drawn by matplotlib, which is not installed."
    )
    assert str(caught.value).splitlines()[-1] == "  do:   pip install 'phimaps[plot]'"


# --- pixels --------------------------------------------------------------------------------------


def test_signals_are_grey_where_they_are_0():
    values = np.zeros((3, 2, 2))
    assert (signal(values) == 128).all()
    values[:, 0, 0] = [1.0, -1.0, 0.5]
    assert signal(values)[0, 0].tolist() == [255, 0, 191]
    assert (signal(values)[1] == 128).all()
    one = np.array([[[-2.0, 0.0, 2.0]]])
    np.testing.assert_array_equal(signal(one), SIGNED(one[0], -2.0, 2.0))
    # Of other numbers of channels the mean is shown.
    np.testing.assert_array_equal(signal(np.concatenate([one, 3 * one])), signal(2 * one))


def test_filters_on_many_channels_are_tiled():
    weight = np.arange(20.0).reshape(5, 2, 2) - 10
    sheet = tiles(weight)
    assert sheet.shape == (2 * 3 - 1, 3 * 3 - 1, 3)
    np.testing.assert_array_equal(sheet[:2, :2], signal(weight[:1], 10.0))
    np.testing.assert_array_equal(sheet[3:5, 3:5], signal(weight[4:], 10.0))
    assert (sheet[2] == 190).all()
    assert (sheet[:, 2] == 190).all()


def test_large_pictures_are_averaged_down():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    assert shrunk(pixels, 40) is pixels
    small = shrunk(pixels, 20)
    assert small.shape == (20, 15, 3)
    mean = pixels.reshape(20, 2, 15, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(small, mean, atol=0.5)
