"""What the checks of `phimaps.testing` catch, and whether they ever cry wolf.

    python benchmarks/mutants.py                      all faults, and all sound twins over 20 seeds
    python benchmarks/mutants.py --only faults --names BatchCentred ReluInjective
    python benchmarks/mutants.py --only twins --seeds 5
    python benchmarks/mutants.py --only sklearn       what check_estimator says of those it takes

The faults stand in `tests/testing/faulty/`, each with what is wrong with it, the sound maps in
`tests/testing/sound.py`. A fault is caught when a check fails: those that ought to catch it are run
first, all the others where none of them does (or with --all); the table says which failed, and
marks with * what only others caught. scikit-learn's `check_estimator`
is asked of the same estimators, where their rows are vectors of numbers; what it says of a sound
estimator as well does not count.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections import Counter
from multiprocessing import get_context
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

from benchmarks.measure import table  # noqa: E402
from phimaps.spaces import Space  # noqa: E402
from phimaps.testing import check_feature_map  # noqa: E402
from tests.testing.faulty import FAULTS  # noqa: E402
from tests.testing.faulty.case import Case, Plain  # noqa: E402
from tests.testing.sound import SOUND  # noqa: E402

# The part of the faults that the "ci" profile must catch.
CAUGHT = 0.95


class Doubled(Plain):
    """The sound estimator: what `check_estimator` says of it, it says of all."""

    def features(self, X: Any) -> Any:
        return 2 * X


def failures(case: Case, profile: str, seed: int, checks: Any = None) -> dict[str, str]:
    """The checks that fail on a map, each with the first line of what it says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = check_feature_map(
            case.make(),
            case.domain,
            case.claims or None,
            fit_on=case.fit_on() if case.fit_on else None,
            profile=profile,
            random_state=seed,
            checks=checks,
        )
    return {o.check: o.message.split("\n")[0] for o in report.failures}


def failures_of_sklearn(estimator: Any) -> set[str]:
    """The checks of scikit-learn that fail on an estimator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = check_estimator(estimator, on_skip=None, on_fail=None)
    return {t["check_name"] for t in told if t["status"] == "failed"}


def asked_of_sklearn(case: Case) -> bool:
    """Whether it is an estimator whose rows are vectors of numbers."""
    vectors = isinstance(case.domain, Space) and len(case.domain.shape) == 1
    obj = case.make()
    return vectors and hasattr(obj, "fit") and hasattr(obj, "transform")


def caught_by(case: Case, profile: str, everything: bool) -> dict[str, str]:
    """The checks that catch a fault: of those that ought to, else of all."""
    ought = {} if everything else failures(case, profile, 0, list(case.by))
    return ought or failures(case, profile, 0)


def task(asked: tuple[str, str, str, int]) -> tuple[str, str, int, Any, float]:
    """One map, one seed (-1: all checks of a fault): what fails, or what the tool itself raised."""
    kind, name, profile, seed = asked
    torch.set_num_threads(1)
    start = time.process_time()
    case = SOUND[name] if kind == "twins" else FAULTS[name]
    try:
        if kind == "faults":
            found: Any = caught_by(case, profile, everything=seed < 0)
        elif kind == "sklearn":
            found = failures_of_sklearn(case.make()) if asked_of_sklearn(case) else None
        else:
            found = failures(case, profile, seed)
    except Exception as error:
        found = f"{type(error).__name__}: {error}".split("\n")[0]
    return kind, name, seed, found, time.process_time() - start


def fault_rows(results: dict[str, Any], sklearn: dict[str, Any]) -> tuple[list[list[str]], int]:
    """The lines of the table of faults, and how many are caught."""
    rows, caught = [], 0
    for name, found in results.items():
        case = FAULTS[name]
        if isinstance(found, str):
            said = f"the tool failed: {found}"
        elif not found:
            said = "NOT CAUGHT"
        else:
            caught += 1
            said = ", ".join(found) + ("" if set(found) & set(case.by) else " *")
        theirs = sklearn.get(name)
        beside = "" if theirs is None else ", ".join(sorted(theirs)) or "-"
        rows.append([name, case.wrong, said, beside])
    return rows, caught


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked; 1 when too few faults are caught, or a sound map is blamed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=["faults", "twins", "sklearn"])
    parser.add_argument("--names", nargs="*", default=None, help="only these maps")
    parser.add_argument("--seeds", type=int, default=20, help="of each sound map")
    parser.add_argument("--profile", default="ci")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--all", action="store_true", help="run all checks on each fault")
    asked = parser.parse_args(arguments)
    kinds = [asked.only] if asked.only else ["faults", "sklearn", "twins"]
    tasks = []
    for kind in kinds:
        for name in SOUND if kind == "twins" else FAULTS:
            if asked.names is None or name in asked.names:
                seeds = range(asked.seeds) if kind == "twins" else [-1 if asked.all else 0]
                tasks += [(kind, name, asked.profile, seed) for seed in seeds]
    found: dict[str, dict[Any, Any]] = {kind: {} for kind in ("faults", "sklearn", "twins")}
    seconds: Counter[str] = Counter()
    common: set[str] = failures_of_sklearn(Doubled()) if "sklearn" in kinds else set()
    with get_context("spawn").Pool(asked.jobs, maxtasksperchild=50) as pool:
        for kind, name, seed, failed, spent in pool.imap(task, tasks):
            seconds[kind] += spent
            if kind == "sklearn":
                found[kind][name] = failed - common if isinstance(failed, set) else failed
            elif kind == "twins":
                found[kind][name, seed] = failed
            else:
                found[kind][name] = failed
    return told(found, seconds, asked)


def told(found: dict[str, dict[Any, Any]], seconds: Counter[str], asked: Any) -> int:
    """Print the tables and the totals; 1 when a promise is broken."""
    broken = 0
    sklearn = {n: f for n, f in found["sklearn"].items() if f is not None}
    if found["faults"]:
        rows, caught = fault_rows(found["faults"], sklearn)
        print(table(["fault", "what is wrong", "caught by", "check_estimator"], rows))
        part = caught / len(rows)
        print(
            f"\nfaults: {caught} of {len(rows)} caught ({100 * part:.1f} %) by the profile "
            f"{asked.profile}, {seconds['faults'] / len(rows):.1f} s of CPU each"
        )
        for name, _, said, _ in rows:
            if said.startswith(("NOT", "the tool")):
                print(f"  {name}: {said}; {FAULTS[name].by}")
        broken += part < CAUGHT
    if sklearn:
        seen = sum(bool(f) for f in sklearn.values())
        print(
            f"check_estimator: {seen} of the {len(sklearn)} that are estimators of vectors, "
            f"{seconds['sklearn'] / len(sklearn):.1f} s of CPU each"
        )
        if found["faults"]:
            ours = sum(isinstance(found["faults"].get(n), dict) and bool(found["faults"][n])
                       for n in sklearn)  # fmt: skip
            print(f"  of the same, the checks catch {ours}")
    if found["twins"]:
        blamed = {key: f for key, f in found["twins"].items() if f}
        print(
            f"sound maps: {len({n for n, _ in found['twins']})} over {asked.seeds} seeds, "
            f"{len(blamed)} runs of {len(found['twins'])} raise a false alarm, "
            f"{seconds['twins'] / len(found['twins']):.1f} s of CPU each"
        )
        for (name, seed), failed in blamed.items():
            print(f"  FALSE ALARM {name}, seed {seed}: {failed}")
        broken += bool(blamed)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
