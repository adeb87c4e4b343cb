"""Which scikit-learn transformers are maps of this library under another name.

A translation is listed with the parameters that it takes into account. One that scikit-learn adds
later, or a subclass, is not understood, and the transformer is evaluated as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ..map import Concat, FeatureMap, Product, Scale, pipe
from . import fitted as read
from .jumps import Step
from .unit import UnitNorm
from .vector import Identity, Select

__all__ = ["is_fitted", "known_transformer"]

Translation = Callable[[Any], FeatureMap | None]


# --- transformers made of transformers ---------------------------------------------------------
def _steps(e: Any) -> FeatureMap | None:
    steps = [s for _, s in e.steps if s is not None and s != "passthrough"]
    found = [known_transformer(s) for s in steps]
    if not steps:
        return Identity()
    return None if None in found else pipe(*found)


def _weighed(parts: list[tuple[str, FeatureMap | None]], weights: Any) -> list[FeatureMap] | None:
    """The parts, each times its weight."""
    scales = dict(weights or {})
    maps: list[FeatureMap] = []
    for name, part in parts:
        factor = float(scales.get(name, 1.0))
        if part is None or not isfinite(factor):
            return None
        maps.append(part if name not in scales else Scale(factor, part))
    return maps or None


def _union(e: Any) -> FeatureMap | None:
    parts = [
        (name, Identity() if part == "passthrough" else known_transformer(part))
        for name, part in e.transformer_list
        if part != "drop"
    ]
    maps = _weighed(parts, e.transformer_weights)
    if maps is None or len(maps) == 1:
        return None if maps is None else maps[0]
    return Concat(tuple(maps))


def _by_columns(e: Any) -> FeatureMap | None:
    places = getattr(e, "_transformer_to_input_indices", None)
    if places is None:
        return None
    parts: list[tuple[str, FeatureMap | None]] = []
    groups: list[list[int]] = []
    for name, part, columns in e.transformers_:
        if part == "drop" or (hasattr(columns, "__len__") and not len(columns)):
            continue
        group = list(map(int, places[name]))
        if isinstance(columns, str | int | np.integer) or not group:
            # A single column is handed on as a vector, not as rows.
            return None
        parts.append((name, Identity() if part == "passthrough" else known_transformer(part)))
        groups.append(group)
    maps = _weighed(parts, e.transformer_weights)
    if maps is None:
        return None
    flat = [i for group in groups for i in group]
    if len(set(flat)) < len(flat):
        # A column that is used twice reaches its parts each on its own.
        return Concat(tuple(pipe(Select(g), m) for g, m in zip(groups, maps, strict=True)))
    joined = maps[0] if len(maps) == 1 else Product(tuple(maps), tuple(map(len, groups)))
    return joined if flat == list(range(e.n_features_in_)) else pipe(Select(flat), joined)


# Named, so that importing this library imports no more of scikit-learn than it must.
KNOWN: dict[str, tuple[Translation, str]] = {
    "preprocessing.StandardScaler": (read.standard, "copy with_mean with_std"),
    "preprocessing.MinMaxScaler": (read.min_max, "feature_range copy clip"),
    "preprocessing.MaxAbsScaler": (read.max_abs, "copy clip"),
    "preprocessing.RobustScaler": (
        read.robust,
        "with_centering with_scaling quantile_range copy unit_variance",
    ),
    "preprocessing.PowerTransformer": (read.power, "method standardize copy"),
    "preprocessing.QuantileTransformer": (
        read.quantile,
        "n_quantiles output_distribution ignore_implicit_zeros subsample random_state copy",
    ),
    "preprocessing.Normalizer": (lambda e: UnitNorm(e.norm), "norm copy"),
    "preprocessing.Binarizer": (lambda e: Step(float(e.threshold)), "threshold copy"),
    "preprocessing.KBinsDiscretizer": (
        read.bins,
        "n_bins encode strategy quantile_method dtype subsample random_state",
    ),
    "preprocessing.PolynomialFeatures": (
        read.polynomial,
        "degree interaction_only include_bias order",
    ),
    "preprocessing.SplineTransformer": (
        read.spline,
        "n_knots degree knots extrapolation include_bias order handle_missing sparse_output",
    ),
    "preprocessing.OneHotEncoder": (
        read.one_hot,
        "categories drop sparse_output dtype handle_unknown min_frequency max_categories "
        "feature_name_combiner",
    ),
    "preprocessing.OrdinalEncoder": (
        read.ordinal,
        "categories dtype handle_unknown unknown_value encoded_missing_value min_frequency "
        "max_categories",
    ),
    "preprocessing.FunctionTransformer": (
        read.ufunc,
        "func inverse_func validate accept_sparse check_inverse feature_names_out kw_args "
        "inv_kw_args",
    ),
    "decomposition.PCA": (
        read.pca,
        "n_components copy whiten svd_solver tol iterated_power n_oversamples "
        "power_iteration_normalizer random_state",
    ),
    "decomposition.TruncatedSVD": (
        read.matrix,
        "n_components algorithm n_iter n_oversamples power_iteration_normalizer random_state tol",
    ),
    "random_projection.GaussianRandomProjection": (
        read.matrix,
        "n_components eps compute_inverse_components random_state",
    ),
    "random_projection.SparseRandomProjection": (
        read.matrix,
        "n_components density eps dense_output compute_inverse_components random_state",
    ),
    "kernel_approximation.RBFSampler": (read.fourier, "gamma n_components random_state"),
    "kernel_approximation.AdditiveChi2Sampler": (read.chi2, "sample_steps sample_interval"),
    "impute.SimpleImputer": (
        read.imputer,
        "missing_values strategy fill_value copy add_indicator keep_empty_features",
    ),
    "impute.MissingIndicator": (read.indicator, "missing_values features sparse error_on_new"),
    "pipeline.Pipeline": (_steps, "steps transform_input memory verbose"),
    "pipeline.FeatureUnion": (
        _union,
        "transformer_list n_jobs transformer_weights verbose verbose_feature_names_out",
    ),
    "compose.ColumnTransformer": (
        _by_columns,
        "transformers remainder sparse_threshold n_jobs transformer_weights verbose "
        "verbose_feature_names_out",
    ),
}


# Where fitted estimators hold their parts.
PARTS = ("steps", "transformer_list", "transformers_")


def is_fitted(estimator: Any) -> bool:
    """Whether a transformer is fitted, and with it all those that it is made of.

    A pipeline counts as fitted for scikit-learn when its last step is, which may need no fitting.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import Normalizer, StandardScaler
    >>> is_fitted(make_pipeline(StandardScaler(), Normalizer()))
    False
    """
    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError):
        return False
    inside = [e[1] for name in PARTS for e in getattr(estimator, name, None) or ()]
    return all(is_fitted(e) for e in inside if hasattr(e, "fit"))


def known_transformer(fitted: Any) -> FeatureMap | None:
    """The closed map that a fitted transformer is, or None.

    Subclasses are not trusted, nor transformers with parameters that are not known here.

    Examples
    --------
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> known_transformer(FunctionTransformer(np.tanh).fit([[0.0]]))
    Tanh()
    """
    kind = type(fitted)
    for name, (translate, parameters) in KNOWN.items():
        module, _, own = name.partition(".")
        if (
            own != kind.__name__
            or getattr(sys.modules.get(f"sklearn.{module}"), own, None) is not kind
        ):
            continue
        if "transform" in vars(fitted) or set(fitted.get_params(deep=False)) != set(
            parameters.split()
        ):
            return None
        return translate(fitted)
    return None
