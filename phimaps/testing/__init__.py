"""Tools that test maps, theorems and claims: for this library's own suite and for yours."""

from . import fitted as fitted
from . import frequencies as frequencies
from . import kernel_entries as kernel_entries
from . import learned as learned
from . import patches as patches
from . import random_layers as random_layers
from . import sketched as sketched
from . import strategies as strategies
from .check import CHECKS as CHECKS
from .check import CheckFailed as CheckFailed
from .check import register_check as register_check
from .evidence import Counterexample as Counterexample
from .falsify import claims as claims
from .falsify import falsify as falsify
from .frames import Frame as Frame
from .parametrize import parametrize_with_checks as parametrize_with_checks
from .precise import formula as formula
from .precise import precise as precise
from .probe import Probe as Probe
from .replaying import replay as replay
from .report import Report as Report
from .report import check_feature_map as check_feature_map
from .subject import Subject as Subject
from .trial import Trial as Trial
