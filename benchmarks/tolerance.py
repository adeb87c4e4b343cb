"""Tolerances of equal features: how often they raise a false alarm, and how often they miss a bug.

The law that is tested: a row alone has the features that it has among 12 rows. Each trial draws a
map and rows. An honest map that breaks the tolerance is a false alarm; the same map with a leak of
0.1 % of the mean of the batch that keeps within it, in every row and feature, is a missed bug.

No test that grants one unit in the last place of the input can do better than the column "least"
says. If honest features are spread normally, with deviations s as large as the moves that one such
unit makes, and the bug shifts them by b, then the evidence of all rows and features together is
E = Σ b² / 2 s² nats, and the rates of false alarms and of missed bugs add up to at least
exp(-E) / 2, whatever the test (Bretagnolle and Huber 1979).

The second law, on the honest maps only: float32 features are those of float64 arithmetic on the
same numbers.

    python benchmarks/tolerance.py [--fast] [--factors]

Exits with 1 when the measured tolerance raises a false alarm, or misses a bug in a cell where the
least sum of the rates is below 1 %.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import phimaps as pm
from phimaps.testing.tolerance import tolerance

sys.path.insert(0, str(Path(__file__).parent))
import measure

Features = Callable[[np.ndarray], np.ndarray]

ROWS, COLUMNS, LEAK = 12, 5, 1e-3
SIZES = (1.0, 1e3, 1e6)
# rtol and atol of the tolerances that people set; torch's depend on the dtype.
FIXED = {
    "rtol 1e-7": (1e-7, 1e-9),
    "numpy": (1e-5, 1e-8),
    "torch": (None, None),
    "loose": (1e-4, 1e-4),
}
OURS = "measured"


def draw_fourier(random: np.random.Generator, size: float) -> Any:
    """64 random Fourier features of a Gaussian kernel with the same gamma whatever the rows."""
    weight = torch.from_numpy(random.standard_normal((COLUMNS, 64)))
    shift = torch.from_numpy(random.uniform(0, 2 * np.pi, 64))
    return lambda x: torch.cos(x @ weight.to(x) + shift.to(x))


def draw_polynomial(random: np.random.Generator, size: float) -> Any:
    """All monomials up to a degree of 3 to 6."""
    return pm.Polynomial(int(random.integers(3, 7))).bind(np.ones((1, COLUMNS)))


def draw_kernel(random: np.random.Generator, size: float) -> Any:
    """Nyström features of 20 landmarks, of a Gaussian or a cubic kernel."""
    landmarks = rows(random, size, 20, "all")
    kernel = {"kernel": "poly", "degree": 3} if random.random() < 0.5 else {"kernel": "rbf"}
    gamma = 1 / (COLUMNS * size**2)
    return pm.Nystrom(n_components=20, gamma=gamma, random_state=0, **kernel).bind(landmarks)


def draw_network(random: np.random.Generator, size: float) -> Any:
    """Two convolutions with batch normalisation and ReLU, and means; for 3 x 8 x 8 images."""
    seed = int(random.integers(2**31))
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, 16, 3),
            torch.nn.BatchNorm2d(16),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(2),
        ).double()
        net(size * torch.randn(64, 3, 8, 8, dtype=torch.float64))
    net.eval().requires_grad_(False)
    both = {torch.float64: net}

    def features(x: torch.Tensor) -> torch.Tensor:
        if x.dtype not in both:
            import copy

            both[x.dtype] = copy.deepcopy(net).to(x.dtype)
        return both[x.dtype](x).flatten(1)

    return features


def draw_standard(random: np.random.Generator, size: float) -> Any:
    """(x - mean) / deviation, with means up to 100 deviations away from 0."""
    scale = torch.from_numpy(size * random.uniform(0.01, 1, COLUMNS))
    mean = torch.from_numpy(size * random.uniform(-1, 1, COLUMNS))
    return lambda x: (x - mean.to(x)) / scale.to(x)


def draw_logarithm(random: np.random.Generator, size: float) -> Any:
    """log, exp and power features of positive numbers."""
    rate = torch.from_numpy(random.uniform(0.5, 2, COLUMNS) / size)
    return lambda x: torch.cat([x.log(), torch.exp(-rate.to(x) * x), x * x.log(), x.sqrt()], 1)


FAMILIES: dict[str, Any] = {
    "random Fourier": draw_fourier,
    "polynomial": draw_polynomial,
    "Nyström": draw_kernel,
    "network": draw_network,
    "standardise": draw_standard,
    "log, exp": draw_logarithm,
}


def rows(
    random: np.random.Generator, size: float, n: int, spread: str, shape: Any = (COLUMNS,)
) -> np.ndarray:
    """Rows with entries up to ``size``: all as large, or of all sizes between 1 and it."""
    each = np.full(n, size) if spread == "all" else size ** random.uniform(0, 1, n)
    return random.uniform(-1, 1, (n, *shape)) * each.reshape(n, *[1] * len(shape))


def evaluated(phi: Any) -> Features:
    def features(X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return phi(torch.from_numpy(np.ascontiguousarray(X))).double().numpy()

    return features


def leaking(phi: Any) -> Features:
    def leaky(x: torch.Tensor) -> torch.Tensor:
        value = phi(x)
        return value + LEAK * value.mean(0)

    return evaluated(leaky)


def alone(evaluate: Features, X: np.ndarray) -> np.ndarray:
    return np.concatenate([evaluate(X[i : i + 1]) for i in range(len(X))])


def fixed(name: str, expected: np.ndarray, dtype: Any) -> np.ndarray:
    rtol, atol = FIXED[name]
    if rtol is None:
        rtol, atol = (1.3e-6, 1e-5) if dtype == np.float32 else (1e-7, 1e-7)
    return atol + rtol * np.abs(expected)


def trial(
    random: np.random.Generator, family: str, dtype: Any, size: float, spread: str, factor: float
) -> dict[str, tuple[bool, bool, float]]:
    """For each tolerance: false alarm, missed bug, and the least that their rates may add up to."""
    phi = FAMILIES[family](random, size)
    shape = (3, 8, 8) if family == "network" else (COLUMNS,)
    X = rows(random, size, ROWS, spread, shape)
    X = (np.abs(X) if family == "log, exp" else X).astype(dtype)
    honest, leaky = evaluated(phi), leaking(phi)
    together, found = honest(X), leaky(X)
    off = np.abs(alone(honest, X) - together)
    bug = np.abs(alone(leaky, X) - found)
    step = tolerance(honest, X, dtype, factor=1.0)
    exact = honest(X.astype(np.float64))
    shift = LEAK * np.abs(exact - exact.mean(axis=0))
    evidence = ((shift / np.where(step > 0, step, np.inf)) ** 2).sum() / 2
    least = float(np.exp(-evidence) / 2)
    result = {}
    for name in FIXED:
        missed = bool((bug <= fixed(name, found, dtype)).all())
        result[name] = bool((off > fixed(name, together, dtype)).any()), missed, least
    allowed = tolerance(honest, X, dtype, factor=factor)
    missed = bool((bug <= tolerance(leaky, X, dtype, factor=factor)).all())
    result[OURS] = bool((off > allowed).any()), missed, least
    if dtype == np.float32:
        off = np.abs(together - exact)
        for name in FIXED:
            result[f"64 {name}"] = bool((off > fixed(name, exact, dtype)).any()), False, 0.0
        result[f"64 {OURS}"] = bool((off > allowed).any()), False, 0.0
    return result


def cells(trials: int, factor: float) -> tuple[list[list[str]], list[list[str]], int, int]:
    """Both tables, the false alarms, and the missed bugs of the cells where 0 is possible."""
    table, second, wrong, missed = [], [], 0, 0
    for family in FAMILIES:
        for dtype in (np.float32, np.float64):
            for size in SIZES:
                for spread in ("mixed", "all") if size > 1 else ("all",):
                    key = [list(FAMILIES).index(family), int(size), len(spread)]
                    random = np.random.default_rng([7, np.dtype(dtype).itemsize, *key])
                    found = [
                        trial(random, family, dtype, size, spread, factor) for _ in range(trials)
                    ]
                    counts = {
                        name: [sum(f[name][k] for f in found) for k in (0, 1)] for name in found[0]
                    }
                    least = sum(f[OURS][2] for f in found) / trials
                    wrong += counts[OURS][0]
                    missed += counts[OURS][1] if least < 0.01 else 0
                    place = [family, np.dtype(dtype).name, f"{size:.0e}", spread]
                    names = [*FIXED, OURS]
                    told = [f"{counts[n][0]}/{counts[n][1]}" for n in names]
                    table.append([*place, *told, f"{least:.2f}"])
                    if dtype == np.float32:
                        other = [str(counts[f"64 {n}"][0]) for n in names]
                        wrong += counts[f"64 {OURS}"][0]
                        second.append([family, *place[2:], *other])
                    print(*table[-1], flush=True)
    return table, second, wrong, missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fast", action="store_true", help="10 trials a cell instead of 200")
    parser.add_argument("--factors", action="store_true", help="the factors 1, 2, 4, 16 as well")
    given = parser.parse_args()
    torch.set_num_threads(1)
    trials = 10 if given.fast else 200
    factors = (1.0, 2.0, 4.0, 16.0, 8.0) if given.factors else (8.0,)
    summary = []
    for factor in factors:
        table, second, wrong, missed = cells(trials, factor)
        summary.append([f"{factor:g}", str(wrong), str(missed)])
    head = ["map", "dtype", "size", "rows", *FIXED, OURS, "least"]
    print(f"False alarms/missed bugs in {trials} trials")
    print(measure.table(head, table))
    print("False alarms of float32 beside float64 arithmetic")
    print(measure.table(["map", "size", "rows", *FIXED, OURS], second))
    print(measure.table(["factor", "false alarms", "missed"], summary))
    return int(wrong > 0 or missed > 0)


if __name__ == "__main__":
    sys.exit(main())
