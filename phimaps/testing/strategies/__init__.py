"""Hypothesis strategies for spaces, their points and pairs of points, maps, and data."""

from .point_pairs import pairs as pairs
from .point_pairs import random_pairs as random_pairs
from .point_rows import points as points
from .point_rows import random_points as random_points
