"""The command line: ``python -m phimaps demo`` and ``python -m phimaps theory``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .demo import run
from .demo.page import page
from .demo.tasks import Contest
from .errors import DependencyError, OutputError
from .page.saving import check_folder, write
from .theory import theory

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        The exit status: 0, or 2 when the command cannot do its work.
    """
    parser = argparse.ArgumentParser(
        prog="python -m phimaps", description="Feature maps, with what is proved about them."
    )
    commands = parser.add_subparsers(title="commands", dest="command")
    demo = commands.add_parser(
        "demo",
        help="compare feature maps on real data and write a page about them",
        description="Compare feature maps on the data sets that come with scikit-learn, decide "
        "what is known of each, and write DIR/report.html, one file that needs no network.",
    )
    demo.add_argument(
        "--out", metavar="DIR", default="phimaps-demo", help="where (default: %(default)s)"
    )
    commands.add_parser(
        "theory",
        help="print the theorems that decide uses, as Markdown",
        description="Print the properties and the table of theorems, as docs/theory.md holds it.",
    )
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.print_help()
        return 0
    if given.command == "theory":
        print(theory(), end="")
        return 0
    try:
        _demo(given.out)
    except (DependencyError, OutputError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _demo(out: str) -> None:
    check_folder(out)
    demo = run(say=lambda line: print(line, flush=True))
    path = write(page(demo), out)
    for contest in (demo.digits, demo.wine):
        print()
        print("\n".join(_table(contest)))
    print(f"\n{demo.seconds:.0f} s; the report: {path}")


def _table(contest: Contest) -> list[str]:
    rows = [f"{contest.task.name:<28} {'d':>5} {'errors':>8}  continuous injective universal"]
    for result in contest.results:
        known = {v.goal.name: v.word for v in result.verdicts}
        rows.append(
            f"{result.candidate.name:<28} {result.dimension:>5} {result.shown:>8}  "
            f"{known['Continuous']:<10} {known['Injective']:<9} {known['Universal']}"
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
