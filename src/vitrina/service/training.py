"""What the service kept, joined with the log that its models are fitted on: the loop back to training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset, Step
from vitrina.data.features import TITLE_NAMES, FeatureKind, FeatureTable, guess_kind
from vitrina.service.doubles import Doubles
from vitrina.service.facts import Facts
from vitrina.service.histories import SHOWN, occurring_kinds, usual_weights
from vitrina.service.pipeline.columns import Columns
from vitrina.service.records import Attributes
from vitrina.service.store.reading import Readable
from vitrina.types import Events
from vitrina.vocabulary import Vocabulary

NEEDED = ["sequence", "kind", "user", "item", "time", "value", "basket"]
MOST_KINDS = 256  # a kind is one byte


@final
@dataclass(frozen=True, eq=False)
class Joined:
    """A log with what a service kept.

    Args:
        data: the log, with the service's events after it.
        events: of the service, by kind, that joined.
        left_out: of the service, by why.
        items: of which the service has columns.
        last: the sequence of the last event that was looked at; later ones are in the next fit.
    """

    data: Dataset
    events: Mapping[str, int]
    left_out: Mapping[str, int]
    items: int
    last: int

    @property
    def sentences(self) -> list[str]:
        """What became of each event, and of the items."""
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.events.items()))
        told = [f"Of the service's events joined the log: {sum(self.events.values()):,}{f' ({kinds})' if kinds else ''}."]
        told += [f"{why}: {count:,}." for why, count in self.left_out.items() if count]
        return [*told, *([f"Items whose columns are as the service has them: {self.items:,}."] if self.items else [])]


def opened(state: str) -> Readable:
    """What a service kept: its state folder, or the address of its PostgreSQL.

    Raises:
        DataError: there is no store.
        StoreUnavailableError: the database can't be reached.
    """
    if state.startswith(("postgresql://", "postgres://")):
        from vitrina.service.store.postgres import Postgres  # noqa: PLC0415  an extra

        return Readable.read_only(Path(), backend=Postgres(state))
    return Readable.read_only(Path(state))


def with_service(log: Dataset, store: Readable, *, tenant: str = "default", kinds: Collection[str] | None = None) -> Joined:
    """A log together with the events, items and people of a service, which may be running: each event once, and each that isn't used is counted.

    Events enter as they enter histories (`Histories`): those of `kinds`; by default of the kinds that the log has, and of a log without kinds all but
    "impression". Events that were exported into the log are there already (`Doubles`). Of an event a fit reads what the log's columns are: the value, the basket (an
    event without one is alone in it), and as weight the one that most events of its kind have. Columns of items that the service was told are over those
    of the item table, and items without an event join it.

    Args:
        log: as it is read, before filters.
        store: what the service kept.
        kinds: of events that enter.

    Raises:
        DataError: the log's times are steps, in which moments have no place; a kind that nobody knows was asked for.

    Memory: the log twice, and the service's events.
    """
    if log.time_unit != "us" or log.events.times is None:
        raise DataError(
            f"The times of {log.name!r} are no moments, and the events of the service have moments. Read the log with its times: time = ... in [data]."
        )
    wanted = occurring_kinds(log) if kinds is None else kinds
    enter = pl.col("kind") != SHOWN if wanted is None else pl.col("kind").is_in(list(wanted))
    doubles, parts = Doubles(log), []
    left_out = {"Left out, as they name no person": 0, "Left out, as they name no item": 0}
    last, seen = 0, set(log.kind_names)
    for frame in store.events(tenant):
        last = int(frame["sequence"].max() or last)  # type: ignore[arg-type]
        whole = frame.select(NEEDED)
        seen |= set(whole["kind"].unique())
        for column, why in zip(("user", "item"), tuple(left_out), strict=False):
            left_out[why] += whole[column].null_count()
            whole = whole.drop_nulls(column)
        for kind, count in whole.filter(~enter)["kind"].value_counts().iter_rows():
            why = f"Left out, as the log has none of the kind {kind!r}"
            left_out[why] = left_out.get(why, 0) + count
        parts.append(doubles.left(whole.filter(enter)))
    left_out["In the log already, so that they count once"] = doubles.found
    events = pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(NEEDED, pl.String))
    unknown = set(kinds or ()) - seen
    if unknown:
        raise DataError(
            f"Neither the log nor the service has events of the kind {sorted(unknown)[0]!r}. They have: {', '.join(sorted(seen))}."
        )
    items, people = _facts(store.items(tenant)), _facts(store.users(tenant))
    data = _with_tables(_joined(log, events, items), items, people)
    counts = dict(events["kind"].value_counts().iter_rows()) if len(events) else {}
    return Joined(data, counts, left_out, sum(1 for _ in items.since(0)), last)


def _facts(rows: list[Attributes]) -> Facts:
    facts = Facts()
    facts.set(rows)
    return facts


def _joined(log: Dataset, events: pl.DataFrame, items: Facts) -> Dataset:
    """The log with these events; its vocabularies have their ids, and those of the items that the service was told of."""
    told = pl.Series([id for id in items.since(0) if id not in items.deleted], dtype=pl.String)
    users = log.users.extended(events["user"].cast(pl.String).unique(maintain_order=True))
    known = log.items.extended(pl.concat([events["item"].cast(pl.String), told]).unique(maintain_order=True))
    names = tuple(dict.fromkeys([*log.kind_names, *events["kind"]])) if log.events.kinds is not None else ()
    if len(names) > MOST_KINDS:
        raise DataError(
            f"Log and service have {len(names):,} kinds of events together, and there may be {MOST_KINDS}. Name those that count with --kinds."
        )
    new = _columns(log, events, known, names)
    columns = log.events.columns()
    whole = Events(**{name: np.concatenate([column, new[name].astype(column.dtype)]) for name, column in columns.items()})
    codes = np.concatenate([log.user_of, users.encode(events["user"].cast(pl.String))])
    data = Dataset.of_codes(
        codes, whole, users, known, time_unit=log.time_unit, kind_names=names or log.kind_names, item_table=log.item_table, user_table=log.user_table,
        rule=log.rule, repeat=log.repeat, name=log.name, shard_count=log.shard_count,
    )  # fmt: skip
    step = Step("service", log.n_events, data.n_events, log.n_users, data.n_users, len(log.catalogue.items), len(data.catalogue.items))
    return replace(data, steps=(*log.steps, step))


def _columns(log: Dataset, events: pl.DataFrame, items: Vocabulary, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """The columns that the log has, of the service's events."""
    usual, n = usual_weights(log.events), len(events)
    kinds = np.zeros(n, np.int64)
    if names:
        code_of = {name: code for code, name in enumerate(names)}
        kinds = np.array([code_of[kind] for kind in events["kind"]], np.int64)
    columns: dict[str, NDArray[Any]] = {"items": items.encode(events["item"].cast(pl.String)), "kinds": kinds}
    columns["times"] = events["time"].cast(pl.Int64).to_numpy()
    columns["values"] = events["value"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    columns["weights"] = np.array([usual.get(int(kind), 1.0) for kind in kinds], np.float64)
    if log.events.baskets is not None:
        first = int(log.events.baskets.max(initial=-1)) + 1
        own = pl.Series([f"\0{place}" for place in range(n)], dtype=pl.String)
        named = events["user"].cast(pl.String) + "\0\0" + events["basket"].cast(pl.String)
        columns["baskets"] = first + named.fill_null(own).rank("dense").cast(pl.Int64).to_numpy() - 1
    return columns


def _with_tables(data: Dataset, items: Facts, people: Facts) -> Dataset:
    table, users = _table(data.item_table, data.items, items), _table(data.user_table, data.users, people)
    return replace(data, item_table=table, user_table=users)


def _table(table: FeatureTable | None, vocabulary: Vocabulary, facts: Facts) -> FeatureTable | None:
    """A table of a smaller vocabulary for this one, with what the service was told over it."""
    if table is not None and len(table.frame) < len(vocabulary):
        table = replace(table, frame=pl.concat([table.frame, table.frame.clear(len(vocabulary) - len(table.frame))]))
    columns = Columns(table, vocabulary, vocabulary.as_text().ids.to_list(), facts)
    if not columns.refresh() or columns.table is None:
        return table
    frame = columns.table.frame
    had: dict[str, FeatureKind] = {} if table is None else dict(table.kinds)
    new = [name for name in frame.columns if table is None or name not in table.frame.columns]
    guessed: dict[str, FeatureKind] = {name: kind for name in new if (kind := guess_kind(frame[name])) is not None}
    title = table.title if table is not None else None
    title = title or next((column for name in TITLE_NAMES for column in frame.columns if column.lower() == name), None)
    return FeatureTable(frame, had | guessed, title)
