"""The command line: ``python -m phimaps check``, ``demo`` and ``theory``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .demo import run
from .demo.page import page
from .demo.tasks import Contest
from .errors import DependencyError, OutputError, PhimapsError
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
        The exit status: 0; 1 when a check failed; 2 when the command cannot do its work.
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
    check = commands.add_parser(
        "check",
        help="test what every feature map must do on one of yours",
        description="Run the checks of phimaps.testing on an object: a map, an estimator with fit "
        "and transform, a torch module or a function. The exit status is 1 when one fails.",
    )
    check.add_argument("path", metavar="module:object", help="what to test")
    check.add_argument("--domain", metavar="module:object", help="the space that it takes")
    check.add_argument("--low", type=float, help="the least coordinate (default -3)")
    check.add_argument("--high", type=float, help="the greatest coordinate (default 3)")
    check.add_argument("--features", type=int, help="the number of coordinates (default 4)")
    check.add_argument(
        "--claim", action="append", help="what is claimed, such as Injective or 'Lipschitz(2)'"
    )
    check.add_argument("--profile", choices=["quick", "ci", "thorough"], help="how hard to try")
    check.add_argument("--html", metavar="FILE", help="write the report there too")
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.print_help()
        return 0
    if given.command == "theory":
        print(theory(), end="")
        return 0
    if given.command == "check":
        return _check(given)
    try:
        _demo(given.out)
    except (DependencyError, OutputError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _check(given: argparse.Namespace) -> int:
    from .testing.command import checked

    try:
        report = checked(
            given.path,
            given.domain,
            given.low,
            given.high,
            given.features,
            given.claim,
            given.profile,
            given.html,
        )
    except (PhimapsError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(report)
    return 0 if report.passed else 1


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
