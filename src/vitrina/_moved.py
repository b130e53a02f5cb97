"""Modules that have moved: the old name works for one release, and says what to write."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "vitrina.combine": "vitrina.forms.combine",
    "vitrina.config": "vitrina.base.config",
    "vitrina.decay": "vitrina.forms.decay",
    "vitrina.errors": "vitrina.base.errors",
    "vitrina.filters": "vitrina.data.filters",
    "vitrina.models.forms": "vitrina.forms",
    "vitrina.persist": "vitrina.artifacts",
    "vitrina.split": "vitrina.data.split",
    "vitrina.topk": "vitrina.retrieve.top_k",
    "vitrina.weighting": "vitrina.models.weighting",
}


class MovedModules(MetaPathFinder, Loader):
    """Finds a module of `MOVED` under its old name; it is the very module that has the new one."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        old, new = module.__name__, MOVED[module.__name__]
        warnings.warn(f"{old} is now {new}. The old name goes with the next release.", FutureWarning, stacklevel=2)
        sys.modules[old] = importlib.import_module(new)


def install() -> None:
    """Look for the old names after all others."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())
