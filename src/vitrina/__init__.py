"""Vitrina: from an interaction log to decisions that can be trusted.

The public names live in `__init__.pyi` and are imported when first used, so that the command line answers at once.
"""

from difflib import get_close_matches
from typing import Any

import lazy_loader

from vitrina import _moved

__version__ = "0.1.0"

_moved.install()
_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__ or name.startswith("_"):
        return _load(name)
    by_letters = {known.lower(): known for known in __all__}
    close = [by_letters[found] for found in get_close_matches(name.lower(), by_letters, n=3, cutoff=0.6)]
    hint = f" Did you mean {' or '.join('vt.' + found for found in close)}?" if close else ""
    raise AttributeError(f"Vitrina has no public name {name!r}.{hint} All of them: docs/api.md, dir(vitrina).", name=name)
