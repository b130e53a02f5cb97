"""`vitrina ingest`: a log of any size into a folder that every other command takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitrina.cli import options as o

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset, Step

Source = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA", help="CSV or other text, JSON lines, Excel, Parquet: a file, a glob in quotes, or - for a pipe.", show_default=False
    ),
]
Folder = Annotated[Path, typer.Option("--out", help="Folder of the log.", show_default=False)]


@o.takes_log_options()
def command(
    out: Folder,
    log: dict[str, Any],
    data: Source = None,
    load: Annotated[
        str, typer.Option(metavar="full|append|upsert", help="Make the log, add what is new to it, or correct events by their ids.")
    ] = "full",
    lateness: Annotated[
        str | None, typer.Option(help="Of append: how much older than the latest event a row may be: 36h, 2d.", show_default=False)
    ] = None,
    deleted: Annotated[
        str | None, typer.Option(help="Of upsert: column that says which rows delete their event.", show_default=False)
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Of upsert: column whose largest value wins among rows of one event.", show_default=False)
    ] = None,
    valid_from: Annotated[
        str | None, typer.Option(help="Column of the table of items that says since when a row holds.", show_default=False)
    ] = None,
    event_id: Annotated[
        str | None, typer.Option(help="Column of ids of events: of rows with an equal one the first is kept.", show_default=False)
    ] = None,
    shards: Annotated[
        int | None, typer.Option(help="How many parts, for the life of the log; by default one per 1.5 million rows.", show_default=False)
    ] = None,
    engine: o.Engine = "local",
    workers: o.Workers = 1,
    cluster: o.Cluster = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a log that is there.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End an unfinished load, and remove what it made.")] = False,
    json: o.Json = False,
) -> None:
    """Write a log to a folder in parts, for logs larger than memory. Killed, the same command goes on where it was."""
    from vitrina.base.errors import ParameterError
    from vitrina.cli import console
    from vitrina.data.ingest import ingest as loads

    if cancel:
        said = "The load is cancelled." if loads.cancel(out) else f"There is no unfinished load in {out}."
        console.note(said)
        return
    if data is None:
        raise ParameterError("Say which log to ingest: vitrina ingest DATA --out DIR")
    from vitrina.cli.log import given_columns, named_columns, spoken_as_typed
    from vitrina.jobs.engine import engine as executor

    source: dict[str, Any] = given_columns(data, log) if load == "full" else named_columns(data, log)
    plans: list[object] = []
    kind: Any = load  # what is none is refused there

    def planned(plan: object) -> None:
        plans.append(plan)
        console.note(str(plan))

    with spoken_as_typed(), console.steps() as progress:
        opened = loads.ingest(
            source.pop("source"), out, load=kind, lateness=lateness, deleted=deleted, version=version, valid_from=valid_from, event_id=event_id,
            shards=shards, executor=executor(engine, workers, cluster), force=force, plan=planned, progress=progress, **source,
        )  # fmt: skip
    _say(opened, out, load, new=bool(plans), json=json)


def _say(opened: Dataset, out: Path, load: str, *, new: bool, json: bool) -> None:
    """What was left out, and what the folder has now; `new` where something was loaded."""
    from vitrina.cli import console

    what = f"{opened.n_events:,} events of {opened.n_users:,} users"
    for step in opened.steps if new and load == "full" else ():
        if step.events_after < step.events_before:
            console.warn(f"{step.events_before - step.events_after:,} of {step.events_before:,} rows were left out. {step.note}")
    if load != "full" and opened.steps[-1].note:
        console.warn(opened.steps[-1].note)
    if json:
        console.print_json({"out": out, "events": opened.n_events, "users": opened.n_users, "items": opened.n_items,
                            "shards": opened.shard_count, "fingerprint": opened.fingerprint, "steps": [vars(step) for step in opened.steps]})  # fmt: skip
        return
    wrote = f"Wrote {what} to {out}" if load == "full" else f"{out} has {what}, {_by(opened.steps[-1])}"
    console.out().print(wrote if new else f"{out} has this log: {what}", markup=False, soft_wrap=True)


def _by(step: Step) -> str:
    """By how many events a load made the log longer or shorter."""
    change = step.events_after - step.events_before
    return f"{abs(change):,} {'more' if change >= 0 else 'fewer'} than before"
