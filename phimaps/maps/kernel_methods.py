"""Which maps give features of which kernel: the table that `kernel.features` chooses from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb, prod, sqrt
from typing import Any, final

import numpy as np

from .. import kernels
from ..errors import ParameterError
from ..kernels import (
    NTK,
    ArcCosine,
    Constant,
    Cosine,
    Exponential,
    Kernel,
    Linear,
    PolynomialKernel,
    Power,
    Product,
    Pullback,
    Scaled,
    Sum,
)
from ..kernels.dot import Dot
from ..map import FeatureMap
from .chi2 import AdditiveChi2
from .explicit_polynomial import ExplicitPolynomial
from .maclaurin import RandomMaclaurin
from .nystrom import Nystrom
from .positive_random import PositiveRandomFeatures
from .product_sketch import ProductSketch
from .projections import Srht
from .random_fourier import RandomFourier
from .random_ntk import RandomNtk
from .random_relu import RandomRelu
from .tensor_sketch import TensorSketch
from .unit import UnitNorm
from .vector import Identity, Select

__all__ = ["DEFAULT", "METHODS", "Method", "exact_width", "method_for", "stationary", "unbiased"]

# The number of features where none is asked for, as in scikit-learn.
DEFAULT = 100


@final
@dataclass(frozen=True)
class Method:
    """A way to make features of some kernels.

    Parameters
    ----------
    applies : callable
        Whether it serves the kernel.
    build : callable
        From (kernel, n_components, random_state, d, options) to an open map.
    exact : bool, default False
        Whether the inner products are the kernel, in a width that follows from that of the rows.
    """

    applies: Callable[[Kernel], bool]
    build: Callable[[Any, int, Any, int | None, dict[str, Any]], FeatureMap]
    exact: bool = False


def stationary(kernel: Kernel) -> bool:
    """Whether frequencies can be drawn for it; those of a product are sums of the factors'."""
    if isinstance(kernel, Product):
        return all(map(stationary, kernel.kernels))
    if isinstance(kernel, Power):
        return stationary(kernel.kernel)
    return type(kernel).spectral is not Kernel.spectral


def _power_series(kernel: Kernel) -> bool:
    """Whether it is a power series of the inner product."""
    if isinstance(kernel, Sum | Product):
        return all(map(_power_series, kernel.kernels))
    if isinstance(kernel, Scaled | Power):
        return _power_series(kernel.kernel)
    return type(kernel).series is not Kernel.series


def unbiased(kernel: Kernel) -> bool:
    """Whether what "auto" chooses has the kernel as its mean inner product, at every width."""
    if isinstance(kernel, Sum | Product):
        return all(map(unbiased, kernel.kernels))
    if isinstance(kernel, Scaled | Power | Pullback):
        return unbiased(kernel.kernel)
    if isinstance(kernel, ArcCosine | NTK):
        return kernel.depth == 1
    return stationary(kernel) or isinstance(kernel, Dot | Cosine | Constant)


def _of_type(kind: Any) -> Callable[[Kernel], bool]:
    return lambda kernel: isinstance(kernel, kind)


def _exact(kernel: Any, width: int, seed: Any, d: int | None, options: dict[str, Any]) -> Any:
    if isinstance(kernel, Linear):
        return Identity(**options)
    if isinstance(kernel, Cosine):
        return UnitNorm(**options)
    if isinstance(kernel, Constant):
        return 0.0 * Select([0], **options) + sqrt(float(kernel.value))
    return ExplicitPolynomial(
        degree=kernel.degree, gamma=kernel.gamma, coef0=kernel.coef0, **options
    )


def _projection(kernel: Any, width: int, seed: Any, d: Any, options: dict[str, Any]) -> Any:
    phi = Srht(n_components=width, random_state=seed, **options)
    return phi if isinstance(kernel, Linear) else phi @ UnitNorm()


def _of_kernel(kind: Any) -> Any:
    """A map that takes the kernel itself."""
    return lambda kernel, width, seed, d, options: kind(
        kernel=kernel, n_components=width, random_state=seed, **options
    )


def _of_parameters(kind: Any, *fields: str) -> Any:
    """A map that takes these parameters of the kernel."""
    return lambda kernel, width, seed, d, options: kind(
        **{f: getattr(kernel, f) for f in fields}, n_components=width, random_state=seed, **options
    )


def _relu(kernel: Any, width: int, seed: Any, d: int | None, options: dict[str, Any]) -> Any:
    if d is not None and kernel.depth == 1 and kernel.order < 2:
        # What the pairs of directions give exactly is taken as it stands, where enough is left for
        # the rest: with fewer features beside it the error is greater than that of pairs.
        kept = 1 if kernel.order == 0 else d + (kernel.bias > 0)
        options = {"antithetic": "folded" if width >= 2 * kept else True} | options
    return _of_parameters(RandomRelu, "order", "depth", "bias")(kernel, width, seed, d, options)


def _chi2(kernel: Any, width: int, seed: Any, d: int | None, options: dict[str, Any]) -> Any:
    if d is not None:
        if width < d:
            raise ParameterError(
                f"{width} features are too few for the additive kernel of {d} coordinates.",
                got=f"n_components={width}, method='chi2'",
                need=f"n_components >= {d}",
                do="kernel.features(n_components, method='nystrom')",
            )
        options = _sampled((width // d + 1) // 2) | options
    return AdditiveChi2(**options)


def _sampled(steps: int) -> dict[str, Any]:
    """The number of samples, and the distance at which they are best for ratios up to e^6."""
    if steps <= 3:
        return {"sample_steps": steps}
    ratio = np.linspace(0.0, 6.0, 241)
    place = np.arange(1, steps)[:, None]
    best = (np.inf, 0.0)
    for step in np.geomspace(0.5 / steps, 0.5, 60):
        waves = 2 / np.cosh(np.pi * place * step) * np.cos(place * step * ratio)
        gap = step * (1 + waves.sum(0)) - 1 / np.cosh(ratio / 2)
        best = min(best, (float(np.abs(gap).max()), float(step)))
    return {"sample_steps": steps, "sample_interval": best[1]}


# In the order of preference of "auto"; a kernel has the first that applies.
METHODS: dict[str, Method] = {
    "exact": Method(_of_type(Linear | Cosine | Constant | PolynomialKernel), _exact, exact=True),
    "fourier": Method(stationary, _of_kernel(RandomFourier)),
    "sketch": Method(
        _of_type(PolynomialKernel), _of_parameters(ProductSketch, "degree", "gamma", "coef0")
    ),
    "tensorsketch": Method(
        _of_type(PolynomialKernel), _of_parameters(TensorSketch, "degree", "gamma", "coef0")
    ),
    "positive": Method(_of_type(Exponential), _of_parameters(PositiveRandomFeatures, "gamma")),
    "maclaurin": Method(
        lambda k: _power_series(k) and not isinstance(k, Linear | Constant),
        _of_kernel(RandomMaclaurin),
    ),
    "relu": Method(_of_type(ArcCosine), _relu),
    "ntk": Method(_of_type(NTK), _of_parameters(RandomNtk, "depth", "bias")),
    "chi2": Method(_of_type(kernels.AdditiveChi2), _chi2),
    "projection": Method(_of_type(Linear | Cosine), _projection),
    "nystrom": Method(lambda k: True, _of_kernel(Nystrom)),
}


def method_for(kernel: Kernel, name: str) -> str:
    """The method of this name, or the first that applies for "auto".

    Raises
    ------
    ParameterError
        Where there is none of this name for the kernel; the message lists those that there are.
    """
    fit = [n for n, m in METHODS.items() if m.applies(kernel)]
    if name == "auto":
        return fit[0]
    if name in fit:
        return name
    raise ParameterError(
        f"There is no method {name!r} for the features of this kernel.",
        got=f"method={name!r} for {kernel!r}",
        need=", ".join(map(repr, ["auto", *fit])),
        do="kernel.features(n_components), which chooses",
    )


def exact_width(kernel: Kernel, d: int) -> int | None:
    """How many features have the kernel as their inner product; None if no map is known."""
    if isinstance(kernel, Constant):
        return 1
    if isinstance(kernel, Linear | Cosine):
        return d
    if isinstance(kernel, PolynomialKernel):
        p = int(kernel.degree)
        return comb(d + p, p) if kernel.coef0 > 0 else comb(d + p - 1, p)
    if isinstance(kernel, Scaled):
        return exact_width(kernel.kernel, d)
    if isinstance(kernel, Pullback):
        return exact_width(kernel.kernel, prod(kernel.map.out_shape((d,))))
    if isinstance(kernel, Power):
        inner = exact_width(kernel.kernel, d)
        return None if inner is None else inner ** int(kernel.exponent)
    if isinstance(kernel, Sum | Product):
        widths = [exact_width(k, d) for k in kernel.kernels]
        if any(w is None for w in widths):
            return None
        return (sum if isinstance(kernel, Sum) else prod)(w for w in widths if w is not None)
    return None
