"""The pytest plugin of phimaps: an option, and a summary of verdicts.

It stands outside the package and imports nothing of it: a test run that has nothing to do with
feature maps must not wait for torch.
"""

import os
from collections import Counter

import pytest

# What the checks of this process tell: see `phimaps.testing.session`.
ENTRIES = []


def pytest_addoption(parser):
    group = parser.getgroup("phimaps")
    group.addoption(
        "--phimaps-profile",
        choices=["quick", "ci", "thorough"],
        default=None,
        help="how hard the checks of feature maps try: 10, 50 or 500 examples each (default quick)",
    )


def pytest_configure(config):
    profile = config.getoption("--phimaps-profile")
    if profile:
        os.environ["PHIMAPS_PROFILE"] = profile


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    # The entries travel with the report of the test that made them, from workers too.
    if call.when == "call" and ENTRIES:
        item.user_properties.extend(("phimaps", entry) for entry in ENTRIES)
        ENTRIES.clear()


def pytest_terminal_summary(terminalreporter):
    entries = [
        entry
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, entry in report.user_properties
        if name == "phimaps"
    ]
    if not entries:
        return
    terminalreporter.section("phimaps: verdicts")
    by_object = {}
    for entry in entries:
        by_object.setdefault(entry["object"], []).append(entry)
    terminalreporter.line(f"{len(by_object)} objects: {_counted(entries)}")
    for name, told in by_object.items():
        failed = [entry for entry in told if entry["status"].startswith("failed")]
        if failed:
            terminalreporter.line(f"{name}: {_counted(told)}")
        for entry in failed:
            terminalreporter.line(f"  {entry['status']}: {entry['check']}")


def _counted(entries):
    counts = Counter(entry["status"] for entry in entries)
    return ", ".join(f"{n} {status}" for status, n in sorted(counts.items()))
