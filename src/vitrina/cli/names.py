"""The one table from names in a config to classes, derived from what the package exports."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import vitrina
from vitrina.base.config import Config
from vitrina.base.errors import MissingExtraError, ParameterError, UnknownNameError
from vitrina.base.exports import class_at, exports, public_name
from vitrina.models.base import ModelConfig

NO_PARTS = (
    "vitrina.board",
    "vitrina.diagnose",
    "vitrina.jobs",
    "vitrina.metrics",
    "vitrina.evaluate",
)  # exported configs that no model holds


@cache
def exported() -> Mapping[str, type]:
    """Every exported config class by its public name: "EASE", "weighting.BM25", "split.GlobalTime"."""
    return {name: value for name, value in _public().items() if _buildable(value)}


@cache
def _public() -> Mapping[str, Any]:
    """What the package and its modules export, by public name."""
    public: dict[str, Any] = {}
    for name, path in exports().items():
        with suppress(MissingExtraError):  # whoever doesn't use it needs not install it; `find` says how to
            public[name] = class_at(path)
    return public


def _buildable(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Config) and not inspect.isabstract(value)


def models() -> Mapping[str, Callable[..., Any]]:
    """Classes of models, and functions that fill one in, such as `eSASRec`."""
    return {name: cls for name, cls in exported().items() if "." not in name and issubclass(cls, ModelConfig)} | dict(recipes())


def recipes() -> Mapping[str, Callable[..., Any]]:
    """Exported functions that return a model; one in a module goes by its own name, as parts do."""
    functions = {name.rpartition(".")[2]: value for name, value in _public().items() if inspect.isfunction(value)}
    return {name: function for name, function in functions.items() if hasattr(config_of(function), "fit")}


def config_of(make: Callable[..., Any]) -> type[Config] | None:
    """The class of config that a class is or a function returns; None for anything else."""
    made = make if isinstance(make, type) else getattr(make, "__globals__", {}).get(str(inspect.signature(make).return_annotation))
    return made if isinstance(made, type) and issubclass(made, Config) else None


def rules() -> Mapping[str, type]:
    """Split rules, by the name inside `vitrina.data.split`."""
    return {name.removeprefix("split."): cls for name, cls in exported().items() if name.startswith("split.")}


def kinds(base: type) -> Mapping[str, type]:
    """Exported configs of one kind, by the last part of their names."""
    return {name.rpartition(".")[2]: cls for name, cls in exported().items() if issubclass(cls, base)}


def parts() -> Mapping[str, type]:
    """What a model may hold: weightings, decays, other models. A name that two modules use is written with its module."""
    inside = {name: cls for name, cls in exported().items() if not cls.__module__.startswith(NO_PARTS)}
    short = [name.rpartition(".")[2] for name in inside]
    return {name if short.count(last) > 1 else last: cls for (name, cls), last in zip(inside.items(), short, strict=True)}


def filters() -> Mapping[str, Callable[..., Any]]:
    """Functions of `vitrina.data.filters`, but for `compact`, which each of them does at its end."""
    exported_names = [name for name in vitrina.data.filters.__all__ if name != "compact"]
    return {name: function for name in exported_names if inspect.isfunction(function := getattr(vitrina.data.filters, name))}


def find(what: str, name: str, known: Mapping[str, Any]) -> Any:
    """The class or function of this name.

    Raises:
        UnknownNameError: lists the known names, the closest first.
        MissingExtraError: the name needs a package that is not installed.
    """
    if name not in known:
        full = _public().get(name)  # the long form "weighting.BM25" always works
        if full is not None and full in known.values():
            return full
        public = public_name(name)
        if public is not None:
            class_at(exports()[public])  # a name whose extra is missing says so
        raise UnknownNameError.of(what, name, known)
    return known[name]


def import_from(folder: Path) -> None:
    """Let modules that lie in a folder be imported."""
    if str(folder.resolve()) not in sys.path:
        sys.path.insert(0, str(folder.resolve()))


def trusted(path: str, folder: Path) -> type:
    """The class at `package.module:Class`; modules beside the config can be imported.

    Raises:
        ParameterError: there is no such module or class.
    """
    module, _, name = path.partition(":")
    import_from(folder)
    try:
        cls = class_at(path)
    except ImportError as error:
        raise ParameterError(f"The type {path!r} can't be imported from {folder} or the installed packages: {error}.") from None
    except AttributeError:
        raise ParameterError(f"The module {module!r} has no class {name!r}. Write the type as package.module:Class.") from None
    return cls


def own_parameters(make: Callable[..., Any]) -> bool:
    """Whether it is a function that names what it takes, and passes nothing else on."""
    return inspect.isfunction(make) and all(p.kind != p.VAR_KEYWORD for p in inspect.signature(make).parameters.values())


def parameters(cls: Callable[..., Any]) -> list[str]:
    """Names that the class or function takes; a ready mixture takes those of its model, unless it names its own."""
    made = config_of(cls)
    if made is not None and not own_parameters(cls):
        return list(made.model_fields)
    return [n for n, p in inspect.signature(cls).parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
