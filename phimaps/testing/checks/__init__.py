"""The checks themselves, one subject a file; a file that stands here is found by itself."""

import importlib
import pkgutil

for _found in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_found}")
