"""The operators of kernels, and what may stand at their sides."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..errors import OperandError, show
from ..map import FeatureMap, as_map, combinators
from .around import Power, Pullback, Scaled
from .base import Kernel, joined
from .dot import Constant, Linear
from .joint import Joint, Product, Sum

__all__ = ["adapters", "as_operand"]

# What may stand where a kernel is expected: each returns a kernel, or None if it cannot.
adapters: list[Callable[[Any], Kernel | None]] = []


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | np.number) and not isinstance(value, bool | np.bool_)


def _side(value: Any) -> str:
    return value.repr_in(2) if isinstance(value, Kernel) else show(value)


def as_operand(value: Any) -> Kernel | None:
    """The value as a kernel, translated if an adapter knows how; None if it cannot be one."""
    if isinstance(value, Kernel):
        return value
    return next((k for adapt in adapters if (k := adapt(value)) is not None), None)


def _operands(symbol: str, left: Any, right: Any) -> list[Kernel]:
    kernels = [as_operand(left), as_operand(right)]
    if None in kernels:
        maps = isinstance(left, FeatureMap) or isinstance(right, FeatureMap)
        raise OperandError(
            f"'{symbol}' joins kernels, and one side is not a kernel.",
            got=f"{_side(left)} {symbol} {_side(right)}",
            need="kernels, or positive numbers to add or to scale by",
            do="phi.kernel is the kernel of a map, kernel @ phi its pull-back"
            if maps
            else "pm.kernels.as_kernel(...) makes a kernel of a name or a function",
        )
    return kernels  # type: ignore[return-value]


def _positive(symbol: str, number: Any, left: Any, right: Any) -> float:
    if 0 < number < float("inf"):
        return float(number)
    raise OperandError(
        f"A kernel {'times' if symbol == '*' else 'plus'} {show(number)} is not a kernel.",
        got=f"{_side(left)} {symbol} {_side(right)}",
        need="a finite number > 0, else the result is not positive definite",
        do=f"a positive number: 2.0 {symbol} kernel",
    )


def _flat(kind: type[Joint], kernels: list[Kernel]) -> tuple[Kernel, ...]:
    return tuple(part for k in kernels for part in (k.kernels if isinstance(k, kind) else (k,)))


def _add(left: Any, right: Any) -> Kernel:
    for number, other in ((left, right), (right, left)):
        if _is_number(number) and number == 0 and isinstance(other, Kernel):
            # Python's `sum` begins with 0.
            return other
    sides = [
        Constant(_positive("+", v, left, right)) if _is_number(v) else v for v in (left, right)
    ]
    return Sum(_flat(Sum, _operands("+", *sides)))


def _multiply(left: Any, right: Any) -> Kernel:
    for number, other in ((left, right), (right, left)):
        if _is_number(number):
            factor = _positive("*", number, left, right)
            inner = as_operand(other)
            if isinstance(inner, Scaled):
                return Scaled(factor * float(inner.factor), inner.kernel)
            if inner is not None:
                return Scaled(factor, inner)
    return Product(_flat(Product, _operands("*", left, right)))


def _divide(kernel: Kernel, number: Any) -> Kernel:
    if _is_number(number) and 0 < number < float("inf"):
        return _multiply(1.0 / float(number), kernel)
    raise OperandError(
        "A kernel is divided by positive numbers only.",
        got=f"{_side(kernel)} / {_side(number)}",
        need="a finite number > 0",
        do="kernel / 2.0",
    )


def _subtract(left: Any, right: Any) -> Kernel:
    raise OperandError(
        "A difference of kernels is not a kernel in general: it may be indefinite.",
        got=f"{_side(left)} - {_side(right)}",
        need="sums, products and positive multiples of kernels",
        do="k(X, Y) - l(X, Y), if the matrix is meant",
    )


def _raise(kernel: Kernel, exponent: Any) -> Kernel:
    if isinstance(kernel, Power) and isinstance(exponent, Integral):
        kernel, exponent = kernel.kernel, int(exponent) * int(kernel.exponent)
    power = Power(kernel, exponent)
    power.check_parameters()
    return power


def _pull(kernel: Kernel, phi: Any) -> Kernel:
    wrapped = as_map(phi)
    if wrapped is None:
        raise OperandError(
            "'@' pulls a kernel back along a feature map, and this is not one.",
            got=f"{_side(kernel)} @ {show(phi)}",
            need="a map, a transformer, a torch module or a function",
            do="kernel * kernel multiplies kernels; kernel(X, Y) evaluates one",
        )
    if isinstance(kernel, Pullback):
        return Pullback(kernel.kernel, kernel.map @ wrapped)
    return Pullback(kernel, wrapped)


def _kernel_of(phi: FeatureMap) -> Pullback:
    return Pullback(Linear(), phi)


joined["+"] = _add
joined["*"] = _multiply
joined["/"] = _divide
joined["-"] = _subtract
joined["**"] = _raise
joined["@"] = _pull
combinators["kernel"] = _kernel_of
