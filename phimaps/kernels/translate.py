"""Kernels from what others call kernels: names, functions, and scikit-learn's kernel objects."""

from __future__ import annotations

from functools import partial
from typing import Any

from sklearn.base import clone

from ..errors import ParameterError, show
from ..map import FeatureMap
from .algebra import adapters
from .around import Scaled
from .base import Kernel
from .custom import Callable, Delta
from .dot import Constant, Cosine, Linear, PolynomialKernel
from .histogram import AdditiveChi2, Chi2
from .separable import Laplacian, Periodic
from .stationary import RBF, Matern, RationalQuadratic

__all__ = ["as_kernel"]

SOURCE = "sklearn.gaussian_process.kernels"

# scikit-learn's names, each with the class and the parameters that it has there.
NAMES: dict[str, tuple[type, dict[str, Any]]] = {
    "additive_chi2": (AdditiveChi2, {}),
    "chi2": (Chi2, {"gamma": 1.0}),
    "cosine": (Cosine, {}),
    "laplacian": (Laplacian, {"gamma": "auto"}),
    "linear": (Linear, {}),
    "poly": (PolynomialKernel, {"degree": 3, "gamma": "auto", "coef0": 1.0}),
    "polynomial": (PolynomialKernel, {"degree": 3, "gamma": "auto", "coef0": 1.0}),
    "rbf": (RBF, {"gamma": "auto"}),
}


def as_kernel(value: Any, **parameters: Any) -> Kernel:
    """A kernel from a kernel, a name, a function, or a kernel object of scikit-learn.

    Parameters
    ----------
    value : Kernel, str, kernel of sklearn.gaussian_process, or callable
        Names are those of ``sklearn.metrics.pairwise``: "rbf", "laplacian", "poly", "polynomial",
        "linear", "cosine", "chi2", "additive_chi2". The last is `AdditiveChi2`, which is positive
        definite, as scikit-learn's negative function is not. "sigmoid" is refused, as it is not
        either. A function becomes a `Callable`.
    **parameters
        Of a name: ``gamma``, ``degree``, ``coef0``, with scikit-learn's defaults (``gamma`` is
        1 / d); of a function: passed on to it; of a kernel: set on a copy. None stands for the
        default.

    Returns
    -------
    Kernel

    Raises
    ------
    ParameterError
        For what is no kernel, is not positive definite, or has other parameters.

    Examples
    --------
    >>> as_kernel("poly", degree=2)
    PolynomialKernel(degree=2, gamma='auto')
    >>> from sklearn.gaussian_process import kernels
    >>> as_kernel(2.0 * kernels.RBF(3.0) + kernels.WhiteKernel(0.5))
    2.0 * RBF(length_scale=3.0) + 0.5 * Delta()
    """
    given = {k: v for k, v in parameters.items() if v is not None}
    if isinstance(value, Kernel):
        return value._shallow_copy().set_params(**given) if given else value
    if isinstance(value, str):
        return _named(value, given)
    if _foreign(value):
        return _translated(clone(value).set_params(**given) if given else value)
    if callable(value) and not isinstance(value, FeatureMap | type):
        return Callable(partial(value, **given) if given else value)
    raise ParameterError(
        f"{show(value)} cannot be made a kernel.",
        got=f"an object of type {type(value).__name__}",
        need=f"a kernel, a function, or one of {', '.join(map(repr, NAMES))}",
        do="phi.kernel is the kernel of a map"
        if isinstance(value, FeatureMap)
        else "pm.kernels.RBF(gamma='scale')",
    )


def _named(name: str, given: dict[str, Any]) -> Kernel:
    refused = {
        "sigmoid": ("tanh(γ x·y + c) is not, for some rows", "pm.kernels.ArcCosine()"),
        "precomputed": ("this stands for a matrix", "pm.kernels.Callable(function)"),
    }
    if name in refused:
        why, instead = refused[name]
        raise ParameterError(
            f"The kernel {name!r} is refused.",
            got=repr(name),
            need=f"a positive definite kernel; {why}",
            do=instead,
        )
    if name not in NAMES:
        raise ParameterError(
            f"{name!r} is not the name of a kernel.",
            got=repr(name),
            need=f"one of {', '.join(map(repr, NAMES))}",
            do="an object such as pm.kernels.Matern(nu=1.5) for the others",
        )
    kind, defaults = NAMES[name]
    for key in given:
        if key not in defaults:
            raise ParameterError(
                f"The kernel {name!r} has no parameter {key!r}.",
                got=f"{key}={show(given[key])}",
                need=f"one of {', '.join(defaults)}" if defaults else "no parameters",
                do=f"as_kernel({name!r})",
            )
    kernel = kind(**(defaults | given))
    kernel.check_parameters()
    return kernel  # type: ignore[no-any-return]


def _foreign(value: Any) -> bool:
    # By name: importing scikit-learn's Gaussian processes would cost every user of phimaps.
    return not isinstance(value, type) and any(
        kind.__module__ == SOURCE and kind.__name__ == "Kernel" for kind in type(value).__mro__
    )


def _translated(kernel: Any) -> Kernel:
    name = type(kernel).__name__ if type(kernel).__module__ == SOURCE else ""
    if name == "CompoundKernel":
        raise ParameterError(
            "A CompoundKernel is several kernels, not one.",
            got=show(kernel),
            need="one kernel",
            do="[pm.kernels.as_kernel(k) for k in compound.kernels]",
        )
    if name in ("Sum", "Product"):
        return _joined(name, _part(kernel.k1), _part(kernel.k2))
    if name == "Exponentiation":
        return _part(kernel.kernel) ** _whole(kernel.exponent)
    if name == "ConstantKernel":
        # Adding one of ours to one of theirs makes theirs wrap it so.
        held = kernel.constant_value
        return held if isinstance(held, Kernel) else Constant(float(held))
    if name == "WhiteKernel":
        return Scaled(float(kernel.noise_level), Delta())
    if name == "DotProduct":
        bias = float(kernel.sigma_0) ** 2
        return Linear() + bias
    if name == "PairwiseKernel":
        return _pairwise(kernel)
    if name == "RBF":
        return RBF(length_scale=kernel.length_scale)
    if name == "Matern":
        return Matern(nu=float(kernel.nu), length_scale=kernel.length_scale)
    if name == "RationalQuadratic":
        return RationalQuadratic(alpha=float(kernel.alpha), length_scale=float(kernel.length_scale))
    if name == "ExpSineSquared":
        # An array of one period is refused by wider rows, where theirs is not positive definite.
        return Periodic([float(kernel.periodicity)], float(kernel.length_scale))
    return Callable(kernel)


def _part(value: Any) -> Kernel:
    return value if isinstance(value, Kernel) else _translated(value)


def _joined(name: str, left: Kernel, right: Kernel) -> Kernel:
    if name == "Sum":
        return left + right
    for number, other in ((left, right), (right, left)):
        if isinstance(number, Constant):
            return other * float(number.value)
    return left * right


def _whole(exponent: Any) -> Any:
    return int(exponent) if float(exponent).is_integer() else exponent


def _pairwise(kernel: Any) -> Kernel:
    metric, given = kernel.metric, dict(kernel.pairwise_kernels_kwargs or {})
    if metric == "additive_chi2":
        raise ParameterError(
            "scikit-learn's additive_chi2 is not positive definite: its diagonal is 0.",
            got=show(kernel),
            need="a positive definite kernel",
            do="pm.kernels.AdditiveChi2(), which is Σ 2xy / (x + y)",
        )
    if isinstance(metric, str) and "gamma" in NAMES.get(metric, (None, {}))[1]:
        given = {"gamma": float(kernel.gamma)} | given
    return as_kernel(metric, **given)


def _adapt(value: Any) -> Kernel | None:
    return _translated(value) if _foreign(value) else None


adapters.append(_adapt)
