"""Random Fourier features beside scikit-learn's RBFSampler: at equal width, and at equal error.

    python benchmarks/fourier.py [--fast] [--rounds 15] [--threads 2]

Both run in one process, in turn; a ratio is the median of the ratios of the rounds, above 1 where
phimaps is faster. The limit is the time that the product (or the turns), the waves and the writes
of the features need, one after the other, each at the rate that this machine reaches on it alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import RBFSampler
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel

import phimaps as pm
from phimaps.maps.structured import _parts
from phimaps.maps.waves import waves

sys.path.insert(0, str(Path(__file__).parent))
import measure

TORCH = {np.float32: torch.float32, np.float64: torch.float64}


def wave_rate(dtype: Any) -> float:
    """Pairs of a cosine and a sine per second, in the cache of the processor."""
    size = 2**18 // torch.empty(0, dtype=dtype).element_size()
    turns = torch.linspace(-3, 3, 2 * size, dtype=dtype).view(-1, 1024)
    cosine, sine = torch.empty_like(turns), torch.empty_like(turns)

    def run() -> None:
        for _ in range(50):
            waves(turns, cosine, sine, 0.5)

    return 50 * turns.numel() / min(measure.in_turn({"": run}, 7)[""])


def limit(n: int, d: int, width: int, dtype: Any, structured: bool, rate: float) -> float:
    """Seconds at the rates of the machine."""
    pairs = n * width / 2
    flops = 2 * d * pairs
    if structured:
        order = 1 << (d - 1).bit_length()
        # Two turns of each block, and one of all of them.
        turns = 2 + order / (width / 2)
        flops = turns * pairs * sum(2 * part for part in _parts(order))
    item = np.dtype(dtype).itemsize
    return flops / measure.flops(TORCH[dtype]) + pairs / rate + 2 * pairs * item / measure.writes()


def equal_width(cases: list[tuple[int, int, int, str]], rounds: int) -> list[list[Any]]:
    """The time of `transform` beside RBFSampler's, into new memory and into memory used before."""
    rows = []
    for dtype in (np.float32, np.float64):
        rate = wave_rate(TORCH[dtype])
        for n, d, width, sampling in cases:
            X = np.random.default_rng(0).standard_normal((n, d)).astype(dtype)
            gamma = 1.0 / d
            theirs = RBFSampler(gamma=gamma, n_components=width, random_state=0).fit(X)
            ours = pm.RandomFourier(width, gamma=gamma, sampling=sampling).fit(X)
            out = np.empty((n, width), dtype)
            runs: dict[str, Callable[[], object]] = {
                "theirs": lambda X=X, m=theirs: m.transform(X),
                "new": lambda X=X, m=ours: m.transform(X),
                "out": lambda X=X, m=ours, out=out: m.transform(X, out=out),
            }
            times = measure.in_turn(runs, rounds)
            structured = isinstance(ours.map_, pm.HadamardFourier)
            least = limit(n, d, width, dtype, structured, rate)
            best = min(times["out"])
            rows.append(
                [
                    f"{n} x {d} -> {width}",
                    np.dtype(dtype).name,
                    "structured" if structured else "dense",
                    *(f"{measure.milliseconds(times[k]):.1f}" for k in runs),
                    measure.ratio(times["theirs"], times["new"]),
                    measure.ratio(times["theirs"], times["out"]),
                    f"{1e3 * least / measure.milliseconds(times['out']):.0%}, {least / best:.0%}",
                ]
            )
    return rows


def digits_like(n: int) -> np.ndarray:
    """Rows of the digits, drawn again and again, with noise in the pixels."""
    rng = np.random.default_rng(0)
    pixels = load_digits().data
    return pixels[rng.integers(len(pixels), size=n)] + rng.normal(0, 0.5, (n, 64))


def gram_error(make: Callable[[int], Any], X: np.ndarray, gamma: float, seeds: int) -> float:
    """|K' - K| / |K| of the Gram matrix in the Frobenius norm, the mean over seeds."""
    truth = rbf_kernel(X, gamma=gamma)
    errors = []
    for seed in range(seeds):
        z = make(seed).fit_transform(X)
        errors.append(np.linalg.norm(z @ z.T - truth) / np.linalg.norm(truth))
    return float(np.mean(errors))


def fewest(error: Callable[[int], float], target: float, most: int) -> int:
    """The least even width whose error is not above the target, by bisection."""
    low, high = 2, most
    while high - low > max(2, high // 50):
        middle = (low + high) // 4 * 2
        low, high = (low, middle) if error(middle) <= target else (middle, high)
    # Quasi-random points are best in powers of two.
    power = 1 << (high - 1).bit_length() - 1
    return power if error(power) <= target else high


def equal_error(n: int, width: int, rounds: int, seeds: int) -> list[list[Any]]:
    """The time to the Gram error of RBFSampler, with the fewest features that have it."""
    X = digits_like(n)
    few = X[: min(n, 1000)]
    squares = euclidean_distances(few, squared=True)
    apart = squares[np.triu_indices(len(few), 1)]
    gammas = {"scale": 1 / (64 * X.var()), "median": 1 / (2 * np.median(apart))}
    rows = []
    for name, gamma in gammas.items():

        def theirs(seed: int, gamma: float = gamma) -> Any:
            return RBFSampler(gamma=gamma, n_components=width, random_state=seed)

        target = gram_error(theirs, few, gamma, seeds)
        found = {}
        for sampling in ("orthogonal", "qmc"):

            def error(count: int, gamma: float = gamma, sampling: str = sampling) -> float:
                def ours(seed: int) -> Any:
                    return pm.RandomFourier(
                        count, gamma=gamma, sampling=sampling, random_state=seed
                    )

                return gram_error(ours, few, gamma, seeds)

            found[sampling] = fewest(error, target, width)
        sampling = min(found, key=lambda s: found[s])
        for dtype in (np.float32, np.float64):
            data = X.astype(dtype)
            slow = theirs(0).fit(data)
            fast = pm.RandomFourier(found[sampling], gamma=gamma, sampling=sampling).fit(data)
            runs: dict[str, Callable[[], object]] = {
                "theirs": lambda m=slow, X=data: m.transform(X),
                "ours": lambda m=fast, X=data: m.transform(X),
            }
            times = measure.in_turn(runs, rounds)
            rows.append(
                [
                    name,
                    f"{target:.4f}",
                    np.dtype(dtype).name,
                    width,
                    *(f"{s} {k}" for s, k in found.items()),
                    *(f"{measure.milliseconds(times[k]):.1f}" for k in runs),
                    measure.ratio(times["theirs"], times["ours"]),
                ]
            )
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fast", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cases = [
        (10_000, 64, 2048, "auto"),
        (10_000, 784, 4096, "orthogonal"),
        (10_000, 784, 4096, "auto"),
        (2_000, 4096, 16_384, "auto"),
    ]
    rounds, error = options.rounds, (10_000, 2048, options.rounds, 5)
    if options.fast:
        cases = [(200, 64, 128, "auto"), (100, 300, 600, "auto")]
        rounds, error = 3, (300, 128, 3, 2)
    print(f"{torch.get_num_threads()} threads, medians of {rounds} rounds, times in ms\n")
    head = (
        "size,numbers,frequencies,RBFSampler,phimaps,with out=,ratio,with out=,limit (median best)"
    )
    print(measure.table(head.split(","), equal_width(cases, rounds)))
    head = "gamma,error,numbers,RBFSampler features,needed,needed,RBFSampler,phimaps,ratio"
    print("\nTo the Gram error of RBFSampler on rows like the digits:\n")
    print(measure.table(head.split(","), equal_error(*error)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
