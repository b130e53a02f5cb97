"""Two logs that were read separately, brought to the same codes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import SplitError
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureKind, FeatureTable
from vitrina.types import Events
from vitrina.vocabulary import Vocabulary


def joined(train: Dataset, test: Dataset) -> tuple[Dataset, Dataset]:
    """Both with the training part's vocabularies, extended by the ids that only the test part has."""
    if train.time_unit != test.time_unit:
        raise SplitError(
            f"Both parts of a given split must have the same kind of time. The training part has {train.time_unit!r}, "
            f"the test part {test.time_unit!r}; read both with the same time=... and time_unit=..."
        )
    users, items = train.users.extended(test.users.ids), train.items.extended(test.items.ids)
    kinds = train.kind_names + tuple(k for k in test.kind_names if k not in train.kind_names)
    shared: dict[str, Any] = {
        "users": users,
        "items": items,
        "kind_names": kinds,
        "item_table": _extended_table(train.item_table, test.item_table, train.items, test.items, items),
        "user_table": _extended_table(train.user_table, test.user_table, train.users, test.users, users),
    }
    indptr = np.append(train.indptr, np.full(len(users) - len(train.users), train.indptr[-1]))
    events = _recoded(test, items, kinds)
    codes = users.encode(test.users.ids)[test.user_of]
    rest = {"time_unit": test.time_unit, "name": test.name, **{k: v for k, v in shared.items() if k not in ("users", "items")}}
    return replace(train, indptr=indptr, **shared), Dataset.of_codes(codes, events, users, items, **rest)


def _recoded(test: Dataset, items: Vocabulary, kinds: tuple[str, ...]) -> Events:
    events = replace(test.events, items=items.encode(test.items.ids)[test.events.items])
    if events.kinds is None:
        return events
    codes = np.array([kinds.index(k) for k in test.kind_names], np.uint8)
    return replace(events, kinds=codes[events.kinds])


def _extended_table(
    table: FeatureTable | None, other: FeatureTable | None, known: Vocabulary, theirs: Vocabulary, ids: Vocabulary
) -> FeatureTable | None:
    """The rows of `table`, then those of `other` for the ids that only it has; nulls where neither knows."""
    if table is None and other is None:
        return None
    new = ids.ids.slice(len(known))
    top = pl.DataFrame({"": np.arange(len(known))}) if table is None else table.frame.with_columns(pl.Series("", np.arange(len(known))))
    below = pl.DataFrame({"": np.arange(len(new))})
    if other is not None:
        place = pl.Series(theirs.encode(new)).replace(-1, None).cast(pl.UInt32)
        below = other.frame.select(pl.all().gather(place)).with_columns(below[""])
    frame = pl.concat([top, below], how="diagonal_relaxed").drop("")
    kinds: dict[str, FeatureKind] = {**(other.kinds if other else {}), **(table.kinds if table else {})}
    title = table.title if table is not None and table.title else other.title if other is not None else None
    return FeatureTable(frame, kinds, title)
