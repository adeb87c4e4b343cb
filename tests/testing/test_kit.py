"""The frame of the checks: subjects, runs, shrinking, replays, reports, the command line."""

import copy
import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder

import phimaps as pm
from phimaps.__main__ import main
from phimaps.testing import (
    CHECKS,
    CheckFailed,
    Subject,
    check_feature_map,
    parametrize_with_checks,
    register_check,
    replay,
)

LINE = pm.Box([-1.0], [1.0])


class Centred(TransformerMixin, BaseEstimator):
    """Subtracts the mean of the rows that it is given: not of those it was fitted to."""

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X):
        return np.asarray(X) - np.mean(X, axis=0)


@pytest.fixture
def entered():
    """Enters checks for the time of a test."""
    before = dict(CHECKS)
    yield register_check
    CHECKS.clear()
    CHECKS.update(before)


# --- subjects ----------------------------------------------------------------------------------
KINDS = {
    "map": (lambda: pm.Tanh(), {"map", "estimator", "gradient", "names", "params"}),
    "transformer": (lambda: StandardScaler(), {"estimator", "fit", "names", "params", "inverse"}),
    "module": (lambda: torch.nn.Linear(3, 2), {"module", "tensors", "gradient"}),
    "function": (lambda: torch.sinh, {"tensors", "gradient", "numbers", "space"}),
    "function of arrays": (lambda: lambda x: np.sort(np.array(x, order="K")), {"numbers"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_object_is_a_subject(kind):
    build, facets = KINDS[kind]
    subject = Subject(build())
    assert subject.kind == kind.split()[0]
    assert facets <= subject.facets
    rows = subject.rows(5)
    assert len(subject.fresh().features(rows)) == 5
    assert subject.fresh().obj is not subject.obj or subject.kind == "function"


def test_the_object_is_never_altered():
    for build, _ in KINDS.values():
        obj = build()
        before = pickle.dumps(obj.__dict__) if hasattr(obj, "get_params") else None
        state = (
            {k: v.clone() for k, v in obj.state_dict().items()}
            if before is None and hasattr(obj, "state_dict")
            else {}
        )
        check_feature_map(obj)
        assert before is None or pickle.dumps(obj.__dict__) == before
        for k, v in state.items():
            assert torch.equal(obj.state_dict()[k], v)


def test_what_is_fitted_is_tested_as_it_is():
    fitted = StandardScaler().fit([[0.0], [10.0]])
    values = Subject(fitted, domain=LINE).fresh().features(np.array([[0.0]]))
    assert values[0, 0] == -1.0
    pipeline = make_pipeline(StandardScaler(), PCA(2)).fit(np.random.default_rng(0).random((9, 4)))
    assert Subject(pipeline).fitted
    assert not Subject(make_pipeline(StandardScaler(), PCA(2))).fitted


def test_data_stand_for_the_box_around_them_and_are_fitted_to():
    data = np.array([[0.0, 5.0], [2.0, 7.0]])
    subject = Subject(StandardScaler(), domain=data)
    assert repr(subject.domain) == "Box([0, 5], [2, 7])"
    assert subject.fresh().obj.mean_.tolist() == [1.0, 6.0]


def test_a_module_in_single_precision_is_given_such_rows():
    subject = Subject(torch.nn.Linear(3, 2))
    assert subject.rows(2).dtype == np.float32
    assert Subject(torch.nn.Linear(3, 2).double()).rows(2).dtype == np.float64


# --- runs --------------------------------------------------------------------------------------
def test_a_failure_is_shrunk_told_and_replayed():
    report = check_feature_map(Centred(), domain=LINE, checks=["check_rows"])
    assert not report.passed
    (failure,) = report.failures
    assert failure.replay.startswith("phimaps.testing.replay('check_rows', Centred(), [[")
    numbers = re.findall(r"\[\[.*?\]\]", failure.replay)[0]
    assert len(json.loads(numbers)) <= 3
    call = failure.replay.replace("phimaps.testing.replay", "replay")
    with pytest.raises(CheckFailed):
        eval(call, {"replay": replay, "Centred": Centred, "phimaps": pm})
    call = call.replace("Centred()", "StandardScaler()")
    eval(call, {"replay": replay, "StandardScaler": StandardScaler, "phimaps": pm})


def test_long_draws_are_packed_and_replayed(entered):
    @entered
    def check_many_rows(trial):
        """There are never many rows."""
        rows = trial.rows(400, 400)
        if len(rows) == 400:
            trial.fail("There are 400 rows.", got=repr(float(rows[7, 3])))

    (failure,) = check_feature_map(pm.Tanh(), checks=["check_many_rows"]).failures
    assert "packed=" in failure.replay
    with pytest.raises(CheckFailed) as caught:
        eval(failure.replay, {"phimaps": pm})
    assert str(caught.value) == str(failure.error)


def test_what_fails_only_sometimes_is_a_failure():
    calls = []

    def counting(x):
        calls.append(1)
        return x + 1e-3 * len(calls)

    assert not check_feature_map(counting, domain=LINE).passed


def test_the_same_seed_runs_the_same_examples(entered):
    seen = []

    @entered
    def check_seen(trial):
        """Nothing is said."""
        seen.append(trial.rows())

    for seed in (0, 0, 1):
        check_feature_map(pm.Tanh(), checks=["check_seen"], random_state=seed)
    a, b, c = seen[: len(seen) // 3], seen[len(seen) // 3 :][: len(seen) // 3], seen[-5:]
    assert all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))
    assert not all(np.array_equal(p, q) for p, q in zip(a[-5:], c, strict=True))


def test_a_skipped_check_says_why(entered):
    @entered(needs=("inverse",))
    def check_inverse_there(trial):
        """There is an inverse."""

    @entered(once=True)
    def check_never(trial):
        """It never runs."""
        trial.skip("it is Sunday")

    report = check_feature_map(torch.sinh, checks=["check_inverse_there", "check_never"])
    assert [o.message for o in report.skipped] == ["it has no inverse", "it is Sunday"]
    assert report.passed


def test_where_it_cannot_be_evaluated_the_rest_is_skipped():
    def refuses(x):
        raise RuntimeError("no")

    report = check_feature_map(refuses, domain=LINE)
    assert [o.check for o in report.failures] == ["check_evaluates"]
    assert "RuntimeError: no" in report.failures[0].message
    assert {o.message for o in report.skipped} == {"the object cannot be evaluated"}


def test_expected_failures_do_not_count():
    why = {"check_rows": "it centres the batch, as its name says"}
    report = check_feature_map(
        Centred(), checks=["check_rows"], expected_failed_checks=lambda obj: why
    )
    assert report.passed
    assert report.counts == {"failed as expected": 1}
    assert "as its name says" in str(report)


def test_without_hypothesis_examples_are_drawn_by_chance(monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "hypothesis" else real(name)
    )
    assert check_feature_map(StandardScaler()).passed
    report = check_feature_map(Centred())
    assert "check_rows" in [o.check for o in report.failures]


def test_a_report_is_text_data_and_html():
    report = check_feature_map(Centred(), domain=LINE)
    assert str(report).startswith("Centred() on Box([-1], [1]), profile quick:")
    assert json.loads(json.dumps(report.to_dict()))["passed"] is False
    html = report.to_html()
    assert html.startswith("<!doctype html>")
    assert "check_rows" in report._repr_html_()
    assert copy.deepcopy(report).passed is False
    failure = report.failures[0].error
    assert isinstance(pickle.loads(pickle.dumps(failure)), type(failure))


# --- pytest ------------------------------------------------------------------------------------
@parametrize_with_checks([StandardScaler(), pm.Standardize(), Subject(torch.sinh, domain=LINE)])
def test_a_few_maps(obj, check):
    check(obj)


STRANGER = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler, TargetEncoder
from phimaps.testing import parametrize_with_checks

class Centred(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self
    def transform(self, X):
        return np.asarray(X) - np.mean(X, axis=0)

@parametrize_with_checks(
    [Centred(), StandardScaler()],
    checks=["check_rows", "check_finite"],
    expected_failed_checks=lambda obj: {"check_finite": "none"} if isinstance(obj, Centred) else {},
)
def test_mine(obj, check):
    check(obj)
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stranger_s_tests_run_under_the_plugin(tmp_path, workers):
    (tmp_path / "test_mine.py").write_text(STRANGER)
    options = ["-q", "-p", "no:cacheprovider", "--phimaps-profile", "ci", "-n", str(workers)]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert run.returncode == 1, run.stdout + run.stderr
    assert "test_mine[Centred-check_rows]" in run.stdout
    assert "phimaps.testing.replay('check_rows', Centred(), [[" in run.stdout
    assert "1 failed, 2 passed, 1 xpassed" in run.stdout
    summary = run.stdout.partition("phimaps: verdicts")[2]
    assert "Centred: 1 failed, 1 passed" in summary
    assert "2 objects: 1 failed, 3 passed" in summary


def test_the_plugin_imports_nothing_of_the_package():
    code = "import sys, phimaps_pytest; print(*{'phimaps', 'torch', 'numpy'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


# --- the command line --------------------------------------------------------------------------
def test_the_command_line_checks_an_object(capsys, tmp_path):
    scaler = "sklearn.preprocessing:StandardScaler"
    assert main(["check", scaler, "--features", "2", "--html", str(tmp_path / "r.html")]) == 0
    assert "StandardScaler() on Box([-3, -3], [3, 3]), profile quick:" in capsys.readouterr().out
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    square = ["check", "torch:square", "--low", "-1", "--high", "1", "--features", "1"]
    assert main([*square, "--claim", "Injective"]) == 1
    assert "failed: check_injective[Injective]" in capsys.readouterr().out
    assert main(["check", "torch:nothing"]) == 2
    assert capsys.readouterr().err.startswith("torch has no nothing.")


def test_a_function_s_memory_stays_with_its_copies():
    def remembers(x, kept=[]):  # noqa: B006
        kept.append(x.mean())
        return x - kept[0]

    assert not check_feature_map(remembers, domain=LINE).passed
    assert remembers.__defaults__ == ([],)


def test_an_object_that_cannot_write_itself_has_a_report():
    class Mute(Centred):
        def __repr__(self):
            raise RuntimeError("no words")

    assert str(check_feature_map(Mute())).startswith("<Mute> on Box(")


def test_a_check_that_cannot_draw_the_same_twice_is_run_by_chance(entered):
    turns = []

    @entered
    def check_of_two_minds(trial):
        """It draws more each second time."""
        turns.append(1)
        trial.integer(0, 3)
        if len(turns) % 2:
            trial.rows()
            trial.rows()

    report = check_feature_map(pm.Tanh(), checks=["check_of_two_minds"], profile="ci")
    assert [o.status for o in report.outcomes] == ["passed"]


def test_what_needs_a_target_is_fitted_to_one_by_every_check():
    # SelectKBest does not say that it needs one, TargetEncoder does.
    assert check_feature_map(SelectKBest(k=2)).passed
    colours = {"colour": ["red", "green", "blue"]}
    report = check_feature_map(TargetEncoder(), domain=colours, profile="ci")
    # Its fit_transform leaves a row's own target out, on purpose.
    assert [o.check for o in report.failures] == ["check_fit_transform"]
