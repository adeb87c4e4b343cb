"""Numerical experiments about maps, with what their results guarantee."""

from . import values as values
from .adversarial import Adversary as Adversary
from .adversarial import adversary as adversary
from .chebyshev import Best as Best
from .chebyshev import chebyshev as chebyshev
from .defect import defect as defect
from .fibres import Bracket as Bracket
from .fibres import fibre_diameter as fibre_diameter
from .kernel import KernelError as KernelError
from .kernel import kernel_error as kernel_error
from .rational import Exact as Exact
from .rational import exactly as exactly
from .report import Report as Report
from .separation import separation as separation
from .targets import Target as Target
from .universality import universality as universality
