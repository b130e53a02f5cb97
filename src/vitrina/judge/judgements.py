"""What a judge said of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import polars as pl

from vitrina.base.config import fingerprint
from vitrina.base.errors import DataError
from vitrina.base.printing import as_text
from vitrina.base.showing import html_of
from vitrina.judge.batch import Asked, Cost
from vitrina.judge.records import Records
from vitrina.language.cost import Price
from vitrina.language.protocol import LanguageModel

if TYPE_CHECKING:
    from vitrina.judge.comparisons import Comparisons
    from vitrina.judge.judge import Judge
    from vitrina.judge.scale import Scale

SPENT = {"prompt_tokens": pl.Int64, "answer_tokens": pl.Int64, "seconds": pl.Float64, "known": pl.Boolean, "repaired": pl.Boolean}


@final
class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a batch: `finished` has what was judged; the rows that were not have no label."""

    def __init__(self, finished: Judgements | Comparisons) -> None:
        super().__init__("the judging was interrupted")
        self.finished = finished


@final
@dataclass(frozen=True, eq=False, repr=False)
class Judgements:
    """Grades of a judge.

    Args:
        table: the rows that were asked, with label, reason, error (why there is no label), prompt_tokens, answer_tokens, seconds, known (it was there before), repaired.
        scale: what the labels stand on.
        judge: identity of who judged: see `Judge.identity`.
        model: its name.
        cost: what was told before it started.
        money: what it came to by the price; None where there was none.
        notes: what else must be known, in sentences.
    """

    table: pl.DataFrame
    scale: Scale
    judge: str
    model: str
    cost: Cost
    money: float | None
    notes: tuple[str, ...]

    @property
    def unjudged(self) -> int:
        """Rows without a label."""
        return self.table["label"].null_count()

    @classmethod
    def of_labels(cls, table: pl.DataFrame, scale: Scale, name: str) -> Judgements:
        """Labels that come from elsewhere, as a table query, item, label; `name` says from whom.

        Raises:
            DataError: a label is off the scale.
        """
        scale.codes(table["label"])
        nothing = Cost(0, 0, 0, 0, None, False)
        return cls(table, scale, fingerprint(name, list(scale.values)), name, nothing, None, ())

    @property
    def kept(self) -> pl.DataFrame:
        """The rows with a label, one per query and item, with `judge`, the place on the scale.

        Raises:
            DataError: one item of a query has several labels.
        """
        table = self.table.drop_nulls("label")
        table = table.with_columns(pl.Series("judge", self.scale.codes(table["label"], "labels of the judge")))
        if table.select("query", "item").is_duplicated().any():
            if table.group_by("query", "item").agg(pl.col("judge").n_unique())["judge"].max() != 1:
                raise DataError("An item of a query has several labels of the judge: keep one text per query and item.")
            table = table.unique(["query", "item"], keep="first", maintain_order=True)
        return table

    @property
    def codes(self) -> pl.DataFrame:
        """query, item, judge: of the rows with a label."""
        return self.kept.select("query", "item", "judge")

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"Judgements({len(self)} rows, {self.unjudged} without a label, by {self.model!r})"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> str:
        counts = self.table["label"].drop_nulls().value_counts().sort("label")
        shares = ", ".join(f"{n:,} of {value} ({self.scale.said(value)})" for value, n in counts.iter_rows())
        lines = [f"{len(self):,} rows judged by {self.model}: {shares or 'nothing'}.", *self.notes]
        return "\n".join(lines).replace("[", "\\[")


def judged(
    items: pl.DataFrame, asked: Sequence[Asked], records: Records, failed: Mapping[str, str], judge: Judge, cost: Cost, price: Price | None,
    proposer: LanguageModel | None,
) -> Judgements:  # fmt: skip
    """The rows with what was said of them."""
    found = [records.get(one.key) for one in asked]
    said = {
        "label": pl.Series([None if r is None else r.value["label"] for r in found], dtype=pl.Int64),
        "reason": pl.Series([None if r is None else r.value["reasoning"] for r in found], dtype=pl.String),
        "error": pl.Series([failed.get(one.key) for one in asked], dtype=pl.String),
    }
    table = items.with_columns(**said, **spent([[r] for r in found], asked, records))
    return Judgements(
        table, judge.scale, judge.identity, judge.model.name, cost, money_of(records, price), notes_of(table, judge, proposer)
    )


def spent(found: Sequence[Sequence[Any]], asked: Sequence[Asked], records: Records) -> dict[str, pl.Series]:
    """What each row cost, summed over its answers; null where one is missing."""
    whole = [all(r is not None for r in row) for row in found]
    columns: dict[str, list[Any]] = {
        "prompt_tokens": [sum(r.prompt_tokens for r in row) if ok else None for row, ok in zip(found, whole, strict=True)],
        "answer_tokens": [sum(r.answer_tokens for r in row) if ok else None for row, ok in zip(found, whole, strict=True)],
        "seconds": [sum(r.seconds for r in row) if ok else None for row, ok in zip(found, whole, strict=True)],
        "known": [all(records.before(r.key) or r.cached for r in row) if ok else None for row, ok in zip(found, whole, strict=True)],
        "repaired": [any(r.repaired for r in row) if ok else None for row, ok in zip(found, whole, strict=True)],
    }
    return {name: pl.Series(columns[name], dtype=SPENT[name]) for name in SPENT}


def money_of(records: Records, price: Price | None) -> float | None:
    """What the calls of this batch came to."""
    if price is None:
        return None
    new = [r for r in records.all() if not records.before(r.key) and not r.cached]
    return price.of(sum(r.prompt_tokens for r in new), sum(r.answer_tokens for r in new))


def notes_of(table: pl.DataFrame, judge: Judge, proposer: LanguageModel | None) -> tuple[str, ...]:
    """What must be known of a batch."""
    notes = []
    if proposer is not None and proposer.name == judge.model.name:
        notes.append(same_model(judge.model.name))
    if failed := table["error"].drop_nulls().len():
        notes.append(
            f"{failed:,} rows have no label because the model failed, the first with {table['error'].drop_nulls()[0]!r}: they are asked again next time."
        )
    if repaired := int(table["repaired"].sum() or 0):
        notes.append(f"{repaired:,} answers broke the schema at first and were repaired.")
    left = int((table["seconds"].is_null() & table["error"].is_null()).sum())
    if left:
        notes.append(f"Stopped before the end: {left:,} rows have no label yet.")
    return tuple(notes)


def same_model(name: str) -> str:
    """The sentence about one who judges itself."""
    return (
        f"Who judges is who wrote: both are {name!r}. Models favour what they wrote themselves, so these labels are no evidence for it: take another judge, "
        "or look at 'own style' among the biases of its calibration."
    )
