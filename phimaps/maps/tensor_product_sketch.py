"""A tensor product of maps, sketched to a given width."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Interval

from ..drawn import RANDOM_STATE, generator, seed_of
from ..map import Composite, FeatureMap, Given
from ..map.side import check_same_input
from ..rows import dense
from .vector import Identity

__all__ = ["TensorProductSketch"]


@final
class TensorProductSketch(Composite):
    """x ↦ S(f_1(x) ⊗ ... ⊗ f_n(x)), S a random sketch to D numbers that keeps inner products.

    The mean of ⟨φ(x), φ(y)⟩ over the sketches is Π_i ⟨f_i(x), f_i(y)⟩. S adds each entry of the
    tensor product, with a random sign, to one of D numbers; as the places are sums of places of
    the factors, S is the circular convolution of a sketch of each factor, and the product itself
    is never formed. The cost is that of the parts and O(D log D).

    Parameters
    ----------
    maps : tuple of FeatureMap
        f_1 ... f_n, all of the same point.
    n_components : int, default 100
        D.
    random_state : int, RandomState, Generator or None, default 0
        Seed of the places and signs. None draws anew at every binding.

    References
    ----------
    Pham and Pagh (2013), Fast and scalable polynomial kernels via explicit feature maps, for equal
    factors; Avron, Nguyen, Woodruff (2014), Subspace embeddings for the polynomial kernel, for the
    tensor product. Here the places of a factor are dealt without repetition as long as there are
    any, which lowers the variance; the mean needs independent signs only.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = TensorProductSketch((pm.Identity(), pm.Abs()), n_components=16)
    >>> z = phi.fit_transform([[1.0, 2.0]])
    >>> z.shape
    (1, 16)
    """

    maps: tuple[FeatureMap, ...]
    n_components: int = 100
    random_state: Any = 0

    _parameter_constraints = {
        **Composite._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "random_state": RANDOM_STATE,
    }

    @property
    def closed(self) -> bool:
        return super().closed and isinstance(self.random_state, Integral)

    @property
    def random(self) -> bool:
        return super().random or self.random_state is None

    @property
    def takes(self) -> tuple[int, ...] | None:
        return next((m.takes for m in self.maps if m.takes is not None), None)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (int(self.n_components),)

    def check_fit(self) -> None:
        check_same_input("*", self.maps)

    def close(self, x: Any, given: Given) -> FeatureMap:
        closed = super().close(x, given)
        closed.random_state = seed_of(self.random_state)
        return closed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.closed:
            return super().forward(x)
        return self._sketched([m.forward(x) for m in self.maps])

    def forward_sparse(self, x: Any) -> torch.Tensor:
        return self._sketched([dense(m.forward_sparse(x)) for m in self.maps])

    def _sketched(self, values: list[torch.Tensor]) -> torch.Tensor:
        width = int(self.n_components)
        spectrum: Any = 1.0
        for i, value in enumerate(values):
            flat = value.flatten(1)
            place, sign = self._placed(i, flat)
            sketch = flat.new_zeros((len(flat), width)).index_add(1, place, flat * sign)
            spectrum = torch.fft.rfft(sketch) * spectrum
        return torch.fft.irfft(spectrum, n=width)

    def places(self, part: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Where S puts the entries of a factor of this size, and with which signs."""
        width = int(self.n_components)
        rng = generator((int(self.random_state), part))
        dealt = [rng.permutation(width) for _ in range(0, size, width)]
        return np.concatenate(dealt)[:size], rng.choice([-1.0, 1.0], size)

    def _placed(self, part: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        size = like.shape[1]
        key = ("places", part, size, like.dtype, like.device)
        if key not in self._cache:
            place, sign = map(torch.from_numpy, self.places(part, size))
            self._cache[key] = place.to(like.device), sign.to(like)
        return self._cache[key]

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (int(self.n_components),)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return [f"{label}{i}" for i in range(prod(self.out_shape(shape)))]

    @classmethod
    def example(cls) -> Any:
        return cls((Identity(), Identity()), n_components=6)
