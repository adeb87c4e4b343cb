"""Hypothesis strategies for spaces, their points and pairs of points, maps, and data."""

from .any_space import spaces as spaces
from .data import frames as frames
from .data import images as images
from .point_pairs import pairs as pairs
from .point_pairs import random_pairs as random_pairs
from .point_rows import points as points
from .point_rows import random_points as random_points
from .random_maps import feature_maps as feature_maps
from .target import Target as Target
from .target import targets as targets
