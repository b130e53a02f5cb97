"""Models as plain values that another process can build again: an import path and parameters, never a pickle."""

from __future__ import annotations

import dataclasses
import re
import runpy
import sys
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from vitrina.base.config import Config, from_plain, parameters_of, to_plain
from vitrina.base.errors import ParameterError
from vitrina.base.exports import class_at

_SCRIPT = "__main__"
_RERUN = "__vitrina_model__"  # what a script is called while a model's process runs it for its classes


def written(model: Any) -> str:
    """A model as a person would write it, with the parameters that are not the defaults where that is known."""
    if isinstance(model, Config) or dataclasses.is_dataclass(model):
        return re.sub(r"(?<=\d)\.0(?!\d)", "", repr(model))  # days=30, as a person would write it
    given = ", ".join(f"{name}={value!r}" for name, value in parameters_of(model).items())
    return f"{type(model).__name__}({given})"


def to_spec(value: Any) -> Any:
    """`value` in JSON (see `vitrina.base.config.to_plain`), with the classes that Vitrina doesn't export where another process finds them.

    Raises:
        ParameterError: an object lives where another process can't import it, or a value is not plain.
    """
    return to_plain(value, path_of=_path_of)


def of_spec(spec: Any) -> Any:
    """The object that `to_spec` described."""
    return from_plain(spec, class_at=_class_at)


def _path_of(cls: type) -> str:
    """`module:Class`; a class of the running script is `path/of/script.py:Class`."""
    module = cls.__module__
    script = getattr(sys.modules.get(_SCRIPT), "__file__", None)
    if module == _SCRIPT and script is not None:
        module = str(Path(script).resolve())
    if module == _SCRIPT or "<locals>" in cls.__qualname__:
        where = "a notebook or console" if module == _SCRIPT else "a function"
        raise ParameterError(
            f"Each model runs in its own process, which can't import {cls.__name__} from {where}. Put the class at the top of a .py file and import it."
        )
    if module == _RERUN:
        raise ParameterError(
            f"Each model runs in its own process, which runs the script of {cls.__name__} to find the class, and the script compares again. "
            'Put the comparison under: if __name__ == "__main__":'
        )
    return f"{module}:{cls.__qualname__}"


def _class_at(path: str) -> Any:
    script, _, name = path.rpartition(":")
    return attrgetter(name)(_script(script)) if script.endswith(".py") else class_at(path)


@cache
def _script(path: str) -> Any:
    """The names of a script, run as a module so that what it keeps under `if __name__ == "__main__"` stays still."""
    return type("Script", (), runpy.run_path(path, run_name=_RERUN))
