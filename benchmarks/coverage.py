"""How often the promises about kernel errors are kept, and what they cost.

``python benchmarks/coverage.py`` prints two tables. The first: over many seeds, the share of
intervals of `phimaps.check.kernel_error` that contain the true error, their width, and the same for
two intervals by the empirical Bernstein bound. The second: requested and reached errors of
`kernel.features(error=...)`, with the chosen number of features. It fails if a promise is kept less
often than it says. ``--fast`` runs a part of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from math import log, sqrt
from time import process_time
from unittest.mock import patch

import numpy as np
import scipy.stats
import torch
from sklearn.datasets import load_digits

import phimaps as pm
from phimaps.kernels import (
    RBF,
    AdditiveChi2,
    ArcCosine,
    Kernel,
    Linear,
    Matern,
    PolynomialKernel,
    betting,
    error,
)
from phimaps.maps import kernel_features
from phimaps.maps.empirical_kernel import EmpiricalKernelMap

Case = tuple[str, pm.FeatureMap, Kernel, np.ndarray]


def bernstein(
    top: np.ndarray, bottom: np.ndarray, most: tuple[float, float], confidence: float
) -> tuple[float, float]:
    """The ratio of two means from an interval for each, by Maurer and Pontil (2009), Theorem 4."""
    ends = []
    for values, greatest in zip((top, bottom), most, strict=True):
        n, level = len(values), log(2 / ((1 - confidence) / 4))
        reach = sqrt(2 * values.var(ddof=1) * level / n) + 7 * greatest * level / (3 * (n - 1))
        ends.append((max(0.0, values.mean() - reach), values.mean() + reach))
    (low, high), (least, greatest) = ends
    return low / greatest, high / least if least > 0 else np.inf


def cases(rng: np.random.Generator, n: int) -> Iterator[Case]:
    """Maps with their kernels and rows."""
    digits = load_digits().data / 16
    digits = digits[rng.choice(len(digits), n, replace=False)]
    gauss = rng.normal(size=(n, 8))
    heavy = rng.normal(size=(n, 8)) * np.where(rng.random((n, 1)) < 0.05, 10.0, 1.0)
    rbf = RBF(gamma="median")
    for name, kernel, X, width, method in (
        ("RBF, digits", rbf, digits, 64, "auto"),
        ("RBF, digits", rbf, digits, 512, "auto"),
        ("RBF, Gaussian data", RBF(), gauss, 128, "auto"),
        ("RBF, digits, landmarks", rbf, digits, 32, "nystrom"),
        ("Matérn 3/2, long rows", Matern(length_scale=4.0), heavy, 128, "auto"),
        ("polynomial 3, digits", PolynomialKernel(3, gamma=0.05), digits, 256, "auto"),
        ("polynomial 3, long rows", PolynomialKernel(3, gamma=0.05), heavy, 100, "auto"),
        ("arc-cosine, long rows", ArcCosine(), heavy, 64, "auto"),
        ("additive χ², digits", AdditiveChi2(), digits, 192, "chi2"),
        ("RBF · x·y + 1, digits", rbf * Linear() + 1, digits, 256, "auto"),
    ):
        closed = kernel.bind(X)
        yield name, closed.features(width, method).bind(X), closed, X


def coverage(seeds: int, pairs: int, confidence: float) -> bool:
    """Print the first table; whether every share is what was promised."""
    print(f"\nIntervals from {pairs} of 400² pairs at confidence {confidence}, {seeds} seeds")
    print(f"{'map':26}{'D':>6}{'error':>9}{'inside':>9}{'at least':>10}", end="")
    print(f"{'upper/error':>13}{'Bernstein':>11}{'inside':>9}")
    good = True
    for name, phi, kernel, X in cases(np.random.default_rng(0), 400):
        true = error.measure(phi, kernel, X).value
        below = isinstance(phi, EmpiricalKernelMap)

        ours, theirs = [], []

        def both(*asked, theirs=theirs):
            theirs.append(bernstein(*asked))
            return betting.ratio_interval(*asked)

        with patch.object(error, "ratio_interval", both):
            for seed in range(seeds):
                ours.append(
                    error.measure(
                        phi, kernel, X,
                        exact_rows=0, below=below, pairs=pairs,
                        confidence=confidence, random_state=seed,
                    )
                )  # fmt: skip
        hits = sum(f.lower <= true <= f.upper for f in ours)
        others = sum(low <= true**2 <= high for low, high in theirs)
        sure = scipy.stats.beta.ppf(1e-3, hits, seeds - hits + 1)
        good &= hits / seeds >= confidence
        width = phi.out_shape(X.shape[1:])[0]
        print(f"{name:26}{width:6}{true:9.4f}{hits / seeds:9.3f}{sure:10.3f}", end="")
        print(f"{np.median([f.upper for f in ours]) / true:13.2f}", end="")
        print(
            f"{np.sqrt(np.median([high for _, high in theirs])) / true:11.2f}{others / seeds:9.3f}"
        )
    return good


def requests(fast: bool) -> bool:
    """Print the second table; whether every error is at most what was asked for."""
    digits = load_digits().data / 16
    gauss = np.random.default_rng(1).normal(size=(1500, 64))
    good = True
    print("\nRequested and reached relative errors (all pairs looked at)")
    print(f"{'data':10}{'kernel':18}{'method':10}{'asked':>8}{'reached':>9}{'D':>7}{'CPU s':>8}")
    for name, X in (("digits", digits), ("Gaussian", gauss)):
        for scale in ("scale", "median"):
            for method in ("fourier", "nystrom"):
                for asked in (0.1, 0.05) if fast else (0.1, 0.05, 0.02, 0.01):
                    kernel, start = RBF(gamma=scale), process_time()
                    print(f"{name:10}{'RBF ' + scale:18}{method:10}{asked:8}", end="")
                    try:
                        phi = kernel.features(method=method, error=asked, on=X)
                    except pm.errors.ParameterError as refused:
                        print(f"  refused: {refused.got.partition('; ')[2]}")
                        continue
                    seconds = process_time() - start
                    found = pm.check.kernel_error(phi, kernel, on=X).value
                    good &= found <= asked
                    print(f"{found:9.4f}{phi.n_components:7}{seconds:8.2f}")
    return good


def kept(seeds: int, confidence: float) -> bool:
    """Print how often a promise from a few random pairs is kept."""
    X = np.random.default_rng(2).normal(size=(200, 4))
    kernel, asked, found, widths = RBF(gamma=0.1), 0.25, [], []
    with (
        patch.object(kernel_features, "ALL_PAIRS_UP_TO", 0),
        patch.object(kernel_features, "FEW", 2048),
        patch.object(kernel_features, "MANY", 8192),
    ):
        for seed in range(seeds):
            phi = kernel.features(error=asked, confidence=confidence, on=X, random_state=seed)
            found.append(pm.check.kernel_error(phi, kernel, on=X).value)
            widths.append(phi.n_components)
    share = np.mean(np.array(found) <= asked)
    print(f"\nRBF, 200 rows, error {asked} from 2048 to 8192 random pairs at {confidence}: kept in")
    print(f"{share:.3f} of {seeds} seeds; error {np.median(found):.3f} (median), ", end="")
    print(f"{np.max(found):.3f} (greatest); D {int(np.median(widths))} (median)")
    return bool(share >= confidence)


def main(arguments: list[str] | None = None) -> int:
    """Run all tables; 1 if a promise was not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--fast", action="store_true")
    fast = parser.parse_args(arguments).fast
    torch.set_num_threads(1)
    seeds = 50 if fast else 500
    good = [coverage(seeds, 5000, 0.95), kept(seeds, 0.95), kept(seeds, 0.5), requests(fast)]
    print("\nevery promise kept" if all(good) else "\nBROKEN PROMISE")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
