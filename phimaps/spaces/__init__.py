"""Metric spaces: where the questions about a map are asked.

Each space is a subset of some R^shape. Its distance is the Euclidean one of the flattened points
unless it says otherwise (`Space.euclidean`), and always has their topology.
"""

from .ball import Ball as Ball
from .base import Image as Image
from .base import Space as Space
from .boxes import Box as Box
from .boxes import Boxlike as Boxlike
from .boxes import Interval as Interval
from .finite import Categories as Categories
from .finite import Finite as Finite
from .named import Euclidean as Euclidean
from .named import Images as Images
from .named import NonNegative as NonNegative
from .product import Product as Product
from .simplex import Simplex as Simplex
from .sphere import Sphere as Sphere
from .subspace import Subspace as Subspace
