"""What the benchmarks claim about soundness, on a few maps; timings are not tested."""

import importlib.util
import os
import re
import subprocess
import sys
from math import inf
from pathlib import Path

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.testing import campaign
from phimaps.testing.campaign import Tally

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"


def script(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tightness():
    yield script("tightness")
    del sys.modules["tightness"]


@pytest.fixture
def peers():
    yield script("peers")
    del sys.modules["peers"]


@pytest.fixture
def soundness():
    yield script("soundness")
    del sys.modules["soundness"]


@pytest.fixture
def coverage():
    yield script("coverage")
    del sys.modules["coverage"]


def run(name, *arguments):
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / name), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


def test_every_benchmark_is_reported():
    report = (ROOT / "docs" / "benchmarks.md").read_text()
    assert [p.name for p in BENCHMARKS.glob("*.py") if f"benchmarks/{p.name}" not in report] == []


def test_exact_constants_agree_with_the_search_and_the_closed_forms():
    done = run("tightness.py", "--fast")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^Tanh .* least .*0\.0706508 .*closed form +1  yes$", done.stdout, re.M)
    assert "wrong: 0" in done.stdout


@pytest.mark.parametrize(
    ("goal", "interval", "exact", "truth", "closed", "found", "fault"),
    [
        ("greatest", (1.0, 1.0), True, 1.0, True, 0.99, ""),
        ("greatest", (0.5, 2.0), False, 1.0, False, 1.0, ""),
        ("least", (0.5, 2.0), False, 1.0, True, 1.5, ""),
        ("greatest", (1.0, 1.0), True, 0.99, False, 0.99, "called exact"),
        ("least", (0.1, 0.1), True, 0.2, False, 0.2, "called exact"),
        ("greatest", (0.5, 2.0), False, 2.1, False, 2.1, "outside"),
        ("greatest", (0.5, 2.0), False, 0.4, False, 0.4, "outside"),
        ("least", (0.5, 2.0), False, 0.4, False, 0.4, "outside"),
        ("greatest", (0.5, 2.0), False, 1.0, True, 1.5, "contradicts"),
        ("least", (0.5, 2.0), False, 1.0, True, 0.7, "contradicts"),
    ],
)
def test_a_wrong_constant_is_seen(tightness, goal, interval, exact, truth, closed, found, fault):
    case = tightness.Case("tanh", pm.Tanh(), pm.Box([-1.0], [1.0]))
    row = tightness.Row(case, goal, *interval, exact, truth, closed, found)
    assert fault in row.wrong()
    assert bool(row.wrong()) == bool(fault)


@pytest.mark.parametrize(
    ("goal", "low", "high", "truth", "ratio"),
    [
        ("greatest", 0.5, 2.0, 1.0, 2.0),
        ("least", 0.5, 2.0, 1.0, 2.0),
        ("greatest", 0.5, inf, 1.0, inf),
        ("least", 0.0, 2.0, 1.0, inf),
        ("least", 0.0, 2.0, 0.0, 1.0),
    ],
)
def test_the_ratio_is_one_at_best(tightness, goal, low, high, truth, ratio):
    case = tightness.Case("tanh", pm.Tanh(), pm.Box([-1.0], [1.0]))
    assert tightness.Row(case, goal, low, high, False, truth, True, truth).ratio == ratio


def test_a_wrong_closed_form_fails_the_run(tightness, monkeypatch, capsys):
    wrong = tightness.Case("tanh", pm.Tanh(), pm.Box([-1.0], [1.0]), lipschitz=2.0, fast=True)
    monkeypatch.setattr(tightness, "cases", lambda: iter([wrong]))
    assert tightness.main(["--fast"]) == 1
    assert "WRONG: tanh, greatest: called exact, and is not" in capsys.readouterr().out


def test_the_search_finds_what_is_known(tightness):
    # A cell of the second layer that takes up 2 of 10000 points of the box holds the extreme.
    case = next(c for c in tightness.cases() if c.name == "2 layers, LeakyRelu")
    greatest, least = tightness.extremes(case.phi, case.window)
    assert greatest == pytest.approx(1.9937407, abs=1e-6)
    assert least == pytest.approx(0.0018208157, abs=1e-6)


def test_fourier_features_are_compared_at_equal_width_and_at_equal_error():
    done = run("fourier.py", "--fast")
    assert done.returncode == 0, done.stdout + done.stderr
    ratio = r"\d+\.\d\dx \[\d+\.\d\d-\d+\.\d\d\]"
    row = rf"^\| 100 x 300 -> 600 \| float32 \| structured .* {ratio} \| {ratio} \| \d+%, \d+% \|$"
    assert re.search(row, done.stdout, re.M)
    found = re.findall(
        r"^\| \w+ \| ([\d.]+) \| float64 \| 128 \| orthogonal (\d+) ", done.stdout, re.M
    )
    assert len(found) == 2
    assert all(0 < float(error) < 0.5 and 2 < int(count) <= 128 for error, count in found)


def test_phimaps_is_not_wrong_beside_its_peers_and_says_which_are_missing():
    done = run("peers.py")
    assert done.returncode == 0, done.stdout + done.stderr
    for name, module in (("lineax", "lineax"), ("cola-ml", "cola"), ("cvxpy", "cvxpy")):
        missing = importlib.util.find_spec(module) is None
        said = rf"not installed: pip install {name}; skipped" if missing else r"\d+ questions"
        assert re.search(rf"^{name}.*{said}", done.stdout, re.M), name
    assert re.search(r"^phimaps .* 0 wrong$", done.stdout, re.M)


@pytest.mark.parametrize(
    ("answer", "truth", "bools", "judged"),
    [
        (True, True, True, "right"),
        (True, False, True, "WRONG"),
        (False, False, True, "right"),
        (False, True, True, "open"),
        (True, False, False, "WRONG"),
        (False, True, False, "WRONG"),
        (False, False, False, "right"),
        (None, True, False, "open"),
    ],
)
def test_a_false_of_a_peer_is_not_held_against_it(peers, answer, truth, bools, judged):
    assert peers.Row("question", answer, truth, "", bools).judged == judged


def test_an_unsound_answer_of_ours_fails_the_run(peers, monkeypatch):
    monkeypatch.setattr(peers, "PEERS", {})
    monkeypatch.setattr(peers, "ours", lambda: iter([peers.Row("?", False, True, "", bools=False)]))
    assert peers.main() == 1


def broken_at(numbers, monkeypatch):
    """Make the attack raise on every expression of these numbers."""
    whole = campaign.attack

    def attack(phi, on, counts, budget, random_state):
        if random_state - 3 in numbers:
            raise RuntimeWarning("overflow\nmore")
        return whole(phi, on, counts, budget, random_state=random_state)

    monkeypatch.setattr(campaign, "attack", attack)


def test_an_exception_is_counted_with_its_place_and_the_rest_is_attacked(monkeypatch):
    broken_at({1}, monkeypatch)
    told = list(campaign.campaign(3, random_state=3, depth=1))
    assert [t.counts["expressions"] for t in told] == [1, 1, 1]
    assert [len(t.failed) for t in told] == [0, 1, 0]
    assert re.match(
        r"seed 3, number 1: .* on .*: RuntimeWarning: overflow at \S+:\d+ attack",
        told[1].failed[0],
    )
    assert told[2].counts["attacked"] > 5


def test_a_draw_that_fails_is_told_and_is_no_expression(monkeypatch):
    def drawn(n, random_state, depth):
        yield pm.Tanh(), pm.Box([-1.0], [1.0])
        raise ValueError

    monkeypatch.setattr(campaign, "expressions", drawn)
    told = list(campaign.campaign(5, random_state=3))
    assert [t.counts["expressions"] for t in told] == [1, 0]
    assert told[1].failed[0].startswith("seed 3, number 1: an expression being drawn: ValueError")


def test_chosen_expressions_are_those_of_the_whole_campaign(soundness):
    whole = list(campaign.campaign(3, random_state=4, depth=2))
    (listed,) = soundness.tasks(0, 0, 2, ["4:2"])
    assert soundness.task(listed).counts == whole[2].counts


@pytest.mark.parametrize(
    ("told", "code", "line"),
    [
        (Tally({"attacked": 1}), 0, "1 claims attacked, 0 broken, 0 not confirmed, 0 failed"),
        (Tally({"attacked": 1}, failed=["seed 3: E"]), 1, "FAILED seed 3: E"),
        (Tally({"attacked": 1}, broken=["seed 3: B"]), 1, "BROKEN seed 3: B"),
        (Tally({"attacked": 1}, doubtful=["seed 3: D"]), 0, "not confirmed: seed 3: D"),
        (Tally(), 1, "0 claims attacked"),
    ],
)
def test_a_fault_fails_the_campaign_at_its_end(soundness, monkeypatch, capsys, told, code, line):
    class Here:
        """A pool that works in this process."""

        def __init__(self, jobs):
            self.jobs = jobs

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def imap_unordered(self, work, listed):
            return map(work, listed)

    class Context:
        Pool = Here

    monkeypatch.setattr(soundness, "get_context", lambda kind: Context)
    monkeypatch.setattr(soundness, "task", lambda arguments: told)
    assert soundness.main(["--expressions", "50", "--seed", "1"]) == code
    printed = capsys.readouterr().out
    assert line in printed
    assert re.search(r"failed, \d+ s$", printed.strip())


@pytest.fixture
def nystrom():
    yield script("nystrom")
    del sys.modules["nystrom"]


def test_landmarks_and_precision_are_as_claimed_on_a_few_rows():
    done = run("nystrom.py", "--fast", "--threads", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\| float64 \| fit_transform, kmeans \| .* % \|$", done.stdout, re.M)
    assert "FAILED" not in done.stdout


def test_a_slow_or_wrong_nystrom_fails_the_run(nystrom, monkeypatch, capsys):
    monkeypatch.setattr(nystrom, "speed", lambda *shape, rounds: ([["float32"]], [2.9, 3.1]))
    monkeypatch.setattr(nystrom, "errors", lambda fast, seeds: ([["rows"]], [(0.1, 0.2)]))
    monkeypatch.setattr(nystrom, "precision", lambda count: ([["kernel"]], [(1e-3, 1e-6)]))
    assert nystrom.main(["--threads", "1"]) == 1
    printed = capsys.readouterr().out
    assert "FAILED 2.90 < 3 times" in printed
    assert "FAILED means of clusters err more: 0.2 > 0.1" in printed
    assert "FAILED float32 errs more: 0.001 > 3 x 1e-06" in printed
    assert "3.10 < 3" not in printed


def test_sketches_are_no_worse_than_those_of_scikit_learn_on_a_few_rows():
    done = run("sketches.py", "--fast")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("TensorSketch", "ProductSketch", "ExplicitPolynomial", "AdditiveChi2"):
        assert re.search(rf"^\| .* \| {name} \| float32 \| .*x \[", done.stdout, re.M), name
    assert "WORSE" not in done.stdout


def test_a_sketch_that_is_worse_fails_the_run(monkeypatch, capsys):
    sketches = script("sketches")
    monkeypatch.setattr(sketches, "cases", lambda fast: [])
    told = {"ProductSketch": 2.0}
    monkeypatch.setattr(sketches, "error", lambda make, *data: told.get(type(make()).__name__, 1.0))
    assert sketches.main(["--fast"]) == 1
    assert "WORSE: ProductSketch: 2 above 1 for degree 2, c = 0" in capsys.readouterr().out
    del sys.modules["sketches"]


def test_random_layers_have_lower_errors_than_independent_ones_on_a_few_rows():
    done = run("relu.py", "--fast")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("relu", "relu, folded", "tangent", r"exp\(0\.2 x·y\)"):
        assert re.search(rf"^\| digits \| {name} \| 512 \| .* \| \d+\.\dx \|$", done.stdout, re.M)
    assert re.search(r"^\| 500 x 64 -> 512 \| float32 \|", done.stdout, re.M)
    assert "WORSE" not in done.stdout


def test_a_random_layer_that_is_worse_fails_the_run(monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    relu = script("relu")
    monkeypatch.setattr(relu, "error_lines", lambda *sizes: [(["digits", "relu"], 0.9)])
    monkeypatch.setattr(relu, "time_rows", lambda *sizes: ["500 x 64 -> 512"])
    monkeypatch.setattr(relu, "equal_width", lambda *sizes: 64)
    assert relu.main(["--fast"]) == 1
    assert "WORSE: digits, relu" in capsys.readouterr().out
    del sys.modules["relu"]


def test_intervals_that_miss_fail_the_run(coverage, monkeypatch, capsys):
    X = np.random.default_rng(0).normal(size=(40, 3))
    kernel = pm.kernels.RBF(gamma=0.2)
    case = "RBF", kernel.features(20).bind(X), kernel, X
    monkeypatch.setattr(coverage, "cases", lambda rng, n: iter([case]))
    assert coverage.coverage(20, 400, 0.95)
    monkeypatch.setattr(coverage.betting, "ratio_interval", lambda *asked: (0.0, 0.0))
    assert not coverage.coverage(20, 400, 0.95)
    assert "RBF" in capsys.readouterr().out


def test_promises_that_are_broken_fail_the_run(coverage, monkeypatch):
    assert coverage.kept(3, 0.95)
    nothing = coverage.kernel_features.KernelError(0.0, 0.0, 0.0, 1.0, True, "rms", 1, 1, 0.0)
    monkeypatch.setattr(coverage.kernel_features, "measure", lambda *asked, **options: nothing)
    assert not coverage.kept(3, 0.95)


def test_all_measurements_of_kernels_run_in_one_process():
    done = run("kernels.py", "--fast", "--only", "sketches")
    assert "## sketches" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    skipped = "no accelerator on this machine: its figures are skipped"
    assert (skipped in done.stdout) != torch.cuda.is_available()
    assert done.returncode == ("missed:" in done.stdout)


def test_the_curves_are_drawn(tmp_path):
    picture = tmp_path / "curves.svg"
    done = run("curves.py", "--fast", "--plot", str(picture))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "scikit-learn RBFSampler" in picture.read_text()
    found = re.findall(
        r"^\| RandomFourier, orthogonal \| ([0-9.]+), .* \| ([0-9.]+), ", done.stdout, re.M
    )
    # Twice the features err less, at both bandwidths.
    assert len(found) == 2
    assert all(float(wide) < float(narrow) for narrow, wide in found)


def test_layers_of_a_network_are_measured_beside_captum_if_it_is_there():
    done = run("cnn.py", "--fast")
    assert done.returncode == 0, done.stdout + done.stderr
    missing = importlib.util.find_spec("captum") is None
    assert ("captum is not installed: pip install" in done.stdout) == missing
    ratio = r"\d+\.\d\dx \[\d+\.\d\d-\d+\.\d\d\]"
    beside = "" if missing else rf" {ratio} \| 4x \|"
    assert re.search(rf"^\| layer1 \| [\d.]+ \| \d+ \| {ratio} \|{beside}$", done.stdout, re.M)
    assert re.search(r"^\| kept \| 30 \| 30 \| ", done.stdout, re.M)
    assert re.search(r"^\| not kept \| 30 \| [34]\d\d \| ", done.stdout, re.M)
    assert " 0 numbers copied" in done.stdout
    assert re.search(r"^bfloat16 is .* as fast|is refused, as it would not be", done.stdout, re.M)
    skipped = "no accelerator on this machine: its figures are skipped"
    assert (skipped in done.stdout) != torch.cuda.is_available()


def test_what_is_slower_larger_or_computed_twice_fails_the_run(monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    cnn = script("cnn")
    slow = [("layer1", 3.9, 4.0), ("layer2", 2.1, 2.0)]
    monkeypatch.setattr(cnn, "layers", lambda *sizes: ([["layer1"]], slow))
    monkeypatch.setattr(cnn, "wrapper", lambda *sizes: ([["layer1"]], [0.01, 0.021]))
    monkeypatch.setattr(cnn, "whole", lambda *sizes: (74.0, 100.0))
    monkeypatch.setattr(cnn, "short_numbers", lambda *sizes: "")
    sizes = {"layer1": (100, 121), "pooled": (1, 101 * 2**20)}
    monkeypatch.setattr(cnn, "memory", lambda *sizes_: ([["layer1"]], sizes))
    monkeypatch.setattr(cnn, "search", lambda *sizes: [["kept", 30, 31, "0.1"]])
    monkeypatch.setattr(cnn, "cloning", lambda: (0.002, 11, 0))
    monkeypatch.setattr(cnn, "on_cuda", lambda *sizes: [["layer1"]])
    assert cnn.main([]) == 1
    failed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILED")]
    assert failed == [
        "FAILED layer1: 3.90 < 4 times captum",
        "FAILED transform costs 2.1 % > 2 %",
        "FAILED 74 % of a matrix product (0 Gflop/s) < 75 %",
        "FAILED peak memory 1.21 > 1.2 times the output",
        "FAILED peak memory 101 > 100 MiB while pooling",
        "FAILED 31 images computed of 30",
        "FAILED a clone takes more than 1 ms, or memory",
    ]
    assert torch.get_num_threads() == 1
    del sys.modules["cnn"]


def test_collisions_and_inversions_are_reached_on_a_few_pixels():
    done = run("fibre.py", "--fast")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\| 4 \| 0 \| 0\.59 \| 0\.\d+ \| .* \| collision \|$", done.stdout, re.M)
    assert re.search(r"^\| 8 \| .* \| proved to be the only image \|$", done.stdout, re.M)
    assert done.stdout.count("reached: ") == 3


def test_a_gap_or_an_error_that_is_too_large_fails_the_run(monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    fibre = script("fibre")
    x = np.zeros((1, 2, 2))
    look = pm.cnn.Lookalike(x, x, x, 0.24, 2e-10, 1e-14, True, "")
    monkeypatch.setattr(fibre, "collisions", lambda side: ([], {(4, 0.0): look}))
    monkeypatch.setattr(fibre, "inversions", lambda side: ([], {8: 2e-8}))
    assert fibre.main([]) == 1
    missed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("MISSED")]
    assert missed == [
        "MISSED: 4 filters: rms change 0.240 >= 0.25",
        "MISSED: 4 filters: gap 2.0e-10 <= 1e-10",
        "MISSED: 8 filters: relative error 2.0e-08 <= 1e-08",
    ]
    del sys.modules["fibre"]
