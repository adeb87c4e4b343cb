"""The theorems, one file per subject; importing this package fills the table."""

from . import matrix as matrix
from . import metric as metric
from . import rectifier as rectifier
from . import topology as topology
from . import universality as universality
