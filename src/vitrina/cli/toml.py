"""TOML that remembers on which line each key stands, so that an error can point at it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vitrina.base.errors import DataError, ParameterError

Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class TomlFile:
    """A parsed file and the line (from 1) of every key path in it.

    Args:
        trust: whether what it names may be code of somebody's own.
        elsewhere: keys that the environment or the command gave, and by what name.
    """

    path: Path
    content: Mapping[str, Any]
    lines: Mapping[Keys, int]
    trust: bool = False
    elsewhere: Mapping[Keys, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Paths in the file are relative to where the file is."""
        return self.path.parent

    @classmethod
    def read(cls, path: Path, *, trust: bool = False, remedy: str = "") -> TomlFile:
        """Parse `path`.

        Args:
            remedy: how to come by such a file, where there is none; how to get the config of a comparison by default.
        Raises:
            DataError: there is no such file, or it is not text in UTF-8.
            ParameterError: it is not TOML; the message has the line.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise DataError(f"There is no file {path}. {remedy or f'Write one with: vitrina init DATA --out {path}'}") from None
        except IsADirectoryError:
            raise DataError(f"{path} is a folder, not a TOML file. Give the file itself, for example {path / 'vitrina.toml'}.") from None
        except UnicodeDecodeError:
            raise DataError(f"{path} is not text in UTF-8. Save it as UTF-8; a config is TOML.") from None
        try:
            return cls(path, tomllib.loads(text), dict(_key_lines(text)), trust)
        except tomllib.TOMLDecodeError as error:
            raise ParameterError(f"{path} is not TOML: {error}.") from None

    def with_values(self, values: Mapping[Keys, tuple[Any, str]]) -> TomlFile:
        """The file with other values at some keys, each with the name of where it comes from.

        >>> file = TomlFile(Path("a.toml"), {"service": {"port": 1}}, {("service", "port"): 2})
        >>> changed = file.with_values({("service", "port"): (8000, "VITRINA_PORT")})
        >>> changed.content, changed.where(("service", "port")), file.where(("service", "port"))
        ({'service': {'port': 8000}}, 'VITRINA_PORT', 'a.toml, line 2')
        """
        content = dict(self.content)
        for (table, key), (value, _) in values.items():
            content[str(table)] = {**content.get(str(table), {}), key: value}
        elsewhere = {**self.elsewhere, **{keys: name for keys, (_, name) in values.items()}}
        return replace(self, content=content, lines={**self.lines, **dict.fromkeys(elsewhere, 0)}, elsewhere=elsewhere)

    def line_of(self, keys: Keys) -> int | None:
        """The line of the longest known beginning of `keys`."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.lines:
                return self.lines[keys[:length]]
        return None

    def where(self, keys: Keys) -> str:
        """ "orders.toml, line 12"."""
        if keys in self.elsewhere:
            return self.elsewhere[keys]
        line = self.line_of(keys)
        return f"{self.path}, line {line}" if line else str(self.path)


def _key_lines(text: str) -> Iterator[tuple[Keys, int]]:
    """A statement is the fewest lines that parse alone; what it parses to names its keys. Tables of `[[...]]` are counted."""
    table: Keys = ()
    counts: dict[Keys, int] = {}
    pending: list[str] = []
    first = 1
    for number, line in enumerate(text.splitlines(), 1):
        if not pending:
            first = number
        pending.append(line)
        try:
            parsed = tomllib.loads("\n".join(pending))
        except tomllib.TOMLDecodeError:
            continue
        statement, pending = pending[0].lstrip(), []
        if not parsed:
            continue
        if not statement.startswith("["):
            yield from ((table + keys, first) for keys in _paths(parsed))
            continue
        table = next(_deepest(parsed))
        if statement.startswith("[["):
            counts[table] = counts.get(table, -1) + 1
            table = (*table, counts[table])
        yield table, first


def _paths(value: Any) -> Iterator[Keys]:
    """Every key path inside nested tables."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield (key,)
            yield from ((key, *rest) for rest in _paths(inner))


def _deepest(value: Any) -> Iterator[Keys]:
    paths = list(_paths(value))
    yield max(paths, key=len)
