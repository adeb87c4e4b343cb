"""Transformers that remember: earlier calls, earlier fits, random numbers; or forget."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted, validate_data

from .case import Bed, Plain

BED = Bed()
TWICE, GLOBAL = "check_deterministic", "check_global_state"
REFIT, CLONE, PICKLE = "check_refit", "check_clone", "check_pickle"


# --- random numbers ------------------------------------------------------------------------------
@BED.add(
    "the weights are drawn from the global generator: each fit gives others",
    "check_same_fit",
    GLOBAL,
)
class GlobalWeights(Plain):
    def learn(self, X):
        self.weights_ = np.random.randn(X.shape[1], 4)

    def features(self, X):
        return X @ self.weights_.astype(X.dtype)


@BED.add("the weights are drawn without a seed", "check_same_fit")
class UnseededWeights(Plain):
    def learn(self, X):
        self.weights_ = np.random.default_rng().normal(size=(X.shape[1], 4))

    def features(self, X):
        return np.cos(X @ self.weights_.astype(X.dtype))


@BED.add("random_state is taken and never used", "check_same_fit")
class SeedForgotten(Plain):
    def __init__(self, random_state=0):
        self.random_state = random_state

    def learn(self, X):
        rng = np.random.default_rng()
        self.keep_ = rng.permutation(X.shape[1])[: max(1, X.shape[1] // 2)]
        self.sign_ = rng.choice([-1.0, 1.0], size=X.shape[1])

    def features(self, X):
        return (X * self.sign_.astype(X.dtype))[:, self.keep_]


@BED.add("a little noise at each transform", TWICE, "check_rows")
class NoiseAdded(Plain):
    def features(self, X):
        rng = np.random.default_rng()
        return X + 1e-6 * rng.normal(size=X.shape).astype(X.dtype)


@BED.add("the noise is drawn from a generator that goes on from call to call", TWICE, "check_rows")
class GeneratorGoesOn(Plain):
    def learn(self, X):
        self.rng_ = np.random.default_rng(0)

    def features(self, X):
        return X * (1 + 1e-3 * self.rng_.normal(size=X.shape)).astype(X.dtype)


@BED.add("fit seeds the global generator of NumPy", GLOBAL)
class SeedsNumpy(Plain):
    def learn(self, X):
        np.random.seed(0)
        self.weights_ = np.random.randn(X.shape[1], 4)

    def features(self, X):
        return X @ self.weights_.astype(X.dtype)


@BED.add("transform seeds the global generator of torch", GLOBAL)
class SeedsTorch(Plain):
    def features(self, X):
        torch.manual_seed(0)
        w = torch.randn(X.shape[1], 4, dtype=torch.float64).numpy()
        return np.tanh(X @ w.astype(X.dtype))


@BED.add("transform takes a number from Python's global generator", GLOBAL, TWICE)
class ShuffledColumns(Plain):
    def features(self, X):
        import random

        order = list(range(X.shape[1]))
        random.shuffle(order)
        return X[:, order]


# --- earlier calls -------------------------------------------------------------------------------
@BED.add("a running mean goes on at transform", TWICE, "check_state", "check_memory")
class RunningMean(Plain):
    def learn(self, X):
        self.mean_ = X.mean(axis=0)

    def features(self, X):
        self.mean_ = 0.9 * self.mean_ + 0.1 * X.mean(axis=0)
        return X - self.mean_


@BED.add("the result for an earlier input of the same shape is returned", "check_memory")
class CachedByShape(Plain):
    def learn(self, X):
        self.cache_ = {}

    def features(self, X):
        if X.shape not in self.cache_:
            self.cache_[X.shape] = np.cos(X)
        return self.cache_[X.shape].copy()


@BED.add("the cache asks for the sum of the input only", "check_deterministic", "check_state")
class CachedBySum(Plain):
    def learn(self, X):
        self.key_, self.kept_ = None, None

    def features(self, X):
        key = (X.shape, round(float(X.sum()), 6))
        if key != self.key_:
            self.key_, self.kept_ = key, np.sort(X, axis=1) + X
        return self.kept_.copy()


@BED.add("the cache asks whether it is the same array, not whether its numbers are", "check_memory")
class CachedByIdentity(Plain):
    def learn(self, X):
        self.seen_, self.kept_ = None, None

    def features(self, X):
        if X is not self.seen_:
            self.seen_, self.kept_ = X, X**2
        return self.kept_.copy()


@BED.add("one buffer for all results: earlier ones change", "check_memory")
class BufferReused(Plain):
    def learn(self, X):
        self.buffer_ = {}

    def features(self, X):
        out = self.buffer_.setdefault((X.shape, X.dtype), np.empty_like(X))
        np.multiply(X, 2.0, out=out)
        return out


@BED.add(
    "a single row's features are a part of the fitted state: changing them changes later ones",
    "check_memory",
)
class StateHandedOut(Plain):
    def learn(self, X):
        self.centres_ = X[:5].copy()

    def features(self, X):
        nearest = np.linalg.norm(X[:, None] - self.centres_, axis=-1).argmin(axis=1)
        if len(X) == 1:
            return self.centres_[nearest[0] : nearest[0] + 1]
        return self.centres_[nearest]


@BED.add(
    "the first batch after fit sets the scale", "check_memory", TWICE, "check_rows", "check_state"
)
class ScaleOfFirstBatch(Plain):
    def learn(self, X):
        self.scale_ = None

    def features(self, X):
        if self.scale_ is None:
            self.scale_ = np.abs(X).max() + 1.0
        return X / self.scale_


@BED.add("transform appends to a list: the width grows", TWICE, "check_width", "check_state")
class WidthGrows(Plain):
    def learn(self, X):
        self.powers_ = [1]

    def features(self, X):
        self.powers_.append(len(self.powers_) + 1)
        return np.hstack([X**p for p in self.powers_[:5]])


# --- parameters, fits, copies --------------------------------------------------------------------
@BED.add("a parameter is changed in __init__", CLONE, "check_evaluates")
class ChangedInInit(Plain):
    def __init__(self, degrees=(1, 2)):
        self.degrees = [int(d) for d in degrees]

    def features(self, X):
        return np.hstack([X**d for d in self.degrees])


@BED.add(
    "fit overwrites a parameter: a second fit on wider data has the old width",
    "check_fit",
    "check_params",
    REFIT,
    CLONE,
    build=lambda: ChangedInFit(8),
)
class ChangedInFit(Plain):
    def __init__(self, n_components=8):
        self.n_components = n_components

    def learn(self, X):
        self.n_components = min(self.n_components, X.shape[1])

    def features(self, X):
        return X[:, : self.n_components] * 2.0


@BED.add("set_params is without effect: the weights are drawn in __init__", "check_params", CLONE)
class SetParamsIgnored(Plain):
    def __init__(self, gamma=1.0):
        self.gamma = gamma
        self._scale = np.sqrt(2 * gamma)

    def features(self, X):
        return np.sin(self._scale * X)


@BED.add("fit returns None", "check_fit", "check_evaluates")
class FitReturnsNone(Plain):
    def fit(self, X, y=None):
        X = validate_data(self, X, dtype=FLOAT_DTYPES)
        self.mean_ = X.mean(axis=0)

    def fit_transform(self, X, y=None):
        self.fit(X)
        return self.transform(X)

    def features(self, X):
        return X - self.mean_


@BED.add("a second fit keeps the mean of the first", REFIT)
class RefitKeepsOld(Plain):
    def learn(self, X):
        if not hasattr(self, "mean_"):
            self.mean_ = X.mean(axis=0)

    def features(self, X):
        return X - self.mean_


@BED.add("a second fit adds its columns to those of the first", REFIT)
class RefitAppends(Plain):
    def __init__(self):
        self._edges = []

    def learn(self, X):
        self._edges.append(np.median(X, axis=0))

    def features(self, X):
        return np.hstack([np.tanh(X - edge) for edge in self._edges])


@BED.add(
    "get_params leaves a parameter out: clone loses it", CLONE, build=lambda: CloneLoses(2.0, 0.5)
)
class CloneLoses(Plain):
    def __init__(self, scale=1.0, shift=0.0):
        self.scale = scale
        self.shift = shift

    def get_params(self, deep=True):
        return {"scale": self.scale}

    def features(self, X):
        return self.scale * X + self.shift


@BED.add("a parameter is kept under another name: get_params fails", "check_evaluates")
class RenamedParameter(Plain):
    def __init__(self, scale=2.0):
        self.factor = scale

    def features(self, X):
        return self.factor * X


@BED.add("a lambda among the attributes cannot be pickled", PICKLE)
class LambdaKept(Plain):
    def learn(self, X):
        scale = np.abs(X).max() + 1.0
        self.scale_ = lambda Z: Z / scale

    def features(self, X):
        return self.scale_(X)


@BED.add("the fitted matrix is left out of the pickle and made anew, from another seed", PICKLE)
class PickleForgets(Plain):
    def learn(self, X):
        self.weights_ = np.linalg.qr(X.T @ X + np.eye(X.shape[1]))[0]

    def __getstate__(self):
        return {k: v for k, v in super().__getstate__().items() if k != "weights_"}

    def __setstate__(self, state):
        super().__setstate__(state)
        if "n_features_in_" in state:
            self.weights_ = np.eye(self.n_features_in_)

    def features(self, X):
        return X @ self.weights_.astype(X.dtype)


@BED.add("weights are stored in the pickle in half precision, to save space", PICKLE)
class PickleRounds(Plain):
    def learn(self, X):
        self.weights_ = np.linspace(0.1, 0.7, X.shape[1]) / 3.0

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "weights_" in state:
            state["weights_"] = state["weights_"].astype(np.float16).astype(float)
        return state

    def features(self, X):
        return X * self.weights_.astype(X.dtype)


@BED.add(
    "a deepcopy shares its cache with the original: one copy's fit changes the other",
    CLONE,
    "check_copies",
)
class SharedTable(Plain):
    _table = {}

    def learn(self, X):
        SharedTable._table["mean"] = X.mean(axis=0)
        self.fitted_ = True

    def features(self, X):
        return X - SharedTable._table["mean"]


@BED.add("fit_transform divides by n - 1, transform by n", "check_fit_transform")
class FitTransformDiffers(Plain):
    def learn(self, X):
        self.scale_ = X.std(axis=0) + 1e-6

    def fit_transform(self, X, y=None):
        self.fit(X)
        X = np.asarray(X)
        return X / (X.std(axis=0, ddof=1 if len(X) > 1 else 0) + 1e-6)

    def features(self, X):
        return X / self.scale_


@BED.add(
    "fit_transform gives the features leave-one-out, transform does not", "check_fit_transform"
)
class LeaveOneOut(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        X = validate_data(self, X, dtype=FLOAT_DTYPES)
        self.sum_, self.count_ = X.sum(axis=0), len(X)
        return self

    def fit_transform(self, X, y=None):
        X = self.fit(X) and np.asarray(X)
        return X - (self.sum_ - X) / max(self.count_ - 1, 1)

    def transform(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOAT_DTYPES, reset=False)
        return X - self.sum_ / self.count_


@BED.add("inverse_transform adds before it divides", "check_inverse", claims={"inverse": True})
class InverseInWrongOrder(Plain):
    def learn(self, X):
        self.mean_, self.scale_ = X.mean(axis=0) + 0.5, X.std(axis=0) + 1.0

    def features(self, X):
        return (X - self.mean_) / self.scale_

    def inverse_transform(self, X):
        return (X + self.mean_) * self.scale_


@BED.add(
    "the inverse is the transpose, of a matrix that is not orthogonal",
    "check_inverse",
    claims={"inverse": True},
)
class TransposeIsNoInverse(Plain):
    def learn(self, X):
        d = X.shape[1]
        self.matrix_ = np.eye(d) + 0.3 * np.triu(np.ones((d, d)), 1)

    def features(self, X):
        return X @ self.matrix_.astype(X.dtype).T

    def inverse_transform(self, X):
        return X @ self.matrix_


@BED.add(
    "the inverse of log(1 + x²) sign(x) forgets the 1", "check_inverse", claims={"inverse": True}
)
class InverseForgetsOne(Plain):
    def features(self, X):
        return np.sign(X) * np.log1p(np.abs(X))

    def inverse_transform(self, X):
        return np.sign(X) * np.exp(np.abs(X))
