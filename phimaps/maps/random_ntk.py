"""Random features of the neural tangent kernel of ReLU networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Any, ClassVar, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Real, StrOptions
from sklearn.utils._param_validation import Interval as Range

from ..drawn import RANDOM_STATE, Drawn, generator, seed_of
from ..errors import ParameterError, ShapeError
from ..interval import singular_values
from ..kernels import NTK, Kernel
from ..map import Concat, Fact, FeatureMap, Given, pipe
from ..map.items import rows_only
from ..property import Injective, PositivelyHomogeneous
from ..spaces import Space
from .affine import Affine
from .frames import SAMPLINGS, orthogonally
from .pointwise import Abs, Relu
from .random_relu import directions, last_row, rows
from .vector import Identity

__all__ = ["Gated", "RandomNtk"]

# A layer has at least one direction of each kind, both signs of it, and a constant.
LEAST = 5


@final
class Gated(FeatureMap):
    """x ↦ (|u|, sgn(u) ⊙ t) with u = x W + b of the first coordinates of x and t = x V + c.

    A linear function t_i of the point, switched by the side of a hyperplane on which it lies.

    Parameters
    ----------
    weight : array-like or tensor of shape (p, m)
        W; p <= d, so that the gates may depend on the first p coordinates only.
    bias : array-like or tensor of shape (m,)
        b.
    gain : array-like or tensor of shape (d, m)
        V.
    offset : array-like or tensor of shape (m,)
        c.
    linear : bool, default False
        Whether u and t are features as well: (u, |u|, t, sgn(u) ⊙ t).

    Examples
    --------
    >>> Gated([[1.0]], [0.0], [[2.0]], [1.0]).fit_transform([[-1.0], [3.0]])
    array([[1., 1.],
           [3., 7.]])
    """

    weight: Any
    bias: Any
    gain: Any
    offset: Any
    linear: bool = False

    arrays: ClassVar[dict[str, int]] = {"weight": 2, "bias": 1, "gain": 2, "offset": 1}
    _parameter_constraints = {"linear": ["boolean"]}

    def check_parameters(self) -> None:
        super().check_parameters()
        shapes = {name: self.array(name).shape for name in self.arrays}
        (p, m), (d, n) = shapes["weight"], shapes["gain"]
        if p > d or {m, n} != {*shapes["bias"], *shapes["offset"]} or m != n:
            raise ParameterError(
                "The arrays of Gated do not fit together.",
                got=", ".join(f"{name} of shape {shape}" for name, shape in shapes.items()),
                need="weight (p, m) and gain (d, m) with p <= d, bias and offset of shape (m,)",
                do="Gated(weight, bias, gain, offset) has a gate for every column of weight",
            )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return (self.array("gain").shape[0],)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (self.array("gain").shape[1] * (4 if self.linear else 2),)

    @property
    def sparse(self) -> bool:
        return True

    def _fitting(self, x: Any) -> tuple[torch.Tensor, ...]:
        like = x if isinstance(x, torch.Tensor) else torch.from_numpy(x.data[:0])
        arrays = self.weights(like)
        width = arrays[2].shape[0]
        if len(x.shape) != 2 or x.shape[1] != width:
            raise ShapeError(
                f"X has {x.shape[1]} features, but Gated is expecting {width} features as input.",
                got=f"shape {tuple(x.shape)}",
                need=f"shape (n, {width})",
                do="pass rows of that width; put Flatten() first for images",
            )
        return arrays

    def _features(self, u: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        gated = torch.sign(u) * t
        return torch.cat((u, u.abs(), t, gated) if self.linear else (u.abs(), gated), dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias, gain, offset = self._fitting(x)
        u = torch.addmm(bias, x[:, : len(weight)], weight)
        return self._features(u, torch.addmm(offset, x, gain))

    def forward_sparse(self, x: Any) -> torch.Tensor:
        weight, bias, gain, offset = self._fitting(x)
        u = torch.from_numpy(np.asarray(x[:, : len(weight)] @ weight.detach().numpy())) + bias
        t = torch.from_numpy(np.asarray(x @ gain.detach().numpy())) + offset
        return self._features(u, t)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        weight, bias, gain, offset = self._fitting(x)
        pieces = out.tensor_split(4 if self.linear else 2, dim=1)
        u = torch.addmm(bias, x[:, : len(weight)], weight, out=pieces[0] if self.linear else None)
        torch.abs(u, out=pieces[1 if self.linear else 0])
        t = torch.addmm(offset, x, gain, out=pieces[2 if self.linear else 1])
        if self.linear:
            torch.sign(u, out=pieces[3]).mul_(t)
        else:
            t.mul_(u.sign_())

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        # What one step writes is then still in a core's own cache when the next one reads it.
        return max(128, 2**19 // (self.array("weight").shape[1] * itemsize))

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        count = range(self.array("weight").shape[1])
        u, t = [f"u{i}" for i in count], [f"t{i}" for i in count]
        size, gated = [f"|u{i}|" for i in count], [f"sgn(u{i})·t{i}" for i in count]
        return u + size + t + gated if self.linear else size + gated

    def facts(self, on: Space) -> Iterator[Fact]:
        if not self.array("bias").any() and not self.array("offset").any():
            yield PositivelyHomogeneous(1), "sgn(su) st = s sgn(u) t for s > 0"
        gain = self.array("gain")
        if self.linear and gain.shape[1] >= gain.shape[0] and singular_values(gain)[0].min() > 0:
            yield Injective, "x V is among the features, and V has full rank, certified"

    @classmethod
    def example(cls) -> FeatureMap:
        return RandomNtk(n_components=6)


@final
class RandomNtk(FeatureMap):
    """x ↦ (x, |w_i·x| / √(2m), sgn(w_i·x) (v_i·x) / √(2m))_{i <= m}, tangent features; open.

    The inner product of two features estimates the neural tangent kernel of a ReLU network of one
    hidden layer without bias, E 2 relu(w·x) relu(w·y) + (x·y) E 2 1[w·x > 0] 1[w·y > 0].

    As relu(u) = (u + |u|) / 2 and 1[u > 0] = (1 + sgn u) / 2, pairs w, -w give x·y, exactly and
    once and for all, and the means of |w·x| |w·y| / 2 and of (x·y) sgn(w·x) sgn(w·y) / 2. For the
    product in the latter, each w has an independent v with E v vᵀ = I: one feature in place of the
    d coordinates of sgn(w·x) x, which would leave d times fewer directions w. The w and the v are
    tight frames (see `RandomRelu`).

    Parameters
    ----------
    n_components : int, default 100
        The number D of features. Below 3d/2, random projections take the place of x itself, and
        fewer than 5 features are random projections of 5, without bias all of them.
    depth : int, default 1
        The number of hidden layers. Further ones are random layers of features of the ones below,
        of one width: the estimate is then biased, and consistent as D grows.
    bias : float, default 0
        b >= 0, the standard deviation of the network's biases.
    sampling : {"auto", "iid", "orthogonal"}, default "auto"
        Whether the directions are independent; see `RandomRelu`.
    random_state : int, RandomState, Generator or None, default 0
        Seed of the directions. None draws anew at every binding.

    References
    ----------
    Jacot, Gabriel and Hongler (2018), Neural tangent kernel; Zandieh, Han, Avron, Shoham, Kim, Shin
    (2021), Scaling neural tangent kernels via sketching and random features, for features of the
    two factors that are sketched.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> z = RandomNtk(n_components=2000).fit_transform([x, y])
    >>> bool(abs(z[0] @ z[1] - 2 / np.pi) < 0.05)
    True
    """

    n_components: int = 100
    depth: int = 1
    bias: float = 0.0
    sampling: str = "auto"
    random_state: Any = 0

    _parameter_constraints = {
        "n_components": [Range(Integral, 1, None, closed="left")],
        "depth": [Range(Integral, 1, None, closed="left")],
        "bias": [Range(Real, 0, None, closed="left")],
        "sampling": [StrOptions(set(SAMPLINGS))],
        "random_state": RANDOM_STATE,
    }

    @property
    def random(self) -> bool:
        return self.random_state is None

    @property
    def sparse(self) -> bool:
        return True

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (int(self.n_components),)

    @property
    def estimates(self) -> Kernel | None:
        """The kernel that is the mean of the inner products; None for several layers."""
        return None if self.depth > 1 else NTK(depth=1, bias=float(self.bias))

    def close(self, x: Any, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        seed, d = seed_of(self.random_state), x.shape[1]
        total = max(int(self.n_components), LEAST)
        # What the gates of the next layer see is the first coordinates, with these factors.
        layer, scales = (
            self._first(d, total, seed)
            if self._holds(d)
            else self._next(np.ones(d), d, total, (seed, 0), extended=self.bias > 0)
        )
        layers = [layer]
        for place in range(1, int(self.depth)):
            layer, scales = self._next(scales, total, total, (seed, place), extended=False)
            layers.append(layer)
        if total > self.n_components:
            layers.append(Affine(Drawn(signs, total, int(self.n_components), (seed, 0, 4))))
        return pipe(*layers)

    def _holds(self, d: int) -> bool:
        """Whether x itself is among the features: below that, directions are worth more."""
        n, total = d + (self.bias > 0), max(int(self.n_components), LEAST)
        return total >= max(n + 2, 1.5 * n)

    def _columns(
        self, n: int, count: int, length: float, seed: tuple[int, ...], extended: bool
    ) -> tuple[Any, Any]:
        """Directions of R^n of a length, as a matrix and biases where x was extended by b."""
        orthogonal = orthogonally(self.sampling, n, count)
        weight = Drawn(directions, n, count, orthogonal, length, seed)
        if not extended:
            return weight, np.zeros(count)
        return Drawn(rows, weight, 0, n - 1), Drawn(last_row, weight, float(self.bias))

    def _first(self, d: int, total: int, seed: int) -> tuple[FeatureMap, np.ndarray]:
        """The layer that holds x itself."""
        b, extended = float(self.bias), self.bias > 0
        n = d + extended
        count, single = divmod(total - n, 2)
        sizes = sqrt(n / (2 * (count + single)))
        parts: list[FeatureMap] = [Identity()]
        scales = [sqrt(0.5)] * d
        if extended:
            # b² of x·y + b², and b² of the kernel of the layer.
            parts.append(Affine(np.zeros((d, 1)), [sqrt(2.0) * b]))
            scales.append(sqrt(0.75))
        if single:
            parts.append(Abs() @ Affine(*self._columns(n, 1, sizes, (seed, 0, 1), extended)))
        gates = self._columns(n, count, sizes, (seed, 0, 2), extended)
        gains = self._columns(n, count, sqrt(n / (2 * count)), (seed, 0, 3), extended)
        parts.append(Gated(*gates, *gains))
        return Concat(tuple(parts)), np.array(scales + [1.0] * (count + single))

    def _next(
        self, scales: np.ndarray, d: int, total: int, seed: tuple[int, ...], extended: bool
    ) -> tuple[FeatureMap, np.ndarray]:
        """A layer of random projections, of rows whose first coordinates the gates see, scaled."""
        b = float(self.bias)
        seen = len(scales) + extended
        count, single = divmod(total - (b > 0), 4)
        length = sqrt(seen / (2 * count + single))
        parts: list[FeatureMap] = []
        if single:
            alone = self._columns(seen, single, sqrt(2.0) * length, (*seed, 1), extended)
            parts.append(Relu() @ Affine(_padded(alone[0], scales, d), alone[1]))
        if b:
            parts.append(Affine(np.zeros((d, 1)), [b]))
        gates = self._columns(seen, count, length, (*seed, 2), extended)
        n = d + extended
        gains = self._columns(n, count, sqrt(n / (2 * count)), (*seed, 3), extended)
        parts.append(Gated(_scaled(gates[0], scales), gates[1], *gains, linear=True))
        layer = parts[0] if len(parts) == 1 else Concat(tuple(parts))
        return layer, np.ones(single + (b > 0) + 2 * count)

    def facts(self, on: Space) -> Iterator[Fact]:
        if not self.bias:
            yield PositivelyHomogeneous(1), "relu(su) = s relu(u) and sgn(su) st = s sgn(u) t"
        if self.depth == 1 and self._holds(on.size) and self.n_components >= LEAST:
            yield Injective, "x is among the features"

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_components=9)


def signs(rows: int, columns: int, seed: tuple[int, ...]) -> np.ndarray:
    """A random projection P of entries ±1/√columns: the mean of P Pᵀ is I."""
    drawn = generator(seed).integers(0, 2, (rows, columns))
    return (2.0 * drawn - 1.0) / sqrt(columns)


def _scaled(weight: Drawn, scales: np.ndarray) -> Any:
    return weight if (scales == 1).all() else Drawn(scaled_rows, weight, scales, len(scales))


def _padded(weight: Drawn, scales: np.ndarray, d: int) -> Any:
    return weight if len(scales) == d else Drawn(scaled_rows, weight, scales, d)


def scaled_rows(weight: Drawn, scales: np.ndarray, d: int) -> np.ndarray:
    """A drawn matrix with its rows multiplied by factors, and rows of zeros below."""
    out = np.zeros((d, weight.shape[1]))
    out[: len(scales)] = np.asarray(weight) * scales[:, None]
    return out
