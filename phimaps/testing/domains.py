"""The domain of an object under test: what is given stands for one, else the object says."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils import get_tags

from ..errors import ParameterError, show
from ..spaces import Box, Euclidean, Images, Space
from .frames import Frame

__all__ = ["domain_of", "is_data"]

# How many numbers a row has where nothing says how many.
NUMBERS = 4


def is_data(value: Any) -> bool:
    return isinstance(value, np.ndarray | list) or hasattr(value, "iloc")


def domain_of(obj: Any, kind: str, given: Any) -> Space | Frame:
    if isinstance(given, Space | Frame):
        return given
    if isinstance(given, dict):
        return Frame(given)
    if given is None:
        return _usual(obj, kind)
    if hasattr(given, "iloc"):
        return Frame.around(given)
    if is_data(given):
        array = np.asarray(given, dtype=np.float64)
        if array.ndim > 1 and len(array) and np.isfinite(array).all():
            return Box(array.min(axis=0), array.max(axis=0))
    raise ParameterError(
        f"A domain is a space of points or of rows, not {show(given)}.",
        got=f"domain={show(given)}",
        need="a phimaps space, a Frame, a dict of columns, or finite data of shape (n, *point)",
        do="domain=pm.Box([-1.0, -1.0], [1.0, 1.0]), or {'hour': range(24), 'weight': (0.1, 50.0)}",
    )


def _usual(obj: Any, kind: str) -> Space:
    """The domain where none is given: what the object says of the rows it takes."""
    own = getattr(obj, "domain", None)
    if isinstance(own, Space):
        return own
    width = getattr(obj, "n_features_in_", None) or NUMBERS
    if kind == "module":
        return _taken_by(obj)
    positive = getattr(obj, "positive", False)
    if kind == "transformer":
        try:
            positive = get_tags(obj).input_tags.positive_only
        except Exception:
            # What is no BaseEstimator has no tags.
            positive = False
    low = 0.1 if positive else -3.0
    return Box(np.full(width, low), np.full(width, 3.0))


def _taken_by(module: torch.nn.Module) -> Space:
    for part in module.modules():
        if isinstance(part, torch.nn.Linear):
            return Euclidean((part.in_features,))
        if isinstance(part, torch.nn.Conv2d):
            return Images(part.in_channels, 16, 16)
        if isinstance(part, torch.nn.Conv1d):
            return Euclidean((part.in_channels, 32))
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.InstanceNorm1d):
            return Euclidean((part.num_features,))
        if isinstance(part, torch.nn.LayerNorm):
            return Euclidean(tuple(part.normalized_shape))
    return Euclidean((NUMBERS,))
