"""Laws of machines: other devices and other numbers of threads compute the same features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from ..check import register_check
from ..trial import Trial

__all__ = ["check_cuda", "check_threads"]

# On another device sums are taken in other orders and functions have other last digits: as many
# times the rounding of this machine is allowed.
DEVICE = 8.0
SEVERAL = 4


@register_check(needs=("tensors", "space"), once=True)
def check_cuda(trial: Trial) -> None:
    """On a CUDA device the features are those of the CPU, up to 8 times its rounding.

    They stay on the device. TensorFloat-32 is off meanwhile: it has 10 bits where float32 has 23.
    """
    if not torch.cuda.is_available():
        trial.skip("there is no CUDA device on this machine")
        return
    instance, X = trial.fresh(), trial.rows(24, 24)
    subject = trial.subject
    settings = torch.get_default_device(), torch.get_default_dtype()
    dtypes: list[np.dtype[Any]] = [np.dtype(np.float64), np.dtype(np.float32)]
    if subject.kind == "module" and any(True for _ in subject.obj.parameters()):
        dtypes = [subject.dtype]
    for dtype in dtypes:
        rows = X.astype(dtype)
        expected = instance.features(rows.copy())
        if not np.array_equal(expected, instance.features(rows.copy()), equal_nan=True):
            trial.skip("two calls differ already, see check_deterministic")
            return
        moved = trial.fresh().obj
        if subject.kind == "module":
            moved = moved.to("cuda")
        try:
            with _exact(), torch.no_grad():
                result: Any = moved(torch.from_numpy(rows).to("cuda"))
        except Exception as error:
            if subject.kind == "function":
                # Its constants are on the CPU; that is known at once, and no wrong number.
                trial.skip(f"it refuses tensors on CUDA: {error}")
                return
            trial.fail(
                "Tensors on CUDA are refused.",
                got=f"{type(error).__name__}: {error}",
                need="all that it computes with on the device of the rows",
                do="register_buffer for constants, nn.ModuleList for lists of layers, and .to(x) "
                "for tensors that are made in forward",
            )
            raise
        if not result.is_cuda:
            trial.fail(
                "Rows on CUDA have features on the CPU.",
                got=f"a tensor on {result.device}",
                need="features on the device of the rows",
                do="look for .cpu(), .numpy() and tensors that are made without device=x.device",
            )
        found = result.double().cpu().numpy().reshape(expected.shape)
        trial.close(
            found,
            expected,
            DEVICE * trial.tolerance(instance, rows),
            what=f"On CUDA a feature of {dtype.name} rows is another one than on the CPU.",
            do="look for random numbers that are drawn on the device, float16 and autocast",
        )
    if (torch.get_default_device(), torch.get_default_dtype()) != settings:
        torch.set_default_device(settings[0])
        torch.set_default_dtype(settings[1])
        trial.fail(
            "A call changes the default device or dtype of torch.",
            got="other defaults after the call",
            need="defaults as they were: all code in the process shares them",
            do="pass device=x.device and dtype=x.dtype instead",
        )


@register_check(once=True)
def check_threads(trial: Trial) -> None:
    """One thread and several give the same features, up to rounding."""
    instance, X = trial.fresh(), trial.rows(64, 64)
    with _threads(1):
        expected = instance.features(X.copy())
        again = instance.features(X.copy())
        if not np.array_equal(expected, again, equal_nan=True):
            trial.skip("two calls differ already, see check_deterministic")
            return
    with _threads(SEVERAL):
        found = instance.features(X.copy())
    if np.array_equal(found, expected, equal_nan=True):
        return
    trial.close(
        found,
        expected,
        trial.tolerance(instance, X),
        what=f"With {SEVERAL} threads a feature is another one than with one thread.",
        do="look for what threads share: a buffer, a generator of random numbers, a running sum",
    )


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    with threadpool_limits(number):
        torch.set_num_threads(number)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@contextmanager
def _exact() -> Iterator[None]:
    """float32 products with all digits of float32, for the time of a call."""
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, cudnn
