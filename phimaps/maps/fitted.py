"""What fitted scikit-learn transformers compute, read off their fitted attributes.

Each function gives the closed map, or None where the attributes say anything unusual.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

from ..map import FeatureMap, Scale, pipe
from .activations import Arctan, Sinh
from .affine import Affine, Diagonal
from .bins import Bins, OneHot, Ordinal
from .chi2 import AdditiveChi2
from .clipped import Hardtanh
from .functions import Arcsinh, Cbrt, Expm1, Log1p
from .pointwise import Abs, Exp, Tanh
from .polynomial import Polynomial
from .power_transform import BoxCox, YeoJohnson
from .powers import Cos, Log, Power, Sin, Sqrt
from .quantile import Quantile
from .spline import Spline
from .vector import Identity

__all__ = [
    "bins",
    "chi2",
    "fourier",
    "imputer",
    "indicator",
    "matrix",
    "max_abs",
    "min_max",
    "one_hot",
    "ordinal",
    "pca",
    "polynomial",
    "power",
    "quantile",
    "robust",
    "spline",
    "standard",
    "ufunc",
]


def _whole(values: Any, like: Any) -> np.ndarray:
    return np.ones(like) if values is None else np.asarray(values, dtype=np.float64)


def _finite(*arrays: Any) -> bool:
    return all(np.isfinite(np.asarray(a, dtype=np.float64)).all() for a in arrays)


# --- scales ------------------------------------------------------------------------------------
def _scaled(centre: Any, weight: np.ndarray) -> FeatureMap | None:
    centre = np.asarray(centre, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        bias = -centre * weight
    return Diagonal(weight, bias) if _finite(weight, bias) else None


def standard(e: Any) -> FeatureMap | None:
    weight = 1.0 / _whole(e.scale_, e.n_features_in_)
    return _scaled(e.mean_ if e.with_mean else np.zeros(e.n_features_in_), weight)


def robust(e: Any) -> FeatureMap | None:
    weight = 1.0 / _whole(e.scale_ if e.with_scaling else None, e.n_features_in_)
    return _scaled(e.center_ if e.with_centering else np.zeros(e.n_features_in_), weight)


def min_max(e: Any) -> FeatureMap | None:
    if not _finite(e.scale_, e.min_):
        return None
    line = Diagonal(e.scale_, e.min_)
    return pipe(line, Hardtanh(*map(float, e.feature_range))) if e.clip else line


def max_abs(e: Any) -> FeatureMap | None:
    line = _scaled(np.zeros_like(e.scale_), 1.0 / np.asarray(e.scale_, dtype=np.float64))
    return line if line is None or not e.clip else pipe(line, Hardtanh(-1.0, 1.0))


def power(e: Any) -> FeatureMap | None:
    powers = np.array(e.lambdas_, dtype=np.float64)
    if not _finite(powers):
        return None
    eps = np.finfo(np.asarray(e.lambdas_).dtype).eps
    if e.method == "yeo-johnson":
        # Where scipy takes the logarithm.
        powers = np.where(np.abs(powers) < eps, 0.0, powers)
        powers = np.where(np.abs(powers - 2) <= eps, 2.0, powers)
        curve: FeatureMap = YeoJohnson(powers)
    else:
        curve = BoxCox(np.where(np.abs(powers) < 1e-19, 0.0, powers))
    if not e.standardize:
        return curve
    line = standard(e._scaler)
    return None if line is None else pipe(curve, line)


def quantile(e: Any) -> FeatureMap | None:
    q = np.array(e.quantiles_, dtype=np.float64)
    sorted_ = _finite(q) and q.ndim == 2 and (np.diff(q, axis=0) >= 0).all()
    levels = np.linspace(0, 1, len(q))
    if not sorted_ or not np.array_equal(levels, e.references_):
        return None
    return Quantile(q, e.output_distribution)


# --- functions of each coordinate --------------------------------------------------------------
UFUNCS: dict[Any, Callable[[], FeatureMap]] = {
    None: Identity,
    np.positive: Identity,
    np.abs: Abs,
    np.fabs: Abs,
    np.exp: Exp,
    np.expm1: Expm1,
    np.log: Log,
    np.log1p: Log1p,
    np.sqrt: Sqrt,
    np.cbrt: Cbrt,
    np.square: lambda: Power(2),
    np.reciprocal: lambda: Power(-1),
    np.negative: lambda: Scale(-1.0, Identity()),
    np.sin: Sin,
    np.cos: Cos,
    np.arctan: Arctan,
    np.sinh: Sinh,
    np.arcsinh: Arcsinh,
    np.tanh: Tanh,
}


def ufunc(e: Any) -> FeatureMap | None:
    make = UFUNCS.get(e.func) if e.func is None or isinstance(e.func, np.ufunc) else None
    return make() if make is not None and not e.kw_args else None


def bins(e: Any) -> FeatureMap | None:
    edges = tuple(np.array(b[1:-1], dtype=np.float64) for b in e.bin_edges_)
    rising = all(_finite(b) and (np.diff(b) > 0).all() for b in edges)
    counts = [len(b) + 1 for b in edges] == [int(n) for n in e.n_bins_]
    narrow = e.dtype is not None and np.dtype(e.dtype) != np.float64
    return Bins(edges, e.encode != "ordinal") if rising and counts and not narrow else None


def spline(e: Any) -> FeatureMap | None:
    p = int(e.degree)
    if p <= 1 and e.extrapolation == "linear" and len(e.bsplines_) > 1:
        # scikit-learn 1.9 raises the degree while it goes through the columns, so that later ones
        # are extrapolated from inner knots.
        return None
    knots = np.stack([b.t[p : len(b.t) - p] for b in e.bsplines_], axis=1)
    if not _finite(knots) or len(knots) < 2 + (not p and not e.include_bias):
        return None
    found = Spline(knots, p, e.extrapolation, bool(e.include_bias))
    extended = np.stack([b.t for b in e.bsplines_], axis=1)
    same = np.array_equal(found.extended(knots), extended)
    return found if same and (np.diff(extended, axis=0) > 0).all() else None


# --- categories --------------------------------------------------------------------------------
def _categories(e: Any) -> tuple[np.ndarray, ...] | None:
    if e.min_frequency is not None or e.max_categories is not None:
        return None
    listed = [np.asarray(c) for c in e.categories_]
    if any(c.dtype.kind not in "fiub" for c in listed):
        return None
    found = tuple(c.astype(np.float64) for c in listed)
    rising = all(c.size and _finite(c) and (np.diff(c) > 0).all() for c in found)
    return found if rising else None


def one_hot(e: Any) -> FeatureMap | None:
    found, unknown = _categories(e), {"error": "error", "ignore": "zeros"}.get(e.handle_unknown)
    if found is None or unknown is None:
        return None
    dropped = None
    if e.drop_idx_ is not None:
        dropped = tuple(None if k is None else int(k) for k in e.drop_idx_)
    wide = sum(map(len, found)) > sum(k is not None for k in dropped or ())
    return OneHot(found, dropped, unknown) if wide else None


def ordinal(e: Any) -> FeatureMap | None:
    found = _categories(e)
    if found is None or np.dtype(e.dtype) != np.float64:
        return None
    if e.handle_unknown == "error":
        return Ordinal(found)
    code = e.unknown_value
    whole = isinstance(code, int | np.integer) and abs(int(code)) < 2**53
    return Ordinal(found, int(code)) if whole else None


# --- rows --------------------------------------------------------------------------------------
def pca(e: Any) -> FeatureMap | None:
    weight = np.asarray(e.components_, dtype=np.float64).T
    if e.whiten:
        floor = np.finfo(np.asarray(e.explained_variance_).dtype).eps
        weight = weight / np.maximum(np.sqrt(e.explained_variance_), floor)
    bias = -np.asarray(e.mean_) @ weight
    return Affine(weight, bias) if weight.size and _finite(weight, bias) else None


def matrix(e: Any) -> FeatureMap | None:
    components = e.components_
    dense = components.toarray() if hasattr(components, "toarray") else np.asarray(components)
    weight = np.asarray(dense, dtype=np.float64).T
    return Affine(weight) if weight.size and _finite(weight) else None


def polynomial(e: Any) -> FeatureMap | None:
    degree = e.degree
    if isinstance(degree, int | np.integer):
        degree = int(degree)
    elif isinstance(degree, tuple | list) and len(degree) == 2:
        degree = tuple(map(int, degree))
    else:
        return None
    phi = Polynomial(degree, bool(e.interaction_only), bool(e.include_bias))
    wide = phi.width(e.n_features_in_)
    return phi if wide and wide == e.n_output_features_ else None


def fourier(e: Any) -> FeatureMap | None:
    weight, offset = (
        np.asarray(a, dtype=np.float64) for a in (e.random_weights_, e.random_offset_)
    )
    if not _finite(weight, offset) or weight.shape[1] != e.n_components:
        return None
    return Scale(sqrt(2.0 / e.n_components), pipe(Affine(weight, offset), Cos()))


def chi2(e: Any) -> FeatureMap | None:
    usual = {1: 0.8, 2: 0.5, 3: 0.4}
    step = usual.get(e.sample_steps) if e.sample_interval is None else float(e.sample_interval)
    return None if step is None or not step > 0 else AdditiveChi2(int(e.sample_steps), step)


# --- missing values: NaN is no point of a space ------------------------------------------------
def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _zeros(d: int, count: int) -> FeatureMap:
    """The constant 0, with which no value is missing."""
    return Affine(np.zeros((d, count)))


def imputer(e: Any) -> FeatureMap | None:
    if not _is_nan(e.missing_values):
        return None
    statistics = np.asarray(e.statistics_)
    if statistics.dtype.kind != "f":
        return None
    d = len(statistics)
    kept = np.arange(d) if e.keep_empty_features else np.flatnonzero(~np.isnan(statistics))
    if not kept.size:
        return None
    # The matrix fixes the number of inputs, which a choice of columns would leave open.
    chosen = Diagonal(np.ones(d), np.zeros(d)) if kept.size == d else Affine(np.eye(d)[:, kept])
    marked = len(e.indicator_.features_) if e.add_indicator else 0
    return chosen & _zeros(d, marked) if marked else chosen


def indicator(e: Any) -> FeatureMap | None:
    marked = len(e.features_)
    return _zeros(e.n_features_in_, marked) if marked and _is_nan(e.missing_values) else None
