"""Better criteria for a judge: `tune_prompt` with a gold set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import polars as pl

from vitrina.base.errors import DataError
from vitrina.judge.agreement import agreement, counts_by
from vitrina.judge.clusters import Estimate
from vitrina.judge.judge import Judge
from vitrina.judge.prompt import graded, pointwise
from vitrina.judge.tune import PARTS, Tried, Tuned, tune_prompt
from vitrina.language.errors import InvalidAnswerError
from vitrina.language.protocol import LanguageModel


@final
@dataclass(frozen=True)
class TunedJudge:
    """A judge with the criteria that were found, or with its own where they were not surely better.

    Args:
        judge: to be used.
        tuned: the search: `accepted`, `difference`, `candidates`, `calls`.
        kappa_before, kappa_after: with quadratic weights, on the test part, of the old criteria and of the best ones.
    """

    judge: Judge
    tuned: Tuned
    kappa_before: Estimate
    kappa_after: Estimate

    def __str__(self) -> str:
        return f"Kappa on the test part: {self.kappa_before} before, {self.kappa_after} after. {self.tuned}"


def tune_judge(
    judge: Judge, labelled: pl.DataFrame, reflector: LanguageModel, *, parts: tuple[int, int, int] = PARTS, budget: int = 600,
    folder: str | Path | None = None, seed: int = 0, confidence: float = 0.95,
) -> TunedJudge:  # fmt: skip
    """Search for criteria by which the judge says what people said.

    A row's score is 1 - |label - people's| / (grades - 1); an answer that breaks the schema scores 0.

    Args:
        judge: whose criteria are rewritten; model, scale and examples stay.
        labelled: query, item, text and label (of people); also query_text, and reason (why people gave the label), which the reflector reads.
        reflector, parts, budget, folder, seed, confidence: as in `tune_prompt`; parts are of whole queries.
    Raises:
        DataError: a column is missing or a label off the scale; others as `tune_prompt`.
    """
    missing = [name for name in ("query", "item", "text", "label") if name not in labelled.columns]
    if missing or labelled.select("query", "text", "label").null_count().sum_horizontal().item():
        raise DataError(
            f"To tune a judge takes rows with query, item, text and label, all filled. Missing: {', '.join(missing) or 'cells'}."
        )
    judge.scale.codes(labelled["label"], "labels of people")
    names = [name for name in ("query", "item", "text", "label", "query_text", "reason") if name in labelled.columns]
    rows = labelled.select(names).to_dicts()
    found = tune_prompt(
        {"criteria": judge.criteria}, rows, lambda prompts, row: _tried(judge, prompts, row), reflector, queries=labelled["query"].to_list(),
        parts=parts, budget=budget, folder=folder, seed=seed, confidence=confidence, attempted=judge.model,
    )  # fmt: skip
    kappas = [_kappa(tried, found.scores["query"], judge, confidence) for tried in found.tried]
    return TunedJudge(judge.model_copy(update={"criteria": found.prompts["criteria"]}), found, *kappas)


def _tried(judge: Judge, prompts: Mapping[str, str], row: Mapping[str, Any]) -> Tried:
    query, scale, people = str(row.get("query_text", row["query"])), judge.scale, int(row["label"])
    shown = f"query: {query}\nitem: {row['text']}"
    right = f"People say {people} ({scale.said(people)}).{' ' + row['reason'] if row.get('reason') else ''}"
    try:
        reply = judge.model.complete(pointwise(prompts["criteria"], scale, judge.examples, query, row["text"]), graded(scale.values))
    except InvalidAnswerError as error:
        return Tried(0.0, shown, str(error), f"The answer broke the form. {right}", {"judge": None, "people": people})
    said = graded(scale.values).model_validate(reply.value.model_dump()).model_dump()
    label = int(said["label"])
    score = 1 - abs(label - people) / (len(scale) - 1)
    feedback = f"Right. {right}" if label == people else f"Wrong: the judge says {label} ({scale.said(label)}). {right}"
    return Tried(score, shown, f"{said['reasoning']}\nlabel: {label}", feedback, {"judge": label, "people": people})


def _kappa(tried: Sequence[Tried], queries: pl.Series, judge: Judge, confidence: float) -> Estimate:
    """Of the rows with an answer."""
    known = [at for at, one in enumerate(tried) if one.more["judge"] is not None]
    people, said = (judge.scale.codes([tried[at].more[name] for at in known]) for name in ("people", "judge"))
    return agreement("kappa_quadratic", counts_by(people, said, queries[known], len(judge.scale)), confidence)
