"""What the commands on a judge do: tell the cost, ask, hold against people, and say it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import typer

from vitrina.base.errors import ParameterError
from vitrina.cli import build, console, outputs

if TYPE_CHECKING:
    from vitrina.cli.judge_file import JudgeJob
    from vitrina.judge import Calibration, Cost, Decision, Gold, Judgements, TunedJudge

INTERRUPTED = 130
ANSWERS = "answers"  # the folder of what the model has said, beside the results
LABELS = ("query", "item", "label", "reason", "error", "judge")  # columns of labels.csv


def file_of(job: JudgeJob, out: Path | None, name: str, *, force: bool) -> Path:
    """Where a result goes, which must not be what is read, or somebody else's."""
    file = (out or job.out) / name
    outputs.check_file(file, {"source": job.sources()}, force=force)
    return file


def asked(job: JudgeJob, pairs: pl.DataFrame, out: Path | None, *, yes: bool) -> Judgements:
    """The labels of the pairs; what was answered before is not asked again.

    Raises:
        ParameterError: it costs something, and nobody is there to agree to it.
        Exit: Ctrl-C, or it is too much for whoever was asked.
    """
    from vitrina.judge import Interrupted

    folder = (out or job.out) / ANSWERS
    with build.located(job.file, ("pairs",)):
        cost = job.judge.cost(pairs, folder=folder, price=job.price)
    _agree(cost, yes=yes)
    run = job.settings.run
    try:
        with build.located(job.file, ("run",)):
            return job.judge.judge(pairs, folder=folder, price=job.price, workers=run.workers, most_calls=run.most_calls)
    except Interrupted as stopped:
        found = stopped.finished
        console.note(
            f"Interrupted. {found.table['label'].count():,} of {len(found):,} are judged and kept in {folder}; the same command goes on from there."
        )
        raise typer.Exit(INTERRUPTED) from None


def _agree(cost: Cost, *, yes: bool) -> None:
    """Say what it costs, and ask whether to go on where it is something."""
    console.note(f"This takes {cost}")
    if not yes and cost.calls:
        _ask()


def _ask() -> None:
    if not sys.stdin.isatty():
        raise ParameterError("Nobody is there to agree to that. Agree beforehand with --yes.")
    if not typer.confirm("Go on?", err=True):
        console.note("Nothing was asked.")
        raise typer.Exit


def write_labels(found: Judgements, file: Path) -> None:
    """labels.csv: query, item, label, reason, error (why there is no label), and by whom."""
    from vitrina.base.files import atomic_file

    table = found.table.with_columns(pl.lit(found.model).alias("judge")).select(LABELS)
    with atomic_file(file) as staging:
        table.write_csv(staging)


def labels_as_json(found: Judgements, file: Path) -> dict[str, Any]:
    """How many have which label, what it took, and where they are."""
    counts = found.table["label"].drop_nulls().value_counts().sort("label")
    labels = [{"label": value, "means": found.scale.said(value), "pairs": pairs} for value, pairs in counts.iter_rows()]
    return {
        "labels": labels, "pairs": len(found), "without_label": found.unjudged, "calls": found.cost.calls, "money": found.money, "model": found.model,
        "notes": found.notes, "file": file,
    }  # fmt: skip


def calibrated(job: JudgeJob, judged: Judgements, gold: Gold) -> Calibration:
    """The judge beside people."""
    from vitrina.judge import calibrate

    with build.located(job.file, ("gold",)):
        return calibrate(judged, gold, confidence=job.settings.decision.confidence)


def decided(job: JudgeJob, found: Calibration) -> Decision | None:
    """Whether the judge may decide, where the file says what that takes."""
    given = job.settings.decision
    if given.at_least is None and given.below_people is None:
        return None
    with build.located(job.file, ("decision",)):
        return found.decide(given.measure, at_least=given.at_least, below_people=given.below_people)


def agreement_as_json(found: Calibration, decision: Decision | None) -> dict[str, Any]:
    """The verdict, the sentences and every table."""
    verdict = (
        None if decision is None else {"verdict": decision.verdict, "sentence": decision.sentence, "more_labels": decision.more_labels}
    )
    return {"decision": verdict, "sentences": found.sentences, **found.tables}


def show(found: Calibration, decision: Decision | None) -> None:
    """The verdict first, then the numbers."""
    out = console.out()
    if decision is None:
        console.note("No decision is named: [decision] at_least = 0.6 says what the judge must reach.")
    else:
        out.print(decision.sentence, markup=False, soft_wrap=True)
        out.print()
    out.print(found)


def write_page(job: JudgeJob, found: Calibration, decision: Decision | None, page: Path) -> None:
    """The page of agreement: everything that was found, and the verdict first."""
    from vitrina.base.files import write_text
    from vitrina.pages.agreement import Study, render
    from vitrina.pages.policy.answer import today

    given = job.settings.decision
    facts = {"File": job.file.path.name, "Criteria": job.judge.criteria, "Grades": ", ".join(job.scale.grades)}
    write_text(page, render(Study(found, decision, measure=given.measure, title=job.title, settings=facts, date=today())))


def tuned(job: JudgeJob, out: Path | None, *, yes: bool) -> TunedJudge:
    """The search for better criteria; what was asked before is not asked again."""
    from vitrina.judge import tune_judge

    given, folder = job.settings.tune, (out or job.out) / ANSWERS
    labelled = job.labelled()
    console.note(f"This takes at most {given.budget:,} calls on {len(labelled):,} labels; what was asked before is not asked again.")
    if not yes:
        _ask()
    train, validation, test = given.parts
    try:
        with build.located(job.file, ("tune",)), console.working("Looking for better criteria"):
            return tune_judge(
                job.judge, labelled, job.reflector, parts=(train, validation, test), budget=given.budget, folder=folder, seed=given.seed,
                confidence=job.settings.decision.confidence,
            )  # fmt: skip
    except KeyboardInterrupt:
        console.note(f"Interrupted. What was answered is kept in {folder}; the same command goes on from there.")
        raise typer.Exit(INTERRUPTED) from None


def write_criteria(found: TunedJudge, file: Path) -> None:
    """The best criteria, as the table of a config that they would stand in."""
    import json

    from vitrina.base.files import write_text

    taken = "surely better on the test part" if found.tuned.accepted else "NOT surely better on the test part"
    criteria = json.dumps(found.tuned.best["criteria"], ensure_ascii=False)
    write_text(file, f"{outputs.WRITTEN}: the best criteria that were found, {taken}.\n[judge]\ncriteria = {criteria}\n")


def tuned_as_json(found: TunedJudge, file: Path) -> dict[str, Any]:
    """Whether the new criteria are taken, the numbers before and after, and what was tried."""
    tuned, difference = found.tuned, found.tuned.difference
    return {
        "accepted": tuned.accepted, "criteria": tuned.best["criteria"], "difference": difference.row, "kappa_before": found.kappa_before.row,
        "kappa_after": found.kappa_after.row, "calls": tuned.calls, "reflections": tuned.reflections, "candidates": tuned.candidates, "notes": tuned.notes,
        "file": file,
    }  # fmt: skip
