"""Model classes F, and F pulled back along a map: F_φ = {f∘φ : f ∈ F}."""

from .base import Model as Model
from .base import Pullback as Pullback
from .linear import Linear as Linear
from .network import MLP as MLP
from .ridge import Ridge as Ridge
