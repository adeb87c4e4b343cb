"""Hand-built columns against hand-written NumPy, on a million rows.

Both run in one process, turn by turn, so that a busy machine slows both. Printed are the ratios of
the medians, and how near each comes to the time that the machine's memory would need at least: to
read the four columns once and to write the three results once, at the bandwidth measured here by
copying.

Run: ``python benchmarks/columns.py [rows]``. Exits with 1 when the map takes more than four times
as long as NumPy.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from phimaps.maps.columns import Columns

ROUNDS = 25
ALLOWED = 4.0


def main(rows: int) -> int:
    X = np.random.default_rng(0).uniform(1.0, 10.0, (rows, 4))
    x, names = torch.from_numpy(X), ("volume", "weight", "height", "width")
    expressions = ("1", "volume / weight", "height * width")
    plain = Columns(*expressions).over(*names)
    ranged = Columns(*expressions, weight=(0.1, 50), volume=(0, None)).over(*names)
    source, target = np.ones(7 * rows // 2), np.ones(7 * rows // 2)

    def numpy() -> np.ndarray:
        return np.column_stack([np.ones(rows), X[:, 0] / X[:, 1], X[:, 2] * X[:, 3]])

    def numpy_in_place() -> np.ndarray:
        out = np.empty((rows, 3))
        out[:, 0] = 1
        np.divide(X[:, 0], X[:, 1], out=out[:, 1])
        np.multiply(X[:, 2], X[:, 3], out=out[:, 2])
        return out

    def without_gradient(phi: Columns) -> Callable[[], torch.Tensor]:
        return torch.no_grad()(lambda: phi(x))

    contestants: dict[str, Callable[[], object]] = {
        # As many bytes are read and written as the task needs: 7 numbers a row.
        "memory limit (copy)": lambda: np.copyto(target, source),
        "numpy, column_stack": numpy,
        "numpy, into one array": numpy_in_place,
        "phi(x)": without_gradient(plain),
        "phi(x), ranges checked": without_gradient(ranged),
        "phi(x), gradients on": lambda: plain(x),
        "phi.transform(X)": lambda: plain.transform(X),
    }
    for phi in (plain, ranged):
        assert np.array_equal(phi.transform(X), numpy())
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    typical = {name: median(values) for name, values in times.items()}
    limit, reference = typical["memory limit (copy)"], typical["numpy, into one array"]
    print(f"{rows} rows, {torch.get_num_threads()} threads, medians of {ROUNDS} rounds")
    print(f"{'':26}{'ms':>8}{'x numpy':>10}{'of memory limit':>18}")
    for name, seconds in typical.items():
        print(f"{name:26}{seconds * 1e3:8.1f}{seconds / reference:10.2f}{limit / seconds:18.0%}")
    return int(typical["phi(x), ranges checked"] > ALLOWED * reference)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
