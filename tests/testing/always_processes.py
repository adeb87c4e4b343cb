"""Objects that are others in another process; in a file that is quickly imported there."""

import os

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class OfColours(TransformerMixin, BaseEstimator):
    """One number for each colour."""

    def fit(self, X, y=None):
        self.width_ = np.shape(X)[1]
        return self

    def transform(self, X):
        return np.array([[self.code(colour)] for colour in X["colour"]], dtype=float)


class Hashes(OfColours):
    def code(self, colour):
        return hash(colour) % 1000


class OrderOfSet(OfColours):
    def fit(self, X, y=None):
        self.levels_ = list(set(X["colour"]))
        return super().fit(X)

    def code(self, colour):
        return self.levels_.index(colour)


class OfThisProcess(OfColours):
    def fit(self, X, y=None):
        self.process_ = os.getpid()
        return super().fit(X)

    def code(self, colour):
        if self.process_ != os.getpid():
            raise RuntimeError("another process")
        return len(colour)
