"""Model classes F, and F pulled back along a map: F_φ = {f∘φ : f ∈ F}."""

from .additive import Additive as Additive
from .base import Model as Model
from .base import Reach as Reach
from .kernel_ridge import KernelRidge as KernelRidge
from .kernel_ridge import RBFNetwork as RBFNetwork
from .linear import Linear as Linear
from .lipschitz import LipschitzNet as LipschitzNet
from .monotone import Monotone as Monotone
from .neighbors import KNeighbors as KNeighbors
from .network import MLP as MLP
from .polynomial import Polynomial as Polynomial
from .polynomial import Polynomials as Polynomials
from .pullback import Pullback as Pullback
from .random_feature import RandomFeatureModel as RandomFeatureModel
from .readout import Readout as Readout
from .ridge import Ridge as Ridge
from .trees import BoostedTrees as BoostedTrees
from .trees import Trees as Trees
