"""The package is imported whole before pytest looks at one of its files.

``phimaps.cnn.trace`` is a function, made in a module of that name. Were the module imported by
itself first, it would stand in the function's place.
"""

import phimaps as phimaps
