"""The law on a log of which only the shards can be read, as one that is larger than memory."""

from __future__ import annotations

from multiprocessing.reduction import ForkingPickler
from typing import Any

from vitrina.base.errors import DataError
from vitrina.data.sharded import Sharded, held
from vitrina.models.base import ModelConfig
from vitrina.testing.cases import BrokenLawError, Case, NotAskedError, same
from vitrina.types import Eligibility, Recommendations

SHARDS = 3


def sent(thing: Any) -> Any:
    """What a process gets that a thing is sent to."""
    return ForkingPickler.loads(ForkingPickler.dumps(thing))  # pyright: ignore[reportAttributeAccessIssue]  it is pickle.loads


def shards_only(case: Case) -> None:
    """A log of which only the shards can be read, each with people of its own, gives the lists of one in memory."""
    log, model = sent(held(case.data, SHARDS)), case.model
    if not (isinstance(model, ModelConfig) and model.reads_shards):
        if isinstance(model, ModelConfig):
            _require_refusal(model, log)
        raise NotAskedError("the model doesn't say that it reads shards: reads_shards = True in a vitrina.models.base.ModelConfig")
    recommender = model.fit(log)
    for repeat, answer in case.answers.items():
        parts = [recommender.recommend(shard.queries(), 10, eligible=Eligibility(repeat=repeat)) for shard in log.shards()]
        same(answer, Recommendations.concat(parts), "fitted on shards alone, and asked shard by shard", popular=case.data.catalogue.users)


def _require_refusal(model: ModelConfig, log: Sharded) -> None:
    try:
        model.fit(log)
    except DataError as refusal:
        if "shards" in str(refusal):
            return
        raise BrokenLawError(f"a log that only has shards is refused, but not with a sentence on them: {refusal}") from None
    raise BrokenLawError("the model says that it doesn't read shards, and it was fitted on a log that has nothing else.")
