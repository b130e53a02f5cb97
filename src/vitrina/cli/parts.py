"""Parts of policies, searches and judges by their names: the kinds there are are derived from what a package exports."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from vitrina.base.errors import ParameterError
from vitrina.cli import build, names
from vitrina.cli.toml import Keys, TomlFile


@dataclass(frozen=True)
class Kind:
    """What a part is called in an error, an example of one, how its class is told from others, and which package exports it."""

    name: str
    example: str
    fits: Callable[[type], bool]
    package: str = "vitrina.policy"

    def known(self) -> Mapping[str, type]:
        """The exported classes of this kind, by the last part of their names."""
        return {name: cls for name, cls in _exported(self.package).items() if self.fits(cls)}


@cache
def _exported(package: str) -> Mapping[str, type]:
    """Classes that a package exports, by their names."""
    module = importlib.import_module(package)
    members = {name: getattr(module, name) for name in module.__all__}
    return {name: value for name, value in members.items() if isinstance(value, type) and not inspect.isabstract(value)}


def _is_estimator(cls: type) -> bool:
    from vitrina.policy import Estimator

    return issubclass(cls, Estimator)


def _is_learner(cls: type) -> bool:
    from vitrina.policy import Learner

    return issubclass(cls, Learner)


def _is_model(cls: type) -> bool:
    from vitrina.policy import Boosting, Ridge

    return cls in (Boosting, Ridge)


ESTIMATOR = Kind("estimator", '{type = "SwitchDR", threshold = 10}', _is_estimator)
POLICY = Kind("policy", '{type = "Always", arm = "none"}', lambda cls: hasattr(cls, "probabilities"))
LEARNER = Kind("learner", '{type = "PolicyTree", depth = 2}', _is_learner)
MODEL = Kind("outcome model", '{type = "Ridge", l2 = 1}', _is_model)


def made(file: TomlFile, keys: Keys, given: Any, kind: Kind) -> Any:
    """A part of this kind from a name or a table with a `type`; None from None.

    Raises:
        UnknownNameError: there is no such part or parameter; names the closest.
        ParameterError: a value is wrong.
    """
    if given is None:
        return None
    table = {"type": given} if isinstance(given, str) else given
    with build.located(file, keys):
        if not isinstance(table, Mapping) or not isinstance(table.get("type"), str):
            raise ParameterError(
                f"Here stands {_article(kind.name)} {kind.name} by name, or a table with a type: {kind.example}. Got {given!r}."
            )
    name = table["type"]
    with build.located(file, (*keys, "type") if isinstance(given, Mapping) else keys):
        cls = build.own_class(file, name) if ":" in name else names.find(kind.name, name, kind.known())
    return build.construct(file, keys, cls, {key: value for key, value in table.items() if key != "type"})


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"
