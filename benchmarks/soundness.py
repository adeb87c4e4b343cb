"""Every property is asked of random expressions, and every verdict attacked; any broken one fails.

    python benchmarks/soundness.py --expressions 20000 --jobs 2 --seed 0

Prints how often each property was proved, refuted and left open, and every claim that an attack
contradicts, with the seed and number of its expression; exits with 1 if there is one. What is
claimed to exist and was not found by a deep search is printed as not confirmed.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from multiprocessing import get_context

import torch

from phimaps.testing.campaign import campaign

# Expressions that one task takes; the seeds of the tasks follow from that of the campaign.
TASK = 50


def task(arguments: tuple[int, int, int]) -> tuple[Counter[str], list[str], list[str]]:
    """The counts, the broken claims and the doubtful ones of one task."""
    seed, count, depth = arguments
    torch.set_num_threads(1)
    # An overflow or a lost value is a fault of the library, and shows.
    warnings.simplefilter("error")
    counts: Counter[str] = Counter()
    broken: list[str] = []
    doubtful: list[str] = []
    for told, lines, doubts in campaign(count, seed, depth):
        counts += told
        broken += lines
        doubtful += doubts
    return counts, broken, doubtful


def table(counts: Counter[str]) -> str:
    """Properties by verdicts."""
    words = ("proved", "refuted", "unknown")
    names = sorted({key.split()[0] for key in counts if key.split()[-1] in words})
    width = max(map(len, names), default=0)
    lines = [" " * width + "".join(f"{word:>10}" for word in words)]
    for name in names:
        lines.append(f"{name:{width}}" + "".join(f"{counts[f'{name} {w}']:10}" for w in words))
    return "\n".join(lines)


def main() -> int:
    """Run the campaign; 1 when a claim broke."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--expressions", type=int, default=20000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--depth", type=int, default=5)
    given = parser.parse_args()
    sizes = [TASK] * (given.expressions // TASK)
    if rest := given.expressions % TASK:
        sizes.append(rest)
    tasks = [(1_000_000 * given.seed + TASK * i, n, given.depth) for i, n in enumerate(sizes)]
    counts: Counter[str] = Counter()
    broken: list[str] = []
    doubtful: list[str] = []
    start = time.perf_counter()
    with get_context("spawn").Pool(given.jobs) as pool:
        for told, lines, doubts in pool.imap_unordered(task, tasks):
            counts += told
            broken += lines
            doubtful += doubts
            for line in doubts:
                print(f"not confirmed: {line}", flush=True)
            for line in lines:
                print(f"BROKEN {line}", flush=True)
            if counts["expressions"] % (20 * TASK) == 0:
                spent = time.perf_counter() - start
                print(f"{counts['expressions']} expressions, {spent:.0f} s", flush=True)
    print(table(counts))
    spent = time.perf_counter() - start
    print(
        f"{counts['expressions']} expressions, {counts['attacked']} claims attacked, "
        f"{len(broken)} broken, {len(doubtful)} not confirmed, {spent:.0f} s"
    )
    return 1 if broken or not counts["attacked"] else 0


if __name__ == "__main__":
    sys.exit(main())
