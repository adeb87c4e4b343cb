"""A chain of layers that keep both signs, trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Any, final

import numpy as np
import torch

from ..errors import ParameterError, show
from ..map import Fact, FeatureMap
from ..proof import Reason
from ..property import Continuous, Homeomorphism, Injective, Universal
from ..spaces import Space
from .affine import Affine
from .pointwise import CRelu
from .trained import LESHNO, Trained
from .training import SETTINGS

__all__ = ["CReluNetwork"]


@final
class CReluNetwork(Trained):
    """x ↦ σ(W_n'…σ(W_1'z + b_1)… + b_n), σ = `CRelu`, W = [I V], of the standardized z; open.

    Each layer is injective: the singular values of [I V] are at least 1, and σ keeps both signs.
    Bound, it is a chain of `Affine` and `CRelu`.

    Parameters
    ----------
    widths : tuple of int, default (64,)
        How many columns each V has: n coordinates become 2 (n + width).
    <settings>

    References
    ----------
    Shang, Sohn, Almeida, Lee (2016), Understanding and improving convolutional neural networks via
    concatenated rectified linear units.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    >>> phi = CReluNetwork((3,), n_epochs=5).fit(X, X[:, 0] * X[:, 1])
    >>> phi.transform(X).shape, bool(np.allclose(phi.inverse(phi.transform(X)), X))
    ((50, 10), True)
    """

    widths: Any = (64,)
    loss: str = "auto"
    n_epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 0.003
    alpha: float = 1e-4
    random_state: Any = 0

    _parameter_constraints = {"widths": [tuple, list]} | SETTINGS

    def check_parameters(self) -> None:
        super().check_parameters()
        whole = all(isinstance(w, int | np.integer) and w >= 0 for w in self.widths)
        if not whole or not len(self.widths):
            raise ParameterError(
                "The 'widths' parameter of CReluNetwork must hold numbers of columns. Got "
                f"{show(self.widths)} instead.",
                got=f"widths={show(self.widths)}",
                need="at least one integer, none negative",
                do="CReluNetwork(widths=(64,))",
            )

    def start(self, d: int, rng: np.random.Generator) -> list[np.ndarray]:
        arrays = list[np.ndarray]()
        for width in self.widths:
            arrays.append(rng.standard_normal((d, width)) * sqrt(2 / d))
            arrays.append(np.concatenate([np.zeros(d), rng.uniform(-1, 1, width)]))
            d = 2 * (d + width)
        return arrays

    def features(self, x: torch.Tensor, arrays: Sequence[torch.Tensor]) -> torch.Tensor:
        for i in range(0, len(arrays), 2):
            z = torch.cat([x, x @ arrays[i]], dim=1) + arrays[i + 1]
            x = torch.cat([torch.relu(z), torch.relu(-z)], dim=1)
        return x

    def layers(self, arrays: Sequence[np.ndarray]) -> list[FeatureMap]:
        found: list[FeatureMap] = []
        for i in range(0, len(arrays), 2):
            weight = np.hstack([np.eye(len(arrays[i])), arrays[i]])
            found += [Affine(weight, arrays[i + 1]), CRelu()]
        return found

    def facts(self, on: Space) -> Iterator[Fact]:
        why = "[I V] and the concatenated rectifier are injective, and every scale is positive"
        yield Continuous, why
        yield Injective, why
        yield Homeomorphism, f"{why}; left inverses of both are continuous"

    def upgrades(self, on: Space) -> Iterator[Fact]:
        if len(on.shape) == 1:
            text = (
                "relu(z V + b) with any V stands among the last features, as the layers before "
                "lose nothing that is linear: t = relu(t) - relu(-t)"
            )
            yield Universal, Reason(text, cite=LESHNO)

    @classmethod
    def example(cls) -> FeatureMap:
        return cls((2,), n_epochs=2)
