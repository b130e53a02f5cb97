"""How a number came about, in one line: two numbers are compared only where these lines agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, final

import numpy as np

from vitrina.types import Eligibility, Ragged

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset
    from vitrina.data.split.base import Split


@final
@dataclass(frozen=True)
class Protocol:
    """What a number is worth beside others depends on these. Shares are from 0 to 1.

    Args:
        rule: what cut the log.
        trained_on: "strict": nobody's validation event is learned; "retrained": everything before the test is, though a model may hold a part of
            it back to stop by.
        validation: queries of the split's own validation part; None where it is cut from the training part, and learned in the end.
        queries: that are asked.
        repeat: may items of the history be recommended again.
        candidates: items that are ranked, before seen ones and those that a query excludes are left out: all that have an event in training, or
            those that are included. A model that knows items otherwise may rank more.
        full: whether all items are ranked, or only some that the queries name.
        cold: share of the targets that training has never seen.
        ties: share of the targets that are the last among equal times by the order of rows alone; None where the log has no times to tell.
        future: share of the training events that are not earlier than the first query.
        metric: name and definition; empty until something is judged.
        rules: names of the rules that all lists keep.
        out_of: how many queries there are, where only those of people drawn by a hash of their ids are asked; None where all are.

    >>> import vitrina as vt
    >>> print(vt.testing.toy().split(vt.split.LeaveOneOut(repeat=False)).protocol.line)
    LeaveOneOut(repeat=False), 6 queries; retrained; seen items left out; full ranking of 4 items; 0% of targets cold, 0% tie-breaks; 64% of
    training events not before the first query
    """

    rule: str
    trained_on: Literal["strict", "retrained"]
    validation: int | None
    queries: int
    repeat: bool
    candidates: int
    full: bool
    cold: float
    ties: float | None
    future: float
    metric: str = ""
    rules: tuple[str, ...] = ()
    out_of: int | None = None

    @classmethod
    def of(cls, split: Split) -> Protocol:
        """The protocol of a split."""
        counts, validation = split.counts, split.validation
        return cls(
            rule=split.origin,
            trained_on="retrained" if validation is None else "strict",
            validation=None if validation is None else validation.n_queries,
            queries=split.n_queries, repeat=bool(split.eligible.repeat), candidates=_candidates(split.train, split.eligible),
            full=split.eligible.include is None, cold=counts["cold_targets_share"] if "cold_targets_share" in counts else _cold(split), ties=counts.get("tie_breaks_share"),
            future=counts.get("late_train_events_share", 0.0),
        )  # fmt: skip

    def judged_by(self, name: str, definition: str) -> Protocol:
        """The same with the metric, and the first sentence of its definition."""
        return replace(self, metric=f"{name}: {definition.partition('. ')[0].rstrip('.')}")

    @property
    def line(self) -> str:
        """Everything in one line, to stand above a table."""
        validation = "" if self.validation is None else f", validated on {self.validation:,} queries that no model learns"
        parts = [
            f"{self.rule}, {self.queries:,} queries{'' if self.out_of is None else f' of {self.out_of:,} (people drawn by a hash of their ids)'}",
            self.trained_on + validation,
            "seen items may come back" if self.repeat else "seen items left out",
            f"{'full ranking of' if self.full else 'ranking of chosen'} {self.candidates:,} items",
            f"{_percent(self.cold)} of targets cold, {'no times to see ties' if self.ties is None else f'{_percent(self.ties)} tie-breaks'}",
            *([f"{_percent(self.future)} of training events not before the first query"] if self.future else []),
            *([f"all lists under the {'rule' if len(self.rules) == 1 else 'rules'} {', '.join(self.rules)}"] if self.rules else []),
            *([self.metric] if self.metric else []),
        ]
        return "; ".join(parts)


def _percent(share: float) -> str:
    """A share that is not nothing never reads 0%, and one that is not all never 100%."""
    if 0 < share < 0.0005:
        return "under 0.1%"
    return f"{share:.1%}" if share < 0.1 and share else f"{min(share, 0.99) if share < 1 else share:.0%}"


def _cold(split: Split) -> float:
    """Share of the targets that training has never seen, of a split that was made by hand."""
    return float((split.train.catalogue.events[split.truth.values] == 0).mean())


def _candidates(train: Dataset, eligible: Eligibility) -> int:
    """Items that are ranked; the median over queries where each has its own."""
    named, mask = eligible.include, train.catalogue.mask.copy()
    if isinstance(eligible.exclude, np.ndarray):
        mask[eligible.exclude[eligible.exclude >= 0]] = False
    if named is None:
        return int(mask.sum())
    if not isinstance(named, Ragged):
        return int(mask[np.unique(named[named >= 0])].sum())
    known = np.append(0, np.cumsum((named.values >= 0) & mask[named.values]))
    return int(np.median(np.diff(known[named.indptr])))
