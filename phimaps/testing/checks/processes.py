"""The law of other processes: what is computed there is the same."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..check import register_check
from ..refits import Answered, fit_tolerance, fitted, rounding, same, seeded
from ..subject import Instance, target_of
from ..trial import Trial

__all__ = ["check_other_process"]

SECONDS = 120
UNKNOWN = 3
CHILD = f"""
import pickle, sys, warnings
warnings.simplefilter("ignore")
try:
    with open(sys.argv[1], "rb") as file:
        fitted, new, given, rows = pickle.load(file)
except (ImportError, AttributeError) as error:
    print(error, file=sys.stderr)
    sys.exit({UNKNOWN})
results = fitted.transform(rows.copy()), new.fit(*given).transform(rows.copy())
with open(sys.argv[2], "wb") as file:
    pickle.dump(results, file)
"""


@register_check(needs=("fit",), once=True)
def check_other_process(trial: Trial) -> None:
    """Another process computes the same, from a pickle and from a fit of its own."""
    X = trial.rows(12, 12)
    kinds = [str(kind) for kind in getattr(X, "dtypes", ())]
    if not any(kind in ("object", "str", "string", "category") for kind in kinds):
        trial.skip("its rows hold no texts, whose hashes differ between processes")
    if trial.profile.budget < 1:
        trial.skip("it starts a process, which is left to the profiles ci and thorough")
    once = fitted(trial, trial.fit_data)
    data = trial.fit_data
    given = (data, target_of(data)) if trial.subject.supervised else (data,)
    try:
        sent = pickle.dumps((once.obj, seeded(trial.unfitted()), given, X))
    except Exception as error:
        trial.skip(f"it cannot be pickled ({type(error).__name__}), see check_pickle")
    answered, learned = (
        Instance(trial.subject, Answered(result)).features(X) for result in _elsewhere(trial, sent)
    )
    expected = once.features(X)
    do = (
        "hash() of a text, and the order of a set of texts, are others in every process: use "
        "zlib.crc32(text.encode()), and sorted(set(values))"
    )
    same(
        trial,
        answered,
        expected,
        lambda: rounding(trial, once, X),
        what="Loaded in another process, it has other features.",
        do=do,
    )
    same(
        trial,
        learned,
        expected,
        lambda: fit_tolerance(trial, once, X),
        what="Fitted to the same data in another process, it is another map.",
        do=do,
    )


def _elsewhere(trial: Trial, sent: bytes) -> Any:
    """The results of a process whose hashes are not those of this one."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    path = os.pathsep.join(p for p in sys.path if p)
    with tempfile.TemporaryDirectory() as folder:
        question, answer = (Path(folder) / name for name in ("question", "answer"))
        question.write_bytes(sent)
        ran = subprocess.run(
            [sys.executable, "-c", CHILD, str(question), str(answer)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        if ran.returncode == UNKNOWN:
            trial.skip(f"another process does not find its class: {last}")
        if ran.returncode != 0:
            trial.fail(
                "In another process it fails.",
                got=last,
                need="an object that works wherever its pickle is loaded",
                do="import in its module what it needs, and keep no handles of this process",
            )
        return pickle.loads(answer.read_bytes())
