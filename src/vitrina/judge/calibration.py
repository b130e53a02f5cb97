"""A judge held against people: how far they agree, beside how far people agree among themselves, and what the judge is unjust to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.printing import as_text, short_interval
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.judge.agreement import MEASURES, agreement, counts_by, difference
from vitrina.judge.bias import Bias, biases_of
from vitrina.judge.clusters import Estimate
from vitrina.judge.comparisons import Comparisons
from vitrina.judge.decision import Decision, decided
from vitrina.judge.gold import Gold, cells
from vitrina.judge.judgements import Judgements
from vitrina.judge.systems import system_order
from vitrina.types import Float64

JUDGE, PEOPLE, BESIDE = "judge and people", "people among themselves", "judge minus people"


@final
@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """How far a judge may be trusted.

    Args:
        agreement: who ("judge and people", "judge and NAME" for each rater, "people among themselves", "judge minus people"), measure, value, low, high, error, queries, rows.
        confusion: people (a grade), judge (a grade), labels, share (of the labels with that grade of people).
        by_grade: grade, labels of people, how often the judge gave it, recall, precision.
        biases: name, value, low, high, error, queries, rows, verdict, sentence.
        systems: Kendall's tau of the order of systems; None where none were given.
        judge, model: whose labels: see `Judge.identity`.
        confidence: of the intervals.
        notes: what else must be known, in sentences.
    """

    agreement: pl.DataFrame
    confusion: pl.DataFrame
    by_grade: pl.DataFrame
    biases: pl.DataFrame
    systems: Estimate | None
    judge: str
    model: str
    confidence: float
    notes: tuple[str, ...]

    def estimate(self, measure: str = "kappa_quadratic", who: str = JUDGE) -> Estimate:
        """One measure with its interval.

        Raises:
            ParameterError: nobody is called so: lists who there is.
        """
        rows = self.agreement.filter((pl.col("who") == who) & (pl.col("measure") == measure))
        if not len(rows):
            known = self.agreement["who"].unique(maintain_order=True).to_list()
            raise ParameterError(f"There is no {measure!r} of {who!r}. There are {', '.join(MEASURES)} of {', '.join(map(repr, known))}.")
        return Estimate.of_row(rows.row(0, named=True), self.confidence)

    def decide(self, measure: str = "kappa_quadratic", *, at_least: float | None = None, below_people: float | None = None) -> Decision:
        """Whether the judge may stand in for people.

        Args:
            measure: of agreement, or "tau" for the order of systems.
            at_least: what the decision needs: the lower end of the interval must reach it.
            below_people: instead, by how much the judge may agree less with people than they do with one another.
        Raises:
            ParameterError: neither or both are given, or what they need is not there.
        """
        if (at_least is None) == (below_people is None):
            raise ParameterError("A decision needs either 'at_least' or 'below_people'. Give one of them.", parameter="at_least")
        if measure == "tau":
            if self.systems is None or at_least is None:
                raise ParameterError("A decision by 'tau' needs 'at_least', and 'systems' in calibrate.", parameter="measure")
            return decided("the tau of the order of systems", at_least, self.systems)
        if at_least is not None:
            return decided(f"{measure} of judge and people", at_least, self.estimate(measure))
        assert below_people is not None
        if below_people < 0:
            raise ParameterError(f"'below_people' must be 0 or more. Got {below_people}.", parameter="below_people")
        return decided(f"{measure} of the judge minus that of people among themselves", -below_people, self.estimate(measure, BESIDE))

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """By name, for pages: agreement, confusion, by_grade, biases, systems."""
        systems = [] if self.systems is None else [{"measure": "tau", **self.systems.row}]
        return {
            "agreement": self.agreement,
            "confusion": self.confusion,
            "by_grade": self.by_grade,
            "biases": self.biases,
            "systems": pl.DataFrame(systems),
        }

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it comes to."""
        told = [f"Judge and people: kappa with quadratic weights {self.estimate()}."]
        if PEOPLE in self.agreement["who"]:
            told.append(f"People among themselves: {self.estimate(who=PEOPLE)}.")
        if self.systems is not None:
            told.append(f"Order of systems: Kendall's tau {self.systems}.")
        return (*told, *self.biases["sentence"].to_list(), *self.notes)

    def __repr__(self) -> str:
        return f"Calibration({self.model!r}: {', '.join(self.agreement['who'].unique(maintain_order=True))})"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> RenderableType:
        who = self.agreement["who"].unique(maintain_order=True).to_list()
        table = Table("measure", *(Column(w, justify="right") for w in who), box=None)
        for measure in MEASURES:
            found = [self.estimate(measure, w) for w in who]
            table.add_row(measure, *(short_interval(e.value, e.low, e.high) for e in found))
        return Group(Fitted(table), "", *map(Text, self.sentences))


def calibrate(
    judged: Judgements, gold: Gold | pl.DataFrame, *, comparisons: Comparisons | None = None, probes: Sequence[Bias] = (),
    systems: pl.DataFrame | None = None, confidence: float = 0.95,
) -> Calibration:  # fmt: skip
    """Hold a judge's labels against people's.

    Args:
        judged: labels of the items of the gold set; others are left aside. Where it has `text`, the bias of length is looked at; where it has `writer`, that of its own style.
        gold: labels of people, a `Gold` or a table query, item, label and perhaps rater, on the same scale.
        comparisons: of pairs, for the bias of order.
        probes: what `probe` found.
        systems: see `system_order`.
        confidence: of the intervals, by query.
    Raises:
        DataError: they share no item, or the tables can't be used.
    """
    gold = gold if isinstance(gold, Gold) else Gold.of(gold, judged.scale)
    if gold.scale.values != judged.scale.values:
        raise DataError(f"Judge and people must have one scale. Got {judged.scale.values} and {gold.scale.values}.")
    labels = judged.codes
    rows = gold.table.join(labels, on=["query", "item"], how="inner")
    if not len(rows):
        raise DataError(
            "No item of the gold set has a label of the judge. Judge the items of the gold set first, with the same query and item."
        )
    rows = rows.sort("query", "item", "rater")
    by_who = _counts(rows, gold)
    table = [_row(who, measure, agreement(measure, c, confidence)) for who, c in by_who.items() for measure in MEASURES]
    if PEOPLE in by_who:
        ours = rows.select("query", one="code", other="judge")
        table += [_row(BESIDE, measure, difference(measure, ours, gold.pairs, len(gold.scale), confidence)) for measure in MEASURES]
    errors = gold.mean.join(judged.kept, on=["query", "item"]).with_columns(error=pl.col("judge") - pl.col("people"))
    found = [*biases_of(errors, judged.model, comparisons, confidence), *probes]
    biases = pl.DataFrame([{"name": b.name, **b.estimate.row, "verdict": b.verdict, "sentence": b.sentence} for b in found], schema=BIASES)
    order = None if systems is None else system_order(systems, Bootstrap(draws=1000, confidence=confidence))
    whole = by_who[JUDGE].sum(axis=0).reshape(len(gold.scale), -1)
    return Calibration(
        pl.DataFrame(table), _confusion(whole, judged), _by_grade(whole, judged), biases, order, judged.judge, judged.model, confidence,
        _notes(judged, gold, rows),
    )  # fmt: skip


BIASES = {
    "name": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "error": pl.Float64, "freedom": pl.Float64, "queries": pl.Int64, "rows": pl.Int64,
    "verdict": pl.String, "sentence": pl.String,
}  # fmt: skip


def _counts(rows: pl.DataFrame, gold: Gold) -> dict[str, Float64]:
    """(queries, grades^2) by who is held against whom."""
    grades = len(gold.scale)
    counts = {JUDGE: counts_by(*cells(rows, "code", "judge"), rows["query"], grades)}
    if len(gold.raters) < 2:
        return counts
    for (rater,), part in rows.group_by("rater", maintain_order=True):
        counts[f"judge and {rater}"] = counts_by(*cells(part, "code", "judge"), part["query"], grades)
    pairs = gold.pairs
    if len(pairs):
        counts[PEOPLE] = counts_by(*cells(pairs, "one", "other"), pairs["query"], grades)
    return counts


def _row(who: str, measure: str, found: Estimate) -> dict[str, Any]:
    return {"who": who, "measure": measure, **found.row}


def _confusion(counts: Float64, judged: Judgements) -> pl.DataFrame:
    values = judged.scale.values
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells_ = [(values[i], values[j], int(counts[i, j]), float(shares[i, j])) for i in range(len(values)) for j in range(len(values))]
    return pl.DataFrame(cells_, schema=["people", "judge", "labels", "share"], orient="row")


def _by_grade(counts: Float64, judged: Judgements) -> pl.DataFrame:
    hits, people, judge = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return pl.DataFrame({
        "grade": judged.scale.values, "means": judged.scale.grades, "people": people.astype(np.int64), "judge": judge.astype(np.int64),
        "recall": [h / n if n else None for h, n in zip(hits, people, strict=True)], "precision": [h / n if n else None for h, n in zip(hits, judge, strict=True)],
    })  # fmt: skip


def _notes(judged: Judgements, gold: Gold, rows: pl.DataFrame) -> tuple[str, ...]:
    notes = list(judged.notes)
    if left := len(gold.table) - len(rows):
        notes.append(f"{left:,} of {len(gold.table):,} labels of people have none of the judge beside them and are left out.")
    if len(gold.raters) == 1:
        notes.append(
            "Each item was labelled by one person: how far people agree among themselves is not known, and it bounds what a judge can reach."
        )
    if (queries := rows["query"].n_unique()) < 20:
        notes.append(f"{queries} queries are few: intervals by query are too narrow below 20, and no decision is allowed by them.")
    return tuple(notes)
