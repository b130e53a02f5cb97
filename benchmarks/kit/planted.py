"""Logs with planted clusters, up to a million items, 2 million people and 50 million interactions, drawn once per size.

Items come in clusters of 128, with a Zipf law within each, and clusters have one too. A person has 1 interest per 16 interactions, and one more; 4 interactions of 5 are
with an item of one of these clusters, the fifth with any item by a Zipf law over all. How much people do is Zipf as well, 8 to 1,700 interactions, 25 on average; pairs don't
repeat. Of a sample of people the last interaction is held out. As the law is known, so is the best list that there can be: the most probable items that the person hasn't.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vitrina as vt
from benchmarks.kit.places import SHARED
from benchmarks.kit.zipf import zipf
from vitrina.base.files import atomic_folder
from vitrina.data.sharded import Sharded, held
from vitrina.data.store import open_dataset, save_dataset
from vitrina.types import Events
from vitrina.vocabulary import Vocabulary

ITEMS, PEOPLE, MEAN = 1_000_000, 2_000_000, 25  # of the whole
CLUSTER, PER_INTEREST, OWN = 128, 16, 0.8
SHARDS, SAMPLE, DEPTH = 16, 4000, 100
SEED = 0


@dataclass(frozen=True)
class About:
    """What a log holds, and what lists for its sample can be worth.

    Args:
        items, people, events: how many.
        best: Recall@100 of the most probable items by the law that made the log.
        popular: Recall@100 of the most frequent items.
    """

    items: int
    people: int
    events: int
    best: float
    popular: float


@dataclass(frozen=True)
class Law:
    """Chances of items within a cluster, of clusters, and of items at large; items are numbered cluster by cluster."""

    within: NDArray[np.float64]  # (CLUSTER,) cumulative, as the others are
    clusters: NDArray[np.float64]
    large: NDArray[np.float64]  # by place
    place: NDArray[np.int64]  # (items,) the place of each among all
    item_at: NDArray[np.int64]  # (items,) the item at each place

    @classmethod
    def of(cls, items: int) -> Law:
        within, clusters = zipf(CLUSTER, 0.8), zipf(items // CLUSTER, 0.5)
        chances = np.outer(np.diff(clusters, prepend=0), np.diff(within, prepend=0)).ravel()
        item_at = np.argsort(-chances, kind="stable")
        place = np.empty(items, np.int64)
        place[item_at] = np.arange(items)
        return cls(within, clusters, zipf(items, 0.9), place, item_at)

    def likely(self, interests: NDArray[np.int64], seen: NDArray[np.int64]) -> NDArray[np.int64]:
        """The most probable items of a person, without those that they have."""
        own = (interests[:, None] * CLUSTER + np.arange(CLUSTER)).ravel()
        items = np.union1d(own, self.item_at[: DEPTH + len(seen)])
        chances = np.zeros(len(items))
        np.add.at(chances, np.searchsorted(items, own), np.tile(np.diff(self.within, prepend=0), len(interests)) * OWN / len(interests))
        chances += (1 - OWN) * np.diff(self.large, prepend=0)[self.place[items]]
        chances[np.isin(items, seen)] = -1
        return items[np.argsort(-chances, kind="stable")[:DEPTH]]


def planted(size: Fraction) -> tuple[Sharded, vt.Dataset, NDArray[np.int64], NDArray[np.int64], About]:
    """The log over shards and as a whole, both mapped from the disk; the people who are asked, what was held out of each, and what there is to know."""
    folder = SHARED / f"planted_{size.denominator}"
    if not folder.exists():
        with atomic_folder(folder) as staging:
            _draw(size, staging)
    whole, asked = open_dataset(folder / "log"), np.load(folder / "asked.npy")
    about = About(**json.loads((folder / "about.json").read_text(encoding="utf-8")))
    return held(whole, SHARDS), whole, asked[0], asked[1], about


def _draw(size: Fraction, folder: Path) -> None:
    items, people = round(ITEMS * size) // CLUSTER * CLUSTER, round(PEOPLE * size)
    rng, law = np.random.default_rng(SEED), Law.of(items)
    codes = rng.permutation(items).astype(np.int32)
    lengths = _lengths(people, rng)
    sample = np.sort(rng.choice(people, min(SAMPLE, people), replace=False))
    edges = np.linspace(0, people, SHARDS + 1).astype(int)
    taken, kept, asked, found = [], [], [], []
    for number, (first, last) in enumerate(pairwise(edges)):
        own = np.random.default_rng([SEED, number])
        interests, starts = _interests(lengths[first:last], law, own)
        users, drawn = _distinct(lengths[first:last], interests, starts, law, own)
        ends = np.cumsum(np.bincount(users, minlength=last - first))
        leave = np.ones(len(users), bool)
        for user in sample[(sample >= first) & (sample < last)] - first:
            begin, end = ends[user - 1] if user else 0, ends[user]
            if end - begin > 1:
                leave[end - 1] = False
                best = law.likely(interests[starts[user] : starts[user + 1]], drawn[begin : end - 1])
                asked.append((first + user, codes[drawn[end - 1]]))
                found.append(drawn[end - 1] in best)
        taken.append(codes[drawn[leave]])
        kept.append(np.bincount(users[leave], minlength=last - first))
    indptr = np.append(0, np.cumsum(np.concatenate(kept)))
    people_ids, item_ids = Vocabulary.of(range(people)), Vocabulary.of(range(items))
    data = vt.Dataset(Events(np.concatenate(taken)), indptr, people_ids, item_ids, name=f"planted {size}")
    save_dataset(data, folder / "log")
    np.save(folder / "asked.npy", np.array(asked, np.int64).T)
    about = About(items, people, data.n_events, float(np.mean(found)), _popular(data, asked))
    (folder / "about.json").write_text(json.dumps(asdict(about)), encoding="utf-8")


def _lengths(people: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(people,) interactions of each: Zipf with an offset, so that the law is the same whatever the number of people."""
    activity = (rng.permutation(people) / people + 5e-4) ** -0.7
    return (activity * MEAN / activity.mean() + rng.random(people)).astype(np.int64)


def _interests(lengths: NDArray[np.int64], law: Law, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Clusters of all people, one after another, and where those of each begin."""
    starts = np.append(0, np.cumsum(1 + lengths // PER_INTEREST))
    return np.searchsorted(law.clusters, rng.random(starts[-1])), starts


def _distinct(
    lengths: NDArray[np.int64], interests: NDArray[np.int64], starts: NDArray[np.int64], law: Law, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Person and item of each interaction, in the order of people and drawing; more are drawn than needed, as some come twice."""
    users = np.repeat(np.arange(len(lengths)), lengths + lengths // 2 + 4)
    cluster = interests[starts[users] + (rng.random(len(users)) * np.diff(starts)[users]).astype(np.int64)]
    items = cluster * CLUSTER + np.searchsorted(law.within, rng.random(len(users)))
    other = rng.random(len(users)) >= OWN
    items[other] = law.item_at[np.searchsorted(law.large, rng.random(other.sum()))]
    first = np.sort(np.unique(users * len(law.place) + items, return_index=True)[1])
    users, items = users[first], items[first]
    counts = np.bincount(users, minlength=len(lengths))
    within = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    keep = within < lengths[users]
    return users[keep], items[keep]


def _popular(data: vt.Dataset, asked: list[tuple[int, int]]) -> float:
    """Recall of the most frequent items, without those that a person has."""
    ranked, found = data.catalogue.by_popularity, []
    for user, item in asked:
        seen = data.events.items[data.indptr[user] : data.indptr[user + 1]]
        top = ranked[: DEPTH + len(seen)]
        found.append(item in top[~np.isin(top, seen)][:DEPTH])
    return float(np.mean(found))
