"""`vitrina judge`: a language model that labels, and what its labels are worth beside those of people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitrina.cli import options as o

HELP = "Labels by a language model, and whether they may be trusted: label, hold against people, tune."
REFUSED = 3  # exit code: done, but the judge may not be used for the decision; the page and the output say why
Job = Annotated[
    Path,
    typer.Argument(metavar="CONFIG", help="A TOML file: who judges by what, what is to be judged, what people said.", show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Start without asking, whatever it costs.")]

app = typer.Typer(no_args_is_help=True, help=HELP)


@app.callback()
def judge() -> None:
    """Labels by a language model, and whether they may be trusted: label, hold against people, tune."""


@app.command()
def label(config: Job, out: o.Out = None, yes: Yes = False, trust: o.Trust = False, force: o.Force = False, json: o.Json = False) -> None:
    """Give each pair of a query and an item a label, with the reason. Says what it costs first; what is answered is kept, and never asked again."""
    from vitrina.cli import console, judge_runs
    from vitrina.cli.judge_file import read_judge_file

    job = read_judge_file(config, trust=trust)
    file = judge_runs.file_of(job, out, "labels.csv", force=force)
    found = judge_runs.asked(job, job.pairs(), out, yes=yes)
    judge_runs.write_labels(found, file)
    if json:
        console.print_json(judge_runs.labels_as_json(found, file))
    else:
        console.out().print(found)
        console.note(f"Labels: {file}")


@app.command()
def agreement(
    config: Job, out: o.Out = None, yes: Yes = False, trust: o.Trust = False, force: o.Force = False, json: o.Json = False
) -> None:
    """Hold the judge against people on what they labelled, say whether it may decide in their place, and write the page. Exit code 3 where it may not."""
    from vitrina.cli import console, judge_runs
    from vitrina.cli.judge_file import read_judge_file

    job = read_judge_file(config, trust=trust)
    page = judge_runs.file_of(job, out, "agreement.html", force=force)
    gold = job.gold()
    judged = judge_runs.asked(job, job.gold_pairs(), out, yes=yes)
    found = judge_runs.calibrated(job, judged, gold)
    decision = judge_runs.decided(job, found)
    judge_runs.write_page(job, found, decision, page)
    if json:
        console.print_json(judge_runs.agreement_as_json(found, decision))
    else:
        judge_runs.show(found, decision)
        console.note(f"Report: {page}")
    if decision is not None and not decision:
        raise typer.Exit(REFUSED)


@app.command()
def tune(config: Job, out: o.Out = None, yes: Yes = False, trust: o.Trust = False, force: o.Force = False, json: o.Json = False) -> None:
    """Look for criteria by which the judge says what people said. They are believed only where they are surely better on labels that the search never saw."""
    from vitrina.cli import console, judge_runs
    from vitrina.cli.judge_file import read_judge_file

    job = read_judge_file(config, trust=trust)
    file = judge_runs.file_of(job, out, "tuned.toml", force=force)
    found = judge_runs.tuned(job, out, yes=yes)
    judge_runs.write_criteria(found, file)
    if json:
        console.print_json(judge_runs.tuned_as_json(found, file))
    else:
        console.out().print(str(found), markup=False, soft_wrap=True)
        console.note(f"The best criteria that were found: {file}")
