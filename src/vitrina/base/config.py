"""The base of every frozen, validated configuration: models, their parts, split rules."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vitrina.base.errors import ParameterError

MOST_DAYS = 1_000_000  # beyond it microseconds no longer fit 64 bits with room to spare
Days = Annotated[float, Field(gt=0, le=MOST_DAYS)]
Names = Annotated[tuple[str, ...], Field(strict=False)]  # a list will do


class Config(BaseModel):
    """A frozen record of parameters that says in one sentence what is wrong with them.

    Values are taken by their type: true is no 1, "yes" no true, 3.0 no 3, and a number is finite.

    >>> from vitrina import EASE
    >>> EASE(l2=-1)
    Traceback (most recent call last):
    ...
    vitrina.base.errors.ParameterError: The 'l2' parameter of EASE must be greater than 0. Got -1.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True, strict=True, allow_inf_nan=False
    )

    def __init__(self, *unnamed: Any, **parameters: Any) -> None:
        if unnamed:
            name = type(self).__name__
            fields = list(type(self).model_fields)
            example = f"{name}({fields[0]}={unnamed[0]!r})" if fields else f"{name}()"
            raise ParameterError(f"{name} takes its parameters by name, for example {example}. Got {unnamed[0]!r} without one.")
        try:
            super().__init__(**{n: v.item() if isinstance(v, np.generic) else v for n, v in parameters.items()})
        except ValidationError as error:
            raise ParameterError(_sentence(type(self), error)) from None

    def __hash__(self) -> int:  # a parameter may be a mapping, which has no hash of its own
        return hash(fingerprint(self))

    def __repr__(self) -> str:
        fields = type(self).model_fields
        shown = (
            f"{n}={_shown(getattr(self, n))}" for n, f in fields.items() if getattr(self, n) != f.get_default(call_default_factory=True)
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    __str__ = __repr__


def to_plain(value: Any) -> Any:
    """Nested configs as plain dictionaries with a `name` key, ready for JSON or TOML.

    >>> from vitrina import Popularity
    >>> to_plain(Popularity())["name"]
    'Popularity'
    """
    if isinstance(value, Config):
        return {"name": type(value).__name__} | {n: to_plain(getattr(value, n)) for n in type(value).model_fields}
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: to_plain(v) for k, v in value.items()}
    return value.isoformat() if isinstance(value, date) else value


def _shown(value: Any) -> str:
    """A parameter as one would type it: dates are their ISO text."""
    return repr(str(value) if isinstance(value, date) else value)


def fingerprint(*values: Any) -> str:
    """A short stable name for nested configs and plain values (first 16 hex digits of a sha256)."""
    text = json.dumps([to_plain(v) for v in values], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sentence(cls: type[BaseModel], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "?"  # what follows is the place inside it, or the type that was tried
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(cls.model_fields)) or "none"
        return f"{cls.__name__} has no parameter {name!r}. Its parameters: {known}."
    message = in_words(error)
    if not first["loc"]:  # parameters that don't go together: the validator says the whole sentence
        return message
    verb = "must be" if first["msg"].startswith("Input should be") else "is wrong:"
    return f"The {name!r} parameter of {cls.__name__} {verb} {message}. Got {first['input']!r}."


_PLAIN = {"a valid tuple": "a list", "a valid integer": "a whole number", "a valid number": "a number", "a valid boolean": "true or false",
          "a valid string": "a text", "a valid list": "a list", "a valid dictionary": "a table of names and values"}  # fmt: skip


def in_words(error: ValidationError) -> str:
    """What the first value that is wrong should have been, without a full stop: "a whole number", "greater than 0".

    Where a value may be one of several types, all are named.
    """
    errors = error.errors(include_url=False)
    field = errors[0]["loc"][:1]
    messages = [e["msg"] for e in errors if e["loc"][:1] == field and e["input"] is errors[0]["input"]]
    said = [m.removeprefix("Input should be ").removeprefix("Value error, ").rstrip(".") for m in messages]
    said = [_PLAIN.get(m, m.replace("a valid dictionary or instance of", "an object of the kind")) for m in dict.fromkeys(said)]
    said = ["a number" if m == "a whole number" and "a number" in said else m for m in said]
    return " or ".join(dict.fromkeys(said))
