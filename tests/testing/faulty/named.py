"""Transformers whose names of features are wrong."""

import numpy as np
from sklearn.utils.validation import _check_feature_names_in

from .case import Bed, Plain

BED = Bed()
NAMES = "check_names"


def inputs(self, input_features):
    return list(_check_feature_names_in(self, input_features))


@BED.add("a name too many: the constant column was dropped", NAMES)
class NameTooMany(Plain):
    def features(self, X):
        return np.tanh(X)

    def get_feature_names_out(self, input_features=None):
        return np.array(["one", *inputs(self, input_features)], dtype=object)


@BED.add("range(1, d): the last name is missing", NAMES)
class NameTooFew(Plain):
    def features(self, X):
        return np.hstack([X, X**2])

    def get_feature_names_out(self, input_features=None):
        names = inputs(self, input_features)
        squares = [f"{names[i]}^2" for i in range(1, len(names))]
        return np.array([*names, *squares], dtype=object)


@BED.add("squares have the names of the columns themselves: each name is there twice", NAMES)
class DuplicateNames(Plain):
    def features(self, X):
        return np.hstack([X, X**2])

    def get_feature_names_out(self, input_features=None):
        names = inputs(self, input_features)
        return np.array(names + names, dtype=object)


@BED.add("the columns are taken in reverse, the names are not", NAMES)
class NamesOfOthers(Plain):
    def features(self, X):
        return X[:, ::-1].copy()

    def get_feature_names_out(self, input_features=None):
        return np.array(inputs(self, input_features), dtype=object)


@BED.add("the constant column is named after a column", NAMES)
class NamesOfConstant(Plain):
    def features(self, X):
        return np.hstack([np.ones((len(X), 1), X.dtype), X[:, 1:]])

    def get_feature_names_out(self, input_features=None):
        return np.array(inputs(self, input_features), dtype=object)


@BED.add("the number of features is that of the fit's rows", NAMES)
class NamesByRows(Plain):
    def learn(self, X):
        self.count_ = len(X)

    def features(self, X):
        return np.sin(X)

    def get_feature_names_out(self, input_features=None):
        return np.array([f"sin{i}" for i in range(self.count_)], dtype=object)


@BED.add("the names change with each call: a counter goes on", NAMES)
class NamesCountOn(Plain):
    _count = 0

    def features(self, X):
        return np.sin(X)

    def get_feature_names_out(self, input_features=None):
        type(self)._count += 1
        return np.array(
            [f"sin{type(self)._count}_{n}" for n in inputs(self, input_features)], dtype=object
        )


@BED.add("get_feature_names_out gives numbers", NAMES)
class NamesAreNumbers(Plain):
    def features(self, X):
        return np.cos(X)

    def get_feature_names_out(self, input_features=None):
        return np.arange(self.n_features_in_)
