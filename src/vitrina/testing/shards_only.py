"""A log of which only the shards can be read, as one that is larger than memory, and the law on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, ClassVar, final

import numpy as np

from vitrina.base.errors import DataError
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.models.base import ModelConfig
from vitrina.testing.cases import BrokenLawError, Case, NotAskedError, same
from vitrina.types import Eligibility, Recommendations

WHOLE = (
    "events",
    "indptr",
    "user_of",
    "csr",
    "queries",
    "select",
    "frame",
    "fingerprint",
    "user_range",
    "events_of",
)  # views of the whole log


@final
class ShardsOnly(Dataset):
    """The same log, of which `shards()` can be read, and what is the sum over them; its other arrays raise.

    >>> import vitrina as vt
    >>> log = ShardsOnly(vt.testing.toy(), 3)
    >>> log, sum(shard.n_events for shard in log.shards())
    (Dataset('toy': 20 events, 6 users, 4 items), 20)
    >>> log.events
    Traceback (most recent call last):
    ...
    vitrina.testing.cases.BrokenLawError: the 'events' of the whole log were asked for, and only its shards can be read.
    """

    in_memory: ClassVar[bool] = False

    def __init__(self, whole: Dataset, count: int) -> None:
        self._keep({f.name: getattr(whole, f.name) for f in fields(whole) if f.name not in WHOLE}, tuple(whole.sharded(count).shards()))

    def _keep(self, columns: dict[str, Any], parts: tuple[Dataset, ...]) -> None:
        for name, value in columns.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "parts", parts)

    def __getattribute__(self, name: str) -> Any:
        if name in WHOLE:
            raise BrokenLawError(f"the {name!r} of the whole log were asked for, and only its shards can be read.")
        return super().__getattribute__(name)

    def shards(self) -> Iterator[Dataset]:
        return iter(self.parts)

    def counted(self) -> ShardsOnly:
        counted = object.__new__(ShardsOnly)
        columns = {name: value for name, value in self.__dict__.items() if name not in ("parts", "catalogue", "n_users")}
        counted._keep(columns, tuple(shard.counted() for shard in self.parts))
        return counted

    @property
    def n_events(self) -> int:
        return sum(shard.n_events for shard in self.parts)

    @property
    def n_users(self) -> int:  # type: ignore[override]
        return sum(shard.n_users for shard in self.parts)

    @property
    def catalogue(self) -> Catalogue:  # type: ignore[override]
        parts = [shard.catalogue for shard in self.parts]
        return Catalogue(np.sum([p.events for p in parts], 0), np.sum([p.users for p in parts], 0), sum(p.n_users for p in parts))


def shards_only(case: Case) -> None:
    """A log of which only the shards can be read gives the lists of one."""
    log, model = ShardsOnly(case.data, 3), case.model
    if not (isinstance(model, ModelConfig) and model.reads_shards):
        if isinstance(model, ModelConfig):
            _require_refusal(model, log)
        raise NotAskedError("the model doesn't say that it reads shards: reads_shards = True in a vitrina.models.base.ModelConfig")
    recommender = model.fit(log)
    for repeat, answer in case.answers.items():
        parts, first = [], 0
        for shard in log.shards():
            queries = shard.queries()
            last = first + len(queries)
            queries = replace(queries, now=None if case.queries.now is None else case.queries.now[first:last])
            parts.append(recommender.recommend(queries, 10, eligible=Eligibility(repeat=repeat)))
            first = last
        same(answer, Recommendations.concat(parts), "fitted on shards alone, and asked shard by shard", popular=case.data.catalogue.users)


def _require_refusal(model: ModelConfig, log: Dataset) -> None:
    try:
        model.fit(log)
    except DataError as refusal:
        if "shards" in str(refusal):
            return
        raise BrokenLawError(f"a log that only has shards is refused, but not with a sentence on them: {refusal}") from None
    raise BrokenLawError("the model says that it doesn't read shards, and it was fitted on a log that has nothing else.")
