"""`vitrina experiment`: from the file of an experiment to its plan, its arms, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitrina.cli import options as o

if TYPE_CHECKING:
    from vitrina.cli.experiment_file import ExperimentJob

REFUSED = 3  # exit code: done, but no effect is told; the page and the output say why
HELP = "A/B tests: how long and what they cost, who is in which arm, what came of them."
File = Annotated[
    Path,
    typer.Argument(metavar="CONFIG", help="A TOML file: the experiment, its metrics, and a table per command.", show_default=False),
]
Anyway = Annotated[bool, typer.Option("--anyway", help="Give numbers that the checks refuse, too.")]

app = typer.Typer(no_args_is_help=True, help=HELP)


@app.callback()
def experiment() -> None:
    """A/B tests: how long and what they cost, who is in which arm, what came of them."""


@app.command()
def plan(config: File, out: o.Out = None, force: o.Force = False, json: o.Json = False) -> None:
    """Say how many units and days the experiment takes, what it can see, and what it costs; write plan.html."""
    from vitrina.base.files import write_text
    from vitrina.cli import build, console
    from vitrina.cli.experiment_file import read_experiment_file
    from vitrina.experiments import plan as planned
    from vitrina.pages.experiment import render_plan

    job = read_experiment_file(config)
    page = _page(job, "past", out, "plan.html", force=force)
    _warn(job)
    with console.working("Following the past"):
        past = job.past()
    with console.working("Planning"), build.located(job.file, ("plan",)):
        found = planned(job.experiment, past, **job.settings.plan.model_dump(), money=job.money)
    write_text(
        page, render_plan(found, title=job.settings.report.title, date=_today(), settings=[*job.facts("past"), ("past", past.source)])
    )
    if json:
        console.print_json(found)
    else:
        console.out().print(found)
        console.note(f"Report: {page}")


@app.command()
def assign(
    config: File,
    out: Annotated[Path, typer.Option(help="File for the arms: .csv or .parquet.", show_default=False)],
    force: o.Force = False,
    json: o.Json = False,
) -> None:
    """Give each user of a table an arm, with its chance: the same for the same id, whenever and wherever it is asked."""
    from vitrina.base.errors import ParameterError
    from vitrina.base.files import atomic_file
    from vitrina.cli import console, outputs
    from vitrina.cli.experiment_arms import FILES, arms_of, in_words
    from vitrina.cli.experiment_file import read_experiment_file

    job = read_experiment_file(config)
    sources = job.source("users")
    if out.suffix not in FILES:
        raise ParameterError(f"The arms go into a file that ends in {' or '.join(FILES)}. Got {out}.")
    outputs.check_file(out, {"source": sources}, config, force=force)
    _warn(job)
    with console.working("Assigning"):
        table = arms_of(job)
    with atomic_file(out) as staging:
        _ = table.write_parquet(staging) if out.suffix == ".parquet" else table.write_csv(staging)
    said = in_words(job, table)
    if json:
        console.print_json(said | {"out": out})
    else:
        console.out().print(said["sentence"], markup=False, soft_wrap=True)
        console.note(f"Arms: {out}")


@app.command()
def analyse(config: File, out: o.Out = None, anyway: Anyway = False, force: o.Force = False, json: o.Json = False) -> None:
    """Say whether the experiment is sound, and what each arm did to each metric; write analysis.html. Exit code 3 where no effect is told."""
    from vitrina.base.files import write_text
    from vitrina.cli import console
    from vitrina.cli.experiment_arms import analysed
    from vitrina.cli.experiment_file import read_experiment_file
    from vitrina.pages.experiment import render_analysis

    job = read_experiment_file(config)
    page = _page(job, "results", out, "analysis.html", force=force)
    _warn(job)
    with console.working("Analysing"):
        found, looked = analysed(job, anyway=anyway)
    title = job.settings.report.title or job.experiment.name
    write_text(page, render_analysis(found, title=title, sequential=looked, date=_today(), settings=job.facts("results")))
    if json:
        more = {} if looked is None else {"looks": looked.table, "looked": looked.sentences}
        console.print_json(
            {
                "verdict": found.checks.verdict,
                "sentences": found.sentences,
                "table": found.table,
                "checks": found.checks.table,
                "slices": found.slices,
            }
            | more
        )
    else:
        console.out().print(found)
        for line in () if looked is None else looked.sentences:
            console.out().print(line, markup=False, soft_wrap=True)
        console.note(f"Report: {page}")
    if found.refused:
        raise typer.Exit(REFUSED)


def _page(job: ExperimentJob, section: str, out: Path | None, name: str, *, force: bool) -> Path:
    """Where the page goes, which must not be what is read, or somebody else's."""
    from vitrina.cli import outputs

    page = (out or job.out) / name
    outputs.check_file(page, {"source": job.source(section)}, job.file.path, force=force)
    return page


def _warn(job: ExperimentJob) -> None:
    from vitrina.cli import console

    for note in job.experiment.notes:
        console.warn(note)


def _today() -> Any:
    from datetime import date

    from vitrina.report.words import day

    return day(date.today())
