"""Wrong questions to attacks; their texts stand in ``messages.txt``."""

from sklearn.preprocessing import StandardScaler

import phimaps as pm
from phimaps.testing import falsify, search_ratio

line = pm.Box([-1.0], [1.0])


def halved(x):
    return x / 2


def one_number(x, y):
    return 1.0


TABLE = {
    "an attack on what is not fitted": lambda: falsify(StandardScaler(), pm.Injective, on=line),
    "an attack on an open map": lambda: falsify(pm.RandomFourier(), pm.Injective, on=line),
    "an attack on no map": lambda: falsify("relu", pm.Injective, on=line),
    "a distance for injectivity": lambda: falsify(
        halved, pm.Injective, on=line, distance=one_number
    ),
    "a distance that is one number": lambda: falsify(
        halved, pm.Lipschitz(1.0), on=line, distance=one_number
    ),
    "no side of the ratios": lambda: search_ratio(halved, line, 0),
    "ratios on no space": lambda: search_ratio(halved, [[0.0], [1.0]], 1),
}
