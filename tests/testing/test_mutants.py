"""Each faulty map of the bed is caught, by a check that ought to; no sound one is blamed."""

import importlib.util
import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path

import pytest

from phimaps.testing import CHECKS, check_feature_map

from .faulty import FAULTS
from .sound import SOUND

# Faults that no check catches, each with the reason. At most 5 % of the bed.
MISSED = {
    "NamesOfConstant": "what a name means is not looked at, only that it is there once",
    "needle": "no search finds a bump on a fifty-millionth of the box",
    "PoleContinuous": "next to a pole of an array function steep and discontinuous look alike",
    "exp_onto": "that a value is never taken cannot be seen from finitely many calls",
    "sigmoid_dense": "the same",
    "huber_smooth": "a second derivative that jumps drowns in the rounding of the first",
    "wound": "the inverse jumps between two ends that only a limit brings together",
}


def failed(case, profile, checks=None):
    report = check_feature_map(
        case.make(),
        case.domain,
        case.claims or None,
        fit_on=case.fit_on() if case.fit_on else None,
        profile=profile,
        checks=checks,
    )
    return {o.check: o.message for o in report.failures}


@pytest.mark.parametrize("name", [n for n in FAULTS if n not in MISSED])
def test_a_fault_is_caught(name):
    case = FAULTS[name]
    assert case.wrong
    assert case.by
    assert set(case.by) <= set(CHECKS)
    names = list(case.by)
    assert failed(case, "quick", names) or failed(case, "ci", names), case.wrong


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_map_is_not_blamed(name):
    assert failed(SOUND[name], "quick") == {}


def test_few_faults_are_missed_and_each_is_known():
    assert set(MISSED) <= set(FAULTS)
    assert len(MISSED) <= 0.05 * len(FAULTS)
    assert all(MISSED.values())


@pytest.fixture
def mutants(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(sys, "path", sys.path.copy())
    file = Path(__file__).parents[2] / "benchmarks" / "mutants.py"
    spec = importlib.util.spec_from_file_location("mutants", file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "mutants", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("faults", "twins", "code", "line"),
    [
        ({"check_rows": "said"}, {}, 0, "faults: 1 of 1 caught (100.0 %)"),
        ({"check_shape": "said"}, {}, 0, "| check_shape * |"),
        ({}, {}, 1, "BatchCentred: NOT CAUGHT"),
        ("ValueError: broken", {}, 1, "BatchCentred: the tool failed: ValueError: broken"),
        ({"check_rows": "said"}, {"check_rows": "said"}, 1, "FALSE ALARM Standardised, seed 3"),
    ],
)
def test_the_benchmark_fails_where_faults_pass_or_sound_maps_do_not(
    mutants, capsys, faults, twins, code, line
):
    found = {"faults": {"BatchCentred": faults}, "twins": {("Standardised", 3): twins}}
    found["sklearn"] = {"BatchCentred": {"check_methods_subset_invariance"}}
    seconds = Counter(faults=1.0, twins=1.0, sklearn=1.0)
    assert mutants.told(found, seconds, Namespace(profile="ci", seeds=20)) == code
    assert line in capsys.readouterr().out


def test_the_benchmark_asks_scikit_learn_of_estimators_of_vectors(mutants):
    assert mutants.failures_of_sklearn(mutants.Doubled()) == set()
    kind, name, _, found, _ = mutants.task(("sklearn", "BatchCentred", "ci", 0))
    assert (kind, name) == ("sklearn", "BatchCentred")
    assert "check_methods_subset_invariance" in found
    for name in ("DropoutLeftOn", "ByPlace", "BytesUnscaled"):
        assert mutants.task(("sklearn", name, "ci", 0))[3] is None
    assert mutants.task(("faults", "BatchCentred", "quick", 0))[3].keys() <= {
        "check_rows",
        "check_batch_sizes",
    }
