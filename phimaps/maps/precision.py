"""Computing a network in fewer bits: where the hardware is made for it, and nowhere else.

Processors without instructions for short numbers convert them one by one: 25 times as slow as
float32 on one with AVX2, measured. So a precision is tried before it is used.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch.nn import functional
from torch.utils._python_dispatch import _disable_current_modes

from ..errors import ParameterError
from ..map import show

__all__ = ["PRECISIONS", "computing"]

PRECISIONS = (None, "float32", "bfloat16", "float16")
# The instructions that multiply short numbers, as `torch.cpu` names them, and as processors do.
_INSTRUCTIONS = {
    torch.bfloat16: (("_is_avx512_bf16_supported", "_is_amx_tile_supported"), "AVX512-BF16 or AMX"),
    torch.float16: (("_is_amx_fp16_supported",), "AMX-FP16"),
}
_ROUNDS = 5


def computing(precision: Any, device: torch.device) -> AbstractContextManager[Any]:
    """While it is active, convolutions and matrix products are computed in the precision.

    Parameters
    ----------
    precision : {None, "float32", "bfloat16", "float16"}
        None and ``"float32"`` change nothing; with the others torch decides which operations lose
        no accuracy that matters (autocast).
    device : torch.device
        Where the network is computed.

    Returns
    -------
    context manager

    Raises
    ------
    ParameterError
        For a precision that does not exist, or that the device cannot compute faster than float32;
        on processors that is measured, once in a process.

    Examples
    --------
    >>> with computing(None, torch.device("cpu")):
    ...     torch.ones(1, 1) @ torch.ones(1, 1)
    tensor([[1.]])
    """
    if precision not in PRECISIONS:
        raise ParameterError(
            "This precision does not exist.",
            got=f"precision={show(precision)}",
            need=f"one of {', '.join(map(repr, PRECISIONS))}",
            do="precision=None computes in the dtype of the data",
        )
    if precision in (None, "float32"):
        return nullcontext()
    dtype = getattr(torch, precision)
    reason = _slower(dtype, device.type)
    if reason is not None:
        raise ParameterError(
            f"Computing in {precision} is refused, as it would not be faster: {reason}.",
            got=f"precision={precision!r} on the device '{device.type}'",
            need=f"a GPU, or a processor with {_INSTRUCTIONS[dtype][1]}",
            do="precision=None",
        )
    return torch.autocast(device.type, dtype=dtype)


def _slower(dtype: torch.dtype, kind: str) -> str | None:
    """Why the device does not compute in this dtype faster than in float32; None if it does."""
    if kind == "cuda":
        known = dtype != torch.bfloat16 or torch.cuda.is_bf16_supported(including_emulation=False)
        return None if known else "the GPU has no instructions for it"
    if kind != "cpu":
        return f"nothing is known of devices of the kind {kind!r}"
    if not _has_instructions(dtype):
        return f"the processor has no {_INSTRUCTIONS[dtype][1]}"
    # Whoever watches the network is not to see this.
    with torch._C.DisableTorchFunction(), _disable_current_modes():
        factor = _times_as_long(dtype)
    return None if factor <= 1 else f"a convolution takes {factor:.1f} times as long"


def _has_instructions(dtype: torch.dtype) -> bool:
    tests = (getattr(torch.cpu, name, None) for name in _INSTRUCTIONS[dtype][0])
    return any(test is not None and test() for test in tests)


@cache
def _times_as_long(dtype: torch.dtype) -> float:
    """How long a convolution takes, with float32 as the unit: a few milliseconds' work."""
    weight = torch.zeros(64, 64, 3, 3).contiguous(memory_format=torch.channels_last)
    x = torch.zeros(4, 64, 28, 28).contiguous(memory_format=torch.channels_last)
    least = {True: float("inf"), False: float("inf")}
    for _ in range(_ROUNDS):
        for short in least:
            with torch.no_grad(), torch.autocast("cpu", dtype=dtype, enabled=short):
                start = time.perf_counter()
                functional.conv2d(x, weight, padding=1)
                least[short] = min(least[short], time.perf_counter() - start)
    return least[True] / least[False]
