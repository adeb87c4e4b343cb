"""Metric spaces: where the questions about a map are asked.

Each space is a subset of some R^shape with the Euclidean distance of the flattened points, or a
finite set of such points.
"""

from .ball import Ball as Ball
from .base import Image as Image
from .base import Space as Space
from .boxes import Box as Box
from .boxes import Boxlike as Boxlike
from .boxes import Euclidean as Euclidean
from .boxes import Images as Images
from .boxes import NonNegative as NonNegative
from .finite import Finite as Finite
from .product import Product as Product
