"""Positive random features of the exponential kernel, and the Gaussian bumps that they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import e, exp, inf, log, sqrt
from typing import Any, ClassVar, final

import numpy as np
import scipy.sparse
import torch
from sklearn.utils._param_validation import Integral, Real, StrOptions
from sklearn.utils._param_validation import Interval as Range

from ..drawn import RANDOM_STATE, Drawn, generator, seed_of
from ..errors import ParameterError, ShapeError
from ..interval import singular_values
from ..kernels import RBF, Exponential, Kernel, Scaled
from ..kernels.scale import scale_gamma
from ..map import Fact, FeatureMap, Given
from ..map.items import rows_only
from ..property import Bounded, Continuous, Injective, Lipschitz, Smooth
from ..rows import dense_pieces
from ..spaces import Box, Image, Space
from .affine import Diagonal
from .frames import SAMPLINGS, frame, orthogonally

__all__ = ["Bumps", "PositiveRandomFeatures"]

# Relative; the sums of logarithms below are rounded, and then exp multiplies their error.
SLACK = 1e-9


@final
class Bumps(FeatureMap):
    """x ↦ exp(w_i·x + b_i + v·x - a|x|²), Gaussian bumps around (w_i + v) / (2a).

    Parameters
    ----------
    weight : array-like or tensor of shape (d, m)
        w_i, one in each column.
    bias : array-like or tensor of shape (m,)
        b_i.
    slope : array-like or tensor of shape (d,)
        v.
    decay : float, default 0.5
        a, positive.
    both : bool, default False
        Whether those with -w_i for w_i follow, so that there are 2m features.

    Examples
    --------
    >>> Bumps([[1.0]], [0.0], [0.0], both=True).fit_transform([[0.0], [1.0]]).round(4)
    array([[1.    , 1.    ],
           [1.6487, 0.2231]])
    """

    weight: Any
    bias: Any
    slope: Any
    decay: float = 0.5
    both: bool = False

    arrays: ClassVar[dict[str, int]] = {"weight": 2, "bias": 1, "slope": 1}
    _parameter_constraints = {
        "decay": [Range(Real, 0, None, closed="neither")],
        "both": ["boolean"],
    }

    def check_parameters(self) -> None:
        super().check_parameters()
        weight, bias, slope = (self.array(name) for name in self.arrays)
        if weight.shape != (len(slope), len(bias)):
            raise ParameterError(
                "The arrays of Bumps do not fit together.",
                got=f"weight of shape {weight.shape}, bias {bias.shape}, slope {slope.shape}",
                need="weight of shape (d, m), bias of shape (m,), slope of shape (d,)",
                do="Bumps(weight, bias, slope) has a bump for every column of weight",
            )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return (self.array("weight").shape[0],)

    @property
    def gives(self) -> tuple[int, ...] | None:
        return (self.array("weight").shape[1] * (1 + bool(self.both)),)

    @property
    def sparse(self) -> bool:
        return True

    def _fitting(self, x: Any) -> tuple[torch.Tensor, ...]:
        dtype = x.dtype if isinstance(x, torch.Tensor) else torch.from_numpy(x.data[:0]).dtype
        like = x if isinstance(x, torch.Tensor) else torch.empty(0, dtype=dtype)
        weight, bias, slope = self.weights(like)
        if len(x.shape) != 2 or x.shape[1] != weight.shape[0]:
            raise ShapeError(
                f"X has {x.shape[1]} features, but Bumps is expecting {weight.shape[0]} "
                "features as input.",
                got=f"shape {tuple(x.shape)}",
                need=f"shape (n, {weight.shape[0]})",
                do="pass rows of that width; put Flatten() first for images",
            )
        return weight, bias, slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias, slope = self._fitting(x)
        square = x.square().sum(1, keepdim=True)
        level = bias + (x @ slope[:, None] - float(self.decay) * square)
        return self._bumps(x @ weight, level)

    def forward_sparse(self, x: Any) -> torch.Tensor:
        weight, bias, slope = self._fitting(x)
        square = np.asarray(x.multiply(x).sum(axis=1)).reshape(-1, 1)
        along = np.asarray(x @ slope.detach().numpy()).reshape(-1, 1)
        level = bias + torch.from_numpy(along - float(self.decay) * square).to(bias)
        return self._bumps(torch.from_numpy(np.asarray(x @ weight.detach().numpy())), level)

    def _bumps(self, product: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        sides = (level + product, level - product) if self.both else (level + product,)
        return torch.exp(torch.cat(sides, dim=1))

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        weight, bias, slope = self._fitting(x)
        level = torch.mv(x, slope) - float(self.decay) * x.square().sum(1)
        sides = out.tensor_split(2, dim=1) if self.both else (out,)
        product = torch.mm(x, weight, out=None if self.both else out)
        if self.both:
            torch.sub(bias, product, out=sides[1])
        torch.add(bias, product, out=sides[0])
        for side in sides:
            side.add_(level[:, None]).exp_()

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        # What is added and subtracted is then still in a core's own cache.
        return max(128, 2**19 // (self.array("weight").shape[1] * itemsize))

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        signs = ("", "-") if self.both else ("",)
        count = self.array("weight").shape[1]
        return [f"bump({sign}w{i}·x)" for sign in signs for i in range(count)]

    def _peaks(self) -> np.ndarray:
        """The greatest value of each bump, whose logarithm is b_i + |w_i + v|²/(4a); rounded up."""
        weight, bias, slope = (self.array(name) for name in self.arrays)
        sides = [weight, -weight] if self.both else [weight]
        square = np.concatenate([((side + slope[:, None]) ** 2).sum(axis=0) for side in sides])
        height = np.concatenate([bias] * len(sides)) + square / (4 * float(self.decay))
        with np.errstate(over="ignore"):
            return np.exp(height + SLACK * (1 + square / float(self.decay) + np.abs(bias).max()))

    def image(self, on: Space) -> Image:
        peaks = self._peaks()
        return Image(Box(np.zeros_like(peaks), peaks))

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "exp of a polynomial"
        yield Smooth(inf), "exp of a polynomial"
        with np.errstate(over="ignore"):
            reach = float(np.linalg.norm(self._peaks())) * (1 + SLACK)
        if reach < inf:
            yield Bounded(reach), "a bump is greatest at its centre"
            steep = sqrt(2 * float(self.decay) / e) * reach * (1 + SLACK)
            yield Lipschitz(steep), "the slope of exp(-a|t|²) is at most √(2a/e)"
        weight = self.array("weight")
        if self.both:
            seen, why = weight, "log φ_i(x) - log φ_(m+i)(x) = 2 w_i·x, and the w_i span"
        else:
            seen, why = weight[:, 1:] - weight[:, :1], "log φ_i(x) / φ_1(x) are linear, and span"
        if seen.shape[1] < seen.shape[0]:
            return
        # Subtracting the columns moves a singular value by no more than this.
        slack = 4 * np.finfo(np.float64).eps * float(np.linalg.norm(weight)) * sqrt(seen.shape[1])
        if float(singular_values(seen)[0].min()) > slack:
            yield Injective, why

    @classmethod
    def example(cls) -> FeatureMap:
        return PositiveRandomFeatures(n_components=6, gamma=0.3)


@final
class PositiveRandomFeatures(FeatureMap):
    """x ↦ exp(±w_i·x' - |x'|²/2) / √D with x' = √γ x, positive random features; open.

    The inner product of two features estimates exp(γ x·y), the kernel of softmax attention, without
    bias, and no feature is ever negative, so that no estimate is. With w standard normal,
    E exp(w·(x' + y')) = exp(|x' + y'|²/2).

    Four things lower the error. The w_i are orthogonal in blocks, with the lengths of normal
    vectors. They come in pairs w, -w. And they are drawn from a wider law that fits the data: with
    A <= 0, exp(A|w|² + √(1 - 4A) w·x' - |x'|²/2) (1 - 4A)^(d/4) has the same mean, and the A is
    taken for which the second moment is least at the mean of |x' + y'|². Before that the mean μ of
    the data is subtracted, as exp(x·y) = exp(μ·x - |μ|²/2) exp((x - μ)·(y - μ)) exp(μ·y - |μ|²/2).

    Parameters
    ----------
    n_components : int, default 100
        The number D of features; with an odd one the last has no partner.
    gamma : float, "scale" or "auto", default 1.0
        γ; "scale" is 1 / (d Var X), "auto" is 1 / d, both as in scikit-learn. Attention has 1 / √d.
    normalise : bool, default False
        Whether to divide by √k(x, x) exactly. The inner products then estimate the Gaussian kernel
        exp(-γ |x - y|²/2), and cannot overflow.
    tilt : float or "auto", default "auto"
        A <= 0; 0 is the law of the cited paper. "auto" takes it from the data.
    centre : bool, default True
        Whether the mean of the data is subtracted; not from sparse rows, which it would fill.
    shift : float or "auto", default 0
        c; the features are multiplied by exp(-c), so *the kernel is multiplied by exp(-2c)*: a
        guard against overflow for models that do not mind a factor, as attention, where it cancels
        against the normaliser. "auto" makes the greatest feature of the data 1.
    sampling : {"auto", "iid", "orthogonal"}, default "auto"
        Whether the directions of the w_i are independent; see `RandomRelu`.
    antithetic : bool, default True
        Whether they come in pairs w, -w ("hyperbolic features").
    random_state : int, RandomState, Generator or None, default 0
        Seed of the w_i. None draws anew at every binding.

    References
    ----------
    Choromanski et al. (2021), Rethinking attention with performers, Lemma 1; Likhosherstov et al.
    (2022), Chefs' random tables: non-trigonometric random features (the factor A).

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[0.5, 0.0], [0.5, 0.5]])
    >>> z = PositiveRandomFeatures(n_components=4000).fit_transform([x, y])
    >>> bool(abs(z[0] @ z[1] - np.exp(0.25)) < 0.02), bool((z > 0).all())
    (True, True)
    """

    n_components: int = 100
    gamma: Any = 1.0
    normalise: bool = False
    tilt: Any = "auto"
    centre: bool = True
    shift: Any = 0.0
    sampling: str = "auto"
    antithetic: bool = True
    random_state: Any = 0

    _parameter_constraints = {
        "n_components": [Range(Integral, 1, None, closed="left")],
        "gamma": [Range(Real, 0, None, closed="neither"), StrOptions({"scale", "auto"})],
        "normalise": ["boolean"],
        "tilt": [Range(Real, None, 0, closed="right"), StrOptions({"auto"})],
        "centre": ["boolean"],
        "shift": [Range(Real, None, None, closed="neither"), StrOptions({"auto"})],
        "sampling": [StrOptions(set(SAMPLINGS))],
        "antithetic": ["boolean"],
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
        """The kernel that is the mean of the inner products; None where data give a factor."""
        if self.shift == "auto":
            return None
        if self.normalise:
            halved = self.gamma if isinstance(self.gamma, str) else float(self.gamma) / 2
            return None if isinstance(halved, str) else self._scaled(RBF(gamma=halved))
        return self._scaled(Exponential(gamma=self.gamma))

    def _scaled(self, kernel: Kernel) -> Kernel:
        return kernel if not self.shift else Scaled(exp(-2 * float(self.shift)), kernel)

    def close(self, x: Any, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        d = x.shape[1]
        gamma = {"scale": scale_gamma, "auto": lambda rows: 1.0 / rows.shape[1]}.get(
            self.gamma, lambda rows: float(self.gamma)
        )(x)
        middle = None
        if self.centre and not scipy.sparse.issparse(x):
            middle = x.detach().double().mean(0).cpu().numpy()
            x = x.detach().double() - torch.from_numpy(middle).to(x.device)
        tilt = best_tilt(x, gamma) if self.tilt == "auto" else float(self.tilt)
        slope = np.zeros(d) if middle is None or self.normalise else gamma * middle
        level = float(slope @ slope) / (2 * gamma)
        phi = self._bumps(slope, gamma, tilt, level)
        shift = _greatest(phi, x) if self.shift == "auto" else float(self.shift)
        phi = self._bumps(slope, gamma, tilt, level - shift) if shift else phi
        return phi if middle is None else phi @ Diagonal(np.ones(d), -middle)

    def _bumps(self, slope: np.ndarray, gamma: float, tilt: float, level: float) -> FeatureMap:
        """The features of centred rows; `slope` and `level` make up for the centring."""
        d, total, seed = len(slope), int(self.n_components), seed_of(self.random_state)
        level += d / 4 * log(1 - 4 * tilt) - log(total) / 2
        decay = gamma * (1.0 if self.normalise else 0.5)
        length = sqrt(gamma * (1 - 4 * tilt))

        def bumps(count: int, both: bool, seeds: tuple[int, ...]) -> FeatureMap:
            orthogonal = orthogonally(self.sampling, d, count)
            weight = Drawn(normals, d, count, orthogonal, length, seeds)
            bias = Drawn(heights, weight, tilt / length**2, level)
            return Bumps(weight, bias, slope, decay, both)

        if not self.antithetic:
            return bumps(total, False, (seed,))
        pairs, single = divmod(total, 2)
        if not single:
            return bumps(pairs, True, (seed,))
        last = bumps(1, False, (seed, 1))
        return bumps(pairs, True, (seed,)) & last if pairs else last

    def facts(self, on: Space) -> Iterator[Fact]:
        yield Continuous, "exp of polynomials, whatever the draw"
        yield Smooth(inf), "exp of polynomials, whatever the draw"

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_components=5, gamma=0.3)


def best_tilt(x: Any, gamma: float) -> float:
    """The A for which the second moment is least at the mean of |x' + y'|² over pairs of rows.

    With s = 1 - 8A it is (1 + s)^d s^(-d/2) exp((1 + 1/s) |x' + y'|²) up to factors, whose
    logarithm has the slope d/(1 + s) - d/(2s) - |x' + y'|²/s².
    """
    n, d = x.shape
    if scipy.sparse.issparse(x):
        square, mean = float(x.multiply(x).sum()), np.asarray(x.sum(axis=0)).ravel() / n
    else:
        rows = x.detach().double()
        square, mean = float(rows.square().sum()), rows.mean(0).cpu().numpy()
    both = gamma * 2 * (square / n + float(mean @ mean))
    s = (d + 2 * both + sqrt((d + 2 * both) ** 2 + 8 * d * both)) / (2 * d)
    return (1 - s) / 8


def _greatest(phi: FeatureMap, x: Any) -> float:
    """The logarithm of the greatest feature of the rows."""
    pieces = dense_pieces(x) if scipy.sparse.issparse(x) else x.split(1024)
    with torch.no_grad():
        return max(log(max(float(phi.forward(p.double()).max()), 1e-300)) for p in pieces)


def normals(
    d: int, count: int, orthogonal: bool, length: float, seed: tuple[int, ...]
) -> np.ndarray:
    """Columns that have the law of `length` times normal vectors, of shape (d, count)."""
    rng = generator(seed)
    directions = frame(rng, d, count, orthogonal)
    return (length * np.sqrt(rng.chisquare(d, count))[:, None] * directions).T


def heights(weight: Drawn, factor: float, level: float) -> np.ndarray:
    """factor |w_i|² + level for every column of a drawn matrix."""
    return factor * (np.asarray(weight) ** 2).sum(axis=0) + level
