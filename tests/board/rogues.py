"""Models that misbehave, in a module that another process can import."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

import vitrina as vt
from vitrina.base.config import Config
from vitrina.models.base import ModelConfig


class Raises(Config):
    def fit(self, data, *, validation=None, start=None):
        raise RuntimeError("the third wheel came off")


class Whole(ModelConfig):
    """Reads the log as a whole."""

    def fit(self, data, *, validation=None, start=None):
        return data.csr()


class Hungry(Config):
    def fit(self, data, *, validation=None, start=None):
        raise MemoryError("no room for 40 GB")


class Exits(Config):
    code: int = 137

    def fit(self, data, *, validation=None, start=None):
        os._exit(self.code)


class Killed(Config):
    def fit(self, data, *, validation=None, start=None):
        os.kill(os.getpid(), signal.SIGKILL)


class Talks(Config):
    """Answers in the wrong shape."""

    def fit(self, data, *, validation=None, start=None):
        fitted = vt.Popularity().fit(data)

        class Fitted:
            vocabulary = fitted.vocabulary

            def recommend(self, queries, k, *, eligible):
                return fitted.recommend(queries, k + 1, eligible=eligible)

        return Fitted()


class Half(Config):
    """Own favourites for every second query, and nothing for the others."""

    def fit(self, data, *, validation=None, start=None):
        return Changed(vt.TopPersonal().fit(data), lambda items: np.where(np.arange(len(items))[:, None] % 2, items, -1))


class Swapped(Config):
    """Popularity, with the first two places changed for a few."""

    people: int = 4

    def fit(self, data, *, validation=None, start=None):
        few = self.people
        return Changed(
            vt.Popularity().fit(data), lambda items: np.concatenate([items[:few, [1, 0, *range(2, items.shape[1])]], items[few:]])
        )


class Second(Config):
    """Popularity without its first place."""

    def fit(self, data, *, validation=None, start=None):
        fitted = vt.Popularity().fit(data)

        class Fitted:
            vocabulary = fitted.vocabulary

            def recommend(self, queries, k, *, eligible):
                lists = fitted.recommend(queries, k + 1, eligible=eligible)
                return vt.Recommendations(lists.items[:, 1:], lists.scores[:, 1:], lists.vocabulary)

        return Fitted()


class Changed:
    """A fitted model with other lists."""

    def __init__(self, fitted, change):
        self.fitted, self.change, self.vocabulary = fitted, change, fitted.vocabulary

    def recommend(self, queries, k, *, eligible):
        lists = self.fitted.recommend(queries, k, eligible=eligible)
        return vt.Recommendations(np.ascontiguousarray(self.change(lists.items)), lists.scores, lists.vocabulary)


class Small(Config):
    """Popularity of a log that isn't too large for it."""

    most: int

    def fit(self, data, *, validation=None, start=None):
        if data.n_events > self.most:
            raise ValueError("too much for me")
        return vt.Popularity().fit(data)


class Fickle(Config):
    """Popularity by one parameter; others end the process, raise, or are worse."""

    way: str = "good"

    def fit(self, data, *, validation=None, start=None):
        if self.way == "dies":
            os._exit(137)
        if self.way == "raises":
            raise ValueError("not this way")
        return vt.Popularity().fit(data) if self.way == "good" else vt.RandomItems().fit(data)


@dataclass(frozen=True)
class Favourite:
    """A user's own model that is no Config: one item first, then the rest by code. Waits while the file `gate` exists, but not to warm up."""

    first: int
    gate: str = ""
    pid_file: str = ""

    def fit(self, data, *, validation=None, start=None):
        if self.pid_file and data.n_users > 40:
            Path(self.pid_file).write_text(str(os.getpid()))
        while self.gate and data.n_users > 40 and Path(self.gate).exists():
            time.sleep(0.05)
        scores = np.linspace(1, 0.5, data.n_items).astype(np.float32)
        scores[self.first] = 2
        fitted = vt.Popularity().fit(data)
        return type(fitted)(fitted.vocabulary, fitted.catalogue, scores)


class Tells(Config):
    """Popularity that says what it was fitted on and stopped by; by another number of days it is another model."""

    days: float = 1.0

    def fit(self, data, *, validation=None, start=None):
        stopped = "nothing" if validation is None else f"{len(validation.queries)} queries"
        return replace(vt.Popularity(days=self.days).fit(data), notes=(f"learned {data.n_events} events, stopped by {stopped}",))


class Seeded(Config):
    """Random items; one seed is bad."""

    seed: int = 0
    bad: int = -1

    def fit(self, data, *, validation=None, start=None):
        if self.seed == self.bad:
            raise ValueError(f"a bad seed: {self.seed}")
        return vt.RandomItems(seed=self.seed).fit(data)


class Sourced(Config):
    """Popularity that names a source and reasons for each place, and knows tables of itself; with a seed, which its tables have."""

    seed: int = 0

    def fit(self, data, *, validation=None, start=None):
        return Telling(vt.Popularity().fit(data), self.seed, data.n_events)


class Telling:
    def __init__(self, fitted, seed, events):
        self.fitted, self.vocabulary, self.catalogue, self.notes = fitted, fitted.vocabulary, fitted.catalogue, ()
        self.tables = {"sources": pl.DataFrame({"source": ["near", "far"], "recall": [0.5, None], "seed": [seed, seed], "events": events})}

    def recommend(self, queries, k, *, eligible=vt.Eligibility()):
        lists = self.fitted.recommend(queries, k, eligible=eligible)
        places = np.broadcast_to(np.arange(lists.k), lists.items.shape)
        extra = {"source": (places % 2 + 1).astype(np.uint8), "reasons": (places == 0).astype(np.uint8) * np.uint8(2)}
        return replace(lists, extra=extra, sources=("fallback", "near", "far"), reason_names=("new", "first"))
