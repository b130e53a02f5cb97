"""Logs as the command line names them: files with columns found or given, or the folder of a log that was ingested."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vitrina.base.errors import DataError, ParameterError, UnknownNameError, VitrinaError, WriteError
from vitrina.cli.console import warn, working
from vitrina.cli.options import LOG_OPTIONS
from vitrina.data.dataset import Dataset
from vitrina.data.demo import complete_journey
from vitrina.data.ingest.format import MANIFEST, WORK, read_manifest
from vitrina.data.read.io import read_interactions
from vitrina.data.read.sources import Source, find_sources
from vitrina.data.read.streams import is_stream
from vitrina.data.read.text import TextOptions
from vitrina.data.read.validate import USUAL
from vitrina.report.words import listed
from vitrina.vocabulary import Vocabulary

DEMO = "demo:"  # a source that a package ships, not a file
GUESSED = ("user", "item", "time", "basket")  # a wrong guess of a value or a kind would change what is learned
STANDARD = {"user": "user_id", "item": "item_id", "time": "timestamp", "basket": "basket_id"}
ARGUMENT = (
    rf"\b({'|'.join(LOG_OPTIONS)})"
    r"=('[^']*'|\"[^\"]*\"|\.\.\.|\[.*?\]|False|True)(,(?= columns=))?"
)
QUOTES = "'\""
TEXT = ("encoding", "separator", "header", "columns")  # how a text file is written


def is_opened(source: Any) -> bool:
    """Whether a source is the folder of an ingested log, or of one that isn't finished."""
    folder = Path(source).expanduser() if isinstance(source, str) and not source.startswith(DEMO) else None
    return folder is not None and ((folder / MANIFEST).is_file() or (folder / WORK).is_dir())


def opened(folder: str) -> Dataset:
    """The log in a folder, of which one shard at a time is in memory.

    Raises:
        DataError: it is a model, or a log that isn't finished or is damaged.
    """
    path = Path(folder).expanduser()
    manifest = {}
    with suppress(OSError, ValueError):  # what is wrong with it is said by who opens it
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    if "kind" in manifest:
        raise DataError(f"{folder} is an artifact: it holds what was fitted, and no log. Name the log that it was fitted on.")
    return Dataset.open(path)


def column_of(read: Mapping[str, Any], role: str) -> str:
    """What the log calls the column of the users or the items, also where it has been ingested."""
    where = read.get("source")
    named = read_manifest(Path(str(where)).expanduser()).columns if is_opened(where) else read
    return named.get(role, STANDARD[role])


def refuse_columns(source: str, named: Collection[str], what: str) -> None:
    """Refuse what says how to read files, of a log that has been read already.

    Args:
        named: options or keys that were given.
        what: they are, "options" or "keys".

    Raises:
        ParameterError: there is one.
    """
    if named:
        one = len(named) == 1
        raise ParameterError(
            f"{source} is an ingested log, which was read by what was said when it was ingested: the {what if not one else what.removesuffix('s')} "
            f"{listed(list(named))} would change nothing. Leave {'it' if one else 'them'} out, or ingest the log again with what it says.",
            parameter=next(iter(named)),
        )  # fmt: skip


def read_log(source: Mapping[str, Any], *, bad_rows: Path | None = None, as_typed: bool = False) -> Dataset:
    """Read the log that a config or an artifact describes, or open it where it is an ingested one; a word on what reading removed.

    Args:
        source: arguments of `read_interactions`; their "source" is a path, a list of paths, the folder of an ingested log, or "demo:complete-journey".
        bad_rows: where quarantined rows go.
        as_typed: an error speaks of options of the command, not of arguments.
    """
    where = source["source"]
    with working(f"Reading {where if isinstance(where, str) else 'the log'}"):
        if isinstance(where, str) and where.startswith(DEMO):
            return _demo(where.removeprefix(DEMO))
        rest = {key: value for key, value in source.items() if key != "source"}
        if is_opened(where):
            return opened(where).changed(**rest)  # its name, where the config gives one
        if rest.get("on_bad_row") == "quarantine" and bad_rows is not None:
            rest["bad_rows_path"] = bad_rows
        with spoken_as_typed() if as_typed else nullcontext():
            data = read_interactions(where, **rest)
    step = data.steps[0] if data.steps else None
    if step is not None and step.events_after < step.events_before:
        warn(f"{step.events_before - step.events_after:,} of {step.events_before:,} rows were left out. {step.note}")
    return data


@contextmanager
def spoken_as_typed() -> Iterator[None]:
    """Errors about arguments speak of options."""
    try:
        yield
    except WriteError:
        raise  # about a place and no argument
    except VitrinaError as error:
        raise error.with_message(typed(str(error), getattr(error, "parameter", None))) from None


def typed(message: str, parameter: str | None = None) -> str:
    """A message that speaks of arguments, speaking of options.

    Args:
        message: its remedies are written as arguments are, `header=False`.
        parameter: the argument that it is about, whose name it has in quotes.

    >>> typed("Name them: header=False, columns=['user', 'item'], or take user='who'.")
    'Name them: --no-header --columns user,item, or take --user who.'
    >>> typed("The 'time_unit' must be one of s, ms, or None.", "time_unit")
    'The --time-unit must be one of s, ms, or None.'
    """

    def option(argument: re.Match[str]) -> str:
        name, value = argument[1].replace("_", "-"), argument[2]
        if value.startswith("["):
            value = ",".join(re.findall(r"'([^']*)'", value))
        value = {"...": "NAME", "True": ""}.get(value.strip(QUOTES), value.strip(QUOTES))
        value = f'"{value}"' if " " in value else value
        return "--no-header" if value == "False" else f"--{name} {value}".rstrip()

    if parameter in LOG_OPTIONS:
        message = message.replace(f"'{parameter}'", f"--{parameter.replace('_', '-')}", 1)
    return re.sub(ARGUMENT, option, message)


def _demo(name: str) -> Dataset:
    known = {"complete-journey": complete_journey}
    if name not in known:
        raise UnknownNameError.of("demo log", name, known)
    return known[name]()


def events_fingerprint(data: Dataset) -> str:
    """Of the events and their ids alone: histories need no item or user table, so none is read for them, nor ids that only tables have.

    Of an opened log that which its manifest has.
    """
    return _events_alone(data).fingerprint if data.in_memory else data.fingerprint


def has_fingerprint(data: Dataset, fingerprint: str) -> bool:
    """Whether that is the `events_fingerprint` of this log, read with tables (which may have made text of its ids) or without."""
    if not data.in_memory:
        return data.fingerprint == fingerprint
    alone = _events_alone(data)
    return fingerprint in (alone.fingerprint, replace(alone, items=alone.items.as_text()).fingerprint)


def _events_alone(data: Dataset) -> Dataset:
    people, items = np.flatnonzero(np.diff(data.indptr)), np.flatnonzero(np.bincount(data.events.items, minlength=data.n_items))
    place = np.zeros(data.n_items, np.int32)
    place[items] = np.arange(len(items))
    return replace(
        data,
        users=Vocabulary(data.users.decode(people)),
        items=Vocabulary(data.items.decode(items)),
        indptr=data.indptr[np.append(people, len(data.indptr) - 1)],
        events=replace(data.events, items=place[data.events.items]),
        item_table=None,
        user_table=None,
    )


def named_columns(source: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `read_interactions` from the options of a command: what was named, and nothing that was found."""
    chosen: dict[str, Any] = {"source": source} | {name: value for name, value in given.items() if value not in (None, "")}
    if "columns" in chosen:
        chosen["columns"] = [name.strip() for name in chosen["columns"].split(",")]
    return chosen


def given_columns(source: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `read_interactions` from the options of a command; columns that were not named are found by their usual names.

    An empty name ("--time ''") means that there is no such column. What was found is said, so that it can be corrected. A pipe is
    read here, once, and is the source that comes back.
    """
    if is_opened(source):
        refuse_columns(source, [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None], "options")
        return {"source": source}
    chosen = named_columns(source, given)
    del chosen["source"]
    refused = {name for name, value in given.items() if value == ""}
    found = [] if source.startswith(DEMO) else _found(source, chosen)
    where: Any = found if is_stream(source) else source
    columns = list(found[0].columns) if found else []
    if any(name not in columns for role, name in chosen.items() if role in USUAL):
        return {"source": where} | chosen  # reading will refuse it; a guess beside it would only be noise
    names = {role: name for role in GUESSED if role not in chosen and role not in refused and (name := _usual(role, columns, chosen))}
    guessed = {role: name for role, name in names.items() if name != STANDARD[role]}
    if guessed:
        options = " ".join(f"--{role} {name}" for role, name in guessed.items())
        warn(f"Columns taken by their names: {options}. Name others if that is wrong.")
    return {"source": where} | chosen | guessed


def _found(source: str, chosen: Mapping[str, Any]) -> list[Source]:
    with spoken_as_typed():
        return find_sources(source, options=TextOptions.of(**{name: chosen.get(name) for name in TEXT}))


def _usual(role: str, columns: list[str], taken: Mapping[str, str]) -> str | None:
    """The column with the standard name, else the one with the most usual name for this role."""
    if STANDARD[role] in columns:
        return STANDARD[role]
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(columns) if name not in taken.values()}
    endings = {"time": r".*(at|time|date)$"}
    named = next((plain[usual] for usual in USUAL[role] if usual in plain), None)
    return named or next((name for key, name in plain.items() if role in endings and re.fullmatch(endings[role], key)), None)
