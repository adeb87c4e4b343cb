"""What all code in a process shares: generators of random numbers, and settings."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
import torch

__all__ = ["Settings", "changed_by", "restored", "settings"]

Settings = dict[str, tuple[Any, Callable[[], Any]]]


def settings() -> Settings:
    """What a process shares, by name: how it is now, and how to bring it back."""
    python, numpy_, torch_ = random.getstate(), np.random.get_state(), torch.get_rng_state()
    errors, printing, filters = np.geterr(), np.get_printoptions(), list(warnings.filters)
    dtype, grad, threads = (
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
    )
    config, folder, environ = sklearn.get_config(), os.getcwd(), dict(os.environ)

    def filtered() -> None:
        warnings.filters[:] = filters  # type: ignore[index]

    def surrounded() -> None:
        os.environ.clear()
        os.environ.update(environ)

    return {
        "Python's random numbers": (python, lambda: random.setstate(python)),
        "NumPy's global random numbers": (
            (numpy_[0], numpy_[1].tobytes(), *numpy_[2:]),  # type: ignore[index,union-attr]
            lambda: np.random.set_state(numpy_),
        ),
        "torch's global random numbers": (
            torch_.numpy().tobytes(),
            lambda: torch.set_rng_state(torch_),
        ),
        "how NumPy treats floating-point errors": (errors, lambda: np.seterr(**errors)),
        "how NumPy prints": (repr(printing), lambda: np.set_printoptions(**printing)),
        "which warnings are shown": (filters, filtered),
        "torch's default dtype": (dtype, lambda: torch.set_default_dtype(dtype)),
        "whether torch records gradients": (grad, lambda: torch.set_grad_enabled(grad)),
        "torch's number of threads": (threads, lambda: torch.set_num_threads(threads)),
        "scikit-learn's configuration": (config, lambda: sklearn.set_config(**config)),
        "the working folder": (folder, lambda: os.chdir(folder)),
        "the environment variables": (environ, surrounded),
    }


def restored(before: Settings) -> None:
    """Bring back what is no longer as it was."""
    now = settings()
    for name, (shown, back) in before.items():
        if now[name][0] != shown:
            back()


def changed_by(call: Callable[[], Any]) -> list[str]:
    """What a call changes, by name; all of it is as it was when this returns.

    It is called where random numbers, warnings and errors are as nobody else sets them: to set a
    seed, or to silence warnings, must show even if an earlier call did the same.
    """
    start = settings()
    found: list[str] = []
    try:
        # What is imported on first use may set up what it likes.
        call()
        for state in ("ignore", "warn"):
            restored(start)
            random.random()
            np.random.random()
            torch.rand(1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.filterwarnings("ignore", message="a warning that nobody gives")
                np.seterr(all=state)  # type: ignore[call-overload]
                before = settings()
                call()
                after = settings()
            found += [k for k, (shown, _) in before.items() if after[k][0] != shown]
    finally:
        restored(start)
    return list(dict.fromkeys(found))
