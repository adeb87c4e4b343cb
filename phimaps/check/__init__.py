"""Numerical experiments about maps, with what their results guarantee."""

from .kernel import KernelError as KernelError
from .kernel import kernel_error as kernel_error
