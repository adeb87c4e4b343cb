"""Numerical experiments about maps, with what their results guarantee."""

from .adversarial import Adversary as Adversary
from .adversarial import adversary as adversary
from .chebyshev import Best as Best
from .chebyshev import chebyshev as chebyshev
from .kernel import KernelError as KernelError
from .kernel import kernel_error as kernel_error
