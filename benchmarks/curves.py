"""Error against time: kernel feature maps of phimaps and scikit-learn at many widths.

    python benchmarks/curves.py --plot docs/kernel-curves.svg

For 10000 points like digits (float32, gamma "scale" and the median bandwidth) each map is fitted
and evaluated at widths from 64 to 2048, all in one process and in turn. The time is the median of
``fit_transform``; the error is the relative Frobenius error of the Gram matrix of 1000 of the
points, the mean over three seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measure import in_turn, milliseconds, table
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import Nystroem, RBFSampler

import phimaps as pm

SEEDS = 3
Make = Callable[[float, int, int], Any]
MAPS: dict[str, Make] = {
    "scikit-learn RBFSampler": lambda g, m, s: RBFSampler(gamma=g, n_components=m, random_state=s),
    "RandomFourier, iid": lambda g, m, s: pm.RandomFourier(
        m, gamma=g, sampling="iid", random_state=s
    ),
    "RandomFourier, orthogonal": lambda g, m, s: pm.RandomFourier(
        m, gamma=g, sampling="orthogonal", random_state=s
    ),
    "RandomFourier, qmc": lambda g, m, s: pm.RandomFourier(
        m, gamma=g, sampling="qmc", random_state=s
    ),
    "scikit-learn Nystroem": lambda g, m, s: Nystroem(gamma=g, n_components=m, random_state=s),
    "Nystrom": lambda g, m, s: pm.Nystrom(gamma=g, n_components=m, random_state=s),
    "Nystrom, kmeans": lambda g, m, s: pm.Nystrom(
        gamma=g, n_components=m, landmarks="kmeans", random_state=s
    ),
}


@dataclass(frozen=True)
class Point:
    """One map at one width: its error and its time in milliseconds."""

    name: str
    width: int
    error: float
    time: float


def digits_like(n: int, random_state: int = 0) -> np.ndarray:
    """n rows in [0, 1]^64: digits with a little noise, float32."""
    rng = np.random.default_rng(random_state)
    X = load_digits().data / 16
    rows = X[rng.integers(len(X), size=n)] + 0.05 * rng.standard_normal((n, 64))
    return np.clip(rows, 0, 1).astype(np.float32)


def bandwidths(X: np.ndarray) -> dict[str, float]:
    """The gamma of "scale" and that of the median distance."""
    return {
        name: float(0.5 / np.square(pm.kernels.RBF(gamma=name).bind(X).lengths).item())
        for name in ("scale", "median")
    }


def points(X: np.ndarray, gamma: float, widths: list[int], rounds: int) -> list[Point]:
    """Every map at every width."""
    sample = X[np.random.default_rng(1).choice(len(X), 1000, replace=False)]
    exact = pm.kernels.RBF(gamma=gamma)(sample.astype(np.float64))
    found = []
    for width in widths:
        errors = {}
        for name, make in MAPS.items():
            gaps = []
            for seed in range(SEEDS):
                values = make(gamma, width, seed).fit(X).transform(sample).astype(np.float64)
                gaps.append(np.linalg.norm(values @ values.T - exact) / np.linalg.norm(exact))
            errors[name] = float(np.mean(gaps))
        runs = {
            name: (lambda make=make, width=width: make(gamma, width, 0).fit(X).transform(X))
            for name, make in MAPS.items()
        }
        times = in_turn(runs, rounds)
        found += [Point(n, width, errors[n], milliseconds(times[n])) for n in MAPS]
    return found


def report(fast: bool = False) -> tuple[str, dict[str, list[Point]]]:
    """The tables in Markdown, and the points by bandwidth."""
    X = digits_like(1500 if fast else 10_000)
    widths = [64, 128] if fast else [64, 128, 256, 512, 1024, 2048]
    curves, pieces = {}, []
    for name, gamma in bandwidths(X).items():
        found = curves[name] = points(X, gamma, widths, 3 if fast else 5)
        rows = []
        for label in MAPS:
            mine = [p for p in found if p.name == label]
            rows.append([label, *(f"{p.error:.4f}, {p.time:.1f} ms" for p in mine)])
        pieces.append(f"gamma {name!r}\n\n" + table(["map", *map(str, widths)], rows))
    return "\n\n".join(pieces), curves


def plot(curves: dict[str, list[Point]], path: Path) -> None:
    """The curves as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    # Without this, the file would differ from run to run where nothing changed.
    matplotlib.rcParams["svg.hashsalt"] = "phimaps"
    matplotlib.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(curves), figsize=(11, 4.6), sharey=True)
    for axis, (gamma, found) in zip(np.atleast_1d(axes), curves.items(), strict=True):
        for label in MAPS:
            mine = [p for p in found if p.name == label]
            style = "--" if label.startswith("scikit") else "-"
            axis.loglog(
                [p.time for p in mine],
                [p.error for p in mine],
                style,
                marker="o",
                ms=3,
                label=label,
            )
        axis.set(title=f"gamma {gamma}", xlabel="time of fit and transform, ms")
        axis.grid(alpha=0.3, which="both")
    np.atleast_1d(axes)[0].set(ylabel="relative error of the Gram matrix")
    np.atleast_1d(axes)[-1].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def main(argv: list[str] | None = None) -> int:
    """Print the tables; draw them where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fast", action="store_true", help="few points and widths")
    parser.add_argument("--plot", type=Path, help="where to draw the curves")
    given = parser.parse_args(argv)
    text, curves = report(given.fast)
    print(text)
    if given.plot is not None:
        plot(curves, given.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
