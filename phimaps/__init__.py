"""phimaps: composable feature maps, with what is proved about them.

A feature map is a function φ: X → R^d. It makes data fit a model class F, giving
F_φ = {f∘φ : f ∈ F}. Every map here is a scikit-learn transformer, a differentiable torch function,
and a mathematical object whose properties are proved, refuted by a witness, or unknown.
"""

from . import models as models
from . import property as property
from . import theorems as theorems
from .config import config_context as config_context
from .config import get_config as get_config
from .config import set_config as set_config
from .decide import decide as decide
from .map import Assume as Assume
from .map import Compose as Compose
from .map import Concat as Concat
from .map import FeatureMap as FeatureMap
from .map import On as On
from .map import Scale as Scale
from .map import Sum as Sum
from .map import Tensor as Tensor
from .map import assume as assume
from .map import pipe as pipe
from .map import product as product
from .maps.affine import Affine as Affine
from .maps.affine import Diagonal as Diagonal
from .maps.affine import Standardize as Standardize
from .maps.column import col as col
from .maps.columns import Columns as Columns
from .maps.conv import Conv2d as Conv2d
from .maps.filters import PatchPCAConv2d as PatchPCAConv2d
from .maps.filters import RandomConv2d as RandomConv2d
from .maps.foreign import Function as Function
from .maps.foreign import Network as Network
from .maps.foreign import Transformer as Transformer
from .maps.foreign import from_function as from_function
from .maps.foreign import from_sklearn as from_sklearn
from .maps.foreign import from_torch as from_torch
from .maps.fourier import Fourier as Fourier
from .maps.fourier import RandomFourier as RandomFourier
from .maps.pointwise import Abs as Abs
from .maps.pointwise import CRelu as CRelu
from .maps.pointwise import Exp as Exp
from .maps.pointwise import Gelu as Gelu
from .maps.pointwise import LeakyRelu as LeakyRelu
from .maps.pointwise import Relu as Relu
from .maps.pointwise import Sigmoid as Sigmoid
from .maps.pointwise import Silu as Silu
from .maps.pointwise import Softplus as Softplus
from .maps.pointwise import Tanh as Tanh
from .maps.polynomial import Polynomial as Polynomial
from .maps.pool import AvgPool2d as AvgPool2d
from .maps.pool import GlobalPool as GlobalPool
from .maps.pool import MaxPool2d as MaxPool2d
from .maps.powers import Cos as Cos
from .maps.powers import Log as Log
from .maps.powers import Power as Power
from .maps.powers import Sin as Sin
from .maps.powers import Sqrt as Sqrt
from .maps.vector import Flatten as Flatten
from .maps.vector import Identity as Identity
from .maps.vector import Normalize as Normalize
from .maps.vector import Select as Select
from .proof import Verdict as Verdict
from .property import Bounded as Bounded
from .property import Continuous as Continuous
from .property import Injective as Injective
from .property import Lipschitz as Lipschitz
from .property import LowerLipschitz as LowerLipschitz
from .property import Property as Property
from .property import Universal as Universal
from .spaces import Ball as Ball
from .spaces import Box as Box
from .spaces import Euclidean as Euclidean
from .spaces import Finite as Finite
from .spaces import Images as Images
from .spaces import NonNegative as NonNegative
from .spaces import Space as Space
from .torch import as_module as as_module
from .witness import Collision as Collision

__version__ = "0.1.0"
