"""The base of every frozen, validated configuration: models, their parts, split rules."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vitrina.base.errors import ParameterError
from vitrina.base.exports import exported_class, name_of, path_of

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
            raise _refusal(type(self), error) from None
        except TypeError as error:
            table = next((n for n, v in parameters.items() if isinstance(v, Mapping)), None)
            if table is None or "abstract class" not in str(error):
                raise
            raise ParameterError(
                f"The {table!r} parameter of {type(self).__name__} must be an object, and not a table of its parameters. Got {parameters[table]!r}.",
                owner=type(self).__name__, parameter=table, value=parameters[table],
            ) from None  # fmt: skip

    def __hash__(self) -> int:  # a parameter may be a mapping, which has no hash of its own
        return hash(fingerprint(self))

    def __repr__(self) -> str:
        fields = type(self).model_fields
        shown = (
            f"{n}={_shown(getattr(self, n))}" for n, f in fields.items() if getattr(self, n) != f.get_default(call_default_factory=True)
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    __str__ = __repr__


MARKS = ("class", "date", "datetime", "float", "list", "mapping", "name")  # keys that say how a value is written
PARAMETER = "="  # ends the key of a parameter that is called as one of the marks


def to_plain(value: Any, *, path_of: Callable[[type], str] = path_of) -> Any:
    """Any config, and what it holds, in the values that JSON has. `from_plain` is the inverse.

    A config that Vitrina exports is {"name": "EASE", "l2": 500.0}; any other object is {"class": "package.module:Class", ...} with the
    parameters that would make it again. A tuple is a list, and a list {"list": [...]}; numbers that JSON can't hold, dates, and mappings whose
    keys are not text or mean something here, are marked likewise. The parameter "name" of a config is "name=".

    Args:
        value: None, texts, numbers, dates, tuples, lists, mappings, configs, dataclasses, objects that keep the arguments of their `__init__`.
        path_of: where another process finds a class that is not exported.

    Raises:
        ParameterError: a value is none of these.

    >>> from vitrina import TopPersonal, decay
    >>> to_plain(TopPersonal(decay=decay.Window(days=30)))
    {'name': 'TopPersonal', 'decay': {'name': 'Window', 'events': None, 'days': 30.0}}
    """
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, date):
        return {"datetime" if isinstance(value, datetime) else "date": value.isoformat()}
    if isinstance(value, (list, tuple)):
        plain = [to_plain(v, path_of=path_of) for v in value]
        return {"list": plain} if isinstance(value, list) else plain
    if isinstance(value, Mapping):
        pairs = [[to_plain(k), to_plain(v, path_of=path_of)] for k, v in value.items()]
        readable = all(isinstance(key, str) and key not in MARKS for key, _ in pairs)
        return dict(pairs) if readable else {"mapping": pairs}
    if type(value).__module__ in ("builtins", "numpy") or (callable(value) and not isinstance(value, Config)):
        raise ParameterError(f"A parameter must be plain values or an object with parameters of its own. Got {value!r}.", value=value)
    name = name_of(type(value))
    head = {"class": path_of(type(value))} if name is None else {"name": name}
    return head | {n + PARAMETER * (n in MARKS): to_plain(v, path_of=path_of) for n, v in parameters_of(value).items()}


def from_plain(plain: Any, *, class_at: Callable[[str], Any] | None = None) -> Any:
    """What `to_plain` wrote.

    Args:
        plain: values as JSON gives them.
        class_at: finds the classes that Vitrina doesn't export, by their paths; this runs the code of their modules. None refuses them.

    Raises:
        UnknownNameError: Vitrina exports nothing of that name.
        ParameterError: a parameter is wrong, or there is a class that may not be run.

    >>> from_plain({"name": "TopPersonal", "decay": {"name": "Window", "days": 30.0}})
    TopPersonal(decay=Window(days=30.0))
    """
    if isinstance(plain, list):
        return tuple(from_plain(value, class_at=class_at) for value in plain)
    if not isinstance(plain, Mapping):
        return plain
    mark = next((key for key in MARKS if key in plain), None)
    if mark in READERS:
        return READERS[mark](plain[mark])
    if mark == "list":
        return list(from_plain(plain["list"], class_at=class_at))
    if mark == "mapping":
        return {from_plain(key): from_plain(value, class_at=class_at) for key, value in plain["mapping"]}
    values = {key: from_plain(value, class_at=class_at) for key, value in plain.items() if key != mark}
    return (
        values if mark is None else _class_of(mark, plain[mark], class_at)(**{key.removesuffix(PARAMETER): v for key, v in values.items()})
    )


READERS: Mapping[Any, Callable[[str], Any]] = {"date": date.fromisoformat, "datetime": datetime.fromisoformat, "float": float}


def _class_of(mark: str, name: str, class_at: Callable[[str], Any] | None) -> Any:
    if mark == "name":
        cls = exported_class(name)
        if not (issubclass(cls, Config) or dataclasses.is_dataclass(cls)):
            raise ParameterError(f"The class {name!r} is no config: it isn't made of plain values.", value=name)
        return cls
    if class_at is None:
        raise ParameterError(
            f"The class {name!r} is not one of Vitrina's: reading it would run its code, which has to be allowed.", value=name
        )
    return class_at(name)


def title_of(plain: Mapping[str, Any]) -> str:
    """The name of the class of which these are the plain values.

    >>> title_of({"name": "EASE"}), title_of({"class": "own_model:Because"})
    ('EASE', 'Because')
    """
    return str(plain["class"]).rpartition(":")[2] if "class" in plain else str(plain["name"])


def parameters_of(thing: Any) -> dict[str, Any]:
    """The parameters that would make the same object again: fields of a Config or dataclass, else arguments of `__init__`.

    Raises:
        ParameterError: an argument of `__init__` is not kept as an attribute of the same name.
    """
    if isinstance(thing, Config):
        return {name: getattr(thing, name) for name in type(thing).model_fields}
    if dataclasses.is_dataclass(thing):
        return {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing) if f.init}
    named = {}
    for name, parameter in inspect.signature(type(thing)).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if not hasattr(thing, name):
            raise ParameterError(
                f"{type(thing).__name__} must keep the argument {name!r} of its __init__ as an attribute of the same name, "
                "so that it can be built again from what was written. Make it a vitrina Config, or a dataclass."
            )
        named[name] = getattr(thing, name)
    return named


def _shown(value: Any) -> str:
    """A parameter as one would type it: dates are their ISO text."""
    return repr(str(value) if isinstance(value, date) else value)


def fingerprint(*values: Any) -> str:
    """A short stable name for nested configs and plain values (first 16 hex digits of a sha256)."""
    text = json.dumps([to_plain(v) for v in values], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _refusal(cls: type[BaseModel], error: ValidationError) -> ParameterError:
    """What pydantic found, as an error of ours that knows the parameter."""
    first = error.errors(include_url=False)[0]
    owner, message = cls.__name__, in_words(error)
    if not first["loc"]:  # parameters that don't go together: the validator says the whole sentence
        return ParameterError(f"{message}.", owner=owner, parameter=getattr(first.get("ctx", {}).get("error"), "parameter", None))
    name = str(first["loc"][0])  # what follows is the place inside it, or the type that was tried
    verb = "must be" if first["msg"].startswith("Input should be") or first["type"] == "too_short" else "is wrong:"
    sentence = f"The {name!r} parameter of {owner} {verb} {message}. Got {first['input']!r}."
    if first["type"] == "extra_forbidden":
        sentence = f"{owner} has no parameter {name!r}. Its parameters: {', '.join(sorted(cls.model_fields)) or 'none'}."
    if first["type"] == "missing":
        sentence = f"{owner} needs the parameter {name!r}. Its parameters: {', '.join(sorted(cls.model_fields))}."
    return ParameterError(sentence, owner=owner, parameter=name, value=None if first["type"] == "missing" else first["input"])


_PLAIN = {"a valid tuple": "a list", "a valid integer": "a whole number", "a valid number": "a number", "a valid boolean": "true or false",
          "a valid string": "a text", "a valid list": "a list", "a valid dictionary": "a table of names and values"}  # fmt: skip


def in_words(error: ValidationError) -> str:
    """What the first value that is wrong should have been, without a full stop: "a whole number", "greater than 0".

    Where a value may be one of several types, all are named.
    """
    errors = error.errors(include_url=False)
    field = errors[0]["loc"][:1]
    first = [e for e in errors if e["loc"][:1] == field and e["input"] is errors[0]["input"]]
    messages = [
        f"a {'table' if isinstance(e['input'], Mapping) else 'list'} of {e['ctx']['min_length']} or more"
        if e["type"] == "too_short" and "ctx" in e
        else e["msg"]
        for e in first
    ]
    wanted = [m.removeprefix("Input should be ").removeprefix("Value error, ").rstrip(".") for m in messages]
    wanted = [_PLAIN.get(m, m.replace("a valid dictionary or instance of", "an object of the kind")) for m in dict.fromkeys(wanted)]
    wanted = ["a number" if m == "a whole number" and "a number" in wanted else m for m in wanted]
    return " or ".join(dict.fromkeys(wanted))
