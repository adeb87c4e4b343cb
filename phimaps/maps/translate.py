"""Which transformers and modules are maps of this library under another name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn import decomposition, preprocessing, random_projection
from torch import nn

from ..map import FeatureMap, pipe
from .affine import Affine, Diagonal
from .conv import Conv2d
from .pointwise import Abs, Exp, Gelu, LeakyRelu, Relu, Sigmoid, Silu, Tanh
from .polynomial import Polynomial
from .pool import AvgPool2d, MaxPool2d
from .powers import Cos, Log, Power, Sin, Sqrt
from .vector import Flatten, Identity, Normalize

__all__ = ["known_module", "known_transformer"]


def _whole(values: Any, like: Any) -> np.ndarray:
    return np.ones(like) if values is None else np.asarray(values, dtype=np.float64)


def _standard(e: Any) -> FeatureMap:
    weight = 1.0 / _whole(e.scale_, e.n_features_in_)
    mean = e.mean_ if e.with_mean else np.zeros(e.n_features_in_)
    return Diagonal(weight, -np.asarray(mean) * weight)


def _robust(e: Any) -> FeatureMap:
    weight = 1.0 / _whole(e.scale_ if e.with_scaling else None, e.n_features_in_)
    centre = e.center_ if e.with_centering else np.zeros(e.n_features_in_)
    return Diagonal(weight, -np.asarray(centre) * weight)


def _pca(e: Any) -> FeatureMap:
    weight = np.asarray(e.components_, dtype=np.float64).T
    if e.whiten:
        floor = np.finfo(np.float64).eps
        weight = weight / np.sqrt(np.maximum(e.explained_variance_, floor))
    return Affine(weight, -np.asarray(e.mean_) @ weight)


def _matrix(e: Any) -> FeatureMap:
    components = e.components_
    dense = components.toarray() if hasattr(components, "toarray") else np.asarray(components)
    return Affine(np.asarray(dense, dtype=np.float64).T)


def _polynomial(e: Any) -> FeatureMap | None:
    plain = isinstance(e.degree, int | np.integer) and e.degree >= 1
    return Polynomial(int(e.degree), e.interaction_only, e.include_bias) if plain else None


UFUNCS: dict[Any, Callable[[], FeatureMap]] = {
    None: Identity,
    np.abs: Abs,
    np.exp: Exp,
    np.log: Log,
    np.sqrt: Sqrt,
    np.square: lambda: Power(2),
    np.sin: Sin,
    np.cos: Cos,
    np.tanh: Tanh,
}


def _ufunc(e: Any) -> FeatureMap | None:
    make = UFUNCS.get(e.func) if e.func is None or isinstance(e.func, np.ufunc) else None
    return make() if make is not None and not e.kw_args else None


TRANSFORMERS: dict[type, Callable[[Any], FeatureMap | None]] = {
    preprocessing.StandardScaler: _standard,
    preprocessing.MinMaxScaler: lambda e: None if e.clip else Diagonal(e.scale_, e.min_),
    preprocessing.MaxAbsScaler: lambda e: Diagonal(1.0 / e.scale_, np.zeros_like(e.scale_)),
    preprocessing.RobustScaler: _robust,
    preprocessing.Normalizer: lambda e: Normalize() if e.norm == "l2" else None,
    preprocessing.PolynomialFeatures: _polynomial,
    preprocessing.FunctionTransformer: _ufunc,
    decomposition.PCA: _pca,
    decomposition.TruncatedSVD: _matrix,
    random_projection.GaussianRandomProjection: _matrix,
    random_projection.SparseRandomProjection: _matrix,
}


def known_transformer(fitted: Any) -> FeatureMap | None:
    """The closed map that a fitted transformer is, or None; subclasses are not trusted.

    Examples
    --------
    >>> known_transformer(preprocessing.FunctionTransformer(np.tanh).fit([[0.0]]))
    Tanh()
    """
    translate = TRANSFORMERS.get(type(fitted))
    return None if translate is None else translate(fitted)


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().clone()


def _linear(m: Any) -> FeatureMap:
    return Affine(_copy(m.weight).T.contiguous(), None if m.bias is None else _copy(m.bias))


def _flatten(m: Any) -> FeatureMap | None:
    return Flatten() if (m.start_dim, m.end_dim) == (1, -1) else None


def _conv(m: Any) -> FeatureMap | None:
    if m.groups != 1 or m.dilation != (1, 1) or m.padding_mode not in ("zeros", "circular"):
        return None
    if m.padding == "same" and m.stride != (1, 1):
        return None
    padding = 0 if m.padding == "valid" else m.padding
    bias = None if m.bias is None else _copy(m.bias)
    return Conv2d(_copy(m.weight), bias, m.stride, padding, m.padding_mode)


def _max_pool(m: Any) -> FeatureMap | None:
    if m.dilation not in (1, (1, 1)) or m.return_indices:
        return None
    return MaxPool2d(m.kernel_size, m.stride, m.padding, m.ceil_mode)


def _avg_pool(m: Any) -> FeatureMap | None:
    if m.divisor_override is not None:
        return None
    return AvgPool2d(m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad)


def _sequential(m: Any) -> FeatureMap | None:
    parts = [known_module(child) for child in m]
    return pipe(*parts) if parts and all(p is not None for p in parts) else None


MODULES: dict[type, Callable[[Any], FeatureMap | None]] = {
    nn.Linear: _linear,
    nn.ReLU: lambda m: Relu(),
    nn.LeakyReLU: lambda m: LeakyRelu(m.negative_slope),
    nn.Tanh: lambda m: Tanh(),
    nn.Sigmoid: lambda m: Sigmoid(),
    nn.GELU: lambda m: Gelu() if m.approximate == "none" else None,
    nn.SiLU: lambda m: Silu(),
    nn.Identity: lambda m: Identity(),
    # In evaluation mode dropout does nothing.
    nn.Dropout: lambda m: Identity(),
    nn.Flatten: _flatten,
    nn.Conv2d: _conv,
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _avg_pool,
    nn.Sequential: _sequential,
}


def known_module(module: nn.Module) -> FeatureMap | None:
    """The closed map that a module is in evaluation mode, or None.

    Hooks change what a module computes, so a module with hooks is never translated; nor is a
    subclass.

    Examples
    --------
    >>> known_module(nn.Tanh())
    Tanh()
    """
    hooks = ("_forward_hooks", "_forward_pre_hooks")
    if any(getattr(module, name, None) for name in hooks) or "forward" in vars(module):
        return None
    translate = MODULES.get(type(module))
    return None if translate is None else translate(module)
