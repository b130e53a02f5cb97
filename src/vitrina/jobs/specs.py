"""Models as plain values that another process can build again: an import path and parameters, never a pickle."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import re
import runpy
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError

_SCRIPT = "__main__"
_RERUN = "__vitrina_model__"  # what a script is called while a model's process runs it for its classes


def parameters_of(model: Any) -> dict[str, Any]:
    """The parameters that would make the same object again: fields of a Config or dataclass, else arguments of `__init__`.

    Raises:
        ParameterError: an argument of `__init__` is not kept as an attribute of the same name.
    """
    if isinstance(model, Config):
        return {name: getattr(model, name) for name in type(model).model_fields}
    if dataclasses.is_dataclass(model):
        return {f.name: getattr(model, f.name) for f in dataclasses.fields(model) if f.init}
    named = {}
    for name, parameter in inspect.signature(type(model)).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if not hasattr(model, name):
            raise ParameterError(
                f"The model {type(model).__name__} must keep the argument {name!r} of its __init__ as an attribute of the same name, "
                "so that another process can build it again. Make it a vitrina Config, or a dataclass."
            )
        named[name] = getattr(model, name)
    return named


def describe(model: Any) -> dict[str, Any]:
    """A readable record of a model for boards and artifacts: its class name and plain parameters."""
    return {"name": type(model).__name__} | {name: _readable(value) for name, value in parameters_of(model).items()}


def written(model: Any) -> str:
    """A model as a person would write it, with the parameters that are not the defaults where that is known."""
    if isinstance(model, Config) or dataclasses.is_dataclass(model):
        return re.sub(r"(?<=\d)\.0(?!\d)", "", repr(model))  # days=30, as a person would write it
    given = ", ".join(f"{name}={value!r}" for name, value in parameters_of(model).items())
    return f"{type(model).__name__}({given})"


def _readable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _readable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_readable(v) for v in value]
    if isinstance(value, Config) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return describe(value)
    return value.item() if isinstance(value, np.generic) else value


def to_spec(value: Any) -> Any:
    """`value` in JSON; objects become {"class": "module:Class", "parameters": {...}}.

    Raises:
        ParameterError: an object lives where another process can't import it, or a value is not plain.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, (list, tuple)):
        return [to_spec(v) for v in value]
    if isinstance(value, Mapping):
        return {"mapping": [[to_spec(k), to_spec(v)] for k, v in value.items()]}
    if isinstance(value, np.generic):
        return to_spec(value.item())
    if type(value).__module__ == "builtins" or callable(value):
        raise ParameterError(f"A model's parameter must be plain values or an object with parameters of its own. Got {value!r}.")
    return {"class": _path_of(type(value)), "parameters": {name: to_spec(v) for name, v in parameters_of(value).items()}}


def of_spec(spec: Any) -> Any:
    """The object that `to_spec` described."""
    if isinstance(spec, list):
        return [of_spec(s) for s in spec]
    if not isinstance(spec, dict):
        return spec
    if "float" in spec:
        return float(spec["float"])
    if "mapping" in spec:
        return {of_spec(k): of_spec(v) for k, v in spec["mapping"]}
    return _class_at(spec["class"])(**{name: of_spec(s) for name, s in spec["parameters"].items()})


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
    module, _, name = path.rpartition(":")
    found: Any = _script(module) if module.endswith(".py") else importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


@cache
def _script(path: str) -> Any:
    """The names of a script, run as a module so that what it keeps under `if __name__ == "__main__"` stays still."""
    return type("Script", (), runpy.run_path(path, run_name=_RERUN))
