"""Small objects with one fault in their names, copies, or the memory layouts they read."""

import copy
import threading

import numpy as np
import pandas as pd
import torch
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from .always_case import COLOURS, FAULTS, PICTURES, SHOP, Map, NoName, fault
from .always_processes import Hashes, OfThisProcess, OrderOfSet


# --- names ---------------------------------------------------------------------------------------
def named(says, names, check="check_names", features=np.tanh):
    class Named(Map):
        def features(self, X):
            return features(X)

        def get_feature_names_out(self, input_features=None):
            return names(input_features)

    Named.__name__ = f"Named{len(FAULTS)}"
    return fault(check, says)(Named)


COUNTER = []


def counted(inputs):
    COUNTER.append(None)
    return [f"a{len(COUNTER)}", "b"]


named("A name of a feature is not a text: 0.", lambda inputs: [0, 1])
named("There are 3 names for 2 features.", lambda inputs: ["one", "a", "b"])
named("2 features have the name 'a'.", lambda inputs: ["a", "a"])
named("The same features have other names when they are asked for again.", counted)
named(
    "The feature named 'x0' follows the column 'x1', and not 'x0'.",
    lambda inputs: ["x0", "x1"],
    features=lambda X: X[:, ::-1].copy(),
)


@fault("check_names", "The names differ when the columns that it was fitted to are named again.")
class NamesOfItsOwn(Map):
    def fit(self, X, y=None):
        self.feature_names_in_ = np.array(["left", "right"], dtype=object)
        return super().fit(X)

    def get_feature_names_out(self, input_features=None):
        return ["a", "b"] if input_features is None else [f"{n}_tanh" for n in input_features]


class Framed(Map):
    """Answers set_output by itself."""

    def frame(self, X, result):
        return pd.DataFrame(result, columns=self.get_feature_names_out(), index=X.index)

    def set_output(self, *, transform=None):
        self.asked_ = transform
        return self

    def transform(self, X):
        result = np.tanh(np.array(X, dtype=float))
        return self.frame(X, result) if getattr(self, "asked_", None) else result


@fault("check_set_output", "After set_output(transform='pandas') no data frame comes out.")
class StaysArray(Framed):
    def frame(self, X, result):
        return result


@fault("check_set_output", "The columns of the data frame are not the names of the features.")
class OtherColumns(Framed):
    def frame(self, X, result):
        return pd.DataFrame(result, index=X.index)


@fault("check_set_output", "The data frame lost the labels of its rows.")
class LosesLabels(Framed):
    def frame(self, X, result):
        return pd.DataFrame(result, columns=self.get_feature_names_out())


@fault("check_set_output", "The features differ between an array and a data frame as output.")
class OtherNumbers(Framed):
    def frame(self, X, result):
        return super().frame(X, 2 * result)


@fault(
    "check_columns_by_name", "The same columns in another order silently give other features.", SHOP
)
class ByPlace(NoName):
    def transform(self, X):
        return np.log(X.to_numpy(dtype=float)[:, 1:] + 1)


@fault("check_columns_by_name", "The same columns in another order silently give other features.")
class KnowsAndIgnores(Map):
    def fit(self, X, y=None):
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return super().fit(X)

    def features(self, X):
        return X * [1.0, 2.0]


# --- copies --------------------------------------------------------------------------------------
@fault("check_clone", "get_params leaves out 'shift', which the constructor takes.")
class LeavesOut(Map):
    def __init__(self, scale=1.0, shift=0.0):
        self.scale, self.shift = scale, shift

    def get_params(self, deep=True):
        return {"scale": self.scale}


@fault("check_clone", "A clone has another parameter scale.", make=lambda: Cloned(3.0))
class Cloned(Map):
    def __init__(self, scale=1.0):
        self.scale = scale

    def __sklearn_clone__(self):
        return Cloned()


@fault("check_clone", "A clone of a fitted object is fitted.")
class ClonesAll(Map):
    def __sklearn_clone__(self):
        return copy.deepcopy(self)

    def learn(self, X):
        self.mean_ = X.mean(axis=0)

    def features(self, X):
        return X - self.mean_


@fault(
    "check_clone",
    "A clone, fitted to the same data, has other features than the object itself.",
    make=lambda: Configured().configure(3.0),
)
class Configured(Map):
    def configure(self, factor):
        self.factor = factor
        return self

    def features(self, X):
        return getattr(self, "factor", 1.0) * X


@fault("check_pickle", "A lambda, or a function made inside another in func, cannot be pickled.")
def of_lambda():
    return FunctionTransformer(lambda X: np.tanh(X))


@fault("check_pickle", "It cannot be pickled because of lock_.")
class Locked(Map):
    def learn(self, X):
        self.lock_ = threading.Lock()

    def __deepcopy__(self, memo):
        return type(self)().fit(np.zeros((3, 2)))


@fault("check_pickle", "Loaded again by pickle, it has other features.")
class Rounds(Map):
    def learn(self, X):
        self.scale_ = 1 / 3

    def __getstate__(self):
        state = dict(super().__getstate__())
        return {k: round(v, 6) if k == "scale_" else v for k, v in state.items()}

    def features(self, X):
        return X * self.scale_


@fault("check_copies", "A deep copy has other features.")
class CopiesBadly(Map):
    def learn(self, X):
        self.scale_ = 3.0

    def __deepcopy__(self, memo):
        twin = type(self)().fit(np.zeros((3, 2)))
        twin.scale_ = self.scale_ + 1
        return twin

    def features(self, X):
        return X * self.scale_


@fault("check_copies", "An object changed when another one was fitted.")
class SharedMean(Map):
    table = {}

    def learn(self, X):
        self.table["mean"] = X.mean(axis=0)

    def features(self, X):
        return X - self.table["mean"]


@fault("check_copies", "It cannot be copied.")
class NoCopies(Map):
    def __copy__(self):
        raise TypeError("one of a kind")


class Derives(Map):
    def __init__(self, gamma=1.0):
        self.gamma = gamma
        self._scale = gamma**0.5

    def features(self, X):
        return np.sin(self._scale * X)


@fault(
    "check_params",
    "set_params(gamma=1.5), then fit, gives other features than a new object with gamma=1.5.",
)
class DerivesInInit(Derives):
    def __init__(self, gamma=1.0):
        super().__init__(gamma)


@fault(
    "check_params",
    "set_params(gamma=1.5), then transform, gives other features than a new object with gamma=1.5.",
)
class DerivesInFit(Map):
    """Needs no fit to begin with: its first filters are made for the first parameters."""

    width_ = 2

    def __init__(self, gamma=1.0):
        self.gamma = gamma
        self._made = gamma

    def learn(self, X):
        self._made = self.gamma

    def features(self, X):
        return np.sin(self._made * X)


@fault("check_params", "After set_params(count=3) it fails, where a new object does not.")
class FixedAtBirth(Map):
    def __init__(self, count=2):
        self.count = count
        self._weights = np.ones((2, count))

    def features(self, X):
        return X @ self._weights + np.zeros(self.count)


@fault("check_repr", "It cannot be shown.")
class Unshown(Map):
    def __repr__(self):
        return f"Unshown({self.width_})"


@fault("check_repr", "It is shown as nothing.")
class Nameless(Map):
    def __repr__(self):
        return ""


@fault(
    "check_state_dict",
    "A module that was called before keeps features of its old weights when it loads new ones.",
)
class KeepsProduct(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.arange(1.0, 5.0).reshape(2, 2))
        self.kept = None

    def forward(self, x):
        if self.kept is None:
            self.kept = (self.a @ self.a).detach()
        return x @ self.kept


@fault("check_state_dict", "Loaded from its state_dict, the module has other features.")
class ForgetsOnLoad(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.ones(2))
        self.loads = 0

    def load_state_dict(self, state, **rest):
        self.loads += 1
        return super().load_state_dict(state, **rest)

    def forward(self, x):
        return x * self.a * max(1, self.loads)


# --- other processes -----------------------------------------------------------------------------
fault("check_other_process", "Loaded in another process, it has other features.", COLOURS)(Hashes)
fault(
    "check_other_process", "Fitted to the same data in another process, it is another map.", COLOURS
)(OrderOfSet)
fault("check_other_process", "In another process it fails.", COLOURS)(OfThisProcess)


# --- layouts -------------------------------------------------------------------------------------
@fault("check_layout", "An array in Fortran order is read wrong: the same numbers have other *")
class ReadsMemory(NoName):
    def transform(self, X):
        X = np.asarray(X)
        return np.sin(X.ravel(order="K")).reshape(X.shape)


@fault("check_layout", "An array that is read backwards is refused, though the same numbers are *")
class NeedsPositiveStrides(NoName):
    def transform(self, X):
        return torch.from_numpy(np.asarray(X)).sigmoid().numpy()


@fault("check_layout", "An array mapped from a file is altered.")
class WritesToFiles(NoName):
    def transform(self, X):
        result = np.array(X)
        if isinstance(X, np.memmap):
            torch.from_numpy(np.asarray(X)).add_(1.0)
        return result


@fault("check_layout", "An array of integers has other features than the same numbers as floats.")
class CutsIntegers(NoName):
    def transform(self, X):
        out = np.empty_like(np.asarray(X))
        out[:] = np.sqrt(np.abs(X)) / 2
        return out


@fault("check_layout", "A list of lists is refused by accident.")
class WantsShape(NoName):
    def transform(self, X):
        return np.zeros(X.shape) + X


@fault(
    "check_layout",
    "Pictures of bytes are read as numbers up to 255, and the domain has *",
    PICTURES,
)
class Unscaled(NoName):
    def transform(self, X):
        return np.asarray(X, dtype=np.float64).reshape(len(X), -1) / 2


@fault(
    "check_layout",
    "Pictures of bytes are read as neither their numbers nor their 255ths, and the domain has *",
    PICTURES,
)
class WrapsAround(NoName):
    def transform(self, X):
        X = np.asarray(X)
        return (X + X).reshape(len(X), -1) / (255.0 if X.dtype == np.uint8 else 1.0)


@fault("check_layout", "A transposed tensor is read wrong: the same numbers have other features.")
class IgnoresStrides(nn.Module):
    def forward(self, x):
        return torch.as_strided(x, (len(x), 2), (2, 1)) + 1


@fault("check_fit_layout", "A slice of every other column is read wrong by fit: the same numbers *")
class FitsBase(Map):
    def read(self, X):
        return np.array(X)

    def fit(self, X, y=None):
        whole = X if getattr(X, "base", None) is None else X.base
        self.mean_ = np.mean(whole)
        return super().fit(X)

    def features(self, X):
        return X - self.mean_


@fault("check_fit_layout", "A list of lists is refused by fit, though the same numbers are taken *")
class FitsShapes(Map):
    def fit(self, X, y=None):
        self.count_ = X.shape[0]
        return super().fit(X)


@fault("check_fit_transform", "fit_transform(X) is not fit(X).transform(X).")
class LeavesOneOut(Map):
    def learn(self, X):
        self.mean_ = X.mean(axis=0)

    def fit_transform(self, X, y=None):
        n = len(X)
        self.fit(X)
        return X - (n * self.mean_ - X) / (n - 1)

    def features(self, X):
        return X - self.mean_


@fault("check_fit_transform", "After fit_transform, transform gives other features than after fit.")
class FitsTwice(Map):
    def learn(self, X):
        self.mean_ = X.mean(axis=0)

    def fit_transform(self, X, y=None):
        result = self.fit(X).transform(X)
        self.mean_ = 2 * self.mean_
        return result

    def features(self, X):
        return X - self.mean_
