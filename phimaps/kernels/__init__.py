"""Kernels k: X × X → R, their algebra, and what is known about them."""

from .algebra import as_operand as as_operand
from .around import Power as Power
from .around import Pullback as Pullback
from .around import Scaled as Scaled
from .base import Kernel as Kernel
from .dot import Constant as Constant
from .dot import Cosine as Cosine
from .dot import Exponential as Exponential
from .dot import Linear as Linear
from .dot import PolynomialKernel as PolynomialKernel
from .joint import Product as Product
from .joint import Sum as Sum
from .separable import Laplacian as Laplacian
from .separable import Periodic as Periodic
from .spectral import Spectral as Spectral
from .stationary import RBF as RBF
from .stationary import Cauchy as Cauchy
from .stationary import InverseMultiquadric as InverseMultiquadric
from .stationary import Matern as Matern
from .stationary import RationalQuadratic as RationalQuadratic
