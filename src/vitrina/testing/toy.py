"""Small data sets that every test and example can read."""

from __future__ import annotations

import numpy as np
import polars as pl

from vitrina.base.time import HOUR
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.types import Events
from vitrina.vocabulary import Vocabulary

BASE = 1_700_000_000_000_000  # 2023-11-14, microseconds

_LOG = """ann tea|ann milk|ann tea|bob milk|bob bread|ann bread|cat tea|cat bread|cat jam|dan jam|dan milk|eve tea|eve jam
eve milk|fay bread|fay tea|bob jam|cat milk|dan tea|fay jam"""


def toy() -> Dataset:
    """20 purchases of 4 groceries by 6 people, one per hour, with titles and a category.

    >>> toy()
    Dataset('toy': 20 events, 6 users, 4 items)
    """
    pairs = [pair.split() for pair in _LOG.replace("\n", "|").split("|")]
    users, items = (Vocabulary.of([p[i] for p in pairs]) for i in (0, 1))
    table = pl.DataFrame({
        "item_id": ["tea", "milk", "bread", "jam"],
        "title": ["Green tea", "Whole milk", "Rye bread", "Plum jam"],
        "aisle": ["drinks", "dairy", "bakery", "pantry"],
    })  # fmt: skip
    times = BASE + HOUR * np.arange(len(pairs), dtype=np.int64)
    events = Events(items.encode([p[1] for p in pairs]), times)
    features = FeatureTable.of(table, "item_id", items)
    return Dataset.of_codes(users.encode([p[0] for p in pairs]), events, users, items, time_unit="us", item_table=features, name="toy")


def synthetic(users: int = 300, items: int = 120, mean_length: int = 12, *, groups: int = 6, seed: int = 0, text: bool = True) -> Dataset:
    """Interactions with Zipf popularity, taste groups, repeats, order within groups and real time; for tests that need signal.

    Item i belongs to group i mod `groups`; three events of four of a user stay in the user's group.
    """
    rng = np.random.default_rng(seed)
    lengths = 2 + rng.poisson(mean_length - 2, users)
    user_codes = np.repeat(np.arange(users), lengths)
    zipf = 1 / np.arange(1, items // groups + 2) ** 0.8
    rank = rng.choice(len(zipf), size=len(user_codes), p=zipf / zipf.sum())
    group = np.where(rng.random(len(user_codes)) < 0.75, user_codes % groups, rng.integers(0, groups, len(user_codes)))
    item_codes = np.minimum(rank * groups + group, items - 1)
    times = BASE + np.sort(rng.integers(0, 90 * 24, len(user_codes)))[rng.permutation(len(user_codes))] * HOUR
    order = np.argsort(times, kind="stable")
    vocabulary = Vocabulary.of([f"i{c}" for c in range(items)])
    values = (1 + rng.integers(0, 5, len(user_codes))).astype(np.float32)
    table = pl.DataFrame({
        "item_id": vocabulary.ids, "title": [f"Item {c} of group {c % groups}" for c in range(items)],
        "group": [f"g{c % groups}" for c in range(items)],
    })  # fmt: skip
    events = Events(item_codes[order].astype(np.int32), times[order], values[order])
    return Dataset.of_codes(
        user_codes[order], events, Vocabulary.of([f"u{c}" for c in range(users)]), vocabulary, time_unit="us",
        item_table=FeatureTable.of(table, "item_id", vocabulary) if text else None, name="synthetic",
    )  # fmt: skip
