"""Settings of the whole library, per thread: where arrays are evaluated, and in what chunks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import torch

from .errors import ParameterError, show

__all__ = ["config_context", "get_config", "set_config"]

DEFAULTS: dict[str, Any] = {
    "device": None,
    "chunk_bytes": 32 * 2**20,
    "cache_bytes": 64 * 2**20,
    "progress": False,
}


class _Settings(threading.local):
    def __init__(self) -> None:
        self.values = dict(DEFAULTS)


_settings = _Settings()


def get_config() -> dict[str, Any]:
    """Return the settings of this thread.

    Returns
    -------
    dict
        A copy, with the keys ``device``, ``chunk_bytes``, ``cache_bytes`` and ``progress``.

    Examples
    --------
    >>> get_config()["chunk_bytes"]
    33554432
    """
    return dict(_settings.values)


def set_config(**settings: Any) -> None:
    """Change settings of this thread.

    Parameters
    ----------
    device : str, torch.device or None
        Where ``transform`` evaluates arrays. ``None``: where the map's own tensors live, else on
        the CPU.
    chunk_bytes : int
        Bytes of input and output that ``transform`` works on at a time, at most; on a CPU fewer,
        where its cache is smaller. Maps that write what they compute straight to the output (a
        matrix product, random features) may take up to eight times as much.
    cache_bytes : int
        Bytes of features of networks that are kept, so that rows which come again (in the folds
        and candidates of a grid search) are not computed again; 0: none. All threads share what is
        kept; `phimaps.cache.forget` gives it up.
    progress : bool or callable
        ``True`` prints chunked work to the standard error stream; a callable is called with
        ``(rows_done, rows_in_all)``.

    Raises
    ------
    ParameterError
        For an unknown setting or a value that it cannot take; nothing is changed then.

    Examples
    --------
    >>> set_config(chunk_bytes=2**20)
    >>> get_config()["chunk_bytes"]
    1048576
    >>> set_config(chunk_bytes=32 * 2**20)
    """
    _settings.values = {**_settings.values, **_checked(settings)}


@contextmanager
def config_context(**settings: Any) -> Iterator[None]:
    """Change settings inside a ``with`` block; see `set_config`.

    Examples
    --------
    >>> with config_context(chunk_bytes=1024):
    ...     get_config()["chunk_bytes"]
    1024
    """
    before = _settings.values
    set_config(**settings)
    try:
        yield
    finally:
        _settings.values = before


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    for name, value in settings.items():
        if name not in DEFAULTS:
            raise ParameterError(
                f"'{name}' is not a setting.",
                got=f"{name}={show(value)}",
                need=f"one of {', '.join(DEFAULTS)}",
                do="help(phimaps.set_config)",
            )
    size = settings.get("chunk_bytes", 1)
    if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
        raise ParameterError(
            "chunk_bytes must be a positive number of bytes.",
            got=f"chunk_bytes={show(size)}",
            need="an int of at least 1",
            do="set_config(chunk_bytes=32 * 2**20)",
        )
    kept = settings.get("cache_bytes", 0)
    if isinstance(kept, bool) or not isinstance(kept, Integral) or kept < 0:
        raise ParameterError(
            "cache_bytes must be a number of bytes.",
            got=f"cache_bytes={show(kept)}",
            need="an int of at least 0; 0 keeps nothing",
            do="set_config(cache_bytes=64 * 2**20)",
        )
    progress = settings.get("progress", False)
    if not isinstance(progress, bool) and not callable(progress):
        raise ParameterError(
            "progress must be a bool or a function.",
            got=f"progress={show(progress)}",
            need="True, False, or a function of (rows_done, rows_in_all)",
            do="set_config(progress=True)",
        )
    if settings.get("device") is not None:
        try:
            device = torch.device(settings["device"])
            # A device of a kind that this machine lacks is named without complaint.
            torch.empty(0, device=device)
            settings = {**settings, "device": device}
        except (RuntimeError, TypeError, AssertionError) as error:
            raise ParameterError(
                "device does not name a device of this machine.",
                got=f"device={show(settings['device'])}",
                need="None, or what torch.device takes",
                do="set_config(device='cpu') or set_config(device='cuda')",
            ) from error
    return settings
