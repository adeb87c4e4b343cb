"""Kernels k: X × X → R, their algebra, and what is known about them."""

from .base import Kernel as Kernel
from .spectral import Spectral as Spectral
