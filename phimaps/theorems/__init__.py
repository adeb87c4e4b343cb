"""The theorems, one file per subject; importing this package fills the table."""

from . import embedding as embedding
from . import exhibited as exhibited
from . import families as families
from . import finite as finite
from . import flat as flat
from . import kernel_algebra as kernel_algebra
from . import kernels as kernels
from . import matrix as matrix
from . import measurable as measurable
from . import metric as metric
from . import onto as onto
from . import readouts as readouts
from . import rectifier as rectifier
from . import smoothness as smoothness
from . import symmetry as symmetry
from . import topology as topology
from . import units as units
from . import universality as universality
