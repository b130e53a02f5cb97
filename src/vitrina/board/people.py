"""A few people to look at: what they had, what they took next, and what each model would have shown them; of searches, those that went worst."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vitrina.board.placed import hits, reasons_of, sources_of
from vitrina.board.result import Example
from vitrina.data.split import Split
from vitrina.data.split.asked import users_of
from vitrina.jobs.answers import Before
from vitrina.types import Float64, Int64, Recommendations

HISTORY = 12  # last events that are shown


def choose(split: Split, hits: NDArray[np.bool_], count: int, seed: int, among: Int64 | None = None) -> Int64:
    """Queries of different people, from short histories to long ones; in each part of the range one on which the models differ.

    Args:
        split: the histories.
        hits: (models, queries) whether a model's list holds something that the person took.
        count: how many.
        seed: of the choice among equals.
        among: the queries to choose from, where not all.
    """
    rng = np.random.default_rng(seed)
    lengths = split.queries.lengths
    order = rng.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    order = order if among is None else order[np.isin(order, among)]
    split_models = _divides(hits)
    chosen: list[int] = []
    for part in np.array_split(order, count):
        fresh = [q for q in part if split.queries.users[q] < 0 or split.queries.users[q] not in split.queries.users[chosen]]
        if fresh:
            chosen.append(max(fresh, key=lambda q: split_models[q]))
    return np.array(chosen, np.int64)


def worst(split: Split, hits: NDArray[np.bool_], count: int, among: Int64 | None = None) -> Int64:
    """Queries whose lists hold the smallest share of what they could, on average over the models; of equal ones the first.

    Args:
        split: the truth.
        hits: (models, queries, k) whether a place holds something relevant.
        count: how many.
        among: the queries to choose from, where not all.
    """
    best = np.clip(split.truth.lengths, 1, hits.shape[2])
    found = hits.sum(axis=2).mean(axis=0) / best
    order = np.argsort(found, kind="stable")
    return (order if among is None else order[np.isin(order, among)])[:count]


def _divides(hits: NDArray[np.bool_]) -> Float64:
    """(queries,) 0 where all models hit or all miss, most where half of them hit."""
    share = hits.mean(axis=0)
    return 1 - np.abs(2 * share - 1) if hits.shape[0] > 1 else share


def examples(
    lists: Mapping[str, Recommendations], split: Split, count: int, k: int, seed: int, before: Mapping[str, Before] | None = None
) -> tuple[Example, ...]:
    """`count` people with the first k places of each model's list; with re-ranked ones, people whose lists `before` has too."""
    if not count or not lists or not len(split.queries):
        return ()
    before = before or {}
    found = [hits(r, split)[:, :k] for r in lists.values()]
    among = next((was.rows for was in before.values()), None)  # the same of all
    if split.queries.texts is not None:
        deepest = max(one.shape[1] for one in found)
        padded = np.stack([np.pad(one, ((0, 0), (0, deepest - one.shape[1]))) for one in found])
        chosen = worst(split, padded, count, among)
    else:
        chosen = choose(split, np.stack([one.any(axis=1) for one in found]), count, seed, among)
    return tuple(_example(int(q), lists, split, k, before) for q in chosen)


def _example(query: int, lists: Mapping[str, Recommendations], split: Split, k: int, before: Mapping[str, Before]) -> Example:
    train, user = split.train, int(split.queries.users[query])
    truth = split.truth[query]
    history = split.queries[query : query + 1].last(HISTORY).histories()[0]
    filled = {name: np.flatnonzero(given.items[query, :k] >= 0) for name, given in lists.items()}

    former = {name: was.lists.items[np.searchsorted(was.rows, query), :k] for name, was in before.items()}

    def listed(items: NDArray[np.int32]) -> tuple[tuple[str, bool], ...]:
        items = items[items >= 0]
        return tuple(zip(train.titles(items), np.isin(items, truth).tolist(), strict=True))

    return Example(
        _label(split, user), tuple(train.titles(history)), tuple(train.titles(truth)),
        lists={name: listed(given.items[query, :k]) for name, given in lists.items()},
        before={name: listed(items) for name, items in former.items()},
        ranks={name: _ranks(lists[name].items[query, filled[name]], items) for name, items in former.items()},
        reasons={name: why for name, given in lists.items() if (why := reasons_of(given, query, filled[name]))},
        sources={name: why for name, given in lists.items() if (why := sources_of(given, query, filled[name]))},
        text="" if split.queries.texts is None else split.queries.texts[query] or "",
    )  # fmt: skip


def _ranks(items: NDArray[np.int32], former: NDArray[np.int32]) -> tuple[int | None, ...]:
    """At which rank, from 1, each item was before."""
    places = {item: place for place, item in enumerate(former.tolist(), 1)}
    return tuple(places.get(item) for item in items.tolist())


def _label(split: Split, user: int) -> str:
    """The name that the user table gives a person, with the id; the id alone where it gives none."""
    table, people = users_of(split), split.queries.people if split.queries.people is not None else split.train.users
    if not 0 <= user < len(people):
        return "a visitor"
    named = None if table is None else table.titles(np.array([user]))[0]
    return f"{named} ({people.ids[user]})" if named else str(people.ids[user])
