"""Nyström features beside scikit-learn's: time, held-out error by rule of landmarks, precision.

Both take the same rows in one process, in turn; the speed is the median of the paired ratios. The
limit is what the Cholesky factor, the triangular solution and the products of the kernel would take
at the speed of the faster of torch's and NumPy's matrix products on this machine. The error is that
of the kernel matrix of rows that were not fitted, relative in the Frobenius norm.

    python benchmarks/nystrom.py [--fast] [--threads N]

Exits with 1 when fit and transform are less than 3 times as fast as scikit-learn's, when means of
clusters err more than uniform landmarks, or when single precision loses more than a factor of 3
above 1e-6.
"""

from __future__ import annotations

import argparse
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import Nystroem
from threadpoolctl import threadpool_limits

import phimaps as pm

sys.path.insert(0, str(Path(__file__).parent))
import measure

PRECISIONS = {np.float32: torch.float32, np.float64: torch.float64}
RULES = ("uniform", "kmeans", "cholesky", "leverage")
TARGET = 3.0


@cache
def flops(dtype: Any) -> float:
    """Floating-point operations per second of the faster of two matrix products."""
    a = np.ones((2048, 2048), dtype=dtype)
    out = np.empty_like(a)
    seconds = min(measure.in_turn({"": lambda: np.matmul(a, a, out=out)}, 7)[""])
    return max(measure.flops(PRECISIONS[dtype]), 2 * 2048**3 / seconds)


def speed(rows: int, columns: int, count: int, rounds: int) -> tuple[list[list[str]], list[float]]:
    """The table of times, and the ratios of fit and transform together."""
    lines, reached = [], []
    for dtype in PRECISIONS:
        X = np.random.default_rng(0).standard_normal((rows, columns)).astype(dtype)
        theirs = Nystroem(n_components=count, random_state=0).fit(X)
        ours = pm.Nystrom(n_components=count).fit(X)
        means = pm.Nystrom(n_components=count, landmarks="kmeans")
        times = measure.in_turn(
            {
                "theirs fit": lambda t=theirs, X=X: t.fit(X),
                "fit": lambda o=ours, X=X: o.fit(X),
                "theirs transform": lambda t=theirs, X=X: t.transform(X),
                "transform": lambda o=ours, X=X: o.transform(X),
                "theirs fit_transform": lambda t=theirs, X=X: t.fit_transform(X),
                "fit_transform": lambda o=ours, X=X: o.fit_transform(X),
                "fit_transform, kmeans": lambda m=means, X=X: m.fit_transform(X),
            },
            rounds,
        )
        root, solution = count**3 / 3, rows * count * (count + 2 * columns)
        work = {"fit": root, "transform": solution, "fit_transform": root + solution}
        for name in ("fit", "transform", "fit_transform", "fit_transform, kmeans"):
            rival = times[f"theirs {name.partition(',')[0]}"]
            found = measure.ratio(rival, times[name])
            milliseconds = measure.milliseconds(times[name])
            limit = work[name.partition(",")[0]] / flops(dtype)
            lines.append(
                [
                    np.dtype(dtype).name,
                    name,
                    f"{measure.milliseconds(rival):.0f}",
                    f"{milliseconds:.0f}",
                    str(found),
                    f"{100e3 * limit / milliseconds:.0f} %",
                ]
            )
            if name == "fit_transform":
                reached.append(found.median)
    return lines, reached


def clusters(small: int) -> np.ndarray:
    """One large cluster and thirty small ones."""
    rng = np.random.default_rng(0)
    centres = 6 * rng.standard_normal((31, 16))
    sizes = [100 * small] + [small] * 30
    return np.concatenate(
        [c + 0.5 * rng.standard_normal((k, 16)) for c, k in zip(centres, sizes, strict=True)]
    )


def error(phi: Any, X: np.ndarray, held: np.ndarray, kernel: Any) -> float:
    K = kernel(held.astype(np.float64))
    Z = phi.fit(X).transform(held).astype(np.float64)
    return float(np.linalg.norm(Z @ Z.T - K) / np.linalg.norm(K))


def errors(fast: bool, seeds: int) -> tuple[list[list[str]], list[tuple[float, float]]]:
    """The table of errors by rule, and those of uniform landmarks and of means of clusters."""
    digits, rng = load_digits().data / 16.0, np.random.default_rng(0)
    data = {
        "digits": (digits[rng.permutation(len(digits))], 64 if fast else 256),
        "normal, 64 columns": (rng.standard_normal((2000 if fast else 8000, 64)), 128),
        "31 clusters": (rng.permutation(clusters(20 if fast else 60)), 200),
    }
    lines, pairs = [], []
    for name, (X, count) in data.items():
        kernel = pm.kernels.RBF(gamma="scale").bind(X)
        held, fitted = X[:500], X[500:]
        typical = {
            rule: float(
                np.median(
                    [
                        error(
                            pm.Nystrom(
                                kernel, n_components=count, landmarks=rule, random_state=seed
                            ),
                            fitted,
                            held,
                            kernel,
                        )
                        for seed in range(seeds)
                    ]
                )
            )
            for rule in RULES
        }
        lines.append([name, str(count), *(f"{typical[rule]:.5f}" for rule in RULES)])
        pairs.append((typical["uniform"], typical["kmeans"]))
    return lines, pairs


def precision(count: int) -> tuple[list[list[str]], list[tuple[float, float]]]:
    """The table of errors in both precisions, and ours."""
    X = np.random.default_rng(0).standard_normal((2 * count, 64)).astype(np.float32)
    held, lines, pairs = X[:500], [], []
    for share in (1.0, 0.1, 0.01):
        gamma = share / (2 * 128)
        kernel = pm.kernels.RBF(gamma=gamma)
        found = [
            error(phi, rows, held.astype(rows.dtype), kernel)
            for phi in (
                Nystroem(gamma=gamma, n_components=count, random_state=0),
                pm.Nystrom(gamma=gamma, n_components=count),
            )
            for rows in (X, X.astype(np.float64))
        ]
        lines.append([f"median bandwidth, gamma x {share}", *(f"{v:.1e}" for v in found)])
        pairs.append((found[2], found[3]))
    return lines, pairs


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="few rows; speed decides nothing")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    shape = (600, 64, 64) if given.fast else (10_000, 64, 1024)
    with threadpool_limits(given.threads):
        print(f"{shape[0]} x {shape[1]}, {shape[2]} landmarks, {given.threads} threads\n")
        head = ["numbers", "step", "scikit-learn, ms", "ours, ms", "ratio", "of the limit"]
        lines, reached = speed(*shape, rounds=3 if given.fast else 9)
        print(measure.table(head, lines))
        lines, pairs = errors(given.fast, 1 if given.fast else 3)
        print("\nHeld-out error, gamma = scale\n")
        print(measure.table(["rows", "landmarks", *RULES], lines))
        several, ours = precision(200 if given.fast else 800)
        kinds = [f"{who}, {p}" for who in ("scikit-learn", "ours") for p in ("float32", "float64")]
        print("\nError by precision\n")
        print(measure.table(["kernel", *kinds], several))
    failed = [f"means of clusters err more: {b:g} > {a:g}" for a, b in pairs if b > a]
    failed += [f"float32 errs more: {a:g} > 3 x {b:g}" for a, b in ours if a > max(3 * b, 1e-6)]
    if not given.fast:
        failed += [f"{v:.2f} < {TARGET:g} times" for v in reached if v < TARGET]
    for line in failed:
        print(f"FAILED {line}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
