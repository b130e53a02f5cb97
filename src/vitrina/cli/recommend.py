"""`vitrina recommend`: lists for a whole clientele into a file, or for a few people or one history onto the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vitrina.cli import options as o


@o.takes_log_options(but=("user", "items", "users", "title"))
def command(
    artifact: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that 'vitrina fit' wrote.", show_default=False)],
    history: Annotated[str | None, typer.Option(help='One history, oldest first: "tea,milk"; prints its list.', show_default=False)] = None,
    out: Annotated[
        Path | None, typer.Option(help="For all lists: a file, .parquet or .csv, or a folder of Parquet files.", show_default=False)
    ] = None,
    users: Annotated[str, typer.Option(help="'all' of the log, ids between commas, or a file with ids.")] = "all",
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of a list.")] = 10,
    candidates: Annotated[Path | None, typer.Option(help="File with ids of the items that may be shown.", show_default=False)] = None,
    repeat: Annotated[
        bool | None, typer.Option("--repeat/--exclude-seen", help="May people get what they had; by default as in the config.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Log with the histories; by default the one of the fit.", rich_help_panel=o.LOG)] = None,
    user: Annotated[
        str | None, typer.Option(help="A person's id: prints the list. With --out or --users: column of the user.", rich_help_panel=o.LOG)
    ] = None,
    *,
    log: dict[str, Any],
    explain: Annotated[bool, typer.Option("--explain", help="Say why each item stands where it does: sources, reasons, features.")] = False,
    trust: o.TrustArtifact = False,
    engine: o.Engine = "local",
    workers: o.Workers = 1,
    cluster: o.Cluster = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="End the job that writes --out, and remove what it left.", rich_help_panel=o.CLUSTER)
    ] = False,
    force: o.Force = False,
    json: o.Json = False,
) -> None:
    """Recommend: for every user of a log into a Parquet or CSV file, or onto the screen: --history "tea,milk", --users "ann,bob", --user ann.

    Memory for the file: the log, the model and one block of 8,192 users; it doesn't grow with users times items. Of an ingested log one shard per
    worker. With workers, into a folder, and of an ingested log it is a job: after Ctrl-C or a kill the same command goes on.
    """
    from vitrina import artifacts
    from vitrina.cli import answers, everybody, outputs, screen

    if cancel:
        everybody.cancel(out, json=json)
        return
    spread = everybody.spread(engine, workers, cluster, out)
    person = answers.person_asked_for(history, out, users, user)
    fitted = artifacts.load(artifact, trust=answers.trusting(trust))
    eligible = answers.eligibility(fitted, candidates, repeat)
    if history is not None:
        screen.show_history(fitted, history, k, eligible, explain=explain, json=json)
        return
    source = answers.source_of(fitted, data, log | {"user": None if person is not None else user})
    if out is None:
        screen.show_people(fitted, source, users if person is None else [person], k, eligible, explain=explain, json=json)
        return
    (outputs.check_file if out.suffix else outputs.check_lists)(
        out, source["read"], *outputs.tables_of(fitted.manifest), candidates, users, force=force
    )
    if everybody.is_job(source, users, out, spread):
        model = everybody.ModelAt.of(artifact, trust=trust)
        everybody.write_lists(fitted, model, source, users, k, eligible, out, spread, explain=explain, json=json)
        return
    answers.write_lists(fitted, source, users, k, eligible, out, explain=explain, json=json)
