"""What a test run asks of the checks, and what it is told: by plain data, so nothing is imported.

The pytest plugin is a module of its own, outside this package: it must cost nothing to those whose
tests have nothing to do with feature maps.
"""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["asked_profile", "tell"]

# The plugin writes the option of the test run here; people may set it too.
VARIABLE = "PHIMAPS_PROFILE"


def asked_profile() -> str:
    """The profile that the environment asks for; "quick" where it says nothing.

    Examples
    --------
    >>> asked_profile() in ("quick", "ci", "thorough")
    True
    """
    return os.environ.get(VARIABLE) or "quick"


def tell(entry: dict[str, Any]) -> None:
    """Add a line to the summary of the test run, where there is one."""
    plugin = sys.modules.get("phimaps_pytest")
    if plugin is not None:
        plugin.ENTRIES.append(entry)
