"""`vitrina compare`: the leaderboard."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitrina.cli import options as o

if TYPE_CHECKING:
    from vitrina.base.executor import Executor
    from vitrina.board.result import Board
    from vitrina.cli.config import Plan
    from vitrina.cli.quality import Asked
    from vitrina.data.dataset import Dataset

MODEL_FAILED = 3  # exit code


def command(
    config: o.Config,
    out: o.Out = None,
    trust: o.Trust = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget finished models and fit all again.")] = False,
    force: o.Force = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A first look: a sample of the people, and a few configurations of each search.")
    ] = False,
    quality: Annotated[
        bool,
        typer.Option(
            "--quality", help="Find out beside it which metric and split to trust, and with how many people; writes quality.html."
        ),
    ] = False,
    quality_seconds: Annotated[
        float, typer.Option(min=0, help="Of fitting that --quality may take; it says before what that will be.")
    ] = 600,
    engine: o.Engine = "local",
    workers: o.Workers = 1,
    cluster: o.Cluster = None,
    mlflow: Annotated[
        str | None, typer.Option(help="Log the board to MLflow: http://host:5000.", metavar="URI", show_default=False)
    ] = None,
    json: o.Json = False,
) -> None:
    """Fit every model of the config on one split, or on its folds in time, print the leaderboard, write report.html, per_query.parquet and board.json.

    Finished models are kept in the folder of the results: after Ctrl-C the same command goes on where it stopped. On a cluster all nodes must have
    that folder at the same path.
    """
    from vitrina import tracking
    from vitrina.base.errors import ParameterError
    from vitrina.cli import console
    from vitrina.cli.config import read_config
    from vitrina.cli.quality import Asked
    from vitrina.jobs.engine import engine as executor

    plan, spread = read_config(config, trust=trust), executor(engine, workers, cluster)
    if mlflow is not None:
        tracking.connect(mlflow)  # before hours of fitting
    if quality and quick:
        raise ParameterError("A first look (--quick) settles nothing, so its quality is not asked. Leave one of --quick and --quality out.")
    asked = Asked(quality_seconds) if quality else None
    board = compare(plan, out, fresh=fresh, force=force, quick=quick, json=json, executor=spread, asked=asked)
    if mlflow is not None:
        run = tracking.log_board(board, mlflow)
        console.note(f"Logged to {mlflow}, run {run} of the experiment {tracking.EXPERIMENT}.")
    end(board)


def compare(
    plan: Plan, out: Path | None = None, *, fresh: bool = False, force: bool = False, quick: bool = False, json: bool = False,
    data: Dataset | None = None, executor: Executor | None = None, asked: Asked | None = None,
) -> Board:  # fmt: skip
    """Run a checked config on its log, or on `data` where that has been read already; the results are written. `asked` is about their quality."""
    from vitrina import compare as run
    from vitrina.cli import console, outputs

    out = out or plan.out
    outputs.check_folder(out, outputs.REPORT if asked is None else (*outputs.REPORT, *outputs.QUALITY), plan.source(), force=force)
    cache = out / ".cache"
    if fresh:
        shutil.rmtree(cache, ignore_errors=True)
    data = plan.filtered(plan.log()) if data is None else data
    with console.working("Splitting"):
        folds = plan.folds(data)
    for number, fold in enumerate(folds, 1):
        for warning in fold.warnings:
            console.warn(f"Fold {number}: {warning}" if len(folds) > 1 else warning)
    plan.check_rules(folds[-1].train)
    plan.check_metrics(folds[-1].train)
    try:
        board = run(plan.models, folds, cache=cache, data=data, quick=quick, executor=executor, **plan.options())
    except KeyboardInterrupt:
        console.note(f"Finished models are kept in {cache}: the same command goes on from there.")
        raise
    found = None if asked is None else asked.examine(plan, board, folds, data, cache, executor)
    report = board.save(out)
    if json:
        console.print_json(board if found is None else board.to_dict() | {"quality": found.quality})
    else:
        console.out().print(board)
        console.note(f"\nReport: {report}")
    if asked is not None and found is not None:
        asked.write(found, out, quiet=json)
    return board


def end(board: Board) -> None:
    """Say which models have failed.

    Raises:
        typer.Exit: with code 3, when one has; the others stand.
    """
    from vitrina.cli import console

    failed = [entry.name for entry in board.entries if entry.status != "ok"]
    if failed:
        console.note(f"Failed: {', '.join(failed)}. The rest stands; run the same command to try these again.")
        raise typer.Exit(MODEL_FAILED)
