"""How well the inner products of a map agree with the kernel that they should be."""

from __future__ import annotations

from functools import reduce
from numbers import Integral, Real
from typing import Any, get_args

from ..errors import OperandError, ParameterError, UnboundError, show
from ..ingest import read
from ..kernels import Kernel, as_kernel
from ..kernels.error import ALL_PAIRS_UP_TO, KernelError, Norm, measure
from ..map import Compose, Concat, FeatureMap, Scale, Tensor, as_map
from ..maps.empirical_kernel import EmpiricalKernelMap
from ..maps.kernel_features import KernelFeatures
from ..maps.nystrom import Nystrom
from ..maps.tensor_product_sketch import TensorProductSketch

__all__ = ["KernelError", "kernel_error", "stated_kernel"]


def kernel_error(
    phi: Any,
    kernel: Any = None,
    *,
    on: Any,
    norm: Norm = "frobenius",
    confidence: float = 0.95,
    exact_rows: int = ALL_PAIRS_UP_TO,
    pairs: int = 2**18,
    random_state: Any = 0,
) -> KernelError:
    """The error of ⟨φ(x), φ(y)⟩ against k(x, y) over all pairs of rows of X.

    Up to `exact_rows` rows it is computed from all pairs, in blocks. For more rows it is estimated
    from random pairs, with an interval that contains it with the given probability whatever the
    map, the kernel and the data: only the norms of the features and the diagonal of the kernel are
    used, of all rows. What is measured is the one map that is given, not the mean over its draws.
    All is computed in float64.

    Parameters
    ----------
    phi : FeatureMap
        An open map that is not fitted is bound to X.
    kernel : Kernel or str, optional
        As `phimaps.kernels.as_kernel` takes it; an open one is bound to X. Default: the kernel that
        the map states.
    on : array, data frame, sparse matrix or tensor of shape (n, d)
        X.
    norm : {"frobenius", "rms", "max"}, default "frobenius"
        √(Σ e² / Σ k²) over all n² ordered pairs, with e the error of a pair; √(mean e²); max |e|.
        The last is not estimable from some of the pairs: see `KernelError`.
    confidence : float, default 0.95
        The probability with which the interval contains the error.
    exact_rows : int, default 8192
        Up to how many rows all pairs are looked at.
    pairs : int, default 2**18
        How many random pairs are drawn for more rows.
    random_state : int, Generator or None, default 0
        The seed of the pairs.

    Returns
    -------
    KernelError

    Raises
    ------
    OperandError, ParameterError, UnboundError, InputError, ShapeError

    References
    ----------
    The interval: `phimaps.kernels.betting.ratio_interval`.

    Examples
    --------
    >>> import numpy as np
    >>> import phimaps as pm
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> error = kernel_error(pm.RandomFourier(n_components=400, gamma=0.1), on=X)
    >>> error.exact, bool(0 < error.value < 0.1)
    (True, True)
    """
    _check(norm, confidence, exact_rows, pairs)
    wrapped = as_map(phi)
    if wrapped is None:
        raise OperandError(
            f"kernel_error measures a map, and {show(phi)} is not one.",
            got=f"phi={show(phi)}",
            need="a feature map, transformer, torch module or function",
            do="pm.check.kernel_error(phi, kernel, on=X)",
        )
    asked = stated_kernel(wrapped) if kernel is None else as_kernel(kernel)
    if asked is None:
        raise OperandError(
            f"{type(wrapped).__name__} does not state which kernel its inner products estimate.",
            got=f"phi={wrapped!r}, kernel=None",
            need="a kernel to compare with",
            do="pm.check.kernel_error(phi, pm.kernels.RBF(gamma=1.0), on=X)",
        )
    fitted = vars(wrapped).get("map_")
    if fitted is not None and not asked.closed:
        raise UnboundError(
            "The map was fitted, perhaps to other data, and the kernel still waits for data.",
            got=f"kernel={asked!r}",
            need="a kernel that is bound to the data of the fit",
            do="pm.check.kernel_error(phi, kernel.bind(X_train), on=X)",
        )
    closed = fitted if fitted is not None else wrapped.bind(on)
    target = asked.bind(on)
    probe = wrapped._shallow_copy() if fitted is None else wrapped
    data = read(probe, on, reset=fitted is None).data
    return measure(
        closed,
        target,
        data,
        norm=norm,
        confidence=confidence,
        exact_rows=exact_rows,
        pairs=pairs,
        random_state=random_state,
        # The features of landmarks are projections, so that what they miss is a kernel too.
        below=kernel is None and isinstance(closed, EmpiricalKernelMap),
    )


def stated_kernel(phi: FeatureMap) -> Kernel | None:
    """The kernel that the inner products of φ are meant to be, or None if no part states one.

    A map states its own; concatenations, tensor products, multiples and compositions state what
    follows from those of their parts, where a part without randomness is its own inner product.
    """
    own = getattr(phi, "estimates", None)
    if own is None and isinstance(phi, Nystrom) and not phi.precomputed:
        own = phi.resolved()
    if own is None and isinstance(phi, KernelFeatures | EmpiricalKernelMap):
        own = phi.kernel
    if own is not None:
        return own
    if isinstance(phi, Concat | Tensor | TensorProductSketch):
        parts = [stated_kernel(m) for m in phi.maps]
        if all(p is None for p in parts) or any(
            p is None and m.random for p, m in zip(parts, phi.maps, strict=True)
        ):
            return None
        each = [m.kernel if p is None else p for p, m in zip(parts, phi.maps, strict=True)]
        return reduce((lambda a, b: a + b) if isinstance(phi, Concat) else lambda a, b: a * b, each)
    if isinstance(phi, Scale):
        inside = stated_kernel(phi.map)
        return None if inside is None or not phi.factor else inside * float(phi.factor) ** 2
    if isinstance(phi, Compose):
        last = stated_kernel(phi.maps[-1])
        return None if last is None else reduce(lambda k, m: k @ m, reversed(phi.maps[:-1]), last)
    return None


def _check(norm: Any, confidence: Any, exact_rows: Any, pairs: Any) -> None:
    def refuse(name: str, value: Any, need: str) -> None:
        raise ParameterError(
            f"The '{name}' parameter of kernel_error must be {need}. Got {show(value)} instead.",
            got=f"{name}={show(value)}",
            need=need,
            do=f"kernel_error({name}=...) with such a value",
        )

    if norm not in get_args(Norm):
        refuse("norm", norm, "'frobenius', 'rms' or 'max'")
    if not isinstance(confidence, Real) or not 0 < float(confidence) < 1:
        refuse("confidence", confidence, "a number in (0, 1)")
    if not isinstance(exact_rows, Integral) or exact_rows < 0:
        refuse("exact_rows", exact_rows, "an int in [0, inf)")
    if not isinstance(pairs, Integral) or pairs < 64:
        refuse("pairs", pairs, "an int in [64, inf)")
