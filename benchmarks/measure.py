"""What the other scripts share: rounds of runs in turn, and the limits of the machine.

    python benchmarks/measure.py

prints the limits: floating-point operations of a matrix product, cosines from the cache,
and bytes written to memory that was touched before, each per second.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

# Fewer rounds than this give no median worth the name.
LEAST_ROUNDS = 3
# Seconds after which the threads of a run sleep, and the system has taken back its memory.
SETTLE = 0.15


def in_turn(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run in each round, after one round that is not counted.

    The runs take turns, so that whatever slows the machine down slows all of them. What a run
    returns is given back to the system between the clocks, and there is a pause: the threads of
    OpenBLAS spin for about 0.1 s after a product before they sleep, and the system is busy with
    large arrays for some milliseconds. Both would be charged to the next run.
    """
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(max(rounds, LEAST_ROUNDS)):
        for name, run in runs.items():
            start = time.perf_counter()
            result = run()
            times[name].append(time.perf_counter() - start)
            del result
            time.sleep(SETTLE)
    return times


@dataclass(frozen=True)
class Ratio:
    """How many times as long one run took as another, round by round.

    Parameters
    ----------
    median, low, high : float
        Of the ratios of the rounds.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f}x [{self.low:.2f}-{self.high:.2f}]"


def ratio(theirs: list[float], ours: list[float]) -> Ratio:
    """The paired ratios theirs / ours: above 1 where ours is faster."""
    each = [a / b for a, b in zip(theirs, ours, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))


def milliseconds(times: list[float]) -> float:
    """The median in milliseconds."""
    return 1e3 * statistics.median(times)


def _best(run: Callable[[], object], rounds: int = 7) -> float:
    return min(in_turn({"": run}, rounds)[""])


@cache
def flops(dtype: Any) -> float:
    """Floating-point operations per second of a product of two 2048 x 2048 matrices."""
    a = torch.ones((2048, 2048), dtype=dtype)
    out = torch.empty_like(a)
    return 2 * 2048**3 / _best(lambda: torch.mm(a, a, out=out))


@cache
def waves(dtype: Any) -> float:
    """Cosines per second of numbers in the cache of the processor."""
    size = 2**20 // torch.empty(0, dtype=dtype).element_size()
    x = torch.linspace(-9, 9, size, dtype=dtype)
    out = torch.empty_like(x)

    def run() -> None:
        for _ in range(50):
            torch.cos(x, out=out)

    return 50 * size / _best(run)


@cache
def writes() -> float:
    """Bytes per second written to memory that was touched before."""
    out = torch.from_numpy(np.zeros(2**27, dtype=np.uint8))
    return out.numel() / _best(lambda: out.fill_(1))


def table(head: list[str], rows: list[list[Any]]) -> str:
    """Rows as a Markdown table."""
    lines = [head, ["---"] * len(head), *([str(v) for v in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    rows = [
        [
            str(dtype).removeprefix("torch."),
            f"{flops(dtype) / 1e9:.0f}",
            f"{waves(dtype) / 1e9:.2f}",
        ]
        for dtype in (torch.float32, torch.float64)
    ]
    print(table(["numbers", "matrix product, Gflop/s", "cosines, 10⁹/s"], rows))
    print(f"writes to touched memory: {writes() / 1e9:.1f} GB/s")


if __name__ == "__main__":
    main()
