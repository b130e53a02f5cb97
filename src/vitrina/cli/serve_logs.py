"""Histories at the start of a service: the log that the artifacts of a tenant name, read as it was for the fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from vitrina.artifacts.read import read_manifest
from vitrina.base.errors import DataError, VitrinaError
from vitrina.cli import build, console
from vitrina.cli.answers import ABOUT_EVENTS
from vitrina.cli.log import DEMO, has_fingerprint, read_log
from vitrina.data.sharded import Sharded
from vitrina.service.settings import Settings

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset

FROM_STORE = "Start with histories from the service's own store alone: --histories store"
WIDTHS = {"items": 4, "times": 8, "values": 4, "kinds": 1, "baskets": 4, "weights": 4}  # bytes of an event in memory, by column
PER_ID = 200  # bytes per person and item of a service's histories
NOT_EVENTS = ("items", "users", "title", "item_kinds", "user_kinds")  # how tables of the log are read


def read_logs(settings: Settings) -> dict[str, Dataset]:
    """The events of each tenant; nothing where histories are the store's.

    Raises:
        DataError: no log is named, it is gone, or two scenarios of a tenant name different ones.
    """
    return {tenant: _read(source) for tenant, source in sources(settings).items()}


def sources(settings: Settings) -> dict[str, Mapping[str, Any]]:
    """How to read the log of each tenant; refuses what can't be read without reading it."""
    found: dict[str, Mapping[str, Any]] = {}
    for tenant in settings.tenants if settings.histories == "log" else ():
        named: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for name, scenario in settings.of_tenant(tenant).items():
            source = _source(scenario.artifact)
            same = json.dumps([source["read"], source["filters"]], sort_keys=True, default=str)
            named.setdefault(same, (name, source))
        if len(named) > 1:
            (first, one), (second, other), *_ = named.values()
            raise DataError(
                f"The models of {first!r} and {second!r} were fitted on different logs or by different filters ({one['read']['source']}, "
                f"{other['read']['source']}), and people have one history. {FROM_STORE}, or give each a tenant of its own."
            )
        if named:
            [(_, found[tenant])] = named.values()
    return found


def _source(artifact: Path) -> Mapping[str, Any]:
    """How an artifact says that its log is read, as far as events go."""
    source = read_manifest(artifact).get("source")
    read = source.get("read") if isinstance(source, Mapping) else None
    if not isinstance(source, Mapping) or not isinstance(read, Mapping):
        raise DataError(f"The artifact {artifact} doesn't say which log it was fitted on. {FROM_STORE}")
    paths = read["source"] if isinstance(read["source"], list) else [read["source"]]
    for path in paths:
        if not path.startswith(DEMO) and not any(c in path for c in "*?[") and not Path(path).exists():
            raise DataError(f"The log {path}, on which {artifact} was fitted, is gone. Put it back there. Or: {FROM_STORE}")
    return {
        "read": {key: value for key, value in read.items() if key not in NOT_EVENTS},
        "filters": {name: argument for name, argument in source.get("filters", {}).items() if name in ABOUT_EVENTS},
        "fingerprint": source.get("fingerprint"),
    }


def _read(source: Mapping[str, Any]) -> Dataset:
    try:
        data = read_log(source["read"])
    except VitrinaError as error:
        raise DataError(f"The log can't be read as it was for the fit: {error} Or: {FROM_STORE}") from error
    if source["fingerprint"] is not None and not has_fingerprint(data, source["fingerprint"]):
        console.warn("The log has changed since the fit: histories are as it is now, the model is as it was.")
    for name, argument in source["filters"].items():
        data = build.filtered(data, name, argument)
    return _in_memory(data) if isinstance(data, Sharded) else data


def _in_memory(data: Sharded) -> Dataset:
    """The histories of an opened log, which a service holds in memory; says what they take.

    Raises:
        DataError: they don't fit what is free.
    """
    event = sum(WIDTHS[name] for name in data.columns)
    need, free = data.n_events * event + (data.n_users + data.n_items) * PER_ID, psutil.virtual_memory().available
    takes = f"Histories of {data.n_events:,} events and {data.n_users:,} people take {need / 1e9:.1f} GB of memory"
    if 2 * need > free:
        raise DataError(f"{takes}, twice that while they are read, and {free / 1e9:.1f} GB are free. {FROM_STORE}")
    console.note(f"{takes}.")
    return data.to_memory()
