"""A few people to look at: what they had, what they took next, and what each model would have shown them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vitrina.board.result import Example
from vitrina.data.split import Split
from vitrina.types import Float64, Int64, Recommendations

HISTORY = 12  # last events that are shown


def choose(split: Split, hits: NDArray[np.bool_], count: int, seed: int) -> Int64:
    """Queries of different people, from short histories to long ones; in each part of the range one on which the models differ.

    Args:
        split: the histories.
        hits: (models, queries) whether a model's list holds something that the person took.
        count: how many.
        seed: of the choice among equals.
    """
    rng = np.random.default_rng(seed)
    lengths = split.queries.lengths
    order = rng.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    split_models = _divides(hits)
    chosen: list[int] = []
    for part in np.array_split(order, count):
        fresh = [q for q in part if split.queries.users[q] < 0 or split.queries.users[q] not in split.queries.users[chosen]]
        if fresh:
            chosen.append(max(fresh, key=lambda q: split_models[q]))
    return np.array(chosen, np.int64)


def _divides(hits: NDArray[np.bool_]) -> Float64:
    """(queries,) 0 where all models hit or all miss, most where half of them hit."""
    share = hits.mean(axis=0)
    return 1 - np.abs(2 * share - 1) if hits.shape[0] > 1 else share


def examples(lists: Mapping[str, Recommendations], split: Split, count: int, k: int, seed: int) -> tuple[Example, ...]:
    """`count` people with the first k places of each model's list."""
    if not count or not lists or not len(split.queries):
        return ()
    hits = np.stack([_hit(r, split)[:, :k].any(axis=1) for r in lists.values()])
    return tuple(_example(int(q), lists, split, k) for q in choose(split, hits, count, seed))


def _hit(given: Recommendations, split: Split) -> NDArray[np.bool_]:
    """(queries, k) whether the item at a place was taken, by one sorted search over (query, item) pairs."""
    width = split.train.n_items + 1
    wanted = split.truth.row_of * width + split.truth.values
    places = np.arange(len(given))[:, None] * width + given.items
    return np.isin(places, wanted) & (given.items >= 0)


def _example(query: int, lists: Mapping[str, Recommendations], split: Split, k: int) -> Example:
    train, user = split.train, int(split.queries.users[query])
    truth = split.truth[query]
    history = split.queries[query : query + 1].last(HISTORY).histories()[0]
    shown = {}
    for name, given in lists.items():
        items = given.items[query, :k]
        items = items[items >= 0]
        shown[name] = tuple(zip(train.titles(items), np.isin(items, truth).tolist(), strict=True))
    return Example(_label(split, user), tuple(train.titles(history)), tuple(train.titles(truth)), shown)


def _label(split: Split, user: int) -> str:
    """The name that the user table gives a person, with the id; the id alone where it gives none."""
    train = split.train
    if not 0 <= user < len(train.users):
        return "a visitor"
    named = None if train.user_table is None else train.user_table.titles(np.array([user]))[0]
    return f"{named} ({train.users.ids[user]})" if named else str(train.users.ids[user])
