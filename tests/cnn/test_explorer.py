"""The explorer: what its page holds, and what it does in a browser."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

import phimaps as pm
from phimaps.cnn.explore import study
from phimaps.errors import OutputError

from .chromium import Chromium, found

W1 = np.random.default_rng(1).normal(size=(4, 3, 3, 3))
W2 = np.random.default_rng(2).normal(size=(5, 4, 3, 3))
# The last channel of the first layer is dead for every image with values from 0 to 1.
W1[3] = -1.0
X = np.random.default_rng(3).random((6, 3, 16, 16))
PHI = pm.pipe(pm.Conv2d(W1), pm.Relu(), pm.MaxPool2d(2), pm.Conv2d(W2), pm.Relu())


@pytest.fixture(scope="module")
def text():
    return pm.cnn.explorer(PHI, X, names=list("uvwxyz"), shown=3, units=2, patches=4)


@pytest.fixture(scope="module")
def data(text):
    return held(text)


def held(text):
    (told,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(told)


class Reader(HTMLParser):
    """The tags of a page; every one that is opened must be closed."""

    EMPTY = {"meta", "img", "br", "input"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def numbers(packed, size):
    whole = np.frombuffer(base64.b64decode(packed["data"]), "<i2")
    return whole.reshape(size) * packed["step"]


def pixels(source):
    data = base64.b64decode(source.partition("base64,")[2], validate=True)
    return np.asarray(Image.open(io.BytesIO(data)))


# --- what the page holds -----------------------------------------------------------------------


def test_the_page_is_html_that_loads_nothing(text):
    tags = Reader(text).tags
    assert not {"link", "iframe", "object", "base"} & {tag for tag, _ in tags}
    for _, attributes in tags:
        assert attributes.get("src", "data:") == "" or "src" not in attributes
        assert "href" not in attributes
    for way in ("http:", "https:", "url(", "@import", "fetch(", "XMLHttpRequest", "import("):
        assert way not in text
    named = [a["id"] for _, a in tags if "id" in a]
    assert len(named) == len(set(named))
    asked = set(re.findall(r'\$\("([\w-]+)"\)', text))
    asked |= {f"{k}{rest}" for rest in re.findall(r"\$\(`\$\{kind\}(-\w+)`\)", text) for k in "za"}
    assert asked <= set(named)


def test_maps_are_those_that_torch_computes(data):
    x = torch.from_numpy(X[:3])
    z1 = torch.nn.functional.conv2d(x, torch.from_numpy(W1))
    p1 = torch.nn.functional.max_pool2d(torch.relu(z1), 2)
    z2 = torch.nn.functional.conv2d(p1, torch.from_numpy(W2))
    assert [layer["name"] for layer in data["layers"]] == ["a1", "a2"]
    for layer, z in zip(data["layers"], (z1, z2), strict=True):
        assert layer["relu"]
        assert layer["size"] == list(z.shape[2:])
        assert [c["index"] for c in layer["channels"]] == list(range(z.shape[1]))
        for c in layer["channels"]:
            for i in range(3):
                shown = numbers(c["z"][i], layer["size"])
                exact = z[i, c["index"]].numpy()
                # Rounded to half of a step, of which the greatest number has 32767.
                np.testing.assert_allclose(shown, exact, atol=0.51 * np.abs(exact).max() / 32767)


def test_images_are_shown_as_they_are(data):
    assert [image["name"] for image in data["images"]] == list("uvw")
    assert (data["total"], data["shape"]) == (6, [3, 16, 16])
    for image, x in zip(data["images"], X, strict=False):
        exact = (255 * x).round().astype(np.uint8).transpose(1, 2, 0)
        np.testing.assert_array_equal(pixels(image["src"]), exact)


def test_fields_are_the_receptive_fields_of_all_units(data):
    for layer, phi in zip(data["layers"], (pm.Conv2d(W1), pm.pipe(*PHI.maps[:4])), strict=True):
        assert layer["field"]["sure"] == "exact"
        h, w = layer["size"]
        for i in range(h):
            for j in (0, w // 2, w - 1):
                own = pm.cnn.receptive_field(phi, (0, i, j), (3, 16, 16))
                rows, cols = (
                    np.concatenate([np.arange(a, b) for a, b in layer["field"][axis][k]])
                    for axis, k in (("rows", i), ("cols", j))
                )
                np.testing.assert_array_equal(own.rows, rows)
                np.testing.assert_array_equal(own.cols, cols)


def test_fields_with_holes_and_branches():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 1, (2, 1), dilation=(2, 1)), torch.nn.ReLU())
    page = held(pm.cnn.explorer(net, X[:1, :1].astype(np.float32), units=1, patches=1))
    (layer,) = page["layers"]
    assert layer["field"]["rows"][:2] == [[[0, 1], [2, 3]], [[1, 2], [3, 4]]]
    assert layer["field"]["cols"][:2] == [[[0, 1]], [[1, 2]]]
    # Side by side two filters of different sizes: no channel sees more than the greater one.
    both = pm.Relu() @ (
        pm.Conv2d(np.ones((1, 1, 3, 3)), padding=1) & pm.Conv2d(np.ones((1, 1, 1, 1)))
    )
    page = held(pm.cnn.explorer(both, X[:1, :1], layers=["relu"], units=1, patches=0))
    (layer,) = page["layers"]
    assert layer["field"]["sure"] == "within"
    assert layer["field"]["rows"][5] == [[4, 7]]


def test_studied_units_are_where_the_map_is_greatest(data):
    for layer in data["layers"]:
        for c in layer["channels"]:
            for i in range(3):
                z = numbers(c["z"][i], layer["size"])
                places = [tuple(unit["at"]) for unit in c["units"][i]]
                assert len(places) == 2
                assert z[places[0]] == z.max()
                assert z[places[1]] <= z[places[0]]


def test_what_is_told_of_a_unit_is_what_the_tools_say(data):
    phi = pm.pipe(*PHI.maps[:4])
    (unit, _) = data["layers"][1]["channels"][2]["units"][1]
    place = (2, *unit["at"])
    top, left, bottom, right = pm.cnn.receptive_field(phi, place, (3, 16, 16)).hull
    back = pm.cnn.deconvnet(phi, X[1], place)[:, top:bottom, left:right]
    shown = pixels(unit["deconvnet"]["src"]).astype(float).transpose(2, 0, 1)
    levels = 255 * (0.5 + 0.5 * back / np.abs(back).max())
    np.testing.assert_allclose(shown, levels, atol=0.51)
    effective = pm.cnn.effective_field(phi, place, X[1])
    assert unit["effective"]["area"] == effective.area
    assert tuple(unit["effective"]["box"].values()) == effective.box
    window = unit["occlusion"]["window"]
    covered = pm.cnn.occlusion(phi, X[1], place, window=tuple(window))
    assert unit["occlusion"]["least"] == pytest.approx(covered.change.min())
    assert unit["occlusion"]["most"] == pytest.approx(covered.change.max())


def test_patches_are_the_top_patches_of_all_images(data):
    found = pm.cnn.top_patches(pm.pipe(*PHI.maps[:4]), X, 1, k=4)
    shown = data["layers"][1]["channels"][1]["patches"]
    assert [(p["value"], p["index"], tuple(p["unit"])) for p in shown] == [
        (p.value, p.index, p.unit[1:]) for p in found
    ]
    for told, patch in zip(shown, found, strict=True):
        exact = (255 * patch.crop).round().astype(np.uint8).transpose(1, 2, 0)
        np.testing.assert_array_equal(pixels(told["crop"]), exact)


def test_statistics_are_those_of_units(data):
    told = pm.cnn.units(PHI, X, on=pm.Images(3, 16, 16, 0, 1))
    for layer, exact in zip(data["layers"], told, strict=True):
        shown = layer["statistics"]
        np.testing.assert_allclose(shown["frequency"], exact.frequency, rtol=1e-5)
        np.testing.assert_allclose(shown["greatest"], exact.greatest, rtol=1e-5)
        assert shown["dead"] == exact.dead.tolist()
        assert shown["proved"] == exact.proved_dead.tolist()
    first = data["layers"][0]
    assert first["statistics"]["dead"] == first["statistics"]["proved"] == [False] * 3 + [True]
    assert [c["dead"] for c in first["channels"]] == [False] * 3 + [True]
    # JSON has no NaN, which the sparsity of a dead channel is.
    assert first["statistics"]["sparsity"][3] is None


def test_spread_is_the_mean_over_windows():
    phi = pm.Conv2d(np.ones((1, 1, 1, 3)))
    found = pm.cnn.occlusion(phi, np.array([[[1.0, 2.0, 3.0, 4.0]]]), (0, 0, 0), (1, 2), 1, fill=0)
    # Windows over (1, 2), (2, 3), (3, 4) change the sum of the first three by -3, -5, -3.
    np.testing.assert_allclose(study._spread(found, (0, 0, 1, 3)), [[-3.0, -4.0, -4.0]])
    np.testing.assert_allclose(study._spread(found, (0, 1, 1, 3)), [[-4.0, -4.0]])


# --- what can be shown ---------------------------------------------------------------------------


class Net(torch.nn.Module):
    """A residual block whose last ReLU is a function, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(1, 4, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(4)
        self.second = torch.nn.Conv2d(4, 4, 3, padding=1)
        self.last = torch.nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = torch.nn.functional.relu(self.second(x) + x)
        return self.last(x.mean((2, 3)))


def test_modules_are_shown_by_the_names_of_their_layers():
    torch.manual_seed(0)
    net = Net().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    images = torch.from_numpy(X[:2, :1]).float()
    page = held(pm.cnn.explorer(net, images, units=1, patches=2))
    assert net.training
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in before.items())
    assert [layer["name"] for layer in page["layers"]] == ["a1", "a2", "z3"], page["notes"]
    assert page["layers"][2]["flat"]
    assert page["layers"][2]["statistics"] is None
    net.eval()
    z = net.norm(net.first(images)).detach().numpy()
    shown = np.stack([numbers(c["z"][0], (16, 16)) for c in page["layers"][0]["channels"]])
    np.testing.assert_allclose(shown, z[0], atol=np.abs(z).max() * 1e-4)
    only = held(pm.cnn.explorer(net, images, layers=["a2"], units=0, patches=0))
    assert [layer["name"] for layer in only["layers"]] == ["a2"]


def test_bytes_and_other_numbers_are_images_too():
    whole = (255 * X[:2]).round().astype(np.uint8)
    page = held(pm.cnn.explorer(PHI, whole, units=0, patches=1))
    np.testing.assert_array_equal(pixels(page["images"][1]["src"]), whole[1].transpose(1, 2, 0))
    assert page["on"] == "Images(3, 16, 16, 0, 1)"
    centred = 4 * (X[:2] - 0.5)
    page = held(pm.cnn.explorer(PHI, centred, units=0, patches=0))
    assert page["on"] is None
    shown = pixels(page["images"][0]["src"])
    low, high = centred.min(), centred.max()
    levels = 255 * (centred[0].transpose(1, 2, 0) - low) / (high - low)
    np.testing.assert_allclose(shown, levels, atol=0.51)


def test_an_activation_with_more_channels_is_a_layer_of_its_own():
    phi = pm.CRelu() @ pm.Conv2d(W1[:2])
    z, a = held(pm.cnn.explorer(phi, X, units=1, patches=2, shown=2))["layers"]
    assert (z["name"], z["total"], z["kinds"]) == ("z1", 2, {"z": "pre"})
    assert (a["name"], a["total"], a["kinds"]) == ("a1", 4, {"z": "post"})
    exact = pm.cnn.trace(phi, X[:2])["a1"].value
    for c in range(4):
        shown = numbers(a["channels"][c]["z"][1], a["size"])
        np.testing.assert_allclose(shown, exact[1, c], atol=1e-4)
    np.testing.assert_allclose(
        a["statistics"]["frequency"], pm.cnn.units(phi, X).layers[0].frequency, rtol=1e-5
    )


def test_the_page_is_bounded():
    weight = np.random.default_rng(0).normal(size=(40, 1, 3, 3))
    large = np.random.default_rng(1).random((5, 1, 300, 40))
    phi = pm.Relu() @ pm.Conv2d(weight)
    text = pm.cnn.explorer(phi, large, shown=2, channels=3, units=1, patches=2)
    page = held(text)
    (layer,) = page["layers"]
    assert (len(page["images"]), len(layer["channels"]), layer["total"]) == (2, 3, 40)
    assert max(pixels(page["images"][0]["src"]).shape) <= study.IMAGE
    mean = pm.cnn.units(phi, large).layers[0].mean
    chosen = [c["index"] for c in layer["channels"]]
    assert mean[chosen].min() >= np.delete(mean, chosen).max()
    assert len(text) < 1e6


def test_warnings_of_the_tools_come_once():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.SiLU())
    images = torch.from_numpy(X[:2, :1]).float()
    with pytest.warns(UserWarning, match="SiLU|ReLU|rule|gradient") as caught:
        text = pm.cnn.explorer(
            torch.nn.Sequential(net, torch.nn.Conv2d(2, 2, 1), torch.nn.ReLU()),
            images,
            units=1,
            patches=1,
        )
    said = [str(w.message) for w in caught]
    assert len(said) == len(set(said))
    page = held(text)
    assert page["notes"] == said
    assert not page["layers"][0]["relu"]
    assert page["layers"][0]["statistics"] is None
    silu = torch.nn.functional.silu(
        torch.from_numpy(numbers(page["layers"][0]["channels"][0]["z"][0], (14, 14)))
    )
    shown = numbers(page["layers"][0]["channels"][0]["a"][0], (14, 14))
    np.testing.assert_allclose(shown, silu.numpy(), atol=1e-3)


def test_the_page_is_written_whole_or_not_at_all(tmp_path, text):
    where = tmp_path / "new" / "page.html"
    args = {"shown": 1, "units": 0, "patches": 0}
    text = pm.cnn.explorer(PHI, X, where, **args)
    assert where.read_text(encoding="utf-8") == text
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        pm.cnn.explorer(PHI, X, tmp_path / "folder", **args)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "new"]


def test_text_of_others_stays_text():
    names = ["<b>&</script><script>alert(1)</script>", "b"]
    text = pm.cnn.explorer(PHI, X[:2], names=names, units=0, patches=0)
    assert "<b>" not in text.replace("\\u003c", "<") or held(text)["images"][0]["name"] == names[0]
    assert "</script><script>alert" not in text
    Reader(text)


# --- in a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if found() is None:
        pytest.skip("no Chromium on this machine: the page is not tried in a browser")
    with Chromium(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def file(text, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def tab(browser, file):
    shown = browser.open(file)
    yield shown
    assert shown.faults() == []
    outside = [a for a in shown.asked() if not a.startswith("data:")]
    assert outside == [file.as_uri()]


def place(tab):
    parts = dict(p.split("=") for p in tab.run("location.hash").lstrip("#").split("&"))
    return parts["layer"], int(parts["channel"]), int(parts["image"]), parts["unit"]


def test_the_page_opens_on_the_first_studied_unit(tab, data):
    first = data["layers"][0]["channels"][0]
    at = ",".join(map(str, first["units"][0][0]["at"]))
    assert place(tab) == ("a1", 0, 0, at)
    assert tab.text("#z-figure figcaption").endswith("z1: before the activation function.")
    assert tab.text("#a-figure figcaption").endswith("a1: after the activation function.")
    assert tab.text("#unit-name") == f"a1, c0@({at})"
    assert tab.run("document.getElementById('explorer').hidden") is False
    assert tab.run("[...document.images].every(i => i.naturalWidth > 0 || i.hidden)")


def test_layers_images_and_channels_are_chosen_by_clicks(tab, data):
    for index, layer in enumerate(data["layers"]):
        tab.click(f"#layers label:nth-child({index + 1})")
        assert tab.run("document.querySelectorAll('#table tbody tr').length") == layer["total"]
        for image in range(3):
            tab.click(f"#images label:nth-child({image + 1})")
            for c in range(len(layer["channels"])):
                tab.click(f"#channels label:nth-child({c + 1})")
                unit = layer["channels"][c]["units"][image][0]
                at = ",".join(map(str, unit["at"]))
                assert place(tab) == (layer["name"], c, image, at)
                assert tab.text("#channel-name") == f"{layer['name']}, channel {c}"
                source = tab.run("document.getElementById('deconvnet').src")
                assert source == unit["deconvnet"]["src"]


def test_a_click_on_a_map_shows_that_unit(tab, data):
    layer = data["layers"][0]
    h, w = layer["size"]
    z = numbers(layer["channels"][0]["z"][0], (h, w))
    for i, j in ((0, 0), (5, 9), (h - 1, w - 1)):
        tab.click("#z-map", (j + 0.5) / w, (i + 0.5) / h)
        assert place(tab)[3] == f"{i},{j}"
        assert shown_number(tab.text("#z-value")) == pytest.approx(z[i, j], rel=0.006)
        assert shown_number(tab.text("#a-value")) == pytest.approx(max(z[i, j], 0), rel=0.006)
        assert f"rows {i} to {i + 2} and columns {j} to {j + 2}." in tab.text("#unit-text")
        left, top, width, height = tab.run(
            "(s => [s.left, s.top, s.width, s.height].map(parseFloat))"
            "(document.getElementById('box').style)"
        )
        assert [left, top] == pytest.approx([100 * j / 16, 100 * i / 16])
        assert [width, height] == pytest.approx([100 * 3 / 16] * 2)


def shown_number(text):
    return float(text.split("=")[1].replace("−", "-"))


def test_the_maps_are_painted_in_the_colours_of_their_numbers(tab, data):
    layer = data["layers"][0]
    z = numbers(layer["channels"][0]["z"][0], layer["size"]).ravel()
    for kind, values in (("z", z), ("a", np.maximum(z, 0))):
        got = tab.run(
            f"(c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"
            f"(document.getElementById('{kind}-canvas'))"
        )
        red, _, blue, alpha = np.array(got).reshape(-1, 4).T
        assert set(alpha) == {255}
        if kind == "z":
            # Red stands for numbers above 0, blue for those below.
            assert np.corrcoef(red - blue, values)[0, 1] > 0.9
        else:
            assert len({(r, b) for r, b, v in zip(red, blue, values, strict=True) if v == 0}) == 1


def test_everything_is_reached_by_keys(tab, data):
    tab.key("l")
    assert place(tab)[0] == "a2"
    tab.key("l", shift=True)
    assert place(tab)[0] == "a1"
    tab.key("c")
    tab.key("i")
    layer, channel, image, unit = place(tab)
    assert (layer, channel, image) == ("a1", 1, 1)
    tab.key("u")
    studied = [",".join(map(str, u["at"])) for u in data["layers"][0]["channels"][1]["units"][1]]
    assert [unit, place(tab)[3]] == studied
    # By Tab to the map, by arrows on it.
    tab.run("document.getElementById('z-map').focus()")
    i, j = map(int, place(tab)[3].split(","))
    tab.key("ArrowUp" if i else "ArrowDown")
    tab.key("ArrowLeft" if j else "ArrowRight")
    assert place(tab)[3] == f"{i - 1 if i else 1},{j - 1 if j else 1}"
    assert tab.run("document.activeElement.id") == "z-map"
    reached = set()
    tab.run("document.activeElement.blur()")
    for _ in range(60):
        tab.key("Tab")
        reached.add(tab.run("(e => e.id || e.name || e.textContent)(document.activeElement)"))
    assert {"layer", "image", "channel", "z-map", "a-map", "Keys"} <= reached


def test_a_link_leads_to_its_unit(browser, file):
    tab = browser.open(file, address="#layer=a2&channel=3&image=2&unit=1,2")
    assert place(tab) == ("a2", 3, 2, "1,2")
    tab.run("location.hash = '#layer=a1&channel=2&image=1&unit=99,0'")
    assert place(tab)[:3] == ("a1", 2, 1)
    for nonsense in ("#", "#layer=none&channel=x&image=-4&unit=1,,2", "#layer=a1&channel=77"):
        tab = browser.open(file, address=nonsense)
        assert place(tab)[0] == "a1"
        assert tab.faults() == []


def test_a_unit_that_was_not_studied_leads_to_those_that_were(tab, data):
    h, w = data["layers"][0]["size"]
    studied = [u["at"] for u in data["layers"][0]["channels"][0]["units"][0]]
    free = next([i, j] for i in range(h) for j in range(w) if [i, j] not in studied)
    tab.click("#a-map", (free[1] + 0.5) / w, (free[0] + 0.5) / h)
    assert tab.run("document.getElementById('studied').hidden") is False
    assert tab.run("document.getElementById('deconvnet-figure').hidden") is True
    tab.click("#peaks button:nth-child(2)")
    assert place(tab)[3] == ",".join(map(str, studied[1]))
    assert tab.run("document.getElementById('deconvnet-figure').hidden") is False


def test_the_table_says_which_channels_are_dead(tab):
    rows = tab.run("[...document.querySelectorAll('#table tbody tr')].map(r => r.innerText)")
    assert [("proved dead" in row) for row in rows] == [False, False, False, True]
    assert "1 never active on these images, 1 proved so" in tab.text("#layer-text")
    tab.click("#table tbody tr:nth-child(3) button")
    assert place(tab)[1] == 2
    assert tab.run("document.querySelector('tr.chosen').dataset.channel") == "2"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 800, 1400])
def test_it_fits_every_screen_in_light_and_dark(browser, file, width, dark):
    tab = browser.open(file, width=width, dark=dark)
    assert tab.run("document.documentElement.scrollWidth") <= width
    paper, ink = tab.run(
        "(s => [s.backgroundColor, s.color].map(c => c.match(/[0-9]+/g).slice(0, 3)"
        ".reduce((t, v) => t + Number(v), 0) / 3))(getComputedStyle(document.body))"
    )
    assert (paper < 60 < 180 < ink) if dark else (ink < 60 < 180 < paper)
    assert tab.faults() == []
