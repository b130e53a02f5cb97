"""The tables of a TOML file as frozen records: what is misspelt, missing or wrong is said in a sentence with its line."""

from __future__ import annotations

from typing import NoReturn, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from vitrina.base.config import in_words
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.cli.toml import Keys, TomlFile


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Whole = TypeVar("Whole", bound=Section)


def settings_of(file: TomlFile, cls: type[Whole], remedy: str) -> Whole:
    """The file as such settings, whose fields are its tables.

    Args:
        remedy: the sentence that shows a whole file, said where a key or a table is missing.
    Raises:
        UnknownNameError: a key or a table is not known; names the line and the closest names.
        ParameterError: a value is wrong, or something is missing; names the line.
    """
    try:
        return cls.model_validate(dict(file.content))
    except ValidationError as error:
        _explain(file, cls, error, remedy)


def _explain(file: TomlFile, cls: type[Section], error: ValidationError, remedy: str) -> NoReturn:
    """The first mistake as a sentence with its line; a misspelt key before the one that is missing for it."""
    first = min(error.errors(include_url=False), key=lambda e: (e["type"] == "missing", file.line_of(e["loc"]) or 0))
    keys: Keys = first["loc"]
    top, last = str(keys[0]), str(keys[-1])
    unknown = f"[{top}] key" if len(keys) > 1 else "table"
    if first["type"] == "extra_forbidden":
        raise UnknownNameError(f"{file.where(keys)}: {UnknownNameError.of(unknown, last, _keys_of(cls, keys))}")
    if first["type"] == "missing":
        what = f"key {last!r} in [{top}]" if len(keys) > 1 else f"table [{top}]"
        raise ParameterError(f"{file.where(keys[:-1])}: the {what} is missing. {remedy}")
    raise ParameterError(f"{file.where(keys)}: {'.'.join(str(k) for k in keys[:2])} must be {in_words(error)}. Got {first['input']!r}.")


def _keys_of(cls: type[Section], keys: Keys) -> list[str]:
    if len(keys) == 1:
        return list(cls.model_fields)
    field = cls.model_fields[str(keys[0])].annotation
    section = next(
        kind for kind in (field, *get_args(field)) if isinstance(kind, type) and issubclass(kind, Section)
    )  # also of one or None
    return list(section.model_fields)
