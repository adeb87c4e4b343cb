"""Small objects with one fault in how they treat rows, memory or state."""

import warnings
from typing import final

import numpy as np
import pandas as pd
import torch
from torch import nn

import phimaps as pm

from .always_case import SHOP, Map, NoName, fault, function


# --- rows ----------------------------------------------------------------------------------------
@function("check_width", "What comes out for 1 rows is not a table of features.")
def vector(x):
    return x.sum(-1)


@function("check_width", "* rows went in, and * came out.")
def stacked(x):
    return torch.cat([x, x]) if len(x) > 1 else x


@function("check_width", "How many features there are depends on the rows.")
def as_wide_as_long(x):
    return x[:, :1].repeat(1, len(x))


@fault("check_width", "1 rows of the domain are refused, though others are taken.")
def training():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


@function("check_deterministic", "The same call, made twice, gives different features.")
def noisy(x):
    return x + 1e-9 * torch.rand_like(x)


@fault("check_deterministic", "Features depend on what was transformed before.")
class Remembers(Map):
    def features(self, X):
        first = self.__dict__.setdefault("_first", X.copy())
        return X + np.abs(first).max()


@fault("check_same_fit", "Two copies, fitted to the same data, are different maps.")
class Unseeded(Map):
    def learn(self, X):
        self.weights_ = np.random.default_rng().normal(size=(2, 3))

    def features(self, X):
        return X @ self.weights_


@fault(
    "check_same_fit",
    "Two copies, with random_state=0, fitted to the same data, are different maps.",
)
class SeedForgotten(Unseeded):
    def __init__(self, random_state=None):
        self.random_state = random_state


@function("check_rows", "A row taken * has other features than among the * rows drawn.")
def centred(x):
    return x - 1e-3 * x.mean()


@function("check_rows", "* rows went in, and * came out.")
def distinct(x):
    return torch.unique(x, dim=0)


@function("check_rows", "* rows, taken each of them twice, give * rows of features.")
def no_pairs(x):
    paired = len(x) > 2 and len(x) % 2 == 0 and (x[::2] == x[1::2]).all()
    return x[::2] if paired else x


@function("check_rows", "Rows taken alone are refused.")
def at_least_two(x):
    if len(x) == 1:
        raise ValueError("one row is too few")
    return x


@fault(
    "check_rows", "The rows of a data frame have other features when they have other labels.", SHOP
)
class ByLabel(NoName):
    def transform(self, X):
        return pd.DataFrame({"h": pd.Series(X["hour"].to_numpy()), "a": X["amount"]}).fillna(0)


@function("check_batch_sizes", "A row has other features in a batch of size 65 than in one of 24.")
def after_64(x):
    return x + (torch.arange(len(x)) >= 64)[:, None]


@function("check_batch_sizes", "65 rows went in, and 64 came out.")
def whole_batches(x):
    return x if len(x) < 64 else x[: len(x) // 64 * 64]


@function("check_finite", "A feature is inf at a point of the domain.")
def reciprocal(x):
    return 1 / (x - 1).abs()


# --- state ---------------------------------------------------------------------------------------
@fault("check_input_untouched", "Transform, of an array, alters the caller's data.")
class InPlace(NoName):
    def transform(self, X):
        X = np.asarray(X)
        if X.flags.writeable:
            X *= 2.0
        return X.copy()


@fault("check_input_untouched", "Transform, of a read-only array, alters the caller's data.")
class ThroughTorch(NoName):
    def transform(self, X):
        X = np.asarray(X)
        return X.copy() if X.flags.writeable else torch.from_numpy(X).mul_(2).numpy().copy()


@fault("check_input_untouched", "A read-only array is refused: it is to be written to.")
class Writes(NoName):
    def transform(self, X):
        X = np.asarray(X)
        X += 0.0
        return X.copy()


@fault("check_input_untouched", "Transform, of a data frame, alters the caller's data.", SHOP)
class AddsColumn(NoName):
    def transform(self, X):
        X["late"] = X["hour"] > 12
        return X.to_numpy(dtype=float)


@fault("check_input_untouched", "The call, of an array, alters the caller's data.")
def rectifier():
    return nn.Sequential(nn.ReLU(inplace=True), nn.Linear(2, 2, dtype=torch.float64))


@final
class Doubles(pm.FeatureMap):
    """2x."""

    def forward(self, x):
        return x.mul_(2)


@fault("check_input_untouched", "Transform, of an array, alters the caller's data.")
def map_in_place():
    return Doubles()


@fault("check_fit_data_untouched", "Fit, of an array, alters the caller's data.")
class FitsInPlace(NoName):
    def fit(self, X, y=None):
        if isinstance(X, np.ndarray) and X.flags.writeable:
            X -= X.mean(axis=0)
        return super().fit(X)

    def transform(self, X):
        return np.array(X)


@fault("check_memory", "Features that the caller holds change when the map is called again.")
class ShowsItsBuffer(Map):
    def features(self, X):
        if getattr(self, "_held", None) is None or self._held.shape != X.shape:
            self._held = X.copy()
            return self._held
        self._held += 1.0
        return X


@fault("check_memory", "The features are a part of the caller's array: writing to one alters the *")
class View(NoName):
    def transform(self, X):
        return np.asarray(X)[:, ::-1]


@fault("check_memory", "Writing to the features that came out changes what comes out next.")
class HandsOutItsTable(Map):
    def learn(self, X):
        self.table_, self._call = X[:1].copy(), 0

    def features(self, X):
        self._call += 1
        view = self._call % 2 and len(X) == 1
        return self.table_ if view else np.repeat(self.table_, len(X), axis=0)


@fault("check_memory", "Two results share their memory: writing to one alters the other.")
class Constant(Map):
    def learn(self, X):
        self.row_ = np.ones((1, 2))

    def features(self, X):
        return np.broadcast_to(self.row_, X.shape)


@fault(
    "check_memory",
    "New numbers in an array that was transformed before have other features than the same *",
)
class KnowsTheArray(NoName):
    def transform(self, X):
        if getattr(self, "_seen", None) is not X:
            self._seen, self._kept = X, np.array(X) ** 2
        return self._kept.copy()


@fault("check_fit", "It has the attribute scale_ before it was fitted.")
class EarlyState(Map):
    def __init__(self):
        self.scale_ = 2.0


@fault("check_fit", "fit does not return the object that was fitted.")
class ReturnsACopy(Map):
    def fit(self, X, y=None):
        super().fit(X)
        other = type(self)()
        other.__dict__.update(self.__dict__)
        return other


@fault("check_fit", "fit alters the parameter degrees[0].")
class AltersParameter(Map):
    def __init__(self, degrees=None):
        self.degrees = [3, 2] if degrees is None else degrees

    def learn(self, X):
        self.degrees.sort()


@fault("check_state", "The call changes 1.running_mean.")
def batch_statistics():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, momentum=0.5))


@fault("check_state", "Transform changes calls_.")
class Counts(Map):
    def learn(self, X):
        self.calls_ = 0

    def features(self, X):
        self.calls_ += 1
        return X


@fault(
    "check_refit",
    "An object that was fitted before gives other features than a new one fitted to the same data.",
)
class KeepsFirstFit(Map):
    def learn(self, X):
        self.mean_ = getattr(self, "mean_", X.mean(axis=0))

    def features(self, X):
        return X - self.mean_


@fault("check_global_state", "Fit changes NumPy's global random numbers.")
class SeedsEverybody(Map):
    def learn(self, X):
        np.random.seed(0)


@fault("check_global_state", "Transform changes which warnings are shown.")
class Silences(Map):
    def features(self, X):
        warnings.simplefilter("ignore")
        return X


@function("check_global_state", "The call changes how NumPy treats floating-point errors.")
def ignores_errors(x):
    np.seterr(divide="ignore" if np.geterr()["divide"] != "ignore" else "warn")
    return x
