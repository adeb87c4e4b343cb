"""The radial twist: rotations of spheres around a point, each by an angle of its own."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, e, inf, isinf, sqrt
from typing import Any, ClassVar, final

import numpy as np
import torch

from ..errors import ParameterError
from ..interval import EPS, add, norm_bound, singular_values, widen
from ..map import Fact, FeatureMap
from ..proof import Reason, Strength
from ..property import Continuous, Homeomorphism, Injective, Lipschitz, LowerLipschitz, Smooth
from ..spaces import Box, Image, Space
from .invertible import Invertible, check_width, enclosing, shear_constants

__all__ = ["Twist", "check_twist", "skew", "turned"]

# Each step turns by one radian at most, where this many terms leave out less than 1/19! = 8e-18.
TERMS = 18
# Angles beyond it cost too many steps.
GREATEST_TURN = 1000.0


def skew(generators: Any) -> Any:
    """The G_k - G_kᵀ, exactly skew-symmetric in floating point too."""
    return generators - generators.swapaxes(-1, -2)


def turned(
    x: torch.Tensor, centre: torch.Tensor, rotations: torch.Tensor, widths: torch.Tensor, sign: int
) -> torch.Tensor:
    """x moved by exp(± Σ ψ_k(|x - c|) A_k) around c, for the skew-symmetric A_k given.

    Differentiable in everything, also where A_k has equal eigenvalues.
    """
    v, moved = x - centre, x
    # A skew-symmetric matrix has its singular values in pairs.
    most = float(rotations.detach().flatten(1).norm(dim=1).sum()) / sqrt(2)
    steps = ceil(min(most, GREATEST_TURN)) if most > 1 else 1
    profiles = [
        torch.exp(-((v / width) ** 2).sum(dim=1, keepdim=True) / 2) * (sign / steps)
        for width in widths
    ]
    for _ in range(steps):
        gain = (
            _powers(v, profiles[0], rotations[0])
            if len(profiles) == 1
            else _products(v, profiles, rotations)
        )
        v, moved = v + gain, moved + gain
    return moved


def _powers(v: torch.Tensor, profile: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """Σ_j (ψA)^j v / j! for j >= 1, with one product of the rows and all powers of A."""
    # A row times Aᵀ = -A.
    powers = -rotation[None]
    while len(powers) < TERMS:
        powers = torch.cat([powers, powers @ powers[-1]])
    side = powers[:TERMS].permute(1, 0, 2).reshape(len(rotation), -1)
    # The profile comes first, so that it tames what would overflow.
    terms = ((profile * v) @ side).reshape(len(v), TERMS, -1)
    j = torch.arange(TERMS, dtype=v.dtype, device=v.device)
    return (terms * (profile**j * torch.exp(-torch.lgamma(j + 2)))[:, :, None]).sum(dim=1)


def _products(
    v: torch.Tensor, profiles: list[torch.Tensor], rotations: torch.Tensor
) -> torch.Tensor:
    """Σ_j S^j v / j! for j >= 1, for the S = Σψ_k A_k of each row."""
    term, gain = v, torch.zeros_like(v)
    for j in range(1, TERMS + 1):
        parts = ((p * term) @ -a for p, a in zip(profiles, rotations, strict=True))
        term = sum(parts, torch.zeros_like(v)) / j
        gain = gain + term
    return gain


@final
class Twist(Invertible):
    """x ↦ c + exp(Σ ψ_k(|x - c|) A_k)(x - c), where A_k = G_k - G_kᵀ and ψ_k(r) = exp(-(r/w_k)²/2).

    A radial twist: each sphere around c is rotated as a whole, those near c by exp(ΣA_k). So the
    map is a diffeomorphism of R^d that preserves volume, and its inverse is the twist with -A_k.

    Parameters
    ----------
    centre : array-like or tensor of shape (d,)
        The c.
    generators : array-like or tensor of shape (k, d, d)
        The G_k.
    widths : array-like or tensor of shape (k,)
        The w_k, positive.

    Raises
    ------
    ParameterError
        When an entry is not finite, the shapes do not fit, a width is not positive, or the angles
        add up to more than 1000 radians; on first use.

    Notes
    -----
    With v = x - c, r = |v| and S(r) = Σψ_k(r) A_k, the derivative of exp(S(r)) is exp(S(r)) W for
    the skew-symmetric W = ∫₀¹ exp(-uS) S'(r) exp(uS) du, with a norm of at most |S'(r)|. Hence
    DT = exp(S)(I + (Wv) v'/r), a rotation times a shear, as Wv ⊥ v: its determinant is 1. With
    r |ψ_k'(r)| <= 2/e, attained at r = √2 w_k, the norm of the shear is at most
    τ = (2/e) Σ|A_k|, and the singular values of DT lie between (√(τ² + 4) ± τ) / 2. For a single
    generator these are the exact Lipschitz constants on R^d.

    References
    ----------
    Kratsios, Hyndman (2021), NEU: a meta-algorithm for universal UAP-invariant feature
    representation; here with every matrix in the exponential skew-symmetric and the profiles
    functions of |x - c| alone, without which the map need not be injective.

    Examples
    --------
    >>> quarter = np.array([[[0.0, -np.pi / 2], [0.0, 0.0]]])
    >>> phi = Twist([0.0, 0.0], quarter, [1e9])
    >>> phi(np.array([[1.0, 0.0]])).round(6) + 0.0
    array([[0., 1.]])
    >>> phi.inverse([[0.0, 1.0]]).round(6) + 0.0
    array([[1., 0.]])
    """

    centre: Any
    generators: Any
    widths: Any

    arrays: ClassVar[dict[str, int]] = {"centre": 1, "generators": 3, "widths": 1}

    def check_parameters(self) -> None:
        super().check_parameters()
        check_twist(self)

    @property
    def takes(self) -> tuple[int, ...] | None:
        return self.array("centre").shape

    @property
    def gives(self) -> tuple[int, ...] | None:
        return self.takes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_width(self, x.shape)
        centre, generators, widths = self.weights(x)
        return turned(x, centre, skew(generators), widths, 1)

    def undo(self, y: torch.Tensor) -> torch.Tensor:
        centre, generators, widths = self.weights(y)
        return turned(y, centre, skew(generators), widths, -1)

    def norms(self) -> np.ndarray:
        """Upper bounds of the |A_k|."""
        memo = self.memo
        if "norms" not in memo:
            # The differences G - Gᵀ round.
            memo["norms"] = np.array(
                [singular_values(a)[1].max() + EPS * norm_bound(a) for a in self._skew()]
            )
        return memo["norms"]

    def _skew(self) -> np.ndarray:
        return np.asarray(skew(self.array("generators")))

    def constants(self) -> tuple[float, float]:
        """Bounds below the lower and above the upper Lipschitz constant on R^d."""
        total = add(self.norms().tolist(), up=True)
        return shear_constants(float(widen(np.array(2 / e * total), True)))

    def image(self, on: Space) -> Image:
        centre = self.array("centre")
        low, high = on.bounds()
        # |T(x) - c| = |x - c|, and |T(x) - x| <= |x - c| |S| <= Σ |A_k| w_k e^(-1/2).
        reach = on.reach(centre)
        step = float(self.norms() @ self.array("widths")) * 0.6066 * (1 + 1e-12)
        with np.errstate(over="ignore"):
            outer = enclosing(
                np.maximum(widen(centre - reach, False), widen(low - step, False)),
                np.minimum(widen(centre + reach, True), widen(high + step, True)),
            )
        box = on.inner_box()
        if box is None:
            return Image(outer)
        with np.errstate(over="ignore"):
            radius = float(np.minimum(centre - box.low, box.high - centre).min())
        if isinf(radius) and radius > 0:
            return Image(outer, box)
        # The ball in the box is mapped onto itself; the cube in the ball is reached.
        side = radius / sqrt(centre.size) * (1 - 1e-9) if radius > 0 else 0.0
        inner_low, inner_high = centre - side, centre + side
        sure = side > 1e-6 * float(np.abs(centre).max())
        return Image(outer, Box(inner_low, inner_high) if sure else None)

    def facts(self, on: Space) -> Iterator[Fact]:
        why = "spheres around c are rotated, each as a whole; the inverse is the twist with -A"
        yield Continuous, why
        yield Injective, why
        yield Homeomorphism, why
        yield Smooth(inf), "exp of a matrix whose entries are smooth functions of |x - c|²"
        text = "DT is a rotation times a shear of norm <= (2/e) Σ|A_k|, norms certified"
        shear = Reason(text, Strength.COMPUTED)
        yield Lipschitz(lambda: self.constants()[1]), shear
        yield LowerLipschitz(lambda: self.constants()[0]), shear
        if len(self.array("widths")) == 1 and (size := self._sheared(on)) is not None:
            text = "the singular values of DT where r |ψ'(r)| is greatest"
            least, greatest = shear_constants(size)
            yield (~Lipschitz)(greatest * (1 - 1e-12)), Reason(text, Strength.COMPUTED)
            yield (~LowerLipschitz)(least * (1 + 1e-12)), Reason(text, Strength.COMPUTED)

    def _sheared(self, on: Space) -> float | None:
        """Below the norm of the shear at a point inside of the space, for a single generator."""
        box, centre, rotation = on.inner_box(), self.array("centre"), self._skew()[0]
        if box is None or len(centre) < 2 or not rotation.any():
            return None
        width = float(self.array("widths")[0])
        if not 1e-100 < width < 1e100:
            return None
        along = np.linalg.svd(rotation)[2][0] * sqrt(2) * width
        for point in (centre + along, centre - along):
            if ((box.low < point) & (point < box.high)).all():
                v = point - centre
                r = float(np.linalg.norm(v))
                speed = r / width / width * float(np.exp(-((r / width) ** 2) / 2))
                # |ψ'(r)| |Av|; every operation above is exact but for some units of rounding.
                return speed * float(np.linalg.norm(rotation @ v)) * (1 - 1e-9)
        return None

    @classmethod
    def example(cls) -> FeatureMap:
        from .reconfiguration import ReconfigurationNetwork

        return ReconfigurationNetwork(n_units=1, n_profiles=2, n_epochs=1)


def check_twist(owner: Any) -> None:
    """Raise ParameterError where centre, generators and widths make no twist."""
    name = type(owner).__name__
    centre, generators, widths = (owner.array(n) for n in ("centre", "generators", "widths"))
    if generators.shape != (len(widths), len(centre), len(centre)):
        raise ParameterError(
            f"The parts of {name} do not fit together.",
            got=f"centre of shape {centre.shape}, generators of shape {generators.shape}, widths "
            f"of shape {widths.shape}",
            need="shapes (d,), (k, d, d) and (k,)",
            do="one d x d matrix and one width for each profile",
        )
    if not (widths > 0).all():
        worst = int(widths.argmin())
        raise ParameterError(
            f"The widths of {name} must be positive.",
            got=f"widths[{worst}] = {widths[worst]:g}",
            need="w > 0 in exp(-(r / w)² / 2)",
            do=f"{name}(...) with np.abs(widths)",
        )
    turn = float(np.linalg.norm(skew(generators), axis=(1, 2)).sum()) / sqrt(2)
    if not turn <= GREATEST_TURN:
        raise ParameterError(
            f"{name} turns by up to {turn:.4g} radians.",
            got=f"Σ|A_k| <= {turn:.4g}",
            need=f"at most {GREATEST_TURN:g}",
            do="smaller generators; a turn of 2π is the identity",
        )
