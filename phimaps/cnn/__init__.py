"""Seeing convolutional layers: their stages, fields, units, and what makes a unit respond."""

from .backward import deconvnet as deconvnet
from .backward import gradient as gradient
from .backward import guided_backprop as guided_backprop
from .collide import Lookalike as Lookalike
from .collide import collide as collide
from .covered import Occlusion as Occlusion
from .covered import occlusion as occlusion
from .effective_field import EffectiveField as EffectiveField
from .effective_field import effective_field as effective_field
from .explore import explorer as explorer
from .invert import Inversion as Inversion
from .invert import invert as invert
from .patches import Patch as Patch
from .patches import top_patches as top_patches
from .plots import plot_field as plot_field
from .plots import plot_filters as plot_filters
from .plots import plot_maps as plot_maps
from .plots import plot_patches as plot_patches
from .receptive_field import ReceptiveField as ReceptiveField
from .receptive_field import receptive_field as receptive_field
from .trace import Stage as Stage
from .trace import Trace as Trace
from .trace import trace as trace
from .units import Layer as Layer
from .units import Units as Units
from .units import units as units
