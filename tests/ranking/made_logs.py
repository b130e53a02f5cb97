"""Small logs with everything in them: baskets, equal times, values, kinds, weights of 0 and below, and a table of items with gaps."""

from __future__ import annotations

import numpy as np
import polars as pl

import vitrina as vt
from vitrina.base.time import HOUR
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.ranking import FeatureSet, Source, Sources
from vitrina.testing.toy import BASE
from vitrina.types import Events
from vitrina.vocabulary import Vocabulary

ITEMS, USERS, END = 16, 9, 60 * 24
SOURCES = (Source(model=vt.Popularity(), n=6), Source(model=vt.Cooccurrence(neighbours=8), n=6), Source(model=vt.EASE(l2=5), n=4))


def made(seed: int, *, timed: bool = True, baskets: bool = True, rich: bool = True) -> Dataset:
    """A random log of some 120 events; times in whole hours so that many are equal."""
    rng = np.random.default_rng(seed)
    n = 120
    users = np.sort(rng.integers(0, USERS, n)).astype(np.int32)
    hours = rng.integers(0, END, n) // 36 * 36
    items = np.minimum(rng.geometric(0.15, n) - 1, ITEMS - 1).astype(np.int32)
    columns = {"items": items, "times": BASE + HOUR * hours} if timed else {"items": items}
    if baskets and timed:
        label = users.astype(np.int64) * 10_000 + hours // 72  # two moments may share a basket
        columns["baskets"] = np.where(rng.random(n) < 0.8, np.unique(label, return_inverse=True)[1], -1).astype(np.int32)
    if rich:
        columns["values"] = rng.integers(1, 9, n).astype(np.float32)
        columns["kinds"] = rng.integers(0, 2, n).astype(np.uint8)
        columns["weights"] = rng.choice([1, 1, 1, 2, 0.5, 0, -1], n).astype(np.float32)
    vocabulary = Vocabulary.of([f"i{c}" for c in range(ITEMS)])
    table = pl.DataFrame({
        "item_id": vocabulary.ids,
        "aisle": [None if c % 7 == 3 else f"a{c % 4}" for c in range(ITEMS)],
        "tags": [[f"t{c % 3}", f"t{c % 5}"] if c % 6 else None for c in range(ITEMS)],
        "price": [None if c % 5 == 4 else float(1 + c * c % 11) for c in range(ITEMS)],
    })  # fmt: skip
    rest = {"kind_names": ("view", "buy")} if rich else {}
    return Dataset.of_codes(
        users, Events(**columns), Vocabulary.of([f"u{c}" for c in range(USERS)]), vocabulary, time_unit="us" if timed else None,
        item_table=FeatureTable.of(table, "item_id", vocabulary), name=f"made {seed}", **rest,
    )  # fmt: skip


def history(queries: vt.Queries, q: int) -> list[dict]:
    """The events of a query that count, oldest first, as dictionaries; `at` is the place among all events of the history that count."""
    events = [
        {name: column[at].item() for name, column in queries.events.columns().items()} for at in range(queries.start[q], queries.stop[q])
    ]
    return [event for event in events if event.get("weights", 1) > 0]


def in_baskets(events: list[dict]) -> list[list[dict]]:
    """The events of a history by basket, or by time where they have none (each alone where there are no times), in the order of their first events."""
    groups: dict = {}
    for place, event in enumerate(events):
        basket = event.get("baskets", -1)
        groups.setdefault(("basket", basket) if basket >= 0 else ("time", event.get("times", place)), []).append(event)
    return list(groups.values())


def asked(group, data, queries, sources=SOURCES, eligible=None):
    """Columns of a group by name, and the pairs they are of."""
    fitted = Sources.fit(sources, data)
    pairs = fitted.candidates(queries, eligible=vt.Eligibility(repeat=True) if eligible is None else eligible)
    features = FeatureSet.fit((group,), data, fitted)
    return dict(zip(features.names, features.compute(pairs).T, strict=True)), pairs


def cut(data: Dataset, share: float = 0.7) -> vt.split.Split:
    return data.split(vt.split.GlobalTime(quantile=share, repeat=True))
