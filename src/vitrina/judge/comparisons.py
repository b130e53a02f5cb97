"""What a judge said of pairs, asked in both orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import polars as pl

from vitrina.base.printing import as_text
from vitrina.base.showing import html_of
from vitrina.judge.batch import Asked, Cost
from vitrina.judge.clusters import Estimate, mean_of
from vitrina.judge.judgements import money_of, notes_of, spent
from vitrina.judge.records import Records
from vitrina.language.cost import Price
from vitrina.language.protocol import LanguageModel

if TYPE_CHECKING:
    from vitrina.judge.judge import Judge

TURNED = {"first": "b", "second": "a", "tie": "tie"}  # who wins when b is shown first
STRAIGHT = {"first": "a", "second": "b", "tie": "tie"}


@final
@dataclass(frozen=True, eq=False, repr=False)
class Comparisons:
    """Pairs with the winner of each.

    Args:
        table: the rows that were asked, with forward ("a", "b", "tie": a was shown first), backward (b was), winner (what both say; "tie" where they contradict one another), consistent,
            reason (of the order in which a was first), reason_backward, error and what it cost.
        judge, model: who judged.
        cost, money: told before, and come to.
        notes: what else must be known, in sentences.
    """

    table: pl.DataFrame
    judge: str
    model: str
    cost: Cost
    money: float | None
    notes: tuple[str, ...]

    @property
    def inconsistent(self) -> int:
        """Pairs whose winner changed with the order."""
        return int((~self.table["consistent"]).sum() or 0)

    def preference(self, confidence: float = 0.95) -> Estimate:
        """Share of pairs that a wins minus the share that b wins, a tie is 0; with an interval by query."""
        table = self.table.drop_nulls("winner")
        return mean_of((table["winner"] == "a").cast(pl.Int8) - (table["winner"] == "b").cast(pl.Int8), table["query"], confidence)

    def order_bias(self, confidence: float = 0.95) -> Estimate:
        """Share of the answers that chose what was shown first minus those that chose the second; 0 for who doesn't care."""
        table = self.table.drop_nulls("winner")
        first = (table["forward"] == "a").cast(pl.Int8) + (table["backward"] == "b").cast(pl.Int8)
        second = (table["forward"] == "b").cast(pl.Int8) + (table["backward"] == "a").cast(pl.Int8)
        return mean_of((first - second) / 2, table["query"], confidence)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"Comparisons({len(self)} pairs, {self.inconsistent} inconsistent, by {self.model!r})"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> str:
        wins = {name: int((self.table["winner"] == name).sum() or 0) for name in ("a", "b", "tie")}
        said = f"{len(self):,} pairs compared by {self.model}: a wins {wins['a']:,}, b wins {wins['b']:,}, {wins['tie']:,} ties, of which {self.inconsistent:,} are contradictions between the two orders."
        lines = [said, f"For a over b: {self.preference()}.", f"For what is shown first: {self.order_bias()}.", *self.notes]
        return "\n".join(lines).replace("[", "\\[")


def compared(
    pairs: pl.DataFrame, asked: Sequence[Asked], records: Records, failed: Mapping[str, str], judge: Judge, cost: Cost, price: Price | None,
    proposer: LanguageModel | None,
) -> Comparisons:  # fmt: skip
    """The rows with what both orders said; a row has no winner where one of them is missing."""
    found = [[records.get(one.key) for one in asked[at : at + 2]] for at in range(0, len(asked), 2)]
    forward = [None if f is None else STRAIGHT[f.value["winner"]] for f, _ in found]
    backward = [None if b is None else TURNED[b.value["winner"]] for _, b in found]
    both = [(f, b) if f is not None and b is not None else None for f, b in zip(forward, backward, strict=True)]
    errors = [failed.get(asked[at].key) or failed.get(asked[at + 1].key) for at in range(0, len(asked), 2)]
    columns = {
        "forward": forward,
        "backward": backward,
        "winner": [None if p is None else p[0] if p[0] == p[1] else "tie" for p in both],
        "reason": [None if f is None else f.value["reasoning"] for f, _ in found],
        "reason_backward": [None if b is None else b.value["reasoning"] for _, b in found],
        "error": errors,
    }
    said = {name: pl.Series(values, dtype=pl.String) for name, values in columns.items()}
    said["consistent"] = pl.Series([None if p is None else p[0] == p[1] for p in both], dtype=pl.Boolean)
    table = pairs.with_columns(**said, **spent(found, asked, records))
    return Comparisons(table, judge.identity, judge.model.name, cost, money_of(records, price), notes_of(table, judge, proposer))
