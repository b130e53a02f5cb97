"""Vitrina: from an interaction log to decisions that can be trusted.

The public names live in `__init__.pyi` and are imported when first used, so that the command line answers at once.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
