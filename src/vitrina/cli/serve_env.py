"""Settings of a service from the environment: VITRINA_PORT, VITRINA_LIMITS_RATE, VITRINA_KEY_SHOP, and the same with _FILE for what stands in a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_origin

from pydantic import TypeAdapter, ValidationError

from vitrina.base.config import Config
from vitrina.base.errors import DataError, ParameterError
from vitrina.cli.build import NONE, accepts
from vitrina.cli.toml import Keys
from vitrina.service.settings import Keeping, Limits, Settings, Telemetry

PREFIX, KEY, FILE = "VITRINA_", "VITRINA_KEY_", "_FILE"
TABLES: Mapping[str, type[Config]] = {"service": Settings, "limits": Limits, "keep": Keeping, "telemetry": Telemetry}
OWN_TABLES = ("scenarios", "keys", "experiments", "limits", "keep", "telemetry")  # of the file, not keys of [service]
STANDARD: Mapping[str, Keys] = {"OTEL_EXPORTER_OTLP_ENDPOINT": ("telemetry", "endpoint"), "OTEL_SERVICE_NAME": ("telemetry", "name")}
OF_KUBERNETES = r"VITRINA_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_\w+)|.*=tcp://.*"  # what it sets where a Service is called vitrina
SHORTEST_KEY = 20  # characters; one made by `vitrina key` has 46


@dataclass(frozen=True)
class Environment:
    """What the environment says.

    Args:
        values: of settings, with the names of the variables.
        keys: of clients, by name; they are shown nowhere.
        notes: sentences on variables that have no effect.
    """

    values: Mapping[Keys, tuple[Any, str]] = field(repr=False)
    keys: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...]


def keys_of(table: str) -> list[str]:
    """The keys of a table of the file that hold one value."""
    return [name for name in TABLES[table].model_fields if table != "service" or name not in OWN_TABLES]


def variables() -> dict[str, Keys]:
    """Every variable that sets something, and what: the table and the key of the file.

    >>> variables()["VITRINA_PORT"], variables()["VITRINA_LIMITS_RATE"]
    (('service', 'port'), ('limits', 'rate'))
    """
    own = {
        f"{PREFIX}{'' if table == 'service' else f'{table.upper()}_'}{key.upper()}": (table, key)
        for table in TABLES
        for key in keys_of(table)
    }
    return {**own, **STANDARD}


def from_environment(environ: Mapping[str, str]) -> Environment:
    """What the variables say.

    Raises:
        DataError: a file that one names can't be read.
        ParameterError: a key is too short.
    """
    known, values, keys, notes = variables(), {}, {}, []
    for name, given in sorted(environ.items()):
        if not name.startswith(PREFIX) and name not in STANDARD:
            continue
        plain = name.removesuffix(FILE) if name not in known else name
        if plain in known:
            if re.fullmatch(OF_KUBERNETES, f"{name}={given}"):
                notes.append(
                    f"{name} is what Kubernetes sets where a Service has this name; it has no effect. Set: enableServiceLinks: false"
                )
                continue
            text = _text(name, given)
            values[known[plain]] = (_value(text, known[plain]), name)
        elif name.startswith(KEY):
            keys[plain.removeprefix(KEY).lower()] = _secret(name, _text(name, given))
        elif not re.fullmatch(OF_KUBERNETES, name):
            close = get_close_matches(name, known, n=1)
            notes.append(f"{name} is no setting of the service, and has no effect.{f' Did you mean {close[0]}?' if close else ''}")
    return Environment(values, keys, tuple(notes))


def same_name(key: str) -> str:
    """A key's name as a variable can have it.

    >>> same_name("my-shop")
    'my_shop'
    """
    return re.sub(r"\W", "_", key).lower()


def _text(name: str, given: str) -> str:
    """The value, or what stands in the file that it names."""
    if not name.endswith(FILE):
        return given
    try:
        return Path(given).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{name}: {given} can't be read ({getattr(error, 'strerror', None) or 'it is not text'}). Name a file with the value."
        ) from None


def _secret(name: str, text: str) -> str:
    if len(text) < SHORTEST_KEY:
        raise ParameterError(
            f"{name}: a key has {SHORTEST_KEY} characters or more, so that nobody guesses it. Make one with: vitrina key NAME"
        )
    return text


def _value(text: str, keys: Keys) -> Any:
    """Text as the setting wants it; left as it is where it doesn't fit, so that the settings refuse it with their sentence."""
    annotation: Any = TABLES[str(keys[0])].model_fields[str(keys[1])].annotation
    if text.lower() == NONE and accepts(annotation, None):
        return None
    if get_origin(annotation) is tuple:
        return [one.strip() for one in text.split(",")]
    with suppress(ValidationError):
        return TypeAdapter(annotation).validate_python(text)
    return text
