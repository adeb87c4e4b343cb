"""Sketches and exact features of polynomial and χ² kernels beside scikit-learn's.

Each map and its rival evaluate the same rows in one process, in turn; the speed is the median of
the paired ratios. The error is that of the kernel matrix of 500 digits, the root of the mean square
over seeds of the relative error in the Frobenius norm. The limit is what the products, the waves
and one write of the result would take alone on this machine.

    python benchmarks/sketches.py [--fast]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import AdditiveChi2Sampler, PolynomialCountSketch
from sklearn.preprocessing import PolynomialFeatures

import phimaps as pm

sys.path.insert(0, str(Path(__file__).parent))
import measure

PRECISIONS = {np.float32: torch.float32, np.float64: torch.float64}


@dataclass(frozen=True)
class Case:
    """A map beside its rival, on rows of one shape.

    Parameters
    ----------
    name : str
    rows, columns : int
    theirs : callable
        Makes scikit-learn's transformer.
    ours : dict of str to callable
        Makes each of our maps.
    products : dict of str to int
        By map, the multiplications and additions of matrix products and transforms for a row.
    waves : int
        Roots, logarithms and waves for a row.
    target : dict
        By map and precision the ratio that is to be reached.
    """

    name: str
    rows: int
    columns: int
    theirs: Callable[[], Any]
    ours: dict[str, Callable[[], Any]]
    products: Any = None
    waves: int = 0
    target: Any = None

    def limit(self, name: str, width: int, dtype: Any) -> float:
        """Seconds that the arithmetic and one write take alone."""
        torch_type = PRECISIONS[dtype]
        return self.rows * (
            (self.products or {}).get(name, 0) / measure.flops(torch_type)
            + self.waves / measure.waves(torch_type)
            + width * np.dtype(dtype).itemsize / measure.writes()
        )


def cases(fast: bool) -> list[Case]:
    """What is measured; `fast` takes few rows."""
    rows, width, wide = (400, 256, 320) if fast else (10_000, 2048, 4096)

    def sketch(coef0: float, n: int) -> dict[str, Any]:
        return {"degree": 2, "coef0": coef0, "n_components": n, "random_state": 0}

    return [
        Case(
            f"polynomial kernel, degree 2, c = 1, {rows} x 64 -> {width}",
            rows,
            64,
            lambda: PolynomialCountSketch(**sketch(1, width)),
            {
                "TensorSketch": lambda: pm.TensorSketch(**sketch(1.0, width)),
                "ProductSketch": lambda: pm.ProductSketch(**sketch(1.0, width)),
                "ExplicitPolynomial": lambda: pm.ExplicitPolynomial(2),
            },
            products=dict.fromkeys(("TensorSketch", "ProductSketch"), 2 * 2 * 64 * (width - 65)),
            target={np.float32: 7.0, np.float64: 4.0},
        ),
        Case(
            f"polynomial kernel, degree 2, c = 0, {rows} x 64 -> {width}",
            rows,
            64,
            lambda: PolynomialCountSketch(**sketch(0, width)),
            {
                "TensorSketch": lambda: pm.TensorSketch(**sketch(0.0, width), exact_low=False),
                "ProductSketch": lambda: pm.ProductSketch(**sketch(0.0, width), exact_low=False),
            },
            products=dict.fromkeys(("TensorSketch", "ProductSketch"), 2 * 2 * 64 * width),
            target={np.float32: 7.0, np.float64: 4.0},
        ),
        Case(
            f"polynomial kernel, degree 2, c = 1, {rows} x 784 -> {wide}",
            rows,
            784,
            lambda: PolynomialCountSketch(**sketch(1, wide)),
            {
                "TensorSketch": lambda: pm.TensorSketch(**sketch(1.0, wide)),
                "ProductSketch": lambda: pm.ProductSketch(**sketch(1.0, wide)),
            },
            # Two transforms of a real signal, 5/2 n log n each; or for each factor and each part of
            # the numbers a transform of order 1024 = 64 * 16 for 1024 products.
            products={
                "TensorSketch": int(2 * 2.5 * wide * np.log2(wide)),
                "ProductSketch": 2 * 2 * -(-wide // 2048) * 1024 * 2 * (64 + 16),
            },
        ),
        Case(
            f"exact polynomial features, degree 2, {rows} x 64",
            rows,
            64,
            lambda: PolynomialFeatures(2),
            {
                "Polynomial": lambda: pm.Polynomial(2),
                "ExplicitPolynomial": lambda: pm.ExplicitPolynomial(2),
            },
            target={np.float32: 1.0, np.float64: 1.0},
        ),
        Case(
            f"additive χ² features, 3 steps, {rows} x 64",
            rows,
            64,
            lambda: AdditiveChi2Sampler(sample_steps=3),
            {"AdditiveChi2": lambda: pm.AdditiveChi2(3)},
            waves=64 * 3,
            target={np.float32: 1.0, np.float64: 1.0},
        ),
    ]


def speeds(case: Case, rounds: int, limits: bool = True) -> list[list[str]]:
    """The rows of the table of times, one for each map and precision."""
    lines = []
    rng = np.random.default_rng(0)
    for dtype in PRECISIONS:
        X = rng.random((case.rows, case.columns)).astype(dtype)
        theirs = case.theirs().fit(X)
        runs: dict[str, Callable[[], object]] = {
            "scikit-learn": lambda t=theirs, X=X: t.transform(X)
        }
        widths = {}
        for name, make in case.ours.items():
            phi = make().fit(X)
            out = np.empty((case.rows, phi.transform(X[:2]).shape[1]), dtype=dtype)
            widths[name] = out.shape[1]
            runs[name] = lambda phi=phi, X=X: phi.transform(X)
            runs[f"{name}, out="] = lambda phi=phi, X=X, out=out: phi.transform(X, out=out)
        times = measure.in_turn(runs, rounds)
        for name, width in widths.items():
            fresh = measure.ratio(times["scikit-learn"], times[name])
            reused = measure.ratio(times["scikit-learn"], times[f"{name}, out="])
            best = min(times[f"{name}, out="])
            lines.append(
                [
                    case.name,
                    name,
                    np.dtype(dtype).name,
                    f"{measure.milliseconds(times['scikit-learn']):.1f}",
                    f"{measure.milliseconds(times[name]):.1f}",
                    str(fresh),
                    str(reused),
                    f"{case.limit(name, width, dtype) / best:.0%}" if limits else "not measured",
                    "" if case.target is None else f">= {case.target[dtype]:g}x",
                ]
            )
    return lines


def error(make: Callable[..., Any], X: np.ndarray, truth: np.ndarray, seeds: int) -> float:
    """The root mean square over seeds of the relative error of the kernel matrix."""
    squared = []
    for seed in range(seeds):
        phi = make()
        if "random_state" in phi.get_params():
            phi.set_params(random_state=seed)
        Z = phi.fit_transform(X)
        squared.append((np.linalg.norm(Z @ Z.T - truth) / np.linalg.norm(truth)) ** 2)
    return float(np.sqrt(np.mean(squared)))


def errors(width: int, seeds: int) -> tuple[list[list[str]], list[str]]:
    """The rows of the table of errors, and what is worse than scikit-learn."""
    X = load_digits().data[:500]
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    lines, worse = [], []
    for degree, coef0 in ((2, 0.0), (2, 1.0), (3, 1.0), (4, 1.0)):
        truth = (X @ X.T + coef0) ** degree
        found = {}
        kinds = (PolynomialCountSketch, pm.TensorSketch, pm.ProductSketch)
        for kind in kinds:
            found[kind.__name__] = error(
                lambda kind=kind: kind(degree=degree, coef0=coef0, n_components=width),  # noqa: B023
                X,
                truth,
                seeds,
            )
        theirs = found["PolynomialCountSketch"]
        # At c = 0 a tensor sketch is scikit-learn's up to a rotation: level but for the draws.
        allowed = {"TensorSketch": 1.3 if coef0 == 0 else 1.0, "ProductSketch": 1.0}
        worse += [
            f"{name}: {found[name]:.3g} above {theirs:.3g} for degree {degree}, c = {coef0:g}"
            for name, factor in allowed.items()
            if found[name] > factor * theirs
        ]
        lines.append([f"{degree}", f"{coef0:g}", *(f"{v:.4f}" for v in found.values())])
    return lines, worse


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true", help="few rows and rounds, to try it")
    fast = parser.parse_args(arguments).fast
    rounds, seeds, width = (3, 12, 256) if fast else (11, 12, 2048)
    head = [
        "features", "map", "numbers", "scikit-learn, ms", "ours, ms", "speed", "speed with out=",
        "of the limit", "target",
    ]  # fmt: skip
    print(
        measure.table(
            head, [line for case in cases(fast) for line in speeds(case, rounds, not fast)]
        )
    )
    print()
    lines, worse = errors(width, seeds)
    print(f"Relative error of the kernel matrix of 500 digits of length 1, {width} features:\n")
    print(measure.table(["degree", "c", "scikit-learn", "TensorSketch", "ProductSketch"], lines))
    for line in worse:
        print(f"WORSE: {line}")
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
