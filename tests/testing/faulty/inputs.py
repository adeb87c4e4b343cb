"""Transformers that alter what they are given, or read it wrong: memory, dtype, layout."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

import phimaps as pm

from .case import IMAGES, Bed, Plain

BED = Bed()
UNTOUCHED, LAYOUT, DTYPE = "check_input_untouched", "check_layout", "check_dtype"
FIT, PRECISION = "check_fit_data_untouched", "check_real_precision"


@BED.add("X -= mean alters the array of the caller", UNTOUCHED)
class CentredInPlace(Plain):
    def learn(self, X):
        self.mean_ = X.mean(axis=0)

    def features(self, X):
        X -= self.mean_
        return X


@BED.add("values beyond what was seen are clipped in the array of the caller", UNTOUCHED)
class ClippedInPlace(Plain):
    def learn(self, X):
        self.low_, self.high_ = 0.9 * X.min(axis=0), 0.9 * X.max(axis=0)

    def features(self, X):
        return np.clip(X, self.low_, self.high_, out=X) + 1.0


@BED.add("fit centres the training rows in the array of the caller", FIT)
class FitInPlace(Plain):
    def learn(self, X):
        self.mean_ = X.mean(axis=0)
        X -= self.mean_
        self.scale_ = np.abs(X).max(axis=0) + 1e-6

    def features(self, X):
        return (X - self.mean_) / self.scale_


@BED.add("zeros are replaced in the array of the caller, to divide by them", UNTOUCHED)
class ZerosReplaced(Plain):
    def features(self, X):
        X[X == 0] = 1.0
        return 1.0 / np.sqrt(1.0 + X**2)


@BED.add("fit sorts the columns of the caller's array to find quantiles", FIT)
class SortedInFit(Plain):
    def learn(self, X):
        X.sort(axis=0)
        self.middle_ = X[len(X) // 2].copy()

    def features(self, X):
        return X - self.middle_


@BED.add(
    "the features are a part of the caller's array: changing them changes it",
    UNTOUCHED,
    "check_memory",
)
class ViewOfInput(Plain):
    def features(self, X):
        return X[:, ::-1]


@BED.add("float32 comes back as float64, though the tag says that it is kept", DTYPE)
class AlwaysDouble(Plain):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def features(self, X):
        return np.hstack([np.ones((len(X), 1)), X])


@BED.add("float64 is computed in float32", DTYPE, PRECISION)
class SingleInside(Plain):
    def features(self, X):
        return np.tanh(X.astype(np.float32)).astype(X.dtype)


@BED.add("float64 comes back as float32", DTYPE)
class AlwaysSingle(Plain):
    def features(self, X):
        return np.tanh(X).astype(np.float32)


@BED.add("float64 comes back as float16", DTYPE)
class AlwaysHalf(Plain):
    def features(self, X):
        return np.sin(X).astype(np.float16)


@BED.add("the features are objects", DTYPE)
class Objects(Plain):
    def features(self, X):
        return np.array([[float(v) for v in np.cos(row)] for row in X], dtype=object)


@BED.add("features of integers are cut to integers: the output has the dtype of X", DTYPE, LAYOUT)
class IntegersCut(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        validate_data(self, X)
        return self

    def transform(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        out = np.empty_like(X)
        out[:] = np.sqrt(np.abs(X))
        return out


@BED.add(
    "values are cut to integers before they are scaled", "check_injective", claims=(pm.Injective,)
)
class CutFirst(Plain):
    def features(self, X):
        return X.astype(int) * 0.5


@BED.add("ravel(order='K') reads an array of Fortran order column by column", LAYOUT)
class FortranRead(Plain):
    def features(self, X):
        return np.sin(X.ravel(order="K")).reshape(X.shape)


@BED.add("the buffer of the array is read without its strides", LAYOUT)
class BufferRead(Plain):
    def features(self, X):
        base = X if X.base is None or X.base.size < X.size else X.base
        return np.cos(np.ravel(base, order="A")[: X.size]).reshape(X.shape)


@BED.add("torch.from_numpy fails on an array that is read backwards", LAYOUT)
class NegativeStrides(Plain):
    def features(self, X):
        return torch.from_numpy(X).sigmoid().numpy()


@BED.add(
    "pictures of bytes are not divided by 255, as those of floats in [0, 1] are read",
    LAYOUT,
    on=IMAGES,
)
class BytesUnscaled(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        X = np.asarray(X)
        if X.dtype == np.uint8:
            X = X.astype(np.float32)
        return np.tanh(X.reshape(len(X), -1))


@BED.add("lists of lists fail: only arrays have a shape", LAYOUT, "check_fit_layout")
class ListsFail(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        check_is_fitted(self)
        return X * 2.0 + 1.0


@BED.add(
    "a sum of bytes overflows: the difference of two bytes wraps around", LAYOUT, DTYPE, on=IMAGES
)
class BytesWrapAround(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        X = np.asarray(X)
        edges = X[..., 1:] - X[..., :-1]
        return edges.reshape(len(X), -1) / (255.0 if X.dtype == np.uint8 else 1.0)
