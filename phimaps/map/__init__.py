"""The algebra: one abstract map, its operators and the combinators behind them.

``term`` holds what the author of a map writes, ``feature`` the base class with the operators, and
the other modules the combinators, by the way they join: in sequence, side by side, pointwise, or
by restriction.
"""

from .codomain import Codomain as Codomain
from .family import Family as Family
from .feature import Composite as Composite
from .feature import FeatureMap as FeatureMap
from .feature import adapters as adapters
from .feature import as_map as as_map
from .feature import combinators as combinators
from .pointwise import Scale as Scale
from .pointwise import Sum as Sum
from .pointwise import Tensor as Tensor
from .restrict import Assume as Assume
from .restrict import On as On
from .restrict import assume as assume
from .sequence import Compose as Compose
from .sequence import pipe as pipe
from .side import Concat as Concat
from .side import Product as Product
from .side import product as product
from .term import Fact as Fact
from .term import Given as Given
from .term import Part as Part
from .term import show as show
