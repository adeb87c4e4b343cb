"""Writing a page, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ..errors import OutputError

__all__ = ["check_folder", "write"]

DEMO = "python -m phimaps demo --out some/other/folder"


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Make the folder, and raise OutputError when files cannot be made in it."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _unwritable(Path(folder), error, DEMO) from None


def write(
    text: str,
    folder: str | os.PathLike[str],
    name: str = "report.html",
    do: str = DEMO,
) -> Path:
    """Write a file, whole or not at all.

    Parameters
    ----------
    text : str
    folder : path
        Made if it does not exist.
    name : str
    do : str
        What to do when it cannot be written.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    target = Path(folder) / name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".html")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            # A temporary file is private; the report is as public as any other new file.
            os.chmod(draft, 0o644)
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as error:
        raise _unwritable(target, error, do) from None
    return target


def _unwritable(path: Path, error: OSError, do: str) -> OutputError:
    return OutputError(
        f"The page cannot be written to {str(path)!r}.",
        got=error.strerror or str(error),
        need="a folder that can be made and written to",
        do=do,
    )
