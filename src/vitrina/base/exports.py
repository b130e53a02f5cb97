"""What Vitrina exports, by name, without importing any of it: names in files become classes through this one table."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from vitrina.base.errors import UnknownNameError

PACKAGE = "vitrina"
SOURCE = Path(__file__).parents[1]


@cache
def exports() -> Mapping[str, str]:
    """Where each public name is: "EASE" at "vitrina.models.ease:EASE", and what the public modules export: "decay.Window"."""
    table: dict[str, str] = {}
    for module, name in _stub_imports():
        inner = f"{module}.{name}"
        if _file_of(inner) is None:
            table[name] = f"{module}:{name}"
        else:
            table |= {f"{name}.{member}": f"{inner}:{member}" for member in names_of(inner)}
    return table


@cache
def names_of(module: str) -> tuple[str, ...]:
    """The `__all__` of a module of Vitrina, as it is written in its file; empty where there is none, or no such module."""
    file = _file_of(module)
    tree = ast.parse("" if file is None else file.read_text(encoding="utf-8"))
    written = [node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"]
    return tuple(ast.literal_eval(written[0])) if written else ()


@cache
def public_name(name: str) -> str | None:
    """The public name of which `name` is the last part, or the whole: "decay.Window" of "Window". None where there is none, or several."""
    if name in exports():
        return name
    ending = [public for public in exports() if public.rpartition(".")[2] == name]
    return ending[0] if len(ending) == 1 else None


def exported_class(name: str) -> type:
    """The class that has this public name, or is the only thing whose public name ends so.

    Raises:
        UnknownNameError: there is none; lists the closest.
        MissingExtraError: the name needs a package that is not installed.
    """
    public = public_name(name)
    value = None if public is None else class_at(exports()[public])
    if not isinstance(value, type):
        raise UnknownNameError.of("class", name, {last for known in exports() if (last := known.rpartition(".")[2])[0].isupper()})
    return value


@cache
def name_of(cls: type) -> str | None:
    """The name by which `exported_class` gives this class: its own, or with the module where two share that; None where it is not exported.

    >>> from vitrina.forms.decay import Window
    >>> name_of(Window), name_of(int)
    ('Window', None)
    """
    if not cls.__module__.startswith(f"{PACKAGE}."):
        return None
    same = [public for public in exports() if public.rpartition(".")[2] == cls.__name__]
    own = [public for public in same if len(same) == 1 or cls.__module__.startswith(exports()[public].partition(":")[0])]
    if not own or class_at(exports()[own[0]]) is not cls:
        return None
    return cls.__name__ if len(same) == 1 or cls.__name__ in exports() else own[0]


def member_of(packages: Iterable[str], name: str) -> Any:
    """What the first of these packages that exports `name` has by it; only that one is imported. None where there is none."""
    package = next((package for package in packages if name in names_of(package)), None)
    return None if package is None else getattr(importlib.import_module(package), name)


def path_of(cls: type) -> str:
    """`package.module:Class`; a class of the running script is in the module that the script is for others."""
    module, main = cls.__module__, sys.modules["__main__"]
    if module == "__main__":
        spec, script = getattr(main, "__spec__", None), getattr(main, "__file__", None)  # python -m package.module, or python script.py
        module = spec.name if spec is not None else Path(script).stem if script else module
    return f"{module}:{cls.__qualname__}"


def class_at(path: str) -> Any:
    """What stands at `package.module:Class`.

    Raises:
        ImportError: there is no such module, or it can't be imported.
        AttributeError: the module has no such class.
    """
    module, _, name = path.partition(":")
    return attrgetter(name)(importlib.import_module(module))


def _stub_imports() -> Iterator[tuple[str, str]]:
    """Module and name of each import of the package's stub."""
    for node in ast.parse((SOURCE / "__init__.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            module = f"{PACKAGE}.{node.module}" if node.module else PACKAGE
            yield from ((module, alias.name) for alias in node.names)


def _file_of(module: str) -> Path | None:
    """The file of a module of Vitrina; None where there is no such module."""
    place = SOURCE.joinpath(*module.split(".")[1:])
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)
