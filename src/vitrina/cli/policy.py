"""`vitrina policy`: who gets which treatment, from the file of a job: check the log, judge policies, learn one, assign arms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitrina.cli import options as o

if TYPE_CHECKING:
    pass

HELP = "Who gets which treatment: check a log of decisions, judge policies, learn one, assign arms."
REFUSED = 3  # exit code: done, but a policy has no value; the page and the table say why
Job = Annotated[
    Path,
    typer.Argument(metavar="CONFIG", help="A TOML file: the log, the policies, what is learned, what it may cost.", show_default=False),
]
Anyway = Annotated[bool, typer.Option("--anyway", help="Give values that the checks refuse, too.")]

app = typer.Typer(no_args_is_help=True, help=HELP)


@app.callback()
def policy() -> None:
    """Who gets which treatment: check a log of decisions, judge policies, learn one, assign arms."""


@app.command()
def check(config: Job, trust: o.Trust = False, json: o.Json = False) -> None:
    """Say whether the log can answer at all, and which policies it can judge. Exit code 2 where it is refused."""
    from vitrina.cli import console
    from vitrina.cli.policy_file import read_policy_file

    job = read_policy_file(config, trust=trust)
    with console.working("Reading the log"):
        log = job.log()
    found = log.check(job.policies(log))
    if json:
        console.print_json({"verdict": found.verdict, "checks": found.table})
    else:
        console.out().print(found)
    if found.verdict == "refuse":
        raise typer.Exit(2)


@app.command()
def evaluate(
    config: Job, out: o.Out = None, anyway: Anyway = False, trust: o.Trust = False, force: o.Force = False, json: o.Json = False
) -> None:
    """Judge the policies of the file and each arm for everybody; write the page. Exit code 3 where a policy can't be judged."""
    from vitrina.cli import policy_runs
    from vitrina.cli.policy_file import read_policy_file

    job = read_policy_file(config, trust=trust)
    page = policy_runs.page_of(job, out, "policies.html", force=force)
    log = policy_runs.read_log(job)
    _told(policy_runs.judged(job, log, job.policies(log), anyway=anyway), page, json=json)


@app.command()
def learn(
    config: Job, out: o.Out = None, anyway: Anyway = False, trust: o.Trust = False, force: o.Force = False, json: o.Json = False
) -> None:
    """Learn a policy, judge it on decisions that it never saw, and write it as an artifact, with the page."""
    from vitrina.cli import console, policy_runs
    from vitrina.cli.policy_file import read_policy_file

    job = read_policy_file(config, trust=trust)
    page = policy_runs.page_of(job, out, "learned.html", force=force)
    kept = (out or job.out) / policy_runs.FOLDER
    policy_runs.check_artifact(job, kept, force=force)
    log = policy_runs.read_log(job)
    found, learned = policy_runs.learned(job, log, anyway=anyway)
    policy_runs.save(job, learned, log, kept)
    _told(found, page, json=json, artifact=kept)
    if not json:
        console.note(f"Policy: {kept}\nAssign with: vitrina policy assign {config} --policy {kept} --units UNITS.csv --out ARMS.csv")


@app.command()
def assign(
    config: Job,
    policy: Annotated[Path, typer.Option(help="Folder that 'vitrina policy learn' wrote.", show_default=False)],
    units: Annotated[Path, typer.Option(help="Table of those to be decided on: CSV or Parquet.", show_default=False)],
    out: Annotated[Path, typer.Option(help="File for the arms: .csv or .parquet.", show_default=False)],
    round: Annotated[
        str | None,
        typer.Option(help="Name of the round: another one draws anew; the name of the units' file by default.", show_default=False),
    ] = None,
    trust: o.Trust = False,
    force: o.Force = False,
    json: o.Json = False,
) -> None:
    """Give each unit an arm, with its chance, what the model says it gains, and its cost; within the budget of the file, and with its random share."""
    from vitrina.cli import console, policy_assign
    from vitrina.cli.policy_file import read_policy_file

    job = read_policy_file(config, trust=trust)
    said = policy_assign.assigned(job, policy, units, out, round or units.stem, force=force)
    if json:
        console.print_json(said)
    else:
        console.out().print(policy_assign.in_words(said), markup=False, soft_wrap=True)


def _told(found: Any, page: Path, *, json: bool, artifact: Path | None = None) -> None:
    """The answer, the table, and the page on disk."""
    from vitrina.base.files import write_text
    from vitrina.cli import console, policy_runs
    from vitrina.pages.policy import render

    write_text(page, render(found))
    if json:
        console.print_json(policy_runs.as_json(found) | ({"artifact": artifact} if artifact else {}))
    else:
        policy_runs.show(found)
        console.note(f"Report: {page}")
    if policy_runs.any_refused(found):
        raise typer.Exit(REFUSED)
