"""What all loads of a log share: how their sources are read, and what stands for the content of a log."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from vitrina.base.errors import UnknownNameError
from vitrina.base.files import sha256_of
from vitrina.data.ingest.format import Manifest
from vitrina.data.read.io import Begun, begin, read_interactions
from vitrina.data.read.sources import Source
from vitrina.data.read.text import TextOptions
from vitrina.vocabulary import Vocabulary

DEFAULTS = {name: p.default for name, p in signature(read_interactions).parameters.items() if p.kind is Parameter.KEYWORD_ONLY}
ROLES = ("user", "item", "time", "value", "weight", "kind", "basket", "order_by")
Progress = Callable[[str, int, int], None]  # what is done, how far, of how much


def given_of(reading: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `read_interactions`, all of them."""
    for name in reading:
        if name not in DEFAULTS:
            raise UnknownNameError.of("argument of ingest", name, DEFAULTS)
    return DEFAULTS | dict(reading)


def begun_of(source: Any, given: Mapping[str, Any], event_id: str | None) -> Begun:
    """Sources and reader for arguments of `read_interactions`."""
    named = {role: given[role] for role in ROLES} | {"event_id": event_id, "title": given["title"] if given["items"] is None else None}
    options = TextOptions.of(given["encoding"], given["separator"], given["header"], given["columns"])
    written = (given[name] for name in ("on_bad_row", "time_unit", "time_format", "any_year", "decimal"))
    return begin(source, named, options, *written, tables=given["items"] is not None or given["users"] is not None)


def mark_of(source: Source, load: int, *, hashed: bool) -> dict[str, Any]:
    """What a manifest remembers of a source: its name, its columns, and where events have no ids the content of a file, by which it is known again."""
    path = Path(getattr(source, "path", source.label))
    mark = {"label": source.label, "load": load, "columns": list(source.columns)}
    return mark | ({"sha256": sha256_of(path)} if hashed and path.is_file() else {})


def fingerprint_of(manifest: Manifest, items: Vocabulary) -> str:
    """16 hex digits that stand for the content of a log: ids, events, types and tables, not for the files that it came from or lies in."""
    total = sum(int(piece.content, 16) for shard in manifest.shards for piece in shard.pieces) % 2**64
    tables = [
        None if table is None else (sorted(table.kinds.items()), table.title, table.file and table.file.crc32)
        for table in (manifest.item_table, manifest.user_table)
    ]
    of_people = sorted(shard.table.crc32 for shard in manifest.shards if shard.table is not None)
    asked = (
        manifest.user_type,
        manifest.time_unit,
        manifest.kind_names,
        sorted(manifest.columns),
        items.fingerprint(),
        total,
        tables,
        of_people,
    )
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]
