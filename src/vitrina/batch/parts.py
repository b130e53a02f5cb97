"""What a worker does for one part of a clientele: the model is loaded once per process, questions are opened where they lie, lists become a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, final

import numpy as np
import polars as pl

from vitrina.artifacts import load
from vitrina.artifacts.layout import MANIFEST
from vitrina.base.errors import ArtifactError
from vitrina.base.files import sha256_of
from vitrina.batch.aligned import aligned
from vitrina.batch.lists import Asking, write_frames
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import Parts
from vitrina.data.split import Split
from vitrina.data.store import open_split
from vitrina.protocols import Recommender
from vitrina.types import Eligibility, Queries
from vitrina.vocabulary import Vocabulary

PART = 2048  # queries of a part, where they don't come in shards
LISTS = "lists"


@final
@dataclass(frozen=True)
class ModelAt:
    """A model by its folder.

    Args:
        folder: what `vt.save` wrote, at the same path on every machine.
        stamp: sha256 of its manifest, which has those of all other files.
        trust: allow a class of one's own.
    """

    folder: Path
    stamp: str
    trust: bool = False

    @classmethod
    def of(cls, folder: str | Path, *, trust: bool) -> ModelAt:
        folder = Path(folder).resolve()
        return cls(folder, sha256_of(folder / MANIFEST) if (folder / MANIFEST).exists() else "", trust)

    @property
    def recommender(self) -> Recommender:
        """The model: loaded once per process; its large arrays are mapped, so that the processes of a machine share them."""
        return _loaded(self)


@lru_cache(maxsize=1)
def _loaded(at: ModelAt) -> Recommender:
    artifact = load(at.folder, trust=at.trust)
    if sha256_of(at.folder / MANIFEST) != at.stamp:
        raise ArtifactError(f"The artifact {at.folder} was replaced while the job runs. Cancel the job and begin it again.")
    artifact.vocabulary  # noqa: B018  a policy has none, and says so
    return artifact.recommender


class Asked(Protocol):
    """Questions in parts: plain, so that another process can open each by its number."""

    def __len__(self) -> int: ...
    def part(self, number: int, vocabulary: Vocabulary) -> tuple[Queries, Eligibility]: ...


@final
@dataclass(frozen=True)
class OfShards:
    """Everybody in a log over shards, a shard a part.

    Args:
        parts: the shards.
        now: the moment of asking, which is that of the whole log.
    """

    parts: Parts
    now: int | None
    eligible: Eligibility

    def __len__(self) -> int:
        return len(self.parts)

    def part(self, number: int, vocabulary: Vocabulary) -> tuple[Queries, Eligibility]:
        queries = aligned(self.parts.load(number), vocabulary).queries()
        return replace(queries, now=None if self.now is None else np.full(len(queries), self.now)), self.eligible


@final
@dataclass(frozen=True)
class OfFolder:
    """Queries that were written to a folder, in parts of 2,048.

    Args:
        folder: a split, of which the queries and the eligibility are read; the labels are in a file beside it.
        queries: how many.
        people: whether the codes of users are those of a vocabulary in the folder.
    """

    folder: Path
    queries: int
    people: bool
    first_user: int = 0

    @property
    def labels(self) -> Path:
        return self.folder.with_suffix(".parquet")

    def __len__(self) -> int:
        return max(1, -(-self.queries // PART))

    def part(self, number: int, vocabulary: Vocabulary) -> tuple[Queries, Eligibility]:
        split, labels = _opened(self)
        rows = slice(number * PART, min((number + 1) * PART, self.queries))
        queries = replace(split.queries[rows], labels=labels[rows], first_user=self.first_user)
        return queries if self.people else replace(queries, people=None), split.eligible.rows(rows)


@lru_cache(maxsize=1)
def _opened(asked: OfFolder) -> tuple[Split, pl.Series]:
    return open_split(asked.folder), pl.read_parquet(asked.labels).to_series()


@final
@dataclass(frozen=True)
class Answer:
    """Lists of one part as a file in `folder`; what the record of the part says of it."""

    model: ModelAt
    asked: Asked
    asking: Asking
    folder: Path

    def __call__(self, number: int) -> Mapping[str, Any]:
        recommender = self.model.recommender
        queries, eligible = self.asked.part(number, recommender.vocabulary)
        if not len(queries) and len(self.asked) > 1:
            return {"queries": 0, "rows": 0, "file": None}
        path = self.folder / LISTS / f"part-{number:05}.parquet"
        rows = write_frames((frame for _, frame in self.asking.frames(recommender, queries, eligible)), path)
        return {"queries": len(queries), "rows": rows, "file": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


class Looked(NamedTuple):
    """What is known of a shard before it is answered, in the codes of the model."""

    queries: int
    events: int
    known: int  # events of items that the model knows
    latest: int | None  # time
    fingerprint: str


@final
@dataclass(frozen=True)
class Look:
    """Of a shard by its number."""

    vocabulary: ModelAt | Vocabulary
    parts: Parts

    def __call__(self, number: int) -> Looked:
        vocabulary = self.vocabulary if isinstance(self.vocabulary, Vocabulary) else self.vocabulary.recommender.vocabulary
        shard = self.parts.load(number)
        known: Dataset = replace(aligned(shard, vocabulary), item_table=None, user_table=None)
        times = known.events.times
        latest = None if times is None or not len(times) else int(times.max())
        return Looked(known.n_users, shard.n_events, known.n_events, latest, known.fingerprint)
