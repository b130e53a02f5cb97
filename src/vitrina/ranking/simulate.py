"""A made-up survey company whose truth is known: for tests of what is learned from sessions, as no public log has who left and why."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit

from vitrina.base.config import Config
from vitrina.data.impressions import Impressions
from vitrina.ranking.sessions import SessionLog
from vitrina.types import Bool, Float64, Int32
from vitrina.vocabulary import Vocabulary

REGIONS = ("north", "east", "south")


@final
class SessionWorld(Config):
    """Questions (items) that pay when they are answered, and people who answer some and leave after some.

    Long questions pay more, are answered less, and end sessions: so what pays best isn't what is best shown first. All three chances are logistic in features that can be seen (`pairs`), so
    a `SessionModel` can learn them exactly.

    Args:
        items: how many questions.
        seed: of their lengths, values and effects; people and sessions have seeds of their own.

    >>> world = SessionWorld(items=4, seed=0)
    >>> {name: chances.shape for name, chances in world.chances(world.people(3)).items()}
    {'p': (3, 4), 'continue_after_success': (3, 4), 'continue_after_failure': (3, 4)}
    """

    items: int = Field(default=30, ge=2)
    seed: int = Field(default=0, ge=0)

    @cached_property
    def _questions(self) -> dict[str, NDArray[Any]]:
        rng = np.random.default_rng([self.seed, 0])
        minutes = rng.gamma(2.0, 3.0, self.items) + 1
        return {
            "minutes": minutes, "value": 0.2 * minutes * rng.lognormal(0, 0.3, self.items), "topic": rng.integers(0, 4, self.items),
            "answered": rng.normal(0, 0.5, self.items), "stays": rng.normal(0, 0.4, self.items),
        }  # fmt: skip

    @property
    def value(self) -> Float64:
        """(items,) what an answer pays."""
        return self._questions["value"]

    @property
    def vocabulary(self) -> Vocabulary:
        """Ids of the questions."""
        return Vocabulary.of([f"q{i:03}" for i in range(self.items)])

    def people(self, n: int, seed: int = 1) -> pl.DataFrame:
        """`n` people: user_id, age, region, patience, and four tastes for topics."""
        rng = np.random.default_rng([self.seed, seed, 1])
        tastes = {f"taste_{t}": rng.normal(0, 1, n) for t in range(4)}
        regions = pl.Series(REGIONS).gather(rng.integers(0, 3, n))
        return pl.DataFrame({
            "user_id": [f"p{seed}-{i}" for i in range(n)], "age": rng.integers(16, 80, n), "region": regions, "patience": rng.normal(0, 1, n), **tastes,
        })  # fmt: skip

    def pairs(self, people: pl.DataFrame) -> pl.DataFrame:
        """(people * items rows) what can be seen of each person with each question: the features of a model."""
        n = people.height
        return self._features(people, np.repeat(np.arange(n), self.items), np.tile(np.arange(self.items), n))

    def features_of(self, log: SessionLog, people: pl.DataFrame) -> pl.DataFrame:
        """The same for each row of a log of theirs."""
        rows = Vocabulary.of(people["user_id"].to_list()).encode(log.shown.people.ids)[log.shown.users]
        return self._features(people, rows, self.vocabulary.encode(log.shown.vocabulary.ids)[log.shown.items])

    def _features(self, people: pl.DataFrame, rows: NDArray[Any], items: NDArray[Any]) -> pl.DataFrame:
        tastes = people.select(pl.selectors.starts_with("taste_")).to_numpy()
        own = people[rows]
        return pl.DataFrame({
            "item_id": self.vocabulary.ids.gather(items), "age": own["age"], "region": own["region"], "patience": own["patience"],
            "minutes": self._questions["minutes"][items], "match": tastes[rows, self._questions["topic"][items]],
        })  # fmt: skip

    def chances(self, people: pl.DataFrame) -> Mapping[str, Float64]:
        """(people, items) the truth, by the names that `rank_session` has."""
        table, own = self.pairs(people), self._questions
        minutes, item = table["minutes"].to_numpy() - 7, np.tile(np.arange(self.items), people.height)
        region = table["region"].replace_strict({"north": 0.3, "east": 0.0, "south": -0.3}, return_dtype=pl.Float64).to_numpy()
        age, patience = (table["age"].to_numpy() - 48) / 18, table["patience"].to_numpy()
        odds = {
            "p": -0.6 + own["answered"][item] + 0.8 * table["match"].to_numpy() + region - 0.04 * minutes,
            "continue_after_success": 1.6 + own["stays"][item] + 0.5 * patience - 0.2 * minutes + 0.3 * age,
            "continue_after_failure": 1.8 + own["stays"][item] + 0.5 * patience - 0.02 * minutes,
        }
        return {name: expit(z).reshape(people.height, self.items) for name, z in odds.items()}

    def random_orders(self, n: int, k: int, seed: int = 2) -> Int32:
        """(n, k) different questions for each of `n` sessions, in any order: a log to learn from."""
        rng = np.random.default_rng([self.seed, seed, 2])
        return np.argsort(rng.random((n, self.items)), axis=1)[:, :k].astype(np.int32)

    def answers(self, people: pl.DataFrame, seed: int = 3) -> Bool:
        """(people, items) what each would answer in the sessions of this seed, if it were shown."""
        return np.random.default_rng([self.seed, seed, 3]).random((people.height, self.items)) < self.chances(people)["p"]

    def play(self, people: pl.DataFrame, orders: NDArray[Any], seed: int = 3) -> SessionLog:
        """A session of each person, in which these questions are shown one after another until the person leaves or none is left.

        Args:
            people: as `people` makes them.
            orders: (people, k) places of questions; -1 ends an order.
            seed: of what happens. The same person and question have the same luck in any order, so that two orders differ by the order alone.
        """
        orders, n = np.asarray(orders), people.height
        item, rows = np.maximum(orders, 0), np.arange(n)[:, None]
        _, after, none = (chance[rows, item] for chance in self.chances(people).values())
        answered = self.answers(people, seed)[rows, item]
        stays = np.random.default_rng([self.seed, seed, 4]).random((n, self.items))[rows, item] < np.where(answered, after, none)
        real = np.logical_and.accumulate(orders >= 0, axis=1)
        there = real & np.cumprod(np.column_stack([np.ones(n, bool), stays[:, :-1]]), axis=1).astype(bool)
        session, place = np.nonzero(there)
        shown = item[session, place].astype(np.int32)
        everybody = Vocabulary.of(people["user_id"].to_list())
        return SessionLog(Impressions(
            Vocabulary.of([f"s{seed}-{i}" for i in range(n)]), np.append(0, np.cumsum(there.sum(axis=1))), session.astype(np.int32), everybody, shown,
            self.vocabulary, place.astype(np.int32) + 1, outcomes=answered[there].astype(np.float32), values=self.value[shown].astype(np.float32),
            ended=~stays[there],
        ))  # fmt: skip
