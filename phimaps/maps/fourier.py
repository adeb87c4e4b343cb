"""Random Fourier features of the Gaussian kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, pi, sqrt
from typing import Any, ClassVar, final

import numpy as np
import scipy.sparse
import torch
from sklearn.utils._param_validation import Integral, Interval, Real, StrOptions

from ..errors import ParameterError, ShapeError
from ..interval import multiply, root_sum_squares, singular_values
from ..map import Concat, Fact, FeatureMap, Given, Scale
from ..proof import Reason, Strength
from ..property import Bounded, Continuous, Lipschitz, LowerLipschitz, Smooth
from ..spaces import Box, Image, Space
from .affine import Affine
from .powers import Cos

__all__ = ["Fourier", "RandomFourier"]


@final
class Fourier(FeatureMap):
    """x ↦ s (cos(x W), sin(x W)), waves with given frequencies.

    Its kernel is s² Σ_i cos(w_i·(x - y)).

    Parameters
    ----------
    weight : array-like or tensor of shape (d, m)
        The frequencies, one in each column.
    scale : float, default 1
        s, not 0.

    Examples
    --------
    >>> Fourier([[1.0]]).fit_transform([[0.0]])
    array([[1., 0.]])
    """

    weight: Any
    scale: float = 1.0

    arrays: ClassVar[dict[str, int]] = {"weight": 2}
    _parameter_constraints = {"scale": [Interval(Real, None, None, closed="neither")]}

    @property
    def takes(self) -> tuple[int, ...] | None:
        return (self.array("weight").shape[0],)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (2 * self.array("weight").shape[1],)

    @property
    def sparse(self) -> bool:
        return True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (weight,) = self.weights(x)
        if x.ndim != 2 or x.shape[1] != weight.shape[0]:
            raise ShapeError(
                f"X has {x.shape[1]} features, but Fourier is expecting {weight.shape[0]} "
                "features as input.",
                got=f"shape {tuple(x.shape)}",
                need=f"shape (n, {weight.shape[0]})",
                do="pass rows of that width; put Flatten() first for images",
            )
        return self._waves(x @ weight)

    def forward_sparse(self, x: Any) -> torch.Tensor:
        dtype = torch.float32 if x.dtype == np.float32 else torch.float64
        (weight,) = self.weights(torch.empty(0, dtype=dtype))
        return self._waves(torch.from_numpy(np.asarray(x @ weight.numpy())))

    def _waves(self, phase: torch.Tensor) -> torch.Tensor:
        if phase.requires_grad:
            return torch.cat((phase.cos(), phase.sin()), dim=1) * float(self.scale)
        # Both halves are written in place: a concatenation would touch every page twice.
        m = phase.shape[1]
        out = torch.empty((len(phase), 2 * m), dtype=phase.dtype, device=phase.device)
        torch.cos(phase, out=out[:, :m])
        torch.sin(phase, out=out[:, m:])
        return out.mul_(float(self.scale))

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        count = self.array("weight").shape[1]
        return [f"{wave}(w{i}·x)" for wave in ("cos", "sin") for i in range(count)]

    def image(self, on: Space) -> Image:
        reach = np.full(2 * self.array("weight").shape[1], abs(float(self.scale)))
        return Image(Box(-reach, reach))

    def facts(self, on: Space) -> Iterator[Fact]:
        weight, s = self.array("weight"), abs(float(self.scale))
        n, m = weight.shape
        yield Continuous, "sines and cosines of linear functions"
        yield Smooth(inf), "sines and cosines of linear functions"
        norm = root_sum_squares([s] * m, up=True)
        yield Bounded(norm), Reason("cos² + sin² = 1 in each pair", Strength.COMPUTED)
        yield (
            (~Bounded)(root_sum_squares([s] * m, up=False)),
            Reason("cos² + sin² = 1 in each pair", Strength.COMPUTED),
        )
        why = Reason(
            "s times the greatest singular value of W, certified: |2 sin(t/2)| <= |t| in each pair",
            Strength.COMPUTED,
        )
        yield Lipschitz(lambda: multiply([s, float(singular_values(weight)[1].max())], True)), why
        if on.interior:
            attained = Reason(
                "the derivative J has JᵀJ = s² W Wᵀ at every point", Strength.COMPUTED
            )
            yield (
                (~Lipschitz)(lambda: multiply([s, float(singular_values(weight)[0].max())], False)),
                attained,
            )
            if m >= n:
                yield (
                    (~LowerLipschitz)(
                        lambda: multiply([s, float(singular_values(weight)[1].min())], True)
                    ),
                    attained,
                )
        if m >= n:
            yield from self._short_of_a_period(on, weight, s)

    def _short_of_a_period(self, on: Space, weight: np.ndarray, s: float) -> Iterator[Fact]:
        low, high = (b.ravel() for b in on.bounds())
        length = np.linalg.norm(weight, axis=0)
        with np.errstate(invalid="ignore"):
            travel = (high - low) @ np.abs(weight)
            if on.euclidean:
                travel = np.minimum(travel, on.diameter * length)
        travel = np.where(np.isnan(travel), inf, travel) * (1 + 1e-9)
        short = travel < 2 * pi * (1 - 1e-9)
        if not short.any() or not travel.any():
            return
        kept = np.where(short & (travel > 0), travel, 1.0)
        shrink = np.where(short, np.where(travel > 0, 2 * np.sin(kept / 2) / kept, 1.0), 0.0)
        seen = weight * (shrink * (1 - 1e-9))
        text = (
            f"{int(short.sum())} of {len(short)} frequencies travel less than 2π over the space; "
            "on a travel of T, 2 |sin(t/2)| >= |t| 2 sin(T/2) / T"
        )

        def lower() -> float:
            # The rounding of the products moves a singular value by no more than this.
            slack = 4 * np.finfo(np.float64).eps * float(np.linalg.norm(seen))
            return multiply([s, max(0.0, float(singular_values(seen)[0].min()) - slack)], False)

        yield LowerLipschitz(lower), Reason(text, Strength.COMPUTED)

    @classmethod
    def example(cls) -> FeatureMap:
        return RandomFourier(n_components=6)


@final
class RandomFourier(FeatureMap):
    """x ↦ √(2/D) (cos(w_i·x), sin(w_i·x))_{i <= D/2}, random Fourier features; open.

    The inner product of two features estimates the Gaussian kernel exp(-γ |x - y|²) without bias.

    Parameters
    ----------
    n_components : int, default 100
        The number D of features. An odd one ends in a single cosine with a random phase.
    gamma : float or "scale", default "scale"
        γ; "scale" is 1 / (d Var X), as in scikit-learn.
    orthogonal : bool, default True
        Whether the frequencies are orthogonal in blocks of d, with the lengths of independent
        ones, which lowers the error at no cost.
    random_state : int or None, default 0
        Seed of the frequencies. None draws anew at every binding.

    References
    ----------
    Rahimi and Recht (2007), Random features for large-scale kernel machines; Yu, Suresh,
    Choromanski, Holtmann-Rice, Kumar (2016), Orthogonal random features.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> z = RandomFourier(n_components=4000, gamma=0.5).fit_transform(X)
    >>> bool(abs(z[0] @ z[1] - np.exp(-0.5)) < 0.03)
    True
    """

    n_components: int = 100
    gamma: Any = "scale"
    orthogonal: bool = True
    random_state: Any = 0

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "gamma": [StrOptions({"scale"}), Interval(Real, 0, None, closed="neither")],
        "orthogonal": ["boolean"],
        "random_state": [Interval(Integral, 0, None, closed="left"), None],
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

    def check_parameters(self) -> None:
        super().check_parameters()
        if isinstance(self.gamma, Real) and not np.isfinite(float(self.gamma)):
            raise ParameterError(
                "The 'gamma' parameter of RandomFourier must be finite.",
                got=f"gamma={self.gamma!r}",
                need="a finite number > 0, or 'scale'",
                do="set_params(gamma='scale')",
            )

    def close(self, x: Any, given: Given) -> FeatureMap:
        if len(x.shape) != 2:
            raise ShapeError(
                "RandomFourier takes rows of numbers.",
                got=f"items of shape {tuple(x.shape[1:])}",
                need="shape (n, d)",
                do="pm.RandomFourier() @ pm.Flatten()",
            )
        d, total = x.shape[1], int(self.n_components)
        gamma = _scale_gamma(x) if self.gamma == "scale" else float(self.gamma)
        rng = np.random.default_rng(self.random_state)
        m, odd = divmod(total, 2)
        count = m + odd
        weight = sqrt(2 * gamma) * (
            _orthogonal(rng, d, count) if self.orthogonal else rng.standard_normal((d, count))
        )
        scale = sqrt(2.0 / total)
        pairs = Fourier(weight[:, :m], scale)
        if not odd:
            return pairs
        phase = rng.uniform(0, 2 * pi, size=1)
        single = Scale(scale, Cos() @ Affine(weight[:, m:], phase))
        return Concat((pairs, single), verbose_feature_names_out=False) if m else single

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "sines and cosines of linear functions, whatever the draw"
        yield Smooth(inf), "sines and cosines of linear functions, whatever the draw"
        norm = sqrt((self.n_components + 1) / self.n_components) if self.n_components % 2 else 1.0
        yield Bounded(norm * (1 + 1e-12)), "cos² + sin² = 1 in each pair, whatever the draw"


def _orthogonal(rng: np.random.Generator, d: int, m: int) -> np.ndarray:
    """Columns that are orthogonal in blocks of d and have the lengths of Gaussian vectors."""
    blocks = []
    for start in range(0, m, d):
        q, r = np.linalg.qr(rng.standard_normal((d, d)))
        # The sign correction makes the distribution uniform (Haar).
        q = q * np.sign(np.diag(r))
        blocks.append(q[:, : min(d, m - start)])
    directions = np.concatenate(blocks, axis=1)
    return directions * np.sqrt(rng.chisquare(d, size=m))


def _scale_gamma(x: Any) -> float:
    """1 / (d Var X) over all entries, in float64 and in two passes."""
    n, d = x.shape
    if scipy.sparse.issparse(x):
        values = x.data.astype(np.float64)
        mean = values.sum() / (n * d)
        spread = ((values - mean) ** 2).sum() + (n * d - values.size) * mean**2
        variance = spread / (n * d)
    else:
        variance = float(x.double().var(correction=0))
    return 1.0 / (d * variance) if variance > 0 else 1.0
