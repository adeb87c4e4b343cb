"""Seeing convolutional layers: their stages, fields, units, and what makes a unit respond."""

from .backward import deconvnet as deconvnet
from .backward import gradient as gradient
from .backward import guided_backprop as guided_backprop
