"""How a small object with one fault is kept, with the check that finds it and what that says."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

import phimaps as pm
from phimaps.testing import Frame

LINE = pm.Box([-2.0], [2.0])
PLANE = pm.Box([-2.0, -2.0], [2.0, 2.0])
PICTURES = pm.Images(1, 4, 4)
COLOURS = Frame({"colour": ["red", "green", "blue", "white", "black", "grey", "pink", "brown"]})
SHOP = Frame({"hour": range(24), "amount": (0.5, 9.0)})


class Map(TransformerMixin, BaseEstimator):
    """Takes what it is given as an array of floats; a fault writes `learn`, `features` or more."""

    def read(self, X):
        return np.array(X, dtype=np.float64)

    def learn(self, X):
        """What is kept of the rows."""

    def features(self, X):
        return np.tanh(X)

    def fit(self, X, y=None):
        self.width_ = np.shape(X)[1]
        self.learn(self.read(X))
        return self

    def transform(self, X):
        assert self.width_
        return self.features(self.read(X))

    def get_feature_names_out(self, input_features=None):
        width = self.features(np.ones((1, self.width_))).shape[1]
        return np.array([f"feature{i}" for i in range(width)], dtype=object)


class NoName(TransformerMixin, BaseEstimator):
    """A transformer without names."""

    def fit(self, X, y=None):
        self.width_ = np.shape(X)[1]
        return self


# (check, first line of the message, object, domain)
FAULTS = {}


def fault(check, says, on=PLANE, make=None):
    def keep(what):
        FAULTS[what.__name__] = (check, says, make or what, on)
        return what

    return keep


def function(check, says, on=PLANE):
    """The function is the map itself, and not called to make it."""

    def keep(what):
        FAULTS[what.__name__] = (check, says, lambda: what, on)
        return what

    return keep
