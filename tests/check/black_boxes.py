"""Functions of tensors whose injectivity is known, for searches that know nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi

import torch
from torch.nn import functional as F

import phimaps as pm


@dataclass(frozen=True)
class BlackBox:
    """A function on a space, and whether it is injective there."""

    name: str
    function: Callable[[torch.Tensor], torch.Tensor]
    on: pm.spaces.Space
    injective: bool


def line(low: float, high: float) -> pm.Box:
    return pm.Box([low], [high])


def box(n: int) -> pm.Box:
    return pm.Box([-1.0] * n, [1.0] * n)


def columns(*parts: torch.Tensor) -> torch.Tensor:
    return torch.stack(parts, dim=1)


def turned(x: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    a, b = x[:, 0], x[:, 1]
    return columns(a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos())


def random_layer(rows: int, n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, rows, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def through(weight: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: x @ weight.to(x)


WIDE, NARROW = random_layer(6, 2, 0), random_layer(1, 2, 1)
SQUARE3 = random_layer(3, 3, 2)

YES = [
    ("identity", lambda x: x, line(-1, 1)),
    ("square, half", lambda x: x**2, line(0, 1)),
    ("cube", lambda x: x**3, line(-1, 1)),
    ("fifth power", lambda x: x**5, line(-1, 1)),
    ("cube, lifted", lambda x: 1 + x**3, line(-1, 1)),
    ("exp", torch.exp, line(-3, 3)),
    ("sinh", torch.sinh, line(-1, 1)),
    ("tanh of 10 x", lambda x: torch.tanh(10 * x), line(-5, 5)),
    ("tanh of 40 x", lambda x: torch.tanh(40 * x), line(-1, 1)),
    ("sigmoid of 30 x", lambda x: torch.sigmoid(30 * x), line(-4, 4)),
    ("arctan of 100 x", lambda x: torch.atan(100 * x), line(-1, 1)),
    ("leaky relu", lambda x: F.leaky_relu(x, 0.01), line(-1, 1)),
    ("softplus", F.softplus, line(-20, 5)),
    ("elu", F.elu, line(-8, 2)),
    ("silu, increasing", F.silu, line(-1, 1)),
    ("waves that never turn", lambda x: x + 0.11 * torch.sin(9 * x), line(-1, 1)),
    ("cos, half a turn", lambda x: torch.cos(pi * x), line(0, 1)),
    ("circle, most of it", lambda x: torch.cat([torch.cos(x), torch.sin(x)], 1), line(0, 6)),
    ("tanhshrink", F.tanhshrink, line(-1, 1)),
    ("square and cube", lambda x: torch.cat([x**2, x**3], 1), line(-1, 1)),
    ("tent and line", lambda x: torch.cat([x.abs(), x], 1), line(-1, 1)),
    ("rotation", lambda x: turned(x, torch.full_like(x[:, 0], 0.7)), box(2)),
    ("twist", lambda x: turned(x, 2 * torch.exp(-3 * (x**2).sum(1))), box(2)),
    ("shear", lambda x: columns(x[:, 0] + x[:, 1] ** 2, x[:, 1]), box(2)),
    ("coupling", lambda x: columns(x[:, 0], x[:, 1] * torch.exp(x[:, 0])), box(2)),
    ("wide layer", through(WIDE), box(2)),
    ("tanh of a square layer", lambda x: torch.tanh(x @ SQUARE3.to(x)), box(3)),
    ("crelu", lambda x: torch.cat([F.relu(x), F.relu(-x)], 1), box(2)),
    ("small residual", lambda x: x + 0.2 * torch.sin(x.flip(1)), box(2)),
    ("all powers of two", lambda x: torch.cat([x, x**2, x[:, :1] * x[:, 1:]], 1), box(2)),
]
NO = [
    ("square", lambda x: x**2, line(-1, 1)),
    ("shifted square", lambda x: (x - 0.1) ** 2, line(-1, 1)),
    ("abs", torch.abs, line(-1, 1)),
    ("abs far to the side", lambda x: (x - 0.95).abs(), line(-1, 1)),
    ("relu", F.relu, line(-1, 1)),
    ("relu6", F.relu6, line(-1, 8)),
    ("hardtanh", F.hardtanh, line(-2, 3)),
    ("softshrink", F.softshrink, line(-1, 1)),
    ("gelu", F.gelu, line(-3, 1)),
    ("silu", F.silu, line(-5, 1)),
    ("mish", F.mish, line(-4, 1)),
    ("cos", torch.cos, line(-1, 1)),
    ("alias", lambda x: torch.cos(2 * pi * x), line(0, 1.5)),
    ("sine over the top", torch.sin, line(0, 3)),
    ("waves", lambda x: x + 0.3 * torch.sin(9 * x), line(-1, 1)),
    ("barely turning waves", lambda x: x + 0.15 * torch.sin(9 * x), line(-1, 1)),
    ("floor", torch.floor, line(0, 2.5)),
    ("steps", lambda x: torch.round(4 * x) / 4, line(-1, 1)),
    ("constant", lambda x: 0 * x + 1, line(-1, 1)),
    ("even pair", lambda x: torch.cat([x**2, x**4], 1), line(-1, 1)),
    (
        "figure eight",
        lambda x: torch.cat([torch.sin(x), torch.sin(2 * x)], 1),
        line(-0.5, 3.6),
    ),
    ("circle, all and more", lambda x: torch.cat([torch.cos(x), torch.sin(x)], 1), line(0, 7)),
    ("sum", lambda x: x.sum(1, keepdim=True), box(2)),
    ("norm", lambda x: x.norm(dim=1, keepdim=True), box(2)),
    ("sorted", lambda x: x.sort(dim=1).values, box(3)),
    ("softmax", lambda x: torch.softmax(x, 1), box(3)),
    ("narrow layer", through(NARROW), box(2)),
    ("relu of a square layer", lambda x: F.relu(x @ SQUARE3.to(x)), box(3)),
    ("abs of two", torch.abs, box(2)),
    ("squares and product", lambda x: torch.cat([x**2, x[:, :1] * x[:, 1:]], 1), box(2)),
    ("greatest", lambda x: x.max(dim=1, keepdim=True).values, box(4)),
    ("mean of four", lambda x: x.mean(1, keepdim=True), box(4)),
    ("polar fold", lambda x: columns(x[:, 0] ** 2 - x[:, 1] ** 2, 2 * x[:, 0] * x[:, 1]), box(2)),
    ("circles collapsed", lambda x: turned(x, -torch.atan2(x[:, 1], x[:, 0])), box(2)),
    ("centred", lambda x: x - x.mean(1, keepdim=True), box(3)),
]

BED = [BlackBox(name, function, on, True) for name, function, on in YES] + [
    BlackBox(name, function, on, False) for name, function, on in NO
]
