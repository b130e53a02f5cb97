"""What a fitted recommender may tell beside its lists: tables of what it knows about itself, whether it reads the moment of asking, and why an item
stands where it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from vitrina.base.config import title_of
from vitrina.base.errors import ParameterError
from vitrina.protocols import Recommender
from vitrina.types import Eligibility, Queries, Recommendations

if TYPE_CHECKING:
    from vitrina.data.split import Split

SEES_TARGET = "sees the target's time"  # the mark of a row
WITHIN = ": "  # between the name of a member and that of its table


def tables_of(recommender: Any) -> dict[str, pl.DataFrame]:
    """What the `tables` of a fitted recommender are: Polars frames by name; empty where it has none.

    Raises:
        ParameterError: `tables` is something else.

    >>> import vitrina as vt
    >>> tables_of(vt.Popularity().fit(vt.testing.toy()))
    {}
    """
    tables = getattr(recommender, "tables", {})
    right = isinstance(tables, Mapping) and all(isinstance(n, str) and isinstance(t, pl.DataFrame) for n, t in tables.items())
    if not right:
        raise ParameterError(
            f"The 'tables' of a fitted {type(recommender).__name__} must be Polars frames by name, which a comparison shows: "
            f'{{"sources": pl.DataFrame(...)}}. Got {type(tables).__name__}; call it something else where it is something else.',
            parameter="tables",
        )
    return dict(tables)


def reads_now(recommender: Any) -> bool:
    """Whether a fitted recommender, or one that it is made of, has learned from the moments at which people came back: its `reads_now` is true.

    >>> import vitrina as vt
    >>> reads_now(vt.Popularity().fit(vt.testing.toy()))
    False
    """
    own = getattr(recommender, "reads_now", None)
    if isinstance(own, bool):
        return own
    if isinstance(recommender, Mapping):
        return any(map(reads_now, recommender.values()))
    if isinstance(recommender, (tuple, list)):
        return any(map(reads_now, recommender))
    parts = fields(recommender) if is_dataclass(recommender) and not isinstance(recommender, type) else ()
    return any(reads_now(getattr(recommender, part.name, None)) for part in parts)


def marks_of(recommender: Any, split: Split) -> tuple[str, ...]:
    """What must stand beside the numbers of a recommender on a split, in a few words each: that it sees the target's time, where it reads the moment of
    asking and the split asks at that of the target."""
    return (SEES_TARGET,) * (split.asks_at_target and reads_now(recommender))


def tables_of_members(members: Sequence[Any]) -> dict[str, pl.DataFrame]:
    """The tables of several fitted recommenders, each behind the name of its own: "TwoStage: sources"; namesakes are numbered."""
    names = [_name_of(member) for member in members]
    found: dict[str, pl.DataFrame] = {}
    for at, (name, member) in enumerate(zip(names, members, strict=True)):
        own = f"{name} {names[: at + 1].count(name)}" if names.count(name) > 1 else name
        found |= {f"{own}{WITHIN}{table}": frame for table, frame in tables_of(member).items()}
    return found


def _name_of(fitted: Any) -> str:
    """What a fitted thing was fitted by, where it knows."""
    model = getattr(fitted, "model", None)
    if isinstance(model, Mapping):
        return title_of(model)
    return type(fitted if model is None else model).__name__


def lacking(recommender: Any, queries: Queries) -> str | None:
    """What the histories lack that a recommender reads of events, in a sentence; None where they lack nothing, or it reads items alone.

    >>> import vitrina as vt
    >>> lacking(vt.Popularity().fit(vt.testing.toy()), vt.testing.toy().queries())
    """
    said = getattr(_beneath(recommender), "lacking", None)
    return None if said is None else said(queries)


def kinds_read(recommender: Any) -> tuple[str, ...]:
    """The kinds of events that a recommender tells apart; none where it reads items alone.

    >>> import vitrina as vt
    >>> kinds_read(vt.Popularity().fit(vt.testing.toy()))
    ()
    """
    return tuple(getattr(_beneath(recommender), "kinds_read", ()))


def _beneath(recommender: Any) -> Any:
    """What reads histories, without what ranks its lists again."""
    while hasattr(recommender, "recommender"):
        recommender = recommender.recommender
    return recommender


def explained(recommender: Recommender, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> pl.DataFrame:
    """One row per place of the lists, with all that the recommender says about it.

    A recommender that has `explain(queries, k, eligible=)` answers itself: sources, reasons, the features that weigh most. Of any other it is
    the table of its lists: who asks, rank, item, title, score, source, and the columns that the lists have.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> explained(vt.Popularity().fit(data), data.queries()[:1], 2).columns
    ['user_id', 'rank', 'item_id', 'title', 'score', 'source']
    """
    explain = getattr(recommender, "explain", None)
    return recommender.recommend(queries, k, eligible=eligible).to_frame() if explain is None else explain(queries, k, eligible=eligible)


def explained_again(lists: Recommendations, below: pl.DataFrame) -> pl.DataFrame:
    """The table of lists that were ranked again, with what the model below said about their items.

    Args:
        lists: without labels, so that `query` numbers who asks.
        below: the explanation of the candidates, numbered in the same way. Its rank becomes `rank_before`; of columns that both have, those
            of the lists stay.

    >>> import numpy as np, vitrina as vt
    >>> lists = vt.Recommendations(np.array([[2, 0]], np.int32), np.ones((1, 2), np.float32), vt.Vocabulary.of(["tea", "milk", "jam"]))
    >>> below = pl.DataFrame({"query": [0, 0], "rank": [1, 9], "item_id": ["tea", "jam"], "why": ["bought before", "new"]})
    >>> explained_again(lists, below).select("item_id", "rank_before", "why").rows()
    [('jam', 9, 'new'), ('tea', 1, 'bought before')]
    """
    own = lists.to_frame()
    ranked = below.drop("rank") if "rank_before" in below.columns else below.rename({"rank": "rank_before"})
    keys = [own.columns[0], lists.item_column]
    return own.join(
        ranked.select(*keys, *(name for name in ranked.columns if name not in own.columns)), on=keys, how="left", maintain_order="left"
    )


def labelled(table: pl.DataFrame, queries: Queries) -> pl.DataFrame:
    """A table whose `query` numbers who asks, with the labels of the queries in its place."""
    if queries.labels is None:
        return table
    return table.with_columns(query=queries.labels.gather(table["query"])).rename({"query": queries.labels.name})


def in_words(table: pl.DataFrame) -> pl.DataFrame:
    """The table with a text in place of each list, for a CSV: "favourites=1|EASE=14", "days since=6 (+0.8)|price=1.99 (-0.1)"."""
    return table.with_columns(
        pl.Series(c.name, [_joined(value) for value in c.to_list()]) for c in table.iter_columns() if isinstance(c.dtype, pl.List)
    )


def _joined(value: list[Any] | None) -> str:
    return "|".join(_pair(part) if isinstance(part, Mapping) else str(part) for part in value or ())


def _pair(part: Mapping[str, Any]) -> str:
    """The first field names, the next one says; what a feature adds is in brackets."""
    if "adds" in part:
        value = "" if part["value"] is None else f"{part['value']:.6g}"
        return f"{part['feature']}={value} ({part['adds']:+.3g})"
    name, said, *_ = part.values()
    return f"{name}={said:.6g}" if isinstance(said, float) else f"{name}={said}"
