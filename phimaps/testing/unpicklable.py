"""Why an object cannot be pickled: which attribute stands in the way."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

__all__ = ["unpicklable"]

# How deep attributes of attributes are looked at.
DEPTH = 4


def unpicklable(obj: Any, error: Exception) -> tuple[str, str]:
    """What stands in the way, by name, and the repair."""
    guilty = _culprit(obj)
    text = f"{guilty or ''} {error}"
    if "<lambda>" in text or "<locals>" in text or "local object" in text:
        at = f" in {guilty}" if guilty else ""
        return (
            f"A lambda, or a function made inside another{at}, cannot be pickled.",
            "write it as a function of a module, def name(X): ..., or use functools.partial of one",
        )
    at = f" because of {guilty}" if guilty else ""
    return (
        f"It cannot be pickled{at}.",
        "keep no generators, files, locks, hooks or handles among the attributes, or make them "
        "when they are needed and drop them in __getstate__",
    )


def _culprit(obj: Any, path: str = "", depth: int = DEPTH) -> str:
    """The path of the attribute that cannot be pickled, as deep as it can be told."""
    held = obj if isinstance(obj, dict) else getattr(obj, "__dict__", None)
    if isinstance(obj, list | tuple):
        held = {f"[{i}]": v for i, v in enumerate(obj)}
    if not held or depth == 0 or inspect.isroutine(obj):
        return path
    for name, value in held.items():
        try:
            pickle.dumps(value)
        except Exception:
            joined = f"{path}{name}" if str(name).startswith("[") else f"{path}.{name}".lstrip(".")
            return _culprit(value, joined, depth - 1)
    return path
