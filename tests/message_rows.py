"""The rows and images that wrong calls are made with."""

import numpy as np
import pandas as pd
import scipy.sparse

import phimaps as pm

X = np.arange(12.0).reshape(4, 3)
W = np.ones((3, 2))
missing, infinite = X.copy(), X.copy()
missing[2, 1] = missing[3, 0] = np.nan
infinite[0, 2] = np.inf
frame = pd.DataFrame(X, columns=["height", "width", "depth"])
images = np.zeros((2, 3, 4, 5))
holes = np.where(np.arange(120).reshape(2, 3, 4, 5) == 70, np.nan, 1.0)
sparse = scipy.sparse.csr_array(X)
sparse_nan = scipy.sparse.csr_array(np.array([[0, 1.0], [np.nan, 0]]))
text = {"a": [1.0, 2.0], "name": ["3", "x"]}
unit = pm.Box([0], [1])
around = pm.Box([-1], [1])


def fitted():
    return (pm.Tanh() @ pm.Standardize()).fit(X)
