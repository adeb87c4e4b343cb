"""What maps share that slide filters over an image: shapes, windows, names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from ..errors import ParameterError
from ..map import show
from .images import ImageMap, Window, pair

__all__ = ["SlidingFilters", "sliding"]


def sliding(owner: Any, kernel: tuple[int, int]) -> Window:
    """The window of a convolution with the parameters stride, padding and padding_mode."""
    stride = pair(owner, "stride", 1)
    circular = owner.padding_mode == "circular"
    if not isinstance(owner.padding, str):
        padding = pair(owner, "padding", 0)
        return Window(kernel, stride, padding, padding, circular)
    if owner.padding != "same" or stride != (1, 1):
        raise ParameterError(
            f"The 'padding' parameter of {type(owner).__name__} cannot be used.",
            got=f"padding={show(owner.padding)}, stride={show(owner.stride)}",
            need="an int >= 0, a pair of them, or 'same' with stride 1",
            do="set_params(padding='same', stride=1), or set_params(padding=1)",
        )
    before = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2)
    after = (kernel[0] - 1 - before[0], kernel[1] - 1 - before[1])
    return Window(kernel, stride, before, after, circular)


class SlidingFilters(ImageMap):
    """x ↦ (g(w, p) + b for each filter w and patch p of x), for filters that slide; abstract.

    Fields of a subclass: `weight` of shape (c_out, c_in, height, width), `bias` of shape (c_out,)
    or None for zeros, `stride`, `padding`, `padding_mode` and `in_shape`.
    """

    __slots__ = ()
    arrays: ClassVar[dict[str, int]] = {"weight": 4, "bias": 1}

    def _weight(self, name: str) -> torch.Tensor:
        if name == "bias" and self.bias is None:  # type: ignore[attr-defined]
            weight = super()._weight("weight")
            return torch.zeros(weight.shape[0], dtype=weight.dtype, device=weight.device)
        return super()._weight(name)

    def check_parameters(self) -> None:
        super().check_parameters()
        weight, bias = self.array("weight"), self.array("bias")
        if weight.shape[:1] != bias.shape or 0 in weight.shape:
            kind = type(self).__name__
            raise ParameterError(
                f"The bias of {kind} does not fit its weight.",
                got=f"weight of shape {weight.shape}, bias of shape {bias.shape}",
                need="weight of shape (c_out, c_in, height, width) and bias of shape (c_out,)",
                do=f"{kind}(weight, bias) with one bias for each filter",
            )

    def _shape(self) -> tuple[int, ...]:
        if "shape" not in self._cache:
            self._cache["shape"] = tuple(self._weight("weight").shape)
        return self._cache["shape"]

    @property
    def channels(self) -> int:
        return self._shape()[1]

    def channels_out(self, channels: int) -> int:
        return self._shape()[0]

    def window(self) -> Window:
        return sliding(self, self._shape()[2:])  # type: ignore[arg-type]

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        c, h, w = self.out_shape(shape)
        return [
            f"{label}[pre]:c{k}@({i},{j})" for k in range(c) for i in range(h) for j in range(w)
        ]
