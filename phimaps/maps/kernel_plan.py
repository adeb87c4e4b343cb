"""From a kernel to features: the leaves by a table, the algebra of kernels by that of maps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod, sqrt
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Interval

from ..drawn import RANDOM_STATE, seed_of
from ..errors import ParameterError
from ..kernels import (
    Constant,
    Cosine,
    Kernel,
    Linear,
    PolynomialKernel,
    Power,
    Product,
    Pullback,
    Scaled,
    Sum,
)
from ..kernels.error import measure
from ..map import Compose, Concat, FeatureMap, Given, Scale, Tensor
from ..rows import carry
from .explicit_polynomial import ExplicitPolynomial
from .functions import Shift
from .kernel_methods import DEFAULT, METHODS, exact_width, method_for, stationary, unbiased
from .tensor_product_sketch import TensorProductSketch
from .unit import UnitNorm
from .vector import Identity

__all__ = ["KernelFeatures", "exact", "features_of"]

# Rows by which the sizes of the parts of a sum are compared.
SAMPLE = 1000
# Rows by which a tensor product is compared with a sketch of one.
FEW = 128


@final
class KernelFeatures(FeatureMap):
    """x ↦ φ(x) with ⟨φ(x), φ(y)⟩ ≈ k(x, y) and at most D features; open.

    What `kernel.features` returns where the choice of the map needs the data: sums share out their
    features by the sizes of their parts, exact maps are taken where their width fits. Binding gives
    the map that was chosen.

    Parameters
    ----------
    kernel : Kernel
        k.
    n_components : int, default 100
        D.
    method : str, default "auto"
        As of `phimaps.kernels.Kernel.features`.
    random_state : int, RandomState, Generator or None, default 0
        Seed of all draws. None draws anew at every binding.

    Examples
    --------
    >>> import phimaps as pm
    >>> kernel = pm.kernels.RBF(gamma=1.0) + pm.kernels.Linear()
    >>> KernelFeatures(kernel, n_components=10).fit_transform([[0.0, 1.0], [2.0, 3.0]]).shape
    (2, 10)
    """

    kernel: Any = None
    n_components: int = DEFAULT
    method: str = "auto"
    random_state: Any = 0

    _parameter_constraints = {
        "kernel": [Kernel],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "method": [str],
        "random_state": RANDOM_STATE,
    }

    @property
    def random(self) -> bool:
        return self.random_state is None

    @property
    def estimates(self) -> Any:
        """The kernel that is the mean of the inner products; None where they are biased."""
        known = isinstance(self.kernel, Kernel) and self.method != "nystrom"
        return self.kernel if known and unbiased(self.kernel) else None

    @property
    def positive(self) -> bool:
        return isinstance(self.kernel, Kernel) and bool(self.kernel.positive)

    @property
    def sparse(self) -> bool:
        return isinstance(self.kernel, Kernel) and bool(self.kernel.sparse)

    def close(self, x: Any, given: Given) -> FeatureMap:
        kernel = self.kernel.closed_on(x, given.names)
        seed = seed_of(self.random_state)
        plan = _Plan(x, seed)
        return plan.features(kernel, int(self.n_components), self.method).bound(x, given)

    @classmethod
    def example(cls) -> Any:
        return cls(Product((Linear(), Cosine())), n_components=6)


class _Plan:
    """Choosing maps for closed kernels on known rows; each random part has a seed of its own."""

    def __init__(self, x: Any, seed: int):
        self.x, self.seed, self.count = x, seed, 0

    def fresh(self) -> int:
        self.count += 1
        return int(np.random.SeedSequence([self.seed, self.count]).generate_state(1)[0])

    def features(self, kernel: Kernel, width: int, method: str = "auto") -> FeatureMap:
        """An open map with at most `width` features."""
        d = prod(self.x.shape[1:])
        if isinstance(kernel, Scaled):
            return _times(float(kernel.factor), self.features(kernel.kernel, width, method))
        if isinstance(kernel, Pullback):
            behind = _Plan(carry(kernel.map, self.x), self.fresh())
            return behind.features(kernel.kernel, width, method) @ kernel.map
        if method == "auto" and not stationary(kernel):
            if isinstance(kernel, Sum):
                return self.sum(kernel.kernels, width)
            if isinstance(kernel, Product | Power):
                return self.product(kernel, width)
        exact = exact_width(kernel, d)
        name = method_for(kernel, method)
        if METHODS[name].exact and exact is not None and exact > width:
            if method == "exact":
                _too_narrow(kernel, exact, width)
            name = next(n for n, m in METHODS.items() if m.applies(kernel) and not m.exact)
        if name == "fourier" and width > 1:
            # A single wave more would err more than none.
            width -= width % 2
        return METHODS[name].build(kernel, width, self.fresh(), d, {})

    def sum(self, parts: Sequence[Kernel], width: int) -> FeatureMap:
        """The concatenation of the parts' features, the width shared out."""
        widths = self.shared(parts, width)
        maps = [self.features(k, w) for k, w in zip(parts, widths, strict=True)]
        return reduce(lambda a, b: a & b, maps)

    def shared(self, parts: Sequence[Kernel], width: int) -> list[int]:
        """How many features each part gets.

        Where an exact map takes no more than its share, or than half of what is left, it is taken.
        The others get features in proportion to the mean of their diagonals s: the sum of s² / D,
        and so the error, is then the least.
        """
        if width < len(parts):
            raise ParameterError(
                f"{width} features are too few for a sum of {len(parts)} kernels.",
                got=f"n_components={width}",
                need=f"n_components >= {len(parts)}",
                do="more features, or fewer parts",
            )
        step = max(1, self.x.shape[0] // SAMPLE)
        rows = self.x[::step]
        size = np.array([float(k.diagonal(_taken(k, rows)).double().mean()) for k in parts])
        size = np.maximum(size / max(size.sum(), 1e-300), 1e-12)
        d = prod(self.x.shape[1:])
        exact = {i: w for i, k in enumerate(parts) if (w := exact_width(k, d)) is not None}
        given: dict[int, int] = {}
        left = width
        for i in sorted(exact, key=exact.__getitem__):
            others = [j for j in range(len(parts)) if j not in given and j != i]
            share = left * size[i] / (size[i] + size[others].sum())
            room = left - len(others)
            if exact[i] <= room and (not others or exact[i] <= max(share, left / 2)):
                given[i] = exact[i]
                left -= exact[i]
        rest = [i for i in range(len(parts)) if i not in given]
        odd = 0
        for i, count in zip(rest, _rounded(size[rest], left), strict=True):
            # Waves come in pairs; a single one is passed on.
            given[i] = count + odd
            odd = given[i] % 2 if stationary(parts[i]) and given[i] > 1 else 0
            given[i] -= odd
        return [given[i] for i in range(len(parts))]

    def product(self, kernel: Kernel, width: int) -> FeatureMap:
        """One map of joint frequencies, a tensor product, or a sketch of one."""
        factor, parts = _factors(kernel)
        if len(parts) == 1:
            return _times(factor, self.features(parts[0], width))
        terms = _expanded(kernel)
        if all(stationary(k) for _, k in terms):
            return self.sum([Scaled(c, k) if c != 1 else k for c, k in terms], width)
        d = prod(self.x.shape[1:])
        exact = [exact_width(k, d) for k in parts]
        known = prod(w for w in exact if w is not None)
        loose = sum(w is None for w in exact)
        if loose > 1 or known > width:
            return _times(factor, self.sketch(parts, exact, width))
        if loose == 0:
            return _times(factor, self.tensor(parts, exact, 1))
        # Which one errs less depends on the rows. Draws of their own tell, so that the choice is
        # independent of the features that are returned.
        few = self.x[:: max(1, self.x.shape[0] // FEW)]
        pilot = _Plan(few, self.fresh())
        product, names = Product(tuple(parts)), Given(tuple(f"x{i}" for i in range(d)))
        found = [
            measure(phi.bound(few, names), product, few).value
            for phi in (
                pilot.tensor(parts, exact, width // known),
                pilot.sketch(parts, exact, width),
            )
        ]
        if found[0] <= found[1]:
            return _times(factor, self.tensor(parts, exact, width // known))
        return _times(factor, self.sketch(parts, exact, width))

    def tensor(self, parts: list[Kernel], exact: list[int | None], inner: int) -> FeatureMap:
        """The tensor product, with `inner` features of the part that is not exact."""
        pairs = zip(parts, exact, strict=True)
        maps = [self.features(k, inner if w is None else w) for k, w in pairs]
        return reduce(lambda a, b: a * b, maps)

    def sketch(self, parts: list[Kernel], exact: list[int | None], width: int) -> FeatureMap:
        """A sketch of the tensor product, of parts that are as wide as it is."""
        pairs = zip(parts, exact, strict=True)
        maps = [self.features(k, width if w is None else min(w, 4 * width)) for k, w in pairs]
        return TensorProductSketch(tuple(maps), width, self.fresh())


def exact(phi: FeatureMap) -> bool:
    """Whether a map that was made here has its kernel as its inner product, by construction."""
    if isinstance(phi, Concat | Tensor):
        return all(map(exact, phi.maps))
    if isinstance(phi, Scale):
        return exact(phi.map)
    if isinstance(phi, Compose):
        # What comes before the last map is the map of a pull-back.
        last, before = phi.maps[-1], phi.maps[-2]
        constant = isinstance(last, Shift) and isinstance(before, Scale) and not before.factor
        return exact(last) or constant
    return isinstance(phi, Identity | UnitNorm | ExplicitPolynomial)


def _times(factor: float, phi: FeatureMap) -> FeatureMap:
    """Features of a multiple of the kernel."""
    return phi if factor == 1 else Scale(sqrt(factor), phi)


def _taken(kernel: Kernel, rows: Any) -> Any:
    if isinstance(rows, torch.Tensor) or kernel.sparse:
        return rows
    return torch.from_numpy(rows.toarray())


def _rounded(size: np.ndarray, total: int) -> list[int]:
    """Whole numbers of at least 1 in proportion to the sizes, with the given sum."""
    if not len(size):
        return []
    free = total - len(size)
    ideal = free * size / size.sum()
    whole = np.floor(ideal).astype(int)
    for i in np.argsort(whole - ideal)[: free - int(whole.sum())]:
        whole[i] += 1
    return [int(w) + 1 for w in whole]


def _factors(kernel: Kernel) -> tuple[float, list[Kernel]]:
    """A number and the factors of a product, the stationary ones and the inner products joined."""
    number, flat = 1.0, []
    pending = [kernel]
    while pending:
        part = pending.pop(0)
        if isinstance(part, Product):
            pending = [*part.kernels, *pending]
        elif isinstance(part, Power) and not stationary(part):
            pending = [part.kernel] * int(part.exponent) + pending
        elif isinstance(part, Scaled):
            number *= float(part.factor)
            pending = [part.kernel, *pending]
        elif isinstance(part, Constant):
            number *= float(part.value)
        else:
            flat.append(part)
    alike = [k for k in flat if stationary(k)]
    linear = [k for k in flat if isinstance(k, Linear)]
    parts = [k for k in flat if not stationary(k) and not isinstance(k, Linear)]
    if len(linear) > 1:
        linear = [PolynomialKernel(degree=len(linear), gamma=1.0, coef0=0.0)]
    if len(alike) > 1:
        alike = [Product(tuple(alike))]
    found: list[Kernel] = [*alike, *linear, *parts]
    return number, found or [Constant(1.0)]


def _expanded(kernel: Kernel) -> list[tuple[float, Kernel]]:
    """The kernel as a sum of multiples of products, up to 64 terms; as it is beyond."""
    if isinstance(kernel, Scaled):
        return [(float(kernel.factor) * c, k) for c, k in _expanded(kernel.kernel)]
    if isinstance(kernel, Sum):
        return [term for k in kernel.kernels for term in _expanded(k)]
    if isinstance(kernel, Power) and not stationary(kernel):
        return _expanded(Product((kernel.kernel,) * int(kernel.exponent)))
    if not isinstance(kernel, Product) or stationary(kernel):
        return [(1.0, kernel)]
    terms: list[tuple[float, tuple[Kernel, ...]]] = [(1.0, ())]
    for part in kernel.kernels:
        terms = [(a * b, (*p, q)) for a, p in terms for b, q in _expanded(part)]
        if len(terms) > 64:
            return [(1.0, kernel)]
    return [(c, p[0] if len(p) == 1 else Product(p)) for c, p in terms]


def _too_narrow(kernel: Kernel, exact: int, width: int) -> None:
    raise ParameterError(
        f"The exact features of this kernel are {exact}, more than {width}.",
        got=f"n_components={width}, method='exact' for {kernel!r}",
        need=f"n_components >= {exact}",
        do="method='auto', which estimates where the exact map does not fit",
    )


def features_of(
    kernel: Kernel,
    n_components: int | None,
    method: str,
    random_state: Any,
    options: dict[str, Any],
) -> FeatureMap:
    """The open map of a kernel that may be open: at once where no data are needed to choose it."""
    nested = (n_components, method, random_state, options)
    if isinstance(kernel, Scaled) and method != "nystrom":
        return _times(float(kernel.factor), features_of(kernel.kernel, *nested))
    if isinstance(kernel, Pullback) and method != "nystrom":
        return features_of(kernel.kernel, *nested) @ kernel.map
    joint = isinstance(kernel, Sum | Product | Power) and not stationary(kernel)
    name = "auto" if joint and method == "auto" else method_for(kernel, method)
    if isinstance(kernel, PolynomialKernel) and method == "auto":
        # Its sketch is exact where the monomials fit.
        name = "sketch"
    # The width of exact maps follows from that of the rows.
    waits = name in ("exact", "chi2") and n_components is not None
    waits = waits or (name == "relu" and method == "auto" and not options)
    ready = kernel.closed or name in ("fourier", "nystrom")
    width = DEFAULT if n_components is None else n_components
    if name != "auto" and ready and not waits:
        return METHODS[name].build(kernel, width, random_state, None, options)
    if options:
        raise ParameterError(
            "Options go to one map, and here several are chosen from.",
            got=", ".join(f"{name}=..." for name in options),
            need="a method that makes one map of the kernel, or no options",
            do="kernel.features(n_components, method='nystrom', **options)",
        )
    return KernelFeatures(kernel, width, method, random_state)
