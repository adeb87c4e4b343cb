"""Wrong calls of strategies and domains of data frames; texts in ``messages.txt``."""

import numpy as np

import phimaps as pm
from phimaps.testing import Frame
from phimaps.testing import strategies as draw

around = pm.Box([-1.0, -1.0], [1.0, 1.0])
day = Frame({"hour": range(24), "colour": ["red", "green"]})
rows = day.rows([[0.0, 0.0], [23.0, 1.0]])


TABLE = {
    "points of a list": lambda: draw.points([0, 1]),
    "pairs of an array": lambda: draw.pairs(np.zeros((2, 2))),
    "fewer than no points": lambda: draw.points(around, -1, 2),
    "at most fewer than at least": lambda: draw.random_pairs(around, 3, 2),
    "spaces of no coordinate": lambda: draw.spaces(0),
    "random maps on an interval": lambda: draw.feature_maps((0, 1)),
    "random maps of half a depth": lambda: draw.feature_maps(around, depth=1.5),
    "functions on a frame": lambda: draw.targets(day),
    "images of another dtype": lambda: draw.images(3, 8, 8, dtype="int16"),
    "frames of a space": lambda: draw.frames(around),
    "a frame without columns": lambda: Frame({}),
    "a column without a name": lambda: Frame({3: (0, 1)}),
    "an interval of words": lambda: Frame({"colour": ("red", "green")}),
    "an interval turned around": lambda: Frame({"weight": (2, 1)}),
    "a column that is a set": lambda: Frame({"colour": {"red"}}),
    "a column without values": lambda: Frame({"colour": []}),
    "a missing value in a list": lambda: Frame({"colour": ["red", None]}),
    "a value twice": lambda: Frame({"hour": [1, 2, 1.0]}),
    "missing values of no column": lambda: Frame({"hour": range(24)}, missing=["weight"]),
    "rows that are no frame": lambda: day.contains([[0, "red"]]),
    "a domain around an array": lambda: Frame.around(np.zeros((2, 2))),
    "columns in another order": lambda: day.contains(rows[["colour", "hour"]]),
    "distances of other rows": lambda: day.distance(rows, rows.assign(hour=[0, 24])),
    "distances of fewer rows": lambda: day.distance(rows, rows[:1]),
}
