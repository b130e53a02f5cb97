"""`vitrina compact`: the pieces of many loads as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitrina.cli import options as o


def command(
    log: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a log that vitrina ingest wrote.", show_default=False)],
    workers: Annotated[int, typer.Option(min=1, help="Processes that go through the shards.")] = 1,
    json: o.Json = False,
) -> None:
    """Write what loads have brought to a log as one piece per shard, without events that were replaced or deleted. The log stays the same.

    Files of the state before are kept for those who have it open; the next compaction removes them.
    """
    from vitrina.base.executor import local
    from vitrina.cli import console
    from vitrina.data.ingest.compact import compact

    with console.working("Compacting"):
        data = compact(log, executor=local(workers))
    if json:
        console.print_json({"log": str(log), "events": data.n_events, "users": data.n_users, "items": data.n_items})
    else:
        console.note(f"{data!r}, one piece per shard")
