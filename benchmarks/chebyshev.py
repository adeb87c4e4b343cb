"""Best uniform approximations: how long, how exact, beside the linear program written down plainly.

    python benchmarks/chebyshev.py           # about two minutes
    python benchmarks/chebyshev.py --fast    # a smoke test

Random ReLU features of points of a square, and powers of a number, which are nearly dependent. The
rival is scipy's HiGHS on the program as it stands. Processor seconds of one thread. Exits with 1
where 5000 points and 200 features take more than 90 s, or leave a gap above 1e-9.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from scipy.optimize import linprog
from threadpoolctl import threadpool_limits

import phimaps as pm

sys.path.insert(0, str(Path(__file__).parent))
import measure


def relu_features(n: int, p: int) -> tuple[np.ndarray, np.ndarray]:
    """1 and p - 1 random ReLU features of n points of a square, and their norms."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (n, 2))
    hidden = x @ (2 * rng.standard_normal((2, p - 1))) + rng.uniform(-2, 2, p - 1)
    return np.hstack([np.ones((n, 1)), np.maximum(hidden, 0)]), np.linalg.norm(x, axis=1)


def powers(n: int, p: int) -> tuple[np.ndarray, np.ndarray]:
    """p powers of n numbers, and their absolute values."""
    x = np.linspace(-1, 1, n)
    return np.vander(x, p), np.abs(x)


def plain(features: np.ndarray, target: np.ndarray) -> float | None:
    """The error of the program as it stands; None where the solver gives up."""
    n, p = features.shape
    ones = np.ones((n, 1))
    found = linprog(
        np.append(np.zeros(p), 1.0),
        np.vstack([np.hstack([features, -ones]), np.hstack([-features, -ones])]),
        np.append(target, -target),
        bounds=[(None, None)] * p + [(0, None)],
    )
    return float(np.abs(features @ found.x[:p] - target).max()) if found.status == 0 else None


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 when the largest misses its claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--fast", action="store_true", help="a smoke test")
    fast = parser.parse_args(arguments).fast
    sizes = [("ReLU", 400, 50), ("powers", 400, 30)]
    if not fast:
        sizes += [("ReLU", 1000, 100), ("powers", 2000, 60), ("ReLU", 5000, 200)]
    rows, missed = [], False
    for name, n, p in sizes:
        features, target = (relu_features if name == "ReLU" else powers)(n, p)
        with threadpool_limits(1):
            start = time.process_time()
            best = pm.check.chebyshev(features, target)
            ours = time.process_time() - start
            start = time.process_time()
            error = plain(features, target)
            theirs = time.process_time() - start
        other = "gave up" if error is None else f"{error:.12f}"
        shown = [best.rank, f"{ours:.2f}", f"{theirs:.2f}", f"{best.error:.12f}", other]
        rows.append([name, n, p, *shown, f"{best.gap:.1e}"])
        if (n, p) == (5000, 200):
            missed = ours > 90 or best.gap > 1e-9
    head = ["features", "points", "number", "rank", "ours, s", "plain, s", "error", "plain error"]
    print(measure.table([*head, "gap"], rows))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
