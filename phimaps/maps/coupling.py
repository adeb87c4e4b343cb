"""A shear: some coordinates are moved by a function of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, sqrt
from typing import Any, ClassVar, final

import numpy as np
import torch

from ..errors import ParameterError
from ..interval import affine_range, multiply, singular_values, widen
from ..map import Fact, FeatureMap
from ..proof import Reason, Strength
from ..property import (
    Continuous,
    Homeomorphism,
    Injective,
    Lipschitz,
    LowerLipschitz,
    Smooth,
    Universal,
)
from ..spaces import Image, Space
from .invertible import Invertible, check_width, enclosing, shear_constants
from .lift import Lift
from .trained import COUNT, LESHNO, Trained
from .training import SETTINGS

__all__ = ["Coupling", "CouplingNetwork"]


@final
class Coupling(Invertible):
    """(x, t) ↦ (x, t + h(x)) with h(x) = tanh(x W + b) V, a shear of R^(m + D).

    Its inverse is the shear with -V, whatever h is, and its volume is preserved. As one layer of
    tanh units approximates every continuous h uniformly on compact sets, linear functions of it
    behind a `Lift` are universal, as a family.

    Parameters
    ----------
    weight : array-like or tensor of shape (m, n_hidden)
        The W.
    bias : array-like or tensor of shape (n_hidden,)
        The b.
    out : array-like or tensor of shape (n_hidden, D)
        The V.

    Raises
    ------
    ParameterError
        When an entry is not finite or the shapes do not fit; on first use.

    Notes
    -----
    The derivative is I + N with N² = 0 and |N| = |h'(x)| <= |W| |V| = η, since the slopes of tanh
    are at most 1. So its singular values lie between (√(η² + 4) ± η) / 2.

    References
    ----------
    Dinh, Krueger, Bengio (2015), NICE: non-linear independent components estimation.
    Leshno, Lin, Pinkus, Schocken (1993), Multilayer feedforward networks with a nonpolynomial
    activation function can approximate any function.

    Examples
    --------
    >>> phi = Coupling([[1.0]], [0.0], [[2.0]])
    >>> y = phi(np.array([[0.5, 3.0]]))
    >>> y.round(4), phi.inverse(y)
    (array([[0.5   , 3.9242]]), array([[0.5, 3. ]]))
    """

    weight: Any
    bias: Any
    out: Any

    arrays: ClassVar[dict[str, int]] = {"weight": 2, "bias": 1, "out": 2}

    def check_parameters(self) -> None:
        super().check_parameters()
        weight, bias, out = (self.array(name) for name in self.arrays)
        if not weight.shape[1] == len(bias) == len(out):
            raise ParameterError(
                "The parts of Coupling do not fit together.",
                got=f"weight of shape {weight.shape}, bias of shape {bias.shape}, out of shape "
                f"{out.shape}",
                need="shapes (m, n_hidden), (n_hidden,) and (n_hidden, D)",
                do="Coupling(weight, bias, out) adds tanh(x @ weight + bias) @ out",
            )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return (self.array("weight").shape[0] + self.array("out").shape[1],)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return self.takes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_width(self, x.shape)
        return sheared(x, self.weights(x), 1)

    def undo(self, y: torch.Tensor) -> torch.Tensor:
        return sheared(y, self.weights(y), -1)

    def image(self, on: Space) -> Image:
        weight, bias, out = (self.array(name) for name in self.arrays)
        low, high = on.bounds()
        m = len(weight)
        base, top = affine_range(low[:m], high[:m], weight, bias)
        hidden = widen(np.tanh(base), False), widen(np.tanh(top), True)
        moved = affine_range(hidden[0], hidden[1], out, np.zeros(out.shape[1]))
        with np.errstate(over="ignore"):
            outer = enclosing(
                np.concatenate([low[:m], widen(low[m:] + moved[0], False)]),
                np.concatenate([high[:m], widen(high[m:] + moved[1], True)]),
            )
        box = on.inner_box()
        whole = box is not None and bool(np.isinf(box.low).all() and np.isinf(box.high).all())
        return Image(outer, box if whole else None)

    def constants(self) -> tuple[float, float]:
        """Bounds below the lower and above the upper Lipschitz constant on R^(m + D)."""
        memo = self.memo
        if "constants" not in memo:
            sizes = [float(singular_values(self.array(n))[1].max()) for n in ("weight", "out")]
            memo["constants"] = shear_constants(multiply(sizes, up=True))
        return memo["constants"]

    def facts(self, on: Space) -> Iterator[Fact]:
        why = "(x, t + h(x)) gives x, then t; h is continuous"
        yield Continuous, why
        yield Injective, why
        yield Homeomorphism, why
        yield Smooth(inf), "tanh has derivatives of all orders"
        text = "the derivative is I + N with N² = 0, |N| <= |W| |V|, norms certified"
        shear = Reason(text, Strength.COMPUTED)
        yield Lipschitz(lambda: self.constants()[1]), shear
        yield LowerLipschitz(lambda: self.constants()[0]), shear

    @classmethod
    def example(cls) -> FeatureMap:
        return CouplingNetwork(n_hidden=3)


def sheared(x: torch.Tensor, parts: Any, sign: int) -> torch.Tensor:
    """(x, t ± tanh(x W + b) V)."""
    weight, bias, out = parts
    m = len(weight)
    moved = torch.tanh(torch.addmm(bias, x[:, :m], weight)) @ out
    return torch.cat([x[:, :m], x[:, m:] + sign * moved], dim=1)


@final
class CouplingNetwork(Trained):
    """x ↦ (z, h(z)), a `Lift` and then a `Coupling` of the standardized z, trained in fit; open.

    Linear functions of it are universal as n_hidden grows; of homeomorphisms of R^d they are not.

    Parameters
    ----------
    n_hidden : int, default 64
        How many tanh units h has.
    count : int, default 1
        How many values h has.
    <settings>

    References
    ----------
    Kratsios, Hyndman (2021), NEU: a meta-algorithm for universal UAP-invariant feature
    representation.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    >>> phi = CouplingNetwork(8, n_epochs=5).fit(X, X[:, 0] * X[:, 1])
    >>> phi.transform(X).shape, bool(np.allclose(phi.inverse(phi.transform(X)), X))
    ((50, 3), True)
    """

    n_hidden: int = 64
    count: int = 1
    loss: str = "auto"
    n_epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 0.01
    alpha: float = 1e-4
    random_state: Any = 0

    _parameter_constraints = {"n_hidden": [COUNT], "count": [COUNT]} | SETTINGS

    def start(self, d: int, rng: np.random.Generator) -> list[np.ndarray]:
        return [
            rng.standard_normal((d, self.n_hidden)) * sqrt(2 / d),
            rng.uniform(-1, 1, self.n_hidden),
            rng.standard_normal((self.n_hidden, self.count)) / sqrt(self.n_hidden),
        ]

    def features(self, x: torch.Tensor, arrays: Sequence[torch.Tensor]) -> torch.Tensor:
        weight, bias, out = arrays
        return torch.cat([x, torch.tanh(x @ weight + bias) @ out], dim=1)

    def layers(self, arrays: Sequence[np.ndarray]) -> list[FeatureMap]:
        return [Lift(self.count), Coupling(*arrays)]

    def facts(self, on: Space) -> Iterator[Fact]:
        why = "(z, h(z)) gives z back, and h is continuous"
        yield Continuous, why
        yield Injective, why
        yield Homeomorphism, why
        yield Smooth(inf), "tanh has derivatives of all orders"

    def upgrades(self, on: Space) -> Iterator[Fact]:
        if len(on.shape) == 1:
            text = "the last coordinate is any tanh(z W + b) V, and tanh is no polynomial"
            yield Universal, Reason(text, cite=LESHNO)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_hidden=3, n_epochs=2)
