"""Every property is asked of random expressions, and every verdict attacked; any broken one fails.

    python benchmarks/soundness.py --expressions 20000 --jobs 2 --seed 0
    python benchmarks/soundness.py --again 450:42 450:44

Prints how often each property was proved, refuted and left open, every claim that an attack
contradicts, and every exception, with the seed and number of its expression; exits with 1 if there
is one. What is claimed to exist and was not found by a deep search is printed as not confirmed.
With --again only the expressions of these seeds and numbers are attacked.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Sequence
from multiprocessing import get_context

import torch

from phimaps.testing.campaign import Tally, campaign

# Expressions that one task takes; the seeds of the tasks follow from that of the campaign.
TASK = 50

# The seed, how many are drawn, how deep, and which of them are attacked; () for all.
Task = tuple[int, int, int, tuple[int, ...]]


def task(arguments: Task) -> Tally:
    """What one task came to."""
    torch.set_num_threads(1)
    tally = Tally()
    with warnings.catch_warnings():
        # An overflow or a lost value is a fault of the library, and shows.
        warnings.simplefilter("error")
        for told in campaign(arguments[1], arguments[0], arguments[2], arguments[3]):
            tally += told
    return tally


def table(tally: Tally) -> str:
    """Properties by verdicts."""
    counts, words = tally.counts, ("proved", "refuted", "unknown")
    names = sorted({key.split()[0] for key in counts if key.split()[-1] in words})
    width = max(map(len, names), default=0)
    lines = [" " * width + "".join(f"{word:>10}" for word in words)]
    for name in names:
        lines.append(f"{name:{width}}" + "".join(f"{counts[f'{name} {w}']:10}" for w in words))
    return "\n".join(lines)


def tasks(expressions: int, seed: int, depth: int, again: Sequence[str]) -> list[Task]:
    """The tasks of a campaign, or those that attack chosen expressions again."""
    chosen: dict[int, list[int]] = defaultdict(list)
    for entry in again:
        own, number = map(int, entry.split(":"))
        chosen[own].append(number)
    if chosen:
        return [(own, max(of) + 1, depth, tuple(of)) for own, of in chosen.items()]
    sizes = [TASK] * (expressions // TASK)
    if rest := expressions % TASK:
        sizes.append(rest)
    return [(1_000_000 * seed + TASK * i, n, depth, ()) for i, n in enumerate(sizes)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign; 1 when a claim broke or an expression failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--expressions", type=int, default=20000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--depth", type=int, default=5)
    parser.add_argument("--again", nargs="+", default=[], metavar="SEED:NUMBER")
    given = parser.parse_args(arguments)
    whole, start, shown = Tally(), time.perf_counter(), 0
    listed = tasks(given.expressions, given.seed, given.depth, given.again)
    with get_context("spawn").Pool(given.jobs) as pool:
        for told in pool.imap_unordered(task, listed):
            whole += told
            for word, lines in (
                ("not confirmed:", told.doubtful),
                ("BROKEN", told.broken),
                ("FAILED", told.failed),
            ):
                for line in lines:
                    print(f"{word} {line}", flush=True)
            if whole.counts["expressions"] // (5 * TASK) > shown:
                shown = whole.counts["expressions"] // (5 * TASK)
                spent = time.perf_counter() - start
                done, attacked = (whole.counts[k] for k in ("expressions", "attacked"))
                print(f"{done} expressions, {attacked} claims attacked, {spent:.0f} s", flush=True)
    print(table(whole))
    spent = time.perf_counter() - start
    print(
        f"{whole.counts['expressions']} expressions, {whole.counts['attacked']} claims attacked, "
        f"{len(whole.broken)} broken, {len(whole.doubtful)} not confirmed, "
        f"{len(whole.failed)} failed, {spent:.0f} s",
        flush=True,
    )
    return 1 if whole.broken or whole.failed or not whole.counts["attacked"] else 0


if __name__ == "__main__":
    sys.exit(main())
