"""What a split holds, in numbers and words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vitrina.base.printing import as_text
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted
from vitrina.data.dataset import TimeUnit

if TYPE_CHECKING:
    from vitrina.data.split.base import Split


@dataclass(frozen=True)
class PartSize:
    """Sizes of one part of a split; `first` and `last` are ISO dates, or steps, or None without time."""

    users: int
    items: int
    events: int
    first: str | int | None
    last: str | int | None


@dataclass(frozen=True)
class SplitSummary:
    """A split in numbers: sizes and dates of both parts, what can't be reached, leakage and warnings. Shares are from 0 to 1.

    `str()` and rich print it as a table; `to_dict()` is ready for JSON.
    """

    rule: str
    train: PartSize
    test: PartSize  # people asked, distinct target items, targets
    queries: int
    targets_mean: float  # a query
    targets_median: float
    targets_max: int
    history_median: float
    repeat: bool
    repeat_decided: bool  # from the data, not by the user
    shares: dict[str, float]
    notes: tuple[str, ...]
    leakage: tuple[str, ...]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, split: Split) -> SplitSummary:
        counts, tally, train, unit = split.counts, split.tally, split.train, split.train.time_unit
        shares = {
            name: counts.get(f"{name}_share", 0.0) for name in ("new_users", "queries_without_history", "cold_targets", "seen_targets")
        }
        shares["cold_items"] = counts.get("cold_items", 0) / max(1, counts.get("test_items", 0))
        asked = None if tally.now is None else (tally.now[0], tally.now[1] if counts.get("test_stop") is None else counts["test_stop"])
        return cls(
            rule=split.origin.removeprefix("a "),
            train=PartSize(tally.users, len(train.catalogue.items), tally.events, *_dates(tally.trained, unit)),
            test=PartSize(tally.people, tally.items, tally.targets, *_dates(asked, unit)),
            queries=tally.queries, targets_mean=tally.rows.mean, targets_median=tally.rows.median, targets_max=tally.rows.most,
            history_median=tally.histories.median,
            repeat=split.eligible.repeat, repeat_decided=bool(counts.get("repeat_decided", False)),
            shares=shares, notes=_notes(split), leakage=_leakage(split), warnings=split.warnings,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> RenderableType:
        parts = Table(title=self.rule, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 3, 0, 0))
        parts.add_column("")
        for name in ("users", "items", "events", "from", "to"):
            parts.add_column(name, justify="right" if name in ("users", "items", "events") else "left", header_style="dim")
        for name, part in (("train", self.train), ("test", self.test)):
            sizes = (f"{part.users:,}", f"{part.items:,}", f"{part.events:,}")
            parts.add_row(name, *sizes, *("-" if end is None else str(end) for end in (part.first, part.last)))
        lines: list[RenderableType] = [Fitted(parts), Text(self._queries())]
        lines += [Text(f"· {note}", style="dim") for note in self.notes]
        lines += [Text.assemble(("leak  ", "yellow"), note) for note in self.leakage]
        lines += [Text.assemble(("warning  ", "bold yellow"), warning) for warning in self.warnings]
        return Group(*lines)

    def __str__(self) -> str:
        return as_text(self, 110)

    def _queries(self) -> str:
        why = " (decided from the training part)" if self.repeat_decided else ""
        again = "may come back" if self.repeat else "are not recommended again"
        s = self.shares
        return (
            f"{self.queries:,} queries with {self.targets_mean:.3g} targets each (median {self.targets_median:g}, most {self.targets_max:,}) "
            f"after {self.history_median:g} events (median).\n"
            f"New people {s['new_users']:.1%}, queries without history {s['queries_without_history']:.1%}, "
            f"targets that are cold {s['cold_targets']:.1%}, targets seen before {s['seen_targets']:.1%}; seen items {again}{why}."
        )


def _dates(span: tuple[int, int] | None, unit: TimeUnit | None) -> tuple[str | int | None, str | int | None]:
    return (None, None) if span is None else (moment(span[0], unit), moment(span[1], unit))


def moment(time: int, unit: TimeUnit | None) -> str | int:
    """A time as people read it: minutes are enough."""
    if unit != "us":
        return time
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).strftime("%Y-%m-%d %H:%M")


def _share(share: float) -> str:
    """A share that is not nothing never reads "0%"."""
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}" if share >= 0.001 else "Less than 0.1%"


_NOTES = {
    "seen_targets_dropped": "{} targets were dropped: the person had taken the item before, and repeats are not recommended.",
    "disliked_targets_dropped": "{} targets were dropped: the person had disliked the item before, and such items are not recommended.",
    "uncounted_targets": "{} events of the test part are no targets: their weight is 0, or they are dislikes.",
    "queries_without_truth": "{} queries were dropped: no target was left.",
    "duplicate_targets": "{} repeated items within a query count once.",
    "tie_breaks": "{} targets are the last of several events of one time by the order of rows alone.",
    "straddling_baskets": "{} baskets began before the cut and end after it; their later part is not asked about.",
    "users_not_asked": "{} people have too little to be asked.",
    "events_not_used": "{} events are neither trained on nor targets: they are in histories of the test part, or left out.",
}


def _notes(split: Split) -> tuple[str, ...]:
    said = tuple(text.format(f"{split.counts[name]:,}") for name, text in _NOTES.items() if split.counts.get(name))
    if split.validation is None:
        return said
    return (
        f"{split.validation.n_queries:,} queries of a validation part lie between training and test, and no model learns them.",
        *said,
    )


def _leakage(split: Split) -> tuple[str, ...]:
    counts, said = split.counts, []
    late = counts.get("late_train_events_share", 0.0)
    if late:
        said.append(
            f"{_share(late)} of the training events are not earlier than the first query: models are fitted on the future of some people."
        )
    tied = counts.get("targets_tied_to_history_share", 0.0)
    if tied:
        said.append(
            f"{_share(tied)} of the targets have the time or basket of the event before them, which is in the history: "
            "what was taken at once is half the answer."
        )
    return tuple(said)
