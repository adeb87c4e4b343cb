"""Random layers against independent ones: error at equal width, time at equal width and error.

The peer is what a user writes by hand, ``torch.relu(x @ W) * sqrt(2 / D)`` with independent normal
W; scikit-learn has no such map. Errors are relative, in the Frobenius norm of the kernel matrix,
and the mean over draws with their standard deviation. Times are of one process, in turn. The run
fails where independent features have the lower error.

    python benchmarks/relu.py [--fast]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

import numpy as np
import torch
from measure import flops, in_turn, milliseconds, ratio, table, writes
from sklearn.datasets import load_digits

import phimaps as pm

Rows = np.ndarray
Features = Callable[[Rows, int, int], Rows]


def digits(n: int) -> Rows:
    return load_digits().data[:n] / 16


def gauss(n: int) -> Rows:
    return np.random.default_rng(1).standard_normal((n, 64))


def spectrum(n: int) -> Rows:
    """Ten clusters in 784 coordinates whose sizes fall like a power."""
    rng = np.random.default_rng(2)
    centres = 0.7 * rng.standard_normal((10, 784))[rng.integers(10, size=n)]
    return (centres + rng.standard_normal((n, 784))) * np.arange(1, 785) ** -0.6


def by_hand(x: Rows, width: int, seed: int) -> Rows:
    weight = np.random.default_rng([7, seed]).standard_normal((x.shape[1], width))
    return np.maximum(x @ weight, 0) * sqrt(2 / width)


def by_tensor(x: Rows, width: int, seed: int) -> Rows:
    """Tangent features as two factors, steps ⊗ x, of independent directions."""
    rng, d = np.random.default_rng([7, seed]), x.shape[1]
    count = max(1, 3 * width // (4 * d))
    on = (x @ rng.standard_normal((d, count)) > 0) * sqrt(2 / count)
    gated = (on[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    return np.hstack([by_hand(x, width - gated.shape[1], seed + 1000), gated])


def by_favor(x: Rows, width: int, seed: int) -> Rows:
    """Positive features of exp(x·y) of independent directions."""
    weight = np.random.default_rng([7, seed]).standard_normal((x.shape[1], width))
    return np.exp(x @ weight - (x**2).sum(axis=1, keepdims=True) / 2) / sqrt(width)


def features(kind: Any, **options: Any) -> Features:
    return lambda x, width, seed: kind(width, random_state=seed, **options).fit_transform(x)


def errors(kernel: Rows, x: Rows, make: Features, width: int, draws: int) -> np.ndarray:
    size, found = np.linalg.norm(kernel), []
    for seed in range(draws):
        z = make(x, width, seed)
        found.append(np.linalg.norm(z @ z.T - kernel) / size)
    return np.array(found)


Line = tuple[list[str], float]


def error_lines(n: int, draws: int, widths: dict[str, int]) -> Iterator[Line]:
    """A line of the table, and how many times the error is lower."""
    data = {"digits": digits(n), "normal, d = 64": gauss(n), "spectrum, d = 784": spectrum(n)}
    relu, ntk = pm.kernels.ArcCosine(), pm.kernels.NTK()
    for name, x in data.items():
        width = widths[name]
        for layer, kernel, theirs, ours in (
            ("relu", relu(x), by_hand, features(pm.RandomRelu)),
            ("relu, folded", relu(x), by_hand, features(pm.RandomRelu, antithetic="folded")),
            ("tangent", ntk(x), by_tensor, features(pm.RandomNtk)),
        ):
            a, b = (errors(kernel, x, make, width, draws) for make in (theirs, ours))
            yield [name, layer, str(width), *_compared(a, b)], a.mean() / b.mean()
    x = digits(n) * sqrt(0.2)
    kernel = pm.kernels.Exponential()(x)
    a, b = (
        errors(kernel, x, make, widths["digits"], draws)
        for make in (by_favor, features(pm.PositiveRandomFeatures))
    )
    yield ["digits", "exp(0.2 x·y)", str(widths["digits"]), *_compared(a, b)], a.mean() / b.mean()


def _compared(theirs: np.ndarray, ours: np.ndarray) -> list[str]:
    shown = [f"{e.mean():.4f} ± {e.std(ddof=1):.4f}" for e in (theirs, ours)]
    return [*shown, f"{theirs.mean() / ours.mean():.1f}x"]


def equal_width(x: Rows, kernel: Rows, error: float, draws: int) -> int:
    """The least power of 2 at which our mean error is at most that one."""
    width = 2
    while errors(kernel, x, features(pm.RandomRelu), width, draws).mean() > error:
        width *= 2
    return width


def time_rows(n: int, d: int, width: int, less: int, dtype: Any, rounds: int) -> list[str]:
    """One line: the peer's time at `width`, ours there, ours with `out`, and ours at `less`."""
    x = np.random.default_rng(0).standard_normal((n, d)).astype(dtype)
    weight = torch.randn(d, width, dtype=torch.from_numpy(x).dtype)
    factor, tensor = sqrt(2 / width), torch.from_numpy(x)
    phi, narrow = (pm.RandomRelu(w).fit(x) for w in (width, less))
    out = np.zeros((n, width), dtype=dtype)
    times = in_turn(
        {
            "hand": lambda: torch.relu(tensor @ weight) * factor,
            "ours": lambda: phi.transform(x),
            "out": lambda: phi.transform(x, out=out),
            "less": lambda: narrow.transform(x),
        },
        rounds,
    )
    # One product of half the width, and every feature written once.
    bound = n * d * width / flops(weight.dtype) + out.nbytes / writes()
    product = n * d * width / flops(weight.dtype)
    best = min(times["out"])
    return [
        f"{n} x {d} -> {width}",
        np.dtype(dtype).name,
        f"{milliseconds(times['hand']):.1f} ms",
        f"{milliseconds(times['ours']):.1f} ms",
        str(ratio(times["hand"], times["ours"])),
        str(ratio(times["hand"], times["out"])),
        f"{product / best:.0%}, {bound / best:.0%}",
        f"{less}: {ratio(times['hand'], times['less'])}",
    ]


def main(arguments: list[str]) -> int:
    fast = "--fast" in arguments
    n, draws, rounds = (100, 3, 3) if fast else (1000, 8, 15)
    wide = {"digits": 2048, "normal, d = 64": 2048, "spectrum, d = 784": 3136}
    widths = {name: width // 4 if fast and width == 2048 else width for name, width in wide.items()}
    if fast:
        widths["spectrum, d = 784"] = 1000
    print("## Error at equal width\n")
    head = ["data", "features", "width", "independent", "ours", "ratio"]
    lines = list(error_lines(n, draws, widths))
    print(table(head, [line for line, _ in lines]))
    less = {}
    for name, x in (("digits", digits(n)), ("spectrum, d = 784", spectrum(n))):
        kernel = pm.kernels.ArcCosine()(x)
        theirs = errors(kernel, x, by_hand, widths[name], draws).mean()
        less[x.shape[1]] = equal_width(x, kernel, theirs, draws)
        print(f"\n{name}: {less[x.shape[1]]} of our features err less than {widths[name]} others.")
    print("\n## Time of the ReLU layer\n")
    head = [
        "rows", "numbers", "by hand", "ours", "ratio", "with `out`",
        "of the limit: product, product and writes", "ratio at no more error",
    ]  # fmt: skip
    shapes = [(500, 64, 512)] if fast else [(10_000, 64, 2048), (4_000, 784, 3136)]
    times = [
        time_rows(rows, d, width, less[d], dtype, rounds)
        for rows, d, width in shapes
        for dtype in (np.float32, np.float64)
    ]
    print(table(head, times))
    worse = [line for line, lower in lines if lower <= 1]
    for line in worse:
        print("WORSE:", ", ".join(line))
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
