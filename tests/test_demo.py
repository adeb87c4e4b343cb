"""The demo: what it computes, and that its page shows that and nothing else."""

import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from phimaps.__main__ import main
from phimaps.demo import run
from phimaps.demo.page import page
from phimaps.demo.pieces import power
from phimaps.errors import OutputError
from phimaps.page.pictures import Scale, png
from phimaps.page.saving import write


@pytest.fixture(scope="module")
def demo():
    return run()


@pytest.fixture(scope="module")
def text(demo):
    return page(demo)


class Reader(HTMLParser):
    """The tags of a page, and its text in the order in which it is read."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


# --- what is computed ------------------------------------------------------------------------


def test_the_activation_makes_the_linear_model_good(demo):
    raw, fourier, z, a = demo.digits.results
    assert a.error <= 1.0
    assert a.wrong < fourier.wrong < raw.wrong
    # z is linear in x: behind it a linear model can do nothing that it cannot do on x.
    assert 3 * a.wrong <= min(raw.wrong, z.wrong)


def test_hand_built_columns_beat_the_table(demo):
    table, some, built, both = demo.wine.results
    assert built.wrong < some.wrong <= table.wrong
    assert built.dimension < table.dimension
    assert both.wrong < table.wrong


def test_errors_agree_with_scikit_learn_alone(demo):
    X, y = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    wrong = int((cross_val_predict(model, X / 16, y, cv=folds) != y).sum())
    assert abs(wrong - demo.digits.of("raw pixels").wrong) <= 1


def test_verdicts_are_what_mathematics_says(demo):
    for contest in (demo.digits, demo.wine):
        for result in contest.results:
            assert [v.holds for v in result.verdicts if v.goal.name == "Continuous"] == [True]
    words = {r.candidate.name: r.verdicts[1].word for r in demo.wine.results}
    assert words["all 13 columns"] == words["hand-built and all columns"] == "proved"
    # Six columns are not read, so two wines that differ in one of them are merged.
    assert words["6 hand-built columns"] == words["7 of the columns"] == "refuted"
    for result in demo.wine.results:
        injective, universal = result.verdicts[1], result.verdicts[-1]
        assert injective.word == universal.word
        if injective.witness is not None:
            assert injective.witness.verify(result.closed)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_two_images_are_merged_by_a_plain_torch_layer(demo, index):
    twins = demo.twins[index]
    found, weight = twins.found, torch.tensor(twins.z.array("weight"))
    both = torch.tensor(np.stack([found.collision.x, found.collision.y]))
    z = torch.nn.functional.conv2d(both, weight, padding=1)
    a = torch.relu(z)
    gap = float((a[0] - a[1]).abs().max())
    assert gap <= 1e-12
    assert found.gap == pytest.approx(gap, abs=1e-14)
    assert float((z[0] - z[1]).abs().max()) > 0.05
    assert bool(((both >= 0) & (both <= 1)).all())
    assert found.distance == pytest.approx(float((both[0] - both[1]).square().mean().sqrt()))
    digits, labels = load_digits(return_X_y=True)
    assert (
        (digits / 16 == found.collision.x.ravel()).all(axis=1) & (labels == found.start_label)
    ).any()
    linear, _, both_signs = twins.verdicts
    assert linear.holds
    assert both_signs.holds
    # What is left to change gets less with every filter.
    assert found.distance > (0.3, 0.1, 0.01)[index]
    assert twins.verdicts[1].holds is not True


def test_maps_of_the_layer_are_those_of_torch(demo):
    for layer, padding in ((demo.digit, 1), (demo.photo, 0)):
        x, w = (torch.tensor(v) for v in (layer.x, layer.filters))
        z = torch.nn.functional.conv2d(x[None], w, padding=padding)[0].numpy()
        np.testing.assert_allclose(layer.z, z, atol=1e-12)
        np.testing.assert_array_equal(layer.a, np.maximum(layer.z, 0))
        assert layer.z.min() < 0 < layer.z.max()


# --- what is shown ---------------------------------------------------------------------------


def test_the_page_needs_no_other_file_and_no_network(text):
    tags = Reader(text).tags
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in tags}
    for _, attributes in tags:
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in text
    assert "@import" not in text
    named = {a["id"] for _, a in tags if "id" in a}
    assert {a["href"][1:] for _, a in tags if "href" in a} == named


def test_every_picture_is_a_png_with_a_text(text):
    pictures = [a for tag, a in Reader(text).tags if tag == "img"]
    assert len(pictures) > 60
    for attributes in pictures:
        assert attributes["alt"].strip()
        data = base64.b64decode(attributes["src"].partition("base64,")[2], validate=True)
        Image.open(io.BytesIO(data)).load()


def test_the_tables_show_the_results(demo, text):
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", text, flags=re.DOTALL)
    read = [" ".join(Reader(row).text) for row in rows]
    for contest in (demo.digits, demo.wine):
        for r in contest.results:
            row = next(t for t in read if t.startswith(r.candidate.name + " φ(x)"))
            assert row.endswith(f"{r.dimension} {r.wrong} of {r.total} {r.shown}")
    bars = [float(w) for w in re.findall(r"--w:([\d.]+)%", text)]
    errors = [r.error for r in demo.digits.results]
    np.testing.assert_allclose(bars[:4], 100 * np.array(errors) / max(errors), atol=0.06)


def test_the_cards_show_the_verdicts(demo, text):
    cards = re.findall(r'<article class="card">(.*?)</article>', text, flags=re.DOTALL)
    results = [*demo.digits.results, *demo.wine.results]
    assert len(cards) == len(results)
    for card, result in zip(cards, results, strict=True):
        badges = re.findall(r'<span class="badge (\w+)">(\w+)</span>', card)
        assert badges == [(v.word, v.word) for v in result.verdicts]
        words = " ".join(Reader(card).text)
        assert result.shown in words
        for verdict in result.verdicts:
            assert verdict.strength in words
            for proof in verdict.proofs:
                assert proof.reason.text in words
        refuted = [v for v in result.verdicts if v.witness is not None]
        assert words.count("The witness, recomputed") == len(refuted)


def test_the_gap_of_the_two_images_is_shown(demo, text):
    for twins in demo.twins:
        assert power(twins.found.gap) in text
        assert f"{twins.found.distance:.3f}" in text


def test_a_page_without_a_find_is_a_page():
    # With no attempts nothing is found; with few filters and folds all else takes a moment.
    small = run(folds=2, filters=2, pairs=0)
    assert all(t.found is None for t in small.twins)
    assert page(small).count("none found") == 3
    assert small.digits.results[-1].dimension == 64


def test_colours_arrive_in_the_file():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(pixels)))), pixels)
    scale = Scale("#ff0000", "#000000", "#0000ff")
    values = np.array([-9.0, -1.0, 0.0, 0.5, 1.0, 9.0])
    reds = scale(values, -1.0, 1.0)[:, 0].tolist()
    assert reds == [255, 255, 0, 0, 0, 0]


# --- the command -----------------------------------------------------------------------------


def test_the_command_writes_the_page_that_the_run_computed(demo, text, tmp_path):
    out = tmp_path / "new" / "folder"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "phimaps", "demo", "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert [p.name for p in out.iterdir()] == ["report.html"]

    def lasting(page):
        # Seconds differ between two runs, and rounding between two numbers of threads.
        words = " ".join(Reader(page).text)
        return re.sub(r"Computed in \d+ seconds|\S+ · 10[⁻⁰¹²³⁴-⁹]+|0 exactly", "", words)

    written = (out / "report.html").read_text(encoding="utf-8")
    assert lasting(written) == lasting(text)
    lines = done.stdout.splitlines()
    for r in (*demo.digits.results, *demo.wine.results):
        told = [line for line in lines if line.lstrip().startswith(r.candidate.name)]
        assert len(told) == 2, "once on the way, once in the table"
        assert all(r.shown in line for line in told)
    assert lines[-1].endswith(str(out / "report.html"))


def test_without_a_command_there_is_help(capsys):
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_said_before_the_work(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err == (
        f"The page cannot be written to {str(tmp_path / 'file')!r}.\n"
        "  got:  File exists\n"
        "  need: a folder that can be made and written to\n"
        "  do:   python -m phimaps demo --out some/other/folder\n"
    )


def test_without_pillow_there_is_an_error_that_helps(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert main(["demo", "--out", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[-1] == "  do:   pip install 'phimaps[plot]'"


def test_a_report_is_written_whole_or_not_at_all(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write("text", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert write("text", tmp_path / "other").read_text() == "text"
