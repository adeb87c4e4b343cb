"""Wrong calls of readouts; texts in ``messages.txt``."""

import numpy as np

import phimaps as pm
from phimaps.models import Linear, Readout

rows = np.linspace(0.0, 1.0, 4)[:, None]
line = pm.Box([0.0], [1.0])
linear = Linear() @ pm.Identity()


def fit(rho, y, pulled=linear):
    return Readout(rho, pulled).fit(rows, y)


def turned_off():
    far = pm.models.KernelRidge(pm.kernels.RBF(gamma=1.0)) @ pm.Identity()
    fit(pm.UnitNorm(), [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], far).predict([[1e3]])


TABLE = {
    "no targets": lambda: fit(pm.Exp(), None),
    "targets of no row": lambda: fit(pm.Exp(), []),
    "complex targets": lambda: fit(pm.Exp(), [1j, 1, 1, 1]),
    "targets that are words": lambda: fit(pm.Exp(), ["a", "b", "c", "d"]),
    "a missing target": lambda: fit(pm.Exp(), [1.0, np.nan, 1.0, np.nan]),
    "an infinite target": lambda: fit(pm.Identity(), [1.0, 2.0, np.inf, 1.0]),
    "weights for probabilities": lambda: fit(pm.Softmax(), [[1, 2], [1, 1], [0, 1], [1, 0]]),
    "one class": lambda: fit(pm.Softmax(), ["a", "a", "a", "a"]),
    "zero among positive numbers": lambda: fit(pm.Exp(), [1.0, 0.0, 2.0, 3.0]),
    "long directions": lambda: fit(pm.UnitNorm(), [[1, 0], [0, 1], [1, 1], [0, 1]]),
    "indefinite matrices": lambda: fit(pm.SymmetricExp(), [[[1, 2], [2, 1]]] * 4),
    "targets that are no squares": lambda: fit(pm.SymmetricExp(), np.ones((4, 2, 3))),
    "another circle": lambda: fit(pm.Fourier([[1.0]]), [[2, 0], [1, 0], [0, 1], [0, 1]]),
    "a triangle that is not full": lambda: pm.SymmetricExp()(np.ones((2, 4))),
    "a value without direction": turned_off,
    "a readout of unknown targets": lambda: fit(pm.Tanh(), rows),
    "a readout without a section": lambda: Readout(pm.Tanh(), linear, pm.Euclidean(1)).fit(
        rows, rows
    ),
    "a readout before a class alone": lambda: fit(pm.Exp(), [1, 2, 3, 4], Linear()),
    "a readout before a classifier": lambda: fit(
        pm.Softmax(), [0, 1, 0, 1], Linear(task="classification") @ pm.Identity()
    ),
    "a readout before a map": lambda: fit(pm.Exp(), [1, 2, 3, 4], pm.Tanh()),
    "an open readout": lambda: fit(pm.Standardize(), rows),
    "a collar of all": lambda: Readout(pm.Softmax(), linear, collar=1.0).fit(rows, [0, 1, 0, 1]),
    "targets of another width": lambda: pm.decide(
        Readout(pm.Affine([[1.0]]), linear, pm.Euclidean(2)), pm.Universal, on=line
    ),
    "a readout of a readout": lambda: pm.Exp() @ Readout(pm.Tanh(), linear, pm.Euclidean(1)),
}
