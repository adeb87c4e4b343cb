"""Waves of given frequencies, the closed map behind random Fourier features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, pi
from typing import Any, ClassVar, final

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, Real

from ..errors import ParameterError, ShapeError
from ..interval import multiply, root_sum_squares, singular_values
from ..map import Fact, FeatureMap
from ..map.codomain import Circle, Codomain
from ..proof import Reason, Strength
from ..property import Bounded, Continuous, Lipschitz, LowerLipschitz, Smooth
from ..spaces import Box, Image, Space
from .waves import waves

__all__ = ["Fourier"]

# A block of products of this many bytes stays in a cache; wider matrices need more rows at a time,
# as a product packs them anew each time.
PRODUCTS, LEAST_ROWS = 2**20, 256


@final
class Fourier(FeatureMap):
    """x ↦ s (cos((x - c) W), sin((x - c) W)), waves with given frequencies.

    Its kernel is s² Σ_i cos(w_i·(x - y)), whatever c is.

    Parameters
    ----------
    weight : array-like or tensor of shape (d, m)
        The frequencies, one in each column.
    scale : float, default 1
        s, not 0.
    center : array-like or tensor of shape (d,), optional
        c, 0 by default. In float32 the phases of data far from 0 lose digits, and those of their
        distances from a common point do not.
    precise : bool, default False
        Whether to compute the phases in float64 also for rows of float32: those of great
        frequencies are so large that float32 does not resolve them.

    Examples
    --------
    >>> Fourier([[1.0]]).fit_transform([[0.0]])
    array([[1., 0.]])
    """

    weight: Any
    scale: float = 1.0
    center: Any = None
    precise: bool = False

    arrays: ClassVar[dict[str, int]] = {"weight": 2, "center": 1}
    _parameter_constraints = {
        "scale": [Interval(Real, None, None, closed="neither")],
        "precise": ["boolean"],
    }

    def _weight(self, name: str) -> torch.Tensor:
        if name == "center" and self.center is None:
            weight = super()._weight("weight")
            return weight.new_zeros(weight.shape[0])
        return super()._weight(name)

    def check_parameters(self) -> None:
        super().check_parameters()
        weight, center = self.array("weight"), self.array("center")
        if weight.shape[0] != center.shape[0]:
            raise ParameterError(
                "The center of Fourier does not fit its weight.",
                got=f"weight of shape {weight.shape}, center of shape {center.shape}",
                need="weight of shape (d, m) and center of shape (d,)",
                do="Fourier(weight, center=None), for waves around 0",
            )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return (self.array("weight").shape[0],)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (2 * self.array("weight").shape[1],)

    @property
    def sparse(self) -> bool:
        return True

    @property
    def codomain(self) -> Codomain | None:
        weight, s = self.array("weight"), float(self.scale)
        if weight.shape != (1, 1) or not weight[0, 0] or not s:
            return None
        return Circle(s, float(weight[0, 0]), float(self.array("center")[0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._check_width(x.shape)
        dtype = x.dtype
        x = x.double() if self.precise else x
        weight, center = self.weights(x)
        phase = (x if self.center is None else x - center) @ weight
        return torch.cat((phase.cos(), phase.sin()), dim=1).to(dtype) * float(self.scale)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        self._check_width(x.shape)
        x = x.double() if self.precise else x
        weight, center = self._in_turns(x)
        m = weight.shape[1]
        turns = (x if self.center is None else x - center) @ weight
        waves(turns, out[:, :m], out[:, m:], float(self.scale))

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        d, m = self.array("weight").shape
        few = max(1, PRODUCTS // (m * itemsize))
        return few if d * m * itemsize <= PRODUCTS else max(few, LEAST_ROWS)

    def _in_turns(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The frequencies divided by 2π, and the center."""
        memo, key = self.memo, ("turns", x.dtype, x.device)
        if key not in memo:
            exact = self._weight("weight").detach().double() / (2 * pi)
            memo[key] = exact.to(x), self._weight("center").detach().to(x)
        return memo[key]

    def _check_width(self, shape: Any) -> None:
        d = self.array("weight").shape[0]
        if len(shape) != 2 or shape[1] != d:
            raise ShapeError(
                f"X has {shape[1] if len(shape) > 1 else 0} features, but Fourier is expecting "
                f"{d} features as input.",
                got=f"shape {tuple(shape)}",
                need=f"shape (n, {d})",
                do="pass rows of that width; put Flatten() first for images",
            )

    def forward_sparse(self, x: Any) -> torch.Tensor:
        self._check_width(x.shape)
        dtype = torch.float32 if x.dtype == np.float32 else torch.float64
        wide = torch.float64 if self.precise or self.center is not None else dtype
        weight, center = self._in_turns(torch.empty(0, dtype=wide))
        turns = torch.from_numpy(
            np.asarray((x.astype(np.float64) if wide != dtype else x) @ weight.numpy())
        )
        if self.center is not None:
            turns -= center @ weight
        m = weight.shape[1]
        out = torch.empty((x.shape[0], 2 * m), dtype=dtype)
        waves(turns, out[:, :m], out[:, m:], float(self.scale))
        return out

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        count = self.array("weight").shape[1]
        point = "x" if self.center is None else "(x - c)"
        return [f"{wave}(w{i}·{point})" for wave in ("cos", "sin") for i in range(count)]

    def image(self, on: Space) -> Image:
        reach = np.full(2 * self.array("weight").shape[1], abs(float(self.scale)))
        return Image(Box(-reach, reach))

    def facts(self, on: Space) -> Iterator[Fact]:
        weight, s = self.array("weight"), abs(float(self.scale))
        n, m = weight.shape
        yield Continuous, "sines and cosines of affine functions"
        yield Smooth(inf), "sines and cosines of affine functions"
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
        # That one imports this module.
        from .random_fourier import RandomFourier

        return RandomFourier(n_components=6)
