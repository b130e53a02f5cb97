"""The tables [model] and [reflector] of a file: a language model by its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vitrina.base.config import Config
from vitrina.cli import parts
from vitrina.cli.toml import TomlFile

USUAL = "Endpoint"  # where [model] has no type


def _is_model(cls: type) -> bool:
    return issubclass(cls, Config) and hasattr(cls, "complete")


LANGUAGE_MODEL = parts.Kind(
    "language model", '{type = "Endpoint", url = "http://localhost:8000/v1", model = "NAME"}', _is_model, "vitrina.language"
)


def made_model(file: TomlFile, given: Mapping[str, Any], table: str = "model") -> Any:
    """The language model of a table; one behind an address where no type is named.

    Raises:
        UnknownNameError: there is no such model or parameter; names the closest.
        ParameterError: a value is wrong.
    """
    return parts.made(file, (table,), {"type": USUAL, **given}, LANGUAGE_MODEL)
